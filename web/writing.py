"""The API of the composer: another wording, how a post would stand, what it says, its picture, its time."""

from __future__ import annotations

import base64
import binascii
import dataclasses
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from publishers.core.post import Media
from web import composer
from web.access import Parts, Reader, Writer
from web.api import (
    CHANGED,
    NOT_NOW,
    NOT_THERE,
    REFUSALS,
    DeliveryInFull,
    MoveIn,
    done_with,
    own_delivery,
    seen,
)
from web.guard import takes
from web.replay import Remembered
from web.versions import IfMatch
from worker import schedule
from worker.errors import HandbillError
from worker.model import Delivery
from worker.pipeline import edit
from worker.pipeline.edit import Edit
from worker.pipeline.share import SLOT
from worker.runtime import Runtime

router = APIRouter(prefix="/api/v1/deliveries", tags=["api"], responses=REFUSALS, route_class=Remembered)

BODY_MOST = composer.UPLOAD_MOST * 4 // 3 + 500_000
"""Bytes: a picture in base64, and the words."""


class PictureIn(BaseModel):
    """A picture in base64, or a card of a ``design`` ("" chooses one, plain is the article's photo).

    ``focus`` is the point of the photo that must stay, such as 0.25,0.5.
    """

    model_config = ConfigDict(extra="forbid")

    design: Annotated[str, Field(max_length=40)] = ""
    focus: Annotated[str, Field(max_length=40)] = ""
    upload: Annotated[str, Field(max_length=BODY_MOST)] = ""


class WordsIn(BaseModel):
    """What a post is to say; what is left out stays. ``parts`` are the replies of a thread."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(max_length=100_000)] | None = None
    alt: Annotated[str, Field(max_length=edit.LONGEST_ALT)] | None = None
    warning: Annotated[str, Field(max_length=500)] | None = None
    parts: Annotated[list[Annotated[str, Field(max_length=100_000)]], Field(max_length=edit.MOST_PARTS)] | None = None
    comment: Annotated[str, Field(max_length=10_000)] | None = None


class EditIn(WordsIn):
    """What is to be different of a post; what is left out stays, and null for ``picture`` takes it away."""

    picture: PictureIn | None = None


class Wording(BaseModel):
    """What the machine would write."""

    text: str
    warning: str


class CountOut(BaseModel):
    """How long one part is in the platform's own counting."""

    name: str
    length: int
    limit: int


class OriginOut(BaseModel):
    """A sentence of the post, with what stands around it in the article; null if a person or a model wrote it."""

    text: str
    before: str | None
    after: str


class CheckOut(BaseModel):
    """What would keep a post from being sent (``faults``), what somebody should know, and whence its sentences are."""

    counts: list[CountOut]
    faults: list[str]
    hints: list[str]
    origins: list[OriginOut]


@router.get("/{delivery}/wording", responses=NOT_THERE)
def word_otherwise(
    parts: Parts,
    caller: Reader,
    delivery: str,
    variant: Annotated[int, Query(ge=0, le=99, description="Another choice of sentences.")] = 0,
    template: Annotated[str, Query(max_length=40, description="In the words of this platform's template.")] = "",
) -> Wording:
    """What the machine would write for this post; nothing is changed."""
    found = own_delivery(parts, caller, delivery)
    article, content = parts.records.article(found.article)
    text, warning = composer.worded(parts, article, content, found, variant=variant, template=template)
    return Wording(text=text, warning=warning)


@router.post("/{delivery}/check", responses=NOT_THERE)
def check(parts: Parts, caller: Reader, delivery: str, wanted: WordsIn) -> CheckOut:
    """How the post would stand with these words, as its platform counts them; nothing is stored."""
    found = own_delivery(parts, caller, delivery)
    article, content = parts.records.article(found.article)
    shown = dataclasses.replace(found, steps=edit.rewritten(found, _edit(wanted, None), found.version))
    account = parts.records.account(found.account)
    told = composer.checked(parts, article, content, shown, account)
    return CheckOut(
        counts=[CountOut(name=c.name, length=c.length, limit=c.limit) for c in told.counts],
        faults=list(told.faults),
        hints=list(told.hints),
        origins=[OriginOut(text=o.text, before=o.before, after=o.after) for o in told.origins],
    )


@router.patch("/{delivery}", responses=NOT_THERE | NOT_NOW | CHANGED)
@takes(BODY_MOST)
def change(
    parts: Parts, caller: Writer, response: Response, delivery: str, *, wanted: EditIn, if_match: IfMatch = ""
) -> DeliveryInFull:
    """Change what a post says before it goes out; an approval is void then. Refused once an attempt has begun."""
    found = seen(own_delivery(parts, caller, delivery), if_match, needed=True)
    told = _edit(wanted, _picture(parts, found, wanted))
    edit.change(parts, found.id, told, by=caller.actor.name, seen=found.fence)
    return done_with(parts, caller, response, found, "edited")


@router.post("/{delivery}/finish", responses=NOT_THERE | NOT_NOW | CHANGED)
def finish(
    parts: Parts, caller: Writer, response: Response, delivery: str, *, wanted: MoveIn, if_match: IfMatch = ""
) -> DeliveryInFull:
    """A draft is ready: it goes out at its time, or waits for approval; refused with everything that forbids it."""
    found = seen(own_delivery(parts, caller, delivery), if_match, needed=False)
    zone = parts.records.account(found.account).zone
    when = None if wanted.at == SLOT else schedule.parse(wanted.at, zone=zone, now=parts.now())
    edit.finish(parts, found.id, when, by=caller.actor.name, seen=found.fence)
    return done_with(parts, caller, response, found, "planned", detail=when.wall if when else SLOT)


@router.delete("/{delivery}", status_code=204, responses=NOT_THERE | NOT_NOW)
def drop(parts: Parts, caller: Writer, delivery: str) -> Response:
    """The account is no target of the article any more: a draft vanishes, what was planned is cancelled."""
    found = own_delivery(parts, caller, delivery)
    edit.drop(parts, found.id, by=caller.actor.name)
    parts.audit.record(caller.actor, "taken off", found.id, workspace=caller.workspace)
    return Response(status_code=204)


def _edit(wanted: WordsIn, picture: tuple[Media, ...] | None) -> Edit:
    return Edit(
        text=wanted.text,
        alt=wanted.alt,
        picture=picture,
        warning=wanted.warning,
        parts=None if wanted.parts is None else tuple(wanted.parts),
        comment=wanted.comment,
    )


def _picture(parts: Runtime, found: Delivery, wanted: EditIn) -> tuple[Media, ...] | None:
    """The picture that is asked for; None leaves it, () takes it away."""
    if "picture" not in wanted.model_fields_set:
        return None
    asked = wanted.picture
    if asked is None:
        return ()
    try:
        data = base64.b64decode(asked.upload, validate=True) if asked.upload else None
    except (binascii.Error, ValueError):
        raise HandbillError("The picture is not in base64") from None
    article, content = parts.records.article(found.article)
    account = composer.voiced(parts, article, found)
    made = composer.drawn(parts, article, content, account, design=asked.design, focus=asked.focus, data=data)
    return (made,)
