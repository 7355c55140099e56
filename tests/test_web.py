"""What the web answers: the API and its tokens, the pages and whom they refuse, signs of life, a gallery as a file."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import hashlib
import json
import re
import threading
import time
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import httpx
import pytest
import redis

import publishers
from publishers.core.post import Commit, Facet, Media, Post, Receipt
from publishers.core.publisher import ProofClass
from tests.newsroom import Newsroom, runtime, sign_in
from tests.test_engine import House
from tests.test_matrix import EXPECT
from web import gallery, listing, pictures, render, status, views
from web.app import create_app
from web.live import BEAT, MOVED, Live
from worker import approval, decisions
from worker.changes import Change, Kind
from worker.embedded import Embedded
from worker.intake.model import Fate
from worker.model import (
    Account,
    Article,
    Content,
    Delivery,
    Status,
    Step,
    StepKind,
    article_id,
    delivery_id,
    step_key,
    to_json,
)
from worker.people import Role
from worker.settings import Settings
from worker.store import keys, open_store
from worker.store.deliveries import End

HERE = ("127.0.0.1", 50000)
BASE = "http://127.0.0.1:8484"


class Desk:
    """A store with nothing in it, the application on it, and everything it handed to the content workers."""

    def __init__(self, server, folder):
        self.parts = runtime(server, folder)
        self.parts.store.client.flushdb()
        self.folder = folder
        self.app = create_app(self.parts)

    def ask(self, method, path, *, token=None, client=HERE, base=BASE, headers=(), visit=None, **request):
        async def once():
            transport = httpx.ASGITransport(self.app, client=client)
            async with httpx.AsyncClient(transport=transport, base_url=base) as http:
                given = {"Authorization": f"Bearer {token}"} if token else (visit.headers if visit else {})
                return await http.request(method, path, headers={**given, **dict(headers)}, **request)

        return asyncio.run(once())

    def get(self, path, **request):
        return self.ask("GET", path, **request)

    def post(self, path, **request):
        return self.ask("POST", path, **request)

    @functools.cached_property
    def owner(self):
        return sign_in(self.parts)

    def page(self, path, **request):
        return self.get(path, headers={"Accept": "text/html"}, visit=request.pop("visit", self.owner), **request)

    def decide(self, delivery, decision, **fields):
        data = {"form_token": self.owner.form_token, **fields}
        return self.post(f"/queue/{delivery}/{decision}", data=data, headers={"Origin": BASE}, visit=self.owner)

    def token(self, scope="read", workspace="main"):
        return self.parts.records.create_token(scope=scope, workspace=workspace)

    def account(self, name="fake", workspace="main", **fields):
        account = Account(id=f"{workspace}.{name}", platform="outbox", name=name, workspace=workspace, **fields)
        self.parts.records.save_account(account, {"access_token": f"secret-of-{name}"})
        return account

    def plan(self, text="Hello", *, to=Status.SCHEDULED, workspace="main", article="", account="", due=None, **fields):
        article, account = article or article_id(workspace, text), account or f"{workspace}.fake"
        identity = delivery_id(article, account, 0)
        post = fields.pop("post", None) or Post(text=text, title=text)
        step = Step(kind=StepKind.POST, ordinal=0, key=step_key(identity, StepKind.POST, 0, 1), post=post)
        delivery = Delivery(
            id=identity, article=article, account=account, platform="outbox", workspace=workspace,
            status=to, due=due or datetime.now(UTC) + timedelta(hours=1), steps=(step,), **fields,
        )  # fmt: skip
        self.parts.records.link_delivery(article, identity)
        assert self.parts.deliveries.create(delivery, note="planned")
        return identity

    def status(self, delivery):
        return self.parts.deliveries.get(delivery).status


@pytest.fixture
def desk(server, tmp_path):
    return Desk(server, tmp_path)


# Tokens


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/deliveries"),
        ("GET", "/api/v1/deliveries/main.0123456789abcdef0123"),
        ("POST", "/api/v1/deliveries/main.0123456789abcdef0123/retry"),
        ("GET", "/api/v1/articles/main.0123456789abcdef0123"),
        ("POST", "/api/v1/articles"),
        ("GET", "/api/v1/accounts"),
    ],
)
def test_without_a_token_the_api_says_401_and_how_to_get_one(desk, method, path):
    for token in (None, "hb_wrong"):
        answer = desk.ask(method, path, token=token)

        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer")
        problem = answer.json()
        assert (problem["title"], problem["status"], problem["instance"]) == ("Unauthorized", 401, path)
        assert "token" in problem["detail"]


def test_a_reading_token_changes_nothing(desk):
    delivery = desk.plan(to=Status.HELD)

    for path in [f"deliveries/{delivery}/{d}" for d in decisions.ORIGINS] + ["articles"]:
        answer = desk.post(f"/api/v1/{path}", token=desk.token("read"), json={"source": "https://example.org/a"})
        assert answer.status_code == 403, path
        wanted = "admin" if path.endswith("/approve") else "write"
        assert f'scope="{wanted}"' in answer.headers["www-authenticate"]

    assert desk.status(delivery) is Status.HELD
    assert desk.parts.sources.latest("main") == []


def test_an_admin_token_may_write_and_read(desk):
    delivery = desk.plan(to=Status.HELD)

    assert desk.post(f"/api/v1/deliveries/{delivery}/retry", token=desk.token("admin")).json()["status"] == "scheduled"


def test_a_token_sees_its_own_workspace_only(desk):
    ours, theirs = desk.plan("Ours"), desk.plan("Theirs", workspace="other")
    desk.account(workspace="main")
    desk.account("foreign", workspace="other")
    token = desk.token("write", "main")

    listed = desk.get("/api/v1/deliveries", token=token).json()["deliveries"]

    assert [d["id"] for d in listed] == [ours]
    assert desk.get(f"/api/v1/deliveries/{theirs}", token=token).status_code == 404
    assert desk.post(f"/api/v1/deliveries/{theirs}/cancel", token=token).status_code == 404
    assert desk.get(f"/api/v1/articles/{article_id('other', 'Theirs')}", token=token).status_code == 404
    assert [a["id"] for a in desk.get("/api/v1/accounts", token=token).json()["accounts"]] == ["main.fake"]
    assert desk.status(theirs) is Status.SCHEDULED


# The API


def test_deliveries_come_page_by_page_each_once_even_those_of_one_millisecond(desk):
    made = [desk.plan(f"Post {n}") for n in range(25)]
    root = desk.parts.store.client
    for number in range(keys.SHARDS):
        key = f"{keys.root(number)}status:scheduled"
        for member in root.zrange(key, 0, -1):
            root.zadd(key, {member: 1_800_000_000_000})
    token = desk.token()

    met, cursor = [], ""
    while True:
        page = desk.get("/api/v1/deliveries", token=token, params={"limit": 2, "cursor": cursor}).json()
        met += [d["id"] for d in page["deliveries"]]
        assert len(page["deliveries"]) <= 2
        cursor = page["next"]
        if cursor is None:
            break

    assert sorted(met) == sorted(made)
    assert desk.get("/api/v1/deliveries?cursor=nonsense", token=token).status_code == 422
    assert desk.get("/api/v1/deliveries?limit=201", token=token).json()["errors"][0]["pointer"] == "/query/limit"


def test_the_latest_move_comes_first_and_a_status_narrows(desk):
    first, second = desk.plan("First"), desk.plan("Second", to=Status.AWAITING_APPROVAL)
    time.sleep(0.003)
    decisions.cancel(desk.parts.deliveries, first)
    token = desk.token()

    def ids(query=""):
        return [d["id"] for d in desk.get(f"/api/v1/deliveries{query}", token=token).json()["deliveries"]]

    assert ids() == [first, second]
    assert ids("?status=cancelled") == [first]
    assert ids("?status=awaiting%20approval") == ids("?status=awaiting_approval") == [second]
    assert desk.get("/api/v1/deliveries?status=lost", token=token).status_code == 422


def test_a_delivery_has_its_history_and_no_path_of_this_machine(desk):
    media = Media(
        path=str(desk.folder / "media" / "x.jpg"), sha256="ab" * 32, mime="image/jpeg", width=1200, height=630, size=9,
        alt="A bridge",
    )  # fmt: skip
    delivery = desk.plan(post=Post(text="Hello", link="https://example.org/a", media=(media,)))

    answer = desk.get(f"/api/v1/deliveries/{delivery}", token=desk.token())
    found = answer.json()

    assert str(desk.folder) not in answer.text
    assert found["media"] == [
        {
            "url": pictures.src(desk.parts.vault, "main")(media),
            "mime": "image/jpeg",
            "width": 1200,
            "height": 630,
            "bytes": 9,
            "alt": "A bridge",
        }
    ]
    assert (found["text"], found["link"], found["receipt"]) == ("Hello", "https://example.org/a", None)
    assert [(e["status"], e["note"]) for e in found["history"]] == [("scheduled", "planned")]
    assert found["next_look"] == found["due"]


@pytest.mark.parametrize(
    "identity", ["main.none", "main.0123456789abcdef0123", "x", "main.a:deliveries", "*.0", "..", "%00"]
)
def test_what_is_not_there_is_404(desk, identity):
    for kind in ("deliveries", "articles"):
        assert desk.get(f"/api/v1/{kind}/{identity}", token=desk.token()).status_code in {404, 307}


def test_who_may_write_may_not_approve_what_was_written(desk):
    waiting = desk.plan(to=Status.AWAITING_APPROVAL)

    assert desk.post(f"/api/v1/deliveries/{waiting}/approve", token=desk.token("write")).status_code == 403
    assert desk.status(waiting) is Status.AWAITING_APPROVAL


def test_a_program_approves_what_it_saw_and_a_change_voids_that(desk):
    desk.account()
    token = desk.token("admin")
    waiting = desk.plan("As it was", to=Status.AWAITING_APPROVAL)
    address = f"/api/v1/deliveries/{waiting}"
    seen = desk.get(address, token=token).headers["etag"]
    changed = desk.ask("PATCH", address, token=token, headers={"If-Match": seen}, json={"text": "Otherwise"})
    assert (changed.status_code, changed.json()["status"]) == (200, "awaiting approval")

    late = desk.post(f"{address}/approve", token=token, headers={"If-Match": seen})
    assert late.status_code == 412, "it is not what was seen"
    assert desk.status(waiting) is Status.AWAITING_APPROVAL

    approved = desk.post(f"{address}/approve", token=token, headers={"If-Match": changed.headers["etag"]})
    found = desk.parts.deliveries.get(waiting)
    assert (approved.status_code, found.status) == (200, Status.SCHEDULED)
    assert found.approval == approval.seal(found)
    assert [e.detail for e in desk.parts.audit.every("main") if e.what == "approved"] == [found.approval]

    again = desk.ask(
        "PATCH", address, token=token, headers={"If-Match": approved.headers["etag"]}, json={"text": "Once more"}
    )
    found = desk.parts.deliveries.get(waiting)
    assert again.json()["status"] == found.status == Status.AWAITING_APPROVAL
    assert found.approval == ""


def test_each_decision_does_what_it_says_or_is_refused_with_409(desk):
    token = desk.token("admin")

    def decide(delivery, decision, **body):
        return desk.post(f"/api/v1/deliveries/{delivery}/{decision}", token=token, **body)

    failed, waiting = desk.plan("A", to=Status.FAILED), desk.plan("B", to=Status.AWAITING_APPROVAL)
    parked, again = desk.plan("C", to=Status.PARKED), desk.plan("D", to=Status.PARKED)

    assert decide(failed, "retry").json()["status"] == "scheduled"
    assert decide(failed, "cancel").json()["status"] == "cancelled"
    assert decide(waiting, "approve").json()["status"] == "scheduled"
    settled = decide(parked, "resolve", json={"there": "https://example.org/1"}).json()
    assert (settled["status"], settled["receipt"]["url"]) == ("published", "https://example.org/1")
    assert decide(again, "resolve", json={"send_again": True}).json()["status"] == "scheduled"

    refused = decide(failed, "retry")
    assert refused.status_code == 409
    why = f"{failed} cannot become scheduled: it is cancelled. See: handbill delivery show {failed}"
    assert refused.json()["detail"] == why
    for body in ({}, {"there": " "}, {"there": "x", "send_again": True}, {"their": "x"}):
        assert decide(parked, "resolve", json=body).status_code == 422


def test_an_article_is_handed_on_exactly_as_asked(desk):
    one, _ = desk.account("one"), desk.account("two")
    token = desk.token("write")
    later = f"{datetime.now(UTC).year + 1}-06-01T09:00"

    answer = desk.post(
        "/api/v1/articles",
        token=token,
        json={"source": "https://example.org/a?b=1", "accounts": ["one", one.id], "at": later},
    )
    everything = desk.post("/api/v1/articles", token=token, json={"source": "http://example.org/a", "at": "slot"})

    assert answer.status_code == everything.status_code == 202
    stored = [desk.parts.sources.item(a.json()["item"]) for a in (answer, everything)]
    asked = [(i.candidate.address, i.candidate.accounts, i.candidate.at, i.ways, i.fate) for i in stored]
    assert asked == [
        ("https://example.org/a?b=1", ("main.one",), later, ("api",), "new"),
        ("http://example.org/a", ("main.one", "main.two"), "slot", ("api",), "new"),
    ]
    assert answer.json() == {
        "source": "https://example.org/a?b=1",
        "workspace": "main",
        "accounts": ["main.one"],
        "at": later,
        "item": stored[0].id,
        "fate": "new",
    }
    assert sorted(desk.parts.sources.take_items(wake=60)[0]) == sorted(i.id for i in stored)


def test_a_program_sees_what_became_of_its_articles_and_of_no_others(desk):
    desk.account()
    token = desk.token("write")
    made = [
        desk.post("/api/v1/articles", token=token, json={"source": f"https://example.org/{n}"}).json()["item"]
        for n in range(3)
    ]
    desk.parts.sources.settle(made[0], Fate.FAILED, "the page answered 404", origins=[Fate.NEW])

    one = desk.get(f"/api/v1/items/{made[0]}", token=token).json()
    assert (one["fate"], one["reason"], one["address"]) == ("failed", "the page answered 404", "https://example.org/0")
    failed = desk.get("/api/v1/items?fate=failed", token=token).json()
    assert [i["id"] for i in failed["items"]] == [made[0]]
    first = desk.get("/api/v1/items?limit=2", token=token).json()
    second = desk.get(f"/api/v1/items?limit=2&cursor={first['next']}", token=token).json()
    assert sorted(i["id"] for i in first["items"] + second["items"]) == sorted(made)
    assert second["next"] is None
    for path in (f"items/{made[0].replace('main.', 'other.')}", "items/main.00000000000000000000", "items/x"):
        assert desk.get(f"/api/v1/{path}", token=token).status_code == 404
    other = desk.token("read", workspace="other")
    assert desk.get("/api/v1/items", token=other).json() == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"source": "/etc/passwd"}, 422),
        ({"source": "file:///etc/passwd"}, 422),
        ({"source": "-"}, 422),
        ({"source": "templates/sample/index.html"}, 422),
        ({"source": "ftp://example.org/a"}, 422),
        ({"source": "https://"}, 422),
        ({"source": "https://[::1"}, 422),
        ({"source": "https://user:password@example.org/"}, 422),
        ({"source": "https://example.org/a b"}, 422),
        ({"source": "https://example.org/\n-"}, 422),
        ({"source": "https://example.org/" + "a" * 2000}, 422),
        ({"source": "https://example.org/", "at": "yesterday"}, 422),
        ({"source": "https://example.org/", "at": "2001-01-01T00:00"}, 422),
        ({"source": "https://example.org/", "accounts": ["other.foreign"]}, 404),
        ({"source": "https://example.org/", "accounts": ["nobody"]}, 404),
        ({"source": "https://example.org/", "approve": True}, 422),
        ({}, 422),
        ([], 422),
    ],
)
def test_a_source_is_a_web_address_and_accounts_are_ones_own(desk, body, status):
    desk.account()
    desk.account("foreign", workspace="other")

    answer = desk.post("/api/v1/articles", token=desk.token("write"), json=body)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert desk.parts.sources.latest("main") == []


def test_without_an_account_there_is_nobody_to_post(desk):
    answer = desk.post("/api/v1/articles", token=desk.token("write"), json={"source": "https://example.org/"})

    assert answer.json()["detail"].startswith("There is no account to post to")


def test_accounts_are_shown_without_their_secrets(desk):
    desk.account(settings={"server": "https://example.org"})

    answer = desk.get("/api/v1/accounts", token=desk.token())

    assert answer.json()["accounts"][0]["id"] == "main.fake"
    assert "secret-of" not in answer.text


def test_the_description_of_the_api_names_every_address_and_asks_for_a_token(desk):
    described = desk.get("/openapi.json").json()

    known = {path for _, path in (a.split(" ") for a in EXPECT) if path.startswith("/api/")}
    assert set(described["paths"]) == {"/healthz", "/readyz", "/metrics", *(p.replace(":path", "") for p in known)}
    for path, methods in described["paths"].items():
        if path.startswith("/api/"):
            assert all(m["security"] == [{"HTTPBearer": []}] for m in methods.values()), path


def test_what_is_far_too_large_is_not_read(desk):
    answer = desk.post("/api/v1/articles", token=desk.token("write"), content=b"x" * 70_000)

    assert answer.status_code == 413


# Signs of life


def test_the_process_answers_even_without_redis(desk):
    desk.parts.store.client = redis.Redis.from_url("redis://127.0.0.1:1/", retry=None)

    assert desk.get("/healthz").json() == {"status": "ok"}


def test_it_is_ready_without_a_content_worker_and_says_that_articles_wait(desk):
    desk.parts.records.seen_alive("publish@here", seconds=60)
    answer = desk.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["why"].startswith("No content worker consumes: new articles wait.")
    desk.parts.records.seen_alive("content@here", seconds=60)
    assert desk.get("/readyz").json()["why"].startswith("No intake worker consumes: new articles wait.")


def test_it_is_ready_when_redis_answers_a_worker_consumes_and_nothing_is_overdue(desk):
    nobody = desk.get("/readyz")
    desk.parts.records.seen_alive("content@here", seconds=60)
    desk.parts.records.seen_alive("intake@here", seconds=60)
    silent = desk.get("/readyz")
    desk.parts.records.seen_alive("publish@here", seconds=60)
    ready = desk.get("/readyz")
    desk.plan(due=datetime.now(UTC) - timedelta(minutes=2))
    overdue = desk.get("/readyz")

    assert (nobody.status_code, ready.status_code, overdue.status_code) == (503, 200, 503)
    assert nobody.json()["why"] == "No worker consumes. Start one with: handbill up, or handbill worker."
    assert ready.json() == {"ready": True, "redis": True, "workers": 3, "overdue_seconds": 0.0, "why": ""}
    assert silent.status_code == 503
    assert silent.json()["why"] == "No publish worker consumes. Start one with: handbill up, or handbill worker."
    assert 119 < overdue.json()["overdue_seconds"] < 150


def gone(desk):
    """An application whose Redis went away."""
    client = redis.Redis.from_url("redis://127.0.0.1:1/", retry=None)
    desk.parts.store.client = client
    desk.parts.records._redis = desk.parts.people._redis = client
    return desk


def test_without_redis_everything_says_so_in_one_line(desk):
    token = desk.token()
    assert desk.page("/queue").status_code == 200
    away = gone(desk)

    ready, api, page = away.get("/readyz"), away.get("/api/v1/deliveries", token=token), away.page("/queue")

    assert [a.status_code for a in (ready, api, page)] == [503, 503, 503]
    assert "does not answer" in ready.json()["why"]
    assert api.json()["detail"].startswith("Redis at its address does not answer")
    assert "Redis at its address does not answer" in page.text
    assert "Traceback" not in page.text + api.text


def test_metrics_are_what_redis_says_now(desk):
    for text, to in (("A", Status.PUBLISHED), ("B", Status.PARKED), ("C", Status.SCHEDULED)):
        desk.plan(text, to=to, due=datetime.now(UTC) - timedelta(minutes=3))
    desk.parts.deliveries.pause("account:main.fake", until=None, why="stopped")
    desk.parts.deliveries.mark_double(desk.plan("D"))
    desk.parts.records.seen_alive("publish@here", seconds=60)

    lines = desk.get("/metrics").text.splitlines()
    numbers = [line for line in lines if not line.startswith("#")]

    assert all(line.startswith("handbill_") for line in numbers)
    for line in (
        'handbill_deliveries{status="published"} 1.0',
        'handbill_deliveries{status="parked"} 1.0',
        'handbill_deliveries{status="scheduled"} 2.0',
        'handbill_paused_scopes{kind="account"} 1.0',
        'handbill_paused_scopes{kind="all"} 0.0',
        "handbill_late_posts 1.0",
        "handbill_double_posts 1.0",
        "handbill_waiting_wakeups 0.0",
        'handbill_workers_alive{pool="publish"} 1.0',
        'handbill_workers_alive{pool="content"} 0.0',
    ):
        assert line in numbers
    assert 179 < float(next(n for n in numbers if n.startswith("handbill_overdue_seconds")).split()[1]) < 220


def test_another_machine_reads_metrics_with_a_token(desk):
    away = ("192.0.2.7", 1)

    assert desk.get("/metrics", client=away).status_code == 401
    assert desk.get("/metrics", client=away, token=desk.token()).status_code == 200
    assert desk.get("/healthz", client=away).status_code == desk.get("/openapi.json", client=away).status_code == 200


# Whom pages refuse


@pytest.mark.parametrize("path", ["/", "/gallery", "/queue", "/live", "/sign-in"])
@pytest.mark.parametrize(
    ("client", "host", "headers"),
    [
        (("192.0.2.7", 1), "127.0.0.1:8484", {}),
        (("127.0.0.1", 1), "evil.example", {}),
        (("127.0.0.1", 1), "evil.example:8484", {}),
        (("127.0.0.1", 1), "127.0.0.1.evil.example", {}),
        (("127.0.0.1", 1), "localhost.evil.example", {}),
        (("127.0.0.1", 1), "0.0.0.0:8484", {}),
        (("127.0.0.1", 1), "[::1", {}),
        (("127.0.0.1", 1), "", {}),
        (("127.0.0.1", 1), "127.0.0.1:8484", {"X-Forwarded-For": "192.0.2.7"}),
        (("127.0.0.1", 1), "127.0.0.1:8484", {"X-Forwarded-For": "127.0.0.1"}),
        (("127.0.0.1", 1), "127.0.0.1:8484", {"Forwarded": "for=127.0.0.1"}),
        (("::ffff:192.0.2.7", 1), "127.0.0.1:8484", {}),
    ],
)
def test_without_a_public_address_pages_answer_nobody_but_a_browser_on_this_machine(desk, path, client, host, headers):
    given = {"Host": host, "Accept": "text/html", **headers}
    answer = desk.get(path, client=client, headers=given, visit=desk.owner)

    assert answer.status_code == 403
    assert "The pages answer at http://127.0.0.1:8484 on the machine it runs on" in answer.text


@pytest.mark.parametrize("client", [("127.0.0.1", 1), ("127.8.9.1", 1), ("::1", 1), ("::ffff:127.0.0.1", 1)])
@pytest.mark.parametrize("host", ["127.0.0.1:8484", "localhost:8484", "localhost", "[::1]:8484"])
def test_pages_answer_on_this_machine_by_all_its_names(desk, client, host):
    owner = sign_in(desk.parts, base=f"http://{host}")
    assert desk.get("/queue", client=client, headers={"Host": host}, visit=owner).status_code == 200
    assert desk.get("/", client=client, headers={"Host": host}, visit=owner).headers["location"] == "/inbox"


@pytest.mark.parametrize(
    ("role", "first"),
    [("owner", "/inbox"), ("editor", "/inbox"), ("approver", "/queue?show=decide"), ("viewer", "/calendar")],
)
def test_the_front_page_is_what_waits_for_whoever_it_is(desk, role, first):
    assert desk.get("/", visit=sign_in(desk.parts, role)).headers["location"] == first


def test_nobody_sees_a_button_that_their_role_may_not_use(desk):
    desk.account()
    failed, waiting = desk.plan("A", to=Status.FAILED), desk.plan("B", to=Status.AWAITING_APPROVAL)
    for role, about, buttons in (
        ("viewer", failed, []),
        ("viewer", waiting, []),
        ("editor", waiting, ["Never send it"]),
        ("approver", waiting, ["Approve", "Send it back", "Never send it"]),
        ("approver", failed, ["Send now", "Never send it"]),
    ):
        page = desk.page(f"/queue?open={about}", visit=sign_in(desk.parts, role)).text
        decide = re.search(r'<section class="decide">(.*?)</section>', page, re.DOTALL)
        assert re.findall(r"<button[^>]*>([^<]*)</button>", decide[1] if decide else "") == buttons, role


def test_every_answer_is_sealed(desk):
    for path in ("/gallery", "/queue", "/healthz", "/api/v1/accounts", "/nothing", "/queue?show=nothing"):
        headers = desk.page(path).headers
        policy = headers["content-security-policy"]

        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        for part in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
            assert part in policy
        assert "unsafe" not in policy
    first, second = (desk.page("/queue") for _ in range(2))
    nonces = [re.search(r"'nonce-([^']+)'", a.headers["content-security-policy"])[1] for a in (first, second)]
    assert nonces[0] != nonces[1]
    assert first.text.count(f'nonce="{nonces[0]}"') == 4
    assert "<script>" not in first.text
    assert not re.search(r"\son\w+=|\sstyle=|javascript:", first.text)


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({"form_token": ""}, {}),
        ({"form_token": "guess"}, {}),
        ({"form_token": "gu\u00e9ss"}, {}),
        ({}, {"Origin": "http://evil.example"}),
        ({}, {"Origin": "null"}),
        ({}, {"Origin": "http://127.0.0.1:9999"}),
        ({}, {"Sec-Fetch-Site": "cross-site"}),
        ({}, {"Sec-Fetch-Site": "same-site"}),
        ({}, {"Host": "evil.example"}),
    ],
)
def test_a_form_of_somebody_elses_page_decides_nothing(desk, fields, headers):
    delivery = desk.plan(to=Status.HELD)
    data = {"form_token": desk.owner.form_token, **fields}

    answer = desk.post(f"/queue/{delivery}/retry", data=data, headers=headers, visit=desk.owner)

    assert answer.status_code == 403
    assert desk.status(delivery) is Status.HELD


def test_a_form_of_our_own_decides_and_shows_the_queue_again(desk):
    held, parked = desk.plan("A", to=Status.HELD), desk.plan("B", to=Status.PARKED)

    answer = desk.decide(held, "retry", show="decide")
    there = desk.decide(parked, "resolve", answer="there", there=" https://example.org/1 ")

    assert answer.status_code == 303
    assert answer.headers["location"] == f"/queue?show=decide&open={held}&said=retry#d-{held.replace('.', '-')}"
    assert desk.status(held) is Status.SCHEDULED
    assert there.status_code == 303
    assert desk.parts.deliveries.get(parked).receipt == Receipt(id="https://example.org/1", url="https://example.org/1")


@pytest.mark.parametrize("by", ["page", "API"])
def test_a_thread_goes_on_below_the_part_that_a_person_found(desk, tmp_path, by):
    account = desk.account(settings={"folder": str(tmp_path)})
    delivery, deliveries = desk.plan("First", due=datetime.now(UTC)), desk.parts.deliveries
    first = deliveries.get(delivery).steps[0]
    rest = [
        dataclasses.replace(first, kind=StepKind.REPLY, ordinal=n, key=f"{n}" * 40, post=Post(text=f"Part {n}"))
        for n in (2, 3)
    ]
    deliveries.change(delivery, Status.SCHEDULED, origins=[Status.SCHEDULED], note="", steps=(first, *rest))
    engine = desk.parts.engine(wake=lambda _: None, depth=lambda: 0)
    assert engine.publish(delivery) == Status.SCHEDULED
    turn = deliveries.begin(delivery, lease=60, stale=1e9)
    assert deliveries.intend(turn, turn.delivery.steps, seconds=1) == "ok"
    deliveries.finish(turn, End(Status.UNCONFIRMED, "no answer", wait=0, fields={"uncertain": 1}))
    deliveries.finish(deliveries.begin(delivery, lease=60, stale=1e9), End(Status.PARKED, "nobody can tell"))
    _, outbox = desk.parts.accounts.open(account.id)
    with outbox.http:
        there = outbox.create(rest[0].post, Commit(key=rest[0].key, at=turn.at))

    page = Words(desk.page(f"/queue?open={delivery}").text)
    assert "whether part 2 of 3 is there" in page.text
    assert "Part 2" in page.text
    if by == "page":
        assert desk.decide(delivery, "resolve", answer="there", there=there.url).status_code == 303
    else:
        path = f"/api/v1/deliveries/{delivery}/resolve"
        assert desk.post(path, token=desk.token("write"), json={"there": there.url}).json()["status"] == "scheduled"
    assert engine.publish(delivery) == Status.PUBLISHED
    assert json.loads((tmp_path / f"{rest[1].key}.json").read_text())["reply_to"] == rest[0].key


def test_a_parked_post_is_never_sent_again_because_a_field_was_empty(desk):
    parked = desk.plan(to=Status.PARKED)

    assert desk.decide(parked, "resolve", answer="there", there=" ").status_code == 422
    assert desk.decide(parked, "resolve").status_code == 422
    assert desk.status(parked) is Status.PARKED
    assert desk.decide(parked, "resolve", answer="again").status_code == 303
    assert desk.status(parked) is Status.SCHEDULED


def test_the_form_says_which_attempt_was_looked_for_and_the_api_by_its_version(desk):
    parked = desk.plan(to=Status.PARKED)
    page = desk.get(f"/queue?show=all&open={parked}", visit=desk.owner).text
    attempt = desk.parts.deliveries.get(parked).fence
    assert page.count(f'<input type="hidden" name="attempt" value="{attempt}">') == 2

    again = desk.decide(parked, "resolve", answer="again", attempt=attempt + 1)
    assert "was tried again since you looked" in again.text
    stale = desk.post(
        f"/api/v1/deliveries/{parked}/resolve",
        token=desk.token("write"), json={"send_again": True}, headers={"If-Match": '"old"'},
    )  # fmt: skip
    assert stale.status_code == 412
    assert desk.status(parked) is Status.PARKED
    assert desk.decide(parked, "resolve", answer="again", attempt=attempt).status_code == 303
    assert desk.status(parked) is Status.SCHEDULED


def test_who_approves_what_has_changed_meanwhile_is_led_back_to_the_post(desk):
    delivery = desk.plan(to=Status.AWAITING_APPROVAL)

    data = {"form_token": desk.owner.form_token, "seal": "of another text"}
    answer = desk.post(
        f"/queue/{delivery}/approve", data=data, headers={"Origin": BASE, "Accept": "text/html"}, visit=desk.owner
    )

    assert answer.status_code == 409
    assert "has changed since you looked" in answer.text
    assert f"/queue?open={delivery}#d-{delivery.replace('.', '-')}" in Words(answer.text).links
    assert desk.status(delivery) is Status.AWAITING_APPROVAL


def test_there_are_four_decisions_and_no_other(desk):
    delivery = desk.plan(to=Status.HELD)

    for name in ("stop", "go_on", "__class__", "LOOK_EVERY"):
        assert desk.decide(delivery, name).status_code == 404
    assert desk.decide("main.0123456789abcdef0123", "retry").status_code == 404
    assert desk.decide(delivery, "approve").status_code == 409


# Pictures and files


def test_a_picture_has_its_hash_for_a_name_and_nothing_else_has_a_name(desk):
    content = b"\xff\xd8 a picture"
    name = f"{hashlib.sha256(content).hexdigest()}.jpg"
    path = desk.folder / "media" / name[:2] / name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    (desk.folder / "secret.key").write_text("secret")

    media = Media(path=str(path), sha256=name[:-4], mime="image/jpeg", width=1, height=1, size=9, alt="")
    address = pictures.src(desk.parts.vault, "main")(media)
    assert address.startswith(f"/media/{name}?s=")

    answer = desk.get(address, visit=desk.owner)

    assert answer.content == content
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert desk.get(address).status_code == 401
    assert desk.get(address, client=("192.0.2.7", 1)).status_code == 401
    assert desk.get(address, client=("192.0.2.7", 1), token=desk.token()).status_code == 200
    sign = address.partition("?")[2]
    for wrong in ("../secret.key", "..%2fsecret.key", "%2e%2e/secret.key", f"{name[:2]}/{name}", name[:-4], f"{name}.exe",
                  name.upper(), f"{'0' * 64}.jpg", "%00", f"{name[:-4]}.svg"):  # fmt: skip
        assert desk.get(f"/media/{wrong}?{sign}", visit=desk.owner).status_code == 404, wrong


def test_who_knows_the_hash_of_another_workspaces_picture_does_not_see_it(desk):
    content = b"\xff\xd8 a picture of theirs"
    name = f"{hashlib.sha256(content).hexdigest()}.jpg"
    path = desk.folder / "media" / name[:2] / name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    media = Media(path=str(path), sha256=name[:-4], mime="image/jpeg", width=1, height=1, size=9, alt="")
    theirs = pictures.src(desk.parts.vault, "other")(media)
    other = sign_in(desk.parts, Role.OWNER, "other")

    assert desk.get(theirs, visit=other).content == content
    for address in (theirs, f"/media/{name}", f"/media/{name}?s=", f"/media/{name}?s=" + "A" * 22):
        assert desk.get(address, visit=desk.owner).status_code == 404
        assert desk.get(address, token=desk.token()).status_code == 404


def test_files_of_pages_may_be_kept_for_ever_because_their_address_changes(desk):
    text = desk.page("/gallery").text
    used = re.findall(r'"(/static/[^"]+)"', text)

    assert {u.partition("?")[0] for u in used} == {
        f"/static/{n}"
        for n in (
            "mark.svg",
            "handbill.css",
            "shell.css",
            "looks.css",
            "live.js",
            "shell.js",
            "htmx.min.js",
            "hx-sse.min.js",
        )
    }
    for address in used:
        answer = desk.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert hashlib.sha256(answer.content).hexdigest()[:12] == address.partition("v=")[2]
    assert desk.get("/static/README.md").status_code == desk.get("/static/../app.py").status_code == 404


# What pages show


class Words(HTMLParser):
    """What a reader reads, and every address and tag there is."""

    def __init__(self, html):
        super().__init__()
        self.said, self.links, self.tags = [], [], []
        self.feed(html)

    def handle_data(self, data):
        self.said.append(data)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [v for k, v in attrs if k in {"href", "src", "action", "hx-get"}]

    @property
    def text(self):
        return " ".join(" ".join(self.said).split())


def test_nothing_that_somebody_wrote_becomes_markup(desk):
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    text = f"{evil} javascript:alert(1) #tag @who"
    post = Post(
        text=text,
        title=evil,
        link="javascript:alert(1)",
        warning=evil,
        description=evil,
        facets=(
            Facet(type="link", start=text.index("java"), end=text.index(" #"), value="javascript:alert(1)"),
            Facet(type="tag", start=text.index("#"), end=text.index(" @"), value='"><script>'),
            Facet(type="mention", start=text.index("@who"), end=len(text), value=evil),
        ),
    )
    desk.account(url="javascript:alert(1)")
    delivery = desk.plan(post=post, to=Status.PARKED, reason=evil)
    decisions.resolve(desk.parts.deliveries, delivery, there="javascript:alert(1)")

    for path in ("/gallery", f"/queue?open={delivery}"):
        html = desk.page(path).text
        seen = Words(html)
        assert evil[:25] in seen.text
        assert seen.tags.count("script") == 4
        assert "onerror" not in re.sub(r"&lt;img[^<]*", "", html)
        assert [a for a in seen.links if not a.startswith(("/", "#", "https://")) and a] == []


@pytest.fixture(scope="module")
def newsroom(tmp_path_factory):
    folder = tmp_path_factory.mktemp("newsroom")
    with Embedded.start(folder) as running:
        room = Newsroom(runtime(running, folder), folder)
        room.busy()
        yield room


@pytest.fixture
def room(newsroom):
    desk = Desk.__new__(Desk)
    desk.parts, desk.folder = newsroom.parts, newsroom.parts.settings.data_dir
    desk.app = create_app(newsroom.parts)
    desk.ids = newsroom.ids
    return desk


def test_the_gallery_shows_each_post_whole_with_its_alt_text_length_and_receipt(room, newsroom):
    seen = Words(room.page("/gallery").text)

    for delivery in newsroom.parts.deliveries.several(newsroom.ids.values()):
        post = delivery.steps[0].post
        for piece in re.split(r"\s+", re.sub(r"https?://\S+", "", post.text)):
            assert piece in seen.text
        for media in post.media:
            assert pictures.src(newsroom.parts.vault, "main")(media) in seen.links
            assert f"Alt: {media.alt}" in seen.text or f"so no reader hears: {media.alt}" in seen.text
        for facet in post.facets:
            if facet.type == "link":
                assert facet.value in seen.links
        if delivery.receipt and delivery.receipt.url.startswith("http"):
            assert delivery.receipt.url in seen.links
    assert "264 of 280" in seen.text
    assert "8 of these 12 posts are rehearsals. They went to stand-in platforms on this machine." in seen.text
    assert "Perhaps public. Sent at 2026-11-24 09:30:02 UTC" in seen.text
    assert "Not public. Rejected: X refuses the post" in seen.text


def test_one_article_can_be_shown_alone(room, newsroom):
    seen = Words(room.page(f"/gallery?article={newsroom.articles[0]}").text)

    assert "6 posts made from one article" in seen.text
    assert "Stadtbücherei" not in seen.text
    assert room.page("/gallery?article=main.none").status_code == 404


def test_the_api_tells_of_an_article_what_was_written_and_where_its_posts_stand(room, newsroom):
    token = newsroom.parts.records.create_token(scope="read", workspace="main")

    found = room.get(f"/api/v1/articles/{newsroom.articles[0]}", token=token).json()

    assert found["article"]["title"].startswith("Larkhaven’s 1911 footbridge")
    assert found["content"]["summary"]["short"]
    for sentence in found["content"]["sentences"]:
        start = sentence["source_offset"]
        assert found["article"]["text"][start : start + len(sentence["text"])] == sentence["text"]
    assert found["deliveries"][newsroom.ids["linkedin-1"]] == "parked"
    assert len(found["deliveries"]) == 6


def test_the_queue_counts_what_is_late_double_and_unknown_and_says_what_happened(room, newsroom):
    seen = Words(room.page("/queue").text)

    assert re.search(r"Late [12] a minute past their time and not out", seen.text)
    assert "Double 0 found on their platform more than once" in seen.text
    assert "Unknown 2 sent, and the answer was lost" in seen.text
    assert "All 12 To decide 3 Waiting 2 On their way 1 Public 6 Ended 0" in seen.text
    for word in ("parked", "unconfirmed", "failed", "awaiting approval", "Europe/Vienna", "@lantern@larkhaven.social"):
        assert word in seen.text
    assert "secret-of" not in seen.text


def test_an_open_row_shows_its_history_and_only_the_decisions_that_are_allowed(room, newsroom):
    parked = Words(room.page(f"/queue?open={newsroom.ids['linkedin-1']}").text)
    failed = Words(room.page(f"/queue?open={newsroom.ids['x-2']}").text)
    public = Words(room.page(f"/queue?open={newsroom.ids['x-1']}").text)

    def actions(page):
        return {a.rpartition("/")[2] for a in page.links if a.startswith("/queue/")}

    assert "unconfirmed Unconfirmed: no answer in 30 s" in parked.text
    assert actions(parked) == {"resolve"}
    assert actions(failed) == {"retry", "cancel"}
    assert actions(public) == set()


def test_a_stop_and_missing_workers_are_said_above_the_queue(desk):
    desk.plan()
    desk.parts.deliveries.pause("all", until=None, why="stopped by hand")
    desk.parts.deliveries.pause("limit:main.fake", until=datetime(2099, 1, 1, tzinfo=UTC), why="asked to wait")

    text = Words(desk.page("/queue").text).text

    assert "No worker is running, so posts wait." in text
    assert "Everything is paused. Stopped by hand." in text
    assert "main.fake is paused until 1 Jan 2099, 01:00 . Asked to wait." in text


def test_an_empty_house_says_what_to_do(desk):
    assert "No posts yet. First connect an account" in Words(desk.page("/gallery").text).text
    assert "Nothing has been planned yet" in Words(desk.page("/queue").text).text
    for path, where in (("/queue", "/inbox"), ("/gallery", "/accounts")):
        assert f'<a href="{where}">' in desk.page(path).text.partition('class="empty"')[2], "an empty page leads on"
        assert "handbill share" not in desk.page(path).text, "whoever sees it has no terminal"
    assert "Nothing here." in Words(desk.page("/queue?show=ended").text).text


def test_older_articles_are_on_later_pages_each_once(desk):
    articles = [article_id("main", str(n)) for n in range(gallery.ARTICLES * 2 + 3)]
    for article in articles:
        desk.plan(f"Post of {article}", article=article)

    shown, cursor, pages = [], "", 0
    while True:
        html = desk.page(f"/gallery?cursor={cursor}").text
        shown += re.findall(r"Post of (main\.\w+)</h2>", html)
        pages += 1
        following = re.search(r'/gallery\?cursor=([^"]+)">Older', html)
        if not following:
            break
        cursor = following[1]

    assert pages == 3
    assert sorted(shown) == sorted(articles)


def test_an_article_stands_where_its_latest_post_does_and_is_not_shown_twice(desk):
    articles = [article_id("main", str(n)) for n in range(gallery.ARTICLES + 1)]
    old = articles[0]
    for article in articles:
        desk.plan(f"Post of {article}", article=article)
        time.sleep(0.002)
    account = dataclasses.replace(desk.account("late"))
    identity = delivery_id(old, account.id, 0)
    step = Step(kind=StepKind.POST, ordinal=0, key="0" * 40, post=Post(text="More", title=f"Post of {old}"))
    desk.parts.records.link_delivery(old, identity)
    desk.parts.deliveries.create(
        Delivery(
            id=identity, article=old, account=account.id, platform="outbox", status=Status.SCHEDULED,
            due=datetime.now(UTC), steps=(step,),
        ),
        note="planned",
    )  # fmt: skip

    first, following = gallery.groups(desk.parts, after=None, src=lambda _: "")
    second, end = gallery.groups(desk.parts, after=following, src=lambda _: "")

    assert first[0].id == old
    assert len(first[0].posts) == 2
    assert [g.id for g in first + second] == [old, *reversed(articles[1:])]
    assert end is None


def test_a_post_that_no_reader_will_see_is_not_in_the_gallery(desk):
    desk.plan("Kept", article=article_id("main", "a"))
    desk.plan("Cancelled", article=article_id("main", "b"), to=Status.CANCELLED)

    text = Words(desk.page("/gallery").text).text

    assert "Kept" in text
    assert "Cancelled" not in text


def test_a_thread_is_shown_whole_an_edit_in_place_and_a_lost_account_by_its_name(desk):
    first, edited = Post(text="One", title="T"), Post(text="One, mended", title="T")
    done = Receipt(id="1", url="https://example.org/1")
    steps = (
        Step(
            kind=StepKind.POST, ordinal=0, key="a" * 40, post=first, receipt=done, at=datetime(2026, 11, 1, tzinfo=UTC)
        ),
        Step(kind=StepKind.REPLY, ordinal=1, key="b" * 40, post=Post(text="Two"), receipt=done),
        Step(kind=StepKind.EDIT, ordinal=2, key="c" * 40, post=edited, receipt=done),
    )
    delivery = Delivery(
        id="main.x", article="main.a", account="main.gone", platform="vanished", status=Status.EDITED,
        due=datetime(2026, 1, 1, tzinfo=UTC), steps=steps, zone="Europe/Vienna",
    )  # fmt: skip

    seen = views.shown(delivery, None, src=lambda _: "")

    assert ["".join(r.text for r in m.runs) for m in seen.messages] == ["One, mended", "Two"]
    assert (seen.name, seen.label, seen.length, seen.limit) == ("gone", "vanished", None, None)
    assert seen.at.isoformat() == "2026-11-01T01:00:00+01:00"


def test_a_link_that_is_not_in_the_text_is_a_card_with_the_picture():
    media = Media(path="/x", sha256="a" * 64, mime="image/png", width=2, height=1, size=3, alt="A bridge")
    post = Post(text="Read", title="The bridge", link="https://www.example.org/a", media=(media,))
    step = Step(kind=StepKind.POST, ordinal=0, key="a" * 40, post=post)
    delivery = Delivery(
        id="main.x", article="main.a", account="main.b", platform="outbox", status=Status.SCHEDULED,
        due=datetime(2026, 1, 1, tzinfo=UTC), steps=(step,),
    )  # fmt: skip
    account = Account(id="main.b", platform="outbox", name="b", limits={"link_in_text": False})

    (message,) = views.shown(delivery, account, src=lambda m: m.sha256).messages
    cardless = dataclasses.replace(account, limits={"link_in_text": False, "link_card": False})
    (plain,) = views.shown(delivery, cardless, src=lambda m: m.sha256).messages

    assert (plain.card, plain.pictures[0].alt) == (None, "A bridge")
    assert message.pictures == ()
    assert (message.card.host, message.card.title, message.card.picture.alt) == (
        "example.org",
        "The bridge",
        "A bridge",
    )


def test_every_status_has_a_colour_and_one_place_in_the_queue():
    assert set(views.TONES) == set(Status)
    parts = [s for name, group in status.GROUPS.items() if name != "all" for s in group]
    assert sorted(parts) == sorted(Status)


def test_looks_are_of_platforms_there_are_and_each_has_a_style():
    assert {*publishers.names(), "default"} >= render.LOOKS
    styles = {p.stem for p in (render.PAGES / "looks").glob("*.css")}
    assert styles == render.LOOKS


@pytest.mark.parametrize("look", sorted(render.LOOKS))
def test_every_look_shows_words_pictures_cards_and_threads(look):
    media = Media(path="/x", sha256="a" * 64, mime="image/png", width=2, height=1, size=3, alt="A bridge")
    text = "Read https://example.org/long/enough/to/be/cut #tag"
    facets = (Facet(type="link", start=5, end=46, value="https://example.org/long/enough/to/be/cut"),)
    posts = [
        Post(text=text, title="The bridge", link="https://example.org/a", facets=facets, media=(media, media)),
        Post(
            text="And more", title="The bridge", link="https://example.org/b", description="About it", warning="Spiders"
        ),
    ]
    kinds = [StepKind.POST, StepKind.REPLY]
    steps = tuple(
        Step(kind=k, ordinal=n, key="a" * 40, post=p) for n, (k, p) in enumerate(zip(kinds, posts, strict=True))
    )
    delivery = Delivery(
        id="main.x", article="main.a", account="main.b", platform=look, status=Status.SCHEDULED,
        due=datetime(2026, 1, 1, tzinfo=UTC), steps=steps,
    )  # fmt: skip
    account = Account(id="main.b", platform="outbox", name="@lantern@example.social")
    post = views.shown(delivery, account, src=lambda m: f"/media/{m.sha256}")

    seen = Words(render.environment().from_string("{% include look(post.platform) %}").render(post=post))

    for words in ("Read", "#tag", "And more"):
        assert words in seen.text
    assert seen.tags.count("img") == 2
    if "parts.card(" in (render.PAGES / "looks" / f"{look}.html").read_text():  # not every platform draws one
        assert "The bridge" in seen.text
        assert "About it" in seen.text
        assert "https://example.org/b" in seen.links
    assert "https://example.org/a" not in seen.links, "what has pictures has no card"


def luminance(colour):
    """https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    parts = (c / 255 for c in colour)
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def mix(one, other, share):
    return tuple(x * share + y * (1 - share) for x, y in zip(one, other, strict=True))


