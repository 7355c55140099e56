"""The pages in a real browser: they load whole, live, by keyboard and without scripts, on a desk and on a phone."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
import uvicorn
from playwright.sync_api import expect, sync_playwright

from tests.newsroom import Newsroom, runtime, sign_in
from tests.ports import free_port, started
from web import gallery
from web.app import create_app
from worker import embedded, lifecycle
from worker.embedded import Embedded
from worker.model import Status
from worker.up import answers

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CI = os.environ.get("CI") == "true"
PATIENCE = 20_000  # ms: a machine that runs the whole suite is slow
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

SIGNED_IN = []
"""A cookie of each house's owner; their names carry the port."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.redis,
    pytest.mark.skipif(CHROMIUM is None and not CI, reason="Chromium is not installed; CI has it and skips nothing"),
]


class House:
    """The parts behind a real server on this machine, and the newsroom if there is one."""

    def __init__(self, parts, room=None, *, claimed=True):
        self.parts, self.room = parts, room
        self.app = create_app(parts, every=0.2)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        if claimed:
            SIGNED_IN.append(sign_in(parts, base=self.url).cookie)
        config = uvicorn.Config(
            self.app, port=self.port, log_config=None, proxy_headers=False, timeout_graceful_shutdown=5
        )
        self.server = uvicorn.Server(config)
        self.thread = started(self.server)

    def stop(self):
        self.app.state.live.end()
        self.server.should_exit = True
        self.thread.join()

    def id(self, name):
        return self.room.ids[name]

    def row(self, name):
        return f"#d-{self.id(name).replace('.', '-')}"

    def status(self, name):
        return self.parts.deliveries.get(self.id(name)).status

    def in_gallery(self):
        return sum(d.status not in lifecycle.GONE for d in self.parts.deliveries.several(self.room.ids.values()))


@contextlib.contextmanager
def running(folder, *, busy, **settings):
    with Embedded.start(folder) as redis:
        parts = runtime(redis, folder, **settings)
        room = Newsroom(parts, folder) if busy else None
        if room:
            room.busy()
        house = House(parts, room)
        try:
            yield house
        finally:
            house.stop()
            parts.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """One newsroom for all; each test that changes something has deliveries of its own to change."""
    with running(tmp_path_factory.mktemp("house"), busy=True) as started:
        yield started


@pytest.fixture
def empty(tmp_path):
    """A house without a post, to be stopped."""
    with running(tmp_path, busy=False) as started:
        yield started


@pytest.fixture(scope="module")
def browser():
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser):
    """Open an address; whatever the browser complains about fails the test."""
    with contextlib.ExitStack() as stack:
        complaints = []

        def go(address, *, wrong=False, **options):
            options.setdefault("timezone_id", "Europe/Vienna")
            context = browser.new_context(**options)
            context.add_cookies(SIGNED_IN)
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(PATIENCE)
            if not wrong:
                page.on("console", lambda m: complaints.append(m.text) if m.type in {"error", "warning"} else None)
                page.on("pageerror", lambda e: complaints.append(str(e)))
                page.on(
                    "requestfailed", lambda r: complaints.append(r.url) if r.failure != "net::ERR_ABORTED" else None
                )
            page.goto(address)
            return page

        yield go
    assert complaints == []


def load_pictures(page):
    """Scroll to every picture, as a reader would; returns how many there are and how many of them could be shown."""
    pictures = page.locator("main img")
    for number in range(pictures.count()):
        pictures.nth(number).scroll_into_view_if_needed()
        pictures.nth(number).evaluate("p => p.decode()")
    shown = pictures.evaluate_all("all => all.filter(p => p.complete && p.naturalWidth > 0).length")
    return pictures.count(), shown


DESK, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}


def test_every_page_is_whole_on_a_desk_and_on_a_phone_by_day_and_by_night(house, visit):
    addresses = ["/gallery", f"/queue?show=decide&open={house.id('linkedin-1')}", f"/queue?open={house.id('x-2')}"]
    for size, scheme in ((DESK, "light"), (PHONE, "dark")):
        for address in addresses:
            page = visit(house.url + address, viewport=size, color_scheme=scheme)
            expect(page.locator("#live")).to_have_text("Live")
            wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert wide[0] <= wide[1], (address, size)
            total, shown = load_pictures(page)
            assert total == shown
            if address == "/gallery":
                assert total == house.in_gallery()
            page.context.close()


def test_the_queue_and_the_gallery_follow_what_happens(house, visit):
    queue, posts = visit(f"{house.url}/queue"), visit(f"{house.url}/gallery")
    expect(queue.locator(f"{house.row('linkedin-2')} .chip.wait")).to_have_text("scheduled")
    posts.locator(".alt summary").first.click()

    house.parts.deliveries.change(
        house.id("linkedin-2"), Status.CANCELLED, origins=[Status.SCHEDULED], note="cancelled elsewhere"
    )

    expect(queue.locator(f"{house.row('linkedin-2')} td.status")).to_have_text("cancelled")
    expect(queue.locator(".tabs a").last).to_have_text(re.compile("Ended [1-9]"))
    expect(posts.locator(".post")).to_have_count(house.in_gallery())
    assert posts.locator(".alt[open]").count() == 1, "what a reader had opened stays open"


def test_a_page_says_when_it_is_no_longer_live(empty, visit):
    page = visit(f"{empty.url}/queue", wrong=True)
    expect(page.locator("#live")).to_have_text("Live")

    empty.stop()

    expect(page.locator("#live")).to_have_text("Not live, trying again")


