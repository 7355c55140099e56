"""When a post is due: an account's calendar, its zone and what is taken, as instants (pure)."""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo, available_timezones

from worker.errors import HandbillError
from worker.model import Calendar

HORIZON_DAYS = 400
YEARS_MOST = 20
GAP_MOST = 1440


@dataclass(frozen=True, slots=True)
class When:
    """A due time: the instant, with the wall time and zone asked for; ``shifted`` if a clock change moved it."""

    instant: datetime
    wall: str
    zone: str
    shifted: bool = False

    @property
    def said(self) -> str:
        """The time as somebody asked for it."""
        return f"{self.wall} {self.zone}" if self.wall else "now"


class Rate(Protocol):
    """How many messages a platform takes within any so many seconds."""

    @property
    def posts(self) -> int:
        """So many."""

    @property
    def seconds(self) -> float:
        """Within any window of this length."""


def zone_of(name: str) -> ZoneInfo:
    """The IANA zone ``name``, by its current name; raises HandbillError."""
    try:
        return ZoneInfo(current(name))
    except (KeyError, ValueError, OSError):
        raise HandbillError(f"{name!r} is no IANA time zone", do="Write one such as Europe/Vienna") from None


MERGED = {
    "Africa/Asmera": "Africa/Asmara",
    "Africa/Timbuktu": "Africa/Bamako",
    "America/Coral_Harbour": "America/Atikokan",
    "Atlantic/Jan_Mayen": "Arctic/Longyearbyen",
    "Pacific/Ponape": "Pacific/Pohnpei",
    "Pacific/Truk": "Pacific/Chuuk",
    "Pacific/Yap": "Pacific/Chuuk",
}
"""Where tzdata's link leads past the current name, to a place with the same clock (tz's file ``backward``)."""


@functools.cache
def zones() -> tuple[str, ...]:
    """The IANA zones that people live in, by their current names."""
    known = sorted(available_timezones())
    return tuple(z for z in known if "/" in z and not z.startswith(("Etc/", "SystemV/")) and current(z) == z)


def current(name: str) -> str:
    """What IANA calls a zone today: Asia/Kolkata for the Asia/Calcutta of browsers; an unknown name as it is."""
    return _renamed().get(name, name)


@functools.cache
def _renamed() -> Mapping[str, str]:
    """Old names of zones by the current ones: links to a place that stands in the list by country (zone.tab)."""
    folder = importlib.resources.files("tzdata") / "zoneinfo"
    rows = (folder / "zone.tab").read_text().splitlines()
    places = {row.split("\t")[2] for row in rows if not row.startswith("#")}
    links = [row.split() for row in (folder / "tzdata.zi").read_text().splitlines() if row.startswith("L ")]
    return {old: new for _, new, old in links if "/" in old and old not in places and new in places} | MERGED


def at_wall(wall: datetime, zone: str) -> When:
    """The instant of a wall time (naive): a time that a clock change skips shifts forward by the gap, and one that
    happens twice means the first.
    """
    place = zone_of(zone)
    instant = wall.replace(tzinfo=place, fold=0).astimezone(UTC)
    back = instant.astimezone(place)
    return When(instant, back.strftime("%Y-%m-%d %H:%M"), zone, back.replace(tzinfo=None) != wall)


def at_instant(instant: datetime, zone: str) -> When:
    """An instant as the wall of ``zone`` shows it."""
    return When(instant, instant.astimezone(zone_of(zone)).strftime("%Y-%m-%d %H:%M"), zone)


