"""How a platform takes a post in two steps (class A2): a draft, then its publication, whose state can be read."""

from __future__ import annotations

from typing import ClassVar

from publishers.core.limits import Limits
from publishers.core.post import Commit, Post, Prepared, Receipt
from publishers.core.publisher import Profile, Proof, ProofClass, Publisher


class Drafted(Publisher):
    """An account of ``bench.fake_platform``."""

    label: ClassVar = "Drafted"
    limits: ClassVar = Limits(text=500)
    fields: ClassVar = ()
    proof: ClassVar = Proof(kind=ProofClass.A2)

    def connect(self) -> Profile:
        return Profile(name=self.call("GET", "/me").pick("name"))

    def prepare(self, post: Post, key: str) -> Prepared:
        return {"draft": self.call("POST", "/drafts", json={"text": post.text}).pick("id")}

    def create(self, post: Post, commit: Commit) -> Receipt:
        answer = self.commit("POST", f"/drafts/{commit.prepared['draft']}/publish")
        return Receipt(id=answer.pick("id"))

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        answer = self.call("GET", f"/drafts/{commit.prepared['draft']}")
        return (Receipt(id=answer.pick("id")),) if answer.pick("state") == "published" else ()
