"""Which sentences of an article say what it says: whole ones that stand on their own, best first.

A sentence counts for the words it shares with the others (degree centrality, as in LexRank and TextRank: Erkan and
Radev 2004, https://doi.org/10.1613/jair.1523) and with the title, and for standing early; what repeats a sentence
already taken counts less (maximal marginal relevance: Carbonell and Goldstein 1998,
https://doi.org/10.1145/290941.291025). Nothing random, nothing fetched.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import regex

from worker.content import words
from worker.model import Article, Sentence

SHORT, MEDIUM, LONG = 120, 280, 600
SHORT_AT_MOST = 150
LONGEST = 500
TITLE = 3  # the title counts like this many sentences
OFTEN = 0.85  # the power of how many others share a word
LEAD = 0.07  # how fast a place loses weight with its distance from the beginning
LEADS = 0.2  # a first sentence that has more than this share of the title is the article's lead
NAMELESS = 0.6  # the worth of a sentence that does not name what the title is about
FAINT = 0.1  # a summary takes nothing that scores less than this share of the best
UNNAMED = 0.6  # the worth of one that begins with somebody or something that was named before
UNTOLD = 0.7  # the worth of one that begins with a surname alone, while nothing says whose it is
LABELLED = 0.2  # the worth of one that begins with a label
UNSPOKEN = 0.7  # the worth of one in which somebody speaks and is not named
DIVERSE = 40  # so many sentences are ordered for variety; nobody reads further

Vector = dict[str, float]


@dataclass(frozen=True, slots=True)
class Scored:
    """A sentence, where it stands, and how much it says; ``alone`` is how well it stands without the others.

    ``whole`` is False for what is no full sentence; ``told`` is the place of the one that says who somebody is, here
    called by surname alone, and -1 where nobody is.
    """

    text: str
    offset: int
    place: int
    vector: Vector
    score: float
    alone: float
    whole: bool
    told: int = -1


def scored(article: Article) -> list[Scored]:
    """Every sentence of the article, in its order."""
    lang = words.language(article.language)
    spans = list(words.sentences(article.text, lang.code))
    texts = [article.text[a:b] for a, b in spans]
    found = [Counter(words.terms(t, lang)) for t in texts]
    title = set(words.terms(article.title, lang))
    cased = any(c.isupper() for c in article.text[:1000])
    alone = [
        0.0 if says(set(f), title) else stands(t, lang, cased=cased, title=title)
        for t, f in zip(texts, found, strict=True)
    ]
    asked = _questions(article.text)
    alone = [0.0 if any(a <= at < b for a, b in asked) else fit for fit, (at, _) in zip(alone, spans, strict=True)]
    topic = _topic(title, found)
    alone = [fit if topic <= f.keys() else NAMELESS * fit for fit, f in zip(alone, found, strict=True)]
    told = [-1] * len(texts) if lang.code == "de" else _told(article.text, article.title, spans, lang)
    if not any(alone):
        alone = [0.5 if words.count(t) > 2 else 0.1 for t in texts]
    scores = weigh(found, title)
    if scores and topic <= found[0].keys() and len(title & found[0].keys()) > LEADS * len(title):
        scores[0] = max(scores)  # what an article begins with and what its title says is its news
    return [
        Scored(t, a, i, _unit(f), s, fit if by < 0 else UNTOLD * fit, whole(t) and not says(set(f), title), by)
        for i, (t, (a, _), f, s, fit, by) in enumerate(zip(texts, spans, found, scores, alone, told, strict=True))
    ]


def _told(text: str, title: str, spans: Sequence[tuple[int, int]], lang: words.Language) -> list[int]:
    """For each sentence that begins with a surname alone, the one that said first name or role with it, or -1."""
    found = []
    for begin, end in spans:
        name = SURNAME.match(text, begin, end)
        place = -1
        if name is not None and words.plain(name[1]) not in lang.stop and name[1] not in title:
            first = regex.search(CALLED + regex.escape(name[1]) + r"\b", text, endpos=begin)
            called = first and (first[1][0].isupper() or words.plain(first[1]) in lang.roles | lang.trades)
            if first and called and words.plain(first[1]) not in lang.stop | lang.weak - lang.roles:
                place = next(i for i, (_, ends) in enumerate(spans) if ends > first.start())
        found.append(place)
    return found


def _questions(text: str) -> list[tuple[int, int]]:
    """Where the questions of an interview stand: its short paragraphs that end as one, if there are several.

    What comes before the question mark is said to the person who answers: "You drove a bus until 2021."
    """
    found = [
        m.span()
        for m in regex.finditer(r"(?<=\n)[^\n]+", text)
        if m[0].endswith(ASKS) and len(m[0]) <= MEDIUM and words.count(m[0]) > 2
    ]
    return found if len(found) > 1 else []


def _topic(title: set[str], found: Sequence[Counter[str]]) -> set[str]:
    """The word of the title that the text says in most sentences, if those are many; a set of one or none."""
    said = {t: sum(t in f for f in found) for t in title}
    best = max(said, key=lambda t: (said[t], t), default="")
    return {best} if best and said[best] > len(found) / 5 else set()


def weigh(found: Sequence[Counter[str]], title: set[str]) -> list[float]:
    """How much each sentence, given by its terms and in order, says of all of them: from 0 to 1."""
    spread = Counter(t for f in found for t in f)
    central = [
        sum((spread[t] - 1) ** OFTEN + TITLE * (t in title) for t in f) / (1 + LEAD * i) for i, f in enumerate(found)
    ]
    top = max(central, default=0.0) or 1.0
    return [c / top for c in central]


def pick(candidates: Sequence[Scored], fits: Callable[[Sequence[Scored]], bool]) -> list[Scored]:
    """The best sentences for which ``fits`` holds together, in the order of their worth.

    A sentence that leans on the one before it is taken only after that one.
    """
    taken: list[Scored] = []
    places: set[int] = set()
    repeat = dict.fromkeys((c.place for c in candidates), 0.0)
    rest = sorted((c for c in candidates if c.alone or c.whole), key=lambda c: -c.score)[: 2 * DIVERSE]
    least = FAINT * max((c.score * c.alone for c in rest), default=0.0)

    def worth(candidate: Scored) -> float:
        led = candidate.whole and candidate.place - 1 in places
        fit = 1.0 if led else candidate.alone / UNTOLD if candidate.told in places else candidate.alone
        return candidate.score * fit * (1 - repeat[candidate.place])

    while rest:
        best = max(rest, key=lambda c: (worth(c), -c.place))
        if taken and worth(best) <= least:
            break
        rest.remove(best)
        if fits([*taken, best]):
            taken.append(best)
            places.add(best.place)
            for other in rest:
                repeat[other.place] = max(repeat[other.place], cosine(best.vector, other.vector))
    return taken


def ranked(candidates: Sequence[Scored]) -> list[Scored]:
    """Every sentence that may stand alone in a post, best first; what repeats an earlier one later, or not at all."""
    own: dict[str, Scored] = {}
    for c in sorted((c for c in candidates if c.alone), key=lambda c: (-c.score * c.alone, c.place)):
        own.setdefault(c.text, c)
    fit = [c for c in own.values() if not c.text.endswith(ASKS)] or list(own.values())  # a question wants its answer
    head, tail = fit[:DIVERSE], fit[DIVERSE:]
    repeat = {c.place: 0.0 for c in head}
    order: list[Scored] = []
    while head:
        best = max(head, key=lambda c: (c.score * c.alone * (1 - repeat[c.place]), -c.place))
        head.remove(best)
        if repeat[best.place] < 0.9:
            order.append(best)
            for other in head:
                repeat[other.place] = max(repeat[other.place], cosine(best.vector, other.vector))
    return order + tail


def short(candidates: Sequence[Scored]) -> str:
    """The one sentence that says most in about 120 code points."""
    fit = [c for c in candidates if c.alone and len(c.text) <= SHORT_AT_MOST]
    if fit:
        return max(fit, key=lambda c: (c.score * c.alone * min(1.0, SHORT / len(c.text)), -c.place)).text
    return min((c for c in candidates if c.alone), key=lambda c: len(c.text)).text


def fill(candidates: Sequence[Scored], room: int, language: str) -> str:
    """As many of the best sentences as fit into ``room`` code points, in the article's order."""
    space = "" if words.base(language) in {"zh", "ja", "th"} else " "

    def text(chosen: Sequence[Scored]) -> str:
        return space.join(c.text for c in sorted(chosen, key=lambda c: c.offset))

    return text(pick(candidates, lambda chosen: len(text(chosen)) <= room))


