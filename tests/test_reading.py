"""What becomes of an article that came in: the gate, the rules, who had it first, and one post for each account."""

from __future__ import annotations

import dataclasses
import itertools
from datetime import timedelta

import pytest

from tests.paper import PICTURE, House, Paper
from worker.errors import Refused
from worker.intake.model import Candidate, Fate, Kind, Rules, Source
from worker.model import Status, Voice
from worker.pipeline import edit
from worker.pipeline.share import share


@pytest.fixture(scope="module")
def site():
    site = Paper()
    yield site
    site.close()


@pytest.fixture
def paper(site):
    kept = dict(site.pages)
    site.asked.clear()
    yield site
    site.pages.clear()
    site.pages.update(kept)


@pytest.fixture
def house(server, tmp_path, paper):
    made = House(server, tmp_path, paper)
    yield made
    made.close()


def source_of(house, name="lantern", kind=Kind.FEED, **fields):
    source = Source(
        id=f"main.{name}", kind=kind, address=f"https://{name}.example/feed", since=house.parts.now(), **fields
    )
    house.parts.sources.save(source)
    return source


def one(house):
    (item,) = house.items()
    return item


def test_an_article_that_arrives_becomes_one_post_for_each_account(house, paper):
    address = paper.write("/tide", "tide gates", head='<meta property="og:image" content="/picture.png">')
    house.parts.intake.arrived(source_of(house), Candidate(address=f"{address}?utm_source=rss", title="Tide gates"))
    (item,) = house.work()
    assert item.reason == "2 posts planned"
    assert item.fate is Fate.PLANNED
    assert house.posts() == [(address, "main.one"), (address, "main.two")]
    assert sorted(item.deliveries) == sorted(house.parts.records.deliveries_of(item.article))
    house.later(item.id)
    assert house.work() == [item]
    assert len(house.posts()) == 2


def test_a_picture_that_is_too_large_for_a_card_is_there_and_holds_no_article(house, paper):
    paper.pages["/large.png"] = (200, {"Content-Type": "image/png"}, PICTURE + bytes(10_000_000))
    address = paper.write("/tide", "tide gates", head='<meta property="og:image" content="/large.png">')
    house.parts.intake.arrived(source_of(house), Candidate(address=address, title="Tide gates"))
    (item,) = house.work()
    assert item.reason == "2 posts planned"
    (warning,) = house.parts.planner.studio.warnings
    assert warning.startswith("The article's picture was not used: ")
    assert "too large: more than 10 MB" in warning


@pytest.mark.parametrize(
    ("page", "why"),
    [
        ((404, {}, b""), "there is no such page"),
        ((403, {}, b""), "refuses to show it"),
        ((500, {}, b""), "has an error"),
        ((200, {"X-Robots-Tag": "noindex, nofollow"}, b"<p>x"), "its X-Robots-Tag says noindex"),
        ((200, {}, b'<meta name="robots" content="max-snippet:-1, NOINDEX"><p>x'), "the page says noindex"),
        ((200, {}, b"<meta content=none name=robots><p>x"), "the page says noindex"),
        ((302, {"Location": "/login?next=/a"}, b""), "to sign in or to pay"),
        ((301, {"Location": "/"}, b""), "leads to the front page"),
        ((200, {}, b"<form>Members only <input type=password></form>"), "asks for a password"),
        ((200, {}, b'<link rel="canonical" href="/"><p>x'), "canonical address is the front page"),
        ((200, {}, b'<link rel=canonical href="https://other.example/a"><p>x'), "canonical address is on another site"),
        ((200, {}, b'<link rel=canonical href="/none"><p>x'), "there is no such page"),
        ((200, {}, b'<link rel=canonical href="http://[bad"><p>x'), "canonical address cannot be"),
        ((200, {}, b'<meta property="og:image" content="http://[bad"><p>x'), "picture cannot be fetched"),
        ((200, {}, b'<meta property="og:image" content="/none.png"><p>x'), "picture cannot be fetched"),
        ((200, {}, b'<meta property="og:image" content="/"><p>x'), "its picture is none"),
        ((200, {"Content-Type": "application/pdf"}, b"%PDF"), "application/pdf"),
        ((200, {}, b""), "is empty"),
        ((200, {}, b"<p>Nothing here yet.</p>"), "a"),
    ],
)
def test_what_is_not_ready_is_held_with_the_reason_and_planned_once_it_is(house, paper, page, why):
    paper.pages["/login?next=/a"] = paper.pages["/"] = "<p>Front</p>"
    paper.pages["/a"] = page
    house.parts.intake.arrived(source_of(house), Candidate(address=paper.base + "/a"))
    (item,) = house.work()
    assert item.fate is Fate.HELD
    assert why in item.reason
    assert "\n" not in item.reason
    assert item.next_look - item.updated_at == timedelta(seconds=30)
    assert house.posts() == []
    paper.write("/a", "lighthouse")
    house.later(item.id)
    (item,) = house.work()
    assert item.fate is Fate.PLANNED, item.reason
    assert len(house.posts()) == 2


