"""What an article is: its title, its own prose, its author's hints; everything else on the page is left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import regex

from worker.content import words
from worker.content.readers import READERS, Block, Draft
from worker.errors import BadSource
from worker.model import DEFAULT_WORKSPACE, Article, Page, article_id
from worker.tracking import TRACKING

LEAST_WORDS = 40
BRIEF = 8  # words, of what is an article by its own account and has one whole sentence
LONGEST_BLOCK = 20_000  # code points; a longer one was not written by a person
LONGEST_TEXT = 300_000  # code points, a long book chapter; what follows says nothing new for a post
HASHTAG = regex.compile(r"(?<![\p{L}\p{N}&/])[#＃]([\p{L}\p{M}\p{N}_\u200c]*[\p{L}\p{M}][\p{L}\p{M}\p{N}_\u200c]*)")
FOOTNOTE = regex.compile(
    r"[ \u00a0]?\[(?:\d{1,3}|(?<!\p{L}\[)[a-z]|(?:note|nb|n) ?\d+|citation needed|edit|sic|\*|[†‡])\]"
    r"|(?<=\p{L}|[.,;:!?”\"’)])[¹²³⁰⁴-⁹]+",
    regex.I,
)
GAP = regex.compile(  # a word that was lost on the way: "In , the drug", "( )", "{{name}}"
    r"(?:^|[\s(])[\p{L}'’]{1,6} ,|\(\s*[,;]?\s*\)|“\s*”|«\s*»|\{\{|\}\}|\[\s*\]"
    r"|\bundefined\b|\bNaN\b|%[sd]\b|\blorem ipsum\b",
    regex.I,
)
FILE_NAME = regex.compile(
    r"^\S*\.(?:jpe?g|png|gif|webp|avif|svg|bmp|tiff?)$|^(?:img|dsc|dscn|image|photo|screenshot)[\W_\d]*$", regex.I
)
BULLET = regex.compile(r"^[*•·▪►▶→✓✔■●◦]+\s*(?=[\p{L}\p{N}“\"'¿¡«])")
BY = regex.compile(
    r"^(?:(?:(?:opinion|comment|analysis|words|story|report) )?by|von|par|por|di|door|av|text|текст)\s*:?\s+(?=\p{Lu})",
    regex.I,
)
DATELINE = regex.compile(  # "HANOI, Vietnam (AP) — "
    r"^(?:\p{Lu}[\p{Lu} .'’-]{2,30}(?:, [\p{L}. ]{2,20})?(?: \([\p{L} ]{2,20}\))?\s*[—–-]+\s*"
    r"|\p{Lu}[\p{L} .,'’-]{2,40} \((?:\p{Lu}{2,6}[\p{L} ]{0,12}|Reuters|dpa)\)\s*[—–-]*\s*"
    r"|\p{Lu}[\p{L} .'’-]{2,30}, (?:\p{Lu}\p{L}{0,5}\.){1,2} [—–] )(?=[\p{L}“\"«])"  # "Dekalb, Ill. — "
)
ADDRESS_LINE = regex.compile(r"\S+@\S+|www\.\S+|(?:\S+\s+){0,10}https?://\S+")
META_LINE = regex.compile(  # a date, a reading time or a count alone on a line
    r"(?=\P{L}*(?:\p{L}+\P{L}+){0,5}\p{L}*$)(?=.*\b(?:19|20)\d\d\b)(?=.*\d\D+\d|.*\p{L})[\p{L}\p{M}\d\s.,/:|·•@+年月日-]{6,60}"
    r"|\d+ ?(?:-| )?min(?:ute)?s?\b.{0,20}|\d[\d.,k]* (?:comments?|shares?|views?|likes?)",
    regex.I,
)


def extract(page: Page, *, workspace: str = DEFAULT_WORKSPACE) -> Article:
    """The article on ``page``. Raises BadSource if there is none: too little prose, a list of links, a log-in page."""
    draft = READERS[page.kind](page)
    language = language_of(draft)
    lang = words.language(language)
    title, body, tags = clean(draft, lang)
    paragraphs = [DATELINE.sub("", b.text) for b in body if b.kind != "head"]
    text = "\n\n".join(_whole_sentences(paragraphs, lang))
    found = words.count(text)
    if found < LEAST_WORDS and not (draft.declared and title and _is_brief(text, lang)):
        why = f"only {found} words of prose were found"
        do = "Give the address of the article itself; a short one needs og:type article in its head"
        if page.kind != "html":
            do = f"Write a title and below it at least one whole sentence of {BRIEF} words"
        raise BadSource(f"{_name(page.url)} is no article", why=why, do=do)
    url = _canonical(draft.url, page.url)
    alt = _alt(draft.image_alt, title)
    return Article(
        id=article_id(workspace, url),
        url=url,
        title=title,
        text=text,
        author=BY.sub("", words.line(draft.author))[:200],
        site=words.line(draft.site)[:200],
        language=language,
        published_at=draft.published,
        image=draft.image,
        image_alt=alt,
        description=words.line(draft.description)[:1000],
        tags=tuple(tags),
        headings=tuple(b.text.rstrip(":：") for b in body if b.kind == "head"),
        workspace=workspace,
        folder="" if page.base.startswith(("http://", "https://")) else page.base,
    )


def _is_brief(text: str, lang: words.Language) -> bool:
    """Whether a short text has a sentence that can stand in a post."""
    spans = [text[a:b] for a, b in words.sentences(text, lang.code)]
    return any(words.ENDING.search(s) and words.count(s) >= BRIEF for s in spans)


def clean(draft: Draft, lang: words.Language) -> tuple[str, list[Block], list[str]]:
    """Title, body (prose and the headings in it, in order) and tags of a draft."""
    tags = list(draft.tags)
    blocks: list[Block] = []
    room = LONGEST_TEXT
    for block in draft.blocks:
        if room <= 0:
            break
        room -= len(block.text)
        line = words.line(FOOTNOTE.sub("", block.text[:LONGEST_BLOCK]))
        text, found = _without_hashtags(BULLET.sub("", line))
        tags += found
        if text:
            blocks.append(dataclasses.replace(block, text=text))
    title = _title(draft.title, draft.site) or _first_title(blocks)
    seen = {words.key(title)}
    kept: list[Block] = []
    announced = False  # whether a label such as "Don't miss" stands above: what is no sentence below it belongs to it
    for block in blocks:
        kind = "head" if block.kind == "p" and not draft.marked and not _is_prose(block.text) else block.kind
        announced = _is_label(block.text, lang) or (announced and kind == "p" and not words.ENDING.search(block.text))
        if announced or _is_boilerplate(block, lang) or _repeats(block.text, title, lang):
            continue
        key = words.key(block.text)
        if key in seen and (kind != "p" or len(key) > 40):
            continue
        seen.add(key)
        kept.append(dataclasses.replace(block, kind=kind))
    body = _body(kept)
    if body and _presents_the_site(body[-1], draft.site, lang):
        body = _body(body[:-1])
    return title, body, _unique_tags(tags)


def _is_label(text: str, lang: words.Language) -> bool:
    """Whether a line is nothing but the name of a list of the site: "Don't miss", "Tags:"."""
    low = words.plain(text).strip(" :：")
    return any(
        known.boilerplate is not None and known.boilerplate.fullmatch(low) is not None
        for known in {lang, words.language("en")}
    )


def _presents_the_site(block: Block, site: str, lang: words.Language) -> bool:
    """Whether a text says who publishes it, as a press release ends: "Lantern is a maker of lamps"."""
    low, name = words.plain(block.text), regex.sub(r"\.\p{L}{2,}$", "", words.plain(site))
    rest = low[len(name) :].strip()
    return bool(name and lang.presents and low.startswith(f"{name} ") and lang.presents.match(rest))


def _body(blocks: list[Block]) -> list[Block]:
    """The blocks from the first prose to the last and the list that ends it, with the headings that have a text.

    Several lines in a row that are no prose are other posts' titles; what stands around it all is by-lines and links.
    """
    prose = [i for i, b in enumerate(blocks) if b.kind != "head" and _is_prose(b.text)]
    if not prose:
        return []
    last = prose[-1] + 1
    while last < len(blocks) and blocks[last].kind == "item":
        last += 1
    return [
        block
        for i, block in enumerate(blocks[:last])
        if (blocks[i + 1].kind != "head" if block.kind == "head" else i >= prose[0])
    ]


def _whole_sentences(paragraphs: list[str], lang: words.Language) -> list[str]:
    """The paragraphs without sentences that lost a word; text that is spaced so throughout is left alone."""
    if sum(bool(GAP.search(p)) for p in paragraphs) > max(2, len(paragraphs) // 4):
        return paragraphs
    whole: list[str] = []
    for paragraph in paragraphs:
        text = paragraph
        if GAP.search(paragraph):
            spans = list(words.sentences(paragraph, lang.code))
            text = " ".join(paragraph[a:b] for a, b in spans if not GAP.search(paragraph[a:b]))
        if text:
            whole.append(text)
    return whole


def _is_prose(text: str) -> bool:
    """Whether a block is sentences: it ends like one, or is too long for a heading."""
    if words.ENDING.search(regex.sub(r"[\s\p{So}\p{Sk}\ufe0f]+$", "", text)):
        return words.count(text) > 3 or len(text) > 25
    return (text.endswith((":", "：", ";")) and words.count(text) > 8) or words.count(text) > 22


def _is_boilerplate(block: Block, lang: words.Language) -> bool:
    """Whether a block belongs to the site: a caption, a call to subscribe, a by-line, a link on its own."""
    text = words.OPENING.sub("", block.text)
    size = words.count(text)
    prose = _is_prose(text)
    if not size or (block.linked and not (size > 12 and words.ENDING.search(text))):
        return True
    if _is_an_offer(text, lang):
        return True
    if size > 45:
        return False
    if block.kind != "head" and not words.ENDING.search(text) and META_LINE.fullmatch(text):
        return True
    if any(_is_of_the_site(text, size, known, prose=prose) for known in {lang, words.language("en")}):
        return True
    return bool(ADDRESS_LINE.fullmatch(text))


def _is_an_offer(text: str, lang: words.Language) -> bool:
    """Whether a text of any length sells: two different phrases of selling in it are no chance."""
    low = words.plain(text)
    return any(
        known.offer is not None and len({m[0] for m in known.offer.finditer(low)}) > 1
        for known in {lang, words.language("en")}
    )


def _is_of_the_site(text: str, size: int, lang: words.Language, *, prose: bool) -> bool:
    """Whether a short text begins or speaks as sites do; of whole sentences only what more than one word shows."""
    low = words.plain(text)
    found = lang.boilerplate.match(low) if lang.boilerplate is not None else None
    if found:
        marked = found[0][-1] in ":：=©" or low[found.end() :].lstrip()[:1] in set(":：|»›>→…–—")
        if marked or not prose or (size <= 25 and " " in found[0]):
            return True
    if size <= 25 and lang.aside is not None and lang.aside.search(low):
        return True
    return size <= 12 and lang.byline is not None and lang.byline.fullmatch(text) is not None


def _repeats(text: str, title: str, lang: words.Language) -> bool:
    """Whether a block only says the title again, perhaps with a word before it, as an image's alt text does."""
    if words.count(text) > words.count(title) + 6:
        return False
    ours, theirs = set(words.terms(title, lang)), set(words.terms(text, lang))
    if not ours or not theirs:
        return words.key(text) == words.key(title)
    return len(ours & theirs) >= 0.8 * len(ours | theirs)


