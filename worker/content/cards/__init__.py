"""Share cards: one picture per size, drawn from a title, a site's name and perhaps a photo."""

from __future__ import annotations

from worker.content.cards.brand import CORNERS, Kit, check_design, check_font, scheme
from worker.content.cards.card import Card, draw, plain
from worker.content.cards.contact import contact_sheet
from worker.content.cards.design import names
from worker.content.cards.fonts import missing
from worker.content.cards.photo import BadFont, BadPicture, logo, probe
from worker.content.cards.plot import Bar, plot

DESIGNS = names()

__all__ = [
    "CORNERS",
    "DESIGNS",
    "BadFont",
    "BadPicture",
    "Bar",
    "Card",
    "Kit",
    "check_design",
    "check_font",
    "contact_sheet",
    "draw",
    "logo",
    "missing",
    "plain",
    "plot",
    "probe",
    "scheme",
]
