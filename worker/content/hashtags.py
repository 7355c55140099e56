"""What an article is about, in hashtags: the author's own first, then what title, headings and text speak of most."""

from __future__ import annotations

import dataclasses
import html
import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence

import regex

from worker.content import units, words
from worker.content.keyphrases import Phrase, keyphrases, stem
from worker.content.quantities import quantities
from worker.content.usage import Usage, general_stems
from worker.model import Article

MOST = 15
LONGEST = 30
WORDS = 3
FEW, FEWEST = 3, 2  # below so many, names that are less sure are used as well, and single words
MACHINE = 8  # nobody writes more tags than this by hand; a longer list has no order to be kept
KIN = 4  # letters
ACRONYM = 3  # letters; what is longer may only be shouted
OFTEN = 3  # times said
SHORT = 200  # words; in a shorter text twice is often
SURE, LIKELY = 3, 2  # points of evidence
NAME = regex.compile(r"\p{Lu}\S*(?: \p{Lu}\S*)+")
NUMBERED = regex.compile(r"\d(?!\p{Lu}$|\p{Lu}\p{Lu}?\b)")
CASELESS = regex.compile(r"[\p{Arabic}\p{Hebrew}\p{Devanagari}\p{Bengali}\p{Tamil}\p{Telugu}]")
CAMEL = regex.compile(r"(?<=\p{Ll}{2}|\p{N})(?=\p{Lu}\p{Ll})|(?<=\p{Ll}{2})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})")
AMOUNT = regex.compile(r"[一二三四五六七八九十百千万億兆亿〇零两兩年月日時时分秒円元圓割度本人個件回歳岁]+")
MARKUP = regex.compile(r"</?\p{L}[^<>\n]{0,200}>|(?<![\p{L}\p{N}])\w+\((?!\p{L}+\))[^()\n]{0,40}\)(?=[;<\s]|$)")
TAG = regex.compile(r"[\p{L}\p{N}][\p{L}\p{M}\p{N}\u200c .,&'’+/_-]*")


def choose(article: Article) -> list[str]:
    """Up to 15 hashtags without ``#``, best first; the platform decides how many are used."""
    lang = words.language(article.language)
    forms: defaultdict[str, Counter[str]] = defaultdict(Counter)
    headings = tuple(MARKUP.sub(" ", h) for h in article.headings)
    title, text = MARKUP.sub(" ", article.title), MARKUP.sub(" ", article.text)
    article = dataclasses.replace(article, title=title, headings=headings, text=text)
    text = "\n".join([article.title, *article.headings, article.text])
    for word in words.words(text):
        forms[stem(word, lang.code)][word] += 1
    known, others = [], []
    for tag in map(html.unescape, article.tags):
        if not TAG.fullmatch(tag) or NUMBERED.match(tag):
            continue
        parts = [_as_written(p, forms, lang.code) for p in _parts(tag)]
        if all(stem(p, lang.code) in forms for p in parts) or tag in article.text:
            known.append(parts)
        elif regex.fullmatch(r"[\p{L}\p{M} '’&-]+", tag) and len(article.tags) <= MACHINE:
            others.append(parts)
    if len(known) > MACHINE:
        known.sort(key=lambda parts: -min((forms[stem(p, lang.code)].total() for p in parts), default=0))
    phrases = [p for p in keyphrases(text, lang, title=article.title, limit=50) if len(p.stems) <= WORDS]
    usage = Usage([article.title, *article.headings], article.text.split("\n"), lang)
    own = [_parts(p) for p in _sayable(article, phrases, usage, len(known))]
    picked: dict[str, frozenset[str]] = {}
    hints = [(usage.uncalled(p), True) for p in _whole(known[:MACHINE], usage)]
    found = [(p, False) for p in own]
    for parts, hinted in [*hints, *found[:4], *((usage.uncalled(p), True) for p in others[:3]), *found[4:]]:
        tag = _tag(parts, lang.code)
        stems = frozenset(stem(p, lang.code) for p in parts)
        if tag and len(tag) <= LONGEST and _is_new(tag, parts, stems, picked, usage, hinted=hinted):
            picked[tag] = stems
    return list(picked)[:MOST]


def _within(short: Sequence[str], long: Sequence[str]) -> bool:
    """Whether a phrase stands in a longer one as it is: "urban trees" in "old urban trees", not "trees" and "urban"."""
    size = len(short)
    return size < len(long) and any(long[n : n + size] == short for n in range(len(long) - size + 1))


