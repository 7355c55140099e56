"""The picture of a post: whose brand it wears, that it is drawn once, and what a person is told about it."""

import dataclasses
import io
import json
import os
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from publishers.core.limits import Limits
from worker import app, cli
from worker.content import cards
from worker.content.readers import READERS
from worker.errors import HandbillError, NotFound
from worker.intake import client
from worker.model import Article, Brand, Content, Page, Sentence, from_json, to_json
from worker.pipeline import pictures
from worker.settings import TEMPLATES, Settings, settings

LEAD = TEMPLATES / "sample" / "lead.jpg"
SAMPLE = TEMPLATES / "sample" / "index.html"
FONT = TEMPLATES / "fonts" / "Literata-Bold.ttf"
CONTENT = Content(
    short="", medium="", long="", sentences=(Sentence(text="It opened.", source_offset=0),), hashtags=(), alt=""
)
ARTICLE = Article(
    id="main.1",
    url="file:///town/bridge.html",
    title="Larkhaven’s footbridge reopens",
    text="It opened.",
    site="The Larkhaven Lantern",
    image=str(LEAD),
    image_alt="A bridge",
    tags=("Town", "Bridges"),
    folder="/",
)
LIMITS = Limits(text=300, media_bytes=400_000, media_types=("image/jpeg", "image/png"))


def logo():
    picture = Image.new("RGBA", (600, 200), (0, 0, 0, 0))
    ImageDraw.Draw(picture).ellipse((20, 20, 180, 180), fill=(230, 40, 40, 255))
    data = io.BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()


@pytest.fixture
def studio(tmp_path):
    """Pictures in a fresh folder; ``said`` is what people were told, ``known`` are the brands there are."""
    said = []
    made = pictures.Pictures(
        Settings(data_dir=tmp_path),
        tmp_path / "media",
        warn=said.append,
        brands=lambda _: made.known,
    )
    made.said, made.known = said, []
    return made


@pytest.fixture
def drawings(monkeypatch):
    """Every call that draws."""
    calls, draw = [], cards.draw

    def counted(**asked):
        calls.append(asked)
        return draw(**asked)

    monkeypatch.setattr(cards, "draw", counted)
    return calls


def brand(tmp_path, **given):
    return pictures.make_brand("lantern", folder=tmp_path / "brand", workspace="main", **given)


def test_a_card_of_the_same_words_and_photo_is_drawn_once(studio, drawings):
    first = studio.media(ARTICLE, CONTENT, LIMITS)
    assert studio.media(ARTICLE, CONTENT, LIMITS) == first
    assert len(drawings) == 1


def test_a_card_is_remembered_by_another_process(studio, drawings, tmp_path):
    first = studio.media(ARTICLE, CONTENT, LIMITS)
    other = pictures.Pictures(Settings(data_dir=tmp_path), tmp_path / "media", warn=print, brands=lambda _: ())
    assert other.media(ARTICLE, CONTENT, LIMITS) == first
    assert len(drawings) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Another"},
        {"site": "Another"},
        {"image": ""},
        {"image_alt": "Another"},
        {"tags": ("Another",)},
        {"language": "de"},
    ],
)
def test_a_card_with_another_input_is_drawn_anew(studio, drawings, change):
    studio.media(ARTICLE, CONTENT, LIMITS)
    studio.media(dataclasses.replace(ARTICLE, id="main.2", **change), CONTENT, LIMITS)
    assert len(drawings) == 2


def test_a_card_is_drawn_anew_when_designs_or_the_code_that_draws_change(studio, drawings, monkeypatch):
    studio.media(ARTICLE, CONTENT, LIMITS)
    monkeypatch.setattr(pictures, "_version", lambda: "another")
    studio.media(ARTICLE, CONTENT, LIMITS)
    assert len(drawings) == 2


