"""Receipts as pages, API and files for auditors: what was made where, and whether it is there as it was sent."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import RedirectResponse, Response, StreamingResponse

from web import render, table, views
from web.access import Form, Operator, Parts, Reader, Viewer, Writer, flash
from web.api import NOT_THERE, REFUSALS
from web.replay import Remembered
from worker import receipts
from worker.errors import NotFound
from worker.keeping.ledger import whole
from worker.model import Delivery
from worker.receipts import Entry, Readback, Sight
from worker.runtime import Runtime

ROWS = 50
TONES = {
    Sight.LIVE: "good",
    Sight.DIFFERS: "bad",
    Sight.GONE: "bad",
    Sight.UNREADABLE: "off",
    Sight.WAITING: "wait",
}

router = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api/v1/receipts", tags=["receipts"], responses=REFUSALS, route_class=Remembered)


class ReadbackOut(BaseModel):
    """What reading the post back has shown, with a line for each thing that is not as it was sent."""

    sight: Sight
    at: str
    notes: list[str]


class GivenUp(BaseModel):
    """A step that was added later and came to nothing, with the reason; what it was about stayed public as it was."""

    step: int
    act: str
    why: str
    key: str


class Ledger(BaseModel):
    """A page of the ledger, the newest entry first; ``next`` is the number to ask for entries before."""

    entries: list[Entry]
    next: int | None


class ReceiptInFull(BaseModel):
    """Everything that proves one delivery; ``readback`` null if it was not read back yet, ``reads_at`` when it is next,
    null if it is not by itself.
    """

    delivery: str
    entries: list[Entry]
    given_up: list[GivenUp]
    readback: ReadbackOut | None
    reads_at: str | None


@router.get("/receipts")
def show(request: Request, parts: Parts, person: Viewer, before: Annotated[int | None, Query(ge=1)] = None) -> Response:
    """The ledger, the newest entry first, and what is not there as it was sent."""
    entries = parts.aftercare.entries(person.workspace, before=before, most=ROWS)
    flagged = parts.aftercare.flagged(person.workspace)
    wanted = list(dict.fromkeys([*flagged, *(e.delivery for e in entries)]))
    posts = {d.id: d for d in parts.deliveries.several(wanted)}
    following = _following(parts, person.workspace, entries)
    return render.page(
        request,
        "receipts.html",
        entries=entries,
        before=before,
        following=following,
        flagged=[posts[d] for d in flagged if d in posts],
        readbacks=parts.aftercare.readbacks(person.workspace, wanted),
        reads_at=parts.aftercare.reads_at(person.workspace, wanted),
        titles=parts.records.titles({d.article for d in posts.values()} | {e.article for e in entries}),
        names={a.id: a.name for a in parts.records.accounts(person.workspace)},
        label_of=views.label_of,
        meanings=receipts.MEANINGS,
        tones=TONES,
    )


@router.get("/receipts.csv")
def as_csv(parts: Parts, person: Viewer) -> Response:
    """The whole ledger for a spreadsheet, the oldest entry first."""
    head = [f.name for f in dataclasses.fields(Entry)]
    rows = ([_cell(getattr(e, name)) for name in head] for e in whole(parts, person.workspace))
    return table.answer(f"receipts-{person.workspace}.csv", head, rows)


@router.get("/receipts.jsonl")
def as_json(parts: Parts, person: Viewer) -> Response:
    """The whole ledger, one JSON object a line, as ``handbill receipts verify`` checks it."""
    named = {"Content-Disposition": f'attachment; filename="receipts-{person.workspace}.jsonl"'}
    return StreamingResponse(_lines(parts, person.workspace), media_type="application/jsonl", headers=named)


@router.get("/receipts/{delivery}")
def show_one(request: Request, parts: Parts, person: Viewer, delivery: str) -> Response:
    """Everything that proves one delivery."""
    found = _own(parts, person.workspace, delivery)
    account = next((a for a in parts.records.accounts(person.workspace) if a.id == found.account), None)
    seen = _seen(parts, found)
    return render.page(
        request,
        "receipt.html",
        delivery=found,
        entries=_entries(parts, found),
        messages=found.messages,
        readback=seen,
        reads_at=parts.aftercare.reads_at(person.workspace, [found.id]).get(found.id),
        meaning=receipts.MEANINGS[seen.sight if seen else Sight.WAITING],
        tone=TONES[seen.sight if seen else Sight.WAITING],
        tones=views.TONES,
        title=parts.records.titles([found.article]).get(found.article, ""),
        name=account.name if account else found.account.partition(".")[2],
        label=views.label_of(found.platform),
        history=parts.deliveries.history(found.id),
        flagged=found.id in parts.aftercare.flagged(person.workspace),
    )


@router.post("/receipts/{delivery}/read")
def read_now(parts: Parts, person: Operator, sent: Form, delivery: str) -> Response:
    """Read it back now."""
    del sent
    found = _own(parts, person.workspace, delivery)
    seen = parts.receipts.read_one(found.id, final=True)
    flash(parts, person, f"{seen.sight.capitalize()}.", "good" if seen.sight is Sight.LIVE else "warn")
    return RedirectResponse(f"/receipts/{found.id}", 303)


@router.post("/receipts/{delivery}/noted")
def noted(parts: Parts, person: Operator, sent: Form, delivery: str) -> Response:
    """Somebody has looked at what is not as it was sent: it is flagged no more."""
    del sent
    found = _own(parts, person.workspace, delivery)
    parts.aftercare.unflag(found.id)
    parts.audit.record(person.actor, "read-back noted", found.id, workspace=person.workspace)
    return RedirectResponse("/receipts", 303)


@api.get("")
def ledger(
    parts: Parts,
    caller: Reader,
    before: Annotated[int | None, Query(ge=1)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Ledger:
    """A page of the ledger, the newest entry first."""
    entries = parts.aftercare.entries(caller.workspace, before=before, most=limit)
    return Ledger(entries=entries, next=_following(parts, caller.workspace, entries))


@api.get("/{delivery}", responses=NOT_THERE)
def receipt(parts: Parts, caller: Reader, delivery: str) -> ReceiptInFull:
    """Everything that proves one delivery."""
    found = _own(parts, caller.workspace, delivery)
    return _in_full(parts, found, _seen(parts, found))


@api.post("/{delivery}/read", responses=NOT_THERE)
def read_again(parts: Parts, caller: Writer, delivery: str) -> ReceiptInFull:
    """Read it back now."""
    found = _own(parts, caller.workspace, delivery)
    return _in_full(parts, found, parts.receipts.read_one(found.id, final=True))


@api.post("/{delivery}/noted", status_code=204, responses=NOT_THERE)
def note(parts: Parts, caller: Writer, delivery: str) -> Response:
    """Somebody has looked at what is not as it was sent: it is flagged no more."""
    found = _own(parts, caller.workspace, delivery)
    parts.aftercare.unflag(found.id)
    parts.audit.record(caller.actor, "read-back noted", found.id, workspace=caller.workspace)
    return Response(status_code=204)


def _in_full(parts: Runtime, delivery: Delivery, seen: Readback | None) -> ReceiptInFull:
    told = ReadbackOut(sight=seen.sight, at=seen.at.isoformat(), notes=list(seen.notes)) if seen else None
    lost = [GivenUp(step=n, act=str(s.kind), why=s.failed, key=s.key) for n, s in enumerate(delivery.steps) if s.failed]
    again = parts.aftercare.reads_at(delivery.workspace, [delivery.id]).get(delivery.id)
    return ReceiptInFull(
        delivery=delivery.id,
        entries=_entries(parts, delivery),
        given_up=lost,
        readback=told,
        reads_at=again.isoformat() if again else None,
    )


def _own(parts: Runtime, workspace: str, delivery: str) -> Delivery:
    """The delivery, if it is the workspace's; raises NotFound."""
    if delivery.partition(".")[0] != workspace:
        raise NotFound(f"There is no delivery {delivery}")
    return parts.deliveries.get(delivery)


