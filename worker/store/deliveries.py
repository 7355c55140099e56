"""Deliveries in Redis: every change of status is one Lua step, fenced, on Redis' own clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from pydantic import TypeAdapter

from worker import lifecycle
from worker.errors import NotFound, Refused
from worker.model import Delivery, Event, Status, Step
from worker.store import keys
from worker.store.redis import Call, Store

STEPS = TypeAdapter(tuple[Step, ...])
WAITING_MOST = 64
"""Wake-ups that may wait in the broker at once; more made a storm of 102,587 stale messages in a trial."""

PAUSED_MS = 30_000


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to work on a delivery: what it looked like ``at`` the beginning, and the fence that proves it."""

    delivery: Delivery
    fence: int
    uncertain: bool
    looks: int
    at: datetime


@dataclass(frozen=True, slots=True)
class End:
    """How a turn ended: the status ``to``; ``wait`` seconds until the next look, None = never; ``steps`` as they are
    now, None = unchanged; whether it ``costs`` an attempt; and other ``fields`` to store.
    """

    to: Status
    note: str
    wait: float | None = None
    steps: tuple[Step, ...] | None = None
    costs: bool = False
    fields: Mapping[str, object] = field(default_factory=dict)


class Glance(NamedTuple):
    """What tells one delivery from another in a crowd; ``due`` in milliseconds since 1970."""

    article: str
    account: str
    status: Status
    due: int


