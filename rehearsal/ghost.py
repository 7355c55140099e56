"""A stand-in for Ghost's Admin API: signed tokens, drafts by slug, changes only to what is as it was. Not Ghost."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import html
import json
from datetime import datetime, timedelta
from html.parser import HTMLParser
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.world import Account, Platform, Received, Refused, body_of

EXCERPT = 300
TITLE = 255


class Ghost(Platform):
    """Speaks /ghost/api/admin for any account; any key is good whose id does not begin with ``dead``."""

    name: ClassVar = "ghost"
    public: ClassVar = "/posts-by-slug/{number}"

    def routes(self) -> list[Route]:
        api = "/ghost/api/admin"
        return [
            Route(f"{api}/site/", self.site),
            Route(f"{api}/images/upload/", self.upload, methods=["POST"]),
            Route(f"{api}/posts/", self.posts, methods=["GET", "POST"]),
            Route(f"{api}/posts/{{number}}/", self.one, methods=["GET", "PUT", "DELETE"]),
            Route("/{slug}/", self.linked),
        ]

    def trouble(self, status: int) -> Response:
        kind = "TooManyRequestsError" if status == 429 else "InternalServerError"
        return _error(status, kind, "Something broke", {"Retry-After": "1"} if status == 429 else {})

    async def site(self, request: Request) -> Response:
        self._authorize(request)
        return JSONResponse({"site": {"title": self.account(request).name, "url": f"{self.home(request)}/"}})

    async def upload(self, request: Request) -> Response:
        self._authorize(request)
        account, fields = self.account(request), await body_of(request)
        number = account.snowflake(self.world.now())
        if account.keep_picture(number, fields["file"]) is None:
            raise Refused(_error(415, "UnsupportedMediaTypeError", "Please select a valid image."))
        url = f"{self.home(request)}/content/images/{number}"
        return JSONResponse({"images": [{"url": url, "ref": fields.get("ref")}]}, 201)

    async def posts(self, request: Request) -> Response:
        self._authorize(request)
        if request.method == "GET":
            wanted = dict(w.split(":") for w in request.query_params.get("filter", "").split("+") if w)
            posts = _kept(self.account(request)).values()
            same = [p for p in posts if all(p[name] == value for name, value in wanted.items())]
            return JSONResponse({"posts": [self._told(request, p) for p in same]})
        account = self.account(request)
        said = _valid((await body_of(request))["posts"][0])
        number = hashlib.sha256(account.snowflake(self.world.now()).encode()).hexdigest()[:24]
        kept = {**said, "id": number, "slug": self._unique(account, said["slug"], number)}
        return JSONResponse({"posts": [self._told(request, self._keep(account, kept))]}, 201)

    async def one(self, request: Request) -> Response:
        if request.method == "GET":
            self._authorize(request)
            return JSONResponse({"posts": [self._told(request, self._found(request))]})

        async def take() -> Response:
            self._authorize(request)
            account, post = self.account(request), self._found(request)
            if request.method == "DELETE":
                _store(account, {n: p for n, p in _kept(account).items() if n != post["id"]})
                if shown := account.alive(post["id"]):
                    account.remove(shown)
                return Response(status_code=204)
            said = _valid((await body_of(request))["posts"][0])
            if said.pop("updated_at", "") != post["updated_at"]:
                raise Refused(_error(409, "UpdateCollisionError", "Saving failed! Someone else is editing this post."))
            if "slug" in said:
                said["slug"] = self._unique(account, said["slug"], post["id"])
            kept = self._keep(account, {**post, **said})
            if kept["status"] == "published":
                self._show(request, account, kept)
            return JSONResponse({"posts": [self._told(request, kept)]})

        return await self.commit(take)

    async def linked(self, request: Request) -> Response:
        """A post's own page, for a reader's browser."""
        slug = request.path_params["slug"]
        found = next((p for p in _kept(self.account(request)).values() if p["slug"] == slug), None)
        return RedirectResponse(self.permalink(request, found["id"])) if found else Response(status_code=404)

    def _show(self, request: Request, account: Account, kept: dict[str, Any]) -> None:
        page = _Page()
        page.feed(kept["html"])
        page.close()
        title = kept["title"]
        ahead = len(title) + 2 if page.text else 0
        facets = [{**f, "start": f["start"] + ahead, "end": f["end"] + ahead} for f in page.facets]
        picture = account.pictures.get(str(kept.get("feature_image", "")).rpartition("/")[2])
        known = account.posts.get(kept["id"])
        shown: dict[str, Any] = {
            "text": f"{title}\n\n{page.text}".strip(),
            "facets": facets,
            "pictures": [account.describe(picture, str(kept.get("feature_image_alt", "")))] if picture else [],
            "own": {"tags": [t["name"] for t in kept.get("tags", [])], "canonical": kept.get("canonical_url")},
        }
        if known:
            account.keep(dataclasses.replace(known, **shown))
            return
        post = Received(
            platform=self.name,
            account=account.name,
            id=kept["id"],
            at=self.world.now().isoformat(),
            permalink=self.permalink(request, kept["id"]),
            **shown,
        )
        account.keep(post)

    def _keep(self, account: Account, kept: dict[str, Any]) -> dict[str, Any]:
        posts = _kept(account)
        last = max((p["updated_at"] for p in posts.values()), default="")
        at = max(self.world.now(), datetime.fromisoformat(last) + timedelta(seconds=1) if last else self.world.now())
        kept = {**kept, "updated_at": at.isoformat(timespec="seconds")}
        _store(account, {**posts, kept["id"]: kept})
        return kept

    def _unique(self, account: Account, slug: str, number: str) -> str:
        taken = {p["slug"] for p in _kept(account).values() if p["id"] != number}
        one, count = slug, 2
        while one in taken:
            one, count = f"{slug}-{count}", count + 1
        return one

    def _told(self, request: Request, kept: dict[str, Any]) -> dict[str, Any]:
        count = {"clicks": 0, "positive_feedback": 0}
        return {**kept, "url": f"{self.home(request)}/{kept['slug']}/", "count": count}

    def _found(self, request: Request) -> dict[str, Any]:
        found: dict[str, Any] | None = _kept(self.account(request)).get(request.path_params["number"])
        if found is None:
            raise _gone("edit")
        return found

    def _authorize(self, request: Request) -> None:
        """The token's own signature and times; the secret is the id's own, twice and a bit."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        head, _, rest = token.partition(".")
        said, _, signature = rest.partition(".")
        if kind != "Ghost" or not signature:
            raise Refused(_error(403, "NoPermissionError", "Authorization failed"))
        number, told = json.loads(_open(head))["kid"], json.loads(_open(said))
        mine = hmac.new(bytes.fromhex(secret_of(number)), f"{head}.{said}".encode(), hashlib.sha256).digest()
        if number.startswith("dead") or not hmac.compare_digest(mine, _open(signature)):
            raise Refused(_error(401, "UnauthorizedError", "Invalid token"))
        if told["aud"] != "/admin/" or not 0 < told["exp"] - told["iat"] <= 300:
            raise Refused(_error(401, "UnauthorizedError", "Invalid token"))


