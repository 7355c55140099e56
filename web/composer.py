"""The composer: one article's posts as their readers will see them; everything the machine wrote can be replaced."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

import publishers
from publishers.core.post import Media
from web import calendar, pictures, render, status, views
from web.access import Editor, Form, Parts, Person, Sent, Viewer, flash
from worker import approval, lifecycle, schedule
from worker.content import cards, checks
from worker.content.compose import plain
from worker.content.template import load_template
from worker.errors import HandbillError, NotFound
from worker.model import Account, Article, Content, Delivery, Status, StepKind
from worker.people import May
from worker.pipeline import edit
from worker.pipeline.accounts import limits_of
from worker.pipeline.edit import Edit
from worker.pipeline.pictures import PLAIN, Point
from worker.runtime import Runtime
from worker.settings import TEMPLATES

THUMB = (400, 210)
VARIANTS = 6
UPLOAD_MOST = 10_000_000
AROUND = 160
"""Characters of the article shown on either side of a sentence."""

NOW, SLOT, AT = "now", "slot", "at"

router = APIRouter(prefix="/compose", include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A sentence of the post and where it stands in the article; ``before`` None: a person or a model wrote it."""

    text: str
    before: str | None = None
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How long one part is in the platform's own counting."""

    name: str
    length: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What is known of a post as it stands: its lengths, why it could not be sent, and what somebody should know."""

    counts: tuple[Count, ...]
    faults: tuple[str, ...]
    hints: tuple[str, ...]
    origins: tuple[Origin, ...]
    shown: views.Shown


@dataclass(frozen=True, slots=True)
class Sheet:
    """What every part of the page is about."""

    parts: Runtime
    person: Person
    article: Article
    content: Content


@router.get("/{article}")
def show(
    request: Request,
    parts: Parts,
    person: Viewer,
    article: str,
    open: str = "",  # noqa: A002 - as other pages call it
) -> Response:
    """One article with its posts; the one that is open can be changed."""
    return _page(request, Sheet(parts, person, *_article(parts, person, article)), open)


@router.post("/{article}/targets")
def target(parts: Parts, person: Editor, sent: Form, article: str) -> Response:
    """Post to one more account, as a draft; or to one less."""
    found, _ = _article(parts, person, article)
    if gone := sent.get("drop"):
        edit.drop(parts, calendar.find(parts, person, gone).id, by=person.user.name)
        parts.audit.record(person.actor, "taken off", gone, workspace=person.workspace)
        return RedirectResponse(f"/compose/{found.id}", 303)
    edit.refuse_gone(parts, found.id)
    account = _account(parts, person, sent.get("account", ""))
    again = any(d.account == account.id for d in parts.deliveries.several(parts.records.deliveries_of(found.id)))

    def due(account: Account, delivery: str) -> schedule.When:
        return edit.next_slot(parts, account, delivery=delivery)

    speaking, _ = parts.reader.speaking(found, [account])
    (made,) = parts.planner.plan(found.id, speaking, due=due, draft=True, again=again)
    parts.audit.record(person.actor, "drafted", made.id, workspace=person.workspace)
    return RedirectResponse(f"/compose/{found.id}?open={made.id}", 303)


def voiced(parts: Runtime, article: Article, delivery: Delivery) -> Account:
    """The account of a delivery, as the source of its article wants it to speak."""
    ((account,), _) = parts.reader.speaking(article, [parts.records.account(delivery.account)])
    return account


def worded(
    parts: Runtime, article: Article, content: Content, delivery: Delivery, *, variant: int, template: str
) -> tuple[str, str]:
    """The text and the content warning that the machine would write for a delivery, in another choice of sentences."""
    text = load_template(template, TEMPLATES / "posts") if template in publishers.names() else ""
    account = voiced(parts, article, delivery)
    studio = parts.planner.studio
    made = studio.post_for(article, content, account, variant=variant, template=text, delivery=delivery.id)
    return made.post.text, made.post.warning


@router.get("/{article}/{delivery}/write")
def write(
    parts: Parts,
    person: Viewer,
    *,
    article: str,
    delivery: str,
    variant: Annotated[int, Query(ge=0, le=99)] = 0,
    template: str = "",
) -> Response:
    """What the machine would write: another choice of sentences, or in another template's words."""
    found, content = _article(parts, person, article)
    there = _delivery(parts, person, found, delivery)
    text, warning = worded(parts, found, content, there, variant=variant, template=template)
    return JSONResponse({"text": text, "warning": warning})


