"""When a digest is due and what it says: the newest articles since the last one, each with its link (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from publishers.core.limits import Limits
from publishers.core.post import Facet, Media, Post
from worker.errors import HandbillError
from worker.model import Article, Content, Digest
from worker.schedule import When, at_wall, zone_of

ROOM = 1500
"""Signs that a platform must take at least for several articles to fit."""

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

BRIEF = 4
"""With more articles than that, each is said in a sentence or two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One article in a digest, with the address that its readers open."""

    article: Article
    content: Content
    link: str


def period(digest: Digest) -> timedelta:
    """How long lies between two of them."""
    return timedelta(days=1 if digest.every == "daily" else 7)


def said(digest: Digest, zone: str) -> str:
    """A digest in words, such as ``up to 8 articles, each Friday at 07:30 Europe/Vienna``."""
    day = "each day" if digest.every == "daily" else f"each {WEEKDAYS[digest.on]}"
    whose = f" of {digest.source}" if digest.source else ""
    return f"up to {digest.most} articles{whose}, {day} at {digest.at:%H:%M} {zone}"


def following(digest: Digest, *, zone: str, after: datetime) -> When:
    """The first time at which it is due later than ``after``; a clock change leaves the wall time as it is."""
    day = after.astimezone(zone_of(zone)).date()
    for number in range(9):
        date = day + timedelta(days=number)
        if digest.every == "weekly" and date.weekday() != digest.on:
            continue
        when = at_wall(datetime.combine(date, digest.at), zone)
        if when.instant > after:
            return when
    raise AssertionError("every nine days have one of each weekday")


def write(entries: Sequence[Entry], *, title: str, limits: Limits, media: Sequence[Media]) -> Post:
    """The post that names each article, links to it and says what it is about; the last are left out if they must be.

    Raises HandbillError if not even one fits.
    """
    for count in range(len(entries), 0, -1):
        post = _written(entries[:count], title, media if limits.media else ())
        if limits.fits(post.text, media=bool(post.media)):
            return post
    why = f"the platform takes {limits.text} signs"
    raise HandbillError("A digest does not fit", why=why, do="Choose another account")


def _written(entries: Sequence[Entry], title: str, media: Sequence[Media]) -> Post:
    text, facets = "", []
    for entry in entries:
        text += "\n\n" if text else ""
        facets.append(Facet(type="link", start=len(text), end=len(text) + len(entry.article.title), value=entry.link))
        said = entry.content.medium if len(entries) <= BRIEF else entry.content.short
        text += f"{entry.article.title}\n{said}"
    first = entries[0].article
    more = f" (+{len(entries) - 1})" if len(entries) > 1 else ""
    return Post(
        text=text,
        facets=tuple(facets),
        link=entries[0].link if len(entries) == 1 else None,
        title=title or f"{first.title}{more}",
        description=" · ".join(e.article.title for e in entries[1:]),
        media=tuple(media[:1]),
        language=first.language or None,
    )
