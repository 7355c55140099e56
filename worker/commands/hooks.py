"""``handbill hooks``: the address at which a source's own system says that it published, and what it said."""

from __future__ import annotations

import base64
import dataclasses
import secrets as random_secrets
from pathlib import Path
from typing import Annotated, Any

import typer

from worker.commands.shared import AsJson, Workspace, actor, err, out, parts, print_json, workspace_or_own
from worker.errors import HandbillError, NotFound
from worker.settings import settings

cli = typer.Typer(help="Addresses at which sites say that they published something.", no_args_is_help=True)

SourceName = Annotated[str, typer.Argument(help="A source's id, with or without its workspace.")]
Secret = Annotated[str, typer.Option("--secret", help="The secret; @FILE reads a file; one is made if left out.")]


@cli.command("open")
def open_(
    source: SourceName,
    system: Annotated[str, typer.Argument(help="What sends: see handbill hooks systems. None: pings alone.")] = "",
    *,
    secret: Secret = "",
    mapped: Annotated[
        list[str] | None, typer.Option("--map", help="field=place, such as url=https://example.org/{entry.slug}/.")
    ] = None,
    workspace: Workspace = "",
    as_json: AsJson = False,
) -> None:
    """Give a source an address, or change what sends to it; prints the address and the secret, once."""
    chosen = _secret(secret) if system else ""
    fields = dict(_pair(m) for m in mapped or ())
    with parts() as found:
        name = _full(source, workspace)
        hook = found.receiver.open(found.sources.get(name), system, (chosen,) if chosen else (), fields or None)
        found.audit.record(actor(), "address opened", name, workspace=name.partition(".")[0], detail=system)
    _print(hook.token, as_json=as_json, secret=chosen, source=name, system=system)


@cli.command("secret")
def secret_(
    source: SourceName,
    *,
    secret: Secret = "",
    only: Annotated[bool, typer.Option("--only", help="Forget the secrets before; what they sign is refused.")] = False,
    workspace: Workspace = "",
    as_json: AsJson = False,
) -> None:
    """Take a new secret beside those before, so that it can be changed on the other side without a gap."""
    chosen = _secret(secret)
    with parts() as found:
        name = _full(source, workspace)
        hook = _hook(found, name)
        if not hook.scheme:
            raise HandbillError(f"The address of {source} takes pings alone", do="They have no secret")
        kept = () if only else tuple(s for s in hook.secrets if s != chosen)[:2]
        found.hooks.save(dataclasses.replace(hook, secrets=(chosen, *kept)))
        found.audit.record(actor(), "secret changed", name, workspace=name.partition(".")[0])
    _print(hook.token, as_json=as_json, secret=chosen, source=name, system=hook.scheme)


@cli.command("show")
def show(source: SourceName, *, workspace: Workspace = "", as_json: AsJson = False) -> None:
    """Show a source's address, its hub, and the last that was heard; never a secret."""
    with parts() as found:
        name = _full(source, workspace)
        source_ = found.sources.get(name)
        hook, state = found.hooks.of(name), found.sources.state(name)
        heard = [h for h in found.hooks.heard(source_.workspace) if h.source == name][:10]
    rows = [{"at": h.at.isoformat(), "event": str(h.event.kind), "url": h.event.url, "id": h.event.id} for h in heard]
    until = state.lease_until.isoformat() if state.lease_until else None
    if as_json:
        facts: dict[str, Any] = {"source": name, "address": _address(hook.token) if hook else None}
        facts |= {"system": hook.scheme if hook else None, "hub": state.hub or state.cloud or None, "hub_until": until}
        print_json({**facts, "heard": rows})
        return
    if hook:
        out.print(f"{_address(hook.token)}  takes {hook.scheme or 'pings alone'}", markup=False, soft_wrap=True)
    else:
        out.print(f"{name} has no address. Open one with: handbill hooks open {source}", markup=False)
    if state.hub or state.cloud:
        said = f"calls until {until}" if until else "does not call (yet); the feed is polled"
        out.print(f"{state.hub or state.cloud}  {said}", markup=False, soft_wrap=True)
    for row in rows:
        out.print(f"{row['at']}  {row['event']:<12} {row['url'] or row['id']}".rstrip(), markup=False, soft_wrap=True)


@cli.command("close")
def close(source: SourceName, *, workspace: Workspace = "") -> None:
    """Close a source's address; whatever is sent there finds nothing."""
    with parts() as found:
        name = _full(source, workspace)
        _hook(found, name)
        found.hooks.forget(name)
        found.audit.record(actor(), "address closed", name, workspace=name.partition(".")[0])
    out.print(f"The address of {name} is closed", markup=False)


@cli.command("systems")
def systems(*, as_json: AsJson = False) -> None:
    """List what may send to an address, and where each one's articles have their address."""
    from worker.intake.webhooks import SCHEMES  # noqa: PLC0415 - only what a command needs is loaded

    if as_json:
        print_json({name: {"label": s.label, "url": s.mapped.url} for name, s in SCHEMES.items()})
        return
    for name, scheme in SCHEMES.items():
        out.print(f"{name:<12} {scheme.label:<24} {scheme.mapped.url}".rstrip(), markup=False)


def _full(source: str, workspace: str) -> str:
    return source if "." in source else f"{workspace_or_own(workspace)}.{source}"


def _hook(found: Any, name: str) -> Any:
    hook = found.hooks.of(name)
    if hook is None:
        raise NotFound(f"{name} has no address", do=f"Open one with: handbill hooks open {name}")
    return hook


def _secret(given: str) -> str:
    """The secret that was given, or a new one as Standard Webhooks writes them."""
    if given.startswith("@"):
        try:
            given = Path(given[1:]).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeError) as error:
            raise HandbillError(f"{given[1:]} cannot be read", why=str(error)) from None
    if given and len(given) < 8:
        raise HandbillError("The secret is too short", do="Give 8 characters or more, or leave it out to have one made")
    return given or "whsec_" + base64.b64encode(random_secrets.token_bytes(32)).decode()


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not value:
        raise typer.BadParameter(f"--map {text}: write field=place.")
    return name, value


def _address(token: str) -> str:
    config = settings()
    return f"{(config.public_url or config.origin).rstrip('/')}/hooks/{token}"


def _print(token: str, *, as_json: bool, secret: str, source: str, system: str) -> None:
    address = _address(token)
    if as_json:
        print_json({"source": source, "system": system, "address": address, "secret": secret or None})
        return
    out.print(address, markup=False, soft_wrap=True)
    if secret:
        err.print("Its secret, which is not shown again:")
        out.print(secret, markup=False, soft_wrap=True)
    if not settings().public_url:
        err.print("Only this machine reaches it until HANDBILL_PUBLIC_URL says where the internet does.")
