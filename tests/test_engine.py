"""The publishing engine against a real server: each answer of a platform leads where the lifecycle says."""

from __future__ import annotations

import dataclasses
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpcore
import httpx
import pytest
import redis

from publishers.core.errors import RateLimited, Rejected, Unauthorized, Unavailable, Unconfirmed
from publishers.core.guard import Deadline, _Stream
from publishers.core.http import Http
from publishers.core.limits import Limits
from publishers.core.post import Commit, Post, Receipt, Seen
from publishers.core.publisher import Budget, Profile, Proof, ProofClass, Publisher
from worker import decisions, lifecycle, tasks
from worker.app import nudge
from worker.errors import Refused
from worker.model import Account, Delivery, Status, Step, StepKind, delivery_id, step_key
from worker.pipeline.accounts import Renewed
from worker.pipeline.publish import Engine
from worker.pipeline.witness import witness
from worker.settings import Settings
from worker.store import Deliveries, Records, keys, open_store
from worker.store.deliveries import End, Turn
from worker.store.secrets import Vault

KEY = "7Hn2y1Zq3mZ3p6Yp0bq2kqXx0W1m8dKQ3o0v8m0m0mE="


class World:
    """One platform: what it holds, what it answers next, and everything it was sent."""

    def __init__(self):
        self.posts: dict[str, str] = {}
        self.script: list[object] = []
        self.sent: list[Commit] = []
        self.looks: list[object] = []
        self.idempotent = True
        self.clock: datetime | None = None
        """What the platform says that it is."""
        self.sees = False
        """Whether even an adapter of class C has a look-up, which proves nothing unless it finds something."""

    def locate(self, address: str) -> Receipt:
        """``https://example.org/`` and an id is an address here."""
        if address.startswith("down"):
            raise Unavailable("no connection")
        if not address.startswith("https://example.org/"):
            raise Rejected("it shows no message's id")
        return Receipt(id=address.removeprefix("https://example.org/"), url=address)

    def commit(self, post: Post, commit: Commit) -> Receipt:
        self.sent.append(commit)
        answer = self.script.pop(0) if self.script else "ok"
        if isinstance(answer, Exception) and not isinstance(answer, Unconfirmed):
            raise answer
        name = commit.key if self.idempotent else f"{commit.key}-{len(self.posts)}"
        if answer != "lost before":
            self.posts[name] = post.text
        if isinstance(answer, Exception):
            raise answer
        if answer == "lost before":
            raise Unconfirmed("no answer")
        return Receipt(id=name, url=f"https://example.org/{name[:6]}")


def adapter(world: World, proof: Proof) -> Publisher:
    class Fake(Publisher):
        label = "Fake"
        limits = Limits(text=500)
        fields = ()

        def connect(self):
            return Profile(name="fake")

        def create(self, post, commit):
            return world.commit(post, commit)

        def locate(self, address):
            return world.locate(address)

        def read_back(self, receipt, post):
            text = world.posts.get(receipt.id)
            return None if text is None else Seen(text=text, same=text == post.text)

        def find(self, post, commit):
            answer = world.looks.pop(0) if world.looks else "look"
            if isinstance(answer, Exception):
                raise answer
            self.http.told = world.clock
            return tuple(Receipt(id=k) for k in world.posts if k.startswith(commit.key))

    Fake.proof = proof
    if proof.kind is ProofClass.C and not world.sees:
        del Fake.find
    return Fake({}, Http(transport=httpx.MockTransport(lambda _: httpx.Response(500))))


class FakeAccounts:
    def __init__(self, world, records):
        self.world, self.records = world, records
        self.renewals: list[Renewed] = []

    def open(self, name):
        account = self.records.account(name)
        return account, adapter(self.world, account.proof)

    def renew(self, account, used):
        return self.renewals.pop(0) if self.renewals else Renewed.REFUSED


class House:
    """An engine, one account and one way to plan a post on it."""

    def __init__(self, store, settings, kind=ProofClass.A, window=None):
        self.world = World()
        self.woken: list[str] = []
        self.store = store
        self.deliveries = Deliveries(store)
        self.records = Records(store, Vault(KEY))
        self.account = Account(
            id="main.fake", platform="fake", name="Fake", proof=Proof(kind=kind, window=window, then=ProofClass.B)
        )
        self.records.save_account(self.account)
        self.accounts = FakeAccounts(self.world, self.records)
        self.clock = datetime.now(UTC)
        self.settings = settings
        self.engine = self.new_engine()

    def new_engine(self):
        return Engine(
            self.deliveries, self.records, self.accounts, self.settings,
            wake=self.woken.extend, depth=lambda: 0, now=lambda: self.clock, rng=random.Random(1),
        )  # fmt: skip

    def plan(self, text="Hello", due=None, steps=1, article="main.article"):
        identity = delivery_id(f"{article}{text}", self.account.id, 0)
        made = tuple(
            Step(
                kind=StepKind.POST if n == 0 else StepKind.REPLY,
                ordinal=n,
                key=step_key(identity, StepKind.POST, n, 1),
                post=Post(text=f"{text} {n}"),
            )
            for n in range(steps)
        )
        delivery = Delivery(
            id=identity, article=article, account=self.account.id, platform="fake", status=Status.SCHEDULED,
            due=due or datetime.now(UTC) - timedelta(seconds=1), steps=made,
        )  # fmt: skip
        assert self.deliveries.create(delivery, note="planned")
        return identity

    def status(self, delivery):
        return self.deliveries.get(delivery).status

    def pass_by(self, span):
        """Let so much time be over by the server's clock; the workers' own may say anything."""
        self.deliveries = Deliveries(self.store, clock=lambda: self.store.now_ms() + int(span.total_seconds() * 1000))
        self.engine = self.new_engine()

    def soon(self, delivery):
        """Make the next look due at once, as if its time had come."""
        self.store.client.zadd(f"handbill:{{{keys.shard(delivery)}}}:due", {delivery: 0})


