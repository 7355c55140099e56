"""How words become lines: cleaning, direction, where lines may break, and the size at which all of it fits."""

from __future__ import annotations

import functools
import itertools
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import budoux
import pyphen
import regex

from worker.content.cards import fonts

_THAI = Path(__file__).with_name("thai.txt")  # from PyThaiNLP's lists, CC0
LONGEST = 200  # characters of a title; longer ones are shortened at a clause
ELLIPSIS = "…"
REFERENCE = 100  # pixels at which widths are measured; outlines without hints scale in proportion

MAGNITUDES = (  # a number that stands alone without its million or its per cent says something else
    r"thousand|million|billion|trillion|per\s?cent|Tausend|Millionen|Milliarden|Billionen|Mio\.?|Mrd\.?|Prozent"
    r"|duizend|miljoen|miljard|procent|mille|millions?|milliards?|pour\scent|mil|millón|millones|por\sciento|milhão|milhões"
    r"|por\scento|mila|milioni|miliardi|per\scento|tys\.|mln|mld|milion[yó]w?|miliard[yó]w?|phần\străm|nghìn|triệu|tỷ"
    r"|тыс\.|млн|млрд|тисяч\p{L}*|тысяч\p{L}*|миллион\p{L}*|мільйон\p{L}*|миллиард\p{L}*|мільярд\p{L}*"
    r"|процент\p{L}*|відсот\p{L}*|χιλιάδες|εκατ\.|δισ\.|εκατομμύρια|δισεκατομμύρια"
    r"|ألف|آلاف|مليون|ملايين|مليار|مليارات|بالمئة|بالمائة|في\sالمئة|في\sالمائة|هزار|میلیون|میلیارد|درصد"
    r"|אלף|מיליון|מיליארד|אחוז(?:ים)?|हज़ार|हजार|लाख|करोड़|अरब|प्रतिशत|फ़ीसदी|फीसदी"
)

_FORCED, _WORTH = 0.72, 1.25  # below which part of the largest size hyphens are tried, and what they must gain
_HAIR = 1e-6  # ems: sums of widths differ in their last digits with the order they are added in
_PART = 4  # letters that stay before and after a hyphen

