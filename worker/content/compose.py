"""How one article becomes one post: which of its words fit an account, in what order, and what in them is a link."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote_plus, urlsplit, urlunsplit

import regex

from publishers.core import counting
from publishers.core.limits import Limits
from publishers.core.post import Facet, Media, Post
from worker.content import words
from worker.content.template import Piece, Template, parse
from worker.errors import HandbillError
from worker.model import Article, Content, Sentence

REACH = 8  # a post is made of the best few sentences; what comes later is not worth a reader's time
FADE = 0.9  # how much of the worth of a ranked sentence the next one has
LABELLED = 0.5  # what a sentence behind a label ("Tip: …") is worth beside one that reads as prose
TAG = 0.05  # what a hashtag is worth when the best sentence is worth 1
READABLE = 40  # a title cut shorter than this (code points) says too little to save a hashtag
LONGEST_TITLE = 1_000  # code points; what is longer is no title but text in its place
PARTS = 9  # of a thread at most: one digit, and as much as anybody reads
SAME = 0.7  # two texts with this share of content words in common say the same thing
UNJOINED = frozenset({"zh", "ja", "th"})  # sentences follow each other without a space

ELLIPSIS = "…"
CLAUSE = regex.compile(r"[,;:.!?…|–—、，。；：！？]\s*$|[)\]）」』”»]\s*$")
UNSPACED_SIGNS = "、，。；：！？」』）"
HANGING = regex.compile(r"[\s\p{P}\u2060--[)\]）」』”»'’?!%]]+$", regex.VERSION1)
# What a reader cannot see or what changes the direction of text after it: controls, embeddings, overrides, isolates,
# soft hyphens, zero-width spaces, byte-order marks, halves of characters, hidden tags outside a flag.
UNSEEN = regex.compile(
    r"\U0001f3f4[\U000e0030-\U000e007a]{3,6}\U000e007f(*SKIP)(*FAIL)"
    r"|[\p{Cc}--\s]|[\u00ad\u200b\u2060-\u2064\u202a-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb\p{Cs}]"
    r"|[\ufdd0-\ufdef\ufffe\uffff\U000e0000-\U000e007f]",
    regex.VERSION1,
)
GAPS = regex.compile(r"[^\S\u00a0\u202f]+")  # the two spaces that French sets before its signs stay
# U+2060 WORD JOINER breaks a mention or hashtag and shows nothing. The zero-width (non-)joiners do not break one: X
# and Mastodon (app/models/tag.rb), and for U+200C Telegram (td/telegram/MessageEntity.cpp), take them for letters of
# a hashtag; and a zero-width space would let a line end between the sign and its word.
JOINER = "\u2060"
SIGNS = regex.compile(
    r"[@＠](?=[\p{L}\p{M}\p{N}_!&\[])"
    r"|[#＃](?!\ufe0f?\u20e3)(?=[\p{N}_\u200c\u200d\u00b7\u30fb]*[\p{L}\p{M}]|[_\u200c\u200d\u00b7\u30fb])"
    # Commands and stocks: https://core.telegram.org/bots/api#messageentity, and "cashtags" in twitter-text. Behind a
    # letter or digit they are none; a mark is no letter there (is_word_character in td/telegram/MessageEntity.cpp).
    r"|(?<![\p{L}\p{N}_/<>])/(?=[A-Za-z0-9_])|(?<![\p{L}\p{N}_$])\$(?=[A-Za-z])"
    r"|(?<=\p{L}):(?=//)"  # chats link whatever has a scheme, be there such a domain or not
)
POINTS = regex.compile(r"(?<=\.)(?=[\p{L}\p{M}\p{N}])|(?<=:)(?=//)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """One finished post: ``length`` of ``limit`` in the platform's own counting, ``hashtags`` without ``#``, and the
    article's sentences it uses, as they stand in the article; ``warnings`` are lines for who reads it before it goes;
    ``comment`` is the first comment below it.
    """

    post: Post
    length: int
    limit: int
    hashtags: tuple[str, ...]
    sentences: tuple[Sentence, ...]
    warnings: tuple[str, ...] = ()
    comment: Post | None = None


def compose(
    article: Article,
    content: Content,
    *,
    platform: str,
    limits: Limits,
    template: str,
    link: str | None,
    media: tuple[Media, ...],
    hashtags: int | None = None,
    avoid: frozenset[str] = frozenset(),
    variant: int = 0,
) -> Composed:
    """The post about ``article`` for one account: never over ``limits``, no word or address cut.

    ``hashtags`` is how many the account wants at most (None = what the template says); ``avoid`` are hashtags
    (without ``#``) and sentences not to use; ``variant`` counts the different posts the article gives, best first.
    Raises HandbillError if the template cannot be used.
    """
    media = tuple(with_alt(m, limits.alt) for m in media[: limits.media])
    writer = _writer(
        article,
        content,
        platform=platform,
        limits=limits,
        template=template,
        link=link,
        hashtags=hashtags,
        avoid=avoid,
        media=bool(media),
    )
    draft = writer.variant(variant)
    text, facets = writer.render(draft)
    if not limits.fits(text, media=bool(media)):
        why = f"it alone is longer than the {limits.room(media=bool(media))} there are"
        raise HandbillError(f"The post template for {platform} cannot be used", why=why, do="Shorten it")
    post = Post(
        text=text,
        facets=facets,
        link=_whole(link) if link else None,
        title=heading(article, limits),
        description=clean(content.short),
        media=media,
        language=words.base(article.language) or None,
    )
    return Composed(
        post=post,
        length=limits.length(text),
        limit=limits.room(media=bool(media)),
        hashtags=draft.tags,
        sentences=draft.sentences,
    )


def heading(article: Article, limits: Limits) -> str:
    """The title of a post about ``article``, where it stands apart from the text."""
    return shorten(clean(article.title), lambda t: len(t) <= (limits.title or LONGEST_TITLE))


def thread(
    article: Article,
    content: Content,
    *,
    platform: str,
    limits: Limits,
    template: str,
    link: str | None,
    media: tuple[Media, ...],
    hashtags: int | None = None,
    avoid: frozenset[str] = frozenset(),
) -> tuple[Composed, ...]:
    """What ``compose`` makes, and after it the article's next best sentences in its order, each part with its number.

    The first part alone has link, pictures and hashtags. One post without a number if there is nothing more to say.
    """
    told: dict[str, Any] = {"platform": platform, "limits": limits, "link": link, "hashtags": hashtags, "avoid": avoid}
    first = compose(article, content, **told, template=template + _mark(1, PARTS), media=media)
    writer = _writer(article, content, **told, template=template, media=False)
    rest = writer.rest(first.sentences)
    if not rest:
        return (compose(article, content, **told, template=template, media=media),)
    count = len(rest) + 1
    parts = [compose(article, content, **told, template=template + _mark(1, count), media=media)]
    for number, sentences in enumerate(rest, 2):
        text = writer.summary(sentences) + _mark(number, count)
        post = Post(text=text, language=words.base(article.language) or None)
        room = limits.room(media=False)
        parts.append(Composed(post=post, length=limits.length(text), limit=room, hashtags=(), sentences=sentences))
    return tuple(parts)


def link_comment(link: str, language: str) -> Post:
    """A first comment that is the link alone."""
    link = _whole(link)
    facet = Facet(type="link", start=0, end=len(link), value=link)
    return Post(text=link, facets=(facet,), language=words.base(language) or None)


def _mark(number: int, count: int) -> str:
    return f"\n\n{number}/{count}"


def _writer(
    article: Article,
    content: Content,
    *,
    platform: str,
    limits: Limits,
    template: str,
    link: str | None,
    hashtags: int | None,
    avoid: frozenset[str],
    media: bool,
) -> _Writer:
    parsed = parse(template, f"The post template for {platform}")
    return _Writer(
        template=parsed,
        limits=limits,
        media=media,
        language=words.base(article.language),
        title=_shown(article.title),
        sentences=tuple(s for s in content.sentences if s.text not in avoid and _shown(s.text)),
        tags=_usable(content.hashtags, avoid, parsed, limits, hashtags),
        link=_whole(link) if link and limits.link_in_text else "",
        fields={
            "author": _shown(article.author),
            "site": _shown(article.site),
            "tags": ", ".join(_shown(t) for t in article.tags),
        },
    )


@dataclass(frozen=True, slots=True)
class Draft:
    """What a post is made of, before it is written out."""

    title: str
    sentences: tuple[Sentence, ...]
    tags: tuple[str, ...]
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writer:
    """Chooses from ``sentences`` (best first) and ``tags`` what fits with ``title`` and ``link``, and writes it out."""

    template: Template
    limits: Limits
    media: bool
    language: str
    title: str
    sentences: tuple[Sentence, ...]
    tags: tuple[str, ...]
    link: str
    fields: Mapping[str, str]
    _terms: dict[str, frozenset[str]] = field(default_factory=dict)

    def variant(self, number: int) -> Draft:
        """The ``number``th different post, best first; after the last one they begin again."""
        seen: dict[str, Draft] = {}
        for draft in self._drafts():
            seen.setdefault(self.render(draft)[0], draft)
            if len(seen) > number:
                break
        drafts = list(seen.values()) or [self._last_resort()]
        return drafts[number % len(drafts)]

    def _drafts(self) -> Iterator[Draft]:
        """Posts that fit with nothing cut: the title with sentences, then sentences in its place, then it alone."""
        for title in dict.fromkeys((self.title, "")):
            used: set[Sentence] = set()
            while draft := self._draft(title, used):
                yield draft
                if used.issuperset(draft.sentences):
                    break
                used.update(draft.sentences)
        if self.title and (draft := self._alone(self.title)):
            yield draft

    def _draft(self, title: str, used: set[Sentence]) -> Draft | None:
        """The best draft with this title and sentences not ``used``: rather fewer hashtags than no sentence."""
        order = sorted(self._ranked(title), key=used.__contains__)
        drafts: list[Draft] = []
        for count in self._counts():
            tags = self.tags[:count]
            if sentences := self._choose(title, order, tags):
                drafts.append(Draft(title, sentences, tags, self.link))
            if drafts and count <= self.template.enough:
                break
        if drafts:
            return max(drafts, key=lambda d: sum(self._worth(s, title) for s in d.sentences) + TAG * len(d.tags))
        return self._alone(title) if title and not used else None

    def _alone(self, title: str) -> Draft | None:
        drafts = (Draft(title, (), self.tags[:count], self.link) for count in self._counts())
        return next((d for d in drafts if self._fits(d)), None)

    def _counts(self) -> range:
        """How many hashtags to try: from all down to one."""
        return range(len(self.tags), min(1, len(self.tags)) - 1, -1)

    def _ranked(self, title: str) -> list[Sentence]:
        """The sentences worth a reader's time, best first; below a title only those that tell more than it."""
        fresh = (s for s in self.sentences if not title or not self._same(s.text, self.title))
        return sorted(itertools.islice(fresh, REACH), key=lambda s: self._worth(s, title), reverse=True)

    def _worth(self, sentence: Sentence, title: str) -> float:
        """Its place among the best, how little of it stands in the title and that it is prose; the best is worth 1.

        The article's first sentence says its news, so half of it may.
        """
        about = self._about(sentence.text)
        again = len(about & self._about(self.title)) / max(1, len(about)) if title else 0.0
        fresh = min(1.0, 2 * (1 - again)) if sentence.source_offset == 0 else 1 - again / 2
        labelled = words.LABEL.match(sentence.text) is not None
        return FADE ** self.sentences.index(sentence) * fresh * (LABELLED if labelled else 1)

    def _choose(self, title: str, order: Sequence[Sentence], tags: tuple[str, ...]) -> tuple[Sentence, ...]:
        """As many of the sentences as are wanted and fit, none twice in other words, in the article's order."""
        taken: list[Sentence] = []
        for sentence in order:
            if len(taken) == self.template.sentences:
                break
            if any(self._same(sentence.text, t.text) for t in taken):
                continue
            tried = sorted([*taken, sentence], key=self._place)
            most = self.template.summary
            if most is not None and self.limits.length(self.summary(tried)) > most:
                continue
            if self._fits(Draft(title, tuple(tried), tags, self.link)):
                taken = tried
        return tuple(taken)

    def _place(self, sentence: Sentence) -> tuple[bool, int]:
        """Where a sentence stands in the article; those that a model wrote come last, in its order."""
        if sentence.source_offset is None:
            return True, self.sentences.index(sentence)
        return False, sentence.source_offset

    def rest(self, said: Sequence[Sentence]) -> list[tuple[Sentence, ...]]:
        """What the best sentences after those ``said`` fill, in the article's order: fewer parts than ``PARTS``."""
        fresh: list[Sentence] = []
        for sentence in self.sentences:
            if len(fresh) == PARTS * REACH:
                break
            known = (self.title, *(s.text for s in (*said, *fresh)))
            if not any(self._same(sentence.text, text) for text in known) and self._part_fits([sentence]):
                fresh.append(sentence)
        while len(parts := self._packed(sorted(fresh, key=self._place))) >= PARTS:
            fresh.pop()
        return parts

    def _packed(self, sentences: Sequence[Sentence]) -> list[tuple[Sentence, ...]]:
        parts: list[tuple[Sentence, ...]] = []
        for sentence in sentences:
            if parts and self._part_fits([*parts[-1], sentence]):
                parts[-1] = (*parts[-1], sentence)
            else:
                parts.append((sentence,))
        return parts

    def _part_fits(self, sentences: Sequence[Sentence]) -> bool:
        return self.limits.fits(self.summary(sentences) + _mark(PARTS, PARTS), media=False)

    def _last_resort(self) -> Draft:
        """The title (where there is none, the best sentence) cut to what is left; a hashtag only if that is much."""
        headline = self.title or (_shown(self.sentences[0].text) if self.sentences else "")
        link = self.link if self._fits(Draft("", (), (), self.link)) else ""

        def cut(tags: tuple[str, ...]) -> Draft:
            return Draft(shorten(headline, lambda t: self._fits(Draft(t, (), tags, link))), (), tags, link)

        draft = cut(self.tags[:1])
        return draft if len(draft.title) >= min(READABLE, len(headline)) and self._fits(draft) else cut(())

    def _fits(self, draft: Draft) -> bool:
        return self.limits.fits(self.render(draft)[0], media=self.media)

    def summary(self, sentences: Sequence[Sentence]) -> str:
        between = "\n\n" if self.template.paragraphs else "" if self.language in UNJOINED else " "
        return between.join(_shown(s.text) for s in sentences)

    def render(self, draft: Draft) -> tuple[str, tuple[Facet, ...]]:
        """The text of a draft and what in it is a link or a hashtag."""
        values: dict[str, list[Piece]] = {name: [Piece(text)] for name, text in self.fields.items()}
        values["title"] = [Piece(draft.title)]
        values["summary"] = [Piece(self.summary(draft.sentences))]
        values["link"] = [Piece(draft.link, "link", draft.link)]
        values["hashtags"] = [p for tag in draft.tags for p in (Piece(" "), Piece(f"#{tag}", "tag", tag))][1:]
        text = ""
        facets: list[Facet] = []
        blank = False
        for line in self.template.lines:
            filled = _fill(line, values)
            if not any(p.text for p in filled):
                blank = blank or not any(p.text for p in line)
                continue
            text += ("\n\n" if blank else "\n") if text else ""
            blank = False
            for piece in filled:
                if piece.text and (piece.type == "link" or piece.type == "tag"):  # noqa: PLR1714 - narrows the type
                    end = len(text) + len(piece.text)
                    facets.append(Facet(type=piece.type, start=len(text), end=end, value=piece.value))
                text += piece.text
        return text, tuple(facets)

    def _same(self, one: str, other: str) -> bool:
        """Whether two texts say the same thing, one of them hardly more."""
        a, b = self._about(one), self._about(other)
        if not a or not b:
            return words.key(one) == words.key(other)
        return len(a & b) >= SAME * min(len(a), len(b)) and max(len(a), len(b)) <= 2 * min(len(a), len(b))

    def _about(self, text: str) -> frozenset[str]:
        if text not in self._terms:
            self._terms[text] = frozenset(words.terms(text, words.language(self.language)))
        return self._terms[text]


def _fill(line: tuple[Piece, ...], values: Mapping[str, list[Piece]]) -> list[Piece]:
    """A line with its slots filled: none if all are empty; a mark between two slots goes with an empty one."""
    line = _quoted_once(line, values)
    slots = [i for i, p in enumerate(line) if p.type == "slot"]
    full = {i for i in slots if any(p.text for p in values[line[i].text])}
    if slots and not full:
        return []
    filled: list[Piece] = []
    for i, piece in enumerate(line):
        if piece.type == "slot":
            filled += values[piece.text]
        elif regex.search(r"[\p{L}\p{N}]", piece.text) or _kept(i, slots, full):
            filled.append(piece)
    return filled


def _quoted_once(line: tuple[Piece, ...], values: Mapping[str, list[Piece]]) -> tuple[Piece, ...]:
    """A line without its quotation marks around a slot whose words bring their own: they would stand there twice."""
    pieces = list(line)
    for i in range(1, len(line) - 1):
        said = "".join(p.text for p in values[line[i].text]) if line[i].type == "slot" else ""
        before, after = pieces[i - 1], pieces[i + 1]
        around = before.text[-1:] in words.QUOTES and after.text[:1] in words.QUOTES
        if words.quotes(said) and around and before.type == after.type == "plain":
            pieces[i - 1] = dataclasses.replace(before, text=before.text[:-1])
            pieces[i + 1] = dataclasses.replace(after, text=after.text[1:])
    return tuple(pieces)


def _kept(place: int, slots: Sequence[int], full: set[int]) -> bool:
    before, after = [s for s in slots if s < place], [s for s in slots if s > place]
    return not before or not after or (bool(full.intersection(before)) and after[0] in full)


def clean(text: str) -> str:
    """``text`` on one line without what no reader should meet: controls, hidden characters, changes of direction."""
    return GAPS.sub(" ", UNSEEN.sub("", text)).strip()


def plain(text: str) -> str:
    """``text`` in which no platform finds a mention, hashtag, link or command: only what a post marks itself counts."""
    text = SIGNS.sub(lambda m: m[0] + JOINER, text)
    for start, end in reversed(counting.urls(text)):
        text = text[:start] + POINTS.sub(JOINER, text[start:end]) + text[end:]
    return text


@functools.lru_cache(maxsize=256)
def _shown(text: str) -> str:
    return plain(clean(text))


def shorten(text: str, fits: Callable[[str], bool]) -> str:
    """``text`` if it fits, else its beginning up to the end of a clause or word, with an ellipsis.

    A word is cut only if it is longer than the room by itself, and never inside a user-perceived character.
    """
    if fits(text):
        return text
    text = text[:LONGEST_TITLE]
    spaced = [m.start() for m in regex.finditer(r"\s+", text)]
    unspaced = [m.end() for m in regex.finditer(r"\X", text) if words.UNSPACED.match(m[0]) or m[0] in UNSPACED_SIGNS]
    ends = sorted({*spaced, *unspaced})
    best = _longest(text, ends, fits)
    if best:
        clause = next((e for e in reversed(ends) if e <= best and CLAUSE.search(text[:e])), 0)
        best = clause if 2 * clause >= best and fits(_ended(text, clause)) else best
    else:
        best = _longest(text, [m.end() for m in regex.finditer(r"\X", text)], fits)
    return _ended(text, best) if best else ""


def _longest(text: str, ends: Sequence[int], fits: Callable[[str], bool]) -> int:
    """The last of ``ends`` up to which ``text`` fits with an ellipsis, or 0."""
    low, high = 0, len(ends)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if fits(_ended(text, ends[middle])) else (low, middle)
    # A longer text may count less (a link in the making), so the last step is looked at once more.
    return next((e for e in reversed(ends[:low]) if _ended(text, e) != ELLIPSIS and fits(_ended(text, e))), 0)


def _ended(text: str, end: int) -> str:
    return (HANGING.sub("", text[:end]) or text[:end].rstrip()) + ELLIPSIS


def _usable(
    tags: Sequence[str], avoid: frozenset[str], template: Template, limits: Limits, wanted: int | None
) -> tuple[str, ...]:
    """The hashtags to use, best first: real ones, not avoided, not twice, not in the template already."""
    if wanted is None:
        wanted = template.hashtags
    most = limits.hashtags if wanted is None else min(wanted, limits.hashtags)
    gone = {words.plain(a.lstrip("#＃")) for a in avoid}
    gone |= {words.plain(p.value) for line in template.lines for p in line if p.type == "tag"}
    if not any(p == Piece("hashtags", "slot") for line in template.lines for p in line):
        most = 0
    usable: list[str] = []
    for tag in tags:
        if words.plain(tag) not in gone and counting.hashtags(f"#{tag}") == [(0, len(tag) + 1)]:
            gone.add(words.plain(tag))
            usable.append(tag)
    return tuple(usable[:most])


def with_alt(media: Media, room: int) -> Media:
    """``media`` with an alt text the platform takes; one without a field for it keeps the whole."""
    alt = clean(media.alt)
    whole = dataclasses.replace(media, alt=alt)
    return whole.described(shorten(alt, lambda t: len(t) <= room)) if room else whole


def _whole(link: str) -> str:
    """``link`` so written that a platform which looks for links itself finds all of it."""
    if counting.urls(link) == [(0, len(link))] and link.isascii():
        return link
    parts = urlsplit(link)
    path, query, fragment = (quote(p, safe="/:@!$&*+,;=%?~") for p in (parts.path, parts.query, parts.fragment))
    safe = urlunsplit((parts.scheme, parts.netloc, path, query, fragment))
    return safe if safe[-1:] not in {*"!$&*,;:.?~@"} else safe[:-1] + f"%{ord(safe[-1]):02X}"


def tag_link(url: str, params: Mapping[str, str]) -> str:
    """``url`` with the query parameters ``params`` (such as ``utm_source``), each once: one that is there is replaced.

    Every other byte of the address stays as it is.
    """
    base, mark, fragment = url.partition("#")
    address, _, query = base.partition("?")
    kept = [p for p in query.split("&") if p and unquote_plus(p.partition("=")[0]) not in params]
    added = [f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in params.items()]
    query = "&".join(kept + added)
    return address + (f"?{query}" if query else "") + mark + fragment


def parameters(query: str, names: Mapping[str, str]) -> dict[str, str]:
    """The query parameters that ``query`` writes, ``{platform}`` and the like replaced by what ``names`` says.

    Raises HandbillError if it cannot be read so.
    """
    filled = regex.sub(r"\{(\w+)\}", lambda m: quote(names[m[1]], safe="") if m[1] in names else m[0], query)
    try:
        given = dict(parse_qsl(filled, keep_blank_values=True, strict_parsing=True))
    except ValueError:
        given = {}
    if not all(given) or not given or regex.search(r"[{}\s]", filled):
        do = f"Write them like utm_source={{platform}}&utm_medium=social, with {', '.join(f'{{{n}}}' for n in names)}"
        raise HandbillError(f"The parameters {query!r} cannot be used", do=do)
    return given
