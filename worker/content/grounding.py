"""Whether a sentence says only what an article says: every name, number, quotation and link of it stands there."""

from __future__ import annotations

import functools
import itertools
import unicodedata
from collections.abc import Iterator, Sequence

import regex
import snowballstemmer

from publishers.core import counting
from worker.content import checks, words
from worker.content.compose import clean

LONGEST = 280  # code points of a sentence
FEWEST = 4  # words of one
GROUNDED = 0.6  # of what a sentence is about, at least this share must be what the article is about
STRANGE = 1  # so many of its words may be none of the article's, if they accuse nobody
NEAR = 3  # words
BEHIND = 2  # a denial speaks of the word right behind it, or of the one after that
PASSAGE = 4  # the names and numbers of a sentence stand within so many sentences of the article

NUMBER = regex.compile(
    r"(?<before>[$€£¥₹₽₩]\s?|(?<![\p{L}\p{N}])[-−+±])?"
    r"(?<core>[\p{Latin}\p{Greek}\p{Cyrillic}]*\p{Nd}[\p{Latin}\p{Greek}\p{Cyrillic}\p{Nd}]*"
    r"(?:[.,:/'’\u00a0\u202f]\p{Nd}[\p{Latin}\p{Greek}\p{Cyrillic}\p{Nd}]*)*)"
    r"(?<after>\s?[%‰°$€£¥₹₽₩])?"
    r"(?:[\s\u00a0-]?(?<word>\p{L}[\p{L}\p{M}]*))?"
)
NUMERALS = frozenset(
    words.words(
        "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
        "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred hundreds thousand thousands "
        "million millions billion billions trillion dozen dozens half third quarter twice double doubled triple "
        "zwei drei vier fünf sechs sieben acht neun zehn elf zwölf zwanzig dreißig hundert tausend millionen milliarde "
        "milliarden hälfte drittel viertel doppelt deux trois quatre cinq sept huit neuf dix onze douze vingt trente "
        "cent cents mille millions milliard milliards moitié tiers quart dos tres cuatro cinco seis siete ocho nueve "
        "diez once doce veinte treinta cien cientos mil millón millones mitad tercio cuarto due tre quattro cinque sei "
        "sette otto nove dieci venti cento mila milioni miliardo miliardi metà dois duas três quatro oito dez vinte "
        "milhão milhões metade twee drie vijf zes zeven acht negen tien twintig honderd duizend miljoen miljard helft"
    )
)
# What turns a sentence into its opposite or into a demand must stand where the article says the same.
DENIED = {
    code: frozenset(said.split())
    for code, said in {
        "en": "no not never nobody none nor neither without cannot",
        "de": "nicht kein keine keinen keinem keiner nie niemals niemand ohne",
        "fr": "ne pas jamais aucun aucune sans",
        "es": "no nunca jamás nadie ningún ninguna sin",
        "it": "non mai nessuno nessuna senza",
        "pt": "não ninguém nenhum nenhuma sem",
        "nl": "niet geen nooit niemand zonder",
        "sv": "inte ingen inget aldrig utan",
        "pl": "nie bez żaden nigdy",
        "ru": "не нет ни никогда без",
        "uk": "ні немає не без",
        "ar": "لا لم لن ليس ليست بدون دون",
        "fa": "نیست نه بدون",
        "he": "לא אין בלי",
        "hi": "नहीं ना",
        "tr": "değil yok",
        "vi": "không",
        "id": "tidak bukan tanpa",
    }.items()
}
DENIES = frozenset(word for said in DENIED.values() for word in said)
DENYING = regex.compile(r"n['’]t\b|[不没未无非沒無]|ない|ません|なかった|않|없|못")
DEMANDS = frozenset(
    words.words(
        "should must ought soll sollte sollten muss müssen doit doivent devrait faut debe deben debería deve devono "
        "dovrebbe devem deveria moet moeten måste bör"
    )
)
GRAVE = regex.compile(
    r"(?i)^(?:kill|murder|dead|death|die[ds]?$|dying|fatal|suicid|rape|abus|assault|attack|bomb|shoot|shot$|stab|terror"
    r"|stole|steal|theft|thief|rob(?:bed|ber)|fraud|brib|corrupt|launder|smuggl|arrest|jail|prison|guilt|convict|accus"
    r"|charg|sue[ds]?$|suing|crim|illegal|unlawful|bankrupt|insolv|collaps|crash|scam|fake|hoax|lie[ds]?$|lying|liar"
    r"|cheat|racis|nazi|sexis|boycott|resign|fire[ds]$|sack|banned|toxic|poison|danger|deadly|cancer|cure[ds]?$|miracle"
    r"|töt|tot$|tote|mord|ermord|starb|gestorben|vergewalt|überfall|angriff|stahl|gestohlen|dieb|betrug|betrüg|korrupt"
    r"|bestech|verhaft|festgenommen|gefängnis|schuldig|verurteil|angeklag|straf|illegal|pleite|insolv|gift|lüg|rücktritt"
    r"|tué|tuer|mort|meurtre|viol|vol[ée]|fraude|corrompu|arrêt|prison|coupable|condamn|accus|illégal|faillite|mensong"
    r"|mat[oóa]|muert|asesin|robo|robó|corrup|detenid|cárcel|culpable|ilegal|quiebra|mentir|ucci|omicid|rubat|frode)"
)
# How long is part of a number: "a year" is not "a month".
PERIODS = frozenset(
    words.words(
        "second minute hour day week month year decade century sekunde minute stunde tag woche monat jahr jahrzehnt "
        "seconde heure jour semaine mois an année siècle segundo minuto hora día semana mes año siglo secondo ora "
        "giorno settimana mese anno secolo uur dag week maand jaar eeuw dia mês ano"
    )
)
QUOTED = regex.compile(
    r"“([^“”]*)”|\"([^\"]*)\"|„([^„“”]*)[“”]|‘([^‘’]*)’|«([^«»]*)»|»([^«»]*)«|「([^「」]*)」|『([^『』]*)』"
)
CAPITAL = regex.compile(r"\p{Lu}|\p{Lt}")
CASED = regex.compile(r"\p{Lu}|\p{Ll}|\p{Lt}")
INNER = frozenset(words.words("of de du des der den van von zu la le del della di da do dos bin al"))  # within names
BEGINS = regex.compile(r"(?:^|[.!?…:]\s)[\s\"'“”„‘’«»‹›(\[¿¡–—-]*$")
DOTTED = regex.compile(r"[\p{L}\p{N}][\p{L}\p{N}-]*(?:\.\p{L}{2,})+")
PICTURES = regex.compile(r"\p{Extended_Pictographic}(?<![©®™])|\ufe0f")
PHONE = regex.compile(r"(?:[+(]|\b)\p{Nd}[\p{Nd}\s().\-–/]{5,}\p{Nd}")
E_MAIL = regex.compile(r"\S[@＠]\S")
SIGNED = regex.compile(r"[@＠#＃](?=[\p{L}\p{N}_])|\$(?=[A-Za-z])|(?<!\S)/(?=[A-Za-z])")
# Which endings a name may have that the article writes without them, or the other way round.
ENDINGS = {"de": ("s", "es", "n", "en", "er", "e"), "nl": ("s", "en"), "sv": ("s", "en"), "en": ("s",)}
STEMMERS = {
    "ar": "arabic", "de": "german", "en": "english", "es": "spanish", "fr": "french", "it": "italian", "nl": "dutch",
    "pt": "portuguese", "ru": "russian", "sv": "swedish", "tr": "turkish",
}  # fmt: skip