def parse(text: str, *, zone: str, now: datetime) -> When:
    """``now``, or an ISO time (with an offset, or a wall time in ``zone``); raises HandbillError."""
    if text == "now":
        return When(now, "", zone)
    try:
        moment = datetime.fromisoformat(text)
        when: When | None = at_wall(moment, zone) if moment.tzinfo is None else at_instant(moment.astimezone(UTC), zone)
    except (ValueError, OverflowError):
        when = None
    if when is None or when.instant - now > timedelta(days=YEARS_MOST * 366):
        do = "Write now, slot, or an ISO time such as 2027-03-28T09:30 or 2027-03-28T09:30+02:00"
        raise HandbillError(f"{text!r} is no time a post can have", do=do)
    if when.instant < now - timedelta(minutes=1):
        raise HandbillError(f"{text} has passed", why=f"it is {now:%Y-%m-%d %H:%M} UTC", do="Give a later time, or now")
    return when


def slots(calendar: Calendar, *, zone: str, after: datetime, taken: Sequence[datetime] = ()) -> Iterator[When]:
    """The calendar's free slots after ``after``, soonest first, for at most 400 days.

    A slot is free if it is not in quiet hours, not on a blackout date, and keeps the gap from everything ``taken``.
    """
    place = zone_of(zone)
    first = after.astimezone(place).date()
    gap = timedelta(minutes=calendar.gap)
    seen: set[datetime] = set()
    for number in range(HORIZON_DAYS):
        day = first + timedelta(days=number)
        if day in calendar.blackouts:
            continue
        for slot in sorted(calendar.on(day.weekday())):
            when = at_wall(datetime.combine(day, slot), zone)
            free = all(abs(when.instant - t) >= gap and when.instant != t for t in taken)
            if when.instant <= after or when.instant in seen or not free or quiet(calendar, when.instant, zone):
                continue
            seen.add(when.instant)
            yield when


def quiet(calendar: Calendar, instant: datetime, zone: str) -> bool:
    """Whether an instant lies in the calendar's quiet hours, which may run over midnight."""
    wall = instant.astimezone(zone_of(zone)).time()
    return any(begin <= wall < end if begin <= end else wall >= begin or wall < end for begin, end in calendar.quiet)


def forbidden(
    calendar: Calendar, when: When, *, now: datetime, taken: Sequence[datetime] = (), rates: Sequence[Rate] = ()
) -> list[str]:
    """Why an account may not post then, one line each; ``taken`` is when its other posts are due."""
    zone = zone_of(when.zone)
    wall = when.instant.astimezone(zone)
    found = []
    if when.instant < now:
        found.append(f"{wall:%Y-%m-%d %H:%M} has passed")
    if wall.date() in calendar.blackouts:
        found.append(f"{wall:%Y-%m-%d} is a day without posts")
    for begin, end in calendar.quiet:
        if quiet(Calendar(quiet=((begin, end),)), when.instant, when.zone):
            found.append(f"{wall:%H:%M} is in the quiet hours, {begin:%H:%M} to {end:%H:%M}")
    gap = timedelta(minutes=calendar.gap)
    near = min((t for t in taken if abs(t - when.instant) < gap), key=lambda t: abs(t - when.instant), default=None)
    if near is not None:
        found.append(
            f"another post is due at {near.astimezone(zone):%H:%M}, and {calendar.gap} minutes lie between two"
        )
    found += [
        f"the platform takes {rate.posts} in {_span_words(rate.seconds)}, and so many are planned"
        for rate in rates
        if _crowded(when.instant, taken, rate)
    ]
    return found


def _crowded(instant: datetime, taken: Sequence[datetime], rate: Rate) -> bool:
    """Whether one more post at ``instant`` makes some window of the rate hold more than it may."""
    span = timedelta(seconds=rate.seconds)
    near = sorted(t for t in taken if abs(t - instant) < span)
    return any(
        sum(begin <= t < begin + span for t in near) >= rate.posts
        for begin in (*(t for t in near if t <= instant), instant)
    )


def _span_words(seconds: float) -> str:
    for unit, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= unit:
            count = seconds / unit
            return f"{'an' if name == 'hour' else 'a'} {name}" if count == 1 else f"{count:g} {name}s"
    return f"{seconds:g} seconds"