def _without_hashtags(text: str) -> tuple[str, list[str]]:
    """A block without the hashtags at its end, and those tags; a hashtag inside a sentence stays a word."""
    found = list(HASHTAG.finditer(text))
    if not found:
        return text, []
    end = len(text)
    for match in reversed(found):
        if regex.search(r"[\p{L}\p{N}]", text[match.end() : end]):
            break
        end = match.start()
    rest = text[:end].rstrip()
    if rest and not regex.search(r"[\p{L}\p{N}]", HASHTAG.sub("", rest)):
        rest = ""
    return HASHTAG.sub(r"\1", rest), [m[1] for m in found]


def _unique_tags(tags: Iterable[str]) -> list[str]:
    found: dict[str, str] = {}
    for tag in tags:
        clean = words.line(tag).strip("#＃ ,;")
        if clean and len(clean) <= 60 and words.count(clean) <= 5:
            found.setdefault(words.key(clean), clean)
    return list(found.values())


def _first_title(blocks: list[Block]) -> str:
    """The title of a source that names none: its first line if that is no sentence, else the start of the first."""
    first = next((b.text for b in blocks if words.count(b.text)), "")
    if not _is_prose(first) or len(first) <= 120:
        return first[:300]
    text = next(t for t in (first[a:b] for a, b in words.sentences(first, "")) if words.count(t))
    return text.rstrip(".。") if len(text) <= 100 else text[:100].rsplit(" ", 1)[0].rstrip(",;:") + "…"


