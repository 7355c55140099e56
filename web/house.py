"""The API of what a workspace is made of: its sources, accounts, voices, brand kits, people, forecast and audit log."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import tempfile
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

import publishers
from web import calendar
from web.access import Admin, Caller, Parts, Reader, Writer
from web.api import CHANGED, NOT_NOW, NOT_THERE, REFUSALS, AccountOut, IfMatch, tags
from web.guard import takes
from web.replay import DESCRIBED, Remembered
from worker import schedule, show, team
from worker.errors import HandbillError, NotFound, Refused
from worker.intake.model import Source
from worker.model import Account, Brand, digest, to_json
from worker.people import Role
from worker.pipeline.follow import Follow
from worker.pipeline.pictures import brand_folder, make_brand
from worker.pipeline.plan import speaking
from worker.runtime import Runtime

router = APIRouter(prefix="/api/v1", tags=["house"], responses=REFUSALS, route_class=Remembered)

Seen = TypeVar("Seen", Source, Account)
CHANGES = NOT_THERE | {412: CHANGED[412]}
FILE_MOST = 4_000_000
BOUND = ConfigDict(extra="forbid")
Short = Annotated[str, Field(max_length=200)]
Long = Annotated[str, Field(max_length=2000)]
Words = Annotated[list[Short], Field(max_length=200)]


class RulesIn(BaseModel):
    """Rules of a source; what is left out stays. ``include`` and ``exclude`` are lines such as ``tag: Sport``."""

    model_config = BOUND

    include: Words | None = None
    exclude: Words | None = None
    at: Annotated[str | None, Field(description="now, slot or inbox")] = None
    delay: Annotated[int | None, Field(ge=0, le=1_000_000, description="Minutes after its publication.")] = None
    approve: bool | None = None
    embargo: bool | None = None
    most: Annotated[int | None, Field(ge=0, le=1_000_000, description="A day; 0 is any number.")] = None
    design: Short | None = None
    brand: Short | None = None
    template: Long | None = None
    warning: Short | None = None
    always: Words | None = None
    never: Words | None = None


class SourceIn(BaseModel):
    """A feed, or a site that has one, to be followed from now on; ``accounts`` none means every active one."""

    model_config = BOUND

    address: Annotated[str, Field(min_length=1, max_length=2000)]
    name: Annotated[str, Field(max_length=100)] = ""
    accounts: Words = []
    backfill: Annotated[int, Field(ge=0, le=100, description="Old articles that are taken, too.")] = 0
    rules: RulesIn = RulesIn()


class SourceEdit(BaseModel):
    """What is to be different of a source; what is left out stays."""

    model_config = BOUND

    name: Annotated[str | None, Field(min_length=1, max_length=100)] = None
    accounts: Words | None = None
    active: bool | None = None
    rules: RulesIn | None = None


class SourceOut(BaseModel):
    """One source and how it does."""

    id: str
    kind: str
    dialect: str
    name: str
    address: str
    accounts: list[str]
    active: bool
    reason: str
    rules: dict[str, Any]
    health: str
    last_poll: str | None
    next_poll: str | None
    failures: int
    error: str
    pushed_until: str | None


class Sources(BaseModel):
    """Every source of the workspace."""

    sources: list[SourceOut]


class Polled(BaseModel):
    """What a poll found."""

    new: int
    error: str


class TokenOut(BaseModel):
    """How an account's token stands: its end, when only a person can help, and the posts planned after that."""

    expires: str | None
    ends: str | None
    renews: bool
    refused: str
    outlived: int


class AccountInFull(AccountOut):
    """One account with what was set about it; ``voices`` are by host, "" for all. Never a secret."""

    calendar: str
    approval: bool | None
    brand: str
    design: str
    voices: dict[str, dict[str, Any]]
    token: TokenOut


class AccountIn(BaseModel):
    """An account to be connected with what its platform asks for; with ``rehearsal``, its stand-in on this machine."""

    model_config = BOUND

    platform: Short
    name: Annotated[str, Field(max_length=100)] = ""
    zone: Annotated[str, Field(max_length=60)] = ""
    rehearsal: bool = False
    settings: Annotated[dict[Short, Annotated[str, Field(max_length=10_000)]], Field(max_length=50)] = {}


class AccountEdit(BaseModel):
    """What is to be different of an account; what is left out stays. ``approval`` null: as the workspace has it."""

    model_config = BOUND

    zone: Annotated[str | None, Field(max_length=60)] = None
    calendar: Annotated[str | None, Field(max_length=500, description="mon-fri 09:00; gap 45; quiet 22:00-07:00")] = (
        None
    )
    approval: bool | None = None
    brand: Short | None = None
    design: Short | None = None


