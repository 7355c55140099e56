"""Sources and items as they are stored: who polls when, whose article it is, what became of it, whoever asks at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests.newsroom import runtime
from worker.errors import BadSource, NotFound, Refused
from worker.intake.model import Candidate, Fate, Kind, Source
from worker.store import keys

WHEN = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)


@pytest.fixture
def parts(server, tmp_path):
    made = runtime(server, tmp_path)
    made.store.client.flushdb()
    yield made
    made.close()


@pytest.fixture
def feed(parts):
    source = Source(id="main.lantern", kind=Kind.FEED, address="https://lantern.example/feed", since=WHEN)
    parts.sources.save(source, {"secret": "s3cret-of-the-hub"})
    return source


def article(path="tide-gates", **hints):
    return Candidate(address=f"https://lantern.example/{path}", **hints)


def test_a_source_comes_back_as_it_was_stored_and_its_secrets_are_nowhere_in_clear(parts, feed):
    assert parts.sources.get("main.lantern") == feed
    assert parts.sources.all("main") == [feed]
    assert parts.sources.secrets(feed) == {"secret": "s3cret-of-the-hub"}
    client = parts.store.client
    stored = [client.hgetall(k) for k in client.keys("*") if client.type(k) == b"hash"]
    assert "s3cret" not in str(stored)


def test_a_source_of_that_name_is_not_overwritten(parts, feed):
    assert not parts.sources.add(Source(id=feed.id, kind=Kind.FEED, address="https://other.example/"))
    assert parts.sources.get(feed.id) == feed


def test_a_source_that_is_removed_is_gone_with_its_secrets_and_is_polled_no_more(parts, feed):
    parts.sources.watch(feed, "lantern.example")
    parts.sources.remove(feed)
    with pytest.raises(NotFound):
        parts.sources.get(feed.id)
    assert parts.sources.secrets(feed) == {}
    assert parts.sources.take_polls(most=9, lease=60, gap=0) == ([], float("inf"))
    parts.sources.polled([(feed.id, WHEN, 10, 0, {"etag": "x"})])
    assert parts.sources.state(feed.id).etag == ""
    assert not parts.sources.notice(feed.id, "ping")


def test_the_state_of_a_source_is_set_field_by_field(parts, feed):
    parts.sources.note(feed.id, etag='"abc"', polled=WHEN, read=True, failures=3, interval=900.0)
    parts.sources.note(feed.id, hub="https://hub.example/", lease_until=WHEN)
    state = parts.sources.state(feed.id)
    assert (state.etag, state.polled, state.read, state.failures, state.interval) == ('"abc"', WHEN, True, 3, 900.0)
    assert (state.hub, state.lease_until) == ("https://hub.example/", WHEN)
    parts.sources.note(feed.id, etag="", lease_until=None, read=False)
    state = parts.sources.state(feed.id)
    assert (state.etag, state.lease_until, state.read) == ("", None, False)


def test_any_number_of_loops_poll_each_source_once(parts):
    sources = [Source(id=f"main.s{n}", kind=Kind.FEED, address=f"https://s{n}.example/") for n in range(40)]
    for source in sources:
        parts.sources.save(source)
        parts.sources.watch(source, f"{source.id}.example")
    with ThreadPoolExecutor(8) as pool:
        taken = [
            i
            for ids, _ in pool.map(lambda _: parts.sources.take_polls(most=7, lease=60, gap=1), range(16))
            for i in ids
        ]
    assert sorted(taken) == sorted(s.id for s in sources)


def test_sources_of_one_host_take_turns(parts):
    for n in range(3):
        source = Source(id=f"main.s{n}", kind=Kind.FEED, address=f"https://big.example/{n}")
        parts.sources.save(source)
        parts.sources.watch(source, "big.example")
    first, following = parts.sources.take_polls(most=9, lease=60, gap=30)
    assert len(first) == 1
    assert 25 < following <= 30
    assert parts.sources.take_polls(most=9, lease=60, gap=30)[0] == []


def test_a_poll_whose_worker_was_lost_is_given_to_another(parts, feed):
    parts.sources.watch(feed, "lantern.example")
    assert parts.sources.take_polls(most=9, lease=0, gap=0)[0] == [feed.id]
    assert parts.sources.take_polls(most=9, lease=60, gap=0)[0] == [feed.id]
    assert parts.sources.take_polls(most=9, lease=60, gap=0)[0] == []


def test_what_is_noticed_while_it_is_polled_is_looked_at_again(parts, feed):
    parts.sources.watch(feed, "lantern.example")
    parts.sources.take_polls(most=9, lease=60, gap=0)
    began = parts.sources.now()
    assert parts.intake.notice(feed.id, "websub")
    parts.sources.polled([(feed.id, began, 3600, 0, {})])
    assert parts.sources.take_polls(most=9, lease=60, gap=0)[0] == [feed.id]
    parts.sources.polled([(feed.id, parts.sources.now() + timedelta(seconds=1), 3600, 0, {})])
    assert 3500 < parts.sources.take_polls(most=9, lease=60, gap=0)[1] <= 3600


def test_a_ping_for_nothing_that_is_polled_does_nothing(parts, feed):
    hook = Source(id="main.hook", kind=Kind.WEBHOOK)
    parts.sources.save(hook)
    parts.sources.save(Source(id="main.gone", kind=Kind.FEED, active=False))
    assert [parts.intake.notice(s, "ping") for s in ("main.hook", "main.gone", "main.nowhere")] == [False] * 3


def test_an_article_is_stored_before_it_is_acknowledged_and_is_one_item_however_often_it_comes(parts, feed):
    item = parts.intake.arrived(feed, article(guid="17", title="Tide gates", way="feed"))
    assert (item.fate, item.source, item.ways) == (Fate.NEW, feed.id, ("feed",))
    assert parts.sources.item(item.id) == item
    again = parts.intake.arrived(feed, article("tide-gates/?utm_source=x", title="Tide gates", way="websub"))
    assert (again.id, again.ways) == (item.id, ("feed", "websub"))
    assert [i for _, i in parts.sources.latest("main")] == [item.id]
    assert [i for _, i in parts.sources.latest("main", source=feed.id)] == [item.id]
    assert parts.sources.count("main")[Fate.NEW] == 1


def test_a_guid_with_the_same_title_at_another_address_is_the_same_article(parts, feed):
    item = parts.intake.arrived(feed, article(guid="17", title="Tide gates"))
    assert parts.intake.arrived(feed, article("tide-gates-2", guid="17", title="Tide Gates!")).id == item.id
    assert parts.intake.arrived(feed, article("other", guid="17", title="Another thing")).id != item.id


def test_a_request_for_other_accounts_is_another_item(parts):
    one = parts.intake.arrived(None, article(accounts=("main.a",), way="api"), workspace="main")
    same = parts.intake.arrived(None, article(accounts=("main.a",), way="api"), workspace="main")
    other = parts.intake.arrived(None, article(accounts=("main.b",), way="api"), workspace="main")
    assert one.id == same.id != other.id


@pytest.mark.parametrize(
    "address", ["", "/etc/passwd", "ftp://lantern.example/a", "https://", "https://u:p@lantern.example/a"]
)
def test_what_could_never_be_read_is_refused(parts, feed, address):
    with pytest.raises(BadSource):
        parts.intake.arrived(feed, Candidate(address=address))
    assert parts.sources.latest("main") == []


def test_an_item_is_worked_on_by_one_worker_at_a_time_and_by_another_when_that_one_is_lost(parts, feed):
    item = parts.intake.arrived(feed, article())
    assert parts.sources.take_items(wake=60)[0] == [item.id]
    assert parts.sources.take_items(wake=60)[0] == []
    with ThreadPoolExecutor(8) as pool:
        held = [h for h in pool.map(lambda _: parts.sources.begin(item.id, lease=60), range(8)) if h]
    assert len(held) == 1
    assert parts.sources.settle(item.id, Fate.HELD, "not yet", hold=held[0], look=0, costs=True)
    again = parts.sources.begin(item.id, lease=0.001)
    assert again.item.tries == 1
    while parts.sources.take_items(wake=60)[0] != [item.id]:
        pass
    third = parts.sources.begin(item.id, lease=60)
    assert not parts.sources.settle(item.id, Fate.FAILED, "late", hold=again)
    assert parts.sources.settle(item.id, Fate.PLANNED, "", hold=third, article="main.a", deliveries="main.d1 main.d2")
    done = parts.sources.item(item.id)
    assert (done.fate, done.article, done.deliveries, done.next_look) == (
        Fate.PLANNED,
        "main.a",
        ("main.d1", "main.d2"),
        None,
    )
    assert parts.sources.begin(item.id, lease=60) is None


def test_a_person_decides_only_about_what_nobody_is_reading(parts, feed):
    item = parts.intake.arrived(feed, article())
    hold = parts.sources.begin(item.id, lease=60)
    with pytest.raises(Refused, match="being read"):
        parts.sources.settle(item.id, Fate.SKIPPED, "no")
    assert parts.sources.settle(item.id, Fate.PLANNED, "", hold=hold)
    with pytest.raises(Refused, match="is planned"):
        parts.sources.settle(item.id, Fate.SKIPPED, "no")
    with pytest.raises(NotFound):
        parts.sources.settle("main.00000000000000000000", Fate.SKIPPED, "no")


def test_an_article_belongs_to_who_has_it_first_until_a_rule_said_no_there(parts, feed):
    item = parts.intake.arrived(feed, article())
    other = Source(id="main.hook", kind=Kind.WEBHOOK)
    parts.sources.save(other)
    second = parts.intake.arrived(other, article(way="webhook"))
    keys_of = ["u:lantern.example/tide-gates"]
    assert parts.sources.claim(second.id, keys_of) == item.id
    parts.sources.settle(item.id, Fate.SKIPPED, "the tag is Sport")
    assert parts.sources.claim(second.id, keys_of) == second.id
    assert parts.sources.known("main", keys_of) == [second.id]


def test_every_key_of_an_item_stands_in_its_workspaces_slot(parts, feed):
    parts.intake.arrived(feed, article())
    home = keys.home("main")
    assert all(k.decode().startswith((home, "handbill:{*}:")) for k in parts.store.client.keys("*"))
