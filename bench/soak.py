"""Hours at a steady pace with a kill a minute: whether memory grows, and anything becomes late, lost or doubled.

``handbill up`` as it is, on platforms that misbehave now and then (``bench.fake_platform``). What is over is tidied
after a few minutes, as it is after years, so that a store that does not grow can be told from one that does.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import redis

from bench import fake_platform
from bench.chaos import (
    ACCOUNTS,
    CALM,
    PLATFORMS,
    SHORT,
    Hand,
    Trial,
    housed,
    judge,
    lateness,
    plan,
    step_of,
    wait_for_calm,
)
from bench.processes import megabytes, percentile
from worker import lifecycle
from worker.keeping.retention import tidy
from worker.model import Delivery, Status, delivery_id
from worker.runtime import Runtime
from worker.settings import Settings
from worker.supervisor import Supervisor

SPARED = "publish-1"
"""One worker that no hand kills: only what lives long can be seen to grow."""

AHEAD = 20.0
"""Seconds between the planning of a post and its time."""

MEASURE = 15.0
TIDY = 60.0
KEPT_MINUTES = 6.0
SETTLED_MINUTES = 3.0
"""Minutes of a process' life that are left out of its slope: pools and caches fill."""

LONG = 0.15
"""Share of the whole that a process must have lived to be listed."""


@dataclass(slots=True)
class Curve:
    """Memory over time, by process: (seconds since the start, MB)."""

    points: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def note(self, name: str, at: float, size: float) -> None:
        """One measurement."""
        self.points.setdefault(name, []).append((at, size))

    def long_lived(self, seconds: float) -> dict[str, dict[str, float]]:
        """The slopes of what lived at least so long."""
        rows = {n: p for n, p in sorted(self.points.items()) if p[-1][0] - p[0][0] >= seconds}
        return {name: found for name in rows if (found := self.slope(name))}

    def slope(self, name: str) -> dict[str, float]:
        """Least squares over what lived longest under a name: MB an hour, first, last and most MB, minutes."""
        rows = self.points.get(name, [])
        settled = [(t, m) for t, m in rows if rows and t - rows[0][0] >= SETTLED_MINUTES * 60] or rows
        if len(settled) < 3:
            return {}
        mean_t = sum(t for t, _ in settled) / len(settled)
        mean_m = sum(m for _, m in settled) / len(settled)
        square = sum((t - mean_t) ** 2 for t, _ in settled)
        slope = sum((t - mean_t) * (m - mean_m) for t, m in settled) / square if square else 0.0
        return {
            "mb_an_hour": round(slope * 3600, 2),
            "first_mb": round(settled[0][1], 1),
            "last_mb": round(settled[-1][1], 1),
            "most_mb": round(max(m for _, m in rows), 1),
            "minutes": round((rows[-1][0] - rows[0][0]) / 60, 1),
        }


class Spared:
    """The house as the hand sees it: without the one that is spared."""

    def __init__(self, house: Supervisor) -> None:
        self._house = house

    def pids(self) -> dict[str, int]:
        """Everybody else."""
        return {name: pid for name, pid in self._house.pids().items() if name != SPARED}


class Press:
    """Plans posts at a steady pace, each stored before it counts."""

    def __init__(self, parts: Runtime, trial: Trial, pace: float) -> None:
        self._parts, self._trial, self._pace = parts, trial, pace
        self.refused = 0

    def run(self, until: float) -> None:
        """Go on until then; a Redis that is away is asked again, and the post is the same one."""
        number, start = 0, time.time()
        while (now := time.time()) < until:
            if now < start + number / self._pace:
                time.sleep(0.02)
                continue
            kind = list(PLATFORMS)[number % 4]
            account = f"main.{kind.lower()}-{number // 4 % ACCOUNTS}"
            name, text, due = delivery_id(f"main.article{number}", account, 0), f"post {number}", now + AHEAD
            delivery = Delivery(
                id=name,
                article=f"main.article{number}",
                account=account,
                platform=PLATFORMS[kind],
                status=Status.SCHEDULED,
                due=datetime.fromtimestamp(due, UTC),
                steps=(step_of(name, text),),
            )
            while True:
                try:
                    self._parts.deliveries.create(delivery, note="planned")
                    break
                except redis.RedisError:
                    self.refused += 1
                    time.sleep(0.2)
            self._trial.classes[name], self._trial.texts[name], self._trial.due[name] = kind, text, due
            number += 1


class Ledger:
    """What became of every post, written down before it is tidied away."""

    def __init__(self, parts: Runtime, trial: Trial) -> None:
        self._parts, self._trial = parts, trial
        self.settled: dict[str, Delivery] = {}
        self.tidied: Counter[str] = Counter()

    def look(self) -> None:
        """Write down who has come to an end."""
        waiting = [name for name in list(self._trial.classes) if name not in self.settled]
        for delivery in self._parts.deliveries.several(waiting):
            if delivery.status in lifecycle.FINAL:
                self.settled[delivery.id] = delivery

    def tidy(self) -> None:
        """Let go of what is over, as a worker does; what is not written down is younger than that."""
        self.look()
        self.tidied += tidy(self._parts, seconds=20.0)


