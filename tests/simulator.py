"""A world in miniature: one seed decides every message, fault, kill and tick of the clock; the engine in it is the real one.

Only the edges are stand-ins: the clock, the broker, the wire to the platforms, and who runs when. Workers are greenlets
that may be stopped, frozen or killed at every trip to Redis, to a platform or to the broker.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import random
from collections import Counter
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import httpx
import redis
import structlog
from greenlet import getcurrent, greenlet

from bench import fake_platform
from bench.fake_platform import COMMIT_FATES, READ_FATES, Drop, Hang
from bench.platforms.blind import Blind
from bench.platforms.drafted import Drafted
from bench.platforms.keyed import Keyed
from bench.platforms.looked_up import LookedUp
from publishers.core.http import Http
from publishers.core.post import Post
from worker import decisions, lifecycle
from worker.embedded import Embedded
from worker.errors import Refused
from worker.model import Account, Delivery, Status, Step, StepKind, delivery_id, step_key
from worker.pipeline.publish import Engine
from worker.settings import Settings
from worker.store import Deliveries, Store, keys, open_store

ADAPTERS = {"A": Keyed, "A2": Drafted, "B": LookedUp, "C": Blind}
START = 1_800_000_000_000
SURE = ("fine", "limited", "unauthorized")
"""Fates that leave no doubt whether the message is there."""

SETTLE = 2.0
RETRY_AFTER = 20
STOPPING = "waiting for the stop"
CALM_ROUNDS = 400
CRITICAL = (
    "after keep",
    "after intent",
    "before send",
    "answering",
    "after send",
    "before finish",
    "before finish and take",
)
"""Where a worker that stops does the most harm; trouble comes there more often than elsewhere."""


class Killed(BaseException):
    """The process is gone: nothing after this line of it is run."""


class Violation(BaseException):
    """A promise was broken; nothing that is tested may take it for an error of its own."""


class Clock:
    """The only time there is, in milliseconds."""

    def __init__(self):
        self.ms = START

    def __call__(self):
        return self.ms

    def seconds(self):
        return self.ms / 1000

    def now(self):
        return datetime.fromtimestamp(self.ms / 1000, UTC)


class SeamedStore(Store):
    """A store that another may interrupt before and after every trip to Redis."""

    seam = staticmethod(lambda name: None)
    accident = staticmethod(lambda name: None)
    seen = staticmethod(lambda name, answer: None)
    sleep = staticmethod(lambda seconds: None)

    def _pipe(self, calls, *commands):
        name = " and ".join(dict.fromkeys(script for script, *_ in calls))
        self.seam(f"before {name}")
        fault = self.accident(name)
        if fault == "down":
            raise redis.ConnectionError("down")
        for _ in range(2 if fault == "asked again" else 1):
            answer = super()._pipe(calls, *commands)
            for (script, *_), one in zip(calls, answer, strict=False):
                self.seen(script, one)
        if fault == "answer lost":
            raise redis.ConnectionError("answer lost")
        self.seam(f"after {name}")
        return answer


@contextlib.contextmanager
def seamed_store(folder):
    """A real server that keeps nothing on disk, since nobody crashes it here, and a quiet engine."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        with Embedded.start(folder) as server:
            opened = open_store(server.url)
            opened.client.config_set("appendonly", "no")
            yield SeamedStore(opened.client, where="here")
            opened.close()
    finally:
        structlog.reset_defaults()


class SeamedDeliveries(Deliveries):
    def pause(self, scope, *, until, why):
        self._store.seam("before pause")
        super().pause(scope, until=until, why=why)
        self._store.seam("after pause")


class SeamedHttp(Http):
    """A stop between the last check of the time and the first byte on the wire cannot be told from a slow wire."""

    def __init__(self, simulation):
        self.simulation = simulation
        super().__init__(
            seconds=simulation.settings.request_seconds, transport=Wire(self), clock=simulation.clock.seconds
        )

    def left(self):
        return self._deadline.left()

    def send(self, method, url, **request):
        self.simulation.seam("before send")
        answer = super().send(method, url, **request)
        self.simulation.seam("after send")
        return answer


