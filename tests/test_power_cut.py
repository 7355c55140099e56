"""What the server has written down when a commit begins: a machine that dies at that instant knows it may have sent."""

from __future__ import annotations

import random
import shutil
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from bench.platforms.blind import Blind
from publishers.core.http import Http
from publishers.core.post import Post, Receipt
from worker.embedded import Embedded
from worker.model import Account, Delivery, Status, Step, StepKind, delivery_id, step_key
from worker.pipeline.publish import Engine
from worker.settings import Settings
from worker.store import Deliveries, open_store

POSTS = 6


class Office:
    """Stands for the stored accounts, and keeps a copy of the disk from the moment each commit begins."""

    def __init__(self, folder, copies):
        self.folder, self.copies = folder, copies

    def spend(self, account, app, budgets):
        return 0.0

    def open(self, name):
        office = self

        class Camera(Blind):
            def create(self, post, commit):
                shutil.copytree(
                    office.folder, office.copies / post.text / "valkey", ignore=shutil.ignore_patterns("*.sock")
                )
                return Receipt(id=post.text)

        account = Account(id=name, platform="blind", name="Blind", proof=Blind.proof)
        return account, Camera({}, Http(transport=httpx.MockTransport(lambda _: httpx.Response(500))))


def plan(deliveries, number):
    name = delivery_id(f"main.{number}", "main.c", 0)
    step = Step(kind=StepKind.POST, ordinal=0, key=step_key(name, StepKind.POST, 0, 1), post=Post(text=name))
    due = datetime.now(UTC) - timedelta(seconds=1)
    delivery = Delivery(
        id=name, article=f"main.{number}", account="main.c", platform="blind", status=Status.SCHEDULED, due=due, steps=(step,)
    )  # fmt: skip
    assert deliveries.create(delivery, note="")
    return name


@pytest.mark.parametrize("fsync", ["always", "everysec"])
def test_the_intent_is_in_the_file_before_the_commit_begins(tmp_path, fsync):
    with Embedded.start(tmp_path / "first", fsync=fsync) as server:
        store = open_store(server.url)
        deliveries = Deliveries(store)
        office = Office(server.folder, tmp_path)
        engine = Engine(
            deliveries, office, office, Settings(data_dir=tmp_path),
            wake=lambda _: None, depth=lambda: 0, now=lambda: datetime.now(UTC), rng=random.Random(1),
        )  # fmt: skip
        names = [plan(deliveries, number) for number in range(POSTS if fsync == "always" else 2)]
        assert [engine.publish(name) for name in names] == ["published"] * len(names)
        store.close()

    for name in names:  # a server that finds nothing but the copy
        with Embedded.start(tmp_path / name, fsync=fsync) as server:
            store = open_store(server.url)
            assert Deliveries(store).get(name).status == Status.PUBLISHING
            store.close()


def test_a_server_that_does_not_confirm_the_disk_lets_nothing_be_sent(tmp_path, monkeypatch):
    with Embedded.start(tmp_path / "first") as server:
        store = open_store(server.url)
        deliveries = Deliveries(store)
        office = Office(server.folder, tmp_path)
        engine = Engine(
            deliveries, office, office, Settings(data_dir=tmp_path),
            wake=lambda _: None, depth=lambda: 0, now=lambda: datetime.now(UTC), rng=random.Random(1),
        )  # fmt: skip
        name = plan(deliveries, 1)
        run = store.run
        monkeypatch.setattr(store, "run_durably", lambda *args: (run(*args), False))

        assert engine.publish(name) == Status.SCHEDULED
        assert not (tmp_path / name).exists()
        store.close()
