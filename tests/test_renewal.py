"""A token is renewed once, ahead of its end, by however many workers; a lost answer costs nothing that is not lost."""

from __future__ import annotations

import dataclasses
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest

import publishers
from publishers.core.errors import RateLimited, Rejected, Unauthorized, Unavailable, Unconfirmed
from publishers.core.limits import Limits
from publishers.core.oauth import OAuth, Renewal, instant
from publishers.core.publisher import Profile, Proof, ProofClass, Publisher, Setting
from tests.simulator import seamed_store
from worker import log as logs
from worker.model import Account
from worker.pipeline.accounts import Accounts, Renewed
from worker.pipeline.renewal import Renewals
from worker.settings import Settings
from worker.store import Deliveries, Records, keys
from worker.store.secrets import Vault

KEY = "7Hn2y1Zq3mZ3p6Yp0bq2kqXx0W1m8dKQ3o0v8m0m0mE="
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
CANARY = "canary-of-a-renewal-token"


class Platform:
    """The other side: one refresh token is good at a time, and works once."""

    def __init__(self):
        self.good, self.number, self.asked = "refresh-0", 0, 0
        self.lose: list[str] = []
        self.answers: list[object] = []

    def refresh(self, token):
        self.asked += 1
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        lost = self.lose.pop(0) if self.lose else ""
        if lost == "before":
            raise Unavailable("no answer")
        if token != self.good:
            raise Unauthorized("invalid_grant", words='{"error": "invalid_grant"}')
        self.number += 1
        self.good = f"refresh-{self.number}"
        if lost == "after":
            raise Unavailable("no answer")
        return {
            "access_token": f"access-{self.number}",
            "refresh_token": self.good,
            "expires_at": instant(NOW + timedelta(hours=2)),
        }


class Ticketed(Publisher):
    label: ClassVar = "Ticketed"
    limits: ClassVar = Limits(text=500)
    fields: ClassVar = (
        Setting(name="access_token", label="Token", secret=True),
        Setting(name="refresh_token", label="Refresh token", secret=True, required=False),
    )
    oauth: ClassVar = OAuth(authorize="https://t.example/a", endpoint="https://t.example/t", scopes=("post",))
    renewal: ClassVar = Renewal(ahead=timedelta(minutes=20))
    proof: ClassVar = Proof(kind=ProofClass.A)
    platform: ClassVar = Platform()

    def connect(self):
        return Profile(name="x")

    def create(self, post, commit):
        raise Unauthorized("expired")

    def refresh(self):
        return self.platform.refresh(self.settings.get("refresh_token"))


class House:
    """One account, its store and everything that looks after its token; the clock is ``now``."""

    def __init__(self, store, folder):
        self.records = Records(store, Vault(KEY))
        self.deliveries = Deliveries(store)
        self.now = NOW
        self.accounts = Accounts(self.records, Settings(data_dir=folder), now=lambda: self.now)
        self.renewals = Renewals(self.records, self.deliveries, self.accounts, now=lambda: self.now)
        self.platform = Ticketed.platform
        self.store = store

    def account(self, **settings):
        account = Account(id="main.x", platform="x", name="x", settings=settings)
        self.records.save_account(account, {"access_token": "access-0", "refresh_token": "refresh-0"})
        return account

    @property
    def secrets(self):
        return self.records.secrets(self.records.account("main.x"))

    def refused(self):
        """What an attempt has in hand when its token is refused."""
        account, publisher = self.accounts.open("main.x")
        return account, publisher.settings

    def plan(self, name, at):
        assert self.records.reserve(self.records.account("main.x"), name, at, gap=0)

    def paused(self):
        return self.deliveries.paused().get("connect:main.x", (None, ""))[1]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with seamed_store(tmp_path_factory.mktemp("renewal")) as opened:
        yield opened


@pytest.fixture
def house(store, tmp_path, monkeypatch):
    monkeypatch.setattr(publishers, "load", lambda name: Ticketed)
    monkeypatch.setattr(Ticketed, "platform", Platform())
    monkeypatch.setattr(Ticketed, "renewal", Renewal(ahead=timedelta(minutes=20)))
    monkeypatch.setattr("worker.pipeline.accounts.KEEPING", (0.0, 0.0, 0.0))
    store.client.flushdb()
    found = House(store, tmp_path)
    found.account(expires_at=instant(NOW + timedelta(minutes=10)))
    return found


