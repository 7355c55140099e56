"""The Celery application: queues, pools and the loops that run beside them. A message only says "look at this id"."""

from __future__ import annotations

import functools
import os
import socket
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import structlog
from celery import Celery
from celery.exceptions import SecurityWarning
from celery.signals import setup_logging, worker_process_init, worker_ready, worker_shutting_down
from kombu.entity import Queue
from kombu.exceptions import ChannelError

from worker import gather
from worker import log as logs
from worker.app_urls import broker_of, tls_of
from worker.broker import PUBLISH
from worker.errors import HandbillError
from worker.keeping.retention import tidy_once_an_hour
from worker.pipeline.publish import Engine
from worker.pipeline.renewal import SWEEP_SECONDS
from worker.runtime import Runtime, open_runtime
from worker.settings import Settings, settings
from worker.store.redis import refuse_open
from worker.watch.alerts import EVERY_SECONDS as ALERTS_EVERY
from worker.watch.alerts import Alerts
from worker.watch.observe import observe

log = structlog.get_logger()

CONTENT = "content"
INTAKE = "intake"
CANARY_EVERY = 5.0
ANNOUNCE_EVERY = 1.0
TIDY_EVERY = 60.0
DEAF_AFTER = 30.0
SHORTEST_PAUSE = 0.005
CONTENT_PATIENCE = 150.0
"""Seconds more that a content worker may be busy with one article before it counts as deaf."""

EXIT_DEAF = 70
NOT_FOUND = "404"
TENDED_WITHIN = 600
"""Seconds after which a message to look after older articles is out of date: the next one is on its way."""

REACHED_WITHIN = 5.0
"""Seconds in which a broker must answer whoever only wants to know whether it does."""

REDELIVERED_AFTER = 300
"""Seconds until an article whose worker was lost is given to another one; reading one takes far less."""


def make(config: Settings) -> Celery:
    """The application for these settings; JSON only, no results, no eta."""
    address = config.broker_url or config.redis_url
    broker = broker_of(address)
    # Quorum queues are RabbitMQ's for messages that must outlive a node: https://www.rabbitmq.com/docs/quorum-queues
    kind: dict[str, Any] = {"queue_arguments": {"x-queue-type": "quorum"}} if broker.startswith("amqp") else {}
    # A wake-up leaves a Redis when a free hand takes it, and is gone: kombu gives back what a killed worker had not
    # acknowledged, minutes later and beyond every bound, while the tick sends again after seconds what is still due.
    alone = broker.startswith("redis")
    celery = Celery("handbill", broker=broker, include=["worker.tasks"])
    celery.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_default_queue=PUBLISH,
        task_queues=[Queue(PUBLISH, no_ack=alone, **kind), Queue(CONTENT, **kind)],  # type: ignore[no-untyped-call]  # kombu publishes no types
        task_create_missing_queues=True,
        worker_direct=True,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=alone,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_use_ssl=tls_of(address) or False,
        broker_transport_options={
            "visibility_timeout": REDELIVERED_AFTER,
            "health_check_interval": 10,
            "socket_keepalive": True,
        },
    )
    return celery


app = make(settings())


def reached(config: Settings) -> str:
    """Why the broker does not answer, in a line; empty if it does."""
    made = make(config)
    try:
        with made.connection_for_write(connect_timeout=REACHED_WITHIN) as line:
            line.connect()
            line.default_channel.close()
    except Exception as error:  # noqa: BLE001 - whatever a transport raises, it is why
        return logs.redact(str(error).partition("\n")[0][:200].rstrip(".") or type(error).__name__)
    finally:
        made.close()
    return ""


