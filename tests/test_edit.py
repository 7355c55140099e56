"""Moving, editing and approving what has not gone out, against a real server: what is refused, and what it voids."""

from __future__ import annotations

import dataclasses
import re
import time as time_module
from datetime import UTC, date, datetime, time, timedelta

import pytest

from publishers.core.limits import Limits
from publishers.core.post import Media, Post
from tests.newsroom import runtime
from worker import approval, decisions, lifecycle, schedule
from worker.errors import HandbillError, NotFound, Refused
from worker.model import Account, Article, Calendar, Content, Delivery, Sentence, Status, Step, StepKind, step_key
from worker.pipeline import edit
from worker.pipeline.edit import Edit
from worker.store import keys, open_store
from worker.store.deliveries import End
from worker.store.redis import LUA

S = Status
PICTURE = Media(path="/p.jpg", sha256="0" * 64, mime="image/jpeg", width=1200, height=630, size=9, alt="A gate")
STRICT = Calendar(gap=60, quiet=((time(22), time(7)),), blackouts=(date(2030, 5, 1),))
TOWN = "America/New_York"


class Desk:
    def __init__(self, server, folder):
        self.parts = runtime(server, folder)
        self.parts.store.client.flushdb()
        self.article = Article(id="main.a", url="https://larkhaven.example/gates", title="Gates close", text="Gates.")
        content = Content(
            short="s", medium="m", long="l", sentences=(Sentence(text="Gates.", source_offset=0),), hashtags=(), alt=""
        )
        self.parts.records.save_article(self.article, content)

    def account(self, platform="mastodon", **fields):
        found = Account(id=f"main.{platform}", platform=platform, name=platform, zone=TOWN, **fields)
        self.parts.records.save_account(found, {})
        return found

    def plan(self, number, wall, *, to=S.SCHEDULED, platform="mastodon", text="Hello", media=(PICTURE,)):
        when = schedule.at_wall(datetime.fromisoformat(wall), TOWN)
        name = f"main.{number:020x}"
        step = Step(
            kind=StepKind.POST,
            ordinal=0,
            key=step_key(name, StepKind.POST, 0, 1),
            post=Post(text=text, media=media, link="https://larkhaven.example/gates"),
        )
        self.parts.deliveries.create(
            Delivery(
                id=name, article="main.a", account=f"main.{platform}", platform=platform, status=to, due=when.instant,
                wall=when.wall, zone=when.zone, steps=(step,),
            ),
            note="planned",
        )  # fmt: skip
        self.parts.records.link_delivery("main.a", name)
        self.parts.records.reserve(self.parts.records.account(f"main.{platform}"), name, when.instant, gap=0)
        return name

    def get(self, name):
        return self.parts.deliveries.get(name)

    def last(self, name):
        return self.parts.deliveries.history(name)[-1].note

    def attempt(self, name):
        """A worker has begun."""
        self.parts.deliveries.change(name, S.SCHEDULED, origins=[S.SCHEDULED], note="", due=self.parts.now())
        return self.parts.deliveries.begin(name, lease=60, stale=3600)


@pytest.fixture
def desk(server, tmp_path):
    desk = Desk(server, tmp_path)
    yield desk
    desk.parts.close()


def at(text, zone=TOWN):
    return schedule.at_wall(datetime.fromisoformat(text), zone)


# Moving


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ("2030-04-01T23:15", "23:15 is in the quiet hours, 22:00 to 07:00"),
        ("2030-05-01T12:00", "2030-05-01 is a day without posts"),
        ("2030-04-02T12:59", "another post is due at 12:00, and 60 minutes lie between two"),
        ("2020-04-02T12:59", "2020-04-02 12:59 has passed"),
    ],
)
def test_a_move_is_refused_with_the_reason_and_changes_nothing(desk, to, why):
    desk.account(calendar=STRICT)
    moved, _ = desk.plan(1, "2030-04-01T09:00"), desk.plan(2, "2030-04-02T12:00")
    before = desk.get(moved)

    with pytest.raises(Refused, match=why):
        edit.move(desk.parts, moved, at(to))

    assert desk.get(moved) == before
    taken = desk.parts.records.taken(
        desk.parts.records.account("main.mastodon"), since=datetime(2029, 1, 1, tzinfo=UTC)
    )
    assert taken[moved] == before.due


