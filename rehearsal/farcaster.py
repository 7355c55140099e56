"""A stand-in for Neynar's API to Farcaster: casts of 320 bytes, two embeds, no key that is kept. Not Farcaster."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.world import Account, Platform, Received, Refused, body_of

BYTES = 320
EMBEDS = 2
ADDRESS = 256  # bytes of one embed: section 1.4 of the protocol's specification
PENDING = "pending"  # a signer that begins so was not approved yet


class Farcaster(Platform):
    """Speaks /v2/farcaster/… for any account; any key is good unless it begins with ``expired``.

    A repeated ``idem`` is taken for another cast: nobody knows what Neynar does with it.
    """

    name: ClassVar = "farcaster"
    public: ClassVar = "/~/conversations/{number}"

    def routes(self) -> list[Route]:
        return [
            Route("/v2/farcaster/signer", self.signer),
            Route("/v2/farcaster/user/bulk", self.users),
            Route("/v2/farcaster/feed/user/casts", self.feed),
            Route("/v2/farcaster/cast", self.read),
            Route("/v2/farcaster/cast/", self.write, methods=["POST", "DELETE"]),
        ]

    def trouble(self, status: int) -> Response:
        if status == 429:
            return JSONResponse({"code": "RateLimit", "message": "Too many requests"}, 429, {"Retry-After": "1"})
        return JSONResponse({"code": "InternalServerError", "message": "Something broke"}, status)

    async def signer(self, request: Request) -> Response:
        _authorize(request)
        number = request.query_params.get("signer_uuid", "")
        account = self.account(request)
        told: dict[str, Any] = {"object": "signer", "signer_uuid": number, "public_key": "0x00"}
        if number.startswith(PENDING):
            return JSONResponse({**told, "status": "pending_approval"})
        return JSONResponse({**told, "status": "approved", "fid": account.number})

    async def users(self, request: Request) -> Response:
        _authorize(request)
        account = self.account(request)
        return JSONResponse({"users": [{"object": "user", "fid": account.number, "username": account.name}]})

    async def feed(self, request: Request) -> Response:
        _authorize(request)
        account, asked = self.account(request), request.query_params
        size = int(asked.get("limit", "25"))
        if not 1 <= size <= 150:
            raise _no(400, "InvalidField", "limit must be between 1 and 150")
        posts = account.living if asked.get("fid") == str(account.number) else []
        start = int(asked.get("cursor") or 0)
        more = str(start + size) if start + size < len(posts) else None
        casts = [_cast(account, p) for p in posts[start : start + size]]
        return JSONResponse({"casts": casts, "next": {"cursor": more}})

    async def read(self, request: Request) -> Response:
        _authorize(request)
        account = self.account(request)
        post = account.alive(request.query_params.get("identifier", ""))
        if post is None:
            raise _no(404, "NotFound", "Cast not found")
        return JSONResponse({"cast": _cast(account, post)})

    async def write(self, request: Request) -> Response:
        """A cast, or the end of one."""

        async def take() -> Response:
            _authorize(request)
            body = await body_of(request)
            if not body.get("signer_uuid") or str(body["signer_uuid"]).startswith(PENDING):
                raise _no(403, "Forbidden", "Signer is not approved")
            return (self._delete if request.method == "DELETE" else self._create)(request, body)

        return await self.commit(take)

    def _create(self, request: Request, body: dict[str, Any]) -> Response:
        account, now, text = self.account(request), self.world.now(), str(body.get("text", ""))
        embeds, parent = list(body.get("embeds") or ()), body.get("parent")
        if len(text.encode()) > BYTES:
            raise _no(400, "InvalidField", f"text is longer than {BYTES} bytes")
        if len(embeds) > EMBEDS or not (text or embeds):
            raise _no(400, "InvalidField", "text or at most two embeds are needed")
        if any(len(str(e.get("url", "")).encode()) > ADDRESS for e in embeds):
            raise _no(400, "InvalidField", f"an embed is longer than {ADDRESS} bytes")
        if parent is not None and account.alive(str(parent)) is None:
            raise _no(404, "NotFound", "Parent cast not found")
        number = "0x" + hashlib.sha256(account.snowflake(now).encode()).hexdigest()[:40]
        facets = [f for f in reading.facets(text) if f["type"] != "tag"]
        url = str(embeds[0].get("url", "")) if embeds else ""
        post = account.keep(
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
                reply_to=str(parent) if parent is not None else None,
                own={"embeds": embeds, "channel": body.get("channel_id", ""), "idem": body.get("idem", "")},
            )
        )
        told = {"hash": post.id, "author": {"fid": account.number}, "text": text}
        return JSONResponse({"success": True, "cast": told})

    def _delete(self, request: Request, body: dict[str, Any]) -> Response:
        account = self.account(request)
        post = account.alive(str(body.get("target_hash")))
        if post is None:
            raise _no(404, "NotFound", "Cast not found")
        account.remove(post)
        return JSONResponse({"success": True})


def _cast(account: Account, post: Received) -> dict[str, Any]:
    answers = sum(p.reply_to == post.id for p in account.living)
    return {
        "object": "cast",
        "hash": post.id,
        "parent_hash": post.reply_to,
        "author": {"fid": account.number},
        "text": post.text,
        "timestamp": post.at.replace("+00:00", "Z"),
        "embeds": post.own["embeds"],
        "reactions": {"likes_count": 0, "recasts_count": 0},
        "replies": {"count": answers},
    }


def _authorize(request: Request) -> None:
    key = request.headers.get("x-api-key", "")
    if not key or key.startswith("expired"):
        raise _no(401, "Unauthorized", "Invalid API key")


def _no(status: int, code: str, words: str) -> Refused:
    return Refused(JSONResponse({"code": code, "message": words}, status))
