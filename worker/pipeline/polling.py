"""How sources are polled: who is due, what is new in what they answer, and when each is looked at again."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import structlog

from publishers.core.guard import Deadline
from worker.errors import BadSource, HandbillError, NotFound
from worker.intake import feeds, private
from worker.intake.client import Answer
from worker.intake.feeds import Entry, Feed
from worker.intake.identity import address_key, guid_key, repeated
from worker.intake.model import Candidate, Fate, Item, Kind, Source, State, item_id
from worker.intake.polite import Guest
from worker.pipeline.intake import Intake
from worker.settings import Settings
from worker.store.redis import lost
from worker.store.sources import Sources

log = structlog.get_logger()

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
SHORTEST, FIRST, LONGEST = 5 * MINUTE, 15 * MINUTE, 6 * HOUR
PUSHED = 2 * HOUR
"""At least so long between two polls of a feed whose hub tells us."""

RETRY, RETRY_MOST = 5 * MINUTE, DAY
ECHOES = ((20.0, 5.0), (90.0, 20.0), (300.0, 60.0))
"""After a notice that brought nothing yet: up to how many seconds after it the feed is asked again, and how often.
Sites tell of an article before their caches do (WordPress keeps a feed for minutes behind most caching plugins)."""

LATE = timedelta(days=3)
BEFORE = timedelta(days=1)
"""How long before its source was added an article may be dated that came into the feed only afterwards: the caches of
sites and a slow pen account for hours, not for days."""

THERE = "was there before the source was added"
OLD = "is dated more than a day before the source was added"
EARLY = "dated before the source was added, and in the feed only since: look before it goes out"
FLOOD = 20
SECONDS = 20.0
LEASE = 300.0
CHUNK = 64
PARTS_MOST = 2

Seen = Callable[[Source, str, bytes, str], None]
"""What else wants to know that a feed was read: the source, its Link headers, its bytes and its address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """How one poll ended: seconds until the next (None = never), for its host, and the fields of State it changes.

    ``moved`` is the source as it is from now on, where it changed.
    """

    wait: float | None
    host_wait: float = 0
    state: dict[str, Any] = field(default_factory=dict)
    moved: Source | None = None
    new: int = 0


