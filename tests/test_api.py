"""What programs may do beyond reading: edit with an ETag, create once by a key, be told, and take everything away."""

from __future__ import annotations

import base64
import csv
import hashlib
import hmac
import io
import json
import time
from datetime import UTC, datetime, timedelta

import httpx
import icalendar
import pytest

from publishers.core.http import Http
from tests.newsroom import runtime
from tests.test_web import Desk
from web.table import cell as safe
from worker.model import Article, Content, Status, article_id
from worker.pipeline.announce import GONE, PAUSES, Announcer
from worker.settings import TEMPLATES


@pytest.fixture
def desk(server, tmp_path):
    return Desk(server, tmp_path)


def article(desk, title="Tide gates", workspace="main"):
    found = Article(
        id=article_id(workspace, f"https://example.org/{title}"), url=f"https://example.org/{title}", title=title,
        text="The tide gates close at six.", workspace=workspace,
    )  # fmt: skip
    content = Content(short="", medium="", long="", sentences=(), hashtags=(), alt="")
    desk.parts.records.save_article(found, content)
    return found.id


# Editing


def test_an_edit_names_what_it_saw_and_changes_the_key_of_the_post(desk):
    desk.account()
    delivery, token = desk.plan("Hello"), desk.token("write")
    seen = desk.get(f"/api/v1/deliveries/{delivery}", token=token).headers["etag"]
    before = desk.parts.deliveries.get(delivery).steps[0].key

    answer = desk.ask(
        "PATCH", f"/api/v1/deliveries/{delivery}", token=token, json={"text": "Hello, harbour"},
        headers={"If-Match": seen},
    )  # fmt: skip

    assert (answer.status_code, answer.json()["text"]) == (200, "Hello, harbour")
    assert answer.headers["etag"] not in {seen, ""}
    assert desk.parts.deliveries.get(delivery).steps[0].key != before
    assert [e.what for e in desk.parts.audit.page("main", most=9)[0]] == ["edited"]


@pytest.mark.parametrize(("header", "status"), [({}, 428), ({"If-Match": '"0-other"'}, 412)])
def test_an_edit_of_what_was_not_seen_is_refused_and_changes_nothing(desk, header, status):
    desk.account()
    delivery = desk.plan("Hello")

    answer = desk.ask(
        "PATCH", f"/api/v1/deliveries/{delivery}", token=desk.token("write"), json={"text": "No"}, headers=header
    )

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert desk.parts.deliveries.get(delivery).steps[0].post.text == "Hello"


def test_what_has_not_changed_is_not_sent_again(desk):
    path, token = f"/api/v1/deliveries/{desk.plan()}", desk.token()
    seen = desk.get(path, token=token).headers["etag"]

    again = desk.get(path, token=token, headers={"If-None-Match": seen})

    assert (again.status_code, again.content) == (304, b"")


def test_a_move_keeps_the_wall_time_and_is_refused_with_every_reason(desk):
    desk.account(zone="Europe/Vienna")
    delivery, token = desk.plan(), desk.token("write")

    moved = desk.post(f"/api/v1/deliveries/{delivery}/move", token=token, json={"at": "2032-03-27T09:30"})

    assert (moved.status_code, moved.json()["wall"], moved.json()["due"]) == (
        200, "2032-03-27 09:30", "2032-03-27T08:30:00Z",
    )  # fmt: skip
    assert desk.post(f"/api/v1/deliveries/{delivery}/move", token=token, json={"at": "25:99"}).status_code == 422


def test_articles_are_accepted_skipped_and_brought_back(desk):
    desk.account()
    token, one = desk.token("write"), article(desk, "One")
    two = article(desk, "Two")

    listed = desk.get("/api/v1/articles?shelf=new", token=token).json()["articles"]
    assert {a["id"] for a in listed} == {one, two}
    assert desk.post(f"/api/v1/articles/{one}/skip", token=token).status_code == 200
    assert desk.post(f"/api/v1/articles/{one}/bring-back", token=token).status_code == 200
    planned = desk.post(f"/api/v1/articles/{two}/accept", token=token, json={}).json()["deliveries"]
    assert set(planned.values()) == {"scheduled"}
    assert desk.post(f"/api/v1/articles/{two}/skip", token=token).status_code == 409
    found = desk.get(f"/api/v1/deliveries?article={two}", token=token).json()["deliveries"]
    assert {d["id"] for d in found} == set(planned)