@pytest.fixture
def house(server, tmp_path):
    store = open_store(server.url)
    store.client.flushall()
    store.check(trial=False)
    settings = Settings(data_dir=tmp_path, request_seconds=1, settle_seconds=0.05, attempts=3)
    yield House(store, settings)
    store.close()


def test_a_due_post_is_woken_published_once_and_leaves_a_receipt(house):
    delivery = house.plan()

    assert house.engine.tick() == 1
    assert house.woken == [delivery]
    assert house.engine.publish(delivery) == Status.PUBLISHED
    found = house.deliveries.get(delivery)
    assert found.receipt.id == found.steps[0].key
    assert house.world.posts == {found.steps[0].key: "Hello 0"}
    assert [e.status for e in house.deliveries.history(delivery)] == [Status.SCHEDULED, Status.PUBLISHED]


def test_a_second_and_a_third_wake_up_change_nothing(house):
    delivery = house.plan()
    house.engine.publish(delivery)

    assert [house.engine.publish(delivery) for _ in range(2)] == ["published", "published"]
    assert len(house.world.sent) == 1


def test_a_post_is_never_sent_before_its_time(house):
    delivery = house.plan(due=datetime.now(UTC) + timedelta(seconds=30))

    assert house.engine.tick() == 0
    assert house.engine.publish(delivery) == "early"
    assert house.world.sent == []


def test_a_post_that_is_too_late_is_held_and_sent_only_when_a_person_says_so(house):
    delivery = house.plan(due=datetime.now(UTC) - timedelta(hours=25))

    assert house.engine.publish(delivery) == "held"
    assert house.world.sent == []
    decisions.retry(house.deliveries, delivery)
    assert house.engine.publish(delivery) == Status.PUBLISHED


@pytest.mark.parametrize("kind", [ProofClass.A, ProofClass.A2])
def test_a_lost_answer_is_settled_by_the_same_commit_again(server, tmp_path, kind, house):
    house = House(house.store, house.settings, kind)
    delivery = house.plan()
    house.world.script = [Unconfirmed("no answer")]

    assert house.engine.publish(delivery) == Status.UNCONFIRMED
    house.soon(delivery)
    assert house.engine.publish(delivery) == Status.PUBLISHED
    assert len(house.world.posts) == 1
    assert len({dataclasses.astuple(c)[:2] for c in house.world.sent}) == 1


def test_class_b_looks_before_anything_is_sent_again(house):
    house = House(house.store, house.settings, ProofClass.B)
    house.world.idempotent = False
    delivery = house.plan()
    house.world.script = [Unconfirmed("no answer")]

    house.engine.publish(delivery)
    house.soon(delivery)
    assert house.engine.publish(delivery) == Status.PUBLISHED
    assert len(house.world.sent) == 1
    assert len(house.world.posts) == 1


def test_class_b_sends_again_only_after_three_looks_that_found_nothing(house):
    house = House(house.store, house.settings, ProofClass.B)
    house.world.idempotent = False
    delivery = house.plan()
    house.world.script = ["lost before"]

    seen = [house.engine.publish(delivery)]
    for _ in range(4):
        house.soon(delivery)
        seen.append(house.engine.publish(delivery))
    assert seen == ["unconfirmed", "unconfirmed", "unconfirmed", "scheduled", "published"]
    assert len(house.world.posts) == 1


@pytest.mark.parametrize(("minutes", "last"), [(-30, "scheduled"), (3, "scheduled"), (7, "parked")])
def test_a_look_up_proves_nothing_where_the_platform_s_clock_is_behind_ours(house, minutes, last):
    house = House(house.store, house.settings, ProofClass.B)
    delivery = house.plan()
    house.world.script = ["lost before"]
    house.world.clock = datetime.now(UTC) - timedelta(minutes=minutes)

    seen = [house.engine.publish(delivery)]
    while seen[-1] == "unconfirmed":
        house.soon(delivery)
        seen.append(house.engine.publish(delivery))
    assert seen[-1] == last
    assert len(house.world.sent) == 1
    if last == "parked":
        note = house.deliveries.history(delivery)[-1].note
        assert "Fake's clock is 7 minutes behind ours: that a look-up did not find it proves nothing" in note


