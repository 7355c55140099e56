"""What every adapter must keep, asked of it with nothing but its fixture: ours in the tests, others' by a command."""

from __future__ import annotations

from collections.abc import Iterator

from publishers.contract import consent, wired
from publishers.contract.promise import Broken, Check, checks_of
from publishers.contract.scene import Subject

__all__ = ("Broken", "Check", "Subject", "checks")


def checks(subject: Subject) -> Iterator[Check]:
    """Every check that one adapter must pass, in the order in which they are best read."""
    for module in (wired, consent):
        yield from checks_of(module, subject)
