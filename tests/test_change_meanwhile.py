"""What people and sites do while a change waits: nothing of a gone article goes out, and nobody's words are lost."""

from __future__ import annotations

import contextlib
import dataclasses
from datetime import timedelta
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from publishers import load
from publishers.core.post import Receipt
from rehearsal.world import Faults
from tests import test_changes
from tests.street import SAMPLE
from tests.test_change_after_change import corrected, look, posted_and_planned, tomorrow, waiting
from tests.test_changes import BASE, PAGE, URL, Desk, ghost_says, now, opened, public
from web.app import create_app
from worker import cli, decisions
from worker.changes import UNNAMED, Action, State
from worker.errors import Refused
from worker.gather import Gatherer
from worker.intake.model import Candidate, Fate
from worker.intake.webhooks import Event
from worker.intake.webhooks import Kind as Heard
from worker.model import Page, Status
from worker.pipeline import changes as pipeline
from worker.pipeline import edit
from worker.pipeline.share import share
from worker.store import aftercare

server, here, site = test_changes.server, test_changes.here, test_changes.site


def desk_of(street):
    desk = Desk.__new__(Desk)
    desk.parts, desk.app = street.parts, create_app(street.parts)
    return desk


def corrected_with_one_planned(server, here, tmp_path, site):
    """A street with a post on Mastodon, one of the same article that is planned on Bluesky, and the change of both."""
    street = opened(server, here, tmp_path, site, ["mastodon", "bluesky"])
    post = public(street, platforms=["mastodon"])["mastodon"]
    (planned,) = street.share(platforms=["bluesky"], send=False)
    site.page = corrected("£210,000")
    (change,) = street.parts.changes.recheck(post.article)
    return street, post, planned, change


def taken_back(street):
    street.at += timedelta(seconds=1)
    street.parts.hooks.record("main.blog", Event(kind=Heard.DELETED, key=str(street.at), url=URL), street.at)
    street.parts.changes.round("main")


def test_what_its_site_took_back_is_shared_only_by_somebody_who_insists(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon", "telegram"])
    post = public(street, platforms=["mastodon"])["mastodon"]
    taken_back(street)
    allow = f"handbill evergreen allow {post.article}"
    with pytest.raises(Refused, match="The article is gone: the site said: deleted") as told:
        share(street.parts, SAMPLE, workspace="main", accounts=["telegram-me"])
    assert allow in told.value.do
    reader = street.parts.reader
    passed = SimpleNamespace(page=Page(url=URL, kind="html", content=PAGE), address=URL)
    asked = Candidate(address=URL, accounts=("main.telegram-me",), at="now", way="api")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reader, "_looked_at", lambda _: passed)
        reader.work(street.parts.intake.arrived(None, asked, workspace="main").id)
    (row,) = street.parts.sources.latest("main", [Fate.HELD], most=2)
    (item,) = street.parts.sources.items([row[1]])
    assert "The article is gone: the site said: deleted" in item.reason
    assert street.parts.records.deliveries_of(post.article) == [post.id]
    street.work()
    assert street.got("telegram") == []
    street.parts.aftercare.allow(post.article)
    share(street.parts, SAMPLE, workspace="main", accounts=["telegram-me"])
    street.work()
    assert len(street.got("telegram")) == 1


@pytest.mark.parametrize("how", ["page", "api", "command line"])
def test_a_post_of_an_article_that_is_gone_is_not_approved(server, here, tmp_path, site, how):
    street = opened(server, here, tmp_path, site, ["mastodon", "slack"])
    post = public(street, platforms=["mastodon"])["mastodon"]
    planned = tomorrow(street, post.article, approve=True)
    street.parts.aftercare.stop(post.article, "the site said: deleted", gone=True)  # found just now, and not held yet
    assert now(street, planned).status is Status.AWAITING_APPROVAL
    desk = desk_of(street)
    if how == "page":
        data = {"form_token": desk.owner.form_token, "seal": ""}
        said = desk.post(f"/queue/{planned.id}/approve", data=data, headers={"Origin": BASE}, visit=desk.owner).text
    elif how == "api":
        said = desk.post(f"/api/v1/deliveries/{planned.id}/approve", token=desk.token("admin")).text
    else:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(cli, "_parts", lambda: contextlib.nullcontext(street.parts))
            said = str(CliRunner().invoke(cli.cli, ["delivery", "approve", planned.id]).exception)
    assert "The article is gone" in said
    assert now(street, planned).status is Status.AWAITING_APPROVAL
    street.parts.aftercare.allow(post.article)
    edit.approve(street.parts, planned.id, by="Ada")
    assert now(street, planned).status is Status.SCHEDULED


