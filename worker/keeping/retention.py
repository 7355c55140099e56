"""How long what is kept is kept, and the sweep that lets go of the rest in small steps while posts go out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from worker.keeping import ledger
from worker.kept import ANSWERS
from worker.runtime import Runtime
from worker.settings import Settings
from worker.store import upgrade
from worker.store.ageing import ORPHANS, Ageing

log = structlog.get_logger()

EVERY_SECONDS = 3600.0
LONGEST_SECONDS = 600.0
"""What is not done by then is done in the next hour; another worker may take over from there."""

STEP = 200
PAUSE = 0.02
"""Seconds between two steps, in which others come first."""

PICTURES = ("media", "brand")


def tidy(
    parts: Runtime,
    *,
    orphans: bool = True,
    seconds: float = LONGEST_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Counter[str]:
    """Let go of what the settings say is too old; returns how much of what went. Broken off, it goes on next time.

    ``orphans`` looks through all that is kept after publication, which a worker does once a day.
    """
    gone: Counter[str] = Counter()
    ends = clock() + seconds
    for what, number in _steps(parts, orphans=orphans):
        gone[what] += number
        if clock() > ends:
            break
        sleep(PAUSE)
    return Counter({what: n for what, n in gone.items() if n})


def tidy_once_an_hour(parts: Runtime) -> None:
    """Tidy, if no worker did within the hour."""
    with parts.records.lock(parts.settings.workspace, "tidying", seconds=LONGEST_SECONDS + 60) as mine:
        if mine and parts.records.due_again("tidied", seconds=EVERY_SECONDS):
            gone = tidy(parts, orphans=parts.records.due_again("orphans", seconds=24 * EVERY_SECONDS))
            upgrade.catch_up(parts.store)
            _hide(parts)
            if gone:
                log.info("tidied", **{what.replace(" ", "_"): n for what, n in gone.items()})


def _hide(parts: Runtime) -> None:
    """Put secret addresses of a version before out of sight, once none of its workers does what it did with them."""
    if parts.records.older():
        return
    for workspace in parts.records.workspaces():
        parts.sources.seal(workspace)
        parts.listeners.seal(workspace)
        parts.push.withdraw(workspace)
        parts.audit.mask(workspace, [source for source in parts.sources.all(workspace) if source.is_private])


def _steps(parts: Runtime, *, orphans: bool) -> Iterator[tuple[str, int]]:
    ageing = Ageing(parts.store)
    for workspace in ageing.workspaces():
        yield from _posts(parts.settings, ageing, workspace)
        yield from _items(parts.settings, ageing, workspace)
        if entered := _days(parts.settings.keep_receipts_days):
            while went := ledger.seal(parts, workspace, entered):
                yield "entries put into files", went
        if orphans:
            yield from _orphans(ageing, workspace)
        if audited := _days(parts.settings.keep_audit_days):
            yield "audit entries", ageing.audit(workspace, audited)
    if orphans and (unused := _days(parts.settings.keep_links_days)):
        yield from _links(parts, unused)
    yield "pictures", _pictures(parts, ageing, parts.settings)
    if (answered := _days(parts.settings.keep_posts_days)) and orphans:
        yield "answers of services", _answers(parts.settings, answered)


def _posts(config: Settings, ageing: Ageing, workspace: str) -> Iterator[tuple[str, int]]:
    age = _days(config.keep_posts_days)
    if age is None:
        return
    while went := ageing.deliveries(workspace, age, most=STEP):
        yield "posts", went
    before: tuple[int, int] | None = None
    at = (0, 0)
    while at != before:
        before, at = at, ageing.articles(workspace, age, most=STEP, after=at)
        yield "articles", at[1] - before[1]


def _orphans(ageing: Ageing, workspace: str) -> Iterator[tuple[str, int]]:
    for what in ORPHANS:
        cursor, went = ageing.orphans(workspace, what, 0, most=STEP)
        yield "notes on posts", went
        while cursor:
            cursor, went = ageing.orphans(workspace, what, cursor, most=STEP)
            yield "notes on posts", went


def _links(parts: Runtime, age: timedelta) -> Iterator[tuple[str, int]]:
    cursor = parts.links.unneeded(0, most=STEP)
    while cursor:
        yield "short links", 0
        cursor = parts.links.unneeded(cursor, most=STEP)
    while went := parts.links.forget_unneeded(age, most=STEP):
        yield "short links", went


def _items(config: Settings, ageing: Ageing, workspace: str) -> Iterator[tuple[str, int]]:
    if listed := _days(config.keep_items_days):
        while went := ageing.items(workspace, listed, most=STEP):
            yield "items", went
    if known := _days(config.keep_identity_days):
        while went := ageing.past(workspace, known, most=STEP):
            yield "past items", went
        cursor, went = ageing.identity(workspace, 0, most=STEP)
        yield "identity keys", went
        while cursor:
            cursor, went = ageing.identity(workspace, cursor, most=STEP)
            yield "identity keys", went


def _pictures(parts: Runtime, ageing: Ageing, config: Settings) -> int:
    """Remove pictures that no post which is not over, or moved lately, still needs; returns how many."""
    age = _days(config.keep_pictures_days)
    folders = [config.data_dir / name for name in PICTURES if (config.data_dir / name).is_dir()]
    if not age or not folders:
        return 0
    oldest = datetime.now(UTC) - age
    old = [p for folder in folders for p in folder.rglob("*") if _older(p, oldest)]
    if not old:
        return 0
    needed: set[str] = set()
    for workspace in ageing.workspaces():
        for brand in parts.records.brands(workspace):
            needed.update(brand.files)
        for delivery in parts.deliveries.several(ageing.recent(workspace, age)):
            needed.update(Path(media.path).name for step in delivery.steps for media in step.post.media)
    gone = [path for path in old if path.name not in needed]
    for path in gone:
        path.unlink(missing_ok=True)
    return len(gone)


def _answers(config: Settings, age: timedelta) -> int:
    """Forget what a language model or a shortener of links has answered that long ago; asked again, it says it anew."""
    oldest = datetime.now(UTC) - age
    gone = [p for p in (config.data_dir / ANSWERS).rglob("*") if _older(p, oldest)]
    for path in gone:
        path.unlink(missing_ok=True)
    return len(gone)


def _older(path: Path, moment: datetime) -> bool:
    try:
        return path.is_file() and datetime.fromtimestamp(path.stat().st_mtime, UTC) < moment
    except OSError:  # somebody else removed it
        return False


def _days(number: float) -> timedelta | None:
    return timedelta(days=number) if number else None