def test_a_platforms_rate_forbids_what_would_pass_it_in_any_window():
    rate = dataclasses.make_dataclass("Rate", ["posts", "seconds"])(2, 3600)
    taken = [at("2030-04-01T09:00").instant, at("2030-04-01T09:50").instant]
    now = datetime(2030, 1, 1, tzinfo=UTC)

    def ask(wall):
        return schedule.forbidden(Calendar(), at(wall), now=now, taken=taken, rates=[rate])

    assert ask("2030-04-01T09:55") == ["the platform takes 2 in an hour, and so many are planned"]
    assert ask("2030-04-01T09:30") == ["the platform takes 2 in an hour, and so many are planned"]
    assert ask("2030-04-01T10:00") == []
    assert ask("2030-04-01T08:00") == []


def test_a_planned_post_may_go_out_now_although_now_has_passed_when_it_is_looked_at(desk):
    desk.account(calendar=STRICT)
    moved = desk.plan(1, "2030-04-01T09:00")
    edit.move(desk.parts, moved, schedule.parse("now", zone=TOWN, now=desk.parts.now() - timedelta(seconds=1)))
    found = desk.get(moved)
    assert (found.status, found.wall) == (S.SCHEDULED, "")
    assert found.due < desk.parts.now()
    assert desk.last(moved) == "moved to now"


def test_a_moved_post_keeps_wall_time_and_zone_and_its_keys(desk):
    desk.account(calendar=STRICT)
    name = desk.plan(1, "2030-04-01T09:00")
    before = desk.get(name)

    edit.move(desk.parts, name, at("2030-04-03T10:00"), by="Ada")

    found = desk.get(name)
    assert (found.wall, found.zone, found.status) == ("2030-04-03 10:00", TOWN, S.SCHEDULED)
    assert found.due == datetime(2030, 4, 3, 14, 0, tzinfo=UTC)
    assert desk.parts.deliveries.next_look(name) == found.due
    assert [s.key for s in found.steps] == [s.key for s in before.steps]
    assert desk.last(name) == f"moved to 2030-04-03 10:00 {TOWN} by Ada"
    days = [datetime(2030, 4, d, tzinfo=UTC) for d in (1, 2, 3, 4)]
    assert [n for n, _ in desk.parts.deliveries.planned("main", days, most=5)] == [0, 0, 1]


def test_a_wall_time_that_a_clock_change_skips_or_repeats_is_said():
    assert schedule.note(datetime.fromisoformat("2030-03-10T02:30"), TOWN) == (
        f"Clocks skip 02:30 on this day in {TOWN}: it goes out at 03:30."
    )
    assert schedule.note(datetime.fromisoformat("2030-11-03T01:30"), TOWN) == (
        f"01:30 happens twice on this day in {TOWN}: it goes out the first time."
    )
    assert schedule.note(datetime.fromisoformat("2030-11-03T03:30"), TOWN) == ""
    assert schedule.changes(TOWN, date(2030, 1, 1), date(2031, 1, 1)) == {date(2030, 3, 10): 60, date(2030, 11, 3): -60}
    assert schedule.changes("Asia/Kolkata", date(2030, 1, 1), date(2031, 1, 1)) == {}


def test_nothing_is_moved_or_edited_once_an_attempt_has_begun(desk):
    desk.account()
    name = desk.plan(1, "2030-04-01T09:00")
    desk.attempt(name)

    for change in (
        lambda: edit.move(desk.parts, name, at("2030-04-03T10:00")),
        lambda: edit.change(desk.parts, name, Edit(text="Other")),
        lambda: edit.drop(desk.parts, name),
    ):
        with pytest.raises(Refused, match="it is preparing"):
            change()
    assert desk.get(name).steps[0].post.text == "Hello"