@pytest.mark.parametrize("right", [False, True])
def test_what_somebody_writes_between_approval_and_its_execution_stays_and_is_asked_about(
    server, here, tmp_path, site, right
):
    street, post, planned = posted_and_planned(server, here, tmp_path, site)
    site.page = corrected("£210,000")
    (change,) = look(street, post.article, minutes=1)
    care = street.parts.aftercare
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(street.parts.changes, "_carry_out", lambda _: None)  # its worker is lost
        street.parts.changes.approve(change.id, by="Ada")
    words = f"Careful words{'' if right else ' about £310,000 saved'}. {planned.steps[0].post.link}"
    title = planned.steps[0].post.title.replace("£310,000", "£210,000")
    picture = () if right else None
    edit.change(street.parts, planned.id, edit.Edit(text=words, picture=picture, title=title), by="Bob")
    for _ in range(2):
        street.parts.changes.finish("main")
        street.work()
        found = now(street, planned)
        assert (found.status, found.steps[0].post.text) == (Status.HELD, words)
    assert "210,000" in street.got("mastodon")[0].text, "the others are put right meanwhile"
    street.at += timedelta(minutes=1)
    street.parts.changes.round("main")
    open_ = list(waiting(street, post.article).values())
    assert [p.delivery for c in open_ for p in c.proposals] == ([] if right else [planned.id])
    assert planned.id in care.applied(change)
    if not right:
        assert look(street, post.article, minutes=1) == [], "asked about once"
        street.parts.changes.approve(open_[0].id, {planned.id: Action.LEAVE}, by="Ada")
    found = now(street, planned)
    assert (found.status, found.steps[0].post.text) == (Status.SCHEDULED, words)
    assert look(street, post.article, minutes=1) == []


def test_what_was_planned_and_has_gone_out_is_asked_about_with_what_can_be_done_by_now(server, here, tmp_path, site):
    street, post, planned, change = corrected_with_one_planned(server, here, tmp_path, site)
    assert {p.action for p in change.proposals} == {Action.EDIT}
    street.parts.changes._resume(now(street, planned), by="Bob")
    street.later(days=1)
    assert now(street, planned).status is Status.PUBLISHED
    with pytest.raises(Refused, match="has gone out meanwhile"):
        street.parts.changes.approve(change.id, by="Ada")
    (again,) = look(street, post.article, minutes=1)
    assert street.parts.aftercare.change(change.id).state is State.DISMISSED
    asked = {street.parts.deliveries.get(p.delivery).platform: p.action for p in again.proposals}
    assert asked == {"mastodon": Action.EDIT, "bluesky": Action.REPOST}


