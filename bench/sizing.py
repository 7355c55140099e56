"""How large a house must be: what the real scripts take for a delivery's whole life, and which limit comes first.

Hours of a day of deliveries are lived through on a clock of our own that jumps to whatever is due next: planned,
claimed, begun, intended, published. Redis is the real one, with the disk it has in production; processor, memory and
disk are its own figures, so they hold on a machine that is shared, which only makes the run longer.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from cryptography.fernet import Fernet

from bench.chaos import step_of
from bench.processes import cpu_seconds
from publishers.core.post import Receipt
from worker.embedded import Embedded, Fsync
from worker.model import Article, Content, Delivery, Status, article_id, delivery_id, to_json
from worker.store import Deliveries, Records, Store, open_store
from worker.store.deliveries import WAITING_MOST, End, Turn
from worker.store.secrets import Vault

T = TypeVar("T")
DAY, MINUTES = 86_400.0, 1440
START = datetime(2030, 1, 7, tzinfo=UTC).timestamp()
THREADS = 3
TOGETHER = 64
"""Calls that share a trip, as those of many workers share a turn of Redis' loop and its write to the disk."""

ACCOUNTS = 10
"""Deliveries of one article."""

KEPT_DAYS = 730
PER_DAY = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
PEAK = 10.0
"""Newsrooms post in waves: the busiest minute has so many times the average."""

WAVES = {0: PEAK, 30: 5.0, 15: 3.0, 45: 3.0}
"""Minutes of an hour with more than the average; the others share what is left."""

POST_SECONDS = 1.0
"""What a platform takes for one post, uploads included; measured ones lie between 0.2 and 3."""

POSTS_IN_FLIGHT = 128
MOST_OF_A_CORE = 0.7
"""Redis runs scripts on one core; fuller, and posts wait for it."""

LEAST_KEPT_DAYS = 7
MACHINE_GB = 16.0
DISK_MB = 100.0
"""Megabytes a second that a small machine's disk takes besides all else."""

TEXT = "A sentence as long as they are, with a link and two hashtags, so that it weighs what posts weigh. " * 3


