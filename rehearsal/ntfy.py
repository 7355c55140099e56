"""A stand-in for an ntfy server of version 2.16: topics, sequences, files, one JSON object a line. Not ntfy."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from email.header import decode_header, make_header
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.world import Account, Platform, Received, Refused, bearer, body_of

MESSAGE = 4096
BODY = 2 * MESSAGE
FILE = 2_000_000
TOPIC = re.compile(r"[-_A-Za-z0-9]{1,64}")
SEALED = "sealed"  # a token that begins so may write and not read
OLD = "old"  # an account whose name begins so is on a server that knows no sequences


class Ntfy(Platform):
    """Speaks the server's API for any account and topic; no token is needed, and any is good but ``expired…``."""

    name: ClassVar = "ntfy"
    public: ClassVar = "/{number}/message"

    def routes(self) -> list[Route]:
        return [
            Route("/v1/account", self.who),
            Route("/", self.publish, methods=["POST", "PUT"]),
            Route("/{topic}/auth", self.auth),
            Route("/{topic}/json", self.poll),
            Route("/{topic}", self.publish, methods=["POST", "PUT"]),
            Route("/{topic}", self.read),
            Route("/{topic}/{sequence}", self.remove, methods=["DELETE"]),
        ]

    def trouble(self, status: int) -> Response:
        words = "limit reached: too many requests" if status == 429 else "internal server error"
        return JSONResponse({"code": 42901 if status == 429 else 50001, "http": status, "error": words}, status)

    async def who(self, request: Request) -> Response:
        _authorize(request)
        limits = {"messages_expiry_duration": 43_200, "attachment_file_size": FILE}
        return JSONResponse({"username": "paper" if bearer(request) else "*", "limits": limits})

    async def auth(self, request: Request) -> Response:
        _authorize(request, reads=True)
        return JSONResponse({"success": True})

    async def poll(self, request: Request) -> Response:
        _authorize(request, reads=True)
        since = float(request.query_params["since"])
        posts = sorted(self.account(request).posts.values(), key=lambda p: (p.at, p.id))
        there = [m for p in posts if p.own["topic"] == request.path_params["topic"] for m in p.own["said"]]
        lines = [json.dumps(m) + "\n" for m in there if m["time"] >= since]
        return Response("".join(lines), media_type="application/x-ndjson; charset=utf-8")

    async def read(self, request: Request) -> Response:
        """The topic's page, where the newest notification is on top."""
        topic = request.path_params["topic"]
        newest = next((p for p in self.account(request).living if p.own["topic"] == topic), None)
        return RedirectResponse(self.permalink(request, newest.id)) if newest else Response(status_code=404)

    async def publish(self, request: Request) -> Response:
        async def take() -> Response:
            _authorize(request)
            return JSONResponse(await self._take(request))

        return await self.commit(take)

    async def _take(self, request: Request) -> dict[str, Any]:
        account, now, content = self.account(request), self.world.now(), await request.body()
        given: dict[str, Any] = {"topic": request.path_params.get("topic")}
        if given["topic"] is None:
            if len(content) > BODY:
                raise _no(41303, "JSON body too large")
            given, content = await body_of(request), b""
        else:
            names = ("message", "title", "click", "priority", "filename", "sequence-id")
            said = {n.replace("-", "_"): request.headers.get(f"x-{n}", "") for n in names}
            given |= {n: str(make_header(decode_header(v))) for n, v in said.items()}
            given["message"] = given["message"].replace("\\n", "\n")
        if not TOPIC.fullmatch(str(given["topic"])):
            raise _no(40009, "invalid request: topic invalid")
        message = str(given.get("message", "")).strip()
        number = hashlib.sha256(account.snowflake(now).encode()).hexdigest()[:12]
        picture = None
        if given.get("filename"):
            if len(content) > FILE:
                raise _no(41301, "attachment too large, or bandwidth limit reached")
            picture = account.keep_picture(number, content)
        elif len(message.encode()) > MESSAGE:
            message = "You received a file: attachment.txt"
        sequence = "" if account.name.startswith(OLD) else str(given.get("sequence_id") or "")
        told = {
            "id": number,
            "time": int(now.timestamp()),
            "event": "message",
            "topic": given["topic"],
            "message": message or "triggered",
            **{name: given[name] for name in ("title", "click") if given.get(name)},
            **({"priority": int(given["priority"])} if given.get("priority") else {}),
            **({"sequence_id": sequence} if sequence else {}),
            **({"attachment": {"name": given["filename"], "url": picture.path}} if picture else {}),
        }
        self._show(request, account, told, picture)
        return told

    def _show(self, request: Request, account: Account, told: dict[str, Any], picture: Any) -> None:
        """What a reader sees: a title above the message; a later message of the sequence in its place."""
        text = f"{told['title']}\n\n{told['message']}" if told.get("title") else told["message"]
        shown: dict[str, Any] = {
            "text": text,
            "facets": [f for f in reading.facets(text) if f["type"] == "link"],
            "card": {"url": told["click"], "title": "", "description": ""} if told.get("click") else None,
            "pictures": [picture] if picture else [],
        }
        before = account.keyed(told.get("sequence_id", ""))
        if before:
            own = {**before.own, "said": [*before.own["said"], told]}
            account.keep(dataclasses.replace(before, own=own, **shown))
            return
        number, at = str(told["id"]), self.world.now().isoformat()
        post = Received(
            platform=self.name,
            account=account.name,
            id=number,
            at=at,
            permalink=self.permalink(request, number),
            key=told.get("sequence_id", ""),
            own={"topic": told["topic"], "said": [told]},
            **shown,
        )
        account.keep(post)

    async def remove(self, request: Request) -> Response:
        async def take() -> Response:
            _authorize(request)
            account, sequence = self.account(request), request.path_params["sequence"]
            if account.name.startswith(OLD):
                raise _no(40401, "page not found")
            now = self.world.now()
            told = {"id": account.snowflake(now), "time": int(now.timestamp()), "event": "message_delete"}
            if post := account.keyed(sequence):
                account.remove(dataclasses.replace(post, own={**post.own, "said": [*post.own["said"], told]}))
            return JSONResponse({**told, "topic": request.path_params["topic"], "sequence_id": sequence})

        return await self.commit(take)


def _authorize(request: Request, *, reads: bool = False) -> None:
    token = bearer(request)
    if token.startswith("expired"):
        raise _no(40101, "unauthorized")
    if reads and token.startswith(SEALED):
        raise _no(40301, "forbidden")


def _no(code: int, words: str) -> Refused:
    return Refused(JSONResponse({"code": code, "http": code // 100, "error": words}, code // 100))
