"""Articles that change after they were posted: what is wrong is proposed, small edits are not, one approval does it once."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import hmac
import html
import json
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from publishers.core.errors import Unconfirmed
from publishers.core.post import Post
from tests.servers import bluesky_pds
from tests.servers.installed import served
from tests.street import SAMPLE, Street, listening
from tests.test_web import BASE, Desk
from web import exports
from web.app import create_app
from web.changes import _changed
from worker import changes, decisions, show
from worker.changes import Action, Kind, State
from worker.commands import changes as commands
from worker.content import facts
from worker.embedded import Embedded
from worker.errors import Refused
from worker.intake.client import Answer, Hop, Unreachable
from worker.model import Article, Status, StepKind
from worker.pipeline import edit
from worker.pipeline.changes import Changes
from worker.pipeline.follow import Follow
from worker.receipts import Sight

PAGE = Path(SAMPLE).read_text(encoding="utf-8")
URL = "https://example.org/larkhaven/senn-footbridge-reopens"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Embedded.start(tmp_path_factory.mktemp("changes")) as running:
        yield running


@pytest.fixture(scope="module")
def here():
    with listening() as now:
        yield now


class Site:
    """The article's page, as it is asked for."""

    def __init__(self):
        self.page, self.status, self.headers, self.asked, self.leads = PAGE, 200, {}, 0, ""
        self.away = None

    def get(self, url, **_):
        self.asked += 1
        if self.away:
            raise self.away
        headers = {"content-type": "text/html; charset=utf-8", **self.headers}
        hops = (Hop(302, self.leads),) if self.leads else ()
        return Answer(url=self.leads or url, status=self.status, headers=headers, body=self.page.encode(), hops=hops)


@pytest.fixture
def site():
    return Site()


def opened(server, here, folder, site, platforms, **settings):
    # Cards are named by what is on them: all tests of a run draw each of them once.
    (folder.parent / "cards").mkdir(exist_ok=True)
    (folder / "media").symlink_to(folder.parent / "cards")
    street = Street(server, folder, here, platforms, **settings)
    street.parts.__dict__["changes"] = Changes(street.parts, ask=site.get)
    return street


def public(street, **options):
    made = street.share(**options)
    assert {d.status for d in made} == {Status.PUBLISHED}
    street.parts.receipts.round("main")
    return {d.platform: d for d in made}


def now(street, delivery):
    return street.parts.deliveries.get(delivery.id)


# The pure part


def article(text, title="The bridge opens again"):
    return Article(id="main.a", url=URL, title=title, text=text, language="en")


@pytest.mark.parametrize(
    "new",
    [
        article("The bridge cost 3 million pounds. Mayor Ada Byron opened it on Monday. It rained."),
        article("The bridge cost 3 million pounds.\n\nMayor Ada Byron opened it on Monday – it rained."),
        article("It had rained. The bridge cost 3 million pounds, all told. Mayor Ada Byron opened it on Monday."),
        article("The bridge cost 3 million pounds. Mayor Ada Byron opened it on Monday.", "The bridge opens again!"),
        article("The bridge cost 3 million pounds. Mayor Ada Byron opened it on Monday.", "The brigde opens again"),
    ],
)  # fmt: skip
def test_small_edits_are_no_slips(new):
    old = article("The bridge cost 3 million pounds. Mayor Ada Byron opened it on Monday. It was raining.")
    assert facts.slips(old, new) == []


@pytest.mark.parametrize(
    ("new", "word"),
    [
        (article("The bridge cost 5 million pounds. Mayor Ada Byron opened it on Monday."), "3"),
        (article("The bridge cost 3 million pounds. Mayor Ada Lovelace opened it on Monday."), "Byron"),
        (article("The bridge cost 3 million pounds."), "Ada"),
        (article("The bridge cost 3 million pounds. Mayor Ada Byron opened it on Monday. Lovelace was glad."), "Byron"),
        (article("The bridge cost 3 million pounds. Mayor Ada Byron opened it on Monday.", "The bridge stays shut"), "shut"),
    ],
)  # fmt: skip
def test_a_number_a_name_or_a_title_that_changed_is_a_slip(new, word):
    old = article("The bridge cost 3 million pounds. Mayor Ada Byron opened it on Monday. Byron was glad.")
    new = dataclasses.replace(new, text=new.text if "glad" in new.text else f"{new.text} Byron was glad.")
    (found,) = [s for s in facts.slips(old, new) if "glad" not in s.old or "Lovelace was" in s.new]
    assert word in found.what


def test_only_what_was_posted_is_wrong_and_is_replaced_where_it_stands():
    old = article("The bridge cost 3 million pounds. Mayor Ada Byron opened it on Monday.")
    new = article("The bridge cost 5 million pounds. Mayor Ada Lovelace opened it on Monday.")
    slips = facts.slips(old, new)
    post = "Read: The bridge cost 3 million pounds.\n\nhttps://example.org #Bridge"
    wrong = facts.told(slips, post)
    assert [s.new for s in wrong] == ["The bridge cost 5 million pounds."]
    assert facts.amended(post, wrong) == "Read: The bridge cost 5 million pounds.\n\nhttps://example.org #Bridge"


@pytest.mark.parametrize(
    ("kind", "able", "first"),
    [
        (Kind.CORRECTED, {"edits": True, "deletes": True, "replies": True, "fresh": True}, Action.EDIT),
        (Kind.CORRECTED, {"deletes": True, "replies": True, "fresh": True}, Action.REPOST),
        (Kind.CORRECTED, {"deletes": True, "replies": True}, Action.REPLY),
        (Kind.CORRECTED, {"deletes": True}, Action.ASK),
        (Kind.CORRECTED, {}, Action.ASK),
        (Kind.GONE, {"deletes": True}, Action.DELETE),
        (Kind.GONE, {}, Action.ASK),
        (Kind.HIDDEN, {"deletes": True}, Action.ASK),
        (Kind.MOVED, {"edits": True}, Action.EDIT),
        (Kind.MOVED, {}, Action.LEAVE),
    ],
)
def test_what_is_proposed_depends_on_what_the_platform_can_and_how_new_the_post_is(kind, able, first):
    able = {"edits": False, "deletes": False, "replies": False, "fresh": False, "replaces": True, **able}
    options = changes.propose(kind, **able)
    assert options[0] is first
    assert Action.LEAVE in options


