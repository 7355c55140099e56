"""Which numbers a text says, in figures or in words, and what each is worth (pure): "nine" is 9, "two dozen" is 24.

Words are read in the languages of text2num, with those of ``data/`` that it does not know; elsewhere figures alone.
"""

from __future__ import annotations

import functools
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import regex
from text_to_num import find_numbers

from worker.content import words

Worth = Fraction | str
"""What a number is worth; as it is written where that is no single number: 10:30, 12.11.2026, "hundreds"."""

READ = frozenset({"da", "de", "en", "es", "fr", "it", "nl", "pt"})
POINT = frozenset({"en", "he", "hi", "ja", "ko", "th", "zh"})
"""Languages whose decimals stand behind a point; behind a comma elsewhere."""

TOKEN = regex.compile(
    r"(?<figure>(?:\p{Nd}{1,3}(?:[ '’\u00a0\u202f]\p{Nd}{3})+(?!\p{Nd})(?:[.,]\p{Nd}+)?"
    r"|\p{Nd}+(?:[.,:/]\p{Nd}+)*)[½⅓⅔¼¾]?|[½⅓⅔¼¾])"
    r"|(?<word>[\p{L}\p{M}]+)|(?<mark>[^\p{L}\p{M}\p{Nd}½⅓⅔¼¾]+)"
)
JOINED = regex.compile(r"[\s\u00a0\u202f]*|-|‑")
BEHIND = regex.compile(r"(?:[\s\u00a0\u202f]|-|‑)?(\p{L}[\p{L}\p{M}]*)")
PRICED = regex.compile(r"[$€£¥]\s?$")
PAIR = range(10, 100)  # "nineteen eighty-four"
TENTHS = 10  # what is written as a fraction: 9/11 is a day


@dataclass(frozen=True, slots=True)
class _Known:
    """What a language's file says of its numbers; all is empty where it says nothing."""

    worth: Mapping[str, Fraction]
    parts: Mapping[str, int]
    times: Mapping[str, int]
    many: frozenset[str]
    doubtful: frozenset[str]
    half: regex.Pattern[str]
    of: regex.Pattern[str]


@functools.cache
def _known(code: str) -> _Known:
    path = words.DATA / f"{code}.toml"
    data = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    said = data.get("numbers", {})
    half, of = said.get("half", "(?!)"), said.get("of", "(?!)")
    return _Known(
        worth={w: Fraction(value) for value, known in said.get("worth", {}).items() for w in known.split()},
        parts={w: number for number, known in enumerate(said.get("parts", ()), 2) for w in known.split()},
        times={w: int(value) for value, known in said.get("times", {}).items() for w in known.split()},
        many=frozenset(said.get("many", "").split()),
        doubtful=frozenset(said.get("doubtful", "").split()),
        half=regex.compile(rf"\s(?:\p{{L}}+\s)??(?:{half})(?!\p{{L}})"),  # "deux ans et demi", too
        of=regex.compile(rf"\s(?:{of})\s(\p{{L}}[\p{{L}}\p{{M}}]*)"),
    )


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number from ``start`` to ``end`` (code points) of a text; ``doubtful`` if its word may mean something else,
    ``ordinal`` if it counts places.
    """

    worth: Worth
    start: int
    end: int
    doubtful: bool = False
    ordinal: bool = False


class _Token:
    """A word or what stands between two, as text2num wants to be told."""

    def __init__(self, text: str, *, word: bool) -> None:
        self._text, self._word = text, word

    def text(self) -> str:
        return self._text

    def nt_separated(self, previous: object) -> bool:
        del previous
        return False

    def not_a_number_part(self) -> bool:
        return not self._word


def quantities(text: str, tag: str) -> tuple[Quantity, ...]:
    """The numbers of ``text``, which is in the language of ``tag``, in their order."""
    code = words.base(tag)
    found = [m for m in TOKEN.finditer(text) if m[0]]
    figures = [Quantity(_figure(m[0], code), m.start(), m.end()) for m in found if m["figure"] is not None]
    said = _written(found, code) if code in READ else []
    there = sorted([*figures, *said], key=lambda q: q.start)
    return tuple(_put_together(text, there, code)) if code in READ else tuple(there)


def _figure(text: str, code: str) -> Worth:
    """What a figure is worth by its language's marks; a time, a date or a score is as it is written."""
    part = Fraction(0)
    if not text[-1].isdecimal():
        part, text = Fraction(unicodedata.numeric(text[-1])).limit_denominator(4), text[:-1]
        if not text:
            return part
    plain = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)
    groups, mark = (",", ".") if code in POINT else (".", ",")
    plain = regex.sub(r"[ '’\u00a0\u202f]", "", plain)
    if regex.fullmatch(r"\d/\d{1,2}", plain) and 0 < int(plain[0]) < int(plain[2:]) <= TENTHS:
        return Fraction(plain)
    if not code and regex.fullmatch(r"[1-9]\d{0,2}(?:[.,]\d{3})+", plain):
        return Fraction(regex.sub("[.,]", "", plain))
    if regex.fullmatch(rf"\d{{1,3}}(?:\{groups}\d{{3}})+(?:\{mark}\d+)?", plain) and not plain.startswith("0"):
        return Fraction(plain.replace(groups, "").replace(mark, ".")) + part
    if regex.fullmatch(r"\d+(?:[.,]\d+)?", plain):
        return Fraction(plain.replace(",", ".")) + part
    return plain


