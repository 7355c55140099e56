"""Export, backup and import: everything at one instant into an archive, proved by reading it back, and out again."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from worker import lifecycle
from worker.embedded import Embedded
from worker.errors import HandbillError, Refused
from worker.keeping.archive import FOLDERS as PLACES
from worker.keeping.archive import LEFT_OUT, OWN_KEY, PASSPHRASE, Manifest, Reader, Writer, lock_of, moved, unlocked
from worker.runtime import Runtime
from worker.settings import Settings
from worker.store import Deliveries, Store, copying, keys, open_store
from worker.store.copying import Entry, Tally
from worker.store.redis import IMPORTING, SCHEMA
from worker.store.secrets import Vault, is_sealed

SHORTEST_PASSPHRASE = 12


@dataclass(frozen=True, slots=True)
class Restored:
    """What an import brought: ``waiting`` posts may still go out, and wait until somebody lets them."""

    manifest: Manifest
    files: int
    waiting: int


def export(parts: Runtime, path: Path, *, passphrase: str = "") -> Manifest:
    """Write everything into an archive; secrets under ``passphrase``, or left out where there is none."""
    if passphrase and len(passphrase) < SHORTEST_PASSPHRASE:
        raise HandbillError("The passphrase is too short", do=f"Take {SHORTEST_PASSPHRASE} characters or more")
    salt = os.urandom(16) if passphrase else b""
    lock = lock_of(passphrase, salt) if passphrase else None
    return _write(parts, path, _Sealer(parts.vault, lock), PASSPHRASE if passphrase else LEFT_OUT, salt)


def backup(parts: Runtime, path: Path) -> Manifest:
    """Write everything into an archive, secrets as they are stored, and prove it; raises HandbillError if it fails."""
    manifest = _write(parts, path, None, OWN_KEY, b"")
    try:
        verify(path, parts.vault)
    except HandbillError:
        path.rename(path.with_name(f"{path.name}.bad"))
        raise
    return manifest


def verify(path: Path, vault: Vault, *, passphrase: str = "") -> Manifest:
    """Read an archive into a server of its own and compare; raises HandbillError where anything differs."""
    with tempfile.TemporaryDirectory(prefix="handbill-verify-") as folder, Reader(path) as archive:
        if damaged := archive.damaged():
            raise HandbillError(f"{path} is damaged", why=damaged, do="Make another one")
        with Embedded.start(Path(folder), fsync="everysec") as server:
            store = open_store(server.url, trial=True)
            try:
                _restore(archive, store, vault, passphrase, None)
                Deliveries(store).count()
            finally:
                store.close()
        return archive.manifest


def bring_back(config: Settings, url: str, path: Path, vault: Vault, *, passphrase: str = "") -> Restored:
    """Read an archive into an empty store and data folder. Nothing of it is sent before somebody says so.

    Raises Refused where the store holds anything, and HandbillError for an archive that cannot be read.
    """
    with Reader(path) as archive:
        store = open_store(url, trial=config.trial, anew=True)
        try:
            if not copying.empty(store):
                do = "Import into an empty Redis and data folder"
                raise Refused("Nothing was imported", why=f"{store.where} already holds something", do=do)
            stopped = _restore(archive, store, vault, passphrase, config.data_dir, stop=True)
            store.check(trial=config.trial)
            deliveries = Deliveries(store)
            counts = deliveries.count()
            waiting = sum(n for status, n in counts.items() if status not in lifecycle.FINAL)
            if stopped and not waiting:
                deliveries.resume("all")
            files = archive.files(config.data_dir)
        finally:
            store.close()
        return Restored(archive.manifest, files, waiting)


def name_at(moment: datetime) -> str:
    """What a backup made then is called; names sort by time."""
    return f"handbill-{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}.zip"


def thin(folder: Path, keep: int) -> list[Path]:
    """Remove all but the newest ``keep`` backups of a folder; returns those that went."""
    found = sorted(folder.glob("handbill-????????T??????Z.zip"))
    gone = found[:-keep] if keep else []
    for path in gone:
        path.unlink()
    return gone


def _write(parts: Runtime, path: Path, sealer: _Sealer | None, secrets: str, salt: bytes) -> Manifest:
    data_dir = parts.settings.data_dir.resolve()
    tally = Tally()
    plain = _plain(sealer.lock.decrypt if sealer and sealer.lock else None)

    def told() -> Iterator[Entry]:
        for entry in copying.snapshot(parts.store):
            sent = sealer(entry) if sealer else entry
            if sent is not None:
                tally.add(plain(sent))
                yield sent

    with Writer(path) as archive:
        archive.records(told())
        files = archive.files(data_dir)
        manifest = Manifest(
            made_at=parts.now().isoformat(timespec="seconds"),
            handbill=metadata.version("handbill"),
            schema=SCHEMA,
            secrets=secrets,
            salt=salt.hex(),
            keys=tally.keys,
            digest=tally.digest,
            counts={what: n for what, n in sorted(tally.counts.items()) if what != "other"},
            files=files,
            places={name: str(data_dir / name) for name in PLACES},
            left_out=dict(sealer.left_out) if sealer else {},
        )
        archive.manifest(manifest)
    return manifest


def _restore(
    archive: Reader, store: Store, vault: Vault, passphrase: str, data_dir: Path | None, *, stop: bool = False
) -> bool:
    """Read an archive into a store, and compare; whether sending was stopped because of it.

    With ``stop`` it is stopped before anybody accepts the store: whoever dies here leaves no worker that sends.
    """
    manifest = archive.manifest
    if int(manifest.schema) > int(SCHEMA):
        do = "Use the version of Handbill that wrote it, or a newer one"
        raise HandbillError(f"{archive.path} is of schema {manifest.schema}", why=f"this is {SCHEMA}", do=do)
    lock = _lock_for(archive, vault, passphrase)
    move: Callable[[Entry], Entry] = moved(manifest.places, data_dir) if data_dir else lambda entry: entry
    sent, written = Tally(), Tally()
    before, after = (_plain(lock.decrypt), _plain(vault.open)) if lock else (_plain(None), _plain(None))

    def told() -> Iterator[Entry]:
        for entry in archive.entries():
            sent.add(before(entry))
            ours = move(_resealed(entry, lock, vault) if lock else entry)
            written.add(after(ours))
            yield ours

    store.client.set(keys.schema(), IMPORTING)
    copying.write(store, told(), now_ms=store.now_ms())
    if (sent.keys, sent.digest) != (manifest.keys, manifest.digest):
        raise HandbillError(f"{archive.path} is not what it says it is", do="Use another copy of it")
    found = Tally()
    for entry in copying.everything(store):
        found.add(after(entry))
    if (found.keys, found.digest) != (written.keys, written.digest):
        why = f"{found.keys} of {written.keys} keys"
        raise HandbillError(f"{store.where} does not hold what was written to it", why=why)
    deliveries = Deliveries(store)
    stopped = stop and "all" not in deliveries.paused()
    if stopped:
        why = f"read from an archive of {manifest.made_at}: what went out since is not known"
        deliveries.pause("all", until=None, why=why)
    store.client.set(keys.schema(), manifest.schema)
    return stopped


def _lock_for(archive: Reader, vault: Vault, passphrase: str) -> Fernet | None:
    """What the archive's secrets are under, tried on the first of them: None for the keys of this installation."""
    manifest = archive.manifest
    if manifest.secrets == LEFT_OUT:
        return None
    if manifest.secrets == PASSPHRASE and not passphrase:
        raise HandbillError("The secrets of this archive are under a passphrase", do="Give --passphrase-file")
    lock = lock_of(passphrase, bytes.fromhex(manifest.salt)) if manifest.secrets == PASSPHRASE else None
    first = next((i for entry in archive.entries() for i in entry.items if is_sealed(i)), None)
    if first is not None and lock is not None:
        unlocked(lock, first)
    elif first is not None:
        try:
            vault.open(first)
        except InvalidToken:
            do = "Give the keys it was made with: HANDBILL_SECRET_KEY, or secret.key in the data folder"
            raise HandbillError("The secrets of this archive cannot be read", why="no key fits", do=do) from None
    return lock


