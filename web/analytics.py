"""The services that count visits: connected, checked and removed, by forms of the numbers page and by the API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse, Response

from web.access import Admin, Form, Owner, Parts, Reader, flash
from web.api import NOT_NOW, NOT_THERE, REFUSALS
from web.replay import Remembered
from worker.analytics import SERVICES
from worker.errors import HandbillError, NotFound
from worker.runtime import Runtime
from worker.store.counters import Counter

BACK = "/numbers#services"

router = APIRouter(prefix="/numbers/services", include_in_schema=False)
api = APIRouter(prefix="/api/v1/analytics", tags=["numbers"], responses=REFUSALS, route_class=Remembered)


class ServiceIn(BaseModel):
    """A service (``plausible``, ``matomo`` or ``umami``) and what it is told, secrets too; ``source`` is the host whose
    articles it counts, "" all. With ``mark`` the links of accounts without parameters name their post from now on.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Annotated[str, Field(max_length=40)]
    settings: Annotated[dict[str, Annotated[str, Field(max_length=500)]], Field(max_length=20)]
    source: Annotated[str, Field(max_length=253)] = ""
    mark: bool = False


class ServiceOut(BaseModel):
    """A connected service without its secrets; ``unmarked`` are the accounts whose links do not name their post."""

    name: str
    kind: str
    source: str
    settings: dict[str, str]
    unmarked: list[str]


class Services(BaseModel):
    """The services of a workspace, by name."""

    services: list[ServiceOut]


class Said(BaseModel):
    """What a service answered, in one line."""

    said: str


@router.post("")
def connect(parts: Parts, person: Owner, sent: Form) -> Response:
    """Connect a service, if it answers; let links name their posts where that was ticked."""
    kind = sent.get("kind", "")
    if kind not in SERVICES:
        raise HandbillError("There is no such service", do=f"Choose one of {', '.join(SERVICES)}")
    given = {s.name: sent[s.name] for s in SERVICES[kind].settings if sent.get(s.name)}
    counter, said = parts.clicks.connect(person.workspace, kind, given, host=sent.get("source", "").strip())
    parts.audit.record(person.actor, "analytics connected", counter.name, workspace=person.workspace)
    more = _marked(parts, counter) if sent.get("mark") else ""
    flash(parts, person, f"{said}. {more}".strip())
    return RedirectResponse(BACK, 303)


@router.post("/{name}/{decision}")
def decide(parts: Parts, person: Owner, sent: Form, name: str, decision: str) -> Response:
    """Ask a service now, let links name their posts, or forget the service."""
    del sent
    counter = parts.counters.find(person.workspace, name)
    if decision == "check":
        flash(parts, person, f"{parts.clicks.check(counter)}.")
    elif decision == "mark":
        flash(parts, person, _marked(parts, counter))
        parts.audit.record(person.actor, "links name their posts", name, workspace=person.workspace)
    elif decision == "remove":
        parts.counters.remove(counter)
        parts.audit.record(person.actor, "analytics removed", name, workspace=person.workspace)
        flash(parts, person, f"{name} is asked no more.")
    else:
        raise NotFound(f"There is nothing called {decision} to do with {name}")
    return RedirectResponse(BACK, 303)


def _marked(parts: Runtime, counter: Counter) -> str:
    count = len(parts.clicks.mark_links(counter))
    return f"The links of {count} {'account names' if count == 1 else 'accounts name'} their post from now on."


@api.get("")
def list_services(parts: Parts, caller: Reader) -> Services:
    """The services that count visits, and whose links do not tell them anything."""
    return Services(services=[_out(parts, c) for c in parts.counters.listed(caller.workspace)])


@api.put("/{name}", responses=NOT_NOW)
def put_service(parts: Parts, caller: Admin, name: str, body: ServiceIn) -> ServiceOut:
    """Connect a service, in place of the one of that name, if it answers."""
    counter, _ = parts.clicks.connect(caller.workspace, body.kind, body.settings, name=name, host=body.source)
    parts.audit.record(caller.actor, "analytics connected", counter.name, workspace=caller.workspace)
    if body.mark:
        parts.clicks.mark_links(counter)
    return _out(parts, counter)


@api.post("/{name}/check", responses=NOT_THERE | NOT_NOW)
def check_service(parts: Parts, caller: Admin, name: str) -> Said:
    """Ask a service now; a refusal says what is wrong."""
    return Said(said=parts.clicks.check(parts.counters.find(caller.workspace, name)))


@api.post("/{name}/mark", responses=NOT_THERE | NOT_NOW)
def mark(parts: Parts, caller: Admin, name: str) -> ServiceOut:
    """Let the links of accounts without parameters name their post from now on."""
    counter = parts.counters.find(caller.workspace, name)
    parts.clicks.mark_links(counter)
    parts.audit.record(caller.actor, "links name their posts", name, workspace=caller.workspace)
    return _out(parts, counter)


@api.delete("/{name}", status_code=204, responses=NOT_THERE | NOT_NOW)
def delete_service(parts: Parts, caller: Admin, name: str) -> None:
    """Ask a service no more; what it counted stays."""
    parts.counters.remove(parts.counters.find(caller.workspace, name))
    parts.audit.record(caller.actor, "analytics removed", name, workspace=caller.workspace)


def _out(parts: Runtime, counter: Counter) -> ServiceOut:
    return ServiceOut(
        name=counter.name,
        kind=counter.kind,
        source=counter.host,
        settings=counter.settings,
        unmarked=parts.clicks.unmarked(counter),
    )
