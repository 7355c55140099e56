"""What a site's robots.txt allows us (pure): RFC 9309, the longest rule wins, ``*`` and ``$`` as there."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, urlsplit

NAME = "handbill"
MOST_BYTES = 512_000
MOST_RULES = 5000
SAFE = "!#$%&'()*+,/:;=?@[]~"


class Robots:
    """The rules for us in a robots.txt; ``delay`` is the seconds it wants between two requests."""

    def __init__(self, text: str = "", *, closed: bool = False) -> None:
        self._closed = closed
        self._rules, self.delay = _rules(text) if text else ([], 0.0)

    def allows(self, url: str) -> bool:
        """Whether ``url`` may be asked for."""
        parts = urlsplit(url)
        path = _plain(parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if path == "/robots.txt":
            return True
        if self._closed:
            return False
        best = max(((len(p), ok) for p, ok in self._rules if _fits(p, path)), default=(0, True))
        return best[1]


def _rules(text: str) -> tuple[list[tuple[str, bool]], float]:
    groups: dict[str, list[tuple[str, bool]]] = {}
    delays: dict[str, float] = {}
    names: list[str] = []
    ended = True
    for line in text.splitlines()[: 4 * MOST_RULES]:
        key, _, value = (p.strip() for p in line.partition("#")[0].partition(":"))
        key = key.lower()
        if key == "user-agent":
            if ended:
                names, ended = [], False
            names.append(value.partition("/")[0].strip().lower())
            groups.setdefault(names[-1], [])
        elif key in {"allow", "disallow"}:
            ended = True
            if value:
                for name in names:
                    groups[name].append((_plain(value), key == "allow"))
        elif key == "crawl-delay":
            ended = True
            if re.fullmatch(r"\d{1,4}(?:\.\d{1,3})?", value):
                delays.update(dict.fromkeys(names, float(value)))
    ours = NAME if NAME in groups else "*"
    return groups.get(ours, [])[:MOST_RULES], delays.get(ours, 0.0)


def _fits(pattern: str, path: str) -> bool:
    """Whether a rule's pattern fits the start of a path; each ``*`` is found once, so it takes no longer than both."""
    whole = pattern.endswith("$")
    first, *rest = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    at = len(first)
    for number, piece in enumerate(rest):
        if whole and number == len(rest) - 1:
            return path.endswith(piece) and len(path) - len(piece) >= at
        at = path.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return not whole or at == len(path) or bool(rest and not rest[-1])


def _plain(path: str) -> str:
    return quote(unquote(path), SAFE)
