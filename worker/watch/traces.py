"""Traces by OpenTelemetry: an article, its deliveries, every turn and every request hang together, for days.

Ids of spans are made of ours: whoever works on a delivery knows the trace of its article, and no context has to travel
in messages, which hold an id and may be lost or doubled. Without ``OTEL_EXPORTER_OTLP_ENDPOINT`` nothing is done; with
it the extra ``otel`` must be installed.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from importlib import metadata

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, StatusCode, TraceFlags, Tracer

from publishers.core.http import Http, unwatched
from worker.errors import HandbillError
from worker.model import Article, Delivery, Status

ENDPOINT = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_chosen = threading.local()
_tracer: Tracer | None = None


def start(service: str) -> None:
    """Send traces from this process on, if it is said where to; raises HandbillError if the extra is missing."""
    if not any(os.environ.get(name) for name in ENDPOINT):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - an extra
    except ImportError:
        do = "Install handbill[otel], or leave OTEL_EXPORTER_OTLP_ENDPOINT empty"
        raise HandbillError("Traces cannot be sent", why="OpenTelemetry's SDK is not installed", do=do) from None
    use(BatchSpanProcessor(OTLPSpanExporter()), service=service)


def use(processor: object, *, service: str = "handbill") -> Callable[[], None]:
    """Give spans to a processor of OpenTelemetry's SDK; returns what ends that."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator  # noqa: PLC0415 - an extra

    global _tracer  # noqa: PLW0603 - one for the process, as its logs

    class Ids(RandomIdGenerator):
        """Random ids, but for spans that have one by what they are."""

        def generate_trace_id(self) -> int:
            return getattr(_chosen, "trace", 0) or super().generate_trace_id()

        def generate_span_id(self) -> int:
            return getattr(_chosen, "span", 0) or super().generate_span_id()

    named = {
        "service.name": "handbill",
        "service.instance.id": service,
        "service.version": metadata.version("handbill"),
    }
    provider = TracerProvider(id_generator=Ids(), resource=Resource.create(named))
    provider.add_span_processor(processor)  # type: ignore[arg-type]  # the SDK is an extra, its types too
    _tracer = provider.get_tracer("handbill")
    Http.watch = staticmethod(_request)

    def end() -> None:
        global _tracer  # noqa: PLW0603 - as above
        _tracer = None
        Http.watch = staticmethod(unwatched)
        provider.shutdown()

    return end


def article(found: Article, *, since: datetime, now: datetime) -> None:
    """An article was read and planned."""
    attributes = {"handbill.article": found.id, "handbill.workspace": found.workspace, "url.full": found.url}
    _made(found.id, ("article", found.id), None, since=since, now=now, attributes=attributes)


def settled(delivery: Delivery, status: Status, *, now: datetime) -> None:
    """A delivery has come to an end: its span lasts from when it was planned."""
    attributes = {**_of(delivery), "handbill.status": str(status), "handbill.attempts": delivery.attempts + 1}
    own, parent = ("delivery", delivery.id), ("article", delivery.article)
    _made(delivery.article, own, parent, since=delivery.created_at or now, now=now, attributes=attributes)


@contextmanager
def turn(delivery: Delivery) -> Iterator[None]:
    """A worker works on a delivery; its requests are part of that."""
    if _tracer is None:
        yield
        return
    context = _context(delivery.article, ("delivery", delivery.id))
    attributes = {**_of(delivery), "handbill.attempt": delivery.attempts + 1, "handbill.step": delivery.step}
    with _tracer.start_as_current_span(f"turn {delivery.status}", context=context, attributes=attributes):
        yield


@contextmanager
def _request(method: str, host: str, *, commit: bool) -> Iterator[Callable[[int], None]]:
    """One request to a platform. Its path is not told: there are platforms that want a token in it."""
    if _tracer is None:
        yield lambda _: None
        return
    attributes: dict[str, str | bool] = {
        "http.request.method": method,
        "server.address": host,
        "handbill.commit": commit,
    }
    with _tracer.start_as_current_span(
        f"{method} {host}",
        kind=SpanKind.CLIENT,
        attributes=attributes,
        record_exception=False,  # its words may hold an address with a token
        set_status_on_exception=False,
    ) as span:
        try:
            yield lambda status: _answered(span, status)
        except Exception as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(StatusCode.ERROR)
            raise


def _answered(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= 400:
        span.set_status(StatusCode.ERROR)


def _made(
    trace_of: str,
    own: tuple[str, str],
    parent: tuple[str, str] | None,
    *,
    since: datetime,
    now: datetime,
    attributes: Mapping[str, str | int],
) -> None:
    """A span that has been: its id is that of what it tells of, so that others could hang on it before."""
    if _tracer is None:
        return
    _chosen.trace, _chosen.span = _number("trace", trace_of, 16), _number(*own, 8)
    try:
        context = _context(trace_of, parent) if parent else trace.set_span_in_context(trace.INVALID_SPAN)
        span = _tracer.start_span(own[0], context=context, start_time=_nanoseconds(since), attributes=attributes)
    finally:
        _chosen.trace = _chosen.span = 0
    span.end(_nanoseconds(now))


def _of(delivery: Delivery) -> dict[str, str | int]:
    return {
        "handbill.article": delivery.article,
        "handbill.delivery": delivery.id,
        "handbill.account": delivery.account,
        "handbill.platform": delivery.platform,
        "handbill.workspace": delivery.workspace,
    }


def _context(trace_of: str, parent: tuple[str, str]) -> Context:
    told = SpanContext(_number("trace", trace_of, 16), _number(*parent, 8), is_remote=True, trace_flags=SAMPLED)
    return trace.set_span_in_context(NonRecordingSpan(told))


def _number(kind: str, name: str, size: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{kind} {name}".encode()).digest()[:size], "big") or 1


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1e9)
