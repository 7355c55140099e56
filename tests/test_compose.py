"""A post fits its platform, says nothing twice, cuts no word or link, and marks nothing but its own links and hashtags."""

from __future__ import annotations

import dataclasses
import os
import unicodedata
from pathlib import Path

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

import publishers
from publishers.core import counting
from publishers.core.limits import Limits
from publishers.core.post import Facet, Media
from worker import content as writing
from worker.content.compose import (
    ELLIPSIS,
    JOINER,
    PARTS,
    Composed,
    clean,
    compose,
    parameters,
    plain,
    shorten,
    tag_link,
    thread,
)
from worker.content.template import load_template
from worker.errors import HandbillError
from worker.model import Article, Content, Sentence
from worker.settings import TEMPLATES

POSTS = TEMPLATES / "posts"
SHARED = Path(os.environ.get("HANDBILL_SHARED", Path(__file__).resolve().parents[2] / "shared"))
PLATFORMS = {
    "mastodon": Limits(text=500, counting="mastodon", hashtags=5, media=4, alt=1500),
    "bluesky": Limits(text=300, counting="graphemes", text_bytes=3000, hashtags=3, media=4, alt=2000),
    "x": Limits(text=280, counting="x", hashtags=2, media=4, alt=1000),
    "linkedin": Limits(text=3000, hashtags=3, alt=4086),
    "telegram": Limits(text=4096, counting="utf16", caption=1024),
    "outbox": Limits(text=5000, media=4, alt=5000),
}
TITLE = "Bees find their way home by the slope of the hills"
SENTENCES = (
    "Researchers followed forty honey bees with small radar tags for two summers.",
    "The bees that had grown up in a valley steered by the line of its ridges.",
    "In flat country they flew in circles, up to nine kilometres, before they reached the hive.",
    "Bees find their way home by the slope of hills, a study says.",
    "Farmers could place hives so that lost swarms return sooner.",
)
TEXT = " ".join(SENTENCES)
LINK = "https://example.com/science/bees-and-hills?page=1"
PLAIN = "{title}\n\n{summary}\n\n{link}\n{hashtags}"


def an_article(**changes: object) -> Article:
    article = Article(id="main.1", url=LINK, title=TITLE, text=TEXT, author="Ada Moor", site="The Hill", language="en")
    return dataclasses.replace(article, **changes)


def some_content(
    *sentences: str, hashtags: tuple[str, ...] = ("Bees", "Navigation", "Hills"), text: str = TEXT
) -> Content:
    chosen = sentences or SENTENCES
    return Content(
        short=chosen[0],
        medium=chosen[0],
        long=chosen[0],
        sentences=tuple(Sentence(text=s, source_offset=text.find(s) if s in text else None) for s in chosen),
        hashtags=hashtags,
        alt="A bee above a hill",
    )


def posted(article: Article | None = None, content: Content | None = None, **changes: object) -> Composed:
    arguments: dict[str, object] = {
        "platform": "outbox",
        "limits": Limits(text=500),
        "template": PLAIN,
        "link": LINK,
        "media": (),
        **changes,
    }
    return compose(article or an_article(), content or some_content(), **arguments)


def a_picture(alt: str) -> Media:
    return Media(path="/p.jpg", sha256="0", mime="image/jpeg", width=1200, height=630, size=1, alt=alt)


# What a post looks like


def test_a_post_has_title_summary_link_and_hashtags_and_marks_the_last_two():
    post = posted(limits=Limits(text=240, hashtags=2)).post
    assert post.text == (f"{TITLE}\n\n{SENTENCES[0]}\n\n{LINK}\n#Bees #Navigation")
    assert post.facets == (
        Facet(type="link", start=130, end=179, value=LINK),
        Facet(type="tag", start=180, end=185, value="Bees"),
        Facet(type="tag", start=186, end=197, value="Navigation"),
    )
    assert (post.link, post.title, post.description, post.language) == (LINK, TITLE, SENTENCES[0], "en")


def test_the_length_and_the_limit_are_the_platforms():
    composed = posted(limits=PLATFORMS["x"])
    assert composed.limit == 280
    assert composed.length == len(composed.post.text) - len(LINK) + 23


