"""A secret never leaves its row: every adapter, every request of a post, every fault, and the platform repeats all it hears.

Looked for in the log, in all of Redis but what is encrypted, and in what the API and the pages answer.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import structlog

import publishers
from publishers.core.http import Http
from publishers.core.post import Post
from web.app import create_app
from worker import log as logs
from worker.embedded import Embedded
from worker.model import Account, Article, Content, Delivery, Status, Step, StepKind, article_id, delivery_id, step_key
from worker.runtime import open_runtime
from worker.settings import Settings
from worker.store import copying
from worker.store.secrets import is_sealed

FIXTURES = Path(__file__).parent / "fixtures" / "publishers"
MARK = "canaryseven1"
"""What every secret ends in; twelve letters, so that what is base64 stays so."""

NAMES = [n for n in publishers.names() if publishers.load(n).networked]


def echo(request: httpx.Request) -> str:
    """All that was sent, as a careless platform would repeat it."""
    headers = " ".join(f"{k}: {v}" for k, v in request.headers.items())
    return f"{request.method} {request.url} {headers} {request.content.decode(errors='replace')}"


def told(status, body, **headers):
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body.encode()))


def raises(kind):
    def fault(request):
        raise kind(f"lost: {echo(request)}")

    return fault


FAULTS = {
    "no connection": raises(httpx.ConnectError),
    "answer lost": raises(httpx.ReadError),
    "a mistake of ours": raises(RuntimeError),
    "500": lambda r: told(500, echo(r)),
    "422": lambda r: told(422, json.dumps({"error": echo(r), "message": echo(r), "detail": [echo(r)]})),
    "403": lambda r: told(403, json.dumps({"error": {"message": echo(r)}})),
    "401": lambda r: told(
        401, echo(r), **{"www-authenticate": echo(r).replace("\n", " ").encode("ascii", "replace").decode()}
    ),
    "429": lambda r: told(429, echo(r), **{"retry-after": "1"}),
    "garbled": lambda r: told(200, "{" + echo(r)),
    "not theirs": lambda r: told(200, json.dumps([echo(r)])),
    "refused with 200": lambda r: told(200, json.dumps({"ok": False, "error": echo(r), "description": echo(r)})),
    "redirect": lambda r: told(302, "", location=str(r.url.copy_set_param("token", MARK))),
}


OFTEN = ("a mistake of ours", "500", "401", "refused with 200")
"""Faults of the everyday suite: each takes another way through our code."""


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """Everything but accounts, and the web app; each test leaves it empty."""
    folder = tmp_path_factory.mktemp("canaries")
    told = {"attempts": 2, "settle_seconds": 0.001, "backoff_seconds": 0.001, "_env_file": None}
    config = Settings(data_dir=folder, public_url="https://posts.example.org", **told)
    with Embedded.start(folder / "valkey", fsync="everysec") as server:
        parts = open_runtime(config, server.url)
        yield parts, create_app(parts)
        parts.close()


class Platform:
    """Answers as the fixture says until request ``at``, which goes wrong; remembers what proves who we are."""

    def __init__(self, exchange, at, fault):
        self.exchange, self.at, self.fault = exchange, at, fault
        self.count = 0
        self.proofs: set[str] = set()

    def __call__(self, request):
        number, self.count = self.count, self.count + 1
        for name in ("authorization", "x-api-key", "x-auth-token"):
            self.proofs.update(v.partition(" ")[2] or v for v in [request.headers.get(name, "")] if v)
        if number >= self.at or number >= len(self.exchange):
            return self.fault(request)
        answer = self.exchange[number]["answer"]
        body = json.dumps(answer["json"]) if "json" in answer else str(answer.get("text", ""))
        headers = {k: str(v) for k, v in answer.get("headers", {}).items()}
        return httpx.Response(answer.get("status", 200), headers=headers, stream=httpx.ByteStream(body.encode()))


class Office:
    """Opens the stored account on the platform of the moment; everything else is the real thing."""

    def __init__(self, real, platform):
        self._real, self.platform = real, platform

    def __getattr__(self, name):
        return getattr(self._real, name)

    def open(self, name):
        account, publisher = self._real.open(name)
        publisher.http.__exit__()
        http = Http(transport=httpx.MockTransport(self.platform), secrets=publisher.http._secrets)
        return account, type(publisher)(publisher.settings, http)


def longest(fixture):
    cases = [case.get("exchange", []) for case in fixture.get("create", [])]
    return max(cases, key=len, default=[])


def connect(parts, name, fixture):
    """An account whose every secret ends in the mark; returns the secrets."""
    secret = {f.name for f in publishers.load(name).fields if f.secret} | {"refresh_token", "client_secret"}
    given = fixture["settings"]
    secrets = {k: f"{v}{MARK}" for k, v in given.items() if k in secret and v}
    public = {k: v for k, v in given.items() if k not in secrets}
    parts.records.save_account(Account(id=f"main.{name}", platform=name, name=name, settings=public), secrets)
    return secrets


def plan(parts, name, number):
    url = f"https://example.org/{name}/{number}"
    article = Article(id=article_id("main", url), url=url, title="Rain", text="It rains.")
    parts.records.save_article(
        article, Content(short="It rains.", medium="It rains.", long="It rains.", sentences=(), hashtags=(), alt="")
    )
    identity = delivery_id(article.id, f"main.{name}", 0)
    post = Post(text="It rains.", link=url, title="Rain")
    step = Step(kind=StepKind.POST, ordinal=0, key=step_key(identity, StepKind.POST, 0, 1), post=post)
    parts.records.link_delivery(article.id, identity)
    parts.deliveries.create(
        Delivery(
            id=identity, article=article.id, account=f"main.{name}", platform=name, status=Status.SCHEDULED,
            due=datetime.now(UTC) - timedelta(seconds=1), steps=(step,),
        ),
        note="planned",
    )  # fmt: skip
    return identity


def everything_stored(parts):
    """All of Redis in clear, also what is not ours (the broker's), without what is encrypted."""
    for name in parts.store.client.scan_iter(count=1000):
        yield name.decode(errors="replace")
        for entry in copying.read(parts.store, [name]):
            yield from (item.decode(errors="replace") for item in entry.items if not is_sealed(item))


def answers(parts, app, deliveries):
    """What the API and the pages say of it all."""
    token = parts.records.create_token(scope="admin", workspace="main")
    paths = ["/api/v1/deliveries", "/api/v1/accounts", "/metrics", "/api/v1/deliveries.csv", "/readyz"]
    paths += [f"/api/v1/deliveries/{d}" for d in deliveries]

    async def ask():
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app, client=("127.0.0.1", 1)), base_url="http://127.0.0.1:8484"
        ) as http:
            return [await http.get(p, headers={"Authorization": f"Bearer {token}"}) for p in paths]

    return asyncio.run(ask())


