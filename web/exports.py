"""What leaves in other programs' formats: every delivery as CSV, and the calendar as iCal under a secret address."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta

import icalendar
from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from web import listing, table
from web.access import Parts, Reader
from web.api import REFUSALS
from worker.errors import NotFound
from worker.lifecycle import GONE
from worker.model import Delivery, Status
from worker.people import CALENDAR
from worker.runtime import Runtime

router = APIRouter()

COLUMNS = ("id", "article", "title", "account", "platform", "status", "due", "wall", "zone", "text", "link", "address",
           "reason", "approver", "attempts", "updated")  # fmt: skip
PAGE = 500
BEFORE, AFTER, MOST = timedelta(days=60), timedelta(days=400), 5000
LASTS = timedelta(minutes=15)
"""A post takes no time, but calendars show nothing of an event without length."""

UNTOLD = {Status.DRAFT, Status.SKIPPED}
"""What a calendar program never hears of; of what was cancelled it must hear, or it would keep it."""

OPEN = {Status.DRAFT, Status.AWAITING_APPROVAL, Status.HELD}


@router.get("/api/v1/deliveries.csv", tags=["api"], responses=REFUSALS, response_class=StreamingResponse)
def deliveries_csv(parts: Parts, caller: Reader) -> StreamingResponse:
    """Every delivery of the workspace, the latest move first; no cell is a formula to a spreadsheet."""
    return table.answer("deliveries.csv", COLUMNS, _rows(parts, caller.workspace))


@router.get("/calendar/{token}.ics", include_in_schema=False)
def calendar(request: Request, parts: Parts, token: str) -> Response:
    """The calendar of whoever's secret address this is; made and revoked like any token."""
    found = parts.records.token(token)
    if found is None or found["scope"] != CALENDAR:
        raise NotFound("There is no such calendar", do="Make an address with: handbill tokens create --scope calendar")
    body = _calendar(parts, found["workspace"])
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"ETag": tag})
    return Response(body, media_type="text/calendar", headers={"ETag": tag})


def _rows(parts: Runtime, workspace: str) -> Iterator[tuple[object, ...]]:
    after = None
    while True:
        found, after = listing.page(parts.deliveries, list(Status), most=PAGE, after=after, workspace=workspace)
        titles = parts.records.titles({d.article for d in found})
        for delivery in found:
            yield _cells(delivery, titles.get(delivery.article, ""))
        if after is None:
            return


def _cells(delivery: Delivery, title: str) -> tuple[object, ...]:
    post = delivery.says if delivery.steps else None
    receipt = delivery.receipt
    return (
        delivery.id,
        delivery.article,
        title,
        delivery.account,
        delivery.platform,
        str(delivery.status),
        delivery.due.isoformat(),
        delivery.wall,
        delivery.zone,
        post.text if post else "",
        (post.link if post else "") or "",
        (receipt.url or receipt.id) if receipt else "",
        delivery.reason,
        delivery.approver,
        delivery.tries,
        delivery.updated_at.isoformat() if delivery.updated_at else "",
    )


def _calendar(parts: Runtime, workspace: str) -> bytes:
    now = parts.now()
    ((_, ids),) = parts.deliveries.planned(workspace, [now - BEFORE, now + AFTER], most=MOST, gone=True)
    names = {a.id: a.name for a in parts.records.accounts(workspace)}
    found = [d for d in parts.deliveries.several(ids) if d.status not in UNTOLD]
    titles = parts.records.titles({d.article for d in found})
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//Handbill//Calendar//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", f"Handbill: {workspace}")
    calendar.add("refresh-interval;value=duration", "PT15M")
    for delivery in found:
        calendar.add_component(_event(delivery, titles.get(delivery.article, ""), names.get(delivery.account, "")))
    body: bytes = calendar.to_ical()
    return body


def _event(delivery: Delivery, title: str, account: str) -> icalendar.Event:
    event = icalendar.Event()
    event.add("uid", f"{delivery.id}@handbill")
    event.add("dtstamp", delivery.updated_at or delivery.due)
    event.add("dtstart", delivery.due)
    event.add("dtend", delivery.due + LASTS)
    event.add("summary", f"{account or delivery.account}: {title or delivery.article} ({delivery.status})")
    event.add("description", delivery.says.text if delivery.steps else "")
    event.add("sequence", delivery.fence)
    event.add("transp", "TRANSPARENT")
    status = "CANCELLED" if delivery.status in GONE else "TENTATIVE" if delivery.status in OPEN else "CONFIRMED"
    event.add("status", status)
    if delivery.receipt and delivery.receipt.url:
        event.add("url", delivery.receipt.url)
    return event