_RTL = ("R", "AL")
_RTL_LANGUAGES = frozenset(("ar", "fa", "he", "iw", "ur", "ps", "ckb", "yi", "sd", "ug", "dv"))
_LETTERS = regex.compile(r"\p{L}{9,}")
_COUNTED = regex.compile(
    rf"(?<=\p{{Nd}}) (?!(?:{MAGNITUDES})(?![\p{{L}}\p{{M}}]))|(?<!\p{{Nd}}) "
)  # a number keeps its million
_CLUSTER = regex.compile(r"\X")
_BLANKS = regex.compile(r"[^\S\u00a0\u202f]+")  # blanks that forbid a break stay as they are
# No more marks on one letter than languages put there, so that no line grows into the one above it.
_MARKS = regex.compile(r"(\p{Mn}{4}|[\u0e01-\u0e2e]\p{Mn}{2})\p{Mn}+")
# Marks with no letter to stand on are drawn wider than they are measured.
_BARE_MARKS = regex.compile(r"(?<!\S)\p{M}+")
CLUSTER_MOST = 64  # code points of one letter with its marks, or of one emoji
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー々〆ヶ]")
_IDEOGRAPH = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}ー々〆ヶ]")
_CLAUSE = regex.compile(r"(?:[.!?…:;,،؛؟](?=\s)|\s[–—-](?=\s)|—|[。、，！？；：।])")
_PARTS = regex.compile(r"(?<=\p{L}{3}[-‐–—/])(?=\p{L}{3})|(?<=—)(?=\p{L})")
_JOINED = regex.compile(r"[\p{Nd}A-Za-z.,]$|[一二三四五六七八九十百千两兩]$")  # a number stays with what it counts
_NO_START = frozenset(
    "、。，．・：；？！」』）】〉》〕］｝’”…%％°℃!?,.:;)]}»›"
    "ー々ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ"
    "的了着过們们吗呢吧"
)
_BRACKETS = dict(zip("([{（［｛「『【〈《〔", ")]}）］｝」』】〉》〕", strict=True))
_NO_END = frozenset("「『（【〈《〔［｛‘“([{«‹$€£¥#")
_WEAK = frozenset(
    word
    for words in (
        "a an and as at but by for from if in into is its of on or the to vs with",  # English
        "am an auf aus bei das dem den der die ein eine im in ist mit und vom von zu zum zur",  # German
        "à au aux ce de des du en et la le les ou par pour sa se son sur un une",  # French
        "con da de del di e el en i il la las lo los o para por que su un una y",  # Spanish, Italian, Portuguese
        "в во для до за и из к на не но о об от по с со у что",  # Russian
        "в для до з за зі і й на не о про та у що як",  # Ukrainian
        "a dla do i ku lub na nad o od po pod przed przez u w we z za ze że",  # Polish
        "από για η και με να ο οι σε στη στην στο τα της το του των",  # Greek
        "أو إلى عن على في قبل مع من و از با به در را که و",  # Arabic, Persian
        "אל את גם הוא כי לא עד על עם של",  # Hebrew
    )
    for word in words.split()
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

    family: str
    region: str
    rtl: bool
    language: str = ""


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


def style(text: str, language: str, family: str, *, rtl: bool) -> Style:
    """How ``text`` is set in a family; a script that it lacks stands there bold, and so do the digits in it."""
    if (kind := fonts.kind_of(family)) != "sans":
        letters = [c for c in text if c.isalpha()]
        if sum(not fonts.covers(fonts.primary(family)[0], c) for c in letters) * 2 > len(letters):
            family = family.replace(kind, "sans", 1)
    return Style(family, fonts.region(language, text), rtl, language)


@functools.lru_cache(maxsize=256)
def clean(text: str, family: str, language: str) -> tuple[str, tuple[str, ...]]:
    """The text as it can be drawn, and the characters that had to be left out or written plainly."""
    text = _MARKS.sub(r"\1", unicodedata.normalize("NFC", text))
    text = _BLANKS.sub(" ", "".join(c for c in text if c.isspace() or _visible(c))).strip()
    text = _BARE_MARKS.sub("", text)
    where = fonts.region(language, text)
    kept: list[str] = []
    missing: list[str] = []
    for cluster in _CLUSTER.findall(text):
        bare = cluster.strip("\u200c\u200d\ufe0e\ufe0f\u20e3")
        if not bare or bare.isspace():  # a joiner with nothing to join is a cluster, or part of the blank before it
            kept.append(bare if bare in "\u00a0\u202f" else " ")
            continue
        if fonts.face(cluster, family, where):
            kept.append(cluster)
            continue
        held = ""
        missing += cluster[CLUSTER_MOST:]
        cluster = cluster[:CLUSTER_MOST]  # noqa: PLW2901 - the rest is nothing that anybody writes
        for character in cluster if len(cluster) > 1 and not fonts.is_emoji(cluster) else (cluster,):
            form = character if fonts.face(character, family, where) else fonts.substitute(character, family, where)
            whole = held + form if _drawn(held + form, family, where) else held  # a mark may lack in its letter's font
            if form != character or whole == held:
                missing.append(character)
            held = whole
        kept.append(held)
    made, gone = regex.sub(" +", " ", "".join(kept)).strip(), tuple(dict.fromkeys(missing))
    if gone and not _drawn(made, family, where):  # what stood between a letter and a mark is gone
        made, more = clean(made, family, language)
        gone += more
    return made, gone


def _drawn(text: str, family: str, where: str) -> bool:
    """Whether each cluster has a font that draws the whole of it."""
    return all(fonts.face(c, family, where) or c.isspace() for c in _CLUSTER.findall(text))


def _visible(character: str) -> bool:
    if character in "\u200c\u200d\ufe0e\ufe0f\u20e3" or 0xE0020 <= ord(character) <= 0xE007F:  # tags spell some flags
        return True
    return unicodedata.category(character)[0] != "C"


def shorten(text: str, limit: int) -> str:
    """At most ``limit`` characters, ending in ``…``: cut after a clause that ends late enough, else after a word."""
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
def _faces(text: str, family: str, where: str) -> tuple[tuple[str, str], ...]:
    """Each cluster with its font; blanks and punctuation stay with the letters they belong to."""
    clusters = _CLUSTER.findall(text)
    found = [fonts.face(c, family, where) or fonts.primary(family)[0] for c in clusters]  # ``clean`` leaves none bare
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
    _enclose(clusters, sides, base)
    levels = []
    for i, kind in enumerate(kinds):
        side = sides[i]
        if side is None:
            before = next((s for s in reversed(sides[:i]) if s is not None), base)
            after = next((s for s in sides[i + 1 :] if s is not None), base)
            side = before if before == after else base
        levels.append(2 if kind in ("EN", "AN") or side < base else side)
    return levels


def _enclose(clusters: Sequence[str], sides: list[int | None], base: int) -> None:
    """Give brackets a side (N0): the text's own if that stands in them, else that of what stands before."""
    for opens, closes in _pairs(clusters):
        inside = {s for s in sides[opens + 1 : closes] if s is not None}
        if inside:
            before = next((s for s in reversed(sides[:opens]) if s is not None), base)
            sides[opens] = sides[closes] = base if base in inside else before


def _pairs(clusters: Sequence[str]) -> list[tuple[int, int]]:
    """Where brackets open and close, as BD16 pairs them; in the order in which they open."""
    held: list[tuple[str, int]] = []
    found = []
    for i, cluster in enumerate(clusters):
        if cluster in _BRACKETS:
            held.append((_BRACKETS[cluster], i))
        elif (at := next((n for n in reversed(range(len(held))) if held[n][0] == cluster), None)) is not None:
            found.append((held[at][1], i))
            del held[at:]
    return sorted(found)


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


@functools.cache
def _thai() -> frozenset[str]:
    """Words that the phrase model of Thai would tear."""
    return frozenset(_THAI.read_text(encoding="utf-8").split("\n"))


def _whole(parts: Sequence[str], words: frozenset[str]) -> list[str]:
    """``parts`` joined where a break between them would lie within one of ``words``, the longest first."""
    text, longest = "".join(parts), max(map(len, words))
    breaks = list(itertools.accumulate(map(len, parts)))
    at, torn = 0, set[int]()
    while at < len(text):
        size = next((n for n in range(min(longest, len(text) - at), 2, -1) if text[at : at + n] in words), 1)
        torn.update(range(at + 1, at + size))
        at += size
    kept = [0, *(b for b in breaks if b not in torn)]
    return [text[a:b] for a, b in itertools.pairwise(kept)]


def _pieces(word: str, where: str) -> Iterator[str]:
    """Where a word without blanks may break: phrases in Chinese, Japanese and Thai, after a hyphen elsewhere."""
    if not _UNSPACED.search(word):
        yield from (part for part in _PARTS.split(word) if part)
        return
    if _IDEOGRAPH.search(word):
        parts = _phrases(where if where in ("JP", "SC", "TC") else "SC").parse(word)
    elif regex.search(r"\p{Thai}", word):
        parts = _whole(_phrases("TH").parse(word), _thai())
    else:
        parts = _CLUSTER.findall(word)
    held = ""
    for part in parts:
        if held and (
            part[0] in _NO_START
            or held[-1] in _NO_END
            or unicodedata.combining(part[0])
            or (_JOINED.search(held) and not part[0].isspace())
        ):
            held += part
        else:
            if held:
                yield held
            held = part
    yield held


def _units(text: str, how: Style) -> list[Unit]:
    found = []
    for word in _COUNTED.split(text):
        pieces = list(_pieces(word, how.region))
        for i, piece in enumerate(pieces):
            found.append(Unit(piece, width(piece, REFERENCE, how) / REFERENCE, space=i == len(pieces) - 1))
    return found


@functools.lru_cache(maxsize=8)
def _patterns(language: str) -> pyphen.Pyphen | None:
    """Where words of a language may be divided, or None where nobody wrote that down."""
    name = pyphen.language_fallback(language.replace("-", "_")) if language else None
    return pyphen.Pyphen(lang=name, left=_PART, right=_PART) if name else None


@functools.lru_cache(maxsize=256)
def _hyphenated(unit: Unit, room: float, how: Style) -> tuple[Unit, ...]:
    """A word wider than ``room`` ems in parts that fit, divided as its language does; whole if that cannot be."""
    letters = _LETTERS.search(unit.text)
    if unit.width <= room or letters is None or unit.text.isupper():
        return (unit,)
    patterns = _patterns(how.language)
    if patterns is None:
        return (unit,)
    cuts = [letters.start() + cut for cut in patterns.positions(letters.group())]
    parts, begun = [], 0

    def wide(text: str) -> float:
        return width(text, REFERENCE, how) / REFERENCE

    while wide(unit.text[begun:]) > room:
        fitting = [c for c in cuts if c > begun and wide(f"{unit.text[begun:c]}-") <= room]
        if not fitting:
            return (unit,)
        parts.append(f"{unit.text[begun : fitting[-1]]}-")
        begun = fitting[-1]
    parts.append(unit.text[begun:])
    last = len(parts) - 1
    return tuple(Unit(p, wide(p), space=unit.space and i == last) for i, p in enumerate(parts))


def _divide(unit: Unit, room: float, how: Style) -> list[Unit]:
    """A unit wider than ``room`` ems, in parts that fit wherever that is; letters get a hyphen."""
    if unit.width <= room:
        return [unit]
    parts: list[str] = []
    held: list[str] = []
    for cluster in _CLUSTER.findall(unit.text):
        if not held or width("".join([*held, cluster, "-"]), REFERENCE, how) / REFERENCE <= room:
            held.append(cluster)
            continue
        # What must not begin a line takes what stands before it along.
        back = int(cluster[0] in _NO_START and len(held) > 1 and held[-1][0] not in _NO_START)
        done, held = "".join(held[: len(held) - back]), [*held[len(held) - back :], cluster]
        hyphen = "-" if done[-1].isalpha() and held[0][0].isalpha() and not _UNSPACED.search(done) else ""
        parts.append(done + hyphen)
    parts.append("".join(held))
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


def _end_cost(unit: Unit, following: Unit) -> float:
    """What it costs a reader's eye to end a line between two units: less than nothing after a comma."""
    if unit.text[-1:] in ",;:.!?—–…،。、，：":
        return -0.03
    if not unit.space:  # phrase models are least sure of single characters
        return 0.06 if len(unit.text) == 1 or len(following.text) == 1 else 0.0
    weak = unit.text.lower() in _WEAK or unit.text[-1:].isdigit()
    return 0.06 if weak else 0.0


def _balance(units: Sequence[Unit], count: int, room: float, blank: float) -> tuple[float, list[str]]:
    """``count`` lines as even as can be, none wider than ``room`` or ending in a small word if that can be helped.

    The number returned with them says how uneven they are.
    """
    gaps = [blank if u.space else 0.0 for u in units]
    starts = [0.0, *itertools.accumulate(u.width + g for u, g in zip(units, gaps, strict=True))]
    ends = [_end_cost(unit, following) for unit, following in itertools.pairwise(units)]
    n, mean = len(units), starts[-1] / count
    best = [(0.0, 0), *[(1e9, 0)] * n]
    back: list[list[int]] = []
    for line in range(1, count + 1):
        row = [(1e9, 0)] * (n + 1)
        for j in range(line, n) if line < count else (n,):
            for i in range(j - 1, line - 2, -1):
                length = starts[j] - starts[i] - gaps[j - 1]
                if length > room + _HAIR and j - i > 1:
                    break
                value = best[i][0] + ((length - mean) / mean) ** 2 + (ends[j - 1] if line < count else 0.0)
                if line == count > 1 and length < mean * 0.45:
                    value += 0.6  # a last line of one short word
                if value < row[j][0]:
                    row[j] = (value, i)
        back.append([i for _, i in row])
        best = row
    lines: list[str] = []
    j = n
    for starts_at in reversed(back):
        i = starts_at[j]
        lines.insert(0, "".join(u.text + (" " if u.space else "") for u in units[i:j]).strip())
        j = i
    return best[n][0] / count, lines


Broken = Callable[[int], Sequence[Unit]]
"""The units of a text at a size, its long words broken or not."""


@dataclass(frozen=True, slots=True)
class _Room:
    """What lines may take: pixels, how many of them, how far apart in ems; ``blank`` is the width of one in ems."""

    box: tuple[float, float]
    lines: int
    leading: float
    blank: float

    def count(self, size: int, units: Sequence[Unit]) -> int:
        """How many lines it takes at ``size``; 0 if it does not fit."""
        room = self.box[0] / size
        if any(u.width > room for u in units):
            return 0
        needed = _greedy(units, room, self.blank)
        height = ((needed - 1) * self.leading + 1.0) * size
        return needed if needed <= self.lines and height <= self.box[1] else 0

    def largest(self, broken: Broken, sizes: tuple[int, int]) -> int:
        """The largest of ``sizes`` at which it fits; 0 if there is none."""
        low, high = sizes
        if not self.count(low, broken(low)):
            return 0
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.count(middle, broken(middle)) else (low, middle - 1)
        return low

    def most_even(self, broken: Broken, sizes: tuple[int, int]) -> tuple[int, list[str]]:
        """The size, and its lines, that is best between large and even."""
        chosen: tuple[float, int, list[str]] | None = None
        tried = set()
        for size in range(sizes[1], max(sizes[0], round(sizes[1] * 0.76)) - 1, -1):
            units = broken(size)
            needed = self.count(size, units)
            if needed in tried or not needed:
                continue
            tried.add(needed)  # fewer lines at a smaller size, if that makes them more even
            uneven, found = _balance(units, needed, self.box[0] / size, self.blank)
            score = size / sizes[1] - 1.6 * uneven
            if chosen is None or score > chosen[0]:
                chosen = (score, size, found)
        assert chosen is not None
        return chosen[1:]


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

    Words stay whole unless one alone would make all of them small. Returns None if even the smallest does not fit.
    """
    units = _units(text, how)
    used = {name for _, name in _faces(text, how.family, how.region) if name != fonts.EMOJI}
    leading = max([leading, *(fonts.leading(name) for name in used)])
    room = _Room(box, lines, leading, width(" ", REFERENCE, how) / REFERENCE)
    smallest, largest = round(sizes[0]), max(round(sizes[0]), round(sizes[1]))

    def whole(_: int) -> Sequence[Unit]:
        return units

    def hyphenated(size: int) -> Sequence[Unit]:
        return [part for u in units for part in _hyphenated(u, box[0] / size, how)]

    def divided(size: int) -> Sequence[Unit]:
        return [part for u in hyphenated(size) for part in _divide(u, box[0] / size, how)]

    broken: Broken = whole
    found = room.largest(whole, (smallest, largest))
    if found < _FORCED * largest and max((u.width for u in units), default=0.0) * (found + 1) > box[0]:
        other = room.largest(hyphenated, (smallest, largest))
        if other >= max(1, _WORTH * found):
            broken, found = hyphenated, other
    if not found:
        broken, found = divided, room.largest(divided, (smallest, largest))
    if not found:
        return None
    size, set_lines = room.most_even(broken, (smallest, found))
    return Block(tuple(set_lines), size, round(size * leading), how)
