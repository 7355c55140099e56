"""Every step stays in one slot: a server of a cluster, which has them all, refuses those that do not."""

from __future__ import annotations

import re
import subprocess
import threading

import pytest
import redis

from tests.chaos.test_scale import wait_until
from tests.everything import fill_to_the_brim
from tests.ports import free_port
from worker import embedded
from worker.keeping.retention import tidy
from worker.runtime import open_runtime
from worker.settings import Settings
from worker.store.vitals import Vitals
from worker.watch.conditions import conditions

pytestmark = [pytest.mark.redis, pytest.mark.nightly]


@pytest.fixture
def cluster(tmp_path):
    """A cluster of one."""
    (tmp_path / "server").mkdir()
    port = free_port()
    words = ["--port", port, "--bind", "127.0.0.1", "--dir", tmp_path / "server", "--cluster-enabled", "yes"]
    words += ["--cluster-port", free_port(), "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
    argv = [str(w) for w in (embedded.binary(), *words, "--maxmemory-policy", "noeviction")]
    started = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port)
    wait_until(client.ping, 20, "the server answers")
    client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    wait_until(lambda: b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO"), 20, "all slots are served")
    yield f"redis://127.0.0.1:{port}/0"
    client.close()
    started.terminate()
    started.wait()


class Watched:
    """What a server is asked: for each script the hash tags of all keys that it touches, those that it names or not."""

    def __init__(self, url):
        self.scripts, self._client = [], redis.Redis.from_url(url)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        assert self._ready.wait(10)

    def _watch(self):
        with self._client.monitor() as monitor:
            self._ready.set()
            for said in monitor.listen():
                words = said["command"].split(" ")
                if "that-is-all" in words:
                    return
                if said["client_type"] != "lua":
                    self.scripts.append(set())
                if said["client_type"] == "lua" or words[0].lower().startswith("eval"):
                    self.scripts[-1] |= set(re.findall(r"(?:^| )handbill:(\{[^}]*\})", said["command"]))

    def end(self):
        """The tags of every script."""
        self._client.echo("that-is-all")
        self._thread.join(10)
        self._client.close()
        return [tags for tags in self.scripts if tags]


def test_everything_is_kept_and_let_go_of_in_steps_of_one_slot_each(cluster, tmp_path):
    parts = open_runtime(Settings(data_dir=tmp_path / "house", _env_file=None), cluster)
    client = parts.store.client
    with pytest.raises(redis.ResponseError, match="hash to the same slot"):  # so it would be noticed
        client.eval("return 1", 2, "handbill:{a}:x", "handbill:{b}:x")
    watched = Watched(cluster)
    client.eval("redis.call('GET', KEYS[1]); return redis.call('GET', 'handbill:{b}:x')", 1, "handbill:{a}:x")
    fill_to_the_brim(parts)
    conditions(parts)
    Vitals(parts.store).backlog()
    tidy(parts)
    first, *scripts = watched.end()
    parts.close()
    assert first == {"{a}", "{b}"}  # and so would this, which a server with all slots lets pass
    assert len(scripts) > 50
    assert [tags for tags in scripts if len(tags) > 1] == []