def _whole(known: Sequence[list[str]], usage: Usage) -> list[list[str]]:
    """The author's tags without those that a longer one says as well ("Trees" beside "Urban trees"), which moves there.

    What is a name by itself stays: "London" beside "London Marathon". Among tags found in the text the shorter is the
    surer one, and dropping it there cost precision and recall (kpcrowd, semeval2017).
    """
    stems = [[stem(p, usage.lang.code) for p in parts] for parts in known]
    kept: dict[int, None] = {}
    for number, parts in enumerate(known):
        common = all(usage.small(p) for p in parts)
        longer = [n for n, others in enumerate(stems) if _within(stems[number], others)] if common else []
        kept[max(longer, key=lambda n: len(stems[n]), default=number)] = None
    return [known[n] for n in kept]


def _as_written(part: str, forms: dict[str, Counter[str]], code: str) -> str:
    """A word of a tag as the text writes it: ``NASA`` for ``nasa``, ``Hanoi`` for ``HANOI``."""
    same = [f for f in forms.get(stem(part, code), ()) if words.plain(f) == words.plain(part)]
    loud = len(part) > ACRONYM and part.isupper()
    return max(same, key=lambda f: forms[stem(part, code)][f]) if same and (loud or part == part.lower()) else part


def _is_new(
    tag: str,
    parts: Sequence[str],
    stems: frozenset[str],
    picked: dict[str, frozenset[str]],
    usage: Usage,
    *,
    hinted: bool,
) -> bool:
    """Whether a tag says something that those before it do not."""
    lang = usage.lang
    if words.plain(tag) in {words.plain(p) for p in picked} or any(stems <= p for p in picked.values()):
        return False
    if all(words.plain(s) in lang.stop or words.plain(s) in lang.weak for s in (*_parts(tag), tag)[:-1] or (tag,)):
        return False
    if hinted:
        return True
    name = len(parts) > 1 and all(p[0].isupper() for p in parts)
    last = stem(parts[-1], lang.code)
    longer = any(p <= stems and (not name or (p == {last} and not usage.small(parts[-1]))) for p in picked.values())
    if longer or (len(parts) == 1 and any(_kin(last, p) for p in picked.values())):
        return False
    if words.UNSPACED.match(tag) and any(tag in p or p in tag for p in picked):
        return False
    return 2 * len(stems & frozenset().union(*picked.values())) <= len(stems)


def _kin(one: str, others: frozenset[str]) -> bool:
    """Whether one of two words is derived from the other: "Syrian" and "Syria", "beehive" and "hive"."""
    other = min(others)
    if len(others) > 1 or min(len(one), len(other)) < KIN:
        return False
    same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
    derived = same >= KIN and 3 * same >= 2 * max(len(one), len(other))
    return derived or one.endswith(other) or other.endswith(one)


def _sayable(article: Article, phrases: Sequence[Phrase], usage: Usage, known: int) -> list[str]:
    """The key phrases that make a hashtag, as they are written in one: those of which there is evidence enough, and
    others beside the ``known`` tags only where they are few.
    """
    evidence = _Evidence(article, usage)
    longer = [p for p in phrases if p.count > 1 and len(p.stems) > 1 and not usage.acts(p)]
    sure: list[str] = []
    rest: list[str] = []
    last: list[str] = []
    least: list[str] = []
    for phrase in phrases:
        inside = set(phrase.stems)
        if phrase.count < 2 or any(inside < set(p.stems) and 2 * p.count > phrase.count for p in longer):
            continue
        if _lasting(phrase, article):
            continue
        called = _named(phrase, usage, article)
        tag = usage.full_name(called) if called else _thing(phrase, usage, article)
        points = evidence.of(phrase, named=bool(called)) if tag else 0
        if points >= SURE:
            sure.append(tag)
        elif points >= LIKELY:
            (rest if called or " " in tag else last).append(tag)
        elif tag:
            least.append(tag)
    found = [*sure, *rest[: max(0, FEW - len(sure) - known)]]
    found += last[: max(0, FEWEST - len(found) - known)]
    return found or least[: 1 - min(1, known)]


def _lasting(phrase: Phrase, article: Article) -> bool:
    """Whether a phrase begins with how long something took: what is called so in "drei Jahren Umbau" is "Umbau"."""
    code = words.base(article.language)
    if len(phrase.stems) == 1 or phrase.stems[0] not in {stem(w, code) for w in units.times(code)}:
        return False
    text = f"{article.title}\n{article.text}"
    ends = {q.end for q in quantities(text, article.language)}
    found = regex.finditer(rf"(?<=(\S)\s)\s?{regex.escape(phrase.text)}", text)
    return any(at.end(1) in ends for at in found)


