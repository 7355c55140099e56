"""How each kind of source is read into blocks and what it says of itself, before any judgement of either."""

from __future__ import annotations

import dataclasses
import html
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import regex
import trafilatura
from lxml import etree

from worker.content import words
from worker.errors import BadSource
from worker.model import Page

# It reports what it cannot read as an error of its own; people get our one line instead.
logging.getLogger("trafilatura").setLevel(logging.CRITICAL + 1)

ARTICLE_TYPES = regex.compile(r"Article|BlogPosting|Report|Review|Recipe|HowTo|LiveBlog|OpinionNewsArticle|WebPage")
NO_PICTURE = regex.compile(
    r"logo|icon|avatar|sprite|pixel|spacer|blank|placeholder|gravatar|emoji|badge|\.svg(?:$|\?)|^data:", regex.I
)
LIST_MARK = regex.compile(r"^(?:[-*+•–‣◦▪●]|\d{1,2}[.)]|[a-z]\))\s+(?=\S)")


@dataclass(frozen=True, slots=True)
class Block:
    """One paragraph, heading or list item as read; ``linked`` if all of it is one link."""

    kind: str
    text: str
    linked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a reader of one kind of source found, before any cleaning; ``marked`` if it marks its headings as such,
    ``declared`` if it says that it is an article, however short.
    """

    blocks: list[Block]
    marked: bool = True
    declared: bool = True
    title: str = ""
    url: str = ""
    author: str = ""
    site: str = ""
    language: str = ""
    published: datetime | None = None
    image: str = ""
    image_alt: str = ""
    description: str = ""
    tags: list[str] = field(default_factory=list)


PUBLISHED = ("article:published_time", "og:article:published_time", "datepublished", "date", "dc.date", "pubdate")
NOT_PROSE = [  # captions, what only opens over the text, and posts of others embedded as quotations
    "//figcaption",
    "//*[contains(@class, 'caption-text') or contains(@class, 'image-caption') or contains(@class, 'photo-caption')]",
    "//*[contains(@class, 'rollover-block') or contains(@class, 'hovercard') or contains(@class, 'popover-content')]",
    "//*[contains(@class, 'popover-body') or contains(@class, 'tooltip-content') or contains(@class, 'tooltiptext')]",
    "//blockquote[contains(@class, 'twitter-') or contains(@class, 'instagram-') or contains(@class, 'tiktok-')]",
]
MARKUP = {"head": "head", "item": "item", "code": "code"}
BLOCKS = {"p", "quote", "div", "list", "table", "row", "cell", "section", "article", "main", "body", *MARKUP}


def _read_html(page: Page) -> Draft:
    tree = trafilatura.load_html(page.content)
    if tree is None:
        raise BadSource(f"{page.url} is no article", why="its HTML cannot be read", do="Check the page")
    draft = _metadata(tree, page)
    links = {words.key(a.text_content()) for a in tree.iter("a")}
    document: Any = trafilatura.bare_extraction(
        tree, favor_precision=True, include_comments=False, prune_xpath=NOT_PROSE
    )
    if document is None or document.body is None:
        return draft
    return dataclasses.replace(draft, blocks=list(_unglued(_blocks(document.body, links), page.content)))


GLUED = regex.compile(r"\p{L}[\p{L}\p{M}]*?\p{Ll}(?=(\p{Lu}\p{Ll}[\p{L}\p{M}]*))")
LABEL_WORDS = 5  # a longer line without an end was only broken there
BROKEN = "\u2028"  # where a line was broken


def _unglued(blocks: Iterator[Block], source: str) -> Iterator[Block]:
    """The blocks, a label apart from its sentence: of ``<b>Oven</b>Heat it`` one word is left that no page has."""
    for block in blocks:
        text = block.text
        while (at := _label_end(text, source)) > 0:
            yield Block("head", text[:at].strip())
            text = text[at:].lstrip(f" {BROKEN}")
        yield dataclasses.replace(block, text=text.replace(BROKEN, " "))


def _label_end(text: str, source: str) -> int:
    """Where the label ends with which a block begins; 0 if it begins with none."""
    line, broken, rest = text.partition(BROKEN)
    at = len(line) if broken and rest[:1].isupper() else 0
    glued = GLUED.search(line[:80])
    if glued and glued[0] + glued[1] not in source:
        at = glued.end()
    label = text[:at]
    return at if at and words.count(label) <= LABEL_WORDS and not words.ENDING.search(label.strip()) else 0


def _blocks(body: Any, links: set[str]) -> Iterator[Block]:
    """The blocks of trafilatura's tree in order, whatever they are nested in; code is none."""
    parts: list[str] = []
    kinds = ["p"]
    for event, node in etree.iterwalk(body, events=("start", "end")):
        tag = node.tag if isinstance(node.tag, str) else ""
        if tag in BLOCKS:
            text = BROKEN.join(filter(None, map(words.line, "".join(parts).split(BROKEN))))
            if text and kinds[-1] != "code":
                yield Block(kinds[-1], text, linked=words.key(text) in links)
            parts = []
            if event == "start":
                kinds.append(MARKUP.get(tag, kinds[-1] if kinds[-1] == "item" else "p"))
            else:
                kinds.pop()
        if event == "start" and tag == "lb":
            parts.append(BROKEN)
        if event == "start" and tag:
            parts.append(node.text or "")
        elif event == "end" and node is not body:
            parts.append(node.tail or "")


