"""The API of outgoing webhooks: who is told what becomes of posts, and the log of what each was told."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from web import versions
from web.access import Admin, Parts, Reader, Writer
from web.api import CHANGED, NOT_THERE, REFUSALS
from web.replay import Remembered
from web.versions import IfMatch
from worker.model import Status
from worker.store.listeners import Listener, Notice

router = APIRouter(prefix="/api/v1/webhooks", tags=["webhooks"], responses=REFUSALS, route_class=Remembered)


OF_ADDRESS = "Whether its address is a secret: encrypted, and shown nowhere. Null: if it looks so."
Private = Annotated[bool | None, Field(description=OF_ADDRESS)]


class WebhookIn(BaseModel):
    """Where to tell what becomes of posts; ``events`` are statuses, none means every one that is announced."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Field(min_length=1, max_length=2000)]
    name: Annotated[str, Field(max_length=100)] = ""
    events: Annotated[list[Status], Field(max_length=20)] = []
    private: Private = None


class WebhookEdit(BaseModel):
    """What is to be different of a webhook; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str | None, Field(max_length=100)] = None
    events: Annotated[list[Status] | None, Field(max_length=20)] = None
    active: Annotated[bool | None, Field(description="True: it is told again, from now on.")] = None
    private: Private = None


class WebhookOut(BaseModel):
    """One webhook, without its secret; one that is not ``active`` asked to be told nothing more."""

    id: str
    url: str
    private: Private
    name: str
    events: list[Status]
    active: bool
    created_at: str | None


class WebhookMade(WebhookOut):
    """A new webhook with the secret that signs its notices, shown this once."""

    secret: str


class Webhooks(BaseModel):
    """Every webhook of the workspace, the oldest first."""

    webhooks: list[WebhookOut]


class AnswerOut(BaseModel):
    """What a listener said, and when."""

    at: str
    said: str


class NoticeOut(BaseModel):
    """One thing that was told, or is to be: each answer with its instant, the latest last."""

    id: str
    kind: str
    body: str
    tries: int
    done: bool
    given_up: bool
    answers: list[AnswerOut]


class Log(BaseModel):
    """What a webhook was told, the latest first."""

    notices: list[NoticeOut]


@router.get("")
def list_webhooks(parts: Parts, caller: Reader) -> Webhooks:
    """Who is told."""
    return Webhooks(webhooks=[_webhook(one) for one in parts.listeners.listed(caller.workspace)])


@router.post("", status_code=201)
def add_webhook(parts: Parts, caller: Admin, wanted: WebhookIn) -> WebhookMade:
    """Tell an address from now on, signed after Standard Webhooks."""
    made, secret = parts.announcer.add(
        caller.workspace,
        wanted.url,
        name=wanted.name,
        events=tuple(dict.fromkeys(wanted.events)),
        private=wanted.private,
    )
    parts.audit.record(caller.actor, "webhook added", made.id, workspace=caller.workspace)
    return WebhookMade(**_webhook(made).model_dump(), secret=secret)


@router.get("/{webhook}", responses=NOT_THERE)
def get_webhook(parts: Parts, caller: Reader, response: Response, webhook: str) -> WebhookOut:
    """One webhook; its ETag is what edits may name in If-Match."""
    found = parts.listeners.find(caller.workspace, webhook)
    response.headers["ETag"] = versions.tag(found)
    return _webhook(found)


@router.patch("/{webhook}", responses=NOT_THERE | {412: CHANGED[412]})
def edit_webhook(
    parts: Parts, caller: Admin, response: Response, webhook: str, *, wanted: WebhookEdit, if_match: IfMatch = ""
) -> WebhookOut:
    """Change its name or what it is told, tell it no more or again, or say whether its address is a secret."""
    said = {n: getattr(wanted, n) for n in wanted.model_fields_set}
    values = {n: v for n, v in said.items() if v is not None or n == "private"}
    made = parts.announcer.change(
        caller.workspace, webhook, seen=lambda one: versions.seen(versions.tag(one), if_match, one.id), **values
    )
    parts.audit.record(caller.actor, "webhook changed", made.id, workspace=caller.workspace)
    response.headers["ETag"] = versions.tag(made)
    return _webhook(made)


@router.delete("/{webhook}", status_code=204, responses=NOT_THERE)
def remove_webhook(parts: Parts, caller: Admin, webhook: str) -> Response:
    """Tell it nothing more, and forget what it was told."""
    parts.listeners.remove(parts.listeners.find(caller.workspace, webhook))
    parts.audit.record(caller.actor, "webhook removed", webhook, workspace=caller.workspace)
    return Response(status_code=204)


@router.post("/{webhook}/test", responses=NOT_THERE)
def test_webhook(parts: Parts, caller: Writer, webhook: str) -> NoticeOut:
    """Send it a ``ping`` now, and say what it answered."""
    return _notice(parts.announcer.test(parts.listeners.find(caller.workspace, webhook)))


@router.get("/{webhook}/log", responses=NOT_THERE)
def read_log(parts: Parts, caller: Reader, webhook: str) -> Log:
    """What it was told lately, and what it answered."""
    return Log(notices=[_notice(n) for n in parts.listeners.log(parts.listeners.find(caller.workspace, webhook))])


@router.post("/{webhook}/log/{notice}/replay", responses=NOT_THERE)
def replay(parts: Parts, caller: Writer, webhook: str, notice: str) -> NoticeOut:
    """Tell it once more, with the same id and to the byte the same."""
    found = parts.listeners.find(caller.workspace, webhook)
    return _notice(parts.listeners.replay(found, notice, parts.now()))


def _webhook(listener: Listener) -> WebhookOut:
    return WebhookOut(
        id=listener.id,
        url=listener.shown,
        private=listener.private,
        name=listener.name,
        events=list(listener.events),
        active=listener.active,
        created_at=listener.created_at.isoformat() if listener.created_at else None,
    )


def _notice(notice: Notice) -> NoticeOut:
    return NoticeOut(
        id=notice.id,
        kind=notice.kind,
        body=notice.body,
        tries=notice.tries,
        done=notice.done,
        given_up=notice.given_up,
        answers=[AnswerOut(at=at.isoformat(), said=said) for at, said in notice.answers],
    )
