"""Polling: what is new in a feed and what never is, how often it is asked, and what its server may ask of us."""

from __future__ import annotations

import dataclasses
import itertools
import random
import threading
import time
from datetime import timedelta

import pytest

from tests.paper import Entry, House, Paper, atom, json_feed, rfc, rss
from worker.intake.model import Fate, Kind, Source
from worker.pipeline.polling import Poller


@pytest.fixture(scope="module")
def site():
    site = Paper()
    yield site
    site.close()


class Desk:
    """A house that reads one feed of the paper, whose entries are ``entries``."""

    def __init__(self, house, paper, write=rss):
        self.house, self.paper, self.write = house, paper, write
        self.sources, self.now = house.parts.sources, house.parts.now() - timedelta(seconds=5)
        self.entries, self.headers, self.extra = [], {}, ""
        paper.pages["/feed"] = lambda asked: (200, self.headers, self.text().encode())
        self.source = Source(
            id="main.lantern", kind=Kind.FEED, address=paper.base + "/feed", since=self.now, workspace="main"
        )
        self.sources.save(self.source)
        self.sources.watch(self.source, "lantern")
        self.poller = Poller(self.sources, house.parts.intake, house.parts.settings, rng=random.Random(1))

    def text(self):
        return self.write(self.paper.base, self.entries, *([self.extra] if self.extra else []))

    def publish(self, path, *, first=True, ago=0.0, **fields):
        """Put an article into the feed, and its page onto the site."""
        self.paper.write(path, path.strip("/"))
        published = fields.pop("published", self.house.parts.now() - timedelta(hours=ago))
        entry = Entry(path, fields.pop("title", f"The {path.strip('/')}"), published=published, **fields)
        self.entries.insert(0 if first else len(self.entries), entry)
        return entry

    def poll(self, **noted):
        """Let its time come, and poll it; the state afterwards."""
        if noted:
            self.sources.note(self.source.id, **noted)
        self.house.parts.store.client.zadd("handbill:{main}:polls", {self.source.id: 1})
        self.poller.round()
        return self.sources.state(self.source.id)

    def wait(self):
        """Seconds until the next poll."""
        state = self.sources.state(self.source.id)
        return (state.next_poll - state.polled).total_seconds()

    def fates(self):
        return {i.candidate.address.removeprefix(self.paper.base): str(i.fate) for i in self.house.items()}

    def shared(self):
        self.house.work()
        return sorted({link.removeprefix(self.paper.base) for link, _ in self.house.posts()})


@pytest.fixture
def desk(server, tmp_path, site):
    kept = dict(site.pages)
    site.asked.clear()
    house = House(server, tmp_path, site)
    made = Desk(house, site)
    yield made
    made.poller.close()
    house.close()
    site.pages.clear()
    site.pages.update(kept)


def test_the_first_reading_takes_nothing_old_and_the_second_every_new_one(desk):
    for n in range(5):
        desk.publish(f"/old-{n}", ago=24 * n + 1)
    assert desk.poll().read
    assert set(desk.fates().values()) == {"skipped"}
    assert {i.reason for i in desk.house.items()} == {"was there before the source was added"}
    for n in range(4):
        desk.publish(f"/new-{n}")
    desk.poll()
    assert desk.shared() == ["/new-0", "/new-1", "/new-2", "/new-3"]
    desk.poll()
    assert len(desk.shared()) == 4


def test_what_a_cached_feed_shows_late_waits_for_a_person_and_what_is_older_is_left_with_the_true_reason(desk):
    desk.publish("/old", ago=1)
    desk.poll()
    for n in range(5):
        desk.publish(f"/cached-{n}", published=desk.now - timedelta(minutes=3 + n))
    desk.publish("/yesterday", published=desk.now - timedelta(hours=23))
    desk.publish("/ancient", published=desk.now - timedelta(hours=25))
    desk.poll()
    assert desk.shared() == []
    told = {i.candidate.address.rpartition("/")[2]: (i.fate, i.reason) for i in desk.house.items()}
    early = "dated before the source was added, and in the feed only since: look before it goes out"
    assert {told.pop(f"cached-{n}") for n in range(5)} | {told.pop("yesterday")} == {(Fate.HELD, early)}
    assert told == {
        "old": (Fate.SKIPPED, "was there before the source was added"),
        "ancient": (Fate.SKIPPED, "is dated more than a day before the source was added"),
    }
    (cached,) = [i for i in desk.house.items() if i.candidate.address.endswith("cached-2")]
    desk.house.parts.intake.release(cached.id)
    desk.poll()
    assert desk.shared() == ["/cached-2"]


