"""Every address of the web with everybody who might ask: each role gets what it may, no workspace sees or moves another's.

The addresses are read from the application. A new one fails here until ``EXPECT`` says who may have it.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from publishers.core.post import Post
from tests.newsroom import runtime, sign_in
from web.app import create_app
from worker import team
from worker.intake.model import Candidate, Kind, Source
from worker.model import (
    Account,
    Article,
    Brand,
    Content,
    Delivery,
    Status,
    Step,
    StepKind,
    article_id,
    delivery_id,
    step_key,
)
from worker.people import RIGHTS, SCOPES, Actor, Role

BASE = "http://127.0.0.1:8484"
MARK = "zebrastripes"  # longer than what chance writes into a nonce in a thousand pages
"""Stands in every name and text of the other workspace, and must stand in no answer."""

# Who may have an address: a right of a role (look, write, approve, operate, rule), or
OPEN = "open"  # everybody: it shows nothing of anybody
LINK = "link"  # whoever has the secret that it names
SELF = "self"  # whoever is signed in, whatever their role
MACHINE = "machine"  # this machine, or any token
READ, WRITE, ADMIN = "read token", "write token", "admin token"
PICTURE = "picture"  # whoever is signed in or has a token, and was given its address in that workspace

EXPECT = {
    "GET /openapi.json": OPEN,
    "GET /healthz": OPEN,
    "GET /readyz": OPEN,
    "GET /metrics": MACHINE,
    "GET /static/{name}": OPEN,
    "GET /media/{name}": PICTURE,
    "GET /pull/{token}": LINK,
    "GET /l/{code}": LINK,
    "GET /by-hand/{token}": LINK,
    "POST /by-hand/{token}": LINK,
    "GET /by-hand/{token}/picture/{number}": LINK,
    "GET /hooks/{token}": LINK,
    "POST /hooks/{token}": LINK,
    # signing in and out
    "GET /sign-in": OPEN,
    "POST /sign-in": OPEN,
    "POST /sign-out": SELF,
    "GET /sign-in/code": LINK,
    "POST /sign-in/code": LINK,
    "GET /oidc/start": OPEN,
    "GET /oidc/back": LINK,
    "GET /welcome": LINK,
    "POST /welcome": LINK,
    "GET /enter": LINK,
    "POST /enter": LINK,
    "GET /reset": LINK,
    "POST /reset": LINK,
    "GET /join": LINK,
    "POST /join": LINK,
    "POST /workspace": "look",
    "POST /zone": "look",
    # pages
    "GET /": "look",
    "GET /gallery": "look",
    "GET /queue": "look",
    "POST /queue/{delivery}/{decision}": "operate",
    "GET /live": "look",
    "GET /calendar": "look",
    "GET /calendar/events": "look",
    "GET /calendar/forecast": "look",
    "GET /calendar/post/{delivery}": "look",
    "POST /calendar/post/{delivery}/move": "write",
    "GET /inbox": "look",
    "POST /inbox": "write",
    "GET /inbox/{article}/card": "look",
    "GET /compose/{article}": "look",
    "POST /compose/{article}/targets": "write",
    "GET /compose/{article}/photo": "look",
    "GET /compose/{article}/{delivery}/card": "look",
    "GET /compose/{article}/{delivery}/write": "look",
    "POST /compose/{article}/{delivery}/check": "look",
    "POST /compose/{article}/{delivery}": "write",
    "GET /templates": "look",
    "POST /templates/{account}": "write",
    "GET /brands": "look",
    "POST /brands": "write",
    "GET /brands/card": "look",
    "POST /brands/remove": "write",
    "POST /stop": "operate",
    "POST /resume": "operate",
    "GET /accounts": "look",
    "POST /accounts/{account}/check": "rule",
    "POST /accounts/{account}/pause": "operate",
    "POST /accounts/{account}/resume": "operate",
    "POST /accounts/{account}/times": "rule",
    "POST /accounts/{account}/remove": "rule",
    "GET /accounts/add/{platform}": "rule",
    "POST /accounts/add/{platform}": "rule",
    "POST /accounts/add/{platform}/consent": "rule",
    "POST /accounts/apps/{platform}": "rule",
    "GET /accounts/choose/{pick}": "rule",
    "POST /accounts/choose/{pick}": "rule",
    "GET /connect/{platform}": LINK,
    "GET /connect/{platform}/{server}": LINK,
    "GET /team": "look",
    "POST /team/invitations": "rule",
    "POST /team/invitations/{invitation}/withdraw": "rule",
    "POST /team/{user}/role": "rule",
    "POST /team/{user}/remove": "rule",
    "GET /settings": "look",
    "POST /settings/profile": "look",
    "POST /settings/password": "look",
    "POST /settings/sessions/{session}/end": "look",
    "GET /settings/second": "look",
    "POST /settings/second/begin": "look",
    "POST /settings/second/confirm": "look",
    "POST /settings/second/off": "look",
    "GET /settings/workspace": "rule",
    "POST /settings/workspace/name": "rule",
    "POST /settings/workspace/approval": "rule",
    "POST /settings/workspaces": "rule",
    "POST /settings/workspace/remove": "rule",
    "POST /settings/tokens": "rule",
    "POST /settings/tokens/{token}/revoke": "rule",
    "GET /audit": "rule",
    "GET /audit.csv": "rule",
    "GET /sources": "look",
    "GET /sources/{name}": "look",
    "POST /sources": "write",
    "POST /sources/find": "write",
    "POST /sources/{name}/rules": "write",
    "POST /sources/{name}/{decision}": "write",
    "GET /items": "look",
    "POST /items/{item}/{decision}": "operate",
    "GET /evergreen": "look",
    "POST /evergreen": "write",
    "POST /evergreen/plan": "write",
    "POST /evergreen/remove": "write",
    "POST /evergreen/stop": "write",
    "GET /digests": "look",
    "POST /digests": "write",
    "POST /digests/end": "write",
    "POST /digests/send": "write",
    "GET /numbers": "look",
    "POST /numbers/report": "rule",
    "POST /numbers/services": "rule",
    "POST /numbers/services/{name}/{decision}": "rule",
    "GET /forecast": "look",
    "GET /changes": "look",
    "POST /changes/look": "write",
    "POST /changes/{change}/approve": "approve",
    "POST /changes/{change}/dismiss": "approve",
    "POST /changes/{change}/leave": "approve",
    "GET /receipts": "look",
    "GET /receipts.csv": "look",
    "GET /receipts.jsonl": "look",
    "GET /receipts/{delivery}": "look",
    "POST /receipts/{delivery}/read": "operate",
    "POST /receipts/{delivery}/noted": "operate",
    # the API
    "GET /api/v1/numbers": READ,
    "GET /api/v1/numbers/report": READ,
    "PUT /api/v1/numbers/report": ADMIN,
    "GET /api/v1/analytics": READ,
    "PUT /api/v1/analytics/{name}": ADMIN,
    "POST /api/v1/analytics/{name}/check": ADMIN,
    "POST /api/v1/analytics/{name}/mark": ADMIN,
    "DELETE /api/v1/analytics/{name}": ADMIN,
    "GET /api/v1/forecast/posts": READ,
    "GET /api/v1/changes": READ,
    "POST /api/v1/changes/{change}/approve": ADMIN,
    "POST /api/v1/changes/{change}/dismiss": ADMIN,
    "POST /api/v1/changes/{change}/leave": ADMIN,
    "POST /api/v1/articles/{article}/look-again": WRITE,
    "GET /api/v1/receipts": READ,
    "GET /api/v1/receipts/{delivery}": READ,
    "POST /api/v1/receipts/{delivery}/read": WRITE,
    "POST /api/v1/receipts/{delivery}/noted": WRITE,
    "GET /api/v1/evergreen": READ,
    "POST /api/v1/evergreen/plan": WRITE,
    "GET /api/v1/evergreen/{rule}": READ,
    "PUT /api/v1/evergreen/{rule}": WRITE,
    "DELETE /api/v1/evergreen/{rule}": WRITE,
    "PUT /api/v1/evergreen/stopped/{article}": WRITE,
    "DELETE /api/v1/evergreen/stopped/{article}": WRITE,
    "GET /api/v1/digests": READ,
    "GET /api/v1/digests/{account}": READ,
    "PUT /api/v1/digests/{account}": WRITE,
    "DELETE /api/v1/digests/{account}": WRITE,
    "POST /api/v1/digests/{account}/send": WRITE,
    "GET /api/v1/deliveries": READ,
    "GET /api/v1/deliveries.csv": READ,
    "GET /api/v1/deliveries/{delivery}": READ,
    "PATCH /api/v1/deliveries/{delivery}": WRITE,
    "POST /api/v1/deliveries/{delivery}/move": WRITE,
    "POST /api/v1/deliveries/{delivery}/send-back": ADMIN,
    "POST /api/v1/deliveries/{delivery}/retry": WRITE,
    "POST /api/v1/deliveries/{delivery}/cancel": WRITE,
    "POST /api/v1/deliveries/{delivery}/approve": ADMIN,
    "POST /api/v1/deliveries/{delivery}/resolve": WRITE,
    "POST /api/v1/deliveries/{delivery}/done": WRITE,
    "POST /api/v1/deliveries/{delivery}/finish": WRITE,
    "POST /api/v1/deliveries/{delivery}/check": READ,
    "GET /api/v1/deliveries/{delivery}/wording": READ,
    "DELETE /api/v1/deliveries/{delivery}": WRITE,
    "POST /api/v1/stop": WRITE,
    "POST /api/v1/resume": WRITE,
    "GET /api/v1/articles": READ,
    "GET /api/v1/articles/{article}": READ,
    "POST /api/v1/articles": WRITE,
    "POST /api/v1/articles/{article}/accept": WRITE,
    "POST /api/v1/articles/{article}/skip": WRITE,
    "POST /api/v1/articles/{article}/bring-back": WRITE,
    "GET /api/v1/accounts": READ,
    "GET /api/v1/items": READ,
    "GET /api/v1/items/{item}": READ,
    "POST /api/v1/items/{item}/{decision}": WRITE,
    "GET /api/v1/sources": READ,
    "POST /api/v1/sources": WRITE,
    "POST /api/v1/sources/find": WRITE,
    "GET /api/v1/sources/{source}": READ,
    "PATCH /api/v1/sources/{source}": WRITE,
    "DELETE /api/v1/sources/{source}": WRITE,
    "POST /api/v1/sources/{source}/poll": WRITE,
    "POST /api/v1/sources/{source}/hook": WRITE,
    "POST /api/v1/accounts": ADMIN,
    "GET /api/v1/accounts/{account}": READ,
    "PATCH /api/v1/accounts/{account}": ADMIN,
    "DELETE /api/v1/accounts/{account}": ADMIN,
    "POST /api/v1/accounts/{account}/check": ADMIN,
    "PUT /api/v1/accounts/{account}/voice": WRITE,
    "GET /api/v1/apps": ADMIN,
    "PUT /api/v1/apps/{platform}": ADMIN,
    "DELETE /api/v1/apps/{app:path}": ADMIN,
    "POST /api/v1/consents": ADMIN,
    "POST /api/v1/consents/{consent}/finish": ADMIN,
    "POST /api/v1/consents/{pick}/choose": ADMIN,
    "GET /api/v1/brands": READ,
    "GET /api/v1/brands/{brand}": READ,
    "PUT /api/v1/brands/{brand}": WRITE,
    "DELETE /api/v1/brands/{brand}": WRITE,
    "GET /api/v1/members": ADMIN,
    "GET /api/v1/members/{member}": ADMIN,
    "PUT /api/v1/members/{member}": ADMIN,
    "DELETE /api/v1/members/{member}": ADMIN,
    "POST /api/v1/invitations": ADMIN,
    "GET /api/v1/invitations": ADMIN,
    "DELETE /api/v1/invitations/{invitation}": ADMIN,
    "GET /api/v1/workspace": READ,
    "PATCH /api/v1/workspace": ADMIN,
    "GET /api/v1/tokens": ADMIN,
    "POST /api/v1/tokens": ADMIN,
    "DELETE /api/v1/tokens/{token}": ADMIN,
    "GET /api/v1/audit": ADMIN,
    "GET /api/v1/forecast": READ,
    "GET /api/v1/webhooks": READ,
    "POST /api/v1/webhooks": ADMIN,
    "GET /api/v1/webhooks/{webhook}": READ,
    "PATCH /api/v1/webhooks/{webhook}": ADMIN,
    "DELETE /api/v1/webhooks/{webhook}": ADMIN,
    "POST /api/v1/webhooks/{webhook}/test": WRITE,
    "GET /api/v1/webhooks/{webhook}/log": READ,
    "POST /api/v1/webhooks/{webhook}/log/{notice}/replay": WRITE,
    "GET /calendar/{token}.ics": LINK,
}

NEEDS = {READ: "read", WRITE: "write", ADMIN: "admin"}
"""The least scope of a token that opens an address of the API."""

DECISIONS = [
    "cancel",
    "retry",
    "approve",
    "resolve",
    "done",
    "poll",
    "stop",
    "start",
    "hook",
    "remove",
    "take",
    "leave",
]
NOBODYS = {"decision": DECISIONS, "name": ["nothing", f"{MARK}-feed", f"other.{MARK}-feed"], "status": ["parked"]}
"""What stands in an address where nothing of anybody is named; everything else is an id."""


READ_ALL = {
    b"string": lambda pipe, key: pipe.get(key),
    b"hash": lambda pipe, key: pipe.hgetall(key),
    b"zset": lambda pipe, key: pipe.zrange(key, 0, -1, withscores=True),
    b"set": lambda pipe, key: pipe.smembers(key),
    b"list": lambda pipe, key: pipe.lrange(key, 0, -1),
    b"stream": lambda pipe, key: pipe.xrange(key),
}


class Street:
    """Two workspaces under one roof: ``main``, from which everybody asks, and ``other``, which nobody may notice."""

    def __init__(self, server, folder):
        self.parts = runtime(server, folder)
        self.parts.store.client.flushdb()
        self.app = create_app(self.parts)
        self.app.state.live.end()  # so that the stream ends at once
        self.ids = {name: self._fill(name) for name in ("main", "other")}
        self.visits = {role: sign_in(self.parts, role) for role in Role}
        self.visits["of other"] = sign_in(self.parts, "owner", "other")
        self.tokens = {
            s: self.parts.records.create_token(scope=s, workspace="main") for s in ("read", "write", "admin")
        }

    def _fill(self, workspace):
        word = MARK if workspace == "other" else "horse"
        parts, ids = self.parts, {}
        account = Account(id=f"{workspace}.{word}", platform="outbox", name=f"The {word}", workspace=workspace)
        parts.records.save_account(account, {"access_token": f"{word}-secret"})
        article = Article(
            id=article_id(workspace, word), url=f"https://{word}.example/a", title=f"A {word}", text=f"The {word} runs.",
            workspace=workspace,
        )  # fmt: skip
        content = Content(
            short=f"A {word}", medium=f"A {word}", long=f"A {word}", sentences=(), hashtags=(word,), alt=word
        )
        parts.records.save_article(article, content)
        ids["deliveries"] = []
        for number, status in enumerate(Status):
            identity = delivery_id(article.id, account.id, number)
            post = Post(text=f"The {word} runs {number}", title=f"A {word}")
            step = Step(kind=StepKind.POST, ordinal=0, key=step_key(identity, StepKind.POST, 0, 1), post=post)
            delivery = Delivery(
                id=identity, article=article.id, account=account.id, platform="outbox", workspace=workspace, share=number,
                status=status, due=datetime.now(UTC) + timedelta(hours=number - 3), steps=(step,), reason=f"{word} said no",
            )  # fmt: skip
            parts.records.link_delivery(article.id, identity)
            assert parts.deliveries.create(delivery, note=f"planned for the {word}")
            ids["deliveries"].append(identity)
        parts.records.save_brand(Brand(name=f"{word}-brand", workspace=workspace, colour="#10304f"))
        parts.people.name_workspace(workspace, f"House of {word}")
        asked = Candidate(address=f"https://{word}.example/b", accounts=(account.id,), at="now", way="api")
        ids["item"] = parts.intake.arrived(None, asked, workspace=workspace).id
        feed = Source(id=f"{workspace}.{word}-feed", kind=next(iter(Kind)), address=f"https://{word}.example/feed",
                      name=f"{word} feed", workspace=workspace)  # fmt: skip
        parts.sources.add(feed)
        made, _ = parts.announcer.add(workspace, "https://93.184.215.14/hook", name=f"{word} listens")
        ids["webhook"] = made.id
        actor = Actor(kind="command", id=word, name=f"A {word}")
        owner = sign_in(parts, "owner", workspace)
        team.invite(parts, actor, email=f"{word}@example.org", workspace=workspace, role=Role.VIEWER)
        parts.records.create_token(scope="read", workspace=workspace, name=f"{word} program")
        parts.audit.record(actor, f"fed the {word}", workspace=workspace)
        parts.deliveries.pause(f"account:{account.id}", until=None, why=f"the {word} sleeps")
        return ids | {
            "account": account.id,
            "article": article.id,
            "delivery": ids["deliveries"][0],
            "user": owner.user.id,
            "member": owner.user.id,
            "source": feed.id,
            "session": parts.people.sessions(owner.user.id)[0].id,
            "invitation": parts.people.invitations(workspace)[0].id,
            "token": parts.records.tokens(workspace)[0]["id"],
            "brand": f"{word}-brand",
            "workspace": workspace,
        }

    def ask(self, method, path, *, headers=(), **request):
        async def once():
            transport = httpx.ASGITransport(self.app, client=("127.0.0.1", 50000))
            async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
                return await http.request(method, path, headers={"Accept": "text/html", **dict(headers)}, **request)

        return asyncio.run(once())

    def as_role(self, role, method, path, fields=()):
        visit = self.visits[role]
        if method == "GET":
            return self.ask(method, path, headers=visit.headers)
        data = {"form_token": visit.form_token, **dict(fields)}
        return self.ask(method, path, headers={**visit.headers, "Origin": BASE}, data=data)

    def as_token(self, scope, method, path, body=None):
        headers = {"Authorization": f"Bearer {self.tokens[scope]}", "Accept": "application/json"} if scope else {}
        return self.ask(method, path, headers=headers, **({"json": body} if body else {}))

    def of_other(self):
        """Everything in Redis that is the other workspace's, to the letter."""
        client, found = self.parts.store.client, set()
        mine = {b"other", MARK.encode(), self.visits["of other"].user.id.encode()}
        names = client.keys("*")
        with client.pipeline(transaction=False) as pipe:
            for key in names:
                pipe.type(key)
            kinds = pipe.execute()
            for key, kind in zip(names, kinds, strict=True):
                READ_ALL[kind](pipe, key)
            for key, kind, told in zip(names, kinds, pipe.execute(), strict=True):
                rows = told if isinstance(told, (list, set)) else [told]
                if kind == b"hash":
                    rows = [b"=".join(pair) for pair in told.items()]
                elif kind == b"zset":
                    rows = [b"%s@%d" % pair for pair in told]
                elif kind == b"stream":
                    rows = [repr(row).encode() for row in told]
                found |= {(key, row) for row in rows if row is not None and any(m in key + row for m in mine)}
        return found


