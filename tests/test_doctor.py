"""A fresh clone with everything wrong: each thing is one line, and each line says what to do."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet

from publishers.core.post import Post
from tests.ports import free_port
from worker import doctor, embedded
from worker.content import cards
from worker.doctor import examine
from worker.model import Account, Delivery, Status, Step, StepKind, delivery_id, step_key
from worker.runtime import open_runtime
from worker.settings import Settings


@contextlib.contextmanager
def careless(folder):
    """A server as its package brings it: nothing on disk for a second, and free to evict."""
    socket = folder / "s"
    argv = [embedded.binary(), "--port", "0", "--unixsocket", socket, "--dir", folder, "--maxmemory", "100mb"]
    argv += ["--maxmemory-policy", "allkeys-lru", "--appendonly", "no", "--save", ""]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 10
        while not socket.exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        yield f"unix://{socket}?db=0"
    finally:
        process.terminate()
        process.wait()


def config(folder, **told):
    return Settings(data_dir=folder, _env_file=None, **told)


def wrong(settings):
    found = examine(settings)
    for one in found:
        assert one.found
        assert "\n" not in one.found + one.do
        assert one.do or one.ok, one
    return [f for f in found if not f.ok]


def test_everything_that_is_wrong_is_a_line_of_its_own_with_what_to_do(tmp_path, monkeypatch):
    with careless(tmp_path) as url:
        parts = open_runtime(config(tmp_path / "data", trial=True), url)
        ended = (datetime.now(UTC) - timedelta(days=1)).isoformat()
        parts.records.save_account(
            Account(id="main.t", platform="linkedin", name="T", settings={"expires_at": ended}), {"access_token": "x"}
        )
        name = delivery_id("main.a", "main.t", 0)
        step = Step(kind=StepKind.POST, ordinal=0, key=step_key(name, StepKind.POST, 0, 1), post=Post(text="x"))
        due = datetime.now(UTC) - timedelta(minutes=7)
        parts.deliveries.create(
            Delivery(
                id=name, article="main.a", account="main.t", platform="linkedin", status=Status.SCHEDULED, due=due, steps=(step,),
            ),
            note="",
        )  # fmt: skip
        parts.close()
        (tmp_path / "data" / "secret.key").chmod(0o644)
        monkeypatch.setattr(cards, "missing", lambda: "the font Inter-Medium.ttf is missing")
        monkeypatch.setattr(doctor, "utc_now", lambda: datetime.now(UTC) + timedelta(seconds=90))

        found = wrong(config(tmp_path / "data", redis_url=url))

    said = {(f.check, f.found): f.do for f in found}
    lines = " | ".join(f"{f.check}: {f.found} → {f.do}" for f in found)
    for words in (
        "the font Inter-Medium.ttf is missing → Reinstall",
        "it keeps nothing on disk → CONFIG SET appendonly yes",
        "it may evict what it holds → CONFIG SET maxmemory-policy noeviction",
        "this machine is 90 s ahead of Redis",
        "nothing consumes → Run: handbill up",
        "the oldest due post is 4",
        "can be read by others → chmod 600",
        "handbill accounts add linkedin",
    ):
        assert words in lines, lines
    assert len(said) == len(found)


@pytest.mark.parametrize(
    ("told", "check", "words", "do"),
    [
        ({"redis_url": "redis://127.0.0.1:1/0"}, "redis", "does not answer", "Start it"),
        ({"redis_url": "redis://10.0.0.1:6379/0"}, "redis", "may be open to anyone", "Give it one"),
        ({"redis_url": "http://127.0.0.1/"}, "redis", "no Redis address", "Give redis://:password@host:6379/0"),
        ({}, "redis", "the embedded Valkey is not running", "handbill up"),
        ({"secret_key": "short"}, "key", "is not a Fernet key", "leave it empty"),
        ({"secret_key": "A" * 43 + "="}, "key", "is not a Fernet key", "leave it empty"),
    ],
)
def test_what_stops_everything_is_the_last_line(tmp_path, told, check, words, do):
    [*_, last] = wrong(config(tmp_path / "data", **told))
    assert last.check == check
    assert words in last.found
    assert do in last.do
    assert ".." not in last.found
    assert not (tmp_path / "data").exists(), "looking changes nothing"


def test_a_key_that_is_one_is_no_finding(tmp_path):
    key = Fernet.generate_key().decode()
    assert "key" not in {f.check for f in wrong(config(tmp_path / "data", secret_key=key))}
    assert key not in json.dumps([f.found for f in examine(config(tmp_path / "data", secret_key=key))])


@pytest.mark.parametrize("sign", ["/", "#", "?", "@["])
def test_a_password_that_was_not_escaped_is_not_told(tmp_path, sign):
    url = f"redis://:canary{sign}7f3a@127.0.0.1:1/0"
    told = config(tmp_path / "data", redis_url=url)
    said = " ".join(f.found + f.do for f in examine(told))
    assert "canary" not in said
    assert "7f3a" not in said
    if sign != "/":
        return
    done = subprocess.run(
        [sys.executable, "-m", "worker", "accounts", "list"],
        env={**os.environ, "HANDBILL_REDIS_URL": url, "HANDBILL_DATA_DIR": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "canary" not in done.stdout + done.stderr
    assert "7f3a" not in done.stdout + done.stderr


@pytest.mark.redis
@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_is_away_is_named_and_one_that_answers_too(scheme, tmp_path):
    port = free_port()
    with embedded.Embedded.start(tmp_path / "data") as server:
        given = {"redis_url": server.url, "broker_url": f"{scheme}://handbill:the-password@127.0.0.1:{port}//"}
        found = {f.check: f for f in examine(config(tmp_path / "data", **given))}["broker"]
        assert not found.ok
        assert found.found.startswith("the one at 127.0.0.1 does not answer: ")
        assert "the-password" not in found.found + found.do
        assert found.do == "Start it, or correct HANDBILL_BROKER_URL; what is due waits in Redis"
        given["broker_url"] = "amqp://guest:guest@rabbit.example//"
        [found] = [f for f in examine(config(tmp_path / "data", **given)) if f.check == "broker"]
        assert "is open to anyone" in found.found
        given["broker_url"] = server.broker_url
        assert {f.check: f.ok for f in examine(config(tmp_path / "data", **given))}["broker"]
