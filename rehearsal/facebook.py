"""A stand-in for Facebook's Pages API: unpublished photos, feed, comments, and 506 for what was just posted. Not it."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.graph import GraphPlatform, dead, missing, no_token, paged, problem, stamp
from rehearsal.oauth import SEVERAL, Desk, Shape
from rehearsal.world import Account, Picture, Received, World, bearer, body_of

VERSION = "v26.0"
PHOTO_BYTES = 10_000_000
TEXT = 63_206


class Facebook(GraphPlatform):
    """Speaks /v26.0/… for a person who runs one Page; the same text twice in a row is refused."""

    name: ClassVar = "facebook"
    public: ClassVar = "/{number}"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        shape = Shape(
            authorize=f"/{VERSION}/dialog/oauth",
            endpoint=f"/{VERSION}/oauth/access_token",
            access=5_183_944,
            says_scope=False,
            comma=True,
            denied={
                "error": "access_denied",
                "error_reason": "user_denied",
                "error_description": "Permissions error",
            },
            refuse=no_token,
            dead=dead,
        )
        self.desk = Desk(self, shape)

    def routes(self) -> list[Route]:
        return [
            *self.desk.routes(),
            Route(f"/{VERSION}/me/accounts", self.pages),
            Route(f"/{VERSION}/me/permissions", self.permissions),
            Route(f"/{VERSION}/{{page}}/photos", self.photo, methods=["POST"]),
            Route(f"/{VERSION}/{{page}}/feed", self.create, methods=["POST"]),
            Route(f"/{VERSION}/{{page}}/feed", self.feed),
            Route(f"/{VERSION}/{{number}}/comments", self.comment, methods=["POST"]),
            Route(f"/{VERSION}/{{number}}/comments", self.comments),
            Route(f"/{VERSION}/{{number}}", self.edit, methods=["POST"]),
            Route(f"/{VERSION}/{{number}}", self.delete, methods=["DELETE"]),
            Route(f"/{VERSION}/{{number}}", self.read),
        ]

    async def pages(self, request: Request) -> Response:
        account = self.authorize(request)
        page = {**self._page(request, account), "tasks": ["CREATE_CONTENT", "MODERATE", "ANALYZE"]}
        other = {**page, "id": str(account.number + 1), "name": f"{account.name}, the other one"}
        return JSONResponse({"data": [page, other] if SEVERAL in account.name else [page]})

    async def permissions(self, request: Request) -> Response:
        account = self.authorize(request)
        given = self.desk.scopes(account, bearer(request)) or []
        return JSONResponse({"data": [{"permission": s, "status": "granted"} for s in given]})

    async def photo(self, request: Request) -> Response:
        account, fields = self._own(request), await body_of(request)
        content, alt = fields.get("source"), str(fields.get("alt_text_custom", ""))
        if str(fields.get("published", "true")) != "false":
            raise problem(400, 100, "(#100) This stand-in takes only photos that wait for their post")
        if not isinstance(content, bytes) or len(content) > PHOTO_BYTES:
            raise problem(400, 324, "(#324) Missing or invalid image file")
        picture = account.keep_picture(account.snowflake(self.world.now()), content, alt=alt)
        if picture is None:
            raise problem(400, 324, "(#324) Missing or invalid image file")
        return JSONResponse({"id": picture.id})

    async def create(self, request: Request) -> Response:
        async def take() -> Response:
            return self._create(request, await body_of(request))

        return await self.commit(take)

    def _create(self, request: Request, fields: dict[str, Any]) -> Response:
        account, message = self._own(request), _message(fields)
        try:
            numbers = [str(m["media_fbid"]) for m in json.loads(fields.get("attached_media", "[]"))]
        except (ValueError, KeyError, TypeError):
            raise problem(400, 100, "(#100) Param attached_media must be an array of objects") from None
        pictures = _pictures(account, numbers)
        link = str(fields.get("link", ""))
        if not message and not pictures and not link:
            raise problem(400, 100, "(#100) The post is empty", 1349125)
        last = next((p for p in account.living if p.reply_to is None), None)
        if last is not None and message and last.text == message:
            raise problem(400, 506, "Duplicate status message", 1455006)
        number = f"{account.number}_{account.snowflake(self.world.now())}"
        self._keep(request, account, number, message, pictures=pictures, link=link)
        return JSONResponse({"id": number})

    async def comment(self, request: Request) -> Response:
        async def take() -> Response:
            account, fields = self.authorize(request), await body_of(request)
            message, on = _message(fields), self._alive(account, request.path_params["number"], "post")
            pictures = _pictures(account, [str(fields["attachment_id"])] if "attachment_id" in fields else [])
            number = f"{on.id.rpartition('_')[2]}_{account.snowflake(self.world.now())}"
            self._keep(request, account, number, message, pictures=pictures, reply_to=on.id)
            return JSONResponse({"id": number})

        return await self.commit(take)

    def _keep(
        self,
        request: Request,
        account: Account,
        number: str,
        text: str,
        *,
        pictures: list[Picture],
        reply_to: str | None = None,
        link: str = "",
    ) -> None:
        facets = _live(text)
        card = {"url": link, "title": "", "description": ""} if link else reading.card(facets)
        account.keep(
            Received(
                platform=self.name,
                account=account.name,
                id=number,
                at=self.world.now().isoformat(),
                text=text,
                permalink=self.permalink(request, number),
                facets=facets,
                card=None if pictures or reply_to else card,
                pictures=pictures,
                reply_to=reply_to,
            )
        )

    async def feed(self, request: Request) -> Response:
        account = self._own(request)
        return paged(request, [_row(account, p) for p in account.living if p.reply_to is None and _after(request, p)])

    async def comments(self, request: Request) -> Response:
        account = self.authorize(request)
        on = self._alive(account, request.path_params["number"], "get")
        return paged(request, [_row(account, p) for p in account.living if p.reply_to == on.id and _after(request, p)])

    async def read(self, request: Request) -> Response:
        account, number = self.authorize(request), request.path_params["number"]
        if number in {"me", str(account.number)}:
            return JSONResponse(self._page(request, account))
        post = self._alive(account, number, "get")
        comments = sum(p.reply_to == post.id for p in account.living)
        summary = {"reactions": {"summary": {"total_count": 0}}, "comments": {"summary": {"total_count": comments}}}
        shown: list[dict[str, Any]] = [{"type": "photo"} for _ in post.pictures[:1]] or (
            [{"type": "share"}] if post.card else []
        )
        if len(post.pictures) > 1:
            shown = [{"type": "album", "subattachments": {"data": [{"type": "photo"} for _ in post.pictures]}}]
        return JSONResponse({**_row(account, post), **summary, "attachments": {"data": shown}})

    async def edit(self, request: Request) -> Response:
        async def take() -> Response:
            account, fields = self.authorize(request), await body_of(request)
            post, message = self._alive(account, request.path_params["number"], "post"), _message(fields)
            account.keep(dataclasses.replace(post, text=message, facets=_live(message)))
            return JSONResponse({"success": True})

        return await self.commit(take)

    async def delete(self, request: Request) -> Response:
        async def take() -> Response:
            account = self.authorize(request)
            account.remove(self._alive(account, request.path_params["number"], "delete"))
            return JSONResponse({"success": True})

        return await self.commit(take)

    def _page(self, request: Request, account: Account) -> dict[str, Any]:
        link = self.home(request)
        return {"id": str(account.number), "name": account.name, "link": link, "access_token": "a-page-token"}

    def _own(self, request: Request) -> Account:
        account = self.authorize(request)
        if request.path_params["page"] not in {"me", str(account.number)}:
            raise missing(request.path_params["page"])
        return account

    def _alive(self, account: Account, number: str, what: str) -> Received:
        post = account.alive(number)
        if post is None:
            raise missing(number, what)
        return post


def _message(fields: dict[str, Any]) -> str:
    message = str(fields.get("message", ""))
    if len(message) > TEXT:
        raise problem(400, 100, f"(#100) The message can have up to {TEXT} characters")
    return message


def _pictures(account: Account, numbers: list[str]) -> list[Picture]:
    found = [account.pictures.get(n) for n in numbers]
    if None in found:
        raise problem(400, 100, "(#100) Photo does not exist, or was posted already", 1366046)
    return [p for p in found if p]


def _live(text: str) -> list[dict[str, Any]]:
    """What becomes live in a text: a mention needs more than its words."""
    return [f for f in reading.facets(text) if f["type"] != "mention"]


def _after(request: Request, post: Received) -> bool:
    return datetime.fromisoformat(post.at).timestamp() >= float(request.query_params.get("since", "0"))


def _row(account: Account, post: Received) -> dict[str, Any]:
    who = {"id": str(account.number), "name": account.name}
    return {"id": post.id, "message": post.text, "created_time": stamp(post.at), "from": who}
