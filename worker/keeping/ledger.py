"""What of a ledger is too old for Redis: whole segments in files of the data folder, which go on the same chain."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from worker.errors import HandbillError
from worker.model import from_json, to_json
from worker.receipts import Entry, broken
from worker.runtime import Runtime
from worker.store.ageing import Ageing

FOLDER = "receipts"
SEGMENT = 1000
"""Entries of one file; as many more than the days say may be in Redis."""


def folder(data_dir: Path, workspace: str) -> Path:
    """Where the segments of a workspace lie, named by the numbers of their first and last entry."""
    return data_dir / FOLDER / workspace


def seal(parts: Runtime, workspace: str, age: timedelta) -> int:
    """Put the oldest segment into a file, if all of it is that old; how many entries that were.

    They leave Redis only after the file was read back from the disk. Broken off anywhere, it is done again: the same
    entries make the same file. The first that stays holds the hash of the last that went, so that the rest verifies.
    Raises HandbillError if the ledger does not hold together, and then nothing goes.
    """
    ageing = Ageing(parts.store)
    entries = ageing.ledger(workspace, age, most=SEGMENT)
    if not entries:
        return 0
    if why := broken(entries):
        raise HandbillError(f"The ledger of {workspace} does not hold together", why=why, do="It stays as it is")
    path = folder(parts.settings.data_dir, workspace) / f"{entries[0].number:010d}-{entries[-1].number:010d}.jsonl.gz"
    _write(path, entries)
    if list(_read(path)) != entries:
        raise HandbillError(f"{path} does not hold what was written to it", do="Look at that disk")
    return len(entries) if ageing.cut(workspace, entries) else 0


def whole(parts: Runtime, workspace: str) -> Iterator[Entry]:
    """Every entry there is, the oldest first: those of the files, then those in Redis."""
    last = 0
    for _ in range(2):  # what was put into a file while we read is read from there
        for entry in _sealed(parts.settings.data_dir, workspace, last):
            last = entry.number
            yield entry
        oldest = parts.aftercare.oldest_entry(workspace)
        if oldest is None or oldest.number <= last + 1:
            break
    for entry in parts.aftercare.every_entry(workspace):
        if entry.number > last:
            yield entry


def _sealed(data_dir: Path, workspace: str, after: int) -> Iterator[Entry]:
    for path in sorted(folder(data_dir, workspace).glob("*-*.jsonl.gz")):
        if int(path.name.partition(".")[0].partition("-")[2]) > after:
            yield from (entry for entry in _read(path) if entry.number > after)


def _read(path: Path) -> Iterator[Entry]:
    try:
        with gzip.open(path, "rb") as file:
            yield from (from_json(Entry, line) for line in file)
    except (OSError, EOFError, ValueError) as error:
        why = str(error).partition("\n")[0]
        raise HandbillError(f"{path} cannot be read", why=why, do="Put it back from a backup") from None


def _write(path: Path, entries: list[Entry]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f"{path.name}.part")
    lines = b"".join(to_json(entry).encode() + b"\n" for entry in entries)
    with part.open("wb") as file:
        file.write(gzip.compress(lines, mtime=0))
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    place = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)
