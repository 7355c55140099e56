"""The first run in a real browser, as a newcomer clicks: an owner account, a first account, a first source, an article."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect

from tests import test_pages
from tests.newsroom import runtime
from tests.paper import Entry, Paper, rss
from tests.test_pages import PHONE
from worker import team
from worker.embedded import Embedded
from worker.pipeline.follow import Follow

pytestmark, browser = test_pages.pytestmark, test_pages.browser
DESK = {"width": 1280, "height": 900}
SECONDS, CLICKS, FIELDS = 180, 7, 5
"""What a newcomer may need: the three minutes of the purpose, and so little that they are enough for a person."""


class Newcomer:
    """Somebody with the one-time link and nothing else, who is counted."""

    def __init__(self, page):
        self.page = page
        self.pages = self.clicks = self.fields = 0
        page.on("framenavigated", self._came)

    def _came(self, frame):
        self.pages += frame.parent_frame is None

    def press(self, role, name, within="main"):
        self.clicks += 1
        self.page.locator(within).get_by_role(role, name=name).click()

    def fill(self, label, words):
        self.fields += 1
        self.page.get_by_label(label).fill(words)


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    with Embedded.start(tmp_path_factory.mktemp("first")) as running:
        yield running


@pytest.fixture
def house(redis, rehearsal, tmp_path):
    paper = Paper()
    address = paper.write("/footbridge", "footbridge")
    entries = [Entry("/footbridge", title="Larkhaven mends its footbridge")]
    head = f'<link rel="alternate" type="application/rss+xml" href="{paper.base}/feed">'
    paper.pages[""] = paper.pages["/"] = f"<html><head><title>The Lantern</title>{head}</head><body>News</body></html>"
    paper.pages["/feed"] = (200, {"Content-Type": "application/rss+xml"}, rss(paper.base, entries).encode())
    parts = runtime(redis, tmp_path, rehearsal_url=rehearsal, allow_hosts=paper.host, host_gap_seconds=0)
    parts.store.client.flushdb()
    started = test_pages.House(parts, claimed=False)
    started.address, started.site = address, paper.base
    yield started
    started.stop()
    parts.close()
    paper.close()


@pytest.mark.parametrize(
    ("size", "zone"),
    [(DESK, "America/New_York"), (PHONE, "Asia/Kolkata")],
    ids=["desk in New York", "phone in Kolkata"],
)
def test_a_newcomer_connects_the_first_account_and_source_within_three_minutes(house, browser, size, zone):
    complaints = []
    context = browser.new_context(viewport=size, timezone_id=zone)
    page = context.new_page()
    page.set_default_timeout(test_pages.PATIENCE)
    page.on("console", lambda m: complaints.append(m.text) if m.type in {"error", "warning"} else None)
    page.on("pageerror", lambda e: complaints.append(str(e)))
    newcomer, begun = Newcomer(page), time.monotonic()

    page.goto(f"{house.url}/welcome?link={team.first_link(house.parts)}")
    newcomer.fill("Your name", "Ada")
    newcomer.fill("Mail address", "ada@example.org")
    newcomer.fill("Password", "four words that belong")
    newcomer.press("button", "Make the owner account")
    steps = page.locator(".steps li")
    expect(steps).to_have_count(3)
    expect(page.locator(".steps li.done")).to_have_count(0)

    newcomer.press("link", "Connect an account")
    newcomer.press("link", re.compile("^Mastodon"))
    newcomer.press("button", "Connect a rehearsal")
    expect(page.locator(".account")).to_contain_text("Ready")
    newcomer.press("link", "Add a source")
    newcomer.fill("Follow a site", house.site)
    newcomer.press("button", "Find its feeds")
    expect(page.get_by_role("heading", name="The Lantern")).to_be_visible()
    newcomer.fill("Take of what is there already", "1")
    newcomer.press("button", "Follow it")
    expect(page.locator(".flash")).to_contain_text("The Lantern is followed from now on.")
    took = time.monotonic() - begun

    ((account,), (source,)) = house.parts.records.accounts("main"), house.parts.sources.all("main")
    assert (account.platform, account.zone, account.rehearsal) == ("mastodon", zone, True)
    assert (source.name, source.rules.at) == ("The Lantern", "inbox")
    follow = Follow(house.parts)
    follow.poll(source)  # what the intake worker does within the minute
    follow.close()
    for item in house.parts.sources.take_items(wake=60)[0]:
        house.parts.reader.work(item)
    newcomer.press("link", "Inbox", within="nav:visible")
    expect(page.locator(".letter h2")).to_contain_text("footbridge")
    newcomer.press("button", "Accept", within=".letter")
    expect(page.locator(".flash")).to_contain_text("1 article accepted.")
    assert len(house.parts.deliveries.ids(most=9)) == 1

    context.close()
    assert complaints == []
    told = {"seconds": round(took, 1), "pages": newcomer.pages, "clicks": newcomer.clicks, "fields": newcomer.fields}
    assert took < SECONDS
    assert newcomer.clicks - 2 <= CLICKS, told  # the inbox and the article come after it
    assert newcomer.fields <= FIELDS, told