@pytest.fixture(scope="module")
def street(server, tmp_path_factory):
    return Street(server, tmp_path_factory.mktemp("street"))


def addresses():
    """Every method and path there is, with the names of its query."""
    app = create_app_for_reading()
    for route in iter_route_contexts(app.routes):
        for method in sorted(set(route.methods or ()) - {"HEAD"}):
            yield f"{method} {route.path}"


def create_app_for_reading():
    class Nothing:
        settings = None

    return create_app(Nothing())


ADDRESSES = sorted(set(addresses()))


def filled(path, ids):
    """The path with an id of ``ids`` wherever one is named; an id of its own kind, or every kind where it is unknown."""
    names = re.findall(r"{(\w+)(?::\w+)?}", path)
    every = sorted({v for v in ids.values() if isinstance(v, str)})
    options = []
    for name in names:
        if name in NOBODYS:
            options.append(NOBODYS[name])
        else:
            options.append([ids[name]] if name in ids else every)
    for chosen in itertools.product(*options):
        values = iter(chosen)
        yield re.sub(r"{\w+(?::\w+)?}", lambda _, v=values: next(v), path)


def test_every_address_says_who_may_have_it():
    missing = [a for a in ADDRESSES if a not in EXPECT]
    gone = [a for a in EXPECT if a not in ADDRESSES]
    assert missing == [], "say in EXPECT who may have it"
    assert gone == []


