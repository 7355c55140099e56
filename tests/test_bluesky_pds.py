"""The Bluesky adapter against Bluesky's own server on this machine: what it keeps, and what it does with a repeat."""

import contextlib
import dataclasses
import hashlib
import http.client
import itertools
import json
import socket
import struct
import urllib.parse
import urllib.request
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from publishers.bluesky import COLLECTION, Bluesky
from publishers.core.errors import Rejected, Unauthorized, Unavailable, Unconfirmed, Unsupported
from publishers.core.http import Http
from publishers.core.post import Commit, Facet, Media, Post
from tests.servers import bluesky_pds
from tests.servers.installed import served
from tests.servers.raw import Raw, read_request

pytestmark = pytest.mark.pds

AT = datetime(2026, 11, 24, 10, 15, 30, 250_000, tzinfo=UTC)
TEXT = "Übermorgen 🚢 @paper.test: https://example.org/h?a=1 #Hafenöffnung"
POST = Post(
    text=TEXT,
    facets=(
        Facet(type="mention", start=13, end=24, value="ines.test"),
        Facet(type="link", start=26, end=51, value="https://example.org/h?a=1"),
        Facet(type="tag", start=52, end=65, value="Hafenöffnung"),
    ),
    link="https://example.org/h?a=1",
    title="The harbour opens again",
    description="After two years.",
    language="de",
)
NUMBERS = itertools.count(1)


def key(number):
    return hashlib.sha1(str(number).encode()).hexdigest()


def png():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\x40\x80\xc0" * 40) * 21
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 21, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def server():
    with served(bluesky_pds, "Bluesky's server") as address:
        yield address


@pytest.fixture
def given(server):
    """What a person would type to connect a new account."""
    handle = f"paper{next(NUMBERS)}.test"
    account = {"email": f"{handle}@example.org", "handle": handle, "password": "the account's own"}
    session = bluesky_pds.call(server, "com.atproto.server.createAccount", account)
    made = bluesky_pds.call(server, "com.atproto.server.createAppPassword", {"name": "t"}, session["accessJwt"])
    return {"server": server, "identifier": handle, "app_password": made["password"]}


@pytest.fixture
def open_with():
    """Makes an adapter with these settings."""
    with contextlib.ExitStack() as stack:
        yield lambda settings: Bluesky(
            settings, stack.enter_context(Http(seconds=20, allow={"localhost", "127.0.0.1"}))
        )


@pytest.fixture
def account(given, open_with):
    """A connected account; called with settings, the same account as another worker would open it."""
    kept = {**given, **open_with(given).connect().settings}
    return lambda **more: open_with({**kept, **more})


@pytest.fixture
def picture(tmp_path):
    (tmp_path / "card.png").write_bytes(png())
    digest = hashlib.sha256(png()).hexdigest()
    path = str(tmp_path / "card.png")
    return Media(path=path, sha256=digest, mime="image/png", width=40, height=21, size=len(png()), alt="A blue card")


def ask(adapter, method, **params):
    url = f"{adapter.base}/xrpc/{method}?{urllib.parse.urlencode(params)}"
    with urllib.request.urlopen(url) as answer:
        return answer.read()


def records(adapter):
    """Every post of the account as anybody can read it."""
    told = json.loads(ask(adapter, "com.atproto.repo.listRecords", repo=adapter.settings["did"], collection=COLLECTION))
    return [r["value"] for r in told["records"]]


def send(adapter, post, number=1, **commit):
    prepared = json.loads(json.dumps(adapter.prepare(post, key(number))))
    return adapter.create(post, Commit(key=key(number), at=AT, prepared=prepared, **commit))


def test_connecting_tells_who_we_are_and_where_the_account_lives(given, open_with, server):
    profile = open_with(given).connect()
    assert profile.name == f"@{given['identifier']}"
    assert profile.settings["pds"] == server
    assert profile.settings["did"].startswith("did:plc:")


def test_a_wrong_app_password_asks_for_a_person(given, open_with):
    with pytest.raises(Unauthorized):
        open_with({**given, "app_password": "xxxx-xxxx-xxxx-xxxx"}).connect()


