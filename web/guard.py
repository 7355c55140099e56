"""What holds for every answer: its security headers, a bound on what is sent to us, and no traceback for anybody."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TypeVar

import structlog
from fastapi import HTTPException
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web import problems
from worker.store.redis import lost

log = structlog.get_logger()

BODY_MOST = 64_000
"""Bytes, unless a route says otherwise with ``takes``."""

Endpoint = TypeVar("Endpoint", bound=Callable[..., object])


def takes(most: int) -> Callable[[Endpoint], Endpoint]:
    """Let a route take up to ``most`` bytes, such as an upload; stands below the route's own decorator."""

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.body_most = most  # type: ignore[attr-defined]  # functions take attributes, their type has none
        return endpoint

    return mark


class Guard:
    """The outermost layer; ``request.state.nonce`` is what a page's own scripts carry."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["nonce"] = nonce = secrets.token_urlsafe(16)
        begun = False

        async def safe(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in _headers(nonce).items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, _bounded(scope, receive), safe)
        except Exception as error:
            if begun:
                raise
            await _sorry(Request(scope), error)(scope, receive, safe)


def _bounded(scope: Scope, receive: Receive) -> Receive:
    """The body as it comes in, as long as it is short; by then the router has written down whose it is."""
    size = 0

    async def bounded() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        most = getattr(scope.get("endpoint"), "body_most", BODY_MOST)
        if size > most:
            raise HTTPException(413, f"At most {most:,} bytes are taken here.")
        return message

    return bounded


def _sorry(request: Request, error: Exception) -> Response:
    if line := lost(error):
        return problems.answer(request, 503, line, headers={"Retry-After": "5"})
    # The path itself may be somebody's secret: an address for webhooks, a link to choose a password.
    path = getattr(request.scope.get("route"), "path", f"/{request.url.path.split('/')[1]}")
    log.error("the web failed", path=path, exc_info=error)
    return problems.answer(request, 500, "That is a mistake of ours; the log has the details.")


def _headers(nonce: str) -> dict[str, str]:
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",  # with no-referrer a form of our own would say it comes from "null"
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
