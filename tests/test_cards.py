"""Share cards: what they say, that it fits and can be read, and that no picture from a stranger does harm."""

import contextlib
import dataclasses
import io
import itertools
import json
import os
import signal
import struct
import time
import tomllib
import unicodedata
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms, ImageDraw, ImageFilter, ImageStat

from worker.content import cards
from worker.content.cards import card as drawing
from worker.content.cards import decode, fonts, layout, paint, photo, text
from worker.content.cards import design as designs
from worker.errors import HandbillError
from worker.settings import TEMPLATES

GOLDEN = Path(__file__).parent / "fixtures" / "cards"
SAMPLE = TEMPLATES / "sample"
LEAD = (SAMPLE / "lead.jpg").read_bytes()
SIZES = ((1200, 630), (1200, 1200), (1080, 1350), (1080, 1920), (1000, 1500), (1600, 900))
POINTS = ("Repairs cost £2.34 million", "9,482 crossings on the first day", "A decision follows on 3 December")
TITLE = "Larkhaven’s 1911 footbridge reopens four months early and £310,000 under budget"
STORY = {
    "title": TITLE,
    "site": "The Larkhaven Lantern",
    "author": "Nora Whitlow",
    "kicker": "Town",
    "language": "en-GB",
    "photo": LEAD,
    "photo_alt": "An iron arch bridge at sunrise",
    "points": POINTS,
}
HEADLINES = tomllib.loads((SAMPLE / "headlines.toml").read_text(encoding="utf-8"))
# Letters of every script with a vendored font of its own, for the properties.
ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZäöüßéñçøåłżőșțğışæ0123456789$€%&",
    "абвгдежзийклмнопрстуфхцчшщъыьэюяїєґ",
    "αβγδεζηθικλμνξοπρστυφχψωάέήίόύώ",
    "ابتثجحخدذرزسشصضطظعغفقكلمنهويپچژگ٠١٢٣",
    "אבגדהוזחטיכלמנסעפצקרשתךםןףץ",
    "कखगघचछजझटठडढणतथदधनपफबभमयरलवशषसहािीुूेैोौ्ं",
    "กขคงจฉชซญดตถทธนบปผฝพฟภมยรลวศษสหอฮะาิีึืุูเแโใไ่้๊๋",
    "的一是不了人我在有他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后",
    "あいうえおかきくけこさしすせそたちつてとアイウエオカキクケコ日本語新聞橋川、。「」",
    "가나다라마바사아자차카타파하각난닫랄맘밥삿앙잦찿컄탙팦핳",
    "😀🎉🚲❤🏮👍🏽🇬🇧👩‍🚀",
)
titles = st.sampled_from(ALPHABETS).flatmap(
    lambda letters: st.lists(st.text(alphabet=letters, min_size=1, max_size=24), max_size=60).map(
        lambda words: " ".join(words)[:400]
    )
)


def drawn(**changes):
    card = cards.draw(**{**STORY, **changes})
    return card, Image.open(io.BytesIO(card.content)).convert("RGB")


def jpeg(picture, **options):
    data = io.BytesIO()
    picture.save(data, options.pop("format", "JPEG"), **options)
    return data.getvalue()


def placed(design, size, *, title, language="", photo_alt="", **words):
    said, _ = drawing._words(
        title=title,
        site=words.get("site", "The Larkhaven Lantern"),
        author=words.get("author", "Nora Whitlow"),
        kicker=words.get("kicker", "Town"),
        language=language,
        points=words.get("points", ()),
    )
    sheet = layout.Sheet(size, said, language, text.is_rtl("".join(said["title"]), language))
    return sheet, sheet.place(designs.load(design)), said


def ink(item, *, rtl):
    """The rectangles that the lines of one item darken."""
    if item.item.literal:
        up, down = layout._ink(item.block)
        yield item.span[0], item.baseline - up, item.span[0] + 1, item.baseline + down
        return
    for n, line in enumerate(item.block.lines):
        above, below = layout.line_extent(line, item.block.size, item.block.style)
        wide = text.width(line, item.block.size, item.block.style)
        baseline = item.baseline + n * item.block.leading
        left = item.span[1] - wide if rtl else item.span[0]
        yield left, baseline - above, left + wide, baseline + below


# -- what a card says ------------------------------------------------------------------------------------------------


def test_the_same_words_give_the_same_bytes():
    assert cards.draw(**STORY) == cards.draw(**STORY)


def test_the_alt_text_says_what_stands_on_the_card_and_what_the_photo_shows():
    assert cards.draw(**STORY).alt == (
        f"Town. {TITLE}. The Larkhaven Lantern · Nora Whitlow. An iron arch bridge at sunrise."
    )


def test_the_alt_text_leaves_out_a_photo_that_the_design_does_not_show():
    assert cards.draw(**STORY, design="solid").alt == f"Town. {TITLE}. The Larkhaven Lantern · Nora Whitlow."


def test_a_list_numbers_its_points_and_reads_them_out():
    assert cards.draw(**STORY, design="list").alt == (
        f"Town. {TITLE}. Repairs cost £2.34 million. 9,482 crossings on the first day. "
        "A decision follows on 3 December. The Larkhaven Lantern · Nora Whitlow."
    )


def test_every_design_of_the_folder_is_drawn_in_every_size():
    assert set(cards.DESIGNS) == {"breaking", "list", "minimal", "number", "photo", "quote", "solid", "split"}
    for name, size in itertools.product(cards.DESIGNS, ((1200, 630), (1080, 1920))):
        card, picture = drawn(design=name, size=size)
        assert picture.size == size == (card.width, card.height)
        assert card.design == (name if size[0] > size[1] or name != "photo" else "split")


def test_a_design_without_what_it_needs_gives_way_and_says_why():
    card = cards.draw(title="Ferry stops", site="Courier", design="photo")
    assert (card.design, card.notes) == (
        "solid",
        ("photo was not used: there is no photo", "split was not used: there is no photo"),
    )
    assert cards.draw(title="Ferry stops", site="Courier", design="number").design == "solid"
    assert cards.draw(title="Ferry stops", site="Courier", design="list").design == "solid"


