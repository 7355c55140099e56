"""A process of its own that opens what strangers sent: pictures and fonts, within limits, and hands back plain pixels.

Run by its path (``photo.py`` does): it imports Pillow and nothing of Handbill, so that it starts quickly and
stays small. It answers requests on stdin until that ends: a line of JSON, then the bytes that it counts. Its
answers are lines of JSON; pixels go, four bytes each, into memory that both processes share.
"""

from __future__ import annotations

import functools
import io
import itertools
import json
import mmap
import os
import resource
import struct
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any, cast

from PIL import (  # the kinds that are accepted are loaded now: a plugin found later would count as memory
    GifImagePlugin,
    Image,
    ImageChops,
    ImageCms,
    ImageFilter,
    ImageOps,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

Box = tuple[float, float, float, float]

KINDS = (JpegImagePlugin, MpoImagePlugin, PngImagePlugin, WebPImagePlugin, GifImagePlugin)
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")  # and AVIF
MOST_PIXELS = 40_000_000
MOST_MEMORY = 1_000_000_000  # bytes of address space: 40 megapixels with transparency take 700 MB
BAND = 80  # rows resized at once: what lies between the two passes fits in a processor's own memory
MOST_LOGO = 800  # pixels a side of a logo handed back
LARGEST_FONT_SIZE = 200

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)
_AROUND = 12  # of 64 pixels: what something is compared with
_DIFFERS = [255 if v > 18 else 0 for v in range(256)]
_SUBJECT = 112  # of 255: only what stands out as a face does is a subject; a texture or a horizon stays below
_SCENE = 0.2  # of the cells: where more of them stand out it is a scene, and words may lie on any part of that
_SUBJECTS = [max(0, v - _SUBJECT) for v in range(256)]
_BLANK = 8  # of 255: a thumbnail whose values all lie this close shows nothing; paper and noise do, fog does not
_EDGE = 0.03  # of the card: a subject should touch neither the words nor, moved away from them, the edges
_CLOSER = 1.05  # the steps in which a crop comes closer
_SKIN_CB = [255 if 77 <= v <= 127 else 0 for v in range(256)]
_SKIN_CR = [255 if 136 <= v <= 173 else 0 for v in range(256)]


class Refused(Exception):
    """The picture or font cannot be used; the message is the reason in words for people."""


