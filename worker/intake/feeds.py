"""What a feed says, in any dialect (pure): RSS 0.9 to 2.0, Atom 0.3 and 1.0, JSON Feed, sitemaps with or without news.

lxml without entities rather than feedparser: 1 MB made to hurt costs that one 2 to over 60 s, and this 0.1 s.
"""

from __future__ import annotations

import email.utils
import html
import html.entities
import itertools
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from typing import Any
from urllib.parse import urljoin, urlsplit

import regex
from lxml import etree

from worker.errors import BadSource

MOST_BYTES = 5_000_000
MOST_ENTRIES = 500
MOST_TAGS = 50
ACCEPT = (
    "application/atom+xml,application/rss+xml,application/feed+json,application/xml;q=0.9,text/xml;q=0.9,"
    "application/json;q=0.8,*/*;q=0.1"
)
SPACES = {  # which prefix each namespace has here; what is a feed's own has none
    "http://www.w3.org/2005/Atom": "atom",
    "http://purl.org/atom/ns#": "atom",
    "http://purl.org/rss/1.0/": "",
    "http://my.netscape.com/rdf/simple/0.9/": "",
    "http://channel.netscape.com/rdf/simple/0.9/": "",
    "http://backend.userland.com/rss2": "",
    "http://www.sitemaps.org/schemas/sitemap/0.9": "",
    "http://www.google.com/schemas/sitemap/0.84": "",
    "http://www.google.com/schemas/sitemap-news/0.9": "news",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#": "rdf",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/dc/terms/": "dc",
    "http://purl.org/rss/1.0/modules/syndication/": "sy",
    "http://rssnamespace.org/feedburner/ext/1.0": "feedburner",
    "http://www.itunes.com/dtds/podcast-1.0.dtd": "itunes",
    "http://search.yahoo.com/mrss/": "media",
}
GZIP = b"\x1f\x8b"  # sitemaps are often files that end in .xml.gz
XML_ENTITIES = {"amp", "lt", "gt", "quot", "apos"}
PERIODS = {"hourly": 3600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, "yearly": 31_536_000}
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CDATA = regex.compile(r"(<!\[CDATA\[.*?(?:\]\]>|\Z))", regex.S)
REFERENCE = regex.compile(r"&(?:#(\d{1,7}|[xX][0-9a-fA-F]{1,6});|([A-Za-z][A-Za-z0-9]{1,31});)?")
BARE = regex.compile(r"<+(?=<[A-Za-z_/!?:])|<+(?![A-Za-z_/!?:<])")
WEB_PAGE = regex.compile(r"<!doctype html|<(?:html|head|body)\b", regex.I)
CONTROL = regex.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
DECLARATION = regex.compile(r"^\s*<\?xml[^>]{0,200}\?>")
DOCTYPE = regex.compile(r"<!DOCTYPE[^\[>]*+(?:\[[^\]]*+\]\s*)?+>", regex.I)
MARKUP = regex.compile(r"<[/!?A-Za-z][^<>]{0,2000}>")
ZONES = {"Z": "+0000", "CET": "+0100", "CEST": "+0200", "BST": "+0100", "MSK": "+0300", "JST": "+0900", "IST": "+0530"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a feed says of one article; any of it may be empty, but not ``address``."""

    address: str
    guid: str = ""
    title: str = ""
    author: str = ""
    tags: tuple[str, ...] = ()
    language: str = ""
    published: datetime | None = None
    updated: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A feed as it says itself. ``ttl`` in seconds; ``skip_hours`` (0 to 23) and ``skip_days`` (0 = Monday) in UTC.

    ``hub`` and ``topic`` are for WebSub, ``cloud`` is rssCloud's address of registration, ``parts`` are the sitemaps
    of an index, the latest first. ``without`` is how many entries had no address.
    """

    dialect: str
    title: str = ""
    language: str = ""
    home: str = ""
    entries: tuple[Entry, ...] = ()
    without: int = 0
    ttl: float = 0
    skip_hours: frozenset[int] = frozenset()
    skip_days: frozenset[int] = frozenset()
    hub: str = ""
    topic: str = ""
    cloud: str = ""
    parts: tuple[str, ...] = ()


class NoFeed(BadSource):
    """It was read and is no feed."""


def read(body: bytes, url: str, charset: str = "") -> Feed:
    """The feed in ``body``, which stood at ``url``; raises NoFeed, whatever it is."""
    if body.startswith(GZIP):
        body = _unpacked(body)
    if len(body) > MOST_BYTES:
        raise NoFeed("The feed is too large", why=f"more than {MOST_BYTES // 1_000_000} MB")
    text = _decoded(body, charset)
    start = text.lstrip("\ufeff \t\r\n")
    if start[:1] in {"{", "["}:
        return _json(start, url)
    if WEB_PAGE.search(start[:1000]):
        raise NoFeed("It is no feed", why="it is a web page")
    root = _tree(start)
    if root is None:
        raise NoFeed("It is no feed", why="it is neither XML nor JSON")
    space, name = _name(root)
    if name == "rss" or (space == "rdf" and name.lower() == "rdf"):
        return _rss(root, url)
    if name == "feed":
        return _atom(root, url)
    if name == "urlset":
        return _sitemap(root, url)
    if name == "sitemapindex":
        return _index(root, url)
    raise NoFeed("It is no feed", why=f"it begins with <{name[:40]}>")


def moment(text: str) -> datetime | None:
    """The instant that a date of any usual spelling names, in UTC; None if it is none or lies beyond reason."""
    text = " ".join(text.split())[:80]
    for name, offset in ZONES.items():
        text = regex.sub(rf"(?<=[\d ]){name}$", offset, text)
    found: datetime | None = None
    with suppress(ValueError, OverflowError):
        found = datetime.fromisoformat(regex.sub(r"(?<=\d) (?=[+-]\d\d:?\d\d$)", "", text))
    if found is None:
        with suppress(ValueError, TypeError, OverflowError, IndexError):
            found = email.utils.parsedate_to_datetime(text)
    if found is None and (begin := regex.match(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?", text)):
        with suppress(ValueError):
            found = datetime.fromisoformat(begin[0])
    if found is None:
        return None
    with suppress(ValueError, OverflowError):
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        return found if 1990 <= found.year <= 2200 else None
    return None


def rhythm(feed: Feed) -> float:
    """The usual seconds between two articles of a feed, by its latest ten; 0 if it does not say."""
    instants = sorted({d for e in feed.entries if (d := e.published or e.updated)}, reverse=True)[:11]
    gaps = sorted((a - b).total_seconds() for a, b in itertools.pairwise(instants))
    return gaps[len(gaps) // 2] if gaps else 0.0


def open_hour(feed: Feed, at: datetime) -> datetime:
    """``at``, or the start of the first hour after it in which the feed may be asked."""
    if len(feed.skip_hours) >= 24 or len(feed.skip_days) >= 7:
        return at
    while at.hour in feed.skip_hours or at.weekday() in feed.skip_days:
        at = at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return at


def _unpacked(body: bytes) -> bytes:
    from worker.intake.client import unpacked  # noqa: PLC0415 - only here

    try:
        return b"".join(unpacked([body], "The feed", MOST_BYTES))
    except (BadSource, HTTPException) as error:
        raise NoFeed("It is no feed", why=str(getattr(error, "why", "") or error)) from None


def _decoded(body: bytes, charset: str) -> str:
    """The text: by its mark, as UTF-8 if it is valid, as declared, else as Latin."""
    from worker.intake.fetch import BOMS, codec  # noqa: PLC0415 - only here

    for mark, encoding in BOMS:
        if body.startswith(mark):
            return body.decode(encoding, "replace")
    declared = regex.match(rb"""\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9_.:-]{1,40})""", body[:400])
    names = ["utf-8", codec(charset), codec(declared[1].decode()) if declared else "", "cp1252"]
    if body[:4].count(b"\0") == 2:
        names.insert(0, "utf-16-le" if body[1:2] == b"\0" else "utf-16-be")
    for name in names:
        if name:
            with suppress(UnicodeError, LookupError):
                return body.decode(name)
    return body.decode("latin-1")


def _tree(text: str) -> Any:
    """The XML, mended where it can be: no declaration of types, no entity but characters, nothing outside of it."""
    text = DOCTYPE.sub("", CONTROL.sub("", DECLARATION.sub("", text)), count=1)
    pieces = CDATA.split(text)
    pieces[::2] = [REFERENCE.sub(_reference, BARE.sub(lambda m: "&lt;" * len(m[0]), p)) for p in pieces[::2]]
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        recover=True,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring("".join(pieces).encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def _reference(found: regex.Match[str]) -> str:
    """A reference to a character that XML knows, whatever it was written as; a bare ``&`` is one sign."""
    number, name = found[1], found[2]
    if number:
        point = int(number[1:], 16) if number[0] in "xX" else int(number)
        return found[0] if _in_xml(point) else "\ufffd"
    if name in XML_ENTITIES:
        return found[0]
    sign = html.entities.html5.get(f"{name};", "") if name else ""
    return "".join(f"&#{ord(c)};" for c in sign) or f"&amp;{found[0][1:]}"


def _in_xml(point: int) -> bool:
    """Whether XML has the character; lxml takes others where it mends, and then cannot read them."""
    return point in {9, 10, 13} or 0x20 <= point <= 0xD7FF or 0xE000 <= point <= 0xFFFD or 0x10000 <= point <= 0x10FFFF


def _name(node: Any) -> tuple[str, str]:
    """Namespace prefix and local name, also where the prefix was never declared."""
    tag = node.tag if isinstance(node.tag, str) else ""
    if tag.startswith("{"):
        uri, _, name = tag[1:].partition("}")
        return SPACES.get(uri, SPACES.get(uri.replace("https:", "http:"), "other")), name
    space, colon, name = tag.rpartition(":")
    return (space if colon else ""), name


class _Node:
    """An element's children by name; ``own`` is the prefix of the feed's own namespace."""

    __slots__ = ("found", "node")

    def __init__(self, node: Any, own: str) -> None:
        self.node = node
        self.found: dict[str, list[Any]] = {}
        for child in node:
            space, name = _name(child)
            key = name if space in {"", own} else f"{space}:{name}"
            self.found.setdefault(key.lower(), []).append(child)

    def all(self, *names: str) -> Iterator[Any]:
        for name in names:
            yield from self.found.get(name, ())

    def text(self, *names: str) -> str:
        """The first of these that says something."""
        return next((t for n in self.all(*names) if (t := _text(n))), "")


def _text(node: Any) -> str:
    return " ".join("".join(node.itertext()).split())[:20_000]


def _plain(text: str) -> str:
    """A title or name without markup, however often it was escaped."""
    for _ in range(2):
        text = html.unescape(MARKUP.sub(" ", text))
    return " ".join("".join(c if c.isprintable() else " " for c in MARKUP.sub(" ", text)).split())[:500]


def _address(url: str, base: str) -> str:
    """An absolute web address, "" if it is none."""
    url = "".join(url.split())
    if not url or len(url) > 4000:
        return ""
    with suppress(ValueError):
        whole = urljoin(base, url)
        parts = urlsplit(whole)
        if parts.scheme in {"http", "https"} and parts.hostname:
            return whole
    return ""


def _rss(root: Any, url: str) -> Feed:
    top = _Node(root, "")
    channel = next(top.all("channel"), None)
    about = _Node(channel, "") if channel is not None else top
    items = [*about.all("item"), *top.all("item")]
    if channel is None and not items:
        raise NoFeed("It is no feed", why="it has no channel")
    home = _address(about.text("link"), url)
    language = about.text("language", "dc:language")
    entries = [_rss_entry(_Node(i, ""), i, home or url, language) for i in items[:MOST_ENTRIES]]
    minutes = about.text("ttl")
    period = PERIODS.get(about.text("sy:updateperiod").lower(), 0)
    often = about.text("sy:updatefrequency")
    ttl = float(minutes) * 60 if regex.fullmatch(r"\d{1,6}", minutes) else 0.0
    if period:
        ttl = max(ttl, period / max(int(often) if regex.fullmatch(r"\d{1,4}", often) else 1, 1))
    hours = {int(_text(h)) % 24 for s in about.all("skiphours") for h in s if regex.fullmatch(r"\d{1,2}", _text(h))}
    days = {DAYS.index(d) for s in about.all("skipdays") for n in s if (d := _text(n).lower()) in DAYS}
    hub, topic = _links(about.all("atom:link"), url)
    return Feed(
        dialect="rss",
        title=_plain(about.text("title")),
        language=language,
        home=home,
        entries=tuple(e for e in entries if e.address),
        without=sum(not e.address for e in entries),
        ttl=ttl,
        skip_hours=frozenset(hours),
        skip_days=frozenset(days),
        hub=hub,
        topic=topic,
        cloud=_cloud(next(about.all("cloud"), None)),
    )


def _rss_entry(item: _Node, node: Any, base: str, language: str) -> Entry:
    guid = item.text("guid", "dc:identifier")
    about = next((v for k, v in node.attrib.items() if k.endswith("about")), "")
    permanent = next((g.get("isPermaLink", "true") for g in item.all("guid")), "true").lower() != "false"
    links = [item.text("feedburner:origlink"), item.text("link")]
    links += [n.get("href", "") for n in item.all("atom:link", "link") if n.get("rel", "alternate") == "alternate"]
    links += [guid if permanent and "://" in guid else "", about]
    published = item.text("pubdate", "dc:date", "dc:issued", "dc:created", "atom:published", "published")
    return Entry(
        address=next((a for link in links if (a := _address(link, base))), ""),
        guid=guid or about,
        title=_plain(item.text("title", "media:title")),
        author=_person(item.text("dc:creator", "author", "itunes:author", "atom:author")),
        tags=_tags(_text(n) for n in item.all("category", "dc:subject")),
        language=item.text("dc:language") or language,
        published=moment(published),
        updated=moment(item.text("dc:modified", "atom:updated", "lastbuilddate")),
    )


def _atom(root: Any, url: str) -> Feed:
    own = _name(root)[0]
    top = _Node(root, own)
    base = _address(_xml(root, "base"), url) or url
    language = _xml(root, "lang")
    entries = [_atom_entry(_Node(n, own), n, base, language) for n in list(top.all("entry"))[:MOST_ENTRIES]]
    hub, topic = _links(top.all("link"), base)
    return Feed(
        dialect="atom",
        title=_plain(top.text("title")),
        language=language,
        home=_alternate(top.all("link"), base),
        entries=tuple(e for e in entries if e.address),
        without=sum(not e.address for e in entries),
        hub=hub,
        topic=topic,
    )


def _atom_entry(entry: _Node, node: Any, base: str, language: str) -> Entry:
    base = _address(_xml(node, "base"), base) or base
    guid = entry.text("id")
    authors = [_text(n) for a in entry.all("author") for n in a if _name(n)[1] == "name"]
    found = _alternate(entry.all("link"), base) or _address(entry.text("feedburner:origlink"), base)
    return Entry(
        address=found or (_address(guid, base) if guid.startswith("http") else ""),
        guid=guid,
        title=_plain(entry.text("title")),
        author=_person(", ".join(authors)) or _person(entry.text("dc:creator", "author")),
        tags=_tags([*(n.get("label") or n.get("term") or "" for n in entry.all("category"))]),
        language=_xml(node, "lang") or language,
        published=moment(entry.text("published", "issued", "created")),
        updated=moment(entry.text("updated", "modified")),
    )


def _json(text: str, url: str) -> Feed:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NoFeed("It is no feed", why="its JSON cannot be read") from error
    if not isinstance(found, dict) or "jsonfeed.org" not in str(found.get("version", "")):
        raise NoFeed("It is no feed", why="it is JSON of another kind")
    items = found.get("items")
    entries = [_json_entry(i, url, found) for i in (items if isinstance(items, list) else [])[:MOST_ENTRIES]]
    hubs = found.get("hubs")
    hub = next(
        (_string(h, "url") for h in (hubs if isinstance(hubs, list) else []) if _string(h, "type").lower() == "websub"),
        "",
    )
    return Feed(
        dialect="json",
        title=_plain(_string(found, "title")),
        language=_string(found, "language"),
        home=_address(_string(found, "home_page_url"), url),
        entries=tuple(e for e in entries if e.address),
        without=sum(not e.address for e in entries),
        hub=_address(hub, url),
        topic=_address(_string(found, "feed_url"), url),
    )


def _json_entry(item: Any, url: str, feed: dict[str, Any]) -> Entry:
    guid = _string(item, "id")
    authors = item.get("authors") if isinstance(item, dict) else None
    names = [_string(a, "name") for a in (authors if isinstance(authors, list) else [])]
    tags = item.get("tags") if isinstance(item, dict) else None
    author = item.get("author") if isinstance(item, dict) else None
    address = _address(_string(item, "url"), url) or (_address(guid, url) if guid.startswith("http") else "")
    return Entry(
        address=address,
        guid=guid,
        title=_plain(_string(item, "title")),
        author=_person(", ".join(n for n in names if n) or _string(author, "name")),
        tags=_tags(t for t in (tags if isinstance(tags, list) else []) if isinstance(t, str)),
        language=_string(item, "language") or _string(feed, "language"),
        published=moment(_string(item, "date_published")),
        updated=moment(_string(item, "date_modified")),
    )


def _sitemap(root: Any, url: str) -> Feed:
    entries = []
    for node in list(_Node(root, "").all("url"))[:MOST_ENTRIES]:
        place = _Node(node, "")
        news = next(place.all("news:news"), None)
        said = _Node(news, "news") if news is not None else place
        paper = next((_Node(p, "news") for p in said.all("publication")), None)
        entries.append(
            Entry(
                address=_address(place.text("loc"), url),
                title=_plain(said.text("title")),
                tags=_tags(said.text("keywords", "genres").split(",")),
                language=paper.text("language") if paper else "",
                published=moment(said.text("publication_date")),
                updated=moment(place.text("lastmod")),
            )
        )
    return Feed(
        dialect="sitemap",
        home=urljoin(url, "/"),
        entries=tuple(e for e in entries if e.address),
        without=sum(not e.address for e in entries),
    )


def _index(root: Any, url: str) -> Feed:
    found = [_Node(n, "") for n in list(_Node(root, "").all("sitemap"))[:5000]]
    oldest = datetime(1990, 1, 1, tzinfo=UTC)
    rows = [(_address(n.text("loc"), url), moment(n.text("lastmod")) or oldest) for n in found]
    rows.sort(key=lambda r: ("news" not in r[0].lower(), -r[1].timestamp()))
    return Feed(dialect="sitemap", home=urljoin(url, "/"), parts=tuple(a for a, _ in rows if a))


def _links(nodes: Iterator[Any], base: str) -> tuple[str, str]:
    """The hub and the feed's own address."""
    links = [((n.get("rel") or "").lower().split(), n.get("href") or "") for n in nodes]
    hub = next((a for rel, href in links if "hub" in rel and (a := _address(href, base))), "")
    return hub, next((a for rel, href in links if "self" in rel and (a := _address(href, base))), "")


def _alternate(nodes: Iterator[Any], base: str) -> str:
    """The page that an Atom link leads to: HTML before anything else."""
    found = [n for n in nodes if (n.get("rel") or "alternate").lower() == "alternate" and n.get("href")]
    found.sort(key=lambda n: "html" not in (n.get("type") or "html"))
    return next((a for n in found if (a := _address(n.get("href"), base))), "")


def _cloud(node: Any) -> str:
    """Where rssCloud takes registrations; only the protocol that is plain HTTP."""
    if node is None or (node.get("protocol") or "").lower() not in {"http-post", "https-post"}:
        return ""
    domain, port, path = (node.get(k) or "" for k in ("domain", "port", "path"))
    secure = port == "443" or node.get("protocol") == "https-post"
    return _address(f"{'https' if secure else 'http'}://{domain}:{port or '80'}/{path.lstrip('/')}", "")


def _person(text: str) -> str:
    """The name of ``ada@example.org (Ada Lovelace)`` or ``Ada <ada@example.org>``; no address of anybody."""
    if named := regex.fullmatch(r"\S+@\S+ \((.{1,200})\)", text.strip()):
        return _plain(named[1])
    plain = _plain(regex.sub(r"<\S+@\S+>", " ", text))
    return "" if regex.fullmatch(r"\S+@\S+", plain) else plain[:200]


def _tags(found: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(t for tag in found if (t := _plain(tag)[:100])))[:MOST_TAGS]


def _xml(node: Any, name: str) -> str:
    return str(node.get(f"{{http://www.w3.org/XML/1998/namespace}}{name}") or node.get(f"xml:{name}") or "")


def _string(found: Any, name: str) -> str:
    value = found.get(name) if isinstance(found, dict) else None
    # JSON can hold half a character, as a title that was cut in an emoji does; nothing can store one.
    said = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    return said.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
