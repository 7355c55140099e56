"""An edit keeps its message's pictures, whichever way the receipt came: by the answer, by a look-up or from a person."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from rehearsal.world import Faults
from tests import test_changes
from tests.test_changes import PAGE, now, opened, public
from tests.test_web import Desk
from web.app import create_app
from worker.changes import PICTURE_WRONG, Action
from worker.commands import changes as commands
from worker.model import Status

server, here, site = test_changes.server, test_changes.here, test_changes.site


@pytest.mark.parametrize("platform", ["x", "mastodon", "slack"])
def test_a_post_that_was_found_after_a_lost_answer_keeps_its_picture_when_it_is_edited(
    server, here, tmp_path, site, platform
):
    street = opened(server, here, tmp_path, site, [platform])
    street.world.faults[platform] = Faults.read(["accept-then-drop"])
    (post,) = street.share()
    for _ in range(3):
        street.later(minutes=2)
    found = now(street, post)
    assert found.status is Status.PUBLISHED, found.reason
    (before,) = street.got(platform)
    assert len(before.pictures) == 1
    _edited(street, site, found, platform, before)


@pytest.mark.parametrize("platform", ["x", "mastodon", "slack", "telegram", "discord"])
def test_a_post_whose_receipt_a_person_gave_keeps_its_picture_when_it_is_edited(server, here, tmp_path, site, platform):
    street = opened(server, here, tmp_path, site, [platform])
    found = now(street, public(street)[platform])
    (before,) = street.got(platform)
    assert len(before.pictures) == 1
    bare = dataclasses.replace(found.steps[0], receipt=dataclasses.replace(found.steps[0].receipt, extra={}))
    street.parts.deliveries.change(
        found.id, Status.PUBLISHED, origins=[Status.PUBLISHED], note="as a person says", steps=(bare,), seen=found.fence
    )
    _edited(street, site, found, platform, before)


def _edited(street, site, post, platform, before):
    number = next(n for n in ("2.34 million", "9,482", "14-month", "38 of") if n in before.text)  # none of the card
    site.page = PAGE.replace(number, f"1{number}")
    street.at += timedelta(minutes=30)
    (change,) = street.parts.changes.recheck(post.article)
    street.parts.changes.approve(change.id, {post.id: Action.EDIT}, by="Ada")
    for _ in range(3):
        street.work()
        street.later(minutes=2)
    done = now(street, post)
    assert done.status is Status.EDITED, done.reason
    (after,) = street.got(platform)
    assert f"1{number}" in after.text
    assert [p.path for p in after.pictures] == [p.path for p in before.pictures]


@pytest.mark.parametrize("platform", ["mattermost", "facebook"])
def test_where_the_card_says_what_is_wrong_a_new_post_is_offered_and_an_edit_is_not_called_right(
    server, here, tmp_path, site, platform
):
    street = opened(server, here, tmp_path, site, [platform])
    post = public(street)[platform]
    title = post.steps[0].post.title
    assert post.steps[0].post.media[0].design
    site.page = site.page.replace(title, "Brightwater tunnel closes for ever")
    street.at += timedelta(minutes=30)
    (change,) = street.parts.changes.recheck(post.article)
    (proposal,) = change.proposals
    assert (proposal.action, Action.EDIT in proposal.options) == (Action.REPOST, True)
    assert PICTURE_WRONG in proposal.why
    street.parts.changes.approve(change.id, {post.id: Action.EDIT}, by="Ada")
    street.work()
    assert now(street, post).status is Status.EDITED
    assert [d.id for d in street.parts.changes.pictures_wrong("main")] == [post.id]
    assert street.parts.changes.recheck(post.article) == []
    assert "picture" in street.parts.changes.nothing_new(post.article)
    desk = Desk.__new__(Desk)
    desk.parts, desk.app = street.parts, create_app(street.parts)
    assert PICTURE_WRONG[1:] in desk.page("/changes").text
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(commands, "parts", lambda: contextlib.nullcontext(street.parts))
        answer = CliRunner().invoke(commands.cli, ["list", "--workspace", "main", "--json"])
        (told,) = json.loads(answer.output)
        assert (answer.exit_code, told["id"], told["picture_wrong"], told["given_up"]) == (1, change.id, [post.id], [])
        said = CliRunner().invoke(commands.cli, ["list", "--workspace", "main"]).output
        assert f"  {post.id} on {platform} ({street.accounts[platform].name})\n" in said
        assert CliRunner().invoke(commands.cli, ["leave", post.id]).exit_code == 0
        answer = CliRunner().invoke(commands.cli, ["list", "--workspace", "main", "--json"])
        assert (answer.exit_code, json.loads(answer.output)) == (0, [])
        assert CliRunner().invoke(commands.cli, ["leave", post.id]).exit_code == 1
