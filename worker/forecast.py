"""What the coming days bring: which post goes out when, what it costs, and what stands in its way."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import publishers
from publishers.core.publisher import Budget
from worker import schedule
from worker.model import Account, Delivery, Status, Step, StepKind

if TYPE_CHECKING:
    from worker.runtime import Runtime

A_DAY_MOST = 500
DAYS_MOST = 62
LOOK_BACK = timedelta(days=1)
GOES = frozenset({Status.SCHEDULED, Status.UNCONFIRMED, Status.PREPARING, Status.PUBLISHING})
WAITS = frozenset({Status.DRAFT, Status.AWAITING_APPROVAL, Status.HELD, Status.AWAITING_PERSON})
CHANGES = frozenset({StepKind.EDIT, StepKind.DELETE})
SENT = frozenset({Status.PUBLISHED, Status.EDITED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """One post that is planned: ``due`` as it was planned, ``at`` when it can go (None: somebody must act first).

    ``note`` is said of what readers may see already: it is not late, and what was sent of it costs nothing more.
    """

    delivery: str
    article: str
    account: str
    status: Status
    due: datetime
    at: datetime | None
    cost: float
    evergreen: str
    warnings: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """How full the fullest window of an account is, of what its platform takes in it; ``seconds`` long."""

    account: str
    most: int
    seconds: float
    used: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The coming days: the posts in their order, quotas that fill, US dollars by account, tokens that end, clock
    changes by zone in minutes, and days on which an account posts nothing.
    """

    begin: datetime
    end: datetime
    coming: tuple[Coming, ...]
    quotas: tuple[Quota, ...]
    costs: Mapping[str, float]
    ending: Mapping[str, datetime]
    clocks: Mapping[str, Mapping[date, int]]
    empty: Mapping[str, tuple[date, ...]]

    @property
    def cost(self) -> float:
        """What all of it costs, in US dollars."""
        return sum(self.costs.values())

    @property
    def warned(self) -> tuple[Coming, ...]:
        """The posts that something stands in the way of."""
        return tuple(c for c in self.coming if c.warnings)


def foresee(parts: Runtime, workspace: str, days: int) -> Forecast:
    """The coming ``days``, as the calendar, the platforms' rates and the accounts' tokens have it now."""
    begin = parts.now()
    end = begin + timedelta(days=days)
    bounds = [begin - LOOK_BACK + timedelta(days=n) for n in range(days + 2)]
    found = parts.deliveries.planned(workspace, bounds, most=A_DAY_MOST)
    posts = sorted(parts.deliveries.several(i for _, names in found for i in names), key=lambda d: (d.due, d.id))
    accounts = {a.id: a for a in parts.records.accounts(workspace)}
    ending = {a.id: e for a in accounts.values() if (e := parts.renewals.standing(a).ends) is not None and e < end}
    paused = parts.deliveries.paused()
    sends: dict[str, list[datetime]] = defaultdict(list)
    coming: list[Coming] = []
    costs: dict[str, float] = defaultdict(float)
    for post in posts:
        account = accounts.get(post.account)
        if post.status in SENT:
            sends[post.account].append(post.steps[0].at or post.due)
        if account is None or post.due < begin - LOOK_BACK or post.status not in GOES | WAITS:
            continue
        at = None if post.status in WAITS else post.due
        if at is not None and not _sent(post):
            at = next_free(post.due, sends[post.account], _budgets(account))
        note, left = _sent(post), _left(post)
        if at is not None:
            sends[post.account].extend(s.at or post.due for s in post.steps if s not in left and s.kind not in CHANGES)
            sends[post.account].extend([at] * len(left))
        cost = sum(publishers.load(post.platform).price(s.post) for s in left)
        costs[post.account] += cost
        there = GOES | WAITS | SENT
        others = [p.due for p in posts if p.account == post.account and p.id != post.id and p.status in there]
        told: dict[str, Any] = {"at": at, "begin": begin, "others": others, "end": ending.get(account.id)}
        looked_for = post.status is Status.UNCONFIRMED
        warnings = [] if looked_for else [*_warnings(post, account, **told, sent=bool(note)), *_stopped(post, paused)]
        coming.append(
            Coming(
                delivery=post.id,
                article=post.article,
                account=post.account,
                status=post.status,
                due=post.due,
                at=at,
                cost=cost,
                evergreen=post.evergreen,
                warnings=tuple(warnings),
                note=note,
            )
        )
    zones = {a.zone for a in accounts.values()}
    changing = {z: schedule.changes(z, begin.date(), end.date() + timedelta(days=1)) for z in sorted(zones)}
    return Forecast(
        begin=begin,
        end=end,
        coming=tuple(coming),
        quotas=tuple(_quotas(accounts, sends, begin)),
        costs={a: c for a, c in costs.items() if c},
        ending=ending,
        clocks={z: c for z, c in changing.items() if c},
        empty={a.id: days_ for a in accounts.values() if a.active and (days_ := _empty(a, coming, begin, end))},
    )