def test_a_first_reading_takes_as_many_old_ones_as_were_asked_for_the_newest(desk):
    for n in range(5):
        desk.publish(f"/old-{n}", ago=24 * (5 - n), first=False)
    desk.poll(backfill=2)
    assert desk.shared() == ["/old-3", "/old-4"]


def test_what_is_published_between_adding_and_reading_is_new_and_a_date_that_lies_ahead_proves_nothing(desk):
    desk.publish("/since", published=desk.now + timedelta(seconds=2))
    desk.publish("/ahead", published=desk.now + timedelta(days=30))
    desk.poll()
    assert desk.shared() == ["/since"]


@pytest.mark.parametrize("write", [rss, atom, json_feed])
def test_nothing_that_happens_to_a_known_article_shares_it_again(desk, write):
    desk.write = write
    for n in range(6):
        desk.publish(f"/{n}", ago=50 - n, guid=f"g{n}")
    desk.poll()
    desk.publish("/new", guid="new")
    desk.poll()
    assert desk.shared() == ["/new"]
    before = list(desk.entries)
    dice = random.Random(7)
    now = desk.house.parts.now()
    for change in (
        lambda e: dataclasses.replace(e, title=f"Edited: {e.title}"),
        lambda e: dataclasses.replace(e, guid=f"changed-{e.guid}"),
        lambda e: dataclasses.replace(e, published=now),
        lambda e: dataclasses.replace(e, published=now + timedelta(days=400)),
        lambda e: dataclasses.replace(e, published=None),
        lambda e: dataclasses.replace(e, path=f"{e.path}?utm_source=feed&utm_medium=rss"),
        lambda e: dataclasses.replace(e, path=f"{e.path}/"),
        lambda e: dataclasses.replace(e, path=f"{e.path}/amp"),
        lambda e: dataclasses.replace(e, path=f"{e.path}-renamed"),
        lambda e: dataclasses.replace(e, tags=("New",)),
    ):
        desk.entries = [change(e) for e in before]
        dice.shuffle(desk.entries)
        desk.poll()
        assert desk.shared() == ["/new"], change


def test_an_old_article_that_comes_back_into_the_window_is_left_out(desk):
    desk.publish("/a", ago=5)
    desk.poll()
    desk.publish("/buried", ago=900, first=False)
    desk.poll()
    assert desk.fates()["/buried"] == "skipped"
    assert desk.shared() == []


def test_an_undated_article_behind_known_ones_waits_for_a_person_and_one_before_them_is_new(desk):
    desk.publish("/a", published=None)
    desk.poll()
    desk.publish("/front", published=None)
    desk.publish("/behind", published=None, first=False)
    desk.poll()
    assert desk.shared() == ["/front"]
    assert desk.fates()["/behind"] == "held"


def test_too_many_at_once_wait_for_a_person(desk):
    desk.publish("/a", ago=1)
    desk.poll()
    for n in range(30):
        desk.publish(f"/n{n}")
    desk.poll()
    assert desk.shared() == []
    held = [i for i in desk.house.items() if i.fate is Fate.HELD]
    assert len(held) == 30
    assert held[0].reason == "30 new articles at once: look before they go out"
    desk.house.parts.intake.release(held[0].id)
    assert len(desk.shared()) == 1


def test_an_article_that_is_days_old_when_it_appears_waits_for_a_person(desk):
    source = dataclasses.replace(desk.source, since=desk.now - timedelta(days=100))
    desk.sources.save(source)
    desk.publish("/a", ago=1)
    desk.poll(read=True)
    desk.publish("/late", ago=24 * 9)
    desk.poll()
    assert desk.shared() == ["/a"]
    assert desk.fates()["/late"] == "held"


def test_entries_that_all_have_one_guid_are_told_apart_by_their_addresses(desk):
    desk.publish("/a", guid="same", ago=2)
    desk.publish("/b", guid="same", ago=1)
    desk.poll()
    desk.publish("/c", guid="same")
    desk.poll()
    assert desk.shared() == ["/c"]


def test_what_has_not_changed_is_not_sent_again(desk):
    desk.publish("/a")
    desk.headers = {"ETag": '"v1"', "Last-Modified": rfc(desk.now - timedelta(minutes=1)), "Date": rfc(desk.now)}
    desk.poll()
    desk.paper.pages["/feed"] = lambda asked: (304, {"ETag": '"v1"'}, b"")
    state = desk.poll()
    asked = desk.paper.asked[-1][1]
    assert (asked["if-none-match"], asked["if-modified-since"]) == ('"v1"', desk.headers["Last-Modified"])
    assert asked["user-agent"].startswith("Handbill/")
    assert "+https://" in asked["user-agent"]
    assert (state.failures, state.error, state.etag) == (0, "", '"v1"')


