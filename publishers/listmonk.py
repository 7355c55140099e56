"""Listmonk: a campaign is drafted, then set running (https://listmonk.app/docs/apis/campaigns/)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import ClassVar

from publishers.core.errors import Rejected
from publishers.core.http import Answer
from publishers.core.letter import Letter, ListTag
from publishers.core.newsletter import Newsletter, apart
from publishers.core.post import Media, Post, Receipt
from publishers.core.publisher import Profile, Setting


class Listmonk(Newsletter):
    """One or several lists of one installation."""

    label: ClassVar = "Listmonk"
    fields: ClassVar = (
        Setting(name="server", label="Listmonk's address, such as https://lists.example.org"),
        Setting(name="username", label="API user"),
        Setting(name="token", label="The API user's token", secret=True),
        Setting(name="lists", label="Numbers of the lists, by comma", rehearsal="3"),
        Setting(name="template", label="Number of a template that is the content alone", rehearsal="7"),
        Setting(name="sender", label="Sender, if not the installation's own", required=False),
    )
    pasted: ClassVar = "API user and token"
    leave: ClassVar = ListTag("{{ UnsubscribeURL }}", guard=apart("{{"))
    unsent: ClassVar = frozenset({"draft", "scheduled"})
    unverified: ClassVar = "never run against a real server; written from its documentation"

    def connect(self) -> Profile:
        names = [self.call("GET", f"/api/lists/{n}", headers=self._auth).pick("data", "name") for n in self._lists()]
        return Profile(name=", ".join(names), url=self.base)

    def upload(self, media: Media) -> str:
        name = f"{media.sha256[:16]}.{'png' if media.mime == 'image/png' else 'jpg'}"
        answer = self.call("POST", "/api/media", headers=self._auth, files={"file": (name, media.read(), media.mime)})
        url = answer.told("data", "url") or answer.pick("data", "uri")  # older releases call it so
        return url if url.startswith("http") else self.base + url

    def drafted(self, post: Post, written: Letter, key: str) -> str:
        del post
        campaign = {
            "name": f"{written.subject} ({key[:8]})",
            "subject": written.subject,
            "lists": self._lists(),
            "type": "regular",
            "content_type": "html",
            "messenger": "email",
            "body": written.html,
            "altbody": written.text,
            "template_id": _number("template", self.settings["template"]),
        }
        if self.settings.get("sender"):
            campaign["from_email"] = self.settings["sender"]
        return self.call("POST", "/api/campaigns", headers=self._auth, json=campaign).pick("data", "id")

    def look(self, number: str) -> Answer:
        return self.call("GET", f"/api/campaigns/{number}", headers=self._auth)

    def told(self, answer: Answer) -> tuple[Receipt, str]:
        return Receipt(id=answer.pick("data", "id")), answer.pick("data", "status")

    def send(self, number: str) -> None:
        path = f"/api/campaigns/{number}/status"
        self.commit("PUT", path, headers=self._auth, json={"status": "running"}).pick("data", "id")

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        answer = self.look(receipt.id)
        return {name: _count(answer, name) for name in ("views", "clicks")}

    @property
    def _auth(self) -> dict[str, str]:
        pair = base64.b64encode(f"{self.settings['username']}:{self.settings['token']}".encode()).decode()
        self.http.hide(pair)
        return {"Authorization": f"Basic {pair}"}

    def _lists(self) -> list[int]:
        return [_number("lists", n) for n in self.settings["lists"].split(",") if n.strip()]


def _number(name: str, text: str) -> int:
    if not text.strip().isdecimal():
        raise Rejected(
            f"'{name}' is made of numbers, as Listmonk shows them in its addresses, and not {text.strip()!r}"
        )
    return int(text)


def _count(answer: Answer, name: str) -> int:
    value = answer.pick("data", name)
    if not value.isdecimal():
        raise answer.unreadable(f"{name} is no number")
    return int(value)
