"""One article is one article: addresses, guids and texts, and thousands of them by every way in, in any order."""

from __future__ import annotations

import random
from datetime import timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from publishers.core.post import Post
from tests.newsroom import runtime
from worker.intake import gate
from worker.intake.identity import BANDS, SAME_BANDS, address_key, guid_key, repeated, same_title, text_keys
from worker.intake.model import Candidate, Kind, Source
from worker.model import Account, Article, Delivery, Page, Status, Step, StepKind, article_id, delivery_id
from worker.pipeline import reading

SAME = [
    "https://lantern.example/2026/tide-gates",
    "http://lantern.example/2026/tide-gates",
    "https://www.lantern.example/2026/tide-gates/",
    "https://LANTERN.example:443/2026/tide-gates",
    "https://m.lantern.example/2026/tide-gates",
    "https://amp.lantern.example/2026/tide-gates",
    "https://lantern.example/2026/tide-gates/amp",
    "https://lantern.example/2026/tide-gates/amp/",
    "https://lantern.example/amp/2026/tide-gates",
    "https://lantern.example/2026/tide-gates?amp=1",
    "https://lantern.example/2026/tide-gates?outputType=amp",
    "https://lantern-example.cdn.ampproject.org/c/s/lantern.example/2026/tide-gates",
    "https://www.google.com/amp/s/lantern.example/2026/tide-gates",
    "https://lantern.example/2026/tide-gates?utm_source=rss&utm_medium=feed&fbclid=1",
    "https://lantern.example/2026/tide-gates?source=rss----8f2",
    "https://lantern.example/2026/tide-gates/index.html",
    "https://lantern.example//2026//tide-gates#comments",
    "https://lantern.example/2026/tide%2Dgates",
    " https://lantern.example/2026/tide-gates ",
]

OTHERS = [
    "https://lantern.example/2026/tide-gates-2",
    "https://lantern.example/2026/Tide-gates",
    "https://lantern.example/2026/tide-gates?page=2",
    "https://lantern.example:8080/2026/tide-gates",
    "https://blog.lantern.example/2026/tide-gates",
    "https://lantern.example/2026/tide-gates#!/2",
    "https://lantern.example/amp",
    "https://lantern.example/2026/example-of-amp",
]


@pytest.mark.parametrize("address", SAME)
def test_these_are_one_address(address):
    assert address_key(address) == "u:lantern.example/2026/tide-gates"


@pytest.mark.parametrize("address", OTHERS)
def test_these_are_others(address):
    assert address_key(address) != address_key(SAME[0])


def test_the_order_of_parameters_and_their_escapes_make_no_difference():
    one = address_key("https://lantern.example/a?b=%C3%A4&a=1&utm_id=9")
    assert one == address_key("https://lantern.example/a?a=1&b=ä") == "u:lantern.example/a?a=1&b=%C3%A4"


def test_names_of_any_script_are_one():
    assert address_key("https://münchen.example/a") == address_key("https://xn--mnchen-3ya.example/a")


@pytest.mark.parametrize(
    "address", ["", "x", "ftp://a.example/", "https://", "http://[", "mailto:a@b.example", "https://a:b:c/"]
)
def test_what_is_no_web_address_has_no_key(address):
    assert address_key(address) == ""


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80))
def test_no_text_is_more_than_an_address_or_none(text):
    for address in (text, f"https://lantern.example/{text}", f"https://{text}/a"):
        key = address_key(address)
        assert key == "" or key.startswith("u:")
        assert address_key(f" {address} ") == key or not address.strip()


def test_a_guid_that_is_an_address_is_everywhere_the_same_and_any_other_is_its_source_s():
    assert guid_key("https://lantern.example/?p=7", "a") == guid_key(" https://lantern.example/?p=7 ", "b")
    assert guid_key("7", "a") != guid_key("7", "b")
    assert guid_key("", "a") == ""
    assert repeated(["a", "b", "a", "", ""]) == {"a"}


def test_titles_are_the_same_but_for_marks_and_case():
    assert same_title("Tide-gates: closed!", "tide gates closed")
    assert not same_title("Tide gates", "Tide gate")
    assert not same_title("", "")


