"""``handbill receipts``: what proves that posts were made, as a chain for auditors, and whether it holds together."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from worker.commands.shared import AsJson, Workspace, out, parts, print_json, workspace_or_own
from worker.errors import HandbillError

cli = typer.Typer(help="What proves that posts were made.", no_args_is_help=True)


@cli.command("show")
def show(
    delivery: Annotated[str, typer.Argument(help="A delivery's id.")],
    *,
    read: Annotated[bool, typer.Option("--read", help="Read it back from the platform now.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show everything that proves one delivery."""
    from worker.keeping.ledger import whole  # noqa: PLC0415 - only what a command needs is loaded

    with parts() as found:
        workspace = found.deliveries.get(delivery).workspace
        found.receipts.notice(workspace)
        if read:
            found.receipts.read_one(delivery, final=True)
        entries = [e for e in whole(found, workspace) if e.delivery == delivery]
        seen = found.aftercare.readbacks(workspace, [delivery]).get(delivery)
        again = found.aftercare.reads_at(workspace, [delivery]).get(delivery)
    if as_json:
        told = {"sight": str(seen.sight), "at": seen.at.isoformat(), "notes": list(seen.notes)} if seen else None
        print_json(
            {
                "delivery": delivery,
                "entries": [dataclasses.asdict(e) for e in entries],
                "readback": told,
                "reads_at": again.isoformat() if again else None,
            }
        )
        return
    for entry in entries:
        out.print(f"{entry.number}  {entry.act}  {entry.permalink or entry.remote_id}", markup=False, soft_wrap=True)
        tries = "1 attempt" if entry.attempts == 1 else f"{entry.attempts} attempts"
        who = f"approved by {entry.approver}" if entry.approver else "nobody was asked to approve it"
        out.print(f"    sent {entry.sent_at} in {tries}; {who}", markup=False, soft_wrap=True)
        out.print(f"    text {entry.text_sha256[:16]}…  entry {entry.hash[:16]}…", markup=False)
    if not entries:
        out.print("Nothing of it is public yet, so there is no receipt")
    next_ = f"{again:%Y-%m-%d %H:%M} UTC" if again else ""
    if seen:
        once_more = f"; again at {next_}" if next_ else ""
        out.print(f"read back: {seen.sight}, at {seen.at:%Y-%m-%d %H:%M} UTC{once_more}", markup=False)
    elif entries:
        out.print(
            f"read back: {f'not yet; at {next_}' if next_ else 'not by itself; --read does so now'}", markup=False
        )
    for note in seen.notes if seen else ():
        out.print(f"    {note}", markup=False, soft_wrap=True)


@cli.command("export")
def export(*, workspace: Workspace = "") -> None:
    """Print the whole ledger on stdout, one JSON object a line, the oldest entry first."""
    from worker.keeping.ledger import whole  # noqa: PLC0415 - as above

    home = workspace_or_own(workspace)
    with parts() as found:
        for entry in whole(found, home):
            sys.stdout.write(json.dumps(dataclasses.asdict(entry), ensure_ascii=False, separators=(",", ":")) + "\n")


@cli.command("flagged")
def flagged(*, workspace: Workspace = "", as_json: AsJson = False) -> None:
    """List what is not there as it was sent; exits with 1 if there is anything."""
    home = workspace_or_own(workspace)
    with parts() as found:
        names = found.aftercare.flagged(home)
        seen = found.aftercare.readbacks(home, names)
    if as_json:
        print_json({n: {"sight": str(seen[n].sight), "notes": list(seen[n].notes)} for n in names if n in seen})
    else:
        for name in names:
            out.print(f"{name}  {seen[name].sight}: {'; '.join(seen[name].notes)}", markup=False, soft_wrap=True)
        if not names:
            out.print("Everything that was read back is there as it was sent")
    raise typer.Exit(1 if names else 0)


@cli.command("verify")
def verify(file: Annotated[Path, typer.Argument(help="What export printed, or the page's JSON lines.")]) -> None:
    """Check that an exported ledger holds together; needs no Redis."""
    from worker.model import from_json  # noqa: PLC0415 - only what a command needs is loaded
    from worker.receipts import Entry, broken  # noqa: PLC0415 - as above

    try:
        entries = [from_json(Entry, line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        why = str(error).partition("\n")[0]
        raise HandbillError(f"{file} is no ledger", why=why, do="Give what handbill receipts export printed") from None
    if why := broken(entries):
        raise HandbillError("The ledger does not hold together", why=why)
    last = f"; the last is {entries[-1].hash}" if entries else ""
    out.print(f"{len(entries)} entries hold together{last}", markup=False, soft_wrap=True)
