"""How older articles are shared again by themselves: rules applied to what was published, planned as deliveries."""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

import publishers
from worker import evergreen, schedule
from worker.content.cards import DESIGNS
from worker.content.compose import Composed
from worker.errors import HandbillError, NotFound, Refused
from worker.evergreen import Rule, Share, share_of
from worker.model import Account, Article, Content, Delivery, Status, delivery_id
from worker.schedule import When

if TYPE_CHECKING:
    from worker.runtime import Runtime

log = structlog.get_logger()

SWEEP_SECONDS = 3600.0
LOCK_SECONDS = 600.0
AHEAD = timedelta(days=7)
"""How far ahead a share is planned: near enough that what happens to the article meanwhile is known in time."""

NOTICE = timedelta(hours=1)
ARTICLES_MOST = 5000
A_DAY_MOST = 500
OPTIONS = 8
WAITS = frozenset({Status.SCHEDULED, Status.AWAITING_APPROVAL})

Score = Callable[[Account, When], float]
"""How good a time is for an account; the best of the free slots is taken, of equals the first."""


@dataclass(slots=True)
class _Board:
    """What a workspace has: the posts of each account near now, and every share of each article on each account."""

    near: dict[str, dict[str, Share]]
    shares: dict[tuple[str, str], list[Share]]
    numbers: dict[tuple[str, str], int]
    articles: Mapping[str, tuple[Article, Content]]


