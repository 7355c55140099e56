"""What the calendar and the stop button answer: days in the viewer's zone, refusals with their reason, nobody else's."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from publishers import load
from publishers.core.post import Post
from tests.newsroom import sign_in
from tests.test_web import BASE, Desk, Words
from web import calendar
from worker.model import Account, Calendar, Delivery, Status, Step, StepKind, article_id

NEW_YORK, KOLKATA = "America/New_York", "Asia/Kolkata"


@pytest.fixture
def desk(server, tmp_path):
    return Desk(server, tmp_path)


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def events(desk, start, end, *, zone, query=""):
    answer = desk.get(
        f"/calendar/events?start={start}&end={end}{query}", visit=sign_in(desk.parts, "editor", zone=zone)
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def move(desk, delivery, *, role="owner", **fields):
    visit = sign_in(desk.parts, role, zone=NEW_YORK)
    data = {"form_token": visit.form_token, **fields}
    return desk.post(f"/calendar/post/{delivery}/move", data=data, headers={"Origin": BASE}, visit=visit)


def test_a_post_stands_at_the_wall_time_of_whoever_looks_on_either_side_of_a_clock_change(desk):
    desk.account()
    desk.plan("Before", due=utc(2030, 3, 9, 14))
    desk.plan("After", due=utc(2030, 3, 10, 14))

    york = events(desk, "2030-03-08", "2030-03-12", zone=NEW_YORK)
    assert [(e["title"], e["start"]) for e in york["events"]] == [
        ("Before", "2030-03-09T09:00"),
        ("After", "2030-03-10T10:00"),
    ]
    assert york["clocks"] == {"2030-03-10": "Clocks go forward 1 h"}

    kolkata = desk.get(
        "/calendar/events?start=2030-03-08&end=2030-03-12", visit=sign_in(desk.parts, "viewer", zone=KOLKATA)
    ).json()
    assert [e["start"] for e in kolkata["events"]] == ["2030-03-09T19:30", "2030-03-10T19:30"]
    assert kolkata["clocks"] == {}
    assert [e["startEditable"] for e in kolkata["events"]] == [False, False], "a viewer moves nothing"


def test_free_times_quiet_hours_and_closed_days_are_drawn_and_crowded_days_say_how_many_more(desk):
    desk.account(
        zone=NEW_YORK,
        calendar=Calendar(
            week=tuple((d, (time(9), time(23))) for d in range(7)),
            quiet=((time(22), time(6)),),
            blackouts=(date(2030, 3, 12),),
        ),
    )
    for number in range(8):
        desk.plan(f"Post {number}", due=utc(2030, 3, 11, 15, number))
    desk.parts.records.reserve(
        desk.parts.records.account("main.fake"), "main.other", datetime.fromisoformat("2030-03-13T09:00-04:00"), gap=0
    )

    month = events(desk, "2030-02-25", "2030-04-08", zone=NEW_YORK)
    week = events(desk, "2030-03-11", "2030-03-14", zone=NEW_YORK)

    assert month["more"] == {"2030-03-11": 4}
    assert len(month["events"]) == 4
    assert month["closed"] == week["closed"] == ["2030-03-12"]
    assert [s["start"] for s in week["slots"]] == ["2030-03-11T09:00"]
    assert week["quiet"][:2] == [
        {"start": "2030-03-11T00:00", "end": "2030-03-11T06:00"},
        {"start": "2030-03-11T22:00", "end": "2030-03-12T00:00"},
    ]


def test_posts_of_one_article_on_a_day_stand_in_one_line_of_a_month_and_those_of_one_time_in_one_of_a_week(desk):
    for name in ("fake", "b", "c", "d"):
        desk.account(name)
    article = article_id("main", "https://example.org/ferry")
    for minute, name, status in (
        (0, "b", "scheduled"),
        (0, "c", "failed"),
        (0, "d", "scheduled"),
        (30, "fake", "scheduled"),
    ):
        desk.plan("Ferry", account=f"main.{name}", article=article, due=utc(2030, 3, 11, 14, minute), to=Status(status))
    for number in range(5):
        desk.plan(f"Post {number}", due=utc(2030, 3, 11, 15, number))

    month = events(desk, "2030-02-25", "2030-04-08", zone=NEW_YORK)
    week = events(desk, "2030-03-11", "2030-03-18", zone=NEW_YORK)
    day = events(desk, "2030-03-11", "2030-03-12", zone=NEW_YORK)

    assert [(e["title"], e["extendedProps"].get("many")) for e in month["events"]] == [
        ("Ferry", 4), ("Post 0", None), ("Post 1", None), ("Post 2", None)
    ]  # fmt: skip
    ferry = month["events"][0]
    assert (ferry["extendedProps"]["at"], ferry["extendedProps"]["until"]) == ("10:00", "10:30")
    assert ferry["extendedProps"]["status"] == "1 failed, 3 scheduled"
    assert len(set(ferry["extendedProps"]["hues"])) == 4
    assert ferry["classNames"] == ["many", "bad"], "the worst of them is seen"
    assert not ferry["startEditable"]
    assert month["more"] == {"2030-03-11": 2}
    assert [(e["start"][11:], e["extendedProps"].get("many")) for e in week["events"]] == [
        ("10:00", 3), ("10:30", None), *((f"11:0{n}", None) for n in range(5))
    ]  # fmt: skip
    assert week["more"] == {}
    assert len(day["events"]) == 9


def test_what_is_still_to_come_today_stands_before_what_is_over_however_much_of_that_there_is(desk):
    desk.account()
    now = datetime.now(UTC)
    zone = next(z for z in ("UTC", "Asia/Tokyo", "America/Los_Angeles") if 5 <= now.astimezone(ZoneInfo(z)).hour <= 21)
    for number in range(84):
        desk.plan(f"Out {number}", due=now - timedelta(minutes=200 - number), to=Status.PUBLISHED)
    coming = [*[Status.SCHEDULED] * 6, *[Status.AWAITING_APPROVAL] * 2, *[Status.HELD] * 2]
    for number, status in enumerate(coming):
        desk.plan(f"Coming {number}", due=now + timedelta(minutes=10 * (number + 1)), to=status)
    today = now.astimezone(ZoneInfo(zone)).date()
    wanted = [f"Coming {n}" for n in range(10)]
    whole = {"month": (today - timedelta(days=10), 42), "week": (today - timedelta(days=3), 7), "day": (today, 1)}
    for view, (first, count) in whole.items():
        found = events(desk, first, first + timedelta(days=count), zone=zone)
        shown = [(e["title"], e["startEditable"]) for e in found["events"]]
        assert shown[:10] == [(title, True) for title in wanted], view
        assert sum(found["more"].values()) + len(shown) == 94, view
        assert len(shown) == {"month": 10, "week": 20, "day": 94}[view]

    listed = desk.get("/calendar?view=list", visit=sign_in(desk.parts, "editor", zone=zone)).text
    assert all(f">{title}<" in listed for title in wanted)
    assert "82 more" in listed


def test_accounts_are_filtered_and_days_bounded(desk):
    desk.account()
    desk.plan("One", due=utc(2030, 3, 9, 14))

    def titles(query):
        return [e["title"] for e in events(desk, "2030-03-01", "2030-04-01", zone=NEW_YORK, query=query)["events"]]

    assert titles("") == titles("&account=main.fake") == titles("&account=other.fake") == ["One"]
    desk.account("second")
    assert titles("&account=main.second") == []
    for start, end in (
        ("2030-03-01", "2031-03-01"),
        ("x", "y"),
        ("2030-03-01", "2030-03-01"),
        ("0001-01-01", "0001-01-05"),
    ):
        answer = desk.get(f"/calendar/events?start={start}&end={end}", visit=desk.owner)
        assert answer.status_code == 422
        assert "no days of a calendar" in answer.json()["detail"]


def test_a_drag_keeps_the_accounts_zone_and_says_where_it_went(desk):
    desk.account(zone=KOLKATA)
    name = desk.plan("One", due=utc(2030, 3, 9, 14), zone=KOLKATA)

    answer = move(desk, name, wall="2030-03-11T10:00")

    assert answer.json() == {"said": "Moved to 11 Mar 2030, 10:00 (America/New_York).", "status": "scheduled"}
    found = desk.parts.deliveries.get(name)
    assert (found.due, found.wall, found.zone) == (utc(2030, 3, 11, 14), "2030-03-11 19:30", KOLKATA)


def test_a_wall_time_that_does_not_exist_is_moved_and_said(desk):
    desk.account()
    name = desk.plan("One", due=utc(2030, 3, 9, 14))

    answer = move(desk, name, wall="2030-03-10T02:30", zone=NEW_YORK)

    assert answer.json()["said"] == (
        "Moved to 10 Mar 2030, 03:30 (America/New_York). "
        "Clocks skip 02:30 on this day in America/New_York: it goes out at 03:30."
    )
    assert desk.parts.deliveries.get(name).due == utc(2030, 3, 10, 7, 30)


def test_a_refused_move_is_a_reason_to_show(desk):
    desk.account(zone=NEW_YORK, calendar=Calendar(quiet=((time(22), time(6)),)))
    name = desk.plan("One", due=utc(2030, 3, 9, 14))

    answer = move(desk, name, wall="2030-03-11T23:00")

    assert answer.status_code == 409
    assert answer.json()["detail"] == (
        "fake cannot post then: 23:00 is in the quiet hours, 22:00 to 06:00. Choose another time"
    )
    assert desk.parts.deliveries.get(name).due == utc(2030, 3, 9, 14)


def test_only_editors_of_the_workspace_move_its_posts(desk):
    desk.account()
    desk.account(workspace="other")
    ours, theirs = desk.plan("One", due=utc(2030, 3, 9, 14)), desk.plan("Two", workspace="other")

    assert move(desk, theirs, wall="2030-03-11T10:00").status_code == 404
    assert desk.get(f"/calendar/post/{theirs}", visit=desk.owner).status_code == 404
    for role in ("viewer", "approver"):
        assert move(desk, ours, role=role, wall="2030-03-11T10:00").status_code == 403
    assert desk.parts.deliveries.get(ours).due == utc(2030, 3, 9, 14)


@pytest.mark.parametrize("view", list(calendar.SPANS))
def test_every_view_opens_names_the_zone_and_teaches_when_it_is_empty(desk, view):
    page = desk.page(f"/calendar?view={view}&date=2030-03-10", visit=sign_in(desk.parts, "editor", zone=NEW_YORK))
    assert page.status_code == 200
    assert "America/New York" in page.text
    assert "Nothing is planned yet." in page.text
    desk.account()
    name = desk.plan("One <b>", due=utc(2030, 3, 10, 14))
    page = desk.page(f"/calendar?view={view}&date=2030-03-10&open={name}", visit=desk.owner)
    assert "Nothing is planned yet." not in page.text
    assert "One &lt;b&gt;" in page.text


@pytest.mark.parametrize(
    ("now", "view", "hour"),
    [((2030, 3, 11, 18, 40), "week", 13), ((2030, 3, 11, 4, 10), "day", 0), ((2030, 5, 1), "week", 7)],
)
def test_a_week_and_a_day_open_at_the_viewers_hour_and_another_week_in_the_morning(desk, monkeypatch, now, view, hour):
    monkeypatch.setattr(desk.parts, "now", lambda: utc(*now))

    page = desk.page(f"/calendar?view={view}&date=2030-03-11", visit=sign_in(desk.parts, "editor", zone=NEW_YORK))

    assert f'data-offset="-04:00" data-hour="{hour}"' in page.text


def test_the_forecast_sums_what_the_days_cost_and_use_up(desk):
    account = desk.account()

    paid = Account(id="main.paid", platform="x", name="@paid")
    desk.parts.records.save_account(paid, {})
    step = Step(kind=StepKind.POST, ordinal=0, key="k", post=Post(text="Hello"))
    for number in range(3):
        name = f"main.{number:020x}"
        due = utc(2030, 3, 10, 14, number)
        desk.parts.deliveries.create(
            Delivery(
                id=name,
                article="main.a",
                account=paid.id,
                platform="x",
                status=Status.SCHEDULED,
                due=due,
                steps=(step,),
            ),
            note="",
        )
    desk.plan("Free", due=utc(2030, 3, 10, 14))
    found = calendar.foreseen(desk.parts, "main", [account, paid], [utc(2030, 3, d) for d in (9, 10, 11)])

    assert (found.posts, found.mean, found.evergreen) == (4, False, 0)
    assert found.cost == pytest.approx(3 * load("x").price(step.post))
    assert found.cost > 0


def test_evergreen_posts_are_marked_and_counted(desk):
    desk.account()
    now = desk.parts.now()
    desk.plan("New", due=now + timedelta(days=2))
    again = desk.plan("Older", due=now + timedelta(days=2, hours=1), evergreen="harbour classics")
    days = f"start={now.date()}&end={now.date() + timedelta(days=5)}"
    visit = sign_in(desk.parts, zone="UTC")

    found = desk.get(f"/calendar/events?{days}", visit=visit).json()["events"]
    assert {e["title"]: e["extendedProps"]["evergreen"] for e in found} == {"New": "", "Older": "harbour classics"}
    assert Words(desk.page(f"/calendar/forecast?{days}", visit=visit).text).text.startswith(
        "Posts 2 1 to come is evergreen"
    )
    assert Words(desk.page("/calendar?view=list", visit=visit).text).text.count("evergreen") == 1
    assert "evergreen: harbour classics" in desk.page(f"/calendar/post/{again}", visit=visit).text


# The emergency stop


def press(desk, what, scope, visit=None):
    visit = visit or desk.owner
    data = {"form_token": visit.form_token, "scope": scope}
    return desk.post(f"/{what}", data=data, headers={"Origin": BASE}, visit=visit)


@pytest.mark.parametrize(
    ("scope", "stored"), [("all", "all"), ("workspace", "workspace:main"), ("main.fake", "account:main.fake")]
)
def test_a_stop_says_who_pressed_it_holds_and_is_taken_back(desk, scope, stored):
    desk.account()
    name = desk.plan("One", due=utc(2020, 3, 9, 14))

    assert press(desk, "stop", scope).status_code == 303

    assert desk.parts.deliveries.paused() == {stored: (None, "stopped by Owner of main")}
    assert desk.parts.deliveries.begin(name, lease=60, stale=1e9) == "paused"
    page = desk.page(f"/queue?open={name}").text
    assert "Stopped by Owner of main." in page
    assert press(desk, "resume", scope).status_code == 303
    assert desk.parts.deliveries.paused() == {}
    assert desk.status(name) is Status.HELD, "what became late is looked at first"
    assert [e.what for e in desk.parts.audit.page("main", most=2)[0]] == ["resumed", "stopped"]


def test_nobody_stops_what_is_not_theirs(desk):
    desk.account()
    desk.account(workspace="other")
    assert press(desk, "stop", "all").status_code == 403
    assert press(desk, "stop", "other.fake").status_code == 404
    assert press(desk, "stop", "main.nobody").status_code == 404
    assert press(desk, "stop", "workspace", sign_in(desk.parts, "viewer")).status_code == 403
    assert desk.parts.deliveries.paused() == {}


@pytest.mark.parametrize("address", ["/forecast?days=abc", "/numbers?days=-1", "/numbers?days=99999", "/inbox?show='"])
def test_a_page_whose_address_was_mistyped_shows_what_it_shows_without(desk, address):
    visit = sign_in(desk.parts, "editor")
    there, wrong = (desk.get(a, visit=visit, headers={"Accept": "text/html"}) for a in (address.split("?")[0], address))
    assert wrong.status_code == there.status_code == 200
    assert re.findall("<h1.*|selected.*|aria-current.*", wrong.text) == re.findall(
        "<h1.*|selected.*|aria-current.*", there.text
    )
