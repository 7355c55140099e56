"""Which vendored font draws which character, and the emoji pictures beside them (templates/fonts)."""

from __future__ import annotations

import bisect
import functools
import io
import json
import unicodedata
import zipfile
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast

import regex
from PIL import Image, ImageFont, features

from worker.content.cards import photo
from worker.errors import HandbillError
from worker.paths import TEMPLATES

Family = Literal["sans", "serif", "text"]

FONTS = TEMPLATES / "fonts"
EMOJI = "emoji"
PRIMARY: dict[Family, tuple[str, ...]] = {
    "sans": ("InterDisplay-Bold.ttf",),
    "serif": ("Literata-Bold.ttf", "InterDisplay-Bold.ttf"),
    "text": ("Inter-Medium.ttf",),
}
REGIONS = {"ja": "JP", "ko": "KR", "zh": "SC", "zh-hant": "TC", "zh-tw": "TC", "zh-hk": "TC", "zh-mo": "TC"}
# Line height in ems that a script needs so that the marks of one line never touch the next; 0 where the design decides.
LEADING = {"Arabic": 1.42, "Thai": 1.5, "Devanagari": 1.36, "JP": 1.26, "KR": 1.26, "SC": 1.26, "TC": 1.26}
TALLEST = 1.5
EMOJI_HEIGHT, EMOJI_DROP = 1.04, 0.17  # ems; how tall an emoji stands and how far it hangs below the baseline

_LED = "|"  # between a family and the path of a brand's own font that leads it
_IGNORED = "\u200c\u200d\ufe0e\ufe0f"
_EMOJI_BY_DEFAULT = regex.compile(r"\p{Emoji_Presentation}")
_TONES = regex.compile("[\U0001f3fb-\U0001f3ff]")


def missing() -> str:
    """What this installation lacks for drawing cards, or nothing."""
    if not features.check("raqm"):
        return "this Pillow has no raqm, which shapes text"
    if not (FONTS / "coverage.json").is_file():
        return f"the fonts are not in {FONTS}"
    return ""


@functools.cache
def _coverage() -> dict[str, tuple[Sequence[int], Sequence[int]]]:
    if why := missing():
        raise HandbillError("Cards cannot be drawn", why=why, do="Install Handbill and Pillow from their own wheels")
    found: dict[str, tuple[Sequence[int], Sequence[int]]] = {}
    for name, ranges in json.loads((FONTS / "coverage.json").read_text()).items():
        pairs = [part.partition("-") for part in ranges.split()]
        starts = array("I", [int(start, 16) for start, _, _ in pairs])  # a tenth of what lists would take
        ends = array("I", [int(end or start, 16) for start, _, end in pairs])
        found[name] = (starts, ends)
    return found


@functools.lru_cache(maxsize=16)
def _own(name: str) -> tuple[Sequence[int], Sequence[int]]:
    """The coverage of a brand's own font, by its path. Raises BadFont."""
    ranges = photo.try_font(Path(name).read_bytes()).ranges
    return [start for start, _ in ranges], [end for _, end in ranges]


def led(family: Family, font: Path) -> str:
    """The name of ``family`` with a brand's own font before its others."""
    return f"{family}{_LED}{font.resolve()}"


def kind_of(family: str) -> str:
    """The family that a brand's font leads, or that it is itself."""
    return family.partition(_LED)[0]


def primary(family: str) -> tuple[str, ...]:
    """The fonts a family starts with."""
    kind, _, own = family.partition(_LED)
    return ((own,) if own else ()) + PRIMARY[cast("Family", kind)]


def covers(name: str, text: str) -> bool:
    """Whether font file ``name`` has a glyph for every character of ``text``."""
    starts, ends = _own(name) if name.startswith("/") else _coverage()[name]
    for character in text:
        if character in _IGNORED:
            continue
        code = ord(character)
        at = bisect.bisect_right(starts, code) - 1
        if at < 0 or ends[at] < code:
            return False
    return True


