"""Clicks: each service is asked in its own words, readers of our own short links are counted and nobody else."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from typer.testing import CliRunner

from publishers.core.http import Http
from rehearsal.world import Faults
from tests.street import Street, listening
from tests.test_shortener import Body
from tests.test_web import Desk
from web.app import create_app
from worker import numbers, shortener
from worker.analytics import SERVICES, Window
from worker.commands import analytics as commands
from worker.embedded import Embedded
from worker.errors import HandbillError
from worker.keeping import erasure
from worker.model import Account
from worker.numbers import Sample
from worker.pipeline.clicks import Clicks
from worker.pipeline.plan import speaking
from worker.store import open_store
from worker.store.ageing import Ageing
from worker.store.links import Link, Links

URL = "https://example.org/larkhaven/senn-footbridge-reopens"
KEY = "sk-very-secret-key-1234567890"
WINDOW = Window(datetime(2026, 11, 1, 8, tzinfo=UTC), datetime(2026, 11, 3, 9, 30, tzinfo=UTC))
MARKS = ["0123456789abcdef0123", "fedcba98765432100000"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Embedded.start(tmp_path_factory.mktemp("clicks")) as running:
        yield running


@pytest.fixture(scope="module")
def here():
    with listening() as now:
        yield now


class Answers:
    """A service: what it was asked, and its answers one after the other, the last again and again."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def __call__(self, request):
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        status, told = answer
        content = told if isinstance(told, bytes) else json.dumps(told).encode()
        return httpx.Response(status, stream=Body(content))

    def http(self, **options):
        return Http(transport=httpx.MockTransport(self), **options)


def asked_of(kind, told, *answers):
    service = Answers(*answers)
    with service.http() as http:
        found = SERVICES[kind].visits(http, told, MARKS, WINDOW)
    return found, service.asked


# What is asked, to the byte


def test_plausible_is_asked_one_question_for_all_posts():
    rows = {"results": [{"metrics": [7], "dimensions": [MARKS[0]]}], "meta": {}, "query": {}}
    told = {"server": "https://plausible.io/", "site": "example.org", "key": KEY}
    found, (request,) = asked_of("plausible", told, (200, rows))

    assert found == {MARKS[0]: 7}
    assert (request.method, str(request.url)) == ("POST", "https://plausible.io/api/v2/query")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"
    assert request.content == (
        b'{"site_id":"example.org","metrics":["visits"],"date_range":["2026-11-01","2026-11-04"],'
        b'"dimensions":["visit:utm_content"],'
        b'"filters":[["is","visit:utm_content",["0123456789abcdef0123","fedcba98765432100000"]]]}'
    )


@pytest.mark.parametrize(
    ("parameter", "method"),
    [("utm_campaign", "Referrers.getCampaigns"), ("utm_content", "MarketingCampaignsReporting.getContent")],
)
def test_matomo_is_asked_by_campaign_or_content_and_the_token_stands_in_no_address(parameter, method):
    rows = [{"label": MARKS[1], "nb_visits": 3, "nb_actions": 9}]
    told = {"server": "https://stats.example.org", "site": "4", "token": KEY, "parameter": parameter}
    found, (request,) = asked_of("matomo", told, (200, rows))

    assert found == {MARKS[1]: 3}
    assert (request.method, str(request.url)) == ("POST", "https://stats.example.org/index.php")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.content.decode() == (
        f"module=API&method={method}&idSite=4&period=range&date=2026-11-01%2C2026-11-04&format=JSON&filter_limit=-1"
        "&filter_column=label&filter_pattern=%5E%280123456789abcdef0123%7Cfedcba98765432100000%29%24"
        f"&token_auth={KEY}"
    )


def test_umami_is_asked_for_query_strings_and_each_post_is_summed_up():
    rows = [
        {"x": f"utm_source=x&utm_content={MARKS[0]}", "y": 4},
        {"x": f"?utm_content={MARKS[0]}&fbclid=abc", "y": 2},
        {"x": "utm_content=somebody-elses", "y": 90},
    ]
    told = {"server": "https://api.umami.is", "site": "8bca10d0-fdf5", "key": KEY, "user": "", "password": ""}
    found, (request,) = asked_of("umami", told, (200, rows))

    assert found == {MARKS[0]: 6}
    assert request.method == "GET"
    assert str(request.url) == (
        "https://api.umami.is/v1/websites/8bca10d0-fdf5/metrics"
        "?type=query&search=utm_content&startAt=1793520000000&endAt=1793698200000&limit=10000"
    )
    assert request.headers["x-umami-api-key"] == KEY
    assert "authorization" not in request.headers


