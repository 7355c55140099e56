"""``handbill accounts``: connect accounts (by consent or with what is pasted), look after them, remove them."""

from __future__ import annotations

import dataclasses
import secrets
import select
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from worker.commands.shared import AsJson, Workspace, actor, err, out, print_json, workspace_or_own
from worker.commands.shared import parts as open_parts
from worker.errors import HandbillError

cli = typer.Typer(help="Connect, list, check and remove accounts.", no_args_is_help=True)

AccountName = Annotated[str, typer.Argument(help="An account's id, with or without its workspace.")]
LOOK_EVERY = 0.5


@cli.command("add")
def add(
    platform: Annotated[str, typer.Argument(help="A platform's name; see: handbill accounts platforms.")],
    *,
    values: Annotated[
        list[str] | None, typer.Option("--set", help="name=value; a secret: name=@FILE, so that nobody sees it.")
    ] = None,
    name: Annotated[str, typer.Option(help="A name of your own for it.")] = "",
    rehearsal: Annotated[bool, typer.Option("--rehearsal", help="On the local stand-in platform.")] = False,
    consent: Annotated[bool, typer.Option("--consent", help="Allow it in a browser, instead of a token.")] = False,
    role: Annotated[str, typer.Option("--as", help="As whom, where a platform has several: see platforms.")] = "",
    choose: Annotated[str, typer.Option(help="Which Page or channel, by its name, where there are several.")] = "",
    workspace: Workspace = "",
    as_json: AsJson = False,
) -> None:
    """Connect an account: asks the platform who you are, then stores it, secrets encrypted.

    Where a platform has OAuth 2 and you give no token, it prints the address at which you allow it, and waits.
    """
    from worker.show import account_json  # noqa: PLC0415 - only what a command needs is loaded

    given = dict(pair(v) for v in values or ())
    where = workspace_or_own(workspace)
    with open_parts() as parts:
        if consent or role or (sys.stdin.isatty() and not rehearsal and _asks(parts, platform, given, where)):
            account = _by_consent(
                parts, platform, given, workspace=where, name=name, rehearsal=rehearsal, role=role, choose=choose
            )
        else:
            account = parts.accounts.connect(platform, given, workspace=where, name=name, rehearsal=rehearsal)
            parts.deliveries.resume(f"connect:{account.id}")
        parts.audit.record(actor(), "account connected", account.id, workspace=where, detail=account.name)
    if as_json:
        print_json(account_json(account))
    else:
        out.print(f"{account.id} is connected as {account.name} {account.url}".rstrip(), markup=False)


def _asks(parts: Any, platform: str, given: dict[str, str], workspace: str) -> bool:
    """Whether consent can be asked for, and nothing was given that makes it needless."""
    import publishers  # noqa: PLC0415 - as above

    if platform not in publishers.names():
        return False
    kind = publishers.load(platform)
    if kind.oauth is None or set(given) & kind.secrets():
        return False
    return bool(kind.oauth.register or parts.records.connections.app(workspace, platform))


def _by_consent(parts: Any, platform: str, given: dict[str, str], *, choose: str, **options: Any) -> Any:
    """Print where to go, and wait for whoever comes back: through our own page, or pasted here."""
    from worker.pipeline.connect import LIFE, Choosing  # noqa: PLC0415 - as above

    mine = secrets.token_urlsafe(32)
    begun = parts.connecting.begin(platform, given, browser=mine, terminal=True, **options)
    err.print(f"Open this and allow it ({', '.join(begun.scopes)}):", markup=False, soft_wrap=True)
    err.print(f"\n{begun.address}\n", markup=False, soft_wrap=True)
    err.print("Then wait here. If your browser shows an error instead, paste the address it shows and press Enter.")
    end, reading, found = time.monotonic() + LIFE, True, None
    while found is None and time.monotonic() < end:
        found = parts.connecting.arrived(begun.state, browser=mine)
        if found is None and reading and select.select([sys.stdin], [], [], LOOK_EVERY)[0]:
            line = sys.stdin.readline()
            reading = bool(line)
            if line.strip():
                found = parts.connecting.pasted(line, browser=mine)
        elif found is None and not reading:
            time.sleep(LOOK_EVERY)
    if found is None:
        raise HandbillError("Nobody came back in time", do="Run it again")
    if isinstance(found, Choosing):
        return parts.connecting.choose(found.pick, _chosen(found, choose), browser=mine)
    return found