@pytest.mark.parametrize("ago", [0, 1, 2])
def test_two_articles_of_one_second_are_both_seen_although_their_feed_says_that_it_is_the_same(desk, ago):
    second = desk.now.replace(microsecond=0)
    desk.headers = {"ETag": '"of that second"', "Last-Modified": rfc(second), "Date": rfc(second)}
    desk.publish("/a")
    desk.headers["Date"] = rfc(second + timedelta(seconds=ago))
    desk.poll()
    desk.publish("/b")
    full = desk.paper.pages["/feed"]
    desk.paper.pages["/feed"] = lambda asked: (304, {}, b"") if "if-none-match" in asked else full(asked)
    desk.poll()
    assert desk.shared() == (["/a", "/b"] if ago < 2 else ["/a"])  # after two seconds nothing else is of that one


def test_the_contact_stands_in_the_user_agent(desk, monkeypatch):
    desk.house.parts.settings = desk.house.parts.settings.model_copy(update={"contact": "press@lantern.example"})
    desk.poller.close()
    desk.poller = Poller(desk.sources, desk.house.parts.intake, desk.house.parts.settings)
    desk.poll()
    assert desk.paper.asked[-1][1]["user-agent"].endswith("; press@lantern.example)")


@pytest.mark.parametrize(
    ("hours", "least", "most"),
    [(0.1, 300, 300), (3, 1800, 1800), (24, 3600, 3600)],
)
def test_a_feed_is_asked_in_its_own_rhythm(desk, hours, least, most):
    for n in range(8):
        desk.publish(f"/{n}", ago=hours * n, first=False)
    desk.poll()
    assert least * 0.9 <= desk.wait() <= most * 1.1


def test_a_feed_in_which_nothing_appears_is_asked_less_and_less(desk):
    for n in range(8):
        desk.publish(f"/{n}", ago=24 * 90 + n, first=False)
    desk.poll()
    assert 0.9 * 6 * 3600 <= desk.wait() <= 1.1 * 6 * 3600


def test_what_a_feed_and_its_server_ask_for_is_kept(desk):
    desk.extra = "<ttl>180</ttl>"
    desk.publish("/a")
    desk.poll()
    assert desk.wait() >= 180 * 60 * 0.9
    desk.extra = ""
    desk.headers = {"Cache-Control": "public, max-age=2400"}
    desk.poll()
    assert desk.wait() >= 2400 * 0.9


def test_a_feed_whose_hub_tells_us_is_asked_seldom(desk):
    desk.publish("/a")
    desk.poll(lease_until=desk.now + timedelta(days=5))
    assert desk.wait() >= 7200 * 0.9


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_asks_to_wait_is_left_alone_with_all_its_feeds(desk, status):
    desk.paper.pages["/feed"] = (status, {"Retry-After": "7200"}, b"")
    other = dataclasses.replace(desk.source, id="main.other", address=desk.paper.base + "/other")
    desk.sources.save(other)
    state = desk.poll()
    assert desk.wait() >= 7200
    assert state.error == f"it answered {status}"
    desk.sources.watch(other, "lantern")
    desk.poller.round()
    assert "/other" not in desk.paper.paths()


def test_a_server_with_errors_is_asked_ever_less_and_recovers(desk):
    desk.paper.pages["/feed"] = (500, {}, b"")
    waits = []
    for _ in range(5):
        desk.poll()
        waits.append(desk.wait())
    assert all(b > 1.5 * a for a, b in itertools.pairwise(waits))
    assert desk.sources.state(desk.source.id).failures == 5
    desk.publish("/a")
    desk.paper.pages["/feed"] = lambda _: (200, {}, desk.text().encode())
    assert desk.poll().failures == 0


def test_a_page_where_a_feed_was_is_an_error_and_loses_nothing(desk):
    desk.publish("/a", ago=1)
    desk.poll()
    kept = desk.paper.pages["/feed"]
    desk.paper.pages["/feed"] = "<!doctype html><title>We will be back</title>"
    assert desk.poll().error == "it is a web page"
    desk.paper.pages["/feed"] = kept
    desk.publish("/b")
    desk.poll()
    assert desk.shared() == ["/b"]


def test_an_address_that_is_gone_for_good_is_asked_no_more(desk):
    desk.paper.pages["/feed"] = (410, {}, b"")
    desk.poll()
    stopped = desk.sources.get(desk.source.id)
    assert not stopped.active
    assert "taken away for good (410)" in stopped.reason
    assert desk.sources.state(desk.source.id).next_poll is None
    assert not desk.house.parts.intake.notice(desk.source.id, "ping")


