"""Posts by hand: their person is told once when it is time and once more, says when it is done, and nobody else can."""

from __future__ import annotations

import dataclasses
import random
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest

import publishers
from publishers.core.errors import Rejected, Unauthorized, Unavailable, Unconfirmed
from publishers.core.http import Http
from publishers.core.limits import Limits
from publishers.core.post import Post
from publishers.core.publisher import Proof, ProofClass
from tests.newsroom import sign_in
from tests.test_engine import World, adapter
from tests.test_web import BASE, Desk
from web import status
from worker import decisions, reminders
from worker.errors import HandbillError, Refused
from worker.model import Account, Delivery, Status, Step, StepKind, delivery_id, step_key
from worker.pipeline.accounts import Renewed
from worker.pipeline.publish import Engine
from worker.pipeline.share import wait_for
from worker.settings import Settings
from worker.store import Deliveries

PAGE = re.compile(r"http://127\.0\.0\.1:8484(/by-hand/\S+)")
KIT = Post(text="Larkhaven keeps its lighthouse.", title="The lighthouse stays", link="https://larkhaven.example/light")


class Accounts:
    """Anna, who posts on Medium by hand, and the chat by which she is told."""

    def __init__(self, house):
        self.house, self.renewals = house, []

    def open(self, name):
        account = self.house.parts.records.account(name)
        if account.platform == "medium":
            nowhere = Http(transport=httpx.MockTransport(lambda _: pytest.fail("Medium was spoken to")))
            return account, publishers.load("medium")(account.settings, nowhere)
        return account, adapter(self.house.world, account.proof)

    def renew(self, account, used):
        return self.renewals.pop(0) if self.renewals else Renewed.REFUSED


class House(Desk):
    """A desk with an engine on a clock that can be put forward."""

    def __init__(self, server, folder, kind=ProofClass.A):
        super().__init__(server, folder)
        self.world, self.ahead = World(), timedelta()
        self.parts.settings = Settings(
            data_dir=folder, redis_url=server.url, settle_seconds=0.05, attempts=3, reminder_hours=4
        )
        self.chat = Account(
            id="main.chat", platform="ntfy", name="Anna's phone", proof=Proof(kind=kind, then=ProofClass.B)
        )
        settings = {"person": "Anna", "channel": "main.chat"}
        self.medium = Account(id="main.medium-anna", platform="medium", name="Anna", settings=settings)
        for account in (self.chat, self.medium):
            self.parts.records.save_account(account)
        clock = Deliveries(self.parts.store, clock=self.now_ms)
        self.parts.deliveries = clock
        self.accounts = Accounts(self)
        self.engine = Engine(
            clock, self.parts.records, self.accounts, self.parts.settings,
            wake=lambda _: None, depth=lambda: 0, now=lambda: datetime.now(UTC), rng=random.Random(1),
        )  # fmt: skip

    def now_ms(self):
        return self.parts.store.now_ms() + int(self.ahead.total_seconds() * 1000)

    def plan_kit(self, post=KIT):
        identity = delivery_id("main.article", "main.medium-anna", 0)
        step = Step(kind=StepKind.POST, ordinal=0, key=step_key(identity, StepKind.POST, 0, 1), post=post)
        delivery = Delivery(
            id=identity, article="main.article", account="main.medium-anna", platform="medium",
            status=Status.SCHEDULED, due=datetime.now(UTC) - timedelta(seconds=1), steps=(step,),
        )  # fmt: skip
        assert self.parts.deliveries.create(delivery, note="planned")
        return identity

    def found(self, delivery):
        return self.parts.deliveries.get(delivery)

    def settle(self, delivery):
        """Look again at once, as often as it takes, until it is not in doubt."""
        for _ in range(9):
            if self.status(delivery) is not Status.UNCONFIRMED:
                return
            self.ahead += timedelta(minutes=2)
            self.engine.publish(delivery)

    def told(self):
        """What Anna reads."""
        return list(self.world.posts.values())

    def page_of(self, told):
        return PAGE.search(told)[1]


@pytest.fixture
def house(server, tmp_path):
    made = House(server, tmp_path)
    yield made
    made.parts.close()


def test_whoever_posts_by_hand_is_told_when_it_is_time_and_it_waits_for_them(house):
    delivery = house.plan_kit()

    assert house.engine.publish(delivery) == Status.AWAITING_PERSON
    (told,) = house.told()
    assert told.startswith("Anna, it is time to post on Medium:\nThe lighthouse stays\n\n")
    found = house.found(delivery)
    assert found.receipt is None
    assert [r.id for r in found.steps[0].reminders] == [house.world.sent[0].key]
    assert found.steps[0].post == KIT
    assert house.parts.deliveries.next_look(delivery) == pytest.approx(
        datetime.now(UTC) + timedelta(hours=4), abs=timedelta(seconds=20)
    )


