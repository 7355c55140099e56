"""What is taken for the article on a page, and what is left behind."""

import dataclasses
import json
import os
import textwrap
from datetime import UTC, datetime
from pathlib import Path

import pytest

from worker.content import write
from worker.content.article import extract
from worker.errors import BadSource
from worker.intake.fetch import read_source
from worker.model import Page

SHARED = Path(os.environ.get("HANDBILL_SHARED", Path(__file__).resolve().parents[2] / "shared"))
SCRAPED = SHARED / "data" / "articles" / "ketamine-depression.txt"

PROSE = (
    "The bakery on Mill Lane has bought back its oldest oven from a museum in the north. "
    "It weighs four tonnes and was built in 1911 by a family of bell founders.\n\n"
    "Six bakers carried the stones in by hand because no crane fits into the narrow yard behind the shop. "
    "The first loaves from the old oven are promised for Easter."
)


def html(body="", head="", lang="en"):
    paragraphs = "".join(f"<p>{p}</p>" for p in PROSE.split("\n\n"))
    return Page(
        url="https://news.example/a?utm_source=x",
        kind="html",
        content=f"<!doctype html><html lang={lang!r}><head>{head}</head><body><article>{body or '<h1>Oven comes home</h1>'}{paragraphs}</article></body></html>",
        base="https://news.example/a",
    )


def text(content, kind="text"):
    return Page(url="stdin:1", kind=kind, content=content)


@pytest.mark.skipif(not SCRAPED.exists(), reason="the real scrape is not shipped")
def test_the_real_scrape_gives_its_title_once_its_tags_first_and_no_leftovers():
    article = extract(read_source(str(SCRAPED)))
    content = write(article)
    assert article.title == "Unlocking Hope: Ketamine emerges as a potential game-changer in treating severe depression"
    assert content.hashtags[:3] == ("Ketamine", "DepressionTreatment", "MentalHealth")
    said = " ".join([article.text, content.short, content.medium, content.long, *(s.text for s in content.sentences)])
    for lost in ("Unlocking Hope", "In ,", "#", "[5]", "Alzheimer", "Childhood TV", "Introduction", "The Rise of"):
        assert lost not in said


def test_the_title_is_the_headline_without_the_name_of_the_site():
    head = "<title>Oven comes home | The Crumb</title><meta property='og:site_name' content='The Crumb'>"
    assert extract(html("<div></div>", head)).title == "Oven comes home"
    assert (
        extract(html("<div></div>", "<title>Oven comes home - The Crumb</title>" + head[36:])).title
        == "Oven comes home"
    )
    assert extract(html("<h1>Salt, fire and a four-tonne oven</h1>")).title == "Salt, fire and a four-tonne oven"


def test_the_address_is_the_canonical_one_without_tracking():
    canonical = "<link rel=canonical href='{}'>"
    for declared, address in (
        ("https://News.example:443/b?id=7&utm_medium=mail&fbclid=1&gclid=2#top", "https://news.example/b?id=7"),
        ("/b?mc_cid=1", "https://news.example/b"),
        ("http://news.example/a", "https://news.example/a"),
        ("https://original.example/a", "https://original.example/a"),
        ("https://news.example/", "https://news.example/a"),
        ("javascript:alert(1)", "https://news.example/a"),
        ("", "https://news.example/a"),
    ):
        assert extract(html("<h1>Oven comes home</h1>", canonical.format(declared))).url == address, declared


def test_two_ways_to_one_article_are_one_article():
    page = html()
    other = dataclasses.replace(page, url="https://news.example/a?utm_campaign=spring&gclid=3#comments")
    assert extract(page).id == extract(other).id
    assert extract(page, workspace="north").id.startswith("north.")
    assert extract(page, workspace="north").id != extract(page).id


