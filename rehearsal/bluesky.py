"""A stand-in for a Bluesky PDS: sessions, blobs, putRecord by TID, byte-offset facets. Not a PDS: no signatures."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import timedelta
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.world import Account, Picture, Platform, Received, Refused, bearer, body_of

COLLECTION = "app.bsky.feed.post"
TID = re.compile(r"[234567a-j][234567a-z]{12}")
KINDS = {"link": ("link", "uri"), "tag": ("tag", "tag"), "mention": ("mention", "did")}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
BLOB_BYTES = 2_000_000  # app.bsky.embed.images; older servers 1,000,000


class Invalid(Exception):
    """The record is not one the lexicon allows."""


class Bluesky(Platform):
    """Speaks /xrpc/… for any account: every handle and password open a session; ``expired`` begins a stale token."""

    name: ClassVar = "bluesky"
    public: ClassVar = "/profile/{handle}/post/{number}"

    def routes(self) -> list[Route]:
        return [
            Route("/xrpc/com.atproto.server.describeServer", self.describe),
            Route("/xrpc/com.atproto.server.createSession", self.create_session, methods=["POST"]),
            Route("/xrpc/com.atproto.server.refreshSession", self.refresh_session, methods=["POST"]),
            Route("/xrpc/com.atproto.server.getSession", self.get_session),
            Route("/xrpc/com.atproto.identity.resolveHandle", self.resolve),
            Route("/xrpc/com.atproto.repo.uploadBlob", self.upload, methods=["POST"]),
            Route("/xrpc/com.atproto.repo.putRecord", self.put, methods=["POST"]),
            Route("/xrpc/com.atproto.repo.createRecord", self.create, methods=["POST"]),
            Route("/xrpc/com.atproto.repo.getRecord", self.get),
            Route("/xrpc/com.atproto.repo.listRecords", self.records),
            Route("/xrpc/com.atproto.repo.deleteRecord", self.delete, methods=["POST"]),
            Route("/xrpc/app.bsky.feed.getPosts", self.get_posts),
        ]

    def trouble(self, status: int) -> Response:
        if status == 429:
            reset = str(int((self.world.now() + timedelta(seconds=1)).timestamp()))
            headers = {"RateLimit-Limit": "5000", "RateLimit-Remaining": "0", "RateLimit-Reset": reset}
            return JSONResponse({"error": "RateLimitExceeded", "message": "Rate Limit Exceeded"}, 429, headers)
        return _error(status, "InternalServerError", "Internal Server Error").answer

    async def describe(self, request: Request) -> Response:
        return JSONResponse({"did": f"did:web:{request.url.hostname}", "availableUserDomains": [".test"]})

    async def create_session(self, request: Request) -> Response:
        fields = await body_of(request)
        if not fields.get("identifier") or not fields.get("password") or str(fields["password"]).startswith("expired"):
            raise _error(401, "AuthenticationRequired", "Invalid identifier or password")
        return JSONResponse(self._session(self.account(request)))

    async def refresh_session(self, request: Request) -> Response:
        _authorize(request)
        return JSONResponse(self._session(self.account(request)))

    async def get_session(self, request: Request) -> Response:
        _authorize(request)
        session = self._session(self.account(request))
        return JSONResponse({k: session[k] for k in ("did", "handle", "active")})

    async def resolve(self, request: Request) -> Response:
        handle = request.query_params.get("handle", "")
        if handle != _handle(self.account(request)):
            raise _error(400, "InvalidRequest", "Unable to resolve handle")
        return JSONResponse({"did": _did(self.account(request))})

    async def upload(self, request: Request) -> Response:
        _authorize(request)
        content = await request.body()
        cid = _cid(content, raw=True)
        picture = self.account(request).keep_picture(cid, content)
        if picture is None:
            raise _error(400, "InvalidMimeType", "The stand-in keeps pictures only")
        blob = {"$type": "blob", "ref": {"$link": cid}, "mimeType": picture.mime, "size": picture.size}
        return JSONResponse({"blob": blob})

    async def put(self, request: Request) -> Response:
        async def take() -> Response:
            return self._write(request, await body_of(request), put=True)

        return await self.commit(take)

    async def create(self, request: Request) -> Response:
        async def take() -> Response:
            return self._write(request, await body_of(request), put=False)

        return await self.commit(take)

    def _write(self, request: Request, fields: dict[str, Any], *, put: bool) -> Response:
        _authorize(request)
        account = self.account(request)
        rkey, record = str(fields.get("rkey", "")), fields.get("record")
        if fields.get("repo") not in {_did(account), _handle(account)}:
            raise _error(400, "InvalidRequest", f"Could not find repo: {fields.get('repo')}")
        if fields.get("collection") != COLLECTION or not isinstance(record, dict):
            raise _error(400, "InvalidRequest", f"The stand-in keeps {COLLECTION} only")
        if not put and not rkey:
            rkey = _tid(int(account.snowflake(self.world.now())))
        if not TID.fullmatch(rkey):
            raise _error(400, "InvalidRequest", "Invalid record key")
        record = {"$type": COLLECTION, **record}
        try:
            said = _said(account, record)
        except Invalid as error:
            raise _error(400, "InvalidRequest", f"Invalid {COLLECTION} record: {error}") from None
        before = account.alive(rkey)
        if before is not None and not put:
            raise Refused(self.trouble(500))  # seen on a real PDS
        if before is not None and before.own["record"] == record:
            return JSONResponse(self._put_answer(account, before))  # the same again: no new commit
        if "swapRecord" in fields and fields["swapRecord"] != (before.own["cid"] if before else None):
            raise _error(400, "InvalidSwap", f"Record was at {before.own['cid'] if before else 'null'}")
        post = Received(
            platform=self.name,
            account=account.name,
            id=rkey,
            at=before.at if before else self.world.now().isoformat(),
            permalink=self.permalink(request, rkey),
            own={"record": record, "cid": _cid(json.dumps(record, sort_keys=True).encode(), raw=False)},
            **said,
        )
        return JSONResponse(self._put_answer(account, account.keep(post)))

    async def get(self, request: Request) -> Response:
        asked = request.query_params
        account = self.account(request)
        post = account.alive(asked.get("rkey", ""))
        if post is None or asked.get("repo") not in {_did(account), _handle(account)}:
            where = f"at://{asked.get('repo')}/{asked.get('collection')}/{asked.get('rkey')}"
            raise _error(400, "RecordNotFound", f"Could not locate record: {where}")
        return JSONResponse(_record(account, post))

    async def records(self, request: Request) -> Response:
        account, asked = self.account(request), request.query_params
        posts = sorted(account.living, key=lambda p: p.id, reverse=asked.get("reverse") != "true")
        if cursor := asked.get("cursor"):
            posts = [p for p in posts if (p.id < cursor) is (asked.get("reverse") != "true")]
        page = posts[: int(asked.get("limit", "50"))]
        more = {"cursor": page[-1].id} if len(page) < len(posts) else {}
        return JSONResponse({"records": [_record(account, p) for p in page], **more})

    async def delete(self, request: Request) -> Response:
        async def take() -> Response:
            fields = await body_of(request)
            _authorize(request)
            account = self.account(request)
            if post := account.alive(str(fields.get("rkey"))):
                account.remove(post)
            return JSONResponse({})

        return await self.commit(take)

    async def get_posts(self, request: Request) -> Response:
        account = self.account(request)
        asked = request.query_params.getlist("uris")
        posts = [p for p in account.living if _uri(account, p.id) in asked]
        counts = dict.fromkeys(("likeCount", "repostCount", "replyCount", "quoteCount", "bookmarkCount"), 0)
        shown = [{"uri": _uri(account, p.id), "cid": p.own["cid"], "record": p.own["record"], **counts} for p in posts]
        return JSONResponse({"posts": shown})

    def _session(self, account: Account) -> dict[str, Any]:
        until = int((self.world.now() + timedelta(hours=2)).timestamp())
        return {
            "did": _did(account),
            "handle": _handle(account),
            "active": True,
            "accessJwt": _jwt({"scope": "com.atproto.appPass", "sub": _did(account), "exp": until}),
            "refreshJwt": _jwt({"scope": "com.atproto.refresh", "sub": _did(account), "exp": until + 5_000_000}),
        }

    def _put_answer(self, account: Account, post: Received) -> dict[str, Any]:
        commit = {"cid": post.own["cid"], "rev": post.id}
        uri = _uri(account, post.id)
        return {"uri": uri, "cid": post.own["cid"], "commit": commit, "validationStatus": "valid"}


def _said(account: Account, record: dict[str, Any]) -> dict[str, Any]:
    """What a post record says to readers; raises Invalid for what app.bsky.feed.post does not allow."""
    text = record.get("text")
    if not isinstance(text, str):
        raise Invalid("Record must have the property 'text'")
    if len(text.encode()) > 3000:
        raise Invalid("Record/text must not be longer than 3000 bytes")
    if reading.graphemes(text) > 300:
        raise Invalid("Record/text must not be longer than 300 graphemes")
    if not MOMENT.fullmatch(str(record.get("createdAt"))):
        raise Invalid("Record/createdAt must be an valid atproto datetime")
    if len(record.get("langs", [])) > 3:
        raise Invalid("Record/langs must not have more than 3 elements")
    reply = None
    if told := record.get("reply"):
        for place in ("root", "parent"):
            if not {"uri", "cid"} <= set(told.get(place, {})):
                raise Invalid(f"Record/reply/{place} must have the properties uri and cid")
        reply = str(told["parent"]["uri"]).rpartition("/")[2]
    pictures, card = _embedded(account, record.get("embed") or {})
    facets = [_facet(text, f) for f in record.get("facets", [])]
    shown = sorted((f for f in facets if f), key=lambda f: int(f["start"]))
    return {"text": text, "facets": shown, "card": card, "pictures": pictures, "reply_to": reply}


def _embedded(account: Account, embed: dict[str, Any]) -> tuple[list[Picture], dict[str, str] | None]:
    match embed.get("$type"):
        case None:
            return [], None
        case "app.bsky.embed.images":
            images = embed.get("images", [])
            if not 0 < len(images) <= 4:
                raise Invalid("Record/embed/images must not have more than 4 elements")
            if not all(isinstance(i.get("alt"), str) for i in images):
                raise Invalid("Record/embed/images/0 must have the property 'alt'")
            return [account.describe(_blob(account, i.get("image")), i["alt"]) for i in images], None
        case "app.bsky.embed.external":
            told = embed.get("external", {})
            if not all(isinstance(told.get(n), str) for n in ("uri", "title", "description")):
                raise Invalid("Record/embed/external must have uri, title and description")
            pictures = [_blob(account, told["thumb"])] if "thumb" in told else []
            return pictures, {"url": told["uri"], "title": told["title"], "description": told["description"]}
        case other:
            raise Invalid(f"Record/embed has the unexpected $type {other}")


def _blob(account: Account, blob: Any) -> Picture:
    try:
        link = str(blob["ref"]["$link"])
    except (KeyError, TypeError) as error:
        raise Invalid("Record/embed must hold a blob ref") from error
    picture = account.pictures.get(link)
    if picture is None:
        raise Invalid(f"Could not find blob: {link}")
    if picture.size > BLOB_BYTES:
        raise Invalid(f"This file is too large. It is {picture.size} but the maximum size is {BLOB_BYTES}.")
    return picture


def _facet(text: str, facet: dict[str, Any]) -> dict[str, Any] | None:
    """A facet in code points; None if its bytes cut a character or lie outside, which readers' apps ignore."""
    raw = text.encode()
    index = facet.get("index", {})
    start, end = index.get("byteStart"), index.get("byteEnd")
    if not isinstance(start, int) or not isinstance(end, int) or start < 0 or end < 0:
        raise Invalid("Record/facets/0/index must have byteStart and byteEnd")
    for feature in facet.get("features", []):
        for kind, (name, value) in KINDS.items():
            if feature.get("$type") == f"app.bsky.richtext.facet#{name}":
                try:
                    before, said = raw[:start].decode(), raw[start:end].decode()
                except UnicodeDecodeError:
                    return None
                if not said or end > len(raw):
                    return None
                return reading.facet(kind, len(before), len(before) + len(said), str(feature.get(value, "")))
    return None