def test_sentences_stand_in_the_articles_order_and_keep_their_place_in_it():
    composed = posted(content=some_content(SENTENCES[2], SENTENCES[0]))
    assert [s.text for s in composed.sentences] == [SENTENCES[0], SENTENCES[2]]
    assert all(TEXT[s.source_offset :].startswith(s.text) for s in composed.sentences)
    assert f"{SENTENCES[0]} {SENTENCES[2]}" in composed.post.text


def test_a_sentence_behind_a_label_gives_way_to_prose():
    labelled = "Method: forty honey bees carried small radar tags through the valley for two summers."
    content = some_content(labelled, SENTENCES[4], text=f"{labelled} {SENTENCES[4]}")
    assert posted(content=content, template="# sentences: 1\n{title}\n{summary}").sentences[0].text == SENTENCES[4]


def test_a_models_sentences_keep_the_order_it_gave_them():
    about_title = f"{SENTENCES[3]} And more of the same hills."
    written = (about_title, SENTENCES[0], SENTENCES[2])
    composed = posted(content=some_content(*written, text=""), template="# sentences: 3\n{title}\n{summary}")
    assert [s.text for s in composed.sentences] == [s for s in written if s in composed.post.text]
    assert [s.source_offset for s in composed.sentences] == [None] * len(composed.sentences)


def test_the_summary_does_not_say_the_title_again():
    composed = posted(content=some_content(SENTENCES[3], SENTENCES[4]))
    assert SENTENCES[3] not in composed.post.text
    assert SENTENCES[4] in composed.post.text


def test_a_sentence_is_not_said_twice_in_other_words():
    again = "For two summers researchers followed forty honey bees with small radar tags."
    composed = posted(content=some_content(SENTENCES[0], again, SENTENCES[4]))
    assert [s.text for s in composed.sentences] == [SENTENCES[0], SENTENCES[4]]


def test_japanese_sentences_follow_without_a_space():
    one, two = "蜜蜂は谷の形を覚えている。", "研究者は四十匹を二年間追跡した。"
    article = an_article(title="丘が帰り道を教える", text=one + two, language="ja")
    composed = posted(article, some_content(one, two, text=one + two), link=None)
    assert composed.post.text.startswith(f"丘が帰り道を教える\n\n{one}{two}")


def test_a_post_without_a_link_or_an_author_has_no_empty_lines_for_them():
    template = "{title}\n\n{author}\n{summary}\n\n{link}\n\n{hashtags}"
    composed = posted(an_article(author=""), link=None, template=template, limits=Limits(text=150, hashtags=1))
    assert composed.post.text == f"{TITLE}\n\n{SENTENCES[0]}\n\n#Bees"
    assert composed.post.link is None


def test_a_post_whose_platform_shows_the_link_itself_does_not_spell_it_out():
    composed = posted(limits=Limits(text=500, link_in_text=False))
    assert LINK not in composed.post.text
    assert composed.post.link == LINK


# What gives way when there is no room


def test_the_summary_takes_another_sentence_when_the_best_does_not_fit():
    long = "The bees, " + "which were many, " * 20 + "came home."
    composed = posted(content=some_content(long, SENTENCES[4]), limits=Limits(text=250))
    assert [s.text for s in composed.sentences] == [SENTENCES[4]]


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        (215, f"{TITLE}\n\n{SENTENCES[0]}\n\n{LINK}\n#Bees #Navigation #Hills"),
        (187, f"{TITLE}\n\n{SENTENCES[0]}\n\n{LINK}\n#Bees"),
        (184, f"{TITLE}\n\n{SENTENCES[4]}\n\n{LINK}\n#Bees #Navigation"),
        (171, f"{TITLE}\n\n{SENTENCES[4]}\n\n{LINK}\n#Bees"),
        (125, f"{TITLE}\n\n{LINK}\n#Bees #Navigation"),
        (110, f"{TITLE}\n\n{LINK}\n#Bees"),
        (100, f"Bees find their way home by the slope of…\n\n{LINK}\n#Bees"),
        (90, f"Bees find their way home by the slope…\n\n{LINK}"),
    ],
)
def test_hashtags_go_first_down_to_one_then_sentences_then_the_end_of_the_title(room, expected):
    content = some_content(SENTENCES[0], SENTENCES[4])
    composed = posted(content=content, limits=Limits(text=room))
    assert composed.post.text == expected
    assert composed.length <= room