class VoiceIn(BaseModel):
    """How an account speaks of articles of ``host``, or of all; what is left out stays, what is empty is taken back."""

    model_config = BOUND

    host: Short = ""
    template: Long | None = None
    always: Words | None = None
    never: Words | None = None
    hashtags: Annotated[int | None, Field(ge=-1, le=30, description="-1: as the platform's template has it.")] = None
    utm: Annotated[str | None, Field(max_length=500)] = None
    disclaimer: Annotated[str | None, Field(max_length=500)] = None
    warning: Short | None = None
    sensitive: Words | None = None
    link: Short | None = None


class BrandIn(BaseModel):
    """How the cards of a site or an account look; files in base64, those that are left out stay."""

    model_config = BOUND

    colour: Annotated[str, Field(max_length=7)] = ""
    accent: Annotated[str, Field(max_length=7)] = ""
    corner: Short = ""
    design: Short = ""
    sources: Words = []
    logo: Annotated[str, Field(max_length=FILE_MOST)] = ""
    font: Annotated[str, Field(max_length=FILE_MOST)] = ""
    text_font: Annotated[str, Field(max_length=FILE_MOST)] = ""


class BrandOut(BaseModel):
    """One brand kit; its files by their content's hash."""

    name: str
    colour: str
    accent: str
    logo: str
    font: str
    text_font: str
    corner: str
    design: str
    sources: list[str]


class Brands(BaseModel):
    """Every brand kit of the workspace."""

    brands: list[BrandOut]


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

    model_config = BOUND

    role: Role


class InvitationIn(BaseModel):
    """Who is to be invited; owners are made by people alone."""

    model_config = BOUND

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


class QuotaOut(BaseModel):
    """How full the fullest day of an account is."""

    account: str
    platform: str
    most: int
    used: int
    day: date


class ExpiringOut(BaseModel):
    """An account that must be connected again, and how many posts come after that."""

    account: str
    at: datetime
    posts_after: int


class ForecastOut(BaseModel):
    """What the days cost (US dollars, null where nothing costs; ``about`` says that it is a mean) and use up."""

    posts: int
    evergreen: int
    cost: float | None
    about: bool
    quotas: list[QuotaOut]
    expiring: list[ExpiringOut]


# Sources


@router.get("/sources")
def list_sources(parts: Parts, caller: Reader) -> Sources:
    """Every source, with its health."""
    found = parts.sources.all(caller.workspace)
    states = parts.sources.states(s.id for s in found)
    return Sources(sources=[SourceOut.model_validate(show.source_json(s, states[s.id])) for s in found])


@router.post("/sources", status_code=201, responses=NOT_THERE | NOT_NOW, openapi_extra=DESCRIBED)
def add_source(parts: Parts, caller: Writer, wanted: SourceIn) -> SourceOut:
    """Follow a feed, or the best one of a site, from now on."""
    follow = Follow(parts)
    try:
        asked = follow.ruled(None, caller.workspace, _said(wanted.rules))
        accounts = [_account(parts, caller, a).id for a in wanted.accounts]
        made = follow.add(
            caller.workspace,
            wanted.address,
            name=wanted.name,
            accounts=accounts,
            asked=asked,
            backfill=wanted.backfill,
        )
    finally:
        follow.close()
    parts.audit.record(caller.actor, "source added", workspace=caller.workspace, detail=made.address)
    return _source_out(parts, made)


@router.get("/sources/{source}", responses=NOT_THERE)
def get_source(parts: Parts, caller: Reader, response: Response, source: str) -> SourceOut:
    """One source, with its health and its rules; its ETag is what edits may name in If-Match."""
    found = _source(parts, caller, source)
    response.headers["ETag"] = _tag(found)
    return _source_out(parts, found)


@router.patch("/sources/{source}", responses=CHANGES)
def edit_source(
    parts: Parts, caller: Writer, response: Response, source: str, *, wanted: SourceEdit, if_match: IfMatch = ""
) -> SourceOut:
    """Change a source's name, accounts or rules, stop it or start it again."""
    found = _seen(_source(parts, caller, source), if_match)
    follow = Follow(parts)
    try:
        values: dict[str, Any] = {}
        if wanted.name is not None:
            values["name"] = wanted.name
        if wanted.accounts is not None:
            values["accounts"] = [_account(parts, caller, a).id for a in wanted.accounts]
        if wanted.rules is not None:
            values["rules"] = follow.ruled(found.rules, caller.workspace, _said(wanted.rules))
        found = follow.change(found, **values) if values else found
        if wanted.active is not None and wanted.active is not found.active:
            found = follow.start(found) if wanted.active else follow.stop(found)
    finally:
        follow.close()
    parts.audit.record(caller.actor, "source changed", workspace=caller.workspace, detail=found.id)
    response.headers["ETag"] = _tag(found)
    return _source_out(parts, found)


