"""What is known of each language: its stop words, how a dependent sentence begins, what is boilerplate, how to split.

One file of ``data/`` is one language; a language without a file is read by its punctuation alone.
"""

from __future__ import annotations

import functools
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import regex
import sentencex

DATA = Path(__file__).with_name("data")

UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")
INVISIBLE = regex.compile(r"[\u00ad\u200b\u2060\ufeff]")
SPACES = regex.compile(r"[^\S\n]+")
KANA = regex.compile(r"\p{Hiragana}+")
WORD = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}ー々\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]+"
    r"|(?:\p{Lu}\.){2,}"
    r"|[\p{L}\p{M}\p{N}]+(?:(?:['’\u200c\-‑.·&](?=[\p{L}\p{N}])"
    r"|(?<=\p{Hebrew})[\"״׳־](?=\p{Hebrew}))[\p{L}\p{M}\p{N}]+)*"  # "ק״מ" is one word, and so is "חוף־דן"
)
FULL_STOP = regex.compile(
    r"(?<=[。！？][」』”）]?)(?=[^。！？」』”）\s])"
)  # what stands behind one begins a sentence, a figure too
ELISION = regex.compile(
    r"^(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu|dell|nell|sull|dall|all|un|quell|quest|gl)['’](?=\p{L})", regex.I
)
CLITIC = regex.compile(r"['’](?:s|d|ll|ve|re|m|S|D|LL|VE|RE|M)$|(?<=^\p{Lu}\p{L}{2,})['’](?!a[hn]|ite|ism)\p{Ll}{1,5}$")
ENDING = regex.compile(r"[.!?…。！？．؟۔।॥]+[\"'”’»›」』）)\]]*$")
LABEL = regex.compile(r"[\p{L}\p{N}][\p{L}\p{N} .-]{0,14}[:：]\s")  # "Ingredients: 500 g flour"
OPENING = regex.compile(r"^[\s\"'“”„‟‘‚«»‹›「『（(\[¿¡–—-]+")
INITIAL = regex.compile(r"(?<![\p{L}.°])\p{Lu}\.\s*$")  # "R-W. Va.", "J. Smith": no sentence ends in an initial
TITLED = regex.compile(  # before a name: no sentence ends in a title
    r"(?<![\p{L}.])(?:Dr|Drs|Prof|Univ\.-Prof|Ass\.-Prof|Dipl|Ing|Mag|Mme|Mlle|Pr|Dña|Excmo|Excma|Ks|hab|Revd?|Capt|Lt"
    r"|Sgt|Col|Cllr|Messrs)\.\s*$"
)
CLOCK = regex.compile(r"\b[ap]\.m\.\s*$")
SAYS = regex.compile(
    r"[とはがをにのでもなって]|.{1,12}(?:说|說|表示|称|稱|道|问|問|回忆|介绍|解释|认为)[^，。]{0,6}[。，]"
)
DAY = regex.compile(r"\p{Lu}\p{Ll}{2,8}\.? \d|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day")
CLOSERS = "”’»›」』）)]"
QUOTES = tuple('"“”„‟«»‹›「」『』')
# British quotations: one opens where a word begins (but for 'em, 'til, '90s), and surely ends after a stop.
SINGLE_OPEN = regex.compile(
    r"(?:^|(?<=[\s“(—–]))‘(?=[\p{L}\p{N}])(?!(?:em|til|tis|twas|cause|bout|n|\d\ds?)\b)", regex.I
)
SINGLE_END = regex.compile(r"(?<=[\p{L}\p{N}.,!?…%)])’(?![\p{L}\p{N}])")
SINGLE_LAST = regex.compile(r"(?<=[.,!?…])’(?![\p{L}\p{N}])")
SCRIPTS = {
    "Arabic": {"ar", "fa", "ur", "ps", "ckb", "ug", "sd"},
    "Hebrew": {"he", "yi"},
    "Cyrillic": {"ru", "uk", "be", "bg", "mk", "sr", "kk", "ky", "mn", "tg"},
    "Devanagari": {"hi", "mr", "ne", "sa"},
    "Hangul": {"ko"},
    "Greek": {"el"},
    "Thai": {"th"},
    "Han": {"zh", "ja", "yue"},
    "Hiragana": {"ja"},
}