def test_a_small_photo_is_left_out_instead_of_stretched():
    small = jpeg(Image.effect_noise((640, 360), 60).convert("RGB"))
    card = cards.draw(**{**STORY, "photo": small})
    assert card.design == "solid"
    assert card.notes[0] == "photo was not used: the photo has only 640 × 360 pixels, and 1000 × 525 are wanted"
    assert "bridge at sunrise" not in card.alt


def test_a_photo_of_which_too_little_would_be_seen_stands_beside_the_words():
    tall = jpeg(Image.effect_noise((1200, 1800), 60).convert("RGB"))
    card = cards.draw(**{**STORY, "photo": tall})
    assert (card.design, card.notes) == ("split", ("photo was not used: only 35% of the photo would be seen",))
    assert cards.draw(**{**STORY, "photo": tall}, size=(1080, 1350)).design == "photo"


def test_a_card_without_a_byline_has_no_line_over_it():
    _, items, _ = placed("minimal", (1200, 630), title="Ferry stops", site="", author="", kicker="")
    assert [type(item.item) for item in items] == [designs.Words]


def test_an_unknown_design_size_or_kind_is_one_clear_line():
    with pytest.raises(HandbillError, match="no card design 'poster'"):
        cards.draw(title="x", site="y", design="poster")
    with pytest.raises(HandbillError, match="10 × 10 pixels cannot be drawn"):
        cards.draw(title="x", site="y", size=(10, 10))
    with pytest.raises(HandbillError, match="cannot be written as image/tiff"):
        cards.draw(title="x", site="y", mime="image/tiff")


@pytest.mark.parametrize(
    ("headline", "number"),
    [
        ("Bridge of 1911 opens £310,000 under budget", "£310,000"),
        ("Rents rise 12% in 2026", "12%"),
        ("Repair costs £2.34 million", "£2.34 million"),
        ("After 14 months, 9,482 people cross", "9,482"),
        ("予算を31万ポンド下回る", "31万"),
        ("Mieten steigen um 3,5 %", "3,5 %"),
        ("Unemployment falls to 4.2 percent, the lowest since 1998", "4.2 percent"),
        ("Mieten steigen um 3,5 Prozent", "3,5 Prozent"),
        ("خطة وطنية بكلفة 250 مليون دولار", "250 مليون"),
        ("نرخ بیکاری به ۱۲ درصد رسید", "۱۲ درصد"),
        ("תקציב של 45 מיליארד שקל לרכבת", "45 מיליארד"),
        ("पुल समय से पहले खुला, 31 लाख रुपये की बचत", "31 लाख"),
        ("मेट्रो पर 31 करोड़ रुपये", "31 करोड़"),
        ("Бюджет вырос на 12 процентов", "12 процентов"),
        ("งบประมาณ 45 ล้านบาท", "45 ล้าน"),
        ("10 mills stand still", "10"),
        ("COVID-19 and the G20", ""),
        ("The summer of 2026", ""),
        ("No number here", ""),
    ],
)
def test_the_number_of_a_headline_is_money_or_a_share_before_a_count_and_never_a_year(headline, number):
    assert drawing._number(headline) == ((number,) if number else ())


def test_a_site_keeps_its_colours():
    assert drawing._scheme("The Lantern") == drawing._scheme("the lantern")
    assert len({drawing._scheme(f"Site {n}").deep for n in range(100)}) == len(designs.colours().schemes)


# -- words fit -------------------------------------------------------------------------------------------------------


NOISE = Image.effect_noise((1400, 1400), 160).convert("RGB")
BRIGHT = {
    "white": Image.new("RGB", (1400, 1400), "white"),
    "noise": NOISE,
    "stripes": Image.linear_gradient("L").resize((1400, 1400)).point(lambda v: 255 * (v % 16 > 7)).convert("RGB"),
    "yellow": Image.new("RGB", (1400, 1400), "#ffee00"),
    "black": Image.new("RGB", (1400, 1400), "black"),
}


def least_contrast(ground, light):
    """The least contrast of any pixel of ``ground`` with words of luminance ``light``."""
    colours = ground.getcolors(256)
    if colours is not None:
        return min(paint.contrast(light, paint.luminance(rgb)) for _, rgb in colours)
    grey = ground.point(paint._LINEAR_BYTES).convert("L", (0.2126, 0.7152, 0.0722, 0))
    return min(paint.contrast(light, v / 255) for v in grey.getextrema())


def check_card(title, name, size, behind):
    """No overflow, nothing cut, a legible size, every glyph, and the contrast that WCAG asks for, on the pixels."""
    sheet, items, said = placed(name, size, title=title, points=POINTS)
    if items is None:  # the design says what is taken then; the last one shortens
        assert designs.load(name).otherwise or len(title) > 150
        return
    for item in items:
        if item.block is None:
            continue
        assert item.block.size >= 2.55 * sheet.unit
        for left, top, right, bottom in ink(item, rtl=sheet.rtl):
            assert left >= 0
            assert right <= size[0] + 1
            assert top >= 0
            assert bottom <= size[1]
        for line in item.block.lines:
            for cluster in regex.findall(r"\X", line):
                assert cluster == " " or fonts.face(cluster, item.block.style.family, item.block.style.region)
        if "title" in item.item.of and item.said and item.said == "".join(said["title"]):
            shown = "".join(item.block.lines).replace(" ", "").replace("-", "")
            assert shown == item.said.replace(" ", "").replace("-", "")
            assert item.block.size >= 4.15 * sheet.unit
    check_contrast(name, sheet, items, behind)


def check_contrast(name, sheet, items, behind):
    """Every pixel behind the letters of a card, drawn without them."""
    title, size = sheet.words["title"], sheet.size
    scheme = designs.colours().schemes[len("".join(title)) % len(designs.colours().schemes)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paint, "_line", lambda *_: ())
        patch.setattr(
            paint,
            "cropping",
            lambda _, box, *__, **___: contextlib.nullcontext(lambda: photo.Cropped(BRIGHT[behind].resize(box))),
        )
        canvas = paint.paint(designs.load(name), sheet, items, photo.Photo(b"", 1400, 1400), scheme)
    for item in items:
        if item.block is not None and not item.item.literal:
            light = paint.luminance(paint.colour(item.item.colour, scheme))
            for left, top, right, bottom in ink(item, rtl=sheet.rtl):
                far, low = max(int(left) + 1, min(size[0], int(right))), max(int(top) + 1, int(bottom))
                part = canvas.crop((int(left), int(top), far, low))
                if not item.item.fill:  # a label's letters stand on its ground, within rounded corners
                    assert least_contrast(part, light) >= paint.CONTRAST