@router.delete("/sources/{source}", status_code=204, responses=NOT_THERE)
def remove_source(parts: Parts, caller: Writer, source: str) -> Response:
    """Follow it no more; what was made of its articles stays."""
    found = _source(parts, caller, source)
    follow = Follow(parts)
    try:
        follow.remove(found)
    finally:
        follow.close()
    parts.audit.record(caller.actor, "source remove", workspace=caller.workspace, detail=found.id)
    return Response(status_code=204)


@router.post("/sources/{source}/poll", responses=NOT_THERE | NOT_NOW)
def poll_source(parts: Parts, caller: Writer, source: str) -> Polled:
    """Read it now."""
    found = _source(parts, caller, source)
    follow = Follow(parts)
    try:
        new, state = follow.poll(found)
    finally:
        follow.close()
    return Polled(new=new or 0, error=state.error)


@router.post("/items/{item}/{decision}", status_code=204, responses=NOT_THERE)
def judge_item(parts: Parts, caller: Writer, item: str, decision: str) -> Response:
    """``take`` an article that came in whatever the rules say, or ``leave`` it out."""
    if item.partition(".")[0] != caller.workspace or decision not in {"take", "leave"}:
        raise NotFound(f"There is no item {item}, or no decision {decision}")
    parts.sources.item(item)
    (parts.intake.release if decision == "take" else parts.intake.dismiss)(item)
    parts.audit.record(caller.actor, f"item {decision}", workspace=caller.workspace, detail=item)
    return Response(status_code=204)


# Accounts


@router.post("/accounts", status_code=201, responses=NOT_NOW, openapi_extra=DESCRIBED)
def connect_account(parts: Parts, caller: Admin, wanted: AccountIn) -> AccountInFull:
    """Connect an account with its keys; platforms that want a person's consent are connected on the page."""
    if wanted.platform not in publishers.names():
        known = ", ".join(publishers.names())
        raise HandbillError(f"There is no platform {wanted.platform!r}", do=f"There are: {known}")
    zone = schedule.zone_of(wanted.zone).key if wanted.zone else ""
    made = parts.accounts.connect(
        wanted.platform,
        wanted.settings,
        workspace=caller.workspace,
        name=wanted.name,
        zone=zone,
        rehearsal=wanted.rehearsal,
    )
    parts.audit.record(caller.actor, "account connected", made.id, workspace=caller.workspace)
    return _account_out(parts, made)


@router.get("/accounts/{account}", responses=NOT_THERE)
def get_account(parts: Parts, caller: Reader, response: Response, account: str) -> AccountInFull:
    """One account with what was set about it, and how its token stands; its ETag is what edits may name in If-Match."""
    found = _account(parts, caller, account)
    response.headers["ETag"] = _tag(found)
    return _account_out(parts, found)


@router.patch("/accounts/{account}", responses=CHANGES)
def edit_account(
    parts: Parts, caller: Admin, response: Response, account: str, *, wanted: AccountEdit, if_match: IfMatch = ""
) -> AccountInFull:
    """Set when an account posts, whether its posts are approved, and how its cards look."""
    found = _seen(_account(parts, caller, account), if_match)
    values: dict[str, Any] = {n: getattr(wanted, n) for n in wanted.model_fields_set}
    values = {n: v for n, v in values.items() if v is not None or n == "approval"}
    if "zone" in values:
        values["zone"] = schedule.zone_of(values["zone"]).key
    if "calendar" in values:
        values["calendar"] = schedule.read_calendar(values["calendar"])
    if values.get("brand") and values["brand"] not in {b.name for b in parts.records.brands(caller.workspace)}:
        raise NotFound(f"There is no brand {values['brand']}")
    changed = parts.records.change_account(found.id, lambda a, _: (dataclasses.replace(a, **values), None))
    told = ", ".join(sorted(values))
    parts.audit.record(caller.actor, "account changed", found.id, workspace=caller.workspace, detail=told)
    response.headers["ETag"] = _tag(changed)
    return _account_out(parts, changed)


@router.delete("/accounts/{account}", status_code=204, responses=NOT_THERE)
def remove_account(parts: Parts, caller: Admin, account: str) -> Response:
    """Forget an account and its secrets; what is planned on it fails with that reason, what is public stays."""
    found = _account(parts, caller, account)
    parts.accounts.remove(found)
    parts.audit.record(caller.actor, "account removed", found.id, workspace=caller.workspace)
    return Response(status_code=204)