# On stand-ins


def test_a_corrected_number_is_edited_where_it_can_be_and_posted_anew_where_not(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon", "bluesky", "telegram"])
    posts = public(street)
    site.page = PAGE.replace("£310,000", "£210,000").replace("£2.34 million", "£2.44 million")
    street.later(hours=2)
    (change,) = street.parts.changes.round("main")
    assert change.kind is Kind.CORRECTED
    proposed = {street.parts.deliveries.get(p.delivery).platform: p for p in change.proposals}
    assert {n: p.action for n, p in proposed.items()} == {
        "mastodon": Action.EDIT, "bluesky": Action.REPOST, "telegram": Action.EDIT,
    }  # fmt: skip
    assert all("210,000" in p.text and "310,000" not in p.text for p in proposed.values())
    assert street.parts.changes.recheck(change.article) == [], "found once"

    done = street.parts.changes.approve(change.id, by="Ada")
    assert done.state is State.APPROVED
    with pytest.raises(Refused):
        street.parts.changes.approve(change.id, by="Bob")
    street.work()
    street.parts.changes.round("main")
    street.work()

    (toot,) = street.got("mastodon")
    assert toot.text == proposed["mastodon"].text
    assert now(street, posts["mastodon"]).status is Status.EDITED
    assert len(street.got("bluesky", deleted=True)) == 2, "deleted and posted anew, each once"
    (skeet,) = street.got("bluesky")
    assert skeet.text == proposed["bluesky"].text
    again = now(street, posts["bluesky"])
    assert [s.kind for s in again.steps] == [StepKind.POST, StepKind.DELETE, StepKind.POST]
    assert again.status is Status.PUBLISHED
    assert again.receipt.id == skeet.id != posts["bluesky"].receipt.id
    (message,) = street.got("telegram")
    assert "210,000" in message.text

    street.parts.receipts.round("main")
    entries = list(street.parts.aftercare.every_entry("main"))
    assert {e.approver for e in entries if e.step} == {"Ada"}, "who approved the change wanted these"
    acts = [e.act for e in entries]
    assert sorted(acts) == ["delete", "edit", "edit", "post", "post", "post", "post"]
    for delivery in (posts["mastodon"], posts["bluesky"]):
        assert street.parts.receipts.read_one(delivery.id, final=True).sight is Sight.LIVE


@pytest.mark.parametrize("platform", ["ghost", "wordpress", "devto", "hashnode", "pinterest", "lemmy"])
def test_where_the_title_stands_apart_an_edit_corrects_it_too_and_says_it_once(server, here, tmp_path, site, platform):
    street = opened(server, here, tmp_path, site, [platform])
    made = public(street)[platform]
    (before,) = street.got(platform)
    title = made.steps[0].post.title
    assert "£310,000" in title
    assert before.text.count(title) == 1
    site.page = PAGE.replace("£310,000", "£210,000").replace("£2.34 million", "£2.44 million")
    street.later(hours=2)
    (change,) = street.parts.changes.recheck(made.article)
    first = Action.REPOST if platform == "pinterest" else Action.EDIT  # a pin keeps its picture
    assert [p.action for p in change.proposals] == [first]
    street.parts.changes.approve(change.id, {made.id: Action.EDIT}, by="Ada")
    street.work()
    found = now(street, made)
    assert found.status is Status.EDITED, found.reason
    (after,) = street.got(platform)
    assert after.id == before.id
    assert after.text == before.text.replace("£310,000", "£210,000").replace("£2.34 million", "£2.44 million")
    said = found.messages[0].post
    assert said.title == title.replace("£310,000", "£210,000")
    assert said.description
    assert "2.34" not in said.description
    sight = street.parts.receipts.read_one(made.id, final=True).sight
    assert sight is (Sight.UNREADABLE if platform == "hashnode" else Sight.LIVE)
    told = show.delivery_json(found)
    assert (told["text"], told["parts"]) == (said.text, [])
    assert exports._cells(found, "")[9] == said.text


@pytest.mark.parametrize("platform", ["devto", "hashnode", "ghost", "wordpress", "lemmy", "pinterest"])
def test_a_wrong_title_that_stands_in_the_title_alone_is_noticed_and_an_edit_mends_it(
    server, here, tmp_path, site, platform
):
    street = opened(server, here, tmp_path, site, [platform])
    (planned,) = street.share(send=False)
    words = "It was a long way home, and nobody complained."
    edit.change(street.parts, planned.id, edit.Edit(text=words), by="Bob")
    street.work()
    street.parts.receipts.round("main")
    (before,) = street.got(platform)
    title = now(street, planned).messages[0].post.title
    assert "£310,000" in title
    site.page = PAGE.replace("£310,000", "£210,000")
    street.later(hours=2)
    (change,) = street.parts.changes.recheck(planned.article)
    (proposal,) = change.proposals
    right = title.replace("£310,000", "£210,000")
    first = Action.REPOST if platform == "pinterest" else Action.EDIT  # a pin keeps its picture
    assert (proposal.action, proposal.title, proposal.text) == (first, right, words)
    desk = Desk.__new__(Desk)
    desk.parts, desk.app = street.parts, create_app(street.parts)
    assert html.escape(right) in desk.page("/changes").text
    street.parts.changes.approve(change.id, {planned.id: Action.EDIT}, by="Ada")
    street.work()
    (after,) = street.got(platform)
    assert after.id == before.id
    assert now(street, planned).status is Status.EDITED
    assert (now(street, planned).messages[0].post.title, now(street, planned).messages[0].post.text) == (right, words)
    assert after.text == before.text.replace("£310,000", "£210,000")
    assert street.parts.changes.recheck(planned.article) == []


@pytest.mark.parametrize("platform", ["wordpress", "ghost", "bluesky", "linkedin"])
def test_a_wrong_summary_is_noticed_where_it_is_shown_and_nowhere_else(server, here, tmp_path, site, platform):
    action = Action.EDIT if platform in {"wordpress", "ghost"} else Action.REPOST  # a link card stays as it is
    street = opened(server, here, tmp_path, site, [platform, "mastodon"])
    account = street.accounts[platform]
    street.parts.records.save_account(dataclasses.replace(account, settings={**account.settings, "embed": "card"}))
    planned = {d.platform: d for d in street.share(send=False)}
    words = "It was a long way home, and nobody complained."
    summary = "Yearly upkeep is put at £18,000, down from £47,000 before the closure."
    for one in planned.values():
        edit.change(street.parts, one.id, edit.Edit(text=words, title="A bridge", description=summary), by="Bob")
    street.work()
    street.parts.receipts.round("main")
    site.page = PAGE.replace("£18,000", "£19,000")
    street.later(hours=2)
    (change,) = street.parts.changes.recheck(planned[platform].article)
    (proposal,) = change.proposals
    assert (proposal.delivery, proposal.action) == (planned[platform].id, action)
    assert "18,000" in proposal.why[0]
    street.parts.changes.approve(change.id, by="Ada")
    street.work()
    said = now(street, planned[platform]).messages[0].post
    assert "18,000" not in said.description
    assert street.parts.changes.recheck(planned[platform].article) == []


def test_where_nobody_may_change_a_title_a_wrong_one_takes_a_new_post_and_a_right_one_an_edit(
    server, here, tmp_path, site
):
    street = opened(server, here, tmp_path, site, ["reddit"])
    made = public(street)["reddit"]
    (before,) = street.got("reddit")
    body = made.steps[0].post.text.partition("\n")[2]
    number = "£2.34 million" if "£2.34 million" in body else "9,482"
    site.page = PAGE.replace(number, number.replace("4", "5"))
    street.later(hours=1)
    (change,) = street.parts.changes.recheck(made.article)
    assert change.proposals[0].action is Action.EDIT
    site.page = PAGE.replace("£310,000", "£210,000")
    street.later(hours=1)
    (change,) = street.parts.changes.recheck(made.article)
    (proposal,) = change.proposals
    assert proposal.action is Action.REPOST
    assert Action.EDIT not in proposal.options
    street.parts.changes.approve(change.id, by="Ada")
    street.work()
    (after,) = street.got("reddit")
    assert after.id != before.id
    assert after.text.count("£210,000") == before.text.count("£310,000")
    assert "£310,000" not in after.text


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("The bridge stays shut\n\nIt rained.", "The bridge stays shut"),
        ("The bridge opens again\n\nIt poured.", "The bridge opens again"),
        ("It poured.", "The bridge stays shut"),
    ],
)
def test_the_title_follows_the_words_below_it(text, title):
    said = Post(text="The bridge opens again\n\nIt rained.", title="The bridge opens again")
    assert changes.title_over(said, text, "The bridge stays shut", "en") == title