def test_send_it_again_said_twice_is_done_once_however_the_first_ends(house):
    house = House(house.store, house.settings, ProofClass.C)
    delivery = house.plan()

    def lost():
        house.world.script = ["lost before"]
        house.engine.publish(delivery)
        house.soon(delivery)
        house.engine.publish(delivery)
        assert house.status(delivery) == "parked"
        return house.deliveries.get(delivery).fence

    first = lost()
    decisions.resolve(house.deliveries, delivery, there="", seen=first)
    second = lost()
    for seen in (first, None):  # a second press, and a command that cannot say what it saw
        with pytest.raises(Refused, match="was tried again since you looked") as refused:
            decisions.resolve(house.deliveries, delivery, there="", seen=seen)
        assert refused.value.do.endswith(f"resolve {delivery} --send-again --attempt {second}")
    assert (house.status(delivery), len(house.world.sent)) == ("parked", 2)
    decisions.resolve(house.deliveries, delivery, there="", seen=second)
    assert house.engine.publish(delivery) == "published"


@pytest.mark.parametrize("error", [Unavailable("down"), RateLimited("wait", retry_after=1), Unauthorized("no")])
def test_a_look_up_that_fails_never_means_send_again(house, error):
    house = House(house.store, house.settings, ProofClass.B)
    delivery = house.plan()
    house.world.script = [Unconfirmed("no answer")]
    house.world.looks = [error] * 20

    house.engine.publish(delivery)
    for _ in range(8):
        for scope in list(house.deliveries.paused()):
            house.deliveries.resume(scope)
        house.soon(delivery)
        house.engine.publish(delivery)
    assert house.status(delivery) == Status.PARKED
    assert len(house.world.sent) == 1


def test_class_c_is_parked_with_its_evidence_and_never_sent_again_by_itself(house):
    house = House(house.store, house.settings, ProofClass.C)
    delivery = house.plan()
    house.world.script = [Unconfirmed("no answer")]

    house.engine.publish(delivery)
    house.soon(delivery)
    assert house.engine.publish(delivery) == Status.PARKED
    assert len(house.world.sent) == 1
    assert "7 bytes of text, no answer" in house.deliveries.get(delivery).reason


@pytest.mark.parametrize(
    ("commit", "look", "status", "said"),
    [
        (
            "lost before",
            "look",
            Status.PARKED,
            "a look-up did not see it, which proves nothing here; nobody but a person",
        ),
        ("lost before", Unauthorized("403"), Status.PARKED, "a look-up failed (403); nobody but a person"),
        ("lost before", KeyError("id"), Status.PARKED, "a look-up failed (KeyError); nobody but a person"),
        (Unconfirmed("no answer"), "look", Status.PUBLISHED, ""),
    ],
)
def test_class_c_says_what_a_look_up_saw_and_believes_only_what_it_found(house, commit, look, status, said):
    house = House(house.store, house.settings, ProofClass.C)
    delivery = house.plan()
    house.world.sees, house.world.script, house.world.looks = True, [commit], [look]

    house.engine.publish(delivery)
    house.soon(delivery)
    assert house.engine.publish(delivery) == status
    assert said in house.deliveries.get(delivery).reason
    assert len(house.world.sent) == 1
    assert house.deliveries.paused() == {}


@pytest.mark.parametrize(("there", "status", "sends"), [("https://t.example/1", "published", 1), ("", "published", 2)])
def test_a_parked_post_is_settled_by_a_person(house, there, status, sends):
    house = House(house.store, house.settings, ProofClass.C)
    delivery = house.plan()
    house.world.script = ["lost before"]
    house.engine.publish(delivery)
    house.soon(delivery)
    house.engine.publish(delivery)

    decisions.resolve(house.deliveries, delivery, there=there)
    house.engine.publish(delivery)
    assert house.status(delivery) == status
    assert len(house.world.sent) == sends


def test_what_should_have_followed_a_post_that_a_person_found_is_said_to_be_unsent(house):
    house = House(house.store, house.settings, ProofClass.C)
    delivery = house.plan(steps=3)
    house.world.script = ["lost before"]
    house.engine.publish(delivery)
    house.soon(delivery)
    house.engine.publish(delivery)

    decisions.resolve(house.deliveries, delivery, there="https://t.example/1", by="Mira")
    found = house.deliveries.get(delivery)
    unsent = "what comes after it was not sent (2 more): nobody looked what is there"
    assert (found.status, found.reason) == (Status.PUBLISHED, unsent)
    assert house.deliveries.history(delivery)[-1].note == f"Mira looked and it is there: https://t.example/1; {unsent}"


@pytest.fixture
def cut(house):
    """A thread of four whose second part was public when its answer was lost, and nobody but a person can tell."""
    house = House(house.store, house.settings, ProofClass.C)
    house.cut = house.plan(steps=4)
    house.world.script = ["ok", Unconfirmed("no answer")]
    for _ in range(3):
        house.soon(house.cut)
        house.engine.publish(house.cut)
    assert house.status(house.cut) == Status.PARKED
    house.second = f"https://example.org/{house.world.sent[1].key}"
    return house


def test_a_thread_goes_on_below_the_part_whose_address_a_person_gives(cut):
    due = cut.deliveries.get(cut.cut).due
    decisions.resolve(cut.deliveries, cut.cut, there=cut.second, by="Mira", witness=witness(cut.accounts))
    found = cut.deliveries.get(cut.cut)
    assert (found.status, found.step, found.reason, found.due) == (Status.SCHEDULED, 2, "", due)
    assert cut.deliveries.history(cut.cut)[-1].note == (
        f"Mira looked and it is there: {cut.second}; what comes after it follows"
    )

    cut.engine.publish(cut.cut, lambda: True)
    assert cut.status(cut.cut) == Status.PUBLISHED
    first, second, third, fourth = cut.world.sent
    assert (third.reply_to.id, third.root.id) == (second.key, first.key)
    assert fourth.reply_to.id == third.key
    assert sorted(cut.world.posts.values()) == [f"Hello {n}" for n in range(4)]


