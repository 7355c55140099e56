"""The settings pages: of oneself (name, time zone, password, browsers) and of the workspace (name, tokens, end)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from web import render
from web.access import Form, Owner, Parts, Person, Viewer, Where, flash
from web.entry import begin_session
from web.views import label_of
from worker import factors, passwords, schedule, team
from worker.errors import HandbillError, NotFound
from worker.model import Account
from worker.people import CALENDAR, SCOPES, name_of, scope_of
from worker.runtime import Runtime

router = APIRouter(include_in_schema=False)


@router.get("/settings")
def show_own(request: Request, parts: Parts, person: Viewer) -> Response:
    """What is one's own."""
    return _own(request, parts, person)


def _own(request: Request, parts: Runtime, person: Person, *, problem: str = "") -> Response:
    return render.page(
        request,
        "settings.html",
        status=422 if problem else 200,
        problem=problem,
        zones=schedule.zones(),
        shortest=passwords.SHORTEST,
        has_password=bool(parts.people.password(person.user.id)),
        sessions=parts.people.sessions(person.user.id),
        second=factors.enabled(parts, person.user),
    )


@router.post("/settings/profile")
def save_profile(request: Request, parts: Parts, person: Viewer, sent: Form) -> Response:
    """Change one's name and time zone; an empty zone follows the browser."""
    try:
        name = name_of(sent.get("name", ""))
        fixed = sent.get("zone", "").strip()
        zone = schedule.zone_of(fixed).key if fixed else person.user.zone
    except HandbillError as error:
        return _own(request, parts, person, problem=str(error))
    parts.people.save(replace(person.user, name=name, zone=zone, zone_fixed=bool(fixed)))
    flash(parts, person, "Saved.")
    return RedirectResponse("/settings", 303)


@router.post("/settings/password")
def change_password(request: Request, parts: Parts, person: Viewer, where: Where, sent: Form) -> Response:
    """Choose another password; every other browser is signed out, and this one gets a new session."""
    try:
        team.change_password(parts, person.user, current=sent.get("current", ""), password=sent.get("password", ""))
    except HandbillError as error:
        return _own(request, parts, person, problem=str(error))
    parts.people.end_sessions(person.user.id, but=person.session)
    parts.audit.record(person.actor, "password changed", person.user.id, workspace=person.workspace)
    return begin_session(
        parts, request, where, person.user, how="with a new password", back="/settings", workspace=person.workspace
    )


@router.get("/settings/second")
def show_second(request: Request, parts: Parts, person: Viewer) -> Response:
    """The second factor: on, off, or how to begin."""
    return _second(request, parts, person)


def _second(
    request: Request,
    parts: Runtime,
    person: Person,
    *,
    secret: tuple[str, str] = ("", ""),
    codes: Sequence[str] = (),
    problem: str = "",
) -> Response:
    return render.page(
        request,
        "second.html",
        status=422 if problem else 200,
        problem=problem,
        enabled=factors.enabled(parts, person.user),
        left=factors.left(parts, person.user),
        secret=secret[0],
        picture=secret[1],
        codes=codes,
    )


@router.post("/settings/second/begin")
def begin_second(request: Request, parts: Parts, person: Viewer, sent: Form) -> Response:
    """Show a new secret to the app; the password is asked for, so that an open browser is not enough."""
    try:
        team.prove(parts, person.user, sent.get("current", ""))
    except HandbillError as error:
        return _second(request, parts, person, problem=str(error))
    return _second(request, parts, person, secret=factors.begin(parts, person.user))


@router.post("/settings/second/confirm")
def confirm_second(request: Request, parts: Parts, person: Viewer, sent: Form) -> Response:
    """The app shows the right code: it is asked for from now on."""
    try:
        codes = factors.confirm(parts, person.user, sent.get("code", "").replace(" ", ""))
    except HandbillError as error:
        return _second(request, parts, person, problem=f"{error} Begin again to see the picture once more.")
    parts.audit.record(person.actor, "second factor turned on", person.user.id, workspace=person.workspace)
    return _second(request, parts, person, codes=codes)


@router.post("/settings/second/off")
def end_second(request: Request, parts: Parts, person: Viewer, sent: Form) -> Response:
    """Ask for a code no more; the password is asked for."""
    try:
        team.prove(parts, person.user, sent.get("current", ""))
    except HandbillError as error:
        return _second(request, parts, person, problem=str(error))
    parts.people.set_factor(person.user.id, None)
    parts.audit.record(person.actor, "second factor turned off", person.user.id, workspace=person.workspace)
    flash(parts, person, "Codes are not asked for any more.", "warn")
    return RedirectResponse("/settings", 303)


