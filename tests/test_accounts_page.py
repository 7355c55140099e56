"""The accounts page in a real browser: every platform connected by consent, looked after, removed; by keyboard, on a phone."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import subprocess
import sys
from datetime import timedelta

import httpx
import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

import publishers
from publishers.core.oauth import instant
from tests.newsroom import runtime, sign_in
from tests.ports import free_port, started
from tests.test_pages import CHROMIUM, CI, FLAGS, PATIENCE
from web.app import create_app
from worker.embedded import Embedded
from worker.people import Role
from worker.store.people import digest

NAMES = [n for n in publishers.names() if publishers.load(n).oauth]
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.redis,
    pytest.mark.skipif(CHROMIUM is None and not CI, reason="Chromium is not installed; CI has it and skips nothing"),
]


class House:
    """The pages and the stand-ins, each on an address of its own."""

    def __init__(self, redis, folder, rehearsal):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.parts = runtime(redis, folder, port=self.port, rehearsal_url=rehearsal)
        self.app = create_app(self.parts, every=0.2)
        self.owner = sign_in(self.parts, base=self.url)
        config = uvicorn.Config(
            self.app, port=self.port, log_config=None, proxy_headers=False, timeout_graceful_shutdown=5
        )
        self.server = uvicorn.Server(config)
        self.thread = started(self.server)

    def stop(self):
        self.app.state.live.end()
        self.server.should_exit = True
        self.thread.join()
        self.parts.close()

    def ids(self):
        return [a.id for a in self.parts.records.accounts("main")]

    def settle(self, account, **settings):
        """Give an account other settings, such as a token that ends."""
        self.parts.records.change_account(
            account, lambda a, _: (dataclasses.replace(a, settings={**a.settings, **settings}), None)
        )


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    folder = tmp_path_factory.mktemp("accounts")
    command = [sys.executable, "-m", "rehearsal", "--port", "0", "--dir", str(folder / "stand-ins")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            with Embedded.start(folder / "redis") as redis:
                started = House(redis, folder, process.stdout.readline().strip())
                try:
                    yield started
                finally:
                    started.stop()
        finally:
            process.terminate()


@pytest.fixture(autouse=True)
def emptied(house):
    for account in house.parts.records.accounts("main"):
        house.parts.records.remove_account(account)
    for scope in house.parts.deliveries.paused():
        house.parts.deliveries.resume(scope)


@pytest.fixture(scope="module")
def browser():
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, house):
    """Open an address as somebody; whatever the browser complains about fails the test."""
    with contextlib.ExitStack() as stack:

        def opened(path, *, who=None, viewport=DESK, scheme="light"):
            context = browser.new_context(viewport=viewport, color_scheme=scheme, timezone_id="Europe/Vienna")
            stack.callback(context.close)
            context.add_cookies([(who or house.owner).cookie])
            page = context.new_page()
            page.set_default_timeout(PATIENCE)
            said = []
            page.on("console", lambda m: said.append(m.text) if m.type == "error" and "422" not in m.text else None)
            page.on("pageerror", lambda e: said.append(str(e)))
            stack.callback(lambda: said and pytest.fail(f"the browser complains: {said}"))
            page.goto(f"{house.url}{path}")
            return page

        yield opened


def rehearse(page, name):
    """From the form to the stand-in's consent page."""
    page.goto(page.url.split("/accounts")[0] + f"/accounts/add/{name}")
    page.get_by_role("button", name="Rehearse allowing it").click()
    page.get_by_role("link", name=re.compile("^Go to ")).click()
    expect(page.get_by_role("heading", name=re.compile("Allow access"))).to_be_visible()


def fits(page):
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{wide} px too wide"


def accessible(page):
    found = Axe().run(page)
    serious = [v for v in found.response["violations"] if v["impact"] in {"serious", "critical"}]
    assert serious == [], [(v["id"], [n["html"] for n in v["nodes"]][:3]) for v in serious]


@pytest.mark.parametrize("name", NAMES)
def test_each_platform_is_connected_by_allowing_it_there(visit, house, name):
    page = visit("/accounts")
    rehearse(page, name)
    page.get_by_role("button", name="Allow").click()

    expect(page).to_have_url(re.compile(r"/accounts#a-main-"))
    expect(page.locator(".flash", has_text="is connected")).to_be_visible()
    assert house.ids() == [f"main.{name}-rehearsal"]
    assert "code=" not in page.url
    page.get_by_role("button", name=re.compile("^Check")).click()
    expect(page.locator(".flash", has_text="It works, as")).to_be_visible()


