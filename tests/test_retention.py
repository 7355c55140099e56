"""What is old goes in small steps and nothing else does; a workspace that is deleted leaves nothing."""

from __future__ import annotations

import importlib.util
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.embedded import Embedded
from worker.errors import NotFound, Refused
from worker.intake.model import Candidate, Fate, Item, item_id
from worker.keeping import retention
from worker.keeping.erasure import delete, traces
from worker.model import Brand, Status
from worker.people import Actor
from worker.runtime import Runtime, open_runtime
from worker.settings import Settings
from worker.store import copying, keys

_spec = importlib.util.spec_from_file_location("papers", Path(__file__).parent / "everything.py")
papers = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(papers)
ROBOT = Actor(kind="command", id="ops", name="ops", where="here")
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Embedded.start(tmp_path_factory.mktemp("valkey")) as running:
        yield running


@pytest.fixture
def house(server, tmp_path) -> Iterator[Runtime]:
    parts = open_runtime(Settings(data_dir=tmp_path, _env_file=None), server.url)
    yield parts
    parts.store.client.flushall()
    parts.close()


def age(parts, days):
    """Make everything older: every instant by which something is forgotten."""
    client, by = parts.store.client, days * DAY_MS
    for key in list(client.scan_iter(match="handbill:*", count=1000)):
        name = key.decode()
        if ":delivery:" in name or ":item:" in name:
            client.hset(key, "updated", int(client.hget(key, "updated")) - by)
        elif ":article:" in name and not name.endswith(":deliveries"):
            client.hset(key, "arrived", int(client.hget(key, "arrived")) - by)
        elif any(part in name for part in (":status:", ":articles:", ":items:")):
            for member, score in client.zrange(key, 0, -1, withscores=True):
                client.zadd(key, {member: score - by})
    for path in (parts.settings.data_dir / "media").rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - days * 86400,) * 2)


def quick(parts):
    return retention.tidy(parts, sleep=lambda _: None)


def test_nothing_goes_before_its_time(house):
    papers.fill(house)
    before = sum(1 for _ in copying.names(house.store))

    assert quick(house) == {}
    age(house, 60)
    assert quick(house) == {}
    assert sum(1 for _ in copying.names(house.store)) == before


def test_posts_that_are_over_go_with_all_that_is_theirs_and_what_waits_stays(house):
    made = papers.fill(house)
    for name in made[1:3]:
        house.deliveries.change(name, Status.CANCELLED, origins=[Status.SCHEDULED], note="no")
    house.deliveries.change(made[3], Status.HELD, origins=[Status.SCHEDULED], note="wait")
    age(house, 800)

    gone = quick(house)

    assert (gone["posts"], gone["articles"]) == (3, 3)
    assert sorted(house.deliveries.ids()) == sorted(made[3:])
    left = [entry for entry in copying.everything(house.store) if any(name in entry.key for name in made[:3])]
    assert left == []
    told = " ".join(
        i.decode(errors="replace")
        for entry in copying.everything(house.store)
        if ":item:" not in entry.key
        for i in entry.items
    )
    assert not [name for name in made[:3] if name in told]
    assert len(house.records.arrived("main", "all", most=99)) == 3
    assert quick(house) == {}


def test_an_article_whose_item_was_forgotten_is_known_all_the_same_as_long_as_its_identity_is(house):
    papers.fill(house)
    url = "https://example.org/main/0"
    again = Item(
        id=item_id("main", "main.example", url), candidate=Candidate(address=url), fate=Fate.NEW, source="main.example"
    )
    other = Item(
        id=item_id("main", "main.other", "x"), candidate=Candidate(address=url), fate=Fate.NEW, source="main.other"
    )
    age(house, 300)

    assert quick(house)["items"] == 6

    assert house.sources.latest("main") == []
    assert house.sources.add_item(again, [f"u:{url}"], look=0) == (again.id, False)
    assert house.sources.item(again.id).fate is Fate.PLANNED
    assert house.sources.add_item(other, [f"u:{url}"], look=0) == (again.id, True)
    small = house.store.client.hgetall(f"{keys.home('main')}item:{again.id}")
    assert b"title" not in small

    age(house, 1600)
    gone = quick(house)
    assert gone["past items"] == 6
    assert gone["identity keys"] == 6
    with pytest.raises(NotFound):
        house.sources.item(again.id)


def test_pictures_go_when_no_post_needs_them_and_stay_while_one_does(house):
    made = papers.fill(house)
    stray = house.settings.data_dir / "media" / "aa" / "aa00.jpg"
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"x")
    age(house, 100)

    assert quick(house)["pictures"] == 1
    assert not stray.exists()
    [media] = house.deliveries.get(made[5]).steps[0].post.media
    assert media.read()

    for name in made[1:]:
        house.deliveries.change(name, Status.CANCELLED, origins=[Status.SCHEDULED], note="no")
    assert quick(house) == {}
    age(house, 100)
    assert quick(house)["pictures"] == 1


