"""What a platform takes: numbers that shape a post, overridden by what an instance says of itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from publishers.core import counting


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits shape a post and never veto it; the platform's refusal does.

    ``text`` is in units of ``counting`` (a name in ``counting.COUNTERS``); ``caption`` replaces it when a picture
    is attached; ``text_bytes`` is a second bound in UTF-8 bytes; ``alt`` is in code points, 0 = no field for it;
    ``cards`` are the picture sizes the platform shows best, in pixels, best first; ``thread`` says that one message
    may answer another of the same account, ``comment`` that what answers a post stands under it as a comment;
    ``link_card`` that a link shows as a card; ``warning`` that a content warning may stand before the text, whose
    length counts as the text's does; ``labels`` are the only warnings there are, where words of one's own are not.
    """

    text: int
    counting: str = "codepoints"
    caption: int | None = None
    text_bytes: int | None = None
    title: int = 0
    hashtags: int = 3
    media: int = 1
    media_bytes: int = 5_000_000
    media_types: tuple[str, ...] = ("image/jpeg", "image/png")
    alt: int = 0
    cards: tuple[tuple[int, int], ...] = ((1200, 630),)
    link_in_text: bool = True
    link_card: bool = True
    thread: bool = False
    comment: bool = False
    warning: bool = False
    labels: tuple[str, ...] = ()

    def length(self, text: str) -> int:
        """The length of ``text`` as this platform counts it."""
        return counting.COUNTERS[self.counting](text)

    def room(self, *, media: bool) -> int:
        """How long the text may be, with or without a picture."""
        return self.caption if media and self.caption is not None else self.text

    def fits(self, text: str, *, media: bool) -> bool:
        """Whether ``text`` may be sent as it stands."""
        if self.text_bytes is not None and len(text.encode()) > self.text_bytes:
            return False
        return self.length(text) <= self.room(media=media)

    def override(self, numbers: Mapping[str, Any]) -> Limits:
        """These limits with what an instance reports of itself.

        Names this record does not know, values of another kind and negative numbers are ignored; lists become tuples.
        """
        known = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        given = {k: _frozen(v) for k, v in numbers.items() if k in known}
        return dataclasses.replace(self, **{k: v for k, v in given.items() if _usable(k, v, known[k])})


def _frozen(value: Any) -> Any:
    return tuple(_frozen(v) for v in value) if isinstance(value, (list, tuple)) else value


def _usable(name: str, value: Any, default: Any) -> bool:
    if name == "counting":
        return value in counting.COUNTERS
    if name in {"caption", "text_bytes"}:
        return value is None or (type(value) is int and value > 0)
    if name == "text":
        return type(value) is int and value > 0
    if isinstance(default, tuple):
        return isinstance(value, tuple) and bool(value)
    return type(value) is type(default) and value >= 0
