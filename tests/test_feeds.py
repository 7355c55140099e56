"""Feeds in every dialect and every kind of broken: what is understood, and what is refused in one line."""

from __future__ import annotations

import gzip
import itertools
import json
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.paper import Entry, atom, json_feed, rss
from worker.errors import BadSource
from worker.intake import feeds
from worker.intake.feeds import NoFeed, moment, open_hour, read, rhythm

URL = "https://lantern.example/feed"
BASE = "https://lantern.example"
WHEN = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)


def only(text, url=URL):
    body = text if isinstance(text, bytes) else text.encode()
    (entry,) = read(body, url).entries
    return entry


ENTRIES = [
    Entry("/a", "Tide & gates", "17", WHEN, ("Harbour", "Sport"), "Ada Lovelace"),
    Entry("/b?x=1&y=2", "Second", "18", WHEN.replace(hour=8)),
]


def test_half_a_character_in_a_json_feed_loses_no_other_entry():
    items = [{"id": "1\ud83d", "url": f"{BASE}/a\ud83d", "title": "Cut \ud83d"}, {"id": "2", "url": f"{BASE}/b"}]
    feed = read(json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": items}).encode(), URL)
    assert [(e.guid, e.address) for e in feed.entries] == [("1\ufffd", f"{BASE}/a\ufffd"), ("2", f"{BASE}/b")]


@pytest.mark.parametrize(("write", "dialect"), [(rss, "rss"), (atom, "atom"), (json_feed, "json")])
def test_every_dialect_says_the_same(write, dialect):
    feed = read(write(BASE, ENTRIES).encode(), URL)
    assert (feed.dialect, feed.title, feed.without) == (dialect, "The Lantern", 0)
    first, second = feed.entries
    assert (first.address, first.title, first.guid, first.published) == (f"{BASE}/a", "Tide & gates", "17", WHEN)
    assert first.tags == ("Harbour", "Sport")
    assert second.address == f"{BASE}/b?x=1&y=2"


def test_rss_0_9_and_1_0_have_their_items_beside_the_channel():
    for space in ("http://purl.org/rss/1.0/", "http://my.netscape.com/rdf/simple/0.9/"):
        feed = read(
            f"""<?xml version="1.0"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="{space}"
            xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="x"><title>The Lantern</title>
            <link>{BASE}/</link></channel><item rdf:about="{BASE}/a"><title>A</title><link>{BASE}/a</link>
            <dc:date>2026-11-25T10:30+01:00</dc:date><dc:creator>Ada</dc:creator><dc:subject>Sea</dc:subject></item>
            </rdf:RDF>""".encode(),
            URL,
        )
        (entry,) = feed.entries
        assert (feed.title, entry.address, entry.published) == ("The Lantern", f"{BASE}/a", WHEN)
        assert (entry.author, entry.tags, entry.guid) == ("Ada", ("Sea",), f"{BASE}/a")


def test_rss_0_91_has_neither_guid_nor_date():
    entry = only(f"<rss version='0.91'><channel><item><title>A</title><link>{BASE}/a</link></item></channel></rss>")
    assert (entry.address, entry.guid, entry.published) == (f"{BASE}/a", "", None)


def test_atom_0_3_and_xhtml_titles_and_bases_are_read():
    entry = only(
        """<feed version="0.3" xmlns="http://purl.org/atom/ns#" xml:lang="de" xml:base="https://lantern.example/blog/">
        <entry><title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">Die <b>Flut</b></div></title>
        <link rel="edit" href="https://lantern.example/edit"/><link rel="alternate" type="text/html" href="flut"/>
        <id>tag:lantern.example,2026:1</id><issued>2026-11-25T09:30:00Z</issued><modified>2026-11-25T11:00:00Z</modified>
        <author><name>Ada</name><email>ada@lantern.example</email></author></entry></feed>"""
    )
    assert (entry.address, entry.title, entry.language) == ("https://lantern.example/blog/flut", "Die Flut", "de")
    assert (entry.published, entry.updated, entry.author) == (WHEN, WHEN.replace(hour=11, minute=0), "Ada")


def test_a_news_sitemap_and_an_index_of_them():
    entry = only(
        """<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
        xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"><url><loc>https://lantern.example/a</loc>
        <lastmod>2026-11-25</lastmod><news:news><news:publication><news:name>L</news:name><news:language>en</news:language>
        </news:publication><news:publication_date>2026-11-25T09:30:00Z</news:publication_date><news:title>A</news:title>
        <news:keywords>Sea, Storm</news:keywords></news:news></url></urlset>"""
    )
    assert (entry.title, entry.language, entry.published, entry.tags) == ("A", "en", WHEN, ("Sea", "Storm"))
    index = read(
        b"""<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
        <sitemap><loc>/pages.xml</loc><lastmod>2026-11-25</lastmod></sitemap>
        <sitemap><loc>/old.xml</loc><lastmod>2020-01-01</lastmod></sitemap>
        <sitemap><loc>/news.xml</loc></sitemap></sitemapindex>""",
        URL,
    )
    assert index.parts == (f"{BASE}/news.xml", f"{BASE}/pages.xml", f"{BASE}/old.xml")


@pytest.mark.parametrize(
    ("item", "address"),
    [
        ("<guid>https://lantern.example/g</guid>", f"{BASE}/g"),
        ("<guid isPermaLink='false'>https://lantern.example/g</guid>", ""),
        ("<link><![CDATA[https://lantern.example/c?a=1&b=2]]></link>", f"{BASE}/c?a=1&b=2"),
        ("<link>https://lantern.example/c?a=1&b=2</link>", f"{BASE}/c?a=1&b=2"),
        ("<link>/relative</link>", f"{BASE}/relative"),
        ("<link>\n  https://lantern.example/a\n</link>", f"{BASE}/a"),
        ("<atom:link href='/undeclared' rel='alternate'/>", f"{BASE}/undeclared"),
        (
            "<link>https://feeds.example/~r/1</link><feedburner:origLink>https://lantern.example/o</feedburner:origLink>",
            f"{BASE}/o",
        ),
        ("<link>javascript:alert(1)</link>", ""),
        ("<link>mailto:ada@lantern.example</link>", ""),
        ("<link></link>", ""),
    ],
)
def test_an_item_s_address_is_found_where_feeds_put_it(item, address):
    feed = read(f"<rss><channel><link>{BASE}/</link><item><title>x</title>{item}</item></channel></rss>".encode(), URL)
    assert [e.address for e in feed.entries] == ([address] if address else [])
    assert feed.without == (not address)


@pytest.mark.parametrize(
    ("title", "plain"),
    [
        ("Tom &amp; Jerry", "Tom & Jerry"),
        ("Tom & Jerry", "Tom & Jerry"),
        ("<![CDATA[Tom & Jerry]]>", "Tom & Jerry"),
        ("&lt;b&gt;Bold&lt;/b&gt; news", "Bold news"),
        ("Caf&eacute; &nbsp;&hellip;", "Café …"),
        ("Caf&amp;eacute;", "Café"),
        ("&#8220;Quoted&#8221; &unknown;", "“Quoted” &unknown;"),
        ("a\x00b\x08c", "abc"),
        ("5 < 6 and 7 > 6", "5 < 6 and 7 > 6"),
    ],
)
def test_titles_are_plain_text_however_they_were_written(title, plain):
    item = f"<item><link>{BASE}/a</link><title>{title}</title></item>"
    assert only(f"<rss><channel>{item}</channel></rss>").title == plain


@pytest.mark.parametrize(
    ("author", "name"),
    [
        ("ada@lantern.example (Ada Lovelace)", "Ada Lovelace"),
        ("Ada &lt;ada@lantern.example&gt;", "Ada"),
        ("ada@lantern.example", ""),
        ("Ada Lovelace", "Ada Lovelace"),
    ],
)
def test_an_author_is_a_name_and_never_an_address(author, name):
    item = f"<item><link>{BASE}/a</link><author>{author}</author></item>"
    assert only(f"<rss><channel>{item}</channel></rss>").author == name


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("Wed, 25 Nov 2026 09:30:00 GMT", WHEN),
        ("Wed, 25 Nov 2026 10:30:00 CET", WHEN),
        ("25 Nov 2026 10:30 +0100", WHEN),
        ("2026-11-25T09:30:00.000Z", WHEN),
        ("2026-11-25T10:30:00+01:00", WHEN),
        ("2026-11-25 10:30:00 +0100", WHEN),
        ("2026-11-25T09:30", WHEN),
        ("2026-11-25 09:30:00 Uhr", WHEN),
        ("2026-11-25", WHEN.replace(hour=0, minute=0)),
        ("", None),
        ("yesterday", None),
        ("0001-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("2026-13-45", None),
        ("1" * 5000, None),
    ],
)
def test_dates_of_any_spelling(text, instant):
    assert moment(text) == instant


