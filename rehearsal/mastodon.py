"""A stand-in for a Mastodon server: grapheme length, Idempotency-Key kept an hour, statuses as HTML. Not Mastodon."""

from __future__ import annotations

import dataclasses
import html
from datetime import datetime, timedelta
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.world import Account, Picture, Platform, Received, Refused, bearer, body_of

TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
KEPT = timedelta(hours=1)  # https://docs.joinmastodon.org/methods/statuses/#headers
LENGTH, PICTURES, PICTURE_BYTES, ALT = 500, 4, 16_777_216, 1500


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
    """Speaks /api/v1 and /api/v2 for any account; any token is good unless it begins with ``expired``."""

    name: ClassVar = "mastodon"
    public: ClassVar = "/@{username}/{number}"

    def routes(self) -> list[Route]:
        return [
            Route("/api/v2/instance", self.instance),
            Route("/api/v1/instance", self.instance),
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

    async def instance(self, request: Request) -> Response:
        statuses = {
            "max_characters": LENGTH,
            "max_media_attachments": PICTURES,
            "characters_reserved_per_url": 23,
        }
        attachments = {
            "supported_mime_types": TYPES,
            "image_size_limit": PICTURE_BYTES,
            "image_matrix_limit": 33_177_600,
            "description_limit": ALT,
        }
        return JSONResponse(
            {
                "domain": request.url.netloc,
                "uri": request.url.netloc,
                "title": "Rehearsal",
                "version": "4.7.2",
                "languages": ["en"],
                "api_versions": {"mastodon": 7},
                "configuration": {"statuses": statuses, "media_attachments": attachments},
            }
        )

    async def me(self, request: Request) -> Response:
        _authorize(request)
        return JSONResponse(self._account(request))

    async def upload(self, request: Request) -> Response:
        _authorize(request)
        fields = await body_of(request)
        file, alt = fields.get("file"), str(fields.get("description", ""))
        if not isinstance(file, bytes):
            raise _error(422, "Validation failed: File can't be blank")
        if len(file) > PICTURE_BYTES:
            raise _error(422, "Validation failed: File must be less than 16 MB")
        if len(alt) > ALT:
            raise _error(422, f"Validation failed: Description is too long (maximum is {ALT} characters)")
        account = self.account(request)
        picture = account.keep_picture(account.snowflake(self.world.now()), file, alt=alt)
        if picture is None:
            raise _error(422, "Validation failed: File content type is invalid, File is invalid")
        return JSONResponse(self._media(request, picture))

    async def media(self, request: Request) -> Response:
        _authorize(request)
        picture = self.account(request).pictures.get(request.path_params["number"])
        if picture is None:
            raise _missing()
        return JSONResponse(self._media(request, picture))

    async def describe(self, request: Request) -> Response:
        _authorize(request)
        account = self.account(request)
        picture = account.pictures.get(request.path_params["number"])
        if picture is None:
            raise _missing()
        alt = str((await body_of(request)).get("description", ""))
        return JSONResponse(self._media(request, account.describe(picture, alt)))

    async def create(self, request: Request) -> Response:
        async def take() -> Response:
            return self._create(request, await body_of(request))

        return await self.commit(take)

    def _create(self, request: Request, fields: dict[str, Any]) -> Response:
        _authorize(request)
        account, now = self.account(request), self.world.now()
        key = request.headers.get("idempotency-key", "")
        if (post := account.keyed(key)) and now - datetime.fromisoformat(post.at) < KEPT:
            return JSONResponse(self._status(request, post))
        said = self._said(account, fields)
        answered = fields.get("in_reply_to_id")
        if answered is not None and account.alive(str(answered)) is None:
            words = "The post you are trying to reply to does not appear to exist."
            raise _error(404, words)
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

    def _said(self, account: Account, fields: dict[str, Any]) -> dict[str, Any]:
        """What a status says, if it may."""
        text, warning = str(fields.get("status", "")), str(fields.get("spoiler_text", ""))
        media = fields.get("media_ids") or []
        pictures = [p for m in media if (p := account.pictures.get(str(m)))]
        if not text.strip() and not media:
            raise _error(422, "Validation failed: Text can't be blank")
        if length(text) + reading.graphemes(warning) > LENGTH:
            raise _error(422, f"Validation failed: Text character limit of {LENGTH} exceeded")
        if len(pictures) < len(media):
            unknown = ", ".join(str(m) for m in media if str(m) not in account.pictures)
            raise _error(422, f"Validation failed: Media {unknown} not found or already attached to another post")
        if len(pictures) > PICTURES:
            raise _error(422, f"Validation failed: Cannot attach more than {PICTURES} files")
        if fields.get("visibility", "public") not in {"public", "unlisted", "private", "direct"}:
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
        _authorize(request)
        post = self.account(request).alive(request.path_params["number"])
        if post is None:
            raise _missing()
        return JSONResponse(self._status(request, post))

    async def edit(self, request: Request) -> Response:
        async def take() -> Response:
            fields = await body_of(request)
            _authorize(request)
            account = self.account(request)
            post = account.alive(request.path_params["number"])
            if post is None:
                raise _missing()
            said = self._said(account, {"visibility": post.own["visibility"], **fields})
            said["own"]["edited_at"] = self.world.now().isoformat()
            return JSONResponse(self._status(request, account.keep(dataclasses.replace(post, **said))))

        return await self.commit(take)

    async def delete(self, request: Request) -> Response:
        async def take() -> Response:
            _authorize(request)
            account = self.account(request)
            post = account.alive(request.path_params["number"])
            if post is None:
                raise _missing()
            account.remove(post)
            return JSONResponse({**self._status(request, post), "text": post.text})

        return await self.commit(take)

    async def timeline(self, request: Request) -> Response:
        _authorize(request)
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


def _authorize(request: Request) -> None:
    token = bearer(request)
    if not token or token.startswith("expired"):
        raise _error(401, "The access token is invalid")


def _missing() -> Refused:
    return _error(404, "Record not found")


def _error(status: int, words: str) -> Refused:
    return Refused(JSONResponse({"error": words}, status))
