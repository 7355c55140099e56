"""Traces and reports of one process: both are extras, and nothing unless the environment says where to send them."""

from __future__ import annotations

from worker.watch import reports, traces


def observe(service: str) -> None:
    """Begin, under the name of what this process does; raises HandbillError where an extra is missing."""
    traces.start(service)
    reports.start(service)
