"""Layers onto pixels: colours, the photo, a veil as dark as the words need, marks, lines of text."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator, Sequence

from PIL import Image, ImageDraw, ImageStat

from worker.content.cards import design as designs
from worker.content.cards import fonts, text
from worker.content.cards.design import Design, Fill, Logo, Picture, Rule, Scheme, Shade
from worker.content.cards.layout import LETTERS, Placed, Rect, Sheet, line_extent, mark_side
from worker.content.cards.photo import Cropped, Photo, cropping

Colour = tuple[int, int, int]
Stamp = tuple[Colour | Image.Image, Rect | tuple[int, int], Image.Image | None]
"""What is pasted, where, and how much of it at every pixel: the arguments of ``Image.paste``."""

CONTRAST = 4.5  # WCAG 2.2, 1.4.3: https://www.w3.org/TR/WCAG22/#contrast-minimum
_LIVELY, _SEEN = 28.0, 3.0  # from which spread of greys a logo wants a plate, and below which contrast
_MARGIN = 1.1  # the veil aims this much higher, for the noise that JPEG adds
_VEIL = (0.45, 0.92)  # least and most of a veil behind words
_LOGO_COVERS = 0.003  # the part of the photo's subject that the logo may cover before it looks for another corner
_BAND = 80  # rows darkened at once: larger parts would be given back to the system after every card and asked for again
_PAD = 1.3  # units of a plate around the logo
_HAIR = 2  # pixels of room around a line's letters, whose edges are rounded
_RISE = (0.3, 0.02)  # parts of the height above the words at which the veil begins and is complete


class Unshown(Exception):
    """The photo does not suit the design, which is seen only once it is open; the message is the reason."""


def paint(
    chosen: Design,
    sheet: Sheet,
    placed: Sequence[Placed],
    photo: Photo | None,
    scheme: Scheme,
    *,
    logo: Image.Image | None = None,
    focus: tuple[float, float] | None = None,
) -> Image.Image:
    """The finished picture. Raises BadPicture, and Unshown for a photo that the design cannot show."""
    words = [p.rect for p in placed if not isinstance(p.item, Logo)]
    top = min((rect[1] for rect in words), default=sheet.size[1])
    shaded = any(isinstance(layer, Shade) for layer in chosen.layers)
    seen = (0.0, top / sheet.size[1]) if shaded else (0.0, 1.0)
    canvas: Image.Image | None = None
    stamps: list[Stamp] | None = None
    for layer in chosen.layers:
        if isinstance(layer, Picture) and photo is not None:
            box = layer.box.at(sheet.size, mirrored=sheet.rtl)
            size, spots = (box[2] - box[0], box[3] - box[1]), _corner_spots(placed, sheet, box)
            how = {"clear": layer.clear, "keeps": layer.keeps}
            with cropping(photo, size, seen, focus, **how, spots=spots) as cropped:
                stamps = stamps or _stamps(placed, sheet, scheme)  # while the other process decodes
                found = cropped()
            _check(found, layer)
            part = found.picture
            if spots and found.spots[0] > max(_LOGO_COVERS, 2 * found.spots[1]):
                placed = [_aside(p, sheet) if isinstance(p.item, Logo) else p for p in placed]
            if part.size == sheet.size:
                canvas = part
                continue
            canvas = canvas or _ground(chosen, sheet, scheme)
            canvas.paste(part, box[:2])
        canvas = canvas or _ground(chosen, sheet, scheme)
        if isinstance(layer, Fill):
            _fill(canvas, layer, sheet, scheme)
        elif isinstance(layer, Shade) and photo is not None:
            _shade(canvas, colour(layer.colour, scheme), words)
    canvas = canvas or _ground(chosen, sheet, scheme)
    for item in placed:
        if isinstance(item.item, Logo) and logo is not None:
            _logo(canvas, logo, item.rect, sheet, scheme)
    for what, where, mask in stamps or _stamps(placed, sheet, scheme):
        canvas.paste(what, where, mask)
    return canvas


def _check(found: Cropped, layer: Picture) -> None:
    if found.blank:
        raise Unshown("there is nothing in the photo")
    if found.clear < layer.clear:
        raise Unshown(f"the words would cover {1 - found.clear:.0%} of what matters in the photo")


def _aside(logo: Placed, sheet: Sheet) -> Placed:
    """The logo in the corner across."""
    left, top, right, bottom = logo.rect
    return dataclasses.replace(logo, rect=(sheet.size[0] - right, top, sheet.size[0] - left, bottom))


def _corner_spots(placed: Sequence[Placed], sheet: Sheet, box: Rect) -> tuple[tuple[float, float, float, float], ...]:
    """The logo's plate in its top corner and in the one across, as parts of the photo; none unless both lie on it."""
    if not sheet.corner.startswith("top"):
        return ()
    logos = [p for p in placed if isinstance(p.item, Logo)]
    spots = []
    for rect in (p.rect for logo in logos for p in (logo, _aside(logo, sheet))):
        around = _plate(rect, sheet)
        if not (box[0] <= rect[0] and rect[2] <= box[2] and box[1] <= rect[1] and rect[3] <= box[3]):
            return ()
        parts = ((v - box[i % 2]) / (box[2 + i % 2] - box[i % 2]) for i, v in enumerate(around))
        left, top, right, bottom = parts
        spots.append((left, top, right, bottom))
    return tuple(spots)


