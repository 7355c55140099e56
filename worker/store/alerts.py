"""Who is told of what is wrong, and what they were told already, in Redis."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import cast

from worker.store import keys
from worker.store.redis import Store


class Channels:
    """Accounts that alerts go to, by workspace, each with the kinds it wants (none = all)."""

    def __init__(self, store: Store) -> None:
        self._redis = store.client

    def save(self, account: str, kinds: Sequence[str]) -> None:
        """Tell an account's readers from now on."""
        self._redis.hset(keys.channels(account.partition(".")[0]), account, json.dumps(list(kinds)))

    def remove(self, account: str) -> bool:
        """Tell them no more; False if they were not told."""
        return bool(self._redis.hdel(keys.channels(account.partition(".")[0]), account))

    def listed(self, workspace: str) -> dict[str, tuple[str, ...]]:
        """The accounts of a workspace and the kinds each wants."""
        found = cast("dict[bytes, bytes]", self._redis.hgetall(keys.channels(workspace)))
        return {k.decode(): tuple(json.loads(v)) for k, v in sorted(found.items())}

    # What was told

    def told(self) -> dict[str, datetime]:
        """The conditions that somebody was told of and that have not ended for good, and when."""
        return _moments(self._redis.hgetall(keys.told()))

    def tell(self, conditions: Sequence[str], moment: datetime) -> set[str]:
        """Take it on oneself to tell of conditions: those that nobody had taken."""
        if not conditions:
            return set()
        with self._redis.pipeline(transaction=True) as pipe:
            for condition in conditions:
                pipe.hsetnx(keys.told(), condition, moment.isoformat())
            taken = pipe.execute()
        return {c for c, mine in zip(conditions, taken, strict=True) if mine}

    def forget(self, conditions: Iterable[str]) -> None:
        """If these come (again), people are told (again)."""
        names = list(conditions)
        if names:
            self._redis.hdel(keys.told(), *names)
            self._redis.hdel(keys.passing(), *names)

    def forget_workspace(self, workspace: str) -> None:
        """Nobody needs to know any more what was told of a workspace's posts and accounts."""
        mine = re.compile(rf"(?:late|workspace):{re.escape(workspace)}$|:{re.escape(workspace)}\.")
        self.forget([name for name in self.told() if mine.search(name)])

    def passing(self) -> dict[str, datetime]:
        """The conditions that were told of and are not there just now, and since when."""
        return _moments(self._redis.hgetall(keys.passing()))

    def mark(self, *, gone: Iterable[str], back: Iterable[str], moment: datetime) -> None:
        """These have gone, those have come back."""
        with self._redis.pipeline(transaction=True) as pipe:
            for name in gone:
                pipe.hsetnx(keys.passing(), name, moment.isoformat())
            for name in back:
                pipe.hdel(keys.passing(), name)
            pipe.execute()


def _moments(found: object) -> dict[str, datetime]:
    rows = cast("dict[bytes, bytes]", found)
    return {k.decode(): datetime.fromisoformat(v.decode()) for k, v in rows.items()}
