"""A stand-in for Discord's API: a bot with nonces, webhooks, markdown read as readers see it. Not Discord."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.oauth import SEVERAL, Desk, Shape
from rehearsal.world import Account, Picture, Platform, Received, Refused, World, body_of

ELEMENT = re.compile(
    r"(?P<url>https?://[^\s<>]+)"
    r"|\\(?P<escaped>[^0-9A-Za-z\s])"
    r"|\[(?P<said>(?:\\.|[^\]\\])+)\]\((?P<to>https?://[^\s)]+)\)"
    r"|<(?P<special>[@#:/t][^>\s]*)>"
    r"|(?P<everyone>@(?:everyone|here)\b)"
    r"|(?P<markup>\*+|_+|~~|\|\||`+|(?<![^\n])(?:#{1,3}|-#|>|>>>|[-+*]) )"
)
NONCE_KEPT = timedelta(minutes=3)
MINUTE_HAND = 1_420_070_400_000  # Discord's first millisecond
EVERYTHING = (1 << 10) | (1 << 11) | (1 << 14) | (1 << 15) | (1 << 16)


def read_markdown(content: str) -> tuple[str, list[dict[str, Any]]]:
    """What a reader sees of ``content``: signs of markup that are not escaped vanish, mentions come alive."""
    said, facets, done = "", [], 0
    for match in ELEMENT.finditer(content):
        said += content[done : match.start()]
        done = match.end()
        shown, kind, value = match["escaped"] or "", "", ""
        if match["url"]:
            end = reading.links(match["url"])[0][1]
            shown, kind, value = match["url"][:end], "link", match["url"][:end]
            done = match.start() + end
        elif match["said"]:
            shown, kind, value = re.sub(r"\\(.)", r"\1", match["said"]), "link", match["to"]
        elif match["special"] or match["everyone"]:
            shown = match["everyone"] or f"@{match['special'].lstrip('@#:/&!')}"
            kind, value = "mention", shown[1:]
        if kind:
            facets.append(reading.facet(kind, len(said), len(said) + len(shown), value))
        said += shown
    return said + content[done:], facets


class Discord(Platform):
    """Speaks /api/v10 for one bot on one server with one channel, and for that channel's webhooks."""

    name: ClassVar = "discord"
    public: ClassVar = "/channels/{guild}/{channel}/{number}"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        shape = Shape(
            authorize="/oauth2/authorize",
            endpoint="/api/v10/oauth2/token",
            access=604_800,
            refresh=1,
            denied={
                "error": "access_denied",
                "error_description": "The resource owner or authorization server denied the request",
            },
            answer=lambda _, account: {"guild": {"id": _guild(account), "name": account.name}},
        )
        self.desk = Desk(self, shape)

    def routes(self) -> list[Route]:
        api, channel, hook = "/api/v10", "/api/v10/channels/{channel}", "/api/v10/webhooks/{hook}/{token}"
        return [
            *self.desk.routes(),
            Route(f"{api}/users/@me", self.me),
            Route(f"{api}/users/@me/guilds", self.guilds),
            Route(f"{api}/guilds/{{guild}}", self.guild),
            Route(f"{api}/guilds/{{guild}}/channels", self.channels),
            Route(f"{api}/guilds/{{guild}}/members/{{member}}", self.member),
            Route(channel, self.channel),
            Route(f"{channel}/messages", self.create, methods=["POST"]),
            Route(f"{channel}/messages", self.messages),
            Route(f"{channel}/messages/{{number}}", self.message),
            Route(f"{channel}/messages/{{number}}", self.update, methods=["PATCH"]),
            Route(f"{channel}/messages/{{number}}", self.delete, methods=["DELETE"]),
            Route(hook, self.hook),
            Route(hook, self.create, methods=["POST"]),
            Route(f"{hook}/messages/{{number}}", self.message),
            Route(f"{hook}/messages/{{number}}", self.update, methods=["PATCH"]),
            Route(f"{hook}/messages/{{number}}", self.delete, methods=["DELETE"]),
        ]

    def trouble(self, status: int) -> Response:
        if status == 429:
            body = {"message": "You are being rate limited.", "retry_after": 0.65, "global": False}
            return JSONResponse(body, 429, {"Retry-After": "1", "X-RateLimit-Scope": "user"})
        return _error(status, 0, f"{status}: Internal Server Error").answer

    async def me(self, request: Request) -> Response:
        _authorize(request)
        account = self.account(request)
        return JSONResponse({"id": str(account.number), "username": f"{account.name}-bot", "bot": True})

    async def guilds(self, request: Request) -> Response:
        _authorize(request)
        return JSONResponse([{"id": _guild(self.account(request)), "name": self.account(request).name}])

    async def guild(self, request: Request) -> Response:
        _authorize(request)
        account = self.account(request)
        self._here(request, "guild", _guild(account), 10004, "Unknown Guild")
        everyone = {"id": _guild(account), "name": "@everyone", "permissions": str(EVERYTHING)}
        return JSONResponse({"id": _guild(account), "name": account.name, "roles": [everyone]})

    async def channels(self, request: Request) -> Response:
        _authorize(request)
        account = self.account(request)
        other = {**_channel(account), "id": f"{account.number}9", "name": "other", "position": 1}
        return JSONResponse([_channel(account), *([other] if SEVERAL in account.name else [])])

    async def member(self, request: Request) -> Response:
        _authorize(request)
        number = request.path_params["member"]
        return JSONResponse({"user": {"id": number}, "roles": []})

    async def channel(self, request: Request) -> Response:
        _authorize(request)
        account = self.account(request)
        self._here(request, "channel", _room(account), 10003, "Unknown Channel")
        return JSONResponse(_channel(account))

    async def hook(self, request: Request) -> Response:
        account = self.account(request)
        _authorize(request)
        return JSONResponse(
            {
                "id": request.path_params["hook"],
                "type": 1,
                "name": account.name,
                "guild_id": _guild(account),
                "channel_id": _room(account),
            }
        )

    async def create(self, request: Request) -> Response:
        async def take() -> Response:
            return self._create(request, *await _fields(request))

        return await self.commit(take)

    def _create(self, request: Request, fields: dict[str, Any], files: dict[str, bytes]) -> Response:
        _authorize(request)
        account, now = self.account(request), self.world.now()
        hook = "hook" in request.path_params
        if not hook:
            self._here(request, "channel", _room(account), 10003, "Unknown Channel")
        nonce = "" if hook else str(fields.get("nonce") or "")
        if len(nonce) > 25:
            raise _malformed("nonce", "Must be 25 or fewer in length.")
        known = account.keyed(nonce) if fields.get("enforce_nonce") else None
        if known and now - datetime.fromisoformat(known.at) < NONCE_KEPT:
            return JSONResponse(_message(account, known))
        answered = None if hook else (fields.get("message_reference") or {}).get("message_id")
        if answered is not None and account.alive(str(answered)) is None:
            raise _malformed("message_reference", "Unknown message")
        content = _content(fields)
        pictures = _pictures(account, fields, files, account.snowflake(now))
        if not content.strip() and not pictures:
            raise _error(400, 50006, "Cannot send an empty message")
        text, facets = read_markdown(content)
        number = _snowflake(account, now)
        card = None if int(fields.get("flags") or 0) & 4 else reading.card(facets)
        post = Received(
            platform=self.name,
            account=account.name,
            id=number,
            at=now.isoformat(),
            text=text,
            permalink=self.permalink(request, number),
            facets=_live(facets, fields),
            card=card,
            pictures=pictures,
            reply_to=str(answered) if answered is not None else None,
            key=nonce,
            own={"content": content, "hook": request.path_params.get("hook")},
        )
        account.keep(post)
        if hook and request.query_params.get("wait", "").lower() not in {"true", "1"}:
            return Response(status_code=204)
        return JSONResponse(_message(account, post))

    async def messages(self, request: Request) -> Response:
        _authorize(request)
        account, asked = self.account(request), request.query_params
        limit, after = int(asked.get("limit", "50")), int(asked.get("after", "0"))
        if not 1 <= limit <= 100:
            raise _malformed("limit", "int value should be between 1 and 100.")
        newer = [p for p in account.living if int(p.id) > after]
        page = newer[-limit:] if "after" in asked else newer[:limit]
        return JSONResponse([_message(account, p) for p in page])

    async def message(self, request: Request) -> Response:
        _authorize(request)
        return JSONResponse(_message(self.account(request), self._found(request)))

    async def update(self, request: Request) -> Response:
        async def take() -> Response:
            fields, files = await _fields(request)
            _authorize(request)
            account, post = self.account(request), self._found(request)
            content = _content(fields)
            text, facets = read_markdown(content)
            told = {str(a["id"]): a for a in fields.get("attachments") or ()}
            kept = [p for p in post.pictures if "attachments" not in fields or p.id in told]
            pictures = [account.describe(p, str(told.get(p.id, {}).get("description", p.alt))) for p in kept]
            pictures += _pictures(account, fields, files, account.snowflake(self.world.now())) if files else []
            better = dataclasses.replace(
                post,
                text=text,
                facets=_live(facets, fields),
                pictures=pictures,
                own={**post.own, "content": content},
            )
            return JSONResponse(_message(account, account.keep(better)))

        return await self.commit(take)

    async def delete(self, request: Request) -> Response:
        async def take() -> Response:
            _authorize(request)
            self.account(request).remove(self._found(request))
            return Response(status_code=204)

        return await self.commit(take)

    def _found(self, request: Request) -> Received:
        post = self.account(request).alive(request.path_params["number"])
        if post is None or post.own["hook"] != request.path_params.get("hook"):
            raise _error(404, 10008, "Unknown Message")
        return post

    def _here(self, request: Request, what: str, number: str, code: int, words: str) -> None:
        if request.path_params[what] != number:
            raise _error(404, code, words)


