"""The JSON API: articles in, deliveries and accounts out, and what a person may decide; a token sees its workspace."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from publishers.core.post import Media
from web import listing, pictures, versions
from web.access import Admin, Caller, Parts, Reader, Writer
from web.replay import Remembered
from web.versions import IfMatch, IfNoneMatch
from worker import approval, decisions, schedule, show
from worker.errors import BadSource, NotFound
from worker.intake.model import Candidate, Fate
from worker.model import Account, Delivery, Status
from worker.pipeline import edit
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
    """One article on one account; ``evergreen`` is the rule that shares an older one again, else empty."""

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
    evergreen: str
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


class ArticleLine(BaseModel):
    """One article in a list."""

    id: str
    url: str
    title: str
    site: str
    language: str
    published_at: str | None
    arrived_at: str


class Articles(BaseModel):
    """A page of articles, the latest to arrive first; ``next`` is the cursor of the following page."""

    articles: list[ArticleLine]
    next: str | None


class AcceptIn(BaseModel):
    """Where an article is posted: ``accounts`` are ids, none means all; a ``draft`` waits for whoever finishes it.

    With ``again`` it is posted once more where it is planned or out already.
    """

    model_config = ConfigDict(extra="forbid")

    accounts: Annotated[list[str], Field(max_length=500)] = []
    draft: bool = False
    thread: bool = False
    again: bool = False


class Planned(BaseModel):
    """What was planned of an article, by delivery."""

    article: str
    deliveries: dict[str, Status]


class MoveIn(BaseModel):
    """When a post is to go out."""

    model_config = ConfigDict(extra="forbid")

    at: Annotated[str, Field(max_length=40, description="now, slot, or an ISO time in the account's zone.")]


class WhyIn(BaseModel):
    """Why a post is sent back to whoever wrote it."""

    model_config = ConfigDict(extra="forbid")

    why: Annotated[str, Field(max_length=500)] = ""


class StopIn(BaseModel):
    """What is stopped or goes on: one account, or without one the whole workspace."""

    model_config = ConfigDict(extra="forbid")

    account: Annotated[str, Field(max_length=200)] = ""


class Stopped(BaseModel):
    """What may not send now, and why, by ``account:ID``, ``workspace:NAME`` or ``all``; ``held`` waits for review."""

    paused: dict[str, str]
    held: int = 0


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


class DoneIn(BaseModel):
    """What was posted by hand: its address, if it has one."""

    model_config = ConfigDict(extra="forbid")

    link: Annotated[str, Field(max_length=2000, pattern=r"^(https?://\S+)?$")] = ""


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

CHANGED: dict[int | str, dict[str, Any]] = {
    412: {"model": Problem, "description": "It has changed since the ETag that If-Match names."},
    428: {"model": Problem, "description": "If-Match is missing."},
}

router = APIRouter(prefix="/api/v1", tags=["api"], responses=REFUSALS, route_class=Remembered)


WantedStatus = Annotated[Status | None, BeforeValidator(lambda v: v.replace("_", " ") if isinstance(v, str) else v)]


@router.get("/deliveries", responses=NOT_THERE)
def list_deliveries(
    parts: Parts,
    caller: Reader,
    *,
    status: Annotated[WantedStatus, Query(description="Only this status.")] = None,
    article: Annotated[str, Query(description="Only this article's; they are few, and come on one page.")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: str = "",
) -> Deliveries:
    """Deliveries, the latest move first; one that moves while you page is met again on a first page."""
    if article:
        mine = parts.deliveries.several(parts.records.deliveries_of(own_article(parts, caller, article)))
        return Deliveries(deliveries=[delivery_out(parts, d) for d in mine if status in {None, d.status}], next=None)
    found, following = listing.page(
        parts.deliveries,
        [status] if status else list(Status),
        most=limit,
        after=listing.read_cursor(cursor),
        workspace=caller.workspace,
    )
    place = listing.write_cursor(following) if following else None
    return Deliveries(deliveries=[delivery_out(parts, d) for d in found], next=place)


@router.get(
    "/deliveries/{delivery}",
    responses=NOT_THERE | {304: {"description": "It is as it was."}},
    response_model=DeliveryInFull,
)
def get_delivery(
    parts: Parts, caller: Reader, response: Response, delivery: str, if_none_match: IfNoneMatch = ""
) -> Any:
    """One delivery with its history; its ETag is what edits must name in If-Match."""
    found = own_delivery(parts, caller, delivery)
    if etag(found) in versions.named(if_none_match):
        return Response(status_code=304, headers={"ETag": etag(found)})
    return in_full(parts, found, response)


@router.post("/deliveries/{delivery}/move", responses=NOT_THERE | NOT_NOW | CHANGED)
def move(
    parts: Parts, caller: Writer, response: Response, delivery: str, *, wanted: MoveIn, if_match: IfMatch = ""
) -> DeliveryInFull:
    """Let a post go out at another time; refused with every reason that forbids it."""
    found = seen(own_delivery(parts, caller, delivery), if_match, needed=False)
    account = parts.records.account(found.account)
    if wanted.at == SLOT:
        when = edit.next_slot(parts, account, delivery=found.id)
    else:
        when = schedule.parse(wanted.at, zone=account.zone, now=parts.now())
    edit.move(parts, found.id, when, by=caller.actor.name, seen=found.fence)
    return done_with(parts, caller, response, found, "moved", detail=when.wall)


@router.post("/deliveries/{delivery}/send-back", responses=NOT_THERE | NOT_NOW)
def send_back(parts: Parts, caller: Admin, response: Response, delivery: str, wanted: WhyIn) -> DeliveryInFull:
    """A post that awaits approval is a draft again, and says why."""
    found = own_delivery(parts, caller, delivery)
    edit.send_back(parts, found.id, wanted.why, by=caller.actor.name)
    return done_with(parts, caller, response, found, "sent back", detail=wanted.why)


@router.post("/deliveries/{delivery}/retry", responses=NOT_THERE | NOT_NOW)
def retry(parts: Parts, caller: Writer, response: Response, delivery: str) -> DeliveryInFull:
    """A failed or held post is due now; where approval is asked for, only an admin token says yes to that.

    It is held if its article does not say any more what it says: a change asks what becomes of it.
    """
    found = own_delivery(parts, caller, delivery)
    edit.retry(parts, found.id, by=caller.actor.name, approves=caller.rules)
    return done_with(parts, caller, response, found, decisions.DONE["retry"])


@router.post("/deliveries/{delivery}/cancel", responses=NOT_THERE | NOT_NOW)
def cancel(parts: Parts, caller: Writer, response: Response, delivery: str) -> DeliveryInFull:
    """It is never sent; refused once an attempt has begun."""
    found = own_delivery(parts, caller, delivery)
    decisions.cancel(parts.deliveries, found.id, by=caller.actor.name)
    return done_with(parts, caller, response, found, decisions.DONE["cancel"])


@router.post("/deliveries/{delivery}/approve", responses=NOT_THERE | NOT_NOW | CHANGED)
def approve(parts: Parts, caller: Admin, response: Response, delivery: str, if_match: IfMatch = "") -> DeliveryInFull:
    """A post that awaits approval goes out at its time, exactly as it is."""
    found = seen(own_delivery(parts, caller, delivery), if_match, needed=False)
    seal = approval.seal(found)
    edit.approve(parts, found.id, seal=seal, by=caller.actor.name)
    return done_with(parts, caller, response, found, decisions.DONE["approve"], detail=seal)


@router.post("/deliveries/{delivery}/resolve", responses=NOT_THERE | NOT_NOW | CHANGED)
def resolve(
    parts: Parts, caller: Writer, response: Response, *, delivery: str, answer: ResolveIn, if_match: IfMatch = ""
) -> DeliveryInFull:
    """A person looked at a parked post: it is there, and what was to follow it does; or it is to be sent again.

    If-Match says which attempt they looked for; without it, what was sent again once is not sent again.
    """
    found = seen(own_delivery(parts, caller, delivery), if_match, needed=False)
    there = answer.there.strip()
    attempt = found.fence if if_match.strip() not in ("", "*") else None
    edit.resolve(parts, found.id, there=there, seen=attempt, by=caller.actor.name, approves=caller.rules)
    return done_with(parts, caller, response, found, decisions.DONE["resolve"], detail=there or "sent again")


@router.post("/deliveries/{delivery}/done", responses=NOT_THERE | NOT_NOW)
def done(parts: Parts, caller: Writer, response: Response, delivery: str, answer: DoneIn) -> DeliveryInFull:
    """Somebody has posted by hand what waited for that."""
    found = own_delivery(parts, caller, delivery)
    decisions.done(parts.deliveries, found.id, link=answer.link, by=caller.actor.name)
    return done_with(parts, caller, response, found, decisions.DONE["done"], detail=answer.link)


@router.post("/stop", responses=NOT_THERE)
def stop(parts: Parts, caller: Writer, wanted: StopIn) -> Stopped:
    """The emergency stop of the workspace or one account; when this is answered, nothing of it begins any more."""
    scope = _scope(parts, caller, wanted)
    decisions.stop(parts.deliveries, scope, by=caller.actor.name)
    parts.audit.record(caller.actor, "stopped", scope, workspace=caller.workspace)
    return Stopped(paused=_paused(parts, caller))


@router.post("/resume", responses=NOT_THERE | NOT_NOW)
def resume(parts: Parts, caller: Writer, wanted: StopIn) -> Stopped:
    """What was stopped goes on; what became late meanwhile is held for review."""
    scope = _scope(parts, caller, wanted)
    held = decisions.go_on(parts.deliveries, scope)
    parts.audit.record(caller.actor, "resumed", scope, workspace=caller.workspace)
    return Stopped(paused=_paused(parts, caller), held=held)


@router.get("/articles")
def list_articles(
    parts: Parts,
    caller: Reader,
    shelf: Annotated[Literal["all", "new", "planned", "skipped"], Query(description="Where it lies.")] = "all",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: str = "",
) -> Articles:
    """Articles, the latest to arrive first."""
    rows = parts.records.arrived(caller.workspace, shelf, most=limit + 1, before=listing.read_cursor(cursor))
    shown = rows[:limit]
    found = parts.records.articles(i for _, i in shown)
    lines = [
        ArticleLine.model_validate({"id": i, "arrived_at": arrived.isoformat(), **show.article_json(found[i][0])})
        for arrived, i in shown
        if i in found
    ]
    return Articles(articles=lines, next=listing.write_cursor(shown[-1]) if len(rows) > limit else None)


@router.post("/articles/{article}/accept", responses=NOT_THERE | NOT_NOW)
def accept(parts: Parts, caller: Writer, article: str, wanted: AcceptIn) -> Planned:
    """Plan an article on accounts (none = those of its source), each in its next free slot and by its source's rules.

    What is planned already stays as it is.
    """
    name = own_article(parts, caller, article)
    found, _ = parts.records.article(name)
    if wanted.accounts:
        accounts, waits = parts.reader.speaking(found, accounts_of(parts, caller, wanted.accounts))
    else:
        accounts, waits = parts.reader.targets(found)
    planned = edit.accept(
        parts, name, accounts, approve=waits, draft=wanted.draft, thread=wanted.thread, again=wanted.again
    )
    parts.audit.record(caller.actor, "accepted", name, workspace=caller.workspace)
    return Planned(article=name, deliveries={d.id: d.status for d in planned})


@router.post("/articles/{article}/skip", responses=NOT_THERE | NOT_NOW)
def skip(parts: Parts, caller: Writer, article: str) -> Planned:
    """A new article is not posted."""
    name = own_article(parts, caller, article)
    edit.skip(parts, name)
    parts.audit.record(caller.actor, "skipped", name, workspace=caller.workspace)
    return Planned(article=name, deliveries={})


@router.post("/articles/{article}/bring-back", responses=NOT_THERE | NOT_NOW)
def bring_back(parts: Parts, caller: Writer, article: str) -> Planned:
    """An article that was skipped is new again."""
    name = own_article(parts, caller, article)
    edit.bring_back(parts, name)
    parts.audit.record(caller.actor, "brought back", name, workspace=caller.workspace)
    return Planned(article=name, deliveries={})


@router.get("/articles/{article}", responses=NOT_THERE)
def getown_article(parts: Parts, caller: Reader, article: str) -> ArticleInFull:
    """An article, what was written about it, and where its posts stand."""
    found, content = parts.records.article(own_article(parts, caller, article))
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
    accounts = accounts_of(parts, caller, wanted.accounts)
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


def own_delivery(parts: Runtime, caller: Caller, identity: str) -> Delivery:
    """The delivery, if it is the caller's."""
    if ID.fullmatch(identity):
        found = parts.deliveries.get(identity)
        if found.workspace == caller.workspace:
            return found
    raise NotFound(f"There is no delivery {identity}")


