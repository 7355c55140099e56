"""What Handbill stands on, checked: data folder, Redis, broker, workers, accounts, the due list, text, time zones."""

from __future__ import annotations

import contextlib
import shutil
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import publishers
from worker import embedded, pull
from worker.changes import State
from worker.content import cards
from worker.errors import HandbillError
from worker.model import Account, Status
from worker.runtime import Runtime, open_runtime, utc_now, vault_of
from worker.settings import Settings
from worker.store.redis import refuse_open
from worker.store.vitals import Vitals
from worker.watch.alerts import Alerts
from worker.watch.conditions import Kind, conditions

LATE_SECONDS = 60.0
LOW_DISK = 500_000_000
SKEW = 2.0
"""Seconds by which clocks may differ; signatures of webhooks and of addresses are good for minutes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was found, and what to do if it is not well."""

    check: str
    ok: bool
    found: str
    do: str = ""


def examine(config: Settings) -> list[Finding]:
    """Every check, in the order in which things depend on each other; changes nothing."""
    return list(_findings(config))


def consumes(config: Settings) -> None:
    """Raise HandbillError unless a worker of this machine has lately finished a task of its own."""
    parts = open_runtime(config, config.redis_url)
    try:
        here = [name for name in parts.records.alive() if name.endswith(f"@{socket.gethostname()}")]
    finally:
        parts.close()
    if not here:
        raise HandbillError("No worker of this machine consumes", do="It leaves by itself; whoever runs it restarts it")


def _findings(config: Settings) -> Iterator[Finding]:
    folder = config.data_dir if config.data_dir.exists() else config.data_dir.resolve().parent
    try:
        free = shutil.disk_usage(folder).free
        enough = free > LOW_DISK
        do = "" if enough else "Make room: Redis writes every move to disk"
        yield Finding("data folder", enough, f"{config.data_dir.resolve()}, {free / 1e9:.1f} GB free", do)
    except OSError as error:
        yield Finding("data folder", ok=False, found=str(error.strerror), do="Set HANDBILL_DATA_DIR")
    missing = cards.missing()
    yield Finding(
        "pictures", not missing, missing or "text shaping and fonts are there", "" if not missing else "Reinstall"
    )
    for name, why in publishers.left_out().items():
        yield Finding("platforms", ok=False, found=f"{name} is left out: {why}", do="Correct or uninstall that package")
    try:
        if config.secret_key.get_secret_value() or (config.data_dir / "secret.key").exists():
            vault_of(config)
    except HandbillError as error:
        yield Finding("key", ok=False, found=error.what, do=error.do)
        return
    url = config.redis_url
    if not url:
        server = embedded.running(config.data_dir)
        if server is None:
            yield Finding("redis", ok=False, found="the embedded Valkey is not running", do="Run: handbill up")
            return
        url = server.url
    try:
        with contextlib.suppress(ValueError):  # an address that is none is told of below
            refuse_open(url, "HANDBILL_REDIS_URL", trial=config.trial)
        # Everything that is wrong with it is told below, not only what is refused first.
        parts = open_runtime(config.model_copy(update={"trial": True}), url)
    except HandbillError as error:
        yield Finding("redis", ok=False, found=error.what + (f": {error.why}" if error.why else ""), do=error.do)
        return
    try:
        yield from _of_redis(config, parts)
    finally:
        parts.close()


def _of_redis(config: Settings, parts: Runtime) -> Iterator[Finding]:
    faults = [line.partition("; mend: ") for line in parts.store.check(trial=True)]
    for why, _, mend in faults:
        yield Finding("redis", ok=False, found=f"{parts.store.where} may not hold posts: {why}", do=mend)
    if not faults:
        yield Finding("redis", ok=True, found=f"{parts.store.where} may hold the truth")
    yield _clock(parts)
    if config.broker_url:
        yield _broker(config)
    yield from _of_server(config, parts)
    yield from _workers(parts)
    late = parts.deliveries.overdue_seconds()
    do = "" if late < LATE_SECONDS else "See: handbill deliveries --status scheduled"
    yield Finding(
        "late", late < LATE_SECONDS, f"the oldest due post is {late:.0f} s late" if late else "nothing is late", do
    )
    counts = parts.deliveries.count()
    unknown = counts[Status.UNCONFIRMED] + counts[Status.PARKED]
    do = "See: handbill deliveries --status parked" if counts[Status.PARKED] else ""
    found = f"{unknown} with an unknown end, {counts[Status.PARKED]} of them wait for a person"
    yield Finding("unknown", counts[Status.PARKED] == 0, found if unknown else "every end is known", do)
    failed = counts[Status.FAILED]
    do = "See: handbill deliveries --status failed" if failed else ""
    yield Finding("failed", failed == 0, f"{failed} failed" if failed else "nothing failed", do)
    paused = {k: v for k, v in parts.deliveries.paused().items() if not k.startswith("limit:")}
    for scope, (_, why) in paused.items():
        kind, _, name = scope.partition(":")
        do = f"handbill accounts check {name}" if kind == "connect" else f"handbill resume --{kind} {name}".rstrip()
        yield Finding("paused", ok=False, found=f"{scope}: {why}", do=do)
    if waits := counts[Status.AWAITING_APPROVAL]:
        do = "See: handbill deliveries --status 'awaiting approval'"
        yield Finding("approval", ok=True, found=f"{waits} wait until somebody approves them", do=do)
    changed = sum(c.state is State.OPEN for w in parts.records.workspaces() for c in parts.aftercare.changes(w))
    found = (
        f"{changed} {'article' if changed == 1 else 'articles'} changed after being posted: what becomes of the posts?"
    )
    do = "See: handbill changes list, or the page Changes" if changed else ""
    yield Finding("changes", not changed, found if changed else "nothing that was posted waits for a correction", do)
    everywhere = [a for w in parts.records.workspaces() for a in parts.records.accounts(w)]
    for account in everywhere:
        standing = parts.renewals.standing(account)
        if (said := standing.says(parts.now())) and (standing.outlived or "connect" in said):
            do = f"Connect it again: handbill accounts add {account.platform}, or the page Accounts"
            yield Finding("token", ok=False, found=f"{account.id}: {said}", do=do)
    yield from _rates(parts, everywhere)
    accounts = [a for a in everywhere if a.workspace == config.workspace]
    if any(publishers.load(a.platform).pulls and not a.rehearsal for a in accounts):
        yield _reach(config)
    do = "" if accounts else "handbill accounts add PLATFORM"
    yield Finding("accounts", bool(accounts), f"{len(accounts)} connected", do)