def _metadata(tree: Any, page: Page) -> Draft:
    """What the page says of itself, the most exact source first: meta elements and JSON-LD, then what it looks like."""
    data = next(iter(_json_ld(tree)), {})
    meta: dict[str, list[str]] = {}
    for node in tree.iter("meta"):
        name = (node.get("property") or node.get("name") or node.get("itemprop") or "").strip().lower()
        if name and (value := (node.get("content") or "").strip()):
            meta.setdefault(name, []).append(value)

    def first(*names: str) -> str:
        return next((meta[n][0] for n in names if n in meta), "")

    guess = trafilatura.extract_metadata(tree, extensive=False)
    dates = [_text(data.get("datePublished")), *(meta[n][0] for n in PUBLISHED if n in meta)]
    dates += [n.get("datetime") or "" for n in tree.iter("time")][:1]
    links = [n.get("href") or "" for n in tree.iter("link") if (n.get("rel") or "").strip().lower() == "canonical"]
    languages = [tree.get("lang"), tree.get("xml:lang"), _text(data.get("inLanguage")), first("og:locale")]
    image, alt = _picture(tree, first("og:image", "og:image:url", "twitter:image") or _address(data.get("image")))
    url = _absolute(next(iter(links), "") or first("og:url"), page)
    kinds = " ".join(_list(data.get("@type")))
    return Draft(
        blocks=[],
        declared=bool(data and "WebPage" not in kinds) or first("og:type") == "article",
        title=_headline(tree, first("og:title", "twitter:title") or _text(data.get("headline")) or guess.title or ""),
        url=url,
        author=_names(data.get("author"))
        or _author(first("author", "article:author", "dc.creator"), guess.author or ""),
        site=first("og:site_name") or _names(data.get("publisher")) or guess.sitename or _host(page),
        language=next((lang for lang in languages if lang), ""),
        published=next(filter(None, map(moment, [*dates, guess.date or ""])), None),
        image=_absolute(image, page, url),
        image_alt=first("og:image:alt", "twitter:image:alt") or alt,
        description=first("og:description", "description", "twitter:description") or _text(data.get("description")),
        tags=[*meta.get("article:tag", []), *_list(data.get("keywords")), *_list(first("news_keywords", "keywords"))],
    )


def _author(declared: str, guess: str) -> str:
    """The guessed author with the signs that the guess cut off its end ("मिश्रा"); the declared one where it is a name
    in a script without spaces, which the guess takes for none.
    """
    if not guess:
        return declared if NAME_UNSPACED.fullmatch(declared) else ""
    return guess + (cut[0] if (cut := regex.search(rf"(?<={regex.escape(guess)})\p{{M}}+", declared)) else "")


def _headline(tree: Any, declared: str) -> str:
    """The declared title; the page's one main heading if it is all or a part of it, or if none is declared."""
    headings = [h for h in (words.line(n.text_content()) for n in tree.iter("h1")) if words.key(h)]
    if headings and (not declared or (len(headings) == 1 and words.key(headings[0]) in words.key(declared))):
        return headings[0]
    return declared


def _json_ld(tree: Any) -> list[dict[str, Any]]:
    """The descriptions of an article in the page's JSON-LD, whole articles before mere pages."""
    found: list[dict[str, Any]] = []
    for node in tree.iter("script"):
        if "ld+json" in (node.get("type") or ""):
            try:
                found += _described(json.loads(node.text or "", strict=False))
            except (ValueError, RecursionError):
                continue
    return sorted(found, key=lambda d: "WebPage" in _list(d.get("@type")))


