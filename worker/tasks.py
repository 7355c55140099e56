"""The Celery tasks, a few lines each: take an id, call the use case."""

from __future__ import annotations

import random
import time

from worker import app as application
from worker.app import app, engine, nudge, pulse, runtime, stopping
from worker.pipeline.numbers import send_report

AT_A_STRETCH = (5.0, 15.0)
"""Seconds that a thread goes on without a new message; longer, and messages that wait would wait too long. Drawn anew
each time: threads that began together would otherwise all stop together, and wait together for their next message."""


@app.task(name="handbill.look")  # type: ignore[untyped-decorator]  # Celery publishes no types
def look(delivery: str) -> None:
    """Look at a delivery and do what its status asks for; then at what else is due, which saves a message each."""
    nudge.set()
    end = time.monotonic() + random.uniform(*AT_A_STRETCH)  # noqa: S311 - spreads threads, guards nothing

    def more() -> bool:
        pulse.beat()
        return time.monotonic() < end and not stopping.is_set()

    with pulse:
        engine().publish(delivery, more)
    if time.monotonic() >= end:
        nudge.set()  # there may be more, and this hand is free: the next tick need not be waited for


@app.task(name="handbill.canary")  # type: ignore[untyped-decorator]  # Celery publishes no types
def canary(worker: str) -> None:
    """Show that ``worker`` consumes."""
    with pulse:
        runtime().records.seen_alive(worker, seconds=application.DEAF_AFTER)


@app.task(name="handbill.tend")  # type: ignore[untyped-decorator]  # Celery publishes no types
def tend(workspace: str) -> None:
    """Plan digests, and look after what was published before: pages looked at again, articles that go out again."""
    runtime().digests.sweep(workspace)
    runtime().changes.round(workspace)
    runtime().evergreens.sweep(workspace)
    send_report(runtime(), workspace)


@app.task(name="handbill.read")  # type: ignore[untyped-decorator]  # Celery publishes no types
def read(item: str) -> None:
    """Read an article that came in, and plan its posts if it is its time; the item says what became of it."""
    runtime().reader.work(item)