def test_a_row_opens_by_keyboard_and_the_address_can_be_passed_on(house, visit):
    page = visit(f"{house.url}/queue")
    link = page.locator(f"{house.row('x-2')} th a")
    assert link.get_attribute("aria-expanded") == "false"

    link.focus()
    page.keyboard.press("Enter")

    history = page.locator(f"{house.row('x-2')} .history li")
    expect(history.last).to_contain_text("Rejected: X refuses the post")
    expect(link).to_be_focused()
    expect(link).to_have_attribute("aria-expanded", "true")
    assert page.url.startswith(f"{house.url}/queue?show=all&open={house.id('x-2')}")
    expect(visit(page.url).locator(f"{house.row('x-2')} .history li")).to_have_count(history.count())
    page.keyboard.press("Enter")
    expect(page.locator(".history")).to_have_count(0)
    page.go_back()
    expect(page.locator(".history")).to_have_count(1)


def test_the_first_tab_stop_leads_past_the_navigation(house, visit):
    page = visit(f"{house.url}/gallery")

    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("Enter")

    expect(page.locator("main")).to_be_focused()


def test_a_person_settles_a_parked_post(house, visit):
    page = visit(f"{house.url}/queue?open={house.id('linkedin-1')}")
    again = page.get_by_role("button", name="Send it again")
    expect(again).to_be_hidden()
    page.get_by_text("It is not there").click()
    expect(page.get_by_text("If you are wrong, readers see it twice.")).to_be_visible()
    expect(again).to_be_visible()

    page.get_by_label("Its address or id").fill("https://www.linkedin.com/feed/update/urn:li:share:7")
    page.get_by_role("button", name="It is there").click()

    expect(page.locator(f"{house.row('linkedin-1')} td.status")).to_have_text("published")
    expect(page.get_by_role("status").filter(has_text="You settled it.")).to_be_visible()
    expect(page.locator(f"{house.row('linkedin-1')} td.what a")).to_have_attribute(
        "href", "https://www.linkedin.com/feed/update/urn:li:share:7"
    )
    assert house.status("linkedin-1") is Status.PUBLISHED


def test_what_cannot_be_undone_is_asked_twice(house, visit):
    page = visit(f"{house.url}/queue?open={house.id('mastodon-2')}")
    never = page.get_by_role("button", name="Never send it")
    expect(never).to_be_hidden()

    page.get_by_text("Cancel it").click()
    never.click()

    expect(page.locator(f"{house.row('mastodon-2')} td.status")).to_have_text("cancelled")
    assert house.status("mastodon-2") is Status.CANCELLED


def test_everything_works_without_scripts(house, visit):
    page = visit(f"{house.url}/queue", java_script_enabled=False)

    page.locator(f"{house.row('telegram-2')} th a").click()
    page.get_by_role("button", name="Approve").click()

    expect(page.locator(f"{house.row('telegram-2')} td.status")).to_have_text("scheduled")
    page.get_by_role("link", name="Gallery").click()
    expect(page.locator(".post")).to_have_count(house.in_gallery())


def test_the_gallery_opens_from_the_disk_without_any_server(house, visit, tmp_path):
    place = tmp_path / "given away" / "gallery.html"
    gallery.write(house.parts, place)

    page = visit(place.as_uri(), viewport=DESK, offline=True)

    assert load_pictures(page) == (house.in_gallery(), house.in_gallery())
    expect(page.locator("h1")).to_have_text("Gallery")
    assert re.search(r"Georgia|system-ui", page.evaluate("getComputedStyle(document.body).fontFamily"))
    assert page.evaluate("getComputedStyle(document.querySelector('.frame')).borderRadius") == "14px"


def test_a_proxy_that_hides_itself_is_refused_by_its_old_protocol(house):
    with socket.create_connection(("127.0.0.1", house.port)) as connection:
        connection.sendall(b"GET /queue HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    assert answer.startswith(b"HTTP/1.1 403 ")


def test_the_server_stops_at_once_although_pages_are_open(empty, visit):
    page = visit(f"{empty.url}/queue", wrong=True)
    expect(page.locator("#live")).to_have_text("Live")

    begun = time.monotonic()
    empty.stop()

    assert time.monotonic() - begun < 10


def test_the_command_prints_the_first_run_and_leaves_no_redis_behind_although_a_page_is_open(tmp_path, visit):
    port = free_port()
    environment = {
        **os.environ,
        "HANDBILL_DATA_DIR": str(tmp_path),
        "HANDBILL_PORT": str(port),
        "HANDBILL_REDIS_URL": "",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "worker", "web"], env=environment, stderr=subprocess.PIPE, text=True
    )
    link = re.search(r"http://\S+/welcome\?link=\S+", process.stderr.readline())[0]
    deadline = time.monotonic() + PATIENCE / 1000
    while not answers(f"http://127.0.0.1:{port}/healthz"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    page = visit(link, wrong=True)
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Mail address").fill("ada@example.org")
    page.get_by_label("Password").fill("four words that belong")
    page.get_by_role("button", name="Make the owner account").click()
    expect(page.locator("#live")).to_have_text("Live")

    process.send_signal(signal.SIGTERM)

    process.stderr.close()
    assert process.wait(PATIENCE / 1000) == 0
    assert embedded.running(tmp_path) is None
