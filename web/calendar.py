"""The calendar: what goes out when, as a month, a week, a day or a list, in the zone of whoever looks at it."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, RedirectResponse, Response

import publishers
from web import pictures, render, status, views
from web.access import Editor, Form, Parts, Person, Viewer, flash
from worker import approval, schedule
from worker.errors import HandbillError, NotFound
from worker.model import Account, Delivery, Status
from worker.people import May
from worker.pipeline import edit
from worker.pipeline.evergreen import AHEAD
from worker.runtime import Runtime
from worker.store.deliveries import Glance

SPANS = {"month": 42, "week": 7, "day": 1, "list": 14}
"""Days of each view, and how it is asked for."""

DAYS_MOST = 62
LISTED = 12
"""Posts of one day in a list; what is more is one step away."""

DRAWN = {"month": (60, 4), "week": (20, 20), "day": (150, 150)}
"""Posts of one day that are looked at, and lines that are drawn of them."""

TODAY_MOST = 500
"""Posts of today that are looked at before now, and as many after it: of a day that is half over, what is still to come
must not be hidden by what is out."""

TODAY_LINES = 12
"""Lines that are drawn of what is still to come today, where a day has fewer."""

COMING = frozenset({Status.DRAFT, Status.AWAITING_APPROVAL, Status.AWAITING_PERSON, Status.SCHEDULED, Status.HELD})
OVER = frozenset({Status.PUBLISHED, Status.EDITED, Status.DELETED, Status.CANCELLED, Status.SKIPPED})

TOGETHER = 3
"""Posts of one article on a day of a month, or of one time in a week, that stand in one line."""

HUES = 12
SLOTS_MOST = 12
MORNING = 7
"""Accounts whose free times are drawn at once; more would cover the whole day."""

WORST = ("bad", "warn", "work", "wait", "good", "off")
"""Tones in the order in which somebody should look."""

AHEAD_MOST = 500

PRICED_MOST = 60
"""Posts whose price is asked one by one; beyond that their mean is taken."""

DAY = 86_400.0
DAY_LONG = timedelta(days=1)

router = APIRouter(prefix="/calendar", include_in_schema=False)


class Asked(BaseModel):
    """Which part of the calendar: a view, a day in it, and the accounts (none = all); ``open`` is a post."""

    view: str = "month"
    date: str = ""
    account: list[str] = Field([], max_length=200)
    open: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One post in a list of days; ``at`` is in the viewer's zone."""

    id: str
    at: datetime
    title: str
    label: str
    name: str
    hue: int
    status: Status
    tone: str
    movable: bool
    evergreen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day of the list: its posts, how many more there are, and what clocks do on it."""

    date: date
    entries: tuple[Entry, ...]
    more: int
    clocks: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """How full the fullest day of an account is, of what its platform takes in a day."""

    name: str
    label: str
    most: int
    used: int
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What the shown days will cost and use up; ``cost`` in US dollars, None if no platform takes money.

    ``evergreen`` of the posts to come are shared again by a rule. ``expiring`` are accounts that a person must connect
    again within these days: when, and how many posts come after that.
    """

    posts: int
    evergreen: int
    cost: float | None
    mean: bool
    quotas: tuple[Quota, ...]
    expiring: tuple[tuple[str, datetime, int], ...]


@router.get("")
def show(request: Request, parts: Parts, person: Viewer, asked: Annotated[Asked, Query()]) -> Response:
    """The page; a script draws month, week and day, and the list needs none."""
    view = asked.view if asked.view in SPANS else "month"
    here = parts.now().astimezone(person.zone)
    today = here.date()
    around = _date(asked.date) or today
    accounts = parts.records.accounts(person.workspace)
    chosen = [a.id for a in accounts if a.id in asked.account]
    first = _first(view, around)
    days = _days(first, SPANS[view], person.zone)
    last = first + timedelta(days=SPANS[view] - 1)
    opened = _opened(parts, person, asked.open) if asked.open else None
    return render.page(
        request,
        "calendar.html",
        view=view,
        around=around,
        first=first,
        last=last,
        today=today,
        offset=here.isoformat()[-6:],
        from_hour=max(here.hour - 1, 0) if first <= today <= last else MORNING,
        before=_step(view, around, -1),
        after=_step(view, around, 1),
        accounts=[(a, views.label_of(a.platform), hue(accounts, a.id)) for a in accounts],
        chosen=chosen,
        listed=_listed(parts, person, days, chosen, accounts) if view == "list" else (),
        opened=opened,
        query=urlencode([("account", a) for a in chosen]),
        empty=not any(parts.deliveries.count(person.workspace).values()),
    )