def serve() -> None:
    """Answer until stdin ends; every limit is set before the first stranger's byte is read."""
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    warnings.simplefilter("ignore")
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
    # No file may be written, no core dumped, no process started; memory has an end.
    for limit, most in (
        (resource.RLIMIT_AS, MOST_MEMORY),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    data = b""
    memory = int(sys.argv[1])
    shared = mmap.mmap(memory, os.fstat(memory).st_size)
    asks, answers = sys.stdin.buffer, sys.stdout.buffer
    while line := asks.readline():
        asked: dict[str, Any] = json.loads(line)
        if asked["bytes"] is not None:  # else it is about the one before
            data = asks.read(asked["bytes"])
        answers.write(json.dumps(answer(asked, data, shared)).encode() + b"\n")
        answers.flush()


def answer(asked: dict[str, Any], data: bytes, shared: mmap.mmap) -> dict[str, Any]:
    """What a request for ``data`` comes to: facts, with any pixels in ``shared``, or ``refused`` with the reason."""
    try:
        match asked["do"]:
            case "probe":
                return probe(data)
            case "crop":
                return crop(data, _canvas(shared, tuple(asked["size"])), asked)
            case "logo":
                picture = logo(data)
                _canvas(shared, picture.size).paste(picture)
                return {"width": picture.width, "height": picture.height}
            case _:
                return try_font(data)
    except Exception as error:  # noqa: BLE001 - decoders raise whatever they like: python-pillow/Pillow#9814
        return {"refused": _reason(error)}


def _canvas(shared: mmap.mmap, size: tuple[int, int]) -> Image.Image:
    """A picture of four bytes a pixel whose pixels are those in ``shared``."""
    canvas = Image.frombuffer("RGBA", size, shared, "raw", "RGBA", 0, 1)  # type: ignore[arg-type]  # any buffer will do
    canvas.readonly = 0  # else Pillow would paste into a copy, as it does for any buffer
    return canvas


def probe(data: bytes) -> dict[str, Any]:
    """The size of the upright picture, from its head alone."""
    with _opened(data) as picture:
        width, height = picture.size
        _check_size(width, height)
        orientation = _orientation(picture)
    if orientation in _SIDEWAYS:
        width, height = height, width
    return {"width": width, "height": height}


def crop(data: bytes, canvas: Image.Image, asked: dict[str, Any]) -> dict[str, Any]:
    """Cover ``canvas`` with the picture upright, in sRGB, its salient part within ``seen`` of the height.

    ``focus`` is a point of the picture (0 to 1 from left and top) that somebody wants in the middle instead. The
    answer is that of ``frame``.
    """
    size = canvas.size
    with _opened(data) as opened:
        _check_size(*opened.size)
        profile = opened.info.get("icc_profile")
        orientation = _orientation(opened)
        width, height = opened.size[::-1] if orientation in _SIDEWAYS else opened.size
        scale = max(size[0] / width, size[1] / height)
        wanted = (int(width * scale) + 1, int(height * scale) + 1)
        if opened.format in ("JPEG", "MPO"):  # telephones add a second picture and call it MPO
            opened.draft(None, wanted[::-1] if orientation in _SIDEWAYS else wanted)
        opened.load()
        _check_size(*opened.size)
        picture: Image.Image = opened
        if picture.mode not in ("RGB", "CMYK"):
            picture = _flat(picture)
        if orientation in _UPRIGHT:
            picture = picture.transpose(_UPRIGHT[orientation])
        (left, top, right, bottom), facts = frame(picture, size, asked)
        rows = (bottom - top) / size[1]

        def resize(y: int) -> None:
            high = min(BAND, size[1] - y)
            box = (left, top + y * rows, right, min(bottom, top + (y + high) * rows))
            part = _srgb(picture.resize((size[0], high), Image.Resampling.BILINEAR, box=box), profile)
            canvas.paste(Image.fromarrow(part, canvas.mode, part.size), (0, y))  # RGB is stored as RGBA is

        _twofold(resize, range(0, size[1], BAND))
    return facts


def _twofold(work: Callable[[int], None], items: Sequence[int]) -> None:
    """Do ``work`` in two threads, for Pillow lets go of the interpreter; concurrent.futures would take 1.4 MB."""
    failed: list[Exception] = []

    def every(part: Sequence[int]) -> None:
        try:
            for item in part:
                work(item)
        except Exception as error:  # noqa: BLE001 - raised below, in the thread that answers
            failed.append(error)

    other = threading.Thread(target=every, args=(items[1::2],))
    other.start()
    every(items[::2])
    other.join()
    if failed:
        raise failed[0]


def logo(data: bytes) -> Image.Image:
    """A logo as RGBA with its empty edges cut off, no larger than cards need."""
    with _opened(data) as opened:
        _check_size(*opened.size)
        picture = opened.convert("RGBA")
    edges = picture.getchannel("A").getbbox()
    if edges is None:
        raise Refused("it is transparent all over")
    picture = picture.crop(edges)
    picture.thumbnail((MOST_LOGO, MOST_LOGO), Image.Resampling.LANCZOS)
    return picture


def _opened(data: bytes) -> Image.Image:
    """The picture with its head read, if it is of a kind that is accepted."""
    formats: tuple[str, ...] = FORMATS
    if data[4:8] == b"ftyp":
        from PIL import AvifImagePlugin  # noqa: PLC0415 - most processes never see one, and stay smaller without

        formats = (AvifImagePlugin.AvifImageFile.format,)
    return Image.open(io.BytesIO(data), formats=formats)


def _orientation(picture: Image.Image) -> int:
    """The EXIF orientation, 1 where there is none or it cannot be read: broken EXIF spoils no photo."""
    try:
        return int(picture.getexif().get(0x0112, 1))
    except Exception:  # noqa: BLE001 - the parser raises whatever it likes, and nothing else depends on it
        return 1


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise Refused(f"it has {width} × {height} pixels; {MOST_PIXELS // 1_000_000} million is the most")
    if min(width, height) < 1:
        raise Refused("it has no pixels")


def _reason(error: Exception) -> str:
    if isinstance(error, Refused):
        return str(error)
    if isinstance(error, UnidentifiedImageError):
        return "it is none of the kinds that are accepted"
    if isinstance(error, MemoryError):
        return f"opening it takes more than {MOST_MEMORY // 1_000_000:,} MB of memory"
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return f"it has more than {MOST_PIXELS // 1_000_000} million pixels"
    words = " ".join(str(error).split()).rstrip(".")
    return f"it is damaged ({words[:200] or type(error).__name__})"


def _flat(picture: Image.Image) -> Image.Image:
    """Any other mode as RGB: 16 bits brought to 8, transparency laid on white."""
    if picture.mode.startswith("I"):
        high = picture.convert("I")
        return high.point(lambda value: value / 257).convert("L").convert("RGB")
    if picture.mode == "P" or "A" in picture.mode or "transparency" in picture.info:
        layered = picture.convert("RGBA")
        sheet = Image.new("RGB", picture.size, "white")
        sheet.paste(layered, mask=layered.getchannel("A"))
        return sheet
    return picture.convert("RGB")


@functools.lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """What brings ``mode`` pixels of a profile to sRGB, or None if they already are, or the profile is nonsense."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in (ImageCms.getProfileDescription(source) or ""):
            return None
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    transform = _transform(profile, picture.mode) if profile else None
    if transform is not None:
        return cast("Image.Image", ImageCms.applyTransform(picture, transform))
    return picture if picture.mode == "RGB" else picture.convert("RGB")


# -- what matters ----------------------------------------------------------------------------------------------------


class Subject:
    """Where the weight of what stands out lies, on a grid over the picture; there may be none."""

    def __init__(self, salience: Image.Image) -> None:
        grid = salience.filter(ImageFilter.BoxBlur(1)).point(_SUBJECTS)
        self.size = wide, high = grid.size
        values = grid.tobytes()
        if len(values) - values.count(0) > _SCENE * len(values):
            values = bytes(len(values))
        self._sums = [[0] * (wide + 1)]  # above and left of every cell
        for y in range(high):
            row = itertools.accumulate(values[y * wide : (y + 1) * wide], initial=0)
            self._sums.append([above + here for above, here in zip(self._sums[-1], row, strict=True)])

    def within(self, left: float, top: float, right: float, bottom: float) -> int:
        """The weight in a rectangle of cells."""
        wide, high = self.size
        x0, x1 = (min(wide, max(0, round(x))) for x in (left, right))
        upper, lower = (self._sums[min(high, max(0, round(y)))] for y in (top, bottom))
        return lower[x1] - lower[x0] - upper[x1] + upper[x0]


def frame(picture: Image.Image, size: tuple[int, int], asked: dict[str, Any]) -> tuple[Box, dict[str, Any]]:
    """The part of ``picture`` to show, and what of its subject is then to be seen.

    It comes closer, at most ``closest`` times and never enlarging more than ``scale``, only if less than ``clear`` of
    the subject would be within ``seen``. Of the answer ``clear`` is that part, ``spots`` the parts under rectangles
    of the card (0 to 1), and ``blank`` says that there is nothing in the picture at all.
    """
    thumb = _thumb(picture)
    salience = _salience(thumb)
    seen, focus = asked["seen"], asked.get("focus")
    box = window(picture, size, (seen[0], max(0.25, seen[1])), focus, salience)
    subject = Subject(salience)
    per = subject.size[0] / picture.width, subject.size[1] / picture.height

    def shows(box: Box, part: Sequence[float] = (0, 0, 1, 1)) -> int:
        left, top, wide, high = box[0], box[1], box[2] - box[0], box[3] - box[1]
        x0, y0, x1, y1 = part
        return subject.within(
            (left + x0 * wide) * per[0], (top + y0 * high) * per[1],
            (left + x1 * wide) * per[0], (top + y1 * high) * per[1],
        )  # fmt: skip

    whole, bare = shows(box), (0, seen[0], 1, seen[1] - _EDGE)
    inner = (_EDGE, seen[0] + _EDGE, 1 - _EDGE, seen[1] - _EDGE)
    if whole and focus is None and shows(box, inner) < asked["clear"] * whole:
        enlarged = size[0] / (box[2] - box[0])
        box = _closer(box, picture.size, lambda b: shows(b, inner), min(asked["closest"], asked["scale"] / enlarged))
    clear = min(1.0, shows(box, bare) / whole) if whole and focus is None else 1.0
    spots = [shows(box, spot) / max(1, whole) for spot in asked["spots"]]
    blank = all(most - least <= _BLANK for least, most in cast("Sequence[tuple[int, int]]", thumb.getextrema()))
    return box, {"clear": clear, "spots": spots, "blank": blank}


def _closer(box: Box, size: tuple[int, int], shows: Callable[[Box], int], closest: float) -> Box:
    """The window of the shape of ``box`` that shows most; of those that show nearly as much the widest."""
    found, most, closer = box, shows(box), 1.0
    while closer <= closest:
        part = (box[2] - box[0]) / closer, (box[3] - box[1]) / closer
        steps = [max(1, round(32 * (s - p) / s)) for s, p in zip(size, part, strict=True)]
        places = sorted(
            itertools.product(*(range(n + 1) for n in steps)),
            key=lambda at: sum(abs(a / n - 0.5) for a, n in zip(at, steps, strict=True)),
        )
        for at in places:
            left, top = ((s - p) * a / n for s, p, a, n in zip(size, part, at, steps, strict=True))
            here = (left, top, left + part[0], top + part[1])
            weight = shows(here)
            if weight > 1.02 * most:
                found, most = here, weight
        closer *= _CLOSER
    return found


def window(
    picture: Image.Image,
    size: tuple[int, int],
    seen: tuple[float, float],
    focus: Sequence[float] | None = None,
    salience: Image.Image | None = None,
) -> Box:
    """The part of ``picture``, of the shape of ``size``, that holds most of what the eye looks for, or ``focus``."""
    width, height = picture.size
    scale = max(size[0] / width, size[1] / height)
    part = (min(width, size[0] / scale), min(height, size[1] / scale))
    spare = (width - part[0], height - part[1])
    if max(spare) < 2:
        return (spare[0] / 2, spare[1] / 2, spare[0] / 2 + part[0], spare[1] / 2 + part[1])
    if focus is not None:
        middle = (focus[0] * width, focus[1] * height - (seen[0] + seen[1] - 1) / 2 * part[1])
        left, top = (min(max(m - p / 2, 0.0), s) for m, p, s in zip(middle, part, spare, strict=True))
        return (left, top, left + part[0], top + part[1])
    along = 0 if spare[0] > spare[1] else 1
    weights = _profile(salience or _salience(_thumb(picture)), along)
    cells = len(weights)
    length = part[along] / (width, height)[along] * cells
    span = (0.0, 1.0) if along == 0 else seen
    start = _best(weights, length, span) / cells * (width, height)[along]
    left, top = (min(start, spare[0]), spare[1] / 2) if along == 0 else (spare[0] / 2, min(start, spare[1]))
    return (left, top, left + part[0], top + part[1])


def _profile(salience: Image.Image, along: int) -> list[float]:
    """Salience along the width (0) or height (1)."""
    size = (salience.width, 1) if along == 0 else (1, salience.height)
    return [float(value) + 0.5 for value in salience.resize(size, Image.Resampling.BOX).tobytes()]


def _thumb(picture: Image.Image) -> Image.Image:
    width, height = picture.size
    factor = 64 / max(width, height)
    small = (max(8, round(width * factor)), max(8, round(height * factor)))
    return picture.resize((small[0] * 4, small[1] * 4), Image.Resampling.NEAREST).reduce(4).convert("RGB")


def _salience(thumb: Image.Image) -> Image.Image:
    """How much the eye looks at every pixel of a thumbnail of 64: edges, skin, and what differs in colour.

    Skin counts only where it differs from what is around it: a sunset and a sandy beach are of that colour too.
    """
    small = thumb.size
    edges = thumb.convert("L").filter(ImageFilter.FIND_EDGES)
    edges = ImageOps.expand(edges.crop((1, 1, small[0] - 1, small[1] - 1)), 1, 0)
    unlike = ImageChops.difference(thumb, thumb.filter(ImageFilter.BoxBlur(_AROUND))).convert("L")
    _, cb, cr = thumb.convert("YCbCr").split()
    skin = ImageChops.multiply(cb.point(_SKIN_CB), cr.point(_SKIN_CR))
    skin = ImageChops.multiply(skin, unlike.point(_DIFFERS))
    return Image.merge("RGB", (edges, skin, unlike)).convert("L", (0.5, 0.8, 1.0, -12))


def _best(weights: list[float], length: float, seen: tuple[float, float]) -> float:
    """Where a window of ``length`` cells should start: most weight inside, where it is seen, away from its edges."""
    steps = max(1, round(len(weights) - length))
    sums = [0.0, *itertools.accumulate(weights)]

    def inside(start: float, end: float) -> float:
        low, high = round(start), min(len(weights), round(end))
        return sums[high] - sums[low]

    def score(start: int) -> float:
        low, high = start + seen[0] * length, start + seen[1] * length
        heart = (high - low) * 0.2  # what matters should not touch the edge
        off = abs(start - steps / 2) / steps
        whole, bare = inside(start, start + length), inside(low, high)
        return whole + bare + inside(low + heart, high - heart) - 0.03 * sums[-1] * off

    return float(max(range(steps + 1), key=score))


# -- fonts -----------------------------------------------------------------------------------------------------------


def try_font(data: bytes) -> dict[str, Any]:
    """Which characters a TrueType or OpenType font draws, as ranges, after its tables were checked and glyphs drawn."""
    ranges = characters(_tables(data))
    codes = [code for start, end in ranges for code in range(start, end + 1)]
    if not codes:
        raise Refused("it draws no characters")
    from PIL import ImageFont  # noqa: PLC0415 - most processes never see a font, and stay smaller without

    font = ImageFont.truetype(io.BytesIO(data), 64, layout_engine=ImageFont.Layout.RAQM)
    for code in codes[:: max(1, len(codes) // 400)]:
        font.getmask(chr(code))
    for size in (12, LARGEST_FONT_SIZE):
        ImageFont.truetype(io.BytesIO(data), size, layout_engine=ImageFont.Layout.RAQM).getmask("Handbill")
    return {"ranges": ranges, "name": " ".join(part for part in font.getname() if part)}


def _tables(data: bytes) -> dict[str, bytes]:
    """The tables of a font file by their tag, each of them whole.

    https://learn.microsoft.com/typography/opentype/spec/otff
    """
    if data[:4] not in (b"\x00\x01\x00\x00", b"OTTO", b"true"):
        raise Refused("it is no TrueType or OpenType font (.ttf or .otf)")
    count = struct.unpack_from(">H", data, 4)[0]
    tables = {}
    for at in range(12, 12 + 16 * count, 16):
        tag, _, offset, length = struct.unpack_from(">4sLLL", data, at)
        if offset + length > len(data):
            raise Refused(f"its table {tag.decode('latin-1')} ends after the file does")
        tables[tag.decode("latin-1")] = data[offset : offset + length]
    outlines = {"glyf", "loca"} if "glyf" in tables else {"CFF "} if "CFF " in tables else {"CFF2"}
    missing = ({"cmap", "head", "hhea", "hmtx", "maxp", "name"} | outlines) - tables.keys()
    if missing:
        raise Refused(f"it lacks the tables {', '.join(sorted(missing))}")
    return tables


def characters(tables: dict[str, bytes]) -> list[tuple[int, int]]:
    """The ranges of characters that the table ``cmap`` gives a glyph.

    https://learn.microsoft.com/typography/opentype/spec/cmap: formats 4 and 12 are all that is in use for Unicode.
    """
    cmap = tables["cmap"]
    glyphs = struct.unpack_from(">H", tables["maxp"], 4)[0]
    found: set[int] = set()
    for n in range(struct.unpack_from(">H", cmap, 2)[0]):
        platform, _, offset = struct.unpack_from(">HHL", cmap, 4 + 8 * n)
        if platform not in (0, 3):
            continue
        kind = struct.unpack_from(">H", cmap, offset)[0]
        if kind == 12:
            for group in range(min(struct.unpack_from(">L", cmap, offset + 12)[0], 0x10000)):
                start, end, first = struct.unpack_from(">LLL", cmap, offset + 16 + 12 * group)
                found.update(c for c in range(start, min(end, 0x10FFFF) + 1) if 0 < first + c - start < glyphs)
        elif kind == 4:
            found.update(_segments(cmap, offset, glyphs))
    found -= set(range(0x20)) | set(range(0xD800, 0xE000))
    codes = sorted(found)
    starts = [c for c in codes if c - 1 not in found]
    ends = [c for c in codes if c + 1 not in found]
    return list(zip(starts, ends, strict=True))


def _segments(cmap: bytes, offset: int, glyphs: int) -> list[int]:
    count = struct.unpack_from(">H", cmap, offset + 6)[0] // 2
    at = offset + 14
    ends = struct.unpack_from(f">{count}H", cmap, at)
    starts = struct.unpack_from(f">{count}H", cmap, at + 2 * count + 2)
    deltas = struct.unpack_from(f">{count}H", cmap, at + 4 * count + 2)
    places = struct.unpack_from(f">{count}H", cmap, at + 6 * count + 2)
    found = []
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        for code in range(start, end + 1):
            glyph = code
            if places[i]:
                glyph = struct.unpack_from(">H", cmap, at + 6 * count + 2 + 2 * i + places[i] + 2 * (code - start))[0]
                if glyph == 0:
                    continue
            if 0 < (glyph + deltas[i]) % 0x10000 < glyphs:
                found.append(code)
    return found


if __name__ == "__main__":
    serve()
