"""Which moves a delivery may make, and what each kind of error means for it: tables, checked when loaded."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from publishers.core.errors import (
    PublishError,
    RateLimited,
    Unauthorized,
    Unavailable,
    Unconfirmed,
)
from worker.model import Delivery, Status, StepKind

S = Status

TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    S.DRAFT: frozenset({S.AWAITING_APPROVAL, S.SCHEDULED, S.HELD, S.CANCELLED, S.SKIPPED}),
    S.AWAITING_APPROVAL: frozenset({S.DRAFT, S.SCHEDULED, S.HELD, S.CANCELLED}),
    S.SCHEDULED: frozenset({S.PREPARING, S.HELD, S.CANCELLED, S.AWAITING_APPROVAL, S.SKIPPED, S.PUBLISHED, S.EDITED}),
    S.AWAITING_PERSON: frozenset({S.PREPARING, S.PUBLISHED, S.CANCELLED}),
    S.HELD: frozenset({S.AWAITING_APPROVAL, S.SCHEDULED, S.CANCELLED}),
    S.PREPARING: frozenset(
        {S.PUBLISHING, S.SCHEDULED, S.AWAITING_APPROVAL, S.AWAITING_PERSON, S.FAILED, S.PUBLISHED, S.EDITED}
    ),
    S.PUBLISHING: frozenset(
        {S.PUBLISHED, S.EDITED, S.DELETED, S.AWAITING_PERSON, S.UNCONFIRMED, S.SCHEDULED, S.FAILED}
    ),
    S.UNCONFIRMED: frozenset(
        {S.PUBLISHED, S.EDITED, S.DELETED, S.AWAITING_PERSON, S.UNCONFIRMED, S.SCHEDULED, S.PARKED}
    ),
    S.PARKED: frozenset({S.PUBLISHED, S.EDITED, S.DELETED, S.SCHEDULED, S.HELD, S.CANCELLED}),
    S.FAILED: frozenset({S.AWAITING_APPROVAL, S.SCHEDULED, S.HELD, S.CANCELLED}),
    S.PUBLISHED: frozenset({S.SCHEDULED}),
    S.EDITED: frozenset({S.SCHEDULED}),
    S.DELETED: frozenset(),
    S.CANCELLED: frozenset(),
    S.SKIPPED: frozenset(),
}
"""From each status to those that may follow. ``published`` → ``scheduled``: a later step (edit, delete) was added.

