"""What becomes of an article that came in: its page looked at, its rules asked, and planned, held, skipped or known."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

import structlog

from worker import schedule
from worker.content.article import extract
from worker.content.words import quoted
from worker.errors import HandbillError, NotFound
from worker.intake import gate, rules
from worker.intake.client import short
from worker.intake.model import INBOX, Candidate, Fate, Item, Rules, Source
from worker.intake.polite import Guest
from worker.intake.rules import Facts
from worker.model import Account, Article
from worker.pipeline import edit
from worker.pipeline.share import SLOT
from worker.store.redis import lost
from worker.store.sources import Hold

if TYPE_CHECKING:
    from worker.runtime import Runtime

log = structlog.get_logger()

LEASE = 180.0
WAITS = (30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14_400.0, 43_200.0, 86_400.0, 86_400.0)
"""Seconds between two looks at an article that is not ready; after the last, about three days on, it has failed."""

BADLY = 4
SOON = 30.0
DAY = 86_400.0


class Wait(Exception):
    """Not yet: look again after ``seconds``; None = a person decides."""

    def __init__(self, reason: str, seconds: float | None) -> None:
        super().__init__(reason)
        self.reason, self.seconds = reason, seconds


class Ended(Exception):
    """This item goes no further; ``firm`` if no other way may bring its article any more."""

    def __init__(self, fate: Fate, reason: str, *, of: str = "", firm: bool = False) -> None:
        super().__init__(reason)
        self.fate, self.reason, self.of, self.firm = fate, reason, of, firm


class Reader:
    """Works on items. Any number of workers may: one has an item at a time, and planning it twice changes nothing."""

    def __init__(self, parts: Runtime) -> None:
        self._parts = parts
        self._sources = parts.sources
        self._guest = Guest(parts.settings)

    def work(self, item: str) -> None:
        """Read an item whose time has come and settle its fate; nothing if it is not due or somebody else's."""
        hold = self._sources.begin(item, lease=LEASE)
        if hold is None:
            return
        if hold.begun > BADLY:
            # Whoever read it was lost every time: one page must not take every worker with it.
            reason = f"whoever read it was lost, {hold.begun - 1} times"
            self._sources.settle(item, Fate.FAILED, reason, hold=hold)
            return
        try:
            with structlog.contextvars.bound_contextvars(item=item, source=hold.item.source):
                self._read(hold)
        except Wait as wait:
            self._sources.settle(item, Fate.HELD, wait.reason, hold=hold, look=wait.seconds)
        except Ended as ended:
            firm = int(ended.firm)
            self._sources.settle(item, ended.fate, ended.reason, hold=hold, of=ended.of, firm=firm)
        except gate.NotYet as not_yet:
            self._later(hold, not_yet.reason)
        except HandbillError as error:
            self._later(hold, str(error).rstrip("."))
        except Exception as error:
            if lost(error):
                raise  # Redis is away; when the lease ends, another worker begins again
            log.exception("article not read", item=item, article=hold.item.article)
            self._later(hold, f"a mistake of ours: {type(error).__name__}")

    def _later(self, hold: Hold, reason: str) -> None:
        tries = hold.item.tries
        if tries >= len(WAITS):
            self._sources.settle(hold.item.id, Fate.FAILED, f"{reason}; given up after {tries + 1} looks", hold=hold)
        else:
            self._sources.settle(hold.item.id, Fate.HELD, reason, hold=hold, look=WAITS[tries], costs=True)

    def _read(self, hold: Hold) -> None:
        item = hold.item
        source = self._source(item)
        asked = source.rules if source else Rules()
        judged = Rules() if item.released else asked
        if why := rules.against(judged, _facts(item), whole=False):
            raise Ended(Fate.SKIPPED, why)
        at = item.candidate.at or asked.at
        accounts = self._accounts(item, source) if at != INBOX else []
        passed = self._looked_at(item)
        article = extract(passed.page, workspace=item.workspace)
        if source is not None and not item.released:
            _refuse_old(source, item, article)
        if why := rules.against(judged, _facts(item, article), whole=True):
            raise Ended(Fate.SKIPPED, why)
        home = self._first(hold, article, passed.address, accounts)
        now = self._parts.now()
        self._refuse_today(source, item, article, judged, now)
        planner = self._parts.planner
        planner.keep(dataclasses.replace(article, id=home))
        if at == INBOX:
            reason = "waits in the inbox until somebody accepts it"
            self._sources.settle(item.id, Fate.INBOX, reason, hold=hold, article=home, of="")
            return
        edit.refuse_gone(self._parts, home)  # it is looked at again: its system may say next that it is there again
        due = functools.partial(self._due, item, asked, now)
        speaking = [_speaking(a, article, asked) for a in accounts]
        posts = planner.plan(home, speaking, due=due, approve=asked.approve)
        waiting = " for approval" if asked.approve else ""
        reason = f"{len(posts)} post{'s' if len(posts) != 1 else ''} planned{waiting}"
        ids = " ".join(d.id for d in posts)
        self._sources.settle(item.id, Fate.PLANNED, reason, hold=hold, article=home, deliveries=ids, of="")

    def targets(self, article: Article) -> tuple[list[Account], bool]:
        """The accounts that would speak of a stored article, each as its source wants it, and whether posts wait then.

        Those are what planning it at once would have used: all active ones, unless it was asked for others. Raises
        HandbillError if there are none.
        """
        item, source = self._brought(article)
        return self.speaking(article, self._accounts(item, source))

    def destinations(self, articles: Sequence[Article]) -> dict[str, tuple[tuple[str, ...], bool]]:
        """The accounts that the sources of articles of one workspace name (none: all), and whether their posts wait.

        By article, in as many round trips as for one.
        """
        items = self._parts.owners.items_of(articles)
        sources = self._sources.several({i.source for i in items.values() if i.source})
        found = {}
        for name, item in items.items():
            source = sources.get(item.source)
            named = item.candidate.accounts or (source.accounts if source else ())
            full = tuple(n if "." in n else f"{item.workspace}.{n}" for n in named)
            found[name] = (full, bool(source and source.rules.approve))
        return found

    def speaking(self, article: Article, accounts: Sequence[Account]) -> tuple[list[Account], bool]:
        """These accounts as the source of a stored article wants them to speak of it, and whether posts wait then."""
        _, source = self._brought(article)
        asked = source.rules if source else Rules()
        return [_speaking(a, article, asked) for a in accounts], asked.approve

    def _brought(self, article: Article) -> tuple[Item, Source | None]:
        """How a stored article came; its source is None, too, where that was removed, and its rules with it."""
        item = self._parts.owners.items_of([article]).get(article.id)
        if item is None:
            asked = Candidate(address=article.url)
            return Item(id="", workspace=article.workspace, candidate=asked, fate=Fate.INBOX), None
        try:
            return item, self._source(item)
        except Ended:
            return item, None

    def _source(self, item: Item) -> Source | None:
        if not item.source:
            return None
        try:
            return self._sources.get(item.source)
        except NotFound:
            raise Ended(Fate.SKIPPED, "its source was removed") from None

    def _looked_at(self, item: Item) -> gate.Passed:
        config = self._parts.settings
        return gate.look(
            self._guest.get,
            item.candidate.address,
            seconds=config.request_seconds,
            max_bytes=int(config.fetch_megabytes * 1_000_000),
            strict=not item.released,
        )

    def _accounts(self, item: Item, source: Source | None) -> list[Account]:
        named = item.candidate.accounts or (source.accounts if source else ())
        if named:
            return [self._parts.accounts.find(name, item.workspace) for name in named]
        return self._parts.accounts.receivers(item.workspace)

    def _first(self, hold: Hold, article: Article, address: str, accounts: Sequence[Account]) -> str:
        """The id of the article to plan: its own, or the one it came as before where accounts are left to it.

        Raises Ended if the same article has, or will have, posts on all of these accounts.
        """
        owner = self._parts.owners.settle(hold, article, (hold.item.candidate.address, address))
        if owner is None:
            return article.id
        first = owner.item
        name = first.title or first.candidate.address
        if not owner.surely:
            raise Wait(f"its text is nearly that of {quoted(name[:120])}", None)
        came = f"by {first.ways[0]}" if first.ways else "before"
        if first.fate is Fate.SKIPPED:
            raise Ended(Fate.DUPLICATE, f"it came {came} and was left out: {first.reason}", of=first.id)
        if {a.id for a in accounts} <= self._covered(first):
            raise Ended(Fate.DUPLICATE, f"the same article came {came}: {short(first.candidate.address)}", of=first.id)
        if not first.article:
            raise Wait(f"the same article came {came} and is being read", SOON)
        return first.article

    def _covered(self, first: Item) -> set[str]:
        """The accounts that an item's article has posts on, or will have once it is read."""
        covered: set[str] = set()
        if first.article:
            ids = self._parts.records.deliveries_of(first.article)
            covered = {d.account for d in self._parts.deliveries.several(ids)}
        if first.fate in {Fate.NEW, Fate.HELD}:
            try:
                covered |= {a.id for a in self._accounts(first, self._source(first))}
            except (HandbillError, Ended):
                return covered
        return covered

    def _refuse_today(self, source: Source | None, item: Item, article: Article, judged: Rules, now: datetime) -> None:
        published = item.candidate.published or article.published_at
        if judged.embargo and published is not None and published > now:
            until = f"{published.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
            raise Wait(f"embargo until {until}", min((published - now).total_seconds() + 1, DAY))
        if source is None or not judged.most:
            return
        here = now.astimezone(schedule.zone_of(self._parts.settings.zone))
        if not self._sources.place_today(source.id, item.id, f"{here:%Y%m%d}", judged.most):
            tomorrow = schedule.at_wall(datetime.combine(here.date() + timedelta(days=1), time()), str(here.tzinfo))
            raise Wait(f"{judged.most} a day are taken; tomorrow", (tomorrow.instant - now).total_seconds() + 1)

    def _due(self, item: Item, asked: Rules, now: datetime, account: Account, delivery: str) -> schedule.When:
        at = item.candidate.at or asked.at
        begin = now
        if asked.delay and not item.candidate.at:
            published = min(item.candidate.published or now, now)
            begin = max(now, published + timedelta(minutes=asked.delay))
        if at == SLOT:
            return edit.next_slot(self._parts, account, delivery=delivery, take=True, after=begin)
        when = schedule.parse("now", zone=account.zone, now=now)
        if at != "now":
            # A time that has come while the article waited to be read is now.
            try:
                when = schedule.parse(at, zone=account.zone, now=now)
            except HandbillError:
                log.info("its time has come", item=item.id, at=at)
        elif begin > now:
            when = schedule.at_instant(begin, account.zone)
        self._parts.records.reserve(account, delivery, when.instant, gap=0)
        return when


