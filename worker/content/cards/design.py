"""Card designs as data: templates/cards/<design>.toml read and checked."""

from __future__ import annotations

import functools
import tomllib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from worker.content.cards.fonts import Family
from worker.errors import HandbillError, NotFound
from worker.settings import TEMPLATES

FOLDER = TEMPLATES / "cards"
COLOURS = "colours"  # the file beside the designs that holds the colours a site may get

Shape = Literal["wide", "square", "tall", "story"]
Box = tuple[float, float, float, float]
Source = Literal["title", "kicker", "author", "site", "number", "quote", "initial", "points"]


def shape(size: tuple[int, int]) -> Shape:
    """The name of a card's proportions."""
    ratio = size[0] / size[1]
    if ratio >= 1.2:
        return "wide"
    if ratio >= 0.9:
        return "square"
    return "tall" if ratio >= 0.6 else "story"


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Boxes(_Data):
    """A rectangle per shape as (left, top, right, bottom) in percent; a shape not given takes the next wider one's."""

    wide: Box
    square: Box | None = None
    tall: Box | None = None
    story: Box | None = None

    def at(self, size: tuple[int, int], *, mirrored: bool) -> tuple[int, int, int, int]:
        """The rectangle in pixels on a card of ``size``, mirrored for scripts read from the right."""
        order: dict[Shape, tuple[Box | None, ...]] = {
            "wide": (self.wide,),
            "square": (self.square, self.wide),
            "tall": (self.tall, self.square, self.wide),
            "story": (self.story, self.tall, self.square, self.wide),
        }
        left, top, right, bottom = next(b for b in order[shape(size)] if b is not None)
        if mirrored:
            left, right = 100 - right, 100 - left
        width, height = size
        return (
            round(left * width / 100),
            round(top * height / 100),
            round(right * width / 100),
            round(bottom * height / 100),
        )


EVERYWHERE = Boxes(wide=(0, 0, 100, 100))


class Fill(_Data):
    """A rectangle of one colour, or blending into a second from top to bottom."""

    kind: Literal["fill"]
    colour: str
    to: str = ""
    box: Boxes = EVERYWHERE


class Picture(_Data):
    """Where the photo goes."""

    kind: Literal["photo"]
    box: Boxes = EVERYWHERE


class Shade(_Data):
    """A dark veil over the photo, rising from nothing to as much as the words below need."""

    kind: Literal["shade"]
    colour: str


class Words(_Data):
    """One text of a stack. ``size`` is smallest and largest in hundredths of √(width · height)."""

    kind: Literal["words"]
    of: tuple[Source, ...] = ()
    literal: str = ""
    join: str = " · "
    family: Family = "sans"
    size: tuple[float, float]
    lines: int = 1
    leading: float = 1.1
    colour: str
    fill: str = ""  # a colour makes it a label on a rounded ground
    mark: Literal["", "site", "number"] = ""  # before it, on the accent: the site's initial, or the point's number
    before: float = 0.0  # distance from what stands above
    grow: bool = False  # takes the height that the others leave


class Rule(_Data):
    """A short bar between two texts."""

    kind: Literal["rule"]
    width: float
    height: float
    colour: str
    before: float = 0.0


class Stack(_Data):
    """Texts one under another in a box, held to its top, middle or bottom; ``inset`` as ``Words.size``."""

    kind: Literal["stack"]
    box: Boxes = EVERYWHERE
    inset: tuple[float, float] = (7.0, 7.0)
    hold: Literal["top", "middle", "bottom"] = "bottom"
    items: tuple[Annotated[Words | Rule, Field(discriminator="kind")], ...]


Layer = Annotated[Fill | Picture | Shade | Stack, Field(discriminator="kind")]


class Design(_Data):
    """One design. ``needs`` are what it cannot be drawn without; ``otherwise`` names the design taken then."""

    label: str
    needs: tuple[Literal["photo", "number", "points", "kicker"], ...] = ()
    otherwise: str = ""
    background: str
    layers: tuple[Layer, ...]


class Scheme(_Data):
    """Colours that go together: a deep ground and a bright accent that reads on it."""

    deep: str
    accent: str


class Colours(_Data):
    """Named colours, and the schemes of which a site keeps one."""

    named: dict[str, str]
    schemes: tuple[Scheme, ...]


def names() -> tuple[str, ...]:
    """Every design there is: the folder listing."""
    return tuple(sorted(p.stem for p in FOLDER.glob("*.toml") if p.stem != COLOURS))


@functools.cache
def load(name: str) -> Design:
    """Design ``name``. Raises NotFound, or HandbillError where its file is wrong."""
    if name not in names():
        raise NotFound(f"There is no card design {name!r}", do=f"Choose one of {', '.join(names())}")
    try:
        return Design.model_validate(tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8")))
    except (ValidationError, tomllib.TOMLDecodeError) as error:
        why = str(error).replace("\n", " ")
        raise HandbillError(f"templates/cards/{name}.toml cannot be used", why=why, do="Correct the file") from error


@functools.cache
def colours() -> Colours:
    """The colours all designs share."""
    return Colours.model_validate(tomllib.loads((FOLDER / f"{COLOURS}.toml").read_text(encoding="utf-8")))
