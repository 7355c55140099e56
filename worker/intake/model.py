"""Where articles come from, as records, frozen: Source with its Rules and State, Candidate, and Item with its fate."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from worker.intake import private
from worker.model import DEFAULT_WORKSPACE, Voice, digest

INBOX = "inbox"
"""What rules say instead of a time: a person accepts or skips the article in the inbox."""


class Kind(StrEnum):
    """How a source says that something was published; all but WEBHOOK and HAND are polled."""

    FEED = "feed"
    SITEMAP = "sitemap"
    WEBHOOK = "webhook"
    HAND = "hand"


POLLED = frozenset({Kind.FEED, Kind.SITEMAP})


class Fate(StrEnum):
    """What became of an item; ``reason`` says why in one line."""

    NEW = "new"
    HELD = "held"
    PLANNED = "planned"
    INBOX = "inbox"
    SKIPPED = "skipped"
    DUPLICATE = "duplicate"
    FAILED = "failed"


MEANINGS: dict[Fate, str] = {
    Fate.NEW: "waits until it is read",
    Fate.HELD: "not yet: looked at again by itself, or waits for a person",
    Fate.PLANNED: "there are posts of it",
    Fate.INBOX: "was put into the inbox, for a person to accept or skip",
    Fate.SKIPPED: "a rule said no, or it is older than the source",
    Fate.DUPLICATE: "the same article came another way",
    Fate.FAILED: "could not be read, and is not tried again by itself",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a source's articles must be, and what is done with them.

    ``include`` and ``exclude`` are patterns by field: ``tag`` (categories too), ``author``, ``language``, ``title``,
    ``address``. A pattern is text with ``*`` and ``?``, without regard to case. An article is taken if, for each field
    that ``include`` names, one pattern fits, and none of ``exclude`` does.

    ``at`` is now, slot or inbox (nothing is planned before a person accepts it there); ``delay`` minutes lie between
    its publication and its posts; ``approve`` waits for a person;
    ``embargo`` waits for a date of publication that lies ahead; ``most`` is how many are planned a day (0: any number);
    ``voice`` (template, hashtags, content warning), ``design`` and ``brand`` go before the accounts' own.
    """

    include: dict[str, tuple[str, ...]] = field(default_factory=dict)
    exclude: dict[str, tuple[str, ...]] = field(default_factory=dict)
    at: str = "now"
    delay: int = 0
    approve: bool = False
    embargo: bool = False
    most: int = 0
    voice: Voice = field(default_factory=Voice)
    design: str = ""
    brand: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One place that articles come from. ``settings`` are public values of a webhook; its secrets are kept encrypted.

    ``accounts`` are ids, none means every active account of the workspace. ``dialect`` is how it speaks: rss, atom,
    json, sitemap, or whose webhook it is. What was published before ``since`` is old. ``reason`` says why it is not
    ``active``. ``private`` is whether its address is a secret, as somebody said; None: as it looks.
    """

    id: str
    kind: Kind
    address: str = ""
    name: str = ""
    dialect: str = ""
    workspace: str = DEFAULT_WORKSPACE
    accounts: tuple[str, ...] = ()
    rules: Rules = Rules()
    settings: dict[str, str] = field(default_factory=dict)
    since: datetime | None = None
    active: bool = True
    reason: str = ""
    private: bool | None = None

    @property
    def shown(self) -> str:
        """Its address as anybody may see it: a secret in it is for whoever asks there alone."""
        return private.shown(self.address, secret=self.private)

    @property
    def is_private(self) -> bool:
        """Whether its address holds a secret."""
        return private.is_private(self.address, secret=self.private)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What polling a source has shown. Seconds and instants; ``hub`` and ``cloud`` are where it announces changes.

    ``lease_until`` is when the subscription at ``hub`` ends, None if there is none. ``read`` is whether it was ever
    read, ``backfill`` how many of its old articles the first reading takes, ``failures`` how many polls in a row failed
    and ``error`` the last one's line, ``noticed`` when somebody last said that there is news.
    """

    etag: str = ""
    last_modified: str = ""
    interval: float = 0
    polled: datetime | None = None
    succeeded: datetime | None = None
    newest: datetime | None = None
    next_poll: datetime | None = None
    noticed: datetime | None = None
    hint: str = ""
    read: bool = False
    backfill: int = 0
    failures: int = 0
    error: str = ""
    hub: str = ""
    topic: str = ""
    cloud: str = ""
    lease_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What a source says of an article, before anybody has read it: hints, of which only ``address`` is needed.

    ``way`` is how it was heard of: feed, websub, ping, api, or whose webhook. ``accounts`` and ``at`` are what a person
    or program asked for this article alone. ``old`` is whether it is wanted although it is older than its source,
    ``behind`` whether it stands behind articles that are known, in a feed that says of none when it was published.
    """

    address: str
    guid: str = ""
    title: str = ""
    author: str = ""
    tags: tuple[str, ...] = ()
    language: str = ""
    published: datetime | None = None
    way: str = "feed"
    accounts: tuple[str, ...] = ()
    at: str = ""
    old: bool = False
    behind: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One article as one source brought it, and its fate.

    ``source`` is empty for what a person or program named itself. ``title`` is its page's, once that was read. ``of``
    is the item that was first with the same article; ``article`` and ``deliveries`` are what was made of it; ``ways``
    every way it was heard of. ``released`` is whether a person said to take it whatever the rules and the gate say,
    ``firm`` whether no other way may bring its article any more. ``next_look`` is when it is looked at again.
    """

    id: str
    candidate: Candidate
    fate: Fate
    source: str = ""
    title: str = ""
    reason: str = ""
    of: str = ""
    article: str = ""
    deliveries: tuple[str, ...] = ()
    ways: tuple[str, ...] = ()
    tries: int = 0
    released: bool = False
    firm: bool = False
    workspace: str = DEFAULT_WORKSPACE
    created_at: datetime | None = None
    updated_at: datetime | None = None
    next_look: datetime | None = None


def item_id(workspace: str, source: str, key: str) -> str:
    """The id of the article known to ``source`` by ``key``; it carries the workspace."""
    return f"{workspace}.{digest('item', workspace, source, key)}"
