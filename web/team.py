"""The team page: who is in the workspace, what each may do, and the invitations that are out."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from web import render
from web.access import Form, Owner, Parts, Person, Viewer, flash
from worker import team
from worker.errors import HandbillError, NotFound
from worker.people import ROLES, May, role_of
from worker.runtime import Runtime

router = APIRouter(include_in_schema=False)


@router.get("/team")
def show_team(request: Request, parts: Parts, person: Viewer) -> Response:
    """Who is here."""
    return _page(request, parts, person)


def _page(
    request: Request, parts: Runtime, person: Person, *, link: str = "", invited: str = "", problem: str = ""
) -> Response:
    roles = parts.people.members(person.workspace)
    return render.page(
        request,
        "team.html",
        status=422 if problem else 200,
        members=[(u, roles[u.id]) for u in parts.people.users(roles)],
        roles=ROLES,
        invitations=parts.people.invitations(person.workspace) if person.may(May.RULE) else [],
        link=link,
        invited=invited,
        problem=problem,
    )


@router.post("/team/invitations")
def invite(request: Request, parts: Parts, person: Owner, sent: Form) -> Response:
    """Make an invitation; its link is shown once, on the page that answers."""
    email = sent.get("email", "")
    try:
        role = role_of(sent.get("role", ""))
        secret = team.invite(parts, person.actor, email=email, workspace=person.workspace, role=role)
    except HandbillError as error:
        return _page(request, parts, person, invited=email, problem=str(error))
    return _page(request, parts, person, link=f"{request.state.place.origin}/join?link={secret}", invited=email)


@router.post("/team/invitations/{invitation}/withdraw")
def withdraw(parts: Parts, person: Owner, sent: Form, invitation: str) -> Response:
    """Make an invitation useless."""
    del sent
    if not parts.people.withdraw(person.workspace, invitation):
        raise NotFound("There is no such invitation, or no more")
    parts.audit.record(person.actor, "invitation withdrawn", workspace=person.workspace)
    flash(parts, person, "The invitation does not work any more.")
    return RedirectResponse("/team", 303)


@router.post("/team/{user}/role")
def change(parts: Parts, person: Owner, sent: Form, user: str) -> Response:
    """Give a member another role."""
    role = role_of(sent.get("role", ""))
    team.change_role(parts, person.actor, user, workspace=person.workspace, role=role)
    flash(parts, person, f"{parts.people.user(user).name} is {role} now.")
    return RedirectResponse("/team", 303)


@router.post("/team/{user}/remove")
def remove(parts: Parts, person: Owner, sent: Form, user: str) -> Response:
    """Take a member out of the workspace; they stay in others."""
    del sent
    if user not in parts.people.members(person.workspace):
        raise NotFound("There is no such person in this workspace")
    name = parts.people.user(user).name
    team.change_role(parts, person.actor, user, workspace=person.workspace, role=None)
    if user == person.user.id:
        return RedirectResponse("/", 303)
    flash(parts, person, f"{name} is not in this workspace any more.")
    return RedirectResponse("/team", 303)
