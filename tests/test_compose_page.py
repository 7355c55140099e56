"""What the inbox and the composer answer: what is kept, what is refused and loses nothing, and nobody else's."""

from __future__ import annotations

import dataclasses
import io
from datetime import UTC, datetime

import pytest
from PIL import Image

from tests.newsroom import sign_in
from tests.test_web import BASE, Desk, Words
from worker import approval, decisions
from worker.intake.identity import address_key
from worker.intake.model import Candidate, Fate, Item, Kind, Rules, Source, item_id
from worker.model import Account, Status, Voice
from worker.pipeline import edit
from worker.pipeline.edit import Edit
from worker.settings import TEMPLATES


class Room(Desk):
    """A desk with one real article that nobody has decided about, and accounts on two platforms."""

    def __init__(self, server, folder):
        super().__init__(server, folder)
        for platform in ("mastodon", "linkedin"):
            self.parts.records.save_account(
                Account(id=f"main.{platform}", platform=platform, name=platform, rehearsal=True), {}
            )
        self.article = self.parts.planner.ingest(str(TEMPLATES / "sample" / "index.html"), workspace="main")

    def send(self, path, *, visit=None, headers=(), **fields):
        visit = visit or self.owner
        data = {"form_token": visit.form_token, **fields}
        given = {"Origin": BASE, "Accept": "text/html", **dict(headers)}
        return self.post(path, data=data, headers=given, visit=visit)

    def drafts(self):
        assert self.send("/inbox", edit=self.article.id).headers["location"] == f"/compose/{self.article.id}"
        return self.of()

    def of(self):
        found = self.parts.deliveries.several(self.parts.records.deliveries_of(self.article.id))
        return {d.platform: d for d in found}

    def save(self, delivery, **fields):
        return self.send(f"/compose/{self.article.id}/{delivery.id}", **fields)


@pytest.fixture
def room(server, tmp_path):
    return Room(server, tmp_path)


# The inbox


def test_an_article_is_shown_with_its_kit_and_where_it_would_go_and_is_accepted_with_one_click(room):
    page = room.page("/inbox").text
    assert "Larkhaven’s 1911 footbridge reopens four months early" in page
    assert "#SennFootbridge" in page
    assert "Accepted now, an article goes to" in page
    assert room.get(f"/inbox/{room.article.id}/card", visit=room.owner).headers["content-type"] == "image/webp"

    assert room.send("/inbox", accept=room.article.id).headers["location"] == "/inbox?show=new"

    assert {p: (d.status, bool(d.wall)) for p, d in room.of().items()} == {
        "mastodon": (Status.SCHEDULED, True),
        "linkedin": (Status.SCHEDULED, True),
    }
    assert "1 article accepted." in room.page("/inbox").text
    assert room.parts.audit.page("main", most=1)[0][0].what == "article accepted"


def test_what_is_ticked_is_skipped_and_brought_back_together(room):
    assert room.send("/inbox", do="skip", article=room.article.id, show="new").status_code == 303
    assert room.parts.records.shelves("main")["skipped"] == 1
    assert room.send("/inbox", do="back", article=room.article.id, show="skipped").status_code == 303
    assert room.parts.records.shelves("main")["new"] == 1
    assert room.send("/inbox", do="skip").status_code == 422
    assert room.send("/inbox", do="burn", article=room.article.id).status_code == 404


def test_an_accepted_article_waits_where_approval_is_wanted(room):
    room.parts.records.require_approval("main", wanted=True)
    room.send("/inbox", accept=room.article.id)
    assert {d.status for d in room.of().values()} == {Status.AWAITING_APPROVAL}


def test_nobody_decides_about_anothers_articles(room):
    for role, status in (("viewer", 403), ("approver", 403)):
        assert room.send("/inbox", accept=room.article.id, visit=sign_in(room.parts, role)).status_code == status
    other = sign_in(room.parts, "owner", "other")
    assert room.send("/inbox", accept=room.article.id, visit=other).status_code == 404
    for path in (f"/compose/{room.article.id}", f"/inbox/{room.article.id}/card", f"/compose/{room.article.id}/photo"):
        assert room.get(path, visit=other).status_code == 404
    assert room.of() == {}