# When the answer is lost


def test_a_lost_answer_leaves_the_old_tokens_and_the_account_goes_on(house):
    house.platform.lose = ["before"]

    assert house.accounts.renew_ahead("main.x") is Renewed.LATER
    assert house.secrets == {"access_token": "access-0", "refresh_token": "refresh-0"}
    assert house.paused() == ""
    note = house.records.connections.renewal("main.x")
    assert not note.refused
    assert note.following == NOW + timedelta(seconds=30)


def test_a_renewal_that_was_not_heard_of_is_asked_for_again_and_then_works(house):
    house.platform.lose = ["before"]

    assert house.renewals.sweep() == 0
    assert house.renewals.sweep() == 0, "not before its time"
    assert house.platform.asked == 1
    house.now += timedelta(seconds=31)
    assert house.renewals.sweep() == 1
    assert house.secrets == {"access_token": "access-1", "refresh_token": "refresh-1"}


def test_a_lost_answer_that_had_rotated_the_token_needs_a_person_only_when_the_platform_says_so(house):
    house.platform.lose = ["after"]

    assert house.renewals.sweep() == 0
    assert house.renewals.standing(house.records.account("main.x")).renews, "nobody has said no yet"
    house.now += timedelta(seconds=31)
    assert house.renewals.sweep() == 0  # now the platform says that the old one is worth nothing
    standing = house.renewals.standing(house.records.account("main.x"))
    assert "invalid_grant" in standing.refused
    assert standing.ends == NOW + timedelta(minutes=10)
    assert house.paused() == "", "the access token is good for some minutes, and posts go out with it"
    house.now = NOW + timedelta(minutes=11)
    assert house.renewals.sweep() == 0
    assert "must be connected again" in house.paused()
    assert "invalid_grant" in house.paused()


def test_pauses_between_tries_grow_and_end_at_six_hours(house):
    waits = []
    for _ in range(14):
        house.platform.lose = ["before"]
        assert house.accounts.renew_ahead("main.x") is Renewed.LATER
        waits.append(house.records.connections.renewal("main.x").following - house.now)
    assert waits[:3] == [timedelta(seconds=30), timedelta(seconds=60), timedelta(seconds=120)]
    assert waits[-1] == timedelta(hours=6)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Unauthorized("revoked"), Renewed.REFUSED),
        (Unavailable("down"), Renewed.LATER),
        (RateLimited("slowly", retry_after=9), Renewed.LATER),
        (Rejected("a page of something in between", status=403), Renewed.LATER),
        (Unconfirmed("unreadable"), Renewed.LATER),
        (KeyError("access_token"), Renewed.LATER),
        ({}, Renewed.DONE),
    ],
)
def test_whatever_a_renewal_ends_in_no_token_is_emptied(house, answer, outcome):
    house.platform.answers = [answer]

    assert house.accounts.renew(*house.refused()) is outcome
    assert house.secrets == {"access_token": "access-0", "refresh_token": "refresh-0"}


def test_an_answer_without_a_renewal_token_leaves_the_one_there_is(house):
    house.platform.answers = [{"access_token": "access-1", "refresh_token": ""}]

    assert house.accounts.renew_ahead("main.x") is Renewed.DONE
    assert house.secrets == {"access_token": "access-1", "refresh_token": "refresh-0"}


# Many at once


def test_many_workers_with_the_old_token_cause_one_renewal_and_none_gives_up(house):
    attempts = [house.refused() for _ in range(16)]
    gate = threading.Barrier(16)

    def renew(attempt):
        gate.wait()
        return house.accounts.renew(*attempt)

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(renew, attempts)) == {Renewed.DONE}
    assert house.platform.asked == 1
    assert house.secrets["refresh_token"] == house.platform.good


def test_many_workers_that_sweep_at_once_cause_one_renewal(house):
    gate = threading.Barrier(8)

    def sweep(_):
        gate.wait()
        return house.renewals.sweep()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(sweep, range(8))) == 1
    assert house.platform.asked == 1
    assert house.secrets["refresh_token"] == house.platform.good


