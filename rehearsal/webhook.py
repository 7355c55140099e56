"""A stand-in for a receiver after the Standard Webhooks specification: verifies, remembers ids, keeps posts."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal.world import Account, Picture, Platform, Received, Refused

SECRET = b"rehearsal"
TOLERANCE = 300  # seconds that an attempt may be old
ROOM = 10_000


class Webhook(Platform):
    """Takes posts at any path of one part for any account; the secret is the word rehearsal."""

    name: ClassVar = "webhook"
    public: ClassVar = "/read/{number}"

    def routes(self) -> list[Route]:
        return [Route("/{hook}", self.take, methods=["POST"])]

    def trouble(self, status: int) -> Response:
        return JSONResponse({"error": "try again"}, status, {"Retry-After": "1"} if status == 429 else None)

    async def take(self, request: Request) -> Response:
        """One event; a repeated webhook-id changes nothing."""
        body = await request.body()

        async def take() -> Response:
            self._verify(request, body)
            event = json.loads(body)
            kinds = {"post.created": self._created, "post.updated": self._updated, "post.deleted": self._deleted}
            kind = kinds.get(event["type"])
            return kind(request, event["data"]) if kind else Response(status_code=204)

        return await (self.commit(take) if b'"type":"ping"' not in body else take())

    def _verify(self, request: Request, body: bytes) -> None:
        """As https://github.com/standard-webhooks/standard-webhooks tells receivers to."""
        number, at = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
        if not number or not at.isdecimal():
            raise _no(400, "missing headers")
        if abs(self.world.now().timestamp() - int(at)) > TOLERANCE:
            raise _no(400, "message timestamp too old")
        right = base64.b64encode(hmac.new(SECRET, f"{number}.{at}.".encode() + body, hashlib.sha256).digest()).decode()
        given = [s.partition(",")[2] for s in request.headers.get("webhook-signature", "").split() if s[:3] == "v1,"]
        if not any(hmac.compare_digest(one, right) for one in given):
            raise _no(401, "no matching signature")

    def _created(self, request: Request, data: dict[str, Any]) -> Response:
        account, number = self.account(request), str(data["id"])
        if account.keyed(number) is None:
            if len(str(data["text"])) > ROOM:
                raise _no(422, "the text is too long")
            post = Received(
                platform=self.name,
                account=account.name,
                id=number,
                at=self.world.now().isoformat(),
                permalink=self.permalink(request, number),
                reply_to=data["reply_to"],
                key=number,
                **_shown(account, data),
            )
            account.keep(post)
        return JSONResponse({"id": number, "url": self.permalink(request, number)})

    def _updated(self, request: Request, data: dict[str, Any]) -> Response:
        account = self.account(request)
        post = account.alive(str(data["id"]))
        if post is None:
            raise _no(422, "no such post")
        account.keep(dataclasses.replace(post, **_shown(account, data)))
        return JSONResponse({"url": post.permalink})

    def _deleted(self, request: Request, data: dict[str, Any]) -> Response:
        account = self.account(request)
        if post := account.alive(str(data["id"])):
            account.remove(post)
        return Response(status_code=204)


def _shown(account: Account, data: dict[str, Any]) -> dict[str, Any]:
    card = {"url": data["link"], "title": data["title"], "description": data["description"]} if data["link"] else None
    pictures = [_picture(account, one) for one in data["media"]]
    return {"text": data["text"], "facets": data["facets"], "card": card, "pictures": pictures}


def _picture(account: Account, told: dict[str, Any]) -> Picture:
    content = base64.b64decode(told["content"], validate=True)
    if hashlib.sha256(content).hexdigest() != told["sha256"]:
        raise _no(422, "a picture is not the one described")
    picture = account.keep_picture(told["sha256"], content, alt=told["alt"])
    if picture is None:
        raise _no(422, "a picture is none")
    return picture


def _no(status: int, words: str) -> Refused:
    return Refused(JSONResponse({"error": words}, status))
