"""What older versions of Handbill stored is read by this one: each fixture was written by that version's own code."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from worker.embedded import Embedded
from worker.model import Status
from worker.runtime import Runtime
from worker.settings import Settings
from worker.store import Deliveries, keys, open_store, upgrade
from worker.store.copying import Entry, write
from worker.store.redis import SCHEMA, Store
from worker.store.secrets import Vault

STORES = sorted((Path(__file__).parent / "fixtures" / "stores").glob("schema-*.jsonl"))
KEY = base64.urlsafe_b64encode(hashlib.sha256(b"a key for tests").digest()).decode()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Embedded.start(tmp_path_factory.mktemp("valkey")) as running:
        yield running


def load(url, path):
    store = open_store(url, trial=True)
    store.client.flushall()
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    write(
        store, [Entry(r["key"], r["type"], tuple(i.encode() for i in r["items"])) for r in rows], now_ms=store.now_ms()
    )
    return store


def look(store, folder):
    parts = Runtime(Settings(data_dir=folder, _env_file=None), store, Vault(KEY))
    found = {}
    for workspace in ("main", "brand-x"):
        deliveries = list(parts.deliveries.several(parts.deliveries.ids(workspace=workspace)))
        assert {d.status for d in deliveries} == {Status.PUBLISHED, Status.CANCELLED, Status.SCHEDULED}
        assert len(deliveries) == 4
        assert sum(parts.deliveries.count(workspace).values()) == 4
        account = parts.records.account(f"{workspace}.mastodon-ada")
        assert parts.records.secrets(account) == {"access_token": f"old-{workspace}"}
        days = [datetime(2026, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)]
        [(planned, ids)] = parts.deliveries.planned(workspace, days, most=9)
        assert planned == len(ids) == 3  # what was cancelled stands in no calendar
        [(of_account, _)] = parts.deliveries.planned(workspace, days, most=9, accounts=[account.id])
        assert of_account == 3
        arrived = parts.records.arrived(workspace, "all", most=9)
        assert len(arrived) == 4
        assert parts.records.shelves(workspace)["planned"] == 4
        for _, article in arrived:
            [delivery] = parts.records.deliveries_of(article)
            assert parts.deliveries.history(delivery)
            assert parts.records.article(article)[0].title.startswith("News")
        due = [d for d in deliveries if d.status is Status.SCHEDULED]
        assert all(parts.deliveries.next_look(d.id) == d.due for d in due)
        parts.deliveries.change(due[0].id, Status.CANCELLED, origins=[Status.SCHEDULED], note="seen")
        found[workspace] = sorted(d.id for d in deliveries)
    return found


@pytest.mark.parametrize("path", STORES, ids=lambda p: p.stem)
def test_a_store_of_an_older_version_is_brought_up_to_this_one(server, tmp_path, path):
    load(server.url, path).close()

    store = open_store(server.url)
    try:
        assert store.client.get(keys.schema()) == SCHEMA.encode()
        look(store, tmp_path)
    finally:
        store.close()


def killed_at(url, number):
    """Open the store in a process that is killed (by the kernel, -9) at its step of that number; whether it was."""
    child = os.fork()
    if child == 0:
        made, run = [], Store.run

        def dies(self, *told):
            made.append(told)
            if len(made) == number:
                if number % 2:
                    run(self, *told)  # killed after the step, or before it
                os.kill(os.getpid(), signal.SIGKILL)
            return run(self, *told)

        Store.run = dies
        try:
            open_store(url, trial=True).close()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.filterwarnings("ignore:.*fork")  # from 3.12 on: a child of a process with threads; it opens its own lines
@pytest.mark.parametrize("path", STORES, ids=lambda p: p.stem)
def test_an_upgrade_that_is_killed_at_any_step_is_finished_by_the_next_start(server, tmp_path, path, monkeypatch):
    monkeypatch.setattr(upgrade, "STEP", 2)
    for number in range(1, 60):
        load(server.url, path).close()
        if not killed_at(server.url, number):
            break
        store = open_store(server.url)
        look(store, tmp_path)
        assert not [k for k in store.client.scan_iter("handbill:*") if k.endswith((b":upgrade", b"}:articles"))]
        store.close()
    else:
        pytest.fail("it has no end")
    assert number > 4


def test_an_upgrade_that_is_killed_again_and_again_gets_to_its_end(server, tmp_path, monkeypatch):
    monkeypatch.setattr(upgrade, "STEP", 1)
    store = load(server.url, STORES[0])
    for _ in range(99):
        if store.client.get(keys.schema()) == SCHEMA.encode():
            break
        steps = []
        run = Store.run

        def dies(self, *told, steps=steps, run=run):
            steps.append(told)
            if len(steps) == 12:
                raise ConnectionError("killed")
            return run(self, *told)

        monkeypatch.setattr(Store, "run", dies)
        with contextlib.suppress(ConnectionError):
            open_store(server.url).close()
        monkeypatch.setattr(Store, "run", run)
    look(store, tmp_path)
    store.close()


def test_what_a_worker_of_the_version_before_plans_meanwhile_is_found_within_the_hour(server, tmp_path):
    store = load(server.url, STORES[-1])
    store.close()
    store = open_store(server.url)
    account = "main.mastodon-ada"
    due = [d.id for d in Deliveries(store).several(Deliveries(store).ids([Status.SCHEDULED], workspace="main"))]
    for shard in range(keys.SHARDS):
        store.client.zrem(f"{keys.root(shard)}planned:{account}", *due)  # as that version would have left it

    assert upgrade.catch_up(store) > 0

    days = [datetime(2026, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)]
    [(count, ids)] = Deliveries(store).planned("main", days, most=9, accounts=[account])
    assert count == 3
    assert set(due) <= set(ids)
    store.client.delete(keys.upgraded())
    assert upgrade.catch_up(store) == 0
    store.close()


@pytest.mark.nightly
@pytest.mark.redis
def test_nobody_waits_long_while_a_large_store_is_brought_up(server, tmp_path):
    """100,000 deliveries of schema 2, a tenth of them due at one instant; the server itself says what took long."""
    store = load(server.url, STORES[-1])
    accounts = [f"main.k{n}" for n in range(10)]
    with store.client.pipeline(transaction=False) as pipe:
        for shard in range(keys.SHARDS):
            pipe.sadd(f"{keys.root(shard)}workspaces", "main")
        for number in range(100_000):
            name = f"main.{number:020x}"
            root, due = keys.root(keys.shard(name)), 1_900_000_000_000 + max(0, number - 10_000) * 1000
            fields = {"status": "scheduled", "account": accounts[number % 10], "due": due, "workspace": "main"}
            pipe.hset(f"{root}delivery:{name}", mapping=fields)
            pipe.zadd(f"{root}planned:main", {name: due})
            pipe.zadd(f"{root}status:main:scheduled", {name: 1})
            if number % 5000 == 4999:
                pipe.execute()
    store.client.config_set("slowlog-log-slower-than", 100_000)
    store.client.slowlog_reset()
    store.client.set(keys.schema(), 2)

    open_store(server.url).close()

    assert store.client.get(keys.schema()) == SCHEMA.encode()
    assert [row["command"][:60] for row in store.client.slowlog_get(9)] == []
    count = sum(store.client.zcard(f"{keys.root(n)}planned:{a}") for n in range(keys.SHARDS) for a in accounts)
    assert count == 100_000
    store.close()


def test_every_schema_there_ever_was_has_a_fixture():
    assert [p.stem for p in STORES] == [f"schema-{n}" for n in range(1, int(SCHEMA))]
