"""Numbers are what happened, rules and dashboard ask only for numbers there are, and people are told once."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import re
import resource
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

import publishers
from publishers.core.errors import Unavailable, Unconfirmed
from publishers.core.limits import Limits
from publishers.core.post import Post
from publishers.outbox import Outbox
from worker import app
from worker.changes import Change
from worker.changes import Kind as What
from worker.doctor import _of_redis
from worker.embedded import Embedded
from worker.errors import HandbillError, NotFound, Refused
from worker.intake.model import Kind as Kinds
from worker.intake.model import Source
from worker.lifecycle import TRANSITIONS
from worker.model import Account, Delivery, Status, Step, StepKind, delivery_id, step_key
from worker.pipeline.accounts import app_key
from worker.runtime import Runtime, open_runtime
from worker.settings import Settings
from worker.store import keys
from worker.store.deliveries import End
from worker.store.vitals import LATENESS, LIFE_SECONDS, Vitals
from worker.watch import alerts as alerting
from worker.watch.alerts import Alerts, fitted, message
from worker.watch.conditions import Condition, Kind, conditions
from worker.watch.numbers import registry
from worker.watch.top import Top

ROOT = Path(__file__).parent.parent
RULES = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text())
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "handbill.json").read_text())


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Embedded.start(tmp_path_factory.mktemp("valkey")) as running:
        yield running


@pytest.fixture
def house(server, tmp_path) -> Iterator[Runtime]:
    parts = open_runtime(Settings(data_dir=tmp_path, _env_file=None), server.url)
    parts.store.client.sadd("handbill:{*}:workspaces", "main")
    yield parts
    parts.store.client.flushall()
    parts.close()


def plan(parts, number, *, minutes=0.0, status=Status.SCHEDULED):
    name = delivery_id(f"main.{number}", "main.acc", 0)
    step = Step(kind=StepKind.POST, ordinal=0, key=step_key(name, StepKind.POST, 0, 1), post=Post(text="x"))
    due = datetime.now(UTC) - timedelta(minutes=minutes, milliseconds=50)
    parts.deliveries.create(
        Delivery(
            id=name,
            article=f"main.{number}",
            account="main.acc",
            platform="outbox",
            status=status,
            due=due,
            steps=(step,),
        ),
        note="",
    )
    return name


def turn_to(parts, name, status):
    turn = parts.deliveries.begin(name, lease=60, stale=1e9)
    assert parts.deliveries.intend(turn, turn.delivery.steps, seconds=1) == "ok"
    parts.deliveries.finish(turn, End(to=status, note=""))


def numbers(parts) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    found: dict = {}
    for family in text_string_to_metric_families(generate_latest(registry(parts)).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


# Numbers


def test_what_workers_did_is_counted_in_the_step_in_which_they_did_it(house):
    turn_to(house, plan(house, 1, minutes=0.05), Status.PUBLISHED)
    turn_to(house, plan(house, 2, minutes=10), Status.PUBLISHED)
    late = plan(house, 3, minutes=120)
    turn_to(house, late, Status.UNCONFIRMED)
    lost = plan(house, 4)
    house.deliveries.begin(lost, lease=0.001, stale=1e9)
    time.sleep(0.02)  # the lease ends
    house.deliveries.claim(most=0, settle=1, wake=1, attempts=8)

    found = numbers(house)

    by = {(dict(k)["platform"], dict(k)["status"]): v for k, v in found["handbill_attempts_total"].items()}
    assert by == {("outbox", "published"): 2, ("outbox", "unconfirmed"): 1}
    assert found["handbill_lost_leases_total"] == {(("status", "preparing"),): 1}
    buckets = {dict(k)["le"]: v for k, v in found["handbill_lateness_seconds_bucket"].items()}
    assert (buckets["1.0"], buckets["5.0"], buckets["300.0"], buckets["900.0"], buckets["+Inf"]) == (0, 1, 1, 2, 2)
    assert found["handbill_lateness_seconds_count"][()] == 2
    assert 602 < found["handbill_lateness_seconds_sum"][()] < 640
    assert len(buckets) == len(LATENESS) + 1


def test_a_post_that_is_changed_later_is_not_counted_as_late_again(house):
    name = plan(house, 1)
    turn_to(house, name, Status.PUBLISHED)
    found = house.deliveries.get(name)
    step = replace(found.steps[0], kind=StepKind.EDIT, ordinal=1)
    house.deliveries.change(name, Status.SCHEDULED, origins=[Status.PUBLISHED], note="", steps=(*found.steps, step))
    turn_to(house, name, Status.PUBLISHED)

    assert numbers(house)["handbill_lateness_seconds_count"][()] == 1


def test_what_waits_is_told_by_pool_and_the_age_of_a_canary_by_worker(house):
    plan(house, 1, minutes=1)
    plan(house, 2, minutes=-60)
    house.deliveries.claim(most=64, settle=1, wake=60, attempts=8)
    plan(house, 3, minutes=1)
    house.sources.watch(Source(id="main.feed", kind=Kinds.FEED), "example.org")
    house.records.seen_alive("publish@one", seconds=LIFE_SECONDS)
    house.records.seen_alive("publish@two", seconds=LIFE_SECONDS - 20)

    found = numbers(house)

    waits = {(("pool", "publish"),): 2, (("pool", "content"),): 0, (("pool", "intake"),): 1}
    assert found["handbill_pool_due"] == waits
    assert found["handbill_pool_waking"][("pool", "publish"),] == 1
    assert found["handbill_workers_alive"][("pool", "publish"),] == 2
    ages = {dict(k)["worker"]: v for k, v in found["handbill_canary_age_seconds"].items()}
    assert ages["publish@one"] < 5
    assert 19 < ages["publish@two"] < 25
    assert LIFE_SECONDS == app.DEAF_AFTER


def test_rates_and_tokens_are_told_by_account(house):
    ending(house)
    account = Account(id="main.b", platform="bluesky", name="B")
    house.records.save_account(account, {"password": "x"})

    found = numbers(house)

    [(labels, days)] = found["handbill_token_days_left"].items()
    assert dict(labels) == {"account": "main.t", "platform": "linkedin"}
    assert 2.9 < days <= 3
    [(labels, before)] = found["handbill_rate_left"].items()
    assert before == publishers.load("bluesky").budgets[0].posts
    assert house.records.spend(account, "app", publishers.load("bluesky").budgets) == 0
    assert numbers(house)["handbill_rate_left"][labels] == before - 1


def test_what_an_app_may_still_send_is_told_of_each_of_its_accounts(house):
    """Two accounts of one app, and one of another, on a platform whose every budget is the app's."""
    budgets = publishers.load("reddit").budgets
    assert [b.app for b in budgets] == [True]
    rows = [("a", "one"), ("b", "one"), ("c", "two")]
    accounts = [Account(id=f"main.{n}", platform="reddit", name=n, settings={"client_id": app}) for n, app in rows]
    for account in accounts:
        house.records.save_account(account, {})
        assert house.accounts.app_of(account) == app_key(account, publishers.load("reddit").home)
    for _ in range(3):
        assert house.records.spend(accounts[0], house.accounts.app_of(accounts[0]), budgets) == 0

    left = {dict(k)["account"]: v for k, v in numbers(house)["handbill_rate_left"].items()}

    assert left == {"main.a": budgets[0].posts - 3, "main.b": budgets[0].posts - 3, "main.c": budgets[0].posts}


