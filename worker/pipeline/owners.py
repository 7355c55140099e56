"""Whose article it is: which item, or which share by hand, was first with it, by address, guid or text."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from worker.errors import Refused
from worker.intake.identity import SAME_BANDS, address_key, guid_key, same_title, text_keys
from worker.intake.model import Candidate, Fate, Item, item_id
from worker.model import Article
from worker.store.sources import Hold

if TYPE_CHECKING:
    from worker.runtime import Runtime

LOCK = 20.0
PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Owner:
    """The item that was first; ``surely`` unless only its text says so, and not its title."""

    item: Item
    surely: bool


class Owners:
    """Decides, one at a time in a workspace, whose an article is; the answer never changes back."""

    def __init__(self, parts: Runtime) -> None:
        self._parts = parts
        self._sources = parts.sources

    def settle(self, hold: Hold, article: Article, addresses: Sequence[str]) -> Owner | None:
        """Who else was first with this article; None if it is now this item's, for good."""
        item = hold.item
        keys = [k for k in map(address_key, (*addresses, article.url)) if k]
        keys += [k for k in [guid_key(item.candidate.guid, item.source)] if k and self._trusted(k, item)]
        keys = list(dict.fromkeys(keys))
        with self._turn(item.workspace):
            owner = None if item.released else self._first(item.workspace, keys, article, item)
            if owner is not None:
                if owner.surely:
                    self._sources.claim(item.id, keys)
                return owner
            self._sources.claim(item.id, keys, force=True)
            # From here on whoever brings the same article plans this one, whatever id its own page would have.
            self._sources.mark(hold, article=article.id, title=article.title)
            self._remember(item.id, article)
        return None

    def by_hand(self, article: Article) -> str:
        """The id of the article to plan when a person shares ``article``: its own, or that of the one it came as.

        From now on a feed or webhook that brings the same article brings nothing new.
        """
        key = address_key(article.url)
        if not key:
            return article.id
        candidate = Candidate(address=article.url, title=article.title, way="hand")
        item = Item(
            id=item_id(article.workspace, "", key),
            workspace=article.workspace,
            candidate=candidate,
            fate=Fate.PLANNED,
            reason="shared by hand",
            article=article.id,
        )
        with self._turn(article.workspace):
            owner = self._first(article.workspace, [key], article, item)
            if owner is not None and owner.surely and owner.item.article:
                return owner.item.article
            if self._sources.add_item(item, [key], look=None)[1]:
                self._sources.claim(item.id, [key], force=True)
                self._remember(item.id, article)
        return article.id

    def items_of(self, articles: Sequence[Article]) -> dict[str, Item]:
        """The items that brought articles of one workspace, as they are stored, by article.

        One that a person or program took in has none.
        """
        keys = {key: a.id for a in articles if (key := address_key(a.url))}
        known = self._sources.known(articles[0].workspace, list(keys)) if keys else []
        items = map(self._original, self._sources.items(dict.fromkeys(i for i in known if i)))
        wanted = set(keys.values())
        return {i.article: i for i in items if i.article in wanted}

    def _first(self, workspace: str, keys: Sequence[str], article: Article, me: Item) -> Owner | None:
        known = dict.fromkeys(o for o in self._sources.known(workspace, keys) if o)
        for other in self._before(list(known), me):
            return Owner(other, surely=True)
        counted = self._sources.with_text(workspace, text_keys(article.text), _months(self._parts.now()))
        alike = [i for i, count in counted.most_common(3) if count >= SAME_BANDS]
        for other in self._before(alike, me):
            return Owner(other, surely=same_title(article.title, other.title))
        return None

    def _before(self, ids: Sequence[str], me: Item) -> Iterator[Item]:
        """Those of the items that an article is left to: planned, or older than ours and on their way."""
        for found in self._sources.items(ids):
            original = self._original(found)
            if original.id == me.id or (original.fate in {Fate.SKIPPED, Fate.FAILED} and not original.firm):
                continue
            if original.article or original.firm or _age(original) < _age(me):
                yield original

    def _original(self, item: Item) -> Item:
        if item.fate is Fate.DUPLICATE and item.of:
            return next(iter(self._sources.items([item.of])), item)
        return item

    def _trusted(self, key: str, item: Item) -> bool:
        """A guid counts only where whoever has it has the same title too: some feeds give all entries one."""
        (owner,) = self._sources.known(item.workspace, [key])
        other = next(iter(self._sources.items([owner] if owner and owner != item.id else [])), None)
        return other is None or same_title(other.candidate.title, item.candidate.title)

    def _remember(self, item: str, article: Article) -> None:
        if keys := text_keys(article.text):
            self._sources.remember_text(item, keys, _months(self._parts.now())[0])

    @contextmanager
    def _turn(self, workspace: str) -> Iterator[None]:
        end = time.monotonic() + PATIENCE
        while True:
            with self._parts.records.lock(workspace, "identity", seconds=LOCK) as got:
                if got:
                    yield
                    return
            if time.monotonic() > end:
                raise Refused("It is not known yet whose article this is", why="another worker decides", do="Try again")
            time.sleep(0.02)


def _age(item: Item) -> tuple[float, str]:
    """The order in which items came; one that is not stored yet is the youngest."""
    return (item.created_at.timestamp() if item.created_at else float("inf"), item.id)


def _months(now: datetime) -> list[str]:
    return [f"{now:%Y%m}", f"{now.replace(day=1) - timedelta(days=1):%Y%m}"]
