"""New keys while real workers publish: nothing lost, nothing unreadable, and no secret in any file of any server or log."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import time

import pytest
from cryptography.fernet import InvalidToken

from bench.chaos import plan
from tests.chaos.test_scale import good, house, judged, platform, settings
from worker.embedded import Embedded
from worker.model import Account
from worker.store import sealed
from worker.store.secrets import Vault

POSTS, SPAN = 700, 100.0
CANARY = "canary-5b7e-rotation"


class Heard(io.StringIO):
    """What every process said, from any thread."""

    def __init__(self):
        super().__init__()
        self._lock = threading.Lock()

    def write(self, text):
        with self._lock:
            return super().write(text)


def command(*words):
    done = subprocess.run(
        [sys.executable, "-m", "worker", *words], capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def keys_in(folder):
    return (folder / "secret.key").read_text().strip().split(",")


@pytest.mark.nightly
@pytest.mark.redis
def test_keys_are_renewed_and_old_ones_forgotten_while_workers_publish(tmp_path, monkeypatch):
    log = Heard()
    with (
        Embedded.start(tmp_path / "state") as state,
        Embedded.start(tmp_path / "broker") as broker,
        platform() as url,
    ):
        config = settings(
            monkeypatch, tmp_path / "data", url, REDIS_URL=state.url, BROKER_URL=broker.broker_url, LOG="debug"
        )
        with house(config, log) as (parts, _):
            start = time.time() + 5
            trial = plan(parts, url, posts=POSTS, start=start, span=SPAN)
            accounts = parts.records.accounts("main")
            for number, account in enumerate(accounts):
                parts.records.save_account(account, {"access_token": f"{CANARY}-{number}"})
            first = keys_in(config.data_dir)
            stop, told = threading.Event(), {}
            renewing = threading.Thread(target=renew, args=(parts, accounts[:4], stop, told))
            renewing.start()
            rotated = []
            for share in (0.05, 0.15):
                time.sleep(max(0.0, start + SPAN * share - time.time()))
                rotated.append(json.loads(command("keys", "rotate", "--json")))
                if share < 0.1:
                    command("keys", "retire")
            command("keys", "retire")
            retired_at = time.time()
            time.sleep(max(0.0, start + SPAN - time.time()))
            stop.set()
            renewing.join()
            good(judged(parts, trial, url, retired_at))

            assert [r["unreadable"] for r in rotated] == [0, 0]
            assert all(r["renewed"] + r["already"] >= len(accounts) for r in rotated)
            [key] = keys_in(config.data_dir)
            assert key not in first
            everything = list(sealed.sealed(parts.store))
            assert len(everything) >= len(accounts)
            assert all(Vault(key).can_open(item) for _, _, item in everything)
            for _, _, item in everything:
                with pytest.raises(InvalidToken):
                    Vault(first[0]).open(item)
            for number, account in enumerate(accounts):
                secret = parts.records.secrets(account)["access_token"]
                assert secret == told.get(account.id, f"{CANARY}-{number}")
    assert "cannot be read" not in log.getvalue()
    assert log.getvalue().count("\n") > 10
    for path in [p for f in ("state", "broker", "data") for p in (tmp_path / f).rglob("*") if p.is_file()]:
        assert CANARY.encode() not in path.read_bytes(), path
    assert CANARY not in log.getvalue()
    aof = b"".join(p.read_bytes() for p in (tmp_path / "broker").rglob("*.aof"))
    assert b"handbill.look" in aof, "the broker's file was not looked at"


def renew(parts, accounts: list[Account], stop: threading.Event, told: dict[str, str]) -> None:
    """Tokens get new values meanwhile, as platforms want it; each is read back at once."""
    number = 0
    while not stop.is_set():
        for account in accounts:
            number += 1
            secret = f"{CANARY}-new-{number}"
            parts.records.save_account(account, {"access_token": secret})
            told[account.id] = secret
            assert parts.records.secrets(account) == {"access_token": secret}
        time.sleep(0.05)
