"""How long a text is as each family of platforms counts it, and what platforms read as a link, hashtag or mention.

The rules for links, hashtags and weights are those of twitter-text 3.1 (https://github.com/twitter/twitter-text),
whose conformance cases the tests read; Mastodon's are its own changes to them.
"""

from __future__ import annotations

import functools
import html
import json
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import regex

Span = tuple[int, int]
"""Where something stands in a text: start and exclusive end, in code points."""

URL_LENGTH = 23  # https://docs.x.com/fundamentals/counting-characters and Mastodon's characters_reserved_per_url
URL_MOST = 4096  # longer ones are not linked
LABEL_MOST = 63  # RFC 1035, after punycode
SLUG_MOST = 40  # of a t.co address
EMOJI_MOST = 16  # code points of one emoji; the longest family has ten

GRAPHEME = regex.compile(r"\X")
WORD = regex.compile(r"\S+")
# The code points of weight 1 in https://github.com/twitter/twitter-text/blob/master/config/v3.json; others weigh 2.
LIGHT = regex.compile(r"[\u0000-\u10ff\u2000-\u200d\u2010-\u201f\u2032-\u2037]")
# UTS 51's shape of emoji made of several code points; whether one is really in use is asked of the `emoji` package.
SEQUENCE = (
    r"\p{RI}{2}"
    r"|[0-9#*]\ufe0f?\u20e3"
    r"|[\p{Emoji}--[0-9#*]](?:\ufe0f|\p{EMod})?"
    r"(?:[\U000e0020-\U000e007e]+\U000e007f|(?:\u200d[\p{Emoji}--[0-9#*]](?:\ufe0f|\p{EMod})?)*)"
)
SEQUENCES = regex.compile(SEQUENCE, regex.VERSION1)
PICTURES = regex.compile(rf"{SEQUENCE}|\p{{RI}}", regex.VERSION1)

MARKS = r"\u202a-\u202e\u061c\u200e\u200f\u2066-\u2069"
BROKEN = r"\ufffe\ufeff\uffff"
SPACES = r"\t-\r \x85\xa0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
LATIN = (
    r"\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0253\u0254\u0256\u0257\u0259\u025b\u0263\u0268\u026f\u0272\u0289\u028b"
    r"\u02bb\u0300-\u036f\u1e00-\u1eff"
)
CYRILLIC = r"\u0400-\u04ff"
NOT_DOMAIN = rf"!'#%&()*+,\\./:;<=>?@\[\]\^{{|}}~${SPACES}{BROKEN}{MARKS}"
# The original knows no 255 and 127; they keep hostile text from costing more than it should.
LABEL = rf"(?![_-])[^{NOT_DOMAIN}]{{1,255}}+(?<![_-])\."
DOMAIN = regex.compile(
    rf"(?<![A-Za-z0-9@＠$#＃{BROKEN}])(?P<scheme>[A-Za-z]{{3,6}}://)?(?:(?P<label>{LABEL})){{1,127}}+"
)
ASCII_LABELS = regex.compile(rf"(?:(?P<label>[-A-Za-z0-9{LATIN}]++\.))++")
QUERY = r"A-Za-z0-9!?*'@();:&=+$/%#\[\]\-_.,~|"
QUERY_END = r"A-Za-z0-9\-_&=#/"
T_CO = regex.compile(rf"(?i:https?://t\.co/)([a-zA-Z0-9]+)(?:\?[{QUERY}]*[{QUERY_END}])?")


@dataclass(frozen=True, slots=True)
class Style:
    """What a family of platforms makes a link of; ``tail`` may follow a domain, ``bare`` ones need no protocol."""

    schemes: frozenset[str]
    tail: regex.Pattern[str]
    bare: bool


def _style(schemes: str, path: str, path_end: str, query: str, query_end: str, *, bare: bool) -> Style:
    parens = rf"\((?:[{path}]+|[{path}]*\([{path}]+\)[{path}]*)\)"
    tail = regex.compile(
        rf"(?::[0-9]+)?(?P<path>/(?:(?:[{path}]|{parens})*(?:[{path_end}]|{parens}))?)?(?:\?[{query}]*[{query_end}])?"
    )
    return Style(frozenset(schemes.split()), tail, bare)


X_LINKS = _style(
    "http https",
    rf"A-Za-z0-9!*';:=+,.$/%#\[\]\-\u2013_~@|&{CYRILLIC}{LATIN}",
    rf"+\-A-Za-z0-9=_#/{CYRILLIC}{LATIN}",
    QUERY,
    QUERY_END,
    bare=True,
)
# https://github.com/mastodon/mastodon/blob/main/config/initializers/twitter_regex.rb
BEYOND_ASCII = r"\u00a0-\ud7ff\ue000-\ufdcf\ufdf0-\uffef\U00010000-\U0010fffd"
MASTODON_LINKS = _style(
    "http https dat dweb ipfs ipns ssb gopher gemini",
    r"^\p{White_Space}<>()?",
    r"""^\p{White_Space}()?!*"'「」<>;:=,.$%\[\]~&|@""",
    rf"{QUERY}\^{BEYOND_ASCII}",
    rf"{QUERY_END}{BEYOND_ASCII}",
    bare=False,
)