def test_a_umami_of_ones_own_is_signed_in_to_first():
    told = {"server": "https://umami.example.org/", "site": "8bca", "key": "", "user": "ada", "password": KEY}
    found, (first, second) = asked_of("umami", told, (200, {"token": "eyJhbGciOi"}), (200, []))

    assert found == {}
    assert (first.method, str(first.url)) == ("POST", "https://umami.example.org/api/auth/login")
    assert first.content == b'{"username":"ada","password":"sk-very-secret-key-1234567890"}'
    assert second.headers["authorization"] == "Bearer eyJhbGciOi"
    assert str(second.url).startswith("https://umami.example.org/api/websites/8bca/metrics?type=query&")


# What is wrong is named


TOLD = {
    "plausible": {"site": "example.org", "key": KEY},
    "matomo": {"server": "https://stats.example.org", "site": "4", "token": KEY},
    "umami": {"site": "8bca", "key": KEY},
}


@pytest.fixture
def parts(server, here, tmp_path):
    return Street(server, tmp_path, here, [], allow_hosts=urlsplit(here["url"]).netloc).parts


@pytest.mark.parametrize(
    ("kind", "answer", "words"),
    [
        ("plausible", (401, {"error": f"Invalid API key or site ID. {KEY}"}), "Invalid API key or site ID"),
        ("plausible", (402, {"error": "This plan has no Stats API"}), "This plan has no Stats API"),
        ("plausible", (429, {"error": "Too many API requests."}), "429"),
        ("plausible", (200, {"results": [{}]}), "no rows of visits"),
        ("plausible", (200, b"<html>"), "not JSON"),
        ("plausible", (302, b""), "302"),
        ("plausible", httpx.ConnectError("refused"), "no connection"),
        ("matomo", (200, {"result": "error", "message": f"Unable to authenticate with the provided token {KEY}"}), "Unable to authenticate"),
        ("matomo", (200, {"result": "error", "message": "The method 'X' does not exist"}), "does not exist"),
        ("matomo", (200, {"value": 1}), "no rows of visits"),
        ("umami", (401, {"error": {"message": "Unauthorized"}}), "Unauthorized"),
        ("umami", (500, b"oops"), "500"),
        ("umami", (200, [{"y": 1}]), "no rows of visits"),
    ],
)  # fmt: skip
def test_a_service_that_refuses_is_not_connected_and_what_is_wrong_is_named_without_the_key(parts, kind, answer, words):
    service = Answers(answer)
    with pytest.raises(HandbillError) as caught:
        Clicks(parts, http=service.http).connect("main", kind, TOLD[kind])
    said = str(caught.value)
    assert SERVICES[kind].label in said
    assert TOLD[kind]["site"] in said
    assert words in said
    assert KEY not in said
    assert parts.counters.listed("main") == []


@pytest.mark.parametrize(
    ("kind", "given", "words"),
    [
        ("google", {}, "There is no service google"),
        ("plausible", {"site": "example.org"}, "Plausible needs key"),
        ("matomo", {"site": "4", "token": KEY}, "Matomo needs server"),
        ("plausible", {**TOLD["plausible"], "server": "ftp://x"}, "is no address of a server"),
        ("plausible", {**TOLD["plausible"], "color": "red"}, "has no setting color"),
        ("umami", {"site": "8bca"}, "a key, or a name and a password"),
    ],
)
def test_what_is_missing_or_strange_is_said_before_anybody_is_asked(parts, kind, given, words):
    service = Answers((200, []))
    with pytest.raises(HandbillError, match=words):
        Clicks(parts, http=service.http).connect("main", kind, given)
    assert service.asked == []


def test_a_service_on_a_private_address_is_asked_only_if_it_was_allowed(parts):
    with pytest.raises(HandbillError, match="no connection"):
        parts.clicks.connect("main", "plausible", TOLD["plausible"] | {"server": "http://127.0.0.1:9"})


