"""How articles come in by themselves: noticed, told apart, looked at by the gate and the rules, and planned or not."""

from __future__ import annotations

from urllib.parse import urlsplit

from worker.errors import BadSource, NotFound, Refused
from worker.intake.identity import address_key, guid_key, same_title
from worker.intake.model import POLLED, Candidate, Fate, Item, Source, item_id
from worker.settings import Settings
from worker.store.records import Records
from worker.store.sources import Sources

PROMPTLY = frozenset({"feed", "sitemap"})
"""Ways that bring the same entries again and again; any other way of hearing of an article asks to try it again."""


class Intake:
    """The use cases of sources and items. Calling any of them again, or at once in many processes, changes nothing."""

    def __init__(self, sources: Sources, records: Records, settings: Settings) -> None:
        self._sources = sources
        self._records = records
        self._settings = settings

    def notice(self, source: str, hint: str) -> bool:
        """Look at a source again, now: ``hint`` (websub, ping, by hand, …) says that it has news, never what.

        False if there is nothing to look at: no such source, one that is not polled, or one that was stopped.
        """
        try:
            found = self._sources.get(source)
        except NotFound:
            return False
        return found.active and found.kind in POLLED and self._sources.notice(source, hint)

    def arrived(self, source: Source | None, candidate: Candidate, *, workspace: str = "") -> Item:
        """Take one article that ``source`` brought, or that a person or program named (None), and return its item.

        It is on the disk when this returns, and is read, judged and planned by a content worker. The same article again
        is the same item. Raises BadSource if the address is none that could be read.
        """
        home, name = (source.workspace, source.id) if source else (workspace, "")
        key = address_key(candidate.address)
        if not key or urlsplit(candidate.address).username is not None:
            do = "Give an http or https address without a password in it"
            raise BadSource("The article has no web address", why=candidate.address[:120], do=do)
        guid = guid_key(candidate.guid, name)
        if (known := self._by_guid(home, guid, name, candidate)) is not None:
            return self._again(known, candidate)
        # What a program asks for names accounts and a time, and another request may name others.
        asked = () if source else (*sorted(candidate.accounts), candidate.at)
        wanted = Item(
            id=item_id(home, name, "\x1f".join((key, *asked))),
            workspace=home,
            source=name,
            candidate=candidate,
            fate=Fate.NEW,
            reason="waits to be read",
        )
        _, new = self._sources.add_item(wanted, [k for k in (key, guid) if k], look=0)
        found = self._sources.item(wanted.id)
        return found if new else self._again(found, candidate)

    def _by_guid(self, workspace: str, guid: str, source: str, candidate: Candidate) -> Item | None:
        """The item of this source with the guid, if it is the same article at another address, and not just the guid.

        A guid alone proves nothing: there are feeds whose entries all have one.
        """
        (owner,) = self._sources.known(workspace, [guid]) if guid else [""]
        found = next(iter(self._sources.items([owner] if owner else [])), None)
        if found is None or found.source != source:
            return None
        dated = candidate.published is not None and candidate.published == found.candidate.published
        return found if dated or same_title(candidate.title, found.candidate.title) else None

    def _again(self, item: Item, candidate: Candidate) -> Item:
        """An item that was heard of once more: one that could not be read is tried again if somebody asks for it."""
        if candidate.way in PROMPTLY or item.fate is not Fate.FAILED:
            return item
        try:
            self._sources.settle(item.id, Fate.NEW, "asked for again", origins=(Fate.FAILED,), look=0)
        except Refused:
            return self._sources.item(item.id)
        return self._sources.item(item.id)