def test_a_card_whose_file_is_gone_or_cut_is_drawn_anew(studio, drawings):
    media = studio.media(ARTICLE, CONTENT, LIMITS)
    Path(media.path).write_bytes(b"cut")
    assert studio.media(ARTICLE, CONTENT, LIMITS) == media
    assert len(drawings) == 2


def test_a_card_is_in_the_kind_and_bytes_that_the_platform_takes(studio):
    for types, mime in (
        (("image/webp",), "image/webp"),
        (("image/gif", "image/png"), "image/png"),
        (("image/png", "image/jpeg"), "image/jpeg"),
    ):
        limits = dataclasses.replace(LIMITS, media_types=types, media_bytes=150_000)
        media = studio.media(ARTICLE, CONTENT, limits)
        with Image.open(media.path) as picture:
            assert picture.get_format_mimetype() == mime == media.mime
        assert media.size <= 150_000


def test_the_first_tag_stands_over_the_headline_unless_it_is_long_or_the_sites_name(studio):
    assert studio.media(ARTICLE, CONTENT, LIMITS).alt.startswith("Town. Larkhaven’s footbridge reopens.")
    for tags in ((), ("The Larkhaven Lantern",), ("A tag that is a whole sentence by itself",)):
        article = dataclasses.replace(ARTICLE, tags=tags)
        assert studio.media(article, CONTENT, LIMITS).alt.startswith("Larkhaven’s footbridge reopens.")


