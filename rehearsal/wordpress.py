"""A stand-in for a WordPress site's REST API: drafts by slug, tags, featured pictures, comments once. Not WordPress."""

from __future__ import annotations

import base64
import dataclasses
import html
import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any, ClassVar

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.world import Account, Platform, Received, Refused, body_of

API = "/wp-json/wp/v2"
SHORTCODE = re.compile(r"\[[a-z_-]+[^\]]*\]")
FIRST_TAG = 1000
STATUSES = {"draft", "publish", "pending", "private", "future"}


class WordPress(Platform):
    """Speaks /wp-json for any account, which is one site and its one editor."""

    name: ClassVar = "wordpress"
    public: ClassVar = "/archives/{number}"

    def routes(self) -> list[Route]:
        return [
            Route("/wp-json/", self.site),
            Route(f"{API}/users/me", self.me),
            Route(f"{API}/media", self.media, methods=["POST"]),
            Route(f"{API}/media/{{number}}", self.picture),
            Route(f"{API}/tags", self.tag, methods=["POST"]),
            Route(f"{API}/posts", self.draft, methods=["POST"]),
            Route(f"{API}/posts", self.posts),
            Route(f"{API}/posts/{{number}}", self.post),
            Route(f"{API}/posts/{{number}}", self.update, methods=["POST"]),
            Route(f"{API}/posts/{{number}}", self.delete, methods=["DELETE"]),
            Route(f"{API}/comments", self.comment, methods=["POST"]),
            Route(f"{API}/comments", self.comments),
            Route(f"{API}/comments/{{number}}", self.one),
            Route(f"{API}/comments/{{number}}", self.correct, methods=["POST"]),
            Route(f"{API}/comments/{{number}}", self.delete, methods=["DELETE"]),
        ]

    def trouble(self, status: int) -> Response:
        if status == 429:
            body = {"code": "too_many_requests", "message": "Too many requests", "data": {"status": 429}}
            return JSONResponse(body, 429, {"Retry-After": "1"})
        return _error(status, "internal_server_error", "There has been a critical error on this website.").answer

    async def site(self, request: Request) -> Response:
        account = self.account(request)
        return JSONResponse({"name": account.name, "url": self.home(request), "namespaces": ["wp/v2"]})

    async def me(self, request: Request) -> Response:
        user = _user(request)
        may = dict.fromkeys(("edit_posts", "publish_posts", "upload_files"), True)
        return JSONResponse({"id": 1, "name": user, "capabilities": may})

    async def media(self, request: Request) -> Response:
        _user(request)
        account = self.account(request)
        async with request.form() as form:
            file, alt = form.get("file"), str(form.get("alt_text", ""))
            content = await file.read() if isinstance(file, UploadFile) else b""
        if len(content) > 2_097_152:
            raise _error(400, "rest_upload_unknown_error", "The uploaded file exceeds the upload_max_filesize")
        number = _next(account)
        if account.keep_picture(number, content, alt=alt) is None:
            raise _error(500, "rest_upload_unknown_error", "Sorry, you are not allowed to upload this file type.")
        return JSONResponse({"id": int(number), "alt_text": alt}, 201)

    async def picture(self, request: Request) -> Response:
        _user(request)
        picture = self.account(request).pictures.get(request.path_params["number"])
        if picture is None:
            raise _error(404, "rest_post_invalid_id", "Invalid post ID.")
        return JSONResponse({"id": int(picture.id), "alt_text": picture.alt})

    async def tag(self, request: Request) -> Response:
        _user(request)
        name = str((await body_of(request)).get("name", ""))
        account = self.account(request)
        tags = _kept(account, "tags")
        for number, known in tags.items():
            if known.casefold() == name.casefold():
                raise _error(400, "term_exists", "A term with the name provided already exists.", term_id=int(number))
        number = str(FIRST_TAG + len(tags))
        _keep(account, "tags", {**tags, number: name})
        return JSONResponse({"id": int(number), "name": name}, 201)

    async def draft(self, request: Request) -> Response:
        _user(request)
        account, fields = self.account(request), await body_of(request)
        if fields.get("status", "draft") != "draft":
            raise _error(400, "rest_invalid_param", "This stand-in makes drafts only")
        if not any(fields.get(f) for f in ("title", "content", "excerpt")):
            raise _error(400, "empty_content", "Content, title, and excerpt are empty.")
        picture = fields.get("featured_media")
        if picture is not None and str(picture) not in account.pictures:
            raise _error(400, "rest_invalid_featured_media", "Invalid featured media ID.")
        number = _next(account)
        _keep(account, "drafts", {**_kept(account, "drafts"), number: {**fields, "status": "draft"}})
        return JSONResponse(self._told(request, number), 201)

    async def posts(self, request: Request) -> Response:
        _user(request)
        asked = request.query_params
        drafts = _kept(self.account(request), "drafts")
        found = [n for n, d in drafts.items() if d["slug"] == asked.get("slug") and d["status"] == asked.get("status")]
        return JSONResponse([self._told(request, n) for n in found])

    async def post(self, request: Request) -> Response:
        _user(request)
        return JSONResponse(self._told(request, request.path_params["number"]))

    async def update(self, request: Request) -> Response:
        async def take() -> Response:
            _user(request)
            account, number, fields = self.account(request), request.path_params["number"], await body_of(request)
            drafts = _kept(account, "drafts")
            self._told(request, number)
            if fields.get("status", "draft") not in STATUSES:
                raise _error(400, "rest_invalid_param", "Invalid parameter(s): status")
            said = {**drafts[number], **fields}
            taken = {d["slug"] for n, d in drafts.items() if n != number and d["status"] == "publish"}
            if said["status"] == "publish":
                said["slug"] = _unique(str(said["slug"]), taken)
            _keep(account, "drafts", {**drafts, number: said})
            if said["status"] == "publish":
                self._publish(request, number, said)
            return JSONResponse(self._told(request, number))

        return await self.commit(take)

    def _publish(self, request: Request, number: str, said: Mapping[str, Any]) -> None:
        """What a theme shows: title, text, and the tags below it."""
        account = self.account(request)
        text, facets = read_html(str(said["content"]))
        title = html.unescape(str(said["title"]))
        if title:
            text = f"{title}\n\n{text}" if text else title
            shift = len(title) + 2
            facets = [{**f, "start": f["start"] + shift, "end": f["end"] + shift} for f in facets]
        names = _kept(account, "tags")
        for place, tag in enumerate(said.get("tags") or ()):
            text += "\n\n" if place == 0 else " "
            name = names[str(tag)]
            facets.append(reading.facet("tag", len(text), len(text) + len(name) + 1, name))
            text += f"#{name}"
        picture = said.get("featured_media")
        known = account.posts.get(number)
        account.keep(
            Received(
                platform=self.name,
                account=account.name,
                id=number,
                at=known.at if known else self.world.now().isoformat(),
                text=text,
                permalink=self.permalink(request, number),
                facets=facets,
                pictures=[account.pictures[str(picture)]] if picture else [],
                own={"kind": "post"},
            )
        )

    def _told(self, request: Request, number: str) -> dict[str, Any]:
        draft = _kept(self.account(request), "drafts").get(number)
        if draft is None:
            raise _error(404, "rest_post_invalid_id", "Invalid post ID.")
        link = f"{self.home(request)}/archives/{number}"
        return {
            "id": int(number),
            "status": draft["status"],
            "slug": draft["slug"],
            "link": link,
            "title": {"raw": draft.get("title", "")},
            "content": {"raw": draft.get("content", "")},
            "featured_media": draft.get("featured_media", 0),
        }

    async def comment(self, request: Request) -> Response:
        async def take() -> Response:
            _user(request)
            account, fields = self.account(request), await body_of(request)
            on, parent = str(fields.get("post")), str(fields.get("parent") or fields.get("post"))
            if account.alive(on) is None or account.alive(parent) is None:
                raise _error(403, "rest_comment_invalid_post_id", "Sorry, you are not allowed to create this comment.")
            text, facets = read_comment(str(fields.get("content", "")))
            if not text:
                raise _error(400, "rest_comment_content_invalid", "Invalid comment content.")
            if any(p.reply_to == parent for p in account.saying(text)):
                raise _error(409, "comment_duplicate", "Duplicate comment detected; it looks as though you said that!")
            number = _next(account)
            post = Received(
                platform=self.name,
                account=account.name,
                id=number,
                at=self.world.now().isoformat(),
                text=text,
                permalink=self.permalink(request, number),
                facets=facets,
                reply_to=parent,
                own={"kind": "comment", "on": on, "content": fields["content"]},
            )
            return JSONResponse(_comment(account.keep(post)), 201)

        return await self.commit(take)

    async def comments(self, request: Request) -> Response:
        _user(request)
        asked = request.query_params
        account = self.account(request)
        below = [p for p in account.living if p.own["kind"] == "comment"]
        if "post" in asked:
            below = [p for p in below if p.own["on"] == asked["post"]]
        if "parent" in asked:
            wanted = {asked["parent"]} - {"0"} or {asked.get("post", "")}
            below = [p for p in below if p.reply_to in wanted]
        page = below[: int(asked.get("per_page", "10"))]
        return JSONResponse([_comment(p) for p in page], headers={"X-WP-Total": str(len(below))})

    async def one(self, request: Request) -> Response:
        _user(request)
        post = self.account(request).alive(request.path_params["number"])
        if post is None or post.own["kind"] != "comment":
            raise _error(404, "rest_comment_invalid_id", "Invalid comment ID.")
        return JSONResponse(_comment(post))

    async def correct(self, request: Request) -> Response:
        async def take() -> Response:
            _user(request)
            account, fields = self.account(request), await body_of(request)
            post = account.alive(request.path_params["number"])
            if post is None:
                raise _error(404, "rest_comment_invalid_id", "Invalid comment ID.")
            text, facets = read_comment(str(fields["content"]))
            own = {**post.own, "content": fields["content"]}
            return JSONResponse(_comment(account.keep(dataclasses.replace(post, text=text, facets=facets, own=own))))

        return await self.commit(take)

    async def delete(self, request: Request) -> Response:
        async def take() -> Response:
            _user(request)
            account, number = self.account(request), request.path_params["number"]
            post = account.alive(number)
            if post is None and number in account.posts:
                raise _error(410, "rest_already_trashed", "The post has already been deleted.")
            if post is None:
                raise _error(404, "rest_post_invalid_id", "Invalid post ID.")
            account.remove(post)
            drafts = _kept(account, "drafts")
            if number in drafts:
                _keep(account, "drafts", {**drafts, number: {**drafts[number], "status": "trash"}})
            return JSONResponse({"id": int(number), "status": "trash"})

        return await self.commit(take)


