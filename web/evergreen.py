"""The evergreen page and its API: the rules by which older articles go out again, and what they planned."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse, Response

import publishers
from web import render, versions, views
from web import status as rows
from web.access import Caller, Editor, Form, Parts, Person, Reader, Sent, Viewer, Writer, flash
from web.api import CHANGED, NOT_THERE, REFUSALS
from web.replay import Remembered
from web.versions import IfMatch
from worker.errors import HandbillError, NotFound
from worker.evergreen import Rule, checked
from worker.model import Delivery, Status
from worker.pipeline.evergreen import AHEAD
from worker.runtime import Runtime

PLANNED_MOST = 200
READ_MOST = 2000
NUMBERS = ("after", "every", "times", "weekly", "oldest", "window")

router = APIRouter(prefix="/evergreen", include_in_schema=False)
api = APIRouter(prefix="/api/v1/evergreen", tags=["evergreen"], responses=REFUSALS | NOT_THERE, route_class=Remembered)


class RuleIn(BaseModel):
    """When articles of a host go out again on an account; days throughout, "" and [] mean any."""

    model_config = ConfigDict(extra="forbid")

    source: Annotated[str, Field(max_length=253)] = ""
    account: Annotated[str, Field(max_length=200)] = ""
    after: Annotated[int, Field(ge=1, le=3650)] = 30
    every: Annotated[int, Field(ge=1, le=3650)] = 60
    times: Annotated[int, Field(ge=1, le=50)] = 3
    weekly: Annotated[int, Field(ge=1, le=100)] = 3
    oldest: Annotated[int, Field(ge=0, le=36_500)] = 365
    window: Annotated[int, Field(ge=1, le=365)] = 90
    season: Annotated[list[str], Field(max_length=20)] = []
    until: date | None = None
    active: bool = True


class RuleOut(RuleIn):
    """A rule by its name."""

    name: str


class Rules(BaseModel):
    """The rules, and the articles that are shared no more with the reason of each."""

    rules: list[RuleOut]
    stopped: dict[str, str]


class Planned(BaseModel):
    """What the rules have planned."""

    deliveries: list[str]


@router.get("")
def show(request: Request, parts: Parts, person: Viewer, name: str = "") -> Response:
    """The rules, what they planned, and the form of the one that is open."""
    return _page(request, parts, person, name)


@router.post("")
def save(request: Request, parts: Parts, person: Editor, sent: Form) -> Response:
    """Keep a rule; what it plans is planned within the hour."""
    try:
        rule = _read(parts, person, sent)
    except HandbillError as error:
        return _page(request, parts, person, sent.get("was", ""), typed=sent, refused=str(error))
    parts.aftercare.save_rule(rule)
    back = parts.evergreens.take_back(person.workspace)
    parts.audit.record(person.actor, "evergreen rule kept", rule.name, workspace=person.workspace)
    gone = f" {len(back)} planned before {'was' if len(back) == 1 else 'were'} taken back." if back else ""
    flash(parts, person, f"{rule.name} is kept.{gone}")
    return RedirectResponse("/evergreen", 303)


@router.post("/plan")
def plan(parts: Parts, person: Editor, sent: Form) -> Response:
    """Apply the rules now."""
    del sent
    planned = parts.evergreens.sweep(person.workspace, force=True)
    parts.audit.record(person.actor, "evergreen rules applied", "", workspace=person.workspace)
    count = len(planned)
    flash(parts, person, f"{count} {'share' if count == 1 else 'shares'} planned." if count else "Nothing to plan now.")
    return RedirectResponse("/evergreen", 303)


@router.post("/remove")
def remove(parts: Parts, person: Editor, sent: Form) -> Response:
    """Forget a rule; what it planned and is not out yet is taken back."""
    name = sent.get("name", "")
    parts.aftercare.remove_rule(person.workspace, name)
    back = parts.evergreens.take_back(person.workspace)
    parts.audit.record(person.actor, "evergreen rule removed", name, workspace=person.workspace)
    flash(parts, person, f"{name} is removed." + (f" {len(back)} planned by it taken back." if back else ""))
    return RedirectResponse("/evergreen", 303)


@router.post("/stop")
def stop(parts: Parts, person: Editor, sent: Form) -> Response:
    """Share an article no more, or let it be shared again."""
    article = sent.get("article", "")
    _own(parts, person.workspace, article)
    if sent.get("allow"):
        parts.aftercare.allow(article)
        parts.audit.record(person.actor, "article may be shared again", article, workspace=person.workspace)
    else:
        parts.aftercare.stop(article, f"stopped by {person.user.name}")
        parts.evergreens.take_back(person.workspace)
        parts.audit.record(person.actor, "article not shared again", article, workspace=person.workspace)
    return RedirectResponse("/evergreen", 303)


@api.get("")
def list_rules(parts: Parts, caller: Reader) -> Rules:
    """The rules, and the articles that are shared no more."""
    rules = parts.aftercare.rules(caller.workspace)
    return Rules(rules=[_out(r) for r in rules], stopped=parts.aftercare.stopped(caller.workspace))


@api.get("/{rule}")
def get_rule(parts: Parts, caller: Reader, response: Response, rule: str) -> RuleOut:
    """One rule; its ETag is what edits may name in If-Match."""
    found = parts.aftercare.rule(caller.workspace, rule)
    response.headers["ETag"] = versions.tag(found)
    return _out(found)


@api.post("/plan")
def plan_now(parts: Parts, caller: Writer) -> Planned:
    """Apply the rules now; the deliveries that are planned by it."""
    planned = parts.evergreens.sweep(caller.workspace, force=True)
    parts.audit.record(caller.actor, "evergreen rules applied", "", workspace=caller.workspace)
    return Planned(deliveries=[d.id for d in planned])


@api.put("/{rule}", responses={412: CHANGED[412]})
def put_rule(
    parts: Parts, caller: Writer, response: Response, rule: str, *, body: RuleIn, if_match: IfMatch = ""
) -> RuleOut:
    """Keep a rule, in place of the one of that name."""
    account = _account(parts, body.account, caller.workspace)
    told: dict[str, Any] = body.model_dump() | {"account": account, "season": tuple(body.season)}
    kept = checked(Rule(name=rule, workspace=caller.workspace, **told))

    def changed(now: Rule | None) -> Rule:
        versions.seen(versions.tag(now) if now else "", if_match, rule)
        return kept

    parts.aftercare.change_rule(caller.workspace, kept.name, changed)
    parts.evergreens.take_back(caller.workspace)
    parts.audit.record(caller.actor, "evergreen rule kept", rule, workspace=caller.workspace)
    response.headers["ETag"] = versions.tag(kept)
    return _out(kept)


@api.delete("/{rule}", status_code=204)
def delete_rule(parts: Parts, caller: Writer, rule: str) -> None:
    """Forget a rule; what it planned and is not out yet is cancelled."""
    parts.aftercare.remove_rule(caller.workspace, rule)
    parts.evergreens.take_back(caller.workspace)
    parts.audit.record(caller.actor, "evergreen rule removed", rule, workspace=caller.workspace)


@api.put("/stopped/{article}", status_code=204)
def stop_article(parts: Parts, caller: Writer, article: str) -> None:
    """Share an article no more; what rules planned of it is cancelled."""
    _own(parts, caller.workspace, article)
    parts.aftercare.stop(article, _signed(caller))
    parts.evergreens.take_back(caller.workspace)
    parts.audit.record(caller.actor, "article not shared again", article, workspace=caller.workspace)


@api.delete("/stopped/{article}", status_code=204)
def allow_article(parts: Parts, caller: Writer, article: str) -> None:
    """Let rules share an article again that was stopped."""
    _own(parts, caller.workspace, article)
    parts.aftercare.allow(article)
    parts.audit.record(caller.actor, "article may be shared again", article, workspace=caller.workspace)


def _signed(caller: Caller) -> str:
    return f"stopped by {caller.actor.name or caller.actor.id}"


def _own(parts: Runtime, workspace: str, article: str) -> None:
    """Raise NotFound unless the article is the workspace's."""
    if article.partition(".")[0] != workspace:
        raise NotFound(f"There is no article {article}")
    parts.records.article(article)


