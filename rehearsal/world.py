"""What the stand-ins share: posts kept on disk, pictures, accounts, and faults to order. Stand-ins, not platforms."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
import re
import struct
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

URN = "urn:li:share:"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
SUFFIX = {"image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/webp": ".webp"}
Fault = Literal[
    "429",  # refused for now, nothing taken
    "500-before",  # a server error, nothing taken
    "drop-before",  # the connection closes, nothing taken
    "hang",  # no answer ever, nothing taken
    "500-after",  # taken, then a server error
    "accept-then-drop",  # taken, then the connection closes
    "accept-then-hang",  # taken, then no answer ever
    "garbled",  # taken, then a 200 that cannot be read
]
BEFORE: frozenset[Fault] = frozenset({"429", "500-before", "drop-before", "hang"})
FAULTS: tuple[Fault, ...] = (
    "429",
    "500-before",
    "drop-before",
    "hang",
    "500-after",
    "accept-then-drop",
    "accept-then-hang",
    "garbled",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One uploaded picture; ``path`` is relative to the account's folder, sizes are pixels and bytes."""

    id: str
    path: str
    mime: str
    width: int
    height: int
    size: int
    alt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One post as its readers would see it. ``facets`` are {type, start, end, value} in code points;
    ``card`` is {url, title, description} or None; ``own`` is what the platform keeps for itself.
    """

    platform: str
    account: str
    id: str
    at: str
    text: str
    permalink: str
    facets: Sequence[Mapping[str, Any]] = ()
    card: Mapping[str, str] | None = None
    pictures: Sequence[Picture] = ()
    reply_to: str | None = None
    key: str = ""
    deleted: bool = False
    own: Mapping[str, Any] = field(default_factory=dict)


class Account:
    """One account's folder: ``posts/<id>.json`` and ``media/``; read at the start, written before an answer leaves."""

    def __init__(self, root: Path, platform: str, name: str) -> None:
        self.platform, self.name = platform, name
        self.folder = root / platform / name
        self.posts: dict[str, Received] = {}
        self.pictures: dict[str, Picture] = {}
        self._by_key: dict[str, str] = {}
        self._by_text: dict[str, set[str]] = {}
        for file in sorted((self.folder / "posts").glob("*.json")):
            self._index(_received(json.loads(file.read_bytes())))
        for file in sorted((self.folder / "media").glob("*.json")):
            picture = Picture(**json.loads(file.read_bytes()))
            self.pictures[picture.id] = picture
        numbers = (n.removeprefix(URN) for n in [*self.posts, *self.pictures])
        self._last = max((int(n) for n in numbers if n.isdecimal()), default=0)

    @property
    def number(self) -> int:
        """A number that is this account's own and always the same."""
        return int.from_bytes(hashlib.sha256(f"{self.platform}/{self.name}".encode()).digest()[:6]) + 1

    @property
    def living(self) -> list[Received]:
        """What readers can see, newest first."""
        return sorted((p for p in self.posts.values() if not p.deleted), key=lambda p: (p.at, p.id), reverse=True)

    def snowflake(self, now: datetime) -> str:
        """An id made of the time, larger than every one before."""
        self._last = max(self._last + 1, int(now.timestamp() * 1000) << 16)
        return str(self._last)

    def counted(self) -> str:
        """The next id of a platform that counts 1, 2, 3."""
        self._last += 1
        return str(self._last)

    def alive(self, number: str) -> Received | None:
        """The post ``number`` if readers can see it."""
        post = self.posts.get(number)
        return post if post and not post.deleted else None

    def keyed(self, key: str) -> Received | None:
        """The living post that was sent with idempotency key ``key``."""
        return self.alive(self._by_key.get(key, "")) if key else None

    def saying(self, text: str) -> list[Received]:
        """The living posts with exactly this text."""
        return [p for number in self._by_text.get(text, ()) if (p := self.alive(number)) and p.text == text]

    def keep(self, post: Received) -> Received:
        """Store a post, new or changed."""
        _write(self.folder / "posts" / f"{_file(post.id)}.json", _json(dataclasses.asdict(post)))
        self._index(post)
        return post

    def _index(self, post: Received) -> None:
        self.posts[post.id] = post
        self._by_key[post.key] = post.id
        self._by_text.setdefault(post.text, set()).add(post.id)

    def remove(self, post: Received) -> None:
        """Take a post from readers; its file stays, as evidence."""
        self.keep(dataclasses.replace(post, deleted=True))

    def keep_picture(self, number: str, content: bytes, *, alt: str = "") -> Picture | None:
        """Store a picture; None if the bytes are not one."""
        found = inspect(content)
        if found is None:
            return None
        mime, width, height = found
        path = f"media/{_file(number)}{SUFFIX[mime]}"
        picture = Picture(id=number, path=path, mime=mime, width=width, height=height, size=len(content), alt=alt)
        _write(self.folder / path, content)
        return self.describe(picture, alt)

    def describe(self, picture: Picture, alt: str) -> Picture:
        """Store a picture's alt text."""
        picture = dataclasses.replace(picture, alt=alt)
        _write(self.folder / "media" / f"{_file(picture.id)}.json", _json(dataclasses.asdict(picture)))
        self.pictures[picture.id] = picture
        return picture


