"""``handbill top``: one look at everything that moves, drawn anew every few seconds."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from worker.model import Status
from worker.runtime import Runtime
from worker.show import COLOURS
from worker.store.vitals import Vitals
from worker.watch.conditions import TITLES, conditions

FRESH = 10.0
"""Seconds; a canary that is older is said in yellow."""

COMING = timedelta(hours=1)
MOST = 8


class Top:
    """Remembers the counters of the frame before, to say what happens in a minute."""

    def __init__(self, parts: Runtime) -> None:
        self._parts = parts
        self._vitals = Vitals(parts.store)
        self._before: tuple[float, Counter[tuple[str, ...]]] | None = None

    def frame(self) -> RenderableType:
        """What is so now."""
        return Group(self._head(), Text(), self._workers(), Text(), self._wrong())

    def _head(self) -> RenderableType:
        parts, counts = self._parts, self._parts.deliveries.count()
        now = parts.now()
        table = Table(box=None, pad_edge=False, show_header=False)
        for _ in range(4):
            table.add_column(min_width=18)
        late, unknown = parts.deliveries.late(60), counts[Status.UNCONFIRMED] + counts[Status.PARKED]
        doubles = len(parts.deliveries.doubles())
        table.add_row(
            Text(f"{now:%H:%M:%S} UTC", style="bold"),
            _light(late, f"{late} late"),
            _light(doubles, f"{doubles} double"),
            _light(unknown, f"{unknown} unknown"),
        )
        ended, rate = self._rates(now.timestamp())
        server = self._vitals.server()
        table.add_row(
            f"{rate} published/min", f"{ended} turns/min", f"{server.memory / 1e6:.0f} MB in Redis",
            Text("on disk", style="green") if server.persists else Text(server.why, style="red"),
        )  # fmt: skip
        statuses = Text()
        for status, number in counts.items():
            if number:
                statuses.append(f"{status} ", style=COLOURS.get(status, ""))
                statuses.append(f"{number}   ", style="bold")
        return Group(table, statuses if statuses.plain else Text("No deliveries"))

    def _rates(self, now: float) -> tuple[str, str]:
        """Turns and posts a minute since the frame before; the first frame cannot tell."""
        counts = Counter({k: n for k, n in self._vitals.counts().items() if k[0] == "attempts"})
        before, self._before = self._before, (now, counts)
        if before is None or now <= before[0]:
            return "–", "–"
        minutes = (now - before[0]) / 60
        ended = {k: n - before[1][k] for k, n in counts.items()}
        published = sum(n for k, n in ended.items() if k[2:] == (str(Status.PUBLISHED),))
        return f"{sum(ended.values()) / minutes:.0f}", f"{published / minutes:.0f}"

    def _workers(self) -> RenderableType:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("worker", "last task", "pool waits"):
            table.add_column(name)
        backlog = self._vitals.backlog()
        canaries = self._vitals.canaries()
        for worker, age in sorted(canaries.items()):
            waits = next((f"{b.due}" for pool, b in backlog.items() if worker.startswith(pool)), "")
            table.add_row(worker, Text(f"{age:.0f} s ago", style="green" if age < FRESH else "yellow"), waits)
        if not canaries:
            return Text("No worker consumes. Start them with: handbill up", style="red")
        return table

    def _wrong(self) -> RenderableType:
        found = conditions(self._parts)
        if not found:
            return Text("Nothing is wrong.", style="green")
        lines = [Text(f"{TITLES[c.kind]}: {c.text}  → {c.do}", style="yellow") for c in found[:MOST]]
        if len(found) > MOST:
            lines.append(Text(f"and {len(found) - MOST} more: handbill alerts list"))
        return Group(*lines)


def _light(number: int, words: str) -> Text:
    return Text(words, style="red" if number else "green")