def _workers(parts: Runtime) -> Iterator[Finding]:
    """Who consumes, and whether all of them are of this version."""
    workers = parts.records.alive()
    lacking = [
        queue for queue in ("publish", "content", "intake") if not any(name.startswith(queue) for name in workers)
    ]
    do = "Run: handbill up (or handbill worker)" if lacking else ""
    said = f"{len(workers)} consume" if workers else "nothing consumes"
    if workers and lacking:
        said += f", no {lacking[0]} worker among them"
    yield Finding("workers", not lacking, said, do)
    if older := parts.records.older():
        found = f"{len(older)} of a version before: {', '.join(older)}; secret addresses stay plain in Redis until "
        found += "it is gone" if len(older) == 1 else "they are gone"
        yield Finding("older workers", ok=False, found=found, do="Restart them with this version")


def _rates(parts: Runtime, accounts: Iterable[Account]) -> Iterator[Finding]:
    """Who may send nothing more just now, as far as the platforms' rates tell."""
    vitals, used = Vitals(parts.store), []
    for account in accounts:
        with contextlib.suppress(KeyError):  # a platform of a package that is not installed here
            budgets = publishers.load(account.platform).budgets
            if vitals.left(account, parts.accounts.app_of(account), budgets) == 0:
                used.append(account.id)
    if used:
        do = "Posts go out when the platform allows; plan fewer, or later"
        yield Finding("rates", ok=True, found=f"{', '.join(used)} may send nothing more just now", do=do)


def _of_server(config: Settings, parts: Runtime) -> Iterator[Finding]:
    """What the conditions that people are told of say of Redis, who is told, and whether the key is private."""
    for condition in conditions(parts):
        if condition.kind in {Kind.REDIS, Kind.DOUBLE}:
            yield Finding(condition.kind, ok=False, found=condition.text, do=condition.do)
    server = Vitals(parts.store).server()
    found = f"{server.memory / 1e6:,.0f} MB" + (
        f" of {server.limit / 1e6:,.0f}" if server.limit else ", without a limit"
    )
    lost = f"; {server.evicted:,} keys were evicted" if server.evicted else ""
    do = "CONFIG SET maxmemory-policy noeviction, and restore a backup" if lost else ""
    yield Finding("memory", not lost, found + lost, do)
    backlog = Vitals(parts.store).backlog()
    found = ", ".join(f"{pool} {waits.due}" for pool, waits in backlog.items())
    waking = sum(waits.waking for waits in backlog.values())
    yield Finding("waiting", ok=True, found=f"due and not taken up: {found}; {waking} wake-ups under way")
    told = [a for w in parts.records.workspaces() for a in Alerts(parts).listed(w)]
    found = f"{', '.join(told)} is told of what is wrong" if told else "nobody is told of what is wrong"
    yield Finding("alerts", ok=True, found=found, do="" if told else "handbill alerts add ACCOUNT")
    key = config.data_dir / "secret.key"
    if not config.secret_key.get_secret_value() and key.exists() and key.stat().st_mode & 0o077:
        yield Finding("key", ok=False, found=f"{key} can be read by others", do=f"chmod 600 {key}")


def _broker(config: Settings) -> Finding:
    """Whether wake-ups can be sent; what is due waits in Redis meanwhile."""
    from worker.app import reached  # noqa: PLC0415 - Celery is loaded by whoever speaks to a broker

    where = urlsplit(config.broker_url).hostname or "this machine"
    try:
        refuse_open(config.broker_url, "HANDBILL_BROKER_URL", trial=config.trial)
        why = reached(config)
    except HandbillError as error:
        return Finding("broker", ok=False, found=error.what + (f": {error.why}" if error.why else ""), do=error.do)
    if not why:
        return Finding("broker", ok=True, found=f"the one at {where} answers")
    do = "Start it, or correct HANDBILL_BROKER_URL; what is due waits in Redis"
    return Finding("broker", ok=False, found=f"the one at {where} does not answer: {why}", do=do)


def _clock(parts: Runtime) -> Finding:
    """Whether this machine's clock is Redis', by which it is decided what is due."""
    ahead = (utc_now() - parts.now()).total_seconds()
    if abs(ahead) <= SKEW:
        return Finding("clock", ok=True, found="this machine and Redis agree on the time")
    found = (
        f"this machine is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} Redis, which decides what is due"
    )
    return Finding("clock", ok=False, found=found, do="Synchronise both with NTP (timedatectl set-ntp true)")


def _reach(config: Settings) -> Finding:
    """Whether platforms that fetch pictures themselves can."""
    try:
        pull.check(config)
    except HandbillError as error:
        return Finding("public url", ok=False, found=error.what + (f": {error.why}" if error.why else ""), do=error.do)
    return Finding("public url", ok=True, found=f"{config.public_url} leads to an address of the internet")
