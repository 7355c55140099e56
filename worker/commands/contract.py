"""The command that asks of an adapter, anybody's, what is asked of ours."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from worker.commands.shared import AsJson, out, print_json
from worker.errors import HandbillError

SHOWN = 5
"""How many broken cases of one promise are told whole."""


def contract(
    module: Annotated[str, typer.Argument(help="A module such as my_package.my_platform, or a platform's name.")],
    *,
    fixture: Annotated[
        Path | None, typer.Option(help="Its fixture; the JSON file beside the module if left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask an adapter for everything that Handbill relies on, with nothing but its fixture; sends nothing."""
    from publishers import contract as suite  # noqa: PLC0415 - other commands start faster without it

    subject = _subject(module, fixture)
    found: dict[str, list[tuple[str, str]]] = {}
    for check in suite.checks(subject):
        with tempfile.TemporaryDirectory() as folder:
            found.setdefault(check.promise, []).append((check.case, _told(check, Path(folder))))
    broken = sum(1 for cases in found.values() for _, words in cases if words)
    if as_json:
        rows = [
            {"promise": promise, "cases": len(cases), "broken": [{"case": c, "why": w} for c, w in cases if w]}
            for promise, cases in found.items()
        ]
        print_json({"platform": subject.name, "label": subject.kind.label, "broken": broken, "promises": rows})
    else:
        _show(found)
        total = sum(map(len, found.values()))
        kept = f"keeps all {len(found)} promises" if not broken else f"breaks {broken} of {total} checks"
        out.print(f"{subject.kind.label} {kept} ({total} checks)", markup=False)
    raise typer.Exit(1 if broken else 0)


def _told(check: Any, folder: Path) -> str:
    """What is broken, in words; empty if nothing is."""
    try:
        check.run(folder)
    except AssertionError as error:
        return str(error) or "an assertion in the adapter failed"
    except Exception as error:  # noqa: BLE001 - whatever an adapter does is a finding
        return f"{type(error).__name__}: {error}"
    return ""


def _show(found: dict[str, list[tuple[str, str]]]) -> None:
    for promise, cases in found.items():
        wrong = [(case, words) for case, words in cases if words]
        out.print(f"{'✗' if wrong else '✓'} {promise} ({len(cases)})", markup=False, soft_wrap=True)
        for case, words in wrong[:SHOWN]:
            for number, line in enumerate(words.splitlines()):
                out.print(f"    {f'{case}: ' if case and not number else ''}{line}", markup=False, soft_wrap=True)
        if len(wrong) > SHOWN:
            out.print(f"    and {len(wrong) - SHOWN} more", markup=False)


def _subject(module: str, fixture: Path | None) -> Any:
    """The adapter and its fixture; raises HandbillError if one of them is not there."""
    import publishers  # noqa: PLC0415 - as above
    from publishers.contract import Subject  # noqa: PLC0415 - as above

    try:
        kind = publishers.load(module) if module in publishers.names() else publishers.adapter(module)
    except Exception as error:  # noqa: BLE001 - whatever somebody's module does when it is imported
        why = f"{type(error).__name__}: {error}"
        do = "Name a module that Python can import here, such as my_package.my_platform"
        raise HandbillError(f"There is no adapter in {module}", why=why, do=do) from None
    name = kind.__module__.rpartition(".")[2]
    path = fixture or _beside(kind.__module__, name)
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(told, dict) or not isinstance(told.get("settings"), dict) or not told.get("create"):
            raise ValueError("it has no settings, or no case of create")  # noqa: TRY301 - as what cannot be read
    except (OSError, ValueError) as error:
        do = "publishers/README.md says how a fixture is written; --fixture names another file"
        raise HandbillError(f"The fixture {path} cannot be read", why=str(error), do=do) from None
    return Subject(name, kind, told)


def _beside(module: str, name: str) -> Path:
    """Where a package keeps the fixture of one of its modules."""
    import sys  # noqa: PLC0415 - only here

    return Path(str(sys.modules[module].__file__)).parent / f"{name}.json"
