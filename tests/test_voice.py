"""An account speaks as it was told to, in preview and in what is planned, and says what a reader would stumble over."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from publishers.core.post import Post
from worker.content.checks import article_warnings, post_warnings
from worker.errors import HandbillError
from worker.model import Account, Article, StepKind, Voice, from_json, step_key, to_json
from worker.pipeline.plan import Planner, Studio, composed_json, platform_account, speaking
from worker.schedule import When
from worker.settings import Settings

TEXT = (
    "Researchers followed forty honey bees with small radar tags for two summers. "
    "The bees that had grown up in a valley steered by the line of its ridges. "
    "In flat country they flew in circles, up to nine kilometres, before they reached the hive. "
    "Farmers near the lake could place hives so that lost swarms return sooner. "
    "Three universities paid for the radar, which found each tag within four metres. "
    "One swarm crossed a motorway and settled under the roof of a police station."
)
ARTICLE = Article(
    id="main.1",
    url="https://www.example.org/bees?page=1#top",
    title="Bees find their way home by the slope of the hills",
    text=TEXT,
    language="en",
)
MASTODON = Account(id="main.mastodon-you", platform="mastodon", name="You")


@pytest.fixture
def studio(tmp_path):
    return Studio(Settings(data_dir=tmp_path), tmp_path / "pictures")


@pytest.fixture
def content(studio, tmp_path):
    page = tmp_path / "bees.txt"
    page.write_text(f"{ARTICLE.title}\n\n{TEXT}\n")
    return studio.read(str(page), workspace="main")[1]


def voiced(account=MASTODON, host="", **said):
    return speaking(account, host, said)


# What an account says of itself


def test_the_accounts_own_template_and_disclaimer_stand_in_the_post(studio, content):
    account = voiced(template="# sentences: 1\nRead: {title}\n{link}\n", disclaimer="Not medical advice.")
    post = studio.post_for(ARTICLE, content, account).post

    assert post.text == f"Read: {ARTICLE.title}\n{ARTICLE.url}\n\nNot medical advice."


def test_hashtags_that_stand_first_and_those_never_used(studio, content):
    account = voiced(always=["#CityNews"], never=["#Bees", "Hills"], hashtags=3)
    tags = studio.post_for(ARTICLE, content, account).hashtags

    assert tags[0] == "CityNews"
    assert len(tags) <= 3
    assert not {"bees", "hills"} & {t.casefold() for t in tags}


def test_no_hashtags_is_a_number_too(studio, content):
    assert studio.post_for(ARTICLE, content, voiced(hashtags=0)).hashtags == ()


def test_the_links_parameters_are_written_once_before_the_fragment(studio, content):
    account = voiced(utm="utm_source={platform}&utm_campaign={account}")
    tagged = "https://www.example.org/bees?page=1&utm_source=mastodon&utm_campaign=mastodon-you#top"
    again = dataclasses.replace(ARTICLE, url=tagged)

    assert studio.post_for(ARTICLE, content, account).post.link == tagged
    assert studio.post_for(again, content, account).post.link == tagged
    assert studio.post_for(ARTICLE, content, MASTODON).post.link == ARTICLE.url


def test_the_link_may_stand_in_the_first_comment(studio, content):
    linkedin = Account(id="main.linkedin-you", platform="linkedin", name="LinkedIn")
    account = voiced(linkedin, link="comment", utm="utm_source={platform}")
    link = "https://www.example.org/bees?page=1&utm_source=linkedin#top"
    composed = studio.post_for(ARTICLE, content, account)
    delivery = planned(studio, content, account)

    assert composed.post.link is None
    assert "example.org" not in composed.post.text
    assert (composed.comment.text, composed.comment.link) == (link, None)
    assert [(f.type, f.start, f.end, f.value) for f in composed.comment.facets] == [("link", 0, len(link), link)]
    assert [s.kind for s in delivery.steps] == [StepKind.POST, StepKind.COMMENT]
    assert [s.post for s in delivery.steps] == [composed.post, composed.comment]
    assert composed_json(account, [composed])["comment"] == link
    assert studio.post_for(ARTICLE, content, linkedin).comment is None


def test_a_link_below_a_thread_is_paid_for_and_comes_last(studio, content):
    account = voiced(Account(id="main.x", platform="x", name="X"), link="comment")
    delivery = planned(studio, content, account, thread=True)

    assert delivery.steps[-1].kind is StepKind.COMMENT
    assert all("example.org" not in s.post.text for s in delivery.steps[:-1])
    parts = studio.thread_for(ARTICLE, content, account)
    alt = 0.005  # of the first part's picture
    assert composed_json(account, parts)["cost"] == round(0.015 * len(parts) + 0.2 + alt, 4)


def test_a_content_warning_takes_its_room_from_the_text(studio, content):
    plain = studio.post_for(ARTICLE, content, MASTODON)
    warned = studio.post_for(ARTICLE, content, voiced(warning="Insects, " * 20))

    assert plain.post.warning == ""
    assert warned.post.warning == ("Insects, " * 20).strip()
    assert warned.length + len(warned.post.warning) <= 500
    assert warned.limit == 500 - len(warned.post.warning)


def test_a_platform_that_knows_only_its_own_labels_gets_those_and_takes_no_room_for_them(studio, content):
    bluesky = Account(id="main.bluesky", platform="bluesky", name="Bluesky")
    plain, labelled = (studio.post_for(ARTICLE, content, a) for a in (bluesky, voiced(bluesky, warning="nudity")))
    assert (labelled.post.warning, labelled.limit) == ("nudity", plain.limit)
    with pytest.raises(HandbillError, match="Bluesky cannot show the warning 'Insects'"):
        voiced(bluesky, warning="Insects")


def test_a_platform_without_content_warnings_gets_none(studio, content):
    account = voiced(Account(id="main.x", platform="x", name="X"), warning="Insects", sensitive=["bees"])
    composed = studio.post_for(ARTICLE, content, account)

    assert composed.post.warning == ""
    assert composed.warnings == ()


def test_sensitive_topics_decide_whether_an_article_is_warned_of(studio, content):
    assert studio.post_for(ARTICLE, content, voiced(warning="CW", sensitive=["police"])).post.warning == "CW"
    assert studio.post_for(ARTICLE, content, voiced(warning="CW", sensitive=["polic"])).post.warning == ""
    suggested = studio.post_for(ARTICLE, content, voiced(sensitive=["Police station", "war"]))
    assert suggested.post.warning == ""
    assert suggested.warnings == ("It is about Police station: a content warning would spare readers",)
    assert studio.warnings == [f"main.mastodon-you: {suggested.warnings[0]}"]


def test_a_source_may_be_spoken_of_in_another_voice(studio, content):
    account = voiced(voiced(hashtags=0, utm="a={platform}"), host="www.Example.org", disclaimer="Ours.")
    other = dataclasses.replace(ARTICLE, url="https://elsewhere.example/bees")

    assert set(account.voices) == {"", "example.org"}
    assert account.voice(ARTICLE) == Voice(hashtags=0, utm="a={platform}", disclaimer="Ours.")
    assert account.voice(other) == Voice(hashtags=0, utm="a={platform}")


def test_what_was_said_can_be_taken_back():
    account = voiced(voiced(always=["A1"], hashtags=2, utm="a=b"), hashtags=-1, always=[""], utm="")

    assert account == MASTODON


def test_an_account_with_a_voice_is_stored_and_one_of_before_is_read():
    account = voiced(always=["CityNews"], hashtags=2)
    old = to_json(MASTODON).replace('"voices":{},', "")

    assert from_json(Account, to_json(account)) == account
    assert "voices" not in old
    assert from_json(Account, old) == MASTODON


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"template": "{nothing}"}, "there is no {nothing}"),
        ({"template": "# colour: red\n{title}"}, "no directive"),
        ({"disclaimer": "Says {author"}, "stands alone"),
        ({"always": ["two words"]}, "no hashtag"),
        ({"always": ["2024"]}, "no hashtag"),
        ({"utm": "utm_source={city}"}, "cannot be used"),
        ({"link": "bio"}, "cannot stand in 'bio'. Use comment"),
    ],
)
def test_what_cannot_be_used_is_refused_before_it_is_stored(said, words):
    with pytest.raises(HandbillError, match=words):
        voiced(**said)


# What is planned


class Shelf:
    """Stored articles and deliveries, in memory."""

    def __init__(self, article, content):
        self.stored, self.made = (article, content), {}

    def article(self, _):
        return self.stored

    def link_delivery(self, *_):
        pass

    def needs_approval(self, _):
        return False

    def exists(self, identity):
        return identity in self.made

    def get(self, identity):
        return self.made[identity]

    def create(self, delivery, note):
        self.made[delivery.id] = delivery


def planned(studio, content, account, **changes):
    shelf = Shelf(ARTICLE, content)
    when = When(datetime(2026, 11, 24, tzinfo=UTC), "", "UTC")
    (delivery,) = Planner(shelf, shelf, studio).plan(ARTICLE.id, [account], due=lambda *_: when, **changes)
    return delivery


def test_a_planned_thread_is_a_post_and_replies_in_order_exactly_as_previewed(studio, content):
    x = Account(id="main.x", platform="x", name="X")
    parts = studio.thread_for(ARTICLE, content, x)
    delivery = planned(studio, content, x, thread=True)

    assert len(parts) > 2
    assert [s.post for s in delivery.steps] == [p.post for p in parts]
    assert [s.kind for s in delivery.steps] == [StepKind.POST] + [StepKind.REPLY] * (len(parts) - 1)
    assert [s.ordinal for s in delivery.steps] == list(range(len(parts)))
    assert [s.key for s in delivery.steps] == [step_key(delivery.id, s.kind, s.ordinal, 1) for s in delivery.steps]
    assert len({s.key for s in delivery.steps}) == len(parts)


def test_a_platform_without_threads_gets_one_post(studio, content):
    telegram = Account(id="main.t", platform="telegram", name="T")

    assert len(planned(studio, content, telegram, thread=True).steps) == 1
    assert len(planned(studio, content, MASTODON).steps) == 1


def test_every_part_of_a_thread_carries_the_content_warning(studio, content):
    account = voiced(dataclasses.replace(MASTODON, limits={"text": 200}), warning="Insects")
    parts = studio.thread_for(ARTICLE, content, account)

    assert len(parts) > 1
    assert {p.post.warning for p in parts} == {"Insects"}
    assert all(p.length + len("Insects") <= 200 for p in parts)


# What is shown


def test_variants_differ_in_sentence(studio, content):
    x = platform_account("x", "main")
    found = studio.variants(ARTICLE, content, x, 4)

    assert len(found) > 2
    assert len({c.sentences for c in found}) == len(found)
    assert found[0] == studio.post_for(ARTICLE, content, x)
    assert len(studio.variants(ARTICLE, content, x, 2)) == 2


def test_variants_end_when_the_article_has_no_more_to_say(studio, content):
    few = dataclasses.replace(content, sentences=content.sentences[:1])

    assert 1 <= len(studio.variants(ARTICLE, few, platform_account("x", "main"), 9)) <= 2


def test_what_a_post_costs_is_shown(studio, content):
    x = platform_account("x", "main")
    with_link = studio.post_for(ARTICLE, content, x)
    without = dataclasses.replace(with_link, post=Post(text="No address here"))

    assert composed_json(x, [with_link])["cost"] == 0.205  # with an alt text
    assert composed_json(x, [with_link, without, without])["cost"] == 0.235
    assert composed_json(MASTODON, [with_link])["cost"] == 0


def test_the_parts_of_a_thread_are_in_the_json_and_its_first_is_the_text(studio, content):
    x = platform_account("x", "main")
    parts = studio.thread_for(ARTICLE, content, x)
    shown = composed_json(x, parts)

    assert shown["parts"] == [p.post.text for p in parts]
    assert shown["text"] == parts[0].post.text
    assert composed_json(x, parts[:1])["parts"] == []


# What a reader would stumble over


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("COUNCIL VOTES TO MEND THE BRIDGE", "The title is all in capitals"),
        ("Caf\u00c3\u00a9 owners wait for the bridge", "The title has broken characters"),
        ("The mayor\u00e2\u20ac\u2122s bridge", "The title has broken characters"),
        ("The mayor\ufffds bridge", "The title has broken characters"),
        ("Mayor: “the bridge is open", "The title opens a quotation or bracket that does not end"),
        ("Bridge <b>open</b> again", "The title has markup left in it"),
        ("Bridge &amp; tunnel", "The title has markup left in it"),
        ("Bridge [gallery ids=1,2] open", "The title has markup left in it"),
        ("Lorem ipsum at the bridge", "The title has a placeholder in it"),
        ("The bridge cost TK million", "The title has a placeholder in it"),
        ("Bridge open again | Bridge open again", "The title says the same twice"),
        ("Bridge open againBridge open again", "The title says the same twice"),
    ],
)
def test_a_title_that_a_reader_would_stumble_over_is_named(title, said):
    (line,) = article_warnings(Article(id="main.1", url="", title=title, text="", language="en"))

    assert line.startswith(f"{said}: ")


@pytest.mark.parametrize(
    ("language", "title"),
    [
        ("en", "NASA and ESA sign"),
        ("en", "The café’s “best” cake costs 5 < 6 & more"),
        ("en", "A 3*4 grid, a_b and C++: what is new?"),
        ("de", "Die TK erhöht die Beiträge – Größe, Übung, Maß"),
        ("de", "Bürger sagen „Nein“ zur Brücke"),
        ("fr", "« L’été à Évian » : dix ans d’œuvres"),
        ("ja", "「橋」が再開、市民が祝う"),
        ("ar", "الجسر يفتح من جديد"),
        ("ru", "МОСТ снова открыт для всех"),
        ("pl", "Żółć i łąka – święto nad Wisłą"),
        ("en", "Larkhaven | Larkhaven Lantern"),
    ],
)
def test_a_good_title_is_not_named(language, title):
    assert article_warnings(Article(id="main.1", url="", title=title, text="", language=language)) == ()


def test_a_sentence_is_named_like_a_title_and_each_line_once():
    article = Article(id="main.1", url="", title="Bridge", text="", language="en")

    assert article_warnings(article, ["Bridge &amp; tunnel are open."] * 2) == (
        "A sentence has markup left in it: Bridge &amp; tunnel are open.",
    )


def test_a_title_twice_in_one_post_is_named():
    assert post_warnings(ARTICLE, f"{ARTICLE.title}\n\n{ARTICLE.title}.") == ("The title stands in the post twice",)
    assert post_warnings(ARTICLE, f"{ARTICLE.title}\n\nThe rest.") == ()
    named = f"https://www.example.org/2026/{ARTICLE.title.lower().replace(' ', '-')}/"
    assert post_warnings(ARTICLE, f"{ARTICLE.title}\n\nThe rest.\n\n{named}") == ()


def test_warnings_stop_nothing(studio, content):
    shouted = dataclasses.replace(ARTICLE, title="BEES FIND THEIR WAY HOME")
    composed = studio.post_for(shouted, content, MASTODON)

    assert composed.warnings == ("The title is all in capitals: BEES FIND THEIR WAY HOME",)
    assert studio.warnings == list(composed.warnings)
    assert "BEES FIND" in composed.post.text