def test_a_comma_more_in_a_title_that_was_right_changes_it_only_with_its_words():
    said = Post(text="It rained.", title="The bridge opens again")
    assert changes.title_over(said, "It poured.", "The bridge opens, again", "en") == said.title
    assert changes.title_over(dataclasses.replace(said, title=""), "It poured.", "The bridge stays shut", "en") == ""


def test_a_title_that_stands_on_the_picture_alone_takes_a_new_post_and_no_edit(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["discord"])
    posts = public(street)
    account = street.accounts["discord"]
    street.at += changes.FRESH / 24
    first = now(street, posts["discord"])
    wrong = [facts.Slip(first.steps[0].post.title, "Another title", title=True)]
    old, _ = street.parts.records.article(first.article)
    said = first.steps[0].post
    parts = [(StepKind.POST, dataclasses.replace(said, text="Something else."))]
    told = {"formers": [old.url], "kind": Kind.CORRECTED, "new": old, "wrong": wrong}
    assert street.parts.changes._texts(account, parts, first, **told) == ("Something else.",)
    options = street.parts.changes._options(first, account, Kind.CORRECTED, replaces=True, edits=False)
    assert options[0] is Action.REPOST
    assert Action.EDIT not in options


def test_an_edit_whose_answer_is_lost_is_made_once_and_one_that_is_refused_leaves_the_post_public(
    server, here, tmp_path, site
):
    from rehearsal.world import Faults  # noqa: PLC0415 - beside its one use

    street = opened(server, here, tmp_path, site, ["mastodon"])
    posts = public(street)
    site.page = PAGE.replace("£310,000", "£210,000")
    street.at = street.at.replace(hour=11)
    (change,) = street.parts.changes.recheck(posts["mastodon"].article)
    street.world.faults["mastodon"] = Faults.read(["accept-then-drop"])
    street.parts.changes.approve(change.id, by="Ada")
    street.work()
    assert now(street, posts["mastodon"]).status is Status.UNCONFIRMED
    street.later(minutes=2)
    assert now(street, posts["mastodon"]).status is Status.EDITED
    (toot,) = street.got("mastodon")
    assert "210,000" in toot.text

    street.change("mastodon", deleted=True)
    site.page = PAGE.replace("£310,000", "£110,000")
    (change,) = street.parts.changes.recheck(posts["mastodon"].article)
    street.parts.changes.approve(change.id, by="Ada")
    street.work()
    found = now(street, posts["mastodon"])
    assert found.status is Status.EDITED, "what was public is not called failed"
    assert found.reason.startswith("the edit was given up")
    assert Unconfirmed.__name__ not in found.reason


