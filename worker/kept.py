"""What a service answered once and is not asked again: small texts in the data folder; the first answer stays."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path

from worker.model import digest

ANSWERS = "answers"
"""The folder in the data folder, with one of its own for each workspace."""


class Kept:
    """Texts by what they answer. Any number of processes may share ``folder``; the oldest answer is everybody's.

    What is not there is looked for in the folder above, where a version before has kept it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, *question: object) -> str | None:
        """The answer to ``question``, if there is one."""
        place = self._file(question)
        for one in (place, self._folder.parent / place.name):
            with suppress(FileNotFoundError):
                return one.read_text(encoding="utf-8")
        return None

    def put(self, answer: str, *question: object) -> str:
        """Keep ``answer`` unless there is one already; returns the one that stays."""
        self._folder.mkdir(parents=True, exist_ok=True)
        place = self._file(question)
        part = place.with_name(f"{place.name}.{uuid.uuid4().hex}")
        part.write_text(answer, encoding="utf-8")
        try:
            os.link(part, place)
        except FileExistsError:
            return place.read_text(encoding="utf-8")
        else:
            return answer
        finally:
            part.unlink()

    def _file(self, question: tuple[object, ...]) -> Path:
        return self._folder / digest(*question, length=40)