def test_a_guid_that_is_used_again_takes_no_other_article_away(house, paper):
    source = source_of(house)
    for path, subject in (("/a", "tide gates"), ("/b", "lighthouse")):
        address = paper.write(path, subject)
        house.parts.intake.arrived(source, Candidate(address=address, guid="7", title=subject))
        house.work()
    assert [(i.fate, i.of) for i in house.items()] == [(Fate.PLANNED, ""), (Fate.PLANNED, "")]
    assert len(house.posts()) == 4


def test_what_is_never_ready_is_looked_at_ever_later_and_fails_after_three_days(house, paper):
    house.parts.intake.arrived(source_of(house), Candidate(address=paper.base + "/none"))
    waits = []
    while (item := house.work()[0]).fate is Fate.HELD:
        waits.append((item.next_look - item.updated_at).total_seconds())
        house.later(item.id)
    assert waits == sorted(waits)
    assert 2.5 < sum(waits) / 86_400 < 3.5
    assert item.fate is Fate.FAILED
    assert item.reason.endswith("given up after 11 looks")
    house.parts.intake.arrived(source_of(house), Candidate(address=paper.base + "/none", way="feed"))
    assert house.work()[0].fate is Fate.FAILED
    paper.write("/none", "lighthouse")
    house.parts.intake.arrived(source_of(house), Candidate(address=paper.base + "/none", way="ghost"))
    assert house.work()[0].fate is Fate.PLANNED


def test_a_page_that_kills_its_readers_does_not_take_every_one(house, paper, monkeypatch):
    paper.write("/a", "lighthouse")
    item = house.parts.intake.arrived(source_of(house), Candidate(address=paper.base + "/a"))

    class Killed(BaseException):
        pass

    def killed(*_, **__):
        raise Killed

    monkeypatch.setattr(house.parts.reader, "_read", killed)
    for _ in range(4):
        with pytest.raises(Killed):
            house.parts.reader.work(item.id)
        house.parts.store.client.hset(f"handbill:{{main}}:item:{item.id}", "lease", 0)
        house.later(item.id)
    house.parts.reader.work(item.id)
    assert (one(house).fate, one(house).reason) == (Fate.FAILED, "whoever read it was lost, 4 times")


def test_a_mistake_of_ours_is_no_end_and_shows_no_traceback(house, paper, monkeypatch):
    monkeypatch.setattr(house.parts.reader, "_looked_at", lambda _: 1 / 0)
    house.parts.intake.arrived(source_of(house), Candidate(address=paper.base + "/a"))
    (item,) = house.work()
    assert (item.fate, item.reason) == (Fate.HELD, "a mistake of ours: ZeroDivisionError")


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        (Rules(exclude={"tag": ("sport",)}), "tag 'Sport' is excluded by 'sport'"),
        (Rules(include={"tag": ("Culture",)}), "tag 'Sport', 'Harbour' is not among 'Culture'"),
        (Rules(exclude={"author": ("*lovelace",)}), "author 'Ada Lovelace' is excluded by '*lovelace'"),
        (Rules(exclude={"title": ("live",)}), "title 'Live: the lighthouse' is excluded by 'live'"),
        (Rules(include={"language": ("de",)}), "language 'en' is not among 'de'"),
        (Rules(exclude={"address": ("/sport/",)}), "address"),
    ],
)
def test_what_a_rule_leaves_out_is_skipped_and_says_which_rule(house, paper, rules, why):
    address = paper.write("/sport/a", "lighthouse", title="Live: the lighthouse")
    said = Candidate(address=address, tags=("Sport", "Harbour"), author="Ada Lovelace", title="Live: the lighthouse")
    house.parts.intake.arrived(source_of(house, rules=rules), said)
    (item,) = house.work()
    assert item.fate is Fate.SKIPPED
    assert why in item.reason
    assert house.posts() == []


