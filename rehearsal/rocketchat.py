"""A stand-in for a Rocket.Chat server: messages under the sender's own ids, each id once, threads. Not Rocket.Chat."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.world import Account, Platform, Received, Refused, body_of

SIZE = 5000
ROOM = "room17"


class RocketChat(Platform):
    """Speaks /api/v1 for any account; its bot is in every room but those whose name begins with ``closed``."""

    name: ClassVar = "rocketchat"
    public: ClassVar = "/channel/{room}/{number}"

    def routes(self) -> list[Route]:
        api = "/api/v1"
        return [
            Route(f"{api}/me", self.me),
            Route(f"{api}/rooms.info", self.room),
            Route(f"{api}/subscriptions.getOne", self.subscription),
            Route(f"{api}/settings.public", self.settings),
            Route(f"{api}/chat.getMessage", self.read),
            Route(f"{api}/chat.{{act}}", self.write, methods=["POST"]),
            Route("/channel/{room}", self.linked),
        ]

    def trouble(self, status: int) -> Response:
        words = "Error, too many requests. Please slow down. You must wait 1 seconds before trying this endpoint again."
        if status == 429:
            return JSONResponse({"success": False, "error": f"{words} [error-too-many-requests]"}, 429)
        return JSONResponse({"success": False, "error": "Internal server error"}, status)

    async def me(self, request: Request) -> Response:
        _authorize(request)
        return _ok(_id=request.headers["x-user-id"], username=self.account(request).name)

    async def room(self, request: Request) -> Response:
        _authorize(request)
        name = request.query_params["roomName"]
        if name.startswith("no"):
            raise _no("The required room was not found [error-room-not-found]", "error-room-not-found")
        return _ok(room={"_id": f"{name}-id" if name.startswith("closed") else ROOM, "name": name, "t": "c"})

    async def subscription(self, request: Request) -> Response:
        _authorize(request)
        return _ok(subscription={"rid": ROOM} if request.query_params["roomId"] == ROOM else None)

    async def settings(self, request: Request) -> Response:
        return _ok(settings=[{"_id": request.query_params["_id"], "value": SIZE}])

    async def read(self, request: Request) -> Response:
        _authorize(request)
        account = self.account(request)
        post = account.alive(request.query_params["msgId"])
        if post is None:
            return JSONResponse({"success": False}, 400)
        return _ok(message=_told(account, post))

    async def write(self, request: Request) -> Response:
        async def take() -> Response:
            _authorize(request)
            acts = {"sendMessage": self._send, "update": self._update, "delete": self._delete}
            return acts[request.path_params["act"]](request, await body_of(request))

        return await self.commit(take)

    def _send(self, request: Request, body: dict[str, Any]) -> Response:
        account, now, message = self.account(request), self.world.now(), body.get("message") or {}
        said, number, thread = str(message.get("msg", "")), str(message.get("_id", "")), message.get("tmid")
        if message.get("rid") != ROOM:
            raise _no("Not allowed [error-not-allowed]", "error-not-allowed")
        if len(said) > SIZE:
            raise _no("Message size exceeds Message_MaxAllowedSize [error-message-size-exceeded]", "")
        if number in account.posts:
            raise _no("Cannot read properties of undefined (reading 'starred')", "")
        text, facets = reading.read_markdown(said)
        parent = account.alive(str(thread)) if thread else None
        post = Received(
            platform=self.name,
            account=account.name,
            id=number,
            at=now.isoformat(),
            text=text,
            permalink=self.permalink(request, number),
            facets=facets,
            card=reading.card(facets),
            pictures=[],
            reply_to=(parent.reply_to or parent.id) if parent else None,
            own={"msg": said},
        )
        return _ok(message=_told(account, account.keep(post)))

    def _update(self, request: Request, body: dict[str, Any]) -> Response:
        account, post, said = self.account(request), self._found(request, body), str(body.get("text", ""))
        text, facets = reading.read_markdown(said)
        return _ok(
            message=_told(account, account.keep(dataclasses.replace(post, text=text, facets=facets, own={"msg": said})))
        )

    def _delete(self, request: Request, body: dict[str, Any]) -> Response:
        post = self._found(request, body)
        self.account(request).remove(post)
        return _ok(_id=post.id)

    def _found(self, request: Request, body: dict[str, Any]) -> Received:
        post = self.account(request).alive(str(body.get("msgId")))
        if post is None or body.get("roomId") != ROOM:
            raise _no(f'No message found with the id of "{body.get("msgId")}".', "")
        return post

    async def linked(self, request: Request) -> Response:
        """A permalink, for a reader's browser."""
        return RedirectResponse(self.permalink(request, request.query_params.get("msg", "")))


def _told(account: Account, post: Received) -> dict[str, Any]:
    answers = sum(p.reply_to == post.id for p in account.living)
    return {
        "_id": post.id,
        "rid": ROOM,
        "msg": post.own["msg"],
        "ts": post.at,
        **({"tcount": answers} if answers else {}),
    }


def _authorize(request: Request) -> None:
    token = request.headers.get("x-auth-token", "")
    if not token or not request.headers.get("x-user-id") or token.startswith("expired"):
        raise Refused(JSONResponse({"status": "error", "message": "You must be logged in to do this."}, 401))


def _ok(**told: Any) -> JSONResponse:
    return JSONResponse({**told, "success": True})


def _no(words: str, kind: str) -> Refused:
    return Refused(JSONResponse({"success": False, "error": words, **({"errorType": kind} if kind else {})}, 400))
