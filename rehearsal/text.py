"""How platforms find links, tags and mentions in plain text: stand-in rules, kept apart from Handbill's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import regex

ZONES = (
    "com|org|net|edu|gov|info|biz|io|dev|app|ai|news|blog|eu|de|at|ch|fr|uk|es|it|nl|pl|se|no|fi|dk|jp|in|br|us|ca|au"
)
WEB = regex.compile(
    rf"(?<![\p{{L}}\p{{N}}@.$#/])(?:https?://[^\s<>\"]+|(?:[a-z0-9-]+\.)+(?:{ZONES})(?![\p{{L}}\p{{N}}.-])(?:/[^\s<>\"]*)?)",
    regex.IGNORECASE,
)
TAG = regex.compile(r"(?<![\p{L}\p{M}\p{N}_&/#])[#\uff03]([\p{L}\p{M}\p{N}_]*[\p{L}\p{M}_][\p{L}\p{M}\p{N}_]*)")
MENTION = regex.compile(r"(?<![\p{L}\p{N}_@/])@([A-Za-z0-9_]+(?:@[A-Za-z0-9.-]+[A-Za-z0-9])?)")
CLUSTER = regex.compile(r"\X")


ELEMENT = regex.compile(
    r"(?P<url>https?://[^\s<>]+)|\\(?P<escaped>[^0-9A-Za-z\s])"
    r"|\[(?P<said>(?:\\.|[^\]\\])+)\]\((?P<to>https?://[^\s)]+)\)"
    r"|(?P<call>(?<![\w@])@(?:\*\*)?\w[\w.-]*)"
    r"|(?P<markup>\*+|_+|~+|`+|(?<![^\n])(?:#{1,6}|>|[-+]|\d+[.)]) )"
)


def read_markdown(content: str) -> tuple[str, list[dict[str, Any]]]:
    """What a reader of a chat sees: signs of markup without a backslash vanish, links and mentions come alive."""
    said, found, done = "", [], 0
    for match in ELEMENT.finditer(content):
        if match.start() < done:
            continue
        said += content[done : match.start()]
        done = match.end()
        shown, kind, value = match["escaped"] or "", "", ""
        if match["url"]:
            end = links(match["url"])[0][1]
            shown, kind, value = match["url"][:end], "link", match["url"][:end]
            done = match.start() + end
        elif match["said"]:
            shown, kind, value = regex.sub(r"\\(.)", r"\1", match["said"]), "link", match["to"]
        elif match["call"]:
            shown, kind, value = match["call"], "mention", match["call"][1:]
        if kind:
            found.append(facet(kind, len(said), len(said) + len(shown), value))
        said += shown
    return said + content[done:], found


def graphemes(text: str) -> int:
    """User-perceived characters."""
    return len(CLUSTER.findall(text))


def links(text: str) -> list[tuple[int, int]]:
    """Where web addresses stand, without the punctuation that ends a sentence."""
    places = []
    for match in WEB.finditer(text):
        said = match[0].rstrip(".,;:!?'\u2019\u201d")
        while said.endswith(")") and said.count(")") > said.count("("):
            said = said[:-1].rstrip(".,;:!?")
        places.append((match.start(), match.start() + len(said)))
    return places


def facets(text: str) -> list[dict[str, Any]]:
    """What a platform that reads plain text makes live in it: links first, then tags and mentions outside them."""
    found = [facet("link", s, e, _address(text[s:e])) for s, e in links(text)]
    taken = [range(f["start"], f["end"]) for f in found]
    for kind, pattern in (("tag", TAG), ("mention", MENTION)):
        found += [
            facet(kind, match.start(), match.end(), match[1])
            for match in pattern.finditer(text)
            if not any(match.start() in place for place in taken)
        ]
    return sorted(found, key=lambda f: int(f["start"]))


def facet(kind: str, start: int, end: int, value: str) -> dict[str, Any]:
    """One live stretch of a text, in code points."""
    return {"type": kind, "start": start, "end": end, "value": value}


def card(found: Iterable[Mapping[str, Any]]) -> dict[str, str] | None:
    """The bare link card a platform would fetch for the first link; a stand-in fetches nothing."""
    for one in found:
        if one["type"] == "link":
            return {"url": str(one["value"]), "title": "", "description": ""}
    return None


def _address(said: str) -> str:
    return said if said.lower().startswith(("http://", "https://")) else f"https://{said}"