@router.get("/{article}/{delivery}/card")
def card(parts: Parts, person: Viewer, *, article: str, delivery: str, design: str = "", focus: str = "") -> Response:
    """A small picture of a design, for this very article and account."""
    found, content = _article(parts, person, article)
    account = voiced(parts, found, _delivery(parts, person, found, delivery))
    wide, high = limits_of(account).cards[0]
    size = (max(200, round(THUMB[0])), max(200, round(THUMB[0] * high / wide)))
    if design == PLAIN:
        photo = parts.planner.studio.photo(found)
        if photo is None:
            raise NotFound("The article has no picture of its own")
        made = cards.plain(photo, size=size, mime="image/webp", focus=_point(focus))
    else:
        made = parts.planner.studio.card(
            found,
            content,
            design=_design(design),
            size=size,
            mime="image/webp",
            brand=account.brand,
            focus=_point(focus),
        )
    headers = {"Cache-Control": "private, max-age=300", "X-Design": made.design}
    return Response(made.content, media_type=made.mime, headers=headers)


@router.get("/{article}/photo")
def photo(parts: Parts, person: Viewer, article: str) -> Response:
    """The article's own picture, small, for the point to be chosen on it."""
    found, _ = _article(parts, person, article)
    data = parts.planner.studio.photo(found)
    if data is None:
        raise NotFound("The article has no picture of its own")
    found_photo = cards.probe(data)
    wide, high = found_photo.width, found_photo.height
    scale = min(1.0, 640 / max(wide, high))
    size = (max(200, round(wide * scale)), max(200, round(high * scale)))
    made = cards.plain(data, size=size, mime="image/webp")
    return Response(made.content, media_type=made.mime, headers={"Cache-Control": "private, max-age=300"})


@router.post("/{article}/{delivery}/check")
def check(request: Request, parts: Parts, person: Viewer, sent: Form, *, article: str, delivery: str) -> Response:
    """What the form says, as the platform counts it and as its reader would see it; nothing is stored."""
    found, content = _article(parts, person, article)
    there = _delivery(parts, person, found, delivery)
    account = parts.records.account(there.account)
    sheet = Sheet(parts, person, found, content)
    steps = edit.rewritten(there, _edit(sheet, account, there, sent, pictured=False), there.version)
    return _fragment(request, sheet, dataclasses.replace(there, steps=steps), sent)


@router.post("/{article}/{delivery}")
def save(request: Request, parts: Parts, person: Editor, sent: Form, *, article: str, delivery: str) -> Response:
    """Keep what the form says, and schedule it if that was asked; a refusal loses nothing of what was written."""
    found, content = _article(parts, person, article)
    there = _delivery(parts, person, found, delivery)
    account = voiced(parts, found, there)
    sheet = Sheet(parts, person, found, content)
    seen = sent.number("seen")
    try:
        wanted = _edit(sheet, account, there, sent)
        kept = edit.change(parts, there.id, wanted, by=person.user.name, seen=seen)
        if kept.version != there.version:
            parts.audit.record(
                person.actor, "edited", kept.id, workspace=person.workspace, detail=f"version {kept.version}"
            )
        line = "Saved."
        if sent.get("do") == "plan":
            kept = _plan(parts, person, kept, account, sent)
            waits = " once somebody approves it" if kept.status is Status.AWAITING_APPROVAL else ""
            line = f"It goes out at {render.day(kept.due.astimezone(person.zone))} ({person.zone.key}){waits}."
            if kept.status is Status.HELD:
                line = f"It is held: {kept.reason}."
    except HandbillError as error:
        if "x-part" in request.headers:
            raise
        return _page(request, sheet, there.id, typed=sent, refused=str(error))
    if "x-part" in request.headers:
        return _fragment(request, sheet, kept, sent, said=line)
    flash(parts, person, line)
    return RedirectResponse(f"/compose/{found.id}?open={kept.id}", 303)


