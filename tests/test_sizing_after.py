"""What is kept of a delivery after it went out is measured by kind, each stored by the code that stores it."""

from __future__ import annotations

import pytest

from bench.aftercare import run
from worker.keeping import ledger


@pytest.mark.redis
def test_every_kind_takes_memory_and_says_how_long_it_is_kept(monkeypatch):
    monkeypatch.setattr(ledger, "SEGMENT", 40)
    found = run(count=100, fsync="everysec")
    each = {row["what"]: row["bytes_each"] for row in found["kinds"]}
    assert len(each) == 9
    assert all(row["kept"] for row in found["kinds"])
    # What a hundred of the small kinds take drowns in what a server does besides.
    assert sum(each.values()) > 1500, each
    assert each["receipt"] > 500  # two hashes, a permalink, and what they are of
    assert 50 < found["bytes_of_a_receipt_in_a_file"] < each["receipt"]
