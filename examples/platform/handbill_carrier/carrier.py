"""Carrier (a made-up platform): one JSON API that knows a repeat by its Idempotency-Key for a day."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from publishers.core.errors import Rejected, Unsupported
from publishers.core.limits import Limits
from publishers.core.post import Commit, Media, Post, Receipt
from publishers.core.publisher import Budget, Profile, Proof, ProofClass, Publisher, Setting


class Carrier(Publisher):
    """One account, spoken for by its access token."""

    label: ClassVar = "Carrier"
    home: ClassVar = "https://api.carrier.example"
    limits: ClassVar = Limits(text=600, counting="graphemes", media=1, alt=500, thread=True)
    fields: ClassVar = (
        Setting(name="access_token", label="Access token (Settings, Developers: posts, pictures)", secret=True),
    )
    proof: ClassVar = Proof(kind=ProofClass.A, window=timedelta(hours=23))  # it keeps a key for a day; an hour is spare
    budgets: ClassVar = (Budget(posts=100, seconds=86_400),)
    unverified: ClassVar = "everything: there is no such platform"

    def connect(self) -> Profile:
        answer = self.call("GET", "/v1/me", headers=self._token)
        return Profile(name=answer.pick("handle"), url=answer.told("url") or "")

    def upload(self, media: Media) -> str:
        files = {"file": ("picture", media.read(), media.mime)}
        return self.call("POST", "/v1/pictures", headers=self._token, files=files, form={"alt": media.alt}).pick("id")

    def create(self, post: Post, commit: Commit) -> Receipt:
        if post.warning:
            raise Unsupported("Carrier shows no warning before a post")
        message = {"text": post.text, "pictures": list(commit.prepared.get("media", ()))}
        if commit.reply_to:
            message["answers"] = commit.reply_to.id
        headers = {**self._token, "Idempotency-Key": commit.key}
        answer = self.commit("POST", "/v1/posts", headers=headers, json=message)
        return Receipt(id=answer.pick("id"), url=answer.told("url"))

    def delete(self, receipt: Receipt) -> None:
        try:
            self.commit("DELETE", f"/v1/posts/{receipt.id}", headers=self._token)
        except Rejected as error:
            if error.status != 404:  # what is gone already is gone
                raise

    @property
    def _token(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.settings['access_token']}"}