def came_by(room, **fields):
    """Let the room's article have come by a source that leaves it to the inbox."""
    source = Source(id="main.lantern", kind=Kind.FEED, address="https://lantern.example/feed", **fields)
    room.parts.sources.save(source)
    key = address_key(room.article.url)
    item = Item(
        id=item_id("main", source.id, key), source=source.id, candidate=Candidate(address=room.article.url),
        fate=Fate.INBOX, article=room.article.id,
    )  # fmt: skip
    room.parts.sources.add_item(item, [key], look=None)


@pytest.mark.parametrize("what", ["accept", "edit"])
def test_what_is_accepted_goes_where_its_source_says_and_speaks_as_its_source_says(room, what):
    rules = Rules(at="inbox", approve=True, voice=Voice(template="Read: {title} {link}", hashtags=0))
    came_by(room, accounts=("main.mastodon",), rules=rules)
    seen = " ".join(Words(room.page("/inbox").text).text.split())
    assert "Its source sends it to Mastodon mastodon" in seen
    assert "LinkedIn" not in seen, "where it will not go is not promised"
    assert "after approval" in seen

    room.send("/inbox", **{what: room.article.id})

    assert set(room.of()) == {"mastodon"}
    post = room.of()["mastodon"]
    assert post.status is (Status.DRAFT if what == "edit" else Status.AWAITING_APPROVAL)
    assert post.steps[0].post.text == f"Read: {room.article.title} {room.article.url}"


def test_a_post_that_is_added_by_hand_speaks_as_the_source_says_and_waits_as_it_says(room):
    rules = Rules(at="inbox", approve=True, voice=Voice(template="Read: {title} {link}", hashtags=0))
    came_by(room, accounts=("main.mastodon",), rules=rules)
    page = f"/compose/{room.article.id}"
    assert "not named by its source" in room.page(page).text

    room.send(f"{page}/targets", account="main.linkedin")
    draft = room.of()["linkedin"]
    assert draft.steps[0].post.text == f"Read: {room.article.title} {room.article.url}"
    again = room.page(f"{page}/{draft.id}/write").json()
    assert again["text"] == f"Read: {room.article.title} {room.article.url}"

    room.send(f"{page}/{draft.id}", text=draft.steps[0].post.text, do="plan", when="slot")
    assert room.of()["linkedin"].status is Status.AWAITING_APPROVAL, "its source wants its posts approved"


def test_what_was_approved_for_its_source_is_approved_anew_when_it_changes(room):
    came_by(room, accounts=("main.mastodon",), rules=Rules(at="inbox", approve=True))
    room.send("/inbox", accept=room.article.id)
    post = room.of()["mastodon"]
    decisions.approve(room.parts.deliveries, post.id, seal=approval.seal(post), by="Grace")

    edit.change(room.parts, post.id, Edit(text="Something else"))

    assert room.of()["mastodon"].status is Status.AWAITING_APPROVAL


def test_the_api_accepts_as_the_source_says(room):
    rules = Rules(at="inbox", approve=True, voice=Voice(template="Read: {title} {link}", hashtags=0))
    came_by(room, accounts=("main.mastodon",), rules=rules)

    answer = room.ask("POST", f"/api/v1/articles/{room.article.id}/accept", token=room.token("write"), json={})

    assert answer.status_code == 200
    assert set(room.of()) == {"mastodon"}
    post = room.of()["mastodon"]
    assert post.status is Status.AWAITING_APPROVAL
    assert post.steps[0].post.text == f"Read: {room.article.title} {room.article.url}"

    answer = room.ask(
        "POST", f"/api/v1/articles/{room.article.id}/accept", token=room.token("write"),
        json={"accounts": ["main.linkedin"]},
    )  # fmt: skip
    assert answer.status_code == 200
    assert room.of()["linkedin"].steps[0].post.text == f"Read: {room.article.title} {room.article.url}"


