"""Platforms that misbehave on purpose: one fast server on loopback for every class of proof, and the log of the truth.

``/<place>/<path>`` is one account's platform; the part of ``<place>`` before a ``-`` is its class (A, A2, B or C), the
rest tells accounts apart. Places whose name holds ``slow`` commit later than any look-up of ours comes.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import json
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

SURE = ("fine", "refused", "limited")
"""Fates of a commit that leave no doubt: it was answered, or it was told to come back before anything was done."""

COMMIT_FATES = {
    "vanish": 5,  # the message is there, the answer is not
    "hang": 2,  # the same, and the line stays open
    "late": 3,  # the line drops at once, the message appears later
    "drop": 3,  # nothing was done, and nobody says so
    "error after": 4,
    "error before": 3,
    "garbled": 3,
    "limited": 3,
    "refused": 1,  # a 503 that says it was too busy to begin; a client cannot know that it did not
}
"""How often, relative to each other, each fault befalls a commit."""

READ_FATES = {"drop": 3, "hang": 1, "error before": 3, "garbled": 3, "limited": 1}
LATE = (0.1, 2.0)
HANG = 30.0
RETRY_AFTER = 0.3


@dataclass(slots=True)
class Place:
    """One account's platform: its messages by number, and what makes a repeated commit the same one."""

    kind: str
    slow: bool
    messages: dict[int, str] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)
    drafts: dict[int, str] = field(default_factory=dict)
    by_text: dict[str, list[int]] = field(default_factory=lambda: collections.defaultdict(list))


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: ``what`` is ``asked`` (a commit arrived, with its fate) or ``public``."""

    at: float
    place: str
    what: str
    text: str
    fate: str


class World:
    """All places, the dice, and the truth."""

    commit_fates: Mapping[str, int] = COMMIT_FATES
    read_fates: Mapping[str, int] = READ_FATES

    def __init__(
        self,
        *,
        seed: int,
        faults: float,
        pace: tuple[float, float] = (0.0, 0.0),
        late: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._dice = random.Random(seed)
        self._clock = clock
        self.faults = faults
        self._pace = pace
        self._late = late
        self._places: dict[str, Place] = {}
        self._number = 0
        self.events: list[Event] = []

    def place(self, name: str) -> Place:
        """The platform called ``name``; it comes into being when it is first asked for."""
        if name not in self._places:
            self._places[name] = Place(kind=name.partition("-")[0], slow="slow" in name)
        return self._places[name]

    def fate(self, fates: Mapping[str, int]) -> str:
        """What befalls a request."""
        if self._dice.random() >= self.faults:
            return "fine"
        return self._dice.choices(list(fates), list(fates.values()))[0]

    def pace(self) -> float:
        """Seconds that a request takes."""
        return self._dice.uniform(*self._pace)

    def lateness(self, place: Place) -> float:
        """Seconds until a message appears whose line was dropped."""
        return self._late if place.slow else self._dice.uniform(*LATE)

    def note(self, name: str, what: str, text: str, fate: str) -> None:
        """Write down what happened."""
        self.events.append(Event(self._clock(), name, what, text, fate))

    def next_number(self) -> int:
        """A number never used before."""
        self._number += 1
        return self._number

    def publish(self, name: str, text: str, key: str) -> int:
        """Make a message public, unless this place knows by ``key`` that it is; returns its number."""
        place = self.place(name)
        if key and key in place.keys:
            return place.keys[key]
        number = self.next_number()
        place.messages[number] = text
        place.by_text[text].append(number)
        if key:
            place.keys[key] = number
        self.note(name, "public", text, "")
        return number


class Hang(Exception):
    """The line stays open and nothing is said."""


class Drop(Exception):
    """The line is cut."""


Reply = tuple[int, bytes, str]


async def answer(world: World, method: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
    """What the world says to one request: status, body, and a header line; raises Hang or Drop."""
    parts = urlsplit(target)
    name, _, path = parts.path.lstrip("/").partition("/")
    if name == "_truth":
        return 200, json.dumps([[e.at, e.place, e.what, e.text, e.fate] for e in world.events]).encode(), ""
    if name == "_faults":
        world.faults = float(path)
        return 200, b"{}", ""
    if method == "POST" and (path == "posts" or path.endswith("/publish")):
        return await _commit(world, name, path, headers, body)
    fate = world.fate(world.read_fates)
    await asyncio.sleep(world.pace())
    if (bad := misbehave(fate)) is not None:
        return bad
    found = read(world, name, path, parse_qs(parts.query), body)
    return (404, b"{}", "") if found is None else (200, json.dumps(found).encode(), "")


def read(world: World, name: str, path: str, query: Mapping[str, list[str]], body: bytes) -> Any:
    """What there is at a path; a draft is made where one is sent."""
    place = world.place(name)
    if path == "me":
        return {"name": name}
    if path == "posts":
        return place.by_text.get(unquote(query["text"][0]), [])
    if path == "drafts":
        number = world.next_number()
        place.drafts[number] = json.loads(body)["text"]
        return {"id": number}
    if path.startswith("drafts/"):
        draft = path.split("/")[1]
        number = place.keys.get(draft, 0)
        return {"id": number or int(draft), "state": "published" if number else "draft"}
    return None


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit that has arrived, and what will befall it."""

    name: str
    text: str
    key: str
    fate: str


