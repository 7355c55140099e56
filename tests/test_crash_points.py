"""A process that ends at any of its steps, whatever the platform did, leaves nothing lost and nothing doubled."""

from __future__ import annotations

import pytest

from tests.simulator import ADAPTERS, SURE, Killed, Simulation, seamed_store

FATES = (
    "fine",
    "vanish",
    "hang",
    "late",
    "drop",
    "error after",
    "error before",
    "garbled",
    "limited",
    "refused",
    "unauthorized",
)
STEPS = {
    *(
        f"{when} {trip}"
        for trip in ("claim", "wake", "begin", "take", "keep", "intent", "finish", "finish and take", "pause")
        for when in ("before", "after")
    ),
    "before send",
    "hanging",
    "answering",
    "after send",
}  # fmt: skip
"""Every trip there is to Redis, to the broker and to a platform."""


class Lives(Simulation):
    """One post of one class, whose first commit meets one fate, and processes that end at given steps one by one."""

    def __init__(self, store, kind, fate):
        self.steps_taken, self.ends_at, self.asked = [], None, 0
        super().__init__(store, 1, posts=1, kinds=(kind,), faults=0.0)
        self.fates = [fate]
        self.world.fate = lambda fates: self.fates.pop() if fates is self.world.commit_fates and self.fates else "fine"
        self.ended_at = set()

    def seam(self, name):
        self.steps_taken.append(name)
        if len(self.steps_taken) == self.ends_at:
            self.ended_at.add(name)
            next(iter(self.plans.values())).disturbed = True
            raise Killed

    def more(self):
        """Every other time the process goes on with what is due without a message."""
        self.asked += 1
        return self.asked % 2 == 1

    def live(self, ends_at=None):
        """One process from its start; returns after how many steps it had nothing left to do, None if it was ended."""
        self.steps_taken, self.ends_at = [], ends_at
        self.broker.clear()
        try:
            while instants := self.instants():
                self.wait(max(0, (min(instants) - self.clock.ms) / 1000))
                self.engine.tick()
                while self.broker:
                    self.engine.publish(self.broker.pop(), self.more)
                for scope in self.deliveries.paused():
                    self.deliveries.resume(scope)
        except Killed:
            return None
        self.check()
        return len(self.steps_taken)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with seamed_store(tmp_path_factory.mktemp("valkey")) as opened:
        yield opened


def lives(store, kind, fate, *ends):
    """A world after processes that ended at ``ends``, and how many steps the one after them needed."""
    world = Lives(store, kind, fate)
    for step in ends:
        assert world.live(step) is None, f"{ends} after {fate!r}: step {step} was never reached"
    return world, world.live()


@pytest.mark.parametrize("kind", ADAPTERS)
def test_a_process_may_end_at_any_step(store, kind):
    ended = set()
    for fate in FATES:
        _, steps = lives(store, kind, fate)
        for step in range(1, steps + 1):
            world, _ = lives(store, kind, fate, step)
            ended |= world.ended_at
    assert ended == (STEPS if kind == "A2" else STEPS - {"before keep", "after keep"}), "only drafts are kept"


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ADAPTERS)
@pytest.mark.parametrize("fate", FATES)
def test_a_process_and_the_one_that_recovers_may_end_at_any_step(store, kind, fate):
    _, steps = lives(store, kind, fate)
    for first in range(1, steps + 1):
        _, recovery = lives(store, kind, fate, first)
        for second in range(1, recovery + 1):
            lives(store, kind, fate, first, second)


@pytest.mark.parametrize("fate", [f for f in FATES if f not in SURE])
def test_what_nobody_can_look_up_is_parked_and_never_sent_again(store, fate):
    world, _ = lives(store, "C", fate)

    assert [d.status for d in world.deliveries.several(world.plans)] == ["parked"]
    assert [e.fate for e in world.world.events if e.what == "asked"] == [fate]
