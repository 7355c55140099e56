"""What an article is about, in hashtags: the author's own first, then what title, headings and text speak of most."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import regex
import snowballstemmer

from worker.content import words
from worker.model import Article

MOST = 15
LONGEST = 30
STEMMERS = {
    "ar": "arabic", "ca": "catalan", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish",
    "et": "estonian", "eu": "basque", "fi": "finnish", "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian",
    "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian", "nb": "norwegian", "ne": "nepali",
    "nl": "dutch", "pl": "polish", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian",
    "sv": "swedish", "ta": "tamil", "tr": "turkish",
}  # fmt: skip
BREAK = regex.compile(r"[^\p{L}\p{M}\p{N}\s'’\u200c.&‑-]|[.](?=\s|$)|\s[–-]\s|\n")
CASELESS = regex.compile(r"[\p{Arabic}\p{Hebrew}\p{Devanagari}\p{Bengali}\p{Tamil}\p{Telugu}]")
CAMEL = regex.compile(r"(?<=[\p{Ll}\p{N}])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})")
UNSPACED_RUN = regex.compile(r"[\p{Han}々]{2,8}|[\p{Katakana}ー]{3,16}|[A-Za-z][A-Za-z0-9]{1,20}|[\p{Thai}]{3,20}")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A key phrase as it is written in the text, its stems, and how much of the text it stands for."""

    text: str
    stems: tuple[str, ...]
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
    body = {stem(w, lang.code) for w in words.words(f"{article.title}\n{article.text}")}
    strong: list[Phrase] = []
    faint: list[Phrase] = []
    for tag in article.tags:
        parts = _parts(tag)
        known = all(stem(p, lang.code) in body for p in parts) or (words.UNSPACED.search(tag) and tag in article.text)
        (strong if known else faint).append(Phrase(tag, tuple(stem(p, lang.code) for p in parts), 1.0))
    text = "\n".join([article.title, *article.headings, article.text])
    own = keyphrases(text, lang, title=article.title, limit=25)
    return list(_pick([*strong[:8], *own[:6], *faint[:4], *own[6:]], lang))


def _pick(phrases: Iterable[Phrase], lang: words.Language) -> Iterator[str]:
    taken: list[frozenset[str]] = []
    joined: set[str] = set()
    for phrase in phrases:
        parts = _parts(phrase.text)
        tag = _tag(parts, lang)
        stems = frozenset(stem(p, lang.code) for p in parts)
        key = "".join(stem(p, lang.code) for p in parts)
        general = all(words.plain(p) in lang.stop | lang.weak for p in parts)
        covered = any(stems <= t for t in taken) or key in joined
        if not tag or general or covered or len(tag) > LONGEST:
            continue
        taken.append(stems)
        joined.add(key)
        yield tag
        if len(taken) == MOST:
            return


def _parts(text: str) -> list[str]:
    """The words a hashtag is made of, from a phrase or from a tag already written as one word."""
    return [p for w in words.words(regex.sub(r"[_\-‑\u200c]", " ", text)) for p in CAMEL.split(w) if p]


def _tag(parts: Sequence[str], lang: words.Language) -> str:
    """One hashtag of several words: capitals mark the beginnings, an underscore where a script has none."""
    clean = [regex.sub(r"[^\p{L}\p{M}\p{N}]", "", p) for p in parts]
    clean = [p for p in clean if p]
    if not any(regex.search(r"\p{L}", p) for p in clean):
        return ""
    if any(CASELESS.search(p) for p in clean):
        return "_".join(clean)
    return "".join(p if p != p.lower() else _capital(p[0], lang.code) + p[1:] for p in clean)


def _capital(letter: str, code: str) -> str:
    return "İ" if letter == "i" and code in {"tr", "az"} else letter.upper()[:1]


def keyphrases(text: str, lang: words.Language, *, title: str = "", limit: int = 20) -> list[Phrase]:
    """What ``text`` speaks of, best first: runs of up to three content words, by frequency, place and title."""
    if words.UNSPACED.search(title or text[:400]) and lang.code in {"zh", "ja", "th", ""}:
        return _runs(text, title, limit)
    count: dict[tuple[str, ...], int] = {}
    first: dict[tuple[str, ...], int] = {}
    form: dict[tuple[str, ...], dict[str, int]] = {}
    place = 0
    for chunk in _chunks(text, lang):
        for size in (1, 2, 3):
            for i in range(len(chunk) - size + 1):
                part = chunk[i : i + size]
                key = tuple(stem(w, lang.code) for w in part)
                count[key] = count.get(key, 0) + 1
                first.setdefault(key, place + i)
                forms = form.setdefault(key, {})
                forms[" ".join(part)] = forms.get(" ".join(part), 0) + 1
        place += len(chunk)
    wanted = {stem(w, lang.code) for w in words.words(title)}
    found: list[Phrase] = []
    for key, n in count.items():
        if len(key) > 1 and n < 2 and not wanted.issuperset(key):
            continue
        near = 1 / (1 + math.log1p(first[key] / 20))
        weight = n * (1 + 0.6 * (len(key) - 1)) * near * (1 + sum(s in wanted for s in key) / len(key))
        best = max(form[key].items(), key=lambda f: (f[1], f[0]))[0]
        if len(key) == 1 and words.plain(best) in lang.weak:
            continue
        found.append(Phrase(best, key, weight))
    found.sort(key=lambda p: -p.weight)
    return found[:limit]


def _chunks(text: str, lang: words.Language) -> Iterator[list[str]]:
    """The runs of content words between stop words and punctuation."""
    for stretch in BREAK.split(text):
        run: list[str] = []
        for word in words.words(stretch):
            if words.plain(word) in lang.stop or not regex.search(r"\p{L}{2}|\p{Lo}", word):
                if run:
                    yield run
                run = []
            else:
                run.append(word)
        if run:
            yield run


def _runs(text: str, title: str, limit: int) -> list[Phrase]:
    """Key phrases of a script without spaces: repeated runs of one kind of character."""
    count: dict[str, int] = {}
    first: dict[str, int] = {}
    for match in UNSPACED_RUN.finditer(text):
        count[match[0]] = count.get(match[0], 0) + 1
        first.setdefault(match[0], match.start())
    found = [
        Phrase(run, (run,), n * (2 if run in title else 1) * math.log1p(len(run)) / (1 + math.log1p(first[run] / 60)))
        for run, n in count.items()
        if n > 1 or run in title
    ]
    found.sort(key=lambda p: (-p.weight, first[p.text]))
    return found[:limit]
