"""The public addresses of sources in Redis: whose a token is, what checks a call to it, and which calls were heard."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import secrets as random_secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from worker.intake.webhooks import Event, Kind, Mapped
from worker.store import keys
from worker.store.redis import Store
from worker.store.secrets import Vault

PACE = 120
"""Calls that one address takes in a minute; a newsroom's busiest hour is far from it."""

HEARD_MOST = 10_000
EVENTS_MOST = 10_000
REMEMBERED_MS = 30 * 86_400_000
LEASE_MS = 120_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A source's own address, and how what is sent there is checked; without a ``scheme`` it takes pings alone."""

    source: str
    token: str = field(repr=False)
    scheme: str = ""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    mapped: Mapped | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What a hub or an rssCloud server is to call, and when; ``mode`` is what was last asked of it.

    ``hub`` knows the feed as ``topic``; a subscription has one of ``hub`` and ``cloud``.
    """

    source: str
    token: str = field(repr=False)
    secret: str = field(repr=False)
    topic: str
    hub: str = ""
    cloud: str = ""
    mode: str = "subscribe"


@dataclass(frozen=True, slots=True)
class Heard:
    """One event that a source's publishing system sent, as it was kept."""

    source: str
    event: Event
    at: datetime


class Hooks:
    """Addresses by token; of a token only its hash is found by, and what belongs to it is encrypted."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self._store = store
        self._redis = store.client
        self._vault = vault

    # Addresses

    def save(self, hook: Hook) -> None:
        """Store a source's address, in place of the one it had; the old one leads nowhere from then on."""
        before = self.of(hook.source)
        values = {
            "token": hook.token,
            "scheme": hook.scheme,
            "secrets": json.dumps(hook.secrets),
            "mapped": json.dumps(dataclasses.asdict(hook.mapped)) if hook.mapped else "",
        }
        self._put("hooks", hook.source, values, hook.token)
        if before and before.token != hook.token:
            self._redis.hdel(keys.hooks(), _hash(before.token))

    def of(self, source: str) -> Hook | None:
        """A source's address, if it has one."""
        found = self._get("hooks", source)
        if found is None:
            return None
        return Hook(
            source=source,
            token=found["token"],
            scheme=found["scheme"],
            secrets=tuple(json.loads(found["secrets"])),
            mapped=Mapped(**json.loads(found["mapped"])) if found["mapped"] else None,
        )

    def subscribe(self, subscription: Subscription) -> None:
        """Store what a hub is asked, in place of what it was asked before."""
        before = self.subscription(subscription.source)
        values = {k: v for k, v in dataclasses.asdict(subscription).items() if k != "source"}
        self._put("hooks:push", subscription.source, values, subscription.token)
        if before and before.token != subscription.token:
            self._redis.hdel(keys.hooks(), _hash(before.token))

    def subscription(self, source: str) -> Subscription | None:
        """What the source's hub was asked, if it was asked."""
        found = self._get("hooks:push", source)
        return Subscription(source=source, **found) if found else None

    def find(self, token: str) -> Hook | Subscription | None:
        """What ``token`` leads to; None for a token of nobody's."""
        found = cast("bytes | None", self._redis.hget(keys.hooks(), _hash(token)))
        use, _, source = (found or b"").decode().partition(" ")
        return {"hooks": self.of, "hooks:push": self.subscription}[use](source) if found else None

    def forget(self, source: str) -> None:
        """Close a source's own address, if it has one."""
        self._drop("hooks", source)

    def unsubscribe(self, source: str) -> None:
        """Forget what the source's hub was asked."""
        self._drop("hooks:push", source)
        self._redis.zrem(f"{_home(source)}hooks:asking", source)

    # Calls

    def pace(self, source: str, *, most: int = PACE) -> float:
        """Take one of the minute's calls of a source's addresses: seconds to wait, 0 if there was one."""
        one = random_secrets.token_hex(8)
        return int(self._store.run("hook_pace", _home(source), source, "", most, one)) / 1000

    def is_repeat(self, source: str, key: str) -> bool:
        """Whether the event with this key was settled before."""
        return bool(self._store.run("hook_seen", _home(source), source, "", _hash(key), 0, REMEMBERED_MS, HEARD_MOST))

    def settle(self, source: str, key: str) -> bool:
        """Remember that the event was worked on; False if somebody did so before."""
        args = (source, "", _hash(key), 1, REMEMBERED_MS, HEARD_MOST)
        return not self._store.run("hook_seen", _home(source), *args)

    def record(self, source: str, event: Event, now: datetime) -> None:
        """Keep an event for those who care what became of an article after it was published."""
        fields: dict[Any, Any] = {
            "source": source,
            "at": now.isoformat(),
            **{k: v.isoformat() if isinstance(v, datetime) else v for k, v in dataclasses.asdict(event).items() if v},
        }
        self._redis.xadd(f"{_home(source)}hooks:events", fields, maxlen=EVENTS_MOST, approximate=True)

    def heard(self, workspace: str, kinds: Iterable[Kind] = Kind, *, most: int = 100) -> list[Heard]:
        """The events that were kept, the latest first."""
        wanted = set(kinds)
        rows = cast(
            "list[tuple[bytes, dict[bytes, bytes]]]", self._redis.xrevrange(f"{keys.home(workspace)}hooks:events")
        )
        events = (_heard({k.decode(): v.decode() for k, v in row.items()}) for _, row in rows)
        return [h for h in events if h.event.kind in wanted][:most]

    def last_heard(self, workspace: str) -> datetime | None:
        """When the latest event came; None if none is kept."""
        stream = f"{keys.home(workspace)}hooks:events"
        rows = cast("list[tuple[bytes, dict[bytes, bytes]]]", self._redis.xrevrange(stream, count=1))
        return datetime.fromisoformat(rows[0][1][b"at"].decode()) if rows else None

    # When hubs are asked

    def ask_at(self, source: str, moment: datetime) -> None:
        """Ask the source's hub at ``moment``, at the earliest."""
        self._redis.zadd(f"{_home(source)}hooks:asking", {source: round(moment.timestamp() * 1000)})

    def asking(self, source: str) -> datetime | None:
        """When the source's hub is asked next."""
        score = self._redis.zscore(f"{_home(source)}hooks:asking", source)
        return None if score is None else datetime.fromtimestamp(score / 1000, UTC)

    def take_asking(self, workspace: str, *, most: int = 20) -> list[str]:
        """Sources whose hub is to be asked now; each is given out again after two minutes if nothing else is said."""
        found = self._store.run("hook_take", keys.home(workspace), "", most, LEASE_MS)
        return [s.decode() for s in found]

    def _put(self, name: str, source: str, values: Mapping[str, str], token: str) -> None:
        self._redis.hset(f"{_home(source)}{name}", source, self._vault.lock(f"{name} {source}", values))
        self._redis.hset(keys.hooks(), _hash(token), f"{name} {source}")

    def _get(self, name: str, source: str) -> dict[str, str] | None:
        locked = cast("bytes | None", self._redis.hget(f"{_home(source)}{name}", source))
        return self._vault.unlock(f"{name} {source}", locked) if locked else None

    def _drop(self, name: str, source: str) -> None:
        found = self._get(name, source)
        self._redis.hdel(f"{_home(source)}{name}", source)
        if found:
            self._redis.hdel(keys.hooks(), _hash(found["token"]))


def new_token() -> str:
    """A token that nobody guesses: 192 bits, in letters that an address may hold."""
    return random_secrets.token_urlsafe(24)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _heard(row: Mapping[str, str]) -> Heard:
    moments = {k: datetime.fromisoformat(row[k]) for k in ("published", "updated") if k in row}
    texts = {k: row[k] for k in ("url", "id", "title") if k in row}
    event = Event(Kind(row["kind"]), row.get("key", ""), **texts, **moments)  # type: ignore[arg-type]  # both are by name
    return Heard(row["source"], event, datetime.fromisoformat(row["at"]))


def _home(source: str) -> str:
    return keys.home(source.partition(".")[0])
