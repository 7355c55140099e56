"""Everything of ours in a Redis as plain data: read at one instant while others write, written elsewhere, compared."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Self, TypeVar, cast

import redis

from worker.errors import StoreDown
from worker.store import keys
from worker.store.redis import Store

T = TypeVar("T")
OURS = f"{keys.PREFIX}:*"
AT_ONCE = 500
"""Keys asked for in one round trip."""

PART = 5000
"""Elements of one key that travel together."""

FREEZE_MS = 3000
"""The longest that writers may have to wait; they are let go as soon as the last changes are read."""

FEW = 300
"""Changed keys that may be left for the moment in which nobody writes; reading them takes a moment."""

ROUNDS = 30
INVALIDATED = "__redis__:invalidate"

OF_THE_SERVER = frozenset({keys.alive(), keys.reads_sealed(), keys.schema()})
"""Signs of life of the processes that run now, and the version that is set last of all: neither is copied."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One key, or a part of it: ``kind`` as Redis calls it, ``items`` its elements one after the other.

    A string has one item; a hash name, value, name, value, …; a list and a set their members; a sorted set member,
    score, …; a stream id, number of fields, field, value, … No items at all: the key is gone. ``expires`` is in
    milliseconds since 1970, 0 = never; ``part`` counts from 0, and part 0 replaces what was there.
    """

    key: str
    kind: str
    items: tuple[bytes, ...]
    expires: int = 0
    part: int = 0


Change = Callable[[Entry], Entry | None]
"""What travels instead of an entry; None leaves it behind."""


def read(store: Store, names: Iterable[bytes]) -> Iterator[Entry]:
    """The keys as they are; one that is gone is an Entry without items."""
    client = store.client
    for some in _batches(names, AT_ONCE):
        with client.pipeline(transaction=False) as pipe:
            for name in some:
                pipe.type(name)
                pipe.pexpiretime(name.decode())
            told = pipe.execute()
        kinds = [cast("bytes", kind).decode() for kind in told[::2]]
        with client.pipeline(transaction=False) as pipe:
            for name, kind in zip(some, kinds, strict=True):
                READERS[kind](pipe, name)
            found = pipe.execute(raise_on_error=False)
        for name, kind, expires, value in zip(some, kinds, told[1::2], found, strict=True):
            # A key that became another kind in between is read again, because it changed.
            items = () if isinstance(value, redis.ResponseError) else _flat(kind, value)
            entry = Entry(name.decode(), kind if items else "none", items, max(int(expires), 0))
            yield from _parts(entry)


def everything(store: Store) -> Iterator[Entry]:
    """Every key of ours, one batch after the other, while others go on writing."""
    yield from read(store, names(store))


def names(store: Store) -> Iterator[bytes]:
    """The names of our keys; one may come twice."""
    for name in store.client.scan_iter(match=OURS, count=1000):
        if name.decode() not in OF_THE_SERVER:
            yield name


def snapshot(store: Store, *, clock: Callable[[], float] = time.monotonic) -> Iterator[Entry]:
    """Every key as it was at one single instant; an entry that comes later replaces the one that came before.

    What others change meanwhile is read again and again until little is left; for that moment alone (about a tenth
    of a second) their writes wait. Raises StoreDown where Redis forbids that or loses track of what changed.
    """
    with _Watch(store) as watch:
        yield from read(store, names(store))
        for _ in range(ROUNDS):
            changed = watch.changed()
            if len(changed) > FEW:
                yield from read(store, changed)
                continue
            begun = clock()
            with watch.frozen():
                last = list(read(store, changed | watch.changed()))
                frozen = (clock() - begun) * 1000 < FREEZE_MS * 0.9
            yield from last
            if frozen:
                return
    raise StoreDown(f"{store.where} could not be copied", why="too much is written to it", do="Try again when less is")


class _Watch:
    """Learns by client-side caching which of our keys change.

    https://redis.io/docs/latest/develop/reference/client-side-caching/
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        pool = store.client.connection_pool
        self._ear: Any = pool.get_connection()
        self._mouth: Any = pool.get_connection()

    def __enter__(self) -> Self:
        try:
            number = _ask(self._ear, "CLIENT", "ID")
            _ask(self._ear, "SUBSCRIBE", INVALIDATED)
            _ask(self._mouth, "CLIENT", "TRACKING", "ON", "REDIRECT", number, "BCAST", "PREFIX", f"{keys.PREFIX}:")
        except redis.ResponseError as error:
            self.__exit__()
            do = "Allow this user +client|tracking, +client|pause, +client|id and the channel __redis__:invalidate"
            raise StoreDown(f"{self._store.where} cannot be copied while in use", why=str(error), do=do) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._ear.disconnect()
        self._mouth.disconnect()
        pool = self._store.client.connection_pool
        pool.release(self._ear)
        pool.release(self._mouth)

    def changed(self) -> set[bytes]:
        """The keys that changed since the last call; raises StoreDown if some may have been missed."""
        found: set[bytes] = set()
        try:
            self._ear.send_command("PING", check_health=False)
            while True:
                said = self._ear.read_response(disable_decoding=True)
                if said[0] == b"pong":
                    break
                if said[2] is None:  # the whole database was emptied
                    raise StoreDown(f"{self._store.where} was emptied meanwhile")
                found.update(said[2] if isinstance(said[2], list) else [said[2]])
            _ask(self._mouth, "PING")
        except (redis.ConnectionError, redis.TimeoutError) as error:
            do = "Try again"
            raise StoreDown(f"{self._store.where} lost track of what changed", why=str(error), do=do) from None
        return {name for name in found if name.decode() not in OF_THE_SERVER}

    def frozen(self) -> _Frozen:
        """While this is entered, nobody writes."""
        return _Frozen(self._store)


