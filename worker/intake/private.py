"""What of an address, a feed's or a listener's, only who asks there may know, and how it is shown without (pure)."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit, urlunsplit

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


def is_shown(text: str, address: str) -> bool:
    """Whether ``text`` is how ``address`` is shown, or was by a version that knew other secrets."""
    pattern = ".+".join(re.escape(part) for part in text.split(HIDDEN))
    return text == shown(address) or re.fullmatch(pattern, address) is not None


def secrets(address: str) -> list[str]:
    """What must not be repeated of an address that holds a secret: all after its host, and each part not shown."""
    if not is_private(address):
        return []
    seen = shown(address)
    if seen == HIDDEN:
        return [address]
    parts, open_parts = urlsplit(address), urlsplit(seen)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    pairs = [(parts.path.split("/"), open_parts.path.split("/")), (parts.query.split("&"), open_parts.query.split("&"))]
    hidden = [a for one, other in pairs for a, b in zip(one, other, strict=True) if a != b]
    values = [h.partition("=")[2] or h for h in hidden]
    stems = [h.partition(".")[0] for h in hidden]
    found = [address, target, user, password, *hidden, *values, *stems]
    return list(dict.fromkeys(f for text in found for f in (text, unquote(text)) if f))


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
