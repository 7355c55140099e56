"""Errors of ours, reported to Sentry: where they happened and to which ids, never what anybody wrote, never a secret.

Without ``SENTRY_DSN`` nothing is done; with it the extra ``sentry`` must be installed.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from importlib import metadata
from typing import Any

from worker import log as logs
from worker.errors import HandbillError

IDS = ("delivery", "article", "account", "platform", "attempt", "item", "worker")


def start(service: str, *, transport: object = None) -> None:
    """Report from this process on, if it is said where to; raises HandbillError if the extra is missing."""
    if not os.environ.get("SENTRY_DSN"):
        return
    try:
        import sentry_sdk  # noqa: PLC0415 - an extra
    except ImportError:
        do = "Install handbill[sentry], or leave SENTRY_DSN empty"
        raise HandbillError("Errors cannot be reported", why="Sentry's SDK is not installed", do=do) from None
    given: dict[str, Any] = {"transport": transport} if transport else {}
    sentry_sdk.init(
        dsn=os.environ["SENTRY_DSN"],
        release=metadata.version("handbill"),
        server_name=service,
        default_integrations=False,  # they would read requests, arguments and log lines
        include_local_variables=False,
        max_breadcrumbs=0,
        before_send=scrubbed,
        **given,
    )
    logs.report_to(_report)


def _report(event: MutableMapping[str, Any], error: BaseException) -> None:
    import sentry_sdk  # noqa: PLC0415 - an extra

    with sentry_sdk.new_scope() as scope:
        for name in IDS:
            if name in event:
                scope.set_tag(name, str(event[name]))
        scope.set_extra("what", str(event.get("event", "")))
        sentry_sdk.capture_exception(error)


def scrubbed(event: Any, hint: Any) -> Any:
    """An event without any known secret, source lines' variables, or the words of an error's cause."""
    del hint
    return _clean(event)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return logs.redact(value)
    if isinstance(value, dict):
        return {k: "•••" if logs.is_secret(str(k)) else _clean(v) for k, v in value.items() if k != "vars"}
    if isinstance(value, (list, tuple)):
        return [_clean(v) for v in value]
    return value
