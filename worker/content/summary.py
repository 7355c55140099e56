"""Which sentences of an article say what it says: whole ones that stand on their own, best first.

The score is centrality (how much a sentence shares with all others: the degree form of LexRank, Erkan and Radev 2004,
https://doi.org/10.1613/jair.1523), nearness to the beginning and to the title; repeats are put back by maximal marginal
relevance (Carbonell and Goldstein 1998, https://doi.org/10.1145/290941.291025). Nothing random, nothing fetched.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import regex

from worker.content import words
from worker.model import Article, Sentence

SHORT, MEDIUM, LONG = 120, 280, 600
DIVERSE = 40  # so many sentences are ordered for variety; nobody reads further
VARIETY = 0.6
LEAD = 0.12  # how fast the weight of a place falls with the distance from the beginning
TITLE = 0.5

Vector = dict[str, float]


@dataclass(frozen=True, slots=True)
class Ranked:
    """A sentence with its place in the article and its score."""

    text: str
    offset: int
    place: int
    score: float


def ranked(article: Article) -> list[Ranked]:
    """Every sentence of the article that may stand alone in a post, best first; never empty for an article."""
    lang = words.language(article.language)
    spans = list(words.sentences(article.text, lang.code))
    texts = [article.text[a:b] for a, b in spans]
    vectors = [vector(t, lang) for t in texts]
    scores = score(vectors, vector(article.title, lang))
    fit = [_alone(t, lang) for t in texts]
    title = set(words.terms(article.title, lang))
    fit = [0.0 if says(v, title) else f for f, v in zip(fit, vectors, strict=True)]
    if not any(fit):
        fit = [0.5 if words.count(t) > 2 else 0.1 for t in texts]
    chosen = [i for i, f in enumerate(fit) if f]
    order = diverse(chosen, [s * f for s, f in zip(scores, fit, strict=True)], vectors)
    return [Ranked(texts[i], spans[i][0], i, scores[i] * fit[i]) for i in order]


def summaries(candidates: Sequence[Ranked], language: str) -> tuple[str, str, str]:
    """The short summary (one sentence), the medium and the long one, in whole sentences and the article's order."""
    short = next((c for c in candidates if len(c.text) <= SHORT), None)
    if short is None:
        short = min(candidates[:8], key=lambda c: len(c.text))
    return short.text, fill(candidates, MEDIUM, language) or short.text, fill(candidates, LONG, language) or short.text


def fill(candidates: Iterable[Ranked], room: int, language: str) -> str:
    """As many of the best sentences as fit into ``room`` code points, in the article's order."""
    space = "" if words.base(language) in {"zh", "ja", "th"} else " "
    taken: list[Ranked] = []
    used = 0
    for candidate in candidates:
        size = len(candidate.text) + (len(space) if taken else 0)
        if used + size <= room:
            taken.append(candidate)
            used += size
    return space.join(c.text for c in sorted(taken, key=lambda c: c.offset))


def sentences(candidates: Iterable[Ranked]) -> tuple[Sentence, ...]:
    """The candidates as records."""
    return tuple(Sentence(text=c.text, source_offset=c.offset) for c in candidates)


def vector(text: str, lang: words.Language) -> Vector:
    """The content words of ``text`` as a vector of length 1."""
    counts = Counter(words.terms(text, lang))
    norm = math.sqrt(sum(n * n for n in counts.values()))
    return {t: n / norm for t, n in counts.items()}


def score(vectors: Sequence[Vector], title: Vector) -> list[float]:
    """A number for each sentence, given in the article's order: the more, the more it says of the article."""
    total: defaultdict[str, float] = defaultdict(float)
    for v in vectors:
        for term, weight in v.items():
            total[term] += weight
    central = [sum(w * (total[t] - w) for t, w in v.items()) for v in vectors]
    top = max(central, default=0.0) or 1.0
    near = [sum(w * title.get(t, 0.0) for t, w in v.items()) for v in vectors]
    return [(c / top + TITLE * n) / (1 + LEAD * i) for i, (c, n) in enumerate(zip(central, near, strict=True))]


def diverse(chosen: Sequence[int], scores: Sequence[float], vectors: Sequence[Vector]) -> list[int]:
    """The chosen sentences best first, one that repeats an earlier one later."""
    rest = sorted(chosen, key=lambda i: (-scores[i], i))
    head, tail = rest[:DIVERSE], rest[DIVERSE:]
    repeat = dict.fromkeys(head, 0.0)
    order: list[int] = []
    while head:
        best = max(head, key=lambda i: (scores[i] * (1 - VARIETY * repeat[i]), -i))
        head.remove(best)
        order.append(best)
        for i in head:
            repeat[i] = max(repeat[i], cosine(vectors[best], vectors[i]))
    return order + tail


def cosine(one: Vector, other: Vector) -> float:
    """How much two sentences share, from 0 to 1."""
    if len(other) < len(one):
        one, other = other, one
    return sum(w * other[t] for t, w in one.items() if t in other)


def says(sentence: Vector, title: set[str]) -> bool:
    """Whether a sentence says the title and hardly more."""
    own = set(sentence)
    return bool(title) and len(own & title) >= 0.75 * len(own | title)


def _alone(text: str, lang: words.Language) -> float:
    """How well a sentence stands without the others: 0 not at all, 1 well."""
    if not words.ENDING.search(text) or words.open_quotes(text) or text[0] in "([（…":
        return 0.0
    found = [words.plain(w) for w in words.words(text)]
    size = words.count(text)
    if size < 5 or len(text) > 500 or text[0].islower() or regex.search(r"https?://|www\.|\S@\S+\.", text):
        return 0.0
    low = words.plain(words.OPENING.sub("", text))
    if (lang.opener is not None and lang.opener.match(low)) or lang.anaphors & set(found[:3]):
        return 0.0
    spoken = regex.split(r"[”»」』\"],? ", text)
    if len(spoken) > 1 and lang.anaphors & {words.plain(w) for w in list(words.words(spoken[-1]))[:3]}:
        return 0.0
    fit = 1.0
    if text.rstrip('"”»」』)').endswith(("?", "？", "؟", "!", "！")):
        fit *= 0.3
    if size < 8:
        fit *= 0.7
    elif len(text) > 280:
        fit *= 0.6
    if sum(w[0].isdigit() for w in found) > 0.25 * len(found):
        fit *= 0.5
    return fit
