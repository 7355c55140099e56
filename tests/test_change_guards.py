"""What no way around a change lets out: what is gone or wrong by now, what nobody approved, what somebody wrote since."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from datetime import timedelta
from itertools import product

import pytest
from typer.testing import CliRunner

from publishers.core.errors import Rejected
from publishers.slack import Slack
from rehearsal.world import Faults
from tests import test_changes
from tests.test_change_after_change import ELSEWHERE, corrected, look, posted_and_planned, tomorrow, waiting
from tests.test_change_meanwhile import corrected_with_one_planned, desk_of, taken_back
from tests.test_changes import BASE, PAGE, URL, now, opened, public
from web.render import anchor
from worker import cli, decisions
from worker.changes import WAITS, Action, made_of
from worker.commands import changes as commands
from worker.content import facts
from worker.errors import HandbillError, Refused
from worker.intake.webhooks import Event
from worker.intake.webhooks import Kind as Heard
from worker.model import Article, Status
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
    seen = {**form, "headers": {"Origin": BASE, "Accept": "text/html"}}
    page = desk.post(f"/queue/{planned.id}/retry", **seen)
    assert '<a class="button main" href="/changes">See what changed</a>' in page.text
    return {
        "page": page.text,
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


def not_carried_out(street, change, choices=None):
    """Approve a change whose worker is lost before it does anything."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(street.parts.changes, "_carry_out", lambda _: None)
        street.parts.changes.approve(change.id, choices, by="Ada")


@pytest.mark.parametrize("action", [Action.EDIT, Action.DELETE])
def test_what_went_out_before_an_approved_change_was_carried_out_stays_and_is_asked_about(
    server, here, tmp_path, site, action
):
    street, post, planned = posted_and_planned(server, here, tmp_path, site)
    site.page = corrected("£210,000")
    (change,) = look(street, post.article, minutes=1)
    not_carried_out(street, change, {planned.id: action})
    with pytest.raises(Refused, match="What Ada approved about its article"):
        edit.retry(street.parts, planned.id, by="Bob")
    words = f"Careful words about £310,000. {planned.steps[0].post.link}"
    edit.change(street.parts, planned.id, edit.Edit(text=words), by="Bob")
    decisions.retry(street.parts.deliveries, planned.id, by="Bob")  # as an older worker does it
    street.work()
    assert street.got("slack")[0].text.startswith("Careful words")
    street.parts.changes.round("main")
    street.work()
    assert street.got("slack")[0].text.startswith("Careful words about £310,000"), "nobody's words are overwritten"
    (again,) = waiting(street, post.article).values()
    assert [(p.delivery, p.out) for p in again.proposals] == [(planned.id, True)]
    street.parts.changes.approve(again.id, by="Ada")
    street.work()
    assert look(street, post.article, minutes=1) == []
    assert "£310,000" not in street.got("slack")[0].text


def test_a_post_that_may_be_out_by_now_is_not_decided_about_as_if_it_were_planned(server, here, tmp_path, site):
    street, post, planned, change = corrected_with_one_planned(server, here, tmp_path, site)
    street.world.faults["bluesky"] = Faults.read(["accept-then-drop"])
    decisions.retry(street.parts.deliveries, planned.id, by="Bob")
    street.work()
    assert now(street, planned).status is Status.UNCONFIRMED
    with pytest.raises(Refused, match="nobody knows yet"):
        street.parts.changes.approve(change.id, by="Ada")
    street.later(minutes=3)
    street.parts.changes.round("main")
    (again,) = waiting(street, post.article).values()
    asked = {p.delivery: p.action for p in again.proposals}
    assert asked == {post.id: Action.EDIT, planned.id: Action.REPOST}
    street.parts.changes.approve(again.id, by="Ada")
    street.work()
    assert not [s.failed for s in now(street, planned).steps if s.failed]


def test_a_planned_post_that_lost_its_link_to_a_move_is_asked_about_again(server, here, tmp_path, site):
    street, post, planned = posted_and_planned(server, here, tmp_path, site)
    site.page = PAGE.replace(URL, ELSEWHERE)
    (change,) = look(street, post.article, minutes=1)
    not_carried_out(street, change)
    street.later(days=1)
    assert now(street, planned).status is Status.PUBLISHED
    street.parts.changes.round("main")
    street.work()
    assert ELSEWHERE in street.got("mastodon")[0].text
    (again,) = waiting(street, post.article).values()
    assert [(p.delivery, p.out) for p in again.proposals] == [(planned.id, True)]


