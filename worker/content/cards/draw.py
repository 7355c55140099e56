"""From words and a photo to the finished picture: boxes laid out, layers painted, bytes under the limit."""

from __future__ import annotations

import functools
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import regex
from PIL import Image, ImageDraw

from worker.content.cards import design as designs
from worker.content.cards import fonts, text
from worker.content.cards.design import Design, Fill, Picture, Rule, Scheme, Shade, Stack, Words
from worker.content.cards.photo import LARGEST_SCALE, Photo, cropped, probe
from worker.errors import HandbillError
from worker.model import digest

Rect = tuple[int, int, int, int]
Colour = tuple[int, int, int]

CONTRAST = 4.5  # WCAG 2.2, 1.4.3: https://www.w3.org/TR/WCAG22/#contrast-minimum
_MARGIN = 1.1  # the veil aims this much higher, for the noise that JPEG adds
_VEIL = (0.45, 0.92)  # least and most of a shade behind words
_CAP, _DESCENT = 0.74, 0.22  # ems above and below the baseline that a line of Latin letters takes
_QUALITIES = (85, 78, 70, 62, 54, 45, 35, 25, 15)
_ENCODERS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
_NUMBER = regex.compile(
    r"(?:[$€£¥₹₩₺₽]\s?|(?:CHF|US\$|R\$|kr)\s?)?\p{Nd}+(?:[.,٫٬ \u00a0\u202f’'](?=\p{Nd}{3})\p{Nd}{3})*(?:[.,٫:]\p{Nd}+)?"
    r"(?:\s?(?:%|％|٪|‰|°C|°F|°|€|£|₽|₴|zł|億|亿|万|萬|조|억|만)|(?:st|nd|rd|th|m|bn|k|km|x)\b)?"
)
_QUOTES = "\"'“”„‟«»‹›‘’‚「」『』"


@dataclass(frozen=True, slots=True)
class Card:
    """A share picture. ``alt`` says exactly what stands on it; ``notes`` what could not be shown as asked."""

    content: bytes
    mime: str
    width: int
    height: int
    alt: str
    design: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Placed:
    """One item of a stack where it will stand: ``top`` is the upper edge, lines begin at ``left`` or end at ``right``."""

    item: Words | Rule
    block: text.Block | None
    rect: Rect
    words: str = ""


def draw(
    *,
    title: str,
    site: str,
    author: str = "",
    language: str = "",
    size: tuple[int, int] = (1200, 630),
    photo: bytes | None = None,
    design: str | None = None,
    kicker: str = "",
    max_bytes: int = 5_000_000,
    mime: str = "image/jpeg",
    photo_alt: str = "",
    points: Sequence[str] = (),
) -> Card:
    """Draw one card of ``size`` pixels in at most ``max_bytes``; the same arguments always give the same bytes.

    Without ``design`` it is ``photo`` where a photo is given, else ``solid``. A design that the photo or the words do
    not suit gives way to the one its file names; ``Card.design`` says which was drawn and ``Card.notes`` why.
    Raises BadPicture for a photo that cannot be used, HandbillError for a size, kind or limit that cannot be met.
    """
    if not (200 <= size[0] <= 4096 and 200 <= size[1] <= 4096):
        raise HandbillError(f"A card of {size[0]} × {size[1]} pixels cannot be drawn", do="Ask for 200 to 4096 a side")
    if mime not in _ENCODERS:
        raise HandbillError(f"A card cannot be written as {mime}", do=f"Ask for one of {', '.join(_ENCODERS)}")
    notes: list[str] = []
    words, missing = _words(title=title, site=site, author=author, kicker=kicker, language=language, points=points)
    if missing:
        notes.append(f"no font draws {' '.join(missing)}")
    picture = probe(photo) if photo is not None else None
    name = design or ("photo" if picture else "solid")
    rtl = text.is_rtl(words["title"][0] if words["title"] else words["site"][0] if words["site"] else "", language)
    sheet = _Sheet(size, words, language, rtl, _scheme(site))
    while True:
        chosen = designs.load(name)
        why = _unsuited(chosen, picture, words, size, mirrored=rtl)
        placed = None if why else sheet.place(chosen)
        if placed is not None:
            break
        if not chosen.otherwise:
            placed = sheet.place(chosen, shortened=True)
            break
        notes.append(f"{name} was not used: {why or 'the words do not fit it'}")
        name = chosen.otherwise
    canvas = sheet.paint(chosen, placed, picture)
    shown = [p.words for stack in placed for p in stack if p.words]
    has_photo = any(isinstance(layer, Picture) for layer in chosen.layers)
    if picture and photo_alt and has_photo:
        shown.append(" ".join(photo_alt.split()))
    content = _encode(canvas, mime, max_bytes)
    return Card(content, mime, *size, _sentences(shown), name, tuple(notes))


