"""The numbers page and its API: what readers did with posts, with plots, and how sure any difference is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse, Response

import publishers
from web import listing, render, views
from web.access import Admin, Form, Owner, Parts, Person, Reader, Viewer, flash
from web.api import NOT_NOW, NOT_THERE, REFUSALS
from web.replay import Remembered
from worker import numbers
from worker.analytics import SERVICES
from worker.errors import HandbillError
from worker.numbers import BestTime, Told
from worker.pipeline.numbers import pairs, report, report_to
from worker.runtime import Runtime
from worker.shortener import OWN
from worker.store.counters import Counter

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DAYS_MOST = 400

router = APIRouter(prefix="/numbers", include_in_schema=False)
api = APIRouter(prefix="/api/v1/numbers", tags=["numbers"], responses=REFUSALS, route_class=Remembered)

Days = Annotated[int, Query(ge=1, le=DAYS_MOST)]


class NumbersOut(BaseModel):
    """What readers did with one post, ``minutes`` after it went out; null where the platform does not say.

    ``design`` is how its picture was made, empty without one.
    """

    delivery: str
    article: str
    account: str
    sent_at: str
    minutes: int
    likes: int | None
    shares: int | None
    replies: int | None
    views: int | None
    clicks: int | None
    evergreen: bool
    variant: int
    design: str


class HourOut(BaseModel):
    """An hour of an account's day: what one may expect of the next post, and where that lies with 95 %."""

    hour: int
    posts: int
    mean: float
    low: float
    high: float


class BestOut(BaseModel):
    """The hour that did best, and whether that is more than chance."""

    account: str
    hour: int | None
    sure: bool
    words: str
    hours: list[HourOut]


class Numbers(BaseModel):
    """The posts that have numbers, the latest first, and the best time of each account."""

    posts: list[NumbersOut]
    best: list[BestOut]


class Report(BaseModel):
    """Where the weekly report goes (the id of an account, "" = nowhere), and when; ``weekday`` 0 is Monday."""

    model_config = ConfigDict(extra="forbid")

    account: Annotated[str, Field(max_length=200)] = ""
    weekday: Annotated[int, Field(ge=0, le=6)] = 0


@router.get("")
def show(request: Request, parts: Parts, person: Viewer, days: str = "", account: str = "") -> Response:
    """What readers did in the last days, of all accounts or of one; ``days`` that are none are ninety."""
    count = listing.read_days(days, 90, DAYS_MOST)
    accounts = {a.id: a for a in parts.records.accounts(person.workspace)}
    told = [
        t
        for t in parts.numbers.posts(person.workspace, since=parts.now() - timedelta(days=count))
        if account in {"", t.account}
    ]
    titles = parts.records.titles({t.article for t in told})
    names = {a.id: f"{views.label_of(a.platform)} {a.name}" for a in accounts.values()}
    plots: list[tuple[str, Callable[[Told], Iterable[str]]]] = [
        ("By account", lambda t: [names.get(t.account, t.account)]),
        ("By hour", lambda t: [f"{t.hour:02}:00"]),
        ("By weekday", lambda t: [WEEKDAYS[t.weekday]]),
        ("By hashtag", lambda t: [f"#{tag}" for tag in t.hashtags]),
        ("By variant", lambda t: [f"variant {t.variant + 1}{' (evergreen)' if t.evergreen else ''}"]),
        ("By card design", lambda t: [t.design or numbers.NO_PICTURE]),
        ("By article", lambda t: [titles.get(t.article, t.article)]),
    ]
    return render.page(
        request,
        "numbers.html",
        told=told,
        days=count,
        account=account,
        names=names,
        titles=titles,
        plots=[(title, numbers.bars(numbers.groups(told, key))) for title, key in plots if told],
        best=[(names.get(a, a), _best(parts, a)) for a in sorted({t.account for t in told})],
        verdicts=_verdicts(told),
        reporting=parts.aftercare.reporting(person.workspace),
        inside=[a for a in accounts.values() if publishers.load(a.platform).inside(a.settings)],
        weekdays=WEEKDAYS,
        preview=report(parts, person.workspace, days=7) if told else "",
        counters=[(c, SERVICES[c.kind].label, parts.clicks.unmarked(c)) for c in _counters(parts, person)],
        services=SERVICES.values(),
        own_links=parts.settings.shortener == OWN,
    )


@router.post("/report")
def weekly(parts: Parts, person: Owner, sent: Form) -> Response:
    """Say which account the weekly report goes to, and when."""
    weekday = sent.number("weekday")
    if weekday is None or weekday > 6:
        raise HandbillError("This is no weekday", do="Choose one")
    account = report_to(parts, person.workspace, sent.get("account", ""), weekday)
    parts.audit.record(person.actor, "weekly report set", account, workspace=person.workspace)
    flash(parts, person, "The weekly report goes out from now on." if account else "No weekly report goes out.")
    return RedirectResponse("/numbers", 303)


@api.get("")
def tell(parts: Parts, caller: Reader, days: Days = 90) -> Numbers:
    """What readers did with the posts of the last days, and the best times with how sure they are."""
    told = parts.numbers.posts(caller.workspace, since=parts.now() - timedelta(days=days))
    best = []
    for name in sorted({t.account for t in told}):
        found = parts.numbers.best_time(name)
        best.append(
            BestOut(
                account=name,
                hour=found.hour,
                sure=bool(found.verdict and found.verdict.sure),
                words=found.verdict.words if found.verdict else "too few posts to compare",
                hours=[HourOut(hour=h.hour, posts=h.count, mean=h.mean, low=h.low, high=h.high) for h in found.hours],
            )
        )
    return Numbers(posts=[_out(t) for t in told], best=best)


@api.get("/report")
def get_report(parts: Parts, caller: Reader) -> Report:
    """Which account the weekly report goes to, and on which weekday."""
    account, weekday = parts.aftercare.reporting(caller.workspace) or ("", 0)
    return Report(account=account, weekday=weekday)


@api.put("/report", responses=NOT_THERE | NOT_NOW)
def set_report(parts: Parts, caller: Admin, wanted: Report) -> Report:
    """Send the weekly report to an account that a team reads; "" sends none."""
    account = report_to(parts, caller.workspace, wanted.account, wanted.weekday)
    parts.audit.record(caller.actor, "weekly report set", account, workspace=caller.workspace)
    return Report(account=account, weekday=wanted.weekday)


def _counters(parts: Runtime, person: Person) -> list[Counter]:
    """The services that are connected, for whom they concern."""
    return [c for c in parts.counters.listed(person.workspace) if c.kind in SERVICES] if person.may("rule") else []


def _best(parts: Runtime, account: str) -> BestTime:
    return parts.numbers.best_time(account)


def _verdicts(told: Sequence[Told]) -> list[str]:
    """The first share of articles against each later one, all looked at together."""
    grown = [t for t in told if t.ripe]
    first, *later = pairs(grown) or [("", [])]
    return [
        f"{name} against {first[0]}: {numbers.compare(name, values, first[0], first[1], tests=len(later)).words}"
        for name, values in later
    ]


def _out(told: Told) -> NumbersOut:
    counts = {name: getattr(told.sample, name) for name in numbers.NAMES}
    return NumbersOut(
        delivery=told.delivery,
        article=told.article,
        account=told.account,
        sent_at=told.sent.isoformat(),
        minutes=told.sample.minutes,
        evergreen=told.evergreen,
        variant=told.variant,
        design=told.design,
        **counts,
    )