@router.get("/events")
def events(
    parts: Parts,
    person: Viewer,
    start: str,
    end: str,
    account: Annotated[list[str] | None, Query(max_length=200)] = None,
) -> Response:
    """What the script draws: posts at wall times of the viewer's zone, so that no clock change moves them by hours."""
    first, last = _date(start), _date(end)
    if not first or not last or not 0 < (last - first).days <= DAYS_MOST:
        raise HandbillError("These are no days of a calendar", do=f"Ask for 1 to {DAYS_MOST} of them")
    count = (last - first).days
    days = _days(first, count, person.zone)
    accounts = parts.records.accounts(person.workspace)
    chosen = [a for a in account or [] if a in {x.id for x in accounts}]
    most, lines = DRAWN["day" if count == 1 else "week" if count <= 7 else "month"]
    found, today = _planned(parts, person.workspace, days, most=most, accounts=chosen)
    seen = parts.deliveries.glance(i for _, ids in found for i in ids)
    drawn = []
    for number, (_, ids) in enumerate(found):
        gathered = _gathered([i for i in ids if i in seen], seen, count)
        coming = sum(_rank(line, seen) == 0 for line in gathered)
        drawn.append(gathered[: max(lines, min(coming, TODAY_LINES)) if number == today else lines])
    known = {d.id: d for d in parts.deliveries.several(line[0] for day in drawn for line in day)}
    shown = [
        _event(known[line[0]], accounts, person) | (_many(line, seen, accounts, person) if line[1:] else {})
        for day in drawn
        for line in day
        if line[0] in known
    ]
    left = [total - sum(map(len, day)) for (total, _), day in zip(found, drawn, strict=True)]
    more = {str(first + timedelta(days=n)): many for n, many in enumerate(left) if many}
    mine = [a for a in accounts if a.active and (not chosen or a.id in chosen)][:SLOTS_MOST]
    return JSONResponse(
        {
            "events": shown,
            "more": more,
            "clocks": {str(d): clocks(m) for d, m in schedule.changes(person.zone.key, first, last).items()},
            "slots": list(_slots(parts, mine, days, person.zone)) if count <= 7 else [],
            "quiet": list(_quiet(mine, days, person.zone)) if count <= 7 else [],
            "closed": [str(d) for d in _closed(mine, first, count)],
        },
        headers={render.WORKSPACE: person.workspace},
    )


@router.get("/forecast")
def forecast(
    request: Request,
    parts: Parts,
    person: Viewer,
    *,
    start: str,
    end: str,
    account: Annotated[list[str] | None, Query(max_length=200)] = None,
) -> Response:
    """What the shown days cost and use up."""
    first, last = _date(start), _date(end)
    if not first or not last or not 0 < (last - first).days <= DAYS_MOST:
        raise HandbillError("These are no days of a calendar", do=f"Ask for 1 to {DAYS_MOST} of them")
    days = _days(first, (last - first).days, person.zone)
    accounts = [a for a in parts.records.accounts(person.workspace) if not account or a.id in account]
    return render.page(request, "calendar_forecast.html", forecast=foreseen(parts, person.workspace, accounts, days))


@router.get("/post/{delivery}")
def post(request: Request, parts: Parts, person: Viewer, delivery: str) -> Response:
    """One post, with what may be done about it: what the script opens, and a keyboard moves with."""
    return render.page(request, "calendar_post.html", **_opened(parts, person, delivery))


@router.post("/post/{delivery}/move")
def move(request: Request, parts: Parts, person: Editor, sent: Form, delivery: str) -> Response:
    """Let it go out at another time; the reason of a refusal is said, and nothing has moved then."""
    found = find(parts, person, delivery)
    zone = sent.get("zone") or person.zone.key
    wall = read_wall(sent.get("wall", ""))
    when = schedule.at_wall(wall, zone)
    told = schedule.note(wall, zone)
    if zone != found.zone and not sent.get("zone"):  # dragged: the wall is the viewer's, the plan stays the account's
        when = schedule.at_instant(when.instant, found.zone)
    seen = sent.number("seen")
    moved = edit.move(parts, found.id, when, by=person.user.name, seen=seen)
    there = moved.due.astimezone(person.zone)
    line = f"Moved to {render.day(there)} ({person.zone.key}). {told}".strip()
    if moved.status is Status.AWAITING_APPROVAL:
        line += " It awaits approval."
    elif moved.status is Status.HELD:
        line += f" It is held: {moved.reason}."
    parts.audit.record(person.actor, "moved", moved.id, workspace=person.workspace, detail=f"{moved.wall} {moved.zone}")
    if "text/html" in request.headers.get("accept", ""):
        flash(parts, person, line)
        return RedirectResponse(f"/calendar?view=list&date={there.date()}&open={moved.id}", 303)
    return JSONResponse({"said": line, "status": str(moved.status)})


