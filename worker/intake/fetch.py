"""How a source is read: from a stranger's server, a local file or standard input, into decoded text.

Every failure is one clear line (BadSource). Addresses are checked inside the connect, redirects are followed by
hand, one deadline covers everything, and what comes compressed is unpacked no further than anything else may be large.
"""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Literal
from urllib.parse import urlsplit

import regex
from charset_normalizer import from_bytes

from publishers.core.guard import Deadline
from worker.errors import BadSource
from worker.intake.client import Answer, Client, agent, checked, short, too_large
from worker.model import Page, digest

Kind = Literal["html", "markdown", "text"]

ACCEPT = "text/html,application/xhtml+xml,text/markdown;q=0.9,text/plain;q=0.8,*/*;q=0.1"
SUFFIXES: dict[str, Kind] = {
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
    ".text": "text",
}
MIMES: dict[str, Kind] = {
    "": "html",
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/markdown": "markdown",
    "text/x-markdown": "markdown",
    "text/plain": "text",
}
MAGIC = {
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"RIFF": "a picture, sound or film",
    b"PK\x03\x04": "a ZIP or office file",
    b"\x1f\x8b": "a compressed file",
    b"\x7fELF": "a program",
    b"ID3": "a sound file",
    b"\xd0\xcf\x11\xe0": "an office file",
}
BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
META_CHARSET = regex.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]+)""", regex.I)
LATIN = {"ascii", "iso8859-1", "latin-1"}  # https://encoding.spec.whatwg.org/#names-and-labels: read as windows-1252
STATEFUL = ("utf-16", "utf-32", "iso2022_jp", "iso2022_kr", "hz")
REASONS = {
    401: "the site asks for a password",
    402: "the site asks for payment",
    403: "the site refuses to show it",
    404: "there is no such page",
    410: "the page has been taken away",
    429: "the site asks to come back later",
    451: "the page is withheld for legal reasons",
}


def read_source(
    source: str,
    *,
    stdin: BinaryIO | None = None,
    local: bool = True,
    seconds: float = 20.0,
    allow_hosts: Iterable[str] = (),
    max_bytes: int = 10_000_000,
    contact: str = "",
) -> Page:
    """Read a URL, a path to .html, .htm, .md or .txt, or ``-`` (standard input).

    ``local=False`` takes URLs only, for sources named by somebody else than the person at the keyboard.
    ``seconds`` is the total deadline of a URL, redirects included; ``allow_hosts`` are private ``host[:port]``s that
    may be read, and ``contact`` is where the site may complain. Raises BadSource.
    """
    if regex.match(r"https?:", source, regex.I):
        client = Client(agent=agent(contact), allow=allow_hosts)
        return page_of(
            _get_secure(client, source, Deadline(seconds), frozenset(allow_hosts), max_bytes), max_bytes=max_bytes
        )
    if not local or regex.match(r"[a-z][a-z0-9+.-]+:", source, regex.I):
        raise BadSource(f"{short(source)} cannot be read", why="only http and https addresses are", do="Give a URL")
    if source == "-":
        body = (stdin or sys.stdin.buffer).read(max_bytes + 1)
        return _page("standard input", "stdin:" + digest(body), body, max_bytes=max_bytes)
    return _read_file(Path(source), max_bytes=max_bytes)


def fetch_bytes(
    url: str,
    *,
    seconds: float = 20.0,
    allow_hosts: Iterable[str] = (),
    max_bytes: int = 10_000_000,
    contact: str = "",
) -> bytes:
    """The bytes of a picture or another file at ``url``, at most ``max_bytes``. Raises BadSource."""
    client = Client(agent=agent(contact), allow=allow_hosts)
    return _get(client, url, "image/*,*/*;q=0.5", Deadline(seconds), max_bytes).body


def page_of(answer: Answer, *, max_bytes: int = 10_000_000) -> Page:
    """The page that a server answered with; raises BadSource if it is no text."""
    final, body = answer.url, answer.body
    mime, _, parameters = answer.headers.get("content-type", "").partition(";")
    mime = mime.strip().lower()
    if mime not in MIMES:
        raise BadSource(f"{short(final)} is no article", why=f"the site says it is {mime}", do="Give a web page")
    found = regex.search(r"""charset\s*=\s*["']?([\w.:-]+)""", parameters, regex.I)
    kind = MIMES[mime]
    if kind == "text":
        kind = SUFFIXES.get(Path(urlsplit(final).path).suffix.lower(), "text")
    return _page(final, final, body, kind=kind, charset=found[1] if found else "", base=final, max_bytes=max_bytes)


def _get_secure(client: Client, url: str, deadline: Deadline, allow_hosts: frozenset[str], max_bytes: int) -> Answer:
    """Like ``_get``, but an http address of a public host is asked by https first, for a third of the time."""
    parts = urlsplit(checked(url))
    if parts.scheme == "http" and parts.port is None and (parts.hostname or "") not in allow_hosts:
        with suppress(BadSource):
            secure = parts._replace(scheme="https").geturl()
            return _get(client, secure, ACCEPT, Deadline(deadline.left() / 3), max_bytes)
    return _get(client, url, ACCEPT, deadline, max_bytes)