def arrived(world: World, name: str, path: str, headers: Mapping[str, str], body: bytes) -> Commit:
    """Read a commit, roll the dice for it and write down that it was asked for."""
    place = world.place(name)
    draft = path.split("/")[1] if path.startswith("drafts/") else ""
    text = place.drafts[int(draft)] if draft else str(json.loads(body)["text"])
    key = draft or (headers.get("idempotency-key", "") if place.kind == "A" else "")
    fate = world.fate(world.commit_fates)
    if fate == "fine" and place.slow and world.faults:
        fate = "late"
    world.note(name, "asked", text, fate)
    return Commit(name, text, key, fate)


def done(world: World, commit: Commit) -> Reply:
    """Make it public, or not, and say so, or not; whoever lets time pass does that for ``late`` ones."""
    if commit.fate in {"drop", "error before", "limited", "refused", "unauthorized"}:
        bad = misbehave(commit.fate)
        assert bad is not None
        return bad
    if commit.fate == "late":
        raise Drop
    number = world.publish(commit.name, commit.text, commit.key)
    bad = misbehave({"vanish": "drop", "error after": "error before"}.get(commit.fate, commit.fate))
    return bad or (200, json.dumps({"id": number}).encode(), "")


async def _commit(world: World, name: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
    commit = arrived(world, name, path, headers, body)
    await asyncio.sleep(world.pace())
    if commit.fate == "late":
        later = world.lateness(world.place(name))
        asyncio.get_running_loop().call_later(later, world.publish, name, commit.text, commit.key)
    return done(world, commit)


def misbehave(fate: str) -> Reply | None:
    """The answer that a fate gives, None if it gives a good one; raises Hang or Drop."""
    if fate == "drop":
        raise Drop
    if fate == "hang":
        raise Hang
    if fate == "error before":
        return 500, b'{"error": "something went wrong"}', ""
    if fate == "refused":
        return 503, b'{"error": "too busy"}', ""
    if fate == "unauthorized":
        return 401, b'{"error": "this token has expired"}', ""
    if fate == "limited":
        return 429, b'{"error": "slow down"}', f"Retry-After: {RETRY_AFTER}\r\n"
    if fate == "garbled":
        return 200, b'{"id": 12', ""
    return None


class Line(asyncio.Protocol):
    """One connection: just enough of HTTP/1.1."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._buffer = b""
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, rest = self._buffer.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
            size = int(headers.get("content-length", 0))
            if len(rest) < size:
                return
            self._buffer = rest[size:]
            method, target, _ = first.split(" ", 2)
            task = asyncio.get_running_loop().create_task(self._say(method, target, headers, rest[:size]))
            self._tasks.add(task)  # a loop keeps only weak references to its tasks
            task.add_done_callback(self._tasks.discard)

    async def _say(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        try:
            status, content, extra = await answer(self._world, method, target, headers, body)
        except Drop:
            self._transport.abort()
            return
        except Hang:
            await asyncio.sleep(HANG)
            self._transport.abort()
            return
        head = f"HTTP/1.1 {status} said\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n{extra}"
        self._transport.write(head.encode() + b"\r\n" + content)


async def serve(world: World, port: int) -> None:
    """Answer on loopback until TERM; prints the port first."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    loop.add_signal_handler(signal.SIGTERM, done.set_result, None)
    server = await loop.create_server(lambda: Line(world), "127.0.0.1", port, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await done
    server.close()


@contextlib.contextmanager
def running(
    *, seed: int = 1, faults: float = 0.0, pace: tuple[float, float] = (0.0, 0.0), late: float = 30.0
) -> Iterator[str]:
    """The address of a server in a process of its own, for as long as it is needed."""
    options = {"seed": seed, "faults": faults, "quickest": pace[0], "slowest": pace[1], "late": late}
    argv = [sys.executable, "-m", "bench.fake_platform", *(f"--{k}={v}" for k, v in options.items())]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def ask(url: str) -> Any:
    """What the server says to a GET, such as ``/_truth`` or ``/_faults/0``."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=60) as response:
        return json.load(response)


def truth(url: str) -> list[Event]:
    """Everything that has happened, in order."""
    return [Event(*row) for row in ask(f"{url}/_truth")]


def main() -> None:
    """Run the server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=float, default=0.0, help="share of requests that go wrong")
    parser.add_argument("--quickest", type=float, default=0.0, help="seconds that a request takes at least")
    parser.add_argument("--slowest", type=float, default=0.0, help="seconds that a request takes at most")
    parser.add_argument("--late", type=float, default=30.0, help="seconds until a slow place shows a message")
    given = parser.parse_args()
    world = World(seed=given.seed, faults=given.faults, pace=(given.quickest, given.slowest), late=given.late)
    asyncio.run(serve(world, given.port))


if __name__ == "__main__":
    main()
