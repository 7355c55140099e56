"""Every kind of key that the code may write is exported, restored, deleted with its workspace and let go of in time."""

from __future__ import annotations

import contextlib
import fnmatch
import importlib.util
from datetime import timedelta
from pathlib import Path

import pytest

from worker.embedded import Embedded
from worker.keeping import ledger, retention
from worker.keeping.backup import bring_back, export, verify
from worker.keeping.erasure import delete, traces
from worker.model import Status
from worker.people import Actor
from worker.receipts import broken
from worker.runtime import open_runtime, vault_of
from worker.settings import Settings
from worker.store import copying

HERE = Path(__file__).parent


def _load(name):
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


papers, kinds = _load("everything"), _load("families")
ROBOT = Actor(kind="command", id="ops", name="ops", where="here")
PASSPHRASE = "correct horse battery"

NOT_A_KEY = {
    "after:*": "how keys.py makes the rest of these",
    "articles": "read and removed by the upgrade from schema 1",
    "status:*": "as above; what is in use has a workspace behind it",
    "upgrade": "there while a store is brought up",
    "audit:copy:*": "there while lines lose a secret",
    "upgraded": "ends by itself, two days after a store was brought up",
    "lock:*": "held for as long as something runs, and ends by itself",
}
OF_NOW = {
    "alive": "signs of life of the processes that run",
    "alive:reads-sealed": "signs of life of the processes that run",
    "schema": "set by whoever opens the store",
    **dict.fromkeys(("session:*", "sessions:*", "link:*", "invitations:*", "devices:*", "tries:*"), "keys.fleeting"),
}
"""Not copied to another installation, and why."""

