"""The archive format: one ZIP file with a manifest, a line of JSON for each key, and pictures. See docs/archive.md."""

from __future__ import annotations

import base64
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from worker.errors import HandbillError
from worker.store import keys
from worker.store.copying import OF_THE_SERVER, WRITERS, Entry

FORMAT, VERSION = "handbill-archive", 1
RECORDS, MANIFEST = "records.jsonl", "manifest.json"
FOLDERS = ("media", "brand", "receipts")
"""Folders of the data folder that travel along."""

COST, BLOCK, LANES = 2**15, 8, 1
"""scrypt as RFC 7914 names them: 32 MiB and about 0.1 s for each guess at a passphrase."""

LONGEST_MANIFEST, LONGEST_LINE = 1_000_000, 256_000_000
"""Bytes of what is read at once; a line holds at most ``copying.PART`` pairs."""

SMALL, MOST_TIMES = 64_000_000, 200
"""An archive unpacks to so many bytes, or so many times its own size, at the most: records shrink to a tenth."""

UNREADABLE = (zipfile.BadZipFile, zlib.error, ValueError, KeyError, TypeError, OSError, RuntimeError, EOFError)
"""What a file that is no archive, is damaged, or was made to harm may raise."""

LEFT_OUT, PASSPHRASE, OWN_KEY = "left out", "passphrase", "own key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an archive says of itself; ``secrets`` is ``left out``, ``passphrase`` or ``own key``.

    ``keys`` and ``digest`` are those of ``worker.store.copying.Tally``; ``left_out`` counts by what was left out;
    ``places`` is where each folder lay, for paths that posts remember.
    """

    made_at: str
    handbill: str
    schema: str
    secrets: str
    keys: int
    digest: str
    files: int
    counts: Mapping[str, int]
    places: Mapping[str, str]
    salt: str = ""
    left_out: Mapping[str, int] = field(default_factory=dict)
    format: str = FORMAT
    version: int = VERSION


def lock_of(passphrase: str, salt: bytes) -> Fernet:
    """What secrets travel under; the same for the same passphrase and salt."""
    key = Scrypt(salt=salt, length=32, n=COST, r=BLOCK, p=LANES).derive(passphrase.encode())
    return Fernet(base64.urlsafe_b64encode(key))


class Writer:
    """Writes one archive: entries first, then files, then what it says of itself. The file appears when it is whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._part = path.with_name(f"{path.name}.part")

    def __enter__(self) -> Self:
        try:
            handle = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        except OSError as error:
            raise HandbillError(f"{self.path} cannot be written", why=str(error.strerror)) from None
        self._file = os.fdopen(handle, "wb")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED, compresslevel=3)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if kind is None:
            self._part.replace(self.path)
        else:
            self._part.unlink(missing_ok=True)

    def records(self, entries: Iterable[Entry]) -> None:
        """Every entry as one line."""
        with self._zip.open(RECORDS, "w", force_zip64=True) as file:
            for entry in entries:
                file.write(_line(entry) + b"\n")

    def files(self, data_dir: Path) -> int:
        """The pictures; returns how many. A file that is being written or goes away meanwhile is nobody's yet."""
        count = 0
        for folder in FOLDERS:
            for path in sorted((data_dir / folder).rglob("*")):
                name = path.relative_to(data_dir).as_posix()
                if path.is_file() and not path.is_symlink():
                    self._zip.write(path, name, zipfile.ZIP_STORED)
                    count += 1
        return count

    def manifest(self, manifest: Manifest) -> None:
        """What the archive says of itself; the last thing in it."""
        self._zip.writestr(MANIFEST, json.dumps(asdict(manifest), indent=2, ensure_ascii=False))


