"""A fixture read and played: its cases, the wire that answers as it tells, and the account that is asked to act."""

from __future__ import annotations

import dataclasses
import email
import hashlib
import json
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from publishers.contract.conversation import opened
from publishers.core.channel import Channel
from publishers.core.errors import PublishError
from publishers.core.http import Answer, Http, Said
from publishers.core.post import Commit, Facet, Media, Post, Prepared, Receipt
from publishers.core.publisher import Publisher

KEY = "5e1fc0de" * 5
AT = datetime(2026, 11, 24, 10, 15, 30, 250_000, tzinfo=UTC)
NOW = AT + timedelta(seconds=2)
LATER = AT + timedelta(minutes=20)

SCENES = ("connect", "create", "find", "read_back", "edit", "delete", "metrics", "refresh")
COMMITS = ("create", "edit", "delete")
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
LOST = (httpx.ReadError, httpx.ReadTimeout, httpx.WriteError, httpx.WriteTimeout, httpx.RemoteProtocolError)
UNREADABLE = {
    "nothing": b"",
    "a page": b"<html>It works!</html>",
    "an empty object": b"{}",
    "null": b"null",
    "a word": b'"yes"',
    "cut": b'{"ok": tr',
    "nested": b"[" * 100_000,
}
WORDS = "the platform's own words"

Told = Mapping[str, Any]
Fault = Callable[[int, httpx.Request], httpx.Response | None]


@dataclass(frozen=True, eq=False)
class Subject:
    """One adapter with its fixture (``publishers/README.md`` says how it is written)."""

    name: str
    kind: type[Publisher]
    told: Told

    @property
    def transport(self) -> str:
        """How the platform is spoken to."""
        return str(self.told.get("transport", "http"))

    def cases(self, *scenes: str) -> Iterator[tuple[str, Case]]:
        """Each case of these scenes, with its name, where they are played over HTTP."""
        if self.transport == "http":
            for scene in scenes:
                for number, told in enumerate(self.told.get(scene, [])):
                    yield f"{scene}-{told.get('name', number)}", Case(self, scene, told)

    def places(self, *scenes: str, repeatable: bool = False) -> Iterator[tuple[str, Case]]:
        """Each request of each such case, by its place; ``repeatable`` leaves the commits out."""
        for name, case in self.cases(*scenes):
            for place in range(len(case.exchange)):
                found = dataclasses.replace(case, place=place)
                if not (repeatable and found.is_commit):
                    yield f"{name}-{place}", found

    def secrets(self, *settings: Told) -> set[str]:
        """The values of ``settings`` that must never be shown."""
        known = self.kind.secrets()
        return {value for s in settings for key, value in s.items() if key in known and value}


@dataclass(frozen=True, eq=False)
class Case:
    """One case of a fixture; ``place`` is the request in question, where a check is about one."""

    subject: Subject
    scene: str
    told: Told
    place: int = 0

    @property
    def name(self) -> str:
        """The platform's name."""
        return self.subject.name

    @property
    def exchange(self) -> list[dict[str, Any]]:
        """Every request in order, each with its answer."""
        found: list[dict[str, Any]] = self.told["exchange"]
        return found

    @property
    def commit(self) -> int:
        """The place of the commit."""
        return next(n for n, step in enumerate(self.exchange) if step.get("commit"))

    @property
    def is_commit(self) -> bool:
        """Whether the request in question is the commit."""
        return bool(self.exchange[self.place].get("commit"))


def picture(number: int) -> bytes:
    """The bytes of the suite's pictures: no picture at all, for an adapter has no business looking inside."""
    return b"picture %d of the contract suite" % number


def content(text: str) -> bytes:
    """The bytes that a fixture means: ``<picture 1>`` is the first picture, all else is itself."""
    if text.startswith("<picture ") and text.endswith(">"):
        return picture(int(text.removeprefix("<picture ").removesuffix(">")))
    return text.encode()