def rgb(text):
    text = text if len(text) == 6 else "".join(2 * c for c in text)
    return tuple(int(text[i : i + 2], 16) for i in (0, 2, 4))


def colours(file, night):
    """The named colours of a style sheet by day or by night."""
    return {m[1]: rgb(m[2 + night]) for m in re.finditer(r"--([\w-]+): light-dark\(#(\w+), #(\w+)\)", file.read_text())}


@pytest.mark.parametrize("night", [0, 1])
def test_words_can_be_read_on_their_grounds(night):
    own = colours(render.STATIC / "handbill.css", night)
    tones = ("good", "wait", "accent", "warn", "bad", "soft")
    pairs = [(word, ground) for word in ("ink", "soft", "accent") for ground in ("ground", "sheet", "tint")]
    pairs += [(tone, "ground") for tone in tones]

    assert [p for p in pairs if contrast(own[p[0]], own[p[1]]) < 4.5] == []
    assert [t for t in tones if contrast(own[t], mix(own[t], own["sheet"], 0.11)) < 4.5] == []


@pytest.mark.parametrize("night", [0, 1])
@pytest.mark.parametrize("look", sorted(render.LOOKS))
def test_words_can_be_read_in_every_look(look, night):
    skin = colours(render.PAGES / "looks" / f"{look}.css", night)
    ground = skin.get("bubble") or skin.get("skin")

    assert [w for w in {"words", "quiet", "link"} & set(skin) if contrast(skin[w], ground) < 4.5] == []


