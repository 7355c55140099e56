"""What an adapter is given (a finished Post and the Commit that sends it) and what it gives back (a Receipt)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

Prepared = Mapping[str, Any]
"""What the repeatable part of a step left on the platform (media ids, a draft's id): JSON, stored before the commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """One picture on disk, ready for the platform: ``size`` in bytes, ``width`` and ``height`` in pixels.

    ``url`` is its public address, given for platforms that fetch pictures themselves. ``design`` is how it was made,
    for whoever compares posts, and ``words`` what stands on it where ``alt`` does not say all of it; no platform is
    told.
    """

    path: str
    sha256: str
    mime: str
    width: int
    height: int
    size: int
    alt: str
    url: str = ""
    design: str = ""
    words: str = ""

    def described(self, alt: str) -> Media:
        """The same picture with another alt text; ``words`` keeps what stands on it."""
        return self if alt == self.alt else replace(self, alt=alt, words=self.words or self.alt)

    def read(self) -> bytes:
        """The picture's bytes; raises ValueError if the file is no longer the one that was approved."""
        content = Path(self.path).read_bytes()
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise ValueError(f"{self.path} has changed since the post was written; plan the article again")
        return content


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """A stretch of ``Post.text`` that means something; offsets are code points, ``end`` is exclusive.

    ``value`` is the address of a link, a tag without its ``#``, or a mention's handle without its ``@``.
    """

    type: Literal["link", "tag", "mention"]
    start: int
    end: int
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One finished message: exactly what a reader will see. An adapter changes nothing in it.

    ``link`` is the article's address as readers should open it, whether or not the text spells it out;
    ``title``, ``description`` and ``media[0]`` serve platforms that draw a link card of their own.
    """

    text: str
    facets: tuple[Facet, ...] = ()
    link: str | None = None
    title: str = ""
    description: str = ""
    media: tuple[Media, ...] = ()
    language: str | None = None
    warning: str = ""
    visibility: str = "public"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The platform's proof that a message exists: its id there and, if known, the address readers can open.

    ``extra`` holds what later steps need (a Bluesky cid, say) as JSON.
    """

    id: str
    url: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A message as its platform shows it when it is read again: ``text``, and whether it is the ``same`` as was sent.

    ``pictures`` is how many it has, ``alts`` their alt texts, ``card`` whether the link's card is there where one
    belongs: each None where the platform does not say.
    """

    text: str
    same: bool
    pictures: int | None = None
    alts: tuple[str, ...] | None = None
    card: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What makes a repeated commit the same commit: all of it is derived and stored before the first send.

    ``key`` is 40 hex digits derived from the step; ``at`` is the frozen instant of the first intent (aware);
    ``prepared`` is what ``prepare`` returned; ``reply_to`` is the receipt of the message this one answers and
    ``root`` the first message of its thread. ``fresh`` says of an edit that its pictures were prepared for it and take
    the place of those the message has.
    """

    key: str
    at: datetime
    prepared: Prepared = field(default_factory=dict)
    reply_to: Receipt | None = None
    root: Receipt | None = None
    fresh: bool = False

    def pictures(self, receipt: Receipt) -> list[Any]:
        """What the pictures of a message are called on the platform once it is edited: those prepared for the edit,
        else those its receipt tells of, else those it was made with.
        """
        told = () if self.fresh else receipt.extra.get("media") or ()
        return list(told or self.prepared.get("media", ()))

    def shown(self, receipt: Receipt) -> Receipt:
        """``receipt`` of a message once it is edited, where the platform does not tell of its pictures again."""
        media = self.pictures(receipt)
        return replace(receipt, extra={**receipt.extra, "media": media}) if media else receipt
