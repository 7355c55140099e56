"""How a post's words become a platform's markup: only its own links and its title are live, all else stays words."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from publishers.core.post import Facet, Post

JOINER = "\u2060"  # stands in a text so that nothing in it turns into a mention, tag or command; it shows nothing
PARAGRAPH = re.compile(r"\S(?:[^\n]|\n(?!\s*\n))*")
SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")
PERCENT = {c: f"%{ord(c):02X}" for c in ' ()<>\\[]|"`'}

# What articles in Markdown may read as markup: every sign takes a backslash (https://spec.commonmark.org/0.31.2/
# #backslash-escapes); Liquid's and mentions' signs are looked for in the words and broken by a joiner.
COMMONMARK = re.compile(
    r"(?P<begin>^[ \t]*(?:[#>+=:-]|\d{1,9}[.)]))|(?P<indent>^[ \t]+)"
    r"|(?P<sign>[\\`*_\[\]<>|~^$]|&(?=#?\w+;))|(?P<broken>\{(?=[{%])|@(?=\w)|:(?=[\w+-]+:)|%(?=\[|%))",
    re.MULTILINE,
)

Words = Callable[[int, int], str]
"""A stretch of the post's text, from its start to its end in code points, as markup that shows it as it stands."""


def headline(post: Post) -> int:
    """Where a first line that is the article's title, and has no link in it, ends; 0 if it is none."""
    first = post.text.partition("\n")[0]
    if not first or first.replace(JOINER, "") != post.title or any(f.start < len(first) for f in post.facets):
        return 0
    return len(first)


def apart(post: Post, most: int) -> tuple[str, int]:
    """The title for a platform that has one apart, on one line of at most so many code points, and where in the text
    the words go on below it: at the beginning, if the title is not the text's own first line. No word is lost.
    """
    first = post.text.partition("\n")[0]
    done = headline(post) if post.title else len(first)
    shown = " ".join(first[:done].replace(JOINER, "").split())
    if 0 < len(shown) <= most:
        return shown, done
    title = " ".join((post.title or first.replace(JOINER, "")).split())
    if len(title) > most:
        title = (title[: most - 1].rpartition(" ")[0].rstrip() or title[: most - 1]) + "…"
    return title, 0


def marked(post: Post, words: Words, link: Callable[[str, str], str], *, start: int = 0, end: int | None = None) -> str:
    """The text from ``start`` to ``end`` as markup; ``link`` writes one of its words and its address.

    Words that spell out their own address are given to ``link`` as they are.
    """
    end = len(post.text) if end is None else end
    parts: list[str] = []
    for facet in sorted(post.facets, key=lambda f: f.start):
        if facet.type != "link" or facet.start < start or facet.end > end or not facet.value.startswith("http"):
            continue
        said = post.text[facet.start : facet.end]
        shown = said if said == facet.value else words(facet.start, facet.end)
        parts += [words(start, facet.start), link(shown, facet.value)]
        start = facet.end
    return "".join([*parts, words(start, end)])


def escaped(text: str, signs: re.Pattern[str], instead: Callable[[re.Match[str]], str]) -> Words:
    """The words of ``text`` with something in place of every sign; ``^`` stands for the beginning of a line alone."""

    def words(start: int, end: int) -> str:
        parts = []
        for found in signs.finditer(text, start, end):
            parts += [text[start : found.start()], instead(found)]
            start = found.end()
        return "".join([*parts, text[start:end]])

    return words


def commonmark(text: str) -> Words:
    """The words of ``text`` in the Markdown of articles, in which nothing is markup."""

    def instead(found: re.Match[str]) -> str:
        sign = found[0].lstrip()
        match found.lastgroup:
            case "indent":
                return ""
            case "broken":
                return sign + JOINER
            case _:
                return f"{sign[:-1]}\\{sign[-1]}"

    return escaped(text, COMMONMARK, instead)


def closed(link: str) -> str:
    """An address in which nothing ends the link that it stands in."""
    return "".join(PERCENT.get(c, c) for c in link)


@dataclasses.dataclass(frozen=True, slots=True)
class Sections:
    """A text that becomes an article: where each paragraph of its body stands, and the tags below it."""

    body: tuple[tuple[int, int], ...]
    tags: tuple[str, ...]


def titled(post: Post, most: int) -> Post:
    """The post with a title of ``most`` code points: its own, else its first line."""
    title = post.title or post.text.strip().partition("\n")[0].replace(JOINER, "")
    return dataclasses.replace(post, title=title if len(title) <= most else f"{title[: most - 1].rstrip()}…")


def sections(post: Post) -> Sections:
    """A first line that is the title, and a last paragraph of nothing but hashtags, have places of their own."""
    done = headline(post)
    if not post.text[done:].strip():
        done = 0  # there is nothing else, and an article must have a body
    body = [(m.start(), m.start() + len(m[0].rstrip())) for m in PARAGRAPH.finditer(post.text, done)]
    tags: list[str] = []
    if body:
        start, end = body[-1]
        inside = sorted((f for f in post.facets if f.type == "tag" and start <= f.start < f.end <= end), key=_place)
        rest = post.text[start:end]
        for facet in reversed(inside):
            rest = rest[: facet.start - start] + rest[facet.end - start :]
        tags = [] if rest.strip() else [f.value for f in inside]
    return Sections(tuple(body[:-1] if tags else body), tuple(tags))


def slug(post: Post) -> str:
    """The last part of the article's own address, where it is made of words; else empty."""
    last = urlsplit(post.link or "").path.rstrip("/").rpartition("/")[2].partition(".")[0].lower()
    return last if SLUG.fullmatch(last) and len(last) <= 100 else ""


def letters(text: str) -> str:
    """What stays of a text, whatever a platform does to its spaces, quotes and dashes."""
    return "".join(c for c in text if c.isalnum())


def _place(facet: Facet) -> int:
    return facet.start
