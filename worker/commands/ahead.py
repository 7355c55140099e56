"""``handbill forecast`` and ``handbill rehearse``: what the coming days bring, computed, and sent to stand-ins."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.table import Table

from worker import schedule
from worker.commands.shared import AsJson, Workspace, err, out, parts, print_json, workspace_or_own
from worker.errors import HandbillError


def add_to(cli: typer.Typer) -> None:
    """Both stand among the commands of the first rank."""
    cli.command("forecast")(forecast)
    cli.command("rehearse")(rehearse)


def forecast(
    *,
    days: Annotated[int, typer.Option(min=1, max=62, help="How many days ahead.")] = 7,
    workspace: Workspace = "",
    as_json: AsJson = False,
) -> None:
    """Show what goes out when in the coming days, what it costs, and what stands in its way."""
    from worker.forecast import foresee  # noqa: PLC0415 - only what a command needs is loaded

    home = workspace_or_own(workspace)
    with parts() as found:
        seen = foresee(found, home, days)
        accounts = {a.id: a for a in found.records.accounts(home)}
        titles = found.records.titles(c.article for c in seen.coming)
    if as_json:
        print_json(forecast_json(seen))
        return
    if not seen.coming:
        out.print(f"Nothing is planned for the next {days} days" if days > 1 else "Nothing is planned for the next day")
        for line in _below(seen, everything=False):
            out.print(line, markup=False, soft_wrap=True)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("goes out", "account", "article", "cost", "in its way"):
        table.add_column(column, overflow="fold")
    for one in seen.coming:
        zone = schedule.zone_of(accounts[one.account].zone)
        when = f"{one.at.astimezone(zone):%a %Y-%m-%d %H:%M}" if one.at else f"({one.due.astimezone(zone):%a %H:%M})"
        cost = f"${one.cost:.3f}" if one.cost else ""
        mark = "evergreen: " if one.evergreen else ""
        title = titles.get(one.article, "")
        said = filter(None, [*one.warnings, one.note])
        table.add_row(
            when,
            _called(one.account),
            f"{mark}{title}",
            cost,
            "; ".join(said),
        )
    out.print(table)
    for line in _below(seen):
        out.print(line, markup=False, soft_wrap=True)


def _below(seen: Any, *, everything: bool = True) -> Iterator[str]:
    """What is said below the table; unless ``everything``, nothing of days without a post."""
    if seen.cost:
        yield f"Cost: ${seen.cost:.2f}"
    for quota in sorted(seen.quotas, key=lambda q: q.used / q.most, reverse=True)[:8]:
        if quota.used * 4 >= quota.most:
            hours = quota.seconds / 3600
            yield f"{_called(quota.account)}: {quota.used} of {quota.most} in {hours:g} h from {quota.at:%a %H:%M} UTC"
    for name, at in seen.ending.items():
        yield f"{_called(name)} must be connected again by {at:%Y-%m-%d %H:%M} UTC"
    for zone_name, changes in seen.clocks.items():
        for day, minutes in changes.items():
            yield f"Clocks go {'forward' if minutes > 0 else 'back'} {abs(minutes)} min on {day} in {zone_name}"
    for name, empty in seen.empty.items() if everything else ():
        whole = name not in {c.account for c in seen.coming}
        days = "" if whole else f" on {', '.join(str(d) for d in empty)}"
        yield f"{_called(name)} posts nothing{days}"


def _called(account: str) -> str:
    """An account as commands call it."""
    return account.partition(".")[2]


def rehearse(
    *,
    days: Annotated[int, typer.Option(min=1, max=62, help="How many days of the plan.")] = 7,
    faults: Annotated[float, typer.Option(min=0, max=0.9, help="The share of commits that go wrong.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Another number, other faults.")] = 1,
    workspace: Workspace = "",
    as_json: AsJson = False,
) -> None:
    """Send the plan to stand-ins, days in seconds, with faults, on a store that is thrown away; changes nothing here.

    Exits with 1 if a post would be lost, doubled, failed or left for a person to settle.
    """
    from worker import rehearse as stage  # noqa: PLC0415 - as above

    home = workspace_or_own(workspace)
    with parts() as found:
        report = stage.rehearse(found, home, days=days, ratio=faults, seed=seed)
    if as_json:
        print_json(report_json(report))
        raise typer.Exit(0 if report.good else 1)
    if not report.posts:
        raise HandbillError(f"Nothing is planned for the next {days} days", do="Plan something, or give more --days")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("due", "account", "article", "became", "late", "attempts", "readers see it"):
        table.add_column(column, overflow="fold")
    for one in report.posts:
        late = f"{one.late.total_seconds():.0f} s" if one.sent else ""
        waits = " (if it is approved)" if one.approval else ""
        table.add_row(
            f"{one.due:%a %d %H:%M} UTC", _called(one.account), one.title, f"{one.status}{waits}", late,
            str(one.attempts), {0: "never", 1: "once"}.get(one.seen, f"{one.seen} times"),
        )  # fmt: skip
    out.print(table)
    told = ", ".join(f"{n} {kind}" for kind, n in sorted(report.faults.items()))
    said = f"{len(report.posts)} posts, {report.doubles} doubled, {report.lost} lost"
    said += f", {report.strays} seen that nobody planned" if report.strays else ""
    out.print(f"{said}. Went wrong on the way: {told or 'nothing'}.")
    for name, why in report.left_out.items():
        err.print(f"{name} was left out: {why}", markup=False, soft_wrap=True)
    raise typer.Exit(0 if report.good else 1)


def forecast_json(seen: Any) -> dict[str, Any]:
    """A forecast for machines; times in UTC."""
    return {
        "begin": seen.begin.isoformat(),
        "end": seen.end.isoformat(),
        "cost": round(seen.cost, 4),
        "costs": {a: round(c, 4) for a, c in seen.costs.items()},
        "posts": [
            dataclasses.asdict(c)
            | {
                "due": c.due.isoformat(),
                "at": c.at.isoformat() if c.at else None,
                "warnings": list(c.warnings),
                "status": str(c.status),
            }
            for c in seen.coming
        ],
        "quotas": [dataclasses.asdict(q) | {"at": q.at.isoformat()} for q in seen.quotas],
        "ending": {a: e.isoformat() for a, e in seen.ending.items()},
        "clocks": {z: {str(d): m for d, m in c.items()} for z, c in seen.clocks.items()},
        "empty": {a: [str(d) for d in days] for a, days in seen.empty.items()},
    }


def report_json(report: Any) -> dict[str, Any]:
    """A rehearsal for machines."""
    return {
        "posts": [
            dataclasses.asdict(p)
            | {
                "due": p.due.isoformat(),
                "sent": p.sent.isoformat() if p.sent else None,
                "late": p.late.total_seconds(),
                "status": str(p.status),
                "notes": list(p.notes),
            }
            for p in report.posts
        ],
        "left_out": dict(report.left_out),
        "faults": dict(report.faults),
        "doubles": report.doubles,
        "lost": report.lost,
        "strays": report.strays,
    }
