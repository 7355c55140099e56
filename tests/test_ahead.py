"""The coming days: computed as the calendar, rates and tokens have them, and rehearsed on stand-ins with faults."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from publishers import load
from publishers.core.post import Receipt
from publishers.core.publisher import Budget
from tests.street import SAMPLE, Street, listening
from tests.test_rehearsal_accounts import REHEARSED
from tests.test_web import Desk
from web.app import create_app
from worker import rehearse
from worker.commands import ahead
from worker.embedded import Embedded
from worker.forecast import foresee, next_free
from worker.model import Calendar, Status, StepKind
from worker.schedule import When

BEGIN = datetime(2026, 11, 2, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Embedded.start(tmp_path_factory.mktemp("ahead")) as running:
        yield running


@pytest.fixture(scope="module")
def here():
    with listening() as now:
        yield now


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(0, 500), min_size=1, max_size=25),
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 90)), min_size=1, max_size=2),
)
def test_no_window_of_the_forecast_holds_more_than_the_platform_takes_and_nothing_is_early(minutes, rates):
    budgets = [Budget(posts=posts, seconds=span * 60) for posts, span in rates]
    sends = []
    for minute in sorted(minutes):
        due = BEGIN + timedelta(minutes=minute)
        sends.append(next_free(due, sends, budgets))
        assert sends[-1] >= due
    for budget in budgets:
        for first in sends:
            assert sum(first <= s < first + timedelta(seconds=budget.seconds) for s in sends) <= budget.posts
    assert all(a <= b for a, b in pairwise(sends))


def plan(street, minutes, platforms, **options):
    at = street.at + timedelta(minutes=minutes)
    article = street.parts.planner.ingest(SAMPLE, workspace="main")

    def due(account, delivery):
        street.parts.records.reserve(account, delivery, at, gap=0)
        return When(at, f"{at.astimezone():%Y-%m-%d %H:%M}", account.zone)

    chosen = [street.accounts[p] for p in platforms]
    return street.parts.planner.plan(article.id, chosen, due=due, again=True, **options)


def test_the_forecast_says_what_goes_when_what_it_costs_and_what_is_in_its_way(server, here, tmp_path):
    street = Street(server, tmp_path, here, ["x", "mastodon", "instagram"])
    parts = street.parts
    (paid,) = plan(street, 60, ["x"])
    (first,) = plan(street, 120, ["mastodon"])
    (second,) = plan(street, 120, ["mastodon"])
    (waits,) = plan(street, 180, ["mastodon"], approve=True)
    (late,) = plan(street, 5 * 1440, ["instagram"])
    ends = street.at + timedelta(days=2)
    account = street.accounts["instagram"]
    parts.records.save_account(
        dataclasses.replace(
            account,
            settings={**account.settings, "refresh_expires_at": ends.isoformat()},
            calendar=Calendar(week=((0, (time(9),)), (1, (time(9),)))),
        ),
        {"access_token": "x"},
    )
    parts.deliveries.pause(f"account:{street.accounts['x'].id}", until=None, why="the card is empty")
    seen = foresee(parts, "main", 7)
    by = {c.delivery: c for c in seen.coming}
    assert seen.coming[0].delivery == paid.id
    price = load("x").price(paid.steps[0].post)
    assert price > 0.2, "X takes money for a post with a link"
    assert by[paid.id].cost == price
    assert seen.cost == pytest.approx(price)
    assert by[paid.id].warnings == ("paused: the card is empty",)
    assert by[first.id].warnings == ("1 more of this account is due within 1 min",)
    assert by[first.id].at == first.due
    assert by[waits.id].at is None
    assert by[waits.id].warnings[0] == "it is awaiting approval: it does not go out by itself"
    assert "connect it again" in by[late.id].warnings[0]
    assert seen.ending == {account.id: ends}
    assert second.id in by
    assert seen.empty[account.id][0].isoformat() == "2026-11-02"

    desk = Desk.__new__(Desk)
    desk.parts, desk.app = parts, create_app(parts)
    page = desk.page("/forecast?days=7").text
    for line in ("Paused: the card is empty.", "does not go out by itself", "$0.20"):
        assert line in page
    told = desk.get("/api/v1/forecast/posts?days=7", token=desk.token()).json()
    assert [p["delivery"] for p in told["posts"]] == [c.delivery for c in seen.coming]


def test_a_forecast_of_nothing_says_so_in_a_line_and_counts_no_days(server, here, tmp_path, monkeypatch):
    def told():
        return CliRunner().invoke(app, ["forecast"], catch_exceptions=False).stdout

    street = Street(server, tmp_path, here, ["mastodon", "bluesky"])
    monkeypatch.setattr(ahead, "parts", lambda: contextlib.nullcontext(street.parts))
    app = typer.Typer()
    ahead.add_to(app)
    assert told() == "Nothing is planned for the next 7 days\n"
    plan(street, 60, ["mastodon"])
    assert "\nbluesky-me posts nothing\n" in told()
    assert "\nmastodon-me posts nothing on 2026-11-03, " in told()


def test_a_clock_change_in_the_coming_days_is_foreseen(server, here, tmp_path):
    street = Street(server, tmp_path, here, ["mastodon"])
    street.at = datetime(2027, 3, 25, 8, tzinfo=UTC)
    seen = foresee(street.parts, "main", 7)
    assert {z: {str(d): m for d, m in c.items()} for z, c in seen.clocks.items()} == {
        "Europe/Vienna": {"2027-03-28": 60}
    }


def test_a_rehearsal_sends_the_plan_to_stand_ins_with_faults_and_changes_nothing(server, here, tmp_path):
    street = Street(server, tmp_path, here, ["mastodon", "bluesky", "outbox"])
    for number in range(3):
        plan(street, 60 + 700 * number, ["mastodon", "bluesky"])
    plan(street, 90, ["outbox"], approve=True)
    plan(street, 20 * 1440, ["mastodon"])
    before = {k: street.parts.store.client.dump(k) for k in street.parts.store.client.keys("*")}
    report = rehearse.rehearse(street.parts, "main", days=7, ratio=0.5, seed=3)
    assert {k: street.parts.store.client.dump(k) for k in street.parts.store.client.keys("*")} == before
    assert street.got("mastodon") == street.got("bluesky") == [], "not even to the house's own stand-ins"
    assert len(report.posts) == 7
    assert {p.status for p in report.posts} == {Status.PUBLISHED}, [
        (p.account, p.status, p.notes[-3:]) for p in report.posts if p.status != "published"
    ]
    assert {p.seen for p in report.posts} == {1}
    assert (report.doubles, report.lost) == (0, 0)
    assert sum(report.faults.values()) > 3, "half of the commits go wrong"
    assert all(p.sent >= p.due for p in report.posts)
    assert sum(p.approval for p in report.posts) == 1
    again = rehearse.rehearse(street.parts, "main", days=1, ratio=0.0)
    assert not again.faults
    assert max(p.late for p in again.posts) < timedelta(seconds=5)
    assert json.dumps(sorted(again.left_out)) == "[]"


@pytest.mark.parametrize("ratio", [0.0, 0.4])
def test_a_rehearsed_week_passes_on_the_stand_ins_too_and_accounts_that_say_the_same_are_no_double(
    server, here, tmp_path, ratio
):
    names = ["x", "reddit", "mastodon", "linkedin", "telegram"]
    street = Street(server, tmp_path, here, names)
    for number in range(3):
        plan(street, 60 + 2500 * number, [n for n in names if number == 0 or n != "reddit"])  # it takes a link once
    report = rehearse.rehearse(street.parts, "main", days=7, ratio=ratio, seed=2)
    assert (len(report.posts), report.doubles, report.lost, dict(report.left_out)) == (13, 0, 0, {})
    unsure = {p.account.split("-")[0] for p in report.posts if p.status is not Status.PUBLISHED}
    assert unsure <= ({"main.linkedin", "main.telegram"} if ratio else set()), "only class C waits for a person"


def stands_once(report):
    wrong = [(p.account, p.status, p.seen, p.notes) for p in report.posts if (p.status, p.seen) != ("published", 1)]
    assert (wrong, report.doubles, report.lost, report.strays, dict(report.left_out)) == ([], 0, 0, 0, {})


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise asks for it as it is imported
def test_with_no_faults_every_post_of_every_platform_is_published_and_seen_once_and_a_double_or_a_loss_is_found(
    server, here, tmp_path, monkeypatch
):
    names = [*REHEARSED, "outbox"]
    street = Street(server, tmp_path, here, [])
    street.at = datetime.now(UTC)  # a webhook's stand-in takes nothing that was signed at another time
    street.accounts = {p: street.connect(p) for p in names}
    posts = plan(street, 60, names)
    assert len(posts) == len(names)
    assert sum(bool(d.steps[0].post.media) for d in posts) > len(names) / 2, "the article has a picture"
    assert sum("#" in d.steps[0].post.text for d in posts) > len(names) / 2, "and tags"
    looked = []
    count = rehearse.sightings
    monkeypatch.setattr(rehearse, "sightings", lambda sent, seen: looked.append((sent, seen)) or count(sent, seen))
    report = rehearse.rehearse(street.parts, "main", days=2, ratio=0.0)
    assert len(report.posts) == len(posts)
    stands_once(report)
    ((sent, seen),) = looked
    once = dict.fromkeys((d.id for d in sent), 1)
    assert len(seen) == len(sent)
    for sight in seen:
        (theirs,) = (d.id for d in sent if d.account == f"main.{sight.account}" and sight.platform in {d.platform, ""})
        others = [s for s in seen if s != sight]
        assert count(sent, others) == (once | {theirs: 0}, 0), f"a loss on {sight.platform}"
        again = dataclasses.replace(sight, id="another", permalink="", key="")
        assert count(sent, [again, *seen]) == (once | {theirs: 2}, 0), f"a double on {sight.platform}"
        assert count(sent, [*seen, dataclasses.replace(again, text="What is this?")]) == (once, 1)


def test_what_is_unconfirmed_is_not_late_costs_nothing_more_and_stands_in_nobodys_way(
    server, here, tmp_path, monkeypatch
):
    street = Street(server, tmp_path, here, ["x"])
    parts = street.parts
    (unsure,) = plan(street, -50, ["x"])
    (edited,) = plan(street, -40, ["x"])
    (paid,) = plan(street, -30, ["x"])
    (coming,) = plan(street, 60, ["x"])
    step = dataclasses.replace(edited.steps[0], receipt=Receipt(id="7"), at=street.at)
    edit = dataclasses.replace(edited.steps[0], kind=StepKind.EDIT, key="e" * 40)
    now = {
        unsure.id: dataclasses.replace(unsure, status=Status.UNCONFIRMED),
        edited.id: dataclasses.replace(edited, steps=(step, edit), step=1),
    }
    several = parts.deliveries.several
    monkeypatch.setattr(parts.deliveries, "several", lambda ids: [now.get(d.id, d) for d in several(ids)])
    seen = foresee(parts, "main", 7)
    by = {c.delivery: c for c in seen.coming}
    price = load("x").price(paid.steps[0].post)
    assert by[unsure.id].note == "it was sent and no answer came: it is looked for before anything is sent again"
    assert by[edited.id].note == "it is public; this is a change of it"
    assert by[unsure.id].warnings == by[edited.id].warnings == ()
    assert by[paid.id].warnings == ("it is late",)
    assert by[coming.id].warnings == ()
    assert (by[unsure.id].cost, by[edited.id].cost, by[paid.id].cost) == (0, 0, price)
    assert seen.cost == pytest.approx(2 * price)
    assert {c.delivery for c in seen.warned} == {paid.id}
    desk = Desk.__new__(Desk)
    desk.parts, desk.app = parts, create_app(parts)
    page = desk.page("/forecast?days=7").text
    assert "something is in the way of 1<" in page
    assert "It is public; this is a change of it." in page