def test_a_whole_sentence_is_better_than_a_cut_title():
    long = "Bees, " + "who are small and live in hives, " * 8 + "come home"
    composed = posted(an_article(title=long), limits=Limits(text=180, hashtags=1))
    assert composed.post.text == f"{SENTENCES[0]}\n\n{LINK}\n#Bees"


def test_hashtags_beyond_enough_make_room_for_a_sentence():
    short = "Lost swarms return sooner."
    content = some_content(SENTENCES[0], short, hashtags=("Bees", "Hills", "Radar"))
    limits = Limits(text=216)
    assert short not in posted(content=content, limits=limits, template="# hashtags: 3-3\n" + PLAIN).post.text
    composed = posted(content=content, limits=limits, template="# hashtags: 1-3\n" + PLAIN)
    assert short in composed.post.text
    assert composed.hashtags == ("Bees",)


def test_a_link_that_is_longer_than_the_platforms_text_is_left_to_the_link_card():
    link = "https://example.com/" + "a" * 300
    composed = posted(link=link, limits=PLATFORMS["bluesky"])
    assert composed.post.link == link
    assert link[:30] not in composed.post.text
    assert composed.post.text.startswith(TITLE)


@pytest.mark.parametrize(
    ("text", "room", "expected"),
    [
        ("Minister resigns after scandal, opposition wants a vote", 45, "Minister resigns after scandal…"),
        ("Minister resigns, opposition wants a vote this year", 45, "Minister resigns, opposition wants a vote…"),
        ("Is this the end? Nobody knows it yet", 20, "Is this the end?…"),
        ("Donaudampfschifffahrtsgesellschaft", 10, "Donaudamp…"),
        ("👨‍👩‍👧‍👦👨‍👩‍👧‍👦👨‍👩‍👧‍👦", 20, "👨‍👩‍👧‍👦👨‍👩‍👧‍👦…"),
        ("丘が蜜蜂に帰り道を教える。研究者が二年間追跡した", 15, "丘が蜜蜂に帰り道を教える…"),
        ("It fits", 7, "It fits"),
        ("No", 1, ""),
    ],
)
def test_a_text_is_cut_at_a_clause_else_a_word_and_never_inside_a_character(text, room, expected):
    assert shorten(text, lambda t: len(t) <= room) == expected


def test_an_alt_text_is_cut_at_a_word_where_the_platform_has_a_bound():
    media = (a_picture("A bee above a\nhill in the evening"), a_picture("Another"))
    composed = posted(media=media, limits=Limits(text=500, alt=20))
    assert [m.alt for m in composed.post.media] == ["A bee above a hill…"]
    assert posted(media=media, limits=Limits(text=500, media=2)).post.media[1].alt == "Another"


def test_a_caption_is_the_room_when_there_is_a_picture():
    limits = Limits(text=500, caption=120)
    assert posted(limits=limits, media=(a_picture(""),)).limit == 120
    assert posted(limits=limits).limit == 500


# Hashtags, variants and what to avoid


def test_hashtags_are_as_many_as_account_template_and_platform_allow():
    limits = Limits(text=500, hashtags=2)
    assert posted(limits=limits).hashtags == ("Bees", "Navigation")
    assert posted(limits=limits, hashtags=9).hashtags == ("Bees", "Navigation")
    assert posted(limits=limits, hashtags=1).hashtags == ("Bees",)
    assert posted(limits=limits, hashtags=0).hashtags == ()
    assert posted(limits=limits, template="# hashtags: 1\n" + PLAIN).hashtags == ("Bees",)
    assert posted(template="{title}").hashtags == ()


def test_what_is_no_hashtag_anywhere_is_left_out():
    content = some_content(hashtags=("2024", "honey-bees", "Bees", "bees", "a b", "", "Hills"))
    assert posted(content=content).hashtags == ("Bees", "Hills")


