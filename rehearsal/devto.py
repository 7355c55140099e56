"""A stand-in for Forem's API: articles as drafts and published, each canonical address once. Not Dev.to."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.world import Account, Platform, Received, Refused, body_of

TITLE = 128
TAGS = 4


class DevTo(Platform):
    """Speaks /api for any account; any key is good unless it begins with ``expired``."""

    name: ClassVar = "devto"
    public: ClassVar = "/articles/{number}"

    def routes(self) -> list[Route]:
        return [
            Route("/api/users/me", self.me),
            Route("/api/articles", self.write, methods=["POST"]),
            Route("/api/articles/me/{which}", self.listed),
            Route("/api/articles/{number}", self.one, methods=["GET", "PUT"]),
            Route("/{author}/article-{article:int}", self.linked),
        ]

    def trouble(self, status: int) -> Response:
        words = "Rate limit reached, try again in 30 seconds" if status == 429 else "Internal Server Error"
        return JSONResponse({"error": words, "status": status}, status, {"Retry-After": "30"} if status == 429 else {})

    async def me(self, request: Request) -> Response:
        _authorize(request)
        account = self.account(request)
        return JSONResponse({"id": account.number, "username": account.name, "name": account.name})

    async def write(self, request: Request) -> Response:
        _authorize(request)
        account, article = self.account(request), (await body_of(request))["article"]
        number = str(max((int(n) for n in _kept(account)), default=0) + 1)
        kept = _save(account, {"id": int(number), "published": False, **_valid(account, number, article)})
        return JSONResponse(self._told(request, kept), 201)

    async def listed(self, request: Request) -> Response:
        _authorize(request)
        account, asked = self.account(request), request.query_params
        wanted = request.path_params["which"] == "published"
        articles = [a for a in _kept(account).values() if a["published"] == wanted]
        articles.sort(key=lambda a: (a.get("published_at") or "", a["id"]), reverse=True)
        size = int(asked.get("per_page", "30"))
        start = (int(asked.get("page", "1")) - 1) * size
        return JSONResponse([self._told(request, a) for a in articles[start : start + size]])

    async def one(self, request: Request) -> Response:
        account, number = self.account(request), request.path_params["number"]

        async def take() -> Response:
            _authorize(request)
            if number not in _kept(account):
                raise _no(404, "not found")
            article = (await body_of(request))["article"]
            kept = {**_kept(account)[number], **_valid(account, number, article)}
            if kept["published"]:
                kept.setdefault("published_at", self.world.now().isoformat())
            kept = _save(account, kept)
            self._show(request, account, kept)
            return JSONResponse(self._told(request, kept))

        if request.method == "PUT":
            return await self.commit(take)
        _authorize(request)
        found = _kept(account).get(number)
        if not found or not found["published"]:
            raise _no(404, "not found")
        return JSONResponse(self._told(request, found))

    def _show(self, request: Request, account: Account, kept: dict[str, Any]) -> None:
        number = str(kept["id"])
        shown = account.alive(number)
        if not kept["published"]:
            if shown:
                account.remove(shown)
            return
        body, facets = reading.read_markdown(re.sub(r"<(https?://[^<>\s]+)>", r"\1", kept["body_markdown"]))
        title = kept["title"]
        ahead = len(title) + 2 if body else 0
        seen: dict[str, Any] = {
            "text": f"{title}\n\n{body}".strip(),
            "facets": [{**f, "start": f["start"] + ahead, "end": f["end"] + ahead} for f in facets],
            "own": {"tags": kept.get("tags", []), "canonical": kept.get("canonical_url")},
        }
        if shown:
            account.keep(dataclasses.replace(shown, **seen))
            return
        post = Received(
            platform=self.name,
            account=account.name,
            id=number,
            at=self.world.now().isoformat(),
            permalink=self.permalink(request, number),
            pictures=[],
            **seen,
        )
        account.keep(post)

    async def linked(self, request: Request) -> Response:
        """An article's own page, for a reader's browser."""
        return RedirectResponse(self.permalink(request, str(request.path_params["article"])))

    def _told(self, request: Request, kept: dict[str, Any]) -> dict[str, Any]:
        account = self.account(request)
        url = f"{self.home(request)}/{account.name}/article-{kept['id']}"
        return {**kept, "url": url, "public_reactions_count": 0, "comments_count": 0}


def _valid(account: Account, number: str, article: dict[str, Any]) -> dict[str, Any]:
    known = {"title", "body_markdown", "published", "canonical_url", "tags", "organization_id"}
    said = {k: v for k, v in article.items() if k in known}
    if len(said.get("title", "t")) > TITLE or not said.get("title", "t"):
        raise _no(422, "Title is too long (maximum is 128 characters)")
    if len(said.get("tags", [])) > TAGS or any(not t.isalnum() for t in said.get("tags", [])):
        raise _no(422, "Tag list exceed the maximum of 4 tags")
    if any(mark in said.get("body_markdown", "") for mark in ("{%", "{{")):
        raise _no(422, "Liquid syntax error: Unknown tag")
    address = said.get("canonical_url")
    others = [a for n, a in _kept(account).items() if n != number]
    if address and any(a.get("canonical_url") == address for a in others):
        raise _no(422, "Canonical url has already been taken")
    return said


def _kept(account: Account) -> dict[str, Any]:
    path = account.folder / "articles.json"
    found: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
    return found


def _save(account: Account, article: dict[str, Any]) -> dict[str, Any]:
    account.folder.mkdir(parents=True, exist_ok=True)
    (account.folder / "articles.json").write_text(json.dumps({**_kept(account), str(article["id"]): article}))
    return article


def _authorize(request: Request) -> None:
    key = request.headers.get("api-key", "")
    if not key or key.startswith("expired"):
        raise _no(401, "unauthorized")


def _no(status: int, words: str) -> Refused:
    return Refused(JSONResponse({"error": words, "status": status}, status))
