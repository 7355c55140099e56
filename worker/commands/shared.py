"""What every command uses: the wired parts, where output goes, and the options that all of them know."""

from __future__ import annotations

import contextlib
import getpass
import json
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Console

from worker.settings import settings

err = Console(stderr=True, highlight=False)
out = Console(highlight=False, width=None if sys.stdout.isatty() else 160)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
ArticleName = Annotated[str, typer.Argument(help="The article's address, or its id.")]
Workspace = Annotated[str, typer.Option("--workspace", help="Workspace; HANDBILL_WORKSPACE if left out.")]


@contextlib.contextmanager
def parts() -> Iterator[Any]:
    """The wired parts, on the given Redis or on the data folder's own for as long as the command runs."""
    from worker.runtime import open_runtime  # noqa: PLC0415 - commands that need no Redis start faster without it
    from worker.up import redis_for  # noqa: PLC0415

    with redis_for(settings()) as url:
        found = open_runtime(settings(), url)
        try:
            yield found
        finally:
            found.close()


def print_json(value: Any) -> None:
    """JSON on stdout, alone."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def workspace_or_own(given: str) -> str:
    """The workspace that was named, or the one of the settings."""
    return given or settings().workspace


def actor() -> Any:
    """Whoever types, as the audit log names them."""
    from worker.people import Actor  # noqa: PLC0415 - as above

    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a container may run as a number that has no name
        name = "command line"
    return Actor(kind="command", id=name, name=name, where="command line")
