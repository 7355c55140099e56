"""The API of connecting accounts by consent: the apps that ask, where a person allows it, and what became of that."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from web.access import Admin, Caller, Parts
from web.api import NOT_NOW, NOT_THERE, REFUSALS
from web.house import AccountInFull, account_out
from web.replay import Remembered
from worker import schedule
from worker.errors import NotFound
from worker.model import Account
from worker.pipeline.connect import LIFE, Choosing
from worker.runtime import Runtime

router = APIRouter(prefix="/api/v1", tags=["consent"], responses=REFUSALS, route_class=Remembered)

Values = Annotated[
    dict[Annotated[str, Field(max_length=200)], Annotated[str, Field(max_length=10_000)]], Field(max_length=50)
]


class AppIn(BaseModel):
    """What a platform gave your app, by its names for them; ``server`` where each server has apps of its own."""

    model_config = ConfigDict(extra="forbid")

    server: Annotated[str, Field(max_length=500)] = ""
    settings: Values = {}


class AppOut(BaseModel):
    """One app, without its secret; ``redirect`` is the address that it must know, "" if it registered itself."""

    app: str
    client_id: str
    redirect: str


class Apps(BaseModel):
    """Every app of the workspace."""

    apps: list[AppOut]


class ConsentIn(BaseModel):
    """An account that somebody is to allow on its platform; ``role`` where there are several to post as."""

    model_config = ConfigDict(extra="forbid")

    platform: Annotated[str, Field(max_length=200)]
    name: Annotated[str, Field(max_length=100)] = ""
    zone: Annotated[str, Field(max_length=60)] = ""
    role: Annotated[str, Field(max_length=100)] = ""
    rehearsal: bool = False
    settings: Values = {}


class ConsentOut(BaseModel):
    """Where an owner of the workspace, signed in here, allows it: ``seconds`` are left for that."""

    id: str
    address: str
    scopes: list[str]
    redirect: str
    seconds: int


class Came(BaseModel):
    """What became of it: ``waiting`` for whoever allows it, one of ``choices`` to be chosen, or ``connected``."""

    state: Literal["waiting", "choosing", "connected"]
    choices: list[str] = []
    pick: str = ""
    account: AccountInFull | None = None


class ChoiceIn(BaseModel):
    """Which of the choices, counted from 0."""

    model_config = ConfigDict(extra="forbid")

    choice: Annotated[int, Field(ge=0, le=10_000)]


@router.get("/apps")
def list_apps(parts: Parts, caller: Admin) -> Apps:
    """The apps that ask platforms for consent."""
    return Apps(apps=[_app_out(parts, caller, name) for name in parts.records.connections.apps(caller.workspace)])


@router.put("/apps/{platform}")
def keep_app(parts: Parts, caller: Admin, platform: str, wanted: AppIn) -> AppOut:
    """Keep the credentials of an app, encrypted."""
    given = {**wanted.settings, **({"server": wanted.server} if wanted.server else {})}
    name = parts.connecting.save_app(caller.workspace, platform, given)
    parts.audit.record(caller.actor, "app kept", name, workspace=caller.workspace)
    return _app_out(parts, caller, name)


@router.delete("/apps/{app:path}", status_code=204, responses=NOT_THERE)
def remove_app(parts: Parts, caller: Admin, app: str) -> Response:
    """Forget an app; accounts that were connected through it cannot renew their tokens any more."""
    if not parts.records.connections.remove_app(caller.workspace, app):
        raise NotFound(f"There is no app {app}")
    parts.audit.record(caller.actor, "app removed", app, workspace=caller.workspace)
    return Response(status_code=204)


@router.post("/consents", status_code=201, responses=NOT_NOW)
def begin(parts: Parts, caller: Admin, wanted: ConsentIn) -> ConsentOut:
    """Begin to connect an account by consent: pass the address on to an owner, and ask what became of it."""
    begun = parts.connecting.begin(
        wanted.platform,
        wanted.settings,
        workspace=caller.workspace,
        browser=_mine(caller),
        name=wanted.name,
        role=wanted.role,
        zone=schedule.zone_of(wanted.zone).key if wanted.zone else "",
        rehearsal=wanted.rehearsal,
        program=True,
    )
    return ConsentOut(
        id=begun.state,
        address=begun.address,
        scopes=list(begun.scopes),
        redirect=begun.redirect,
        seconds=round(LIFE),
    )


@router.post("/consents/{consent}/finish", responses=NOT_THERE | NOT_NOW)
def finish(parts: Parts, caller: Admin, consent: str) -> Came:
    """What became of it; the account is connected as soon as somebody has allowed it and there is nothing to choose."""
    found = parts.connecting.arrived(consent, browser=_mine(caller))
    if found is None:
        if not parts.connecting.waiting(consent, browser=_mine(caller)):
            raise NotFound("Nothing of that id is under way", do="Begin again")
        return Came(state="waiting")
    if isinstance(found, Choosing):
        return Came(state="choosing", choices=list(found.labels), pick=found.pick)
    return _connected(parts, caller, found)


@router.post("/consents/{pick}/choose", responses=NOT_NOW)
def choose(parts: Parts, caller: Admin, pick: str, wanted: ChoiceIn) -> Came:
    """Connect the Page, channel or organisation that was chosen."""
    account = parts.connecting.choose(pick, wanted.choice, browser=_mine(caller), workspace=caller.workspace)
    return _connected(parts, caller, account)


def _connected(parts: Runtime, caller: Caller, account: Account) -> Came:
    parts.audit.record(caller.actor, "account connected", account.id, workspace=caller.workspace, detail=account.name)
    return Came(state="connected", account=account_out(parts, account))


def _mine(caller: Caller) -> str:
    """What is under way is the token's that began it: nobody else asks under its name."""
    return f"token:{caller.workspace}:{caller.actor.id}"


def _app_out(parts: Runtime, caller: Caller, name: str) -> AppOut:
    platform = name.partition("@")[0]
    redirect = "" if "@" in name else parts.connecting.redirect(platform)
    known = parts.records.connections.app(caller.workspace, name)
    return AppOut(app=name, client_id=known.get("client_id", ""), redirect=redirect)
