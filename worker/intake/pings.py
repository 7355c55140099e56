"""The ping that a plain WordPress sends to its update services: an XML-RPC call in, who has news out.

http://web.archive.org/web/20061219194420/www.xmlrpc.com/weblogsCom and http://rssrpc.weblogs.com/api.html, read
2026-11-25. No document type is taken, so no entity is ever expanded.
"""

from __future__ import annotations

import re
import xmlrpc.client
from dataclasses import dataclass
from urllib.parse import urlsplit
from xml.parsers import expat

from worker.errors import HandbillError

BODY_MOST = 16_000
"""Bytes; a ping is a name and two addresses."""

METHODS = ("weblogUpdates.ping", "weblogUpdates.extendedPing")
PLACES = 4
NO_METHOD, NO_CALL = -32601, -32700  # http://xmlrpc-epi.sourceforge.net/specs/rfc.fault_codes.php


class BadPing(HandbillError):
    """It is no ping; ``fault`` is XML-RPC's number for why."""

    def __init__(self, what: str, fault: int = NO_CALL) -> None:
        super().__init__(what)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Ping:
    """A site says that it has news: its name, and every address that it gives (its own, a changed page, a feed)."""

    name: str
    urls: tuple[str, ...]


def read(body: bytes) -> Ping:
    """The ping in ``body``; raises BadPing, and nothing else whatever was sent.

    Systems disagree about the third place of an extended ping (WordPress puts its feed there, the specification a
    page), so all addresses count alike.
    """
    if len(body) > BODY_MOST:
        raise BadPing("The ping is too long")
    _refuse_declarations(body)
    try:
        values, method = xmlrpc.client.loads(body)
    except Exception as error:
        # Its parser raises whatever its parts raise: ExpatError, ValueError, TypeError, IndexError, ResponseError, …
        raise BadPing("It is no XML-RPC call") from error
    if method not in METHODS:
        raise BadPing(f"There is no method {str(method)[:80]}; there are {' and '.join(METHODS)}", NO_METHOD)
    texts = [v.strip() for v in values[: PLACES + 1] if isinstance(v, str)]
    urls = tuple(t for t in texts[1:] if re.match(r"https?://[^\s/]", t, re.IGNORECASE) and len(t) <= 2_000)
    if not texts or not urls:
        raise BadPing("A ping names a site and its address")
    return Ping(texts[0][:300], urls)


def _refuse_declarations(body: bytes) -> None:
    def refuse(*_: object) -> None:
        raise BadPing("A ping declares no document type")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError, UnicodeError):
        raise BadPing("It is no XML-RPC call") from None


def thanks(message: str, *, failed: bool = False) -> bytes:
    """The answer to a ping: a struct of ``flerror`` and ``message``."""
    answer = xmlrpc.client.dumps(({"flerror": failed, "message": message},), methodresponse=True)
    return answer.encode("ascii", "xmlcharrefreplace")


def fault(error: BadPing) -> bytes:
    """The answer to what is no ping."""
    answer = xmlrpc.client.dumps(xmlrpc.client.Fault(error.fault, str(error)), methodresponse=True)
    return answer.encode("ascii", "xmlcharrefreplace")


def same_site(ping: Ping, *addresses: str) -> bool:
    """Whether a ping is of the site that one of ``addresses`` (a feed, a page) belongs to: the same host."""
    hosts = {_host(a) for a in addresses} - {""}
    return any(_host(u) in hosts for u in ping.urls)


def _host(address: str) -> str:
    try:
        host = (urlsplit(address).hostname or "").rstrip(".")
    except ValueError:
        return ""
    return host.removeprefix("www.")