def _plate(rect: Rect, sheet: Sheet) -> Rect:
    pad = round(_PAD * sheet.unit)
    return rect[0] - pad, rect[1] - pad, rect[2] + pad, rect[3] + pad


def colour(name: str, scheme: Scheme) -> Colour:
    """A colour by its name in the palette, in the site's scheme, or as ``#rrggbb``."""
    own = {"deep": scheme.deep, "accent": scheme.accent}
    value = own.get(name) or designs.colours().named.get(name, name)
    return int(value[1:3], 16), int(value[3:5], 16), int(value[5:7], 16)


def _ground(chosen: Design, sheet: Sheet, scheme: Scheme) -> Image.Image:
    return Image.new("RGB", sheet.size, colour(chosen.background, scheme))


def _fill(canvas: Image.Image, layer: Fill, sheet: Sheet, scheme: Scheme) -> None:
    box = layer.box.at(sheet.size, mirrored=sheet.rtl)
    canvas.paste(colour(layer.colour, scheme), box)
    if layer.to:
        ramp = Image.linear_gradient("L").resize((box[2] - box[0], box[3] - box[1]))
        canvas.paste(colour(layer.to, scheme), box, ramp)


def _shade(canvas: Image.Image, dark: Colour, rects: Sequence[Rect]) -> None:
    """Darken the photo from above the words downwards: as much as the brightest pixel behind them asks for."""
    if not rects:
        return
    width, height = canvas.size
    words = (min(r[0] for r in rects), min(r[1] for r in rects), max(r[2] for r in rects), max(r[3] for r in rects))
    start = max(0, round(words[1] - _RISE[0] * height))
    full = max(start + 1, round(words[1] - _RISE[1] * height))
    veil = _veil(_brightest(canvas.reduce(2, box=words)), dark)
    canvas.paste(dark, (0, start, width, full), _rise(width, full - start, veil))
    for y in range(full, height, _BAND):
        part = canvas.crop((0, y, width, min(height, y + _BAND)))
        canvas.paste(part.point(_darker(dark, veil)), (0, y))  # faster than a mask


@functools.lru_cache(maxsize=32)
def _rise(width: int, rows: int, veil: float) -> Image.Image:
    """A mask that rises from nothing to ``veil`` with a soft start and end."""
    ramp = ((y + 1) / rows for y in range(rows))
    column = bytes(round(255 * veil * x * x * (3 - 2 * x)) for x in ramp)
    return Image.frombytes("L", (1, rows), column).resize((width, rows), Image.Resampling.NEAREST)


