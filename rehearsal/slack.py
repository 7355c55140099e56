"""A stand-in for Slack's Web API: refusals inside a 200, uploads in three steps, blocks, flat threads. Not Slack."""

from __future__ import annotations

import dataclasses
import html
import json
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.oauth import SEVERAL, Desk, Shape
from rehearsal.world import Account, Picture, Platform, Received, Refused, World, bearer, body_of

SCOPES = "chat:write,files:write,files:read,channels:read,channels:history"
BLIND = "blind"  # a token that begins so may neither read a channel nor name it


class Slack(Platform):
    """Speaks /api/<method> for any account; every channel named is one that its bot is in."""

    name: ClassVar = "slack"
    public: ClassVar = "/archives/{channel}/{number}"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        shape = Shape(
            authorize="/oauth/v2/authorize",
            endpoint="/api/oauth.v2.access",
            access=None,
            comma=True,
            refuse=_no_token,
            dead=lambda: JSONResponse({"ok": False, "error": "token_revoked"}),
            answer=lambda _, account: {
                "ok": True,
                "token_type": "bot",
                "bot_user_id": _user(account),
                "team": {"id": "T0123", "name": account.name},
            },
        )
        self.desk = Desk(self, shape)

    def routes(self) -> list[Route]:
        return [
            *self.desk.routes(),
            Route("/api/{method}", self.speak, methods=["GET", "POST"]),
            Route("/upload/v1/{file}", self.upload, methods=["POST"]),
            Route("/archives/{channel}/p{stamp:int}", self.by_permalink),
        ]

    def trouble(self, status: int) -> Response:
        if status == 429:
            return JSONResponse({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": "1"})
        return JSONResponse({"ok": False, "error": "internal_error"}, status)

    async def speak(self, request: Request) -> Response:
        """One call of any method."""
        method = request.path_params["method"]
        reads = {
            "auth.test": self._test,
            "conversations.info": self._info,
            "conversations.list": self._list,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "files.info": self._file,
            "files.getUploadURLExternal": self._place,
            "files.completeUploadExternal": self._complete,
        }
        writes = {"chat.postMessage": self._post, "chat.update": self._update, "chat.delete": self._delete}

        async def take() -> Response:
            token = bearer(request)
            if not token or token.startswith("expired"):
                raise _no("invalid_auth" if token else "not_authed")
            fields = await body_of(request) if request.method == "POST" else dict(request.query_params)
            if method not in {**reads, **writes}:
                raise _no("unknown_method")
            return {**reads, **writes}[method](request, fields)

        return await (self.commit(take) if method in writes else take())

    async def upload(self, request: Request) -> Response:
        account, number = self.account(request), request.path_params["file"]
        content = await request.body()
        told = json.loads((account.folder / f"{number}.upload").read_text())
        if len(content) != told["length"] or account.keep_picture(number, content, alt=told["alt"]) is None:
            return PlainTextResponse("Bad Request", 400)
        return PlainTextResponse(f"OK - {len(content)}")

    async def by_permalink(self, request: Request) -> Response:
        stamp = str(request.path_params["stamp"])
        return RedirectResponse(f"{self.home(request)}/posts/{stamp[:-6]}.{stamp[-6:]}")

    def _test(self, request: Request, fields: dict[str, Any]) -> Response:
        del fields
        account = self.account(request)
        blind = bearer(request).startswith(BLIND)
        body = {"url": f"{self.home(request)}/", "team": account.name, "user": "bot", "user_id": _user(account)}
        return JSONResponse(
            {"ok": True, **body}, 200, {"X-OAuth-Scopes": SCOPES.partition(",channels")[0] if blind else SCOPES}
        )

    def _info(self, request: Request, fields: dict[str, Any]) -> Response:
        _sees(request, fields, "channels:read")
        return _ok(channel={"id": fields["channel"], "name": self.account(request).name, "is_member": True})

    def _list(self, request: Request, fields: dict[str, Any]) -> Response:
        del fields
        name = self.account(request).name
        rows = [{"id": "C0123", "name": name, "is_member": True}]
        if SEVERAL in name:
            rows.append({"id": "C0124", "name": f"{name}-other", "is_member": False})
        return _ok(channels=rows, response_metadata={"next_cursor": ""})

    def _history(self, request: Request, fields: dict[str, Any]) -> Response:
        _sees(request, fields, "channels:history")
        account = self.account(request)
        return _page(account, fields, [p for p in account.living if p.reply_to is None])

    def _replies(self, request: Request, fields: dict[str, Any]) -> Response:
        _sees(request, fields, "channels:history")
        account = self.account(request)
        if account.alive(str(fields.get("ts"))) is None:
            raise _no("thread_not_found")
        thread = [p for p in account.living if fields["ts"] in {p.id, p.reply_to}]
        return _page(account, fields, thread[::-1])

    def _file(self, request: Request, fields: dict[str, Any]) -> Response:
        picture = self.account(request).pictures.get(str(fields.get("file")))
        if picture is None:
            raise _no("file_not_found")
        return _ok(file={"id": picture.id, "mimetype": picture.mime, "size": picture.size})

    def _place(self, request: Request, fields: dict[str, Any]) -> Response:
        account = self.account(request)
        if len(str(fields.get("alt_txt", ""))) > 1000:
            raise _no("alt_txt_too_large")
        if not fields.get("filename") or not str(fields.get("length", "")).isdecimal():
            raise _no("missing_argument")
        number = f"F{int(account.snowflake(self.world.now())):X}"
        account.folder.mkdir(parents=True, exist_ok=True)
        told = {"length": int(fields["length"]), "alt": str(fields.get("alt_txt", ""))}
        (account.folder / f"{number}.upload").write_text(json.dumps(told))
        return _ok(upload_url=f"{self.home(request)}/upload/v1/{number}", file_id=number)

    def _complete(self, request: Request, fields: dict[str, Any]) -> Response:
        files = [str(f.get("id")) for f in fields.get("files") or ()]
        if not files or any(f not in self.account(request).pictures for f in files):
            raise _no("file_not_found")
        return _ok(files=[{"id": f} for f in files])

    def _post(self, request: Request, fields: dict[str, Any]) -> Response:
        account, now = self.account(request), self.world.now()
        if not fields.get("channel"):
            raise _no("channel_not_found")
        thread = fields.get("thread_ts")
        if thread is not None and account.alive(str(thread)) is None:
            raise _no("thread_not_found")
        shown = _shown(account, fields)
        stamp = int(now.timestamp() * 1_000_000)
        ts = max([stamp, *(int(n.replace(".", "")) + 1 for n in account.posts)])
        number = f"{ts // 1_000_000}.{ts % 1_000_000:06d}"
        post = Received(
            platform=self.name,
            account=account.name,
            id=number,
            at=now.isoformat(),
            permalink=self.permalink(request, number),
            card=reading.card(shown["facets"]) if fields.get("unfurl_links") else None,
            reply_to=str(thread) if thread is not None else None,
            own={"blocks": fields.get("blocks"), "text": fields.get("text"), "metadata": fields.get("metadata")},
            **shown,
        )
        return _ok(channel=fields["channel"], ts=number, message=_message(account, account.keep(post)))

    def _update(self, request: Request, fields: dict[str, Any]) -> Response:
        account, post = self.account(request), self._found(request, fields)
        own = {**post.own, "blocks": fields.get("blocks"), "text": fields.get("text")}
        account.keep(dataclasses.replace(post, own=own, **_shown(account, fields)))
        return _ok(channel=fields["channel"], ts=post.id, text=fields.get("text"))

    def _delete(self, request: Request, fields: dict[str, Any]) -> Response:
        post = self._found(request, fields)
        self.account(request).remove(post)
        return _ok(channel=fields["channel"], ts=post.id)

    def _found(self, request: Request, fields: dict[str, Any]) -> Received:
        post = self.account(request).alive(str(fields.get("ts")))
        if post is None:
            raise _no("message_not_found")
        return post


def _shown(account: Account, fields: dict[str, Any]) -> dict[str, Any]:
    """What a reader sees of a message: its blocks or, without any, its text."""
    said, facets, pictures = "", [], []
    blocks = fields.get("blocks") or [_section(str(fields.get("text") or ""))]
    if len(json.dumps(blocks, ensure_ascii=False)) > 13_000:
        raise _no("msg_blocks_too_long")
    for block in blocks:
        if block.get("type") == "image":
            pictures.append(_picture(account, block))
            continue
        for kind, shown, address in _elements(block):
            if kind == "link":
                facets.append(reading.facet("link", len(said), len(said) + len(shown), address))
            said += shown
    if not said.strip() and not pictures:
        raise _no("no_text")
    if len(said) > 4000 or len(str(fields.get("text") or "")) > 40_000:
        raise _no("msg_too_long")
    return {"text": said, "facets": facets, "pictures": pictures}


def _picture(account: Account, block: dict[str, Any]) -> Picture:
    picture = account.pictures.get(str((block.get("slack_file") or {}).get("id")))
    if picture is None or not 0 < len(str(block.get("alt_text", ""))) <= 2000:
        raise _no("invalid_blocks")
    return account.describe(picture, str(block["alt_text"]))


def _elements(block: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The kind, words and address of each element of a rich text block."""
    if block.get("type") != "rich_text":
        raise _no("invalid_blocks")
    found = [
        (str(e["type"]), str(e.get("text") or e.get("url") or ""), str(e.get("url", "")))
        for section in block["elements"]
        for e in section["elements"]
    ]
    if any(kind not in {"text", "link"} or not shown for kind, shown, _ in found):
        raise _no("invalid_blocks")
    return found


def _section(text: str) -> dict[str, Any]:
    return {"type": "rich_text", "elements": [{"elements": [{"type": "text", "text": html.unescape(text) or " "}]}]}


def _page(account: Account, fields: dict[str, Any], posts: list[Received]) -> Response:
    oldest, limit = float(fields.get("oldest") or 0), min(int(fields.get("limit") or 100), 999)
    start = int(fields.get("cursor") or 0)
    latest, within = float(fields.get("latest") or "inf"), str(fields.get("inclusive", "")).lower() == "true"
    young = [p for p in posts if oldest < float(p.id) < latest or (within and float(p.id) in {oldest, latest})]
    page, more = young[start : start + limit], len(young) > start + limit
    metadata = str(fields.get("include_all_metadata", "")).lower() == "true"
    messages = [_message(account, p, metadata=metadata) for p in page]
    return _ok(
        messages=messages,
        has_more=more,
        response_metadata={"next_cursor": str(start + limit) if more else ""},
    )


def _message(account: Account, post: Received, *, metadata: bool = True) -> dict[str, Any]:
    answers = sum(p.reply_to == post.id for p in account.living)
    message: dict[str, Any] = {
        "type": "message",
        "user": _user(account),
        "bot_id": f"B{account.number:X}",
        "ts": post.id,
        "text": post.own["text"],
        "blocks": post.own["blocks"],
    }
    if metadata and post.own["metadata"]:
        message["metadata"] = post.own["metadata"]
    if answers or post.reply_to:
        message["thread_ts"] = post.reply_to or post.id
    if answers:
        message["reply_count"] = answers
    return message


def _user(account: Account) -> str:
    return f"U{account.number:X}"


def _sees(request: Request, fields: dict[str, Any], scope: str) -> None:
    if bearer(request).startswith(BLIND):
        raise _no("missing_scope", needed=scope, provided=SCOPES.partition(",channels")[0])
    if not fields.get("channel"):
        raise _no("channel_not_found")


def _ok(**fields: Any) -> JSONResponse:
    return JSONResponse({"ok": True, **fields})


def _no(code: str, **more: Any) -> Refused:
    return Refused(JSONResponse({"ok": False, "error": code, **more}))


def _no_token(status: int, error: str, words: str) -> Response:
    del status
    codes = {"invalid_client": "bad_client_secret"}
    said = "code_already_used" if "used" in words else "invalid_code"
    return JSONResponse({"ok": False, "error": codes.get(error, said)})
