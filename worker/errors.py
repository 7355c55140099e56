"""What a person did or has that cannot work, said in one line: what, why, what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self


class HandbillError(Exception):
    """An error for people: printed as one line without a traceback, exit 1 (or HTTP 4xx in the web)."""

    def __init__(self, what: str, *, why: str = "", do: str = "") -> None:
        self.what, self.why, self.do = what, why, do
        line = what if not why else f"{what}: {why}"
        super().__init__(f"{line}. {do}" if do else f"{line}.")

    def told(self, how: Callable[[str], str]) -> Self:
        """The same error in other words."""
        return type(self)(how(self.what), why=how(self.why), do=how(self.do))


class NotFound(HandbillError):
    """There is no such article, account or delivery."""


class Refused(HandbillError):
    """The request is understood and not allowed now."""


class Undecided(Refused):
    """The request is not allowed because of what became of an article: the page Changes shows that."""


class BadSource(HandbillError):
    """The source cannot be read, or is not an article."""


class StoreDown(HandbillError):
    """Redis cannot be reached or is not fit to hold the truth."""
