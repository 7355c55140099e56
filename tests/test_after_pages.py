"""What follows a post, in a real browser: a correction approved and carried out once, a rule made, numbers and receipts
read; on a desk and on a phone, with nothing on the console and nothing that keeps anybody out.
"""

from __future__ import annotations

import dataclasses
import re
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests import test_pages
from tests.newsroom import sign_in
from tests.test_changes import PAGE, Site
from tests.test_every_page import SERIOUS
from tests.test_pages import DESK, PHONE, running
from worker.changes import State
from worker.model import Account, Status, StepKind
from worker.numbers import Sample
from worker.pipeline.changes import Changes
from worker.schedule import When
from worker.settings import TEMPLATES

pytestmark, browser = test_pages.pytestmark, test_pages.browser
VIENNA = "Europe/Vienna"


class Afternoon:
    """A house whose article is out on two accounts, with numbers and receipts, and has just been corrected."""

    def __init__(self, house, browser, size, scheme):
        self.house, self.parts = house, house.parts
        parts = house.parts
        parts.store.client.flushdb()
        self.site = Site()
        parts.__dict__["changes"] = Changes(parts, ask=self.site.get)
        self.accounts = []
        for name in ("lantern", "tidings"):
            folder = str(parts.settings.data_dir / name)
            self.accounts.append(
                Account(id=f"main.{name}", platform="outbox", name=name, zone=VIENNA, settings={"folder": folder})
            )
            parts.records.save_account(self.accounts[-1], {})
        article = parts.planner.ingest(str(TEMPLATES / "sample" / "index.html"), workspace="main")
        self.article = article.id
        now = parts.now()
        made = parts.planner.plan(article.id, self.accounts, due=lambda a, _: When(now, "", a.zone))
        self.posts = [d.id for d in made]
        self.work()
        parts.receipts.round("main")
        for number, name in enumerate(self.posts):
            parts.receipts.read_one(name, final=True)
            parts.aftercare.keep_samples(name, [Sample(60, likes=3), Sample(5000, likes=9 + 5 * number, clicks=4)])
        self.complaints = []
        self.visitor = sign_in(parts, base=house.url, zone=VIENNA)
        self.context = browser.new_context(viewport=size, timezone_id=VIENNA, color_scheme=scheme)
        self.context.add_cookies([self.visitor.cookie])
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on("console", lambda m: self.complain(m.text) if m.type in {"error", "warning"} else None)
        self.page.on("pageerror", lambda e: self.complain(str(e)))

    def complain(self, line):
        if not {"409", "422"} & set(line.split()):  # a refusal is an answer, and the browser says so
            self.complaints.append(line)

    def work(self):
        """Do what is due, as the workers would."""
        woken = []
        engine = self.parts.engine(wake=woken.extend, depth=lambda: 0)
        while engine.tick() or woken:
            while woken:
                engine.publish(woken.pop(0))

    def go(self, path):
        self.page.goto(self.house.url + path)
        return self.page

    def delivery(self, number):
        return self.parts.deliveries.get(self.posts[number])


ON_A_DESK = pytest.param((DESK, "light"), id="on a desk")
AT_NIGHT = pytest.param((PHONE, "dark"), id="on a phone at night")


def some_night(place):
    return pytest.param(*place.values, id=place.id, marks=pytest.mark.nightly)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with running(tmp_path_factory.mktemp("afternoon"), busy=False) as started:
        yield started


@pytest.fixture
def afternoon(request, house, browser):
    found = Afternoon(house, browser, *request.param)
    yield found
    found.context.close()
    assert found.complaints == []


