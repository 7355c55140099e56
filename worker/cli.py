"""The ``handbill`` command: reads its words, calls a use case, prints what came of it; JSON goes to stdout alone."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from worker import log as logs
from worker.commands import (
    accounts,
    ahead,
    alerts,
    analytics,
    apps,
    changes,
    contract,
    digest,
    evergreen,
    hooks,
    keep,
    numbers,
    receipts,
    sources,
    users,
    workspaces,
)
from worker.commands.shared import AsJson, Workspace, actor, err, out
from worker.commands.shared import parts as _parts
from worker.commands.shared import print_json as _print_json
from worker.commands.shared import workspace_or_own as _workspace
from worker.errors import HandbillError
from worker.settings import settings

cli = typer.Typer(
    help="Handbill turns a published article into posts on every account you own: once, provably.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
delivery_cli = typer.Typer(help="Look at one delivery, or decide what becomes of it.", no_args_is_help=True)
brand_cli = typer.Typer(help="How pictures look: colours, logo, fonts; see what cards can be.", no_args_is_help=True)
tokens_cli = typer.Typer(help="Tokens for the JSON API.", no_args_is_help=True)
cli.add_typer(accounts.cli, name="accounts")
cli.add_typer(apps.cli, name="apps")
cli.add_typer(delivery_cli, name="delivery")
cli.add_typer(brand_cli, name="brand")
cli.add_typer(tokens_cli, name="tokens")
cli.add_typer(users.cli, name="users")
cli.add_typer(workspaces.cli, name="workspaces")
cli.add_typer(hooks.cli, name="hooks")
cli.add_typer(sources.cli, name="sources")
cli.add_typer(evergreen.cli, name="evergreen")
cli.add_typer(analytics.cli, name="analytics")
cli.add_typer(receipts.cli, name="receipts")
cli.add_typer(changes.cli, name="changes")
ahead.add_to(cli)
numbers.add_to(cli)
cli.command("contract")(contract.contract)
cli.add_typer(digest.cli, name="digest")
keep.attach(cli)
cli.add_typer(alerts.cli, name="alerts")

Source = Annotated[str, typer.Argument(help="A URL, a path to .html, .md or .txt, or - for standard input.")]
AccountName = Annotated[str, typer.Argument(help="An account's id, with or without its workspace.")]
DeliveryName = Annotated[str, typer.Argument(help="A delivery's id.")]
Thread = Annotated[bool, typer.Option("--thread", help="Say more in replies, where the platform has them.")]


def main() -> None:
    """Run the command; every error is one line on stderr, and no traceback reaches a user."""
    try:
        logs.configure(settings().log if os.environ.get("HANDBILL_LOG") else "error")
        cli()
    except HandbillError as error:
        sys.exit(_fail(str(error)))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get("HANDBILL_LOG") == "debug":
            raise
        what = _redis_words(error) or f"Unexpected {type(error).__name__}: {error}. HANDBILL_LOG=debug shows more."
        sys.exit(_fail(what))


def _fail(line: str) -> int:
    print(" ".join(logs.redact(line).split()), file=sys.stderr)
    return 1


def _redis_words(error: Exception) -> str:
    from worker.store.redis import lost  # noqa: PLC0415 - commands that need no Redis start faster without it

    return lost(error)


@cli.command()
def up() -> None:
    """Run everything on this machine: Redis if none is given, workers, rehearsal platforms, web page."""
    from worker.team import is_loopback, refuse_open  # noqa: PLC0415
    from worker.up import supervisor  # noqa: PLC0415

    config = settings()
    if not is_loopback(config.host):
        with _parts() as parts:
            refuse_open(parts, config.host)
    house = supervisor(config)
    err.print(f"Handbill on http://{config.host}:{config.port}  data in {config.data_dir.resolve()}  Ctrl-C ends it")
    house.run()


@cli.command()
def demo(
    source: Annotated[str, typer.Argument(help="Any article; a sample if left out.")] = "",
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Stay up, with the web page, until Ctrl-C.")] = False,
) -> None:
    """Show the main job: an article becomes posts on stand-in platforms; nothing leaves this machine."""
    from worker.demo import run_demo  # noqa: PLC0415

    raise typer.Exit(run_demo(settings(), source, keep=keep, console=out))


@cli.command()
def preview(
    source: Source,
    *,
    platform: Annotated[list[str] | None, typer.Option("--platform", help="Only these; repeat for more.")] = None,
    account: Annotated[list[str] | None, typer.Option("--account", help="As this account would send it.")] = None,
    folder: Annotated[Path | None, typer.Option("--out", help="Folder for the pictures.")] = None,
    thread: Thread = False,
    variants: Annotated[int, typer.Option(min=1, max=9, help="Show so many posts each, of other sentences.")] = 1,
    workspace: Workspace = "",
    as_json: AsJson = False,
) -> None:
    """Show what would be posted: on your accounts, or on a few platforms while there are none. Sends nothing.

    --json without --platform or --account gives every platform. Only accounts need Redis.
    """
    import publishers  # noqa: PLC0415
    from worker.pipeline.plan import Studio, composed_json, platform_account  # noqa: PLC0415
    from worker.show import article_json, content_json  # noqa: PLC0415

    config = settings()
    known: list[Any] = []
    studio = Studio(config, folder or config.data_dir / "preview", brands=lambda _: known)
    others = ""
    if account:
        with _parts() as parts:
            chosen = [parts.accounts.find(name, _workspace(workspace)) for name in account]
            known += parts.records.brands(_workspace(workspace))
    elif platform or as_json:
        chosen = [platform_account(name, _workspace(workspace)) for name in platform or publishers.names()]
    else:
        chosen, brands = _connected(_workspace(workspace))
        account = [a.id for a in chosen]
        known += brands
        few = [] if chosen else config.demo_platforms.split(",")
        chosen += [platform_account(name.strip(), _workspace(workspace)) for name in few]
        others = "These are some platforms" if few else "These are your accounts"
    article, content = studio.read(source, workspace=_workspace(workspace))
    posts = []
    for one in chosen:
        own = {"account": one.id} if account else {}
        if thread:
            shown = [studio.thread_for(article, content, one)]
        else:
            shown = [(post,) for post in studio.variants(article, content, one, variants)]
        posts += [composed_json(one, post) | own for post in shown]
    for warning in studio.warnings:
        err.print(warning, markup=False, soft_wrap=True)
    if as_json:
        _print_json({"article": article_json(article), "content": content_json(content), "posts": posts})
        return
    out.print(article.title, style="bold", markup=False)
    for post in posts:
        cost = f"  ${post['cost']:.3f}" if post["cost"] else ""
        out.rule(f"{post.get('account', post['platform'])}  {post['length']}/{post['limit']}{cost}", align="left")
        out.print("\n\n".join(post["parts"] or [post["text"]]), markup=False, soft_wrap=True)
        for media in post["media"]:
            out.print(f"[{media['width']}×{media['height']} {media['path']}]\nAlt: {media['alt']}", markup=False)
    if others:
        err.print(f"{others}; see others by --platform NAME: {', '.join(publishers.names())}", soft_wrap=True)


def _connected(workspace: str) -> tuple[list[Any], list[Any]]:
    """The accounts that get an article, and the brands; none where no Redis was ever needed, or can be asked."""
    config = settings()
    if not config.redis_url and not (config.data_dir / "valkey").exists():
        return [], []
    try:
        with _parts() as parts:
            return parts.accounts.receivers(workspace), parts.records.brands(workspace)
    except HandbillError as error:
        err.print(str(error), markup=False, soft_wrap=True)
        return [], []


@cli.command()
def card(
    source: Annotated[str, typer.Argument(help="As for preview; none with --sheet.")] = "",
    *,
    design: Annotated[str, typer.Option(help="A design; what suits the article if left out.")] = "",
    size: Annotated[str, typer.Option(help="Width and height in pixels.")] = "1200x630",
    file: Annotated[Path, typer.Option("--out", help="The file: .jpg, .png or .webp.")] = Path("card.jpg"),
    brand: Annotated[str, typer.Option(help="A brand; the one for the article's site if left out.")] = "",
    sheet: Annotated[bool, typer.Option("--sheet", help="All designs, sizes and scripts on one picture.")] = False,
    workspace: Workspace = "",
) -> None:
    """Draw one share picture into a file, or a contact sheet of all there can be. Sends nothing."""
    from worker.pipeline.plan import Studio  # noqa: PLC0415

    config = settings()
    wide, _, high = size.partition("x")
    mime = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}.get(file.suffix)
    if mime is None:
        raise HandbillError(f"{file} is no kind of picture that is drawn", do="End its name in .jpg, .png or .webp")
    if not (wide.isdecimal() and high.isdecimal()):
        raise HandbillError(f"{size} is no size", do="Write it as 1200x630")
    if bool(source) == sheet:
        raise typer.BadParameter("Give either a SOURCE or --sheet.")
    known = []
    if brand:
        with _parts() as parts:
            known = parts.records.brands(_workspace(workspace))
    studio = Studio(config, config.data_dir / "preview", brands=lambda _: known)
    if sheet:
        content = studio.contact_sheet(file.suffix, workspace=_workspace(workspace), brand=brand)
        said = ""
    else:
        article, written = studio.read(source, workspace=_workspace(workspace))
        shape = (int(wide), int(high))
        drawn = studio.card(article, written, design=design, size=shape, mime=mime, brand=brand)
        content, said = drawn.content, f"\nAlt: {drawn.alt}"
    try:
        file.write_bytes(content)
    except OSError as error:
        raise HandbillError(f"{file} cannot be written", why=str(error.strerror)) from None
    for warning in studio.warnings:
        err.print(warning, markup=False, soft_wrap=True)
    out.print(f"{file}  {len(content):,} bytes{said}", markup=False, soft_wrap=True)


@brand_cli.command("add")
def brand_add(
    name: Annotated[str, typer.Argument(help="A name of your own for it.")],
    *,
    colour: Annotated[str, typer.Option(help="The ground, such as #10304f; white must read on it.")] = "",
    accent: Annotated[str, typer.Option(help="The second colour; it must read on the first.")] = "",
    logo: Annotated[Path | None, typer.Option(help="A PNG or WebP with transparency is best.")] = None,
    font: Annotated[Path | None, typer.Option(help="For headlines: .ttf or .otf.")] = None,
    text_font: Annotated[Path | None, typer.Option(help="For small lines: .ttf or .otf.")] = None,
    corner: Annotated[str, typer.Option(help="Of the logo: top-left, top-right, bottom-left, bottom-right.")] = "",
    design: Annotated[str, typer.Option(help="The design its cards have where they can.")] = "",
    source: Annotated[list[str] | None, typer.Option(help="For articles of this host; repeat for more.")] = None,
    workspace: Workspace = "",
) -> None:
    """Keep how cards look, in place of what was kept under that name; everything is checked first."""
    from worker.pipeline.pictures import brand_folder, make_brand  # noqa: PLC0415

    made = make_brand(
        name,
        folder=brand_folder(settings()),
        workspace=_workspace(workspace),
        colour=colour,
        accent=accent,
        logo=logo,
        font=font,
        text_font=text_font,
        corner=corner,
        design=design,
        sources=source or (),
    )
    with _parts() as parts:
        parts.records.save_brand(made)
    out.print(f"{name} is kept. Look at it: handbill card SOURCE --brand {name} --out card.jpg", markup=False)


@brand_cli.command("list")
def brand_list(*, workspace: Workspace = "", as_json: AsJson = False) -> None:
    """List the brands."""
    with _parts() as parts:
        found = parts.records.brands(_workspace(workspace))
        users = parts.records.accounts(_workspace(workspace))
    if as_json:
        _print_json([dataclasses.asdict(b) for b in found])
        return
    if not found:
        out.print("No brands. Add one with: handbill brand add NAME")
    for one in found:
        whose = [*one.sources, *(a.id for a in users if a.brand == one.name)]
        has = [kind for kind in ("logo", "font", "text_font") if getattr(one, kind)]
        line = f"{one.name:<20} {one.colour} {one.accent}  {', '.join(has).replace('_', ' ')}  {', '.join(whose)}"
        out.print(line.rstrip(), markup=False)


@brand_cli.command("remove")
def brand_remove(name: Annotated[str, typer.Argument(help="The brand's name.")], *, workspace: Workspace = "") -> None:
    """Forget a brand; refused while an account uses it."""
    with _parts() as parts:
        users = [a.id for a in parts.records.accounts(_workspace(workspace)) if a.brand == name]
        if users:
            do = f"Give it another: handbill accounts set {users[0]} --brand ''"
            raise HandbillError(f"{', '.join(users)} uses the brand {name}", do=do)
        parts.records.remove_brand(_workspace(workspace), name)
    out.print(f"{name} is removed")


@cli.command()
def share(
    source: Source,
    *,
    account: Annotated[list[str] | None, typer.Option("--account", help="Only these; all if left out.")] = None,
    at: Annotated[str, typer.Option(help="now, slot, or an ISO time in the account's zone.")] = "now",
    stagger: Annotated[float, typer.Option(help="Minutes between one account and the next.")] = 0,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until everything is public or has failed.")] = False,
    approve: Annotated[bool, typer.Option("--approve", help="Hold the posts until somebody approves them.")] = False,
    thread: Thread = False,
    again: Annotated[bool, typer.Option("--again", help="Share once more, with other sentences.")] = False,
    workspace: Workspace = "",
    as_json: AsJson = False,
) -> None:
    """Turn an article into posts on your accounts. The same article again posts nothing twice."""
    from worker.lifecycle import FINAL, remedy  # noqa: PLC0415
    from worker.model import Status  # noqa: PLC0415
    from worker.pipeline.share import share as run  # noqa: PLC0415
    from worker.pipeline.share import wait_for  # noqa: PLC0415
    from worker.show import deliveries_table, delivery_json  # noqa: PLC0415

    with _parts() as parts:
        article, planned = run(
            parts,
            source,
            workspace=_workspace(workspace),
            accounts=account or (),
            at=at,
            approve=approve,
            stagger=stagger,
            thread=thread,
            again=again,
        )
        for warning in parts.planner.studio.warnings:
            err.print(warning, markup=False, soft_wrap=True)
        if not any(name.startswith("publish") for name in parts.records.alive()):
            err.print("No worker is running: the posts wait. Start one with: handbill up")
        if wait:
            planned, unfinished = wait_for(parts, planned)
            if unfinished:
                err.print(unfinished, markup=False)
        known = {a.id: a for a in parts.records.accounts(_workspace(workspace))}
    if as_json:
        _print_json(
            {
                "article": {"id": article.id, "url": article.url, "title": article.title},
                "deliveries": [delivery_json(d) for d in planned],
                "warnings": parts.planner.studio.warnings,
            }
        )
    else:
        out.print(article.title, style="bold", markup=False)
        out.print(deliveries_table(planned, known))
    good = {Status.PUBLISHED, Status.EDITED}
    if not wait:
        good |= {Status.SCHEDULED, Status.AWAITING_APPROVAL, Status.PREPARING, Status.PUBLISHING, Status.UNCONFIRMED}
        good.add(Status.AWAITING_PERSON)
    bad = [d for d in planned if d.status not in good]
    if stuck := sorted((d for d in bad if d.status in FINAL), key=lambda d: d.status is not Status.PARKED):
        first, more = stuck[0], f" ({len(stuck) - 1} more: handbill deliveries)" if stuck[1:] else ""
        why = f": {first.reason.rstrip('.')}" if first.reason else ""
        line = f"{first.id} is {first.status}{why}. {remedy(first.status, first.id)}{more}"
        err.print(line, markup=False, soft_wrap=True)
    raise typer.Exit(1 if bad else 0)


@cli.command()
def deliveries(
    *,
    status: Annotated[str, typer.Option(help="Only this status, such as parked.")] = "",
    workspace: Workspace = "",
    as_json: AsJson = False,
) -> None:
    """List deliveries, the latest change first."""
    from worker.model import Status  # noqa: PLC0415
    from worker.show import deliveries_table, delivery_json  # noqa: PLC0415

    try:
        wanted = [Status(status.replace("_", " "))] if status else list(Status)
    except ValueError:
        do = f"Use one of: {', '.join(Status)}"
        raise HandbillError(f"There is no status {status}", do=do) from None
    with _parts() as parts:
        found = [
            d for d in parts.deliveries.several(parts.deliveries.ids(wanted)) if d.workspace == _workspace(workspace)
        ]
        known = {a.id: a for a in parts.records.accounts(_workspace(workspace))}
        titles = parts.records.titles({d.article for d in found})
    if as_json:
        _print_json([delivery_json(d) for d in found])
    elif found:
        out.print(deliveries_table(found, known, titles))
    else:
        out.print("No deliveries. Share an article with: handbill share SOURCE")


def _record(parts: Any, decision: str, delivery: str, detail: str = "") -> None:
    from worker.decisions import DONE  # noqa: PLC0415

    workspace = delivery.partition(".")[0]
    parts.audit.record(actor(), DONE[decision], delivery, workspace=workspace, detail=detail)


def _record_stop(parts: Any, what: str, scope: str) -> None:
    kind, _, name = scope.partition(":")
    concerned = [name.partition(".")[0]] if kind != "all" else parts.records.workspaces()
    for workspace in concerned:
        parts.audit.record(actor(), what, scope, workspace=workspace)


def _becomes(delivery: Any) -> str:
    """What a post is after somebody decided about it."""
    says = f"; {delivery.reason}" if delivery.reason else ""
    return f"{delivery.id} is {'due now' if delivery.status == 'scheduled' else delivery.status}{says}"


@delivery_cli.command("show")
def delivery_show(delivery: DeliveryName, *, as_json: AsJson = False) -> None:
    """What it says, where it stands, and everything that happened to it."""
    from worker.show import delivery_json, delivery_says, event_json  # noqa: PLC0415

    with _parts() as parts:
        found = parts.deliveries.get(delivery)
        events = parts.deliveries.history(delivery)
        look = parts.deliveries.next_look(delivery)
    if as_json:
        _print_json(delivery_json(found) | {"history": [event_json(e) for e in events]})
        return
    out.print(f"{found.status}  {found.account}  due {found.due:%Y-%m-%d %H:%M:%S} UTC", style="bold", markup=False)
    if look is not None:
        out.print(f"next look {look:%Y-%m-%d %H:%M:%S} UTC")
    out.rule()
    now, before = delivery_says(found)
    for text in now or ["Nothing of it is public any more."]:
        out.print(text, markup=False, soft_wrap=True)
        out.rule()
    for text in before:
        out.print(f"It said before:\n{text}", markup=False, soft_wrap=True)
        out.rule()
    for event in events:
        out.print(f"{event.at:%Y-%m-%d %H:%M:%S}  {event.status:<12}  {event.note}", markup=False, soft_wrap=True)


@delivery_cli.command("retry")
def delivery_retry(delivery: DeliveryName) -> None:
    """Send a failed or held post after all: it becomes due now."""
    from worker.pipeline.edit import retry  # noqa: PLC0415

    with _parts() as parts:
        found = retry(parts, delivery)
        _record(parts, "retry", delivery)
    out.print(_becomes(found))


@delivery_cli.command("cancel")
def delivery_cancel(delivery: DeliveryName) -> None:
    """Never send it; refused once an attempt has begun."""
    from worker.decisions import cancel  # noqa: PLC0415

    with _parts() as parts:
        cancel(parts.deliveries, delivery)
        _record(parts, "cancel", delivery)
    out.print(f"{delivery} is cancelled")


@delivery_cli.command("approve")
def delivery_approve(delivery: DeliveryName) -> None:
    """Let a post that awaits approval go out at its time."""
    from worker.pipeline.edit import approve  # noqa: PLC0415

    with _parts() as parts:
        approve(parts, delivery)
        _record(parts, "approve", delivery)
    out.print(f"{delivery} is approved")


@delivery_cli.command("done")
def delivery_done(
    delivery: DeliveryName, *, link: Annotated[str, typer.Option(help="The address of the post, if there is one.")] = ""
) -> None:
    """Say that somebody has posted by hand what waited for that."""
    from worker.decisions import done  # noqa: PLC0415

    with _parts() as parts:
        done(parts.deliveries, delivery, link=link, by=actor().name)
        _record(parts, "done", delivery, link)
    out.print(f"{delivery} is published", markup=False)


@delivery_cli.command("resolve")
def delivery_resolve(
    delivery: DeliveryName,
    *,
    there: Annotated[str, typer.Option("--there", help="It is public: its address or id.")] = "",
    send_again: Annotated[bool, typer.Option("--send-again", help="It is not public: send it again.")] = False,
    attempt: Annotated[int | None, typer.Option("--attempt", help="The attempt you looked for.", min=0)] = None,
) -> None:
    """Settle a parked post: you looked, and it is there, or it is not."""
    from worker.pipeline.edit import resolve  # noqa: PLC0415

    if bool(there) == send_again:
        raise typer.BadParameter("Give either --there ADDRESS or --send-again.")
    with _parts() as parts:
        found = resolve(parts, delivery, there=there, seen=attempt)
        _record(parts, "resolve", delivery, there)
    out.print(_becomes(found))


@cli.command()
def count(
    platform: Annotated[str, typer.Option("--platform", help="Whose way of counting.")],
) -> None:
    """Read lines of JSON strings on stdin; print one length per line, as the platform counts."""
    import publishers  # noqa: PLC0415

    try:
        limits = publishers.load(platform).limits
    except KeyError as error:
        raise HandbillError(str(error.args[0]).capitalize()) from None
    for number, line in enumerate(sys.stdin, 1):
        if not line.strip():
            continue
        try:
            text = json.loads(line)
        except ValueError:
            raise HandbillError(f"Line {number} is no JSON string", do='Write "like this"') from None
        if not isinstance(text, str):
            raise HandbillError(f"Line {number} is no JSON string", do='Write "like this"')
        print(limits.length(text))


def _scope(account: str, workspace: str, *, everything: bool) -> str:
    given = [bool(account), bool(workspace), everything]
    if sum(given) != 1:
        raise typer.BadParameter("Give one of --account ID, --workspace W or --all.")
    if everything:
        return "all"
    return f"workspace:{workspace}" if workspace else f"account:{account}"


@cli.command()
def pause(
    *,
    account: Annotated[str, typer.Option("--account", help="This account.")] = "",
    workspace: Annotated[str, typer.Option("--workspace", help="This workspace.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Everything.")] = False,
) -> None:
    """Emergency stop: when this returns, nothing more begins to be sent."""
    from worker.decisions import stop  # noqa: PLC0415

    with _parts() as parts:
        scope = _scope(_full(parts, account), workspace, everything=everything)
        if workspace and workspace not in {settings().workspace, *parts.records.workspaces()}:
            do = f"There are: {', '.join(parts.records.workspaces()) or settings().workspace}"
            raise HandbillError(f"There is no workspace {workspace}", why="nothing was paused", do=do)
        ended = stop(parts.deliveries, scope)
        _record_stop(parts, "stopped", scope)
    out.print(f"{scope} is paused; {ended} already being sent have ended")


@cli.command()
def resume(
    *,
    account: Annotated[str, typer.Option("--account", help="This account.")] = "",
    workspace: Annotated[str, typer.Option("--workspace", help="This workspace.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Everything.")] = False,
) -> None:
    """Send again; what became late meanwhile is held for review."""
    from worker.decisions import go_on  # noqa: PLC0415

    with _parts() as parts:
        scope = _scope(_full(parts, account), workspace, everything=everything)
        held = go_on(parts.deliveries, scope)
        _record_stop(parts, "let go on", scope)
    out.print(f"{scope} sends again; {held} late posts are held for review: handbill deliveries --status held")


def _full(parts: Any, account: str) -> str:
    return parts.accounts.find(account, settings().workspace).id if account else ""


@tokens_cli.command("create")
def tokens_create(
    *,
    scope: Annotated[str, typer.Option(help="read, write, admin, or calendar.")],
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    workspace: Workspace = "",
    as_json: AsJson = False,
) -> None:
    """Make a token for the JSON API, or a calendar's secret address; it is shown once."""
    from worker.people import scope_of  # noqa: PLC0415

    with _parts() as parts:
        token = parts.records.create_token(scope=scope_of(scope), workspace=_workspace(workspace), name=name)
        parts.audit.record(actor(), "token made", name, workspace=_workspace(workspace), detail=scope)
    shown = {"token": token, "scope": scope, "workspace": _workspace(workspace)}
    if scope == "calendar":
        shown["address"] = f"{settings().origin}/calendar/{token}.ics"
    if as_json:
        _print_json(shown)
    else:
        out.print(shown.get("address", token), markup=False)


