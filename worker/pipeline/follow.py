"""How a site is followed: its feeds found, what would be taken shown, a source added, changed, polled or removed."""

from __future__ import annotations

import base64
import dataclasses
import re
import secrets as random_secrets
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from publishers.core import counting
from worker.content.cards import DESIGNS
from worker.content.template import parse
from worker.errors import BadSource, HandbillError, NotFound, Refused
from worker.intake import gate, private, rules, websub
from worker.intake.client import checked
from worker.intake.feeds import Entry, Feed
from worker.intake.identity import address_key
from worker.intake.model import POLLED, Kind, Rules, Source, State
from worker.intake.rules import Facts
from worker.intake.webhooks import SCHEMES, UNNAMING
from worker.pipeline.polling import Poller, host_of

if TYPE_CHECKING:
    from worker.runtime import Runtime

FEED_TYPES = ("rss+xml", "atom+xml", "feed+json", "rdf+xml")
USUAL = ("/feed/", "/rss.xml", "/atom.xml", "/feed.xml", "/index.xml", "/rss", "/feed.json", "/sitemap-news.xml")
FOUND_MOST, ASKED_MOST = 5, 12
NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
BACKFILL_MOST = 50
STOPPED = "stopped by hand"


@dataclass(frozen=True, slots=True)
class Found:
    """A feed that a site has, at its ``address``."""

    address: str
    feed: Feed

    @property
    def shown(self) -> str:
        """Its address as anybody may see it."""
        return private.shown(self.address)

    @property
    def kind(self) -> Kind:
        """Whether it is a feed or a sitemap."""
        return Kind.SITEMAP if self.feed.dialect == "sitemap" else Kind.FEED


@dataclass(frozen=True, slots=True)
class Would:
    """What would become of an entry if it were published now: taken, unless ``why`` says why not."""

    entry: Entry
    why: str


