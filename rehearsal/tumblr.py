"""A stand-in for Tumblr's API: drafts of blocks that their number makes public, pictures in a form. Not Tumblr."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.oauth import SEVERAL, Desk, Shape
from rehearsal.world import Account, Picture, Platform, Received, Refused, World, bearer, body_of

BLOCK, ALT = 4096, 4096
FULL = "full"  # a blog whose name has this in it has posted enough for today
DRAFTS = "drafts.json"


class Tumblr(Platform):
    """Speaks for any account, whose blog has its name, with a second one if that has ``several`` in it."""

    name: ClassVar = "tumblr"
    public: ClassVar = "/{blog}/{number}"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        shape = Shape(
            authorize="/oauth2/authorize",
            endpoint="/v2/oauth2/token",
            access=2520,
            refresh=1,
            dead=lambda: _answer(401, "Unauthorized"),
        )
        self.desk = Desk(self, shape)

    def routes(self) -> list[Route]:
        return [
            *self.desk.routes(),
            Route("/user/info", self.me),
            Route("/blog/{blog}/notes", self.notes),
            Route("/blog/{blog}/posts", self.draft, methods=["POST"]),
            Route("/blog/{blog}/posts/draft", self.drafts),
            Route("/blog/{blog}/posts/{number}", self.read),
            Route("/blog/{blog}/posts/{number}", self.edit, methods=["PUT"]),
            Route("/blog/{blog}/post/delete", self.delete, methods=["POST"]),
        ]

    def trouble(self, status: int) -> Response:
        if status == 429:
            headers = {"X-Ratelimit-Perhour-Remaining": "0", "X-Ratelimit-Perhour-Reset": "1"}
            return _answer(429, "Limit Exceeded", headers=headers)
        return _answer(status, "Internal Server Error")

    async def me(self, request: Request) -> Response:
        self._authorize(request)
        name = self.account(request).name
        names = [name, f"{name}-two"] if SEVERAL in name else [name]
        blogs = [
            {"name": n, "title": "Untitled", "url": f"https://{n}.tumblr.com/", "primary": n == name} for n in names
        ]
        return _answer(200, "OK", {"user": {"name": name, "blogs": blogs}})

    async def draft(self, request: Request) -> Response:
        self._authorize(request)
        account, sent = self.account(request), await body_of(request)
        files = {k: v for k, v in sent.items() if isinstance(v, bytes)}
        told = json.loads(sent["json"]) if "json" in sent else sent
        number = account.snowflake(self.world.now())
        for block in told.get("content", ()):
            if block["type"] == "image":
                block["media"] = [self._uploaded(request, account, files, block["media"][0], block)]
        if told.get("state") != "draft":
            raise Refused(_answer(400, "Bad Request", errors=[{"title": "only drafts here", "code": 8001}]))
        self._check(told)
        drafts = _drafts(account)
        drafts[number] = told
        _keep(account, drafts)
        return _answer(201, "Created", {"id": number})

    async def drafts(self, request: Request) -> Response:
        self._authorize(request)
        kept = reversed(_drafts(self.account(request)).items())
        return _answer(200, "OK", {"posts": [{"id": int(n), "id_string": n, "slug": d.get("slug")} for n, d in kept]})

    def _uploaded(
        self, request: Request, account: Account, files: dict[str, bytes], media: dict[str, Any], block: dict[str, Any]
    ) -> dict[str, Any]:
        number = account.snowflake(self.world.now())
        content = files.get(str(media.get("identifier")), b"")
        picture = account.keep_picture(number, content, alt=str(block.get("alt_text") or ""))
        if picture is None:
            raise Refused(_answer(400, "Bad Request", errors=[{"title": "no picture", "code": 8005}]))
        url = f"{self.home(request)}/{picture.path}"
        return {"type": picture.mime, "url": url, "width": picture.width, "height": picture.height, "media_key": number}

    async def read(self, request: Request) -> Response:
        self._authorize(request)
        account, number = self.account(request), request.path_params["number"]
        post = account.alive(number)
        told = post.own if post else _drafts(account).get(number)
        if told is None:
            raise Refused(_answer(404, "Not Found"))
        return _answer(200, "OK", {"id": number, "object_type": "post", **told})

    async def edit(self, request: Request) -> Response:
        async def take() -> Response:
            self._authorize(request)
            account, number, told = self.account(request), request.path_params["number"], await body_of(request)
            drafts, post = _drafts(account), account.alive(request.path_params["number"])
            if post is None and number not in drafts:
                raise Refused(_answer(404, "Not Found"))
            if FULL in request.path_params["blog"]:
                raise Refused(_answer(403, "Forbidden", errors=[{"title": "daily post limit", "code": 8023}]))
            self._check(told)
            said = self._said(account, told)
            if post is not None:
                account.keep(dataclasses.replace(post, **said))
            else:
                at, link = self.world.now().isoformat(), self.permalink(request, number)
                kept = {"platform": self.name, "account": account.name, "id": number, "at": at, "permalink": link}
                account.keep(Received(**kept, **said))
                _keep(account, {k: v for k, v in drafts.items() if k != number})
            return _answer(200, "OK", {"id": number})

        return await self.commit(take)

    def _check(self, told: dict[str, Any]) -> None:
        blocks = told.get("content")
        if not isinstance(blocks, list) or not blocks:
            raise Refused(_answer(400, "Bad Request", errors=[{"title": "'content' must be an array", "code": 8001}]))
        for block in blocks:
            if len(block.get("text", "")) > BLOCK or len(block.get("alt_text", "")) > ALT:
                raise Refused(_answer(400, "Bad Request", errors=[{"title": "a block is too long", "code": 8001}]))

    def _said(self, account: Account, told: dict[str, Any]) -> dict[str, Any]:
        """A post as its readers see it: its words, what is live in them, its tags below."""
        parts, facets, pictures, card, at = [], [], [], None, 0
        for block in told["content"]:
            if block["type"] == "text":
                marks = block.get("formatting", ())
                facets += [reading.facet("link", at + m["start"], at + m["end"], m["url"]) for m in marks]
                parts.append(block["text"])
                at += len(block["text"]) + 2
            elif block["type"] == "image":
                pictures.append(self._picture(account, block))
            elif block["type"] == "link":
                card = {
                    "url": block["url"],
                    "title": block.get("title", ""),
                    "description": block.get("description", ""),
                }
        if tags := [t for t in str(told.get("tags") or "").split(",") if t]:
            parts.append(" ".join(f"#{t}" for t in tags))
            for tag in tags:
                facets.append(reading.facet("tag", at, at + len(tag) + 1, tag))
                at += len(tag) + 2
        own = {
            "content": told["content"],
            "state": told.get("state"),
            "tags": told.get("tags"),
            "source_url": told.get("source_url"),
        }
        return {"text": "\n\n".join(parts), "facets": facets, "pictures": pictures, "card": card, "own": own}

    def _picture(self, account: Account, block: dict[str, Any]) -> Picture:
        name = str(block["media"][0].get("url", "")).rpartition("/")[2]
        found = next((p for p in account.pictures.values() if p.path.endswith(name)), None)
        if not name or found is None:
            raise Refused(_answer(400, "Bad Request", errors=[{"title": "no such picture", "code": 8001}]))
        return account.describe(found, str(block.get("alt_text") or ""))

    async def delete(self, request: Request) -> Response:
        async def take() -> Response:
            self._authorize(request)
            account = self.account(request)
            post = account.alive(str((await body_of(request)).get("id")))
            if post is None:
                raise Refused(_answer(404, "Not Found"))
            account.remove(post)
            return _answer(200, "OK", {"id": post.id})

        return await self.commit(take)

    async def notes(self, request: Request) -> Response:
        self._authorize(request)
        if self.account(request).alive(request.query_params.get("id", "")) is None:
            raise Refused(_answer(404, "Not Found"))
        return _answer(200, "OK", {"notes": [], "total_notes": 0, "total_likes": 0, "total_reblogs": 0})

    def _authorize(self, request: Request) -> None:
        token = bearer(request)
        if not token or token.startswith("expired"):
            raise Refused(_answer(401, "Unauthorized"))


def _drafts(account: Account) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((account.folder / DRAFTS).read_text())
    except OSError:
        return {}
    return found


def _keep(account: Account, drafts: dict[str, Any]) -> None:
    account.folder.mkdir(parents=True, exist_ok=True)
    part = account.folder / f".{DRAFTS}.part"
    part.write_text(json.dumps(drafts))
    part.replace(account.folder / DRAFTS)


def _answer(
    status: int, words: str, told: Any = None, *, errors: Any = None, headers: dict[str, str] | None = None
) -> Response:
    body = {"meta": {"status": status, "msg": words}, "response": told if told is not None else []}
    return JSONResponse({**body, "errors": errors} if errors else body, status, headers)
