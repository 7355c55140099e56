"""The second factor: codes from an authenticator app (RFC 6238), each good once, and others for a lost phone."""

from __future__ import annotations

import base64
import hmac
import re
import secrets
import time
from collections.abc import Callable
from urllib.parse import quote, urlencode

import segno
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from worker.errors import HandbillError
from worker.people import User
from worker.runtime import Runtime
from worker.store.people import digest
from worker.team import count

STEP = 30
"""Seconds that a code is shown; one earlier and one later are taken too, because clocks differ."""

CODES = 10
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is read as something else


def enabled(parts: Runtime, user: User) -> bool:
    """Whether a code is asked for when this user signs in."""
    return "secret" in parts.people.factor(user.id)


def begin(parts: Runtime, user: User) -> tuple[str, str]:
    """A new secret for an app: as base32, and as a picture (a data address) of what the app scans.

    It is asked for at sign-in only after ``confirm``; until then the one before stays.
    """
    kept = parts.people.factor(user.id)
    secret = base64.b32encode(secrets.token_bytes(20)).decode()
    parts.people.set_factor(user.id, kept | {"pending": secret})
    query = urlencode({"secret": secret, "issuer": "Handbill", "period": STEP, "digits": 6}, quote_via=quote)
    address = f"otpauth://totp/{quote('Handbill')}:{quote(user.email)}?{query}"
    return secret, segno.make(address, error="m").svg_data_uri(scale=4, border=2, dark="#000", light="#fff")


def confirm(parts: Runtime, user: User, code: str, *, now: Callable[[], float] = time.time) -> list[str]:
    """Ask for codes from now on, if the app shows the right one; returns the recovery codes, which are not kept."""
    pending = parts.people.factor(user.id).get("pending", "")
    count(parts, f"second:{user.id}", most=10, every=30)
    step = _step(pending, code, now())
    if step is None:
        raise HandbillError("That code is not the one the app shows now", do="Look again and type the newest one")
    _use(parts, user, pending, step)
    parts.people.forgive(f"second:{user.id}")
    codes = ["-".join("".join(secrets.choice(ALPHABET) for _ in range(5)) for _ in range(2)) for _ in range(CODES)]
    parts.people.set_factor(user.id, {"secret": pending, "codes": " ".join(digest(c) for c in codes)})
    return codes


def check(parts: Runtime, user: User, code: str, *, now: Callable[[], float] = time.time) -> None:
    """Raise HandbillError, or TooMany, unless ``code`` is good; it never is a second time."""
    kept = parts.people.factor(user.id)
    count(parts, f"second:{user.id}", most=10, every=30)
    given = re.sub(r"[\s-]", "", code.strip().lower())
    step = _step(kept.get("secret", ""), given, now())
    if step is not None and _use(parts, user, kept["secret"], step):
        parts.people.forgive(f"second:{user.id}")
        return
    if step is None and len(given) == 10:
        written = f"{given[:5]}-{given[5:]}"
        left = kept.get("codes", "").split()
        used = next((c for c in left if hmac.compare_digest(c, digest(written))), "")
        if used and parts.people.once(f"recovery:{user.id}:{used}", seconds=86_400):
            parts.people.set_factor(user.id, kept | {"codes": " ".join(c for c in left if c != used)})
            parts.people.forgive(f"second:{user.id}")
            return
    raise HandbillError("That code is not right, or was used already", do="Wait for the next one and type it")


def left(parts: Runtime, user: User) -> int:
    """How many recovery codes have not been used."""
    return len(parts.people.factor(user.id).get("codes", "").split())


def _use(parts: Runtime, user: User, secret: str, step: int) -> bool:
    """Use the code of ``secret`` that is of ``step`` up; False if it was used before, be it to turn this on."""
    return parts.people.once(f"code:{user.id}:{digest(secret)}:{step}", seconds=STEP * 4)


def _step(secret: str, code: str, now: float) -> int | None:
    """The 30 seconds that ``code`` is of; None if it is of none near ``now``."""
    if not secret or not re.fullmatch(r"[0-9]{6}", code):
        return None
    app = TOTP(base64.b32decode(secret), 6, SHA1(), STEP)  # noqa: S303 - what every app speaks; HMAC-SHA-1 is not broken
    for step in range(int(now) // STEP - 1, int(now) // STEP + 2):
        try:
            app.verify(code.encode(), step * STEP)
        except InvalidToken:
            continue
        return step
    return None
