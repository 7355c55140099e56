"""The public addresses over HTTP: what arrives, what is fetched again, what is refused, and that each is answered at once."""

from __future__ import annotations

import asyncio
import json
import time
import xmlrpc.client
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import httpx
import pytest

from publishers.core.http import Http
from tests.newsroom import runtime
from tests.test_webhooks import SECRET, bearer, ghost, github, sign
from web.app import create_app
from web.hooks import BODY_MOST
from worker.errors import NotFound, Refused
from worker.intake import websub
from worker.intake.model import Fate, Kind, Source
from worker.intake.webhooks import Kind as Event
from worker.pipeline.push import Push
from worker.store.hooks import PACE, Hook

URL = "https://lantern.example/tide-gates/"
HUB = "https://hub.example/subscribe"
ELSEWHERE = ("203.0.113.9", 40000)


class House:
    """A store with one feed in it, the application, and a hub that remembers what it was asked."""

    def __init__(self, server, folder):
        self.parts = runtime(server, folder, public_url="https://handbill.example/app")
        self.parts.store.client.flushdb()
        self.app = create_app(self.parts)
        self.feed = Source(id="main.lantern", kind=Kind.FEED, address="https://lantern.example/feed/")
        self.parts.sources.save(self.feed)
        self.asked, self.answers = [], []
        self.push = Push(self.parts.hooks, self.parts.sources, self.parts.settings, http=self._http)

    def _http(self, **options):
        def answer(request):
            self.asked.append((str(request.url), dict(parse_qsl(request.content.decode()))))
            status, headers, body = self.answers.pop(0) if self.answers else (202, {}, b"")
            return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))

        self.options = options
        return Http(**{k: v for k, v in options.items() if k != "ports"}, transport=httpx.MockTransport(answer))

    def hook(self, scheme="ghost", secrets=(SECRET,), **mapped):
        return self.parts.receiver.open(self.feed, scheme, tuple(secrets), mapped or None)

    def ask(self, method, path, **request):
        async def once():
            transport = httpx.ASGITransport(self.app, client=ELSEWHERE)
            async with httpx.AsyncClient(transport=transport, base_url="https://handbill.example") as http:
                return await http.request(method, path, **request)

        return asyncio.run(once())

    def send(self, hook, sent, **more):
        return self.ask("POST", f"/hooks/{hook.token}", content=sent.body, headers={**sent.headers, **more})

    def ping(self, hook, *params, method="weblogUpdates.ping", **headers):
        body = xmlrpc.client.dumps(params, method).encode()
        return self.ask("POST", f"/hooks/{hook.token}", content=body, headers={"Content-Type": "text/xml", **headers})

    def items(self):
        rows = self.parts.sources.latest("main")
        return self.parts.sources.items([i for _, i in rows])

    @property
    def noticed(self):
        """Why the feed is to be fetched again, and nothing if it is not."""
        return self.parts.sources.state(self.feed.id).hint


@pytest.fixture
def house(server, tmp_path):
    made = House(server, tmp_path)
    yield made
    made.parts.close()


def now_ms(minutes=0):
    return str(round((time.time() + 60 * minutes) * 1000))


def published(t=None, **values):
    post = {"id": "6748", "title": "Tide gates", "url": URL, "status": "published", "updated_at": "2026-11-25T11:59:58.000Z", **values}  # fmt: skip
    return ghost({"current": post, "previous": {"status": "draft"}}, t=t or now_ms())


# Webhooks


def test_an_article_that_a_webhook_names_arrives_at_once(house):
    began = time.monotonic()
    answer = house.send(house.hook(), published())
    assert time.monotonic() - began < 5

    (item,) = house.items()
    assert (answer.status_code, answer.json()) == (200, {"status": "accepted", "event": "published", "item": item.id})
    assert (item.source, item.fate, item.candidate.address) == ("main.lantern", Fate.NEW, URL)
    assert (item.candidate.guid, item.candidate.title, item.candidate.way) == ("6748", "Tide gates", "ghost")
    assert item.ways == ("ghost",)