@router.post("/settings/sessions/{session}/end")
def end_session(parts: Parts, person: Viewer, sent: Form, session: str) -> Response:
    """Sign one of one's browsers out, or all others."""
    del sent
    if session == "others":
        ended = parts.people.end_sessions(person.user.id, but=person.session)
        flash(
            parts, person, f"Signed out of {ended} other browsers." if ended != 1 else "Signed out of 1 other browser."
        )
    elif session in {s.id for s in parts.people.sessions(person.user.id)}:
        parts.people.end_session(person.user.id, session)
        flash(parts, person, "That browser is signed out.")
    else:
        raise NotFound("There is no such session of yours, or no more")
    return RedirectResponse("/settings", 303)


@router.get("/settings/workspace")
def show_workspace(request: Request, parts: Parts, person: Owner) -> Response:
    """What is the workspace's."""
    return _workspace(request, parts, person)


def _workspace(
    request: Request, parts: Runtime, person: Person, *, token: str = "", calendar: str = "", problem: str = ""
) -> Response:
    return render.page(
        request,
        "workspace.html",
        status=422 if problem else 200,
        problem=problem,
        token=token,
        tokens=parts.records.tokens(person.workspace),
        calendar=calendar,
        scopes=(*SCOPES, CALENDAR),
        removable=person.workspace != parts.settings.workspace,
        approval=parts.records.approval(person.workspace),
        accounts=[(a, label_of(a.platform)) for a in parts.records.accounts(person.workspace)],
    )


@router.post("/settings/workspace/approval")
def set_approval(parts: Parts, person: Owner, sent: Form) -> Response:
    """Which posts wait for somebody's approval: the workspace's, and each account's that says otherwise."""
    everybody = sent.get("workspace") == "yes"
    changed = []
    if everybody is not parts.records.approval(person.workspace):
        parts.records.require_approval(person.workspace, wanted=everybody)
        changed.append(f"all: {'wanted' if everybody else 'not wanted'}")
    for account in parts.records.accounts(person.workspace):
        wanted = {"yes": True, "no": False}.get(sent.get(account.id, ""))
        if account.id in sent and wanted is not account.approval:
            parts.records.change_account(account.id, functools.partial(_asking, wanted))
            said = {True: "wanted", False: "not wanted", None: "as all"}[wanted]
            changed.append(f"{account.id}: {said}")
    if changed:
        detail = "; ".join(changed)
        parts.audit.record(
            person.actor, "approval rules changed", person.workspace, workspace=person.workspace, detail=detail
        )
    flash(parts, person, "Saved. Posts that are planned and not approved wait when their time comes.")
    return RedirectResponse("/settings/workspace", 303)


def _asking(wanted: bool | None, account: Account, _: object) -> tuple[Account, None]:  # noqa: FBT001 - as the form has it
    return replace(account, approval=wanted), None


@router.post("/settings/workspace/name")
def rename(parts: Parts, person: Owner, sent: Form) -> Response:
    """Call the workspace something else."""
    team.rename_workspace(parts, person.actor, workspace=person.workspace, name=sent.get("name", ""))
    flash(parts, person, "Saved.")
    return RedirectResponse("/settings/workspace", 303)


@router.post("/settings/workspaces")
def make(request: Request, parts: Parts, person: Owner, sent: Form) -> Response:
    """A new workspace, and look at it."""
    identity = sent.get("id", "").strip()
    try:
        team.make_workspace(parts, person.actor, person.user, workspace=identity, name=sent.get("name", ""))
    except HandbillError as error:
        return _workspace(request, parts, person, problem=str(error))
    parts.people.enter(person.session, identity)
    return RedirectResponse("/", 303)


@router.post("/settings/workspace/remove")
def remove(request: Request, parts: Parts, person: Owner, sent: Form) -> Response:
    """Forget the workspace, if its id was typed."""
    try:
        team.remove_workspace(parts, person.actor, person.workspace, typed=sent.get("id", "").strip())
    except HandbillError as error:
        return _workspace(request, parts, person, problem=str(error))
    return RedirectResponse("/", 303)


@router.post("/settings/tokens")
def make_token(request: Request, parts: Parts, person: Owner, sent: Form) -> Response:
    """A new token for the API; it is shown once, on the page that answers."""
    try:
        scope, name = scope_of(sent.get("scope", "")), name_of(sent.get("name", ""))
    except HandbillError as error:
        return _workspace(request, parts, person, problem=str(error))
    token = parts.records.create_token(scope=scope, workspace=person.workspace, name=name)
    parts.audit.record(person.actor, "token made", name, workspace=person.workspace, detail=scope)
    address = f"{request.state.place.origin}/calendar/{token}.ics" if scope == CALENDAR else ""
    return _workspace(request, parts, person, token=token, calendar=address)


@router.post("/settings/tokens/{token}/revoke")
def revoke(parts: Parts, person: Owner, sent: Form, token: str) -> Response:
    """Take a token's right away."""
    del sent
    if not parts.records.revoke(person.workspace, token):
        raise NotFound("There is no such token, or no more")
    parts.audit.record(person.actor, "token revoked", token, workspace=person.workspace)
    flash(parts, person, "The token does not work any more.")
    return RedirectResponse("/settings/workspace", 303)
