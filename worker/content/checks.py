"""What a reader would stumble over in an article or its post: said before it is scheduled, and never forbidden."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import regex

from worker.content import words
from worker.model import Article

MARKUP = regex.compile(
    r"</?[a-zA-Z][a-zA-Z0-9-]*(?:\s[^<>]*)?/?>|<!--|\]\]>"  # HTML, XML
    r"|&(?:[a-zA-Z]{2,8}|#\d{2,6}|#x[0-9a-fA-F]{2,6});"
    r"|!?\[[^\[\]\n]*\]\([^()\s]+\)|(?<![*\w])\*\*(?=\S)|```|(?<!\w)__(?=\w)"  # Markdown
    r"|\{\{|\{%|\[/?(?:caption|gallery|embed|url|img|quote|b|i)\b[^\]\n]*\]"  # templates, shortcodes, BBCode
)
PLACEHOLDER = regex.compile(
    r"(?i:lorem ipsum|\bdolor sit amet\b|\[(?:insert|your|todo|tbd|placeholder)\b[^\]]*\])"
    r"|\bTK(?:TK)+\b|\bTODO\b|\bXXX+\b"
)
TO_COME = regex.compile(r"\bTK\b")  # "to come", in English newsrooms only: elsewhere it is a company
LOST = "\ufffd"
FOREIGN = regex.compile(r"[^\x00-\x7f]{2,}")
ADDRESS = regex.compile(r"https?://\S+")
SHOUTED = 12  # letters; shorter ones are names of things, such as NATO
SHOWN = 40


def article_warnings(article: Article, sentences: Sequence[str] = ()) -> tuple[str, ...]:
    """What is wrong with an article's title, and with those of its sentences that may be posted; one line each."""
    found: list[str] = []
    for name, text in (("The title", article.title), *(("A sentence", s) for s in sentences)):
        found += [f"{name} {what}: {_start(text)}" for what in _wrong(text, article.language)]
    ends = regex.split(r"\s+[|–—:·-]\s+", article.title)
    if len(ends) > len({words.key(e) for e in ends}) or _twice(article.title):
        found.append(f"The title says the same twice: {_start(article.title)}")
    return tuple(dict.fromkeys(found))


def post_warnings(
    article: Article, text: str, *, sensitive: Sequence[str] = (), warned: bool = False
) -> tuple[str, ...]:
    """What is wrong with one post's ``text``; ``sensitive`` are the words that call for a content warning, where the
    platform has one, and ``warned`` says that the post carries it.
    """
    found = []
    title = words.key(article.title)
    own = ADDRESS.sub(" ", text)  # many an address ends in the words of its title
    if len(title) > SHOUTED and words.key(own).count(title) > 1:
        found.append("The title stands in the post twice")
    if not warned and (topics := mentioned(article, sensitive)):
        found.append(f"It is about {', '.join(topics)}: a content warning would spare readers")
    return tuple(found)


def mentioned(article: Article, topics: Sequence[str]) -> tuple[str, ...]:
    """Those of ``topics`` that the article names as whole words, whatever their case."""
    said = words.plain(f"{article.title}\n{article.text}")
    return tuple(
        t for t in topics if words.plain(t) and regex.search(rf"(?<!\w){regex.escape(words.plain(t))}(?!\w)", said)
    )


def _wrong(text: str, language: str) -> Iterator[str]:
    letters = [c for c in text if c.isalpha()]
    if len(letters) >= SHOUTED and " " in text.strip() and text.isupper():
        yield "is all in capitals"
    if LOST in text or any(_misread(m[0]) for m in FOREIGN.finditer(text)):
        yield "has broken characters"
    if words.open_quotes(text):
        yield "opens a quotation or bracket that does not end"
    if MARKUP.search(text):
        yield "has markup left in it"
    if PLACEHOLDER.search(text) or (words.base(language) in {"", "en"} and TO_COME.search(text)):
        yield "has a placeholder in it"


def _misread(text: str) -> bool:
    """Whether these are the bytes of other characters, read in the wrong encoding: ``Ã©`` for ``é``."""
    try:
        return text.encode("cp1252").decode() != text
    except UnicodeError:
        pass
    try:
        return text.encode("latin-1").decode() != text
    except UnicodeError:
        return False


def _twice(title: str) -> bool:
    """Whether the second half of a title is its first half again."""
    said = words.key(title)
    return len(said) > SHOUTED and len(said) % 2 == 0 and said[: len(said) // 2] == said[len(said) // 2 :]


def _start(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"
