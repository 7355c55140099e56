"""Digests: several articles in one post, made once within the hour before its time, of what came since the last one."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, time, timedelta

import pytest

from publishers.core.limits import Limits
from tests.newsroom import runtime
from worker import digest as words
from worker.embedded import Embedded
from worker.errors import HandbillError
from worker.model import Account, Article, Content, Digest, Status, article_id
from worker.pipeline.share import share
from worker.store.records import Records

VIENNA = "Europe/Vienna"
STEADY = "Asia/Kolkata"
"""Where clocks are never changed, whatever day a test is run on."""


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def content(name):
    return Content(
        short=f"{name} in short.", medium=f"{name} in a few words more.", long=name, sentences=(), hashtags=(), alt=""
    )


def article(name, host="larkhaven.example", workspace="main"):
    url = f"https://{host}/{name.lower()}"
    text = f"{name} was on the agenda of the council on Monday, and it was agreed upon before the winter came. " * 4
    return Article(id=article_id(workspace, url), url=url, title=name, text=text, language="en", workspace=workspace)


def entry(name):
    found = article(name)
    return words.Entry(article=found, content=content(name), link=f"{found.url}?utm_source=mail")


# When


@pytest.mark.parametrize(
    ("digest", "after", "due"),
    [
        (Digest(every="daily", at=time(8)), "2026-11-26T06:59", "2026-11-26T07:00"),
        (Digest(every="daily", at=time(8)), "2026-11-26T07:00", "2026-11-27T07:00"),
        (Digest(every="weekly", on=0, at=time(8)), "2026-11-26T06:59", "2026-11-30T07:00"),
        (Digest(every="weekly", on=3, at=time(8)), "2026-11-26T06:59", "2026-11-26T07:00"),
        (Digest(every="weekly", on=3, at=time(8)), "2026-11-26T07:00", "2026-12-03T07:00"),
        # the clocks go back on 25 October and forward on 28 March, and it is still eight
        (Digest(every="daily", at=time(8)), "2026-10-24T06:00", "2026-10-25T07:00"),
        (Digest(every="daily", at=time(8)), "2027-03-27T07:00", "2027-03-28T06:00"),
    ],
)
def test_a_digest_is_due_at_its_wall_time(digest, after, due):
    assert words.following(digest, zone=VIENNA, after=at(after)).instant == at(due)


# What it says


def test_each_article_is_named_linked_and_summed_up():
    post = words.write([entry("Bridge"), entry("Lighthouse")], title="", limits=Limits(text=2000), media=())

    assert post.text == ("Bridge\nBridge in a few words more.\n\nLighthouse\nLighthouse in a few words more.")
    assert [(post.text[f.start : f.end], f.value) for f in post.facets] == [
        ("Bridge", "https://larkhaven.example/bridge?utm_source=mail"),
        ("Lighthouse", "https://larkhaven.example/lighthouse?utm_source=mail"),
    ]
    assert (post.title, post.description, post.link) == ("Bridge (+1)", "Lighthouse", None)


def test_many_articles_are_said_shortly_and_one_alone_is_linked_as_itself():
    many = words.write([entry(f"Story{n}") for n in range(6)], title="This week", limits=Limits(text=2000), media=())
    assert "Story5 in short." in many.text
    assert many.title == "This week"
    one = words.write([entry("Bridge")], title="", limits=Limits(text=2000), media=())
    assert (one.title, one.link) == ("Bridge", "https://larkhaven.example/bridge?utm_source=mail")


def test_what_does_not_fit_is_left_out_from_the_end():
    post = words.write([entry(f"Story{n}") for n in range(9)], title="", limits=Limits(text=100), media=())
    assert post.text.startswith("Story0\n")
    assert len(post.text) <= 100
    with pytest.raises(HandbillError, match="does not fit"):
        words.write([entry("Bridge")], title="", limits=Limits(text=10), media=())


# Planned, once


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Embedded.start(tmp_path_factory.mktemp("digest")) as running:
        yield running


@pytest.fixture
def parts(server, tmp_path, monkeypatch):
    made = runtime(server, tmp_path)
    made.store.client.flushdb()
    made.records.save_account(Account(id="main.box", platform="outbox", name="Readers", zone=STEADY))
    monkeypatch.setattr(type(made), "now", lambda self: made.clock, raising=True)
    made.clock = datetime.now(UTC)
    yield made
    made.close()


def bring(parts, *names, **more):
    for name in names:
        parts.records.save_article(article(name, **more), content(name))
    parts.clock = datetime.fromtimestamp((parts.store.now_ms() + 1) / 1000, UTC)


def box(parts, **digest):
    return parts.digests.keep(parts.records.account("main.box"), Digest(**digest))


def soon(parts, minutes=30):
    """A digest's time that comes in so many minutes."""
    due = (parts.clock + timedelta(minutes=minutes)).astimezone(words.zone_of(STEADY))
    return time(due.hour, due.minute)


