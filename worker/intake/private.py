"""What of a feed's address only its reader may know, and how the address is shown without it (pure)."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

HIDDEN = "•••"
"""No address that is asked holds this: there it would be escaped."""

SECRET = re.compile(
    r"token|secret|passw|pwd|jwt|hmac|session|cred|private|licen[cs]e|hash|auth(?!or)|key(?!w)|(?:^|[_-])sig",
    re.IGNORECASE,
)
"""Parameters that prove who asks, by their names."""

NAMES_A_THING = re.compile(r"id$", re.IGNORECASE)
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
LEAST, LEAST_MIXED = 20, 14
"""Characters of what was drawn at random and nobody guesses; words, dates and numbers are shorter, or plainer."""


def shown(address: str) -> str:
    """``address`` with what is secret in it left out: a password, parameters, parts of the path. Twice is as once."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return HIDDEN
    place = f"{HIDDEN}@{parts.netloc.rpartition('@')[2]}" if "@" in parts.netloc else parts.netloc
    path = "/".join(_part(p) for p in parts.path.split("/"))
    query = "&".join(_parameter(p) for p in parts.query.split("&"))
    if (place, path, query) == (parts.netloc, parts.path, parts.query):
        return address
    return urlunsplit((parts.scheme, place, path, query, parts.fragment))


def is_private(address: str) -> bool:
    """Whether an address holds a secret."""
    return shown(address) != address


def _parameter(text: str) -> str:
    name, sign, value = text.partition("=")
    secret = SECRET.search(name) or (_drawn(value) and not NAMES_A_THING.search(name))
    return f"{name}{sign}{HIDDEN}" if value and secret else text


def _part(text: str) -> str:
    """A part of a path; what kind of file it is stays."""
    name, dot, kind = text.partition(".")
    if text.startswith("eyJ"):  # a JSON web token, which holds dots
        return HIDDEN
    return f"{HIDDEN}{dot}{kind}" if _drawn(name) else text


def _drawn(text: str) -> bool:
    """Whether it looks like something drawn at random."""
    if UUID.fullmatch(text):
        return True
    digits, lower, upper = (re.search(kind, text) for kind in (r"\d.*\d", r"[a-z]", r"[A-Z]"))
    mixed = bool(digits and lower and upper)
    if re.fullmatch(r"\w+", text, re.ASCII):
        return (len(text) >= LEAST_MIXED and mixed) or (len(text) >= LEAST and bool(digits and (lower or upper)))
    return len(text) >= LEAST and mixed and bool(re.fullmatch(r"[\w%+=.~-]+", text, re.ASCII))