class Poller:
    """Polls what is due. Any number of processes may: one has a source at a time, and polling twice is harmless.

    ``seen`` is told of every feed that was read.
    """

    def __init__(
        self,
        sources: Sources,
        intake: Intake,
        config: Settings,
        *,
        guest: Guest | None = None,
        seen: Seen = lambda *_: None,
        rng: random.Random | None = None,
    ) -> None:
        self._sources = sources
        self._intake = intake
        self._config = config
        self._guest = guest or Guest(config, keep=True)
        self._seen = seen
        self._rng = rng or random.Random()  # noqa: S311 - spreads polls, guards nothing
        self._pool = ThreadPoolExecutor(config.poll_threads, thread_name_prefix="poll")

    def round(self, stopping: threading.Event | None = None) -> float:
        """Poll everything that is due; the seconds until more is (``inf``: never). A slow site holds up no other."""
        running: dict[Future[Poll], tuple[Source, datetime]] = {}
        following = 0.0
        while True:
            room = 0 if stopping is not None and stopping.is_set() else CHUNK - len(running)
            if room >= CHUNK // 4:
                ids, following = self._sources.take_polls(most=room, lease=LEASE, gap=self._config.host_gap_seconds)
                running.update(self._begin(ids))
            if not running:
                return following
            done, _ = wait(running, timeout=1.0, return_when=FIRST_COMPLETED)
            self._end([(*running.pop(future), future.result()) for future in done])

    def _begin(self, ids: Sequence[str]) -> dict[Future[Poll], tuple[Source, datetime]]:
        found = self._sources.several(ids)
        states = self._sources.states(found)
        began = self._sources.now()
        return {
            self._pool.submit(self._safely, source, states[name], began): (source, began)
            for name, source in found.items()
        }

    def _end(self, polls: Sequence[tuple[Source, datetime, Poll]]) -> None:
        """Store how polls ended, in one round trip."""
        for source, _, poll in polls:
            if poll.moved is not None:
                with contextlib.suppress(NotFound):  # removed while it was read
                    self._sources.change(source.id, functools.partial(_taken_over, source, poll.moved))
        self._sources.polled([(s.id, began, p.wait, p.host_wait, p.state) for s, began, p in polls])

    def close(self) -> None:
        """Let go of every thread and connection."""
        self._pool.shutdown()
        self._guest.close()

    def _safely(self, source: Source, state: State, began: datetime) -> Poll:
        try:
            return self.poll(source, state, began)
        except Exception as error:
            if lost(error):
                raise
            log.exception("source not polled", source=source.id)
            return self._failed(state, f"a mistake of ours: {type(error).__name__}", began)

    def poll(self, source: Source, state: State, now: datetime) -> Poll:
        """Poll one source and store what is new; the caller stores how it ended."""
        if not source.active:
            return Poll(wait=None)
        try:
            answer = self._ask(source.address, state, secret=source.private)
        except BadSource as error:
            return self._failed(state, _line(error), now)
        moved = self._moved(source, answer)
        where = moved or source
        if answer.status == 304:
            poll = self._unchanged(state, now)
        elif answer.status == 410:
            reason = f"its address was taken away for good (410) on {now:%Y-%m-%d}"
            log.warning("source stopped", source=source.id, reason=reason)
            stopped = dataclasses.replace(source, active=False, reason=reason)
            return Poll(
                wait=None, moved=stopped, state={"polled": now, "error": reason, "failures": state.failures + 1}
            )
        elif answer.status != 200:
            return self._refused(state, answer, now)
        else:
            try:
                feed = self.understood(answer, secret=source.private)
            except BadSource as error:
                return self._failed(state, _line(error), now)
            poll = self._read(where, state, feed, answer, now)
            self._seen(where, answer.headers.get("link", ""), answer.body, answer.url)
        host_wait = min(self._guest.delay(source.address), 10 * MINUTE)
        return dataclasses.replace(poll, moved=moved, host_wait=host_wait)

    def now(self, source: Source) -> int:
        """Poll one source, whether it is its time or not; how many new articles there were."""
        began = self._sources.now()
        poll = self._safely(source, self._sources.state(source.id), began)
        self._end([(source, began, poll)])
        return poll.new

    def fetch(self, address: str) -> tuple[Feed, str]:
        """The feed at ``address`` and where it stood in the end; raises BadSource."""
        answer = self.read(address)
        if answer.status != 200:
            raise BadSource(f"{private.shown(address)} answered {answer.status}", do="Check the address")
        return self.understood(answer), answer.url

    def read(self, address: str, *, secret: bool | None = None) -> Answer:
        """What stands at ``address``, feed or not; raises BadSource, which tells no secret."""
        return self._ask(address, State(), secret=secret)

    def _ask(self, address: str, state: State, *, secret: bool | None) -> Answer:
        if private.HIDDEN in address:
            why = "its address is a secret that is not here: remove it, and follow it anew"
            raise BadSource("The feed cannot be read", why=why)
        headers = {}
        if state.etag:
            headers["If-None-Match"] = state.etag
        if state.last_modified:
            headers["If-Modified-Since"] = state.last_modified
        return self._get(address, headers, secret=secret)

    def _get(self, address: str, headers: Mapping[str, str], *, secret: bool | None) -> Answer:
        try:
            return self._guest.get(
                address, deadline=Deadline(SECONDS), accept=feeds.ACCEPT, headers=headers, max_bytes=feeds.MOST_BYTES
            )
        except BadSource as error:
            raise error.told(lambda text: private.without(text, address, secret=secret)) from None

    def understood(self, answer: Answer, *, secret: bool | None = None) -> Feed:
        """The feed that was answered, with the first of its parts where it is an index; raises BadSource."""
        kind = answer.headers.get("content-type", "")
        charset = kind.rpartition("charset=")[2].strip("\"' ").partition(";")[0] if "charset=" in kind else ""
        feed = feeds.read(answer.body, answer.url, charset)
        if not feed.parts:
            return feed
        entries: list[Entry] = []
        for part in feed.parts[:PARTS_MOST]:
            found = self._get(part, {}, secret=secret)
            if found.status == 200:
                entries += feeds.read(found.body, found.url).entries
        return dataclasses.replace(feed, entries=tuple(entries[: feeds.MOST_ENTRIES]))

    def _moved(self, source: Source, answer: Answer) -> Source | None:
        """The source at its new address, if it moved there for good and answers as a feed does.

        That the old one was no secret says nothing of the new one.
        """
        if answer.moved_to and answer.status in {200, 304} and answer.moved_to != source.address:
            moved = dataclasses.replace(source, address=answer.moved_to, private=source.private or None)
            log.info("source moved", source=source.id, to=moved.shown)
            return moved
        return None

    def _unchanged(self, state: State, now: datetime) -> Poll:
        wait = self._echo(state, now) or self._spread(_quiet(state, state.interval or FIRST, now))
        return Poll(wait=wait, state={"polled": now, "succeeded": now, "failures": 0, "error": ""})

    def _read(self, source: Source, state: State, feed: Feed, answer: Answer, now: datetime) -> Poll:
        new = self._take(source, state, feed, now)
        dates = [d for e in feed.entries if (d := e.published or e.updated) and d <= now]
        newest = max(dates, default=state.newest)
        interval = _interval(feed, answer, pushed=bool(state.lease_until and state.lease_until > now))
        fresh = dataclasses.replace(state, newest=newest, interval=interval)
        wait = self._echo(state, now) if not new else None
        wait = wait or self._spread(_quiet(fresh, interval, now))
        wait = (feeds.open_hour(feed, now + timedelta(seconds=wait)) - now).total_seconds()
        empty = "it has no articles with an address" if not feed.entries else ""
        return Poll(
            wait=wait,
            new=new,
            state={
                "polled": now,
                "succeeded": now,
                "failures": 0,
                "error": empty,
                **_validators(answer, now),
                "interval": interval,
                "newest": newest,
                "read": True,
                "backfill": 0,
            },
        )

    def _refused(self, state: State, answer: Answer, now: datetime) -> Poll:
        said = answer.headers.get("retry-after", "")
        least = _seconds(said, now) if answer.status in {429, 503} else 0.0
        poll = self._failed(state, f"it answered {answer.status}", now, least=least)
        return dataclasses.replace(poll, host_wait=least)

    def _failed(self, state: State, reason: str, now: datetime, *, least: float = 0.0) -> Poll:
        wait = min(RETRY * 2 ** min(state.failures, 10), RETRY_MOST)
        told = {"polled": now, "failures": state.failures + 1, "error": reason[:300]}
        return Poll(wait=max(self._spread(wait), least), state=told)

    def _spread(self, seconds: float) -> float:
        return seconds * self._rng.uniform(0.9, 1.1)

    def _echo(self, state: State, now: datetime) -> float | None:
        """Seconds until a source that was noticed a moment ago is asked again, None if it was not."""
        if state.noticed is None or (state.newest is not None and state.newest > state.noticed):
            return None
        since = (now - state.noticed).total_seconds()
        return next((every for until, every in ECHOES if 0 <= since < until), None)

    def _take(self, source: Source, state: State, feed: Feed, now: datetime) -> int:
        """Store every new entry of a feed, and how many there were; of the first reading only what was asked for."""
        entries = _told_apart(feed.entries)
        ids = {e: item_id(source.workspace, source.id, address_key(e.address)) for e in entries}
        there = self._sources.stored(list(ids.values()))
        new = [e for e in entries if ids[e] not in there]
        if not new:
            return 0
        if not state.read:
            wanted = [e for e in new if _published_between(e, source.since, now)]
            latest = sorted((e for e in new if e not in wanted), key=_date, reverse=True)[: state.backfill]
            self._leave(source, [e for e in new if e not in wanted and e not in latest])
            for entry in sorted([*wanted, *latest], key=_date):
                self._intake.arrived(source, _candidate(source, entry, old=entry in latest))
            return len(wanted) + len(latest)
        # Feeds tell the second, or the minute alone.
        since = source.since.replace(second=0, microsecond=0) if source.since else None
        old = [e for e in new if since and e.published and e.published < since]
        early = sorted((e for e in old if since and e.published and since - e.published <= BEFORE), key=_date)
        self._leave(source, [e for e in old if e not in early], OLD)
        for entry in early:
            self._intake.arrived(source, _candidate(source, entry), held=EARLY)
        fresh = sorted((e for e in new if e not in old), key=_date)
        dated = any(e.published or e.updated for e in entries)
        first_known = next((n for n, e in enumerate(entries) if ids[e] in there), len(entries))
        passed = (now - (state.succeeded or now)).total_seconds()
        usual = feeds.rhythm(feed)
        flood = len(fresh) > FLOOD + (3 * passed / usual if usual else 0)
        for entry in fresh:
            behind = feed.dialect != "sitemap" and not dated and entries.index(entry) > first_known
            held = ""
            if flood:
                held = f"{len(fresh)} new articles at once: look before they go out"
            elif entry.published and entry.published < min(now - LATE, (state.succeeded or now) - timedelta(days=1)):
                held = f"published on {entry.published:%Y-%m-%d} and in the feed only now: look before it goes out"
            self._intake.arrived(source, _candidate(source, entry, behind=behind), held=held)
        return len(early) + len(fresh)

    def _leave(self, source: Source, entries: Sequence[Entry], why: str = THERE) -> None:
        """Know entries that are older than their source, so that nothing ever shares them unasked."""
        rows = []
        for entry in entries:
            key = address_key(entry.address)
            item = Item(
                id=item_id(source.workspace, source.id, key),
                workspace=source.workspace,
                source=source.id,
                candidate=_candidate(source, entry),
                fate=Fate.SKIPPED,
                reason=why,
                firm=True,
            )
            rows.append((item, [k for k in (key, guid_key(entry.guid, source.id)) if k]))
        if rows:
            self._sources.add_items(rows)


