"""One article to its accounts: ingest and plan in one go, for the command line, the API and the content worker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, BinaryIO

from worker import schedule
from worker.errors import HandbillError
from worker.model import Account, Article, Delivery
from worker.store.records import Records

if TYPE_CHECKING:
    from worker.runtime import Runtime

SLOT = "slot"


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
    stdin: BinaryIO | None = None,
) -> tuple[Article, list[Delivery]]:
    """Read ``source``, plan it on the named accounts (none = every active one) for ``at``; raises HandbillError.

    ``at`` is ``now``, an ISO time, or ``slot``: each account's next free one. ``stagger`` minutes lie between accounts.
    ``thread`` says more in replies of its own, where the platform has them.

    Everything is checked before anything is stored, so a refused share leaves nothing behind.
    """
    chosen = [parts.accounts.find(name, workspace) for name in accounts]
    if not chosen:
        chosen = [a for a in parts.records.accounts(workspace) if a.active]
    if not chosen:
        raise HandbillError("There is no account to post to", do="Add one: handbill accounts add PLATFORM")
    now = parts.now()
    if at != SLOT:
        for account in chosen:
            schedule.parse(at, zone=account.zone, now=now)
    article = parts.planner.ingest(source, workspace=workspace, stdin=stdin)
    order = {account.id: number for number, account in enumerate(chosen)}

    def due(account: Account, delivery: str) -> schedule.When:
        later = timedelta(minutes=stagger * order[account.id])
        if at == SLOT:
            return _slot(parts.records, account, delivery, now + later)
        when = schedule.parse(at, zone=account.zone, now=now)
        if later:
            when = schedule.When(when.instant + later, "", when.zone)
        parts.records.reserve(account, delivery, when.instant, gap=0)
        return when

    return article, parts.planner.plan(article.id, chosen, due=due, approve=approve, thread=thread)


def _slot(records: Records, account: Account, delivery: str, after: datetime) -> schedule.When:
    """The first free slot of the account, taken in one step so that nobody else gets it."""
    taken = [t for d, t in records.taken(account, since=after - timedelta(days=1)).items() if d != delivery]
    for when in schedule.slots(account.calendar, zone=account.zone, after=after, taken=taken):
        if records.reserve(account, delivery, when.instant, gap=max(account.calendar.gap * 60, 1)):
            return when
    do = f"Give it more slots: handbill accounts set {account.id} --calendar 'mon-fri 09:00 13:00'"
    raise HandbillError(f"{account.id} has no free slot within {schedule.HORIZON_DAYS} days", do=do)
