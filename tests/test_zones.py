"""Whose clock it is: a new account posts in the zone of whoever connects it, and pages show the viewer's and name it."""

from __future__ import annotations

import dataclasses
import html
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest

from publishers.core.oauth import instant
from tests.newsroom import runtime, sign_in
from tests.test_connect import consent
from tests.test_web import BASE, Desk, Words
from web import gallery
from web.app import create_app
from worker import schedule
from worker.pipeline.accounts import Renewed
from worker.store.connections import Renewal

NEW_YORK, KOLKATA = "America/New_York", "Asia/Kolkata"
DUE = datetime(2030, 3, 11, 23, 30, tzinfo=UTC)


@pytest.fixture
def desk(server, tmp_path):
    return Desk(server, tmp_path)


def send(desk, path, visit, **fields):
    data = {"form_token": visit.form_token, **fields}
    return desk.post(path, data=data, headers={"Origin": BASE, "Accept": "text/html"}, visit=visit)


def zones(desk):
    return {a.id: a.zone for a in desk.parts.records.accounts("main")}


def test_an_account_begins_with_the_zone_of_whoever_connects_it_and_keeps_the_one_it_was_given(desk, server, rehearsal):
    desk.parts = runtime(server, desk.folder, rehearsal_url=rehearsal)
    desk.app = create_app(desk.parts)
    visit = sign_in(desk.parts, zone=NEW_YORK)

    pasted = send(desk, "/accounts/add/outbox", visit, name="pasted")
    rehearsed = send(desk, "/accounts/add/telegram", visit, rehearsal="1")
    page = send(desk, "/accounts/add/x/consent", visit, rehearsal="1", name="consent").text
    answer = consent(html.unescape(re.search(r'href="(http[^"]+/authorize[^"]+)"', page)[1]))
    allowed = desk.get("/connect/x", params=answer, visit=visit)

    assert [a.status_code for a in (pasted, rehearsed, allowed)] == [303, 303, 303]
    assert zones(desk) == {
        "main.outbox-pasted": NEW_YORK,
        "main.telegram-rehearsal": NEW_YORK,
        "main.x-consent": NEW_YORK,
    }

    send(desk, "/accounts/main.telegram-rehearsal/times", visit, zone="Asia/Kolkata", calendar="")
    send(desk, "/accounts/add/telegram", visit, rehearsal="1")
    assert zones(desk)["main.telegram-rehearsal"] == "Asia/Kolkata"


@pytest.mark.parametrize(
    ("zone", "queue", "shown"),
    [
        (
            NEW_YORK,
            "11 Mar 2030, 19:30 05:00, 12 Mar in Asia/Kolkata",
            "America/New York; 05:00, 12 Mar in Asia/Kolkata",
        ),
        ("Europe/Vienna", "12 Mar 2030, 00:30 05:00 in Asia/Kolkata", "Europe/Vienna; 05:00 in Asia/Kolkata"),
        (KOLKATA, "12 Mar 2030, 05:00", "Asia/Kolkata Length"),
        ("Asia/Colombo", "12 Mar 2030, 05:00", "Asia/Colombo Length"),
    ],
)
def test_queue_and_gallery_are_in_the_viewers_zone_and_say_the_accounts_where_it_differs(desk, zone, queue, shown):
    desk.account(zone=KOLKATA)
    name = desk.plan(due=DUE, zone=KOLKATA)
    visit = sign_in(desk.parts, zone=zone)

    page = Words(desk.page(f"/queue?open={name}", visit=visit).text)
    assert f"Times are yours: {zone.replace('_', ' ')} ." in page.text
    assert f"scheduled {queue}" in page.text
    assert page.text.count("in Asia/Kolkata") == queue.count("in Asia/Kolkata")
    seen = Words(desk.page("/gallery", visit=visit).text).text
    assert f"Due {queue[:18]} {shown}" in seen


def test_the_history_and_a_stop_are_told_in_the_viewers_zone(desk):
    desk.account(zone=KOLKATA)
    name = desk.plan(due=DUE, zone=KOLKATA)
    desk.parts.deliveries.pause("account:main.fake", until=DUE, why="asked to wait")
    (event,) = desk.parts.deliveries.history(name)
    visit = sign_in(desk.parts, zone=NEW_YORK)

    page = Words(desk.page(f"/queue?open={name}", visit=visit).text)

    there = event.at.astimezone(ZoneInfo(NEW_YORK))
    assert f"{there:%-d %b %H:%M:%S}" in page.text
    assert " is paused until 11 Mar 2030, 19:30 ." in page.text