def changes(zone: str, since: date, until: date) -> dict[date, int]:
    """The days from ``since`` up to ``until`` on which clocks change, with the minutes they are put forward (+) or
    back (-).
    """
    place = zone_of(zone)
    found = {}
    for number in range((until - since).days):
        day = since + timedelta(days=number)
        begin, end = (datetime.combine(d, time(0), place) for d in (day, day + timedelta(days=1)))
        before, after = begin.utcoffset(), end.utcoffset()
        if before is not None and after is not None and before != after:
            found[day] = round((after - before).total_seconds() / 60)
    return found


def note(wall: datetime, zone: str) -> str:
    """What a clock change does to a wall time (naive), in one line; empty if nothing."""
    place = zone_of(zone)
    when = at_wall(wall, zone)
    if when.shifted:
        return f"Clocks skip {wall:%H:%M} on this day in {zone}: it goes out at {when.wall[11:]}."
    first, second = (wall.replace(tzinfo=place, fold=fold).utcoffset() for fold in (0, 1))
    if first != second:
        return f"{wall:%H:%M} happens twice on this day in {zone}: it goes out the first time."
    return ""


def read_calendar(text: str) -> Calendar:
    """A calendar as people write it: ``mon-fri 09:00 12:30; sat 10:00; gap 45; quiet 22:00-07:00; not 2027-01-01``.

    Raises HandbillError naming the part that cannot be read.
    """
    week: dict[int, tuple[time, ...]] = {}
    gap, silent, blackouts = 0, [], []
    for part in filter(None, (p.strip() for p in text.split(";"))):
        word, *rest = part.split()
        try:
            if word == "gap":
                gap = range(GAP_MOST + 1).index(int(rest[0]))
            elif word == "quiet":
                silent += [_span(r) for r in rest]
            elif word == "not":
                blackouts += [date.fromisoformat(r) for r in rest]
            else:
                times = (_time(rest[0]), *(_time(r) for r in rest[1:]))
                for day in _days(word):
                    week[day] = times
        except (ValueError, IndexError):
            do = "Write such as: mon-fri 09:00 12:30; sat 10:00; gap 45; quiet 22:00-07:00; not 2027-01-01"
            raise HandbillError(f"{part!r} is no part of a calendar", do=do) from None
    return Calendar(week=tuple(sorted(week.items())), gap=gap, quiet=tuple(silent), blackouts=tuple(blackouts))


def write_calendar(calendar: Calendar) -> str:
    """A calendar as people write it; ``read_calendar`` reads the same from it."""
    parts: list[str] = []
    week = [(day, calendar.on(day)) for day in range(7)]
    while week:
        first, times = week[0]
        run = next((n for n, (_, t) in enumerate(week) if t != times), len(week))
        week, last = week[run:], first + run - 1
        if times:
            days = "daily" if run == len(DAYS) else DAYS[first] if run == 1 else f"{DAYS[first]}-{DAYS[last]}"
            parts.append(f"{days} {' '.join(t.isoformat('minutes') for t in times)}")
    if calendar.gap:
        parts.append(f"gap {calendar.gap}")
    if calendar.quiet:
        spans = (f"{begin.isoformat('minutes')}-{end.isoformat('minutes')}" for begin, end in calendar.quiet)
        parts.append(f"quiet {' '.join(spans)}")
    parts += [f"not {day.isoformat()}" for day in calendar.blackouts]
    return "; ".join(parts)


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _days(word: str) -> range | list[int]:
    if word == "daily":
        return range(7)
    begin, _, end = word.lower().partition("-")
    first = DAYS.index(begin)
    last = DAYS.index(end) if end else first
    return [d % 7 for d in range(first, last + 1 + (7 if last < first else 0))]


def _span(text: str) -> tuple[time, time]:
    begin, _, end = text.partition("-")
    return _time(begin), _time(end)


def _time(text: str) -> time:
    """A wall time; one with an offset is none."""
    found = time.fromisoformat(text)
    if found.tzinfo is not None:
        raise ValueError
    return found
