"""Whether posts are lost or doubled while workers and Redis are killed and platforms misbehave: counted, not argued.

``handbill up`` as it is (its supervisor, its workers, its embedded Valkey), accounts on ``bench.fake_platform``, and a
hand that kills. The truth is the platforms' own log.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import redis

from bench import fake_platform
from bench.fake_platform import SURE, Event
from publishers.core.post import Post
from worker import lifecycle
from worker.embedded import Answer, Embedded
from worker.model import Account, Delivery, Status, Step, StepKind, delivery_id, step_key
from worker.runtime import Runtime, open_runtime
from worker.settings import Settings
from worker.supervisor import Supervisor
from worker.up import supervisor

PLATFORMS = {"A": "keyed", "A2": "drafted", "B": "looked_up", "C": "blind"}
ACCOUNTS = 4
"""Accounts of each class: a rate limit pauses a whole account."""

SLOW_SHARE = 0.01
"""Posts on a class B platform that shows a message only after we have looked three times: no client can be right."""

CALM = 60.0
"""Seconds that everything has to end after the last kill."""

SHORT = {
    "REQUEST_SECONDS": "1",
    "SPARE_SECONDS": "3",
    "SETTLE_SECONDS": "0.3",
    "BACKOFF_SECONDS": "0.3",
    "WAKE_SECONDS": "2",
    "TICK_SECONDS": "0.1",
    "ATTEMPTS": "40",
    "PUBLISH_WORKERS": "3",
    "PUBLISH_THREADS": "16",
    "REHEARSAL_URL": "http://127.0.0.1:9",
    "EXTRA_PLATFORMS": "bench.platforms",
    "LOG": "warning",
}
"""Everything that waits, waits shortly, so that many lives of a post fit into a minute."""

LONGEST_DELAY = 0.5
"""Seconds before the supervisor starts somebody again who dies all the time; its own 5 s would spare the dead."""

SEASONED = 1.5
"""Seconds a process must have lived to be worth killing: before that it has hardly begun to work."""

CUT = "the worker was lost"
DOUBTS = (f"{CUT} while sending", "no answer (the request's total deadline has passed)", "no answer (timed out)")
"""How the history of a delivery speaks of a kill that hit it, and of an answer that never came."""

VICTIMS = {"publish": 70, "content": 10, "pool child": 10, "redis": 10}


@dataclass(slots=True)
class Trial:
    """What is looked at when all is over."""

    classes: dict[str, str] = field(default_factory=dict)
    """Each delivery's class."""
    texts: dict[str, str] = field(default_factory=dict)
    due: dict[str, float] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)
    killed_at: list[float] = field(default_factory=list)
    depth: int = 0


def step_of(delivery: str, text: str) -> Step:
    """The one step of a post with this text."""
    return Step(
        kind=StepKind.POST, ordinal=0, key=step_key(delivery, StepKind.POST, 0, 1), post=Post(text=text), prepared=None
    )


def plan(parts: Runtime, url: str, *, posts: int, start: float, span: float) -> Trial:
    """Store accounts of every class and ``posts`` deliveries, due evenly over ``span`` seconds."""
    trial = Trial()
    for kind, platform in [*PLATFORMS.items(), ("B-slow", PLATFORMS["B"])]:
        for number in range(ACCOUNTS):
            account = Account(
                id=f"main.{kind.lower()}-{number}",
                platform=platform,
                name=f"{kind} {number}",
                settings={"server": f"{url}/{kind}-{number}"},
            )
            parts.records.save_account(account)
    slow = round(posts * SLOW_SHARE)
    for number in range(posts):
        kind = "B-slow" if number < slow else list(PLATFORMS)[number % 4]
        account_id = f"main.{kind.lower()}-{number // 4 % ACCOUNTS}"
        name = delivery_id(f"main.article{number}", account_id, 0)
        # Slow ones come first, while there are still faults that make them slow.
        due = start + (span * number / posts)
        text = f"post {number}"
        delivery = Delivery(
            id=name,
            article=f"main.article{number}",
            account=account_id,
            platform=PLATFORMS[kind.partition("-")[0]],
            status=Status.SCHEDULED,
            due=datetime.fromtimestamp(due, UTC),
            steps=(step_of(name, text),),
        )
        parts.deliveries.create(delivery, note="planned")
        trial.classes[name], trial.texts[name], trial.due[name] = kind, text, due
    return trial


