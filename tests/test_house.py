"""The API of what a workspace is made of: what the pages set, programs set, too, and by the same rules."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tests.newsroom import sign_in
from tests.test_web import Desk
from worker.embedded import Embedded
from worker.intake.model import Kind, Source
from worker.model import Account
from worker.people import Role
from worker.receipts import Readback, Sight
from worker.settings import TEMPLATES

LOGO = (TEMPLATES / "sample" / "lead.jpg").read_bytes()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Embedded.start(tmp_path_factory.mktemp("house")) as running:
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
    for private, address in ((True, "https://lantern.example/•••"), (None, "https://lantern.example/feed")):
        changed = ask(desk, "PATCH", "/sources/lantern", {"private": private}).json()
        assert (changed["private"], changed["address"]) == (private, address)
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
    assert ask(desk, "PUT", f"/members/{editor.id}", {"role": "approver"}).status_code == 200
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


def test_a_workspace_is_renamed_and_asks_for_approval_as_it_was_seen(desk):
    token = desk.token("admin")
    seen = desk.get("/api/v1/workspace", token=token)
    assert seen.json() == {"id": "main", "name": "main", "approval": False}
    edit = {"name": "The  Lantern\n", "approval": True}

    changed, late = (
        desk.ask("PATCH", "/api/v1/workspace", token=token, json=edit, headers={"If-Match": seen.headers["etag"]})
        for _ in range(2)
    )

    assert (changed.status_code, changed.json()["name"], changed.json()["approval"]) == (200, "The Lantern", True)
    assert (late.status_code, late.headers["content-type"]) == (412, "application/problem+json")
    assert desk.get("/api/v1/workspace", token=token).headers["etag"] == changed.headers["etag"]
    assert ask(desk, "PATCH", "/workspace", {"name": "\n"}).status_code == 422
    assert [what for what, _ in log(desk)] == ["approval rules changed", "workspace renamed"], "the latest first"


def test_a_token_makes_tokens_that_are_shown_once_and_end_with_it(desk):
    first = desk.token("admin")

    def make(by, scope):
        return desk.post("/api/v1/tokens", token=by, json={"scope": scope, "name": f"a {scope}"}).json()

    child = make(first, "admin")
    grandchild, calendar = make(child["token"], "write"), make(first, "calendar")
    assert child["by"] == desk.parts.records.token(first)["id"]
    assert calendar["calendar"] == f"http://127.0.0.1:8484/calendar/{calendar['token']}.ics"
    assert desk.get(calendar["calendar"]).status_code == 200
    listed = desk.get("/api/v1/tokens", token=first)
    assert {t["name"] for t in listed.json()["tokens"]} == {"", "a admin", "a write", "a calendar"}
    assert not any(t["token"] in listed.text for t in (child, grandchild, calendar))
    assert (
        desk.post("/api/v1/tokens", token=grandchild["token"], json={"scope": "read", "name": "x"}).status_code == 403
    )

    assert desk.ask("DELETE", f"/api/v1/tokens/{child['by']}", token=child["token"]).status_code == 204

    for token in (first, child["token"], grandchild["token"]):
        assert desk.get("/api/v1/accounts", token=token).status_code == 401, "what a token made ends with it"
    assert desk.get(calendar["calendar"]).status_code == 404
    assert ask(desk, "DELETE", f"/tokens/{child['by']}").status_code == 404


def test_invitations_are_listed_and_withdrawn(desk):
    link = ask(desk, "POST", "/invitations", {"email": "grace@example.org", "role": "viewer"}).json()["link"]
    (found,) = ask(desk, "GET", "/invitations").json()["invitations"]
    assert (found["email"], found["role"]) == ("grace@example.org", "viewer")
    assert link.partition("link=")[2] not in str(found)
    assert ask(desk, "DELETE", f"/invitations/{found['id']}").status_code == 204
    assert ask(desk, "DELETE", f"/invitations/{found['id']}").status_code == 404
    assert ask(desk, "GET", "/invitations").json() == {"invitations": []}


EDITS = {
    "PATCH /accounts/fake": ("/accounts/fake", {"calendar": "mon 09:{n:02}"}),
    "PUT /accounts/fake/voice": ("/accounts/fake", {"disclaimer": "Not advice {n}."}),
    "PATCH /sources/lantern": ("/sources/lantern", {"name": "Lantern {n}"}),
    "PUT /brands/kit": ("/brands/kit", {"sources": ["s{n}.example"]}),
    "PUT /evergreen/rule": ("/evergreen/rule", {"after": "{n}"}),
    "PUT /members/MEMBER": ("/members/MEMBER", {"role": "approver"}),
    "PATCH /workspace": ("/workspace", {"name": "House {n}"}),
    "PUT /digests/fake": ("/digests/fake", {"title": "Digest {n}"}),
}


@pytest.mark.parametrize("edit", EDITS)
def test_of_many_who_edit_at_once_what_they_saw_one_does(desk, edit):
    desk.account()
    desk.parts.sources.add(Source(id="main.lantern", kind=Kind.FEED, address="https://l.example/", name="Lantern"))
    member = sign_in(desk.parts, "editor").user.id
    for path, body in (("/brands/kit", {}), ("/evergreen/rule", {}), ("/digests/fake", {})):
        assert ask(desk, "PUT", path, body).status_code == 200, path
    (method, path), (shown, body) = edit.replace("MEMBER", member).split(" "), EDITS[edit]
    token = desk.token("admin")
    seen = desk.get(f"/api/v1{shown.replace('MEMBER', member)}", token=token).headers["etag"]

    def one(number):
        told = json.loads(
            json.dumps(body).replace('"{n}"', str(number)).replace("{n:02}", f"{number:02}").replace("{n}", str(number))
        )
        return desk.ask(method, f"/api/v1{path}", token=token, json=told, headers={"If-Match": seen}).status_code

    with ThreadPoolExecutor(6) as pool:
        answers = sorted(pool.map(one, range(1, 7)))

    assert answers[0] == 200
    assert set(answers[1:]) <= {412, 409}, answers


def test_brands_keep_their_files_unless_they_are_taken_away(desk):
    logo = base64.b64encode(LOGO).decode()
    made = ask(desk, "PUT", "/brands/lantern", {"logo": logo}).json()
    assert made["logo"]
    assert ask(desk, "PUT", "/brands/lantern", {"corner": "top-right"}).json()["logo"] == made["logo"]
    assert ask(desk, "PUT", "/brands/lantern", {"logo": None}).json()["logo"] == ""


def test_digests_are_kept_read_made_and_ended(desk):
    desk.account()
    kept = ask(desk, "PUT", "/digests/fake", {"every": "weekly", "on": 4, "at": "07:30", "source": "www.Example.org"})
    assert kept.status_code == 200, kept.text
    assert (kept.json()["source"], kept.json()["at"]) == ("example.org", "07:30:00")
    (listed,) = ask(desk, "GET", "/digests", scope="read").json()["digests"]
    assert listed == kept.json()
    assert ask(desk, "POST", "/digests/fake/send").status_code == 409, "nothing came"
    shared = {"source": "https://example.org/a"}
    assert ask(desk, "POST", "/articles", shared).status_code == 422, "it gets no article by itself"
    assert ask(desk, "POST", "/articles", shared | {"accounts": ["fake"]}).status_code == 202, "unless it is named"
    assert ask(desk, "PUT", "/digests/fake", {"most": 31}).status_code == 422
    assert ask(desk, "DELETE", "/digests/fake").status_code == 204
    assert ask(desk, "GET", "/digests/fake").status_code == 404


def test_an_app_is_kept_shown_without_its_secret_and_removed(desk):
    kept = ask(desk, "PUT", "/apps/linkedin", {"settings": {"client_id": "ours", "client_secret": "canary"}})
    assert (kept.status_code, kept.json()["client_id"]) == (200, "ours")
    assert kept.json()["redirect"].endswith("/connect/linkedin")
    assert "canary" not in kept.text + ask(desk, "GET", "/apps").text
    assert ask(desk, "PUT", "/apps/linkedin", {"settings": {"nonsense": "x"}}).status_code == 422
    begun = ask(desk, "POST", "/consents", {"platform": "linkedin"})
    assert (begun.status_code, "client_id=ours" in begun.json()["address"]) == (201, True)
    assert ask(desk, "POST", f"/consents/{begun.json()['id']}/finish").status_code == 404, "another token's"
    assert ask(desk, "DELETE", "/apps/linkedin").status_code == 204
    assert ask(desk, "POST", "/consents", {"platform": "linkedin"}).status_code == 422


def test_a_source_is_told_by_webhooks_or_given_an_address_for_pings(desk):
    desk.account()
    made = ask(desk, "POST", "/sources", {"scheme": "ghost", "name": "Our Ghost"})
    assert made.status_code == 201, made.text
    assert made.json()["secret"].startswith("whsec_")
    assert "/hooks/" in made.json()["hook"]
    name = made.json()["id"]
    assert "secret" not in ask(desk, "GET", f"/sources/{name}").json()
    again = ask(desk, "POST", f"/sources/{name}/hook", {"scheme": "ghost"}).json()
    assert (again["address"], again["secret"] != made.json()["secret"]) == (made.json()["hook"], True)
    for wrong in ({}, {"scheme": "ghost", "address": "example.org"}, {"scheme": "nonsense"}):
        assert ask(desk, "POST", "/sources", wrong).status_code in {409, 422}, wrong


def test_who_gets_the_weekly_report_and_what_was_looked_at_is_set(desk):
    desk.account()
    assert ask(desk, "GET", "/numbers/report", scope="read").json() == {"account": "", "weekday": 0}
    assert ask(desk, "PUT", "/numbers/report", {"account": "fake", "weekday": 2}).json()["account"] == "main.fake"
    assert ask(desk, "GET", "/numbers/report", scope="read").json() == {"account": "main.fake", "weekday": 2}
    desk.parts.records.save_account(Account(id="main.loud", platform="x", name="loud"))
    assert ask(desk, "PUT", "/numbers/report", {"account": "loud"}).status_code == 409, "readers see it"
    assert ask(desk, "PUT", "/numbers/report", {}).json() == {"account": "", "weekday": 0}
    delivery = desk.plan()
    desk.parts.aftercare.keep_readback(delivery, Readback(sight=Sight.GONE, at=desk.parts.now(), notes=()), again=None)
    assert desk.parts.aftercare.flagged("main") == [delivery]
    assert ask(desk, "POST", f"/receipts/{delivery}/noted", scope="write").status_code == 204
    assert desk.parts.aftercare.flagged("main") == []
    assert ask(desk, "POST", "/evergreen/plan", scope="write").json() == {"deliveries": []}
