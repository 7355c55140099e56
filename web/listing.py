"""How long lists of deliveries are read page by page: a cursor is the last move and the id of the last one read."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from worker.errors import HandbillError
from worker.model import Delivery, Status
from worker.store import Deliveries

Cursor = tuple[datetime, str]


def read_cursor(text: str) -> Cursor | None:
    """The place that ``write_cursor`` wrote; None at the start. Raises HandbillError."""
    if not text:
        return None
    moved, _, delivery = text.partition(".")
    try:
        return datetime.fromtimestamp(int(moved) / 1000, UTC), delivery
    except (ValueError, OverflowError, OSError):
        raise HandbillError(f"{text!r} is no cursor", do="Use the one that the page before gave") from None


def write_cursor(cursor: Cursor) -> str:
    """The place as it stands in an address."""
    return f"{round(cursor[0].timestamp() * 1000)}.{cursor[1]}"


def page(
    deliveries: Deliveries,
    statuses: Collection[Status],
    *,
    most: int,
    after: Cursor | None,
    workspace: str = "",
) -> tuple[list[Delivery], Cursor | None]:
    """Up to ``most`` deliveries, the latest move first, and where the next page begins (None = there is none).

    ``workspace`` "" is all.
    """
    found: list[tuple[Cursor, Delivery]] = []
    while len(found) <= most:
        rows = deliveries.latest(statuses, most=most + 1, before=after, workspace=workspace)
        known = {d.id: d for d in deliveries.several(i for _, i in rows)}
        # One that moved on while this was read is met again at its new place.
        found += [(r, d) for r in rows if (d := known.get(r[1])) and d.status in statuses]
        if len(rows) <= most:
            break
        after = rows[-1]
    shown = found[:most]
    return [d for _, d in shown], shown[-1][0] if len(found) > most else None


def read_days(text: str, usual: int, most: int) -> int:
    """The number of days that a page's address names, 1 to ``most``; ``usual`` where it names none."""
    days = int(text) if text.isascii() and text.isdecimal() and len(text) <= 5 else 0
    return days if 1 <= days <= most else usual