def test_what_a_program_begins_an_owner_allows_in_their_browser_and_the_program_finishes(visit, house, browser):
    token = house.parts.records.create_token(scope="admin", workspace="main")
    program = httpx.Client(base_url=f"{house.url}/api/v1", headers={"Authorization": f"Bearer {token}"})
    begun = program.post("/consents", json={"platform": "x", "name": "by program", "rehearsal": True}).json()
    assert program.post(f"/consents/{begun['id']}/finish").json()["state"] == "waiting"
    stranger = browser.new_page()
    stranger.goto(begun["address"])
    stranger.get_by_role("button", name="Allow").click()
    expect(stranger.get_by_text("You may not connect accounts here")).to_be_visible()
    address = stranger.url
    stranger.close()
    assert house.ids() == []

    page = visit("/accounts")
    page.goto(address)
    expect(page.get_by_role("heading", name="Go back to where you began")).to_be_visible()

    came = program.post(f"/consents/{begun['id']}/finish").json()
    assert (came["state"], came["account"]["id"]) == ("connected", "main.x-by-program")
    assert program.post(f"/consents/{begun['id']}/finish").status_code == 404
    program.close()


def test_who_says_no_is_told_so_and_nothing_is_connected(visit, house):
    page = visit("/accounts")
    rehearse(page, "linkedin")
    page.get_by_role("button", name="Deny").click()

    expect(page.get_by_text("LinkedIn was not connected: you or the platform said no")).to_be_visible()
    assert page.url == f"{house.url}/accounts"
    assert house.ids() == []


def test_a_scope_left_out_is_named(visit, house):
    page = visit("/accounts")
    rehearse(page, "x")
    page.get_by_label("media.write").uncheck()
    page.get_by_role("button", name="Allow").click()

    expect(page.get_by_text("it lacks media.write")).to_be_visible()
    assert house.ids() == []


def test_an_answer_is_taken_once_and_by_the_browser_that_asked(visit, house, browser):
    page = visit("/accounts")
    seen = []
    page.on("request", lambda r: seen.append(r.url) if "/connect/" in r.url else None)
    rehearse(page, "x")
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_text("is connected")).to_be_visible()
    (address,) = seen
    house.parts.records.remove_account(house.parts.records.accounts("main")[0])

    page.goto(address)
    expect(page.get_by_text("This answer belongs to nothing that is under way")).to_be_visible()
    assert house.ids() == []

    rehearse(page, "mastodon")
    consent = page.url
    stranger = visit("/accounts", who=sign_in(house.parts, base=house.url))
    stranger.goto(consent)
    stranger.get_by_role("button", name="Allow").click()
    expect(stranger.get_by_text("Somebody else began this")).to_be_visible()
    assert house.ids() == []


def test_nobody_signed_in_is_told_one_line_and_no_code_is_passed_on(browser, house):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{house.url}/connect/x?code=secret-code&state=unknown")

    expect(page.get_by_role("heading", name="Nothing was connected")).to_be_visible()
    assert "secret-code" not in page.content()
    assert "sign-in" not in page.url
    context.close()


def test_an_owner_no_more_does_not_connect(visit, house):
    sign_in(house.parts, "owner", "second", base=house.url)
    visitor = sign_in(house.parts, "editor", "second", base=house.url)
    house.parts.people.set_role(visitor.user.id, "second", Role.OWNER)
    begun = house.parts.connecting.begin("x", {}, workspace="second", browser=digest(visitor.secret), rehearsal=True)
    house.parts.people.set_role(visitor.user.id, "second", Role.EDITOR)
    page = visit("/queue", who=visitor)
    page.goto(begun.address)
    page.get_by_role("button", name="Allow").click()

    expect(page.get_by_text("You may not connect accounts there any more")).to_be_visible()
    assert house.parts.records.accounts("second") == []


def test_one_of_several_pages_is_chosen_by_keyboard_alone(visit, house):
    page = visit("/accounts/add/facebook")
    begun = house.parts.connecting.begin(
        "facebook",
        {},
        workspace="main",
        browser=digest(house.owner.secret),
        name="several",
        rehearsal=True,
    )
    page.goto(begun.address)
    page.get_by_role("button", name="Allow").press("Enter")
    expect(page.get_by_role("heading", name="Where on Facebook Page?")).to_be_visible()
    accessible(page)
    page.get_by_role("radio").first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio").nth(1)).to_be_checked()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")

    expect(page.get_by_text("is connected")).to_be_visible()
    assert house.ids() == ["main.facebook-several"]


def test_what_is_typed_stays_when_it_is_refused_and_secrets_do_not(visit, house):
    page = visit("/accounts/add/wordpress")
    page.get_by_label("Site's address").fill("https://127.0.0.1:9")
    page.get_by_label("User who writes").fill("ada")
    page.get_by_label("Application password").fill("canary-password")
    page.get_by_role("button", name="Connect", exact=True).click()

    expect(page.get_by_role("alert")).to_contain_text("WordPress cannot be connected")
    expect(page.get_by_label("User who writes")).to_have_value("ada")
    expect(page.get_by_label("Application password")).to_have_value("")
    assert "canary-password" not in page.content()
    assert house.ids() == []


