"""A worker that consumes nothing does not stay: it takes up its work again, or leaves to be started anew."""

from __future__ import annotations

import os
import signal
import threading
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from publishers.core.post import Post
from worker import app
from worker.embedded import Embedded
from worker.model import Account, Delivery, Status, Step, StepKind, delivery_id, step_key
from worker.runtime import open_runtime
from worker.settings import Settings
from worker.store import keys
from worker.up import supervisor

AWAY = 6.0
WORKERS = ("publish-1", "publish-2", "content")


class Left(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def loop(monkeypatch):
    """The loop of a worker whose canaries are counted, whose exit is an exception, and which ends after three rounds."""
    sent, waited = [], []
    rounds = SimpleNamespace(wait=lambda seconds: waited.append(seconds) or len(waited) > 3)

    def leave(code):
        raise Left(code)

    monkeypatch.setattr(app, "stopping", rounds)
    monkeypatch.setattr(app.app, "send_task", lambda name, **how: sent.append((name, how["queue"])))
    monkeypatch.setattr(app.os, "_exit", leave)
    return SimpleNamespace(sent=sent, run=lambda deaf: app.canary_loop("publish-1@here", deaf))


def test_a_worker_sends_itself_a_canary_every_few_seconds(loop):
    loop.run(lambda: False)

    assert loop.sent == [("handbill.canary", "publish-1@here.dq2")] * 3


def test_a_worker_that_has_gone_deaf_leaves_to_be_started_again(loop):
    with pytest.raises(Left, match=str(app.EXIT_DEAF)):
        loop.run(lambda: True)
    assert loop.sent == []


def test_a_broker_that_is_away_is_no_reason_to_leave(loop, monkeypatch):
    def away(*_, **__):
        raise ConnectionError

    monkeypatch.setattr(app.app, "send_task", away)
    loop.run(lambda: False)


@pytest.mark.parametrize(
    ("running", "silent", "deaf"),
    [
        (0, app.DEAF_AFTER + 1, True),
        (0, app.DEAF_AFTER - 1, False),
        (17, app.DEAF_AFTER + 1, True),
        (18, app.DEAF_AFTER + 1, False),  # all hands are full of slow platforms
    ],
)
def test_silence_means_deaf_only_while_a_hand_is_free(monkeypatch, running, silent, deaf):
    monkeypatch.setattr(app, "settings", lambda: Settings(publish_threads=16))
    monkeypatch.setattr(app.pulse, "running", running)
    monkeypatch.setattr(app.pulse, "last", time.monotonic() - silent)

    assert app._publishing_is_deaf() is deaf


def test_whoever_has_a_receipt_to_tell_a_server_that_is_away_is_not_deaf(monkeypatch):
    store = SimpleNamespace(sleep=None)
    parts = SimpleNamespace(store=store, engine=lambda **_: "an engine")
    monkeypatch.setattr(app, "settings", lambda: Settings(publish_threads=16))
    monkeypatch.setattr(app, "runtime", lambda: parts)
    monkeypatch.setattr(app.pulse, "last", time.monotonic() - app.DEAF_AFTER - 1)
    assert app.engine.__wrapped__() == "an engine"
    assert app._publishing_is_deaf()

    store.sleep(0)
    assert not app._publishing_is_deaf()


def post(parts):
    """A post that is due now."""
    name = delivery_id(f"main.{time.time_ns()}", "main.outbox", 0)
    step = Step(kind=StepKind.POST, ordinal=0, key=step_key(name, StepKind.POST, 0, 1), post=Post(text=name))
    delivery = Delivery(
        id=name, article="main.x", account="main.outbox", platform="outbox", status=Status.SCHEDULED,
        due=datetime.now(UTC), steps=(step,),
    )  # fmt: skip
    assert parts.deliveries.create(delivery, note="planned")
    return name


def until(true, seconds):
    """Wait for something; returns how long it took."""
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < seconds, "waited in vain"
        time.sleep(0.1)
    return time.monotonic() - begun


@pytest.mark.nightly
@pytest.mark.parametrize("who", ["the broker", "the state"])
def test_every_worker_consumes_again_within_half_a_minute(tmp_path, monkeypatch, who):
    """Two servers, as in production; one of them is killed and stays away for a while."""
    places = {name: tmp_path / name for name in ("the state", "the broker")}
    servers = {name: Embedded.start(place) for name, place in places.items()}
    given = {
        "DATA_DIR": tmp_path,
        "REDIS_URL": servers["the state"].url,
        "BROKER_URL": servers["the broker"].broker_url,
    }
    for name, value in {**given, "PUBLISH_WORKERS": 2, "REHEARSAL_URL": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(f"HANDBILL_{name}", str(value))
    config = Settings()
    parts = open_runtime(config, config.redis_url)
    parts.records.save_account(
        Account(id="main.outbox", platform="outbox", name="Outbox", settings={"folder": str(tmp_path / "outbox")}), {}
    )

    def heard(since):
        """Whether a canary of every worker has come home later than ``since``; each sign lasts half a minute."""
        signs = parts.store.client.zrange(keys.alive(), (since + app.DEAF_AFTER) * 1000, "+inf", byscore=True)
        return {worker.decode().partition("@")[0] for worker in signs} >= set(WORKERS)

    def published(name):
        return parts.deliveries.get(name).status is Status.PUBLISHED

    with (tmp_path / "log").open("w") as log:
        house = supervisor(config, web=False, log=log)
        running = threading.Thread(target=house.run)
        running.start()
        try:
            until(lambda: heard(0), 60)
            first = post(parts)
            until(lambda: published(first), 30)

            os.kill(int((servers[who].folder / "server.pid").read_text()), signal.SIGKILL)
            time.sleep(AWAY)
            servers[who].stop()  # one user fewer, of a server that is gone
            servers[who] = Embedded.start(places[who])
            back = time.time()
            second = post(parts)
            until(lambda: published(second) and heard(back), 30)
        finally:
            house.stop()
            running.join()
            parts.close()
            for server in servers.values():
                server.stop()