def test_a_sweep_that_saw_a_token_due_before_another_renewed_it_asks_for_no_second_one(house, monkeypatch):
    other, looked = house.renewals._due, []

    def due(account, last):
        saw = other(account, last)
        if not looked:
            looked.append(saw)
            assert house.renewals.sweep() == 1  # another is faster
        return saw

    monkeypatch.setattr(house.renewals, "_due", due)
    assert house.renewals.sweep() == 0
    assert (looked, house.platform.asked) == ([True], 1)


def test_a_request_that_was_refused_with_the_old_token_after_the_renewal_tries_the_new_one(house):
    slow = house.refused()

    assert house.accounts.renew(*house.refused()) is Renewed.DONE
    assert house.accounts.renew(*slow) is Renewed.DONE
    assert house.platform.asked == 1


def test_a_new_token_that_is_refused_too_is_a_matter_for_a_person(house):
    assert house.accounts.renew(*house.refused()) is Renewed.DONE
    assert house.accounts.renew(*house.refused()) is Renewed.REFUSED


# What others do meanwhile


def during(house, monkeypatch, act):
    """Let ``act`` happen while the platform answers."""
    real = house.platform.refresh

    def refresh(token):
        answer = real(token)
        act()
        return answer

    monkeypatch.setattr(house.platform, "refresh", refresh)


def test_what_a_person_changes_while_the_platform_answers_stays(house, monkeypatch):
    def move(known, _):
        return dataclasses.replace(known, zone="Europe/Vienna"), None

    during(house, monkeypatch, lambda: house.records.change_account("main.x", move))

    assert house.accounts.renew_ahead("main.x") is Renewed.DONE
    assert house.records.account("main.x").zone == "Europe/Vienna"
    assert house.secrets["refresh_token"] == "refresh-1"


def test_an_account_connected_anew_while_the_platform_answers_keeps_its_newer_tokens(house, monkeypatch):
    account = house.records.account("main.x")
    newer = {"access_token": "by-hand", "refresh_token": "by-hand-too"}
    during(house, monkeypatch, lambda: house.records.save_account(account, newer))

    assert house.accounts.renew_ahead("main.x") is Renewed.DONE
    assert house.secrets == newer


@pytest.mark.parametrize("other", ["secrets", "account"])
def test_a_change_is_made_of_what_is_stored_and_never_of_what_was_read_before(house, other):
    seen = []

    def change(known, secrets):
        seen.append((known.zone, dict(secrets)))
        if len(seen) == 1 and other == "secrets":
            house.records.save_account(known, {"access_token": "theirs"})
        if len(seen) == 1 and other == "account":
            house.records.save_account(dataclasses.replace(known, zone="Asia/Tokyo"))
        return dataclasses.replace(known, brand="ours"), {**secrets, "refresh_token": "ours"}

    house.records.change_account("main.x", change)

    assert len(seen) == 2
    kept = house.records.account("main.x")
    assert (kept.brand, kept.zone) == ("ours", "Asia/Tokyo" if other == "account" else "UTC")
    token = "theirs" if other == "secrets" else "access-0"
    assert house.secrets == {"access_token": token, "refresh_token": "ours"}


def test_a_check_that_takes_long_does_not_bring_an_old_token_back(house, monkeypatch):
    monkeypatch.setattr(Ticketed, "connect", lambda self: house.accounts.renew_ahead("main.x") and Profile(name="x"))

    house.accounts.check(house.records.account("main.x"))

    assert house.secrets["refresh_token"] == house.platform.good == "refresh-1"


def test_a_new_token_outlives_a_store_that_fails_for_a_moment(house, monkeypatch):
    failures = [ConnectionError("gone"), ConnectionError("gone")]
    real = house.records.change_account

    def failing(*args):
        if failures:
            raise failures.pop()
        return real(*args)

    monkeypatch.setattr(house.records, "change_account", failing)

    assert house.accounts.renew_ahead("main.x") is Renewed.DONE
    assert house.secrets["refresh_token"] == house.platform.good


def test_the_new_token_is_stored_before_anybody_may_use_it(house, monkeypatch):
    seen = []
    real = house.records.mark_renewed
    monkeypatch.setattr(
        house.records, "mark_renewed", lambda *a, **k: (seen.append(house.secrets["refresh_token"]), real(*a, **k))
    )

    house.accounts.renew_ahead("main.x")

    assert seen == ["refresh-1"]


