"""``handbill changes``: articles that changed after they were posted, and what is done about their posts."""

from __future__ import annotations

import dataclasses
import getpass
import textwrap
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from worker.commands.shared import ArticleName, AsJson, Workspace, actor, out, parts, print_json, workspace_or_own
from worker.errors import HandbillError

cli = typer.Typer(help="Articles that changed after they were posted.", no_args_is_help=True)

SHORT = 400  # code points of what a post would say
NOTHING = "Nothing of what was posted is wrong"
UNDER_WAY = "On its way, of what was approved:"
GIVEN_UP = "What was approved was given up, and these posts are as they were:"
PICTURES = "The words were put right, but the picture or alt text still says what was wrong:"

ChangeName = Annotated[str, typer.Argument(help="A change's id.")]


@cli.command("list")
def list_(
    *,
    every: Annotated[bool, typer.Option("--all", help="Those that were decided, too.")] = False,
    workspace: Workspace = "",
    as_json: AsJson = False,
) -> None:
    """List what is to be decided, on its way, and not right all the same; exits with 1 if there is anything."""
    home = workspace_or_own(workspace)
    with parts() as found:
        wrong, moving = found.changes.not_right(home), found.changes.under_way(home)
        left = {c: wrong.get(c, {}) | {"under_way": moving.get(c, [])} for c in {*wrong, *moving}}
        known = [c for c in found.aftercare.changes(home) if every or c.state == "open" or (as_json and c.id in left)]
        names = _names(found, [home])
        unmended = [f"{_where(d, names)}: {d.reason or d.status}" for d in found.changes.unmended(home)]
        going = [f"{_where(d, names)}: {d.status}" for ids in moving.values() for d in found.deliveries.several(ids)]
        pictures = [_where(d, names) for d in found.changes.pictures_wrong(home)]
        posts = _posts(found, known)
    _show(known, posts, nothing="" if left else NOTHING, as_json=as_json, left=left)
    for told, lines in ((UNDER_WAY, going), (GIVEN_UP, unmended), (PICTURES, pictures)):
        if lines and not as_json:
            out.print(told)
            for line in lines:
                out.print(f"  {line}", markup=False, soft_wrap=True)
    if wrong and not as_json:
        out.print("Where it shall stay so: handbill changes leave DELIVERY")
    raise typer.Exit(1 if left or any(c.state == "open" for c in known) else 0)


@cli.command("look")
def look(article: ArticleName, *, workspace: Workspace = "", as_json: AsJson = False) -> None:
    """Look at an article's page now; workers do so by themselves, ever less often."""
    with parts() as found:
        name = found.changes.named(article, workspace_or_own(workspace))
        known = found.changes.look(name)
        nothing = "" if known else found.changes.nothing_new(name)
        posts = _posts(found, known)
    _show(known, posts, nothing=nothing, as_json=as_json)


@cli.command("approve")
def approve(
    change: ChangeName,
    *,
    do: Annotated[list[str] | None, typer.Option("--do", help="DELIVERY=ACTION where it is another.")] = None,
) -> None:
    """Carry a change out, each post as proposed or as --do says."""
    from worker.changes import CANCEL, Action  # noqa: PLC0415 - only what a command needs is loaded

    given = {name: word for name, _, word in (pair.partition("=") for pair in do or ())}
    could = [*(a for a in Action if a is not Action.ASK), CANCEL]
    for word in given.values():
        if word not in could:
            raise HandbillError(f"{word!r} cannot be done with a post", do=f"Choose one of {', '.join(could)}")
    with parts() as found:
        public = {p.delivery for p in found.aftercare.change(change).proposals if p.out}
        if name := next((n for n, word in given.items() if word == CANCEL and n in public), ""):
            raise HandbillError(f"{name} is out, and cannot be cancelled", do=f"--do {name}={Action.DELETE} deletes it")
        choices = {name: Action.DELETE if word == CANCEL else Action(word) for name, word in given.items()}
        done = found.changes.approve(change, choices, by=getpass.getuser())
        found.audit.record(actor(), "change approved", change, workspace=done.workspace, detail=done.what[0])
    out.print(f"{change} is approved, and carried out now", markup=False)


