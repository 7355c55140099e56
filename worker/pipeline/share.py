"""One article to its accounts: ingest and plan in one go, for the command line, the API and the content worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from worker import schedule
from worker.errors import HandbillError
from worker.model import Account, Article, Delivery

if TYPE_CHECKING:
    from worker.runtime import Runtime


def share(
    parts: Runtime,
    source: str,
    *,
    workspace: str,
    accounts: Sequence[str] = (),
    at: str = "now",
    approve: bool = False,
    stdin: Callable[[], bytes] | None = None,
) -> tuple[Article, list[Delivery]]:
    """Read ``source``, plan it on the named accounts (none = every active one) for ``at``; raises HandbillError.

    Everything is checked before anything is stored, so a refused share leaves nothing behind.
    """
    chosen = [parts.accounts.find(name, workspace) for name in accounts]
    if not chosen:
        chosen = [a for a in parts.records.accounts(workspace) if a.active]
    if not chosen:
        raise HandbillError("There is no account to post to", do="Add one: handbill accounts add PLATFORM")
    now = parts.now()

    def due(account: Account) -> tuple[datetime, str, str]:
        when = schedule.parse(at, zone=account.zone, now=now)
        return when.instant, when.wall, when.zone

    for account in chosen:
        due(account)
    article = parts.planner.ingest(source, workspace=workspace, stdin=stdin)
    return article, parts.planner.plan(article.id, chosen, due=due, approve=approve)
