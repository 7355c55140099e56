"""Signs of life of workers in Redis: who works, and whether all of them read what this version writes."""

from __future__ import annotations

from typing import cast

from worker.store import keys
from worker.store.redis import Store

ALIVE = """
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
for _, key in ipairs(KEYS) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  redis.call('ZADD', key, now + tonumber(ARGV[2]), ARGV[1])
end
return 1
"""
"""What a worker of a version before sets, and beside it what only one that reads sealed addresses does."""


class Signs:
    """Which workers live. One of a version before is known by what it does not say."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._redis = store.client

    def give(self, worker: str, *, seconds: float) -> None:
        """A canary task came back to ``worker``; the sign lasts ``seconds``."""
        self._redis.eval(ALIVE, 2, keys.alive(), keys.reads_sealed(), worker, int(seconds * 1000))

    def alive(self) -> list[str]:
        """Workers whose canary came back lately."""
        return sorted(self._living()[0])

    def older(self) -> list[str]:
        """Workers of a version before, which cannot read a sealed address."""
        living, reads_sealed = self._living()
        return sorted(living - reads_sealed)

    def _living(self) -> tuple[set[str], set[str]]:
        now = self._store.now_ms()
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.zrangebyscore(keys.alive(), now, "+inf")
            pipe.zrangebyscore(keys.reads_sealed(), now, "+inf")
            living, able = cast("list[list[bytes]]", pipe.execute())
        return {w.decode() for w in living}, {w.decode() for w in able}
