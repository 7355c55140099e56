"""The audit log in Redis: one stream a workspace, to which things are only ever added."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from worker.people import Actor
from worker.store import keys
from worker.store.redis import Store

PLACE = re.compile(r"\d{1,20}-\d{1,20}")
DETAIL_MOST = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that was done: ``what`` in words such as ``approved``, ``subject`` the id it was done to.

    ``id`` is its place in the log.
    """

    id: str
    at: datetime
    actor: Actor
    what: str
    subject: str
    detail: str


class Audit:
    """What was done in a workspace, by whom, when, from where. Nothing here can be changed or taken away."""

    def __init__(self, store: Store) -> None:
        self._redis = store.client

    def record(self, actor: Actor, what: str, subject: str = "", *, workspace: str, detail: str = "") -> None:
        """Add one line, by Redis' clock. ``what`` is a few words in the past tense, such as ``account connected``."""
        fields = {
            "kind": actor.kind,
            "by": actor.id,
            "name": actor.name,
            "where": actor.where,
            "what": what,
            "subject": subject,
            "detail": detail[:DETAIL_MOST],
        }
        self._redis.xadd(f"{keys.home(workspace)}audit", {k: v for k, v in fields.items() if v})

    def page(self, workspace: str, *, most: int, before: str = "") -> tuple[list[Entry], str]:
        """Up to ``most`` entries, the latest first, and where the next page begins (empty = there is none)."""
        start = f"({before}" if PLACE.fullmatch(before) else "+"
        rows = self._redis.xrevrange(f"{keys.home(workspace)}audit", start, "-", count=most + 1)
        found = [_entry(*row) for row in cast("list[tuple[bytes, dict[bytes, bytes]]]", rows)]
        return found[:most], found[most - 1].id if len(found) > most else ""

    def every(self, workspace: str) -> Iterator[Entry]:
        """Everything, the latest first."""
        before = ""
        while True:
            found, before = self.page(workspace, most=500, before=before)
            yield from found
            if not before:
                return


def _entry(place: bytes, fields: dict[bytes, bytes]) -> Entry:
    f = {k.decode(): v.decode() for k, v in fields.items()}
    return Entry(
        id=place.decode(),
        at=datetime.fromtimestamp(int(place.split(b"-")[0]) / 1000, UTC),
        actor=Actor(kind=f.get("kind", ""), id=f.get("by", ""), name=f.get("name", ""), where=f.get("where", "")),
        what=f.get("what", ""),
        subject=f.get("subject", ""),
        detail=f.get("detail", ""),
    )
