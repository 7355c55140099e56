"""The API of what a workspace publishes with: its sources, accounts, voices, brand kits and the forecast."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

import publishers
from web import calendar, versions
from web.access import Admin, Caller, Parts, Reader, Writer
from web.api import CHANGED, NOT_NOW, NOT_THERE, REFUSALS, AccountOut
from web.guard import takes
from web.replay import Remembered
from web.versions import IfMatch
from worker import schedule, show
from worker.errors import HandbillError, NotFound, Refused
from worker.intake.model import Source
from worker.model import Account, Brand
from worker.pipeline.follow import Follow
from worker.pipeline.pictures import brand_folder, make_brand
from worker.pipeline.plan import speaking
from worker.runtime import Runtime

router = APIRouter(prefix="/api/v1", tags=["house"], responses=REFUSALS, route_class=Remembered)

CHANGES = NOT_THERE | {412: CHANGED[412]}
FILES = ("logo", "font", "text_font")
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


OF_ADDRESS = "Whether its address is a secret: encrypted, shown nowhere, told to no hub. Null: if it looks so."
Private = Annotated[bool | None, Field(description=OF_ADDRESS)]


class SourceIn(BaseModel):
    """A feed, or a site that has one, to be followed from now on; ``accounts`` none means every active one.

    With ``scheme`` in place of ``address`` it is a source that says itself what it publishes, by webhooks of that kind.
    """

    model_config = BOUND

    address: Annotated[str, Field(max_length=2000)] = ""
    scheme: Short = ""
    name: Annotated[str, Field(max_length=100)] = ""
    accounts: Words = []
    backfill: Annotated[int, Field(ge=0, le=100, description="Old articles that are taken, too.")] = 0
    private: Private = None
    rules: RulesIn = RulesIn()


class SourceEdit(BaseModel):
    """What is to be different of a source; what is left out stays."""

    model_config = BOUND

    name: Annotated[str | None, Field(min_length=1, max_length=100)] = None
    accounts: Words | None = None
    active: bool | None = None
    private: Private = None
    rules: RulesIn | None = None


class SourceOut(BaseModel):
    """One source and how it does."""

    id: str
    kind: str
    dialect: str
    name: str
    address: str
    private: Private
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


class SourceMade(SourceOut):
    """A new source; if it is told by webhooks, the address and the secret that they need, shown this once."""

    hook: str
    secret: str


class HookIn(BaseModel):
    """What is to send there: a kind of webhook, or "" for pings, which need no secret."""

    model_config = BOUND

    scheme: Short = ""


class HookOut(BaseModel):
    """The address of a source, and the secret of what sends there, shown this once ("" for pings)."""

    address: str
    secret: str


class FindIn(BaseModel):
    """A site, or a feed."""

    model_config = BOUND

    address: Annotated[str, Field(min_length=1, max_length=2000)]
    rules: RulesIn = RulesIn()


class FeedOut(BaseModel):
    """A feed that a site has."""

    address: str
    title: str
    dialect: str


class WouldOut(BaseModel):
    """An article that the feed has now: it would be taken if it came new, unless ``why`` says why not."""

    address: str
    title: str
    published_at: datetime | None
    why: str


class FoundOut(BaseModel):
    """The feeds of a site, the best first, and what would be taken of the best."""

    feeds: list[FeedOut]
    would: list[WouldOut]


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
    """How the cards of a site or an account look; files in base64: "" or left out they stay, null takes them away."""

    model_config = BOUND

    colour: Annotated[str, Field(max_length=7)] = ""
    accent: Annotated[str, Field(max_length=7)] = ""
    corner: Short = ""
    design: Short = ""
    sources: Words = []
    logo: Annotated[str | None, Field(max_length=FILE_MOST)] = ""
    font: Annotated[str | None, Field(max_length=FILE_MOST)] = ""
    text_font: Annotated[str | None, Field(max_length=FILE_MOST)] = ""


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


@router.post("/sources/find", responses=NOT_NOW)
def find_source(parts: Parts, caller: Writer, wanted: FindIn) -> FoundOut:
    """The feeds of an address, and what the rules would take of the best one; nothing is stored."""
    with following(parts) as follow:
        asked = follow.ruled(None, caller.workspace, _said(wanted.rules))
        found = follow.discover(wanted.address.strip())
        would = follow.preview(found[0].feed, asked)
    return FoundOut(
        feeds=[FeedOut(address=f.address, title=f.feed.title, dialect=f.feed.dialect) for f in found],
        would=[
            WouldOut(address=w.entry.address, title=w.entry.title, published_at=w.entry.published, why=w.why)
            for w in would
        ],
    )


@router.post("/sources", status_code=201, responses=NOT_THERE | NOT_NOW)
def add_source(parts: Parts, caller: Writer, wanted: SourceIn) -> SourceMade:
    """Follow a feed, or the best one of a site, from now on; or make an address that is told by webhooks."""
    if bool(wanted.scheme) == bool(wanted.address.strip()):
        raise HandbillError("A source needs an address, or a scheme", do="Give one of them")
    accounts = [_account(parts, caller, a).id for a in wanted.accounts]
    hook = secret = ""
    with following(parts) as follow:
        asked = follow.ruled(None, caller.workspace, _said(wanted.rules))
        if wanted.scheme:
            made, hook, secret = follow.add_hook(
                caller.workspace, wanted.scheme, name=wanted.name, accounts=accounts, asked=asked
            )
        else:
            made = follow.add(
                caller.workspace,
                wanted.address,
                name=wanted.name,
                accounts=accounts,
                asked=asked,
                backfill=wanted.backfill,
                private=wanted.private,
            )
    detail = made.shown or made.dialect
    parts.audit.record(caller.actor, "source added", made.id, workspace=caller.workspace, detail=detail)
    return SourceMade(**_source_out(parts, made).model_dump(), hook=hook, secret=secret)


@router.post("/sources/{source}/hook", responses=NOT_THERE | NOT_NOW)
def open_hook(parts: Parts, caller: Writer, source: str, wanted: HookIn) -> HookOut:
    """Give a source an address at which its site says that it published; the secret before is forgotten."""
    found = _source(parts, caller, source)
    with following(parts) as follow:
        address, secret = follow.hook(found, wanted.scheme)
    parts.audit.record(caller.actor, "source hook", workspace=caller.workspace, detail=found.id)
    return HookOut(address=address, secret=secret)


@router.get("/sources/{source}", responses=NOT_THERE)
def get_source(parts: Parts, caller: Reader, response: Response, source: str) -> SourceOut:
    """One source, with its health and its rules; its ETag is what edits may name in If-Match."""
    found = _source(parts, caller, source)
    response.headers["ETag"] = versions.tag(found)
    return _source_out(parts, found)


@router.patch("/sources/{source}", responses=CHANGES)
def edit_source(
    parts: Parts, caller: Writer, response: Response, source: str, *, wanted: SourceEdit, if_match: IfMatch = ""
) -> SourceOut:
    """Change a source's name, accounts or rules, stop it or start it again, or say whether its address is a secret."""
    found = _source(parts, caller, source)
    said = None if wanted.rules is None else _said(wanted.rules)
    values: dict[str, Any] = {} if wanted.name is None else {"name": wanted.name}
    if wanted.accounts is not None:
        values["accounts"] = [_account(parts, caller, a).id for a in wanted.accounts]
    if "private" in wanted.model_fields_set:
        values["private"] = wanted.private
    with following(parts) as follow:
        found = follow.change(found, said=said, seen=lambda s: versions.seen(versions.tag(s), if_match, s.id), **values)
        if wanted.active is not None and wanted.active is not found.active:
            found = follow.start(found) if wanted.active else follow.stop(found)
    parts.audit.record(caller.actor, "source changed", workspace=caller.workspace, detail=found.id)
    response.headers["ETag"] = versions.tag(found)
    return _source_out(parts, found)


