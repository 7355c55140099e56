"""A stand-in for Mastodon and for others with its API, each with its limits and its ways with a key. Not Mastodon."""

from __future__ import annotations

import asyncio
import dataclasses
import html
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.oauth import Desk, Shape
from rehearsal.world import Account, Picture, Platform, Received, Refused, World, bearer, body_of

TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
KEPT = timedelta(hours=1)  # https://docs.joinmastodon.org/methods/statuses/#headers
RUNNING = 0.05  # seconds between Hollo's look at a key and the status it writes under it


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """How one software differs: what it takes, and what it does with an Idempotency-Key.

    ``keys``: "kept" for an hour, "late" (one that is still being written is not seen), "ignored", "refused" (a key it
    has seen, whatever came of it), "replayed" (the old answer again, whatever it was).
    """

    version: str
    source: str
    text: int = 500
    per_link: int = 23
    pictures: int = 4
    bytes: int = 16_777_216
    alt: int = 1500
    types: tuple[str, ...] = TYPES
    keys: Literal["kept", "late", "ignored", "refused", "replayed"] = "kept"
    counts_links: bool = True
    """Whether it really counts an address as ``per_link``."""


# Read in November 2026 from each one's own source: Hollo 640cd42 (2026-08), Takahe d45f22c (2024-08), GoToSocial
# 57cb4fe (2025-10), Pixelfed 8aae92d (2024-03), Pleroma's mirror 0277b4e. An account is on the one its name names.
SERVERS = {
    "mastodon": Server(version="4.7.2", source="https://github.com/mastodon/mastodon"),
    "hollo": Server(
        version="0.9.0",
        source="https://github.com/fedify-dev/hollo",
        text=10_000,
        per_link=256,
        pictures=8,
        bytes=33_554_432,
        alt=0,
        keys="late",
        counts_links=False,
    ),
    "gotosocial": Server(
        version="0.20.2+git-57cb4fe",
        source="https://codeberg.org/superseriousbusiness/gotosocial",
        text=5000,
        per_link=25,
        pictures=6,
        bytes=41_943_040,
        keys="ignored",
        counts_links=False,
    ),
    "takahe": Server(
        version="takahe/0.11.0",
        source="https://github.com/jointakahe/takahe",
        bytes=10_485_760,
        alt=0,
        keys="ignored",
        counts_links=False,
    ),
    "pixelfed": Server(
        version="3.5.3 (compatible; Pixelfed 0.11.12)",
        source="https://github.com/pixelfed/pixelfed",
        bytes=15_360_000,
        alt=1000,
        types=("image/jpeg", "image/png"),
        keys="refused",
        counts_links=False,
    ),
    "pleroma": Server(
        version="2.7.2 (compatible; Pleroma 2.9.1)",
        source="https://git.pleroma.social/pleroma/pleroma",
        text=5000,
        per_link=0,
        pictures=1000,
        bytes=16_000_000,
        alt=5000,
        types=("application/octet-stream",),
        keys="replayed",
        counts_links=False,
    ),
    "mitra": Server(version="4.9.0", source="", text=5000, counts_links=False),  # stands for one nobody knows
    "akkoma": Server(  # has no second description of itself
        version="2.7.2 (compatible; Akkoma 3.15.2)",
        source="https://akkoma.dev/AkkomaGang/akkoma",
        text=5000,
        per_link=0,
        pictures=1000,
        bytes=16_000_000,
        alt=5000,
        types=("application/octet-stream",),
        keys="replayed",
        counts_links=False,
    ),
}


def server_of(account: Account) -> str:
    """The name of the software that a stand-in account is on."""
    return next((name for name in SERVERS if name in account.name.removeprefix("mastodon-")), "mastodon")


def length(text: str) -> int:
    """Graphemes; an address counts 23 and a mention's server nothing."""
    total, done = 0, 0
    for facet in reading.facets(text):
        if facet["type"] == "tag":
            continue
        total += reading.graphemes(text[done : facet["start"]])
        total += 23 if facet["type"] == "link" else 1 + reading.graphemes(facet["value"].partition("@")[0])
        done = facet["end"]
    return total + reading.graphemes(text[done:])