def _chosen(found: Any, wanted: str) -> int:
    """The place of the choice that was named, or that a person names now."""
    for place, label in enumerate(found.labels, 1):
        err.print(f"{place:>3}  {label}", markup=False)
    if not wanted and sys.stdin.isatty():
        wanted = typer.prompt(f"Which of them does {found.label} post to", err=True)
    matches = [p for p, label in enumerate(found.labels) if wanted and wanted.lower() in {str(p + 1), label.lower()}]
    if len(matches) != 1:
        do = "Run it again with --choose and one of the names above"
        raise HandbillError(f"{wanted} is none of them" if wanted else "There are several to post to", do=do)
    return matches[0]


def pair(text: str) -> tuple[str, str]:
    """``name=value`` taken apart; a value of @FILE is what the file holds, so that no secret is in a history."""
    name, sign, value = text.partition("=")
    if not sign:
        raise typer.BadParameter(f"--set {text}: write name=value.")
    if value.startswith("@"):
        try:
            value = Path(value[1:]).read_text().strip()
        except OSError as error:
            raise HandbillError(f"{value[1:]} cannot be read", why=str(error.strerror)) from None
    return name, value


@cli.command("probe")
def probe(name: AccountName, *, workspace: Workspace = "") -> None:
    """Try out what an unknown server does with a repeated request, with posts that nobody else can see."""
    where = workspace_or_own(workspace)
    with open_parts() as parts:
        account = parts.accounts.find(name, where)
        profile = parts.accounts.probe(account)
        parts.audit.record(actor(), "account tried out", account.id, workspace=account.workspace)
    kind = profile.proof.kind if profile.proof else "as before"
    out.print(f"{account.id} is of class {kind} now", markup=False)


@cli.command("platforms")
def platforms(*, as_json: AsJson = False) -> None:
    """List the platforms and what each needs to connect."""
    import publishers  # noqa: PLC0415

    rows = []
    for name in publishers.names():
        adapter = publishers.load(name)
        fields = [
            {"name": f.name, "label": f.label, "secret": f.secret, "required": f.required} for f in adapter.fields
        ]
        own = adapter.oauth
        app = [f.name for f in own.app] if own and not own.register else []
        consent = {"scopes": list(own.scopes), "as": list(own.roles), "app": app} if own else None
        rows.append({"platform": name, "label": adapter.label, "settings": fields, "consent": consent})
        if not as_json:
            wanted = ", ".join(f.name if f.required else f"[{f.name}]" for f in adapter.fields)
            by = " or --consent" + (f" --as {'|'.join(own.roles)}" if own.roles else "") if own else ""
            out.print(f"{name:<10} {adapter.label:<14} {wanted}{by}", markup=False)
    for name, why in publishers.left_out().items():
        err.print(f"{name} is left out: {why}", markup=False, soft_wrap=True)
    if as_json:
        print_json(rows)


@cli.command("list")
def show(*, workspace: Workspace = "", as_json: AsJson = False) -> None:
    """List the accounts, with what keeps them from posting and how long their tokens last."""
    from worker.show import account_json, standing_json  # noqa: PLC0415 - as above

    with open_parts() as parts:
        found = parts.records.accounts(workspace_or_own(workspace))
        paused, now = parts.deliveries.paused(), parts.now()
        standings = {a.id: parts.renewals.standing(a) for a in found}
    if as_json:
        print_json(
            [
                account_json(a) | {"paused": _why_paused(paused, a.id), "token": standing_json(standings[a.id])}
                for a in found
            ]
        )
        return
    if not found:
        out.print("No accounts. Add one with: handbill accounts add PLATFORM")
    for account in found:
        state = "; ".join(filter(None, (_why_paused(paused, account.id), standings[account.id].says(now))))
        kind = "rehearsal" if account.rehearsal else account.url
        out.print(f"{account.id:<28} {account.name:<24} {kind}  {state}".rstrip(), markup=False)


def _why_paused(paused: dict[str, tuple[Any, str]], account: str) -> str:
    return "; ".join(paused[s][1] for s in (f"account:{account}", f"connect:{account}") if s in paused)


@cli.command("check")
def check(account: AccountName, *, workspace: Workspace = "") -> None:
    """Ask the platform whether the account still works, what it takes, and whether a scope is missing."""
    with open_parts() as parts:
        found = parts.accounts.find(account, workspace_or_own(workspace))
        profile = parts.accounts.check(found)
        parts.deliveries.resume(f"connect:{found.id}")
        said = parts.renewals.standing(parts.records.account(found.id)).says(parts.now())
    out.print(f"{found.id} works, as {profile.name} {profile.url}".rstrip(), markup=False)
    if said:
        err.print(said, markup=False)