def sentences(candidates: Sequence[Scored]) -> tuple[Sentence, ...]:
    """The sentences that may stand alone as records, best first."""
    return tuple(Sentence(text=c.text, source_offset=c.offset) for c in ranked(candidates))


def cosine(one: Vector, other: Vector) -> float:
    """How much two sentences share, from 0 to 1."""
    if len(other) < len(one):
        one, other = other, one
    return sum(w * other[t] for t, w in one.items() if t in other)


def _unit(counts: Counter[str]) -> Vector:
    norm = math.sqrt(sum(n * n for n in counts.values()))
    return {t: n / norm for t, n in counts.items()}


def says(sentence: set[str], title: set[str]) -> bool:
    """Whether a sentence says the title and hardly more."""
    return bool(title) and len(sentence & title) >= 0.75 * len(sentence | title)


def whole(text: str) -> bool:
    """Whether a text is a full sentence, its quotations and brackets closed."""
    quoted = words.open_quotes(text) or words.stray_quote(text)
    return bool(words.ENDING.search(text)) and not quoted and len(text) <= LONGEST


SURNAME = regex.compile(r"(\p{Lu}\p{Ll}[\p{L}\p{M}-]+)(?:['’]s)? (?=\p{Ll})")
CALLED = r"(?<!\p{L})(\p{L}[\p{L}\p{M}'’-]*|\p{L}{1,4}\.) "  # what stands before it: "Jonas", "Dr."
QUOTATION = regex.compile(r"[“„«「『\"][^”»」』\"]+[”“»」』\"][.。]?|‘[^‘“”]+’[.]?")  # whose words they are is not said
ADDRESS = regex.compile(r"https?://|www\.|\S@\S+\.|(?<!\S)@\w")
SPOKEN = regex.compile(r"[”»」』\"],? |(?<=[,.!?…])’ ")
QUOTED = regex.compile(r"“[^”]*”|„[^“”]*[“”]|«[^»]*»|\"[^\"]*\"|‘[^‘“”]*?[,.!?…]’(?!\p{L})")
POINTS_BACK = regex.compile(  # English: "make that possible", "those spaces", but "those who" and "this year"
    r"\b(?:that|this|those|these)(?=[.,;:]| (?:possible|impossible|clear|way)\b)|\b(?:did|do|does|doing|done) so\b"
    r"|\b(?:these|those) (?!who|that|of|in|with|days|\p{L}+(?:ing|ed)\b)|\bthis (?!year|week|month|morning|afternoon"
    r"|evening|summer|winter|spring|autumn|fall|season|time|century|decade|is\b|\p{Lu})"
)
# "at that level", "that much": with no clause before it that could say which
FAR_BACK = regex.compile(r"[^,;:—–“\"]*\b(?:(?:at|with|by|in|for|on|of|from) that \p{Ll}|that (?:much|many)\b(?! as))")
THERE = regex.compile(  # "was held there", but neither "there were" nor "in Paris, and lives there"
    r"(?<=\p{Ll} )there\b(?!['’]| (?:is|are|was|were|will|has|have|had|can|could|may|might|would|should|must|be|been"
    r"|seems?|remains?|appears?)\b)"
)
PLACED = regex.compile(r"\b(?:in|at|to|from|on|near|of) (?:the )?\p{Lu}")
AGED = regex.compile(r"(?:The|A) \d+-year-old")  # somebody who was named before
CODE = regex.compile(r"\w\.\w+\(|\w\(\)|\w_\w|[=!]=|=>|\p{Ll}\p{Lu}\w*\(|`")
CLAUSE = regex.compile(r"[,;:—–(]")
SHOWN = regex.compile(
    r"th(?:is|ese) ((?:[\p{L}\p{N}'-]+ ){1,3})", regex.I
)  # "These seven islands", below "Seven islands"
ASKS = ("?", "？", "؟")
SHOUTS = ("!", "！")