save.body_most = UPLOAD_MOST + 100_000  # type: ignore[attr-defined]  # read by web.guard


def _plan(parts: Runtime, person: Person, found: Delivery, account: Account, sent: Mapping[str, str]) -> Delivery:
    """Give it the time that was chosen."""
    chosen, name = sent.get("when", SLOT), person.user.name
    when: schedule.When | None = None
    if chosen == NOW:
        when = schedule.When(parts.now(), "", account.zone)
    elif chosen == AT:
        zone = sent.get("zone") or person.zone.key
        when = schedule.at_wall(calendar.read_wall(sent.get("wall", "")), zone)
    if found.status is Status.DRAFT:
        planned = edit.finish(parts, found.id, when, by=name)
    else:
        planned = edit.move(parts, found.id, when or edit.next_slot(parts, account, delivery=found.id), by=name)
    detail = f"{planned.wall or 'now'} {planned.zone}"
    parts.audit.record(person.actor, "planned", planned.id, workspace=person.workspace, detail=detail)
    return planned


def _edit(sheet: Sheet, account: Account, delivery: Delivery, sent: Sent, *, pictured: bool = True) -> Edit:
    """What the form wants to be different. Without ``pictured`` no picture is drawn for it."""
    limits = limits_of(account)
    picture = _picture(sheet, account, sent) if pictured else None
    for file in sent.files.values():
        file.file.close()
    alt = sent.get("alt")
    old = delivery.steps[0].post.media
    if picture and alt is not None and old and " ".join(alt.split()) == old[0].alt:
        alt = None  # the words were about the picture before
    if sent.get("picture") == "none" and not pictured:
        picture = ()
    return Edit(
        text=sent.get("text"),
        alt=alt,
        picture=picture,
        warning=sent.get("warning") if limits.warning else None,
        parts=tuple(sent.every("part")) if limits.thread and "parts" in sent else None,
        comment=sent.get("comment") if limits.thread or limits.comment else None,
    )


def _picture(sheet: Sheet, account: Account, sent: Sent) -> tuple[Media, ...] | None:
    """The picture that was chosen; None leaves it, () takes it away."""
    chosen = sent.get("picture", "keep")
    upload = sent.files.get("upload")
    data = upload.file.read(UPLOAD_MOST + 1) if chosen == "upload" and upload is not None else None
    if chosen == "none":
        return ()
    if chosen == "keep" or (chosen == "upload" and data is None):
        return None
    design = "" if chosen == "upload" else chosen
    focus = sent.get("focus", "")
    return (drawn(sheet.parts, sheet.article, sheet.content, account, design=design, focus=focus, data=data),)


def drawn(
    parts: Runtime, article: Article, content: Content, account: Account, *, design: str, focus: str, data: bytes | None
) -> Media:
    """A card of a design, or the picture in ``data``, with the point ``focus`` of its photo in it.

    Raises HandbillError.
    """
    if data is None:
        return parts.planner.studio.picture(article, content, account, design=_design(design), focus=_point(focus))
    if len(data) > UPLOAD_MOST:
        raise HandbillError(f"The picture has more than {UPLOAD_MOST // 1_000_000} MB", do="Give a smaller one")
    return parts.planner.studio.picture(article, content, account, design=PLAIN, focus=_point(focus), photo=data)


