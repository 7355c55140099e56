"""What the stand-ins of mail services share: drafts on disk, sent once each; a mail's HTML as its readers see it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

from starlette.requests import Request

from rehearsal import text as reading
from rehearsal.world import Account, Picture, Platform, Received

DRAFTS = "campaigns.json"
HIDDEN = "display:none"


class Letters(Platform):
    """A service that keeps drafts and sends each of them once to everybody on a list."""

    def draft(self, account: Account, **told: Any) -> str:
        """Keep a draft; returns its number."""
        drafts = self.drafts(account)
        number = str(len(drafts) + 31)
        self._keep(account, {**drafts, number: {**told, "sent": False}})
        return number

    def drafts(self, account: Account) -> dict[str, dict[str, Any]]:
        """Every draft, sent or not, by its number."""
        path = account.folder / DRAFTS
        found: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def change(self, account: Account, number: str, **told: Any) -> None:
        """Put something into a draft."""
        drafts = self.drafts(account)
        self._keep(account, {**drafts, number: {**drafts[number], **told}})

    def sent(self, request: Request, number: str) -> None:
        """Send a draft to its list; whoever is told to send it again sends nothing."""
        account = self.account(request)
        draft = self.drafts(account)[number]
        if draft["sent"]:
            return
        self.change(account, number, sent=True)
        text, facets, pictures = read_mail(draft["html"])
        account.keep(
            Received(
                platform=self.name,
                account=account.name,
                id=number,
                at=self.world.now().isoformat(),
                text=text,
                permalink=self.permalink(request, number),
                facets=facets,
                pictures=[p for name, alt in pictures if (p := _named(account, name, alt))],
                own={"subject": draft["subject"]},
            )
        )

    def picture(self, request: Request, content: bytes) -> str:
        """Keep a picture; returns its address, empty if it is none."""
        account = self.account(request)
        number = f"picture-{len(account.pictures) + 1}"
        kept = account.keep_picture(number, content)
        return f"{self.home(request)}/{kept.path}" if kept else ""

    def _keep(self, account: Account, drafts: Mapping[str, Any]) -> None:
        account.folder.mkdir(parents=True, exist_ok=True)
        part = account.folder / f".{DRAFTS}.part"
        part.write_text(json.dumps(drafts))
        part.replace(account.folder / DRAFTS)


def basic(request: Request) -> tuple[str, str]:
    """User and password of the request; empty if it names none."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    user, _, password = base64.b64decode(token).decode().partition(":") if kind == "Basic" else ("", "", "")
    return user, password


class _Mail(HTMLParser):
    """A mail's words, links and pictures, without what is in no reader's sight."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.facets: list[dict[str, Any]] = []
        self.pictures: list[tuple[str, str]] = []
        self._unseen = 0
        self._open: tuple[int, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {k: v or "" for k, v in attrs}
        if tag in {"head", "style"} or self._unseen or HIDDEN in told.get("style", "").replace(" ", ""):
            self._unseen += tag not in {"meta", "img", "br", "link"}
        elif tag in {"p", "h1", "td"} and self.text and not self.text.endswith("\n\n"):
            self.text = self.text.rstrip("\n") + "\n\n"
        elif tag == "br":
            self.text += "\n"
        elif tag == "img":
            self.pictures.append((told.get("src", ""), told.get("alt", "")))
        elif tag == "a":
            self._open = len(self.text), told.get("href", "")

    def handle_endtag(self, tag: str) -> None:
        if self._unseen:
            self._unseen -= 1
        elif tag == "a" and self._open:
            start, address = self._open
            if start < len(self.text):
                self.facets.append(reading.facet("link", start, len(self.text), address))
            self._open = None

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.text += data if data.strip() else ""


def read_mail(content: str) -> tuple[str, list[dict[str, Any]], list[tuple[str, str]]]:
    """What a reader of a mail sees: its text, what is live in it, and its pictures with their alt texts."""
    mail = _Mail()
    mail.feed(content)
    mail.close()
    return mail.text.strip(), mail.facets, mail.pictures


def _named(account: Account, address: str, alt: str) -> Picture | None:
    name = address.rpartition("/")[2]
    found = next((p for p in account.pictures.values() if p.path.endswith(name)), None)
    return account.describe(found, alt) if found else None
