"""The audit log in Redis: one stream a workspace, to which things are only ever added."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from worker.intake import private
from worker.people import Actor
from worker.store import keys
from worker.store.redis import Store

PLACE = re.compile(r"\d{1,20}-\d{1,20}")
DETAIL_MOST = 2000
AT_ONCE = 500

ADDED = "source added"
"""What versions before told with the whole address, a secret in it too."""

FINISH = """
if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
for _, row in ipairs(redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+')) do
  redis.call('XADD', KEYS[2], row[1], unpack(row[2]))
end
if redis.call('EXISTS', KEYS[1]) == 0 then return redis.call('DEL', KEYS[2]) end
return redis.call('RENAME', KEYS[2], KEYS[1])
"""
"""The copy takes the log's place, with what was added while it was made."""


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
    """What was done in a workspace, by whom, when, from where.

    Nothing here can be changed or taken away, but for the secrets in addresses that versions before have told.
    """

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

    def mask(self, workspace: str) -> int:
        """Take secrets out of the lines that versions before have written; how many those were.

        A line of a stream cannot be changed: the log is copied, every line under its id, in steps while others write.
        """
        home = keys.home(workspace)
        log, copy, done = f"{home}audit", f"{home}audit:copy", f"{home}audit:masked"
        since = cast("bytes", self._redis.get(done) or b"0-0")
        last, plain = since, 0
        for place, fields in self._rows(log, since):
            last, plain = place, plain + (_masked(fields) != fields)
        if plain:
            self._redis.delete(copy)
            rows = self._rows(log, b"0-0")
            while chunk := list(itertools.islice(rows, AT_ONCE)):
                with self._redis.pipeline(transaction=False) as pipe:
                    for place, fields in chunk:
                        pipe.xadd(copy, cast("dict[Any, Any]", _masked(fields)), id=place)
                    pipe.execute()
                last = chunk[-1][0]
            self._redis.eval(FINISH, 2, log, copy, last)
        if last != since:
            self._redis.set(done, last)
        return plain

    def _rows(self, log: str, after: bytes) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
        while found := cast("list[Any]", self._redis.xrange(log, f"({after.decode()}", "+", count=AT_ONCE)):
            yield from found
            after = found[-1][0]


def _masked(fields: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """A line without the secret of the address that it tells."""
    if fields.get(b"what", b"").decode() != ADDED or b"detail" not in fields:
        return fields
    return fields | {b"detail": private.shown(fields[b"detail"].decode()).encode()}


def _entry(place: bytes, fields: dict[bytes, bytes]) -> Entry:
    f = {k.decode(): v.decode() for k, v in _masked(fields).items()}
    return Entry(
        id=place.decode(),
        at=datetime.fromtimestamp(int(place.split(b"-")[0]) / 1000, UTC),
        actor=Actor(kind=f.get("kind", ""), id=f.get("by", ""), name=f.get("name", ""), where=f.get("where", "")),
        what=f.get("what", ""),
        subject=f.get("subject", ""),
        detail=f.get("detail", ""),
    )