class Mastodon(Platform):
    """Speaks /api/v1 and /api/v2 for any account; any token is good unless it begins with ``expired``.

    An account whose name has another server's name in it, such as ``gotosocial``, is on that one.
    """

    name: ClassVar = "mastodon"
    public: ClassVar = "/@{username}/{number}"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        shape = Shape(
            authorize="/oauth/authorize",
            endpoint="/oauth/token",
            revoke="/oauth/revoke",
            register="/api/v1/apps",
            access=None,
            denied={
                "error": "access_denied",
                "error_description": "The resource owner or authorization server denied the request.",
            },
            dead=lambda: _error(401, "The access token was revoked").answer,
        )
        self.desk = Desk(self, shape)
        self._answers: dict[tuple[str, str], Response] = {}  # of a server that says them again

    def routes(self) -> list[Route]:
        return [
            *self.desk.routes(),
            Route("/.well-known/nodeinfo", self.nodeinfo_links),
            Route("/nodeinfo/2.0", self.nodeinfo),
            Route("/api/v2/instance", self.instance),
            Route("/api/v1/instance", self.old_instance),
            Route("/api/v1/accounts/verify_credentials", self.me),
            Route("/api/v1/accounts/{user}/statuses", self.timeline),
            Route("/api/v2/media", self.upload, methods=["POST"]),
            Route("/api/v1/media/{number}", self.media),
            Route("/api/v1/media/{number}", self.describe, methods=["PUT"]),
            Route("/api/v1/statuses", self.create, methods=["POST"]),
            Route("/api/v1/statuses/{number}", self.read),
            Route("/api/v1/statuses/{number}", self.edit, methods=["PUT"]),
            Route("/api/v1/statuses/{number}", self.delete, methods=["DELETE"]),
        ]

    def trouble(self, status: int) -> Response:
        if status == 429:
            reset = (self.world.now() + timedelta(seconds=1)).isoformat().replace("+00:00", "Z")
            headers = {"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
            return JSONResponse({"error": "Too many requests"}, 429, headers)
        return JSONResponse({"error": "Internal Server Error"}, status)

    async def nodeinfo_links(self, request: Request) -> Response:
        schema = "http://nodeinfo.diaspora.software/ns/schema/2.0"
        return JSONResponse({"links": [{"rel": schema, "href": f"{self.home(request)}/nodeinfo/2.0"}]})

    async def nodeinfo(self, request: Request) -> Response:
        name, server = self._server(request)
        return JSONResponse({"version": "2.0", "software": {"name": name, "version": server.version}})

    async def instance(self, request: Request) -> Response:
        name, server = self._server(request)
        if name == "akkoma":
            raise _missing()
        statuses = {
            "max_characters": server.text,
            "max_media_attachments": server.pictures,
            "characters_reserved_per_url": server.per_link,
        }
        attachments = {
            "supported_mime_types": server.types,
            "image_size_limit": server.bytes,
            "image_matrix_limit": 33_177_600,
        }
        if name in {"mastodon", "gotosocial"}:
            attachments["description_limit"] = server.alt
        own = {"pleroma": {"metadata": {"description_limit": server.alt}}} if name == "pleroma" else {}
        return JSONResponse(
            {
                "domain": request.url.netloc,
                "uri": request.url.netloc,
                "title": "Rehearsal",
                "version": server.version,
                "source_url": server.source,
                "languages": ["en"],
                "configuration": {"statuses": statuses, "media_attachments": attachments},
                **own,
            }
        )

    async def old_instance(self, request: Request) -> Response:
        _, server = self._server(request)
        told = {"max_toot_chars": server.text, "upload_limit": server.bytes, "description_limit": server.alt}
        return JSONResponse({"uri": request.url.netloc, "version": server.version, **told})

    def _server(self, request: Request) -> tuple[str, Server]:
        name = server_of(self.account(request))
        return name, SERVERS[name]

    async def me(self, request: Request) -> Response:
        self._authorize(request)
        return JSONResponse(self._account(request))

    async def upload(self, request: Request) -> Response:
        self._authorize(request)
        fields = await body_of(request)
        file, alt = fields.get("file"), str(fields.get("description", ""))
        if not isinstance(file, bytes):
            raise _error(422, "Validation failed: File can't be blank")
        _, server = self._server(request)
        if len(file) > server.bytes:
            raise _error(422, f"Validation failed: File must be less than {server.bytes >> 20} MB")
        if server.alt and len(alt) > server.alt:
            raise _error(422, f"Validation failed: Description is too long (maximum is {server.alt} characters)")
        account = self.account(request)
        picture = account.keep_picture(account.snowflake(self.world.now()), file, alt=alt)
        if picture is None:
            raise _error(422, "Validation failed: File content type is invalid, File is invalid")
        return JSONResponse(self._media(request, picture))

    async def media(self, request: Request) -> Response:
        self._authorize(request)
        picture = self.account(request).pictures.get(request.path_params["number"])
        if picture is None:
            raise _missing()
        return JSONResponse(self._media(request, picture))

    async def describe(self, request: Request) -> Response:
        self._authorize(request)
        account = self.account(request)
        picture = account.pictures.get(request.path_params["number"])
        if picture is None:
            raise _missing()
        alt = str((await body_of(request)).get("description", ""))
        return JSONResponse(self._media(request, account.describe(picture, alt)))

    async def create(self, request: Request) -> Response:
        async def take() -> Response:
            return await self._create(request, await body_of(request))

        return await self.commit(take)

    async def _create(self, request: Request, fields: dict[str, Any]) -> Response:
        account, server = self.account(request), self._server(request)[1]
        key = request.headers.get("idempotency-key", "")
        used = (account.name, key)
        if key and server.keys == "replayed" and used in self._answers:
            return self._answers[used]
        try:
            self._authorize(request)
            if key and server.keys == "refused":
                if used in self._answers:
                    raise _error(400, "Duplicate idempotency key.")
                self._answers[used] = Response()
            answer = await self._take(request, account, fields, key if server.keys in {"kept", "late"} else "")
        except Refused as refused:
            answer = refused.answer
        if key and server.keys == "replayed":
            self._answers[used] = answer
        return answer

    async def _take(self, request: Request, account: Account, fields: dict[str, Any], key: str) -> Response:
        now, (name, server) = self.world.now(), self._server(request)
        if (post := account.keyed(key)) and now - datetime.fromisoformat(post.at) < KEPT:
            return JSONResponse(self._status(request, post))
        if server.keys == "late":
            await asyncio.sleep(RUNNING)
            if "json" not in request.headers.get("content-type", ""):
                fields = {}  # seen on a real one: a form made an empty public status
        said = self._said(name, account, fields)
        answered = fields.get("in_reply_to_id")
        if answered is not None and account.alive(str(answered)) is None:
            if name != "takahe":
                raise _error(404, "The post you are trying to reply to does not appear to exist.")
            answered = None  # it answers nobody then, and says nothing of it
        number = account.snowflake(now)
        post = Received(
            platform=self.name,
            account=account.name,
            id=number,
            at=now.isoformat(),
            permalink=self.permalink(request, number),
            reply_to=str(answered) if answered is not None else None,
            key=key,
            **said,
        )
        return JSONResponse(self._status(request, account.keep(post)))

    def _said(self, name: str, account: Account, fields: dict[str, Any]) -> dict[str, Any]:
        """What a status says, if it may."""
        server = SERVERS[name]
        text, warning = str(fields.get("status", "")), str(fields.get("spoiler_text", ""))
        media = fields.get("media_ids") or []
        pictures = [p for m in media if (p := account.pictures.get(str(m)))]
        if name == "pixelfed" and not media and not fields.get("in_reply_to_id"):
            raise _error(403, "Empty statuses are not allowed")
        if not text.strip() and not media and server.keys != "late":
            raise _error(422, "Validation failed: Text can't be blank")
        long = length(text) + reading.graphemes(warning) if server.counts_links else len(text) + len(warning)
        if long > server.text and server.keys != "late":
            raise _error(422, f"Validation failed: Text character limit of {server.text} exceeded")
        if len(pictures) < len(media):
            unknown = ", ".join(str(m) for m in media if str(m) not in account.pictures)
            raise _error(422, f"Validation failed: Media {unknown} not found or already attached to another post")
        if len(pictures) > server.pictures:
            raise _error(422, f"Validation failed: Cannot attach more than {server.pictures} files")
        known = {"public", "unlisted", "private", "direct"} - ({"direct"} if name == "pixelfed" else set())
        if fields.get("visibility", "public") not in known:
            raise _error(422, "Validation failed: Visibility is not included in the list")
        facets = reading.facets(text)
        own = {
            "spoiler_text": warning,
            "visibility": fields.get("visibility", "public"),
            "language": fields.get("language"),
        }
        card = None if pictures else reading.card(facets)
        return {"text": text, "facets": facets, "card": card, "pictures": pictures, "own": own}

    async def read(self, request: Request) -> Response:
        self._authorize(request)
        post = self.account(request).alive(request.path_params["number"])
        if post is None:
            raise _missing()
        return JSONResponse(self._status(request, post))

    async def edit(self, request: Request) -> Response:
        async def take() -> Response:
            fields = await body_of(request)
            self._authorize(request)
            account = self.account(request)
            post = account.alive(request.path_params["number"])
            if post is None:
                raise _missing()
            said = self._said(server_of(account), account, {"visibility": post.own["visibility"], **fields})
            said["own"]["edited_at"] = self.world.now().isoformat()
            return JSONResponse(self._status(request, account.keep(dataclasses.replace(post, **said))))

        return await self.commit(take)

    async def delete(self, request: Request) -> Response:
        async def take() -> Response:
            self._authorize(request)
            account = self.account(request)
            post = account.alive(request.path_params["number"])
            if post is None:
                raise _missing()
            account.remove(post)
            return JSONResponse({**self._status(request, post), "text": post.text})

        return await self.commit(take)

    async def timeline(self, request: Request) -> Response:
        self._authorize(request)
        account, asked = self.account(request), request.query_params
        if request.path_params["user"] != str(account.number):
            raise _missing()
        posts = account.living
        if asked.get("exclude_replies") in {"true", "1"}:
            posts = [p for p in posts if p.reply_to is None]
        for bound, keep in (("max_id", -1), ("since_id", 1), ("min_id", 1)):
            if bound in asked:
                posts = [p for p in posts if (int(p.id) - int(asked[bound])) * keep > 0]
        page = posts[: min(int(asked.get("limit", "20")), 40)]
        return JSONResponse([self._status(request, p) for p in page])

    def _authorize(self, request: Request) -> None:
        token = bearer(request)
        if token and not token.startswith("expired"):
            return
        name, _ = self._server(request)
        if name == "takahe":
            raise Refused(Response("Invalid Bearer token", 400, media_type="text/html"))
        if name in {"pleroma", "akkoma"}:
            raise _error(403, "Invalid credentials.")
        raise _error(401, "The access token is invalid")

    def _account(self, request: Request) -> dict[str, Any]:
        account = self.account(request)
        return {
            "id": str(account.number),
            "username": account.name,
            "acct": account.name,
            "display_name": account.name,
            "url": f"{self.home(request)}/@{account.name}",
            "locked": False,
            "bot": False,
            "statuses_count": len(account.living),
        }

    def _media(self, request: Request, picture: Picture) -> dict[str, Any]:
        address = f"{self.home(request)}/{picture.path}"
        size = {"width": picture.width, "height": picture.height}
        return {
            "id": picture.id,
            "type": "image",
            "url": address,
            "preview_url": address,
            "description": picture.alt or None,
            "meta": {"original": size},
        }

    def _status(self, request: Request, post: Received) -> dict[str, Any]:
        return {
            "id": post.id,
            "created_at": post.at.replace("+00:00", "Z"),
            "edited_at": post.own.get("edited_at"),
            "in_reply_to_id": post.reply_to,
            "uri": post.permalink,
            "url": post.permalink,
            "content": _content(self.home(request), post),
            "spoiler_text": post.own["spoiler_text"],
            "visibility": post.own["visibility"],
            "language": post.own["language"],
            "sensitive": bool(post.own["spoiler_text"]),
            "account": self._account(request),
            "media_attachments": [self._media(request, p) for p in post.pictures],
            "mentions": [],
            "tags": [{"name": f["value"].lower()} for f in post.facets if f["type"] == "tag"],
            "card": None,
            "replies_count": sum(p.reply_to == post.id for p in self.account(request).living),
            "reblogs_count": 0,
            "favourites_count": 0,
        }


def _content(home: str, post: Received) -> str:
    """The text as a server renders it: paragraphs, shortened links, tags in spans."""
    marked, done = "", 0
    for facet in post.facets:
        said, value = html.escape(post.text[facet["start"] : facet["end"]]), html.escape(facet["value"])
        marked += html.escape(post.text[done : facet["start"]])
        if facet["type"] == "link":
            scheme = value.partition("//")[0] + "//"
            rest = value.removeprefix(scheme)
            kind = "ellipsis" if len(rest) > 30 else ""
            marked += (
                f'<a href="{value}" target="_blank" rel="nofollow noopener" translate="no">'
                f'<span class="invisible">{scheme}</span><span class="{kind}">{rest[:30]}</span>'
                f'<span class="invisible">{rest[30:]}</span></a>'
            )
        elif facet["type"] == "tag":
            where = f"{home}/tags/{value}"
            marked += f'<a href="{where}" class="mention hashtag" rel="tag">{said[0]}<span>{value}</span></a>'
        else:
            marked += said
        done = facet["end"]
    marked += html.escape(post.text[done:])
    return "".join(f"<p>{part.replace(chr(10), '<br />')}</p>" for part in marked.split("\n\n"))


def _missing() -> Refused:
    return _error(404, "Record not found")


def _error(status: int, words: str) -> Refused:
    return Refused(JSONResponse({"error": words}, status))