def test_a_repeat_is_answered_as_success_and_changes_nothing(house):
    hook, sent = house.hook(), published()
    first = house.send(hook, sent)
    for _ in range(5):
        again = house.send(hook, sent)
        assert (again.status_code, again.json()["status"]) == (200, "repeat")
    later = house.send(hook, published(t=now_ms(1)))  # the same post, signed anew
    assert (later.status_code, later.json()["status"]) == (200, "repeat")
    assert [i.id for i in house.items()] == [first.json()["item"]]
    assert len(house.parts.hooks.heard("main")) == 1


def test_a_call_that_was_lost_half_way_may_be_repeated(house, monkeypatch):
    hook, sent = house.hook(), published()
    with monkeypatch.context() as patch:
        patch.setattr(house.parts.intake, "arrived", lambda *_: (_ for _ in ()).throw(RuntimeError("killed")))
        assert house.send(hook, sent).status_code == 500
    assert house.items() == []
    assert house.send(hook, sent).json()["status"] == "accepted"
    assert len(house.items()) == 1


def test_what_is_not_signed_is_refused_and_nothing_is_stored(house):
    hook = house.hook()
    forged = published()
    for sent, status in (
        (ghost({}, secret="another", t=now_ms()), 401),
        (ghost({}, t=now_ms(-6)), 401),
        (ghost({}, t=now_ms(6)), 401),
        (type(forged)({}, forged.body), 401),
        (type(forged)(forged.headers, forged.body + b" "), 401),
        (type(forged)({"x-ghost-signature": f"sha256={sign(b'[]' + (t := now_ms()).encode()).hex()}, t={t}"}, b"[]"), 400),
    ):  # fmt: skip
        answer = house.send(hook, sent)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert SECRET not in answer.text
    assert house.items() == []
    assert house.parts.hooks.heard("main") == []


def test_a_secret_is_changed_without_a_gap(house):
    house.hook(secrets=("new", SECRET))
    hook = house.hook(secrets=("new", SECRET))
    assert house.send(hook, published()).status_code == 200
    assert house.send(house.hook(secrets=("new",)), published()).status_code == 401


def test_nobody_is_ever_told_410(house):
    hook = house.hook()
    house.parts.push.leave(house.feed.id)
    assert house.send(hook, published()).status_code == 404
    assert house.ask("POST", "/hooks/" + "x" * 32).status_code == 404
    hook = house.hook()
    house.parts.sources.save(Source(id="main.lantern", kind=Kind.FEED, active=False, reason="the feed is gone (410)"))
    assert house.send(hook, published()).status_code == 409
    house.parts.sources.remove(house.feed)
    assert house.send(hook, published()).status_code == 404


def test_an_address_is_found_by_its_hash_and_stands_nowhere_in_clear(house):
    hook = house.hook()
    assert len(hook.token) == 32
    client = house.parts.store.client
    values = [client.hgetall(k) for k in client.keys("*") if client.type(k) == b"hash"]
    assert hook.token not in str(values)
    assert SECRET not in str(values)
    assert house.parts.hooks.find(hook.token) == hook
    assert house.parts.hooks.find(hook.token[:-1]) is None
    assert house.parts.hooks.find("") is None


def test_an_address_that_is_replaced_leads_nowhere(house):
    old = house.hook()
    house.parts.hooks.save(Hook(source=old.source, token="another-token", scheme="ghost", secrets=(SECRET,)))
    assert house.send(old, published()).status_code == 404


def test_an_edit_is_a_reason_to_look_and_never_an_article(house):
    sent = ghost({"current": {"id": "1", "url": URL, "status": "published", "updated_at": "2026-11-25T12:00:00Z"}, "previous": {"title": "Old"}}, t=now_ms())  # fmt: skip
    assert house.send(house.hook(), sent).json() == {"status": "accepted", "event": "updated", "item": ""}
    assert house.items() == []
    assert house.noticed == "ghost"
    assert [h.event.kind for h in house.parts.hooks.heard("main")] == [Event.UPDATED]


def test_what_is_taken_away_is_kept_for_those_who_care(house):
    hook = house.hook()
    before = {
        "id": "1",
        "url": URL,
        "title": "Tide gates",
        "status": "published",
        "updated_at": "2026-11-25T12:00:00.000Z",
    }
    house.send(hook, ghost({"current": {**before, "status": "draft"}, "previous": {"status": "published"}}, t=now_ms()))
    house.send(hook, ghost({"current": {}, "previous": before}, t=now_ms()))
    deleted, unpublished = house.parts.hooks.heard("main", [Event.UNPUBLISHED, Event.DELETED])
    assert (deleted.event.kind, unpublished.event.kind) == (Event.DELETED, Event.UNPUBLISHED)
    assert (deleted.source, deleted.event.url, deleted.event.id, deleted.event.title) == (
        "main.lantern",
        URL,
        "1",
        "Tide gates",
    )
    assert deleted.event.updated == datetime(2026, 11, 25, 12, tzinfo=UTC)
    assert house.parts.hooks.heard("main", [Event.PUBLISHED]) == []
    assert house.items() == []


