"""What proves that a post was made, and whether it is there as it was sent: entries of a chained ledger (pure)."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from publishers.core.post import Post, Seen
from worker.model import Delivery, Event, Status, Step

FIRST = "0" * 64
"""What the first entry of a ledger follows."""


class Sight(StrEnum):
    """What reading a post back has shown."""

    LIVE = "live"
    DIFFERS = "differs"
    GONE = "gone"
    UNREADABLE = "cannot read"
    WAITING = "not read yet"


CONFIRMED = frozenset({Status.PUBLISHED, Status.EDITED, Status.DELETED})
GIVEN_UP = "given up: "
DONE = ("published ", "replied ", "edited ", "deleted ", "found ", GIVEN_UP)
"""How the engine's line begins when a step has come to its end and another follows."""

CANCELLED = "cancelled by "
"""How the line begins when what was still to follow is not sent: no step has come to its end by that."""

FLAGGED = frozenset({Sight.DIFFERS, Sight.GONE})

MEANINGS: Mapping[Sight, str] = {
    Sight.LIVE: "read back: it is there, as it was sent",
    Sight.DIFFERS: "read back: it is there, but not as it was sent",
    Sight.GONE: "read back: it is not there any more, and nobody here took it away",
    Sight.UNREADABLE: "the platform gives no way to read it back, or did not answer",
    Sight.WAITING: "it is read back some minutes after it went out",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Readback:
    """What reading a delivery back has shown, with a line for each thing that is not as it was sent."""

    sight: Sight
    at: datetime
    notes: tuple[str, ...] = ()
    tries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One act that a platform has confirmed: what, where, of whom, with hashes of text and pictures.

    ``hash`` is the SHA-256 of ``before`` (the entry before's) and all else: nobody changes, leaves out or inserts an
    entry without changing all that follow. Instants are ISO 8601 in UTC.
    """

    number: int
    at: str
    act: str
    workspace: str
    delivery: str
    step: int
    article: str
    account: str
    platform: str
    remote_id: str
    permalink: str
    sent_at: str
    text_sha256: str
    pictures_sha256: tuple[str, ...]
    link: str
    approver: str
    attempts: int
    key: str
    before: str
    hash: str = ""


def entry(
    delivery: Delivery,
    step: Step,
    place: int,
    *,
    number: int,
    at: datetime,
    attempts: int,
    before: str,
    approver: str = "",
) -> Entry:
    """The entry of a step that has a receipt, as it follows ``before``; ``approver`` is whoever wanted a later step."""
    assert step.receipt is not None, "only what a platform has confirmed is entered"
    made = Entry(
        number=number,
        at=at.isoformat(),
        act=str(step.kind),
        workspace=delivery.workspace,
        delivery=delivery.id,
        step=place,
        article=delivery.article,
        account=delivery.account,
        platform=delivery.platform,
        remote_id=step.receipt.id,
        permalink=step.receipt.url or "",
        sent_at=step.at.isoformat() if step.at else "",
        text_sha256=hashlib.sha256(step.post.text.encode()).hexdigest(),
        pictures_sha256=tuple(m.sha256 for m in step.post.media),
        link=step.post.link or "",
        approver=approver or delivery.approver,
        attempts=attempts,
        key=step.key,
        before=before,
    )
    return dataclasses.replace(made, hash=chained(made))


def chained(made: Entry) -> str:
    """The hash that an entry must have."""
    told = {k: v for k, v in dataclasses.asdict(made).items() if k != "hash"}
    text = json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def broken(entries: Iterable[Entry]) -> str:
    """Where a ledger does not hold together, in one line; empty if it does. The first entry may follow anything."""
    last: Entry | None = None
    for one in entries:
        if one.hash != chained(one):
            return f"entry {one.number} was changed: its hash is not that of what it says"
        if last is not None and (one.before != last.hash or one.number != last.number + 1):
            return f"entry {one.number} does not follow entry {last.number}: something is missing or was added"
        last = one
    return ""


def attempts(history: Sequence[Event]) -> list[int]:
    """How many attempts each step took that has come to its end, in their order."""
    found, count = [], 0
    for event in history:
        count += bool(event.attempt)
        if event.note.startswith(CANCELLED):
            count = 0
        elif event.status in CONFIRMED or (event.attempt and event.note.startswith(DONE)):
            found.append(max(count, 1))
            count = 0
    return found


def differences(post: Post, seen: Seen | None) -> list[str]:
    """What of a message is not as it was sent, one line each."""
    if seen is None:
        return ["it is not there any more"]
    found = []
    if not seen.same:
        found.append(f"the text is another: “{_cut(seen.text)}”")
    if seen.pictures is not None and seen.pictures != len(post.media):
        found.append(f"it has {seen.pictures} of {len(post.media)} pictures")
    alts = tuple(m.alt for m in post.media)
    if seen.alts is not None and seen.pictures == len(post.media) and seen.alts != alts:
        found.append("the alt text is not the one that was sent")
    if seen.card is False:
        found.append("the link shows no card")
    return found


def _cut(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 80 else f"{flat[:79]}…"
