"""The intake worker: polls sources, asks hubs to call, and wakes content workers for the articles that came in."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable
from datetime import datetime

import structlog

from worker.pipeline.polling import Poller
from worker.runtime import Runtime
from worker.watch.alerts import EVERY_SECONDS as ALERTS_EVERY
from worker.watch.alerts import Alerts

log = structlog.get_logger()

EVERY = 1.0
HUBS_EVERY = 5.0
WAKE_AFTER = 60.0
"""Seconds until an article whose wake-up nobody took up is given out again."""

TEND_EVERY = 60.0
LISTEN_EVERY = 2.0
CARE_EVERY = 5.0
ALIVE_SECONDS = 30.0


class Gatherer:
    """Loops that say "look at this"; any number may run, and all that one that is lost knew is in Redis.

    ``wake`` sends an item's id to the content workers, ``tend`` a workspace whose older articles are to be looked at.
    """

    def __init__(
        self,
        parts: Runtime,
        *,
        wake: Callable[[str], None],
        tend: Callable[[str], None] = lambda _: None,
        poller: Poller | None = None,
    ) -> None:
        self._parts = parts
        self._wake = wake
        self._tend = tend
        self._poller = poller or Poller(parts.sources, parts.intake, parts.settings, seen=parts.push.seen)
        self._alerts = Alerts(parts, alone=True)
        self._heard: dict[str, datetime] = {}
        self.stopping = threading.Event()

    def run(self, name: str) -> None:
        """Go on until ``stopping`` is set; ``name`` is how signs of life are signed."""
        loops = [
            (self.polled, "poll"),
            (self.asked, "hubs"),
            (self.woken, "wake"),
            (self.tended, "tend"),
            (self.listened, "listen"),
            (self.cared, "receipts"),
            (lambda: self._alive(name), "alive"),
            (self.alerted, "alerts"),
        ]
        threads = [threading.Thread(target=self._forever, args=loop, name=loop[1], daemon=True) for loop in loops]
        for thread in threads:
            thread.start()
        while not self.stopping.wait(EVERY):
            pass
        for thread in threads:
            thread.join(5)
        self._poller.close()
        self._alerts.close()

    def polled(self) -> float:
        """Poll what is due; the seconds until it is worth while again."""
        return min(self._poller.round(self.stopping), EVERY)

    def asked(self) -> float:
        """Ask the hubs whose time has come."""
        self._parts.push.tick()
        return HUBS_EVERY

    def woken(self) -> float:
        """Wake content workers for what came in."""
        ids, following = self._parts.sources.take_items(wake=WAKE_AFTER)
        for item in ids:
            self._wake(item)
        return min(following, EVERY)

    def cared(self) -> float:
        """Enter what became public, read it back, and ask what readers did."""
        for workspace in self._parts.records.workspaces():
            self._parts.receipts.round(workspace)
            self._parts.numbers.round(workspace)
        return CARE_EVERY

    def tended(self) -> float:
        """Wake content workers for digests, older articles, and pages that are looked at again."""
        for workspace in self._parts.records.workspaces():
            care, now = self._parts.aftercare, self._parts.now()
            heard = self._parts.hooks.heard(workspace, most=1)
            digests = any(a.digest for a in self._parts.records.accounts(workspace))
            mail = digests or care.reporting(workspace)
            if heard or mail or care.rules(workspace) or care.to_recheck(workspace, now, most=1):
                self._tend(workspace)
        return TEND_EVERY

    def listened(self) -> float:
        """Wake a content worker for what a source's system said of an article; once for what was said last."""
        for workspace in self._parts.records.workspaces():
            last = self._parts.hooks.last_heard(workspace)
            if last and last != self._heard.get(workspace):
                until = self._parts.aftercare.events_until(workspace)
                if until is None or last > until:
                    self._tend(workspace)
                self._heard[workspace] = last
        return LISTEN_EVERY

    def alerted(self) -> float:
        """Tell people what is wrong: also that no publishing worker does."""
        self._alerts.round()
        return ALERTS_EVERY

    def _alive(self, name: str) -> float:
        self._parts.records.seen_alive(name, seconds=ALIVE_SECONDS)
        return ALIVE_SECONDS / 6

    def _forever(self, once: Callable[[], float], what: str) -> None:
        wait = 0.0
        while not self.stopping.wait(wait):
            try:
                wait = max(once(), 0.02)
            except Exception as error:  # noqa: BLE001 - Redis or the broker is away; the next turn tries again
                log.warning("intake", loop=what, error=type(error).__name__, reason=str(error)[:200])
                wait = 1.0


def run(parts: Runtime, *, wake: Callable[[str], None], tend: Callable[[str], None], name: str) -> int:
    """Gather until this process is told to stop; returns its exit code."""
    gatherer = Gatherer(parts, wake=wake, tend=tend)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: gatherer.stopping.set())
    log.info("worker ready", queues=["intake"])
    gatherer.run(f"{name}@{socket.gethostname()}")
    return 0