def test_rules_that_fit_let_an_article_through(house, paper):
    rules = Rules(include={"tag": ("sp?rt",), "language": ("en",)}, exclude={"title": ("*sponsored*",)})
    address = paper.write("/a", "lighthouse")
    house.parts.intake.arrived(source_of(house, rules=rules), Candidate(address=address, tags=("Sport",)))
    assert house.work()[0].fate is Fate.PLANNED


def test_a_source_has_accounts_a_voice_a_delay_and_an_approval_of_its_own(house, paper):
    voice = Voice(template="NEW: {title}\n\n{link}", warning="Storms", always=("Harbour",))
    rules = Rules(approve=True, delay=45, voice=voice)
    address = paper.write("/a", "lighthouse")
    house.parts.intake.arrived(source_of(house, accounts=("main.two",), rules=rules), Candidate(address=address))
    (item,) = house.work()
    (delivery,) = house.parts.deliveries.several(item.deliveries)
    assert (delivery.account, delivery.status) == ("main.two", Status.AWAITING_APPROVAL)
    assert delivery.steps[0].post.text.startswith("NEW: Larkhaven mends its lighthouse")
    minutes = (delivery.due - house.parts.now()).total_seconds() / 60
    assert 44 < minutes <= 45
    assert item.reason == "1 post planned for approval"


def test_no_more_than_so_many_a_day_and_the_rest_waits_for_tomorrow(house, paper):
    source = source_of(house, rules=Rules(most=2))
    for n, subject in enumerate(("lighthouse", "ferry", "market hall")):
        house.parts.intake.arrived(source, Candidate(address=paper.write(f"/{n}", subject)))
    fates = [i.fate for i in house.work()]
    assert sorted(fates) == [Fate.HELD, Fate.PLANNED, Fate.PLANNED]
    (held,) = [i for i in house.items() if i.fate is Fate.HELD]
    assert held.reason == "2 a day are taken; tomorrow"
    assert held.next_look - held.updated_at <= timedelta(hours=25, seconds=2)
    house.later(held.id)
    assert {i.fate for i in house.work()} == {Fate.HELD, Fate.PLANNED}


def test_an_embargo_is_kept_where_a_rule_asks_for_it_and_a_wrong_clock_holds_nothing_up_else(house, paper):
    ahead = house.parts.now() + timedelta(hours=3)
    source = source_of(house, rules=Rules(embargo=True))
    house.parts.intake.arrived(source, Candidate(address=paper.write("/a", "lighthouse"), published=ahead))
    (held,) = house.work()
    assert held.reason == f"embargo until {ahead:%Y-%m-%d %H:%M} UTC"
    other = source_of(house, "other")
    house.parts.intake.arrived(other, Candidate(address=paper.write("/b", "ferry"), published=ahead))
    assert [i.fate for i in house.work() if i.source == other.id] == [Fate.PLANNED]


def test_an_article_older_than_its_source_is_left_out_for_good(house, paper):
    source = source_of(house)
    old = house.parts.now() - timedelta(days=2)
    address = paper.write(
        "/a", "lighthouse", head=f'<meta property="article:published_time" content="{old.isoformat()}">'
    )
    house.parts.intake.arrived(source, Candidate(address=address))
    (item,) = house.work()
    assert (item.fate, item.firm) == (Fate.SKIPPED, True)
    assert item.reason == f"published on {old:%Y-%m-%d}, before the source was added"
    hook = source_of(house, "hook", kind=Kind.WEBHOOK)
    house.parts.intake.arrived(hook, Candidate(address=address, way="ghost", published=house.parts.now()))
    again = house.work()[-1]
    assert (again.fate, again.of) == (Fate.DUPLICATE, item.id)
    house.parts.intake.release(item.id)
    house.work()
    assert len(house.posts()) == 2


