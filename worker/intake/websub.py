"""How a hub is found, asked to call, and believed: WebSub, and its elder rssCloud. Pure: bytes in, words out.

https://www.w3.org/TR/websub/ and http://scripting.com/opmlHowto/dave/rssCloud/walkthrough.html, read 2026-11-25.
A hub's call is a reason to fetch the feed again; what it carries is never read as content.
"""

from __future__ import annotations

import hmac
import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

LEASE = 10 * 86_400
"""Seconds that a hub is asked to call for; it may choose fewer or more."""

LEASE_LEAST, LEASE_MOST = 300, 90 * 86_400
"""Seconds; a hub that says less would be asked all day long, one that says more is asked again all the same."""

CLOUD_LEASE = 25 * 3_600
"""Seconds that an rssCloud registration lasts by convention; it is renewed each day."""

RENEW_AT = 0.8
"""The part of a lease after which it is renewed."""

METHODS = ("sha1", "sha256", "sha384", "sha512")
SEARCHED = 65_536
"""Bytes at the start of a feed in which its hub is looked for: its head, before the first articles."""

CHALLENGE_MOST = 2_000
TAG = re.compile(rb"<(?:[a-zA-Z][\w.-]*:)?(link|cloud)\b([^<>]{1,4000})>", re.IGNORECASE)
ATTRIBUTE = re.compile(r"""([a-zA-Z:]{1,40})\s*=\s*(?:"([^"]{0,2000})"|'([^']{0,2000})')""")
LINK = re.compile(
    r"""<([^<>]{1,2000})>((?:\s*;\s*[\w*!#$&+.^`|~-]+\s*(?:=\s*(?:"[^"]{0,2000}"|[^\s",;]{0,2000}))?){0,20})"""
)
PARAMETER = re.compile(r""";\s*([\w*!#$&+.^`|~-]+)\s*=\s*(?:"([^"]*)"|([^\s",;]*))""")


@dataclass(frozen=True, slots=True)
class Push:
    """Who can say that a feed has news: ``hub`` knows it as ``topic``; ``cloud`` is an rssCloud server. Addresses."""

    hub: str = ""
    topic: str = ""
    cloud: str = ""

    def __bool__(self) -> bool:
        return bool((self.hub and self.topic) or self.cloud)


def discover(link_headers: str, body: bytes, base: str) -> Push:
    """Who announces changes of the feed at ``base``: Link headers are believed first, then the feed's own words."""
    hub, topic = _best(_headers(link_headers), base)
    cloud = ""
    if not hub:
        hub, topic = _best(_json(body) if body.lstrip()[:1] == b"{" else _elements(body), base)
    for name, found in _tags(body):
        if name == "cloud" and not cloud:
            cloud = _cloud(found)
    # A cloud knows a feed by the address that it is read at.
    return Push(hub, (topic or base) if hub else base if cloud else "", cloud)


def _best(links: Iterator[tuple[str, str]], base: str) -> tuple[str, str]:
    """The first hub, one behind https before others, and the first self, as absolute addresses."""
    hubs: list[str] = []
    selves: list[str] = []
    for rel, href in links:
        try:
            url = urljoin(base, href)
            usable = urlsplit(url).scheme in {"http", "https"} and bool(urlsplit(url).hostname)
        except ValueError:
            continue
        if usable:
            (hubs if rel == "hub" else selves).append(url)
    hubs.sort(key=lambda u: not u.startswith("https:"))
    return (hubs[0] if hubs else ""), (selves[0] if selves else "")


def _headers(value: str) -> Iterator[tuple[str, str]]:
    for found in LINK.finditer(value[:16_000]):
        for name, quoted, plain in PARAMETER.findall(found[2]):
            if name.lower() == "rel":
                for rel in (quoted or plain).lower().split():
                    if rel in {"hub", "self"}:
                        yield rel, found[1]


def _elements(body: bytes) -> Iterator[tuple[str, str]]:
    for name, found in _tags(body):
        if name == "link" and "href" in found:
            for rel in found.get("rel", "").lower().split():
                if rel in {"hub", "self"}:
                    yield rel, found["href"]