@cli.command("dismiss")
def dismiss(change: ChangeName) -> None:
    """Do nothing about a change: each of its posts stays, or goes out, as it is."""
    with parts() as found:
        done = found.changes.dismiss(change, by=getpass.getuser())
        found.audit.record(actor(), "change dismissed", change, workspace=done.workspace)
    out.print(f"Nothing is done about {change}: each of its posts stays, or goes out, as it is", markup=False)


@cli.command("leave")
def leave(
    delivery: Annotated[str, typer.Argument(help="A delivery's id.")],
) -> None:
    """Leave a post as it is that a change did not put right; it is listed no more."""
    with parts() as found:
        change = found.changes.leave(delivery)
        found.audit.record(actor(), "change left", change.id, workspace=change.workspace, detail=delivery)
    out.print(f"{delivery} stays as it is", markup=False)


def _names(found: Any, homes: Iterable[str]) -> dict[str, str]:
    """What the accounts of workspaces are called."""
    return {a.id: a.name for home in homes for a in found.records.accounts(home)}


def _where(delivery: Any, names: Mapping[str, str]) -> str:
    return f"{delivery.id} on {delivery.platform} ({names.get(delivery.account, delivery.account)})"


def _posts(found: Any, changes: list[Any]) -> dict[str, tuple[str, list[str]]]:
    """The account of each delivery that changes are about, and the lines that its messages say now."""
    made = found.deliveries.several({p.delivery for c in changes for p in c.proposals})
    names = _names(found, {c.workspace for c in changes})
    return {
        d.id: (
            f"{d.platform} ({names.get(d.account, d.account)})",
            [
                line
                for post in [m.post for m in d.messages] or [s.post for s in d.steps]
                for line in post.text.split("\n")
            ],
        )
        for d in made
    }


def _then(proposal: Any, now: list[str]) -> list[str]:
    """What a proposal would say that its messages do not say now, cut short."""
    lines = [line for text in proposal.said for line in text.split("\n") if line and line not in now]
    reply = proposal.reply if "correction reply" in proposal.options else ""
    before = "" if lines and proposal.said[0].startswith(lines[0]) else "… "
    said = before + " … ".join(lines) if now and lines else ""
    told = (("it would say: ", said), ("the reply would say: ", reply))
    return [f"{what}{textwrap.shorten(text, SHORT, placeholder=' …')}" for what, text in told if text]


def _show(
    changes: list[Any],
    posts: Mapping[str, tuple[str, list[str]]],
    *,
    nothing: str,
    as_json: bool,
    left: Mapping[str, Mapping[str, list[str]]] | None = None,
) -> None:
    """``left`` are the deliveries that changes left wrong or are being done about, by change and in which way."""
    if as_json:
        none: dict[str, list[str]] = {"given_up": [], "picture_wrong": [], "under_way": []}
        rows = [(c, none | dict((left or {}).get(c.id, {}))) for c in changes]
        print_json([dataclasses.asdict(c) | {"found_at": c.found_at.isoformat()} | more for c, more in rows])
        return
    if not changes and nothing:
        out.print(nothing, markup=False)
    for change in changes:
        out.print(f"{change.id}  {change.kind}, {change.state}", style="bold", markup=False)
        for line in change.what:
            out.print(f"  {line}", markup=False, soft_wrap=True)
        for one in change.proposals:
            others = ", ".join(one.word(o) for o in one.options if o != one.action)
            account, now = posts.get(one.delivery, ("an account that is not connected any more", []))
            head = f"{one.delivery} on {account}{'' if one.out else ', not out yet'}"
            out.print(f"  {head}: {one.word(one.action)} (or {others})", markup=False, soft_wrap=True)
            for line in (*(w for w in one.why if w not in change.what), *_then(one, now)):
                out.print(f"    {line}", markup=False, soft_wrap=True)
