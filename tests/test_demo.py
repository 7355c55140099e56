"""The main job from end to end, as a person runs it: real workers, real Valkey, stand-in platforms."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rehearsal.world import seen
from tests.ports import free_port

SHARED = Path(os.environ.get("HANDBILL_SHARED", Path(__file__).resolve().parent.parent.parent / "shared"))
REAL = SHARED / "data" / "articles" / "ketamine-depression.txt"


@pytest.fixture
def environment(tmp_path):
    return {
        **os.environ,
        "HANDBILL_DATA_DIR": str(tmp_path / "data"),
        "HANDBILL_PORT": str(free_port()),
        "HANDBILL_REHEARSAL_PORT": str(free_port()),
        "COLUMNS": "200",
    }


def demo(environment, *words):
    return subprocess.run(
        [sys.executable, "-m", "worker", "demo", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def posts(data):
    """Every post that the stand-ins and the outbox have, as they stored them: (platform, text)."""
    found = [(p["platform"], p["text"]) for p in seen(data / "rehearsal")]
    return found + [("outbox", json.loads(f.read_text())["text"]) for f in sorted((data / "outbox").glob("*.json"))]


def left_running(data):
    """Processes that still speak of the data folder."""
    found = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in found.splitlines() if str(data) in line and "ps -eo" not in line]


def test_the_demo_posts_to_six_platforms_once_however_often_it_runs(environment, tmp_path):
    first = demo(environment)
    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stdout.count("published") == 6
    assert first.stdout.count("An iron arch bridge") == 6, "the sample's own photo is on every card"
    assert "Gallery: file://" in first.stdout
    made = posts(tmp_path / "data")
    assert sorted(p for p, _ in made) == ["bluesky", "linkedin", "mastodon", "outbox", "telegram", "x"]
    assert (tmp_path / "data" / "gallery" / "gallery.html").exists()
    assert left_running(tmp_path / "data") == []

    second = demo(environment)
    assert second.returncode == 0, second.stdout + second.stderr
    assert posts(tmp_path / "data") == made


def test_a_demo_killed_half_way_ends_well_the_next_time_and_doubles_nothing(environment, tmp_path):
    environment |= {"HANDBILL_SPARE_SECONDS": "3"}  # so much longer than a request a lease outlasts the kill
    running = subprocess.Popen(
        [sys.executable, "-m", "worker", "demo"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not posts_or_nothing(tmp_path / "data") and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    until(lambda: not [line for line in left_running(tmp_path / "data") if "valkey" not in line])

    again = demo(environment)
    assert again.returncode == 0, again.stdout + again.stderr
    made = [p for p, _ in posts(tmp_path / "data")]
    assert len(made) == len(set(made))
    assert {"bluesky", "mastodon", "outbox", "x"} <= set(made)
    assert again.stdout.count("published") + again.stdout.count("parked") >= 6


def posts_or_nothing(data):
    try:
        return posts(data)
    except (OSError, ValueError):
        return []


@pytest.mark.skipif(not REAL.exists(), reason="the real article is beside the project only where it is developed")
def test_nothing_of_the_scrape_reaches_a_post(environment, tmp_path):
    ended = demo(environment, str(REAL))
    assert ended.returncode == 0, ended.stdout + ended.stderr

    for platform, text in posts(tmp_path / "data"):
        assert "In , " not in text, platform
        assert "[5]" not in text, platform
        assert "Alzheimer" not in text, platform
        assert "TV Habits" not in text, platform
        assert "Introduction" not in text, platform
        assert text.lower().count("unlocking hope") <= 1, platform
        assert "#Ketamine" in text, platform


def test_up_brings_a_killed_worker_back_and_leaves_nothing_behind(environment, tmp_path):
    running = subprocess.Popen(
        [sys.executable, "-m", "worker", "up"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(environment, lambda found: {"publish", "content", "intake"} <= found, running)
        pid = publishers(running)[0]
        os.kill(pid, signal.SIGKILL)
        until(lambda: (back := publishers(running)) and pid not in back)
    finally:
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=60)
    assert running.returncode == 0
    assert left_running(tmp_path / "data") == []


def publishers(parent):
    """The process ids of its publishing workers."""
    found = [line.split()[0] for line in all_processes() if "--queues publish" in line and owned(line, parent.pid)]
    return [int(pid) for pid in found]


def until(true, seconds=15):
    """Wait until that is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def all_processes():
    return subprocess.run(
        ["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True
    ).stdout.splitlines()


def owned(line, parent):
    return line.split()[1] == str(parent)


def wait_for(environment, enough, running):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert running.poll() is None
        names = {
            w
            for w in ("publish", "content", "intake")
            for line in all_processes()
            if f"--queues {w}" in line and owned(line, running.pid)
        }
        if enough(names):
            return
        time.sleep(0.2)
    raise AssertionError("the workers did not come up")