def _seen(parts: Runtime, delivery: Delivery) -> Readback | None:
    return parts.aftercare.readbacks(delivery.workspace, [delivery.id]).get(delivery.id)


def _following(parts: Runtime, workspace: str, entries: list[Entry]) -> int | None:
    """The number to ask for entries before; what is older than those in Redis is in the files alone."""
    oldest = parts.aftercare.oldest_entry(workspace)
    return entries[-1].number if entries and oldest and entries[-1].number > oldest.number else None


def _entries(parts: Runtime, delivery: Delivery) -> list[Entry]:
    """The entries of one delivery, the oldest first: looked for among all, for the ledger is a chain and no index."""
    wanted = sum(step.receipt is not None for step in delivery.steps)
    found: list[Entry] = []
    before: int | None = None
    while len(found) < wanted:
        page = parts.aftercare.entries(delivery.workspace, before=before, most=1000)
        found += [e for e in page if e.delivery == delivery.id]
        if not page or page[-1].number == 1:
            break
        before = page[-1].number
    return sorted(found, key=lambda e: e.number)


def _cell(value: object) -> object:
    return " ".join(value) if isinstance(value, tuple) else value


def _lines(parts: Runtime, workspace: str) -> Iterator[str]:
    for entry in whole(parts, workspace):
        yield json.dumps(dataclasses.asdict(entry), ensure_ascii=False, separators=(",", ":")) + "\n"