def test_a_worker_that_begins_between_the_look_and_the_change_wins(desk, monkeypatch):
    """The last word is one Lua step: what was looked at must still be so."""
    desk.account()
    name = desk.plan(1, "2030-04-01T09:00")
    found = edit._open(desk.parts, name, None)
    monkeypatch.setattr(edit, "_open", lambda *_: found)
    turn = desk.attempt(name)

    with pytest.raises(Refused, match="preparing"):
        edit.change(desk.parts, name, Edit(text="Other"))
    with pytest.raises(Refused, match="preparing"):
        edit.move(desk.parts, name, at("2030-04-03T10:00"))

    account = desk.parts.records.account("main.mastodon")
    assert desk.parts.records.taken(account, since=found.due)[name] == found.due, "its place is given back"
    assert desk.parts.deliveries.intend(turn, turn.delivery.steps, seconds=1) == "ok"


def test_two_people_do_not_overwrite_each_other(desk):
    desk.account()
    name = desk.plan(1, "2030-04-01T09:00")
    seen = desk.get(name).fence
    edit.change(desk.parts, name, Edit(text="Mine"), seen=seen)

    with pytest.raises(Refused, match=r"The post of .+ was changed meanwhile") as told:
        edit.change(desk.parts, name, Edit(text="Yours"), seen=seen)
    assert name not in str(told.value)
    assert desk.get(name).steps[0].post.text == "Mine"


# Editing


def test_an_edit_makes_new_keys_and_marks_links_tags_and_mentions(desk):
    desk.account()
    name = desk.plan(1, "2030-04-01T09:00")
    old = desk.get(name).steps[0].key

    edit.change(desk.parts, name, Edit(text="Gates #Tide @mayor https://larkhaven.example/gates\r\n", alt="Two  gates"))

    found = desk.get(name)
    post = found.steps[0].post
    assert (found.version, found.steps[0].key) == (2, step_key(name, StepKind.POST, 0, 2))
    assert old != found.steps[0].key
    assert post.text == "Gates #Tide @mayor https://larkhaven.example/gates"
    assert [(f.type, f.value) for f in post.facets] == [
        ("tag", "Tide"),
        ("mention", "mayor"),
        ("link", "https://larkhaven.example/gates"),
    ]
    assert post.media[0].alt == "Two gates"
    assert desk.last(name) == "edited"


def test_saving_what_is_already_so_changes_nothing(desk):
    desk.account()
    name = desk.plan(1, "2030-04-01T09:00")
    before = desk.get(name)

    assert edit.change(desk.parts, name, Edit(text="Hello\r\n", alt="A gate", parts=(), comment="")) == before


def test_the_platforms_own_counting_decides_and_a_draft_may_be_too_long_for_now(desk):
    desk.account("x")
    planned, draft = (
        desk.plan(1, "2030-04-01T09:00", platform="x"),
        desk.plan(2, "2030-04-01T09:00", platform="x", to=S.DRAFT),
    )
    link = "https://larkhaven.example.org/" + "a" * 300

    assert edit.change(desk.parts, planned, Edit(text=f"Short {link}")).status is S.SCHEDULED, "a link counts 23"
    with pytest.raises(Refused, match="The text is 20 too long: 300 of 280, as X counts"):
        edit.change(desk.parts, planned, Edit(text="é" * 300))
    assert edit.change(desk.parts, draft, Edit(text="é" * 300)).steps[0].post.text == "é" * 300
    with pytest.raises(Refused, match="20 too long"):
        edit.finish(desk.parts, draft, at("2030-04-05T09:00"))


def test_faults_name_every_part():
    steps = edit.rewritten(
        Delivery(
            id="main.d", article="main.a", account="main.x", platform="x", status=S.DRAFT, due=datetime.now(UTC),
            steps=(Step(kind=StepKind.POST, ordinal=0, key="k", post=Post(text="a", media=(PICTURE, PICTURE))),),
        ),
        Edit(text="word " * 30, alt="x" * 80, parts=("fine", "y" * 101), comment="z" * 101, warning="Storm"),
        2,
    )  # fmt: skip
    assert [s.kind for s in steps] == [StepKind.POST, StepKind.REPLY, StepKind.REPLY, StepKind.COMMENT]
    assert edit.faults(steps, Limits(text=100, alt=50), "Fake") == [
        "The text is 49 too long: 149 of 100, as Fake counts",
        "Part 3 is 1 too long: 101 of 100, as Fake counts",
        "The first comment is 1 too long: 101 of 100, as Fake counts",
        "Fake takes 1 pictures, and these are 2",
        "The alt text has 80 characters of the 50 that Fake takes",
        "Fake has no content warnings",
        "Fake has no threads",
        "Fake takes no first comment through this adapter",
    ]
    assert edit.faults(steps, Limits(text=500, media=2, thread=True, warning=True), "Fake") == []


