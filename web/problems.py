"""How an error is said: as RFC 9457 problem details to programs, as a page of one sentence to people."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from web import render
from web.access import SignIn, sign_in_address
from worker.errors import HandbillError, NotFound, Refused, StoreDown, Undecided

KIND = "application/problem+json"
STATUS: Mapping[type[HandbillError], int] = {NotFound: 404, Refused: 409, StoreDown: 503}
"""What an error of ours is in HTTP; what is not named here was asked for wrongly."""


PLAIN: Mapping[int, str] = {409: "That cannot be done now", 422: "That cannot be done"}
"""What a person reads in the place of a status' name, where that says nothing to them."""


def answer(
    request: Request,
    status: int,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    errors: list[dict[str, Any]] | None = None,
    undecided: bool = False,
) -> Response:
    """The error as whoever asked can read it; ``errors`` are {pointer, detail} of a body's or query's parts;
    ``undecided`` whether the page Changes says more.
    """
    title = HTTPStatus(status).phrase
    if "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/"):
        title = PLAIN.get(status, title)
        delivery = request.path_params.get("delivery", "") if status == HTTPStatus.CONFLICT else ""
        told = {"title": title, "detail": detail, "delivery": delivery, "undecided": undecided}
        return render.page(request, "error.html", status=status, headers=headers, **told)
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "instance": request.url.path}
    if errors:
        body["errors"] = errors
    return JSONResponse(body, status, dict(headers or {}), KIND)


async def of_ours(request: Request, error: Exception) -> Response:
    """A HandbillError: its one clear line."""
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 422)
    return answer(request, status, str(error), undecided=isinstance(error, Undecided))


async def of_nobody(request: Request, error: Exception) -> Response:
    """Nobody is signed in: a person is led to where they can, anything else is told so."""
    assert isinstance(error, SignIn)
    wants = "text/html" in request.headers.get("accept", "") and "hx-request" not in request.headers
    if wants:
        return RedirectResponse(sign_in_address(error.back), 303)
    return answer(request, 401, "Sign in first, at /sign-in.", headers={"WWW-Authenticate": 'Session realm="Handbill"'})


async def of_http(request: Request, error: Exception) -> Response:
    """What the framework or a check of ours refuses."""
    assert isinstance(error, HTTPException)
    return answer(request, error.status_code, str(error.detail), headers=error.headers)


async def of_input(request: Request, error: Exception) -> Response:
    """A body or a query that is not what the description asks for."""
    assert isinstance(error, RequestValidationError)
    found = [{"pointer": "/" + "/".join(str(p) for p in e["loc"]), "detail": e["msg"]} for e in error.errors()]
    first = found[0]
    return answer(request, 422, f"{first['pointer']}: {first['detail']}", errors=found)
