"""What whoever posts by hand is told, and the address of their page: signed, theirs alone, and at an end one day."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any

from publishers.core.limits import Limits
from publishers.core.post import Facet, Post
from worker.content.compose import clean, plain
from worker.errors import HandbillError
from worker.model import Delivery, Step, StepKind, digest
from worker.settings import Settings
from worker.store.secrets import Vault, key_of

LIFE = timedelta(days=14)
"""How long a page can be opened; then the queue is the place to say that it is done."""

MOST = 2
"""How often a person is told: when it is time, and once more if they have not said that it is done."""

PATH = "by-hand"
MISSING = (
    "Whoever posts by hand gets a link to a page and HANDBILL_PUBLIC_URL is not set: set it to the address at which "
    "their phone reaches this installation, such as https://posts.example.org"
)


def address(config: Settings, delivery: str, at: datetime) -> str:
    """The page of a delivery, for whoever was told ``at`` that instant; the same whenever it is asked for."""
    until = int((at + LIFE).timestamp())
    base = (config.public_url or config.origin).rstrip("/")
    return f"{base}/{PATH}/{delivery}.{until}.{_vault(config).sign(PATH, delivery, str(until))}"


def opened(config: Settings, token: str, now: datetime) -> str | None:
    """The delivery whose page a token opens; None if it is none of ours, or its time is over."""
    head, _, sign = token.rpartition(".")
    delivery, _, until = head.rpartition(".")
    if not until.isdecimal() or not _vault(config).signed(sign, PATH, delivery, until):
        return None
    return delivery if now.timestamp() < int(until) else None


def step(config: Settings, delivery: Delivery, *, place: str, person: str, limits: Limits, now: datetime) -> Step:
    """The step that tells ``person``, within the ``limits`` of how they are told: each time one of its own.

    It is what is stored but for its kind, its key and its words, which hold the page's address and are made anew.
    """
    known = delivery.current
    at = known.at or now
    number = len(known.reminders)
    post = _words(known.post, place, person, limits, address(config, delivery.id, at), again=number > 0)
    key = digest("reminder", known.key, number, length=40)
    return dataclasses.replace(known, kind=StepKind.REMIND, key=key, post=post, at=at)


def check(config: Settings, channel: Any) -> None:
    """Raise HandbillError if whoever is told by ``channel``, an account, could not open the page."""
    if not config.public_url and not channel.rehearsal:
        raise HandbillError(MISSING)


def _words(post: Post, place: str, person: str, limits: Limits, link: str, *, again: bool) -> Post:
    lead = f"{person}, this is still to be posted on {place}" if again else f"{person}, it is time to post on {place}"
    title = post.title or post.text.partition("\n")[0]
    shown = plain(clean(title))  # "@everyone" in a title calls nobody
    end = f"\n\nText, picture and link, ready to copy, and where you say that it is done:\n{link}"
    for said in (f"{lead}:\n{shown}{end}", f"{lead}:\n{plain(_cut(clean(title)))}{end}", f"{lead}:\n{link}", link):
        if limits.fits(said, media=False):
            break
    start = len(said) - len(link)
    facet = Facet(type="link", start=start, end=len(said), value=link)
    heading = f"{'Still to be posted' if again else 'Time to post'} on {place}"
    return Post(text=said, facets=(facet,), link=link, title=heading, description=title, language="en")


def _cut(title: str) -> str:
    return title if len(title) <= 80 else title[:79].rstrip() + "…"


def _vault(config: Settings) -> Vault:
    return Vault(key_of(config.data_dir, config.secret_key.get_secret_value()))
