"""The JSON API: articles in, deliveries and accounts out, and what a person may decide; a token sees its workspace."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from publishers.core.post import Media
from web import listing, pictures
from web.access import Caller, Parts, Reader, Writer
from worker import decisions, schedule, show
from worker.errors import BadSource, HandbillError, NotFound
from worker.intake.model import Candidate, Fate
from worker.model import Account, Delivery, Status
from worker.pipeline.share import SLOT
from worker.runtime import Runtime

ID = re.compile(r"[a-z0-9-]{1,32}\.[0-9a-f]{20}")
UNSEEN = re.compile(r"[\s\x00-\x1f\x7f]")


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    instance: str


class MediaOut(BaseModel):
    """One picture of a post, in pixels and bytes; its address wants the token too."""

    url: str
    mime: str
    width: int
    height: int
    bytes: int
    alt: str


class ReceiptOut(BaseModel):
    """The platform's proof that the message exists."""

    id: str
    url: str | None


class DeliveryOut(BaseModel):
    """One article on one account."""

    id: str
    article: str
    account: str
    platform: str
    workspace: str
    status: Status
    due: str
    wall: str
    zone: str
    attempts: int
    version: int
    reason: str
    text: str
    link: str | None
    media: list[MediaOut]
    receipt: ReceiptOut | None
    updated_at: str | None


class EventOut(BaseModel):
    """One line of a delivery's history."""

    at: str
    status: Status
    note: str
    attempt: int


class DeliveryInFull(DeliveryOut):
    """A delivery with everything that happened to it; ``next_look`` is when a worker looks at it next."""

    history: list[EventOut]
    next_look: str | None


class Deliveries(BaseModel):
    """A page of deliveries, the latest move first; ``next`` is the cursor of the following page."""

    deliveries: list[DeliveryOut]
    next: str | None


class AccountOut(BaseModel):
    """One account, without its secrets."""

    id: str
    platform: str
    name: str
    url: str
    workspace: str
    zone: str
    rehearsal: bool
    active: bool
    limits: dict[str, Any]
    proof: str | None


class Accounts(BaseModel):
    """Every account of the workspace."""

    accounts: list[AccountOut]


class SummaryOut(BaseModel):
    """Summaries of about 120, 280 and 600 characters."""

    short: str
    medium: str
    long: str


class SentenceOut(BaseModel):
    """A sentence and where it stands in the article's text, in code points."""

    text: str
    source_offset: int | None


class ContentOut(BaseModel):
    """What was written about an article."""

    summary: SummaryOut
    sentences: list[SentenceOut]
    hashtags: list[str]
    alt: str


class ArticleOut(BaseModel):
    """An article as it was read."""

    id: str
    url: str
    title: str
    author: str
    site: str
    language: str
    published_at: str | None
    text: str
    image: str | None


class ArticleInFull(BaseModel):
    """An article, what was written about it, and its deliveries by id."""

    article: ArticleOut
    content: ContentOut
    deliveries: dict[str, Status]


