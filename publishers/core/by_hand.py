"""A platform that programs may not post to: a person does, from a page with all they need, and says when it is done."""

from __future__ import annotations

from typing import ClassVar

from publishers.core.errors import Unsupported
from publishers.core.post import Commit, Post, Receipt
from publishers.core.publisher import Profile, Proof, ProofClass, Publisher
from publishers.core.setting import Setting


class ByHand(Publisher):
    """One person's account: ``channel`` names the account by which they are told, of a platform for a ``team``."""

    fields: ClassVar[tuple[Setting, ...]] = (
        Setting(name="person", label="Who posts it, as they are called"),
        Setting(name="channel", label="Account by which they are told: a chat or a mailbox of theirs"),
        Setting(name="profile", label="Address of the profile there", required=False),
    )
    networked: ClassVar = False
    by_hand: ClassVar = True
    pasted: ClassVar = "a person and how they are told"
    proof: ClassVar = Proof(kind=ProofClass.C)
    opens: ClassVar[str] = ""
    """Where a person begins to write there, in a browser."""

    def connect(self) -> Profile:
        return Profile(name=self.settings.get("person", ""), url=self.settings.get("profile", ""))

    def create(self, post: Post, commit: Commit) -> Receipt:
        del post, commit
        raise Unsupported(f"{self.label} takes posts from people alone")

    @property
    def place(self) -> str:
        """What the platform is called when a person is asked to go there."""
        return self.label
