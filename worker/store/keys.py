"""Every Redis key there is. What is in braces decides the Cluster slot, so one delivery's keys stay together."""

from __future__ import annotations

import re
import zlib

SHARDS = 4
"""Deliveries are spread over this many slots; part of the key for ever, so a change needs a migration."""

PREFIX = "handbill"
ALL = "*"
"""Stands in a workspace's place for what belongs to none; no workspace can have this name."""


def shard(delivery: str) -> int:
    """The shard a delivery lives in."""
    return zlib.crc32(delivery.encode()) % SHARDS


def root(number: int) -> str:
    """The start of every key of one shard; the scripts append the rest.

    ``delivery:<id>`` hash · ``steps:<id>`` JSON · ``history:<id>`` list of JSON · ``status:<workspace>:<status>``
    sorted by the instant of the last move · ``planned:<workspace>`` and ``planned:<account>`` sorted by the planned
    instant, ``gone:<workspace>`` with what stands there no more · ``workspaces`` set · ``due`` sorted by the next look
    · ``waking`` sorted by when a wake-up counts as lost · ``leases`` sorted by their end · ``paused`` hash of who may
    not send · ``doubles`` set of what a look-up found twice · ``counts`` hash of counters for Prometheus.
    """
    return f"{PREFIX}:{{{number}}}:"


def status(number: int, workspace: str, status: str) -> str:
    """The deliveries of a shard and a workspace that have a status."""
    return f"{root(number)}status:{workspace}:{status}"


def home(workspace: str) -> str:
    """The start of every key that belongs to a workspace and not to one delivery.

    ``sources`` hash of JSON, in which an address that holds a secret stands as it is shown, behind ``sealed:``, and
    ``sources:addresses`` hash of those addresses, encrypted · ``listeners`` hash of JSON, likewise, and
    ``listener-secrets`` hash of what is signed with and of addresses that hold a secret, encrypted · ``sources:said``
    and ``listeners:said`` hashes of what somebody said of an address, ``private`` or ``public`` and the address ·
    ``audit`` stream, ``audit:masked`` the place in it up to which no line tells a secret address, and ``audit:copies``
    how often it was copied for that.
    """
    return f"{PREFIX}:{{{workspace}}}:"


def calendar(account: str) -> str:
    """Where an account's deliveries stand in time, by delivery."""
    return f"{home(account.partition('.')[0])}calendar:{account}"


def aftercare(workspace: str, what: str) -> str:
    """What is kept of articles and posts after publication: ``rules`` hash of JSON · ``stopped`` hash from articles to
    the reason, ``gone`` of those among them whose page is not there · ``swept`` the instant at which the rules were
    last applied · ``ledger`` list of JSON, each with the hash of the one before, and ``ledger:done`` set of what is in
    it · ``noticed`` the instant up to which deliveries were entered · ``reading`` deliveries by when they are read
    back, ``seen`` hash of what that showed, ``flagged`` those that are not as they were sent by when that was seen ·
    ``original`` hash of articles as they were first posted and ``versions`` of those that what was posted since may say
    · ``rechecks`` articles by when their page is looked at again, ``missing`` hash of since when it was not there, and
    how · ``changes`` hash of JSON, ``applied`` set of what was done of them, ``left`` set of what
    somebody leaves as it is all the same, ``sampling`` deliveries by when their
    numbers are asked for, ``numbers`` hash of those as rows of minutes and counts, ``clicks`` hash of how often the
    short links of deliveries were followed, ``counters`` hash of the services that count visits, ``counter-secrets``
    hash of what they are asked with, encrypted, ``asked`` hash of when they were, ``visits`` hash from deliveries to
    what they said and when, ``events`` the instant of the last one heard, ``report`` the account that the weekly report
    goes to and the weekday.
    """
    return f"{home(workspace)}after:{what}"


def budget(workspace: str, whose: str) -> str:
    """What was sent lately, by instant: of an account, or of an app, whose accounts are any workspace's."""
    return f"{home(workspace)}budget:{whose}"


def schema() -> str:
    """The version of everything stored."""
    return f"{PREFIX}:{{{ALL}}}:schema"


