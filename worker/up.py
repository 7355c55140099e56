"""Everything on one machine under one supervisor: Redis if none is given, the workers, the rehearsal, the web."""

from __future__ import annotations

import contextlib
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from worker import embedded
from worker.app_urls import broker_of
from worker.environ import SECRETS
from worker.errors import HandbillError
from worker.settings import Settings
from worker.store.redis import refuse_open
from worker.store.secrets import Vault
from worker.supervisor import LONGEST_DELAY, Child, State, Supervisor


@contextlib.contextmanager
def redis_for(config: Settings) -> Iterator[str]:
    """The address of the Redis to use, for as long as it is needed: the given one, or the data folder's own."""
    if config.redis_url:
        yield config.redis_url
        return
    _writable(config.data_dir)
    server = embedded.Embedded.start(config.data_dir)
    try:
        yield server.url
    finally:
        server.stop()


def supervisor(
    config: Settings,
    *,
    web: bool = True,
    log: TextIO = sys.stderr,
    status: Callable[[str, State, str], None] | None = None,
    longest_delay: float = LONGEST_DELAY,
) -> Supervisor:
    """The processes of ``handbill up``, ready to run.

    Raises HandbillError if a port is taken, if a server is open to anyone, or if the key is none: each process would
    refuse to start, again and again.
    """
    refuse_open(config.redis_url, "HANDBILL_REDIS_URL", trial=config.trial)
    refuse_open(config.broker_url, "HANDBILL_BROKER_URL", trial=config.trial)
    if given := config.secret_key.get_secret_value():
        Vault(given)
    rehearsal = urlsplit(config.rehearsal)
    ports = [(rehearsal.hostname or "127.0.0.1", rehearsal.port or 80, "HANDBILL_REHEARSAL_PORT")]
    if web:
        ports.append((config.host, config.port, "HANDBILL_PORT"))
    if config.rehearsal_url:
        ports.pop(0)
    for host, port, name in ports:
        _free(host, port, name)
    env = {
        "HANDBILL_DATA_DIR": str(config.data_dir.resolve()),
        "HANDBILL_REQUEST_SECONDS": str(config.request_seconds),
        "HANDBILL_SETTLE_SECONDS": str(config.settle_seconds),
    }
    children = []
    if config.redis_url:
        env["HANDBILL_REDIS_URL"] = config.redis_url
    else:
        server = embedded.Embedded(config.data_dir)
        env["HANDBILL_REDIS_URL"] = server.url
        children.append(
            Child(
                name="redis",
                argv=embedded.command(config.data_dir),
                without=SECRETS,
                ready=lambda: server.ping() is embedded.Answer.READY,
            )
        )
    env["HANDBILL_BROKER_URL"] = config.broker_url or env["HANDBILL_REDIS_URL"]
    broker_of(env["HANDBILL_BROKER_URL"])  # said here once, and not by every worker
    me = [sys.executable, "-m", "worker"]
    if not config.rehearsal_url:
        folder = str(config.data_dir.resolve() / "rehearsal")
        address = ["--host", rehearsal.hostname or "127.0.0.1", "--port", str(rehearsal.port)]
        argv = [sys.executable, "-m", "rehearsal", *address, "--dir", folder]
        children.append(Child(name="rehearsal", argv=argv, without=SECRETS, ready=lambda: answers(config.rehearsal)))
    for number in range(config.publish_workers):
        name = f"publish-{number + 1}" if config.publish_workers > 1 else "publish"
        children.append(Child(name=name, argv=[*me, "worker", "--queues", "publish", "--name", name], env=env))
    children += [Child(name=q, argv=[*me, "worker", "--queues", q], env=env) for q in ("content", "intake")]
    if web:
        ready = f"http://{config.host}:{config.port}/healthz"
        children.append(Child(name="web", argv=[*me, "web"], env=env, ready=lambda: answers(ready)))
    return Supervisor(children, log=log, status=status, longest_delay=longest_delay)


def answers(url: str) -> bool:
    """Whether a server of our own answers at ``url``, whatever it says."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=1.0):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _free(host: str, port: int, name: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            do = f"Stop what uses it, or set {name} to another port"
            raise HandbillError(f"Port {port} on {host} cannot be used", why=str(error.strerror), do=do) from None


def _writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise HandbillError(
            f"{folder} cannot be written", why=str(error.strerror), do="Set HANDBILL_DATA_DIR"
        ) from None