def refused(answer):
    if answer.status_code == 303:
        return answer.headers["location"].startswith("/sign-in")
    return answer.status_code in {401, 403}


@pytest.mark.parametrize(
    "address", [a for a in ADDRESSES if EXPECT.get(a) in {"look", "write", "approve", "operate", "rule"}]
)
def test_each_role_gets_what_it_may_and_nobody_else_anything(street, address):
    method, path = address.split(" ")
    (path, *_) = filled(path, dict.fromkeys(street.ids["main"], "main.00000000000000000000"))
    for role in Role:
        may = EXPECT[address] in RIGHTS[role]
        if address == "POST /settings/workspace/name" and may:
            continue  # an empty name is refused for its own reason
        answer = street.as_role(role, method, path)
        assert refused(answer) is not may, (address, role, answer.status_code)
    nobody = street.ask(method, path, headers={"Origin": BASE})
    token = street.as_token("admin", method, path)
    assert refused(nobody)
    assert refused(token), "a token opens the API and no page"


@pytest.mark.parametrize("address", [a for a in ADDRESSES if EXPECT.get(a) in NEEDS])
def test_each_token_does_what_it_may_and_no_cookie_opens_the_api(street, address):
    method, path = address.split(" ")
    (path, *_) = filled(path, dict.fromkeys(street.ids["main"], "main.00000000000000000000"))
    for scope in ("read", "write", "admin"):
        may = SCOPES.index(scope) >= SCOPES.index(NEEDS[EXPECT[address]])
        assert refused(street.as_token(scope, method, path, {"nothing": 1})) is not may, (address, scope)
    assert street.as_token(None, method, path).status_code == 401
    for role in Role:
        assert street.as_role(role, method, path).status_code == 401, "a session is no token: no form reaches the API"


