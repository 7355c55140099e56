"""What is done once a post is public: its receipts are entered, and it is read back some minutes later."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog

from publishers.core.errors import PublishError, RateLimited, Unsupported
from worker import receipts
from worker.errors import HandbillError, NotFound
from worker.model import Delivery, Step
from worker.receipts import Entry, Readback, Sight

if TYPE_CHECKING:
    from worker.runtime import Runtime

log = structlog.get_logger()

NOTICED_MOST = 200
READ_MOST = 10
"""Posts read back in one round: the platforms' rates are for posting first."""

READ_AFTER = timedelta(minutes=3)
RECHECK_AFTER = timedelta(hours=1)
YOUNG = timedelta(days=2)
"""What is older when it is first noticed, after an upgrade say, is entered but not read back."""

AGAIN = (timedelta(minutes=7), timedelta(minutes=30), timedelta(hours=3))
"""When a post that is not as it was sent, or could not be read, is read again: cards and pictures take a while."""

LOCK_SECONDS = 300.0


class Receipts:
    """Any number of workers may do a round; each act is entered once, and one reads at a time."""

    def __init__(self, parts: Runtime) -> None:
        self._parts = parts

    def round(self, workspace: str) -> int:
        """Enter what became public, and read back what is due; how many were read."""
        with self._parts.records.lock(workspace, "receipts", seconds=LOCK_SECONDS) as mine:
            if not mine:
                return 0
            self.notice(workspace)
            return self.read(workspace)

    def notice(self, workspace: str) -> int:
        """Enter the receipts of what has moved since the last time; how many deliveries that were."""
        care, deliveries = self._parts.aftercare, self._parts.deliveries
        since = care.noticed(workspace) or datetime.fromtimestamp(0, UTC)
        moved = deliveries.moved(workspace, receipts.CONFIRMED, since=since, most=NOTICED_MOST)
        now = deliveries.now()
        for delivery in deliveries.several(name for _, name in moved):
            at = delivery.updated_at or now
            if self._enter(delivery) and now - at < YOUNG and delivery.messages:
                care.read_at(delivery.id, at + READ_AFTER)
                self._watch(delivery, at)
                care.sample_at(delivery.id, at + RECHECK_AFTER)
        if moved:
            stuck = len(moved) == NOTICED_MOST and moved[-1][0] == since
            care.mark_noticed(workspace, moved[-1][0] + (timedelta(milliseconds=1) if stuck else timedelta()))
        return len(moved)

    def _watch(self, delivery: Delivery, at: datetime) -> None:
        """Look at the article's page from now on, soon if it has changed meanwhile; remember it as it was posted."""
        with suppress(NotFound):
            article, _ = self._parts.records.article(delivery.article)
            if article.linkable:
                care = self._parts.aftercare
                care.keep_original(article)
                first = care.original(article.id)
                changed = first is not None and (first.title, first.text) != (article.title, article.text)
                changed = changed or article.id in care.stopped(article.workspace)
                care.recheck_at(article.id, at + (READ_AFTER if changed else RECHECK_AFTER), sooner=True)

    def _enter(self, delivery: Delivery) -> bool:
        """Enter what of a delivery has a receipt; whether any of it is new."""
        done = [(place, step) for place, step in enumerate(delivery.steps) if step.receipt is not None]
        tries = receipts.attempts(self._parts.deliveries.history(delivery.id)) if done else []
        new = False
        for place, step in done:

            def made(number: int, before: str, place: int = place, step: Step = step) -> Entry:
                told: dict[str, Any] = {
                    "number": number,
                    "at": self._parts.now(),
                    "attempts": tries[place] if place < len(tries) else 1,
                    "before": before,
                    "approver": self._wanted_by(step),
                }
                return receipts.entry(delivery, step, place, **told)

            act = f"{delivery.id} {step.key} {step.kind}"
            new = self._parts.aftercare.enter(delivery.workspace, act, made) or new
        return new

    def _wanted_by(self, step: Step) -> str:
        """Who approved the change of its article that a step was added for."""
        if step.change:
            with suppress(NotFound):
                return self._parts.aftercare.change(step.change).by
        return ""

    def read(self, workspace: str) -> int:
        """Read back what is due now."""
        found = self._parts.aftercare.to_read(workspace, self._parts.now(), most=READ_MOST)
        for name in found:
            try:
                self.read_one(name)
            except NotFound:  # its account or itself was removed meanwhile
                self._keep(name, Sight.UNREADABLE, ["its account is not connected here any more"], again=None)
        return len(found)

    def read_one(self, name: str, *, final: bool = False) -> Readback:
        """Read a delivery back now; with ``final`` what is seen stands."""
        delivery = self._parts.deliveries.get(name)
        before = self._parts.aftercare.readbacks(delivery.workspace, [name]).get(name)
        moved = delivery.updated_at
        # What was tried before an edit says nothing about what it says now.
        tries = before.tries if before and moved and before.at > moved else 0
        later = None if final or tries >= len(AGAIN) else self._parts.now() + AGAIN[tries]
        if not delivery.messages:
            return self._keep(name, Sight.UNREADABLE, ["nothing of it is public"], again=None)
        try:
            sight, notes = self._look(delivery)
        except Unsupported as error:
            return self._keep(name, Sight.UNREADABLE, [str(error)], again=None)
        except RateLimited as error:
            again = self._parts.now() + timedelta(seconds=max(error.retry_after, 60.0))
            return self._keep(name, Sight.WAITING, [str(error)], again=again, tries=tries)
        except (PublishError, HandbillError) as error:
            return self._keep(name, Sight.UNREADABLE, [str(error)], again=later, tries=tries + 1)
        once_more = later if sight in receipts.FLAGGED else None
        if sight in receipts.FLAGGED:
            log.warning("read back", delivery=name, sight=str(sight), notes=notes, again=once_more is not None)
        return self._keep(name, sight, notes, again=once_more, tries=tries + 1)

    def _look(self, delivery: Delivery) -> tuple[Sight, list[str]]:
        _, publisher = self._parts.accounts.open(delivery.account)
        if not publisher.can("read_back"):
            raise Unsupported(f"{publisher.label} gives no way to read a message again")
        notes: list[str] = []
        gone = 0
        with publisher.http:
            for message in delivery.messages:
                seen = publisher.read_back(message.receipt, message.post)
                gone += seen is None
                name = "" if message.step == 0 else f"part {message.step + 1}: "
                notes += [f"{name}{line}" for line in receipts.differences(message.post, seen)]
                if seen is not None and publisher.can("spread"):
                    notes += [f"{name}{place} has not taken it yet" for place in publisher.spread(message.receipt)]
        if gone == len(delivery.messages):
            return Sight.GONE, notes
        return (Sight.DIFFERS if notes else Sight.LIVE), notes

    def _keep(self, name: str, sight: Sight, notes: list[str], *, again: datetime | None, tries: int = 0) -> Readback:
        found = Readback(sight=sight, at=self._parts.now(), notes=tuple(notes), tries=tries)
        self._parts.aftercare.keep_readback(name, found, again=again)
        return found