class _Frozen:
    """Writers wait; readers do not."""

    def __init__(self, store: Store) -> None:
        self._client = store.client

    def __enter__(self) -> None:
        self._client.execute_command("CLIENT", "PAUSE", FREEZE_MS, "WRITE")  # type: ignore[no-untyped-call]  # redis-py leaves it untyped

    def __exit__(self, *_: object) -> None:
        self._client.execute_command("CLIENT", "UNPAUSE")  # type: ignore[no-untyped-call]  # as above


def write(store: Store, entries: Iterable[Entry], *, now_ms: int) -> int:
    """Store entries as they are, each key in place of what was there; returns how many. What ended is left out."""
    count = 0
    for some in _batches(entries, AT_ONCE):
        with store.client.pipeline(transaction=False) as pipe:
            for entry in some:
                if entry.part == 0:
                    pipe.delete(entry.key)
                if not entry.items or 0 < entry.expires <= now_ms:
                    continue
                WRITERS[entry.kind](pipe, entry.key, entry.items)
                if entry.expires:
                    pipe.pexpireat(entry.key, entry.expires)
                count += entry.part == 0
            pipe.execute()
    return count


def empty(store: Store) -> bool:
    """Whether nothing of ours is there but the schema's number and signs of life."""
    return next(names(store), None) is None


class Tally:
    """What a set of entries amounts to, in any order and however often a key was told: equal tallies, equal contents.

    Keys that end by themselves are left out: some of them end while one counts.
    """

    def __init__(self) -> None:
        self._sums: dict[bytes, int] = {}
        self.counts: Counter[str] = Counter()
        self._rows: Counter[str] = Counter()

    def add(self, entry: Entry) -> None:
        """Count an entry; its part 0 replaces what was counted of the key before."""
        name = hashlib.blake2b(entry.key.encode(), digest_size=12).digest()
        what = keys.meaning(entry.key)
        if entry.part == 0 and self._sums.pop(name, None) is not None:
            self.counts[what] -= self._rows.pop(entry.key, 1)
        if entry.items and not entry.expires:
            rows = len(entry.items) // 2 if what in keys.ROWS_OF_A_HASH else int(entry.part == 0)
            self.counts[what] += rows
            if what in keys.ROWS_OF_A_HASH:
                self._rows[entry.key] += rows
            self._sums[name] = (self._sums.get(name, 0) + _sum(entry)) % (1 << 128)

    @property
    def keys(self) -> int:
        """How many keys there are."""
        return len(self._sums)

    @property
    def digest(self) -> str:
        """32 hexadecimal digits that say what they hold."""
        return f"{sum(self._sums.values()) % (1 << 128):032x}"