def _page(request: Request, sheet: Sheet, open_: str, *, typed: Sent | None = None, refused: str = "") -> HTMLResponse:
    parts, person, article, content = sheet.parts, sheet.person, sheet.article, sheet.content
    accounts = {a.id: a for a in parts.records.accounts(person.workspace)}
    every = list(parts.deliveries.several(parts.records.deliveries_of(article.id)))
    there = sorted(
        (d for d in every if d.status not in lifecycle.GONE),
        key=lambda d: (views.label_of(d.platform).lower(), d.account, d.share),
    )
    chosen = next((d for d in there if d.id == open_), there[0] if there else None)
    account = accounts.get(chosen.account) if chosen else None
    targets = [
        (status.row(d, accounts.get(d.account), now=parts.now()), calendar.hue(list(accounts.values()), d.account))
        for d in there
    ]
    editor = _editor(sheet, chosen, account, typed) if chosen and account else None
    active = [a for a in accounts.values() if a.active]
    meant = _meant(parts, article, active)
    return render.page(
        request,
        "compose.html",
        status=409 if refused else 200,
        article=article,
        host=views.host_of(article.url),
        content=content,
        targets=targets,
        chosen=chosen,
        editor=editor,
        more=[(a, views.label_of(a.platform)) for a in sorted(active, key=lambda a: a.id not in meant)],
        meant=meant,
        used={d.account for d in there},
        gone=parts.aftercare.gone(person.workspace).get(article.id, ""),
        over=[status.row(d, accounts.get(d.account), now=parts.now()) for d in every if d.status in lifecycle.GONE],
        refused=refused,
    )


def _meant(parts: Runtime, article: Article, active: Sequence[Account]) -> set[str]:
    """The accounts that the source of an article names; all of them if it names none."""
    try:
        return {a.id for a in parts.reader.targets(article)[0]}
    except HandbillError:
        return {a.id for a in active}


def _editor(sheet: Sheet, found: Delivery, account: Account, typed: Sent | None) -> dict[str, Any]:
    """Everything the form of one post shows."""
    parts, person, article = sheet.parts, sheet.person, sheet.article
    limits = limits_of(account)
    shown = found
    if typed is not None:
        steps = edit.rewritten(found, _edit(sheet, account, found, typed, pictured=False), 0)
        shown = dataclasses.replace(found, steps=steps)
    first = shown.steps[0].post
    open_ = found.status in edit.OPEN and found.step == 0
    try:
        slot = edit.next_slot(parts, account, delivery=found.id).instant.astimezone(person.zone) if open_ else None
    except HandbillError:
        slot = None
    there = found.due.astimezone(person.zone)
    return {
        "account": account,
        "label": views.label_of(account.platform),
        "limits": limits,
        "post": first,
        "parts": [s.post.text for s in shown.steps if s.kind is StepKind.REPLY],
        "comment": next((s.post.text for s in shown.steps if s.kind is StepKind.COMMENT), ""),
        "changeable": open_ and person.may(May.WRITE),
        "designs": cards.DESIGNS if limits.media else (),
        "photo": bool(article.image),
        "picture": pictures.src(parts.vault, person.workspace)(first.media[0]) if first.media else "",
        "templates": _templates(),
        "slot": slot,
        "at": there,
        "zones": list(dict.fromkeys([person.zone.key, account.zone])),
        "needs": parts.records.needs_approval(account),
        "seal": approval.seal(found),
        "checked": checked(parts, article, sheet.content, shown, account, zone=person.zone),
        "row": status.row(found, account, now=parts.now()),
    }


def _fragment(request: Request, sheet: Sheet, found: Delivery, sent: Sent, *, said: str = "") -> HTMLResponse:
    """The part of the page that follows what is written."""
    parts, person = sheet.parts, sheet.person
    account = parts.records.account(found.account)
    objections: list[str] = []
    note = ""
    if sent.get("when") == AT and sent.get("wall"):
        wall, zone = calendar.read_wall(sent["wall"]), sent.get("zone") or person.zone.key
        note = schedule.note(wall, zone)
        objections = edit.objections(parts, account, schedule.at_wall(wall, zone), delivery=found.id)
    return render.page(
        request,
        "compose_check.html",
        headers={"X-Seen": str(found.fence), "X-Said": said, "X-Status": str(found.status)},
        checked=checked(parts, sheet.article, sheet.content, found, account, zone=person.zone),
        objections=objections,
        note=note,
        label=views.label_of(account.platform),
    )