class Reader:
    """Reads an archive; raises HandbillError in one clear line for a file that is none, is cut off or is newer."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Self:
        try:
            self._zip = zipfile.ZipFile(self.path)
            self._refuse_bomb()
            told = _checked(json.loads(_whole(self._zip, MANIFEST, LONGEST_MANIFEST)))
        except FileNotFoundError:
            raise HandbillError(f"There is no file {self.path}") from None
        except UNREADABLE as error:
            do = "Give a file that handbill export or backup wrote"
            raise HandbillError(f"{self.path} is no archive of Handbill", why=str(error).strip("'"), do=do) from None
        if told["version"] != VERSION:
            do = "Use the version of Handbill that wrote it, or a newer one"
            raise HandbillError(
                f"{self.path} is of archive version {told['version']}", why=f"this reads {VERSION}", do=do
            )
        try:
            self.manifest = Manifest(**told)
            int(self.manifest.schema), bytes.fromhex(self.manifest.salt), dict(self.manifest.places)
        except UNREADABLE as error:
            raise HandbillError(f"{self.path} is damaged", why=str(error), do="Use another copy of it") from None
        return self

    def _refuse_bomb(self) -> None:
        size, whole = self.path.stat().st_size, sum(info.file_size for info in self._zip.infolist())
        if whole > max(SMALL, MOST_TIMES * size):
            why = f"{size / 1e6:,.1f} MB would become {whole / 1e6:,.0f}"
            raise ValueError(f"it is made to fill a disk: {why}")

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def entries(self) -> Iterator[Entry]:
        """Every entry, in the order in which it was written."""
        try:
            with self._zip.open(RECORDS) as file:
                while line := file.readline(LONGEST_LINE + 1):
                    if len(line) > LONGEST_LINE:
                        raise ValueError("a line of it has no end")
                    yield _entry(json.loads(line))
        except UNREADABLE as error:
            raise HandbillError(f"{self.path} is damaged", why=str(error), do="Use another copy of it") from None

    def files(self, data_dir: Path) -> int:
        """Put the pictures into a data folder; what is there under the same name stays. Returns how many there are.

        Raises HandbillError for a file that leads elsewhere, and where the disk has no room for all of them.
        """
        count = 0
        data_dir.mkdir(parents=True, exist_ok=True)
        wanted, free = sum(i.file_size for i in self._zip.infolist()), shutil.disk_usage(data_dir).free
        if wanted > free:
            why = f"{wanted / 1e9:.1f} GB are wanted, and {free / 1e9:.1f} are free"
            raise HandbillError(f"{data_dir} has no room for the pictures", why=why, do="Make room, then import again")
        for info in self._zip.infolist():
            folder, _, _ = info.filename.partition("/")
            if folder not in FOLDERS or info.is_dir():
                continue
            target = (data_dir / info.filename).resolve()
            if not target.is_relative_to((data_dir / folder).resolve()):
                raise HandbillError(f"{self.path} holds a file that leads elsewhere", why=info.filename)
            count += 1
            if target.exists():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f"{target.name}.part")
            try:
                with self._zip.open(info) as packed, part.open("wb") as file:
                    shutil.copyfileobj(packed, file)
            except UNREADABLE as error:
                part.unlink(missing_ok=True)
                raise HandbillError(f"{self.path} is damaged", why=str(error), do="Use another copy of it") from None
            part.replace(target)
        return count

    def damaged(self) -> str:
        """The first file whose check sum is wrong; empty if all is well."""
        try:
            return self._zip.testzip() or ""
        except UNREADABLE as error:
            return str(error)


def moved(places: Mapping[str, str], data_dir: Path) -> Callable[[Entry], Entry]:
    """Lets posts find their pictures where the data folder is now: paths stand as JSON inside their steps."""
    pairs = [
        (json.dumps(old)[1:-1].encode(), json.dumps(str(data_dir.resolve() / folder))[1:-1].encode())
        for folder, old in places.items()
        if old != str(data_dir.resolve() / folder)
    ]

    def change(entry: Entry) -> Entry:
        items = entry.items
        for old, new in pairs:
            items = tuple(item.replace(old + b"/", new + b"/") if old in item else item for item in items)
        return replace(entry, items=items)

    return change


def unlocked(lock: Fernet, item: bytes) -> bytes:
    """What a secret says that travelled under a passphrase; raises HandbillError if it is another one."""
    try:
        return lock.decrypt(item)
    except InvalidToken:
        raise HandbillError("The passphrase is not the archive's", do="Give the one it was exported with") from None


def _checked(told: Any) -> dict[str, Any]:
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise ValueError("its manifest is of something else")
    return told


def _line(entry: Entry) -> bytes:
    told: dict[str, Any] = {"key": entry.key, "type": entry.kind, "items": [_text(i) for i in entry.items]}
    if entry.expires:
        told["expires"] = entry.expires
    if entry.part:
        told["part"] = entry.part
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def _whole(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    with archive.open(name) as file:
        found = file.read(most + 1)
    if len(found) > most:
        raise ValueError(f"its {name} has no end")
    return found


def _entry(told: dict[str, Any]) -> Entry:
    """One line; raises ValueError for what is no key of ours, or none that travels."""
    key, kind = str(told["key"]), str(told["type"])
    if not key.startswith(f"{keys.PREFIX}:{{") or key in OF_THE_SERVER or kind not in {*WRITERS, "none"}:
        raise ValueError(f"{key[:60]!r} does not belong into an archive")
    if kind in {"hash", "zset"} and len(told["items"]) % 2:
        raise ValueError(f"{key[:60]!r} holds half a pair")
    items = tuple(base64.b64decode(i["base64"]) if isinstance(i, dict) else str(i).encode() for i in told["items"])
    return Entry(key, kind, items, int(told.get("expires", 0)), int(told.get("part", 0)))


def _text(item: bytes) -> str | dict[str, str]:
    try:
        return item.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(item).decode()}