def test_a_key_is_encrypted_and_shown_nowhere(parts):
    service = Answers((200, {"results": []}))
    counter, said = Clicks(parts, http=service.http).connect("main", "plausible", TOLD["plausible"])
    assert said == "Plausible answers: 0 visits by the links of 0 posts in the last 30 days"
    everything = b"".join(
        b"".join(x for pair in parts.store.client.hgetall(k).items() for x in pair)
        for k in parts.store.client.keys("*after:counter*")
    )
    assert KEY.encode() not in everything
    assert parts.counters.told(counter)["key"] == KEY
    assert KEY not in repr(counter)


# On stand-ins


def opened(server, here, folder, platforms, **settings):
    street = Street(server, folder, here, platforms, allow_hosts=urlsplit(here["url"]).netloc, **settings)
    street.home = here["url"]
    return street


def visit(street, url, times=1):
    for _ in range(times):
        answer = httpx.put(f"{street.home}/_visits", json={"url": url})
        assert answer.status_code == 204


def marked(street, platform, parameter="utm_content"):
    account = speaking(
        street.accounts[platform], "", {"utm": f"utm_source={{platform}}&utm_medium=social&{parameter}={{delivery}}"}
    )
    street.parts.records.save_account(account)
    street.accounts[platform] = account


def hours(street, count):
    for _ in range(count):
        street.parts.receipts.notice("main")
        street.parts.numbers.round("main")
        street.at += timedelta(hours=1)


@pytest.mark.parametrize(
    "service",
    [
        ("plausible", "utm_content", {"site": "example.org", "key": KEY}),
        ("matomo", "utm_campaign", {"site": "4", "token": KEY}),
        ("umami", "utm_content", {"site": "8bca", "user": "ada", "password": KEY}),
    ],
)
def test_who_came_by_a_posts_link_is_among_its_numbers(server, here, tmp_path, service):
    kind, parameter, given = service
    street = opened(server, here, tmp_path, ["telegram", "mastodon"])
    for platform in ("telegram", "mastodon"):
        marked(street, platform, parameter)
    street.parts.clicks.connect("main", kind, given | {"server": f"{street.home}/_{kind}"})
    made = {d.platform: d for d in street.share()}
    link = made["telegram"].steps[0].post.link
    mark = made["telegram"].id.partition(".")[2]
    assert link == f"{URL}?utm_source=telegram&utm_medium=social&{parameter}={mark}"
    assert link in made["telegram"].steps[0].post.text
    visit(street, link, 3)
    visit(street, made["mastodon"].steps[0].post.link, 2)
    visit(street, f"{URL}?{parameter}=newsletter", 50)
    hours(street, 4)
    assert [s.clicks for s in street.parts.aftercare.samples_of(made["telegram"].id)] == [3, 3], (
        "which tells nothing else"
    )
    assert street.parts.aftercare.samples_of(made["mastodon"].id)[-1].clicks == 2
    visit(street, link, 4)
    street.world.faults[kind] = Faults.read(["500-before"] * 2)
    hours(street, 5)
    assert street.parts.aftercare.samples_of(made["telegram"].id)[-1].clicks == 3, "away: nothing is taken back"
    hours(street, 70)
    told = {t.account: t for t in street.parts.numbers.posts("main")}
    assert told[made["telegram"].account].sample.clicks == 7
    assert told[made["telegram"].account].ripe


def test_a_service_is_asked_once_for_many_posts_and_never_when_none_is_due(server, here, tmp_path):
    street = opened(server, here, tmp_path, ["mastodon"])
    marked(street, "mastodon")
    service = Answers((200, {"results": []}))
    street.parts.clicks._http = service.http
    street.parts.clicks.connect("main", "plausible", TOLD["plausible"])
    service.asked.clear()
    names = []
    for _ in range(6):
        names += [d.id for d in street.share(again=True)]
        street.at += timedelta(seconds=20)
    street.parts.receipts.notice("main")
    for _ in range(50):
        street.parts.numbers.round("main")
        street.at += timedelta(minutes=1)
    assert service.asked == [], "nothing was due"
    for _ in range(20):
        street.parts.numbers.round("main")
        street.at += timedelta(minutes=1)
    (request,) = service.asked
    marks = json.loads(request.content)["filters"][0][2]
    assert sorted(marks) == sorted(n.partition(".")[2] for n in names)
    assert all(street.parts.aftercare.samples_of(n)[0].clicks == 0 for n in names)


def test_posts_whose_links_do_not_name_them_have_no_clicks_rather_than_none_at_all(server, here, tmp_path):
    street = opened(server, here, tmp_path, ["telegram"])
    street.parts.clicks.connect("main", "plausible", TOLD["plausible"] | {"server": f"{street.home}/_plausible"})
    (made,) = street.share()
    visit(street, URL, 5)
    hours(street, 5)
    assert street.parts.aftercare.samples_of(made.id) == []


