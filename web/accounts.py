"""The accounts page: what each account can do now and how long it still can, and how one is connected or removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

import publishers
from publishers.core.publisher import Publisher
from publishers.core.setting import Setting
from web import render, stops
from web.access import Anyone, Form, Operator, Owner, Parts, Person, Viewer, flash
from web.views import host_of
from worker import schedule
from worker.errors import HandbillError, NotFound, Refused
from worker.model import Account
from worker.people import RIGHTS, May
from worker.pipeline.accounts import proof_of
from worker.pipeline.connect import Choosing, Elsewhere
from worker.pipeline.renewal import SOON, Standing
from worker.runtime import Runtime

router = APIRouter(include_in_schema=False)

NONE = 1_000_000
"""The place of no choice."""

EXAMPLE = "mon-fri 09:00 12:30; gap 45; quiet 22:00-07:00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One account as the page shows it. ``state`` is a word for it, ``tone`` its colour, ``why`` the reason.

    ``last`` is the account's name in addresses; ``following`` the next planned post, in the account's zone.
    """

    id: str
    last: str
    label: str
    platform: str
    name: str
    url: str
    rehearsal: bool
    state: str
    tone: str
    why: str
    paused: bool
    reconnect: bool
    token: str
    standing: Standing
    planned: int
    following: datetime | None
    zone: str
    calendar: str
    proof: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One platform that can be connected: by ``consent``, or with what is ``pasted``."""

    name: str
    label: str
    consent: bool
    pasted: str


# The list


@router.get("/accounts")
def show_accounts(request: Request, parts: Parts, person: Viewer) -> Response:
    """Every account of the workspace and how it stands, and every platform there is."""
    return _page(request, parts, person)


def _page(
    request: Request,
    parts: Runtime,
    person: Person,
    *,
    problem: str = "",
    open_id: str = "",
    typed: Mapping[str, str] | None = None,
) -> Response:
    paused, now = parts.deliveries.paused(), parts.now()
    rows = [_row(parts, a, paused, now) for a in parts.records.accounts(person.workspace)]
    return render.page(
        request,
        "accounts.html",
        status=422 if problem else 200,
        rows=sorted(rows, key=lambda r: (r.tone not in {"bad", "warn"}, r.label, r.name)),
        followed=not rows or bool(parts.sources.all(person.workspace)),
        kinds=_kinds(),
        zones=schedule.zones(),
        example=EXAMPLE,
        problem=problem,
        open_id=open_id,
        typed=typed or {},
    )


def _row(parts: Runtime, account: Account, paused: Mapping[str, tuple[datetime | None, str]], now: datetime) -> Row:
    standing = parts.renewals.standing(account)
    following = parts.records.following(account, since=now)
    state, tone, why, reconnect = _state(account, paused, standing, now)
    zone = schedule.zone_of(account.zone)
    return Row(
        id=account.id,
        last=account.id.partition(".")[2],
        label=publishers.load(account.platform).label,
        platform=account.platform,
        name=account.name,
        url=account.url if host_of(account.url) else "",
        rehearsal=account.rehearsal,
        state=state,
        tone=tone,
        why=why,
        paused=f"account:{account.id}" in paused,
        reconnect=reconnect,
        token=_token(standing, now) if publishers.load(account.platform).secrets() else "none is needed",
        standing=standing,
        planned=parts.records.coming(account, since=now),
        following=following.astimezone(zone) if following else None,
        zone=zone.key,
        calendar=schedule.write_calendar(account.calendar),
        proof=str(proof_of(account).kind),
    )


def _state(
    account: Account, paused: Mapping[str, tuple[datetime | None, str]], standing: Standing, now: datetime
) -> tuple[str, str, str, bool]:
    """A word for how the account stands, its tone, why, and whether only connecting it again helps."""
    if found := paused.get(f"connect:{account.id}"):
        return "Reconnect", "bad", found[1], True
    for scope, word in ((f"account:{account.id}", "Paused"), (f"workspace:{account.workspace}", "Workspace paused")):
        if found := paused.get(scope):
            return word, "warn", found[1], False
    if found := paused.get("all"):
        return "Everything paused", "warn", found[1], False
    left = standing.left(now)
    if left is not None and (left < SOON or standing.outlived or standing.refused):
        why = f"It cannot be renewed: {standing.refused}" if standing.refused else ""
        return "Token ends", "warn", why, True
    if found := paused.get(f"limit:{account.id}"):
        return "Waits", "wait", found[1], False
    return "Ready", "good", "", False


def _token(standing: Standing, now: datetime) -> str:
    """What to know of the token, in words."""
    if said := standing.says(now):
        return said
    if standing.renews:
        return "renewed by itself"
    return "no end known"


def _kinds() -> list[Kind]:
    found = []
    for name in publishers.names():
        kind = publishers.load(name)
        found.append(Kind(name=name, label=kind.label, consent=kind.oauth is not None, pasted=kind.pasted))
    return sorted(found, key=lambda k: k.label.lower())


# One account


@router.post("/accounts/{account}/check")
def check(parts: Parts, person: Owner, sent: Form, account: str) -> Response:
    """Ask the platform whether it still works, what it takes, and which scope is missing."""
    del sent
    found = _find(parts, person, account)
    try:
        profile = parts.accounts.check(found)
    except HandbillError as error:
        flash(parts, person, str(error), "bad")
    else:
        parts.deliveries.resume(f"connect:{found.id}")
        flash(parts, person, f"It works, as {profile.name}.")
    return _back(found)


@router.post("/accounts/{account}/pause")
def pause(parts: Parts, person: Operator, sent: Form, account: str) -> Response:
    """Nothing of this account begins to be sent any more."""
    found = _find(parts, person, account)
    sent["scope"] = found.id
    stops.stop(parts, person, sent)
    return _back(found)


@router.post("/accounts/{account}/resume")
def resume(parts: Parts, person: Operator, sent: Form, account: str) -> Response:
    """It sends again; what became late is held."""
    found = _find(parts, person, account)
    sent["scope"] = found.id
    stops.resume(parts, person, sent)
    return _back(found)


@router.post("/accounts/{account}/times")
def times(request: Request, parts: Parts, person: Owner, sent: Form, account: str) -> Response:
    """Set the account's time zone, and when it posts by slot."""
    found = _find(parts, person, account)
    typed = {"zone": sent.get("zone", "").strip(), "calendar": sent.get("calendar", "").strip()}
    try:
        zone = schedule.zone_of(typed["zone"]).key
        calendar = schedule.read_calendar(typed["calendar"])
    except HandbillError as error:
        return _page(request, parts, person, problem=str(error), open_id=found.id, typed=typed)
    parts.records.change_account(found.id, lambda a, _: (replace(a, zone=zone, calendar=calendar), None))
    parts.audit.record(person.actor, "account's times changed", found.id, workspace=person.workspace, detail=zone)
    flash(parts, person, f"{found.name} posts in {zone}.")
    return _back(found)