def _taken_over(before: Source, after: Source, now: Source) -> Source:
    """``now`` with what a poll has changed, and nothing of what somebody else has changed meanwhile."""
    fields = ((f.name, getattr(after, f.name)) for f in dataclasses.fields(Source))
    return dataclasses.replace(now, **{name: value for name, value in fields if value != getattr(before, name)})


def _told_apart(entries: Sequence[Entry]) -> list[Entry]:
    """The entries, each address once, without guids that several bear."""
    common = repeated(e.guid for e in entries)
    once: dict[str, Entry] = {}
    for entry in entries:
        if key := address_key(entry.address):
            once.setdefault(key, dataclasses.replace(entry, guid="") if entry.guid in common else entry)
    return list(once.values())


def _candidate(source: Source, entry: Entry, *, old: bool = False, behind: bool = False) -> Candidate:
    return Candidate(
        address=entry.address,
        guid=entry.guid,
        title=entry.title,
        author=entry.author,
        tags=entry.tags,
        language=entry.language,
        published=entry.published,
        way="sitemap" if source.kind is Kind.SITEMAP else "feed",
        old=old,
        behind=behind,
    )


def _published_between(entry: Entry, since: datetime | None, now: datetime) -> bool:
    """Whether an entry of a first reading says that it came after the source; a date that lies ahead proves nothing."""
    return bool(since and entry.published and since <= entry.published <= now)


