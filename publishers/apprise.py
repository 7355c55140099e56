"""Apprise, the library, as a bridge to the services that it knows (https://github.com/caronc/apprise).

It speaks to them itself: its connections are not checked, have no deadline of ours, and it says only whether all went
well. So it is off unless ``HANDBILL_UNGUARDED`` names it, and what it says ended badly was perhaps sent.
"""

from __future__ import annotations

import importlib
import re
from typing import Any, ClassVar

from publishers.core.errors import Rejected, Unavailable, Unconfirmed, Unsupported
from publishers.core.limits import Limits
from publishers.core.post import Commit, Post, Receipt
from publishers.core.publisher import Profile, Proof, ProofClass, Publisher, Setting

MISSING = "Apprise is not installed: pip install 'handbill[apprise]', where the workers and the web page run"


class Apprise(Publisher):
    """What is behind one or several of Apprise's addresses, each of which is a secret."""

    label: ClassVar = "Apprise"
    limits: ClassVar = Limits(text=1000, hashtags=0, media=0, link_card=False)
    fields: ClassVar = (
        Setting(name="addresses", label="Apprise's addresses, by space, such as gotify://host/token", secret=True),
    )
    pasted: ClassVar = "addresses"
    networked: ClassVar = True
    guarded: ClassVar = False
    team: ClassVar = True
    proof: ClassVar = Proof(kind=ProofClass.C)
    unverified: ClassVar = "a network stack of its own: addresses unchecked, no deadline; who of several was sent it"

    def connect(self) -> Profile:
        services = list(self._opened())
        names = sorted({str(service.service_name) for service in services})
        most = min(int(service.body_maxlen) for service in services)
        return Profile(name=" and ".join(names), limits={"text": max(1, min(most, 20_000))})

    def create(self, post: Post, commit: Commit) -> Receipt:
        if commit.reply_to is not None:
            raise Unsupported("Apprise's messages answer no others")
        if post.warning:
            raise Unsupported("Apprise shows no warning before a message")
        told = self._opened()
        if self.http.left() <= 0:
            raise Unavailable("nothing was sent: the time to send it had run out")
        text = post.text if not post.link or post.link in post.text else f"{post.text}\n\n{post.link}"
        try:
            well = told.notify(body=text, title=post.title if post.title not in post.text else "")
        except Exception as error:  # noqa: BLE001 - whatever it is, something may have been sent
            raise Unconfirmed(self.http.redact(f"Apprise failed ({type(error).__name__}: {error})")) from None
        if not well:  # True until 2.2, a result that counts as true or false since 2.3
            raise Unconfirmed("Apprise says that not all went well, and not what")
        return Receipt(id=f"apprise-{commit.key[:20]}")

    def _opened(self) -> Any:
        """Apprise with every address of this account; raises Rejected for one that it does not know."""
        try:
            library = importlib.import_module("apprise")
        except ImportError:
            raise Unavailable(MISSING) from None
        told = library.Apprise(asset=library.AppriseAsset(async_mode=False, plugin_paths=[]))
        addresses = [a for a in re.split(r"\s+", self.settings.get("addresses", "")) if a]
        if self.settings.get("server"):  # a stand-in, which takes what a json:// address is sent
            addresses = [f"json{self.base.removeprefix('http')}/notify"]
        for number, address in enumerate(addresses, 1):
            self.http.hide(address)
            if not told.add(address):
                raise Rejected(f"Apprise does not know the {number}. address, or it lacks a part")
        if not addresses:
            raise Rejected("there is no address")
        return told
