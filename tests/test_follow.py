"""Following a site: its feeds found from any page, what would be taken, its rules, and all of it by page and command."""

from __future__ import annotations

import json
import re
import sys

import pytest

from tests.newsroom import KEY, sign_in
from tests.paper import Entry, House, Paper, rss
from tests.test_access import Browser
from web.app import create_app
from worker import cli
from worker.errors import BadSource, HandbillError, NotFound, Refused
from worker.intake import rules
from worker.intake.model import Candidate, Fate, Kind, Rules
from worker.intake.robots import Robots
from worker.intake.rules import Facts
from worker.pipeline.follow import Follow
from worker.settings import settings


@pytest.fixture
def paper():
    site = Paper()
    site.pages["/feed"] = rss(site.base, [Entry("/a", "Tide gates", tags=("Sport",)), Entry("/b", "Ferry")])
    site.write("/a", "tide gates")
    site.write("/b", "ferry")
    yield site
    site.close()


@pytest.fixture
def house(server, tmp_path, paper):
    made = House(server, tmp_path, paper)
    yield made
    made.close()


@pytest.fixture
def follow(house):
    made = Follow(house.parts)
    yield made
    made.close()


def page(*links):
    return f"<!doctype html><head>{''.join(links)}</head><body><p>News</p></body>"


def test_a_feed_is_found_from_a_page_that_names_it_and_comments_are_not_one(follow, paper):
    paper.pages["/comments/feed"] = rss(paper.base, [])
    paper.pages["/news"] = page(
        '<link rel="alternate" type="application/rss+xml" title="Comments" href="/comments/feed">',
        "<link rel=alternate type='application/rss+xml' href='/feed'>",
        '<link rel="alternate" hreflang="de" href="/de">',
    )
    (found,) = follow.discover(paper.base + "/news")
    assert (found.address, found.feed.title, found.kind) == (paper.base + "/feed", "The Lantern", Kind.FEED)


def test_a_page_that_names_a_feed_at_no_address_is_asked_for_its_others(follow, paper):
    paper.pages["/news"] = page(
        '<link rel="alternate" type="application/rss+xml" href="http://[bad">',
        '<link rel="alternate" type="application/rss+xml" href="file:///etc/passwd">',
        '<link rel="alternate" type="application/rss+xml" href="/feed">',
    )
    (found,) = follow.discover(paper.base + "/news")
    assert found.address == paper.base + "/feed"


def test_a_feed_is_found_where_feeds_usually_are_if_no_page_names_it(follow, paper):
    paper.pages["/"] = page()
    paper.pages["/atom.xml"] = "<feed xmlns='http://www.w3.org/2005/Atom'><title>Atom</title></feed>"
    found = follow.discover(paper.base + "/")
    assert [f.address.removeprefix(paper.base) for f in found] == ["/feed/", "/atom.xml"]


def test_the_address_of_a_feed_is_one(follow, paper):
    assert [f.address for f in follow.discover(paper.base + "/feed")] == [paper.base + "/feed"]


@pytest.mark.parametrize("address", ["/none", "/a"])
def test_where_there_is_no_feed_one_line_says_so(follow, paper, address):
    del paper.pages["/feed"]
    with pytest.raises(BadSource) as caught:
        follow.discover(paper.base + address)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["http://169.254.169.254/", "http://[::1]/feed", "file:///etc/passwd", "http://", "a b"]
)
def test_no_private_address_is_looked_at(follow, address):
    with pytest.raises(BadSource):
        follow.discover(address)


def test_a_source_is_added_once_under_a_name_of_its_own(follow, house, paper):
    source = follow.add("main", paper.base + "/feed", accounts=["one"], backfill=1)
    assert (source.id, source.name, source.dialect) == ("main.the-lantern", "The Lantern", "rss")
    assert source.accounts == ("main.one",)
    assert house.parts.sources.state(source.id).backfill == 1
    with pytest.raises(Refused, match="followed already"):
        follow.add("main", paper.base + "/feed/?utm_source=x")
    paper.pages["/other"] = rss(paper.base, [])
    assert follow.add("main", paper.base + "/other").id == "main.the-lantern-2"
    with pytest.raises(NotFound):
        follow.add("main", paper.base + "/feed", accounts=["nobody"])


