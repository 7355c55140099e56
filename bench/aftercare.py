"""What is kept of a delivery after it went out takes so much more: receipts, read-backs, numbers, links, changes.

Each kind is stored by the code that stores it in production, one after the other, and Redis is asked before and after.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.chaos import step_of
from bench.processes import cpu_seconds
from bench.sizing import ACCOUNTS, TEXT
from publishers.core.post import Receipt
from worker import receipts
from worker.changes import Action, Change, Kind, Proposal
from worker.embedded import Embedded, Fsync
from worker.keeping import ledger
from worker.model import Article, Delivery, Status, Step, article_id, delivery_id
from worker.numbers import LADDER, Sample
from worker.receipts import Entry, Readback, Sight
from worker.runtime import Runtime, open_runtime
from worker.settings import Settings
from worker.shortener import own
from worker.store.aftercare import VERSIONS_MOST
from worker.store.links import Link

SENT = datetime(2023, 1, 2, 9, tzinfo=UTC)
"""Long enough ago that the ledger's entries may be put into files."""

ORIGINAL = "A paragraph of an article that weighs what articles weigh. " * 70


@dataclass(frozen=True, slots=True)
class Row:
    """What one kind adds: bytes of Redis' memory and microseconds of its core, for each of ``per``, kept how long."""

    what: str
    per: str
    bytes_each: int
    redis_cpu_us: int
    kept: str