def test_a_draft_is_worded_checked_pictured_finished_or_dropped(desk):
    desk.account()
    token, one = desk.token("write"), article(desk, "One")
    (draft,) = desk.post(f"/api/v1/articles/{one}/accept", token=token, json={"draft": True}).json()["deliveries"]
    address = f"/api/v1/deliveries/{draft}"
    found = desk.get(address, token=token)
    assert found.json()["media"]
    assert desk.get(f"{address}/wording", token=token).json()["text"] == found.json()["text"]

    told = desk.post(f"{address}/check", token=token, json={"text": "x" * 5001, "alt": ""}).json()
    assert (told["counts"][0]["length"], told["counts"][0]["limit"]) == (5001, 5000)
    assert (len(told["faults"]), told["hints"][0][:27]) == (1, "The picture has no alt text")
    assert desk.get(address, token=token).headers["etag"] == found.headers["etag"], "nothing is stored"

    tag = {"If-Match": found.headers["etag"]}
    plain = desk.ask("PATCH", address, token=token, headers=tag, json={"picture": None, "text": "Own words"})
    assert (plain.json()["media"], plain.json()["text"]) == ([], "Own words")
    photo = base64.b64encode((TEMPLATES / "sample" / "lead.jpg").read_bytes()).decode()
    for picture in ({"design": "quote"}, {"upload": photo, "focus": "0.2,0.5"}):
        seen = {"If-Match": desk.get(address, token=token).headers["etag"]}
        drawn = desk.ask("PATCH", address, token=token, headers=seen, json={"picture": picture})
        assert drawn.status_code == 200, drawn.text
        assert desk.get(drawn.json()["media"][0]["url"], token=token).status_code == 200
    for wrong in (
        {"design": "nonsense"},
        {"upload": "no base64"},
        {"upload": base64.b64encode(b"no picture").decode()},
    ):
        seen = {"If-Match": desk.get(address, token=token).headers["etag"]}
        assert desk.ask("PATCH", address, token=token, headers=seen, json={"picture": wrong}).status_code == 422, wrong

    later = desk.post(f"{address}/finish", token=token, json={"at": "2030-01-07T09:30"}).json()
    assert (later["status"], later["wall"]) == ("scheduled", "2030-01-07 09:30")
    assert desk.post(f"{address}/finish", token=token, json={"at": "slot"}).status_code == 409
    again = desk.post(f"/api/v1/articles/{one}/accept", token=token, json={"again": True, "draft": True}).json()
    (second,) = set(again["deliveries"]) - {draft}
    assert desk.ask("DELETE", f"/api/v1/deliveries/{second}", token=token).status_code == 204
    assert desk.get(f"/api/v1/deliveries/{second}", token=token).status_code == 404
    assert desk.ask("DELETE", address, token=token).status_code == 204
    assert desk.get(address, token=token).json()["status"] == "cancelled"


def test_a_workspace_is_stopped_and_goes_on(desk):
    desk.account()
    token = desk.token("write")

    stopped = desk.post("/api/v1/stop", token=token, json={}).json()["paused"]
    assert list(stopped) == ["workspace:main"]
    assert desk.post("/api/v1/stop", token=token, json={"account": "fake"}).json()["paused"].keys() == {
        "workspace:main", "account:main.fake",
    }  # fmt: skip
    assert desk.post("/api/v1/resume", token=token, json={}).json()["paused"].keys() == {"account:main.fake"}
    assert desk.post("/api/v1/stop", token=token, json={"account": "nobody"}).status_code == 404


# Idempotency-Key


def test_a_create_with_a_key_acts_once_and_its_repeats_hear_the_same(desk):
    token, asked = desk.token("admin"), {"url": "https://cms.example/told"}

    first, second = (
        desk.post("/api/v1/webhooks", token=token, json=asked, headers={"Idempotency-Key": "k1"}) for _ in range(2)
    )

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second.headers["idempotent-replayed"] == "true"
    assert len(desk.parts.listeners.listed("main")) == 1
    secret = first.json()["secret"].encode()
    client = desk.parts.store.client
    kept = [v for k in client.scan_iter("*:reply:*") for v in client.hvals(k)]
    assert kept
    assert not any(secret in value for value in kept)


def test_a_key_is_for_one_request_of_one_token(desk):
    token, key = desk.token("admin"), {"Idempotency-Key": "k2"}
    desk.post("/api/v1/webhooks", token=token, json={"url": "https://a.example/"}, headers=key)

    other = desk.post("/api/v1/webhooks", token=token, json={"url": "https://b.example/"}, headers=key)
    theirs = desk.post("/api/v1/webhooks", token=desk.token("admin"), json={"url": "https://b.example/"}, headers=key)

    assert (other.status_code, theirs.status_code) == (422, 201)
    assert [one.url for one in desk.parts.listeners.listed("main")] == ["https://a.example/", "https://b.example/"]
    long = {"Idempotency-Key": "x" * 256}
    assert (
        desk.post("/api/v1/webhooks", token=token, json={"url": "https://c.example/"}, headers=long).status_code == 400
    )


