"""``handbill changes``: articles that changed after they were posted, and what is done about their posts."""

from __future__ import annotations

import dataclasses
import getpass
from typing import Annotated, Any

import typer

from worker.commands.shared import ArticleName, AsJson, Workspace, actor, out, parts, print_json, workspace_or_own
from worker.errors import HandbillError

cli = typer.Typer(help="Articles that changed after they were posted.", no_args_is_help=True)

NOTHING = "Nothing of what was posted is wrong"

ChangeName = Annotated[str, typer.Argument(help="A change's id.")]


@cli.command("list")
def list_(
    *,
    every: Annotated[bool, typer.Option("--all", help="Those that were decided, too.")] = False,
    workspace: Workspace = "",
    as_json: AsJson = False,
) -> None:
    """List what is to be decided; exits with 1 if there is anything."""
    home = workspace_or_own(workspace)
    with parts() as found:
        known = [c for c in found.aftercare.changes(home) if every or c.state == "open"]
        unmended = [f"{d.id} on {d.platform}: {d.reason or d.status}" for d in found.changes.unmended(home)]
        pictures = [f"{d.id} on {d.platform}" for d in found.changes.pictures_wrong(home)]
    _show(known, nothing="" if unmended or pictures else NOTHING, as_json=as_json)
    if unmended and not as_json:
        out.print("What was approved was given up, and these posts are as they were:")
        for line in unmended:
            out.print(f"  {line}", markup=False, soft_wrap=True)
    if pictures and not as_json:
        out.print("The words were put right, but the picture or alt text still says what was wrong:")
        for line in pictures:
            out.print(f"  {line}", markup=False, soft_wrap=True)
    raise typer.Exit(1 if any(c.state == "open" for c in known) else 0)


@cli.command("look")
def look(article: ArticleName, *, workspace: Workspace = "", as_json: AsJson = False) -> None:
    """Look at an article's page now; workers do so by themselves, ever less often."""
    with parts() as found:
        name = found.changes.named(article, workspace_or_own(workspace))
        known = found.changes.look(name)
        nothing = "" if known else found.changes.nothing_new(name)
    _show(known, nothing=nothing, as_json=as_json)


@cli.command("approve")
def approve(
    change: ChangeName,
    *,
    do: Annotated[list[str] | None, typer.Option("--do", help="DELIVERY=ACTION where it is another.")] = None,
) -> None:
    """Carry a change out, each post as proposed or as --do says."""
    from worker.changes import Action  # noqa: PLC0415 - only what a command needs is loaded

    choices = {}
    for pair in do or ():
        name, _, word = pair.partition("=")
        if word not in set(Action):
            raise HandbillError(f"{word!r} cannot be done with a post", do=f"Choose one of {', '.join(Action)}")
        choices[name] = Action(word)
    with parts() as found:
        done = found.changes.approve(change, choices, by=getpass.getuser())
        found.audit.record(actor(), "change approved", change, workspace=done.workspace, detail=done.what[0])
    out.print(f"{change} is carried out", markup=False)


@cli.command("dismiss")
def dismiss(change: ChangeName) -> None:
    """Do nothing about a change."""
    with parts() as found:
        done = found.changes.dismiss(change, by=getpass.getuser())
        found.audit.record(actor(), "change dismissed", change, workspace=done.workspace)
    out.print(f"Nothing is done about {change}", markup=False)


def _show(changes: list[Any], *, nothing: str, as_json: bool) -> None:
    if as_json:
        print_json([dataclasses.asdict(c) | {"found_at": c.found_at.isoformat()} for c in changes])
        return
    if not changes and nothing:
        out.print(nothing, markup=False)
    for change in changes:
        out.print(f"{change.id}  {change.kind}, {change.state}", style="bold", markup=False)
        for line in change.what:
            out.print(f"  {line}", markup=False, soft_wrap=True)
        for one in change.proposals:
            others = ", ".join(o for o in one.options if o != one.action)
            out.print(f"  {one.delivery}: {one.action} (or {others})", markup=False, soft_wrap=True)
            for line in one.why:
                if line not in change.what:
                    out.print(f"    {line}", markup=False, soft_wrap=True)