def test_a_digest_is_planned_within_the_hour_before_its_time_and_once(parts):
    bring(parts, "Bridge", "Lighthouse")
    account = box(parts, every="daily", at=soon(parts))

    (planned,) = parts.digests.sweep("main")
    assert planned.status is Status.SCHEDULED
    assert planned.due == words.following(account.digest, zone=STEADY, after=parts.clock).instant
    assert set(planned.steps[0].post.text.split("\n")) >= {"Bridge", "Lighthouse"}
    assert [d.id for d in parts.digests.sweep("main")] == [planned.id]
    assert len(parts.deliveries.ids()) == 1
    bring(parts, "Too late")
    parts.digests.sweep("main")
    assert "Too late" not in parts.deliveries.get(planned.id).steps[0].post.text


def test_what_comes_after_a_digest_was_made_is_in_the_next_one(parts):
    bring(parts, "Bridge")
    box(parts, every="daily", at=soon(parts))
    parts.digests.sweep("main")
    bring(parts, "Lighthouse")
    parts.clock += timedelta(days=1)

    (second,) = parts.digests.sweep("main")
    assert second.steps[0].post.text == "Lighthouse\nLighthouse in a few words more."


def test_nothing_is_planned_long_before_its_time_or_if_nothing_came(parts):
    bring(parts, "Bridge")
    box(parts, every="daily", at=soon(parts, minutes=-7 * 60))
    assert parts.digests.sweep("main") == []
    box(parts, every="daily", at=soon(parts), source="elsewhere.example")
    assert parts.digests.sweep("main") == []


def test_one_that_nobody_made_in_time_goes_out_at_once(parts):
    bring(parts, "Bridge")
    box(parts, every="daily", at=soon(parts, minutes=-90))
    (planned,) = parts.digests.sweep("main")
    assert abs(planned.due - parts.clock) < timedelta(seconds=5)


def test_only_articles_of_its_source_and_no_digest_stand_in_a_digest(parts):
    bring(parts, "Bridge")
    bring(parts, "Elsewhere", host="other.example")
    box(parts, every="daily", at=soon(parts), source="larkhaven.example")
    (planned,) = parts.digests.sweep("main")
    assert planned.steps[0].post.title == "Bridge"
    assert (
        parts.digests.plan(dataclasses.replace(parts.records.account("main.box"), digest=Digest(every="daily")))
        is not None
    )


def test_an_account_with_a_digest_gets_no_article_by_itself(parts, tmp_path):
    box(parts, every="weekly")
    page = tmp_path / "a.md"
    page.write_text("# Bridge\n\n" + "The council met on Monday and agreed to repair the old bridge. " * 8)
    with pytest.raises(HandbillError, match="There is no account to post to"):
        share(parts, str(page), workspace="main")
    parts.digests.keep(parts.records.account("main.box"), None)
    assert len(share(parts, str(page), workspace="main")[1]) == 1


def test_a_platform_of_few_words_gets_none(parts):
    parts.records.save_account(Account(id="main.x", platform="x", name="x"))
    with pytest.raises(HandbillError, match="too small for a digest"):
        parts.digests.keep(parts.records.account("main.x"), Digest())


def test_a_digest_is_kept_with_its_account_and_read_again(parts):
    kept = box(parts, every="daily", at=time(7, 30), source="larkhaven.example", title="Heute")
    assert Records(parts.store, parts.vault).account("main.box").digest == kept.digest
