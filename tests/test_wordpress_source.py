"""A real WordPress publishes for real, by its update service and by the plugin that Handbill ships: how soon it is known."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time

import pytest
import uvicorn

from tests.newsroom import KEY, runtime
from tests.ports import free_port, started
from tests.servers.wordpress import WordPress, missing
from web.app import create_app
from worker.embedded import Embedded
from worker.gather import Gatherer
from worker.intake.model import Fate, Kind, Source
from worker.intake.webhooks import Kind as Event

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "all is here")

SECRET = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
SECONDS = 30.0


@contextlib.contextmanager
def serving(app, port):
    """The application on a real port of this machine."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="off"))
    thread = started(server)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(10)


class House:
    """A WordPress and a Handbill beside it, each knowing the other's address; ``work`` is what its workers do."""

    def __init__(self, folder, redis):
        port = free_port()
        self.site = WordPress(folder / "wordpress")
        self.parts = runtime(
            redis,
            folder,
            port=port,
            public_url=f"http://127.0.0.1:{port}",
            allow_hosts=self.site.host,
            host_gap_seconds=0,
        )
        self.parts.store.client.flushdb()
        self.parts.accounts.connect("outbox", {}, workspace="main")
        self.source = Source(
            id="main.lantern", kind=Kind.FEED, address=f"{self.site.url}/feed/", since=self.parts.now()
        )
        self.parts.sources.save(self.source)
        hook = self.parts.receiver.open(self.source, "wordpress", (SECRET,))
        self.address = f"http://127.0.0.1:{port}/hooks/{hook.token}"
        self.app, self.port = create_app(self.parts), port
        self.gatherer = Gatherer(self.parts, wake=self.parts.reader.work)

    def work(self):
        self.gatherer.polled()
        self.gatherer.woken()

    def pinged_and_polled(self, since):
        """Whether the feed was pinged since an instant, and read after that."""
        state = self.parts.sources.state(self.source.id)
        return state.hint == "ping" and state.noticed > since and state.polled > state.noticed

    def items(self):
        rows = self.parts.sources.latest("main")
        return self.parts.sources.items([i for _, i in rows])

    def planned(self, post):
        """The item of a post, if it was planned."""
        return next((i for i in self.items() if i.candidate.address == post["link"] and i.fate is Fate.PLANNED), None)

    def wait(self, done):
        """Seconds until ``done``, while readers look at the site now and then."""
        began = time.monotonic()
        while not done():
            assert time.monotonic() - began < SECONDS, self.items()
            self.site.visit()
            self.work()
            time.sleep(0.1)
        return time.monotonic() - began


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wordpress")
    with Embedded.start(folder / "redis") as redis:
        made = House(folder, redis)
        with serving(made.app, made.port), made.site:
            made.site.visit("/feed/")
            made.parts.sources.watch(made.source, "lantern")
            made.work()
            yield made
        made.parts.close()


WORDS = [
    "harbour",
    "bridge",
    "council",
    "winter",
    "storm",
    "library",
    "school",
    "market",
    "river",
    "engine",
    "festival",
    "museum",
    "garden",
    "tower",
    "winter",
    "ferry",
    "baker",
    "teacher",
    "singer",
    "farmer",
    "doctor",
    "sailor",
    "painter",
    "opened",
    "closed",
    "mended",
    "painted",
    "visited",
    "counted",
    "promised",
    "refused",
    "measured",
    "delivered",
    "yesterday",
    "slowly",
    "together",
    "again",
    "quietly",
    "finally",
    "northern",
    "ancient",
    "wooden",
    "crowded",
    "expensive",
]


def text_of(number):
    """A text like no other."""
    draw = random.Random(number)
    return "".join(f"<p>The {' '.join(draw.choice(WORDS) for _ in range(14))}.</p>" for _ in range(8))


TEXT = "".join(
    f"<p>The tide gates of Larkhaven closed for the {n} time on Monday, and the harbour stayed dry.</p>"
    for n in range(5)
)


def test_a_wordpress_with_its_update_service_alone_is_planned_within_seconds(house):
    house.site.ping(house.address)
    before = len(house.items())
    post = house.site.publish("Tide gates close at last", TEXT)
    seconds = house.wait(lambda: house.planned(post))
    item = house.planned(post)
    assert (item.candidate.way, item.source, len(item.deliveries)) == ("feed", "main.lantern", 1)
    assert house.parts.sources.state(house.source.id).hint == "ping"
    assert len(house.items()) == before + 1
    assert seconds < SECONDS
    house.site.ping("")


