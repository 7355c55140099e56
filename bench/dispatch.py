"""What it costs to hold many scheduled posts, to find those that are due, and how late they are: beside other queues.

``python -m bench.dispatch [--posts N] [--only METHOD]… [--json]``. Every method holds N far jobs (``bytes_each``,
``worker_mb``, ``idle_cpu_pct``), then runs ones due at 100 a second (``late_*``), then many due at one instant
(``claim_per_s``: from that instant until the last has run). Peers run a job that does nothing. Handbill's jobs are
whole posts to a platform that answers at once: lease, intent, request, receipt. ``raw-lua`` is one sorted set, one
script and one loop: what Redis itself can do, with none of the promises.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from bench import fake_platform
from bench.burst import shift
from bench.processes import (
    bullmq,
    cpu_seconds,
    handbill,
    idle_percent,
    last_words,
    megabytes,
    node,
    percentile,
    python,
    started,
)
from worker.embedded import Embedded
from worker.model import Status

FAR = 86_400.0
PATIENCE = 180.0
TEXT = "Larkhaven’s 1911 footbridge reopens four months early and £310,000 under budget. " * 3

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Size:
    """How many jobs there are: scheduled far ahead, due at ``rate`` a second, due at one instant."""

    posts: int
    paced: int
    burst: int
    rate: int


@contextlib.contextmanager
def server() -> Iterator[tuple[Embedded, redis.Redis]]:
    """A server for one peer, with the persistence that their handbooks ask for."""
    with tempfile.TemporaryDirectory() as folder, Embedded.start(Path(folder), fsync="everysec") as running:
        client = redis.Redis(unix_socket_path=str(running.socket))
        yield running, client
        client.close()


def used(client: redis.Redis) -> int:
    """Bytes of memory that the data takes."""
    return int(client.info("memory")["used_memory"])


def row(late: list[float], burst: int, seconds: float, **rest: Any) -> Row:
    """One method's figures; ``late`` in milliseconds."""
    return {
        "claim_per_s": round(burst / seconds),
        "late_p50_ms": percentile(late, 0.5),
        "late_p99_ms": percentile(late, 0.99),
        **rest,
    }


def ours(size: Size) -> Row:
    """Handbill, as ``handbill up`` runs it."""
    with fake_platform.running() as url, handbill(url) as house:
        client = house.parts.store.client

        def public() -> int:
            return house.parts.deliveries.count()[Status.PUBLISHED]

        before = used(client)
        house.plan("main.k", size.posts, first=time.time() + FAR, start=1_000_000, text=TEXT)
        whole = (used(client) - before) / size.posts
        words = _sizes(client, ("steps:*", "history:*"))
        time.sleep(2)
        idle = {"idle_cpu_pct": idle_percent(house.publishing), "idle_cpu_pct_all": idle_percent(house.everything)}
        memory = round(max(map(megabytes, house.publishing)), 1)

        begun = time.time() + 3 + size.paced / 500
        house.plan("main.k", size.paced, first=begun, gap=1 / size.rate)
        _wait(lambda: public() >= size.paced, begun + size.paced / size.rate)
        due = {f"post {n}": begun + n / size.rate for n in range(size.paced)}
        late = [(e.at - due[e.text]) * 1000 for e in fake_platform.truth(url) if e.what == "asked"]

        start = 100_000
        house.plan("main.k", size.burst, first=time.time() + FAR / 2, start=start)
        at = time.time() + 3
        shift(house.parts, at, before=time.time() + FAR * 0.6)
        _wait(lambda: public() >= size.paced + size.burst, at)
        seconds = max(e.at for e in fake_platform.truth(url)) - at
    return row(
        late,
        size.burst,
        seconds,
        bytes_each=round(whole - words),
        bytes_with_text=round(whole),
        worker_mb=memory,
        **idle,
    )


def _sizes(client: redis.Redis, patterns: tuple[str, ...]) -> float:
    """The mean size of what a post says, and of its history, which are kept beside the record that schedules it."""
    total = 0.0
    for pattern in patterns:
        keys = []
        for key in client.scan_iter(f"handbill:{{*}}:{pattern}", count=10_000):
            keys.append(key)
            if len(keys) == 500:
                break
        total += sum(int(client.memory_usage(key) or 0) for key in keys) / len(keys)
    return total


def _wait(ready: Callable[[], bool], due: float) -> None:
    time.sleep(max(0.0, due - time.time()))
    while not ready() and time.time() < due + PATIENCE:
        time.sleep(0.5)


def with_bullmq(size: Size) -> Row:
    """BullMQ, one worker at a concurrency of 64."""
    with server() as (running, client):
        before = used(client)
        far = int((time.time() + FAR) * 1000)
        with started(node("add", running, "far", size.posts, far, 0)) as adding:
            adding.wait()
        whole = (used(client) - before) / size.posts
        with started(node("work", running, "far", size.posts, 64)) as idle:
            time.sleep(2)
            memory, busy = megabytes(idle.pid), idle_percent([idle.pid])
        late: list[float] = []
        seconds = 0.0
        for count, gap in ((size.paced, 1000 / size.rate), (size.burst, 0)):
            queue = f"jobs{count}"
            with started(node("work", running, queue, count, 64)) as worker:
                due = int((time.time() + 3 + count / 2000) * 1000)
                with started(node("add", running, queue, count, due, gap)) as adding:
                    adding.wait()
                said = last_words(worker)
                seconds = (said["done"] - due) / 1000
                late = late or said["late"]
    return row(late, size.burst, seconds, bytes_each=round(whole), worker_mb=round(memory, 1), idle_cpu_pct=busy)


