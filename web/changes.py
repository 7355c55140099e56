"""The changes page and its API: articles that changed after they were posted, and what one approval does about it."""

from __future__ import annotations

import dataclasses
import difflib
from collections import Counter
from collections.abc import Collection, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NamedTuple

import regex
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse, Response

from web import pictures, render, views
from web.access import Admin, Approver, Editor, Form, Parts, Reader, Viewer, Writer, flash
from web.api import NOT_THERE, REFUSALS
from web.replay import Remembered
from worker.changes import CANCEL, PICTURE_ANEW, Action, Change, Kind, Proposal, State, replies
from worker.errors import HandbillError, NotFound
from worker.model import Delivery, StepKind
from worker.pipeline.changes import ONCE_MORE
from worker.runtime import Runtime

SHOWN = 50
LONG = 400  # characters from which only what would change is shown
LEFT_OUT = "…"
COMPARED = 1_000_000  # words of one text times those of the other, up to which they are compared word by word
DELETED = "(deleted)"
MESSAGES = frozenset({StepKind.POST, StepKind.REPLY, StepKind.COMMENT})
TONES = {Kind.CORRECTED: "warn", Kind.MOVED: "wait", Kind.HIDDEN: "warn", Kind.GONE: "bad", Kind.RETURNED: "warn"}

DID = {
    Action.EDIT: "edited",
    Action.REPOST: "deleted and re-posted",
    Action.REPLY: "answered with a correction",
    Action.RETRACT: "with its reply deleted",
    Action.DELETE: "deleted",
    Action.LEAVE: "left as before",
}
CANCELLED = "cancelled"

router = APIRouter(prefix="/changes", include_in_schema=False)
api = APIRouter(prefix="/api/v1", tags=["changes"], responses=REFUSALS, route_class=Remembered)


class Part(NamedTuple):
    """What one message of a delivery says, and what it would say then."""

    name: str
    now: str
    then: str


class Piece(NamedTuple):
    """Some words of a text, and whether the text beside it says something else there."""

    words: str
    other: bool


class Fate(StrEnum):
    """What has become of a decision about one post."""

    DONE = "done"
    UNDER_WAY = "on its way"
    WAITING = "not yet"
    NOT_DONE = "not done"
    LOST = "of a post that is not kept any more"


FATES = {Fate.NOT_DONE: "bad", Fate.WAITING: "wait", Fate.UNDER_WAY: "wait", Fate.LOST: "", Fate.DONE: "good"}
"""The tone of each, the one that is told first if there are several at the beginning."""


class Drawn(NamedTuple):
    """The picture that would take the place of a post's own: where it is ("" if it is not kept), its alt text and what
    it is.
    """

    src: str
    alt: str
    words: str


class Told(NamedTuple):
    """What became of a change in one line."""

    fate: Fate
    tone: str
    words: str


class ProposalOut(BaseModel):
    """What could be done about one delivery; ``ask`` must be answered with one of the other options.

    ``text`` is what it would say then; ``texts`` each of its messages, where it is a thread; ``title`` the one above
    it, if that would be another; ``alt`` the alt text of the picture that is drawn anew and ``picture`` its address, ""
    if its own stays; ``below`` what replies that corrected it would say, by their steps ("" is deleted).
    """

    delivery: str
    action: Action
    options: list[Action]
    text: str
    texts: list[str]
    title: str
    alt: str
    picture: str
    reply: str
    below: dict[int, str]
    why: list[str]


class ChangeOut(BaseModel):
    """One change of an article after it was posted; ``by`` is who decided, ``done`` for which deliveries it is.

    Deliveries that it left wrong: ``given_up`` are as they were, of ``picture_wrong`` the words alone were put right.
    """

    id: str
    article: str
    kind: Kind
    found_at: str
    what: list[str]
    address: str
    state: State
    by: str
    proposals: list[ProposalOut]
    done: list[str]
    given_up: list[str]
    picture_wrong: list[str]


class LeaveIn(BaseModel):
    """The delivery that stays as it is."""

    model_config = ConfigDict(extra="forbid")

    delivery: Annotated[str, Field(max_length=200)]


class Changes(BaseModel):
    """The changes, the latest first."""

    changes: list[ChangeOut]


