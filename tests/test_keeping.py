"""Nothing is lost between an archive and a store: export, import, backup, and new keys while others work."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.fernet import Fernet, InvalidToken
from typer.testing import CliRunner

from worker.cli import cli
from worker.commands import keep
from worker.embedded import Embedded
from worker.errors import HandbillError, Refused, StoreDown
from worker.keeping import rotation
from worker.keeping.archive import Reader, Writer
from worker.keeping.backup import backup, bring_back, export, name_at, thin, verify
from worker.model import Status
from worker.runtime import Runtime, open_runtime, vault_of
from worker.settings import Settings
from worker.store import Store, copying, keys, open_store, sealed
from worker.store.copying import Entry, Tally
from worker.store.secrets import Vault, key_of

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("papers", HERE / "everything.py")
papers = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(papers)
PASSPHRASE = "correct horse battery"


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """Two servers: one that is full, one that is empty."""
    folders = [tmp_path_factory.mktemp(name) for name in ("full", "empty")]
    with Embedded.start(folders[0]) as full, Embedded.start(folders[1], fsync="everysec") as other:
        yield full, other


def config(folder) -> Settings:
    return Settings(data_dir=folder, _env_file=None)


@pytest.fixture
def house(servers, tmp_path) -> Iterator[Runtime]:
    """A store with one of everything."""
    parts = open_runtime(config(tmp_path / "house"), servers[0].url)
    papers.fill(parts)
    yield parts
    parts.store.client.flushall()
    parts.close()


@pytest.fixture
def elsewhere(servers, tmp_path):
    """Settings and address of an empty installation with a key of its own."""
    yield config(tmp_path / "elsewhere"), servers[1].url
    store = open_store(servers[1].url, anew=True)
    store.client.flushall()
    store.close()


def told(path) -> str:
    with zipfile.ZipFile(path) as archive:
        return archive.read("records.jsonl").decode()


def contents(store) -> Tally:
    tally = Tally()
    for entry in copying.everything(store):
        tally.add(entry)
    return tally


# What travels


def test_an_archive_with_a_passphrase_brings_everything_to_another_installation_with_another_key(
    house, elsewhere, tmp_path
):
    path = tmp_path / "all.zip"
    manifest = export(house, path, passphrase=PASSPHRASE)
    settings, url = elsewhere

    restored = bring_back(settings, url, path, vault_of(settings), passphrase=PASSPHRASE)

    assert papers.CANARY not in told(path).replace(f"$argon2id${papers.CANARY}", "")
    assert manifest.counts["deliveries"] == 6
    assert manifest.counts["articles"] == 6
    assert (manifest.counts["accounts"], manifest.counts["sources"], manifest.counts["people"]) == (1, 1, 1)
    there = open_runtime(settings, url)
    try:
        assert there.settings.data_dir != house.settings.data_dir
        account = there.records.account("main.mastodon-ada")
        assert there.records.secrets(account) == {"access_token": f"{papers.CANARY}-account"}
        assert there.hooks.of("main.example").token == f"{papers.CANARY}-hook"
        assert there.hooks.find(f"{papers.CANARY}-hook").source == "main.example"
        assert there.people.factor("u-main") == {"secret": f"{papers.CANARY}-factor"}
        assert there.people.password("u-main") == house.people.password("u-main")
        assert there.people.sessions("u-main") == []
        for name in house.deliveries.ids():
            assert there.deliveries.history(name) == house.deliveries.history(name)
            ours, theirs = house.deliveries.get(name), there.deliveries.get(name)
            picture = Path(theirs.steps[0].post.media[0].path)
            assert picture.is_relative_to(settings.data_dir.resolve())
            assert theirs.steps[0].post.media[0].read() == ours.steps[0].post.media[0].read()
            assert theirs.status == ours.status
            assert theirs.receipt == ours.receipt
        assert there.deliveries.count() == house.deliveries.count()
        assert [e.what for e in there.audit.every("main")] == ["source added", "made"]
        assert restored.files == 1
    finally:
        there.close()


def test_what_is_imported_waits_until_somebody_lets_it_go_on_and_what_became_late_is_held(house, elsewhere, tmp_path):
    path = tmp_path / "all.zip"
    export(house, path)
    settings, url = elsewhere

    restored = bring_back(settings, url, path, vault_of(settings))

    there = open_runtime(settings, url)
    try:
        assert restored.waiting == 5
        (until, why) = there.deliveries.paused()["all"]
        assert until is None
        assert "what went out since is not known" in why
        due = next(d.id for d in there.deliveries.several(there.deliveries.ids([Status.SCHEDULED])))
        assert there.deliveries.begin(due, lease=9, stale=1e9) in {"paused", "early"}
    finally:
        there.close()


def test_an_import_that_dies_after_its_last_word_leaves_nothing_that_is_sent(house, elsewhere, tmp_path, monkeypatch):
    path = tmp_path / "all.zip"
    export(house, path)
    settings, url = elsewhere

    def dies(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "check", once(Store.check, dies))  # opened, read in, and never looked at again
    with pytest.raises(KeyboardInterrupt):
        bring_back(settings, url, path, vault_of(settings))
    monkeypatch.undo()

    there = open_runtime(settings, url)
    try:
        assert "what went out since is not known" in there.deliveries.paused()["all"][1]
        due = next(d.id for d in there.deliveries.several(there.deliveries.ids([Status.SCHEDULED])))
        assert there.deliveries.begin(due, lease=9, stale=1e9) in {"paused", "early"}
    finally:
        there.close()


def once(first, then):
    """``first`` the first time, ``then`` whenever it is called again."""
    calls = iter([first])

    def call(*args, **named):
        return next(calls, then)(*args, **named)

    return call


def test_without_a_passphrase_nothing_secret_travels_and_it_is_said(house, elsewhere, tmp_path):
    path = tmp_path / "open.zip"

    manifest = export(house, path)

    text = told(path)
    assert "gAAAAA" not in text
    assert papers.CANARY not in text
    assert manifest.left_out["secrets"] == papers.SECRETS
    assert manifest.left_out["proofs of who somebody is"] >= 3
    settings, url = elsewhere
    bring_back(settings, url, path, vault_of(settings))
    there = open_runtime(settings, url)
    try:
        assert there.records.secrets(there.records.account("main.mastodon-ada")) == {}
        assert len(there.deliveries.ids()) == 6
    finally:
        there.close()


@pytest.mark.parametrize("given", [False, True])
def test_the_hint_at_a_passphrase_is_for_who_gave_none(house, tmp_path, monkeypatch, given):
    monkeypatch.setattr(keep, "parts", lambda: contextlib.nullcontext(house))
    monkeypatch.setattr(keep, "settings", lambda: house.settings)
    words = tmp_path / "words.txt"
    words.write_text(PASSPHRASE)
    option = ["--passphrase-file", str(words)] if given else []
    done = CliRunner().invoke(cli, ["export", str(tmp_path / "all.zip"), *option], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    (left,) = (line for line in done.stderr.splitlines() if line.startswith("Left out: "))
    assert "proofs of who somebody is" in left
    assert ("--passphrase-file" in left) is not given


@pytest.mark.parametrize(
    ("given", "words"),
    [("", "under a passphrase"), ("another passphrase", "not the archive's")],
)
def test_a_wrong_passphrase_is_refused_before_anything_is_written(house, elsewhere, tmp_path, given, words):
    path = tmp_path / "all.zip"
    export(house, path, passphrase=PASSPHRASE)
    settings, url = elsewhere

    with pytest.raises(HandbillError, match=words):
        bring_back(settings, url, path, vault_of(settings), passphrase=given)
    store = open_store(url)
    assert copying.empty(store)
    store.close()


def test_nothing_is_imported_where_something_is(house, elsewhere, tmp_path):
    path = tmp_path / "all.zip"
    export(house, path)
    before = contents(house.store).digest

    with pytest.raises(Refused, match="already holds something"):
        bring_back(house.settings, servers_url(house), path, house.vault)
    assert contents(house.store).digest == before


def servers_url(parts) -> str:
    return f"unix://{parts.store.client.connection_pool.connection_kwargs['path']}?db=0"


def test_half_an_import_is_used_by_nobody_and_the_next_begins_anew(house, elsewhere, tmp_path, monkeypatch):
    path = tmp_path / "all.zip"
    export(house, path)
    settings, url = elsewhere
    entries = Reader.entries

    def broken(self):
        for number, entry in enumerate(entries(self)):
            if number > 20:
                raise HandbillError("the machine was switched off")
            yield entry

    monkeypatch.setattr(Reader, "entries", broken)
    with pytest.raises(HandbillError, match="switched off"):
        bring_back(settings, url, path, vault_of(settings))
    monkeypatch.undo()

    with pytest.raises(StoreDown, match="holds half an archive"):
        open_store(url)
    assert bring_back(settings, url, path, vault_of(settings)).manifest.counts["deliveries"] == 6


@pytest.mark.parametrize("spoil", ["cut", "change", "other"])
def test_a_damaged_archive_is_one_clear_line(house, elsewhere, tmp_path, spoil):
    path = tmp_path / "all.zip"
    export(house, path)
    if spoil == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    elif spoil == "other":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("something", "else")
    else:
        with zipfile.ZipFile(path) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        files["records.jsonl"] = files["records.jsonl"].replace(b"Es regnet", b"Es hagelt")
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    settings, url = elsewhere

    with pytest.raises(HandbillError, match=r"is no archive of Handbill|is not what it says it is"):
        bring_back(settings, url, path, vault_of(settings))


def test_an_archive_of_a_newer_handbill_is_refused(house, elsewhere, tmp_path):
    path = tmp_path / "all.zip"
    manifest = export(house, path)
    with Writer(path) as archive:
        archive.records([])
        archive.manifest(replace(manifest, schema="99"))
    settings, url = elsewhere

    with pytest.raises(HandbillError, match="is of schema 99"):
        bring_back(settings, url, path, vault_of(settings))


def test_a_file_in_an_archive_that_leads_elsewhere_is_refused(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("media/../../evil", "x")
        archive.writestr("manifest.json", json.dumps(MINIMAL))
    with Reader(path) as reader, pytest.raises(HandbillError, match="leads elsewhere"):
        reader.files(tmp_path / "data")


def made_by_hand(path, *, manifest=None, records=b"", **files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("records.jsonl", records)
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr("manifest.json", json.dumps(MINIMAL | (manifest or {})))
    return path


def line(**told):
    return json.dumps({"type": "string", "items": ["x"], **told}).encode() + b"\n"


@pytest.mark.parametrize(
    ("records", "words"),
    [
        (line(key="publish", type="list"), "does not belong into an archive"),
        (line(key="handbill-elsewhere:{x}"), "does not belong into an archive"),
        (line(key=keys.schema(), items=["3"]), "does not belong into an archive"),
        (line(key="handbill:{main}:accounts", type="hash"), "half a pair"),
        (line(key="handbill:{main}:x", type="script"), "does not belong into an archive"),
        (line(key="handbill:{main}:x", items=7), "damaged"),
        (b"[]\n", "damaged"),
        (b"not json\n", "damaged"),
    ],
)
def test_nothing_but_keys_of_ours_comes_out_of_an_archive(elsewhere, tmp_path, records, words):
    path = made_by_hand(tmp_path / "a.zip", records=line(key="handbill:{main}:fine") + records)
    settings, url = elsewhere
    with pytest.raises(HandbillError, match=words):
        bring_back(settings, url, path, vault_of(settings))
    client = open_store(url, anew=True).client
    assert not [k for k in client.scan_iter() if not k.startswith(b"handbill:")]
    client.close()


@pytest.mark.parametrize(
    "manifest", [{"schema": "x"}, {"salt": "zz"}, {"places": 7}, {"more": 1}, {"version": "9"}, {"format": "other"}]
)
def test_a_manifest_that_is_none_is_one_clear_line(tmp_path, manifest):
    path = made_by_hand(tmp_path / "a.zip", manifest=manifest)
    with pytest.raises(HandbillError), Reader(path):
        pass


def test_a_small_file_that_would_fill_a_disk_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "a.zip"
    made_by_hand(path, **{"media/aa/zeros.jpg": bytes(80_000_000)})
    assert path.stat().st_size < 200_000
    with pytest.raises(HandbillError, match=r"made to fill a disk: 0.1 MB would become 80"), Reader(path):
        pass


def test_a_line_and_a_manifest_without_an_end_are_not_read_into_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("worker.keeping.archive.LONGEST_LINE", 1000)
    path = made_by_hand(tmp_path / "a.zip", records=line(key="handbill:{main}:x", items=["y" * 2000]))
    with Reader(path) as archive, pytest.raises(HandbillError, match="has no end"):
        list(archive.entries())
    monkeypatch.setattr("worker.keeping.archive.LONGEST_MANIFEST", 100)
    with pytest.raises(HandbillError, match=r"manifest.json has no end"), Reader(path):
        pass


def test_pictures_that_the_disk_has_no_room_for_are_not_begun(tmp_path, monkeypatch):
    path = made_by_hand(tmp_path / "a.zip", **{"media/aa/a.jpg": b"x" * 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(1000, 900, 100))
    with Reader(path) as archive, pytest.raises(HandbillError, match="has no room"):
        archive.files(tmp_path / "data")
    assert not list((tmp_path / "data").rglob("*.jpg"))


MINIMAL = {
    "made_at": "", "handbill": "", "schema": "3", "secrets": "left out", "keys": 0, "digest": "", "files": 0,
    "counts": {}, "places": {}, "format": "handbill-archive", "version": 1,
}  # fmt: skip


# Backups


def test_a_backup_is_proved_by_reading_it_back_and_keeps_secrets_under_this_installations_key(house, tmp_path):
    path = tmp_path / name_at(house.now())

    manifest = backup(house, path)

    assert manifest.secrets == "own key"
    assert papers.CANARY not in told(path).replace(f"$argon2id${papers.CANARY}", "")
    assert verify(path, house.vault).digest == manifest.digest == contents(house.store).digest
    with pytest.raises(HandbillError, match="no key fits"):
        verify(path, Vault(Fernet.generate_key().decode()))


def test_a_backup_that_does_not_hold_what_it_should_is_put_aside(house, tmp_path, monkeypatch):
    write = copying.write
    monkeypatch.setattr(
        copying, "write", lambda store, entries, now_ms: write(store, list(entries)[:-1], now_ms=now_ms)
    )

    with pytest.raises(HandbillError, match="does not hold what was written"):
        backup(house, tmp_path / "b.zip")
    assert not (tmp_path / "b.zip").exists()
    assert (tmp_path / "b.zip.bad").exists()


def test_a_snapshot_is_of_one_instant_while_others_write(house):
    """One writer raises ``first`` and then ``second``: at any instant they differ by at most one."""
    client = house.store.client
    first, second = "handbill:{*}:aaa-first", "handbill:{0}:zzz-second"
    with client.pipeline(transaction=False) as pipe:
        for number in range(20_000):
            pipe.set(f"handbill:{{{number % 4}}}:filler:{number}", number)
        pipe.execute()
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            client.set(first, number)
            client.hset(f"handbill:{{1}}:filler-hash:{number % 50}", "n", number)
            client.set(second, number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        found: dict[str, Entry] = {}
        for _ in range(3):
            found.clear()
            for entry in copying.snapshot(house.store):
                found[entry.key] = entry
            one, two = (int(found[k].items[0]) for k in (first, second))
            assert one - two in {0, 1}
            assert one > 0
            assert sum(1 for k in found if ":filler:" in k) == 20_000
            highest = max(int(e.items[1]) for k, e in found.items() if ":filler-hash:" in k)
            assert highest in {one, one - 1}
    finally:
        stop.set()
        writer.join()


def test_a_key_of_many_elements_travels_in_parts_and_arrives_whole(house, elsewhere, monkeypatch):
    monkeypatch.setattr(copying, "PART", 10)
    client = house.store.client
    client.zadd("handbill:{0}:many", {f"m{n}": n / 3 for n in range(99)})
    client.rpush("handbill:{0}:line", *range(99))
    client.hset("handbill:{0}:odd", "b", b"\xff\x00")
    other = open_store(elsewhere[1])
    try:
        entries = list(copying.snapshot(house.store))
        copying.write(other, entries, now_ms=other.now_ms())
        assert contents(other).digest == contents(house.store).digest
        assert other.client.zrange("handbill:{0}:many", 0, -1, withscores=True) == client.zrange(
            "handbill:{0}:many", 0, -1, withscores=True
        )
        assert other.client.lrange("handbill:{0}:line", 0, -1) == client.lrange("handbill:{0}:line", 0, -1)
        assert other.client.hget("handbill:{0}:odd", "b") == b"\xff\x00"
        other.client.zadd("handbill:{0}:many", {"m7": 8})
        assert contents(other).digest != contents(house.store).digest
    finally:
        other.close()


def test_older_backups_make_room(tmp_path):
    for day in (1, 2, 3):
        (tmp_path / f"handbill-2026010{day}T000000Z.zip").touch()
    (tmp_path / "notes.zip").touch()

    assert [p.name for p in thin(tmp_path, 2)] == ["handbill-20260101T000000Z.zip"]
    assert thin(tmp_path, 0) == []
    assert len(list(tmp_path.iterdir())) == 3


# Keys


def test_every_encrypted_value_is_found_wherever_it_stands(house):
    assert len(list(sealed.sealed(house.store))) == papers.SECRETS


@pytest.mark.parametrize("rows", [2000, pytest.param(100_000, marks=pytest.mark.nightly)])
def test_keys_are_renewed_while_others_read_and_write_secrets(house, rows):
    account = house.records.account("main.mastodon-ada")
    with house.store.client.pipeline(transaction=False) as pipe:
        for number in range(rows):
            pipe.hset(
                f"{keys.home('main')}secrets",
                f"main.a{number}",
                house.vault.lock(f"main.a{number}", {"t": str(number)}),
            )
        pipe.execute()
    old = key_of(house.settings.data_dir, "")
    other = open_runtime(house.settings, servers_url(house))  # a worker that started before
    stop, faults = threading.Event(), []

    def work() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                other.records.save_account(account, {"access_token": f"{papers.CANARY}-{number}"})
                assert other.records.secrets(account) == {"access_token": f"{papers.CANARY}-{number}"}
            except Exception as error:  # noqa: BLE001 - the test says which
                faults.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        done = rotation.rotate(house)
    finally:
        stop.set()
        worker.join()
    try:
        assert faults == []
        assert done.renewed >= rows + papers.SECRETS - 1
        assert done.unreadable == 0
        assert rotation.retire(house) == 1
        new = key_of(house.settings.data_dir, "")
        assert "," not in new
        assert new != old
        alone = Vault(new)
        assert all(alone.can_open(item) for _, _, item in sealed.sealed(house.store))
        with pytest.raises(InvalidToken):
            Vault(old).open(house.store.client.hget(f"{keys.home('main')}secrets", "main.a7"))
        assert other.records.secrets(account)["access_token"].startswith(papers.CANARY)
    finally:
        other.close()


def test_a_rotation_that_was_broken_off_goes_on_with_the_same_key(house, monkeypatch):
    swap = sealed._swap
    monkeypatch.setattr(sealed, "AT_ONCE", 2)
    calls = []

    def dies(*args):
        calls.append(1)
        if len(calls) > 2:
            raise RuntimeError("killed")
        swap(*args)

    monkeypatch.setattr(sealed, "_swap", dies)
    with pytest.raises(RuntimeError):
        rotation.rotate(house)
    monkeypatch.undo()
    known = (house.settings.data_dir / "secret.key").read_text().strip().split(",")
    assert len(known) == 2
    with pytest.raises(Refused, match="still under an old key"):
        rotation.retire(house)

    rotation.rotate(house)

    assert (house.settings.data_dir / "secret.key").read_text().strip().split(",") == known
    assert rotation.retire(house) == 1


def test_keys_in_the_environment_are_renewed_by_whoever_put_them_there(house):
    old = key_of(house.settings.data_dir, "")
    new = Fernet.generate_key().decode()
    settings = Settings(data_dir=house.settings.data_dir, secret_key=f"{new},{old}", _env_file=None)
    parts = open_runtime(settings, servers_url(house))
    try:
        with pytest.raises(Refused, match="still under an old key"):
            rotation.retire(parts)
        assert rotation.rotate(parts).renewed == papers.SECRETS
        with pytest.raises(HandbillError, match="take them out of HANDBILL_SECRET_KEY"):
            rotation.retire(parts)
        assert (settings.data_dir / "secret.key").read_text().strip() == old
    finally:
        parts.close()


# The commands


def command(parts, *words):
    environment = {
        **os.environ,
        "HANDBILL_REDIS_URL": servers_url(parts),
        "HANDBILL_DATA_DIR": str(parts.settings.data_dir),
    }
    return subprocess.run(
        [sys.executable, "-m", "worker", *words], env=environment, capture_output=True, text=True, check=False
    )


def test_the_commands_say_what_they_did_and_refuse_in_one_line(house, tmp_path):
    told = json.loads(command(house, "backup", "--to", str(tmp_path / "kept"), "--json").stdout)
    assert told["counts"]["deliveries"] == 6
    assert [str(p) for p in (tmp_path / "kept").iterdir()] == [told["path"]]

    refused = command(house, "import", told["path"])
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "already holds something" in refused.stderr

    renewed = command(house, "keys", "rotate", "--json")
    assert json.loads(renewed.stdout) == {"renewed": papers.SECRETS, "already": 0, "unreadable": 0}
    assert command(house, "keys", "retire").returncode == 0
    assert [e.what for e in house.audit.every("main")][:2] == ["old keys forgotten", "keys renewed"]