def next_free(due: datetime, sends: Sequence[datetime], budgets: Sequence[Budget]) -> datetime:
    """When a post that is due can be sent within the platform's rates, given what is sent before it."""
    at = due
    for _ in range(len(sends) + 1):
        wait = at
        for budget in budgets:
            span = timedelta(seconds=budget.seconds)
            within = sorted(t for t in sends if at - span < t <= at)
            if len(within) >= budget.posts:
                wait = max(wait, within[-budget.posts] + span)
        if wait == at:
            return at
        at = wait
    return at


def _sent(post: Delivery) -> str:
    """What is said of a post that readers may see already; empty if it is still to be sent."""
    if post.status is Status.UNCONFIRMED:
        return "it was sent and no answer came: it is looked for before anything is sent again"
    return "it is public; this is a change of it" if post.current.kind in CHANGES else ""


def _left(post: Delivery) -> tuple[Step, ...]:
    """What is still to be sent of it; changes of what is public are none of that."""
    first = post.step + (post.status is Status.UNCONFIRMED)
    return tuple(s for s in post.steps[first:] if s.kind not in CHANGES)


def _budgets(account: Account) -> tuple[Budget, ...]:
    return publishers.load(account.platform).budgets


def _warnings(
    post: Delivery,
    account: Account,
    *,
    at: datetime | None,
    begin: datetime,
    others: Sequence[datetime],
    end: datetime | None,
    sent: bool,
) -> Iterator[str]:
    if post.status in WAITS:
        yield f"it is {post.status}: it does not go out by itself"
    if at is not None and at > post.due:
        yield f"the platform's rate lets it go at {at.astimezone(schedule.zone_of(account.zone)):%Y-%m-%d %H:%M} only"
    if post.due < begin and post.status in GOES and not sent:
        yield "it is late"
    if end is not None and end <= (at or post.due):
        yield f"the account's token ends before, on {end:%Y-%m-%d %H:%M} UTC: connect it again"
    if not account.active:
        yield "its account is turned off"
    if sent:
        return
    gap = timedelta(minutes=account.calendar.gap or 1)
    if near := [o for o in others if abs(o - post.due) < gap]:
        yield f"{len(near)} more of this account {'is' if len(near) == 1 else 'are'} due within {gap.seconds // 60} min"
    if schedule.quiet(account.calendar, post.due, account.zone):
        yield "it is due in the quiet hours"
    wall = post.due.astimezone(schedule.zone_of(post.zone)).replace(tzinfo=None)
    if post.wall and (note := schedule.note(wall, post.zone)):
        yield note.rstrip(".")


def _stopped(post: Delivery, paused: Mapping[str, tuple[datetime | None, str]]) -> Iterator[str]:
    own = (f"{kind}:{post.account}" for kind in ("account", "limit", "connect"))
    for scope in ("all", f"workspace:{post.workspace}", *own):
        if scope in paused:
            until, why = paused[scope]
            if until is None or until > post.due:
                yield f"paused: {why}"


def _quotas(accounts: Mapping[str, Account], sends: Mapping[str, list[datetime]], begin: datetime) -> Iterator[Quota]:
    for name, unsorted in sends.items():
        if name not in accounts:
            continue
        times = sorted(unsorted)
        for budget in _budgets(accounts[name]):
            if budget.app:
                continue
            span = timedelta(seconds=budget.seconds)
            full = [(sum(t <= s < t + span for s in times), t) for t in times if t + span > begin]
            if full:
                used, at = max(full, key=lambda pair: (pair[0], -pair[1].timestamp()))
                yield Quota(account=name, most=budget.posts, seconds=budget.seconds, used=used, at=at.astimezone(UTC))


def _empty(account: Account, coming: Sequence[Coming], begin: datetime, end: datetime) -> tuple[date, ...]:
    """The days that have slots in the account's calendar and no post."""
    zone = schedule.zone_of(account.zone)
    first, last = begin.astimezone(zone).date(), end.astimezone(zone).date()
    taken = {(c.at or c.due).astimezone(zone).date() for c in coming if c.account == account.id}
    days = (first + timedelta(days=n) for n in range((last - first).days))
    wanted = (d for d in days if account.calendar.on(d.weekday()) and d not in account.calendar.blackouts)
    return tuple(itertools.filterfalse(taken.__contains__, wanted))