def _named(phrase: Phrase, usage: Usage, article: Article) -> str:
    """The name in a phrase: all of it, or what is left of "New York man"; "" if it is none."""
    lang = usage.lang
    parts = phrase.text.split()
    while len(parts) > 1 and parts[0][0].isupper() and parts[-1].islower() and _is_general(parts[-1], usage):
        parts.pop()
    text = " ".join(parts)
    if NUMBERED.match(text) or words.plain(parts[-1]) in lang.roles:
        return ""
    if len(parts) > 1:
        return text if NAME.fullmatch(text) and not usage.acts(phrase) else ""
    key = stem(text, lang.code)
    if not usage.named(key) or usage.acts(phrase) or usage.qualifies(key, named=True):
        return ""
    return "" if _is_general(text, usage) and (usage.small(text) or text not in article.title) else text


def _thing(phrase: Phrase, usage: Usage, article: Article) -> str:
    """A phrase that names a thing by common words, or "" if it does not."""
    lang = usage.lang
    parts = phrase.text.split()
    plain = [words.plain(p) for p in parts]
    if NUMBERED.match(phrase.text) or AMOUNT.fullmatch(phrase.text) or lang.weak.intersection((plain[0], plain[-1])):
        return ""
    if words.language("en").stop.issuperset(plain) or usage.acts(phrase):
        return ""
    if NAME.fullmatch(phrase.text) and lang.code != "de":
        return ""
    if lang.code == "de" and parts[-1].islower():  # a thing's name has a capital in German
        return ""
    if len(parts) == 1:
        return "" if _is_general(parts[0], usage) or usage.qualifies(phrase.stems[0], named=False) else phrase.text
    # What was taken apart ("filière d'avenir") is no longer what it was called.
    return phrase.text if lang.particles is not None or phrase.text in f"{article.title}\n{article.text}" else ""


def _is_general(word: str, usage: Usage) -> bool:
    """Whether a word says nothing by itself: "person", or "president" even with a capital letter."""
    return words.plain(word) in usage.lang.roles or stem(word, usage.lang.code) in general_stems(usage.lang)


class _Evidence:
    """What in an article shows that it is about something, beside the number of times it is said."""

    def __init__(self, article: Article, usage: Usage) -> None:
        lang = usage.lang
        lead = article.text.partition("\n\n")[0] + "\n" + article.description
        self._usage = usage
        self._title, self._lead = article.title, lead
        self._in_title, self._in_lead = ({stem(w, lang.code) for w in words.words(t)} for t in (article.title, lead))
        self._headings = [{stem(w, lang.code) for w in words.words(h)} for h in article.headings]
        self._often = OFTEN if words.count(article.text) > SHORT else 2

    def of(self, phrase: Phrase, *, named: bool) -> int:
        """Points for title, headings, first paragraph and times said; several words are worth one more, a single one
        that is no name one less.
        """
        stems = set(phrase.stems)
        single = len(phrase.stems) == 1
        count = max(phrase.count, self._usage.said(phrase.stems[-1])) if named and not single else phrase.count
        points = 1 if not single else 0 if named else -1
        points += 2 * (stems <= self._in_title or phrase.text in self._title)
        points += any(stems <= h for h in self._headings)
        points += stems <= self._in_lead or phrase.text in self._lead
        return points + (count >= self._often) + (count >= 2 * self._often)


def _parts(text: str) -> list[str]:
    """The words a hashtag is made of, from a phrase or from a tag already written as one word."""
    spaced = regex.sub(r"[_\-‑־\u200c/]", " ", text)
    return [p for w in words.words(spaced) for p in (CAMEL.split(w) if text.count(" ") == 0 else [w]) if p]


def _tag(parts: Sequence[str], code: str) -> str:
    """One hashtag of several words: capitals mark the beginnings, an underscore where a script has none."""
    clean = [c for c in (regex.sub(r"[^\p{L}\p{M}\p{N}]", "", p) for p in parts) if c]
    if len("".join(clean)) < 2 or not any(regex.search(r"\p{L}", c) for c in clean):
        return ""
    if any(CASELESS.search(c) for c in clean):
        return "_".join(clean)
    shouted = len(clean) > 1 and sum(len(c) for c in clean if c.isupper()) > 8
    return "".join(_capital(c.lower() if shouted and len(c) > 3 else c, code) for c in clean)


def _capital(word: str, code: str) -> str:
    if word != word.lower():
        return word
    return ("İ" if word[0] == "i" and code in {"tr", "az"} else word[0].upper()[:1]) + word[1:]