def test_nothing_is_hung_on_a_message_that_says_something_else(cut):
    cut.world.posts[cut.world.sent[1].key] = "What somebody else said"

    decisions.resolve(cut.deliveries, cut.cut, there=cut.second, witness=witness(cut.accounts))
    found = cut.deliveries.get(cut.cut)
    unsent = "what comes after it was not sent (2 more): what is there says something else"
    assert (found.status, found.reason) == (Status.PUBLISHED, unsent)
    assert len(cut.world.sent) == 2


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ("https://example.org/nothing", "no message of this account on Fake: nothing is there"),
        ("https://elsewhere.example/1", "no message of this account on Fake: it shows no message's id"),
        ("down", "Fake cannot be asked what is there: no connection"),
    ],
)
def test_an_address_at_which_the_part_is_not_seen_settles_nothing(cut, there, said):
    with pytest.raises(Refused) as refused:
        decisions.resolve(cut.deliveries, cut.cut, there=there, witness=witness(cut.accounts))
    assert said in str(refused.value)
    assert cut.status(cut.cut) == Status.PARKED


def test_the_last_part_is_there_on_a_persons_word_even_if_nobody_can_look(cut):
    decisions.resolve(cut.deliveries, cut.cut, there=cut.second, witness=witness(cut.accounts))
    cut.world.script = ["ok", Unconfirmed("no answer")]
    cut.engine.publish(cut.cut, lambda: True)
    cut.soon(cut.cut)
    cut.engine.publish(cut.cut)
    assert cut.status(cut.cut) == Status.PARKED

    decisions.resolve(cut.deliveries, cut.cut, there="down", witness=witness(cut.accounts))
    found = cut.deliveries.get(cut.cut)
    assert (found.status, found.reason, found.steps[-1].receipt) == (Status.PUBLISHED, "", Receipt(id="down"))


@pytest.mark.parametrize(
    "error",
    [Unauthorized("401"), Rejected("422"), RateLimited("429", retry_after=0.1), Unavailable("connection refused")],
)
def test_an_answer_to_the_repeat_says_nothing_about_the_lost_first_send(house, error):
    delivery = house.plan()
    house.world.script = [Unconfirmed("no answer"), error]

    house.engine.publish(delivery)
    house.soon(delivery)
    assert house.engine.publish(delivery) == Status.UNCONFIRMED
    for scope in list(house.deliveries.paused()):
        house.deliveries.resume(scope)
    house.soon(delivery)
    assert house.engine.publish(delivery) == Status.PUBLISHED
    assert len(house.world.posts) == 1


def test_a_key_that_has_run_out_is_not_trusted_any_more(house):
    house = House(house.store, house.settings, ProofClass.A, window=timedelta(minutes=55))
    house.world.idempotent = False
    delivery = house.plan()
    house.world.script = [Unconfirmed("no answer")]
    house.engine.publish(delivery)

    house.pass_by(timedelta(minutes=56))
    house.soon(delivery)
    assert house.engine.publish(delivery) == Status.PUBLISHED
    assert len(house.world.sent) == 1


def test_a_worker_whose_own_clock_is_behind_trusts_no_key_that_has_run_out(house):
    house = House(house.store, house.settings, ProofClass.A, window=timedelta(minutes=55))
    house.world.idempotent = False
    delivery = house.plan()
    house.world.script = [Unconfirmed("no answer")]
    house.engine.publish(delivery)

    house.clock -= timedelta(minutes=30)
    house.pass_by(timedelta(minutes=70))
    house.soon(delivery)
    assert house.engine.publish(delivery) == Status.PUBLISHED
    assert len(house.world.sent) == 1


def test_a_worker_whose_own_clock_is_behind_lets_the_account_wait_as_long_as_asked(house):
    house.clock -= timedelta(hours=2)
    limited, other = house.plan("One"), house.plan("Two")
    house.world.script = [RateLimited("too many", retry_after=600)]

    house.engine.publish(limited)
    assert house.engine.publish(other) == "paused"


def test_a_shorter_wait_never_ends_a_longer_one(house):
    house.deliveries.pause("limit:main.fake", until=house.clock + timedelta(hours=1), why="asked to wait")
    house.deliveries.pause("limit:main.fake", until=house.clock + timedelta(seconds=1), why="own rate")
    ends, why = house.deliveries.paused()["limit:main.fake"]
    assert why == "asked to wait"
    assert ends is not None
    assert ends > house.clock + timedelta(minutes=59)

    house.deliveries.pause("limit:main.fake", until=house.clock + timedelta(hours=2), why="longer")
    assert house.deliveries.paused()["limit:main.fake"][1] == "longer"
    house.deliveries.pause("limit:main.fake", until=None, why="for good")
    house.deliveries.pause("limit:main.fake", until=house.clock + timedelta(hours=9), why="again")
    assert house.deliveries.paused()["limit:main.fake"] == (None, "for good")