def test_an_account_without_a_free_slot_keeps_its_own_post_and_nobody_else(server, here, tmp_path, site):
    street, post, planned = posted_and_planned(server, here, tmp_path, site)
    account = street.parts.records.account(street.accounts["slack"].id)
    full = dataclasses.replace(account, calendar=dataclasses.replace(account.calendar, week=()))
    street.parts.records.save_account(full)
    taken_back(street)
    street.later(days=2)

    def says(kind):
        street.at += timedelta(seconds=1)
        street.parts.hooks.record("main.blog", Event(kind=kind, key=str(street.at), url=URL), street.at)
        street.parts.changes.round("main")

    says(Heard.PUBLISHED)
    says(Heard.PUBLISHED)
    held = now(street, planned)
    assert (held.status, "has no free slot" in held.reason) == (Status.HELD, True)
    assert sum("has no free slot" in e.note for e in street.parts.deliveries.history(planned.id)) == 1
    says(Heard.DELETED)
    assert waiting(street, post.article), "a later event is heard"
    says(Heard.PUBLISHED)
    street.parts.records.save_account(account)
    says(Heard.PUBLISHED)
    assert now(street, planned).status is Status.SCHEDULED


def test_one_article_that_hinders_keeps_no_other_from_being_heard_of(server, here, tmp_path, site):
    street, post, _ = posted_and_planned(server, here, tmp_path, site)

    def fails(*_, **__):
        raise HandbillError("broken")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(street.parts.changes, "_found", fails)
        taken_back(street)
    assert street.parts.aftercare.events_until("main") == street.at
    assert street.parts.aftercare.to_recheck("main", street.at, most=5) in ([], [post.article])


@pytest.mark.parametrize("way", ["page", "api", "command line"])
def test_what_is_left_as_it_is_is_asked_about_no_more(server, here, tmp_path, site, way):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    post = public(street)["mastodon"]
    site.page = corrected("£210,000")
    (change,) = look(street, post.article)
    street.change("mastodon", deleted=True)
    street.parts.changes.approve(change.id, by="Ada")
    street.work()
    desk = desk_of(street)
    token = desk.token("admin")
    (told,) = desk.get("/api/v1/changes", token=token).json()["changes"]
    assert (told["given_up"], told["picture_wrong"]) == ([post.id], [])
    assert f'formaction="/changes/{change.id}/leave" name="delivery" value="{post.id}"' in desk.page("/changes").text
    assert "Edit: not done; the edit was given up" in desk.page("/changes").text
    assert f'What was decided left posts wrong: <a href="#c-{anchor(change.id)}"' in desk.page("/changes").text
    if way == "page":
        data = {"form_token": desk.owner.form_token, "delivery": post.id}
        said = desk.post(f"/changes/{change.id}/leave", data=data, headers={"Origin": BASE}, visit=desk.owner)
        assert said.status_code == 303
    elif way == "api":
        path, body = f"/api/v1/changes/{change.id}/leave", {"delivery": post.id}
        assert desk.post("/api/v1/changes/main.other/leave", json=body, token=token).status_code == 404
        assert desk.post(path, json=body, token=token).json()["given_up"] == []
        assert desk.post(path, json=body, token=token).status_code == 404
    else:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(commands, "parts", lambda: contextlib.nullcontext(street.parts))
            assert CliRunner().invoke(commands.cli, ["leave", post.id]).exit_code == 0
    (line, *_), _ = street.parts.audit.page("main", most=5)
    assert (line.what, line.subject, line.detail) == ("change left", change.id, post.id)
    assert "/leave" not in desk.page("/changes").text
    assert "left posts wrong" not in desk.page("/changes").text
    assert look(street, post.article) == []
    assert street.parts.changes.not_right("main") == {}


def test_what_is_parked_of_a_gone_article_is_sent_again_by_no_way(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon", "telegram"])
    public(street, platforms=["mastodon"])
    street.world.faults["telegram"] = Faults.read(["accept-then-drop"])
    (other,) = street.share(platforms=["telegram"])
    for _ in range(3):
        street.later(minutes=30)
    assert now(street, other).status is Status.PARKED
    taken_back(street)
    desk = desk_of(street)
    form = {"form_token": desk.owner.form_token, "answer": "again", "attempt": str(now(street, other).fence)}
    sent = {"data": form, "headers": {"Origin": BASE}, "visit": desk.owner}
    path, token = f"/api/v1/deliveries/{other.id}/resolve", desk.token("admin")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cli, "_parts", lambda: contextlib.nullcontext(street.parts))
        typed = CliRunner().invoke(cli.cli, ["delivery", "resolve", other.id, "--send-again"])
    said = (
        desk.post(f"/queue/{other.id}/resolve", **sent).text,
        desk.post(path, json={"send_again": True}, token=token).text,
        typed.exception,
    )
    assert all("The article is gone" in str(s) for s in said), said
    assert (now(street, other).status, len(street.got("telegram"))) == (Status.PARKED, 1)