def own_article(parts: Runtime, caller: Caller, article: str) -> str:
    """The article's id, if it is the caller's."""
    if ID.fullmatch(article) and article.partition(".")[0] == caller.workspace:
        parts.records.article(article)
        return article
    raise NotFound(f"There is no article {article}")


def _scope(parts: Runtime, caller: Caller, wanted: StopIn) -> str:
    if not wanted.account:
        return f"workspace:{caller.workspace}"
    return f"account:{accounts_of(parts, caller, [wanted.account])[0].id}"


def _paused(parts: Runtime, caller: Caller) -> dict[str, str]:
    """Everything that keeps posts of the workspace from being sent."""
    mine = {"all", f"workspace:{caller.workspace}"}
    found = parts.deliveries.paused().items()
    return {
        scope: why
        for scope, (_, why) in found
        if scope in mine or scope.partition(":")[2].startswith(f"{caller.workspace}.")
    }


def etag(delivery: Delivery) -> str:
    """What changes whenever anything about a delivery does."""
    return f'"{delivery.fence}-{delivery.status.replace(" ", "-")}"'


def seen(found: Delivery, if_match: str, *, needed: bool) -> Delivery:
    """``found``, if it is what If-Match says that the caller looked at."""
    if not if_match and needed:
        raise HTTPException(428, "Say in If-Match which version you looked at: the ETag of GET on this address.")
    versions.seen(etag(found), if_match, found.id)
    return found