def test_the_server_keeps_text_facets_language_picture_and_alt_text(account, picture):
    adapter = account()
    other = adapter.settings["identifier"]
    mention = Facet(type="mention", start=13, end=24, value=other)
    post = Post(text=TEXT, facets=(mention, *POST.facets[1:]), link=POST.link, language="de", media=(picture,))
    receipt = send(adapter, post)
    (record,) = records(adapter)
    assert (record["text"], record["langs"], record["createdAt"]) == (TEXT, ["de"], "2026-11-24T10:15:30.250Z")
    places = [TEXT.encode()[f["index"]["byteStart"] : f["index"]["byteEnd"]].decode() for f in record["facets"]]
    assert places == ["@paper.test", "https://example.org/h?a=1", "#Hafenöffnung"]
    assert record["facets"][0]["features"][0]["did"] == adapter.settings["did"]
    (image,) = record["embed"]["images"]
    assert (image["alt"], image["aspectRatio"]) == ("A blue card", {"width": 40, "height": 21})
    cid = image["image"]["ref"]["$link"]
    assert ask(adapter, "com.atproto.sync.getBlob", did=adapter.settings["did"], cid=cid) == png()
    assert receipt.extra["uri"] == f"at://{adapter.settings['did']}/{COLLECTION}/{receipt.id}"


def test_a_mention_of_nobody_stays_plain_text(account):
    adapter = account()
    send(adapter, POST)
    assert [f["features"][0]["$type"].partition("#")[2] for f in records(adapter)[0]["facets"]] == ["link", "tag"]


def test_a_card_has_the_articles_title_and_picture(account, picture):
    adapter = account(embed="card")
    send(adapter, Post(text="Again", link=POST.link, title="T", description="D", media=(picture,)))
    card = records(adapter)[0]["embed"]["external"]
    assert (card["uri"], card["title"], card["description"]) == (POST.link, "T", "D")
    assert card["thumb"]["mimeType"] == "image/png"
    thumb = {"did": adapter.settings["did"], "cid": card["thumb"]["ref"]["$link"]}
    assert ask(adapter, "com.atproto.sync.getBlob", **thumb) == png()


def test_the_server_keeps_the_authors_own_label_and_no_invented_one(account):
    adapter = account()
    send(adapter, Post(text="What the flood left", warning="graphic-media", language="en"))
    (record,) = records(adapter)
    assert record["labels"] == {
        "$type": "com.atproto.label.defs#selfLabels",
        "values": [{"val": "graphic-media"}],
    }
    assert record["langs"] == ["en"]
    with pytest.raises(Unsupported, match="graphic-media"):
        send(adapter, Post(text="a", warning="Flood"), 2)
    assert len(records(adapter)) == 1


def test_a_thread_hangs_together(account):
    adapter = account()
    first = send(adapter, POST, 1)
    second = send(adapter, Post(text="Two"), 2, reply_to=first, root=first)
    send(adapter, Post(text="Three"), 3, reply_to=second, root=first)
    replies = {r["text"]: r.get("reply") for r in records(adapter)}
    assert replies[TEXT] is None
    assert replies["Two"]["parent"]["uri"] == replies["Two"]["root"]["uri"] == first.extra["uri"]
    assert (replies["Three"]["parent"]["uri"], replies["Three"]["root"]["cid"]) == (
        second.extra["uri"],
        first.extra["cid"],
    )


def test_the_same_commit_again_is_the_same_record(account, picture):
    post = Post(text=TEXT, media=(picture,))
    first, *others = [send(account(), post) for _ in range(3)]
    assert others == [first, first]
    assert len(records(account())) == 1


def test_the_same_commit_at_the_same_moment_is_one_record(account):
    adapters = [account() for _ in range(6)]
    with ThreadPoolExecutor(len(adapters)) as pool:
        receipts = list(pool.map(lambda adapter: send(adapter, POST), adapters))
    assert len({r.extra["uri"] for r in receipts}) == 1
    assert len(records(adapters[0])) == 1


