"""How words become lines: cleaning, direction, where lines may break, and the size at which all of it fits."""

from __future__ import annotations

import functools
import itertools
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import budoux
import regex

from worker.content.cards import fonts
from worker.content.cards.fonts import Family

LONGEST = 200  # characters of a title; longer ones are shortened at a clause
ELLIPSIS = "…"
REFERENCE = 100  # pixels at which widths are measured; outlines without hints scale in proportion

_RTL = ("R", "AL")
_RTL_LANGUAGES = frozenset(("ar", "fa", "he", "iw", "ur", "ps", "ckb", "yi", "sd", "ug", "dv"))
_CLUSTER = regex.compile(r"\X")
_MARKS = regex.compile(r"(\p{Mn}{4})\p{Mn}+")
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー々〆ヶ]")
_IDEOGRAPH = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}ー々〆ヶ]")
_CLAUSE = regex.compile(r"(?:[.!?…:;,،؛؟](?=\s)|\s[–—-](?=\s)|—|[。、，！？；：।])")
_PARTS = regex.compile(r"(?<=[\p{L}\p{N}]{2}[-‐–—/])(?=[\p{L}\p{N}]{2})|(?<=—)(?=\p{L})")
_NO_START = frozenset("、。，．・：；？！」』）】〉》〕］｝’”ー々…ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ%％°℃!?,.:;)]}»›")
_NO_END = frozenset("「『（【〈《〔［｛‘“([{«‹$€£¥#")
_WEAK = frozenset(
    "a an and as at but by for from if in into is its of on or the to vs with "  # English
    "am an auf aus bei das dem den der die ein eine im in ist mit und vom von zu zum zur "  # German
    "à au aux ce de des du en et la le les ou par pour sa se son sur un une "  # French
    "con da de del di e el en i il la las lo los o para por que su un una y "  # Spanish, Italian, Portuguese
    "в во для до за и из к на не но о об от по с со у что".split()  # Russian
)


@dataclass(frozen=True, slots=True)
class Run:
    """Characters of one direction that one font draws; ``font`` is a file name or ``fonts.EMOJI``."""

    text: str
    font: str
    rtl: bool


@dataclass(frozen=True, slots=True)
class Style:
    """What measuring needs to know of a text: the design's family, the region of its characters, its language."""

    family: Family
    region: str
    rtl: bool


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that fit: ``size`` in pixels, ``leading`` in pixels from baseline to baseline."""

    lines: tuple[str, ...]
    size: int
    leading: int
    style: Style


@dataclass(frozen=True, slots=True)
class Unit:
    """What no line break may divide; ``space`` says whether a blank follows it on the same line."""

    text: str
    width: float
    space: bool


def is_rtl(text: str, language: str) -> bool:
    """Whether a text is read from the right: its first strong character decides, then its language."""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in _RTL:
            return True
        if kind == "L":
            return False
    return language.lower().partition("-")[0] in _RTL_LANGUAGES


def style(text: str, language: str, family: Family, *, rtl: bool) -> Style:
    """How ``text`` is set in a family."""
    return Style(family, fonts.region(language, text), rtl)


def clean(text: str, family: Family, language: str) -> tuple[str, tuple[str, ...]]:
    """The text as it can be drawn, and the characters that had to be left out or written plainly."""
    text = _MARKS.sub(r"\1", unicodedata.normalize("NFC", text))
    text = " ".join("".join(c if _visible(c) else " " if c in "\t\n\r\x0b\x0c\u2028\u2029" else "" for c in text).split())
    where = fonts.region(language, text)
    kept: list[str] = []
    missing: list[str] = []
    for cluster in _CLUSTER.findall(text):
        if cluster == " " or fonts.face(cluster, family, where):
            kept.append(cluster)
            continue
        for character in cluster if len(cluster) > 1 and not fonts.is_emoji(cluster) else (cluster,):
            if fonts.face(character, family, where):
                kept.append(character)
            else:
                missing.append(character)
                kept.append(fonts.substitute(character, family, where))
    return " ".join("".join(kept).split(" ")).strip(), tuple(dict.fromkeys(missing))


def _visible(character: str) -> bool:
    if character in "\u200c\u200d\ufe0e\ufe0f\u20e3" or 0xE0020 <= ord(character) <= 0xE007F:  # tags spell some flags
        return True
    return unicodedata.category(character)[0] != "C"


def shorten(text: str, limit: int) -> str:
    """At most ``limit`` characters: cut after a clause if one ends in the second half, else after a word, with ``…``."""
    if len(text) <= limit:
        return text
    ends = [match.start() for match in _CLAUSE.finditer(text) if limit * 0.5 <= match.start() < limit]
    if not ends:
        ends = [match.start() for match in regex.finditer(r"\s", text) if limit * 0.4 <= match.start() < limit]
    if not ends:
        ends = [0]
        for cluster in _CLUSTER.findall(text):
            if ends[-1] + len(cluster) >= limit:
                break
            ends.append(ends[-1] + len(cluster))
    return text[: ends[-1]].rstrip(" .,:;–—-،。、，") + ELLIPSIS


# -- runs ------------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1024)
def _faces(text: str, family: Family, where: str) -> tuple[tuple[str, str], ...]:
    """Each cluster with its font; blanks and punctuation stay with the letters they belong to."""
    clusters = _CLUSTER.findall(text)
    found = [fonts.face(c, family, where) for c in clusters]
    loose = [unicodedata.category(c[0])[0] in "ZP" and f != fonts.EMOJI for c, f in zip(clusters, found, strict=True)]
    for i, cluster in enumerate(clusters):
        if not loose[i]:
            continue
        before = next((found[j] for j in range(i - 1, -1, -1) if found[j] != fonts.EMOJI), "")
        after = next((found[j] for j in range(i + 1, len(clusters)) if not loose[j] and found[j] != fonts.EMOJI), "")
        opens = unicodedata.category(cluster[0]) in ("Ps", "Pi")
        for name in (after, before) if opens else (before, after):
            if name and fonts.covers(name, cluster):
                found[i] = name
                break
    return tuple(zip(clusters, found, strict=True))


def _levels(clusters: Sequence[str], *, rtl: bool) -> list[int]:
    """Embedding levels after the weak and neutral rules of UAX #9, for text without explicit controls."""
    base = int(rtl)
    kinds = [unicodedata.bidirectional(c[0]) for c in clusters]
    for i, kind in enumerate(kinds):
        if kind in ("ES", "CS", "ET") and 0 < i < len(kinds) - 1 and kinds[i - 1] == kinds[i + 1] == "EN":
            kinds[i] = "EN"
    for i, kind in enumerate(kinds):
        if kind == "ET" and "EN" in (kinds[i - 1] if i else "", kinds[i + 1] if i + 1 < len(kinds) else ""):
            kinds[i] = "EN"
    strong = "R" if rtl else "L"
    for i, kind in enumerate(kinds):
        if kind in ("L", *_RTL):
            strong = kind
        if kind == "EN":
            kinds[i] = {"L": "L", "AL": "AN"}.get(strong, "EN")
    sides = [{"L": 0, "R": 1, "AL": 1, "EN": 1, "AN": 1}.get(k) for k in kinds]
    levels = []
    for i, kind in enumerate(kinds):
        side = sides[i]
        if side is None:
            before = next((s for s in reversed(sides[:i]) if s is not None), base)
            after = next((s for s in sides[i + 1 :] if s is not None), base)
            side = before if before == after else base
        levels.append(2 if kind in ("EN", "AN") or side < base else side)
    return levels


