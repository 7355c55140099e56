"""One article is one trace, though three processes work on it and nothing of a trace is in any message between them."""

from __future__ import annotations

import contextlib
import io
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.chaos.test_scale import house, platform, settings, wait_until
from worker.embedded import Embedded
from worker.intake.model import Candidate
from worker.model import Account, Status

PAGE = b"""<!doctype html><html lang="en"><head><title>The bridge is open again</title>
<meta property="og:type" content="article"></head><body><article><h1>The bridge is open again</h1>
<p>The old bridge over the Lark is open again since Monday, after two years of work on its arches.</p>
<p>Some 400 people came to the first walk, and the mayor said that the work had cost four million.</p>
</article></body></html>"""


@contextlib.contextmanager
def serving(handle):
    """A server on loopback; ``handle`` is given the path and the body, and answers a status, a type and a body."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, kind, told = handle(self.path, body)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(told)

        do_GET = do_POST = do_HEAD = answer  # noqa: N815 - the server's own names

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Collector:
    """What an OpenTelemetry collector hears: each span with the process that told of it."""

    def __init__(self):
        self.spans = []

    def __call__(self, path, body):
        if path == "/v1/traces":
            told = ExportTraceServiceRequest.FromString(body)
            for resource in told.resource_spans:
                who = {a.key: a.value.string_value for a in resource.resource.attributes}["service.instance.id"]
                self.spans += [(who, span) for scope in resource.scope_spans for span in scope.spans]
        return 200, "application/x-protobuf", b""

    def named(self, start):
        return [(who, s) for who, s in self.spans if s.name.startswith(start)]


@pytest.mark.nightly
@pytest.mark.redis
def test_a_trace_goes_over_every_process_that_works_on_an_article(tmp_path, monkeypatch):
    heard = Collector()

    def pages(path, _):
        """The article's page, and somebody who takes what is posted."""
        found = {"/bridge": (200, "text/html; charset=utf-8", PAGE), "/hook": (200, "application/json", b"{}")}
        return found.get(path, (404, "text/plain", b""))

    with (
        Embedded.start(tmp_path / "state") as state,
        platform() as url,
        serving(heard) as collector,
        serving(pages) as site,
    ):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{collector}")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
        config = settings(
            monkeypatch, tmp_path / "data", url, REDIS_URL=state.url, PUBLISH_WORKERS=1,
            ALLOW_HOSTS=f"{url.removeprefix('http://')},{site}",
        )  # fmt: skip
        with house(config, io.StringIO()) as (parts, _):
            account = Account(id="main.k", platform="webhook", name="k", settings={"url": f"http://{site}/hook"})
            parts.records.save_account(account, {"secret": "whsec_YSBzZWNyZXQgb2YgdHdlbnR5LWZvdXIgYnl0ZXM="})
            asked = Candidate(address=f"http://{site}/bridge", accounts=(account.id,), at="now", way="api")
            item = parts.intake.arrived(None, asked, workspace="main")
            wait_until(lambda: parts.deliveries.count()[Status.PUBLISHED] == 1, 120, f"it is public: {item.id}")
            wait_until(lambda: heard.named("delivery") and heard.named("article"), 30, "spans were told")
            time.sleep(1)
            [delivery] = list(parts.deliveries.several(parts.deliveries.ids()))

    [(reader, article)] = heard.named("article")[:1]
    [(publisher, settled)] = heard.named("delivery")
    turns, requests = heard.named("turn "), heard.named("POST ")
    assert reader.startswith("content")
    assert publisher.startswith("publish")
    assert reader != publisher
    assert {s.trace_id for _, s in [(0, article), (0, settled), *turns, *requests]} == {article.trace_id}
    assert not article.parent_span_id
    assert settled.parent_span_id == article.span_id
    assert turns
    assert {s.parent_span_id for _, s in turns} == {settled.span_id}
    assert requests
    assert {s.parent_span_id for _, s in requests} <= {s.span_id for _, s in turns}
    told = {a.key: a.value.string_value for a in settled.attributes}
    assert told["handbill.delivery"] == delivery.id
    assert told["handbill.article"] == delivery.article