``scheduled`` and ``preparing`` → ``published`` or ``edited``: that later step was cancelled or given up, and what is
public stays so; ``store/lua`` allows it only where a step is done.
"""

WAITING = frozenset({S.SCHEDULED, S.UNCONFIRMED})
"""Statuses that a worker takes up by itself when their time has come."""

LEASED = frozenset({S.PREPARING, S.PUBLISHING})
"""Statuses that only a worker holding the lease may leave."""

FINAL = frozenset({S.PUBLISHED, S.EDITED, S.DELETED, S.CANCELLED, S.SKIPPED, S.FAILED, S.PARKED, S.HELD})
"""Statuses in which nothing more happens unless a person or a new step says so."""

GONE = frozenset({S.CANCELLED, S.SKIPPED, S.DELETED})
"""What no reader sees or will see: it stands in no calendar (``store/lua/common.lua`` names them, too)."""

DONE: Mapping[StepKind, Status] = {
    StepKind.POST: S.PUBLISHED,
    StepKind.REPLY: S.PUBLISHED,
    StepKind.COMMENT: S.PUBLISHED,
    StepKind.EDIT: S.EDITED,
    StepKind.DELETE: S.DELETED,
}
"""What a delivery is once its last step, of such a kind, is done."""

BACKOFF_MOST = 1800.0
REFRESH_PAUSE = 2.0
SETTLE_MOST = 10
"""Times the settle time that an unknown end waits for its next look at most, however often a look has failed: a person
may be waiting for the answer, and the key that makes a repeat safe runs out."""

REPEATS_MORE = 3
"""Tries beyond the usual number that a step with a lost answer gets before a person must decide."""


def standing(delivery: Delivery) -> Status:
    """What a delivery is by what its readers can see now, whatever came of the steps that were to follow."""
    there = {m.step for m in delivery.messages}
    if not there:
        return S.DELETED
    changed = any(s.kind is StepKind.EDIT and s.receipt and s.of in there for s in delivery.steps)
    return S.EDITED if changed else S.PUBLISHED


def remedy(status: Status, delivery: str) -> str:
    """What a person does about a delivery that goes no further by itself, or where they see what it is doing."""
    match status:
        case S.PARKED:
            look = "Look whether it is there, then: handbill delivery resolve"
            return f"{look} {delivery} --there ADDRESS, or --send-again"
        case S.FAILED:
            return f"Mend that, then: handbill delivery retry {delivery}"
        case S.HELD:
            return f"If it may still go out: handbill delivery retry {delivery}"
        case S.PREPARING | S.PUBLISHING | S.UNCONFIRMED:
            return "Wait until the attempt has ended"
        case _:
            return f"See: handbill delivery show {delivery}"


def origins(to: Status) -> frozenset[Status]:
    """Every status from which ``to`` may be reached in one move."""
    return frozenset(s for s, after in TRANSITIONS.items() if to in after)


def check(table: Mapping[Status, frozenset[Status]]) -> None:
    """Raise ValueError unless the table names every status, reaches each from ``draft`` and lets none hang."""
    if missing := set(Status) - set(table):
        raise ValueError(f"no row for {sorted(missing)}")
    reached = {S.DRAFT}
    frontier = [S.DRAFT]
    while frontier:
        for status in table[frontier.pop()] - reached:
            reached.add(status)
            frontier.append(status)
    if lost := set(Status) - reached:
        raise ValueError(f"no way leads to {sorted(lost)}")
    if hanging := [s for s in table if not table[s] and s not in FINAL]:
        raise ValueError(f"no way leads out of {hanging}")


check(TRANSITIONS)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an error does: the next status, seconds until the next look, and what it costs.

    ``pause`` keeps the whole account from sending for that many seconds; ``reconnect`` asks a person to.
    """

    status: Status
    wait: float = 0.0
    costs: bool = False
    pause: float = 0.0
    reconnect: bool = False


def backoff(attempt: int, first: float, rng: random.Random) -> float:
    """Seconds before try ``attempt`` + 1: doubling, capped, with jitter upward only so that nothing is early."""
    seconds = min(first * 2.0 ** min(attempt, 16), BACKOFF_MOST)
    return seconds * (1 + rng.random() / 4)


def after(
    error: PublishError,
    *,
    attempts: int,
    most: int,
    uncertain: bool,
    settle: float,
    first: float,
    rng: random.Random,
) -> Outcome:
    """What happens to a delivery after ``error``; ``attempts`` counts the tries before this one.

    ``settle`` is the wait before a lost answer is looked into and ``first`` the one before a second try, in seconds.

    ``uncertain``: an earlier answer of this step was lost. Then nothing an error says can settle the step, because
    it speaks only of the repeat; the step stays unconfirmed until an answer, a look-up or a person settles it.
    """
    if uncertain or isinstance(error, Unconfirmed):
        return _unsettled(error, attempts=attempts, most=most, uncertain=uncertain, settle=settle, first=first, rng=rng)
    if isinstance(error, RateLimited):
        return Outcome(S.SCHEDULED, wait=error.retry_after, pause=error.retry_after)
    if isinstance(error, Unauthorized):
        return Outcome(S.SCHEDULED, wait=REFRESH_PAUSE, reconnect=True)
    if isinstance(error, Unavailable) and attempts + 1 < most:
        return Outcome(S.SCHEDULED, wait=backoff(attempts, first, rng), costs=True)
    return Outcome(S.FAILED, costs=isinstance(error, Unavailable))


def _unsettled(
    error: PublishError, *, attempts: int, most: int, uncertain: bool, settle: float, first: float, rng: random.Random
) -> Outcome:
    if attempts + 1 >= most + REPEATS_MORE:
        return Outcome(S.PARKED, costs=True)
    limited = error.retry_after if isinstance(error, RateLimited) else 0.0
    again = min(backoff(attempts, first, rng), settle * SETTLE_MOST)
    wait = max(settle, limited, again) if uncertain else settle
    return Outcome(S.UNCONFIRMED, wait=wait, costs=True, pause=limited, reconnect=isinstance(error, Unauthorized))
