"""What an article's change means for what was posted of it: which facts are wrong, and what could be done (pure)."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import regex

from publishers.core.markup import JOINER
from publishers.core.post import Post
from worker.content import facts, words
from worker.content.facts import Slip
from worker.model import DEFAULT_WORKSPACE, Article, Delivery, StepKind
from worker.paths import TEMPLATES

FRESH = timedelta(hours=24)
"""How long a post may be taken away and sent anew: later, readers have answered it."""

WAITS = "its article has changed: somebody must decide about that first"
"""Why what was planned and says something wrong is held."""

PICTURE_STAYS = "an edit leaves its picture as it is"
PICTURE_TITLE = "its picture shows the title as it was, and an edit leaves it"
PICTURE_WRONG = "its picture or alt text says what is wrong, too, and an edit leaves both as they are"
UNNAMED = "nothing but its address is known, which somebody gave: only a person can change it there"
PICTURE_ANEW = "its picture is drawn anew, with its alt text"
REPLY_WRONG = "the reply below it says what is not so any more"
REPLY_GONE = "the reply below it says that the article was taken back, and it is there again"
PICTURES = frozenset({PICTURE_STAYS, PICTURE_TITLE, PICTURE_WRONG, PICTURE_ANEW})

NOTES = frozenset({PICTURE_STAYS, PICTURE_TITLE, PICTURE_WRONG, PICTURE_ANEW, UNNAMED, REPLY_WRONG})
"""What is to know about a proposal and is nothing that is wrong."""

REPLY_MOST = 1000  # code points
"""However much a platform takes: what is longer is no correction but an article."""

DEFAULT_LANGUAGE = "en"

BARE = frozenset({"", "plain"})
"""Designs of pictures on which no words stand."""


class Kind(StrEnum):
    """What happened to an article."""

    CORRECTED = "corrected"
    MOVED = "moved"
    HIDDEN = "hidden"
    GONE = "gone"
    RETURNED = "there again"


class Action(StrEnum):
    """What can be done about a post."""

    EDIT = "edit"
    REPOST = "delete and re-post"
    REPLY = "correction reply"
    RETRACT = "delete the reply"
    DELETE = "delete"
    LEAVE = "leave"
    ASK = "ask"


CANCEL = "cancel"
"""What it is called to delete what is not out yet."""


class State(StrEnum):
    """Where a change stands: nobody decided, somebody approved it, or said that nothing is to be done."""

    OPEN = "open"
    APPROVED = "approved"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What could be done about one delivery: ``action`` is proposed, ``options`` are all there are, ``text`` is what it
    would say then (``texts`` each of its messages, where there are several), ``title`` the one above it if that would
    be another, ``alt`` the alt text of the picture that takes the place of its own ("" if that stays), ``picture`` that
    one's file name, ``reply`` the correction below it, ``below`` what replies that earlier changes added would say
    then, by their steps ("" is deleted), ``why`` what is wrong or to know.
    ``version`` is the delivery's when it was looked at (0: not known), ``out`` whether it was public then.
    """

    delivery: str
    action: Action
    options: tuple[Action, ...]
    text: str = ""
    texts: tuple[str, ...] = ()
    title: str = ""
    alt: str = ""
    picture: str = ""
    reply: str = ""
    below: tuple[tuple[int, str], ...] = ()
    why: tuple[str, ...] = ()
    version: int = 0
    out: bool = True

    @property
    def said(self) -> tuple[str, ...]:
        """What its messages would say then; empty if nothing could be put in their place."""
        return self.texts or ((self.text,) if self.text else ())

    def word(self, action: Action) -> str:
        """What ``action`` is called here."""
        return CANCEL if action is Action.DELETE and not self.out else str(action)

    @property
    def false(self) -> frozenset[int]:
        """The steps whose replies are not true any more."""
        return frozenset(step for step, text in self.below if not text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of an article after it was posted, and what it asks for. ``address`` is where it is now, ``before``
    where it was.
    """

    id: str
    article: str
    kind: Kind
    found_at: datetime
    what: tuple[str, ...]
    proposals: tuple[Proposal, ...]
    address: str = ""
    before: str = ""
    state: State = State.OPEN
    by: str = ""
    workspace: str = DEFAULT_WORKSPACE


def replies(delivery: Delivery) -> frozenset[int]:
    """The steps that replied below what was posted because its article changed: they are no part of it."""
    anew = {s.change for s in delivery.steps if s.kind is StepKind.POST}
    added = (n for n, s in enumerate(delivery.steps) if s.kind is StepKind.REPLY and s.change)
    return frozenset(n for n in added if delivery.steps[n].change not in anew)


def pictured(post: Post) -> list[str]:
    """What the pictures of a post say: the words that stand on them, and their alt texts."""
    said = [m.alt for m in post.media]
    return said + [t for m in post.media if m.design not in BARE for t in (post.title, m.words) if t]


def on_picture(slips_: Iterable[Slip], posts: Iterable[Post], *, now: Article) -> list[Slip]:
    """Those of the slips whose numbers and names stand on a picture, or in its alt text; a title in other words is
    none.
    """
    said = [t for p in posts for t in pictured(p)]
    there = frozenset(f for t in said for f in facts.said(t, now.language))
    return [s for s in facts.told(slips_, *said, now=now) if s.facts & (there | facts.WHOLE)]


def made_of(
    posts: Iterable[Collection[str]], versions: Mapping[Article, Sequence[Slip]], now: Article
) -> list[Article]:
    """For each post (its texts), the version of an article that it says most of that the article does not say ``now``;
    the latest of several, none if there is none. ``versions`` are the oldest first, with their slips.
    """
    there = f"{now.title} {now.url} {now.text}"
    lines = {}
    for version in versions:
        spans = words.sentences(version.text, words.base(version.language))
        said = {version.title, version.url, *(version.text[a:b] for a, b in spans)} - {""}
        lines[version] = [line for line in said if line not in there]
    found = []
    for texts in dict.fromkeys(tuple(t) for t in posts):
        whole = {v: sum(any(line in t for t in texts) for line in lines[v]) for v in versions}
        most = max(whole.values(), default=0)
        # What is said in other words is looked for only where whole lines do not tell: that takes long.
        close = [v for v in versions if whole[v] == most]
        counts = {v: most + len(facts.told(versions[v], *texts, now=now)) for v in close} if close[1:] else whole
        best = max(reversed(close), key=counts.__getitem__, default=None)
        found += [best] if best and counts[best] else []
    return found


def propose(
    kind: Kind,
    *,
    edits: bool,
    replaces: bool,
    deletes: bool,
    replies: bool,
    fresh: bool,
    sure: bool = True,
    anew: bool = True,
    whole: bool = True,
) -> list[Action]:
    """What can be done, the best first: ``edits`` whether the platform edits it still, ``replaces`` whether there is a
    text to put in its place, ``fresh`` whether it is so new that hardly anybody has answered; unless ``sure`` a person
    is asked; ``anew`` whether there is room for another once it is deleted; ``whole`` whether an edit would leave
    nothing wrong: one that would is never the first.
    """
    can_edit = [Action.EDIT] if edits and replaces else []
    if kind is Kind.GONE:
        return [*([Action.DELETE] if deletes else [Action.ASK]), *([Action.REPLY] if replies else []), Action.LEAVE]
    if kind is Kind.HIDDEN:
        return [Action.ASK, *([Action.DELETE] if deletes else []), Action.LEAVE]
    if kind is Kind.MOVED:
        return [*([] if sure else [Action.ASK]), *can_edit, Action.LEAVE]
    again = [Action.REPOST] if deletes and replaces and anew else []
    reply = [Action.REPLY] if replies else []
    order = [*(can_edit if whole else []), *(again + reply if fresh else reply)] or [Action.ASK]
    rest = [*can_edit, *again, *reply, *([Action.DELETE] if deletes else []), Action.LEAVE]
    return list(dict.fromkeys([*order, *rest]))


def readdressed(text: str, formers: Iterable[str], address: str) -> str:
    """``text`` with an article's address in the place of those where it was before; asked again it is the same.

    What stands behind an address (``?utm_source=m``) stays behind it. One that is there already is left as it is.
    """
    known = "|".join(regex.escape(a) for a in sorted({*formers, address} - {""}, key=len, reverse=True))
    if not known:
        return text

    def moved(found: regex.Match[str]) -> str:
        if found[1] == address:
            return found[0]
        return address + (("&" if "?" in address else "?") if found[2] else "")

    return regex.sub(rf"({known})(?![\p{{L}}\p{{N}}_~%/-]|\.[\p{{L}}\p{{N}}])([?&](?=[\p{{L}}\p{{N}}_]))?", moved, text)


def title_over(post: Post, text: str, title: str, tag: str) -> str:
    """The title of ``post`` once it says ``text`` and its article is called ``title``: what the text begins with, so
    that it stands there once; else the new one, unless only its spelling changed. A post that has none gets none.
    """
    if not post.title:
        return ""
    first = text.partition("\n")[0].replace(JOINER, "")
    if first in {title, post.title}:
        return first
    return title if facts.retitled(post.title, title, tag) else post.title


def correction(
    kind: Kind, wrong: Sequence[Slip], link: str, *, fits: Callable[[str], bool] = bool, language: str = ""
) -> str:
    """The words of a reply below a post that is wrong: plain, nothing that the article does not say, and in its
    language, where its words are known (``templates/corrections.toml``).

    All that is wrong is named as far as it ``fits``, what is wrong in most ways first; what says nothing that another
    line does not say is left out.
    """
    how = _wording(words.base(language))
    if kind is Kind.GONE:
        return how["taken_back"]

    def corrected(slip: Slip) -> str:
        return slip.new or how["unsaid"].format(what=words.quoted(slip.old, how["quotes"]))

    def says(named: Collection[str]) -> str:
        lines = [corrected(s) for s in wrong if corrected(s) in named]
        told = "\n".join(dict.fromkeys(lines)) or how["changed"]
        return how["correction"].format(what=told) + (f"\n\n{link}" if link else "")

    named: list[str] = []
    lost: set[facts.Fact] = set()
    there: set[facts.Fact] = set()
    for slip in sorted(wrong, key=lambda s: (-len(s.facts), not s.title)):
        now = facts.said(slip.new, language)
        known = slip.facts <= lost and now - facts.said(slip.old, language) <= there
        text = says([*named, corrected(slip)])
        if not (known and named) and len(text) <= REPLY_MOST and fits(text):
            named.append(corrected(slip))
            lost |= slip.facts
            there |= now
    return says(named)


def claimed(reply: str) -> str:
    """What a correction says of its article: without the lines that name what that does not say any more."""
    wordings = _wordings().values()
    heads = [[how[what].partition("{what}")[0] for what in ("correction", "unsaid")] for how in wordings]
    lines = reply.split("\n")
    return "\n".join(t for t in lines if not any(t.removeprefix(label).startswith(head) for label, head in heads))


def takes_back(text: str) -> bool:
    """Whether a reply says, in whatever language, that an article was taken back."""
    return any(text == how["taken_back"] for how in _wordings().values())


def _wording(language: str) -> Mapping[str, str]:
    return _wordings().get(language) or _wordings()[DEFAULT_LANGUAGE]


@functools.cache
def _wordings() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads((TEMPLATES / "corrections.toml").read_text(encoding="utf-8"))