def find(parts: Runtime, person: Person, delivery: str) -> Delivery:
    """A delivery of the person's workspace; raises NotFound."""
    if delivery.partition(".")[0] != person.workspace:
        raise NotFound(f"There is no delivery {delivery}")
    return parts.deliveries.get(delivery)


def hue(accounts: Sequence[Account], account: str) -> int:
    """The number of an account's colour: neighbours have different ones."""
    return next((n % HUES for n, a in enumerate(accounts) if a.id == account), HUES)


def clocks(minutes: int) -> str:
    """What clocks do on a day."""
    hours = abs(minutes) / 60
    return f"Clocks go {'forward' if minutes > 0 else 'back'} {hours:g} h"


def foreseen(parts: Runtime, workspace: str, accounts: Sequence[Account], days: Sequence[datetime]) -> Forecast:
    """What the posts of these days cost, how full the fullest days are, and which accounts must be connected again."""
    daily = [(a, r) for a in accounts for r in publishers.load(a.platform).budgets if r.seconds >= DAY and not r.app]
    booked = parts.records.booked([a.id for a, _ in daily], days)
    quotas = []
    for account, rate in daily:
        used = max(booked[account.id])
        if used:
            at = days[booked[account.id].index(used)].date()
            most = round(rate.posts * DAY / rate.seconds)
            quotas.append(
                Quota(name=account.name, label=views.label_of(account.platform), most=most, used=used, day=at)
            )
    span = [days[0], days[-1]]
    ((total, _),) = parts.deliveries.planned(workspace, span, most=0, accounts=[a.id for a in accounts])
    priced = [a.id for a in accounts if "price" in vars(publishers.load(a.platform))]
    cost, mean = None, False
    if priced:
        ((count, ids),) = parts.deliveries.planned(workspace, span, most=PRICED_MOST, accounts=priced)
        found = [sum(publishers.load(d.platform).price(s.post) for s in d.steps) for d in parts.deliveries.several(ids)]
        cost = sum(found) * (count / len(found)) if found else 0.0
        mean = count > len(found)
    soon = [min(max(parts.now(), days[0]), days[-1]), min(parts.now() + AHEAD, days[-1])]
    ahead: list[str] = []
    if soon[0] < soon[1]:
        ((_, ahead),) = parts.deliveries.planned(workspace, soon, most=AHEAD_MOST, accounts=[a.id for a in accounts])
    return Forecast(
        posts=total,
        evergreen=len(parts.deliveries.evergreens(ahead)),
        cost=cost,
        mean=mean,
        quotas=tuple(sorted(quotas, key=lambda q: q.used / q.most, reverse=True)),
        expiring=tuple(_expiring(parts, accounts, days[-1])),
    )


def _expiring(parts: Runtime, accounts: Sequence[Account], until: datetime) -> Iterator[tuple[str, datetime, int]]:
    """The accounts whose token nobody but a person can renew any more before the shown days end."""
    for account in accounts:
        standing = parts.renewals.standing(account)
        if standing.ends is not None and standing.ends < until:
            yield f"{views.label_of(account.platform)} {account.name}", standing.ends, standing.outlived


def _opened(parts: Runtime, person: Person, delivery: str) -> dict[str, Any]:
    """What is shown of one post."""
    found = find(parts, person, delivery)
    accounts = {a.id: a for a in parts.records.accounts(person.workspace)}
    account = accounts.get(found.account)
    there = found.due.astimezone(person.zone)
    zones = list(dict.fromkeys([person.zone.key, found.zone, account.zone if account else found.zone]))
    return {
        "post": views.shown(found, account, src=pictures.src(parts.vault, person.workspace), zone=person.zone),
        "row": status.row(found, account, now=parts.now()),
        "delivery": found,
        "at": there,
        "zones": zones,
        "movable": _movable(found, person),
        "seal": approval.seal(found),
        "history": status.opened(parts, found).lines[-3:],
    }


def _movable(delivery: Delivery, person: Person) -> bool:
    return delivery.status in edit.OPEN and delivery.step == 0 and person.may(May.WRITE)


