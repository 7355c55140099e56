"""A dress rehearsal: what is planned is sent to stand-ins, days in seconds, with faults, on a throw-away store."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import http.server
import json
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import publishers
from publishers.core.http import Http
from worker import environ, pull
from worker.embedded import Embedded
from worker.errors import HandbillError
from worker.model import Account, Delivery, Status, Step
from worker.pipeline.accounts import Accounts
from worker.runtime import Runtime
from worker.store import Deliveries, Records, open_store
from worker.store.secrets import Vault, key_of

if TYPE_CHECKING:
    from worker.settings import Settings

FAULTS = ("429", "500-before", "drop-before", "500-after", "accept-then-drop", "garbled")
"""What goes wrong: all but a platform that keeps silent, which would take real time."""

A_DAY_MOST = 500
PLANNED = (Status.SCHEDULED, Status.AWAITING_APPROVAL)
CALM = timedelta(days=2)
"""Simulated time after the last day in which what went wrong may be put right."""

SAME_TITLE, SAME_TEXT, SAME_KEY = 1, 2, 3
TURNS_MOST = 200_000
REQUEST_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """What became of one planned post: when it went out, after how many attempts, how often readers saw it, and why."""

    delivery: str
    account: str
    title: str
    due: datetime
    sent: datetime | None
    status: Status
    attempts: int
    seen: int
    approval: bool
    notes: tuple[str, ...]

    @property
    def late(self) -> timedelta:
        """How long after its time it went out."""
        return max((self.sent or self.due) - self.due, timedelta())


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole rehearsal; ``faults`` is how often something went wrong on the wire, by what the engine said of it.

    ``strays`` are posts that readers see and that belong to nothing that was planned.
    """

    posts: tuple[Rehearsed, ...]
    left_out: Mapping[str, str]
    faults: Mapping[str, int]
    doubles: int
    lost: int
    strays: int
    turns: int

    @property
    def good(self) -> bool:
        """Whether every post was published and is seen once, and no other is seen."""
        return not self.strays and all(p.status is Status.PUBLISHED and p.seen == 1 for p in self.posts)


@dataclass(frozen=True, slots=True)
class Sight:
    """One post as readers of a stand-in's account find it; ``platform`` is empty in a folder."""

    platform: str
    account: str
    id: str
    permalink: str
    key: str
    text: str