def test_what_a_feed_asks_of_its_readers():
    extra = (
        "<ttl>90</ttl><skipHours><hour>1</hour><hour>24</hour><hour>x</hour></skipHours>"
        "<skipDays><day>Saturday</day><day>Never</day></skipDays>"
        "<atom:link xmlns:atom='http://www.w3.org/2005/Atom' rel='hub' href='https://hub.example/'/>"
        "<atom:link xmlns:atom='http://www.w3.org/2005/Atom' rel='self' href='/feed?x'/>"
        "<cloud domain='rpc.example' port='80' path='/notify' registerProcedure='' protocol='http-post'/>"
    )
    feed = read(rss(BASE, ENTRIES, extra).encode(), URL)
    assert (feed.ttl, feed.skip_hours, feed.skip_days) == (5400, {1, 0}, {5})
    assert (feed.hub, feed.topic, feed.cloud) == (
        "https://hub.example/",
        f"{BASE}/feed?x",
        "http://rpc.example:80/notify",
    )
    assert open_hour(feed, datetime(2026, 11, 27, 23, 50, tzinfo=UTC)) == datetime(2026, 11, 27, 23, 50, tzinfo=UTC)
    assert open_hour(feed, datetime(2026, 11, 28, 0, 10, tzinfo=UTC)) == datetime(2026, 11, 29, 2, 0, tzinfo=UTC)
    period = "<sy:updatePeriod>hourly</sy:updatePeriod><sy:updateFrequency>2</sy:updateFrequency>"
    assert read(rss(BASE, [], period).encode(), URL).ttl == 1800
    assert rhythm(feed) == 3600


