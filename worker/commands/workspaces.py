"""``handbill workspaces``: brands or clients of their own, under one roof."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.commands.shared import AsJson, actor, out, parts, print_json
from worker.errors import HandbillError, NotFound

cli = typer.Typer(help="List, add, rename and remove workspaces.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(help="Small letters, digits and hyphens.")]


@cli.command("list")
def show(*, as_json: AsJson = False) -> None:
    """List the workspaces with their people and accounts."""
    with parts() as found:
        names = found.people.names()
        rows = [
            {
                "id": workspace,
                "name": names.get(workspace, workspace),
                "people": len(found.people.members(workspace)),
                "accounts": len(found.records.accounts(workspace)),
            }
            for workspace in found.records.workspaces()
        ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        out.print(f"{row['id']:<24} {row['name']:<28} {row['people']} people, {row['accounts']} accounts", markup=False)


@cli.command("add")
def add(
    workspace: Id,
    *,
    owner: Annotated[str, typer.Option("--owner", help="The mail address of somebody who is here.")],
    name: Annotated[str, typer.Option(help="What it is called; its id if left out.")] = "",
) -> None:
    """Make a workspace that somebody owns."""
    from worker import team  # noqa: PLC0415 - only what a command needs is loaded
    from worker.people import email_of  # noqa: PLC0415

    with parts() as found:
        user = found.people.by_email(email_of(owner))
        if user is None:
            raise NotFound(f"There is nobody with the address {owner}", do="See: handbill users list")
        team.make_workspace(found, actor(), user, workspace=workspace, name=name)
    out.print(f"{workspace} is made; {user.name} owns it", markup=False)


@cli.command("rename")
def rename(workspace: Id, name: Annotated[str, typer.Argument(help="What it is called from now on.")]) -> None:
    """Call a workspace something else; its id stays."""
    from worker import team  # noqa: PLC0415

    with parts() as found:
        if workspace not in found.records.workspaces():
            raise NotFound(f"There is no workspace {workspace}", do="See: handbill workspaces list")
        team.rename_workspace(found, actor(), workspace=workspace, name=name)
    out.print(f"{workspace} is called {name}", markup=False)


@cli.command("delete")
def delete(
    workspace: Id,
    *,
    sure: Annotated[bool, typer.Option("--yes", help="With everything that is in it.")] = False,
) -> None:
    """Stop a workspace, disconnect its accounts and sources, and forget all of it; what is public stays public."""
    from worker.keeping import erasure  # noqa: PLC0415

    if not sure:
        raise HandbillError("Its accounts, articles, posts and history are forgotten", do="Say --yes if that is meant")
    with parts() as found:
        posts = erasure.delete(found, actor(), workspace, typed=workspace)
    out.print(f"{workspace} is deleted with {posts} posts; nothing of it is left", markup=False)
