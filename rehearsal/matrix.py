"""A stand-in for a Matrix homeserver: transactions known by session, powers, events of 64 KiB. Not Synapse."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from html.parser import HTMLParser
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.world import Account, Picture, Platform, Received, Refused, World, bearer, body_of

HOST = "rehearsal.example"
EVENT_BYTES = 65_536
PAGE = 100
MEDIA_BYTES = 50 * 1024 * 1024
MUTED = "muted"  # a token that begins so may not write in the room
STRANGER = "stranger"  # one that begins so is not in it
CLOSED = "#secret"  # a room whose alias begins so is encrypted
OTHER = "other"  # an account whose name holds this is on a server that is not Synapse


class Matrix(Platform):
    """Speaks the client-server API for any account, which is in every room that is named."""

    name: ClassVar = "matrix"
    public: ClassVar = "/event/{number}"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._done: dict[tuple[str, str, str], str] = {}

    def routes(self) -> list[Route]:
        room = "/_matrix/client/v3/rooms/{room}"
        relations = "/_matrix/client/v1/rooms/{room}/relations/{number}/m.annotation"
        return [
            Route("/_matrix/federation/v1/version", self.version),
            Route("/_matrix/client/v3/account/whoami", self._asked(self.whoami)),
            Route("/_matrix/client/v3/directory/room/{alias}", self._asked(self.directory)),
            Route("/_matrix/client/v1/media/config", self._asked(self.config)),
            Route("/_matrix/media/v3/upload", self._asked(self.upload), methods=["POST"]),
            Route(room + "/state", self._asked(self.whole_state)),
            Route(room + "/state/{kind}", self._asked(self.state)),
            Route(room + "/messages", self._asked(self.messages)),
            Route(room + "/event/{number}", self._asked(self.event)),
            Route(relations, self._asked(self.reactions)),
            Route(room + "/send/m.room.message/{txn}", self._asked(self.send), methods=["PUT"]),
            Route(room + "/redact/{number}/{txn}", self._asked(self.redact), methods=["PUT"]),
        ]

    def trouble(self, status: int) -> Response:
        if status == 429:
            told = {"errcode": "M_LIMIT_EXCEEDED", "error": "Too Many Requests", "retry_after_ms": 1000}
            return JSONResponse(told, 429, {"Retry-After": "1"})
        return JSONResponse({"errcode": "M_UNKNOWN", "error": "Internal server error"}, status)

    async def version(self, request: Request) -> Response:
        other = OTHER in self.account(request).name
        return JSONResponse({"server": {"name": "Conduit" if other else "Synapse", "version": "1.163.2"}})

    async def whoami(self, request: Request) -> Response:
        return JSONResponse({"user_id": self._user(request), "device_id": _device(request), "is_guest": False})

    async def directory(self, request: Request) -> Response:
        alias = request.path_params["alias"]
        if not alias.startswith("#") or ":" not in alias:
            raise _no(400, "M_INVALID_PARAM", "Room alias invalid")
        secret = "secret" if alias.startswith(CLOSED) else "room"
        return JSONResponse({"room_id": f"!{secret}{self.account(request).number:x}:{HOST}", "servers": [HOST]})

    async def config(self, request: Request) -> Response:
        del request
        return JSONResponse({"m.upload.size": MEDIA_BYTES})

    async def upload(self, request: Request) -> Response:
        account, content = self.account(request), await request.body()
        if len(content) > MEDIA_BYTES:
            raise _no(413, "M_TOO_LARGE", "Upload request body is too large")
        number = account.snowflake(self.world.now())
        account.keep_picture(number, content)
        return JSONResponse({"content_uri": f"mxc://{HOST}/{number}"})

    async def whole_state(self, request: Request) -> Response:
        del request
        made = {"type": "m.room.create", "sender": f"@admin:{HOST}", "state_key": "", "content": {"room_version": "10"}}
        return JSONResponse([made])

    async def state(self, request: Request) -> Response:
        """A room's power levels, name and encryption, where it has them."""
        room, kind = request.path_params["room"], request.path_params["kind"]
        if bearer(request).startswith(STRANGER):
            raise _no(403, "M_FORBIDDEN", "User not in room")
        muted = bearer(request).startswith(MUTED)
        known: dict[str, Any] = {
            "m.room.power_levels": {"users_default": 0, "events_default": 50 if muted else 0},
            "m.room.name": {"name": self.account(request).name},
        }
        if room.startswith("!secret"):
            known["m.room.encryption"] = {"algorithm": "m.megolm.v1.aes-sha2"}
        if kind not in known:
            raise _no(404, "M_NOT_FOUND", "Event not found.")
        return JSONResponse(known[kind])

    async def messages(self, request: Request) -> Response:
        """A page of the room's history, newest first; what was taken away is there without its words."""
        account, asked = self.account(request), request.query_params
        wanted = json.loads(asked.get("filter", "{}"))
        if self._user(request) not in wanted.get("senders", [self._user(request)]):
            return JSONResponse({"chunk": [], "start": "0"})
        start, size = int(asked.get("from", "0")), min(int(asked.get("limit", "10")), PAGE)
        events = sorted(account.posts.values(), key=lambda p: (p.at, p.id), reverse=True)
        page, more = events[start : start + size], len(events) > start + size
        end = {"end": str(start + size)} if more else {}
        return JSONResponse({"chunk": [self._event(request, p) for p in page], "start": str(start), **end})

    async def event(self, request: Request) -> Response:
        return JSONResponse(self._event(request, self._found(request)))

    async def reactions(self, request: Request) -> Response:
        self._found(request)
        return JSONResponse({"chunk": []})

    async def send(self, request: Request) -> Response:
        """One message or correction; the same transaction of the same session is the same event."""
        content = await body_of(request)

        async def take() -> Response:
            if bearer(request).startswith(MUTED):
                raise _no(403, "M_FORBIDDEN", "You don't have permission to post that to the room.")
            account, txn = self.account(request), request.path_params["txn"]
            known = account.keyed(txn)
            if known is not None and known.own.get("device") == _device(request):
                return JSONResponse({"event_id": known.id})
            return self._once(request, lambda: self._taken(request, account, content))

        return await self.commit(take)

    async def redact(self, request: Request) -> Response:
        """Take a message away; one that is away already may be taken away again."""

        async def take() -> Response:
            account = self.account(request)
            post = account.posts.get(request.path_params["number"])
            if post is None:
                raise _no(404, "M_NOT_FOUND", "Could not find event")
            if not post.deleted:
                account.remove(post)
            return self._once(request, lambda: f"${account.snowflake(self.world.now())}")

        return await self.commit(take)

    def _asked(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def asked(request: Request) -> Response:
            token = bearer(request)
            if not token:
                raise _no(401, "M_MISSING_TOKEN", "Missing access token")
            if token.startswith("expired"):
                raise _no(401, "M_UNKNOWN_TOKEN", "Invalid access token passed.")
            return await handler(request)

        return asked

    def _once(self, request: Request, make: Callable[[], str]) -> Response:
        place = (self.account(request).name, _device(request), request.path_params["txn"])
        if place not in self._done:
            self._done[place] = make()
        return JSONResponse({"event_id": self._done[place]})

    def _taken(self, request: Request, account: Account, content: dict[str, Any]) -> str:
        if len(json.dumps(self._envelope(request, content), ensure_ascii=False).encode()) > EVENT_BYTES:
            raise _no(413, "M_TOO_LARGE", "event too large")
        related = content.get("m.relates_to") or {}
        number = f"${account.snowflake(self.world.now())}"
        if related.get("rel_type") == "m.replace":
            post = account.alive(str(related.get("event_id")))
            if post is not None:  # a server takes a correction of anything; clients show what makes sense
                new = content["m.new_content"]
                account.keep(dataclasses.replace(post, **_shown(account, new), own={**post.own, "content": new}))
            return number
        post = Received(
            platform=self.name,
            account=account.name,
            id=number,
            at=self.world.now().isoformat(),
            permalink=self.permalink(request, number),
            reply_to=(related.get("m.in_reply_to") or {}).get("event_id"),
            key=request.path_params["txn"],
            own={"content": content, "device": _device(request)},
            **_shown(account, content),
        )
        return account.keep(post).id

    def _event(self, request: Request, post: Received) -> dict[str, Any]:
        answers = sum(
            p.own["content"].get("m.relates_to", {}).get("event_id") == post.id for p in self._living(request)
        )
        unsigned = {"m.relations": {"m.thread": {"count": answers}}} if answers else {}
        content = {} if post.deleted else post.own["content"]
        return {
            **self._envelope(request, content),
            "event_id": post.id,
            "origin_server_ts": _stamp(post.at),
            "unsigned": unsigned,
        }

    def _envelope(self, request: Request, content: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "m.room.message",
            "sender": self._user(request),
            "room_id": request.path_params["room"],
            "origin_server_ts": _stamp(self.world.now().isoformat()),
            "content": content,
        }

    def _living(self, request: Request) -> list[Received]:
        return self.account(request).living

    def _found(self, request: Request) -> Received:
        post = self.account(request).posts.get(request.path_params["number"])
        if post is None:
            raise _no(404, "M_NOT_FOUND", "Event not found.")
        return post

    def _user(self, request: Request) -> str:
        return f"@{self.account(request).name.lower()}:{HOST}"


class _Html(HTMLParser):
    """What a client shows of a message: its words and its links; any tag that Handbill does not write is an error."""

    def __init__(self) -> None:
        super().__init__()
        self.said = ""
        self.facets: list[dict[str, Any]] = []
        self._open: tuple[int, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            self.said += "\n"
        elif tag == "a":
            self._open = (len(self.said), dict(attrs).get("href") or "")
        elif tag != "strong":
            raise _no(400, "M_BAD_JSON", f"nobody asked for a <{tag}>")

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._open:
            start, address = self._open
            self.facets.append(reading.facet("link", start, len(self.said), address))
            self._open = None

    def handle_data(self, data: str) -> None:
        self.said += data


def _shown(account: Account, content: dict[str, Any]) -> dict[str, Any]:
    """The words, links and picture of a message as its readers see them."""
    page = _Html()
    if content.get("format") == "org.matrix.custom.html":
        page.feed(str(content.get("formatted_body") or ""))
        page.close()
    body = str(content.get("body") or "")
    if page.said and page.said != body:
        raise _no(400, "M_BAD_JSON", "the HTML says something else than the words")
    pictures: list[Picture] = []
    if content.get("msgtype") == "m.image":
        alt = (content.get("org.matrix.msc1767.alt_text") or {}).get("org.matrix.msc1767.markup") or [{"body": ""}]
        picture = account.pictures.get(str(content.get("url")).rpartition("/")[2])
        pictures = [account.describe(picture, str(alt[0]["body"]))] if picture else []
    return {"text": body, "facets": page.facets, "pictures": pictures}


def _stamp(at: str) -> int:
    return int(datetime.fromisoformat(at).timestamp() * 1000)


def _device(request: Request) -> str:
    """The session that a token stands for."""
    return hashlib.sha256(bearer(request).encode()).hexdigest()[:10].upper()


def _no(status: int, code: str, words: str) -> Refused:
    return Refused(JSONResponse({"errcode": code, "error": words}, status))
