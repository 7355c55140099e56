"""Replies that correct a post: they are no part of it, and one that is not true any more is taken away."""

from __future__ import annotations

import pytest

from tests import test_changes
from tests.test_change_after_change import ELSEWHERE, approve_all, corrected, look, waiting
from tests.test_changes import PAGE, URL, now, opened, public
from web.changes import _parts
from worker.changes import Action, Kind
from worker.model import Status, StepKind

server, here, site = test_changes.server, test_changes.here, test_changes.site

SAVED = "Larkhaven’s 1911 footbridge reopens four months early and {} under budget"
"""The headline of the article."""


def replied(street, site, platform, page):
    """A post that says what the article says no more, and the reply below it that corrects it."""
    post = public(street, platforms=[platform])[platform]
    answer(street, site, post, page)
    return post


def answer(street, site, post, page):
    site.page = page
    (change,) = look(street, post.article)
    street.parts.changes.approve(change.id, {post.id: Action.REPLY}, by="Ada")
    street.work()
    street.parts.receipts.round("main")


def said(street, platform):
    return [p.text for p in street.got(platform)]


def test_a_reply_that_corrected_a_post_is_not_part_of_what_is_posted_anew(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["linkedin"])
    post = replied(street, site, "linkedin", corrected("£210,000"))
    assert len(said(street, "linkedin")) == 2
    site.page = site.page.replace(SAVED.format("£210,000"), "Walkers flock back to a bridge that is twice as busy")
    (change,) = look(street, post.article)
    (proposal,) = change.proposals
    assert proposal.action is Action.REPOST
    assert "Correction" not in "".join(proposal.said)
    approve_all(street, post.article)
    (only,) = said(street, "linkedin")
    assert "Walkers flock back" in only
    assert not only.startswith("Correction")
    assert [s.kind for s in now(street, post).steps[-3:]] == [StepKind.DELETE, StepKind.DELETE, StepKind.POST]
    assert look(street, post.article) == []


def test_after_a_move_a_reply_that_corrected_a_post_has_its_link_put_right_and_nothing_else(
    server, here, tmp_path, site
):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    post = replied(street, site, "mastodon", corrected("£210,000"))
    before = said(street, "mastodon")
    assert all(URL in text for text in before)
    site.page = site.page.replace(URL, ELSEWHERE)
    (change,) = look(street, post.article)
    assert change.kind is Kind.MOVED
    (proposal,) = change.proposals
    assert proposal.texts == ()
    assert [text for _, text in proposal.below] == [before[1].replace(URL, ELSEWHERE)]
    approve_all(street, post.article)
    assert said(street, "mastodon") == [text.replace(URL, ELSEWHERE) for text in before]
    assert look(street, post.article) == []


@pytest.mark.parametrize("action", [Action.EDIT, Action.REPLY])
def test_a_reply_that_says_what_is_wrong_by_now_is_deleted_when_its_post_is_put_right(
    server, here, tmp_path, site, action
):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    post = replied(street, site, "mastodon", corrected("£210,000"))
    site.page = corrected("£110,000")
    (change,) = look(street, post.article)
    (proposal,) = change.proposals
    assert [text for _, text in proposal.below] == [""]
    street.parts.changes.approve(change.id, {post.id: action}, by="Ada")
    street.work()
    texts = said(street, "mastodon")
    assert len(texts) == (1 if action is Action.EDIT else 2)
    assert "210,000" not in "".join(texts)
    assert "110,000" in texts[-1]
    assert waiting(street, post.article) == {}
    assert look(street, post.article) == []


def test_a_reply_whose_correction_is_taken_back_is_deleted_and_its_post_stays(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    post = replied(street, site, "mastodon", corrected("£210,000"))
    first = said(street, "mastodon")[0]
    site.page = PAGE
    (change,) = look(street, post.article)
    (proposal,) = change.proposals
    assert proposal.options == (Action.RETRACT, Action.LEAVE)
    reply = said(street, "mastodon")[1]
    assert _parts(proposal, now(street, post)) == [("", first, ""), ("The reply below it:", reply, "(deleted)")]
    approve_all(street, post.article)
    assert said(street, "mastodon") == [first]
    assert now(street, post).status is Status.PUBLISHED
    assert look(street, post.article) == []
    answer(street, site, post, corrected("£210,000"))
    assert len(said(street, "mastodon")) == 2
    site.page = PAGE
    (again,) = look(street, post.article)
    assert again.proposals[0].action is Action.RETRACT, "it is another reply"
