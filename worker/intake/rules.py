"""Which articles of a source are taken (pure): patterns by field, how people write them, and why one is not taken."""

from __future__ import annotations

import fnmatch
import functools
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from worker.errors import HandbillError
from worker.intake.model import INBOX, Rules

FIELDS = ("tag", "author", "language", "title", "address")
LOOSE = frozenset({"title", "address"})
"""Fields in which a pattern without ``*`` may stand anywhere; of the others it is the whole."""

MOST_PATTERNS, LONGEST_PATTERN, LONGEST_VALUE = 100, 200, 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of an article so far; an empty field is not known."""

    tags: tuple[str, ...] = ()
    author: str = ""
    language: str = ""
    title: str = ""
    address: str = ""

    def of(self, name: str) -> tuple[str, ...]:
        """The values of a field of the rules."""
        if name == "tag":
            return self.tags
        value: str = getattr(self, name)
        return (value,) if value else ()


def against(rules: Rules, facts: Facts, *, whole: bool) -> str:
    """Why the rules do not take an article with these facts, "" if they do.

    Unless the ``whole`` article is known, a field that is still empty decides nothing.
    """
    for name, patterns in rules.exclude.items():
        for value in facts.of(name):
            if pattern := fitting(name, value, patterns):
                return f"{name} {value!r} is excluded by {pattern!r}"
    for name, patterns in rules.include.items():
        values = facts.of(name)
        if not values and not whole:
            continue
        if patterns and not any(fitting(name, v, patterns) for v in values):
            said = ", ".join(repr(v) for v in values[:5]) or "none"
            return f"{name} {said} is not among {', '.join(repr(p) for p in patterns[:5])}"
    return ""


def fitting(name: str, value: str, patterns: Iterable[str]) -> str:
    """The first pattern that ``value`` of field ``name`` fits, "" if it fits none."""
    plain = _plain(value[:LONGEST_VALUE])
    return next((p for p in patterns if _pattern(name, p).match(plain)), "")


@functools.lru_cache(maxsize=4096)
def _pattern(name: str, pattern: str) -> re.Pattern[str]:
    text = _plain(pattern)
    if name in LOOSE and not set(text) & set("*?"):
        text = f"*{text}*"
    if name == "language" and not set(text) & set("*?"):
        return re.compile(rf"{re.escape(text)}(?:[-_].*)?\Z", re.DOTALL)
    # Only * and ? mean anything; fnmatch makes each * atomic, so no text takes longer than its length times theirs.
    return re.compile(fnmatch.translate(re.sub(r"\*+", "*", text).replace("[", "[[]")))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()


def read(lines: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Patterns as people write them, one a line: ``tag: Sport`` or ``title: *live*``; raises HandbillError."""
    found: dict[str, list[str]] = {}
    for line in filter(None, (raw.strip() for raw in lines)):
        name, mark, pattern = line.partition(":")
        name = {"category": "tag", "categories": "tag", "tags": "tag", "url": "address", "link": "address"}.get(
            name.strip().lower(), name.strip().lower()
        )
        pattern = pattern.strip()
        if not mark or name not in FIELDS or not pattern:
            do = f"Write one of {', '.join(FIELDS)}, a colon and a pattern, such as tag: Sport"
            raise HandbillError(f"{line[:80]!r} is no rule", do=do)
        if len(pattern) > LONGEST_PATTERN:
            raise HandbillError(f"A pattern of {len(pattern)} signs is too long", do=f"Use at most {LONGEST_PATTERN}")
        found.setdefault(name, []).append(pattern)
    if sum(map(len, found.values())) > MOST_PATTERNS:
        raise HandbillError("There are too many rules", do=f"Use at most {MOST_PATTERNS}")
    return {name: tuple(dict.fromkeys(patterns)) for name, patterns in found.items()}


def lines(patterns: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The same as people write it."""
    return [f"{name}: {pattern}" for name, found in patterns.items() for pattern in found]


def checked(**values: Any) -> Rules:
    """Rules of these values; raises HandbillError naming what cannot be."""
    rules = Rules(**values)
    if rules.at not in {"now", "slot", INBOX}:
        raise HandbillError(f"{rules.at!r} is no time for a rule", do="Use now, slot or inbox")
    if not 0 <= rules.delay <= 10_080:
        raise HandbillError(f"A delay of {rules.delay} minutes cannot be", do="Give 0 to 10080 minutes")
    if not 0 <= rules.most <= 1000:
        raise HandbillError(f"{rules.most} articles a day cannot be", do="Give 0 (any number) to 1000")
    return rules
