"""The cookies there are, and the form token that is made of one: over https they are bound to this host alone."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from fastapi import Request
from starlette.responses import Response

from web.place import Place

DEVICE_SECONDS = 180 * 86_400
KINDS = ("session", "visit", "device", "flow")
"""``session`` who is signed in · ``visit`` proves the forms of those who are not · ``device`` has been signed in with
before · ``flow`` a sign-in that is half done."""


def name_of(kind: str, place: Place) -> str:
    """A cookie's name; browsers do not tell ports apart, and several Handbills may run on one machine."""
    return f"__Host-handbill-{kind}" if place.secure else f"handbill-{kind}-{place.origin.rpartition(':')[2]}"


def read(request: Request, kind: str, place: Place) -> str:
    """What a cookie holds; empty if there is none."""
    return request.cookies.get(name_of(kind, place), "")


def give(response: Response, kind: str, value: str, place: Place, *, seconds: int | None = None) -> None:
    """Set a cookie that no script reads and no other site's form sends; None = until the browser is closed."""
    response.set_cookie(
        name_of(kind, place), value, max_age=seconds, path="/", secure=place.secure, httponly=True, samesite="lax"
    )


def take(response: Response, kind: str, place: Place) -> None:
    """Remove a cookie."""
    response.delete_cookie(name_of(kind, place), path="/", secure=place.secure, httponly=True, samesite="lax")


def new() -> str:
    """A value nobody can guess."""
    return secrets.token_urlsafe(32)


def form_token(cookie: str, workspace: str = "") -> str:
    """What a form carries to prove that it is of a page of ours: nobody else can read the cookie it is made of.

    The workspace is in it, so that a page that was left open cannot act on the one that was switched to meanwhile.
    """
    return hmac.new(cookie.encode(), f"form:{workspace}".encode(), hashlib.sha256).hexdigest()