def test_a_site_of_files_is_fetched_again_when_it_was_built(house):
    hook = house.hook("github")
    sent = github({"ref": "refs/heads/main", "repository": {"default_branch": "main"}})
    assert house.send(hook, sent).json()["status"] == "accepted"
    assert house.noticed == "github"
    assert house.send(hook, sent).json()["status"] == "repeat"
    assert house.items() == []


def test_a_webhook_without_a_feed_beside_it_needs_an_address(house):
    source = Source(id="main.cms", kind=Kind.WEBHOOK, dialect="json")
    house.parts.sources.save(source)
    hook = house.parts.receiver.open(source, "json", (SECRET,))
    assert house.send(hook, bearer({"event": "published"})).json() == {
        "status": "ignored",
        "event": "changed",
        "item": "",
    }
    assert house.send(hook, bearer({"url": URL})).json()["status"] == "accepted"
    assert [i.source for i in house.items()] == ["main.cms"]


def test_half_a_character_in_a_title_loses_no_article(house):
    hook = house.hook("json")
    sent = bearer({})
    cut = json.dumps({"url": URL, "id": "a\ud83d", "title": "Tide gates \ud83d"}).encode()
    assert house.ask("POST", f"/hooks/{hook.token}", content=cut, headers=sent.headers).json()["status"] == "accepted"
    (item,) = house.items()
    assert (item.candidate.address, item.candidate.title) == (URL, "Tide gates \ufffd")


def test_a_mapping_says_where_the_address_stands(house):
    hook = house.hook("strapi", url="https://lantern.example/{entry.slug}/")
    house.send(hook, bearer({"event": "entry.publish", "entry": {"documentId": "d", "slug": "tide-gates"}}))
    assert [i.candidate.address for i in house.items()] == [URL]
    with pytest.raises(Refused, match="text cannot be mapped"):
        house.hook("strapi", text="x")
    with pytest.raises(Refused, match="no kind of webhook called fax"):
        house.hook("fax")
    with pytest.raises(Refused, match="needs a secret"):
        house.hook("ghost", secrets=())


def test_a_body_is_bounded_and_only_so_many_calls_are_taken_in_a_minute(house):
    hook = house.hook()
    big = ghost({"current": {"html": "x" * 1_500_000}, "previous": {"html": "x" * 1_500_000}}, t=now_ms())
    assert house.send(hook, big).status_code == 200
    assert house.send(hook, type(big)({}, b"x" * (BODY_MOST + 1))).status_code == 413
    for _ in range(PACE - 2):
        assert not house.parts.hooks.pace(house.feed.id)
    answer = house.send(hook, published())
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert house.items() == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_an_address_takes_post_alone(house, method):
    assert house.ask(method, f"/hooks/{house.hook().token}").status_code == 405


# Pings


def test_a_plain_wordpress_pings_and_its_feed_is_fetched_again(house):
    hook = house.hook("", secrets=())
    answer = house.ping(hook, "Lantern", "https://www.lantern.example", "https://lantern.example/feed/", method="weblogUpdates.extendedPing")  # fmt: skip
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    assert xmlrpc.client.loads(answer.content)[0][0] == {"flerror": False, "message": "Thanks for the ping."}
    assert house.noticed == "ping"
    assert house.items() == []
    state = house.parts.sources.state(house.feed.id)
    assert state.next_poll <= house.parts.now()


def test_a_site_that_nobody_follows_is_refused_politely(house):
    other = Source(id="other.lantern", kind=Kind.FEED, address="https://stranger.example/feed", workspace="other")
    house.parts.sources.save(other)
    answer = house.ping(house.hook("", secrets=()), "Stranger", "https://stranger.example/")
    told = xmlrpc.client.loads(answer.content)[0][0]
    assert (answer.status_code, told["flerror"]) == (200, True)
    assert told["message"].startswith("stranger.example is none of the sites")
    assert house.noticed == ""
    assert house.parts.sources.state(other.id).hint == ""