def test_a_source_that_was_removed_names_no_accounts_any_more(room):
    came_by(room, accounts=("main.mastodon",))
    room.parts.sources.remove(room.parts.sources.get("main.lantern"))
    assert "Its source sends" not in room.page("/inbox").text

    room.send("/inbox", accept=room.article.id)

    assert set(room.of()) == {"mastodon", "linkedin"}


# The composer


def test_a_draft_is_kept_as_it_is_written_and_scheduled_when_it_fits(room):
    draft = room.drafts()["mastodon"]
    assert draft.status is Status.DRAFT
    text = "Own words #Bridge https://example.org/larkhaven/senn-footbridge-reopens"

    assert room.save(draft, text=text, alt="A bridge", picture="keep", comment="More soon").status_code == 303
    kept = room.of()["mastodon"]
    assert [(str(s.kind), s.post.text) for s in kept.steps] == [("post", text), ("comment", "More soon")]
    assert kept.steps[0].post.media[0].alt == "A bridge"

    answer = room.save(kept, text=text, do="plan", when="at", wall="2030-03-10T02:30", zone="America/New_York")
    assert answer.status_code == 303
    planned = room.of()["mastodon"]
    assert (planned.status, planned.wall, planned.zone) == (Status.SCHEDULED, "2030-03-10 03:30", "America/New_York")


def test_a_refusal_says_why_and_keeps_every_word(room):
    draft = room.drafts()["mastodon"]
    long = "word " * 120

    answer = room.save(draft, text=long, alt="<b>alt</b>", do="plan", when="slot")

    assert answer.status_code == 409
    assert "The text is 99 too long: 599 of 500, as Mastodon counts" in answer.text
    assert long.strip() in answer.text
    assert "&lt;b&gt;alt&lt;/b&gt;" in answer.text
    assert room.of()["mastodon"].status is Status.DRAFT


def test_what_somebody_else_changed_is_not_overwritten(room):
    draft = room.drafts()["mastodon"]
    assert room.save(draft, text="Mine", seen=str(draft.fence)).status_code == 303

    answer = room.save(draft, text="Yours", seen=str(draft.fence))

    assert answer.status_code == 409
    assert "was changed meanwhile" in answer.text
    assert "Yours</textarea>" in answer.text
    assert room.of()["mastodon"].steps[0].post.text == "Mine"


def test_the_check_counts_as_the_platform_does_shows_the_facets_and_stores_nothing(room):
    draft = room.drafts()["mastodon"]
    where = f"/compose/{room.article.id}/{draft.id}/check"
    text = "Look #Bridge https://example.org/" + "a" * 200

    answer = room.send(where, text=text, when="at", wall="2030-03-10T02:30", zone="America/New_York")

    assert answer.status_code == 200
    assert "<b>36</b> of 500" in answer.text, "a link counts 23"
    assert '/tags/Bridge"' in answer.text or "#Bridge" in answer.text
    assert "Clocks skip 02:30 on this day" in answer.text
    assert room.of()["mastodon"] == draft
    assert "too long" in room.send(where, text="x" * 501).text


def test_the_time_on_a_preview_is_the_viewers_and_says_whose_it_is(room):
    draft = room.drafts()["mastodon"]
    due = datetime(2030, 3, 11, 23, 30, tzinfo=UTC)
    room.parts.deliveries.change(
        draft.id, draft.status, origins=[draft.status], note="moved", due=due, fields={"zone": "Asia/Kolkata"}
    )
    page = Words(room.page(f"/compose/{room.article.id}?open={draft.id}").text)
    assert "Time: 12 Mar 2030, 00:30 , Europe/Vienna; 05:00 in Asia/Kolkata" in page.text


