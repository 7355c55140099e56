"""What is old enough to be forgotten, in Redis: each step is small, may be repeated, and takes what nobody holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from worker.changes import Change
from worker.intake.model import Candidate, Fate
from worker.model import Status, from_json, to_json
from worker.receipts import Entry
from worker.store import keys
from worker.store.redis import Store

OVER = (Status.PUBLISHED, Status.EDITED, Status.DELETED, Status.CANCELLED, Status.SKIPPED, Status.FAILED)
"""Nothing more happens to these by itself; what waits for a person (held, parked) is never forgotten."""

CUT = """
local last = redis.call('LINDEX', KEYS[1], tonumber(ARGV[1]) - 1)
if not last or not string.find(last, '"hash":"' .. ARGV[2] .. '"', 1, true) then return 0 end
if redis.call('LLEN', KEYS[1]) <= tonumber(ARGV[1]) then return 0 end
redis.call('LTRIM', KEYS[1], ARGV[1], -1)
return 1
"""
"""The oldest entries of a ledger go if they still end in that hash; the newest stays, for the next one follows it."""

SETTLED = (Fate.PLANNED, Fate.INBOX, Fate.SKIPPED, Fate.DUPLICATE, Fate.FAILED)

FORGET_ARTICLE = """
local home, id, before = ARGV[1], ARGV[2], tonumber(ARGV[3])
local at = redis.call('HGET', KEYS[1], 'arrived')
if redis.call('SCARD', KEYS[1] .. ':deliveries') > 0 or (at and tonumber(at) > before) then return 0 end
redis.call('DEL', KEYS[1], KEYS[1] .. ':deliveries')
for _, list in ipairs({'all', 'new', 'planned', 'skipped'}) do redis.call('ZREM', home .. 'articles:' .. list, id) end
return 1
"""


Owner = Callable[[Any, Any], str]


def _itself(row: Any, _: Any) -> str:
    return str((row[0] if isinstance(row, tuple) else row).decode())


def _first_word(row: bytes, _: Any) -> str:
    return row.decode().partition(" ")[0]


def _last_word(row: bytes, _: Any) -> str:
    return row.decode().rpartition(" ")[2]


def _article_of(row: bytes, found: Mapping[bytes, bytes]) -> str:
    return from_json(Change, found[row]).article


ORPHANS: Mapping[str, tuple[str, Owner, bool]] = {
    "seen": ("h", _itself, True),
    "numbers": ("h", _itself, True),
    "clicks": ("h", _itself, True),
    "visits": ("h", _itself, True),
    "flagged": ("z", _itself, True),
    "reading": ("z", _itself, True),
    "sampling": ("z", _itself, True),
    "ledger:done": ("s", _first_word, True),
    "applied": ("s", _last_word, True),
    "left": ("s", _last_word, True),
    "original": ("h", _itself, False),
    "versions": ("h", _itself, False),
    "missing": ("h", _itself, False),
    "stopped": ("h", _itself, False),
    "gone": ("h", _itself, False),
    "rechecks": ("z", _itself, False),
    "changes": ("h", _article_of, False),
}
"""What is kept after publication: which kind of key it is, whom a row speaks of, and whether that is a post (or else an
article). It goes when they are gone."""


class Ageing:
    """Takes away, at most ``most`` a step; each method says how many went, and 0 when there is no more."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._redis = store.client

    def workspaces(self) -> list[str]:
        """Every workspace that holds something."""
        return sorted(w.decode() for w in cast("set[bytes]", self._redis.smembers(keys.workspaces())))

    def deliveries(self, workspace: str, age: timedelta, *, most: int) -> int:
        """Forget posts whose last move is that long ago, with steps, receipts, history and places in calendars."""
        before, gone = self._before(age), 0
        for shard in range(keys.SHARDS):
            for status in OVER:
                shelf = keys.status(shard, workspace, status)
                old = cast("list[bytes]", self._redis.zrangebyscore(shelf, "-inf", before, start=0, num=most - gone))
                gone += sum(self._forget(shard, name.decode(), age) for name in old)
                if gone >= most:
                    return gone
        return gone

    def _forget(self, shard: int, delivery: str, age: timedelta) -> int:
        found = self._store.run("forget", shard, delivery, "", _ms(age), ",".join(OVER))
        if not found:
            return 0
        article, account = (cast("bytes", word).decode() for word in found)
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.srem(f"{keys.home(delivery.partition('.')[0])}article:{article}:deliveries", delivery)
            pipe.zrem(keys.calendar(account), delivery)
            pipe.execute()
        return 1

    def articles(
        self, workspace: str, age: timedelta, *, most: int, after: tuple[int, int] = (0, 0)
    ) -> tuple[int, int]:
        """Forget articles that arrived that long ago and have no posts any more.

        One that has some is passed over, so ``after`` (how many were passed over, how many went) goes on behind it; the
        same again says that there is no more.
        """
        home, before = keys.home(workspace), self._before(age)
        passed, gone = after
        old = cast(
            "list[bytes]", self._redis.zrangebyscore(f"{home}articles:all", "-inf", before, start=passed, num=most)
        )
        for article in (a.decode() for a in old):
            went = self._redis.eval(FORGET_ARTICLE, 1, f"{home}article:{article}", home, article, before)
            gone, passed = (gone + 1, passed) if went else (gone, passed + 1)
        return passed, gone

    def items(self, workspace: str, age: timedelta, *, most: int) -> int:
        """Reduce items that were settled that long ago to what is needed to know their article again."""
        home, before, done = keys.home(workspace), self._before(age), 0
        for fate in SETTLED:
            shelf = f"{home}items:fate:{fate}"
            old = cast("list[bytes]", self._redis.zrangebyscore(shelf, "-inf", before, start=0, num=most - done))
            for name in (n.decode() for n in old):
                said = cast("bytes | None", self._redis.hget(f"{home}item:{name}", "candidate"))
                kept = Candidate(address="")
                if said is not None:
                    whole = from_json(Candidate, said)
                    kept = Candidate(address=whole.address, guid=whole.guid, published=whole.published)
                done += self._store.run("item_past", home, name, "", _ms(age), ",".join(SETTLED), to_json(kept))
            if done >= most:
                return done
        return done

    def past(self, workspace: str, age: timedelta, *, most: int) -> int:
        """Forget such items altogether; what they were known by follows by ``identity``."""
        home = keys.home(workspace)
        old = cast(
            "list[bytes]", self._redis.zrangebyscore(f"{home}items:past", "-inf", self._before(age), start=0, num=most)
        )
        if old:
            with self._redis.pipeline(transaction=True) as pipe:
                pipe.delete(*(f"{home}item:{n.decode()}" for n in old))
                pipe.zrem(f"{home}items:past", *old)
                pipe.execute()
        return len(old)

    def identity(self, workspace: str, cursor: int, *, most: int) -> tuple[int, int]:
        """Forget what led to items that are gone, from a cursor on: the next one (0 = the end), and how many went."""
        home = keys.home(workspace)
        following, found = self._redis.hscan(f"{home}identity", cursor, count=most)
        rows = list(cast("dict[bytes, bytes]", found).items())
        with self._redis.pipeline(transaction=False) as pipe:
            for _, owner in rows:
                pipe.exists(f"{home}item:{owner.decode()}")
            there = pipe.execute()
        gone = [key for (key, _), known in zip(rows, there, strict=True) if not known]
        if gone:
            self._redis.hdel(f"{home}identity", *gone)
        return int(following), len(gone)

    def orphans(self, workspace: str, what: str, cursor: int, *, most: int) -> tuple[int, int]:
        """Forget of one of ``ORPHANS`` what speaks of a post or an article that is gone, from a cursor on: the next one
        (0 = the end), and how many went.
        """
        kind, owner, of_posts = ORPHANS[what]
        key = keys.aftercare(workspace, what)
        following, found = getattr(self._redis, f"{kind}scan")(key, cursor, count=most)
        rows = {row[0] if kind == "z" else row: owner(row, found) for row in found}
        with self._redis.pipeline(transaction=False) as pipe:
            for name in rows.values():
                root = keys.root(keys.shard(name)) if of_posts else keys.home(workspace)
                pipe.exists(f"{root}{'delivery' if of_posts else 'article'}:{name}")
            there = pipe.execute()
        gone = [row for row, known in zip(rows, there, strict=True) if not known]
        if gone:
            {"h": self._redis.hdel, "s": self._redis.srem, "z": self._redis.zrem}[kind](key, *gone)
        return int(following), len(gone)

    def ledger(self, workspace: str, age: timedelta, *, most: int) -> list[Entry]:
        """The oldest ``most`` entries of a ledger, if all of them are that old and another follows; else none."""
        key = keys.aftercare(workspace, "ledger")
        rows = cast("list[bytes]", self._redis.lrange(key, 0, most))
        found = [from_json(Entry, row) for row in rows]
        before = datetime.fromtimestamp(self._before(age) / 1000, UTC)
        old = len(found) > most and datetime.fromisoformat(found[most - 1].at) < before
        return found[:most] if old else []

    def cut(self, workspace: str, entries: Sequence[Entry]) -> bool:
        """Take the oldest entries out of a ledger; False if they are not its oldest (any more)."""
        key = keys.aftercare(workspace, "ledger")
        return bool(self._redis.eval(CUT, 1, key, len(entries), entries[-1].hash))

    def audit(self, workspace: str, age: timedelta) -> int:
        """Cut the audit log off behind that age, to the whole entries of a node."""
        return int(self._redis.xtrim(f"{keys.home(workspace)}audit", minid=f"{self._before(age)}-0", approximate=True))

    def recent(self, workspace: str, age: timedelta) -> Iterable[str]:
        """Ids of posts that are not over, or moved within that age: their pictures are still needed."""
        since = self._before(age)
        for shard in range(keys.SHARDS):
            for status in Status:
                least: float | str = since if status in OVER else "-inf"
                shelf = keys.status(shard, workspace, status)
                yield from (n.decode() for n in cast("list[bytes]", self._redis.zrangebyscore(shelf, least, "+inf")))

    def _before(self, age: timedelta) -> int:
        return self._store.now_ms() - _ms(age)


def _ms(age: timedelta) -> int:
    return round(age.total_seconds() * 1000)
