"""Limits shape a text: which of two bounds holds, how a caption replaces the text's, what an instance may change."""

from __future__ import annotations

import pytest

from publishers.core.limits import Limits


def test_a_picture_makes_the_caption_the_limit():
    limits = Limits(text=4096, caption=1024)
    assert limits.room(media=False) == 4096
    assert limits.room(media=True) == 1024
    assert limits.fits("a" * 1025, media=False)
    assert not limits.fits("a" * 1025, media=True)


def test_bytes_are_a_second_bound():
    limits = Limits(text=300, counting="graphemes", text_bytes=3000)
    family = "👨‍👩‍👧‍👦"
    assert limits.length(family * 120) == 120
    assert limits.fits(family * 120, media=False)
    assert not limits.fits(family * 121, media=False)


def test_the_length_is_the_platforms_own():
    link = "https://example.com/" + "a" * 200
    assert Limits(text=280, counting="x").length(link) == 23
    assert Limits(text=300, counting="graphemes").length(link) == 220


def test_an_instance_changes_what_it_knows_of_itself():
    limits = Limits(text=500, counting="mastodon", media=4)
    changed = limits.override({"text": 5000, "media_types": ["image/webp"], "cards": [[1200, 675]], "polls": 4})
    assert changed == Limits(text=5000, counting="mastodon", media=4, media_types=("image/webp",), cards=((1200, 675),))


@pytest.mark.parametrize(
    "nonsense",
    [
        {"text": 0},
        {"text": "500"},
        {"text": None},
        {"text": True},
        {"counting": "furlongs"},
        {"alt": -1},
        {"text_bytes": 0},
        {"media_types": []},
        {"media_types": "image/png"},
        {"link_in_text": 0},
        {"title": 1.5},
    ],
    ids=repr,
)
def test_nonsense_from_an_instance_changes_nothing(nonsense):
    limits = Limits(text=500)
    assert limits.override(nonsense) == limits
