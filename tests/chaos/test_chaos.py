"""Nothing is lost and nothing is doubled while real workers and a real server are killed: every day, night and release."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("posts", "kills"),
    [
        pytest.param(2_000, 40, id="everyday"),
        pytest.param(8_000, 400, id="nightly", marks=pytest.mark.nightly),
        pytest.param(30_000, 3_000, id="release", marks=pytest.mark.release),
    ],
)
def test_nothing_is_lost_and_nothing_is_doubled_while_everything_is_killed(posts, kills, tmp_path):
    argv = [sys.executable, "-m", "bench.chaos", "--json", f"--posts={posts}", f"--kills={kills}", "--interval=1.2"]
    done = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout)
    print(done.stdout)  # noqa: T201 - shown when the test fails

    assert found["kills"] == kills
    assert sum(found["cut_off"].values()) > kills / 10, "the kills hit nothing"
    assert set(found["classes"]) == {"A", "A2", "B", "C"}
    for kind, row in found["classes"].items():
        none = {k: row[k] for k in ("lost", "duplicates", "failed", "live_but_failed", "early", "parked_without_cause")}
        assert none == dict.fromkeys(none, 0), f"class {kind} of seed {found['seed']}"
        assert row["parked"] == 0 or kind == "C"
    assert found["classes"]["C"]["resent"] == 0
    assert found["broker_depth"] <= 64
