"""A manager's day in a real browser: accept, edit, approve, drag, refuse, publish, settle; on a desk in New York and on a
phone in Kolkata, over a clock change, with nothing on the console and nothing that keeps anybody out.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import time
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Error, expect

from publishers.core.post import Post
from tests import test_pages
from tests.newsroom import sign_in
from tests.test_pages import DESK, PHONE, running
from worker import decisions
from worker.model import Account, Calendar, Delivery, Status, Step, StepKind
from worker.people import Role
from worker.pipeline import edit
from worker.settings import TEMPLATES
from worker.store.deliveries import End
from worker.store.people import flash_line

pytestmark, browser = test_pages.pytestmark, test_pages.browser
NEW_YORK, KOLKATA = "America/New_York", "Asia/Kolkata"


class Office:
    """A house with one new article, an account that waits for approval and one that does not, and posts around a day on
    which New York's clocks change; ``page`` is a browser that somebody is signed in with.
    """

    def __init__(self, house, browser, size, zone):
        self.house, self.parts, self.zone = house, house.parts, zone
        parts = house.parts
        parts.store.client.flushdb()
        calm = Calendar(blackouts=(date(2032, 3, 16),))
        for name, approval in (("outbox", None), ("outbox-careful", True)):
            account = Account(
                id=f"main.{name}", platform="outbox", name=name, zone=zone, calendar=calm, approval=approval,
                settings={"folder": str(parts.settings.data_dir / name)},
            )  # fmt: skip
            parts.records.save_account(account, {})
        self.article = parts.planner.ingest(str(TEMPLATES / "sample" / "index.html"), workspace="main")
        self.moved = self.plan(1, datetime(2032, 3, 13, 14, tzinfo=UTC))
        self.visitor = sign_in(parts, base=house.url, zone=zone)
        self.complaints = []
        self.context = browser.new_context(viewport=size, timezone_id=zone)
        self.context.add_cookies([self.visitor.cookie])
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on("console", lambda m: self.complain(m.text) if m.type in {"error", "warning"} else None)
        self.page.on("pageerror", lambda e: self.complain(str(e)))

    def complain(self, line):
        if "409" not in line:  # a refusal is an answer, and the browser says so of each
            self.complaints.append(line)

    def plan(self, number, due, account="main.outbox"):
        name = f"main.{number:020x}"
        step = Step(
            kind=StepKind.POST,
            ordinal=0,
            key=f"{number:040x}",
            post=Post(text=f"Post {number}", title=f"Post {number}"),
        )
        self.parts.deliveries.create(
            Delivery(
                id=name, article=self.article.id, account=account, platform="outbox", status=Status.SCHEDULED, due=due,
                zone=self.zone, steps=(step,),
            ),
            note="planned",
        )  # fmt: skip
        self.parts.records.reserve(self.parts.records.account(account), name, due, gap=0)
        return name

    def park(self, number):
        due = self.parts.now()
        parked, deliveries = self.plan(number, due), self.parts.deliveries
        turn = deliveries.begin(parked, lease=60, stale=1e9)
        steps = (dataclasses.replace(turn.delivery.steps[0], at=due),)
        assert deliveries.intend(turn, steps, seconds=1) == "ok"
        deliveries.finish(turn, End(Status.UNCONFIRMED, "no answer", wait=0, fields={"uncertain": 1}))
        turn = deliveries.begin(parked, lease=60, stale=1e9)
        deliveries.finish(turn, End(Status.PARKED, "nobody can tell"))
        return parked

    def go(self, path):
        self.page.goto(self.house.url + path)
        return self.page

    def of(self, account):
        ids = self.parts.records.deliveries_of(self.article.id)
        return next(d for d in self.parts.deliveries.several(ids) if d.account == account)

    def drag(self, delivery, day, *, drawn=2):
        """Drag a post of the month to another day, as a hand does."""
        page = self.page
        self.drawn(drawn)
        expect(page.locator("#forecast dl")).to_be_visible()
        event = page.locator(f'[data-post="{delivery}"]')
        place = f'.ec-day:has(time[datetime^="{day}"])'
        page.evaluate("place => document.querySelector(place).scrollIntoView({block: 'center'})", place)
        begin = event.bounding_box()
        cell = page.locator(place).first.bounding_box()
        page.mouse.move(begin["x"] + 12, begin["y"] + begin["height"] / 2)
        page.mouse.down()
        page.mouse.move(begin["x"] + 20, begin["y"] + begin["height"] / 2 + 6, steps=3)
        page.mouse.move(cell["x"] + cell["width"] / 2, cell["y"] + cell["height"] * 0.7, steps=8)
        page.mouse.up()

    def drawn(self, least=2):
        """Wait until the calendar is drawn: once, and once more when the first event says to look again."""
        expect(self.page.locator("#live")).to_have_text("Live")
        self.page.wait_for_function("n => Number(document.getElementById('calendar').dataset.drawn) >= n", arg=least)

    def edit_first(self):
        """Open the one letter of the inbox in the composer, on the account whose posts wait for approval."""
        self.go("/inbox").get_by_role("button", name="Edit first").click()
        self.page.wait_for_url("**/compose/**")
        careful = self.of("main.outbox-careful")
        return careful, self.go(f"/compose/{self.article.id}?open={careful.id}")

    def publish(self, delivery):
        return self.parts.engine(wake=lambda _: None, depth=lambda: 0).publish(delivery)


def holding(page, address):
    """The requests to an address, which are answered when the test says so: ``held[0].continue_()``."""
    held = []

    def hold(route):
        held.append(route)

    page.route(address, hold)
    return held


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with running(tmp_path_factory.mktemp("office"), busy=False) as started:
        yield started


@pytest.fixture(params=[(DESK, NEW_YORK), (PHONE, KOLKATA)], ids=["desk in New York", "phone in Kolkata"])
def office(request, house, browser):
    office = Office(house, browser, *request.param)
    yield office
    office.context.close()
    assert office.complaints == []


def test_a_managers_day(office):
    page = office.go("/inbox")
    expect(page.locator(".letter h2")).to_contain_text("footbridge reopens")

    # Edit: the count follows, a refusal loses nothing, and a draft is kept by itself.
    careful, page = office.edit_first()
    page.get_by_label("Text", exact=True).fill(
        "Own words #Bridge\n\nhttps://example.org/larkhaven/senn-footbridge-reopens"
    )
    expect(page.locator("#saved")).to_have_text("Saved.")
    expect(page.locator("#check .frame")).to_contain_text("Own words #Bridge")
    assert office.of(careful.account).steps[0].post.text.startswith("Own words")
    page.locator('input[name="wall"]').fill("2032-03-16T09:00")
    page.get_by_role("button", name="Ask for approval").click()
    expect(page.locator("#saved")).to_contain_text("2032-03-16 is a day without posts")
    expect(page.get_by_label("Text", exact=True)).to_have_value(re.compile("^Own words"))
    page.locator('input[name="wall"]').fill("2032-03-12T09:00")
    page.get_by_role("button", name="Ask for approval").click()
    expect(page.locator(".targets [aria-current] .chip")).to_have_text("awaiting approval")

    # Approve, then move: the approval does not cover another time.
    page.get_by_role("button", name="Approve it as it is").click()
    expect(page.locator(f"#d-{careful.id.replace('.', '-')} td.status")).to_have_text("scheduled")
    page = office.go("/calendar?view=month&date=2032-03-13")
    office.drag(careful.id, "2032-03-15")
    expect(page.locator("#told")).to_contain_text("It awaits approval.")
    found = office.parts.deliveries.get(careful.id)
    assert (found.status, found.wall) == (Status.AWAITING_APPROVAL, "2032-03-15 09:00")

    # Publish now, and watch it become public.
    plain = office.of("main.outbox")
    page = office.go(f"/compose/{office.article.id}?open={plain.id}")
    page.get_by_label("Now", exact=True).check()
    page.get_by_role("button", name="Schedule").click()
    expect(page.locator(".targets [aria-current] .chip")).to_have_text("scheduled")
    page = office.go(f"/queue?open={plain.id}")
    expect(page.locator("#live")).to_have_text("Live")
    assert office.publish(plain.id) == Status.PUBLISHED
    expect(page.locator(f"#d-{plain.id.replace('.', '-')} td.status")).to_have_text("published")
    expect(page.locator(".history li").last).to_contain_text("Published")


def test_nothing_is_typed_into_what_is_being_saved_and_a_refusal_gives_it_back(office):
    _, page = office.edit_first()
    text = page.get_by_label("Text", exact=True)
    text.fill("Own words")
    expect(page.locator("#saved")).to_have_text("Saved.")
    page.locator('input[name="wall"]').fill("2032-03-16T09:00")
    expect(page.locator("#saved")).to_have_text("Saved.")  # again, by itself; what is held is sent by the button
    kept = holding(page, re.compile(f"/compose/{office.article.id}/[^/]+$"))
    page.get_by_role("button", name="Ask for approval").click()
    expect(page.locator("#saved")).to_have_text("Saving …")
    expect(page.locator("#editor")).to_have_attribute("inert", "")
    text.evaluate("field => field.focus()")
    page.keyboard.type("lost? ")
    page.wait_for_timeout(50)
    kept[0].continue_()

    expect(page.locator("#saved")).to_contain_text("2032-03-16 is a day without posts")
    expect(text).to_have_value("Own words")
    expect(page.locator("#editor")).not_to_have_attribute("inert", "")
    page.unroute(re.compile(f"/compose/{office.article.id}/[^/]+$"))
    text.fill("Own words, still mine")
    expect(text).to_have_value("Own words, still mine")
    expect(page.locator("#saved")).to_have_text("Saved.")


def test_a_photo_that_cannot_be_used_is_not_offered(office):
    office.page.route(re.compile(r"/card\?design=plain|/photo$"), lambda route: route.fulfill(status=422, body="small"))
    _, page = office.edit_first()

    tile = page.locator(".designs label", has_text="photo alone")
    tile.scroll_into_view_if_needed()
    expect(tile.get_by_text("cannot be used")).to_be_visible()
    expect(tile.locator("img")).to_have_count(0)
    expect(tile.locator("input")).to_be_disabled()
    assert office.complaints == [c for c in office.complaints if "422" in c]
    office.complaints.clear()


def test_a_drag_over_a_clock_change_keeps_the_wall_time_and_a_refused_one_snaps_back(office):
    page = office.go("/calendar?view=month&date=2032-03-13")
    event = page.locator(f'[data-post="{office.moved}"]')
    expect(event).to_be_visible()
    named = "New York" if office.zone == NEW_YORK else "Kolkata"  # though browsers say Calcutta
    expect(page.locator(".lead")).to_contain_text(named)
    expect(page.locator(".cellmark", has_text="Clocks")).to_have_count(1 if office.zone == NEW_YORK else 0)

    office.drag(office.moved, "2032-03-14")

    expect(page.locator("#told")).to_contain_text("Moved to 14 Mar 2032")
    wall, due = ("09:00", 13) if office.zone == NEW_YORK else ("19:30", 14)
    found = office.parts.deliveries.get(office.moved)
    assert (found.wall, found.due) == (f"2032-03-14 {wall}", datetime(2032, 3, 14, due, tzinfo=UTC))

    office.drag(office.moved, "2032-03-16", drawn=4)  # once for the answer, once for the event that it moved

    expect(page.locator("#told")).to_contain_text("2032-03-16 is a day without posts")
    assert office.parts.deliveries.get(office.moved).due == found.due
    cell = page.locator('.ec-day:has(time[datetime^="2032-03-14"])').first.bounding_box()
    expect(event).to_be_visible()
    box = event.bounding_box()
    assert cell["x"] - 2 <= box["x"] + box["width"] / 2 <= cell["x"] + cell["width"] + 2, "it stands where it was"


def test_a_month_shows_posts_of_one_article_in_one_line_that_nobody_drags(office):
    for number in range(20, 23):
        office.plan(number, datetime(2032, 3, 13, 15, number, tzinfo=UTC))
    page = office.go("/calendar?view=month&date=2032-03-13")
    office.drawn(1)

    line = page.locator(".ec-event.many")
    expect(line).to_have_count(1)
    expect(line.locator(".dot")).to_have_count(4)
    expect(line).to_have_attribute("aria-label", re.compile(r"4 posts of Post 1: 4 scheduled\. Open the day\.$"))
    expect(line).not_to_have_class(re.compile("ec-draggable"))
    line.click()
    page.wait_for_url("**/calendar?view=day&date=2032-03-13")
    expect(page.locator(f'[data-post="{office.moved}"]')).to_have_class(re.compile("ec-draggable"))


def test_a_week_says_once_what_clocks_do_and_shows_posts_of_one_time_together(office):
    for number in range(20, 24):
        office.plan(number, datetime(2032, 3, 13, 14, tzinfo=UTC))
    page = office.go("/calendar?view=week&date=2032-03-13")
    office.drawn(1)

    expect(page.locator(".cellmark", has_text="Clocks")).to_have_count(1 if office.zone == NEW_YORK else 0)
    together = page.locator(".ec-event.many", has_text="posts")
    expect(together).to_have_count(1)
    expect(together).to_have_attribute("aria-label", re.compile(r"[56] posts: [56] scheduled\. Open the day\.$"))
    expect(page.locator(f'[data-post="main.{20:020x}"]')).to_have_count(0)
    together.click()
    page.wait_for_url("**/calendar?view=day&date=2032-03-13")
    expect(page.locator(f'[data-post="main.{20:020x}"]')).to_be_visible()


@pytest.mark.parametrize("view", ["week", "day"])
def test_a_week_and_a_day_open_where_now_is_and_mark_it(office, view):
    while (at := datetime.now(ZoneInfo(office.zone))).hour == 23 and at.minute == 59 and at.second > 40:
        time.sleep(1)  # or it is another day before the page is there
    page = office.go(f"/calendar?view={view}")
    office.drawn(1)
    line = page.locator(".ec-now-indicator")
    expect(line).to_be_in_viewport()
    here = office.parts.now().astimezone(ZoneInfo(office.zone))
    at = page.evaluate(
        """() => {
            const line = document.querySelector(".ec-now-indicator").getBoundingClientRect().top;
            const grid = document.querySelector(".ec-main .ec-body").getBoundingClientRect();
            return (line - grid.top) / grid.height * 24;
        }"""
    )
    assert abs(at - here.hour - here.minute / 60) < 0.5, (at, here)


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("hour", [0, 1, 12, 20, 21, 22, 23])
def test_now_is_seen_at_whatever_hour_a_day_is_opened(house, browser, size, hour):
    while (at := datetime.now(UTC)).minute == 59 and at.second > 40:  # or it is another day before the page is there
        time.sleep(1)
    ahead = (hour - at.hour + 11) % 24 - 11  # where it is that hour now
    office = Office(house, browser, size, f"Etc/GMT{-ahead:+d}")
    office.go("/calendar?view=day")
    office.drawn(1)
    expect(office.page.locator(".ec-now-indicator")).to_be_in_viewport()
    office.context.close()
    assert office.complaints == []


def test_a_keyboard_moves_a_post_without_dragging(office):
    page = office.go("/calendar?view=month&date=2032-03-13")
    office.drawn()
    event = page.locator(f'[data-post="{office.moved}"]')
    event.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#panel")).to_be_visible()
    expect(page.get_by_label("Move to")).to_be_focused()
    page.get_by_label("Move to").fill("2032-03-16T10:00")
    page.keyboard.press("Enter")
    expect(page.locator("#panel .told")).to_contain_text("is a day without posts")
    page.get_by_label("Move to").fill("2032-03-17T10:00")
    page.keyboard.press("Enter")

    expect(page.locator("#told")).to_contain_text("Moved to 17 Mar 2032, 10:00")
    assert office.parts.deliveries.get(office.moved).wall == "2032-03-17 10:00"
    office.drawn(3)
    event = page.locator(f'[data-post="{office.moved}"]')
    event.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#panel")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_hidden()


def test_what_was_said_of_a_move_in_the_list_stays_until_something_else_is_said(office):
    page = office.go("/calendar?view=list&date=2032-03-13")
    expect(page.locator("#live")).to_have_text("Live")
    for wall, said in (
        ("2032-03-14T02:30", "Moved to 14 Mar 2032"),
        ("2032-03-15T11:45", "Moved to 15 Mar 2032, 11:45"),
    ):
        page.locator(f'a[data-post="{office.moved}"]').click()
        page.get_by_label("Move to").fill(wall)
        page.get_by_role("button", name="Move", exact=True).click()

        there = page.locator(f'section[aria-labelledby="day-{wall[:10]}"] a[data-post="{office.moved}"]')
        expect(there).to_be_visible()
        expect(there).to_be_focused()
        with page.expect_response(lambda answer: "view=list" in answer.url):
            page.evaluate("document.body.dispatchEvent(new CustomEvent('moved'))")  # the list is asked for once more
        page.wait_for_timeout(300)  # until it has taken the place of the one before, which took the words away
        expect(page.locator("#told")).to_contain_text(said)
        if wall.endswith("02:30") and office.zone == NEW_YORK:
            expect(page.locator("#told")).to_contain_text("Clocks skip 02:30 on this day in America/New_York")


def test_what_is_typed_into_an_opened_post_of_the_list_outlives_a_renewal(office):
    page = office.go("/calendar?view=list&date=2032-03-13")
    expect(page.locator("#forecast dl")).to_be_visible()
    expect(page.locator("#live")).to_have_text("Live")
    page.locator(f'[data-post="{office.moved}"]').click()
    page.get_by_label("Move to").fill("2032-03-17T10:00")
    office.plan(77, datetime(2032, 3, 13, 9, tzinfo=UTC))

    expect(page.locator(f'[data-post="main.{77:020x}"]')).to_be_attached()
    expect(page.get_by_label("Move to")).to_have_value("2032-03-17T10:00")
    expect(page.get_by_label("Move to")).to_be_focused()
    expect(page.locator("#forecast dl")).to_be_attached()


def test_no_page_is_loaded_anew_over_what_somebody_types(house, browser):
    with browser.new_context(viewport=DESK, timezone_id=KOLKATA) as context:
        visitor = sign_in(house.parts, base=house.url, zone=NEW_YORK, workspace="typing")
        account = Account(id="typing.outbox", platform="outbox", name="outbox", workspace="typing")
        house.parts.records.save_account(account, {})
        context.add_cookies([visitor.cookie])
        page = context.new_page()
        kept = holding(page, "**/zone")
        page.goto(house.url + "/accounts/add/mastodon")
        field = page.locator("main input:not([type=hidden])").first
        field.fill("https://half.an.addr")
        with page.expect_response("**/zone") as answer:
            kept[0].continue_()
        assert answer.value.status == 205

        expect(field).to_have_value("https://half.an.addr")
        page.unroute("**/zone")
        page.goto(house.url + "/accounts")
        page.locator("main summary", has_text="times").first.click()
        page.get_by_label("Posts by slot at").first.fill("mon-fri 09:0")
        house.parts.people.end_sessions(visitor.user.id)
        page.evaluate("() => document.body.dispatchEvent(new Event('moved'))")
        expect(page.get_by_role("alert")).to_contain_text("You were signed out")
        expect(page.get_by_label("Posts by slot at").first).to_have_value("mon-fri 09:0")


def test_a_line_that_is_shown_outlives_the_change_of_zone(house, browser):
    with browser.new_context(viewport=DESK, timezone_id=KOLKATA) as context:
        visitor = sign_in(house.parts, base=house.url, zone=NEW_YORK, workspace="zones")
        context.add_cookies([visitor.cookie])
        (session,) = (s.id for s in house.parts.people.sessions(visitor.user.id))
        house.parts.people.flash(session, flash_line("Approved.", "good"))
        page = context.new_page()
        with page.expect_response("**/zone") as answer:
            page.goto(house.url + "/settings")
        assert answer.value.status == 205
        page.wait_for_timeout(300)  # a page that is loaded again is there by then
        expect(page.get_by_text("Approved.")).to_be_visible()


@pytest.mark.parametrize("view", ["month", "list"])
def test_a_calendar_says_times_of_the_zone_that_a_browser_is_in_by_now(house, browser, view):
    with browser.new_context(viewport=DESK, timezone_id=KOLKATA) as context:
        context.add_cookies([sign_in(house.parts, base=house.url, zone=NEW_YORK, workspace="zones").cookie])
        page = context.new_page()
        page.goto(f"{house.url}/calendar?view={view}")
        expect(page.locator(".lead")).to_contain_text("Kolkata")


def test_a_workspace_chosen_in_another_tab_takes_no_words_away(house, browser):
    with browser.new_context(viewport=DESK, timezone_id=NEW_YORK) as context:
        visitor = sign_in(house.parts, base=house.url, zone=NEW_YORK, workspace="typing")
        house.parts.people.set_role(visitor.user.id, "second", Role.OWNER)
        for workspace in ("typing", "second"):
            account = Account(id=f"{workspace}.outbox", platform="outbox", name=f"of {workspace}", workspace=workspace)
            house.parts.records.save_account(account, {})
        context.add_cookies([visitor.cookie])
        page = context.new_page()
        page.goto(house.url + "/accounts")
        expect(page.locator("#live")).to_have_text("Live")
        page.locator("main summary", has_text="times").first.click()
        field = page.get_by_label("Posts by slot at").first
        field.fill("mon-fri 09:0")
        (session,) = house.parts.people.sessions(visitor.user.id)
        house.parts.people.enter(session.id, "second")
        page.evaluate("() => document.body.dispatchEvent(new Event('moved'))")
        expect(page.get_by_role("alert")).to_contain_text("You look at another workspace by now")
        expect(field).to_have_value("mon-fri 09:0")
        expect(page.get_by_text("of second")).to_have_count(0)

        page.goto(house.url + "/calendar")
        page.wait_for_function("() => Number(document.getElementById('calendar').dataset.drawn) > 1")
        house.parts.people.enter(session.id, "typing")
        page.evaluate("() => document.body.dispatchEvent(new Event('moved'))")
        expect(page.locator("html")).to_have_attribute("data-workspace", "typing")


def test_a_field_keeps_what_was_typed_when_somebody_else_saves_another_value(office):
    page = office.go("/accounts")
    times = page.locator("details.times", has_text="careful")
    times.locator("summary").click()
    expect(page.locator("#live")).to_have_text("Live")
    times.get_by_label("Posts by slot at").fill("mon-fri 09:0")
    times.get_by_label("Time zone").focus()
    office.parts.records.change_account(
        "main.outbox-careful", lambda a, _: (dataclasses.replace(a, calendar=Calendar(gap=45), zone="Asia/Tokyo"), None)
    )
    office.parts.deliveries.pause("account:main.outbox", until=None, why="a colleague stopped it")

    expect(page.locator("main")).to_contain_text("a colleague stopped it", ignore_case=True)
    expect(page.locator("main")).to_contain_text("in Asia/Tokyo")
    expect(times.get_by_label("Posts by slot at")).to_have_value("mon-fri 09:0")
    expect(times).to_have_attribute("open", "")
    office.parts.deliveries.resume("account:main.outbox")


@pytest.mark.parametrize("view", ["month", "day"])
def test_a_press_on_a_calendar_that_is_drawn_anew_meanwhile_is_still_a_click_and_the_focus_stays(office, view):
    page = office.go(f"/calendar?view={view}&date=2032-03-13")
    office.drawn()
    expect(page.locator("#forecast dl")).to_be_visible()
    before = int(page.locator("#calendar").get_attribute("data-drawn"))
    event = page.locator(f'[data-post="{office.moved}"]')
    event.evaluate("post => post.scrollIntoView({block: 'center'})")  # near its end a day rolls on under a long press
    event.hover()
    page.mouse.down()
    with page.expect_response(lambda answer: "/calendar/events" in answer.url):
        page.evaluate("document.body.dispatchEvent(new CustomEvent('moved'))")
    page.wait_for_timeout(200)
    assert page.locator("#calendar").get_attribute("data-drawn") == str(before)
    page.mouse.up()
    expect(page.locator("#panel")).to_be_visible()
    office.drawn(before + 1)
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_hidden()
    expect(event).to_be_focused()

    page.evaluate("document.body.dispatchEvent(new CustomEvent('moved'))")
    office.drawn(before + 2)
    expect(event).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#panel")).to_be_visible()


def test_a_post_that_was_dropped_stays_there_while_its_move_is_not_answered(office):
    page = office.go("/calendar?view=month&date=2032-03-13")
    kept = holding(page, "**/move")
    office.drag(office.moved, "2032-03-15")
    there = page.locator(f'[data-post="{office.moved}"]')
    before = there.bounding_box()
    page.wait_for_timeout(100)  # the finger is lifted
    for _ in range(2):
        with page.expect_response(lambda answer: "/calendar/events" in answer.url):
            page.evaluate("document.body.dispatchEvent(new CustomEvent('moved'))")
        page.wait_for_timeout(200)
    drawn = int(page.locator("#calendar").get_attribute("data-drawn"))
    assert there.bounding_box() == before
    kept[0].continue_()
    expect(page.locator("#told")).to_contain_text("Moved to 15 Mar 2032")
    office.drawn(drawn + 1)
    assert office.parts.deliveries.get(office.moved).wall.startswith("2032-03-15")
    cell = page.locator('.ec-day:has(time[datetime^="2032-03-15"])').first.bounding_box()
    box = there.bounding_box()
    assert cell["x"] - 2 <= box["x"] + box["width"] / 2 <= cell["x"] + cell["width"] + 2


def test_a_right_click_does_not_keep_a_list_as_it_is(office):
    page = office.go("/calendar?view=list&date=2032-03-13")
    expect(page.locator("#live")).to_have_text("Live")
    page.locator(f'a[data-post="{office.moved}"]').dispatch_event("pointerdown", {"button": 2})
    office.plan(78, datetime(2032, 3, 13, 9, tzinfo=UTC))
    expect(page.locator(f'[data-post="main.{78:020x}"]')).to_be_attached()


def test_a_post_that_cannot_be_opened_is_said_in_one_line(office):
    page = office.go("/calendar?view=list&date=2032-03-13")
    event = page.locator(f'a[data-post="{office.moved}"]')
    for answer, said in (
        (lambda route: route.abort(), "The post could not be opened. Try again."),
        (lambda route: route.fulfill(status=404, body="<html>"), "This post is not there any more."),
    ):
        page.route("**/calendar/post/*", answer)
        event.click()
        expect(page.locator("#told")).to_have_text(said)
        page.unroute("**/calendar/post/*")
    expect(page.locator("#panel")).to_be_hidden()
    office.complaints.clear()  # of the answers that did not come


def test_what_is_on_a_calendar_is_not_pushed_down_by_the_forecast(office):
    kept = holding(office.page, "**/calendar/forecast*")
    page = office.go("/calendar?view=month&date=2032-03-13")
    office.drawn()
    before = page.locator("#calendar").bounding_box()
    kept[0].continue_()
    expect(page.locator("#forecast dl")).to_be_visible()
    assert page.locator("#calendar").bounding_box() == before


def test_an_article_that_arrives_appears_in_an_inbox_by_itself(office, tmp_path):
    page = office.go("/inbox")
    expect(page.locator("#live")).to_have_text("Live")
    page.wait_for_timeout(1000)  # what is told in the first second is told of everything
    office.parts.planner.ingest(written(tmp_path, "Harbour"), workspace="main")
    expect(page.get_by_role("heading", name="Harbour opens its quays")).to_be_visible()


def test_a_press_on_a_list_that_is_renewed_meanwhile_is_still_a_click(office):
    page = office.go("/calendar?view=list&date=2032-03-13")
    expect(page.locator("#live")).to_have_text("Live")
    expect(page.locator("#forecast dl")).to_be_visible()
    agenda = page.locator(".agenda")
    page.get_by_role("link", name="Later").focus()  # and leaves this when the press begins
    page.locator(f'a[data-post="{office.moved}"]').hover()
    page.mouse.down()
    agenda.evaluate("old => { old.dataset.old = 'yes'; }")  # a renewal takes it away
    with page.expect_response(lambda answer: "view=list" in answer.url):
        page.evaluate("document.body.dispatchEvent(new CustomEvent('moved'))")
    page.wait_for_timeout(300)
    expect(agenda).to_have_attribute("data-old", "yes")
    page.mouse.up()

    expect(page.locator("#panel")).to_be_visible()
    expect(agenda).not_to_have_attribute("data-old", "yes")


def test_a_parked_post_is_settled_and_everything_is_stopped_and_resumed(office):
    parked = office.park(7)
    page = office.go("/queue")
    expect(page.locator(".numbers")).to_contain_text("Unknown")
    page.get_by_role("link", name="Unknown").click()
    page.locator(f"#d-{parked.replace('.', '-')} th a").click()
    page.get_by_label("Its address or id").fill("https://example.org/7")
    page.get_by_role("button", name="It is there").click()
    expect(page.locator(f"#d-{parked.replace('.', '-')} td.status")).to_have_text("published")

    page.get_by_text("Emergency stop").click()
    page.get_by_role("button", name="Everything").click()
    expect(page.locator(".stopped")).to_contain_text("Stopped by Owner of main.")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".stopped")).to_have_count(0)


@contextlib.contextmanager
def held(page, which):
    """Keep back the answer to the first request for which ``which`` is true of its address; answers what lets it go."""
    kept = []

    def handle(route):
        if not kept and which(route.request.url):
            kept.append((route, route.fetch()))
        else:
            route.fallback()

    def release():
        route, answer = kept[0]
        with contextlib.suppress(Error):  # a request that the page gave up takes no answer
            route.fulfill(response=answer)
        page.wait_for_timeout(300)

    page.route("**/queue?*", handle)
    yield release
    for _ in range(1000):
        if kept:
            return
        page.wait_for_timeout(20)
    raise AssertionError("nothing was asked")


@pytest.mark.parametrize("late", ["what is live", "a tab", "a number"])
def test_an_answer_that_comes_late_does_not_close_what_was_opened_since(office, late):
    office.park(7)
    page = office.go("/queue?show=all")
    expect(page.locator("#live")).to_have_text("Live")
    row = page.locator(f"#d-{office.moved.replace('.', '-')}")
    addresses = {"what is live": "show=all", "a tab": "show=waiting", "a number": "show=unknown"}
    with held(page, lambda url: url.endswith(addresses[late])) as release:
        if late == "a tab":
            page.get_by_role("link", name="Waiting").click()
        elif late == "a number":
            page.get_by_role("link", name="Unknown").click()
        else:
            page.evaluate("document.body.dispatchEvent(new CustomEvent('moved'))")
    row.locator("th a").click()
    opened = row.locator("a[aria-expanded=true]")
    expect(opened).to_be_visible()
    release()
    expect(opened).to_be_visible()
    assert "open=" in page.url

    decisions.cancel(office.parts.deliveries, office.moved)  # and what moves is still shown
    expect(row.locator("td.status")).to_have_text("cancelled")
    expect(opened).to_be_visible()


def test_what_moves_while_a_row_is_being_opened_does_not_close_it(office):
    page = office.go("/queue?show=all")
    expect(page.locator("#live")).to_have_text("Live")
    row = page.locator(f"#d-{office.moved.replace('.', '-')}")
    with held(page, lambda url: "open=" in url) as release:
        row.locator("th a").click()
    page.evaluate("document.body.dispatchEvent(new CustomEvent('moved'))")
    release()
    opened = row.locator("a[aria-expanded=true]")
    expect(opened).to_be_visible()
    page.wait_for_timeout(300)
    expect(opened).to_be_visible()


def written(folder, name):
    """An article of its own, of which a summary can be written."""
    said = " ".join(f"The harbour of {name} opens {n} quays for its fishing boats in the spring." for n in range(2, 9))
    page = folder / f"{name}.html"
    page.write_text(
        f'<html lang="en"><head><title>{name} opens its quays</title>'
        f'<link rel="canonical" href="https://example.org/{name}"><meta property="og:type" content="article"></head>'
        f"<body><article><h1>{name} opens its quays</h1><p>{said}</p></article></body></html>"
    )
    return str(page)


def test_what_takes_the_place_of_another_thing_brings_its_own_buttons(office, tmp_path):
    parts = office.parts
    first = parts.planner.ingest(written(tmp_path, "Larkhaven"), workspace="main")
    page = office.go("/inbox")
    expect(page.locator("#live")).to_have_text("Live")
    page.get_by_label("Tick: Larkhaven opens its quays").check()
    page.context.set_offline(True)  # so that both come with one renewal
    second = parts.planner.ingest(written(tmp_path, "Tall Tower"), workspace="main")
    edit.skip(parts, first.id)
    page.context.set_offline(False)
    page.evaluate("document.body.dispatchEvent(new CustomEvent('moved'))")
    letter = page.locator(".letter", has_text="Tall Tower")
    expect(letter.locator("h2")).to_have_text(["Tall Tower opens its quays"])
    office.complaints.clear()  # of having been offline
    assert {b.get_attribute("value") for b in letter.locator("button").all()} == {second.id}
    expect(letter.get_by_role("checkbox")).not_to_be_checked()
    expect(letter.get_by_role("checkbox")).to_have_value(second.id)

    decisions.stop(parts.deliveries, "account:main.outbox", by="Ann")
    office.go("/queue")
    expect(page.locator("#live")).to_have_text("Live")
    page.context.set_offline(True)
    decisions.go_on(parts.deliveries, "account:main.outbox")
    decisions.stop(parts.deliveries, "account:main.outbox-careful", by="Bo")
    page.context.set_offline(False)
    page.evaluate("document.body.dispatchEvent(new CustomEvent('moved'))")
    expect(page.locator(".stopped")).to_contain_text("Bo")
    office.complaints.clear()  # as above
    expect(page.locator(".stopped button")).to_have_attribute("value", "main.outbox-careful")
