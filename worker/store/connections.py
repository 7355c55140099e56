"""What connecting accounts needs in Redis: apps by workspace, sign-ins that are under way, how renewals went."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, cast

from worker.store import keys
from worker.store.redis import Store
from worker.store.secrets import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """How the last renewal of an account's token went: ``refused`` says that the platform wants a person.

    ``failed`` counts those in a row whose answer was lost or none; ``following`` is not asked before.
    """

    at: datetime
    refused: bool = False
    failed: int = 0
    following: datetime | None = None
    why: str = ""


class Connections:
    """Everything secret is encrypted; what is under way is found by the hash of a name that only a browser knows."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self._redis = store.client
        self._vault = vault

    # Apps

    def save_app(self, workspace: str, app: str, values: Mapping[str, str]) -> None:
        """Keep an app's credentials; ``app`` is a platform's name, with @ and the server where each has its own."""
        self._redis.hset(f"{keys.home(workspace)}apps", app, self._vault.lock(_row(workspace, app), values))

    def app(self, workspace: str, app: str) -> dict[str, str]:
        """An app's credentials, in clear; empty if there are none."""
        locked = cast("bytes | None", self._redis.hget(f"{keys.home(workspace)}apps", app))
        return self._vault.unlock(_row(workspace, app), locked) if locked else {}

    def apps(self, workspace: str) -> list[str]:
        """The apps of a workspace."""
        return sorted(a.decode() for a in cast("list[bytes]", self._redis.hkeys(f"{keys.home(workspace)}apps")))

    def remove_app(self, workspace: str, app: str) -> bool:
        """Forget an app; False if there was none."""
        return bool(self._redis.hdel(f"{keys.home(workspace)}apps", app))

    # What is under way

    def hold(self, name: str, values: Any, *, seconds: float) -> None:
        """Keep ``values`` (JSON) for a while, encrypted, under the hash of ``name``."""
        key = _held(name)
        locked = self._vault.lock(key, {"held": json.dumps(values)})
        self._redis.set(key, locked, px=int(seconds * 1000))

    def take(self, name: str) -> Any:
        """What is held under ``name``, once: whoever asks again gets None."""
        return self._read(name, self._redis.getdel(_held(name)))

    def look(self, name: str) -> Any:
        """What is held under ``name``, without taking it."""
        return self._read(name, self._redis.get(_held(name)))

    def _read(self, name: str, locked: Any) -> Any:
        return json.loads(self._vault.unlock(_held(name), locked)["held"]) if locked else None

    # Renewals

    def note(self, account: str, renewal: Renewal) -> None:
        """Keep how an account's last renewal went."""
        told = {k: v.isoformat() if isinstance(v, datetime) else v for k, v in asdict(renewal).items()}
        self._redis.hset(f"{keys.home(account.partition('.')[0])}renewals", account, json.dumps(told))

    def renewal(self, account: str) -> Renewal | None:
        """How an account's last renewal went."""
        return self.renewals(account.partition(".")[0]).get(account)

    def renewals(self, workspace: str) -> dict[str, Renewal]:
        """How the last renewal of every account went."""
        found = cast("dict[bytes, bytes]", self._redis.hgetall(f"{keys.home(workspace)}renewals"))
        return {account.decode(): _renewal(json.loads(told)) for account, told in found.items()}

    def forget(self, account: str) -> None:
        """An account is gone."""
        self._redis.hdel(f"{keys.home(account.partition('.')[0])}renewals", account)


def _row(workspace: str, app: str) -> str:
    return f"app:{workspace}:{app}"


def _held(name: str) -> str:
    return keys.held(hashlib.sha256(name.encode()).hexdigest())


def _renewal(told: dict[str, Any]) -> Renewal:
    moments = {k: datetime.fromisoformat(told[k]) for k in ("at", "following") if told.get(k)}
    return Renewal(**{**told, **moments})