class Faults:
    """What goes wrong at the commits of one platform: a list first, then a share of ``ratio`` drawn from ``kinds``."""

    def __init__(
        self, queue: Sequence[Fault] = (), *, ratio: float = 0.0, kinds: Sequence[Fault] = FAULTS, seed: int = 0
    ) -> None:
        self._queue = deque(queue)
        self._ratio, self._kinds = ratio, tuple(kinds)
        self._random = random.Random(seed)  # noqa: S311 - repeatable faults, no secret

    def next(self) -> Fault | None:
        """The fault of the next commit, if any."""
        if self._queue:
            return self._queue.popleft()
        return self._random.choice(self._kinds) if self._random.random() < self._ratio else None

    @staticmethod
    def read(order: Any) -> Faults:
        """From a list of faults, or {"list", "ratio", "kinds", "seed"}; raises ValueError for what is neither."""
        if isinstance(order, list):
            order = {"list": order}
        if not isinstance(order, dict) or set(order) - {"list", "ratio", "kinds", "seed"}:
            raise ValueError("expected a list of faults or an object with list, ratio, kinds, seed")
        queue, kinds = order.get("list", []), order.get("kinds", list(FAULTS))
        if unknown := {str(f) for f in [*queue, *kinds]} - set(FAULTS):
            raise ValueError(f"unknown faults {sorted(unknown)}; there are {', '.join(FAULTS)}")
        return Faults(queue, ratio=float(order.get("ratio", 0)), kinds=kinds, seed=int(order.get("seed", 0)))