@router.post("/accounts/{account}/remove")
def remove(parts: Parts, person: Owner, sent: Form, account: str) -> Response:
    """Forget an account and its secrets; what is planned on it will not be sent, and says so."""
    del sent
    found = _find(parts, person, account)
    planned = parts.renewals.planned(found)
    parts.accounts.remove(found)
    parts.audit.record(person.actor, "account removed", found.id, workspace=person.workspace, detail=found.name)
    more = f" {planned} planned {'post' if planned == 1 else 'posts'} will not be sent." if planned else ""
    flash(parts, person, f"{found.name} is removed.{more}", "warn")
    return RedirectResponse("/accounts", 303)


# Connecting


@router.get("/accounts/add/{platform}")
def show_add(request: Request, parts: Parts, person: Owner, platform: str) -> Response:
    """The ways there are to connect an account of a platform."""
    return _form(request, parts, person, platform)


def _form(
    request: Request,
    parts: Runtime,
    person: Person,
    platform: str,
    *,
    problem: str = "",
    given: Mapping[str, str] | None = None,
) -> Response:
    kind = _kind(platform)
    own = kind.oauth
    app = parts.records.connections.app(person.workspace, platform) if own and not own.register else {}
    redirect = parts.connecting.redirect(platform) if own else ""
    return render.page(
        request,
        "connect.html",
        status=422 if problem else 200,
        platform=platform,
        kind=kind,
        oauth=own,
        app=app.get("client_id", ""),
        redirect=redirect,
        unreachable=bool(own and own.https and not redirect.startswith("https://")),
        fields=_fields(kind),
        asks=[f for f in kind.fields if own and f.name in own.asks],
        channels=parts.accounts.channels(person.workspace) if kind.by_hand else [],
        given=given or {},
        problem=problem,
    )


