"""A real WordPress publishes for real, by its update service and by the plugin that Handbill ships: how soon it is known."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest
import uvicorn

from tests.newsroom import runtime
from tests.servers.wordpress import WordPress, free_port, missing
from web.app import create_app
from worker.embedded import Embedded
from worker.intake.model import Kind, Source
from worker.intake.webhooks import Kind as Event

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "all is here")

SECRET = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
SECONDS = 10.0


@contextlib.contextmanager
def serving(app, port):
    """The application on a real port of this machine."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(10)


class House:
    """A WordPress and a Handbill beside it, each knowing the other's address."""

    def __init__(self, folder, redis):
        port = free_port()
        self.parts = runtime(redis, folder, port=port, public_url=f"http://127.0.0.1:{port}")
        self.parts.store.client.flushdb()
        self.source = Source(id="main.lantern", kind=Kind.FEED)
        self.hook = self.parts.receiver.open(self.source, "wordpress", (SECRET,))
        address = f"http://127.0.0.1:{port}/hooks/{self.hook.token}"
        config = f"define( 'HANDBILL_HOOK', '{address}' ); define( 'HANDBILL_SECRET', '{SECRET}' );"
        self.site = WordPress(folder / "wordpress", ping=address, plugin=True, config=config)
        self.app, self.port = create_app(self.parts), port

    def hint(self):
        return self.parts.sources.state(self.source.id).hint

    def items(self):
        rows = self.parts.sources.latest("main")
        return self.parts.sources.items([i for _, i in rows])

    def wait(self, done):
        """Seconds until ``done``, while readers look at the site now and then."""
        began = time.monotonic()
        while not done():
            assert time.monotonic() - began < SECONDS
            self.site.visit()
            time.sleep(0.1)
        return time.monotonic() - began


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wordpress")
    with Embedded.start(folder / "redis", fsync="everysec") as redis:
        made = House(folder, redis)
        with serving(made.app, made.port), made.site as site:
            made.source = Source(id="main.lantern", kind=Kind.FEED, address=f"{site.url}/feed/")
            made.parts.sources.save(made.source)
            yield made
        made.parts.close()


def test_publishing_is_known_within_seconds_by_ping_and_by_webhook(house):
    post = house.site.publish("Tide gates close at last", "<p>The tide gates closed for the first time.</p>")
    heard = house.wait(house.items)
    (item,) = house.items()
    assert (item.candidate.address, item.candidate.title) == (post["link"], "Tide gates close at last")
    assert (item.source, item.candidate.way, item.candidate.guid) == ("main.lantern", "wordpress", str(post["id"]))

    pinged = house.wait(lambda: house.hint() == "ping")
    assert heard < SECONDS
    assert pinged < SECONDS


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
