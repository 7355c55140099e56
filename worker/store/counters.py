"""The services that count visits, by workspace, in Redis: their settings in clear, their secrets encrypted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from worker.errors import NotFound
from worker.model import from_json, to_json
from worker.store import keys
from worker.store.redis import Store
from worker.store.secrets import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """One connected service: it counts the visits of articles of ``host`` ("" = of all)."""

    name: str
    workspace: str
    kind: str
    host: str = ""
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Its row, with its workspace."""
        return f"{self.workspace}.{self.name}"


class Counters:
    """Plain records of a workspace; what was counted is kept beside them for a few minutes' use."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self._redis = store.client
        self._vault = vault

    def save(self, counter: Counter, secrets: Mapping[str, str]) -> None:
        """Store a service with its secrets, in place of the one of that name."""
        locked = self._vault.lock(counter.id, secrets)
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(keys.aftercare(counter.workspace, "counters"), counter.name, to_json(counter))
            pipe.hset(keys.aftercare(counter.workspace, "counter-secrets"), counter.name, locked)
            pipe.hdel(keys.aftercare(counter.workspace, "asked"), counter.name)
            pipe.execute()

    def listed(self, workspace: str) -> list[Counter]:
        """Every service of a workspace, by name."""
        found = cast("dict[bytes, bytes]", self._redis.hgetall(keys.aftercare(workspace, "counters")))
        return sorted((from_json(Counter, v) for v in found.values()), key=lambda c: c.name)

    def find(self, workspace: str, name: str) -> Counter:
        """The service of that name; raises NotFound."""
        found = cast("bytes | None", self._redis.hget(keys.aftercare(workspace, "counters"), name))
        if found is None:
            there = ", ".join(c.name for c in self.listed(workspace)) or "none"
            raise NotFound(f"There is no service {name}", do=f"There are: {there}")
        return from_json(Counter, found)

    def told(self, counter: Counter) -> dict[str, str]:
        """Its settings with the secrets in clear, for one question."""
        locked = cast(
            "bytes | None", self._redis.hget(keys.aftercare(counter.workspace, "counter-secrets"), counter.name)
        )
        return counter.settings | (self._vault.unlock(counter.id, locked) if locked else {})

    def remove(self, counter: Counter) -> None:
        """Forget a service and its secrets."""
        with self._redis.pipeline(transaction=True) as pipe:
            for what in ("counters", "counter-secrets", "asked"):
                pipe.hdel(keys.aftercare(counter.workspace, what), counter.name)
            pipe.execute()

    def asked(self, counter: Counter) -> datetime | None:
        """When it was asked last."""
        found = cast("bytes | None", self._redis.hget(keys.aftercare(counter.workspace, "asked"), counter.name))
        return datetime.fromtimestamp(int(found) / 1000, UTC) if found else None

    def mark_asked(self, counter: Counter, now: datetime) -> None:
        """It is asked now."""
        self._redis.hset(keys.aftercare(counter.workspace, "asked"), counter.name, round(now.timestamp() * 1000))
