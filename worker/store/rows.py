"""Rows of a workspace that lie in several hashes under one id, read as one and changed in one step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

from redis import Redis

SWAP = """
for n, key in ipairs(KEYS) do
  if (redis.call('HGET', key, ARGV[1]) or '') ~= ARGV[1 + n] then return 0 end
end
for n, key in ipairs(KEYS) do
  local value = ARGV[1 + #KEYS + n]
  if value == '' then redis.call('HDEL', key, ARGV[1]) else redis.call('HSET', key, ARGV[1], value) end
end
return 1
"""
"""Of two who change a row at once, one does."""


class Rows:
    """Rows whose parts are in the hashes that ``places`` names for a workspace's home; an empty part is not there.

    The first part is the row itself: where that is empty, there is none.
    """

    def __init__(self, redis: Redis, places: Callable[[str], Sequence[str]]) -> None:
        self._redis = redis
        self._places = places

    def get(self, rows: Iterable[tuple[str, str]]) -> list[list[bytes]]:
        """The parts of each row by its home and id, in one round trip."""
        width = 1
        with self._redis.pipeline(transaction=False) as pipe:
            for home, name in rows:
                width = len(self._places(home))
                for place in self._places(home):
                    pipe.hget(place, name)
            found = [value or b"" for value in cast("list[bytes | None]", pipe.execute())]
        return [found[n : n + width] for n in range(0, len(found), width)]

    def all(self, home: str) -> Mapping[str, list[bytes]]:
        """The parts of every row, by id."""
        with self._redis.pipeline(transaction=False) as pipe:
            for place in self._places(home):
                pipe.hgetall(place)
            found, *beside = cast("list[dict[bytes, bytes]]", pipe.execute())
        return {k.decode(): [row, *(part.get(k, b"") for part in beside)] for k, row in found.items()}

    def swap(self, home: str, name: str, before: Sequence[bytes], parts: Sequence[bytes]) -> bool:
        """Store a row's parts, if they are as they were ``before``."""
        places = self._places(home)
        return bool(self._redis.eval(SWAP, len(places), *places, name, *before, *parts))

    def remove(self, home: str, name: str) -> None:
        """Forget a row."""
        with self._redis.pipeline(transaction=True) as pipe:
            for place in self._places(home):
                pipe.hdel(place, name)
            pipe.execute()
