"""How a platform takes a post whose key it remembers (class A): a repeated key is answered with the first message."""

from __future__ import annotations

from typing import ClassVar

from publishers.core.limits import Limits
from publishers.core.post import Commit, Post, Receipt
from publishers.core.publisher import Profile, Proof, ProofClass, Publisher


class Keyed(Publisher):
    """An account of ``bench.fake_platform``."""

    label: ClassVar = "Keyed"
    limits: ClassVar = Limits(text=500)
    fields: ClassVar = ()
    proof: ClassVar = Proof(kind=ProofClass.A)

    def connect(self) -> Profile:
        return Profile(name=self.call("GET", "/me").pick("name"))

    def create(self, post: Post, commit: Commit) -> Receipt:
        answer = self.commit("POST", "/posts", headers={"Idempotency-Key": commit.key}, json={"text": post.text})
        return Receipt(id=answer.pick("id"))
