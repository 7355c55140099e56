"""The Celery tasks, a few lines each: take an id, call the use case."""

from __future__ import annotations

import random
import time
from typing import Any

import structlog

from worker import app as application
from worker.app import CONTENT, PUBLISH, app, engine, nudge, pulse, runtime, stopping
from worker.errors import HandbillError
from worker.pipeline.share import share

log = structlog.get_logger()

AT_A_STRETCH = (5.0, 15.0)
"""Seconds that a thread goes on without a new message; longer, and messages that wait would wait too long. Drawn anew
each time: threads that began together would otherwise all stop together, and wait together for their next message."""


@app.task(name="handbill.look", queue=PUBLISH)  # type: ignore[untyped-decorator]  # Celery publishes no types
def look(delivery: str) -> None:
    """Look at a delivery and do what its status asks for; then at what else is due, which saves a message each."""
    nudge.set()
    with pulse:
        end = time.monotonic() + random.uniform(*AT_A_STRETCH)  # noqa: S311 - spreads threads, guards nothing
        engine().publish(delivery)
        while time.monotonic() < end and not stopping.is_set() and engine().publish_next():
            pulse.beat()


@app.task(name="handbill.canary", queue=PUBLISH)  # type: ignore[untyped-decorator]  # Celery publishes no types
def canary(worker: str) -> None:
    """Show that ``worker`` consumes."""
    with pulse:
        runtime().records.seen_alive(worker, seconds=application.DEAF_AFTER)


@app.task(name="handbill.share", queue=CONTENT, acks_late=True, reject_on_worker_lost=True)  # type: ignore[untyped-decorator]  # Celery publishes no types
def share_source(source: str, **options: Any) -> None:
    """Read an article and plan its posts; a refused source is logged as its one clear line.

    The message is kept until this is done, so a lost worker's article is read by another one; planning twice plans
    nothing new.
    """
    try:
        share(runtime(), source, **options)
    except HandbillError as error:
        log.warning("article refused", source=source, reason=str(error))