@tokens_cli.command("list")
def tokens_list(*, workspace: Workspace = "", as_json: AsJson = False) -> None:
    """List the tokens by their ids; the tokens themselves are not kept."""
    with _parts() as parts:
        found = parts.records.tokens(_workspace(workspace))
    if as_json:
        _print_json(found)
        return
    for token in found:
        out.print(f"{token['id']}  {token['scope']:<6} {token['name']}".rstrip(), markup=False)


@tokens_cli.command("revoke")
def tokens_revoke(token: Annotated[str, typer.Argument(help="A token's id.")], *, workspace: Workspace = "") -> None:
    """Take a token away: whoever has it is refused from now on."""
    with _parts() as parts:
        if not parts.records.revoke(_workspace(workspace), token):
            raise HandbillError(f"There is no token {token}", do="See: handbill tokens list")
        parts.audit.record(actor(), "token revoked", token, workspace=_workspace(workspace))
    out.print(f"{token} is revoked")


@cli.command()
def doctor(
    *,
    worker_here: Annotated[bool, typer.Option("--worker", help="Only: does a worker of this machine consume?")] = False,
    as_json: AsJson = False,
) -> None:
    """Check everything Handbill stands on, and say what to do about what is wrong."""
    from worker.doctor import consumes, examine  # noqa: PLC0415

    if worker_here:
        consumes(settings())
        return

    findings = examine(settings())
    if as_json:
        _print_json([{"check": f.check, "ok": f.ok, "found": f.found, "do": f.do} for f in findings])
    else:
        for finding in findings:
            mark = "[green]ok[/green]" if finding.ok else "[red]!![/red]"
            out.print(mark, end="  ")
            out.print(
                f"{finding.check:<12} {finding.found}" + (f"  → {finding.do}" if finding.do else ""), markup=False
            )
    raise typer.Exit(0 if all(f.ok for f in findings) else 1)