@dataclass(frozen=True, slots=True)
class Language:
    """One language: ``stop`` are words without content, ``weak`` ones too general for a hashtag; all are casefolded.

    ``general`` are nouns that say nothing by themselves; ``roles`` are what people are called before their names,
    and ``trades`` what nobody is called by surname but stands there as well: "Photographer Ruta Palmgren".
    ``head`` says which word of a longer name is the thing itself, "first" or "last" ("" = neither for sure).
    ``verbs`` and words with the ending of ``adverbs``, but for ``nouns``, are never inside the name of a thing.
    A word is a verb where it stands after one of ``acts_after`` or before one of ``acts_before``; one that ends in
    ``acting`` is never the name of a thing by itself, one that ends in ``doing`` only where it has an article;
    ``oblique`` are endings of cases that a name in a list has not.
    ``linking`` words join two nouns to one name. ``opener`` matches the start of a sentence that leans on the one
    before; ``anaphors`` are its pronouns and ``links`` its "also" and "however", wherever they stand near the start;
    ``echoes`` are subjects that were named before ("the company"); ``persons`` are pronouns that stand for somebody,
    ``firsts`` those of who speaks; ``aside`` is found in one that speaks of the page and not of its subject;
    ``offer`` is found in one that sells; ``presents`` stands behind a company's name where it says what it is;
    ``contrary`` says of a word those that say the opposite;
    ``beginning`` are further words that begin a sentence without an article, and are no names;
    ``backs`` ("davon") want a clause beside them that says of what;
    ``particles`` are endings that do what separate words do elsewhere; ``breaks`` are the characters of an unspaced
    script that end a name; ``boilerplate`` matches the start of a line that belongs to the site, not to the article.
    """

    code: str
    stop: frozenset[str]
    weak: frozenset[str]
    general: frozenset[str]
    roles: frozenset[str]
    trades: frozenset[str]
    verbs: frozenset[str]
    nouns: frozenset[str]
    adverbs: tuple[str, ...]
    particles: regex.Pattern[str] | None
    breaks: str
    anaphors: frozenset[str]
    links: frozenset[str]
    persons: frozenset[str]
    firsts: frozenset[str]
    backs: frozenset[str]
    beginning: frozenset[str]
    contrary: Mapping[str, frozenset[str]] = field(hash=False)
    linking: frozenset[str]
    acts_after: frozenset[str]
    acts_before: frozenset[str]
    acting: tuple[str, ...]
    doing: tuple[str, ...]
    head: str
    oblique: tuple[str, ...]
    echoes: regex.Pattern[str] | None
    opener: regex.Pattern[str] | None
    aside: regex.Pattern[str] | None
    offer: regex.Pattern[str] | None
    presents: regex.Pattern[str] | None
    boilerplate: regex.Pattern[str] | None
    byline: regex.Pattern[str] | None

    def names(self, word: str) -> bool:
        """Whether a word may be part of the name of a thing."""
        low = plain(word)
        if low in self.stop or low in self.verbs:
            return False
        return not (self.adverbs and low.endswith(self.adverbs) and len(low) > 4 and low not in self.nouns)


@functools.lru_cache(maxsize=256)
def base(tag: str) -> str:
    """The language of a tag: ``pt`` for ``pt-BR``, ``nb`` for ``no``; "" if it is none."""
    code = regex.split(r"[-_]", tag.strip().casefold())[0]
    code = {"iw": "he", "in": "id", "no": "nb"}.get(code, code)
    return code if regex.fullmatch(r"[a-z]{2,3}", code) else ""


@functools.cache
def language(tag: str) -> Language:
    """What is known of the language of ``tag``; for an unknown one every list is empty."""
    code = base(tag)
    path = DATA / f"{code}.toml"
    data = tomllib.loads(path.read_text(encoding="utf-8")) if code and path.is_file() else {}
    words = {
        k: frozenset(plain(w) for w in data.get(k, "").split())
        for k in (
            "stop",
            "weak",
            "general",
            "roles",
            "trades",
            "verbs",
            "nouns",
            "anaphors",
            "links",
            "persons",
            "firsts",
            "backs",
            "beginning",
            "linking",
            "acts_after",
            "acts_before",
        )
    }
    return Language(
        code=code,
        stop=words["stop"],
        weak=words["weak"],
        general=words["general"],
        roles=words["roles"],
        trades=words["trades"],
        head=data.get("head", ""),
        verbs=words["verbs"],
        nouns=words["nouns"],
        adverbs=tuple(data.get("adverbs", "").split()),
        breaks=data.get("breaks", ""),
        particles=regex.compile(rf"(?<=\p{{L}}{{2}})(?:{data['particles']})$") if "particles" in data else None,
        anaphors=words["anaphors"],
        links=words["links"],
        persons=words["persons"],
        firsts=words["firsts"],
        linking=words["linking"],
        acts_after=words["acts_after"],
        acts_before=words["acts_before"],
        acting=tuple(data.get("acting", "").split()),
        doing=tuple(data.get("doing", "").split()),
        oblique=tuple(data.get("oblique", "").split()),
        backs=words["backs"],
        beginning=words["beginning"],
        contrary=_contrary(data.get("opposites", "")),
        echoes=_starts(data.get("echoes", "")),
        opener=_starts(data.get("openers", "")),
        aside=_starts(data.get("asides", "")),
        offer=_starts(data.get("offers", "")),
        presents=_starts(data.get("presents", "")),
        boilerplate=_starts(data.get("boilerplate", "")),
        byline=_byline(data.get("bylines", "")),
    )


