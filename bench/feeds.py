"""What it costs to ask 10,000 sources whether they have news, beside plain loops of httpx and aiohttp.

``python -m bench.feeds [--sources N] [--json]``. A server of its own process answers every conditional request with
304; ``handbill`` is the poll as it really runs (due set, politeness and results in Redis, robots.txt read, addresses
checked inside the connect), ``handbill client`` its client alone, as the peers are. CPU is the asking process' own.

What httpx' asynchronous client costs is mostly httpcore 1.0's: for every lock it makes it tries to import sniffio,
which anyio no longer brings, and for each request it looks at every connection and request of its pool.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import httpx

from publishers.core.guard import Deadline
from worker import log
from worker.embedded import Embedded
from worker.intake.client import Client
from worker.intake.model import Kind, Source
from worker.pipeline.polling import Poller
from worker.runtime import Runtime, open_runtime
from worker.settings import Settings

AT_ONCE = 16
ETAG = '"a-feed-that-has-not-changed"'
HEADERS = {"If-None-Match": ETAG, "Accept": "application/rss+xml", "User-Agent": "bench"}
NOT_MODIFIED = f"HTTP/1.1 304 Not Modified\r\nETag: {ETAG}\r\nContent-Length: 0\r\n\r\n".encode()
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
WRONG = b"HTTP/1.1 500 Unconditional\r\nContent-Length: 0\r\n\r\n"

Figures = dict[str, dict[str, float]]


def main() -> None:
    """Measure every method in turn and print a table, or JSON alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", type=int, default=10_000)
    parser.add_argument("--data", help="taken and not needed: every bench takes it")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.sources)
    if options.json:
        print(json.dumps(found, indent=1))
        return
    for name, figures in found.items():
        print(f"{name:20}" + "".join(f"{key:>8} {value:9.3f}" for key, value in figures.items()))


def measure(sources: int) -> Figures:
    """``{method: {"per_s", "cpu_ms"}}``: sources a second, and milliseconds of this process' CPU for each."""
    log.configure("error")
    found: Figures = {}
    with serving() as port:
        urls = [f"http://127.0.0.1:{port}/feeds/{n}.xml" for n in range(sources)]
        with tempfile.TemporaryDirectory() as folder, polled(Path(folder), urls) as (parts, poller):
            found["handbill"] = timed(sources, poller.round)
            states = parts.sources.states(s.id for s in parts.sources.all("main"))
            assert all(s.succeeded and not s.error for s in states.values()), "not every source was polled"
        found["handbill client"] = timed(sources, lambda: with_client(urls, port))
        found["httpx threads"] = timed(sources, lambda: with_httpx(urls))
        found["httpx async"] = timed(sources, lambda: asyncio.run(with_async_httpx(urls)))
        with contextlib.suppress(ImportError):
            aiohttp = importlib.import_module("aiohttp")
            found["aiohttp"] = timed(sources, lambda: asyncio.run(with_aiohttp(aiohttp, urls)))
    return found


def timed(sources: int, work: Callable[[], object]) -> dict[str, float]:
    """How fast and how costly ``work`` on so many sources is."""
    began, spent = time.perf_counter(), _cpu()
    work()
    return {
        "per_s": round(sources / (time.perf_counter() - began), 1),
        "cpu_ms": round((_cpu() - spent) / sources * 1000, 4),
    }


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@contextlib.contextmanager
def polled(folder: Path, urls: list[str]) -> Iterator[tuple[Runtime, Poller]]:
    """Every source in a Redis of its own, due now and read before, and who polls them."""
    host = urls[0].split("/")[2]
    with Embedded.start(folder / "redis", fsync="everysec") as server:
        config = Settings(  # type: ignore[call-arg]  # every field has a default
            data_dir=folder, redis_url=server.url, allow_hosts=host, host_gap_seconds=0, trial=True
        )
        parts = open_runtime(config, server.url)
        try:
            for number, url in enumerate(urls):
                source = Source(id=f"main.feed-{number}", kind=Kind.FEED, address=url)
                parts.sources.save(source)
                parts.sources.note(source.id, etag=ETAG, read=True)
                parts.sources.watch(source, host)
            yield parts, Poller(parts.sources, parts.intake, config)
        finally:
            parts.close()


def with_client(urls: list[str], port: int) -> None:
    """Our client, connections kept, as many at once as an intake worker asks."""
    client = Client(agent="bench", allow=[f"127.0.0.1:{port}"], keep=True)

    def ask(url: str) -> None:
        status = client.get(url, deadline=Deadline(20), headers={"If-None-Match": ETAG}).status
        assert status == 304, status

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(ask, urls))
    client.close()


def with_httpx(urls: list[str]) -> None:
    """One httpx client, as many threads."""
    with httpx.Client(trust_env=False, headers=HEADERS) as client, ThreadPoolExecutor(AT_ONCE) as pool:
        statuses = {r.status_code for r in pool.map(client.get, urls)}
    assert statuses == {304}, statuses


async def with_async_httpx(urls: list[str]) -> None:
    """One asynchronous httpx client, as many tasks."""
    async with httpx.AsyncClient(trust_env=False, headers=HEADERS) as client:

        async def ask(url: str) -> int:
            return (await client.get(url)).status_code

        await _all(urls, ask)


async def with_aiohttp(aiohttp: object, urls: list[str]) -> None:
    """One aiohttp session, as many tasks."""
    async with aiohttp.ClientSession(headers=HEADERS) as session:  # type: ignore[attr-defined]  # imported where it is there

        async def ask(url: str) -> int:
            async with session.get(url) as answer:
                await answer.read()
                return int(answer.status)

        await _all(urls, ask)


async def _all(urls: list[str], ask: Callable[[str], Awaitable[int]]) -> None:
    waiting = iter(urls)

    async def work() -> None:
        for url in waiting:
            status = await ask(url)
            assert status == 304, status

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


@contextlib.contextmanager
def serving() -> Iterator[int]:
    """A server in a process of its own; its port."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield int(ours.recv())
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection) -> None:
    asyncio.run(_answer_for_ever(pipe))


async def _answer_for_ever(pipe: Connection) -> None:
    server = await asyncio.get_running_loop().create_server(_Unchanged, "127.0.0.1", 0, backlog=1000)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


class _Unchanged(asyncio.Protocol):
    """304 to who asks conditionally, 404 for robots.txt, and an error to who does not."""

    def __init__(self) -> None:
        self._waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        while b"\r\n\r\n" in self._waiting:
            head, _, self._waiting = self._waiting.partition(b"\r\n\r\n")
            conditional = b"\r\nif-none-match: " in head.lower()
            found = NOT_FOUND if b" /robots.txt " in head else NOT_MODIFIED if conditional else WRONG
            self._transport.write(found)  # type: ignore[attr-defined]  # a stream's transport can


if __name__ == "__main__":
    main()
