"""How a person's word that a message is there is taken: it is read once more before anything is hung on it."""

from __future__ import annotations

from publishers.core.errors import PublishError, Rejected, Unsupported
from publishers.core.post import Post, Receipt
from publishers.core.publisher import Publisher
from worker import decisions
from worker.errors import HandbillError, Refused
from worker.model import Delivery, StepKind
from worker.pipeline.accounts import Accounts

PATIENCE = 10.0
"""Seconds that a platform may take, for a person waits."""


def witness(accounts: Accounts) -> decisions.Witness:
    """One that asks the platform what is at the address, so that a thread can go on below it."""

    def seen(delivery: Delivery, there: str) -> tuple[Receipt, str]:
        given, _ = decisions.taken_as_given(delivery, there)
        follows = delivery.step + 1 < len(delivery.steps)
        try:
            _, publisher = accounts.open(delivery.account)
        except HandbillError as error:
            return given, str(error)
        publisher.http.expire(PATIENCE)
        with publisher.http:
            try:
                receipt = _answering(publisher, delivery, publisher.locate(there))
                return receipt, _doubt(publisher, receipt, delivery.current.post) if follows else ""
            except PublishError as error:
                if not follows or isinstance(error, Unsupported):
                    return _answering(publisher, delivery, given), str(error)
                raise _refusal(publisher.label, there, error) from None

    return seen


def _answering(publisher: Publisher, delivery: Delivery, receipt: Receipt) -> Receipt:
    """A receipt with what its message answers, where it is a reply or a comment."""
    before = [m for m in delivery.messages if m.step < delivery.step]
    below = delivery.current.kind in {StepKind.REPLY, StepKind.COMMENT}
    return publisher.answering(receipt, before[-1].receipt) if below and before else receipt


def _doubt(publisher: Publisher, receipt: Receipt, post: Post) -> str:
    """Why nothing may answer what is there; "" if it says what was sent, or the platform lets nobody read it."""
    if not publisher.can("read_back"):
        return ""
    read = publisher.read_back(receipt, post)
    if read is None:
        raise Rejected("nothing is there")
    return "" if read.same else "what is there says something else"


def _refusal(label: str, there: str, error: PublishError) -> Refused:
    if isinstance(error, Rejected):
        do = "Give the address of the message itself, or its id"
        return Refused(f"{there} is no message of this account on {label}", why=str(error), do=do)
    return Refused(f"{label} cannot be asked what is there", why=str(error), do="Try again in a while")
