"""Sources and their items in Redis: who polls what and when, which article is whose, and every item's fate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, cast

from worker.errors import HandbillError, NotFound, Refused
from worker.intake import private
from worker.intake.model import Candidate, Fate, Item, Source, State
from worker.model import from_json, to_json
from worker.store import keys
from worker.store.redis import Store
from worker.store.rows import Rows
from worker.store.secrets import Vault
from worker.store.signs import Signs

WAITING_MOST = 16
"""Items whose wake-up may wait in the broker at once; reading one takes a second or more."""

DAY_MS = 2 * 86_400_000
MONTH_MS = 31 * 86_400_000
INSTANTS = frozenset(f.name for f in fields(State) if "datetime" in str(f.type))
READ: Mapping[str, Callable[[str], Any]] = {"str": str, "int": int, "float": float, "bool": lambda t: t == "1"}
OPEN = (Fate.NEW, Fate.HELD)


@dataclass(frozen=True, slots=True)
class Hold:
    """The right to work on an item: what it looked like when the lease began, and the fence that proves it.

    ``begun`` is how many workers in a row have begun and never said what became of it, this one included.
    """

    item: Item
    fence: int
    begun: int


class Sources:
    """What is stored of sources and items; each decision about several keys is one Lua step on Redis' clock.

    An address that holds a secret is sealed: stored as it is shown, and whole beside it, encrypted. While a worker of
    a version before lives, which could not poll it then, a new one waits for that. What somebody said of an address is
    beside it, too: such a worker writes a source without what it does not know.
    """

    def __init__(self, store: Store, vault: Vault) -> None:
        self._store = store
        self._redis = store.client
        self._vault = vault
        self._signs = Signs(store)
        self._rows = Rows(
            store.client, lambda home: (f"{home}sources", f"{home}sources:addresses", f"{home}sources:said")
        )

    # Sources

    def save(self, source: Source, secrets: Mapping[str, str] | None = None) -> None:
        """Store a source; ``secrets`` None leaves the stored ones alone."""
        home = keys.home(source.workspace)
        if secrets is not None:
            self._redis.hset(f"{home}sources:secrets", source.id, self._vault.lock(source.id, secrets))
        while True:
            [before] = self._rows.get([(home, source.id)])
            if self._rows.swap(home, source.id, before, self._kept(source, before[1])):
                break
        self._redis.sadd(keys.workspaces(), source.workspace)

    def change(self, source: str, change: Callable[[Source], Source]) -> Source:
        """Change a source, whoever else does so meanwhile; raises NotFound."""
        while True:
            [before] = self._rows.get([(_home(source), source)])
            if not before[0]:
                raise _unknown(source)
            made = change(self._read(*before))
            if self._rows.swap(_home(source), source, before, self._kept(made, before[1])):
                return made

    def add(self, source: Source, secrets: Mapping[str, str] | None = None) -> bool:
        """Store a new source; False if there is one with its id."""
        added = bool(self._redis.hsetnx(f"{keys.home(source.workspace)}sources", source.id, self._kept(source)[0]))
        if added:
            self.save(source, secrets)
        return added

    def get(self, source: str) -> Source:
        """A source by its id; raises NotFound."""
        found = self.several([source])
        if not found:
            raise _unknown(source)
        return found[source]

    def all(self, workspace: str) -> list[Source]:
        """Every source of a workspace, by id."""
        rows = self._rows.all(keys.home(workspace)).values()
        return sorted((self._read(*row) for row in rows), key=lambda s: s.id)

    def workspaces(self) -> list[str]:
        """Every workspace that holds something."""
        return sorted(w.decode() for w in cast("set[bytes]", self._redis.smembers(keys.workspaces())))

    def several(self, sources: Iterable[str]) -> dict[str, Source]:
        """Many sources in one round trip, by id; those that are gone are left out."""
        wanted = list(sources)
        rows = self._rows.get((_home(s), s) for s in wanted)
        return {s: self._read(*row) for s, row in zip(wanted, rows, strict=True) if row[0]}

    def seal(self, workspace: str) -> int:
        """Seal the addresses that a version before has stored as they are; how many those were."""
        if self._signs.older():
            return 0
        rows = self._rows.all(keys.home(workspace)).values()
        found = [self._read(*r) for r in rows if not from_json(Source, r[0]).address.startswith(private.SEALED)]
        plain = [s.id for s in found if s.is_private or private.HIDDEN in s.address]
        for source in plain:
            with suppress(NotFound):
                self.change(source, lambda known: known)
        return len(plain)

    def _kept(self, source: Source, before: bytes = b"") -> tuple[bytes, bytes, bytes]:
        """The parts of a source as they are stored: it, its address, encrypted, and what was said of that.

        Whoever has no key for the address keeps what was there ``before``.
        """
        sealed = private.SEALED + source.shown
        said = private.said(source.address, secret=source.private).encode()
        if private.HIDDEN in source.address:
            return to_json(replace(source, address=sealed)).encode(), before, said
        if not source.is_private or (not before and self._signs.older()):
            return to_json(source).encode(), b"", said
        locked = self._vault.lock(_address(source.id), {"address": source.address})
        return to_json(replace(source, address=sealed)).encode(), locked, said

    def _read(self, found: bytes, locked: bytes, said: bytes) -> Source:
        source = from_json(Source, found)
        if private.HIDDEN in source.address:
            source = replace(source, address=source.address.removeprefix(private.SEALED))
            with suppress(HandbillError):  # no key fits: its poll says so
                address = self._vault.unlock(_address(source.id), locked)["address"] if locked else ""
                if private.is_shown(source.address, address):
                    source = replace(source, address=address)
        if source.private is None:
            source = replace(source, private=private.was_said(said.decode(), source.address))
        return source

    def secrets(self, source: Source) -> dict[str, str]:
        """The source's secrets, in clear."""
        locked = cast("bytes | None", self._redis.hget(f"{keys.home(source.workspace)}sources:secrets", source.id))
        return self._vault.unlock(source.id, locked) if locked else {}

    def remove(self, source: Source) -> None:
        """Forget a source and its secrets; its items and what was made of them stay."""
        home = keys.home(source.workspace)
        self._rows.remove(home, source.id)
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hdel(f"{home}sources:secrets", source.id)
            pipe.hdel(f"{home}polls:hosts", source.id)
            pipe.zrem(f"{home}polls", source.id)
            pipe.delete(f"{home}source:{source.id}:state")
            pipe.execute()

    # Polling

    def state(self, source: str) -> State:
        """What polling has shown; an empty State if it was never polled."""
        return self.states([source])[source]

    def states(self, sources: Iterable[str]) -> dict[str, State]:
        """The states of many sources in one round trip."""
        wanted = list(sources)
        with self._redis.pipeline(transaction=False) as pipe:
            for source in wanted:
                pipe.hgetall(f"{_home(source)}source:{source}:state")
                pipe.zscore(f"{_home(source)}polls", source)
            found = pipe.execute()
        return {s: _state(found[2 * i], found[2 * i + 1]) for i, s in enumerate(wanted)}

    def note(self, source: str, **values: object) -> None:
        """Set fields of a source's State (an instant or text; None and False empty it), whatever the others are."""
        self._redis.hset(f"{_home(source)}source:{source}:state", mapping={k: _stored(v) for k, v in values.items()})

    def watch(self, source: Source, host: str) -> None:
        """Poll a source from now on; sources with one ``host`` take turns."""
        home = keys.home(source.workspace)
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(f"{home}polls:hosts", source.id, host)
            pipe.zadd(f"{home}polls", {source.id: self._store.now_ms()})
            pipe.execute()

    def unwatch(self, source: Source) -> None:
        """Poll a source no more."""
        self._redis.zrem(f"{keys.home(source.workspace)}polls", source.id)

    def notice(self, source: str, hint: str) -> bool:
        """Poll a source now, because ``hint`` says that it has news; False if there is no such source."""
        return bool(self._store.run("poll_notice", _home(source), source, "", hint[:200]))

    def take_polls(self, *, most: int, lease: float, gap: float) -> tuple[list[str], float]:
        """Sources whose time has come, and the seconds until the next's (``inf``: never).

        One that is not polled within ``lease`` seconds is given out again; ``gap`` seconds lie between two polls of one
        host, by whomever.
        """
        ids: list[str] = []
        soonest = float("inf")
        for workspace in self.workspaces():
            home = keys.home(workspace)
            found, following = self._store.run("poll_take", home, "", most, int(lease * 1000), int(gap * 1000))
            ids += [i.decode() for i in found]
            soonest = min(soonest, int(following) / 1000 if following != b"" else soonest)
        return ids, soonest

    def polled(self, ended: Iterable[tuple[str, datetime, float | None, float, Mapping[str, object]]]) -> None:
        """Say how polls ended, in one round trip.

        Each is its source, when it began, the seconds until its next poll (None = never), the seconds for which its
        host asks to be left alone, and fields of its State. Sources that are gone are left out.
        """
        by_home: dict[str, list[list[object]]] = {}
        for source, began, wait, host_wait, values in ended:
            pairs = [x for k, v in values.items() for x in (k, _stored(v))]
            look = "" if wait is None else int(wait * 1000)
            row: list[object] = [source, _ms(began), "", look, int(host_wait * 1000), *pairs]
            by_home.setdefault(_home(source), []).append(row)
        for home, rows in by_home.items():
            self._store.run_each("poll_done", home, rows)

    # Items

    def add_item(self, item: Item, identity: Sequence[str], *, look: float | None) -> tuple[str, bool]:
        """Store an item, on the disk, unless it is there; the item that has this article first, and whether it is new.

        ``look`` is when it is worked on, in seconds, None = never.
        """
        (owner, word), _ = self._store.run_durably(
            "item_add", keys.home(item.workspace), *_adding(item, identity, look)
        )
        if word == b"new":
            self._redis.sadd(keys.workspaces(), item.workspace)
        return owner.decode(), word == b"new"

    def add_items(self, items: Sequence[tuple[Item, Sequence[str]]]) -> None:
        """Store many items that nobody needs to look at again, in few round trips."""
        for start in range(0, len(items), 200):
            chunk = items[start : start + 200]
            self._store.run_each("item_add", keys.home(chunk[0][0].workspace), [_adding(i, k, None) for i, k in chunk])

    def claim(self, item: str, identity: Sequence[str], *, force: bool = False) -> str:
        """The item that has the article of these keys first; ``force`` makes it this one."""
        answer = self._store.run("item_claim", _home(item), item, int(force), *identity)
        return cast("bytes", answer).decode()

    def mark(self, hold: Hold, **values: object) -> None:
        """Set fields of an item that is being worked on, whatever the others are."""
        item = hold.item.id
        self._redis.hset(f"{_home(item)}item:{item}", mapping={k: _stored(v) for k, v in values.items()})

    def stored(self, items: Sequence[str]) -> set[str]:
        """Those of the items that there are."""
        with self._redis.pipeline(transaction=False) as pipe:
            for item in items:
                pipe.exists(f"{_home(item)}item:{item}")
            return {i for i, there in zip(items, pipe.execute(), strict=True) if there}

    def remember_text(self, item: str, keys_of_text: Sequence[str], month: str) -> None:
        """Let the item be found by its text for two months; whoever has a key first keeps it."""
        name = f"{_home(item)}texts:{month}"
        with self._redis.pipeline(transaction=True) as pipe:
            for key in keys_of_text:
                pipe.hsetnx(name, key, item)
            pipe.pexpire(name, 2 * MONTH_MS)
            pipe.execute()

    def with_text(self, workspace: str, keys_of_text: Sequence[str], months: Iterable[str]) -> Counter[str]:
        """How many of the keys of a text each item has, by item."""
        if not keys_of_text:
            return Counter()
        with self._redis.pipeline(transaction=False) as pipe:
            for month in months:
                pipe.hmget(f"{keys.home(workspace)}texts:{month}", list(keys_of_text))
            rows = pipe.execute()
        return Counter(i.decode() for i in (next(filter(None, r), None) for r in zip(*rows, strict=True)) if i)

    def known(self, workspace: str, identity: Sequence[str]) -> list[str]:
        """The items that hold these identity keys, "" for each that nobody holds."""
        if not identity:
            return []
        found = cast("list[bytes | None]", self._redis.hmget(f"{keys.home(workspace)}identity", list(identity)))
        return [f.decode() if f else "" for f in found]

    def item(self, item: str) -> Item:
        """An item as it stands; raises NotFound."""
        found = self.items([item])
        if not found:
            raise NotFound(f"There is no item {item}", do="See: handbill sources show")
        return found[0]

    def items(self, ids: Iterable[str]) -> list[Item]:
        """Many items in one round trip; those that are gone are left out."""
        wanted = list(ids)
        with self._redis.pipeline(transaction=False) as pipe:
            for item in wanted:
                pipe.hgetall(f"{_home(item)}item:{item}")
                pipe.zscore(f"{_home(item)}intake:due", item)
            found = pipe.execute()
        return [_item(i, found[2 * n], found[2 * n + 1]) for n, i in enumerate(wanted) if found[2 * n]]

    def latest(
        self,
        workspace: str,
        fates: Iterable[Fate] = Fate,
        *,
        source: str | None = None,
        most: int = 50,
        before: tuple[datetime, str] | None = None,
    ) -> list[tuple[datetime, str]]:
        """When items last moved and their ids, the latest move first; of one ``source`` its items of every fate.

        ``before`` is such a pair: only what comes after it in this order is returned.
        """
        home = keys.home(workspace)
        names = [f"{home}items:fate:{f}" for f in fates] if source is None else [f"{home}items:source:{source}"]
        moved = None if before is None else _ms(before[0])
        with self._redis.pipeline(transaction=False) as pipe:
            for name in names:
                if moved is None:
                    pipe.zrange(name, 0, most - 1, desc=True, withscores=True)
                else:
                    # What moved in the same millisecond is asked for whole, so that no page ends inside it.
                    pipe.zrange(name, moved, moved, byscore=True, withscores=True)
                    pipe.zrange(name, f"({moved}", "-inf", desc=True, byscore=True, offset=0, num=most, withscores=True)
            rows = [(score, cast("bytes", member).decode()) for chunk in pipe.execute() for member, score in chunk]
        if before is not None:
            rows = [row for row in rows if row < (moved, before[1])]
        return [(_moment(score), item) for score, item in sorted(rows, reverse=True)[:most]]

    def count(self, workspace: str) -> dict[Fate, int]:
        """How many items have each fate."""
        with self._redis.pipeline(transaction=False) as pipe:
            for fate in Fate:
                pipe.zcard(f"{keys.home(workspace)}items:fate:{fate}")
            return dict(zip(Fate, pipe.execute(), strict=True))

    def take_items(self, *, wake: float) -> tuple[list[str], float]:
        """Items to be worked on, and the seconds until the next is due (``inf``: never).

        One that nobody took up within ``wake`` seconds is given out again.
        """
        ids: list[str] = []
        soonest = float("inf")
        for workspace in self.workspaces():
            found, following = self._store.run("item_take", keys.home(workspace), "", WAITING_MOST, int(wake * 1000))
            ids += [i.decode() for i in found]
            soonest = min(soonest, int(following) / 1000 if following != b"" else soonest)
        return ids, soonest

    def begin(self, item: str, *, lease: float) -> Hold | None:
        """Start working on an item that is due, for ``lease`` seconds; None if it is not, or somebody else does."""
        fence = self._store.run("item_begin", _home(item), item, "", int(lease * 1000))
        if not fence:
            return None
        begun = cast("bytes | None", self._redis.hget(f"{_home(item)}item:{item}", "begun"))
        return Hold(self.item(item), int(fence), int(begun or 1))

    def settle(
        self,
        item: str,
        fate: Fate,
        reason: str,
        *,
        hold: Hold | None = None,
        origins: Iterable[Fate] = OPEN,
        look: float | None = None,
        costs: bool = False,
        **values: object,
    ) -> bool:
        """Say what became of an item; ``look`` seconds until it is worked on again. False if the hold was lost.

        Without a ``hold`` it is a person's decision or a rule's: raises NotFound, or Refused where the fate is not one
        of ``origins`` or somebody is at work on it.
        """
        pairs = [x for k, v in values.items() for x in (k, _stored(v))]
        fence = "" if hold is None else hold.fence
        answer = self._store.run(
            "item_settle",
            _home(item),
            item,
            "",
            fence,
            ",".join(origins),
            fate,
            reason[:500],
            "" if look is None else int(look * 1000),
            int(costs),
            *pairs,
        )
        word = cast("bytes", answer).decode()
        if word == "ok":
            return True
        if hold is not None:
            return False
        if word == "gone":
            raise NotFound(f"There is no item {item}")
        what = "is being read just now" if word == "busy" else f"is {word}"
        raise Refused(f"{item} {what}", do="Look at it again")

    def place_today(self, source: str, item: str, day: str, most: int) -> bool:
        """Take one of a source's places of a day; True if the item has one."""
        return bool(self._store.run("day", _home(source), f"source:{source}:day:{day}", item, most, DAY_MS))

    def now(self) -> datetime:
        """Redis' clock."""
        return _moment(self._store.now_ms())


