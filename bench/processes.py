"""What the scheduling benches share: what a process costs, the peers' processes, and handbill as it really runs."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.chaos import housed, step_of
from worker.embedded import Embedded
from worker.model import Account, Delivery, Status, delivery_id
from worker.runtime import Runtime
from worker.settings import Settings

HERE = Path(__file__).parent
NODE_FOLDER = Path(os.environ.get("HANDBILL_BENCH_NODE", ".cache/bench")).resolve()
TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def megabytes(pid: int) -> float:
    """Memory of a process: its own, and its share of what it has in common with others (PSS)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def idle_percent(pids: list[int], seconds: float = 8.0) -> float:
    """Processor time that processes use while nothing is due, in per cent of one core."""
    before = sum(map(cpu_seconds, pids))
    time.sleep(seconds)
    return round((sum(map(cpu_seconds, pids)) - before) / seconds * 100, 2)


def percentile(values: list[float], share: float) -> float:
    """The value below which ``share`` of them lie."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 1)


def bullmq() -> bool:
    """Whether BullMQ can be run here; it is installed where node and npm are."""
    if not shutil.which("node"):
        return False
    if not (NODE_FOLDER / "node_modules" / "bullmq").exists() and shutil.which("npm"):
        NODE_FOLDER.mkdir(parents=True, exist_ok=True)
        argv = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(NODE_FOLDER), "bullmq", "ioredis"]
        subprocess.run(argv, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return (NODE_FOLDER / "node_modules" / "bullmq").exists()


def node(role: str, server: Embedded, queue: str, total: int, *rest: object) -> list[str]:
    """The command line of one of BullMQ's two sides."""
    places = [str(NODE_FOLDER), str(server.socket), queue, str(total)]
    return ["node", str(HERE / "bullmq_peer.cjs"), role, *places, *map(str, rest)]


@contextlib.contextmanager
def started(argv: list[str], env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A process whose first line says that it is ready."""
    full = {**os.environ, **(env or {})}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=full) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.terminate()


def last_words(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The line of JSON that a process ends with."""
    assert process.stdout is not None
    found = json.loads(process.stdout.readline())
    assert isinstance(found, dict)
    return found


@dataclass(frozen=True, slots=True)
class House:
    """``handbill up`` without its web page."""

    parts: Runtime
    server: Embedded
    publishing: list[int]
    everything: list[int]

    def plan(self, account: str, count: int, *, first: float, gap: float = 0.0, start: int = 0, text: str = "") -> None:
        """Schedule ``count`` posts, the first due at ``first`` and each ``gap`` seconds after the one before."""

        def one(number: int) -> None:
            name = delivery_id(f"main.{number}", account, 0)
            delivery = Delivery(
                id=name,
                article=f"main.{number}",
                account=account,
                platform="keyed",
                status=Status.SCHEDULED,
                due=datetime.fromtimestamp(first + (number - start) * gap, UTC),
                steps=(step_of(name, text or f"post {number}"),),
            )
            self.parts.deliveries.create(delivery, note="planned")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(one, range(start, start + count)))


@contextlib.contextmanager
def handbill(url: str, **given: object) -> Iterator[House]:
    """Handbill as it really runs, with an account ``main.k`` on the platform at ``url``."""
    with tempfile.TemporaryDirectory(prefix="handbill-bench-") as folder, Path(os.devnull).open("w") as log:
        values = {
            "DATA_DIR": folder,
            "ALLOW_HOSTS": url.removeprefix("http://"),
            "REHEARSAL_URL": "http://127.0.0.1:9",
            "EXTRA_PLATFORMS": "bench.platforms",
            "LOG": "warning",
            **given,
        }
        os.environ.update({f"HANDBILL_{name}": str(value) for name, value in values.items()})
        config = Settings()  # type: ignore[call-arg]  # every field has a default
        with housed(config, log) as (house, server, parts):
            account = Account(id="main.k", platform="keyed", name="k", settings={"server": f"{url}/A-0"})
            parts.records.save_account(account, {})
            while len([n for n in house.pids() if n.startswith("publish")]) < config.publish_workers:
                time.sleep(0.1)
            time.sleep(4)
            pids = house.pids()
            publishing = [pid for name, pid in pids.items() if name.startswith("publish")]
            redis = int((server.folder / "server.pid").read_text())
            yield House(parts, server, publishing, [*pids.values(), redis, os.getpid()])


def python(*argv: str) -> list[str]:
    """This interpreter with arguments."""
    return [sys.executable, *argv]
