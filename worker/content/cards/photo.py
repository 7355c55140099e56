"""Pictures from strangers: opened safely, turned upright, in sRGB, and cropped around what matters."""

from __future__ import annotations

import functools
import io
import itertools
import warnings
from dataclasses import dataclass
from typing import cast

from PIL import Image, ImageChops, ImageCms, ImageFilter, ImageOps, UnidentifiedImageError

from worker.errors import HandbillError

Box = tuple[float, float, float, float]

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")
MOST_PIXELS = 40_000_000
MOST_BYTES = 60_000_000
LARGEST_SCALE = 1.2  # a photo stretched further than this looks like mush

Image.MAX_IMAGE_PIXELS = MOST_PIXELS
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SKIN_CB = [255 if 77 <= v <= 127 else 0 for v in range(256)]
_SKIN_CR = [255 if 136 <= v <= 173 else 0 for v in range(256)]


class BadPicture(HandbillError):
    """The picture is broken, of a kind not accepted, or too large; what it is says the message."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture whose head has been read; ``width`` and ``height`` are those of the upright picture."""

    data: bytes
    width: int
    height: int
    orientation: int

    def scale(self, size: tuple[int, int]) -> float:
        """How much the picture must be enlarged to cover ``size``; below 1 it has pixels to spare."""
        return max(size[0] / self.width, size[1] / self.height)


def probe(data: bytes) -> Photo:
    """Read the head of a picture. Raises BadPicture."""
    if len(data) > MOST_BYTES:
        raise _refused(f"it has {len(data):,} bytes; {MOST_BYTES:,} is the most")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            width, height = picture.size
            _check_size(width, height)
            orientation = _orientation(picture)
    except BadPicture:
        raise
    except Exception as error:
        raise _refused(_reason(error)) from error
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    return Photo(data, width, height, orientation if orientation in _UPRIGHT else 1)


def cropped(photo: Photo, size: tuple[int, int], seen: tuple[float, float] = (0.0, 1.0)) -> Image.Image:
    """The photo as RGB covering ``size`` exactly, cropped so that its salient part falls within ``seen``.

    ``seen`` is the part of the height, from top to bottom, that no words will cover. Raises BadPicture.
    """
    try:
        return _cropped(photo, size, seen)
    except BadPicture:
        raise
    except Exception as error:  # decoders raise whatever they like: python-pillow/Pillow#9814
        raise _refused(_reason(error)) from error


def _cropped(photo: Photo, size: tuple[int, int], seen: tuple[float, float]) -> Image.Image:
    sideways = photo.orientation in (5, 6, 7, 8)
    with Image.open(io.BytesIO(photo.data), formats=FORMATS) as opened:
        profile = opened.info.get("icc_profile")
        scale = photo.scale(size)
        wanted = (int(photo.width * scale) + 1, int(photo.height * scale) + 1)
        if opened.format in ("JPEG", "MPO"):  # telephones add a second picture and call it MPO
            opened.draft(None, (wanted[1], wanted[0]) if sideways else wanted)
        opened.load()
        _check_size(*opened.size)
        picture: Image.Image = opened
        if picture.mode not in ("RGB", "CMYK"):
            picture = _flat(picture)
        if photo.orientation != 1:
            picture = picture.transpose(_UPRIGHT[photo.orientation])
        resized = picture.resize(size, Image.Resampling.BILINEAR, box=_window(picture, size, seen))
    resized = _srgb(resized, profile)
    resized.info = {}  # the encoders would write its comment and profile again
    return resized


def _orientation(picture: Image.Image) -> int:
    """The EXIF orientation, 1 where there is none or it cannot be read: broken EXIF spoils no photo."""
    try:
        return int(picture.getexif().get(0x0112, 1))
    except Exception:  # noqa: BLE001 - the parser raises whatever it likes, and nothing else depends on it
        return 1


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise _refused(f"it has {width} × {height} pixels; {MOST_PIXELS // 1_000_000} million is the most")
    if min(width, height) < 1:
        raise _refused("it has no pixels")


def _refused(why: str) -> BadPicture:
    kinds = "JPEG, PNG, WebP, GIF or AVIF"
    return BadPicture("The picture cannot be used", why=why, do=f"Give a {kinds} of at most 40 megapixels")


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "it is none of the kinds that are accepted"
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return f"it has more than {MOST_PIXELS // 1_000_000} million pixels"
    return f"it is damaged ({str(error).strip().rstrip('.') or type(error).__name__})"


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


def _window(picture: Image.Image, size: tuple[int, int], seen: tuple[float, float]) -> Box:
    """The part of ``picture``, of the shape of ``size``, that holds most of what the eye looks for."""
    width, height = picture.size
    scale = max(size[0] / width, size[1] / height)
    part = (min(width, size[0] / scale), min(height, size[1] / scale))
    spare = (width - part[0], height - part[1])
    if max(spare) < 2:
        return (spare[0] / 2, spare[1] / 2, spare[0] / 2 + part[0], spare[1] / 2 + part[1])
    along = 0 if spare[0] > spare[1] else 1
    weights = _profile(picture, along)
    cells = len(weights)
    length = part[along] / (width, height)[along] * cells
    span = (0.0, 1.0) if along == 0 else seen
    start = _best(weights, length, span) / cells * (width, height)[along]
    left, top = (min(start, spare[0]), spare[1] / 2) if along == 0 else (spare[0] / 2, min(start, spare[1]))
    return (left, top, left + part[0], top + part[1])


def _profile(picture: Image.Image, along: int) -> list[float]:
    """Salience along the width (0) or height (1): edges, skin and strong colour, on a thumbnail of 64 pixels."""
    width, height = picture.size
    factor = 64 / max(width, height)
    small = (max(8, round(width * factor)), max(8, round(height * factor)))
    thumb = picture.resize((small[0] * 4, small[1] * 4), Image.Resampling.NEAREST).reduce(4).convert("RGB")
    edges = thumb.convert("L").filter(ImageFilter.FIND_EDGES)
    edges = ImageOps.expand(edges.crop((1, 1, small[0] - 1, small[1] - 1)), 1, 0)
    _, cb, cr = thumb.convert("YCbCr").split()
    skin = ImageChops.multiply(cb.point(_SKIN_CB), cr.point(_SKIN_CR))
    colour = thumb.convert("HSV").getchannel("S")
    salience = Image.merge("RGB", (edges, skin, colour)).convert("L", (1.0, 0.35, 0.35, -30))
    line = salience.resize((small[0], 1) if along == 0 else (1, small[1]), Image.Resampling.BOX)
    return [float(value) + 0.5 for value in line.tobytes()]


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