class _Sealer:
    """Puts secrets under the archive's own lock, or leaves them out; counts what does not travel."""

    def __init__(self, vault: Vault, lock: Fernet | None) -> None:
        self._vault = vault
        self.lock = lock
        self.left_out: dict[str, int] = {}

    def __call__(self, entry: Entry) -> Entry | None:
        hidden = keys.fleeting() if self.lock else keys.personal()
        if entry.key.startswith(hidden):
            if entry.items:
                self._count("proofs of who somebody is")
            return None
        if not any(is_sealed(i) for i in entry.items):
            return entry
        if self.lock:
            try:
                items = tuple(self.lock.encrypt(self._vault.open(i)) if is_sealed(i) else i for i in entry.items)
                return replace(entry, items=items)
            except InvalidToken:
                self._count("secrets that no key fits")
        return self._without(entry)

    def _without(self, entry: Entry) -> Entry:
        items = entry.items
        if entry.kind == "hash":
            pairs = list(zip(items[::2], items[1::2], strict=True))
            kept = [pair for pair in pairs if not is_sealed(pair[1])]
            items = tuple(x for pair in kept for x in pair)
            self._count("secrets", len(pairs) - len(kept))
        else:
            items = tuple(i for i in items if not is_sealed(i))
            self._count("secrets", len(entry.items) - len(items))
        return replace(entry, items=items)

    def _count(self, what: str, number: int = 1) -> None:
        self.left_out[what] = self.left_out.get(what, 0) + number


def _resealed(entry: Entry, lock: Fernet, vault: Vault) -> Entry:
    items: Iterable[bytes] = (vault.seal(unlocked(lock, i)) if is_sealed(i) else i for i in entry.items)
    return replace(entry, items=tuple(items))


def _plain(opened: Callable[[bytes], bytes] | None) -> Callable[[Entry], Entry]:
    """An entry with its secrets in clear, for counting alone: encrypted, the same secret never looks the same."""

    def change(entry: Entry) -> Entry:
        if opened is None or not any(is_sealed(i) for i in entry.items):
            return entry
        return replace(entry, items=tuple(opened(i) if is_sealed(i) else i for i in entry.items))

    return change