def stands(text: str, lang: words.Language, *, cased: bool = True, title: AbstractSet[str] = frozenset()) -> float:
    """How well a sentence stands without the others, below a title of these terms: 0 not at all, 1 well."""
    head = words.OPENING.sub("", text)
    if not whole(text) or not head or (cased and head[0].islower()) or text[0] in "([（…" or ADDRESS.search(text):
        return 0.0
    found = [words.plain(w) for w in words.words(text)]
    size = words.count(text)
    told = lang.code == "en" and _shown(head, lang, title)
    if size < 5 or (leans(head, found, lang) and not told) or QUOTATION.fullmatch(text):
        return 0.0
    if lang.aside is not None and lang.aside.search(words.plain(text)):
        return 0.0
    if lang.code == "en" and (FAR_BACK.match(text) or _elsewhere(text)):
        return 0.0
    fit = 0.2 if CODE.search(text) else 1.0
    end = text.rstrip('"”»」』)')
    if end.endswith((*ASKS, *SHOUTS)):
        fit *= 0.1 if end.endswith(ASKS) else 0.3
    if words.LABEL.match(head):  # "Ingredients: 500 g flour": half of it is the page's layout
        fit *= LABELLED
    if size < 8:
        fit *= 0.7
    elif len(text) > MEDIUM:
        fit *= 0.6
    if sum(w[0].isdigit() for w in found) > 0.25 * len(found):
        fit *= 0.5
    return fit * _placed(text, lang, title)


