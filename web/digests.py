"""The digests page and its API: which accounts get several articles in one post, when, and the next one's time."""

from __future__ import annotations

import dataclasses
from datetime import datetime, time
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse, Response

from web import render, versions, views
from web.access import Editor, Form, Parts, Person, Reader, Sent, Viewer, Writer, flash
from web.api import CHANGED, NOT_NOW, NOT_THERE, REFUSALS, DeliveryOut, accounts_of, delivery_out
from web.replay import Remembered
from web.versions import IfMatch
from worker import digest as words
from worker.digest import ROOM, WEEKDAYS
from worker.errors import HandbillError, NotFound, Refused
from worker.model import Account, Digest
from worker.pipeline.accounts import limits_of
from worker.runtime import Runtime

router = APIRouter(prefix="/digests", include_in_schema=False)
api = APIRouter(prefix="/api/v1/digests", tags=["digests"], responses=REFUSALS, route_class=Remembered)


class DigestIn(BaseModel):
    """When an account gets several articles in one post; ``on`` 0 is Monday, ``at`` the account's wall time.

    Only articles of the host ``source`` ("" = any); ``title`` "" is made of theirs.
    """

    model_config = ConfigDict(extra="forbid")

    every: Literal["daily", "weekly"] = "weekly"
    on: Annotated[int, Field(ge=0, le=6)] = 0
    at: time = time(8)
    source: Annotated[str, Field(max_length=253)] = ""
    most: Annotated[int, Field(ge=1, le=30)] = 8
    title: Annotated[str, Field(max_length=200)] = ""


class DigestOut(DigestIn):
    """The digest of an account, and the instant of the next."""

    account: str
    following: datetime


class Digests(BaseModel):
    """The digests of the workspace, by account."""

    digests: list[DigestOut]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One account with a digest as the page shows it; ``following`` in the account's zone."""

    account: Account
    label: str
    said: str
    following: datetime


@router.get("")
def show(request: Request, parts: Parts, person: Viewer, account: str = "") -> Response:
    """The digests, and the form of the one that is open, or of a new one."""
    return _page(request, parts, person, account)


@router.post("")
def save(request: Request, parts: Parts, person: Editor, sent: Form) -> Response:
    """Let an account get a digest in place of each article."""
    try:
        account = _own(parts, person.workspace, sent.get("account", ""))
        kept = parts.digests.keep(account, made := _read(sent))
    except HandbillError as error:
        return _page(request, parts, person, sent.get("account", ""), typed=sent, refused=str(error))
    parts.audit.record(person.actor, "digest kept", kept.id, workspace=person.workspace, detail=made.every)
    flash(parts, person, f"{kept.name} gets {words.said(made, kept.zone)}, and no article by itself.")
    return RedirectResponse("/digests", 303)


@router.post("/end")
def end(parts: Parts, person: Editor, sent: Form) -> Response:
    """Let an account get each article by itself again."""
    account = _own(parts, person.workspace, sent.get("account", ""))
    parts.digests.keep(account, None)
    parts.audit.record(person.actor, "digest kept", account.id, workspace=person.workspace, detail="off")
    flash(parts, person, f"{account.name} gets each article by itself again.")
    return RedirectResponse("/digests", 303)


@router.post("/send")
def send(parts: Parts, person: Editor, sent: Form) -> Response:
    """Plan one now, of what came in the last day or week."""
    account = _own(parts, person.workspace, sent.get("account", ""))
    made = parts.digests.plan(account) if account.digest else None
    if made is None:
        flash(parts, person, "Nothing came in its time, so there is no digest.", "warn")
        return RedirectResponse("/digests", 303)
    parts.audit.record(person.actor, "digest sent", made.id, workspace=person.workspace)
    return RedirectResponse(f"/queue?open={made.id}", 303)


@api.get("")
def list_digests(parts: Parts, caller: Reader) -> Digests:
    """The accounts that get a digest."""
    found = [a for a in parts.records.accounts(caller.workspace) if a.digest]
    return Digests(digests=[_out(parts, a, a.digest) for a in found if a.digest])


@api.get("/{account}", responses=NOT_THERE)
def get_digest(parts: Parts, caller: Reader, response: Response, account: str) -> DigestOut:
    """The digest of one account; its ETag is what edits may name in If-Match."""
    (found,) = accounts_of(parts, caller, [account])
    if found.digest is None:
        raise NotFound(f"{found.id} gets no digest")
    response.headers["ETag"] = versions.tag(found)
    return _out(parts, found, found.digest)