def _json(body: bytes) -> Iterator[tuple[str, str]]:
    """A JSON Feed names its hubs and itself. https://www.jsonfeed.org/version/1.1/, read 2026-11-25."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return
    if not isinstance(data, dict):
        return
    hubs = data.get("hubs")
    for hub in hubs if isinstance(hubs, list) else ():
        if isinstance(hub, dict) and str(hub.get("type", "")).lower() == "websub" and isinstance(hub.get("url"), str):
            yield "hub", hub["url"]
    if isinstance(data.get("feed_url"), str):
        yield "self", data["feed_url"]


def _tags(body: bytes) -> Iterator[tuple[str, dict[str, str]]]:
    head = body[:SEARCHED]
    end = min((i for i in (head.find(b"<item"), head.find(b"<entry")) if i >= 0), default=len(head))
    for tag in TAG.finditer(head[:end]):
        text = tag[2].decode("utf-8", "replace")
        found = {n.lower(): html.unescape(a or b).strip() for n, a, b in ATTRIBUTE.findall(text)}
        yield tag[1].decode().lower(), found


def _cloud(found: Mapping[str, str]) -> str:
    """Only those that are asked by a plain HTTP request; XML-RPC and SOAP clouds are long gone."""
    if found.get("protocol", "").lower() not in {"http-post", "https-post"}:
        return ""
    domain, port, path = found.get("domain", ""), found.get("port", "80"), found.get("path", "/")
    if not re.fullmatch(r"[\w.-]{1,253}", domain) or not re.fullmatch(r"[0-9]{1,5}", port):
        return ""
    scheme = "https" if port == "443" or found["protocol"].lower() == "https-post" else "http"
    standard = {"http": "80", "https": "443"}[scheme]
    return f"{scheme}://{domain}{'' if port == standard else ':' + port}/{path.lstrip('/')}"


def request(mode: str, *, topic: str, callback: str, secret: str, lease: int = LEASE) -> dict[str, str]:
    """The form that asks a hub to ``subscribe`` or ``unsubscribe`` ``callback`` to ``topic``."""
    form = {"hub.callback": callback, "hub.mode": mode, "hub.topic": topic}
    if mode == "subscribe":
        form |= {"hub.lease_seconds": str(lease), "hub.secret": secret}
    return form


def registration(feed: str, *, callback: str) -> dict[str, str]:
    """The form that asks an rssCloud server to call ``callback`` when ``feed`` changes."""
    parts = urlsplit(callback)
    return {
        "notifyProcedure": "",
        "domain": parts.hostname or "",
        "port": str(parts.port or (443 if parts.scheme == "https" else 80)),
        "path": parts.path,
        "protocol": "https-post" if parts.scheme == "https" else "http-post",
        "url1": feed,
    }


def registered(body: bytes) -> bool:
    """Whether an rssCloud server says that it registered us, in its XML or in JSON."""
    return bool(re.search(rb"""success["']?\s*[=:]\s*["']?true\b""", body[:4_000], re.IGNORECASE))


def lease_of(query: Mapping[str, str]) -> int:
    """Seconds for which the hub says it will call."""
    text = query.get("hub.lease_seconds", "")
    seconds = int(text) if re.fullmatch(r"[0-9]{1,12}", text) else LEASE
    return min(max(seconds, LEASE_LEAST), LEASE_MOST)


def challenge_of(query: Mapping[str, str]) -> str:
    """The challenge to be sent back, if it is one that may be: short and printable."""
    given = query.get("hub.challenge", query.get("challenge", ""))
    return given if 0 < len(given) <= CHALLENGE_MOST and given.isprintable() else ""


def signed(header: str, body: bytes, secret: str) -> bool:
    """Whether ``X-Hub-Signature`` (``method=hex``) is right for ``body``; a method we do not know is not."""
    method, _, given = header.strip().partition("=")
    if method.lower() not in METHODS or not secret:
        return False
    wanted = hmac.digest(secret.encode(), body, method.lower()).hex()
    return hmac.compare_digest(given.strip().lower().encode(), wanted.encode())