@pytest.fixture
def heard(monkeypatch):
    lines = io.StringIO()
    monkeypatch.setattr(sys, "stderr", lines)
    root = logging.getLogger()
    before = root.handlers[:], root.level
    logs.configure("debug")
    yield lines
    structlog.reset_defaults()
    root.handlers[:], root.level = before


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("most", [1, pytest.param(6, marks=pytest.mark.nightly)], ids=["commit", "every request"])
def test_no_secret_is_told_by_any_failure(house, heard, name, most):
    parts, app = house
    try:
        fixture = json.loads((FIXTURES / f"{name}.json").read_text())
        secrets = connect(parts, name, fixture)
        assert secrets, f"{name} has no secret to keep"
        exchange, proofs, made = longest(fixture), set(), []
        for at in range(max(0, len(exchange) - most), max(1, len(exchange))):
            for fault in FAULTS.values() if most > 1 else [FAULTS[f] for f in OFTEN]:
                platform = Platform(exchange, at, fault)
                office = Office(parts.accounts, platform)
                engine = parts.engine(wake=lambda _: None, depth=lambda: 0)
                engine._accounts, engine._rng = office, random.Random(1)
                made.append(plan(parts, name, len(made)))
                for _ in range(min(1 + most, 4)):
                    parts.store.client.delete(*(f"handbill:{{{n}}}:paused" for n in range(4)))
                    engine.publish(made[-1])
                proofs |= platform.proofs
        asked = [MARK, *secrets.values(), *proofs]
        asked += [base64.b64encode(s.encode()).decode() for s in secrets.values()]
        seen = {
            "the log": [heard.getvalue()],
            "Redis": list(everything_stored(parts)),
            "an answer": [f"{a.text} {a.headers}" for a in answers(parts, app, made[:30] if most > 1 else made[:2])],
        }
        found = [(where, text) for where, texts in seen.items() for text in texts for word in asked if word in text]
        if found:
            where, text = found[0]
            place = min(text.find(w) for w in asked if w in text)
            found = [(where, text[max(0, place - 300) : place + 100])]
        assert found == []
        assert heard.getvalue().count("\n") > len(made) / 2
    finally:
        parts.store.client.flushall()
