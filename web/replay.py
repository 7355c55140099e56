"""What a repeated create is answered: a request with an Idempotency-Key acts once, and its repeats hear the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from web import problems
from worker.runtime import Runtime
from worker.store.replies import Reply

HEADER = "Idempotency-Key"
LONGEST = 255
REFUSED = {
    "busy": (409, "The first request with this key is still under way."),
    "other": (422, f"This {HEADER} was used for another request. Use a new one."),
}
KEPT = ("content-type", "etag", "location")
PARAMETER: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Any text of your own: a repeat with the same key within a day is answered as the first.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST},
}
"""What the description of a POST says beyond its own parameters."""


class Remembered(APIRoute):
    """A route whose POSTs heed the header; everything else passes as it is."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's own handler, asked only for what has no answer yet."""
        original = super().get_route_handler()

        async def handler(request: Request) -> Response:
            key = request.headers.get(HEADER, "")
            caller = await _caller(request) if key and request.method == "POST" else None
            if caller is None:
                return await original(request)
            if len(key) > LONGEST:
                return problems.answer(request, 400, f"{HEADER} has at most {LONGEST} characters.")
            parts: Runtime = request.app.state.parts
            place_asked = f"{request.url.path}?{request.url.query}\n".encode()
            asked = hashlib.sha256(place_asked + await request.body()).hexdigest()
            place = (caller["workspace"], caller["id"], key)
            found = await run_in_threadpool(parts.replies.begin, *place, asked)
            if isinstance(found, Reply):
                return Response(found.body, found.status, {**found.headers, "Idempotent-Replayed": "true"})
            if found in REFUSED:
                return problems.answer(request, *REFUSED[found])
            return await _kept(parts, place, original, request)

        return handler


async def _caller(request: Request) -> dict[str, Any] | None:
    """Whose token it is; None leaves the refusal to the route itself."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    parts: Runtime = request.app.state.parts
    return await run_in_threadpool(parts.records.token, secret.strip()) if scheme.lower() == "bearer" else None


async def _kept(
    parts: Runtime,
    place: tuple[str, str, str],
    original: Callable[[Request], Coroutine[Any, Any, Response]],
    request: Request,
) -> Response:
    """Do it; only what was done is remembered, for what was refused may be asked again once it is mended."""
    try:
        answer = await original(request)
    except BaseException:
        await run_in_threadpool(parts.replies.forget, *place)
        raise
    headers = {k: v for k, v in answer.headers.items() if k in KEPT}
    reply = Reply(answer.status_code, headers, bytes(answer.body).decode())
    await run_in_threadpool(parts.replies.keep, *place, reply)
    return answer