# The gallery as a file


def test_the_gallery_as_a_file_needs_no_server(room, newsroom, tmp_path):
    page = tmp_path / "out" / "gallery.html"

    gallery.write(newsroom.parts, page)
    gallery.write(newsroom.parts, page)

    html = page.read_text()
    seen = Words(html)
    pictures = [a for a in seen.links if a.endswith(".jpg")]
    assert len(pictures) == 12
    for picture in pictures:
        assert hashlib.sha256((page.parent / picture).read_bytes()).hexdigest() == picture.removesuffix(".jpg")
    assert "script" not in seen.tags
    assert "link" not in seen.tags
    assert not re.search(r"url\(|@import|/static/|/media/", html)
    assert any(a.startswith("file://") for a in seen.links)
    assert {p.suffix for p in page.parent.iterdir()} == {".html", ".jpg"}


# Live


class Look:
    """What the pages show, as a test says."""

    def __init__(self):
        self.value, self.calls = "a", 0

    def __call__(self):
        self.calls += 1
        if self.value == "away":
            raise OSError
        return self.value


def test_one_loop_serves_every_page_and_rests_when_nobody_looks():
    async def news(stream):
        while (event := await anext(stream)) == BEAT:
            pass
        return event

    async def story():
        look = Look()
        live = Live(look, every=0.01, beat=0.2)
        one, two, began = live.stream(), live.stream(), time.monotonic()
        assert [await news(one), await news(two)] == [MOVED, MOVED]
        while look.calls < 10:  # noqa: ASYNC110 - what it waits for is a number of looks
            await asyncio.sleep(0.01)
        assert look.calls <= (time.monotonic() - began) / 0.01 + 2  # two loops would look twice as often
        look.value = "b"
        assert await asyncio.gather(news(one), news(two)) == [MOVED, MOVED]
        assert await anext(one) == BEAT
        look.value = "away"
        assert await news(one) == MOVED
        await one.aclose()
        await two.aclose()
        calls = look.calls
        await asyncio.sleep(0.05)
        assert look.calls <= calls + 1
        again = live.stream()
        assert await news(again) == MOVED
        live.end()
        assert [event async for event in again] == []

    asyncio.run(story())