def failed_before_a_correction(server, here, tmp_path, site):
    """A street with a post whose correction is carried out, and one of the same article that failed before that."""
    street, post, planned = posted_and_planned(server, here, tmp_path, site)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Slack, "create", refused)
        street.later(days=1)
    assert now(street, planned).status is Status.FAILED
    site.page = corrected("£210,000")
    (change,) = look(street, post.article, minutes=1)
    street.parts.changes.approve(change.id, by="Ada")
    street.work()
    return street, post, planned


@pytest.mark.parametrize("way", ["page", "api", "command line", "move"])
def test_what_failed_before_its_article_was_corrected_is_sent_again_once_somebody_has_decided(
    server, here, tmp_path, site, way
):
    street, post, planned = failed_before_a_correction(server, here, tmp_path, site)
    desk = desk_of(street)
    if way == "page":
        form = {"data": {"form_token": desk.owner.form_token}, "headers": {"Origin": BASE}, "visit": desk.owner}
        answer = desk.post(f"/queue/{planned.id}/retry", **form)
        assert "&said=held#" in answer.headers["location"]
        page = desk.get(answer.headers["location"], visit=desk.owner)
        assert "its article was corrected since it was written" in page.text
    elif way == "api":
        told = desk.post(f"/api/v1/deliveries/{planned.id}/retry", token=desk.token("admin")).json()
        assert (told["status"], told["reason"]) == ("held", WAITS)
    elif way == "move":
        assert edit.move(street.parts, planned.id, soon(street, hours=5)).status is Status.HELD
    else:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(cli, "_parts", lambda: contextlib.nullcontext(street.parts))
            typed = CliRunner().invoke(cli.cli, ["delivery", "retry", planned.id])
        assert f"{planned.id} is held; {WAITS}" in " ".join(typed.output.split())
    assert (now(street, planned).status, now(street, planned).waits) == (Status.HELD, WAITS)
    street.work()
    assert street.got("slack") == []
    (asked,) = waiting(street, post.article).values()
    assert [(p.delivery, p.action) for p in asked.proposals] == [(planned.id, Action.EDIT)]
    assert all("Somebody must decide" in said for said in refusals(street, planned).values())
    street.parts.changes.approve(asked.id, by="Ada")
    street.later(days=1)
    (sent,) = street.got("slack")
    assert "£210,000" in sent.text
    assert "£310,000" not in sent.text


def test_what_was_approved_is_listed_until_it_is_known_to_be_done(server, here, tmp_path, site):
    def listed(*more):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(commands, "parts", lambda: contextlib.nullcontext(street.parts))
            return CliRunner().invoke(commands.cli, ["list", "--workspace", "main", *more])

    street = opened(server, here, tmp_path, site, ["mastodon"])
    post = public(street)["mastodon"]
    site.page = corrected("£210,000")
    (change,) = look(street, post.article)
    desk = desk_of(street)
    told = "1 article has changed after being posted."
    assert all(told in desk.page(path).text for path in ("/inbox", "/queue"))
    assert "Everything is decided" not in desk.page("/inbox").text
    assert listed().exit_code == 1
    street.parts.changes.approve(change.id, by="Ada")
    assert told not in desk.page("/inbox").text
    answer = listed()
    assert answer.exit_code == 1
    assert f"  {post.id} on mastodon ({street.accounts['mastodon'].name}): scheduled\n" in answer.output
    assert "Nothing of what was posted is wrong" not in answer.output
    (row,) = json.loads(listed("--json").output)
    assert (row["id"], row["under_way"], row["given_up"]) == (change.id, [post.id], [])
    street.work()
    assert listed().output.strip() == "Nothing of what was posted is wrong"
    assert listed().exit_code == 0


def test_what_was_held_before_anybody_could_be_asked_is_not_moved_out_either(server, here, tmp_path, site):
    street, post, planned = failed_before_a_correction(server, here, tmp_path, site)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(street.parts.changes, "ask", lambda _: [])  # the process is lost
        assert edit.retry(street.parts, planned.id).status is Status.HELD
    site.status = 503
    street.later(minutes=1)
    street.parts.changes.round("main")
    assert waiting(street, post.article) == {}
    assert edit.move(street.parts, planned.id, soon(street, hours=5)).status is Status.HELD
    (asked,) = waiting(street, post.article).values()
    street.parts.changes.dismiss(asked.id, by="Ada")
    street.later(days=1)
    (sent,) = street.got("slack")
    assert "£310,000" in sent.text


