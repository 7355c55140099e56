"""How each service for short links is asked for one; the same address asked for again gives the same link."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from publishers.core import counting
from publishers.core.errors import Unavailable
from publishers.core.http import Http, judge
from worker.model import digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortener:
    """One service: ``asked`` makes the request's headers and body from the key, the domain ("" is the service's own)
    and the address; ``answer`` is where the short link stands in the JSON that comes back.
    """

    home: str
    method: str
    path: str
    asked: Callable[[str, str, str], Mapping[str, Any]]
    answer: str


def _dub(key: str, domain: str, link: str) -> Mapping[str, Any]:
    return {"headers": {"Authorization": f"Bearer {key}"}, "json": {"url": link, **_on(domain)}}


def _shortio(key: str, domain: str, link: str) -> Mapping[str, Any]:
    body = {"originalURL": link, "allowDuplicates": False, **_on(domain)}
    return {"headers": {"Authorization": key}, "json": body}


def _yourls(key: str, domain: str, link: str) -> Mapping[str, Any]:
    del domain  # an installation has one
    return {"form": {"signature": key, "action": "shorturl", "format": "json", "url": link}}


def _kutt(key: str, domain: str, link: str) -> Mapping[str, Any]:
    return {"headers": {"X-API-KEY": key}, "json": {"target": link, "reuse": True, **_on(domain)}}


def _on(domain: str) -> dict[str, str]:
    return {"domain": domain} if domain else {}


SHORTENERS: Mapping[str, Shortener] = {
    # https://dub.co/docs/api-reference/endpoint/upsert-a-link
    "dub": Shortener(home="https://api.dub.co", method="PUT", path="/links/upsert", asked=_dub, answer="shortLink"),
    # https://developers.short.io/reference/post_links
    "shortio": Shortener(home="https://api.short.io", method="POST", path="/links", asked=_shortio, answer="shortURL"),
    # https://yourls.org/docs/guide/advanced/api; an address it knows is "fail", with its short link
    "yourls": Shortener(home="", method="POST", path="/yourls-api.php", asked=_yourls, answer="shorturl"),
    # https://docs.kutt.it
    "kutt": Shortener(home="https://kutt.it", method="POST", path="/api/v2/links", asked=_kutt, answer="link"),
}


OWN = "own"
"""Stands for our own links, which nobody is asked for: ``web/links.py`` answers them."""

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def own(server: str, delivery: str, article: str) -> tuple[str, str]:
    """Our own short link for the article of a delivery, and its code: the same for ever, whoever makes it."""
    number, code = int(digest("link", delivery, article, length=13), 16), ""
    while number:
        number, rest = divmod(number, len(DIGITS))
        code = DIGITS[rest] + code
    return f"{server.rstrip('/')}/l/{code}", code


def shorten(http: Http, name: str, *, server: str, key: str, domain: str, link: str) -> str:
    """The short link for ``link``; raises PublishError if there is none that can stand in a post."""
    service = SHORTENERS[name]
    answer = http.send(
        service.method, f"{server.rstrip('/')}{service.path}", commit=False, **service.asked(key, domain, link)
    )
    error = judge(answer)
    try:
        short = answer.pick(service.answer)
    except Unavailable:
        raise error or answer.unreadable(f"the answer has no {service.answer}") from None
    parts = urlsplit(short)
    if parts.scheme not in {"http", "https"} or parts.username or counting.urls(short) != [(0, len(short))]:
        raise answer.unreadable(f"{short[:80]!r} is no address")
    return short
