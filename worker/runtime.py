"""What one process needs, wired once: settings, the store, and the use cases on top of it."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from worker import log
from worker.pipeline.accounts import Accounts
from worker.pipeline.announce import Announcer
from worker.pipeline.clicks import Clicks
from worker.pipeline.connect import Connecting
from worker.pipeline.intake import Intake
from worker.pipeline.numbers import Numbers
from worker.pipeline.owners import Owners
from worker.pipeline.publish import Engine
from worker.pipeline.push import Push
from worker.pipeline.receipts import Receipts
from worker.pipeline.receive import Receiver
from worker.pipeline.renewal import Renewals
from worker.settings import Settings
from worker.store import (
    Aftercare,
    Audit,
    Counters,
    Deliveries,
    Hooks,
    Links,
    Listeners,
    People,
    Records,
    Replies,
    Sources,
    Store,
    open_store,
)
from worker.store.secrets import Vault, key_of

if TYPE_CHECKING:
    from worker.intake.model import Source
    from worker.intake.webhooks import Event
    from worker.pipeline.changes import Changes
    from worker.pipeline.digest import Digests
    from worker.pipeline.evergreen import Evergreens
    from worker.pipeline.plan import Planner
    from worker.pipeline.reading import Reader


class Runtime:
    """The parts of one process."""

    def __init__(self, config: Settings, store: Store, vault: Vault) -> None:
        self.settings = config
        self.store = store
        self.vault = vault
        self.deliveries = Deliveries(store)
        self.records = Records(store, vault)
        self.sources = Sources(store, vault)
        self.hooks = Hooks(store, vault)
        self.people = People(store, vault)
        self.aftercare = Aftercare(store)
        self.links = Links(store)
        self.counters = Counters(store, vault)
        self.audit = Audit(store)
        self.replies = Replies(store, vault)
        self.listeners = Listeners(store, vault)
        self.announcer = Announcer(self.deliveries, self.listeners, config)
        self.accounts = Accounts(self.records, config)
        self.connecting = Connecting(self.accounts, self.records, self.deliveries, config)
        self.renewals = Renewals(self.records, self.deliveries, self.accounts, now=self.now)
        self.intake = Intake(self.sources)
        self.owners = Owners(self)
        self.receiver = Receiver(self.hooks, self.sources, self.intake, self._take_back)
        self.push = Push(self.hooks, self.sources, config)
        self.receipts = Receipts(self)
        self.clicks = Clicks(self)
        self.numbers = Numbers(self)

    @functools.cached_property
    def planner(self) -> Planner:
        """Reads and plans articles; made when first asked for, so that a publishing worker loads no picture library."""
        from worker.pipeline.plan import Planner, Studio  # noqa: PLC0415

        return Planner(
            self.deliveries,
            self.records,
            Studio(self.settings, self.settings.data_dir / "media", brands=self.records.brands, keep=self.links.keep),
        )

    @functools.cached_property
    def reader(self) -> Reader:
        """Reads what came in; made when first asked for, as above."""
        from worker.pipeline.reading import Reader  # noqa: PLC0415

        return Reader(self)

    @functools.cached_property
    def digests(self) -> Digests:
        """Makes one post of several articles; made when first asked for, as above."""
        from worker.pipeline.digest import Digests  # noqa: PLC0415

        return Digests(self)

    @functools.cached_property
    def evergreens(self) -> Evergreens:
        """Shares older articles again; made when first asked for, as above."""
        from worker.pipeline.evergreen import Evergreens  # noqa: PLC0415

        return Evergreens(self, score=self.numbers.score)

    def _take_back(self, source: Source, event: Event) -> None:
        self.changes.take_back(source, event)

    @functools.cached_property
    def changes(self) -> Changes:
        """Looks at articles again and puts posts right; made when first asked for, as above."""
        from worker.pipeline.changes import Changes  # noqa: PLC0415

        return Changes(self)

    def engine(self, *, wake: Callable[[Sequence[str]], None], depth: Callable[[], int]) -> Engine:
        """The publishing engine; ``wake`` sends wake-ups, ``depth`` counts those that wait in the broker."""
        return Engine(
            self.deliveries,
            self.records,
            self.accounts,
            self.settings,
            wake=wake,
            depth=depth,
            now=utc_now,
            rng=random.Random(),  # noqa: S311 - spreads retries, guards nothing
        )

    def now(self) -> datetime:
        """Redis' clock: the one that decides what is due."""
        return datetime.fromtimestamp(self.store.now_ms() / 1000, UTC)

    def close(self) -> None:
        """Let go of Redis."""
        self.store.close()


def utc_now() -> datetime:
    """This machine's clock; what is due is decided by Redis' clock alone."""
    return datetime.now(UTC)


def open_runtime(config: Settings, url: str) -> Runtime:
    """Connect to Redis at ``url`` and wire everything; raises HandbillError with one clear line."""
    log.hide(config.secret_key.get_secret_value(), config.oidc_client_secret.get_secret_value())
    store = open_store(url, trial=config.trial, replicas=config.replicas)
    return Runtime(config, store, vault_of(config))


def vault_of(config: Settings) -> Vault:
    """What secrets are kept under; keys in a file may be renewed while this process runs."""
    read = functools.partial(key_of, config.data_dir, config.secret_key.get_secret_value())
    return Vault(read(), again=read)
