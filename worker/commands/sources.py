"""``handbill sources``: where articles come from by themselves, what became of each, and the rules for them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from worker.commands.accounts import pair
from worker.commands.shared import AsJson, Workspace, actor, err, out, parts, print_json, workspace_or_own
from worker.errors import HandbillError
from worker.intake.model import Fate, Item
from worker.show import advice, health, item_json, source_json

cli = typer.Typer(
    help="Follow feeds, sitemaps and webhooks, and see what became of what they brought.", no_args_is_help=True
)

RULES = (
    "include",
    "exclude",
    "at",
    "delay",
    "approve",
    "embargo",
    "most",
    "template",
    "design",
    "brand",
    "warning",
)

Name = Annotated[str, typer.Argument(help="A source's name, as in the list.")]
ItemId = Annotated[str, typer.Argument(help="An item's id, as in the list.")]
Include = Annotated[
    list[str] | None,
    typer.Option(help="Take only what fits: 'tag: Culture', 'language: de', 'title: *live*'; repeat for more."),
]
Exclude = Annotated[list[str] | None, typer.Option(help="Leave out what fits, such as 'author: *agency'.")]
At = Annotated[
    str | None, typer.Option(help="now, slot: each account's next free one, or inbox: once somebody accepts it there.")
]
Delay = Annotated[int | None, typer.Option(help="Minutes between its publication and its posts.")]
Approve = Annotated[bool | None, typer.Option(help="Posts wait for somebody's approval.")]
Embargo = Annotated[bool | None, typer.Option(help="Wait for a date of publication that lies ahead.")]
Most = Annotated[int | None, typer.Option(help="Articles a day; 0 is any number.")]
Template = Annotated[str | None, typer.Option(help="A post template in place of the accounts' own; @FILE reads one.")]
Design = Annotated[str | None, typer.Option(help="The design of its cards; see: handbill card --help.")]
Brand = Annotated[str | None, typer.Option(help="Whose look its cards have; see: handbill brand list.")]
Tags = Annotated[list[str] | None, typer.Option("--always-tag", help="A hashtag in every post; repeat for more.")]
Never = Annotated[list[str] | None, typer.Option("--never-tag", help="A hashtag in none; repeat for more.")]
Warn = Annotated[str | None, typer.Option("--warning", help="A content warning, where the platform has one.")]
Private = Annotated[
    bool | None,
    typer.Option(
        "--private/--public",
        help="Its address is a secret, or is none; otherwise it is one if it looks so. Secret: encrypted, shown "
        "nowhere, and told to no hub.",
    ),
]
Accounts = Annotated[list[str] | None, typer.Option("--account", help="An account it posts to; none is every one.")]


@contextlib.contextmanager
def following() -> Iterator[tuple[Any, Any]]:
    """The wired parts, and the use cases about sources."""
    from worker.pipeline.follow import Follow  # noqa: PLC0415 - only what a command needs is loaded

    with parts() as found:
        follow = Follow(found)
        try:
            yield found, follow
        finally:
            follow.close()


@cli.command("list")
def show_all(*, workspace: Workspace = "", as_json: AsJson = False) -> None:
    """List every source with its health and its next poll."""
    with parts() as found:
        sources = found.sources.all(workspace_or_own(workspace))
        states = found.sources.states(s.id for s in sources)
        now = found.now()
    if as_json:
        print_json([source_json(s, states[s.id]) for s in sources])
        return
    if not sources:
        out.print("No sources yet. Follow a site with: handbill sources add https://example.org")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("source", "kind", "last poll", "next poll", "address", "health"):
        table.add_column(column, overflow="fold")
    for source in sources:
        state = states[source.id]
        table.add_row(
            Text(source.id.partition(".")[2]),
            source.dialect or source.kind,
            _ago(state.polled, now),
            _ahead(state.next_poll, now),
            Text(source.shown),
            Text(health(source, state)),
        )
    out.print(table)


@cli.command("add")
def add(
    address: Annotated[
        str, typer.Argument(help="A site, a page, a feed or a sitemap (@FILE: it is in a file); none with --webhook.")
    ] = "",
    *,
    name: Annotated[str, typer.Option(help="What to call it; the feed's own title if left out.")] = "",
    webhook: Annotated[str, typer.Option(help="Instead: what sends to us; see: handbill hooks systems.")] = "",
    backfill: Annotated[int, typer.Option(help="Take so many of the articles that are there already.")] = 0,
    account: Accounts = None,
    include: Include = None,
    exclude: Exclude = None,
    at: At = None,
    delay: Delay = None,
    approve: Approve = None,
    embargo: Embargo = None,
    most: Most = None,
    template: Template = None,
    design: Design = None,
    brand: Brand = None,
    always_tag: Tags = None,
    never_tag: Never = None,
    warning: Warn = None,
    private: Private = None,
    preview: Annotated[bool, typer.Option(help="Only show what would be taken.")] = False,
    workspace: Workspace = "",
    as_json: AsJson = False,
) -> None:
    """Follow a site: what it publishes from now on becomes posts."""
    if bool(address) == bool(webhook):
        raise typer.BadParameter("Give an address, or --webhook KIND.")
    where = workspace_or_own(workspace)
    said = _said(locals())
    if address.startswith("@"):  # a secret address is in no history, and in no list of processes
        address = pair(f"address={address}")[1]
    with following() as (found, follow):
        rules = follow.ruled(None, where, said)
        if preview:
            _preview(follow, address, rules, private=private, as_json=as_json)
            return
        link = secret = ""
        if webhook:
            source, link, secret = follow.add_hook(where, webhook, name=name, accounts=account or (), asked=rules)
        else:
            source = follow.add(
                where,
                address,
                name=name,
                accounts=account or (),
                asked=rules,
                backfill=backfill,
                private=private,
            )
        found.audit.record(actor(), "source added", source.id, workspace=where, detail=source.shown or source.dialect)
    if as_json:
        print_json(source_json(source, None) | ({"hook": link, "secret": secret} if link else {}))
        return
    out.print(f"{source.id.partition('.')[2]} is followed: {source.shown or source.dialect}", markup=False)
    if link:
        out.print(f"Send to  {link}\nSecret   {secret}", markup=False, soft_wrap=True)
        err.print("The secret is shown this once.")


def _preview(follow: Any, address: str, rules: Any, *, private: bool | None, as_json: bool) -> None:
    found = follow.discover(address, secret=private)
    rows = follow.preview(found[0].feed, rules)
    if as_json:
        feeds = [{"address": f.address, "title": f.feed.title, "dialect": f.feed.dialect} for f in found]
        taken = [{"address": w.entry.address, "title": w.entry.title, "taken": not w.why, "why": w.why} for w in rows]
        print_json({"feeds": feeds, "entries": taken})
        return
    for number, one in enumerate(found):
        mark = "→" if number == 0 else " "
        out.print(f"{mark} {one.shown}  {one.feed.title}  ({one.feed.dialect})", markup=False)
    out.print("Were these published now:")
    for would in rows:
        out.print(f"  {'yes' if not would.why else 'no '}  {would.entry.title or would.entry.address}", markup=False)
        if would.why:
            out.print(f"       {would.why}", markup=False)


@cli.command("set")
def change(
    source: Name,
    *,
    name: Annotated[str | None, typer.Option(help="What to call it.")] = None,
    account: Accounts = None,
    every_account: Annotated[bool, typer.Option("--every-account", help="Post to every active account.")] = False,
    include: Include = None,
    exclude: Exclude = None,
    at: At = None,
    delay: Delay = None,
    approve: Approve = None,
    embargo: Embargo = None,
    most: Most = None,
    template: Template = None,
    design: Design = None,
    brand: Brand = None,
    always_tag: Tags = None,
    never_tag: Never = None,
    warning: Warn = None,
    private: Private = None,
    as_it_looks: Annotated[
        bool, typer.Option("--as-it-looks", help="Take back what was said of its address being a secret or none.")
    ] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Take nothing from it until it is started.")] = False,
    start: Annotated[bool, typer.Option("--start", help="Take what it publishes from now on.")] = False,
    workspace: Workspace = "",
) -> None:
    """Change a source's rules; an empty value takes a rule back, such as --include ''."""
    said = _said(locals())
    if as_it_looks and private is not None:
        raise HandbillError("An address is a secret, or none, or as it looks", do="Give one of the three options")
    with following() as (found, follow):
        known = follow.find(source, workspace_or_own(workspace))
        values: dict[str, Any] = {"rules": follow.ruled(known.rules, known.workspace, said)}
        if name is not None:
            values["name"] = name
        if account is not None or every_account:
            values["accounts"] = account or ()
        if private is not None or as_it_looks:
            values["private"] = private
        known = follow.change(known, **values)
        if stop or start:
            known = follow.stop(known) if stop else follow.start(known)
        found.audit.record(actor(), "source changed", workspace=known.workspace, detail=known.id)
    out.print(f"{known.id.partition('.')[2]} is {'followed' if known.active else known.reason}", markup=False)


