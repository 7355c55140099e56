"""How many readers came by a post's link: by our own short links, or as the site's own counting says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from publishers.core.errors import PublishError
from publishers.core.http import Http
from worker.analytics import SERVICES, Window
from worker.errors import HandbillError, NotFound
from worker.model import Article, Delivery, mark_of
from worker.shortener import OWN, own
from worker.store.counters import Counter

if TYPE_CHECKING:
    from worker.runtime import Runtime

log = structlog.get_logger()

ASK_EVERY = timedelta(minutes=5)
"""Between two questions to one service: Plausible allows 600 in an hour, Umami 50 in 15 seconds."""

FRESH = timedelta(minutes=6)
"""How long what a service said is good: a little longer than until it may be asked again."""

AT_ONCE = 100
"""Posts in one question, which is for those due now and those due before the next."""

LOOKED_BACK = timedelta(days=30)
MARKED = "{delivery}"
TAGS = "utm_source={platform}&utm_medium=social&%s={delivery}"
NAME_MOST = 40


class Clicks:
    """``http`` makes the client for one service and is replaced in tests."""

    def __init__(self, parts: Runtime, *, http: Callable[..., Http] = Http) -> None:
        self._parts = parts
        self._http = http

    # Services

    def connect(
        self, workspace: str, kind: str, given: Mapping[str, str], *, name: str = "", host: str = ""
    ) -> tuple[Counter, str]:
        """Let a service count visits from now on, if it answers: it, and what it said. Raises HandbillError."""
        if kind not in SERVICES:
            raise HandbillError(f"There is no service {kind}", do=f"Use one of: {', '.join(SERVICES)}")
        service = SERVICES[kind]
        known = {s.name: s for s in service.settings}
        if strange := sorted(set(given) - set(known)):
            raise HandbillError(f"{service.label} has no setting {strange[0]}", do=f"It has: {', '.join(known)}")
        told = {n: given.get(n, "").strip() or s.default for n, s in known.items()}
        if missing := [s for s in service.settings if s.needed and not told[s.name]]:
            raise HandbillError(f"{service.label} needs {missing[0].name}", why=missing[0].label)
        if urlsplit(told["server"]).scheme not in {"http", "https"} or not urlsplit(told["server"]).hostname:
            do = "Write it as https://stats.example.org"
            raise HandbillError(f"{told['server']} is no address of a server", do=do)
        called = name or kind
        if not all(c.isalnum() or c in "-_" for c in called) or len(called) > NAME_MOST:
            raise HandbillError(f"{called!r} is no name for a service", do="Use letters, digits and -")
        secrets = {n: told.pop(n) for n in list(told) if known[n].secret}
        counter = Counter(
            name=called, workspace=workspace, kind=kind, host=host.lower().removeprefix("www."), settings=told
        )
        said = self._checked(counter, told | secrets)
        self._parts.counters.save(counter, secrets)
        return counter, said

    def check(self, counter: Counter) -> str:
        """What a service says of the last 30 days, in one line; raises HandbillError naming what is wrong."""
        return self._checked(counter, self._parts.counters.told(counter))

    def _checked(self, counter: Counter, told: Mapping[str, str]) -> str:
        service = SERVICES[counter.kind]
        now = self._parts.now()
        marks = self._lately(counter, now - LOOKED_BACK)
        try:
            with self._client(told) as http:
                found = service.visits(http, told, list(marks) or ["none"], Window(now - LOOKED_BACK, now))
        except PublishError as error:
            site = f"the site {told[service.site]}"
            what = f"{service.label} cannot be asked about {site}"
            raise HandbillError(what, why=str(error), do=service.advice) from None
        visits = sum(found.values())
        return f"{service.label} answers: {visits} visits by the links of {len(marks)} posts in the last 30 days"

    def unmarked(self, counter: Counter) -> list[str]:
        """The accounts whose links do not name their post, so that nobody can tell where a visit came from."""
        wanted = f"{SERVICES[counter.kind].parameter(counter.settings)}={MARKED}"
        accounts = self._parts.records.accounts(counter.workspace)
        return [a.id for a in accounts if not any(wanted in v.utm for v in a.voices.values())]

    def tags(self, counter: Counter) -> str:
        """The parameters of a link by which the service tells posts apart."""
        return TAGS % SERVICES[counter.kind].parameter(counter.settings)

    def mark_links(self, counter: Counter) -> list[str]:
        """Let the links of accounts that have no parameters name their post from now on; the accounts."""
        from worker.pipeline.plan import speaking  # noqa: PLC0415 - a publishing worker loads no picture library

        done = []
        for name in self.unmarked(counter):
            account = self._parts.records.account(name)
            if not any(v.utm for v in account.voices.values()):
                tags = {"utm": self.tags(counter)}
                self._parts.records.change_account(name, lambda known, _, t=tags: (speaking(known, "", t), None))  # type: ignore[misc]  # bound at once
                done.append(name)
        return done

    # Counting

    def of(self, delivery: Delivery, now: datetime) -> int | None:
        """How many have come by a post's link until now; None if nobody counts them."""
        if self._short(delivery):
            return self._parts.links.clicks(delivery.workspace, [delivery.id])[delivery.id]
        told = self._parts.aftercare.visits(delivery.workspace, delivery.id)
        return told[0] if told and now - told[1] <= FRESH else None

    def counted(self, delivery: Delivery) -> bool:
        """Whether anybody counts who comes by this post's link."""
        if self._short(delivery):
            return True
        counters = self._parts.counters.listed(delivery.workspace)
        if not counters:
            return False
        articles = self._parts.records.articles([delivery.article])
        found = articles.get(delivery.article)
        return bool(found and _for(counters, found[0]) and self._marked(delivery))

    def ask(self, workspace: str, now: datetime) -> None:
        """Ask each service about the posts whose numbers are due before it may be asked again, if any are due now."""
        care = self._parts.aftercare
        counters = self._parts.counters.listed(workspace)
        if not counters or not care.to_sample(workspace, now, most=1):
            return
        names = care.to_sample(workspace, now + ASK_EVERY, most=AT_ONCE)
        posts = [d for d in self._parts.deliveries.several(names) if not self._short(d) and self._marked(d)]
        articles = self._parts.records.articles({d.article for d in posts})
        mine: dict[str, list[Delivery]] = defaultdict(list)
        for delivery in posts:
            if delivery.article in articles and (c := _for(counters, articles[delivery.article][0])):
                mine[c.name].append(delivery)
        for counter in counters:
            last = self._parts.counters.asked(counter)
            if mine[counter.name] and (last is None or now - last >= ASK_EVERY):
                self._parts.counters.mark_asked(counter, now)
                self._ask(counter, mine[counter.name], now)

    def _ask(self, counter: Counter, posts: Sequence[Delivery], now: datetime) -> None:
        service, told = SERVICES[counter.kind], self._parts.counters.told(counter)
        marks = {mark_of(d.id): d.id for d in posts}
        first = min(d.steps[0].at or d.due for d in posts)
        try:
            with self._client(told) as http:
                found = service.visits(http, told, list(marks), Window(first, now))
        except (PublishError, HandbillError) as error:
            log.warning("visits not counted", service=counter.id, reason=str(error))
            return
        visits = {delivery: max(0, found.get(mark, 0)) for mark, delivery in marks.items()}
        self._parts.aftercare.keep_visits(counter.workspace, visits, now)

    def _lately(self, counter: Counter, since: datetime) -> list[str]:
        """The marks of the posts that went out since, the latest at most so many as one question has."""
        samples = self._parts.aftercare.to_sample(
            counter.workspace, self._parts.now() + timedelta(days=90), most=AT_ONCE
        )
        posts = self._parts.deliveries.several(samples)
        return [mark_of(d.id) for d in posts if (d.steps[0].at or d.due) >= since and self._marked(d)]

    def _short(self, delivery: Delivery) -> bool:
        """Whether its link is our own short one."""
        tail = own("", delivery.id, delivery.article)[0]
        return any((s.post.link or "").endswith(tail) or tail in s.post.text for s in delivery.steps)

    def _marked(self, delivery: Delivery) -> bool:
        """Whether its link names it: as can be seen, or as its account's parameters have it behind a short one."""
        mark = mark_of(delivery.id)
        if any(mark in (s.post.link or "") or mark in s.post.text for s in delivery.steps):
            return True
        if self._parts.settings.shortener in {"", OWN}:
            return False
        try:
            account = self._parts.records.account(delivery.account)
        except NotFound:
            return False
        return any(MARKED in v.utm for v in account.voices.values())

    def _client(self, told: Mapping[str, str]) -> Http:
        """A client for a service, which whoever connected it may not have put on this machine."""
        config = self._parts.settings
        secret = [told[name] for name in ("key", "token", "password") if told.get(name)]
        return self._http(seconds=config.request_seconds, allow=config.allowed, secrets=secret)


def _covers(counter: Counter, article: Article) -> bool:
    host = (urlsplit(article.url).hostname or "").removeprefix("www.")
    return counter.host in {"", host}


def _for(counters: Sequence[Counter], article: Article) -> Counter | None:
    """The service that counts an article's visits: one for its host before one for all."""
    fit = [c for c in counters if _covers(c, article)]
    return max(fit, key=lambda c: bool(c.host), default=None)