def _starts(phrases: str) -> regex.Pattern[str] | None:
    """A pattern for text that begins with one of the phrases; between letters of spaced scripts at a word's end."""
    known = sorted({plain(p) for p in phrases.split("|") if p.strip()}, key=lambda p: (-len(p), p))
    if not known:
        return None
    parts = [
        regex.escape(p)
        + ("" if UNSPACED.search(p) or not regex.search(r"[\p{L}\p{M}\p{N}]$", p) else r"(?![\p{L}\p{M}\p{N}])")
        for p in known
    ]
    return regex.compile(rf"(?:{'|'.join(parts)})")


def _contrary(said: str) -> Mapping[str, frozenset[str]]:
    """The opposites of each word, of lines such as ``rise rises / fall falls``."""
    found: dict[str, frozenset[str]] = {}
    for line in said.strip().splitlines():
        one, other = (frozenset(plain(w) for w in side.split()) for side in line.split("/"))
        found |= {w: found.get(w, frozenset()) | other for w in one}
        found |= {w: found.get(w, frozenset()) | one for w in other}
    return found


def _byline(words: str) -> regex.Pattern[str] | None:
    """A pattern for a whole line such as ``By Ada Lovelace, staff writer``."""
    if not words:
        return None
    name = r"\p{Lu}[\p{L}\p{M}.'’-]*|\p{Lo}+"
    return regex.compile(
        rf"(?i:{'|'.join(words.split())})\s*[:：]?\s+(?:{name})(?:[\s,·|&]+(?:{name}|and|und|et|y|e)){{0,6}}[^.!?。]{{0,60}}"
    )


def plain(text: str) -> str:
    """``text`` for comparison: NFC, casefolded, one kind of apostrophe, single spaces."""
    if text.isascii() and text.isalnum():
        return text.lower()
    return " ".join(unicodedata.normalize("NFC", text).casefold().replace("’", "'").split())


def line(text: str) -> str:
    """``text`` on one line: single spaces, no invisible characters."""
    return SPACES.sub(" ", INVISIBLE.sub("", text).replace("\n", " ")).strip()


def quotes(text: str) -> bool:
    """Whether a text begins or ends with quotation marks of its own."""
    return text[:1] in QUOTES or text[-1:] in QUOTES


def quoted(text: str, marks: str = "“”") -> str:
    """``text`` in quotation marks, which stand there once if it brings its own."""
    return text if quotes(text) else f"{marks[0]}{text}{marks[1]}"


def key(text: str) -> str:
    """The letters and digits of ``text`` alone, casefolded: equal for texts that read the same."""
    return regex.sub(r"[^\p{L}\p{M}\p{N}]", "", plain(text))


def words(text: str) -> Iterator[str]:
    """The words of ``text`` as written, without elided articles, possessives and auxiliaries; unspaced ones in runs."""
    for match in WORD.finditer(text):
        word = match[0]
        yield word if word.isalnum() else ELISION.sub("", CLITIC.sub("", word)) or word


def terms(text: str, lang: Language, letters: int | None = 7) -> list[str]:
    """What ``text`` is about, for comparing sentences: casefolded content words cut to their first ``letters``.

    Unspaced scripts give pairs of characters. Cutting is the stemmer every language has; None leaves words whole.
    """
    found: list[str] = []
    for word in words(text):
        if UNSPACED.match(word):
            pairs = [word[i : i + 2] for i in range(len(word) - 1)] or [word]
            found += [p for p in pairs if p not in lang.stop and not KANA.fullmatch(p)]
            continue
        low = plain(word)
        if low not in lang.stop and (len(low) > 1 or not low.isascii()):
            found.append(low[:letters])
    return found