def test_a_refusal_fails_with_the_platforms_own_words(house):
    delivery = house.plan()
    house.world.script = [Rejected("the platform answered 422", words="Text is too long")]

    assert house.engine.publish(delivery) == Status.FAILED
    assert house.deliveries.get(delivery).reason == "the platform answered 422: Text is too long"


def test_an_unreachable_platform_is_tried_again_and_fails_after_the_set_number(house):
    delivery = house.plan()
    house.world.script = [Unavailable("no connection")] * 9

    seen = []
    for _ in range(3):
        seen.append(house.engine.publish(delivery))
        house.soon(delivery)
    assert seen == ["scheduled", "scheduled", "failed"]


def test_a_rate_limit_waits_its_time_costs_no_attempt_and_holds_the_whole_account(house):
    delivery, other = house.plan(), house.plan("Other")
    house.world.script = [RateLimited("slow down", retry_after=60)]

    house.engine.publish(delivery)
    found = house.deliveries.get(delivery)
    assert (found.status, found.attempts) == (Status.SCHEDULED, 0)
    assert house.engine.publish(other) == "paused"
    assert house.deliveries.next_look(other) > datetime.now(UTC) + timedelta(seconds=50)


def test_a_refused_token_is_renewed_once_and_else_pauses_the_account(house):
    first = house.plan()
    house.accounts.renewals = [Renewed.DONE, Renewed.REFUSED]
    house.world.script = [Unauthorized("expired"), Unauthorized("expired")]

    assert house.engine.publish(first) == Status.SCHEDULED
    assert house.deliveries.paused() == {}
    house.soon(first)
    house.engine.publish(first)
    assert "connect:main.fake" in house.deliveries.paused()
    assert house.deliveries.get(first).attempts == 0


def test_what_the_platform_has_forgotten_is_prepared_anew(house):
    delivery = house.plan()
    house.world.script = [Unavailable("busy"), Unavailable("no such picture", stale=True)]

    house.engine.publish(delivery)
    assert house.deliveries.get(delivery).current.prepared == {}
    house.soon(delivery)
    assert house.engine.publish(delivery) == Status.SCHEDULED
    assert house.deliveries.get(delivery).current.prepared is None
    house.soon(delivery)
    assert house.engine.publish(delivery) == Status.PUBLISHED


def test_a_thread_is_sent_in_order_and_goes_on_where_it_was_cut_off(house):
    delivery = house.plan(steps=3)
    house.world.script = ["ok", Unavailable("no connection"), "ok", "ok"]

    for _ in range(4):
        house.engine.publish(delivery)
        house.soon(delivery)
    assert house.status(delivery) == Status.PUBLISHED
    assert list(house.world.posts.values()) == ["Hello 0", "Hello 1", "Hello 2"]
    assert [c.reply_to.id if c.reply_to else None for c in house.world.sent][-1] == list(house.world.posts)[1]


def test_a_worker_lost_before_the_commit_costs_nothing_but_an_attempt(house):
    delivery = house.plan()
    house.deliveries.begin(delivery, lease=0.01, stale=3600)
    time.sleep(0.03)
    house.engine.tick()

    assert house.status(delivery) == Status.SCHEDULED
    assert house.engine.publish(delivery) == Status.PUBLISHED


def test_a_worker_lost_during_the_commit_leaves_an_unknown_end(house):
    delivery = house.plan()
    turn = house.deliveries.begin(delivery, lease=2.5, stale=3600)
    step = dataclasses.replace(turn.delivery.steps[0], at=house.clock, prepared={})
    assert house.deliveries.intend(turn, (step,), seconds=0.5) == "ok"
    time.sleep(2.6)
    house.engine.tick()

    assert house.status(delivery) == Status.UNCONFIRMED


def test_who_has_lost_the_lease_may_neither_commit_nor_finish(house):
    delivery = house.plan()
    old = house.deliveries.begin(delivery, lease=0.01, stale=3600)
    time.sleep(0.03)
    house.engine.tick()
    new = house.deliveries.begin(delivery, lease=30, stale=3600)

    assert new.fence == old.fence + 1
    assert house.deliveries.intend(old, old.delivery.steps, seconds=0) == "lost"
    assert not house.deliveries.finish(old, End(Status.SCHEDULED, "late", wait=0))
    assert house.deliveries.intend(new, new.delivery.steps, seconds=0) == "ok"


def test_a_post_whose_worker_is_lost_every_time_fails_at_the_limit(house):
    delivery = house.plan()
    for _ in range(3):
        late = house.deliveries.begin(delivery, lease=0.01, stale=3600)
        time.sleep(0.02)
        house.engine.tick(0)
    found = house.deliveries.get(delivery)

    assert (found.status, found.attempts) == (Status.FAILED, 3)
    assert found.reason == "the worker was lost before it sent anything"
    assert house.deliveries.next_look(delivery) is None
    assert "too often" in house.deliveries.history(delivery)[-1].note
    assert not house.deliveries.finish(late, End(Status.SCHEDULED, "too late", wait=0))
    decisions.retry(house.deliveries, delivery)
    assert house.engine.publish(delivery) == Status.PUBLISHED


