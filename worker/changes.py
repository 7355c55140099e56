"""What an article's change means for what was posted of it: which facts are wrong, and what could be done (pure)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import regex

from publishers.core.markup import JOINER
from publishers.core.post import Post
from worker.content import words
from worker.model import DEFAULT_WORKSPACE, Article

CLOSE = 0.5
"""From here on (difflib's ratio) a sentence is the same one in other words; below it, the old one is gone."""

FRESH = timedelta(hours=24)
"""How long a post may be taken away and sent anew: later, readers have answered it."""


class Kind(StrEnum):
    """What happened to an article."""

    CORRECTED = "corrected"
    MOVED = "moved"
    HIDDEN = "hidden"
    GONE = "gone"


class Action(StrEnum):
    """What can be done about a post."""

    EDIT = "edit"
    REPOST = "delete and re-post"
    REPLY = "correction reply"
    DELETE = "delete"
    LEAVE = "leave"
    ASK = "ask"


class State(StrEnum):
    """Where a change stands: nobody decided, somebody approved it, or said that nothing is to be done."""

    OPEN = "open"
    APPROVED = "approved"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What could be done about one delivery: ``action`` is proposed, ``options`` are all there are, ``text`` is what it
    would say then (``texts`` each of its messages, where there are several), ``reply`` the correction below it, ``why``
    what is wrong or to know.
    """

    delivery: str
    action: Action
    options: tuple[Action, ...]
    text: str = ""
    texts: tuple[str, ...] = ()
    reply: str = ""
    why: tuple[str, ...] = ()

    @property
    def said(self) -> tuple[str, ...]:
        """What its messages would say then; empty if nothing could be put in their place."""
        return self.texts or ((self.text,) if self.text else ())


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


@dataclass(frozen=True, slots=True)
class Slip:
    """Something of the old article that is not true any more: ``new`` is what it says now, "" if nothing does."""

    old: str
    new: str
    what: str


def facts(text: str) -> frozenset[str]:
    """The numbers of a text, and its names: words that begin with a capital where no sentence does."""
    numbers = (n.strip(".,:") for n in regex.findall(r"\p{N}[\p{N}.,:]*", text))
    names = regex.findall(r"(?<=[\p{L}\p{N},;:)”’'–-]\s)\p{Lu}[\p{L}\p{M}’'-]+", text)
    return frozenset([*numbers, *(n.removesuffix("'s").removesuffix("’s") for n in names)])


def slips(old: Article, new: Article) -> list[Slip]:
    """What the old article said that the new one corrects: its title, and sentences whose numbers or names changed.

    Marks, spaces, spelling of small words and sentences that were only moved are none.
    """
    found = []
    if _retitled(old.title, new.title):
        found.append(Slip(old.title, new.title, f"the title was “{old.title}” and is “{new.title}”"))
    before, after = _sentences(old), _sentences(new)
    there = {_words(s) for s in after}
    everything = facts(new.text) | facts(f". {new.title}") | frozenset(regex.findall(r"[\p{L}\p{M}’'-]+", new.text))
    for sentence in before:
        if _words(sentence) in there:
            continue
        close = max(after, key=lambda s, one=sentence: _ratio(one, s), default="")  # type: ignore[misc]  # bound at once
        if not close or _ratio(sentence, close) < CLOSE:
            close = ""
        now = facts(close) if close else everything
        if lost := sorted(facts(sentence) - now):
            says = f"it reads “{close}” now" if close else "it does not stand there any more"
            found.append(Slip(sentence, close, f"“{sentence}”: {', '.join(lost)} is not said any more; {says}"))
    return found


def told(slips_: Iterable[Slip], *texts: str) -> list[Slip]:
    """Those of the slips that stand in what was posted."""
    flat = [_words(t) for t in texts]
    return [s for s in slips_ if any(_words(s.old) in f for f in flat if _words(s.old))]


def amended(text: str, wrong: Sequence[Slip]) -> str:
    """``text`` with what is wrong replaced by what stands now; empty if something cannot be."""
    for slip in wrong:
        if not slip.new or slip.old not in text:
            return ""
        text = text.replace(slip.old, slip.new)
    return text


def propose(
    kind: Kind, *, edits: bool, replaces: bool, deletes: bool, replies: bool, fresh: bool, sure: bool = True
) -> list[Action]:
    """What can be done, the best first: ``edits`` whether the platform edits it still, ``replaces`` whether there is a
    text to put in its place, ``fresh`` whether it is so new that hardly anybody has answered; unless ``sure`` a person
    is asked.
    """
    can_edit = [Action.EDIT] if edits and replaces else []
    if kind is Kind.GONE:
        return [*([Action.DELETE] if deletes else [Action.ASK]), *([Action.REPLY] if replies else []), Action.LEAVE]
    if kind is Kind.HIDDEN:
        return [Action.ASK, *([Action.DELETE] if deletes else []), Action.LEAVE]
    if kind is Kind.MOVED:
        return [*([] if sure else [Action.ASK]), *can_edit, Action.LEAVE]
    again = [Action.REPOST] if deletes and replaces else []
    reply = [Action.REPLY] if replies else []
    order = [*can_edit, *(again + reply if fresh else reply)] or [Action.ASK]
    rest = [*again, *reply, *([Action.DELETE] if deletes else []), Action.LEAVE]
    return list(dict.fromkeys([*order, *rest]))


def title_over(post: Post, text: str, title: str) -> str:
    """The title of ``post`` once it says ``text`` and its article is called ``title``: what the text begins with, so
    that it stands there once; else the new one, unless only its spelling changed. A post that has none gets none.
    """
    if not post.title:
        return ""
    first = text.partition("\n")[0].replace(JOINER, "")
    if first in {title, post.title}:
        return first
    return title if _retitled(post.title, title) else post.title


def correction(kind: Kind, wrong: Sequence[Slip], link: str) -> str:
    """The words of a reply below a post that is wrong: plain, and nothing that the article does not say."""
    if kind is Kind.GONE:
        return "Correction: the article that this post is about was taken back."
    now = next((s.new for s in wrong if s.new), "")
    says = f"Correction: {now}" if now else "Correction: the article has changed since this post."
    return f"{says}\n\n{link}" if link else says


def _sentences(article: Article) -> list[str]:
    return [article.text[a:b] for a, b in words.sentences(article.text, words.base(article.language))]


def _words(text: str) -> str:
    return " ".join(regex.findall(r"[\p{L}\p{M}\p{N}]+", text.casefold()))


def _ratio(one: str, other: str) -> float:
    a, b = _words(one).split(), _words(other).split()
    return difflib.SequenceMatcher(None, a, b, autojunk=False).ratio()


def _retitled(old: str, new: str) -> bool:
    return _words(old) != _words(new) and not _small(old, new)


def _small(old: str, new: str) -> bool:
    """Whether only the spelling of words that are neither names nor numbers has changed."""
    if facts(old) != facts(new):
        return False
    a, b = _words(old).split(), _words(new).split()
    if len(a) != len(b):
        return False
    return all(x == y or difflib.SequenceMatcher(None, x, y).ratio() >= 0.75 for x, y in zip(a, b, strict=True))