def test_a_reply_to_what_is_not_there_any_more_is_not_sent(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    post = public(street)["mastodon"]
    site.page = corrected("£210,000")
    (change,) = look(street, post.article)
    site.status = 410
    (gone,) = look(street, post.article)
    with pytest.raises(Refused):
        street.parts.changes.approve(change.id, {post.id: Action.REPLY}, by="Ada")
    street.parts.changes.approve(gone.id, by="Bob")
    street.work()
    approved = dataclasses.replace(
        gone, id=f"{gone.id}-9", state=State.APPROVED,
        proposals=(dataclasses.replace(gone.proposals[0], action=Action.REPLY, reply="Correction"),),
    )  # fmt: skip
    street.parts.aftercare.add_change(approved)
    street.parts.changes.finish("main")
    street.work()
    assert street.got("mastodon") == []
    assert street.parts.aftercare.applied(approved) == {post.id}


def test_a_post_is_asked_about_however_many_versions_its_article_has_had_since(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon", "slack"])
    post = public(street, platforms=["mastodon"])["mastodon"]
    site.page = corrected("£210,000")
    look(street, post.article, minutes=1)
    for change in waiting(street, post.article).values():
        street.parts.changes.dismiss(change.id, by="Ada")
    planned = tomorrow(street, post.article)
    assert "210,000" in planned.steps[0].post.text
    with pytest.MonkeyPatch.context() as patched:
        for place in (aftercare, pipeline):
            patched.setattr(place, "VERSIONS_MOST", 2)
        for number in range(3, 7):
            site.page = corrected(f"£{number}11,000")
            look(street, post.article, minutes=1)
            (change,) = waiting(street, post.article).values()
            assert planned.id in {p.delivery for p in change.proposals}, number
            assert now(street, planned).status is Status.HELD
    kept = [a.title for a in street.parts.aftercare.versions(post.article)]
    assert len(kept) <= 1 + 2 + 2, "the first, the latest, and one for each post"
    assert any("210,000" in title for title in kept)
    street.parts.changes.approve(change.id, by="Ada")
    assert "611,000" in now(street, planned).steps[0].post.text
    assert "210,000" not in now(street, planned).steps[0].post.text


def test_what_is_known_by_an_address_alone_is_for_a_person_to_change(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    post = public(street)["mastodon"]
    given = dataclasses.replace(post.steps[0], receipt=Receipt(id="https://mastodon.example/@me", url=None))
    street.parts.deliveries.change(
        post.id, Status.PUBLISHED, origins=[Status.PUBLISHED], note="as a person says", steps=(given,),
        seen=now(street, post).fence,
    )  # fmt: skip
    site.page = corrected("£210,000")
    (change,) = look(street, post.article)
    (proposal,) = change.proposals
    assert proposal.options == (Action.ASK, Action.LEAVE)
    assert UNNAMED in proposal.why


@pytest.mark.parametrize(
    ("platform", "kept"), [("vk", {"on": "7"}), ("wordpress", {"on": "-1_7"}), ("misskey", {"reply_to": "-1_7"})]
)
def test_a_receipt_that_a_person_gives_knows_what_its_message_answers(platform, kept):
    publisher = object.__new__(load(platform))
    found = publisher.answering(Receipt(id="-1_9"), Receipt(id="-1_7"))
    assert (found.id, found.extra) == ("-1_9", kept)


@pytest.mark.parametrize("status", [Status.UNCONFIRMED, Status.PUBLISHED])
def test_who_answers_what_nobody_asked_is_told_what_happens_instead(server, here, tmp_path, site, status):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    if status is Status.UNCONFIRMED:
        street.world.faults["mastodon"] = Faults.read(["accept-then-drop"])
    (post,) = street.share()
    assert post.status is status
    with pytest.raises(Refused, match=f"{post.id} does not wait for an answer") as told:
        decisions.resolve(street.parts.deliveries, post.id, there="https://mastodon.example/@me/1")
    said = "by itself" if status is Status.UNCONFIRMED else "it is published"
    assert said in str(told.value)
    assert f"handbill delivery show {post.id}" in told.value.do


@pytest.mark.parametrize("kind", ["post.unpublished", "post.deleted"])
def test_what_is_planned_of_an_article_that_its_system_takes_back_is_held_before_the_system_is_answered(
    server, here, tmp_path, site, kind
):
    street, post, planned = posted_and_planned(server, here, tmp_path, site)
    tended = []
    gatherer = Gatherer(street.parts, wake=lambda _: None, tend=tended.append)
    gatherer.listened()
    assert tended == []
    ghost_says(street, kind)
    held = now(street, planned)
    assert (held.status, held.reason) == (Status.HELD, f"the site said: {kind.partition('.')[2]}")
    for _ in range(3):
        gatherer.listened()
    assert tended == ["main"], "a round is asked for at once, and once"
    street.parts.changes.round("main")
    (change,) = street.parts.aftercare.changes("main")
    assert {p.delivery for p in change.proposals} == {post.id, planned.id}
    Gatherer(street.parts, wake=lambda _: None, tend=tended.append).listened()
    assert tended == ["main"], "what was acted on is not asked for again"


def test_what_a_system_says_while_a_round_acts_on_what_it_said_before_is_heard_in_that_round(
    server, here, tmp_path, site, monkeypatch
):
    street, post, planned = posted_and_planned(server, here, tmp_path, site)
    said = [Heard.DELETED]

    def release(self, name, *, by, real=pipeline.Changes._release):
        real(self, name, by=by)
        while said:
            street.at += timedelta(seconds=1)
            street.parts.hooks.record("main.blog", Event(kind=said.pop(), key=str(street.at), url=URL), street.at)

    monkeypatch.setattr(pipeline.Changes, "_release", release)
    street.parts.hooks.record("main.blog", Event(kind=Heard.PUBLISHED, key="again", url=URL), street.at)
    street.parts.changes.round("main")
    assert now(street, planned).status is Status.HELD
    (change,) = street.parts.aftercare.changes("main")
    assert post.id in {p.delivery for p in change.proposals}
