"""The application's records, frozen: Article, Content, Account, Delivery and its Steps."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import TypeAdapter

from publishers.core.post import Post, Prepared, Receipt
from publishers.core.publisher import Proof

T = TypeVar("T")

DEFAULT_WORKSPACE = "main"


class Status(StrEnum):
    """Where a delivery stands; the allowed moves are in ``lifecycle.TRANSITIONS``."""

    DRAFT = "draft"
    AWAITING_APPROVAL = "awaiting approval"
    AWAITING_PERSON = "awaiting person"
    SCHEDULED = "scheduled"
    HELD = "held"
    PREPARING = "preparing"
    PUBLISHING = "publishing"
    UNCONFIRMED = "unconfirmed"
    PUBLISHED = "published"
    FAILED = "failed"
    PARKED = "parked"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    EDITED = "edited"
    DELETED = "deleted"


class StepKind(StrEnum):
    """What one step of a delivery does to the platform."""

    POST = "post"
    REPLY = "reply"
    COMMENT = "comment"
    EDIT = "edit"
    DELETE = "delete"
    REMIND = "remind"
    """Never stored: what a post by hand is while a person is told of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A source as it was read: ``content`` is decoded text, ``url`` the final address, or a ``file:`` one.

    ``base`` is the folder or address that relative pictures start from.
    """

    url: str
    kind: Literal["html", "markdown", "text"]
    content: str
    base: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """A published article as a reader sees it: ``text`` is the body alone, paragraphs separated by blank lines.

    ``headings`` and ``tags`` (the author's own, without ``#``) are hints and not part of ``text``;
    ``image`` is the lead picture's address or path, ``image_alt`` its alt text; ``folder`` is where a local article's
    pictures may lie, empty for one of the web, which may show no file of this machine.
    """

    id: str
    url: str
    title: str
    text: str
    author: str = ""
    site: str = ""
    language: str = ""
    published_at: datetime | None = None
    image: str = ""
    image_alt: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    headings: tuple[str, ...] = ()
    workspace: str = DEFAULT_WORKSPACE
    folder: str = ""

    @property
    def linkable(self) -> bool:
        """Whether readers can open ``url``; a local file has none they could."""
        return self.url.startswith(("http://", "https://"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One sentence and where it stands: ``article.text[source_offset:][:len(text)] == text``.

    ``source_offset`` is in code points; None says that a model wrote the sentence.
    """

    text: str
    source_offset: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What was written about an article, for every platform: summaries of about 120, 280 and 600 characters,
    ranked sentences in the article's order of importance, hashtags without ``#``, best first.

    ``notes`` say what an editor should know of how it came about.
    """

    short: str
    medium: str
    long: str
    sentences: tuple[Sentence, ...]
    hashtags: tuple[str, ...]
    alt: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """How posts differ from their platform's template: ``template`` in its place, hashtags (without ``#``) that stand
    first or never, and how many at most; ``utm`` query parameters for the link, in which ``{platform}``,
    ``{account}`` and ``{delivery}`` (which tells posts apart) may stand; a ``disclaimer`` line; a content ``warning``
    where the platform has one, for articles that name one of ``sensitive`` (any article if there are none); and where
    the ``link`` stands: "" in the text, ``comment`` below it as the first comment, where the platform has one.
    """

    template: str = ""
    always: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    hashtags: int | None = None
    utm: str = ""
    disclaimer: str = ""
    warning: str = ""
    sensitive: tuple[str, ...] = ()
    link: str = ""

    def over(self, other: Voice) -> Voice:
        """This voice, and ``other`` where this one says nothing."""
        said = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return replace(other, **said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """How the cards of a site or an account look: colours as ``#rrggbb``, files by their content's hash.

    ``sources`` are hosts such as ``example.org`` whose articles get it; what is empty, the design decides.
    """

    name: str
    workspace: str = DEFAULT_WORKSPACE
    colour: str = ""
    accent: str = ""
    logo: str = ""
    font: str = ""
    text_font: str = ""
    corner: str = ""
    design: str = ""
    sources: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """The names of its files."""
        return tuple(name for name in (self.logo, self.font, self.text_font) if name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """When an account posts: wall times by weekday (0 = Monday), minutes between posts, quiet hours, dates to skip."""

    week: tuple[tuple[int, tuple[time, ...]], ...] = tuple((d, (time(9), time(13), time(17))) for d in range(7))
    gap: int = 0
    quiet: tuple[tuple[time, time], ...] = ()
    blackouts: tuple[date, ...] = ()

    def on(self, weekday: int) -> tuple[time, ...]:
        """The slots of a weekday."""
        return dict(self.week).get(weekday, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """Several articles in one post: each day, or week (``on`` = 0 is Monday), at a wall time ``at`` of the account.

    Only articles of the host ``source`` ("" = any), ``most`` of them; ``title`` "" is made of theirs.
    """

    every: Literal["daily", "weekly"] = "weekly"
    on: int = 0
    at: time = time(8)
    source: str = ""
    most: int = 8
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account on one platform. ``settings`` are public values; secrets live encrypted in the store.

    ``limits`` and ``proof`` are what the instance said of itself, over what the adapter declares. ``voices`` are by
    the articles' host, such as ``example.org``; "" is for all. ``brand`` and ``design`` are those of its cards, where
    they are not left to the article's site. With a ``digest`` it gets no article by itself. ``approval`` is whether
    posts wait for somebody's approval; None: as the
    workspace has it.
    """

    id: str
    platform: str
    name: str
    workspace: str = DEFAULT_WORKSPACE
    url: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    proof: Proof | None = None
    zone: str = "UTC"
    calendar: Calendar = Calendar()
    voices: dict[str, Voice] = field(default_factory=dict)
    brand: str = ""
    design: str = ""
    rehearsal: bool = False
    active: bool = True
    approval: bool | None = None
    digest: Digest | None = None

    def voice(self, article: Article) -> Voice:
        """How this account speaks of ``article``."""
        host = (urlsplit(article.url).hostname or "").removeprefix("www.") if article.linkable else ""
        return self.voices.get(host, Voice()).over(self.voices.get("", Voice()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One irreversible act of a delivery. ``at`` is frozen when it is first about to be sent.

    ``uncertain`` is set by the first lost answer and cleared only when an answer, a look-up or a person settles it.
    ``of`` is which step made the message that an edit or a delete is about, counted from 0.
    ``reminders`` are the receipts of what was told to whoever posts by hand; ``receipt`` is then what they said.
    ``change`` is the change of the article that asked for it, empty for what was planned; ``failed`` is why it was
    given up while what it was about stayed public.
    """

    kind: StepKind
    ordinal: int
    key: str
    post: Post
    at: datetime | None = None
    prepared: Prepared | None = None
    receipt: Receipt | None = None
    uncertain: bool = False
    of: int = 0
    reminders: tuple[Receipt, ...] = ()
    change: str = ""
    failed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message that is public now: the step that made it, what it says since its last edit, and that one's receipt."""

    step: int
    post: Post
    receipt: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One article on one account: what to say, when, and how far it has come.

    ``due`` is an instant; ``wall`` and ``zone`` keep what the person asked for. ``fence`` grows with every lease and
    with every change that a person makes. ``approval`` is the seal (see ``worker.approval``) of what ``approver`` saw.
    ``evergreen`` is the rule that shares an older article again, empty for everything else. ``resent`` counts how often
    a person had it sent again because it was not there.
    ``waits`` is why it is held until its article's change is decided, empty if it is not; ``asked`` whether somebody's
    approval was asked for before it was held or failed, so that it goes out with one only.
    """

    id: str
    article: str
    account: str
    platform: str
    status: Status
    due: datetime
    steps: tuple[Step, ...]
    share: int = 0
    wall: str = ""
    zone: str = "UTC"
    step: int = 0
    attempts: int = 0
    fence: int = 0
    version: int = 1
    reason: str = ""
    approval: str = ""
    approver: str = ""
    evergreen: str = ""
    resent: int = 0
    waits: str = ""
    asked: bool = False
    created_at: datetime | None = None
    updated_at: datetime | None = None
    workspace: str = DEFAULT_WORKSPACE

    @property
    def current(self) -> Step:
        """The step to be done next, or the last one when all are done."""
        return self.steps[min(self.step, len(self.steps) - 1)]

    @property
    def receipt(self) -> Receipt | None:
        """The receipt of the message itself: the first that is public, or was."""
        there = self.messages
        return there[0].receipt if there else self.steps[0].receipt

    @property
    def says(self) -> Post:
        """What the message itself says: as readers see it now, else as it was or will be sent."""
        there = self.messages
        return there[0].post if there else self.steps[0].post

    @property
    def tries(self) -> int:
        """How many attempts its last step took so far; ``attempts`` are those among them that came to nothing."""
        under_way = self.status in {Status.PREPARING, Status.PUBLISHING}
        done = self.status in {Status.PUBLISHED, Status.EDITED, Status.DELETED}
        return max(self.attempts + (under_way or done), int(self.status is Status.FAILED))

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages of this delivery that readers can see now, as far as receipts tell."""
        found: dict[int, Message] = {}
        for number, step in enumerate(self.steps):
            if step.receipt is None:
                continue
            if step.kind is StepKind.EDIT and step.of in found:
                found[step.of] = Message(step=step.of, post=step.post, receipt=step.receipt)
            elif step.kind is StepKind.DELETE:
                found.pop(step.of, None)
            else:
                found[number] = Message(step=number, post=step.post, receipt=step.receipt)
        return tuple(found.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a delivery's history."""

    at: datetime
    status: Status
    note: str
    attempt: int = 0


def digest(*parts: object, length: int = 20) -> str:
    """A short stable id made of ``parts``; what is equal has one id, on every machine, for ever."""
    text = "\x1f".join(str(p) for p in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def article_id(workspace: str, url: str) -> str:
    """The id of the article at canonical address ``url``."""
    return f"{workspace}.{digest('article', workspace, url)}"


def delivery_id(article: str, account: str, share: int) -> str:
    """The id of share number ``share`` of an article on an account; it carries the workspace."""
    return f"{article.partition('.')[0]}.{digest('delivery', article, account, share)}"


def mark_of(delivery: str) -> str:
    """How the parameters of a link name its post."""
    return delivery.partition(".")[2]


def step_key(delivery: str, kind: StepKind, ordinal: int, version: int) -> str:
    """The key every platform sees for one step: derived, so a repeat is the same; 40 hex digits."""
    return digest("step", delivery, kind, ordinal, version, length=40)


_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def to_json(record: Any) -> str:
    """A record as JSON text."""
    return _adapter(type(record)).dump_json(record).decode()


def from_json(kind: type[T], text: str | bytes) -> T:
    """The record that ``to_json`` wrote; raises ValueError if it is not one."""
    return _adapter(kind).validate_json(text)  # type: ignore[no-any-return]  # the adapters of all kinds share one dict