def test_hints_are_for_people_and_hinder_nobody():
    post = Post(
        text="#a #b", link="https://e.org", media=(dataclasses.replace(PICTURE, alt=""),), facets=edit.facets("#a #b")
    )
    found = edit.hints((Step(kind=StepKind.POST, ordinal=0, key="k", post=post),), Limits(text=9, hashtags=1, alt=9))
    assert [line.split()[0] for line in found] == ["The", "2", "The"]


def test_a_failed_post_may_be_mended_then_sent_again_under_a_new_key(desk):
    desk.account()
    name = desk.plan(1, "2030-04-01T09:00")
    turn = desk.attempt(name)
    desk.parts.deliveries.finish(turn, End(S.FAILED, "Rejected: too long", fields={"reason": "too long"}))

    mended = edit.change(desk.parts, name, Edit(text="Shorter"))
    assert (mended.status, mended.reason) == (S.FAILED, "")
    decisions.retry(desk.parts.deliveries, name)

    assert desk.get(name).status is S.SCHEDULED
    assert desk.get(name).steps[0].key == step_key(name, StepKind.POST, 0, 2)


# Approving


@pytest.mark.parametrize(
    "change",
    [
        lambda parts, name: edit.change(parts, name, Edit(text="Other")),
        lambda parts, name: edit.change(parts, name, Edit(alt="Other")),
        lambda parts, name: edit.change(parts, name, Edit(picture=())),
        lambda parts, name: edit.change(parts, name, Edit(parts=("And more",))),
        lambda parts, name: edit.move(parts, name, at("2030-06-03T10:00")),
    ],
    ids=["text", "alt", "image", "thread", "time"],
)
def test_any_change_voids_an_approval(desk, change):
    desk.account(approval=True)
    name = desk.plan(1, "2030-04-01T09:00", to=S.AWAITING_APPROVAL)
    decisions.approve(desk.parts.deliveries, name, seal=approval.seal(desk.get(name)), by="Grace")
    assert approval.covered(desk.get(name))
    assert desk.get(name).status is S.SCHEDULED

    change(desk.parts, name)

    assert desk.get(name).status is S.AWAITING_APPROVAL
    assert not approval.covered(desk.get(name))
    assert desk.last(name).endswith("; the approval of Grace is void")


def test_what_changed_since_it_was_looked_at_is_not_approved(desk):
    desk.account(approval=True)
    name = desk.plan(1, "2030-04-01T09:00", to=S.AWAITING_APPROVAL)
    seal = approval.seal(desk.get(name))
    edit.change(desk.parts, name, Edit(text="Other"))

    with pytest.raises(Refused, match="has changed since you looked"):
        decisions.approve(desk.parts.deliveries, name, seal=seal, by="Grace")
    assert desk.get(name).status is S.AWAITING_APPROVAL


def test_the_account_decides_whether_it_waits_and_else_the_workspace():
    account = Account(id="main.x", platform="x", name="x")
    assert [approval.wanted(account, workspace=w) for w in (True, False)] == [True, False]
    for own in (True, False):
        assert approval.wanted(dataclasses.replace(account, approval=own), workspace=not own) is own


def test_a_finished_draft_waits_where_the_workspace_asks_for_it_and_is_sent_back_with_words(desk):
    desk.account()
    desk.parts.records.require_approval("main", wanted=True)
    name = desk.plan(1, "2030-04-01T09:00", to=S.DRAFT)

    assert edit.finish(desk.parts, name, at("2030-04-05T09:00")).status is S.AWAITING_APPROVAL
    back = edit.send_back(desk.parts, name, "The name is wrong", by="Grace")
    assert (back.status, back.reason) == (S.DRAFT, "The name is wrong")
    desk.parts.records.require_approval("main", wanted=False)
    assert edit.finish(desk.parts, name, at("2030-04-05T09:00")).status is S.SCHEDULED


# Articles