def hands(config: Settings) -> int:
    """How many posts a publishing worker holds at most: those in flight, and for each eight one that comes or goes."""
    return config.publish_threads + -(-config.publish_threads // 8)


@functools.cache
def runtime() -> Runtime:
    """This worker's connections, opened once per process."""
    return open_runtime(settings(), settings().redis_url)


@functools.cache
def engine() -> Engine:
    """This worker's publishing engine."""
    runtime().store.sleep = _still_here
    return runtime().engine(wake=_wake, depth=_depth)


class Pulse:
    """Signs of life of this process' pool: how many tasks run, and when one last started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.running = 0
        self.last = time.monotonic()

    def __enter__(self) -> None:
        with self._lock:
            self.running += 1
            self.last = time.monotonic()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.running -= 1
            self.last = time.monotonic()

    def beat(self) -> None:
        """One more sign."""
        self.last = time.monotonic()


pulse = Pulse()


def _still_here(seconds: float) -> None:
    """Wait for a server that is away: whoever has something to tell it is not deaf, and must not be left for it."""
    pulse.beat()
    time.sleep(seconds)


nudge = threading.Event()
stopping = threading.Event()


class _Loop:
    """The loop in which Celery waits for messages; it knows of a hand that is free only when something rouses it."""

    hub: Any = None

    def rouse(self) -> None:
        """Let it look again now, not within the second."""
        if self.hub is not None:
            self.hub.call_soon(_nothing)


def _nothing() -> None: ...


loop = _Loop()


def _wake(deliveries: Sequence[str]) -> None:
    # All in one trip, where the broker can: a server that writes to the disk before it answers does so once.
    with (
        app.producer_or_acquire() as producer,
        producer.batch() if producer.supports_batch_publish else nullcontext(),
    ):
        for delivery in deliveries:
            app.send_task("handbill.look", args=[delivery], queue=PUBLISH, producer=producer, retry=False)


def _wake_reader(item: str) -> None:
    app.send_task("handbill.read", args=[item], queue=CONTENT, retry=False)


def _wake_tender(workspace: str) -> None:
    app.send_task("handbill.tend", args=[workspace], queue=CONTENT, retry=False, expires=TENDED_WITHIN)


def _depth() -> int:
    """How many wake-ups wait in the broker, counted by the broker itself (Redis or RabbitMQ)."""
    with app.pool.acquire(block=True) as connection:
        try:
            return int(connection.default_channel.queue_declare(PUBLISH, durable=True, passive=True).message_count)
        except ChannelError as error:
            # An empty queue does not exist in Redis, which keeps no empty lists.
            if str(error.reply_code) == NOT_FOUND:
                return 0
            raise


def pause(following: float, every: float) -> float:
    """Seconds until the next tick is worth while: what was due already waits for a free hand, and that nudges."""
    return max(following, SHORTEST_PAUSE) if 0 < following < every else every


def tick_loop(every: float) -> None:
    """Tick until the worker stops: when a task starts, when something is due, at the latest after ``every`` seconds."""
    following = every
    while not stopping.is_set():
        freed = nudge.wait(pause(following, every))
        nudge.clear()
        try:
            engine().tick(hands(settings()) - pulse.running)
            following = engine().following
            if freed:
                loop.rouse()
        except Exception as error:  # noqa: BLE001 - Redis or the broker is away; the next tick tries again
            log.warning("tick failed", error=type(error).__name__, reason=str(error)[:200])
            stopping.wait(1.0)


def renew_loop() -> None:
    """Renew tokens ahead of their end, apart from the tick: a platform may let us wait."""
    while not stopping.wait(SWEEP_SECONDS):
        try:
            with runtime().records.lock(settings().workspace, "sweep", seconds=SWEEP_SECONDS / 2) as mine:
                if mine:
                    runtime().renewals.sweep()
        except Exception as error:  # noqa: BLE001 - Redis is away; the next sweep tries again
            log.warning("tokens were not looked at", error=type(error).__name__)


def tidy_loop() -> None:
    """Let go of what is too old, apart from the tick."""
    while not stopping.wait(TIDY_EVERY):
        try:
            tidy_once_an_hour(runtime())
        except Exception as error:  # noqa: BLE001 - Redis is away; the next turn goes on
            log.warning("nothing was tidied", error=type(error).__name__)


def alert_loop() -> None:
    """Tell people what is wrong, apart from the tick: whoever tells them may let us wait."""
    alerts = Alerts(runtime())
    while not stopping.wait(ALERTS_EVERY):
        try:
            alerts.round()
        except Exception as error:  # noqa: BLE001 - Redis is away; the next look tries again
            log.warning("nobody was alerted", error=type(error).__name__)


def announce_loop() -> None:
    """Tell other systems what became of posts, apart from the tick: they may let us wait."""
    while not stopping.wait(ANNOUNCE_EVERY):
        try:
            runtime().announcer.tick()
        except Exception as error:  # noqa: BLE001 - Redis is away; the next look tries again
            log.warning("nobody was told", error=type(error).__name__)


def canary_loop(name: str, deaf: Callable[[], bool]) -> None:
    """Send this worker a task of its own and leave, to be restarted, when none comes back: it has gone deaf.

    A worker may answer `inspect ping` and still consume nothing (celery#10302, kombu#2492).
    """
    while not stopping.wait(CANARY_EVERY):
        if deaf():
            log.error("nothing consumed, leaving to be restarted", worker=name)
            os._exit(EXIT_DEAF)
        try:
            app.send_task("handbill.canary", args=[name], queue=f"{name}.dq2", expires=DEAF_AFTER, retry=False)
        except Exception as error:  # noqa: BLE001 - the broker is away; ``deaf`` decides
            log.warning("canary not sent", error=type(error).__name__)


def _publishing_is_deaf() -> bool:
    """A pool that is full of slow platforms is busy, not deaf."""
    return pulse.running < hands(settings()) and time.monotonic() - pulse.last > DEAF_AFTER


class _ContentEar:
    """Content runs in child processes, so the sign of life is the one the canary left in Redis."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._last = time.monotonic()
        self._parts = open_runtime(settings(), settings().redis_url)

    def __call__(self) -> bool:
        try:
            if self._name in self._parts.records.alive():
                self._last = time.monotonic()
        except Exception as error:  # noqa: BLE001 - no Redis, no verdict; a long silence is one
            log.warning("no sign of life can be read", error=type(error).__name__)
        return time.monotonic() - self._last > DEAF_AFTER + CONTENT_PATIENCE


@setup_logging.connect  # type: ignore[untyped-decorator]  # Celery publishes no types
def _logging(**_: Any) -> None:
    logs.configure(settings().log)


@worker_process_init.connect  # type: ignore[untyped-decorator]  # Celery publishes no types
def _child(**_: Any) -> None:
    observe(CONTENT)  # threads that send do not survive a fork


@worker_ready.connect  # type: ignore[untyped-decorator]  # Celery publishes no types
def _ready(sender: Any, **_: Any) -> None:
    queues = {queue.name for queue in sender.task_consumer.queues} if sender.task_consumer else set()
    if PUBLISH in queues:
        loop.hub = sender.hub
        threading.Thread(target=renew_loop, daemon=True, name="renew").start()
        threading.Thread(target=tidy_loop, daemon=True, name="tidy").start()
        threading.Thread(target=alert_loop, daemon=True, name="alerts").start()
        threading.Thread(target=announce_loop, daemon=True, name="announce").start()
        threading.Thread(target=tick_loop, args=(settings().tick_seconds,), daemon=True, name="tick").start()
    deaf = _publishing_is_deaf if PUBLISH in queues else _ContentEar(sender.hostname)
    threading.Thread(target=canary_loop, args=(sender.hostname, deaf), daemon=True, name="canary").start()
    log.info("worker ready", queues=sorted(queues))


@worker_shutting_down.connect  # type: ignore[untyped-decorator]  # Celery publishes no types
def _stopping(**_: Any) -> None:
    stopping.set()


def run_worker(queue: str, name: str) -> int:
    """Run a worker in this process until it is stopped; returns its exit code. The intake worker has no queue.

    ``name`` must be its own on this machine: its canary comes home by it.
    """
    config = settings()
    if not config.redis_url:
        raise HandbillError("A worker needs HANDBILL_REDIS_URL", do="Set it, or run: handbill up")
    refuse_open(config.broker_url, "HANDBILL_BROKER_URL", trial=config.trial)
    if queue == CONTENT:
        from worker.content import cards  # noqa: PLC0415 - a worker that publishes draws nothing, and stays smaller

        if missing := cards.missing():
            raise HandbillError("Cards cannot be drawn", why=missing, do="Install Handbill from its wheels")
    runtime().store.ping()
    if queue != CONTENT:
        observe(name or queue)
    if queue == INTAKE:
        return gather.run(runtime(), wake=_wake_reader, tend=_wake_tender, name=name or queue)
    pool = ["--pool=threads", f"--concurrency={hands(config)}"]
    if queue == CONTENT:
        pool = ["--pool=prefork", f"--concurrency={config.content_processes}", "--max-tasks-per-child=500"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=WARNING"]
    if queue == CONTENT:
        # A child must not share its parent's connections.
        runtime().close()
        runtime.cache_clear()
    # Root is as safe here as anyone: messages are JSON and hold an id.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    host = f"--hostname={name or queue}@{socket.gethostname()}"
    app.worker_main(["--quiet", "worker", f"--queues={queue}", host, *pool, *quiet])
    return 0