@cli.command("set")
def change(
    account: AccountName,
    *,
    zone: Annotated[str, typer.Option(help="IANA time zone, such as Europe/Vienna.")] = "",
    calendar: Annotated[
        str, typer.Option(help="Such as: mon-fri 09:00 12:30; gap 45; quiet 22:00-07:00; not 2027-01-01.")
    ] = "",
    template: Annotated[str | None, typer.Option(help="A file in place of the platform's post template.")] = None,
    always_tag: Annotated[list[str] | None, typer.Option(help="A hashtag that stands first; repeat for more.")] = None,
    never_tag: Annotated[list[str] | None, typer.Option(help="A hashtag never used; repeat for more.")] = None,
    tags: Annotated[int | None, typer.Option(min=-1, max=30, help="Hashtags at most; -1 is the template's.")] = None,
    utm: Annotated[
        str | None, typer.Option(help="For the link, such as utm_source={platform}&utm_medium=social.")
    ] = None,
    link_in: Annotated[
        str | None, typer.Option(help="comment: the link stands in the first comment; empty: in the text.")
    ] = None,
    disclaimer: Annotated[str | None, typer.Option(help="A last line for every post.")] = None,
    warning: Annotated[str | None, typer.Option(help="Content warning, where the platform has one.")] = None,
    sensitive: Annotated[
        list[str] | None, typer.Option(help="A topic that calls for the content warning; repeat for more.")
    ] = None,
    source: Annotated[
        str, typer.Option(help="The words are for articles of this host only, such as example.org.")
    ] = "",
    brand: Annotated[str | None, typer.Option(help="Whose look its pictures have; see: handbill brand list.")] = None,
    workspace: Workspace = "",
) -> None:
    """Set an account's time zone, when it posts by slot, or how it speaks; an empty value takes a setting away."""
    from worker import schedule  # noqa: PLC0415
    from worker.pipeline.plan import speaking  # noqa: PLC0415

    said: dict[str, Any] = {
        "template": template and _text_of(template),
        "always": always_tag,
        "never": never_tag,
        "hashtags": tags,
        "utm": utm,
        "link": link_in,
        "disclaimer": disclaimer,
        "warning": warning,
        "sensitive": sensitive,
    }
    with open_parts() as parts:
        found = parts.accounts.find(account, workspace_or_own(workspace))
        if zone:
            found = dataclasses.replace(found, zone=schedule.zone_of(zone).key)
        if calendar:
            found = dataclasses.replace(found, calendar=schedule.read_calendar(calendar))
        if brand is not None:
            found = dataclasses.replace(found, brand=_brand_of(parts, brand, found.workspace))
        found = speaking(found, source, {k: v for k, v in said.items() if v is not None})
        found = parts.records.change_account(found.id, lambda a, _: (_merged(a, found), None))
    out.print(f"{found.id} posts in {found.zone}", markup=False)


def _merged(known: Any, wanted: Any) -> Any:
    """What was set, over whatever a renewal has changed meanwhile."""
    return dataclasses.replace(wanted, settings=known.settings, limits=known.limits, proof=known.proof, url=known.url)


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise HandbillError(f"{path} cannot be read", why=str(getattr(error, "strerror", "") or error)) from None


def _brand_of(parts: Any, name: str, workspace: str) -> str:
    known = [b.name for b in parts.records.brands(workspace)]
    if name and name not in known:
        do = f"There are: {', '.join(known)}" if known else "Add one: handbill brand add NAME"
        raise HandbillError(f"There is no brand {name}", do=do)
    return name


@cli.command("remove")
def remove(account: AccountName, *, workspace: Workspace = "") -> None:
    """Forget an account and its secrets; what is planned on it will fail with that reason, and nothing is sent."""
    with open_parts() as parts:
        found = parts.accounts.find(account, workspace_or_own(workspace))
        planned = parts.renewals.planned(found)
        parts.accounts.remove(found)
        parts.audit.record(actor(), "account removed", found.id, workspace=found.workspace, detail=found.name)
    out.print(f"{found.id} is removed" + (f"; {planned} planned on it will not be sent" if planned else ""))
