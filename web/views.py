"""What a delivery looks like to its reader: the text in pieces, pictures, link card, length, and where it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import publishers
from publishers.core.limits import Limits
from publishers.core.post import Media, Post
from worker.model import Account, Delivery, Status, StepKind
from worker.pipeline.accounts import limits_of
from worker.reference import MEANINGS

S = Status

TONES: Mapping[Status, str] = {
    S.DRAFT: "off",
    S.AWAITING_APPROVAL: "warn",
    S.AWAITING_PERSON: "warn",
    S.SCHEDULED: "wait",
    S.HELD: "warn",
    S.PREPARING: "work",
    S.PUBLISHING: "work",
    S.UNCONFIRMED: "warn",
    S.PUBLISHED: "good",
    S.FAILED: "bad",
    S.PARKED: "warn",
    S.CANCELLED: "off",
    S.SKIPPED: "off",
    S.EDITED: "good",
    S.DELETED: "off",
}
"""How a status is coloured; its name always stands beside the colour."""

PUBLIC = frozenset({S.PUBLISHED, S.EDITED})
PERHAPS = frozenset({S.PUBLISHING, S.UNCONFIRMED, S.PARKED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A piece of a text: ``type`` is plain, link, tag or mention; ``value`` is that of the facet."""

    type: str
    text: str
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture as a page shows it; ``src`` is an address the page can load."""

    src: str
    alt: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What platforms draw for a link that is not in the text, or of a post that has no picture of its own."""

    url: str
    host: str
    title: str
    description: str
    picture: Picture | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message; a thread has several, and ``reply`` says which answer this is (0 = the first message)."""

    runs: tuple[Run, ...]
    pictures: tuple[Picture, ...]
    card: Card | None
    warning: str
    language: str
    reply: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One delivery as its reader sees it. ``length`` of ``limit`` is in the platform's own counting, None if unknown.

    ``at`` is when it was sent or, before that, when it is due; ``zone`` is the account's, ``alts`` whether the
    platform takes alt texts, ``home`` where it lives.
    """

    id: str
    article: str
    title: str
    platform: str
    label: str
    account: str
    name: str
    handle: str
    rehearsal: bool
    status: Status
    tone: str
    meaning: str
    public: bool
    perhaps: bool
    at: datetime
    zone: str
    messages: tuple[Message, ...]
    length: int | None
    limit: int | None
    alts: bool
    url: str
    home: str
    reason: str


def shown(
    delivery: Delivery,
    account: Account | None,
    *,
    src: Callable[[Media], str],
    zone: ZoneInfo | None = None,
    files: bool = False,
) -> Shown:
    """``delivery`` as a page shows it; ``account`` None if it was removed.

    Times are in ``zone``, the viewer's, or in the account's if there is none. ``src`` says where a picture can be
    loaded; ``files`` whether the page may link to files, as only a file can.
    """
    first = delivery.says
    limits = _limits(delivery, account)
    receipt = delivery.receipt
    name = account.name if account else delivery.account.partition(".")[2]
    url = (receipt.url or "") if receipt else ""
    sent = delivery.steps[0].at if receipt else None
    return Shown(
        id=delivery.id,
        article=delivery.article,
        title=first.title,
        platform=delivery.platform,
        label=label_of(delivery.platform),
        account=delivery.account,
        name=_display(name),
        handle=name if name.startswith("@") and name != f"@{_display(name)}" else "",
        rehearsal=bool(account and account.rehearsal),
        status=delivery.status,
        tone=TONES[delivery.status],
        meaning=meaning_of(delivery.status),
        public=delivery.status in PUBLIC,
        perhaps=delivery.status in PERHAPS,
        at=(sent or delivery.due).astimezone(zone or ZoneInfo(delivery.zone)),
        zone=delivery.zone,
        messages=tuple(_message(post, number, limits, src) for number, post in enumerate(_said(delivery))),
        length=limits.length(first.text) if limits else None,
        limit=limits.room(media=bool(first.media)) if limits else None,
        alts=limits is None or limits.alt > 0,
        url=url if host_of(url) or (files and url.startswith("file:")) else "",
        home=_origin(account.url if account else "") or _origin(url),
        reason=delivery.reason,
    )


def label_of(platform: str) -> str:
    """The platform's name as people write it; its short name if its adapter is gone."""
    try:
        return publishers.load(platform).label
    except KeyError:
        return platform


def meaning_of(status: Status) -> str:
    """What a status means, in one line."""
    return MEANINGS[status].replace("`", "")


def host_of(url: str | None) -> str:
    """Whose page a web address is; empty for what is no web address."""
    parts = urlsplit(url or "")
    return (parts.hostname or "").removeprefix("www.") if parts.scheme in {"http", "https"} else ""


def _limits(delivery: Delivery, account: Account | None) -> Limits | None:
    try:
        return limits_of(account) if account else publishers.load(delivery.platform).limits
    except KeyError:
        return None


def _said(delivery: Delivery) -> list[Post]:
    """The messages as they stand: an edit replaces the first once it has been made."""
    said = [s.post for s in delivery.steps if s.kind in {StepKind.POST, StepKind.REPLY, StepKind.COMMENT}]
    edits = [s.post for s in delivery.steps if s.kind is StepKind.EDIT and s.receipt is not None]
    anew = [s.post for s in delivery.steps[1:] if s.kind is StepKind.POST and s.receipt is not None]
    if anew:  # what was taken away stands no more
        return anew[-1:]
    return [edits[-1], *said[1:]] if edits else said


def _message(post: Post, number: int, limits: Limits | None, src: Callable[[Media], str]) -> Message:
    pictures = tuple(Picture(src=src(m), alt=m.alt, width=m.width, height=m.height) for m in post.media)
    carded = limits is None or limits.link_card
    beside = bool(pictures) and limits is not None and carded and not limits.link_in_text
    card = None
    if (host := host_of(post.link)) and post.title and carded and (beside or not pictures):
        picture = pictures[0] if pictures else None
        card = Card(url=post.link or "", host=host, title=post.title, description=post.description, picture=picture)
    return Message(
        runs=_runs(post),
        pictures=() if beside else pictures,
        card=card,
        warning=post.warning,
        language=post.language or "",
        reply=number,
    )


def _runs(post: Post) -> tuple[Run, ...]:
    """The text in its pieces; only web addresses become links."""
    runs: list[Run] = []
    done = 0
    for facet in sorted(post.facets, key=lambda f: f.start):
        runs.append(Run(type="plain", text=post.text[done : facet.start]))
        web = facet.type != "link" or host_of(facet.value)
        said = post.text[facet.start : facet.end]
        runs.append(Run(type=facet.type if web else "plain", text=said, value=facet.value))
        done = facet.end
    runs.append(Run(type="plain", text=post.text[done:]))
    return tuple(r for r in runs if r.text)


def _display(name: str) -> str:
    """``larkhaven`` of ``@larkhaven@example.social``."""
    return name.removeprefix("@").partition("@")[0] if name.startswith("@") else name


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if host_of(url) else ""
