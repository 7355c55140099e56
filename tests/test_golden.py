"""Articles of every kind, what is taken from them, and the post each platform gets: as somebody approved them.

``HANDBILL_UPDATE_GOLDEN=1 pytest tests/test_golden.py`` writes them again; read every one that changed before it stays.
"""

import dataclasses
import functools
import json
import os
from pathlib import Path

import pytest
import regex

import publishers
from publishers.core.post import Media
from worker.content import checks, words, write
from worker.content.article import extract
from worker.content.compose import clean, compose, plain
from worker.content.template import load_template
from worker.intake.fetch import read_source
from worker.settings import TEMPLATES

ARTICLES = Path(__file__).parent / "fixtures" / "articles"
SLUGS = sorted(p.name for p in ARTICLES.iterdir())
UPDATE = os.environ.get("HANDBILL_UPDATE_GOLDEN")


@functools.cache
def golden(slug):
    page = read_source(str(next((ARTICLES / slug).glob("page.*"))))
    article = extract(page)
    return article, write(article)


def post(slug, platform, variant=0):
    """The platform's post about an article, with a picture; local pages get the address they might have."""
    article, content = golden(slug)
    link = article.url if article.linkable else f"https://news.example/{slug}"
    alt = Media(path="/p.jpg", sha256="0", mime="image/jpeg", width=1200, height=630, size=1, alt=content.alt)
    return compose(
        article,
        content,
        platform=platform,
        limits=publishers.load(platform).limits,
        template=load_template(platform, TEMPLATES / "posts"),
        link=link,
        media=(alt,),
        variant=variant,
    )


def same(path, found):
    if UPDATE:
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


def check(path, record):
    """Compare with the stored JSON, paths made the same on every machine; or store it."""
    here = json.dumps(dataclasses.asdict(record), ensure_ascii=False, indent=1, default=str)
    here = here.replace((ARTICLES.resolve().parent).as_uri(), "file:///fixtures").replace(
        str(ARTICLES.parent), "/fixtures"
    )
    found = {k: v for k, v in json.loads(here).items() if k not in {"id", "workspace", "folder"}}
    same(path, json.dumps(found, ensure_ascii=False, indent=1) + "\n")


@pytest.mark.parametrize("slug", SLUGS)
def test_an_article_and_what_is_written_about_it_are_as_they_were_approved(slug):
    article, content = golden(slug)
    check(ARTICLES / slug / "article.json", article)
    check(ARTICLES / slug / "content.json", content)


@pytest.mark.parametrize("platform", publishers.names())
@pytest.mark.parametrize("slug", SLUGS)
def test_a_post_is_as_it_was_approved(slug, platform):
    same(ARTICLES / slug / f"{platform}.txt", post(slug, platform).post.text + "\n")


@pytest.mark.parametrize("slug", SLUGS)
def test_nothing_in_any_post_is_invented_cut_or_said_twice(slug):
    article, _ = golden(slug)
    for platform in publishers.names():
        for variant in range(3):
            composed = post(slug, platform, variant)
            text, limits = composed.post.text, publishers.load(platform).limits
            assert limits.fits(text, media=True)
            left = text
            for said in (article.title, *(s.text for s in composed.sentences), article.author, article.site):
                left = left.replace(plain(clean(said)), "", 1)
            for sentence in composed.sentences:
                assert article.text[sentence.source_offset :].startswith(sentence.text)
            for facet in composed.post.facets:
                left = left.replace(text[facet.start : facet.end], "", 1)
            assert regex.sub(r"[\s·]", "", left) == ""
            assert checks.post_warnings(article, text) == ()


@pytest.mark.parametrize("slug", SLUGS)
def test_every_sentence_stands_where_it_says_and_appears_once(slug):
    article, content = golden(slug)
    assert content.sentences
    for sentence in content.sentences:
        assert article.text[sentence.source_offset :][: len(sentence.text)] == sentence.text
    assert len({s.text for s in content.sentences}) == len(content.sentences)


@pytest.mark.parametrize("slug", SLUGS)
def test_a_summary_is_sentences_of_the_article_in_its_order(slug):
    article, content = golden(slug)
    spans = words.sentences(article.text, words.base(article.language))
    said = [article.text[a:b] for a, b in spans]
    for summary in (content.short, content.medium, content.long):
        left = summary
        for sentence in said:
            left = left.removeprefix(sentence).lstrip()
        assert left == ""


@pytest.mark.parametrize("slug", SLUGS)
def test_nothing_of_the_site_is_in_the_text(slug):
    article, content = golden(slug)
    everything = f"{article.text} {content.long} {content.medium} {content.short}".casefold()
    leftovers = "newsletter|cookie|read more|lesen sie auch|à lire aussi|lea también|اقرأ أيضا|あわせて読みたい|相关阅读|devamını oku|©|photo:|foto:|[2]|[3]|[5]|#"
    assert [w for w in leftovers.split("|") if w in everything] == []


def test_reading_the_same_page_twice_gives_the_same_article():
    assert golden("tide-gates") == golden("tide-gates")


def test_a_scraped_article_keeps_its_prose_and_nothing_else():
    article, content = golden("scraped-mess")
    assert article.title == "Quiet Streets: Night trams emerge as an unlikely answer to sleepless cities"
    assert article.tags == ("NightTrams", "UrbanNoise", "PublicTransport", "HealthyCities", "Sleep")
    for lost in (
        "Quiet Streets",
        "trams Quiet",
        "Introduction",
        "In ,",
        "#",
        "[2]",
        "Libraries",
        "Allotment",
        "Rise of",
    ):
        assert lost not in article.text
        assert lost not in content.short + content.medium + content.long
    assert content.hashtags[0] == "NightTrams"
