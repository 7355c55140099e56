"""What the status table says: its rows, the three numbers above it, and whether any of it has changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from web import views
from worker import reminders
from worker.changes import State
from worker.decisions import ORIGINS
from worker.model import Account, Delivery, Event, Status, digest
from worker.runtime import Runtime

S = Status

LATE = 60.0
"""Seconds after its time from which a post that is not out counts as late."""

ROWS = 50

GROUPS: Mapping[str, frozenset[Status]] = {
    "all": frozenset(Status),
    "decide": frozenset({S.AWAITING_APPROVAL, S.AWAITING_PERSON, S.HELD, S.PARKED, S.FAILED}),
    "waiting": frozenset({S.DRAFT, S.SCHEDULED}),
    "moving": frozenset({S.PREPARING, S.PUBLISHING, S.UNCONFIRMED}),
    "public": frozenset({S.PUBLISHED, S.EDITED}),
    "ended": frozenset({S.CANCELLED, S.SKIPPED, S.DELETED}),
}
"""How the table can be narrowed; every status is in one group besides ``all``."""

UNKNOWN = (S.UNCONFIRMED, S.PARKED)
CORNERS: Mapping[str, frozenset[Status]] = {"unknown": frozenset(UNKNOWN)}
"""Parts of the table that a number above it leads to."""

ON_THEIR_WAY = frozenset({S.SCHEDULED, S.PREPARING, S.PUBLISHING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One delivery in the table. ``late`` is how long its time is past, if it is not out; times are the account's."""

    id: str
    article: str
    title: str
    text: str
    label: str
    account: str
    name: str
    rehearsal: bool
    status: Status
    tone: str
    meaning: str
    due: datetime
    zone: str
    late: timedelta | None
    reason: str
    receipt: str
    url: str
    attempts: int
    evergreen: str
    actions: tuple[str, ...]
    undecided: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a delivery's history."""

    at: datetime
    status: Status
    tone: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What a row shows when it is opened: its history and when it is looked at next.

    ``key`` is what the platform sees of the step to come, or of the last one; ``part`` is what that says and ``place``
    where it stands, such as 2 of 4, if the delivery has several.
    """

    lines: tuple[Line, ...]
    next_look: datetime | None
    key: str
    part: str
    place: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """The numbers above the table; ``paused`` is every stopped scope with the end of the stop and its reason,
    ``changed`` how many articles wait for a decision since they changed.
    """

    late: int
    double: int
    unknown: int
    workers: int
    groups: Mapping[str, int]
    paused: Mapping[str, tuple[datetime | None, str]]
    changed: int


def board(parts: Runtime, workspace: str) -> Board:
    """How everything of a workspace stands now."""
    counts = parts.deliveries.count(workspace)
    return Board(
        late=parts.deliveries.late(LATE, workspace=workspace),
        double=sum(d.startswith(f"{workspace}.") for d in parts.deliveries.doubles()),
        unknown=sum(counts[s] for s in UNKNOWN),
        workers=len(parts.records.alive()),
        groups={name: sum(counts[s] for s in statuses) for name, statuses in GROUPS.items()},
        paused={s: why for s, why in parts.deliveries.paused().items() if _concerns(s, workspace)},
        changed=changed(parts, workspace),
    )


def changed(parts: Runtime, workspace: str) -> int:
    """How many articles changed after they were posted, and wait for a decision."""
    return sum(c.state is State.OPEN for c in parts.aftercare.changes(workspace))


def _concerns(scope: str, workspace: str) -> bool:
    """Whether a stop of ``scope`` stops anything of a workspace."""
    kind, _, name = scope.partition(":")
    return kind == "all" or name == workspace or name.startswith(f"{workspace}.")


def row(
    delivery: Delivery,
    account: Account | None,
    *,
    now: datetime,
    paused: Mapping[str, tuple[datetime | None, str]] | None = None,
) -> Row:
    """One line of the table; ``paused`` is every stopped scope, one of which may be why it waits."""
    receipt = delivery.receipt
    post = delivery.says
    url = (receipt.url or "") if receipt else ""
    behind = now - delivery.due
    told = delivery.status is S.AWAITING_PERSON and len(delivery.current.reminders) >= reminders.MOST
    late = told or (delivery.status in ON_THEIR_WAY and behind > timedelta(seconds=LATE))
    return Row(
        id=delivery.id,
        article=delivery.article,
        title=post.title or post.text.partition("\n")[0],
        text=post.text,
        label=views.label_of(delivery.platform),
        account=delivery.account,
        name=account.name if account else delivery.account.partition(".")[2],
        rehearsal=bool(account and account.rehearsal),
        status=delivery.status,
        tone=views.TONES[delivery.status],
        meaning=views.meaning_of(delivery.status),
        due=delivery.due.astimezone(ZoneInfo(delivery.zone)),
        zone=delivery.zone,
        late=behind if late else None,
        reason=_waits_for(delivery, paused or {}) or delivery.reason,
        receipt=(receipt.url or receipt.id) if receipt else "",
        url=url if views.host_of(url) else "",
        attempts=delivery.tries,
        evergreen=delivery.evergreen,
        actions=tuple(name for name, origins in ORIGINS.items() if delivery.status in origins),
        undecided=delivery.status is Status.HELD and bool(delivery.waits),
    )


def _waits_for(delivery: Delivery, paused: Mapping[str, tuple[datetime | None, str]]) -> str:
    """Why a delivery whose time comes would not be sent; empty if nothing is stopped."""
    if delivery.status not in ON_THEIR_WAY:
        return ""
    kinds = (
        "all",
        f"workspace:{delivery.workspace}",
        *(f"{k}:{delivery.account}" for k in ("account", "connect", "limit")),
    )
    return next((paused[k][1] for k in kinds if k in paused), "")


def opened(parts: Runtime, delivery: Delivery) -> Opened:
    """What is shown of a row that is open."""
    look = parts.deliveries.next_look(delivery.id)
    return Opened(
        lines=tuple(_line(event) for event in parts.deliveries.history(delivery.id)),
        next_look=look,
        key=delivery.current.key,
        part=delivery.current.post.text if len(delivery.steps) > 1 else "",
        place=(min(delivery.step + 1, len(delivery.steps)), len(delivery.steps)),
    )


def _line(event: Event) -> Line:
    return Line(at=event.at, status=event.status, tone=views.TONES[event.status], note=event.note)


def fingerprint(parts: Runtime) -> str:
    """Changes whenever a page would show something else; asked every second, so it reads the newest rows only."""
    newest = parts.deliveries.several(parts.deliveries.ids(most=ROWS))
    rows = [(d.id, d.status, d.updated_at, d.reason) for d in newest]
    late = parts.deliveries.late(LATE)
    minute = parts.now().minute if late else None  # rows say by how many
    counts, doubles, stock = parts.deliveries.count(), parts.deliveries.doubles(), parts.records.stock()
    return digest(counts, late, doubles, parts.deliveries.paused(), parts.records.alive(), rows, minute, stock)