@functools.cache
def chain(family: str, region: str) -> tuple[str, ...]:
    """The font files tried in turn: the design's own, the other scripts', Chinese characters as ``region`` has them."""
    regions = sorted(("SC", "JP", "TC", "KR"), key=lambda r: r != region)
    names = sorted(_coverage(), key=lambda n: (n.endswith(".woff2"), n))
    asian = [n for r in regions for n in names if f"Sans{r}-" in n]
    others = [n for n in names if "Noto" in n and n not in asian]
    return (*primary(family), *(n for n in others if "Symbols" not in n), *asian, "NotoSansSymbols-Bold.woff2")


def region(language: str, text: str) -> str:
    """Whose shapes Chinese characters take: the language's, else Japan's beside kana and Korea's beside Hangul."""
    tag = language.lower().replace("_", "-")
    found = next((REGIONS[t] for t in ("-".join(tag.split("-")[:2]), tag.split("-")[0]) if t in REGIONS), "")
    if found:
        return found
    if regex.search(r"[\p{Hiragana}\p{Katakana}]", text):
        return "JP"
    return "KR" if regex.search(r"\p{Hangul}", text) else "SC"


@functools.lru_cache(maxsize=4096)
def face(cluster: str, family: str, where: str) -> str:
    """The font file that draws one grapheme cluster, ``EMOJI``, or ``""`` where nothing can."""
    if is_emoji(cluster):
        return EMOJI
    for name in chain(family, where):
        if covers(name, cluster):
            return name
    return EMOJI if emoji_names(cluster) else ""


def is_emoji(cluster: str) -> bool:
    """Whether readers expect a colour picture: by its own nature or by a variation selector."""
    if cluster.isascii():
        return False
    return bool("\ufe0f" in cluster or _EMOJI_BY_DEFAULT.search(cluster)) and bool(emoji_names(cluster))


@functools.cache
def _emoji_index() -> dict[str, zipfile.ZipFile]:
    archives = [zipfile.ZipFile(path) for path in sorted(FONTS.glob("NotoColorEmoji-*.zip"))]
    return {name: archive for archive in archives for name in archive.namelist()}


@functools.lru_cache(maxsize=512)
def emoji_names(cluster: str) -> tuple[str, ...]:
    """The pictures that show ``cluster``: itself, without its skin tones, or its joined parts side by side."""
    index = _emoji_index()
    for text in (cluster, _TONES.sub("", cluster)):
        name = "-".join(f"{ord(c):x}" for c in text if c != "\ufe0f")
        if name in index:
            return (name,)
    if "\u200d" in cluster:
        parts = [emoji_names(part) for part in cluster.split("\u200d") if part]
        people = [names for names in parts if names and not {"2640", "2642"} & set(names)]
        return tuple(name for names in people for name in names)
    return ()


@functools.lru_cache(maxsize=128)
def emoji_picture(name: str, height: int) -> Image.Image:
    """One emoji as RGBA, ``height`` pixels tall."""
    with Image.open(io.BytesIO(_emoji_index()[name].read(name)), formats=("WEBP",)) as picture:
        drawn = picture.convert("RGBA")
    return drawn.resize((round(drawn.width * height / drawn.height), height), Image.Resampling.BICUBIC)


@functools.lru_cache(maxsize=96)
def opened(name: str, size: int) -> ImageFont.FreeTypeFont:
    """Font file ``name`` at ``size`` pixels."""
    return ImageFont.truetype(str(FONTS / name), size, layout_engine=ImageFont.Layout.RAQM)


def leading(name: str) -> float:
    """The line height in ems that font file ``name`` needs at least."""
    if name.startswith("/"):
        _, top, _, bottom = opened(name, 100).getbbox("ÄÉgjpy", anchor="ls")
        return (bottom - top) / 100
    if not name.startswith("NotoSans"):
        return 0.0
    return LEADING.get(name.removeprefix("NotoSans").partition("-")[0], TALLEST)


def substitute(cluster: str, family: str, where: str) -> str:
    """What stands for a cluster that no font draws: its plain form (``ﬃ`` → ``ffi``), or nothing."""
    plain = unicodedata.normalize("NFKD", cluster)
    bare = "".join(c for c in plain if not unicodedata.combining(c))
    for text in (unicodedata.normalize("NFKC", cluster), plain, bare):
        if text != cluster and text and all(face(c, family, where) for c in text):
            return text
    return "".join(chr(ord(c) - 0x1F1E6 + 65) for c in cluster if 0x1F1E6 <= ord(c) <= 0x1F1FF)  # a flag's letters