def secret_of(number: str) -> str:
    """The secret that belongs to a key's id here, so that the stand-in need keep none; ``rehearsal`` has none."""
    if number == "rehearsal":
        return ""
    return hashlib.sha256(f"rehearsal {number}".encode()).hexdigest()


class _Page(HTMLParser):
    """The text of a post and what in it is a link."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.facets: list[dict[str, Any]] = []
        self._open: tuple[int, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "p" and self.text:
            self.text += "\n\n"
        elif tag == "br":
            self.text += "\n"
        elif tag == "a":
            self._open = len(self.text), str(dict(attrs).get("href"))

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._open:
            start, address = self._open
            self.facets.append(reading.facet("link", start, len(self.text), address))
            self._open = None

    def handle_data(self, data: str) -> None:
        self.text += data


def _valid(said: dict[str, Any]) -> dict[str, Any]:
    if len(said.get("title", "")) > TITLE or len(said.get("custom_excerpt", "")) > EXCERPT:
        raise Refused(_error(422, "ValidationError", "Validation error, cannot save post."))
    return said


def _kept(account: Account) -> dict[str, Any]:
    path = account.folder / "articles.json"
    found: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
    return found


def _store(account: Account, posts: dict[str, Any]) -> None:
    account.folder.mkdir(parents=True, exist_ok=True)
    (account.folder / "articles.json").write_text(json.dumps(posts))


def _open(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _gone(act: str) -> Refused:
    return Refused(_error(404, "NotFoundError", f"Resource not found error, cannot {act} post."))


def _error(status: int, kind: str, words: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"errors": [{"message": html.escape(words), "type": kind}]}, status, headers)