def test_a_wordpress_with_our_plugin_is_planned_within_seconds_and_once_however_it_was_heard_of(house):
    house.site.plug_in(house.address, SECRET)
    house.site.ping(house.address)
    before, began = len(house.items()), house.parts.now()
    post = house.site.publish("A bridge is mended", TEXT.replace("tide gates", "bridge"))
    seconds = house.wait(lambda: house.planned(post))
    item = house.planned(post)
    assert (item.candidate.way, item.candidate.guid) == ("wordpress", str(post["id"]))
    house.wait(lambda: house.pinged_and_polled(began))
    assert len(house.items()) == before + 1
    assert len(house.parts.records.deliveries_of(item.article)) == 1
    assert seconds < SECONDS


def test_drafts_are_not_heard_of_and_an_edit_is_no_second_article(house):
    before = len(house.items())
    draft = house.site.rest("POST", "/wp/v2/posts", {"title": "A draft", "content": "x", "status": "draft"})
    post = house.site.publish("A second article", "<p>Text.</p>", date_gmt="2026-11-20T10:00:00")
    for words in ("corrected", "corrected once more"):
        house.site.rest("POST", f"/wp/v2/posts/{post['id']}", {"content": f"<p>Text, {words}.</p>"})
    told = house.parts.hooks.heard("main")
    assert [h for h in told if h.event.id == str(draft["id"])] == []
    kinds = [h.event.kind for h in told if h.event.id == str(post["id"])]
    assert set(kinds[:-1]) == {Event.UPDATED}
    assert kinds[-1] is Event.PUBLISHED
    assert len(house.items()) == before + 1


def test_what_is_withdrawn_and_deleted_is_told(house):
    post = house.site.publish("Withdrawn soon", "<p>Text.</p>")
    number = str(post["id"])
    house.site.rest("POST", f"/wp/v2/posts/{number}", {"status": "draft"})
    house.site.rest("POST", f"/wp/v2/posts/{number}", {"status": "publish"})
    house.site.rest("DELETE", f"/wp/v2/posts/{number}")
    told = [h.event for h in house.parts.hooks.heard("main") if h.event.id == number]
    assert [e.kind for e in reversed(told)][:2] == [Event.PUBLISHED, Event.UNPUBLISHED]
    assert told[0].kind is Event.DELETED


def answers(port):
    """Whether the web page's process listens."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@pytest.mark.nightly
def test_with_every_process_running_publishing_leads_to_a_post_within_seconds(tmp_path, capsys):
    figures = {}
    with Embedded.start(tmp_path / "redis") as redis:
        house = House(tmp_path, redis)
        environment = {
            **os.environ,
            "HANDBILL_DATA_DIR": str(tmp_path),
            "HANDBILL_REDIS_URL": redis.url,
            "HANDBILL_SECRET_KEY": KEY,
            "HANDBILL_PORT": str(house.port),
            "HANDBILL_REHEARSAL_PORT": str(free_port()),
            "HANDBILL_PUBLIC_URL": house.parts.settings.public_url,
            "HANDBILL_ALLOW_HOSTS": house.site.host,
        }
        with (tmp_path / "up.log").open("wb") as log:
            up = subprocess.Popen([sys.executable, "-m", "worker", "up"], env=environment, stdout=log, stderr=log)
        try:
            with house.site:
                house.parts.sources.watch(house.source, "lantern")
                began = time.monotonic()
                # WordPress pings once: whoever is not listening yet hears of the article when the feed is polled.
                while house.parts.sources.state(house.source.id).polled is None or not answers(house.port):
                    assert time.monotonic() - began < 120, (tmp_path / "up.log").read_text()[-3000:]
                    time.sleep(0.2)
                for way in ("ping", "webhook"):
                    house.site.ping(house.address if way == "ping" else "")
                    if way == "webhook":
                        house.site.plug_in(house.address, SECRET)
                    for number in range(5):
                        began = time.monotonic()
                        post = house.site.publish(f"Number {number} by {way}", text_of(f"{way} {number}"))
                        while not (item := house.planned(post)):
                            assert time.monotonic() - began < SECONDS, house.items()
                            house.site.visit()
                            time.sleep(0.05)
                        planned = time.monotonic() - began
                        while house.parts.deliveries.get(item.deliveries[0]).status != "published":
                            assert time.monotonic() - began < 3 * SECONDS
                            time.sleep(0.05)
                        figures.setdefault(way, []).append((round(planned, 2), round(time.monotonic() - began, 2)))
        finally:
            up.send_signal(signal.SIGINT)
            up.wait(60)
            house.parts.close()
    with capsys.disabled():
        sys.stdout.write(f"\nfrom publish to (planned, posted) in seconds: {figures}\n")
    assert all(planned < SECONDS for pairs in figures.values() for planned, _ in pairs), figures
