"""The only code that knows Redis: its keys, its scripts, what it must promise, and the secrets in it."""

from worker.store.aftercare import Aftercare
from worker.store.audit import Audit
from worker.store.connections import Connections
from worker.store.counters import Counters
from worker.store.deliveries import Deliveries, Turn
from worker.store.hooks import Hooks
from worker.store.links import Links
from worker.store.listeners import Listeners
from worker.store.people import People
from worker.store.records import Records
from worker.store.redis import Store, open_store
from worker.store.replies import Replies
from worker.store.sources import Sources

__all__ = [
    "Aftercare",
    "Audit",
    "Connections",
    "Counters",
    "Deliveries",
    "Hooks",
    "Links",
    "Listeners",
    "People",
    "Records",
    "Replies",
    "Sources",
    "Store",
    "Turn",
    "open_store",
]
