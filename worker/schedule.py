"""When a post is due: what a person asked for, in their zone, as an instant (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from worker.errors import HandbillError


@dataclass(frozen=True, slots=True)
class When:
    """A due time: the instant, with the wall time and zone asked for; ``shifted`` if a clock change moved it."""

    instant: datetime
    wall: str
    zone: str
    shifted: bool = False


def zone_of(name: str) -> ZoneInfo:
    """The IANA zone ``name``; raises HandbillError."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise HandbillError(f"{name!r} is no IANA time zone", do="Write one such as Europe/Vienna") from None


def at_wall(wall: datetime, zone: str) -> When:
    """The instant of a wall time: a time that a clock change skips shifts forward by the gap; one that happens
    twice means the first.
    """
    place = zone_of(zone)
    first = wall.replace(tzinfo=place, fold=0)
    instant = first.astimezone(UTC)
    back = instant.astimezone(place)
    shifted = back.replace(tzinfo=None) != wall
    return When(instant, back.strftime("%Y-%m-%d %H:%M"), zone, shifted)


def parse(text: str, *, zone: str, now: datetime) -> When:
    """``now``, an ISO time (with an offset, or a wall time in ``zone``); raises HandbillError."""
    if text == "now":
        return When(now, "", zone)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        do = "Write now, or an ISO time such as 2027-03-28T09:30 or 2027-03-28T09:30+02:00"
        raise HandbillError(f"{text!r} is no time", do=do) from None
    if moment.tzinfo is None:
        when = at_wall(moment, zone)
    else:
        instant = moment.astimezone(UTC)
        when = When(instant, instant.astimezone(zone_of(zone)).strftime("%Y-%m-%d %H:%M"), zone)
    if when.instant < now - timedelta(minutes=1):
        raise HandbillError(f"{text} has passed", why=f"it is {now:%Y-%m-%d %H:%M} UTC", do="Give a later time, or now")
    return when