def test_an_article_is_counted_by_the_service_of_its_site(server, here, tmp_path):
    street = opened(server, here, tmp_path, ["mastodon"])
    marked(street, "mastodon")
    service = Answers((200, {"results": []}))
    street.parts.clicks._http = service.http
    for name, host in (("all", ""), ("ours", "www.example.org"), ("theirs", "other.example")):
        told = TOLD["plausible"] | {"site": name}
        street.parts.clicks.connect("main", "plausible", told, name=name, host=host)
    service.asked.clear()
    street.share()
    hours(street, 2)
    assert [json.loads(r.content)["site_id"] for r in service.asked] == ["ours"]


def test_what_nobody_tells_any_more_stays_as_it_was_told():
    before = [Sample(60, likes=3, clicks=12), Sample(180, likes=4, clicks=13)]
    assert numbers.carried(before, Sample(480, likes=2)) == Sample(480, likes=2, clicks=13)
    assert numbers.carried([], Sample(60, likes=1)) == Sample(60, likes=1)


# Our own short links


BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"}
OWN = {"shortener": "own", "public_url": "https://posts.example.org", "shortener_url": "https://lant.rn"}


def desk_of(street):
    desk = Desk.__new__(Desk)
    desk.parts, desk.app = street.parts, create_app(street.parts)
    return desk


def shared(server, here, folder, **settings):
    street = opened(server, here, folder, ["telegram"], **(OWN | settings))
    marked(street, "telegram")
    (made,) = street.share()
    return street, made, desk_of(street)


def test_a_short_link_of_our_own_leads_to_the_article_and_counts_its_reader(server, here, tmp_path):
    street, made, desk = shared(server, here, tmp_path)
    post = made.steps[0].post
    short, code = shortener.own("https://lant.rn", made.id, made.article)
    assert post.link == short == f"https://lant.rn/l/{code}"
    assert short in post.text
    assert len(short) <= 30
    mark = made.id.partition(".")[2]
    for count in (1, 2):
        answer = desk.get(f"/l/{code}", headers=BROWSER)
        assert answer.status_code == 302
        assert answer.headers["location"] == f"{URL}?utm_source=telegram&utm_medium=social&utm_content={mark}"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer-when-downgrade"
        assert "set-cookie" not in answer.headers
        assert street.parts.links.clicks("main", [made.id]) == {made.id: count}
    hours(street, 3)
    assert [s.clicks for s in street.parts.aftercare.samples_of(made.id)] == [2]
    kept = b" ".join(x for p in street.parts.store.client.hgetall("handbill:{main}:after:clicks").items() for x in p)
    assert kept == f"{made.id} 2".encode(), "a number, and nothing of anybody"


@pytest.mark.parametrize(
    "asked",
    [
        {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
        {"User-Agent": "facebookexternalhit/1.1"},
        {"User-Agent": "Mozilla/5.0 (Macintosh) AppleWebKit/601.2.4 (KHTML, like Gecko) facebookexternalhit/1.1 Twitterbot/1.0"},
        {"User-Agent": "Mastodon/4.5.0 (http.rb/5.3.1; +https://mastodon.social/)"},
        {"User-Agent": "TelegramBot (like TwitterBot)"},
        {"User-Agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"},
        {"User-Agent": "WhatsApp/2.23.20.0"},
        {"User-Agent": "Mozilla/5.0 (compatible; Bluesky Cardyb/1.1; +mailto:support@bsky.app) Preview"},
        {"User-Agent": "curl/8.5.0"},
        {"User-Agent": "python-httpx/0.28"},
        {"User-Agent": ""},
        {**BROWSER, "Purpose": "prefetch"},
        {**BROWSER, "Sec-Purpose": "prefetch;prerender"},
        {**BROWSER, "X-Moz": "prefetch"},
        {**BROWSER, "X-Purpose": "preview"},
        {**BROWSER, "Sec-Fetch-Dest": "image"},
        "HEAD",
    ],
)  # fmt: skip
def test_programs_that_look_at_a_link_are_led_on_and_not_counted(server, here, tmp_path, asked):
    street, made, desk = shared(server, here, tmp_path)
    code = shortener.own("", made.id, made.article)[1]
    method, headers = ("HEAD", BROWSER) if asked == "HEAD" else ("GET", asked)
    answer = desk.ask(method, f"/l/{code}", headers=headers)
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(URL)
    assert street.parts.links.clicks("main", [made.id]) == {made.id: 0}


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (Linux; Android 13; CUBOT KINGKONG 9) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 [FBAN/FBIOS;FBAV/500.0;FBDV/iPhone14,2]",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Instagram 340.0",
        "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36 [Pinterest/Android]",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    ],
)  # fmt: skip
def test_people_in_apps_and_on_phones_are_counted(server, here, tmp_path, agent):
    street, made, desk = shared(server, here, tmp_path)
    headers = {"User-Agent": agent, "Sec-Fetch-Dest": "document"}
    desk.get(f"/l/{shortener.own('', made.id, made.article)[1]}", headers=headers)
    assert street.parts.links.clicks("main", [made.id]) == {made.id: 1}


