"""How a post is kept in a folder on this machine: one JSON file per key, its pictures, and a page to browse them."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import functools
import heapq
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import jinja2

from publishers.core.errors import Unauthorized, Unavailable, Unconfirmed, Unsupported
from publishers.core.limits import Limits
from publishers.core.post import Commit, Post, Prepared, Receipt, Seen
from publishers.core.publisher import Profile, Proof, ProofClass, Publisher, Setting

TEMPLATES = Path(__file__).resolve().parent.parent / "templates" / "pages"
SUFFIX = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/gif": ".gif"}
KEY = re.compile(r"[0-9a-f]{40}")
FILE = re.compile(KEY.pattern + r"\.json")
PAGE = "index.html"
SHOWN = 100  # newest posts on the page; every post stays in the folder


class Outbox(Publisher):
    """A folder that takes posts the way a platform does, with no network: what is in it is what would be public."""

    label: ClassVar = "Outbox"
    team = True
    limits: ClassVar = Limits(
        text=5000,
        media=4,
        media_bytes=20_000_000,
        media_types=tuple(SUFFIX),
        alt=5000,
        cards=((1200, 630),),
        thread=True,
    )
    fields: ClassVar = (Setting(name="folder", label="Folder on this machine", default="{data_dir}/outbox"),)
    networked: ClassVar = False
    pasted: ClassVar = ""
    addressed: ClassVar = r"(?:^|#p-)([0-9a-f]{40})$"
    repictures: ClassVar = True
    proof: ClassVar = Proof(kind=ProofClass.A)

    def connect(self) -> Profile:
        folder = self._folder()
        with _disk("the folder cannot be written"), self._lock():
            self._browse()
        return Profile(name=folder.name, url=(folder / PAGE).as_uri(), settings={"folder": str(folder)})

    def prepare(self, post: Post, key: str) -> Prepared:
        kept = []
        with _disk("the picture cannot be kept"):
            self._folder().mkdir(parents=True, exist_ok=True)
            for number, media in enumerate(post.media, 1):
                if media.mime not in SUFFIX:
                    raise Unsupported(f"the outbox takes no {media.mime}")
                name = f"{_safe(key)}-{number}{SUFFIX[media.mime]}"
                self._write(self._folder() / name, media.read())
                kept.append({"file": name, "alt": media.alt, "width": media.width, "height": media.height})
        return {"media": kept} if kept else {}

    def create(self, post: Post, commit: Commit) -> Receipt:
        kept = {
            "key": _safe(commit.key),
            "at": commit.at.isoformat(),
            "reply_to": commit.reply_to.id if commit.reply_to else None,
            **_said(post, commit),
        }
        with _disk("the post cannot be kept"), self._lock():
            if not self._file(commit.key).exists():
                self._write(self._file(commit.key), _json(kept))
        return self._shown(commit.key)

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        del post
        with _disk("the folder cannot be read"):
            os.scandir(self._folder()).close()
            return (self._receipt(commit.key),) if self._file(commit.key).exists() else ()

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        with _disk("the folder cannot be read"):
            os.scandir(self._folder()).close()
            if not self._file(receipt.id).exists():
                return None
            kept = self._read(receipt.id)
            there = [m for m in kept["media"] if (self._folder() / str(m["file"])).exists()]
        return Seen(
            text=str(kept["text"]),
            same=kept["text"] == post.text,
            pictures=len(there),
            alts=tuple(str(m["alt"]) for m in there),
        )

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        with _disk("the post cannot be changed"), self._lock():
            kept = self._read(receipt.id)
            now = _said(post, commit)
            if "media" not in commit.prepared:
                now["media"] = kept["media"]  # an edit that prepared no pictures changes the words alone
            self._write(self._file(receipt.id), _json({**kept, **now, "edited": commit.at.isoformat()}))
            self._drop(kept, keep=now["media"])
        return self._shown(receipt.id)

    def delete(self, receipt: Receipt) -> None:
        with _disk("the post cannot be taken away"), self._lock():
            if not self._file(receipt.id).exists():
                return
            kept = self._read(receipt.id)
            self._file(receipt.id).unlink()
            self._drop(kept, keep=())
        self._shown(receipt.id)

    def _shown(self, key: str) -> Receipt:
        """The receipt, once the change is on disk for good and the page shows it."""
        try:
            with self._lock():
                _sync(self._folder())
                self._browse()
        except OSError as error:
            raise Unconfirmed(f"the folder has changed but its page has not ({error.strerror})") from None
        return self._receipt(key)

    def _receipt(self, key: str) -> Receipt:
        return Receipt(id=key, url=f"{(self._folder() / PAGE).as_uri()}#p-{key}")

    def _folder(self) -> Path:
        if not (folder := self.settings.get("folder", "")):
            raise Unauthorized("the outbox has no folder; connect it again")
        return Path(folder).expanduser().absolute()

    def _file(self, key: str) -> Path:
        return self._folder() / f"{_safe(key)}.json"

    def _read(self, key: str) -> dict[str, Any]:
        return dict(json.loads(self._file(key).read_bytes()))

    def _write(self, path: Path, content: bytes, *, durable: bool = True) -> None:
        """All of ``content`` or nothing, at once."""
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                os.fchmod(file.fileno(), 0o644)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _drop(self, kept: Mapping[str, Any], *, keep: Any) -> None:
        for picture in kept["media"]:
            if picture not in keep:
                (self._folder() / str(picture["file"])).unlink(missing_ok=True)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One writer at a time, whatever thread or process it runs in."""
        self._folder().mkdir(parents=True, exist_ok=True)
        with (self._folder() / ".lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _browse(self) -> None:
        """Write the page anew from the folder; call it under the lock."""
        with os.scandir(self._folder()) as entries:
            files = [(e.stat().st_mtime_ns, e.path) for e in entries if FILE.fullmatch(e.name)]
        posts = [json.loads(Path(path).read_bytes()) for _, path in heapq.nlargest(SHOWN, files)]
        html = _page().render(threads=_threads(posts), total=len(files), shown=len(posts), name=self._folder().name)
        self._write(self._folder() / PAGE, html.encode(), durable=False)


def _said(post: Post, commit: Commit) -> dict[str, Any]:
    words = dataclasses.asdict(dataclasses.replace(post, media=()))
    return {**words, "media": list(commit.prepared.get("media", ()))}


def _json(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, indent=1).encode()


def _safe(key: str) -> str:
    """``key`` if it can be a file's name and nothing else."""
    if not KEY.fullmatch(key):
        raise Unsupported(f"{key!r} is not a key of 40 hex digits")
    return key


@contextmanager
def _disk(what: str) -> Iterator[None]:
    """Whatever the disk refuses before the rename has certainly left nothing public."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"{what} ({error.strerror or errno.errorcode.get(error.errno or 0, 'disk')})") from None


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@functools.cache
def _page() -> jinja2.Template:
    loader = jinja2.FileSystemLoader(TEMPLATES)
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("outbox.html")


def _threads(posts: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The posts as a reader meets them: newest thread first, a thread in the order it was said."""
    by_key = {p["key"]: p for p in posts}
    threads: dict[str, list[dict[str, Any]]] = {}
    for post in posts:
        first, depth = post, 0
        while first["reply_to"] in by_key:
            first, depth = by_key[first["reply_to"]], depth + 1
        at, card = datetime.fromisoformat(post["at"]), _host(post["link"])
        shown = {**post, "at": at, "depth": depth, "runs": _runs(post), "card": card}
        threads.setdefault(first["key"], []).append(shown)
    ordered = [sorted(t, key=lambda p: (p["depth"], p["at"])) for t in threads.values()]
    return sorted(ordered, key=lambda t: t[0]["at"], reverse=True)


def _host(link: str | None) -> str:
    """Whose page a link card announces; empty for what is not a web address."""
    parts = urlsplit(link or "")
    return (parts.hostname or "").removeprefix("www.") if parts.scheme in {"https", "http"} else ""


def _runs(post: Mapping[str, Any]) -> list[dict[str, str]]:
    """The text in pieces that are plain, a link, a tag or a mention; only web addresses become links."""
    runs: list[dict[str, str]] = []
    done = 0
    for facet in sorted(post["facets"], key=lambda f: int(f["start"])):
        runs.append({"type": "plain", "text": post["text"][done : facet["start"]], "value": ""})
        web = facet["type"] != "link" or _host(facet["value"])
        said = post["text"][facet["start"] : facet["end"]]
        runs.append({"type": facet["type"] if web else "plain", "text": said, "value": facet["value"]})
        done = facet["end"]
    return [*runs, {"type": "plain", "text": post["text"][done:], "value": ""}]
