"""When two addresses, guids or texts are one article (pure): the keys an article is recognised by, the surest first."""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import regex

from worker.model import digest
from worker.tracking import TRACKING

AMP_CACHE = regex.compile(r"(?:[\w-]+\.)?cdn\.ampproject\.org|(?:www\.)?google\.[a-z.]{2,6}(?=/amp/)", regex.I)
AMP_QUERY = {("amp", ""), ("amp", "1"), ("amp", "true"), ("outputtype", "amp"), ("output", "amp"), ("noamp", "mobile")}
SUBDOMAINS = regex.compile(r"^(?:www\d?|m|mobile|mobil|touch|amp)\.(?=[^.]+\.)", regex.I)
INDEX = regex.compile(r"/(?:index|default)\.(?:html?|php|aspx?)$", regex.I)
SAFE = "!$&'()*+,;=:@-._~/"
BANDS, ROWS = 8, 4
SAME_BANDS = 5
"""Of texts that are alike in nine of ten word groups, 62 in 100 agree in so many bands; of half alike, 1 in 5,000."""

LEAST_WORDS = 40
MASK = (1 << 32) - 1


def address_key(url: str) -> str:
    """What all addresses of one article have in common: no scheme, tracking, AMP, mobile host, index file or fragment.

    The order of the parameters, the last slash and how characters are escaped make no difference. "" for no address.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return ""
    if parts.scheme.lower() not in {"http", "https"} or not host:
        return ""
    path = parts.path
    if AMP_CACHE.match(host + path):
        # https://example-org.cdn.ampproject.org/c/s/example.org/a, https://www.google.com/amp/s/example.org/a
        rest = regex.sub(r"^/(?:[cvir]/|amp/)?(?:s/)?", "", path)
        inner, slash, tail = rest.partition("/")
        if "." in inner:
            host, port, path = inner.lower(), None, slash + tail
    with suppress(UnicodeError):
        host = host if host.isascii() else host.encode("idna").decode()
    while SUBDOMAINS.match(host):
        host = SUBDOMAINS.sub("", host)
    path = quote(unquote(path), safe=SAFE)
    path = regex.sub(r"/{2,}", "/", path)
    path = regex.sub(r"^/amp(?=/.)|/amp/?$|\.amp(?=\.html?$)|(?<=\.html?)\.amp$", "", path, flags=regex.I)
    path = INDEX.sub("/", path).rstrip("/")
    query = [
        (k, v)
        for k, v in parse_qsl(parts.query, keep_blank_values=True)
        if not TRACKING.fullmatch(k) and (k.lower(), v.lower()) not in AMP_QUERY and not _from_feed(k, v)
    ]
    tail = f"?{urlencode(sorted(query))}" if query else ""
    mark = f"#{parts.fragment}" if parts.fragment.startswith("!") else ""
    at = f":{port}" if port not in {None, 80, 443} else ""
    return f"u:{host.lower()}{at}{path}{tail}{mark}"


def _from_feed(name: str, value: str) -> bool:
    """Whether a parameter only says that its link stood in a feed: ``?source=rss----8f2``."""
    return name.lower() in {"source", "ref", "from", "via"} and value.lower().startswith(("rss", "feed", "atom"))


def guid_key(guid: str, source: str) -> str:
    """The key of a guid: everywhere the same if it is an address or a URN, else only within its source; "" for none."""
    guid = " ".join(guid.split())[:1000]
    if not guid:
        return ""
    if regex.match(r"(?:https?|tag|urn|at):", guid, regex.I):
        return f"g:{guid}"
    return f"g:{source}:{guid}"


def text_keys(text: str) -> list[str]:
    """Keys of a text of which like texts share most (MinHash in bands); none of a text too short to tell."""
    tokens = regex.findall(r"\p{Han}|\p{Hiragana}|\p{Katakana}|\p{Thai}|[\p{L}\p{N}]+", _plain(text)[:6000])[:600]
    if len(tokens) < LEAST_WORDS:
        return []
    groups = {zlib.crc32(" ".join(tokens[i : i + 3]).encode()) for i in range(len(tokens) - 2)}
    least = [min((a * g + b) >> 28 & MASK for g in groups) for a, b in _FACTORS]
    return [f"t{band}:{digest(*least[band * ROWS : (band + 1) * ROWS], length=12)}" for band in range(BANDS)]


def same_title(one: str, other: str) -> bool:
    """Whether two titles say the same but for marks, spaces and case; an empty one says nothing."""
    a, b = (regex.sub(r"[^\p{L}\p{N}]+", " ", _plain(t)).strip() for t in (one, other))
    return bool(a) and a == b


def repeated(guids: Iterable[str]) -> set[str]:
    """Guids that several entries of one feed bear: they tell nothing apart."""
    seen: set[str] = set()
    return {g for g in guids if g and (g in seen or seen.add(g))}  # type: ignore[func-returns-value]  # add answers None


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


_FACTORS = [(int(digest("a", n, length=15), 16) | 1, int(digest("b", n, length=15), 16)) for n in range(BANDS * ROWS)]
