"""Answers to requests that carried an Idempotency-Key, kept for a day: a repeat is told the same and does nothing.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/ (read 2026-11-25).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from worker.model import digest
from worker.store import keys
from worker.store.redis import Store
from worker.store.secrets import Vault

DAY_MS = 86_400_000
RUNNING_MS = 120_000
"""How long a request may be under way before its key counts as never used: longer than any of ours takes."""

WORDS = (b"new", b"busy", b"other")

BEGIN = """
local h = redis.call('HMGET', KEYS[1], 'asked', 'reply')
if not h[1] then
  redis.call('HSET', KEYS[1], 'asked', ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return 'new'
end
if h[1] ~= ARGV[1] then return 'other' end
return h[2] or 'busy'
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it was given: its body is text."""

    status: int
    headers: Mapping[str, str]
    body: str


class Replies:
    """Who asked what under which key, and what they were told."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self._redis = store.client
        self._vault = vault

    def begin(self, workspace: str, caller: str, key: str, asked: str) -> Reply | str:
        """What a repeat is told; or ``new`` (go on), ``busy`` (the first is under way), ``other`` (asked otherwise)."""
        place = self._place(workspace, caller, key)
        word = cast("bytes", self._redis.eval(BEGIN, 1, place, asked, RUNNING_MS))
        if word in WORDS:
            return word.decode()
        return Reply(**json.loads(self._vault.unlock(place, word)["reply"]))

    def keep(self, workspace: str, caller: str, key: str, reply: Reply) -> None:
        """Remember what was answered, encrypted: the answer to a create may show a secret this once."""
        place = self._place(workspace, caller, key)
        told = json.dumps({"status": reply.status, "headers": dict(reply.headers), "body": reply.body})
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(place, "reply", self._vault.lock(place, {"reply": told}))
            pipe.pexpire(place, DAY_MS)
            pipe.execute()

    def forget(self, workspace: str, caller: str, key: str) -> None:
        """It failed on our side: the key may be used again."""
        self._redis.delete(self._place(workspace, caller, key))

    def _place(self, workspace: str, caller: str, key: str) -> str:
        return f"{keys.home(workspace)}reply:{digest('reply', caller, key, length=40)}"
