"""Whether an article's page is ready for everybody: public, open to search, final, with its picture there."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import regex
import tld

from publishers.core.guard import Deadline
from worker.errors import BadSource
from worker.intake.client import Answer, TooLarge, checked, joined, short
from worker.intake.fetch import ACCEPT, accepted, page_of
from worker.intake.identity import address_key
from worker.model import Page

META = regex.compile(r"<(?:meta|link)\b(?:[^>\"']|\"[^\"]{0,4000}\"|'[^']{0,4000}'){0,60}+>", regex.I)
ATTRIBUTE = regex.compile(
    r"([a-z:_-]{1,40})\s*=\s*(?:\"([^\"]{0,4000})\"|'([^']{0,4000})'|([^\s\"'>]{1,2000}))", regex.I
)
SIGN_IN = regex.compile(
    r"(?:^|/)(?:wp-login\.php|log-?in|sign-?in|signin|auth(?:orize|enticate)?|oauth2?|sso|saml|session|account/login|"
    r"register|subscri(?:be|ption)|paywall|abo(?:nnement)?|anmelden|connexion|iniciar-sesion)(?:[/.]|$)",
    regex.I,
)
PASSWORD = regex.compile(r"<input\b[^>]{0,400}?\btype\s*=\s*[\"']?password", regex.I)
PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"<svg", b"\0\0\0")
HEAD = 400_000  # code points in which a page says of itself what it is

Ask = Callable[..., Answer]
"""``Client.get``: address, ``deadline``, ``accept``, ``max_bytes``."""


class NotYet(Exception):
    """The page is not ready; ``reason`` says why, for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason.rstrip(".")


@dataclass(frozen=True, slots=True)
class Passed:
    """A page that may be shown, and the address under which readers should open it."""

    page: Page
    address: str


def look(ask: Ask, address: str, *, seconds: float, max_bytes: int, strict: bool = True) -> Passed:
    """Read the page at ``address``; raises NotYet with the reason it must not be posted yet.

    Unless ``strict``, only that there is a page is asked: a person said to take it.
    """
    answer = _got(ask, address, seconds=seconds, max_bytes=max_bytes)
    try:
        page = page_of(answer, max_bytes=max_bytes)
    except BadSource as error:
        raise NotYet(_line(error)) from None
    if not strict:
        return Passed(page, answer.url)
    _refuse_elsewhere(address, answer)
    head = page.content[:HEAD] if page.kind == "html" else ""
    said = declared(head)
    _refuse_hidden(answer, said)
    if PASSWORD.search(page.content[:HEAD]) and len(regex.sub(r"<[^>]*>", "", page.content)) < 4000:
        raise NotYet("the page asks for a password")
    final = _canonical(ask, answer, said, seconds=seconds, max_bytes=max_bytes)
    if picture := _first(said, "og:image", "og:image:url", "og:image:secure_url", "twitter:image"):
        _refuse_picture(ask, answer.url, picture, seconds=seconds, max_bytes=max_bytes)
    return Passed(page, final)


def _got(ask: Ask, address: str, *, seconds: float, max_bytes: int) -> Answer:
    try:
        return accepted(ask(address, deadline=Deadline(seconds), accept=ACCEPT, max_bytes=max_bytes))
    except BadSource as error:
        raise NotYet(_line(error)) from None


def _line(error: BadSource) -> str:
    """What is wrong, without advice for somebody at a keyboard."""
    return f"{error.what}: {error.why}" if error.why else error.what


def _refuse_elsewhere(asked: str, answer: Answer) -> None:
    """Refuse a page that is not the one that was asked for: a front page, a place to sign in or to pay."""
    if why := elsewhere(asked, answer):
        raise NotYet(why)


def elsewhere(asked: str, answer: Answer) -> str:
    """Why the page that came is not the one that was asked for; empty if it is."""
    if not answer.hops:
        return ""
    there, here = urlsplit(answer.url), urlsplit(checked(asked))
    if SIGN_IN.search(there.path) and not SIGN_IN.search(here.path):
        return f"it leads to a page to sign in or to pay: {short(answer.url)}"
    if at_the_front(answer.url) and not at_the_front(asked):
        return f"it leads to the front page: {short(answer.url)}"
    return ""