def test_a_feed_that_forbids_every_hour_is_asked_all_the_same():
    hours = "".join(f"<hour>{h}</hour>" for h in range(24))
    assert open_hour(read(rss(BASE, [], f"<skipHours>{hours}</skipHours>").encode(), URL), WHEN) == WHEN


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252", "koi8-r"])
def test_encodings_are_read_as_declared_or_marked(encoding):
    title = "Прилив" if encoding == "koi8-r" else "Flût à Łódź" if encoding.startswith("utf") else "Flût à Köln"
    text = f'<?xml version="1.0" encoding="{encoding}"?><rss><channel><item><link>{BASE}/a</link><title>{title}</title></item></channel></rss>'
    assert only(text.encode(encoding)).title == title


def test_a_sitemap_that_is_a_packed_file_is_read_and_a_bomb_is_not():
    text = f"<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'><url><loc>{BASE}/a</loc></url></urlset>"
    assert only(gzip.compress(text.encode())).address == f"{BASE}/a"
    for packed, why in (
        (gzip.compress(bytes(20_000_000), 1), "more than 5 MB"),
        (gzip.compress(b"<rss>")[:-3], "cut off"),
    ):
        with pytest.raises(NoFeed, match=why):
            read(packed, URL)


def test_a_wrong_declaration_is_no_harm():
    text = f'<?xml version="1.0" encoding="us-ascii"?><rss><channel><item><link>{BASE}/a</link><title>Łódź</title></item></channel></rss>'
    assert only(text).title == "Łódź"


BROKEN = {
    "cut in the middle": rss(BASE, ENTRIES)[:-60],
    "text before it": "\n\n  " + rss(BASE, ENTRIES),
    "an undeclared prefix": rss(BASE, ENTRIES)
    .replace("xmlns:dc='http://purl.org/dc/elements/1.1/'", "")
    .replace('xmlns:dc="http://purl.org/dc/elements/1.1/"', ""),
    "an element that is not closed": rss(BASE, ENTRIES).replace("</channel>", "<oops>"),
    "signs that XML forbids": rss(BASE, ENTRIES).replace("Second", "Sec\x0b\x1fond"),
    "text after it": rss(BASE, ENTRIES) + "<!-- cached --> <p>",
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_feed_is_read_as_far_as_it_goes(how):
    assert f"{BASE}/a" in [e.address for e in read(BROKEN[how].encode(), URL).entries]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "<",
        "<!doctype html><html><body>Not a feed</body></html>",
        "{}",
        '{"version": "https://jsonfeed.org/version/1", "items": ' + "[" * 100_000,
        "[1, 2, 3]",
        '{"version": 7, "items": []}',
        "<rss></rss>",
        "<svg xmlns='http://www.w3.org/2000/svg'/>",
        "\0\0\0\0",
        "%PDF-1.7",
        "<?xml version='1.0'?>",
    ],
)
def test_what_is_no_feed_is_refused_in_one_line(text):
    with pytest.raises(NoFeed) as caught:
        read(text.encode(), URL)
    assert "\n" not in str(caught.value)


def laughs():
    names = "abcdefghij"
    rows = "".join(f"<!ENTITY {b} '{('&' + a + ';') * 10}'>" for a, b in itertools.pairwise(names))
    return f"<?xml version='1.0'?><!DOCTYPE r [<!ENTITY a 'ha'>{rows}]><rss><channel><item><link>{BASE}/a</link><title>&j;</title></item></channel></rss>"


