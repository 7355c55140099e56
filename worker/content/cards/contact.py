"""A contact sheet: every design in every size and script on one picture, for eyes that choose and mend."""

from __future__ import annotations

import io
import tomllib
from collections.abc import Sequence

from PIL import Image

from worker.content.cards.brand import Kit
from worker.content.cards.card import draw
from worker.content.cards.design import names
from worker.paths import TEMPLATES

SIZES = ((1200, 630), (1200, 1200), (1080, 1350), (1080, 1920), (1000, 1500), (1600, 900))
POINTS = ("Repairs cost £2.34 million", "9,482 crossings on the first day", "A decision follows on 3 December")

_HEIGHT, _GAP = 150, 10  # pixels of a thumbnail, and between them
_GROUND = (118, 122, 126)


def headlines() -> dict[str, str]:
    """A headline per language, one language per script at least."""
    return tomllib.loads((TEMPLATES / "sample" / "headlines.toml").read_text(encoding="utf-8"))


def contact_sheet(
    suffix: str, *, brand: Kit | None = None, languages: Sequence[str] = (), designs: Sequence[str] = ()
) -> bytes:
    """A row per language (all, or these), a group per design (all, or these), every size in it.

    ``suffix`` is that of the file it will be: .jpg, .png or .webp.
    """
    photo = (TEMPLATES / "sample" / "lead.jpg").read_bytes()
    words = {tag: title for tag, title in headlines().items() if not languages or tag in languages}
    groups = tuple(designs) or names()
    widths = [round(w * _HEIGHT / h) for w, h in SIZES]
    group = sum(widths) + _GAP * (len(widths) + 2)
    sheet = Image.new("RGB", (group * len(groups), (_HEIGHT + _GAP) * len(words) + _GAP), _GROUND)
    for row, (language, title) in enumerate(words.items()):
        for column, design in enumerate(groups):
            x = column * group + _GAP
            for size, width in zip(SIZES, widths, strict=True):
                card = draw(
                    title=title,
                    site="The Larkhaven Lantern",
                    author="Nora Whitlow",
                    language=language,
                    size=size,
                    photo=photo,
                    design=design,
                    kicker="Town",
                    points=POINTS,
                    brand=brand,
                )
                with Image.open(io.BytesIO(card.content)) as drawn:
                    small = drawn.resize((width, _HEIGHT), Image.Resampling.BOX, reducing_gap=2)
                sheet.paste(small, (x, row * (_HEIGHT + _GAP) + _GAP))
                x += width + _GAP
    data = io.BytesIO()
    sheet.save(data, {".png": "PNG", ".webp": "WEBP"}.get(suffix.lower(), "JPEG"), quality=88)
    return data.getvalue()
