"""Whatever was approved about a post is done once, whichever of its steps loses its answer, and in whatever way."""

from __future__ import annotations

from datetime import timedelta

import pytest

from publishers import load
from tests import test_changes
from tests.test_change_after_change import corrected, waiting
from tests.test_changes import now, opened, public
from worker.changes import Action, Kind
from worker.errors import Refused
from worker.model import Status, StepKind

server, here, site = test_changes.server, test_changes.here, test_changes.site

STEPS = {Action.EDIT: 1, Action.REPLY: 1, Action.DELETE: 1, Action.REPOST: 2}
KINDS = {
    Action.EDIT: [StepKind.EDIT],
    Action.REPLY: [StepKind.REPLY],
    Action.DELETE: [StepKind.DELETE],
    Action.REPOST: [StepKind.DELETE, StepKind.POST],
}
ENDS = {
    Action.EDIT: Status.EDITED,
    Action.REPLY: Status.PUBLISHED,
    Action.DELETE: Status.DELETED,
    Action.REPOST: Status.PUBLISHED,
}
EVERY_DAY = ("mastodon",)
AT_NIGHT = (
    "slack",
    "bluesky",
    "discord",
    "x",
    "facebook",
    "telegram",
    "threads",
    "linkedin",
    "ghost",
    "wordpress",
    "devto",
)
LOST = ("accept-then-drop", "500-after", "garbled", "drop-before", "500-before", "accept-then-hang")


class Fault:
    """What goes wrong at one commit, counted from 0."""

    def __init__(self, kind, number):
        self.kind, self.number, self.count = kind, number, -1

    def next(self):
        self.count += 1
        return self.kind if self.count == self.number else None


def cases():
    for platform in (*EVERY_DAY, *AT_NIGHT):
        for action, steps in STEPS.items():
            for number in range(steps):
                for fault in LOST:
                    often = platform in EVERY_DAY and fault == "accept-then-drop"
                    marks = () if often else (pytest.mark.nightly,)
                    name = f"{platform}-{action}-{number}-{fault}".replace(" ", "-")
                    yield pytest.param((platform, action, number, fault), marks=marks, id=name)


@pytest.mark.parametrize("case", list(cases()))
def test_what_was_approved_is_done_once_if_the_answer_of_a_step_is_lost(server, here, tmp_path, site, case):
    platform, action, number, fault = case
    street = opened(server, here, tmp_path, site, [platform], request_seconds=2.0 if "hang" in fault else 30.0)
    post = public(street)[platform]
    (before,) = street.got(platform)
    site.page = corrected("£210,000")
    street.at += timedelta(minutes=30)
    (change,) = street.parts.changes.recheck(post.article)
    assert change.kind is Kind.CORRECTED
    (proposal,) = change.proposals
    if action not in proposal.options:
        pytest.skip(f"{load(platform).label} has no {action}")
    street.world.faults[platform] = Fault(fault, number)
    street.parts.changes.approve(change.id, {post.id: action}, by="Ada")
    street.work()
    for _ in range(8):
        street.later(minutes=20)
        street.parts.changes.round("main")
        street.work()
    found, mine = now(street, post), street.got(platform)
    if found.status is Status.PARKED:  # nobody can tell: never a second time by itself
        assert load(platform).proof.kind == "C"
        assert number == len(KINDS[action]) - 1
        return
    if platform == "x" and action is Action.EDIT and "before" in fault:  # its hour was over when that was sure
        assert found.reason.startswith("the edit was given up")
        assert [p.id for p in mine] == [before.id]
        return
    assert found.status is ENDS[action], found.reason
    added = found.steps[1:]
    assert [s.kind for s in added] == KINDS[action]
    assert all(s.receipt and s.change == change.id for s in added)
    ever = len(street.got(platform, deleted=True))
    match action:
        case Action.EDIT:
            anew = load(platform).edits_anew
            assert [p.id == before.id for p in mine] == [not anew]
            assert "210,000" in mine[0].text
            assert "310,000" not in mine[0].text
            assert ever == 1 + anew
        case Action.REPLY:
            assert len(mine) == ever == 2
            assert sum(p.text.startswith("Correction: ") for p in mine) == 1
        case Action.DELETE:
            assert (mine, ever) == ([], 1)
        case _:
            assert ever == 2
            assert len(mine) == 1
            assert mine[0].id != before.id
            assert "210,000" in mine[0].text
    street.parts.receipts.round("main")
    acts = [e.act for e in street.parts.aftercare.every_entry("main")]
    assert acts == ["post", *map(str, KINDS[action])]
    assert waiting(street, post.article) == {}


def test_what_is_left_as_it_is_sends_nothing_and_what_is_asked_is_not_guessed(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    post = public(street)["mastodon"]
    site.page = corrected("£210,000")
    (change,) = street.parts.changes.recheck(post.article)
    counted = Fault("500-before", 0)
    street.world.faults["mastodon"] = counted
    with pytest.raises(Refused, match="Nobody said"):
        street.parts.changes.approve(change.id, {post.id: Action.ASK}, by="Ada")
    street.parts.changes.approve(change.id, {post.id: Action.LEAVE}, by="Ada")
    for _ in range(3):
        street.later(hours=1)
        street.parts.changes.round("main")
    assert counted.count == -1, "nothing was sent"
    assert now(street, post).status is Status.PUBLISHED
    assert waiting(street, post.article) == {}
