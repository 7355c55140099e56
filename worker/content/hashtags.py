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

ENDINGS = {  # of cases, for languages without a stemmer of their own
    "pl": regex.compile(r"(?<=\p{L}{3})(?:ami|ach|owi|ego|emu|ych|ymi|ów|om|em|ej|[ąęuyiaeo])$"),
    "uk": regex.compile(r"(?<=\p{L}{3})(?:ами|ями|ові|еві|ого|ому|ах|ях|ів|їв|ою|ею|ий|ої|их|им|[юуаяіїиео])$"),
}
MOST = 15
LONGEST = 30
WORDS = 3
FEWEST = 2  # below so many, words that are less sure are used as well
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
TOKEN = regex.compile(r"\p{L}[\p{L}\p{M}\p{N}]*(?:['’\-‑][\p{L}\p{M}\p{N}]+)*")
BEGINS = regex.compile(r"(?:^|[.!?…:]\s)[\s\"'“”„‘’«»‹›(\[¿¡–—-]*+$")
AMOUNT = regex.compile(r"[一二三四五六七八九十百千万億兆亿〇零两兩年月日時时分秒円元圓割度本人個件回歳岁]+")
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
    if stemmer is not None:
        return str(stemmer.stemWord(low))
    return ENDINGS[code].sub("", low) if code in ENDINGS else low


def choose(article: Article) -> list[str]:
    """Up to 15 hashtags without ``#``, best first; the platform decides how many are used."""
    lang = words.language(article.language)
    forms: defaultdict[str, Counter[str]] = defaultdict(Counter)
    text = "\n".join([article.title, *article.headings, article.text])
    for word in words.words(text):
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
    wanted = {stem(w, lang.code) for w in words.words(article.title)}
    phrases = [p for p in keyphrases(text, lang, title=article.title, limit=50) if len(p.stems) <= WORDS]
    sure, rest = _sayable(phrases, _Usage(text, lang), wanted)
    own = [_parts(p) for p in (*sure, *rest[: max(0, FEWEST - len(sure) - len(known))])]
    picked: dict[str, frozenset[str]] = {}
    hints = [(p, True) for p in known[:MACHINE]]
    found = [(p, False) for p in own]
    for parts, hinted in [*hints, *found[:4], *((p, True) for p in others[:3]), *found[4:]]:
        tag = _tag(parts, lang.code)
        stems = frozenset(stem(p, lang.code) for p in parts)
        if tag and len(tag) <= LONGEST and _is_new(tag, parts, stems, picked, lang, hinted=hinted):
            picked[tag] = stems
    return list(picked)[:MOST]


def _as_written(part: str, forms: dict[str, Counter[str]], code: str) -> str:
    """A word of a tag as the text writes it: ``NASA`` for ``nasa``."""
    same = [f for f in forms.get(stem(part, code), ()) if words.plain(f) == words.plain(part)]
    return max(same, key=lambda f: forms[stem(part, code)][f]) if same and part == part.lower() else part


def _is_new(
    tag: str,
    parts: Sequence[str],
    stems: frozenset[str],
    picked: dict[str, frozenset[str]],
    lang: words.Language,
    *,
    hinted: bool,
) -> bool:
    """Whether a tag says something that those before it do not."""
    if words.plain(tag) in {words.plain(p) for p in picked} or any(stems <= p for p in picked.values()):
        return False
    if all(words.plain(s) in lang.stop or words.plain(s) in lang.weak for s in (*_parts(tag), tag)[:-1] or (tag,)):
        return False
    if hinted:
        return True
    name = len(parts) > 1 and all(p[0].isupper() for p in parts)
    if any(p <= stems and not name for p in picked.values()):
        return False
    if words.UNSPACED.match(tag) and any(tag in p or p in tag for p in picked):
        return False
    return 2 * len(stems & frozenset().union(*picked.values())) <= len(stems)