@cli.command("show")
def show(source: Name, *, workspace: Workspace = "", as_json: AsJson = False) -> None:
    """Show a source, its rules, and what became of what it brought."""
    from worker.intake import rules  # noqa: PLC0415

    with following() as (found, follow):
        known = follow.find(source, workspace_or_own(workspace))
        state = found.sources.state(known.id)
        rows = found.sources.latest(known.workspace, source=known.id, most=30)
        items = found.sources.items(i for _, i in rows)
        now = found.now()
    if as_json:
        print_json(source_json(known, state) | {"items": [item_json(i) for i in items]})
        return
    out.print(f"{known.name}  ({known.dialect or known.kind})  {known.shown}", markup=False, soft_wrap=True)
    out.print(f"{health(known, state)}; last poll {_ago(state.polled, now)}, next {_ahead(state.next_poll, now)}")
    for word, patterns in (("include", known.rules.include), ("exclude", known.rules.exclude)):
        for line in rules.lines(patterns):
            out.print(f"{word}  {line}", markup=False)
    _print_items(items, now)


@cli.command("items")
def show_items(
    *,
    fate: Annotated[str, typer.Option(help=f"Only those that are {', '.join(Fate)}.")] = "",
    most: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 30,
    workspace: Workspace = "",
    as_json: AsJson = False,
) -> None:
    """Show what came in by whatever way, the latest first, and what became of it."""
    if fate and fate not in set(Fate):
        raise typer.BadParameter(f"--fate is one of {', '.join(Fate)}.")
    with parts() as found:
        wanted = [Fate(fate)] if fate else list(Fate)
        rows = found.sources.latest(workspace_or_own(workspace), wanted, most=most)
        items = found.sources.items(i for _, i in rows)
        now = found.now()
    if as_json:
        print_json([item_json(i) for i in items])
        return
    _print_items(items, now)