def test_what_the_page_says_of_itself_is_read_from_json_ld_and_meta():
    data = {
        "@context": "https://schema.org",
        "@graph": [
            {"@type": "Organization", "name": "Crumb Media"},
            {
                "@type": ["NewsArticle"],
                "headline": "Oven comes home",
                "author": [{"name": "Ada Byron"}, {"name": "Kofi Mensah"}],
                "publisher": {"name": "The Crumb"},
                "datePublished": "2025-04-02T08:00:00+02:00",
                "image": [{"url": "/oven.jpg"}],
                "keywords": ["bread", "old ovens"],
            },
        ],
    }
    head = f"<script type='application/ld+json'>{json.dumps(data)}</script><script type='application/ld+json'>{{broken</script>"
    article = extract(html(head=head))
    assert (article.author, article.site) == ("Ada Byron, Kofi Mensah", "The Crumb")
    assert article.published_at == datetime.fromisoformat("2025-04-02T08:00:00+02:00")
    assert article.image == "https://news.example/oven.jpg"
    assert article.tags == ("bread", "old ovens")


def test_what_stands_before_an_authors_name_is_no_part_of_it():
    for head in ("By", "Opinion by", "Words by"):
        assert (
            extract(html(head=f'<meta name="author" content="{head} Beatriz Caldeira">')).author == "Beatriz Caldeira"
        )


@pytest.mark.parametrize("author", ["प्रिया मिश्रा", "高橋健", "สมชาย ใจดี", "ليلى الحسنً"])
def test_an_author_keeps_every_sign_of_the_name(author):
    assert extract(html(head=f'<meta name="author" content="{author}">')).author == author


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2025-04-02", datetime(2025, 4, 2, tzinfo=UTC)),
        ("2025-04-02T08:00:00", datetime(2025, 4, 2, 8, tzinfo=UTC)),
        ("2025-04-02T08:00:00Z", datetime(2025, 4, 2, 8, tzinfo=UTC)),
        ("0001-01-01T00:00:00", None),
        ("yesterday", None),
    ],
)
def test_a_date_is_an_instant_or_none(written, moment):
    head = f"<meta property='article:published_time' content='{written}'>"
    assert extract(html(head=head)).published_at == moment


def test_the_lead_picture_is_the_declared_one_or_the_first_that_is_no_ornament():
    images = "<h1>Oven comes home</h1><img src='/logo.png'><img src='data:image/gif;base64,x'><img src='/i/oven.jpg?w=9' alt='A brick oven in a yard'>"
    article = extract(html(images))
    assert (article.image, article.image_alt) == ("https://news.example/i/oven.jpg?w=9", "A brick oven in a yard")
    article = extract(html(images, "<meta property='og:image' content='https://cdn.example/i/oven.jpg'>"))
    assert (article.image, article.image_alt) == ("https://cdn.example/i/oven.jpg", "A brick oven in a yard")
    for alt in ("IMG_2041.jpg", "Oven comes home", "oven"):
        assert extract(html(images.replace("A brick oven in a yard", alt))).image_alt == ""


def test_a_picture_of_a_local_page_is_beside_it_or_on_its_site(tmp_path):
    path = tmp_path / "a.html"
    for src, image in (
        ("i/oven.jpg", str(tmp_path / "i/oven.jpg")),
        ("/etc/passwd.jpg", ""),
        ("file:///etc/passwd.jpg", ""),
        ("//cdn.example/o.jpg", "https://cdn.example/o.jpg"),
    ):
        path.write_text(html(f"<h1>Oven comes home</h1><img src='{src}' alt='A brick oven'>").content)
        article = extract(read_source(str(path)))
        assert article.image == image
        assert article.url == path.as_uri()
    head = "<link rel=canonical href='https://news.example/b/'>"
    path.write_text(html("<h1>Oven comes home</h1><img src='/o.jpg'>", head).content)
    article = extract(read_source(str(path)))
    assert (article.url, article.image) == ("https://news.example/b/", "https://news.example/o.jpg")


