"""The pages of templates and brand kits: what is kept, what is refused and keeps every word, and who may."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from tests.newsroom import sign_in
from tests.test_compose_page import Room
from tests.test_web import BASE


@pytest.fixture
def room(server, tmp_path):
    return Room(server, tmp_path)


def voice(room, host=""):
    return room.parts.records.account("main.mastodon").voices.get(host)


def test_a_voice_is_tried_on_an_article_kept_and_taken_back(room):
    fields = {
        "template": "{title}\r\n\r\n{link}",
        "always": "#CityNews",
        "hashtags": "2",
        "utm": "utm_source={platform}",
    }

    tried = room.send("/templates/main.mastodon", do="try", **fields)
    assert "as tried, not saved" in tried.text
    assert "utm_source=mastodon" in tried.text
    assert voice(room) is None

    assert room.send("/templates/main.mastodon", do="save", **fields).status_code == 303
    assert (voice(room).template, voice(room).always, voice(room).hashtags) == ("{title}\n\n{link}", ("CityNews",), 2)
    assert room.send("/templates/main.mastodon", do="save", host="www.Example.org", disclaimer="Ad").status_code == 303
    assert voice(room, "example.org").disclaimer == "Ad"
    assert room.send("/templates/main.mastodon", do="save").status_code == 303
    assert voice(room) is None


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"template": "{titel}"}, "there is no {titel}"),
        ({"hashtags": "many"}, "is no number of hashtags"),
        ({"always": "two-words"}, "is no hashtag"),
        ({"template": "word " * 200}, "cannot be used"),
    ],
)
def test_a_voice_that_cannot_be_used_is_refused_and_stays_in_the_form(room, fields, why):
    answer = room.send("/templates/main.mastodon", do="save", disclaimer="My <words>", **fields)

    assert answer.status_code == 422
    assert why in answer.text
    assert "My &lt;words&gt;" in answer.text
    assert voice(room) is None


def test_a_brand_is_kept_with_its_logo_shown_and_removed(room):
    logo = io.BytesIO()
    Image.new("RGBA", (200, 80), (255, 255, 255, 255)).save(logo, "PNG")
    data = {
        "form_token": room.owner.form_token, "name": "Lantern", "coloured": "yes", "colour": "#10304f",
        "accent": "#f2c14e", "corner": "top-left", "design": "solid", "sources": "example.org, www.larkhaven.example",
    }  # fmt: skip
    files = {"logo": ("logo.png", logo.getvalue(), "image/png")}
    before = room.get("/brands/card?design=solid", visit=room.owner).content

    answer = room.post("/brands", data=data, files=files, headers={"Origin": BASE}, visit=room.owner)

    assert answer.status_code == 303, answer.text
    (kept,) = room.parts.records.brands("main")
    assert (kept.colour, kept.corner, kept.sources) == ("#10304f", "top-left", ("example.org", "larkhaven.example"))
    assert room.get("/brands/card?name=Lantern&design=solid", visit=room.owner).content != before
    assert "Lantern" in room.page("/brands?name=Lantern").text
    again = room.post("/brands", data=data, headers={"Origin": BASE}, visit=room.owner)
    assert again.status_code == 303
    assert room.parts.records.brands("main")[0].logo == kept.logo, "what is not given stays"
    assert room.send("/brands/remove", name="Lantern").status_code == 303
    assert room.parts.records.brands("main") == []


def test_a_brand_may_have_any_name(room):
    answer = room.send("/brands", name="R&D #1 + Söhne?")
    assert answer.status_code == 303
    assert room.page(answer.headers["location"]).text.count("R&amp;D #1 + Söhne?") > 1


def test_a_brand_is_given_to_accounts_and_taken_back(room):
    def looks():
        return {a.id: a.brand for a in room.parts.records.accounts("main") if a.brand}

    one, other = [a.id for a in room.parts.records.accounts("main")][:2]
    assert room.send("/brands", name="Lantern", accounts_asked="yes", accounts=one).status_code == 303
    assert looks() == {one: "Lantern"}
    assert room.send("/brands", name="Night", accounts_asked="yes", accounts=other).status_code == 303
    assert looks() == {one: "Lantern", other: "Night"}
    assert ", now Night" in room.page("/brands?name=Lantern").text
    assert room.send("/brands", name="Lantern").status_code == 303, "a form that does not ask takes nothing back"
    assert looks() == {one: "Lantern", other: "Night"}
    assert room.send("/brands", name="Lantern", accounts_asked="yes").status_code == 303
    assert looks() == {other: "Night"}


def test_colours_that_cannot_be_read_files_that_are_none_and_no_name_are_refused(room):
    for fields, why in (
        ({"name": "A", "coloured": "yes", "colour": "#ffffff", "accent": "#fffffe"}, "note bad"),
        ({"name": " "}, "A brand needs a name"),
        ({"name": "A", "corner": "middle"}, "There is no corner middle"),
    ):
        answer = room.send("/brands", **fields)
        assert answer.status_code == 422
        assert why in answer.text
    data = {"form_token": room.owner.form_token, "name": "A"}
    files = {"font": ("font.ttf", b"no font", "font/ttf")}
    assert room.post("/brands", data=data, files=files, headers={"Origin": BASE}, visit=room.owner).status_code == 422
    assert room.parts.records.brands("main") == []


def test_only_who_writes_changes_kits_and_only_their_own(room):
    viewer, other = sign_in(room.parts, "viewer"), sign_in(room.parts, "owner", "other")
    assert room.send("/templates/main.mastodon", visit=viewer, disclaimer="x").status_code == 403
    assert room.send("/templates/main.mastodon", visit=other, disclaimer="x").status_code == 404
    assert room.send("/brands", visit=viewer, name="A").status_code == 403
    assert room.page("/templates", visit=viewer).status_code == room.page("/brands", visit=viewer).status_code == 200
    assert "No account is connected yet." in room.page("/templates", visit=other).text
    assert "No brand kit yet." in room.page("/brands", visit=other).text