cases = given(
    title=titles, name=st.sampled_from(cards.DESIGNS), size=st.sampled_from(SIZES), behind=st.sampled_from(sorted(BRIGHT))
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@cases
def test_words_of_any_length_and_script_fit_uncut_and_can_be_read(title, name, size, behind):
    check_card(title, name, size, behind)


EXACT = " ".join("、" * n for n in (5, 13, 14, 10)) + "「、け「"  # lines that are exactly as wide as their room


@pytest.mark.parametrize("title", [EXACT, "、" * 40 + "「け「", "了" * 60, "吧" * 9 + "国" * 90, "!" * 200])
def test_a_title_of_marks_alone_fits_too(title):
    for name, size in itertools.product(cards.DESIGNS, SIZES):
        check_card(title, name, size, "black")


@pytest.mark.nightly
@settings(max_examples=2000, deadline=None)
@cases
def test_two_thousand_cards_fit_uncut_and_can_be_read(title, name, size, behind):
    check_card(title, name, size, behind)


@settings(max_examples=60, deadline=None)
@given(title=titles, name=st.sampled_from(cards.DESIGNS), size=st.sampled_from(SIZES))
def test_no_two_texts_touch(title, name, size):
    sheet, items, _ = placed(name, size, title=title, points=POINTS)
    boxes = [(item, box) for item in items or () if item.block for box in ink(item, rtl=sheet.rtl)]
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        overlap = min(a[3], b[3]) - max(a[1], b[1])
        # Lines of one text may lend each other a hair where letters have marks above and below.
        allowed = 0.16 * one.block.size + 1 if one is other else 0
        assert overlap <= allowed or min(a[2], b[2]) <= max(a[0], b[0])


@pytest.mark.parametrize(
    ("title", "drawn", "gone"),
    [
        ("Ú\u06dc", "Ú", ("\u06dc",)),  # a letter and a mark that no font has together
        ("a\U00013000\u06dcb", "ab", ("\U00013000", "\u06dc")),  # which meet once what stood between them is gone
        ("a\u06dc\u0301b", "a\u0301b", ("\u06dc",)),
        ("ﬃ\u06dc", "ffi", ("ﬃ", "\u06dc")),
    ],
)
def test_a_mark_that_the_font_of_its_letter_lacks_is_left_out(title, drawn, gone):
    assert text.clean(title, "sans", "en") == (drawn, gone)
    cards.draw(title=title, site="S", size=(600, 315), design="solid")


@settings(max_examples=40, deadline=None)
@given(title=st.text(max_size=400), size=st.tuples(st.integers(200, 1600), st.integers(200, 1600)))
def test_any_text_at_any_size_gives_a_card(title, size):
    card = cards.draw(title=title, site="S", size=size, design="solid")
    assert Image.open(io.BytesIO(card.content)).size == size


@pytest.mark.parametrize(("language", "headline"), HEADLINES.items())
def test_lines_are_even_and_the_last_is_no_widow(language, headline):
    for name, size in itertools.product(("photo", "solid"), ((1200, 630), (1080, 1350))):
        _, items, _ = placed(name, size, title=headline, language=language)
        (title,) = (i for i in items if i.block and len(i.block.lines) > 1)
        widths = [text.width(line, title.block.size, title.block.style) for line in title.block.lines]
        assert widths[-1] > 0.4 * max(widths), title.block.lines


def test_no_line_starts_with_a_mark_that_closes_or_ends_with_one_that_opens():
    for language, headline in HEADLINES.items():
        for size in SIZES:
            _, items, _ = placed("split", size, title=headline, language=language)
            for line in (line for i in items or () if i.block for line in i.block.lines):
                assert line[0] not in "、。，」』）)!?:;,…ー"
                assert line[-1] not in "「『（("


def test_a_title_over_200_characters_ends_after_a_clause_and_shows_that_it_goes_on():
    clause = "The council voted for the new bridge after a debate of nine hours in which more than forty people spoke"
    card = cards.draw(title=f"{clause}, and {'then it voted again ' * 8}", site="Courier")
    assert card.alt == f"{clause}… Courier."
    assert text.shorten("word " * 80, 200).endswith("word…")
    assert len(text.shorten("語" * 400, 200)) <= 201


def test_a_long_word_is_divided_with_a_hyphen_only_when_it_fits_no_line():
    how = text.style("x", "de", "sans", rtl=False)
    word = "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz"
    block = text.fit(word, how, box=(500, 400), sizes=(40, 80))
    assert len(block.lines) > 1
    assert all(line.endswith("-") for line in block.lines[:-1])
    assert "".join(block.lines).replace("-", "") == word


@pytest.mark.parametrize(
    ("language", "headline", "divided"),
    [
        ("de", "Donaudampfschifffahrtsgesellschaft eröffnet Brücke", True),
        ("nl", "Arbeidsongeschiktheidsverzekeringsmaatschappij betaalt weer", True),
        ("en", "Antidisestablishmentarianism returns to the quarter", True),
        ("en", "Ferry crews vote to strike as tolls rise again", False),
        ("", "Donaudampfschifffahrtsgesellschaft eröffnet Brücke", False),
    ],
)
def test_a_word_that_would_make_all_words_small_is_divided_as_its_language_does(language, headline, divided):
    how = text.style(headline, language, "sans", rtl=False)
    block = text.fit(headline, how, box=(700, 600), sizes=(36, 80))
    hyphened = [line for line in block.lines if line.endswith("-")]
    assert bool(hyphened) is divided
    assert "".join(block.lines).replace("-", "").replace(" ", "") == headline.replace(" ", "")
    if divided:
        word = max(headline.split(), key=len)
        allowed = {word[:cut] for cut in text._patterns(language).positions(word)}
        assert hyphened[0].rstrip("-") in allowed
        plain = text.fit(headline, dataclasses.replace(how, language=""), box=(700, 600), sizes=(36, 80))
        assert block.size >= 1.25 * plain.size * 0.76  # evenness may cost some of what was gained


@pytest.mark.parametrize("word", ["จังหวัด", "มหาวิทยาลัย", "ญี่ปุ่น", "หนังสือพิมพ์", "ครอบครัว", "รัสเซีย", "เชียงใหม่"])
def test_words_of_thai_are_not_torn(word):
    pieces = list(text._pieces(f"แก้น้ำท่วมใน{word}ก่อนฤดูฝน", "TH"))
    assert any(word in piece for piece in pieces)
    assert len(pieces) > 2


@pytest.mark.parametrize(
    ("language", "headline", "together"),
    [
        ("ar", HEADLINES["ar"], "2.34 مليون"),
        ("en", "Larkhaven has paid £12 million for a bridge that nobody wanted", "£12 million"),
        ("ru", "Ремонт моста обошёлся городу в 2,34 млн фунтов за одиннадцать месяцев", "2,34 млн"),
        ("de", "Stadt Larkhaven will 12 Millionen Euro in die Brücke am Fluss stecken", "12 Millionen"),
    ],
)
def test_a_number_stands_on_the_line_of_its_million(language, headline, together):
    for name, size in itertools.product(("photo", "solid", "minimal"), SIZES):
        _, items, _ = placed(name, size, title=headline, language=language)
        (title,) = (i for i in items or () if i.block and i.said == headline) if items else (None,)
        if title:
            assert any(together in line for line in title.block.lines), (name, size, title.block.lines)


def test_a_title_of_one_word_is_a_poster():
    sizes = {}
    for title in ("No.", "Strike over", "Ferry crews vote to strike as tolls rise"):
        _, items, _ = placed("solid", (1200, 630), title=title)
        (found,) = (i for i in items if i.said == title)
        sizes[title] = found.block.size
    assert sizes["No."] > 1.5 * sizes["Ferry crews vote to strike as tolls rise"]
    assert sizes["No."] > sizes["Strike over"] > sizes["Ferry crews vote to strike as tolls rise"]


def test_blanks_that_forbid_a_break_are_kept():
    kept, _ = text.clean("rise\u00a0of 310\u202f000   euros\n", "sans", "fr")
    assert kept == "rise\u00a0of 310\u202f000 euros"


def test_a_joiner_with_nothing_to_join_is_no_word():
    assert text.clean("\u200d \u200d Bridge\u00a0\u200dopen \u200d", "sans", "en")[0] == "Bridge\u00a0open"
    assert text.clean("0\x1f0\x1c", "sans", "en")[0] == "0 0"
    assert text.clean("\u0902क \u0902\u0941 \u0902ककका", "sans", "hi")[0] == "क ककका"


# -- scripts and emoji -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "headline"), HEADLINES.items())
def test_every_character_of_every_language_has_a_glyph(language, headline):
    for family in ("sans", "serif", "text"):
        kept, missing = text.clean(headline, family, language)
        assert missing == ()
        assert kept == unicodedata.normalize("NFC", headline).replace("\u3000", " ")
        for cluster, name in text._faces(kept, family, fonts.region(language, kept)):
            assert name == fonts.EMOJI or fonts.covers(name, cluster)


def test_the_coverage_file_tells_the_truth_about_every_font():
    for name, (starts, ends) in fonts._coverage().items():
        font = fonts.opened(name, 24)
        nothing = bytes(font.getmask("\U0010fffe"))
        every = [c for start, end in zip(starts, ends, strict=True) for c in range(start, end + 1)]
        for code in every[:: max(1, len(every) // 150)]:
            if unicodedata.category(chr(code))[0] in "LNS":
                mask = font.getmask(chr(code))
                assert bytes(mask) != nothing or not nothing, f"{name} U+{code:04X}"


@pytest.mark.parametrize(
    ("text_", "names"),
    [
        ("🎉", ["1f389"]),
        ("❤️", ["2764"]),
        ("1️⃣", ["31-20e3"]),
        ("🇬🇧", ["1f1ec-1f1e7"]),
        ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", ["1f3f4-e0067-e0062-e0065-e006e-e0067-e007f"]),
        ("👍🏽", ["1f44d-1f3fd"]),
        ("👨‍👩‍👧‍👦", ["1f468-200d-1f469-200d-1f467-200d-1f466"]),
        ("👩🏽‍🚀", ["1f469-200d-1f680"]),  # joined people keep their place and lose their tone
        ("🐕🏽", ["1f415"]),
    ],
)
def test_emoji_are_pictures_whole_or_without_their_tone(text_, names):
    (run,) = text.runs(text_, text.style(text_, "", "sans", rtl=False))
    assert run.font == fonts.EMOJI
    assert list(fonts.emoji_names(run.text)) == names
    assert fonts.emoji_picture(names[0], 60).getbbox()


def test_an_emoji_is_drawn_in_colour():
    _, picture = drawn(title="🎉🎉🎉", design="minimal", kicker="", site="", author="")
    assert len({(r // 32, g // 32, b // 32) for _, (r, g, b) in picture.getcolors(1 << 20)}) > 12


def test_signs_that_are_text_by_default_stay_text():
    for sign in "©™↔0#":
        (run,) = text.runs(sign, text.style(sign, "", "sans", rtl=False))
        assert run.font != fonts.EMOJI


def test_what_no_font_draws_is_left_out_or_written_plainly_and_noted():
    card = cards.draw(title="Eﬃcient 𝐛old \U00013000 \ue000 \x07 sign", site="Courier")
    assert card.alt == "Efficient bold sign. Courier."
    assert card.notes == ("no font draws ﬃ 𝐛 \U00013000",)


def test_chinese_characters_take_the_shapes_of_the_language():
    def font_of(language, words):
        return text.runs(words, text.style(words, language, "sans", rtl=False))[0].font

    assert font_of("zh-CN", "直骨") == "NotoSansSC-Bold-1.woff2"
    assert font_of("zh-Hant-HK", "直骨") == "NotoSansTC-Bold-1.woff2"
    assert font_of("ja", "直骨").startswith("NotoSansJP")
    assert font_of("", "直骨の").startswith("NotoSansJP")
    assert fonts.region("", "直骨은") == "KR"


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("שלום world 123", ["world 123", "שלום"]),
        ("310,000 ש״ח (WhatsApp)", [")", "WhatsApp", "(", "ש״ח", "310,000"]),
        ("سعر 2.34 مليون", ["مليون", "2.34", "سعر"]),
        ("۴۰ سال", ["سال", "۴۰"]),
        ("שלום IBM (Germany) היום", ["היום", "IBM (Germany)", "שלום"]),
        ("אחת (שתיים IBM) סוף", ["סוף", ")", "IBM", "שתיים", "(", "אחת"]),
    ],
)
def test_runs_of_both_directions_stand_in_the_order_they_are_seen(line, seen):
    pieces = text.runs(line, text.style(line, "he", "sans", rtl=True))
    assert [run.text.strip() for run in pieces if run.text.strip()] == seen


def test_a_bracket_is_the_direction_of_what_it_stands_in():
    how = text.style("ا", "ar", "sans", rtl=True)
    (run,) = [r for r in text.runs("أعلنت شركة IBM (Germany) اليوم", how) if "IBM" in r.text]
    assert (run.text.strip(), run.rtl) == ("IBM (Germany)", False)


def test_a_card_read_from_the_right_is_mirrored():
    _, left, _ = placed("split", (1200, 630), title=HEADLINES["en"], language="en")
    _, right, _ = placed("split", (1200, 630), title=HEADLINES["he"], language="he")
    assert max(item.rect[2] for item in left) < 0.55 * 1200
    assert min(item.rect[0] for item in right) > 0.45 * 1200


# -- contrast --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BRIGHT)
@pytest.mark.parametrize("name", ["photo", "breaking"])
def test_white_words_over_a_photo_keep_the_contrast_that_wcag_asks_for(kind, name, monkeypatch):
    rects = []
    monkeypatch.setattr(paint, "_item", lambda item, *_: [rects.append(item.rect)][:0])
    _, picture = drawn(photo=jpeg(BRIGHT[kind], quality=92), design=name)
    for rect in rects:
        values = picture.crop(rect).getcolors(1 << 22)
        lights = sorted(((paint.luminance(rgb), n) for n, rgb in values), reverse=True)
        behind, area = 0, sum(n for n, _ in values)
        for light, n in lights:  # one pixel in a thousand may be the encoder's own
            behind += n
            if behind > area / 1000:
                assert paint.contrast(1.0, light) >= paint.CONTRAST
                break


def test_a_dark_photo_is_darkened_less_than_a_bright_one():
    night = colour = (11, 16, 22)
    assert paint._veil(0.02, night) < paint._veil(0.5, night) < paint._veil(1.0, colour)


def test_every_colour_of_words_reads_on_its_ground_in_every_scheme():
    for name, scheme in itertools.product(cards.DESIGNS, designs.colours().schemes):
        chosen = designs.load(name)
        ground = chosen.background
        for layer in chosen.layers:
            if not isinstance(layer, designs.Stack):
                continue
            for item in layer.items:
                if isinstance(item, designs.Words):
                    behind = paint.luminance(paint.colour(item.fill or ground, scheme))
                    ink_ = paint.luminance(paint.colour(item.colour, scheme))
                    assert paint.contrast(ink_, behind) >= paint.CONTRAST, (name, item.of, scheme)
                    if item.mark:
                        mark = paint.luminance(paint.colour("accent", scheme))
                        deep = paint.luminance(paint.colour("deep", scheme))
                        assert paint.contrast(mark, deep) >= paint.CONTRAST


# -- pictures from strangers -----------------------------------------------------------------------------------------


def png(width, height, *, rows=b""):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


HOSTILE = {
    "nothing": b"",
    "a page": b"<!doctype html><title>404</title>" * 20,
    "a drawing": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "half a JPEG": LEAD[: len(LEAD) // 2],
    "a JPEG's head": LEAD[:400],
    "a JPEG with zeros in it": LEAD[:2000] + bytes(4000),
    "a bomb of 200 megapixels": png(20000, 10000),
    "a bomb of 4 gigapixels": png(65000, 65000),
    "a PNG without its rows": png(2000, 1500, rows=bytes(100)),
    "a PNG of no width": png(0, 1500),
    "a TIFF named photo.jpg": jpeg(Image.new("RGB", (1600, 1000)), format="TIFF"),
    "a BMP": jpeg(Image.new("RGB", (1600, 1000)), format="BMP"),
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1600 1000\n",
    "random bytes": bytes(range(256)) * 40,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_picture_is_refused_with_its_reason_and_nothing_else(kind):
    with pytest.raises(cards.BadPicture) as caught:
        cards.draw(**{**STORY, "photo": HOSTILE[kind]})
    assert str(caught.value).startswith("The picture cannot be used: ")
    assert "\n" not in str(caught.value)


@settings(max_examples=30, deadline=None)
@given(at=st.integers(0, 60_000), junk=st.binary(min_size=1, max_size=40))
def test_a_damaged_picture_is_drawn_or_refused(at, junk):
    data = LEAD[:at] + junk + LEAD[at + len(junk) :]
    try:
        card = cards.draw(**{**STORY, "photo": data})
    except cards.BadPicture:
        return
    assert Image.open(io.BytesIO(card.content)).size == (1200, 630)


def child():
    """The process that opens pictures, as it runs now."""
    photo.probe(LEAD)
    return photo._child._process


def test_pictures_are_opened_in_a_process_of_their_own_that_stays_warm():
    first = child().pid
    assert first != os.getpid()
    for _ in range(3):
        cards.draw(**STORY)
    assert child().pid == first
    limits = Path(f"/proc/{first}/limits").read_text()
    assert [line.split()[-3:-1] for line in limits.splitlines() if line.startswith("Max address space")] == [
        [str(decode.MOST_MEMORY), str(decode.MOST_MEMORY)]
    ]
    assert [line.split()[-3:-1] for line in limits.splitlines() if line.startswith("Max file size")] == [["0", "0"]]


def test_a_picture_that_ends_the_process_is_refused_and_the_next_one_is_drawn():
    child().kill()
    assert cards.draw(**STORY).design == "photo"  # found dead, started again
    send = photo._Exchange.send

    def dies(exchange):
        photo._child._process.kill()
        send(exchange)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(photo._Exchange, "send", dies)
        with pytest.raises(cards.BadPicture, match="opening it ended the process"):
            cards.draw(**STORY)
    assert cards.draw(**STORY).design == "photo"


def test_a_picture_that_takes_too_long_is_refused_and_its_process_ended(monkeypatch):
    process = child()
    process.send_signal(signal.SIGSTOP)
    monkeypatch.setattr(photo, "SECONDS", 0.2)
    begun = time.monotonic()
    with pytest.raises(cards.BadPicture, match=r"opening it takes longer than 0\.2 seconds"):
        cards.draw(**STORY)
    assert time.monotonic() - begun < 20
    assert process.returncode == -signal.SIGKILL


def test_a_picture_that_takes_too_much_memory_is_refused_with_that_reason(tmp_path, monkeypatch):
    small = (Path(decode.__file__).read_text()).replace("MOST_MEMORY = 1_000_000_000", "MOST_MEMORY = 190_000_000")
    (tmp_path / "decode.py").write_text(small)
    monkeypatch.setattr(photo, "_CHILD", tmp_path / "decode.py")
    monkeypatch.setattr(photo, "_child", photo._Child())
    try:
        with pytest.raises(cards.BadPicture, match="takes more than 190 MB of memory"):
            cards.draw(**{**STORY, "photo": jpeg(Image.new("RGB", (7000, 5000)), format="PNG")})
        assert cards.draw(**STORY).design == "photo"  # the same process goes on
    finally:
        photo._child.end()


def test_several_threads_share_one_process():
    expected = cards.draw(**STORY)
    other = jpeg(Image.open(io.BytesIO(LEAD)).convert("L").convert("RGB"), quality=80)
    grey = cards.draw(**{**STORY, "photo": other})
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: cards.draw(**{**STORY, "photo": (LEAD, other)[n % 2]}), range(8)))
    assert all(card == (expected, grey)[n % 2] for n, card in enumerate(found))


def test_a_picture_of_too_many_bytes_is_refused_unread(monkeypatch):
    monkeypatch.setattr(photo, "MOST_BYTES", 1000)
    with pytest.raises(cards.BadPicture, match="has 445,324 bytes; 1,000 is the most"):
        cards.draw(**STORY)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "AVIF"])
def test_every_accepted_kind_is_drawn(kind):
    source = Image.open(io.BytesIO(LEAD)).reduce(1).crop((0, 0, 1400, 1000))
    card, picture = drawn(photo=jpeg(source, format=kind))
    assert card.design == "photo"
    assert ImageStat.Stat(picture.crop((0, 0, 1200, 100))).mean[2] > 80


def corner(picture):
    """Which colours stand at the corners of a picture without words."""
    w, h = picture.size
    return [picture.getpixel(p) for p in ((30, 30), (w - 30, 30), (30, h - 30), (w - 30, h - 30))]


def upright(data, size):
    probed = photo.probe(data)
    with photo.cropping(probed, size) as cropped:
        return probed, cropped().picture


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_upright(orientation):
    source = Image.new("RGB", (1200, 800), "blue")
    source.paste((255, 0, 0), (0, 0, 600, 400))
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    stored = source if undo is None else source.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = orientation
    probed, picture = upright(jpeg(stored, exif=exif, quality=95), (1200, 800))
    assert (probed.width, probed.height) == (1200, 800)
    first, *rest = corner(picture)
    assert first[0] > 200
    assert all(pixel[2] > 200 and pixel[0] < 60 for pixel in rest)


def test_broken_exif_spoils_no_photo():
    data = jpeg(Image.new("RGB", (1300, 900), "green"), exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff\x01\x12")
    assert photo.probe(data).width == 1300


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (Image.new("CMYK", (1300, 900), (0, 255, 255, 0)), (255, 0, 0)),
        (Image.new("L", (1300, 900), 128), (128, 128, 128)),
        (Image.new("RGBA", (1300, 900), (255, 0, 0, 0)), (255, 255, 255)),
        (Image.new("LA", (1300, 900), (0, 128)), (127, 127, 127)),
        (Image.new("1", (1300, 900), 1), (255, 255, 255)),
        (Image.new("P", (1300, 900), 0), (0, 0, 0)),
        (Image.new("I;16", (1300, 900), 0x8080), (128, 128, 128)),
    ],
    ids=lambda value: getattr(value, "mode", ""),
)
def test_every_mode_becomes_rgb(picture, expected):
    _, found = upright(jpeg(picture, format="JPEG" if picture.mode == "CMYK" else "PNG"), (1200, 630))
    assert found.mode == "RGB"
    assert all(abs(a - b) < 6 for a, b in zip(found.getpixel((600, 300)), expected, strict=True))


def test_colours_of_another_profile_come_out_in_srgb():
    swapped = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    plain = upright(jpeg(Image.new("RGB", (1300, 900), (200, 40, 40))), (1200, 630))[1].getpixel((9, 9))
    nonsense = jpeg(Image.new("RGB", (1300, 900), (200, 40, 40)), icc_profile=b"not a profile")
    assert upright(nonsense, (1200, 630))[1].getpixel((9, 9)) == plain
    lab = jpeg(Image.new("RGB", (1300, 900), (200, 40, 40)), icc_profile=swapped.tobytes())
    assert upright(lab, (1200, 630))[1].getpixel((9, 9)) == plain  # a profile of another space is ignored


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (1300, 900), colour) for colour in ("red", "blue", "green")]
    data = jpeg(frames[0], format="GIF", save_all=True, append_images=frames[1:])
    assert upright(data, (1200, 630))[1].getpixel((9, 9))[0] > 200