def _fields(kind: type[Publisher]) -> list[Setting]:
    """What a person may type; a folder of this machine is nobody's to choose from a page."""
    if not (kind.networked or kind.by_hand):
        return []
    return [f for f in kind.fields if f.required or not f.secret or f.name == "refresh_token"]


@router.post("/accounts/add/{platform}")
def add(request: Request, parts: Parts, person: Owner, sent: Form, platform: str) -> Response:
    """Connect with what was pasted, or the stand-in of the platform."""
    kind = _kind(platform)
    rehearsal = bool(sent.get("rehearsal"))
    given = {f.name: sent.get(f.name, "").strip() for f in _fields(kind)}
    if not (kind.networked or kind.by_hand) and person.workspace != parts.settings.workspace:
        given["folder"] = str(parts.settings.data_dir.resolve() / f"outbox-{person.workspace}")
    try:
        account = parts.accounts.connect(
            platform,
            {} if rehearsal else given,
            workspace=person.workspace,
            name=sent.get("name", "").strip(),
            zone=person.zone.key,
            rehearsal=rehearsal,
        )
    except HandbillError as error:
        shown = {k: v for k, v in given.items() if k not in kind.secrets()} | {"name": sent.get("name", "")}
        return _form(request, parts, person, platform, problem=_for_page(error), given=shown)
    parts.deliveries.resume(f"connect:{account.id}")
    return _connected(parts, person, account)


@router.post("/accounts/add/{platform}/consent")
def begin(request: Request, parts: Parts, person: Owner, sent: Form, platform: str) -> Response:
    """Show where the person goes to allow it, and what will be asked for."""
    kind = _kind(platform)
    given = {f.name: sent.get(f.name, "").strip() for f in kind.fields if kind.oauth and f.name in kind.oauth.asks}
    try:
        begun = parts.connecting.begin(
            platform,
            given,
            workspace=person.workspace,
            browser=person.session,
            name=sent.get("name", "").strip(),
            role=sent.get("role", ""),
            zone=person.zone.key,
            rehearsal=bool(sent.get("rehearsal")),
        )
    except HandbillError as error:
        return _form(
            request, parts, person, platform, problem=_for_page(error), given={**given, "name": sent.get("name", "")}
        )
    return render.page(request, "consent.html", begun=begun, platform=platform, choosing=None, problem="", done="")


@router.post("/accounts/apps/{platform}")
def save_app(request: Request, parts: Parts, person: Owner, sent: Form, platform: str) -> Response:
    """Keep the credentials of the workspace's app."""
    kind = _kind(platform)
    given = {f.name: sent.get(f.name, "") for f in (kind.oauth.app if kind.oauth else ())}
    try:
        name = parts.connecting.save_app(person.workspace, platform, given)
    except HandbillError as error:
        return _form(request, parts, person, platform, problem=str(error))
    parts.audit.record(person.actor, "app kept", name, workspace=person.workspace)
    flash(parts, person, f"The app of {kind.label} is kept, encrypted.")
    return RedirectResponse(f"/accounts/add/{platform}", 303)


