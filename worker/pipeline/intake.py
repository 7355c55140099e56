"""How articles come in by themselves: a source is noticed, an article arrives and is stored, a person decides."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlsplit

from worker.errors import BadSource, NotFound, Refused
from worker.intake.identity import address_key, guid_key, same_title
from worker.intake.model import POLLED, Candidate, Fate, Item, Source, item_id
from worker.store.sources import Sources

PROMPTLY = frozenset({"feed", "sitemap"})
"""Ways that bring the same entries again and again; any other way of hearing of an article asks to try it again."""

LEFT = (Fate.HELD, Fate.SKIPPED, Fate.DUPLICATE, Fate.FAILED)


class Intake:
    """The use cases of sources and items. Calling any of them again, or at once in many processes, changes nothing."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def notice(self, source: str, hint: str) -> bool:
        """Look at a source again, now: ``hint`` (websub, ping, by hand, …) says that it has news, never what.

        False if there is nothing to look at: no such source, one that is not polled, or one that was stopped.
        """
        try:
            found = self._sources.get(source)
        except NotFound:
            return False
        return found.active and found.kind in POLLED and self._sources.notice(source, hint)

    def arrived(self, source: Source | None, candidate: Candidate, *, workspace: str = "", held: str = "") -> Item:
        """Take one article that ``source`` brought, or that a person or program named (None), and return its item.

        It is on the disk when this returns, and is read, judged and planned by a content worker. The same article again
        is the same item. With ``held`` it waits for a person, for that reason. Raises BadSource if the address is none
        that could be read.
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
            fate=Fate.HELD if held else Fate.NEW,
            reason=held or "waits to be read",
        )
        _, new = self._sources.add_item(wanted, [k for k in (key, guid) if k], look=None if held else 0)
        found = self._sources.item(wanted.id)
        return found if new else self._again(found, candidate)

    def release(self, item: str) -> None:
        """Take an article whatever the rules, the gate and its age say; raises Refused once it is planned."""
        self._sources.settle(item, Fate.NEW, "taken by hand", origins=LEFT, look=0, released=1, firm=0, of="", tries=0)

    def look(self, item: str) -> None:
        """Look again now at an article that was not ready; raises Refused for one that was not held or failed."""
        self._sources.settle(item, Fate.NEW, "is looked at again", origins=(Fate.HELD, Fate.FAILED), look=0, tries=0)

    def dismiss(self, item: str) -> None:
        """Leave an article out, by whatever way it comes again; raises Refused once it is planned."""
        origins = (Fate.NEW, Fate.HELD, Fate.FAILED)
        self._sources.settle(item, Fate.SKIPPED, "left out by hand", origins=origins, firm=1)

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
        with suppress(Refused):  # another request was quicker
            self._sources.settle(item.id, Fate.NEW, "asked for again", origins=(Fate.FAILED,), look=0, tries=0)
        return self._sources.item(item.id)
