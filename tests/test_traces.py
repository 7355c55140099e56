"""Every log line of a turn has its ids, a trace goes from the article to each request, and no secret is in either."""

from __future__ import annotations

import io
import json
import logging
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import sentry_sdk
import structlog
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sentry_sdk.transport import Transport

from bench.platforms.keyed import Keyed
from publishers.core.http import Http
from publishers.core.post import Post
from worker import log as logs
from worker.errors import HandbillError
from worker.model import Account, Article, Delivery, Status, Step, StepKind, article_id, delivery_id, step_key
from worker.pipeline.publish import Engine
from worker.settings import Settings
from worker.store import Deliveries, open_store
from worker.watch import reports, traces

CANARY = "canary-7f3a"


class Office:
    """Stands for the stored accounts; the platform answers as it is told."""

    def __init__(self, answers):
        self.answers = iter(answers)

    def spend(self, account, app, budgets):
        return 0.0

    def open(self, name):
        account = Account(id=name, platform="keyed", name="K", proof=Keyed.proof)

        def answer(request):
            said = next(self.answers)
            if isinstance(said, Exception):
                raise said
            return said()

        http = Http(transport=httpx.MockTransport(answer), secrets=[CANARY])
        return account, Keyed({"server": f"https://platform.example/{CANARY}"}, http)


@pytest.fixture
def newsroom(server, tmp_path) -> Iterator:
    store = open_store(server.url)
    deliveries = Deliveries(store)
    article = article_id("main", "https://example.org/a")

    def publish(*answers):
        name = delivery_id(article, "main.k", random.randrange(10**9))
        step = Step(kind=StepKind.POST, ordinal=0, key=step_key(name, StepKind.POST, 0, 1), post=Post(text="Hello"))
        due = datetime.now(UTC) - timedelta(seconds=1)
        deliveries.create(
            Delivery(
                id=name,
                article=article,
                account="main.k",
                platform="keyed",
                status=Status.SCHEDULED,
                due=due,
                steps=(step,),
            ),
            note="",
        )
        office = Office(answers)
        engine = Engine(
            deliveries, office, office, Settings(data_dir=tmp_path, settle_seconds=0.001, _env_file=None),
            wake=lambda _: None, depth=lambda: 0, now=lambda: datetime.now(UTC), rng=random.Random(1),
        )  # fmt: skip
        return name, engine.publish(name), engine

    publish.article, publish.deliveries = article, deliveries
    yield publish
    store.client.flushall()
    store.close()


@pytest.fixture
def lines(monkeypatch) -> Iterator[io.StringIO]:
    heard = io.StringIO()
    monkeypatch.setattr(sys, "stderr", heard)
    before = logging.getLogger().handlers[:], logging.getLogger().level
    logs.configure("debug")
    logs.hide(CANARY)
    yield heard
    structlog.reset_defaults()
    logging.getLogger().handlers[:], logging.getLogger().level = before
    logs._SECRETS.discard(CANARY)


def heard(lines):
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def answer(status, body="", **headers):
    return lambda: httpx.Response(status, headers=headers, stream=httpx.ByteStream(body.encode()))


