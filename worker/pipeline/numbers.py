"""What readers did with posts: asked for ever less often, kept in a few bytes, drawn together for pages and mail."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

import publishers
from publishers.core.errors import PublishError, RateLimited, Unsupported
from publishers.core.post import Media, Post
from publishers.core.publisher import Budget
from worker import numbers, schedule
from worker.errors import HandbillError, NotFound, Refused
from worker.model import Account, Delivery, Status, Step, StepKind, delivery_id, step_key
from worker.numbers import BestTime, Sample, Told
from worker.pipeline.accounts import limits_of
from worker.schedule import When

if TYPE_CHECKING:
    from worker.runtime import Runtime

log = structlog.get_logger()

ROUND_MOST = 10
READS = (Budget(posts=60, seconds=3600, app=True),)
"""Numbers that are asked for on one account in an hour: the platforms' rates are for posting first."""

LATER = timedelta(minutes=20)
LOCK_SECONDS = 300.0
CACHED = timedelta(hours=1)
OUT = (Status.PUBLISHED, Status.EDITED, Status.DELETED)
"""Where what went out stands, whatever became of it since."""

KEPT_MOST = 5000
UNNAMED = "not known"
"""The design of pictures that were drawn before designs were kept."""

PLOTTED = 6
"""Bars of one plot that goes with the report."""

ALT_MOST = 900
MORNING = 8
"""The hour, on the wall of its account, from which the weekly report goes out."""


