"""Whose clock it is: a new account posts in the zone of whoever connects it, and pages show the viewer's and name it."""

from __future__ import annotations

import html
import re
import subprocess
import sys

import pytest

from tests.newsroom import runtime, sign_in
from tests.test_connect import consent
from tests.test_web import BASE, Desk
from web.app import create_app
from worker.embedded import Embedded

NEW_YORK = "America/New_York"


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
