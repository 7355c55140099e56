"""What Redis knows of how Handbill is doing: counters, signs of life, what waits, its own memory and disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from publishers.core.publisher import Budget
from worker.model import Account
from worker.store import keys
from worker.store.redis import Store

LIFE_SECONDS = 30.0
"""How long a worker's sign of life lasts; its age is what is gone of that."""

LATENESS = (1, 5, 15, 60, 300, 900, 3600)
"""Seconds: the bounds of the histogram that ``finish.lua`` fills."""

POOLS = ("publish", "content", "intake")


@dataclass(frozen=True, slots=True)
class Server:
    """What the server says of itself; ``persists``: everything acknowledged reaches its disk, else ``why``."""

    memory: int
    limit: int
    evicted: int
    clients: int
    persists: bool
    why: str


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for a pool: ``due`` and not taken up, and ``waking`` of it with a message in the broker."""

    due: int
    waking: int


class Vitals:
    """Asked at the moment of a scrape; any number of processes hear the same."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._redis = store.client

    def counts(self) -> Counter[tuple[str, ...]]:
        """What was counted since the store was made, by what and labels, such as ("attempts", platform, status)."""
        with self._redis.pipeline(transaction=False) as pipe:
            for shard in range(keys.SHARDS):
                pipe.hgetall(f"{keys.root(shard)}counts")
            rows = pipe.execute()
        total: Counter[tuple[str, ...]] = Counter()
        for row in rows:
            for name, number in row.items():
                total[tuple(name.decode().split("|"))] += int(number)
        return total

    def canaries(self) -> dict[str, float]:
        """Seconds since each worker last finished a task of its own; who has not for ``LIFE_SECONDS`` is not listed."""
        now = self._store.now_ms()
        found = cast("list[tuple[bytes, float]]", self._redis.zrangebyscore(keys.alive(), now, "+inf", withscores=True))
        return {worker.decode(): max(0.0, LIFE_SECONDS - (ends - now) / 1000) for worker, ends in found}

    def backlog(self) -> dict[str, Backlog]:
        """What waits for the publish pool (posts), the content pool (articles to read) and intake (feeds to ask)."""
        now = self._store.now_ms()
        homes = [keys.home(w.decode()) for w in cast("set[bytes]", self._redis.smembers(keys.workspaces()))]
        places = {
            "publish": [(f"{keys.root(n)}due", f"{keys.root(n)}waking") for n in range(keys.SHARDS)],
            "content": [(f"{home}intake:due", f"{home}intake:waking") for home in homes],
        }
        found: dict[str, Backlog] = {}
        for pool, pairs in places.items():
            with self._redis.pipeline(transaction=False) as pipe:
                for due, waking in pairs:
                    pipe.zcount(due, "-inf", now)
                    pipe.zcard(waking)
                said = pipe.execute()
            waiting = sum(said[1::2])
            found[pool] = Backlog(sum(said[::2]) + waiting, waiting)
        with self._redis.pipeline(transaction=False) as pipe:
            for home in homes:
                pipe.zcount(f"{home}polls", "-inf", now)
            found["intake"] = Backlog(sum(pipe.execute()), 0)  # nobody is woken: it looks by itself
        return found

    def server(self) -> Server:
        """Memory, and whether the disk takes what is written."""
        info = self._redis.info()
        faults = []
        if not info.get("aof_enabled"):
            faults.append("appendonly is off")
        for name, what in (
            ("aof_last_write_status", "the append-only file cannot be written"),
            ("aof_last_bgrewrite_status", "the append-only file cannot be rewritten"),
        ):
            if info.get(name, "ok") != "ok":
                faults.append(what)
        if info.get("loading"):
            faults.append("it is still reading its data back")
        return Server(
            memory=int(info.get("used_memory", 0)),
            limit=int(info.get("maxmemory", 0)),
            evicted=int(info.get("evicted_keys", 0)),
            clients=int(info.get("connected_clients", 0)),
            persists=not faults,
            why="; ".join(faults),
        )

    def left(self, account: Account, app: str, budgets: Sequence[Budget]) -> float | None:
        """How many more posts the budgets allow the account now, its own and its app's; None if there are none."""
        if not budgets:
            return None
        now = self._store.now_ms()
        with self._redis.pipeline(transaction=False) as pipe:
            for budget in budgets:
                key = keys.budget(keys.ALL, app) if budget.app else keys.budget(account.workspace, account.id)
                pipe.zcount(key, now - int(budget.seconds * 1000), "+inf")
            used = pipe.execute()
        return float(min(max(0, b.posts - n) for b, n in zip(budgets, used, strict=True)))
