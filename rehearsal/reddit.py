"""A stand-in for Reddit's API: forms in, refusals inside a 200, Markdown as it is shown, one link once. Not Reddit."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.oauth import Desk, Shape
from rehearsal.world import Platform, Received, Refused, World, bearer, body_of

TITLE, TEXT, COMMENT = 300, 40_000, 10_000
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
PIECE = re.compile(
    r"\\(?P<escaped>[!-/:-@\[-`{-~])|\[(?P<said>(?:\\.|[^\]\\])*)\]\((?P<address>[^()\s]*)\)|(?P<entity>&#61;)"
)
LIVE = re.compile(r"(?P<link>https?://[^\s\0]+|www\.[^\s\0]+)|(?P<mention>(?<![\w\0])/?[ur]/\w+)")
FLAIRS = [{"id": "flair-1", "text": "News"}, {"id": "flair-2", "text": "Question"}]
STRICT = "strict"  # a subreddit whose name holds this wants a flair


class Reddit(Platform):
    """Speaks for any account in any subreddit; any token is good unless it begins with ``expired``."""

    name: ClassVar = "reddit"
    public: ClassVar = "/comments/{number}"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        # https://github.com/reddit-archive/reddit/wiki/OAuth2
        shape = Shape(
            authorize="/api/v1/authorize",
            endpoint="/api/v1/access_token",
            revoke="/api/v1/revoke_token",
            access=86_400,
            refresh=1,
            basic=True,
            refuse=lambda status, error, _: (
                _problem(401, "Unauthorized") if error == "invalid_client" else JSONResponse({"error": error}, status)
            ),
            dead=lambda: _problem(401, "Unauthorized"),
        )
        self.desk = Desk(self, shape)

    def routes(self) -> list[Route]:
        return [
            *self.desk.routes(),
            Route("/api/v1/me", self.me),
            Route("/api/v1/{sub}/post_requirements", self.rules),
            Route("/r/{sub}/about", self.about),
            Route("/r/{sub}/api/link_flair_v2", self.flairs),
            Route("/user/{user}/{listing}", self.listing),
            Route("/api/info", self.info),
            Route("/api/{method}", self.write, methods=["POST"]),
        ]

    def trouble(self, status: int) -> Response:
        if status == 429:
            words = "Looks like you've been doing that a lot. Take a break for 1 second before trying again."
            return JSONResponse({"json": {"ratelimit": 1.0, "errors": [["RATELIMIT", words, "ratelimit"]]}})
        return _problem(status, "Internal Server Error")

    async def me(self, request: Request) -> Response:
        _authorize(request)
        account = self.account(request)
        return JSONResponse({"id": _b36(account.number), "name": account.name})

    async def about(self, request: Request) -> Response:
        _authorize(request)
        sub = request.path_params["sub"]
        told = {"display_name": sub, "url": f"/r/{sub}/", "submission_type": "any", "user_is_banned": False}
        return JSONResponse({"kind": "t5", "data": told})

    async def rules(self, request: Request) -> Response:
        _authorize(request)
        wants = STRICT in request.path_params["sub"]
        return JSONResponse({"is_flair_required": wants, "title_text_max_length": None})

    async def flairs(self, request: Request) -> Response:
        _authorize(request)
        return JSONResponse(FLAIRS)

    async def listing(self, request: Request) -> Response:
        _authorize(request)
        account, asked = self.account(request), request.query_params
        if request.path_params["user"] != account.name:
            raise Refused(_problem(404, "Not Found"))
        comments = request.path_params["listing"] == "comments"
        posts = [p for p in account.living if (p.reply_to is not None) == comments]
        names = [p.id for p in posts]
        start = names.index(asked["after"]) + 1 if asked.get("after") in names else 0
        size = min(int(asked.get("limit", "25")), 100)
        page = posts[start : start + size]
        return _things(page, names[start + size - 1] if start + size < len(posts) else None)

    async def info(self, request: Request) -> Response:
        _authorize(request)
        found = self.account(request).alive(request.query_params.get("id", ""))
        return _things([found] if found else [], None)

    async def write(self, request: Request) -> Response:
        """One of the four forms."""
        method = request.path_params["method"]
        acts = {"submit": self._submit, "comment": self._comment, "editusertext": self._edit, "del": self._delete}

        async def take() -> Response:
            _authorize(request)
            if method not in acts:
                raise Refused(_problem(404, "Not Found"))
            return acts[method](request, await body_of(request))

        return await self.commit(take)

    def _submit(self, request: Request, form: dict[str, Any]) -> Response:
        account, title = self.account(request), " ".join(str(form.get("title", "")).split())
        kind, url, markdown = form.get("kind"), str(form.get("url", "")), str(form.get("text", "")).strip()
        if not form.get("sr"):
            raise _no("SUBREDDIT_REQUIRED", "you must specify a subreddit", "sr")
        if kind not in {"link", "self"} or (kind == "link" and not url.startswith(("http://", "https://"))):
            raise _no("NO_URL", "a url is required", "url")
        if not title:
            raise _no("NO_TEXT", "we need something here", "title")
        if len(title) > TITLE:
            raise _no("TOO_LONG", f"this is too long (max: {TITLE})", "title")
        if len(markdown) > TEXT:
            raise _no("TOO_LONG", f"this is too long (max: {TEXT})", "text")
        if STRICT in form["sr"] and not form.get("flair_id"):
            raise _no("SUBMIT_VALIDATION_FLAIR_REQUIRED", "Your post must contain post flair.", "flair")
        same = [p for p in account.living if kind == "link" and p.own.get("url") == url and p.own["sub"] == form["sr"]]
        if same and form.get("resubmit") != "true":
            raise _no("ALREADY_SUB", "that link has already been submitted", "url")
        post = self._keep(request, f"t3_{_b36(int(account.snowflake(self.world.now())))}", form)
        data = {"url": post.permalink, "drafts_count": 0, "id": post.id.removeprefix("t3_"), "name": post.id}
        return _ok(data)

    def _comment(self, request: Request, form: dict[str, Any]) -> Response:
        account, markdown = self.account(request), str(form.get("text", "")).strip()
        if not markdown:
            raise _no("NO_TEXT", "we need something here", "text")
        if len(markdown) > COMMENT:
            raise _no("TOO_LONG", f"this is too long (max: {COMMENT})", "text")
        parent = account.alive(str(form.get("thing_id")))
        if parent is None:
            raise _no("DELETED_LINK", "the link you are commenting on has been deleted", "parent")
        number = f"t1_{_b36(int(account.snowflake(self.world.now())))}"
        return _ok({"things": [_thing(self._keep(request, number, form, parent.id))]})

    def _edit(self, request: Request, form: dict[str, Any]) -> Response:
        account = self.account(request)
        post = account.alive(str(form.get("thing_id")))
        if post is None:
            raise _no("NOT_AUTHOR", "you can't do that", "thing_id")
        markdown = str(form.get("text", "")).strip()
        text, facets = shown(post.own["title"], markdown)
        own = {**post.own, "markdown": markdown}
        return _ok({"things": [_thing(account.keep(dataclasses.replace(post, text=text, facets=facets, own=own)))]})

    def _delete(self, request: Request, form: dict[str, Any]) -> Response:
        account = self.account(request)
        if post := account.alive(str(form.get("id"))):
            account.remove(post)
        return JSONResponse({})

    def _keep(self, request: Request, number: str, form: dict[str, Any], parent: str | None = None) -> Received:
        account, now = self.account(request), self.world.now()
        title, markdown = " ".join(str(form.get("title", "")).split()), str(form.get("text", "")).strip()
        text, facets = shown(title, markdown)
        url = str(form.get("url", "")) if form.get("kind") == "link" else ""
        own = {"title": title, "markdown": markdown, "url": url, "sub": form.get("sr", "")}
        own |= {k: form.get(k, "") for k in ("flair_id", "nsfw", "spoiler")}
        return account.keep(
            Received(
                platform=self.name,
                account=account.name,
                id=number,
                at=now.isoformat(),
                text=text,
                permalink=self.permalink(request, number),
                facets=facets,
                card={"url": url, "title": "", "description": ""} if url else None,
                pictures=[],
                reply_to=parent,
                own=own,
            )
        )


def shown(title: str, markdown: str) -> tuple[str, list[dict[str, Any]]]:
    """A post as its readers see it, the title above its text, and what is live in it."""
    body, facets = read_markdown(markdown)
    if not title or not body:
        return title or body, facets
    before = len(title) + 2
    return f"{title}\n\n{body}", [{**f, "start": f["start"] + before, "end": f["end"] + before} for f in facets]


def read_markdown(markdown: str) -> tuple[str, list[dict[str, Any]]]:
    """The text that Reddit shows of Markdown, and the links and names that are live in it."""
    said, mask, facets, done = "", "", [], 0
    for piece in [*PIECE.finditer(markdown), None]:
        bare = markdown[done : piece.start() if piece else len(markdown)].replace("  \n", "\n")
        said, mask = said + bare, mask + bare
        if piece is None:
            break
        done = piece.end()
        if piece["address"] is not None:
            words, _ = read_markdown(piece["said"])
            facets.append(reading.facet("link", len(said), len(said) + len(words), piece["address"]))
        else:
            words = piece["escaped"] or "="
        said, mask = said + words, mask + "\0" * len(words)
    facets += [reading.facet(str(m.lastgroup), m.start(), m.end(), m[0]) for m in LIVE.finditer(mask)]
    return said, sorted(facets, key=lambda f: int(f["start"]))


def _thing(post: Received) -> dict[str, Any]:
    own, at = post.own, datetime.fromisoformat(post.at).timestamp()
    data: dict[str, Any] = {"name": post.id, "id": post.id[3:], "created_utc": at, "score": 1, "author": post.account}
    data |= {"subreddit": own["sub"], "permalink": f"/posts/{post.id}"}
    if post.reply_to is not None:
        data |= {"parent_id": post.reply_to, "link_id": post.reply_to, "body": own["markdown"]}
        return {"kind": "t1", "data": data}
    data |= {"title": own["title"], "selftext": own["markdown"], "is_self": not own["url"], "num_comments": 0}
    data |= {"url": own["url"] or post.permalink, "num_crossposts": 0, "view_count": None}
    return {"kind": "t3", "data": data}


def _things(posts: Iterable[Received], after: str | None) -> Response:
    return JSONResponse({"kind": "Listing", "data": {"after": after, "children": [_thing(p) for p in posts]}})


def _b36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = DIGITS[digit] + digits
    return digits or "0"


def _authorize(request: Request) -> None:
    if "(by /u/" not in request.headers.get("user-agent", ""):
        raise Refused(_problem(429, "Too Many Requests"))
    token = bearer(request)
    if not token or token.startswith("expired"):
        raise Refused(_problem(401, "Unauthorized"))


def _ok(data: dict[str, Any]) -> Response:
    return JSONResponse({"json": {"errors": [], "data": data}})


def _no(code: str, words: str, field: str) -> Refused:
    return Refused(JSONResponse({"json": {"errors": [[code, words, field]]}}))


def _problem(status: int, words: str) -> Response:
    return JSONResponse({"message": words, "error": status}, status)