@pytest.mark.parametrize(
    ("body", "lang", "found"),
    [
        (PROSE, "en-GB", "en"),
        (PROSE, "", "en"),
        (PROSE, "ar", "en"),
        (PROSE, "de", "en"),
        ("Der alte Ofen steht wieder in der Backstube an der Mühle. " * 8, "en", "de"),
        ("Пекарня на Мельничной улице выкупила свою самую старую печь у музея. " * 8, "en", "ru"),
    ],
)
def test_the_language_is_the_declared_one_if_the_text_can_be_in_it(body, lang, found):
    page = text(body)
    if lang:
        page = Page(
            url="https://a.example/x",
            kind="html",
            content=f"<html lang='{lang}'><body><article><h1>1911</h1><p>{body}</p></article></body></html>",
        )
    assert extract(page).language == found


def test_markdown_is_read_without_its_marks():
    article = extract(
        text(
            f"# Oven *comes* home\n\n![A brick oven](oven.jpg)\n\n{PROSE}\n\n## Later\n\nSee [the **archive**](https://a.example/x_y_z) for `more` of the story, says the baker.\n\n"
            "| a | b |\n|---|---|\n\n```\ncode = 1\n```\n\n- first of all, flour\n- then water\n\nEnough was said about bread. #bread #OldOvens",
            "markdown",
        )
    )
    assert article.title == "Oven comes home"
    assert article.headings == ("Later",)
    assert article.tags == ("bread", "OldOvens")
    assert "See the archive for more of the story, says the baker." in article.text
    assert article.text.endswith("first of all, flour\n\nthen water\n\nEnough was said about bread.")
    for mark in ("#", "*", "`", "](", "code", "|"):
        assert mark not in article.text


def test_plain_text_broken_into_lines_is_joined_and_long_lines_are_paragraphs():
    wrapped = "\n\n".join(textwrap.fill(p, 60) for p in PROSE.split("\n\n"))
    assert extract(text(f"Oven comes home\n\n{wrapped}")).text == PROSE
    article = extract(text(f"Oven comes home\n{PROSE}"))
    assert (article.title, article.text) == ("Oven comes home", PROSE)


def test_text_without_a_title_is_named_by_its_first_sentence():
    title = extract(text(PROSE)).title
    assert title == "The bakery on Mill Lane has bought back its oldest oven from a museum in the north"


@pytest.mark.parametrize(
    "line",
    [
        "By Ada Byron",
        "By Ada Byron and Kofi Mensah, food editors",
        "Read more: Ten ovens worth a journey",
        "Related: Ten ovens worth a journey",
        "Subscribe to our newsletter for a loaf a week.",
        "Sign up for our newsletter.",
        "Photo: Kofi Mensah",
        "© 2025 The Crumb",
        "Share this article",
        "5 min read",
        "12 comments",
        "April 2, 2025",
        "Advertisement",
        "We use cookies to improve your visit.",
        "https://news.example/other",
        "press@news.example",
        "Oven comes home",
        "oven Oven comes home",
        "#bread #ovens[5]",
    ],
)
def test_a_line_of_the_site_is_left_out_wherever_it_stands(line):
    first, second = PROSE.split("\n\n")
    article = extract(text(f"Oven comes home\n\n{line}\n\n{first}\n\n{line}\n\n{second}\n\n{line}"))
    assert article.text == PROSE
    assert article.headings == ()


@pytest.mark.parametrize(
    ("label", "links"),
    [
        (
            "DON'T MISS",
            "Old oven, new trouble [VIDEO]| What the founders left behind them and why nobody asked [PICTURES]",
        ),
        ("Tags", "bakery ovens 1911, bell founders, mill lane bakery, easter loaves, museum of the north, oldest oven"),
    ],
)
def test_what_a_label_announces_goes_with_it_and_the_next_sentence_stays(label, links):
    body = f"<h1>Oven comes home</h1><p>It cost nine hundred pounds.</p><p>{label}</p><p>{links}</p>"
    assert extract(html(body)).text == "It cost nine hundred pounds.\n\n" + extract(html()).text


