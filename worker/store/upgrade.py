"""How a store of an older schema becomes one of this: in small steps while others work, resumable at each.

Any number of processes may do it at once. Workers of the version before go on meanwhile, on what they know; none of
them can start once it is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import structlog

from worker.model import Status
from worker.store import keys

if TYPE_CHECKING:
    from worker.store.redis import Store

log = structlog.get_logger()

STEP = 500
"""Deliveries or articles of one step: a few milliseconds in which others wait."""

TOLD_EVERY = 50_000
AGAIN_MS = 2 * 86_400_000
"""For so long workers of the version before may still be there, and what they plan is put where this version looks."""


def bring_up(store: Store, schema: str) -> None:
    """Go all the way, then say so. Killed anywhere, the next start goes on where it was."""
    done = calendars(store)
    for workspace in cast("set[bytes]", store.client.smembers(keys.workspaces())):
        while moved := cast("int", store.run("upgrade_home", keys.home(workspace.decode()), STEP)):
            done += moved
    _begin_anew(store)
    store.client.set(keys.upgraded(), schema, px=AGAIN_MS)
    store.client.set(keys.schema(), schema)
    log.info("the store was brought up", schema=schema, rows=done)


def catch_up(store: Store) -> int:
    """What workers of the version before have planned since then, while there may be any; how many rows were read."""
    if not store.client.exists(keys.upgraded()):
        return 0
    _begin_anew(store)
    done = calendars(store)
    _begin_anew(store)
    return done


def calendars(store: Store) -> int:
    """Every shard, a step at a time; how many rows were done."""
    done = told = 0
    for shard in range(keys.SHARDS):
        while moved := cast("int", store.run("upgrade", shard, STEP, *Status)):
            done += moved
            if done - told >= TOLD_EVERY:
                told = done
                log.info("the store is being brought up", rows=done, shard=shard, of=keys.SHARDS)
    return done


def _begin_anew(store: Store) -> None:
    for shard in range(keys.SHARDS):
        store.client.delete(keys.upgrading(shard))