def ending(parts, workspace="main"):
    """An account whose token ends in three days and cannot be renewed."""
    ends, name = (datetime.now(UTC) + timedelta(days=3)).isoformat(), f"{workspace}.t"
    account = Account(id=name, workspace=workspace, platform="linkedin", name="T", settings={"expires_at": ends})
    parts.records.save_account(account, {"access_token": "x"})


def changed(parts, workspace="main"):
    """An article of which something is public that is not so any more, and nobody has decided about that."""
    parts.aftercare.add_change(
        Change(
            id=f"{workspace}.change", article=f"{workspace}.a", kind=What.CORRECTED, found_at=datetime.now(UTC),
            what=("it says 9, not 7",), proposals=(), workspace=workspace,
        )
    )  # fmt: skip


def broken_disk(parts, monkeypatch):
    """Redis says so of itself when its disk is full."""
    info = parts.store.client.info
    monkeypatch.setattr(parts.store.client, "info", lambda *a: {**info(*a), "aof_last_write_status": "err"})


def test_the_store_says_how_its_memory_and_its_disk_are(house, monkeypatch):
    found = numbers(house)

    assert found["handbill_redis_memory_bytes"][()] > 100_000
    assert found["handbill_redis_persistence_ok"][()] == 1
    broken_disk(house, monkeypatch)
    assert numbers(house)["handbill_redis_persistence_ok"][()] == 0
    assert Vitals(house.store).server().why == "the append-only file cannot be written"