def test_a_doubt_whose_worker_is_lost_at_every_look_is_parked_at_the_limit(house):
    house.world.script = ["lost before"]
    delivery = house.plan()
    assert house.engine.publish(delivery) == Status.UNCONFIRMED
    looks = 0
    while house.status(delivery) is Status.UNCONFIRMED:
        house.soon(delivery)
        assert isinstance(house.deliveries.begin(delivery, lease=0.01, stale=3600), Turn)
        time.sleep(0.02)
        house.engine.tick(0)
        looks += 1

    assert looks == house.settings.attempts + lifecycle.REPEATS_MORE - 1
    assert house.status(delivery) is Status.PARKED
    assert house.deliveries.next_look(delivery) is None
    with pytest.raises(
        Refused, match=f"it is parked. Look .*: handbill delivery resolve {delivery} --there ADDRESS, or"
    ):
        decisions.retry(house.deliveries, delivery)


def test_a_lease_too_short_for_the_commit_is_no_lease(house):
    delivery = house.plan()
    turn = house.deliveries.begin(delivery, lease=1, stale=3600)

    assert house.deliveries.intend(turn, turn.delivery.steps, seconds=5) == "lost"


def test_a_cancel_that_was_acknowledged_wins(house):
    delivery = house.plan()
    house.engine.tick()
    decisions.cancel(house.deliveries, delivery)

    assert house.engine.publish(delivery) == "cancelled"
    assert house.world.sent == []


def test_a_cancel_after_the_attempt_began_is_refused_with_the_reason(house):
    delivery = house.plan()
    house.deliveries.begin(delivery, lease=30, stale=3600)

    with pytest.raises(Refused, match="it is preparing"):
        decisions.cancel(house.deliveries, delivery)


def test_connecting_again_does_not_lift_an_emergency_stop(house):
    delivery = house.plan()
    house.deliveries.pause("account:main.fake", until=None, why="stopped by hand")
    house.deliveries.pause("connect:main.fake", until=None, why="must be connected again")
    house.deliveries.resume("connect:main.fake")

    assert house.engine.publish(delivery) == "paused"


def test_nothing_begins_after_an_emergency_stop_and_late_posts_are_held_on_resume(house):
    first = house.plan(due=datetime.now(UTC) + timedelta(milliseconds=50))
    decisions.stop(house.deliveries, "all")
    time.sleep(0.1)

    assert house.engine.publish(first) == "paused"
    assert house.world.sent == []
    assert decisions.go_on(house.deliveries, "all") == 1
    assert house.status(first) == Status.HELD


def test_late_posts_are_held_before_anything_may_be_sent_again(house, monkeypatch):
    house.plan(due=datetime.now(UTC) + timedelta(milliseconds=50))
    decisions.stop(house.deliveries, "all")
    time.sleep(0.1)
    held = []
    change, resume = house.deliveries.change, house.deliveries.resume
    monkeypatch.setattr(house.deliveries, "change", lambda *a, **k: (change(*a, **k), held.append("held")))
    monkeypatch.setattr(house.deliveries, "resume", lambda scope: (held.append("resumed"), resume(scope)))

    decisions.go_on(house.deliveries, "all")
    assert held == ["held", "resumed"]


def test_a_stop_between_preparing_and_the_commit_is_obeyed(house):
    delivery = house.plan()
    turn = house.deliveries.begin(delivery, lease=30, stale=3600)
    house.deliveries.pause("account:main.fake", until=None, why="stopped")

    assert house.deliveries.intend(turn, turn.delivery.steps, seconds=1) == "paused"


def test_at_most_64_wake_ups_wait_however_many_posts_are_due(house):
    for number in range(200):
        house.plan(f"Post {number}")

    for _ in range(5):
        house.engine.tick()
    assert len(house.woken) <= 64
    assert house.deliveries.waiting() == len(house.woken)


def test_whoever_is_free_takes_up_what_was_woken_and_not_begun(house):
    """Its message may be lost with a worker, or lie behind others."""
    woken = house.plan("Woken")
    house.engine.tick()
    may = iter([True, False])
    house.engine.publish("main.gone", lambda: next(may))

    assert (house.woken, house.deliveries.waiting()) == ([woken], 0)
    assert [c.key for c in house.world.sent] == [house.deliveries.get(woken).current.key]
    assert house.engine.publish(woken) == Status.PUBLISHED, "the message that comes late changes nothing"
    assert len(house.world.sent) == 1


def test_no_more_posts_are_in_flight_than_there_are_places(house):
    house.settings = house.settings.model_copy(update={"publish_threads": 2})
    house.engine = house.new_engine()
    due = [house.plan(f"Post {number}") for number in range(8)]
    commit, lock, flying, most = house.world.commit, threading.Lock(), [], []

    def slow(post, given):
        with lock:
            flying.append(given.key)
            most.append(len(flying))
        time.sleep(0.02)
        with lock:
            flying.remove(given.key)
            return commit(post, given)

    house.world.commit = slow
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(house.engine.publish, due)) == {Status.PUBLISHED}
    assert max(most) == 2