@router.delete("/sources/{source}", status_code=204, responses=NOT_THERE)
def remove_source(parts: Parts, caller: Writer, source: str) -> Response:
    """Follow it no more; what was made of its articles stays."""
    found = _source(parts, caller, source)
    with following(parts) as follow:
        follow.remove(found)
    parts.audit.record(caller.actor, "source remove", workspace=caller.workspace, detail=found.id)
    return Response(status_code=204)


@router.post("/sources/{source}/poll", responses=NOT_THERE | NOT_NOW)
def poll_source(parts: Parts, caller: Writer, source: str) -> Polled:
    """Read it now."""
    found = _source(parts, caller, source)
    with following(parts) as follow:
        new, state = follow.poll(found)
    return Polled(new=new or 0, error=state.error)


@router.post("/items/{item}/{decision}", status_code=204, responses=NOT_THERE)
def judge_item(parts: Parts, caller: Writer, item: str, decision: str) -> Response:
    """``take`` an article that came in whatever the rules say, ``look`` at it again now, or ``leave`` it out."""
    decide = {"take": parts.intake.release, "look": parts.intake.look, "leave": parts.intake.dismiss}.get(decision)
    if item.partition(".")[0] != caller.workspace or decide is None:
        raise NotFound(f"There is no item {item}, or no decision {decision}")
    parts.sources.item(item)
    decide(item)
    parts.audit.record(caller.actor, f"item {decision}", workspace=caller.workspace, detail=item)
    return Response(status_code=204)


# Accounts


@router.post("/accounts", status_code=201, responses=NOT_NOW)
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
    parts.deliveries.resume(f"connect:{made.id}")
    parts.audit.record(caller.actor, "account connected", made.id, workspace=caller.workspace)
    return account_out(parts, made)


@router.get("/accounts/{account}", responses=NOT_THERE)
def get_account(parts: Parts, caller: Reader, response: Response, account: str) -> AccountInFull:
    """One account with what was set about it, and how its token stands; its ETag is what edits may name in If-Match."""
    found = _account(parts, caller, account)
    response.headers["ETag"] = versions.tag(found)
    return account_out(parts, found)


