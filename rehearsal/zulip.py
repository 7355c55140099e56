"""A stand-in for a Zulip organisation: messages in topics, entities in Markdown, pictures behind links. Not Zulip."""

from __future__ import annotations

import base64
import dataclasses
import html
import json
from datetime import datetime
from typing import Any, ClassVar

import regex
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.world import Account, Picture, Platform, Received, Refused, body_of

CONTENT = 10_000
TOPIC = 60
ELEMENT = regex.compile(
    r"(?P<url>https?://[^\s<>]+)|(?P<entity>&(?:#\d+|#x[0-9a-fA-F]+|\w+);)"
    r"|\[(?P<said>[^\]]*)\]\((?P<to>[^\s)]+)\)|(?P<call>@(?:\*\*[^*]+\*\*|_\*\*[^*]+\*\*|\*[^*]+\*))"
    r"|(?P<markup>\*+|~~|`+|(?<![^\n])(?:#{1,6}|>|[-+]|\d+[.)]) )"
)


class Zulip(Platform):
    """Speaks /api/v1 for any account; its bot follows every channel but those whose name begins with ``closed``."""

    name: ClassVar = "zulip"
    public: ClassVar = "/narrow/{number}"

    def routes(self) -> list[Route]:
        api = "/api/v1"
        return [
            Route(f"{api}/users/me", self.me),
            Route(f"{api}/get_stream_id", self.number),
            Route(f"{api}/users/{{user}}/subscriptions/{{stream}}", self.follows),
            Route(f"{api}/user_uploads", self.upload, methods=["POST"]),
            Route(f"{api}/messages", self.messages, methods=["GET", "POST"]),
            Route(f"{api}/messages/{{number}}", self.message, methods=["GET", "PATCH", "DELETE"]),
            Route("/", self.newest),
        ]

    def trouble(self, status: int) -> Response:
        if status == 429:
            return _answer(429, {"code": "RATE_LIMIT_HIT", "msg": "API usage exceeded rate limit", "retry-after": 1.5})
        return _answer(status, {"code": "INTERNAL_SERVER_ERROR", "msg": "Internal server error"})

    async def me(self, request: Request) -> Response:
        _authorize(request)
        account = self.account(request)
        return _answer(200, {"user_id": account.number, "full_name": account.name, "is_bot": True})

    async def number(self, request: Request) -> Response:
        _authorize(request)
        if (name := request.query_params["stream"]).startswith("no"):
            raise _no(f"Invalid channel name '{name}'")
        return _answer(200, {"stream_id": 13 if name.startswith("closed") else 12})

    async def follows(self, request: Request) -> Response:
        _authorize(request)
        return _answer(200, {"is_subscribed": request.path_params["stream"] != "13"})

    async def upload(self, request: Request) -> Response:
        _authorize(request)
        account, fields = self.account(request), await body_of(request)
        number = account.snowflake(self.world.now())
        if account.keep_picture(number, fields["filename"]) is None:
            raise _no("Invalid file")
        return _answer(200, {"url": f"/user_uploads/2/ab/{number}/picture", "filename": "picture"})

    async def messages(self, request: Request) -> Response:
        async def take() -> Response:
            _authorize(request)
            return _answer(200, {"id": int(self._take(request, await body_of(request)).id)})

        if request.method == "POST":
            return await self.commit(take)
        _authorize(request)
        account, asked = self.account(request), request.query_params
        wanted = {n["operator"]: n["operand"] for n in json.loads(asked["narrow"])}
        posts = [p for p in account.living if p.own["topic"] == wanted["topic"] and wanted["stream"] == 12]
        if asked["anchor"] != "newest":
            posts = [p for p in posts if int(p.id) < int(asked["anchor"])]
        page = posts[: int(asked["num_before"])]
        told = [_told(account, p) for p in reversed(page)]
        return _answer(200, {"messages": told, "found_oldest": len(page) == len(posts)})

    def _take(self, request: Request, form: dict[str, Any]) -> Received:
        account, now = self.account(request), self.world.now()
        topic, content = str(form.get("topic", ""))[:TOPIC], str(form.get("content", "")).strip()
        if form.get("type") != "stream" or form.get("to") != "12":
            raise _no(f"Channel with ID '{form.get('to')}' does not exist", "STREAM_DOES_NOT_EXIST")
        if not content or not topic:
            raise _no("Message must not be empty" if topic else "Topic can't be empty!")
        if len(content) > CONTENT:
            content = content[: CONTENT - 20] + "\n[message truncated]"
        number = account.counted()
        first = next((p for p in account.living[::-1] if p.own["topic"] == topic), None)
        post = Received(
            platform=self.name,
            account=account.name,
            id=number,
            at=now.isoformat(),
            permalink=self.permalink(request, number),
            reply_to=first.id if first else None,
            own={"topic": topic, "content": content},
            **read(account, content),
        )
        return account.keep(post)

    async def message(self, request: Request) -> Response:
        async def take() -> Response:
            _authorize(request)
            account, post = self.account(request), self._found(request)
            if request.method == "DELETE":
                account.remove(post)
            else:
                content = str((await body_of(request)).get("content", ""))
                account.keep(dataclasses.replace(post, own={**post.own, "content": content}, **read(account, content)))
            return _answer(200, {})

        if request.method != "GET":
            return await self.commit(take)
        _authorize(request)
        return _answer(200, {"message": _told(self.account(request), self._found(request))})

    async def newest(self, request: Request) -> Response:
        """Where a browser goes with an address whose end only Zulip's own page reads."""
        posts = self.account(request).living
        return RedirectResponse(self.permalink(request, posts[0].id)) if posts else Response(status_code=404)

    def _found(self, request: Request) -> Received:
        post = self.account(request).alive(request.path_params["number"])
        if post is None:
            raise _no("Invalid message(s)")
        return post


