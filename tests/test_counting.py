"""Lengths, links, hashtags and mentions as the platforms see them; twitter-text's own cases run where they exist."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from publishers.core import counting

SHARED = Path(os.environ.get("HANDBILL_SHARED", Path(__file__).resolve().parents[2] / "shared"))
CASES = SHARED / "data" / "twitter-text"
FAMILY = "👨‍👩‍👧‍👦"
WEIGHTS = (
    "WeightedTweetsCounterTest",  # counted without emoji sequences; where both sections have a text, the later holds
    "WeightedTweetsWithDiscountedEmojiCounterTest",
    "UnicodeDirectionalMarkerCounterTest",
)


def conformance(file: str, *sections: str) -> list[Any]:
    """The cases of twitter-text, or none where the shared data is not there."""
    if not (CASES / file).exists():
        return []
    tests = yaml.safe_load((CASES / file).read_text(encoding="utf-8"))["tests"]
    return [case for section in sections for case in tests[section]]


def found(text: str, spans: list[counting.Span], skip: int = 0) -> list[str]:
    return [text[start + skip : end] for start, end in spans]


def check(text: str, spans: list[counting.Span], expected: list[Any], name: str, skip: int = 0) -> None:
    if expected and isinstance(expected[0], dict):
        assert [list(s) for s in spans] == [e["indices"] for e in expected]
        expected = [e[name] for e in expected]
    assert found(text, spans, skip) == expected


@pytest.mark.parametrize(
    ("text", "length"),
    {c["text"]: c["expected"]["weightedLength"] for c in conformance("validate.yml", *WEIGHTS)}.items(),
)
def test_x_weighs_a_text_as_twitter_text_does(text, length):
    assert counting.x(text) == length


@pytest.mark.parametrize(
    "case",
    conformance("extract.yml", "urls", "urls_with_indices", "urls_with_directional_markers", "tco_urls_with_params"),
    ids=lambda c: c["description"],
)
def test_links_are_where_twitter_text_finds_them(case):
    check(case["text"], counting.urls(case["text"]), case["expected"], "url")


@pytest.mark.parametrize(
    "case",
    conformance("extract.yml", "hashtags", "hashtags_from_astral", "hashtags_with_indices"),
    ids=lambda c: c["description"],
)
def test_hashtags_are_where_twitter_text_finds_them(case):
    check(case["text"], counting.hashtags(case["text"]), case["expected"], "hashtag", skip=1)


@pytest.mark.parametrize(
    "case", conformance("extract.yml", "mentions", "mentions_with_indices"), ids=lambda c: c["description"]
)
def test_mentions_are_where_twitter_text_finds_them(case):
    check(case["text"], counting.mentions(case["text"]), case["expected"], "screen_name", skip=1)


@pytest.mark.parametrize(
    "case", conformance("validate.yml", "urls_without_protocol", "hashtags"), ids=lambda c: c["description"]
)
def test_a_text_that_is_one_link_or_hashtag_is_known_as_such(case):
    text = case["text"]
    whole = [(0, len(text))]
    assert ((counting.hashtags(text) if "#" in text else counting.urls(text)) == whole) is case["expected"]


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        (
            "",
            {
                "codepoints": 0,
                "graphemes": 0,
                "utf16": 0,
                "utf8": 0,
                "x": 0,
                "mastodon": 0,
                "threads": 0,
                "discord": 0,
                "matrix": 0,
                "reddit": 0,
                "misskey": 0,
            },
        ),
        (
            "abc",
            {
                "codepoints": 3,
                "graphemes": 3,
                "utf16": 3,
                "utf8": 3,
                "x": 3,
                "mastodon": 3,
                "threads": 3,
                "discord": 3,
                "matrix": 3,
                "reddit": 3,
                "misskey": 3,
            },
        ),
        (
            "a\r\nb",
            {
                "codepoints": 4,
                "graphemes": 3,
                "utf16": 4,
                "utf8": 4,
                "x": 4,
                "mastodon": 3,
                "threads": 4,
                "discord": 4,
                "matrix": 8,
                "reddit": 5,
                "misskey": 4,
            },
        ),
        (
            FAMILY,
            {
                "codepoints": 7,
                "graphemes": 1,
                "utf16": 11,
                "utf8": 25,
                "x": 2,
                "mastodon": 1,
                "threads": 25,
                "discord": 7,
                "matrix": 25,
                "reddit": 7,
                "misskey": 11,
            },
        ),
        (
            "🇦🇹",
            {
                "codepoints": 2,
                "graphemes": 1,
                "utf16": 4,
                "utf8": 8,
                "x": 2,
                "mastodon": 1,
                "threads": 8,
                "discord": 2,
                "matrix": 8,
                "reddit": 2,
                "misskey": 4,
            },
        ),
        (
            "漢字",
            {
                "codepoints": 2,
                "graphemes": 2,
                "utf16": 2,
                "utf8": 6,
                "x": 4,
                "mastodon": 2,
                "threads": 2,
                "discord": 2,
                "matrix": 6,
                "reddit": 2,
                "misskey": 2,
            },
        ),
        (
            "क्षि",
            {
                "codepoints": 4,
                "graphemes": 1,
                "utf16": 4,
                "utf8": 12,
                "x": 4,
                "mastodon": 1,
                "threads": 4,
                "discord": 4,
                "matrix": 12,
                "reddit": 4,
                "misskey": 4,
            },
        ),
        (
            "e\u0301",
            {
                "codepoints": 2,
                "graphemes": 1,
                "utf16": 2,
                "utf8": 3,
                "x": 1,
                "mastodon": 1,
                "threads": 2,
                "discord": 2,
                "matrix": 3,
                "reddit": 2,
                "misskey": 2,
            },
        ),
    ],
    ids=["empty", "letters", "line break", "family", "flag", "kanji", "conjunct", "accent"],
)
def test_every_counter_counts_its_own_unit(text, lengths):
    assert {name: count(text) for name, count in counting.COUNTERS.items()} == lengths


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("https://example.com/" + "a" * 100, 23),
        ("https://t.co", 23),
        ("see example.com.", 4 + 23 + 1),
        ("the end.Then more", 17),
        ("see example.invalidtld", 22),
        ("©", 1),
        ("©️", 2),
        ("1️⃣ of 3", 2 + 5),
        ("👍🏽", 2),
        ("🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", 2),
        ("🇦🇦", 4),
        ("🐱\u200d👨", 5),
        ("“so”…", 2 + 2 + 2),
    ],
)
def test_x_has_a_fixed_price_for_links_and_for_emoji_in_use(text, length):
    assert counting.x(text) == length


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("https://example.com/" + "a" * 100, 23),
        ("see example.com", 15),
        ("https://de.wikipedia.org/wiki/日本語（言語）", 23),
        ("@name", 5),
        ("@name@example.social hello", 5 + 6),
        ("mail name@example.social", 24),
        ("https://example.social/@name@other.example", 23),
    ],
)
def test_mastodon_counts_a_link_23_and_not_the_server_of_a_mention(text, length):
    assert counting.mastodon(text) == length


def test_links_hashtags_and_mentions_are_told_apart():
    text = "At https://example.com/#top, #news from @name (name@example.com) on example.org/@name, #1"
    assert found(text, counting.urls(text)) == ["https://example.com/#top", "example.org/@name"]
    assert found(text, counting.hashtags(text)) == ["#news"]
    assert found(text, counting.mentions(text)) == ["@name"]


@pytest.mark.parametrize(
    "text",
    [
        "a." * 6_000,
        "zz." * 4_000 + "_a.com",
        "co." * 4_000 + "co-",
        "a-" * 6_000 + ".com",
        "あ." * 5_000,
        "http://example.com/" + "(a" * 3_000,
        "http://example.com/?" + "." * 8_000,
        "#" + "1" * 8_000,
        "#a" * 5_000,
        "@a" * 5_000,
        "👨\u200d" * 3_000,
    ],
    ids=lambda t: t[:12],
)
def test_hostile_text_is_counted_in_time(text):
    counting.x("a.com")  # loads the list of top-level domains
    start = time.process_time()
    for count in (*counting.COUNTERS.values(), counting.hashtags, counting.mentions):
        count(text)
    assert time.process_time() - start < 1


def test_a_post_is_counted_in_a_fraction_of_a_millisecond():
    text = "Some words of a post that ends with a link, as posts do. " * 5 + "https://example.com/a/b?c=d #Tag 👩🏽‍🚀"
    for count in (counting.x, counting.mastodon, counting.graphemes):
        took = []
        for _ in range(50):
            start = time.process_time()
            count(text)
            took.append(time.process_time() - start)
        assert min(took) < 0.002  # 0.1 ms here; the rest is for slow machines


@given(st.text(st.characters(codec="utf-8"), max_size=60))
@example("half a character, which JSON can say: \ud800")
@settings(max_examples=200, deadline=None)
def test_any_text_has_a_length_in_every_unit(text):
    for count in counting.COUNTERS.values():
        assert count(text) >= 0
    for spans in (counting.urls(text), counting.hashtags(text), counting.mentions(text)):
        assert all(0 <= start < end <= len(text) for start, end in spans)
        assert spans == sorted(spans)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("*one* _two_ ~~three~~ `four` ||five||", 37 + 2 + 2 + 4 + 2 + 4),
        ("# heading\n## heading\n-# small\n> quote\n- item\n12. item", 53 + 6),
        ("#Tag, 3 > 2, a-b, 1.5", 21),
        ("@everyone and @here, not @ines or a@b.example", 45 + 2),
        ("<@1> <#2> <t:3> [words](there)", 30 + 4),
        (":smile: at 10:30:45", 19 + 1),
        ("https://paper.org/a_b_c and a_b", 31 + 1),
    ],
)
def test_discord_counts_the_backslash_before_a_sign_of_markup(text, length):
    assert counting.discord(text) == length


@pytest.mark.parametrize(("text", "bytes_"), [("<a & b>", 17), ('say "so"', 10), ("a\nb", 6), ("\ud800", 3)])
def test_matrix_counts_the_longer_of_words_and_html_as_json_holds_them(text, bytes_):
    assert counting.matrix(text) == bytes_


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("plain words", "plain words"),
        ("2 * 3 _is_ [six]", r"2 \* 3 \_is\_ \[six\]"),
        ("u/ada, /r/ships or www.", r"u\/ada, /r\/ships or www\."),
        ("one\ntwo\n\nthree", "one  \ntwo\n\nthree"),
        ("    code", "code"),
        ("# 1\n- a\n12. b\n=== c", "\\# 1  \n\\- a  \n12\\. b  \n&#61;== c"),
        ("half-done, 1.5 = x", "half-done, 1.5 = x"),
        ("a\\b", r"a\\b"),
    ],
)
def test_reddit_counts_the_markdown_that_is_sent(text, markdown):
    assert counting.reddit_markup(text, 0, len(text)) == markdown
    assert counting.reddit(text) == len(markdown)


def test_reddit_counts_a_link_as_it_is_written_down():
    assert counting.reddit("at https://a.com/b_c *") == len(r"at [https://a.com/b\_c](https://a.com/b_c) \*")


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("Plain words, 10:30, 5 > 4", "Plain words, 10:30, 5 > 4"),
        ("They end their search", "<plain>They end their search</plain>"),
        ("彼らは 検索", "<plain>彼らは 検索</plain>"),
        ("one\n  > two *three*  \nfour", "one\n  <plain>> two *three*</plain>  \nfour"),
        ("</plain>", "<plain><\u2060/plain></plain>"),
        ("#Own https://a.com/b_c *", "#Own https://a.com/b_c <plain>*</plain>"),
        ("https://a.com/b'c", "<https://a.com/b'c>"),
    ],
)
def test_misskey_counts_the_markup_that_is_sent(text, markup):
    assert counting.misskey_markup(text, [*counting.urls(text), *counting.hashtags(text)]) == markup
    assert counting.misskey(text) == counting.utf16(markup)