@router.get("/connect/{platform}")
def come_back(request: Request, parts: Parts, person: Anyone, platform: str) -> Response:
    """Where platforms send people back to; the address is left at once, for a code stands in it."""
    del platform
    return _come_back(request, parts, person)


@router.get("/connect/{platform}/{server}")
def come_back_from(request: Request, parts: Parts, person: Anyone, platform: str, server: str) -> Response:
    """The same, for platforms of many servers."""
    del platform, server
    return _come_back(request, parts, person)


def _come_back(request: Request, parts: Runtime, person: Person | None) -> Response:
    def allowed(workspace: str) -> bool:
        roles = parts.people.memberships(person.user.id) if person else {}
        return workspace in roles and May.RULE in RIGHTS[roles[workspace]]

    browser, query = person.session if person else "", dict(request.query_params)
    try:
        found = parts.connecting.finish(query, browser=browser, place=request.url.path, allowed=allowed)
    except HandbillError as error:
        if person is None:
            return render.page(request, "consent.html", status=409, **_told(problem=str(error)))
        flash(parts, person, str(error), "bad")
        return RedirectResponse("/accounts", 303)
    if isinstance(found, Elsewhere):
        return render.page(request, "consent.html", **_told(done=found.label))
    if isinstance(found, Choosing):
        return RedirectResponse(f"/accounts/choose/{found.pick}", 303)
    assert person is not None  # only a browser that is signed in begins what ends here
    return _connected(parts, person, found)


def _told(*, problem: str = "", done: str = "") -> dict[str, Any]:
    return {"begun": None, "platform": "", "choosing": None, "problem": problem, "done": done}


@router.get("/accounts/choose/{pick}")
def show_choices(request: Request, parts: Parts, person: Owner, pick: str) -> Response:
    """The Pages, channels or organisations that the new token may post to."""
    return _choices(request, parts, person, pick)


def _choices(request: Request, parts: Runtime, person: Person, pick: str, *, problem: str = "") -> Response:
    found = parts.connecting.choosing(pick, browser=person.session)
    return render.page(
        request,
        "consent.html",
        status=422 if problem else 200,
        **{**_told(problem=problem), "choosing": found, "platform": found.platform},
    )


@router.post("/accounts/choose/{pick}")
def choose(request: Request, parts: Parts, person: Owner, sent: Form, pick: str) -> Response:
    """Connect the one that was chosen."""
    number = sent.number("choice")
    place = NONE if number is None else number
    try:
        account = parts.connecting.choose(pick, place, browser=person.session, workspace=person.workspace)
    except HandbillError as error:
        try:
            return _choices(request, parts, person, pick, problem=str(error))
        except Refused:
            raise error from None
    return _connected(parts, person, account)


def _connected(parts: Runtime, person: Person, account: Account) -> Response:
    parts.audit.record(person.actor, "account connected", account.id, workspace=account.workspace, detail=account.name)
    flash(parts, person, f"{account.name} on {publishers.load(account.platform).label} is connected.")
    return _back(account)


def _for_page(error: HandbillError) -> str:
    """The error without what is for the command line."""
    if "--set" in error.why:
        return f"{error.what}: fill in what is required."
    return str(error)


def _find(parts: Runtime, person: Person, name: str) -> Account:
    """The account, if it is the workspace's."""
    full = name if "." in name else f"{person.workspace}.{name}"
    if full.partition(".")[0] != person.workspace:
        raise NotFound(f"There is no account {name}")
    return parts.records.account(full)


def _kind(platform: str) -> type[Publisher]:
    if platform not in publishers.names():
        raise NotFound(f"There is no platform {platform}")
    return publishers.load(platform)


def _back(account: Account) -> Response:
    return RedirectResponse(f"/accounts#a-{render.anchor(account.id)}", 303)
