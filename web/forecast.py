"""The forecast page and its API: the coming days as the calendar, the rates and the tokens have them."""

from __future__ import annotations

import itertools
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from web import listing, render, views
from web.access import Parts, Reader, Viewer
from web.api import REFUSALS
from web.replay import Remembered
from worker.forecast import DAYS_MOST, foresee
from worker.model import Status

router = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api/v1/forecast/posts", tags=["forecast"], responses=REFUSALS, route_class=Remembered)

Days = Annotated[int, Query(ge=1, le=DAYS_MOST)]


class ComingOut(BaseModel):
    """One planned post: ``at`` is when it can go, null if somebody must act first; ``cost`` in US dollars.

    ``note`` is said of what readers may see already, which is not late and costs nothing more.
    """

    delivery: str
    article: str
    account: str
    status: Status
    due: str
    at: str | None
    cost: float
    evergreen: str
    warnings: list[str]
    note: str


class QuotaOut(BaseModel):
    """How full the fullest window of an account is."""

    account: str
    most: int
    seconds: float
    used: int
    at: str


class ForecastOut(BaseModel):
    """The coming days; ``ending`` are accounts whose token ends, ``clocks`` minutes by zone and day, ``empty`` days
    with slots and no post.
    """

    begin: str
    end: str
    posts: list[ComingOut]
    cost: float
    costs: dict[str, float]
    quotas: list[QuotaOut]
    ending: dict[str, str]
    clocks: dict[str, dict[str, int]]
    empty: dict[str, list[str]]


@router.get("/forecast")
def show(request: Request, parts: Parts, person: Viewer, days: str = "") -> Response:
    """The coming days, day by day; ``days`` that are none are a week."""
    count = listing.read_days(days, 7, DAYS_MOST)
    seen = foresee(parts, person.workspace, count)
    grouped = [
        (day, list(rows))
        for day, rows in itertools.groupby(seen.coming, key=lambda c: (c.at or c.due).astimezone(person.zone).date())
    ]
    return render.page(
        request,
        "forecast.html",
        seen=seen,
        days=count,
        busy={c.account for c in seen.coming},
        grouped=sorted(grouped, key=lambda pair: pair[0]),
        quotas=sorted((q for q in seen.quotas if q.used * 4 >= q.most), key=lambda q: -q.used / q.most),
        accounts={a.id: a for a in parts.records.accounts(person.workspace)},
        titles=parts.records.titles({c.article for c in seen.coming}),
        label_of=views.label_of,
        tones=views.TONES,
    )


@api.get("")
def told(parts: Parts, caller: Reader, days: Days = 7) -> ForecastOut:
    """What goes out when in the coming days, what it costs, and what stands in its way."""
    seen = foresee(parts, caller.workspace, days)
    posts = [
        ComingOut(
            delivery=c.delivery,
            article=c.article,
            account=c.account,
            status=c.status,
            due=c.due.isoformat(),
            at=c.at.isoformat() if c.at else None,
            cost=round(c.cost, 4),
            evergreen=c.evergreen,
            warnings=list(c.warnings),
            note=c.note,
        )
        for c in seen.coming
    ]
    quotas = [
        QuotaOut(account=q.account, most=q.most, seconds=q.seconds, used=q.used, at=q.at.isoformat())
        for q in seen.quotas
    ]
    clocks: dict[str, Any] = {z: {str(d): m for d, m in c.items()} for z, c in seen.clocks.items()}
    return ForecastOut(
        begin=seen.begin.isoformat(),
        end=seen.end.isoformat(),
        posts=posts,
        cost=round(seen.cost, 4),
        costs={a: round(c, 4) for a, c in seen.costs.items()},
        quotas=quotas,
        ending={a: e.isoformat() for a, e in seen.ending.items()},
        clocks=clocks,
        empty={a: [str(d) for d in days_] for a, days_ in seen.empty.items()},
    )
