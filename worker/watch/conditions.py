"""What somebody should know of just now: each condition has a name of its own, says what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from worker.changes import State
from worker.model import Delivery, Status
from worker.runtime import Runtime
from worker.store.vitals import POOLS, Vitals

LATE_SECONDS = 60.0
FULL = 0.9
SOON = timedelta(days=7)
MOST = 100
"""Posts that are named one by one; more say that something larger is wrong, and another condition says what."""


class Kind(StrEnum):
    """What a condition is about."""

    REDIS = "redis"
    WORKERS = "workers"
    LATE = "late"
    DOUBLE = "double"
    PARKED = "parked"
    PAUSED = "paused"
    TOKEN = "token"  # noqa: S105 - no secret
    FAILED = "failed"
    APPROVAL = "approval"
    CHANGED = "changed"


TITLES: dict[Kind, str] = {
    Kind.REDIS: "Redis is not safe",
    Kind.WORKERS: "Workers are missing",
    Kind.LATE: "Late",
    Kind.DOUBLE: "Public more than once",
    Kind.PARKED: "Perhaps public: look, then settle",
    Kind.PAUSED: "Paused",
    Kind.TOKEN: "Connect again soon",
    Kind.FAILED: "Failed",
    Kind.APPROVAL: "Awaiting approval",
    Kind.CHANGED: "Changed after it was posted: decide",
}
URGENT = frozenset({Kind.REDIS, Kind.WORKERS, Kind.LATE, Kind.DOUBLE})
"""Told at once, whatever was told a moment ago."""

OF_POSTS = {Status.PARKED: Kind.PARKED, Status.FAILED: Kind.FAILED, Status.AWAITING_APPROVAL: Kind.APPROVAL}


@dataclass(frozen=True, slots=True)
class Condition:
    """``name`` is the same as long as it is the same condition; ``workspace`` "" is the whole installation."""

    name: str
    kind: Kind
    text: str
    do: str
    workspace: str = ""


def conditions(parts: Runtime) -> list[Condition]:
    """Everything that is so now, the worst first."""
    return [*_server(parts), *_workers(parts), *_of_workspaces(parts)]


def _server(parts: Runtime) -> Iterator[Condition]:
    server = Vitals(parts.store).server()
    if not server.persists:
        yield Condition("redis:persistence", Kind.REDIS, f"its disk: {server.why}", "Free the disk, see Redis' log")
    if server.limit and server.memory > FULL * server.limit:
        text = f"{server.memory / server.limit:.0%} of its memory is used"
        yield Condition("redis:memory", Kind.REDIS, text, "Raise maxmemory, or lower HANDBILL_KEEP_*")


def _workers(parts: Runtime) -> Iterator[Condition]:
    alive = parts.records.alive()
    for pool in POOLS:
        if not any(name.startswith(pool) for name in alive):
            do = f"handbill up, or handbill worker --queues {pool}"
            yield Condition(f"workers:{pool}", Kind.WORKERS, f"no {pool} worker", do)


def _of_workspaces(parts: Runtime) -> Iterator[Condition]:
    paused = parts.deliveries.paused()
    for scope, (_, why) in paused.items():
        kind, _, name = scope.partition(":")
        if kind != "limit":  # ends by itself
            do = f"handbill accounts check {name}" if kind == "connect" else f"handbill resume --{kind} {name}".rstrip()
            yield Condition(
                f"paused:{scope}", Kind.PAUSED, f"{name or 'everything'}: {why}", do, name.partition(".")[0]
            )
    for name in parts.deliveries.doubles()[:MOST]:
        yield Condition(f"double:{name}", Kind.DOUBLE, name, f"handbill delivery show {name}", name.partition(".")[0])
    for workspace in parts.records.workspaces():
        if late := parts.deliveries.late(LATE_SECONDS, workspace=workspace):
            text = f"{late} {'post' if late == 1 else 'posts'}"
            yield Condition(f"late:{workspace}", Kind.LATE, text, "handbill doctor", workspace)
        yield from _posts(parts, workspace)
        yield from _changes(parts, workspace)
        yield from _tokens(parts, workspace)


def _posts(parts: Runtime, workspace: str) -> Iterator[Condition]:
    found = list(parts.deliveries.several(parts.deliveries.ids(OF_POSTS, most=MOST, workspace=workspace)))
    titles = parts.records.titles({d.article for d in found})
    for delivery in found:
        yield _post(delivery, titles.get(delivery.article, ""))


def _changes(parts: Runtime, workspace: str) -> Iterator[Condition]:
    found = [c for c in parts.aftercare.changes(workspace) if c.state is State.OPEN][:MOST]
    titles = parts.records.titles({c.article for c in found})
    for change in found:
        title = titles.get(change.article, "")
        text = f"{f'“{title[:80]}”' if title else 'an article'}: {change.what[0][:120]}"
        yield Condition(
            f"changed:{change.id}", Kind.CHANGED, text, "handbill changes list, or the page Changes", workspace
        )


def _post(delivery: Delivery, title: str) -> Condition:
    kind = OF_POSTS[delivery.status]
    account = delivery.account.partition(".")[2]
    text = (
        (f"“{title[:80]}”" if title else "a post")
        + f" on {account}"
        + (f": {delivery.reason[:120]}" if kind is Kind.FAILED else "")
    )
    # A post that comes to the same status again is another condition: something was done about the first.
    name = f"{kind}:{delivery.id}:{delivery.fence}"
    return Condition(name, kind, text, f"handbill delivery show {delivery.id}", delivery.workspace)


def _tokens(parts: Runtime, workspace: str) -> Iterator[Condition]:
    now = parts.now()
    for account in parts.records.accounts(workspace):
        standing = parts.renewals.standing(account)
        left = standing.left(now)
        if left is not None and left and (left < SOON or standing.outlived or standing.refused):
            ends = standing.ends.date() if standing.ends else ""
            do = f"handbill accounts add {account.platform}, or the page Accounts"
            text = f"{account.id.partition('.')[2]}: {standing.says(now)}"
            yield Condition(f"token:{account.id}:{ends}", Kind.TOKEN, text, do, workspace)