def test_a_photo_too_small_is_said_once_with_what_it_has(studio, tmp_path):
    Image.new("RGB", (640, 360)).save(tmp_path / "small.png")
    article = dataclasses.replace(ARTICLE, image=str(tmp_path / "small.png"))
    for _ in range(2):
        studio.media(article, CONTENT, LIMITS, whose="bluesky (Lantern)")
    width, height = (-(-side * 5 // 6) for side in LIMITS.cards[0])
    line = f"the photo has only 640 × 360 pixels, and {width} × {height} are wanted."
    assert set(studio.said) == {f"Photo was not used for bluesky (Lantern): {line}"}


def test_a_photo_that_stands_beside_the_words_instead_of_behind_them_is_nothing_to_tell(studio, tmp_path):
    Image.effect_noise((1600, 1000), 60).convert("RGB").save(tmp_path / "wide.png")
    article = dataclasses.replace(ARTICLE, image=str(tmp_path / "wide.png"), image_alt="A quay")
    upright = dataclasses.replace(LIMITS, cards=((1000, 1500),))
    for _ in range(2):
        media = studio.media(article, CONTENT, upright, whose="pinterest (Lantern)")
        assert (media.design, studio.said) == ("split", [])
        assert "A quay" in media.alt


def test_a_broken_photo_is_said_and_the_card_drawn_without_it(studio, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(LEAD.read_bytes()[:3000])
    media = studio.media(dataclasses.replace(ARTICLE, image=str(tmp_path / "broken.jpg")), CONTENT, LIMITS)
    assert "A bridge" not in media.alt
    assert studio.said[0].startswith("The picture cannot be used: it is damaged")
    assert studio.said[0].endswith(". The card is drawn without it.")


@pytest.mark.parametrize("image", ["file://{}", "FILE://{}", "//{}", "{}", "file:{}"])
def test_an_article_of_the_web_shows_no_file_of_this_machine(studio, image):
    article = dataclasses.replace(ARTICLE, url="https://example.org/bridge", folder="", image=image.format(LEAD))
    assert "A bridge" not in studio.media(article, CONTENT, LIMITS).alt
    assert studio.said == [
        "The article's picture was not used: it is no web address and does not lie beside the article."
    ]


def test_a_local_article_shows_no_picture_from_elsewhere(studio, tmp_path):
    article = dataclasses.replace(ARTICLE, folder=str(tmp_path))
    assert "A bridge" not in studio.media(article, CONTENT, LIMITS).alt


def test_a_local_article_of_a_site_shows_the_picture_beside_it(studio):
    article = dataclasses.replace(ARTICLE, url="https://example.org/bridge", folder=str(LEAD.parent))
    assert "A bridge" in studio.media(article, CONTENT, LIMITS).alt


def test_an_article_that_is_a_file_shows_only_files_and_never_waits_for_one(studio, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("/dev/zero", str(tmp_path / "pipe"), str(tmp_path)):
        article = dataclasses.replace(ARTICLE, id=f"main.{name}", image=f"file://{name}")
        assert "A bridge" not in studio.media(article, CONTENT, LIMITS).alt
    assert studio.said[0] == "The article's picture was not used: /dev/zero is no file."
    assert len(studio.said) == 3


def test_a_picture_file_is_not_read_beyond_the_limit(tmp_path):
    (tmp_path / "large.jpg").write_bytes(bytes(2_000_001))
    said = []
    small = pictures.Pictures(
        Settings(data_dir=tmp_path, fetch_megabytes=2), tmp_path / "media", warn=said.append, brands=lambda _: ()
    )
    small.media(dataclasses.replace(ARTICLE, image=str(tmp_path / "large.jpg")), CONTENT, LIMITS)
    assert said == [f"The article's picture was not used: {tmp_path / 'large.jpg'} is larger than 2 MB."]


@pytest.mark.parametrize("kind", ["html", "markdown"])
@pytest.mark.parametrize(
    "image", ["file:///dev/zero", "FILE:///dev/zero", "file:/dev/zero", "file://localhost/dev/zero", "ftp://h/a.png"]
)
def test_a_page_of_the_web_cannot_name_a_file_as_its_picture(kind, image):
    page = {
        "html": f'<html><head><meta property="og:image" content="{image}"></head><body><p>It opened.</p></body></html>',
        "markdown": f"---\nimage: {image}\n---\n\nIt opened.",
    }
    read = Page(url="https://example.org/a", kind=kind, content=page[kind], base="https://example.org/a")
    assert READERS[kind](read).image == ""


def test_an_address_without_a_scheme_is_one_of_the_web():
    content = '<html><head><meta property="og:image" content="//dev/zero"></head><body><p>It opened.</p></body></html>'
    read = Page(url="https://example.org/a", kind="html", content=content, base="https://example.org/a")
    assert READERS["html"](read).image == "https://dev/zero"


def test_a_picture_that_leads_on_to_a_file_is_refused(studio, monkeypatch):
    monkeypatch.setattr(client.Client, "_once", lambda *_: (302, {"location": f"file://{LEAD}"}, b""))
    article = dataclasses.replace(ARTICLE, image="http://example.org/a.png")
    assert "A bridge" not in studio.media(article, CONTENT, LIMITS).alt
    assert "only http and https addresses are" in studio.said[0]


# -- brands ----------------------------------------------------------------------------------------------------------


def test_a_brand_is_kept_whole_and_its_files_by_their_hash(tmp_path):
    (tmp_path / "logo.png").write_bytes(logo())
    made = brand(
        tmp_path, colour="#123A6B", accent="#fd3", logo=tmp_path / "logo.png", font=FONT, corner="top-right",
        design="minimal", sources=("www.Example.org",),
    )  # fmt: skip
    assert made == Brand(
        name="lantern", colour="#123a6b", accent="#ffdd33", logo=made.logo, font=made.font, corner="top-right",
        design="minimal", sources=("example.org",),
    )  # fmt: skip
    assert from_json(Brand, to_json(made)) == made
    assert {p.name for p in (tmp_path / "brand").iterdir()} == {made.logo, made.font}


def test_the_brand_is_the_accounts_else_the_sites(studio, tmp_path):
    ours = brand(tmp_path, sources=("example.org",), design="minimal")
    other = dataclasses.replace(ours, name="other", sources=(), design="quote")
    studio.known = [ours, other]
    assert studio.kit(dataclasses.replace(ARTICLE, url="https://www.example.org/bridge"), "")[0] == ours
    assert studio.kit(ARTICLE, "other")[1].design == "quote"
    assert studio.kit(dataclasses.replace(ARTICLE, url="https://another.org/x"), "") == (None, None)
    with pytest.raises(NotFound, match=r"There is no brand none\. There are: lantern, other"):
        studio.kit(ARTICLE, "none")


def test_a_brand_gives_its_cards_colours_logo_and_font(studio, tmp_path):
    (tmp_path / "logo.png").write_bytes(logo())
    studio.known = [
        brand(
            tmp_path,
            colour="#123a6b",
            accent="#ffd23f",
            logo=tmp_path / "logo.png",
            font=FONT,
            corner="top-right",
            design="solid",
        )
    ]
    plain = studio.card(ARTICLE, CONTENT, design="solid", size=(1200, 630), mime="image/jpeg", brand="")
    card = studio.card(ARTICLE, CONTENT, design="", size=(1200, 630), mime="image/jpeg", brand="lantern")
    picture = Image.open(io.BytesIO(card.content)).convert("RGB")
    assert card.design == "solid"
    assert all(abs(a - b) < 4 for a, b in zip(picture.getpixel((600, 620)), (0x12, 0x3A, 0x6B), strict=True))
    reds = [
        (x, y)
        for x in range(0, 1200, 4)
        for y in range(0, 630, 4)
        if picture.getpixel((x, y))[0] > 200 and picture.getpixel((x, y))[1] < 90
    ]
    assert reds
    assert min(x for x, _ in reds) > 900
    assert max(y for _, y in reds) < 140
    assert card.content != plain.content


@pytest.mark.parametrize("corner", cards.CORNERS)
@pytest.mark.parametrize("size", [(1200, 630), (1080, 1350), (1080, 1920)])
def test_a_logo_stands_in_its_corner_and_touches_no_word_in_any_design(corner, size):
    from worker.content.cards import design, layout  # noqa: PLC0415

    for name in cards.DESIGNS:
        for site in ("The Larkhaven Lantern", ""):
            words = {
                "title": ("Larkhaven’s footbridge reopens four months early and well under budget",),
                "site": (site,) if site else (),
            }
            words |= {
                "author": (),
                "kicker": ("Town",),
                "number": ("12%",),
                "quote": words["title"],
                "initial": ("L",),
                "points": ("One", "Two"),
            }
            sheet = layout.Sheet(size, words, "en", rtl=False, corner=corner, logo=(150, 50))
            placed = sheet.place(design.load(name))
            if placed is None:
                assert name == "number"  # it needs its height, and gives way
                continue
            (mark,) = (p for p in placed if isinstance(p.item, design.Logo))
            left, top, right, bottom = mark.rect
            assert 0 < left < right < size[0]
            assert 0 < top < bottom < size[1]
            if corner.startswith("top"):
                assert top < size[1] / 4
            for item in placed:
                if item.block is not None:
                    wide = max(text_width(item), 1)
                    box = (item.span[0], item.rect[1], item.span[0] + wide, item.rect[3])
                    assert box[2] <= left or box[0] >= right or box[3] <= top or box[1] >= bottom, (name, site, item)


def text_width(item):
    from worker.content.cards import text  # noqa: PLC0415

    return max(text.width(line, item.block.size, item.block.style) for line in item.block.lines)


def test_colours_that_cannot_be_read_are_refused_with_the_nearest_that_can():
    with pytest.raises(
        HandbillError, match=r"White words cannot be read on #ffd23f: it is too bright\. The nearest is #[0-9a-f]{6}"
    ):
        cards.scheme("#ffd23f", "#ffffff")
    with pytest.raises(
        HandbillError, match=r"#204a7b cannot be read on #123a6b: they are too much alike\. The nearest is #[0-9a-f]{6}"
    ):
        cards.scheme("#123a6b", "#204a7b")
    with pytest.raises(HandbillError, match="blue is no colour"):
        cards.scheme("blue", "#fff")
    nearest = "#8a7122"
    assert cards.scheme(nearest, "#ffffff").deep == nearest


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is no TrueType or OpenType font"),
        (b"wOF2" + bytes(400), "it is no TrueType or OpenType font"),
        (FONT.read_bytes()[:20000], "its table .* ends after the file does"),
        (FONT.read_bytes().replace(b"cmap", b"cmaq", 1), "it lacks the tables cmap"),
        (b"\x00\x01\x00\x00\xff\xff" + bytes(500), "it lacks the tables|it is damaged"),
    ],
)  # fmt: skip
def test_a_font_that_is_none_is_refused_with_its_reason(tmp_path, content, why):
    (tmp_path / "font.ttf").write_bytes(content)
    with pytest.raises(cards.BadFont, match=f"The font cannot be used: .*{why}"):
        brand(tmp_path, font=tmp_path / "font.ttf")
    assert not (tmp_path / "brand").exists()


def test_a_font_says_what_it_draws_and_the_rest_falls_back():
    facts = cards.check_font(FONT.read_bytes())
    assert facts.name == "Literata Regular"
    assert (0x20, 0x7E) in facts.ranges
    card = cards.draw(title="Bridge 橋 🎉 جسر", site="Lantern", brand=cards.Kit(font=FONT, text_font=FONT))
    assert card.alt == "Bridge 橋 🎉 جسر. Lantern."
    assert card.notes == ()


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"colour": "#123456"}, "A brand has two colours"),
        ({"corner": "middle"}, "There is no corner middle"),
        ({"design": "poster"}, "There is no card design 'poster'"),
    ],
)
def test_a_brand_that_cannot_work_is_one_clear_line(tmp_path, given, line):
    with pytest.raises(HandbillError, match=line):
        brand(tmp_path, **given)


