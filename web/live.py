"""How pages learn that something moved: one loop looks at Redis, every open page hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

MOVED = b"event: moved\ndata: now\n\n"
BEAT = b": still here\n\n"


class Live:
    """Server-sent events that say only "look again". ``look`` sums up what the pages show; it blocks.

    The loop runs while somebody listens; ``beat`` seconds without news are bridged by a comment.
    """

    def __init__(self, look: Callable[[], str], *, every: float, beat: float = 15.0) -> None:
        self._look = look
        self._every = every
        self._beat = beat
        self._listeners: set[asyncio.Event] = set()
        self._loop: asyncio.Task[None] | None = None
        self._seen: str | None = None
        self._ended = False

    async def stream(self) -> AsyncIterator[bytes]:
        """One page's events, the first as soon as there was a look.

        What moved while the page was loading, or between its look and the first one here, would be missed.
        """
        news = asyncio.Event()
        self._listeners.add(news)
        if self._loop is None:
            self._seen = None
            self._loop = asyncio.create_task(self._watch())
        elif self._seen is not None:
            news.set()
        try:
            while not self._ended:
                try:
                    await asyncio.wait_for(news.wait(), self._beat)
                except TimeoutError:
                    yield BEAT
                    continue
                news.clear()
                if not self._ended:
                    yield MOVED
        finally:
            self._listeners.discard(news)
            if not self._listeners and self._loop is not None:
                self._loop.cancel()
                self._loop = None

    def end(self) -> None:
        """End every stream, so that the server can stop."""
        self._ended = True
        self._tell()

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            listener.set()

    async def _watch(self) -> None:
        while True:
            try:
                found = await asyncio.to_thread(self._look)
            except Exception as error:  # noqa: BLE001 - Redis is away: the pages ask, and say so
                found = type(error).__name__
            if found != self._seen:
                self._seen = found
                self._tell()
            await asyncio.sleep(self._every)
