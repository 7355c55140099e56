"""What an article is about, in hashtags: the author's own first, then what title, headings and text speak of most."""

from __future__ import annotations

import functools
import html
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import regex
import snowballstemmer

from worker.content import words
from worker.model import Article

MOST = 15
LONGEST = 30
WORDS = 3
MACHINE = 8  # nobody writes more tags than this by hand; a longer list has no order to be kept
STEMMERS = {
    "ar": "arabic", "ca": "catalan", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish",
    "et": "estonian", "eu": "basque", "fi": "finnish", "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian",
    "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian", "nb": "norwegian", "ne": "nepali",
    "nl": "dutch", "pl": "polish", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian",
    "sv": "swedish", "ta": "tamil", "tr": "turkish",
}  # fmt: skip
BREAK = regex.compile(r"https?://\S+|\S+@\S+|[^\p{L}\p{M}\p{N}\s'’\u200c.&‑-]|[.](?=\s|$)|\s[–-]\s|\n")
WORDY = regex.compile(r"\p{L}{2}|\p{Lo}")
NAME = regex.compile(r"\p{Lu}\S* \p{Lu}")
NUMBERED = regex.compile(r"\d(?!\p{Lu}$|\p{Lu}\p{Lu}?\b)")
CASELESS = regex.compile(r"[\p{Arabic}\p{Hebrew}\p{Devanagari}\p{Bengali}\p{Tamil}\p{Telugu}]")
CAMEL = regex.compile(r"(?<=\p{Ll}{2}|\p{N})(?=\p{Lu}\p{Ll})|(?<=\p{Ll}{2})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})")
HAN = regex.compile(r"[\p{Han}々]{2,}")
RUN = regex.compile(r"[\p{Katakana}ー]{3,16}|[A-Za-z][A-Za-z0-9]{1,20}|[\p{Thai}]{3,20}")
TAG = regex.compile(r"[\p{L}\p{N}][\p{L}\p{M}\p{N}\u200c .,&'’+/_-]*")

# How key phrases are weighed; chosen on news, abstracts and three languages together (``python -m bench.text``).
OFTEN = 0.8  # the power of how often a phrase is said
EARLY = 20  # a phrase loses half its weight about this many content words times e from the beginning
SHORT_TEXT = 100  # below so many content words nothing is said twice, and the length of a phrase tells instead
INSIDE = 0.3  # the weight of a word that is only ever said inside longer phrases


@dataclass(frozen=True, slots=True)
class Phrase:
    """A key phrase as it is written in the text, its stems, how often it is said, and its weight."""

    text: str
    stems: tuple[str, ...]
    count: int
    weight: float


@functools.cache
def _stemmer(code: str) -> snowballstemmer.stemmer | None:
    return snowballstemmer.stemmer(STEMMERS[code]) if code in STEMMERS else None


@functools.lru_cache(maxsize=20_000)
def stem(word: str, code: str) -> str:
    """The stem of a word, so that its forms are recognised as one."""
    low = words.plain(word)
    stemmer = _stemmer(code)
    return str(stemmer.stemWord(low)) if stemmer is not None else low


def choose(article: Article) -> list[str]:
    """Up to 15 hashtags without ``#``, best first; the platform decides how many are used."""
    lang = words.language(article.language)
    forms: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for word in words.words(article.text):
        forms[stem(word, lang.code)][word] += 1
    known, others = [], []
    for tag in map(html.unescape, article.tags):
        parts = [_as_written(p, forms, lang.code) for p in _parts(tag)] if TAG.fullmatch(tag) else []
        if all(stem(p, lang.code) in forms for p in parts) or tag in article.text:
            known.append(parts)
        elif regex.fullmatch(r"[\p{L}\p{M} '’&-]+", tag) and len(article.tags) <= MACHINE:
            others.append(parts)
    if len(known) > MACHINE:
        known.sort(key=lambda parts: -min((forms[stem(p, lang.code)].total() for p in parts), default=0))
    text = "\n".join([article.title, *article.headings, article.text])
    wanted = {stem(w, lang.code) for w in words.words(article.title)}
    phrases = [p for p in keyphrases(text, lang, title=article.title, limit=50) if len(p.stems) <= WORDS]
    own = [_parts(p.text) for p in _sayable(phrases, lang, wanted)]
    picked: dict[str, frozenset[str]] = {}
    hints = [(p, True) for p in known[:MACHINE]]
    found = [(p, False) for p in own]
    for parts, hinted in [*hints, *found[:4], *((p, True) for p in others[:3]), *found[4:]]:
        tag = _tag(parts, lang.code)
        stems = frozenset(stem(p, lang.code) for p in parts)
        if tag and len(tag) <= LONGEST and _is_new(tag, stems, picked, lang, hinted=hinted):
            picked[tag] = stems
    return list(picked)[:MOST]


def _as_written(part: str, forms: dict[str, Counter[str]], code: str) -> str:
    """A word of a tag as the text writes it: ``NASA`` for ``nasa``."""
    same = [f for f in forms.get(stem(part, code), ()) if words.plain(f) == words.plain(part)]
    return max(same, key=lambda f: forms[stem(part, code)][f]) if same and part == part.lower() else part