def test_an_article_is_new_until_somebody_decides(desk):
    records = desk.parts.records
    assert records.shelves("main") == {"new": 1, "planned": 0, "skipped": 0, "all": 1}
    edit.skip(desk.parts, "main.a")
    assert records.shelves("main") == {"new": 0, "planned": 0, "skipped": 1, "all": 1}
    edit.bring_back(desk.parts, "main.a")
    desk.account()
    name = desk.plan(1, "2030-04-01T09:00", to=S.DRAFT)
    assert records.shelves("main") == {"new": 0, "planned": 1, "skipped": 0, "all": 1}
    with pytest.raises(Refused, match="Only a new article"):
        edit.skip(desk.parts, "main.a")

    edit.drop(desk.parts, name)

    assert records.shelves("main") == {"new": 1, "planned": 0, "skipped": 0, "all": 1}
    with pytest.raises(NotFound):
        desk.get(name)


def test_an_accepted_article_takes_the_next_free_slot_and_the_next_one_the_one_after(desk):
    account = desk.account("outbox", calendar=Calendar(week=tuple((d, (time(9), time(13))) for d in range(7)), gap=30))
    edit.next_slot(desk.parts, account, delivery="main.other", take=True)
    first = edit.next_slot(desk.parts, account)

    (planned,) = edit.accept(desk.parts, "main.a", [account])

    assert (planned.due, planned.status) == (first.instant, S.SCHEDULED)
    assert planned.wall[11:] in {"09:00", "13:00"}
    assert edit.next_slot(desk.parts, account).instant > planned.due
    with pytest.raises(HandbillError, match="no account"):
        edit.accept(desk.parts, "main.a", [])


# The store behind it


def test_a_calendar_is_read_by_day_account_and_status(desk):
    desk.account()
    desk.account("x")
    for number, (wall, platform, to) in enumerate(
        [
            ("01T09:00", "mastodon", S.SCHEDULED),
            ("01T08:00", "x", S.SCHEDULED),
            ("01T07:00", "x", S.CANCELLED),
            ("02T09:00", "x", S.DRAFT),
        ]
    ):
        desk.plan(number, f"2030-04-{wall}", platform=platform, to=to)
    days = [datetime(2030, 4, d, tzinfo=UTC) for d in (1, 2, 3)]

    def ask(**asked):
        return [(n, [int(i[-4:], 16) for i in ids]) for n, ids in desk.parts.deliveries.planned("main", days, **asked)]

    assert ask(most=9) == [(2, [1, 0]), (1, [3])]
    assert ask(most=1) == [(2, [1]), (1, [3])]
    assert ask(most=0) == [(2, []), (1, [])]
    assert ask(most=9, gone=True) == [(3, [2, 1, 0]), (1, [3])]
    assert ask(most=9, accounts=["main.x"]) == [(1, [1]), (1, [3])]
    assert ask(most=9, accounts=["main.x", "main.mastodon"]) == ask(most=9)
    assert desk.parts.deliveries.planned("other", days, most=9) == [(0, []), (0, [])]


def test_what_is_cancelled_leaves_every_calendar(desk):
    desk.account()
    name = desk.plan(1, "2030-04-01T09:00")
    days = [datetime(2030, 4, d, tzinfo=UTC) for d in (1, 2)]

    def ask(**asked):
        return desk.parts.deliveries.planned("main", days, most=5, **asked)

    assert ask() == ask(accounts=["main.mastodon"]) == [(1, [name])]
    decisions.cancel(desk.parts.deliveries, name)
    assert ask() == ask(accounts=["main.mastodon"]) == [(0, [])]
    assert ask(gone=True) == [(1, [name])]


def test_the_scripts_and_the_table_agree_about_what_is_gone():
    said = re.search(r"local gone = '(.*)'", (LUA / "common.lua").read_text())
    assert set(said[1].split(",")) == {str(s) for s in lifecycle.GONE}


