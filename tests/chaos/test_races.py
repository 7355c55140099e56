"""Who stops or cancels in time, wins; who is too late, is told so: raced against real workers on a real server."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from bench.platforms.keyed import Keyed
from publishers.core.http import Http
from publishers.core.post import Post, Receipt
from tests.simulator import seamed_store
from worker import decisions
from worker.errors import Refused
from worker.model import Account, Delivery, Status, Step, StepKind, delivery_id, step_key
from worker.pipeline.publish import Engine
from worker.settings import Settings
from worker.store import Deliveries

RACES = [pytest.param(500, id="everyday"), pytest.param(20_000, id="nightly", marks=pytest.mark.nightly)]
STEP = 0.0005
"""Seconds by which the loser of a race is given a longer start in the next, so that all are close."""


class Track:
    """One account whose commits are noted the moment they begin."""

    def __init__(self, store):
        self.begun = {}
        self.deliveries = Deliveries(store)
        self.person = Account(id="main.racer", platform="racer", name="Racer", proof=Keyed.proof)
        self.engine = Engine(
            self.deliveries, self, self, Settings(request_seconds=5),
            wake=lambda _: None, depth=lambda: 0, now=lambda: datetime.now(UTC), rng=random.Random(1),
        )  # fmt: skip
        self.number = 0

    def spend(self, account, app, budgets):
        return 0.0

    def open(self, name):
        track = self

        class Racer(Keyed):
            def create(self, post, commit):
                track.begun[post.text] = time.perf_counter()
                time.sleep(0.001)
                return Receipt(id=commit.key)

        return self.person, Racer({}, Http(transport=httpx.MockTransport(lambda _: httpx.Response(500))))

    def plan(self):
        self.number += 1
        name = delivery_id(f"main.{self.number}", self.person.id, 0)
        step = Step(
            kind=StepKind.POST, ordinal=0, key=step_key(name, StepKind.POST, 0, 1), post=Post(text=name), prepared={}
        )
        due = datetime.now(UTC) - timedelta(seconds=1)
        delivery = Delivery(
            id=name, article=f"main.{self.number}", account=self.person.id, platform="racer", status=Status.SCHEDULED,
            due=due, steps=(step,),
        )  # fmt: skip
        assert self.deliveries.create(delivery, note="")
        return name


@pytest.fixture(scope="module")
def track(tmp_path_factory):
    with seamed_store(tmp_path_factory.mktemp("valkey")) as store:
        yield Track(store)


def race(track, person, start):
    """A worker and a person set out for one delivery, the worker ``start`` seconds ahead; returns what came of it."""
    name = track.plan()
    gun = threading.Barrier(2)

    def work():
        gun.wait()
        time.sleep(max(0, -start))
        return track.engine.publish(name)

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        gun.wait()
        time.sleep(max(0, start))
        said = person(name)
        at = time.perf_counter()
        working.result()
        return name, said, at


@pytest.mark.parametrize("races", RACES)
def test_no_commit_begins_after_a_stop_has_returned(track, races):
    sent, start, dice = 0, 0.0, random.Random(1)

    def stop(name):
        return decisions.stop(track.deliveries, "account:main.racer", sleep=lambda _: time.sleep(0.0005))

    for number in range(races):
        name, _, returned = race(track, stop, start + dice.uniform(-STEP, STEP))
        assert track.begun.get(name, 0.0) <= returned, f"race {number}: {name} began after the stop"
        sent += name in track.begun
        start += -STEP if name in track.begun else STEP
        track.deliveries.resume("account:main.racer")
    assert races / 20 < sent < races - races / 20, "one of the two always won: no race"


@pytest.mark.parametrize("races", RACES)
def test_what_was_cancelled_is_never_sent_and_what_was_sent_is_never_called_cancelled(track, races):
    sent, start, dice = 0, 0.0, random.Random(1)

    def cancel(name):
        with contextlib.suppress(Refused):
            decisions.cancel(track.deliveries, name)
            return True
        return False

    for number in range(races):
        name, cancelled, _ = race(track, cancel, start + dice.uniform(-STEP, STEP))
        assert cancelled != (name in track.begun), f"race {number}"
        assert track.deliveries.get(name).status == (Status.CANCELLED if cancelled else Status.PUBLISHED)
        sent += not cancelled
        start += STEP if cancelled else -STEP
    assert races / 20 < sent < races - races / 20, "one of the two always won: no race"