@pytest.mark.parametrize(
    "address",
    [a for a in ADDRESSES if not a.startswith("GET") and " /api" not in a and not a.startswith("POST /hooks")],
)
def test_no_form_is_taken_without_its_token(street, address):
    method, path = address.split(" ")
    (path, *_) = filled(path, dict.fromkeys(street.ids["main"], "main.00000000000000000000"))
    visit = street.visits[Role.OWNER]
    for data, origin in (
        ({}, BASE),
        ({"form_token": "0" * 64}, BASE),
        ({"form_token": visit.form_token}, "http://evil.example"),
        ({"form_token": street.visits["of other"].form_token}, BASE),
    ):
        answer = street.ask(method, path, headers={**visit.headers, "Origin": origin}, data=data)
        assert answer.status_code == 403, (address, data)


def body_of(ids):
    """A form or a body that names everything of somebody else, under every name a field might have."""
    flat = {k: v for k, v in ids.items() if isinstance(v, str)}
    plural = {f"{k}s": v for k, v in flat.items()}
    now = datetime.now(UTC).date()
    return {**flat, **plural, "start": str(now), "end": str(now + timedelta(days=30)), "wall": "2030-01-01T09:00", "view": "list", "id": ids["workspace"], "role": "owner", "scope": "read",
            "source": f"https://{MARK}.example/a", "at": "now", "answer": "again", "text": "moved", "due": "2030-01-01T09:00"}  # fmt: skip