def test_the_preview_says_what_would_be_taken(follow, paper):
    asked = follow.ruled(None, "main", {"exclude": ["tag: sport"]})
    feed = follow.discover(paper.base + "/feed")[0].feed
    assert [w.why for w in follow.preview(feed, asked)] == ["tag 'Sport' is excluded by 'sport'", ""]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"include": ["Sport"]}, "is no rule"),
        ({"include": ["colour: red"]}, "is no rule"),
        ({"include": ["tag:"]}, "is no rule"),
        ({"exclude": ["title: " + "x" * 300]}, "too long"),
        ({"exclude": [f"title: {n}" for n in range(200)]}, "too many"),
        ({"at": "later"}, "no time"),
        ({"delay": -1}, "cannot be"),
        ({"most": 5000}, "cannot be"),
        ({"always": ["two-words!"]}, "no hashtag"),
        ({"template": "{nothing}"}, "template"),
        ({"design": "baroque"}, "There is no design"),
        ({"brand": "baroque"}, "There is no brand"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_in_one_line(follow, said, words):
    with pytest.raises(HandbillError) as caught:
        follow.ruled(None, "main", said)
    assert words in str(caught.value)


def test_rules_are_written_as_they_are_read():
    written = ["tag: Culture", "tag: Sea*", "title: *live*"]
    assert rules.lines(rules.read(["category: Culture", "tag: Sea*", "", " title : *live* "])) == written


@pytest.mark.parametrize(
    ("name", "pattern", "value", "fits"),
    [
        ("tag", "sport", "Sport", True),
        ("tag", "sport", "Motorsport", False),
        ("tag", "*sport", "Motorsport", True),
        ("tag", "Straße", "STRASSE", True),
        ("tag", "a[b]c", "a[b]c", True),
        ("tag", "a[b]c", "abc", False),
        ("title", "live", "Live: the flood", True),
        ("title", "live*", "We live", False),
        ("title", "fl??d", "the flood", False),
        ("language", "de", "de-AT", True),
        ("language", "de", "den", False),
        ("address", "/sport/", "https://lantern.example/sport/a", True),
    ],
)
def test_patterns_are_what_people_expect(name, pattern, value, fits):
    assert bool(rules.fitting(name, value, [pattern])) is fits


def test_no_pattern_and_no_title_take_long():
    asked = Rules(exclude={"title": ("*a" * 60 + "*b", "*" * 200, "?" * 200, "(a+)+$" * 30)})
    assert (
        rules.against(asked, Facts(title="a" * 100_000), whole=True)
        == f"title {'a' * 100_000!r} is excluded by {'*' * 200!r}"
    )


@pytest.mark.parametrize(
    ("text", "path", "allowed"),
    [
        ("", "/a", True),
        ("User-agent: *\nDisallow: /", "/a", False),
        ("User-agent: *\nDisallow: /\nAllow: /news/", "/news/a", True),
        ("User-agent: Handbill\nAllow: /\n\nUser-agent: *\nDisallow: /", "/a", True),
        ("User-agent: other\nDisallow: /", "/a", True),
        ("User-agent: a\nUser-agent: handbill/2.0\nDisallow: /x # why", "/x/y", False),
        ("User-agent: *\nDisallow: /*.php$", "/a.php", False),
        ("User-agent: *\nDisallow: /*.php$", "/a.php?x", True),
        ("User-agent: *\nDisallow: /a*b*c", "/a/b/c/d", False),
        ("User-agent: *\nDisallow: /%C3%A4", "/ä", False),
        ("User-agent: *\nDisallow:", "/a", True),
        ("Disallow: /", "/a", True),
        ("\0\0" * 9, "/a", True),
    ],
)
def test_robots_txt_is_read_as_its_rfc_says(text, path, allowed):
    assert Robots(text).allows(f"https://lantern.example{path}") is allowed


def test_a_source_is_stopped_started_polled_and_removed(follow, house, paper):
    source = follow.add("main", paper.base + "/feed")
    assert follow.poll(source)[0] == 0
    with pytest.raises(Refused, match="stopped by hand"):
        follow.poll(follow.stop(source))
    assert house.parts.sources.state(source.id).next_poll is None
    begun = follow.start(source)
    assert begun.since > source.since
    follow.remove(begun)
    with pytest.raises(NotFound, match="There are: none"):
        follow.find("the-lantern", "main")


# By the pages


class Room:
    """The sources' pages for somebody who is signed in."""

    def __init__(self, house):
        self.parts = house.parts
        self.app = create_app(house.parts)

    def enter(self, role="editor", workspace="main"):
        visit = sign_in(self.parts, role, workspace)
        browser = Browser(self.app)
        browser.jar.set(visit.cookie["name"], visit.cookie["value"])
        return browser

    def log(self):
        return [(e.what, e.detail) for e in self.parts.audit.every("main")]


@pytest.fixture
def room(house):
    return Room(house)


def test_an_editor_finds_a_feed_sees_what_would_be_taken_and_follows_it(room, paper):
    browser = room.enter()
    assert "Nothing is followed yet." in browser.get("/sources").text
    found = browser.send("/sources/find", address=paper.base + "/feed")
    assert found.status_code == 200
    assert "Tide gates" in found.text
    assert re.findall(r'name="at" value="(\w+)"( checked)?', found.text) == [
        ("inbox", " checked"),
        ("slot", ""),
        ("now", ""),
    ]
    assert room.parts.sources.all("main") == []
    added = browser.send("/sources", address=paper.base + "/feed", accounts="main.two", approve="on", backfill="2")
    assert added.headers["location"] == "/sources/the-lantern"
    (source,) = room.parts.sources.all("main")
    assert (source.accounts, source.rules.approve) == (("main.two",), True)
    assert "The Lantern is followed from now on." in browser.get("/sources/the-lantern").text
    browser.send("/sources/the-lantern/poll")
    assert "2 new articles." in browser.get("/sources/the-lantern").text
    room.parts.sources.settle(room.parts.sources.latest("main", source=source.id)[0][1], Fate.PLANNED, "", origins=Fate)
    assert "<span>.</span>" not in browser.get("/sources/the-lantern").text
    assert ("source added", paper.base + "/feed") in room.log()


def test_an_editor_says_on_the_page_whether_an_address_is_a_secret(room, paper):
    browser = room.enter()
    browser.get("/sources")
    found = browser.send("/sources/find", address=paper.base + "/feed").text
    assert '<option value="yes">is a secret</option>' in found
    browser.send("/sources", address=paper.base + "/feed", private="yes")
    page = browser.get("/sources/the-lantern").text
    assert "(its secret is kept encrypted, and shown to nobody)" in page
    assert '<option value="yes" selected>is a secret</option>' in page
    assert paper.base + "/feed" not in page + str(room.log())
    browser.send("/sources/the-lantern/rules", at="now", delay="0", most="0")  # a page of before says nothing of it
    assert room.parts.sources.get("main.the-lantern").private is True
    browser.get("/sources/the-lantern")
    browser.send("/sources/the-lantern/rules", at="now", delay="0", most="0", private="no")
    assert paper.base + "/feed" in browser.get("/sources/the-lantern").text
    browser.send("/sources/the-lantern/rules", at="now", delay="0", most="0", private="")
    assert room.parts.sources.get("main.the-lantern").private is None


def test_rules_are_set_and_refused_on_the_page(room, follow, paper):
    source = follow.add("main", paper.base + "/feed")
    browser = room.enter()
    browser.get("/sources/the-lantern")
    fields = {"name": "Lantern", "include": "tag: Culture", "exclude": "", "at": "slot", "delay": "15", "most": "3",
              "warning": "Storms", "always": "#Harbour, Sea", "never": "", "design": "quote", "brand": "", "template": "", "embargo": "on"}  # fmt: skip
    assert browser.send("/sources/the-lantern/rules", **fields).status_code == 303
    changed = room.parts.sources.get(source.id)
    assert (changed.name, changed.accounts) == ("Lantern", ())
    asked = changed.rules
    assert (asked.include, asked.at, asked.delay, asked.most, asked.design) == (
        {"tag": ("Culture",)},
        "slot",
        15,
        3,
        "quote",
    )
    assert (asked.embargo, asked.approve, asked.voice.warning, asked.voice.always) == (
        True,
        False,
        "Storms",
        ("Harbour", "Sea"),
    )
    browser.get("/sources/the-lantern")
    wrong = browser.send("/sources/the-lantern/rules", **{**fields, "include": "nonsense"})
    assert wrong.status_code == 422
    assert "is no rule" in wrong.text
    assert room.parts.sources.get(source.id).rules == asked


def test_items_show_their_fate_and_are_taken_or_left_out(room, follow, house, paper):
    source = follow.add("main", paper.base + "/feed")
    item = house.parts.intake.arrived(source, Candidate(address=paper.base + "/none", title="<b>Gone</b>"))
    house.work()
    browser = room.enter()
    text = browser.get("/sources/the-lantern").text
    assert "&lt;b&gt;Gone&lt;/b&gt;" in text
    assert "there is no such page" in text
    assert browser.send(f"/items/{item.id}/leave").status_code == 303
    assert house.parts.sources.item(item.id).fate is Fate.SKIPPED
    paper.write("/none", "lighthouse")
    browser.get("/sources/the-lantern")
    browser.send(f"/items/{item.id}/take")
    house.work()
    assert "2 posts planned" in browser.get("/sources/the-lantern").text
    assert browser.send(f"/items/{item.id}/take").status_code == 409
    assert browser.send(f"/items/{item.id.replace('main.', 'other.')}/take", form_token="x").status_code in {403, 404}


def test_what_came_in_from_no_source_is_shown_with_what_can_be_done_and_taken(room, house, paper):
    item = house.parts.intake.arrived(None, Candidate(address=paper.base + "/none", way="api"), workspace="main")
    house.work()
    browser = room.enter()
    for path in ("/items", "/items?fate=held"):
        text = browser.get(path).text
        assert "there is no such page." in text
        assert "Looked at again" in text
        assert "Its posts are made by themselves once that is over" in text
        assert "handed in by a person or a program" in text
    assert "Nothing." in browser.get("/items?fate=failed").text
    assert browser.get("/items?fate=lost").status_code == 404
    assert 'href="/items"' in browser.get("/inbox").text
    paper.write("/none", "lighthouse", head='<meta name="robots" content="noindex">')
    assert browser.send(f"/items/{item.id}/look", back="/items?fate=held").status_code == 303
    house.work()
    assert "The page says noindex." in browser.get("/items?fate=held").text
    paper.write("/none", "lighthouse")
    assert browser.send(f"/items/{item.id}/look", back="/items?fate=held").headers["location"] == "/items?fate=held"
    house.work()
    assert "2 posts planned" in browser.get("/items?fate=planned").text
    assert paper.base not in room.enter("owner", "other").get("/items").text


def test_a_webhook_s_address_and_secret_are_shown_once(room):
    browser = room.enter()
    browser.get("/sources")
    made = browser.send("/sources", scheme="ghost", name="Blog")
    secret = re.search(r"whsec_[A-Za-z0-9+/=]+", made.text)[0]
    assert room.parts.hooks.of("main.blog").secrets == (secret,)
    again = browser.get("/sources/blog").text
    assert secret not in again
    assert f"/hooks/{room.parts.hooks.of('main.blog').token}" in again


@pytest.mark.parametrize("role", ["viewer", "approver"])
def test_who_may_not_write_changes_no_source(room, follow, paper, role):
    follow.add("main", paper.base + "/feed")
    browser = room.enter(role)
    text = browser.get("/sources/the-lantern").text
    assert "Poll now" not in text
    for path in ("/sources", "/sources/find", "/sources/the-lantern/rules", "/sources/the-lantern/remove"):
        browser.get("/settings")
        assert browser.send(path, address="x").status_code == 403, path
    assert len(room.parts.sources.all("main")) == 1


def test_another_workspace_s_source_is_not_there(room, follow, paper):
    source = follow.add("main", paper.base + "/feed")
    eve = room.enter("owner", "other")
    assert "Nothing is followed yet." in eve.get("/sources").text
    assert eve.get("/sources/the-lantern").status_code == 404
    assert eve.get(f"/sources/{source.id}").status_code == 404


# By command


@pytest.fixture
def handbill(server, house, paper, monkeypatch, capsys):
    """Run a command in this process: its exit code, stdout and stderr."""
    folder = house.parts.settings.data_dir
    monkeypatch.setenv("HANDBILL_DATA_DIR", str(folder))
    monkeypatch.setenv("HANDBILL_REDIS_URL", server.url)
    monkeypatch.setenv("HANDBILL_SECRET_KEY", KEY)
    monkeypatch.setenv("HANDBILL_ALLOW_HOSTS", paper.host)
    monkeypatch.chdir(folder)

    def run(*words):
        settings.cache_clear()
        monkeypatch.setattr(sys, "argv", ["handbill", "sources", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    yield run
    settings.cache_clear()


def test_the_commands_follow_show_change_and_remove(handbill, house, paper):
    code, out, _ = handbill("add", paper.base + "/feed", "--preview", "--exclude", "tag: Sport", "--json")
    assert code == 0
    assert [e["taken"] for e in json.loads(out)["entries"]] == [False, True]
    assert handbill("list")[1].startswith("No sources yet.")

    code, out, _ = handbill(
        "add", paper.base + "/feed", "--name", "Lantern", "--account", "one", "--backfill", "1", "--approve"
    )
    assert (code, out) == (0, f"lantern is followed: {paper.base}/feed\n")
    assert handbill("poll", "lantern")[:2] == (0, "lantern: 1 new article\n")
    house.work()
    shown = json.loads(handbill("show", "lantern", "--json")[1])
    assert (shown["health"], shown["accounts"], shown["rules"]["approve"]) == ("well", ["main.one"], True)
    assert sorted(i["fate"] for i in shown["items"]) == ["planned", "skipped"]
    assert "planned" in handbill("show", "lantern")[1]
    assert [i["fate"] for i in json.loads(handbill("items", "--fate", "planned", "--json")[1])] == ["planned"]
    assert handbill("items", "--fate", "lost")[0] == 2
    planned = next(i["id"] for i in shown["items"] if i["fate"] == "planned")
    assert handbill("look", planned)[0] == 1

    assert handbill("set", "lantern", "--include", "tag: Sea", "--most", "4", "--no-approve", "--every-account")[0] == 0
    shown = json.loads(handbill("show", "lantern", "--json")[1])
    assert (shown["rules"]["include"], shown["rules"]["most"], shown["accounts"]) == ({"tag": ["Sea"]}, 4, [])
    assert handbill("set", "lantern", "--private")[0] == 0
    assert f"{paper.base}/•••" in handbill("show", "lantern")[1]
    assert handbill("set", "lantern", "--public")[0] == 0
    assert json.loads(handbill("show", "lantern", "--json")[1])["address"] == f"{paper.base}/feed"
    assert json.loads(handbill("show", "lantern", "--json")[1])["private"] is False
    assert handbill("set", "lantern", "--private", "--as-it-looks")[0] != 0
    assert handbill("set", "lantern", "--as-it-looks")[0] == 0
    assert json.loads(handbill("show", "lantern", "--json")[1])["private"] is None
    assert handbill("set", "lantern", "--include", "", "--stop")[1] == "lantern is stopped by hand\n"
    assert json.loads(handbill("list", "--json")[1])[0]["health"] == "stopped by hand"

    skipped = next(i["id"] for i in shown["items"] if i["fate"] == "skipped")
    assert handbill("take", skipped)[0] == 0
    assert handbill("leave", skipped)[0] == 0
    assert handbill("remove", "lantern")[0] == 0
    assert json.loads(handbill("list", "--json")[1]) == []


@pytest.mark.parametrize(
    "words",
    [
        ("add", "http://169.254.169.254/"),
        ("add", "--webhook", "carrier-pigeon"),
        ("show", "nobody"),
        ("poll", "nobody"),
        ("remove", "nobody"),
        ("take", "main.00000000000000000000"),
        ("set", "nobody", "--most", "3"),
    ],
)
def test_a_command_that_cannot_be_done_is_one_line(handbill, words):
    code, out, err = handbill(*words)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_a_webhook_that_never_names_an_article_is_no_source_of_its_own(follow):
    with pytest.raises(Refused, match="handbill hooks open SOURCE github"):
        follow.add_hook("main", "github")


def test_a_webhook_source_prints_its_address_and_secret(handbill, house):
    made = json.loads(handbill("add", "--webhook", "ghost", "--name", "Blog", "--json")[1])
    assert made["secret"].startswith("whsec_")
    assert made["hook"].endswith(house.parts.hooks.of("main.blog").token)
