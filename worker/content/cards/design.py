"""Card designs as data: templates/cards/<design>.toml read and checked."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import MISSING, dataclass, fields, is_dataclass
from types import UnionType
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from worker.content.cards.fonts import Family
from worker.errors import HandbillError, NotFound
from worker.paths import TEMPLATES

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Boxes:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """A rectangle of one colour, or blending into a second from top to bottom."""

    kind: Literal["fill"]
    colour: str
    to: str = ""
    box: Boxes = EVERYWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Where the photo goes; ``keeps`` is the part of it, 0 to 1, that must be seen there at least.

    ``clear`` is the part of its subject, such as a face, that words may not cover.
    """

    kind: Literal["photo"]
    box: Boxes = EVERYWHERE
    keeps: float = 0.0
    clear: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shade:
    """A dark veil over the photo, rising from nothing to as much as the words below need."""

    kind: Literal["shade"]
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A short bar between two texts."""

    kind: Literal["rule"]
    width: float
    height: float
    colour: str
    before: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Logo:
    """The brand's logo; no design asks for it, every layout has a corner for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Texts one under another in a box, held to its top, middle or bottom; ``inset`` as ``Words.size``."""

    kind: Literal["stack"]
    box: Boxes = EVERYWHERE
    inset: tuple[float, float] = (7.0, 7.0)
    hold: Literal["top", "middle", "bottom"] = "bottom"
    items: tuple[Words | Rule, ...]


Layer = Fill | Picture | Shade | Stack


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """One design. ``needs`` are what it cannot be drawn without; ``otherwise`` names the design taken then."""

    label: str
    needs: tuple[Literal["photo", "number", "points", "kicker"], ...] = ()
    otherwise: str = ""
    background: str
    layers: tuple[Layer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """Colours that go together: a deep ground and a bright accent that reads on it."""

    deep: str
    accent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Colours:
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
        return cast(
            "Design", _read(Design, tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8")), "design")
        )
    except ValueError as error:  # of the TOML, or of what it says
        why = str(error).replace("\n", " ")
        raise HandbillError(f"templates/cards/{name}.toml cannot be used", why=why, do="Correct the file") from error


@functools.cache
def colours() -> Colours:
    """The colours all designs share."""
    return cast(
        "Colours", _read(Colours, tomllib.loads((FOLDER / f"{COLOURS}.toml").read_text(encoding="utf-8")), "colours")
    )


# A checker as large as these records need: pydantic and its settings would be a fifth of a drawing process' memory.


def _read(kind: Any, value: Any, where: str) -> Any:
    """``value`` as a ``kind``, a record above or a type that they use; raises ValueError that names the place."""
    if is_dataclass(kind):
        return _record(kind, value, where)
    origin, parts = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return _one_of(parts, value, where)
    if origin is tuple and isinstance(value, list):
        kinds = (parts[0],) * len(value) if parts[-1] is Ellipsis else parts
        if len(kinds) != len(value):
            raise ValueError(f"{where} has {len(value)} values, not {len(kinds)}")
        return tuple(_read(k, v, f"{where}[{n}]") for n, (k, v) in enumerate(zip(kinds, value, strict=True)))
    if origin is dict and isinstance(value, dict):
        return {str(k): _read(parts[1], v, f"{where}.{k}") for k, v in value.items()}
    if kind is float and type(value) is int:
        return float(value)
    if value not in parts if origin is Literal else type(value) is not kind:
        raise ValueError(f"{where} is {value!r}, which it may not be")
    return value


def _one_of(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    """A record of the kind that its ``kind`` names, or a box that may be left out."""
    records = {get_args(get_type_hints(k)["kind"])[0]: k for k in kinds if is_dataclass(k)}
    if not records:
        return _read(kinds[0], value, where)
    if not isinstance(value, dict) or value.get("kind") not in records:
        raise ValueError(f"{where} has no kind of {', '.join(records)}")
    return _read(records[value["kind"]], value, where)


def _record(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{where} is {value!r} and no table")  # noqa: TRY004 - all of them are one kind of mistake
    hints, known = get_type_hints(kind), {f.name: f for f in fields(kind)}
    if unknown := value.keys() - known.keys():
        raise ValueError(f"{where} has {', '.join(sorted(unknown))}, which it may not")
    lacking = [n for n, f in known.items() if f.default is MISSING and n not in value]
    if lacking:
        raise ValueError(f"{where} lacks {', '.join(lacking)}")
    return kind(**{n: _read(hints[n], v, f"{where}.{n}") for n, v in value.items()})
