"""How a post is written as a mail that common clients show: subject, preheader, HTML in tables, and the same as text.

Clients leave much out (https://www.caniemail.com): so layout is in tables, colours and sizes stand inline, and the one
style sheet only adds what may be missing (dark colours, a narrow screen).
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from publishers.core.post import Media, Post

WIDTH = 600
SUBJECT_MOST = 150
PREHEADER_MOST = 140
RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur", "ps", "yi"})

FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
DARK = (
    "@media (prefers-color-scheme:dark){.ground{background-color:#131416!important}.sheet{background-color:#1c1e21"
    "!important}.ink{color:#eceae6!important}.soft{color:#a6a29a!important}.link{color:#7cc7e0!important}"
    ".go{background-color:#7cc7e0!important}.go a{color:#10181b!important}}"
    f"@media (max-width:{WIDTH + 40}px){{.inner{{padding:20px!important}}}}"
)


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail before it is addressed: ``html`` is a whole document, ``text`` says the same."""

    subject: str
    preheader: str
    html: str
    text: str


Guard = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class ListTag:
    """A list's own words for leaving it: ``address`` is what it puts the address in place of, ``more`` what it must
    show besides, such as where its owner lives; ``guard`` keeps the rest of a mail from being taken for such words.
    """

    address: str
    more: str = ""
    guard: Guard = str


def write(post: Post, *, picture: str = "", leave: ListTag | None = None) -> Letter:
    """The mail that says what ``post`` says; ``picture`` is where its first picture is found (a URL, or ``cid:…``)."""
    guard = leave.guard if leave else str
    subject = guard(_line(post.title or post.text.partition("\n")[0], SUBJECT_MOST))
    heading, body = _parted(post)
    said = " ".join(" ".join(p for p, _ in _paragraphs(post, body)).split())
    preheader = guard(_line(post.description or said, PREHEADER_MOST))
    inside = "\n".join(_blocks(post, heading, body, picture))
    return Letter(
        subject=subject,
        preheader=preheader,
        html=_document(post, subject, preheader, guard(inside), _foot(leave)),
        text=guard(_plain(post)) + _plain_foot(leave),
    )


def host_of(link: str) -> str:
    """Whose page a link leads to, as a reader knows it."""
    return (urlsplit(link).hostname or link).removeprefix("www.")


def _line(text: str, most: int) -> str:
    """One line of printable signs, cut at a word."""
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(words) <= most:
        return words
    return words[: most - 1].rsplit(" ", 1)[0].rstrip(" ,;:–-") + "…"


def _parted(post: Post) -> tuple[str, int]:
    """The heading, and where the body begins: a first line that is the title stands as the heading alone."""
    first, _, rest = post.text.partition("\n")
    if post.title and first.strip() == post.title.strip():
        return post.title, len(post.text) - len(rest)
    return post.title, 0


def _paragraphs(post: Post, start: int) -> list[tuple[str, int]]:
    """The paragraphs from ``start`` on, each with its place; the article's bare address is the button's."""
    found = []
    for match in re.finditer(r"(?:(?!\n\s*\n).)+", post.text[start:], re.DOTALL):
        text = match[0].strip("\n")
        if text.strip() and text.strip() != (post.link or ""):
            found.append((text, start + match.start() + match[0].index(text)))
    return found


def _inline(post: Post, text: str, at: int) -> str:
    """A paragraph as HTML: its links can be opened, its lines stay lines."""
    out, done = [], at
    for facet in sorted(post.facets, key=lambda f: f.start):
        if facet.type == "link" and at <= facet.start and facet.end <= at + len(text) and _web(facet.value):
            out.append(_text(post.text[done : facet.start]))
            said = _text(post.text[facet.start : facet.end])
            out.append(f'<a class="link" href="{html.escape(facet.value)}" style="color:#0b5f7a">{said}</a>')
            done = facet.end
    out.append(_text(post.text[done : at + len(text)]))
    return "".join(out)


def _text(text: str) -> str:
    return html.escape(text, quote=False).replace("\n", "<br>\n")


def _web(address: str) -> bool:
    return address.startswith(("https://", "http://"))