def test_what_was_held_and_lost_is_asked_about_once_its_page_can_be_read_again(server, here, tmp_path, site):
    street, post, planned = failed_before_a_correction(server, here, tmp_path, site)
    street.at += timedelta(days=200)  # its page is not looked at any more
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(street.parts.changes, "ask", lambda _: [])
        assert edit.retry(street.parts, planned.id).status is Status.HELD
    site.status = 503
    street.parts.changes.round("main")
    assert waiting(street, post.article) == {}
    site.status = 200
    street.at += timedelta(hours=1)
    street.parts.changes.round("main")
    (asked,) = waiting(street, post.article).values()
    assert [p.delivery for p in asked.proposals] == [planned.id]


def test_an_edit_that_was_approved_while_its_post_was_being_sent_is_asked_about_again(server, here, tmp_path, site):
    street, post, planned = posted_and_planned(server, here, tmp_path, site)
    site.page = corrected("£210,000")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(street.parts.changes, "_hold", lambda *_: None)  # a worker has it in hand just then
        (change,) = look(street, post.article, minutes=1)
    assert {p.delivery for p in change.proposals} == {post.id, planned.id}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Slack, "create", refused)
        street.later(days=1)
    assert now(street, planned).status is Status.FAILED
    street.parts.changes.approve(change.id, by="Ada")
    street.work()
    street.parts.changes.round("main")
    assert edit.retry(street.parts, planned.id).status is Status.HELD
    (asked,) = waiting(street, post.article).values()
    assert [p.delivery for p in asked.proposals] == [planned.id]
    street.parts.changes.approve(asked.id, by="Ada")
    street.later(days=1)
    (sent,) = street.got("slack")
    assert "£210,000" in sent.text


def test_what_failed_and_says_nothing_wrong_is_sent_again_at_once_and_so_is_what_somebody_leaves(
    server, here, tmp_path, site
):
    street, post, planned = posted_and_planned(server, here, tmp_path, site)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Slack, "create", refused)
        street.later(days=1)
    site.page = PAGE.replace("</article>", "<p>The footpath is lit at night.</p></article>")
    assert look(street, post.article, minutes=1) == []
    assert not street.parts.changes.says_wrong(now(street, planned))
    site.page = corrected("£210,000")
    look(street, post.article, minutes=1)
    assert edit.retry(street.parts, planned.id).status is Status.HELD
    for change in waiting(street, post.article).values():
        street.parts.changes.dismiss(change.id, by="Ada")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Slack, "create", refused)
        street.later(days=1)
    assert now(street, planned).status is Status.FAILED
    assert edit.retry(street.parts, planned.id).status is Status.SCHEDULED
    street.later(minutes=1)  # Slack takes one a second
    assert len(street.got("slack")) == 1


def test_what_is_parked_and_was_corrected_since_is_held_when_it_is_to_be_sent_again(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon", "telegram"])
    post = public(street, platforms=["mastodon"])["mastodon"]
    street.world.faults["telegram"] = Faults.read(["accept-then-drop"])
    (other,) = street.share(platforms=["telegram"])
    for _ in range(3):
        street.later(minutes=30)
    assert now(street, other).status is Status.PARKED
    site.page = corrected("£210,000")
    look(street, post.article, minutes=1)
    desk = desk_of(street)
    form = {"form_token": desk.owner.form_token, "answer": "again", "attempt": str(now(street, other).fence)}
    told = desk.post(f"/queue/{other.id}/resolve", data=form, headers={"Origin": BASE}, visit=desk.owner)
    assert "&said=held#" in told.headers["location"]
    assert (now(street, other).status, now(street, other).waits) == (Status.HELD, WAITS)
    street.world.faults.clear()
    for change in waiting(street, post.article).values():
        street.parts.changes.approve(change.id, by="Ada")
    street.later(days=1)
    first, second = street.got("telegram")  # the first is what nobody saw there
    assert "£310,000" in first.text
    assert "£210,000" in second.text


def test_the_version_that_a_post_was_made_of_is_found_by_its_lines_and_only_else_by_what_it_means(monkeypatch):
    def version(cost):
        text = f"The bridge cost {cost} pounds. It took {cost + 1} days."
        return Article(id="main.a", url=URL, title=f"Bridge opens for {cost} pounds", text=text, language="en")

    versions, now_ = [version(n) for n in range(100, 130)], version(200)
    wrong = {v: facts.slips(v, now_) for v in versions}
    asked = []
    told = facts.told
    monkeypatch.setattr(facts, "told", lambda slips, *texts, now: asked.append(texts) or told(slips, *texts, now=now))
    posts = [["The bridge cost 107 pounds."], ["Bridge opens for 103 pounds", "It took 104 days."], ["It rained."] * 2]
    assert made_of(posts[:2], wrong, now_) == [versions[7], versions[3]]
    assert asked == []
    assert made_of([["What a bridge: it cost all of 112 pounds!"], posts[2]], wrong, now_) == [versions[12]]
    assert len(asked) == 2 * len(versions)