WAYS = ("feed", "websub", "hook", "api", "hand")


@pytest.mark.parametrize("order", list(itertools.permutations(WAYS, 3)), ids="-".join)
def test_the_same_article_by_any_ways_in_any_order_is_one_set_of_posts(house, paper, order):
    feed, hook = source_of(house), source_of(house, "hook", kind=Kind.WEBHOOK)
    address = paper.write("/2026/tide", "tide gates", head=f'<link rel="canonical" href="{paper.base}/2026/tide">')
    paper.write("/2026/tide/amp", "tide gates", head=f'<link rel="canonical" href="{paper.base}/2026/tide">')
    come = {
        "feed": lambda: house.parts.intake.arrived(feed, Candidate(address=f"{address}/?utm_source=rss", guid="7")),
        "websub": lambda: house.parts.intake.arrived(feed, Candidate(address=address, guid="7", way="websub")),
        "hook": lambda: house.parts.intake.arrived(hook, Candidate(address=f"{address}/amp", way="ghost")),
        "api": lambda: house.parts.intake.arrived(None, Candidate(address=address, way="api"), workspace="main"),
        "hand": lambda: share(house.parts, address, workspace="main"),
    }
    for number, way in enumerate(order):
        come[way]()
        if number % 2 == 0:
            house.work()
    house.work()
    assert house.posts() == [(address, "main.one"), (address, "main.two")]
    assert {i.fate for i in house.items()} <= {Fate.PLANNED, Fate.DUPLICATE}


def test_accounts_that_the_first_way_left_are_planned_by_the_second(house, paper):
    address = paper.write("/a", "lighthouse")
    first = source_of(house, accounts=("main.one",))
    second = source_of(house, "hook", kind=Kind.WEBHOOK)
    house.parts.intake.arrived(first, Candidate(address=address))
    house.parts.intake.arrived(second, Candidate(address=address, way="ghost"))
    assert [i.fate for i in house.work()] == [Fate.PLANNED, Fate.PLANNED]
    assert house.posts() == [(address, "main.one"), (address, "main.two")]


def test_what_a_rule_of_one_source_leaves_out_another_may_bring(house, paper):
    address = paper.write("/a", "lighthouse")
    house.parts.intake.arrived(
        source_of(house, rules=Rules(exclude={"title": ("lighthouse",)})), Candidate(address=address)
    )
    assert house.work()[0].fate is Fate.SKIPPED
    house.parts.intake.arrived(source_of(house, "hook", kind=Kind.WEBHOOK), Candidate(address=address, way="ghost"))
    assert house.work()[-1].fate is Fate.PLANNED


def test_an_article_that_moved_with_its_text_and_title_is_the_same(house, paper):
    feed = source_of(house)
    house.parts.intake.arrived(
        feed, Candidate(address=paper.write("/old", "lighthouse"), title="Larkhaven mends its lighthouse")
    )
    house.work()
    house.parts.intake.arrived(
        feed, Candidate(address=paper.write("/new", "lighthouse"), title="Larkhaven mends its lighthouse")
    )
    moved = house.work()[-1]
    assert moved.fate is Fate.DUPLICATE
    assert len(house.posts()) == 2


def test_an_article_whose_text_is_nearly_another_s_waits_for_a_person(house, paper):
    feed = source_of(house)
    house.parts.intake.arrived(feed, Candidate(address=paper.write("/monday", "lighthouse"), title="Monday"))
    house.work()
    address = paper.write("/tuesday", "lighthouse", title="Quite another title")
    house.parts.intake.arrived(feed, Candidate(address=address, title="Quite another title"))
    held = house.work()[-1]
    assert (held.fate, held.reason, held.next_look) == (
        Fate.HELD,
        "its text is nearly that of “Larkhaven mends its lighthouse”",
        None,
    )
    house.parts.intake.release(held.id)
    house.work()
    assert len(house.posts()) == 4