def test_who_waits_for_posts_does_not_wait_for_a_person(house):
    delivery = house.plan_kit()
    house.engine.publish(delivery)

    (found,), why = wait_for(house.parts, [house.found(delivery)])
    assert found.status is Status.AWAITING_PERSON
    assert why == "Not waiting any longer: somebody posts what is left by hand. See: handbill deliveries"


def test_a_title_that_names_everyone_calls_nobody_where_a_person_is_told(house):
    house.engine.publish(house.plan_kit(dataclasses.replace(KIT, title="The mayor to @everyone: #stay")))

    (told,) = house.told()
    assert told.startswith("Anna, it is time to post on Medium:\nThe mayor to @\u2060everyone: #\u2060stay\n\n")


def test_the_address_of_the_page_is_kept_nowhere(house):
    delivery = house.plan_kit()
    house.engine.publish(delivery)
    secret = house.page_of(house.told()[0]).rpartition(".")[2]

    client = house.parts.store.client
    kept = b"".join(client.dump(key) or b"" for key in client.scan_iter())
    assert len(secret) == 22
    assert secret.encode() not in kept


def test_a_doubled_wake_up_tells_nobody_twice(house):
    delivery = house.plan_kit()
    house.engine.publish(delivery)

    assert [house.engine.publish(delivery) for _ in range(3)] == ["early"] * 3
    assert len(house.told()) == 1


def test_who_does_not_answer_is_told_once_more_and_then_the_post_is_late(house):
    delivery = house.plan_kit()
    house.engine.publish(delivery)
    assert house.parts.deliveries.late(60) == 0
    house.ahead += timedelta(hours=4, minutes=1)

    assert house.engine.publish(delivery) == Status.AWAITING_PERSON
    first, second = house.told()
    assert second.startswith("Anna, this is still to be posted on Medium:\nThe lighthouse stays\n\n")
    assert house.parts.deliveries.next_look(delivery) is None
    assert house.parts.deliveries.late(60) == 1
    assert house.parts.deliveries.late(60, workspace="main") == 1
    row = status.row(house.found(delivery), house.medium, now=house.parts.deliveries.now())
    assert row.late > timedelta(hours=4)
    for _ in range(3):
        house.ahead += timedelta(days=3)
        house.engine.tick()
        assert house.engine.publish(delivery) == Status.AWAITING_PERSON
    assert house.told() == [first, second]


@pytest.mark.parametrize("kind", [ProofClass.A, ProofClass.B])
@pytest.mark.parametrize("lost", [Unconfirmed("no answer"), "lost before"])
def test_a_lost_answer_is_settled_as_for_any_post_and_they_are_told_once(server, tmp_path, kind, lost):
    house = House(server, tmp_path, kind)
    house.world.script = [lost]
    delivery = house.plan_kit()

    assert house.engine.publish(delivery) == Status.UNCONFIRMED
    for _ in range(12):
        if house.status(delivery) is Status.AWAITING_PERSON:
            break
        house.ahead += timedelta(minutes=2)
        house.engine.publish(delivery)
    assert house.status(delivery) is Status.AWAITING_PERSON
    assert len(house.told()) == 1
    assert len({c.key for c in house.world.sent}) == 1
    assert len(house.found(delivery).steps[0].reminders) == 1
    house.parts.close()


def test_where_nobody_can_tell_whether_they_were_told_they_are_told_once_more_and_nobody_has_to_decide(
    server, tmp_path
):
    house = House(server, tmp_path, ProofClass.C)
    house.world.script = [Unconfirmed("no answer")]
    delivery = house.plan_kit()
    house.engine.publish(delivery)
    house.settle(delivery)

    found = house.found(delivery)
    assert found.status is Status.AWAITING_PERSON
    assert [r.id for r in found.steps[0].reminders] == ["unknown"]
    assert "perhaps told" in house.parts.deliveries.history(delivery)[-1].note
    house.ahead += timedelta(hours=5)
    house.engine.publish(delivery)
    assert [t.partition(",")[2][:14] for t in house.told()] == [" it is time to", " this is still"]
    house.parts.close()


@pytest.mark.parametrize("error", [Rejected("too long"), Unavailable("no connection"), Unauthorized("no token")])
def test_who_was_told_and_cannot_be_told_again_still_has_it_to_do(house, error):
    delivery = house.plan_kit()
    house.engine.publish(delivery)
    house.world.script = [error] * 20
    for _ in range(8):
        house.ahead += timedelta(hours=5)
        house.engine.publish(delivery)
    found = house.found(delivery)
    assert found.status is Status.AWAITING_PERSON
    assert len(house.told()) == 1
    decisions.done(house.parts.deliveries, delivery, by="Anna")
    assert house.status(delivery) is Status.PUBLISHED