class Follow:
    """The use cases about sources; each is recorded by whoever calls it."""

    def __init__(self, parts: Runtime, poller: Poller | None = None) -> None:
        self._parts = parts
        self._sources = parts.sources
        self._poller = poller or Poller(parts.sources, parts.intake, parts.settings, seen=parts.push.seen)

    def close(self) -> None:
        """Let go of threads and connections."""
        self._poller.close()

    def discover(self, address: str, *, secret: bool | None = None) -> list[Found]:
        """The feeds at ``address``, or of the page there, the best first; raises BadSource if there are none.

        ``secret`` says whether the address is one; None: as it looks.
        """
        asked = address if "://" in address else f"https://{address}"
        try:
            address = checked(asked)
        except BadSource as error:
            raise error.told(lambda text: private.without(text, asked, secret=secret)) from None
        answer = self._poller.read(address, secret=secret)
        if answer.status != 200:
            do = "Give the address of a feed or of a page"
            raise BadSource(f"{private.shown(address, secret=secret)} answered {answer.status}", do=do)
        try:
            return [Found(answer.moved_to or address, self._poller.understood(answer, secret=secret))]
        except BadSource as error:
            first = error
        text = answer.body.decode("utf-8", "replace")
        named = list(_named(text, answer.url))
        found = list(self._there(named or [urljoin(answer.url, path) for path in USUAL]))
        if not found:
            do = "Give the address of its feed"
            raise BadSource(f"{private.shown(address, secret=secret)} has no feed", why=first.why, do=do)
        return found

    def _there(self, addresses: Sequence[str]) -> Iterator[Found]:
        count = 0
        for address in list(dict.fromkeys(addresses))[:ASKED_MOST]:
            try:
                feed, final = self._poller.fetch(address)
            except BadSource:
                continue
            del final
            yield Found(address, feed)
            count += 1
            if count == FOUND_MOST:
                return

    def preview(self, feed: Feed, asked: Rules, most: int = 20) -> list[Would]:
        """What the rules would make of a feed's latest articles, as far as the feed itself tells."""
        return [Would(entry, rules.against(asked, _facts(entry, feed), whole=False)) for entry in feed.entries[:most]]

    def add(
        self,
        workspace: str,
        address: str,
        *,
        name: str = "",
        accounts: Sequence[str] = (),
        asked: Rules | None = None,
        backfill: int = 0,
        private: bool | None = None,
    ) -> Source:
        """Follow the best feed at ``address`` from now on; ``backfill`` of its articles are taken although old.

        ``private`` says whether its address is a secret, which is encrypted, shown nowhere and told to no hub.

        Raises BadSource if there is no feed, Refused if it is followed already.
        """
        if not 0 <= backfill <= BACKFILL_MOST:
            raise HandbillError(f"{backfill} old articles cannot be taken", do=f"Give 0 to {BACKFILL_MOST}")
        chosen = self._accounts(workspace, accounts)
        found = self.discover(address, secret=private)[0]
        for other in self._sources.all(workspace):
            if address_key(other.address) == address_key(found.address) and other.kind in POLLED:
                raise Refused(f"{other.shown} is followed already", why=f"as {short(other.id)}")
        source = self._new(
            workspace,
            name or found.feed.title or host_of(found.address),
            kind=found.kind,
            address=found.address,
            dialect=found.feed.dialect,
            accounts=chosen,
            rules=asked or Rules(),
            private=private,
        )
        self._sources.note(source.id, backfill=backfill)
        self._sources.watch(source, host_of(source.address))
        return source

    def add_hook(
        self, workspace: str, scheme: str, *, name: str = "", accounts: Sequence[str] = (), asked: Rules | None = None
    ) -> tuple[Source, str, str]:
        """A source that is told by a webhook of kind ``scheme``: it, its address, and its secret, shown this once."""
        if scheme not in SCHEMES:
            raise Refused(f"There is no kind of webhook called {scheme}", do=f"There are {', '.join(SCHEMES)}")
        if scheme in UNNAMING:
            do = f"Follow its feed, then: handbill hooks open SOURCE {scheme}"
            raise Refused(f"A webhook of kind {scheme} names no article", why="it says that a site was built", do=do)
        chosen = self._accounts(workspace, accounts)
        source = self._new(
            workspace, name or scheme, kind=Kind.WEBHOOK, dialect=scheme, accounts=chosen, rules=asked or Rules()
        )
        address, secret = self.hook(source, scheme)
        return source, address, secret

    def hook(self, source: Source, scheme: str, secret: str = "") -> tuple[str, str]:
        """Give a source an address of its own: for webhooks of kind ``scheme`` with a secret, "" for pings alone."""
        # As Standard Webhooks writes them; other systems take any text.
        fresh = "whsec_" + base64.b64encode(random_secrets.token_bytes(32)).decode()
        given = secret or (fresh if scheme else "")
        made = self._parts.receiver.open(source, scheme, (given,) if given else ())
        return self.hook_address(made.token), given

    def hook_address(self, token: str) -> str:
        """Where a source's address with this token is on the internet."""
        config = self._parts.settings
        return f"{(config.public_url or config.origin).rstrip('/')}/hooks/{token}"

    def ruled(self, before: Rules | None, workspace: str, said: Mapping[str, Any]) -> Rules:
        """``before`` with the rules that were ``said``, an empty one taken back; raises HandbillError.

        ``include`` and ``exclude`` are lines such as ``tag: Sport``; ``template``, ``always``, ``never``, ``warning``
        and ``hashtags`` are of its voice; the others are as Rules has them.
        """
        asked = before or Rules()
        values: dict[str, Any] = {f.name: getattr(asked, f.name) for f in dataclasses.fields(asked)}
        voice: dict[str, Any] = {}
        for name, value in said.items():
            if name in {"include", "exclude"}:
                values[name] = rules.read(value)
            elif name in {"always", "never"}:
                voice[name] = tuple(t for v in value if (t := v.strip().lstrip("#")))
            elif name in {"template", "warning", "disclaimer", "hashtags"}:
                voice[name] = value.strip() if isinstance(value, str) else value
            else:
                values[name] = value
        spoken = dataclasses.replace(asked.voice, **voice)
        for tag in spoken.always:
            if counting.hashtags(f"#{tag}") != [(0, len(tag) + 1)]:
                raise HandbillError(f"#{tag} is no hashtag", do="Write it without spaces and signs, such as CityNews")
        if spoken.template:
            parse(spoken.template, "The source's template")
        known = [b.name for b in self._parts.records.brands(workspace)]
        if values["brand"] and values["brand"] not in known:
            raise HandbillError(f"There is no brand {values['brand']}", do=f"There are: {', '.join(known) or 'none'}")
        there = sorted(DESIGNS)
        if values["design"] and values["design"] not in there:
            raise HandbillError(f"There is no design {values['design']}", do=f"There are: {', '.join(there)}")
        return rules.checked(**(values | {"voice": spoken}))

    def change(
        self,
        source: Source,
        *,
        said: Mapping[str, Any] | None = None,
        seen: Callable[[Source], None] = lambda _: None,
        **values: Any,
    ) -> Source:
        """Set a source's ``name``, ``accounts``, ``rules`` or ``private``, or what of its rules is ``said``.

        ``seen`` is shown what is changed, and may raise.
        """
        if "accounts" in values:
            values["accounts"] = self._accounts(source.workspace, values["accounts"])

        def changed(now: Source) -> Source:
            seen(now)
            if said is not None:
                values["rules"] = self.ruled(now.rules, source.workspace, said)
            return dataclasses.replace(now, **values)

        if "private" in values:
            self._parts.audit.unmasked(source.workspace)
        made = self._sources.change(source.id, changed)
        if made.private is not source.private:
            if made.is_private:
                self._parts.push.found(made, websub.Push())
                self._parts.audit.mask(made.workspace, [made], anew=True)
                error = self._sources.state(made.id).error
                self._sources.note(made.id, error=private.without(error, made.address, secret=made.private))
            # Read anew, it says which hub may be asked now.
            self._sources.note(made.id, etag="", last_modified="")
        return made

    def stop(self, source: Source) -> Source:
        """Take nothing from a source until it is started again."""
        stopped = self._sources.change(source.id, lambda s: dataclasses.replace(s, active=False, reason=STOPPED))
        self._sources.unwatch(stopped)
        return stopped

    def start(self, source: Source) -> Source:
        """Take from a source again what is published from now on."""
        now = self._parts.now()
        begun = self._sources.change(source.id, lambda s: dataclasses.replace(s, active=True, reason="", since=now))
        if begun.kind in POLLED:
            self._sources.watch(begun, host_of(begun.address))
        return begun

    def poll(self, source: Source) -> tuple[int, State]:
        """Poll a source here and now: how many new articles there were, and its state."""
        if source.kind not in POLLED:
            raise Refused(f"{short(source.id)} is not polled", why=f"it is a {source.kind}")
        if not source.active:
            raise Refused(f"{short(source.id)} was stopped", why=source.reason, do="Start it again")
        return self._poller.now(source), self._sources.state(source.id)

    def remove(self, source: Source) -> None:
        """Follow a source no more; what came from it, and what was made of that, stays."""
        self._parts.push.leave(source.id)
        self._sources.remove(source)

    def find(self, name: str, workspace: str) -> Source:
        """The source of that name, with or without its workspace; raises NotFound naming those there are."""
        full = name if "." in name else f"{workspace}.{name}"
        try:
            return self._sources.get(full)
        except NotFound:
            there = ", ".join(short(s.id) for s in self._sources.all(workspace)) or "none"
            raise NotFound(f"There is no source {name}", do=f"There are: {there}") from None

    def _accounts(self, workspace: str, names: Sequence[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._parts.accounts.find(n, workspace).id for n in names))

    def _new(self, workspace: str, name: str, **fields: Any) -> Source:
        """A new source, under the first id that is free."""
        slug = _slug(name) or "source"
        for number in range(1, 1000):
            identity = f"{workspace}.{slug}" + (f"-{number}" if number > 1 else "")
            source = Source(id=identity, name=name[:100], workspace=workspace, since=self._parts.now(), **fields)
            if self._sources.add(source):
                return source
        raise Refused(f"There are too many sources called {slug}", do="Give it another name")


def short(source: str) -> str:
    """A source's id without its workspace, as people type it."""
    return source.partition(".")[2]


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-")


def _named(text: str, base: str) -> Iterator[str]:
    """The feeds that a page names, without those of comments."""
    for said in gate.declared(text):
        kind = said.get("type", "").lower()
        if "alternate" not in said.get("rel", "").lower().split() or not kind.endswith(FEED_TYPES):
            continue
        try:
            href = checked(urljoin(base, said.get("href", "")))
        except (BadSource, ValueError):
            continue
        if "comment" not in (said.get("title", "") + urlsplit(href).path).lower():
            yield href


def _facts(entry: Entry, feed: Feed) -> Facts:
    language = entry.language or feed.language
    return Facts(tags=entry.tags, author=entry.author, language=language, title=entry.title, address=entry.address)
