"""One article to its accounts: ingest and plan in one go, for the command line, the API and the content worker."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, BinaryIO

from worker import schedule
from worker.errors import HandbillError
from worker.lifecycle import FINAL
from worker.model import Account, Article, Delivery, Status
from worker.pipeline import edit

if TYPE_CHECKING:
    from worker.runtime import Runtime

SLOT = "slot"
STAGGER_MOST = 10_080
PATIENCE = 20.0
"""Seconds that ``wait_for`` goes on without a worker: as long as one takes to come back."""

SOON = timedelta(minutes=5)
LOOK_EVERY = 0.25


def share(
    parts: Runtime,
    source: str,
    *,
    workspace: str,
    accounts: Sequence[str] = (),
    at: str = "now",
    approve: bool = False,
    stagger: float = 0,
    thread: bool = False,
    again: bool = False,
    stdin: BinaryIO | None = None,
) -> tuple[Article, list[Delivery]]:
    """Read ``source``, plan it on the named accounts (none = every active one) for ``at``; raises HandbillError.

    ``at`` is ``now``, an ISO time, or ``slot``: each account's next free one. ``stagger`` minutes lie between accounts.
    ``thread`` says more in replies of its own, where the platform has them. ``again`` makes one more share, with other
    sentences, of an article that was shared before.

    Everything is checked before anything is stored, so a refused share leaves nothing behind.
    """
    chosen = [parts.accounts.find(name, workspace) for name in accounts]
    if not chosen:
        chosen = parts.accounts.receivers(workspace)
    if not 0 <= stagger <= STAGGER_MOST:
        raise HandbillError(f"A stagger of {stagger:g} minutes cannot be", do=f"Give 0 to {STAGGER_MOST} minutes")
    now = parts.now()
    if at != SLOT:
        for account in chosen:
            schedule.parse(at, zone=account.zone, now=now)
    article = parts.planner.ingest(source, workspace=workspace, stdin=stdin)
    order = {account.id: number for number, account in enumerate(chosen)}

    def due(account: Account, delivery: str) -> schedule.When:
        later = timedelta(minutes=stagger * order[account.id])
        if at == SLOT:
            return edit.next_slot(parts, account, delivery=delivery, take=True, after=now + later)
        when = schedule.parse(at, zone=account.zone, now=now)
        if later:
            when = schedule.at_instant(when.instant + later, when.zone)
        parts.records.reserve(account, delivery, when.instant, gap=0)
        return when

    # What came as another article before, by a feed or under another address, is planned as that one.
    home = parts.owners.by_hand(article)
    edit.refuse_gone(parts, home)
    return article, parts.planner.plan(home, chosen, due=due, approve=approve, thread=thread, again=again)


def wait_for(parts: Runtime, planned: list[Delivery]) -> tuple[list[Delivery], str]:
    """Wait until every delivery has ended, and how they stand then; or until waiting is no use, and why not."""
    ids = [d.id for d in planned]
    patience = time.monotonic() + PATIENCE
    while True:
        planned = list(parts.deliveries.several(ids))
        waiting = [d for d in planned if d.status not in FINAL]
        if not waiting:
            return planned, ""
        if any(name.startswith("publish") for name in parts.records.alive()):
            patience = time.monotonic() + PATIENCE
        elif time.monotonic() > patience:
            return planned, "Not waiting any longer: no worker is running. Start one with: handbill up"
        if any(d.status is Status.AWAITING_APPROVAL for d in waiting):
            return planned, "Not waiting any longer: some posts await approval. See: handbill deliveries"
        left = [d for d in waiting if d.status is not Status.AWAITING_PERSON]
        if all(_far(parts, d) for d in left):
            why = "what is left is due later, or paused" if left else "somebody posts what is left by hand"
            return planned, f"Not waiting any longer: {why}. See: handbill deliveries"
        time.sleep(LOOK_EVERY)


def _far(parts: Runtime, delivery: Delivery) -> bool:
    """Whether a delivery will not be looked at within the next minutes."""
    look = parts.deliveries.next_look(delivery.id) if delivery.status is Status.SCHEDULED else None
    stopped = {"all", f"workspace:{delivery.workspace}", f"account:{delivery.account}", f"connect:{delivery.account}"}
    return bool(look and (look - parts.now() > SOON or stopped & set(parts.deliveries.paused())))