class Choices(BaseModel):
    """What becomes of deliveries where it is not what was proposed, by their ids."""

    model_config = ConfigDict(extra="forbid")

    choices: Annotated[dict[str, Action], Field(max_length=500)] = {}


@router.get("")
def show(request: Request, parts: Parts, person: Viewer) -> Response:
    """What is to be decided, and what was."""
    found = parts.aftercare.changes(person.workspace)
    left = parts.changes.not_right(person.workspace)
    wrong = {c: [d for names in how.values() for d in names] for c, how in left.items()}
    shown = sorted(found, key=lambda c: (c.state is not State.OPEN, c.id not in wrong))[:SHOWN]
    posts = {d.id: d for d in parts.deliveries.several(p.delivery for c in shown for p in c.proposals)}
    made = {
        (c.id, p.delivery): _parts(p, posts[p.delivery]) if p.delivery in posts else []
        for c in shown
        for p in c.proposals
    }
    fates = {c.id: _fates(c, parts.aftercare.applied(c), posts) for c in shown if c.state is State.APPROVED}
    return render.page(
        request,
        "changes.html",
        changes=shown,
        posts=posts,
        fates=fates,
        told={c.id: _told(c, fates[c.id]) for c in shown if c.id in fates},
        left_out=any(LEFT_OUT in part.now.split("\n\n") for parts in made.values() for part in parts),
        titles=parts.records.titles({c.article for c in shown}),
        names={a.id: a.name for a in parts.records.accounts(person.workspace)},
        label_of=views.label_of,
        tones=TONES,
        once_more=ONCE_MORE,
        wrong={c.id: wrong[c.id] for c in shown if c.id in wrong},
        status_tones=views.TONES,
        parts_of=made,
        marked=marked,
        addresses={d.id: d.messages[0].receipt.url for d in posts.values() if d.messages},
        drawn={(c.id, p.delivery): _drawn(parts, c, p, posts.get(p.delivery)) for c in shown for p in c.proposals},
    )


@router.post("/look")
def look(parts: Parts, person: Editor, sent: Form) -> Response:
    """Look at an article's page now."""
    article = sent.get("article", "")
    _own(article, person.workspace)
    found = parts.changes.look(article)
    flash(parts, person, "It has changed: decide below." if found else f"{parts.changes.nothing_new(article)}.")
    return RedirectResponse("/changes", 303)


@router.post("/{change}/approve")
def approve(parts: Parts, person: Approver, sent: Form, change: str) -> Response:
    """Carry it out, each post as the form says."""
    _own(change, person.workspace)
    found = parts.aftercare.change(change)
    given = {p.delivery: sent[p.delivery] for p in found.proposals if p.delivery in sent}
    try:
        choices = {name: Action(word) for name, word in given.items()}
    except ValueError:
        raise HandbillError("This cannot be done with a post", do=f"Choose one of {', '.join(Action)}") from None
    parts.changes.approve(change, choices, by=person.user.name)
    parts.audit.record(person.actor, "change approved", change, workspace=person.workspace, detail=found.what[0])
    flash(parts, person, "Approved: it is carried out now.")
    return RedirectResponse("/changes", 303)


@router.post("/{change}/dismiss")
def dismiss(parts: Parts, person: Approver, sent: Form, change: str) -> Response:
    """Nothing is done about it."""
    del sent
    _own(change, person.workspace)
    parts.changes.dismiss(change, by=person.user.name)
    parts.audit.record(person.actor, "change dismissed", change, workspace=person.workspace)
    return RedirectResponse("/changes", 303)


@router.post("/{change}/leave")
def leave(parts: Parts, person: Approver, sent: Form, change: str) -> Response:
    """A post that it did not put right stays as it is."""
    _own(change, person.workspace)
    delivery = sent.get("delivery", "")
    parts.changes.leave(delivery, of=change)
    parts.audit.record(person.actor, "change left", change, workspace=person.workspace, detail=delivery)
    flash(parts, person, "It stays as it is.")
    return RedirectResponse("/changes", 303)