@functools.lru_cache(maxsize=1024)
def runs(line: str, how: Style) -> tuple[Run, ...]:
    """The runs of one line from left to right as they are seen."""
    pairs = _faces(line, how.family, how.region)
    if line.isascii() and not how.rtl:
        levels = [0] * len(pairs)
    else:
        levels = _levels([cluster for cluster, _ in pairs], rtl=how.rtl)
    logical: list[tuple[int, Run]] = []
    grouped = itertools.groupby(zip(pairs, levels, strict=True), key=lambda p: (p[0][1], p[1]))
    for (font, level), members in grouped:
        clusters = [cluster for (cluster, _), _ in members]
        if font == fonts.EMOJI:
            logical += [(level, Run(c, font, rtl=False)) for c in clusters]
        else:
            logical.append((level, Run("".join(clusters), font, rtl=bool(level % 2))))
    for depth in range(max(levels, default=0), 0, -1):
        at = 0
        while at < len(logical):
            end = at
            while end < len(logical) and logical[end][0] >= depth:
                end += 1
            logical[at:end] = reversed(logical[at:end])
            at = max(end, at + 1)
    return tuple(run for _, run in logical)


@functools.lru_cache(maxsize=4096)
def _run_width(text: str, font: str, size: int, *, rtl: bool) -> float:
    if font == fonts.EMOJI:
        return len(fonts.emoji_names(text)) * (fonts.EMOJI_HEIGHT * 136 / 128 + 0.06) * size
    return float(fonts.opened(font, size).getlength(text, direction="rtl" if rtl else "ltr"))


def run_width(run: Run, size: int) -> float:
    """How wide a run is in pixels."""
    return _run_width(run.text, run.font, size, rtl=run.rtl)


def width(line: str, size: int, how: Style) -> float:
    """How wide a line is in pixels."""
    return sum(run_width(run, size) for run in runs(line, how))


# -- lines -----------------------------------------------------------------------------------------------------------


@functools.cache
def _phrases(model: str) -> budoux.Parser:
    loaders = {
        "JP": budoux.load_default_japanese_parser,
        "SC": budoux.load_default_simplified_chinese_parser,
        "TC": budoux.load_default_traditional_chinese_parser,
        "TH": budoux.load_default_thai_parser,
    }
    return loaders[model]()


def _pieces(word: str, where: str) -> Iterator[str]:
    """Where a word without blanks may break: phrases in Chinese, Japanese and Thai, after a hyphen elsewhere."""
    if not _UNSPACED.search(word):
        yield from (part for part in _PARTS.split(word) if part)
        return
    if _IDEOGRAPH.search(word):
        parts = _phrases(where if where in ("JP", "SC", "TC") else "SC").parse(word)
    elif regex.search(r"\p{Thai}", word):
        parts = _phrases("TH").parse(word)
    else:
        parts = _CLUSTER.findall(word)
    held = ""
    for part in parts:
        if held and (part[0] in _NO_START or held[-1] in _NO_END or unicodedata.combining(part[0])):
            held += part
        else:
            if held:
                yield held
            held = part
    yield held


