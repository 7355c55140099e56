"""Everything encrypted in Redis, wherever it stands: found by its form and put under another key, one step for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from cryptography.fernet import InvalidToken

from worker.store import copying
from worker.store.copying import Entry
from worker.store.redis import Store
from worker.store.secrets import is_sealed

SWAP = """
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'string' and redis.call('GET', KEYS[1]) == ARGV[2] then
  redis.call('SET', KEYS[1], ARGV[3], 'KEEPTTL')
elseif kind == 'hash' and redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
else
  return 0
end
return 1
"""
"""Only what is still the same is replaced: a token that was renewed meanwhile stays as it is."""

AT_ONCE = 200


def sealed(store: Store) -> Iterator[tuple[str, bytes, bytes]]:
    """Key, field (empty for a string) and value of everything encrypted."""
    for entry in copying.everything(store):
        for field, item in _places(entry):
            if is_sealed(item):
                yield entry.key, field, item


def renew(store: Store, change: Callable[[bytes], bytes | None]) -> Counter[str]:
    """Replace each encrypted value by what ``change`` makes of it (None: it may stay); counts by what came of it:
    ``renewed``, ``already``, ``unreadable`` (``change`` raised InvalidToken), ``moved`` (changed by somebody else).
    """
    counts: Counter[str] = Counter()
    waiting: list[tuple[str, bytes, bytes, bytes]] = []
    for key, field, item in sealed(store):
        try:
            fresh = change(item)
        except InvalidToken:
            counts["unreadable"] += 1
            continue
        if fresh is None:
            counts["already"] += 1
            continue
        waiting.append((key, field, item, fresh))
        if len(waiting) >= AT_ONCE:
            _swap(store, waiting, counts)
            waiting = []
    _swap(store, waiting, counts)
    return counts


def _swap(store: Store, rows: list[tuple[str, bytes, bytes, bytes]], counts: Counter[str]) -> None:
    with store.client.pipeline(transaction=False) as pipe:
        for key, field, item, fresh in rows:
            pipe.eval(SWAP, 1, key, field, item, fresh)
        done = pipe.execute()
    counts["renewed"] += sum(done)
    counts["moved"] += len(done) - sum(done)


def _places(entry: Entry) -> Iterator[tuple[bytes, bytes]]:
    if entry.kind == "hash":
        yield from zip(entry.items[::2], entry.items[1::2], strict=True)
    elif entry.kind == "string":
        yield from ((b"", item) for item in entry.items)
