"""Articles that change more than once: no fact is lost because another follows it, and none is proposed twice."""

from __future__ import annotations

import contextlib
import dataclasses
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from tests import test_changes
from tests.test_changes import PAGE, URL, Desk, now, opened, public
from web.app import create_app
from worker import decisions
from worker.changes import Action, Kind, State, readdressed
from worker.commands import changes as commands
from worker.commands import evergreen
from worker.errors import Refused
from worker.intake.webhooks import Event
from worker.intake.webhooks import Kind as Heard
from worker.model import Status
from worker.pipeline import edit
from worker.schedule import When

server, here, site = test_changes.server, test_changes.here, test_changes.site

ELSEWHERE, AGAIN_ELSEWHERE = "https://example.org/bridges/senn", "https://example.org/bridges/senn-bridge"


def corrected(to, address=URL):
    return PAGE.replace("£310,000", to).replace(URL, address)


def waiting(street, article):
    """What nobody has decided about, by kind."""
    found = [c for c in street.parts.aftercare.changes("main") if c.article == article and c.state is State.OPEN]
    return {c.kind: c for c in found}


def look(street, article, **span):
    street.later(**(span or {"hours": 1}))
    return street.parts.changes.recheck(article)


def tomorrow(street, article, **options):
    """A post of the article that is planned for tomorrow, on Slack."""

    def due(account, delivery):
        at = street.at + timedelta(days=1)
        street.parts.records.reserve(account, delivery, at, gap=0)
        return When(at, "", account.zone)

    (made,) = street.parts.planner.plan(article, [street.accounts["slack"]], due=due, **options)
    return made


def posted_and_planned(server, here, tmp_path, site):
    """A street with a post on Mastodon, and one of the same article that is planned for tomorrow on Slack."""
    street = opened(server, here, tmp_path, site, ["mastodon", "slack"])
    post = public(street, platforms=["mastodon"])["mastodon"]
    return street, post, tomorrow(street, post.article)


def approve_all(street, article):
    for change in waiting(street, article).values():
        street.parts.changes.approve(change.id, by="Ada")
    street.work()


