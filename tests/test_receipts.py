"""Receipts: entered once for each act, in a chain that nobody changes unseen, and read back as readers see it."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import subprocess
import sys
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from publishers import load
from publishers.core.post import Media, Post, Receipt, Seen
from rehearsal.world import Faults
from tests.newsroom import sign_in
from tests.street import NOW, Street, listening
from tests.test_web import BASE, Desk
from web.app import create_app
from worker import decisions, receipts, show
from worker.commands import receipts as commands
from worker.embedded import Embedded
from worker.model import Delivery, Status, Step, StepKind, to_json
from worker.receipts import Sight


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Embedded.start(tmp_path_factory.mktemp("receipts")) as running:
        yield running


@pytest.fixture(scope="module")
def here():
    with listening() as now:
        yield now


@pytest.fixture
def street(server, here, tmp_path):
    return Street(server, tmp_path, here)


# The chain


def chain(count):
    before, made = receipts.FIRST, []
    for number in range(1, count + 1):
        step = Step(
            kind=StepKind.POST, ordinal=0, key=f"{number:040}", post=Post(text=f"Text {number}"),
            receipt=receipts_of(number), at=NOW,
        )  # fmt: skip
        delivery = Delivery(
            id=f"main.{number}", article="main.a", account="main.x", platform="x", status=Status.PUBLISHED, due=NOW,
            steps=(step,),
        )  # fmt: skip
        made.append(receipts.entry(delivery, step, 0, number=number, at=NOW, attempts=1, before=before))
        before = made[-1].hash
    return made


def receipts_of(number):

    return Receipt(id=str(number), url=f"https://example.org/{number}")


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 8), st.integers(0, 7),
    st.sampled_from(["remove", "swap", "permalink", "text_sha256", "approver", "attempts", "number", "hash"]),
)  # fmt: skip
def test_whatever_is_changed_left_out_or_moved_in_a_ledger_is_seen(count, place, what):
    made = chain(count)
    assert receipts.broken(made) == ""
    place %= count
    if what == "remove":
        if place in {0, count - 1}:  # an end may be cut off: its hash must be kept elsewhere to see that
            return
        del made[place]
    elif what == "swap":
        made[place], made[place - 1] = made[place - 1], made[place]
    else:
        value = getattr(made[place], what)
        made[place] = dataclasses.replace(made[place], **{what: value + 1 if isinstance(value, int) else f"{value}0"})
    assert receipts.broken(made)


MEDIA = Media(path="", sha256="a", mime="image/png", width=1, height=1, size=1, alt="A ship")
POST = Post(text="Hello", media=(MEDIA,))


@pytest.mark.parametrize(
    ("seen", "lines"),
    [
        (Seen(text="Hello", same=True, pictures=1, alts=("A ship",)), []),
        (Seen(text="Hello", same=True), []),
        (None, ["it is not there any more"]),
        (Seen(text="Hallo", same=False), ["the text is another: “Hallo”"]),
        (Seen(text="Hello", same=True, pictures=0, alts=()), ["it has 0 of 1 pictures"]),
        (Seen(text="Hello", same=True, pictures=1, alts=("",)), ["the alt text is not the one that was sent"]),
        (Seen(text="Hello", same=True, card=False), ["the link shows no card"]),
    ],
)
def test_what_is_not_as_it_was_sent_is_said_line_by_line(seen, lines):
    assert receipts.differences(POST, seen) == lines


# On stand-ins


def test_each_act_is_entered_once_and_every_post_is_found_live(street):
    made = street.share(thread=True)
    assert {d.status for d in made} == {Status.PUBLISHED}
    street.parts.receipts.round("main")
    street.parts.receipts.round("main")
    entries = list(street.parts.aftercare.every_entry("main"))
    assert receipts.broken(entries) == ""
    assert [e.number for e in entries] == list(range(1, len(entries) + 1))
    wanted = {(d.id, n, s.receipt.id, s.receipt.url) for d in made for n, s in enumerate(d.steps)}
    assert {(e.delivery, e.step, e.remote_id, e.permalink) for e in entries} == wanted
    first = made[0].steps[0]
    (told,) = [e for e in entries if e.delivery == made[0].id and e.step == 0]
    assert told.text_sha256 == hashlib.sha256(first.post.text.encode()).hexdigest()
    assert told.pictures_sha256 == (first.post.media[0].sha256,)
    assert told.attempts == 1

    assert not street.parts.aftercare.readbacks("main", [d.id for d in made]), "not before some minutes have passed"
    street.later(minutes=4)
    assert street.parts.receipts.round("main") == len(made)
    seen = street.parts.aftercare.readbacks("main", [d.id for d in made])
    assert {s.sight for s in seen.values()} == {Sight.LIVE}, seen
    assert street.parts.receipts.round("main") == 0, "once it is confirmed it is not read again"


def test_the_command_tells_attempts_who_approved_it_and_when_it_is_read_back(street, monkeypatch):
    def told():
        return CliRunner().invoke(commands.cli, ["show", made.id]).stdout

    monkeypatch.setattr(commands, "parts", lambda: contextlib.nullcontext(street.parts))
    (made,) = street.share(platforms=["mastodon"], send=False, approve=True)
    assert "there is no receipt" in told()
    decisions.approve(street.parts.deliveries, made.id, by="Ada")
    street.world.faults["mastodon"] = Faults.read(["drop-before"])
    street.work()
    street.later(minutes=1)
    found = street.parts.deliveries.get(made.id)
    assert found.status is Status.PUBLISHED
    assert show.delivery_json(found)["attempts"] == 2
    said = told()
    assert "in 2 attempts; approved by Ada" in said
    at = found.updated_at + timedelta(minutes=3)
    assert f"read back: not yet; at {at:%Y-%m-%d %H:%M} UTC" in said
    desk = Desk.__new__(Desk)
    desk.parts, desk.app = street.parts, create_app(street.parts)
    assert "It is read back at" in desk.page(f"/receipts/{made.id}").text
    assert desk.get(f"/api/v1/receipts/{made.id}", token=desk.token()).json()["reads_at"] == at.isoformat()
    street.later(minutes=4)
    street.parts.receipts.round("main")
    assert f"read back: live, at {street.at:%Y-%m-%d %H:%M} UTC\n" in told()


@pytest.mark.parametrize("platform", ["mastodon", "bluesky", "discord", "x"])
def test_what_somebody_changed_or_took_away_there_is_flagged_after_it_was_looked_at_again(
    server, here, tmp_path, platform
):
    street = Street(server, tmp_path, here, [platform])
    (made,) = street.share()
    street.parts.receipts.round("main")
    post = street.got(platform)[-1]
    own = dict(post.own)
    if platform == "bluesky":  # these two show what they were given
        own["record"] = {**own["record"], "text": "Another text"}
    if platform == "discord":
        own["content"] = "Another text"
    street.change(platform, text="Another text", facets=(), pictures=(), own=own)
    street.later(minutes=4)
    street.parts.receipts.round("main")
    (seen,) = street.parts.aftercare.readbacks("main", [made.id]).values()
    assert seen.sight is Sight.DIFFERS
    assert seen.notes[0] == "the text is another: “Another text”"
    assert street.parts.aftercare.flagged("main") == [], "a platform may still be at work on it"
    for pause in (8, 31, 181):
        street.later(minutes=pause)
        street.parts.receipts.round("main")
    assert street.parts.aftercare.flagged("main") == [made.id]

    street.change(platform, deleted=True)
    assert street.parts.receipts.read_one(made.id, final=True).sight is Sight.GONE
    assert street.parts.aftercare.flagged("main") == [made.id]


def test_a_post_is_given_to_those_of_its_places_that_were_away_and_they_are_named_while_they_lack_it(
    server, here, tmp_path, monkeypatch
):
    street = Street(server, tmp_path, here, ["mastodon"])
    (made,) = street.share()
    street.parts.receipts.round("main")
    away, told = [("wss://one.example", "wss://two.example"), ("wss://two.example",), ()], []
    monkeypatch.setattr(load("mastodon"), "spread", lambda self, receipt: told.append(receipt) or away[len(told) - 1])
    found = []
    for pause in (4, 8, 31, 181):
        street.later(minutes=pause)
        street.parts.receipts.round("main")
        found += street.parts.aftercare.readbacks("main", [made.id]).values()
    assert found[0].notes == ("wss://one.example has not taken it yet", "wss://two.example has not taken it yet")
    assert found[1].notes == ("wss://two.example has not taken it yet",)
    assert [f.sight for f in found] == [Sight.DIFFERS, Sight.DIFFERS, Sight.LIVE, Sight.LIVE]
    assert told == [made.steps[0].receipt] * 3, "what all of them have is given to nobody"


def test_a_platform_that_nobody_can_read_says_so_and_one_that_is_away_is_asked_again(
    server, here, tmp_path, monkeypatch
):
    street = Street(server, tmp_path, here, ["telegram", "mastodon"])
    telegram, mastodon = street.share()
    street.parts.receipts.round("main")
    home = here["app"]

    async def broken(scope, receive, send):
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b"no"})

    here["app"] = broken
    street.at += timedelta(minutes=4)
    street.parts.receipts.round("main")
    seen = street.parts.aftercare.readbacks("main", [telegram.id, mastodon.id])
    assert seen[telegram.id].notes == ("Telegram gives no way to read a message again",)
    assert seen[mastodon.id].sight is Sight.UNREADABLE
    here["app"] = home
    street.at += timedelta(minutes=8)
    street.parts.receipts.round("main")
    assert street.parts.aftercare.readbacks("main", [mastodon.id])[mastodon.id].sight is Sight.LIVE
    assert street.parts.aftercare.flagged("main") == []
    monkeypatch.setattr(commands, "parts", lambda: contextlib.nullcontext(street.parts))
    said = CliRunner().invoke(commands.cli, ["flagged", "--workspace", "main"])
    assert (said.output.strip(), said.exit_code) == ("Everything that was read back is there as it was sent", 0)


# Pages, files, the command


def test_the_receipt_page_the_api_and_the_files_say_the_same_and_the_command_checks_the_chain(street, tmp_path):
    made = street.share()
    street.parts.receipts.round("main")
    street.later(minutes=4)
    street.parts.receipts.round("main")
    desk = Desk.__new__(Desk)
    desk.parts, desk.app = street.parts, create_app(street.parts)
    page = desk.page(f"/receipts/{made[0].id}").text
    entry = next(e for e in street.parts.aftercare.every_entry("main") if e.delivery == made[0].id)
    for told in (entry.permalink, entry.text_sha256, entry.pictures_sha256[0], entry.hash, "live"):
        assert told in page
    assert "Every act that a platform has confirmed" in desk.page("/receipts").text
    answer = desk.get(f"/api/v1/receipts/{made[0].id}", token=desk.token()).json()
    assert answer["entries"][0]["hash"] == entry.hash
    assert answer["readback"]["sight"] == "live"
    visit = sign_in(street.parts, "viewer")
    lines = desk.get("/receipts.jsonl", visit=visit).text
    assert desk.get("/receipts.csv", visit=visit).text.count("\n") == len(made) + 1

    file = tmp_path / "ledger.jsonl"
    file.write_text(lines)
    command = [sys.executable, "-m", "worker", "receipts", "verify", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.startswith(f"{len(made)} entries hold together; the last is "), done.stderr
    file.write_text(lines.replace(entry.permalink, f"{entry.permalink}x"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "its hash is not that of what it says" in done.stderr
    assert to_json(entry).count(entry.hash) == 1


def test_somebody_may_read_back_at_once_and_say_that_it_was_seen(street):
    made = street.share(platforms=["mastodon"])
    street.parts.receipts.round("main")
    street.change("mastodon", deleted=True)
    desk = Desk.__new__(Desk)
    desk.parts, desk.app = street.parts, create_app(street.parts)
    data = {"form_token": desk.owner.form_token}
    path = f"/receipts/{made[0].id}"
    assert desk.post(f"{path}/read", data=data, headers={"Origin": BASE}, visit=desk.owner).status_code == 303
    assert street.parts.aftercare.flagged("main") == [made[0].id]
    assert "not there any more" in desk.page(path).text
    desk.post(f"{path}/noted", data=data, headers={"Origin": BASE}, visit=desk.owner)
    assert street.parts.aftercare.flagged("main") == []