class ShareIn(BaseModel):
    """An article to be posted: ``accounts`` are ids, none means every active one of the workspace."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"source": "https://example.org/a"}]})

    source: Annotated[str, Field(max_length=2000, description="The article's http or https address.")]
    accounts: Annotated[list[str], Field(max_length=500)] = []
    at: Annotated[str, Field(max_length=40, description="now, slot, or an ISO time in the account's zone.")] = "now"


class ItemOut(BaseModel):
    """An article that came in, and what became of it: new, held, planned, skipped, duplicate or failed, and why."""

    id: str
    fate: Fate
    reason: str
    source: str
    address: str
    title: str
    ways: list[str]
    of: str
    article: str
    deliveries: list[str]
    created_at: str | None
    updated_at: str | None
    next_look: str | None


class Items(BaseModel):
    """A page of what came in, the latest move first; ``next`` is the cursor of the following page."""

    items: list[ItemOut]
    next: str | None


class ShareOut(BaseModel):
    """What was stored, on the disk; ``item`` says what becomes of it once it is read: /api/v1/items/ITEM."""

    source: str
    workspace: str
    accounts: list[str]
    at: str
    item: str
    fate: Fate


class ResolveIn(BaseModel):
    """How a parked post is settled: either where it is (its address or id), or that it is to be sent again."""

    model_config = ConfigDict(extra="forbid")

    there: Annotated[str, Field(max_length=2000)] = ""
    send_again: bool = False

    @model_validator(mode="after")
    def _one_of_them(self) -> ResolveIn:
        if bool(self.there.strip()) == self.send_again:
            raise ValueError("give either there or send_again")
        return self


REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "There is no token, or it is not one of ours."},
    403: {"model": Problem, "description": "The token's scope does not reach so far."},
}
NOT_THERE: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "It is not in this workspace."}}
NOT_NOW: dict[int | str, dict[str, Any]] = {409: {"model": Problem, "description": "Its status does not allow it now."}}

router = APIRouter(prefix="/api/v1", tags=["api"], responses=REFUSALS)


WantedStatus = Annotated[Status | None, BeforeValidator(lambda v: v.replace("_", " ") if isinstance(v, str) else v)]


@router.get("/deliveries")
def list_deliveries(
    parts: Parts,
    caller: Reader,
    status: Annotated[WantedStatus, Query(description="Only this status.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: str = "",
) -> Deliveries:
    """Deliveries, the latest move first; one that moves while you page is met again on a first page."""
    found, following = listing.page(
        parts.deliveries,
        [status] if status else list(Status),
        most=limit,
        after=listing.read_cursor(cursor),
        workspace=caller.workspace,
    )
    place = listing.write_cursor(following) if following else None
    return Deliveries(deliveries=[_delivery(d) for d in found], next=place)


@router.get("/deliveries/{delivery}", responses=NOT_THERE)
def get_delivery(parts: Parts, caller: Reader, delivery: str) -> DeliveryInFull:
    """One delivery with its history."""
    return _in_full(parts, _find(parts, caller, delivery))


@router.post("/deliveries/{delivery}/retry", responses=NOT_THERE | NOT_NOW)
def retry(parts: Parts, caller: Writer, delivery: str) -> DeliveryInFull:
    """A failed or held post is due now."""
    decisions.retry(parts.deliveries, _find(parts, caller, delivery).id)
    _record(parts, caller, "retry", delivery)
    return _in_full(parts, _find(parts, caller, delivery))


@router.post("/deliveries/{delivery}/cancel", responses=NOT_THERE | NOT_NOW)
def cancel(parts: Parts, caller: Writer, delivery: str) -> DeliveryInFull:
    """It is never sent; refused once an attempt has begun."""
    decisions.cancel(parts.deliveries, _find(parts, caller, delivery).id)
    _record(parts, caller, "cancel", delivery)
    return _in_full(parts, _find(parts, caller, delivery))


@router.post("/deliveries/{delivery}/approve", responses=NOT_THERE | NOT_NOW)
def approve(parts: Parts, caller: Writer, delivery: str) -> DeliveryInFull:
    """A post that awaits approval goes out at its time."""
    decisions.approve(parts.deliveries, _find(parts, caller, delivery).id)
    _record(parts, caller, "approve", delivery)
    return _in_full(parts, _find(parts, caller, delivery))


@router.post("/deliveries/{delivery}/resolve", responses=NOT_THERE | NOT_NOW)
def resolve(parts: Parts, caller: Writer, delivery: str, answer: ResolveIn) -> DeliveryInFull:
    """A person looked at a parked post: it is there, or it is to be sent again."""
    there = answer.there.strip()
    decisions.resolve(parts.deliveries, _find(parts, caller, delivery).id, there=there)
    _record(parts, caller, "resolve", delivery, there)
    return _in_full(parts, _find(parts, caller, delivery))


@router.get("/articles/{article}", responses=NOT_THERE)
def get_article(parts: Parts, caller: Reader, article: str) -> ArticleInFull:
    """An article, what was written about it, and where its posts stand."""
    if not ID.fullmatch(article) or article.partition(".")[0] != caller.workspace:
        raise NotFound(f"There is no article {article}")
    found, content = parts.records.article(article)
    posts = parts.deliveries.several(parts.records.deliveries_of(article))
    return ArticleInFull(
        article=ArticleOut.model_validate({"id": found.id, **show.article_json(found)}),
        content=ContentOut.model_validate(show.content_json(content)),
        deliveries={d.id: d.status for d in posts},
    )


@router.post("/articles", status_code=202)
def share(parts: Parts, caller: Writer, wanted: ShareIn) -> ShareOut:
    """Turn an article into posts; it is stored when this answers, and the same article again posts nothing twice."""
    source = _web_address(wanted.source)
    accounts = _accounts(parts, caller, wanted.accounts)
    if wanted.at != SLOT:
        for account in accounts:
            schedule.parse(wanted.at, zone=account.zone, now=parts.now())
    ids = [a.id for a in accounts]
    asked = Candidate(address=source, accounts=tuple(ids), at=wanted.at, way="api")
    item = parts.intake.arrived(None, asked, workspace=caller.workspace)
    parts.audit.record(caller.actor, "article handed in", workspace=caller.workspace, detail=source)
    return ShareOut(source=source, workspace=caller.workspace, accounts=ids, at=wanted.at, item=item.id, fate=item.fate)


@router.get("/items")
def list_items(
    parts: Parts,
    caller: Reader,
    fate: Annotated[Fate | None, Query(description="Only this fate.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: str = "",
) -> Items:
    """What came in, the latest move first, and what became of each."""
    rows = parts.sources.latest(
        caller.workspace, [fate] if fate else Fate, most=limit + 1, before=listing.read_cursor(cursor)
    )
    following = listing.write_cursor(rows[limit - 1]) if len(rows) > limit else None
    found = parts.sources.items(i for _, i in rows[:limit])
    return Items(items=[ItemOut.model_validate(show.item_json(i)) for i in found], next=following)


@router.get("/items/{item}", responses=NOT_THERE)
def get_item(parts: Parts, caller: Reader, item: str) -> ItemOut:
    """One article that came in, and what became of it."""
    if not ID.fullmatch(item) or item.partition(".")[0] != caller.workspace:
        raise NotFound(f"There is no item {item}")
    return ItemOut.model_validate(show.item_json(parts.sources.item(item)))


@router.get("/accounts")
def list_accounts(parts: Parts, caller: Reader) -> Accounts:
    """Every account of the workspace."""
    found = parts.records.accounts(caller.workspace)
    return Accounts(accounts=[AccountOut.model_validate(show.account_json(a)) for a in found])


def _find(parts: Runtime, caller: Caller, identity: str) -> Delivery:
    """The delivery, if it is the caller's."""
    if ID.fullmatch(identity):
        found = parts.deliveries.get(identity)
        if found.workspace == caller.workspace:
            return found
    raise NotFound(f"There is no delivery {identity}")