def test_each_sentence_leads_to_its_place_in_the_article(room):
    draft = room.drafts()["mastodon"]
    page = room.page(f"/compose/{room.article.id}?open={draft.id}").text
    sentence = "The Senn Footbridge reopened to walkers and cyclists on Wednesday morning"
    assert f"<mark>{sentence}" in page
    assert 'tabindex="0"' in page.partition("Where its sentences come from")[2]


def test_a_design_a_point_a_photo_and_a_picture_of_ones_own(room):
    draft = room.drafts()["mastodon"]
    first = draft.steps[0].post.media[0]
    card = f"/compose/{room.article.id}/{draft.id}/card"
    assert room.get(f"{card}?design=quote", visit=room.owner).headers["x-design"] == "quote"
    assert room.get(f"{card}?design=nothing", visit=room.owner).status_code == 422
    left, right = (room.get(f"{card}?design=plain&focus={x},0.5", visit=room.owner).content for x in ("0.0", "1.0"))
    assert room.get(f"/compose/{room.article.id}/photo", visit=room.owner).headers["content-type"] == "image/webp"
    assert left[:4] == right[:4] == b"RIFF"

    room.save(draft, picture="quote", alt=first.alt)
    quoted = room.of()["mastodon"].steps[0].post.media[0]
    assert quoted.sha256 != first.sha256
    room.save(draft, picture="quote", alt="In my words")
    assert room.of()["mastodon"].steps[0].post.media[0].alt == "In my words"
    room.save(draft, picture="none")
    assert room.of()["mastodon"].steps[0].post.media == ()

    own = io.BytesIO()
    Image.new("RGB", (900, 900), "navy").save(own, "PNG")
    data = {"form_token": room.owner.form_token, "picture": "upload", "alt": ""}
    where = f"/compose/{room.article.id}/{draft.id}"
    files = {"upload": ("own.png", own.getvalue(), "image/png")}
    assert room.post(where, data=data, files=files, headers={"Origin": BASE}, visit=room.owner).status_code == 303
    mine = room.of()["mastodon"].steps[0].post.media[0]
    with Image.open(mine.path) as shown:
        assert shown.size == (mine.width, mine.height)
        assert shown.convert("RGB").getpixel((9, 9))[2] > 100
    files = {"upload": ("own.png", b"<svg onload=alert(1)>", "image/png")}
    answer = room.post(where, data=data, files=files, headers={"Origin": BASE}, visit=room.owner)
    assert "The picture cannot be used" in answer.text


def test_other_sentences_and_other_templates_are_offered_and_stored_only_when_saved(room):
    draft = room.drafts()["mastodon"]
    where = f"/compose/{room.article.id}/{draft.id}/write"
    texts = [
        room.get(f"{where}?{q}", visit=room.owner).json()["text"]
        for q in ("variant=0", "variant=1", "template=linkedin")
    ]
    assert texts[0] == draft.steps[0].post.text
    assert len(set(texts)) == 3
    assert room.of()["mastodon"] == draft


def test_targets_come_and_go_and_an_article_without_any_is_new_again(room):
    drafts = room.drafts()
    targets = f"/compose/{room.article.id}/targets"
    for draft in drafts.values():
        assert room.send(targets, drop=draft.id).status_code == 303
    assert room.of() == {}
    assert room.parts.records.shelves("main")["new"] == 1
    assert room.send(targets, account="main.mastodon").status_code == 303
    assert room.of()["mastodon"].status is Status.DRAFT
    assert room.send(targets, account="other.mastodon").status_code == 404


