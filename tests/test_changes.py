"""Articles that change after they were posted: what is wrong is proposed, small edits are not, one approval does it once."""

from __future__ import annotations

import dataclasses
import json
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from publishers.core.errors import Unconfirmed
from tests.servers import bluesky_pds
from tests.servers.installed import served
from tests.street import SAMPLE, Street, listening
from tests.test_web import BASE, Desk
from web.app import create_app
from worker import changes
from worker.changes import Action, Kind, State
from worker.embedded import Embedded
from worker.errors import Refused
from worker.intake.client import Answer
from worker.model import Article, Status, StepKind
from worker.pipeline.changes import Changes
from worker.receipts import Sight

PAGE = Path(SAMPLE).read_text(encoding="utf-8")
URL = "https://example.org/larkhaven/senn-footbridge-reopens"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Embedded.start(tmp_path_factory.mktemp("changes"), fsync="everysec") as running:
        yield running


@pytest.fixture(scope="module")
def here():
    with listening() as now:
        yield now


class Site:
    """The article's page, as it is asked for."""

    def __init__(self):
        self.page, self.status, self.headers, self.asked = PAGE, 200, {}, 0

    def get(self, url, **_):
        self.asked += 1
        headers = {"content-type": "text/html; charset=utf-8", **self.headers}
        return Answer(url=url, status=self.status, headers=headers, body=self.page.encode(), **self._more())

    @staticmethod
    def _more():
        known = set(Answer.__dataclass_fields__) - {"url", "status", "headers", "body"}
        return {k: {"moved_to": "", "hops": ()}.get(k) for k in known}


@pytest.fixture
def site():
    return Site()


def opened(server, here, folder, site, platforms, **settings):
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
    assert changes.slips(old, new) == []


@pytest.mark.parametrize(
    ("new", "word"),
    [
        (article("The bridge cost 5 million pounds. Mayor Ada Byron opened it on Monday."), "3"),
        (article("The bridge cost 3 million pounds. Mayor Ada Lovelace opened it on Monday."), "Byron"),
        (article("The bridge cost 3 million pounds."), "Ada"),
        (article("The bridge cost 3 million pounds. Mayor Ada Byron opened it on Monday.", "The bridge stays shut"), "shut"),
    ],
)  # fmt: skip
def test_a_number_a_name_or_a_title_that_changed_is_a_slip(new, word):
    old = article("The bridge cost 3 million pounds. Mayor Ada Byron opened it on Monday.")
    (found,) = changes.slips(old, new)
    assert word in found.what


def test_only_what_was_posted_is_wrong_and_is_replaced_where_it_stands():
    old = article("The bridge cost 3 million pounds. Mayor Ada Byron opened it on Monday.")
    new = article("The bridge cost 5 million pounds. Mayor Ada Lovelace opened it on Monday.")
    slips = changes.slips(old, new)
    post = "Read: The bridge cost 3 million pounds.\n\nhttps://example.org #Bridge"
    wrong = changes.told(slips, post)
    assert [s.new for s in wrong] == ["The bridge cost 5 million pounds."]
    assert changes.amended(post, wrong) == "Read: The bridge cost 5 million pounds.\n\nhttps://example.org #Bridge"


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
    acts = [e.act for e in street.parts.aftercare.every_entry("main")]
    assert sorted(acts) == ["delete", "edit", "edit", "post", "post", "post", "post"]
    for delivery in (posts["mastodon"], posts["bluesky"]):
        assert street.parts.receipts.read_one(delivery.id, final=True).sight is Sight.LIVE


def test_a_title_that_stands_on_the_picture_alone_takes_a_new_post_and_no_edit(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["discord"])
    posts = public(street)
    account = street.accounts["discord"]
    street.at += changes.FRESH / 24
    first = now(street, posts["discord"])
    wrong = [changes.Slip(first.steps[0].post.title, "Another title", "the title was another")]
    old, _ = street.parts.records.article(first.article)
    said = first.steps[0].post
    told = {"post": dataclasses.replace(said, text="Something else."), "article": old, "kind": Kind.CORRECTED}
    text = street.parts.changes._text(first, account, new=old, wrong=wrong, **told)
    assert text == "Something else."
    options = street.parts.changes._options(first, account, Kind.CORRECTED, text=text, edits=False)
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
    assert "210,000" in page
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
    assert "decided" in json.dumps(again.json())


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