class Day:
    """The clock that all share; it never goes back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = START

    def ms(self) -> int:
        """As the scripts are told."""
        return round(self.now * 1000)

    def jump(self, to: float) -> None:
        """Go on to an instant."""
        with self._lock:
            self.now = max(self.now, to)


class _Asked(BaseException):
    """A call was noted, and is answered later."""


class Together(Store):
    """Lets several calls share a trip: each is made twice, first to hear what it asks, then to be given the answer."""

    def __init__(self, real: Store) -> None:
        super().__init__(real.client, where=real.where)
        self._real = real
        self._asked: list[tuple[str, int | str, tuple[object, ...]]] = []
        self._answers: Iterator[Any] | None = None

    def run(self, script: str, shard: int | str, *args: object) -> Any:
        """Note what is asked, or tell what was answered."""
        if self._answers is None:
            self._asked.append((script, shard, args))
            raise _Asked
        return next(self._answers)

    def run_durably(self, script: str, shard: int | str, *args: object) -> tuple[Any, bool]:
        """As ``run``: the server writes to its disk before it answers."""
        return self.run(script, shard, *args), True

    def run_stubbornly(self, *calls: tuple[str, int | str, tuple[object, ...]]) -> list[Any]:
        """As ``run``."""
        return [self.run(script, shard, *told) for script, shard, told in calls]

    def each(self, todo: Sequence[Callable[[], T]]) -> list[T]:
        """What each of these comes to; each asks one thing."""
        found: list[T] = []
        for start in range(0, len(todo), TOGETHER):
            some = todo[start : start + TOGETHER]
            self._asked, self._answers = [], None
            for one in some:
                with contextlib.suppress(_Asked):
                    one()
            self._answers = iter(self._real.run_stubbornly(*self._asked))
            found += [one() for one in some]
        return found


def wave(minute: int) -> float:
    """What share of an hour falls on one of its minutes, times sixty."""
    rest = (60 - sum(WAVES.values())) / (60 - len(WAVES))
    return WAVES.get(minute % 60, rest)


def timetable(a_day: int, minutes: int) -> Iterator[tuple[int, list[float]]]:
    """Each minute, and the instants within it at which something is due."""
    told, weight = 0, 0.0
    for minute in range(minutes):
        weight += wave(minute)
        count = round(a_day / MINUTES * weight) - told
        told += count
        yield minute, [START + 60 * (minute + n / max(count, 1)) for n in range(count)]


@dataclass
class Sample:
    """The server after so many deliveries; processor in microseconds a delivery since the sample before."""

    deliveries: int
    hours: float
    redis_cpu_us: float
    memory_mb: float
    bytes_each: float
    written_mb: float


@dataclass
class Run:
    """Plays the hours, and looks at the server now and then."""

    store: Store
    pid: int
    say: Callable[[str], None]
    day: Day = field(default_factory=Day)
    samples: list[Sample] = field(default_factory=list)
    total: int = 0
    done: int = 0
    stopped: bool = False

    def __post_init__(self) -> None:
        self._empty = _used(self.store)
        self._before = (0, cpu_seconds(self.pid))
        self._written = _written(self.pid)
        self._lock = threading.Lock()
        self.begun = time.monotonic()

    def play(self, a_day: int, hours: float) -> None:
        """An hour is planned, then it passes; Ctrl-C ends it, and what was measured so far stands."""
        minutes = round(hours * 60)
        self.total = sum(len(instants) for _, instants in timetable(a_day, minutes))
        try:
            self._play(a_day, minutes)
        except KeyboardInterrupt:
            if not self.done:
                raise
            self.stopped = True
            self._sample()

    def _play(self, a_day: int, minutes: int) -> None:
        due: list[float] = []
        number = 0
        for minute, instants in timetable(a_day, minutes):
            due += instants
            if minute % 60 == 59 or minute == minutes - 1:
                self._threads(self._plan, [(number + n, at) for n, at in enumerate(due)])
                number += len(due)
                self._threads(self._publish, [number] * THREADS)
                due = []
                if self.done >= (len(self.samples) + 1) * self.total / 20 or minute == minutes - 1:
                    self._sample()
        assert Deliveries(self.store).count()[Status.PUBLISHED] == number == self.done

    def _plan(self, rows: Sequence[tuple[int, float]]) -> None:
        together = Together(self.store)
        deliveries = Deliveries(together, clock=self.day.ms)

        def made(number: int, at: float) -> Callable[[], bool]:
            article, account = f"main.a{number // ACCOUNTS}", f"main.k{number % ACCOUNTS}"
            name = delivery_id(article, account, 0)
            delivery = Delivery(
                id=name, article=article, account=account, platform="keyed", status=Status.SCHEDULED,
                due=datetime.fromtimestamp(at, UTC), steps=(step_of(name, TEXT),),
            )  # fmt: skip
            return lambda: deliveries.create(delivery, note="planned")

        for start in range(0, 0 if self.stopped else len(rows), TOGETHER):
            assert all(together.each([made(*row) for row in rows[start : start + TOGETHER]]))

    def _publish(self, until: Sequence[int]) -> None:
        """Claim, begin, intend, finish, as the engine does, until all that was planned is out."""
        together = Together(self.store)
        mine = Deliveries(together, clock=self.day.ms)
        real = Deliveries(self.store, clock=self.day.ms)
        while self.done < until[0] and not self.stopped:
            ids, following = real.claim(most=WAITING_MOST // THREADS, settle=1, wake=1e6, attempts=3)
            if not ids:
                if following != float("inf"):
                    self.day.jump(self.day.now + max(following, 0.001))
                continue
            turns = together.each([lambda i=i: mine.begin(i, lease=1e6, stale=1e9) for i in ids])  # type: ignore[misc]  # bound now
            assert all(isinstance(t, Turn) for t in turns)
            taken = [t for t in turns if isinstance(t, Turn)]
            words = together.each([lambda t=t: mine.intend(t, t.delivery.steps, seconds=1) for t in taken])  # type: ignore[misc]  # as above
            assert set(words) == {"ok"}
            assert all(together.each([lambda t=t: mine.finish(t, _end(t)) for t in taken]))  # type: ignore[misc]  # as above
            with self._lock:
                self.done += len(taken)

    def _threads(self, work: Callable[[Any], None], rows: Sequence[Any]) -> None:
        faults: list[BaseException] = []

        def safely(part: Sequence[Any]) -> None:
            try:
                work(part)
            except BaseException as error:  # noqa: BLE001 - raised below, by whoever waits
                faults.append(error)

        threads = [threading.Thread(target=safely, args=(rows[n::THREADS],)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except KeyboardInterrupt:
            self.stopped = True
            for thread in threads:
                thread.join()
            raise
        if faults:
            raise faults[0]

    def _sample(self) -> None:
        count, cpu = self._before
        now = cpu_seconds(self.pid)
        used = _used(self.store)
        self.samples.append(
            Sample(
                deliveries=self.done,
                hours=round((self.day.now - START) / 3600, 2),
                redis_cpu_us=round((now - cpu) / max(self.done - count, 1) * 1e6),
                memory_mb=round(used / 1e6, 1),
                bytes_each=round((used - self._empty) / sum(Deliveries(self.store).count().values())),
                written_mb=round((_written(self.pid) - self._written) / 1e6, 1),
            )
        )
        self._before = (self.done, now)
        last, seconds = self.samples[-1], time.monotonic() - self.begun
        self.say(
            f"{last.deliveries:,} of {self.total:,} after {seconds:.0f} s: {last.redis_cpu_us:.0f} µs of Redis each "
            f"lately, {last.memory_mb:,.0f} MB"
        )


def _end(turn: Turn) -> End:
    step = replace(turn.delivery.steps[0], receipt=Receipt(id="1", url="https://social.example/1"))
    return End(Status.PUBLISHED, "published", steps=(step,), fields={"step": 1})


def run(*, a_day: int, hours: float, fsync: Fsync, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure, then say what each size needs and what each limit allows."""
    with (
        tempfile.TemporaryDirectory(prefix="handbill-sizing-") as folder,
        Embedded.start(Path(folder), fsync=fsync) as server,
    ):
        store = open_store(server.url, trial=True)
        pid = int((server.folder / "server.pid").read_text())
        before, begun = cpu_seconds(pid), time.monotonic()
        played = Run(store, pid, say)
        played.play(a_day, hours)
        processor, seconds = cpu_seconds(pid) - before, time.monotonic() - begun
        last = played.samples[-1]
        article = _article_bytes(store)
        store.close()
    measured = {
        "deliveries": played.done,
        "of": played.total,
        "of_a_day_of": a_day,
        "hours": hours,
        "fsync": fsync,
        "seconds": round(seconds),
        "bytes_a_delivery": last.bytes_each,
        "bytes_an_article": round(article),
        "disk_bytes_a_delivery": round(last.written_mb * 1e6 / played.done),
        "redis_cpu_us_a_delivery": round(processor / played.done * 1e6),
    }
    return {
        "measured": measured,
        "samples": [vars(s) for s in played.samples],
        "limits": limits(measured),
        "first_limit": next(iter(limits(measured))),
        "sizes": [size(n, measured) for n in PER_DAY],
    }