def _written(found: Sequence[regex.Match[str]], code: str) -> list[Quantity]:
    """The numbers that are written as words, each as text2num or the language's file reads it."""
    known = _known(code)
    low = [unicodedata.normalize("NFC", m[0].casefold()) if code != "de" else m[0].lower() for m in found]
    tokens = [_Token(w, word=m["word"] is not None) for w, m in zip(low, found, strict=True)]
    made: dict[int, Quantity] = {}
    for one in find_numbers(tokens, code, 0.0):
        first, last = found[one.start], found[one.end - 1]
        if first is last and len(low[one.start]) == 1:
            continue  # O'Brien
        doubtful = one.is_ordinal or (first is last and low[one.start] in known.doubtful)
        made[one.start] = Quantity(Fraction(str(one.value)), first.start(), last.end(), doubtful, one.is_ordinal)
    inside = {p for q in made.values() for p, m in enumerate(found) if q.start < m.start() < q.end}
    for place, (word, match) in enumerate(zip(low, found, strict=True)):
        if place in inside or match["word"] is None:
            continue
        worth: Worth | None = word if word in known.many else known.worth.get(word)
        if worth is not None:
            made[place] = Quantity(worth, match.start(), match.end(), word in known.doubtful)
    return list(made.values())


def _put_together(text: str, there: Sequence[Quantity], code: str) -> Iterator[Quantity]:
    """Numbers with what follows them: "3 million", "two thirds", "half a million", "nineteen eighty-four"."""
    done = 0
    for place, one in enumerate(there):
        if one.start < done:
            continue
        made = one
        if code == "en" and place + 1 < len(there) and _year(text, one, there[place + 1]):
            made = Quantity(_whole(one) * 100 + _whole(there[place + 1]), one.start, there[place + 1].end)
        while (more := _longer(text, made, code)) is not None:
            made = more
        done = made.end
        yield made


def _longer(text: str, one: Quantity, code: str) -> Quantity | None:
    """A number with the word behind it that divides, multiplies or adds to it; None if there is no such word."""
    if isinstance(one.worth, str):
        return None
    known, worth = _known(code), None
    if (half := known.half.match(text, one.end)) is not None:
        scale = next((s for s in (10**9, 10**6, 1000) if one.worth >= s and one.worth % s == 0), 1)
        return Quantity(one.worth + Fraction(scale, 2), one.start, half.end())
    behind = known.of.match(text, one.end) if one.worth < 1 else None
    behind = behind or BEHIND.match(text, one.end)
    if behind is None:
        return None
    word, apart = behind[1].lower(), text[one.end : behind.start(1)]
    divided = None if one.ordinal or one.worth.denominator != 1 else known.parts.get(word)
    if divided is not None and 0 < one.worth < divided:
        worth = one.worth / divided
    elif (times := known.times.get(word)) is not None:
        figure = text[one.end - 1].isdecimal()
        letter = len(word) == 1 and (apart or not figure or (word == "m" and not PRICED.search(text[: one.start])))
        whole = one.worth >= 1 or one.worth.denominator <= 10
        worth = one.worth * times if whole and not letter else None
    return None if worth is None else Quantity(worth, one.start, behind.end())


def _year(text: str, one: Quantity, other: Quantity) -> bool:
    """Whether two numbers in words are the halves of a year."""
    said = text[one.start : other.end]
    close = JOINED.fullmatch(text[one.end : other.start]) is not None
    return close and one.worth in PAIR and other.worth in PAIR and not regex.search(r"\p{Nd}", said)


def _whole(one: Quantity) -> Fraction:
    assert isinstance(one.worth, Fraction), "halves of a year are numbers"
    return one.worth