@pytest.mark.parametrize(
    "offer",
    [
        "Sign up for our free newsletter and have it delivered to your inbox before six, with a loaf of the week.",
        "Read all of it with a free trial: use the code OVEN, and the first four weeks of the book of loaves are a gift.",
    ],
)
def test_a_text_that_sells_is_left_out_however_long_it_is(offer):
    assert extract(html(f"<h1>Oven comes home</h1><p>{offer}</p>")).text == extract(html()).text


def test_a_press_release_ends_before_its_publisher_presents_itself():
    own = "<p>Lantern is a maker of lamps with offices in nine towns. Its lamps have been lit since 1911.</p>"
    site = '<meta property="og:site_name" content="Lantern.example">'
    page = html(head=site)
    ended = dataclasses.replace(page, content=page.content.replace("</article>", f"{own}</article>"))
    assert extract(ended).text == extract(page).text
    other = dataclasses.replace(
        page, content=page.content.replace("</article>", f"{own.replace('Lantern', 'Oven')}</article>")
    )
    assert extract(other).text.endswith("lit since 1911.")


def test_what_opens_over_a_name_is_no_part_of_the_sentence():
    card = "<span class='rollover-block'><a href='/x'>Six more stories of hers</a></span>"
    body = (
        f"<h1>Oven comes home</h1><p>The oven was found by <span>Ada Miller{card}</span>, who lives in the north.</p>"
    )
    assert extract(html(body)).text.startswith("The oven was found by Ada Miller, who lives in the north.")


@pytest.mark.parametrize(
    "line",
    [
        "Home ovens cannot reach the heat that this one holds for a day.",
        "Related crafts died out in the same years, and few people noticed.",
        "By noon the yard was full of neighbours with cameras.",
        "The © sign on the oven door is older than the law behind it, says the baker.",
        "In 2019, the museum had offered the oven to three other towns.",
    ],
)
def test_a_sentence_that_only_begins_like_one_of_the_site_stays(line):
    assert line in extract(text(f"Oven comes home\n\n{PROSE}\n\n{line}\n\n{PROSE[:84]} Twice.")).text


def test_footnotes_broken_sentences_and_datelines_go_and_the_rest_of_the_paragraph_stays():
    article = extract(
        text(
            "Oven comes home\n\nMILL LANE — The oven is back.[12] In , it was sold. It cost one pound¹ and a promise [note 3] that was kept.\n\n"
            + PROSE
        )
    )
    assert article.text.startswith("The oven is back. It cost one pound and a promise that was kept.")


@pytest.mark.parametrize("place", ["HANOI, Vietnam (AP) — ", "Dekalb, Ill. — ", "San Rafael, Calif. – "])
def test_where_a_report_was_written_is_no_part_of_its_first_sentence(place):
    assert extract(text(f"Oven comes home\n\n{place}{PROSE}")).text == PROSE


def test_headings_and_other_posts_titles_are_told_apart():
    article = extract(
        text(
            f"Oven comes home\n\nA long way\n\n{PROSE}\n\nTen ovens worth a journey\n\nWhy salt is sold in bags\n\nThe end of rye"
        )
    )
    assert article.headings == ("A long way",)
    assert article.text == PROSE


@pytest.mark.parametrize(
    "page",
    [
        text("Too short to be an article."),
        text("\n\n".join(f"Headline number {n} about something else" for n in range(40))),
        Page(
            url="https://a.example/",
            kind="html",
            content="<html><body><form>Log in <input type=password></form></body></html>",
        ),
        Page(
            url="https://a.example/",
            kind="html",
            content="<html><body><ul>"
            + "".join(f"<li><a href='/{n}'>Story number {n} of the day</a></li>" for n in range(60))
            + "</ul></body></html>",
        ),
        Page(url="https://a.example/", kind="html", content="<<<>>>"),
        Page(url="https://a.example/", kind="html", content="<script>window.app()</script><div id=root></div>"),
        text("# \n\n![](a.png)", "markdown"),
    ],
)
def test_what_is_no_article_is_refused_in_one_line(page):
    with pytest.raises(BadSource, match="is no article") as caught:
        extract(page)
    assert "\n" not in str(caught.value)