class Numbers:
    """Any number of workers may do a round: one asks at a time."""

    def __init__(self, parts: Runtime) -> None:
        self._parts = parts
        self._best: dict[str, tuple[datetime, BestTime]] = {}

    def round(self, workspace: str) -> int:
        """Ask for the numbers whose time has come; how many posts that were."""
        with self._parts.records.lock(workspace, "numbers", seconds=LOCK_SECONDS) as mine:
            if not mine:
                return 0
            self._parts.clicks.ask(workspace, self._parts.now())
            names = self._parts.aftercare.to_sample(workspace, self._parts.now(), most=ROUND_MOST)
            for name in names:
                try:
                    self._sample(self._parts.deliveries.get(name))
                except NotFound:
                    self._parts.aftercare.sample_never(name)
                except HandbillError as error:  # its account's secrets cannot be read, say: the others go on
                    log.info("no numbers", delivery=name, reason=str(error))
                    self._parts.aftercare.sample_at(name, self._parts.now() + LATER)
            return len(names)

    def _sample(self, delivery: Delivery) -> None:
        care, now = self._parts.aftercare, self._parts.now()
        account, publisher = self._parts.accounts.open(delivery.account)
        paid = publisher.reading_costs > 0 and not self._parts.settings.paid_numbers
        tells = publisher.can("metrics") and not paid
        followed = self._parts.clicks.counted(delivery)
        if not delivery.messages or not (tells or followed):
            care.sample_never(delivery.id)
            return
        sent = delivery.steps[0].at or delivery.due
        known: dict[str, int] = {}
        if tells:
            if self._parts.records.spend(account, f"numbers:{account.id}", READS) > 0:
                care.sample_at(delivery.id, now + LATER)
                return
            try:
                with publisher.http:
                    told = publisher.metrics(delivery.messages[0].receipt)
                known = {name: told[name] for name in numbers.NAMES if name in told}
            except RateLimited as error:
                care.sample_at(delivery.id, now + max(LATER, timedelta(seconds=error.retry_after)))
                return
            except (PublishError, HandbillError) as error:
                log.info("no numbers", delivery=delivery.id, reason=str(error))
                if isinstance(error, Unsupported) and not followed:
                    care.sample_never(delivery.id)
                    return
        if followed and (clicks := self._parts.clicks.of(delivery, now)) is not None:
            known["clicks"] = clicks
        if known:
            before = care.samples_of(delivery.id)
            new = numbers.carried(before, Sample(int((now - sent).total_seconds() // 60), **known))
            care.keep_samples(delivery.id, numbers.thinned(before, new))
        following = numbers.following(now - sent)
        if following is None:
            care.sample_never(delivery.id)
        else:
            care.sample_at(delivery.id, sent + following)

    def posts(self, workspace: str, *, since: datetime | None = None) -> list[Told]:
        """Every post that has numbers, the latest first."""
        samples = self._parts.aftercare.samples(workspace)
        accounts = {a.id: a for a in self._parts.records.accounts(workspace)}
        names = list(samples)[-KEPT_MOST:]
        found = list(self._told(self._parts.deliveries.several(names), samples, accounts))
        return sorted((t for t in found if since is None or t.sent >= since), key=lambda t: t.sent, reverse=True)

    def _told(
        self,
        deliveries: Iterator[Delivery],
        samples: dict[str, list[Sample]],
        accounts: dict[str, Account],
    ) -> Iterator[Told]:
        for delivery in deliveries:
            ripe = numbers.ripe_sample(samples[delivery.id])
            if ripe is None or not delivery.steps:
                continue
            sent = delivery.steps[0].at or delivery.due
            account = accounts.get(delivery.account)
            wall = sent.astimezone(schedule.zone_of(account.zone if account else delivery.zone))
            post = delivery.steps[0].post
            yield Told(
                delivery=delivery.id,
                article=delivery.article,
                account=delivery.account,
                platform=delivery.platform,
                sent=sent,
                weekday=wall.weekday(),
                hour=wall.hour,
                hashtags=tuple(f.value for f in post.facets if f.type == "tag"),
                design=(post.media[0].design or UNNAMED) if post.media else "",
                variant=delivery.share,
                evergreen=bool(delivery.evergreen),
                sample=ripe[0],
                ripe=ripe[1],
            )

    def best_time(self, account: str) -> BestTime:
        """The hour that an account's posts did best in, by those old enough to compare."""
        mine = [t for t in self.posts(account.partition(".")[0]) if t.account == account and t.ripe]
        return numbers.best_time(mine)

    def score(self, account: Account, when: When) -> float:
        """How good a time is: 0 for all unless the account's best hour is more than chance."""
        now = self._parts.now()
        known = self._best.get(account.id)
        if known is None or now - known[0] > CACHED:
            known = self._best[account.id] = (now, self.best_time(account.id))
        best = known[1]
        if best.verdict is None or not best.verdict.sure:
            return 0.0
        hour = when.instant.astimezone(schedule.zone_of(account.zone)).hour
        return next((h.mean for h in best.hours if h.hour == hour), 0.0)


def report(parts: Runtime, workspace: str, *, days: int) -> str:
    """What the last ``days`` brought, as a text that people read in their mail."""
    now = parts.now()
    since = now - timedelta(days=days)
    told = parts.numbers.posts(workspace, since=since)
    every = parts.numbers.posts(workspace)
    accounts = {a.id: a for a in parts.records.accounts(workspace)}
    titles = parts.records.titles({t.article for t in told})
    count = parts.deliveries.count(workspace)
    lines = [f"Handbill, {since:%d %B} to {now:%d %B %Y}", ""]
    moved = [name for _, name in parts.deliveries.moved(workspace, OUT, since=since, most=10_000)]
    out = [d for d in parts.deliveries.several(moved) if d.steps and (d.steps[0].at or d.due) >= since]
    gone = sum(d.status is Status.DELETED for d in out)
    went = "1 post went out" if len(out) == 1 else f"{len(out)} posts went out"
    counted = "1 has" if len(told) == 1 else f"{len(told)} have"
    lines += [f"{went}{f', {gone} of them deleted since' if gone else ''}; {counted} numbers."]
    for status in (Status.PARKED, Status.FAILED, Status.HELD):
        if count[status]:
            lines.append(f"{count[status]} {status}: somebody must decide.")
    if flagged := parts.aftercare.flagged(workspace):
        lines.append(f"{len(flagged)} not there as they were sent.")
    if told:
        lines += ["", "By account (likes, shares, replies and clicks a post; where the mean lies with 95 %):"]
        lines += [_line(g, accounts) for g in numbers.groups(told, lambda t: [t.account])]
        lines += ["", "Best posts:"]
        best = sorted(told, key=lambda t: t.sample.engaged, reverse=True)[:5]
        lines += [f"- {t.sample.engaged}: {titles.get(t.article, '')} ({_name(t.account, accounts)})" for t in best]
    for name in sorted({t.account for t in every}):
        verdict = parts.numbers.best_time(name).verdict
        if verdict is not None:
            lines += ["", f"Best time of {_name(name, accounts)}: {verdict.words}."]
    return "\n".join(lines)


def plotted(parts: Runtime, workspace: str, *, days: int) -> Media | None:
    """The plots of the last days as one picture on disk, to go with the report; None if there is nothing to compare."""
    from worker.content import cards  # noqa: PLC0415 - only who sends the report loads the picture library
    from worker.pipeline.pictures import write_once  # noqa: PLC0415 - as above

    told = parts.numbers.posts(workspace, since=parts.now() - timedelta(days=days))
    accounts = {a.id: a for a in parts.records.accounts(workspace)}
    ways: list[tuple[str, Callable[[Told], Iterable[str]]]] = [
        ("By account", lambda t: [_name(t.account, accounts)]),
        ("By hour", lambda t: [f"{t.hour:02}:00"]),
        ("By card design", lambda t: [t.design or numbers.NO_PICTURE]),
        ("By hashtag", lambda t: [f"#{tag}" for tag in t.hashtags]),
    ]
    panels, said = [], []
    for title, key in ways:
        bars = numbers.bars(numbers.groups(told, key), PLOTTED)
        if not bars:
            continue
        panels.append(
            (
                title,
                [
                    cards.Bar(
                        name=b.name,
                        said=f"{b.mean:.1f} · {b.count} {'post' if b.count == 1 else 'posts'}",
                        length=b.length / 100,
                        low=b.low / 100 if b.count > 1 else None,
                        high=b.high / 100,
                    )
                    for b in bars
                ],
            )
        )
        said.append(f"{title}: {', '.join(f'{b.name} {b.mean:.1f}' for b in bars)}.")
    if not panels:
        return None
    content, width, height = cards.plot(panels)
    digest = hashlib.sha256(content).hexdigest()
    path = parts.settings.data_dir / "media" / digest[:2] / f"{digest}.png"
    write_once(path, content)
    alt = f"Likes, shares, replies and clicks a post. {' '.join(said)}"
    return Media(
        path=str(path.resolve()), sha256=digest, mime="image/png", width=width, height=height, size=len(content),
        alt=alt[:ALT_MOST], design="plot",
    )  # fmt: skip


def _line(group: numbers.Group, accounts: dict[str, Account]) -> str:
    spread = "one post says nothing" if group.count == 1 else f"{group.low:.1f} to {group.high:.1f}"
    return f"- {_name(group.name, accounts)}: {group.mean:.1f} ({spread}), {group.count} posts"


def _name(account: str, accounts: dict[str, Account]) -> str:
    found = accounts.get(account)
    return f"{publishers.load(found.platform).label} {found.name}" if found else account


def pairs(told: Sequence[Told]) -> list[tuple[str, list[float]]]:
    """The numbers of posts by which variant of their article they are: the first share, the second and so on."""
    found: dict[int, list[float]] = {}
    for one in told:
        found.setdefault(one.variant, []).append(one.sample.engaged)
    return [(f"variant {n + 1}", values) for n, values in sorted(found.items())]


def report_to(parts: Runtime, workspace: str, name: str, weekday: int) -> str:
    """Send the weekly report to an account from now on ("" = to nobody); its id. Raises Refused if readers see it."""
    account = parts.accounts.own(name, workspace) if name else None
    if account is not None and not publishers.load(account.platform).inside(account.settings):
        what = f"What {account.name} posts is for readers"
        raise Refused(what, do="Choose an account that a team reads, such as e-mail or a chat")
    parts.aftercare.report_to(workspace, account.id if account else "", weekday)
    return account.id if account else ""


def send_report(parts: Runtime, workspace: str) -> Delivery | None:
    """Send the weekly report if its day has come, once a week whoever asks; None if it is not time or was sent."""
    wanted = parts.aftercare.reporting(workspace)
    if wanted is None:
        return None
    name, weekday = wanted
    account = parts.records.account(name)
    here = parts.now().astimezone(schedule.zone_of(account.zone))
    if here.weekday() != weekday or here.hour < MORNING:
        return None
    year, week, _ = here.isocalendar()
    article = f"{workspace}.report-{year}-{week:02}"
    identity = delivery_id(article, account.id, 0)
    if parts.deliveries.exists(identity):
        return None
    lines = report(parts, workspace, days=7).split("\n")
    limits = limits_of(account)
    while len(lines) > 1 and not limits.fits("\n".join(lines), media=False):
        lines.pop()
    text = "\n".join(lines)
    pictures = (plotted(parts, workspace, days=7),) if limits.media else ()
    post = Post(text=text, title=lines[0], language="en", media=tuple(m for m in pictures if m))
    step = Step(kind=StepKind.POST, ordinal=0, key=step_key(identity, StepKind.POST, 0, 1), post=post)
    delivery = Delivery(
        id=identity,
        article=article,
        account=account.id,
        platform=account.platform,
        workspace=workspace,
        status=Status.SCHEDULED,
        due=parts.now(),
        zone=account.zone,
        steps=(step,),
    )
    return delivery if parts.deliveries.create(delivery, note="the weekly report") else None