STAYS = {
    **dict.fromkeys(
        ("accounts", "secrets", "apps", "approval", "brands", "sources", "sources:secrets", "sources:addresses", "sources:said",
         "listeners:said", "hooks", "hooks:push", "tokens",
         "listeners", "listener-secrets", "listening", "alerts:channels", "after:rules", "after:report", "workspaces",
         "after:counters", "after:counter-secrets", "after:asked",
         "schema", "polls", "polls:hosts", "source:*:state", "hooks:asking", "renewals", "listener-heard"),
        "what people set up, a row each",
    ),
    **dict.fromkeys(
        ("users", "emails", "passwords", "factors", "subjects", "members:*", "member-of:*", "names", "sessions:*",
         "devices:*", "invitations:*"),
        "people, who go with their workspace; sessions, devices and invitations are bounded for each",
    ),
    **dict.fromkeys(("after:swept", "after:noticed", "after:events", "audit:masked", "audit:copies"), "an instant or a number"),
    **dict.fromkeys(("counts", "alive", "alive:reads-sealed", "paused", "polls:turns", "alerts:told", "alerts:passing"), "as many as there are kinds"),
    "links": "our own short links of posts that are kept, a row each",
    "hooks:events": "the latest 1,000 of each workspace",
    "listener:*:log": "the latest 500 of each listener",
    "budget:*": "bounded by the rate that it counts",
    "audit": "cut to whole nodes of 100 entries",
    "after:ledger": "the newest entry and those that fill no file yet",
    **dict.fromkeys(
        ("delivery:*", "steps:*", "history:*", "status:*:*", "planned:*", "due", "waking", "leases", "calendar:*",
         "article:*", "article:*:deliveries", "articles:*", "articles:all"),
        "posts that are not over, and their articles",
    ),
    **dict.fromkeys(("item:*", "items:fate:*", "items:source:*", "identity", "intake:due", "intake:waking"), "open items"),
    **dict.fromkeys(("doubles", "notices"), "what somebody must still do something about"),
}  # fmt: skip
"""May be there when everything is old, and what bounds it."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    folders = [tmp_path_factory.mktemp(name) for name in ("full", "empty")]
    with Embedded.start(folders[0]) as full, Embedded.start(folders[1]) as other:
        yield full, other


@pytest.fixture
def house(servers, tmp_path):
    parts = open_runtime(Settings(data_dir=tmp_path / "house", _env_file=None), servers[0].url)
    yield parts
    parts.store.client.flushall()
    parts.close()


def there(parts):
    """What stands behind the braces of every key, with whether it ends by itself."""
    client = parts.store.client
    names = [k.decode() for k in client.scan_iter(match="handbill:*", count=1000)]
    return {name: client.pttl(name) > 0 for name in names}


def kind_of(name, patterns):
    rest = name.partition("}:")[2]
    fitting = [p for p in patterns if fnmatch.fnmatchcase(rest, p)]
    return max(fitting, key=len, default="")


def test_everything_that_the_code_may_write_is_known_by_its_kind_and_is_tried_below(house):
    papers.fill_to_the_brim(house)
    found, known = there(house), kinds.families()

    assert len(known) > 90
    assert [name for name in found if not kind_of(name, known)] == []
    rest = {name.partition("}:")[2] for name in found}
    tried = {k for k in known if any(fnmatch.fnmatchcase(r, k) for r in rest)}
    assert known - tried - set(NOT_A_KEY) == set()
    assert set(NOT_A_KEY) | set(OF_NOW) | set(STAYS) <= known
    with house.records.lock("main", "receipts", seconds=9):
        assert any(":lock:" in name for name in there(house))


def test_every_kind_of_key_arrives_whole_in_another_installation(house, servers, tmp_path):
    papers.fill_to_the_brim(house)
    path = tmp_path / "all.zip"
    manifest = export(house, path, passphrase=PASSPHRASE)
    verify(path, house.vault, passphrase=PASSPHRASE)
    config = Settings(data_dir=tmp_path / "elsewhere", _env_file=None)

    bring_back(config, servers[1].url, path, vault_of(config), passphrase=PASSPHRASE)

    other = open_runtime(config, servers[1].url)
    try:
        known = kinds.families()
        ours, theirs = ({kind_of(n, known) for n in there(p)} for p in (house, other))
        assert ours - theirs - set(OF_NOW) == set()
        assert manifest.keys > 90
        for what in ("ledger", "numbers", "changes", "original", "seen", "rules"):
            key = f"handbill:{{main}}:after:{what}"
            [mine] = copying.read(house.store, [key.encode()])
            assert next(copying.read(other.store, [key.encode()])).items == mine.items
    finally:
        other.store.client.flushall()
        other.close()


def test_a_deleted_workspace_leaves_no_kind_of_key(house):
    papers.fill_to_the_brim(house)
    alone = set(there(house))
    papers.fill_to_the_brim(house, workspace="brand-x")
    shelf = ledger.folder(house.settings.data_dir, "brand-x")
    shelf.mkdir(parents=True)
    (shelf / "0000000001-0000001000.jsonl.gz").touch()
    assert len(list(traces(house, "brand-x"))) > 50

    delete(house, ROBOT, "brand-x", typed="brand-x")

    assert list(traces(house, "brand-x")) == []
    assert not shelf.exists()
    left = set(there(house)) - alone
    assert [name for name in left if "brand-x" in name] == []
    for entry in copying.everything(house.store):
        words = " ".join(item.decode(errors="replace") for item in entry.items)
        assert "brand-x" not in words or entry.key.endswith(":audit"), entry.key


def test_what_is_kept_after_publication_goes_with_its_post(house):
    """Everything is as old as can be: nothing is left but what people set up, what is open, and what has its own bound."""
    made = papers.fill_to_the_brim(house)
    for name in made[5:]:
        house.deliveries.change(name, Status.CANCELLED, origins=[Status.SCHEDULED], note="no")
    gone = retention.tidy(aged(house), sleep=lambda _: None)

    assert gone["posts"] == 1 + 1 + len(made[5:])
    assert gone["notes on posts"] >= 11
    known = kinds.families()
    left = {kind_of(name, known) for name, ends in there(house).items() if not ends}
    assert left - set(STAYS) == set()
    assert made[0] not in " ".join(
        i.decode(errors="replace") for e in copying.everything(house.store) if ":after:" in e.key and not e.key.endswith("ledger") for i in e.items
    )  # fmt: skip
    assert retention.tidy(aged(house), sleep=lambda _: None) == {}


def aged(parts):
    """Settings by which everything is too old."""
    days = dict.fromkeys(
        ("keep_posts_days", "keep_items_days", "keep_identity_days", "keep_pictures_days", "keep_audit_days", "keep_receipts_days",
         "keep_links_days"), 1e-9,
    )  # fmt: skip
    return type(parts)(parts.settings.model_copy(update=days), parts.store, parts.vault)


# The ledger


def now(parts, name):
    """Let a delivery be published now."""
    due = parts.now() - timedelta(seconds=1)
    parts.deliveries.change(name, Status.SCHEDULED, origins=[Status.SCHEDULED], note="now", due=due)
    papers.publish(parts, name)


@pytest.fixture
def chain(house, monkeypatch):
    """A house with 25 entries, of which ten fill a file."""
    monkeypatch.setattr(ledger, "SEGMENT", 10)
    made = papers.fill(house, posts=26)
    for name in made[1:25]:
        now(house, name)
    house.receipts.notice("main")
    return house


def test_old_entries_go_into_files_and_the_whole_ledger_holds_together(chain):
    before = list(chain.aftercare.every_entry("main"))
    assert len(before) == 25

    assert retention.tidy(aged(chain), sleep=lambda _: None)["entries put into files"] == 20

    names = sorted(p.name for p in ledger.folder(chain.settings.data_dir, "main").iterdir())
    assert names == ["0000000001-0000000010.jsonl.gz", "0000000011-0000000020.jsonl.gz"]
    kept = list(chain.aftercare.every_entry("main"))
    assert [e.number for e in kept] == [21, 22, 23, 24, 25]
    assert kept[0].before == before[19].hash
    assert list(ledger.whole(chain, "main")) == before
    assert broken(ledger.whole(chain, "main")) == ""
    assert [e.number for e in chain.aftercare.entries("main", before=23)] == [22, 21]
    assert [e.number for e in chain.aftercare.entries("main", most=2)] == [25, 24]
    assert chain.aftercare.entries("main", before=21) == []


def test_what_becomes_public_later_goes_on_the_same_chain(chain):
    before = list(ledger.whole(chain, "main"))
    ledger.seal(chain, "main", timedelta(0))
    [last] = chain.deliveries.ids([Status.SCHEDULED])
    now(chain, last)
    chain.receipts.notice("main")

    entries = list(ledger.whole(chain, "main"))
    assert entries[:-1] == before
    assert entries[-1].delivery == last
    assert broken(entries) == ""


def test_a_ledger_is_never_emptied_for_the_next_entry_follows_the_last(chain, monkeypatch):
    monkeypatch.setattr(ledger, "SEGMENT", 25)
    assert ledger.seal(chain, "main", timedelta(0)) == 0
    monkeypatch.setattr(ledger, "SEGMENT", 24)
    assert ledger.seal(chain, "main", timedelta(0)) == 24
    assert ledger.seal(chain, "main", timedelta(0)) == 0
    assert chain.aftercare.last_entry("main").number == 25


@pytest.mark.parametrize("moment", ["before the file", "before it leaves Redis"])
def test_an_entry_is_never_nowhere_and_never_twice_when_sealing_is_broken_off(chain, monkeypatch, moment):
    before = list(ledger.whole(chain, "main"))
    place = "worker.keeping.ledger._write" if moment == "before the file" else "worker.store.ageing.Ageing.cut"

    def dies(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(place, dies)
    with contextlib.suppress(KeyboardInterrupt):
        ledger.seal(chain, "main", timedelta(0))
    monkeypatch.undo()
    monkeypatch.setattr(ledger, "SEGMENT", 10)
    assert list(ledger.whole(chain, "main")) == before

    assert ledger.seal(chain, "main", timedelta(0)) == 10
    assert list(ledger.whole(chain, "main")) == before


def test_a_segment_that_was_changed_or_lost_is_found(chain):
    retention.tidy(aged(chain), sleep=lambda _: None)
    first, second = sorted(ledger.folder(chain.settings.data_dir, "main").iterdir())
    kept = first.read_bytes()
    first.unlink()
    assert broken(ledger.whole(chain, "main")) == ""  # what is left may follow anything
    assert next(ledger.whole(chain, "main")).number == 11
    first.write_bytes(kept)
    second.unlink()
    assert "entry 21 does not follow entry 10" in broken(ledger.whole(chain, "main"))


def test_segments_travel_with_an_archive(chain, servers, tmp_path):
    retention.tidy(aged(chain), sleep=lambda _: None)
    before = list(ledger.whole(chain, "main"))
    path = tmp_path / "all.zip"
    export(chain, path)
    config = Settings(data_dir=tmp_path / "elsewhere", _env_file=None)
    bring_back(config, servers[1].url, path, vault_of(config))

    other = open_runtime(config, servers[1].url)
    try:
        assert list(ledger.whole(other, "main")) == before
    finally:
        other.store.client.flushall()
        other.close()