def read(account: Account, content: str) -> dict[str, Any]:
    """What a reader sees: entities as their signs, mentions and links alive, pictures below."""
    said, facets, pictures, done = "", [], list[Picture](), 0
    for match in ELEMENT.finditer(content):
        if match.start() < done:
            continue
        said += content[done : match.start()]
        done = match.end()
        shown, kind, value = html.unescape(match["entity"] or ""), "", ""
        if match["url"]:
            end = reading.links(match["url"])[0][1]
            shown, kind, value = match["url"][:end], "link", match["url"][:end]
            done = match.start() + end
        elif match["to"] and match["to"].startswith("/user_uploads/"):
            if picture := account.pictures.get(match["to"].split("/")[-2]):
                pictures.append(account.describe(picture, "" if match["said"] == "picture" else match["said"]))
        elif match["to"]:
            shown, kind, value = match["said"], "link", match["to"]
        elif match["call"]:
            shown = match["call"].replace("*", "")
            kind, value = "mention", shown[1:]
        if kind:
            facets.append(reading.facet(kind, len(said), len(said) + len(shown), value))
        said += shown
    text = (said + content[done:]).strip()
    return {"text": text, "facets": facets, "pictures": pictures, "card": reading.card(facets)}


def _told(account: Account, post: Received) -> dict[str, Any]:
    return {
        "id": int(post.id),
        "sender_id": account.number,
        "timestamp": int(datetime.fromisoformat(post.at).timestamp()),
        "subject": post.own["topic"],
        "content": post.own["content"],
        "reactions": [],
    }


def _authorize(request: Request) -> None:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    _, _, key = base64.b64decode(token).decode().partition(":") if kind == "Basic" else ("", "", "")
    if not key or key.startswith("expired"):
        raise Refused(_answer(401, {"code": "INVALID_API_KEY", "msg": "Invalid API key"}))


def _answer(status: int, told: dict[str, Any]) -> JSONResponse:
    return JSONResponse({"result": "success" if status < 300 else "error", "msg": "", **told}, status)


def _no(words: str, code: str = "BAD_REQUEST") -> Refused:
    return Refused(_answer(400, {"code": code, "msg": words}))