NOTICE = (
    "All ferries between Velden and Tarbay are cancelled until Thursday noon because of the storm, the company says."
)


def notice(head):
    body = f"<body><main><h1>Ferries cancelled</h1><p>{NOTICE}</p></main></body>"
    return Page(url="https://news.example/a", kind="html", content=f"<html lang=en><head>{head}</head>{body}</html>")


@pytest.mark.parametrize(
    "page",
    [
        text(f"# Ferries cancelled\n\n{NOTICE}", "markdown"),
        text(f"Ferries cancelled\n\n{NOTICE}"),
        notice("<meta property='og:type' content='article'>"),
        notice('<script type="application/ld+json">{"@type": "NewsArticle", "headline": "Ferries cancelled"}</script>'),
    ],
)
def test_a_brief_is_an_article_if_it_says_that_it_is_one(page):
    article = extract(page)
    assert (article.title, article.text) == ("Ferries cancelled", NOTICE)
    assert write(article).short == NOTICE


def test_who_is_refused_is_told_what_helps():
    with pytest.raises(BadSource, match="og:type article"):
        extract(notice(""))
    with pytest.raises(BadSource, match="at least one whole sentence"):
        extract(text("# Ferries cancelled\n\nUntil Thursday", "markdown"))


def test_a_label_is_no_part_of_the_sentence_behind_it():
    article = extract(
        html(
            f"<h1>Oven comes home</h1><p>{PROSE} A YouTube film shows it.</p>"
            "<p><strong>Ingredients</strong><br>Mix flour, water and salt until the dough is smooth.</p>"
            "<ul><li><b>Oven heat</b>Heat it to 240 degrees before the loaf goes in.</li>"
            "<li><div>Flour</div><div>Use the strong kind from the mill on the quay.</div></li></ul>"
            "<p>YouTube has a film of the fair<br>that lasts an hour.</p>"
        )
    )
    for sentence in (
        "Mix flour, water and salt until the dough is smooth.",
        "Heat it to 240 degrees before the loaf goes in.",
        "Use the strong kind from the mill on the quay.",
        "YouTube has a film of the fair that lasts an hour.",
    ):
        assert sentence in article.text.split("\n\n")
    assert {"Ingredients", "Oven heat", "Flour"} <= set(article.headings)


def test_entities_in_markdown_are_characters():
    assert extract(text(f"# Salt &amp; rye\n\n{PROSE}", "markdown")).title == "Salt & rye"


def test_a_hostile_page_is_read_in_reasonable_time_and_without_an_accident():
    for content in (
        "<div>" * 5000 + PROSE,
        "<p>" + "a " * 200_000 + "</p>",
        "<p>" + "(((" * 20_000 + "</p>",
        "<p>" + "# [1] " * 20_000,
    ):
        page = Page(
            url="https://a.example/", kind="html", content=f"<html><body><article>{content}</article></body></html>"
        )
        try:
            write(extract(page))
        except BadSource:
            continue


def test_a_page_of_nothing_but_nesting_is_refused_without_a_line_in_the_log(capfd):
    page = Page(
        url="https://example.org/deep/page", kind="html", content="<div>" * 300_000, base="https://example.org/"
    )
    with pytest.raises(BadSource, match=r"^https://example\.org/deep/page is no article: "):
        extract(page)
    assert capfd.readouterr() == ("", "")


def test_addresses_that_are_none_do_not_fail_the_page():
    head = "<link rel=canonical href='http://[5]/'><meta property='og:image' content='https://[x/y.jpg'>"
    article = extract(html("<h1>Oven comes home</h1><img src='http://[::/o.jpg'>", head))
    assert (article.url, article.image) == ("https://news.example/a", "")
