"""The truth and the broker over TLS, as the files for larger houses describe them, while workers publish through it."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import redis
import yaml

from bench.chaos import plan
from tests.chaos.test_scale import (
    POSTS,
    RABBIT,
    SPAN,
    good,
    house,
    judged,
    platform,
    process,
    rabbit,
    settings,
    wait_until,
)
from tests.ports import free_port
from worker import app
from worker.embedded import Embedded
from worker.errors import StoreDown
from worker.keeping.backup import backup, verify
from worker.settings import Settings
from worker.store import open_store

ROOT = Path(__file__).parents[2]
SERVER = shutil.which("redis-server")
PASSWORD = "a-long-password"
COMMANDS = re.compile(r"```sh\nmkdir tls && cd tls\n(.*?)```", re.DOTALL)


class Loader(yaml.SafeLoader):
    """As tests/test_larger_houses.py reads overlays."""


Loader.add_multi_constructor("!", lambda loader, _, node: loader.construct_sequence(node, deep=True))


def certificates(folder):
    """Made by the very commands that docs/operations.md gives, for this machine's name."""
    folder.mkdir()
    [commands] = COMMANDS.findall((ROOT / "docs" / "operations.md").read_text())
    text = commands.replace("subjectAltName=DNS:state,DNS:rabbitmq", "subjectAltName=DNS:localhost")
    assert text != commands
    subprocess.run(["/bin/sh", "-e", "-c", text], cwd=folder, check=True, capture_output=True)
    return folder


