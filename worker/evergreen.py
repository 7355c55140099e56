"""Which older article may be shared again, on which account and in which words: rules and their choice (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlsplit

import publishers
from worker.content.likeness import likeness
from worker.content.likeness import near as nearly
from worker.errors import HandbillError
from worker.model import DEFAULT_WORKSPACE, Account, Article, Delivery, Status

WINDOW_MOST = 365
"""Days over which texts of an account are compared at most, and as long as its calendar remembers them."""

PUBLIC = frozenset({Status.PUBLISHED, Status.EDITED})
OVER = frozenset({Status.PUBLISHED, Status.EDITED, Status.CANCELLED, Status.SKIPPED, Status.DELETED, Status.FAILED})
"""Where a share has come to its end; while one has not, its article waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When articles of ``source`` (a host such as ``example.org``; "" = any) go out again on ``account`` ("" = each).

    An article is shared again ``after`` days, then at most every ``every`` days and ``times`` times, while it is not
    older than ``oldest`` days (0 = ever so old); an account gets at most ``weekly`` of them in any seven days. No text
    is nearly that of another on the account within ``window`` days. ``season`` is spans of days such as
    ``11-15/01-06``, none = all year; after ``until`` the rule has ended.
    """

    name: str
    workspace: str = DEFAULT_WORKSPACE
    source: str = ""
    account: str = ""
    after: int = 30
    every: int = 60
    times: int = 3
    weekly: int = 3
    oldest: int = 365
    window: int = 90
    season: tuple[str, ...] = ()
    until: date | None = None
    active: bool = True

    def covers(self, article: Article) -> bool:
        """Whether the article is of the rule's source."""
        host = (urlsplit(article.url).hostname or "").removeprefix("www.")
        return article.linkable and self.source in {"", host}

    def in_season(self, day: date) -> bool:
        """Whether the rule plans anything for that day."""
        if self.until is not None and day > self.until:
            return False
        return not self.season or any(_within(day, span) for span in self.season)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One time an article went out on an account, or was to."""

    at: datetime
    status: Status
    text: str
    pictures: tuple[str, ...]
    evergreen: str


def checked(rule: Rule) -> Rule:
    """The rule as it is kept; raises HandbillError naming what cannot be."""
    bounds = {"after": (1, 3650), "every": (1, 3650), "times": (1, 50), "weekly": (1, 100), "oldest": (0, 36_500)}
    for name, (least, most) in (bounds | {"window": (1, WINDOW_MOST)}).items():
        if not least <= getattr(rule, name) <= most:
            raise HandbillError(f"{name} cannot be {getattr(rule, name)}", do=f"Give {least} to {most}")
    if not rule.name or not all(c.isalnum() or c in "-_" for c in rule.name) or len(rule.name) > 40:
        raise HandbillError(f"{rule.name!r} is no name for a rule", do="Use letters, digits and -")
    for span in rule.season:
        try:
            _within(date(2028, 1, 1), span)
        except ValueError:
            raise HandbillError(f"{span!r} is no season", do="Write it as 11-15/01-06, month and day") from None
    return rule


def _within(day: date, span: str) -> bool:
    """Whether a day lies in a span such as ``11-15/01-06``, which may run over the new year."""
    first, _, last = span.partition("/")
    begin, end = (_month_day(text) for text in (first, last))
    now = (day.month, day.day)
    return begin <= now <= end if begin <= end else now >= begin or now <= end


def _month_day(text: str) -> tuple[int, int]:
    month, _, day = text.strip().partition("-")
    found = date(2028, int(month), int(day))  # a leap year, so that 02-29 is a day
    return found.month, found.day


def share_of(delivery: Delivery) -> Share:
    """A delivery as rules see it."""
    first = delivery.steps[0]
    return Share(
        at=first.at or delivery.due,
        status=delivery.status,
        text=first.post.text,
        pictures=tuple(m.sha256 for m in first.post.media),
        evergreen=delivery.evergreen,
    )


def objection(  # noqa: PLR0911 - one for each reason
    rule: Rule, article: Article, shares: Sequence[Share], *, now: datetime, stopped: str = ""
) -> str:
    """Why the article is not shared again on an account now, where ``shares`` are all it had there; empty if it is."""
    public = [s for s in shares if s.status in PUBLIC]
    if stopped:
        return stopped
    if not public:
        return "it was not shared there yet"
    if any(s.status not in OVER for s in shares):
        return "a share of it is on its way"
    born = article.published_at or min(s.at for s in public)
    if rule.oldest and now - born > timedelta(days=rule.oldest):
        return f"it is older than {rule.oldest} days"
    again = [s for s in shares if s.evergreen]
    if len(again) >= rule.times:
        return f"it was shared again {rule.times} times"
    pause = rule.every if again else rule.after
    last = max(s.at for s in [*public, *again])
    if now - last < timedelta(days=pause):
        return f"it was shared less than {pause} days ago"
    return ""


def window_of(rule: Rule, account: Account) -> timedelta | None:
    """How long texts on the account must differ, by the rule and by the platform; None if it takes an article once."""
    own = publishers.load(account.platform).reshares
    return None if own is None else max(timedelta(days=rule.window), own)


def fresh(text: str, others: Iterable[str], tag: str) -> bool:
    """Whether a text, in the language of ``tag``, is nearly none of ``others``."""
    return not any(nearly(text, other, tag) for other in others)


def choose(options: Sequence[str], lately: Collection[str], before: Collection[str], tag: str) -> int | None:
    """Which of several texts, in the language of ``tag``, to send: nearly none of those the account had ``lately``, and
    the least like what was said ``before`` of the article; None if there is none.
    """
    usable = [n for n, text in enumerate(options) if fresh(text, lately, tag)]
    said = {n: max((likeness(options[n], b, tag) for b in before), default=0.0) for n in usable}
    return min(usable, key=lambda n: (said[n], n), default=None)


def room(rule: Rule, others: Iterable[Share], at: datetime) -> bool:
    """Whether one more share of an older article at ``at`` stays within ``weekly`` in any seven days."""
    span = timedelta(days=7)
    near = sorted(s.at for s in others if s.evergreen and abs(s.at - at) < span)
    begins = [*(t for t in near if t <= at), at]
    return all(sum(begin <= t < begin + span for t in near) < rule.weekly for begin in begins)
