"""The Matrix adapter against Synapse on this machine: what it keeps, and what it does with a repeat."""

import contextlib
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

from publishers.core.errors import Rejected, Unauthorized, Unconfirmed
from publishers.core.http import Http
from publishers.core.post import Commit, Facet, Media, Post
from publishers.core.publisher import ProofClass
from publishers.matrix import Matrix
from tests.servers import synapse
from tests.servers.installed import served
from tests.servers.raw import Raw, read_request

pytestmark = pytest.mark.nightly

TEXT = "Übermorgen 🚢 <b>@room</b> & more\nhttps://example.org/h?a=1&b=2"
LINK = "https://example.org/h?a=1&b=2"
POST = Post(text=TEXT, facets=(Facet(type="link", start=len(TEXT) - len(LINK), end=len(TEXT), value=LINK),), link=LINK)
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
    with served(synapse, "Synapse") as address:
        yield address


@pytest.fixture
def given(server):
    """What a person would type to connect a new account to a room of its own."""
    number = next(NUMBERS)
    _, token = synapse.register(server, f"paper{number}")
    room = {"room_alias_name": f"news{number}", "name": "The Paper", "preset": "public_chat"}
    synapse.call(server, "POST", "/_matrix/client/v3/createRoom", room, token)
    return {"server": server, "access_token": token, "room": f"#news{number}:{synapse.HOST}"}


@pytest.fixture
def open_with():
    """Makes an adapter with these settings."""
    with contextlib.ExitStack() as stack:
        yield lambda settings: Matrix(settings, stack.enter_context(Http(seconds=20, allow={"127.0.0.1"})))


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


def send(adapter, post, number=1, **commit):
    prepared = json.loads(json.dumps(adapter.prepare(post, key(number))))
    return adapter.create(post, Commit(key=key(number), at=datetime.now(UTC), prepared=prepared, **commit))


def events(adapter):
    """Every message of the room as its readers get it, oldest first; those taken away are empty."""
    room = urllib.parse.quote(adapter.settings["room_id"], safe="")
    wanted = urllib.parse.quote('{"types":["m.room.message"]}')
    path = f"/_matrix/client/v3/rooms/{room}/messages?dir=b&limit=100&filter={wanted}"
    return synapse.call(adapter.base, "GET", path, token=adapter.settings["access_token"])["chunk"][::-1]


def test_connecting_names_the_account_its_room_and_what_the_server_takes(given, open_with):
    profile = open_with(given).connect()
    assert profile.name.startswith("The Paper as @paper")
    assert profile.settings["room_id"].startswith("!")
    assert profile.settings["device_id"]
    assert profile.limits == {"media_bytes": 1024 * 1024}
    assert profile.proof.kind is ProofClass.A


def test_a_wrong_token_and_an_unknown_room_ask_for_a_person(given, open_with):
    with pytest.raises(Unauthorized, match="M_UNKNOWN_TOKEN"):
        open_with({**given, "access_token": "syt_wrong"}).connect()
    with pytest.raises(Unauthorized, match="knows no room"):
        open_with({**given, "room": f"#nowhere:{synapse.HOST}"}).connect()


def test_who_is_not_in_the_room_or_may_not_write_there_is_told_what_is_missing(given, open_with, server):
    user, token = synapse.register(server, f"guest{next(NUMBERS)}")
    guest = {**given, "access_token": token}
    with pytest.raises(Unauthorized, match="is not in the room #news"):
        open_with(guest).connect()
    room = urllib.parse.quote(open_with(given).connect().settings["room_id"], safe="")
    synapse.call(server, "POST", f"/_matrix/client/v3/join/{room}", {}, token)
    kept = {**guest, **open_with(guest).connect().settings}
    place = f"/_matrix/client/v3/rooms/{room}/state/m.room.power_levels"
    levels = synapse.call(server, "GET", place, token=given["access_token"])
    synapse.call(server, "PUT", place, {**levels, "events_default": 50}, given["access_token"])
    with pytest.raises(Unauthorized, match=f"missing permission: {user} has power level 0"):
        open_with(guest).connect()
    with pytest.raises(Unauthorized, match="M_FORBIDDEN"):
        send(open_with(kept), POST)
    assert open_with(given).connect().name  # whoever made the room may still


def test_an_encrypted_room_is_refused(given, open_with, server):
    room = urllib.parse.quote(open_with(given).connect().settings["room_id"], safe="")
    place = f"/_matrix/client/v3/rooms/{room}/state/m.room.encryption"
    synapse.call(server, "PUT", place, {"algorithm": "m.megolm.v1.aes-sha2"}, given["access_token"])
    with pytest.raises(Unauthorized, match="encrypted"):
        open_with(given).connect()