def test_for_ever_is_for_ever(server, tmp_path):
    never = dict.fromkeys(
        ("keep_posts_days", "keep_items_days", "keep_identity_days", "keep_pictures_days", "keep_audit_days"), 0
    )
    parts = open_runtime(Settings(data_dir=tmp_path, _env_file=None, **never), server.url)
    try:
        papers.fill(parts)
        age(parts, 9999)
        assert quick(parts) == {}
    finally:
        parts.store.client.flushall()
        parts.close()


def test_a_sweep_that_runs_out_of_time_goes_on_the_next_time(house, monkeypatch):
    monkeypatch.setattr(retention, "STEP", 2)
    papers.fill(house, posts=9)
    for name in house.deliveries.ids([Status.SCHEDULED]):
        house.deliveries.change(name, Status.CANCELLED, origins=[Status.SCHEDULED], note="no")
    age(house, 800)

    total = 0
    for _ in range(99):
        gone = retention.tidy(house, seconds=-1, sleep=lambda _: None)
        total += gone["posts"]
        if not gone:
            break
    assert total == 9


def test_one_worker_tidies_once_an_hour(house, monkeypatch):
    calls = []
    monkeypatch.setattr(retention, "tidy", lambda _, *, orphans: calls.append(orphans) or {})

    for _ in range(3):
        retention.tidy_once_an_hour(house)
    assert calls == [True]


def test_a_deleted_workspace_leaves_nothing_and_takes_nothing_else(house):
    papers.fill(house, workspace="main")
    papers.fill(house, workspace="brand-x")
    house.deliveries.pause("account:brand-x.mastodon-ada", until=None, why="stopped")
    ada = house.people.by_email("main@example.org")
    house.people.set_role(ada.id, "brand-x", "owner")
    house.people.open_session(ada.id, "brand-x", agent="Test", address="127.0.0.1")
    others = {e.key: e for e in copying.everything(house.store) if "brand-x" not in e.key}
    assert list(traces(house, "brand-x"))

    assert delete(house, ROBOT, "brand-x", typed="brand-x") == 6

    assert list(traces(house, "brand-x")) == []
    assert len(list((house.settings.data_dir / "media").rglob("*.png"))) == 1
    assert len(house.deliveries.ids()) == 6
    assert house.records.secrets(house.records.account("main.mastodon-ada"))
    assert {s.workspace for s in house.people.sessions(ada.id)} == {"main"}
    kept = {e.key for e in copying.everything(house.store)}
    assert {k for k in others if ":{main}:" in k} <= kept
    assert next(house.audit.every("main")).what == "workspace deleted"


def test_files_of_a_deleted_workspace_go_unless_another_needs_them_too(house):
    papers.fill(house, workspace="main")
    papers.fill(house, workspace="brand-x")
    folder = house.settings.data_dir.resolve()

    def file(name, text="x"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def note(name, article, of):
        said = {"media": {"path": str(of)}, "notes": [], "article": article}
        return file(f"media/drawn/{name}.json", json.dumps(said))

    for workspace, logo in (("brand-x", "logo-x"), ("brand-x", "logo-both"), ("main", "logo-both")):
        house.records.save_brand(
            Brand(name=logo, workspace=workspace, logo=logo, font="font-x" if logo == "logo-x" else "")
        )
    card, ours = file("media/cc/card.jpg"), file("media/dd/ours.jpg")
    gone = [card, note("x", "brand-x.1", card), file("brand/logo-x"), file("brand/font-x"), file("answers/brand-x/a")]
    stay = [
        ours,
        note("main", "main.1", ours),
        file("brand/logo-both"),
        file("answers/main/a"),
        file("media/drawn/old.json", "{}"),
    ]

    delete(house, ROBOT, "brand-x", typed="brand-x")

    assert [p for p in gone if p.exists()] == []
    assert [p for p in stay if not p.exists()] == []
    assert not (folder / "answers" / "brand-x").exists()


def test_answers_of_services_and_files_that_no_brand_has_any_more_go_with_time(house):
    papers.fill(house)
    folder = house.settings.data_dir
    house.records.save_brand(Brand(name="ours", workspace="main", logo="kept"))
    made = {
        name: folder / name
        for name in ("brand/kept", "brand/lost", "answers/main/old", "answers/older", "answers/main/new")
    }
    for name, path in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
        if not name.endswith("new"):
            os.utime(path, (1, 1))
    gone = quick(house)
    assert (gone["answers of services"], gone["pictures"]) == (2, 1)
    assert {n for n, p in made.items() if p.exists()} == {"brand/kept", "answers/main/new"}


def test_what_is_not_meant_is_not_deleted(house):
    papers.fill(house)
    papers.fill(house, workspace="brand-x")
    with pytest.raises(Refused, match="type brand-x"):
        delete(house, ROBOT, "brand-x", typed="brand")
    with pytest.raises(Refused, match="HANDBILL_WORKSPACE names it"):
        delete(house, ROBOT, "main", typed="main")
    with pytest.raises(NotFound):
        delete(house, ROBOT, "brand-y", typed="brand-y")
    assert len(house.deliveries.ids()) == 12
