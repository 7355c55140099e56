"""Celery as a scheduler of its own: tasks with an ``eta``, which wait in the worker's memory; run by bench.dispatch."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from celery import Celery

app = Celery("peer", broker=os.environ.get("PEER_BROKER", ""))
app.conf.update(
    task_ignore_result=True,
    worker_enable_remote_control=False,
    broker_transport_options={"visibility_timeout": 86_400},  # a shorter one runs long-waiting tasks again and again
)

late: list[float] = []


@app.task(name="peer.note")  # type: ignore[untyped-decorator]  # Celery publishes no types
def note(due: float, total: int, out: str) -> None:
    """Note how late this task is; the last one writes all of it down."""
    late.append((time.time() - due) * 1000)
    if len(late) == total:
        Path(out).write_text(json.dumps({"done": time.time() * 1000, "late": late}))
        late.clear()
