"""What an approval covers: the seal of everything a reader will meet and when, so that any change voids it (pure)."""

from __future__ import annotations

import dataclasses

from worker.model import Account, Delivery, digest


def seal(delivery: Delivery) -> str:
    """The hash of a delivery's texts, pictures with their alt texts, links, target and time.

    What a worker adds on the way (uploads, receipts, keys) is not part of it.
    """
    said = []
    for step in delivery.steps:
        post = dataclasses.asdict(step.post)
        pictures = [(m["sha256"], m["alt"]) for m in post.pop("media")]
        said.append((str(step.kind), sorted(post.items(), key=lambda pair: pair[0]), pictures))
    return digest("seal", delivery.account, delivery.due.isoformat(), delivery.zone, said, length=40)


def covered(delivery: Delivery) -> bool:
    """Whether somebody has approved exactly what would be sent, at exactly this time."""
    return delivery.approval == seal(delivery)


def wanted(account: Account, *, workspace: bool) -> bool:
    """Whether an account's posts wait for approval; ``workspace`` is what holds where the account says nothing."""
    return workspace if account.approval is None else account.approval
