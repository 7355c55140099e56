"""``handbill apps``: the apps that ask for people's consent, one for each platform that wants one."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.commands.accounts import pair
from worker.commands.shared import AsJson, Workspace, actor, err, out, print_json, workspace_or_own
from worker.commands.shared import parts as open_parts
from worker.errors import NotFound

cli = typer.Typer(help="The apps that ask for people's consent: their credentials, encrypted.", no_args_is_help=True)


@cli.command("set")
def keep(
    platform: Annotated[str, typer.Argument(help="A platform's name.")],
    *,
    values: Annotated[
        list[str] | None, typer.Option("--set", help="name=value; a secret: name=@FILE, so that nobody sees it.")
    ] = None,
    workspace: Workspace = "",
) -> None:
    """Keep the client id and secret of the app that you have registered with a platform."""
    where = workspace_or_own(workspace)
    with open_parts() as parts:
        name = parts.connecting.save_app(where, platform, dict(pair(v) for v in values or ()))
        parts.audit.record(actor(), "app kept", name, workspace=where)
        redirect = parts.connecting.redirect(platform)
    out.print(f"The app of {name} is kept", markup=False)
    err.print(f"It must know this redirect address: {redirect}", markup=False, soft_wrap=True)


@cli.command("list")
def show(*, workspace: Workspace = "", as_json: AsJson = False) -> None:
    """List the apps by their client ids; secrets are never shown."""
    where = workspace_or_own(workspace)
    with open_parts() as parts:
        names = parts.records.connections.apps(where)
        rows = [{"app": n, "client_id": parts.records.connections.app(where, n).get("client_id", "")} for n in names]
    if as_json:
        print_json(rows)
        return
    if not rows:
        out.print("No apps. Keep one with: handbill apps set PLATFORM --set client_id=... --set client_secret=@FILE")
    for row in rows:
        out.print(f"{row['app']:<40} {row['client_id']}", markup=False)


@cli.command("remove")
def remove(app: Annotated[str, typer.Argument(help="As the list names it.")], *, workspace: Workspace = "") -> None:
    """Forget an app; accounts that were connected through it cannot renew their tokens any more."""
    where = workspace_or_own(workspace)
    with open_parts() as parts:
        if not parts.records.connections.remove_app(where, app):
            raise NotFound(f"There is no app {app}", do="See: handbill apps list")
        parts.audit.record(actor(), "app removed", app, workspace=where)
    out.print(f"{app} is removed", markup=False)