class Wire(httpx.BaseTransport):
    def __init__(self, http):
        self.http = http

    def handle_request(self, request):
        world, simulation = self.http.simulation.world, self.http.simulation
        parts = urlsplit(str(request.url))
        name, _, path = parts.path.lstrip("/").partition("/")
        body = request.read()
        commit = request.method == "POST" and (path == "posts" or path.endswith("/publish"))
        try:
            if commit:
                status, content, _ = self.commit(fake_platform.arrived(world, name, path, request.headers, body))
            else:
                status, content, _ = self.read(world, name, path, parse_qs(parts.query), body)
        except Drop:
            raise httpx.ReadError("cut") from None
        except Hang:
            simulation.seam("hanging")
            simulation.wait(self.http.left())
            raise httpx.ReadTimeout("hanging") from None
        simulation.seam("answering")
        if self.http.left() <= 0:
            raise httpx.ReadTimeout("the answer came too late")
        header = {"Retry-After": str(RETRY_AFTER)} if status == 429 else {}
        return httpx.Response(status, headers=header, stream=httpx.ByteStream(content))

    def commit(self, commit):
        simulation = self.http.simulation
        simulation.commit_begins(commit)
        if commit.fate == "late":
            simulation.later(simulation.dice.uniform(0, 3 * SETTLE), commit)
        return fake_platform.done(simulation.world, commit)

    def read(self, world, name, path, query, body):
        bad = fake_platform.misbehave(world.fate(world.read_fates))
        if bad is not None:
            return bad
        return 200, json.dumps(fake_platform.read(world, name, path, query, body)).encode(), ""


class World(fake_platform.World):
    commit_fates = COMMIT_FATES | {"unauthorized": 2}
    read_fates = READ_FATES | {"unauthorized": 1}


class Parties:
    """Stands for the stored accounts: what is asked of them never changes what is sent."""

    def __init__(self, simulation):
        self.simulation = simulation
        self.by_id = {}
        for kind, adapter in ADAPTERS.items():
            account = Account(id=f"main.{kind.lower()}", platform=kind.lower(), name=kind, proof=adapter.proof)
            self.by_id[account.id] = account

    def spend(self, account, app, budgets):
        return 0.0

    def open(self, name):
        account = self.by_id[name]
        http = SeamedHttp(self.simulation)
        return account, ADAPTERS[account.name]({"server": f"http://127.0.0.1/{account.name}"}, http)

    def renew(self, account, used):
        return self.simulation.dice.random() < 0.7


@dataclasses.dataclass
class Planned:
    """What the outside knows of one delivery."""

    kind: str
    due: int
    versions: list[str]
    cancelled: bool = False
    doubtful: bool = False
    disturbed: bool = False
    not_before: int = 0


