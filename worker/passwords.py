"""How passwords are kept: argon2id, a few at a time, and what makes one too weak to take."""

from __future__ import annotations

import functools
import threading

import argon2

from worker.errors import HandbillError

SHORTEST = 12
"""Characters; no rules about their kinds, any of them may be used (NIST SP 800-63B-4, 3.1.1.2, read 2026-11-25)."""

LONGEST = 1000

_AT_ONCE = threading.BoundedSemaphore(2)
"""Each takes 64 MiB and a core for some 50 ms: a storm of guesses may not take the machine with it."""


@functools.cache
def _hasher() -> argon2.PasswordHasher:
    return argon2.PasswordHasher()  # RFC 9106's second recommended option


@functools.cache
def _nobody() -> str:
    """What is compared when there is no such user, so that the answer takes as long."""
    return _hasher().hash("nobody has this password")


def acceptable(password: str, *, not_in: tuple[str, ...] = ()) -> str:
    """``password``; raises HandbillError saying why it is not taken. ``not_in`` are words it may not be made of."""
    if len(password) < SHORTEST:
        raise HandbillError("The password is too short", do=f"Use at least {SHORTEST} characters, such as four words")
    if len(password) > LONGEST:
        raise HandbillError("The password is too long", do=f"Use at most {LONGEST} characters")
    bare = password.casefold()
    for word in (*not_in, "handbill", "password"):
        bare = bare.replace(word.casefold(), "") if len(word) > 2 else bare
    if len(set(bare)) < 5:
        raise HandbillError("The password is easily guessed", do="Use four words that do not belong together")
    return password


def hashed(password: str) -> str:
    """What is kept of a password."""
    with _AT_ONCE:
        return _hasher().hash(password)


def matches(kept: str, password: str) -> bool:
    """Whether ``password`` is the one that was kept; ``kept`` empty takes as long and says no."""
    with _AT_ONCE:
        try:
            return _hasher().verify(kept or _nobody(), password[:LONGEST]) and bool(kept)
        except argon2.exceptions.VerificationError:
            return False


def outdated(kept: str) -> bool:
    """Whether it was kept with weaker parameters than today's."""
    return _hasher().check_needs_rehash(kept)
