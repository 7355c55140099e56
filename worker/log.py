"""How Handbill logs: one JSON line per event, with the delivery, article, account and attempt it belongs to."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import structlog

HIDDEN = "•••"
_SECRETS: set[str] = set()
_hiding: ContextVar[Callable[[str], str] | None] = ContextVar("hiding", default=None)
_SECRET_NAMES = ("token", "secret", "password", "authorization", "api_key", "cookie")


Report = Callable[[MutableMapping[str, Any], BaseException], None]
_reports: list[Report] = []


def report_to(report: Report | None) -> None:
    """Also give errors of ours to somebody, with the line that tells of them; None ends that."""
    _reports[:] = [report] if report else []


def is_secret(name: str) -> bool:
    """Whether what stands under a name must not be told."""
    return any(part in name.lower() for part in _SECRET_NAMES)


def hide(*values: str) -> None:
    """Never log these values, whatever event they turn up in."""
    _SECRETS.update(v for v in values if len(v) > 3)


def _redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in list(event.items()):
        if is_secret(key):
            event[key] = HIDDEN
        elif isinstance(value, str):
            event[key] = redact(value)
    return event


@contextmanager
def hiding(redacted: Callable[[str], str]) -> Iterator[None]:
    """While this is entered, lines lose what ``redacted`` takes away: the secrets of the account that is worked on."""
    before = _hiding.set(redacted)
    try:
        yield
    finally:
        _hiding.reset(before)


def redact(text: str) -> str:
    """``text`` without any known secret and on one line."""
    for secret in _SECRETS:
        text = text.replace(secret, HIDDEN)
    if (redacted := _hiding.get()) is not None:
        text = redacted(text)
    return text.replace("\r", " ").replace("\n", " ⏎ ")


def _tell(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Errors with a traceback are mistakes of ours."""
    found = event.get("exc_info")
    error = sys.exc_info()[1] if found is True else found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        for report in _reports:
            report(event, error)
    return event


def configure(level: str, *, pretty: bool = False) -> None:
    """Log to stderr from ``level`` on; ``pretty`` for people, JSON for machines."""
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False)
    if pretty:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    first: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Any] = [_tell, structlog.processors.format_exc_info, _redact, renderer]
    structlog.configure(
        processors=[*first, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    # Lines of libraries carry the same ids, for they are written in the same context.
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*first, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(level=max(logging.WARNING, logging.getLevelName(level.upper())), handlers=[handler], force=True)
