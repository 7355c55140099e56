"""How the words of one text are used in it: as verbs, as things, as names, before other words or by themselves."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import regex

from worker.content import words
from worker.content.keyphrases import Phrase, chunks, stem

TOKEN = regex.compile(r"\p{L}[\p{L}\p{M}\p{N}]*(?:['’\-‑][\p{L}\p{M}\p{N}]+)*")
INNER = frozenset(
    {"of", "de", "du", "des", "del", "della", "di", "da", "do", "dos", "das", "von", "van", "der", "den", "al", "bin"}
)
BEGINS = regex.compile(r"(?:^|[.!?…:—–-]\s)[\s\"'“”„‘’«»‹›(\[¿¡–—-]*+$")
INITIAL = regex.compile(r"\p{Lu}|\p{Lu}\p{Ll}{1,2}")  # before a point inside a name: "J. Smith", "Dr. Smith"
BORN = frozenset({"jr", "sr", "ii", "iii"})
LONGEST_NAME = 3  # words, in a hashtag
TITLE_CASE = 0.7  # with this share of its longer words in capitals, a line says nothing of what is a name
LONGER = 4  # letters
HEADS = 0.25  # of the times a thing is said, at least this share is of the thing and not of another that it tells of
NAMED = 0.1  # the same for a name: "Apple" of "Apple devices"
NEVER = 1 << 30
PRONOUNS = frozenset({"to", "them", "him", "it", "us", "me", "you"})  # stand behind verbs and before no thing


class Usage:
    """What a text shows of its words: ``head`` are its title and headings, ``body`` its paragraphs."""

    def __init__(self, head: Sequence[str], body: Sequence[str], lang: words.Language) -> None:
        self.lang = lang
        self._said: Counter[str] = Counter()
        self._acts: Counter[str] = Counter()
        self._things: Counter[str] = Counter()
        self._forms: defaultdict[str, set[str]] = defaultdict(set)
        self._small: set[str] = set()
        self._named: Counter[str] = Counter()
        self._runs: Counter[str] = Counter()
        self._place: dict[str, int] = {}
        self._names: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._heads: Counter[str] = Counter()
        self._inside: Counter[str] = Counter()
        self._general = lang.stop | lang.weak | lang.verbs
        runs: list[tuple[list[str], bool]] = []
        for number, line in enumerate([*head, *body]):
            found = list(TOKEN.finditer(line))
            # What stands before "to" is no verb in a title: "Harbour ferry to run all night".
            self._read_verbs([m[0] for m in found], lang.acts_before - {"to"} if number == 0 else lang.acts_before)
            if number == len(head):
                runs.append(([], False))
            if not _all_capitals([m[0] for m in found], lang):
                runs += self._read_names(found, line)
        self._remember(runs)
        first = list(TOKEN.finditer(head[0])) if head else []
        shouts = _all_capitals([m[0] for m in first], lang)
        runs = [] if shouts else list(self._read_names(first, head[0]))
        # With its first word a title may begin a name or only itself: "New Omagh attack".
        self._titled = [self._bare(run) for run, begins in runs if not begins or " ".join(run) in self._place]
        if lang.head:
            self._read_heads("\n".join([*head, *body]))

    def _read_verbs(self, tokens: Sequence[str], acts_before: frozenset[str]) -> None:
        before = ""
        for token, after in zip(tokens, [*tokens[1:], ""], strict=False):
            word = token if token.isalnum() else next(words.words(token), token)
            low = words.plain(token)
            key = stem(word, self.lang.code)
            elided = low[: low.find("'") + 1]  # of "s'éteint" or "l'homme"
            # With a capital letter an article belongs to a name: "Le Rex".
            follows = after.replace("’", "'")
            if {before, elided} & self.lang.acts_after or {after, follows[: follows.find("'") + 1]} & acts_before:
                self._acts[key] += 1
            if before in self.lang.acts_before - PRONOUNS:
                self._things[key] += 1
            self._said[key] += 1
            self._forms[key].add(words.plain(word))
            if word[0].islower():
                self._small.add(words.plain(word))
            before = low

    def _read_names(self, found: Sequence[regex.Match[str]], line: str) -> Iterator[tuple[list[str], bool]]:
        """The runs of words with capital letters, and whether each begins a sentence."""
        run: list[str] = []
        begins = False
        done = -1
        owns = False  # "Nassau's Mulvey" are two names
        for match, after in zip(found, [*found[1:], None], strict=False):
            capital = match[0][0].isupper()
            between = line[done : match.start()]
            joined = between == " " or (between == ". " and INITIAL.fullmatch(run[-1] if run else ""))
            inner = bool(run) and match[0] in INNER and after is not None and after[0][0].isupper()
            if run and (owns or not joined or not (capital or inner)):
                yield run, begins
                run, inner = [], False
            done = match.end()
            owns = words.CLITIC.search(match[0]) is not None
            if inner:
                run.append(match[0])
            if not capital:
                continue
            word = match[0] if match[0].isalnum() else next(words.words(match[0]), match[0])
            at = match.start()
            begins = begins if run else BEGINS.search(line[max(0, at - 9) : at] if at else "") is not None
            # Its capital letter is that of the sentence: no name begins so, unless another follows it.
            alone = after is None or not after[0][0].isupper() or words.plain(word) in self.lang.stop
            if begins and not run and alone and words.plain(word) in self._general:
                continue
            if run or not begins:
                self._named[stem(word, self.lang.code)] += 1
            run.append(word)
        if run:
            yield run, begins

    def _remember(self, runs: Sequence[tuple[list[str], bool]]) -> None:
        """Keep every run under each of its words, and where it stands first in the body, which an empty run opens."""
        body = False
        for place, (found, begins) in enumerate(runs):
            run = found
            body = body or not run
            if begins and len(run) > 1 and self.small(run[0]) and not self._named[stem(run[0], self.lang.code)]:
                run = run[1:]  # its first word has its capital letter from the sentence
            if len(run) > 2 and words.plain(run[0]) in self.lang.trades:
                run = run[1:]
            inner = max((i for i, w in enumerate(run) if w in INNER), default=0)
            for part in (run, run[inner + 1 :]) if inner else (run,):  # "Tale of Jang Noksu" names Jang Noksu too
                name = " ".join(part)
                self._runs[name] += 1
                if body:
                    self._place.setdefault(name, place)
                for word in set(part):
                    self._names[word][name] += 1

    def _read_heads(self, text: str) -> None:
        at = -1 if self.lang.head == "last" else 0
        for _, chunk in chunks(text, self.lang):
            found = [stem(w, self.lang.code) for w in chunk]
            self._inside.update(found)
            self._heads[found[at]] += 1

    def acts(self, phrase: Phrase) -> bool:
        """Whether a phrase is a verb, or has one at an end."""
        parts = phrase.text.split()
        low, key = words.plain(parts[-1]), phrase.stems[-1]
        if parts[-1][0].isupper() and self._named[key] and low not in self._small:
            return False
        if len(parts) > 1:
            first = phrase.stems[0]
            gerund = words.plain(parts[0]).endswith(self.lang.doing)  # "parking spaces"
            return self._verbal(first) or self._verbal(key) or (not gerund and self._does(first))
        if self.lang.acting and low.endswith(self.lang.acting) and len(low) > 4:
            return low not in self.lang.nouns
        if self.lang.doing and (low.endswith(self.lang.doing) or "-" in low):
            return low not in self.lang.nouns and not self._things[key]
        return self._verbal(key) or self._does(key)

    def _verbal(self, key: str) -> bool:
        return 2 * self._acts[key] >= max(1, self._said[key])

    def _does(self, key: str) -> bool:
        """Whether a word has the form of a verb somewhere, and never the article of a thing."""
        acted = any(f.endswith(self.lang.acting) and len(f) > 4 and f not in self.lang.nouns for f in self._forms[key])
        return bool(self.lang.doing) and acted and not self._things[key]

    def qualifies(self, key: str, *, named: bool) -> bool:
        """Whether a word mostly stands with another that it tells more of: "political" of "political parties"."""
        return bool(self.lang.head) and self._heads[key] < (NAMED if named else HEADS) * self._inside[key]

    def named(self, key: str) -> bool:
        """Whether a word is mostly written with a capital letter where none is due."""
        return self.lang.code != "de" and 2 * self._named[key] >= max(1, self._said[key])

    def said(self, key: str) -> int:
        """How often a word is said, by its stem."""
        return self._said[key]

    def small(self, word: str) -> bool:
        """Whether a word is written without a capital letter somewhere."""
        return words.plain(word) in self._small

    def full_name(self, name: str) -> str:
        """The whole name of which ``name`` is a part in most places, without what its bearer is called ("Senator",
        "Jr."); "" if it is a piece of a longer name.
        """
        if self.lang.code == "de" or not self._names:
            return name
        found = name.split()
        wholes: Counter[str] = Counter()
        place: dict[str, int] = {}
        for run, n in self._names[found[-1]].items():
            bare = " ".join(self._bare(run.split()))
            wholes[bare] += n
            place[bare] = min(self._place.get(run, NEVER), place.get(bare, NEVER))
        if len(found) > 1:
            bare = " ".join(self._bare(found))
            if " " in bare:
                return bare if bare in wholes or not wholes else ""
            name = bare
        if name.isupper():
            return name
        for titled in self._titled:
            if name in {titled[0], titled[-1]} and 1 < len(titled) <= LONGEST_NAME:
                return " ".join(titled)
        longer = Counter({w: n for w, n in wholes.items() if 1 <= w.count(" ") < LONGEST_NAME})
        # Who is called by the last part of a name was called by the whole of it before.
        if name in wholes:  # "England" is not what "Bank of England" is called for short
            longer = Counter({w: n for w, n in longer.items() if INNER.isdisjoint(w.split())})
        last = Counter(
            {w: n for w, n in longer.items() if w.endswith(f" {name}") and place[w] <= place.get(name, NEVER)}
        )
        if last:
            best, n = last.most_common(1)[0]
            return best if 2 * n > last.total() or len(last) == 1 else name
        best, n = max(longer.items(), key=lambda item: item[1], default=("", 0))
        return best if best.startswith(f"{name} ") and 2 * n > wholes.total() else name

    def uncalled(self, parts: list[str]) -> list[str]:
        """A tag without what somebody is called ("Photographer Ruta Palmgren"), where the text has the name alone."""
        called = len(parts) > 2 and words.plain(parts[0]) in self.lang.roles | self.lang.trades
        return parts[1:] if called and self._runs[" ".join(parts[1:])] else parts

    def _bare(self, run: Sequence[str]) -> list[str]:
        """A name without initials in its midst and without words before or behind it that are no part of it."""
        kept = [w for i, w in enumerate(run) if i in {0, len(run) - 1} or len(w) > 1]
        while len(kept) > 1 and words.plain(kept[-1].strip(".")) in BORN:
            kept.pop()
        while len(kept) > 1:
            first = words.plain(kept[0])
            longer = len(kept) > 2 or first in self.lang.stop
            called = first in self.lang.roles or (len(kept) > 2 and first in self.lang.trades)
            if not called and not (longer and self._runs[" ".join(kept[1:])]):
                break
            kept = kept[1:]
        return kept


@functools.cache
def general_stems(lang: words.Language) -> frozenset[str]:
    """The stems of the nouns that say nothing by themselves."""
    return frozenset(stem(w, lang.code) for w in lang.general)


def _all_capitals(tokens: Sequence[str], lang: words.Language) -> bool:
    """Whether a line writes nearly every word with a capital letter, as many titles do."""
    longer = [t for t in tokens if len(t) >= LONGER and words.plain(t) not in lang.stop]
    return len(longer) > 2 and sum(t[0].isupper() for t in longer) >= TITLE_CASE * len(longer)