def _sayable(phrases: Sequence[Phrase], usage: _Usage, wanted: set[str]) -> tuple[list[str], list[str]]:
    """The key phrases that make a hashtag, and those that do where there are too few: said twice, and no part of
    another; a single word is one of the ``wanted``, a name, or said three times.
    """
    lang = usage.lang
    english = words.language("en").stop
    sure: list[str] = []
    rest: list[str] = []
    for phrase in phrases:
        parts = [words.plain(w) for w in words.words(phrase.text)]
        ends = (parts[0], parts[-1]) if not NAME.match(phrase.text) else ()
        if NUMBERED.match(phrase.text) or lang.weak.intersection(ends) or english.issuperset(parts):
            continue
        if phrase.count < 2 or AMOUNT.fullmatch(phrase.text):
            continue
        if lang.code == "de" and phrase.text.rpartition(" ")[2].islower():  # a thing's name has a capital in German
            continue
        inside = set(phrase.stems)
        if any(inside < set(p.stems) and 2 * p.count > phrase.count and p.count > 1 for p in phrases):
            continue
        if usage.acts(phrase):
            continue
        single = len(phrase.stems) == 1
        name = usage.full_name(phrase.text) if single else phrase.text
        known = not single or phrase.stems[0] in wanted or usage.named(phrase.stems[0]) or phrase.count > 2
        (sure if known else rest).append(name)
    return sure, rest


class _Usage:
    """How the words of a text are used in it: as verbs, as names, as parts of longer names."""

    def __init__(self, text: str, lang: words.Language) -> None:
        self.lang = lang
        self._said: Counter[str] = Counter()
        self._acts: Counter[str] = Counter()
        self._small: set[str] = set()
        self._named: Counter[str] = Counter()
        self._names: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._general = lang.stop | lang.weak | lang.verbs
        for number, line in enumerate(text.split("\n")):
            found = list(TOKEN.finditer(line))
            # What stands before "to" is no verb in a title: "Harbour ferry to run all night".
            self._read_verbs([m[0] for m in found], lang.acts_before - {"to"} if number == 0 else lang.acts_before)
            self._read_names(found, line)

    def _read_verbs(self, tokens: Sequence[str], acts_before: frozenset[str]) -> None:
        before = ""
        for token, after in zip(tokens, [*tokens[1:], ""], strict=False):
            word = token if token.isalnum() else next(words.words(token), token)
            low = words.plain(token)
            elided = low[: low.find("'") + 1]  # of "s'éteint" or "l'homme"
            said = {before, elided} & self.lang.acts_after
            # With a capital letter an article belongs to a name: "Le Rex".
            if said or after in acts_before or after[: after.find("’") + 1] in acts_before:
                self._acts[stem(word, self.lang.code)] += 1
            self._said[stem(word, self.lang.code)] += 1
            if word[0].islower():
                self._small.add(words.plain(word))
            before = low

    def _read_names(self, found: Sequence[regex.Match[str]], line: str) -> None:
        run: list[str] = []
        done = -1
        for match in found:
            capital = match[0][0].isupper()
            if run and (not capital or line[done : match.start()] != " "):
                self._end(run)
                run = []
            done = match.end()
            if not capital:
                continue
            word = match[0] if match[0].isalnum() else next(words.words(match[0]), match[0])
            at = match.start()
            begins = not run and BEGINS.search(line, max(0, at - 9), at) is not None
            if not begins:
                self._named[stem(word, self.lang.code)] += 1
            if not begins or words.plain(word) not in self._general:
                run.append(word)
        self._end(run)

    def _end(self, run: Sequence[str]) -> None:
        """Remember a run of words with capital letters under each of its words."""
        for word in run:
            self._names[word][" ".join(run)] += 1

    def acts(self, phrase: Phrase) -> bool:
        """Whether the last word of a phrase, or its only one, is a verb at least as often as not."""
        last = phrase.text.rpartition(" ")[2]
        low, key = words.plain(last), phrase.stems[-1]
        if last[0].isupper() and self._named[key] and low not in self._small:
            return False
        if len(phrase.stems) == 1 and self.lang.acting and low.endswith(self.lang.acting) and len(low) > 4:
            return low not in self.lang.nouns
        return 2 * self._acts[key] >= max(1, self._said[key])

    def named(self, key: str) -> bool:
        """Whether a word is mostly written with a capital letter where none is due."""
        return self.lang.code != "de" and 2 * self._named[key] >= self._said[key]

    def full_name(self, word: str) -> str:
        """The one longer name of which ``word`` is the last or first part in this text, else ``word``."""
        if words.plain(word) in self._small or self.lang.code == "de":
            return word
        longer = {n for n in self._names[word] if " " in n and n.count(" ") < WORDS}
        longer = {n for n in longer if not any(n != m and m.endswith(" " + n) for m in longer)}
        return longer.pop() if len(longer) == 1 else word


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
        for link, chunk in _chunks(text, lang):
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


def _chunks(text: str, lang: words.Language) -> Iterator[tuple[str, list[str]]]:
    """The runs of words that can name a thing, between stop words, verbs and punctuation, each with the one word that
    links it to the run before it ("" if none does).
    """
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