def _described(value: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    if isinstance(value, list) and depth < 6:
        for item in value:
            yield from _described(item, depth + 1)
    elif isinstance(value, dict) and depth < 6:
        if ARTICLE_TYPES.search(" ".join(_list(value.get("@type")))):
            yield value
        yield from _described(value.get("@graph"), depth + 1)
        yield from _described(value.get("mainEntity"), depth + 1)


def _picture(tree: Any, declared: str) -> tuple[str, str]:
    """The lead picture and its alt text: the declared one, else the first of the article that is no ornament."""
    name = _file_name(declared)
    first: tuple[str, str] | None = None
    for node in tree.iter("img"):
        src = (node.get("src") or node.get("data-src") or "").strip()
        alt = (node.get("alt") or "").strip()
        if declared and name and src and _file_name(src) == name and alt:
            return declared, alt
        small = any((node.get(k) or "").isdigit() and int(node.get(k)) < 200 for k in ("width", "height"))
        inside = any(a.tag in {"article", "main", "figure"} for a in node.iterancestors())
        around = any(a.tag in {"header", "nav", "footer", "aside"} for a in node.iterancestors())
        if first is None and src and inside and not around and not small and not NO_PICTURE.search(src):
            first = (src, alt)
    return (declared, "") if declared else (first or ("", ""))


def _file_name(address: str) -> str:
    return regex.split(r"[?#]", address, maxsplit=1)[0].rpartition("/")[2]


def _absolute(address: str, page: Page, canonical: str = "") -> str:
    """An address as seen from the page.

    A local file's pictures lie beside it, where a browser would look; whatever starts with ``/`` is on its site.
    """
    with suppress(ValueError):  # "http://[5]/" is no address
        urlsplit(address)
        return _resolved(address.strip(), page, canonical)
    return ""


def _resolved(address: str, page: Page, canonical: str) -> str:
    base = page.base or page.url
    beside = regex.match(r"(?![a-z][a-z0-9+.-]*:|/|$)", address, regex.I)
    if beside and page.base and not page.base.startswith(("http://", "https://")):
        return str(Path(page.base) / address.split("?", maxsplit=1)[0])
    for known in (canonical, base):
        if known.startswith(("http://", "https://")) and address:
            found = urljoin(known, address) if regex.match(r"https?:|[^:]*$|[^:]*[/?#]", address, regex.I) else ""
            # A page of the web must never name a file of this machine, however its address is written.
            return found if found.startswith(("http://", "https://")) else ""
    if regex.match(r"(?:https?:)?//", address, regex.I):
        return "https:" + address if address.startswith("//") else address
    return ""


def _host(page: Page) -> str:
    return (urlsplit(page.url).hostname or "").removeprefix("www.")


def moment(value: str) -> datetime | None:
    """An aware instant from an ISO date or time; one without a zone is taken as UTC, one before the web as none."""
    try:
        found = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    if found.year < 1990:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _list(value: Any) -> list[str]:
    if isinstance(value, str):
        return [v.strip() for v in regex.split(r"[,;、，،؛]", value) if v.strip()]
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


def _names(value: Any) -> str:
    """The names in a JSON-LD person, organisation, or list of them."""
    if isinstance(value, list):
        return ", ".join(dict.fromkeys(n for n in map(_names, value) if n))
    return _text(value.get("name")) if isinstance(value, dict) else _text(value)


def _address(value: Any) -> str:
    if isinstance(value, list):
        return next((a for a in map(_address, value) if a), "")
    return _text(value.get("url")) if isinstance(value, dict) else _text(value)


NAME_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}ー・\p{Thai} ]{2,30}")
IMAGE = regex.compile(r"!\[([^\]]*)\]\(\s*<?([^\s)>]+)>?[^)]*\)")
LINK = regex.compile(r"\[([^\]]+)\](?:\([^)]*\)|\[[^\]]*\])")
REFERENCE = regex.compile(r"^\[[^\]]+\]:\s*\S+.*$", regex.M)
EMPHASIS = regex.compile(r"(\*\*|__|~~|``|`|(?<![\p{L}\p{N}])[*_](?=\S)|(?<=\S)[*_](?![\p{L}\p{N}]))")


