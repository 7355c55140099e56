"""A stand-in for Pinterest's API: Pins with their picture in the request, boards, trial access. Not Pinterest."""

from __future__ import annotations

import base64
import binascii
import dataclasses
from datetime import datetime
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.oauth import SEVERAL, Desk, Shape
from rehearsal.world import Account, Platform, Received, Refused, World, bearer, body_of

TITLE, DESCRIPTION, ALT, LINK = 100, 800, 500, 2048
BOARDS = {"7001": ("News", "PUBLIC"), "7002": ("Pictures", "PUBLIC"), "7003": ("Drafts", "SECRET")}
TRIAL = "trial"  # a token that begins so belongs to an app that may post to nobody


class Pinterest(Platform):
    """Speaks for any account, with one public board, or two if its name has ``several`` in it."""

    name: ClassVar = "pinterest"
    public: ClassVar = "/pin/{number}/"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        shape = Shape(
            authorize="/oauth/",
            endpoint="/v5/oauth/token",
            access=2_592_000,
            refresh=31_536_000,
            comma=True,
            basic=True,
            answer=lambda *_: {"refresh_token_expires_in": 31_536_000, "response_type": "authorization_code"},
            refuse=lambda status, error, words: _answer(status, 1, f"{error}: {words}", error=error),
            dead=lambda: _answer(401, 2, "Authentication failed."),
        )
        self.desk = Desk(self, shape)

    def routes(self) -> list[Route]:
        return [
            *self.desk.routes(),
            Route("/user_account", self.me),
            Route("/boards", self.boards),
            Route("/boards/{board}", self.board),
            Route("/boards/{board}/pins", self.pins),
            Route("/pins", self.create, methods=["POST"]),
            Route("/pins/{number}", self.read),
            Route("/pins/{number}", self.edit, methods=["PATCH"]),
            Route("/pins/{number}", self.delete, methods=["DELETE"]),
        ]

    def trouble(self, status: int) -> Response:
        if status == 429:
            return _answer(429, 8, "You have exceeded your rate limit. Try again later.", {"Retry-After": "1"})
        return _answer(status, 0, "Something went wrong on our end. Sorry about that.")

    async def me(self, request: Request) -> Response:
        self._authorize(request)
        return JSONResponse({"username": self.account(request).name, "account_type": "BUSINESS"})

    async def boards(self, request: Request) -> Response:
        self._authorize(request)
        several = SEVERAL in self.account(request).name
        wanted = request.query_params.get("privacy")
        shown = [b for b in BOARDS if (several or b != "7002") and wanted in {None, BOARDS[b][1]}]
        return JSONResponse({"items": [_board(b) for b in shown], "bookmark": None})

    async def board(self, request: Request) -> Response:
        self._authorize(request)
        if request.path_params["board"] not in BOARDS:
            raise Refused(_answer(404, 40, "Board not found."))
        return JSONResponse(_board(request.path_params["board"]))

    async def pins(self, request: Request) -> Response:
        self._authorize(request)
        board, asked = request.path_params["board"], request.query_params
        found = [p for p in self.account(request).living if p.own["board_id"] == board]
        start, size = int(asked.get("bookmark") or 0), min(int(asked.get("page_size", "25")), 250)
        more = str(start + size) if start + size < len(found) else None
        return JSONResponse({"items": [self._pin(p) for p in found[start : start + size]], "bookmark": more})

    async def create(self, request: Request) -> Response:
        async def take() -> Response:
            self._authorize(request)
            account, sent, now = self.account(request), await body_of(request), self.world.now()
            if str(sent.get("board_id")) not in BOARDS:
                raise Refused(_answer(404, 40, "Board not found."))
            media = sent.get("media_source") or {}
            try:
                content = base64.b64decode(str(media.get("data", "")), validate=True)
            except (binascii.Error, ValueError):
                content = b""
            number = account.snowflake(now)
            said = self._said(sent)
            picture = account.keep_picture(number, content, alt=str(sent.get("alt_text") or ""))
            if media.get("source_type") != "image_base64" or picture is None:
                raise Refused(_answer(400, 235, "The image is broken, or of a kind that is not supported."))
            post = Received(
                platform=self.name,
                account=account.name,
                id=number,
                at=now.isoformat(),
                permalink=self.permalink(request, number),
                pictures=[picture],
                **said,
            )
            return JSONResponse(self._pin(account.keep(post)), 201)

        return await self.commit(take)

    async def edit(self, request: Request) -> Response:
        async def take() -> Response:
            self._authorize(request)
            account, post = self._found(request)
            sent = {**post.own, **await body_of(request)}
            pictures = [account.describe(p, str(sent.get("alt_text") or "")) for p in post.pictures]
            changed = dataclasses.replace(post, pictures=pictures, **self._said(sent))
            return JSONResponse(self._pin(account.keep(changed)))

        return await self.commit(take)

    async def delete(self, request: Request) -> Response:
        async def take() -> Response:
            self._authorize(request)
            account, post = self._found(request)
            account.remove(post)
            return Response(status_code=204)

        return await self.commit(take)

    async def read(self, request: Request) -> Response:
        self._authorize(request)
        _, post = self._found(request)
        told = self._pin(post)
        if request.query_params.get("pin_metrics") == "true":
            told["pin_metrics"] = {
                "lifetime_metrics": {"impression": 0, "clickthrough": 0, "reaction": 0, "comment": 0}
            }
        return JSONResponse(told)

    def _found(self, request: Request) -> tuple[Account, Received]:
        account = self.account(request)
        post = account.alive(request.path_params["number"])
        if post is None:
            raise Refused(_answer(404, 50, "Pin not found."))
        return account, post

    def _said(self, sent: dict[str, Any]) -> dict[str, Any]:
        """What a Pin says, if it may: the title above the words, of which only tags are live."""
        limits = {"title": TITLE, "description": DESCRIPTION, "alt_text": ALT, "link": LINK}
        for name, most in limits.items():
            if len(str(sent.get(name) or "")) > most:
                raise Refused(_answer(400, 1, f"Invalid request: {name!r} is too long - maximum length is {most}"))
        title, words, link = (str(sent.get(name) or "") for name in ("title", "description", "link"))
        text = "\n\n".join(part for part in (title, words) if part)
        facets = [f for f in reading.facets(text) if f["type"] == "tag"]
        card = {"url": link, "title": title, "description": ""} if link else None
        own = {name: sent.get(name) for name in ("board_id", "title", "description", "link", "alt_text")}
        return {"text": text, "facets": facets, "card": card, "own": own}

    def _pin(self, post: Received) -> dict[str, Any]:
        at = datetime.fromisoformat(post.at).replace(tzinfo=None).isoformat(timespec="seconds")
        return {"id": post.id, "created_at": at, **post.own}

    def _authorize(self, request: Request) -> None:
        token = bearer(request)
        if not token or token.startswith("expired"):
            raise Refused(_answer(401, 2, "Authentication failed."))
        if token.startswith(TRIAL) and request.method == "POST":
            words = "Apps with Trial access may not create Pins in production. Use API Sandbox instead."
            raise Refused(_answer(403, 29, words))


def _board(number: str) -> dict[str, Any]:
    name, privacy = BOARDS[number]
    return {"id": number, "name": name, "privacy": privacy}


def _answer(status: int, code: int, words: str, headers: dict[str, str] | None = None, **more: str) -> Response:
    return JSONResponse({"code": code, "message": words, **more}, status, headers)