# Rules and dashboard


WORDS = re.compile(r"\bhandbill_\w+")
LABELS = re.compile(r"(handbill_\w+)\{([^}]*)\}")
LEGEND = re.compile(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}")


def every_number(parts):
    """Names and labels with something of everything stored."""
    turn_to(parts, plan(parts, 1), Status.PUBLISHED)
    parts.deliveries.begin(plan(parts, 4), lease=0.001, stale=1e9)
    time.sleep(0.02)  # the lease ends
    parts.deliveries.claim(most=0, settle=1, wake=1, attempts=8)
    parts.records.seen_alive("publish@one", seconds=LIFE_SECONDS)
    ending(parts)
    parts.records.save_account(Account(id="main.b", platform="bluesky", name="B"), {"password": "x"})
    return {name: {k for labels in rows for k, _ in labels} for name, rows in numbers(parts).items()}


def queries():
    for group in RULES["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"], " ".join(rule["annotations"].values())
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"], target["legendFormat"]


def test_every_query_asks_only_for_numbers_and_labels_that_there_are(house):
    known = every_number(house)
    asked = list(queries())
    assert len(asked) > 30
    for title, query, words in asked:
        names = WORDS.findall(query)
        assert names, title
        assert set(names) <= set(known), title
        for name, selector in LABELS.findall(query):
            for label, _, value in re.findall(r'(\w+)(=~|=|!=)"([^"]*)"', selector):
                assert label in known[name], (title, label)
                if label == "status":
                    assert set(value.split("|")) <= {str(s) for s in TRANSITIONS}, title
        labels = set().union(*(known[n] for n in names))
        by = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", query))))
        assert by <= labels, title
        legend = {x for x in LEGEND.findall(words) if x != "value"}
        assert legend <= (by or labels), title
        assert query.count("(") == query.count(")")


def test_every_rule_says_what_is_wrong_and_what_to_do_and_whom_it_wakes():
    rules = RULES["groups"][0]["rules"]
    assert len({r["alert"] for r in rules}) == len(rules)
    for rule in rules:
        assert set(rule["annotations"]) == {"summary", "action"}, rule["alert"]
        assert rule["labels"]["severity"] in {"page", "ticket"}, rule["alert"]
        assert re.fullmatch(r"\d+[mh]", rule.get("for", "1m")), rule["alert"]


