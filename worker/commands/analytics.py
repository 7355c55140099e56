"""``handbill analytics``: the services that count a site's visits, by which clicks on posts are known."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import typer

from worker.commands.accounts import pair
from worker.commands.shared import AsJson, Workspace, actor, err, out, parts, print_json, workspace_or_own

cli = typer.Typer(help="Clicks on posts, as Plausible, Matomo or Umami count them.", no_args_is_help=True)

ServiceName = Annotated[str, typer.Argument(help="Its name in the list.")]


@cli.command("services")
def services() -> None:
    """List the services there are, and what each needs."""
    from worker.analytics import SERVICES  # noqa: PLC0415 - only what a command needs is loaded

    for service in SERVICES.values():
        out.print(f"{service.name}", style="bold", markup=False)
        for one in service.settings:
            more = "" if not one.default else f" (if left out: {one.default})"
            out.print(f"  {one.name:<10} {one.label}{', secret' if one.secret else ''}{more}", markup=False)


@cli.command("add")
def add(
    service: Annotated[str, typer.Argument(help="plausible, matomo or umami.")],
    *,
    values: Annotated[
        list[str] | None, typer.Option("--set", help="name=value; a secret: name=@FILE, so that nobody sees it.")
    ] = None,
    source: Annotated[str, typer.Option(help="It counts this host's articles; all if left out.")] = "",
    name: Annotated[str, typer.Option(help="How it is called here; as the service if left out.")] = "",
    mark: Annotated[
        bool, typer.Option("--mark", help="Let the links of accounts without parameters name posts.")
    ] = False,
    workspace: Workspace = "",
) -> None:
    """Connect a service that counts visits, if it answers."""
    home = workspace_or_own(workspace)
    with parts() as found:
        given = dict(pair(v) for v in values or ())
        counter, said = found.clicks.connect(home, service, given, name=name, host=source)
        found.audit.record(actor(), "analytics connected", counter.name, workspace=home)
        marked = found.clicks.mark_links(counter) if mark else []
        out.print(said, markup=False, soft_wrap=True)
        if marked:
            out.print(f"The links of {', '.join(marked)} name their post from now on", markup=False, soft_wrap=True)
        _advise(found, counter)


@cli.command("list")
def list_(*, workspace: Workspace = "", as_json: AsJson = False) -> None:
    """List what is connected; secrets are never shown."""
    with parts() as found:
        known = found.counters.listed(workspace_or_own(workspace))
    if as_json:
        print_json([dataclasses.asdict(c) for c in known])
        return
    if not known:
        out.print("Nothing is connected. See: handbill analytics services")
    for one in known:
        where = f"{one.settings.get('server', '')} {one.settings.get('site', '')}"
        out.print(f"{one.name:<20} {one.kind:<10} {one.host or 'any site'}  {where}", markup=False, soft_wrap=True)


@cli.command("check")
def check(name: ServiceName, *, workspace: Workspace = "") -> None:
    """Ask a service now, and say what is wrong; exits with 1 if it cannot be asked or tells no posts apart."""
    with parts() as found:
        counter = found.counters.find(workspace_or_own(workspace), name)
        out.print(found.clicks.check(counter), markup=False, soft_wrap=True)
        if _advise(found, counter):
            raise typer.Exit(1)


@cli.command("remove")
def remove(name: ServiceName, *, workspace: Workspace = "") -> None:
    """Forget a service; what it counted stays."""
    home = workspace_or_own(workspace)
    with parts() as found:
        found.counters.remove(found.counters.find(home, name))
        found.audit.record(actor(), "analytics removed", name, workspace=home)
    out.print(f"{name} is removed", markup=False)


def _advise(found: Any, counter: Any) -> bool:
    """Say which accounts' links do not name their post; whether there are any."""
    clicks = found.clicks
    left = clicks.unmarked(counter)
    for account in left:
        do = f"handbill accounts set {account} --utm '{clicks.tags(counter)}'"
        err.print(f"The links of {account} do not name their post: {do}", markup=False, soft_wrap=True)
    return bool(left)