async def _fields(request: Request) -> tuple[dict[str, Any], dict[str, bytes]]:
    """A message's fields and its files by name."""
    if "multipart" not in request.headers.get("content-type", ""):
        return await body_of(request), {}
    async with request.form() as form:
        files = {n: await f.read() for n, f in form.items() if isinstance(f, UploadFile)}
        return json.loads(str(form.get("payload_json", "{}"))), files


def _content(fields: dict[str, Any]) -> str:
    content = str(fields.get("content") or "")
    if len(content) > 2000:
        raise _malformed("content", "Must be 2000 or fewer in length.")
    return content


def _pictures(account: Account, fields: dict[str, Any], files: dict[str, bytes], number: str) -> list[Picture]:
    told = {int(a["id"]): a for a in fields.get("attachments") or ()}
    pictures = []
    for place, content in enumerate(files.values()):
        if len(content) > 10_485_760:
            raise _error(413, 40005, "Request entity too large")
        alt = str(told.get(place, {}).get("description") or "")
        if len(alt) > 1024:
            raise _malformed("description", "Must be 1024 or fewer in length.")
        picture = account.keep_picture(str(int(number) + place), content, alt=alt)
        if picture is None:
            raise _error(400, 50046, "Invalid file uploaded")
        pictures.append(picture)
    return pictures


