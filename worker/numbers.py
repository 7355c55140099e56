"""What readers did with posts, and what can honestly be said about it: few posts say little, and it says so (pure)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

NAMES = ("likes", "shares", "replies", "views", "clicks")
ENGAGED = ("likes", "shares", "replies", "clicks")

LADDER = tuple(timedelta(hours=h) for h in (1, 3, 8, 24, 72, 168, 336, 720, 2160))
"""How old a post is when its numbers are asked for: ever less often, for three months."""

RIPE = timedelta(hours=72)
"""The age at which posts are compared; most of what readers will ever do they have done by then."""

EXACT_MOST = 40
"""Posts up to which chances are counted out; beyond, the normal law is as good."""

LIKELY = 0.05
"""What comes about by chance less often than this counts as a difference."""

PRIOR = 5
"""Posts that an hour's own average must outweigh: an hour with one lucky post is no best time."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What readers had done ``minutes`` after a post went out; None where the platform does not say."""

    minutes: int
    likes: int | None = None
    shares: int | None = None
    replies: int | None = None
    views: int | None = None
    clicks: int | None = None

    @property
    def engaged(self) -> int:
        """Everything that a reader did on purpose."""
        return sum(getattr(self, name) or 0 for name in ENGAGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A post as it is compared: where and when it went out (``hour`` and ``weekday`` of the account's wall), what it
    was made of (``design`` of its picture, empty without one), and what readers did in the first three days.
    """

    delivery: str
    article: str
    account: str
    platform: str
    sent: datetime
    weekday: int
    hour: int
    hashtags: tuple[str, ...]
    design: str
    variant: int
    evergreen: bool
    sample: Sample
    ripe: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Posts that have something in common: how many, their mean and median, and where the mean lies with 95 %."""

    name: str
    count: int
    mean: float
    median: float
    low: float
    high: float
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether one kind of post does better than another; ``p`` is how often chance alone would make it seem so."""

    better: str
    p: float
    sure: bool
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """An hour of the day: its posts, what one may expect of the next, and where that lies with 95 %."""

    hour: int
    count: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BestTime:
    """The hour that did best, and whether that is more than chance; None without posts."""

    hour: int | None
    hours: tuple[Hour, ...]
    verdict: Verdict | None


def following(age: timedelta) -> timedelta | None:
    """The age at which a post's numbers are asked for next; None if that is over."""
    return next((step for step in LADDER if step > age), None)


def ripe_sample(samples: Sequence[Sample]) -> tuple[Sample, bool] | None:
    """The sample by which a post is compared: the first of three days on, else the newest; and whether it is ripe."""
    if not samples:
        return None
    minutes = RIPE.total_seconds() / 60
    grown = next((s for s in samples if s.minutes >= minutes), None)
    return (grown, True) if grown else (samples[-1], False)


def carried(samples: Sequence[Sample], new: Sample) -> Sample:
    """``new`` with what was told before where nobody tells it now: a service that is away takes no clicks back."""
    last = samples[-1] if samples else None
    kept = {n: getattr(last, n) for n in NAMES if last is not None and getattr(new, n) is None}
    return replace(new, **kept)


def thinned(samples: Sequence[Sample], new: Sample) -> list[Sample]:
    """The samples with a new one; one that says what the one before said takes its place, so little is stored."""
    kept = [*samples]
    if kept and all(getattr(kept[-1], n) == getattr(new, n) for n in NAMES) and len(kept) > 1:
        kept.pop()
    return [*kept, new]


def groups(posts: Iterable[Told], key: Callable[[Told], Iterable[str]]) -> list[Group]:
    """The posts by what ``key`` says of each, the best mean first."""
    found: dict[str, list[int]] = defaultdict(list)
    for post in posts:
        for name in key(post):
            found[name].append(post.sample.engaged)
    made = []
    for name, values in found.items():
        low, high = interval(values)
        made.append(
            Group(
                name=name, count=len(values), mean=sum(values) / len(values), median=median(values), low=low, high=high,
                total=sum(values),
            )
        )  # fmt: skip
    return sorted(made, key=lambda g: (-g.mean, g.name))


SHOWN = 12
NO_PICTURE = "no picture"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of a plot: its length, and where its whisker begins and ends, in percent of the plot."""

    name: str
    count: int
    mean: float
    length: float
    low: float
    high: float
    said: str


def bars(made: Sequence[Group], most: int = SHOWN) -> list[Bar]:
    """The groups as bars; a whisker is where the mean lies with 95 %, cut off where one post says nothing."""
    shown = list(made[:most])
    ends = [g.high if math.isfinite(g.high) else g.mean for g in shown]
    longest = max([*ends, 1.0])
    found = []
    for group, end in zip(shown, ends, strict=True):
        sure = "one post says nothing" if group.count == 1 else f"95 %: {group.low:.1f} to {group.high:.1f}"
        found.append(
            Bar(
                name=group.name,
                count=group.count,
                mean=group.mean,
                length=100 * group.mean / longest,
                low=100 * (group.low if group.count > 1 else group.mean) / longest,
                high=100 * end / longest,
                said=sure,
            )
        )
    return found


def median(values: Sequence[float]) -> float:
    """The middle one."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Where the mean lies with 95 %, by Student's t; all there is with one post, and never below 0."""
    count = len(values)
    mean = sum(values) / count
    if count == 1:
        return 0.0, math.inf
    spread = math.sqrt(sum((v - mean) ** 2 for v in values) / (count - 1))
    reach = student(count - 1) * spread / math.sqrt(count)
    return max(0.0, mean - reach), mean + reach


def student(freedom: int) -> float:
    """The 97.5 % point of Student's t, found by halving: few know it by heart."""
    low, high = 1.9, 13.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_below(middle, freedom) < 0.975 else (low, middle)
    return (low + high) / 2


def _t_below(t: float, freedom: int) -> float:
    """The share of Student's t below ``t`` > 0, by its finite sums (Abramowitz and Stegun 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(freedom))
    cos, sin = math.cos(angle), math.sin(angle)
    term = total = cos if freedom % 2 else 1.0
    for k in range(3 if freedom % 2 else 2, freedom - 1, 2):
        term *= (k - 1) / k * cos * cos
        total += term
    if freedom % 2:
        inner = angle + (sin * total if freedom > 1 else 0.0)
        return 0.5 + inner / math.pi
    return 0.5 + sin * total / 2


def rank_test(one: Sequence[float], other: Sequence[float]) -> float:
    """How often chance alone would set two lots of posts so far apart: Mann and Whitney's test by ranks, two-sided.

    Each post is one observation whatever its numbers: a single post with a thousand likes proves nothing. Counted out
    exactly, ties and all, for few posts; 1 if either lot is empty.
    """
    n, m = len(one), len(other)
    if not n or not m:
        return 1.0
    ranks = _doubled_ranks([*one, *other])
    seen, middle = sum(ranks[:n]), n * (n + m + 1)
    if n + m <= EXACT_MOST:
        ways = _ways(ranks, n)
        far = sum(count for total, count in ways.items() if abs(total - middle) >= abs(seen - middle))
        return far / math.comb(n + m, n)
    ties: dict[int, int] = defaultdict(int)
    for rank in ranks:
        ties[rank] += 1
    total = n + m
    drop = sum(t**3 - t for t in ties.values()) / (total * (total - 1))
    variance = n * m / 12 * (total + 1 - drop)
    if variance <= 0:
        return 1.0
    z = (abs(seen - middle) / 2 - 0.5) / math.sqrt(variance)
    return min(1.0, math.erfc(max(z, 0.0) / math.sqrt(2)))


def _doubled_ranks(values: Sequence[float]) -> list[int]:
    """Twice the rank of each value, so that the mean rank of ties is whole."""
    ordered = sorted(values)
    first: dict[float, int] = {}
    count: dict[float, int] = defaultdict(int)
    for place, value in enumerate(ordered, 1):
        first.setdefault(value, place)
        count[value] += 1
    return [2 * first[v] + count[v] - 1 for v in values]


def _ways(ranks: Sequence[int], chosen: int) -> Mapping[int, int]:
    """In how many ways ``chosen`` of the ranks have each sum."""
    table: list[dict[int, int]] = [{0: 1}, *({} for _ in range(chosen))]
    for rank in ranks:
        for k in range(chosen, 0, -1):
            for total, count in table[k - 1].items():
                table[k][total + rank] = table[k].get(total + rank, 0) + count
    return table[chosen]


def compare(name: str, one: Sequence[float], other_name: str, other: Sequence[float], tests: int = 1) -> Verdict:
    """Which of two kinds of post does better, in words that say how sure that is; ``tests`` is how many pairs are
    looked at together, for each of which chance has its turn (Bonferroni).
    """
    p = min(1.0, rank_test(one, other) * tests)
    fewest = 1 / math.comb(len(one) + len(other), len(one)) * 2 * tests if one and other else 1.0
    better = name if _mean(one) >= _mean(other) else other_name
    worse = other_name if better == name else name
    if fewest > LIKELY:
        said = f"{len(one)} and {len(other)} posts are too few to tell, whatever their numbers"
    elif p < LIKELY:
        said = f"{better} does better than {worse}: chance alone would do that {_often(p)}"
    else:
        said = f"no difference that chance would not make as well ({_often(p)})"
    return Verdict(better=better, p=p, sure=p < LIKELY, words=said)


def best_time(posts: Sequence[Told]) -> BestTime:
    """What one may expect of each hour: its own mean, drawn towards that of all while it has few posts."""
    if not posts:
        return BestTime(hour=None, hours=(), verdict=None)
    values = [p.sample.engaged for p in posts]
    overall = _mean(values)
    spread = sum((v - overall) ** 2 for v in values) / max(1, len(values) - 1)
    by: dict[int, list[float]] = defaultdict(list)
    for post in posts:
        by[post.hour].append(post.sample.engaged)
    hours = []
    for hour, own in sorted(by.items()):
        weight = len(own) + PRIOR
        mean = (sum(own) + PRIOR * overall) / weight
        reach = 1.96 * math.sqrt(spread / weight)
        hours.append(Hour(hour=hour, count=len(own), mean=mean, low=max(0.0, mean - reach), high=mean + reach))
    best = max(hours, key=lambda h: h.mean)
    rest = [p.sample.engaged for p in posts if p.hour != best.hour]
    verdict = compare(f"{best.hour:02}:00", by[best.hour], "the other hours", rest, tests=len(hours)) if rest else None
    return BestTime(hour=best.hour, hours=tuple(hours), verdict=verdict)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _often(p: float) -> str:
    if p >= 0.995:
        return "every time"
    return f"{max(1, round(p * 100))} times in 100" if p >= 0.01 else "less than once in 100 times"