@router.patch("/accounts/{account}", responses=CHANGES)
def edit_account(
    parts: Parts, caller: Admin, response: Response, account: str, *, wanted: AccountEdit, if_match: IfMatch = ""
) -> AccountInFull:
    """Set when an account posts, whether its posts are approved, and how its cards look."""
    found = _account(parts, caller, account)
    values: dict[str, Any] = {n: getattr(wanted, n) for n in wanted.model_fields_set}
    values = {n: v for n, v in values.items() if v is not None or n == "approval"}
    if "zone" in values:
        values["zone"] = schedule.zone_of(values["zone"]).key
    if "calendar" in values:
        values["calendar"] = schedule.read_calendar(values["calendar"])
    if values.get("brand") and values["brand"] not in {b.name for b in parts.records.brands(caller.workspace)}:
        raise NotFound(f"There is no brand {values['brand']}")

    def change(now: Account, _: object) -> tuple[Account, None]:
        versions.seen(versions.tag(now), if_match, now.id)
        return dataclasses.replace(now, **values), None

    changed = parts.records.change_account(found.id, change)
    told = ", ".join(sorted(values))
    parts.audit.record(caller.actor, "account changed", found.id, workspace=caller.workspace, detail=told)
    response.headers["ETag"] = versions.tag(changed)
    return account_out(parts, changed)


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
    parts.deliveries.resume(f"connect:{found.id}")
    return account_out(parts, parts.records.account(found.id))


@router.put("/accounts/{account}/voice", responses=CHANGES)
def set_voice(
    parts: Parts, caller: Writer, response: Response, account: str, *, wanted: VoiceIn, if_match: IfMatch = ""
) -> AccountInFull:
    """Set how an account speaks; refused where it could not be posted so."""
    found = _account(parts, caller, account)
    said = {n: v for n in wanted.model_fields_set - {"host"} if (v := getattr(wanted, n)) is not None}

    def change(now: Account, _: object) -> tuple[Account, None]:
        versions.seen(versions.tag(now), if_match, now.id)
        return speaking(now, wanted.host, said), None

    kept = parts.records.change_account(found.id, change)
    parts.audit.record(caller.actor, "voice changed", found.id, workspace=caller.workspace, detail=wanted.host)
    response.headers["ETag"] = versions.tag(kept)
    return account_out(parts, kept)


# Brand kits


@router.get("/brands")
def list_brands(parts: Parts, caller: Reader) -> Brands:
    """Every brand kit."""
    return Brands(brands=[_brand_out(b) for b in parts.records.brands(caller.workspace)])


@router.get("/brands/{brand}", responses=NOT_THERE)
def get_brand(parts: Parts, caller: Reader, response: Response, brand: str) -> BrandOut:
    """One brand kit; its ETag is what edits may name in If-Match."""
    found = next((b for b in parts.records.brands(caller.workspace) if b.name == brand), None)
    if found is None:
        raise NotFound(f"There is no brand {brand}")
    response.headers["ETag"] = versions.tag(found)
    return _brand_out(found)


@router.put("/brands/{brand}", responses=CHANGES)
@takes(4 * FILE_MOST)
def save_brand(
    parts: Parts, caller: Writer, response: Response, brand: str, *, wanted: BrandIn, if_match: IfMatch = ""
) -> BrandOut:
    """Make a brand kit, or change it; colours that could not be read and broken files are refused."""
    name = brand.strip()
    if not 0 < len(name) <= 60 or not name.isprintable():
        raise HandbillError("A brand needs a name", do="Give one of at most 60 characters")
    files = {kind: _file(kind, text) for kind in FILES if (text := getattr(wanted, kind))}
    stays = [kind for kind in FILES if getattr(wanted, kind) == ""]
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

    def changed(now: Brand | None) -> Brand:
        versions.seen(versions.tag(now) if now else "", if_match, name)
        return dataclasses.replace(made, **{k: getattr(now, k) for k in stays}) if now else made

    kept = parts.records.change_brand(caller.workspace, name, changed)
    parts.audit.record(caller.actor, "brand saved", name, workspace=caller.workspace)
    response.headers["ETag"] = versions.tag(kept)
    return _brand_out(kept)


@router.delete("/brands/{brand}", status_code=204, responses=NOT_THERE | NOT_NOW)
def remove_brand(parts: Parts, caller: Writer, brand: str) -> Response:
    """Forget a brand kit that no account uses."""
    if users := [a.name for a in parts.records.accounts(caller.workspace) if a.brand == brand]:
        raise Refused(f"{', '.join(users)} uses the brand {brand}", do="Give it another one first")
    parts.records.remove_brand(caller.workspace, brand)
    parts.audit.record(caller.actor, "brand removed", brand, workspace=caller.workspace)
    return Response(status_code=204)


# What is to come


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


@contextmanager
def following(parts: Runtime) -> Iterator[Follow]:
    """The use cases about sources, for one request."""
    follow = Follow(parts)
    try:
        yield follow
    finally:
        follow.close()


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


def account_out(parts: Runtime, account: Account) -> AccountInFull:
    """An account as programs see it."""
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