def _print_items(items: Sequence[Item], now: datetime) -> None:
    """A row for each item, and once for each fate what can be done about it."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("item", "when", "article", "fate", "why"):
        table.add_column(column, overflow="fold")
    for item in items:
        title = item.title or item.candidate.address
        why = f"{item.reason}; looked at again {_ahead(item.next_look, now)}" if _waits(item) else item.reason
        table.add_row(item.id, _ago(item.updated_at, now), Text(title), str(item.fate), Text(why))
    out.print(table)
    for line in dict.fromkeys(f"{i.fate}: {said}" for i in items if (said := advice(i))):
        err.print(line, markup=False, soft_wrap=True)


def _waits(item: Item) -> bool:
    return item.fate is Fate.HELD and item.next_look is not None


@cli.command("poll")
def poll(
    source: Annotated[str, typer.Argument(help="A source's name; none is every one.")] = "",
    *,
    workspace: Workspace = "",
) -> None:
    """Ask a source here and now what is new."""
    with following() as (found, follow):
        where = workspace_or_own(workspace)
        polled = [s for s in found.sources.all(where) if s.active and s.address]
        failed = False
        for known in [follow.find(source, where)] if source else polled:
            new, state = follow.poll(known)
            failed |= bool(state.error)
            said = state.error or ("1 new article" if new == 1 else f"{new} new articles")
            out.print(f"{known.id.partition('.')[2]}: {said}", markup=False)
    raise typer.Exit(int(failed))


@cli.command("take")
def take(item: ItemId) -> None:
    """Take an article that was held, skipped or called a duplicate, whatever the rules say."""
    with parts() as found:
        found.intake.release(item)
        found.audit.record(actor(), "item taken by hand", workspace=item.partition(".")[0], detail=item)
    out.print(f"{item} is taken", markup=False)


@cli.command("look")
def look(item: ItemId) -> None:
    """Look again now at an article that was held or could not be read."""
    with parts() as found:
        found.intake.look(item)
        found.audit.record(actor(), "item looked at again", workspace=item.partition(".")[0], detail=item)
    out.print(f"{item} is looked at again", markup=False)


@cli.command("leave")
def leave(item: ItemId) -> None:
    """Leave an article out, by whatever way it comes again."""
    with parts() as found:
        found.intake.dismiss(item)
        found.audit.record(actor(), "item left out by hand", workspace=item.partition(".")[0], detail=item)
    out.print(f"{item} is left out", markup=False)


@cli.command("remove")
def remove(source: Name, *, workspace: Workspace = "") -> None:
    """Follow a source no more; the posts that were made of its articles stay."""
    with following() as (found, follow):
        known = follow.find(source, workspace_or_own(workspace))
        follow.remove(known)
        found.audit.record(actor(), "source removed", workspace=known.workspace, detail=known.id)
    out.print(f"{known.id.partition('.')[2]} is removed", markup=False)


def _said(given: Mapping[str, Any]) -> dict[str, Any]:
    """The rules that were said on the command line, of all that a command was given."""
    names = {"always_tag": "always", "never_tag": "never"} | {n: n for n in RULES}
    said = {new: given[old] for old, new in names.items() if given[old] is not None}
    if str(said.get("template", "")).startswith("@"):
        said["template"] = _text_of(said["template"][1:])
    return said


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise HandbillError(f"{path} cannot be read", why=str(getattr(error, "strerror", "") or error)) from None


def _ago(moment: Any, now: Any) -> str:
    return _span((now - moment).total_seconds()) + " ago" if moment else "–"


def _ahead(moment: Any, now: Any) -> str:
    if moment is None:
        return "–"
    seconds = (moment - now).total_seconds()
    return f"in {_span(seconds)}" if seconds > 0 else "now"


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(int(seconds), 0)} s"
