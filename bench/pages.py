"""How long the pages take at the server with 100,000 deliveries in Redis, beside the same pages of an empty store.

Wall time depends on what else the machine does; the processor's time, ours and Redis' together, hardly does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from publishers.core.post import Post
from web import cookies
from web.app import create_app
from web.place import Place
from worker.embedded import Embedded
from worker.model import (
    Account,
    Article,
    Content,
    Delivery,
    Sentence,
    Status,
    Step,
    StepKind,
    article_id,
    delivery_id,
    step_key,
)
from worker.people import Role, User
from worker.runtime import Runtime
from worker.settings import Settings
from worker.store import keys, open_store
from worker.store.people import new_user_id
from worker.store.secrets import Vault, key_of

BASE = "http://127.0.0.1:8484"
PLATFORMS = ("mastodon", "bluesky", "x", "linkedin", "telegram")
DAYS = 180
LIMIT = 0.150
"""Seconds: what a page may take at the server, 95 times of 100."""

CPU = 0.075
"""Seconds of the processor for one page, ours and Redis': half of LIMIT, so that a busy machine keeps it, too."""

PAST = (Status.PUBLISHED,) * 18 + (Status.FAILED, Status.PARKED, Status.CANCELLED, Status.HELD)
AHEAD = (Status.SCHEDULED,) * 8 + (Status.AWAITING_APPROVAL, Status.DRAFT)
WORDS = "The harbour gates close at nine each evening until the end of March and open again at five in the morning. "


def fill(parts: Runtime, deliveries: int) -> str:
    """Store so many deliveries, half of them past, each article on every account; returns one article's id."""
    rng = random.Random(7)
    now = datetime.now(UTC)
    accounts = [Account(id=f"main.{p}", platform=p, name=f"@{p}", rehearsal=True) for p in PLATFORMS]
    for account in accounts:
        parts.records.save_account(account, {})
    found = ""
    for number in range(deliveries // len(accounts)):
        url = f"https://larkhaven.example/{number}"
        article = Article(
            id=article_id("main", url), url=url, title=f"Harbour gates {number}", text=WORDS * 30, site="The Lantern"
        )
        said = tuple(Sentence(text=WORDS.strip(), source_offset=n * len(WORDS)) for n in range(5))
        content = Content(
            short=WORDS[:100],
            medium=WORDS * 2,
            long=WORDS * 5,
            sentences=said,
            hashtags=("Harbour", "Gates"),
            alt="A gate",
        )
        parts.records.save_article(article, content)
        due = now + timedelta(seconds=rng.uniform(-DAYS, DAYS) * 86_400)
        links: list[tuple[str, str]] = []
        for account in accounts:
            identity = delivery_id(article.id, account.id, 0)
            post = Post(text=f"{WORDS}\n\n{url}\n\n#Harbour", title=article.title, link=url)
            links.append((account.id, identity))
            parts.deliveries.create(
                Delivery(
                    id=identity,
                    article=article.id,
                    account=account.id,
                    platform=account.platform,
                    status=rng.choice(PAST if due < now else AHEAD),
                    due=due,
                    steps=(
                        Step(kind=StepKind.POST, ordinal=0, key=step_key(identity, StepKind.POST, 0, 1), post=post),
                    ),
                ),
                note="planned",
            )
        with parts.store.client.pipeline(transaction=False) as pipe:
            for name, identity in links:
                pipe.sadd(f"{keys.home('main')}article:{article.id}:deliveries", identity)
                pipe.zadd(keys.calendar(name), {identity: int(due.timestamp() * 1000)})
            pipe.execute()
        parts.records.shelve(article.id, "planned")
        found = article.id
    for number in range(200):  # an inbox in which nobody has decided anything for a while
        url = f"https://larkhaven.example/new/{number}"
        article = Article(id=article_id("main", url), url=url, title=f"New {number}", text=WORDS * 30)
        content = Content(short=WORDS, medium=WORDS, long=WORDS, sentences=(), hashtags=(), alt="")
        parts.records.save_article(article, content)
    return found


def addresses(article: str) -> dict[str, str]:
    """The pages, and what their scripts ask for."""
    today = datetime.now(UTC).date()
    begin = today - timedelta(days=today.weekday() + 14)
    month = f"start={begin}&end={begin + timedelta(days=42)}"
    week = f"start={today}&end={today + timedelta(days=7)}"
    found = {
        "inbox": "/inbox",
        "inbox, planned": "/inbox?show=planned",
        "calendar": "/calendar",
        "calendar, month's posts": f"/calendar/events?{month}",
        "calendar, week's posts": f"/calendar/events?{week}",
        "calendar, one account": f"/calendar/events?{month}&account=main.x",
        "calendar, forecast": f"/calendar/forecast?{month}",
        "calendar, list": "/calendar?view=list",
        "queue": "/queue",
        "queue, to decide": "/queue?show=decide",
        "queue, waiting": "/queue?show=waiting",
        "gallery": "/gallery",
        "evergreen": "/evergreen",
        "changes": "/changes",
        "receipts": "/receipts",
        "sources": "/sources",
        "accounts": "/accounts",
        "templates": "/templates",
        "brand kits": "/brands",
        "team": "/team",
        "settings": "/settings",
        "audit log": "/audit",
    }
    return found | ({"composer": f"/compose/{article}"} if article else {})


def spent(parts: Runtime) -> float:
    """Seconds of the processor that this process and Redis have used."""
    used = parts.store.client.info("cpu")
    return time.process_time() + float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


def measure(parts: Runtime, article: str, times: int) -> dict[str, dict[str, float]]:
    """Milliseconds at the server, by page: the median, what 95 of 100 requests stay below, and the processor's time."""
    app = create_app(parts)
    user = User(id=new_user_id(), email="bench@larkhaven.example", name="Bench", zone="Europe/Vienna")
    parts.people.add(user)
    parts.people.set_role(user.id, "main", Role.OWNER)
    secret = parts.people.open_session(user.id, "main", agent="bench", address="127.0.0.1")
    name = cookies.name_of("session", Place(BASE, secure=False, address="127.0.0.1"))
    headers = {"Cookie": f"{name}={secret}", "Accept": "text/html"}

    async def ask() -> dict[str, dict[str, float]]:
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 50000))
        found = {}
        async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers) as http:
            for page, address in addresses(article).items():
                took: list[float] = []
                for number in range(times + 3):
                    if number == 3:  # the first ones read templates from the disk
                        took.clear()
                        before = spent(parts)
                    begun = time.perf_counter()
                    answer = await http.get(address)
                    took.append((time.perf_counter() - begun) * 1000)
                    if answer.status_code != 200:
                        raise SystemExit(f"{address} answers {answer.status_code}")
                found[page] = {
                    "p50_ms": round(statistics.median(took), 1),
                    "p95_ms": round(statistics.quantiles(took, n=20)[-1], 1),
                    "cpu_ms": round((spent(parts) - before) * 1000 / times, 1),
                    "kb": round(len(answer.content) / 1000, 1),
                }
        return found

    return asyncio.run(ask())


