"""What a service that counts visits is: its settings, and how it is asked how many came by links with which marks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from publishers.core.http import Http


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One thing to be told: ``secret`` ones are kept encrypted; ``needed`` ones have a ``default`` or must be given."""

    name: str
    label: str
    secret: bool = False
    default: str = ""
    needed: bool = True


@dataclass(frozen=True, slots=True)
class Window:
    """The time in which visits are counted, as instants."""

    begin: datetime
    end: datetime

    @property
    def days(self) -> tuple[str, str]:
        """The first and the last day, as ISO 8601 writes them; one more, for a site may be ahead of UTC."""
        return self.begin.date().isoformat(), (self.end + timedelta(days=1)).date().isoformat()


Asked = Callable[[Http, Mapping[str, str], Sequence[str], Window], dict[str, int]]
"""From a client, the settings, the marks of links and the time to the visits that came by each; a mark without any may
be left out. Raises PublishError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """``parameter`` says which parameter of a link the service tells apart, given its settings; ``site`` names the one
    that says what site it is; ``advice`` is what helps whoever is refused.
    """

    name: str
    label: str
    settings: tuple[Setting, ...]
    parameter: Callable[[Mapping[str, str]], str]
    site: str
    advice: str
    visits: Asked