@cli.command()
def top(
    *,
    every: Annotated[float, typer.Option(min=0.5, help="Seconds between two looks.")] = 2.0,
    once: Annotated[
        bool, typer.Option("--once", help="Look once, and end; so it does where there is no terminal.")
    ] = False,
) -> None:
    """Show what moves, who works and what is wrong, until Ctrl-C."""
    import time  # noqa: PLC0415

    from rich.live import Live  # noqa: PLC0415

    from worker.watch.top import Top  # noqa: PLC0415

    with _parts() as parts:
        view = Top(parts)
        if once or not out.is_terminal:
            out.print(view.frame())
            return
        with Live(view.frame(), console=out, screen=True, auto_refresh=False) as live:
            while True:
                time.sleep(every)
                live.update(view.frame(), refresh=True)


@cli.command()
def worker(
    queues: Annotated[str, typer.Option(help="publish, content or intake.")] = "publish",
    name: Annotated[str, typer.Option(help="Its own on this machine; the queue's if left out.")] = "",
) -> None:
    """Run one worker (handbill up runs all kinds, and starts them again when they die)."""
    if queues not in {"publish", "content", "intake"}:
        raise HandbillError(f"There is no queue {queues}", do="Use publish, content or intake")
    from worker.app import run_worker  # noqa: PLC0415

    raise typer.Exit(run_worker(queues, name))


@cli.command()
def mcp(*, workspace: Workspace = "") -> None:
    """Serve an assistant over the Model Context Protocol on standard input and output; it acts only when told."""
    from worker.commands.mcp import server  # noqa: PLC0415

    with _parts() as parts:
        server(parts, _workspace(workspace)).run()


@cli.command()
def web(host: Annotated[str, typer.Option(help="HANDBILL_HOST if left out.")] = "") -> None:
    """Run the web page and the JSON API."""
    argv = [sys.executable, "-m", "web", *(["--host", host] if host else [])]
    os.execv(sys.executable, argv)  # noqa: S606 - our own module; the command becomes it