HOSTILE = {
    "a billion laughs": laughs(),
    "laughs in parameters": "<!DOCTYPE r [<!ENTITY % a 'x'><!ENTITY % b '%a;%a;%a;'>%b;]>" + rss(BASE, ENTRIES),
    "a file of ours": "<!DOCTYPE r [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" + rss(BASE, [Entry("/a", "&x;")]),
    "a document type elsewhere": "<!DOCTYPE r SYSTEM 'http://169.254.169.254/x.dtd'>" + rss(BASE, ENTRIES),
    "200,000 levels": "<rss><channel>" + "<item>" * 200_000,
    "two million <": f"<rss><channel><item><link>{BASE}/a</link><title>" + "<" * 2_000_000,
    "a million &": f"<rss><channel><item><link>{BASE}/a</link><title>" + "&" * 1_000_000,
    "half a million &a": f"<rss><channel><item><link>{BASE}/a</link><title>" + "&a" * 500_000,
    "200,000 attributes": "<rss " + " ".join(f"a{n}='x'" for n in range(200_000)) + "><channel/></rss>",
    "a document type without end": "<!DOCTYPE r [" + "[" * 1_000_000,
    "a title that is markup": f"<rss><channel><item><link>{BASE}/a</link><title>"
    + "&lt;b&gt;" * 300_000
    + "</title></item></channel></rss>",
    "200,000 items": "<rss><channel>" + f"<item><link>{BASE}/a</link></item>" * 100_000 + "</channel></rss>",
    "a CDATA without end": "<rss><channel><item><title><![CDATA[" + "]]" * 1_000_000,
    "200,000 categories": f"<rss><channel><item><link>{BASE}/a</link>" + "<category>x</category>" * 150_000,
}


@pytest.mark.parametrize("how", HOSTILE)
def test_a_hostile_feed_costs_little_and_tells_nothing(how):
    begun = time.process_time()
    try:
        feed = read(HOSTILE[how].encode(), URL)
    except NoFeed:
        feed = None
    assert time.process_time() - begun < 5
    if feed is not None:
        said = str(feed)
        assert "root:" not in said
        assert "haha" not in said
        assert len(feed.entries) <= feeds.MOST_ENTRIES
        assert all(len(e.title) <= 500 and len(e.tags) <= feeds.MOST_TAGS for e in feed.entries)


def test_more_than_five_megabytes_are_not_even_parsed():
    with pytest.raises(NoFeed, match="5 MB"):
        read(b" " * 5_000_001, URL)


PIECES = st.sampled_from(
    ["<rss>", "<channel>", "<item>", "</item>", "<link>", "</link>", "<title>", "https://lantern.example/a", "<![CDATA[", "]]>",
     "&amp;", "&", "&#xD800;", "&#0;", "<feed xmlns='http://www.w3.org/2005/Atom'>", "<entry>", "<!DOCTYPE x [", "<!ENTITY a 'b'>", "]>",
     "{", '"version":"https://jsonfeed.org/version/1"', '"items":[', "]", "}", "\0", "\ud7ff", "<urlset>", "<url>", "<loc>", "<?xml version='1.0'?>"]
)  # fmt: skip


def survives(body):
    try:
        feed = read(body, URL)
    except BadSource as error:
        feed, line = None, str(error)
    if feed is None:
        assert "\n" not in line
        return
    assert all(e.address.startswith(("http://", "https://")) for e in feed.entries)


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.binary(max_size=400), st.lists(PIECES, max_size=40).map(lambda p: "".join(p).encode())))
def test_no_bytes_are_more_than_a_feed_or_one_line(body):
    survives(body)


@pytest.mark.nightly
@settings(max_examples=10_000, deadline=None)
@given(st.one_of(st.binary(max_size=4000), st.lists(PIECES, max_size=400).map(lambda p: "".join(p).encode())))
def test_ten_thousand_feeds_of_any_bytes_are_more_than_no_feed_or_one_line(body):
    survives(body)


@settings(max_examples=40, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=9), lambda c: st.lists(c, max_size=4) | st.dictionaries(
    st.sampled_from(["items", "id", "url", "title", "tags", "authors", "author", "name", "hubs", "type", "language", "date_published"]), c, max_size=6
)))  # fmt: skip
def test_a_json_feed_may_hold_anything_anywhere(value):
    found = value if isinstance(value, dict) else {"items": value}
    survives(json.dumps({**found, "version": "https://jsonfeed.org/version/1.1"}).encode())