@functools.lru_cache(maxsize=64)
def _darker(dark: Colour, veil: float) -> list[int]:
    """What every value of every band becomes under ``veil`` of ``dark``."""
    return [round(value + (band - value) * veil) for band in dark for value in range(256)]


def _stamps(placed: Sequence[Placed], sheet: Sheet, scheme: Scheme) -> list[Stamp]:
    """Everything but photo, grounds and logo, in the order it is pasted."""
    return [stamp for item in placed for stamp in _item(item, sheet, scheme)]


def _item(placed: Placed, sheet: Sheet, scheme: Scheme) -> Iterator[Stamp]:
    item, block = placed.item, placed.block
    left, top, right, bottom = placed.rect
    if isinstance(item, Rule):
        length = round(item.width * sheet.unit)
        start = right - length if sheet.rtl else left
        yield colour(item.colour, scheme), (start, top, start + length, bottom), None
        return
    if block is None or isinstance(item, Logo):
        return
    if item.fill:
        yield _rounded(placed.rect, round(0.28 * block.size), colour(item.fill, scheme))
    if placed.mark:
        side = mark_side(block.size)
        start = right - side if sheet.rtl else left
        letters = placed.baseline - LETTERS * block.size
        high = (top + bottom - side) // 2 if len(block.lines) == 1 else round(letters - side / 2)
        yield from _mark(placed.mark, (start, high, start + side, high + side), block, scheme)
    baseline = placed.baseline
    for line in block.lines:
        x = placed.span[1] - text.width(line, block.size, block.style) if sheet.rtl else placed.span[0]
        yield from _line(line, block, (x, baseline), colour(item.colour, scheme))
        baseline += block.leading


def _mark(sign: str, rect: Rect, beside: text.Block, scheme: Scheme) -> Iterator[Stamp]:
    """One sign on a rounded square of the accent: an initial for sites that gave no logo, a number for a point."""
    side = rect[2] - rect[0]
    yield _rounded(rect, round(side * 0.24), colour("accent", scheme))
    how = text.Style("sans", beside.style.region, rtl=False)
    size = min(round(side * 0.62), round(side * 0.72 * text.REFERENCE / text.width(sign, text.REFERENCE, how)))
    block = text.Block((sign,), size, 0, how)
    run = text.runs(sign, how)[0]
    middle = rect[0] + (side - text.width(sign, block.size, how)) / 2
    if run.font == fonts.EMOJI:
        high = rect[1] + side / 2 + (fonts.EMOJI_HEIGHT / 2 - fonts.EMOJI_DROP) * block.size
    else:
        _, up, _, down = fonts.opened(run.font, block.size).getbbox(sign, anchor="ls")
        high = rect[1] + (side - up - down) / 2
    yield from _line(sign, block, (middle, round(high)), colour("deep", scheme))


def _line(line: str, block: text.Block, start: tuple[float, int], ink: Colour) -> Iterator[Stamp]:
    """One line from ``start``, the left end of its baseline: its letters as one mask, its emoji as pictures."""
    x, baseline = start
    pieces = text.runs(line, block.style)
    above, below = line_extent(line, block.size, block.style)
    left, top = math.floor(x) - block.size, baseline - above - _HAIR  # letters may lean out of their own width
    wide = sum(text.run_width(run, block.size) for run in pieces)
    mask = Image.new("L", (math.ceil(wide) + 2 * block.size, above + below + 2 * _HAIR))
    pen = ImageDraw.Draw(mask)
    for run in pieces:
        if run.font == fonts.EMOJI:
            height = round(fonts.EMOJI_HEIGHT * block.size)
            at = x + 0.03 * block.size
            for name in fonts.emoji_names(run.text):
                picture = fonts.emoji_picture(name, height)
                high = baseline + round(fonts.EMOJI_DROP * block.size) - height
                yield picture, (round(at), high), picture
                at += picture.width + 0.06 * block.size
        else:
            font = fonts.opened(run.font, block.size)
            way = "rtl" if run.rtl else "ltr"
            pen.text((x - left, baseline - top), run.text, 255, font, anchor="ls", direction=way)
        x += text.run_width(run, block.size)
    if any(run.font != fonts.EMOJI for run in pieces):
        yield ink, (left, top, left + mask.width, top + mask.height), mask