TAG_LETTER = r"\p{L}\p{M}"
TAG_CHARACTER = (
    rf"{TAG_LETTER}\p{{Nd}}_\u200c\u200d\ua67e\u05be\u05f3\u05f4\uff5e\u301c\u309b\u309c\u30a0\u30fb\u3003"
    r"\u0f0b\u0f0c\xb7"
)
HASHTAG = regex.compile(
    rf"(?<![{TAG_CHARACTER}&](?<![\ufe0e\ufe0f]))[#＃](?![\ufe0f\u20e3])"
    rf"[{TAG_CHARACTER}]*+(?<=[{TAG_LETTER}][{TAG_CHARACTER}]*)(?![#＃]|://)"
)
MENTION = regex.compile(
    r"(?:(?<![a-zA-Z0-9_!#$%&*@＠])|(?<=(?<![a-zA-Z0-9_+~.-])(?:rt|RT|rT|Rt):?))"
    rf"[@＠][a-zA-Z0-9_]{{1,20}}+(?![@＠{LATIN}]|://)"
)
# https://github.com/mastodon/mastodon/blob/main/app/models/account.rb
MASTODON_WORD = r"[\p{L}\p{M}\p{Nd}\p{Pc}]"
MASTODON_MENTION = regex.compile(
    rf"(?<![=/]|{MASTODON_WORD})(?>(?P<local>@[A-Za-z0-9_]+(?:[.-]+[A-Za-z0-9_]+)*)"
    rf"(?:@{MASTODON_WORD}+(?:[.-]+{MASTODON_WORD}+)*)?)(?![@＠{LATIN}]|://)"
)

# What Discord reads as markup, and takes as itself behind a backslash: emphasis, code, spoilers, link texts, mentions,
# custom emoji and dates in angle brackets, :names: of emoji; at the beginning of a line headings, quotes and lists.
# https://support.discord.com/hc/articles/210298617, https://discord.com/developers/docs/reference#message-formatting
MARKDOWN = regex.compile(
    r"[\\*_~`|<\[]|@(?=everyone|here)|:(?=[\w+-]*[A-Za-z][\w+-]*:)"
    r"|(?<=^[ \t]*)(?:#(?=#{0,2}\s)|>|[-+](?=#?\s))|(?<=^[ \t]*\d{1,9})[.)](?=\s)",
    regex.MULTILINE,
)

# What Reddit reads as markup, by what stands for it instead: its old renderer knows no backslash before =, the line end
# of a paragraph needs two spaces, an indented line would be code. A slash after r or u would name a community or call
# somebody, www. is a link even if nothing follows. https://www.reddit.com/wiki/markdown, and the renderer's char_escape
# and autolink in https://github.com/reddit/snudown
REDDIT = regex.compile(
    r"(?P<end>(?<=[^\n])\r?\n(?=[^\r\n]))|(?P<indent>^[ \t]+)|(?P<rule>(?<=^[ \t]*)=)"
    r"|[\\`*_\[\]<>&^~|]|(?<=[uUrR])/|(?<=[wW]{3})\.|(?<=^[ \t]*)[#+-]|(?<=^[ \t]*\d{1,9})[.)]",
    regex.MULTILINE,
)
# What Misskey reads as markup (MFM) in one line, outside a post's own links and tags: emphasis, code, formulas, tags in
# angle brackets, functions, links, emoji, quotes, a line that ends in "search" (which becomes a search box), any # or
# address. https://github.com/misskey-dev/mfm.js/blob/develop/src/internal/parser.ts
MFM = regex.compile(
    r"[*_~`<\\\[#]|:[\w+-]+:|https?://|^[ \t\u3000]*>|(?:^|\s)\[?(?:search|検索)\]?\s*$", regex.IGNORECASE
)
MFM_ADDRESS = regex.compile(r"https?://[.,A-Za-z0-9_/:%#@$&?!~=+-]*[A-Za-z0-9_/:%#@$&?!~=+-]")
JOINER = "\u2060"
REDDIT_INSTEAD = {"end": "  \n", "indent": "", "rule": "&#61;"}


def codepoints(text: str) -> int:
    """Unicode code points."""
    return len(text)


def graphemes(text: str) -> int:
    """User-perceived characters (UAX #29 extended grapheme clusters)."""
    if text.isascii():
        return len(text) - text.count("\r\n")
    return len(GRAPHEME.findall(text))