def at_the_front(url: str) -> bool:
    """Whether an address is that of a site's front page."""
    parts = urlsplit(url)
    return parts.path in {"", "/"} and not parts.query


def _refuse_hidden(answer: Answer, said: list[dict[str, str]]) -> None:
    """Refuse what search engines are told to leave out: a draft, a preview, a page for subscribers."""
    if why := hidden(answer, said):
        raise NotYet(why)


def hidden(answer: Answer, said: list[dict[str, str]]) -> str:
    """What tells search engines to leave a page out; empty if nothing does. ``said`` is what ``declared`` found."""
    for told in answer.headers.get("x-robots-tag", "").splitlines():
        if not regex.match(r"\s*(?!none\b|noindex\b)[\w-]+\s*:", told) and _hides(told):
            return "its X-Robots-Tag says noindex"
    if any(s.get("name", "").lower() == "robots" and _hides(s.get("content", "")) for s in said):
        return "the page says noindex"
    return ""


def _hides(words: str) -> bool:
    return bool({"noindex", "none"} & {w.strip().lower() for w in words.split(",")})


def _canonical(ask: Ask, answer: Answer, said: list[dict[str, str]], *, seconds: float, max_bytes: int) -> str:
    """The address that the page names as its own, if it is right."""
    named = next((s.get("href", "") for s in said if "canonical" in s.get("rel", "").lower().split()), "")
    if not named.strip():
        return answer.url
    try:
        own = checked(joined(answer.url, named.strip()))
    except BadSource as error:
        raise NotYet(f"its canonical address cannot be: {_line(error)}") from None
    if address_key(own) == address_key(answer.url):
        return own
    if at_the_front(own) and not at_the_front(answer.url):
        raise NotYet(f"its canonical address is the front page: {short(own)}")
    if site_of(own) != site_of(answer.url):
        raise NotYet(f"its canonical address is on another site: {short(own)}")
    found = _got(ask, own, seconds=seconds, max_bytes=max_bytes)
    if address_key(found.url) not in {address_key(own), address_key(answer.url)}:
        raise NotYet(f"its canonical address leads elsewhere: {short(found.url)}")
    return own


def _refuse_picture(ask: Ask, page: str, picture: str, *, seconds: float, max_bytes: int) -> None:
    """Refuse a page whose picture is not there; one that is too large for a card is, and the card does without it."""
    try:
        found = ask(joined(page, picture), deadline=Deadline(seconds), accept="image/*,*/*;q=0.5", max_bytes=max_bytes)
    except TooLarge:
        return
    except BadSource as error:
        raise NotYet(f"its picture cannot be fetched: {_line(error)}") from None
    if found.status != 200:
        raise NotYet(f"its picture cannot be fetched: {short(found.url)} answered {found.status}")
    if not found.body.lstrip()[:4].startswith(PICTURES) and b"<svg" not in found.body[:1000]:
        raise NotYet(f"its picture is none: {short(found.url)}")


def site_of(url: str) -> str:
    """The registered name of a site, which its subdomains share; the host where there is none."""
    return str(tld.get_fld(url, fail_silently=True) or urlsplit(url).hostname or "")


def declared(page: str) -> list[dict[str, str]]:
    """What the meta and link elements at the start of a page say, each as its attributes."""
    return [_attributes(tag) for tag in META.findall(page[:HEAD])]


def _attributes(tag: str) -> dict[str, str]:

    return {m[0].lower(): html.unescape(m[1] or m[2] or m[3]).strip() for m in ATTRIBUTE.findall(tag)}


def _first(said: list[dict[str, str]], *names: str) -> str:
    for name in names:
        for one in said:
            if (one.get("property") or one.get("name") or "").lower() == name and one.get("content"):
                return one["content"]
    return ""