class Hand:
    """Kills, and stops for longer than a lease, what the supervisor keeps alive."""

    def __init__(self, house: Supervisor, server: Embedded, trial: Trial, *, lease: float, seed: int) -> None:
        self._house = house
        self._server = server
        self._trial = trial
        self._lease = lease
        self._dice = random.Random(seed)
        self._stopped: dict[int, float] = {}
        self._born: dict[int, float] = {}

    def work(self, kills: int, *, start: float, span: float) -> None:
        """Kill ``kills`` times within ``span`` seconds, and stop somebody at every twelfth."""
        for number in range(kills):
            self._sleep_until(start + span * (number + self._dice.random()) / kills)
            while not self._kill(self._dice.choices(list(VICTIMS), list(VICTIMS.values()))[0]):
                self._sleep_until(time.time() + 0.1)
            if number % 12 == 0:
                self._stop()
        self._sleep_until(start + span)
        self._go_on(float("inf"))

    def _sleep_until(self, moment: float) -> None:
        while (left := moment - time.time()) > 0:
            time.sleep(min(left, 0.1))
            self._go_on(time.time())
            for pid in self._house.pids().values():
                self._born.setdefault(pid, time.time())

    def _go_on(self, now: float) -> None:
        for pid in [p for p, until in self._stopped.items() if until <= now]:
            del self._stopped[pid]
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def _stop(self) -> None:
        if (pid := self._pick("publish")) is not None:
            os.kill(pid, signal.SIGSTOP)
            self._stopped[pid] = time.time() + self._lease * self._dice.uniform(1.1, 2.5)
            self._trial.kills["stopped"] += 1

    def _kill(self, victim: str) -> bool:
        """One kill -9; False if there is nobody to kill now."""
        pid = self._pick(victim)
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self._trial.kills[victim] += 1
            self._trial.killed_at.append(time.time())
            return True
        return False

    def _pick(self, victim: str) -> int | None:
        pids = self._house.pids()
        if victim == "redis":
            if self._server.ping() is not Answer.READY:
                return None
            return int((self._server.folder / "server.pid").read_text())
        if victim == "pool child":
            found = [c for name, pid in pids.items() if name.startswith("content") for c in _children(pid)]
        else:
            found = [pid for name, pid in pids.items() if name.startswith(victim)]
        old = time.time() - SEASONED
        found = [
            p for p in found if p not in self._stopped and (victim == "pool child" or self._born.get(p, old) < old)
        ]
        return self._dice.choice(found) if found else None


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


@contextlib.contextmanager
def watched(server: Embedded, trial: Trial) -> Iterator[None]:
    """Look at how many messages wait in the broker, all the time."""
    done = threading.Event()
    client = redis.Redis(unix_socket_path=str(server.socket))

    def look() -> None:
        while not done.wait(0.02):
            with contextlib.suppress(redis.RedisError):
                length = client.llen("publish")
                assert isinstance(length, int)
                trial.depth = max(trial.depth, length)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        client.close()


@contextlib.contextmanager
def housed(config: Settings, log: TextIO) -> Iterator[tuple[Supervisor, Embedded, Runtime]]:
    """``handbill up`` without the web page, once its Redis answers."""
    house = supervisor(config, web=False, log=log, longest_delay=LONGEST_DELAY)
    thread = threading.Thread(target=house.run)
    thread.start()
    server = Embedded(config.data_dir)
    try:
        while server.ping() is not Answer.READY:
            time.sleep(0.05)
        parts = open_runtime(config, server.url)
        try:
            yield house, server, parts
        finally:
            parts.close()
    finally:
        house.stop()
        thread.join()


def unfinished(parts: Runtime) -> int:
    """How many deliveries still move."""
    return sum(number for status, number in parts.deliveries.count().items() if status not in lifecycle.FINAL)


def catch_up(parts: Runtime, seconds: float) -> None:
    """Let the platforms misbehave until every post has met them, at most ``seconds``."""
    end = time.monotonic() + seconds
    while parts.deliveries.overdue_seconds() > 1 and time.monotonic() < end:
        time.sleep(0.2)


def wait_for_calm(parts: Runtime, seconds: float) -> float:
    """Wait until nothing moves any more, at most ``seconds``; returns how long it took."""
    begun = time.monotonic()
    while unfinished(parts) and time.monotonic() - begun < seconds:
        time.sleep(0.2)
    return time.monotonic() - begun


def judge(trial: Trial, found: dict[str, Delivery], events: list[Event], parts: Runtime) -> dict[str, dict[str, int]]:
    """What became of every post, by class."""
    late = lateness(trial, events)
    public = Counter(e.text for e in events if e.what == "public")
    asked: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.what == "asked":
            asked[event.text].append(event)
    table: dict[str, Counter[str]] = {kind: Counter() for kind in trial.classes.values()}
    for name, kind in trial.classes.items():
        row, delivery, text = table[kind], found.get(name), trial.texts[name]
        status = delivery.status if delivery is not None else None
        row["posts"] += 1
        row["lost"] += status not in lifecycle.FINAL or (status is Status.PUBLISHED and not public[text])
        row["duplicates"] += max(0, public[text] - 1)
        row["parked"] += status is Status.PARKED
        row["failed"] += status is Status.FAILED
        row["live_but_failed"] += status is Status.FAILED and public[text] > 0
        doubtful = [i for i, e in enumerate(asked[text]) if e.fate not in SURE[:1] and e.fate != "limited"]
        row["resent"] += bool(doubtful) and doubtful[0] < len(asked[text]) - 1
        row["early"] += any(e.at < trial.due[name] for e in asked[text])
        row["late_worst_ms"] = max(row["late_worst_ms"], round(late.get(name, 0.0) * 1000))
        if status is Status.PARKED:
            row["parked_and_live"] += public[text] > 0
            row["parked_without_cause"] += not doubtful and not _doubted(parts, name)
    return {kind: {name: row[name] for name in _ROW} for kind, row in sorted(table.items())}