@router.post("/accounts/{account}/check", responses=NOT_THERE)
def check_account(parts: Parts, caller: Admin, account: str) -> AccountInFull:
    """Ask the platform again who we are and what it takes."""
    found = _account(parts, caller, account)
    parts.accounts.check(found)
    return _account_out(parts, parts.records.account(found.id))


@router.put("/accounts/{account}/voice", responses=CHANGES)
def set_voice(
    parts: Parts, caller: Writer, response: Response, account: str, *, wanted: VoiceIn, if_match: IfMatch = ""
) -> AccountInFull:
    """Set how an account speaks; refused where it could not be posted so."""
    found = _seen(_account(parts, caller, account), if_match)
    said = {n: v for n in wanted.model_fields_set - {"host"} if (v := getattr(wanted, n)) is not None}
    made = speaking(found, wanted.host, said)
    kept = parts.records.change_account(made.id, lambda a, _: (dataclasses.replace(a, voices=made.voices), None))
    parts.audit.record(caller.actor, "voice changed", found.id, workspace=caller.workspace, detail=wanted.host)
    response.headers["ETag"] = _tag(kept)
    return _account_out(parts, kept)


# Brand kits


@router.get("/brands")
def list_brands(parts: Parts, caller: Reader) -> Brands:
    """Every brand kit."""
    return Brands(brands=[_brand_out(b) for b in parts.records.brands(caller.workspace)])


@router.put("/brands/{brand}")
@takes(4 * FILE_MOST)
def save_brand(parts: Parts, caller: Writer, brand: str, wanted: BrandIn) -> BrandOut:
    """Make a brand kit, or change it; colours that could not be read and broken files are refused."""
    name = brand.strip()
    if not 0 < len(name) <= 60 or not name.isprintable():
        raise HandbillError("A brand needs a name", do="Give one of at most 60 characters")
    files = {kind: _file(kind, text) for kind in ("logo", "font", "text_font") if (text := getattr(wanted, kind))}
    old = next((b for b in parts.records.brands(caller.workspace) if b.name == name), None)
    with tempfile.TemporaryDirectory() as folder:
        given: dict[str, Path] = {}
        for kind, data in files.items():
            given[kind] = Path(folder) / kind
            given[kind].write_bytes(data)
        made = make_brand(
            name,
            folder=brand_folder(parts.settings),
            workspace=caller.workspace,
            colour=wanted.colour,
            accent=wanted.accent,
            corner=wanted.corner,
            design=wanted.design,
            sources=wanted.sources,
            **given,
        )
    if old is not None:
        kept = {k: getattr(old, k) for k in ("logo", "font", "text_font") if k not in files}
        made = dataclasses.replace(made, **kept)
    parts.records.save_brand(made)
    parts.audit.record(caller.actor, "brand saved", name, workspace=caller.workspace)
    return _brand_out(made)


@router.delete("/brands/{brand}", status_code=204, responses=NOT_THERE | NOT_NOW)
def remove_brand(parts: Parts, caller: Writer, brand: str) -> Response:
    """Forget a brand kit that no account uses."""
    if users := [a.name for a in parts.records.accounts(caller.workspace) if a.brand == brand]:
        raise Refused(f"{', '.join(users)} uses the brand {brand}", do="Give it another one first")
    parts.records.remove_brand(caller.workspace, brand)
    parts.audit.record(caller.actor, "brand removed", brand, workspace=caller.workspace)
    return Response(status_code=204)


# People


@router.get("/members")
def list_members(parts: Parts, caller: Admin) -> Members:
    """Everybody of the workspace, with their roles."""
    roles = parts.people.members(caller.workspace)
    people = parts.people.users(roles)
    return Members(members=[MemberOut(id=u.id, name=u.name, email=u.email, role=roles[u.id]) for u in people])


@router.post("/invitations", status_code=201, responses=NOT_NOW, openapi_extra=DESCRIBED)
def invite(request: Request, parts: Parts, caller: Admin, wanted: InvitationIn) -> Invited:
    """Invite somebody; the answer alone has the link."""
    if wanted.role is Role.OWNER:
        raise Refused("A program makes no owners", do="An owner invites them on the page Team")
    secret = team.invite(parts, caller.actor, email=wanted.email, workspace=caller.workspace, role=wanted.role)
    origin = parts.settings.public_url.rstrip("/") or str(request.base_url).rstrip("/")
    return Invited(link=f"{origin}/join?link={secret}")


