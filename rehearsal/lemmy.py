"""A stand-in for Lemmy's API: a session for a password, posts with a title, Markdown as it is shown. Not Lemmy."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.world import Account, Picture, Platform, Received, Refused, bearer, body_of

TITLE, TEXT, COMMENT, ALT = 200, 50_000, 10_000, 1500
PIECE = re.compile(
    r"\\(?P<escaped>[!-/:-@\[-`{-~])|<(?P<auto>https?://[^\s<>]*)>"
    r"|\[(?P<said>(?:\\.|[^\]\\])*)\]\((?P<address>[^()\s]*)\)|(?P<break>  \n)"
)
LIVE = re.compile(r"(?P<link>https?://[^\s\0]+|www\.[^\s\0]+)|(?P<mention>(?<![\w\0])[@!]\w+@[\w.-]+\w)")
LANGUAGES = [
    {"id": 0, "code": "und", "name": "Undetermined"},
    {"id": 32, "code": "de", "name": "Deutsch"},
    {"id": 37, "code": "en", "name": "English"},
]
CLOSED = "closed"  # a community whose name holds this lets its moderators post alone
MISSING = "missing"  # and there is none with this in its name
WORDS = {"wrong", "expired"}


class Lemmy(Platform):
    """Speaks for any member in any community; any password is good but ``wrong``, any token but ``expired``."""

    name: ClassVar = "lemmy"
    public: ClassVar = "/post/{number}"

    def routes(self) -> list[Route]:
        return [
            Route("/api/v3/user/login", self.login, methods=["POST"]),
            Route("/api/v3/site", self.site),
            Route("/api/v3/community", self.community),
            Route("/pictrs/image", self.upload, methods=["POST"]),
            Route("/pictrs/image/{file}", self.image),
            Route("/api/v3/{kind}/list", self.listing),
            Route("/api/v3/{kind}/delete", self.delete, methods=["POST"]),
            Route("/api/v3/{kind}", self.read),
            Route("/api/v3/{kind}", self.create, methods=["POST"]),
            Route("/api/v3/{kind}", self.edit, methods=["PUT"]),
            Route("/comment/{number}", self.shown),
        ]

    def trouble(self, status: int) -> Response:
        if status == 429:
            return JSONResponse({"error": "rate_limit_error"}, 429, {"Retry-After": "1"})
        return JSONResponse({"error": "unknown", "message": "Internal Server Error"}, status)

    async def login(self, request: Request) -> Response:
        sent = await body_of(request)
        if not sent.get("username_or_email") or sent.get("password") in WORDS:
            raise _no("incorrect_login", 401)
        return JSONResponse({"jwt": "session-of-the-member", "registration_created": False, "verify_email_sent": False})

    async def site(self, request: Request) -> Response:
        account = self.account(request)
        told: dict[str, Any] = {"version": "0.19.20", "all_languages": LANGUAGES, "my_user": None}
        if bearer(request) and not bearer(request).startswith("expired"):
            person = {"id": account.number, "name": account.name, "bot_account": "bot" in account.name}
            view = {"person": person, "local_user": {"show_bot_accounts": False, "show_nsfw": False}}
            told["my_user"] = {"local_user_view": view, "moderates": [], "discussion_languages": [0, 32, 37]}
        return JSONResponse(told)

    async def community(self, request: Request) -> Response:
        self._authorize(request)
        name, _, host = request.query_params.get("name", "").partition("@")
        if not name or MISSING in name:
            raise _no("couldnt_find_community")
        home = f"https://{host}/c/{name}" if host else f"{self.home(request)}/c/{name}"
        told = {"id": 7, "name": name, "actor_id": home, "posting_restricted_to_mods": CLOSED in name}
        return JSONResponse({"community_view": {"community": told}, "discussion_languages": [0, 37]})

    async def upload(self, request: Request) -> Response:
        self._authorize(request)
        account, (file, *_) = self.account(request), (await body_of(request)).get("images") or [None]
        picture = account.keep_picture(account.counted(), file) if isinstance(file, bytes) else None
        if picture is None:
            raise _no("pictrs_response_error")
        return JSONResponse({"msg": "ok", "files": [{"file": _file(picture), "delete_token": "t"}]}, 201)

    async def image(self, request: Request) -> Response:
        picture = self._picture(self.account(request), str(request.url))
        if picture is None:
            raise _no("not_found", 404)
        return Response((self.account(request).folder / picture.path).read_bytes(), media_type=picture.mime)

    async def create(self, request: Request) -> Response:
        async def take() -> Response:
            self._authorize(request)
            act = self._post if request.path_params["kind"] == "post" else self._comment
            return act(request, await body_of(request))

        return await self.commit(take)

    def _post(self, request: Request, sent: dict[str, Any]) -> Response:
        if sent.get("community_id") != 7:
            raise _no("couldnt_find_community")
        return self._kept(request, self.account(request).counted(), self._said(request, sent))

    def _comment(self, request: Request, sent: dict[str, Any]) -> Response:
        account, content = self.account(request), str(sent.get("content", ""))
        post = account.alive(str(sent.get("post_id")))
        parent = account.alive(str(sent["parent_id"])) if sent.get("parent_id") else post
        if post is None or parent is None:
            raise _no("couldnt_find_post")
        path = f"{parent.own['path']}" if parent is not post else "0"
        number = account.counted()
        said = self._content(content)
        said["own"] |= {"path": f"{path}.{number}", "post": post.id}
        return self._kept(request, number, said, parent.id)

    def _content(self, content: str) -> dict[str, Any]:
        if not content.strip() or len(content) > COMMENT:
            raise _no("invalid_body_field")
        text, facets = read_markdown(content)
        return {"text": text, "facets": facets, "own": {"content": content}}

    def _said(self, request: Request, sent: dict[str, Any]) -> dict[str, Any]:
        """What a post says, if it may."""
        account, title, body = self.account(request), str(sent.get("name", "")).strip(), str(sent.get("body") or "")
        url, alt = str(sent.get("url") or ""), str(sent.get("alt_text") or "")
        if not 3 <= len(title) <= TITLE or "\n" in title:
            raise _no("invalid_post_title")
        if len(body) > TEXT:
            raise _no("invalid_body_field")
        if len(alt) > ALT:
            raise _no("alt_text_length_overflow")
        if sent.get("language_id") not in {None, 0, 37}:
            raise _no("language_not_allowed")
        text, facets = shown(title, body)
        picture = self._picture(account, str(sent.get("custom_thumbnail") or url))
        pictures = [account.describe(picture, alt)] if picture else []
        own = {"name": title, "body": body, "url": url, "nsfw": bool(sent.get("nsfw"))}
        own |= {"alt": alt, "thumbnail": sent.get("custom_thumbnail"), "language": sent.get("language_id", 0)}
        card = {"url": url, "title": "", "description": ""} if url and not (picture and picture.path in url) else None
        return {"text": text, "facets": facets, "pictures": pictures, "card": card, "own": own}

    def _kept(self, request: Request, number: str, said: dict[str, Any], parent: str | None = None) -> Response:
        account, at = self.account(request), self.world.now().isoformat()
        link = self.permalink(request, number)
        post = Received(
            platform=self.name, account=account.name, id=number, at=at, permalink=link, reply_to=parent, **said
        )
        return JSONResponse(self._view(request, account.keep(post)))

    async def edit(self, request: Request) -> Response:
        async def take() -> Response:
            self._authorize(request)
            kind, sent, account = request.path_params["kind"], await body_of(request), self.account(request)
            post = account.alive(str(sent.get(f"{kind}_id")))
            if post is None:
                raise _no(f"couldnt_find_{kind}")
            said = self._said(request, sent) if kind == "post" else self._content(str(sent.get("content", "")))
            said["own"] = {**post.own, **said["own"]}
            return JSONResponse(self._view(request, account.keep(dataclasses.replace(post, **said))))

        return await self.commit(take)

    async def delete(self, request: Request) -> Response:
        async def take() -> Response:
            self._authorize(request)
            kind, account = request.path_params["kind"], self.account(request)
            post = account.alive(str((await body_of(request)).get(f"{kind}_id")))
            if post is None:
                raise _no(f"couldnt_update_{kind}")
            account.remove(post)
            return JSONResponse(self._view(request, post))

        return await self.commit(take)

    async def listing(self, request: Request) -> Response:
        self._authorize(request)
        asked, kind, account = request.query_params, request.path_params["kind"], self.account(request)
        comments = kind == "comment"
        posts: Sequence[Received] = [p for p in account.living if (p.reply_to is not None) == comments]
        if comments:
            posts = [p for p in posts if p.own["post"] == asked.get("post_id")]
        elif asked.get("show_nsfw") != "true":
            posts = [p for p in posts if not p.own["nsfw"]]
        size = min(int(asked.get("limit", "10")), 50)
        start = (int(asked.get("page", "1")) - 1) * size
        views = [self._view(request, p)[f"{kind}_view"] for p in posts[start : start + size]]
        return JSONResponse({f"{kind}s": views, "next_page": None})

    async def read(self, request: Request) -> Response:
        self._authorize(request)
        post = self.account(request).alive(request.query_params.get("id", ""))
        if post is None:
            raise _no(f"couldnt_find_{request.path_params['kind']}", 404)
        return JSONResponse(self._view(request, post))

    async def shown(self, request: Request) -> Response:
        """Where a comment is read: below its post."""
        return Response(status_code=302, headers={"Location": self.permalink(request, request.path_params["number"])})

    def _view(self, request: Request, post: Received) -> dict[str, Any]:
        account, own = self.account(request), post.own
        told: dict[str, Any] = {
            "id": int(post.id),
            "creator_id": account.number,
            "published": post.at,
            "deleted": False,
        }
        below = sum(p.reply_to == post.id for p in account.living)
        if post.reply_to is not None:
            told |= {"content": own["content"], "post_id": int(own["post"]), "path": own["path"]}
            return {"comment_view": {"comment": told, "counts": {"upvotes": 1, "child_count": below}}}
        under = sum(p.own.get("post") == post.id for p in account.living)
        told |= {"name": own["name"], "body": own["body"] or None, "url": own["url"] or None, "nsfw": own["nsfw"]}
        told |= {
            "alt_text": own["alt"],
            "thumbnail_url": own["thumbnail"],
            "featured_community": False,
            "language_id": own["language"],
        }
        return {"post_view": {"post": told, "counts": {"upvotes": 1, "comments": under}}}

    def _picture(self, account: Account, address: str) -> Picture | None:
        name = urlsplit(address).path.rpartition("/")[2]
        return next((p for p in account.pictures.values() if name and _file(p) == name), None)

    def _authorize(self, request: Request) -> None:
        token = bearer(request)
        if not token or token.startswith("expired"):
            raise _no("incorrect_login", 401)


def shown(title: str, body: str) -> tuple[str, list[dict[str, Any]]]:
    """A post as its readers see it, the title above its text, and what is live in it."""
    text, facets = read_markdown(body)
    if not text:
        return title, []
    before = len(title) + 2
    return f"{title}\n\n{text}", [{**f, "start": f["start"] + before, "end": f["end"] + before} for f in facets]


def read_markdown(markdown: str) -> tuple[str, list[dict[str, Any]]]:
    """The text that Lemmy shows of Markdown, and the links and names that are live in it."""
    said, mask, facets, done = "", "", [], 0
    for piece in [*PIECE.finditer(markdown), None]:
        bare = markdown[done : piece.start() if piece else len(markdown)]
        said, mask = said + bare, mask + bare
        if piece is None:
            break
        done = piece.end()
        words = "\n" if piece["break"] else piece["escaped"] or piece["auto"] or read_markdown(piece["said"])[0]
        if address := piece["auto"] or piece["address"]:
            facets.append(reading.facet("link", len(said), len(said) + len(words), address))
        said, mask = said + words, mask + ("\n" if piece["break"] else "\0" * len(words))
    facets += [reading.facet(str(m.lastgroup), m.start(), m.end(), m[0]) for m in LIVE.finditer(mask)]
    return said, sorted(facets, key=lambda f: int(f["start"]))


def _file(picture: Picture) -> str:
    return picture.path.rpartition("/")[2]


def _no(code: str, status: int = 400) -> Refused:
    return Refused(JSONResponse({"error": code}, status))
