"""A service that keeps a list of readers: a post becomes a draft there, and the draft is sent by its number."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from publishers.core import letter
from publishers.core.errors import PublishError, Rejected, Unauthorized, Unavailable, Unsupported
from publishers.core.http import Answer, judge
from publishers.core.letter import Letter, ListTag
from publishers.core.limits import Limits
from publishers.core.post import Commit, Post, Prepared, Receipt
from publishers.core.publisher import Proof, ProofClass, Publisher

JOINER = "\u2060"  # stands between two signs that a service would take for words of its own


class Newsletter(Publisher):
    """Each draft has a number; ``unsent`` are the states in which nobody has been sent it, ``leave`` the service's own
    words for leaving the list.
    """

    limits: ClassVar = Limits(
        text=20_000, title=150, hashtags=0, media=1, media_bytes=1_000_000, alt=1000, warning=True, link_card=False
    )
    proof: ClassVar = Proof(kind=ProofClass.A2)
    reshares: ClassVar = None  # readers get an article in their mailbox once
    leave: ClassVar[ListTag]
    unsent: ClassVar[frozenset[str]]

    @classmethod
    def apart(cls, post: Post, settings: Mapping[str, str]) -> tuple[str, ...]:
        del settings
        return (post.title, post.description)

    def draft(self, post: Post, key: str, reply_to: Receipt | None) -> Prepared:
        if reply_to is not None:
            raise Unsupported(f"a mail of {self.label} answers no other")
        picture = str(self.upload(post.media[0])) if post.media else ""
        return {"draft": self.drafted(post, letter.write(post, picture=picture, leave=self.leave), key)}

    def create(self, post: Post, commit: Commit) -> Receipt:
        del post  # the draft holds what it says
        if commit.reply_to is not None:
            raise Unsupported(f"a mail of {self.label} answers no other")
        try:
            answer = self.look(self._number(commit))
        except Rejected as error:
            if error.status != 404:
                raise
            raise Unavailable("the draft is gone: it is made anew", stale=True, status=404) from None
        receipt, status = self.told(answer)
        if status in self.unsent:
            self.send(self._number(commit))
        return receipt

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        del post
        receipt, status = self.told(self.look(self._number(commit)))
        return () if status in self.unsent else (receipt,)

    def classify(self, answer: Answer) -> PublishError | None:
        if answer.status == 403:  # how they refuse a key that is not known, or has not the right
            return Unauthorized(f"{self.label} does not let this key do that", status=403, words=answer.words())
        return judge(answer)

    @abstractmethod
    def drafted(self, post: Post, written: Letter, key: str) -> str:
        """Make the draft; returns its number."""

    @abstractmethod
    def look(self, number: str) -> Answer:
        """What the service says of a draft."""

    @abstractmethod
    def told(self, answer: Answer) -> tuple[Receipt, str]:
        """The receipt that a draft has once it is sent, and its state."""

    @abstractmethod
    def send(self, number: str) -> None:
        """Send a draft to the list: the commit."""

    def _number(self, commit: Commit) -> str:
        number = commit.prepared.get("draft")
        if not number:
            raise Unsupported(f"there is no draft of it on {self.label}")
        return str(number)


def apart(*pairs: str) -> letter.Guard:
    """Keep each of these pairs of signs from standing side by side in what an article says."""

    def guard(text: str) -> str:
        for pair in pairs:
            text = text.replace(pair, pair[0] + JOINER + pair[1])
        return text

    return guard