def _account(parts: Runtime, name: str, workspace: str) -> str:
    """The id of the workspace's account of that name, "" for none; raises NotFound."""
    return parts.accounts.own(name, workspace).id if name else ""


def _out(rule: Rule) -> RuleOut:
    fields = {name: getattr(rule, name) for name in RuleOut.model_fields}
    return RuleOut(**fields | {"season": list(rule.season)})


def _read(parts: Runtime, person: Person, sent: Sent) -> Rule:
    """The rule that the form describes; raises HandbillError."""
    numbers: dict[str, int] = {}
    for name in NUMBERS:
        text = sent.get(name, "").strip()
        if not text.isdecimal() or len(text) > 6:
            raise HandbillError(f"{text!r} is no number of {name}", do="Write digits alone")
        numbers[name] = int(text)
    try:
        until = date.fromisoformat(sent["until"]) if sent.get("until") else None
    except ValueError:
        raise HandbillError(f"{sent['until']!r} is no day", do="Write it as 2027-06-30") from None
    account = sent.get("account", "")
    return checked(
        Rule(
            name=(sent.get("was") or sent.get("name", "")).strip(),
            workspace=person.workspace,
            source=sent.get("source", "").strip().lower().removeprefix("www."),
            account=_account(parts, account, person.workspace),
            season=tuple(sent.get("season", "").split()),
            until=until,
            active=bool(sent.get("active")),
            **numbers,
        )
    )


