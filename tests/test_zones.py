"""Whose clock it is: a new account posts in the zone of whoever connects it, and pages show the viewer's and name it."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.newsroom import runtime, sign_in
from tests.test_connect import consent
from tests.test_web import BASE, Desk, Words
from web import gallery
from web.app import create_app
from worker.embedded import Embedded

NEW_YORK, KOLKATA = "America/New_York", "Asia/Kolkata"
DUE = datetime(2030, 3, 11, 23, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Embedded.start(tmp_path_factory.mktemp("zones"), fsync="everysec") as running:
        yield running


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory):
    command = [sys.executable, "-m", "rehearsal", "--port", "0", "--dir", str(tmp_path_factory.mktemp("stand-ins"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().strip()
        process.terminate()


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
    assert "main.fake is paused until 11 Mar 2030, 19:30 ." in page.text


def test_the_gallery_that_nobody_looks_at_is_in_each_accounts_zone(desk):
    desk.account(zone=KOLKATA)
    desk.plan(due=DUE, zone=KOLKATA)
    page = desk.folder / "gallery.html"

    gallery.write(desk.parts, page)

    assert "Due 12 Mar 2030, 05:00 Asia/Kolkata Length" in Words(page.read_text()).text
