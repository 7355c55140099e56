"""What older versions of Handbill stored is read by this one: each fixture was written by that version's own code."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from worker.embedded import Embedded
from worker.model import Status
from worker.runtime import Runtime
from worker.settings import Settings
from worker.store import keys, open_store
from worker.store.copying import Entry, write
from worker.store.redis import SCHEMA, Store
from worker.store.secrets import Vault

STORES = sorted((Path(__file__).parent / "fixtures" / "stores").glob("schema-*.jsonl"))
KEY = base64.urlsafe_b64encode(hashlib.sha256(b"a key for tests").digest()).decode()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Embedded.start(tmp_path_factory.mktemp("valkey"), fsync="everysec") as running:
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


@pytest.mark.parametrize("path", STORES, ids=lambda p: p.stem)
def test_an_upgrade_that_is_broken_off_anywhere_is_finished_by_the_next_start(server, tmp_path, path, monkeypatch):
    pipe = Store._pipe
    for most in range(1, 40):
        load(server.url, path).close()
        calls = []

        def dies(self, wanted, *commands, most=most, calls=calls):
            done = []
            for call in wanted:
                calls.append(call[0])
                if len(calls) > most:
                    raise ConnectionError("killed")
                done += pipe(self, [call])
            return done

        monkeypatch.setattr(Store, "_pipe", dies)
        try:
            open_store(server.url).close()
            broken = False
        except ConnectionError:
            broken = True
        monkeypatch.undo()
        store = open_store(server.url)
        look(store, tmp_path)
        store.close()
        if not broken:
            break
    assert not broken
    assert most > 4


def test_every_schema_there_ever_was_has_a_fixture():
    assert [p.stem for p in STORES] == [f"schema-{n}" for n in range(1, int(SCHEMA))]
