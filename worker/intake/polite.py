"""Asking as a guest should: it says who asks and where to complain, and reads nothing that robots.txt forbids us."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from publishers.core.guard import Deadline
from worker.errors import BadSource
from worker.intake.client import REDIRECTS, Answer, Client, agent, checked
from worker.intake.robots import MOST_BYTES, Robots
from worker.settings import Settings

KEPT = 86_400.0
KEPT_WITHOUT_ANSWER = 600.0
HOSTS_MOST = 10_000
SECONDS = 10.0


class Forbidden(BadSource):
    """The site's robots.txt does not let us read this."""


class Guest:
    """A client that reads robots.txt first, once a day for each host; any number of threads may share one."""

    def __init__(self, config: Settings, *, keep: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = Client(agent=agent(config.contact), allow=config.allowed, keep=keep)
        self._obeys = config.robots
        self._clock = clock
        self._known: dict[str, tuple[float, Robots]] = {}
        self._lock = threading.Lock()

    def get(
        self,
        url: str,
        *,
        deadline: Deadline,
        accept: str = "*/*",
        headers: Mapping[str, str] | None = None,
        max_bytes: int = 10_000_000,
        redirects: int = REDIRECTS,
    ) -> Answer:
        """As ``Client.get``; raises Forbidden where robots.txt says no."""
        if self._obeys and not self.robots(url).allows(checked(url)):
            host = urlsplit(url).netloc
            do = "Allow Handbill there, or set HANDBILL_ROBOTS=0 for sites of your own"
            raise Forbidden(f"robots.txt of {host} does not let Handbill read this", do=do)
        return self._client.get(
            url, deadline=deadline, accept=accept, headers=headers, max_bytes=max_bytes, redirects=redirects
        )

    def delay(self, url: str) -> float:
        """The seconds that the site wants between two requests, if its robots.txt was read and says so; else 0."""
        known = self._known.get(_origin(url))
        return known[1].delay if known else 0.0

    def robots(self, url: str) -> Robots:
        """What the site of ``url`` allows."""
        origin = _origin(checked(url))
        known = self._known.get(origin)
        if known is not None and known[0] > self._clock():
            return known[1]
        found, kept = self._read(f"{origin}/robots.txt")
        with self._lock:
            if len(self._known) >= HOSTS_MOST:
                self._known.clear()
            self._known[origin] = (self._clock() + kept, found)
        return found

    def close(self) -> None:
        """Close every connection that is kept."""
        self._client.close()

    def _read(self, url: str) -> tuple[Robots, float]:
        # https://www.rfc-editor.org/rfc/rfc9309#section-2.3.1: none there allows everything, an error of the server
        # nothing; a server that cannot be reached at all will say so when the page itself is asked for.
        try:
            answer = self._client.get(
                url, deadline=Deadline(SECONDS), accept="text/plain,*/*;q=0.1", max_bytes=MOST_BYTES
            )
        except BadSource:
            return Robots(), KEPT_WITHOUT_ANSWER
        if answer.status == 200:
            return Robots(answer.body.decode("utf-8", "replace")), KEPT
        if answer.status >= 500 or answer.status == 429:
            return Robots(closed=True), KEPT_WITHOUT_ANSWER
        return Robots(), KEPT


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