@api.get("/changes")
def list_changes(parts: Parts, caller: Reader, state: State | None = None) -> Changes:
    """Articles that changed after they were posted, the latest first."""
    found = [c for c in parts.aftercare.changes(caller.workspace) if state in {None, c.state}]
    wrong = parts.changes.not_right(caller.workspace)
    return Changes(changes=[_out(parts, c, wrong) for c in found])


@api.post("/changes/{change}/approve", responses=NOT_THERE)
def approve_change(parts: Parts, caller: Admin, change: str, body: Choices) -> ChangeOut:
    """Carry a change out, each post as proposed or as ``choices`` say."""
    _own(change, caller.workspace)
    done = parts.changes.approve(change, body.choices, by=caller.actor.name or caller.actor.id)
    parts.audit.record(caller.actor, "change approved", change, workspace=caller.workspace, detail=done.what[0])
    return _out(parts, done)


@api.post("/changes/{change}/dismiss", responses=NOT_THERE)
def dismiss_change(parts: Parts, caller: Admin, change: str) -> ChangeOut:
    """Do nothing about a change."""
    _own(change, caller.workspace)
    done = parts.changes.dismiss(change, by=caller.actor.name or caller.actor.id)
    parts.audit.record(caller.actor, "change dismissed", change, workspace=caller.workspace)
    return _out(parts, done)


@api.post("/changes/{change}/leave", responses=NOT_THERE)
def leave_change(parts: Parts, caller: Admin, change: str, body: LeaveIn) -> ChangeOut:
    """Leave a post as it is that a change did not put right: it is listed no more, and not asked about again."""
    _own(change, caller.workspace)
    done = parts.changes.leave(body.delivery, of=change)
    parts.audit.record(caller.actor, "change left", change, workspace=caller.workspace, detail=body.delivery)
    return _out(parts, done)


@api.post("/articles/{article}/look-again", responses=NOT_THERE)
def look_again(parts: Parts, caller: Writer, article: str) -> Changes:
    """Look at an article's page now; the changes that ask for something."""
    _own(article, caller.workspace)
    return Changes(changes=[_out(parts, c) for c in parts.changes.look(article)])


def _own(record: str, workspace: str) -> None:
    """Raise NotFound unless a record is the workspace's."""
    if record.partition(".")[0] != workspace:
        raise NotFound(f"There is no {record}")


def _fates(change: Change, applied: Collection[str], posts: Mapping[str, Delivery]) -> dict[str, Fate]:
    """How far each decision of a change has come, by deliveries: a step is done once the platform has confirmed it."""
    found = {}
    for proposal in change.proposals:
        delivery = posts.get(proposal.delivery)
        mine = [(n, s) for n, s in enumerate(delivery.steps) if s.change == change.id] if delivery else []
        if proposal.action is Action.LEAVE:
            fate = Fate.DONE
        elif delivery is None:
            fate = Fate.LOST
        elif proposal.delivery not in applied:
            fate = Fate.WAITING
        elif any(step.failed for _, step in mine):
            fate = Fate.NOT_DONE
        else:
            fate = Fate.UNDER_WAY if any(n >= delivery.step for n, _ in mine) else Fate.DONE
        found[proposal.delivery] = fate
    return found


def _told(change: Change, fates: Mapping[str, Fate]) -> Told:
    """What was done about a change's posts, and what is still to be."""
    count = Counter(
        _did(p) if fates[p.delivery] is Fate.DONE else f"{p.word(p.action)} {fates[p.delivery]}"
        for p in change.proposals
    )
    worst = next((fate for fate in FATES if fate in fates.values()), Fate.DONE)
    ordered = sorted(count.most_common(), key=lambda one: one[0] == DID[Action.LEAVE])
    return Told(worst, FATES[worst], ", ".join(f"{number} {what}" for what, number in ordered))


def _did(proposal: Proposal) -> str:
    return CANCELLED if proposal.word(proposal.action) == CANCEL else DID.get(proposal.action, "")


