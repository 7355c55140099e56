"""Due times: walls, zones, clock changes, slots."""

from __future__ import annotations

import functools
import zoneinfo
from datetime import UTC, date, datetime, time, timedelta

import pytest

from worker.errors import HandbillError
from worker.model import Calendar
from worker.schedule import at_wall, parse, quiet, read_calendar, slots, write_calendar

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@functools.cache
def changes(zone):
    """Every clock change of a zone from 2024 to 2037: the instant, and the offsets before and after (seconds)."""
    place = zoneinfo.ZoneInfo(zone)

    def offset(moment):
        return int(moment.astimezone(place).utcoffset().total_seconds())

    found = []
    step = timedelta(days=7)
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    while moment.year < 2038:
        if offset(moment) != offset(moment + step):
            low, high = moment, moment + step
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) / 2
                low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
            high = high.replace(microsecond=0)
            found.append((high, offset(low), offset(high)))
        moment += step
    return found


ZONES = sorted(z for z in zoneinfo.available_timezones() if z not in {"localtime", "Factory"})


@pytest.mark.parametrize("part", range(8))
def test_every_clock_change_of_every_zone_until_2037(part):
    seen = 0
    for zone in ZONES[part::8]:
        for instant, before, after in changes(zone):
            seen += 1
            edge = (instant + timedelta(seconds=before)).replace(tzinfo=None)
            if after > before:
                skipped = edge + timedelta(seconds=(after - before) / 2)
                when = at_wall(skipped, zone)
                assert when.shifted, (zone, instant)
                assert when.instant == instant + timedelta(seconds=(after - before) / 2), (zone, instant)
            else:
                twice = edge - timedelta(seconds=(before - after) / 2)
                when = at_wall(twice, zone)
                assert not when.shifted, (zone, instant)
                assert when.instant == instant - timedelta(seconds=(before - after) / 2), (zone, instant)
    assert seen > 100


@pytest.mark.parametrize(
    ("wall", "instant", "shown", "shifted"),
    [
        ("2027-03-28T02:30", "2027-03-28T01:30", "2027-03-28 03:30", True),
        ("2027-10-31T02:30", "2027-10-31T00:30", "2027-10-31 02:30", False),
        ("2027-07-01T09:00", "2027-07-01T07:00", "2027-07-01 09:00", False),
    ],
)
def test_a_skipped_hour_shifts_forward_and_a_double_hour_means_the_first(wall, instant, shown, shifted):
    when = parse(wall, zone="Europe/Vienna", now=NOW)

    assert (when.instant, when.wall, when.shifted) == (datetime.fromisoformat(instant + "+00:00"), shown, shifted)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tomorrow", "is no time"),
        ("2026-11-24T11:00", "has passed"),
        ("2027-02-30T10:00", "is no time"),
        ("0001-01-01T00:00", "is no time|has passed"),
        ("9999-12-31T23:59-12:00", "is no time"),
        ("9999-12-31T23:59", "is no time"),
    ],
)
def test_a_time_that_cannot_be_is_refused_in_one_line(text, words):
    with pytest.raises(HandbillError, match=words):
        parse(text, zone="UTC", now=NOW)


def test_a_zone_that_does_not_exist_is_refused():
    with pytest.raises(HandbillError, match="'Mars/Base' is no IANA time zone"):
        parse("2027-01-01T10:00", zone="Mars/Base", now=NOW)


def first(calendar, *, zone="Europe/Vienna", after=NOW, taken=(), most=3):
    found = []
    for when in slots(calendar, zone=zone, after=after, taken=taken):
        found.append(when.wall)
        if len(found) == most:
            break
    return found


def test_slots_come_in_order_in_the_accounts_zone():
    calendar = read_calendar("mon-fri 12:30 09:00; sat 10:00")

    assert first(calendar, most=4, after=datetime(2026, 11, 27, 10, tzinfo=UTC)) == [
        "2026-11-27 12:30", "2026-11-28 10:00", "2026-11-30 09:00", "2026-11-30 12:30",
    ]  # fmt: skip


def test_a_slot_keeps_the_gap_from_what_is_taken():
    calendar = read_calendar("daily 14:00 14:30 15:00; gap 45")
    taken = [datetime(2026, 11, 24, 13, 0, tzinfo=UTC)]

    assert first(calendar, taken=taken, most=1) == ["2026-11-24 15:00"]


def test_no_slot_falls_into_quiet_hours_or_on_a_blackout_date():
    calendar = read_calendar("daily 06:00 23:00 14:00; quiet 22:00-07:00; not 2026-11-25")

    assert first(calendar, most=2) == ["2026-11-24 14:00", "2026-11-26 14:00"]


def test_a_slot_that_a_clock_change_moves_onto_another_is_used_once():
    calendar = read_calendar("sun 02:30 03:30")
    after = datetime(2027, 3, 27, 22, tzinfo=UTC)

    assert first(calendar, after=after, most=2) == ["2027-03-28 03:30", "2027-04-04 02:30"]


def test_an_account_without_slots_has_none():
    assert list(slots(Calendar(week=()), zone="UTC", after=NOW)) == []


@pytest.mark.parametrize(("wall", "is_quiet"), [("21:59", False), ("22:00", True), ("03:00", True), ("07:00", False)])
def test_quiet_hours_run_over_midnight(wall, is_quiet):
    calendar = Calendar(quiet=((time(22), time(7)),))
    instant = datetime.combine(date(2026, 11, 24), time.fromisoformat(wall), UTC)

    assert quiet(calendar, instant, "UTC") is is_quiet


@pytest.mark.parametrize(
    "text",
    [
        "mon 25:00",
        "moon 09:00",
        "gap",
        "gap -5",
        "gap 99999999999",
        "quiet 22:00",
        "not tomorrow",
        "daily",
        "daily 09:00+02:00",
        "quiet 22:00Z-07:00",
    ],
)
def test_a_calendar_that_cannot_be_read_says_which_part(text):
    with pytest.raises(HandbillError, match="is no part of a calendar"):
        read_calendar(text)


@pytest.mark.parametrize(
    "text",
    [
        "mon-fri 09:00 12:30; sat 10:00; gap 45; quiet 22:00-07:00; not 2027-01-01",
        "daily 09:00 13:00 17:00",
        "wed 08:00",
        "mon 08:00; wed 08:00; sat-sun 11:15",
        "gap 10",
        "",
    ],
)
def test_a_calendar_is_written_as_it_is_read(text):
    assert write_calendar(read_calendar(text)) == text