class After:
    """The same deliveries, of which more and more is kept."""

    def __init__(self, parts: Runtime, pid: int, count: int) -> None:
        self._parts, self._pid, self._count = parts, pid, count
        self._rng = random.Random(1)

    def rows(self) -> Iterator[Row]:
        """Every kind, measured."""
        posts = "HANDBILL_KEEP_POSTS_DAYS"
        yield self._row("receipt", "delivery", self._receipts, "HANDBILL_KEEP_RECEIPTS_DAYS, then in files")
        yield self._row("read-back", "delivery", self._readbacks, posts)
        yield self._row("next look at its numbers", "delivery", self._sampling, "3 months")
        yield self._row(f"numbers, {len(LADDER)} samples", "delivery", self._samples, posts)
        yield self._row("visits that a service told of", "delivery", self._visits, posts)
        yield self._row("short link of our own", "delivery", self._links, "HANDBILL_KEEP_LINKS_DAYS")
        yield self._row("clicks on it", "delivery", self._clicks, posts)
        yield self._row("article as it was first posted", "article", self._originals, posts)
        yield self._row(
            "version of it, before a correction", "version", self._versions, f"{posts}, {VERSIONS_MOST} at most"
        )
        yield self._row(f"change, with {ACCOUNTS} proposals", "changed article", self._changes, posts)

    def sealed_bytes(self) -> int:
        """What an entry takes in a file, once it is too old for Redis."""
        while ledger.seal(self._parts, "main", timedelta(days=730)):
            pass
        folder = ledger.folder(self._parts.settings.data_dir, "main")
        entries = sum(1 for _ in ledger.whole(self._parts, "main")) - len(
            self._parts.aftercare.entries("main", most=10**9)
        )
        return round(sum(p.stat().st_size for p in folder.glob("*")) / max(entries, 1))

    def _row(self, what: str, per: str, store: Callable[[int], None], kept: str) -> Row:
        many = self._count if per == "delivery" else self._count // ACCOUNTS
        before, begun = self._used(), cpu_seconds(self._pid)
        for number in range(many):
            store(number)
        each = round((self._used() - before) / many)
        return Row(what, per, each, round((cpu_seconds(self._pid) - begun) / many * 1e6), kept)

    def _used(self) -> int:
        return int(self._parts.store.client.info("memory")["used_memory"])

    def _delivery(self, number: int) -> tuple[Delivery, Step]:
        article = article_id("main", f"https://example.org/{number // ACCOUNTS}")
        name = delivery_id(article, f"main.k{number % ACCOUNTS}", 0)
        sent = Receipt(id=str(10**17 + number), url=f"https://social.example/@newspaper/{10**17 + number}")
        step = replace(step_of(name, TEXT), receipt=sent, at=SENT)
        delivery = Delivery(
            id=name, article=article, account=f"main.k{number % ACCOUNTS}", platform="mastodon",
            status=Status.PUBLISHED, due=SENT, steps=(step,),
        )  # fmt: skip
        return delivery, step

    def _receipts(self, number: int) -> None:
        delivery, step = self._delivery(number)

        def made(count: int, before: str) -> Entry:
            return receipts.entry(delivery, step, 0, number=count, at=SENT, attempts=1, before=before)

        assert self._parts.aftercare.enter("main", f"{delivery.id} {step.key} {step.kind}", made)

    def _readbacks(self, number: int) -> None:
        name = self._delivery(number)[0].id
        self._parts.aftercare.read_at(name, SENT)
        found = Readback(sight=Sight.LIVE, at=SENT, tries=1)
        self._parts.aftercare.keep_readback(name, found, again=None)

    def _sampling(self, number: int) -> None:
        self._parts.aftercare.sample_at(self._delivery(number)[0].id, SENT + timedelta(seconds=number))

    def _samples(self, number: int) -> None:
        name, samples = self._delivery(number)[0].id, []
        counts = [0] * 5
        for age in LADDER:
            counts = [c + self._rng.randrange(1, 40) for c in counts]
            samples.append(Sample(int(age.total_seconds() // 60), *counts))
            self._parts.aftercare.keep_samples(name, samples)

    def _visits(self, number: int) -> None:
        self._parts.aftercare.keep_visits("main", {self._delivery(number)[0].id: self._rng.randrange(500)}, SENT)

    def _link(self, number: int) -> Link:
        delivery = self._delivery(number)[0]
        slug = hashlib.sha256(str(number // ACCOUNTS).encode()).hexdigest()[:40]
        target = f"https://example.org/2023/{slug}?utm_source=mastodon&utm_medium=social"
        return Link(own("", delivery.id, delivery.article)[1], target, delivery.id)

    def _links(self, number: int) -> None:
        self._parts.links.keep(self._link(number))

    def _clicks(self, number: int) -> None:
        self._parts.links.follow(self._link(number))

    def _article(self, number: int) -> Article:
        url = f"https://example.org/{number}"
        return Article(id=article_id("main", url), url=url, title="A title", text=ORIGINAL)

    def _originals(self, number: int) -> None:
        self._parts.aftercare.keep_original(self._article(number))
        self._parts.aftercare.recheck_at(self._article(number).id, SENT)

    def _versions(self, number: int) -> None:
        corrected = replace(self._article(number), text=f"{ORIGINAL} Corrected: {number}.")
        self._parts.aftercare.keep_version(corrected)

    def _changes(self, number: int) -> None:
        article = self._article(number)
        options = (Action.EDIT, Action.REPLY, Action.LEAVE)
        proposals = tuple(
            Proposal(delivery=delivery_id(article.id, f"main.k{n}", 0), action=Action.EDIT, options=options, text=TEXT)
            for n in range(ACCOUNTS)
        )
        name = f"main.{hashlib.sha256(article.url.encode()).hexdigest()[:16]}"
        what = ("“One sentence of it”: 12 is not said any more; it reads “One sentence of it” now",)
        change = Change(
            id=name, article=article.id, kind=Kind.CORRECTED, found_at=SENT, what=what, proposals=proposals
        )  # fmt: skip
        assert self._parts.aftercare.add_change(change)
        for proposal in proposals:
            self._parts.aftercare.mark_applied(change, proposal.delivery)


def run(*, count: int, fsync: Fsync) -> dict[str, Any]:
    """Everything that ``--json`` prints."""
    with (
        tempfile.TemporaryDirectory(prefix="handbill-aftercare-") as folder,
        Embedded.start(Path(folder), fsync=fsync) as server,
    ):
        parts = open_runtime(Settings(_env_file=None, data_dir=Path(folder), trial=True), server.url)  # type: ignore[call-arg]  # every field has a default
        after = After(parts, int((server.folder / "server.pid").read_text()), count)
        rows = [asdict(row) for row in after.rows()]
        sealed = after.sealed_bytes()
        parts.close()
    return {"deliveries": count, "fsync": fsync, "kinds": rows, "bytes_of_a_receipt_in_a_file": sealed}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deliveries", type=int, default=20_000)
    parser.add_argument("--fsync", choices=["always", "everysec"], default="everysec")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = run(count=given.deliveries, fsync=given.fsync)
    if given.json:
        json.dump(found, sys.stdout, indent=1)
        print()
        return
    for row in found["kinds"]:
        each = f"{row['bytes_each']:>6,} bytes, {row['redis_cpu_us']:>5,} µs"
        print(f"{row['what']:<32} {each} for each {row['per']}; kept: {row['kept']}")
    print(f"a receipt in a file              {found['bytes_of_a_receipt_in_a_file']:>6,} bytes")


if __name__ == "__main__":
    main()