def test_what_a_worker_left_undone_is_done_once_by_the_next(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon", "bluesky"])
    posts = public(street)
    site.page = PAGE.replace("£310,000", "£210,000")
    street.at = street.at.replace(hour=11)
    (change,) = street.parts.changes.recheck(posts["mastodon"].article)
    care, marked = street.parts.aftercare, street.parts.aftercare.mark_applied
    care.mark_applied = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)  # the worker is lost after the first
    with pytest.raises(KeyboardInterrupt):
        street.parts.changes.approve(change.id, by="Ada")
    care.mark_applied = marked
    street.work()
    for _ in range(3):
        street.parts.changes.round("main")
        street.work()
    edits = [s for s in now(street, posts["mastodon"]).steps if s.kind is StepKind.EDIT]
    assert len(edits) == 1
    assert len(street.got("bluesky", deleted=True)) == 2
    assert len(street.got("bluesky")) == 1


@pytest.mark.parametrize(
    "case",
    [
        (status, how)
        for status in (Status.UNCONFIRMED, Status.PARKED, Status.PUBLISHING, Status.AWAITING_PERSON)
        for how in ("corrected", "gone", "said")
    ],
)
def test_a_post_of_which_nobody_knew_when_a_change_was_approved_is_put_right_when_it_is_public(
    server, here, tmp_path, site, case
):
    status, how = case
    street = opened(server, here, tmp_path, site, ["mastodon", "telegram"])
    posts = public(street)
    late, several = posts["telegram"], street.parts.deliveries.several
    unknown = dataclasses.replace(now(street, late), status=status, step=0, steps=(
        dataclasses.replace(late.steps[0], receipt=None), *late.steps[1:],
    ))  # fmt: skip
    street.parts.deliveries.several = lambda ids: [unknown if d.id == late.id else d for d in several(ids)]
    if how == "corrected":
        site.page = PAGE.replace("£310,000", "£210,000")
        (change,) = street.parts.changes.recheck(late.article)
    elif how == "gone":
        site.status = 410
        (change,) = street.parts.changes.recheck(late.article)
    else:
        article, _ = street.parts.records.article(late.article)
        (change,) = street.parts.changes._found(article, Kind.GONE, ["the site said: deleted"], since=street.at)
    assert [p.delivery for p in change.proposals] == [posts["mastodon"].id]
    assert street.parts.changes.recheck(late.article) == []
    street.parts.changes.approve(change.id, by="Ada")
    street.work()
    assert street.parts.changes.recheck(late.article) == [], "still not known"
    assert street.parts.changes.nothing_new(late.article).endswith("out: 1")

    street.parts.deliveries.several = several  # it turns out to be there, with the old words
    street.parts.receipts._watch(now(street, late), street.at)
    street.later(minutes=15)
    (again,) = street.parts.changes.round("main")
    assert [p.delivery for p in again.proposals] == [late.id]
    assert again.id != change.id
    assert "decision: 1" in street.parts.changes.nothing_new(late.article)
    street.parts.changes.approve(again.id, by="Ada")
    street.work()
    assert street.parts.changes.recheck(late.article) == [], "both were put right"
    assert [("210,000" in p.text) for p in street.got("telegram")] == ([True] if how == "corrected" else [])