def done_with(
    parts: Runtime, caller: Caller, response: Response, found: Delivery, what: str, *, detail: str = ""
) -> DeliveryInFull:
    """Write down what was done, and answer with how it stands now."""
    parts.audit.record(caller.actor, what, found.id, workspace=caller.workspace, detail=detail)
    return in_full(parts, parts.deliveries.get(found.id), response)


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


def accounts_of(parts: Runtime, caller: Caller, names: list[str]) -> list[Account]:
    """The accounts named, or all that are active and get no digest; never one of another workspace."""
    if not names:
        return parts.accounts.receivers(caller.workspace)
    there = {a.id: a for a in parts.records.accounts(caller.workspace)}
    full = [n if "." in n else f"{caller.workspace}.{n}" for n in names]
    if missing := [n for n in full if n not in there]:
        raise NotFound(f"There is no account {missing[0]}", do="See: GET /api/v1/accounts")
    return [there[n] for n in dict.fromkeys(full)]


def delivery_out(parts: Runtime, delivery: Delivery) -> DeliveryOut:
    """A delivery as programs see it."""
    return DeliveryOut.model_validate(_shape(parts, delivery))


def in_full(parts: Runtime, delivery: Delivery, response: Response) -> DeliveryInFull:
    """A delivery with everything that happened to it; the answer says its ETag."""
    response.headers["ETag"] = etag(delivery)
    look = parts.deliveries.next_look(delivery.id)
    return DeliveryInFull.model_validate(
        {
            **_shape(parts, delivery),
            "history": [show.event_json(e) for e in parts.deliveries.history(delivery.id)],
            "next_look": look.isoformat().replace("+00:00", "Z") if look else None,
        }
    )


def _shape(parts: Runtime, delivery: Delivery) -> dict[str, Any]:
    """What the command line prints, but pictures by address: no path of this machine leaves it."""
    shown = delivery.steps[0].post.media if delivery.steps else ()
    src = pictures.src(parts.vault, delivery.workspace)
    return {**show.delivery_json(delivery), "media": [_media(m, src) for m in shown]}


def _media(media: Media, src: Callable[[Media], str]) -> MediaOut:
    return MediaOut(
        url=src(media),
        mime=media.mime,
        width=media.width,
        height=media.height,
        bytes=media.size,
        alt=media.alt,
    )