@pytest.mark.parametrize("address", [a for a in ADDRESSES if EXPECT.get(a) not in {None, OPEN, LINK}])
def test_nothing_of_another_workspace_is_shown_or_moved(street, address):
    before = street.of_other()
    assert len(before) > 100
    method, path = address.split(" ")
    theirs = street.ids["other"]
    query = "&".join(f"{k}={v}" for k, v in {**body_of(theirs), "open": theirs["delivery"], "show": "all"}.items())
    for place in filled(path, theirs):
        answers = [street.as_role(Role.OWNER, method, f"{place}?{query}", body_of(theirs))]
        answers.append(street.as_role(Role.OWNER, method, place, body_of(theirs)))
        answers.append(street.as_role(Role.OWNER, method, place, {**body_of(theirs), "scope": theirs["account"]}))
        if EXPECT[address] in {*NEEDS, MACHINE, PICTURE}:
            body = {k: [v] if k.endswith("s") else v for k, v in body_of(theirs).items()}
            answers += [street.as_token("admin", method, f"{place}?{query}", body)]
            answers += [
                street.as_token(
                    "admin", method, place, {"source": "https://example.org", "accounts": [theirs["account"]]}
                )
            ]
        for answer in answers:
            assert answer.status_code < 500, (place, answer.text)
            seen = answer.text
            for told in (
                query,
                *body_of(theirs).values(),
                place,
                *(p for p in place.split("/") if MARK in p),
            ):  # what we said ourselves may be said back
                seen = seen.replace(told, "")
            assert MARK not in seen.lower(), (place, seen)
    assert street.of_other() == before
    street.visits = {**street.visits, Role.OWNER: sign_in(street.parts, "owner")}


def test_the_search_for_marks_finds_them(street):
    seen = street.as_role("of other", "GET", "/gallery").text
    assert MARK in seen
    assert len(street.of_other()) > 100