def test_a_feed_that_moved_for_good_is_asked_at_its_new_address_and_one_that_moved_for_now_is_not(desk):
    desk.publish("/a", ago=1)
    desk.paper.pages["/moved"] = desk.paper.pages["/feed"]
    desk.paper.pages["/feed"] = (302, {"Location": "/moved"}, b"")
    desk.poll()
    assert desk.sources.get(desk.source.id).address.endswith("/feed")
    desk.paper.pages["/feed"] = (301, {"Location": "/moved"}, b"")
    desk.poll()
    assert desk.sources.get(desk.source.id).address.endswith("/moved")
    desk.publish("/b")
    desk.poll()
    assert desk.shared() == ["/b"]


def test_what_somebody_sets_while_a_feed_is_read_stays_and_what_they_remove_stays_away(desk):
    desk.publish("/a", ago=1)
    desk.paper.pages["/moved"] = desk.paper.pages["/feed"]

    def moving(_):
        desk.sources.change(desk.source.id, lambda s: dataclasses.replace(s, name="Renamed"))
        return 301, {"Location": "/moved"}, b""

    desk.paper.pages["/feed"] = moving
    desk.poll()
    found = desk.sources.get(desk.source.id)
    assert (found.name, found.address.rpartition("/")[2]) == ("Renamed", "moved")

    def gone(_):
        desk.sources.remove(desk.source)
        return 410, {}, b""

    desk.paper.pages["/moved"] = gone
    desk.poll()
    assert desk.sources.all("main") == []


def test_a_move_to_nowhere_is_not_believed(desk):
    desk.paper.pages["/feed"] = (301, {"Location": "/none"}, b"")
    desk.poll()
    assert desk.sources.get(desk.source.id).address.endswith("/feed")


def test_robots_txt_is_asked_once_and_obeyed(desk):
    desk.paper.pages["/robots.txt"] = (
        "User-agent: Handbill\nDisallow: /feed\nCrawl-delay: 5\n\nUser-agent: *\nAllow: /\n"
    )
    state = desk.poll()
    assert "does not let Handbill read this" in state.error
    desk.poll()
    assert desk.paper.paths() == []
    assert len(desk.paper.asked) == 1


def test_after_a_ping_that_came_before_the_feed_it_is_asked_again_within_seconds(desk):
    desk.publish("/a", ago=5)
    desk.poll()
    assert desk.house.parts.intake.notice(desk.source.id, "ping")
    desk.poller.round()
    assert desk.wait() <= 6
    desk.publish("/b")
    desk.poll()
    assert desk.shared() == ["/b"]
    assert desk.wait() > 200


def test_a_sitemap_s_new_pages_are_taken_by_their_own_dates(desk):
    desk.sources.save(dataclasses.replace(desk.source, kind=Kind.SITEMAP))
    desk.write = lambda base, entries: (
        "<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>"
        + "".join(f"<url><loc>{base}{e.path}</loc></url>" for e in entries)
        + "</urlset>"
    )
    desk.publish("/a")
    desk.poll()
    old = desk.now - timedelta(days=400)
    desk.publish("/new")
    desk.publish("/found-late")
    desk.paper.write(
        "/found-late", "ferry", head=f'<meta property="article:published_time" content="{old.isoformat()}">'
    )
    desk.poll()
    assert desk.shared() == ["/new"]
    assert desk.fates()["/found-late"] == "skipped"


def test_a_mistake_of_ours_with_one_source_stops_no_other(desk, monkeypatch):
    desk.publish("/a", published=desk.now + timedelta(seconds=2))
    bad = dataclasses.replace(desk.source, id="main.bad", address=desk.paper.base + "/bad")
    desk.sources.save(bad)
    desk.sources.watch(bad, "bad")
    real = Poller.poll

    def poll(self, source, state, now):
        return 1 / 0 if source.id == bad.id else real(self, source, state, now)

    monkeypatch.setattr(Poller, "poll", poll)
    desk.poll()
    assert desk.sources.state(bad.id).error == "a mistake of ours: ZeroDivisionError"
    assert desk.shared() == ["/a"]


def test_a_slow_site_holds_up_no_other(desk):
    desk.publish("/a")
    polled = threading.Event()
    slow = dataclasses.replace(desk.source, id="main.slow", address=desk.paper.base + "/slow")
    desk.paper.pages["/slow"] = lambda _: (polled.wait(20), (200, {}, desk.text().encode()))[1]
    desk.sources.save(slow)
    desk.sources.watch(slow, "slow")
    desk.house.parts.store.client.zadd("handbill:{main}:polls", {desk.source.id: 1})
    thread = threading.Thread(target=desk.poller.round)
    thread.start()
    while not desk.sources.state(desk.source.id).read:
        assert thread.is_alive()
        time.sleep(0.02)
    assert not desk.sources.state(slow.id).read
    polled.set()
    thread.join(20)
    assert desk.sources.state(slow.id).read