def test_an_approval_covers_what_was_shown_and_the_audit_log_keeps_its_seal(room):
    room.parts.records.require_approval("main", wanted=True)
    draft = room.drafts()["mastodon"]
    room.save(draft, text="Ready https://example.org/larkhaven/senn-footbridge-reopens", do="plan", when="slot")
    waiting = room.of()["mastodon"]
    seal = approval.seal(waiting)
    assert f'name="seal" value="{seal}"' in room.page(f"/compose/{room.article.id}?open={waiting.id}").text
    editor = sign_in(room.parts, "editor")
    assert room.send(f"/queue/{waiting.id}/approve", seal=seal, visit=editor).status_code == 403
    room.save(waiting, text="Changed meanwhile")
    approver = sign_in(room.parts, "approver")
    assert room.send(f"/queue/{waiting.id}/approve", seal=seal, visit=approver).status_code == 409

    seal = approval.seal(room.of()["mastodon"])
    assert room.send(f"/queue/{waiting.id}/approve", seal=seal, visit=approver).status_code == 303

    found = room.of()["mastodon"]
    assert (found.status, found.approver, approval.covered(found)) == (Status.SCHEDULED, "Approver of main", True)
    entry = room.parts.audit.page("main", most=1)[0][0]
    assert (entry.what, entry.subject, entry.detail, entry.actor.name) == (
        "approved",
        found.id,
        seal,
        "Approver of main",
    )


def test_whoever_approves_sends_back_with_a_reason_and_the_audit_log_keeps_it(room):
    room.parts.records.require_approval("main", wanted=True)
    room.send("/inbox", accept=room.article.id)
    waiting = room.of()["mastodon"]
    approver = sign_in(room.parts, "approver")
    where = f"/queue/{waiting.id}/send-back"
    assert f'action="{where}"' in room.page(f"/compose/{room.article.id}?open={waiting.id}", visit=approver).text
    assert room.send(where, why="No", visit=sign_in(room.parts, "viewer")).status_code == 403
    assert room.send(where, why="The name is wrong", visit=approver).status_code == 303
    found = room.of()["mastodon"]
    assert (found.status, found.reason) == (Status.DRAFT, "The name is wrong")
    entry = room.parts.audit.page("main", most=1)[0][0]
    said = (entry.what, entry.subject, entry.detail, entry.actor.name)
    assert said == ("sent back", found.id, "The name is wrong", "Approver of main")
    assert room.send(where, why="Again", visit=approver).status_code == 409


def test_a_viewer_reads_and_changes_nothing(room):
    draft = room.drafts()["mastodon"]
    viewer = sign_in(room.parts, "viewer")
    page = room.page(f"/compose/{room.article.id}?open={draft.id}", visit=viewer).text
    assert "Your role looks and does not write." in page
    answer = room.send(f"/compose/{room.article.id}/{draft.id}", visit=viewer, text="No")
    assert answer.status_code == 403
    assert room.of()["mastodon"] == dataclasses.replace(draft)


def test_a_post_that_is_out_is_shown_and_not_changed(room):
    room.send("/inbox", accept=room.article.id)
    found = room.of()["mastodon"]
    room.parts.deliveries.change(found.id, Status.SCHEDULED, origins=[Status.SCHEDULED], note="", due=room.parts.now())
    room.parts.deliveries.begin(found.id, lease=60, stale=1e9)
    answer = room.save(found, text="Too late")
    assert answer.status_code == 409
    assert "cannot be changed any more" in answer.text


def test_an_owner_says_whose_posts_wait_for_approval(room):
    where = "/settings/workspace/approval"
    fields = {"workspace": "yes", "main.linkedin": "no", "main.mastodon": ""}
    assert room.send(where, visit=sign_in(room.parts, "editor"), **fields).status_code == 403
    assert room.send(where, **fields).status_code == 303
    wanted = {a.platform: room.parts.records.needs_approval(a) for a in room.parts.records.accounts("main")}
    assert wanted == {"mastodon": True, "linkedin": False}
    entry = room.parts.audit.page("main", most=1)[0][0]
    assert (entry.what, entry.detail) == ("approval rules changed", "all: wanted; main.linkedin: not wanted")
    room.send("/inbox", accept=room.article.id)
    assert {p: d.status for p, d in room.of().items()} == {
        "mastodon": Status.AWAITING_APPROVAL,
        "linkedin": Status.SCHEDULED,
    }
    assert "Posts wait until somebody approves them" in room.page("/settings/workspace").text