def test_a_person_leaves_out_and_takes_back(house, paper):
    item = house.parts.intake.arrived(source_of(house), Candidate(address=paper.base + "/none"))
    house.work()
    house.parts.intake.dismiss(item.id)
    assert (one(house).fate, one(house).reason, one(house).next_look) == (Fate.SKIPPED, "left out by hand", None)
    paper.write("/none", "lighthouse", head='<meta name="robots" content="noindex">')
    house.parts.intake.release(item.id)
    house.work()
    assert one(house).fate is Fate.PLANNED
    with pytest.raises(Refused):
        house.parts.intake.dismiss(item.id)
    with pytest.raises(Refused):
        house.parts.intake.release(item.id)


def test_what_robots_txt_forbids_is_not_read(house, paper):
    paper.pages["/robots.txt"] = "User-agent: *\nDisallow: /private\n"
    paper.write("/private/a", "lighthouse")
    house.parts.intake.arrived(source_of(house), Candidate(address=paper.base + "/private/a"))
    (item,) = house.work()
    assert item.fate is Fate.HELD
    assert item.reason.startswith(f"robots.txt of {paper.host} does not let Handbill read this")
    assert paper.paths() == []


def test_an_item_of_a_source_that_was_removed_is_left_out(house, paper):
    source = source_of(house)
    house.parts.intake.arrived(source, Candidate(address=paper.write("/a", "lighthouse")))
    house.parts.sources.remove(source)
    assert (house.work()[0].fate, house.work()[0].reason) == (Fate.SKIPPED, "its source was removed")


def test_a_time_that_came_while_an_article_waited_is_now(house, paper):
    now = house.parts.now()
    address = paper.write("/a", "lighthouse")
    asked = Candidate(address=address, way="api", at=(now - timedelta(minutes=9)).isoformat(), accounts=("main.one",))
    house.parts.intake.arrived(None, asked, workspace="main")
    (item,) = house.work()
    (delivery,) = house.parts.deliveries.several(item.deliveries)
    assert abs(delivery.due - house.parts.now()) < timedelta(minutes=1)


def test_without_an_account_an_article_waits_and_says_so(house, paper):
    for account in house.parts.records.accounts("main"):
        house.parts.records.save_account(dataclasses.replace(account, active=False))
    house.parts.intake.arrived(source_of(house), Candidate(address=paper.write("/a", "lighthouse")))
    assert one(house).fate is Fate.NEW
    assert house.work()[0].reason.startswith("There is no account to post to")


def test_what_a_source_leaves_to_the_inbox_is_new_there_once_and_posted_when_somebody_accepts_it(house, paper):
    address = paper.write("/tide", "tide gates")
    asked = Rules(at="inbox")
    for name in ("lantern", "harbour"):
        house.parts.intake.arrived(source_of(house, name, rules=asked), Candidate(address=address))
        house.work()
    fates = {i.source: i for i in house.items()}
    first, second = fates["main.lantern"], fates["main.harbour"]
    assert (first.fate, first.reason) == (Fate.INBOX, "waits in the inbox until somebody accepts it")
    assert second.fate is Fate.DUPLICATE
    assert house.posts() == []
    assert [a for _, a in house.parts.records.arrived("main", "new", most=9)] == [first.article]

    edit.accept(house.parts, first.article, house.parts.records.accounts("main"))
    assert house.posts() == [(address, "main.one"), (address, "main.two")]
    assert house.parts.records.shelves("main")["new"] == 0


def test_an_article_reaches_the_inbox_before_any_account_is_connected(house, paper):
    for account in house.parts.records.accounts("main"):
        house.parts.accounts.remove(account)
    house.parts.intake.arrived(source_of(house, rules=Rules(at="inbox")), Candidate(address=paper.write("/a", "piers")))
    (item,) = house.work()
    assert item.fate is Fate.INBOX