def _event(delivery: Delivery, accounts: Sequence[Account], person: Person) -> dict[str, Any]:
    there = delivery.due.astimezone(person.zone).replace(tzinfo=None)
    post = delivery.says
    account = next((a for a in accounts if a.id == delivery.account), None)
    label = views.label_of(delivery.platform)
    name = account.name if account else delivery.account.partition(".")[2]
    return {
        "id": delivery.id,
        "start": there.isoformat(timespec="minutes"),
        "end": min(there + timedelta(minutes=30), datetime.combine(there.date(), time(23, 59))).isoformat(
            timespec="minutes"
        ),
        "title": post.title or post.text.partition("\n")[0] or "Without words",
        "startEditable": _movable(delivery, person),
        "classNames": [f"hue-{hue(accounts, delivery.account)}", views.TONES[delivery.status]],
        "extendedProps": {
            "at": f"{there:%H:%M}",
            "label": label,
            "name": name,
            "status": f"{delivery.status}, evergreen" if delivery.evergreen else str(delivery.status),
            "evergreen": delivery.evergreen,
            "seen": delivery.fence,
        },
    }


def _planned(
    parts: Runtime, workspace: str, days: Sequence[datetime], *, most: int, accounts: Collection[str]
) -> tuple[list[tuple[int, list[str]]], int | None]:
    """What stands on these days as the store says it, but of today both what was before now and what is after; and
    which of the days is today.
    """
    found = parts.deliveries.planned(workspace, days, most=most, accounts=accounts)
    now = parts.now()
    today = next((n for n, (begin, end) in enumerate(itertools.pairwise(days)) if begin <= now < end), None)
    if today is not None and found[today][0] > len(found[today][1]):
        halves = [days[today], now, days[today + 1]]
        both = parts.deliveries.planned(workspace, halves, most=TODAY_MOST, accounts=accounts)
        found[today] = (sum(total for total, _ in both), [i for _, ids in both for i in ids])
    return found, today


def _rank(line: Sequence[str], seen: Mapping[str, Glance]) -> int:
    """What of a day is shown first: what is still to come, then what is under way or went wrong, then what is over."""
    return min(0 if seen[i].status in COMING else 2 if seen[i].status in OVER else 1 for i in line)


def _gathered(ids: Sequence[str], seen: Mapping[str, Glance], days: int) -> list[list[str]]:
    """A day's posts in the lines in which they are drawn, a month's by article and a week's by time, in the order of
    what is shown first; what is over stands in no line with what is not.
    """
    place = {i: n for n, i in enumerate(ids)}
    alike: dict[object, list[str]] = {}
    for i in ids if days > 1 else ():
        shared = seen[i].due // 60_000 if days <= 7 else seen[i].article or i
        alike.setdefault((shared, seen[i].status in OVER), []).append(i)
    lines = [ids for ids in alike.values() if len(ids) >= TOGETHER]
    lines += [[i] for ids in alike.values() if len(ids) < TOGETHER for i in ids] if days > 1 else [[i] for i in ids]
    return sorted(lines, key=lambda line: (_rank(line, seen), place[line[0]]))


def _many(
    line: Sequence[str], seen: Mapping[str, Glance], accounts: Sequence[Account], person: Person
) -> dict[str, Any]:
    """What is drawn otherwise of posts that stand in one line: how many, whose, and how the worst of them does."""
    names = {a.id: f"{views.label_of(a.platform)} {a.name}" for a in accounts}
    ends = [datetime.fromtimestamp(seen[i].due / 1000, person.zone).strftime("%H:%M") for i in (line[0], line[-1])]
    statuses = sorted(Counter(seen[i].status for i in line).items(), key=lambda s: WORST.index(views.TONES[s[0]]))
    return {
        "id": f"many-{line[0]}",
        "startEditable": False,
        "classNames": ["many", views.TONES[statuses[0][0]]],
        "extendedProps": {
            "at": ends[0],
            "until": ends[1] if ends[1] != ends[0] else "",
            "many": len(line),
            "hues": [hue(accounts, seen[i].account) for i in line],
            "status": ", ".join(f"{n} {s}" for s, n in statuses),
            "each": [f"{names.get(seen[i].account, seen[i].account)}: {seen[i].status}" for i in line],
        },
    }


def _listed(
    parts: Runtime, person: Person, days: Sequence[datetime], chosen: Collection[str], accounts: Sequence[Account]
) -> tuple[Day, ...]:
    found, today = _planned(parts, person.workspace, days, most=LISTED, accounts=chosen)
    if today is not None and len(found[today][1]) > LISTED:
        total, ids = found[today]
        seen = parts.deliveries.glance(ids)
        first = sorted((i for i in ids if i in seen), key=lambda i: _rank([i], seen))[:LISTED]
        found[today] = (total, sorted(first, key=ids.index))
    known = {d.id: d for d in parts.deliveries.several(i for _, ids in found for i in ids)}
    dates = [d.astimezone(person.zone).date() for d in days]
    changes = schedule.changes(person.zone.key, dates[0], dates[-1])
    rows = []
    for day, (total, ids) in zip(dates, found, strict=False):
        entries = tuple(_entry(known[i], accounts, person) for i in ids if i in known)
        rows.append(
            Day(
                date=day,
                entries=entries,
                more=total - len(ids),
                clocks=clocks(changes[day]) if day in changes else "",
            )
        )
    return tuple(rows)