def _page(
    request: Request, parts: Runtime, person: Person, name: str, *, typed: Sent | None = None, refused: str = ""
) -> Response:
    rules = parts.aftercare.rules(person.workspace)
    chosen = next((r for r in rules if r.name == name), None)
    accounts = parts.records.accounts(person.workspace)
    stopped = parts.aftercare.stopped(person.workspace)
    planned = _planned(parts, person)
    known = {a.id: a for a in accounts}
    titles = parts.records.titles([*stopped, *(d.article for d in planned)])
    default = Rule(name="", workspace=person.workspace)
    shown = {f: getattr(chosen or default, f) for f in (*NUMBERS, "name", "source", "account", "until", "active")}
    shown["season"] = " ".join((chosen or default).season)
    return render.page(
        request,
        "evergreen.html",
        status=422 if refused else 200,
        rules=rules,
        chosen=chosen,
        shown=shown | (dict(typed) if typed else {}),
        refused=refused,
        accounts=[
            (a, views.label_of(a.platform)) for a in accounts if publishers.load(a.platform).reshares is not None
        ],
        once=sorted({views.label_of(a.platform) for a in accounts if publishers.load(a.platform).reshares is None}),
        known=known,
        planned=[rows.row(d, known.get(d.account), now=parts.now()) for d in planned],
        by={d.id: d.evergreen for d in planned},
        stopped=stopped,
        titles=titles,
        swept=parts.aftercare.swept(person.workspace),
    )


def _planned(parts: Runtime, person: Person) -> list[Delivery]:
    """What rules have planned and is not out yet, the next first."""
    now = parts.now()  # rules plan a week ahead, and somebody may have moved one a little further
    ((_, ids),) = parts.deliveries.planned(person.workspace, [now, now + 2 * AHEAD], most=READ_MOST)
    ids = parts.deliveries.evergreens(ids)
    waits = {Status.SCHEDULED, Status.AWAITING_APPROVAL, Status.DRAFT, Status.HELD}
    found = (d for d in parts.deliveries.several(ids) if d.status in waits)
    return sorted(found, key=lambda d: d.due)[:PLANNED_MOST]
