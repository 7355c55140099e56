"""What a call from outside leads to: an article arrived or taken back, a source fetched again, or a line in the log."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import structlog

from worker.errors import BadSource, NotFound, Refused
from worker.intake import pings, websub
from worker.intake.model import POLLED, Candidate, Source
from worker.intake.webhooks import SCHEMES, TAKEN_BACK, Event, Kind, Sent, Unverified, receive
from worker.pipeline.intake import Intake
from worker.store.hooks import Hook, Hooks, Subscription, new_token
from worker.store.sources import Sources

log = structlog.get_logger()

ACCEPTED, REPEAT, IGNORED = "accepted", "repeat", "ignored"

SETUP = re.compile(rb"webhook_id=\d{1,20}")
"""What WooCommerce sends, unsigned, before it takes an address: it wants 200 and says nothing else
(WC_Webhook::deliver_ping, read 2026-11-25)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a webhook's sender is told; ``status`` is accepted, repeat or ignored, ``item`` the article's."""

    status: str
    event: Kind
    item: str = ""


class Receiver:
    """The use cases behind the public addresses; each only stores, so that its caller is answered at once.

    ``take_back`` holds what is planned of an article that a source's system took back.
    """

    def __init__(
        self, hooks: Hooks, sources: Sources, intake: Intake, take_back: Callable[[Source, Event], None]
    ) -> None:
        self._hooks = hooks
        self._take_back = take_back
        self._sources = sources
        self._intake = intake

    # A source's own address

    def open(
        self, source: Source, scheme: str, secrets: tuple[str, ...] = (), mapped: dict[str, str] | None = None
    ) -> Hook:
        """Give a source an address, or the one it has another ``scheme`` (a name of SCHEMES, "" for pings alone)."""
        if scheme and scheme not in SCHEMES:
            raise Refused(f"There is no kind of webhook called {scheme}", do=f"There are {', '.join(SCHEMES)}")
        if scheme and not secrets:
            raise Refused("A webhook needs a secret", do="Give one, or have one made")
        base = SCHEMES[scheme].mapped if scheme else None
        known = set(base.__dataclass_fields__) if base else set()
        if mapped and (unknown := set(mapped) - known):
            what = f"A webhook's fields are {', '.join(sorted(known))}" if known else "Pings have no fields"
            raise Refused(f"{min(unknown)} cannot be mapped", why=what)
        before = self._hooks.of(source.id)
        hook = Hook(
            source=source.id,
            token=before.token if before else new_token(),
            scheme=scheme,
            secrets=secrets,
            mapped=dataclasses.replace(base, **mapped) if base and mapped else None,
        )
        self._hooks.save(hook)
        return hook

    def webhook(self, hook: Hook, sent: Sent, now: datetime) -> Reply:
        """Take what a publishing system sent; raises Unverified or Unreadable, and Refused for a stopped source.

        Nothing is remembered of a call before its event is on the disk, so a call that was lost half way may be
        repeated; one that was not changes nothing.
        """
        source = self._source(hook.source)
        if not hook.scheme:
            raise Unverified("This address takes pings alone", do="Set what sends to it: handbill hooks open")
        if SETUP.fullmatch(sent.body):
            return Reply(IGNORED, Kind.NOTHING)
        event = receive(hook.scheme, sent, hook.secrets, now=now, mapped=hook.mapped)
        if self._hooks.is_repeat(source.id, event.key):
            return Reply(REPEAT, event.kind)
        reply = self._act(source, hook.scheme, event)
        if event.kind in TAKEN_BACK:
            self._take_back(source, event)
        if event.kind not in {Kind.NOTHING, Kind.CHANGED} and self._hooks.settle(source.id, event.key):
            self._hooks.record(source.id, event, now)
        elif event.kind is Kind.CHANGED:
            self._hooks.settle(source.id, event.key)
        log.info("webhook", source=source.id, kind=event.kind, status=reply.status, item=reply.item)
        return reply

    def _act(self, source: Source, way: str, event: Event) -> Reply:
        if event.kind is Kind.NOTHING:
            return Reply(IGNORED, event.kind)
        if event.kind is Kind.PUBLISHED:
            wanted = Candidate(
                address=event.url,
                guid=event.id,
                title=event.title,
                published=event.published,
                way=way,
            )
            try:
                return Reply(ACCEPTED, event.kind, self._intake.arrived(source, wanted).id)
            except BadSource as error:
                log.warning("article refused", source=source.id, reason=str(error))
                return Reply(IGNORED, event.kind)
        if event.kind in {Kind.CHANGED, Kind.UPDATED} and not self._intake.notice(source.id, way):
            # Nothing to fetch: only a feed can say what is new.
            return Reply(IGNORED if event.kind is Kind.CHANGED else ACCEPTED, event.kind)
        return Reply(ACCEPTED, event.kind)

    def ping(self, hook: Hook, ping: pings.Ping) -> str:
        """Fetch again every source of the pinged site; what is said to the pinger. Raises Refused for another site."""
        workspace = hook.source.partition(".")[0]
        polled = [s for s in self._sources.all(workspace) if s.active and s.kind in POLLED]
        known = [s for s in polled if pings.same_site(ping, s.address, self._sources.state(s.id).topic)]
        noticed = [s.id for s in known if self._intake.notice(s.id, "ping")]
        log.info("ping", source=hook.source, noticed=noticed, urls=ping.urls[:3])
        if not noticed:
            host = urlsplit(ping.urls[0]).hostname or "This site"
            raise Refused(f"{host} is none of the sites that are followed here", do="Add its feed as a source first")
        return "Thanks for the ping."

    # A hub's address

    def question(self, subscription: Subscription, query: dict[str, str], now: datetime) -> str:
        """The challenge to send back to a hub or an rssCloud server; raises NotFound if this was not asked for."""
        if subscription.cloud:
            challenge = websub.challenge_of(query)
            if query.get("url") == subscription.topic and challenge and subscription.mode == "subscribe":
                return challenge
            raise NotFound("Nobody here asked for this")
        mode = query.get("hub.mode", "")
        if query.get("hub.topic") != subscription.topic or mode not in {subscription.mode, "denied"}:
            raise NotFound("Nobody here asked for this")
        if mode == "denied":
            reason = "".join(c for c in query.get("hub.reason", "") if c.isprintable())[:200]
            self._sources.note(subscription.source, lease_until=None)
            log.warning("hub refuses", source=subscription.source, hub=subscription.hub, reason=reason)
            return ""
        challenge = websub.challenge_of(query)
        if not challenge:
            raise NotFound("There is no challenge")
        if mode == "unsubscribe":
            self._hooks.unsubscribe(subscription.source)
            return challenge
        seconds = websub.lease_of(query)
        self._sources.note(subscription.source, lease_until=now + timedelta(seconds=seconds))
        self._hooks.ask_at(subscription.source, now + timedelta(seconds=seconds * websub.RENEW_AT))
        return challenge

    def told(self, subscription: Subscription, signature: str, body: bytes) -> bool:
        """A hub says that there is news; False if the call is nothing to act on, which it is not told (WebSub, § 8)."""
        if subscription.mode != "subscribe":
            return False
        if subscription.cloud:
            form = dict(parse_qsl(body[:4_000].decode("utf-8", "replace"), max_num_fields=20))
            right = form.get("url") == subscription.topic
        else:
            right = websub.signed(signature, body, subscription.secret)
        if not right:
            log.warning("hub not believed", source=subscription.source)
            return False
        return self._intake.notice(subscription.source, "rsscloud" if subscription.cloud else "websub")

    def _source(self, source: str) -> Source:
        found = self._sources.get(source)
        if not found.active:
            raise Refused("This source was stopped", why=found.reason, do="Start it again")
        return found