def with_celery(size: Size) -> Row:
    """Celery with ``eta``: the worker takes every message at once and keeps it in memory until its time."""
    with server() as (running, client), tempfile.TemporaryDirectory() as folder:
        env = {"PEER_BROKER": running.broker_url}
        out = Path(folder) / "out"
        add = [*python("-m", "bench.dispatch", "--celery-add"), str(out)]
        before = used(client)
        _run([*add, str(size.posts), str(time.time() + FAR), "0"], env)
        whole = (used(client) - before) / size.posts
        argv = python("-m", "celery", "-A", "bench.celery_peer", "worker", "--pool=threads", "-c8", "--loglevel=ERROR")
        with started([*argv, "--without-gossip", "--without-mingle", "--without-heartbeat"], env) as worker:
            _settle(worker.pid)
            memory, busy = megabytes(worker.pid), idle_percent([worker.pid])
            late: list[float] = []
            seconds = 0.0
            for count, gap in ((size.paced, 1 / size.rate), (size.burst, 0.0)):
                due = time.time() + 5 + count / 800
                _run([*add, str(count), str(due), str(gap)], env)
                _wait(out.exists, due)
                said = json.loads(out.read_text())
                out.unlink()
                seconds = said["done"] / 1000 - due
                late = late or said["late"]
    return row(late, size.burst, seconds, bytes_each=round(whole), worker_mb=round(memory, 1), idle_cpu_pct=busy)


def _run(argv: list[str], env: dict[str, str]) -> None:
    with started(argv, env) as process:
        process.wait()


def _settle(pid: int) -> None:
    """Wait until a worker has taken in what there is."""
    end = time.time() + PATIENCE
    time.sleep(5)
    while time.time() < end:
        before = cpu_seconds(pid)
        time.sleep(1)
        if cpu_seconds(pid) - before < 0.1:
            return


def celery_add(out: str, count: int, due: float, gap: float) -> None:
    """Send ``count`` tasks with an ``eta``."""
    from datetime import UTC, datetime  # noqa: PLC0415 - the peer's own process

    from bench.celery_peer import note  # noqa: PLC0415 - needs the peer's broker

    for n in range(count):
        at = due + n * gap
        note.apply_async((at, count, out), eta=datetime.fromtimestamp(at, UTC))


CLAIM = """
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + tonumber(t[2]) / 1000
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 64)
if #ids > 0 then redis.call('ZREM', KEYS[1], unpack(ids)) end
return ids
"""


def with_lua(size: Size) -> Row:
    """One sorted set and one script, asked every 4 ms."""
    with server() as (_, client):
        claim = client.register_script(CLAIM)

        def add(count: int, first: float, gap: float) -> dict[bytes, float]:
            due = {f"{count}-{n:08}".encode(): (first + n * gap) * 1000 for n in range(count)}
            for start in range(0, count, 1000):
                client.zadd("due", dict(list(due.items())[start : start + 1000]))
            return due

        before = used(client)
        add(size.posts, time.time() + FAR, 0)
        whole = (used(client) - before) / size.posts
        spent, end = time.process_time(), time.monotonic() + 3
        while time.monotonic() < end:
            claim(keys=["due"])
            time.sleep(0.004)
        busy = (time.process_time() - spent) / 3 * 100
        late: list[float] = []
        seconds = 0.0
        for count, gap in ((size.paced, 1 / size.rate), (size.burst, 0.0)):
            due = add(count, time.time() + 1, gap)
            first = min(due.values()) / 1000
            seen: list[float] = []
            while len(seen) < count:
                ids = claim(keys=["due"])
                now = time.time() * 1000
                seen += [now - due[i] for i in ids]
                if not ids:
                    time.sleep(0.004)
            seconds = time.time() - first
            late = late or seen
        memory = megabytes(os.getpid())
    return row(
        late, size.burst, seconds, bytes_each=round(whole), worker_mb=round(memory, 1), idle_cpu_pct=round(busy, 2)
    )


METHODS = {"handbill": ours, "celery-eta": with_celery, "bullmq": with_bullmq, "raw-lua": with_lua}
COLUMNS = ("claim_per_s", "bytes_each", "worker_mb", "late_p50_ms", "late_p99_ms", "idle_cpu_pct")


def main() -> None:
    """Measure every method that is there; print a table, or JSON alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=100_000, help="scheduled far ahead")
    parser.add_argument("--paced", type=int, default=1_000, help="due one after the other")
    parser.add_argument("--rate", type=int, default=100, help="how many of these are due in a second")
    parser.add_argument("--burst", type=int, default=10_000, help="due at one instant")
    parser.add_argument("--only", action="append", choices=METHODS)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--celery-add", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.celery_add:
        out, count, due, gap = given.celery_add
        celery_add(out, int(count), float(due), float(gap))
        return
    found = {}
    for name in given.only or METHODS:
        if name == "bullmq" and not bullmq():
            continue
        found[name] = METHODS[name](Size(given.posts, given.paced, given.burst, given.rate))
        print(f"{name}: {found[name]}", file=sys.stderr)
    if given.json:
        json.dump(found, sys.stdout, indent=1)
        print()
        return
    print(f"{'method':<12}" + "".join(f"{name:>15}" for name in COLUMNS))
    for name, figures in found.items():
        print(f"{name:<12}" + "".join(f"{figures[c]:>15}" for c in COLUMNS))


if __name__ == "__main__":
    main()
