"""A newsroom with a clock of its own beside stand-ins of the platforms: all is real but the time and who is posted to."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

import uvicorn

from publishers import load
from rehearsal.app import build
from rehearsal.world import Received, World
from tests.newsroom import KEY, runtime
from worker.model import Account, Calendar, Delivery
from worker.schedule import When
from worker.settings import TEMPLATES
from worker.store import Deliveries, Records
from worker.store.secrets import Vault

NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)
SAMPLE = str(TEMPLATES / "sample" / "index.html")


@contextlib.contextmanager
def listening() -> Iterator[dict]:
    """A server in a thread: ``app`` of what it yields answers, at ``url``."""
    now: dict = {}

    async def app(scope, receive, send):
        await now["app"](scope, receive, send)

    config = uvicorn.Config(app, log_level="error", lifespan="off", ws="wsproto", timeout_graceful_shutdown=1)
    runner = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        now["url"] = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=runner.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield now
        runner.should_exit = True
        thread.join(5)


class Street:
    """Accounts on stand-ins, an article, and time that passes only when it is told to."""

    def __init__(self, server, folder, here, platforms=("mastodon", "bluesky"), **settings):
        self.at = NOW
        self.world = World(folder / "rehearsal", now=lambda: self.at)
        here["app"] = build(self.world)
        self.parts = runtime(server, folder, rehearsal_url=here["url"], settle_seconds=2, backoff_seconds=1, **settings)
        self.parts.store.client.flushdb()
        self.parts.deliveries = Deliveries(self.parts.store, clock=lambda: round(self.at.timestamp() * 1000))
        clock = lambda: round(self.at.timestamp() * 1000)  # noqa: E731 - said twice
        self.parts.records = Records(self.parts.store, Vault(KEY), clock=clock)
        self.parts.now = lambda: self.at
        self.parts.announcer._deliveries = self.parts.deliveries
        self.woken: list[str] = []
        self.engine = self.parts.engine(wake=self.woken.extend, depth=lambda: 0)
        self.calendar = Calendar(week=tuple((d, (time(9), time(17))) for d in range(7)))
        self.accounts = {p: self.connect(p) for p in platforms}

    def connect(self, platform, name="me") -> Account:
        stand_in = load(platform).networked
        account = self.parts.accounts.connect(platform, {}, workspace="main", name=name, rehearsal=stand_in)
        account = dataclasses.replace(account, zone="Europe/Vienna", calendar=self.calendar)
        self.parts.records.save_account(account)
        return account

    def share(self, source=SAMPLE, platforms=(), *, send=True, **options) -> list[Delivery]:
        """Plan an article for now, and send it."""
        article = self.parts.planner.ingest(str(source), workspace="main")
        chosen = [a for p, a in self.accounts.items() if not platforms or p in platforms]
        made = self.parts.planner.plan(article.id, chosen, due=self._now, **options)
        if send:
            self.work()
        return [self.parts.deliveries.get(d.id) for d in made]

    def _now(self, account, delivery):
        self.parts.records.reserve(account, delivery, self.at, gap=0)
        return When(self.at, "", account.zone)

    def work(self, rounds=200) -> None:
        """Do what is due now."""
        for _ in range(rounds):
            if not self.engine.tick():
                return
            while self.woken:
                self.engine.publish(self.woken.pop(0))
        raise AssertionError("there is always more to do")

    def later(self, **span) -> None:
        """Let time pass, and do what has become due."""
        self.at += timedelta(**span)
        self.work()

    def got(self, platform, *, deleted=False) -> list[Received]:
        """What the stand-in has, the oldest first."""
        posts = [p for (name, _), a in self.world.accounts.items() if name == platform for p in a.posts.values()]
        return sorted((p for p in posts if deleted or not p.deleted), key=lambda p: p.at)

    def change(self, platform, **changes) -> None:
        """Somebody changes the newest post on the platform itself."""
        post = self.got(platform)[-1]
        self.world.account(platform, post.account).keep(dataclasses.replace(post, **changes))