@pytest.mark.parametrize("afternoon", [ON_A_DESK, AT_NIGHT], indirect=True)
def test_a_correction_is_approved_in_the_browser_and_each_step_of_it_runs_once(afternoon):
    page = afternoon.go(f"/receipts/{afternoon.posts[0]}")
    expect(page.locator("h1")).to_contain_text("footbridge")
    expect(page.locator(".lead .chip").last).to_have_text("live")
    expect(page.locator("section h2", has_text="Post")).to_contain_text(re.compile("entry [12]"))
    page.get_by_role("button", name="Read it back now").click()
    expect(page.locator(".flash")).to_contain_text("Live.")

    afternoon.site.page = PAGE.replace("£310,000", "£210,000")
    (change,) = afternoon.parts.changes.recheck(afternoon.article)
    page = afternoon.go("/changes")
    card = page.locator(f"#c-{change.id.replace('.', '-')}")
    expect(card.locator(".what")).to_contain_text("310,000")
    expect(card.locator(".then").first).to_contain_text("210,000")
    expect(card.locator(".now").first.locator("mark").first).to_have_text("£310,000")
    expect(card.locator(".then").first.locator("mark").first).to_have_text("£210,000")
    for picture in (drawn := card.locator(".drawn")).locator("img").all():
        picture.scroll_into_view_if_needed()
        expect(picture).to_have_js_property("complete", True)
        assert picture.evaluate("p => p.naturalWidth") > 500, "the card as it would be is there to be looked at"
    expect(drawn).to_have_count(2)
    expect(drawn.first).to_contain_text("Its new picture:")
    expect(drawn.first).to_contain_text("£210,000")
    page.evaluate("scrollTo(0, 0)")
    expect(card.get_by_role("button", name="Approve")).to_be_in_viewport(ratio=1)
    chosen = card.locator("select")
    expect(chosen).to_have_count(2)
    expect(chosen.first).to_have_value("edit")
    chosen.last.select_option("leave it as it is")
    left = chosen.last.get_attribute("name")
    card.get_by_role("button", name="Approve").click()
    expect(page.locator(".flash")).to_contain_text("Approved")
    line = card.locator("summary").first
    expect(line).to_contain_text("1 edit on its way, 1 left as before")
    afternoon.work()
    afternoon.parts.changes.round("main")
    afternoon.work()
    edited = next(n for n, name in enumerate(afternoon.posts) if name != left)
    assert [s.kind for s in afternoon.delivery(edited).steps] == [StepKind.POST, StepKind.EDIT]
    assert "210,000" in afternoon.delivery(edited).messages[0].post.text
    assert len(afternoon.delivery(1 - edited).steps) == 1
    expect(card).to_contain_text("approved by Owner of main")
    expect(line).to_contain_text("1 edited, 1 left as before")
    expect(line.locator(".chip").last).to_have_text("done")
    expect(card.locator(".rows")).to_be_hidden()
    line.click()
    expect(card.locator(".rows")).to_contain_text("Edit: done")
    expect(card.get_by_role("button", name="Approve")).to_have_count(0)

    afternoon.parts.receipts.round("main")
    page = afternoon.go("/receipts")
    expect(page.locator("tbody tr")).to_have_count(3)
    expect(page.locator("tbody tr").first).to_contain_text("edit")
    assert afternoon.parts.aftercare.change(change.id).state is State.APPROVED


@pytest.mark.parametrize("afternoon", [ON_A_DESK], indirect=True)
def test_what_somebody_chooses_about_a_change_stays_when_the_page_renews_itself(afternoon):
    page = afternoon.go("/changes")
    expect(page.locator(".empty")).to_contain_text("Nothing has changed")
    afternoon.site.page = PAGE.replace("£310,000", "£110,000")
    (change,) = afternoon.parts.changes.recheck(afternoon.article)
    renewed = "document.body.dispatchEvent(new Event('moved'))"
    page.evaluate(renewed)
    chosen = page.locator(f"#c-{change.id.replace('.', '-')} select").first
    chosen.select_option("leave it as it is")
    with page.expect_response("**/changes"):
        page.evaluate(renewed)
    page.wait_for_timeout(300)
    expect(chosen).to_have_value("leave")