@api.put("/{account}", responses=NOT_THERE | {412: CHANGED[412]})
def put_digest(
    parts: Parts, caller: Writer, response: Response, account: str, *, wanted: DigestIn, if_match: IfMatch = ""
) -> DigestOut:
    """Let an account get a digest in place of each article."""
    (found,) = accounts_of(parts, caller, [account])
    made = Digest(**wanted.model_dump() | {"source": _host(wanted.source), "at": wanted.at.replace(tzinfo=None)})
    kept = parts.digests.keep(found, made, seen=lambda a: versions.seen(versions.tag(a), if_match, a.id))
    parts.audit.record(caller.actor, "digest kept", kept.id, workspace=caller.workspace, detail=made.every)
    response.headers["ETag"] = versions.tag(kept)
    return _out(parts, kept, made)


@api.delete("/{account}", status_code=204, responses=NOT_THERE)
def end_digest(parts: Parts, caller: Writer, account: str) -> Response:
    """Let an account get each article by itself again."""
    (found,) = accounts_of(parts, caller, [account])
    parts.digests.keep(found, None)
    parts.audit.record(caller.actor, "digest kept", found.id, workspace=caller.workspace, detail="off")
    return Response(status_code=204)


@api.post("/{account}/send", responses=NOT_THERE | NOT_NOW)
def send_digest(parts: Parts, caller: Writer, account: str) -> DeliveryOut:
    """Plan one now, of what came in the last day or week."""
    (found,) = accounts_of(parts, caller, [account])
    made = parts.digests.plan(found)
    if made is None:
        raise Refused("There is no digest", why="no article came in its time")
    parts.audit.record(caller.actor, "digest sent", made.id, workspace=caller.workspace)
    return delivery_out(parts, made)


def _page(
    request: Request, parts: Runtime, person: Person, name: str, *, typed: Sent | None = None, refused: str = ""
) -> Response:
    accounts = parts.records.accounts(person.workspace)
    able = [a for a in accounts if a.digest or limits_of(a).text >= ROOM]
    chosen = next((a for a in able if a.id == name), None)
    shown = dataclasses.asdict((chosen.digest if chosen else None) or Digest())
    lines = [
        Line(
            account=a,
            label=views.label_of(a.platform),
            said=words.said(a.digest, a.zone),
            following=words.following(a.digest, zone=a.zone, after=parts.now()).instant,
        )
        for a in able
        if a.digest
    ]
    return render.page(
        request,
        "digests.html",
        status=422 if refused else 200,
        lines=lines,
        able=[(a, views.label_of(a.platform)) for a in able],
        chosen=chosen,
        shown={"account": ""} | shown | {"at": f"{shown['at']:%H:%M}"} | (dict(typed) if typed else {}),
        weekdays=WEEKDAYS,
        refused=refused,
        room=ROOM,
    )


def _read(sent: Sent) -> Digest:
    """The digest that the form describes; raises HandbillError."""
    try:
        at = time.fromisoformat(sent.get("at", ""))
    except ValueError:
        raise HandbillError(f"{sent.get('at', '')!r} is no time of day", do="Write it as 08:00") from None
    on, most, every = sent.number("on"), sent.number("most"), sent.get("every", "")
    if on is None or most is None or every not in {"daily", "weekly"}:
        raise HandbillError("A digest is daily or weekly, on a weekday, with 1 to 30 articles")
    return Digest(
        every="daily" if every == "daily" else "weekly",
        on=on,
        at=at.replace(second=0, microsecond=0, tzinfo=None),
        source=_host(sent.get("source", "")),
        most=most,
        title=" ".join(sent.get("title", "").split())[:200],
    )


def _host(text: str) -> str:
    return text.strip().lower().removeprefix("www.")


def _own(parts: Runtime, workspace: str, name: str) -> Account:
    """The workspace's account; raises NotFound."""
    if name.partition(".")[0] != workspace:
        raise NotFound(f"There is no account {name}" if name else "No account is chosen")
    return parts.records.account(name)


def _out(parts: Runtime, account: Account, digest: Digest) -> DigestOut:
    when = words.following(digest, zone=account.zone, after=parts.now())
    return DigestOut(account=account.id, following=when.instant, **dataclasses.asdict(digest))