def _unknown(source: str) -> NotFound:
    return NotFound(f"There is no source {source.partition('.')[2] or source}", do="See: handbill sources list")


def _address(source: str) -> str:
    """The row that a source's address is bound to."""
    return f"address of {source}"


def _home(record: str) -> str:
    return keys.home(record.partition(".")[0])


def _adding(item: Item, identity: Sequence[str], look: float | None) -> list[object]:
    values: dict[str, object] = {
        "source": item.source,
        "candidate": to_json(item.candidate),
        "article": item.article,
        "of": item.of,
        "deliveries": " ".join(item.deliveries),
        "firm": int(item.firm),
    }
    pairs = [x for pair in values.items() for x in pair]
    when = "" if look is None else int(look * 1000)
    return [item.id, "", when, item.fate, item.reason, item.candidate.way, len(identity), *identity, *pairs]


def _item(identity: str, found: Mapping[bytes, bytes], look: float | None) -> Item:
    f = {k.decode(): v.decode() for k, v in found.items()}
    return Item(
        id=identity,
        workspace=identity.partition(".")[0],
        candidate=from_json(Candidate, f["candidate"]),
        fate=Fate(f["fate"]),
        source=f.get("source", ""),
        title=f.get("title", "") or from_json(Candidate, f["candidate"]).title,
        reason=f.get("reason", ""),
        of=f.get("of", ""),
        article=f.get("article", ""),
        deliveries=tuple(f.get("deliveries", "").split()),
        ways=tuple(w for w in f.get("ways", "").split(",") if w),
        tries=int(f.get("tries", 0)),
        released=f.get("released") == "1",
        firm=f.get("firm") == "1",
        created_at=_moment(float(f["created"])),
        updated_at=_moment(float(f["updated"])),
        next_look=None if look is None else _moment(look),
    )


def _state(found: Mapping[bytes, bytes], following: float | None) -> State:
    values: dict[str, Any] = {}
    for f in fields(State):
        text = found.get(f.name.encode(), b"").decode()
        if not text:
            continue
        with suppress(ValueError):
            if f.name in INSTANTS:
                values[f.name] = _moment(float(text))
            else:
                values[f.name] = READ[str(f.type)](text)
    if following is not None:
        values["next_poll"] = _moment(following)
    return State(**values)


def _stored(value: object) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, datetime):
        return _ms(value)
    return value if isinstance(value, (int, float)) else str(value)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _moment(ms: float) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
