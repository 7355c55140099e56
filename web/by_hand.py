"""The page of whoever posts by hand: everything to copy, a button that shares it, and where they say that it is done.

Nobody signs in here. The address is the secret: signed, for one post, and at an end after two weeks.
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import FileResponse, RedirectResponse, Response

import publishers
from publishers.core.by_hand import ByHand
from publishers.core.post import Media
from web import pictures, render, views
from web.access import Anyone, Form, Parts
from worker import decisions, reminders
from worker.errors import HandbillError, NotFound, Refused
from worker.model import Account, Delivery, Status
from worker.people import Actor
from worker.runtime import Runtime

router = APIRouter(include_in_schema=False)

OVER = "This link leads nowhere, or no more. The queue says what is still to be posted."
SETTLED = frozenset({Status.PUBLISHED, Status.EDITED, Status.DELETED})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What a person needs to post: ``account`` None if it was removed; ``place`` is what the platform is called."""

    delivery: Delivery
    account: Account | None
    place: str
    person: str
    opens: str


@router.get("/by-hand/{token}")
def show(request: Request, parts: Parts, person: Anyone, token: str) -> Response:
    """Everything that is needed to post it. Looking changes nothing: chats open links by themselves."""
    del person  # asked for so that the form below gets its token
    return _page(request, _kit(parts, token), token)


@router.post("/by-hand/{token}")
def done(request: Request, parts: Parts, sent: Form, token: str) -> Response:
    """They have posted it; the receipt says who, when and where."""
    kit, link = _kit(parts, token), sent.get("link", "").strip()
    who = f"{kit.person}, by the link they were sent"
    try:
        decisions.done(parts.deliveries, kit.delivery.id, link=link, by=who)
    except Refused as error:
        again = _kit(parts, token)
        if again.delivery.status not in SETTLED:
            problem = f"That was not kept: {error.why or error.what}. Try again in a moment."
            return _page(request, again, token, problem=problem, link=link, status=409)
    except HandbillError as error:
        return _page(request, kit, token, problem=str(error), link=link, status=422)
    else:
        actor = Actor(kind="link", id=kit.delivery.account, name=kit.person, where="by hand")
        workspace = kit.delivery.workspace
        parts.audit.record(actor, decisions.DONE["done"], kit.delivery.id, workspace=workspace, detail=link)
    return RedirectResponse(f"/{reminders.PATH}/{token}", 303)


@router.get("/by-hand/{token}/picture/{number}")
def picture(parts: Parts, token: str, number: int) -> Response:
    """A picture of the post, to be kept or shared."""
    media = _kit(parts, token).delivery.steps[0].post.media
    one = media[number - 1] if 0 < number <= len(media) else None
    found = pictures.find(parts.settings.data_dir / "media", _name(one)) if one else None
    if found is None:
        raise HTTPException(404, "There is no picture here.")
    return FileResponse(found[0], media_type=found[1], headers={"Cache-Control": "private, no-store"})


def _name(media: Media) -> str:
    return f"{media.sha256}.{pictures.SUFFIX.get(media.mime, 'jpg')}"


def _kit(parts: Runtime, token: str) -> Kit:
    """What a token opens; whatever is wrong with it, the answer is the same."""
    opened = reminders.opened(parts.settings, token, datetime.now(UTC))
    try:
        delivery = parts.deliveries.get(opened or "")
        kind = publishers.load(delivery.platform)
    except (NotFound, KeyError):
        raise HTTPException(404, OVER) from None
    if not issubclass(kind, ByHand):
        raise HTTPException(404, OVER)
    try:
        account = parts.records.account(delivery.account)
    except NotFound:
        account = None
    settings = account.settings if account else {}
    place = settings.get("service") or kind.label
    opens = settings.get("opens") or kind.opens
    return Kit(
        delivery=delivery,
        account=account,
        place=place,
        person=settings.get("person") or "somebody",
        opens=opens if views.host_of(opens) else "",
    )


def _page(request: Request, kit: Kit, token: str, *, problem: str = "", link: str = "", status: int = 200) -> Response:
    delivery = kit.delivery
    receipt = delivery.receipt
    return render.page(
        request,
        "by_hand.html",
        status=status,
        headers={"X-Robots-Tag": "noindex"},
        kit=kit,
        post=delivery.steps[0].post,
        told=len(delivery.steps[0].reminders),
        waits=delivery.status is Status.AWAITING_PERSON,
        settled=delivery.status in SETTLED,
        gone=delivery.status is Status.CANCELLED,
        posted=(receipt.url or "") if receipt and views.host_of(receipt.url) else "",
        address=f"/{reminders.PATH}/{token}",
        problem=problem,
        link=link,
    )