def test_no_page_is_told_to_look_before_there_is_something_to_compare_with():
    async def story():
        looks = threading.Event()
        look = Look()

        def slow():
            assert looks.wait(10)
            return look()

        live = Live(slow, every=0.01, beat=9)
        one, two = (asyncio.ensure_future(anext(live.stream())) for _ in range(2))
        await asyncio.sleep(0.05)
        assert not one.done()
        assert not two.done()
        looks.set()
        assert await asyncio.gather(one, two) == [MOVED, MOVED]
        live.end()

    asyncio.run(story())


def test_whatever_moves_is_noticed(desk):
    prints = [status.fingerprint(desk.parts)]

    def changed(what):
        prints.append(status.fingerprint(desk.parts))
        assert prints[-1] != prints[-2], what
        assert status.fingerprint(desk.parts) == prints[-1], what

    delivery = desk.plan(due=datetime.now(UTC) - timedelta(seconds=1))
    changed("planned")
    turn = desk.parts.deliveries.begin(delivery, lease=60, stale=1e9)
    changed("begun")
    desk.parts.deliveries.finish(turn, End(Status.SCHEDULED, "again", wait=0, fields={"reason": "refused"}))
    changed("ended")
    desk.parts.deliveries.pause("all", until=None, why="stop")
    changed("paused")
    desk.parts.records.seen_alive("publish@here", seconds=60)
    changed("a worker")
    desk.parts.deliveries.mark_double(delivery)
    changed("a double")
    arrived = Article(id=article_id("main", "new"), url="https://example.org/new", title="New", text="Body")
    content = Content(short="", medium="", long="", sentences=(), hashtags=(), alt="")
    desk.parts.records.save_article(arrived, content)
    changed("an article")
    desk.parts.records.shelve(arrived.id, "skipped")
    changed("an article was decided about")
    found = Change(
        id="main.1", article=arrived.id, kind=Kind.CORRECTED, found_at=datetime.now(UTC), what=("x",), proposals=()
    )
    desk.parts.aftercare.add_change(found)
    changed("an article is otherwise now")