class Clock:
    """The only time that the rehearsed engine knows."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> int:
        return round(self.at.timestamp() * 1000)

    def now(self) -> datetime:
        """The instant."""
        return self.at


def rehearse(parts: Runtime, workspace: str, *, days: int, ratio: float, seed: int = 1) -> Report:
    """Send what is planned for the next ``days`` to stand-ins; ``ratio`` is the share of commits that go wrong.

    Nothing of it reaches a platform or changes the store that ``parts`` speaks to.
    """
    now = parts.now()
    planned = list(_planned(parts, workspace, now, days))
    accounts = {a.id: a for a in parts.records.accounts(workspace)}
    with tempfile.TemporaryDirectory(prefix="handbill-rehearsal-") as place, contextlib.ExitStack() as stack:
        folder = Path(place)
        url = stack.enter_context(_stand_ins(folder / "platforms"))
        server = stack.enter_context(Embedded.start(folder))
        clock = Clock(now)
        config = parts.settings.model_copy(
            update={
                "data_dir": folder,
                "port": stack.enter_context(_pictures(planned, folder, parts.settings)),
                "rehearsal_url": url,
                "redis_url": server.url,
                "trial": True,
                "request_seconds": REQUEST_SECONDS,
                "settle_seconds": 0.0,
            }
        )
        _order(f"{url}/_clock", clock.at.isoformat())
        there = _runtime(config, server.url, clock)
        stack.callback(there.close)
        left_out = dict(_connect(there, accounts.values(), {d.account for d in planned}))
        mine = [d for d in planned if d.account in accounts and d.account not in left_out]
        for platform in {d.platform for d in mine if publishers.load(d.platform).networked}:
            _order(f"{url}/_faults/{platform}", {"ratio": ratio, "kinds": list(FAULTS), "seed": seed})
        for delivery in mine:
            there.deliveries.create(_fresh(delivery), note="rehearsed")
        turns = _run(there, clock, now + timedelta(days=days) + CALM, url)
        seen, strays = sightings([there.deliveries.get(d.id) for d in mine], _seen(there, url))
        posts = tuple(_rehearsed(there, d, seen[d.id]) for d in mine)
        return Report(
            posts=posts,
            left_out=left_out,
            faults=_faults(there, mine),
            doubles=sum(p.seen > 1 for p in posts),
            lost=sum(p.status is Status.PUBLISHED and p.seen == 0 for p in posts),
            strays=strays,
            turns=turns,
        )


def _planned(parts: Runtime, workspace: str, now: datetime, days: int) -> Iterator[Delivery]:
    bounds = [now + timedelta(days=n) for n in range(days + 1)]
    found = parts.deliveries.planned(workspace, bounds, most=A_DAY_MOST)
    for delivery in parts.deliveries.several(i for _, names in found for i in names):
        if delivery.status in PLANNED and delivery.step == 0:
            yield delivery


@contextlib.contextmanager
def _stand_ins(folder: Path) -> Iterator[str]:
    """The stand-ins of all platforms, in a process of their own; their address."""
    argv = [sys.executable, "-m", "rehearsal", "--port", "0", "--dir", str(folder)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environ.plain()) as child:  # noqa: S603 - this very Python
        try:
            assert child.stdout is not None, "it was asked for"
            url = child.stdout.readline().strip()
            if not url:
                raise HandbillError("The stand-ins did not start", do="Run: python -m rehearsal --port 0 --dir /tmp/x")
            yield url
        finally:
            child.terminate()


@contextlib.contextmanager
def _pictures(planned: Sequence[Delivery], folder: Path, config: Settings) -> Iterator[int]:
    """A port at which the stand-ins fetch the pictures of what is planned, as platforms do from Handbill's web."""
    files = {Path(m.path).name: m for d in planned for s in d.steps for m in s.post.media}
    here = config.model_copy(update={"data_dir": folder})

    class Picture(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = pull.opened(here, self.path.rpartition("/")[2], datetime.now(UTC))
            try:
                content = files[name or ""].read()
            except (KeyError, OSError, ValueError):
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", files[name or ""].mime)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *told: object) -> None:
            """Nothing: what the stand-ins fetch concerns nobody."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Picture) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def _runtime(config: Settings, url: str, clock: Clock) -> Runtime:
    vault = Vault(key_of(config.data_dir, ""))
    store = open_store(url, trial=True)
    there = Runtime(config, store, vault)
    there.deliveries = Deliveries(store, clock=clock)
    there.records = Records(store, vault, clock=clock)
    there.accounts = Accounts(there.records, config, http=functools.partial(Http, now=clock.now), now=clock.now)
    return there


def _connect(there: Runtime, accounts: Any, wanted: set[str]) -> Iterator[tuple[str, str]]:
    """Connect a stand-in in the place of each account, with its limits, class and zone; which have none, and why."""
    for account in accounts:
        if account.id not in wanted:
            continue
        kind = publishers.load(account.platform)
        try:
            if kind.by_hand or not kind.rehearsed:
                yield account.id, f"there is no stand-in of {kind.label}"
                continue
            if not kind.networked:
                there.records.save_account(_in_folder(account, there.settings.data_dir), {})
                continue
            there.accounts.stand_in(account)
        except HandbillError as error:
            yield account.id, str(error)


def _in_folder(account: Account, folder: Path) -> Account:
    """An account that posts into a folder, into one of its own here."""
    own = str(folder / "outbox" / _place(account.id))
    settings = {k: own if Path(v).is_absolute() else v for k, v in account.settings.items()}
    return dataclasses.replace(account, settings=settings)


def _fresh(delivery: Delivery) -> Delivery:
    steps = tuple(Step(kind=s.kind, ordinal=s.ordinal, key=s.key, post=s.post, of=s.of) for s in delivery.steps)
    return dataclasses.replace(delivery, status=Status.SCHEDULED, steps=steps, attempts=0, fence=0, reason="")


def _run(there: Runtime, clock: Clock, until: datetime, url: str) -> int:
    """Let time jump, on the stand-ins too, from one thing that is due to the next; how many turns that took."""
    woken: list[str] = []
    engine = there.engine(wake=woken.extend, depth=lambda: 0)
    for turn in range(TURNS_MOST):
        engine.tick()
        if not woken:
            if engine.following == float("inf") or clock.at + timedelta(seconds=engine.following) > until:
                return turn
            clock.at += timedelta(seconds=max(engine.following, 0.001))
            _order(f"{url}/_clock", clock.at.isoformat())
        while woken:
            engine.publish(woken.pop(0))
    return TURNS_MOST


def _rehearsed(there: Runtime, planned: Delivery, seen: int) -> Rehearsed:
    found = there.deliveries.get(planned.id)
    history = there.deliveries.history(planned.id)
    first = found.steps[0]
    return Rehearsed(
        delivery=planned.id,
        account=planned.account,
        title=first.post.title or first.post.text.partition("\n")[0],
        due=planned.due,
        sent=first.at if first.receipt else None,
        status=found.status,
        attempts=sum(bool(e.attempt) for e in history),
        seen=seen,
        approval=planned.status is Status.AWAITING_APPROVAL,
        notes=tuple(e.note for e in history if e.attempt),
    )


def _faults(there: Runtime, planned: Sequence[Delivery]) -> Counter[str]:
    told: Counter[str] = Counter()
    for delivery in planned:
        for event in there.deliveries.history(delivery.id):
            name, _, _ = event.note.partition(":")
            if event.attempt and name.isalpha() and name[:1].isupper():
                told[name] += 1
    return told


def _seen(there: Runtime, url: str) -> list[Sight]:
    """What stands where readers look: on the stand-ins, and in folders."""
    posts = json.loads(_get(f"{url}/_seen"))
    found = [Sight(*(str(p[k]) for k in ("platform", "account", "id", "permalink", "key", "text"))) for p in posts]
    for file in (there.settings.data_dir / "outbox").glob("*/*.json"):
        kept = json.loads(file.read_bytes())
        found.append(Sight("", file.parent.name, kept["key"], "", kept["key"], kept["text"]))
    return found


def sightings(sent: Sequence[Delivery], seen: Sequence[Sight]) -> tuple[dict[str, int], int]:
    """How often readers see each delivery, by its id; and how many posts belong to none of them.

    A post is known by its receipt: a platform keeps a text in a form of its own. Whatever no receipt names is a double
    of what it says the same as, or what a lost answer left of a delivery that has no receipt.
    """
    steps = [(d, n) for d in sent for n, s in enumerate(d.steps) if n == 0 or s.receipt]
    shown: dict[tuple[str, int], list[Sight]] = {(d.id, n): [] for d, n in steps}
    left: list[Sight] = []
    for sight in seen:
        named = next((at for at in steps if _names(*at, sight) and not shown[at[0].id, at[1]]), None)
        if named:
            shown[named[0].id, named[1]].append(sight)
        else:
            left.append(sight)
    naming = {d.account for d, n in steps if shown[d.id, n]}
    strays = 0
    for sight in left:
        best: tuple[int, bool, tuple[str, int]] | None = None
        for delivery, n in steps:
            mine = shown[delivery.id, n]
            likeness = _likeness(delivery, n, mine, sight)
            lost = delivery.account in naming and delivery.steps[n].receipt and not mine
            if not likeness or (lost and likeness < SAME_KEY):
                continue
            rank = (likeness, not mine, (delivery.id, n))
            best = rank if best is None or rank[:2] > best[:2] else best
        if best:
            shown[best[2]].append(sight)
        else:
            strays += 1
    counts = {d.id: [len(shown[e.id, n]) for e, n in steps if e.id == d.id] for d in sent}
    return {name: 0 if 0 in often else max(often) for name, often in counts.items()}, strays


def _here(delivery: Delivery, sight: Sight) -> bool:
    return sight.account == _place(delivery.account) and sight.platform in {delivery.platform, ""}


def _names(delivery: Delivery, n: int, sight: Sight) -> bool:
    """Whether the receipt of a step names this post; some receipts hold what kind it is, or whose, before its id."""
    receipt = delivery.steps[n].receipt
    if receipt is None or not _here(delivery, sight):
        return False
    names = {receipt.id, receipt.id.rpartition("/")[2]}
    return sight.id in names or (bool(sight.permalink) and sight.permalink == receipt.url)


def _likeness(delivery: Delivery, n: int, mine: Sequence[Sight], sight: Sight) -> int:
    """How surely a post is this step's: 0 if nothing says so."""
    if not _here(delivery, sight):
        return 0
    step, text = delivery.steps[n], _flat(sight.text)
    if sight.key and sight.key in {step.key, *(s.key for s in mine)}:
        return SAME_KEY
    if text in {_flat(step.post.text), *(_flat(s.text) for s in mine)}:
        return SAME_TEXT
    return SAME_TITLE if step.post.title and text.startswith(_flat(step.post.title)) else 0


def _place(account: str) -> str:
    """What an account is called on its stand-in, and its folder here."""
    return account.partition(".")[2]


def _flat(text: str) -> str:
    return "".join(text.split())


def _order(url: str, body: object) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="PUT")  # noqa: S310 - the stand-ins' own address
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310 - as above
        pass


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - the stand-ins' own address
        body: bytes = answer.read()
        return body