def test_what_was_refused_may_be_asked_again_with_its_key_once_it_is_mended(desk):
    token, asked = desk.token("write"), {"source": "https://example.org/a"}
    key = {"Idempotency-Key": "k3"}

    assert desk.post("/api/v1/articles", token=token, json=asked, headers=key).status_code == 422
    desk.account()
    assert desk.post("/api/v1/articles", token=token, json=asked, headers=key).status_code == 202


# Exports


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\0=1", "＝1+1", "＠SUM(A1)"])
def test_no_cell_is_a_formula(cell):
    assert safe(cell) == f"'{cell}"


def test_every_delivery_is_in_the_csv_with_what_readers_see(desk):
    texts = [f"=HYPERLINK({n})" for n in range(3)]
    for text in texts:
        desk.plan(text)
    desk.plan("Theirs", workspace="other")

    answer = desk.get("/api/v1/deliveries.csv", token=desk.token())

    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert sorted(r["text"] for r in rows) == [f"'{t}" for t in texts]
    assert {r["status"] for r in rows} == {"scheduled"}


def test_a_calendar_has_a_secret_address_that_opens_nothing_else(desk):
    desk.account()
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    delivery = desk.plan("Gates; close, early", due=due)
    desk.plan("Theirs", workspace="other", due=due)
    token = desk.token("calendar")

    answer = desk.get(f"/calendar/{token}.ics")

    (event,) = icalendar.Calendar.from_ical(answer.content).walk("VEVENT")
    assert (str(event["uid"]), event.decoded("dtstart")) == (f"{delivery}@handbill", due)
    assert str(event["description"]) == "Gates; close, early"
    assert desk.get(f"/calendar/{token}.ics", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    assert desk.get("/api/v1/deliveries", token=token).status_code == 403
    assert desk.get(f"/calendar/{desk.token('read')}.ics").status_code == 404
    (known,) = [t for t in desk.parts.records.tokens("main") if t["scope"] == "calendar"]
    desk.parts.records.revoke("main", known["id"])
    assert desk.get(f"/calendar/{token}.ics").status_code == 404


# Outgoing webhooks


class Ear:
    """The other system: what it was sent, and what it answers next (200 when nothing is left)."""

    def __init__(self, desk, *answers):
        self.heard, self.answers = [], list(answers)
        self.announcer = Announcer(desk.parts.deliveries, desk.parts.listeners, desk.parts.settings, http=self.http)
        self.listener, self.secret = self.announcer.add("main", "https://cms.example/told")

    def http(self, **given):
        return Http(transport=httpx.MockTransport(self._answer), secrets=given["secrets"])

    def _answer(self, request):
        self.heard.append((dict(request.headers), request.content))
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, type):
            raise answer("lost")
        return httpx.Response(answer, stream=httpx.ByteStream(b"said"))

    def later(self, desk):
        """As if the pause before the next try were over."""
        for name, _ in desk.parts.store.client.zrange("handbill:{main}:notices", 0, -1, withscores=True):
            desk.parts.store.client.zadd("handbill:{main}:notices", {name: 0})


def publish(desk, delivery):
    desk.parts.deliveries.change(delivery, Status.CANCELLED, origins=[Status.SCHEDULED], note="for a test")


def test_a_listener_is_told_once_signed_and_to_the_byte_what_became_of_a_post(desk):
    ear, delivery = Ear(desk), desk.plan()
    publish(desk, delivery)

    assert (ear.announcer.tick(), ear.announcer.tick()) == (1, 0)

    ((headers, body),) = ear.heard
    told = json.loads(body)
    assert (told["type"], told["data"]["id"]) == ("delivery.cancelled", delivery)
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = hmac.digest(base64.b64decode(ear.secret.removeprefix("whsec_")), signed, hashlib.sha256)
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"
    assert ear.secret.encode() not in b"".join(
        v for k in desk.parts.store.client.scan_iter("*listener*") if desk.parts.store.client.type(k) == b"hash"
        for v in desk.parts.store.client.hvals(k)
    )  # fmt: skip


def test_what_was_not_taken_is_told_again_under_the_same_id_until_it_is(desk):
    ear = Ear(desk, 500, httpx.ReadTimeout, 200)
    publish(desk, desk.plan())

    for _ in range(3):
        ear.announcer.tick()
        assert ear.announcer.tick() == 0, "the pause was not kept"
        ear.later(desk)

    assert len({(h["webhook-id"], b) for h, b in ear.heard}) == 1
    (notice,) = desk.parts.listeners.log(ear.listener)
    assert (notice.tries, notice.done) == (3, True)
    assert [said.partition(" ")[0] for _, said in notice.answers] == ["500", "cms.example:", "200"]