@pytest.mark.parametrize(
    "path",
    ["/l/", "/l/nothing", "/l/UPPER", "/l/https:%2F%2Fevil.example", "/l/..%2F..%2Fsign-in", "/l/a?url=https://evil.example", "/l/%00", f"/l/{'a' * 5000}"],
)  # fmt: skip
def test_nothing_but_what_was_posted_is_led_to(server, here, tmp_path, path):
    _, _, desk = shared(server, here, tmp_path)
    answer = desk.get(path, headers=BROWSER)
    assert answer.status_code == 404
    assert "location" not in answer.headers


def test_a_short_link_outlives_its_post_and_follows_its_article(server, here, tmp_path):
    street, made, desk = shared(server, here, tmp_path)
    code = shortener.own("", made.id, made.article)[1]
    article, _ = street.parts.records.article(made.article)
    street.parts.changes._follow(article, "https://example.org/bridges/senn")
    where = "https://example.org/bridges/senn?utm_source=telegram"
    assert desk.get(f"/l/{code}", headers=BROWSER).headers["location"].startswith(where)
    street.parts.changes._follow(article, "https://casino.example/")
    assert desk.get(f"/l/{code}", headers=BROWSER).headers["location"].startswith(where)

    street.at += timedelta(days=1000)
    street.parts.store.client.zadd("handbill:{main}:after:sampling", {made.id: 1})
    assert Ageing(street.parts.store).deliveries("main", timedelta(seconds=-1), most=100) == 1
    answer = desk.get(f"/l/{code}", headers=BROWSER)
    assert (answer.status_code, answer.headers["cache-control"]) == (301, "public, max-age=86400")
    assert answer.headers["location"].startswith(where)
    assert street.parts.links.clicks("main", [made.id])[made.id] <= 2, "it is not counted any more"


def test_a_link_stays_while_its_post_is_kept_and_then_while_readers_come_and_goes_when_none_does(
    server, here, tmp_path
):
    street, made, desk = shared(server, here, tmp_path)
    links, client = street.parts.links, street.parts.store.client
    code = shortener.own("", made.id, made.article)[1]
    a_year, day_ms = timedelta(days=365), 86_400_000

    def day(days=0):
        """So many days pass, and what is done once a day is done; whether the link still leads anywhere."""
        for ending, at in client.zrange("handbill:{*}:links:ending", 0, -1, withscores=True):
            client.zadd("handbill:{*}:links:ending", {ending: at - days * day_ms})
        assert links.unneeded(0, most=100) == 0
        while links.forget_unneeded(a_year, most=100):
            pass
        return links.find(code) is not None

    assert day(3650)
    assert client.zcard("handbill:{*}:links:ending") == 0
    Ageing(street.parts.store).deliveries("main", timedelta(seconds=-1), most=100)
    assert day()
    assert day(364)
    assert desk.get(f"/l/{code}", headers=BROWSER).status_code == 301  # a reader: it stays as long again
    assert day(364)
    assert desk.get(f"/l/{code}", headers={"User-Agent": "SearchBot/1.0"}).status_code == 301  # no reader
    assert not day(2)
    assert client.zcard("handbill:{*}:links:ending") == client.hlen("handbill:{*}:links") == 0
    assert desk.get(f"/l/{code}", headers=BROWSER).status_code == 404