def _record(account: Account, post: Received) -> dict[str, Any]:
    return {"uri": _uri(account, post.id), "cid": post.own["cid"], "value": post.own["record"]}


def _uri(account: Account, rkey: str) -> str:
    return f"at://{_did(account)}/{COLLECTION}/{rkey}"


def _did(account: Account) -> str:
    return "did:plc:" + base64.b32encode(hashlib.sha256(account.name.encode()).digest()).decode().lower()[:24]


def _handle(account: Account) -> str:
    return f"{re.sub(r'[^a-z0-9-]', '-', account.name.lower())}.test"


def _tid(number: int) -> str:
    letters = "234567abcdefghijklmnopqrstuvwxyz"
    return "".join(letters[number >> 5 * place & 31] for place in range(12, -1, -1))


def _cid(content: bytes, *, raw: bool) -> str:
    """A CIDv1 with sha-256; a record's is over sorted JSON, where a real one's is over DAG-CBOR."""
    whole = bytes([1, 0x55 if raw else 0x71, 0x12, 0x20]) + hashlib.sha256(content).digest()
    return "b" + base64.b32encode(whole).decode().lower().rstrip("=")


def _jwt(claims: dict[str, Any]) -> str:
    """A token of the right shape; nobody signed it."""
    parts = ({"typ": "at+jwt", "alg": "ES256K"}, claims, "rehearsal")
    return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts)


def _authorize(request: Request) -> None:
    token = bearer(request)
    if not token:
        raise _error(401, "AuthMissing", "Authentication Required")
    if token.startswith("expired"):
        raise _error(400, "ExpiredToken", "Token has expired")


def _error(status: int, name: str, words: str) -> Refused:
    return Refused(JSONResponse({"error": name, "message": words}, status))