class Deliveries:
    """What is stored of every delivery; ``shard`` and key names never leave this folder.

    ``clock``, in milliseconds since 1970, stands in for Redis' own where a simulated world has another time.
    """

    def __init__(self, store: Store, *, clock: Callable[[], int] | None = None) -> None:
        self._store = store
        self._clock = clock

    # What anyone may ask

    def get(self, delivery: str) -> Delivery:
        """The delivery as it stands; raises NotFound."""
        root = keys.root(keys.shard(delivery))
        with self._store.client.pipeline(transaction=False) as pipe:
            pipe.hgetall(f"{root}delivery:{delivery}")
            pipe.get(f"{root}steps:{delivery}")
            fields, steps = pipe.execute()
        if not fields:
            raise NotFound(f"There is no delivery {delivery}", do="See: handbill deliveries")
        return _delivery(delivery, fields, steps)

    def exists(self, delivery: str) -> bool:
        """Whether there is such a delivery."""
        root = keys.root(keys.shard(delivery))
        return bool(self._store.client.exists(f"{root}delivery:{delivery}"))

    def history(self, delivery: str) -> list[Event]:
        """Everything that happened to it, oldest first."""
        root = keys.root(keys.shard(delivery))
        lines = cast("list[bytes]", self._store.client.lrange(f"{root}history:{delivery}", 0, -1))
        return [_event(line) for line in lines]

    def now(self) -> datetime:
        """The instant by which it is decided what is due."""
        return _moment(self._now_ms())

    def next_look(self, delivery: str) -> datetime | None:
        """When a worker will look at it next, if one will."""
        root = keys.root(keys.shard(delivery))
        score = self._store.client.zscore(f"{root}due", delivery)
        return None if score is None else _moment(score)

    def leased(self, delivery: str) -> bool:
        """Whether a worker holds it now."""
        root = keys.root(keys.shard(delivery))
        score = self._store.client.zscore(f"{root}leases", delivery)
        return score is not None and score > self._now_ms()

    def count(self, workspace: str = "") -> dict[Status, int]:
        """How many deliveries have each status, in one workspace or ("") in all."""
        places = self._places(workspace)
        with self._store.client.pipeline(transaction=False) as pipe:
            for shard, place in places:
                for status in Status:
                    pipe.zcard(keys.status(shard, place, status))
            found = pipe.execute()
        totals = dict.fromkeys(Status, 0)
        for index, number in enumerate(found):
            totals[list(Status)[index % len(Status)]] += number
        return totals

    def unfinished(self, workspace: str) -> int:
        """How many posts of a workspace are not at their end."""
        return sum(number for status, number in self.count(workspace).items() if status not in lifecycle.FINAL)

    def forget(self, workspace: str) -> None:
        """Remove every delivery of a workspace, with its history; none of them may be on its way."""
        for shard in range(keys.SHARDS):
            root = keys.root(shard)
            for status in Status:
                shelf = keys.status(shard, workspace, status)
                for identity in cast("list[bytes]", self._store.client.zrange(shelf, 0, -1)):
                    name = identity.decode()
                    account = cast("bytes | None", self._store.client.hget(f"{root}delivery:{name}", "account"))
                    with self._store.client.pipeline(transaction=True) as pipe:
                        pipe.delete(f"{root}delivery:{name}", f"{root}steps:{name}", f"{root}history:{name}")
                        for rows in (shelf, *(f"{root}{kind}" for kind in ("due", "waking", "leases"))):
                            pipe.zrem(rows, name)
                        pipe.srem(f"{root}doubles", name)
                        pipe.delete(f"{root}planned:{(account or b'').decode()}")
                        pipe.execute()
            self._store.client.delete(f"{root}planned:{workspace}", f"{root}gone:{workspace}")
            self._store.client.srem(f"{root}workspaces", workspace)

    def ids(self, statuses: Iterable[Status] = Status, *, most: int = 1000, workspace: str = "") -> list[str]:
        """Ids of deliveries with one of the statuses, the latest move first; ``workspace`` "" is all."""
        return [delivery for _, delivery in self.latest(statuses, most=most, workspace=workspace)]

    def latest(
        self,
        statuses: Iterable[Status] = Status,
        *,
        most: int,
        before: tuple[datetime, str] | None = None,
        workspace: str = "",
    ) -> list[tuple[datetime, str]]:
        """When deliveries with one of the statuses last moved, and their ids; the latest move first.

        ``before`` is such a pair: only what comes after it in this order is returned. ``workspace`` "" is all.
        """
        wanted = list(statuses)
        moved = None if before is None else _ms(before[0])
        places = self._places(workspace)
        with self._store.client.pipeline(transaction=False) as pipe:
            for shard, place in places:
                for status in wanted:
                    key = keys.status(shard, place, status)
                    if moved is None:
                        pipe.zrange(key, 0, most - 1, desc=True, withscores=True)
                        continue
                    # What moved in the same millisecond is asked for whole, so that no page ends inside it.
                    pipe.zrange(key, moved, moved, byscore=True, withscores=True)
                    pipe.zrange(key, f"({moved}", "-inf", desc=True, byscore=True, offset=0, num=most, withscores=True)
            rows = [(score, cast("bytes", member).decode()) for chunk in pipe.execute() for member, score in chunk]
        if before is not None:
            rows = [row for row in rows if row < (_ms(before[0]), before[1])]
        # Redis, too, puts the larger id first where the instants are equal.
        return [(_moment(score), delivery) for score, delivery in sorted(rows, reverse=True)[:most]]

    def moved(
        self, workspace: str, statuses: Iterable[Status], *, since: datetime, most: int
    ) -> list[tuple[datetime, str]]:
        """When deliveries with one of the statuses moved there, ``since`` or later, and their ids; earliest first."""
        with self._store.client.pipeline(transaction=False) as pipe:
            for shard, place in self._places(workspace):
                for status in statuses:
                    key = keys.status(shard, place, status)
                    pipe.zrange(key, _ms(since), "+inf", byscore=True, offset=0, num=most, withscores=True)
            rows = [(score, cast("bytes", member).decode()) for chunk in pipe.execute() for member, score in chunk]
        return [(_moment(score), delivery) for score, delivery in sorted(rows)[:most]]

    def _places(self, workspace: str) -> list[tuple[int, str]]:
        """Each shard with each workspace that something is listed under there."""
        if workspace:
            return [(shard, workspace) for shard in range(keys.SHARDS)]
        with self._store.client.pipeline(transaction=False) as pipe:
            for shard in range(keys.SHARDS):
                pipe.smembers(f"{keys.root(shard)}workspaces")
            found = pipe.execute()
        return [(shard, cast("bytes", w).decode()) for shard, names in enumerate(found) for w in sorted(names)]

    def planned(
        self,
        workspace: str,
        days: Sequence[datetime],
        *,
        most: int,
        accounts: Iterable[str] = (),
        gone: bool = False,
    ) -> list[tuple[int, list[str]]]:
        """What stands in a workspace's calendar, day by day: how many, and at most so many ids, the earliest first.

        ``days`` are the instants at which the days begin, and the end of the last; ``accounts`` none is all. With
        ``gone`` what was cancelled, skipped or deleted is there, too, of all accounts.
        """
        bounds = [_ms(day) for day in days]
        mine = [a for a in accounts if a.partition(".")[0] == workspace]
        names = [f"planned:{whose}" for whose in mine or [workspace]] + [f"gone:{workspace}"] * gone
        found = self._store.each_shard("planned", ",".join(names), most, *bounds)
        result: list[tuple[int, list[str]]] = []
        for number in range(len(days) - 1):
            chunks = [shard[number] for shard in found]
            pairs = [(float(c[i + 1]), cast("bytes", c[i]).decode()) for c in chunks for i in range(1, len(c), 2)]
            result.append((sum(c[0] for c in chunks), [delivery for _, delivery in sorted(pairs)[:most]]))
        return result

    def several(self, ids: Iterable[str]) -> Iterator[Delivery]:
        """Many deliveries in few round trips; those that are gone are left out."""
        wanted = list(ids)
        for start in range(0, len(wanted), 500):
            chunk = wanted[start : start + 500]
            with self._store.client.pipeline(transaction=False) as pipe:
                for delivery in chunk:
                    root = keys.root(keys.shard(delivery))
                    pipe.hgetall(f"{root}delivery:{delivery}")
                    pipe.get(f"{root}steps:{delivery}")
                answers = pipe.execute()
            for index, delivery in enumerate(chunk):
                if answers[2 * index]:
                    yield _delivery(delivery, answers[2 * index], answers[2 * index + 1])

    def glance(self, ids: Iterable[str]) -> dict[str, Glance]:
        """Of many deliveries only what tells them apart; those that are gone are left out."""
        wanted = list(ids)
        with self._store.client.pipeline(transaction=False) as pipe:
            for delivery in wanted:
                pipe.hmget(
                    f"{keys.root(keys.shard(delivery))}delivery:{delivery}", ["article", "account", "status", "due"]
                )
            found = [[(v or b"").decode() for v in row] for row in pipe.execute()]
        return {d: Glance(a, o, Status(s), int(due)) for d, (a, o, s, due) in zip(wanted, found, strict=True) if s}

    def evergreens(self, ids: Iterable[str]) -> list[str]:
        """Those of these that a rule shares again."""
        wanted = list(ids)
        with self._store.client.pipeline(transaction=False) as pipe:
            for delivery in wanted:
                pipe.hexists(f"{keys.root(keys.shard(delivery))}delivery:{delivery}", "evergreen")
            return [d for d, is_one in zip(wanted, pipe.execute(), strict=True) if is_one]

    def overdue_seconds(self) -> float:
        """How late the latest due look is; 0 when nothing is late."""
        now = self._now_ms()
        with self._store.client.pipeline(transaction=False) as pipe:
            for shard in range(keys.SHARDS):
                pipe.zrange(f"{keys.root(shard)}due", 0, 0, withscores=True)
            found = [rows[0][1] for rows in pipe.execute() if rows]
        return max(0.0, (now - min(found)) / 1000) if found else 0.0

    def waiting(self) -> int:
        """Wake-ups sent that no worker has started yet."""
        with self._store.client.pipeline(transaction=False) as pipe:
            for shard in range(keys.SHARDS):
                pipe.zcard(f"{keys.root(shard)}waking")
            return sum(pipe.execute())

    def late(self, seconds: float, *, workspace: str = "") -> int:
        """How many posts should have been out ``seconds`` ago and are not; paused and retried ones count too."""
        return sum(self._store.each_shard("late", "", int(seconds * 1000), workspace))

    def doubles(self) -> list[str]:
        """Deliveries that a look-up found on their platform more than once."""
        with self._store.client.pipeline(transaction=False) as pipe:
            for shard in range(keys.SHARDS):
                pipe.smembers(f"{keys.root(shard)}doubles")
            return sorted(cast("bytes", d).decode() for found in pipe.execute() for d in found)

    # What the pipeline does

    def create(self, delivery: Delivery, *, note: str) -> bool:
        """Store a new delivery unless its id is there; False if it was."""
        look = _ms(delivery.due) if delivery.status in lifecycle.WAITING else ""
        fields: dict[str, object] = {
            "article": delivery.article,
            "account": delivery.account,
            "platform": delivery.platform,
            "workspace": delivery.workspace,
            "due": _ms(delivery.due),
            "step": 0,
        }
        # What reads the same without being there is not stored: there may be a million of these.
        if delivery.zone != "UTC":
            fields["zone"] = delivery.zone
        if delivery.version != 1:
            fields["version"] = delivery.version
        if delivery.share:
            fields["share"] = delivery.share
        if delivery.wall:
            fields["wall"] = delivery.wall
        if delivery.reason:
            fields["reason"] = delivery.reason
        if delivery.evergreen:
            fields["evergreen"] = delivery.evergreen
        pairs = [x for pair in fields.items() for x in pair]
        line = self._line(delivery.status, note)
        steps = STEPS.dump_json(delivery.steps).decode()
        shard = keys.shard(delivery.id)
        return bool(
            self._store.run("create", shard, delivery.id, self._at(), delivery.status, look, steps, line, *pairs)
        )

    def claim(self, *, most: int, settle: float, wake: float, attempts: int) -> tuple[list[str], float]:
        """Take what is due off the calendar: the ids to wake, and the seconds until more is due (``inf``: never).

        First mends what lost workers left.

        ``most`` bounds this call; the bound over all calls is WAITING_MOST. ``settle`` is how long a platform may take
        to show what a lost worker sent, ``wake`` how long a wake-up may wait before it is sent again; in seconds.
        A lost worker costs a try: after ``attempts`` a post that was not sent fails, and later one in doubt is parked.
        """
        lost = self._line(Status.SCHEDULED, "the worker was lost before it sent anything; tried again")
        unknown = self._line(Status.UNCONFIRMED, "the worker was lost while sending")
        failed = self._line(Status.FAILED, "the worker was lost before it sent anything, too often to try again")
        parked = self._line(Status.PARKED, "the worker was lost whenever it looked; only a person can tell now")
        limits = (attempts, attempts + lifecycle.REPEATS_MORE)
        lines = (lost, unknown, failed, parked)
        quota = WAITING_MOST // keys.SHARDS
        share = max(1, most // keys.SHARDS) if most > 0 else 0
        found = self._store.each_shard(
            "claim", self._at(), quota, int(wake * 1000), int(settle * 1000), share, *limits, *lines
        )
        ids = [i.decode() for woken, _ in found for i in woken]
        return ids, min((ms / 1000 for _, ms in found if ms != b""), default=float("inf"))

    def begin(self, delivery: str, *, lease: float, stale: float) -> Turn | str:
        """Start working on a delivery that is due; a word says why it is not our turn. Seconds."""
        answer = self._store.run("begin", keys.shard(delivery), delivery, self._at(), *self._terms(lease, stale))
        return _turn(delivery, answer)

    def take(self, *, lease: float, stale: float, shard: int) -> Turn | None:
        """Start working on whatever is due next, looking in ``shard`` first; None if nothing is. Seconds."""
        return self._take(range(shard, shard + keys.SHARDS), lease, stale)

    def _take(self, shards: Iterable[int], lease: float, stale: float) -> Turn | None:
        for number in shards:
            script, place, told = self._taking(number, lease, stale)
            if turn := _taken(self._store.run(script, place, *told)):
                return turn
        return None

    def _taking(self, shard: int, lease: float, stale: float) -> Call:
        return "take", shard % keys.SHARDS, (self._at(), *self._terms(lease, stale))

    def keep(self, turn: Turn, steps: tuple[Step, ...]) -> bool:
        """Store what must not be lost before the next request; False if the lease is somebody else's now."""
        text = STEPS.dump_json(steps).decode()
        shard = keys.shard(turn.delivery.id)
        return bool(self._store.run("keep", shard, turn.delivery.id, turn.fence, text) == b"ok")

    def intend(self, turn: Turn, steps: tuple[Step, ...], *, seconds: float) -> str:
        """Store, on the disk, that the commit is about to be sent: ``ok``, ``lost``, ``paused`` or ``not durable``."""
        shard = keys.shard(turn.delivery.id)
        text = STEPS.dump_json(steps).decode()
        answer, durable = self._store.run_durably(
            "intent", shard, turn.delivery.id, turn.fence, self._at(), int(seconds * 1000), text
        )
        word = cast("bytes", answer).decode()
        return "not durable" if word == "ok" and not durable else word

    def mark_double(self, delivery: str) -> None:
        """Remember that a delivery is on its platform more than once."""
        self._store.client.sadd(f"{keys.root(keys.shard(delivery))}doubles", delivery)

    def finish(self, turn: Turn, end: End) -> bool:
        """Say how a turn ended; False if it was not ours.

        Told to a server that is away until it is back, for nobody else knows what the platform answered.
        """
        [answer] = self._store.run_stubbornly(self._ending(turn, end))
        return bool(answer == b"ok")

    def finish_and_take(self, turn: Turn, end: End, *, lease: float, stale: float, shard: int) -> Turn | None:
        """``finish`` and ``take`` in one trip, as two steps.

        Whoever asks again after a lost answer has taken two: the first is given back when its lease ends.
        """
        _, answer = self._store.run_stubbornly(self._ending(turn, end), self._taking(shard, lease, stale))
        return _taken(answer) or self._take(range(shard + 1, shard + keys.SHARDS), lease, stale)

    def _ending(self, turn: Turn, end: End) -> Call:
        origins = ",".join(sorted(lifecycle.origins(end.to)))
        look = "" if end.wait is None else int(end.wait * 1000)
        text = "" if end.steps is None else STEPS.dump_json(end.steps).decode()
        pairs = [x for pair in end.fields.items() for x in pair]
        line = self._line(end.to, end.note, turn.delivery.attempts + 1)
        told = (turn.delivery.id, turn.fence, self._at(), origins, end.to, look, text, line, int(end.costs), *pairs)
        return "finish", keys.shard(turn.delivery.id), told

    # What a person or a rule does

    def change(
        self,
        delivery: str,
        to: Status,
        *,
        origins: Iterable[Status],
        note: str,
        due: datetime | None = None,
        steps: tuple[Step, ...] | None = None,
        seen: int | None = None,
        fields: Mapping[str, object] | None = None,
    ) -> None:
        """Move a delivery that no worker holds; raises NotFound, or Refused saying what it is doing instead.

        ``seen`` is the fence it had when it was looked at: refused if anything about it has changed since.
        """
        allowed = lifecycle.origins(to)
        wanted = sorted(s for s in origins if s in allowed or s == to)
        look: object = ""
        values = dict(fields or {})
        if to in lifecycle.WAITING:
            look = _ms(due) if due is not None else self._now_ms()
            values.setdefault("due", look)
        elif due is not None:
            values.setdefault("due", _ms(due))
        if to not in {Status.HELD, Status.FAILED} and {Status.HELD, Status.FAILED} & set(wanted):
            values |= {"waits": "", "asked": ""}
        pairs = [x for pair in values.items() for x in pair]
        text = "" if steps is None else STEPS.dump_json(steps).decode()
        shard = keys.shard(delivery)
        answer = self._store.run(
            "change",
            shard,
            delivery,
            self._at(),
            ",".join(wanted),
            to,
            look,
            text,
            self._line(to, note),
            "" if seen is None else seen,
            *pairs,
        )
        word = cast("bytes", answer).decode()
        if word == "gone":
            raise NotFound(f"There is no delivery {delivery}", do="See: handbill deliveries")
        if word == "changed":
            raise Refused("The post was changed meanwhile", do="Look at it again, then repeat")
        if word != "ok":
            do = lifecycle.remedy(Status(word), delivery)
            raise Refused(f"{delivery} cannot become {to}", why=f"it is {word}", do=do)

    def discard(self, delivery: str) -> None:
        """Throw a draft away; raises NotFound, or Refused if it is more than a draft."""
        word = cast("bytes", self._store.run("discard", keys.shard(delivery), delivery)).decode()
        if word == "gone":
            raise NotFound(f"There is no delivery {delivery}", do="See: handbill deliveries")
        if word != "ok":
            raise Refused(f"{delivery} cannot be thrown away", why=f"it is {word}", do="Cancel it")

    def release(self, account: str, delivery: str) -> None:
        """Give a delivery's place in its account's calendar back."""
        self._store.client.zrem(keys.calendar(account), delivery)

    def pause(self, scope: str, *, until: datetime | None, why: str) -> None:
        """Let nothing of ``scope`` begin to be sent: ``all``, or ``workspace``, ``account``, ``limit`` or ``connect``
        with a name behind a colon.

        ``until`` None = until resumed; a stop that would end later stands. In force on every shard when this returns.
        """
        self._store.each_shard("pause", scope, 0 if until is None else _ms(until), why)

    def resume(self, scope: str) -> bool:
        """Let ``scope`` send again; False if it was not paused."""
        with self._store.client.pipeline(transaction=False) as pipe:
            for shard in range(keys.SHARDS):
                pipe.hdel(f"{keys.root(shard)}paused", scope)
            return any(pipe.execute())

    def scopes(self) -> list[str]:
        """Every scope that is or was stopped, those whose stop has ended too."""
        return [s.decode() for s in cast("list[bytes]", self._store.client.hkeys(f"{keys.root(0)}paused"))]

    def paused(self) -> dict[str, tuple[datetime | None, str]]:
        """Every scope that may not send now: until when (None = until resumed), and why."""
        now = self._now_ms()
        found = cast("dict[bytes, bytes]", self._store.client.hgetall(f"{keys.root(0)}paused"))
        result: dict[str, tuple[datetime | None, str]] = {}
        for scope, value in found.items():
            ends, _, why = value.decode().partition("|")
            if ends == "0" or int(ends) > now:
                result[scope.decode()] = (None if ends == "0" else _moment(float(ends)), why)
        return result

    def _at(self) -> object:
        """What the scripts are told of the time: nothing, for they have a clock, or what the stand-in says."""
        return "" if self._clock is None else self._clock()

    def _now_ms(self) -> int:
        return self._store.now_ms() if self._clock is None else self._clock()

    def _terms(self, lease: float, stale: float) -> tuple[object, ...]:
        held = self._line(Status.HELD, "too late to send unasked; review it")
        return int(lease * 1000), int(stale * 1000), PAUSED_MS, held

    def _line(self, status: Status, note: str, attempt: int = 0) -> str:
        # The script puts the instant in front, by the server's clock.
        return json.dumps([status, note, attempt], ensure_ascii=False)


def _turn(delivery: str, answer: list[Any]) -> Turn | str:
    """What the script ``begin`` answered."""
    word = cast("bytes", answer[0]).decode()
    if word != "ok":
        return word
    pairs = iter(answer[2])
    fields = dict(zip(pairs, pairs, strict=True))
    found = _delivery(delivery, fields, answer[3])
    looks = int(fields.get(b"looks", b"0"))
    return Turn(found, int(answer[1]), fields.get(b"uncertain") == b"1", looks, _moment(float(answer[4])))


def _taken(answer: list[Any]) -> Turn | None:
    """What the script ``take`` answered."""
    if not answer:
        return None
    turn = _turn(answer[0].decode(), answer[1])
    assert isinstance(turn, Turn)
    return turn


def _delivery(delivery: str, fields: Mapping[bytes, bytes], steps: bytes | None) -> Delivery:
    f = {k.decode(): v.decode() for k, v in fields.items()}
    return Delivery(
        id=delivery,
        article=f["article"],
        account=f["account"],
        platform=f["platform"],
        workspace=f["workspace"],
        status=Status(f["status"]),
        due=_moment(float(f["due"])),
        wall=f.get("wall", ""),
        zone=f.get("zone", "UTC"),
        share=int(f.get("share", 0)),
        step=int(f.get("step", 0)),
        attempts=int(f.get("attempts", 0)),
        fence=int(f.get("fence", 0)),
        version=int(f.get("version", 1)),
        reason=f.get("reason", ""),
        approval=f.get("approval", ""),
        approver=f.get("approver", ""),
        evergreen=f.get("evergreen", ""),
        resent=int(f.get("resent", 0)),
        waits=f.get("waits", ""),
        asked=bool(f.get("asked")),
        created_at=_moment(float(f["created"])),
        updated_at=_moment(float(f["updated"])),
        steps=STEPS.validate_json(steps) if steps else (),
    )


def _event(line: bytes) -> Event:
    at, _, rest = line.partition(b" ")
    status, note, attempt = json.loads(rest)
    return Event(at=_moment(float(at)), status=Status(status), note=note, attempt=attempt)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _moment(ms: float) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