def test_what_is_no_ping_is_answered_with_a_fault(house):
    hook = house.hook("", secrets=())
    for body in (b"<", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"<methodCall/>"):
        answer = house.ask("POST", f"/hooks/{hook.token}", content=body)
        assert answer.status_code == 200
        with pytest.raises(xmlrpc.client.Fault):
            xmlrpc.client.loads(answer.content)
    assert house.send(hook, published()).status_code == 401  # no webhook was set up here


# Hubs


def subscribe(house, push=None):
    house.push.found(house.feed, push or websub.Push(HUB, house.feed.address))
    assert house.push.tick() == 1
    return house.parts.hooks.subscription(house.feed.id)


def challenge(house, subscription, **values):
    query = {"hub.mode": "subscribe", "hub.topic": subscription.topic, "hub.challenge": "a-challenge", "hub.lease_seconds": "86400"}  # fmt: skip
    query |= {f"hub.{k}": v for k, v in values.items()}
    return house.ask("GET", f"/hooks/{subscription.token}", params=query)


def test_a_hub_is_asked_once_with_an_address_and_a_secret_of_its_own(house):
    link = f'<{HUB}>; rel="hub", <{house.feed.address}>; rel="self"'
    house.push.seen(house.feed, link, b"", house.feed.address)
    house.push.seen(house.feed, link, b"", house.feed.address)
    assert house.push.tick() == 1
    assert house.push.tick() == 0
    subscription = house.parts.hooks.subscription(house.feed.id)
    ((url, form),) = house.asked
    assert (url, form["hub.mode"], form["hub.topic"]) == (HUB, "subscribe", house.feed.address)
    assert form["hub.callback"] == f"https://handbill.example/app/hooks/{subscription.token}"
    assert form["hub.secret"] == subscription.secret != subscription.token
    assert len(form["hub.secret"].encode()) < 200
    assert house.options["ports"] == {80, 443}
    house.push.seen(house.feed, link, b"", house.feed.address)
    assert house.push.tick() == 0


def test_a_challenge_is_sent_back_if_it_is_what_was_asked_for(house):
    subscription = subscribe(house)
    answer = challenge(house, subscription)
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (
        200,
        "a-challenge",
        "text/plain; charset=utf-8",
    )
    until = house.parts.sources.state(house.feed.id).lease_until
    assert abs(until - datetime.now(UTC) - timedelta(seconds=86_400)) < timedelta(seconds=20)
    for wrong in (
        {"topic": "https://elsewhere.example/"},
        {"topic": ""},
        {"mode": "unsubscribe"},
        {"mode": ""},
        {"challenge": ""},
    ):
        assert challenge(house, subscription, **wrong).status_code == 404
    assert house.ask("GET", f"/hooks/{subscription.token}").status_code == 404
    html = challenge(house, subscription, challenge="<script>alert(1)</script>")
    assert html.headers["content-type"].startswith("text/plain")
    assert html.headers["x-content-type-options"] == "nosniff"


def test_a_hubs_news_is_a_reason_to_fetch_and_never_content(house):
    subscription = subscribe(house)
    body = b"<rss><channel><item><link>https://evil.example/</link></item></channel></rss>"
    for method in ("sha1", "sha256", "sha384", "sha512"):
        house.parts.sources.note(house.feed.id, hint="")
        header = {"X-Hub-Signature": f"{method}={sign(body, subscription.secret, method).hex()}"}
        answer = house.ask("POST", f"/hooks/{subscription.token}", content=body, headers=header)
        assert (answer.status_code, answer.content, house.noticed) == (204, b"", "websub")
    assert house.items() == []


def test_a_hub_that_is_not_believed_is_not_told_so(house):
    subscription = subscribe(house)
    right = sign(b"<rss/>", subscription.secret).hex()
    for header in (
        {},
        {"X-Hub-Signature": f"sha256={right[:-1]}x"},
        {"X-Hub-Signature": f"md5={right}"},
        {"X-Hub-Signature": right},
    ):
        answer = house.ask("POST", f"/hooks/{subscription.token}", content=b"<rss/>", headers=header)
        assert (answer.status_code, answer.content) == (204, b"")
    assert house.noticed == ""


