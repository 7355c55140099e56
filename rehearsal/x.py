"""A stand-in for X API v2: weighted length, t.co links, media ids, and 403 for a text it already has. Not X."""

from __future__ import annotations

import base64
import hashlib
import html
import unicodedata
from datetime import datetime, timedelta
from typing import Any, ClassVar

import emoji
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.oauth import Desk, Shape
from rehearsal.world import Account, Platform, Received, Refused, World, bearer, body_of

LIGHT = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))  # code points that weigh one; all others weigh two
TYPES = {"image/jpeg", "image/png", "image/gif", "image/webp"}
EDITABLE_FOR = timedelta(hours=1)  # https://docs.x.com/changelog, October 3, 2025
DUPLICATE_FOR = timedelta(hours=24)  # undocumented; long enough for every test


def weight(text: str) -> int:
    """Length as https://docs.x.com/fundamentals/counting-characters describes it."""
    text = unicodedata.normalize("NFC", text)
    total, done = 0, 0
    for start, end in reading.links(text):
        total += _weight(text[done:start]) + 23
        done = end
    return total + _weight(text[done:])


def _weight(text: str) -> int:
    total, done = 0, 0
    for found in emoji.emoji_list(text):
        total += sum(_one(c) for c in text[done : found["match_start"]]) + 2
        done = found["match_end"]
    return total + sum(_one(c) for c in text[done:])


def _one(char: str) -> int:
    return 1 if any(low <= ord(char) <= high for low, high in LIGHT) else 2


class X(Platform):
    """Speaks /2/… for any account; any token is good unless it begins with ``expired``."""

    name: ClassVar = "x"
    public: ClassVar = "/i/web/status/{number}"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        # https://docs.x.com/fundamentals/authentication/oauth-2-0/user-access-token: a code lives thirty seconds
        shape = Shape(
            authorize="/i/oauth2/authorize",
            endpoint="/2/oauth2/token",
            revoke="/2/oauth2/revoke",
            code=30,
            refresh=1,
            pkce=True,
            basic=True,
            public=True,
            refuse=_no_token,
            dead=lambda: _problem(401, "Unauthorized", "Unauthorized").answer,
        )
        self.desk = Desk(self, shape)

    def routes(self) -> list[Route]:
        return [
            Route("/2/users/me", self.me),
            Route("/2/users/{user}/tweets", self.timeline),
            Route("/2/media/upload", self.upload, methods=["POST"]),
            Route("/2/media/metadata", self.metadata, methods=["POST"]),
            Route("/2/tweets", self.create, methods=["POST"]),
            Route("/2/tweets/{number}", self.read),
            Route("/2/tweets/{number}", self.delete, methods=["DELETE"]),
            *self.desk.routes(),
        ]

    def trouble(self, status: int) -> Response:
        if status == 429:
            reset = str(int(self.world.now().timestamp()) + 1)
            return _problem(429, "Too Many Requests", "Too Many Requests", headers={"x-rate-limit-reset": reset}).answer
        return _problem(status, "Internal Server Error", "Something is broken.").answer

    async def me(self, request: Request) -> Response:
        _authorize(request)
        account = self.account(request)
        return JSONResponse({"data": {"id": str(account.number), "name": account.name, "username": account.name}})

    async def upload(self, request: Request) -> Response:
        _authorize(request)
        fields = await body_of(request)
        if fields.get("media_category") != "tweet_image":
            raise _invalid("media_category", "$.media_category: does not have a value in the enumeration")
        media = fields.get("media")
        content = media if isinstance(media, bytes) else base64.b64decode(str(media or ""))
        account = self.account(request)
        if len(content) > 5_000_000:
            raise _invalid("media", "File size exceeds 5242880 bytes.")
        picture = account.keep_picture(account.snowflake(self.world.now()), content)
        if picture is None or picture.mime not in TYPES:
            raise _invalid("media", "media type unrecognized.")
        data = {"id": picture.id, "media_key": f"3_{picture.id}", "size": picture.size, "expires_after_secs": 86400}
        return JSONResponse({"data": data})

    async def metadata(self, request: Request) -> Response:
        _authorize(request)
        fields = await body_of(request)
        account = self.account(request)
        picture = account.pictures.get(str(fields.get("id")))
        alt = ((fields.get("metadata") or {}).get("alt_text") or {}).get("text", "")
        if picture is None:
            raise _problem(404, "Not Found Error", "Could not find the media.", kind="resource-not-found")
        if len(alt) > 1000:
            raise _invalid("metadata.alt_text.text", "$.metadata.alt_text.text: must be at most 1000 characters long")
        account.describe(picture, alt)
        return JSONResponse({"data": {"id": picture.id, "associated_metadata": {"alt_text": {"text": alt}}}})

    async def create(self, request: Request) -> Response:
        async def take() -> Response:
            return self._create(request, await body_of(request))

        return await self.commit(take)

    def _create(self, request: Request, fields: dict[str, Any]) -> Response:
        _authorize(request)
        account, now = self.account(request), self.world.now()
        text = str(fields.get("text", ""))
        media = fields.get("media", {}).get("media_ids", [])
        pictures = [account.pictures.get(str(m)) for m in media]
        if not text.strip() and not pictures:
            raise _invalid("text", "One of text, media.media_ids, poll must be provided.")
        if weight(text) > 280:
            raise _invalid("text", "Your Tweet text is too long.")
        if None in pictures or len(pictures) > 4:
            raise _invalid("media.media_ids", "Your media IDs are invalid.")
        answered = fields.get("reply", {}).get("in_reply_to_tweet_id")
        if answered is not None and account.alive(str(answered)) is None:
            words = "You attempted to reply to a Tweet that is deleted or not visible to you."
            raise _problem(403, "Forbidden", words)
        if any(now - datetime.fromisoformat(p.at) < DUPLICATE_FOR for p in account.saying(text)):
            # Body as seen in https://github.com/akrherz/iembot/issues/163
            raise _problem(403, "Forbidden", "You are not allowed to create a Tweet with duplicate content.")
        before = fields.get("edit_options", {}).get("previous_post_id")
        if before is not None:
            changed = account.alive(str(before))
            if changed is None or now - datetime.fromisoformat(changed.at) > EDITABLE_FOR:
                raise _problem(403, "Forbidden", "You are not permitted to edit this Tweet.")
            account.remove(changed)
            answered = changed.reply_to
        facets = reading.facets(text)
        number = account.snowflake(now)
        post = account.keep(
            Received(
                platform=self.name,
                account=account.name,
                id=number,
                at=now.isoformat(),
                text=text,
                permalink=self.permalink(request, number),
                facets=facets,
                card=None if pictures else reading.card(facets),
                pictures=[p for p in pictures if p],
                reply_to=str(answered) if answered is not None else None,
            )
        )
        shown = _tweet(account, post)
        return JSONResponse({"data": {k: shown[k] for k in ("id", "text", "edit_history_tweet_ids")}}, 201)

    async def read(self, request: Request) -> Response:
        _authorize(request)
        account = self.account(request)
        number = request.path_params["number"]
        post = account.alive(number)
        if post is None:
            # One missing post is a 200 with errors and no data: https://docs.x.com/x-api/fundamentals/response-codes-and-errors
            missing = {
                "resource_id": number,
                "title": "Not Found Error",
                "detail": f"Could not find tweet with id: [{number}].",
            }
            return JSONResponse({"errors": [missing]})
        return JSONResponse({"data": _tweet(account, post)})

    async def delete(self, request: Request) -> Response:
        async def take() -> Response:
            _authorize(request)
            account = self.account(request)
            if post := account.alive(request.path_params["number"]):
                account.remove(post)
            return JSONResponse({"data": {"deleted": True}})

        return await self.commit(take)

    async def timeline(self, request: Request) -> Response:
        _authorize(request)
        account, asked = self.account(request), request.query_params
        size = int(asked.get("max_results", "10"))
        if not 5 <= size <= 100:
            raise _invalid("max_results", f"The `max_results` query parameter value [{size}] is not between 5 and 100")
        if request.path_params["user"] != str(account.number):
            return JSONResponse({"meta": {"result_count": 0}})
        since = datetime.fromisoformat(asked.get("start_time", "2010-11-06T00:00:00Z"))
        posts = [p for p in account.living if datetime.fromisoformat(p.at) >= since]
        start = int(asked.get("pagination_token", "0"))
        page = posts[start : start + size]
        meta: dict[str, Any] = {"result_count": len(page)}
        if start + size < len(posts):
            meta["next_token"] = str(start + size)
        return JSONResponse({"data": [_tweet(account, p) for p in page], "meta": meta} if page else {"meta": meta})