def _date(entry: Entry) -> float:
    found = entry.published or entry.updated
    return found.timestamp() if found else 0.0


def _interval(feed: Feed, answer: Answer, *, pushed: bool) -> float:
    """Seconds between two polls: a sixth of the feed's own rhythm, and never less than it asks for."""
    usual = feeds.rhythm(feed)
    wait = min(max(usual / 6, SHORTEST), HOUR) if usual else FIRST
    if feed.ttl:
        wait = max(wait, min(feed.ttl, DAY))
    age = answer.headers.get("cache-control", "").lower().partition("max-age=")[2]
    digits = age[: next((n for n, c in enumerate(age) if not c.isdigit()), len(age))]
    if digits.isascii() and digits.isdigit():
        wait = max(wait, min(float(digits[:9]), HOUR))
    return max(wait, PUSHED) if pushed else wait


def _quiet(state: State, interval: float, now: datetime) -> float:
    """``interval``, longer for a feed in which nothing has appeared for long."""
    silence = (now - state.newest).total_seconds() if state.newest else 0.0
    return max(interval, min(silence / 50, LONGEST))


def _seconds(retry_after: str, now: datetime) -> float:
    """What a Retry-After asks for, at most a week."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), 7 * DAY)
    when = feeds.moment(text) if text else None
    return min(max((when - now).total_seconds(), 0.0), 7 * DAY) if when else 0.0


def _validators(answer: Answer, now: datetime) -> dict[str, object]:
    """By what the next answer is known to be the same; none where it changed so lately that something else in the same
    second would look the same (RFC 9110, 8.8.2.2; WordPress makes its ETag of that second, too).
    """
    changed = answer.headers.get("last-modified", "")[:100]
    etag = answer.headers.get("etag", "")[:500]
    since, said = feeds.moment(changed), feeds.moment(answer.headers.get("date", "")) or now
    if since and said - since < timedelta(seconds=2):
        etag = changed = ""
    return {"etag": etag, "last_modified": changed}


def _line(error: HandbillError) -> str:
    return error.why or error.what


def host_of(address: str) -> str:
    """What sources share that must take turns."""
    return (urlsplit(address).hostname or "").removeprefix("www.")
