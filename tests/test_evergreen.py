"""Older articles that are shared again: never two texts nearly alike in a window, never off the rules, over a simulated year."""

from __future__ import annotations

import contextlib
import itertools
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from publishers import load
from tests.newsroom import runtime, sign_in
from tests.test_web import BASE, Desk
from worker import evergreen
from worker.commands import digest as digest_commands
from worker.commands import evergreen as evergreen_commands
from worker.content.likeness import NEAR, content, likeness, near
from worker.embedded import Embedded
from worker.errors import HandbillError, NotFound
from worker.evergreen import Rule, Share
from worker.model import Account, Article, Calendar, Status
from worker.schedule import When
from worker.settings import TEMPLATES
from worker.store import Deliveries

NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)
DAY = timedelta(days=1)
FIXTURES = Path(__file__).parent / "fixtures" / "articles"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Embedded.start(tmp_path_factory.mktemp("evergreen")) as running:
        yield running


# The pure part


@pytest.mark.parametrize("tag", ["en", "ja", ""])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The harbour opens again after two years.", "The harbour opens again after two years. #Harbour https://a.example/1"),
        ("The harbour opens again after two years.", "ICYMI: the Harbour opens again after two years!"),
        ("港が二年ぶりに再び開かれる。", "港が二年ぶりに再び開かれる！ #港"),
        ("", ""),
    ],
)  # fmt: skip
def test_what_differs_only_in_hashtags_links_and_signs_is_nearly_the_same(one, other, tag):
    assert near(one, other, tag)
    assert likeness(one, other, tag) == likeness(other, one, tag)


@pytest.mark.parametrize(
    ("tag", "one", "other"),
    [
        ("en", "The bridges opened again after the floods.", "The bridge opens again after the flood."),
        ("en-GB", "Prices rose for houses in towns", "Price rises for a house in town"),
        ("de", "Die Brücken öffneten nach der Flut", "Die Brücke öffnet nach den Fluten"),
        ("es", "Los puentes abren tras las inundaciones", "El puente abre tras la inundación"),
        ("fr", "Les ponts rouvrent après les crues", "Le pont rouvre après la crue"),
        ("it", "I ponti riaprono dopo le piene", "Il ponte riapre dopo la piena"),
        ("pt", "As pontes abriram depois das cheias", "A ponte abriu depois da cheia"),
        ("nl", "De bruggen openen na de overstromingen", "De brug opent na de overstroming"),
        ("sv", "Broarna öppnas efter stormarna", "Bron öppnas efter stormen"),
        ("ru", "Мосты открыты после наводнений", "Мост открыт после наводнения"),
        ("pl", "Mosty otwarte po powodziach", "Most otwarty po powodzi"),
    ],
)
def test_other_endings_are_nearly_the_same_in_the_language_of_the_article(tag, one, other):
    assert near(one, other, tag), likeness(one, other, tag)
    assert likeness(one, other, tag) == likeness(other, one, tag)


@pytest.mark.parametrize("word", ["war", "man", "son", "sea", "car", "die"])
def test_a_word_that_is_a_small_one_in_another_language_says_something(word):
    assert content(word, "en")
    assert likeness(f"{word.title()} in Larkhaven", "Larkhaven", "en") == 0.5


def test_a_word_with_the_same_meaning_is_another_word():
    assert likeness("The ship is mended.", "The vessel is repaired.", "en") == 0.0


def test_a_text_is_read_once_however_many_it_is_compared_with():
    content.cache_clear()
    evergreen.choose(["Ships return to the quay."], [f"Storm number {n} is over." for n in range(50)], [], "en")
    assert content.cache_info().misses == 51


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The harbour opens again after two years.", "Twelve ships a day will use the new quay from Monday."),
        ("The harbour opens again. Ships are back.", "The harbour opens again. The new quay cost 3 million and took two years."),
        ("", "Something"),
    ],
)  # fmt: skip
def test_other_sentences_of_one_article_are_not_the_same(one, other):
    assert likeness(one, other, "en") < NEAR


SAID = "Twelve ships return to the mended quay after two long years, says the mayor, and the fishers are glad of it."
INSTEAD = ("boats", "repaired", "wharf", "burgomaster", "pleased", "vessels", "decades", "lengthy")


@given(st.permutations(SAID.split()), st.lists(st.tuples(st.integers(0, 20), st.sampled_from(INSTEAD)), max_size=2))
def test_the_same_words_in_another_order_with_two_of_them_replaced_are_nearly_the_same(order, others):
    for place, word in others:
        order[place] = word
    text = " ".join(order)
    assert near(SAID, text, "en")
    assert evergreen.choose([text], [SAID], [], "en") is None
    assert not near(SAID, "The new bridge cost the council 3 million, and a lift will follow in spring.", "en")