def test_avoided_hashtags_and_sentences_are_not_used():
    avoid = frozenset({"#bees", "HILLS", SENTENCES[0]})
    composed = posted(avoid=avoid)
    assert composed.hashtags == ("Navigation",)
    assert SENTENCES[0] not in composed.post.text


def test_variants_tell_the_article_in_other_sentences_until_they_begin_again():
    texts = [posted(variant=n, limits=PLATFORMS["x"]).post.text for n in range(20)]
    distinct = list(dict.fromkeys(texts))
    assert len(distinct) >= 4
    assert texts[: len(distinct)] == distinct
    assert texts[len(distinct)] == texts[0]
    first, second = (posted(variant=n, limits=PLATFORMS["x"]).sentences for n in (0, 1))
    assert not set(first) & set(second)


def test_an_article_with_one_sentence_still_has_a_second_post():
    content = some_content(SENTENCES[0])
    assert posted(content=content).post.text != posted(content=content, variant=1).post.text


def test_the_same_article_gives_the_same_post():
    assert posted() == posted()


# Text that wants to be more than text


@pytest.mark.parametrize(
    "hostile",
    [
        "@everyone look",
        "＠name said",
        "RT@name",
        "の@name に",
        "#word",
        "＃word",
        "#2024Election",
        "##word",
        "#_word",
        "#\u200dword",
        "(#word)",
        "@a@example.social",
        "<@!123> <@&123>",
        "see https://evil.example.com/login now",
        "see evil.com/login now",
        "Booking.com fined",
        "mail a@evil.com",
        "t.co/abc",
    ],
)
def test_an_article_cannot_mention_tag_or_link(hostile):
    sentence = f"They wrote {hostile} on the wall of the old house."
    article = an_article(title=hostile, text=sentence)
    composed = posted(article, some_content(sentence, hashtags=("Own",), text=sentence), limits=Limits(text=400))
    text = composed.post.text
    assert text.replace(JOINER, "").startswith(f"{hostile}\n\n{sentence}")
    assert [text[a:b] for a, b in counting.urls(text)] == [LINK]
    assert [text[a:b] for a, b in counting.hashtags(text)] == ["#Own"]
    assert counting.mentions(text) == []
    assert not regex.search(r"[@＠][\p{L}\p{N}_!&]", text)
    assert {f.type for f in composed.post.facets} == {"link", "tag"}


@pytest.mark.parametrize(
    "harmless",
    [
        "The #1 reason",
        "C# and F#",
        "a@",
        "Is it 5 # 6?",
        "press #️⃣ now",
        "3.5 per cent",
        "U.S. and e.g. this",
        "and/or",
        "$5 a share",
        "1/2 /",
        "US$",
    ],
)
def test_text_that_is_neither_is_left_alone(harmless):
    assert plain(harmless) == harmless


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/start now", "/{}start now"),
        ("Buy $TSLA", "Buy ${}TSLA"),
        ("(/ban)", "(/{}ban)"),
        ("No. #1️⃣", "No. #{}1️⃣"),
        ("https://hill.local/x", "https:{}//hill.local/x"),
    ],
)
def test_commands_names_of_stocks_and_framed_digits_are_only_words(text, shown):
    assert plain(text) == shown.format(JOINER)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb\u2066c\u2069d", "abcd"),
        ("a\x00b\x1b[31mc\x7f", "ab[31mc"),
        ("two\r\n lines\u2028and\tmore", "two lines and more"),
        ("soft\u00adhyphen\ufeff\u200b", "softhyphen"),
        ("a\ud800b\uffff", "ab"),
        ("hid\U000e0068\U000e0069den", "hidden"),
        ("« Bonjour\u00a0! »", "« Bonjour\u00a0! »"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\u200fשלום\u200f world", "\u200fשלום\u200f world"),
        (
            "👨‍👩‍👧‍👦 🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f ☺️",
            "👨‍👩‍👧‍👦 🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f ☺️",
        ),
    ],
)
def test_controls_and_changes_of_direction_go_and_everything_else_stays(text, shown):
    assert clean(text) == shown