def _entry(delivery: Delivery, accounts: Sequence[Account], person: Person) -> Entry:
    event = _event(delivery, accounts, person)
    return Entry(
        id=delivery.id,
        at=delivery.due.astimezone(person.zone),
        title=event["title"],
        label=event["extendedProps"]["label"],
        name=event["extendedProps"]["name"],
        hue=hue(accounts, delivery.account),
        status=delivery.status,
        tone=views.TONES[delivery.status],
        movable=event["startEditable"],
        evergreen=delivery.evergreen,
    )


def _slots(
    parts: Runtime, accounts: Sequence[Account], days: Sequence[datetime], zone: ZoneInfo
) -> Iterator[dict[str, str]]:
    """The free times of the accounts' calendars, each once."""
    after, until = max(parts.now(), days[0]), days[-1]
    seen = set()
    for account in accounts:
        taken = list(parts.records.taken(account, since=after - DAY_LONG, until=until + DAY_LONG).values())
        free = schedule.slots(account.calendar, zone=account.zone, after=after, taken=taken)
        for when in itertools.takewhile(lambda w: w.instant < until, free):
            if when.instant not in seen:
                seen.add(when.instant)
                yield _span(when.instant.astimezone(zone), 30)


def _quiet(accounts: Sequence[Account], days: Sequence[datetime], zone: ZoneInfo) -> Iterator[dict[str, str]]:
    """The hours in which none of the accounts posts, in halves of an hour put together."""
    if not accounts or not all(a.calendar.quiet for a in accounts):
        return
    begun: datetime | None = None
    at = days[0]
    while at <= days[-1]:
        silent = at < days[-1] and all(schedule.quiet(a.calendar, at, a.zone) for a in accounts)
        if silent and begun is None:
            begun = at
        if begun is not None and (not silent or at.astimezone(zone).time() == time(0)) and at != begun:
            yield {"start": _plain(begun, zone), "end": _plain(at, zone)}
            begun = at if silent else None
        at += timedelta(minutes=30)


def _closed(accounts: Sequence[Account], first: date, count: int) -> Iterator[date]:
    """The days on which none of the accounts posts."""
    for number in range(count):
        day = first + timedelta(days=number)
        if accounts and all(day in a.calendar.blackouts for a in accounts):
            yield day


def _span(at: datetime, minutes: int) -> dict[str, str]:
    plain = at.replace(tzinfo=None)
    return {
        "start": plain.isoformat(timespec="minutes"),
        "end": (plain + timedelta(minutes=minutes)).isoformat(timespec="minutes"),
    }


def _plain(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).replace(tzinfo=None).isoformat(timespec="minutes")


def _days(first: date, count: int, zone: ZoneInfo) -> list[datetime]:
    """The instants at which the days begin in ``zone``, and the end of the last."""
    walls = [datetime.combine(first + timedelta(days=n), time(0), zone) for n in range(count + 1)]
    return [w.astimezone(UTC).astimezone(zone) for w in walls]


def _first(view: str, around: date) -> date:
    """The first day that a view of ``around`` shows; weeks begin on Monday."""
    begin = around.replace(day=1) if view == "month" else around
    return begin - timedelta(days=begin.weekday()) if view in {"month", "week"} else begin


def _step(view: str, around: date, by: int) -> date:
    """A day in the part before or after the one shown."""
    if view == "month":
        middle = around.replace(day=15) + timedelta(days=30 * by)
        return middle.replace(day=1)
    return around + timedelta(days=by * SPANS[view])


def _date(text: str) -> date | None:
    try:
        found = date.fromisoformat(text[:10])
    except ValueError:
        return None
    return found if 1970 < found.year < 9990 else None  # the days around it must be days, too


def read_wall(text: str) -> datetime:
    """A wall time as a form or the script sends it; raises HandbillError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise HandbillError(f"{text!r} is no time", do="Write it like 2027-03-28T09:30") from None
    if found.tzinfo is not None or not 1970 < found.year < 9990:
        raise HTTPException(422, "The time is a wall time of a zone, without an offset.")
    return found.replace(second=0, microsecond=0)