# What the numbers count


def test_late_counts_what_should_be_out_wherever_it_waits(desk):
    long_ago = datetime.now(UTC) - timedelta(minutes=5)
    late = [desk.plan(f"Late {n}", due=long_ago) for n in range(4)]
    desk.plan("Soon", due=datetime.now(UTC) - timedelta(seconds=30))
    desk.plan("Later")
    desk.plan("Public", to=Status.PUBLISHED, due=long_ago)
    desk.plan("Parked", to=Status.PARKED, due=long_ago)
    store = desk.parts.deliveries

    assert store.late(60) == 4
    turn = store.begin(late[0], lease=60, stale=1e9)
    retried = store.begin(late[1], lease=60, stale=1e9)
    store.finish(retried, End(Status.SCHEDULED, "again", wait=1800))
    store.claim(most=64, settle=45, wake=20, attempts=8)
    assert store.late(60) == 4
    step = dataclasses.replace(turn.delivery.steps[0], at=datetime.now(UTC))
    store.intend(turn, (step,), seconds=1)
    store.finish(turn, End(Status.PUBLISHED, "published"))
    assert store.late(60) == 3


def test_a_post_that_a_look_up_finds_twice_is_counted_as_double(server, tmp_path):
    store = open_store(server.url)
    store.client.flushdb()
    house = House(store, Settings(data_dir=tmp_path, backoff_seconds=0.01, settle_seconds=0.01), kind=ProofClass.B)
    delivery = house.plan()
    step = house.deliveries.get(delivery).current
    house.world.posts = {f"{step.key}-a": "Hello", f"{step.key}-b": "Hello"}
    house.world.script = ["lost before"]

    house.engine.publish(delivery)
    time.sleep(0.05)
    house.engine.publish(delivery)

    assert house.status(delivery) is Status.PUBLISHED
    assert house.deliveries.doubles() == [delivery]


def test_a_cursor_reads_back_as_it_was_written():
    place = (datetime(2026, 11, 24, 9, 30, 0, 123000, tzinfo=UTC), "main.0123456789abcdef0123")

    assert listing.read_cursor(listing.write_cursor(place)) == place
    assert listing.read_cursor("") is None


def test_an_article_that_was_forgotten_leaves_its_posts_under_their_own_title(desk):
    article = Article(id=article_id("main", "x"), url="https://example.org/x", title="Known", text="Body")
    desk.plan("Unknown")
    desk.plan("Post", article=article.id)
    content = Content(short="", medium="", long="", sentences=(), hashtags=(), alt="")
    desk.parts.records.save_article(article, content)

    found, _ = gallery.groups(desk.parts, after=None, src=lambda _: "")

    assert {(g.title, g.url) for g in found} == {("Known", "https://example.org/x"), ("Unknown", "")}
    assert json.loads(to_json(article))["title"] == "Known"