class _Page(HTMLParser):
    """The text of a post or comment and what in it is a link."""

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


def read_html(content: str) -> tuple[str, list[dict[str, Any]]]:
    """What a reader sees: shortcodes are run (and show nothing), blocks are paragraphs."""
    page = _Page()
    page.feed(SHORTCODE.sub("", re.sub(r"\s*<!-- /?wp:\w+ -->\s*", "", content)))
    page.close()
    return page.text, page.facets


def read_comment(content: str) -> tuple[str, list[dict[str, Any]]]:
    """As ``read_html``, and a bare address is a link."""
    text, facets = read_html(content)
    bare = [reading.facet("link", s, e, text[s:e]) for s, e in reading.links(text)]
    return text, facets or bare


def _comment(post: Received) -> dict[str, Any]:
    return {
        "id": int(post.id),
        "post": int(post.own["on"]),
        "parent": 0 if post.reply_to == post.own["on"] else int(str(post.reply_to)),
        "author": 1,
        "status": "approved",
        "link": post.permalink,
        "content": {"raw": post.own["content"], "rendered": f"<p>{post.own['content']}</p>\n"},
    }


def _unique(slug: str, taken: set[str]) -> str:
    """As WordPress keeps addresses apart."""
    number, one = 2, slug
    while one in taken:
        one, number = f"{slug}-{number}", number + 1
    return one


def _next(account: Account) -> str:
    """Posts, pictures and comments count together here, drafts included."""
    numbers = [*account.posts, *account.pictures, *_kept(account, "drafts")]
    return str(max((int(n) for n in numbers), default=0) + 1)


def _kept(account: Account, what: str) -> dict[str, Any]:
    path = account.folder / f"{what}.json"
    found: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
    return found


def _keep(account: Account, what: str, record: Mapping[str, Any]) -> None:
    account.folder.mkdir(parents=True, exist_ok=True)
    (account.folder / f"{what}.json").write_text(json.dumps(record))


def _user(request: Request) -> str:
    """Who asks, by the application password."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    user, _, password = base64.b64decode(token).decode().partition(":") if kind == "Basic" else ("", "", "")
    if not user or not password or password.startswith("expired"):
        raise _error(401, "rest_not_logged_in", "You are not currently logged in.")
    return user


def _error(status: int, code: str, words: str, **more: Any) -> Refused:
    return Refused(JSONResponse({"code": code, "message": words, "data": {"status": status, **more}}, status))