@pytest.mark.parametrize("mime", ["image/jpeg", "image/png", "image/webp"])
def test_nothing_of_the_photo_but_its_pixels_is_handed_on(mime):
    exif = Image.Exif()
    exif[0x010F] = "SECRET-CAMERA"
    source = Image.open(io.BytesIO(LEAD))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = jpeg(source, exif=exif, comment=b"SECRET-COMMENT", icc_profile=profile, quality=80)
    assert b"SECRET-CAMERA" in data
    card = cards.draw(**{**STORY, "photo": data, "mime": mime})
    assert b"SECRET" not in card.content
    info = Image.open(io.BytesIO(card.content)).info
    assert not {"exif", "icc_profile", "comment"} & set(info)


@pytest.mark.parametrize("mime", ["image/jpeg", "image/png", "image/webp"])
def test_a_card_keeps_within_its_bytes(mime):
    card = cards.draw(**{**STORY, "mime": mime, "max_bytes": 200_000 if mime == "image/png" else 60_000})
    assert card.mime == mime
    assert 20_000 < len(card.content) <= (200_000 if mime == "image/png" else 60_000)
    if mime != "image/png":  # a search on quality comes close to the limit
        assert len(card.content) > 50_000
    with pytest.raises(HandbillError, match="does not fit in 500 bytes"):
        cards.draw(**{**STORY, "max_bytes": 500})