def test_a_lease_is_renewed_ahead_with_the_same_address_and_secret(house):
    subscription = subscribe(house)
    challenge(house, subscription, lease_seconds="1000")
    renewal = house.parts.hooks.asking(house.feed.id)
    assert 700 < (renewal - datetime.now(UTC)).total_seconds() <= 800
    house.parts.hooks.ask_at(house.feed.id, house.parts.now())
    assert house.push.tick() == 1
    assert house.asked[0] == house.asked[1]
    assert challenge(house, subscription).status_code == 200


def test_a_hub_that_is_away_is_asked_again_later_and_polling_goes_on(house):
    house.answers = [(503, {}, b"come back")]
    subscribe(house)
    assert house.parts.sources.state(house.feed.id).lease_until is None
    wait = house.parts.hooks.asking(house.feed.id) - datetime.now(UTC)
    assert timedelta(minutes=50) < wait <= timedelta(minutes=61)


def test_a_hub_that_sends_us_to_another_is_followed_once(house):
    house.answers = [(307, {"Location": "/other"}, b""), (202, {}, b"")]
    subscribe(house)
    assert [url for url, _ in house.asked] == [HUB, "https://hub.example/other"]
    assert house.asked[0][1] == house.asked[1][1]


@pytest.mark.parametrize("hub", ["http://xn--a/", "http://[bad/", HUB])
def test_a_hub_at_no_address_holds_up_no_other(house, hub, caplog):
    house.answers = [(307, {"Location": "http://[bad"}, b"")]
    subscribe(house, websub.Push(hub, house.feed.address))
    assert house.parts.hooks.asking(house.feed.id) > datetime.now(UTC) + timedelta(minutes=50)


def test_a_hub_may_say_no(house):
    subscription = subscribe(house)
    challenge(house, subscription)
    answer = house.ask("GET", f"/hooks/{subscription.token}", params={"hub.mode": "denied", "hub.topic": subscription.topic, "hub.reason": "no"})  # fmt: skip
    assert answer.status_code == 200
    assert house.parts.sources.state(house.feed.id).lease_until is None


def test_whoever_leaves_says_so_and_confirms_it_when_asked_back(house):
    subscription = subscribe(house)
    challenge(house, subscription)
    house.push.leave(house.feed.id)
    house.parts.sources.remove(house.feed)
    _, form = house.asked[-1]
    assert (form["hub.mode"], form["hub.topic"]) == ("unsubscribe", house.feed.address)
    assert challenge(house, subscription).status_code == 404  # nobody wants it any more
    body = b"<rss/>"
    header = {"X-Hub-Signature": f"sha256={sign(body, subscription.secret).hex()}"}
    assert house.ask("POST", f"/hooks/{subscription.token}", content=body, headers=header).status_code == 204
    assert house.noticed == ""
    assert challenge(house, subscription, mode="unsubscribe").text == "a-challenge"
    assert house.parts.hooks.subscription(house.feed.id) is None
    assert challenge(house, subscription, mode="unsubscribe").status_code == 404


def test_a_feed_that_moves_to_another_hub_leaves_the_first(house):
    subscribe(house)
    house.push.found(house.feed, websub.Push("https://second.example/", house.feed.address))
    assert [(u, f["hub.mode"]) for u, f in house.asked] == [(HUB, "subscribe"), (HUB, "unsubscribe")]
    house.push.tick()
    assert (house.asked[-1][0], house.asked[-1][1]["hub.mode"]) == ("https://second.example/", "subscribe")
    state = house.parts.sources.state(house.feed.id)
    assert state.hub == "https://second.example/"
    house.push.found(house.feed, websub.Push())
    assert house.parts.sources.state(house.feed.id).hub == ""


def test_without_a_public_address_no_hub_is_asked_but_it_is_known(house):
    house.push._settings = house.parts.settings.model_copy(update={"public_url": ""})
    house.push.found(house.feed, websub.Push(HUB, house.feed.address))
    assert house.push.tick() == 0
    assert house.asked == []
    assert house.parts.sources.state(house.feed.id).hub == HUB


# rssCloud