_ROW = (
    "posts",
    "lost",
    "duplicates",
    "parked",
    "resent",
    "failed",
    "live_but_failed",
    "early",
    "parked_and_live",
    "parked_without_cause",
    "late_worst_ms",
)


def _doubted(parts: Runtime, name: str) -> bool:
    """Whether its worker was lost while it sent, or waited in vain, as where the whole machine stood still."""
    return any(word in event.note for event in parts.deliveries.history(name) for word in DOUBTS)


def lateness(trial: Trial, events: list[Event]) -> dict[str, float]:
    """Seconds between the instant each post was due and the first request for it, by delivery."""
    first: dict[str, float] = {}
    for event in events:
        if event.what == "asked":
            first.setdefault(event.text, event.at)
    return {name: first[text] - trial.due[name] for name, text in trial.texts.items() if text in first}


def run(*, posts: int, kills: int, interval: float, faults: float, seed: int, log: TextIO) -> dict[str, Any]:
    """The whole trial; returns what ``--json`` prints."""
    begun = time.monotonic()
    span = max(kills * interval, posts / 100)
    with (
        tempfile.TemporaryDirectory(prefix="handbill-chaos-") as folder,
        fake_platform.running(seed=seed, faults=faults, pace=(0.005, 0.15), late=10.0) as url,
    ):
        given = {"DATA_DIR": folder, "ALLOW_HOSTS": url.removeprefix("http://"), **SHORT}
        os.environ.update({f"HANDBILL_{name}": value for name, value in given.items()})
        config = Settings()  # type: ignore[call-arg]  # every field has a default
        with housed(config, log) as (house, server, parts):
            start = time.time() + 4 + posts / 1000
            trial = plan(parts, url, posts=posts, start=start, span=span)
            with watched(server, trial):
                Hand(house, server, trial, lease=config.lease_seconds, seed=seed).work(kills, start=start, span=span)
                catch_up(parts, CALM)
                fake_platform.ask(f"{url}/_faults/0")
                calm = wait_for_calm(parts, CALM)
            found = {d.id: d for d in parts.deliveries.several(trial.classes)}
            events = fake_platform.truth(url)
            classes = judge(trial, found, events, parts)
            late = sorted(lateness(trial, events).values())
            stuck = [f"{d.id} {d.status} {d.reason}" for d in found.values() if d.status not in lifecycle.FINAL]
            cut_off = Counter(e.note for name in trial.classes for e in parts.deliveries.history(name) if CUT in e.note)
    slow = classes.pop("B-slow", None)
    return {
        "classes": classes,
        "kills": sum(n for victim, n in trial.kills.items() if victim != "stopped"),
        "seconds": round(time.monotonic() - begun, 1),
        "victims": dict(trial.kills),
        "cut_off": dict(cut_off),
        "requests": sum(e.what == "asked" for e in events),
        "faults": dict(Counter(e.fate for e in events if e.what == "asked" and e.fate != "fine")),
        "slow_commit_B": slow,
        "live_but_failed": sum(row["live_but_failed"] for row in classes.values()),
        "late_p50_ms": round(late[len(late) // 2] * 1000) if late else None,
        "late_p99_ms": round(late[int(len(late) * 0.99)] * 1000) if late else None,
        "late_worst_ms": round(late[-1] * 1000) if late else None,
        "broker_depth": trial.depth,
        "calm_after_seconds": round(calm, 1),
        "stuck": stuck[:20],
    }


def main() -> None:
    """Run the trial and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--interval", type=float, default=1.5, help="seconds between kills")
    parser.add_argument("--faults", type=float, default=0.3, help="share of requests that go wrong")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--log", default=os.devnull, help="file for what the workers print")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with Path(given.log).open("w") as log:
        result = run(
            posts=given.posts,
            kills=given.kills,
            interval=given.interval,
            faults=given.faults,
            seed=given.seed,
            log=log,
        )
    result["seed"] = given.seed
    if given.json:
        json.dump(result, sys.stdout, indent=1)
        print()
        return
    print(f"{'class':<8}" + "".join(f"{name.replace('_', ' '):>22}" for name in _ROW))
    for kind, row in [*result["classes"].items(), ("B slow", result["slow_commit_B"])]:
        if row:
            print(f"{kind:<8}" + "".join(f"{row[name]:>22}" for name in _ROW))
    for name, value in result.items():
        if name not in {"classes", "slow_commit_B"}:
            print(f"{name.replace('_', ' ')}: {value}")


if __name__ == "__main__":
    main()