def _refuse_old(source: Source, item: Item, article: Article) -> None:
    """Refuse an article from before the source was added, unless somebody wanted the old ones too."""
    if item.candidate.old or source.since is None:
        return
    # Feeds tell the minute, and pages often name the day alone, which is its first instant.
    room = timedelta(minutes=1) if item.candidate.published else timedelta(days=1)
    published = item.candidate.published or article.published_at
    if published is not None and published < source.since - room:
        raise Ended(Fate.SKIPPED, f"published on {published:%Y-%m-%d}, before the source was added", firm=True)
    if published is None and item.candidate.behind:
        raise Wait("it has no date and stands behind articles that were there before", None)


def _facts(item: Item, article: Article | None = None) -> Facts:
    """What is known of an article: what its source says, and what its page says where it was read."""
    said = item.candidate
    if article is None:
        return Facts(tags=said.tags, author=said.author, language=said.language, title=said.title, address=said.address)
    return Facts(
        tags=tuple(dict.fromkeys((*said.tags, *article.tags))),
        author=said.author or article.author,
        language=article.language or said.language,
        title=said.title or article.title,
        address=article.url,
    )


def _speaking(account: Account, article: Article, asked: Rules) -> Account:
    """The account as it speaks of a source's articles: the source's rules go before its own."""
    voice = asked.voice.over(account.voice(article))
    return dataclasses.replace(
        account, voices={"": voice}, brand=asked.brand or account.brand, design=asked.design or account.design
    )