def test_a_post_that_no_place_becomes_free_for_is_put_off_and_no_attempt_is_counted(house):
    house.settings = house.settings.model_copy(update={"publish_threads": 1, "spare_seconds": 3.0})
    house.engine = house.new_engine()
    first, second = house.plan("First"), house.plan("Second")
    begun, over, commit = threading.Event(), threading.Event(), house.world.commit

    def hanging(post, given):
        begun.set()
        over.wait(20)
        return commit(post, given)

    house.world.commit = hanging
    with ThreadPoolExecutor(1) as pool:
        flight = pool.submit(house.engine.publish, first)
        assert begun.wait(10)
        assert house.engine.publish(second) == Status.SCHEDULED
        over.set()
        assert flight.result() == Status.PUBLISHED
    found = house.deliveries.get(second)
    assert (found.attempts, found.reason) == (0, "all posts that may be in flight at once were")
    house.soon(second)
    assert house.engine.publish(second) == Status.PUBLISHED


def test_a_wake_up_that_got_lost_is_sent_again(house):
    delivery = house.plan()
    house.deliveries.claim(most=64, settle=1, wake=0.01, attempts=3)
    time.sleep(0.02)

    assert house.engine.tick() == 1
    assert house.woken == [delivery]


def test_planning_twice_changes_nothing(house):
    delivery = house.plan()
    house.engine.publish(delivery)
    found = house.deliveries.get(delivery)

    assert not house.deliveries.create(dataclasses.replace(found, status=Status.SCHEDULED), note="again")
    assert house.status(delivery) == Status.PUBLISHED


def test_a_platforms_rate_is_kept_over_all_workers_and_costs_no_attempt(house, monkeypatch):
    monkeypatch.setattr(Publisher, "budgets", (Budget(posts=2, seconds=60), Budget(posts=9, seconds=900, app=True)))
    posts = [house.plan(f"Post {n}") for n in range(4)]

    assert [house.engine.publish(p) for p in posts] == ["published", "published", "scheduled", "paused"]
    assert house.deliveries.get(posts[2]).attempts == 0
    assert house.deliveries.next_look(posts[2]) > datetime.now(UTC) + timedelta(seconds=55)


def test_no_window_ever_holds_more_than_its_budget(house):
    sent = []
    while len(sent) < 12:
        asked = house.store.now_ms()
        wait = house.records.spend(house.account, "app", (Budget(posts=3, seconds=0.2),))
        if wait == 0:
            sent.append((asked, house.store.now_ms()))
        time.sleep(wait)

    assert all(later[1] - earlier[0] >= 200 for earlier, later in zip(sent, sent[3:], strict=False))


def test_scripts_forgotten_by_a_restarted_server_are_loaded_again(house):
    house.plan("One")
    house.store.client.script_flush()

    assert house.engine.tick() == 1


def test_a_worker_that_wakes_up_late_cannot_undo_what_a_person_decided_meanwhile(house):
    delivery = house.plan()
    late = house.deliveries.begin(delivery, lease=0.01, stale=3600)
    time.sleep(0.03)
    house.engine.tick()
    house.deliveries.change(
        delivery, Status.AWAITING_APPROVAL, origins=(Status.SCHEDULED,), note="edited", steps=late.delivery.steps
    )

    assert not house.deliveries.finish(late, End(Status.SCHEDULED, "rate limited", wait=0))
    assert house.status(delivery) == Status.AWAITING_APPROVAL


def test_a_worker_that_wakes_up_late_cannot_put_back_the_old_text(house):
    delivery = house.plan()
    late = house.deliveries.begin(delivery, lease=0.01, stale=3600)
    time.sleep(0.03)
    house.engine.tick()
    old = late.delivery.steps

    assert not house.deliveries.keep(late, (dataclasses.replace(old[0], prepared={"media": ["7"]}),))
    assert house.deliveries.get(delivery).steps == old


def test_an_intent_whose_answer_was_lost_may_be_asked_for_again(house):
    delivery = house.plan()
    turn = house.deliveries.begin(delivery, lease=30, stale=3600)

    assert [house.deliveries.intend(turn, turn.delivery.steps, seconds=1) for _ in range(2)] == ["ok", "ok"]


def test_nothing_is_sent_once_the_right_to_send_it_has_run_out():
    """A process that was stopped between its intent and its request wakes up when the post is somebody else's."""
    now, sent = [0.0], []
    transport = httpx.MockTransport(lambda request: sent.append(request) or httpx.Response(200))
    http = Http(seconds=30, transport=transport, clock=lambda: now[0])
    http.expire(5)
    now[0] = 6

    with http, pytest.raises(Unavailable):
        http.send("POST", "https://example.org/posts", commit=True)
    assert sent == []


def test_a_connection_that_came_too_late_has_sent_nothing():
    now = [0.0]
    deadline = Deadline(5, lambda: now[0])
    stream = _Stream(httpcore.MockStream([]), deadline)
    now[0] = 6

    with pytest.raises(httpcore.ConnectTimeout):
        stream.write(b"POST / HTTP/1.1\r\n")


def test_a_worker_goes_on_with_what_is_due_without_a_message_for_as_long_as_it_may(house):
    due = [house.plan(f"Due {number}") for number in range(5)]
    later = house.plan("Later", due=datetime.now(UTC) + timedelta(minutes=5))
    may = iter([True, True, False])

    assert house.engine.publish(due[0], lambda: next(may)) == Status.PUBLISHED
    assert sorted(map(house.status, due)) == ["published"] * 3 + ["scheduled"] * 2
    assert house.engine.publish("main.gone", lambda: True) == "gone"
    assert {house.status(d) for d in due} == {Status.PUBLISHED}
    assert house.status(later) == Status.SCHEDULED


