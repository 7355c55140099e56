"""Which facts of an article are others by now, its names and numbers, and which of its posts say them (pure).

Marks, spaces, spelling, synonyms, another way to write a number and sentences that were only moved are small edits.
What it costs grows with the length of an article, not with its square, and hardly with how many versions there are:
each sentence is read once, only what changed is compared, and that with ``CANDIDATES`` others at most.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import regex
import snowballstemmer

from worker.content import nouns, peoples, words
from worker.content.grounding import DENIED, DENYING, stem
from worker.content.quantities import Worth, quantities
from worker.content.units import Kinds, unit
from worker.model import Article

CLOSE = 0.5
"""From here on (difflib's ratio, of words without endings and any number) a sentence is the same one in other words;
below it, the old one is gone."""

CANDIDATES = 8
"""A sentence is compared with so many of those that have most words in common with it, at most."""

PLACES = 200
"""So many places where a sentence's words stand are looked at, those of its rarest words first."""

LONG = 250
"""What has more words is a list or a table, no sentence: its words are compared in whatever order."""

SHORT = 20
"""A line that ends in … says the beginning of what it cuts, if it has more characters."""

FEW = 3
"""A title of fewer words is posted where it is a line of its own: within a sentence they may mean anything."""

WORD = regex.compile(
    r"(?:(?<![\p{L}\p{M}\p{N}.]|\p{N}\s)[-−]?\.?(?=\p{Nd}))?[\p{L}\p{M}\p{N}]+|[\p{Sc}%‰]"  # -5, .5
)
LETTERS = regex.compile(r"\p{L}[\p{L}\p{M}’'-]*")
CAPITAL = regex.compile(
    r"(?<![\p{L}\p{M}\p{N}])(?:\p{Lu}[\p{L}\p{M}’'-]+|\p{Ll}{1,3}\p{Lu}[\p{L}\p{M}’'-]+|\p{Lu}(?![\p{L}\p{M}\p{N}’'-]|\.\s?\p{L}|\p{Sc}))"
)
"""A word with a capital, and be it one within it ("iPhone") or nothing but that ("Mr X", but no initial)."""

INSIDE = regex.compile(
    r"[\p{L}\p{N},;:)”’'–-]\s[(\[]?$|\p{L}[(/]$|(?:^|\s)\p{L}{1,5}[’']$"
    r"|(?<![\p{L}.])(?:Drs?|Mrs?|Ms|Mx|St|Ste|Sr|Sra|Prof|Mme|Mlle|Revd?|Gen|Col|Capt|Lt|Sgt|Sen|Gov|\p{Lu})\.\s$"
)
"""What stands before a name that begins no sentence: "in Graz", "l'Isère", "Graz/Linz", "town (Graz)", "Dr. Smith"."""

CASELESS = regex.compile(r"[\p{Lo}\p{Georgian}]")
"""A letter that has no capital."""

CALLED = regex.compile(
    r"(?<word>[\p{Katakana}ー]{2,}(?:・[\p{Katakana}ー]+)*|\p{Latin}[\p{Latin}\p{M}\p{N}]+)"
    r"|[「『《〈“\"](?<word>[^「」『』《》〈〉“”\"。.!?！？]{2,20})[」』》〉”\"]"
)
"""What is a name in scripts without capitals: a run of katakana, a Latin word, a few words in quotation marks."""

JOINING = {
    code: frozenset(said.split())
    for code, said in {
        "en": "and or nor",
        "de": "und oder sowie",
        "fr": "et ou ni",
        "es": "y e o u ni",
        "it": "e ed o od",
        "pt": "e ou",
        "nl": "en of",
        "sv": "och eller samt",
        "da": "og eller samt",
        "nb": "og eller samt",
        "pl": "i oraz lub",
        "ru": "и или",
        "uk": "і й та або",
        "tr": "ve veya",
    }.items()
}
"""What stands between the names of a list, whose order says nothing."""

CONTRACTED = regex.compile(r"\b\p{L}+n['’]t\b", regex.I)

HASHTAG = regex.compile(r"[#＃]([\p{L}\p{M}\p{N}_]+)")
HEADLINE, STOPS = 0.6, tuple('.!?…:"”')
"""Where so many words of an English line have capitals and no full stop ends it, capitals make no names."""

RUN = regex.compile(r"(?<![\p{L}\p{M}\p{N}])\p{Lu}[\p{L}\p{M}’'-]+(?: \p{Lu}[\p{L}\p{M}’'-]+)*")
"""Words with capitals that follow each other."""

INFLECTED = ("s", "ly", "ing", "ed")
NOT_BEHIND = regex.compile(
    r",|\s(?:the|an?|this|that|these|those|he|she|it|they|we|you|I|his|her|its|their|there|in|on|at|by|to|for|from|with|about)\b"
)
"""What stands behind an adverb or a participle that begins an English sentence, and behind no name that does."""

COMMON = {
    "en": ("ists", "ians", "ments", "tions", "ities", "ings", "holders", "workers", "fighters"),
    "es": ("s", "aron", "ieron", "ó", "aba", "aban", "ía", "ían", "ará", "arán", "ando", "endo", "mente"),
    "it": ("arono", "erono", "irono", "ò", "ava", "avano", "ando", "endo", "mente"),
    "pt": ("s", "aram", "eram", "iram", "ou", "ava", "avam", "ando", "endo", "indo", "mente"),
    "sv": ("en", "et", "on", "arna", "erna", "orna", "ar", "or", "er"),
    "da": ("en", "et", "ene", "erne", "er"),
    "nb": ("en", "et", "ene", "er"),
}
"""How words end that begin a sentence without an article, and hardly ever a name."""

GENITIVE = frozenset({"da", "nb", "nl", "nn", "no", "sv"})
"""Languages whose names take an "s" without an apostrophe."""

CASES = {"de": "german", "pl": "polish", "ru": "russian"}
"""Languages whose names have endings, and Snowball's name of each."""

Fact = Worth
"""What a number is worth, that with its unit ("9 duration-year"), or a name without its endings."""


TURNED, OTHERWISE = "turned", "otherwise"
"""What is said of a sentence that says the opposite, in otherwise the same words: it is denied, or names have changed
places; and of one that reads otherwise, where nobody can tell names from other words."""

WHOLE = frozenset({TURNED, OTHERWISE})


@dataclass(frozen=True, slots=True)
class Slip:
    """Something of the old article that is not true any more: ``new`` is what it says now, "" if nothing does; ``lost``
    are the numbers and names that are not said any more: how each is written, and what it is.
    """

    old: str
    new: str
    lost: tuple[tuple[str, Fact], ...] = ()
    title: bool = False

    @property
    def what(self) -> str:
        """What is wrong, in words for who decides."""
        if self.title:
            return f"the title was {words.quoted(self.old)} and is {words.quoted(self.new)}"
        says = f"it reads {words.quoted(self.new)} now" if self.new else "it does not stand there any more"
        lost = ", ".join(dict.fromkeys(w for w, f in self.lost if f not in WHOLE))
        turned = "the opposite is said" if TURNED in self.facts else "only a person can tell whether the same is said"
        return f"{words.quoted(self.old)}: {f'{lost} is not said any more' if lost else turned}; {says}"

    @property
    def facts(self) -> frozenset[Fact]:
        """What is not said any more."""
        return frozenset(f for _, f in self.lost)


@dataclass(frozen=True, slots=True)
class _Amount:
    """A number with its unit, from ``start`` to ``end``."""

    worth: Worth
    kinds: Kinds
    start: int
    end: int
    doubtful: bool

    def differs(self, other: _Amount) -> bool:
        """Whether it is another number, or surely another unit."""
        return self.worth != other.worth or bool(self.kinds and other.kinds and not self.kinds & other.kinds)

    def facts(self) -> Iterator[Fact]:
        yield self.worth
        yield from (f"{self.worth} {kind}" for kind in self.kinds)


@dataclass(frozen=True, slots=True, eq=False)
class _Said:
    """A sentence: ``flat`` are its words in one spelling, ``items`` the same with a number's worth in its place and
    ``amounts`` those numbers; ``names`` are as they are written and what each is known by, ``first`` what may be one
    because it begins the sentence; ``shape`` is what it is like in other words, ``keys`` what it is looked up by,
    ``about`` what it speaks of, ``every`` each word as a name.
    """

    text: str
    flat: str
    items: tuple[str | tuple[Worth], ...]
    amounts: tuple[_Amount | None, ...]
    names: Mapping[str, str]
    first: Mapping[str, str]
    shape: tuple[str, ...]
    keys: frozenset[str | tuple[Worth]]
    about: frozenset[str]
    every: frozenset[str]
    facts: frozenset[Fact]

    def named(self, pages: Iterable[_Page]) -> dict[str, str]:
        """Its names, with what begins it if it is a name elsewhere on these pages."""
        return {**self.names, **{w: n for w, n in self.first.items() if any(p.inside(w) for p in pages)}}

    def numbers(self) -> list[_Amount]:
        return [a for a in self.amounts if a]

    def written(self, one: _Amount) -> str:
        return self.text[one.start : one.end]


@functools.lru_cache(maxsize=4096)
def _said(text: str, tag: str) -> _Said:
    code, language = words.base(tag), words.language(tag)
    counted = _amounts(text, tag)
    items: list[str | tuple[Worth]] = []
    amounts: list[_Amount | None] = []
    said: list[str] = []
    begin = 0
    for one in (*counted, None):
        between = flat(text[begin : one.start if one else len(text)]).split()
        said += between
        between = [part for w in between for part in (w if words.UNSPACED.search(w) else (w,))]
        items += between
        amounts += [None] * len(between)
        if one:
            items.append((one.worth,))
            amounts.append(one)
            begin = max(begin, one.end)
    _dates_alike(items, amounts)
    names, first = _names(text, tag, counted)
    keys = {stem(w, code) for w in items if isinstance(w, str) and w not in language.stop}
    if words.UNSPACED.search(text):
        keys |= {w[i : i + 2] for w in said for i in range(len(w) - 1)}
    return _Said(
        text=text,
        flat=flat(text),
        items=tuple(items),
        amounts=tuple(amounts),
        names=names,
        first=first,
        shape=tuple(stem(i, code) if isinstance(i, str) else "#" for i in items),
        keys=frozenset([*keys, *(i for i in items if isinstance(i, tuple))]),
        about=frozenset(words.terms(" ".join(said), language)),
        every=frozenset(_named(w, code) for w in LETTERS.findall(text)),
        facts=frozenset([*names.values(), *(f for one in counted for f in one.facts())]),
    )


def _dates_alike(items: list[str | tuple[Worth]], amounts: list[_Amount | None]) -> None:
    """Put what a date says in one order, however the date is written: 2026-05-03, 3 May 2026."""
    begin = 0
    for dated, run in itertools.groupby(amounts, key=bool):
        found = [a for a in run if a] if dated else []
        if any(str(a.worth).startswith("month") for a in found):
            found.sort(key=lambda a: str(a.worth))
            amounts[begin : begin + len(found)] = found
            items[begin : begin + len(found)] = [(a.worth,) for a in found]
        begin += len(found)
        while begin < len(amounts) and not amounts[begin]:
            begin += 1


def flat(text: str) -> str:
    """The words of a text in one spelling, without marks but for signs of money, shares and what is below zero."""
    return " ".join(w.replace("−", "-") for w in WORD.findall(text.casefold()))


def _amounts(text: str, tag: str) -> list[_Amount]:
    """The numbers of a text with their units, which are no numbers themselves: "a second bridge"."""
    found = quantities(text, tag)
    made = []
    for place, one in enumerate(found):
        least = found[place - 1].end if place else 0
        most = next((q.start for q in found[place + 1 :] if q.start >= one.end), len(text))
        there = unit(text, one.start, one.end, tag)
        if there is None or there.start < least or there.end > most:
            made.append(_Amount(one.worth, frozenset(), one.start, one.end, one.doubtful))
        else:
            made.append(_Amount(one.worth, there.kinds, there.start, there.end, one.doubtful))
    return made


def _names(text: str, tag: str, counted: Iterable[_Amount]) -> tuple[dict[str, str], dict[str, str]]:
    """The names of a text as they are written, and what each is known by: words with a capital that are no numbers, no
    small words and, where all nouns have capitals, no common ones; and apart those that may be names, as they begin it.
    """
    code, stop = words.base(tag), words.language(tag).stop
    headline = code == "en" and not text.rstrip().endswith(STOPS) and _capitals(text) > HEADLINE
    names: dict[str, str] = {}
    first: dict[str, str] = {}
    for found in CAPITAL.finditer(text):
        word, before = found[0], text[max(0, found.start() - nouns.BEFORE) : found.start()]
        if any(one.start < found.end() and found.start() < one.end for one in counted):
            continue
        if words.plain(word) in stop or nouns.common(word, before, code):
            continue
        sure = (INSIDE.search(before) and not headline) or word[0].islower()
        (names if sure else first)[word] = _named(word, code)
    for found in peoples.WORD.finditer(text) if code in peoples.STEMMED else ():
        known = peoples.people(found[0], code)
        if known and not any(one.start < found.end() and found.start() < one.end for one in counted):
            names[found[0]] = known
    if _caseless(text):
        for found in CALLED.finditer(text):
            if not any(one.start < found.end("word") and found.start("word") < one.end for one in counted):
                names[found["word"]] = _named(found["word"], code)
    return names, first


def _caseless(text: str) -> bool:
    """Whether most letters of a text have no capitals."""
    found = CASELESS.findall(text)
    return bool(found) and 2 * len(found) > len(regex.findall(r"\p{L}", text))


def _capitals(text: str) -> float:
    """The share of a text's words of more than three letters that have a capital."""
    found = [w for w in LETTERS.findall(text) if len(w) > FEW]
    return sum(w[0].isupper() for w in found) / len(found) if found else 0


@functools.lru_cache(maxsize=8192)
def _named(word: str, code: str) -> str:
    """What a name is known by, whatever its case."""
    word = _bare(word).casefold()
    if code in CASES:
        return str(snowballstemmer.stemmer(CASES[code]).stemWord(word))
    return word.removesuffix("s") if code in GENITIVE and len(word) > FEW else word


def _bare(word: str) -> str:
    return word.rstrip("’'-").removesuffix("'s").removesuffix("’s")


class _Page:
    """An article, each of whose sentences is read once, when somebody asks."""

    def __init__(self, title: str, text: str, tag: str) -> None:
        self.tag, self.title, self.text = tag, title, text
        self._inside: dict[str, bool] = {}
        self.sentences = [text[a:b] for a, b in words.sentences(text, words.base(tag))]
        self.flat = [flat(s) for s in self.sentences]
        self.there = frozenset(self.flat)

    @functools.cached_property
    def said(self) -> list[_Said]:
        return [_said(s, self.tag) for s in self.sentences]

    def inside(self, word: str) -> bool:
        """Whether a word with a capital stands somewhere within a sentence."""
        if word not in self._inside:
            places = (m.start() for m in regex.finditer(rf"\b{regex.escape(_bare(word))}", self.text))
            self._inside[word] = any(INSIDE.search(self.text[max(0, p - nouns.BEFORE) : p]) for p in places)
        return self._inside[word]

    @functools.cached_property
    def everything(self) -> frozenset[Fact]:
        """Every number, name and word of it, its title's too."""
        return frozenset(f for s in (*self.said, _said(self.title, self.tag)) for f in (*s.facts, *s.every))

    @functools.cached_property
    def small(self) -> frozenset[str]:
        """Its words without a capital."""
        return frozenset(w for w in LETTERS.findall(self.text) if w[0].islower())

    @functools.cached_property
    def letters(self) -> str:
        return words.key(self.text)

    def without(self, there: frozenset[str]) -> _Index:
        """Its sentences but those that stand ``there`` as well, to be looked up."""
        return _Index([_said(s, self.tag) for s, f in zip(self.sentences, self.flat, strict=True) if f not in there])


class _Index:
    """Sentences, to find the one that says the same in other words."""

    def __init__(self, said: Sequence[_Said]) -> None:
        self._said = said
        self._places: dict[str | tuple[Worth], list[int]] = {}
        for place, one in enumerate(said):
            for item in one.keys:
                self._places.setdefault(item, []).append(place)

    def closest(self, one: _Said) -> _Said | None:
        """The sentence that is most like ``one``; None if none is the same in other words."""
        found: Counter[int] = Counter()
        left = PLACES
        for places in sorted((self._places.get(item, []) for item in one.keys), key=len):
            found.update(places[:left])
            left -= len(places)
            if left <= 0:
                break
        chosen = [p for p, _ in found.most_common(CANDIDATES)]
        if len(self._said) <= CANDIDATES:
            chosen = list(range(len(self._said)))
        rated = [(_ratio(one.shape, self._said[p].shape), -p) for p in chosen]
        ratio, place = max(rated, default=(0.0, 0))
        return self._said[-place] if ratio >= CLOSE else None


def _ratio(one: Sequence[str], other: Sequence[str]) -> float:
    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    if len(one) == len(other) and sorted(one) == sorted(other):
        return 1.0
    return matcher.quick_ratio() if max(len(one), len(other)) > LONG else matcher.ratio()


@functools.lru_cache(maxsize=8)
def _page(title: str, text: str, tag: str) -> _Page:
    return _Page(title, text, tag)


class _Posted:
    """What was posted: in an article's words, cut short with …, and in others."""

    def __init__(self, texts: Iterable[str], tag: str) -> None:
        texts = [t for t in texts if t]
        self._tag = tag
        self._whole = [f" {flat(t)} " for t in texts]
        rows = [row.rstrip() for t in texts for row in t.splitlines()]
        self._rows = {flat(row) for row in rows}
        self._cut = [flat(row) for row in rows if row.endswith("…") and len(row) > SHORT]
        self._texts = texts
        self.tags = frozenset(m[1].casefold() for t in texts for m in HASHTAG.finditer(t))

    def whole(self, said: str, *, title: bool = False) -> bool:
        """Whether a sentence (flat) stands there as it is."""
        if title and said.count(" ") + 1 < FEW:
            return said in self._rows
        return bool(said) and any(f" {said} " in f for f in self._whole)

    def cut(self, said: str) -> str:
        """What is said of a sentence (flat) that was cut short."""
        return max((c for c in self._cut if said.startswith(c)), key=len, default="")

    @functools.cached_property
    def sentences(self) -> list[_Said]:
        code = words.base(self._tag)
        return [_said(t[a:b], self._tag) for t in self._texts for a, b in words.sentences(t, code)]

    @functools.cached_property
    def about(self) -> frozenset[str]:
        return frozenset(t for s in self.sentences for t in s.about)

    @functools.cached_property
    def facts(self) -> frozenset[Fact]:
        """Every number and name of it, and every word that begins a sentence and may be one."""
        return frozenset(f for s in self.sentences for f in (*s.facts, *s.first.values()))

    def has_words_of(self, old: str) -> bool:
        """Whether a sentence, as it is or cut short, or a name of it in a hashtag, stands there."""
        plain = flat(old)
        return self.whole(plain) or bool(self.cut(plain)) or any(t in plain.replace(" ", "") for t in self.tags)

    def speaks_of(self, old: str) -> bool:
        """Whether it speaks of what a sentence does."""
        return not self.about.isdisjoint(words.terms(old, words.language(self._tag)))


def slips(old: Article, new: Article, posted: Iterable[str] | None = None) -> list[Slip]:
    """What the old article said that the new one corrects: its title, and sentences whose numbers or names changed; of
    these, if it is told, only what can stand in a text that was ``posted``.
    """
    tag = new.language or old.language
    before, after = _page(old.title, old.text, tag), _page(new.title, new.text, tag)
    found = []
    if retitled(old.title, new.title, tag):
        one, other = _said(old.title, tag), _said(new.title, tag)
        found.append(Slip(old.title, new.title, _ordered(_nowhere(one, other.facts | other.every, ())), title=True))
    changed = [s for s, f in zip(before.sentences, before.flat, strict=True) if f not in after.there]
    if posted is not None:
        post = _Posted(posted, tag)
        own = {s for s in changed if post.has_words_of(s)}
        changed = [s for s in changed if s in own or (post.speaks_of(s) and not post.facts.isdisjoint(_facts(s, tag)))]
    index = after.without(before.there) if changed else _Index(())
    for one in (_said(s, tag) for s in changed):
        close = index.closest(one)
        lost = _missed(one, close, before, after) if close else _nowhere(one, after.everything, (before, after))
        if not lost and _caseless(one.text) and _reads_otherwise(one, close, after):
            lost = {(one.text, OTHERWISE)}
        if lost:
            found.append(Slip(one.text, close.text if close else "", _ordered(lost)))
    return found


def _facts(text: str, tag: str) -> frozenset[Fact]:
    one = _said(text, tag)
    return one.facts | frozenset(one.first.values())


def _ordered(lost: Iterable[tuple[str, Fact]]) -> tuple[tuple[str, Fact], ...]:
    return tuple(sorted(lost, key=lambda one: (one[0], str(one[1]))))


def _nowhere(one: _Said, there: Collection[Fact], pages: Iterable[_Page]) -> set[tuple[str, Fact]]:
    """The numbers and names of a sentence that are not ``there``, as they are written."""
    sure = ((one.written(a), a.worth) for a in one.numbers() if not a.doubtful)
    return {(w, f) for w, f in (*sure, *one.named(pages).items()) if f not in there}


def _missed(one: _Said, other: _Said, before: _Page, after: _Page) -> set[tuple[str, Fact]]:
    """The numbers and names of a sentence that it does not say any more in its new words, as they are written.

    A word that may be no number ("one", "second") counts where another number stands in its place, and any number where
    the same words now stand around others, or where it counts something else.
    """
    pages = (before, after)
    found = _nowhere(one, other.facts | other.every, pages)
    found -= set(_shortened(one, other, found, pages)) | set(_beside(one, other, found, pages))
    for ours in one.numbers():
        same = [a for a in other.numbers() if a.worth == ours.worth]
        if same and all(ours.differs(a) for a in same):
            found |= {(one.written(ours), f"{ours.worth} {kind}") for kind in ours.kinds}
    if max(len(one.items), len(other.items)) <= LONG:
        found |= {(one.written(a), a.worth) for a in _replaced(one, other)}
        found |= _begun(one, other, pages)
    return found or ({(one.text, TURNED)} if _turned(one, other, before.tag) else set())


def _beside(
    one: _Said, other: _Said, found: Iterable[tuple[str, Fact]], pages: tuple[_Page, _Page]
) -> Iterator[tuple[str, Fact]]:
    """What stands in the sentence before or behind instead, if both say nothing new: one was made two."""
    before, after = pages
    place = after.sentences.index(other.text)
    for near in (place - 1, place + 1):
        if 0 <= near < len(after.sentences) and after.flat[near] not in before.there:
            beside = _said(after.sentences[near], after.tag)
            if {*other.named(pages).values(), *other.facts, *beside.facts} <= one.facts | one.every:
                yield from (f for f in found if f[1] in beside.facts | beside.every)


def _turned(one: _Said, other: _Said, tag: str) -> bool:
    """Whether a sentence says the opposite in the same words: it is denied, or names have changed places."""
    code = words.base(tag)
    denying = DENIED.get(code, frozenset())
    ways = [bool(denying.intersection(s.items)) or DENYING.search(s.text) is not None for s in (one, other)]
    if ways[0] != ways[1]:
        plain, now = (_said(CONTRACTED.sub("", s.text), tag).keys for s in (one, other))
        return _same_but_denied(plain, now, code)
    return _opposed(one, other, code) or _swapped(one, other, JOINING.get(code, JOINING["en"]))


def _opposed(one: _Said, other: _Said, code: str) -> bool:
    """Whether one word of a sentence became its opposite and nothing else changed but small words."""
    language = words.language(code)
    ways = [Counter(s.items) - Counter(o.items) for s, o in ((one, other), (other, one))]
    pairs = [[i for i in way.elements() if i in language.contrary or i not in language.stop] for way in ways]
    if [len(p) for p in pairs] != [1, 1]:
        return False
    said, now = (p[0] for p in pairs)
    return isinstance(said, str) and now in language.contrary.get(said, ())


def _same_but_denied(one: frozenset[str | tuple[Worth]], other: frozenset[str | tuple[Worth]], code: str) -> bool:
    """Whether two sentences, by their keys, say the same; an English verb may have another form, which begins with the
    same letter: "knew" and "didn't know".
    """
    denying = {stem(w, code) for w in DENIED.get(code, ())}
    gone, come = one - other - denying, other - one - denying
    if code == "en" and len(gone) == len(come) == 1:
        return next(iter(gone))[0] == next(iter(come))[0]
    return not gone and not come


def _swapped(one: _Said, other: _Said, joining: Collection[str]) -> bool:
    """Whether names have changed places and all else has not; the order of a list says nothing."""
    named = {p for s in (one, other) for w in (*s.names, *s.first) for p in flat(_bare(w)).split()}
    ways = [_placed(s.items, named, joining) for s in (one, other)]
    (frame, groups), (frame_now, groups_now) = ways
    return frame == frame_now and groups != groups_now and Counter(one.items) == Counter(other.items)


def _placed(
    items: Sequence[str | tuple[Worth]], named: Collection[str], joining: Collection[str]
) -> tuple[list[str | tuple[Worth]], list[Counter[str]]]:
    """A sentence with "" in the place of each list of names, and those names."""
    frame: list[str | tuple[Worth]] = []
    groups: list[Counter[str]] = []
    for item, behind in itertools.zip_longest(items, items[1:]):
        listed = bool(frame) and frame[-1] == ""
        if isinstance(item, str) and item in named:
            if not listed:
                frame.append("")
                groups.append(Counter())
            groups[-1][item] += 1
        elif not (listed and item in joining and behind in named):
            frame.append(item)
    return frame, groups


def _reads_otherwise(one: _Said, other: _Said | None, after: _Page) -> bool:
    """Whether more changed than marks, small words and how numbers are written, where nobody can tell names."""
    if words.key(one.text) in after.letters:
        return False
    if other is None:
        return True
    small = words.language(after.tag).stop
    opcodes = difflib.SequenceMatcher(None, one.items, other.items, autojunk=False).get_opcodes()
    pieces = [p for how, i, j, k, m in opcodes if how != "equal" for p in (one.items[i:j], other.items[k:m])]
    return not all(_small(p, small) for p in pieces)


def _small(piece: Sequence[str | tuple[Worth]], small: Collection[str]) -> bool:
    """Whether there is nothing but small words in a piece of a sentence."""
    said = [i for i in piece if isinstance(i, str)]
    whole = "".join(said)
    return len(said) == len(piece) and (not whole or whole in small or all(i in small for i in said))


def _shortened(
    one: _Said, other: _Said, found: Iterable[tuple[str, Fact]], pages: tuple[_Page, _Page]
) -> Iterator[tuple[str, Fact]]:
    """Words of a name of which another word still stands there, if no other name does and the article says it all
    elsewhere: "Mayor Ada Byron" and "Byron".
    """
    if not set(other.named(pages).values()) <= one.every:
        return
    for run in RUN.finditer(one.text):
        names = run[0].split()
        if any(_named(w, words.base(pages[1].tag)) in other.every for w in names):
            yield from (f for f in found if f[0] in names and f[1] in pages[1].everything)


def _replaced(one: _Said, other: _Said) -> Iterator[_Amount]:
    """The numbers of a sentence in whose place another one stands."""
    opcodes = difflib.SequenceMatcher(None, one.items, other.items, autojunk=False).get_opcodes()
    for how, i, j, k, m in opcodes:
        before, after = [a for a in one.amounts[i:j] if a], [a for a in other.amounts[k:m] if a]
        instead = {a.worth for a in after}
        if how == "replace" and instead - {a.worth for a in before}:
            yield from (a for a in before if a.worth not in instead)
    if [isinstance(i, str) and i for i in one.items] == [isinstance(i, str) and i for i in other.items]:
        pairs = zip(one.amounts, other.amounts, strict=True)
        yield from (a for a, b in pairs if a and b and a.worth != b.worth)


def _begun(one: _Said, other: _Said, pages: tuple[_Page, _Page]) -> set[tuple[str, Fact]]:
    """The names that begin a sentence, or a quotation in it, where others do now; its other words are as they were."""
    ours, theirs = ([i if isinstance(i, str) else "#" for i in s.items] for s in (one, other))
    opcodes = difflib.SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes()
    changed = [op for op in opcodes if op[0] != "equal"]
    if len(changed) != 1 or changed[0][0] != "replace":
        return set()
    _, i, j, k, m = changed[0]
    if max(j - i, m - k) > FEW:
        return set()
    found: set[tuple[str, Fact]] = set()
    for said, there in ((one, ours[i:j]), (other, theirs[k:m])):
        first = {p: w for w in said.first for p in flat(_bare(w)).split()}
        sure = {p for w in said.names for p in flat(_bare(w)).split()}
        if not all(p in sure or (p in first and _like_a_name(first[p], said.text, pages)) for p in there):
            return set()
        if said is one:
            found = {(first[p], one.first[first[p]]) for p in there if p in first and p not in sure}
    return found


def _like_a_name(word: str, text: str, pages: Iterable[_Page]) -> bool:
    """Whether a word that begins a sentence is none that is known, in whatever form, and stands nowhere without its
    capital.
    """
    tag = next(p.tag for p in pages)
    code, low = words.base(tag), _bare(word).casefold()
    if low in _plain(code) or any(low in p.small for p in pages):
        return False
    if code == "en" and not low.endswith(INFLECTED):
        return True  # a noun has an article there, or is a plural
    if stem(low, code) in _stems(code) or (low.endswith("s") and any(low[:-1] in p.small for p in pages)):
        return False
    if code == "en" and not low.endswith("s") and NOT_BEHIND.match(text[text.find(word) + len(word) :]):
        return False
    return not low.endswith(COMMON.get(code, ()))


@functools.cache
def _plain(code: str) -> frozenset[str]:
    """The words that may begin a sentence of a language without an article, and are no names."""
    known = words.language(code)
    return known.stop | known.verbs | known.general | known.roles | known.beginning


@functools.cache
def _stems(code: str) -> frozenset[str]:
    """The words that a language knows, without their endings."""
    known = words.language(code)
    return frozenset(stem(w, code) for w in _plain(code) | known.trades | known.weak)


def told(slips_: Iterable[Slip], *texts: str, now: Article | None = None) -> list[Slip]:
    """Those of the slips that stand in what was posted, each with what of it does: in the article's words, cut short
    with …, in a hashtag, or in others that speak of the same and say a number or a name that the article does not say
    of it any more (``now`` is what it says).
    """
    slips_ = list(slips_)
    posted = _Posted(texts, now.language if now else "")
    plain = [s for s in slips_ if posted.whole(flat(s.old), title=s.title)]
    cut = [c for s in slips_ if s not in plain for c in _cut(s, posted)]
    if now is None:
        return [*plain, *cut]
    page = _page(now.title, now.text, now.language)
    known = frozenset(f for s in (*plain, *cut) for f in s.facts)
    meant = []
    for slip in slips_:
        if slip in plain or any(c.old == slip.old for c in cut):
            continue
        said = (_meant(slip, posted, page) | _tagged(slip, posted, page)) - known
        if lost := tuple(one for one in slip.lost if one[1] in said):
            meant.append(dataclasses.replace(slip, lost=lost))
    return [*plain, *cut, *meant]


def _cut(slip: Slip, posted: _Posted) -> Iterator[Slip]:
    """A slip as far as it stands in a line that was cut short."""
    there = posted.cut(flat(slip.old))
    lost = tuple(one for one in slip.lost if f" {flat(one[0])} " in f" {there} ")
    if slip.facts & WHOLE and not flat(slip.new).startswith(there):
        lost = slip.lost
    if there and (lost or slip.title):
        yield dataclasses.replace(slip, lost=lost)


def _meant(slip: Slip, posted: _Posted, page: _Page) -> frozenset[Fact]:
    """What is not said any more and a sentence of a post says that speaks of the same, unless the article says it of
    something that is more like it.
    """
    old = _said(slip.old, page.tag).about
    found: set[Fact] = set()
    for one in posted.sentences:
        said = slip.facts & {*one.facts, *one.first.values()}
        if one.flat in page.there or not said or not (alike := len(one.about & old)):
            continue
        for fact in said:
            about = (s.about for s in page.said if fact in s.facts or fact in s.first.values())
            if all(len(one.about & other) < alike for other in about):
                found.add(fact)
    return frozenset(found)


def _tagged(slip: Slip, posted: _Posted, page: _Page) -> frozenset[Fact]:
    """The names in hashtags of a post that stand nowhere in the article any more."""
    code = words.base(page.tag)
    tags = {run: names for run, names in _runs(slip.old) if run in posted.tags}
    said = frozenset(_named(n, code) for names in tags.values() for n in names)
    return (slip.facts & said) - page.everything


def _runs(text: str) -> Iterator[tuple[str, list[str]]]:
    """Every name of one or more words as a hashtag says it (casefolded), and its words."""
    for run in RUN.finditer(text):
        names = run[0].split()
        for i in range(len(names)):
            yield from (("".join(names[i:j]).casefold(), names[i:j]) for j in range(i + 1, len(names) + 1))


def said(text: str, tag: str) -> frozenset[Fact]:
    """Every number, name and word of a text."""
    one = _said(text, tag)
    return one.facts | one.every


def amended(text: str, wrong: Sequence[Slip]) -> str:
    """``text`` with what is wrong replaced by what stands now, in its hashtags, too; empty if something cannot be."""
    tags = {m[1].casefold() for m in HASHTAG.finditer(text)}
    for slip in wrong:
        if not slip.new or slip.old not in text:
            return ""
        lost = {w for w, _ in slip.lost}
        if any(run in tags and lost.intersection(names) for run, names in _runs(slip.old)):
            return ""
        text = text.replace(slip.old, slip.new)
    return text


def retitled(old: str, new: str, tag: str) -> bool:
    """Whether a title says something else; not if only the spelling of words that are no names or numbers changed."""
    one, other = _said(old, tag), _said(new, tag)
    pairs = list(zip(one.amounts, other.amounts, strict=False))
    if one.items == other.items:
        return any(a and b and a.differs(b) for a, b in pairs)
    if one.facts != other.facts or len(one.items) != len(other.items):
        return True
    return not all(x == y or _spelt(x, y) for x, y in zip(one.items, other.items, strict=True))


def _spelt(one: str | tuple[Worth], other: str | tuple[Worth]) -> bool:
    """Whether two words are one, in another spelling."""
    both = isinstance(one, str) and isinstance(other, str) and not CASELESS.search(one)
    return both and difflib.SequenceMatcher(None, one, other).ratio() >= 0.75