def test_a_correction_that_waits_is_not_lost_when_the_article_moves(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon", "telegram"])
    posts = public(street, platforms=["mastodon"])
    name = posts["mastodon"].article
    (other,) = street.share(platforms=["telegram"], send=False)
    edit.change(street.parts, other.id, edit.Edit(text=f"A bridge opens again. {other.steps[0].post.link}"), by="Bob")
    street.work()
    said = street.got("mastodon")[0].text
    number = next(n for n in ("2.34 million", "9,482", "14-month", "38 of") if n in said)
    site.page = PAGE.replace(number, f"1{number}")
    (first,) = look(street, name)
    site.page = site.page.replace(URL, ELSEWHERE)
    found = look(street, name)
    assert {c.kind for c in found} == {Kind.CORRECTED, Kind.MOVED}, "each post is asked about once"
    assert street.parts.aftercare.change(first.id).state is State.DISMISSED, "its words had the old address"
    open_ = waiting(street, name)
    (told,) = open_[Kind.CORRECTED].proposals
    assert told.delivery == posts["mastodon"].id
    assert told.text == said.replace(number, f"1{number}").replace(URL, ELSEWHERE)
    assert any(number in line for line in open_[Kind.CORRECTED].what)
    assert any(ELSEWHERE in line for line in open_[Kind.CORRECTED].what)
    assert [p.delivery for p in open_[Kind.MOVED].proposals] == [other.id]
    approve_all(street, name)
    assert street.got("mastodon")[0].text == told.text
    assert ELSEWHERE in street.got("telegram")[0].text
    assert look(street, name) == []


def test_a_move_that_waits_is_not_lost_when_the_article_is_corrected(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    post = public(street)["mastodon"]
    site.page = PAGE.replace(URL, ELSEWHERE)
    (first,) = look(street, post.article)
    assert first.kind is Kind.MOVED
    site.page = corrected("£210,000", ELSEWHERE)
    look(street, post.article)
    (change,) = waiting(street, post.article).values()
    assert change.kind is Kind.CORRECTED
    approve_all(street, post.article)
    (toot,) = street.got("mastodon")
    assert ("210,000" in toot.text, ELSEWHERE in toot.text, URL in toot.text) == (True, True, False)
    assert look(street, post.article) == []


@pytest.mark.parametrize("decided", [False, True])
def test_an_article_that_moves_twice_and_back_is_linked_where_it_is(server, here, tmp_path, site, decided):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    post = public(street)["mastodon"]
    (before,) = street.got("mastodon")
    for address in (ELSEWHERE, AGAIN_ELSEWHERE, ELSEWHERE, AGAIN_ELSEWHERE):
        site.page = PAGE.replace(URL, address)
        look(street, post.article)
        open_ = waiting(street, post.article)
        assert list(open_) == [Kind.MOVED]
        assert address in open_[Kind.MOVED].proposals[0].text
        if decided:
            approve_all(street, post.article)
            assert f"{address}\n" in f"{street.got('mastodon')[0].text}\n"
    site.page = PAGE
    look(street, post.article)
    assert bool(waiting(street, post.article)) is decided, "without a decision it was never wrong"
    approve_all(street, post.article)
    assert street.got("mastodon")[0].text == before.text
    assert look(street, post.article) == []


def test_a_move_that_somebody_left_is_not_proposed_again(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    post = public(street)["mastodon"]
    site.page = PAGE.replace(URL, ELSEWHERE)
    (change,) = look(street, post.article)
    street.parts.changes.dismiss(change.id, by="Ada")
    assert look(street, post.article) == []
    site.page = corrected("£210,000", ELSEWHERE)
    (change,) = look(street, post.article)
    assert change.kind is Kind.CORRECTED


@pytest.mark.parametrize("back", [False, True])
def test_a_correction_that_waits_is_not_lost_by_a_page_that_was_gone_for_a_while(server, here, tmp_path, site, back):
    street, post, planned = posted_and_planned(server, here, tmp_path, site)
    site.page = corrected("£210,000")
    look(street, post.article, minutes=1)
    site.status = 410
    (gone,) = look(street, post.article, minutes=1)
    assert list(waiting(street, post.article)) == [Kind.GONE]
    if back:
        site.status = 200
        look(street, post.article, minutes=1)
        assert list(waiting(street, post.article)) == [Kind.CORRECTED]
        assert street.parts.aftercare.stopped("main") == {}
        approve_all(street, post.article)
        assert "210,000" in street.got("mastodon")[0].text
        assert now(street, planned).status is Status.SCHEDULED, "nothing holds it any more"
        street.later(hours=25)
        assert "210,000" in street.got("slack")[0].text
    else:
        street.parts.changes.approve(gone.id, by="Ada")
        street.work()
        assert street.got("mastodon") == []
        assert now(street, planned).status is Status.CANCELLED
        site.status = 200
        assert look(street, post.article) == [], "what was taken down is not corrected"
        assert street.parts.aftercare.stopped("main") == {}, "and the article may be shared again"


def test_what_its_system_took_back_and_published_again_is_not_taken_down(server, here, tmp_path, site):
    street, post, planned = posted_and_planned(server, here, tmp_path, site)

    def says(kind):
        street.at += timedelta(seconds=1)
        street.parts.hooks.record("main.blog", Event(kind=kind, key=str(street.at), url=URL), street.at)

    says(Heard.UNPUBLISHED)
    street.parts.changes.round("main")
    assert list(waiting(street, post.article)) == [Kind.GONE]
    assert now(street, planned).status is Status.HELD
    says(Heard.PUBLISHED)
    street.parts.changes.round("main")
    assert waiting(street, post.article) == {}
    assert street.parts.aftercare.stopped("main") == {}
    assert now(street, planned).status is Status.SCHEDULED
    assert len(street.got("mastodon")) == 1


@pytest.mark.parametrize("how", ["scheduled", "unconfirmed"])
def test_a_correction_that_is_corrected_while_it_is_carried_out_is_found_when_it_is_out(
    server, here, tmp_path, site, how
):
    from rehearsal.world import Faults  # noqa: PLC0415 - beside its one use

    street = opened(server, here, tmp_path, site, ["mastodon"])
    post = public(street)["mastodon"]
    site.page = corrected("£210,000")
    (change,) = look(street, post.article)
    street.parts.changes.approve(change.id, by="Ada")
    if how == "unconfirmed":
        street.world.faults["mastodon"] = Faults.read(["accept-then-drop"])
        street.work()
        assert now(street, post).status is Status.UNCONFIRMED
    site.page = corrected("£110,000")
    assert street.parts.changes.recheck(post.article) == [], "nobody knows yet what it says"
    street.later(minutes=3)
    assert now(street, post).status is Status.EDITED
    street.parts.receipts.round("main")
    street.later(minutes=10)
    (again,) = street.parts.changes.round("main")
    assert "110,000" in again.proposals[0].text
    approve_all(street, post.article)
    assert "110,000" in street.got("mastodon")[0].text
    assert look(street, post.article) == []


def test_posts_of_each_version_of_an_article_are_all_corrected(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon", "telegram"])
    first = public(street, platforms=["mastodon"])["mastodon"]
    site.page = corrected("£210,000")
    look(street, first.article)
    article, content = street.parts.records.article(first.article)
    assert "210,000" in article.text
    made = street.parts.planner.plan(first.article, [street.accounts["telegram"]], due=street._now)
    street.work()
    assert "210,000" in street.got("telegram")[0].text
    site.page = corrected("£110,000")
    look(street, first.article)
    site.page = corrected("£110,000").replace("9,482", "9,483")
    look(street, first.article)
    (change,) = waiting(street, first.article).values()
    assert {p.delivery for p in change.proposals} == {first.id, made[0].id}
    approve_all(street, first.article)
    assert all("110,000" in street.got(p)[0].text for p in ("mastodon", "telegram"))
    assert look(street, first.article) == []
    del content


def test_a_correction_that_is_taken_back_before_anybody_decided_asks_for_nothing(server, here, tmp_path, site):
    street, post, planned = posted_and_planned(server, here, tmp_path, site)
    site.page = corrected("£210,000")
    (change,) = look(street, post.article, minutes=1)
    assert now(street, planned).status is Status.HELD
    site.page = PAGE
    assert look(street, post.article, minutes=1) == []
    assert waiting(street, post.article) == {}
    assert street.parts.aftercare.change(change.id).state is State.DISMISSED
    assert now(street, planned).status is Status.SCHEDULED
    desk = Desk.__new__(Desk)
    desk.parts, desk.app = street.parts, create_app(street.parts)
    assert "dismissed by Handbill" in desk.page("/changes").text


def test_what_is_planned_of_an_article_that_moved_goes_out_with_the_new_address(server, here, tmp_path, site):
    street, post, planned = posted_and_planned(server, here, tmp_path, site)
    site.page = PAGE.replace(URL, ELSEWHERE)
    look(street, post.article, minutes=1)
    approve_all(street, post.article)
    street.later(hours=25)
    found = now(street, planned)
    assert found.status is Status.PUBLISHED
    assert found.steps[0].post.link == ELSEWHERE
    assert ELSEWHERE in street.got("slack")[0].text
    assert dataclasses.replace(found.steps[0].post, text="").link == ELSEWHERE
    assert Action.EDIT in {p.action for c in street.parts.aftercare.changes("main") for p in c.proposals}


def test_what_was_taken_down_is_neither_accepted_nor_posted_anew_until_it_is_there_again(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    post = public(street)["mastodon"]
    desk = Desk.__new__(Desk)
    desk.parts, desk.app = street.parts, create_app(street.parts)
    site.status = 410
    look(street, post.article)
    approve_all(street, post.article)
    assert now(street, post).status is Status.DELETED
    for page in (desk.page("/inbox?show=planned").text, desk.page("/inbox?show=all").text):
        assert 'name="accept"' not in page
        assert "It is gone: its page answers 410" in page
    page = desk.page(f"/compose/{post.article}").text
    assert "This article is gone: its page answers 410" in page
    assert "No post is made of this article yet" not in page
    accounts = list(street.accounts.values())
    with pytest.raises(Refused, match="The article is gone"):
        edit.accept(street.parts, post.article, accounts)
    site.status = 200
    look(street, post.article)
    page = desk.page("/inbox?show=planned").text
    assert 'name="accept"' not in page, "accepting it would do nothing: its posts are over"
    assert "Its posts are deleted" in page
    assert "Its post is over." in desk.page(f"/compose/{post.article}").text
    (again,) = [d for d in edit.accept(street.parts, post.article, accounts, again=True) if d.id != post.id]
    assert again.share == 1


def told(street, monkeypatch, cli, *words):
    monkeypatch.setattr(commands, "parts", lambda: contextlib.nullcontext(street.parts))
    monkeypatch.setattr(evergreen, "parts", lambda: contextlib.nullcontext(street.parts))
    answer = CliRunner().invoke(cli, list(words))
    return answer.exit_code, answer.output or str(answer.exception)


def test_an_article_is_named_by_its_address_wherever_it_is_by_now(server, here, tmp_path, site, monkeypatch):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    post = public(street)["mastodon"]
    for address in (URL, f"{URL}/?utm_source=x#top", post.article):
        code, said = told(street, monkeypatch, commands.cli, "look", address)
        assert (code, said) == (0, "Nothing of what was posted is wrong\n"), address
    site.page = PAGE.replace(URL, ELSEWHERE)
    _, said = told(street, monkeypatch, commands.cli, "look", URL)
    (change,) = street.parts.aftercare.changes("main")
    assert f"{change.id}  moved, open\n" in said
    assert told(street, monkeypatch, evergreen.cli, "stop", ELSEWHERE)[0] == 0
    assert list(street.parts.aftercare.stopped("main")) == [post.article]
    assert told(street, monkeypatch, evergreen.cli, "allow", URL)[0] == 0
    _, said = told(street, monkeypatch, commands.cli, "look", "https://example.org/another")
    assert said.startswith("No article of main is at https://example.org/another")


def test_a_look_at_a_page_that_does_not_answer_does_not_say_that_all_is_well(server, here, tmp_path, site, monkeypatch):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    public(street)
    site.status = 503
    code, said = told(street, monkeypatch, commands.cli, "look", URL)
    assert code == 1
    assert "503" in said
    site.status = 404
    code, said = told(street, monkeypatch, commands.cli, "look", URL)
    assert code == 0
    assert "its page is not there: that counts if it is so after 08:15 UTC, too" in said


def test_a_correction_after_a_small_edit_replaces_the_posted_sentence_and_is_told_once(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    post = public(street)["mastodon"]
    (before,) = street.got("mastodon")
    number = next(n for n in ("14-month", "2.34 million") if n in before.text)
    site.page = PAGE.replace(f"a {number}", f"the {number}").replace(f"cost £{number}", f"cost us £{number}")
    assert look(street, post.article) == []
    site.page = site.page.replace(number, number.replace("4", "5"))
    (change,) = look(street, post.article)
    assert len(change.what) == 1
    (proposal,) = change.proposals
    assert proposal.text.count(number.replace("4", "5")) == before.text.count(number)
    same = [a for a, b in zip(before.text.split("\n"), proposal.text.split("\n"), strict=True) if a == b]
    assert len(same) == before.text.count("\n"), "one line is another, and the rest stands as it was"


def test_a_post_that_waits_for_approval_cannot_be_approved_with_a_number_that_is_wrong_by_now(
    server, here, tmp_path, site
):
    street = opened(server, here, tmp_path, site, ["mastodon", "slack"])
    post = public(street, platforms=["mastodon"])["mastodon"]
    street.accounts["slack"] = dataclasses.replace(street.accounts["slack"], approval=True)
    street.parts.records.save_account(street.accounts["slack"])
    planned = tomorrow(street, post.article)
    assert now(street, planned).status is Status.AWAITING_APPROVAL
    site.page = corrected("£210,000")
    (change,) = look(street, post.article, minutes=1)
    assert now(street, planned).status is Status.HELD
    with pytest.raises(Refused):
        decisions.approve(street.parts.deliveries, planned.id, by="Bob")
    street.parts.changes.approve(change.id, by="Ada")
    street.later(minutes=1)
    found = now(street, planned)
    assert found.status is Status.AWAITING_APPROVAL, "it is decided what it says, not that it goes out"
    assert "210,000" in found.steps[0].post.text


@pytest.mark.parametrize("held", [("404", "410"), ("noindex", "410"), ("410", "noindex")])
def test_what_is_held_goes_out_once_its_article_is_there(server, here, tmp_path, site, held):
    street, post, planned = posted_and_planned(server, here, tmp_path, site)
    for answer in (*held, "200"):
        site.status = int(answer) if answer.isdigit() else 200
        site.headers = {"x-robots-tag": "noindex"} if answer == "noindex" else {}
        look(street, post.article, minutes=1)
        look(street, post.article, minutes=16)
        assert now(street, planned).status is (Status.SCHEDULED if answer == "200" else Status.HELD)
    assert waiting(street, post.article) == {}


def test_a_page_that_hides_twice_is_asked_about_twice_and_what_it_held_goes_out(server, here, tmp_path, site):
    street, post, planned = posted_and_planned(server, here, tmp_path, site)
    for _ in range(2):
        site.headers = {"x-robots-tag": "noindex"}
        (change,) = look(street, post.article, minutes=1)
        assert post.id in {p.delivery for p in change.proposals}
        assert look(street, post.article, minutes=1) == []
        street.parts.changes.dismiss(change.id, by="Ada")
        assert look(street, post.article, minutes=1) == []
        assert now(street, planned).status is Status.HELD
        site.headers = {}
        look(street, post.article, minutes=1)
        assert now(street, planned).status is Status.SCHEDULED


def test_what_its_system_took_back_stays_so_when_its_page_comes_and_goes(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    post = public(street)["mastodon"]
    street.at += timedelta(seconds=1)
    street.parts.hooks.record("main.blog", Event(kind=Heard.DELETED, key="x", url=URL), street.at)
    street.parts.changes.round("main")
    for status in (200, 410, 200):
        site.status = status
        look(street, post.article, minutes=1)
        assert street.parts.aftercare.gone("main") == {post.article: "the site said: deleted"}


def test_what_somebody_has_rewritten_meanwhile_is_not_overwritten_by_a_proposal(server, here, tmp_path, site):
    street, post, planned = posted_and_planned(server, here, tmp_path, site)
    site.page = corrected("£210,000")
    (change,) = look(street, post.article, minutes=1)
    words = f"Careful words about £210,000. {planned.steps[0].post.link}"
    edit.change(street.parts, planned.id, edit.Edit(text=words), by="Bob")
    with pytest.raises(Refused, match="Somebody has changed"):
        street.parts.changes.approve(change.id, by="Ada")
    look(street, post.article, minutes=1)
    approve_all(street, post.article)
    found = now(street, planned)
    assert (found.status, found.steps[0].post.text) == (Status.SCHEDULED, words)


def test_a_worker_lost_between_two_changes_leaves_one_of_them_open(server, here, tmp_path, site, monkeypatch):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    post = public(street)["mastodon"]
    site.page = corrected("£210,000")
    look(street, post.article)
    site.page = corrected("£110,000")

    def lost(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(street.parts.changes, "_withdraw", lost)
        with pytest.raises(KeyboardInterrupt):
            look(street, post.article)
    look(street, post.article)
    (change,) = [c for c in street.parts.aftercare.changes("main") if c.state is State.OPEN]
    assert "110,000" in change.proposals[0].text


def test_what_somebody_approved_just_before_it_was_taken_back_is_not_let_go_as_it_was(
    server, here, tmp_path, site, monkeypatch
):
    street, post, planned = posted_and_planned(server, here, tmp_path, site)
    site.page = corrected("£210,000")
    look(street, post.article, minutes=1)
    care = street.parts.aftercare
    decide = care.decide

    def late(before, after):
        decide(before, dataclasses.replace(before, state=State.APPROVED, by="Ada"))
        return decide(before, after)

    site.page = PAGE
    with monkeypatch.context() as patched:
        patched.setattr(care, "decide", late)
        look(street, post.article, minutes=1)
    assert now(street, planned).status is Status.HELD


@pytest.mark.parametrize(
    ("before", "address", "after"),
    [
        ("See https://e.example/a.", "https://e.example/a?id=7", "See https://e.example/a?id=7."),
        ("https://e.example/a?utm_source=m", "https://e.example/a?id=7", "https://e.example/a?id=7&utm_source=m"),
        ("https://e.example/a?utm_source=m", "https://e.example/b", "https://e.example/b?utm_source=m"),
        ("Really https://e.example/a?", "https://e.example/b", "Really https://e.example/b?"),
        ("https://e.example/a-tale", "https://e.example/b", "https://e.example/a-tale"),
        ("https://e.example/a/", "https://e.example/b", "https://e.example/a/"),
    ],
)
def test_an_address_is_put_in_the_place_of_the_one_before_once(before, address, after):
    for text in (before, after):
        assert readdressed(text, ["https://e.example/a", address], address) == after
    short = readdressed("https://e.example/a?id=7&utm_source=m", ["https://e.example/a?id=7"], "https://e.example/a")
    assert short == "https://e.example/a?utm_source=m"