def words(number, count=160):
    dice = random.Random(number)
    return [f"{dice.choice('bcdfghklmnprstvz')}{dice.choice('aeiou')}{dice.randrange(400)}" for _ in range(count)]


def shared(one, other):
    return len(set(text_keys(" ".join(one))) & set(text_keys(" ".join(other))))


def test_texts_that_are_nearly_the_same_are_told_from_texts_that_are_not():
    edited = other = 0
    for n in range(60):
        text = words(n)
        mended = [*text[:40], "mended", *text[41:], "And", "an", "update"]
        edited += shared(text, mended) >= SAME_BANDS
        half = [*text[:80], *words(n + 1000, 80)]
        other += shared(text, half) >= SAME_BANDS
        assert shared(text, words(n + 5000)) == 0
    assert edited >= 50
    assert other == 0
    assert text_keys("too short to tell") == []
    assert len(text_keys("水門が初めて閉じた。" * 10)) == BANDS


# Thousands of articles by every way in


class World:
    """The real intake on a real Redis; pages, words and cards are stand-ins, so that thousands take seconds."""

    ACCOUNTS = ("main.one", "main.two", "main.three")

    def __init__(self, server, folder):
        self.parts = runtime(server, folder)
        self.parts.store.client.flushdb()
        self.parts.store._waits_for_disk = False  # the server of tests writes once a second
        self.pages = {}
        for name in self.ACCOUNTS:
            account = Account(id=name, platform="outbox", name=name)
            self.parts.records.save_account(account)
        since = self.parts.now() - timedelta(hours=1)
        self.feed = Source(id="main.feed", kind=Kind.FEED, address="https://lantern.example/feed", since=since)
        self.hook = Source(id="main.hook", kind=Kind.WEBHOOK, since=since)
        for source in (self.feed, self.hook):
            self.parts.sources.save(source)
        self.planned = []
        self.parts.__dict__["planner"] = SimpleNamespace(keep=lambda article: None, plan=self.plan)
        self.reader = self.parts.reader
        self.reader._looked_at = self.looked_at
        self.killed = 0

    def looked_at(self, item):
        address = item.candidate.address
        number, canonical = self.pages[address_key(address)]
        return gate.Passed(Page(url=address, kind="html", content=f"{number}\n{canonical}"), canonical or address)

    def extract(self, page, workspace):
        number, _, canonical = page.content.partition("\n")
        return self.article(int(number), canonical or page.url)

    def article(self, number, url):
        return Article(id=article_id("main", url), url=url, title=f"Article {number}", text=" ".join(words(number)))

    def plan(self, home, accounts, **_):
        ids = []
        for account in accounts:
            identity = delivery_id(home, account.id, 0)
            ids.append(SimpleNamespace(id=identity))
            if self.parts.deliveries.exists(identity):
                continue
            self.parts.records.link_delivery(home, identity)
            step = Step(kind=StepKind.POST, ordinal=0, key="k", post=Post(text="x"))
            made = Delivery(
                id=identity,
                article=home,
                account=account.id,
                platform="outbox",
                status=Status.SCHEDULED,
                due=self.parts.now(),
                steps=(step,),
            )
            if self.parts.deliveries.create(made, note=""):
                self.planned.append((home, account.id))
        return ids

    def work(self, dice):
        for item in self.parts.sources.take_items(wake=60)[0]:
            if dice.random() < 0.1:
                self.kill(item)
            self.reader.work(item)

    def kill(self, item):
        """A worker is lost after it planned and before it said so."""

        def lost(*_, **__):
            raise KeyboardInterrupt

        self.parts.sources.settle, real = lost, self.parts.sources.settle
        try:
            self.reader.work(item)
        except KeyboardInterrupt:
            self.killed += 1
        finally:
            self.parts.sources.settle = real
        self.parts.store.client.hset(f"handbill:{{main}}:item:{item}", "lease", 0)
        self.parts.store.client.zadd("handbill:{main}:intake:due", {item: 1})

    def close(self):
        self.parts.close()