def _words(
    *, title: str, site: str, author: str, kicker: str, language: str, points: Sequence[str]
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Every source a design may ask for, cleaned, as the texts it stands for; and the characters left out."""
    found: dict[str, tuple[str, ...]] = {}
    missing: list[str] = []
    for name, value in (("title", title), ("site", site), ("author", author), ("kicker", kicker)):
        kept, lost = text.clean(value, "sans", language)
        kept = text.shorten(kept, text.LONGEST if name == "title" else 60)
        found[name] = (kept,) if kept else ()
        missing += lost
    cleaned = [text.clean(point, "sans", language) for point in points[:4]]
    found["points"] = tuple(text.shorten(kept, 140) for kept, _ in cleaned if kept)
    missing += [c for _, lost in cleaned for c in lost]
    headline = found["title"][0] if found["title"] else ""
    number = _NUMBER.search(headline)
    found["number"] = (number.group().strip(),) if number and len(number.group()) <= 14 else ()
    bare = headline.strip(_QUOTES + " ") if headline[:1] in _QUOTES and headline[-1:] in _QUOTES else headline
    found["quote"] = (bare,) if bare else ()
    return found, tuple(dict.fromkeys(missing))


def _scheme(site: str) -> Scheme:
    """The colours of a site: the same for ever, different from most others'."""
    schemes = designs.colours().schemes
    return schemes[int(digest("colours", site.casefold()), 16) % len(schemes)]


def _unsuited(
    chosen: Design, picture: Photo | None, words: Mapping[str, tuple[str, ...]], size: tuple[int, int], *, mirrored: bool
) -> str:
    """Why a design cannot be used, or nothing."""
    for need in chosen.needs:
        if need == "photo":
            if picture is None:
                return "there is no photo"
            for layer in chosen.layers:
                if isinstance(layer, Picture):
                    left, top, right, bottom = layer.box.at(size, mirrored=mirrored)
                    if picture.scale((right - left, bottom - top)) > LARGEST_SCALE:
                        return f"the photo has only {picture.width} × {picture.height} pixels"
        elif not words[need]:
            return f"the words hold no {need}"
    return ""


def _sentences(shown: Sequence[str]) -> str:
    """Texts as one: each ends in the punctuation it has, or in a full stop."""
    closed = (s if s[-1] in ".!?…。！？:؟।" else f"{s}." for s in shown)
    return " ".join(closed)


# -- layout ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What all layers of one card share."""

    size: tuple[int, int]
    words: Mapping[str, tuple[str, ...]]
    language: str
    rtl: bool
    scheme: Scheme

    @property
    def unit(self) -> float:
        """One hundredth of √(width × height), in pixels: what designs count sizes in."""
        return float((self.size[0] * self.size[1]) ** 0.5) / 100

    def place(self, chosen: Design, *, shortened: bool = False) -> list[list[_Placed]] | None:
        """Every stack's items where they will stand, or None if the words do not fit.

        ``shortened`` lets the longest text give way until they do.
        """
        placed = []
        for layer in chosen.layers:
            if isinstance(layer, Stack):
                stack = self._stack(layer, shortened=shortened)
                if stack is None:
                    return None
                placed.append(stack)
        return placed

    def _stack(self, stack: Stack, *, shortened: bool) -> list[_Placed] | None:
        left, top, right, bottom = stack.box.at(self.size, mirrored=self.rtl)
        inset_x, inset_y = (round(i * self.unit) for i in stack.inset)
        room: Rect = (left + inset_x, top + inset_y, right - inset_x, bottom - inset_y)
        rows = [(item, said) for item in stack.items for said in self._said(item)]
        while rows and isinstance(rows[-1][0], Rule):
            rows.pop()
        while rows and isinstance(rows[0][0], Rule):
            rows.pop(0)
        fixed: dict[int, tuple[text.Block | None, str, int]] = {}
        left_over = room[3] - room[1]
        for i, (item, said) in enumerate(rows):
            left_over -= round(item.before * self.unit) if i else 0
            if isinstance(item, Words) and item.grow:
                continue
            fixed[i] = self._row(item, said, room[2] - room[0], left_over)
            left_over -= fixed[i][2]
        growing = [i for i in range(len(rows)) if i not in fixed]
        for n, i in enumerate(growing):
            item, said = rows[i]
            assert isinstance(item, Words)
            share = left_over // (len(growing) - n)
            row = self._growing(item, said, room[2] - room[0], share, shortened=shortened)
            if row is None:
                return None
            fixed[i] = row
            left_over -= row[2]
        y = room[1] + {"top": 0, "middle": left_over // 2, "bottom": left_over}[stack.hold]
        placed = []
        for i, (item, _) in enumerate(rows):
            block, said, height = fixed[i]
            y += round(item.before * self.unit) if i else 0
            placed.append(_Placed(item, block, (room[0], y, room[2], y + height), said))
            y += height
        return placed

    def _said(self, item: Words | Rule) -> tuple[str, ...]:
        """The texts an item shows: one for most, one each for points, none where there is nothing to say."""
        if isinstance(item, Rule):
            return ("",)
        if item.literal:
            return (item.literal,)
        if item.of == ("points",):
            return self.words["points"]
        parts = [part for source in item.of for part in self.words[source]]
        return (item.join.join(dict.fromkeys(parts)),) if parts else ()

    def _style(self, item: Words, said: str) -> text.Style:
        return text.style(said, self.language, item.family, rtl=self.rtl)

    def _row(self, item: Words | Rule, said: str, width: int, height: int) -> tuple[text.Block | None, str, int]:
        """One item of its own height; it is shortened if it is too long for the card."""
        if isinstance(item, Rule):
            return None, "", max(2, round(item.height * self.unit))
        smallest, largest = (s * self.unit for s in item.size)
        taken = self._before_text(item, largest) + (largest * 1.1 if item.fill else 0)
        while True:
            how = self._style(item, said)
            box = (width - taken, max(height, largest * 2.0))
            block = text.fit(said, how, box=box, sizes=(smallest, largest), leading=item.leading, lines=item.lines)
            if block is not None:
                return block, said if not item.literal else "", self._height(item, block)
            said = text.shorten(said, max(2, int(len(said) * 0.85)))

    def _growing(
        self, item: Words, said: str, width: int, height: int, *, shortened: bool
    ) -> tuple[text.Block, str, int] | None:
        smallest, largest = (s * self.unit for s in item.size)
        left = width - self._before_text(item, largest)
        while True:
            how = self._style(item, said)
            box = (left, float(height))
            block = text.fit(said, how, box=box, sizes=(smallest, largest), leading=item.leading, lines=item.lines)
            if block is not None and self._height(item, block) <= height:
                return block, said, self._height(item, block)
            if block is not None and block.size > smallest + 1:
                largest = block.size - 1
                continue
            if not shortened or len(said) < 4:
                return None
            said, largest = text.shorten(said, int(len(said) * 0.85)), item.size[1] * self.unit

    def _before_text(self, item: Words, size: float) -> int:
        return round(size * 2.0) if item.badge and self.words["site"] else 0

    def _height(self, item: Words, block: text.Block) -> int:
        above, below = _extent(block)
        height = above + (len(block.lines) - 1) * block.leading + below
        if item.fill:
            return round(height + 0.62 * block.size)
        return max(height, round(block.size * 1.5)) if self._before_text(item, block.size) else height

    # -- paint -------------------------------------------------------------------------------------------------------

    def paint(self, chosen: Design, placed: list[list[_Placed]], picture: Photo | None) -> Image.Image:
        """The finished picture."""
        shaded = any(isinstance(layer, Shade) for layer in chosen.layers)
        top = min((p.rect[1] for stack in placed for p in stack), default=self.size[1])
        canvas: Image.Image | None = None
        for layer in chosen.layers:
            if isinstance(layer, Picture) and picture is not None:
                box = layer.box.at(self.size, mirrored=self.rtl)
                seen = (0.0, max(0.25, top / self.size[1])) if shaded else (0.0, 1.0)
                part = cropped(picture, (box[2] - box[0], box[3] - box[1]), seen)
                if part.size == self.size:
                    canvas = part
                    continue
                canvas = canvas or self._ground(chosen)
                canvas.paste(part, box[:2])
            canvas = canvas or self._ground(chosen)
            if isinstance(layer, Fill):
                self._fill(canvas, layer)
            elif isinstance(layer, Shade):
                self._shade(canvas, layer, placed, top)
        canvas = canvas or self._ground(chosen)
        for stack in placed:
            for item in stack:
                self._item(canvas, item)
        return canvas

    def _ground(self, chosen: Design) -> Image.Image:
        return Image.new("RGB", self.size, self.colour(chosen.background))

    def colour(self, name: str) -> Colour:
        """A colour by its name in the palette, in the site's scheme, or as ``#rrggbb``."""
        if name in ("deep", "accent"):
            name = getattr(self.scheme, name)
        name = designs.colours().named.get(name, name)
        return int(name[1:3], 16), int(name[3:5], 16), int(name[5:7], 16)

    def _fill(self, canvas: Image.Image, layer: Fill) -> None:
        box = layer.box.at(self.size, mirrored=self.rtl)
        canvas.paste(self.colour(layer.colour), box)
        if layer.to:
            ramp = Image.linear_gradient("L").resize((box[2] - box[0], box[3] - box[1]))
            canvas.paste(self.colour(layer.to), box, ramp)

    def _shade(self, canvas: Image.Image, layer: Shade, placed: list[list[_Placed]], top: int) -> None:
        """Darken the photo from above the words downwards: as much as the brightest pixel behind them asks for."""
        width, height = self.size
        start = max(0, round(top - 0.30 * height))
        full = max(start + 1, round(top - 0.02 * height))
        colour = self.colour(layer.colour)
        rects = [p.rect for stack in placed for p in stack]
        words = (min(r[0] for r in rects), top, max(r[2] for r in rects), max(r[3] for r in rects)) if rects else None
        veil = _veil(canvas.crop(words).reduce(2), colour) if words else _VEIL[0]
        column = bytes(round(255 * veil * _ease((y - start) / (full - start))) for y in range(start, height))
        mask = Image.frombytes("L", (1, height - start), column).resize((width, height - start))
        canvas.paste(colour, (0, start, width, height), mask)

    def _item(self, canvas: Image.Image, placed: _Placed) -> None:
        left, top, right, bottom = placed.rect
        item, block = placed.item, placed.block
        if isinstance(item, Rule):
            length = round(item.width * self.unit)
            start = right - length if self.rtl else left
            canvas.paste(self.colour(item.colour), (start, top, start + length, bottom))
            return
        assert block is not None
        above, _ = _extent(block)
        if item.fill:
            pad = round(0.55 * block.size)
            length = round(max(text.width(line, block.size, block.style) for line in block.lines)) + 2 * pad
            start = right - length if self.rtl else left
            _rounded(canvas, (start, top, start + length, bottom), round(0.28 * block.size), self.colour(item.fill))
            left, right, top = start + pad, start + length - pad, top + round(0.31 * block.size)
        shift = self._before_text(item, block.size)
        if shift:
            self._badge(canvas, placed.rect, block.size)
            left, right = (left, right - shift) if self.rtl else (left + shift, right)
            height = above + (len(block.lines) - 1) * block.leading
            top = (placed.rect[1] + placed.rect[3] - height) // 2
        baseline = top + above
        for line in block.lines:
            _line(canvas, line, block, (left, right), baseline, self.colour(item.colour))
            baseline += block.leading

    def _badge(self, canvas: Image.Image, rect: Rect, size: int) -> None:
        """The site's initial on its accent: a mark for sites that gave no logo."""
        side = round(size * 1.5)
        left = rect[2] - side if self.rtl else rect[0]
        top = (rect[1] + rect[3] - side) // 2
        _rounded(canvas, (left, top, left + side, top + side), round(side * 0.24), self.colour("accent"))
        initial = regex.match(r"\X", self.words["site"][0]).group().upper()  # type: ignore[union-attr]  # a site has one
        how = text.style(initial, self.language, "sans", rtl=False)
        block = text.Block((initial,), round(size * 0.95), 0, how)
        above = fonts.opened(text.runs(initial, how)[0].font, block.size).getbbox(initial, anchor="ls")[1]
        middle = left + (side - text.width(initial, block.size, how)) / 2
        baseline = top + round((side - above) / 2)
        _line(canvas, initial, block, (middle, middle), baseline, self.colour("deep"))


def _ease(x: float) -> float:
    """0 to 1 with a soft start and end."""
    x = min(1.0, max(0.0, x))
    return x * x * (3 - 2 * x)


@functools.lru_cache(maxsize=256)
def _line_extent(line: str, size: int, how: text.Style) -> tuple[int, int]:
    above = below = 0
    for run in text.runs(line, how):
        if run.font == fonts.EMOJI:
            above = max(above, round((fonts.EMOJI_HEIGHT - fonts.EMOJI_DROP) * size))
            below = max(below, round(fonts.EMOJI_DROP * size))
        else:
            box = fonts.opened(run.font, size).getbbox(run.text, anchor="ls", direction="rtl" if run.rtl else "ltr")
            above, below = max(above, round(-box[1])), max(below, round(box[3]))
    return above, below


def _extent(block: text.Block) -> tuple[int, int]:
    """Pixels from the first baseline up and from the last one down that a block takes."""
    above, _ = _line_extent(block.lines[0], block.size, block.style)
    _, below = _line_extent(block.lines[-1], block.size, block.style)
    return max(above, round(_CAP * block.size)), max(below, round(_DESCENT * block.size))


def _line(
    canvas: Image.Image, line: str, block: text.Block, span: tuple[float, float], baseline: int, colour: Colour
) -> None:
    """Draw one line from the left end of ``span``, or up to its right end for a script read from the right."""
    pen = ImageDraw.Draw(canvas)
    x = span[1] - text.width(line, block.size, block.style) if block.style.rtl else span[0]
    for run in text.runs(line, block.style):
        if run.font == fonts.EMOJI:
            height = round(fonts.EMOJI_HEIGHT * block.size)
            at = x + 0.03 * block.size
            for name in fonts.emoji_names(run.text):
                picture = fonts.emoji_picture(name, height)
                canvas.paste(picture, (round(at), baseline + round(fonts.EMOJI_DROP * block.size) - height), picture)
                at += picture.width + 0.06 * block.size
        else:
            font = fonts.opened(run.font, block.size)
            pen.text((x, baseline), run.text, colour, font, anchor="ls", direction="rtl" if run.rtl else "ltr")
        x += text.run_width(run, block.size)


@functools.lru_cache(maxsize=64)
def _corner_mask(width: int, height: int, radius: int) -> Image.Image:
    mask = Image.new("L", (width * 4, height * 4), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, width * 4 - 1, height * 4 - 1), radius * 4, fill=255)
    return mask.reduce(4)


def _rounded(canvas: Image.Image, rect: Rect, radius: int, colour: Colour) -> None:
    canvas.paste(colour, rect, _corner_mask(rect[2] - rect[0], rect[3] - rect[1], radius))


# -- contrast --------------------------------------------------------------------------------------------------------

_LINEAR = [v / 255 / 12.92 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in range(256)]
_LINEAR_BYTES = [round(255 * v) for v in _LINEAR] * 3


def luminance(colour: Colour) -> float:
    """Relative luminance of a colour as WCAG defines it, 0 to 1."""
    return 0.2126 * _LINEAR[colour[0]] + 0.7152 * _LINEAR[colour[1]] + 0.0722 * _LINEAR[colour[2]]


def contrast(one: float, other: float) -> float:
    """The contrast ratio of two relative luminances, 1 to 21."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def _brightest(picture: Image.Image) -> float:
    """The luminance of the brightest pixel, rounded up."""
    grey = picture.point(_LINEAR_BYTES).convert("L", (0.2126, 0.7152, 0.0722, 0))
    return (float(grey.getextrema()[1]) + 1) / 255  # type: ignore[arg-type]  # one band has one pair


def _veil(behind: Image.Image, colour: Colour) -> float:
    """How much of ``colour`` must lie over the pixels ``behind`` white words for every one of them to be read."""
    ground = Image.new("RGB", behind.size, colour)
    low, high = _VEIL
    if contrast(1.0, _brightest(Image.blend(behind, ground, low))) >= CONTRAST * _MARGIN:
        return low
    for _ in range(5):
        middle = (low + high) / 2
        enough = contrast(1.0, _brightest(Image.blend(behind, ground, middle))) >= CONTRAST * _MARGIN
        low, high = (low, middle) if enough else (middle, high)
    return high


# -- bytes -----------------------------------------------------------------------------------------------------------


def _encode(canvas: Image.Image, mime: str, max_bytes: int) -> bytes:
    """The picture in at most ``max_bytes``: at the best quality that keeps within them."""
    for quality in _QUALITIES:
        data = _encoded(canvas, mime, quality)
        if len(data) <= max_bytes:
            return data
    raise HandbillError(
        f"A card of {canvas.width} × {canvas.height} pixels does not fit in {max_bytes:,} bytes",
        do="Ask for a smaller size or allow more bytes",
    )


def _encoded(canvas: Image.Image, mime: str, quality: int) -> bytes:
    data = io.BytesIO()
    if mime == "image/jpeg":
        canvas.save(data, "JPEG", quality=quality, subsampling="4:2:0")
    elif mime == "image/webp":
        canvas.save(data, "WEBP", quality=quality, method=2)
    elif quality == _QUALITIES[0]:
        canvas.save(data, "PNG", compress_level=3)
    else:  # PNG has no quality; fewer colours is what makes it smaller
        canvas.quantize(max(8, quality * 3), Image.Quantize.MEDIANCUT).save(data, "PNG", optimize=True)
    return data.getvalue()
