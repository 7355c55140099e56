"""The scripts in Redis against a model of what they promise, in any order that Hypothesis can think of."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from publishers.core.post import Post
from tests.simulator import Clock, seamed_store
from worker import lifecycle
from worker.errors import Refused
from worker.model import Delivery, Status, Step, StepKind, step_key
from worker.store import Deliveries, keys
from worker.store.deliveries import End, Turn

S = Status
LEASE, SETTLE, WAKE = 20.0, 5.0, 10.0
ATTEMPTS = 2
ENDS = (S.PUBLISHED, S.FAILED, S.SCHEDULED, S.UNCONFIRMED, S.PARKED)


@dataclasses.dataclass
class Model:
    """What one delivery must look like; instants in milliseconds, None = in no such queue."""

    account: str
    status: Status
    due: int
    look: int | None
    waking: int | None = None
    lease: int | None = None
    fence: int = 0
    attempts: int = 0
    uncertain: bool = False
    granted: int = 0
    """Fence of the last intent that was granted and not yet settled; 0 = none."""

    def move(self, to, look):
        self.status, self.look, self.waking, self.lease = to, look, None, None


class Machine(RuleBasedStateMachine):
    """``names`` are deliveries, ``turns`` rights to work on one, old and new."""

    store = None
    names = Bundle("names")
    turns = Bundle("turns")

    def __init__(self):
        super().__init__()
        self.store.client.flushdb()
        self.clock = Clock()
        self.deliveries = Deliveries(self.store, clock=self.clock)
        self.models = {}
        self.paused = set()

    @precondition(lambda self: len(self.models) < 3)
    @rule(target=names, account=st.sampled_from(["main.a", "main.b"]), seconds=st.sampled_from([0, 0, 5]))
    def create(self, account, seconds):
        name = f"main.{len(self.models)}"
        due = self.clock.ms + seconds * 1000
        step = Step(kind=StepKind.POST, ordinal=0, key=step_key(name, StepKind.POST, 0, 1), post=Post(text="x"))
        delivery = Delivery(
            id=name, article="main.x", account=account, platform="x", status=S.SCHEDULED,
            due=datetime.fromtimestamp(due / 1000, UTC), steps=(step,),
        )  # fmt: skip
        assert self.deliveries.create(delivery, note="")
        assert not self.deliveries.create(delivery, note="")
        self.models[name] = Model(account, S.SCHEDULED, due, due)
        return name

    @rule(seconds=st.sampled_from([0.001, 1, 4, 9, 11, 21, 40]))
    def time_passes(self, seconds):
        self.clock.ms += int(seconds * 1000)

    @rule(most=st.sampled_from([0, 1, 5, 64]))
    def tick(self, most):
        now = self.clock.ms
        for model in self.models.values():
            if model.lease is not None and model.lease <= now:
                model.attempts += 1
                if model.status is S.PREPARING and model.attempts >= ATTEMPTS:
                    model.fence += 1
                    model.move(S.FAILED, None)
                elif model.status is S.PREPARING:
                    model.move(S.SCHEDULED, now)
                elif model.status is S.UNCONFIRMED and model.attempts >= ATTEMPTS + lifecycle.REPEATS_MORE:
                    model.fence += 1
                    model.move(S.PARKED, None)
                elif model.status is S.PUBLISHING:
                    model.uncertain = True
                    model.move(S.UNCONFIRMED, now + int(SETTLE * 1000))
                else:
                    model.move(model.status, now + int(SETTLE * 1000))
            if model.waking is not None and model.waking <= now:
                model.look, model.waking = now, None
        ready = {name for name, model in self.models.items() if model.look is not None and model.look <= now}
        woken, following = self.deliveries.claim(most=most, settle=SETTLE, wake=WAKE, attempts=ATTEMPTS)
        assert set(woken) <= ready
        assert len(woken) <= (most + keys.SHARDS if most else 0)
        assert most < 64 or set(woken) == ready
        for name in woken:
            self.models[name].look, self.models[name].waking = None, now + int(WAKE * 1000)
        looks = [model.look for model in self.models.values() if model.look is not None]
        assert following == (min(looks) - now) / 1000 if looks else following == float("inf")

    @rule(target=turns, name=names)
    def begin_only(self, name):
        return self.begin(name)

    def begin(self, name):
        model, now = self.models[name], self.clock.ms
        turn = self.deliveries.begin(name, lease=LEASE, stale=10_000_000)
        model.waking = None
        if model.status not in lifecycle.WAITING:
            assert turn == model.status
        elif model.lease is not None:
            assert turn == "leased"
        elif model.look is not None and model.look > now:
            assert turn == "early"
        elif self.stopped(model):
            assert turn == "paused"
            model.look = now + 30_000
        else:
            model.fence += 1
            model.look, model.lease = None, now + int(LEASE * 1000)
            model.status = S.PREPARING if model.status is S.SCHEDULED else model.status
            assert isinstance(turn, Turn)
            assert (turn.fence, turn.uncertain) == (model.fence, model.uncertain)
            return turn
        return Turn(self.deliveries.get(name), model.fence - 1, uncertain=False, looks=0, at=self.deliveries.now())

    @rule(target=turns, shard=st.integers(0, keys.SHARDS - 1))
    def take(self, shard):
        return self.taken(lambda: self.deliveries.take(lease=LEASE, stale=10_000_000, shard=shard))

    def taken(self, take):
        """Whoever has nothing to do takes what is woken or due; what is stopped is put off on the way."""
        now = self.clock.ms
        ready = {n for n, m in self.models.items() if m.waking is not None or (m.look is not None and m.look <= now)}
        turn = take()
        free = {n for n in ready if not self.stopped(self.models[n])}
        assert (turn.delivery.id in free) if turn else not free
        for name in ready - free:
            model = self.models[name]
            score = self.store.client.zscore(f"{keys.root(keys.shard(name))}due", name)
            if score is None:
                assert model.waking is not None
                continue
            assert score in {model.look, now + 30_000}
            model.look, model.waking = int(score), None
        if not turn:
            return multiple()
        model = self.models[turn.delivery.id]
        model.fence += 1
        model.look, model.waking, model.lease = None, None, now + int(LEASE * 1000)
        model.status = S.PREPARING if model.status is S.SCHEDULED else model.status
        assert (turn.fence, turn.uncertain) == (model.fence, model.uncertain)
        return turn

    def stopped(self, model):
        return bool(self.paused & {"all", f"account:{model.account}"})

    def model(self, turn):
        return self.models[turn.delivery.id]

    @rule(turn=turns)
    def keep(self, turn):
        model = self.model(turn)
        held = model.fence == turn.fence and model.status is S.PREPARING
        assert self.deliveries.keep(turn, turn.delivery.steps) == held

    @rule(target=turns, name=names)
    def begin_and_intend(self, name):
        """What most workers get to do."""
        turn = self.begin(name)
        self.intend(turn)
        return turn

    @rule(turn=turns)
    def intend_only(self, turn):
        self.intend(turn)

    def intend(self, turn):
        model, now = self.model(turn), self.clock.ms
        word = self.deliveries.intend(turn, turn.delivery.steps, seconds=7)
        held = model.fence == turn.fence and model.status in {S.PREPARING, S.PUBLISHING, S.UNCONFIRMED}
        if not held or model.lease is None or model.lease - now < 7000:
            assert word == "lost"
        elif self.stopped(model):
            assert word == "paused"
        else:
            assert word == "ok"
            assert model.granted in {0, turn.fence} or model.uncertain, "two may send, and nobody knows of a doubt"
            model.granted = turn.fence
            model.status = S.PUBLISHING if model.status is S.PREPARING else model.status

    @rule(turn=turns, to=st.sampled_from(ENDS), wait=st.sampled_from([0, 3, 30]))
    def finish(self, turn, to, wait):
        end, ours = self.end(turn, to, wait)
        assert self.deliveries.finish(turn, end) == ours

    @rule(
        target=turns,
        turn=turns,
        to=st.sampled_from(ENDS),
        wait=st.sampled_from([0, 3, 30]),
        shard=st.integers(0, keys.SHARDS - 1),
    )
    def finish_and_take(self, turn, to, wait, shard):
        """What a worker does that goes on: the one that has ended may be the next, if it is due again at once."""
        end, _ = self.end(turn, to, wait)
        return self.taken(
            lambda: self.deliveries.finish_and_take(turn, end, lease=LEASE, stale=10_000_000, shard=shard)
        )

    def end(self, turn, to, wait):
        """An end of a turn, and whether it is the worker's to say; the model moves."""
        model, now = self.model(turn), self.clock.ms
        ours = model.fence == turn.fence and to in lifecycle.TRANSITIONS[model.status]
        if to is S.PUBLISHED and model.status in {S.PREPARING, S.SCHEDULED}:
            ours = False  # nothing of these is public, so nothing can stay so
        if ours:
            model.uncertain = to is S.UNCONFIRMED
            if not model.uncertain:
                model.granted = 0
            model.move(to, now + wait * 1000 if to in lifecycle.WAITING else None)
        look = wait if to in lifecycle.WAITING else None
        return End(to, "", wait=look, fields={"uncertain": int(to is S.UNCONFIRMED)}), ours

    @rule(
        name=names,
        to=st.sampled_from([S.CANCELLED, S.HELD, S.AWAITING_APPROVAL, S.SCHEDULED]),
        seconds=st.integers(0, 30),
    )
    def decide(self, name, to, seconds):
        """A person's move; from every status that has not begun."""
        model = self.models[name]
        origins = (S.SCHEDULED, S.HELD, S.FAILED, S.AWAITING_APPROVAL, S.PREPARING, S.PUBLISHING)
        due = self.deliveries.now() + timedelta(seconds=seconds) if to is S.SCHEDULED else None
        allowed = (to in lifecycle.TRANSITIONS[model.status] or to is model.status) and model.status in origins
        allowed = allowed and model.lease is None
        try:
            self.deliveries.change(name, to, origins=origins, note="", due=due)
        except Refused:
            assert not allowed
        else:
            assert allowed
            model.fence += 1
            look = self.clock.ms + seconds * 1000 if due else None
            model.due = look or model.due
            model.move(to, look)

    @rule(scope=st.sampled_from(["all", "account:main.a"]))
    def pause(self, scope):
        self.deliveries.pause(scope, until=None, why="x")
        self.paused.add(scope)

    @precondition(lambda self: self.paused)
    @rule(scope=st.sampled_from(["all", "account:main.a"]))
    def resume(self, scope):
        assert self.deliveries.resume(scope) == (scope in self.paused)
        self.paused.discard(scope)

    @invariant()
    def the_store_is_as_the_model_says(self):
        with self.store.client.pipeline(transaction=False) as pipe:
            for name in self.models:
                root = keys.root(keys.shard(name))
                pipe.hmget(f"{root}delivery:{name}", "status", "fence", "due")
                for queue in ("due", "waking", "leases"):
                    pipe.zscore(f"{root}{queue}", name)
                pipe.zscore(f"{root}status:main:{self.models[name].status}", name)
            rows = iter(pipe.execute())
        for name, model in self.models.items():
            (status, fence, due), look, waking, lease, listed = (next(rows) for _ in range(5))
            assert (status.decode(), int(fence), int(due)) == (model.status, model.fence, model.due), name
            assert (look, waking, lease) == (model.look, model.waking, model.lease), name
            assert listed is not None, name

    @invariant()
    def nothing_hangs(self):
        for name, model in self.models.items():
            queued = [q for q in (model.look, model.waking, model.lease) if q is not None]
            moves = model.status in lifecycle.WAITING | lifecycle.LEASED
            assert len(queued) == int(moves), name


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    with seamed_store(tmp_path_factory.mktemp("valkey")) as opened:
        yield type("OnThisServer", (Machine,), {"store": opened})


@pytest.mark.parametrize(
    ("examples", "steps"),
    [pytest.param(60, 50, id="everyday"), pytest.param(10_000, 100, id="nightly", marks=pytest.mark.nightly)],
)
def test_the_scripts_do_what_the_model_says(machine, examples, steps):
    how = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(machine, settings=how)
