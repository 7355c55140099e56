"""What a number counts, by CLDR: money, time, a length, a share (pure). "Nine years" are not "nine months"."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import regex
from babel import Locale, UnknownLocaleError
from babel.numbers import get_currency_name, get_currency_symbol, get_territory_currencies
from babel.units import format_unit

from worker.content import words

Kinds = frozenset[str]
"""What a unit may be: "pounds" are money or a weight, "crowns" those of many countries. A dollar of which nobody says
whose it is is that of the United States or, where the language's tag names a country with one, of that. What two units
have in common, they may both be."""

REGIONS = {"en": ("en", "en_GB"), "pt": ("pt", "pt_PT")}
MEASURES = {
    "duration": "century decade year month week day hour minute second night",
    "length": "kilometer meter centimeter millimeter mile foot inch yard light-year nautical-mile",
    "mass": "kilogram gram milligram tonne ton pound ounce stone",
    "area": "hectare acre square-kilometer square-meter square-mile square-foot",
    "volume": "liter milliliter cubic-meter gallon pint barrel",
    "speed": "kilometer-per-hour mile-per-hour meter-per-second knot",
    "temperature": "celsius fahrenheit",
    "power": "watt kilowatt megawatt gigawatt horsepower",
    "energy": "kilowatt-hour",
    "digital": "megabit gigabit kilobyte megabyte gigabyte terabyte",
    "concentr": "percent permille",
}
ONE = {"mass-ton": "mass-tonne"}  # who writes "tons" may mean either
SMALL = 2  # letters: "5 in" is hardly ever a length
NOUN_LAST = frozenset({"de", "en"})  # languages that name a currency by its last word
COUNTS = (1, 2, 5, 1.5)  # one of each plural that languages have
POINTS = regex.compile(r"percentage points?|prozentpunkte?n?|procentpunt(?:en)?|procentenhet(?:er)?|procentpoint")
CENTS = frozenset(
    words.words(
        "cent cents penny pence centime centimes céntimo céntimos centavo centavos cêntimo cêntimos centesimo "
        "centesimi öre øre grosz grosze groszy копейка копейки копеек rappen"
    )
)
LASTING = {
    "jahr": "duration-year", "jähr": "duration-year", "monat": "duration-month", "woche": "duration-week",
    "wöch": "duration-week", "tage": "duration-day", "täg": "duration-day", "stunde": "duration-hour",
    "stünd": "duration-hour", "minute": "duration-minute", "minüt": "duration-minute", "prozent": "concentr-percent",
    "kilometer": "length-kilometer", "meter": "length-meter",
}  # fmt: skip
"""How German words begin that hang on a number without a space, and what each counts."""

JOINED_TO = regex.compile(rf"[-‑]?({'|'.join(LASTING)})\p{{Ll}}*", regex.I)
BEFORE = regex.compile(r"(?<!\p{L})(?:\p{Lu}{0,3}\p{Sc}|\p{Lu}{3})(?=\s?[-−]?$)")
BEHIND = regex.compile(
    r"[\s\u00a0\u202f-]*(?:(?:de|di|of)\s|d['’])?(?<one>[%‰]|\p{Sc}|°\s?[CF](?!\p{L})|\p{L}[\p{L}\p{M}./]*)"
    r"(?<two>[\s\u00a0-]\p{L}+)?(?<three>[\s\u00a0]\p{L}+)?"
)


@dataclass(frozen=True, slots=True)
class Unit:
    """What may be meant, and where it stands (code points): with the number between them, or behind it."""

    kinds: Kinds
    start: int
    end: int


def unit(text: str, start: int, end: int, tag: str) -> Unit | None:
    """What the number from ``start`` to ``end`` of ``text`` counts; None if it counts something else."""
    known = _known(words.base(tag), _home(tag))
    inside = known.get(text[start:end].rsplit(maxsplit=1)[-1].casefold(), frozenset())
    if "concentr-percent" in inside:
        return Unit(inside, start, end)  # "12 Prozent" is one number
    if (before := BEFORE.search(text, max(0, start - 8), start)) and (kinds := known.get(before[0].casefold())):
        return Unit(kinds, before.start(), end)
    behind = BEHIND.match(text, end)
    if behind is None:
        return None
    one = regex.sub(r"\s", "", behind["one"]).rstrip(".").casefold()
    two, three = ((behind[part] or "?").casefold().replace("\u00a0", " ") for part in ("two", "three"))
    last = behind.end("one") - (len(behind["one"]) - len(behind["one"].rstrip(".")))  # no full stop
    ways = ((one + two + three, behind.end()), (one + two, behind.end("two")), (one, last))
    if found := next((Unit(kinds, start, end) for said, end in ways if (kinds := _kinds(said, known))), None):
        return found
    joined = JOINED_TO.match(text, end) if words.base(tag) == "de" else None  # neunjährig, 5-Jahres-Plan
    return Unit(frozenset({LASTING[joined[1].casefold()]}), start, joined.end(1)) if joined else None


@functools.lru_cache(maxsize=64)
def times(code: str) -> frozenset[str]:
    """Every way a language writes units of time, casefolded."""
    return frozenset(w for w, kinds in _known(code, "").items() if any(k.startswith("duration") for k in kinds))


def _kinds(said: str, known: Mapping[str, Kinds]) -> Kinds:
    if POINTS.fullmatch(said):
        return frozenset({"points"})
    return frozenset({"cents"}) if said in CENTS else known.get(said, frozenset())


@functools.lru_cache(maxsize=256)
def _home(tag: str) -> str:
    """The money of the country that a language's tag names, if its sign there is "$" alone; else ""."""
    region = regex.fullmatch(r"[a-z]{2,3}[-_](?:[a-z]{4}[-_])?([a-z]{2})", tag.strip(), regex.I)
    try:
        money: str = get_territory_currencies(region[1].upper())[0] if region else ""
        here = Locale.parse(f"{words.base(tag)}_{region[1].upper()}") if region else None
        return money if here and get_currency_symbol(money, locale=here) == "$" else ""
    except (UnknownLocaleError, ValueError, IndexError):
        return ""


