"""What an article's change means for what was posted of it: which facts are wrong, and what could be done (pure)."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import regex

from publishers.core.markup import JOINER
from publishers.core.post import Post
from worker.content import words
from worker.content.grounding import stem
from worker.content.quantities import Quantity, Worth, quantities
from worker.model import DEFAULT_WORKSPACE, Article

CLOSE = 0.5
"""From here on (difflib's ratio, of words without endings and any number) a sentence is the same one in other words;
below it, the old one is gone."""

FRESH = timedelta(hours=24)
"""How long a post may be taken away and sent anew: later, readers have answered it."""


PICTURE_STAYS = "an edit leaves its picture as it is"
PICTURE_TITLE = "its picture shows the title as it was, and an edit leaves it"
PICTURE_WRONG = "its picture or alt text says what is wrong, too, and an edit leaves both as they are"
PICTURE_ANEW = "its picture is drawn anew, with its alt text"

BARE = frozenset({"", "plain"})
"""Designs of pictures on which no words stand."""

SHORT = 20
"""A line that ends in … says the beginning of what it cuts, if it has more characters."""

WORD = regex.compile(r"(?:(?<![\p{L}\p{M}\p{N}]|\p{N}\s)[-−](?=\p{Nd}))?[\p{L}\p{M}\p{N}]+")
CAPITAL = regex.compile(r"(?<![\p{L}\p{M}\p{N}])\p{Lu}[\p{L}\p{M}’'-]+")
NAME = regex.compile(r"(?<=[\p{L}\p{N},;:)”’'–-]\s)\p{Lu}[\p{L}\p{M}’'-]+")


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
    would say then (``texts`` each of its messages, where there are several), ``title`` the one above it if that would
    be another, ``alt`` the alt text of the picture that takes the place of its own ("" if that stays), ``reply`` the
    correction below it, ``why`` what is wrong or to know.
    ``version`` is the delivery's when it was looked at (0: not known).
    """

    delivery: str
    action: Action
    options: tuple[Action, ...]
    text: str = ""
    texts: tuple[str, ...] = ()
    title: str = ""
    alt: str = ""
    reply: str = ""
    why: tuple[str, ...] = ()
    version: int = 0

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


Fact = Worth
"""What a number is worth, or a name as it is written."""


@dataclass(frozen=True, slots=True)
class Slip:
    """Something of the old article that is not true any more: ``new`` is what it says now, "" if nothing does;
    ``lost`` are the numbers and names that are not said any more.
    """

    old: str
    new: str
    what: str
    lost: frozenset[Fact] = frozenset()


def names(text: str, tag: str, known: Collection[str] = ()) -> dict[str, str]:
    """The names of a text, as they are written, and what each is known by: words that begin with a capital where no
    sentence does, and are no numbers; where one does, those that are ``known``.
    """
    numbers = quantities(text, tag)
    found = (
        m[0]
        for pattern in ((NAME, CAPITAL) if known else (NAME,))
        for m in pattern.finditer(text)
        if (pattern is NAME or _named(m[0], tag) in known)
        and not any(q.start < m.end() and m.start() < q.end for q in numbers)
    )
    stop = words.language(tag).stop
    return {word: _named(word, tag) for word in found if words.plain(word) not in stop}


def _named(word: str, tag: str) -> str:
    """What a name is known by; in German, where every noun has a capital, without its ending."""
    word = word.rstrip("’'-")
    return stem(word, "de") if words.base(tag) == "de" else word.removesuffix("'s").removesuffix("’s")


def _every_word(text: str, tag: str) -> frozenset[str]:
    return frozenset(_named(w.rstrip("’'-"), tag) for w in regex.findall(r"\p{L}[\p{L}\p{M}’'-]*", text))


def facts(text: str, tag: str) -> frozenset[Fact]:
    """What the numbers of a text are worth, however they are written, and its names."""
    return frozenset([*names(text, tag).values(), *(q.worth for q in quantities(text, tag))])


def slips(old: Article, new: Article) -> list[Slip]:
    """What the old article said that the new one corrects: its title, and sentences whose numbers or names changed.

    Marks, spaces, spelling of small words, another way to write a number and sentences that were only moved are none.
    """
    tag, found = new.language or old.language, []
    if _retitled(old.title, new.title, tag):
        lost = facts(old.title, tag) - facts(new.title, tag)
        what = f"the title was {words.quoted(old.title)} and is {words.quoted(new.title)}"
        found.append(Slip(old.title, new.title, what, lost))
    before, after = _sentences(old), _sentences(new)
    there = {_words(s) for s in after}
    everything = facts(new.text, tag) | facts(f". {new.title}", tag) | _every_word(f"{new.text} {new.title}", tag)
    known = frozenset([*names(old.text, tag).values(), *names(new.text, tag).values()])
    shapes = [(_shape(s, tag), s) for s in after]
    for sentence in before:
        if _words(sentence) in there:
            continue
        shape = _shape(sentence, tag)
        ratio, close = max(((_ratio(shape, other), s) for other, s in shapes), key=lambda r: r[0], default=(0.0, ""))
        if ratio < CLOSE:
            close = ""
        missed = _missed(sentence, close, tag, known) if close else _nowhere(sentence, everything, tag, known)
        if missed:
            says = f"it reads {words.quoted(close)} now" if close else "it does not stand there any more"
            what = f"{words.quoted(sentence)}: {', '.join(sorted(missed))} is not said any more; {says}"
            found.append(Slip(sentence, close, what, frozenset(missed.values())))
    return found


def _nowhere(sentence: str, everything: frozenset[Fact], tag: str, known: frozenset[str]) -> dict[str, Fact]:
    """The numbers and names of a sentence that stand nowhere in an article, as they are written."""
    numbers = {sentence[q.start : q.end]: q.worth for q in quantities(sentence, tag) if not q.doubtful}
    return {w: f for w, f in {**numbers, **names(sentence, tag, known)}.items() if f not in everything}


def _missed(old: str, new: str, tag: str, known: frozenset[str]) -> dict[str, Fact]:
    """The numbers and names of a sentence that it does not say any more in its new words, as they are written.

    A word that may be no number ("one", "second") counts where another number stands in its place, and any number where
    the same words now stand around others.
    """
    found = _nowhere(old, facts(new, tag) | _every_word(new, tag), tag, known)
    (a, ours), (b, theirs) = _items(old, tag), _items(new, tag)
    for how, i, j, k, m in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        before, after = ([q for q in qs if q] for qs in (ours[i:j], theirs[k:m]))
        instead = {q.worth for q in after}
        if how == "replace" and instead - {q.worth for q in before}:
            found |= {old[q.start : q.end]: q.worth for q in before if q.worth not in instead}
    if [w if isinstance(w, str) else "" for w in a] == [w if isinstance(w, str) else "" for w in b]:
        pairs = zip(ours, theirs, strict=True)
        found |= {old[q.start : q.end]: q.worth for q, r in pairs if q and r and q.worth != r.worth}
    return found


def _items(text: str, tag: str) -> tuple[list[str | tuple[Worth]], list[Quantity | None]]:
    """The words of a text, with what a number is worth (in a tuple) in its place; and the numbers themselves."""
    items: list[str | tuple[Worth]] = []
    found: list[Quantity | None] = []
    begin = 0
    for one in (*quantities(text, tag), None):
        words_ = _words(text[begin : one.start if one else len(text)]).split()
        items += words_
        found += [None] * len(words_)
        if one:
            items.append((one.worth,))
            found.append(one)
            begin = one.end
    return items, found


def told(slips_: Iterable[Slip], *texts: str, now: Article | None = None) -> list[Slip]:
    """Those of the slips that stand in what was posted: in the article's words, cut short with …, or in others that
    speak of the same and say a number or a name that the article does not say any more (``now`` is what it says).
    """
    flat = [_words(t) for t in texts]
    cut = [_words(line) for t in texts for line in t.splitlines() if line.rstrip().endswith("…") and len(line) > SHORT]
    every = [(s, _words(s.old)) for s in slips_]
    plain = [s for s, old in every if old and (any(old in f for f in flat) or any(old.startswith(c) for c in cut))]
    known = frozenset(f for s in plain for f in s.lost)
    others = _in_other_words(texts, now) if now else []
    meant = [
        s
        for s, _ in every
        if s not in plain
        and any((s.lost - known) & said and about & set(words.terms(s.old, lang)) for said, about, lang in others)
    ]
    return [*plain, *meant]


def pictured(post: Post) -> list[str]:
    """What the pictures of a post say: the words that stand on them, and their alt texts."""
    said = [m.alt for m in post.media]
    return said + [t for m in post.media if m.design not in BARE for t in (post.title, m.words) if t]


def on_picture(slips_: Iterable[Slip], posts: Iterable[Post], *, now: Article) -> list[Slip]:
    """Those of the slips whose numbers and names stand on a picture, or in its alt text; a title in other words is
    none.
    """
    said, tag = [t for p in posts for t in pictured(p)], now.language
    there = frozenset(f for t in said for f in (*facts(t, tag), *_every_word(t, tag)))
    return [s for s in told(slips_, *said, now=now) if s.lost & there]


def _in_other_words(texts: Iterable[str], now: Article) -> list[tuple[frozenset[Fact], set[str], words.Language]]:
    """What the sentences of a post that are none of the article's say, and what they speak of."""
    tag, language = now.language, words.language(now.language)
    there = {_words(s) for s in (now.title, *_sentences(now))}
    found = []
    for text in texts:
        for a, b in words.sentences(text, words.base(tag)):
            sentence = text[a:b]
            if _words(sentence) in there:
                continue
            plain = " ".join(i for i in _items(sentence, tag)[0] if isinstance(i, str))
            found.append((facts(sentence, tag), set(words.terms(plain, language)), language))
    return found


def amended(text: str, wrong: Sequence[Slip]) -> str:
    """``text`` with what is wrong replaced by what stands now; empty if something cannot be."""
    for slip in wrong:
        if not slip.new or slip.old not in text:
            return ""
        text = text.replace(slip.old, slip.new)
    return text


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
    return title if _retitled(post.title, title, tag) else post.title


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
    """The words of a text in one spelling, without marks but for the sign of what is below zero."""
    return " ".join(w.replace("−", "-") for w in WORD.findall(text.casefold()))


def _shape(sentence: str, tag: str) -> list[str]:
    """The words of a sentence without their endings, and its numbers whatever they are."""
    return [stem(i, words.base(tag)) if isinstance(i, str) else "#" for i in _items(sentence, tag)[0]]


def _ratio(one: Sequence[str], other: Sequence[str]) -> float:
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio()


def _retitled(old: str, new: str, tag: str) -> bool:
    return _items(old, tag)[0] != _items(new, tag)[0] and not _small(old, new, tag)


def _small(old: str, new: str, tag: str) -> bool:
    """Whether only the spelling of words that are neither names nor numbers has changed."""
    if facts(old, tag) != facts(new, tag):
        return False
    a, b = _items(old, tag)[0], _items(new, tag)[0]
    if len(a) != len(b):
        return False
    return all(x == y or _spelt(x, y) for x, y in zip(a, b, strict=True))


def _spelt(one: str | tuple[Worth], other: str | tuple[Worth]) -> bool:
    """Whether two words are one, in another spelling."""
    both = isinstance(one, str) and isinstance(other, str)
    return both and difflib.SequenceMatcher(None, one, other).ratio() >= 0.75