SENTENCES = st.lists(
    st.sampled_from(
        [
            "ships",
            "return",
            "quay",
            "opens",
            "mayor",
            "says",
            "twelve",
            "million",
            "years",
            "after",
            "storm",
            "long",
            "wait",
            "fishers",
            "glad",
        ]
    ),
    min_size=3,
    max_size=9,
).map(" ".join)


@settings(max_examples=80, deadline=None)
@given(
    days=st.lists(st.tuples(st.integers(1, 20), st.lists(SENTENCES, min_size=1, max_size=4)), min_size=1, max_size=25),
    window=st.integers(1, 60),
)
def test_whatever_is_offered_no_two_texts_within_the_window_are_nearly_alike(days, window):
    at, sent = NOW, []
    for pause, options in days:
        at += pause * DAY
        lately = [text for when, text in sent if at - when < window * DAY]
        chosen = evergreen.choose(options, lately, [text for _, text in sent], "en")
        if chosen is not None:
            sent.append((at, options[chosen]))
        else:
            assert all(any(near(o, text, "en") for text in lately) for o in options), (
                "it left out a text that could be sent"
            )
    for (one, a), (other, b) in itertools.combinations(sent, 2):
        assert other - one >= window * DAY or likeness(a, b, "en") < NEAR, (a, b)


ARTICLE = Article(id="main.a", url="https://www.example.org/a", title="A", text="A", published_at=NOW - 100 * DAY)


def share(days_ago, status=Status.PUBLISHED, by=""):
    return Share(at=NOW - days_ago * DAY, status=status, text="A", pictures=(), evergreen=by)


@pytest.mark.parametrize(
    ("shares", "changes", "why"),
    [
        ([share(40)], {}, ""),
        ([share(20)], {}, "it was shared less than 30 days ago"),
        ([], {}, "it was not shared there yet"),
        ([share(40, Status.FAILED)], {}, "it was not shared there yet"),
        ([share(40), share(1, Status.SCHEDULED, "r")], {}, "a share of it is on its way"),
        ([share(90), share(50, by="r")], {}, "it was shared less than 60 days ago"),
        ([share(90), share(5, Status.CANCELLED, "r")], {}, "it was shared less than 60 days ago"),
        ([share(300), share(200, by="r"), share(120, by="r"), share(61, by="r")], {}, "it was shared again 3 times"),
        ([share(40)], {"oldest": 90}, "it is older than 90 days"),
        ([share(40)], {"oldest": 0}, ""),
    ],
)
def test_a_rule_says_why_an_article_does_not_go_out_again(shares, changes, why):
    assert evergreen.objection(Rule(name="r", **changes), ARTICLE, shares, now=NOW) == why
    assert evergreen.objection(Rule(name="r"), ARTICLE, shares, now=NOW, stopped="it is gone") == "it is gone"


def test_a_rule_has_a_season_that_may_run_over_the_new_year_and_an_end():
    rule = Rule(name="r", season=("11-15/01-06",), until=date(2027, 1, 3))
    assert [rule.in_season(date(2026, 11, d)) for d in (14, 15)] == [False, True]
    assert [rule.in_season(date(2027, 1, d)) for d in (3, 4)] == [True, False]
    assert Rule(name="r", source="example.org").covers(ARTICLE)
    assert not Rule(name="r", source="example.com").covers(ARTICLE)


