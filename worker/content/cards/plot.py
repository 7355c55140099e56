"""Plots as a picture for mail and chats: bars with the whisker of what is sure, readable on a phone (pure)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from worker.content.cards import fonts, text

WIDTH = 720  # pixels; a phone shows it at half of that
MARGIN, BAR, ROW, HEAD, GAP = 28, 16, 60, 52, 26
TITLE, NAME = 27, 22  # pixels of letters
INK, SOFT, PAPER, BARS, TRACK = (28, 31, 36), (88, 95, 105), (255, 255, 255), (96, 134, 214), (238, 240, 244)
LONGEST = 44


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar: its ``name``, what is ``said`` beside it, its length and where its whisker lies, as shares of the width.

    ``low`` is None where one post says nothing.
    """

    name: str
    said: str
    length: float
    low: float | None
    high: float


def plot(panels: Sequence[tuple[str, Sequence[Bar]]]) -> tuple[bytes, int, int]:
    """A PNG of panels, one below the other, each with its title; and its width and height in pixels."""
    rows = sum(len(bars) for _, bars in panels)
    height = 2 * MARGIN + len(panels) * HEAD + rows * ROW + (len(panels) - 1) * GAP
    sheet = Image.new("RGB", (WIDTH, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    y = MARGIN
    for title, bars in panels:
        _write(draw, title, (MARGIN, y + 30), TITLE, INK, family="sans")
        y += HEAD
        for bar in bars:
            _bar(draw, bar, y)
            y += ROW
        y += GAP
    out = io.BytesIO()
    sheet.quantize(64).save(out, "PNG", optimize=True)
    return out.getvalue(), WIDTH, height


def _bar(draw: ImageDraw.ImageDraw, bar: Bar, y: int) -> None:
    room = WIDTH - 2 * MARGIN
    said = _wide(bar.said)
    _write(draw, _cut(bar.name, room - said - 20), (MARGIN, y + 20), NAME, INK)
    _write(draw, bar.said, (WIDTH - MARGIN - said, y + 20), NAME, SOFT)
    top = y + 30
    draw.rounded_rectangle((MARGIN, top, MARGIN + room, top + BAR), 5, fill=TRACK)
    if (length := round(bar.length * room)) >= 2:
        draw.rounded_rectangle((MARGIN, top, MARGIN + length, top + BAR), min(5, length // 2), fill=BARS)
    if bar.low is not None:
        first, last, middle = MARGIN + round(bar.low * room), MARGIN + round(bar.high * room), top + BAR // 2
        draw.line((first, middle, last, middle), fill=INK, width=2)
        for x in (first, last):
            draw.line((x, top + 2, x, top + BAR - 2), fill=INK, width=2)


def _style(words: str, family: str) -> text.Style:
    return text.style(words, "", family, rtl=text.is_rtl(words, ""))


def _wide(words: str) -> float:
    return text.width(words, NAME, _style(words, "text"))


def _cut(words: str, room: float) -> str:
    """``words``, or as much of them as fits."""
    words = text.clean(" ".join(words.split()), "text", "")[0][:LONGEST]
    while len(words) > 1 and _wide(words) > room:
        words = words[:-2].rstrip() + text.ELLIPSIS
    return words


def _write(
    draw: ImageDraw.ImageDraw, words: str, at: tuple[float, float], size: int, ink: tuple[int, int, int], *,
    family: str = "text",
) -> None:  # fmt: skip
    x, y = at
    for run in text.runs(words, _style(words, family)):
        if run.font != fonts.EMOJI:
            way = "rtl" if run.rtl else "ltr"
            draw.text((x, y), run.text, font=fonts.opened(run.font, size), fill=ink, anchor="ls", direction=way)
        x += text.run_width(run, size)
