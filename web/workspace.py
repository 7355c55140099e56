"""The API of a workspace itself: its name and who approves, its people, its tokens and its audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from web import versions
from web.access import Admin, Caller, Parts, Reader
from web.api import CHANGED, NOT_NOW, NOT_THERE, REFUSALS
from web.replay import Remembered
from web.versions import IfMatch
from worker import team
from worker.errors import NotFound, Refused
from worker.people import CALENDAR, Role, name_of
from worker.runtime import Runtime

router = APIRouter(prefix="/api/v1", tags=["workspace"], responses=REFUSALS, route_class=Remembered)

LOCK_SECONDS = 30.0


class WorkspaceOut(BaseModel):
    """The workspace of the token; ``approval``: whether posts wait for somebody where the account says nothing."""

    id: str
    name: str
    approval: bool


class WorkspaceEdit(BaseModel):
    """What is to be different of the workspace; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str | None, Field(min_length=1, max_length=80)] = None
    approval: bool | None = None


class MemberOut(BaseModel):
    """Somebody of the workspace."""

    id: str
    name: str
    email: str
    role: Role


class Members(BaseModel):
    """Everybody of the workspace."""

    members: list[MemberOut]


class MemberEdit(BaseModel):
    """The role that somebody is to have."""

    model_config = ConfigDict(extra="forbid")

    role: Role


class InvitationIn(BaseModel):
    """Who is to be invited; owners are made by people alone."""

    model_config = ConfigDict(extra="forbid")

    email: Annotated[str, Field(min_length=3, max_length=254)]
    role: Role


class Invited(BaseModel):
    """The link to pass on, shown this once; it is good for seven days, for that address."""

    link: str


class EntryOut(BaseModel):
    """One thing that was done, by whom, from where."""

    id: str
    at: datetime
    what: str
    subject: str
    detail: str
    kind: str
    by: str
    name: str
    where: str


class Entries(BaseModel):
    """A page of the audit log, the latest first; ``next`` is the cursor of the following page."""

    entries: list[EntryOut]
    next: str | None


class InvitationOut(BaseModel):
    """An invitation that still works, and who made it."""

    id: str
    email: str
    role: Role
    by: str
    ends_at: datetime


class Invitations(BaseModel):
    """The invitations of the workspace."""

    invitations: list[InvitationOut]


class TokenIn(BaseModel):
    """What a new token may do, and what it is for; ``calendar`` is the address of a calendar and nothing else."""

    model_config = ConfigDict(extra="forbid")

    scope: Literal["read", "write", "admin", "calendar"]
    name: Annotated[str, Field(min_length=1, max_length=80)]


class TokenOut(BaseModel):
    """One token, without what opens the API; ``by`` is the token that made it, "" if a person did."""

    id: str
    scope: str
    name: str
    by: str = ""


class TokenMade(TokenOut):
    """A new token, shown this once; ``calendar`` is its address for calendar programs, if it is one for them."""

    token: str
    calendar: str


class Tokens(BaseModel):
    """Every token of the workspace."""

    tokens: list[TokenOut]


@router.get("/workspace")
def get_workspace(parts: Parts, caller: Reader, response: Response) -> WorkspaceOut:
    """The workspace that the token opens; its ETag is what edits may name in If-Match."""
    found = _workspace(parts, caller)
    response.headers["ETag"] = _tag_of(found)
    return found


@router.patch("/workspace", responses=NOT_NOW | {412: CHANGED[412]})
def edit_workspace(
    parts: Parts, caller: Admin, response: Response, *, wanted: WorkspaceEdit, if_match: IfMatch = ""
) -> WorkspaceOut:
    """Call the workspace something else, or say whether its posts wait for approval."""
    name = name_of(wanted.name) if wanted.name is not None else ""
    with parts.records.lock(caller.workspace, "workspace", seconds=LOCK_SECONDS) as mine:
        if not mine:
            raise Refused("Somebody else is changing the workspace just now", do="Repeat it")
        found = _workspace(parts, caller)
        versions.seen(_tag_of(found), if_match, found.id)
        if name and name != found.name:
            team.rename_workspace(parts, caller.actor, workspace=caller.workspace, name=name)
        if wanted.approval is not None and wanted.approval is not found.approval:
            parts.records.require_approval(caller.workspace, wanted=wanted.approval)
            detail = f"all: {'wanted' if wanted.approval else 'not wanted'}"
            parts.audit.record(
                caller.actor, "approval rules changed", found.id, workspace=caller.workspace, detail=detail
            )
    changed = _workspace(parts, caller)
    response.headers["ETag"] = _tag_of(changed)
    return changed


# People


@router.get("/members")
def list_members(parts: Parts, caller: Admin) -> Members:
    """Everybody of the workspace, with their roles."""
    roles = parts.people.members(caller.workspace)
    people = parts.people.users(roles)
    return Members(members=[MemberOut(id=u.id, name=u.name, email=u.email, role=roles[u.id]) for u in people])


@router.post("/invitations", status_code=201, responses=NOT_NOW)
def invite(request: Request, parts: Parts, caller: Admin, wanted: InvitationIn) -> Invited:
    """Invite somebody; the answer alone has the link."""
    if wanted.role is Role.OWNER:
        raise Refused("A program makes no owners", do="An owner invites them on the page Team")
    secret = team.invite(parts, caller.actor, email=wanted.email, workspace=caller.workspace, role=wanted.role)
    return Invited(link=f"{_origin(request, parts)}/join?link={secret}")


