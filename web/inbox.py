"""The inbox: articles as they arrive, what was made of each, and what would be posted where and when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import RedirectResponse, Response

from web import calendar, listing, render, status, views
from web.access import Editor, Form, Parts, Person, Viewer, flash
from worker import lifecycle
from worker.errors import HandbillError, NotFound, Refused
from worker.intake.model import Fate
from worker.model import Account, Article, Content
from worker.pipeline import edit
from worker.runtime import Runtime

SHELVES = ("new", "planned", "skipped", "all")
ARTICLES = 20
FATES = (Fate.HELD, Fate.FAILED, Fate.SKIPPED, Fate.DUPLICATE)
ITEMS = 8
THUMB = (400, 210)
BULK_MOST = 100
DECISIONS = {"accept": "accepted", "edit": "drafted", "skip": "skipped", "back": "brought back"}
"""What may be decided about an article, and how the audit log calls it."""

router = APIRouter(prefix="/inbox", include_in_schema=False)


class Asked(BaseModel):
    """Which articles: a shelf, from a place on."""

    show: str = "new"
    cursor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and when an article would be posted if it were accepted now; ``at`` None: there is no free time.

    One that gets a ``digest`` gets an article by itself only if its source names it.
    """

    label: str
    name: str
    hue: int
    at: datetime | None
    waits: bool
    digest: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One article: its kit, and the posts that were planned of it with the numbers of their accounts' colours.

    ``only`` is where it would go if it is not planned and its source names other accounts than all; ``waits`` whether
    its source lets its posts wait for approval, ``gone`` why it is not there any more, ``over`` what became of its
    posts if none of them is left.
    """

    article: Article
    content: Content
    host: str
    arrived: datetime
    age: timedelta
    posts: tuple[tuple[status.Row, int], ...]
    only: tuple[Place, ...]
    waits: bool
    gone: str
    over: str


@router.get("")
def show(request: Request, parts: Parts, person: Viewer, asked: Annotated[Asked, Query()]) -> Response:
    """The articles of a shelf, the latest first."""
    if asked.show not in SHELVES:
        asked = Asked()
    after = listing.read_cursor(asked.cursor)
    rows = parts.records.arrived(person.workspace, asked.show, most=ARTICLES + 1, before=after)
    shown = rows[:ARTICLES]
    accounts = parts.records.accounts(person.workspace)
    places = _places(parts, person, accounts) if asked.show in {"new", "all"} else {}
    letters = _letters(parts, person, shown, accounts, places)
    return render.page(
        request,
        "inbox.html",
        show=asked.show,
        counts=parts.records.shelves(person.workspace),
        letters=letters,
        named=sum(bool(x.only) for x in letters),
        places=tuple(p for p in places.values() if not p.digest)
        if any(not x.posts and not x.only for x in letters)
        else (),
        fates=parts.sources.count(person.workspace),
        items=_items(parts, person),
        cursor=asked.cursor,
        following=listing.write_cursor(shown[-1]) if len(rows) > ARTICLES else "",
        accounts=len(accounts),
        changed=status.changed(parts, person.workspace),
        followed=len(parts.sources.all(person.workspace)) if not rows else 0,
    )


@router.post("")
def decide(parts: Parts, person: Editor, sent: Form) -> Response:
    """Accept, edit or skip one article, or all that were ticked; what cannot be done is said and left as it was."""
    one = next((name for name in DECISIONS if name in sent), "")
    what = one or sent.get("do", "")
    if what not in DECISIONS:
        raise NotFound(f"There is no decision {what}")
    chosen = [sent[one]] if one else sent.every("article")[:BULK_MOST]
    if not chosen:
        raise HandbillError("No article is ticked", do="Tick the ones you mean, then repeat")
    done, refused = 0, []
    for article in chosen:
        if article.partition(".")[0] != person.workspace:
            raise NotFound(f"There is no article {article}")
        try:
            _do(parts, person, what, article)
            done += 1
        except HandbillError as error:
            refused.append(str(error))
    if refused and not done:
        raise Refused(refused[0].rstrip("."))
    if what == "edit":
        return RedirectResponse(f"/compose/{chosen[0]}", 303)
    line = f"{done} {'article' if done == 1 else 'articles'} {DECISIONS[what]}."
    if refused:
        line += f" {len(refused)} could not be: {refused[0]}"
    flash(parts, person, line, "warn" if refused else "good")
    kept = sent.get("show", "new")
    return RedirectResponse(f"/inbox?show={kept if kept in SHELVES else 'new'}", 303)


@router.get("/{article}/card")
def card(parts: Parts, person: Viewer, article: str) -> Response:
    """The card that suits an article, small."""
    if article.partition(".")[0] != person.workspace:
        raise NotFound(f"There is no article {article}")
    found, content = parts.records.article(article)
    made = parts.planner.studio.card(found, content, design="", size=THUMB, mime="image/webp", brand="")
    return Response(made.content, media_type=made.mime, headers={"Cache-Control": "private, max-age=3600"})


def _do(parts: Runtime, person: Person, what: str, article: str) -> None:
    """One decision about one article."""
    match what:
        case "accept" | "edit":
            found, _ = parts.records.article(article)
            accounts, waits = parts.reader.targets(found)
            edit.accept(parts, article, accounts, approve=waits, draft=what == "edit")
        case "skip":
            edit.skip(parts, article)
        case _:
            edit.bring_back(parts, article)
    parts.audit.record(person.actor, f"article {DECISIONS[what]}", article, workspace=person.workspace)


def _letters(
    parts: Runtime,
    person: Person,
    rows: Sequence[tuple[datetime, str]],
    accounts: Sequence[Account],
    places: Mapping[str, Place],
) -> list[Letter]:
    found = parts.records.articles(a for _, a in rows)
    ids = parts.records.deliveries_of_many(list(found))
    posts = {d.id: d for d in parts.deliveries.several(i for many in ids.values() for i in many)}
    known = {a.id: a for a in accounts}
    sent = parts.reader.destinations([article for article, _ in found.values()]) if places and found else {}
    gone = parts.aftercare.gone(person.workspace)
    now, usual = parts.now(), {a for a, p in places.items() if not p.digest}
    letters = []
    for arrived, name in rows:
        if name not in found:
            continue
        article, content = found[name]
        there = [posts[i] for i in ids[name] if i in posts and posts[i].status not in lifecycle.GONE]
        over = dict.fromkeys(str(posts[i].status) for i in ids[name] if i in posts and not there)
        shown = sorted(there, key=lambda d: (d.due, d.id))
        named, waits = ((), False) if shown or not places else sent.get(name, ((), False))
        only = tuple(p for a, p in places.items() if a in named) if named and set(named) != usual else ()
        letters.append(
            Letter(
                article=article,
                content=content,
                host=views.host_of(article.url),
                arrived=arrived.astimezone(person.zone),
                age=now - arrived,
                posts=tuple(
                    (status.row(d, known.get(d.account), now=now), calendar.hue(accounts, d.account)) for d in shown
                ),
                only=only,
                waits=waits,
                gone=gone.get(name, ""),
                over=" and ".join(over),
            )
        )
    return letters


def _places(parts: Runtime, person: Person, accounts: Sequence[Account]) -> dict[str, Place]:
    """Where an article that is accepted now would go, and when, by account."""
    places = {}
    for account in accounts:
        if not account.active:
            continue
        try:
            at = edit.next_slot(parts, account).instant.astimezone(person.zone)
        except HandbillError:
            at = None
        places[account.id] = Place(
            label=views.label_of(account.platform),
            name=account.name,
            hue=calendar.hue(accounts, account.id),
            at=at,
            waits=parts.records.needs_approval(account),
            digest=account.digest is not None,
        )
    return places


def _items(parts: Runtime, person: Person) -> Iterable[object]:
    """What sources brought lately that became no article, and why."""
    rows = parts.sources.latest(person.workspace, FATES, most=ITEMS)
    return parts.sources.items(i for _, i in rows)
