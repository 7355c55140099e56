"""The audit log as a page and as a file: who did what, when and from where, the latest first."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from web import render, table
from web.access import Owner, Parts

ROWS = 100

router = APIRouter(include_in_schema=False)


@router.get("/audit")
def show_audit(request: Request, parts: Parts, person: Owner, before: str = "") -> Response:
    """What was done in this workspace."""
    rows, following = parts.audit.page(person.workspace, most=ROWS, before=before)
    return render.page(request, "audit.html", rows=rows, before=before, following=following)


@router.get("/audit.csv")
def export(parts: Parts, person: Owner) -> Response:
    """All of it, for a spreadsheet; instants are UTC."""
    rows = (
        (e.at.isoformat(), e.actor.kind, e.actor.id, e.actor.name, e.actor.where, e.what, e.subject, e.detail)
        for e in parts.audit.every(person.workspace)
    )
    head = ("at", "kind", "by", "name", "where", "what", "subject", "detail")
    return table.answer(f"audit-{person.workspace}.csv", head, rows)
