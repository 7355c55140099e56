"""The power goes at any command of the last second: what was acknowledged is there, and what was sent is known as sent."""

from __future__ import annotations

import random
import shutil
import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from publishers.core.post import Post, Receipt
from worker.embedded import Embedded
from worker.model import Delivery, Status, Step, StepKind, delivery_id, step_key
from worker.store import Deliveries, open_store
from worker.store.deliveries import End

WRITERS, SECONDS = 4, 3.0
CUTS = 500
NEVER_AGAIN = {Status.PUBLISHING, Status.UNCONFIRMED, Status.PUBLISHED}


@dataclass(frozen=True)
class Acknowledged:
    """What somebody was told, and how long the file was at that moment."""

    size: int
    at: float
    what: str
    delivery: str


def file_of(folder: Path) -> Path:
    [found] = (folder / "appendonlydir").glob("*.incr.aof")
    return found


def write(server, number, told, until):
    """Plan, cancel, send: each acknowledged answer is written down with the length that the file then had."""
    store = open_store(server.url, trial=True)
    deliveries, path, count = Deliveries(store), file_of(server.folder), 0

    def hear(what, name):
        told.append(Acknowledged(path.stat().st_size, time.monotonic(), what, name))

    while time.monotonic() < until:
        count += 1
        name = delivery_id(f"main.{number}-{count}", "main.c", 0)
        step = Step(kind=StepKind.POST, ordinal=0, key=step_key(name, StepKind.POST, 0, 1), post=Post(text=name))
        due = datetime.now(UTC) - timedelta(seconds=1)
        deliveries.create(
            Delivery(
                id=name, article=f"main.{number}", account="main.c", platform="blind", status=Status.SCHEDULED, due=due, steps=(step,)
            ),
            note="",
        )  # fmt: skip
        hear("planned", name)
        if count % 3 == 0:
            deliveries.change(name, Status.CANCELLED, origins=[Status.SCHEDULED], note="cancelled")
            hear("cancelled", name)
            continue
        turn = deliveries.begin(name, lease=60, stale=3600)
        assert deliveries.intend(turn, turn.delivery.steps, seconds=1) == "ok"
        hear("sent", name)  # this is where the platform is asked
        if count % 3 == 1:
            done = (replace(step, receipt=Receipt(id=name)),)
            assert deliveries.finish(turn, End(to=Status.PUBLISHED, note="", steps=done))
            hear("published", name)
    store.close()


def boundaries(content: bytes, start: int) -> list[int]:
    """Where commands end, from ``start`` on (itself such a place, or 0)."""
    found, place = [], 0
    while place < len(content):
        if content[place : place + 1] == b"#":
            place = content.index(b"\n", place) + 1
            continue
        end = content.index(b"\r\n", place)
        words, place = int(content[place + 1 : end]), end + 2
        for _ in range(words):
            end = content.index(b"\r\n", place)
            place = end + 2 + int(content[place + 1 : end]) + 2
        if place >= start:
            found.append(place)
    return found


def cuts_of(folder, told, most):
    last = max(a.at for a in told)
    begin = min(a.size for a in told if a.at > last - 1.0)
    ends = boundaries(file_of(folder).read_bytes(), begin)
    rng = random.Random(7)
    inside = [rng.randrange(begin, ends[-1]) for _ in range(most // 5)]  # a command of which half was written
    chosen = ends if len(ends) <= most - len(inside) else rng.sample(ends, most - len(inside))
    return sorted({*chosen, *inside})


@pytest.mark.nightly
@pytest.mark.redis
@pytest.mark.parametrize(("fsync", "share"), [("always", 4), ("everysec", 1)])
def test_nothing_acknowledged_is_lost_wherever_the_file_ends(tmp_path, fsync, share):
    told: list[Acknowledged] = []
    with Embedded.start(tmp_path / "first", fsync=fsync) as server:
        until = time.monotonic() + SECONDS
        writers = [threading.Thread(target=write, args=(server, n, told, until)) for n in range(WRITERS)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        folder = server.folder
    assert len(told) > 100

    promised = {"always": {"planned", "cancelled", "sent", "published"}, "everysec": {"sent"}}[fsync]
    checked = lost = again = 0
    cuts = cuts_of(folder, told, CUTS * share // 5)
    assert len(cuts) > CUTS * share // 10
    for number, cut in enumerate(cuts):
        copy = tmp_path / f"cut{number}" / "valkey"
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*.sock", "*.pid", "*.lock", "*.log"))
        with file_of(copy).open("r+b") as file:
            file.truncate(cut)
        with Embedded.start(copy.parent, fsync="everysec") as server:
            store = open_store(server.url, trial=True)
            heard = [a for a in told if a.size <= cut and a.what in promised]
            there = {d.id: d.status for d in Deliveries(store).several({a.delivery for a in heard})}
            store.close()
        shutil.rmtree(copy.parent)
        for a in heard:
            checked += 1
            status = there.get(a.delivery)
            lost += status is None
            lost += a.what == "cancelled" and status != Status.CANCELLED
            lost += a.what == "published" and status != Status.PUBLISHED
            again += a.what == "sent" and status not in NEVER_AGAIN
    assert (lost, again) == (0, 0)