def run(deliveries: int, times: int) -> Mapping[str, dict[str, dict[str, float]]]:
    """Both columns: an empty store, then a full one."""
    found = {}
    for column, many in (("empty", 0), ("handbill", deliveries)):
        with tempfile.TemporaryDirectory() as folder, Embedded.start(Path(folder), fsync="everysec") as server:
            config = Settings(  # type: ignore[call-arg]  # every field has a default
                data_dir=Path(folder), redis_url=server.url, zone="Europe/Vienna"
            )
            parts = Runtime(config, open_store(server.url), Vault(key_of(Path(folder), "")))
            article = fill(parts, many) if many else ""
            found[column] = measure(parts, article, times)
            parts.close()
    return found


def main() -> int:
    """Print the table, or JSON with ``--json``; exit 1 if a page takes more than it may."""
    parser = argparse.ArgumentParser(prog="bench.pages", description=__doc__)
    parser.add_argument("--deliveries", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=60, help="Requests for each page.")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = run(asked.deliveries, asked.times)
    if asked.json:
        print(json.dumps(found))
    else:
        print(
            f"{'ms at the server':<26} {'empty p50':>10} {'p95':>7} {'CPU':>6} "
            f"{'handbill p50':>13} {'p95':>7} {'CPU':>6} {'kB':>7}"
        )
        for page, row in found["handbill"].items():
            empty = found["empty"].get(page, {})
            print(
                f"{page:<26} {empty.get('p50_ms', ''):>10} {empty.get('p95_ms', ''):>7} "
                f"{empty.get('cpu_ms', ''):>6} {row['p50_ms']:>13} {row['p95_ms']:>7} {row['cpu_ms']:>6} {row['kb']:>7}"
            )
    return int(any(r["p95_ms"] > LIMIT * 1000 or r["cpu_ms"] > CPU * 1000 for r in found["handbill"].values()))


if __name__ == "__main__":
    sys.exit(main())
