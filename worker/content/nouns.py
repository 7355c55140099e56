"""Which words with a capital are common nouns, where every noun has one (pure): German. What nobody knows is a name.

A synonym is a small edit, and a name that is taken for a common noun is a correction that nobody proposes. So a word is
common only if it is known (``data/de.toml``), ends like what is derived from verbs or adjectives, or is made of such.
"""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass

import regex

from worker.content import words

BEFORE = 40
"""So many characters before a word say how it is used."""

AT = regex.compile(r"(?:^|\s)(?:in|aus|nach|bei|bis)\s$", regex.I)
"""What stands before a town: many end like "Verhandlungen"."""

ENDINGS = ("", "e", "s", "n", "en", "er", "es", "ern", "nen", "se", "sen", "a", "in", "innen")
LINKS = ("", "s", "es", "n", "en", "er", "e", "ns", "ens")
LEAST = 3  # letters of a part of a compound


@dataclass(frozen=True, slots=True)
class _Nouns:
    """A language's common nouns; ``names`` look like them, ``callings`` are both; ``parts`` begin compounds, and
    ``heads`` end them; what ends in ``places`` may be a name.
    """

    commons: frozenset[str]
    names: frozenset[str]
    callings: frozenset[str]
    parts: frozenset[str]
    places: frozenset[str]
    heads: frozenset[str]
    derived: regex.Pattern[str]
    before: regex.Pattern[str]


@functools.cache
def _nouns(code: str) -> _Nouns | None:
    path = words.DATA / f"{code}.toml"
    said = tomllib.loads(path.read_text(encoding="utf-8")).get("capitals") if path.is_file() else None
    if said is None:
        return None
    general = words.language(code).general | words.language(code).roles
    callings, places = frozenset(said["callings"].split()), frozenset(said["places"].split())
    return _Nouns(
        commons=frozenset(_even(w) for w in (*said["commons"].split(), *general) if w not in callings),
        names=frozenset(said["names"].split()),
        callings=frozenset(_even(w) for w in callings),
        parts=frozenset(said["parts"].split()),
        places=frozenset(_even(w) for w in places),
        heads=frozenset(said["heads"].split()),
        derived=regex.compile(rf"\p{{L}}{{2,}}(?:{said['derived']})"),
        before=regex.compile(rf"(?:^|[\s\"“„»(])(?:{said['before']})\s(?:\p{{Ll}}+e[nmrs]?\s)?$", regex.I),
    )


def common(word: str, before: str, code: str) -> bool:
    """Whether a word, which stands behind ``before``, is no name; never in languages whose common nouns are small."""
    known = _nouns(code)
    if known is None:
        return False
    parts = regex.split("[-‑]", word.casefold())
    if any(part in known.names or part.removesuffix("s") in known.names for part in parts):
        return False
    if any(_of(part, known.callings) for part in parts):
        return len(parts) == 1 and known.before.search(before) is not None
    if word.endswith("ungen") and AT.search(before):
        return _of(parts[-1], known.commons)
    return all(_common(part, code) or part in known.parts for part in parts)


@functools.lru_cache(maxsize=8192)
def _common(word: str, code: str) -> bool:
    known = _nouns(code)
    assert known is not None, "asked for a language whose nouns have capitals"
    if _of(word, known.commons) or known.derived.fullmatch(word):
        return True
    for cut in range(len(word) - LEAST, LEAST - 1, -1):
        first, last = word[:cut], word[cut:]
        if _of(last, known.commons | known.heads) and not _of(last, known.places) and _part(first, known, code):
            return True
    return False


def _part(word: str, known: _Nouns, code: str) -> bool:
    """Whether a word may be the first part of a common noun."""
    bare = [word.removesuffix(link) for link in LINKS if word.endswith(link)]
    return any(w in known.parts or (len(w) >= LEAST and _common(w, code)) for w in bare)


def _of(word: str, known: frozenset[str]) -> bool:
    """Whether a word is one of those that are ``known``, in whatever case and number."""
    even = _even(word)
    return any(even.removesuffix(end) in known for end in ENDINGS if even.endswith(end))


def _even(word: str) -> str:
    """A word without the dots of its plural: "Häuser"."""
    return word.translate(str.maketrans("äöü", "aou"))
