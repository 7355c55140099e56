"""From words and perhaps a photo to one card: which design suits them, and bytes under the limit."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import regex
from PIL import Image

from worker.content.cards import design as designs
from worker.content.cards import text
from worker.content.cards.brand import Kit, logo
from worker.content.cards.design import Design, Picture, Scheme
from worker.content.cards.layout import Sheet
from worker.content.cards.paint import Unshown, paint
from worker.content.cards.photo import LARGEST_SCALE, LARGEST_SIDE, Photo, cropping, probe
from worker.errors import HandbillError

_SMALLEST = 200  # pixels a side
_KICKER, _POINT, _POINTS = 60, 140, 4
_BEST, _WORST = 85, 15  # qualities of JPEG and WebP
_COLOURS = (0, 256, 96, 32)  # PNG has no quality: fewer colours make it smaller, and 0 keeps them all
_ENCODERS = ("image/jpeg", "image/png", "image/webp")
_NUMBER = regex.compile(
    r"(?P<money>(?:[$€£¥₹₩₺₽]|CHF|US\$|R\$)\s?)?"
    r"(?<![A-Za-z\p{N}.,]|[A-Za-z]-)\p{Nd}+(?P<thousands>[.,٬ \u00a0\u202f’']\p{Nd}{3}(?!\p{Nd}))*(?:[.,٫:]\p{Nd}+)?"
    rf"(?P<unit>\s?(?:%|％|٪|‰|°C|°F|°|€|₽|₴|zł|億|亿|万|萬|兆|조|억|만|퍼센트|พันล้าน|ล้าน|แสน|หมื่น|พัน|เปอร์เซ็นต์)"
    rf"|(?:m|bn|k|km)\b|\s(?:{text.MAGNITUDES})(?![\p{{L}}\p{{M}}]))?"
)
_YEARS = range(1700, 2100)
_ARTICLE = regex.compile(  # English, German, Dutch, French, Spanish, Italian, Portuguese; never the whole name
    r"^\W*(?:(?:the|an?|der|die|das|de|het|les?|la|el|l[oa]s|il|lo|gli|os?|as)\s+|l['’])(?=\w)", regex.I
)
_QUOTES = "\"'“”„‟«»‹›‘’‚「」『』"


@dataclass(frozen=True, slots=True)
class Card:
    """A share picture. ``alt`` says exactly what stands on it; ``notes`` what could not be shown as asked; ``photo``
    whether the photo is to be seen, in whatever design.
    """

    content: bytes
    mime: str
    width: int
    height: int
    alt: str
    design: str
    notes: tuple[str, ...] = ()
    photo: bool = False


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
    brand: Kit | None = None,
    focus: tuple[float, float] | None = None,
) -> Card:
    """Draw one card of ``size`` pixels in at most ``max_bytes``; the same arguments always give the same bytes.

    Without ``design`` it is the brand's, else ``photo`` where a photo is given, else ``solid``. A design that the photo
    or the words do not suit gives way to the one its file names; ``Card.design`` says which was drawn and
    ``Card.notes`` why.
    ``focus`` is the point of the photo (0 to 1 from left and top) to keep in the middle; else its salient part is.
    Raises BadPicture for a photo that cannot be used, HandbillError for a size, kind or limit that cannot be met.
    """
    if not all(_SMALLEST <= side <= LARGEST_SIDE for side in size):
        asked = f"{size[0]} × {size[1]} pixels"
        raise HandbillError(f"A card of {asked} cannot be drawn", do=f"Ask for {_SMALLEST} to {LARGEST_SIDE} a side")
    if mime not in _ENCODERS:
        raise HandbillError(f"A card cannot be written as {mime}", do=f"Ask for one of {', '.join(_ENCODERS)}")
    words, missing = _words(title=title, site=site, author=author, kicker=kicker, language=language, points=points)
    notes = [f"no font draws {' '.join(missing)}"] if missing else []
    picture = probe(photo) if photo is not None else None
    kit = brand or Kit()
    name = design or kit.design or ("photo" if picture else "solid")
    rtl = text.is_rtl("".join(words["title"] or words["site"]), language)
    sheet = Sheet(size, words, language, rtl, kit.families(), kit.corner)
    sheet = dataclasses.replace(sheet, logo=kit.logo_size(sheet.unit))
    unshown: dict[str, str] = {}  # by design: what was wrong with the photo once it was open
    while True:
        chosen = designs.load(name)
        misfit = unshown.get(name) or _misfit(chosen, picture, sheet)
        why = _unsuited(chosen, misfit, sheet)
        placed = None if why else sheet.place(chosen)
        if placed is None and not chosen.otherwise:
            placed = sheet.place(chosen, shortened=True)
        if placed is not None:
            shown = None if misfit else picture
            try:
                canvas = paint(chosen, sheet, placed, shown, kit.scheme or _scheme(site), logo=_logo(kit), focus=focus)
            except Unshown as error:
                unshown[name] = str(error)
                if "photo" not in chosen.needs:
                    notes.append(f"{name} is drawn without the photo: {error}")
                continue
            break
        notes.append(f"{name} was not used: {why or 'the words do not fit it'}")
        name = chosen.otherwise
    said = [item.said for item in placed if item.said]
    if shown and photo_alt:
        said.append(" ".join(photo_alt.split()))
    return Card(_encode(canvas, mime, max_bytes), mime, *size, _sentences(said), name, tuple(notes), shown is not None)


def plain(
    photo: bytes,
    *,
    size: tuple[int, int],
    alt: str = "",
    max_bytes: int = 5_000_000,
    mime: str = "image/jpeg",
    focus: tuple[float, float] | None = None,
) -> Card:
    """The photo itself, without a word on it, in ``size`` and at most ``max_bytes``; raises as ``draw`` does."""
    with cropping(probe(photo), size, (0.0, 1.0), focus) as cropped:
        return Card(_encode(cropped().picture, mime, max_bytes), mime, *size, alt, "plain", photo=True)


def _words(
    *, title: str, site: str, author: str, kicker: str, language: str, points: Sequence[str]
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Every source a design may ask for as the texts it stands for, cleaned; and the characters left out."""
    found: dict[str, tuple[str, ...]] = {}
    missing: list[str] = []

    def add(source: str, values: Sequence[str], limit: int) -> None:
        cleaned = [text.clean(value, "sans", language) for value in values]
        found[source] = tuple(text.shorten(kept, limit) for kept, _ in cleaned if kept)
        missing.extend(character for _, lost in cleaned for character in lost)

    add("title", (title,), text.LONGEST)
    add("site", (site,), _KICKER)
    add("author", (author,), _KICKER)
    add("kicker", (kicker,), _KICKER)
    add("points", points[:_POINTS], _POINT)
    headline = "".join(found["title"])
    found["number"] = _number(headline)
    quoted = headline[:1] in _QUOTES and headline[-1:] in _QUOTES
    bare = headline.strip(_QUOTES + " ") if quoted else headline
    found["quote"] = (bare,) if bare else ()
    name = _ARTICLE.sub("", "".join(found["site"]))
    initial = regex.match(r"\W*(\w\p{M}*|\X)", name)
    found["initial"] = (initial.group(1).upper(),) if initial else ()
    return found, tuple(dict.fromkeys(missing))


