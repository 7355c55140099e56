"""A site's own look on its cards: two colours, a logo and its corner, fonts; checked before any card is drawn."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from PIL import Image

from worker.content.cards import design, fonts, photo
from worker.content.cards.design import Scheme
from worker.content.cards.paint import CONTRAST, Colour, contrast, luminance
from worker.errors import HandbillError

Corner = Literal["top-left", "top-right", "bottom-left", "bottom-right"]
CORNERS: tuple[Corner, ...] = get_args(Corner)
MOST_FONT_BYTES = 10_000_000

_AREA, _HEIGHT = 70.0, 6.5  # of a logo on a card: units squared at most, and units


@dataclass(frozen=True, slots=True)
class Kit:
    """What a brand brings to a card; ``corner`` is mirrored where words are read from the right."""

    scheme: Scheme | None = None
    logo: bytes = b""
    corner: Corner = "bottom-left"
    font: Path | None = None
    text_font: Path | None = None
    design: str = ""

    def families(self) -> dict[str, str]:
        """The families that designs name, with the brand's own font first. Raises BadFont."""
        found: dict[str, str] = {}
        if self.font:
            found |= {name: fonts.led(name, self.font) for name in ("sans", "serif")}
        if self.text_font:
            found["text"] = fonts.led("text", self.text_font)
        return found

    def logo_size(self, unit: float) -> tuple[int, int]:
        """How large the logo stands on a card, in pixels; long ones are lower. Raises BadPicture."""
        if not self.logo:
            return 0, 0
        width, height = logo(self.logo).size
        high = min(_HEIGHT, (_AREA * height / width) ** 0.5) * unit
        return max(1, round(high * width / height)), max(1, round(high))


@functools.lru_cache(maxsize=8)
def logo(data: bytes) -> Image.Image:
    """A logo as RGBA. Raises BadPicture."""
    return photo.logo(data)


def scheme(colour: str, accent: str) -> Scheme:
    """Colours that every design can use: white reads on ``colour``, and so does ``accent``; raises HandbillError.

    One that cannot be read is refused with the nearest that can.
    """
    deep, bright = _colour(colour), _colour(accent)
    if contrast(luminance(deep), 1.0) < CONTRAST:
        nearest = _towards(deep, (0, 0, 0), lambda c: contrast(luminance(c), 1.0))
        raise HandbillError(
            f"White words cannot be read on {colour}", why="it is too bright", do=f"The nearest is {nearest}"
        )
    if contrast(luminance(bright), luminance(deep)) < CONTRAST:
        nearest = _towards(bright, (255, 255, 255), lambda c: contrast(luminance(c), luminance(deep)))
        raise HandbillError(
            f"{accent} cannot be read on {colour}", why="they are too much alike", do=f"The nearest is {nearest}"
        )
    return Scheme(deep=_hex(deep), accent=_hex(bright))


def check_font(data: bytes) -> photo.FontFacts:
    """Open a font that somebody gave. Raises BadFont."""
    if len(data) > MOST_FONT_BYTES:
        why = f"it has {len(data):,} bytes; {MOST_FONT_BYTES:,} is the most"
        raise photo.BadFont("The font cannot be used", why=why, do="Give a smaller one")
    return photo.try_font(data)


def check_design(name: str) -> str:
    """The name of a design there is; raises NotFound."""
    design.load(name)
    return name


def _colour(text: str) -> Colour:
    digits = text.removeprefix("#")
    if not re.fullmatch(r"[0-9A-Fa-f]{3}|[0-9A-Fa-f]{6}", digits):
        raise HandbillError(f"{text} is no colour", do="Write it as #rrggbb")
    value = int("".join(d + d for d in digits) if len(digits) == 3 else digits, 16)
    return value >> 16, value >> 8 & 255, value & 255


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _towards(colour: Colour, end: Colour, reads: Callable[[Colour], float]) -> str:
    """The first colour on the way from one to another that can be read."""
    for percent in range(101):
        red, green, blue = (round(a + (b - a) * percent / 100) for a, b in zip(colour, end, strict=True))
        if reads((red, green, blue)) >= CONTRAST:
            return _hex((red, green, blue))
    return _hex(end)
