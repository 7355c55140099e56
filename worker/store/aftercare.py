"""What is kept of articles and posts after publication, in Redis: the rules of older articles and which are stopped."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

from worker.errors import NotFound
from worker.evergreen import Rule
from worker.model import from_json, to_json
from worker.store import keys
from worker.store.redis import Store


class Aftercare:
    """Plain records of a workspace, each by itself."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._redis = store.client

    # Older articles

    def save_rule(self, rule: Rule) -> None:
        """Store a rule, in place of the one of that name."""
        self._redis.hset(keys.aftercare(rule.workspace, "rules"), rule.name, to_json(rule))

    def rules(self, workspace: str) -> list[Rule]:
        """Every rule of a workspace, by name."""
        found = cast("dict[bytes, bytes]", self._redis.hgetall(keys.aftercare(workspace, "rules")))
        return sorted((from_json(Rule, v) for v in found.values()), key=lambda r: r.name)

    def rule(self, workspace: str, name: str) -> Rule:
        """The rule of that name; raises NotFound."""
        found = cast("bytes | None", self._redis.hget(keys.aftercare(workspace, "rules"), name))
        if found is None:
            there = ", ".join(r.name for r in self.rules(workspace)) or "none"
            raise NotFound(f"There is no rule {name}", do=f"There are: {there}")
        return from_json(Rule, found)

    def remove_rule(self, workspace: str, name: str) -> None:
        """Forget a rule; raises NotFound."""
        if not self._redis.hdel(keys.aftercare(workspace, "rules"), name):
            self.rule(workspace, name)

    def stop(self, article: str, why: str) -> None:
        """Share an article no more, for a reason."""
        self._redis.hset(keys.aftercare(_workspace(article), "stopped"), article, why)

    def allow(self, article: str) -> bool:
        """Take that back; False if it was not stopped."""
        return bool(self._redis.hdel(keys.aftercare(_workspace(article), "stopped"), article))

    def stopped(self, workspace: str) -> dict[str, str]:
        """The articles that are shared no more, and why."""
        found = cast("dict[bytes, bytes]", self._redis.hgetall(keys.aftercare(workspace, "stopped")))
        return {k.decode(): v.decode() for k, v in found.items()}

    def swept(self, workspace: str) -> datetime | None:
        """When the rules were last applied."""
        found = cast("bytes | None", self._redis.get(keys.aftercare(workspace, "swept")))
        return datetime.fromtimestamp(int(found) / 1000, UTC) if found else None

    def mark_swept(self, workspace: str) -> None:
        """The rules were applied just now."""
        self._redis.set(keys.aftercare(workspace, "swept"), self._store.now_ms())


def _workspace(record: str) -> str:
    return record.partition(".")[0]
