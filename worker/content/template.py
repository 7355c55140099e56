"""What a post template says: its slots, its directives, and what a person wrote into it themselves."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import regex

from publishers.core import counting
from worker.errors import HandbillError

SLOTS = ("title", "summary", "link", "hashtags", "author", "site", "tags")
DIRECTIVES = {
    "sentences": "[0-9]{1,3}",
    "summary": "[0-9]{1,5}",
    "hashtags": "(?:[0-9]{1,2}-)?[0-9]{1,2}",
    "paragraphs": "yes|no",
}
EXAMPLES = {"sentences": "2", "summary": "280", "hashtags": "3-5", "paragraphs": "yes"}


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a template's line: literal text or a slot; ``type`` and ``value`` are those of a facet."""

    text: str
    type: Literal["slot", "plain", "link", "tag"] = "plain"
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template as it is read: its lines, and what its directives ask for (None = no bound).

    Of ``hashtags``, those beyond ``enough`` give way to one more sentence.
    """

    lines: tuple[tuple[Piece, ...], ...]
    sentences: int = 2
    summary: int | None = None
    enough: int = 1
    hashtags: int | None = None
    paragraphs: bool = False


def load_template(platform: str, folder: Path) -> str:
    """The text of the platform's template in ``folder``, or of the default one.

    Raises HandbillError if there is none or it cannot be used.
    """
    path = next((p for p in (folder / f"{platform}.txt", folder / "default.txt") if p.is_file()), None)
    if path is None:
        raise HandbillError(f"There is no post template in {folder}", do="Put default.txt back")
    text = path.read_text(encoding="utf-8")
    parse(text, str(path))
    return text


@functools.lru_cache(maxsize=64)
def parse(template: str, name: str) -> Template:
    """What a template says; ``name`` stands in the HandbillError that names a line which cannot be used.

    First come directives, one a line: ``# sentences: 2`` (at most so many in the summary), ``# summary: 280`` (at most
    so long, in the platform's counting), ``# hashtags: 3-5`` (five, or three to make room for one more sentence; one
    number alone is the most), ``# paragraphs: yes`` (one for each sentence). The rest is the post, with the slots of
    ``SLOTS`` in braces; a line whose slots are all empty vanishes, and so does a blank line too many.
    """
    said: dict[str, str] = {}
    lines: list[tuple[Piece, ...]] = []
    for number, line in enumerate(template.splitlines(), 1):
        if not any(lines) and (found := regex.fullmatch(r"#\s+(\w+)\s*:\s*(.*?)\s*", line)):
            _check(found[1], found[2], f"{name}, line {number}")
            said[found[1]] = found[2]
        else:
            lines.append(tuple(_pieces(line.rstrip(), f"{name}, line {number}")))
    enough, _, most = said.get("hashtags", "").rpartition("-")
    told = any(p == Piece("summary", "slot") for line in lines for p in line)
    return Template(
        lines=tuple(lines),
        sentences=int(said.get("sentences", 2)) if told else 0,
        summary=int(said["summary"]) if "summary" in said else None,
        enough=int(enough or 1),
        hashtags=int(most) if most else None,
        paragraphs=said.get("paragraphs") == "yes",
    )


def _check(name: str, value: str, place: str) -> None:
    """Raise HandbillError if a directive does not exist or cannot have this value."""
    if name not in DIRECTIVES:
        do = f"Use one of: {', '.join(DIRECTIVES)}"
        raise HandbillError(f"{place} cannot be used", why=f"there is no directive {name!r}", do=do)
    if not regex.fullmatch(DIRECTIVES[name], value):
        do = f"Write it like: # {name}: {EXAMPLES[name]}"
        raise HandbillError(f"{place} cannot be used", why=f"{value!r} is no value for {name}", do=do)


def _pieces(line: str, place: str) -> Iterator[Piece]:
    done = 0
    for found in regex.finditer(r"\{([a-z]*)\}|[{}]", line):
        if found[1] not in SLOTS:
            why = f"there is no {found[0]}" if found[1] is not None else f"{found[0]} stands alone"
            do = f"Use {', '.join(f'{{{s}}}' for s in SLOTS)}"
            raise HandbillError(f"{place} cannot be used", why=why, do=do)
        yield from _literal(line[done : found.start()])
        yield Piece(found[1], "slot")
        done = found.end()
    yield from _literal(line[done:])


def _literal(text: str) -> Iterator[Piece]:
    """What a person wrote into the template, its own hashtags and links marked."""
    marked: list[tuple[counting.Span, Literal["link", "tag"]]] = [(s, "tag") for s in counting.hashtags(text)]
    marked += [(s, "link") for s in counting.urls(text) if "://" in text[slice(*s)]]
    done = 0
    for (start, end), kind in sorted(marked):
        yield Piece(text[done:start])
        yield Piece(text[start:end], kind, text[start:end].lstrip("#＃") if kind == "tag" else text[start:end])
        done = end
    yield Piece(text[done:])