def test_right_to_left_text_keeps_its_order():
    title, sentence = "النحل يجد طريقه إلى البيت", "تابع الباحثون أربعين نحلة في الوادي لمدة عامين."
    article = an_article(title=title, text=sentence, language="ar")
    composed = posted(article, some_content(sentence, hashtags=("النحل",), text=sentence))
    assert composed.post.text == f"{title}\n\n{sentence}\n\n{LINK}\n#النحل"


@pytest.mark.parametrize(
    ("link", "spelled"),
    [
        (LINK, LINK),
        ("https://example.com/wiki/日本", "https://example.com/wiki/%E6%97%A5%E6%9C%AC"),
        ("https://example.com/wiki/Bee_(insect)", "https://example.com/wiki/Bee_(insect)"),
        ("https://example.com/a b", "https://example.com/a%20b"),
        ("https://example.com/what?q=why!", "https://example.com/what?q=why%21"),
        ("https://例え.jp/蜂", "https://例え.jp/%E8%9C%82"),
        ("https://example.com/100%25?a=%20b", "https://example.com/100%25?a=%20b"),
        ("http://127.0.0.1:8484/a", "http://127.0.0.1:8484/a"),
    ],
)
def test_a_link_is_spelled_so_that_every_platform_links_all_of_it(link, spelled):
    post = posted(link=link).post
    assert post.link == spelled
    assert [f.value for f in post.facets if f.type == "link"] == [spelled]
    if "127.0.0.1" not in link:
        assert [post.text[a:b] for a, b in counting.urls(post.text)] == [spelled]


# Templates


def test_every_platforms_template_can_be_used():
    names = {p.stem for p in POSTS.glob("*.txt")} - {"default"}
    assert names <= set(publishers.names())
    for name in names:
        limits = publishers.load(name).limits
        composed = posted(platform=name, limits=limits, template=load_template(name, POSTS))
        assert composed.length <= composed.limit
        assert TITLE in composed.post.text or limits.title
        assert LINK in composed.post.text or not limits.link_in_text
        assert composed.sentences
        assert bool(composed.hashtags) == bool(limits.hashtags)


def test_a_platform_without_a_template_has_the_default_one(tmp_path):
    (tmp_path / "default.txt").write_text("{title}", encoding="utf-8")
    assert load_template("unheard", tmp_path) == "{title}"
    with pytest.raises(HandbillError, match=r"There is no post template in .*nowhere\. Put default\.txt back"):
        load_template("x", tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{title}\n{titel}", "line 2 cannot be used: there is no {titel}. Use {title}, {summary}"),
        ("{title}\n\n{link", "line 3 cannot be used: { stands alone"),
        ("{title.__class__}", "line 1 cannot be used: { stands alone"),
        (
            "# sentences: two\n{title}",
            "line 1 cannot be used: 'two' is no value for sentences. Write it like: # sentences: 2",
        ),
        ("# colour: red\n{title}", "line 1 cannot be used: there is no directive 'colour'"),
        ("# paragraphs: 1", "line 1 cannot be used: '1' is no value for paragraphs"),
    ],
)
def test_a_template_that_cannot_be_used_names_the_line(template, message, tmp_path):
    with pytest.raises(HandbillError) as refused:
        posted(template=template)
    assert message in str(refused.value)
    (tmp_path / "x.txt").write_text(template, encoding="utf-8")
    with pytest.raises(HandbillError, match=r"x\.txt, line \d"):
        load_template("x", tmp_path)


def test_a_template_longer_than_the_platforms_text_is_refused():
    with pytest.raises(HandbillError, match=r"it alone is longer than the 50 there are"):
        posted(template="word " * 20 + "\n{title}", limits=Limits(text=50))


def test_a_templates_own_hashtags_and_links_are_marked_and_not_repeated():
    composed = posted(template="{title}\nMore on https://example.org/bees #Hills\n{hashtags}")
    text = composed.post.text
    assert [text[f.start : f.end] for f in composed.post.facets] == [
        "https://example.org/bees",
        "#Hills",
        "#Bees",
        "#Navigation",
    ]
    assert [f.value for f in composed.post.facets[1:]] == ["Hills", "Bees", "Navigation"]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "Ada Moor · The Hill"),
        ({"site": ""}, "Ada Moor"),
        ({"author": ""}, "The Hill"),
        ({"author": "", "site": ""}, None),
    ],
)
def test_a_mark_between_two_slots_goes_with_an_empty_one(changes, line):
    text = posted(an_article(**changes), template="{title}\n{author} · {site}\n{link}").post.text
    assert text.split("\n") == [TITLE, *([line] if line else []), LINK]


