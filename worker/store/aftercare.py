"""What is kept of articles and posts after publication, in Redis: rules of older articles, receipts, what was seen."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from worker.changes import Change
from worker.errors import NotFound
from worker.evergreen import Rule
from worker.model import Article, from_json, to_json
from worker.numbers import NAMES, Sample
from worker.receipts import FIRST, FLAGGED, Entry, Readback
from worker.store import keys
from worker.store.redis import SWAP, Store

STOP = """
for i, key in ipairs(KEYS) do
  local was = redis.call('HGET', key, ARGV[1])
  if ARGV[3] == '' or not was or was:sub(1, #ARGV[3]) ~= ARGV[3] then redis.call('HSET', key, ARGV[1], ARGV[2]) end
end
"""

VERSIONS_MOST = 30
"""Of an article that is corrected again and again, so many versions are remembered beside the first, and those that
posts were made of."""


class Aftercare:
    """Plain records of a workspace, each by itself."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._redis = store.client

    # Older articles

    def save_rule(self, rule: Rule) -> None:
        """Store a rule, in place of the one of that name."""
        self._redis.hset(keys.aftercare(rule.workspace, "rules"), rule.name, to_json(rule))

    def change_rule(self, workspace: str, name: str, change: Callable[[Rule | None], Rule]) -> None:
        """Make a rule of what is there under its name (None: nothing), whoever else changes it meanwhile."""
        key = keys.aftercare(workspace, "rules")
        self._store.rewrite(key, name, lambda found: to_json(change(from_json(Rule, found) if found else None)))

    def rules(self, workspace: str) -> list[Rule]:
        """Every rule of a workspace, by name."""
        found = cast("dict[bytes, bytes]", self._redis.hgetall(keys.aftercare(workspace, "rules")))
        return sorted((from_json(Rule, v) for v in found.values()), key=lambda r: r.name)

    def rule(self, workspace: str, name: str) -> Rule:
        """The rule of that name; raises NotFound."""
        found = cast("bytes | None", self._redis.hget(keys.aftercare(workspace, "rules"), name))
        if found is None:
            there = ", ".join(r.name for r in self.rules(workspace)) or "none"
            raise NotFound(f"There is no rule {name}", do=f"There are: {there}")
        return from_json(Rule, found)

    def remove_rule(self, workspace: str, name: str) -> None:
        """Forget a rule; raises NotFound."""
        if not self._redis.hdel(keys.aftercare(workspace, "rules"), name):
            self.rule(workspace, name)

    def stop(self, article: str, why: str, *, gone: bool = False, unless: str = "") -> None:
        """Share an article no more, for a reason; nothing else of it either, if it is ``gone``. A reason that begins
        with ``unless`` stays.
        """
        names = [keys.aftercare(_workspace(article), name) for name in (["stopped", "gone"] if gone else ["stopped"])]
        self._redis.eval(STOP, len(names), *names, article, why, unless)

    def allow(self, article: str) -> bool:
        """Take that back; False if it was not stopped."""
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hdel(keys.aftercare(_workspace(article), "stopped"), article)
            pipe.hdel(keys.aftercare(_workspace(article), "gone"), article)
            return bool(pipe.execute()[0])

    def gone(self, workspace: str) -> dict[str, str]:
        """The articles whose page is not there, or not for everybody, and why."""
        found = cast("dict[bytes, bytes]", self._redis.hgetall(keys.aftercare(workspace, "gone")))
        return {k.decode(): v.decode() for k, v in found.items()}

    def stopped(self, workspace: str) -> dict[str, str]:
        """The articles that are shared no more, and why."""
        found = cast("dict[bytes, bytes]", self._redis.hgetall(keys.aftercare(workspace, "stopped")))
        return {k.decode(): v.decode() for k, v in found.items()}

    def swept(self, workspace: str) -> datetime | None:
        """When the rules were last applied."""
        found = cast("bytes | None", self._redis.get(keys.aftercare(workspace, "swept")))
        return datetime.fromtimestamp(int(found) / 1000, UTC) if found else None

    def mark_swept(self, workspace: str, at: datetime) -> None:
        """The rules were applied ``at`` an instant."""
        self._redis.set(keys.aftercare(workspace, "swept"), round(at.timestamp() * 1000))

    # Receipts

    def enter(self, workspace: str, act: str, make: Callable[[int, str], Entry]) -> bool:
        """Add the entry that ``make`` gives for its number and the hash before it; False if ``act`` was entered before.

        ``make`` is asked again if another entry came in between.
        """
        while True:
            last = self.last_entry(workspace)
            made = make(last.number + 1 if last else 1, last.hash if last else FIRST)
            word = self._store.run("ledger_add", keys.home(workspace), last.hash if last else "", act, to_json(made))
            if word != b"behind":
                return bool(word == b"ok")

    def last_entry(self, workspace: str) -> Entry | None:
        """The newest entry of a workspace's ledger."""
        found = cast("bytes | None", self._redis.lindex(keys.aftercare(workspace, "ledger"), -1))
        return from_json(Entry, found) if found else None

    def oldest_entry(self, workspace: str) -> Entry | None:
        """The oldest entry that is in Redis; it follows the last one that was put into a file, if any was."""
        found = cast("bytes | None", self._redis.lindex(keys.aftercare(workspace, "ledger"), 0))
        return from_json(Entry, found) if found else None

    def entries(self, workspace: str, *, before: int | None = None, most: int = 100) -> list[Entry]:
        """Entries with a number below ``before``, the newest first."""
        key = keys.aftercare(workspace, "ledger")
        oldest = self.oldest_entry(workspace)
        end = (self._redis.llen(key) if before is None or oldest is None else before - oldest.number) - 1
        if end < 0:
            return []
        rows = cast("list[bytes]", self._redis.lrange(key, max(0, end - most + 1), end))
        return [from_json(Entry, row) for row in reversed(rows)]

    def every_entry(self, workspace: str) -> Iterator[Entry]:
        """What of the ledger is in Redis, the oldest entry first; what is older is in files (worker.keeping.ledger)."""
        key, start = keys.aftercare(workspace, "ledger"), 0
        while rows := cast("list[bytes]", self._redis.lrange(key, start, start + 499)):
            yield from (from_json(Entry, row) for row in rows)
            start += len(rows)

    def noticed(self, workspace: str) -> datetime | None:
        """Up to when what became public was entered."""
        found = cast("bytes | None", self._redis.get(keys.aftercare(workspace, "noticed")))
        return datetime.fromtimestamp(int(found) / 1000, UTC) if found else None

    def mark_noticed(self, workspace: str, moment: datetime) -> None:
        """Everything up to ``moment`` is entered."""
        self._redis.set(keys.aftercare(workspace, "noticed"), _ms(moment))

    def read_at(self, delivery: str, moment: datetime) -> None:
        """Read a delivery back at ``moment``."""
        self._redis.zadd(keys.aftercare(_workspace(delivery), "reading"), {delivery: _ms(moment)})

    def to_read(self, workspace: str, now: datetime, *, most: int) -> list[str]:
        """Deliveries whose time to be read back has come."""
        key = keys.aftercare(workspace, "reading")
        return [d.decode() for d in cast("list[bytes]", self._redis.zrangebyscore(key, 0, _ms(now), 0, most))]

    def reads_at(self, workspace: str, deliveries: Sequence[str]) -> dict[str, datetime]:
        """When these deliveries are read back next, where that is planned."""
        if not deliveries:
            return {}
        scores = self._redis.zmscore(keys.aftercare(workspace, "reading"), list(deliveries))
        pairs = zip(deliveries, scores, strict=True)
        return {d: datetime.fromtimestamp(at / 1000, UTC) for d, at in pairs if at is not None}

    def keep_readback(self, delivery: str, found: Readback, *, again: datetime | None) -> None:
        """Store what reading a delivery back has shown; ``again`` is when it is read once more."""
        home = _workspace(delivery)
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(keys.aftercare(home, "seen"), delivery, to_json(found))
            if again is None:
                pipe.zrem(keys.aftercare(home, "reading"), delivery)
            else:
                pipe.zadd(keys.aftercare(home, "reading"), {delivery: _ms(again)})
            if found.sight in FLAGGED and again is None:
                pipe.zadd(keys.aftercare(home, "flagged"), {delivery: _ms(found.at)})
            else:
                pipe.zrem(keys.aftercare(home, "flagged"), delivery)
            pipe.execute()

    def readbacks(self, workspace: str, deliveries: Sequence[str]) -> dict[str, Readback]:
        """What reading these deliveries back has shown, where it was done."""
        if not deliveries:
            return {}
        rows = cast("list[bytes | None]", self._redis.hmget(keys.aftercare(workspace, "seen"), list(deliveries)))
        return {d: from_json(Readback, row) for d, row in zip(deliveries, rows, strict=True) if row}

    def flagged(self, workspace: str, *, most: int = 200) -> list[str]:
        """Deliveries that are not there as they were sent, the latest first."""
        rows = self._redis.zrange(keys.aftercare(workspace, "flagged"), 0, most - 1, desc=True)
        return [d.decode() for d in cast("list[bytes]", rows)]

    def unflag(self, delivery: str) -> bool:
        """Somebody has looked at it; False if it was not flagged."""
        return bool(self._redis.zrem(keys.aftercare(_workspace(delivery), "flagged"), delivery))

    # Changes of articles

    def keep_original(self, article: Article) -> None:
        """Remember an article as it was first posted."""
        self._redis.hsetnx(keys.aftercare(article.workspace, "original"), article.id, to_json(article))

    def original(self, article: str) -> Article | None:
        """The article as it was first posted, if it was."""
        found = cast("bytes | None", self._redis.hget(keys.aftercare(_workspace(article), "original"), article))
        return from_json(Article, found) if found else None

    def keep_version(self, article: Article, *, needed: Collection[Article] = ()) -> None:
        """Remember an article as it is before it changes: what is posted, or being sent, may say this. Of those before
        it the latest stay, and those that are ``needed``, one for each post at most.
        """
        line, key = to_json(article), keys.aftercare(article.workspace, "versions")
        if self._redis.hget(keys.aftercare(article.workspace, "original"), article.id) == line.encode():
            return

        def with_it(found: bytes | None) -> str:
            known = [row for row in (found or b"").decode().splitlines() if row != line]
            older = known[: max(0, len(known) + 1 - VERSIONS_MOST)]
            gone = {row for row in older if from_json(Article, row) not in needed}
            return "\n".join([row for row in [*known, line] if row not in gone])

        self._store.rewrite(key, article.id, with_it)

    def versions(self, article: str) -> list[Article]:
        """The article as it was first posted and as it was before each change that mattered, the oldest first."""
        found = cast("bytes | None", self._redis.hget(keys.aftercare(_workspace(article), "versions"), article))
        first = self.original(article)
        return [*([first] if first else []), *(from_json(Article, row) for row in (found or b"").splitlines())]

    def recheck_at(self, article: str, moment: datetime, *, sooner: bool = False) -> None:
        """Look at an article's page again at ``moment``; with ``sooner`` only if that was planned later, or never."""
        self._redis.zadd(keys.aftercare(_workspace(article), "rechecks"), {article: _ms(moment)}, lt=sooner)

    def recheck_never(self, article: str) -> None:
        """Look at its page no more."""
        self._redis.zrem(keys.aftercare(_workspace(article), "rechecks"), article)

    def to_recheck(self, workspace: str, now: datetime, *, most: int) -> list[str]:
        """Articles whose page is to be looked at again now."""
        key = keys.aftercare(workspace, "rechecks")
        return [a.decode() for a in cast("list[bytes]", self._redis.zrangebyscore(key, 0, _ms(now), 0, most))]

    def missing_since(self, article: str, how: str, now: datetime) -> datetime:
        """Since when the article's page is not there in this way, ``now`` if it was until now, or missed otherwise."""
        key = keys.aftercare(_workspace(article), "missing")
        known = cast("bytes | None", self._redis.hget(key, article))
        since, _, way = (known or b"").decode().partition(" ")
        if way not in {how, ""} or not since:
            since = str(_ms(now))
            self._redis.hset(key, article, f"{since} {how}")
        return datetime.fromtimestamp(int(since) / 1000, UTC)

    def missing(self, article: str) -> datetime | None:
        """Since when its page is not there, as far as anybody has looked; None if it is."""
        known = cast("bytes | None", self._redis.hget(keys.aftercare(_workspace(article), "missing"), article))
        return datetime.fromtimestamp(int(known.partition(b" ")[0]) / 1000, UTC) if known else None

    def is_there(self, article: str) -> None:
        """The article's page is there."""
        self._redis.hdel(keys.aftercare(_workspace(article), "missing"), article)

    def add_change(self, change: Change) -> bool:
        """Store a change; False if it was found before."""
        key = keys.aftercare(change.workspace, "changes")
        return bool(self._redis.hsetnx(key, change.id, to_json(change)))

    def changes(self, workspace: str) -> list[Change]:
        """Every change of a workspace's articles, the latest first."""
        found = cast("dict[bytes, bytes]", self._redis.hgetall(keys.aftercare(workspace, "changes")))
        return sorted((from_json(Change, v) for v in found.values()), key=lambda c: c.found_at, reverse=True)

    def change(self, change: str) -> Change:
        """One change; raises NotFound."""
        found = cast("bytes | None", self._redis.hget(keys.aftercare(_workspace(change), "changes"), change))
        if found is None:
            raise NotFound(f"There is no change {change}", do="See: handbill changes list")
        return from_json(Change, found)

    def decide(self, before: Change, after: Change) -> bool:
        """Put a change in the place of what it was when it was looked at; False if somebody decided meanwhile."""
        key = keys.aftercare(before.workspace, "changes")
        found = cast("bytes | None", self._redis.hget(key, before.id))
        if found is None or from_json(Change, found) != before:
            return False
        return bool(self._redis.eval(SWAP, 1, key, before.id, found, to_json(after)))

    def applied(self, change: Change) -> set[str]:
        """The deliveries for which a change was carried out."""
        found = cast("set[bytes]", self._redis.smembers(keys.aftercare(change.workspace, "applied")))
        mine = (f.decode().partition(" ") for f in found)
        return {delivery for name, _, delivery in mine if name == change.id}

    def mark_applied(self, change: Change, delivery: str) -> None:
        """A change was carried out for a delivery."""
        self._redis.sadd(keys.aftercare(change.workspace, "applied"), f"{change.id} {delivery}")

    def leave(self, change: Change, delivery: str) -> None:
        """Somebody has seen what a change did not put right of a delivery, and leaves it."""
        self._redis.sadd(keys.aftercare(change.workspace, "left"), f"{change.id} {delivery}")

    def left(self, workspace: str) -> set[tuple[str, str]]:
        """The changes, and deliveries, about which somebody has said so."""
        found = cast("set[bytes]", self._redis.smembers(keys.aftercare(workspace, "left")))
        return {(change, delivery) for change, _, delivery in (f.decode().partition(" ") for f in found)}

    def events_until(self, workspace: str) -> datetime | None:
        """The instant of the last event of sources that was acted on."""
        found = cast("bytes | None", self._redis.get(keys.aftercare(workspace, "events")))
        return datetime.fromisoformat(found.decode()) if found else None

    def mark_events(self, workspace: str, moment: datetime) -> None:
        """Events up to ``moment`` were acted on."""
        self._redis.set(keys.aftercare(workspace, "events"), moment.isoformat())

    # Numbers

    def sample_at(self, delivery: str, moment: datetime) -> None:
        """Ask for a delivery's numbers at ``moment``."""
        self._redis.zadd(keys.aftercare(_workspace(delivery), "sampling"), {delivery: _ms(moment)})

    def sample_never(self, delivery: str) -> None:
        """Ask for its numbers no more."""
        self._redis.zrem(keys.aftercare(_workspace(delivery), "sampling"), delivery)

    def to_sample(self, workspace: str, now: datetime, *, most: int) -> list[str]:
        """Deliveries whose numbers are to be asked for now."""
        key = keys.aftercare(workspace, "sampling")
        return [d.decode() for d in cast("list[bytes]", self._redis.zrangebyscore(key, 0, _ms(now), 0, most))]

    def keep_samples(self, delivery: str, samples: Sequence[Sample]) -> None:
        """Store a delivery's numbers: a row of minutes and counts for each sample."""
        rows = [[s.minutes, *(getattr(s, name) for name in NAMES)] for s in samples]
        text = json.dumps(rows, separators=(",", ":")).replace("null", "-1")
        self._redis.hset(keys.aftercare(_workspace(delivery), "numbers"), delivery, text)

    def samples_of(self, delivery: str) -> list[Sample]:
        """The numbers of one delivery, the oldest first."""
        rows = cast("bytes | None", self._redis.hget(keys.aftercare(_workspace(delivery), "numbers"), delivery))
        return [_sample(row) for row in json.loads(rows)] if rows else []

    def keep_visits(self, workspace: str, visits: Mapping[str, int], now: datetime) -> None:
        """Store how many came by the links of deliveries until ``now``."""
        if visits:
            rows: dict[Any, Any] = {delivery: f"{count} {_ms(now)}" for delivery, count in visits.items()}
            self._redis.hset(keys.aftercare(workspace, "visits"), mapping=rows)

    def visits(self, workspace: str, delivery: str) -> tuple[int, datetime] | None:
        """How many came by a delivery's link, and until when they were counted; None if nobody has counted."""
        found = cast("bytes | None", self._redis.hget(keys.aftercare(workspace, "visits"), delivery))
        if found is None:
            return None
        count, _, at = found.decode().partition(" ")
        return int(count), datetime.fromtimestamp(int(at) / 1000, UTC)

    def samples(self, workspace: str) -> dict[str, list[Sample]]:
        """The numbers of every delivery that has any, the oldest sample first."""
        found = cast("dict[bytes, bytes]", self._redis.hgetall(keys.aftercare(workspace, "numbers")))
        return {d.decode(): [_sample(row) for row in json.loads(rows)] for d, rows in found.items()}

    def reporting(self, workspace: str) -> tuple[str, int] | None:
        """The account that the weekly report goes to, and the weekday (0 = Monday); None if nobody wants one."""
        found = cast("bytes | None", self._redis.get(keys.aftercare(workspace, "report")))
        return (found.decode().rpartition(" ")[0], int(found.rpartition(b" ")[2])) if found else None

    def report_to(self, workspace: str, account: str, weekday: int) -> None:
        """Send the weekly report to an account; "" sends none."""
        key = keys.aftercare(workspace, "report")
        if account:
            self._redis.set(key, f"{account} {weekday}")
        else:
            self._redis.delete(key)


def _sample(row: Sequence[int]) -> Sample:
    minutes, *counts = row
    return Sample(minutes, *(None if c < 0 else c for c in counts))


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _workspace(record: str) -> str:
    return record.partition(".")[0]
