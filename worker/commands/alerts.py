"""``handbill alerts``: who is told when something is wrong."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.commands.shared import AsJson, Workspace, actor, out, parts, print_json, workspace_or_own
from worker.errors import HandbillError

cli = typer.Typer(help="Who is told when something is wrong.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="An account whose readers are your team.")]


@cli.command("add")
def add(
    account: Name,
    *,
    only: Annotated[list[str] | None, typer.Option("--only", help="Only this kind; repeat for more.")] = None,
    workspace: Workspace = "",
) -> None:
    """Tell the readers of an account (a channel, a chat, an address) when something is wrong in its workspace."""
    from worker.watch.alerts import Alerts  # noqa: PLC0415 - only what a command needs is loaded

    with parts() as found:
        known = found.accounts.find(account, workspace_or_own(workspace))
        Alerts(found).add(known, only or ())
        detail = ", ".join(only or ["everything"])
        found.audit.record(actor(), "alerts added", known.id, workspace=known.workspace, detail=detail)
    out.print(f"{known.id} is told of {detail}. Try it: handbill alerts test {account}", markup=False)


@cli.command("list")
def show(*, workspace: Workspace = "", as_json: AsJson = False) -> None:
    """List who is told of what, and what is wrong now."""
    from worker.watch.alerts import Alerts  # noqa: PLC0415
    from worker.watch.conditions import conditions  # noqa: PLC0415

    with parts() as found:
        listed = Alerts(found).listed(workspace_or_own(workspace))
        now = [c for c in conditions(found) if c.workspace in {"", workspace_or_own(workspace)}]
    if as_json:
        rows = [{"name": c.name, "kind": str(c.kind), "text": c.text, "do": c.do} for c in now]
        print_json({"told": {k: list(v) for k, v in listed.items()}, "now": rows})
        return
    for name, kinds in listed.items():
        out.print(f"{name} is told of {', '.join(kinds) or 'everything'}", markup=False)
    if not listed:
        out.print("Nobody is told. Use: handbill alerts add ACCOUNT")
    for condition in now:
        out.print(f"{condition.kind:<9} {condition.text}  → {condition.do}", markup=False)


@cli.command("remove")
def remove(account: Name, *, workspace: Workspace = "") -> None:
    """Tell them no more."""
    from worker.watch.alerts import Alerts  # noqa: PLC0415

    with parts() as found:
        home = workspace_or_own(workspace)
        name = account if account.startswith(f"{home}.") else f"{home}.{account}"
        Alerts(found).remove(name)
        found.audit.record(actor(), "alerts removed", name, workspace=home)
    out.print(f"{name} is told no more", markup=False)


@cli.command("test")
def try_out(account: Name, *, workspace: Workspace = "") -> None:
    """Send them a message now."""
    from publishers.core.errors import PublishError  # noqa: PLC0415
    from worker.watch.alerts import Alerts  # noqa: PLC0415

    with parts() as found:
        known = found.accounts.find(account, workspace_or_own(workspace))
        try:
            Alerts(found).try_out(known)
        except PublishError as error:
            raise HandbillError(f"{known.id} did not take it", why=str(error)) from None
    out.print("Sent", markup=False)
