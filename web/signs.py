"""Signs of life for machines: is the process up, can posts go out, and the numbers Prometheus reads."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from web.access import Parts, here_or_reads
from web.status import LATE
from worker.errors import StoreDown
from worker.store.redis import lost
from worker.watch.numbers import registry

router = APIRouter(tags=["signs of life"])


@router.get("/healthz", summary="The process answers")
def healthz() -> dict[str, str]:
    """Always 200: it speaks for this process alone."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    summary="Posts can go out",
    description="200 if Redis answers, posts are taken up and none is overdue by a minute; else 503 saying why.",
)
def readyz(parts: Parts) -> Response:
    """Whether a post that is due now would be sent."""
    workers: list[str] = []
    found: dict[str, Any] = {"ready": False, "redis": False, "workers": 0, "overdue_seconds": 0.0, "why": ""}
    try:
        parts.store.ping()
        found["redis"] = True
        workers = parts.records.alive()
        found["workers"] = len(workers)
        found["overdue_seconds"] = round(parts.deliveries.overdue_seconds(), 1)
    except Exception as error:
        line = str(error) if isinstance(error, StoreDown) else lost(error)
        if not line:
            raise
        return JSONResponse(found | {"redis": False, "why": line}, 503)
    publishing = any(name.startswith("publish") for name in workers)
    reading = any(name.startswith("content") for name in workers)
    gathering = any(name.startswith("intake") for name in workers)
    if not publishing:
        which = "No publish worker consumes" if workers else "No worker consumes"
        found["why"] = f"{which}. Start one with: handbill up, or handbill worker."
    elif found["overdue_seconds"] >= LATE:
        found["why"] = "What is due is not taken up. Look at the workers' log, or run: handbill doctor."
    found["ready"] = not found["why"]
    if found["ready"] and not (reading and gathering):  # what is planned goes out all the same
        which = "intake" if reading else "content"
        found["why"] = (
            f"No {which} worker consumes: new articles wait. Start one with: handbill up, or handbill worker."
        )
    return JSONResponse(found, 200 if found["ready"] else 503)


@router.get(
    "/metrics",
    dependencies=[Depends(here_or_reads)],
    summary="Numbers for Prometheus",
    response_class=PlainTextResponse,
    responses={401: {"description": "Asked from another machine without a token."}},
)
def metrics(parts: Parts) -> Response:
    """The text format; asked from another machine it wants a token."""
    return Response(generate_latest(registry(parts)), media_type=CONTENT_TYPE_LATEST)
