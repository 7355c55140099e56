"""``handbill export``, ``import``, ``backup`` and ``keys``: what keeps the data of an installation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.commands.shared import AsJson, actor, err, out, parts, print_json
from worker.errors import HandbillError
from worker.settings import settings

if TYPE_CHECKING:
    from worker.keeping.archive import Manifest

keys_cli = typer.Typer(help="Renew the keys that secrets are kept under, while posts go out.", no_args_is_help=True)

Passphrase = Annotated[
    str, typer.Option("--passphrase-file", help="A file with the passphrase for secrets; - for standard input.")
]
PathTo = Annotated[Path, typer.Argument(help="The archive.")]


def attach(cli: typer.Typer) -> None:
    """Add the commands to the whole."""
    cli.command("export")(export)
    cli.command("import")(bring)
    cli.command("backup")(backup)
    cli.command("tidy")(tidy)
    cli.add_typer(keys_cli, name="keys")


def export(path: PathTo, *, passphrase_file: Passphrase = "", as_json: AsJson = False) -> None:
    """Write everything into an archive; secrets only under a passphrase."""
    from worker.keeping.backup import export as run  # noqa: PLC0415 - only what a command needs is loaded

    with parts() as found:
        manifest = run(found, path, passphrase=_passphrase(passphrase_file))
        found.audit.record(actor(), "exported", str(path), workspace=settings().workspace, detail=manifest.secrets)
    _say(path, manifest, as_json=as_json)
    if not as_json and manifest.left_out:
        left = ", ".join(f"{n} {what}" for what, n in manifest.left_out.items())
        hint = "" if passphrase_file else " With --passphrase-file secrets travel along."
        err.print(f"Left out: {left}.{hint}", markup=False)


def backup(
    *,
    to: Annotated[Path, typer.Option("--to", help="The folder for backups.")],
    keep: Annotated[int, typer.Option(min=0, help="Keep so many and remove older ones; 0 keeps all.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Write everything into an archive and prove it by reading it back; secrets stay under this installation's key."""
    from worker.keeping import backup as keeping  # noqa: PLC0415

    with parts() as found:
        try:
            to.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise HandbillError(f"{to} cannot be written", why=str(error.strerror)) from None
        path = to / keeping.name_at(found.now())
        manifest = keeping.backup(found, path)
    gone = keeping.thin(to, keep)
    _say(path, manifest, as_json=as_json)
    if not as_json:
        out.print("It was read back into a server of its own and holds the same.")
        if gone:
            out.print(f"{len(gone)} older ones were removed")
        if not settings().secret_key.get_secret_value():
            err.print(f"Keep a copy of {settings().data_dir / 'secret.key'} too, elsewhere: secrets are under it.")


def bring(path: PathTo, *, passphrase_file: Passphrase = "", as_json: AsJson = False) -> None:
    """Read an archive into an empty Redis and data folder; nothing is sent before handbill resume --all."""
    from worker.keeping.backup import bring_back  # noqa: PLC0415
    from worker.runtime import vault_of  # noqa: PLC0415
    from worker.up import redis_for  # noqa: PLC0415

    config = settings()
    with redis_for(config) as url:
        restored = bring_back(config, url, path, vault_of(config), passphrase=_passphrase(passphrase_file))
    _say(path, restored.manifest, as_json=as_json)
    if as_json:
        return
    left = dict(restored.manifest.left_out)
    if left.get("secrets"):
        out.print("Its secrets were left out: connect the accounts again (handbill accounts list).")
    if left.get("proofs of who somebody is"):
        out.print("Passwords were left out: handbill users reset ADDRESS prints a link to choose one.")
    if restored.waiting:
        out.print(
            f"{restored.waiting} posts may still go out, and wait: some may have gone out since. "
            "Look at them, then: handbill resume --all (what became late is held for review)"
        )


def tidy(*, as_json: AsJson = False) -> None:
    """Let go of what is too old (HANDBILL_KEEP_*), as a worker does every hour."""
    from worker.keeping.retention import tidy as run  # noqa: PLC0415

    with parts() as found:
        gone = run(found)
    if as_json:
        print_json(dict(gone))
    else:
        out.print(", ".join(f"{n} {what}" for what, n in gone.items()) or "Nothing is too old")


@keys_cli.command("rotate")
def rotate(*, as_json: AsJson = False) -> None:
    """Make a new key and put every secret under it; safe while posts go out, and when it is broken off."""
    from worker.keeping import rotation  # noqa: PLC0415

    with parts() as found:
        done = rotation.rotate(found)
        found.audit.record(actor(), "keys renewed", workspace=settings().workspace, detail=f"{done.renewed} secrets")
    if as_json:
        print_json({"renewed": done.renewed, "already": done.already, "unreadable": done.unreadable})
    else:
        out.print(f"{done.renewed} secrets are under the new key, {done.already} were already")
        out.print(f"Old keys still open what is under them. When all is well: handbill keys retire  ({rotation.WHERE})")
    if done.unreadable:
        raise HandbillError(f"{done.unreadable} secrets cannot be read", why="no key fits", do="Connect them again")


@keys_cli.command("retire")
def retire() -> None:
    """Forget the old keys; refused while anything is under one of them."""
    from worker.keeping import rotation  # noqa: PLC0415

    with parts() as found:
        gone = rotation.retire(found)
        found.audit.record(actor(), "old keys forgotten", workspace=settings().workspace, detail=str(gone))
    out.print(f"{gone} old keys are forgotten")


def _passphrase(given: str) -> str:
    if not given:
        return ""
    try:
        text = sys.stdin.read() if given == "-" else Path(given).read_text()
    except OSError as error:
        raise HandbillError(f"{given} cannot be read", why=str(error.strerror)) from None
    if not text.strip():
        raise HandbillError(f"{given} holds no passphrase")
    return text.strip()


def _say(path: Path, manifest: Manifest, *, as_json: bool) -> None:
    shown = {
        "path": str(path),
        "made_at": manifest.made_at,
        "schema": manifest.schema,
        "secrets": manifest.secrets,
        "keys": manifest.keys,
        "digest": manifest.digest,
        "counts": dict(manifest.counts),
        "files": manifest.files,
        "left_out": dict(manifest.left_out),
    }
    if as_json:
        print_json(shown)
        return
    counts = ", ".join(f"{n} {what}" for what, n in manifest.counts.items())
    out.print(f"{path}: {counts or 'nothing'}, {manifest.files} files, secrets {manifest.secrets}", markup=False)
