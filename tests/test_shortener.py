"""A short link is asked for once per link and account, and a post never waits for it or fails with it."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import httpx
import pytest

from publishers.core.http import Http
from worker.errors import HandbillError
from worker.model import Account, Article, Content, Sentence
from worker.pipeline.plan import Studio, speaking
from worker.pipeline.services import Services
from worker.settings import Settings

LINK = "https://example.org/bees?page=1"
SHORT = "https://go.example.com/a1"
KEY = "very-secret-key"


class Body(httpx.SyncByteStream):
    """Bytes that arrive as they do from a socket."""

    def __init__(self, content):
        self.content = content

    def __iter__(self):
        yield self.content


class Service:
    """A shortener: what it was asked, and what it answers, again and again."""

    def __init__(self, status, answer):
        self.status, self.answer = status, answer
        self.asked = []

    def __call__(self, request):
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        told = self.answer if isinstance(self.answer, bytes) else json.dumps(self.answer).encode()
        return httpx.Response(self.status, stream=Body(told))


def services(tmp_path, service, name="dub", **told):
    config = Settings(data_dir=tmp_path, shortener=name, shortener_key=KEY, **told)
    return Services(config, http=lambda **a: Http(transport=httpx.MockTransport(service), **a))


@pytest.mark.parametrize(
    ("name", "told", "answer", "asked"),
    [
        ("dub", {}, {"shortLink": SHORT}, ("PUT", "https://api.dub.co/links/upsert", "authorization", f"Bearer {KEY}", {"url": LINK})),
        ("dub", {"shortener_domain": "go.example.com"}, {"shortLink": SHORT}, ("PUT", "https://api.dub.co/links/upsert", "authorization", f"Bearer {KEY}", {"url": LINK, "domain": "go.example.com"})),
        ("shortio", {"shortener_domain": "go.example.com"}, {"shortURL": SHORT}, ("POST", "https://api.short.io/links", "authorization", KEY, {"originalURL": LINK, "allowDuplicates": False, "domain": "go.example.com"})),
        ("kutt", {"shortener_url": "https://kutt.example.com/"}, {"link": SHORT}, ("POST", "https://kutt.example.com/api/v2/links", "x-api-key", KEY, {"target": LINK, "reuse": True})),
    ],
)  # fmt: skip
def test_each_service_is_asked_in_its_own_words(tmp_path, name, told, answer, asked):
    service = Service(200, answer)

    assert services(tmp_path, service, name, **told).short(LINK, "main.x") == (SHORT, "")
    (request,) = service.asked
    method, url, header, value, body = asked
    assert (request.method, str(request.url), request.headers[header]) == (method, url, value)
    assert json.loads(request.content) == body


@pytest.mark.parametrize(
    "answer", [{"status": "success", "shorturl": SHORT}, {"status": "fail", "code": "error:url", "shorturl": SHORT}]
)
@pytest.mark.parametrize("status", [200, 400])
def test_yourls_gives_its_link_for_an_address_it_knows_too(tmp_path, status, answer):
    service = Service(status, answer)
    house = services(tmp_path, service, "yourls", shortener_url="https://sho.example.com")

    assert house.short(LINK, "main.x") == (SHORT, "")
    (request,) = service.asked
    assert str(request.url) == "https://sho.example.com/yourls-api.php"
    assert parse_qs(request.content.decode()) == {
        "signature": [KEY],
        "action": ["shorturl"],
        "format": ["json"],
        "url": [LINK],
    }


def test_a_link_is_made_once_for_an_account_whoever_asks(tmp_path):
    service = Service(200, {"shortLink": SHORT})
    services(tmp_path, service).short(LINK, "main.x")
    service.answer = {"shortLink": "https://go.example.com/other"}

    assert services(tmp_path, service).short(LINK, "main.x") == (SHORT, "")
    assert services(tmp_path, service).short(LINK, "main.y") == ("https://go.example.com/other", "")
    assert len(service.asked) == 2


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, httpx.ConnectError("refused")),
        (200, httpx.ReadTimeout("late")),
        (401, {"error": f"no such key {KEY}"}),
        (429, {}),
        (500, b"oops"),
        (302, b""),
        (200, b"<html>"),
        (200, {}),
        (200, {"shortLink": None}),
        (200, {"shortLink": "javascript:alert(1)"}),
        (200, {"shortLink": "https://you@go.example.com/a"}),
        (200, {"shortLink": "https://go.example.com/a @everyone"}),
        (200, {"shortLink": "go.example.com/a"}),
    ],
)
def test_without_a_short_link_the_long_one_stands_and_the_reason_is_said(tmp_path, status, answer):
    service = Service(status, answer)
    house = services(tmp_path, service)
    link, why = house.short(LINK, "main.x")

    assert link == LINK
    assert why.startswith("The link was not shortened: ")
    assert KEY not in why
    service.status, service.answer = 200, {"shortLink": SHORT}
    assert house.short(LINK, "main.x") == (SHORT, "")


def test_without_a_shortener_nobody_is_asked(tmp_path):
    service = Service(200, {})

    assert services(tmp_path, service, "").short(LINK, "main.x") == (LINK, "")
    assert service.asked == []
    assert list(tmp_path.iterdir()) == []


def test_a_shortener_without_a_home_wants_an_address(tmp_path):
    with pytest.raises(HandbillError, match="HANDBILL_SHORTENER_URL"):
        services(tmp_path, Service(200, {}), "yourls").short(LINK, "main.x")


def studio_with(tmp_path, service):
    house = services(tmp_path, service)
    return Studio(Settings(data_dir=tmp_path), tmp_path / "pictures", services=house)


def written():
    text = "Researchers followed forty honey bees with small radar tags for two summers."
    article = Article(id="main.1", url=LINK, title="Bees find their way home", text=text, language="en")
    return article, Content(
        short=text, medium=text, long=text, sentences=(Sentence(text=text, source_offset=0),), hashtags=(), alt=""
    )


def test_the_link_with_the_accounts_parameters_is_what_is_made_short(tmp_path):
    service = Service(200, {"shortLink": SHORT})
    account = speaking(Account(id="main.x", platform="x", name="X"), "", {"utm": "utm_source={platform}"})
    composed = studio_with(tmp_path, service).post_for(*written(), account)

    assert json.loads(service.asked[0].content) == {"url": f"{LINK}&utm_source=x"}
    assert composed.post.link == SHORT
    assert SHORT in composed.post.text
    assert "example.org" not in composed.post.text


@pytest.mark.parametrize("changes", [{"rehearsal": True}, {"platform": "outbox"}])
def test_nothing_is_made_short_for_a_stand_in_or_for_this_machine(tmp_path, changes):
    service = Service(200, {"shortLink": SHORT})
    account = Account(**{"id": "main.x", "platform": "x", "name": "X", **changes})

    assert studio_with(tmp_path, service).post_for(*written(), account).post.link == LINK
    assert service.asked == []


def test_a_shortener_that_fails_is_a_warning(tmp_path):
    studio = studio_with(tmp_path, Service(500, b""))
    account = Account(id="main.x", platform="x", name="X")

    assert studio.post_for(*written(), account).post.link == LINK
    assert len(studio.warnings) == 1