def test_what_came_of_a_post_is_stored_in_the_trip_that_takes_the_next_one(house, monkeypatch):
    trips, pipe = [], type(house.store)._pipe

    def counted(store, calls, *commands):
        trips.append([script for script, *_ in calls])
        return pipe(store, calls, *commands)

    first, _ = house.plan("First"), house.plan("Second")
    may = iter([True, False])
    monkeypatch.setattr(type(house.store), "_pipe", counted)
    house.engine.publish(first, lambda: next(may))

    assert [t for t in trips if t != ["take"]] == [["begin"], ["intent"], ["finish", "take"], ["intent"], ["finish"]]


def test_a_receipt_is_stored_and_nobody_is_stuck_though_the_answer_of_that_trip_is_lost(house, monkeypatch):
    """The first of the two that were taken comes back when its lease ends."""
    pipe, lost = type(house.store)._pipe, ["once"]

    def losing(store, calls, *commands):
        answer = pipe(store, calls, *commands)
        if len(calls) == 2 and calls[0][0] == "finish" and lost:
            lost.pop()
            raise redis.ConnectionError("the answer was lost")
        return answer

    due = [house.plan(f"Due {number}") for number in range(12)]  # some in every shard
    monkeypatch.setattr(type(house.store), "_pipe", losing)
    monkeypatch.setattr(house.store, "sleep", lambda _: None)
    house.engine.publish(due[0], lambda: True)

    assert lost == []
    assert house.status(due[0]) == Status.PUBLISHED
    assert sorted(map(house.status, due)) == ["preparing"] + ["published"] * 11
    assert len(house.world.sent) == 11


def test_what_is_stopped_does_not_stand_in_the_way_of_what_is_due_after_it(house):
    other = Account(id="main.other", platform="fake", name="Other", proof=Proof(kind=ProofClass.A))
    house.records.save_account(other)
    for number in range(60):
        house.plan(f"Stopped {number}", due=datetime.now(UTC) - timedelta(hours=1))
    house.deliveries.pause("account:main.fake", until=None, why="stopped")
    house.account = other
    delivery = house.plan()

    while house.status(delivery) != Status.PUBLISHED:
        house.engine.publish("main.gone", lambda: True)
    assert house.status(delivery) == Status.PUBLISHED
    assert len(house.world.sent) == 1


def test_a_worker_whose_hands_are_full_wakes_nobody(house):
    house.plan()

    assert house.engine.tick(0) == 0
    assert house.engine.tick(1) == 1


def test_two_hundred_workers_at_once_each_reach_redis(house):
    """Left alone, redis-py 8 stops at 100 connections; the 101st worker would lose the receipt in its hand."""
    gate = threading.Barrier(200)

    def ask():
        gate.wait(timeout=30)
        with house.store.client.pipeline() as pipe:
            pipe.watch("any")
            gate.wait(timeout=30)
            pipe.reset()

    with ThreadPoolExecutor(200) as pool:
        list(pool.map(lambda _: ask(), range(200)))


def test_a_receipt_is_told_to_redis_until_it_is_back(server, tmp_path, monkeypatch):
    """Nobody else knows it: left untold, a post of class C would be parked although it is there."""
    store = open_store(server.url)
    store.client.flushall()
    house = House(store, Settings(data_dir=tmp_path, request_seconds=1), kind=ProofClass.C)
    delivery = house.plan()
    naps, away, pipe = [], iter([True] * 5), store._pipe

    def broken(calls, *commands):
        if calls[0][0] == "finish" and next(away, False):
            raise redis.ConnectionError("away")
        return pipe(calls, *commands)

    monkeypatch.setattr(store, "_pipe", broken)
    monkeypatch.setattr(store, "sleep", naps.append)

    assert house.engine.publish(delivery) == Status.PUBLISHED
    assert house.status(delivery) == Status.PUBLISHED
    assert (naps, len(house.world.sent)) == ([1.0] * 5, 1)
    store.close()


@pytest.mark.parametrize(("seconds", "pause"), [(0.1, 0.1), (0.0001, 0.005), (60, 0.25), (0, 0.25), (-5, 0.25)])
def test_a_worker_looks_again_when_the_next_post_is_due(seconds, pause):
    from worker import app  # noqa: PLC0415 - importing it makes the Celery application

    assert app.pause(seconds, 0.25) == pause


def test_a_tick_says_when_more_is_due(house):
    house.engine.tick()
    assert house.engine.following == float("inf")
    house.plan(due=datetime.now(UTC) + timedelta(seconds=30))
    house.engine.tick()
    assert 20 < house.engine.following <= 30


def test_whoever_stops_while_more_is_due_lets_the_next_tick_come_at_once(monkeypatch):
    """Else a free hand would wait for the tick that comes anyway, and with it a post that is due."""

    class Busy:
        def publish(self, delivery, more):
            nudge.clear()
            asked.append(more())

    asked = []
    monkeypatch.setattr(tasks, "engine", Busy)
    monkeypatch.setattr(tasks, "AT_A_STRETCH", (60, 60))
    tasks.look("main.x")
    assert (asked, nudge.is_set()) == ([True], False)

    monkeypatch.setattr(tasks, "AT_A_STRETCH", (0, 0))
    tasks.look("main.x")
    assert (asked, nudge.is_set()) == ([True, False], True)