def _elsewhere(text: str) -> bool:
    """Whether a sentence says "there" of a place that it does not name before."""
    found = THERE.search(text)
    return found is not None and not PLACED.search(text, endpos=found.start())


def _shown(head: str, lang: words.Language, title: AbstractSet[str]) -> bool:
    """Whether what "this" or "these" at the beginning points to stands in the title above: "This plum cake"."""
    found = SHOWN.match(head)
    counted = itertools.dropwhile(lambda w: words.plain(w) in lang.stop, found[1].split() if found else ())  # "two"
    named = list(itertools.takewhile(lang.names, counted))
    return bool(named) and not title.isdisjoint(words.terms(named[-1], lang))


def _placed(text: str, lang: words.Language, title: AbstractSet[str]) -> float:
    """How well a reader who sees nothing else knows of whom a sentence speaks, and who speaks in it."""
    own = list(words.words(QUOTED.sub(" ", text)))
    fit = 1.0
    if lang.firsts.intersection(words.plain(w) for w in own if len(w) < 2 or not w.isupper()) - title:  # "the US"
        fit *= UNSPOKEN
    if _unnamed(own, lang) or (lang.code == "en" and (POINTS_BACK.search(text) or THERE.search(text))):
        fit *= UNNAMED
    echo = lang.echoes.match(words.plain(words.OPENING.sub("", text))) if lang.echoes is not None else None
    if (echo and title.isdisjoint(words.terms(echo[0], lang))) or AGED.match(text):
        fit *= UNNAMED
    return fit


def _unnamed(own: Sequence[str], lang: words.Language) -> bool:
    """Whether a pronoun that stands for somebody comes before any name."""
    for i, word in enumerate(own):
        if words.plain(word) in lang.persons:
            return True
        if word[0].isupper() and (i or words.plain(word) not in lang.stop):
            return False
    return False


def leans(head: str, found: Sequence[str], lang: words.Language) -> bool:
    """Whether a sentence needs the one before: its first words point back, or its speaker is only a pronoun."""
    if lang.opener is not None and lang.opener.match(words.plain(head)):
        return True
    if lang.anaphors.intersection(found[:3]) or lang.links.intersection(found[:5]):
        return True
    if not lang.backs.isdisjoint(found) and not CLAUSE.search(head):
        return True
    spoken = SPOKEN.split(head)
    return len(spoken) > 1 and bool(
        lang.anaphors.intersection(words.plain(w) for w in list(words.words(spoken[-1]))[:3])
    )
