"""What is kept of a delivery after it went out is measured by kind, each stored by the code that stores it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.aftercare import run
from worker.embedded import Embedded
from worker.keeping import ledger
from worker.model import Article
from worker.runtime import open_runtime
from worker.settings import Settings
from worker.store.aftercare import VERSIONS_MOST


@pytest.mark.redis
def test_every_kind_takes_memory_and_says_how_long_it_is_kept(monkeypatch):
    monkeypatch.setattr(ledger, "SEGMENT", 40)
    found = run(count=100, fsync="everysec")
    each = {row["what"]: row["bytes_each"] for row in found["kinds"]}
    assert len(each) == 10
    assert all(row["kept"] for row in found["kinds"])
    # What a hundred of the small kinds take drowns in what a server does besides.
    assert sum(each.values()) > 1500, each
    assert each["receipt"] > 500  # two hashes, a permalink, and what they are of
    assert 50 < found["bytes_of_a_receipt_in_a_file"] < each["receipt"]


@pytest.mark.redis
def test_an_article_is_kept_once_as_it_was_first_posted_and_so_often_at_most_as_it_was_corrected(tmp_path):
    with Embedded.start(tmp_path / "redis", fsync="everysec") as server:
        parts = open_runtime(Settings(data_dir=tmp_path / "house", _env_file=None), server.url)
        care, first = parts.aftercare, Article(id="main.a", url="https://a.example/a", title="A", text="one")
        care.keep_original(first)
        care.keep_version(first)
        assert parts.store.client.hlen("handbill:{main}:after:versions") == 0
        assert care.versions("main.a") == [first]
        corrected = [replace(first, text=str(n)) for n in range(VERSIONS_MOST + 2)]
        for version in [*corrected, first]:
            care.keep_version(version)
        assert care.versions("main.a") == [first, *corrected[2:]]
        parts.close()