class Evergreens:
    """Applies the rules. Any number of workers may call it: one does it at a time, and once more plans nothing."""

    def __init__(self, parts: Runtime, *, score: Score | None = None) -> None:
        self._parts = parts
        self._score = score

    def sweep(self, workspace: str, *, force: bool = False) -> list[Delivery]:
        """Take back what may not go out any more and plan what may, if that was not done within the hour."""
        care = self._parts.aftercare
        rules = care.rules(workspace)
        last = care.swept(workspace)
        if not rules or (last and not force and self._parts.now() - last < timedelta(seconds=SWEEP_SECONDS)):
            return []
        with self._parts.records.lock(workspace, "evergreen", seconds=LOCK_SECONDS) as mine:
            if not mine:
                return []
            self.take_back(workspace)
            planned = [d for rule in rules if rule.active for d in self._apply(rule)]
            care.mark_swept(workspace, self._parts.now())
        return planned

    def take_back(self, workspace: str) -> list[str]:
        """Cancel planned shares whose article is old, wrong or gone, whose rule has ended, or whose words somebody used
        meanwhile; returns them.
        """
        rules = {r.name: r for r in self._parts.aftercare.rules(workspace)}
        stopped = self._parts.aftercare.stopped(workspace)
        now = self._parts.now()
        back = []
        for account in self._parts.records.accounts(workspace):
            ids = self._parts.records.taken(account, since=now)
            mine = [d for d in self._parts.deliveries.several(ids) if d.evergreen and d.status in WAITS and not d.step]
            for delivery in mine:
                why = self._against(delivery, account, rules.get(delivery.evergreen), stopped)
                if why and self._cancel(delivery, why):
                    back.append(delivery.id)
        return back

    def _against(self, delivery: Delivery, account: Account, rule: Rule | None, stopped: Mapping[str, str]) -> str:
        """Why a planned share may not go out any more; empty if it may."""
        if rule is None or not rule.active:
            return "its rule has ended"
        if why := stopped.get(delivery.article):
            return why
        if not rule.in_season(delivery.due.astimezone(schedule.zone_of(account.zone)).date()):
            return "it would go out of season"
        window = evergreen.window_of(rule, account)
        if window is None:
            return "the platform takes an article once"
        near = self._near([account.id], window, about=delivery.due)[account.id]
        others = [s.text for name, s in near.items() if name != delivery.id and abs(s.at - delivery.due) < window]
        tag = delivery.steps[0].post.language or ""
        return "" if evergreen.fresh(share_of(delivery).text, others, tag) else "another post says nearly the same"

    def _cancel(self, delivery: Delivery, why: str) -> bool:
        with suppress(Refused, NotFound):  # somebody decided about it meanwhile, or it is being sent
            self._parts.deliveries.change(
                delivery.id,
                Status.CANCELLED,
                origins=WAITS,
                note=f"not shared again: {why}",
                seen=delivery.fence,
                fields={"reason": why},
            )
            self._parts.deliveries.release(delivery.account, delivery.id)
            log.info("not shared again", delivery=delivery.id, reason=why)
            return True
        return False

    def _apply(self, rule: Rule) -> list[Delivery]:
        """Plan what a rule allows now: for each account the article that waited longest, as often as there is room."""
        accounts = [
            a
            for a in self._parts.records.accounts(rule.workspace)
            if a.active and _goes_to(rule, a) and publishers.load(a.platform).reshares is not None
        ]
        if not accounts:
            return []
        board = self._board(rule, accounts)
        stopped = self._parts.aftercare.stopped(rule.workspace)
        now = self._parts.now()
        planned = []
        for account in accounts:
            waiting = []
            for name, (article, _) in board.articles.items():
                shares = board.shares.get((name, account.id), [])
                if rule.covers(article) and not evergreen.objection(
                    rule, article, shares, now=now, stopped=stopped.get(name, "")
                ):
                    waiting.append((max(s.at for s in shares), name))
            for _, name in sorted(waiting):
                when = self._when(rule, account, board)
                if when is None:
                    break
                if (made := self._plan(rule, account, board, name, when)) is not None:
                    planned.append(made)
        return planned

    def _plan(self, rule: Rule, account: Account, board: _Board, name: str, when: When) -> Delivery | None:
        """Plan one article on one account, in words and with a picture it did not have; None if it has no others."""
        article, content = board.articles[name]
        window = evergreen.window_of(rule, account)
        assert window is not None, "accounts that take an article once were left out"
        near = board.near[account.id]
        lately = [s.text for s in near.values() if abs(s.at - when.instant) < window]
        shares = board.shares[name, account.id]
        try:
            speaking, approve = self._speaking(article, account)
            share = board.numbers[name, account.id]
            delivery = delivery_id(article.id, account.id, share)
            composed = self._composed(article, content, speaking, delivery, lately=lately, shares=shares)
            if composed is None:
                return None
            if not self._parts.records.reserve(account, delivery, when.instant, gap=max(account.calendar.gap * 60, 1)):
                return None
            made = self._parts.planner.reshare(
                article, account, composed, when, share=share, rule=rule.name, approve=approve
            )
        except HandbillError as error:
            log.warning("not shared again", article=name, account=account.id, reason=str(error))
            return None
        if made is None:
            return None
        near[made.id] = share_of(made)
        shares.append(share_of(made))
        board.numbers[name, account.id] += 1
        return made

    def _speaking(self, article: Article, account: Account) -> tuple[Account, bool]:
        """The account as the article's source wants it to speak, and whether posts wait for approval then."""
        with suppress(HandbillError):
            accounts, approve = self._parts.reader.targets(article)
            return next((a for a in accounts if a.id == account.id), account), approve
        return account, False

    def _composed(
        self,
        article: Article,
        content: Content,
        account: Account,
        delivery: str,
        *,
        lately: Sequence[str],
        shares: Sequence[Share],
    ) -> Composed | None:
        studio = self._parts.planner.studio
        options: list[Composed] = []
        for variant in range(OPTIONS):
            made = studio.post_for(article, content, account, variant=variant, delivery=delivery)
            if any(made.post.text == o.post.text for o in options):
                break
            options.append(made)
        before = [s.text for s in shares]
        chosen = evergreen.choose([o.post.text for o in options], lately, before, article.language)
        if chosen is None:
            return None
        composed = options[chosen]
        seen = {p for s in shares for p in s.pictures}
        if not composed.post.media or composed.post.media[0].sha256 not in seen:
            return composed
        designs = sorted(DESIGNS)
        begin = len(shares) % len(designs)
        for design in (*designs[begin:], *designs[:begin]):
            drawn = dataclasses.replace(account, design=design)
            made = studio.post_for(article, content, drawn, variant=chosen, delivery=delivery)
            if made.post.media and made.post.media[0].sha256 not in seen:
                return made
        return composed

    def _when(self, rule: Rule, account: Account, board: _Board) -> When | None:
        """The best free slot of the next days that rule, calendar and platform allow; None if there is none."""
        now = self._parts.now()
        zone = schedule.zone_of(account.zone)
        taken = list(self._parts.records.taken(account, since=now - timedelta(days=2)).values())
        rates = publishers.load(account.platform).budgets
        slots = schedule.slots(account.calendar, zone=account.zone, after=now + NOTICE, taken=taken)
        fits = [
            when
            for when in itertools.takewhile(lambda w: w.instant < now + AHEAD, slots)
            if rule.in_season(when.instant.astimezone(zone).date())
            and evergreen.room(rule, board.near[account.id].values(), when.instant)
            and not schedule.forbidden(account.calendar, when, now=now, taken=taken, rates=rates)
        ]
        if not fits:
            return None
        score = self._score
        return max(fits, key=lambda w: score(account, w)) if score else fits[0]

    def _board(self, rule: Rule, accounts: Sequence[Account]) -> _Board:
        names = [a for _, a in self._parts.records.arrived(rule.workspace, "planned", most=ARTICLES_MOST)]
        articles = {n: f for n, f in self._parts.records.articles(names).items() if rule.covers(f[0])}
        ids = self._parts.records.deliveries_of_many(list(articles))
        shares: dict[tuple[str, str], list[Share]] = defaultdict(list)
        numbers: dict[tuple[str, str], int] = defaultdict(int)
        wanted = {a.id for a in accounts}
        for delivery in self._parts.deliveries.several(i for found in ids.values() for i in found):
            place = (delivery.article, delivery.account)
            if delivery.account in wanted and delivery.steps:
                shares[place].append(share_of(delivery))
                numbers[place] = max(numbers[place], delivery.share + 1)
        window = max((w for a in accounts if (w := evergreen.window_of(rule, a))), default=timedelta())
        return _Board(self._near([a.id for a in accounts], window), shares, numbers, articles)

    def _near(
        self, accounts: Sequence[str], window: timedelta, *, about: datetime | None = None
    ) -> dict[str, dict[str, Share]]:
        """The posts of each account, public or to come, within the window of now or of an instant."""
        middle = about or self._parts.now()
        first, last = middle - window - timedelta(days=1), middle + max(window, AHEAD) + timedelta(days=1)
        days = [first + timedelta(days=n) for n in range((last - first).days + 2)]
        workspace = accounts[0].partition(".")[0]
        found = self._parts.deliveries.planned(workspace, days, most=A_DAY_MOST, accounts=accounts)
        near: dict[str, dict[str, Share]] = {a: {} for a in accounts}
        for delivery in self._parts.deliveries.several(i for _, names in found for i in names):
            if delivery.account in near and delivery.steps and delivery.status is not Status.FAILED:
                near[delivery.account][delivery.id] = share_of(delivery)
        return near


def _goes_to(rule: Rule, account: Account) -> bool:
    """Whether a rule shares on an account: one with a digest gets no article by itself unless it is named."""
    return rule.account == account.id or (not rule.account and not account.digest)
