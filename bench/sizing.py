"""How large a house must be: what the real scripts take for a delivery's whole life, and what is then needed a day.

A day of deliveries is lived through on a clock of our own that jumps to whatever is due next: planned, claimed, begun,
intended, published. Redis is the real one, with the disk it has in production.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from bench.chaos import step_of
from bench.processes import cpu_seconds
from publishers.core.post import Receipt
from worker.embedded import Embedded, Fsync
from worker.model import Article, Content, Delivery, Status, article_id, delivery_id, to_json
from worker.store import Deliveries, Records, Store, open_store
from worker.store.deliveries import End, Turn
from worker.store.secrets import Vault

DAY = 86_400.0
START = datetime(2030, 1, 7, tzinfo=UTC).timestamp()
THREADS = 16
KEPT_DAYS = 730
PER_DAY = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
PEAK = 10.0
"""Newsrooms post in waves: the busiest minute has so many times the average."""

POST_SECONDS = 1.0
"""What a platform takes for one post, uploads included; measured ones lie between 0.2 and 3."""

POSTS_IN_FLIGHT = 128
MOST_OF_A_CORE = 0.7
"""Redis runs scripts on one core; fuller, and posts wait for it."""

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


def live(store: Store, count: int, accounts: int) -> dict[str, float]:
    """A day with ``count`` deliveries on as many accounts; returns seconds and rates of each part."""
    day = Day()
    deliveries = Deliveries(store, clock=day.ms)
    names = [delivery_id(f"main.a{n // accounts}", f"main.k{n % accounts}", 0) for n in range(count)]

    def plan(first: int) -> None:
        for n in range(first, count, THREADS):
            due = datetime.fromtimestamp(START + DAY * n / count, UTC)
            deliveries.create(
                Delivery(
                    id=names[n],
                    article=f"main.a{n // accounts}",
                    account=f"main.k{n % accounts}",
                    platform="keyed",
                    status=Status.SCHEDULED,
                    due=due,
                    steps=(step_of(names[n], TEXT),),
                ),
                note="planned",
            )

    planned = _timed(plan)
    done = [0] * THREADS

    def publish(number: int) -> None:
        while sum(done) < count:
            turn = deliveries.take(lease=1e6, stale=1e9, shard=number % 4)
            if not isinstance(turn, Turn):
                # Nothing is due: the next instant at which something is.
                day.jump(day.now + DAY / count)
                continue
            assert deliveries.intend(turn, turn.delivery.steps, seconds=1) == "ok"
            step = replace(turn.delivery.steps[0], receipt=Receipt(id="1", url="https://social.example/1"))
            assert deliveries.finish(turn, End(Status.PUBLISHED, "published", steps=(step,), fields={"step": 1}))
            done[number] += 1

    published = _timed(publish)
    assert deliveries.count()[Status.PUBLISHED] == count
    return {"plan_per_s": round(count / planned), "publish_per_s": round(count / published)}


def _timed(work: Any) -> float:
    begun = time.monotonic()
    threads = [threading.Thread(target=work, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - begun


def run(*, count: int, fsync: Fsync) -> dict[str, Any]:
    """Measure, then say what each size needs."""
    with (
        tempfile.TemporaryDirectory(prefix="handbill-sizing-") as folder,
        Embedded.start(Path(folder), fsync=fsync) as server,
    ):
        store = open_store(server.url, trial=True)
        empty = _used(store)
        pid = int((server.folder / "server.pid").read_text())
        before = cpu_seconds(pid)
        rates = live(store, count, accounts=10)
        processor = cpu_seconds(pid) - before
        each = (_used(store) - empty) / count
        article = _article_bytes(store)
        store.close()
    measured = {
        **rates,
        "deliveries": count,
        "fsync": fsync,
        "bytes_a_delivery": round(each),
        "bytes_an_article": round(article),
        "redis_cpu_us_a_delivery": round(processor / count * 1e6),
    }
    return {"measured": measured, "sizes": [size(n, measured) for n in PER_DAY]}


def size(a_day: int, measured: dict[str, Any]) -> dict[str, Any]:
    """What a number of deliveries a day needs, ten accounts to an article."""
    average = a_day / DAY
    peak = average * PEAK
    redis = peak * measured["redis_cpu_us_a_delivery"] / 1e6
    memory = a_day * measured["bytes_a_delivery"] + a_day / 10 * measured["bytes_an_article"]
    return {
        "a_day": a_day,
        "peak_per_s": round(peak, 1),
        "publish_workers": max(1, -(-int(peak * POST_SECONDS + 0.999) // POSTS_IN_FLIGHT)),
        "redis_core_at_peak": round(redis, 3),
        "gb_a_kept_day": round(memory / 1e9, 3),
        "gb_two_years": round(memory * KEPT_DAYS / 1e9, 1),
        "one_redis_is_enough": redis < MOST_OF_A_CORE,
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


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deliveries", type=int, default=50_000)
    parser.add_argument("--fsync", choices=["always", "everysec"], default="everysec")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = run(count=given.deliveries, fsync=given.fsync)
    if given.json:
        json.dump(found, sys.stdout, indent=1)
        print()
        return
    for name, value in found["measured"].items():
        print(f"{name:<26} {value}")
    rows = found["sizes"]
    print("".join(f"{name:>20}" for name in rows[0]))
    for row in rows:
        print("".join(f"{value!s:>20}" for value in row.values()))


if __name__ == "__main__":
    main()