def _title(title: str, site: str) -> str:
    """A title without the name of the site behind or before it."""
    title = words.line(title)
    for mark in (" | ", " – ", " — ", " - ", " · ", " « ", " » ", " :: ", "｜", "丨", "_"):
        head, found, tail = title.rpartition(mark)
        if (
            found
            and head
            and (
                words.key(tail) == words.key(site)
                or (mark in {" | ", " :: ", "｜"} and words.count(tail) <= 4 < words.count(head))
            )
        ):
            return _title(head, site)
        head, found, tail = title.partition(mark)
        if found and tail and words.key(head) == words.key(site):
            return _title(tail, site)
    return title[:500]


def _alt(alt: str, title: str) -> str:
    """An alt text that says what the picture shows; "" for a file's name or the title again."""
    alt = words.line(alt)
    if FILE_NAME.match(alt) or words.count(alt) < 2 or _repeats(alt, title, words.language("")):
        return ""
    return alt[:1000]


def language_of(draft: Draft) -> str:
    """The language the page declares if its text can be in it, else the one it looks like."""
    sample = "\n".join(b.text for b in draft.blocks if b.kind == "p")[:4000] or draft.title
    return words.base(draft.language) if words.fits(draft.language, sample) else words.detect(sample)


def _canonical(declared: str, address: str) -> str:
    """The address readers should open: the declared one if it can be one, without fragment and tracking."""
    here, there = urlsplit(address), urlsplit(declared)
    web = here.scheme in {"http", "https"}
    front = there.path in {"", "/"} and not there.query
    usable = there.scheme in {"http", "https"} and bool(there.netloc) and not (front and here.path not in {"", "/"})
    if not usable and not web:
        return address
    parts = there if usable else here
    scheme = "https" if here.scheme == "https" and parts.hostname == here.hostname else parts.scheme
    host = parts.netloc.rpartition("@")[2].lower().removesuffix({"http": ":80", "https": ":443"}[scheme])
    query = urlencode([(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if not TRACKING.fullmatch(k)])
    return urlunsplit((scheme, host, parts.path or "/", query, ""))


def _name(url: str) -> str:
    return "the text on standard input" if url.startswith("stdin:") else url