def test_an_rsscloud_server_is_asked_each_day_and_may_check_us(house):
    house.answers = [(200, {}, b"<notifyResult success='true' msg='ok'/>")]
    subscription = subscribe(house, websub.Push(topic=house.feed.address, cloud="http://rpc.example/notify"))
    ((url, form),) = house.asked
    assert url == "http://rpc.example/notify"
    assert (form["domain"], form["port"], form["protocol"], form["url1"]) == (
        "handbill.example",
        "443",
        "https-post",
        house.feed.address,
    )
    assert form["path"] == f"/app/hooks/{subscription.token}"
    left = house.parts.sources.state(house.feed.id).lease_until - datetime.now(UTC)
    assert timedelta(hours=24) < left <= timedelta(hours=25, minutes=1)
    again = house.parts.hooks.asking(house.feed.id) - datetime.now(UTC)
    assert timedelta(hours=23) < again <= timedelta(hours=24, minutes=1)

    path = f"/hooks/{subscription.token}"
    assert house.ask("GET", path, params={"url": house.feed.address, "challenge": "c1"}).text == "c1"
    assert house.ask("GET", path, params={"url": "https://elsewhere.example/", "challenge": "c1"}).status_code == 404
    house.ask("POST", path, data={"url": "https://elsewhere.example/"})
    assert house.noticed == ""
    assert house.ask("POST", path, data={"url": house.feed.address}).status_code == 204
    assert house.noticed == "rsscloud"


def test_an_rsscloud_server_is_asked_for_the_feed_that_names_it(house):
    cloud = (
        b"<cloud domain='rpc.example' port='80' path='/?rsscloud=notify' registerProcedure='' protocol='http-post'/>"
    )
    feed = b"<rss><channel>" + cloud + b"<item/></channel></rss>"
    house.push.seen(house.feed, "", feed, house.feed.address)
    house.answers = [(200, {}, b"<notifyResult success='true' msg='ok'/>")]
    assert house.push.tick() == 1
    ((url, form),) = house.asked
    assert (url, form["url1"]) == ("http://rpc.example/?rsscloud=notify", house.feed.address)
    token = house.parts.hooks.subscription(house.feed.id).token
    house.ask("POST", f"/hooks/{token}", data={"url": house.feed.address})
    assert house.noticed == "rsscloud"


def test_an_rsscloud_server_that_refuses_is_no_subscription(house):
    house.answers = [(200, {}, b"<notifyResult success='false' msg='no'/>")]
    subscribe(house, websub.Push(topic=house.feed.address, cloud="http://rpc.example/notify"))
    assert house.parts.sources.state(house.feed.id).lease_until is None


def test_a_question_at_a_token_of_nobodys_is_not_answered(house):
    assert house.ask("GET", "/hooks/nobody", params={"hub.challenge": "x"}).status_code == 404
    with pytest.raises(NotFound):
        house.parts.receiver.question(subscribe(house), {}, datetime.now(UTC))


def test_secrets_do_not_stand_in_the_log_of_a_hub_that_quotes_them(house, caplog, capsys):
    house.push.found(house.feed, websub.Push(HUB, house.feed.address))
    house.answers = []
    real = house._http

    def quoting(**options):
        http = real(**options)
        http._transport = httpx.MockTransport(
            lambda r: httpx.Response(400, stream=httpx.ByteStream(b"bad: " + r.content))
        )
        return http

    house.push._http = quoting
    house.push.tick()
    subscription = house.parts.hooks.subscription(house.feed.id)
    said = capsys.readouterr()
    assert subscription.secret not in said.out + said.err + caplog.text
    assert subscription.token not in said.out + said.err + caplog.text
    assert "it answered 400" in said.out + said.err + caplog.text


def test_a_body_of_json_is_not_mistaken_for_a_ping(house):
    hook = house.hook("json")
    answer = house.send(hook, bearer({"url": URL}), **{"content-type": "application/json"})
    assert json.loads(answer.content)["status"] == "accepted"


@pytest.mark.parametrize(
    ("body", "status"), [(b"webhook_id=17", 200), (b"webhook_id=17&x=1", 401), (b"webhook_id=", 401)]
)
def test_woocommerce_may_ask_whether_an_address_is_there_before_it_signs(house, body, status):
    hook = house.hook("wordpress")
    sent = type(published())({"content-type": "application/x-www-form-urlencoded"}, body)

    assert house.send(hook, sent).status_code == status
    assert house.items() == []
    assert house.parts.hooks.heard("main") == []
