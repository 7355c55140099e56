"""Larger houses, on loopback: a failover, a broker that restarts, two versions at once. Nothing lost, nothing doubled."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import redis

from bench import fake_platform
from bench.chaos import SHORT, Trial, judge, plan, unfinished
from tests.paper import Entry, Paper, rss
from tests.ports import free_port
from worker import embedded
from worker.embedded import Embedded
from worker.intake.model import Kind, Source
from worker.intake.private import HIDDEN
from worker.pipeline.polling import Poller
from worker.runtime import Runtime, open_runtime
from worker.settings import Settings
from worker.store.listeners import Notice
from worker.up import supervisor

ROOT = Path(__file__).parents[2]
POSTS, SPAN = 600, 40.0
RECOVERED = 60.0
PASSWORD = "a-long-password"
RABBIT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
LAST_OF_SCHEMA_2 = "a971382"
LAST_WITHOUT_SEALS = "376d4a6"


@contextlib.contextmanager
def process(argv, *, cwd, env=None, log=subprocess.DEVNULL):
    """One of the servers of a test, with all that it starts."""
    started = subprocess.Popen(
        argv, cwd=cwd, env={**os.environ, **(env or {})}, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        yield started
    finally:
        kill(started)


def kill(started, number=signal.SIGKILL):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(started.pid, number)
    started.wait(30)


def wait_until(true, seconds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(redis.RedisError, OSError):
            if true():
                return
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what}")


@contextlib.contextmanager
def platform():
    with fake_platform.running(seed=1, faults=0.05, pace=(0.005, 0.15), late=10.0) as url:
        yield url


def settings(monkeypatch, folder, url, **given):
    values = {
        **SHORT,
        "DATA_DIR": str(folder),
        "ALLOW_HOSTS": url.removeprefix("http://"),
        "PUBLISH_WORKERS": "2",
        **given,
    }
    for name, value in values.items():
        monkeypatch.setenv(f"HANDBILL_{name}", str(value))
    return Settings(_env_file=None)


@contextlib.contextmanager
def house(config, log):
    """Workers under their supervisor, on the servers that are given."""
    running = supervisor(config, web=False, log=log)
    thread = threading.Thread(target=running.run)
    thread.start()
    parts = open_runtime(config, config.redis_url)
    try:
        yield parts, running
    finally:
        parts.close()
        running.stop()
        thread.join()


def judged(parts: Runtime, trial: Trial, url: str, hurt_at: float) -> dict[str, float]:
    """Wait for the end, and say what became of all; ``recovery`` is the longest silence after it was hurt."""
    fake_platform.ask(f"{url}/_faults/0")
    wait_until(lambda: unfinished(parts) == 0, RECOVERED, "every post has come to an end")
    events = fake_platform.truth(url)
    found = {d.id: d for d in parts.deliveries.several(trial.classes)}
    table = judge(trial, found, events, parts)
    table.pop("B-slow", None)  # shows what it took only after every look of ours: no client can be right
    asked = sorted(e.at for e in events if e.what == "asked")
    after = [b - a for a, b in itertools.pairwise(asked) if b > hurt_at]
    total = Counter()
    for row in table.values():
        total.update({name: number for name, number in row.items() if name != "late_worst_ms"})
    total["late_worst_ms"] = max(row["late_worst_ms"] for row in table.values())
    return {**total, "recovery": max(after, default=0.0), "after": sum(at > hurt_at for at in asked)}


def good(found):
    assert (found["lost"], found["duplicates"], found["early"]) == (0, 0, 0), found
    assert found["after"] > POSTS / 10, "it was hurt too late to matter"
    assert found["recovery"] <= RECOVERED, found


# Sentinels


def valkey(folder, port, *words):
    folder.mkdir()
    argv = [str(embedded.binary()), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    argv += ["--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--maxmemory-policy", "noeviction"]
    return [*argv, "--requirepass", PASSWORD, "--masterauth", PASSWORD, *words]


def sentinel(folder, port, master):
    folder.mkdir()
    (folder / "sentinel.conf").write_text(
        f"port {port}\nbind 127.0.0.1\ndir {folder}\n"
        f"sentinel monitor posts 127.0.0.1 {master} 2\nsentinel auth-pass posts {PASSWORD}\n"
        "sentinel down-after-milliseconds posts 2000\nsentinel failover-timeout posts 10000\n"
    )
    return [str(embedded.binary()), str(folder / "sentinel.conf"), "--sentinel"]


@pytest.mark.nightly
@pytest.mark.redis
def test_a_failover_while_publishing_loses_and_doubles_nothing(tmp_path, monkeypatch):
    ports, watchers = [free_port() for _ in range(3)], [free_port() for _ in range(3)]
    with contextlib.ExitStack() as stack, platform() as url:
        servers = []
        for number, port in enumerate(ports):
            words = () if number == 0 else ("--replicaof", "127.0.0.1", str(ports[0]))
            argv = valkey(tmp_path / f"server{number}", port, *words)
            servers.append(stack.enter_context(process(argv, cwd=tmp_path)))
        first = redis.Redis(port=ports[0], password=PASSWORD)
        wait_until(lambda: first.info("replication")["connected_slaves"] == 2, 30, "both replicas follow")
        for number, port in enumerate(watchers):
            stack.enter_context(process(sentinel(tmp_path / f"sentinel{number}", port, ports[0]), cwd=tmp_path))
        watcher = redis.Redis(port=watchers[0], decode_responses=True)
        wait_until(
            lambda: watcher.sentinel_master("posts")["num-other-sentinels"] == 2, 30, "the sentinels know each other"
        )
        wait_until(lambda: watcher.sentinel_master("posts")["num-slaves"] == 2, 30, "the sentinels know the replicas")
        broker = stack.enter_context(Embedded.start(tmp_path / "broker", fsync="everysec"))
        hosts = ",".join(f"127.0.0.1:{p}" for p in watchers)
        config = settings(
            monkeypatch, tmp_path / "data", url, REDIS_URL=f"sentinel://:{PASSWORD}@{hosts}/posts", BROKER_URL=broker.broker_url, REPLICAS=1
        )  # fmt: skip
        with house(config, io.StringIO()) as (parts, _):
            start = time.time() + 4
            trial = plan(parts, url, posts=POSTS, start=start, span=SPAN)
            time.sleep(max(0.0, start + SPAN / 4 - time.time()))
            hurt_at = time.time()
            kill(servers[0])
            time.sleep(max(0.0, start + SPAN - time.time()))
            wait_until(
                lambda: watcher.sentinel_get_master_addr_by_name("posts")[1] != ports[0], 30, "another one leads"
            )
            good(judged(parts, trial, url, hurt_at))


# RabbitMQ


@contextlib.contextmanager
def rabbit(folder, port, number, conf=""):
    """A broker of its own; what it has accepted is in ``folder``. ``conf`` says where it listens, if not plainly."""
    (folder / "plugins").write_text("[].")
    (folder / "given.conf").write_text(conf)
    env = {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": "handbill@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        **({} if conf else {"RABBITMQ_NODE_PORT": str(port)}),
        "RABBITMQ_DIST_PORT": str(number),
        "ERL_EPMD_PORT": str(number + 1),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(folder / "given"),
    }
    with (folder / "out").open("ab") as log, process([str(RABBIT)], cwd=folder, env=env, log=log) as started:
        yield started


@pytest.mark.nightly
@pytest.mark.redis
@pytest.mark.skipif(not RABBIT.exists(), reason="rabbitmq-server is not installed")
def test_a_broker_that_is_killed_and_comes_back_loses_and_doubles_nothing(tmp_path, monkeypatch):
    port, number = free_port(), free_port()
    folder = tmp_path / "rabbit"
    folder.mkdir()

    def answers():
        with socket.create_connection(("127.0.0.1", port), 1) as line:
            line.sendall(b"AMQP\x00\x00\x09\x01")
            line.settimeout(2)
            return line.recv(1) == b"\x01"

    with Embedded.start(tmp_path / "state") as state, platform() as url, contextlib.ExitStack() as stack:
        broker = stack.enter_context(rabbit(folder, port, number))
        wait_until(answers, 90, "RabbitMQ is there")
        config = settings(
            monkeypatch, tmp_path / "data", url, REDIS_URL=state.url, BROKER_URL=f"amqp://guest:guest@127.0.0.1:{port}//"
        )  # fmt: skip
        with house(config, io.StringIO()) as (parts, _):
            start = time.time() + 5
            trial = plan(parts, url, posts=POSTS, start=start, span=SPAN)
            wait_until(lambda: any(n.startswith("publish") for n in parts.records.alive()), 60, "a worker consumes")
            time.sleep(max(0.0, start + SPAN / 4 - time.time()))
            hurt_at = time.time()
            kill(broker)
            time.sleep(5)
            stack.enter_context(rabbit(folder, port, number))
            wait_until(answers, 90, "RabbitMQ is back")
            back = time.time()
            time.sleep(max(0.0, start + SPAN - time.time()))
            good(judged(parts, trial, url, hurt_at))
            wait_until(lambda: len(parts.records.alive()) >= 3, RECOVERED, "every kind of worker consumes again")
            assert time.time() - back < RECOVERED + SPAN


# Two versions


def version(commit, folder):
    """The code of another version."""
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit], capture_output=True, check=False)
    if archive.returncode:
        pytest.skip("this copy has no history, so the version before cannot be had")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder


def worker_of(code, queue, name, log=subprocess.DEVNULL):
    argv = [sys.executable, "-m", "worker", "worker", "--queues", queue, "--name", name]
    return process(argv, cwd=code, env={"PYTHONPATH": str(code)}, log=log)


@pytest.mark.nightly
@pytest.mark.redis
def test_workers_of_two_versions_share_a_store_that_is_brought_up_under_them(tmp_path, monkeypatch):
    old = version(LAST_OF_SCHEMA_2, tmp_path / "old")
    with Embedded.start(tmp_path / "state") as state, platform() as url, contextlib.ExitStack() as stack:
        config = settings(
            monkeypatch, tmp_path / "data", url, REDIS_URL=state.url, BROKER_URL=state.broker_url, PUBLISH_WORKERS=1
        )  # fmt: skip
        client = redis.Redis(unix_socket_path=str(state.socket))
        for name in ("publish-old-1", "publish-old-2"):
            stack.enter_context(worker_of(old, "publish", name))
        wait_until(lambda: client.zcard("handbill:{*}:alive") == 2, 60, "the old workers consume")
        assert client.get("handbill:{*}:schema") == b"2"
        with house(config, io.StringIO()) as (parts, _):
            start = time.time() + 6
            trial = plan(parts, url, posts=POSTS, start=start, span=SPAN)
            assert client.get("handbill:{*}:schema") != b"2"
            wait_until(lambda: sum(n.startswith("publish") for n in parts.records.alive()) == 3, 60, "three publish")
            time.sleep(max(0.0, start + SPAN - time.time()))
            good(judged(parts, trial, url, start))
            assert sum(n.startswith("publish-old") for n in parts.records.alive()) == 2


@pytest.mark.nightly
@pytest.mark.redis
def test_workers_of_a_version_that_knows_no_sealed_addresses_ask_none_of_them(tmp_path, monkeypatch):
    old, secret = version(LAST_WITHOUT_SEALS, tmp_path / "old"), "8fK2pQcanary91xZ"
    with (
        Embedded.start(tmp_path / "state") as state,
        contextlib.closing(Paper()) as paper,
        contextlib.ExitStack() as stack,
    ):
        feed = f"/feed?token={secret}"
        gone = (410, {}, b"gone for good")  # what stops a source, and a listener
        paper.pages |= {feed: rss(paper.base, [Entry("/a", "Tide gates")]), "/feed": gone, f"/told/{secret}": "well"}
        paper.pages[f"/told/{HIDDEN}"] = paper.pages["/told/%E2%80%A2%E2%80%A2%E2%80%A2"] = gone
        config = settings(
            monkeypatch, tmp_path / "data", paper.base, REDIS_URL=state.url, BROKER_URL=state.broker_url, HOST_GAP_SECONDS=0
        )  # fmt: skip
        parts = stack.enter_context(contextlib.closing(open_runtime(config, config.redis_url)))
        older = [stack.enter_context(worker_of(old, queue, f"{queue}-old")) for queue in ("intake", "publish")]
        wait_until(lambda: len(parts.records.older()) == 2, 60, "the old workers live")

        sources, client = parts.sources, parts.store.client
        sources.save(Source(id="main.inside", kind=Kind.FEED, address=f"{paper.base}{feed}"))
        sources.watch(sources.get("main.inside"), "")
        wait_until(lambda: sources.state("main.inside").succeeded, 60, "an old worker polls what is not sealed")
        listener, _ = parts.announcer.add("main", f"{paper.base}/told/{secret}")
        assert (sources.seal("main"), parts.listeners.seal("main")) == (0, 0)

        # Their signs of life are late: a machine was suspended, or a network slow. It is sealed under their hands.
        def sealed():
            client.delete("handbill:{*}:alive")
            return sources.seal("main") + parts.listeners.seal("main") == 2

        wait_until(sealed, 10, "it is sealed")
        asked, before = len(paper.paths()), sources.state("main.inside").polled
        sources.watch(sources.get("main.inside"), "")
        notice = Notice(id="notice", listener=listener.id, kind="ping", body='{"type":"ping"}')
        parts.listeners.queue(listener, notice, parts.now())
        wait_until(lambda: sources.state("main.inside").polled > before, 60, "an old worker has tried the sealed feed")
        wait_until(lambda: parts.listeners.log(listener)[0].tries, 60, "an old worker has tried the sealed listener")
        assert "only http and https" in sources.state("main.inside").error
        assert not parts.listeners.log(listener)[0].done
        wait_until(lambda: len(parts.records.older()) == 2, 60, "the old workers still live")
        assert paper.paths()[asked:] == []
        assert sources.get("main.inside").active
        assert parts.listeners.find("main", listener.id).active

        for worker in older:
            kill(worker)
        poller = Poller(sources, parts.intake, config)
        stack.callback(poller.close)
        poller.now(sources.get("main.inside"))
        assert sources.state("main.inside").error == ""
        parts.listeners.replay(listener, "notice", parts.now())
        parts.announcer.tick()
        assert parts.listeners.log(listener)[0].done
        assert paper.paths()[asked:] == [feed, f"/told/{secret}"]


def test_the_servers_that_these_proofs_need_are_looked_for_where_they_are():
    assert embedded.binary().exists()
    assert shutil.which("git")