def checked(
    parts: Runtime,
    article: Article,
    content: Content,
    found: Delivery,
    account: Account,
    *,
    zone: ZoneInfo | None = None,
) -> Checked:
    """What is known of a post as it stands; its time is in ``zone``, or in the account's."""
    limits, label = limits_of(account), views.label_of(account.platform)
    counts = []
    for number, step in enumerate(found.steps):
        name = {StepKind.POST: "Text", StepKind.REPLY: f"Part {number + 1}", StepKind.COMMENT: "First comment"}[
            step.kind
        ]
        said = edit.counted(step.post, limits)
        counts.append(Count(name=name, length=limits.length(said), limit=limits.room(media=bool(step.post.media))))
    voice = account.voice(article)
    first = found.steps[0].post
    hints = [
        *edit.hints(found.steps, limits),
        *(
            f"{line}."
            for line in checks.post_warnings(
                article, first.text, sensitive=voice.sensitive if limits.warning else (), warned=bool(first.warning)
            )
        ),
    ]
    return Checked(
        counts=tuple(counts),
        faults=tuple(edit.faults(found.steps, limits, label)),
        hints=tuple(hints),
        origins=origins(article, content, [s.post.text for s in found.steps]),
        shown=views.shown(found, account, src=pictures.src(parts.vault, account.workspace), zone=zone),
    )


def origins(article: Article, content: Content, texts: Sequence[str]) -> tuple[Origin, ...]:
    """Where each of the article's sentences that a post uses stands, with what stands around it."""
    said = "\n".join(texts)
    found = []
    for sentence in content.sentences:
        if sentence.text not in said and plain(sentence.text) not in said:
            continue
        at = sentence.source_offset
        if at is None:
            found.append(Origin(text=sentence.text))
            continue
        end = at + len(sentence.text)
        before = article.text[max(0, at - AROUND) : at]
        after = article.text[end : end + AROUND]
        found.append(
            Origin(
                text=sentence.text,
                before=("…" if at > AROUND else "") + before.partition(" ")[2] if at > AROUND else before,
                after=after.rpartition(" ")[0] + "…" if end + AROUND < len(article.text) else after,
            )
        )
    return tuple(found)


def _article(parts: Runtime, person: Person, article: str) -> tuple[Article, Content]:
    """The article, if it is the workspace's; raises NotFound."""
    if article.partition(".")[0] != person.workspace:
        raise NotFound(f"There is no article {article}")
    return parts.records.article(article)


def _delivery(parts: Runtime, person: Person, article: Article, delivery: str) -> Delivery:
    found = calendar.find(parts, person, delivery)
    if found.article != article.id:
        raise NotFound(f"There is no delivery {delivery}")
    return found


def _account(parts: Runtime, person: Person, account: str) -> Account:
    if account.partition(".")[0] != person.workspace:
        raise NotFound(f"There is no account {account}")
    return parts.records.account(account)


def _design(name: str) -> str:
    if name in {"auto", ""}:
        return ""
    if name not in {*cards.DESIGNS, PLAIN}:
        raise HandbillError(f"There is no design {name}", do=f"Use one of: {', '.join(cards.DESIGNS)}")
    return name


def _point(text: str) -> Point | None:
    """``0.25,0.5`` as a point of a photo; None if nothing was chosen."""
    try:
        x, y = (float(n) for n in text.split(","))
    except ValueError:
        return None
    return (x, y) if 0 <= x <= 1 and 0 <= y <= 1 else None


@functools.cache
def _templates() -> tuple[tuple[str, str], ...]:
    """The templates that are there, by the platform they were made for."""
    there = {p.stem for p in (TEMPLATES / "posts").glob("*.txt")}
    return tuple((n, views.label_of(n)) for n in publishers.names() if n in there)