def version():
    printed = subprocess.run([SERVER, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(n) for n in re.search(r"v=(\d+)\.(\d+)", printed).groups())


@contextlib.contextmanager
def guarded(folder, port):
    """The server as deploy/compose/tls.yml configures it, with its paths and its port."""
    tls = certificates(folder / "tls")
    configs = yaml.load((ROOT / "deploy" / "compose" / "tls.yml").read_text(), Loader)["configs"]
    texts = {n: re.sub(r"\$\{\w+:\?[^}]*\}", PASSWORD, c["content"]) for n, c in configs.items()}
    (folder / "users.acl").write_text("\n".join(line for line in texts["users"].splitlines() if line) + "\n")
    # The file is for Valkey 9; of what it names, Redis before 7.2 lacks this one, which only tells a client's version.
    if version() < (7, 2):
        users = folder / "users.acl"
        users.write_text(users.read_text().replace(" +client|setinfo", ""))
    text = texts["guarded"].replace("/tls/", f"{tls}/").replace("/etc/valkey/users.acl", f"{folder}/users.acl")
    text = text.replace("tls-port 6379", f"tls-port {port}")
    (folder / "handbill.conf").write_text(f"{text}\nbind 127.0.0.1\ndir {folder}\n")
    with (folder / "log").open("wb") as log, process([SERVER, str(folder / "handbill.conf")], cwd=folder, log=log):
        yield tls


@pytest.mark.nightly
@pytest.mark.redis
@pytest.mark.skipif(SERVER is None, reason="redis-server is not installed; the bundled Valkey is built without TLS")
def test_workers_publish_through_tls_with_a_user_that_may_do_no_more(tmp_path, monkeypatch):
    port = free_port()
    folder = tmp_path / "state"
    folder.mkdir()
    with (
        guarded(folder, port) as tls,
        Embedded.start(tmp_path / "broker") as broker,
        platform() as url,
    ):
        address = f"rediss://handbill:{PASSWORD}@localhost:{port}/0?ssl_ca_certs={tls}/ca.crt"
        wait_until(lambda: redis.Redis.from_url(address).ping(), 20, "the server is there")
        with pytest.raises((redis.ConnectionError, redis.TimeoutError)):
            redis.Redis(port=port, socket_timeout=3, retry=None).ping()  # no TLS
        with pytest.raises(redis.AuthenticationError):
            redis.Redis.from_url(address.replace(f"handbill:{PASSWORD}@", "")).ping()  # nobody
        other = certificates(tmp_path / "other")
        with pytest.raises(StoreDown, match=r"certificate|CERTIFICATE"):
            open_store(address.replace(str(tls), str(other)))  # somebody else's authority
        with pytest.raises(StoreDown, match=r"certificate|hostname|mismatch"):
            open_store(address.replace("localhost", "127.0.0.1"))  # a name that the certificate does not have

        config = settings(monkeypatch, tmp_path / "data", url, REDIS_URL=address, BROKER_URL=broker.broker_url)
        log = io.StringIO()
        with house(config, log) as (parts, _):
            for command in (["CONFIG", "SET", "appendonly", "no"], ["FLUSHALL"], ["GET", "elsewhere"], ["ACL", "LIST"]):
                with pytest.raises(redis.exceptions.NoPermissionError):
                    parts.store.client.execute_command(*command)
            start = time.time() + 5
            trial = plan(parts, url, posts=POSTS, start=start, span=SPAN)
            time.sleep(max(0.0, start + SPAN / 2 - time.time()))
            path = tmp_path / "meanwhile.zip"
            manifest = backup(parts, path)
            assert verify(path, parts.vault).digest == manifest.digest
            time.sleep(max(0.0, start + SPAN - time.time()))
            good(judged(parts, trial, url, start))
        assert PASSWORD not in log.getvalue()


def reaches(address):
    """Whether Celery, as workers set it up, comes to a broker; what it said if not."""
    made = app.make(Settings(broker_url=address, _env_file=None))
    try:
        with made.connection_for_write(connect_timeout=10) as line:
            line.connect()
    except OSError as error:
        return str(error)
    finally:
        made.close()
    return "yes"


@pytest.mark.nightly
@pytest.mark.redis
@pytest.mark.skipif(not RABBIT.exists(), reason="rabbitmq-server is not installed")
@pytest.mark.parametrize("ours", [False, True], ids=["with a password", "and with a certificate of ours"])
def test_workers_are_woken_through_tls_by_a_rabbitmq_whose_certificate_and_name_are_checked(
    tmp_path, monkeypatch, ours
):
    port, number = free_port(), free_port()
    folder = tmp_path / "rabbit"
    folder.mkdir()
    tls, other = certificates(tmp_path / "tls"), certificates(tmp_path / "other")
    conf = yaml.load((ROOT / "deploy" / "compose" / "rabbitmq-tls.yml").read_text(), Loader)["configs"]["rabbitmq"]
    text = conf["content"].replace("/tls/", f"{tls}/").replace("default = 5671", f"default = 127.0.0.1:{port}")
    if ours:
        for old, new in (("verify = verify_none", "verify = verify_peer"), ("peer_cert = false", "peer_cert = true")):
            assert old in text
            text = text.replace(old, new)
    address = f"amqps://guest:guest@localhost:{port}//?ssl_ca_certs={tls}/ca.crt"
    if ours:
        address += f"&ssl_certfile={tls}/server.crt&ssl_keyfile={tls}/server.key"
    with (
        Embedded.start(tmp_path / "state") as state,
        platform() as url,
        rabbit(folder, port, number, conf=text),
    ):
        wait_until(lambda: reaches(address) == "yes", 120, "RabbitMQ is there")
        assert "certificate verify failed" in reaches(address.replace(str(tls), str(other)))  # another authority
        assert "certificate verify failed" in reaches(address.replace("@localhost", "@127.0.0.1"))  # another name
        assert "certificate verify failed" in reaches(address.partition("?")[0])  # nobody's authority but the system's
        assert reaches(address.replace("amqps://", "amqp://").partition("?")[0]) != "yes"  # no TLS
        if ours:
            assert reaches(address.partition("&")[0]) != "yes"  # no certificate of ours

        config = settings(monkeypatch, tmp_path / "data", url, REDIS_URL=state.url, BROKER_URL=address)
        log = io.StringIO()
        with house(config, log) as (parts, _):
            start = time.time() + 5
            trial = plan(parts, url, posts=POSTS, start=start, span=SPAN)
            wait_until(lambda: any(n.startswith("publish") for n in parts.records.alive()), 60, "a worker consumes")
            time.sleep(max(0.0, start + SPAN - time.time()))
            good(judged(parts, trial, url, start))
            assert len(parts.records.alive()) >= 3
        assert "guest:guest" not in log.getvalue()
