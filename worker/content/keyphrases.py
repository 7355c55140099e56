"""What a text speaks of: its key phrases, by how often and how early they are said, and their stems."""

from __future__ import annotations

import functools
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import regex
import snowballstemmer

from worker.content import words

ENDINGS = {  # of cases, for languages without a stemmer of their own
    "pl": regex.compile(r"(?<=\p{L}{3})(?:ami|ach|owi|ego|emu|ych|ymi|ów|om|em|ej|[ąęuyiaeo])$"),
    "uk": regex.compile(r"(?<=\p{L}{3})(?:ами|ями|ові|еві|ого|ому|ах|ях|ів|їв|ою|ею|ий|ої|их|им|[юуаяіїиео])$"),
}
STEMMERS = {
    "ar": "arabic", "ca": "catalan", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish",
    "et": "estonian", "eu": "basque", "fi": "finnish", "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian",
    "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian", "nb": "norwegian", "ne": "nepali",
    "nl": "dutch", "pl": "polish", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian",
    "sv": "swedish", "ta": "tamil", "tr": "turkish",
}  # fmt: skip
BREAK = regex.compile(
    r"https?://\S+|\S+@\S+|[^\p{L}\p{M}\p{N}\s'’\u200c.&‑\-־״׳\"]|(?<!\p{Hebrew})\"|\"(?!\p{Hebrew})|[.](?=\s|$)|\s[–-]\s|\n|(?<=\p{L})['’]s(?=\s)"
)
WORDY = regex.compile(r"\p{L}{2}|\p{Lo}")
HAN = regex.compile(r"[\p{Han}々]{2,}")
RUN = regex.compile(r"[\p{Katakana}ー]{3,16}|[A-Za-z][A-Za-z0-9]{1,20}|[\p{Thai}]{3,20}")

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


def stems(code: str) -> bool:
    """Whether the endings of a language are known."""
    return code in STEMMERS or code in ENDINGS


@functools.lru_cache(maxsize=20_000)
def stem(word: str, code: str) -> str:
    """The stem of a word, so that its forms are recognised as one."""
    low = words.plain(word)
    stemmer = _stemmer(code)
    if stemmer is not None:
        return str(stemmer.stemWord(low))
    return ENDINGS[code].sub("", low) if code in ENDINGS else low


def keyphrases(text: str, lang: words.Language, *, title: str = "", limit: int = 20) -> list[Phrase]:
    """What ``text`` speaks of, best first: names of up to four words, by how often and early they are said."""
    if lang.code in {"zh", "ja", "th"}:
        return _unspaced(text, lang, title, limit)
    said = _Said(text, lang)
    wanted = {stem(w, lang.code) for w in words.words(title)}
    found = []
    for key, n in said.count.items():
        if len(key) > 1 and n < 2 and key not in said.whole:
            continue
        best = max(said.forms[key], key=lambda f: (-_oblique(f, lang), not _shouted(f), said.forms[key][f]))
        if len(key) > 1 or words.plain(best) not in lang.weak:
            found.append(Phrase(best, key, n, said.weight(key, wanted)))
    found.sort(key=lambda p: (-p.weight, said.first[p.stems]))
    return found[:limit]


Key = tuple[str, ...]
"""The stems of a phrase."""


class _Said:
    """Every phrase of a text by its stems: how often it is said, how often by itself, where first, in what forms."""

    def __init__(self, text: str, lang: words.Language) -> None:
        self.lang = lang
        self.count: Counter[Key] = Counter()
        self.whole: Counter[Key] = Counter()
        self.first: dict[Key, int] = {}
        self.forms: defaultdict[Key, Counter[str]] = defaultdict(Counter)
        self._words: Counter[str] = Counter()
        self._total = 0
        last = ""
        for link, chunk in chunks(text, lang):
            stems = [stem(w, lang.code) for w in chunk]
            if link:
                key = (stem(last, lang.code), link, stems[0])
                self._add(key, f"{last} {link} {chunk[0]}", self._total - 1)
                self.whole[key] += 1
            self._words.update(stems)
            for size in range(1, min(4, len(chunk)) + 1):
                for i in range(len(chunk) - size + 1):
                    self._add(tuple(stems[i : i + size]), " ".join(chunk[i : i + size]), self._total + i)
            if len(chunk) <= 4:
                self.whole[tuple(stems)] += 1
            self._total += len(chunk)
            last = chunk[-1]

    def _add(self, key: Key, form: str, place: int) -> None:
        self.count[key] += 1
        self.first.setdefault(key, place)
        self.forms[key][form] += 1

    def weight(self, key: Key, wanted: set[str]) -> float:
        """How much a phrase says of the text whose title has the ``wanted`` stems."""
        weight: float = self.count[key] ** OFTEN / (1 + math.log1p(self.first[key] / EARLY))
        if not self.lang.linking:  # where "of" joins nouns, a long run of words is seldom one name
            weight *= 1 + (SHORT_TEXT / self._total) ** 2 * (len(key) - 1)
        weight *= (sum(self._words[s] for s in key) / len(key)) ** 0.25
        weight *= 1 + sum(s in wanted for s in key) / len(key)
        if len(key) == 1:
            weight *= INSIDE + (1 - INSIDE) * min(1.0, 2 * self.whole[key] / self.count[key])
        return weight


def _shouted(phrase: str) -> bool:
    """Whether several words are all in capitals, as in a title that is."""
    return " " in phrase and phrase.isupper()


def _oblique(phrase: str, lang: words.Language) -> int:
    """How many words of a phrase stand in a case that a name by itself does not have."""
    return sum(w.endswith(lang.oblique) for w in phrase.split()) if lang.oblique else 0


@functools.lru_cache(maxsize=2)
def chunks(text: str, lang: words.Language) -> tuple[tuple[str, list[str]], ...]:
    """The runs of words that can name a thing, between stop words, verbs and punctuation, each with the one word that
    links it to the run before it ("" if none does). Kept, for two of those who read a text ask for them.
    """
    return tuple(_chunks(text, lang))


def _chunks(text: str, lang: words.Language) -> Iterator[tuple[str, list[str]]]:
    for stretch in BREAK.split(text):
        found = list(words.words(stretch))
        run: list[str] = []
        link, between = "", 9
        for word, after in zip(found, [*found[1:], ""], strict=False):
            beside = after[:1].isupper() or (run and run[-1][0].isupper())  # "New York", "United States"
            named = word[0].isupper() and beside and words.plain(word) not in lang.stop
            if (named or lang.names(word)) and WORDY.search(word):
                run.append(lang.particles.sub("", word) if lang.particles is not None else word)
                continue
            if run:
                yield link if between == 1 else "", run
                run, between = [], 0
            between += 1
            link = words.plain(word) if words.plain(word) in lang.linking else ""
        if run:
            yield link if between == 1 else "", run


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