class Simulation:
    """One seed's world. ``run`` raises Violation, with the seed, if a promise is broken."""

    def __init__(self, store, seed, *, posts=4, steps=350, faults=0.3, kinds=tuple(ADAPTERS)):
        self.seed = seed
        self.dice = random.Random(seed)
        self.clock = Clock()
        self.store = store
        store.client.flushdb()
        store.seam, store.accident, store.seen = self.seam, self.accident, self.seen
        self.settings = Settings(
            request_seconds=5, spare_seconds=15, settle_seconds=SETTLE, wake_seconds=20, attempts=6, stale_hours=10_000
        )
        self.world = World(seed=seed, faults=faults, clock=self.clock.seconds)
        self.deliveries = SeamedDeliveries(store, clock=self.clock)
        self.parties = Parties(self)
        self.broker = []
        self.engine = Engine(
            self.deliveries, self.parties, self.parties, self.settings,
            wake=self.wake, depth=lambda: len(self.broker), now=self.clock.now, rng=random.Random(seed),
        )  # fmt: skip
        self.actors = []
        self.frozen = {}
        self.pending = []
        self.seen = 0
        self.stopped = set()
        self.accidents = 0.02
        self.kinds = kinds
        self.steps = steps
        self.trace = []
        self.plans = {}
        self.by_text = {}
        for number in range(posts):
            self.plan(number)

    # The parts that stand in for the world

    def plan(self, number):
        kind = self.dice.choice(self.kinds)
        account = f"main.{kind.lower()}"
        name = delivery_id(f"main.{number}", account, 0)
        due = START + self.dice.randrange(5_000)
        self.plans[name] = Planned(kind=kind, due=due, versions=[f"post {number}"])
        self.by_text[f"post {number}"] = name
        delivery = Delivery(
            id=name, article=f"main.{number}", account=account, platform=kind.lower(), status=Status.SCHEDULED,
            due=datetime.fromtimestamp(due / 1000, UTC), steps=(self.step(name, f"post {number}", 1),),
        )  # fmt: skip
        assert self.deliveries.create(delivery, note="planned")

    def step(self, name, text, version):
        key = step_key(name, StepKind.POST, 0, version)
        return Step(kind=StepKind.POST, ordinal=0, key=key, post=Post(text=text))

    def wake(self, deliveries):
        for delivery in deliveries:
            self.seam("before wake")
            self.broker.append(delivery)
        self.seam("after wake")

    def seam(self, name):
        """Somebody else's turn."""
        me = getcurrent()
        if me.parent is not None:
            self.trace.append((self.clock.ms - START, me.name, name))
            me.where = name
            me.parent.switch()

    def accident(self, name):
        if getcurrent().parent is not None and self.dice.random() < self.accidents:
            self.disturb(getcurrent())
            return self.dice.choice(["down", "answer lost", "asked again"])
        return None

    def commit_begins(self, commit):
        name = self.by_text[commit.text]
        plan = self.plans[name]
        self.trace.append((self.clock.ms - START, name, f"commit {commit.text!r} of class {plan.kind}: {commit.fate}"))
        self.must(self.clock.ms >= plan.due, f"{name} was sent before it was due")
        self.must(not plan.cancelled, f"{name} was sent after a cancel that was acknowledged")
        self.must(commit.text == plan.versions[-1], f"{name} was sent with the text before an edit")
        account = f"account:main.{plan.kind.lower()}"
        self.must(not self.stopped & {"all", account}, f"{name} was begun after a stop that was acknowledged")
        self.must(not (plan.doubtful and plan.kind == "C"), f"{name} of class C was sent again unasked")
        self.must(self.clock.ms >= plan.not_before, f"{name} was sent again before the platform allowed it")
        if commit.fate == "limited":
            plan.not_before = self.clock.ms + RETRY_AFTER * 1000
        plan.doubtful = plan.doubtful or commit.fate not in SURE

    def later(self, seconds, commit):
        self.pending.append((self.clock.ms + int(seconds * 1000), commit))

    def wait(self, seconds):
        """Let time pass, and what happens in it happen; whoever was about to send may have lost the right to."""
        if seconds > 1:
            for actor in self.actors:
                self.disturb(actor)
        end = self.clock.ms + int(seconds * 1000) + 1
        for at, commit in sorted(self.pending, key=lambda p: p[0]):
            if at <= end:
                self.clock.ms = max(self.clock.ms, at)
                self.pending.remove((at, commit))
                self.world.publish(commit.name, commit.text, commit.key)
        self.clock.ms = max(self.clock.ms, end)
        self.check_copies()

    def must(self, true, words):
        if not true:
            raise Violation(f"seed {self.seed}: {words}")

    def check_copies(self):
        if len(self.world.events) == self.seen:
            return
        self.seen = len(self.world.events)
        for name, number in self.copies().items():
            self.must(number <= 1, f"{name} of class {self.plans[name].kind} is there {number} times")

    def copies(self):
        return Counter(self.by_text[e.text] for e in self.world.events if e.what == "public")

    # Who runs when

    def seen(self, name, answer):
        """Remember what a worker took up of its own accord, even if it never learned of it."""
        if name == "take" and answer and getcurrent().parent is not None:
            getcurrent().delivery = answer[0].decode()

    def disturb(self, actor):
        """From here on nobody can say whether what this worker was about to send was sent."""
        if actor.delivery in self.plans:
            self.plans[actor.delivery].disturbed = True

    def start(self, name, work, *args):
        def life():
            with contextlib.suppress(Killed, redis.RedisError):
                work(*args)

        actor = greenlet(life)
        actor.name = f"{name} {len(self.trace)}"
        actor.delivery, actor.where = "", ""
        self.actors.append(actor)
        self.resume(actor)

    def resume(self, actor):
        actor.switch()
        if actor.dead:
            self.actors.remove(actor)
            self.check_copies()

    def kill(self, actor):
        self.trace.append((self.clock.ms - START, actor.name, "killed"))
        self.disturb(actor)
        actor.throw(Killed)
        self.actors.remove(actor)
        self.frozen.pop(actor, None)

    def awake(self):
        for actor, until in list(self.frozen.items()):
            if until <= self.clock.ms:
                del self.frozen[actor]
        return [a for a in self.actors if a not in self.frozen]

    def one_step(self):
        awake = self.awake()
        happens = {
            "resume": 40 if awake else 0,
            "tick": 2,
            "deliver": 4 if self.broker and len(self.actors) < 6 else 0,
            "time": 4,
            "leap": 3,
            "kill": 0.5 if awake else 0,
            "freeze": 0.8 if awake else 0,
            "person": 1.5,
        }
        what = self.dice.choices(list(happens), list(happens.values()))[0]
        if what == "resume":
            self.resume(self.dice.choice(awake))
        elif what == "tick":
            self.start("tick", self.engine.tick)
        elif what == "deliver":
            self.deliver()
        elif what == "time":
            self.wait(self.dice.expovariate(1.0))
        elif what == "leap":
            self.leap()
        elif what == "kill":
            self.kill(self.unlucky(awake))
        elif what == "freeze":
            actor = self.unlucky(awake)
            self.disturb(actor)
            self.frozen[actor] = self.clock.ms + self.dice.randrange(120_000)
        else:
            self.decide()

    def unlucky(self, actors):
        return self.dice.choices(actors, [8 if a.where in CRITICAL else 1 for a in actors])[0]

    def deliver(self):
        """Messages may be lost, doubled and out of order."""
        delivery = self.dice.choice(self.broker)
        fate = self.dice.random()
        if fate > 0.1:
            self.broker.remove(delivery)
        if fate < 0.95:
            self.start("look", self.look, delivery)

    def look(self, delivery):
        """What the task does: one delivery it was woken for, then whatever else is due."""
        getcurrent().delivery = delivery
        self.engine.publish(delivery, lambda: self.dice.random() < 0.5)

    def leap(self):
        """To an instant at which something is due."""
        ahead = [at for at in self.instants() if at > self.clock.ms]
        if ahead:
            self.wait((self.dice.choice(ahead) - self.clock.ms) / 1000)

    def instants(self):
        """Every instant at which the engine or the world will do something."""
        found = [at for at, _ in self.pending]
        with self.store.client.pipeline(transaction=False) as pipe:
            for shard in range(keys.SHARDS):
                for name in ("due", "leases", "waking"):
                    pipe.zrange(f"{keys.root(shard)}{name}", 0, -1, withscores=True)
            found += [int(score) for rows in pipe.execute() for _, score in rows]
        return found

    # What people do

    def decide(self):
        # Half of what people decide is about what is just about to go.
        name = self.dice.choice(self.broker if self.broker and self.dice.random() < 0.5 else list(self.plans))
        acts = [self.edit] * 4 + [self.postpone] * 2 + [self.resolve] * 3
        acts += [self.cancel, self.retry, self.stop, self.go_on, self.reconnect]
        with contextlib.suppress(Refused):
            self.dice.choice(acts)(name)

    def cancel(self, name):
        decisions.cancel(self.deliveries, name)
        self.plans[name].cancelled = True

    def edit(self, name):
        plan, found = self.plans[name], self.deliveries.get(name)
        text = f"{plan.versions[0]} as of {len(plan.versions)}"
        step = self.step(name, text, found.version + 1)
        to, fields = Status.SCHEDULED, {"version": found.version + 1}
        self.deliveries.change(
            name, to, origins=(Status.SCHEDULED,), note="edited", due=found.due, steps=(step,), seen=found.fence,
            fields=fields,
        )  # fmt: skip
        plan.versions.append(text)
        self.by_text[text] = name

    def postpone(self, name):
        due = self.clock.ms + self.dice.randrange(60_000)
        moment = datetime.fromtimestamp(due / 1000, UTC)
        self.deliveries.change(name, Status.SCHEDULED, origins=(Status.SCHEDULED,), note="postponed", due=moment)
        self.plans[name].due = due

    def retry(self, name):
        decisions.retry(self.deliveries, name)

    def resolve(self, name):
        if any(self.by_text[c.text] == name for _, c in self.pending):
            return
        there = next((e for e in self.world.events if e.what == "public" and self.by_text[e.text] == name), None)
        decisions.resolve(self.deliveries, name, there="https://example.org/1" if there else "")
        self.plans[name].doubtful = False

    def stop(self, name):
        scope = self.dice.choice(["all", f"account:main.{self.plans[name].kind.lower()}"])
        self.start("stop", self.stop_and_wait, scope)

    def stop_and_wait(self, scope):
        decisions.stop(self.deliveries, scope, sleep=lambda _: self.seam(STOPPING))
        if scope in self.deliveries.paused():
            self.stopped.add(scope)

    def go_on(self, name):
        for scope in self.deliveries.paused():
            if scope.startswith(("all", "account:")):
                self.stopped.discard(scope)
                decisions.go_on(self.deliveries, scope)

    def reconnect(self, name):
        self.deliveries.resume(f"connect:main.{self.plans[name].kind.lower()}")

    # From beginning to end

    def run(self):
        try:
            for _ in range(self.steps):
                self.one_step()
            self.calm()
            self.check()
        finally:
            self.accidents = 0
            for actor in [a for a in self.actors if not a.dead]:  # who broke a promise ended by it
                self.kill(actor)
            self.store.seam = self.store.accident = lambda name: None
            self.store.seen = lambda name, answer: None

    def calm(self):
        """No more faults and kills: everything must come to its end."""
        self.world.faults = self.accidents = 0.0
        self.frozen.clear()
        for _ in range(CALM_ROUNDS):
            self.start("tick", self.engine.tick)
            while self.actors or self.broker:
                if self.broker:
                    self.start("look", self.look, self.broker.pop())
                if self.actors:
                    self.resume(self.dice.choice(self.actors))
                if self.actors and not self.broker and all(a.where == STOPPING for a in self.actors):
                    self.wait(1.0)  # a stop waits until the lease of a lost worker ends
            for scope in self.deliveries.paused():
                if not scope.startswith("limit:"):  # those end by themselves
                    self.stopped.discard(scope)
                    self.deliveries.resume(scope)
            instants = self.instants()
            if not instants:
                return
            self.wait((min(instants) - self.clock.ms) / 1000)
        raise Violation(f"seed {self.seed}: no end: {[str(d.status) for d in self.deliveries.several(self.plans)]}")

    def check(self):
        copies = self.copies()
        found = list(self.deliveries.several(self.plans))
        for delivery in found:
            plan, there = self.plans[delivery.id], copies[delivery.id]
            words = f"{delivery.id} of class {plan.kind} is {delivery.status} and there {there} times"
            self.must(delivery.status in lifecycle.FINAL, f"{words}, and nothing will happen to it")
            if delivery.status is Status.PARKED:
                self.must(plan.doubtful or plan.disturbed, f"{words}, and was parked without a doubt")
            else:
                self.must(there == (delivery.status is Status.PUBLISHED), words)
        self.check_lists(found)

    def check_lists(self, found):
        """What has a status is in that status' list, and in no other."""
        with self.store.client.pipeline(transaction=False) as pipe:
            for delivery in found:
                for status in Status:
                    pipe.zscore(keys.status(keys.shard(delivery.id), delivery.workspace, status), delivery.id)
            scores = iter(pipe.execute())
        for delivery in found:
            lists = [s for s, score in zip(Status, scores, strict=False) if score is not None]
            self.must(lists == [delivery.status], f"{delivery.id} is {delivery.status} and listed as {lists}")
