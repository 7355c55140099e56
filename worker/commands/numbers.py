"""``handbill numbers`` and ``handbill report``: what readers did, and how sure any difference is."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Annotated

import typer

from worker.commands.shared import AsJson, Workspace, actor, out, parts, print_json, workspace_or_own

Days = Annotated[int, typer.Option(min=1, max=400, help="How many days back.")]


def add_to(cli: typer.Typer) -> None:
    """Both stand among the commands of the first rank."""
    cli.command("numbers")(show)
    cli.command("report")(report)


def show(*, days: Days = 90, workspace: Workspace = "", as_json: AsJson = False) -> None:
    """Show what readers did with posts, by account, and the best times."""
    from worker import numbers  # noqa: PLC0415 - only what a command needs is loaded

    home = workspace_or_own(workspace)
    with parts() as found:
        told = found.numbers.posts(home, since=found.now() - timedelta(days=days))
        best = {a: found.numbers.best_time(a) for a in sorted({t.account for t in told})}
    if as_json:
        print_json([dataclasses.asdict(t) | {"sent": t.sent.isoformat()} for t in told])
        return
    if not told:
        out.print("No numbers yet: they are asked for an hour after a post went out")
    for group in numbers.groups(told, lambda t: [t.account]):
        spread = "one post says nothing" if group.count == 1 else f"95 %: {group.low:.1f} to {group.high:.1f}"
        out.print(f"{group.name:<32} {group.mean:8.1f} a post ({spread}), {group.count} posts", markup=False)
    for name, time in best.items():
        said = time.verdict.words if time.verdict else "too few posts to compare"
        out.print(f"{name}: best time {time.hour:02}:00: {said}", markup=False, soft_wrap=True)


def report(
    *,
    days: Annotated[int, typer.Option(min=1, max=400, help="How many days it is about.")] = 7,
    weekly: Annotated[str, typer.Option(help="Send it to this account every week from now on; none: nobody.")] = "",
    weekday: Annotated[int, typer.Option(min=0, max=6, help="0 is Monday.")] = 0,
    workspace: Workspace = "",
) -> None:
    """Print what the last days brought, or have it sent every week through an account."""
    from worker.pipeline.numbers import report as text_of  # noqa: PLC0415 - as above
    from worker.pipeline.numbers import report_to  # noqa: PLC0415 - as above

    home = workspace_or_own(workspace)
    with parts() as found:
        if weekly:
            account = report_to(found, home, "" if weekly == "none" else weekly, weekday)
            found.audit.record(actor(), "weekly report set", account, workspace=home)
            out.print(f"The weekly report goes to {account}" if account else "No weekly report goes out", markup=False)
            return
        out.print(text_of(found, home, days=days), markup=False, soft_wrap=True)