def _read_markdown(page: Page) -> Draft:
    content, matter = _front_matter(page.content)
    content = regex.sub(r"^(```|~~~).*?^\1\s*$|<!--.*?-->", "", content, flags=regex.S | regex.M)
    pictures = IMAGE.findall(content)
    content = REFERENCE.sub("", IMAGE.sub("", content))
    blocks: list[Block] = []
    title = matter.get("title", [""])[0]
    for chunk in regex.split(r"\n\s*\n", content):
        for kind, text in _markdown_lines(chunk):
            linked = LINK.fullmatch(text.strip()) is not None
            clean = html.unescape(EMPHASIS.sub("", regex.sub(r"<[^>]{1,200}>", "", LINK.sub(r"\1", text))))
            if kind == "title":
                title = title or clean
            if clean.strip():
                blocks.append(Block("head" if kind == "title" else kind, clean, linked))
    alt, image = next(((a, u) for a, u in pictures if not NO_PICTURE.search(u)), ("", ""))
    named = next(
        (matter[k][0] for k in ("image", "cover", "thumbnail", "featured_image", "banner") if matter.get(k)), ""
    )
    if named:
        image, alt = named, next((a for a, u in pictures if u == named), "")
    one = {k: v[0] for k, v in matter.items() if v}
    url = _absolute(one.get("canonical", "") or one.get("canonical_url", "") or one.get("url", ""), page)
    return Draft(
        blocks=blocks,
        title=title,
        url=url,
        author=", ".join(matter.get("author", []) or matter.get("authors", [])),
        site=one.get("site", ""),
        language=one.get("lang", "") or one.get("language", ""),
        published=moment(one.get("date", "") or one.get("published", "")),
        image=_absolute(image, page, url),
        image_alt=one.get("image_alt", "") or alt,
        description=one.get("description", "") or one.get("summary", "") or one.get("excerpt", ""),
        tags=[*matter.get("tags", []), *matter.get("keywords", []), *matter.get("categories", [])],
    )


def _front_matter(content: str) -> tuple[str, dict[str, list[str]]]:
    """The text below a ``---`` block, and the block's simple keys; a key may have a list."""
    found = regex.match(r"---[^\S\n]*\n(.*?)\n(?:---|\.\.\.)[^\S\n]*(?:\n|$)", content, regex.S)
    if not found:
        return content, {}
    matter: dict[str, list[str]] = {}
    key = ""
    for line in found[1].split("\n"):
        if (item := regex.match(r"\s*-\s+(.*)", line)) and key:
            matter[key].append(_unquoted(item[1]))
        elif pair := regex.match(r"([A-Za-z_][\w-]*)\s*:\s*(.*)", line):
            key, value = pair[1].lower().replace("-", "_"), pair[2].strip()
            listed = value.startswith("[") or key in {"tags", "keywords", "categories", "authors"}
            matter[key] = [_unquoted(v) for v in value.strip("[]").split(",")] if listed else [_unquoted(value)]
            matter[key] = [v for v in matter[key] if v]
    return content[found.end() :], matter


def _unquoted(value: str) -> str:
    return value.strip().strip("\"'").strip()


def _markdown_lines(chunk: str) -> Iterator[tuple[str, str]]:
    """The blocks of a stretch of Markdown without blank lines, as (kind, text); ``title`` is a first-level heading."""
    lines: list[str] = []
    kind = "p"
    for line in chunk.split("\n"):
        heading = regex.match(r"\s{0,3}(#{1,6})\s+(.*?)\s*#*\s*$", line)
        rule = regex.fullmatch(r"\s*(?:=+|-{2,}|\*\s*\*\s*\*[\s*]*|_{3,})\s*", line)
        if rule and lines and kind == "p" and line.strip()[0] in "=-":
            yield ("title" if line.strip()[0] == "=" else "head"), " ".join(lines)
            lines = []
        elif heading:
            if lines:
                yield kind, " ".join(lines)
            yield ("title" if len(heading[1]) == 1 else "head"), heading[2]
            lines, kind = [], "p"
        elif not rule and not line.lstrip().startswith("|"):
            clean = regex.sub(r"^(?:\s*>)+\s?", "", line).strip()
            if mark := LIST_MARK.match(clean):
                if lines:
                    yield kind, " ".join(lines)
                lines, kind, clean = [], "item", clean[mark.end() :]
            if clean:
                lines.append(clean)
    if lines:
        yield kind, " ".join(lines)


def _read_text(page: Page) -> Draft:
    """Plain text: a line is a paragraph, unless the whole text is broken into lines of one width."""
    chunks = [c.split("\n") for c in regex.split(r"\n\s*\n", page.content) if c.strip()]
    wrapped = all(len(line) <= 120 for c in chunks for line in c) and any(len(c) > 2 for c in chunks)
    blocks: list[Block] = []
    for chunk in chunks:
        lines: list[str] = []
        for line in (line.strip() for line in chunk):
            mark = LIST_MARK.match(line)
            if mark or not wrapped or not lines:
                lines.append(line)
            else:
                lines[-1] += ("" if words.UNSPACED.match(line) else " ") + line
        for line in lines:
            mark = LIST_MARK.match(line)
            if line:
                blocks.append(Block("item" if mark else "p", line[mark.end() :] if mark else line))
    return Draft(blocks=blocks, marked=False)


READERS: dict[str, Callable[[Page], Draft]] = {"html": _read_html, "markdown": _read_markdown, "text": _read_text}