def run(*, hours: float, pace: float, every: float, faults: float, seed: int, log: str) -> dict[str, Any]:
    """The whole of it; returns what ``--json`` prints."""
    begun, seconds = time.monotonic(), hours * 3600
    kills = max(1, int(seconds / every))
    with (
        tempfile.TemporaryDirectory(prefix="handbill-soak-") as folder,
        fake_platform.running(seed=seed, faults=faults, pace=(0.005, 0.15), late=10.0) as url,
        Path(log).open("w") as heard,
    ):
        given = {
            **SHORT,
            "DATA_DIR": folder,
            "ALLOW_HOSTS": url.removeprefix("http://"),
            "PUBLISH_WORKERS": "2",
            "KEEP_POSTS_DAYS": str(KEPT_MINUTES / 1440),
        }
        os.environ.update({f"HANDBILL_{name}": value for name, value in given.items()})
        config = Settings()  # type: ignore[call-arg]  # every field has a default
        with housed(config, heard) as (house, server, parts):
            trial = plan(parts, url, posts=0, start=0, span=0)
            curve, ledger, press = Curve(), Ledger(parts, trial), Press(parts, trial, pace)
            start = time.time() + 5
            hand = Hand(Spared(house), server, trial, lease=config.lease_seconds, seed=seed)  # type: ignore[arg-type]  # all it asks for are pids
            threads = [
                threading.Thread(target=press.run, args=(start + seconds,)),
                threading.Thread(target=hand.work, args=(kills,), kwargs={"start": start, "span": seconds}),
            ]
            for thread in threads:
                thread.start()
            _watch(house, parts, curve, ledger, start=start, until=start + seconds)
            for thread in threads:
                thread.join()
            fake_platform.ask(f"{url}/_faults/0")
            calm = wait_for_calm(parts, CALM)
            ledger.look()
            events = fake_platform.truth(url)
            found = {**{d.id: d for d in parts.deliveries.several(trial.classes)}, **ledger.settled}
            classes = judge(trial, found, events, parts)
            late = [s * 1000 for s in lateness(trial, events).values()]
    return {
        "hours": hours,
        "posts": len(trial.classes),
        "kills": sum(n for victim, n in trial.kills.items() if victim != "stopped"),
        "victims": dict(trial.kills),
        "lost": sum(row["lost"] for row in classes.values()),
        "doubled": sum(row["duplicates"] for row in classes.values()),
        "early": sum(row["early"] for row in classes.values()),
        "parked": sum(row["parked"] for row in classes.values()),
        "failed": sum(row["failed"] for row in classes.values()),
        "classes": classes,
        "late_p50_ms": percentile(late, 0.5),
        "late_p99_ms": percentile(late, 0.99),
        "late_worst_ms": percentile(late, 1),
        "calm_after_seconds": round(calm, 1),
        "memory": curve.long_lived(seconds * LONG),
        "tidied": dict(ledger.tidied),
        "planned_again_after_a_lost_answer": press.refused,
        "seconds": round(time.monotonic() - begun, 1),
        "seed": seed,
    }


def _watch(house: Supervisor, parts: Runtime, curve: Curve, ledger: Ledger, *, start: float, until: float) -> None:
    following = start + TIDY
    while time.time() < until:
        time.sleep(MEASURE)
        at = time.time() - start
        for name, pid in house.pids().items():
            try:
                curve.note(f"{name} ({pid})", at, megabytes(pid))
            except OSError:  # killed just now
                continue
        try:
            curve.note("redis", at, int(parts.store.client.info("memory")["used_memory"]) / 1e6)
            if time.time() > following:
                ledger.tidy()
                following = time.time() + TIDY
        except redis.RedisError:  # killed just now
            continue


def main() -> None:
    """Run it and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--pace", type=float, default=5.0, help="posts a second")
    parser.add_argument("--every", type=float, default=60.0, help="seconds between kills")
    parser.add_argument("--faults", type=float, default=0.05, help="share of requests that go wrong")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--log", default=os.devnull, help="file for what the workers print")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    result = run(
        hours=given.hours, pace=given.pace, every=given.every, faults=given.faults, seed=given.seed, log=given.log
    )
    if given.json:
        json.dump(result, sys.stdout, indent=1)
        print()
    else:
        for name in ("posts", "kills", "lost", "doubled", "early", "parked", "failed"):
            print(f"{name:<12} {result[name]}")
        print("late         " + ", ".join(f"{n} {result[f'late_{n}_ms']} ms" for n in ("p50", "p99", "worst")))
        for name, row in result["memory"].items():
            grown = f"{row['mb_an_hour']:+.2f} MB an hour over {row['minutes']} minutes"
            print(f"{name:<24} {grown}, {row['last_mb']} MB at the end")
    sys.exit(1 if result["lost"] or result["doubled"] or result["early"] else 0)


if __name__ == "__main__":
    main()