def test_the_gallery_that_nobody_looks_at_is_in_each_accounts_zone(desk):
    desk.account(zone=KOLKATA)
    desk.plan(due=DUE, zone=KOLKATA)
    page = desk.folder / "gallery.html"

    gallery.write(desk.parts, page)

    assert "Due 12 Mar 2030, 05:00 Asia/Kolkata Length" in Words(page.read_text()).text


@pytest.mark.parametrize(
    ("said", "is_called"),
    [
        ("Asia/Calcutta", "Asia/Kolkata"),
        ("Europe/Kiev", "Europe/Kyiv"),
        ("America/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("Pacific/Truk", "Pacific/Chuuk"),
        ("Europe/Amsterdam", "Europe/Amsterdam"),
        ("Atlantic/Reykjavik", "Atlantic/Reykjavik"),
        ("UTC", "UTC"),
        ("Nowhere/Land", "Nowhere/Land"),
    ],
)
def test_a_zone_goes_by_its_current_name(said, is_called):
    assert schedule.current(said) == is_called


def test_every_old_name_keeps_its_clock_and_no_picker_offers_it():
    offered = schedule.zones()
    assert {"Asia/Kolkata", "Europe/Vienna", "America/New_York"} <= set(offered)
    for old in available_timezones():
        new = schedule.current(old)
        for month in (1, 7):
            at = datetime(2027, month, 1, tzinfo=UTC)
            assert at.astimezone(ZoneInfo(old)).utcoffset() == at.astimezone(ZoneInfo(new)).utcoffset(), (old, new)
        assert old == new or old not in offered


def test_a_browser_that_says_the_old_name_is_shown_the_current_one_and_asked_once(desk):
    visit = sign_in(desk.parts, zone="Asia/Calcutta")
    assert "Times are yours: Asia/Kolkata ." in Words(desk.page("/queue", visit=visit).text).text
    answers = [
        desk.post(
            "/zone", visit=visit, headers={"X-Form-Token": visit.form_token, "X-Zone": "Asia/Calcutta", "Origin": BASE}
        ).status_code
        for _ in range(2)
    ]
    assert answers == [205, 204]
    assert desk.parts.people.user(visit.user.id).zone == "Asia/Kolkata"


def test_the_forecast_says_until_when_a_token_lasts_as_connecting_stored_it(desk, server, rehearsal):
    desk.parts = runtime(server, desk.folder, rehearsal_url=rehearsal)
    desk.app = create_app(desk.parts)
    visit = sign_in(desk.parts, zone=NEW_YORK)
    for platform in ("x", "linkedin"):
        page = send(desk, f"/accounts/add/{platform}/consent", visit, rehearsal="1", name="tokens").text
        answer = consent(html.unescape(re.search(r'href="(http[^"]+/authoriz[^"]+)"', page)[1]))
        assert desk.get(f"/connect/{platform}", params=answer, visit=visit).status_code == 303
    records, now = desk.parts.records, desk.parts.now()
    x, linkedin = records.account("main.x-tokens"), records.account("main.linkedin-tokens")
    until = datetime.fromisoformat(x.settings["expires_at"])
    assert now < until < now + timedelta(hours=3), "X's access token lasts two hours and is renewed by itself"

    def forecast():
        span = f"start={now.date() - timedelta(days=1)}&end={now.date() + timedelta(days=2)}"
        return Words(desk.page(f"/calendar/forecast?{span}", visit=visit).text).text

    assert "must be connected again" not in forecast()
    assert desk.parts.accounts.renew_ahead(x.id) is Renewed.DONE
    assert datetime.fromisoformat(records.account(x.id).settings["expires_at"]) >= until
    assert "must be connected again" not in forecast()

    # What renewal stores when the platform says no, and an end that nothing can put off: both stand in the forecast.
    records.connections.note(x.id, Renewal(at=now, refused=True, why="invalid_grant"))
    ends = now + timedelta(hours=5)
    records.change_account(
        linkedin.id, lambda a, _: (dataclasses.replace(a, settings={**a.settings, "expires_at": instant(ends)}), None)
    )
    records.reserve(linkedin, "main.later", ends + timedelta(hours=1), gap=0)
    there = ends.astimezone(ZoneInfo(NEW_YORK))
    seen = forecast()
    assert f"X {x.name} must be connected again by" in seen
    assert (
        f"LinkedIn {linkedin.name} must be connected again by {there.day} {there:%b, %H:%M} 1 post comes after that"
        in seen
    )