@pytest.mark.parametrize(
    "rule",
    [
        Rule(name=""), Rule(name="a b"), Rule(name="r", after=0), Rule(name="r", season=("soon",)),
        Rule(name="r", season=("13-01/01-01",)), Rule(name="r", window=366), Rule(name="r", times=51),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_is_refused_with_what_to_do(rule):
    with pytest.raises(HandbillError) as caught:
        evergreen.checked(rule)
    assert caught.value.do


def test_platforms_that_take_an_article_once_and_those_with_a_rule_of_their_own_say_so():
    def window(platform, days=30):
        return evergreen.window_of(
            Rule(name="r", window=days), Account(id=f"main.{platform}", platform=platform, name="n")
        )

    assert window("reddit") is None
    assert window("wordpress") is None
    assert window("x") == timedelta(days=365)
    assert window("mastodon") == timedelta(days=30)
    assert window("linkedin", 3) == timedelta(days=7)


# With the real planner, store and engine


class Year:
    """A newsroom with a clock of its own: everything is real but the time, and posts go to the outbox."""

    def __init__(self, server, folder):
        self.at = NOW
        self.parts = runtime(server, folder)
        self.parts.store.client.flushdb()
        self.parts.deliveries = Deliveries(self.parts.store, clock=lambda: round(self.at.timestamp() * 1000))
        self.parts.now = lambda: self.at
        self.woken = []
        self.engine = self.parts.engine(wake=self.woken.extend, depth=lambda: 0)
        week = tuple((d, (time(9), time(17))) for d in range(7))
        for name in ("one", "two"):
            account = Account(
                id=f"main.{name}", platform="outbox", name=name, zone="Europe/Vienna", calendar=Calendar(week=week),
                settings={"folder": str(folder / name)},
            )  # fmt: skip
            self.parts.records.save_account(account)
        self.articles = [self.publish(str(TEMPLATES / "sample" / "index.html"))]

    def publish(self, source):
        article = self.parts.planner.ingest(source, workspace="main")
        made = self.parts.planner.plan(article.id, self.parts.records.accounts("main"), due=self.slot)
        for delivery in made:
            assert self.engine.publish(delivery.id) == Status.PUBLISHED
        return article.id

    def slot(self, account, delivery):
        self.parts.records.reserve(account, delivery, self.at, gap=0)
        return When(self.at, "", account.zone)

    def run(self, days):
        """Let so many days pass: each morning the rules are applied, and what is due goes out at its time."""
        planned = []
        for _ in range(days):
            self.at = self.at.replace(hour=5, minute=0) + DAY
            planned += self.parts.evergreens.sweep("main")
            for hour in range(5, 23):
                self.at = self.at.replace(hour=hour, minute=1)
                self.engine.tick()
                while self.woken:
                    self.engine.publish(self.woken.pop())
        return planned

    def shares(self):
        return [d for a in self.articles for d in self.parts.deliveries.several(self.parts.records.deliveries_of(a))]


@pytest.fixture
def year(server, tmp_path):
    return Year(server, tmp_path)


def test_older_articles_go_out_again_in_other_words_with_other_cards_as_the_rule_says(year):
    year.articles.append(year.publish(str(FIXTURES / "tide-gates" / "page.html")))
    rule = Rule(name="again", after=20, every=30, times=3, weekly=1, window=80, oldest=400, season=("11-01/02-28",))
    year.parts.aftercare.save_rule(rule)
    planned = year.run(150)

    assert {d.evergreen for d in planned} == {"again"}
    assert all(d.status is Status.SCHEDULED for d in planned)
    shares = year.shares()
    for account in ("main.one", "main.two"):
        mine = sorted((s for s in shares if s.account == account), key=lambda d: d.due)
        again = [d for d in mine if d.evergreen]
        assert len(again) >= 3
        assert {d.status for d in mine} == {Status.PUBLISHED}
        for a, b in itertools.combinations(mine, 2):
            texts = a.steps[0].post.text, b.steps[0].post.text
            assert b.due - a.due >= 80 * DAY or likeness(*texts, "en") < NEAR, texts
        for a, b in itertools.pairwise(again):
            assert b.due - a.due >= 7 * DAY, "one a week at most"
        assert all(d.due.date() <= date(2027, 2, 28) for d in again), "the season is over"
        assert all(d.wall[11:] in {"09:00", "17:00"} for d in again)
        for article in year.articles:
            own = [d for d in mine if d.article == article]
            assert len([d for d in own if d.evergreen]) <= 3
            assert own[1].due - own[0].due >= 20 * DAY
            assert all(b.due - a.due >= 30 * DAY for a, b in itertools.pairwise(own[1:]))
            pictures = [d.steps[0].post.media[0].sha256 for d in own]
            assert len(set(pictures)) == len(pictures), "another card each time"
    assert not year.parts.evergreens.sweep("main"), "once an hour"


def test_what_a_rule_planned_is_taken_back_when_the_article_is_wrong_the_rule_ends_or_the_words_are_used(year):
    rule = Rule(name="again", after=20)
    year.parts.aftercare.save_rule(rule)
    year.at += 30 * DAY
    one, two = year.parts.evergreens.sweep("main", force=True)
    assert not year.parts.evergreens.sweep("main", force=True), "planning again plans nothing"

    # Somebody shares nearly the same words by hand on one of the accounts.
    copy = year.parts.deliveries.get(one.id).steps
    year.parts.deliveries.create(
        one.__class__(**{f: getattr(one, f) for f in one.__slots__} | {
            "id": "main.copy", "evergreen": "", "due": one.due + DAY, "steps": copy, "article": "main.other"}),
        note="by hand",
    )  # fmt: skip
    assert year.parts.evergreens.take_back("main") == [one.id]
    found = year.parts.deliveries.get(one.id)
    assert (found.status, found.reason) == (Status.CANCELLED, "another post says nearly the same")

    year.parts.aftercare.stop(year.articles[0], "it is gone")
    assert year.parts.evergreens.take_back("main") == [two.id]
    assert year.parts.deliveries.get(two.id).reason == "it is gone"
    assert not year.parts.evergreens.sweep("main", force=True), (
        "what a person or a rule took back is not planned at once"
    )


def test_posts_wait_for_approval_where_the_workspace_asks_for_it(year):
    year.parts.records.require_approval("main", wanted=True)
    year.parts.aftercare.save_rule(Rule(name="again", after=20, account="main.one"))
    year.at += 30 * DAY
    (planned,) = year.parts.evergreens.sweep("main", force=True)
    assert planned.status is Status.AWAITING_APPROVAL
    assert load(planned.platform).reshares is not None


# The page and the API


def test_rules_are_kept_by_the_page_and_the_api_and_refused_with_the_reason(server, tmp_path):
    desk = Desk(server, tmp_path)
    desk.account()
    form = {"after": "30", "every": "60", "times": "3", "weekly": "3", "oldest": "365", "window": "90", "active": "yes"}
    form["season"] = "11-15/01-06"
    data = {"form_token": desk.owner.form_token, "name": "winter", **form}
    assert desk.post("/evergreen", data=data, headers={"Origin": BASE}, visit=desk.owner).status_code == 303
    page = desk.page("/evergreen?name=winter").text
    assert "11-15/01-06" in page
    assert "winter is kept." in page
    bad = desk.post("/evergreen", data=data | {"after": "often"}, headers={"Origin": BASE}, visit=desk.owner)
    assert bad.status_code == 422
    assert "no number of after" in bad.text

    token = desk.token("write")
    answer = desk.ask("PUT", "/api/v1/evergreen/spring", token=token, json={"source": "example.org", "account": "fake"})
    assert answer.json()["account"] == "main.fake"
    rules = desk.get("/api/v1/evergreen", token=token).json()["rules"]
    assert [r["name"] for r in rules] == ["spring", "winter"]
    assert desk.ask("PUT", "/api/v1/evergreen/spring", token=token, json={"after": 0}).status_code == 422
    assert desk.ask("DELETE", "/api/v1/evergreen/spring", token=token).status_code == 204
    assert desk.ask("DELETE", "/api/v1/evergreen/spring", token=token).status_code == 404


def test_the_queue_and_the_calendar_mark_what_a_rule_shared_again(server, tmp_path):
    desk = Desk(server, tmp_path)
    desk.account()
    name = desk.plan("Old news", evergreen="again", due=datetime.now(UTC) + DAY)
    assert "shared again by the rule again" in desk.page("/queue").text
    start = datetime.now(UTC).date()
    visit = sign_in(desk.parts, "viewer")
    shown = desk.get(f"/calendar/events?start={start}&end={start + 5 * DAY}", visit=visit).json()["events"]
    assert [(e["id"], e["extendedProps"]["status"]) for e in shown] == [(name, "scheduled, evergreen")]
    assert desk.get(f"/api/v1/deliveries/{name}", token=desk.token()).json()["evergreen"] == "again"


def test_no_rule_and_no_digest_of_a_workspace_names_an_account_of_another(server, tmp_path, monkeypatch):
    parts = runtime(server, tmp_path)
    parts.store.client.flushdb()
    parts.records.save_account(Account(id="brand-x.outbox", platform="outbox", name="Theirs", workspace="brand-x"))
    for module in (evergreen_commands, digest_commands):
        monkeypatch.setattr(module, "parts", lambda: contextlib.nullcontext(parts))
    calls = [
        (evergreen_commands.cli, ["add", "classics", "--account", "brand-x.outbox"]),
        (digest_commands.cli, ["set", "brand-x.outbox"]),
        (digest_commands.cli, ["send", "brand-x.outbox"]),
    ]
    for cli, words in calls:
        done = CliRunner().invoke(cli, words)
        assert isinstance(done.exception, NotFound), (words, done.output)
        assert "There is no account brand-x.outbox in main" in str(done.exception)
    assert parts.aftercare.rules("main") == []
    assert parts.records.account("brand-x.outbox").digest is None
    assert CliRunner().invoke(evergreen_commands.cli, [*calls[0][1], "--workspace", "brand-x"]).exit_code == 0
    parts.close()
