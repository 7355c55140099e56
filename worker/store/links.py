"""Our own short links in Redis: where each leads and whose it is, how often it was followed, and which nobody needs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from worker.store import keys
from worker.store.redis import Store

AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Link:
    """``target`` is the article's address as its readers open it, ``of`` the delivery that it is counted for."""

    code: str
    target: str
    of: str


class Links:
    """A hash of codes; counts are by delivery and go with it.

    A link outlives its post: it goes once its post is not kept and, for as long as is said, no reader has followed it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._redis = store.client

    def keep(self, link: Link) -> None:
        """Let a code lead to its target from now on."""
        told = json.dumps([link.target, link.of], ensure_ascii=False, separators=(",", ":"))
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(keys.links(), link.code, told)
            pipe.zrem(keys.ending_links(), link.code)
            pipe.execute()

    def find(self, code: str) -> Link | None:
        """Where a code leads."""
        found = cast("bytes | None", self._redis.hget(keys.links(), code))
        if found is None:
            return None
        target, of = json.loads(found)
        return Link(code, target, of)

    def moved(self, code: str, before: str, after: str) -> None:
        """Let a code lead to the article's new address, its parameters kept."""
        link = self.find(code)
        if link is None or not link.target.startswith(before):
            return
        rest = link.target[len(before) :]
        there = link.target.startswith(after) and len(after) > len(before)
        if there or rest[:1] not in ("", "?", "&", "#"):
            return
        if rest[:1] in ("?", "&"):
            rest = ("&" if "?" in after else "?") + rest[1:]
        self.keep(Link(code, after + rest, link.of))

    def needed(self, link: Link) -> None:
        """A reader has followed it although its post is not kept any more: it stays as long again."""
        self._redis.zadd(keys.ending_links(), {link.code: self._store.now_ms()}, xx=True)

    def follow(self, link: Link) -> None:
        """One more reader has followed it."""
        self._redis.hincrby(keys.aftercare(link.of.partition(".")[0], "clicks"), link.of, 1)

    def clicks(self, workspace: str, deliveries: Sequence[str]) -> dict[str, int]:
        """How often the links of these deliveries were followed."""
        if not deliveries:
            return {}
        found = cast("list[bytes | None]", self._redis.hmget(keys.aftercare(workspace, "clicks"), list(deliveries)))
        return {d: int(n or 0) for d, n in zip(deliveries, found, strict=True)}

    def forget(self, workspace: str) -> None:
        """Let the links of a workspace lead nowhere."""
        mine = []
        for code, told in self._redis.hscan_iter(keys.links(), count=AT_ONCE):
            if json.loads(told)[1].partition(".")[0] == workspace:
                mine.append(code)
        for start in range(0, len(mine), AT_ONCE):
            with self._redis.pipeline(transaction=True) as pipe:
                pipe.hdel(keys.links(), *mine[start : start + AT_ONCE])
                pipe.zrem(keys.ending_links(), *mine[start : start + AT_ONCE])
                pipe.execute()

    def unneeded(self, cursor: int, *, most: int) -> int:
        """Note from when on links stand for no post that is kept, from a cursor on; the next one (0 = the end)."""
        following, found = cast("tuple[int, dict[bytes, bytes]]", self._redis.hscan(keys.links(), cursor, count=most))
        gone = self._without_post(found)
        if gone:
            now = self._store.now_ms()
            self._redis.zadd(keys.ending_links(), dict.fromkeys(gone, now), nx=True)
        return int(following)

    def forget_unneeded(self, age: timedelta, *, most: int) -> int:
        """Let links lead nowhere whose post is gone and that no reader has followed for so long; how many were looked
        at, and 0 when there is no more.
        """
        before = self._store.now_ms() - round(age.total_seconds() * 1000)
        old = cast("list[bytes]", self._redis.zrangebyscore(keys.ending_links(), "-inf", before, start=0, num=most))
        if not old:
            return 0
        rows = cast("list[bytes | None]", self._redis.hmget(keys.links(), old))
        gone = self._without_post({code: row for code, row in zip(old, rows, strict=True) if row})
        with self._redis.pipeline(transaction=True) as pipe:
            if gone:
                pipe.hdel(keys.links(), *gone)
            pipe.zrem(keys.ending_links(), *old)
            pipe.execute()
        return len(old)

    def _without_post(self, found: Mapping[bytes, bytes]) -> list[bytes]:
        with self._redis.pipeline(transaction=False) as pipe:
            for told in found.values():
                name = json.loads(told)[1]
                pipe.exists(f"{keys.root(keys.shard(name))}delivery:{name}")
            there = pipe.execute()
        return [code for code, known in zip(found, there, strict=True) if not known]
