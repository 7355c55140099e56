"""``handbill evergreen``: rules by which older articles are shared again, and the articles that are not."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import Annotated, Any

import typer

from worker.commands.shared import ArticleName, AsJson, Workspace, actor, err, out, parts, print_json, workspace_or_own
from worker.errors import HandbillError

cli = typer.Typer(help="Share older articles again, in other words and with another card.", no_args_is_help=True)

RuleName = Annotated[str, typer.Argument(help="The rule's name.")]


@cli.command("add")
def add(
    name: RuleName,
    *,
    source: Annotated[str, typer.Option(help="Articles of this host; all if left out.")] = "",
    account: Annotated[str, typer.Option(help="On this account; all that take an article twice if left out.")] = "",
    after: Annotated[int, typer.Option(help="Days after the first share.")] = 30,
    every: Annotated[int, typer.Option(help="Days between two shares of one article.")] = 60,
    times: Annotated[int, typer.Option(help="How often one article is shared again.")] = 3,
    weekly: Annotated[int, typer.Option(help="Most of them on one account in any seven days.")] = 3,
    oldest: Annotated[int, typer.Option(help="Days after which an article is too old; 0: never.")] = 365,
    window: Annotated[int, typer.Option(help="Days within which no two texts of an account are nearly the same.")] = 90,
    season: Annotated[list[str] | None, typer.Option(help="Only then, such as 11-15/01-06; repeat for more.")] = None,
    until: Annotated[str, typer.Option(help="The rule ends after this day, such as 2027-06-30.")] = "",
    off: Annotated[bool, typer.Option("--off", help="Keep the rule and plan nothing by it.")] = False,
    workspace: Workspace = "",
) -> None:
    """Keep a rule, in place of the one of that name; what it plans stands in the calendar like any other post."""
    from worker.evergreen import Rule, checked  # noqa: PLC0415 - only what a command needs is loaded

    home = workspace_or_own(workspace)
    with parts() as found:
        whose = found.accounts.own(account, home).id if account else ""
        rule = checked(
            Rule(
                name=name,
                workspace=home,
                source=source.lower().removeprefix("www."),
                account=whose,
                after=after,
                every=every,
                times=times,
                weekly=weekly,
                oldest=oldest,
                window=window,
                season=tuple(season or ()),
                until=_day(until),
                active=not off,
            )
        )
        found.aftercare.save_rule(rule)
        found.audit.record(actor(), "evergreen rule kept", name, workspace=home)
    out.print(f"{name} is kept. Workers apply it every hour; now: handbill evergreen plan", markup=False)


@cli.command("list")
def list_(*, workspace: Workspace = "", as_json: AsJson = False) -> None:
    """List the rules, and the articles that are shared no more."""
    home = workspace_or_own(workspace)
    with parts() as found:
        rules, stopped = found.aftercare.rules(home), found.aftercare.stopped(home)
        titles = found.records.titles(stopped)
    if as_json:
        print_json({"rules": [rule_json(r) for r in rules], "stopped": stopped})
        return
    if not rules:
        out.print("No rules. Add one with: handbill evergreen add NAME")
    for rule in rules:
        out.print(f"{rule.name:<20} {words(rule)}{'' if rule.active else '  (off)'}", markup=False, soft_wrap=True)
    for article, why in stopped.items():
        out.print(f"not again: {article}  {titles.get(article, '')}  ({why})", markup=False, soft_wrap=True)


@cli.command("remove")
def remove(name: RuleName, *, workspace: Workspace = "") -> None:
    """Forget a rule; what it planned and what is not out yet is taken back."""
    home = workspace_or_own(workspace)
    with parts() as found:
        found.aftercare.remove_rule(home, name)
        back = found.evergreens.take_back(home)
        found.audit.record(actor(), "evergreen rule removed", name, workspace=home)
    out.print(f"{name} is removed{_taken(back)}", markup=False)


@cli.command("plan")
def plan(*, workspace: Workspace = "", as_json: AsJson = False) -> None:
    """Apply the rules now; the workers do so every hour by themselves."""
    from worker.show import deliveries_table, delivery_json  # noqa: PLC0415 - as above

    home = workspace_or_own(workspace)
    with parts() as found:
        planned = found.evergreens.sweep(home, force=True)
        known = {a.id: a for a in found.records.accounts(home)}
        titles = found.records.titles(d.article for d in planned)
        for warning in found.planner.studio.warnings:
            err.print(warning, markup=False, soft_wrap=True)
    if as_json:
        print_json({"deliveries": [delivery_json(d) for d in planned]})
    elif planned:
        out.print(deliveries_table(planned, known, titles))
    else:
        out.print("Nothing to share again now")


@cli.command("stop")
def stop(
    article: ArticleName,
    *,
    why: Annotated[str, typer.Option(help="Shown where somebody asks.")] = "stopped by hand",
    workspace: Workspace = "",
) -> None:
    """Share an article no more; what is planned of it by a rule is taken back."""
    with parts() as found:
        name = found.changes.named(article, workspace_or_own(workspace))
        home = name.partition(".")[0]
        found.aftercare.stop(name, why)
        back = found.evergreens.take_back(home)
        found.audit.record(actor(), "article not shared again", name, workspace=home)
    out.print(f"{article} is not shared again{_taken(back)}", markup=False)


@cli.command("allow")
def allow(article: ArticleName, *, workspace: Workspace = "") -> None:
    """Let rules share an article again that was stopped."""
    with parts() as found:
        name = found.changes.named(article, workspace_or_own(workspace))
        if not found.aftercare.allow(name):
            raise HandbillError(f"{article} was not stopped")
        found.audit.record(actor(), "article may be shared again", name, workspace=name.partition(".")[0])
    out.print(f"{article} may be shared again", markup=False)


def words(rule: Any) -> str:
    """A rule in a few words."""
    said = [f"after {rule.after} days, then every {rule.every}, {rule.times} times", f"at most {rule.weekly} a week"]
    said += [rule.source or "any site", rule.account.partition(".")[2] or "every account"]
    said += [f"until {rule.until}"] if rule.until else []
    return "; ".join([*said, *rule.season])


def rule_json(rule: Any) -> dict[str, Any]:
    """A rule for machines."""
    told: dict[str, Any] = dataclasses.asdict(rule)
    return told | {"until": rule.until.isoformat() if rule.until else None, "season": list(rule.season)}


def _taken(back: list[str]) -> str:
    return f"; {len(back)} planned {'share was' if len(back) == 1 else 'shares were'} taken back" if back else ""


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise HandbillError(f"{text!r} is no day", do="Write it as 2027-06-30") from None
