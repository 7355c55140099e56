"""Posting by hand on a phone, in a real browser: everything is copied, shared and kept, and 'it is posted' ends it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from tests.newsroom import runtime
from tests.ports import free_port, started
from tests.test_pages import CHROMIUM, CI, FLAGS, PATIENCE
from web.app import create_app
from worker import reminders
from worker.embedded import Embedded
from worker.model import Status, delivery_id
from worker.schedule import When
from worker.settings import TEMPLATES

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.redis,
    pytest.mark.skipif(CHROMIUM is None and not CI, reason="Chromium is not installed; CI has it and skips nothing"),
]


class House:
    """The real engine and pages, an outbox in which Anna reads what she is told, and an article planned for Medium."""

    def __init__(self, redis, folder):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.parts = runtime(redis, folder, port=self.port, public_url=self.url)
        self.app = create_app(self.parts)
        self.server = uvicorn.Server(
            uvicorn.Config(self.app, port=self.port, log_config=None, proxy_headers=False, timeout_graceful_shutdown=5)
        )
        self.thread = started(self.server)
        accounts = self.parts.accounts
        self.outbox = accounts.connect("outbox", {"folder": str(folder / "told")}, workspace="main", name="Anna")
        settings = {"person": "Anna", "channel": self.outbox.id}
        self.medium = accounts.connect("medium", settings, workspace="main")
        self.engine = self.parts.engine(wake=lambda _: None, depth=lambda: 0)

    def told(self):
        """Plan the sample for Medium, due now, and what Anna is told of it."""
        article = self.parts.planner.ingest(str(TEMPLATES / "sample" / "index.html"), workspace="main")
        due = datetime.now(UTC) - timedelta(seconds=1)
        self.parts.planner.plan(article.id, [self.medium], due=lambda a, _: When(due, "", a.zone))
        self.delivery = delivery_id(article.id, self.medium.id, 0)
        assert self.engine.publish(self.delivery) == Status.AWAITING_PERSON
        found = self.parts.deliveries.get(self.delivery)
        text = (Path(self.outbox.settings["folder"]) / f"{found.steps[0].reminders[0].id}.json").read_text()
        return re.search(rf"{self.url}/by-hand/[^\s\"\\]+", text)[0]

    def stop(self):
        self.app.state.live.end()
        self.server.should_exit = True
        self.thread.join()
        self.parts.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hand")
    with Embedded.start(folder / "redis") as redis:
        started = House(redis, folder)
        yield started
        started.stop()


@pytest.fixture(scope="module")
def browser():
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


SHARED = """
window.handed = [];
navigator.canShare = (data) => Boolean(data.files?.length);
navigator.share = async (data) => window.handed.push({ text: data.text, files: (data.files ?? []).map((f) => [f.name, f.type, f.size]) });
"""


def test_anna_posts_on_her_phone(house, browser):
    address = house.told()
    post = house.parts.deliveries.get(house.delivery).steps[0].post
    context = browser.new_context(
        viewport=PHONE, has_touch=True, is_mobile=True, permissions=["clipboard-read", "clipboard-write"]
    )
    context.add_init_script(SHARED)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    said = []
    page.on("console", lambda m: said.append(m.text) if m.type in {"error", "warning"} else None)
    page.on("pageerror", lambda e: said.append(str(e)))
    asked = []
    page.route("**/picture/*", lambda r: asked.append(r) if r.request.resource_type == "fetch" else r.continue_())
    page.goto(address)

    expect(page.get_by_role("heading", name="Post on Medium")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.get_by_role("button", name="Copy").first.tap()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == post.text
    picture = page.locator("img[data-share]")
    assert picture.evaluate("i => i.complete && i.naturalWidth") == post.media[0].width
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save").tap()
    assert saved.value.suggested_filename == "picture-1.jpg"

    share = page.get_by_role("button", name="Share…")
    expect(share).to_be_hidden()  # while it would hand over the text alone
    for route in asked:
        route.continue_()
    share.tap()
    page.wait_for_function("window.handed.length === 1")
    assert page.evaluate("window.handed[0]") == {
        "text": post.text,
        "files": [["picture-1.jpg", "image/jpeg", post.media[0].size]],
    }
    found = Axe().run(page, options=AXE)
    assert [v["id"] for v in found.response["violations"]] == []
    for button in page.locator("main button, main .button").all():
        assert button.bounding_box()["height"] >= 40

    page.get_by_label("Its address").fill("https://medium.com/@anna/lighthouse")
    page.get_by_role("button", name="It is posted").tap()
    expect(page.get_by_role("heading", name="It is on Medium")).to_be_visible()
    assert page.get_by_role("link", name="See the post").get_attribute("href") == "https://medium.com/@anna/lighthouse"
    done = house.parts.deliveries.get(house.delivery)
    assert (done.status, done.receipt.url) == (Status.PUBLISHED, "https://medium.com/@anna/lighthouse")
    assert said == []
    context.close()


def test_without_scripts_everything_is_there_and_it_can_be_said_that_it_is_done(house, browser):
    house.parts.store.client.flushdb()
    for account in (house.outbox, house.medium):
        house.parts.records.save_account(account)
    address = house.told()
    context = browser.new_context(viewport=PHONE, java_script_enabled=False)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    expect(page.get_by_role("button", name="Share…")).to_be_hidden()
    page.get_by_role("button", name="It is posted").click()
    expect(page.get_by_role("heading", name="It is on Medium")).to_be_visible()
    assert house.parts.deliveries.get(house.delivery).status is Status.PUBLISHED
    context.close()


def test_a_link_that_is_over_says_so(house, browser):
    page = browser.new_page(viewport=PHONE)
    old = reminders.address(house.parts.settings, "main.x", datetime.now(UTC) - timedelta(days=15))
    assert page.goto(old).status == 404
    expect(page.get_by_text("This link leads nowhere, or no more")).to_be_visible()
    page.close()
