"""How long a text is, as each family of platforms counts it."""

from __future__ import annotations

from collections.abc import Callable

import regex

GRAPHEME = regex.compile(r"\X")


def codepoints(text: str) -> int:
    """Unicode code points."""
    return len(text)


def graphemes(text: str) -> int:
    """User-perceived characters (UAX #29 extended grapheme clusters)."""
    return len(GRAPHEME.findall(text))


def utf16(text: str) -> int:
    """UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


def utf8(text: str) -> int:
    """UTF-8 bytes."""
    return len(text.encode())


COUNTERS: dict[str, Callable[[str], int]] = {
    "codepoints": codepoints,
    "graphemes": graphemes,
    "utf16": utf16,
    "utf8": utf8,
}
