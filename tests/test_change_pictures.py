"""A card or an alt text that says what is wrong by now is put right with its post, or the post is made anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from publishers import load, names
from publishers.core.post import Media, Post
from rehearsal.world import Faults
from tests import test_changes
from tests.test_change_after_change import corrected
from tests.test_changes import PAGE, now, opened, public
from worker import changes
from worker.changes import PICTURE_ANEW, PICTURE_STAYS, PICTURE_WRONG, Action
from worker.content import facts
from worker.model import Article, Status

server, here, site = test_changes.server, test_changes.here, test_changes.site

MEDIA = Media(path="", sha256="", mime="image/jpeg", width=1, height=1, size=1, alt="", design="photo")
EVERY_DAY = ("mastodon", "discord", "telegram", "wordpress")
REPLACED = sorted(name for name in names() if load(name).repictures)
"""Platforms where an edit brings another picture; all but EVERY_DAY at night."""


def at(server, here, folder, site, platform, monkeypatch):  # noqa: PLR0917 - as fixtures come
    monkeypatch.setattr("rehearsal.webhook.TOLERANCE", 10**9)  # our requests are signed with the time that it is
    street = opened(server, here, folder, site, [])
    # What the stand-in has under this name is a Sharkey, which changes notes; a Misskey does not.
    street.accounts[platform] = street.connect(platform, "sharkey" if platform == "misskey" else "me")
    return street


@pytest.mark.parametrize(
    "platform", [pytest.param(n, marks=[] if n in EVERY_DAY else pytest.mark.nightly) for n in REPLACED]
)
def test_an_edit_puts_the_card_and_its_alt_text_right(server, here, tmp_path, site, *, monkeypatch, platform):
    street = at(server, here, tmp_path, site, platform, monkeypatch)
    post = public(street)[platform]
    was = post.steps[0].post.media[0]
    assert "310,000" in was.alt
    site.page = corrected("£210,000")
    street.at += timedelta(minutes=30)
    (change,) = street.parts.changes.recheck(post.article)
    (proposal,) = change.proposals
    assert (proposal.action, PICTURE_ANEW in proposal.why) == (Action.EDIT, True), proposal
    street.parts.changes.approve(change.id, by="Ada")
    street.work()
    done = now(street, post)
    assert done.status is Status.EDITED, done.reason
    said = done.messages[0].post.media[0]
    assert said.sha256 != was.sha256
    assert said.alt == was.alt.replace("310,000", "210,000") == proposal.alt
    assert Path(said.path).name == proposal.picture, "what was shown before is what went out"
    if platform == "outbox":
        return
    (after,) = street.got(platform)
    assert "310,000" not in after.text
    (shown,) = after.pictures
    folder = street.world.account(platform, after.account).folder
    assert (folder / shown.path).read_bytes() == Path(said.path).read_bytes()
    if load(platform).limits.alt:
        assert shown.alt == said.alt


@pytest.mark.parametrize(
    "platform",
    [pytest.param(n, marks=[] if n == "mastodon" else pytest.mark.nightly) for n in REPLACED if n != "outbox"],
)
def test_an_edit_with_another_picture_whose_answer_is_lost_is_made_once_and_right(
    server, here, tmp_path, site, *, monkeypatch, platform
):
    street = at(server, here, tmp_path, site, platform, monkeypatch)
    post = public(street)[platform]
    site.page = corrected("£210,000")
    street.at += timedelta(minutes=30)
    (change,) = street.parts.changes.recheck(post.article)
    street.world.faults[platform] = Faults.read(["accept-then-drop"])
    street.parts.changes.approve(change.id, by="Ada")
    for _ in range(6):
        street.work()
        street.later(minutes=3)
    done = now(street, post)
    assert done.status is Status.EDITED, done.reason
    (after,) = street.got(platform)
    (shown,) = after.pictures
    folder = street.world.account(platform, after.account).folder
    assert (folder / shown.path).read_bytes() == Path(done.messages[0].post.media[0].path).read_bytes()
    assert "310,000" not in after.text


@pytest.mark.parametrize("platform", ["bluesky", "pinterest", "mattermost"])
def test_where_a_picture_stays_what_it_was_the_post_is_made_anew_with_a_new_card(
    server, here, tmp_path, site, platform
):
    street = opened(server, here, tmp_path, site, [platform])
    post = public(street)[platform]
    was = post.steps[0].post.media[0]
    site.page = corrected("£210,000")
    street.at += timedelta(minutes=30)
    (change,) = street.parts.changes.recheck(post.article)
    (proposal,) = change.proposals
    assert proposal.action is Action.REPOST
    editable = Action.EDIT in proposal.options
    assert (PICTURE_WRONG in proposal.why, PICTURE_ANEW in proposal.why) == (editable, not editable)
    street.parts.changes.approve(change.id, by="Ada")
    street.work()
    said = now(street, post).messages[0].post.media[0]
    assert (said.sha256 != was.sha256, said.design) == (True, was.design)
    assert said.alt == was.alt.replace("310,000", "210,000")
    (after,) = street.got(platform)
    folder = street.world.account(platform, after.account).folder
    assert (folder / after.pictures[0].path).read_bytes() == Path(said.path).read_bytes()
    assert street.parts.changes.pictures_wrong("main") == []


def test_a_card_on_which_nothing_is_wrong_stays_and_so_does_the_post(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mattermost"])
    post = public(street)["mattermost"]
    number = next(n for n in ("2.34 million", "9,482", "14-month", "38 of") if n in post.steps[0].post.text)
    site.page = PAGE.replace(number, f"1{number}")
    street.at += timedelta(minutes=30)
    (change,) = street.parts.changes.recheck(post.article)
    (proposal,) = change.proposals
    assert (proposal.action, proposal.alt, PICTURE_STAYS in proposal.why) == (Action.EDIT, "", True)
    street.parts.changes.approve(change.id, {post.id: Action.REPOST}, by="Ada")
    street.work()
    assert now(street, post).messages[0].post.media == post.steps[0].post.media


NEW = Article(
    id="main.a", url="https://e.example/a", title="The bridge cost 5 million", text="It opened.", language="en"
)


@pytest.mark.parametrize(
    ("media", "title", "there"),
    [
        (MEDIA, "The bridge cost 3 million", True),
        (replace(MEDIA, alt="A bridge", words="The bridge cost 3 million."), "", True),
        (replace(MEDIA, alt="It cost 3 million", design=""), "", True),
        (replace(MEDIA, alt="A bridge"), "The bridge opens", False),
        (replace(MEDIA, alt="A bridge", design="plain"), "The bridge cost 3 million", False),
    ],
)
def test_a_picture_is_wrong_where_the_number_stands_on_it_or_in_its_alt_text(media, title, there):
    old = replace(NEW, title="The bridge cost 3 million")
    wrong = facts.slips(old, NEW)
    assert bool(changes.on_picture(wrong, [Post(text="", title=title, media=(media,))], now=NEW)) is there


def test_a_card_that_says_the_opposite_of_what_its_article_says_now_is_wrong():
    old = replace(NEW, text="The bridge will open in May.")
    new = replace(NEW, text="The bridge will not open in May.")
    post = Post(text="", media=(replace(MEDIA, alt="A bridge", words="The bridge will open in May."),))
    assert changes.on_picture(facts.slips(old, new), [post], now=new)


def test_a_title_in_other_words_makes_a_card_old_and_not_wrong():
    old = replace(NEW, title="The bridge opens again")
    wrong = facts.slips(old, replace(NEW, title="The bridge is open"))
    assert wrong
    post = Post(text="", title=old.title, media=(replace(MEDIA, alt=old.title),))
    assert changes.on_picture(wrong, [post], now=NEW) == []


def test_what_stands_on_a_card_is_known_whatever_somebody_writes_of_it():
    card = replace(MEDIA, alt="The bridge cost 3 million.")
    told = card.described("A bridge").described("A bridge in the rain")
    assert (told.alt, told.words) == ("A bridge in the rain", "The bridge cost 3 million.")
    assert card.described(card.alt) is card