def test_an_answer_lost_after_the_server_acted_is_repeated_without_a_second_post(account, server):
    """The wire is cut when the server has answered and before a byte of it is handed on."""
    cut = []

    def forward_and_drop(connection):
        request = read_request(connection)
        with socket.create_connection(("127.0.0.1", urllib.parse.urlsplit(server).port)) as upstream:
            upstream.sendall(request)
            answer = http.client.HTTPResponse(upstream)
            answer.begin()
            cut.append((answer.status, answer.read()))

    with Raw(forward_and_drop) as proxy:
        for _ in range(3):
            with pytest.raises(Unconfirmed):
                send(account(pds=proxy.url), Post(text="Once"))
    assert [status for status, _ in cut] == [200, 200, 200]
    assert len(records(account())) == 1
    found = account().find(Post(text="Once"), Commit(key=key(1), at=AT))
    assert (send(account(), Post(text="Once")),) == found
    assert len(records(account())) == 1


def test_another_record_under_the_same_key_is_never_written_over(account):
    send(account(), POST)
    with pytest.raises(Rejected, match="InvalidSwap"):
        send(account(), Post(text="Something else"))
    assert [r["text"] for r in records(account())] == [TEXT]


def test_a_look_up_knows_what_is_there_and_a_deletion_may_be_repeated(account):
    adapter, commit = account(), Commit(key=key(1), at=AT)
    assert adapter.find(POST, commit) == ()
    receipt = send(adapter, POST)
    assert adapter.find(POST, commit) == (receipt,)
    adapter.delete(receipt)
    adapter.delete(receipt)
    assert adapter.find(POST, commit) == ()
    assert records(adapter) == []


@pytest.mark.parametrize("embed", ["images", "card"])
def test_a_post_is_read_back_as_it_was_sent_until_it_is_deleted(embed, account, picture):
    adapter = account(embed=embed)
    post = dataclasses.replace(POST, media=(picture,))
    commit = Commit(key=key(f"read {embed}"), at=AT, prepared=adapter.prepare(post, key(1)))
    receipt = adapter.create(post, commit)
    seen = adapter.read_back(receipt, post)
    assert (seen.text, seen.same) == (TEXT, True)
    assert (seen.pictures, seen.alts, seen.card) == (
        (None, None, True) if embed == "card" else (1, ("A blue card",), None)
    )
    assert not adapter.read_back(receipt, dataclasses.replace(post, text="Another text", facets=())).same
    adapter.delete(receipt)
    assert adapter.read_back(receipt, post) is None


def test_the_servers_limit_is_the_one_we_declare(account):
    adapter = account()
    send(adapter, Post(text="👩‍👩‍👧‍👦" * 100 + "e" * 200), 1)
    with pytest.raises(Rejected, match="grapheme too big"):
        send(adapter, Post(text="e" * 301), 2)
    assert len(records(adapter)) == 1


def test_a_session_is_renewed_with_its_token_and_without_it_with_the_app_password(account):
    first = account().refresh()
    assert first["refresh_jwt"] != account().settings["refresh_jwt"]
    send(account(**first), POST)
    second = account(refresh_jwt="not.a.token").refresh()
    assert send(account(**second), POST).id
    assert len(records(account())) == 1


@pytest.mark.parametrize("token", ["not.a.token", "a" * 40])
def test_a_token_that_is_none_asks_for_a_new_one(token, account):
    with pytest.raises(Unauthorized):
        send(account(access_jwt=token), Post(text="a"))
    with pytest.raises(Unauthorized):
        account(access_jwt="").find(POST, Commit(key=key(1), at=AT))


def test_a_picture_the_server_has_forgotten_is_to_be_given_again(account, picture):
    adapter = account()
    post = Post(text="a", media=(picture,))
    prepared = json.loads(json.dumps(adapter.prepare(post, key(1))))
    prepared["media"][0]["blob"]["ref"]["$link"] = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
    with pytest.raises(Unavailable, match="forgotten the picture") as refused:
        adapter.create(post, Commit(key=key(1), at=AT, prepared=prepared))
    assert refused.value.stale
    assert records(adapter) == []
    send(adapter, post)
    assert len(records(adapter)) == 1
