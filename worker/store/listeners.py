"""Listeners in Redis: other systems that are told what becomes of posts, what they will be told, and what they were."""

from __future__ import annotations

import base64
import json
import secrets as random_secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import cast

from worker.errors import HandbillError, NotFound
from worker.intake import private
from worker.model import Status, from_json, to_json
from worker.store import keys
from worker.store.redis import Store
from worker.store.rows import Rows
from worker.store.secrets import Vault
from worker.store.signs import Signs

LOG_MOST = 500
"""Notices that a listener's log goes back."""

KEPT_MS = 30 * 86_400_000

TAKE = """
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, tonumber(ARGV[1]))
for _, id in ipairs(ids) do redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), id) end
return ids
"""
"""What is due is given out for a while, so that two workers do not tell it at once."""

QUEUE = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'notice', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[3])
redis.call('LPUSH', KEYS[3], ARGV[3])
redis.call('LTRIM', KEYS[3], 0, tonumber(ARGV[4]) - 1)
return 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """An address that is told when a post of the workspace reaches one of ``events`` (none = any that is told).

    ``private`` is whether the address is a secret, as somebody said; None: as it looks.
    """

    id: str
    workspace: str
    url: str
    name: str = ""
    events: tuple[Status, ...] = ()
    active: bool = True
    created_at: datetime | None = None
    private: bool | None = None

    @property
    def shown(self) -> str:
        """Its address as anybody may see it."""
        return private.shown(self.url, secret=self.private)

    @property
    def is_private(self) -> bool:
        """Whether its address holds a secret."""
        return private.is_private(self.url, secret=self.private)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing told to one listener: ``body`` is the same however often it is sent.

    ``answers`` are (instant, what the listener said), the latest last.
    """

    id: str
    listener: str
    kind: str
    body: str
    tries: int = 0
    done: bool = False
    given_up: bool = False
    answers: tuple[tuple[datetime, str], ...] = ()


class Listeners:
    """Who listens, encrypted secrets, a queue and a log for each workspace.

    An address that holds a secret is sealed, as a source's is: stored as it is shown, and whole among the secrets; what
    somebody said of it is beside it.
    """

    def __init__(self, store: Store, vault: Vault) -> None:
        self._redis = store.client
        self._vault = vault
        self._signs = Signs(store)
        self._rows = Rows(
            store.client, lambda home: (f"{home}listeners", f"{home}listener-secrets", f"{home}listeners:said")
        )

    def save(self, listener: Listener, secret: str) -> None:
        """Store a new listener, and what its notices are signed with."""
        parts = (self._kept(listener, b"").encode(), self._locked(listener, secret), _said(listener))
        while True:
            [before] = self._rows.get([(keys.home(listener.workspace), listener.id)])
            if self._rows.swap(keys.home(listener.workspace), listener.id, before, parts):
                break
        self._redis.sadd(keys.listening(), listener.workspace)

    def change(self, workspace: str, listener: str, change: Callable[[Listener], Listener]) -> Listener:
        """Change a listener, whoever else does so meanwhile; raises NotFound.

        Whoever has no key for its secrets leaves them as they are, and an address among them.
        """
        while True:
            found, locked, _ = before = self._row(workspace, listener)
            made = change(self._whole(*before))
            text, sealed = self._kept(made, found), locked
            if private.HIDDEN not in made.url:
                try:
                    sealed = self._locked(made, self._opened(listener, locked).get("secret", ""))
                except HandbillError:  # what stands there is all there is
                    text = to_json(made)
            if self._rows.swap(keys.home(workspace), listener, before, (text.encode(), sealed, _said(made))):
                return made

    def listed(self, workspace: str) -> list[Listener]:
        """Every listener of a workspace, the oldest first."""
        rows = [self._whole(*row) for row in self._rows.all(keys.home(workspace)).values()]
        return sorted(rows, key=lambda one: (one.created_at or datetime.min.replace(tzinfo=UTC), one.id))

    def find(self, workspace: str, listener: str) -> Listener:
        """A listener by its id; raises NotFound."""
        return self._whole(*self._row(workspace, listener))

    def _row(self, workspace: str, listener: str) -> list[bytes]:
        [found] = self._rows.get([(keys.home(workspace), listener)])
        if not found[0]:
            raise _unknown(listener)
        return found

    def secret(self, listener: Listener) -> str:
        """What its notices are signed with; raises HandbillError if no key opens it."""
        place = f"{keys.home(listener.workspace)}listener-secrets"
        locked = cast("bytes | None", self._redis.hget(place, listener.id))
        return self._opened(listener.id, locked).get("secret", "")

    def seal(self, workspace: str) -> int:
        """Seal the addresses that a version before has stored as they are; how many those were."""
        if self._signs.older():
            return 0
        rows = self._rows.all(keys.home(workspace)).values()
        found = [self._whole(*row) for row in rows if not _is_sealed(from_json(Listener, row[0]))]
        plain = [one.id for one in found if one.is_private or private.HIDDEN in one.url]
        for listener in plain:
            with suppress(NotFound):
                self.change(workspace, listener, lambda known: known)
        return len(plain)

    def _kept(self, listener: Listener, before: bytes) -> str:
        """A listener as it is stored; while a worker of a version before lives, what it reads ``before`` stays so."""
        was_sealed = bool(before) and _is_sealed(from_json(Listener, before))
        if private.HIDDEN in listener.url or (listener.is_private and (was_sealed or not self._signs.older())):
            return to_json(replace(listener, url=private.SEALED + listener.shown))
        return to_json(listener)

    def _opened(self, listener: str, locked: bytes | None) -> dict[str, str]:
        return self._vault.unlock(listener, locked) if locked else {}

    def _locked(self, listener: Listener, secret: str) -> bytes:
        told = {"secret": secret} | ({"url": listener.url} if listener.is_private else {})
        return self._vault.lock(listener.id, told)

    def _whole(self, found: bytes, locked: bytes, said: bytes) -> Listener:
        """A listener with its address, if that is a secret, as long as a key opens it."""
        listener = from_json(Listener, found)
        if private.HIDDEN in listener.url:
            listener = replace(listener, url=listener.url.removeprefix(private.SEALED))
            with suppress(HandbillError):
                address = self._opened(listener.id, locked).get("url", "")
                if private.is_shown(listener.url, address):
                    listener = replace(listener, url=address)
        if listener.private is None:
            listener = replace(listener, private=private.was_said(said.decode(), listener.url))
        return listener

    def remove(self, listener: Listener) -> None:
        """Forget a listener, its secret, its log and what it has not been told yet."""
        home = keys.home(listener.workspace)
        notices = [n.id for n in self.log(listener)]
        self._rows.remove(home, listener.id)
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hdel(f"{home}listener-heard", listener.id)
            pipe.delete(f"{home}listener:{listener.id}:log", *(f"{home}notice:{n}" for n in notices))
            if notices:
                pipe.zrem(f"{home}notices", *notices)
            pipe.execute()

    def forget(self, workspace: str) -> None:
        """Tell nobody of a workspace any more."""
        self._redis.srem(keys.listening(), workspace)

    def workspaces(self) -> list[str]:
        """Every workspace that ever had a listener."""
        return sorted(w.decode() for w in cast("set[bytes]", self._redis.smembers(keys.listening())))

    def heard(self, listener: Listener) -> datetime:
        """Up to when the moves of posts have been looked at for this listener; since it is there, at the earliest."""
        found = cast("bytes | None", self._redis.hget(f"{keys.home(listener.workspace)}listener-heard", listener.id))
        if found is not None:
            return datetime.fromtimestamp(int(found) / 1000, UTC)
        return (listener.created_at or datetime.now(UTC)) + timedelta(milliseconds=1)

    def mark_heard(self, listener: Listener, until: datetime) -> None:
        """Moves up to ``until`` are queued."""
        self._redis.hset(f"{keys.home(listener.workspace)}listener-heard", listener.id, round(until.timestamp() * 1000))

    def queue(self, listener: Listener, notice: Notice, at: datetime) -> bool:
        """Queue a notice to be told ``at`` an instant; False if one of its id was ever queued."""
        home = keys.home(listener.workspace)
        places = (f"{home}notice:{notice.id}", f"{home}notices", f"{home}listener:{listener.id}:log")
        score = round(at.timestamp() * 1000)
        return bool(self._redis.eval(QUEUE, 3, *places, to_json(notice), score, notice.id, LOG_MOST, KEPT_MS))

    def take(self, workspace: str, *, most: int, seconds: float) -> list[Notice]:
        """What is due to be told; nobody else is given it within ``seconds``."""
        home = keys.home(workspace)
        ids = cast("list[bytes]", self._redis.eval(TAKE, 1, f"{home}notices", most, int(seconds * 1000)))
        return self._read(workspace, [i.decode() for i in ids], tidy=True)

    def settle(self, workspace: str, notice: Notice, *, again: datetime | None) -> None:
        """Store how a notice went; it is told again at ``again`` (None = never)."""
        home = keys.home(workspace)
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(f"{home}notice:{notice.id}", "notice", to_json(notice))
            if again is None:
                pipe.zrem(f"{home}notices", notice.id)
            else:
                pipe.zadd(f"{home}notices", {notice.id: round(again.timestamp() * 1000)})
            pipe.execute()

    def log(self, listener: Listener) -> list[Notice]:
        """What the listener was told and is to be told, the latest first."""
        place = f"{keys.home(listener.workspace)}listener:{listener.id}:log"
        ids = cast("list[bytes]", self._redis.lrange(place, 0, -1))
        return self._read(listener.workspace, [i.decode() for i in ids])

    def replay(self, listener: Listener, notice: str, at: datetime) -> Notice:
        """Tell a notice once more, as it was; raises NotFound."""
        found = next((n for n in self.log(listener) if n.id == notice), None)
        if found is None:
            raise NotFound(f"There is no notice {notice} in the log")
        fresh = replace(found, tries=0, done=False, given_up=False)
        self.settle(listener.workspace, fresh, again=at)
        return fresh

    def _read(self, workspace: str, ids: Sequence[str], *, tidy: bool = False) -> list[Notice]:
        home = keys.home(workspace)
        with self._redis.pipeline(transaction=False) as pipe:
            for notice in ids:
                pipe.hget(f"{home}notice:{notice}", "notice")
            found: Mapping[str, bytes | None] = dict(zip(ids, pipe.execute(), strict=True))
        gone = [notice for notice, text in found.items() if text is None]
        if tidy and gone:
            self._redis.zrem(f"{home}notices", *gone)
        return [from_json(Notice, text) for text in found.values() if text is not None]


def _is_sealed(stored: Listener) -> bool:
    return stored.url.startswith(private.SEALED)


def _said(listener: Listener) -> bytes:
    return private.said(listener.url, secret=listener.private).encode()


def _unknown(listener: str) -> NotFound:
    return NotFound(f"There is no webhook {listener}")


def new_secret() -> str:
    """A signing secret as the Standard Webhooks specification writes one."""
    return f"whsec_{base64.b64encode(random_secrets.token_bytes(32)).decode()}"


def new_id() -> str:
    """An id for a listener."""
    return random_secrets.token_hex(6)


def text_of(body: Mapping[str, object]) -> str:
    """A notice's body, the same to the byte for the same content."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
