"""What a person decides about deliveries: retry, cancel, approve, resolve, posted by hand, stop and go on."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping
from datetime import datetime

from publishers.core.post import Receipt
from worker import approval, lifecycle
from worker.errors import HandbillError, Refused
from worker.model import Delivery, Status, Step
from worker.store.deliveries import Deliveries

LOOK_EVERY = 0.05

ORIGINS: Mapping[str, tuple[Status, ...]] = {
    "retry": (Status.FAILED, Status.HELD),
    "cancel": (
        Status.DRAFT,
        Status.AWAITING_APPROVAL,
        Status.SCHEDULED,
        Status.HELD,
        Status.FAILED,
        Status.AWAITING_PERSON,
    ),
    "approve": (Status.AWAITING_APPROVAL,),
    "resolve": (Status.PARKED,),
    "done": (Status.AWAITING_PERSON,),
}
"""What each decision may be made about."""

DONE: Mapping[str, str] = {
    "retry": "sent again",
    "cancel": "cancelled",
    "approve": "approved",
    "resolve": "settled",
    "done": "posted by hand",
}
"""How the audit log calls each decision."""


def retry(deliveries: Deliveries, delivery: str, *, by: str = "", approves: bool = False, waits: str = "") -> None:
    """A failed or held post is due now, or held because of what it ``waits`` for; raises Refused if it is anything
    else.

    That is another time than the one that was approved, so where approval is asked for, or was, it waits for it, unless
    who decides ``approves`` it by that.
    """
    found = deliveries.get(delivery)
    # What was uploaded may be gone by now, and the attempt is a new one at a new time.
    steps = _with(found, dataclasses.replace(found.current, prepared=None, at=None))
    now = deliveries.now()
    fields: dict[str, object] = {"attempts": 0, "reason": ""}
    note = f"sent again by {by or 'hand'}"
    if waits:
        to, note, more = Status.HELD, f"{note}; {waits}", _held(found, waits)
    else:
        to = Status.AWAITING_APPROVAL if found.asked and not approves else Status.SCHEDULED
        more = _approved(found, steps, now, by) if approves else {}
    deliveries.change(
        delivery,
        to,
        origins=ORIGINS["retry"],
        note=note,
        due=now,
        steps=steps,
        seen=found.fence,
        fields=fields | more,
    )


def cancel(deliveries: Deliveries, delivery: str, *, by: str = "") -> None:
    """It is never sent, and its place in the calendar is free; raises Refused once an attempt has begun.

    Of what is public already, only what was still to follow is not sent.
    """
    found = deliveries.get(delivery)
    if found.messages and found.status is Status.SCHEDULED:
        left = len(found.steps) - found.step
        note = f"cancelled by {by or 'hand'}: what is public stays, and {left} more not sent"
        deliveries.change(
            delivery,
            lifecycle.standing(found),
            origins=[found.status],
            note=note,
            steps=found.steps[: found.step],
            seen=found.fence,
            fields={"attempts": 0, "reason": note},
        )
        return
    deliveries.change(delivery, Status.CANCELLED, origins=ORIGINS["cancel"], note=f"cancelled by {by or 'hand'}")
    deliveries.release(found.account, delivery)


def approve(deliveries: Deliveries, delivery: str, *, seal: str = "", by: str = "") -> None:
    """It goes out at its time, exactly as it is; raises Refused unless it awaits approval.

    ``seal`` is that of what ``by`` saw: refused if it is no longer the one it has.
    """
    found = deliveries.get(delivery)
    if seal and seal != approval.seal(found):
        raise Refused(f"{delivery} has changed since you looked", do="Look at it again, then approve it")
    deliveries.change(
        delivery,
        Status.SCHEDULED,
        origins=ORIGINS["approve"],
        note=f"approved by {by}" if by else "approved",
        due=found.due,
        seen=found.fence,
        fields={"reason": "", **_approved(found, found.steps, found.due, by)},
    )


Witness = Callable[[Delivery, str], tuple[Receipt, str]]
"""From a delivery and where a person saw what it sent (an address or id) to the receipt of that, and why nothing can
answer it ("" if something can). Raises Refused where there is nothing."""


def taken_as_given(_: Delivery, there: str) -> tuple[Receipt, str]:
    """The witness that asks nobody."""
    return Receipt(id=there, url=there if there.startswith("http") else None), "nobody looked what is there"


def resolve(
    deliveries: Deliveries,
    delivery: str,
    *,
    there: str,
    seen: int | None = None,
    by: str = "",
    approves: bool = False,
    witness: Witness = taken_as_given,
    waits: str = "",
) -> None:
    """A person looked: it is public as ``there`` (an address or id), or, if that is empty, it is not: send again, or
    hold it because of what it ``waits`` for.

    Replies and a first comment that had still to follow what is there go on, if the ``witness`` knows what they answer;
    otherwise they are not sent, and the delivery says why.

    ``seen`` is the fence of the attempt they looked for: what is said of one attempt is not taken for another, which
    may be there. What a person had sent again already is sent again only if they say so.
    """
    found = deliveries.get(delivery)
    who = by or "a person"
    if seen not in (None, found.fence) or (seen is None and not there and found.resent):
        raise Refused(
            f"{delivery} was tried again since you looked, and that may be there",
            do=f"Look once more, then: handbill delivery resolve {delivery} --send-again --attempt {found.fence}",
        )
    if found.status not in ORIGINS["resolve"]:
        why, do = f"it is {found.status}", lifecycle.remedy(found.status, delivery)
        if found.status is Status.UNCONFIRMED:
            why = "Handbill still looks by itself whether it is there"
            do = f"Wait: it is asked about once nobody else can tell; see: handbill delivery show {delivery}"
        raise Refused(f"{delivery} does not wait for an answer", why=why, do=do)
    settled: dict[str, object] = {"uncertain": 0, "looks": 0, "attempts": 0, "reason": ""}
    if not there:
        steps = _with(found, dataclasses.replace(found.current, prepared=None, at=None))
        now = deliveries.now()
        settled["resent"] = found.resent + 1
        if waits:
            settled |= _held(found, waits)
        elif approves:
            settled |= _approved(found, steps, now, by)
        deliveries.change(
            delivery,
            Status.HELD if waits else Status.SCHEDULED,
            origins=ORIGINS["resolve"],
            note=f"{who} looked and it is not there: {waits or 'sent again'}",
            due=now,
            steps=steps,
            seen=found.fence,
            fields=settled,
        )
        return
    receipt, why = witness(found, there)
    steps = _with(found, dataclasses.replace(found.current, receipt=receipt))
    left = len(steps) - found.step - 1
    note = f"{who} looked and it is there: {there}"
    settled["step"] = found.step + 1
    if left and not why:
        deliveries.change(
            delivery,
            Status.SCHEDULED,
            origins=ORIGINS["resolve"],
            note=f"{note}; what comes after it follows",
            steps=steps,
            seen=found.fence,
            fields=settled | {"due": round(found.due.timestamp() * 1000)},
        )
        return
    unsent = f"what comes after it was not sent ({left} more): {why}" if left else ""
    deliveries.change(
        delivery,
        lifecycle.DONE[found.current.kind],
        origins=ORIGINS["resolve"],
        note=f"{note}; {unsent}" if left else note,
        steps=steps,
        seen=found.fence,
        fields=settled | {"reason": unsent},
    )


def done(deliveries: Deliveries, delivery: str, *, link: str = "", by: str = "") -> Receipt:
    """Somebody has posted it by hand, at ``link`` if they say so; raises Refused unless it waits for that."""
    if link and not link.startswith(("https://", "http://")):
        raise HandbillError(f"{link} is no web address", do="Paste the address of the post, or leave it empty")
    found, who = deliveries.get(delivery), by or "somebody"
    extra = {"by": who, "at": deliveries.now().isoformat()}
    receipt = Receipt(id=link or f"posted by {who}", url=link or None, extra=extra)
    deliveries.change(
        delivery,
        Status.PUBLISHED,
        origins=ORIGINS["done"],
        note=f"{who} has posted it" + (f": {link}" if link else ""),
        steps=_with(found, dataclasses.replace(found.current, receipt=receipt, at=deliveries.now())),
        seen=found.fence,
        fields={"uncertain": 0, "looks": 0, "attempts": 0, "reason": "", "step": found.step + 1},
    )
    return receipt


def stop(deliveries: Deliveries, scope: str, *, by: str = "", sleep: Callable[[float], None] = time.sleep) -> int:
    """Let nothing of ``scope`` begin to be sent; returns when whatever had begun before has ended, and how many.

    A commit that passed its last check just before the stop is waited for, so after this none begins.
    """
    deliveries.pause(scope, until=None, why=f"stopped by {by or 'hand'}")
    begun = {d.id: d.fence for d in _sending(deliveries, scope)}
    while any(d.fence == begun.get(d.id) for d in _sending(deliveries, scope)):
        sleep(LOOK_EVERY)
    return len(begun)


def go_on(deliveries: Deliveries, scope: str) -> int:
    """Let ``scope`` send again; what became due during the stop is held for review first. Returns how many."""
    if scope not in deliveries.paused():
        raise Refused(f"{scope} is not paused")
    now = deliveries.now()
    held = 0
    for found in deliveries.several(deliveries.ids([Status.SCHEDULED], most=1_000_000)):
        if _covers(scope, found) and found.due < now and found.step == 0:
            with contextlib.suppress(Refused):  # somebody else decided about it meanwhile
                deliveries.change(
                    found.id, Status.HELD, origins=(Status.SCHEDULED,), note="became late while everything was stopped"
                )
                held += 1
    deliveries.resume(scope)
    return held


def _sending(deliveries: Deliveries, scope: str) -> list[Delivery]:
    statuses = [Status.PREPARING, Status.PUBLISHING, Status.UNCONFIRMED]
    found = deliveries.several(deliveries.ids(statuses, most=100_000))
    return [d for d in found if _covers(scope, d) and deliveries.leased(d.id)]


def _covers(scope: str, delivery: Delivery) -> bool:
    return scope in {"all", f"workspace:{delivery.workspace}", f"account:{delivery.account}"}


def _approved(delivery: Delivery, steps: tuple[Step, ...], due: datetime, by: str) -> dict[str, object]:
    """What is stored of an approval of these steps at this time."""
    return {"approval": approval.seal(dataclasses.replace(delivery, steps=steps, due=due)), "approver": by}


def _held(delivery: Delivery, waits: str) -> dict[str, object]:
    """What is stored of why a post is held, and whether it goes out with an approval only."""
    return {"reason": waits, "waits": waits, "asked": "1" if delivery.asked or delivery.approval else ""}


def _with(delivery: Delivery, step: Step) -> tuple[Step, ...]:
    return (*delivery.steps[: delivery.step], step, *delivery.steps[delivery.step + 1 :])
