"""What of an address, a feed's or a listener's, only who asks there may know, and how it is shown without (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

HIDDEN = "•••"
"""No address that is asked holds this: there it would be escaped."""

SEALED = "sealed:"
"""Begins what is stored in an address's place where it is kept encrypted: whoever does not know that, such as a worker
of a version before, asks no such thing, for it is no web address."""

PROVES = re.compile(
    r"tokens?$|secret(?!ar)|passw|passphrase|pwd$|jwt|hmac|signature|credential|auth(?!or(?!i[sz]))"
    r"|(?:^|^x|api|access|user|feed|rss|client|member|subscriber|subscription|account|customer|private|app|site)keys?$"
)
"""Parameters that prove who asks, by their names without signs."""

WORDS = frozenset({"token", "pass", "pw", "sig", "cred", "creds"})
MAY_PROVE = frozenset({"session", "sess", "sid", "private", "hash", "key"})
"""Words of a name that prove who asks unless the value is a small number, such as a year."""

MAY_BE_ONE = frozenset({"code", "access", "license", "licence"})
"""Words of a name that prove who asks where the value holds letters and digits in one."""

FLAGS = frozenset({"0", "1", "true", "false", "yes", "no", "on", "off"})
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
NAMES_A_THING = re.compile(
    r"(?<!u)id$|guid$|^(?:list|playlist|channel|show|podcast|album|collection|v)$", re.IGNORECASE
)
THINGS = re.compile(
    r"(?:show|podcast|channel|playlist|episode|program(?:me)?|album|collection|station)s?|series|public", re.IGNORECASE
)
"""Parts of a path behind which the next names what anybody may hear."""

ADDRESS = re.compile(r"[a-z]+://[^\s<>\"',;]+[^\s<>\"',;.:)]", re.IGNORECASE)
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
LEAST_TOLD = 6
"""Characters of a part of a path that is secret because somebody said so; shorter ones are words like ``api``."""

LEAST, LEAST_MIXED = 20, 14
"""Characters of what was drawn at random and nobody guesses; words, dates and numbers are shorter, or plainer."""


def shown(address: str, *, secret: bool | None = None) -> str:
    """``address`` with what is secret in it left out: a password, parameters, parts of the path. Twice is as once.

    ``secret`` is what somebody said of it: everything behind its host, or nothing but a password.
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        return HIDDEN
    place = f"{HIDDEN}@{parts.netloc.rpartition('@')[2]}" if "@" in parts.netloc else parts.netloc
    if secret and (parts.path.strip("/") or parts.query):
        return urlunsplit((parts.scheme, place, f"/{HIDDEN}", "", ""))
    path, query = parts.path, parts.query
    if secret is None:
        pieces = _found(parts)
        path, query = ("".join(keep + (HIDDEN if hidden else "") + rest for keep, hidden, rest in p) for p in pieces)
    if (place, path, query) == (parts.netloc, parts.path, parts.query):
        return address
    return urlunsplit((parts.scheme, place, path, query, parts.fragment))


def is_private(address: str, *, secret: bool | None = None) -> bool:
    """Whether an address holds a secret, or is one because somebody said so."""
    return shown(address, secret=secret) != address


def is_shown(text: str, address: str) -> bool:
    """Whether ``text`` is how ``address`` is shown, or was by a version that knew other secrets."""
    pattern = ".+".join(re.escape(part) for part in text.split(HIDDEN))
    return text == shown(address) or re.fullmatch(pattern, address) is not None


def secrets(address: str, *, secret: bool | None = None) -> list[str]:
    """What must not be repeated of an address that holds a secret: it, all after its host, and each part not shown."""
    if not is_private(address, secret=secret):
        return []
    try:
        parts = urlsplit(address)
    except ValueError:
        return [address]
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    hidden = [hidden for pieces in _found(parts) for _, hidden, _ in pieces] if secret is None else []
    if secret:
        values = [value for _, _, value in (p.partition("=") for p in re.split("[&;]", parts.query))]
        hidden = [parts.path, *(p for p in (*parts.path.split("/"), *values) if len(p) >= LEAST_TOLD)]
    found = [address, target, user, password, *hidden]
    return list(dict.fromkeys(f for text in found for f in (text, unquote(text)) if f.strip("/")))