Number = tuple[str, str, str, str]
"""What stands before it (a currency, a sign), its digits, what stands after it, and the word that follows."""


class Source:
    """What a sentence may be made of: the words, names, numbers and quotations of what the model was shown."""

    def __init__(self, text: str, language: str) -> None:
        self._text = _even(text)
        self._language = language
        self._known = words.language(language)
        self._order = [word for word, _, _ in _words(self._text)]
        self._places: dict[str, list[int]] = {}
        for place, word in enumerate(self._order):
            self._places.setdefault(word.casefold(), []).append(place)
        self._terms = set(words.terms(self._text, self._known))
        self._numbers = [_number(m) for m in NUMBER.finditer(self._text)]
        self._units = {n[3] for n in self._numbers}
        self._quotes = [_inside(m) for m in QUOTED.finditer(self._text)]
        spans = words.sentences(self._text, language)
        self._said_there = [_Told(self._text[a:b], self._known) for a, b in spans]

    @functools.cached_property
    def _stems(self) -> set[str]:
        """The stems of the words that the article writes small."""
        return {stem(w, self._language) for w in self._order if w[0].islower()}

    @functools.cached_property
    def _all_stems(self) -> set[str]:
        return {self._stemmed(w) for w in self._order}

    @functools.cached_property
    def _periods(self) -> set[str]:
        return {self._stemmed(w) for w in PERIODS}

    @functools.cached_property
    def _denied(self) -> set[str]:
        """The words that the article says only right behind a denial: "has not answered"."""
        behind = [{w.casefold() for w in self._order[max(0, i - BEHIND) : i]} for i in range(len(self._order))]
        sure: set[str] = set()
        for i, word in enumerate(self._order):
            low = word.casefold()
            if behind[i].isdisjoint(DENIES) and not any(DENYING.search(w) for w in behind[i]):
                sure.add(self._stemmed(low))
        said = {self._stemmed(w) for w in self._order if w.casefold() not in self._known.stop}
        return said - sure

    def _stemmed(self, word: str) -> str:
        return stem(word.casefold(), self._language)

    def objections(self, sentence: str) -> Iterator[str]:
        """Every reason not to take a sentence."""
        text = _even(sentence)
        yield from _form(sentence)
        yield from self._links(text)
        yield from self._figures(text)
        yield from self._said(text)
        yield from self._names(text)
        yield from self._about(text)
        yield from self._passage(text)
        yield from self._of_another(text)
        yield from self._turned(text)

    def _links(self, text: str) -> Iterator[str]:
        for address in (*(text[a:b] for a, b in counting.urls(text)), *(m[0] for m in DOTTED.finditer(text))):
            # The name of a firm may end like an address; it is never linked, and must stand in the article.
            if "/" in address or address not in self._text:
                yield f"it has a link, {address}"
        if E_MAIL.search(text) or SIGNED.search(text):
            yield "it has a mention, hashtag, command or e-mail address"
        for found in PHONE.finditer(text):
            digits = sum(c.isdigit() for c in found[0])
            if digits >= 7 and (found[0][0] in "+(0" or found[0] not in self._text):
                yield f"it has a phone number, {found[0]}"

    def _figures(self, text: str) -> Iterator[str]:
        for found in NUMBER.finditer(text):
            before, core, after, word = _number(found)
            same = [n for n in self._numbers if n[:3] == (before, core, after)]
            following = words.UNSPACED.match(text, found.end("core"))
            if not same:
                yield f"the article has no {found['before'] or ''}{core}{found['after'] or ''}"
            elif following and core + following[0] not in self._text:
                yield f"the article has no {core}{following[0]}"
            elif self._counts(word) and not self._measured(word, same):
                yield f"the article has no {core} {word}"
        for word, _, _ in _words(text):
            if word.casefold() in NUMERALS and not self._has(word):
                yield f"the article has no {word}"
            if self._stemmed(word) in self._periods and self._stemmed(word) not in self._all_stems:
                yield f"the article has no {word}"

    def _counts(self, word: str) -> bool:
        """Whether the word after a number may say what is counted."""
        return bool(word) and word not in self._known.stop

    def _measured(self, word: str, same: Sequence[Number]) -> bool:
        """Whether ``word`` follows one of these numbers, or is one of the article's that never follows a number."""
        return any(n[3] == word for n in same) or (word not in self._units and self._has(word))

    def _said(self, text: str) -> Iterator[str]:
        for found in QUOTED.finditer(text):
            said = _inside(found)
            if not any(said in quote for quote in self._quotes):
                yield f"the article does not quote “{said}”"

    def _names(self, text: str) -> Iterator[str]:
        for run in _runs(text):
            for word, first in run:
                if not (self._common(word) if first else self._named(word)) and CAPITAL.search(word):
                    yield f"{word} is not in the article"
            names = [w for w, _ in run]
            ways = [names, names[1:]] if run[0][1] else [names]
            if len(names) > 1 and not any(len(w) == 1 or self._together(w) for w in ways):
                yield f"{' '.join(names)} do not stand together in the article"

    def _about(self, text: str) -> Iterator[str]:
        terms = words.terms(text, self._known)
        found = sum(t in self._terms for t in terms)
        cased = len(CASED.findall(text)) >= len(regex.findall(r"\p{L}", text)) / 2
        # Where names have no capital letter, every word may be one.
        if terms and found < (GROUNDED if cased else 1) * len(terms):
            strange = next((t for t in terms if t not in self._terms), "")
            yield f"too much of it is not in the article, such as “{strange}”"
        foreign = [w for w in _content_words(text, self._known) if not self._known_word(w)]
        if len(set(foreign)) > STRANGE or any(GRAVE.match(w) for w in foreign):
            yield f"the article does not say {' or '.join(dict.fromkeys(foreign))}"

    def _known_word(self, word: str) -> bool:
        """Whether a word is one of the article's, in whatever form, or says next to nothing."""
        if self._has(word) or self._named(word) or word in self._known.weak:
            return True
        return (
            bool(self._terms.intersection(words.terms(word, self._known))) or stem(word, self._language) in self._stems
        )

    def _passage(self, text: str) -> Iterator[str]:
        """Whether the names and numbers of a sentence are said together in the article."""
        told = _Told(text, self._known)
        title = self._said_there[0].marks if self._said_there else set()
        wanted = {m for m in told.marks - title if m in self._places or any(m in s.marks for s in self._said_there)}
        near = (self._said_there[i : i + PASSAGE] for i in range(len(self._said_there)))
        if wanted and not any(wanted <= set().union(*(s.words for s in passage)) for passage in near):
            yield f"the article does not speak of {' and '.join(sorted(wanted))} together"

    def _of_another(self, text: str) -> Iterator[str]:
        """Whether a number follows a word that the article says of another number, and never of this one."""
        order = [w for w, _, _ in _words(text)]
        for before, number in itertools.pairwise(order):
            if not number[0].isdigit() or before[0].isdigit() or before.casefold() in self._known.stop:
                continue
            places, others = self._places.get(number.casefold(), []), self._places.get(before.casefold(), [])
            if any(abs(p - o) <= NEAR for p in places for o in others):
                continue
            if any(w[0].isdigit() for o in others for w in self._order[max(0, o - NEAR) : o + NEAR + 1]):
                yield f"the article does not say {before} {number}"

    def _turned(self, text: str) -> Iterator[str]:
        """Whether a sentence denies what its source says, says what it denies, or makes a demand of it."""
        told = _Told(text, self._known)
        source = max(self._said_there, key=lambda s: len(s.terms & told.terms), default=told)
        if 2 * len(source.terms & told.terms) >= len(told.terms) and source.denies != told.denies:
            yield "it says the opposite of its source" if source.denies else "it denies what its source says"
        if not told.denies and (turned := [w for w, _, _ in _words(text) if self._stemmed(w) in self._denied]):
            yield f"the article denies what it says, {' '.join(turned)}"
        if told.demands and not source.demands:
            yield "it makes a demand that the article does not make"

    def _has(self, word: str) -> bool:
        return _bare(word).casefold() in self._places

    def _common(self, word: str) -> bool:
        """Whether the first word of a sentence is one of the article's, in whatever form."""
        if self._has(word) or self._named(word) or word.casefold() in self._known.stop:
            return True
        return stem(word.casefold(), self._language) in self._stems

    def _named(self, word: str) -> bool:
        """Whether the article writes this word with a capital letter too."""
        return any(self._at(form) for form in self._forms(word))

    def _at(self, word: str) -> list[int]:
        return [p for p in self._places.get(word.casefold(), ()) if CAPITAL.search(self._order[p])]

    def _forms(self, word: str) -> set[str]:
        ends = ENDINGS.get(self._language, ())
        return {word, *(word + e for e in ends), *(word.removesuffix(e) for e in ends if len(word) > len(e) + 3)}

    def _together(self, names: Sequence[str]) -> bool:
        forms = [{f.casefold() for f in self._forms(n)} for n in names]
        starts = (p for f in forms[0] for p in self._places.get(f, ()))
        return any(
            len(self._order) >= p + len(forms) and all(self._order[p + i].casefold() in f for i, f in enumerate(forms))
            for p in starts
        )