def _sum(entry: Entry) -> int:
    """The sum over the elements, so that the order in which Redis tells them, and the parts, make no difference."""
    step = {"hash": 2, "zset": 2}.get(entry.kind, 1)
    total = 0
    ordered = entry.kind in {"list", "stream", "string"}
    for start in range(0, len(entry.items), step):
        found = hashlib.blake2b(digest_size=16)
        place = f"{entry.part}/{start}" if ordered else ""
        for word in (entry.key.encode(), entry.kind.encode(), place.encode(), *entry.items[start : start + step]):
            found.update(len(word).to_bytes(8, "big") + word)
        total += int.from_bytes(found.digest(), "big")
    return total


def _parts(entry: Entry) -> Iterator[Entry]:
    if len(entry.items) <= 2 * PART or entry.kind == "stream":
        yield entry
        return
    size = 2 * PART
    for part, start in enumerate(range(0, len(entry.items), size)):
        yield replace(entry, items=entry.items[start : start + size], part=part)


def _batches(found: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    rest = iter(found)
    while some := tuple(islice(rest, size)):
        yield some


def _ask(connection: Any, *words: object) -> Any:
    connection.send_command(*words, check_health=False)
    return connection.read_response()


def _score(value: float) -> bytes:
    return str(int(value)).encode() if value == int(value) else repr(value).encode()


def _flat(kind: str, value: Any) -> tuple[bytes, ...]:
    if not value and value != b"":
        return ()
    if kind == "string":
        return (value,)
    if kind == "hash":
        return tuple(x for pair in value.items() for x in pair)
    if kind == "zset":
        return tuple(x for member, score in value for x in (member, _score(score)))
    if kind == "stream":
        return tuple(
            x
            for place, fields in value
            for x in (place, str(len(fields)).encode(), *(y for pair in fields.items() for y in pair))
        )
    return tuple(value)


def _pairs(items: tuple[bytes, ...]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


def _write_stream(pipe: Any, key: str, items: tuple[bytes, ...]) -> None:
    place = 0
    while place < len(items):
        count = int(items[place + 1])
        fields = items[place + 2 : place + 2 + 2 * count]
        pipe.xadd(key, _pairs(fields), id=items[place])
        place += 2 + 2 * count


READERS: dict[str, Callable[[Any, bytes], Any]] = {
    "string": lambda pipe, key: pipe.get(key),
    "hash": lambda pipe, key: pipe.hgetall(key),
    "list": lambda pipe, key: pipe.lrange(key, 0, -1),
    "set": lambda pipe, key: pipe.smembers(key),
    "zset": lambda pipe, key: pipe.zrange(key, 0, -1, withscores=True),
    "stream": lambda pipe, key: pipe.xrange(key),
    "none": lambda pipe, key: pipe.exists(key),
}

WRITERS: dict[str, Callable[[Any, str, tuple[bytes, ...]], Any]] = {
    "string": lambda pipe, key, items: pipe.set(key, items[0]),
    "hash": lambda pipe, key, items: pipe.hset(key, mapping=_pairs(items)),
    "list": lambda pipe, key, items: pipe.rpush(key, *items),
    "set": lambda pipe, key, items: pipe.sadd(key, *items),
    "zset": lambda pipe, key, items: pipe.zadd(key, {m: float(s) for m, s in _pairs(items).items()}),
    "stream": _write_stream,
}
