"""From the address of a message, as a person copies it, to the id that an answer to it must name."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

import publishers
from publishers.core.errors import Rejected, Unsupported
from publishers.core.http import Http

FIXTURES = Path(__file__).parent / "fixtures" / "publishers"
ASKS = {"bluesky", "zulip"}
"""Where the address does not say everything, so that the platform is asked."""

READ = [name for name in publishers.names() if publishers.load(name).addressed and name not in ASKS]


def adapter(name, answer=None):
    """An adapter as its fixture sets it up; ``answer`` is what the platform says to a request."""
    settings = json.loads((FIXTURES / f"{name}.json").read_text())["settings"]

    def asked(request):
        assert answer is not None, f"{name} asked {request.url}"
        status, told = answer(request)
        return httpx.Response(status, stream=httpx.ByteStream(json.dumps(told).encode()))

    return publishers.load(name)(settings, Http(transport=httpx.MockTransport(asked)))


def receipts(told):
    """Every receipt in a fixture."""
    if isinstance(told, dict):
        yield from (told[name] for name in ("receipt",) if isinstance(told.get(name), dict))
        yield from (one for one in told.get("receipts") or () if isinstance(one, dict))
        told = list(told.values())
    if isinstance(told, list):
        for one in told:
            yield from receipts(one)


@pytest.mark.parametrize("name", READ)
def test_the_address_of_every_receipt_shows_its_id(name):
    shown = [r for r in receipts(json.loads((FIXTURES / f"{name}.json").read_text())) if "on" not in r.get("extra", {})]

    assert any(r.get("url") for r in shown)
    for receipt in shown:
        assert adapter(name).locate(receipt["id"]).id == receipt["id"]
        if receipt.get("url"):
            found = adapter(name).locate(receipt["url"])
            assert (found.id, found.url) == (receipt["id"], receipt["url"])


@pytest.mark.parametrize(
    ("name", "address", "number"),
    [
        ("x", "https://x.com/paper/status/1990?s=20", "1990"),
        ("x", "https://x.com/paper/status/1990/photo/1", "1990"),
        ("mastodon", "https://social.example/@paper/117", "117"),
        ("mastodon", "https://social.example/notice/AbC1", "AbC1"),
        ("mastodon", "https://social.example/@paper/statuses/01HZZ", "01HZZ"),
        ("telegram", "https://t.me/thepaper/78?single", "78"),
        ("discord", "https://discord.com/channels/@me/22/1002", "1002"),
        ("slack", "https://thepaper.slack.com/archives/C22/p1795515332000300", "1795515332.000300"),
        ("matrix", "https://matrix.to/#/!news:paper.example/$6pMu4WJ4?via=paper.example", "$6pMu4WJ4"),
        ("linkedin", "https://www.linkedin.com/feed/update/urn:li:activity:7432/", "urn:li:activity:7432"),
        ("misskey", "https://mi.example/notes/a2", "a2"),
        ("reddit", "https://www.reddit.com/r/news/comments/1kh35wk/the_harbour/", "t3_1kh35wk"),
        ("reddit", "https://www.reddit.com/comments/1kh35wk/_/d162ara/?context=3", "t1_d162ara"),
        ("reddit", "t3_1kh35wk", "t3_1kh35wk"),
    ],
)
def test_what_a_browser_shows_is_understood(name, address, number):
    assert adapter(name).locate(address).id == number


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("address", ["https://elsewhere.example/about", "https://elsewhere.example/", "seen it!", ""])
def test_what_is_no_address_of_a_message_is_refused(name, address):
    with pytest.raises(Rejected):
        adapter(name).locate(address)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("mastodon", "https://other.example/@paper/117"),
        ("mastodon", "https://social.example/@somebody@other.example/117"),
        ("misskey", "https://other.example/notes/a2"),
        ("lemmy", "https://other.example/post/9001"),
        ("zulip", "https://other.example/#narrow/stream/9/topic/harbour/near/42"),
    ],
)
def test_another_servers_page_of_a_message_is_not_taken_for_the_accounts_own(name, address):
    with pytest.raises(Rejected):
        adapter(name).locate(address)


def test_a_platform_whose_addresses_say_nothing_says_so():
    with pytest.raises(Unsupported):
        adapter("webhook").locate("https://paper.example/notes/1")


@pytest.mark.parametrize(
    "address",
    [
        "https://bsky.app/profile/paper.example/post/3lbq2aaaaaa22",
        "at://did:plc:paper/app.bsky.feed.post/3lbq2aaaaaa22",
    ],
)
def test_bluesky_is_asked_for_what_an_answer_must_name_too(address):
    uri = "at://did:plc:paper/app.bsky.feed.post/3lbq2aaaaaa22"

    def answer(request):
        assert request.url.params["rkey"] == "3lbq2aaaaaa22"
        return 200, {"uri": uri, "cid": "bafy1", "value": {"text": "Hello"}}

    found = adapter("bluesky", answer).locate(address)
    assert (found.id, found.extra) == ("3lbq2aaaaaa22", {"uri": uri, "cid": "bafy1"})


def test_a_post_that_bluesky_does_not_have_is_refused():
    def answer(_):
        return 400, {"error": "RecordNotFound", "message": "Could not locate record"}

    with pytest.raises(Rejected, match="no such post"):
        adapter("bluesky", answer).locate("3lbq2aaaaaa22")


def test_zulip_is_asked_for_the_topic_that_an_answer_stands_in():
    def answer(request):
        assert request.url.path.endswith("/messages/42")
        return 200, {"result": "success", "message": {"id": 42, "subject": "The harbour"}}

    server = adapter("zulip").base
    found = adapter("zulip", answer).locate(f"{server}/#narrow/stream/9/topic/The.20harbour/near/42")
    assert (found.id, found.extra) == ("42", {"topic": "The harbour"})


@pytest.mark.parametrize(("fid", "ours"), [("{fid}", True), ("1", False)])
def test_farcaster_is_asked_whose_cast_it_is(fid, ours):
    settings = json.loads((FIXTURES / "farcaster.json").read_text())["settings"]
    cast = {"hash": "0x1ea99cbe", "author": {"fid": int(fid.format(**settings))}}

    def answer(request):
        assert request.url.params["type"] == "url"
        return 200, {"cast": cast}

    if ours:
        assert adapter("farcaster", answer).locate("https://farcaster.xyz/paper/0x1ea9").id == "0x1ea99cbe"
    else:
        with pytest.raises(Rejected, match="somebody else"):
            adapter("farcaster", answer).locate("https://farcaster.xyz/paper/0x1ea9")


@pytest.mark.parametrize(
    ("name", "link", "address"),
    [
        ("instagram", "https://www.instagram.com/p/DRp1/", "https://www.instagram.com/p/DRp1/?img_index=1"),
        ("facebook", "https://www.facebook.com/paper/posts/pfbid02A", "https://www.facebook.com/paper/posts/pfbid02A"),
    ],
)
def test_a_list_is_searched_for_the_post_that_has_the_address(name, link, address):
    field = "permalink_url" if name == "facebook" else "permalink"

    def answer(request):
        assert request.url.params["fields"] == f"id,{field}"
        return 200, {"data": [{"id": "1799"}, {"id": "1801", field: link}]}

    found = adapter(name, answer).locate(address)
    assert (found.id, found.url) == ("1801", link)
    with pytest.raises(Rejected):
        adapter(name, answer).locate("https://elsewhere.example/")


def test_threads_is_searched_for_the_code_in_the_address():
    def answer(request):
        replies = request.url.path.endswith("/replies")
        link = "https://www.threads.com/@paper/post/DRp2/" if replies else "https://www.threads.com/@paper/post/DRp1"
        return 200, {"data": [{"id": "1802" if replies else "1801", "permalink": link}]}

    for address, number in [
        ("https://www.threads.com/@paper/post/DRp1?xmt=1", "1801"),
        ("https://www.threads.net/@paper/post/DRp2", "1802"),
        ("1802", "1802"),
    ]:
        assert adapter("threads", answer).locate(address).id == number
    with pytest.raises(Rejected, match="no such post"):
        adapter("threads", answer).locate("https://www.threads.com/@paper/post/DRp3")