def utf16(text: str) -> int:
    """UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def utf8(text: str) -> int:
    """UTF-8 bytes."""
    return len(text.encode(errors="surrogatepass"))


def x(text: str) -> int:
    """The weighted length of twitter-text's version 3: NFC, a link 23, an emoji 2, most of the rest 1, CJK 2."""
    text = unicodedata.normalize("NFC", text)
    length = done = 0
    for start, end in urls(text):
        length += _weight(text[done:start]) + URL_LENGTH
        done = end
    return length + _weight(text[done:])


def mastodon(text: str) -> int:
    """Grapheme clusters, with 23 for a link and nothing for the server of a mention.

    https://github.com/mastodon/mastodon/blob/main/app/validators/status_length_validator.rb
    """
    instead = [(span, "x" * URL_LENGTH) for span in _links(text, MASTODON_LINKS)]
    if "@" in text:
        instead += [(m.span(), m["local"]) for m in MASTODON_MENTION.finditer(text)]
    counted = []
    done = 0
    for (start, end), short in sorted(instead):
        if start >= done:
            counted += [text[done:start], short]
            done = end
    return graphemes("".join([*counted, text[done:]]))


def threads(text: str) -> int:
    """Code points, but an emoji is its UTF-8 bytes (https://developers.facebook.com/docs/threads/overview)."""
    return len(text) + sum(utf8(m[0]) - len(m[0]) for m in PICTURES.finditer(text))


def discord(text: str) -> int:
    """Code points, with the backslash before every sign of markup outside links, which is sent and counted too."""
    length = len(text)
    done = 0
    for start, end in [*urls(text), (len(text), len(text))]:
        length += len(MARKDOWN.findall(text, done, start))
        done = end
    return length


def matrix(text: str) -> int:
    """Bytes that the text takes in an event: as JSON, in words or in HTML, whichever is longer."""
    forms = (text, matrix_html(text))
    return max(len(json.dumps(form, ensure_ascii=False).encode(errors="surrogatepass")) for form in forms) - len('""')


def matrix_html(text: str) -> str:
    """``text`` as HTML in which nothing is markup; the line breaks stay."""
    return html.escape(text, quote=False).replace("\n", "<br>")


def reddit(text: str) -> int:
    """Code points of the Markdown that is sent: signs of markup behind a backslash, a link as ``[text](address)``."""
    length = done = 0
    for start, end in urls(text):
        said = reddit_markup(text, start, end)
        length += len(reddit_markup(text, done, start)) + len(f"[{said}]({text[start:end]})")
        done = end
    return length + len(reddit_markup(text, done, len(text)))


def reddit_markup(text: str, start: int, end: int) -> str:
    """A stretch of ``text`` in Markdown that Reddit shows as it stands."""
    parts = []
    for sign in REDDIT.finditer(text, start, end):
        parts += [text[start : sign.start()], REDDIT_INSTEAD.get(sign.lastgroup or "", f"\\{sign[0]}")]
        start = sign.end()
    return "".join(parts) + text[start:end]


def misskey(text: str) -> int:
    """UTF-16 code units, of which servers count these or fewer, of the markup that is sent."""
    return utf16(misskey_markup(text, [*urls(text), *hashtags(text)]))


def misskey_markup(text: str, live: Iterable[Span]) -> str:
    """``text`` in MFM that shows it as it stands: only the links and tags of ``live`` are more than words.

    What looks like markup is put into ``<plain>``, line by line, as line breaks at its edges would be lost.
    """
    parts: list[str] = []
    done = 0
    for start, end in [*sorted(live), (len(text), len(text))]:
        parts += ["\n".join(_mfm_plain(line) for line in text[done:start].split("\n")), _mfm_live(text[start:end])]
        done = end
    return "".join(parts)


def _mfm_plain(line: str) -> str:
    said = line.strip()
    if not MFM.search(said):
        return line
    start = line.index(said)
    inside = said.replace("</plain>", f"<{JOINER}/plain>")
    return f"{line[:start]}<plain>{inside}</plain>{line[start + len(said) :]}"


def _mfm_live(said: str) -> str:
    whole = not said.startswith(("http://", "https://")) or MFM_ADDRESS.fullmatch(said)
    return said if whole else f"<{said}>"


COUNTERS: dict[str, Callable[[str], int]] = {
    "codepoints": codepoints,
    "graphemes": graphemes,
    "utf16": utf16,
    "utf8": utf8,
    "x": x,
    "mastodon": mastodon,
    "threads": threads,
    "discord": discord,
    "matrix": matrix,
    "reddit": reddit,
    "misskey": misskey,
}


def urls(text: str) -> list[Span]:
    """Every stretch that X makes a link of, with or without a protocol."""
    return list(_links(text, X_LINKS))