def _logo(canvas: Image.Image, logo: Image.Image, rect: Rect, sheet: Sheet, scheme: Scheme) -> None:
    """The logo, on a plate where it would be lost: over a lively photo, or on a ground too much like it."""
    small = logo.resize((rect[2] - rect[0], rect[3] - rect[1]), Image.Resampling.LANCZOS, reducing_gap=3)
    own = _light(small.convert("RGB"), small.getchannel("A"))
    behind = canvas.crop(rect)
    lively = max(ImageStat.Stat(behind.convert("L")).stddev) > _LIVELY
    if lively or contrast(own, _light(behind)) < _SEEN:
        plates = [colour("white", scheme), colour("deep", scheme)]
        plate = max(plates, key=lambda c: contrast(own, luminance(c)))
        canvas.paste(*_rounded(_plate(rect, sheet), round(_PAD * sheet.unit), plate))
    canvas.paste(small, rect[:2], small)


def _light(picture: Image.Image, mask: Image.Image | None = None) -> float:
    """The luminance of a picture's mean colour, of the parts that ``mask`` shows."""
    red, green, blue = (round(v) for v in ImageStat.Stat(picture, mask).mean[:3])
    return luminance((red, green, blue))


@functools.lru_cache(maxsize=64)
def _corners(width: int, height: int, radius: int) -> Image.Image:
    mask = Image.new("L", (width * 4, height * 4), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, width * 4 - 1, height * 4 - 1), radius * 4, fill=255)
    return mask.reduce(4)


def _rounded(rect: Rect, radius: int, ink: Colour) -> Stamp:
    return ink, rect, _corners(rect[2] - rect[0], rect[3] - rect[1], radius)


# -- contrast --------------------------------------------------------------------------------------------------------

_LINEAR = [v / 255 / 12.92 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in range(256)]
_LINEAR_BYTES = [round(255 * v) for v in _LINEAR] * 3


def luminance(ink: Colour) -> float:
    """Relative luminance of a colour as WCAG defines it, 0 to 1."""
    return 0.2126 * _LINEAR[ink[0]] + 0.7152 * _LINEAR[ink[1]] + 0.0722 * _LINEAR[ink[2]]


def contrast(one: float, other: float) -> float:
    """The contrast ratio of two relative luminances, 1 to 21."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def _brightest(picture: Image.Image) -> float:
    """The luminance of the brightest pixel, rounded up."""
    grey = picture.point(_LINEAR_BYTES).convert("L", (0.2126, 0.7152, 0.0722, 0))
    return (grey.getextrema()[1] + 1) / 255  # type: ignore[operator]  # one band has one pair


def _veil(brightest: float, dark: Colour) -> float:
    """How much of ``dark`` must lie over pixels up to a luminance for white words to be read on every one of them.

    Reckoned for grey: a coloured pixel of the same luminance is never brighter under the veil (Minkowski's inequality).
    """
    grey = next(v for v in range(256) if _LINEAR[v] >= min(brightest, 1.0))
    ground = max(dark)
    least, most = (round(100 * v) for v in _VEIL)
    for percent in range(least, most):
        left = grey + (ground - grey) * percent / 100
        if contrast(1.0, _LINEAR[round(left + 0.5)]) >= CONTRAST * _MARGIN:
            return percent / 100
    return _VEIL[1]
