"""Share cards: one picture per size, drawn from a title, a site's name and perhaps a photo."""

from __future__ import annotations

from worker.content.cards.card import Card, draw
from worker.content.cards.design import names
from worker.content.cards.fonts import missing
from worker.content.cards.photo import BadPicture

DESIGNS = names()

__all__ = ["DESIGNS", "BadPicture", "Card", "draw", "missing"]
