"""Small worlds in which everything goes wrong, thousands of them; and bugs planted on purpose, which they must find."""

from __future__ import annotations

import dataclasses
import random
import time

import pytest

from publishers.core import publisher as shape
from publishers.core.errors import Unavailable
from publishers.core.guard import Deadline
from publishers.core.http import judge
from tests.simulator import Simulation, Violation, seamed_store
from worker.pipeline import publish
from worker.store import redis as scripts

EVERYDAY_SECONDS = 12


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with seamed_store(tmp_path_factory.mktemp("valkey")) as opened:
        yield opened


def explore(store, seeds):
    """Live through one world per seed; raises Violation with the seed and its story."""
    store._sha.clear()
    for seed in seeds:
        simulation = Simulation(store, seed)
        try:
            simulation.run()
        except Violation as error:
            story = "\n".join(f"{ms:>8} {who}: {what}" for ms, who, what in simulation.trace)
            raise Violation(f"{error}\n{story}") from None


def test_no_world_breaks_a_promise(store):
    end = time.monotonic() + EVERYDAY_SECONDS
    seen = 0
    for seed in range(1000):
        if time.monotonic() > end:
            break
        explore(store, [seed])
        seen += 1
    assert seen > 20, "too few worlds to mean anything"


@pytest.mark.nightly
def test_no_world_of_five_thousand_breaks_a_promise(store):
    explore(store, range(5_000))


def test_a_world_can_be_lived_through_again(store):
    stories = []
    for _ in range(2):
        simulation = Simulation(store, 7)
        simulation.run()
        stories.append(simulation.trace)
    assert stories[0] == stories[1]


def without(monkeypatch, names, line):
    """Leave ``line`` out of Lua scripts."""
    source = scripts._source

    def changed(name):
        text = source(name)
        if name in names:
            assert line in text
            return text.replace(line, "")
        return text

    monkeypatch.setattr(scripts, "_source", changed)


def drop_the_fence(monkeypatch):
    without(monkeypatch, ("intent", "finish", "keep"), "h[2] ~= ARGV[2] or ")


def new_key_per_try(monkeypatch):
    commit, dice = publish._commit, random.Random(1)
    monkeypatch.setattr(publish, "_commit", lambda d, s: dataclasses.replace(commit(d, s), key=str(dice.random())))


def retry_on_500(monkeypatch):
    monkeypatch.setattr(shape, "judge", lambda a: Unavailable("500") if a.status >= 500 else judge(a))


def send_however_late(monkeypatch):
    monkeypatch.setattr(Deadline, "expire", lambda self, seconds: None)


def forget_the_doubt_of_a_lost_worker(monkeypatch):
    without(monkeypatch, ("claim",), "'uncertain', 1, ")


def drop_the_fence_at_the_end(monkeypatch):
    without(monkeypatch, ("finish",), "h[2] ~= ARGV[2] or ")


def begin_early(monkeypatch):
    without(monkeypatch, ("begin",), "if planned and tonumber(planned) > now then return {'early'} end")


nightly = pytest.mark.nightly


@pytest.mark.parametrize(
    "plant",
    [
        drop_the_fence,
        new_key_per_try,
        retry_on_500,
        pytest.param(begin_early, marks=nightly),
        pytest.param(forget_the_doubt_of_a_lost_worker, marks=nightly),
        pytest.param(drop_the_fence_at_the_end, marks=nightly),
        pytest.param(send_however_late, marks=nightly),
    ],
    ids=lambda plant: plant.__name__,
)
def test_a_planted_bug_is_found_within_a_thousand_worlds(store, monkeypatch, plant):
    plant(monkeypatch)

    with pytest.raises(Violation):
        explore(store, range(1000))
    store._sha.clear()