def _blocks(post: Post, heading: str, body: int, picture: str) -> list[str]:
    rows = []
    if post.warning:
        warning = f"<strong>{_text(post.warning)}</strong>"
        rows.append(_row(_said("p", warning, "soft", "#645f57", "14px;line-height:20px")))
    if picture and post.media:
        rows.append(_row(_image(post.media[0], picture, post.link or ""), padding="0 0 20px"))
    if heading:
        rows.append(_row(_said("h1", _text(heading), "ink", "#1d1b18", "24px;line-height:30px")))
    for text, at in _paragraphs(post, body):
        rows.append(_row(_said("p", _inline(post, text, at), "ink", "#1d1b18", "16px;line-height:25px")))
    if post.link and _web(post.link):
        rows.append(_row(_button(post.link), padding="8px 0 0"))
    return rows


def _said(tag: str, inside: str, kind: str, colour: str, size: str) -> str:
    return f'<{tag} class="{kind}" style="margin:0;color:{colour};font-size:{size}">{inside}</{tag}>'


def _row(inside: str, *, padding: str = "0 0 16px") -> str:
    return f'<tr><td style="padding:{padding}">{inside}</td></tr>'


def _image(media: Media, src: str, link: str) -> str:
    width = min(WIDTH - 64, media.width)
    height = round(width * media.height / media.width) if media.width else 0
    image = (
        f'<img src="{html.escape(src)}" alt="{html.escape(media.alt)}" width="{width}" height="{height}" '
        'style="display:block;width:100%;height:auto;border:0">'
    )
    return f'<a href="{html.escape(link)}">{image}</a>' if _web(link) else image


def _button(link: str) -> str:
    return (
        '<table role="presentation" cellpadding="0" cellspacing="0" border="0"><tr>'
        '<td class="go" style="padding:12px 22px;background-color:#0b5f7a;border-radius:6px">'
        f'<a href="{html.escape(link)}" style="color:#ffffff;font-size:16px;font-weight:bold;text-decoration:none">'
        f"{_text(host_of(link))}</a></td></tr></table>"
    )


def _foot(leave: ListTag | None) -> str:
    if leave is None or not leave.address:
        return ""
    more = f"<br>\n{leave.more}" if leave.more else ""
    return (
        '<tr><td class="soft inner" style="padding:20px 32px;color:#645f57;font-size:13px;line-height:20px">'
        f'<a class="soft" href="{leave.address}" style="color:#645f57">Unsubscribe</a>{more}</td></tr>'
    )


def _document(post: Post, subject: str, preheader: str, rows: str, foot: str) -> str:
    language = post.language or "en"
    direction = "rtl" if language.partition("-")[0] in RIGHT_TO_LEFT else "ltr"
    # Blank space behind the preheader keeps clients from filling their preview with the first words of the body.
    blank = "&#847;&zwnj;&nbsp;" * 40
    table = 'role="presentation" cellpadding="0" cellspacing="0" border="0"'
    align = "right" if direction == "rtl" else "left"
    sheet = f"width:100%;max-width:{WIDTH}px;background-color:#fffefc;{FONT};text-align:{align}"
    hidden = "display:none;max-height:0;overflow:hidden;font-size:1px;line-height:1px;color:#f4f2ee"
    return f"""<!doctype html>
<html lang="{html.escape(language)}" dir="{direction}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>{_text(subject)}</title>
<style>{DARK}</style>
</head>
<body class="ground" style="margin:0;padding:0;background-color:#f4f2ee">
<div style="{hidden}">{_text(preheader)}{blank}</div>
<table {table} class="ground" width="100%" style="background-color:#f4f2ee">
<tr><td align="center" style="padding:24px 12px">
<table {table} class="sheet" width="{WIDTH}" style="{sheet}">
<tr><td class="inner" style="padding:32px">
<table {table} width="100%">
{rows}
</table>
</td></tr>
{foot}
</table>
</td></tr>
</table>
</body>
</html>
"""


def _plain(post: Post) -> str:
    """The post as text: a link whose words are not its address is followed by it."""
    out, done = [], 0
    for facet in sorted(post.facets, key=lambda f: f.start):
        said = post.text[facet.start : facet.end]
        if facet.type == "link" and _web(facet.value) and facet.value not in said:
            out.append(post.text[done : facet.end] + f" <{facet.value}>")
            done = facet.end
    out.append(post.text[done:])
    text = "".join(out).strip()
    if post.warning:
        text = f"{post.warning}\n\n{text}"
    if post.link and post.link not in text:
        text += f"\n\n{post.link}"
    return text + "\n"


def _plain_foot(leave: ListTag | None) -> str:
    return f"\n-- \nUnsubscribe: {leave.address}\n" if leave and leave.address else ""