def test_every_number_is_on_the_dashboard_and_the_dashboard_is_the_one_that_is_made(house):
    shown = {name for title, query, _ in queries() for name in WORDS.findall(query)}
    families = {re.sub(r"_(total|bucket|count|sum)$", "", n) for n in every_number(house)}
    assert families - {re.sub(r"_(total|bucket|count|sum)$", "", n) for n in shown} <= {"handbill_waiting_wakeups"}
    spec = importlib.util.spec_from_file_location("make", ROOT / "deploy" / "grafana" / "make.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert made.dashboard() == DASHBOARD
    assert len({p["id"] for p in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


# Conditions and alerts


@pytest.fixture
def told(house, tmp_path):
    """The messages that reached the team's folder."""
    house.accounts.connect("outbox", {"folder": str(tmp_path / "team")}, workspace="main", name="team")
    [account] = house.records.accounts("main")
    for pool in ("publish", "content", "intake"):
        house.records.seen_alive(f"{pool}@here", seconds=900)

    def read():
        return [
            json.loads(p.read_text())["text"]
            for p in sorted((tmp_path / "team").rglob("*.json"), key=lambda p: p.stat().st_mtime_ns)
        ]

    return account, read


class Clock:
    """An hour passes when it is told to."""

    def __init__(self, parts, monkeypatch):
        self.ahead = timedelta(0)
        real = parts.now
        monkeypatch.setattr(parts, "now", lambda: real() + self.ahead)

    def pass_by(self, **span):
        self.ahead += timedelta(**span)


def park(parts, number):
    name = plan(parts, number)
    turn_to(parts, name, Status.UNCONFIRMED)
    turn = parts.deliveries.begin(name, lease=60, stale=1e9)
    parts.deliveries.finish(turn, End(to=Status.PARKED, note="", fields={"reason": "no answer"}))
    return name


def test_a_condition_is_told_once_and_several_are_one_message(house, told, monkeypatch):
    account, read = told
    clock = Clock(house, monkeypatch)
    alerts = Alerts(house)
    alerts.add(account)
    assert alerts.round() == 0
    for number in range(7):
        park(house, number)
    house.deliveries.pause("account:main.acc", until=None, why="stopped by hand")

    assert alerts.round() == 1
    for _ in range(3):
        clock.pass_by(hours=1)
        assert alerts.round() == 0

    [text] = read()
    assert text.startswith("Handbill:\nPerhaps public: look, then settle (7): ")
    assert text.count("on acc;") == 4
    assert " and 2 more" in text
    assert "Paused: main.acc: stopped by hand\n  → handbill resume --account main.acc" in text
    assert text.endswith("http://127.0.0.1:8484")


@contextlib.contextmanager
def full_disk(server):
    """The disk of a running server takes no more."""
    pid = int((server.folder / "server.pid").read_text())
    file = next((server.folder / "appendonlydir").glob("*.incr.aof"))
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (file.stat().st_size + 100, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits another process")
def test_people_are_told_that_redis_writes_nothing_or_is_gone_although_nothing_can_be_stored(tmp_path, monkeypatch):
    seconds = [0.0]
    with Embedded.start(tmp_path / "server", fsync="everysec") as server:  # with always it ends on a full disk
        parts = open_runtime(Settings(data_dir=tmp_path / "house", _env_file=None), server.url)
        parts.accounts.connect("outbox", {"folder": str(tmp_path / "team")}, workspace="main", name="team")
        [account] = parts.records.accounts("main")
        one, other = Alerts(parts, alone=True, clock=lambda: seconds[0]), Alerts(parts)
        second_worker = Alerts(parts, alone=True, clock=lambda: seconds[0])
        one.add(account, ["redis"])
        everybody_works(parts)
        assert (one.round(), second_worker.round()) == (0, 0)

        def told():
            return [json.loads(p.read_text())["text"] for p in (tmp_path / "team").rglob("*.json")]

        with full_disk(server):
            while server_takes(parts):
                time.sleep(0.01)
            with pytest.raises(redis.ResponseError, match="MISCONF"):
                other.round()  # who is not alone leaves it to who is
            assert (one.round(), second_worker.round()) == (0, 0)  # a moment is no matter
            seconds[0] += 61
            with monkeypatch.context() as patch:
                patch.setattr(Outbox, "create", refusing(Unavailable("no connection")))
                assert one.round() == 0  # certainly not told
            assert one.round() == 0  # not so soon
            seconds[0] += 31
            assert (second_worker.round(), one.round()) == (0, 1)  # of one folder, one
            for _ in range(3):
                seconds[0] += 3600
                assert (one.round(), second_worker.round()) == (0, 0)
        [first] = told()
        assert first.startswith("Handbill:\nRedis is not safe: MISCONF ")
        assert f"(seen from {socket.gethostname()})" in first
        assert "→ Free its disk or start it, and see its log" in first
        end = time.monotonic() + 20
        while not server_takes(parts):
            assert time.monotonic() < end
            time.sleep(0.1)
        assert (one.round(), second_worker.round()) == (0, 0)  # it is well again

        refused = redis.ConnectionError("Error 111 connecting to state:6379. Connection refused.")
        parts.store.client.execute_command = parts.store.client.pipeline = refusing(refused)
    assert (one.round(), second_worker.round()) == (0, 0)
    seconds[0] += 61
    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "create", refusing(Unconfirmed("no answer")))
        assert one.round() == 0
    seconds[0] += 61
    assert one.round() == 0  # perhaps told: not told twice
    one.close()  # whoever told is gone: another tells
    assert (second_worker.round(), second_worker.round()) == (1, 0)
    [second] = set(told()) - {first}
    assert second.startswith("Handbill:\nRedis is not safe: Error 111 connecting")
    second_worker.close()
    parts.close()


def everybody_works(parts):
    for pool in ("publish", "content", "intake"):
        parts.records.seen_alive(f"{pool}@here", seconds=900)


def refusing(error):
    def refuse(*_, **__):
        raise error

    return refuse


def server_takes(parts):
    try:
        return parts.store.client.set("handbill:{main}:x", "x" * 100)
    except redis.ResponseError:
        return False


def test_what_is_not_urgent_is_gathered_and_what_is_urgent_is_not(house, told, monkeypatch):
    account, read = told
    clock = Clock(house, monkeypatch)
    alerts = Alerts(house)
    alerts.add(account)
    park(house, 1)
    assert alerts.round() == 1
    clock.pass_by(minutes=5)
    park(house, 2)
    assert alerts.round() == 0  # gathered
    house.deliveries.mark_double(plan(house, 9, minutes=-60))
    assert alerts.round() == 1  # a double post is told at once, and takes the other along
    assert "Public more than once" in read()[1]
    assert "Perhaps public" in read()[1]
    clock.pass_by(minutes=5)
    park(house, 3)
    assert alerts.round() == 0
    clock.pass_by(minutes=11)
    assert alerts.round() == 1


def test_what_flickers_is_told_once_and_what_comes_again_later_is_told_again(house, told, monkeypatch):
    account, read = told
    clock = Clock(house, monkeypatch)
    alerts = Alerts(house)
    alerts.add(account)
    for _ in range(4):
        house.deliveries.pause("account:main.acc", until=None, why="stopped")
        alerts.round()
        clock.pass_by(minutes=1)
        house.deliveries.resume("account:main.acc")
        alerts.round()
        clock.pass_by(minutes=1)
    assert len(read()) == 1

    clock.pass_by(minutes=11)
    alerts.round()
    house.deliveries.pause("account:main.acc", until=None, why="stopped")
    clock.pass_by(minutes=16)
    assert alerts.round() == 1
    assert len(read()) == 2


@pytest.mark.parametrize(("error", "again"), [(Unavailable("no connection"), 1), (Unconfirmed("no answer"), 0)])
def test_an_alert_that_certainly_did_not_arrive_is_told_again_and_one_that_perhaps_did_is_not(
    house, told, monkeypatch, error, again
):
    account, read = told
    clock = Clock(house, monkeypatch)
    alerts = Alerts(house)
    alerts.add(account)
    park(house, 1)

    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(alerts, "_send", refuse)
    assert alerts.round() == 0
    monkeypatch.undo()
    clock = Clock(house, monkeypatch)
    clock.pass_by(hours=1)

    assert Alerts(house).round() == again
    assert len(read()) == again


def test_two_processes_that_look_at_once_tell_once(house, told):
    account, read = told
    first, second = Alerts(house), Alerts(house)
    first.add(account)
    park(house, 1)
    assert first._round() + second._round() == 1
    assert len(read()) == 1


def test_alerts_go_to_a_team_never_to_the_public(house):
    public = Account(id="main.m", platform="mastodon", name="M")
    house.records.save_account(public, {"access_token": "x"})
    with pytest.raises(Refused, match="what is posted there is public"):
        Alerts(house).add(public)
    team = Account(id="main.s", platform="slack", name="S")
    with pytest.raises(HandbillError, match="no kind earthquakes"):
        Alerts(house).add(team, ["earthquakes"])
    with pytest.raises(NotFound):
        Alerts(house).remove("main.s")


def test_a_channel_hears_of_its_kinds_and_its_workspace_alone(house, told):
    account, read = told
    alerts = Alerts(house)
    alerts.add(account, ["paused"])
    park(house, 1)
    house.deliveries.pause("account:other.x", until=None, why="not ours")
    assert alerts.round() == 0
    house.deliveries.pause("account:main.acc", until=None, why="stopped")
    assert alerts._round() == 1
    assert "Perhaps" not in read()[0]
    assert "not ours" not in read()[0]


def test_everything_that_people_should_know_of_is_a_condition(house, monkeypatch):
    park(house, 1)
    plan(house, 2, minutes=5)
    plan(house, 3, status=Status.AWAITING_APPROVAL)
    failed = plan(house, 4)
    turn_to(house, failed, Status.FAILED)
    house.deliveries.mark_double(failed)
    house.deliveries.pause("connect:main.acc", until=None, why="connect again")
    house.deliveries.pause("limit:main.acc", until=datetime.now(UTC) + timedelta(hours=1), why="asked to wait")
    ending(house)
    changed(house)
    broken_disk(house, monkeypatch)
    found = conditions(house)

    assert {c.kind for c in found} == set(Kind)
    assert len({c.name for c in found}) == len(found)
    assert all(c.do for c in found)
    assert not [c for c in found if "asked to wait" in c.text]
    text = message(found, "http://page")
    assert text.index("Redis is not safe") < text.index("Workers are missing") < text.index("Awaiting approval")


def test_a_message_is_cut_to_what_the_channel_takes_and_keeps_the_address():
    found = [Condition(f"parked:{n}", Kind.PARKED, "x" * 80, "look") for n in range(9)] + [
        Condition("redis", Kind.REDIS, "its disk", "free it")
    ]
    whole = message(found, "http://page")
    assert fitted(whole, Limits(text=9999)) == whole
    short = fitted(whole, Limits(text=100))
    assert short.splitlines()[0] == "Handbill:"
    assert short.endswith("http://page")
    assert len(short) <= 100
    assert len(fitted("y" * 400, Limits(text=50))) <= 50


def test_the_terminal_view_shows_what_is_so(house, told):
    turn_to(house, plan(house, 1), Status.PUBLISHED)
    park(house, 2)
    console = Console(width=120, record=True, file=io.StringIO())
    view = Top(house)
    view.frame()
    console.print(view.frame())
    shown = console.export_text()
    for words in (
        "1 unknown",
        "0 late",
        "0 double",
        "published 1",
        "parked 1",
        "publish@here",
        "on disk",
        "Perhaps public",
    ):
        assert words in shown, shown
    assert alerting.NAMED == 5


def test_the_doctor_says_what_is_wrong_with_redis_with_the_key_and_that_nobody_is_told(house, monkeypatch):
    def found():
        return {f.check: f for f in _of_redis(house.settings, house)}

    name = plan(house, 1)
    house.deliveries.mark_double(name)
    broken_disk(house, monkeypatch)
    key = house.settings.data_dir / "secret.key"
    key.chmod(0o644)
    said = found()
    key.chmod(0o600)

    assert not said["double"].ok
    assert said["double"].found == name
    assert not said["redis"].ok
    assert said["redis"].found == "its disk: the append-only file cannot be written"
    assert (said["key"].ok, said["key"].do) == (False, f"chmod 600 {key}")
    assert said["alerts"].do == "handbill alerts add ACCOUNT"
    assert re.fullmatch(r"\d+ MB, without a limit", said["memory"].found)
    assert said["waiting"].found == "due and not taken up: publish 1, content 0, intake 0; 0 wake-ups under way"
    house.store.client.sadd("handbill:{*}:workspaces", "brand")  # what is wrong in another workspace is wrong, too
    ending(house, "brand")
    plan(house, 2, status=Status.AWAITING_APPROVAL)
    house.records.save_account(
        Account(id="brand.b", workspace="brand", platform="bluesky", name="B"), {"password": "x"}
    )
    used = dict.fromkeys(map(str, range(publishers.load("bluesky").budgets[0].posts)), time.time() * 1000)
    house.store.client.zadd(keys.budget("brand", "brand.b"), used)
    said = found()
    assert said["approval"].found == "1 wait until somebody approves them"
    assert (said["rates"].ok, said["rates"].found) == (True, "brand.b may send nothing more just now")
    assert re.fullmatch(r"brand.t: token ends in \d days: connect it again", said["token"].found)
    assert said["token"].do == "Connect it again: handbill accounts add linkedin, or the page Accounts"
    assert said["changes"].ok
    changed(house, "brand")
    said = found()
    assert (said["changes"].ok, said["changes"].do) == (False, "See: handbill changes list, or the page Changes")
    assert said["changes"].found.startswith("1 article changed after being posted")
    samples = text_string_to_metric_families(generate_latest(registry(house)).decode())
    assert [s.value for f in samples for s in f.samples if s.name == "handbill_open_changes"] == [1]
    assert "key" not in said