@functools.lru_cache(maxsize=64)
def _known(code: str, home: str) -> Mapping[str, Kinds]:
    """Every way a language writes a unit, casefolded, and what may be meant by it in the country of ``home``."""
    found: dict[str, set[str]] = {}
    stop = words.language(code).stop
    for name in REGIONS.get(code, (code,)) if code else ():
        try:
            locale = Locale.parse(name)
        except (UnknownLocaleError, ValueError):
            continue
        for said, kind in (*_measures(locale, stop), *_money(locale, stop)):
            if said and not (said in stop and len(said) <= SMALL):
                found.setdefault(said, set()).add(kind)
    dollars = (kinds for kinds in found.values() if "USD" in kinds)
    for kinds in dollars:
        kinds.intersection_update({"USD"})
    if home:
        found.setdefault("$", set()).add(home)
        for word in regex.findall(r"[\p{L}\p{M}]{3,}", f"{get_currency_name('USD', 2, locale=code)}".casefold()):
            if found.get(word) == {"USD"}:
                found[word].add(home)
    return {said: frozenset(kinds) for said, kinds in found.items()}


def _measures(locale: Locale, stop: frozenset[str]) -> Iterator[tuple[str, str]]:
    for kind in (f"{group}-{name}" for group, names in MEASURES.items() for name in names.split()):
        for count in COUNTS:
            for length in ("long", "short"):
                said = regex.sub(r"\p{Nd}+(?:[.,]\p{Nd}+)?", "", format_unit(count, kind, length, locale=locale))
                said = regex.sub(r"[\s\u200f]+", " ", said).strip(" .").casefold()
                yield said, ONE.get(kind, kind)
                first = said.partition(" ")[0].rstrip(".")
                yield "" if first in stop else first, ONE.get(kind, kind)


def _money(locale: Locale, stop: frozenset[str]) -> Iterator[tuple[str, str]]:
    for code in map(str, Locale("en").currency_symbols):
        symbol = get_currency_symbol(code, locale=locale)
        sign = regex.search(r"\p{Sc}$", symbol)  # "$" of "A$"
        yield from ((said.rstrip(".").casefold(), code) for said in (code, symbol, sign[0] if sign else ""))
        for count in COUNTS:
            name = get_currency_name(code, count, locale=locale)
            yield name.casefold(), code
            parts = regex.findall(r"[\p{L}\p{M}]{3,}", name)
            if locale.language in NOUN_LAST:  # "British pounds", "Israeli new shekels"
                parts = parts[-1:]
            yield from ((word, code) for word in map(str.casefold, parts) if word not in stop)
    yield from (("c$", "CAD"), ("au$", "AUD"), ("s$", "SGD"), ("us$", "USD"), ("$", "USD"))
    yield from (("£", "GBP"), ("€", "EUR"), ("¥", "JPY"), ("₽", "RUB"), ("zł", "PLN"))
