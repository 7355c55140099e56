"""Which words without a capital name a people or a language, by CLDR (pure): "allemand", but not "grand"."""

from __future__ import annotations

import functools
import unicodedata

import regex
import snowballstemmer
from babel import Locale
from babel.numbers import get_currency_name

from worker.content import words

STEMMED = {
    "da": "danish", "es": "spanish", "fr": "french", "it": "italian", "nb": "norwegian", "pl": "polish",
    "pt": "portuguese", "ru": "russian", "sv": "swedish",
}  # fmt: skip
"""Languages that write them without a capital, and Snowball's name of each."""

LEAST, ALIKE = 4, 4
"""Letters of such a word, and how many of the first ones its country has, too: "danois", "Danemark"."""

HEADS = 8
"""What is in the names of so many currencies is one itself: "franc"."""

WORD = regex.compile(r"(?<![\p{L}\p{M}])\p{Ll}[\p{L}\p{M}]{3,}")


@functools.lru_cache(maxsize=16384)
def people(word: str, code: str) -> str:
    """What a people or language is known by, whatever the word's ending; "" if it is none."""
    if code not in STEMMED or len(word) < LEAST:
        return ""
    found = _stem(word.casefold(), code)
    return found if found in _known(code) else ""


def _stem(word: str, code: str) -> str:
    return str(snowballstemmer.stemmer(STEMMED[code]).stemWord(word))


@functools.cache
def _known(code: str) -> frozenset[str]:
    """The stems of all of them: names of languages, and what tells one country's language or money from another's."""
    locale, language = Locale(code), words.language(code)
    lands = {n for c, n in locale.territories.items() if c.isalpha() and regex.fullmatch(r"\p{L}{4,}", n)}
    begin = {_even(n)[:ALIKE] for n in lands}
    said: set[str] = set()
    for key, name in locale.languages.items():
        if regex.fullmatch(r"[a-z]{2}_[A-Z]{2}", key) or regex.fullmatch("[a-z]{2}", key):
            said.update(WORD.findall(name) if "_" in key or " " not in name else ())
    money: dict[str, set[str]] = {}
    for key in map(str, Locale("en").currencies):
        for count in (1, 2) if not key.startswith("X") else ():
            for word in WORD.findall(get_currency_name(key, count, locale=locale)):
                money.setdefault(word, set()).add(key)
    said |= {w for w, keys in money.items() if len(keys) < HEADS and _even(w)[:ALIKE] in begin}
    names = {_even(n) for n in lands}
    return frozenset(
        _stem(w.casefold(), code) for w in said if w not in language.stop | language.general and _even(w) not in names
    )


def _even(word: str) -> str:
    return regex.sub(r"\p{M}", "", unicodedata.normalize("NFD", word.casefold()))
