"""Every number that Prometheus reads: asked of Redis at the scrape, so that any number of processes say the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import metadata

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

import publishers
from publishers.core.publisher import Budget
from worker.changes import State
from worker.model import Account, Status
from worker.runtime import Runtime
from worker.store.redis import SCHEMA
from worker.store.vitals import LATENESS, POOLS, Vitals

LATE_SECONDS = 60.0


class Numbers(Collector):
    """Nothing is counted here: counters live in Redis, in the same steps as what they count."""

    def __init__(self, parts: Runtime) -> None:
        self._parts = parts
        self._vitals = Vitals(parts.store)

    def collect(self) -> Iterator[Metric]:
        """Every number, asked for now."""
        yield from self._deliveries()
        yield from self._workers()
        yield from self._counters()
        yield from self._accounts()
        yield from self._redis()
        build = GaugeMetricFamily("handbill_build_info", "Always 1.", labels=["version", "schema"])
        build.add_metric([metadata.version("handbill"), SCHEMA], 1)
        yield build

    def _deliveries(self) -> Iterator[Metric]:
        deliveries = self._parts.deliveries
        by_status = GaugeMetricFamily("handbill_deliveries", "Deliveries by status.", labels=["status"])
        counts = deliveries.count()
        for status, count in counts.items():
            by_status.add_metric([str(status)], count)
        yield by_status
        yield GaugeMetricFamily(
            "handbill_parked_posts", "Posts of which only a person can tell whether they are public.",
            value=counts[Status.PARKED],
        )  # fmt: skip
        by_kind = GaugeMetricFamily("handbill_paused_scopes", "Scopes that may not send now, by kind.", labels=["kind"])
        paused = [scope.partition(":")[0] for scope in deliveries.paused()]
        for kind in ("all", "workspace", "account", "connect", "limit"):
            by_kind.add_metric([kind], paused.count(kind))
        yield by_kind
        yield GaugeMetricFamily(
            "handbill_overdue_seconds", "How late the latest due look is.", value=deliveries.overdue_seconds()
        )
        yield GaugeMetricFamily(
            "handbill_late_posts", "Posts a minute past their time and not out.", value=deliveries.late(LATE_SECONDS)
        )
        yield GaugeMetricFamily(
            "handbill_double_posts", "Posts that a look-up found more than once.", value=len(deliveries.doubles())
        )
        changes = [c for w in self._parts.records.workspaces() for c in self._parts.aftercare.changes(w)]
        yield GaugeMetricFamily(
            "handbill_open_changes", "Articles that changed after they were posted, and wait for a decision.",
            value=sum(c.state is State.OPEN for c in changes),
        )  # fmt: skip
        items = GaugeMetricFamily("handbill_items", "What sources brought, by fate.", labels=["fate"])
        fates: dict[str, int] = {}
        for workspace in self._parts.records.workspaces():
            for fate, number in self._parts.sources.count(workspace).items():
                fates[str(fate)] = fates.get(str(fate), 0) + number
        for name, number in fates.items():
            items.add_metric([name], number)
        yield items

    def _workers(self) -> Iterator[Metric]:
        backlog = self._vitals.backlog()
        yield GaugeMetricFamily(
            "handbill_waiting_wakeups", "Wake-ups sent that no worker has started.",
            value=sum(b.waking for b in backlog.values()),
        )  # fmt: skip
        due = GaugeMetricFamily("handbill_pool_due", "What is due and not taken up, by pool.", labels=["pool"])
        waking = GaugeMetricFamily("handbill_pool_waking", "Of it with a message in the broker.", labels=["pool"])
        for pool, waits in backlog.items():
            due.add_metric([pool], waits.due)
            waking.add_metric([pool], waits.waking)
        yield due
        yield waking
        canaries = self._vitals.canaries()
        alive = GaugeMetricFamily("handbill_workers_alive", "Workers whose canary came back lately.", labels=["pool"])
        for pool in POOLS:
            alive.add_metric([pool], sum(name.startswith(pool) for name in canaries))
        yield alive
        ages = GaugeMetricFamily(
            "handbill_canary_age_seconds", "Since a worker last finished a task of its own.", labels=["worker"]
        )
        for worker, age in canaries.items():
            ages.add_metric([worker], age)
        yield ages

    def _counters(self) -> Iterator[Metric]:
        counts = self._vitals.counts()
        attempts = CounterMetricFamily(
            "handbill_attempts", "Turns of workers, by platform and what came of them.", labels=["platform", "status"]
        )
        lost = CounterMetricFamily(
            "handbill_lost_leases", "Posts whose worker was lost, by what it was doing.", labels=["status"]
        )
        for (what, *labels), number in sorted(counts.items()):
            if what == "attempts" and len(labels) == 2:
                attempts.add_metric(labels, number)
            elif what == "lost" and len(labels) == 1:
                lost.add_metric(labels, number)
        yield attempts
        yield lost
        running, buckets = 0, []
        for bound in LATENESS:
            running += counts["late", str(bound)]
            buckets.append((str(float(bound)), running))
        buckets.append(("+Inf", running + counts["late", "inf"]))
        yield HistogramMetricFamily(
            "handbill_lateness_seconds", "How long after its time a post was first public.",
            buckets=buckets, sum_value=counts["late", "sum"] / 1000,
        )  # fmt: skip

    def _accounts(self) -> Iterator[Metric]:
        labels = ["account", "platform"]
        rates = GaugeMetricFamily(
            "handbill_rate_left", "Posts that its own and its app's budgets allow now.", labels=labels
        )
        tokens = GaugeMetricFamily("handbill_token_days_left", "Until a person must connect it again.", labels=labels)
        now = self._parts.now()
        for workspace in self._parts.records.workspaces():
            for account in self._parts.records.accounts(workspace):
                try:
                    budgets = publishers.load(account.platform).budgets
                except KeyError:  # a platform of a package that is not installed here
                    continue
                if (left := self._left(account, budgets)) is not None:
                    rates.add_metric([account.id, account.platform], left)
                if (until := self._parts.renewals.standing(account).left(now)) is not None:
                    tokens.add_metric([account.id, account.platform], until.total_seconds() / 86_400)
        yield rates
        yield tokens

    def _left(self, account: Account, budgets: Sequence[Budget]) -> float | None:
        return self._vitals.left(account, self._parts.accounts.app_of(account), budgets)

    def _redis(self) -> Iterator[Metric]:
        server = self._vitals.server()
        yield GaugeMetricFamily("handbill_redis_memory_bytes", "Memory that the store takes.", value=server.memory)
        yield GaugeMetricFamily("handbill_redis_memory_limit_bytes", "Its maxmemory; 0 is none.", value=server.limit)
        yield GaugeMetricFamily(
            "handbill_redis_persistence_ok", "1 while its disk takes what is written.", value=int(server.persists)
        )
        yield CounterMetricFamily(
            "handbill_redis_evicted_keys", "Keys it evicted: any is a loss.", value=server.evicted
        )


def registry(parts: Runtime) -> CollectorRegistry:
    """Everything to be scraped."""
    found = CollectorRegistry(auto_describe=False)
    found.register(Numbers(parts))
    return found
