"""Whoever lists processes learns no secret, and a process that needs none is given none."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import redis
from cryptography.fernet import Fernet
from pydantic import SecretStr

from tests.ports import free_port
from worker import embedded, environ
from worker.embedded import Embedded
from worker.settings import Settings
from worker.up import supervisor

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows processes under /proc")

PASSWORD = "pw-of-redis-6d1f"
KEY = Fernet.generate_key().decode()
TOLD = {
    "HANDBILL_SECRET_KEY": KEY,
    "HANDBILL_MODEL_KEY": "key-of-the-model-6d1f",
    "HANDBILL_SHORTENER_KEY": "key-of-the-shortener-6d1f",
    "HANDBILL_OIDC_CLIENT_SECRET": "secret-of-the-provider-6d1f",
    "SENTRY_DSN": "http://key-of-sentry-6d1f@127.0.0.1:9/1",
    "ANOTHER_PROGRAMS_TOKEN": "token-of-another-program-6d1f",
}
SECRETS = [PASSWORD, *(v for n, v in TOLD.items() if n != "ANOTHER_PROGRAMS_TOKEN")]


def read(pid, what):
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes().decode(errors="replace")
    except OSError:  # it has ended meanwhile
        return ""


def sessions(pids):
    """Every process that these have begun, and they themselves: each child is a session of its own."""
    for place in Path("/proc").iterdir():
        if place.name.isdigit() and (fields := read(place.name, "stat").rpartition(")")[2].split()):
            parent, session = int(fields[1]), int(fields[3])
            if session in pids or parent == os.getpid():
                yield int(place.name)


def until(true, seconds=60.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)


@pytest.fixture
def server(tmp_path):
    """A Redis with a password, as people have one; its configuration stands in a file."""
    port = free_port()
    (tmp_path / "server.conf").write_text(
        f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\nrequirepass {PASSWORD}\nappendonly yes\nappendfsync everysec\n"
        'save ""\nmaxmemory-policy noeviction\n'
    )
    started = subprocess.Popen([embedded.binary(), tmp_path / "server.conf"], stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port, password=PASSWORD)

    def answers():
        try:
            return client.ping()
        except redis.RedisError:
            return False

    until(answers)
    client.close()
    yield f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
    started.terminate()
    started.wait()


@pytest.mark.redis
def test_no_process_of_a_house_shows_a_secret_and_who_needs_none_has_none(server, tmp_path, monkeypatch):
    told = TOLD | {
        "HANDBILL_REDIS_URL": server,
        "HANDBILL_DATA_DIR": str(tmp_path / "data"),
        "HANDBILL_PORT": str(free_port()),
        "HANDBILL_REHEARSAL_PORT": str(free_port()),
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    running = supervisor(Settings(_env_file=None), log=io.StringIO())
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        names = {"rehearsal", "publish", "content", "intake", "web"}
        until(lambda: set(running.pids()) == names)
        # A shell becomes the child; and a content worker has its own.
        until(lambda: all("python" in read(pid, "cmdline").partition("\0")[0] for pid in running.pids().values()))
        pids = running.pids()
        found = set(sessions(set(pids.values())))
        assert set(pids.values()) < found
        for pid in found:
            assert [s for s in SECRETS if s in read(pid, "cmdline")] == [], read(pid, "cmdline")
        assert KEY in read(pids["publish"], "environ")  # where it is needed: so the other look can find it
        warden = [p for p in found if "-I\0-S\0" in read(p, "cmdline")]
        assert len(warden) == 1
        for pid in (pids["rehearsal"], *warden):
            assert read(pid, "environ")
            assert [s for s in SECRETS if s in read(pid, "environ")] == []
        assert "6d1f" not in read(*warden, "environ")  # of nobody's
    finally:
        running.stop()
        thread.join()


@pytest.mark.redis
def test_the_bundled_server_is_told_no_secret(tmp_path, monkeypatch):
    for name, value in (TOLD | {"HANDBILL_REDIS_URL": f"redis://:{PASSWORD}@elsewhere/0"}).items():
        monkeypatch.setenv(name, value)
    given = []
    real = os.posix_spawn

    def spawn(path, argv, env, **how):  # the server writes its title over what it was told
        given.extend([*argv, *env.values()])
        return real(path, argv, env, **how)

    monkeypatch.setattr(os, "posix_spawn", spawn)
    with Embedded.start(tmp_path, fsync="everysec"):
        pass
    assert "--appendonly" in given
    assert os.environ["PATH"] in given
    assert [s for s in SECRETS if s in " ".join(given)] == []


def test_every_secret_setting_is_kept_from_those_who_need_none():
    secret = {f"HANDBILL_{n.upper()}" for n, f in Settings.model_fields.items() if f.annotation is SecretStr}
    assert secret
    assert secret | {"HANDBILL_REDIS_URL", "HANDBILL_BROKER_URL", "SENTRY_DSN"} == set(environ.SECRETS)