def test_a_link_that_is_not_kept_any_more_leads_home_where_that_is_said(server, here, tmp_path):
    _, _, desk = shared(server, here, tmp_path, shortener_home="https://example.org/")
    for path in ("/l/gone", "/l/a?url=https://evil.example"):
        answer = desk.get(path, headers=BROWSER)
        assert (answer.status_code, answer.headers["location"]) == (302, "https://example.org/")


def test_a_link_that_was_noted_before_its_post_was_stored_stays_with_it(server, here, tmp_path):
    street, made, _ = shared(server, here, tmp_path)
    code = shortener.own("", made.id, made.article)[1]
    street.parts.store.client.zadd("handbill:{*}:links:ending", {code: 1})
    assert street.parts.links.forget_unneeded(timedelta(days=1), most=100) == 1
    assert street.parts.links.forget_unneeded(timedelta(days=1), most=100) == 0
    assert street.parts.links.find(code).of == made.id


def test_the_links_of_a_workspace_go_with_it(server, here, tmp_path):
    street, made, desk = shared(server, here, tmp_path)
    code = shortener.own("", made.id, made.article)[1]
    street.parts.records.save_account(Account(id="brand-x.outbox", platform="outbox", name="X", workspace="brand-x"))
    erasure.erase(street.parts, "main")
    assert desk.get(f"/l/{code}", headers=BROWSER).status_code == 404
    assert list(erasure.traces(street.parts, "main")) == []


def test_an_edit_and_a_share_again_keep_each_its_own_link(server, here, tmp_path):
    street, made, _ = shared(server, here, tmp_path)
    (again,) = street.share(again=True)
    assert again.steps[0].post.link != made.steps[0].post.link
    content = street.parts.records.article(made.article)
    account = street.accounts["telegram"]
    studio = street.parts.planner.studio
    assert studio.post_for(*content, account).post == made.steps[0].post, "what was previewed is what is sent"


def test_own_links_want_an_address_that_readers_reach(server, here, tmp_path):
    street = opened(server, here, tmp_path, ["telegram"], shortener="own")
    (made,) = street.share()
    assert made.steps[0].post.link == URL, "nobody could follow a link of ours"
    article, content = street.parts.records.article(made.article)
    real = Account(id="main.x", platform="x", name="X")
    with pytest.raises(HandbillError, match="HANDBILL_PUBLIC_URL"):
        street.parts.planner.studio.post_for(article, content, real)


# The command


def test_the_command_connects_checks_marks_and_removes(server, here, tmp_path, monkeypatch):
    street = opened(server, here, tmp_path, ["telegram", "mastodon"])
    marked(street, "mastodon")
    monkeypatch.setattr(commands, "parts", lambda: contextlib.nullcontext(street.parts))
    key = tmp_path / "key.txt"
    key.write_text(KEY + "\n")
    place = ["--set", f"server={street.home}/_plausible", "--set", "site=example.org", "--set", f"key=@{key}"]

    def run(*words):
        return CliRunner().invoke(commands.cli, words)

    done = run("add", "plausible", *place)
    assert done.exit_code == 0, (done.output, done.exception)
    assert "Plausible answers: 0 visits" in done.output
    assert KEY not in done.output
    do = "handbill accounts set main.telegram-me --utm 'utm_source={platform}&utm_medium=social&utm_content={delivery}'"
    assert do in done.stderr
    assert run("check", "plausible").exit_code == 1, "somebody's links name nothing"
    assert "name their post from now on" in run("add", "plausible", *place, "--mark").output
    assert run("check", "plausible").exit_code == 0
    listed = run("list", "--json").stdout
    assert KEY not in listed
    assert json.loads(listed)[0]["settings"]["site"] == "example.org"
    assert "api.umami.is" in run("services").output
    assert run("remove", "plausible").exit_code == 0
    assert street.parts.counters.listed("main") == []
    assert parse_qs(street.parts.records.account("main.telegram-me").voices[""].utm)["utm_content"] == ["{delivery}"]


def test_a_short_link_of_an_article_that_moved_leads_there_once(server):
    store = open_store(server.url)
    links = Links(store)
    for before, after in (
        ("https://e.example/a?utm_source=m", "https://e.example/a?id=7&utm_source=m"),
        ("https://e.example/a", "https://e.example/a?id=7"),
        ("https://e.example/a-tale", "https://e.example/a-tale"),
    ):
        links.keep(Link("code", before, "main.1"))
        for _ in range(2):
            links.moved("code", "https://e.example/a", "https://e.example/a?id=7")
            assert links.find("code").target == after
    store.close()
