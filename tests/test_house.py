"""The API of what a workspace is made of: what the pages set, programs set, too, and by the same rules."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest

from tests.newsroom import sign_in
from tests.test_web import Desk
from worker.embedded import Embedded
from worker.intake.model import Kind, Source
from worker.people import Role


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Embedded.start(tmp_path_factory.mktemp("house"), fsync="everysec") as running:
        yield running


@pytest.fixture
def desk(server, tmp_path):
    return Desk(server, tmp_path)


def ask(desk, method, path, body=None, *, scope="admin"):
    given = {"json": body} if body is not None else {}
    return desk.ask(method, f"/api/v1{path}", token=desk.token(scope), **given)


def log(desk):
    return [(e.what, e.subject or e.detail) for e in desk.parts.audit.every("main")]


def test_a_source_is_read_changed_stopped_started_and_removed(desk):
    account = desk.account()
    desk.parts.sources.add(
        Source(id="main.lantern", kind=Kind.FEED, address="https://lantern.example/feed", name="Lantern")
    )
    (found,) = ask(desk, "GET", "/sources", scope="read").json()["sources"]
    assert (found["id"], found["health"], found["rules"]["at"]) == ("main.lantern", "not read yet", "now")

    rules = {"at": "inbox", "approve": True, "include": ["tag: Culture"], "always": ["#Harbour"]}
    changed = ask(desk, "PATCH", "/sources/lantern", {"rules": rules, "accounts": [account.id]}, scope="write").json()
    assert (changed["rules"]["at"], changed["rules"]["approve"], changed["accounts"]) == ("inbox", True, [account.id])
    assert (changed["rules"]["include"], changed["rules"]["voice"]["always"]) == ({"tag": ["Culture"]}, ["Harbour"])
    assert ask(desk, "PATCH", "/sources/lantern", {"rules": {"most": 3}}).json()["rules"]["at"] == "inbox"
    seen = ask(desk, "GET", "/sources/lantern").headers["etag"]
    for status in (200, 412):  # the second edit is of what the first has changed
        token = desk.token("write")
        body, tag = {"name": "The Lantern"}, {"If-Match": seen}
        assert desk.ask("PATCH", "/api/v1/sources/lantern", token=token, json=body, headers=tag).status_code == status
    assert ask(desk, "PATCH", "/sources/lantern", {"active": False}).json()["active"] is False
    assert ask(desk, "PATCH", "/sources/lantern", {"active": True}).json()["active"] is True
    for wrong in (
        {"rules": {"at": "whenever"}},
        {"rules": {"design": "none such"}},
        {"accounts": ["nobody"]},
        {"x": 1},
    ):
        assert ask(desk, "PATCH", "/sources/lantern", wrong).status_code in {404, 422}, wrong
    assert ask(desk, "DELETE", "/sources/lantern").status_code == 204
    assert ask(desk, "GET", "/sources/lantern").status_code == 404
    assert ("source remove", "main.lantern") in log(desk)


def test_an_account_is_connected_set_and_removed_and_never_tells_a_secret(desk):
    made = ask(desk, "POST", "/accounts", {"platform": "outbox", "name": "papers", "zone": "Asia/Calcutta"})
    assert made.status_code == 201, made.text
    assert (made.json()["id"], made.json()["zone"]) == ("main.outbox-papers", "Asia/Kolkata")

    stale = {"If-Match": '"of another time"'}
    address = "/api/v1/accounts/outbox-papers"
    assert desk.ask("PATCH", address, token=desk.token("admin"), json={}, headers=stale).status_code == 412
    edit = {"zone": "Europe/Vienna", "calendar": "mon-fri 09:00; gap 45", "approval": True}
    changed = ask(desk, "PATCH", "/accounts/outbox-papers", edit).json()
    assert (changed["zone"], changed["calendar"], changed["approval"]) == (
        "Europe/Vienna",
        "mon-fri 09:00; gap 45",
        True,
    )
    assert ask(desk, "PATCH", "/accounts/outbox-papers", {"approval": None}).json()["approval"] is None
    for wrong in ({"zone": "Nowhere"}, {"calendar": "never"}, {"brand": "none such"}):
        assert ask(desk, "PATCH", "/accounts/outbox-papers", wrong).status_code in {404, 422}, wrong

    voice = ask(desk, "PUT", "/accounts/outbox-papers/voice", {"host": "lantern.example", "always": ["Harbour"]}).json()
    assert voice["voices"]["lantern.example"]["always"] == ["Harbour"]
    refused = ask(desk, "PUT", "/accounts/outbox-papers/voice", {"template": "{nonsense}"})
    assert refused.status_code == 422

    for platform in ("none such", "../x"):
        assert ask(desk, "POST", "/accounts", {"platform": platform}).status_code == 422
    assert ask(desk, "DELETE", "/accounts/outbox-papers").status_code == 204
    assert ask(desk, "GET", "/accounts/outbox-papers").status_code == 404
    assert {what for what, _ in log(desk)} >= {
        "account connected",
        "account changed",
        "voice changed",
        "account removed",
    }


def test_a_brand_kit_is_made_changed_and_removed_and_what_could_not_be_read_is_refused(desk):
    made = ask(
        desk, "PUT", "/brands/lantern", {"colour": "#10304f", "accent": "#ffc15e", "sources": ["lantern.example"]}
    )
    assert made.status_code == 200, made.text
    assert (made.json()["colour"], made.json()["sources"]) == ("#10304f", ["lantern.example"])
    for wrong in ({"colour": "#10304f"}, {"corner": "nowhere"}, {"logo": "no base64"},
                  {"logo": base64.b64encode(b"no picture").decode()}):  # fmt: skip
        assert ask(desk, "PUT", "/brands/lantern", wrong).status_code == 422, wrong
    assert [b["name"] for b in ask(desk, "GET", "/brands", scope="read").json()["brands"]] == ["lantern"]
    assert ask(desk, "DELETE", "/brands/lantern").status_code == 204
    assert ask(desk, "DELETE", "/brands/lantern").status_code == 404


def test_people_are_invited_and_given_roles_and_a_program_makes_no_owners(desk):
    owner, editor = sign_in(desk.parts, "owner").user, sign_in(desk.parts, "editor").user
    made = ask(desk, "POST", "/invitations", {"email": "grace@example.org", "role": "viewer"})
    assert made.status_code == 201
    assert "/join?link=" in made.json()["link"]
    assert ask(desk, "POST", "/invitations", {"email": "grace@example.org", "role": "owner"}).status_code == 409

    assert {m["role"] for m in ask(desk, "GET", "/members").json()["members"]} == {"owner", "editor"}
    assert ask(desk, "PUT", f"/members/{editor.id}", {"role": "approver"}).status_code == 204
    assert desk.parts.people.members("main")[editor.id] is Role.APPROVER
    assert ask(desk, "PUT", f"/members/{editor.id}", {"role": "owner"}).status_code == 409
    assert ask(desk, "PUT", f"/members/{owner.id}", {"role": "viewer"}).status_code == 409
    assert ask(desk, "DELETE", f"/members/{owner.id}").status_code == 409
    assert ask(desk, "DELETE", f"/members/{editor.id}").status_code == 204
    assert ask(desk, "DELETE", f"/members/{editor.id}").status_code == 404


def test_the_audit_log_is_read_page_by_page_and_the_forecast_by_days(desk):
    desk.account()
    due = desk.parts.now() + timedelta(days=1)
    desk.plan("Hello", due=due)
    for number in range(5):
        ask(desk, "PUT", f"/brands/kit{number}", {})
    seen, cursor = [], ""
    while cursor is not None:
        page = ask(desk, "GET", f"/audit?limit=2&cursor={cursor}").json()
        seen += [e["subject"] for e in page["entries"]]
        cursor = page["next"]
    assert seen == [f"kit{n}" for n in (4, 3, 2, 1, 0)]
    assert ask(desk, "GET", "/audit", scope="write").status_code == 403

    days = f"start={due.date()}&end={due.date() + timedelta(days=1)}&zone=UTC"
    found = ask(desk, "GET", f"/forecast?{days}", scope="read").json()
    assert (found["posts"], found["evergreen"], found["cost"], found["expiring"]) == (1, 0, None, [])
    assert ask(desk, "GET", f"/forecast?start={due.date()}&end={due.date()}").status_code == 422
    assert ask(desk, "GET", f"/forecast?{days.replace('UTC', 'Nowhere')}").status_code == 422
