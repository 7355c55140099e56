"""What no way around a change lets out: what is gone or wrong by now, what nobody approved, what somebody wrote since."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from itertools import product

import pytest
from typer.testing import CliRunner

from publishers.core.errors import Rejected
from publishers.slack import Slack
from tests import test_changes
from tests.test_change_after_change import corrected, look, posted_and_planned, tomorrow, waiting
from tests.test_change_meanwhile import desk_of, taken_back
from tests.test_changes import BASE, now, opened, public
from worker import cli
from worker.changes import WAITS, Action
from worker.model import Status
from worker.pipeline import edit
from worker.schedule import When

server, here, site = test_changes.server, test_changes.here, test_changes.site


def refused(*_, **__):
    raise Rejected("not now")


def soon(street, **span):
    return When(street.at + timedelta(**(span or {"seconds": 2})), "", "UTC")


def refusals(street, planned):
    """What every way to send or move a delivery answers, by its name."""
    desk = desk_of(street)
    form = {"data": {"form_token": desk.owner.form_token}, "headers": {"Origin": BASE}, "visit": desk.owner}
    token = desk.token("admin")
    wall = f"{street.at + timedelta(hours=5):%Y-%m-%dT%H:%M}"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cli, "_parts", lambda: contextlib.nullcontext(street.parts))
        typed = CliRunner().invoke(cli.cli, ["delivery", "retry", planned.id])
    moved = {**form, "data": {**form["data"], "wall": wall, "zone": "UTC", "seen": str(now(street, planned).fence)}}
    composed = {**form, "data": {**form["data"], "do": "plan", "when": "now", "seen": str(now(street, planned).fence)}}
    path = f"/api/v1/deliveries/{planned.id}"
    return {
        "page": desk.post(f"/queue/{planned.id}/retry", **form).text,
        "calendar": desk.post(f"/calendar/post/{planned.id}/move", **moved).text,
        "composer": desk.post(f"/compose/{planned.article}/{planned.id}", **composed).text,
        "api": desk.post(f"{path}/retry", token=token).text,
        "api move": desk.post(f"{path}/move", json={"at": "slot"}, token=token).text,
        "command line": str(typed.exception),
    }


@pytest.mark.parametrize("status", [Status.HELD, Status.FAILED])
def test_what_is_planned_of_a_gone_article_is_sent_by_no_way_unless_somebody_insists(
    server, here, tmp_path, site, status
):
    street = opened(server, here, tmp_path, site, ["mastodon", "slack"])
    post = public(street, platforms=["mastodon"])["mastodon"]
    planned = tomorrow(street, post.article)
    if status is Status.FAILED:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Slack, "create", refused)
            street.later(days=1)
    taken_back(street)
    assert now(street, planned).status is status
    for way, said in refusals(street, planned).items():
        assert "The article is gone" in said, (way, said)
        assert "handbill evergreen allow" in said, way
    street.later(minutes=1)
    street.work()
    assert street.got("slack") == []
    street.parts.aftercare.allow(post.article)
    edit.retry(street.parts, planned.id, by="Bob")
    street.work()
    assert len(street.got("slack")) == 1


def test_what_says_something_wrong_is_sent_by_no_way_before_somebody_decides(server, here, tmp_path, site):
    street, post, planned = posted_and_planned(server, here, tmp_path, site)
    draft = tomorrow(street, post.article, draft=True, again=True)
    site.page = corrected("£210,000")
    (change,) = look(street, post.article, minutes=1)
    for way, said in refusals(street, planned).items():
        assert "Somebody must decide about its article" in said, (way, said)
        assert f"handbill changes approve {change.id}" in said, way
    assert now(street, planned).status is Status.HELD
    finished = edit.finish(street.parts, draft.id, soon(street, minutes=5), by="Bob")
    assert (finished.status, finished.reason) == (Status.HELD, WAITS)
    assert look(street, post.article, minutes=1) == [], "it is asked about already"
    street.later(minutes=10)
    street.work()
    assert street.got("slack") == []
    street.parts.changes.approve(change.id, by="Ada")
    street.later(days=1)
    street.later(minutes=1)  # Slack takes one at a time
    said = [t.text for t in street.got("slack")]
    assert (len(said), sum("£210,000" in t for t in said)) == (2, 2)


def test_a_draft_that_was_planned_behind_a_change_is_held_by_the_next_look(server, here, tmp_path, site):
    street, post, planned = posted_and_planned(server, here, tmp_path, site)
    site.page = corrected("£210,000")
    look(street, post.article, minutes=1)
    to = Status.SCHEDULED  # as an older worker does it
    street.parts.deliveries.change(planned.id, to, origins=[Status.HELD], note="sent again", due=planned.due)
    assert look(street, post.article, minutes=1) == []
    assert (now(street, planned).status, now(street, planned).waits) == (Status.HELD, WAITS)


def test_a_draft_that_was_put_right_goes_out_without_being_asked_about(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon", "slack"])
    post = public(street, platforms=["mastodon"])["mastodon"]
    draft = tomorrow(street, post.article, draft=True)
    site.page = corrected("£210,000")
    look(street, post.article, minutes=1)
    was = draft.steps[0].post
    words = {"text": was.text.replace("£310,000", "£210,000"), "title": was.title.replace("£310,000", "£210,000")}
    edit.change(street.parts, draft.id, edit.Edit(**words, picture=()), by="Bob")
    assert edit.finish(street.parts, draft.id, soon(street, hours=5), by="Bob").status is Status.HELD
    street.parts.changes.round("main")
    assert now(street, draft).status is Status.SCHEDULED
    (change,) = waiting(street, post.article).values()
    assert [p.delivery for p in change.proposals] == [post.id]


@pytest.mark.parametrize("case", list(product((True, False), repeat=2)), ids=str)
def test_a_post_that_somebody_asked_approval_for_goes_out_with_one_only(server, here, tmp_path, site, case):
    flickers, approved = case
    street = opened(server, here, tmp_path, site, ["mastodon", "slack"])
    post = public(street, platforms=["mastodon"])["mastodon"]
    planned = tomorrow(street, post.article, approve=True)
    assert planned.status is Status.AWAITING_APPROVAL
    if approved:
        edit.approve(street.parts, planned.id, by="Ada")
    if flickers:
        site.status = 410
    else:
        site.page = corrected("£210,000")
    found = look(street, post.article, minutes=1)
    assert now(street, planned).status is Status.HELD
    if flickers:
        site.status = 200
        look(street, post.article, minutes=1)
    else:
        if approved:
            words = f"Other words. {planned.steps[0].post.link}"
            edit.change(street.parts, planned.id, edit.Edit(text=words), by="Bob")
        street.parts.changes.approve(found[0].id, {planned.id: Action.LEAVE}, by="Ada")
    as_approved = flickers and approved
    assert now(street, planned).status is (Status.SCHEDULED if as_approved else Status.AWAITING_APPROVAL)
    street.later(days=1)
    street.work()
    assert len(street.got("slack")) == as_approved


def test_a_post_that_waited_for_approval_waits_for_it_again_when_somebody_sends_it_all_the_same(
    server, here, tmp_path, site
):
    street = opened(server, here, tmp_path, site, ["mastodon", "slack"])
    post = public(street, platforms=["mastodon"])["mastodon"]
    planned = tomorrow(street, post.article, approve=True)
    taken_back(street)
    street.parts.aftercare.allow(post.article)
    assert edit.retry(street.parts, planned.id, by="Bob").status is Status.AWAITING_APPROVAL
    street.parts.changes._stop(street.parts.records.article(post.article)[0], "its page answers 410")
    street.parts.aftercare.allow(post.article)
    assert edit.move(street.parts, planned.id, soon(street, hours=3), by="Bob").status is Status.AWAITING_APPROVAL
    street.parts.changes._stop(street.parts.records.article(post.article)[0], "its page answers 410")
    street.parts.aftercare.allow(post.article)
    assert edit.retry(street.parts, planned.id, by="Ada", approves=True).status is Status.SCHEDULED