@router.get("/invitations")
def list_invitations(parts: Parts, caller: Admin) -> Invitations:
    """The invitations that still work; their links are not kept."""
    found = parts.people.invitations(caller.workspace)
    rows = [InvitationOut(id=i.id, email=i.email, role=i.role, by=i.by, ends_at=i.ends_at) for i in found]
    return Invitations(invitations=rows)


@router.delete("/invitations/{invitation}", status_code=204, responses=NOT_THERE)
def withdraw_invitation(parts: Parts, caller: Admin, invitation: str) -> Response:
    """Make an invitation useless."""
    if not parts.people.withdraw(caller.workspace, invitation):
        raise NotFound("There is no such invitation, or no more")
    parts.audit.record(caller.actor, "invitation withdrawn", workspace=caller.workspace)
    return Response(status_code=204)


@router.get("/members/{member}", responses=NOT_THERE)
def get_member(parts: Parts, caller: Admin, response: Response, member: str) -> MemberOut:
    """Somebody of the workspace; the ETag is what edits may name in If-Match."""
    found = _member(parts, caller, member)
    response.headers["ETag"] = _tag_of(found)
    return found


@router.put("/members/{member}", responses=NOT_THERE | NOT_NOW | {412: CHANGED[412]})
def change_member(
    parts: Parts, caller: Admin, response: Response, member: str, *, wanted: MemberEdit, if_match: IfMatch = ""
) -> MemberOut:
    """Give somebody another role; owners are made and unmade by people alone."""
    found = _member(parts, caller, member)
    versions.seen(_tag_of(found), if_match, found.name)
    if Role.OWNER in {wanted.role, found.role}:
        raise Refused("A program changes no owners", do="An owner does so on the page Team")
    team.change_role(parts, caller.actor, member, workspace=caller.workspace, role=wanted.role, was=found.role)
    changed = found.model_copy(update={"role": wanted.role})
    response.headers["ETag"] = _tag_of(changed)
    return changed


@router.delete("/members/{member}", status_code=204, responses=NOT_THERE | NOT_NOW)
def remove_member(parts: Parts, caller: Admin, member: str) -> Response:
    """Take somebody who is no owner out of the workspace."""
    found = _member(parts, caller, member)
    if found.role is Role.OWNER:
        raise Refused("A program changes no owners", do="An owner does so on the page Team")
    team.change_role(parts, caller.actor, member, workspace=caller.workspace, role=None, was=found.role)
    return Response(status_code=204)


# Tokens


@router.get("/tokens")
def list_tokens(parts: Parts, caller: Admin) -> Tokens:
    """The tokens of the workspace; what opens the API is not kept."""
    return Tokens(tokens=[TokenOut.model_validate(t) for t in parts.records.tokens(caller.workspace)])


@router.post("/tokens", status_code=201)
def make_token(request: Request, parts: Parts, caller: Admin, wanted: TokenIn) -> TokenMade:
    """Make a token; the answer alone shows it, and it ends with the token that asked for it."""
    name = name_of(wanted.name)
    secret = parts.records.create_token(scope=wanted.scope, workspace=caller.workspace, name=name, by=caller.actor.id)
    known = parts.records.token(secret)
    if known is None or not _still(parts, caller):
        parts.records.revoke(caller.workspace, caller.actor.id)
        raise Refused("This token was revoked meanwhile")
    parts.audit.record(caller.actor, "token made", name, workspace=caller.workspace, detail=wanted.scope)
    address = f"{_origin(request, parts)}/calendar/{secret}.ics" if wanted.scope == CALENDAR else ""
    return TokenMade(**known, token=secret, calendar=address)


@router.delete("/tokens/{token}", status_code=204, responses=NOT_THERE)
def revoke_token(parts: Parts, caller: Admin, token: str) -> Response:
    """Take a token's right away, and that of every token that was made with it."""
    if not parts.records.revoke(caller.workspace, token):
        raise NotFound("There is no such token, or no more")
    parts.audit.record(caller.actor, "token revoked", token, workspace=caller.workspace)
    return Response(status_code=204)


# What was done


@router.get("/audit")
def audit_log(
    parts: Parts,
    caller: Admin,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Annotated[str, Query(max_length=50)] = "",
) -> Entries:
    """Who did what, the latest first."""
    found, following = parts.audit.page(caller.workspace, most=limit, before=cursor)
    rows = [
        EntryOut(
            id=e.id,
            at=e.at,
            what=e.what,
            subject=e.subject,
            detail=e.detail,
            kind=e.actor.kind,
            by=e.actor.id,
            name=e.actor.name,
            where=e.actor.where,
        )
        for e in found
    ]
    return Entries(entries=rows, next=following or None)


def _workspace(parts: Runtime, caller: Caller) -> WorkspaceOut:
    name = parts.people.names().get(caller.workspace, caller.workspace)
    return WorkspaceOut(id=caller.workspace, name=name, approval=parts.records.approval(caller.workspace))


def _member(parts: Runtime, caller: Caller, member: str) -> MemberOut:
    """Somebody of the caller's workspace; raises NotFound."""
    roles = parts.people.members(caller.workspace)
    if member not in roles:
        raise NotFound("There is no such person in this workspace")
    found = parts.people.user(member)
    return MemberOut(id=found.id, name=found.name, email=found.email, role=roles[member])


def _tag_of(shown: BaseModel) -> str:
    return versions.tag(shown.model_dump(mode="json"))


def _origin(request: Request, parts: Runtime) -> str:
    return parts.settings.public_url.rstrip("/") or str(request.base_url).rstrip("/")


def _still(parts: Runtime, caller: Caller) -> bool:
    """Whether the token that asks has not been revoked since it was let in: what it made would outlive it."""
    return caller.actor.id in {t["id"] for t in parts.records.tokens(caller.workspace)}