def _units(text: str, how: Style) -> list[Unit]:
    found = []
    for word in text.split(" "):
        pieces = list(_pieces(word, how.region))
        for i, piece in enumerate(pieces):
            found.append(Unit(piece, width(piece, REFERENCE, how) / REFERENCE, space=i == len(pieces) - 1))
    return found


def _divide(unit: Unit, room: float, how: Style) -> list[Unit]:
    """A unit wider than ``room`` ems, in parts that fit; letters get a hyphen."""
    clusters = _CLUSTER.findall(unit.text)
    parts: list[str] = []
    held = ""
    for cluster in clusters:
        fits = width(held + cluster + "-", REFERENCE, how) / REFERENCE <= room
        if not held or fits or cluster[0] in _NO_START:
            held += cluster
            continue
        hyphen = "-" if held[-1].isalpha() and cluster[0].isalpha() and not _UNSPACED.search(held) else ""
        parts.append(held + hyphen)
        held = cluster
    parts.append(held)
    last = len(parts) - 1
    return [Unit(p, width(p, REFERENCE, how) / REFERENCE, space=unit.space and i == last) for i, p in enumerate(parts)]


def _greedy(units: Sequence[Unit], room: float, blank: float) -> int:
    count, held, gap = 1, 0.0, 0.0
    for unit in units:
        if held and held + gap + unit.width > room:
            count, held = count + 1, 0.0
        held += (gap if held else 0.0) + unit.width
        gap = blank if unit.space else 0.0
    return count


def _balance(units: Sequence[Unit], count: int, room: float, blank: float) -> list[str]:
    """``count`` lines as even as can be, none wider than ``room``, none ending in a small word if it can be helped."""
    gaps = [blank if u.space else 0.0 for u in units]
    starts = [0.0, *itertools.accumulate(u.width + g for u, g in zip(units, gaps, strict=True))]
    total = starts[-1] / count

    def cost(i: int, j: int, *, last: bool) -> float:
        length = starts[j] - starts[i] - gaps[j - 1]
        if length > room and j - i > 1:
            return 1e9
        value = ((length - total) / total) ** 2
        if last:
            return value + (0.6 if count > 1 and length < total * 0.45 else 0.0)
        end = units[j - 1].text
        if end[-1:] in ",;:.!?—–…،。、，：":
            return value - 0.03
        if end.lower() in _WEAK or (end[-1:].isdigit() and units[j - 1].space):
            return value + 0.06
        return value

    n = len(units)
    best: list[list[tuple[float, int]]] = [[(0.0, 0)] + [(1e12, 0)] * n]
    for line in range(1, count + 1):
        row = [(1e12, 0)] * (n + 1)
        for j in range(line, n + 1):
            row[j] = min((best[line - 1][i][0] + cost(i, j, last=line == count), i) for i in range(line - 1, j))
        best.append(row)
    lines: list[str] = []
    j = n
    for line in range(count, 0, -1):
        i = best[line][j][1]
        lines.insert(0, "".join(u.text + (" " if u.space else "") for u in units[i:j]).strip())
        j = i
    return lines


def fit(
    text: str,
    how: Style,
    *,
    box: tuple[float, float],
    sizes: tuple[float, float],
    leading: float = 1.1,
    lines: int = 12,
) -> Block | None:
    """``text`` in a box of (width, height) pixels at the largest of ``sizes`` (smallest, largest) that holds it.

    Returns None if even the smallest does not.
    """
    units = _units(text, how)
    blank = width(" ", REFERENCE, how) / REFERENCE
    used = {name for _, name in _faces(text, how.family, how.region) if name != fonts.EMOJI}
    leading = max([leading, *(fonts.leading(name) for name in used)])
    smallest, largest = round(sizes[0]), max(round(sizes[0]), round(sizes[1]))

    def count(size: int, among: Sequence[Unit]) -> int:
        """How many lines it takes at ``size``; 0 if it does not fit."""
        room = box[0] / size
        if any(u.width > room for u in among):
            return 0
        needed = _greedy(among, room, blank)
        height = ((needed - 1) * leading + 1.0) * size
        return needed if needed <= lines and height <= box[1] else 0

    if not count(smallest, units):
        room = box[0] / smallest
        units = [part for u in units for part in (_divide(u, room, how) if u.width > room else (u,))]
        if not count(smallest, units):
            return None
    low, high = smallest, largest
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(middle, units) else (low, middle - 1)
    size = low
    while True:
        set_lines = _balance(units, count(size, units), box[0] / size, blank)
        if size <= smallest or all(width(line, size, how) <= box[0] for line in set_lines):
            return Block(tuple(set_lines), size, round(size * leading), how)
        size -= 1
        if not count(size, units):
            return Block(tuple(set_lines), size, round(size * leading), how)
