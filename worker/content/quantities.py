"""Which numbers and dates a text says, in figures or in words, and what each is worth (pure): "two dozen" is 24.

Words are read in the languages of text2num, with those of ``data/`` that it does not know; elsewhere figures alone.
"A" and "nobody" are numbers, too, doubtful ones: what was one man may be two by now. Percentages are no fractions, and
units are not converted.
"""

from __future__ import annotations

import functools
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import regex
from text_to_num import find_numbers, text2num

from worker.content import words

Worth = Fraction | str
"""What a number is worth; "day 1" is a Monday, "month 1" a January, "month 1, 31" its last day; as it is written where
that is no single number: 10:30, "hundreds".
"""

NONE = "none"
"""What is said of no number, though a number stands in it: "per cent"."""

READ = frozenset({"da", "de", "en", "es", "fr", "it", "nl", "pt"})
POINT = frozenset({"en", "he", "hi", "ja", "ko", "th", "zh"})
"""Languages whose decimals stand behind a point; behind a comma elsewhere."""

TOKEN = regex.compile(
    r"(?<figure>(?:\p{Nd}{4}-\p{Nd}{2}-\p{Nd}{2}(?!\p{Nd})|\p{Nd}{1,2}-\p{Nd}{1,2}-\p{Nd}{4}(?!\p{Nd})"  # days
    r"|\p{Nd}{1,2}\s?h\s?\p{Nd}{2}(?!\p{Nd})"  # 15 h 30
    r"|\p{Nd}{1,3}[ \u00a0]\p{Nd}/\p{Nd}(?![\p{Nd}/.,])"  # 2 1/2
    r"|\p{Nd}{1,3}(?:[ '’\u00a0\u202f]\p{Nd}{3})+(?!\p{Nd})(?:[.,]\p{Nd}+)?"
    r"|\p{Nd}+(?:[.,:/]\p{Nd}+)*)[½⅓⅔¼¾]?|[½⅓⅔¼¾])"
    r"|(?<word>[\p{L}\p{M}]+)|(?<mark>[^\p{L}\p{M}\p{Nd}½⅓⅔¼¾]+)"
)
JOINED = regex.compile(r"[\s\u00a0\u202f]*|-|‑")
BEHIND = regex.compile(r"(?:[\s\u00a0\u202f]|-|‑)?(\p{L}[\p{L}\p{M}]*)")
PRICED = regex.compile(r"[$€£¥]\s?$")
DATE = regex.compile(
    r"(?<year>\d{4})-(?<month>\d\d)-(?<day>\d\d)|(?<day>\d{1,2})(?<mark>[./-])(?<month>\d{1,2})(?P=mark)(?<year>\d{4})"
)
DAY_BEFORE = regex.compile(
    r"(?<![\d.,:/-])(\d{1,2})(?:st|nd|rd|th|er|[.ºª])?\s(?:of\s|de\s)?$|(?<!\p{L})(?:premier|primo|primero)\s(?:de\s)?$"
)
DAY_BEHIND = regex.compile(r"\.?\s(\d{1,2})(?:st|nd|rd|th)?(?![\p{L}\d:])")
MONTHS = 12
EITHER = frozenset({"", "en"})
"""Languages in which 12/5 is a day in May or in December, by the country."""

CLOCK = regex.compile(r"(?<hour>0?\d|1[0-2])(?:[.:](?<minute>\d\d))?\s?(?<half>[ap])\.?\s?m(?!\p{L})", regex.I)
POINT_BEFORE = regex.compile(r"(?<![\p{L}\p{M}\p{N}.])\.$")  # .5
SIGN = regex.compile(r"\p{Sc}")
MINUS = regex.compile(r"(?<![\p{L}\p{M}\p{N}]|\p{N}\s)[-−][$€£¥]?$")  # no range, and no dash
FIRST, LATER = range(10, 21), range(10, 100)  # "nineteen eighty-four", but not "fifty-fifty"
TENTHS = 10  # what is written as a fraction: 9/11 is a day
DIGITS = 100
"""A figure with more of them is compared as it is written: Python reads no number without end."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What a language's file says of its numbers; all is empty where it says nothing."""

    worth: Mapping[str, Fraction]
    parts: Mapping[str, int]
    times: Mapping[str, int]
    many: frozenset[str]
    doubtful: frozenset[str]
    named: tuple[regex.Pattern[str], Sequence[Worth]]
    minus: regex.Pattern[str]
    joined: regex.Pattern[str]
    counted: regex.Pattern[str]
    decade: regex.Pattern[str]
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
        named=_named(said),
        minus=regex.compile(rf"(?<!\p{{L}})(?:{said.get('minus', '(?!)')})\s$", regex.I),
        joined=regex.compile(rf"(?<number>\p{{L}}{{2,}})(?:{said.get('joined', '(?!)')})"),
        counted=regex.compile(rf"\s(?:{said.get('counted', '(?!)')})(?!\p{{L}})"),
        decade=regex.compile(rf"(?<=\d0)(?:{said.get('decade', '(?!)')})(?!\p{{L}})"),
        half=regex.compile(rf"[\s-](?:\p{{L}}+\s)??(?:{half})(?!\p{{L}})"),  # "deux ans et demi", too
        of=regex.compile(rf"\s(?:{of})\s(\p{{L}}[\p{{L}}\p{{M}}]*)"),
    )