def test_data_of_the_first_schema_is_listed_anew(desk, server):
    desk.account()
    name = desk.plan(1, "2030-04-01T09:00")
    root, client = keys.root(keys.shard(name)), desk.parts.store.client
    client.rename(f"{root}status:main:scheduled", f"{root}status:scheduled")
    client.delete(f"{root}planned:main", f"{root}planned:main.mastodon", f"{root}workspaces")
    client.set(keys.schema(), "1")

    open_store(server.url).close()

    assert client.get(keys.schema()) == b"3"
    assert desk.parts.deliveries.ids([S.SCHEDULED]) == [name]
    days = [datetime(2030, 4, 1, tzinfo=UTC), datetime(2030, 4, 2, tzinfo=UTC)]
    assert desk.parts.deliveries.planned("main", days, most=5) == [(1, [name])]
    assert not client.exists(f"{root}status:scheduled")


def test_data_of_the_second_schema_is_listed_by_account(desk, server):
    desk.account()
    name = desk.plan(1, "2030-04-01T09:00")
    root, client = keys.root(keys.shard(name)), desk.parts.store.client
    client.delete(f"{root}planned:main.mastodon")
    client.set(keys.schema(), "2")

    open_store(server.url).close()

    assert client.get(keys.schema()) == b"3"
    days = [datetime(2030, 4, 1, tzinfo=UTC), datetime(2030, 4, 2, tzinfo=UTC)]
    assert desk.parts.deliveries.planned("main", days, most=5, accounts=["main.mastodon"]) == [(1, [name])]


def test_a_workspace_sees_its_own_and_the_operator_all(desk):
    desk.account()
    name = desk.plan(1, "2030-04-01T09:00")
    assert desk.parts.deliveries.ids(workspace="main") == [name]
    assert desk.parts.deliveries.ids(workspace="other") == []
    assert desk.parts.deliveries.count("other")[S.SCHEDULED] == 0
    assert desk.parts.deliveries.count()[S.SCHEDULED] == desk.parts.deliveries.count("main")[S.SCHEDULED] == 1


def test_an_edit_within_a_day_of_a_clock_change_keeps_the_wall_time(desk):
    desk.account()
    name = desk.plan(1, "2030-03-09T09:00")
    found = edit.move(desk.parts, name, at("2030-03-10T09:00"))
    assert (found.wall, found.due - timedelta(hours=23)) == ("2030-03-10 09:00", datetime(2030, 3, 9, 14, tzinfo=UTC))


def test_a_worker_sends_nothing_that_is_not_as_it_was_approved(desk, tmp_path):
    """Whatever wrote past the use cases: the last look before sending compares what is there with the seal."""
    desk.account("outbox", approval=True, settings={"folder": str(tmp_path / "outbox")})
    engine = desk.parts.engine(wake=lambda _: None, depth=lambda: 0)
    name = desk.plan(1, "2030-04-01T09:00", to=S.AWAITING_APPROVAL, platform="outbox", media=())
    edit.move(desk.parts, name, schedule.at_instant(desk.parts.now() + timedelta(seconds=1), TOWN))
    decisions.approve(desk.parts.deliveries, name, seal=approval.seal(desk.get(name)), by="Grace")
    found = desk.get(name)
    sneaked = dataclasses.replace(found.steps[0], post=Post(text="Something else"))
    desk.parts.deliveries.change(
        name, S.SCHEDULED, origins=[S.SCHEDULED], note="written past everybody", due=found.due, steps=(sneaked,)
    )
    time_module.sleep(1.1)

    assert engine.publish(name) == S.AWAITING_APPROVAL
    assert not list((tmp_path / "outbox").rglob("*.json"))
    assert desk.get(name).reason == "nobody has approved it as it is now"

    decisions.approve(desk.parts.deliveries, name, seal=approval.seal(desk.get(name)), by="Grace")
    assert engine.publish(name) == S.PUBLISHED


def test_who_may_approve_sends_a_failed_post_again_and_who_may_not_asks_for_it(desk, tmp_path):
    desk.account("outbox", approval=True, settings={"folder": str(tmp_path / "outbox")})
    engine = desk.parts.engine(wake=lambda _: None, depth=lambda: 0)
    for number, approves, ends in ((1, False, S.AWAITING_APPROVAL), (2, True, S.PUBLISHED)):
        name = desk.plan(number, "2030-04-01T09:00", to=S.FAILED, platform="outbox", media=())
        decisions.retry(desk.parts.deliveries, name, by="Ada", approves=approves)
        assert engine.publish(name) == ends
        assert desk.parts.deliveries.history(name)[1].note == "sent again by Ada"
