"""A token is renewed once, however many workers were refused with the old one, and nothing else changes with it."""

from __future__ import annotations

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import pytest

import publishers
from publishers.core.errors import Unauthorized, Unavailable
from publishers.core.limits import Limits
from publishers.core.publisher import Profile, Proof, ProofClass, Publisher, Setting
from tests.simulator import seamed_store
from worker.model import Account
from worker.pipeline.accounts import Accounts
from worker.settings import Settings
from worker.store import Records
from worker.store.secrets import Vault

KEY = "7Hn2y1Zq3mZ3p6Yp0bq2kqXx0W1m8dKQ3o0v8m0m0mE="


class Ticketed(Publisher):
    label: ClassVar = "Ticketed"
    limits: ClassVar = Limits(text=500)
    fields: ClassVar = (Setting(name="token", label="Token", secret=True),)
    proof: ClassVar = Proof(kind=ProofClass.A)
    answers: ClassVar[list[object]] = []

    def connect(self):
        return Profile(name="x")

    def create(self, post, commit):
        raise Unauthorized("expired")

    def refresh(self):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"token": answer}


@pytest.fixture
def accounts(tmp_path, monkeypatch):
    monkeypatch.setattr(publishers, "load", lambda name: Ticketed)
    monkeypatch.setattr(Ticketed, "answers", [])
    with seamed_store(tmp_path) as store:
        records = Records(store, Vault(KEY))
        records.save_account(Account(id="main.x", platform="x", name="x"), {"token": "old"})
        yield Accounts(records, Settings(data_dir=tmp_path))


def token(accounts):
    return accounts.open("main.x")[1].settings["token"]


def refused(accounts):
    """What an attempt has in hand when its token is refused."""
    account, publisher = accounts.open("main.x")
    return account, publisher.settings


def test_many_workers_with_the_old_token_cause_one_renewal_and_none_gives_up(accounts):
    Ticketed.answers[:] = ["new"]
    attempts = [refused(accounts) for _ in range(16)]
    gate = threading.Barrier(16)

    def renew(attempt):
        gate.wait()
        return accounts.renew(*attempt)

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(renew, attempts))
    assert token(accounts) == "new"


def test_a_request_that_was_refused_with_the_old_token_after_the_renewal_tries_the_new_one(accounts):
    Ticketed.answers[:] = ["new"]
    slow = refused(accounts)

    assert accounts.renew(*refused(accounts))
    assert accounts.renew(*slow)
    assert token(accounts) == "new"


def test_a_new_token_that_is_refused_too_is_a_matter_for_a_person(accounts):
    Ticketed.answers[:] = ["new"]

    assert accounts.renew(*refused(accounts))
    assert not accounts.renew(*refused(accounts))


@pytest.mark.parametrize(("answer", "hopeful"), [(Unauthorized("revoked"), False), (Unavailable("down"), True)])
def test_a_renewal_that_fails_leaves_the_old_token(accounts, answer, hopeful):
    Ticketed.answers[:] = [answer]

    assert accounts.renew(*refused(accounts)) is hopeful
    assert token(accounts) == "old"


def test_what_a_person_changed_meanwhile_stays(accounts):
    Ticketed.answers[:] = ["new"]
    attempt = refused(accounts)
    accounts._records.save_account(dataclasses.replace(attempt[0], zone="Europe/Vienna"))

    assert accounts.renew(*attempt)
    assert accounts.find("x", "main").zone == "Europe/Vienna"