@pytest.mark.parametrize("afternoon", [ON_A_DESK, some_night(AT_NIGHT)], indirect=True)
def test_a_manager_makes_a_rule_plans_by_it_and_takes_an_article_out(afternoon):
    parts = afternoon.parts
    page = afternoon.go("/evergreen")
    expect(page.locator(".empty").first).to_contain_text("No rule yet")
    page.get_by_label("Name", exact=True).fill("classics")
    page.get_by_label("First after").fill("0")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("after cannot be 0")
    expect(page.get_by_label("Name", exact=True)).to_have_value("classics")
    page.get_by_label("First after").fill("1")
    page.get_by_label("Then at most every").fill("7")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".flash")).to_contain_text("classics is kept")
    for name in afternoon.posts:  # it went out two days ago
        found = parts.deliveries.get(name)
        steps = (dataclasses.replace(found.steps[0], at=found.steps[0].at - timedelta(days=2)), *found.steps[1:])
        parts.deliveries.change(name, Status.PUBLISHED, origins=[Status.PUBLISHED], note="older", steps=steps)
    page.get_by_role("button", name="Plan now").click()
    expect(page.locator(".flash")).to_contain_text("planned")
    stop = page.get_by_role("button", name="Never share this article again")
    expect(stop.first).to_be_visible()
    stop.first.click()
    expect(page.locator("section", has_text="Not shared again")).to_contain_text("Stopped by Owner of main")
    expect(stop).to_have_count(0)
    page.get_by_role("button", name="Allow again").click()
    expect(page.get_by_role("button", name="Allow again")).to_have_count(0)


@pytest.mark.parametrize("afternoon", [AT_NIGHT, some_night(ON_A_DESK)], indirect=True)
def test_numbers_show_their_plots_and_a_service_that_does_not_answer_says_why(afternoon):
    page = afternoon.go("/numbers")
    for title in ("By account", "By hour", "By hashtag", "By variant", "By card design", "By article"):
        expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page.locator("svg.plot").first).to_contain_text("18.0")
    expect(page.locator("main table tbody tr")).to_have_count(2)
    page.get_by_text("Connect Plausible").click()
    form = page.locator("details.connect[open] form")
    form.get_by_label("Its address").fill("http://127.0.0.1:9")
    form.get_by_label("Site, as Plausible calls it").fill("example.org")
    form.get_by_label("API key").fill("a secret key of the site")
    with page.expect_response("**/numbers/services") as answered:
        form.get_by_role("button", name="Connect").click()
    assert answered.value.status in {409, 422}
    expect(page.locator("main")).to_contain_text("Plausible cannot be asked about the site example.org")
    assert "a secret key" not in page.content()
    page = afternoon.go("/forecast")
    expect(page.locator("h1")).to_have_text("Forecast")


PAGES = ("/receipts", "/receipts/{post}", "/changes", "/evergreen", "/forecast", "/numbers")


@pytest.mark.parametrize("afternoon", [ON_A_DESK, some_night(AT_NIGHT)], indirect=True)
def test_nothing_on_these_pages_keeps_anybody_out_or_is_wider_than_the_screen(afternoon):
    afternoon.site.page = PAGE.replace("£310,000", "£210,000")
    afternoon.parts.changes.recheck(afternoon.article)
    found = []
    for path in PAGES:
        page = afternoon.go(path.format(post=afternoon.posts[0]))
        expect(page.locator("#live")).to_have_text("Live")
        page.evaluate("document.querySelectorAll('main details').forEach(d => d.open = true)")
        wide, seen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        if wide > seen:
            found.append(f"{path} is {wide} px wide on {seen}")
        for rule in Axe().run(page).response["violations"]:
            if rule["impact"] in SERIOUS:
                nodes = [" ".join(n["target"]) + ": " + n["failureSummary"][-160:] for n in rule["nodes"][:3]]
                found.append(f"{path}: {rule['id']} {nodes}")
    assert not found, "\n".join(found)
