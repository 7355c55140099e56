"""A secret never leaves its row: every adapter, every request of a post, every fault, and the platform repeats all it hears.

Looked for in the log, in all of Redis but what is encrypted, in the messages of the broker, and in what the API and the
pages answer.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import io
import json
import logging
import random
import sys
import types
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import structlog
from aiosmtpd.smtp import AuthResult

import publishers
from publishers.contract.scene import read_post
from publishers.core import http as core_http
from publishers.core import mail
from publishers.core.http import Http
from tests.test_mail import Server, certificate
from web.app import create_app
from worker import log as logs
from worker.app import make
from worker.embedded import Embedded
from worker.model import Account, Article, Content, Delivery, Status, Step, StepKind, article_id, delivery_id, step_key
from worker.runtime import open_runtime
from worker.settings import Settings
from worker.store import copying
from worker.store.secrets import is_sealed

FIXTURES = Path(__file__).parent / "fixtures" / "publishers"
MARK = "facadedecade"
"""What every secret ends in; twelve letters, so that what is base64 stays so, and what is hexadecimal, too."""

__all__ = ["certificate"]  # a fixture

NAMES = publishers.names()
BY_MAIL, BY_LIBRARY = "smtp", "apprise"
"""Those that are spoken to otherwise than by HTTP; what a person posts is spoken to nobody, and its account is told."""


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
    """Everything but accounts, the web app, and the broker on the same server; each test leaves it empty."""
    folder = tmp_path_factory.mktemp("canaries")
    told = {
        "attempts": 2,
        "settle_seconds": 0.001,
        "backoff_seconds": 0.001,
        "unguarded": BY_LIBRARY,
        "_env_file": None,
    }
    with Embedded.start(folder / "valkey") as server:
        config = Settings(data_dir=folder, public_url="https://posts.example.org", redis_url=server.url, **told)
        parts, broker = open_runtime(config, server.url), make(config)
        yield parts, create_app(parts), broker
        broker.close()
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
        if account.platform == BY_MAIL:
            http = Http(allow=["localhost"], seconds=5, secrets=publisher.http._secrets)
            return account, type(publisher)(publisher.settings, http)
        http = Http(transport=httpx.MockTransport(self.platform), secrets=publisher.http._secrets)
        return account, type(publisher)(publisher.settings, http)


OF_A_FORM = {
    "mailchimp": f"0123{MARK}-us21",
    "nostr": f"{'1' * 52}{MARK}",
    "webhook": f"whsec_{MARK * 4}",
}
"""Secrets that are refused unseen unless they have their form."""


def longest(fixture):
    """The case with the most requests."""
    return max(fixture["create"], key=lambda case: len(case.get("exchange", [])))


def connect(parts, name, fixture):
    """An account whose every secret ends in the mark; returns the secrets."""
    secret = {f.name for f in publishers.load(name).fields if f.secret} | {"refresh_token", "client_secret"}
    given = {k: v.replace("{tmp}", str(parts.settings.data_dir)) for k, v in fixture["settings"].items()}
    secrets = {k: OF_A_FORM.get(name, f"{v}{MARK}") for k, v in given.items() if k in secret and v}
    public = {k: v for k, v in given.items() if k not in secrets}
    if not publishers.load(name).networked:
        secrets = {"access_token": f"left over from before {MARK}"}
    parts.records.save_account(Account(id=f"main.{name}", platform=name, name=name, settings=public), secrets)
    return secrets


class Postmaster:
    """A mail server that repeats all it hears when it refuses, at the stage of the moment."""

    STAGES = ("AUTH", "MAIL", "RCPT", "DATA", "end", "cut")

    def __init__(self):
        self.stage, self.heard, self.count = "", [], 0

    def said(self, stage, code, text):
        self.count += 1
        self.heard.append(text)
        return f"{code} 5.7.8 no: {' '.join(self.heard)}"[:900] if self.stage == stage else "250 OK"

    def sign_in(self, server, session, envelope, mechanism, given):
        told = [given.login, given.password, b"\0" + given.login + b"\0" + given.password]
        words = [f"{t.decode(errors='replace')} {base64.b64encode(t).decode()}".replace("\0", " ") for t in told]
        answer = self.said("AUTH", 535, " ".join(words))
        return AuthResult(success=self.stage != "AUTH", handled=False, message=answer)

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802 - the server's own name
        envelope.mail_from = address
        return self.said("MAIL", 550, address)

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - as above
        envelope.rcpt_tos.append(address)
        return self.said("RCPT", 550, address)

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - as above
        if self.stage == "cut":
            server.transport.abort()
        return self.said("end", 554, envelope.content.decode(errors="replace")[:200].replace("\r\n", " "))


@pytest.fixture
def postmaster(certificate, monkeypatch, heard):
    """Wants TLS and a password, as submission servers do. The library is as careless, and ``log`` is ours."""
    box = Postmaster()
    box.log = heard
    monkeypatch.setitem(sys.modules, "apprise", Careless("apprise"))
    monkeypatch.setattr(core_http, "tls", lambda: certificate[1])
    monkeypatch.setattr(mail, "tls", lambda: certificate[1])
    made = Server(box, tls_context=certificate[0], require_starttls=True, authenticator=box.sign_in, auth_required=True)
    made.start()
    box.name = made.name
    yield box
    made.stop()


class Careless(types.ModuleType):
    """Stands for Apprise, the library: its errors hold all it knows."""

    class Apprise(list):
        def __init__(self, *, asset):
            super().__init__()

        def add(self, address):
            self.append(address)
            return True

        def notify(self, *, body, title):
            raise RuntimeError(f"lost {' '.join(self)} {body} {title}")

    AppriseAsset = dict


def plan(parts, name, number, told):
    url = f"https://example.org/{name}/{number}"
    article = Article(id=article_id("main", url), url=url, title="Rain", text="It rains.")
    parts.records.save_article(
        article, Content(short="It rains.", medium="It rains.", long="It rains.", sentences=(), hashtags=(), alt="")
    )
    identity = delivery_id(article.id, f"main.{name}", 0)
    folder = parts.settings.data_dir / "media"
    folder.mkdir(exist_ok=True)
    post = read_post(told, folder)
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
    for name in list(parts.store.client.scan_iter(count=1000)):
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


def ways(name, most, exchange, postmaster):
    """What goes wrong, one thing after the other: each is a platform for one post, or the stage of the mail server."""
    if name == BY_MAIL:
        for stage in Postmaster.STAGES if most > 1 else ("AUTH", "end"):
            postmaster.stage, postmaster.heard = stage, []
            yield Platform([], 0, FAULTS["no connection"])
        return
    faults = FAULTS.values() if most > 1 else [FAULTS[f] for f in OFTEN]
    for at in range(max(0, len(exchange) - most), max(1, len(exchange))):
        yield from (Platform(exchange, at, fault) for fault in faults)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("most", [1, pytest.param(6, marks=pytest.mark.nightly)], ids=["commit", "every request"])
def test_no_secret_is_told_by_any_failure(house, postmaster, name, most):
    parts, app, broker = house

    def wake(what, word, queue="publish"):
        broker.send_task(f"handbill.{what}", args=[word], queue=queue, retry=False)

    try:
        fixture = json.loads((FIXTURES / f"{name}.json").read_text())
        if name == BY_MAIL:
            fixture["settings"]["server"] = postmaster.name
        secrets = connect(parts, name, fixture)
        assert secrets, f"{name} has no secret to keep"
        proofs, made, asked_for = set(), [], 0
        case = longest(fixture)
        for platform in ways(name, most, case.get("exchange", []), postmaster):
            office = Office(parts.accounts, platform)
            engine = parts.engine(wake=functools.partial(wake, "look"), depth=lambda: 0)
            engine._accounts, engine._rng = office, random.Random(1)
            made.append(plan(parts, name, len(made), case["post"]))
            engine.tick()
            for _ in range(min(1 + most, 4)):
                parts.store.client.delete(*(f"handbill:{{{n}}}:paused" for n in range(4)))
                engine.publish(made[-1])
            proofs |= platform.proofs
            asked_for += platform.count
        for what, word, queue in (("read", made[0], "content"), ("tend", "main", "content"), ("canary", "a", "a.dq2")):
            wake(what, word, queue)
        assert asked_for or postmaster.count or name == BY_LIBRARY or not publishers.load(name).networked
        asked = [MARK, *secrets.values(), *proofs]
        asked += [base64.b64encode(s.encode()).decode() for s in secrets.values()]
        asked += [w for w in postmaster.heard[:1] if name == BY_MAIL for w in w.split() if len(w) > 20]
        everything = list(everything_stored(parts))
        messages = [text for text in everything if "handbill.look" in text]
        assert len(messages) >= min(len(made), 64)  # more never wait at once
        seen = {
            "the log": [postmaster.log.getvalue()],
            "Redis or its broker": everything,
            "an answer": [f"{a.text} {a.headers}" for a in answers(parts, app, made[:30] if most > 1 else made[:2])],
        }
        found = [(where, text) for where, texts in seen.items() for text in texts for word in asked if word in text]
        if found:
            where, text = found[0]
            place = min(text.find(w) for w in asked if w in text)
            found = [(where, text[max(0, place - 300) : place + 100])]
        assert found == []
        assert postmaster.log.getvalue().count("\n") > len(made) / 2 or not publishers.load(name).networked
    finally:
        parts.store.client.flushall()


def test_every_adapter_is_tried():
    assert set(NAMES) == {p.stem for p in FIXTURES.glob("*.json")}
    assert sum(publishers.load(n).networked for n in NAMES) > 30