def test_an_app_is_kept_and_then_leads_to_the_platform_itself(visit, house):
    page = visit("/accounts/add/linkedin")
    expect(page.get_by_text(f"{house.url}/connect/linkedin")).to_be_visible()
    page.get_by_label("Client id").fill("our-app")
    page.get_by_label("Client secret").fill("canary-secret")
    page.get_by_role("button", name="Keep this app").click()
    expect(page.locator(".flash")).to_contain_text("kept, encrypted")
    assert "canary-secret" not in page.content()
    page.get_by_label("An organisation's page").check()
    page.get_by_role("button", name="Continue to LinkedIn").click()

    address = page.get_by_role("link", name="Go to LinkedIn").get_attribute("href")
    assert address.startswith("https://www.linkedin.com/oauth/v2/authorization?response_type=code&client_id=our-app&")
    assert "w_organization_social" in address
    house.parts.records.connections.remove_app("main", "linkedin")


def test_a_platform_that_wants_https_says_so_before_anything_is_typed(visit, house):
    page = visit("/accounts/add/slack")

    expect(page.get_by_text("sends people back to https addresses only")).to_be_visible()
    expect(page.get_by_role("button", name="Connect", exact=True)).to_be_visible()


def test_a_token_near_its_end_is_said_with_what_outlives_it_and_removing_says_what_it_costs(visit, house):
    account = house.parts.accounts.connect("telegram", {}, workspace="main", rehearsal=True)
    now = house.parts.now()
    house.settle(account.id, expires_at=instant(now + timedelta(days=3, hours=1)))
    house.parts.records.reserve(account, "main.later", now + timedelta(days=5), gap=0)
    page = visit("/accounts")
    card = page.locator(f"#a-{account.id.replace('.', '-')}")

    expect(card.get_by_text("Token ends", exact=True)).to_be_visible()
    expect(card.get_by_text("Token ends in 3 days: connect it again; 1 planned post comes after that")).to_be_visible()
    expect(card.get_by_role("link", name=re.compile("Connect again"))).to_be_visible()
    card.locator("summary", has_text="Remove").click()
    expect(card.get_by_text("the 1 planned post will fail with that reason; nothing of it is sent")).to_be_visible()
    card.get_by_role("button", name=re.compile("^Remove")).click()
    expect(page.locator(".flash")).to_contain_text("1 planned post will not be sent")
    assert house.ids() == []


def test_pausing_resuming_and_times(visit, house):
    house.parts.accounts.connect("x", {}, workspace="main", rehearsal=True)
    page = visit("/accounts")
    page.get_by_role("button", name=re.compile("^Pause")).click()
    expect(page.locator(".account .chip", has_text="Paused")).to_be_visible()
    assert "account:main.x-rehearsal" in house.parts.deliveries.paused()
    page.get_by_role("button", name=re.compile("^Resume")).click()
    expect(page.locator(".account .chip", has_text="Ready")).to_be_visible()

    page.locator("summary", has_text="Times").click()
    page.get_by_label("Time zone").fill("Asia/Nowhere")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("is no IANA time zone")
    page.get_by_label("Time zone").fill("Asia/Kolkata")
    page.get_by_label("Posts by slot at").fill("mon-fri 09:00 12:30; sat 10:00; gap 45; quiet 22:00-07:00")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("mon-fri 09:00 12:30; sat 10:00; gap 45; quiet 22:00-07:00")).to_be_visible()
    assert house.parts.records.account("main.x-rehearsal").zone == "Asia/Kolkata"


def test_who_may_only_look_sees_no_button_and_who_operates_may_stop(visit, house):
    house.parts.accounts.connect("x", {}, workspace="main", rehearsal=True)
    looks = visit("/accounts", who=sign_in(house.parts, "viewer", base=house.url))
    expect(looks.get_by_role("heading", name="@x-rehearsal")).to_be_visible()
    assert looks.locator("main").get_by_role("button").count() == 0
    operates = visit("/accounts", who=sign_in(house.parts, "approver", base=house.url))
    expect(operates.locator("main").get_by_role("button")).to_have_count(1)
    expect(operates.locator("main").get_by_role("button", name="Pause")).to_be_visible()


@pytest.mark.parametrize(
    ("viewport", "scheme"), [(DESK, "light"), (PHONE, "dark")], ids=["desk by day", "phone by night"]
)
def test_every_page_fits_and_can_be_used_by_everybody(visit, house, viewport, scheme):
    house.parts.accounts.connect("mastodon", {}, workspace="main", rehearsal=True)
    account = house.parts.accounts.connect("x", {}, workspace="main", rehearsal=True)
    house.parts.deliveries.pause(f"connect:{account.id}", until=None, why="the platform says no")
    page = visit("/accounts", viewport=viewport, scheme=scheme)
    for path in ("/accounts", "/accounts/add/mastodon", "/accounts/add/linkedin", "/accounts/add/outbox"):
        page.goto(f"{house.url}{path}")
        fits(page)
        accessible(page)