@pytest.fixture
def world(server, tmp_path, monkeypatch):
    made = World(server, tmp_path)
    monkeypatch.setattr(reading, "extract", made.extract)
    yield made
    made.close()


def addresses(number, dice):
    base = f"https://lantern.example/2026/a{number}"
    hosts = f"https://{dice.choice(['www', 'm', 'amp'])}.lantern.example/2026/a{number}"
    return [
        base,
        f"{base}/",
        f"{base}?utm_source={number}",
        f"{base}/amp",
        hosts,
        f"http://lantern.example/2026/a{number}",
    ]


def come(world, number, dice):
    """One way in which article ``number`` comes, as something to call."""
    plain = f"https://lantern.example/2026/a{number}"
    address = dice.choice(addresses(number, dice))
    short = f"https://lantern.example/?p={number}"
    guid = dice.choice([f"g{number}", short, f"changed-{number}", ""])
    world.pages[address_key(plain)] = (number, plain if dice.random() < 0.7 else "")
    world.pages[address_key(short)] = (number, plain)
    world.pages[address_key(f"{plain}-renamed")] = (number, "")
    now = world.parts.now()
    said = {
        "guid": guid,
        "title": f"Article {number}",
        "published": dice.choice([None, now, now + timedelta(days=900), now - timedelta(minutes=9)]),
    }
    arrived = world.parts.intake.arrived
    return dice.choice(
        [
            lambda: arrived(world.feed, Candidate(address=address, **said)),
            lambda: arrived(world.feed, Candidate(address=address, way="websub", **said)),
            lambda: arrived(world.feed, Candidate(address=f"{plain}-renamed", **said)),
            lambda: arrived(world.hook, Candidate(address=address, way="ghost", **said)),
            lambda: arrived(world.hook, Candidate(address=short, way="wordpress", **said)),
            lambda: arrived(None, Candidate(address=address, way="api"), workspace="main"),
            lambda: arrived(None, Candidate(address=address, way="api", accounts=("main.one",)), workspace="main"),
            lambda: by_hand(world, world.article(number, plain)),
        ]
    )


def by_hand(world, article):
    home = world.parts.owners.by_hand(article)
    world.plan(home, world.parts.records.accounts("main"))


def many(world, articles, seed, ways):
    """So many articles come by so many ways each, all mixed, and workers that are lost now and then work between."""
    dice = random.Random(seed)
    events = [come(world, n, dice) for n in range(articles) for _ in range(ways)]
    # Whoever comes first may be asked for one account alone; then somebody asks for every one.
    events += [
        lambda n=n: by_hand(world, world.article(n, f"https://lantern.example/2026/a{n}"))
        for n in range(articles)
        if dice.random() < 0.3
    ]
    dice.shuffle(events)
    for event in events:
        event()
        if dice.random() < 0.4:
            world.work(dice)
    for _ in range(6):
        for item in world.parts.store.client.zrange("handbill:{main}:intake:due", 0, -1):
            world.parts.store.client.zadd("handbill:{main}:intake:due", {item: 1})
        while world.parts.store.client.zcount("handbill:{main}:intake:due", 0, 1):
            world.work(dice)
    rows = world.parts.sources.latest("main", most=100_000)
    items = world.parts.sources.items(i for _, i in rows)
    assert {str(i.fate) for i in items} <= {"planned", "duplicate"}, [
        i for i in items if i.fate not in {"planned", "duplicate"}
    ][:3]
    titled = {}
    for item in items:
        if item.article:
            titled.setdefault(item.candidate.title or item.candidate.address, set()).add(item.article)
    homes = {home for home, _ in world.planned}
    assert len(world.planned) == len(set(world.planned))
    assert len(homes) == articles, f"{len(homes)} of {articles} (seed {seed})"
    assert len(world.planned) <= articles * len(world.ACCOUNTS)


def test_a_hundred_articles_by_any_ways_in_any_order_are_one_post_for_each_account(world):
    many(world, 100, 1, 2)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_articles_by_any_ways_in_any_order_are_one_post_for_each_account(world, seed):
    many(world, 1000, 100 + seed, 4)