def _record(parts: Runtime, caller: Caller, decision: str, delivery: str, detail: str = "") -> None:
    done = decisions.DONE[decision]
    parts.audit.record(caller.actor, done, delivery, workspace=caller.workspace, detail=detail)


def _web_address(source: str) -> str:
    """``source`` if it is a web address without a password in it; a path would read this machine's files."""
    try:
        parts = urlsplit(source)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None
    except ValueError:
        usable = False
    if not usable or UNSEEN.search(source):
        raise BadSource("The source is no web address", do="Give an http or https address without a password in it")
    return source


def _accounts(parts: Runtime, caller: Caller, names: list[str]) -> list[Account]:
    """The accounts named, or all that are active; never one of another workspace."""
    there = {a.id: a for a in parts.records.accounts(caller.workspace)}
    if not names:
        if active := [a for a in there.values() if a.active]:
            return active
        raise HandbillError("There is no account to post to", do="Add one: handbill accounts add PLATFORM")
    full = [n if "." in n else f"{caller.workspace}.{n}" for n in names]
    if missing := [n for n in full if n not in there]:
        raise NotFound(f"There is no account {missing[0]}", do="See: GET /api/v1/accounts")
    return [there[n] for n in dict.fromkeys(full)]


def _delivery(delivery: Delivery) -> DeliveryOut:
    return DeliveryOut.model_validate(_shape(delivery))


def _in_full(parts: Runtime, delivery: Delivery) -> DeliveryInFull:
    look = parts.deliveries.next_look(delivery.id)
    return DeliveryInFull.model_validate(
        {
            **_shape(delivery),
            "history": [show.event_json(e) for e in parts.deliveries.history(delivery.id)],
            "next_look": look.isoformat().replace("+00:00", "Z") if look else None,
        }
    )


def _shape(delivery: Delivery) -> dict[str, Any]:
    """What the command line prints, but pictures by address: no path of this machine leaves it."""
    pictures = delivery.steps[0].post.media if delivery.steps else ()
    return {**show.delivery_json(delivery), "media": [_media(m) for m in pictures]}


def _media(media: Media) -> MediaOut:
    return MediaOut(
        url=pictures.src(media),
        mime=media.mime,
        width=media.width,
        height=media.height,
        bytes=media.size,
        alt=media.alt,
    )