def _live(facets: list[dict[str, Any]], fields: dict[str, Any]) -> list[dict[str, Any]]:
    """Mentions are shown, but call nobody, where ``allowed_mentions`` names no kind."""
    allowed = fields.get("allowed_mentions")
    quiet = isinstance(allowed, dict) and not allowed.get("parse")
    return [f for f in facets if f["type"] != "mention" or not quiet or f["value"] not in {"everyone", "here"}]


def _snowflake(account: Account, now: datetime) -> str:
    """An id made of Discord's own milliseconds, larger than every one before."""
    instant = (int(now.timestamp() * 1000) - MINUTE_HAND) << 22
    return str(max([instant, *(int(n) + 1 for n in account.posts)]))


def _guild(account: Account) -> str:
    return str(account.number + 1)


def _room(account: Account) -> str:
    return str(account.number + 2)


def _channel(account: Account) -> dict[str, Any]:
    return {
        "id": _room(account),
        "type": 0,
        "name": account.name,
        "guild_id": _guild(account),
        "permission_overwrites": [],
    }


def _message(account: Account, post: Received) -> dict[str, Any]:
    return {
        "id": post.id,
        "type": 0,
        "channel_id": _room(account),
        "author": {"id": post.own["hook"] or str(account.number), "bot": True},
        "content": post.own["content"],
        "timestamp": datetime.fromisoformat(post.at).astimezone(UTC).isoformat(),
        "attachments": [{"id": p.id, "filename": p.path, "size": p.size, "description": p.alt} for p in post.pictures],
        "reactions": [],
        **({"message_reference": {"message_id": post.reply_to}} if post.reply_to else {}),
    }


def _authorize(request: Request) -> None:
    if "DiscordBot" not in request.headers.get("user-agent", ""):
        raise _error(403, 40333, "internal network error")
    if "hook" in request.path_params:
        if request.path_params["token"].startswith("expired"):
            raise _error(404, 10015, "Unknown Webhook")
        return
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind != "Bot" or not token or token.startswith("expired"):
        raise _error(401, 0, "401: Unauthorized")


def _malformed(field: str, words: str) -> Refused:
    errors = {field: {"_errors": [{"code": "INVALID", "message": words}]}}
    return _error(400, 50035, "Invalid Form Body", errors=errors)


def _error(status: int, code: int, words: str, **more: Any) -> Refused:
    return Refused(JSONResponse({"message": words, "code": code, **more}, status))