def test_who_cannot_be_told_at_all_is_a_failure_that_the_queue_shows(house):
    house.world.script = [Rejected("the chat is gone")]
    delivery = house.plan_kit()

    assert house.engine.publish(delivery) == Status.FAILED
    assert house.found(delivery).reason == "the chat is gone"


def test_a_channel_that_was_removed_is_a_failure_with_a_reason(house):
    delivery = house.plan_kit()
    house.parts.records.remove_account(house.chat)

    assert house.engine.publish(delivery) == Status.FAILED
    assert "There is no account main.chat" in house.found(delivery).reason


def test_nobody_is_told_by_an_account_that_is_stopped(house):
    delivery = house.plan_kit()
    house.parts.deliveries.pause("account:main.chat", until=None, why="stopped by hand")

    assert house.engine.publish(delivery) == Status.SCHEDULED
    assert house.told() == []
    house.parts.deliveries.resume("account:main.chat")
    house.ahead += timedelta(minutes=2)
    assert house.engine.publish(delivery) == Status.AWAITING_PERSON


def test_what_is_to_be_posted_by_hand_needs_the_approval_that_any_post_does(house):
    house.parts.records.save_account(dataclasses.replace(house.medium, approval=True))
    delivery = house.plan_kit()

    assert house.engine.publish(delivery) == Status.AWAITING_APPROVAL
    assert house.told() == []
    decisions.approve(house.parts.deliveries, delivery, by="Otto")
    assert house.engine.publish(delivery) == Status.AWAITING_PERSON


def test_what_they_are_told_fits_where_they_are_told_it(house):
    delivery = house.found(house.plan_kit(dataclasses.replace(KIT, title="A very long headline " * 30)))
    for text in (2000, 300, 160):
        step = reminders.step(
            house.parts.settings, delivery, place="Medium", person="Anna", limits=Limits(text=text),
            now=datetime.now(UTC),
        )  # fmt: skip
        assert len(step.post.text) <= text
        (facet,) = step.post.facets
        assert step.post.text[facet.start : facet.end] == facet.value == step.post.link
        assert step.post.text.endswith(step.post.link)


# The page


def told(house):
    delivery = house.plan_kit()
    house.engine.publish(delivery)
    return delivery, house.page_of(house.told()[-1])


def send(house, page, **fields):
    """The page's form, by somebody who is not signed in."""
    shown = house.get(page, headers={"Accept": "text/html"})
    token = re.search(r'name="form_token" value="([^"]+)"', shown.text)[1]
    cookie = shown.headers["set-cookie"].partition(";")[0]
    return house.post(page, data={"form_token": token, **fields}, headers={"Origin": BASE, "Cookie": cookie})


def test_the_page_has_everything_and_looking_at_it_changes_nothing(house):
    delivery, page = told(house)

    for _ in range(2):
        answer = house.get(page)
        assert answer.status_code == 200
    for wanted in ("Post on Medium", KIT.text, KIT.link, "https://medium.com/new-story", "It is posted"):
        assert wanted in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'nonce-" in policy
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-robots-tag"] == "noindex"
    assert house.status(delivery) is Status.AWAITING_PERSON


def test_who_says_that_it_is_done_leaves_a_receipt(house):
    delivery, page = told(house)

    answer = send(house, page, link="https://medium.com/@anna/the-lighthouse-stays-1")
    assert answer.status_code == 303
    found = house.found(delivery)
    assert found.status is Status.PUBLISHED
    assert found.receipt.url == "https://medium.com/@anna/the-lighthouse-stays-1"
    assert found.receipt.extra["by"] == "Anna, by the link they were sent"
    assert datetime.fromisoformat(found.receipt.extra["at"]).tzinfo is not None
    assert house.parts.deliveries.next_look(delivery) is None
    said = house.get(page).text
    assert "It is on Medium" in said
    assert 'name="form_token"' not in said
    house.ahead += timedelta(days=1)
    house.engine.tick()
    assert house.engine.publish(delivery) == "published"
    assert len(house.told()) == 1


def test_done_without_an_address_is_done_too_and_saying_it_twice_changes_nothing(house):
    delivery, page = told(house)

    assert send(house, page, link="").status_code == 303
    first = house.found(delivery)
    assert first.receipt.id == "posted by Anna, by the link they were sent"
    with pytest.raises(Refused):
        decisions.done(house.parts.deliveries, delivery, link="https://medium.com/x", by="Otto")
    assert house.found(delivery) == first


@pytest.mark.parametrize("link", ["javascript:alert(1)", "medium.com/x", "file:///etc/passwd"])
def test_what_is_no_web_address_is_said_to_be_none_and_nothing_is_lost(house, link):
    delivery, page = told(house)

    answer = send(house, page, link=link)
    assert answer.status_code == 422
    assert "is no web address" in answer.text
    assert house.status(delivery) is Status.AWAITING_PERSON