def test_a_listener_that_never_takes_it_is_given_up_and_may_be_told_by_hand(desk):
    ear = Ear(desk, *[500] * (len(PAUSES) + 1))
    publish(desk, desk.plan())
    for _ in range(len(PAUSES) + 3):
        ear.announcer.tick()
        ear.later(desk)
    (notice,) = desk.parts.listeners.log(ear.listener)
    assert (notice.given_up, len(ear.heard)) == (True, len(PAUSES) + 1)

    desk.parts.listeners.replay(ear.listener, notice.id, desk.parts.now())
    ear.announcer.tick()

    (notice,) = desk.parts.listeners.log(ear.listener)
    assert (notice.done, ear.heard[-1][1]) == (True, ear.heard[0][1])


def test_a_listener_that_says_410_is_told_nothing_more(desk):
    ear = Ear(desk, GONE)
    for text in ("A", "B"):
        publish(desk, desk.plan(text))
        ear.announcer.tick()

    assert len(ear.heard) == 1
    assert not desk.parts.listeners.find("main", ear.listener.id).active


def test_moves_before_a_listener_was_added_are_not_told(desk):
    publish(desk, desk.plan())
    ear = Ear(desk)

    assert ear.announcer.tick() == 0


def test_webhooks_are_added_tested_logged_and_removed_through_the_api(desk, monkeypatch):
    ear = Ear(desk)
    desk.parts.listeners.remove(ear.listener)
    monkeypatch.setattr(desk.parts, "announcer", ear.announcer)
    admin = desk.token("admin")

    made = desk.post("/api/v1/webhooks", token=admin, json={"url": "https://cms.example/told", "events": ["failed"]})
    assert (made.status_code, made.json()["secret"][:6]) == (201, "whsec_")
    path = f"/api/v1/webhooks/{made.json()['id']}"
    assert desk.post(f"{path}/test", token=admin).json()["done"] is True
    (told,) = desk.get(f"{path}/log", token=admin).json()["notices"]
    assert (told["kind"], told["answers"][0]["said"]) == ("ping", "200 said")
    assert "secret" not in desk.get("/api/v1/webhooks", token=admin).text
    assert desk.get(f"{path}/log", token=desk.token("admin", "other")).status_code == 404
    said = {"name": "CMS", "private": True, "active": False, "events": ["failed", "parked", "failed"]}
    changed = desk.ask("PATCH", path, token=admin, json=said).json()
    assert changed == {
        "id": made.json()["id"],
        "url": "https://cms.example/•••",
        "name": "CMS",
        "private": True,
        "active": False,
        "events": ["failed", "parked"],
        "created_at": made.json()["created_at"],
    }
    assert desk.ask("PATCH", path, token=admin, json={"private": None}).json()["url"] == "https://cms.example/told"
    assert desk.ask("PATCH", path, token=admin, json={"events": ["preparing"]}).status_code == 422
    tag = {"If-Match": desk.get(path, token=admin).headers["etag"]}
    edits = [desk.ask("PATCH", path, token=admin, json={"name": "Site"}, headers=tag) for _ in range(2)]
    assert [e.status_code for e in edits] == [200, 412]
    assert desk.ask("PATCH", path, token=desk.token("admin", "other"), json={"name": "x"}).status_code == 404
    assert desk.ask("DELETE", path, token=admin).status_code == 204
    assert desk.get("/api/v1/webhooks", token=admin).json() == {"webhooks": []}
    for body in ({"url": "ftp://x"}, {"url": "https://u:p@x/"}, {"url": "https://x", "events": ["preparing"]}):
        assert desk.post("/api/v1/webhooks", token=admin, json=body).status_code == 422


def test_a_listener_that_is_told_again_hears_nothing_of_the_time_between(desk):
    ear, meanwhile = Ear(desk), desk.plan()
    ear.announcer.change("main", ear.listener.id, active=False)
    publish(desk, meanwhile)
    time.sleep(0.01)
    ear.announcer.change("main", ear.listener.id, active=True)
    assert (ear.announcer.tick(), ear.heard) == (0, [])


def test_a_private_address_is_never_told(desk):
    parts = runtime(Box(desk), desk.folder)
    parts.announcer.add("main", "http://127.0.0.1:9/told")
    publish(desk, desk.plan())

    parts.announcer.tick()

    (notice,) = parts.listeners.log(parts.listeners.listed("main")[0])
    assert "127.0.0.1 is a private address" in notice.answers[0][1]
    parts.close()


class Box:
    """The address of the desk's own server."""

    def __init__(self, desk):
        self.url = desk.parts.settings.redis_url
