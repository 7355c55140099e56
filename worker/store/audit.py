"""The audit log in Redis: one stream a workspace, to which lines are added and of which only secrets are taken away."""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, cast

from worker.intake import private
from worker.intake.model import Source
from worker.people import Actor
from worker.store import keys
from worker.store.redis import Store

PLACE = re.compile(r"\d{1,20}-\d{1,20}")
DETAIL_MOST = 2000
AT_ONCE = 500

ADDED = "source added"
"""What versions before told with the whole address, a secret in it too; this one tells whose it is beside it."""

FINISH = """
if (redis.call('GET', KEYS[3]) or '0') ~= ARGV[2] then
  redis.call('DEL', KEYS[2])
  return 0
end
redis.call('INCR', KEYS[3])
for _, row in ipairs(redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+')) do
  redis.call('XADD', KEYS[2], row[1], unpack(row[2]))
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[2])
else
  redis.call('RENAME', KEYS[2], KEYS[1])
  redis.call('PERSIST', KEYS[1])
end
return 1
"""
"""The copy takes the log's place, with what was added while it was made, unless another copy did meanwhile."""

COPY_SECONDS = 3600
"""After which a copy that nobody finished goes."""


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

    Nothing here can be changed or taken away, but for the secrets in addresses: versions before have told some, and of
    others somebody says later that they are secret.
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

    def unmasked(self, workspace: str) -> None:
        """Some line may tell a secret address, as its source changes: ``mask`` begins anew, now or within the hour."""
        self._redis.delete(f"{keys.home(workspace)}audit:masked")

    def mask(self, workspace: str, hidden: Iterable[Source] = (), *, anew: bool = False) -> int:
        """Take secrets out of the lines that versions before have written; how many those were.

        So are the addresses of the sources that are ``hidden``; ``anew`` looks at every line, not at the new ones.

        A line of a stream cannot be changed: the log is copied, every line under its id, in steps while others write.
        """
        home = keys.home(workspace)
        log, done, copies = f"{home}audit", f"{home}audit:masked", f"{home}audit:copies"
        by = {source.id: source for source in hidden} | {source.address: source for source in hidden}
        while True:
            number = cast("bytes", self._redis.get(copies) or b"0")
            since = b"0-0" if anew else cast("bytes", self._redis.get(done) or b"0-0")
            last, plain = since, 0
            for place, fields in self._rows(log, since):
                last, plain = place, plain + (_masked(fields, by) != fields)
            if not plain:
                break
            copy = f"{home}audit:copy:{secrets.token_hex(4)}"
            rows = self._rows(log, b"0-0")
            while chunk := list(itertools.islice(rows, AT_ONCE)):
                with self._redis.pipeline(transaction=False) as pipe:
                    for place, fields in chunk:
                        pipe.xadd(copy, cast("dict[Any, Any]", _masked(fields, by)), id=place)
                    pipe.expire(copy, COPY_SECONDS)
                    pipe.execute()
                last = chunk[-1][0]
            if self._redis.eval(FINISH, 3, log, copy, copies, last, number):
                break
        if last != b"0-0":
            self._redis.set(done, last)
        return plain

    def _rows(self, log: str, after: bytes) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
        while found := cast("list[Any]", self._redis.xrange(log, f"({after.decode()}", "+", count=AT_ONCE)):
            yield from found
            after = found[-1][0]


def _masked(fields: dict[bytes, bytes], by: Mapping[str, Source] = MappingProxyType({})) -> dict[bytes, bytes]:
    """A line without the secret of the address that it tells, as its source is known ``by`` its id or address."""
    if fields.get(b"what", b"").decode() != ADDED or b"detail" not in fields:
        return fields
    whose, told = fields.get(b"subject", b"").decode(), fields[b"detail"].decode()
    source = by.get(whose) or by.get(told)
    if source is None and whose:  # written by this version, as anybody may see it
        return fields
    return fields | {b"detail": private.shown(told, secret=source.private if source else None).encode()}


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