class _Told:
    """One sentence: its words, what it is about, its names and numbers, whether it denies or demands."""

    def __init__(self, text: str, known: words.Language) -> None:
        found = [w for w, _, _ in _words(text)]
        self.words = {w.casefold() for w in found}
        self.terms = set(words.terms(text, known))
        inner = {w.casefold() for w, start, _ in _words(text) if CAPITAL.search(w) and not BEGINS.search(text[:start])}
        self.marks = inner | {w.casefold() for w in found if w[0].isdigit()}
        self.denies = not self.words.isdisjoint(DENIES) or DENYING.search(text) is not None
        self.demands = not self.words.isdisjoint(DEMANDS)


def _content_words(text: str, known: words.Language) -> Iterator[str]:
    """The words of a spaced script that say something and are no names, casefolded."""
    for word, _, _ in _words(text):
        low = word.casefold()
        said = low not in known.stop and word.isalpha() and len(word) > 2
        if said and not CAPITAL.search(word) and not words.UNSPACED.match(word):
            yield low


def _form(text: str) -> Iterator[str]:
    if clean(text) != text:
        yield "it has characters that nobody sees"
    if len(text) > LONGEST:
        yield f"a sentence is longer than {LONGEST} characters"
    if words.count(text) < FEWEST or not words.ENDING.search(text):
        yield f"“{text[:40]}” is no whole sentence"
    if checks.MARKUP.search(text) or PICTURES.search(text):
        yield "it has markup or emoji"
    if words.open_quotes(text):
        yield "it has a quotation without an end"