def _named(said: Mapping[str, Any]) -> tuple[regex.Pattern[str], Sequence[Worth]]:
    """A pattern with a group for each phrase that is a day, a month, nobody, or no number; and what each is worth.

    They are whole words, and in capitals only where they are written with one: "May".
    """
    known: list[tuple[str, Worth]] = [(p, NONE) for p in said.get("sayings", "").split("|") if p]
    known += [(p, Fraction(0)) for p in said.get("nobody", "").split("|") if p]
    known += [(w, f"day {n}") for n, forms in enumerate(said.get("days", ()), 1) for w in forms.split()]
    known += [(w, f"month {n}") for n, forms in enumerate(said.get("months", ()), 1) for w in forms.split()]
    known.sort(key=lambda k: (-k[0].count(" "), -len(k[0])))
    groups = "|".join(f"((?i:{p}))" if p.islower() else f"({p})" for p, _ in known) or "((?!))"
    return regex.compile(rf"(?<![\p{{L}}\p{{M}}])(?:{groups})(?![\p{{L}}\p{{M}}])"), [worth for _, worth in known]


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
    made = [q for m in found for q in _dates(m, code)]
    made += _called(text, code)
    loose = [_read(m, code) for m in found if m["figure"] is not None]
    loose += _written(found, code)
    loose = sorted((q for q in loose if not any(o.start < q.end and q.start < o.end for o in made)), key=_place)
    made += _put_together(text, loose, code)
    return tuple(_signed(text, q, code) for q in sorted(made, key=_place) if q.worth != NONE)


def _place(one: Quantity) -> int:
    return one.start


def _read(match: regex.Match[str], code: str) -> Quantity:
    """What a figure is worth, with the point that may stand before it: .5."""
    said, start = match[0], match.start()
    if said.isdecimal() and len(said) <= DIGITS and POINT_BEFORE.search(match.string[max(0, start - 2) : start]):
        return Quantity(Fraction(f"0.{int(said):0{len(said)}}"), start - 1, match.end())
    return Quantity(_figure(said, code), start, match.end())


def _dates(match: regex.Match[str], code: str) -> Iterator[Quantity]:
    """The month, day and year of a figure that is a date; both ways, in doubt, where it can be read in two."""
    date, begin = DATE.fullmatch(match[0]), match.start()
    if date is None:
        return
    one = int(date["day"]), int(date["month"])
    ways = [one, one[::-1]] if code in EITHER and date["mark"] else [one]
    readings = [(day, month) for day, month in dict.fromkeys(ways) if month <= MONTHS]
    ends = sorted(begin + end for name in ("day", "month") for end in date.span(name))
    made = [q for day, month in readings for q in _day(day, month, ends[0], ends[-1], doubtful=len(readings) > 1)]
    if made:
        year = Quantity(Fraction(int(date["year"])), begin + date.start("year"), begin + date.end("year"))
        yield from [*made, year] if date["mark"] else [year, *made]


def _day(day: int, month: int, start: int, end: int, *, doubtful: bool = False) -> tuple[Quantity, Quantity]:
    """A day as two things that are said: its month, and which day of it."""
    said: tuple[Worth, Worth] = (f"month {month}", f"month {month}, {day}")
    one, other = (Quantity(worth, start, end, doubtful) for worth in said)
    return one, other


def _called(text: str, code: str) -> Iterator[Quantity]:
    """What has a name: days, months, nobody, and what is no number though one stands in it."""
    pattern, worths = _known(code).named
    for found in pattern.finditer(text):
        assert found.lastindex, "every alternative is a group"
        worth = worths[found.lastindex - 1]
        if not isinstance(worth, str) or not worth.startswith("month"):
            yield Quantity(worth, found.start(), found.end(), doubtful=worth == 0)
            continue
        month = int(worth.removeprefix("month "))
        if (before := DAY_BEFORE.search(text[max(0, found.start() - 14) : found.start()])) is not None:
            yield from _day(int(before[1] or 1), month, found.start() - len(before[0]), found.end())
        elif code == "en" and (after := DAY_BEHIND.match(text, found.end())) is not None:
            yield from _day(int(after[1]), month, found.start(), after.end())
        else:
            yield Quantity(worth, found.start(), found.end())