def limits(measured: dict[str, Any]) -> dict[str, int]:
    """Deliveries a day at which each thing is used up that one installation has once; the first comes first."""
    each = measured["bytes_a_delivery"] + measured["bytes_an_article"] / ACCOUNTS
    found = {
        f"memory: {LEAST_KEPT_DAYS} days kept in {MACHINE_GB:.0f} GB": MACHINE_GB * 1e9 / LEAST_KEPT_DAYS / each,
        f"Redis' core: {MOST_OF_A_CORE:.0%} of it in the busiest minute": MOST_OF_A_CORE
        / (measured["redis_cpu_us_a_delivery"] / 1e6)
        * DAY
        / PEAK,
        f"disk: {DISK_MB:.0f} MB a second in the busiest minute": DISK_MB
        * 1e6
        / measured["disk_bytes_a_delivery"]
        * DAY
        / PEAK,
    }
    return {what: round(most) for what, most in sorted(found.items(), key=lambda row: row[1])}


def size(a_day: int, measured: dict[str, Any]) -> dict[str, Any]:
    """What a number of deliveries a day needs, ten accounts to an article."""
    peak = a_day / DAY * PEAK
    memory = a_day * measured["bytes_a_delivery"] + a_day / ACCOUNTS * measured["bytes_an_article"]
    return {
        "a_day": a_day,
        "peak_per_s": round(peak, 1),
        "publish_workers": max(1, -(-int(peak * POST_SECONDS + 0.999) // POSTS_IN_FLIGHT)),
        "redis_core_at_peak": round(peak * measured["redis_cpu_us_a_delivery"] / 1e6, 3),
        "disk_mb_s_at_peak": round(peak * measured["disk_bytes_a_delivery"] / 1e6, 2),
        "gb_a_kept_day": round(memory / 1e9, 3),
        "gb_two_years": round(memory * KEPT_DAYS / 1e9, 1),
        "beyond": next((what for what, most in limits(measured).items() if a_day > most), "none"),
    }


def _article_bytes(store: Store) -> float:
    before, records = _used(store), Records(store, Vault(Fernet.generate_key().decode()))
    text = "A paragraph of an article that weighs what articles weigh. " * 70
    for number in range(200):
        url = f"https://example.org/{number}"
        article = Article(id=article_id("main", url), url=url, title="A title", text=text)
        content = Content(short=TEXT[:120], medium=TEXT[:280], long=TEXT, sentences=(), hashtags=("A", "B"), alt="A")
        assert to_json(article)
        records.save_article(article, content)
    return (_used(store) - before) / 200


def _used(store: Store) -> int:
    return int(store.client.info("memory")["used_memory"])


def _written(pid: int) -> int:
    """Bytes that a process has handed to the disk; those of a child that rewrites the file are not among them."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("write_bytes:")).split()[1])


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--a-day", type=int, default=50_000, help="Deliveries of a whole day, which come in waves.")
    parser.add_argument("--hours", type=float, default=24.0, help="How many hours of it are lived through.")
    parser.add_argument("--fsync", choices=["always", "everysec"], default="always")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = run(a_day=given.a_day, hours=given.hours, fsync=given.fsync, say=lambda text: print(text, file=sys.stderr))
    if given.json:
        json.dump(found, sys.stdout, indent=1)
        print()
        return
    for name, value in found["measured"].items():
        print(f"{name:<26} {value:,}" if isinstance(value, int) else f"{name:<26} {value}")
    for what, most in found["limits"].items():
        print(f"{most:>14,} a day  {what}")
    rows = found["sizes"]
    print("".join(f"{name:>20}" for name in rows[0]))
    for row in rows:
        print("".join(f"{value!s:>20}" for value in row.values()).replace(str(row["beyond"]), f"  {row['beyond']}"))


if __name__ == "__main__":
    main()
