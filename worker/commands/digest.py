"""``handbill digest``: several articles in one post, each day or week."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Any

import typer

from worker.commands.shared import AsJson, Workspace, actor, err, out, parts, print_json, workspace_or_own
from worker.errors import HandbillError

cli = typer.Typer(help="Several articles in one mail or post, each day or week.", no_args_is_help=True)

AccountName = Annotated[str, typer.Argument(help="An account's id, with or without its workspace.")]
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@cli.command("set")
def set_(
    account: AccountName,
    *,
    every: Annotated[str, typer.Option(help="daily or weekly.")] = "weekly",
    on: Annotated[str, typer.Option(help="The day of a weekly one: mon, tue, wed, thu, fri, sat or sun.")] = "mon",
    at: Annotated[str, typer.Option(help="Wall time in the account's zone.")] = "08:00",
    source: Annotated[str, typer.Option(help="Articles of this host; all if left out.")] = "",
    most: Annotated[int, typer.Option(help="Articles at most.")] = 8,
    title: Annotated[str, typer.Option(help="Its subject; made of the first article's if left out.")] = "",
    off: Annotated[bool, typer.Option("--off", help="No digest: each article by itself again.")] = False,
    workspace: Workspace = "",
) -> None:
    """Let an account get a digest in place of each article."""
    from worker.digest import said  # noqa: PLC0415 - only what a command needs is loaded
    from worker.model import Digest  # noqa: PLC0415

    home = workspace_or_own(workspace)
    if every not in {"daily", "weekly"} or on.lower() not in DAYS:
        raise HandbillError("A digest is daily or weekly, on a day such as mon")
    host = source.lower().removeprefix("www.")
    made = Digest(every=every, on=DAYS.index(on.lower()), at=_time(at), source=host, most=most, title=title)  # type: ignore[arg-type]  # checked above
    with parts() as found:
        kept = found.digests.keep(found.accounts.own(account, home), None if off else made)
        found.audit.record(actor(), "digest kept", kept.id, workspace=kept.workspace, detail="off" if off else every)
    words = "each article by itself" if off else f"a digest of {said(made, kept.zone)}"
    out.print(f"{kept.id} gets {words}", markup=False)


@cli.command("send")
def send(account: AccountName, *, workspace: Workspace = "", as_json: AsJson = False) -> None:
    """Send one now, of what came in the last day or week."""
    from worker.show import delivery_json  # noqa: PLC0415 - as above

    with parts() as found:
        planned = found.digests.plan(found.accounts.own(account, workspace_or_own(workspace)))
        for warning in found.planner.studio.warnings:
            err.print(warning, markup=False, soft_wrap=True)
        if planned is None:
            raise HandbillError("There is no digest", why="no article came in its time")
        found.audit.record(actor(), "digest sent", planned.id, workspace=planned.workspace)
    if as_json:
        print_json(delivery_json(planned))
    else:
        out.print(f"{planned.id} is {planned.status}: {planned.steps[0].post.title}", markup=False)


@cli.command("list")
def list_(*, workspace: Workspace = "", as_json: AsJson = False) -> None:
    """List the accounts that get a digest, and when the next is due."""
    from worker.digest import following, said  # noqa: PLC0415 - as above

    rows: list[dict[str, Any]] = []
    with parts() as found:
        for account in found.records.accounts(workspace_or_own(workspace)):
            if account.digest:
                when = following(account.digest, zone=account.zone, after=found.now())
                words = said(account.digest, account.zone)
                rows.append({"account": account.id, "digest": f"a digest of {words}", "next": when.instant.isoformat()})
    if as_json:
        print_json(rows)
    elif not rows:
        out.print("No digests. Make one with: handbill digest set ACCOUNT")
    for row in rows if not as_json else ():
        out.print(f"{row['account']}: {row['digest']}; next {row['next']}", markup=False, soft_wrap=True)


def _time(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise HandbillError(f"{text} is no time of day", do="Write it as 08:00") from None