def _drawn(parts: Runtime, change: Change, proposal: Proposal, delivery: Delivery | None) -> Drawn | None:
    """The picture of a proposal, where it is or was to take the place of the post's own."""
    anew = not proposal.out or PICTURE_ANEW in proposal.why
    if not proposal.alt or (
        change.state is not State.OPEN
        and proposal.action is not Action.REPOST
        and not (anew and proposal.action is Action.EDIT)
    ):
        return None
    there = pictures.find(parts.settings.data_dir / "media", proposal.picture)
    src = pictures.named(parts.vault, change.workspace, proposal.picture) if there else ""
    first = delivery.steps[0].post.media[:1] if delivery else ()
    stays = any(Path(m.path).name == proposal.picture for m in first)
    words = "Its picture stays, with this alt text:" if stays else "Its new picture:"
    return Drawn(src, proposal.alt, words if anew or stays else "Its new picture, if it is re-posted:")


def _parts(proposal: Proposal, delivery: Delivery) -> list[Part]:
    """What the messages of a delivery say and would say then, as far as that is another thing."""
    kept = tuple(dataclasses.replace(s, receipt=None) if s.kind is StepKind.DELETE else s for s in delivery.steps)
    last = dataclasses.replace(delivery, steps=kept).messages  # what was deleted is shown as it was last
    added = replies(delivery)
    own = [m.post for m in delivery.messages if m.step not in added] or [m.post for m in last if m.step not in added]
    posts = own or [s.post for s in delivery.steps if s.kind in MESSAGES]
    said = [p.text for p in posts]
    then = proposal.said if len(proposal.said) == len(said) else (*proposal.said[:1], *said[1:])
    above = posts[0].title
    titles = [Part("Title:", above, proposal.title)] if proposal.title not in {"", above} else []
    below = {m.step: m.post.text for m in last}
    beneath = [Part("The reply below it:", below[n], text or DELETED) for n, text in proposal.below if n in below]
    if not proposal.said or tuple(said) == tuple(then):
        return [*(titles or [Part(name="", now=said[0], then="")]), *beneath]
    many = len(said) > 1
    parts = [
        Part(f"Part {number}:" if many else "", *_changed(old, new))
        for number, (old, new) in enumerate(zip(said, then, strict=True), 1)
        if old != new
    ]
    return [*titles, *parts, *beneath]


def marked(old: str, new: str) -> tuple[list[Piece], list[Piece]]:
    """Two texts in pieces, each of which either stands in both or is what the other does not say."""
    before, after = (regex.findall(r"\s+|\S+", text) for text in (old, new))
    if len(before) * len(after) > COMPARED:
        return [Piece(old, other=False)], [Piece(new, other=False)]
    left: list[Piece] = []
    right: list[Piece] = []
    for what, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        for words, pieces in (("".join(before[a:b]), left), ("".join(after[c:d]), right)):
            if words:
                pieces.append(Piece(words, other=what != "equal"))
    return left, right


def _changed(old: str, new: str) -> tuple[str, str]:
    """Two long texts without the paragraphs that are the same in both."""
    before, after = old.split("\n\n"), new.split("\n\n")
    if len(before) != len(after) or len(old) < LONG:
        return old, new
    pairs = [(a, b) if a != b else (LEFT_OUT, LEFT_OUT) for a, b in zip(before, after, strict=True)]
    kept = [p for n, p in enumerate(pairs) if p[0] != LEFT_OUT or n == 0 or pairs[n - 1][0] != LEFT_OUT]
    return "\n\n".join(a for a, _ in kept), "\n\n".join(b for _, b in kept)


def _out(parts: Runtime, change: Change, wrong: Mapping[str, Mapping[str, list[str]]] | None = None) -> ChangeOut:
    left = (parts.changes.not_right(change.workspace) if wrong is None else wrong).get(change.id, {})
    return ChangeOut(
        id=change.id,
        article=change.article,
        kind=change.kind,
        found_at=change.found_at.isoformat(),
        what=list(change.what),
        address=change.address,
        state=change.state,
        by=change.by,
        proposals=[
            ProposalOut(
                delivery=p.delivery,
                action=p.action,
                options=list(p.options),
                text=p.text,
                texts=list(p.texts),
                title=p.title,
                alt=p.alt,
                picture=pictures.named(parts.vault, change.workspace, p.picture),
                reply=p.reply,
                below=dict(p.below),
                why=list(p.why),
            )
            for p in change.proposals
        ],
        done=sorted(parts.aftercare.applied(change)),
        given_up=left.get("given_up", []),
        picture_wrong=left.get("picture_wrong", []),
    )