def count(text: str) -> int:
    """How many words ``text`` has; two characters of an unspaced script count as one."""
    return sum((len(w) + 1) // 2 if UNSPACED.match(w) else 1 for w in words(text))


def sentences(text: str, code: str) -> Iterator[tuple[int, int]]:
    """Start and end of every sentence of ``text``, in code points and without surrounding white space.

    No sentence crosses a line; one that was cut inside a quotation or before a small letter is made whole again.
    """
    start = 0
    for line in text.split("\n"):
        yield from ((start + a, start + b) for a, b in _line(line, code))
        start += len(line) + 1


def _line(line: str, code: str) -> Iterator[tuple[int, int]]:
    begin = at = 0
    for piece in _pieces(line, code):
        if begin < at and not _joined(line[begin:at], line[at:]):
            yield from _trim(line, begin, at)
            begin = at
        at += len(piece)
    yield from _trim(line, begin, len(line))


def _pieces(line: str, code: str) -> Iterator[str]:
    for piece in sentencex.segment(code or "en", line):
        yield from FULL_STOP.split(piece)


def _joined(before: str, rest: str) -> bool:
    """Whether ``rest`` begins inside the sentence ``before``: an open quotation, or no beginning of its own."""
    head = rest.lstrip()
    if not head or head[0] in CLOSERS or head[0].islower():
        return True
    if UNSPACED.match(head) and before.rstrip().endswith(("」", "』", "”")):
        return bool(SAYS.match(head)) or not ENDING.search(before.rstrip())
    if INITIAL.search(before) or TITLED.search(before) or (CLOCK.search(before) and DAY.match(head)):
        return True
    if len(before) >= 600 or not open_quotes(before):
        return False
    return not _single_open(before) or SINGLE_LAST.search(head[:600]) is not None  # else it begins a name: 'Abd


def _trim(line: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    text = line[begin:end]
    if text.strip():
        yield begin + len(text) - len(text.lstrip()), end - (len(text) - len(text.rstrip()))


def open_quotes(text: str) -> bool:
    """Whether a quotation or bracket begins in ``text`` that does not end there."""
    pairs = (("“", "”"), ("«", "»"), ("「", "」"), ("『", "』"), ("(", ")"), ("（", "）"), ("[", "]"))
    if "„" in text:
        return text.count("„") > text.count("“") + text.count("”")
    if any(text.count(a) > text.count(b) for a, b in pairs):
        return True
    return text.count('"') % 2 == 1 or _single_open(text)


def _single_open(text: str) -> bool:
    return "‘" in text and len(SINGLE_OPEN.findall(text)) > len(SINGLE_END.findall(text))


def stray_quote(text: str) -> bool:
    """Whether a quotation ends in ``text`` that does not begin there."""
    if "„" in text or "‚" in text:
        return False
    double = text.count("”") > text.count("“") if "“" in text else text.count("”") % 2 == 1  # Swedish: ”so”
    return double or ("‘" not in text and SINGLE_LAST.search(text) is not None)


def fits(tag: str, text: str) -> bool:
    """Whether ``text`` can be in the language of ``tag``: its script, and its stop words where they are known."""
    lang = language(tag)
    sample = text[:4000]
    if not lang.code or not sample:
        return False
    letters = len(regex.findall(r"\p{L}", sample)) or 1
    for script, codes in SCRIPTS.items():
        share = len(regex.findall(rf"\p{{{script}}}", sample)) / letters
        if share > 0.3 and lang.code not in codes:
            return False
        if lang.code in codes and script not in {"Han", "Hiragana"} and share < 0.1:
            return False
    if not lang.stop or UNSPACED.search(sample):
        return True
    found = [plain(w) for w in words(sample)]
    latin = len(regex.findall(r"\p{Latin}", sample)) > letters / 2
    least = 0.27 if latin and lang.code != "tr" else 0.08  # Turkish hangs its small words on the large ones
    return sum(w in lang.stop for w in found) > least * len(found)


def detect(text: str) -> str:
    """The language of ``text`` as a two-letter code."""
    import py3langid  # noqa: PLC0415 - loads a model for half a second, for pages only that name no language

    return base(str(py3langid.classify(text[:4000])[0]))
