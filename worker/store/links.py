"""Our own short links in Redis: where each leads and whose it is, for ever, and how often it was followed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
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
    """A hash of codes; counts are by delivery and go with it."""

    def __init__(self, store: Store) -> None:
        self._redis = store.client

    def keep(self, link: Link) -> None:
        """Let a code lead to its target from now on."""
        told = json.dumps([link.target, link.of], ensure_ascii=False, separators=(",", ":"))
        self._redis.hset(keys.links(), link.code, told)

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
        if link is not None and link.target.startswith(before):
            self.keep(Link(code, after + link.target[len(before) :], link.of))

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
            self._redis.hdel(keys.links(), *mine[start : start + AT_ONCE])
