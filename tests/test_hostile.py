"""10,000 hostile feeds, pages and calls each night, a tenth of them every day: no crash, little memory, no waiting, a fate."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHARES = {"feeds": 4, "pages": 3, "calls": 5}
"""Of twelve examples; of calls so many that each kind of them is drawn."""

FATES = {  # what a run must have seen, or it proves nothing
    "feeds": {"no feed", "read as rss", "read as atom", "read as json"},
    "pages": {"article", "held"},
    "calls": {"published", "unreadable", "not believed", "ping", "no ping"},
}


def run(kind, examples, seed):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.hostile", kind, str(examples), str(seed)],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONHASHSEED": "0"},
    )  # fmt: skip
    assert done.returncode == 0, f"seed {seed}: {done.stdout[-3000:]} {done.stderr[-6000:]}"
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["examples"] >= examples * 0.9  # Hypothesis leaves out the few it drew twice
    assert found["slowest"] < 10
    assert found["peak_mb"] < 512
    assert set(found["fates"]) >= FATES[kind], found


@pytest.mark.parametrize("kind", SHARES)
def test_a_thousand_hostile_examples_have_a_clear_fate(kind):
    run(kind, 100 * SHARES[kind], 1)


@pytest.mark.nightly
@pytest.mark.parametrize("kind", SHARES)
def test_ten_thousand_hostile_examples_have_a_clear_fate(kind):
    run(kind, 1_000 * SHARES[kind], secrets.randbelow(10**9))
