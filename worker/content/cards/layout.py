"""Where every text of a card stands: stacks of items in boxes, each at the size that fits."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from worker.content.cards import fonts, text
from worker.content.cards.design import Design, Logo, Rule, Stack, Words, shape

Rect = tuple[int, int, int, int]

_CAP, _DESCENT = 0.74, 0.22  # ems above and below the baseline that a line of Latin letters takes
LETTERS = 0.37  # ems from the baseline up to the middle of capitals
_MARK, _MARK_GAP = 1.5, 0.5  # ems: a mark's side, and its distance from the words
_LOGO_INSET, _LOGO_GAP = (7.0, 6.2), 2.4  # units from the edges, and from words
_POSTER, _BRIEF = (
    1.9,
    30,
)  # how much larger the shortest title may be, and from which length none is
_MIRRORED = {"“": "”"}  # ornaments on cards that are read from the right
_LABEL = (0.31, 0.55)  # ems of ground above and below, left and right of a label's words


@dataclass(frozen=True, slots=True)
class Placed:
    """One item where it will stand. ``baseline`` is its first line's, ``span`` the room of its lines, in pixels.

    ``said`` is what it tells a reader, empty for ornaments; ``mark`` stands before the words, ``rect`` around it all.
    """

    item: Words | Rule | Logo
    rect: Rect
    block: text.Block | None = None
    span: tuple[int, int] = (0, 0)
    baseline: int = 0
    said: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True)
class _Row:
    """An item before it has a place."""

    item: Words | Rule
    height: int
    block: text.Block | None = None
    said: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A card's size in pixels, the texts it may show by their source, and the direction they are read in."""

    size: tuple[int, int]
    words: Mapping[str, tuple[str, ...]]
    language: str
    rtl: bool
    families: Mapping[str, str] = field(default_factory=dict)  # a brand's instead of the design's
    corner: str = "bottom-left"
    logo: tuple[int, int] = (0, 0)  # the logo's width and height, if there is one

    @property
    def bylined(self) -> bool:
        """Whether a line says whose card it is."""
        return bool(self.words["site"] or self.words["author"])

    @property
    def logo_rect(self) -> Rect:
        """The logo in its corner, clear of the edges and of what a story's own buttons cover."""
        width, height = self.size
        aside, off = round(_LOGO_INSET[0] * self.unit), round(_LOGO_INSET[1] * self.unit)
        if shape(self.size) == "story":
            off += round(0.08 * height)
        left = aside if self.corner.endswith("left") is not self.rtl else width - aside - self.logo[0]
        top = off if self.corner.startswith("top") else height - off - self.logo[1]
        return left, top, left + self.logo[0], top + self.logo[1]

    @property
    def unit(self) -> float:
        """One hundredth of √(width · height), in pixels: what designs count sizes in."""
        return float((self.size[0] * self.size[1]) ** 0.5) / 100

    def place(self, chosen: Design, *, shortened: bool = False) -> list[Placed] | None:
        """Every item of the design that has something to say, or None if the words do not fit.

        ``shortened`` lets the longest text give way until they do.
        """
        placed: list[Placed] = []
        for layer in chosen.layers:
            if isinstance(layer, Stack):
                stack = self._stack(layer, shortened=shortened)
                if stack is None:
                    return None
                placed += stack
        if self.logo[0] and not any(isinstance(p.item, Logo) for p in placed):
            placed.append(Placed(Logo(), self.logo_rect))
        return placed

    def _room(self, stack: Stack) -> Rect:
        """What a stack may fill: its box within its insets, to the foot where no byline stands, clear of the logo."""
        left, top, right, bottom = stack.box.at(self.size, mirrored=self.rtl)
        if not self.bylined and bottom > 0.75 * self.size[1]:
            bottom = max(bottom, self.size[1] - top)
        aside, off = (round(i * self.unit) for i in stack.inset)
        left, top, right, bottom = left + aside, top + off, right - aside, bottom - off
        if self.logo[0]:
            logo, gap = self.logo_rect, round(_LOGO_GAP * self.unit)
            if logo[0] < right and logo[2] > left:
                if self.corner.startswith("top") and top < logo[3] + gap < bottom:
                    top = logo[3] + gap
                elif not self.bylined and not self.corner.startswith("top") and top < logo[1] - gap < bottom:
                    bottom = logo[1] - gap
        return left, top, right, bottom

    def _beside(self, item: Words | Rule, room: Rect) -> bool:
        """Whether the logo stands on the line of this item: the byline, above the corner that the logo has."""
        logo = self.logo_rect
        within = logo[0] < room[2] and logo[2] > room[0]
        return bool(self.logo[0]) and self.corner.startswith("bottom") and within and _is_byline(item)

    def _stack(self, stack: Stack, *, shortened: bool) -> list[Placed] | None:
        room = self._room(stack)
        width, height = room[2] - room[0], room[3] - room[1]
        asked = [(item, parts, mark) for item in stack.items for parts, mark in self._parts(item)]
        if not any(parts for _, parts, _ in asked):
            return []  # a rule alone separates nothing
        gaps = [round(item.before * self.unit) if i else 0 for i, (item, _, _) in enumerate(asked)]
        rows: dict[int, _Row] = {}
        for i, (item, parts, mark) in enumerate(asked):
            if isinstance(item, Rule):
                rows[i] = _Row(item, max(2, round(item.height * self.unit)))
            elif not item.grow:
                beside = self.logo[0] + round(_LOGO_GAP * self.unit) if self._beside(item, room) else 0
                fixed = self._fixed(item, parts, mark, width - beside)
                rows[i] = replace(fixed, height=max(fixed.height, self.logo[1])) if beside else fixed
        self._level(rows, asked, width)
        spare = height - sum(gaps) - sum(row.height for row in rows.values())
        growing = [i for i in range(len(asked)) if i not in rows]
        for n, i in enumerate(growing):
            item, parts, mark = asked[i]
            assert isinstance(item, Words)
            row = self._growing(item, parts, mark, (width, spare // (len(growing) - n)), shortened=shortened)
            if row is None:
                return None
            rows[i] = row
            spare -= row.height
        if spare < 0 and not shortened:
            return None
        hold = "middle" if stack.hold == "top" and not self.bylined else stack.hold
        y = room[1] + {"top": 0, "middle": spare // 2, "bottom": spare}[hold]
        placed = []
        for i in range(len(asked)):
            y += gaps[i]
            placed += self._placed_row(rows[i], (room[0], y, room[2], y + rows[i].height), room)
            y += rows[i].height
        return placed

    def _placed_row(self, row: _Row, rect: Rect, room: Rect) -> list[Placed]:
        """An item in its place, with the logo where that stands on the same line."""
        if isinstance(row.item, Logo) or not self._beside(row.item, room):
            return [self._placed(row, rect)]
        left, top, right, bottom = rect
        width, height = self.logo
        beside = width + round(_LOGO_GAP * self.unit)
        first = self.logo_rect[0] < (self.size[0] - width) // 2
        start = left if first else right - width
        high = (top + bottom - height) // 2
        words = (left + beside, top, right, bottom) if first else (left, top, right - beside, bottom)
        placed = self._placed(row, words)
        if placed.block is not None:
            above, below = _extent(row.item, placed.block) if isinstance(row.item, Words) else (0, 0)
            tall = above + (len(placed.block.lines) - 1) * placed.block.leading + below
            placed = replace(placed, baseline=(top + bottom - tall) // 2 + above)
        return [Placed(Logo(), (start, high, start + width, high + height)), placed]

    def _parts(self, item: Words | Rule) -> list[tuple[tuple[str, ...], str]]:
        """What an item shows, with its mark: once for most, once each for points, never where nothing is to be said."""
        if isinstance(item, Rule):
            return [((), "")]
        if item.literal:
            return [((_MIRRORED.get(item.literal, item.literal) if self.rtl else item.literal,), "")]
        if item.of == ("points",):
            return [((point,), str(n) if item.mark else "") for n, point in enumerate(self.words["points"], 1)]
        parts = tuple(dict.fromkeys(part for source in item.of for part in self.words[source]))
        initial = self.words["initial"] if item.mark and not self.logo[0] else ()
        return [(parts, initial[0] if initial else "")] if parts else []

    def _fixed(self, item: Words, parts: tuple[str, ...], mark: str, width: int) -> _Row:
        """An item of its own height: on one line, else its parts one under another, else shortened."""
        smallest, largest = (s * self.unit for s in item.size)
        room = width - _before(mark, largest) - (2 * _LABEL[1] * largest if item.fill else 0)
        said = item.join.join(parts)
        how = self._style(item, said)

        def fit(words: str, lines: int) -> text.Block | None:
            box, sizes = (room, 99 * largest), (smallest, largest)
            return text.fit(words, how, box=box, sizes=sizes, leading=item.leading, lines=lines)

        block = fit(said, 1)
        if block is None and 1 < len(parts) <= item.lines:
            blocks = [fit(part, 1) for part in parts]
            found = [b for b in blocks if b is not None]
            if len(found) == len(parts):
                least = min(found, key=lambda b: b.size)
                block = replace(least, lines=parts)
        while block is None and said:
            block = fit(said, item.lines)
            if block is None:
                said = text.shorten(said, int(len(said) * 0.85)) if len(said) > 2 else ""
        if block is None:
            return _Row(item, 0)  # a card too small for even that
        return _Row(item, _height(item, block, mark), block, "" if item.literal else said, mark)

    def _level(self, rows: dict[int, _Row], asked: list[tuple[Words | Rule, tuple[str, ...], str]], width: int) -> None:
        """Bring the points to one size: the smallest that any of them needed."""
        points = {i: row for i, row in rows.items() if isinstance(row.item, Words) and row.item.of == ("points",)}
        least = min((row.block.size for row in points.values() if row.block), default=0)
        for i, row in points.items():
            if row.block and row.block.size > least and isinstance(row.item, Words):
                same = replace(row.item, size=(least / self.unit, least / self.unit))
                rows[i] = self._fixed(same, asked[i][1], row.mark, width)

    def _growing(
        self, item: Words, parts: tuple[str, ...], mark: str, room: tuple[int, int], *, shortened: bool
    ) -> _Row | None:
        """An item that takes the height others leave: as large as that allows, or None."""
        smallest, largest = (s * self.unit for s in item.size)
        said = item.join.join(parts)
        largest *= 1 + (_POSTER - 1) * max(0.0, 1 - len(said) / _BRIEF)
        while True:
            how = self._style(item, said)
            box = (float(room[0] - _before(mark, largest)), float(room[1]))
            block = text.fit(said, how, box=box, sizes=(smallest, largest), leading=item.leading, lines=item.lines)
            if block is not None and _height(item, block, mark) <= room[1]:
                return _Row(item, _height(item, block, mark), block, said, mark)
            if block is not None and block.size > smallest + 1:
                largest = block.size - 1  # marks above or below these letters need more than the usual height
                continue
            if not shortened:
                return None
            if len(said) < 4:
                return _Row(item, 0)
            said, largest = text.shorten(said, int(len(said) * 0.85)), item.size[1] * self.unit

    def _style(self, item: Words, said: str) -> text.Style:
        # A Latin name keeps its own order on a card that is read from the right.
        rtl = text.is_rtl(said, self.language if self.rtl else "")
        return text.style(said, self.language, self.families.get(item.family, item.family), rtl=rtl)

    def _placed(self, row: _Row, rect: Rect) -> Placed:
        item, block = row.item, row.block
        if isinstance(item, Rule) or block is None:
            return Placed(item, rect)
        left, top, right, bottom = rect
        above, _ = _extent(item, block)
        if item.fill:
            down, aside = (round(part * block.size) for part in _LABEL)
            length = round(max(text.width(line, block.size, block.style) for line in block.lines)) + 2 * aside
            left, right = (right - length, right) if self.rtl else (left, left + length)
            span = (left + aside, right - aside)
            return Placed(item, (left, top, right, bottom), block, span, top + down + above, row.said)
        shift = _before(row.mark, block.size)
        span = (left, right - shift) if self.rtl else (left + shift, right)
        baseline = top + above + _overhang(row.mark, block, above)
        if row.mark and len(block.lines) == 1:
            baseline = (top + bottom + above) // 2  # letters in the middle of their mark
        return Placed(item, rect, block, span, baseline, row.said, row.mark)


def _is_byline(item: Words | Rule) -> bool:
    return isinstance(item, Words) and "site" in item.of


def mark_side(size: int) -> int:
    """How wide and tall the mark beside words of ``size`` is."""
    return round(_MARK * size)


def _before(mark: str, size: float) -> int:
    return round(size * (_MARK + _MARK_GAP)) if mark else 0


def _overhang(mark: str, block: text.Block, above: int) -> int:
    """Pixels that a mark, which stands beside the first of several lines, reaches higher than they do."""
    if not mark or len(block.lines) == 1:
        return 0
    return max(0, round(mark_side(block.size) / 2 + LETTERS * block.size) - above)


def _height(item: Words, block: text.Block, mark: str) -> int:
    above, below = _extent(item, block)
    height = above + (len(block.lines) - 1) * block.leading + below
    if item.fill:
        return round(height + 2 * _LABEL[0] * block.size - _DESCENT * block.size)
    return max(height + _overhang(mark, block, above), mark_side(block.size)) if mark else height


def _extent(item: Words, block: text.Block) -> tuple[int, int]:
    """Pixels from the first baseline up and from the last one down that a block takes; an ornament only its ink."""
    if item.literal:
        return _ink(block)
    above, _ = line_extent(block.lines[0], block.size, block.style)
    _, below = line_extent(block.lines[-1], block.size, block.style)
    return max(above, round(_CAP * block.size)), max(below, round(_DESCENT * block.size))


def _ink(block: text.Block) -> tuple[int, int]:
    """Pixels from the baseline up and down that an ornament's ink reaches; below 0 if it ends above the baseline."""
    sign = block.lines[0]
    mask, (_, top) = fonts.opened(text.runs(sign, block.style)[0].font, block.size).getmask2(sign, "L", anchor="ls")
    box = mask.getbbox() or (0, 0, 0, 0)
    return -(top + box[1]), top + box[3]


@functools.lru_cache(maxsize=256)
def line_extent(line: str, size: int, how: text.Style) -> tuple[int, int]:
    """Pixels from the baseline up and down that the letters and emoji of a line take."""
    above = below = 0
    for run in text.runs(line, how):
        if run.font == fonts.EMOJI:
            above = max(above, round((fonts.EMOJI_HEIGHT - fonts.EMOJI_DROP) * size))
            below = max(below, round(fonts.EMOJI_DROP * size))
        else:
            box = fonts.opened(run.font, size).getbbox(run.text, anchor="ls", direction="rtl" if run.rtl else "ltr")
            above, below = max(above, round(-box[1])), max(below, round(box[3]))
    return above, below