def _is_new(
    tag: str, stems: frozenset[str], picked: dict[str, frozenset[str]], lang: words.Language, *, hinted: bool
) -> bool:
    """Whether a tag says something that those before it do not."""
    if words.plain(tag) in {words.plain(p) for p in picked} or any(stems <= p for p in picked.values()):
        return False
    if all(words.plain(s) in lang.stop or words.plain(s) in lang.weak for s in (*_parts(tag), tag)[:-1] or (tag,)):
        return False
    covered = frozenset().union(*picked.values())
    return hinted or 2 * len(stems & covered) <= len(stems)


def _sayable(phrases: Sequence[Phrase], lang: words.Language, wanted: set[str]) -> Iterator[Phrase]:
    """The key phrases that make a hashtag: said twice, or one of the ``wanted`` words, and no part of another."""
    english = words.language("en").stop
    for phrase in phrases:
        parts = [words.plain(w) for w in words.words(phrase.text)]
        ends = (parts[0], parts[-1]) if not NAME.match(phrase.text) else ()
        if NUMBERED.match(phrase.text) or lang.weak.intersection(ends) or english.issuperset(parts):
            continue
        if phrase.count < 2 and (len(phrase.stems) > 1 or phrase.stems[0] not in wanted):
            continue
        if lang.code == "de" and phrase.text.islower():  # a thing's name has a capital in German
            continue
        inside = set(phrase.stems)
        if any(inside < set(p.stems) and 2 * p.count > phrase.count and p.count > 1 for p in phrases):
            continue
        yield phrase


def _parts(text: str) -> list[str]:
    """The words a hashtag is made of, from a phrase or from a tag already written as one word."""
    spaced = regex.sub(r"[_\-‑\u200c/]", " ", text)
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


def keyphrases(text: str, lang: words.Language, *, title: str = "", limit: int = 20) -> list[Phrase]:
    """What ``text`` speaks of, best first: names of up to four words, by how often and early they are said."""
    if lang.code in {"zh", "ja", "th"}:
        return _unspaced(text, lang, title, limit)
    count: Counter[tuple[str, ...]] = Counter()
    whole: Counter[tuple[str, ...]] = Counter()
    said: Counter[str] = Counter()
    first: dict[tuple[str, ...], int] = {}
    forms: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    total = 0
    for chunk in _chunks(text, lang):
        stems = [stem(w, lang.code) for w in chunk]
        said.update(stems)
        for size in range(1, min(4, len(chunk)) + 1):
            for i in range(len(chunk) - size + 1):
                key = tuple(stems[i : i + size])
                count[key] += 1
                first.setdefault(key, total + i)
                forms[key][" ".join(chunk[i : i + size])] += 1
        if len(chunk) <= 4:
            whole[tuple(stems)] += 1
        total += len(chunk)
    wanted = {stem(w, lang.code) for w in words.words(title)}
    found = []
    for key, n in count.items():
        if len(key) > 1 and n < 2 and key not in whole:
            continue
        best = max(forms[key], key=lambda f: forms[key][f])
        if len(key) == 1 and words.plain(best) in lang.weak:
            continue
        weight = n**OFTEN / (1 + math.log1p(first[key] / EARLY))
        weight *= 1 + (SHORT_TEXT / total) ** 2 * (len(key) - 1)
        weight *= (sum(said[s] for s in key) / len(key)) ** 0.25
        weight *= 1 + sum(s in wanted for s in key) / len(key)
        if len(key) == 1:
            weight *= INSIDE + (1 - INSIDE) * min(1.0, 2 * whole[key] / n)
        found.append(Phrase(best, key, n, weight))
    found.sort(key=lambda p: (-p.weight, first[p.stems]))
    return found[:limit]


def _chunks(text: str, lang: words.Language) -> Iterator[list[str]]:
    """The runs of words that can name a thing, between stop words, verbs and punctuation."""
    for stretch in BREAK.split(text):
        found = list(words.words(stretch))
        run: list[str] = []
        for word, after in zip(found, [*found[1:], ""], strict=False):
            beside = after[:1].isupper() or (run and run[-1][0].isupper())  # "New York", "United States"
            named = word[0].isupper() and beside and words.plain(word) not in lang.stop
            if (named or lang.names(word)) and WORDY.search(word):
                run.append(lang.particles.sub("", word) if lang.particles is not None else word)
            elif run:
                yield run
                run = []
        if run:
            yield run


def _unspaced(text: str, lang: words.Language, title: str, limit: int) -> list[Phrase]:
    """Key phrases of a script without spaces: what is repeated between stop words, as long as it repeats whole."""
    count: Counter[str] = Counter()
    first: dict[str, int] = {}
    for match in HAN.finditer(text):
        for piece in regex.split(f"[{lang.breaks}]", match[0]) if lang.breaks else [match[0]]:
            for size in range(2, min(8, len(piece)) + 1):
                for i in range(len(piece) - size + 1):
                    count[piece[i : i + size]] += 1
                    first.setdefault(piece[i : i + size], match.start())
    for match in RUN.finditer(text):
        count[match[0]] += 1
        first.setdefault(match[0], match.start())
    often = {p: n for p, n in count.items() if n > 1 and p not in lang.stop and p not in lang.weak}
    found = [
        Phrase(p, (p,), n, n * math.log1p(len(p)) * (2 if p in title else 1) / (1 + math.log1p(first[p] / 60)))
        for p, n in often.items()
        if not any(p in q and p != q and 2 * m > n for q, m in often.items())
    ]
    found.sort(key=lambda p: (-p.weight, first[p.text]))
    return found[:limit]