def upgraded() -> str:
    """The schema that the store was brought up to; ends by itself."""
    return f"{PREFIX}:{{{ALL}}}:upgraded"


def upgrading(number: int) -> str:
    """How far a shard has been brought up: a hash from workspaces to instants, there only meanwhile."""
    return f"{root(number)}upgrade"


def workspaces() -> str:
    """The set of workspaces."""
    return f"{PREFIX}:{{{ALL}}}:workspaces"


def tokens() -> str:
    """API tokens: a hash from the token's SHA-256 to its JSON."""
    return f"{PREFIX}:{{{ALL}}}:tokens"


def hooks() -> str:
    """Public addresses: a hash from a token's SHA-256 to what it is for and whose it is."""
    return f"{PREFIX}:{{{ALL}}}:hooks"


def held(digest: str) -> str:
    """What is kept, encrypted, for the few minutes that connecting an account takes."""
    return f"{PREFIX}:{{{ALL}}}:connecting:{digest}"


def links() -> str:
    """Our own short links: a hash from their codes to where they lead and which delivery they are of."""
    return f"{PREFIX}:{{{ALL}}}:links"


def ending_links() -> str:
    """Links whose post is not kept any more, by when a reader last followed them (or since when that is so)."""
    return f"{PREFIX}:{{{ALL}}}:links:ending"


def listening() -> str:
    """The set of workspaces whose posts somebody is told about."""
    return f"{PREFIX}:{{{ALL}}}:listening"


def alive() -> str:
    """Workers by the instant at which the last sign of life of each runs out."""
    return f"{PREFIX}:{{{ALL}}}:alive"


def reads_sealed() -> str:
    """Those of them that can read addresses which are kept encrypted, by the same instant."""
    return f"{PREFIX}:{{{ALL}}}:alive:reads-sealed"


def told() -> str:
    """Which conditions people were told of: a hash from their names to the instant."""
    return f"{PREFIX}:{{{ALL}}}:alerts:told"


def passing() -> str:
    """Which of those are not so just now: a hash from their names to since when."""
    return f"{PREFIX}:{{{ALL}}}:alerts:passing"


def channels(workspace: str) -> str:
    """Who is told: a hash from accounts to the kinds they want, as JSON."""
    return f"{home(workspace)}alerts:channels"


def people(what: str) -> str:
    """What belongs to people: ``users`` hash of JSON · ``emails`` hash to ids · ``passwords`` hash · ``factors`` hash,
    encrypted · ``subjects`` hash from what an identity provider calls them to ids · ``members:<workspace>`` and
    ``member-of:<user>`` hashes to roles · ``names`` of workspaces · ``session:<hash>`` and ``sessions:<user>`` ·
    ``link:<hash>`` one-time links · ``invitations:<workspace>`` · ``devices:<user>`` · ``tries:<bucket>``. One slot,
    because nobody may be half a member.
    """
    return f"{PREFIX}:{{{ALL}}}:{what}"


MEANINGS = {
    "deliveries": re.compile(r"handbill:\{\d+\}:delivery:"),
    "articles": re.compile(r"handbill:\{[^}]*\}:article:[^:]*$"),
    "items": re.compile(r"handbill:\{[^}]*\}:item:"),
    "accounts": re.compile(r"handbill:\{[^}]*\}:accounts$"),
    "sources": re.compile(r"handbill:\{[^}]*\}:sources$"),
    "people": re.compile(r"handbill:\{\*\}:users$"),
}
ROWS_OF_A_HASH = frozenset({"accounts", "sources", "people"})


def meaning(key: str) -> str:
    """What a person would count a key as; "other" is part of something else."""
    return next((what for what, pattern in MEANINGS.items() if pattern.match(key)), "other")


def personal() -> tuple[str, ...]:
    """The beginnings of keys that prove who somebody is and are not encrypted: hashes of passwords, sessions, links."""
    return (people("passwords"), *fleeting())


def fleeting() -> tuple[str, ...]:
    """The beginnings of keys that mean nothing on another machine: who is signed in, links under way, counted tries."""
    return tuple(people(what) for what in ("session:", "sessions:", "link:", "invitations:", "devices:", "tries:"))
