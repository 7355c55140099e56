"""How a platform takes a post and tells nobody anything about it afterwards (class C)."""

from __future__ import annotations

from typing import ClassVar

from publishers.core.limits import Limits
from publishers.core.post import Commit, Post, Receipt
from publishers.core.publisher import Profile, Proof, ProofClass, Publisher


class Blind(Publisher):
    """An account of ``bench.fake_platform``."""

    label: ClassVar = "Blind"
    limits: ClassVar = Limits(text=500)
    fields: ClassVar = ()
    proof: ClassVar = Proof(kind=ProofClass.C)

    def connect(self) -> Profile:
        return Profile(name=self.call("GET", "/me").pick("name"))

    def create(self, post: Post, commit: Commit) -> Receipt:
        return Receipt(id=self.commit("POST", "/posts", json={"text": post.text}).pick("id"))