@router.put("/members/{member}", status_code=204, responses=NOT_THERE | NOT_NOW)
def change_member(parts: Parts, caller: Admin, member: str, wanted: MemberEdit) -> Response:
    """Give somebody another role; owners are made and unmade by people alone."""
    roles = parts.people.members(caller.workspace)
    if member not in roles:
        raise NotFound("There is no such person in this workspace")
    if Role.OWNER in {wanted.role, roles[member]}:
        raise Refused("A program changes no owners", do="An owner does so on the page Team")
    team.change_role(parts, caller.actor, member, workspace=caller.workspace, role=wanted.role)
    return Response(status_code=204)


@router.delete("/members/{member}", status_code=204, responses=NOT_THERE | NOT_NOW)
def remove_member(parts: Parts, caller: Admin, member: str) -> Response:
    """Take somebody who is no owner out of the workspace."""
    roles = parts.people.members(caller.workspace)
    if member not in roles:
        raise NotFound("There is no such person in this workspace")
    if roles[member] is Role.OWNER:
        raise Refused("A program changes no owners", do="An owner does so on the page Team")
    team.change_role(parts, caller.actor, member, workspace=caller.workspace, role=None)
    return Response(status_code=204)


# What was done, and what is to come


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


@router.get("/forecast")
def forecast(
    parts: Parts,
    caller: Reader,
    start: date,
    end: date,
    zone: Annotated[str, Query(max_length=60, description="Whose days; empty: the installation's.")] = "",
) -> ForecastOut:
    """What the posts from ``start`` until before ``end`` cost and use up, and which tokens end before."""
    if not 0 < (end - start).days <= calendar.DAYS_MOST or not 1970 < start.year < 9990:
        raise HandbillError("These are no days of a calendar", do=f"Ask for 1 to {calendar.DAYS_MOST} of them")
    here = schedule.zone_of(zone or parts.settings.zone)
    days = [datetime.combine(start + timedelta(days=n), time(0), here) for n in range((end - start).days + 1)]
    accounts = parts.records.accounts(caller.workspace)
    found = calendar.foreseen(parts, caller.workspace, accounts, days)
    return ForecastOut(
        posts=found.posts,
        evergreen=found.evergreen,
        cost=found.cost,
        about=found.mean,
        quotas=[QuotaOut(account=q.name, platform=q.label, most=q.most, used=q.used, day=q.day) for q in found.quotas],
        expiring=[ExpiringOut(account=name, at=at, posts_after=after) for name, at, after in found.expiring],
    )


def _tag(record: Source | Account) -> str:
    """The ETag of a record: what changes whenever anybody has set something about it."""
    return f'"{digest(to_json(record), length=16)}"'


def _seen(found: Seen, if_match: str) -> Seen:
    """``found``, if it is what If-Match says that the caller looked at."""
    if if_match and if_match.strip() != "*" and _tag(found) not in tags(if_match):
        line = f"{found.id} was changed meanwhile. Look at it again, then repeat."
        raise HTTPException(412, line, {"ETag": _tag(found)})
    return found


def _source(parts: Runtime, caller: Caller, name: str) -> Source:
    """The source, by its id or its name in the workspace, if it is the caller's."""
    full = name if "." in name else f"{caller.workspace}.{name}"
    if full.partition(".")[0] != caller.workspace:
        raise NotFound(f"There is no source {name}")
    return parts.sources.get(full)


def _source_out(parts: Runtime, source: Source) -> SourceOut:
    return SourceOut.model_validate(show.source_json(source, parts.sources.state(source.id)))


def _said(asked: RulesIn) -> Mapping[str, Any]:
    return {name: value for name in asked.model_fields_set if (value := getattr(asked, name)) is not None}


def _account(parts: Runtime, caller: Caller, name: str) -> Account:
    """The account, by its id or its name in the workspace, if it is the caller's."""
    full = name if "." in name else f"{caller.workspace}.{name}"
    if full.partition(".")[0] != caller.workspace:
        raise NotFound(f"There is no account {name}")
    return parts.records.account(full)


def _account_out(parts: Runtime, account: Account) -> AccountInFull:
    return AccountInFull.model_validate(
        {
            **show.account_json(account),
            "calendar": schedule.write_calendar(account.calendar),
            "approval": account.approval,
            "brand": account.brand,
            "design": account.design,
            "voices": {host: dataclasses.asdict(voice) for host, voice in account.voices.items()},
            "token": show.standing_json(parts.renewals.standing(account)),
        }
    )


def _brand_out(brand: Brand) -> BrandOut:
    told = dataclasses.asdict(brand)
    return BrandOut.model_validate({name: told[name] for name in BrandOut.model_fields})


def _file(kind: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise HandbillError(f"The {kind} is not in base64") from None
