"""The Celery tasks, a few lines each: take an id, call the use case."""

from __future__ import annotations

from typing import Any

from worker import app as application
from worker.app import CONTENT, PUBLISH, app, engine, nudge, pulse, runtime
from worker.pipeline.share import share


@app.task(name="handbill.look", queue=PUBLISH)  # type: ignore[untyped-decorator]  # Celery publishes no types
def look(delivery: str) -> None:
    """Look at a delivery and do what its status asks for."""
    nudge.set()
    with pulse:
        engine().publish(delivery)


@app.task(name="handbill.canary", queue=PUBLISH)  # type: ignore[untyped-decorator]  # Celery publishes no types
def canary(worker: str) -> None:
    """Show that ``worker`` consumes."""
    with pulse:
        runtime().records.seen_alive(worker, seconds=application.DEAF_AFTER)


@app.task(name="handbill.share", queue=CONTENT)  # type: ignore[untyped-decorator]  # Celery publishes no types
def share_source(source: str, **options: Any) -> None:
    """Read an article and plan its posts; refused sources are logged with their one clear line."""
    share(runtime(), source, **options)