FAULTS = {
    "no connection": httpx.ConnectError(f"no route to {CANARY}"),
    "answer lost": httpx.ReadError(f"lost {CANARY}"),
    "garbled": answer(200, "{"),
    "error": answer(500, f"oops {CANARY}"),
    "refused": answer(422, f"no {CANARY}"),
    "limited": answer(429, **{"retry-after": "1"}),
    "a mistake of ours": RuntimeError(f"boom {CANARY}"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_line_of_a_turn_has_its_ids_and_no_secret(newsroom, lines, fault):
    name, status, _ = newsroom(FAULTS[fault])

    said = heard(lines)

    assert said, status
    for line in said:
        ids = {k: line.get(k) for k in ("delivery", "article", "account", "platform", "attempt")}
        assert ids == {
            "delivery": name,
            "article": newsroom.article,
            "account": "main.k",
            "platform": "keyed",
            "attempt": 1,
        }
        assert {"level", "timestamp", "event"} <= line.keys()
    assert CANARY not in lines.getvalue()


def test_lines_of_libraries_are_json_with_the_same_ids(lines):
    with structlog.contextvars.bound_contextvars(delivery="main.d"):
        try:
            int(f"bad {CANARY}")
        except ValueError:
            logging.getLogger("kombu.connection").exception("lost %s", CANARY)

    [line] = heard(lines)
    assert (line["logger"], line["level"], line["delivery"], line["event"]) == (
        "kombu.connection",
        "error",
        "main.d",
        "lost •••",
    )
    assert "ValueError" in line["exception"]
    assert CANARY not in lines.getvalue()


# Traces


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    found = InMemorySpanExporter()
    end = traces.use(SimpleSpanProcessor(found))
    yield found
    end()


def test_a_trace_goes_from_the_article_over_the_delivery_and_its_turns_to_each_request(newsroom, spans):
    now = datetime.now(UTC)
    article = Article(id=newsroom.article, url="https://example.org/a", title="A", text="A.")
    name, status, engine = newsroom(httpx.ReadError("lost"), answer(200, '{"id": "7"}'))
    assert status == Status.UNCONFIRMED
    while newsroom.deliveries.get(name).status is not Status.PUBLISHED:
        engine.publish(name)
    traces.article(article, since=now, now=datetime.now(UTC))  # whoever tells of it, and whenever

    found = {s.name: s for s in spans.get_finished_spans()}
    by_id = {s.context.span_id: s for s in spans.get_finished_spans()}

    assert len({s.context.trace_id for s in by_id.values()}) == 1
    assert found["article"].parent is None
    assert by_id[found["delivery"].parent.span_id] is found["article"]
    turns = [s for s in by_id.values() if s.name.startswith("turn ")]
    assert [t.name for t in turns] == ["turn preparing", "turn unconfirmed"]
    assert all(by_id[t.parent.span_id] is found["delivery"] for t in turns)
    requests = [s for s in by_id.values() if s.name == "POST platform.example"]
    assert [by_id[r.parent.span_id].name for r in requests] == ["turn preparing", "turn unconfirmed"]
    assert [r.attributes.get("http.response.status_code") for r in requests] == [None, 200]
    assert [r.status.status_code.name for r in requests] == ["ERROR", "UNSET"]
    assert all(r.attributes["handbill.commit"] for r in requests)
    assert found["delivery"].attributes["handbill.status"] == "published"
    assert found["delivery"].attributes["handbill.delivery"] == name


def test_no_secret_and_no_path_is_in_a_trace(newsroom, spans):
    for fault in FAULTS.values():
        newsroom(fault)

    told = " ".join(s.to_json() for s in spans.get_finished_spans())
    assert "platform.example" in told
    assert CANARY not in told
    assert "Hello" not in told


def test_where_nobody_asks_for_traces_nothing_is_watched(newsroom, monkeypatch):
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    traces.start("publish")
    _, status, _ = newsroom(answer(200, '{"id": "7"}'))
    assert status == Status.PUBLISHED
    assert traces._tracer is None


@pytest.mark.parametrize(
    ("variable", "begin", "package"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", traces.start, "opentelemetry.exporter.otlp.proto.http.trace_exporter"),
        ("SENTRY_DSN", reports.start, "sentry_sdk"),
    ],
)
def test_an_extra_that_is_missing_is_one_clear_line(monkeypatch, variable, begin, package):
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(HandbillError, match=r"not installed"):
        begin("publish")


# Reports


def test_a_mistake_of_ours_is_reported_with_its_ids_and_without_secrets(newsroom, lines, monkeypatch):
    sent = []

    class Kept(Transport):
        def capture_envelope(self, envelope):
            sent.append(b"".join(item.payload.get_bytes() for item in envelope.items).decode())

    monkeypatch.setenv("SENTRY_DSN", "https://key@sentry.example/1")
    reports.start("publish", transport=Kept)
    try:
        name, status, _ = newsroom(RuntimeError(f"boom {CANARY} {{Hello}}"))
        newsroom(answer(500, "oops"))  # the platform's trouble is none of ours
        sentry_sdk.flush()
    finally:
        logs.report_to(None)
        sentry_sdk.init()
    assert status == Status.UNCONFIRMED
    [told] = [s for s in sent if "exception" in s]
    event = json.loads(told)
    assert event["tags"]["delivery"] == name
    assert event["tags"]["attempt"] == "1"
    assert event["exception"]["values"][-1]["type"] == "RuntimeError"
    assert CANARY not in told
    assert "vars" not in told