def test_the_only_post_of_an_article_that_was_corrected_while_it_was_sent_is_found(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    (post,) = street.share()
    several = street.parts.deliveries.several
    street.parts.deliveries.several = lambda ids: [
        dataclasses.replace(d, status=Status.UNCONFIRMED) for d in several(ids)
    ]
    site.page = PAGE.replace("£310,000", "£210,000")
    assert street.parts.changes.recheck(post.article) == []
    street.parts.deliveries.several = several
    street.parts.receipts.round("main")
    street.later(minutes=15)
    (change,) = street.parts.changes.round("main")
    assert [p.delivery for p in change.proposals] == [post.id]


def test_what_was_planned_and_is_being_sent_when_it_is_approved_is_asked_about_when_it_is_out(
    server, here, tmp_path, site
):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    (post,) = street.share(send=False)
    site.page = PAGE.replace("£310,000", "£210,000")
    (change,) = street.parts.changes.recheck(post.article)
    street.parts.changes._resume(now(street, post), by="Bob")
    get = street.parts.deliveries.get
    street.parts.deliveries.get = lambda name: dataclasses.replace(get(name), status=Status.UNCONFIRMED)
    with pytest.raises(Refused, match="nobody knows yet"):
        street.parts.changes.approve(change.id, by="Ada")
    street.parts.deliveries.get = get
    assert street.parts.aftercare.change(change.id).state is State.OPEN
    street.later(days=1)
    assert "310,000" in street.got("mastodon")[0].text
    street.parts.changes.round("main")
    (again,) = (c for c in street.parts.aftercare.changes("main") if c.state is State.OPEN)
    street.parts.changes.approve(again.id, by="Ada")
    street.work()
    assert "210,000" in street.got("mastodon")[0].text


def test_what_was_given_up_is_proposed_again_until_somebody_leaves_it(server, here, tmp_path, site, monkeypatch):
    def told():
        return CliRunner().invoke(commands.cli, ["list", "--workspace", "main"]).output

    street = opened(server, here, tmp_path, site, ["mastodon"])
    posts = public(street)
    site.page = PAGE.replace("£310,000", "£210,000")
    (change,) = street.parts.changes.recheck(posts["mastodon"].article)
    street.change("mastodon", deleted=True)
    street.parts.changes.approve(change.id, by="Ada")
    street.work()
    assert [d.id for d in street.parts.changes.unmended("main")] == [posts["mastodon"].id]
    monkeypatch.setattr(commands, "parts", lambda: contextlib.nullcontext(street.parts))
    assert posts["mastodon"].id in told()
    assert "Nothing" not in told()
    street.later(minutes=1)
    (again,) = street.parts.changes.recheck(change.article)
    street.parts.changes.approve(again.id, {posts["mastodon"].id: Action.LEAVE}, by="Ada")
    assert street.parts.changes.unmended("main") == []
    assert "Nothing of what was posted is wrong" in told()
    assert street.parts.changes.recheck(change.article) == []


def test_what_nobody_decided_names_the_account_and_the_option(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    post = public(street)["mastodon"]
    site.headers = {"x-robots-tag": "noindex"}
    (change,) = street.parts.changes.recheck(post.article)
    with pytest.raises(Refused, match=r"mastodon \(me\)") as told:
        street.parts.changes.approve(change.id, by="Ada")
    assert f"--do {post.id}=leave" in told.value.do


def test_an_article_that_is_gone_takes_its_posts_and_plans_with_it_after_it_was_missing_twice(
    server, here, tmp_path, site
):
    street = opened(server, here, tmp_path, site, ["mastodon", "bluesky", "slack"])
    posts = public(street, platforms=["mastodon", "bluesky"], thread=True)
    planned = street.share(platforms=["slack"], send=False)
    site.status = 404
    assert street.parts.changes.recheck(posts["mastodon"].article) == [], "a site may have a bad minute"
    street.at += changes.FRESH / 90
    (change,) = street.parts.changes.recheck(posts["mastodon"].article)
    assert change.what == ("its page answers 404",)
    assert now(street, planned[0]).status is Status.HELD, "nothing goes out meanwhile"
    assert {p.action for p in change.proposals} == {Action.DELETE}
    assert street.parts.aftercare.stopped("main") == {change.article: "its page answers 404"}
    street.parts.changes.approve(change.id, by="Ada")
    street.work()
    assert street.got("mastodon") == street.got("bluesky") == []
    assert {now(street, d).status for d in posts.values()} == {Status.DELETED}
    assert now(street, planned[0]).status is Status.CANCELLED


FRONT = """<!doctype html><html lang="en"><head><title>The Lantern</title></head><body><main><h1>News of today</h1>
<p>The market hall gets a new roof, said the council on Tuesday, and the work begins in March of next year.</p>
<p>Ferries run late this week, because of the storm that came in from the north over night.</p></main></body></html>"""


@pytest.mark.parametrize(
    "elsewhere",
    [
        ("https://example.org/", "it leads to the front page: https://example.org/"),
        ("https://example.org/login?next=/a", "it leads to a page to sign in or to pay: https://example.org/login"),
        ("https://accounts.example.org/sso/start", "it leads to a page to sign in or to pay: https://accounts.example.org/sso/start"),
    ],
)  # fmt: skip
def test_a_page_that_leads_to_the_front_or_to_a_sign_in_is_looked_at_twice_and_then_asks(
    server, here, tmp_path, site, elsewhere
):
    leads, why = elsewhere
    street = opened(server, here, tmp_path, site, ["mastodon", "slack"])
    posts = public(street, platforms=["mastodon"])
    (planned,) = street.share(platforms=["slack"], send=False)
    site.leads, site.page = leads, FRONT
    assert street.parts.changes.recheck(posts["mastodon"].article) == []
    assert street.parts.changes.round("main") == [], "nobody looks before its time"
    street.at += timedelta(minutes=16)
    (change,) = street.parts.changes.round("main")
    assert (change.kind, change.what) == (Kind.HIDDEN, (why,))
    assert {p.action for p in change.proposals} == {Action.ASK}, "never a takedown by itself"
    assert now(street, planned).status is Status.HELD
    with pytest.raises(Refused, match="Nobody said"):
        street.parts.changes.approve(change.id, by="Ada")

    site.leads, site.page = "", PAGE
    assert street.parts.changes.recheck(change.article) == []
    back = street.parts.aftercare.change(change.id)
    assert (back.state, back.by) == (State.DISMISSED, "Handbill: it is there again")
    assert street.parts.aftercare.stopped("main") == {}
    assert [p.text for p in street.got("mastodon")] == [posts["mastodon"].steps[0].post.text]


@pytest.mark.parametrize("trouble", [500, 502, 503, 429, 403, "away"])
def test_a_site_that_is_down_or_closed_to_us_proposes_nothing_however_long(server, here, tmp_path, site, trouble):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    posts = public(street)
    if trouble == "away":
        site.away = Unreachable("example.org cannot be read", why="no such name")
    else:
        site.status, site.page = trouble, FRONT
    for _ in range(4):
        assert street.parts.changes.recheck(posts["mastodon"].article) == []
        street.later(hours=6)
    assert street.parts.aftercare.changes("main") == []
    assert street.parts.aftercare.stopped("main") == {}


def test_one_404_and_one_redirect_are_not_two_looks_at_the_same(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    posts = public(street)
    site.leads, site.page = "https://example.org/", FRONT
    assert street.parts.changes.recheck(posts["mastodon"].article) == []
    street.at += timedelta(minutes=20)
    site.leads, site.status = "", 404
    assert street.parts.changes.recheck(posts["mastodon"].article) == [], "missing for the first time"
    street.at += timedelta(minutes=20)
    (change,) = street.parts.changes.recheck(posts["mastodon"].article)
    assert change.kind is Kind.GONE


def test_a_part_in_the_middle_of_a_thread_is_put_right_alone(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    posts = public(street, thread=True)
    first = now(street, posts["mastodon"])
    texts = [s.post.text for s in first.steps]
    assert len(texts) > 2
    old, _ = street.parts.records.article(first.article)
    middle = texts[1]
    number = next(n for n in ("310,000", "2.34", "1,240", "412", "14") if n in middle)
    site.page = PAGE.replace(number, "777")
    street.later(hours=1)
    (change,) = street.parts.aftercare.changes("main") or street.parts.changes.recheck(first.article)
    (proposal,) = change.proposals
    assert proposal.action is Action.EDIT
    wrong = [n for n, (a, b) in enumerate(zip(texts, proposal.texts, strict=True)) if a != b]
    desk = Desk.__new__(Desk)
    desk.parts, desk.app = street.parts, create_app(street.parts)
    page = desk.page("/changes").text
    assert [f"Part {n + 1}:" in page for n in range(len(texts))] == [n in wrong for n in range(len(texts))]
    assert 1 in wrong
    assert len(wrong) < len(texts)
    street.parts.changes.approve(change.id, by="Ada")
    street.work()
    done = now(street, posts["mastodon"])
    assert [(s.kind, s.of) for s in done.steps[len(texts) :]] == [(StepKind.EDIT, n) for n in wrong]
    assert sorted(p.text for p in street.got("mastodon")) == sorted(proposal.texts)
    assert old.url in "".join(proposal.texts)


def test_an_article_that_moved_and_was_corrected_asks_once_and_its_new_words_have_the_new_address(
    server, here, tmp_path, site
):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    posts = public(street)
    site.page = PAGE.replace(URL, "https://example.org/bridges/senn").replace("£310,000", "£210,000")
    found = street.parts.changes.recheck(posts["mastodon"].article)
    assert [c.kind for c in found] == [Kind.CORRECTED]
    street.parts.changes.approve(found[0].id, by="Ada")
    street.work()
    (toot,) = street.got("mastodon")
    assert "https://example.org/bridges/senn" in toot.text
    assert "210,000" in toot.text
    assert now(street, posts["mastodon"]).messages[0].post.link == "https://example.org/bridges/senn"


def test_an_article_that_moves_to_another_site_asks(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    posts = public(street)
    site.page = PAGE.replace(URL, "https://casino.example/win")
    (change,) = street.parts.changes.recheck(posts["mastodon"].article)
    assert (change.kind, change.proposals[0].action) == (Kind.MOVED, Action.ASK)


def test_what_is_planned_and_says_something_wrong_waits_until_somebody_has_decided(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon", "slack"])
    posts = public(street, platforms=["mastodon"])
    (planned,) = street.share(platforms=["slack"], send=False)
    site.page = PAGE.replace("£310,000", "£210,000")
    (change,) = street.parts.changes.recheck(posts["mastodon"].article)
    assert now(street, planned).status is Status.HELD
    street.work()
    assert street.got("slack") == []
    street.later(hours=3)
    street.parts.changes.approve(change.id, by="Ada")
    again = now(street, planned)
    assert again.status is Status.SCHEDULED
    assert again.due > street.at, "its time is over: the next free slot"
    street.later(days=1)
    (message,) = street.got("slack")
    assert "210,000" in message.text


def test_a_later_correction_takes_the_place_of_one_that_nobody_decided_about(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    posts = public(street)
    site.page = PAGE.replace("£310,000", "£210,000")
    (first,) = street.parts.changes.recheck(posts["mastodon"].article)
    site.page = PAGE.replace("£310,000", "£110,000")
    (second,) = street.parts.changes.recheck(posts["mastodon"].article)
    assert street.parts.aftercare.change(first.id).state is State.DISMISSED
    desk = Desk.__new__(Desk)
    desk.parts, desk.app = street.parts, create_app(street.parts)
    assert desk.page("/changes").text.count(" · replaced by a newer one<") == 1
    with pytest.raises(Refused):
        street.parts.changes.approve(first.id, by="Ada")
    street.parts.changes.approve(second.id, by="Ada")
    street.work()
    assert "110,000" in street.got("mastodon")[0].text


def test_two_managers_who_approve_at_once_correct_once(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon", "bluesky"])
    posts = public(street)
    site.page = PAGE.replace("£310,000", "£210,000")
    (change,) = street.parts.changes.recheck(posts["mastodon"].article)
    gate = threading.Barrier(2)

    def press(who):
        gate.wait()
        try:
            street.parts.changes.approve(change.id, by=who)
        except Refused:
            return "refused"
        return who

    with ThreadPoolExecutor(2) as pool:
        said = sorted(pool.map(press, ["Ada", "Bob"]))
    assert "refused" in said
    assert len(set(said)) == 2
    street.work()
    street.parts.changes.round("main")
    street.work()
    assert [s.kind for s in now(street, posts["mastodon"]).steps] == [StepKind.POST, StepKind.EDIT]
    assert [s.kind for s in now(street, posts["bluesky"]).steps] == [StepKind.POST, StepKind.DELETE, StepKind.POST]
    assert len(street.got("bluesky", deleted=True)) == 2


@pytest.mark.parametrize("phase", ["before the re-post", "while it is sent"])
def test_a_worker_that_is_lost_between_deletion_and_new_post_loses_and_doubles_nothing(
    server, here, tmp_path, site, phase
):
    street = opened(server, here, tmp_path, site, ["bluesky"])
    posts = public(street)
    site.page = PAGE.replace("£310,000", "£210,000")
    (change,) = street.parts.changes.recheck(posts["bluesky"].article)
    street.parts.changes.approve(change.id, by="Ada")
    name = posts["bluesky"].id
    lease = {"lease": street.parts.settings.lease_seconds, "stale": 1e9}
    street.engine.tick()
    street.engine.publish(name)  # deleted; then a worker takes it up and is killed
    assert street.got("bluesky") == []
    turn = street.parts.deliveries.begin(name, **lease)
    if phase == "while it is sent":
        steps = (*turn.delivery.steps[:-1], dataclasses.replace(turn.delivery.steps[-1], at=street.at))
        assert street.parts.deliveries.intend(turn, steps, seconds=1) == "ok"
    street.later(minutes=3)
    street.later(minutes=3)
    assert now(street, posts["bluesky"]).status is Status.PUBLISHED
    assert [p.text for p in street.got("bluesky")] == [change.proposals[0].text]
    assert len(street.got("bluesky", deleted=True)) == 2


@pytest.mark.parametrize("platform", ["mastodon", "bluesky", "discord", "slack", "telegram", "x"])
def test_taking_down_a_post_that_a_person_has_already_taken_away_is_no_failure(server, here, tmp_path, site, platform):
    street = opened(server, here, tmp_path, site, [platform])
    posts = public(street)
    street.change(platform, deleted=True)
    site.status = 410
    (change,) = street.parts.changes.recheck(posts[platform].article)
    street.parts.changes.approve(change.id, by="Ada")
    street.later(minutes=1)
    found = now(street, posts[platform])
    assert found.status is Status.DELETED, found.reason
    assert street.got(platform) == []


@pytest.mark.parametrize(
    "trouble", ["its account is gone", "its secrets cannot be read", "its worker is lost again and again"]
)
def test_an_edit_that_fails_before_it_is_sent_leaves_the_post_published_and_stands_among_its_steps(
    server, here, tmp_path, site, trouble
):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    posts = public(street)
    name = posts["mastodon"].id
    site.page = PAGE.replace("£310,000", "£210,000")
    (change,) = street.parts.changes.recheck(posts["mastodon"].article)
    street.parts.changes.approve(change.id, by="Ada")
    if trouble == "its account is gone":
        street.parts.store.client.hdel("handbill:{main}:accounts", street.accounts["mastodon"].id)
    elif trouble == "its secrets cannot be read":
        row = street.parts.store.client.hgetall("handbill:{main}:secrets")
        street.parts.store.client.hset("handbill:{main}:secrets", mapping=dict.fromkeys(row, b"gAAAAAbroken"))
    else:
        lease = {"lease": street.parts.settings.lease_seconds, "stale": 1e9}
        for _ in range(street.parts.settings.attempts):
            street.engine.tick()
            street.woken.clear()
            assert not isinstance(street.parts.deliveries.begin(name, **lease), str)
            street.at += timedelta(minutes=2)
    for _ in range(12):
        street.later(hours=1)
    found = now(street, posts["mastodon"])
    assert found.status is Status.PUBLISHED, (found.status, found.reason)
    assert found.reason.startswith("the edit was given up: ")
    (step,) = found.steps[1:]
    assert (step.kind, step.receipt, step.change) == (StepKind.EDIT, None, change.id)
    assert step.failed
    assert found.step == 2
    assert [m.post.text for m in found.messages] == [posts["mastodon"].steps[0].post.text]
    assert [p.text for p in street.got("mastodon")] == [posts["mastodon"].steps[0].post.text]
    desk = Desk.__new__(Desk)
    desk.parts, desk.app = street.parts, create_app(street.parts)
    page = desk.page(f"/receipts/{name}").text
    assert "given up" in page
    assert "What is public stayed as it was" in page
    told = desk.get(f"/api/v1/receipts/{name}", token=desk.token()).json()
    assert [(g["act"], g["key"]) for g in told["given_up"]] == [("edit", step.key)]
    assert [e["act"] for e in told["entries"]] == ["post"]


def test_a_correction_that_was_given_up_can_be_made_by_a_later_one_and_counts_its_own_attempts(
    server, here, tmp_path, site
):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    posts = public(street)
    (toot,) = street.got("mastodon")
    site.page = PAGE.replace("£310,000", "£210,000")
    (change,) = street.parts.changes.recheck(posts["mastodon"].article)
    street.change("mastodon", deleted=True)
    street.parts.changes.approve(change.id, by="Ada")
    street.work()
    assert now(street, posts["mastodon"]).steps[1].failed
    street.world.account("mastodon", toot.account).keep(toot)  # its author has brought it back
    site.page = PAGE.replace("£310,000", "£110,000")
    (change,) = street.parts.changes.recheck(posts["mastodon"].article)
    street.parts.changes.approve(change.id, by="Ada")
    street.work()
    found = now(street, posts["mastodon"])
    assert found.status is Status.EDITED
    street.parts.receipts.round("main")
    acts = [(e.act, e.step, e.attempts) for e in street.parts.aftercare.every_entry("main")]
    assert acts == [("post", 0, 1), ("edit", 2, 1)]


def test_an_approved_correction_that_is_cancelled_before_it_is_sent_leaves_the_post_public(
    server, here, tmp_path, site
):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    posts = public(street)
    site.page = PAGE.replace("£310,000", "£210,000")
    (change,) = street.parts.changes.recheck(posts["mastodon"].article)
    street.parts.changes.approve(change.id, by="Ada")
    decisions.cancel(street.parts.deliveries, posts["mastodon"].id, by="Bob")
    street.work()
    found = now(street, posts["mastodon"])
    assert found.status is Status.PUBLISHED
    assert len(found.steps) == 1
    assert "what is public stays" in found.reason
    assert "310,000" in street.got("mastodon")[0].text


def ghost_says(street, kind):
    """What Ghost sends of an article that it takes back; the source that is told."""
    desk = Desk.__new__(Desk)
    desk.parts, desk.app = street.parts, create_app(street.parts)
    source, address, secret = Follow(street.parts).add_hook("main", "ghost", name="blog")
    before = {"url": URL, "id": "63f1c0", "title": "The bridge", "status": "published"}
    body = {"post": {"current": {} if kind == "post.deleted" else before | {"status": "draft"}, "previous": before}}
    text = json.dumps(body).encode()
    at = str(round(datetime.now(UTC).timestamp() * 1000))
    sign = hmac.new(secret.encode(), text + at.encode(), hashlib.sha256).hexdigest()
    headers = {"X-Ghost-Signature": f"sha256={sign}, t={at}", "Content-Type": "application/json"}
    answer = desk.post(urlsplit(address).path, content=text, headers=headers)
    assert answer.status_code < 300, answer.text
    return source


@pytest.mark.parametrize("kind", ["post.unpublished", "post.deleted"])
def test_a_webhook_that_says_an_article_was_taken_back_proposes_to_take_its_posts_down(
    server, here, tmp_path, site, kind
):
    street = opened(server, here, tmp_path, site, ["mastodon", "bluesky"])
    posts = public(street)
    source = ghost_says(street, kind)
    street.parts.changes.round("main")
    (change,) = street.parts.aftercare.changes("main")
    assert change.kind is Kind.GONE
    assert change.what[0].startswith("the site said: ")
    assert {p.action for p in change.proposals} == {Action.DELETE}
    assert len(street.got("mastodon")) == len(street.got("bluesky")) == 1, "nothing before somebody approves"
    street.parts.changes.approve(change.id, by="Ada")
    street.work()
    assert {now(street, d).status for d in posts.values()} == {Status.DELETED}
    assert street.got("mastodon") == street.got("bluesky") == []
    assert source.workspace == "main"


def test_noindex_asks_and_a_new_address_edits_links_that_stand_in_the_text(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    posts = public(street)
    site.headers = {"x-robots-tag": "noindex"}
    (change,) = street.parts.changes.recheck(posts["mastodon"].article)
    assert (change.kind, change.proposals[0].action) == (Kind.HIDDEN, Action.ASK)
    with pytest.raises(Refused, match="Nobody said"):
        street.parts.changes.approve(change.id, by="Ada")
    street.parts.changes.dismiss(change.id, by="Ada")

    site.headers, site.page = {}, PAGE.replace(URL, "https://example.org/bridges/senn")
    (change,) = street.parts.changes.recheck(posts["mastodon"].article)
    assert (change.kind, change.proposals[0].action) == (Kind.MOVED, Action.EDIT)
    street.parts.changes.approve(change.id, by="Ada")
    street.work()
    (toot,) = street.got("mastodon")
    assert "https://example.org/bridges/senn" in toot.text
    assert URL not in toot.text


def test_pages_are_looked_at_ever_less_often(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    public(street)
    looks = []
    for hour in range(24 * 10):
        before = site.asked
        street.parts.changes.round("main")
        if site.asked > before:
            looks.append(hour)
        street.later(hours=1)
    assert looks == [1, 2, 4, 8, 16, 32, 64, 128]


def test_the_page_and_the_api_show_what_is_wrong_and_approve_it(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon", "bluesky"])
    posts = public(street)
    site.page = PAGE.replace("£310,000", "£210,000")
    (change,) = street.parts.changes.recheck(posts["mastodon"].article)
    desk = Desk.__new__(Desk)
    desk.parts, desk.app = street.parts, create_app(street.parts)
    page = desk.page("/changes").text
    assert "<mark>£310,000</mark>" in page
    assert "<mark>£210,000</mark>" in page
    assert all(f'<a href="{p.messages[0].receipt.url}" target="_blank"' in page for p in posts.values())
    assert "delete and re-post" in page
    token = desk.token("admin")
    told = desk.get("/api/v1/changes?state=open", token=token).json()["changes"]
    assert [c["id"] for c in told] == [change.id]
    data = {"form_token": desk.owner.form_token, posts["bluesky"].id: "leave"}
    answer = desk.post(f"/changes/{change.id}/approve", data=data, headers={"Origin": BASE}, visit=desk.owner)
    assert answer.status_code == 303
    street.work()
    assert now(street, posts["mastodon"]).status is Status.EDITED
    assert now(street, posts["bluesky"]).status is Status.PUBLISHED
    told = desk.get("/api/v1/changes", token=token).json()["changes"][0]
    assert (told["state"], sorted(told["done"])) == ("approved", sorted(d.id for d in posts.values()))
    again = desk.post(f"/api/v1/changes/{change.id}/dismiss", token=token)
    assert again.status_code == 409
    assert again.json()["detail"].startswith("Owner of main has approved this change already.")
    seen = {"data": data, "headers": {"Origin": BASE, "Accept": "text/html"}, "visit": desk.owner}
    page = desk.post(f"/changes/{change.id}/approve", **seen).text  # from a page that was opened before
    assert "has approved this change already" in page
    assert 'href="/changes">See what changed</a>' in page


# On Bluesky's own server


@pytest.mark.pds
def test_on_the_real_pds_a_correction_is_one_deletion_and_one_new_post_and_a_takedown_leaves_nothing(
    server, here, tmp_path, site
):
    with served(bluesky_pds, "Bluesky's server") as address:
        host = urlsplit(address).netloc
        street = opened(server, here, tmp_path, site, [], allow_hosts=host)
        who = {"email": "lantern@example.org", "handle": "lantern.test", "password": "the account's own"}
        session = bluesky_pds.call(address, "com.atproto.server.createAccount", who)
        made = bluesky_pds.call(address, "com.atproto.server.createAppPassword", {"name": "t"}, session["accessJwt"])
        given = {"server": address, "identifier": "lantern.test", "app_password": made["password"]}
        street.accounts["bluesky"] = street.parts.accounts.connect("bluesky", given, workspace="main")

        def records():
            place = f"{address}/xrpc/com.atproto.repo.listRecords?repo={session['did']}&collection=app.bsky.feed.post"
            with urllib.request.urlopen(place) as answer:
                return [r["value"]["text"] for r in json.load(answer)["records"]]

        posts = public(street)
        assert records() == [posts["bluesky"].steps[0].post.text]
        assert street.parts.receipts.read_one(posts["bluesky"].id, final=True).sight is Sight.LIVE
        site.page = PAGE.replace("£310,000", "£210,000")
        street.at = street.at.replace(hour=11)
        (change,) = street.parts.changes.recheck(posts["bluesky"].article)
        assert change.proposals[0].action is Action.REPOST
        street.parts.changes.approve(change.id, by="Ada")
        street.work()
        assert records() == [change.proposals[0].text]
        assert street.parts.receipts.read_one(posts["bluesky"].id, final=True).sight is Sight.LIVE

        site.status = 410
        (change,) = street.parts.changes.recheck(posts["bluesky"].article)
        street.parts.changes.approve(change.id, by="Ada")
        street.work()
        assert records() == []
        assert now(street, posts["bluesky"]).status is Status.DELETED


def test_of_a_long_post_only_what_would_change_is_shown():
    old = "\n\n".join(["Same " * 40, "It cost 3 million.", "Same " * 40, "Same again", "It rained."])
    new = old.replace("3 million", "5 million").replace("rained", "snowed")
    assert _changed(old, new) == (
        "…\n\nIt cost 3 million.\n\n…\n\nIt rained.", "…\n\nIt cost 5 million.\n\n…\n\nIt snowed."
    )  # fmt: skip
    assert _changed("Short 1", "Short 2") == ("Short 1", "Short 2")