@pytest.mark.parametrize(
    ("template", "title", "text"),
    [
        ("“{title}”", "Bees fly in circles", "“Bees fly in circles”"),
        ("“{title}”", "“We follow the ridge”", "“We follow the ridge”"),
        (
            "New: “{title}” ({site})",
            "“We follow the ridge,” says Moor",
            "New: “We follow the ridge,” says Moor (The Hill)",
        ),
        ("„{title}“", "Moor: „Wir folgen dem Kamm“", "Moor: „Wir folgen dem Kamm“"),
        ('"{title}"', "«Nous suivons la crête»", "«Nous suivons la crête»"),
        ("“{author}” {title}", "“We follow the ridge”", "“Ada Moor” “We follow the ridge”"),
    ],
)
def test_a_template_quotes_nothing_that_stands_in_quotation_marks_already(template, title, text):
    assert posted(an_article(title=title), template=template).post.text == text


def test_slots_for_author_site_and_tags_are_plain_text():
    article = an_article(author="@ada", site="Hill.com", tags=("Honey bees", "#Hills"))
    text = posted(article, template="By {author} for {site}: {tags}").post.text
    assert text == f"By @{JOINER}ada for Hill.{JOINER}com: Honey bees, #{JOINER}Hills"
    assert posted(article, template="By {author}").post.facets == ()


# Tracking parameters


@pytest.mark.parametrize(
    ("url", "tagged"),
    [
        ("https://example.com/a", "https://example.com/a?utm_source=x&utm_medium=social%20post"),
        ("https://example.com/a?b=1&b=2#c", "https://example.com/a?b=1&b=2&utm_source=x&utm_medium=social%20post#c"),
        (
            "https://example.com/?utm_source=mail&q=%C3%A4",
            "https://example.com/?q=%C3%A4&utm_source=x&utm_medium=social%20post",
        ),
        ("https://example.com/?", "https://example.com/?utm_source=x&utm_medium=social%20post"),
    ],
)
def test_tracking_parameters_are_added_once_and_change_nothing_else(url, tagged):
    params = {"utm_source": "x", "utm_medium": "social post"}
    assert tag_link(url, params) == tagged
    assert tag_link(tagged, params) == tagged
    assert tag_link(url, {}) == url.removesuffix("?")


# For any article at all

WORDS = st.text(st.characters(codec="utf-8"), max_size=40) | st.sampled_from(
    [
        "@everyone",
        "#tag",
        "https://evil.example.com/x",
        "👨‍👩‍👧‍👦",
        "e\u0301\u0302",
        "漢字かな",
        "שלום",
        "word",
        "a-b",
        "😀",
        "x.com",
        "(…)",
        "🏴",
        "\u202e",
    ]
)
TEXTS = st.lists(WORDS, max_size=25).map(" ".join)
LIMITS = st.builds(
    Limits,
    text=st.integers(1, 400),
    counting=st.sampled_from(sorted(counting.COUNTERS)),
    caption=st.none() | st.integers(1, 200),
    text_bytes=st.none() | st.integers(1, 900),
    hashtags=st.integers(0, 6),
    alt=st.integers(0, 60),
)