def without(text: str, address: str, *, secret: bool | None = None) -> str:
    """``text`` that was said of ``address``, such as an error, without what is secret in it or in any address in it."""
    text = ADDRESS.sub(lambda found: shown(found[0], secret=secret), text)
    for found in sorted(secrets(address, secret=secret), key=len, reverse=True):
        text = text.replace(found, HIDDEN)
    return text


def said(address: str, *, secret: bool | None) -> str:
    """What somebody said of an address, as it is kept; that it is public was said of this address alone."""
    if secret is None:
        return ""
    return "private" if secret else f"public {shown(address, secret=False)}"


def was_said(kept: str, address: str) -> bool | None:
    """What somebody said of ``address``, by what was kept of that; None: nothing."""
    return next((secret for secret in (True, False) if kept == said(address, secret=secret)), None)


def _found(parts: SplitResult) -> tuple[list[tuple[str, str, str]], list[tuple[str, str, str]]]:
    """Path and query in pieces: what is shown, what is secret behind it, and what is shown behind that."""
    return list(_path(parts.path)), [_parameter(p) for p in re.split(r"([&;])", parts.query)]


def _path(path: str) -> Iterator[tuple[str, str, str]]:
    before = ""
    for number, part in enumerate(path.split("/")):
        name, sign, parameters = part.partition(";")
        yield "/" if number else "", "", ""
        yield (name, "", "") if THINGS.fullmatch(before) else _part(name)
        yield sign, "", ""
        yield from (_parameter(p) for p in re.split("(;)", parameters))
        before = name


def _parameter(text: str) -> tuple[str, str, str]:
    name, sign, value = text.partition("=")
    return (f"{name}{sign}", value, "") if value and _proves(unquote(name), value) else (text, "", "")


def _proves(name: str, value: str) -> bool:
    words = {w.lower() for w in WORD.findall(name)}
    plain = re.sub(r"[\W_]", "", name).lower()
    if value.lower() in FLAGS:
        return False
    if value == HIDDEN or PROVES.search(plain) or words & WORDS:
        return True
    if (words & MAY_PROVE - {"key"} or plain == "key") and not re.fullmatch(r"\d{1,4}", value):
        return True
    if words & MAY_BE_ONE and re.search(r"(?=[a-z]*\d)(?=\d*[a-z])[a-z\d]{6}", value, re.IGNORECASE):
        return True
    return _drawn(value) and not NAMES_A_THING.search(name)


def _part(text: str) -> tuple[str, str, str]:
    """A part of a path; what kind of file it is stays."""
    name, dot, kind = text.partition(".")
    if text.startswith("eyJ"):  # a JSON web token, which holds dots
        return "", text, ""
    return ("", name, dot + kind) if _drawn(name) else (text, "", "")


def _drawn(text: str) -> bool:
    """Whether it looks like something drawn at random, or holds that between hyphens."""
    if UUID.fullmatch(text) or ("-" in text and any(len(p) >= LEAST and _drawn(p) for p in text.split("-"))):
        return True
    digits, lower, upper = (re.search(kind, text) for kind in (r"\d.*\d", r"[a-z]", r"[A-Z]"))
    mixed = bool(digits and lower and upper)
    if re.fullmatch(r"\w+", text, re.ASCII):
        return (len(text) >= LEAST_MIXED and mixed) or (len(text) >= LEAST and bool(digits and (lower or upper)))
    return len(text) >= LEAST and mixed and bool(re.fullmatch(r"[\w%+=.~-]+", text, re.ASCII))
