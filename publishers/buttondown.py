"""Buttondown: an email is drafted, then told to be sent (https://docs.buttondown.com/api-emails-introduction)."""

from __future__ import annotations

from typing import ClassVar

from publishers.core.http import Answer
from publishers.core.letter import Letter, ListTag
from publishers.core.newsletter import Newsletter, apart
from publishers.core.post import Media, Post, Receipt
from publishers.core.publisher import Profile, Setting

VERSION = "2026-04-01"


class Buttondown(Newsletter):
    """One newsletter: a key belongs to one."""

    label: ClassVar = "Buttondown"
    home: ClassVar = "https://api.buttondown.com"
    fields: ClassVar = (Setting(name="api_key", label="API key", secret=True),)
    pasted: ClassVar = "API key"
    leave: ClassVar = ListTag("{{ unsubscribe_url }}", guard=apart("{{", "{%", "{#"))
    unsent: ClassVar = frozenset({"draft", "scheduled"})
    unverified: ClassVar = "never run against the real service; which states an email has between draft and sent"

    def connect(self) -> Profile:
        answer = self.call("GET", "/v1/newsletters", headers=self._auth)
        return Profile(name=answer.pick("results", 0, "name"))

    def upload(self, media: Media) -> str:
        name = f"{media.sha256[:16]}.{'png' if media.mime == 'image/png' else 'jpg'}"
        files = {"image": (name, media.read(), media.mime)}
        return self.call("POST", "/v1/images", headers=self._auth, files=files).pick("image")

    def drafted(self, post: Post, written: Letter, key: str) -> str:
        email = {
            "subject": written.subject,
            "description": written.preheader,
            "body": written.html,
            "template": "naked",
            "status": "draft",  # left out, it would be sent at once
            "metadata": {"handbill": key},
        }
        if post.link:
            email["canonical_url"] = post.link
        return self.call("POST", "/v1/emails", headers=self._auth, json=email).pick("id")

    def look(self, number: str) -> Answer:
        return self.call("GET", f"/v1/emails/{number}", headers=self._auth)

    def told(self, answer: Answer) -> tuple[Receipt, str]:
        return Receipt(id=answer.pick("id"), url=answer.told("absolute_url") or None), answer.pick("status")

    def send(self, number: str) -> None:
        headers = {**self._auth, "X-Buttondown-Live-Dangerously": "true"}
        self.commit("PATCH", f"/v1/emails/{number}", headers=headers, json={"status": "about_to_send"}).pick("id")

    @property
    def _auth(self) -> dict[str, str]:
        return {"Authorization": f"Token {self.settings['api_key']}", "X-API-Version": VERSION}
