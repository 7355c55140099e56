"""How a platform takes a post that can only be looked up afterwards (class B)."""

from __future__ import annotations

from typing import ClassVar

from publishers.core.limits import Limits
from publishers.core.post import Commit, Post, Receipt
from publishers.core.publisher import Profile, Proof, ProofClass, Publisher


class LookedUp(Publisher):
    """An account of ``bench.fake_platform``."""

    label: ClassVar = "Looked up"
    limits: ClassVar = Limits(text=500)
    fields: ClassVar = ()
    proof: ClassVar = Proof(kind=ProofClass.B)

    def connect(self) -> Profile:
        return Profile(name=self.call("GET", "/me").pick("name"))

    def create(self, post: Post, commit: Commit) -> Receipt:
        return Receipt(id=self.commit("POST", "/posts", json={"text": post.text}).pick("id"))

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        answer = self.call("GET", "/posts", params={"text": post.text})
        found = answer.json()
        if not isinstance(found, list):
            raise answer.unreadable("the answer is not a list of posts")
        return tuple(Receipt(id=str(number)) for number in found)