def _runs(text: str) -> Iterator[list[tuple[str, bool]]]:
    """Names as they stand: words with capital letters that follow each other, and whether one begins a sentence."""
    run: list[tuple[str, bool]] = []
    inner: list[tuple[str, bool]] = []
    done = 0
    for word, start, end in _words(text):
        between, done = text[done:start], end
        if between not in {" ", "-", "‑"}:
            if run:
                yield run
            run, inner = [], []
        if CAPITAL.search(word):
            run += [*inner, (word, bool(BEGINS.search(text[:start])))]
            inner = []
        elif run and word in INNER:
            inner.append((word, False))
        elif run:
            yield run
            run, inner = [], []
    if run:
        yield run


def _words(text: str) -> Iterator[tuple[str, int, int]]:
    """Every word with its place; of ``14-month`` and ``Graz-based`` both halves."""
    for whole in words.WORD.finditer(text):
        for part in regex.finditer(r"[^-‑]+", whole[0]):
            yield _bare(part[0]), whole.start() + part.start(), whole.start() + part.end()


def _number(found: regex.Match[str]) -> Number:
    word = (found["word"] or "").casefold()
    return (
        (found["before"] or "").strip().replace("−", "-"),
        found["core"],
        (found["after"] or "").strip(),
        "" if words.UNSPACED.match(word) else word,
    )


def _inside(found: regex.Match[str]) -> str:
    said = next((g for g in found.groups() if g is not None), "")
    return " ".join(said.split()).strip(" ,.;:!?…。，、")


def _even(text: str) -> str:
    """``text`` in one spelling: composed characters, one apostrophe, no invisible ones."""
    return regex.sub(r"(?<=\p{L})’(?=\p{L})", "'", unicodedata.normalize("NFC", words.INVISIBLE.sub("", text)))


def _bare(word: str) -> str:
    """A word without the article or the possessive that is written onto it."""
    return words.ELISION.sub("", words.CLITIC.sub("", word)) or word


@functools.lru_cache(maxsize=4096)
def stem(word: str, language: str) -> str:
    """A word without its endings; as it is in a language whose endings nobody has told."""
    name = STEMMERS.get(language)
    return str(snowballstemmer.stemmer(name).stemWord(word)) if name else word
