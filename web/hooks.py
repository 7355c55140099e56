"""The public addresses: what a publishing system, a pinging site or a hub sends to one, and what it is told.

An address is all that a stranger would need to guess, so it is 192 random bits. Every call only stores something and
returns, within the 2 seconds that Ghost waits; none is ever answered 410, which would make Ghost forget the webhook.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from math import ceil
from urllib.parse import urlsplit

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response

from web.access import Parts
from web.guard import takes
from worker.errors import HandbillError, NotFound, Refused
from worker.intake import pings
from worker.intake.webhooks import Sent, Unreadable, Unverified
from worker.runtime import Runtime
from worker.store.hooks import Hook, Subscription

router = APIRouter(include_in_schema=False)

BODY_MOST = 5_000_000
"""Bytes; Ghost sends a post twice, in full, before and after."""

PATIENCE = 10.0
"""Seconds that a sender may take for its body."""

XML = "text/xml; charset=utf-8"
REFUSED = {Unverified: 401, Unreadable: 400, NotFound: 404, Refused: 409}


@router.post("/hooks/{token}")
@takes(BODY_MOST)
async def call(request: Request, parts: Parts, token: str) -> Response:
    """A webhook, a ping, or a hub's news."""
    found = await run_in_threadpool(_find, parts, token)
    try:
        body = await asyncio.wait_for(request.body(), PATIENCE)
    except TimeoutError:
        raise HTTPException(408, "The body took too long.") from None
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    sent = Sent(headers, body, _path(request, parts))
    return await run_in_threadpool(_answer, parts, found, sent)


@router.get("/hooks/{token}")
async def question(request: Request, parts: Parts, token: str) -> Response:
    """A hub asks whether we mean what we asked it."""
    found = await run_in_threadpool(_find, parts, token)
    if isinstance(found, Hook):
        raise HTTPException(405, "This address takes POST.", {"Allow": "POST"})
    query = dict(request.query_params)
    try:
        challenge = await run_in_threadpool(parts.receiver.question, found, query, datetime.now(UTC))
    except NotFound as error:
        raise HTTPException(404, str(error)) from None
    # Whatever a stranger puts into the challenge is text to whoever looks at it.
    return PlainTextResponse(challenge, headers={"Content-Disposition": "attachment"})


def _find(parts: Runtime, token: str) -> Hook | Subscription:
    """Whose address it is, if one of its minute's calls is left."""
    found = parts.hooks.find(token)
    if found is None:
        raise HTTPException(404, "There is nothing at this address.")
    if wait := parts.hooks.pace(found.source):
        raise HTTPException(429, "That is too often.", {"Retry-After": str(ceil(wait))})
    return found


def _answer(parts: Runtime, found: Hook | Subscription, sent: Sent) -> Response:
    if isinstance(found, Subscription):
        parts.receiver.told(found, sent.header("x-hub-signature"), sent.body)
        # WebSub, § 7: 2xx says that it came, not that it was believed.
        return Response(status_code=204)
    if sent.body.lstrip()[:1] == b"<" or "xml" in sent.header("content-type"):
        return _ping(parts, found, sent.body)
    try:
        reply = parts.receiver.webhook(found, sent, datetime.now(UTC))
    except HandbillError as error:
        status = next((s for kind, s in REFUSED.items() if isinstance(error, kind)), 422)
        raise HTTPException(status, str(error)) from None
    return JSONResponse({"status": reply.status, "event": reply.event, "item": reply.item})


def _ping(parts: Runtime, hook: Hook, body: bytes) -> Response:
    try:
        message, failed = parts.receiver.ping(hook, pings.read(body)), False
    except pings.BadPing as error:
        return Response(pings.fault(error), media_type=XML)
    except Refused as error:
        message, failed = str(error), True
    return Response(pings.thanks(message, failed=failed), media_type=XML)


def _path(request: Request, parts: Runtime) -> str:
    """The path as the sender wrote it, which some sign: behind a proxy it may begin with the public address' own."""
    raw = bytes(request.scope.get("raw_path") or request.url.path.encode()).decode("ascii", "replace")
    query = bytes(request.scope.get("query_string", b"")).decode("ascii", "replace")
    prefix = urlsplit(parts.settings.public_url).path.rstrip("/")
    path = raw if raw.startswith(f"{prefix}/") else prefix + raw
    return f"{path}?{query}" if query else path