def test_a_form_of_another_page_is_refused(house):
    delivery, page = told(house)

    assert house.post(page, data={"link": ""}).status_code == 403
    shown = house.get(page)
    token = re.search(r'name="form_token" value="([^"]+)"', shown.text)[1]
    cookie = shown.headers["set-cookie"].partition(";")[0]
    elsewhere = {"Origin": "https://elsewhere.example", "Cookie": cookie}
    assert house.post(page, data={"form_token": token}, headers=elsewhere).status_code == 403
    assert house.status(delivery) is Status.AWAITING_PERSON


def test_done_while_somebody_is_being_told_again_is_asked_to_wait(house):
    delivery, page = told(house)
    house.ahead += timedelta(hours=5)
    turn = house.parts.deliveries.begin(delivery, lease=60, stale=1e9)
    assert turn.delivery.status is Status.PREPARING

    answer = send_as(house, page, delivery)
    assert answer.status_code == 409
    assert "Try again in a moment" in answer.text


def send_as(house, page, delivery):
    """The form as it was loaded before."""
    shown = house.get("/sign-in", headers={"Accept": "text/html"})
    token = re.search(r'name="form_token" value="([^"]+)"', shown.text)[1]
    cookie = shown.headers["set-cookie"].partition(";")[0]
    return house.post(page, data={"form_token": token}, headers={"Origin": BASE, "Cookie": cookie})


def test_an_address_that_was_made_up_or_changed_or_is_too_old_opens_nothing(house):
    delivery, page = told(house)
    head, _, sign = page.rpartition(".")
    start, _, until = head.rpartition(".")
    other = "A" if sign[0] != "A" else "B"
    for wrong in (
        f"{head}.{other}{sign[1:]}",
        f"{start}.{int(until) + 1}.{sign}",
        f"{start[:-1]}0.{until}.{sign}",
        "/by-hand/x",
        f"{head}.",
        f"/by-hand/{delivery}",
    ):
        for answer in (house.get(wrong), house.get(f"{wrong}/picture/1")):
            assert answer.status_code == 404
            assert KIT.text not in answer.text
    long_ago = reminders.address(house.parts.settings, delivery, datetime.now(UTC) - timedelta(days=15))
    assert house.get(PAGE.search(long_ago)[1]).status_code == 404


def test_a_post_that_was_cancelled_is_no_longer_wanted(house):
    delivery, page = told(house)
    decisions.cancel(house.parts.deliveries, delivery)

    said = house.get(page).text
    assert "No longer wanted" in said
    assert KIT.text not in said
    house.ahead += timedelta(days=1)
    house.engine.tick()
    assert house.engine.publish(delivery) == "cancelled"


def test_the_queue_the_api_and_the_command_line_say_that_it_is_done_too(house):
    delivery, _ = told(house)
    shown = house.page(f"/queue?open={delivery}").text
    assert "awaiting person" in shown
    assert "It is posted" in shown
    assert house.decide(delivery, "done", link="https://medium.com/@anna/x").status_code == 303
    found = house.found(delivery)
    assert (found.status, found.receipt.extra["by"]) == (Status.PUBLISHED, sign_in(house.parts).user.name)


def test_a_program_says_that_it_is_done(house):
    delivery, _ = told(house)
    token = house.token("write")
    path = f"/api/v1/deliveries/{delivery}/done"
    assert house.post(path, token=token, json={"link": "nowhere"}).status_code == 422
    answer = house.post(path, token=token, json={"link": "https://medium.com/@anna/x"})
    assert answer.status_code == 200
    assert answer.json()["status"] == "published"
    assert answer.json()["receipt"]["url"] == "https://medium.com/@anna/x"


# Connecting


def connect(house, **given):
    settings = {"person": "Anna", **given}
    return house.parts.accounts.connect("medium", settings, workspace="main")


def test_who_posts_by_hand_is_told_by_an_account_that_only_they_read(house):
    for name, platform in (("public", "mastodon"), ("again", "medium")):
        house.parts.records.save_account(Account(id=f"main.{name}", platform=platform, name=name))
    for channel in ("nobody", "public", "again", "other.chat"):
        with pytest.raises(HandbillError, match=f"Nobody can be told by {channel}"):
            connect(house, channel=channel)


def test_without_an_address_that_a_phone_can_reach_nobody_is_promised_a_page(house, monkeypatch):
    with pytest.raises(HandbillError, match="HANDBILL_PUBLIC_URL is not set"):
        connect(house, channel="chat")
    house.parts.accounts._settings.public_url = "https://posts.example"
    account = connect(house, channel="chat")
    assert account.id == "main.medium-anna"
    assert account.settings["channel"] == "main.chat"
