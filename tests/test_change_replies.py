"""Replies that correct a post: they are no part of it, and one that is not true any more is taken away."""

from __future__ import annotations

import contextlib
import tomllib

import pytest
from typer.testing import CliRunner

from tests import test_changes
from tests.test_change_after_change import ELSEWHERE, approve_all, corrected, look, tomorrow, waiting
from tests.test_changes import PAGE, URL, now, opened, public
from web.changes import _parts
from worker import cli
from worker.changes import Action, Kind, correction, takes_back
from worker.commands import changes as commands
from worker.content import facts
from worker.model import Article, Status, StepKind
from worker.paths import TEMPLATES

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
    assert street.parts.deliveries.history(post.id)[-1].note.startswith("replied ")
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


def test_a_reply_that_an_article_was_taken_back_is_deleted_when_it_is_there_again(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon", "slack"])
    posts = public(street)
    for _ in range(2):  # whatever was decided the first time
        site.status = 410
        (gone,) = look(street, posts["slack"].article)
        street.parts.changes.approve(gone.id, {posts["slack"].id: Action.REPLY}, by="Ada")
        street.work()
        assert (said(street, "slack")[1:], said(street, "mastodon")) == (
            ["Correction: the article that this post is about was taken back."],
            [],
        )
        site.status = 200
        (back,) = look(street, posts["slack"].article)
        assert back.kind is Kind.RETURNED
        assert [(p.delivery, p.options) for p in back.proposals] == [
            (posts["slack"].id, (Action.RETRACT, Action.LEAVE))
        ]
        (deleted,) = (line for line in back.what if line.startswith("deleted meanwhile: "))
        assert "the post on mastodon (me)" in deleted
        assert f"handbill share {URL} --again --account mastodon-me" in deleted
        approve_all(street, posts["slack"].article)
        assert len(said(street, "slack")) == 1
        assert look(street, posts["slack"].article) == []
    assert deleted in street.parts.changes.nothing_new(posts["slack"].article)


def test_an_article_that_is_there_again_and_corrected_asks_once_about_each_post(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    post = public(street)["mastodon"]
    site.status = 410
    (gone,) = look(street, post.article)
    street.parts.changes.approve(gone.id, {post.id: Action.REPLY}, by="Ada")
    street.work()
    site.status, site.page = 200, corrected("£210,000")
    (back,) = look(street, post.article)
    assert back.kind is Kind.CORRECTED
    approve_all(street, post.article)
    (only,) = said(street, "mastodon")
    assert "210,000" in only
    assert look(street, post.article) == []


LIBRARY = (
    "Harbour library reopens with 42 new reading desks",
    "The library cost £3.6 million.",
    "Mayor Ada Byron spoke.",
)
NOW = ("Harbour library reopens with 48 new reading desks", "The library cost £3.9 million.", "Mayor Eve Lovell spoke.")


def reply_to(old, new, posted, fits, *, language="en"):
    before, after = (
        Article(id="main.a", url=URL, title=t, text=" ".join(x), language=language) for t, *x in (old, new)
    )
    wrong = facts.told(facts.slips(before, after), *posted, now=after)
    return correction(Kind.CORRECTED, wrong, URL, fits=fits, language=language)


@pytest.mark.parametrize(
    ("posted", "room", "lines"),
    [
        (LIBRARY, 1000, NOW),
        (LIBRARY[:2], 1000, NOW[:2]),
        (LIBRARY[1:2], 1000, NOW[1:2]),
        (LIBRARY, len(f"Correction: {NOW[0]}\n{NOW[2]}\n\n{URL}"), (NOW[0], NOW[2])),
        (LIBRARY, 80, ("the article has changed since this post.",)),
    ],
)
def test_a_reply_names_all_that_its_post_says_wrongly_as_far_as_it_fits(posted, room, lines):
    told = reply_to(LIBRARY, NOW, posted, lambda text: len(text) <= room)
    first, *more, between, link = told.split("\n")
    assert (between, link) == ("", URL)
    assert [first.removeprefix("Correction: "), *more] == list(lines)


def test_a_reply_is_in_the_language_of_its_article_where_its_words_are_known():
    old = ("Bücherei mit 42 Plätzen", "Die Bücherei hat 42 Plätze.", "Sie öffnet am 3. Mai.")
    new = ("Bücherei mit 48 Plätzen", "Die Bücherei hat 48 Plätze.")
    told = reply_to(old, new, old, len, language="de-AT")
    assert told == f"Korrektur: Bücherei mit 48 Plätzen\nIm Artikel steht nicht mehr: „Sie öffnet am 3. Mai.“\n\n{URL}"
    for tag, words in {
        "pt-BR": "Correção: o artigo ",
        "fr": "Rectificatif\u00a0: l’article ",
        "cy": "Correction: the ",
    }.items():
        gone = correction(Kind.GONE, (), URL, language=tag)
        assert gone.startswith(words)
        assert takes_back(gone)
        assert correction(Kind.CORRECTED, (), "", language=tag).startswith(words)
    assert not takes_back("Correction: the article has changed since this post.")


def test_a_reply_that_quotes_what_its_article_does_not_say_any_more_is_true(server, here, tmp_path, site):
    street = opened(server, here, tmp_path, site, ["mastodon"])
    post = public(street)["mastodon"]
    sentence = (
        "“I stopped counting the people who said they would be back when the bridge was,” said Marta Ellingham, "
        "who has run the bakery Crumb and Tide for 19 years."
    )
    assert sentence in said(street, "mastodon")[0]
    answer(street, site, post, PAGE.replace(sentence, ""))
    reply = said(street, "mastodon")[1]
    assert sentence in reply
    assert look(street, post.article) == []
    assert said(street, "mastodon")[1:] == [reply]


def test_every_language_of_corrections_says_all_that_is_said():
    table = tomllib.loads((TEMPLATES / "corrections.toml").read_text())
    for tag, how in table.items():
        assert how.keys() == table["en"].keys(), tag
        assert {w for w, text in how.items() if "{what}" in text} == {"correction", "unsaid"}, tag
        assert how["taken_back"].startswith(how["correction"].partition("{what}")[0]), tag
        assert len(how["quotes"]) == 2, tag


def test_a_reply_says_a_corrected_number_once_and_what_is_not_said_any_more_as_such():
    old = ("A library with 42 desks", "The library has 42 desks and cost £3.6 million.", "It opens on 3 May.")
    new = ("A library with 48 desks", "The library has 48 desks and cost £3.9 million.")
    told = reply_to(old, new, old, len)
    assert told == (
        "Correction: The library has 48 desks and cost £3.9 million.\n"
        f"the article does not say any more: “It opens on 3 May.”\n\n{URL}"
    )


def test_what_a_post_says_is_what_is_public_now_and_its_history_says_what_was_deleted(
    server, here, tmp_path, site, monkeypatch
):
    street = opened(server, here, tmp_path, site, ["mastodon", "linkedin"])
    posts = public(street)
    before = {p: said(street, p)[0] for p in posts}
    old = street.got("linkedin")[0]
    site.page = corrected("£210,000")
    look(street, posts["mastodon"].article)
    approve_all(street, posts["mastodon"].article)
    monkeypatch.setattr(cli, "_parts", lambda: contextlib.nullcontext(street.parts))
    for platform, post in posts.items():
        shown = CliRunner().invoke(cli.cli, ["delivery", "show", post.id]).output
        public_now, _, former = shown.partition("It said before:")
        (now_,) = said(street, platform)
        assert now_ in public_now
        assert before[platform] not in public_now
        assert before[platform] in former
        assert "planned for now\n" in former
    notes = [e.note for e in street.parts.deliveries.history(posts["linkedin"].id)]
    (deleted,) = (n for n in notes if n.startswith("deleted "))
    assert old.id in deleted
    assert sum(n.startswith("published ") for n in notes) == 2
    street.parts.receipts.round("main")
    assert [e.attempts for e in street.parts.aftercare.every_entry("main")] == [1] * 5


def test_what_is_to_be_decided_names_account_and_words_in_a_terminal(server, here, tmp_path, site, monkeypatch):
    street = opened(server, here, tmp_path, site, ["linkedin", "slack"])
    posts = public(street, platforms=["linkedin"])
    planned = tomorrow(street, posts["linkedin"].article)
    site.page = corrected("£210,000")
    (change,) = look(street, posts["linkedin"].article)
    monkeypatch.setattr(commands, "parts", lambda: contextlib.nullcontext(street.parts))
    monkeypatch.setenv("COLUMNS", "400")
    shown = CliRunner().invoke(commands.cli, ["list"]).output
    assert f"{posts['linkedin'].id} on linkedin (me): delete and re-post (or correction reply, delete, leave)" in shown
    assert f"{planned.id} on slack (me), not out yet: edit (or cancel, leave)" in shown
    assert f"it would say: {SAVED.format('£210,000')}" in shown  # which is how it begins
    assert "£210,000 under budget" in shown
    assert "the reply would say: Correction: " in shown
    run = CliRunner().invoke(commands.cli, ["approve", change.id, "--do", f"{posts['linkedin'].id}=cancel"])
    assert "is out, and cannot be cancelled" in str(run.exception)
    run = CliRunner().invoke(commands.cli, ["approve", change.id, "--do", f"{planned.id}=cancel"])
    assert run.exit_code == 0, run.exception
    assert now(street, planned).status is Status.CANCELLED