def read_post(told: Told, folder: Path) -> Post:
    """The post that a fixture tells of, its pictures in ``folder``."""
    media = []
    for number, one in enumerate(told.get("media", []), 1):
        path = folder / f"picture-{number}"
        if not path.exists():
            path.write_bytes(picture(number))
        digest = hashlib.sha256(picture(number)).hexdigest()
        media.append(Media(**{"path": str(path), "sha256": digest, "size": len(picture(number)), **one}))
    facets = tuple(Facet(**f) for f in told.get("facets", []))
    return Post(**{**told, "facets": facets, "media": tuple(media)})


def read_receipt(told: Told | None) -> Receipt | None:
    """The receipt that a fixture tells of."""
    return None if told is None else Receipt(**told)


class _Body(httpx.SyncByteStream):
    """A body that has yet to be read, as one from a socket has."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def __iter__(self) -> Iterator[bytes]:
        yield self.body


def reply(status: int, body: bytes | str, **headers: str) -> httpx.Response:
    """An answer as it comes from a socket."""
    return httpx.Response(status, headers=headers, stream=_Body(body if isinstance(body, bytes) else body.encode()))


class Wire(Http):
    """Plays one exchange of a fixture in order and keeps what was sent, with the adapter's word on each request."""

    def __init__(self, exchange: list[dict[str, Any]], *, now: datetime = NOW, fault: Fault | None = None) -> None:
        self.exchange, self.fault = exchange, fault
        self.sent: list[httpx.Request] = []
        self.commits: list[bool] = []
        super().__init__(transport=httpx.MockTransport(self._reply), now=lambda: now)

    def send(self, method: str, url: str, *, commit: bool, **request: Any) -> Answer:
        """Send as ``Http`` does, and remember what the adapter thought of it."""
        self.commits.append(commit)
        return super().send(method, url, commit=commit, **request)

    def talk(
        self, url: str, say: Callable[[Channel], Said], *, commit: bool, seconds: float | None = None
    ) -> Said | Answer:
        """Open a WebSocket as ``Http`` does, and remember what the adapter thought of it."""
        self.commits.append(commit)
        return super().talk(url, say, commit=commit, seconds=seconds)

    def _reply(self, request: httpx.Request) -> httpx.Response:
        place = len(self.sent)
        self.sent.append(request)
        request.read()
        assert place < len(self.exchange), f"one request too many: {request.method} {request.url}"
        if self.fault is not None and (answer := self.fault(place, request)) is not None:
            return opened(request, answer.extensions["messages"]) if "messages" in answer.extensions else answer
        told = self.exchange[place].get("answer", {})
        if "messages" in told:
            return opened(request, told["messages"])
        body = json.dumps(told["json"]) if "json" in told else told.get("text", "")
        return reply(told.get("status", 200), body, **told.get("headers", {}))


def at(place: int, answer: httpx.Response | type[httpx.TransportError]) -> Fault:
    """A fault: this answer (or exception) at one place, the fixture's everywhere else."""

    def fault(here: int, request: httpx.Request) -> httpx.Response | None:
        if here != place:
            return None
        if isinstance(answer, type):
            raise answer(f"as seen at {request.url} with {dict(request.headers)} {request.content!r}", request=request)
        return answer

    return fault