@pytest.mark.parametrize(
    ("where", "size"), [((300, 500), (630, 1200)), ((1500, 500), (630, 1200)), ((900, 200), (1200, 500))]
)
def test_the_crop_keeps_what_matters(where, size):
    source = Image.new("RGB", (1800, 1000), (120, 130, 140)).filter(ImageFilter.GaussianBlur(3))
    pen = ImageDraw.Draw(source)
    x, y = where
    pen.ellipse((x - 110, y - 130, x + 110, y + 130), fill=(222, 170, 140))
    for dx in (-45, 45):
        pen.ellipse((x + dx - 14, y - 40, x + dx + 14, y - 10), fill=(30, 30, 30))
    left, top, right, bottom = decode.window(source, size, (0.0, 1.0))
    assert left < x - 100
    assert right > x + 100
    assert top < y - 100
    assert bottom > y + 100


def test_the_crop_keeps_a_face_before_a_sky_of_the_same_colour():
    source = Image.linear_gradient("L").resize((3000, 1000)).convert("RGB")
    source = Image.merge(
        "RGB", [band.point(lambda v, k=k: k - v // 4) for band, k in zip(source.split(), (255, 190, 130), strict=True)]
    )
    pen = ImageDraw.Draw(source)
    for x in range(0, 3000, 90):
        pen.polygon([(x, 1000), (x + 45, 780 + x % 70), (x + 90, 1000)], fill=(70, 55, 80))
    pen.ellipse((380, 360, 560, 590), fill=(45, 32, 25))
    pen.ellipse((400, 390, 540, 580), fill=(214, 160, 130))
    left, _, right, _ = decode.window(source, (1200, 630), (0.0, 0.5))
    assert left < 380
    assert right > 560


def scene(where, radius=110, size=(1800, 1200)):
    """A face with eyes before a plain ground."""
    source = Image.linear_gradient("L").resize(size).point(lambda v: 100 + v // 4)
    source = Image.merge("RGB", [source.point(lambda v, k=k: v + k) for k in (0, 10, 25)])
    pen = ImageDraw.Draw(source)
    x, y = where
    pen.ellipse((x - radius, y - 1.2 * radius, x + radius, y + 1.2 * radius), fill=(222, 170, 140))
    for dx in (-0.4, 0.4):
        left, top = x + (dx - 0.12) * radius, y - 0.35 * radius
        pen.ellipse((left, top, left + 0.24 * radius, top + 0.24 * radius), fill=(30, 30, 30))
    return jpeg(source, quality=90)


def skin(picture):
    """The box of a scene's face on a card, under a veil or not."""
    red, green, blue = picture.split()
    warm = ImageChops.subtract(red, blue).point(lambda v: 255 * (v > 18))
    plain = ImageChops.subtract(red, green).point(lambda v: 255 * (4 < v < 90))
    return ImageChops.multiply(warm, plain).filter(ImageFilter.MinFilter(9)).getbbox()


FACES = {"high": (900, 330), "middle": (900, 560), "left": (450, 520), "low": (1100, 900)}


@pytest.mark.parametrize("language", ["de", "ar", "th"])
@pytest.mark.parametrize("size", [(1200, 1200), (1080, 1350)])
@pytest.mark.parametrize("design", ["photo", "breaking"])
def test_no_headline_runs_over_a_face(monkeypatch, design, size, language):
    boxes, crops, draw, cropping = [], [], paint.paint, photo.cropping

    def painted(chosen, sheet, items, *rest, **how):
        boxes[:] = [p.rect if p.item.fill else box for p in items if p.block for box in ink(p, rtl=sheet.rtl)]
        return draw(chosen, sheet, items, *rest, **how)

    @contextlib.contextmanager
    def watched(*asked, **how):
        with cropping(*asked, **how) as cropped:
            yield lambda: crops.append((got := cropped()).picture.copy()) or got

    monkeypatch.setattr(drawing, "paint", painted)
    monkeypatch.setattr(paint, "cropping", watched)
    shown = set()
    for where in FACES.values():
        card = cards.draw(
            **{**STORY, "title": HEADLINES[language], "language": language, "photo": scene(where)},
            design=design,
            size=size,
        )
        why = (
            f"{design} {'was not used' if design == 'photo' else 'is drawn without the photo'}: the words would cover "
        )
        if card.notes:
            assert card.notes[0].startswith(why)
            assert card.design == ("split" if design == "photo" else "breaking")
            assert ("sunrise" in card.alt) is (design == "photo")
        else:
            assert card.design == design
            face = skin(crops[-1])
            for left, top, right, bottom in boxes:
                assert right <= face[0] or left >= face[2] or bottom <= face[1] or top >= face[3]
            assert min(face[0], face[1], size[0] - face[2]) > 0
            shown.add(where)
    assert FACES["low"] not in shown
    assert shown or design == "breaking"


@pytest.mark.parametrize("design", ["photo", "breaking"])
def test_a_face_that_few_words_leave_clear_is_shown_and_nothing_is_said(design):
    card = cards.draw(
        **{**STORY, "title": "Ferry stops", "photo": scene(FACES["middle"])}, design=design, size=(1200, 1200)
    )
    assert (card.design, card.notes) == (design, ())
    assert card.alt.endswith("sunrise.")


def test_words_lie_on_a_scene_without_a_subject_as_before():
    for size in SIZES[:3]:
        assert cards.draw(**STORY, size=size).design == "photo"


def test_a_point_that_somebody_chose_is_not_questioned():
    asked = {**STORY, "photo": scene(FACES["low"]), "size": (1200, 1200)}
    assert cards.draw(**asked).design == "split"
    assert cards.draw(**asked, focus=(0.6, 0.75)).design == "photo"


@pytest.mark.parametrize(("face", "moves"), [((330, 230), True), ((900, 330), False), ((1300, 230), False)])
@pytest.mark.parametrize("design", ["photo", "split"])
def test_a_logo_leaves_its_top_corner_only_for_a_face(face, moves, design):
    mark = Image.new("RGBA", (500, 200), (0, 200, 0, 255))
    kit = cards.Kit(logo=jpeg(mark, format="PNG"), corner="top-left")
    size = (1200, 1200) if design == "photo" else (1080, 1350)
    card, picture = drawn(
        photo=scene(face, size=(1800, 1500)), brand=kit, design=design, size=size, title="Ferry stops"
    )
    assert card.design == design
    red, green, _ = picture.split()
    left, _, right, bottom = ImageChops.subtract(green, red).point(lambda v: 255 * (v > 150)).getbbox()
    assert bottom < 0.3 * size[1]
    assert (left > size[0] / 2) is moves
    assert (right < size[0] / 2) is not moves


@pytest.mark.parametrize("name", ["white", "grey", "paper"])
def test_a_photo_with_nothing_in_it_gives_way_to_words_on_colour(name):
    empty = Image.new("RGB", (1600, 1200), {"white": "white", "grey": "#999999", "paper": "#f4efe4"}[name])
    if name == "paper":
        empty = Image.blend(empty, Image.effect_noise(empty.size, 30).convert("RGB"), 0.05)
    for size in SIZES[:3]:
        card = cards.draw(**{**STORY, "photo": jpeg(empty)}, size=size)
        assert (card.design, card.notes) == (
            "solid",
            (
                "photo was not used: there is nothing in the photo",
                "split was not used: there is nothing in the photo",
            ),
        )
        assert "sunrise" not in card.alt


def test_a_photo_with_a_little_in_it_is_shown():
    pale = Image.linear_gradient("L").resize((1600, 1200)).point(lambda v: 200 + v // 8).convert("RGB")
    assert cards.draw(**{**STORY, "photo": jpeg(pale)}).design == "photo"


# -- how a card looks ------------------------------------------------------------------------------------------------


def likeness(one, other):
    """Mean difference and that of the worst tile of two pictures of one size, 0 to 255."""
    difference = ImageChops.difference(one, other).convert("L")
    tiles = difference.resize((difference.width // 8, difference.height // 8), Image.Resampling.BOX)
    return ImageStat.Stat(difference).mean[0], tiles.getextrema()[1]


GOLDENS = [
    *(
        (f"{name}-{w}x{h}", {"design": name, "size": (w, h)})
        for name in cards.DESIGNS
        for w, h in ((1200, 630), (1080, 1350))
    ),
    ("split-1080x1920", {"design": "split", "size": (1080, 1920)}),
    *(
        (f"split-{language}", {"design": "split", "title": HEADLINES[language], "language": language, "kicker": ""})
        for language in ("ar", "hi", "ja", "ru", "th")
    ),
    ("solid-emoji", {"design": "solid", "title": "🎉 Bridge is back! 9,482 on day one 🇬🇧🚲", "language": "en"}),
]


@pytest.mark.parametrize(("name", "changes"), GOLDENS, ids=[name for name, _ in GOLDENS])
def test_cards_look_as_they_were_approved(name, changes):
    _, picture = drawn(**changes)
    thumb = picture.resize((160, round(picture.height * 160 / picture.width)), Image.Resampling.BOX)
    path = GOLDEN / f"{name}.png"
    approved = Image.open(path).convert("RGB")
    mean, worst = likeness(thumb, approved)
    if mean > 2.5 or worst > 40:
        thumb.save(path.with_suffix(".now.png"))
    assert mean <= 2.5, f"look at {path.with_suffix('.now.png')}"
    assert worst <= 40


# -- what is shipped -------------------------------------------------------------------------------------------------


def test_fonts_are_small_enough_for_a_repository_and_carry_their_licence():
    files = [p for p in (TEMPLATES / "fonts").iterdir() if p.is_file()]
    assert all(p.stat().st_size < 1_048_576 for p in files)
    assert sum(p.stat().st_size for p in files) < 11_000_000
    assert "SIL OPEN FONT LICENSE Version 1.1" in (TEMPLATES / "fonts" / "OFL.txt").read_text()
    assert cards.missing() == ""


def test_an_installation_without_fonts_or_shaping_says_so(monkeypatch):
    monkeypatch.setattr(fonts, "FONTS", Path("/nowhere"))
    assert cards.missing() == "the fonts are not in /nowhere"
    monkeypatch.setattr(fonts.features, "check", lambda name: False)
    assert cards.missing() == "this Pillow has no raqm, which shapes text"


def test_the_sample_article_is_complete():
    page = (SAMPLE / "index.html").read_text(encoding="utf-8")
    data = json.loads(page.split('<script type="application/ld+json">')[1].split("</script>")[0])
    assert data["headline"] == TITLE
    assert '<link rel="canonical" href="https://example.org/larkhaven/senn-footbridge-reopens">' in page
    with Image.open(SAMPLE / "lead.jpg") as lead:
        assert lead.size == (1920, 1280)
    assert len(LEAD) < 600_000
