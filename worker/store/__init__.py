"""The only code that knows Redis: its keys, its scripts, what it must promise, and the secrets in it."""

from worker.store.deliveries import Deliveries, Turn
from worker.store.records import Records
from worker.store.redis import Store, open_store
from worker.store.sources import Sources

__all__ = ["Deliveries", "Records", "Sources", "Store", "Turn", "open_store"]