class Stage:
    """A case ready to be played: by the same account, each time with a fresh client."""

    def __init__(self, case: Case, folder: Path) -> None:
        fixture = case.subject.told
        self.case, self.told, self.scene = case, case.told, case.scene
        self.settings = {**fixture["settings"], **self.told.get("settings", {})}
        for gone in self.told.get("without", []):
            self.settings.pop(gone, None)
        self.post = read_post(self.told.get("post") or fixture["create"][0]["post"], folder)
        self.reply_to, self.root = read_receipt(self.told.get("reply_to")), read_receipt(self.told.get("root"))
        self.target = read_receipt(self.told.get("target"))
        self.secrets = case.subject.secrets(self.settings)
        self.prepared: Prepared = {}

    def commit(self, prepared: Prepared) -> Commit:
        """The commit of the case's step."""
        return Commit(key=KEY, at=AT, prepared=prepared, reply_to=self.reply_to, root=self.root)

    def adapter(self, wire: Wire) -> Publisher:
        """The account, speaking over ``wire``."""
        return self.case.subject.kind(dict(self.settings), wire)

    def play(self, wire: Wire) -> Any:
        """What the adapter gives back, whatever the scene."""
        with wire:
            adapter = self.adapter(wire)
            match self.scene:
                case "create":
                    self.prepared = adapter.draft(self.post, KEY, self.reply_to)
                    return adapter.create(self.post, self.commit(json.loads(json.dumps(self.prepared))))
                case "edit":
                    assert self.target is not None
                    fresh = "prepared" in self.told  # pictures for the edit itself
                    commit = dataclasses.replace(self.commit(self.told.get("prepared", {})), fresh=fresh)
                    return adapter.edit(self.target, self.post, commit)
                case "find":
                    return adapter.find(self.post, self.commit(self.told.get("prepared", {})))
                case "read_back":
                    assert self.target is not None
                    return adapter.read_back(self.target, self.post)
                case "delete" | "metrics":
                    return getattr(adapter, self.scene)(self.target)
                case _:
                    return getattr(adapter, self.scene)()

    def outcome(self, answer: httpx.Response | type[httpx.TransportError]) -> tuple[PublishError | None, Wire]:
        """The error that ``answer`` at the case's place leads to, or None, and the wire it happened on."""
        wire = Wire(self.case.exchange, fault=at(self.case.place, answer))
        try:
            self.play(wire)
        except PublishError as error:
            return error, wire
        return None, wire


def as_told(request: httpx.Request) -> dict[str, Any]:
    """A request in the words of the fixture: its body by content type, its headers apart."""
    body, kind = request.content, request.headers.get("content-type", "")
    told: dict[str, Any] = {"method": request.method, "url": str(request.url)}
    if kind.startswith("application/json"):
        told["json"] = json.loads(body)
    elif kind.startswith("application/x-www-form-urlencoded"):
        told["form"] = dict(httpx.QueryParams(body.decode()).multi_items())
    elif kind.startswith("multipart/form-data"):
        message = email.message_from_bytes(b"Content-Type: %s\r\n\r\n" % kind.encode() + body)
        told["multipart"] = {}
        for part in message.walk():
            if part.is_multipart():
                continue
            field = str(part.get_param("name", header="content-disposition"))
            value = part.get_payload(decode=True)
            assert isinstance(value, bytes)
            named = part.get_filename()
            told["multipart"][field] = value.decode() if named is None else [named, value, part.get_content_type()]
    elif body:
        told["body"] = body
    if "messages" in request.extensions:
        told["messages"] = request.extensions["messages"]
    return told


def wanted(told: Told) -> dict[str, Any]:
    """The fixture's request with its pictures put in."""
    found = {k: v for k, v in told.items() if k != "headers"}
    if "body" in found:
        found["body"] = content(found["body"])
    if "multipart" in found:
        found["multipart"] = {
            k: [v[0], content(v[1]), v[2]] if isinstance(v, list) else v for k, v in found["multipart"].items()
        }
    return found


def raw(request: httpx.Request, fresh: Collection[str] = ()) -> tuple[Any, ...]:
    """A request to the byte, without the headers that the protocol wants new with each attempt."""
    headers = [(name, value) for name, value in sorted(request.headers.multi_items()) if name not in fresh]
    return request.method, str(request.url), headers, request.content, request.extensions.get("messages")


def plain(receipt: Receipt) -> Any:
    """A receipt as JSON has it."""
    return json.loads(json.dumps(dataclasses.asdict(receipt)))


def whole(told: Told) -> dict[str, Any]:
    """A receipt as the fixture tells it, with what it leaves out."""
    return {"url": None, "extra": {}, **told}


def shown(error: BaseException) -> str:
    """Everything that an error says, wherever it is looked at: what a traceback says of it and of what led to it."""
    said = [repr(error.__cause__)]
    one: BaseException | None = error
    while one is not None:
        said += [*traceback.format_exception_only(one), repr(one), repr(vars(one)), repr(one.args)]
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return "".join(said)