class World:
    """Every account of every stand-in, kept under ``root``; ``now`` is the stand-ins' clock."""

    def __init__(self, root: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.root, self.now = root, now
        self.faults: dict[str, Faults] = {}
        self.accounts = {
            (p.parent.name, p.name): Account(root, p.parent.name, p.name) for p in root.glob("*/*") if p.is_dir()
        }

    def account(self, platform: str, name: str) -> Account:
        """The account, made on first sight; HTTP 404 if the name cannot be one."""
        if not NAME.fullmatch(name):
            raise HTTPException(404)
        if (platform, name) not in self.accounts:
            self.accounts[platform, name] = Account(self.root, platform, name)
        return self.accounts[platform, name]

    def fault(self, platform: str) -> Fault | None:
        """What shall go wrong at this commit."""
        faults = self.faults.get(platform)
        return faults.next() if faults else None

    def seen(self, *, deleted: bool = False) -> list[dict[str, Any]]:
        """Every post received, oldest first, as ``seen`` reads it from disk."""
        posts = [p for a in self.accounts.values() for p in a.posts.values()]
        return _shown(self.root, posts, deleted=deleted)

    def counts(self) -> dict[str, dict[str, int]]:
        """How many posts each account has received, deleted ones too."""
        counts: dict[str, dict[str, int]] = {}
        for (platform, name), account in sorted(self.accounts.items()):
            counts.setdefault(platform, {})[name] = len(account.posts)
        return counts


def seen(folder: str | Path, *, deleted: bool = False) -> list[dict[str, Any]]:
    """Every post the stand-ins kept under ``folder``, oldest first, read from disk: no server needed.

    Each is {platform, account, id, at, text, facets, card, pictures: [{path, alt, mime, width, height, size}],
    permalink, reply_to, key, deleted}; ``at`` is ISO 8601, picture paths are absolute. Without ``deleted``, only what
    readers can still see.
    """
    root = Path(folder)
    posts = [_received(json.loads(f.read_bytes())) for f in root.glob("*/*/posts/*.json")]
    return _shown(root, posts, deleted=deleted)


class Platform(ABC):
    """One stand-in: the real API's paths under ``/<name>/<account>``."""

    name: ClassVar[str]
    desk: Any = None
    """Where it gives tokens (``rehearsal.oauth``), if people can be asked for consent."""
    public: ClassVar[str]
    """The path of a post's page as the real platform would spell it, with ``{number}``."""

    def __init__(self, world: World) -> None:
        self.world = world

    @abstractmethod
    def routes(self) -> Sequence[BaseRoute]:
        """The API's paths below the account's prefix."""

    @abstractmethod
    def trouble(self, status: int) -> Response:
        """A 429 or 500 in the platform's own shape."""

    def account(self, request: Request) -> Account:
        """Whose API is spoken to."""
        return self.world.account(self.name, request.path_params["account"])

    def home(self, request: Request) -> str:
        """The address of this account's stand-in."""
        return f"{str(request.base_url).rstrip('/')}/{self.name}/{self.account(request).name}"

    def permalink(self, request: Request, number: str) -> str:
        """Where a reader finds a post."""
        return f"{self.home(request)}/posts/{number}"

    async def commit(self, take: Callable[[], Awaitable[Response]]) -> Response:
        """Take a post with ``take``, unless a fault was ordered."""
        fault = self.world.fault(self.name)
        if fault not in BEFORE:
            try:
                answer = await take()
            except Refused as refused:
                answer = refused.answer
        match fault:
            case None:
                return answer
            case "429":
                return self.trouble(429)
            case "500-before" | "500-after":
                return self.trouble(500)
            case "garbled":
                return Response('{"id": "', media_type="application/json")
            case "hang" | "accept-then-hang":
                return Silence()
            case _:
                return Silence(closed=True)


class Refused(Exception):
    """The platform says no: ``answer`` is how."""

    def __init__(self, answer: Response) -> None:
        super().__init__(answer.status_code)
        self.answer = answer


class Silence(Response):
    """No answer: the connection is closed at once, or held until the other side gives up."""

    def __init__(self, *, closed: bool = False) -> None:
        super().__init__()
        self._closed = closed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del send
        if self._closed:
            scope["rehearsal.close"]()
        while (await receive())["type"] != "http.disconnect":
            pass


def bearer(request: Request) -> str:
    """The bearer token; empty if there is none."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


async def body_of(request: Request) -> dict[str, Any]:
    """The request's fields, from JSON or a form; a file is its bytes. HTTP 400 if it is neither."""
    if "json" in request.headers.get("content-type", ""):
        try:
            body = await request.json()
        except ValueError as error:
            raise HTTPException(400, "the body is not JSON") from error
        return body if isinstance(body, dict) else {}
    async with request.form() as form:
        fields: dict[str, Any] = {}
        for name, value in form.multi_items():
            said = await value.read() if isinstance(value, UploadFile) else value
            if name.endswith("[]"):
                fields.setdefault(name.removesuffix("[]"), []).append(said)
            else:
                fields[name] = said
        return fields


def inspect(content: bytes) -> tuple[str, int, int] | None:
    """A picture's type and pixels, read from its own bytes; None if it is none we know."""
    if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) >= 24:
        width, height = struct.unpack(">II", content[16:24])
        return "image/png", width, height
    if content.startswith((b"GIF87a", b"GIF89a")) and len(content) >= 10:
        width, height = struct.unpack("<HH", content[6:10])
        return "image/gif", width, height
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp", 0, 0
    if content.startswith(b"\xff\xd8"):
        place = 2
        while place + 9 < len(content) and content[place] == 0xFF:
            marker, length = content[place + 1], int.from_bytes(content[place + 2 : place + 4])
            if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
                height, width = struct.unpack(">HH", content[place + 5 : place + 9])
                return "image/jpeg", width, height
            place += 2 + length
    return None


def _received(record: dict[str, Any]) -> Received:
    return Received(**{**record, "pictures": [Picture(**p) for p in record["pictures"]]})


def _shown(root: Path, posts: Sequence[Received], *, deleted: bool) -> list[dict[str, Any]]:
    shown = []
    for post in sorted(posts, key=lambda p: (p.at, p.platform, p.account, p.id)):
        if post.deleted and not deleted:
            continue
        record = dataclasses.asdict(post)
        del record["own"]
        for picture in record["pictures"]:
            picture["path"] = str((root / post.platform / post.account / picture["path"]).resolve())
        shown.append(record)
    return shown


def _file(number: str) -> str:
    """A file name for an id that may hold colons or slashes."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", number)


def _json(record: Any) -> bytes:
    return json.dumps(record, ensure_ascii=False, indent=1).encode()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(content)
    os.replace(temporary, path)  # noqa: PTH105 - one syscall: the post is there or it is not