def _tweet(account: Account, post: Received) -> dict[str, Any]:
    """A post as the API shows it: every address a t.co one, the text's markup characters escaped."""
    said, urls, done = "", [], 0
    for facet in post.facets:
        if facet["type"] == "link":
            short = _short(facet["value"])
            said += html.escape(post.text[done : facet["start"]], quote=False) + short
            urls.append({"url": short, "expanded_url": facet["value"]})
            done = facet["end"]
    said += html.escape(post.text[done:], quote=False)
    for picture in post.pictures:
        place = f"https://x.com/{account.name}/status/{post.id}/photo/1"
        urls.append({"url": _short(place), "expanded_url": place, "media_key": f"3_{picture.id}"})
    if post.pictures:
        said += f" {urls[-1]['url']}"
    counts = ("repost_count", "reply_count", "like_count", "quote_count", "bookmark_count", "impression_count")
    replied = [{"type": "replied_to", "id": post.reply_to}] if post.reply_to else []
    return {
        "id": post.id,
        "text": said,
        "edit_history_tweet_ids": [post.id],
        "created_at": post.at.replace("+00:00", "Z"),
        "entities": {"urls": urls},
        "public_metrics": dict.fromkeys(counts, 0),
        **({"referenced_tweets": replied} if replied else {}),
        **({"attachments": {"media_keys": [f"3_{p.id}" for p in post.pictures]}} if post.pictures else {}),
    }


def _short(address: str) -> str:
    return "https://t.co/" + base64.urlsafe_b64encode(hashlib.sha256(address.encode()).digest())[:10].decode()


def _no_token(status: int, error: str, words: str) -> Response:
    del words
    if error == "invalid_client":
        told = {"error": "unauthorized_client", "error_description": "Missing valid authorization header"}
        return JSONResponse(told, status)
    told = {"error": "invalid_request", "error_description": "Value passed for the token was invalid."}
    return JSONResponse(told, status)


def _authorize(request: Request) -> None:
    token = bearer(request)
    if not token or token.startswith("expired"):
        raise _problem(401, "Unauthorized", "Unauthorized")


def _problem(status: int, title: str, detail: str, *, kind: str = "", headers: dict[str, str] | None = None) -> Refused:
    where = f"https://api.x.com/2/problems/{kind}" if kind else "about:blank"
    return Refused(JSONResponse({"title": title, "type": where, "status": status, "detail": detail}, status, headers))


def _invalid(parameter: str, message: str) -> Refused:
    return Refused(
        JSONResponse(
            {
                "errors": [{"parameters": {parameter: []}, "message": message}],
                "title": "Invalid Request",
                "detail": "One or more parameters to your request was invalid.",
                "type": "https://api.x.com/2/problems/invalid-request",
            },
            400,
        )
    )
