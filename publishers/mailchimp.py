"""Mailchimp: a campaign is made, filled and sent (https://mailchimp.com/developer/marketing/api/campaigns/)."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import ClassVar

from publishers.core.errors import Rejected
from publishers.core.http import Answer, Http
from publishers.core.letter import Letter, ListTag
from publishers.core.newsletter import Newsletter, apart
from publishers.core.post import Media, Post, Receipt
from publishers.core.publisher import Profile, Setting


class Mailchimp(Newsletter):
    """One audience; the key's end says in which data centre it lives."""

    label: ClassVar = "Mailchimp"
    fields: ClassVar = (
        Setting(name="api_key", label="API key, such as 0123abcd-us21", secret=True),
        Setting(name="audience", label="Audience id (Audience, Settings)"),
        Setting(name="from_name", label="Sender's name"),
        Setting(name="reply_to", label="Sender's address, verified there"),
    )
    pasted: ClassVar = "API key"
    leave: ClassVar = ListTag("*|UNSUB|*", more="*|LIST:ADDRESSLINE|*", guard=apart("*|", "|*"))
    unsent: ClassVar = frozenset({"save", "paused", "schedule"})
    unverified: ClassVar = "never run against the real service; written from its documentation"

    def __init__(self, settings: Mapping[str, str], http: Http) -> None:
        super().__init__(settings, http)
        place = settings.get("api_key", "").rpartition("-")[2]
        if settings.get("server"):  # a stand-in, which is nobody's data centre
            return
        self.base = f"https://{place}.api.mailchimp.com/3.0" if re.fullmatch(r"[a-z]{2,4}[0-9]{1,3}", place) else ""

    def connect(self) -> Profile:
        answer = self.call("GET", self._path(f"/lists/{self.settings['audience']}"), headers=self._auth)
        return Profile(name=answer.pick("name"))

    def upload(self, media: Media) -> str:
        name = f"{media.sha256[:16]}.{'png' if media.mime == 'image/png' else 'jpg'}"
        file = {"name": name, "file_data": base64.b64encode(media.read()).decode()}
        return self.call("POST", self._path("/file-manager/files"), headers=self._auth, json=file).pick("full_size_url")

    def drafted(self, post: Post, written: Letter, key: str) -> str:
        del post
        settings = {
            "subject_line": written.subject,
            "preview_text": written.preheader,
            "title": f"{written.subject[:80]} ({key[:8]})",
            "from_name": self.settings["from_name"],
            "reply_to": self.settings["reply_to"],
        }
        made = {"type": "regular", "recipients": {"list_id": self.settings["audience"]}, "settings": settings}
        number = self.call("POST", self._path("/campaigns"), headers=self._auth, json=made).pick("id")
        content = {"html": written.html, "plain_text": written.text}
        self.call("PUT", self._path(f"/campaigns/{number}/content"), headers=self._auth, json=content)
        return number

    def look(self, number: str) -> Answer:
        return self.call("GET", self._path(f"/campaigns/{number}"), headers=self._auth)

    def told(self, answer: Answer) -> tuple[Receipt, str]:
        return Receipt(id=answer.pick("id"), url=answer.told("long_archive_url") or None), answer.pick("status")

    def send(self, number: str) -> None:
        self.commit("POST", self._path(f"/campaigns/{number}/actions/send"), headers=self._auth)

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        answer = self.call("GET", self._path(f"/reports/{receipt.id}"), headers=self._auth)
        found = {"views": answer.pick("opens", "opens_total"), "clicks": answer.pick("clicks", "clicks_total")}
        if not all(v.isdecimal() for v in found.values()):
            raise answer.unreadable("the report has no numbers")
        return {k: int(v) for k, v in found.items()}

    def _path(self, path: str) -> str:
        if not self.base:
            raise Rejected("the API key does not end in a data centre, such as -us21: paste all of it")
        return path

    @property
    def _auth(self) -> dict[str, str]:
        pair = base64.b64encode(f"handbill:{self.settings['api_key']}".encode()).decode()
        self.http.hide(pair)
        return {"Authorization": f"Basic {pair}"}