def hashtags(text: str) -> list[Span]:
    """Every hashtag with its sign, outside links."""
    return _outside_links(text, HASHTAG) if "#" in text or "＃" in text else []


def mentions(text: str) -> list[Span]:
    """Every mention with its sign, outside links."""
    return _outside_links(text, MENTION) if "@" in text or "＠" in text else []


def _outside_links(text: str, pattern: regex.Pattern[str]) -> list[Span]:
    links = urls(text)
    spans = (m.span() for m in pattern.finditer(text))
    return [s for s in spans if not any(start < s[1] and s[0] < end for start, end in links)]


def _weight(text: str) -> int:
    if text.isascii():
        return len(text)
    text = SEQUENCES.sub(_one_heavy, text)
    return 2 * len(text) - len(LIGHT.findall(text))


def _one_heavy(match: regex.Match[str]) -> str:
    """One character of weight 2 for every emoji of the sequence; an invention of the writer falls into its parts."""
    from emoji import is_emoji  # noqa: PLC0415 - its table takes 70 ms to load and most texts have no sequence

    rest, heavy = match[0], ""
    while rest:
        size = next((n for n in range(min(len(rest), EMOJI_MOST), 1, -1) if is_emoji(rest[:n])), 0)
        heavy += "\ufffd" if size else rest[0]
        rest = rest[size or 1 :]
    return heavy


@functools.cache
def _top_level() -> frozenset[str]:
    from tld.utils import MozillaPublicOnlyTLDSourceParser as Source  # noqa: PLC0415 - 0.15 s, and few texts need it

    names = Source.get_tld_names() or {}
    return frozenset(names[Source.local_path].root.children or ())


@functools.cache
def _top() -> regex.Pattern[str]:
    """A point and what may be a top-level domain behind it; beyond ASCII other letters may follow."""
    local = [name for name in _top_level() if not name.isascii()]
    return regex.compile(
        r"\.(?:(?P<ascii>[A-Za-z]{2,63}+)|(?i:xn--)[-0-9A-Za-z]++|\L<local>)(?![0-9A-Za-z@+-])", local=local
    )


def _tops(text: str, start: int, end: int) -> dict[int, int]:
    """Where each top-level domain inside the word ends, by where the point before it ends."""
    found = _top().finditer(text, start, end)
    return {m.start() + 1: m.end() for m in found if not m["ascii"] or m["ascii"].lower() in _top_level()}


def _links(text: str, style: Style) -> Iterator[Span]:
    for word in WORD.finditer(text) if "." in text and (style.bare or "://" in text) else ():
        position, last = word.span()
        tops = _tops(text, position, last)
        while tops and (domain := DOMAIN.search(text, position, last)):
            start, scheme = domain.start(), domain["scheme"]
            labels = zip(domain.captures("label"), domain.ends("label"), strict=True)
            ends = [tops[point] for label, point in labels if point in tops and "_" not in label]
            if not ends or (scheme and scheme[:-3].lower() not in style.schemes):
                position = start + 1
                continue
            named = domain.end("scheme") if scheme else start, ends[-1]
            tail = style.tail.match(text, ends[-1], last)
            assert tail  # every part of it may be missing
            position = tail.end() + 1  # the character before a link belongs to no other link
            if not _resolvable(text[slice(*named)], tail.end() - start, protocol=bool(scheme)):
                continue
            if scheme:
                short = T_CO.match(text, start, tail.end())
                if not short or len(short[1]) <= SLUG_MOST:
                    yield start, short.end() if short else tail.end()
            elif style.bare and text[start - 1 : start] not in {"-", "_", ".", "/"}:
                bare = list(_bare(text, named, tops))
                yield from bare[:-1]
                yield from ((begin, tail.end() if tail["path"] else end) for begin, end in bare[-1:])


def _bare(text: str, domain: Span, tops: dict[int, int]) -> Iterator[Span]:
    """The ASCII domains inside ``domain``: only they are linked without a protocol, as other words may touch them."""
    for run in ASCII_LABELS.finditer(text, *domain):
        if ends := [tops[point] for point in run.ends("label") if point in tops]:
            yield run.start(), ends[-1]


def _resolvable(domain: str, length: int, *, protocol: bool) -> bool:
    """Whether a link of ``length`` can be looked up: no label is too long once it is in ASCII."""
    labels = domain.split(".")
    if not domain.isascii():
        if domain.startswith("xn--"):
            return False
        labels = [s if s.isascii() else f"xn--{s.encode('punycode').decode()}" for s in labels]
    length += len(".".join(labels)) - len(domain) + (0 if protocol else len("https://"))
    return length <= URL_MOST and all(len(s) <= LABEL_MOST for s in labels)
