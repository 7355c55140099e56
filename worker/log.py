"""How Handbill logs: one JSON line per event, with the delivery, article, account and attempt it belongs to."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

HIDDEN = "•••"
_SECRETS: set[str] = set()
_SECRET_NAMES = ("token", "secret", "password", "authorization", "api_key", "cookie")


def hide(*values: str) -> None:
    """Never log these values, whatever event they turn up in."""
    _SECRETS.update(v for v in values if len(v) > 3)


def _redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in list(event.items()):
        if any(name in key.lower() for name in _SECRET_NAMES):
            event[key] = HIDDEN
        elif isinstance(value, str):
            event[key] = redact(value)
    return event


def redact(text: str) -> str:
    """``text`` without any known secret and on one line."""
    for secret in _SECRETS:
        text = text.replace(secret, HIDDEN)
    return text.replace("\r", " ").replace("\n", " ⏎ ")


class _RedactingFormatter(logging.Formatter):
    """Lines of libraries, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def configure(level: str, *, pretty: bool = False) -> None:
    """Log to stderr from ``level`` on; ``pretty`` for people, JSON for machines."""
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False)
    if pretty:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_RedactingFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=max(logging.WARNING, logging.getLevelName(level.upper())), handlers=[handler], force=True)