@given(
    title=TEXTS,
    sentences=st.lists(TEXTS, max_size=6),
    hashtags=st.lists(st.sampled_from(["Bees", "蜂", "Ünïcode", "no tag", "النحل", "x" * 40]) | WORDS, max_size=6),
    limits=LIMITS,
    link=st.none() | st.sampled_from([LINK, "https://example.com/" + "a" * 150, "https://example.com/日本"]),
    name=st.sampled_from(sorted(PLATFORMS)),
    variant=st.integers(0, 3),
    picture=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_any_post_fits_and_is_marked_exactly(*, title, sentences, hashtags, limits, link, name, variant, picture):
    article = an_article(title=title, text="\n".join(sentences), author="", site="")
    content = (
        some_content(*sentences, hashtags=tuple(hashtags), text=article.text)
        if sentences
        else Content(short="", medium="", long="", sentences=(), hashtags=tuple(hashtags), alt="")
    )
    media = (a_picture(title),) if picture else ()
    composed = posted(
        article,
        content,
        platform=name,
        limits=limits,
        link=link,
        media=media,
        variant=variant,
        template=load_template(name, POSTS),
    )
    post, text = composed.post, composed.post.text

    assert limits.fits(text, media=picture)
    assert composed.length == limits.length(text) <= composed.limit
    assert not regex.search(r"\n{3}|^\n|\n$", text)
    for facet in post.facets:
        shown = text[facet.start : facet.end]
        assert shown == (facet.value if facet.type == "link" else f"#{facet.value}")
    links = [text[f.start : f.end] for f in post.facets if f.type == "link"]
    assert links in ([], [post.link])
    if link and limits.fits(post.link, media=picture):
        assert links == [post.link]
    own = [(f.start, f.end) for f in post.facets if f.type == "tag"]
    assert counting.hashtags(text) == own
    assert counting.mentions(text) == []
    assert counting.urls(text) == [(f.start, f.end) for f in post.facets if f.type == "link"]
    assert tuple(text[a + 1 : b] for a, b in own) == composed.hashtags
    assert all(plain(clean(s.text)) in text for s in composed.sentences)
    assert limits.alt == 0 or all(len(m.alt) <= limits.alt for m in post.media)


@given(text=TEXTS, room=st.integers(1, 80), unit=st.sampled_from(sorted(counting.COUNTERS)))
@settings(max_examples=200, deadline=None)
def test_any_cut_is_between_words_and_characters(text, room, unit):
    text = clean(text)
    count = counting.COUNTERS[unit]
    short = shorten(text, lambda t: count(t) <= room)
    assert count(short) <= room
    if short in {text, ""}:
        return
    kept = short.removesuffix(ELLIPSIS)
    assert text.startswith(kept)
    rest = text[len(kept) :]
    assert kept in regex.findall(r"\X", text) or regex.match(r"\X", rest)
    boundaries = {0, *(m.end() for m in regex.finditer(r"\X", text))}
    assert len(kept) in boundaries or regex.match(r"[\p{P}\p{Z}]", rest)
    cut_word = regex.match(r"[\p{L}\p{M}\p{N}]", rest) and regex.search(r"[\p{L}\p{M}\p{N}]$", kept)
    unspaced = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")
    if cut_word and not unspaced.search(kept[-1] + rest[0]):
        assert not regex.search(r"\s\S", kept)
        assert count(text.split()[0] + ELLIPSIS) > room


# The real thing


def test_a_real_article_makes_a_post_for_every_platform():
    path = SHARED / "data" / "articles" / "ketamine-depression.txt"
    if not path.exists():
        pytest.skip("the shared article is not here")
    paragraphs = path.read_text(encoding="utf-8").split("\n\n")
    text = "\n\n".join(p.strip() for p in paragraphs if p.strip().endswith("."))
    article = an_article(title=paragraphs[0].strip(), text=unicodedata.normalize("NFC", text))
    content = writing.write(article)
    for name, limits in PLATFORMS.items():
        for variant in range(3):
            composed = posted(
                article,
                content,
                platform=name,
                limits=limits,
                template=load_template(name, POSTS),
                variant=variant,
            )
            assert limits.fits(composed.post.text, media=False)
            assert ELLIPSIS not in composed.post.text
            assert composed.sentences
            assert LINK in composed.post.text
            assert all(article.text[s.source_offset :].startswith(s.text) for s in composed.sentences)
            assert all(s.text in composed.post.text for s in composed.sentences)


# Threads


def a_long_story(count: int = 60) -> tuple[Article, Content]:
    """An article whose every sentence says something else, ranked from its end to its beginning."""
    words = (
        "river",
        "bridge",
        "council",
        "mayor",
        "winter",
        "harbour",
        "library",
        "tunnel",
        "market",
        "school",
        "garden",
        "museum",
    )
    sentences = [
        f"The {words[i % 12]} {i} was {words[(i * 5 + 1) % 12]}{i} for {words[(i * 7 + 2) % 12]}{i} and {'so ' * (i % 9)}on."
        for i in range(count)
    ]
    text = " ".join(sentences)
    return an_article(text=text), some_content(*reversed(sentences), text=text)


def threaded(article: Article, content: Content, **changes: object) -> tuple[Composed, ...]:
    told: dict[str, object] = {"platform": "outbox", "limits": Limits(text=300), "template": "# sentences: 1\n" + PLAIN}
    return thread(article, content, **{**told, "link": LINK, "media": (), **changes})


@pytest.mark.parametrize("platform", ["mastodon", "bluesky", "x"])
def test_a_thread_is_numbered_in_the_articles_order_and_every_part_fits(platform):
    article, content = a_long_story()
    parts = threaded(article, content, platform=platform, limits=PLATFORMS[platform], media=(a_picture("A bee"),))
    count = len(parts)
    assert 2 < count <= PARTS
    for number, part in enumerate(parts, 1):
        assert part.post.text.endswith(f"\n\n{number}/{count}")
        assert part.length == PLATFORMS[platform].length(part.post.text) <= part.limit
    told = [s for part in parts[1:] for s in part.sentences]
    assert told == sorted(told, key=lambda s: s.source_offset)
    assert len(set(told)) == len(told)
    assert not set(told) & set(parts[0].sentences)
    assert all(article.text[s.source_offset :].startswith(s.text) for s in told)


def test_the_first_part_alone_has_link_picture_and_hashtags():
    article, content = a_long_story()
    first, *rest = threaded(article, content, media=(a_picture("A bee"),))
    assert TITLE in first.post.text
    assert (first.post.link, len(first.post.media), len(first.hashtags)) == (LINK, 1, 3)
    assert {f.type for f in first.post.facets} == {"link", "tag"}
    for part in rest:
        assert part.post == dataclasses.replace(part.post, link=None, media=(), facets=(), title="", description="")
        assert "http" not in part.post.text
        assert "#" not in part.post.text


def test_what_does_not_fit_into_a_thread_is_what_matters_least():
    article, content = a_long_story()
    kept = {s.text for part in threaded(article, content) for s in part.sentences}
    left_out = [s.text for s in content.sentences if s.text not in kept]
    assert kept.isdisjoint(left_out)
    assert [s.text for s in content.sentences[: len(kept)]] == [s.text for s in content.sentences if s.text in kept]


def test_a_thread_with_nothing_more_to_say_is_one_post_without_a_number():
    article = an_article(text=SENTENCES[0])
    (only,) = threaded(article, some_content(SENTENCES[0]))
    assert only.post.text == posted(article, some_content(SENTENCES[0]), limits=Limits(text=300)).post.text


def test_a_sentence_too_long_for_a_part_is_left_out_and_not_cut():
    long = "The river " + "and the bridge " * 30 + "stayed."
    text = f"{SENTENCES[0]} {long} {SENTENCES[2]}"
    parts = threaded(an_article(text=text), some_content(SENTENCES[0], long, SENTENCES[2], text=text))
    assert [s.text for p in parts for s in p.sentences] == [SENTENCES[0], SENTENCES[2]]
    assert not any(ELLIPSIS in p.post.text for p in parts)


# Parameters of a link


def test_parameters_of_a_link_name_the_platform_and_the_account():
    given = parameters(
        "utm_source={platform}&utm_medium=social&utm_content={account}", {"platform": "p&q", "account": "a b"}
    )
    assert given == {"utm_source": "p&q", "utm_medium": "social", "utm_content": "a b"}
    assert tag_link("https://e.org/?utm_source=old#top", given) == (
        "https://e.org/?utm_source=p%26q&utm_medium=social&utm_content=a%20b#top"
    )


@pytest.mark.parametrize(
    "query", ["utm_source", "utm_source={nobody}", "a={platform", "a={platform.__class__}", "a=b c", "=&="]
)
def test_parameters_that_cannot_be_read_are_refused(query):
    with pytest.raises(HandbillError, match="cannot be used"):
        parameters(query, {"platform": "p"})
