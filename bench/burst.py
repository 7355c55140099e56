"""How long it takes until posts that are all due at one instant are public, on a platform that takes 300 ms for each.

``python -m bench.burst [--posts N] [--flight N] [--json]``. Handbill runs as ``handbill up`` runs it: a lease, an
intent on the disk before and a receipt after every request, a connection of its own for each. BullMQ makes the same
requests with as many in flight, over as many processes, and keeps none of these promises.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, cast

from bench import fake_platform
from bench.chaos import unfinished
from bench.processes import bullmq, handbill, node, started
from worker.embedded import Embedded
from worker.runtime import Runtime
from worker.store import keys

PACE = (0.3, 0.3)
WORKERS = 2
"""Processes of each method, one for each core of the machine that the figures are for."""

PATIENCE = 300.0


def ours(posts: int, flight: int) -> dict[str, Any]:
    """Handbill."""
    with (
        fake_platform.running(pace=PACE) as url,
        handbill(url, PUBLISH_WORKERS=WORKERS, PUBLISH_THREADS=flight // WORKERS) as house,
    ):
        # Planned for tomorrow first, for planning takes a while; then all are moved to one instant.
        house.plan("main.k", posts, first=time.time() + 86_400)
        due = time.time() + 3
        shift(house.parts, due)
        while unfinished(house.parts) and time.time() < due + PATIENCE:
            time.sleep(0.1)
        return outcome(url, posts, due)


def shift(parts: Runtime, due: float, *, before: float = float("inf")) -> None:
    """Make everything that is scheduled for an instant earlier than ``before`` due at one instant."""
    client = parts.store.client
    with client.pipeline(transaction=False) as pipe:
        for shard in range(keys.SHARDS):
            root = keys.root(shard)
            for member in cast("list[bytes]", client.zrangebyscore(f"{root}due", 0, before * 1000)):
                name = member.decode()
                pipe.zadd(f"{root}due", {name: int(due * 1000)})
                pipe.hset(f"{root}delivery:{name}", "due", int(due * 1000))
        pipe.execute()


def theirs(posts: int, flight: int) -> dict[str, Any]:
    """BullMQ."""
    with (
        fake_platform.running(pace=PACE) as url,
        tempfile.TemporaryDirectory() as folder,
        Embedded.start(Path(folder), fsync="everysec") as server,
        contextlib.ExitStack() as stack,
    ):
        share = posts // WORKERS
        for number in range(WORKERS):
            worker = node("work", server, f"posts{number}", share, flight // WORKERS, f"{url}/A-{number}/posts")
            stack.enter_context(started(worker))
        due = time.time() + 5 + posts / 1000
        adders = [subprocess.Popen(node("add", server, f"posts{n}", share, int(due * 1000), 0)) for n in range(WORKERS)]
        for adder in adders:
            adder.wait()
        assert time.time() < due, "the machine was too busy to add the jobs in time"
        while len(fake_platform.truth(url)) < 2 * share * WORKERS and time.time() < due + PATIENCE:
            time.sleep(0.5)
        return outcome(url, share * WORKERS, due)


def outcome(url: str, posts: int, due: float) -> dict[str, Any]:
    """How many posts are public, and how long after ``due`` the last one became so."""
    public = [e.at for e in fake_platform.truth(url) if e.what == "public"]
    seconds = max(public) - due if public else 0.0
    return {"posts": len(public), "wanted": posts, "seconds": round(seconds, 2)}


def main() -> None:
    """Run both and print how long each took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=10_000)
    parser.add_argument("--flight", type=int, default=128, help="requests in flight at once, over all processes")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = {"handbill": ours(given.posts, given.flight)}
    if bullmq():
        found["bullmq"] = theirs(given.posts, given.flight)
    if given.json:
        json.dump(found, sys.stdout, indent=1)
        print()
        return
    print(f"{'method':<10}{'posts':>8}{'seconds':>10}{'per second':>12}")
    for method, row in found.items():
        print(f"{method:<10}{row['posts']:>8}{row['seconds']:>10}{row['posts'] / max(row['seconds'], 0.01):>12.0f}")


if __name__ == "__main__":
    main()