def test_the_server_keeps_words_html_picture_and_alt_text(account, picture):
    adapter = account()
    receipt = send(adapter, Post(text=TEXT, facets=POST.facets, link=LINK, media=(picture,)))
    (event,) = events(adapter)
    content = event["content"]
    assert (event["event_id"], content["body"], content["msgtype"]) == (receipt.id, TEXT, "m.image")
    assert content["formatted_body"] == (
        "Übermorgen 🚢 &lt;b&gt;@room&lt;/b&gt; &amp; more<br>"
        '<a href="https://example.org/h?a=1&amp;b=2">https://example.org/h?a=1&amp;b=2</a>'
    )
    assert content["m.mentions"] == {}
    assert content["org.matrix.msc1767.alt_text"]["org.matrix.msc1767.markup"] == [{"body": "A blue card"}]
    place = content["url"].removeprefix("mxc://")
    request = urllib.request.Request(
        f"{adapter.base}/_matrix/client/v1/media/download/{place}",
        headers={"Authorization": f"Bearer {adapter.settings['access_token']}"},
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.read() == png()


def test_the_same_commit_again_is_the_same_event(account, picture):
    post = Post(text=TEXT, media=(picture,))
    first = account()
    commit = Commit(key=key(1), at=datetime.now(UTC), prepared=first.prepare(post, key(1)))
    receipts = [account().create(post, commit) for _ in range(3)]
    assert len({r.id for r in receipts}) == 1
    assert len(events(first)) == 1


def test_the_same_commit_at_the_same_moment_is_one_event(account):
    adapters = [account() for _ in range(6)]
    with ThreadPoolExecutor(len(adapters)) as pool:
        receipts = list(pool.map(lambda adapter: send(adapter, POST), adapters))
    assert len({r.id for r in receipts}) == 1
    assert len(events(adapters[0])) == 1


def test_another_session_does_not_send_again_what_the_first_one_sent(account, given, server):
    adapter = account()
    commit = Commit(key=key(1), at=datetime.now(UTC), prepared=adapter.prepare(POST, key(1)))
    receipt = adapter.create(POST, commit)
    name = adapter.settings["user_id"].partition(":")[0].removeprefix("@")
    token = synapse.login(server, name)
    told = account(access_token=token).connect().settings
    other = account(access_token=token, **told)
    assert other.settings["device_id"] != adapter.settings["device_id"]
    assert other.create(POST, commit) == receipt
    assert len(events(adapter)) == 1


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
                send(account(server=proxy.url), POST)
    assert [status for status, _ in cut] == [200, 200, 200]
    found = account().find(POST, Commit(key=key(1), at=datetime.now(UTC)))
    assert (send(account(), POST),) == found
    assert len(events(account())) == 1


def test_a_look_up_knows_what_is_there_and_a_deletion_may_be_repeated(account):
    adapter, commit = account(), Commit(key=key(1), at=datetime.now(UTC))
    assert adapter.find(POST, commit) == ()
    for number in range(2, 5):
        send(adapter, POST, number)
    receipt = send(adapter, POST)
    assert adapter.find(POST, commit) == (receipt,)
    adapter.delete(receipt)
    adapter.delete(receipt)
    assert adapter.find(POST, commit) == ()


def test_a_thread_hangs_together_and_is_counted(account, given, server):
    adapter = account()
    first = send(adapter, POST, 1)
    second = send(adapter, Post(text="Two"), 2, reply_to=first, root=first)
    send(adapter, Post(text="Three"), 3, reply_to=second, root=first)
    related = [e["content"].get("m.relates_to") for e in events(adapter)]
    assert [r and (r["event_id"], r["m.in_reply_to"]["event_id"]) for r in related] == [
        None,
        (first.id, first.id),
        (first.id, second.id),
    ]
    room = urllib.parse.quote(adapter.settings["room_id"], safe="")
    liked = {"m.relates_to": {"rel_type": "m.annotation", "event_id": first.id, "key": "👍"}}
    path = f"/_matrix/client/v3/rooms/{room}/send/m.reaction/one"
    synapse.call(server, "PUT", path, liked, given["access_token"])
    assert adapter.metrics(first) == {"likes": 1, "replies": 2}


def test_a_correction_is_what_readers_get_and_has_room_for_the_longest_text(account, picture):
    adapter = account()
    receipt = send(adapter, Post(text="a" * 15_000, media=(picture,)))
    longest = "&" * 3000
    assert (
        adapter.edit(receipt, Post(text=longest, media=(picture,)), Commit(key=key(2), at=datetime.now(UTC))) == receipt
    )
    event = urllib.parse.quote(receipt.id, safe="")
    room = urllib.parse.quote(adapter.settings["room_id"], safe="")
    path = f"/_matrix/client/v3/rooms/{room}/event/{event}"
    told = synapse.call(adapter.base, "GET", path, token=adapter.settings["access_token"])
    new = told["unsigned"]["m.relations"]["m.replace"]["content"]["m.new_content"]
    assert (new["body"], new["url"]) == (longest, receipt.extra["media"][0]["url"])
    with pytest.raises(Rejected, match="M_TOO_LARGE"):
        send(adapter, Post(text="a" * 40_000), 3)
