"""New keys for secrets while posts go out: one is added in front, everything is put under it, old ones are retired."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet

from worker.errors import HandbillError, Refused
from worker.runtime import Runtime
from worker.store import sealed
from worker.store.secrets import Vault

WHERE = "they stand in secret.key, or in HANDBILL_SECRET_KEY, the newest first"
PASSES = 5


@dataclass(frozen=True, slots=True)
class Rotated:
    """How many secrets were put under the newest key, were so already, or open with no key."""

    renewed: int
    already: int
    unreadable: int


def rotate(parts: Runtime) -> Rotated:
    """Put every secret under the newest key, which is made first where keys are kept in a file.

    Broken off, it goes on where it was. With keys in the environment the new one is put in front by whoever runs it.
    """
    if not parts.settings.secret_key.get_secret_value():
        path = parts.settings.data_dir / "secret.key"
        known = _keys(path)
        # A second key in the file whose work is not done is finished first, and no third is made.
        if len(known) == 1 or _all_under(parts, known[0]):
            _write(path, [Fernet.generate_key().decode(), *known])
    parts.vault.refresh()
    renewed = already = unreadable = 0
    for _ in range(PASSES):
        counts = sealed.renew(parts.store, parts.vault.renewed)
        renewed += counts["renewed"]
        already, unreadable = counts["already"], counts["unreadable"]
        if not counts["renewed"] and not counts["moved"]:
            break
    return Rotated(renewed, max(already - renewed, 0), unreadable)


def retire(parts: Runtime) -> int:
    """Forget all keys of the file but the newest; raises Refused while a secret is under one of the others."""
    if parts.settings.secret_key.get_secret_value():
        newest = parts.settings.secret_key.get_secret_value().split(",")[0].strip()
        if not _all_under(parts, newest):
            raise Refused("Secrets are still under an old key", do="First: handbill keys rotate")
        do = "Nothing is under the others: take them out of HANDBILL_SECRET_KEY and restart"
        raise HandbillError("The keys stand in the environment", do=do)
    path = parts.settings.data_dir / "secret.key"
    known = _keys(path)
    if not _all_under(parts, known[0]):
        raise Refused("Secrets are still under an old key", do="First: handbill keys rotate")
    _write(path, known[:1])
    return len(known) - 1


def _all_under(parts: Runtime, key: str) -> bool:
    newest = Vault(key)
    return all(newest.can_open(item) for _, _, item in sealed.sealed(parts.store))


def _keys(path: Path) -> list[str]:
    return [k.strip() for k in path.read_text().split(",") if k.strip()]


def _write(path: Path, known: list[str]) -> None:
    """In one step, on the disk, readable by nobody else: whoever reads it meets the old keys or the new ones."""
    part = path.with_name(f"{path.name}.part")
    with contextlib.suppress(FileNotFoundError):
        part.unlink()
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(",".join(known) + "\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
