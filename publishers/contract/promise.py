"""What a check is: a sentence that must hold, the cases it is asked of, and how it says what is broken."""

from __future__ import annotations

import difflib
import pprint
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

from publishers.contract.scene import Subject


class Broken(AssertionError):
    """A promise that an adapter, or its fixture, does not keep; the message says what is and what should be."""


@dataclass(frozen=True, slots=True)
class Check:
    """One promise asked of one case; ``run`` gets a folder (an empty one, where posts are kept in folders)
    and raises Broken if it is not kept.
    """

    promise: str
    case: str
    run: Callable[[Path], None]


Asked = Iterable[tuple[str, tuple[Any, ...]]]
"""The names of the cases a promise is asked of, each with what the check is given."""


@dataclass(frozen=True, slots=True)
class _Promise:
    check: Callable[..., None]
    asked: Callable[[Subject], Asked]


Promised = Callable[[Callable[..., None]], _Promise]
"""What makes a function a promise."""


def asked_of(asked: Callable[[Subject], Asked]) -> Promised:
    """Make a function a promise: its name is the sentence, ``asked`` says of which cases; its last argument is the
    folder.
    """
    return lambda check: _Promise(check, asked)


def once(subject: Subject) -> Asked:
    """A promise that is asked once, of the adapter and its fixture as a whole."""
    return [("", (subject,))]


def checks_of(module: ModuleType, subject: Subject) -> Iterator[Check]:
    """The promises of a module, in its order, for one adapter."""
    for promise in vars(module).values():
        if isinstance(promise, _Promise):
            words = promise.check.__name__.replace("_", " ")
            for name, given in promise.asked(subject):
                yield Check(words, name, _awake(promise.check, given))


def _awake(check: Callable[..., None], given: tuple[Any, ...]) -> Callable[[Path], None]:
    """The check, with nobody asleep: an adapter never waits by itself."""

    def refuse(seconds: float) -> None:
        raise Broken(f"it slept for {seconds} seconds; adapters never wait")

    def run(folder: Path) -> None:
        with mock.patch.object(time, "sleep", refuse):
            check(*given, folder)

    return run


def must(holds: object, what: str) -> None:
    """Raise Broken, saying ``what``, unless it holds."""
    if not holds:
        raise Broken(what)


def same(found: object, told: object, what: str) -> None:
    """Raise Broken, with both sides line by line, unless what was found is what the fixture tells."""
    if found == told:
        return
    lines = difflib.ndiff(_lines(told), _lines(found))
    raise Broken("\n".join([f"{what}: - is what the fixture tells, + what was found", *lines]))


def _lines(value: object) -> list[str]:
    return pprint.pformat(value, width=110).splitlines()
