"""A stand-in for VK's API: records and comments on a wall, photos in three steps, refusals inside a 200. Not VK."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.oauth import SEVERAL, Desk, Shape
from rehearsal.world import Account, Platform, Received, Refused, World, bearer, body_of

LENGTH = 15_000
CALL = re.compile(r"\[(\w+)\|[^\]]+\]|(?<!\w)\*(\w+)")
RIGHTS = (1 << 13) | (1 << 2) | (1 << 18)


class Vk(Platform):
    """Speaks /method/… for any account; a token that begins with ``poor`` may post nothing."""

    name: ClassVar = "vk"
    public: ClassVar = "/record/{number}"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        shape = Shape(
            authorize="/authorize",
            endpoint="/oauth2/auth",
            access=3600,
            refresh=180 * 86_400,
            pkce=True,
            public=True,
            device="device_id",
            refuse=_vk_id,
            dead=lambda: _error(5, "User authorization failed: access_token has expired.").answer,
            answer=lambda *_: {"user_id": 7, "state": "handbill"},
        )
        self.desk = Desk(self, shape)

    def routes(self) -> list[Route]:
        return [
            *self.desk.routes(),
            Route("/oauth2/logout", self.logout, methods=["POST"]),
            Route("/method/{method}", self.speak, methods=["GET", "POST"]),
            Route("/upload", self.upload, methods=["POST"]),
            Route("/{wall:str}", self.linked),
        ]

    def trouble(self, status: int) -> Response:
        if status == 429:
            return _error(6, "Too many requests per second").answer
        return JSONResponse({}, status)

    async def speak(self, request: Request) -> Response:
        method = request.path_params["method"].replace(".", "_")
        commits = {
            "wall_post",
            "wall_createComment",
            "wall_edit",
            "wall_editComment",
            "wall_delete",
            "wall_deleteComment",
        }

        async def take() -> Response:
            token = bearer(request)
            if not token or token.startswith("expired"):
                raise _error(5, "User authorization failed: invalid access_token (4).")
            fields = await body_of(request) if request.method == "POST" else dict(request.query_params)
            if not fields.get("v"):
                raise _error(8, "Invalid request: v is required")
            return JSONResponse({"response": getattr(self, f"_{method}")(request, fields)})

        return await (self.commit(take) if method in commits else take())

    async def logout(self, request: Request) -> Response:
        """A token is worth nothing any more."""
        account, sent = self.account(request), await body_of(request)
        kept = self.desk.kept(account)
        if kept["access"].pop(str(sent.get("access_token", "")), None) is None:
            return _vk_id(401, "invalid_token", "The token is not known.")
        self.desk.keep(account, kept)
        return JSONResponse({"response": 1})

    async def upload(self, request: Request) -> Response:
        account, fields = self.account(request), await body_of(request)
        number = account.counted()
        if account.keep_picture(number, fields["photo"]) is None:
            return JSONResponse({"server": 1, "photo": "[]", "hash": "h"})
        return JSONResponse({"server": 1, "photo": number, "hash": "h"})

    def _users_get(self, request: Request, fields: dict[str, Any]) -> Any:
        del fields
        return [{"id": 7, "first_name": self.account(request).name}]

    def _account_getAppPermissions(self, request: Request, fields: dict[str, Any]) -> Any:  # noqa: N802 - VK's own name
        del fields
        return 4 if bearer(request).startswith("poor") else RIGHTS

    def _groups_getById(self, request: Request, fields: dict[str, Any]) -> Any:  # noqa: N802 - VK's own name
        name, level = str(fields["group_id"]), 3
        if name.startswith("closed"):
            level = 0
        group = {"id": 22, "name": self.account(request).name, "screen_name": name, "admin_level": level}
        return {"groups": [group]}

    def _groups_get(self, request: Request, fields: dict[str, Any]) -> Any:
        if fields.get("filter") != "editor" or not fields.get("extended"):
            raise _error(100, "One of the parameters specified was missing or invalid: filter")
        names = ["The Paper", "The Radio"] if SEVERAL in self.account(request).name else []
        items = [{"id": 22 + n, "name": name, "screen_name": f"club{22 + n}"} for n, name in enumerate(names)]
        return {"count": len(items), "items": items}

    def _photos_getWallUploadServer(self, request: Request, fields: dict[str, Any]) -> Any:  # noqa: N802 - VK's own name
        del fields
        return {"upload_url": f"{self.home(request)}/upload"}

    def _photos_saveWallPhoto(self, request: Request, fields: dict[str, Any]) -> Any:  # noqa: N802 - VK's own name
        if fields["photo"] not in self.account(request).pictures:
            raise _error(100, "One of the parameters specified was missing or invalid: photo is undefined")
        return [{"id": int(fields["photo"]), "owner_id": 7}]

    def _wall_post(self, request: Request, fields: dict[str, Any]) -> Any:
        return {"post_id": int(self._take(request, fields, None).id.rpartition("_")[2])}

    def _wall_createComment(self, request: Request, fields: dict[str, Any]) -> Any:  # noqa: N802 - VK's own name
        under = f"{fields['owner_id']}_{fields['post_id']}"
        if self.account(request).alive(under) is None:
            raise _error(15, "Access denied: post was not found")
        return {"comment_id": int(self._take(request, fields, under).id.rpartition("_")[2])}

    def _take(self, request: Request, fields: dict[str, Any], under: str | None) -> Received:
        account, now = self.account(request), self.world.now()
        number = f"{fields['owner_id']}_{_next(account)}"
        post = Received(
            platform=self.name,
            account=account.name,
            id=number,
            at=now.isoformat(),
            permalink=self.permalink(request, number),
            reply_to=under,
            own={"guid": fields.get("guid"), "attachments": fields.get("attachments", "")},
            **_shown(account, fields),
        )
        return account.keep(post)

    def _wall_get(self, request: Request, fields: dict[str, Any]) -> Any:
        return self._list([p for p in self.account(request).living if not p.reply_to], fields)

    def _wall_getComments(self, request: Request, fields: dict[str, Any]) -> Any:  # noqa: N802 - VK's own name
        under = f"{fields['owner_id']}_{fields['post_id']}"
        return self._list([p for p in self.account(request).living if p.reply_to == under], fields)

    def _list(self, posts: list[Received], fields: dict[str, Any]) -> Any:
        start = int(fields.get("offset", 0))
        page = posts[start : start + int(fields["count"])]
        return {"count": len(posts), "items": [_told(p) for p in page]}

    def _wall_getById(self, request: Request, fields: dict[str, Any]) -> Any:  # noqa: N802 - VK's own name
        post = self.account(request).alive(fields["posts"])
        return {"items": [_told(post)] if post else []}

    def _wall_edit(self, request: Request, fields: dict[str, Any]) -> Any:
        return self._change(request, fields, "post_id")

    def _wall_editComment(self, request: Request, fields: dict[str, Any]) -> Any:  # noqa: N802 - VK's own name
        return self._change(request, fields, "comment_id")

    def _change(self, request: Request, fields: dict[str, Any], name: str) -> Any:
        account = self.account(request)
        post = account.alive(f"{fields['owner_id']}_{fields[name]}")
        if post is None:
            raise _error(15, "Access denied: post was not found")
        account.keep(dataclasses.replace(post, **_shown(account, fields)))
        return 1

    def _wall_delete(self, request: Request, fields: dict[str, Any]) -> Any:
        if post := self.account(request).alive(f"{fields['owner_id']}_{fields['post_id']}"):
            self.account(request).remove(post)
        return 1

    def _wall_deleteComment(self, request: Request, fields: dict[str, Any]) -> Any:  # noqa: N802 - VK's own name
        return self._wall_delete(request, {**fields, "post_id": fields["comment_id"]})

    async def linked(self, request: Request) -> Response:
        """A record's own page, for a reader's browser."""
        return RedirectResponse(self.permalink(request, request.path_params["wall"].removeprefix("wall")))


def _shown(account: Account, fields: dict[str, Any]) -> dict[str, Any]:
    text, attached = str(fields.get("message", "")), [a for a in str(fields.get("attachments", "")).split(",") if a]
    if len(text) > LENGTH:
        raise _error(100, "One of the parameters specified was missing or invalid: message is too long")
    photos = [a.rpartition("_")[2] for a in attached if a.startswith("photo")]
    if (not text and not attached) or any(n not in account.pictures for n in photos):
        raise _error(100, "One of the parameters specified was missing or invalid: no message")
    calls = [reading.facet("mention", m.start(), m.end(), m[1] or m[2]) for m in CALL.finditer(text)]
    links = [a for a in attached if a.startswith("http")]
    card = {"url": links[0], "title": "", "description": ""} if links else None
    pictures = [account.pictures[n] for n in photos]
    return {"text": text, "facets": [*reading.facets(text), *calls], "card": card, "pictures": pictures}


def _told(post: Received) -> dict[str, Any]:
    attached = [{"type": "photo"} for _ in post.pictures] + ([{"type": "link"}] if post.card else [])
    count = {"count": 0}
    told = {"likes": count, "reposts": count, "comments": count, "views": count}
    date = int(datetime.fromisoformat(post.at).timestamp())
    return {"id": int(post.id.rpartition("_")[2]), "date": date, "text": post.text, "attachments": attached, **told}


def _next(account: Account) -> int:
    numbers = [int(n.rpartition("_")[2]) for n in [*account.posts, *account.pictures]]
    return max(numbers, default=0) + 1


def _vk_id(status: int, error: str, words: str) -> Response:
    """How VK ID refuses: with a name, and whatever the status."""
    del status
    return JSONResponse({"error": error, "error_description": words})


def _error(code: int, words: str) -> Refused:
    return Refused(JSONResponse({"error": {"error_code": code, "error_msg": words, "request_params": []}}))
