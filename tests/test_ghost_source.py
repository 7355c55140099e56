"""A real Ghost publishes for real, and tells by its own webhook: how soon the article is planned, and that it is once."""

from __future__ import annotations

import sys
import time

import pytest

from tests.newsroom import runtime
from tests.paper import PICTURE
from tests.ports import free_port
from tests.servers.ghost import Ghost, missing
from tests.test_wordpress_source import serving, text_of
from web.app import create_app
from worker.embedded import Embedded
from worker.gather import Gatherer
from worker.intake.model import Fate, Kind, Source
from worker.intake.webhooks import Kind as Event

pytestmark = [pytest.mark.release, pytest.mark.skipif(bool(missing()), reason=missing() or "all is here")]

SECRET = "a-secret-of-32-letters-and-more!"
SECONDS = 10.0


def test_a_ghost_is_heard_within_seconds_and_an_article_is_one(tmp_path, capsys):
    (tmp_path / "ghost").mkdir()
    site, port = Ghost(tmp_path / "ghost", picture=PICTURE), free_port()
    with Embedded.start(tmp_path / "redis") as redis, site:
        parts = runtime(
            redis, tmp_path, port=port, public_url=f"http://127.0.0.1:{port}", allow_hosts=site.host, host_gap_seconds=0
        )
        parts.accounts.connect("outbox", {}, workspace="main")
        source = Source(id="main.ghost", kind=Kind.FEED, address=f"{site.url}/rss/", since=parts.now())
        parts.sources.save(source)
        parts.sources.watch(source, "ghost")
        hook = parts.receiver.open(source, "ghost", (SECRET,))
        gatherer = Gatherer(parts, wake=parts.reader.work)
        gatherer.polled()
        events = ("post.added", "post.published", "post.published.edited", "post.unpublished", "post.deleted")
        with serving(create_app(parts), port):
            site.webhook(f"http://127.0.0.1:{port}/hooks/{hook.token}", SECRET, *events)
            taken = []
            for number in range(5):
                began = time.monotonic()
                post = site.publish(f"Number {number} in Ghost", text_of(f"ghost {number}"))
                while not (item := planned(parts, post)):
                    assert time.monotonic() - began < SECONDS, [
                        (i.fate, i.reason, i.candidate) for i in everything(parts)
                    ]
                    gatherer.woken()
                    time.sleep(0.05)
                taken.append(round(time.monotonic() - began, 2))
                assert (item.candidate.way, item.candidate.address) == (
                    "ghost",
                    f"{site.url}/number-{number}-in-ghost/",
                )
            edited = site.change(post, title="Another title")
            withdrawn = site.change(edited, status="draft")
            site.admin("DELETE", f"posts/{withdrawn['id']}/")
            end = time.monotonic() + SECONDS
            while Event.UNPUBLISHED not in (
                kinds := [h.event.kind for h in parts.hooks.heard("main") if h.event.id == post["id"]]
            ):
                assert time.monotonic() < end, kinds
                time.sleep(0.1)
            gatherer.polled()
            gatherer.woken()
        items = [i for i in everything(parts) if "ghost" in i.ways]
        parts.close()
    assert set(kinds) >= {Event.PUBLISHED, Event.UPDATED, Event.UNPUBLISHED}
    assert kinds.count(Event.PUBLISHED) == 1  # post.added and post.published are one
    assert len(items) == 5
    with capsys.disabled():
        sys.stdout.write(f"\nfrom publish in Ghost to planned in seconds: {taken}\n")


def everything(parts):
    return parts.sources.items([i for _, i in parts.sources.latest("main")])


def planned(parts, post):
    return next((i for i in everything(parts) if i.candidate.guid == post["id"] and i.fate is Fate.PLANNED), None)