def _signed(text: str, one: Quantity, code: str) -> Quantity:
    """A number below zero with its sign, or the word for it."""
    before = text[max(0, one.start - 20) : one.start]
    sign = MINUS.search(before) or _known(code).minus.search(before)
    if sign is None or isinstance(one.worth, str):
        return one
    return replace(one, worth=-one.worth, start=one.start - len(before) + sign.start())


def _figure(text: str, code: str) -> Worth:  # noqa: PLR0911 - one for each way to write it
    """What a figure is worth by its language's marks; a time or a score is as it is written, a full hour its hour."""
    part = Fraction(0)
    if not text[-1].isdecimal():
        part, text = Fraction(unicodedata.numeric(text[-1])).limit_denominator(4), text[:-1]
        if not text:
            return part
    plain = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)
    groups, mark = (",", ".") if code in POINT else (".", ",")
    if (mixed := regex.fullmatch(r"(\d+)\s(\d)/(\d)", plain)) and 0 < int(mixed[2]) < int(mixed[3]):
        return int(mixed[1]) + Fraction(int(mixed[2]), int(mixed[3]))
    plain = regex.sub(r"\s?h\s?", ":", regex.sub(r"[ '’\u00a0\u202f](?=\d{3})", "", plain))
    if len(plain) > DIGITS:
        return plain
    if regex.fullmatch(r"(?:[01]?\d|2[0-4]):00", plain):
        return Fraction(plain.partition(":")[0])
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
    for one in find_numbers(tokens, code, 0.0) if code in READ else ():
        first, last = found[one.start], found[one.end - 1]
        if first is last and len(low[one.start]) == 1:
            continue  # O'Brien
        if SIGN.match(last.string, last.end()):
            continue  # A$5
        doubtful = one.is_ordinal or (first is last and low[one.start] in known.doubtful)
        made[one.start] = Quantity(Fraction(str(one.value)), first.start(), last.end(), doubtful, one.is_ordinal)
    inside = {p for q in made.values() for p, m in enumerate(found) if q.start < m.start() < q.end}
    for place, (word, match) in enumerate(zip(low, found, strict=True)):
        if place in inside or match["word"] is None or SIGN.match(match.string, match.end()):
            continue
        worth: Worth | None = word if word in known.many else known.worth.get(word)
        if worth is not None:
            made[place] = Quantity(worth, match.start(), match.end(), word in known.doubtful)
        elif (joined := known.joined.fullmatch(word)) and (worth := _worth(joined["number"], code)) is not None:
            end = match.start() + len(joined["number"])
            made[place] = Quantity(worth, match.start(), end, joined["number"] in known.doubtful)
    return list(made.values())


def _worth(word: str, code: str) -> Fraction | None:
    """What a number in one word is worth; None if it is none."""
    if code not in READ:
        return _known(code).worth.get(word)
    try:
        return Fraction(str(text2num(word, code)))
    except ValueError:
        return None


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
        if code == "en" and (clock := CLOCK.match(text, made.start)) is not None and clock.end() > made.end:
            made = _timed(clock)
        done = made.end
        yield made


def _timed(clock: regex.Match[str]) -> Quantity:
    """What "3:30 pm" is on a clock of 24 hours."""
    hour = int(clock["hour"]) % 12 + 12 * (clock["half"] in "pP")
    full = clock["minute"] in {None, "00"}
    return Quantity(Fraction(hour) if full else f"{hour}:{clock['minute']}", clock.start(), clock.end())


def _longer(text: str, one: Quantity, code: str) -> Quantity | None:
    """A number with the word behind it that divides, multiplies or adds to it; None if there is no such word."""
    if isinstance(one.worth, str):
        return None
    known, worth, doubtful = _known(code), None, False
    if (decade := known.decade.match(text, one.end)) is not None and one.worth in LATER:
        return Quantity(1900 + one.worth, one.start, decade.end())
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
        worth, doubtful = one.worth / divided, one.doubtful and word in known.doubtful  # "a third", of what or man?
    elif (times := known.times.get(word)) is not None:
        figure = text[one.end - 1].isdecimal()
        metres = word == "m" and not PRICED.search(text[: one.start]) and not known.counted.match(text, behind.end())
        letter = len(word) == 1 and (apart or not figure or metres)
        whole = one.worth >= 1 or one.worth.denominator <= 10
        worth = one.worth * times if whole and not letter else None
    return None if worth is None else Quantity(worth, one.start, behind.end(), doubtful)


def _year(text: str, one: Quantity, other: Quantity) -> bool:
    """Whether two numbers in words are the halves of a year."""
    said = text[one.start : other.end]
    close = JOINED.fullmatch(text[one.end : other.start]) is not None
    return close and one.worth in FIRST and other.worth in LATER and not regex.search(r"\p{Nd}", said)


def _whole(one: Quantity) -> Fraction:
    assert isinstance(one.worth, Fraction), "halves of a year are numbers"
    return one.worth