# Ahead of time


def test_a_token_with_time_left_is_left_alone_and_one_near_its_end_renewed(house):
    house.account(expires_at=instant(NOW + timedelta(hours=1)))
    assert house.renewals.sweep() == 0
    house.now += timedelta(minutes=41)
    assert house.renewals.sweep() == 1
    assert house.records.account("main.x").settings["expires_at"] == instant(NOW + timedelta(hours=2))


def test_where_each_renewal_is_a_risk_it_is_asked_for_ahead_of_a_post_alone(house, monkeypatch):
    monkeypatch.setattr(Ticketed, "renewal", Renewal(ahead=timedelta(minutes=20), asked=True))

    assert house.renewals.sweep() == 0, "nothing is planned"
    house.plan("main.later", NOW + timedelta(hours=3))
    assert house.renewals.sweep() == 0, "what is planned is far away"
    house.plan("main.soon", NOW + timedelta(minutes=19))
    assert house.renewals.sweep() == 1


def test_a_token_that_rests_for_a_month_is_renewed_so_that_it_lives(house, monkeypatch):
    monkeypatch.setattr(Ticketed, "renewal", Renewal(ahead=timedelta(minutes=20), asked=True))
    house.accounts.renew_ahead("main.x")

    house.now += timedelta(days=29)
    assert house.renewals.sweep() == 0
    house.now += timedelta(days=2)
    assert house.renewals.sweep() == 1


def test_a_token_too_young_to_be_renewed_waits(house, monkeypatch):
    monkeypatch.setattr(Ticketed, "renewal", Renewal(ahead=timedelta(days=30), young=timedelta(hours=24)))
    house.accounts.renew_ahead("main.x")

    house.now += timedelta(hours=23)
    assert house.renewals.sweep() == 0
    house.now += timedelta(hours=2)
    assert house.renewals.sweep() == 1


def test_posts_that_outlive_a_token_that_nothing_renews_are_counted(house):
    account = house.records.account("main.x")
    house.records.save_account(account, {"access_token": "access-0"})
    house.plan("main.before", NOW + timedelta(minutes=5))
    house.plan("main.after", NOW + timedelta(hours=5))

    standing = house.renewals.standing(account)

    assert (standing.renews, standing.outlived) == (False, 1)
    said = "token ends in 10 minutes: connect it again; 1 planned post comes after that: main.after"
    assert standing.says(NOW) == said
    for number in range(4):
        house.plan(f"main.later-{number}", NOW + timedelta(hours=6 + number))
    words = "5 planned posts come after that: main.after, main.later-0, main.later-1 and 2 more"
    assert words in house.renewals.standing(account).says(NOW)
    assert house.renewals.sweep() == 0
    house.now += timedelta(minutes=10)
    house.renewals.sweep()
    assert house.paused() == "x must be connected again: its token ended on 25 November 2026, 12:10 UTC"


def test_a_token_without_an_end_says_nothing(house):
    assert house.renewals.standing(house.account()).says(NOW) == ""


# Secrets


def test_no_renewal_puts_a_secret_into_the_store_or_the_log(house, capsys):
    house.records.save_account(
        house.records.account("main.x"), {"access_token": f"{CANARY}-a", "refresh_token": f"{CANARY}-r"}
    )
    logs.configure("debug")
    house.platform.good = f"{CANARY}-r"
    try:
        for answer in (
            Unauthorized(f"refused {CANARY}-r", words=json.dumps({"error": "invalid_grant"})),
            Unavailable("down"),
            {"access_token": f"{CANARY}-new", "refresh_token": f"{CANARY}-next"},
        ):
            house.platform.answers = [answer]
            house.accounts.renew_ahead("main.x")
    finally:
        logs.configure("error")
    client = house.store.client
    stored = b"".join(
        str(client.hgetall(k)).encode() if client.type(k) == b"hash" else (client.dump(k) or b"")
        for k in client.scan_iter(f"{keys.PREFIX}:*")
    )
    assert CANARY.encode() not in stored
    said = capsys.readouterr()
    assert "token renewed" in said.err
    assert CANARY not in said.err + said.out