def _get(client: Client, url: str, accept: str, deadline: Deadline, max_bytes: int) -> Answer:
    return accepted(client.get(url, deadline=deadline, accept=accept, max_bytes=max_bytes))


def accepted(answer: Answer) -> Answer:
    """``answer`` if it is 200; raises BadSource with what its status means."""
    if answer.status == 200:
        return answer
    url, status = short(answer.url), answer.status
    why = REASONS.get(status, "the site has an error" if status >= 500 else "the site does not show the page")
    raise BadSource(f"{url} answered {status}", why=why, do="Check the URL" if status < 500 else "Try again later")


def _read_file(path: Path, *, max_bytes: int) -> Page:
    name = short(str(path))
    try:
        if path.is_dir():
            raise BadSource(f"{name} is a folder", do="Give a file or a URL")
        if not path.exists():
            hint = f"Did you mean https://{name}?" if regex.match(r"[\w-]+(\.[\w-]+)+(/|$)", name) else ""
            raise BadSource(f"{name} is not there", why="no such file", do=hint or "Give a file or a URL")
        kind = SUFFIXES.get(path.suffix.lower())
        with path.open("rb") as file:
            body = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        raise BadSource(f"{name} cannot be read", why=getattr(error, "strerror", None) or str(error)) from None
    if kind is None:
        _refuse_binary(name, body)
        raise BadSource(f"{name} is of an unknown kind", do="Give .html, .md or .txt")
    whole = path.resolve()
    return _page(name, whole.as_uri(), body, kind=kind, base=str(whole.parent), max_bytes=max_bytes)


def _page(
    name: str, url: str, body: bytes, *, kind: Kind | None = None, charset: str = "", base: str = "", max_bytes: int
) -> Page:
    """Decoded text of ``body``; without ``kind`` it is recognised by its first lines."""
    name = short(name)
    if len(body) > max_bytes:
        raise too_large(name, max_bytes)
    if not body.strip():
        raise BadSource(f"{name} is empty", do="Give a page with an article")
    _refuse_binary(name, body, charset)
    content = _decode(name, body, charset)
    return Page(url=url, kind=kind or _sniff(content), content=content, base=base)


def _refuse_binary(name: str, body: bytes, charset: str = "") -> None:
    head = body[:4096]
    for magic, what in MAGIC.items():
        if head.startswith(magic):
            raise BadSource(f"{name} is {what}", why="only text can be read", do="Give .html, .md, .txt or a URL")
    wide = codec(charset).startswith(STATEFUL) or any(head.startswith(bom) for bom, _ in BOMS)
    if b"\0" in head and not wide:
        raise BadSource(f"{name} is a binary file", why="only text can be read", do="Give .html, .md, .txt or a URL")


def _decode(name: str, body: bytes, charset: str) -> str:
    """Text of ``body``: by its mark, as UTF-8 if it is valid UTF-8, as declared, or as it looks, in this order.

    Valid UTF-8 comes before the declaration because a wrong declaration is common and chance UTF-8 is not.
    """
    for bom, encoding in BOMS:
        if body.startswith(bom):
            with suppress(UnicodeError):
                return _lines(body.decode(encoding))
    meta = META_CHARSET.search(body[:4096])
    declared = [codec(c) for c in (charset, meta[1].decode("ascii", "ignore") if meta else "") if c]
    stateful = [c for c in declared if c.startswith(STATEFUL)]
    # What says it is UTF-8 and is not is mostly text of western Europe; a guess from few bytes is mostly wrong.
    fallback = ["cp1252"] if "utf-8" in declared else []
    for encoding in [*stateful, "utf-8", *declared, *fallback]:
        if encoding:
            with suppress(UnicodeError):
                return _lines(body.decode(encoding))
    best = from_bytes(body[:200_000]).best()
    if best is not None:
        with suppress(UnicodeError):
            return _lines(body.decode(best.encoding))
    raise BadSource(f"{name} cannot be read", why="its character encoding is unknown", do="Save it as UTF-8")


def codec(name: str) -> str:
    """Python's name of a character encoding, "" if it has none."""
    with suppress(LookupError, ValueError):
        codec = codecs.lookup(name).name
        return "cp1252" if codec in LATIN else codec
    return ""


def _lines(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _sniff(text: str) -> Kind:
    head = text[:4000].lstrip()
    if regex.match(r"<(?:!doctype|html|head|body|article|\?xml|!--|meta|div|p)\b|<!", head, regex.I):
        return "html"
    marks = r"^#{1,6} \S|^---\s*\n\w+:|\]\(https?:|!\[[^\]]*\]\(|^```|^\[[^\]]+\]: \S|^[^\n]+\n(?:={3,}|-{3,})$"
    return "markdown" if regex.search(marks, head, regex.M) else "text"