def _number(headline: str) -> tuple[str, ...]:
    """The number a headline is about: money or a share first, then a quantity, never a year; or none."""
    found = [match for match in _NUMBER.finditer(headline) if len(match.group()) <= 14]
    kept = [match for match in found if not (match.group().isdecimal() and int(match.group()) in _YEARS)]
    return tuple(m.group().strip() for m in sorted(kept, key=_weight)[:1])


def _weight(match: regex.Match[str]) -> tuple[bool, bool, int]:
    return not (match["money"] or match["unit"]), not match["thousands"], -len(match.group())


def _logo(kit: Kit) -> Image.Image | None:
    return logo(kit.logo) if kit.logo else None


def _scheme(site: str) -> Scheme:
    """The colours of a site: the same for ever, different from most others'."""
    schemes = designs.colours().schemes
    return schemes[int(hashlib.sha256(f"colours\x1f{site.casefold()}".encode()).hexdigest()[:20], 16) % len(schemes)]


def _misfit(chosen: Design, picture: Photo | None, sheet: Sheet) -> str:
    """Why the design cannot show the photo: it would stretch this one to mush, say, or cut too much off. Or nothing."""
    layers = [layer for layer in chosen.layers if isinstance(layer, Picture)]
    if picture is None or not layers:
        return "there is no photo" if picture is None else "it shows no photo"
    for layer in layers:
        left, top, right, bottom = layer.box.at(sheet.size, mirrored=sheet.rtl)
        size = (right - left, bottom - top)
        if picture.scale(size) > LARGEST_SCALE:
            least = " × ".join(str(math.ceil(side / LARGEST_SCALE)) for side in size)
            return f"the photo has only {picture.width} × {picture.height} pixels, and {least} are wanted"
        if picture.seen(size) < layer.keeps:
            return f"only {picture.seen(size):.0%} of the photo would be seen"
    return ""


def _unsuited(chosen: Design, misfit: str, sheet: Sheet) -> str:
    """Why a design cannot be used, or nothing."""
    for need in chosen.needs:
        if need == "photo" and misfit:
            return misfit
        if need != "photo" and not sheet.words[need]:
            return f"there is no {need}"
    return ""


def _sentences(said: Sequence[str]) -> str:
    """Texts as one: each ends in the punctuation it has, or in a full stop."""
    return " ".join(s if s[-1] in ".!?…。！？:؟।" else f"{s}." for s in said)


def _encode(canvas: Image.Image, mime: str, max_bytes: int) -> bytes:
    """The picture in at most ``max_bytes``: at the best quality that keeps within them."""
    if mime == "image/png":
        data = next((d for d in (_encoded(canvas, mime, colours) for colours in _COLOURS) if len(d) <= max_bytes), b"")
    else:
        data = _searched(canvas, mime, max_bytes)
    if data:
        return data
    raise HandbillError(
        f"A card of {canvas.width} × {canvas.height} pixels does not fit in {max_bytes:,} bytes",
        do="Ask for a smaller size or allow more bytes",
    )


def _searched(canvas: Image.Image, mime: str, max_bytes: int) -> bytes:
    """The picture at the highest quality that keeps within ``max_bytes``, or nothing: halves what is left to try."""
    best = _encoded(canvas, mime, _BEST)
    if len(best) <= max_bytes:
        return best
    found, low, high = b"", _WORST, _BEST - 1
    while low <= high:
        quality = (low + high) // 2
        data = _encoded(canvas, mime, quality)
        if len(data) <= max_bytes:
            found, low = data, quality + 1
        else:
            high = quality - 1
    return found


def _encoded(canvas: Image.Image, mime: str, quality: int) -> bytes:
    data = io.BytesIO()
    if mime == "image/jpeg":
        canvas.save(data, "JPEG", quality=quality, subsampling="4:2:0")
    elif mime == "image/webp":
        canvas.save(data, "WEBP", quality=quality, method=2)
    else:
        reduced = canvas.quantize(quality, Image.Quantize.MEDIANCUT) if quality else canvas
        reduced.save(data, "PNG", compress_level=6 if quality else 3)
    return data.getvalue()