def test_a_brand_whose_file_is_gone_says_so(studio, tmp_path):
    made = brand(tmp_path, font=FONT)
    (tmp_path / "brand" / made.font).unlink()
    studio.known = [made]
    with pytest.raises(HandbillError, match="The brand lantern lacks a file"):
        studio.media(ARTICLE, CONTENT, LIMITS, brand="lantern")


# -- the commands ----------------------------------------------------------------------------------------------------


@pytest.fixture
def handbill(tmp_path, monkeypatch, capsys):
    """Run a command in this process: its exit code, stdout and stderr."""
    monkeypatch.setenv("HANDBILL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    def run(*words):
        settings.cache_clear()
        monkeypatch.setattr(sys, "argv", ["handbill", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    yield run
    settings.cache_clear()


def test_card_draws_the_design_size_and_kind_that_were_asked_for(handbill, tmp_path):
    for name, kind in (("card.png", "PNG"), ("card.webp", "WEBP"), ("card.jpg", "JPEG")):
        code, said, complaint = handbill(
            "card", str(SAMPLE), "--design", "minimal", "--size", "1080x1350", "--out", name
        )
        assert code == 0, complaint
        assert "Alt: " in said
        with Image.open(tmp_path / name) as picture:
            assert (picture.format, picture.size) == (kind, (1080, 1350))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--size", "wide"), "wide is no size"),
        (("--size", "9x9"), "9 × 9 pixels cannot be drawn"),
        (("--design", "poster"), "no card design 'poster'"),
        (("--out", "card.tiff"), "card.tiff is no kind of picture"),
        (("--out", "nowhere/card.png"), "nowhere/card.png cannot be written"),
    ],
)
def test_a_card_that_cannot_be_drawn_is_one_clear_line(handbill, words, line):
    code, _, complaint = handbill("card", str(SAMPLE), *words)
    assert code == 1
    assert line in complaint
    assert complaint.count("\n") == 1


def test_why_a_photo_was_not_used_is_one_line(handbill, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"<html>no picture</html>" * 50)
    words = "Ferry crews voted on Monday to stop work, and the council answered them on Tuesday. " * 6
    page = f"<title>Ferry stops</title><meta property=og:image content=photo.jpg><h1>Ferry stops</h1><p>{words}</p>"
    (tmp_path / "article.html").write_text(f"<!doctype html><html lang=en>{page}", encoding="utf-8")

    code, _, complaint = handbill("card", str(tmp_path / "article.html"))
    assert code == 0
    assert complaint == (
        "The picture cannot be used: it is none of the kinds that are accepted. Give a JPEG, PNG, WebP, GIF or AVIF of "
        "at most 40 megapixels. The card is drawn without it.\n"
    )


def test_a_contact_sheet_shows_every_size_of_a_design_in_a_script():
    sheet = Image.open(io.BytesIO(cards.contact_sheet(".png", languages=("he",), designs=("solid", "quote"))))
    assert sheet.format == "PNG"
    assert sheet.height == 170
    assert sheet.width > 2 * 1000


def test_a_worker_that_draws_does_not_start_where_text_cannot_be_shaped(monkeypatch):
    monkeypatch.setenv("HANDBILL_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(cards, "missing", lambda: "this Pillow has no raqm, which shapes text")
    settings.cache_clear()
    try:
        with pytest.raises(HandbillError, match="Cards cannot be drawn: this Pillow has no raqm"):
            app.run_worker(app.CONTENT, "content")
    finally:
        settings.cache_clear()


@pytest.mark.redis
def test_a_brand_is_added_used_by_an_account_and_removed(handbill, tmp_path):
    (tmp_path / "logo.png").write_bytes(logo())
    given = (
        "--colour",
        "#123a6b",
        "--accent",
        "#ffd23f",
        "--logo",
        "logo.png",
        "--font",
        str(FONT),
        "--corner",
        "top-right",
    )
    assert handbill("brand", "add", "lantern", *given)[0] == 0
    assert handbill("brand", "add", "bad", "--colour", "#fff", "--accent", "#fff")[0] == 1
    code, said, _ = handbill("brand", "list", "--json")
    assert code == 0
    assert [(b["name"], b["colour"], b["corner"]) for b in json.loads(said)] == [("lantern", "#123a6b", "top-right")]
    assert handbill("card", str(SAMPLE), "--design", "solid", "--brand", "lantern", "--out", "card.png")[0] == 0
    with Image.open(tmp_path / "card.png") as picture:
        assert picture.convert("RGB").getpixel((600, 620)) == (0x12, 0x3A, 0x6B)
    assert handbill("accounts", "add", "outbox", "--name", "box")[0] == 0
    (account,) = json.loads(handbill("accounts", "list", "--json")[1])
    assert handbill("accounts", "set", account["id"], "--brand", "none")[2].startswith("There is no brand none")
    assert handbill("accounts", "set", account["id"], "--brand", "lantern")[0] == 0
    assert "uses the brand lantern" in handbill("brand", "remove", "lantern")[2]
    assert handbill("preview", str(SAMPLE), "--account", account["id"])[0] == 0
    assert handbill("accounts", "set", account["id"], "--brand", "")[0] == 0
    assert handbill("brand", "remove", "lantern")[0] == 0
    assert handbill("brand", "list")[1].startswith("No brands.")


def test_a_point_that_somebody_chose_is_in_the_middle_of_the_picture_and_no_word_is_on_a_plain_one(tmp_path):
    """Left half red, right half blue: the point says which of them a square shows."""
    photo = Image.new("RGB", (800, 400), "red")
    photo.paste("blue", (400, 0, 800, 400))
    data = io.BytesIO()
    photo.save(data, "PNG")
    for focus, wanted in (((0.1, 0.5), (254, 0, 0)), ((0.9, 0.5), (0, 0, 254))):
        card = cards.plain(data.getvalue(), size=(400, 400), mime="image/png", focus=focus, alt="Two halves")
        with Image.open(io.BytesIO(card.content)) as shown:
            seen = shown.convert("RGB").getpixel((200, 200))
        assert all(abs(a - b) < 4 for a, b in zip(seen, wanted, strict=True)), (focus, seen)
        assert (card.alt, card.design) == ("Two halves", "plain")
