"""The adapters against the stand-ins, over real sockets: what goes out, what comes back, and what a lost answer leaves."""

import contextlib
import dataclasses
import hashlib
import json
import socket
import struct
import subprocess
import sys
import threading
import urllib.request
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn
from starlette.staticfiles import StaticFiles

import publishers
from publishers.core.errors import (
    PublishError,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
    Unconfirmed,
    Unsupported,
)
from publishers.core.http import Answer, Http
from publishers.core.post import Commit, Facet, Media, Post, Receipt
from publishers.core.publisher import ProofClass
from rehearsal import discord as rehearsed_discord
from rehearsal import instagram as rehearsed_instagram
from rehearsal import mastodon as rehearsed_mastodon
from rehearsal import text as reading
from rehearsal import threads as rehearsed_threads
from rehearsal import x as rehearsed_x
from rehearsal.app import build, stand_ins
from rehearsal.discord import read_markdown
from rehearsal.graph import PIXEL
from rehearsal.linkedin import read_little
from rehearsal.world import Faults, World, inspect, seen
from tests.live.journey import Journey

AT = datetime.now(UTC)
GIVEN = {  # what a person would type to connect an account, beside the server
    "buttondown": {"api_key": "key"},
    "listmonk": {"username": "paper", "token": "token", "lists": "3", "template": "7"},
    "mailchimp": {"api_key": "key-us21", "audience": "a1", "from_name": "Paper", "reply_to": "a@example.org"},
    "bluesky": {"identifier": "me.test", "handle": "me.test", "password": "word", "app_password": "word"},
    "devto": {"api_key": "key"},
    "discord": {"token": "token"},
    "facebook": {"access_token": "token"},
    "farcaster": {"api_key": "key", "signer_uuid": "signer"},
    "ghost": {"admin_key": "6926f0c0a1b2c3d4e5f60718:60c58fe0d2c38f467717568adc7dd2af7ba9993675bede873247cd85fd769b04"},
    "googlebusiness": {"access_token": "token", "location": "accounts/1/locations/11"},
    "hashnode": {"access_token": "token", "host": "blog.example.org"},
    "instagram": {"access_token": "token"},
    "lemmy": {"username": "ines", "password": "word", "community": "news"},
    "linkedin": {"access_token": "token", "author": "urn:li:organization:77"},
    "mastodon": {"access_token": "token"},
    "matrix": {"access_token": "token", "room": "#news:rehearsal.example"},
    "mattermost": {"access_token": "token", "channel": "paper/news"},
    "nostr": {
        "secret_key": "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5",
        "relays": "wss://relay.example",
    },
    "misskey": {"access_token": "token"},
    "ntfy": {"topic": "news"},
    "pinterest": {"access_token": "token", "board_id": "7001"},
    "reddit": {"access_token": "token", "subreddit": "ships", "kind": "self"},
    "rocketchat": {"user_id": "u1", "auth_token": "token", "room": "news"},
    "slack": {"bot_token": "token", "channel": "C0123"},
    "teams": {"url": "hook", "channel": "News"},
    "telegram": {"bot_token": "12:token", "chat_id": "@me"},
    "threads": {"access_token": "token"},
    "vk": {"access_token": "token", "group": "thepaper"},
    "tumblr": {"access_token": "token", "blog": "me"},
    "webhook": {"url": "hook", "secret": "rehearsal"},
    "wordpress": {"username": "ines", "app_password": "word"},
    "x": {"access_token": "token"},
    "zulip": {"bot_email": "bot@example.org", "api_key": "key", "channel": "news"},
}
MAILED = {"buttondown", "listmonk", "mailchimp"}  # where a button and a way to leave the list follow what was written
TAGLESS = MAILED | {
    "devto",
    "discord",
    "farcaster",
    "ghost",
    "googlebusiness",
    "hashnode",
    "lemmy",
    "matrix",
    "mattermost",
    "ntfy",
    "reddit",
    "rocketchat",
    "slack",
    "teams",
    "tumblr",
    "wordpress",
    "zulip",
}  # where a hashtag is a word like others
BOUNDLESS = MAILED | {
    "lemmy",
    "devto",
    "ghost",
    "hashnode",
    "matrix",
    "mattermost",
    "ntfy",
    "rocketchat",
    "teams",
    "wordpress",
    "zulip",
}  # where no text is too long, or more than its length is taken of it
ALONE = MAILED | {
    "devto",
    "ghost",
    "googlebusiness",
    "hashnode",
    "ntfy",
    "pinterest",
    "teams",
    "tumblr",
}  # where nothing answers a message
UNREAD = {"mailchimp", "teams", "webhook"}  # where any 2xx is success, whatever comes with it
FLAT = {
    "facebook",
    "instagram",
    "linkedin",
    "mattermost",
    "reddit",
    "rocketchat",
    "slack",
    "vk",
    "zulip",
}  # where every answer stands under the first post
ILLUSTRATED = {"instagram", "pinterest"}  # where there is no post without a picture
LINKLESS = ILLUSTRATED | {"googlebusiness"}  # where an address is a word like others
HERE = sorted(set(GIVEN) & set(publishers.names()))


def key(number):
    return hashlib.sha1(b"step %d" % number).hexdigest()


def png(width, height, padding=0):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\x40\x80\xc0" * width for _ in range(height))
    body = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"teXt", b"p" * padding) + chunk(b"IEND", b"")


def jpeg(width, height):
    """As much of a JPEG as tells its size."""
    size = struct.pack(">HH", height, width)
    return b"\xff\xd8\xff\xe0\x00\x04ab" + b"\xff\xc0\x00\x0b\x08" + size + b"\x01\x11\x00\x00" + b"\0" * 9


@pytest.fixture(scope="module")
def listening():
    """A server on a free port, in a thread; every test puts its own stand-ins into ``now``."""
    now = {}

    async def app(scope, receive, send):
        await now["app"](scope, receive, send)

    config = uvicorn.Config(app, log_level="error", lifespan="off", ws="wsproto", timeout_graceful_shutdown=1)
    runner = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=runner.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        now["address"] = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield now
        runner.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def world(tmp_path):
    return World(tmp_path / "world")


@pytest.fixture
def server(listening, world, tmp_path):
    """The address of this test's stand-ins, and under /pull/ of its pictures."""
    stand_ins, pictures = build(world), StaticFiles(directory=tmp_path)

    async def app(scope, receive, send):
        folder, _, name = scope.get("path", "").removeprefix("/").partition("/")
        if folder == "pull":
            await pictures({**scope, "path": f"/{name}"}, receive, send)
        else:
            await stand_ins(scope, receive, send)

    listening["app"] = app
    return listening["address"]


@pytest.fixture
def account(server):
    """Connects an account: ``account("x")`` gives an adapter with the settings that ``connect`` learned."""
    opened = []

    def connect(platform, seconds=5.0, **settings):
        http = Http(allow={"127.0.0.1"}, seconds=seconds)
        opened.append(http)
        given = {"server": f"{server}/{platform}/me", **GIVEN[platform], **settings}
        adapter = publishers.load(platform)(given, http)
        return publishers.load(platform)({**given, **adapter.connect().settings}, http)

    yield connect
    for http in opened:
        http.__exit__()


@pytest.fixture
def picture(tmp_path, server):
    content = jpeg(40, 21)
    (tmp_path / "card.jpg").write_bytes(content)
    return Media(
        path=str(tmp_path / "card.jpg"),
        sha256=hashlib.sha256(content).hexdigest(),
        mime="image/jpeg",
        width=40,
        height=21,
        size=len(content),
        alt="A blue card",
        url=f"{server}/pull/card.jpg",
    )


def article_post(*media, text="Harbour\n\nThe harbour opens again 🚢 https://example.org/harbour?a=1&b=2 #Harbour"):
    facets = [Facet(**f) for f in reading.facets(text)]
    return Post(
        text=text, facets=tuple(facets), link="https://example.org/harbour?a=1&b=2", title="Harbour", media=media
    )


def story(platform, picture, **told):
    """What a first message is at least: with the picture where there is none without."""
    return article_post(*([picture] if platform in ILLUSTRATED else []), **told)


def shown_post(adapter, picture):
    """The article's post, with its picture where the platform takes any."""
    return article_post(*([picture] if adapter.limits.media else []))


def own(receipt):
    """The platform's own id, without the address some put before it."""
    return receipt.id.rpartition("/")[2]


def send(adapter, post, number, **commit):
    prepared = adapter.draft(post, key(number), commit.get("reply_to"))
    return adapter.create(post, Commit(key=key(number), at=AT, prepared=prepared, **commit))


def test_every_platform_of_the_registry_but_the_outbox_has_a_stand_in():
    assert {s.name for s in stand_ins()} == set(GIVEN) | {"apprise"}
    with_one = {n for n in publishers.names() if publishers.load(n).networked and publishers.load(n).rehearsed}
    assert with_one <= set(GIVEN) | {"apprise"}  # which gives no receipt that one could look for


@pytest.mark.parametrize("platform", HERE)
def test_a_post_arrives_as_its_reader_should_see_it(platform, account, world, picture, server):
    adapter = account(platform)
    post = shown_post(adapter, picture)
    receipt = send(adapter, post, 1)
    (got,) = world.seen()
    end = len(post.text) if platform in MAILED else None
    assert (got["platform"], got["account"], got["text"][:end]) == (platform, "me", post.text)
    live = {(f["type"], f["start"], f["end"], f["value"]) for f in got["facets"] if end is None or f["end"] <= end}
    dead = {"tag": TAGLESS, "link": LINKLESS}
    told = [f for f in post.facets if platform not in dead.get(f.type, ())]
    assert live == {(f.type, f.start, f.end, f.value) for f in told}
    assert len(got["pictures"]) == len(post.media)
    for shown in got["pictures"]:
        assert Path(shown["path"]).read_bytes() == picture.read()
        assert shown["alt"] == (picture.alt if adapter.limits.alt else "")
    assert got["permalink"].startswith(f"{server}/{platform}/me/posts/")
    for address in {got["permalink"], receipt.url if (receipt.url or "").startswith(server) else got["permalink"]}:
        with urllib.request.urlopen(address) as page:
            assert "The harbour opens again" in page.read().decode()
    with urllib.request.urlopen(f"{server}/_seen") as answer:
        assert json.load(answer) == [got] == seen(world.root)


@pytest.mark.parametrize("platform", sorted(ALONE))
def test_what_nothing_answers_stands_alone_and_comes_down_again(platform, account, world, picture):
    adapter = account(platform)
    receipt = send(adapter, story(platform, picture), 1)
    with pytest.raises(Unsupported):
        send(adapter, Post(text="And the wall is higher."), 2, reply_to=receipt, root=receipt)
    assert len(world.seen()) == 1
    for _ in range(2 if adapter.can("delete") else 0):
        adapter.delete(receipt)
        assert world.seen() == []


@pytest.mark.parametrize("platform", sorted(set(HERE) - ALONE))
def test_a_thread_hangs_together_and_comes_down_again(platform, account, world, picture):
    adapter = account(platform)
    first = send(adapter, story(platform, picture), 1)
    second = send(adapter, Post(text="And the wall is 1.4 m higher (they say)."), 2, reply_to=first, root=first)
    third = send(adapter, Post(text="That is all."), 3, reply_to=second, root=first)
    one, two, three = world.seen()
    assert (one["reply_to"], two["reply_to"]) == (None, one["id"])
    assert three["reply_to"] == (one["id"] if platform in FLAT else two["id"])
    for receipt in (third, second, first, first):  # the last one is gone already, which is as good
        adapter.delete(receipt)
    assert world.seen() == []
    assert len(world.seen(deleted=True)) == 3


@pytest.mark.parametrize(
    "platform",
    sorted(
        {
            "devto",
            "discord",
            "facebook",
            "farcaster",
            "ghost",
            "googlebusiness",
            "hashnode",
            "instagram",
            "linkedin",
            "matrix",
            "mattermost",
            "ntfy",
            "pinterest",
            "tumblr",
            "reddit",
            "rocketchat",
            "slack",
            "teams",
            "telegram",
            "threads",
            "vk",
            "wordpress",
            "x",
            "zulip",
        }
        & set(HERE)
    ),
)
def test_what_the_platform_cannot_express_is_never_sent(platform, account, world):
    adapter = account(platform)
    for post in (Post(text="a", warning="Storm"), Post(text="b", visibility="unlisted")):
        with pytest.raises(Unsupported):
            send(adapter, post, 1)
    assert world.seen() == []


@pytest.mark.parametrize("platform", [p for p in HERE if publishers.load(p).can("find")])
def test_a_look_up_finds_what_was_sent_and_nothing_else(platform, account, picture):
    adapter = account(platform)
    post, other = shown_post(adapter, picture), story(platform, picture, text="Another article, https://example.org/b")
    other = dataclasses.replace(other, link="https://example.org/b")  # some take an address only once
    commit = Commit(key=key(1), at=AT, prepared=adapter.draft(post, key(1), None))
    assert adapter.find(post, commit) == ()
    receipt = adapter.create(post, commit)
    send(adapter, other, 2)
    if platform not in ALONE:
        reply = Post(text="And the wall is 1.4 m higher.")
        answer = Commit(key=key(3), at=AT, reply_to=receipt, root=receipt)
        assert adapter.find(reply, answer) == ()
        second = send(adapter, reply, 3, reply_to=receipt, root=receipt)
        assert [r.id for r in adapter.find(reply, answer)] == [second.id]
    assert [r.id for r in adapter.find(post, commit)] == [receipt.id]
    never = story(platform, picture, text="Never sent")
    assert adapter.find(never, Commit(key=key(4), at=AT, prepared=adapter.draft(never, key(4), None))) == ()


# Who hangs is waited for two seconds; every day by one of each kind of conversation, the others each night.
SPEAKERS = {"mastodon", "nostr", "slack"}
LOST = [
    pytest.param(p, fault, marks=[pytest.mark.nightly] if "hang" in fault and p not in SPEAKERS else [])
    for fault in ("accept-then-drop", "500-after", "garbled", "accept-then-hang")
    for p in HERE
]


@pytest.mark.parametrize(("platform", "fault"), LOST)
def test_a_lost_answer_is_unconfirmed_and_the_post_is_there_once(platform, fault, account, world, picture):
    adapter = account(platform)
    impatient = account(platform, seconds=2) if "hang" in fault else adapter
    world.faults[platform] = Faults([fault])
    post = story(platform, picture)
    commit = Commit(key=key(1), at=AT, prepared=adapter.draft(post, key(1), None))
    unread = fault == "garbled" and platform in UNREAD
    with contextlib.nullcontext() if unread else pytest.raises(Unconfirmed):
        impatient.create(post, commit)
    assert len(world.seen()) == 1
    kind = (adapter.connect().proof or adapter.proof).kind
    if kind is ProofClass.A:
        assert own(adapter.create(post, commit)) == world.seen()[0]["id"]
        assert len(world.seen()) == 1
    if adapter.can("find"):
        assert [own(r) for r in adapter.find(post, commit)] == [world.seen()[0]["id"]]


@pytest.mark.parametrize("platform", HERE)
@pytest.mark.parametrize("fault", ["500-before", "drop-before"])
def test_an_answer_lost_before_anything_was_taken_is_unconfirmed_too(platform, fault, account, world, picture):
    adapter = account(platform)
    world.faults[platform] = Faults([fault])
    post = story(platform, picture)
    commit = Commit(key=key(1), at=AT, prepared=adapter.draft(post, key(1), None))
    with pytest.raises(Unconfirmed):
        adapter.create(post, commit)
    assert world.seen() == []
    if adapter.can("find"):
        assert adapter.find(post, commit) == ()


@pytest.mark.parametrize("platform", HERE)
def test_a_full_platform_says_how_long_to_wait(platform, account, world, picture):
    adapter = account(platform)
    world.faults[platform] = Faults(["429"])
    with pytest.raises(RateLimited) as caught:
        send(adapter, story(platform, picture), 1)
    assert 0 <= caught.value.retry_after <= (900 if platform == "linkedin" else 60)  # which gives no time
    assert world.seen() == []


@pytest.mark.parametrize("platform", HERE)
def test_a_stand_in_that_is_not_there_is_certainly_not_public(platform, account, picture):
    adapter = account(platform)
    adapter.base = "http://127.0.0.1:1"
    with pytest.raises(Unavailable):
        send(adapter, story(platform, picture), 1)


@pytest.mark.parametrize("platform", sorted(set(HERE) - BOUNDLESS))
def test_a_text_one_unit_too_long_is_refused_by_the_stand_in_too(platform, account, world, picture):
    adapter = account(platform)
    room = adapter.limits.text
    media = story(platform, picture).media
    send(adapter, Post(text="a" * room, media=media), 1)
    with pytest.raises(Rejected):
        send(adapter, Post(text="b" * (room + 1), media=media), 2)
    assert len(world.seen()) == 1


@pytest.mark.parametrize(
    "platform",
    sorted(
        {
            "facebook",
            "googlebusiness",
            "hashnode",
            "instagram",
            "linkedin",
            "mastodon",
            "matrix",
            "mattermost",
            "misskey",
            "reddit",
            "threads",
            "vk",
            "x",
        }
        & set(HERE)
    ),
)
def test_an_expired_token_asks_for_a_person(platform, account, picture):
    adapter = account(platform)
    adapter.settings = {**adapter.settings, "access_token": "expired"}
    with pytest.raises(Unauthorized):
        send(adapter, story(platform, picture), 1)


@pytest.mark.parametrize("platform", sorted({"facebook", "linkedin", "mastodon", "x"} & set(HERE)))
def test_an_unknown_picture_is_refused(platform, account, world):
    adapter = account(platform)
    prepared = {"media": [{"id": "urn:li:image:0", "altText": ""} if platform == "linkedin" else "1"]}
    with pytest.raises(Unavailable if platform == "mastodon" else Rejected):  # it says that it may be given again
        adapter.create(article_post(), Commit(key=key(1), at=AT, prepared=prepared))
    assert world.seen() == []


def test_x_refuses_the_same_text_twice_and_the_look_up_settles_it(account, world):
    adapter = account("x")
    receipt = send(adapter, article_post(), 1)
    with pytest.raises(Unconfirmed, match="already has a post"):
        send(adapter, article_post(), 1)
    assert adapter.find(article_post(), Commit(key=key(1), at=AT)) == (receipt,)
    assert len(world.seen()) == 1


@pytest.mark.parametrize("platform", [p for p in HERE if publishers.load(p).can("read_back")])
def test_a_post_is_read_back_as_it_was_sent_until_it_is_gone(platform, account, picture):
    adapter = account(platform)
    limits = adapter.limits
    post = article_post(*([picture] if limits.media else []))
    receipt = send(adapter, post, 1)
    seen = adapter.read_back(receipt, post)
    assert seen.same, seen
    assert seen.pictures in {None, len(post.media)}
    assert seen.alts in {None, ("A blue card",)}
    assert seen.card in {None, True}
    assert not adapter.read_back(receipt, dataclasses.replace(post, text="Something else", facets=(), title="")).same
    if adapter.can("delete") and (platform, "delete") != ("instagram", "delete"):
        adapter.delete(receipt)
        assert adapter.read_back(receipt, post) is None


def test_x_looks_further_than_one_page(account, world):
    adapter = account("x")
    receipt = send(adapter, article_post(), 1)
    for number in range(105):
        adapter.create(Post(text=f"Note {number}"), Commit(key=key(number + 2), at=AT))
    assert adapter.find(article_post(), Commit(key=key(1), at=AT)) == (receipt,)
    assert adapter.find(article_post(), Commit(key=key(1), at=AT + timedelta(hours=1))) == ()


def test_x_gives_a_new_token_for_a_refresh_token_and_says_when_it_does_not(account):
    adapter = account("x", refresh_token="first", client_id="app", client_secret="hush")
    fresh = adapter.refresh()
    assert fresh["access_token"].startswith("given-")
    assert fresh["refresh_token"] not in {"first", ""}
    with pytest.raises(Unauthorized):
        account("x", refresh_token="expired", client_id="app").refresh()
    with pytest.raises(Unauthorized):
        account("x").refresh()


def test_x_counts_what_readers_did(account):
    adapter = account("x")
    assert adapter.metrics(send(adapter, article_post(), 1)) == {"likes": 0, "shares": 0, "replies": 0, "views": 0}


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("plain", 5),
        ("日本語", 6),
        ("👩‍👩‍👧‍👦 family", 9),
        ("see https://example.org/a/very/long/address.", 28),
        ("cafe\u0301", 4),
        ("“quotes”—dash", 13),
    ],
)
def test_the_stand_in_weighs_a_text_as_x_documents_it(text, length):
    assert rehearsed_x.weight(text) == length


def test_lemmy_shows_a_link_with_a_thumbnail_and_words_that_are_no_markup(account, world, picture):
    text = "Harbour\n\n# *no* `no` [no](https://a.example) ~~no~~ :no:\n1. no\n  > no & more\n- no"
    adapter = account("lemmy")
    receipt = send(adapter, dataclasses.replace(article_post(picture, text=text), warning="nsfw", language="en"), 1)
    (got,) = world.seen()
    assert got["text"] == text.replace("\n  >", "\n>")
    assert (got["card"]["url"], got["pictures"][0]["alt"]) == ("https://example.org/harbour?a=1&b=2", "A blue card")
    kept = world.account("lemmy", "me").posts[own(receipt)].own
    assert (kept["name"], kept["nsfw"], kept["language"]) == ("Harbour", True, 37)
    better = article_post(picture, text="Harbours\n\nBetter")
    assert adapter.edit(receipt, better, Commit(key=key(2), at=AT)) == receipt
    assert [p["text"] for p in world.seen()] == ["Harbour\n\nHarbours  \n\nBetter".replace("  \n", "\n")]
    assert len(world.seen()[0]["pictures"]) == 1
    with pytest.raises(Unsupported):
        send(adapter, Post(text="Look", warning="storm"), 3)


def test_lemmy_finds_its_own_post_whatever_its_member_hides_and_counts_what_is_below(account):
    adapter = account("lemmy")
    post = dataclasses.replace(article_post(), warning="nsfw")
    first = send(adapter, post, 1)
    below = send(adapter, Post(text="More"), 2, reply_to=first, root=first)
    assert adapter.find(post, Commit(key=key(1), at=AT)) == (first,)
    assert adapter.metrics(first) == {"likes": 1, "replies": 1}
    assert adapter.edit(below, Post(text="Better"), Commit(key=key(3), at=AT)) == below
    assert adapter.metrics(below) == {"likes": 1, "replies": 0}


def test_lemmy_says_why_a_member_may_not_post_and_opens_a_session_again(account):
    with pytest.raises(Unauthorized, match="only its moderators may post in closed"):
        account("lemmy", community="closed")
    with pytest.raises(Unauthorized, match=r"knows no community missing@far\.example, or does not federate"):
        account("lemmy", community="https://far.example/c/missing")
    with pytest.raises(Unauthorized, match="incorrect_login"):
        account("lemmy", password="wrong")
    with pytest.raises(Unauthorized, match="does not know this session"):
        account("lemmy", access_token="expired")
    with pytest.raises(Unauthorized, match="give a name and a password"):
        account("lemmy", password="")
    assert account("lemmy").refresh() == {"access_token": "session-of-the-member"}


def test_linkedin_names_the_post_that_a_second_one_repeats(account, world):
    adapter = account("linkedin")
    receipt = send(adapter, article_post(), 1)
    with pytest.raises(Unconfirmed) as caught:
        send(adapter, article_post(), 1)
    assert receipt.id in caught.value.what
    assert adapter.find(article_post(), Commit(key=key(1), at=AT)) == (receipt,)


def test_linkedin_reads_back_no_member_s_posts(account):
    adapter = account("linkedin", author="")
    assert adapter.settings["author"].startswith("urn:li:person:")
    assert adapter.connect().proof.kind is ProofClass.C
    send(adapter, article_post(), 1)
    with pytest.raises(PublishError, match="member"):
        adapter.find(article_post(), Commit(key=key(1), at=AT))
    with pytest.raises(Unauthorized, match="belongs to"):
        account("linkedin", author="urn:li:person:other")


def test_linkedin_is_told_every_reserved_character(account, world):
    text = "1 (one) [two] {three|3} <four> a_b *c* ~d~ \\ @all → ✅ #Tag_one #2"
    start = text.index("#Tag_one")
    post = Post(text=text, facets=(Facet(type="tag", start=start, end=start + 8, value="Tag_one"),))
    send(account("linkedin"), post, 1)
    (got,) = world.seen()
    assert got["text"] == text
    assert [f["value"] for f in got["facets"]] == ["Tag_one"]
    assert read_little("cut (here)")[0] == "cut "


def test_linkedin_shows_a_card_with_the_articles_picture_or_several_pictures(account, world, picture):
    card = account("linkedin", embed="card")
    send(card, article_post(picture, text="With a card"), 1)
    send(account("linkedin"), article_post(picture, dataclasses.replace(picture, alt="Again"), text="Two"), 2)
    one, two = world.seen()
    assert (one["card"]["title"], len(one["pictures"])) == ("Harbour", 1)
    assert (two["card"], [p["alt"] for p in two["pictures"]]) == (None, ["A blue card", "Again"])
    assert card.connect().limits == {"link_in_text": False, "media": 1}


def test_linkedin_changes_a_comment_in_its_place_and_counts_only_for_an_organisation(account, world):
    adapter = account("linkedin")
    first = send(adapter, article_post(), 1)
    second = send(adapter, Post(text="More soon"), 2, reply_to=first, root=first)
    assert adapter.edit(second, Post(text="More today"), Commit(key=key(3), at=AT)) == second
    assert [p["text"] for p in world.seen()][1] == "More today"
    assert adapter.metrics(first) == {"likes": 0, "replies": 1}
    with pytest.raises(Unsupported):
        account("linkedin", author="").metrics(first)


def test_x_changes_a_post_within_an_hour_under_a_number_of_its_own(account, world, picture):
    adapter = account("x")
    first = send(adapter, article_post(picture), 1)
    changed = adapter.edit(first, Post(text="It opens on Monday"), Commit(key=key(2), at=AT))
    (got,) = world.seen()
    assert (got["id"], got["text"], len(got["pictures"])) == (changed.id, "It opens on Monday", 1)
    assert changed.id != first.id
    world.now = lambda: datetime.now(UTC) + timedelta(hours=2)
    with pytest.raises(Rejected, match="not permitted to edit"):
        adapter.edit(changed, Post(text="It opens on Tuesday"), Commit(key=key(3), at=AT))


def test_linkedin_shows_a_link_as_a_card_of_its_own(account, world):
    send(account("linkedin"), article_post(), 1)
    assert world.seen()[0]["card"] == {
        "url": "https://example.org/harbour?a=1&b=2",
        "title": "Harbour",
        "description": "",
    }


@pytest.mark.parametrize(
    "platform",
    [
        "discord",
        "facebook",
        "googlebusiness",
        "linkedin",
        "mattermost",
        "ntfy",
        "slack",
        "telegram",
        "vk",
        "webhook",
        "zulip",
    ],
)
def test_a_post_can_be_corrected(platform, account, world, picture):
    adapter = account(platform)
    for number, media in enumerate([(), (picture,)], 1):
        receipt = send(adapter, article_post(*media, text=f"Frist {number}"), number)
        better = article_post(*media, text=f"First {number} 🚢 #Harbour")
        for _ in range(2):
            adapter.edit(receipt, better, Commit(key=key(9), at=AT))
        assert world.seen()[number - 1]["text"] == better.text


def test_telegram_takes_every_repeat_for_a_new_message(account, world):
    adapter = account("telegram")
    ids = [send(adapter, article_post(), 1).id for _ in range(2)]
    assert ids == ["1", "2"]
    assert len(world.seen()) == 2
    assert not adapter.can("find")
    assert adapter.proof.kind is ProofClass.C


def test_telegram_turns_no_text_into_markup(account, world):
    text = "<b>no</b> *no* 🚢 read more"
    start = text.index("read")
    facet = Facet(type="link", start=start, end=len(text), value="https://example.org/a")
    send(account("telegram"), Post(text=text, facets=(facet,)), 1)
    (got,) = world.seen()
    assert got["text"] == text
    assert got["facets"] == [{"type": "link", "start": start, "end": len(text), "value": "https://example.org/a"}]


def test_telegram_s_token_stays_out_of_every_error(account):
    adapter = account("telegram", bot_token="4711:very-secret-token")
    adapter.base = "http://127.0.0.1:1"
    with pytest.raises(Unavailable) as caught:
        send(adapter, article_post(), 1)
    assert "very-secret" not in str(caught.value)


def test_matrix_calls_nobody_and_has_room_for_a_correction_of_the_longest_text(account, world, picture):
    adapter = account("matrix")
    receipt = send(adapter, Post(text="@room <b>@me:rehearsal.example</b> &amp; https://matrix.to/#/@me:x"), 1)
    (got,) = world.seen()
    assert (got["text"], got["facets"]) == ("@room <b>@me:rehearsal.example</b> &amp; https://matrix.to/#/@me:x", [])
    (kept,) = world.account("matrix", "me").posts.values()
    assert kept.own["content"]["m.mentions"] == {}
    for number, worst in enumerate(("a" * 15_000, "&" * 3000, "\n" * 3000 + "a" * 3000, "🚀" * 3750), 20):
        assert adapter.limits.length(worst) == 15_000
        adapter.edit(receipt, Post(text=worst), Commit(key=key(number), at=AT))
        assert world.seen()[0]["text"] == worst
    with pytest.raises(Rejected, match="M_TOO_LARGE"):
        send(adapter, Post(text="a" * 40_000), 9)


def test_matrix_looks_before_it_sends_again_in_another_session(account, world):
    first = account("matrix")
    commit = Commit(key=key(1), at=AT, prepared=first.prepare(article_post(), key(1)))
    receipt = first.create(article_post(), commit)
    other = account("matrix", access_token="another")
    assert other.create(article_post(), commit) == receipt
    assert len(world.seen()) == 1
    bare = dataclasses.replace(commit, prepared={})
    assert other.create(article_post(), bare).id != receipt.id  # which is why it looks


def test_matrix_names_the_right_that_is_missing_and_goes_into_no_encrypted_room(account, server):
    with pytest.raises(Unauthorized, match=r"missing permission: .* power level 0 .* takes 50"):
        account("matrix", access_token="muted")
    with pytest.raises(Unauthorized, match="is not in the room #news"):
        account("matrix", access_token="stranger")
    with pytest.raises(Unauthorized, match="encrypted"):
        account("matrix", room="#secret:rehearsal.example")
    with Http(allow={"127.0.0.1"}) as http:
        given = {**GIVEN["matrix"], "server": f"{server}/matrix/other"}
        assert publishers.load("matrix")(given, http).connect().proof.kind is ProofClass.B


def test_matrix_lists_what_was_taken_away_without_finding_it(account):
    adapter = account("matrix")
    commit = Commit(key=key(1), at=AT, prepared={})
    receipt = adapter.create(Post(text="Once"), commit)
    send(adapter, Post(text="Under it"), 2, reply_to=receipt, root=receipt)
    assert adapter.metrics(receipt) == {"likes": 0, "replies": 1}
    for number in range(105):
        send(adapter, Post(text=f"Note {number}"), number + 10)
    assert adapter.find(Post(text="Once"), commit) == (receipt,)
    adapter.delete(receipt)
    assert adapter.find(Post(text="Once"), commit) == ()


def test_slack_turns_no_text_into_markup_and_calls_nobody(account, world):
    text = "<!channel> <@U1> @here *no* _no_ `no` & <https://a.example|no> :smile: read more"
    start = text.index("read")
    facet = Facet(type="link", start=start, end=len(text), value="https://example.org/a")
    send(account("slack"), Post(text=text, facets=(facet,)), 1)
    (got,) = world.seen()
    assert got["text"] == text
    assert got["facets"] == [{"type": "link", "start": start, "end": len(text), "value": "https://example.org/a"}]


def test_slack_is_looked_through_where_the_app_may_read_and_not_where_it_may_not(account):
    assert account("slack").connect().proof.kind is ProofClass.B
    blind = account("slack", bot_token="blind")
    assert blind.connect().proof.kind is ProofClass.C
    send(blind, article_post(), 1)
    with pytest.raises(Unauthorized, match="missing_scope"):
        blind.find(article_post(), Commit(key=key(1), at=AT))


def test_slack_finds_its_mark_among_messages_that_say_the_same_on_any_page(account):
    adapter = account("slack")
    receipts = [send(adapter, article_post(), number) for number in range(105)]
    for number in (0, 104):
        assert adapter.find(article_post(), Commit(key=key(number), at=AT)) == (receipts[number],)
    assert adapter.find(article_post(), Commit(key=key(105), at=AT)) == ()


def test_slack_shows_a_link_by_itself_only_without_a_picture(account, world, picture):
    adapter = account("slack")
    send(adapter, article_post(), 1)
    send(adapter, article_post(picture), 2)
    assert [bool(p["card"]) for p in world.seen()] == [True, False]


def test_slack_counts_what_readers_did_and_says_when_a_token_is_dead(account):
    adapter = account("slack")
    first = send(adapter, article_post(), 1)
    send(adapter, Post(text="More"), 2, reply_to=first, root=first)
    assert adapter.metrics(first) == {"likes": 0, "replies": 1}
    with pytest.raises(Unauthorized, match="invalid_auth"):
        account("slack", bot_token="expired")


def test_a_webhook_is_signed_anew_and_taken_once(account, world):
    adapter = account("webhook")
    first = send(adapter, article_post(), 1)
    world.now = lambda: datetime.now(UTC) + timedelta(minutes=20)
    adapter.http.now = world.now
    assert send(adapter, article_post(), 1) == first
    assert len(world.seen()) == 1


def test_a_webhook_with_another_secret_or_an_old_time_is_not_believed(account, world):
    with pytest.raises(Unauthorized, match="no matching signature"):
        account("webhook", secret="another")
    adapter = account("webhook")
    world.now = lambda: datetime.now(UTC) + timedelta(minutes=20)
    with pytest.raises(Rejected, match="too old"):
        send(adapter, article_post(), 1)
    for wrong in ({"secret": "whsec_%"}, {"pictures": "some"}):
        with pytest.raises(Unauthorized):
            account("webhook", **wrong)
    with pytest.raises(Unauthorized, match="https"):
        account("webhook", server="")


def test_tumblr_shows_blocks_tags_and_a_card_and_makes_its_draft_public_once(account, world, picture):
    text = "Harbour\n\nIt <b>opens</b> *again*\n\n#Harbour #TownCouncil"
    facets = tuple(Facet(**f) for f in reading.facets(text))
    post = Post(text=text, facets=facets, title="Harbour", link="https://example.org/harbour", media=(picture,))
    adapter = account("tumblr")
    draft = adapter.draft(post, key(1), None)
    assert world.seen() == []
    commit = Commit(key=key(1), at=AT, prepared=draft)
    assert adapter.find(post, commit) == ()
    receipts = [adapter.create(post, commit) for _ in range(3)]
    assert len(set(map(own, receipts))) == 1
    (got,) = world.seen()
    assert (got["text"], [f["value"] for f in got["facets"]]) == (text, ["Harbour", "TownCouncil"])
    assert (got["card"]["url"], got["pictures"][0]["alt"]) == ("https://example.org/harbour", picture.alt)
    assert adapter.find(post, commit) == (receipts[0],)
    better = Post(text="Better", media=(dataclasses.replace(picture, alt="Another"),))
    assert adapter.edit(receipts[0], better, commit) == receipts[0]
    assert [(p["text"], p["pictures"][0]["alt"]) for p in world.seen()] == [("Better", "Another")]
    assert adapter.metrics(receipts[0]) == {"likes": 0, "shares": 0, "replies": 0}
    gone = dataclasses.replace(commit, prepared={"draft": "99"})
    with pytest.raises(Unavailable, match="deleted the draft") as caught:
        adapter.create(post, gone)
    assert caught.value.stale
    with pytest.raises(Unsupported, match="nobody can tell"):
        adapter.find(post, gone)


def test_tumblr_names_the_blogs_there_are_and_waits_where_a_day_is_full(account):
    with pytest.raises(Unauthorized, match="may not post to other; its blogs are me"):
        account("tumblr", blog="other")
    adapter = account("tumblr")
    adapter.settings = {**adapter.settings, "blog": "full"}
    with pytest.raises(RateLimited) as caught:
        send(adapter, Post(text="Look"), 1)
    assert caught.value.retry_after == 3600


def test_wordpress_shows_title_and_tags_in_their_places_and_runs_nothing(account, world, picture):
    text = "Tom & <b>Ann</b>\n\nIt [gallery] opens <!-- wp:html --> &amp; <script>no</script>\n\n#Harbour #TownCouncil"
    facets = tuple(Facet(**f) for f in reading.facets(text))
    adapter = account("wordpress")
    for number in (1, 2):  # the second time the tags are there already
        send(adapter, Post(text=text, facets=facets, title="Tom & <b>Ann</b>", media=(picture,)), number)
    for got in world.seen():
        assert got["text"] == text
        assert [f["value"] for f in got["facets"]] == ["Harbour", "TownCouncil"]
        assert got["pictures"][0]["alt"] == picture.alt


def test_wordpress_publishes_the_draft_that_a_lost_answer_left(account, world):
    adapter = account("wordpress")
    first = adapter.draft(article_post(), key(1), None)
    assert adapter.draft(article_post(), key(1), None) == first
    assert adapter.draft(article_post(), key(2), None) != first
    assert world.seen() == []
    receipts = [adapter.create(article_post(), Commit(key=key(1), at=AT, prepared=first)) for _ in range(3)]
    assert len(set(map(own, receipts))) == 1
    assert len(world.seen()) == 1


def test_wordpress_takes_a_comment_once_and_says_so(account, world, picture):
    adapter = account("wordpress")
    first = send(adapter, article_post(), 1)
    reply = Post(text='It is "higher" -- see the minutes...')
    commit = Commit(key=key(2), at=AT, reply_to=first, root=first)
    receipt = adapter.create(reply, commit)
    with pytest.raises(Unconfirmed, match="already has this comment"):
        adapter.create(reply, commit)
    assert adapter.find(reply, commit) == (receipt,)
    assert adapter.metrics(first) == {"replies": 1}
    better = dataclasses.replace(reply, text="It is higher & drier")
    assert adapter.edit(receipt, better, commit) == receipt
    assert world.seen()[1]["text"] == better.text
    with pytest.raises(Unsupported):
        adapter.create(article_post(picture), commit)


def test_wordpress_corrects_a_post_and_knows_a_trashed_one(account, world):
    adapter = account("wordpress")
    prepared = adapter.draft(article_post(), key(1), None)
    commit = Commit(key=key(1), at=AT, prepared=prepared)
    receipt = adapter.create(article_post(), commit)
    adapter.edit(receipt, article_post(text="Harbour\n\nBetter"), commit)
    assert world.seen()[0]["text"] == "Harbour\n\nBetter"
    adapter.delete(receipt)
    with pytest.raises(Unsupported, match="trash"):
        adapter.find(article_post(), commit)
    with pytest.raises(Unavailable, match="deleted the draft") as caught:
        adapter.create(article_post(), dataclasses.replace(commit, prepared={"draft": "99"}))
    assert caught.value.stale
    with pytest.raises(Unauthorized):
        account("wordpress", app_password="expired")


HOOK = "https://discord.com/api/webhooks/31/hook-token"


def test_discord_turns_no_text_into_markup_and_calls_nobody(account, world):
    text = "# @everyone <@42> **no** _no_ [no](https://a.example) :smile:\n- 1. > ||no|| read more"
    start = text.index("read")
    facet = Facet(type="link", start=start, end=len(text), value="https://example.org/a_(b)")
    send(account("discord"), Post(text=text, facets=(facet,)), 1)
    (got,) = world.seen()
    assert got["text"] == text
    assert [(f["start"], f["value"]) for f in got["facets"]] == [
        (text.index("https"), "https://a.example"),  # an address is live wherever it stands
        (start, "https://example.org/a_%28b%29"),
    ]
    assert read_markdown("**a** <@4> @here") == (
        "a @4 @here",
        [
            {"type": "mention", "start": 2, "end": 4, "value": "4"},
            {"type": "mention", "start": 5, "end": 10, "value": "here"},
        ],
    )


def test_discord_forgets_a_nonce_and_then_the_look_up_settles_it(account, world):
    adapter = account("discord")
    first = send(adapter, article_post(), 1)
    assert send(adapter, article_post(), 1) == first
    proof = adapter.connect().proof
    assert (proof.window, proof.then) == (timedelta(minutes=2), ProofClass.B)
    world.now = lambda: datetime.now(UTC) + timedelta(minutes=4)
    assert send(adapter, article_post(), 1).id != first.id
    assert len(adapter.find(article_post(), Commit(key=key(1), at=AT))) == 2


def test_discord_names_a_right_that_the_bot_lacks_and_trusts_no_empty_list(account, monkeypatch):
    adapter = account("discord")
    monkeypatch.setattr(rehearsed_discord, "EVERYTHING", rehearsed_discord.EVERYTHING & ~(1 << 16))
    proof = adapter.connect().proof
    assert (proof.kind, proof.then) == (ProofClass.A, ProofClass.C)
    with pytest.raises(Unauthorized, match="Read Message History"):
        adapter.find(article_post(), Commit(key=key(1), at=AT))
    monkeypatch.setattr(rehearsed_discord, "EVERYTHING", 1 << 10)
    with pytest.raises(Unauthorized, match="lacks Send Messages, Embed Links, Attach Files"):
        adapter.connect()


def test_discord_looks_further_than_one_page(account):
    adapter = account("discord")
    for number in range(105):
        adapter.create(Post(text=f"Note {number}"), Commit(key=key(number + 2), at=AT))
    receipt = send(adapter, article_post(), 1)
    assert adapter.find(article_post(), Commit(key=key(1), at=AT)) == (receipt,)


def test_a_discord_webhook_writes_corrects_and_deletes_but_neither_reads_nor_replies(account, world, picture):
    adapter = account("discord", token=HOOK)
    assert adapter.connect().proof.kind is ProofClass.C
    receipt = send(adapter, article_post(picture), 1)
    assert send(adapter, article_post(picture), 1).id != receipt.id, "a webhook has no nonce"
    better = dataclasses.replace(article_post(picture, text="Better"), media=(dataclasses.replace(picture, alt="New"),))
    adapter.edit(receipt, better, Commit(key=key(2), at=AT))
    got = next(p for p in world.seen() if p["id"] == receipt.id)
    assert (got["text"], got["pictures"][0]["alt"]) == ("Better", "New")
    assert adapter.metrics(receipt) == {"likes": 0}
    for reply in (Commit(key=key(3), at=AT, reply_to=receipt, root=receipt),):
        with pytest.raises(Unsupported, match="reply"):
            adapter.create(Post(text="More"), reply)
    with pytest.raises(Unsupported, match="read"):
        adapter.find(article_post(), Commit(key=key(1), at=AT))
    adapter.delete(receipt)
    assert len(world.seen()) == 1


def test_discord_says_what_is_wrong_with_a_token_or_channel(account):
    for settings, words in (
        ({"token": "expired"}, "401"),
        ({"token": "https://example.org/hook"}, "not the address of a Discord webhook"),
        ({"token": HOOK.replace("hook-token", "expired")}, "Unknown Webhook"),
        ({"channel_id": "1"}, "Unknown Channel"),
    ):
        with pytest.raises(Unauthorized, match=words):
            account("discord", **settings)


@pytest.mark.parametrize("platform", sorted({"x"} & set(HERE)))
def test_a_picture_too_large_or_no_picture_is_refused(platform, account, tmp_path):
    adapter = account(platform)
    for content in (png(4, 4, padding=5_000_001), b"no picture"):
        (tmp_path / "bad").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        bad = Media(path=str(tmp_path / "bad"), sha256=digest, mime="image/png", width=4, height=4, size=1, alt="")
        with pytest.raises(Rejected):
            adapter.upload(bad)


def test_faults_come_in_order_and_then_at_a_rate_that_can_be_repeated():
    drawn = [[f.next() for _ in range(200)] for f in (Faults(["hang"], ratio=0.25, seed=7), Faults(ratio=0.25, seed=7))]
    assert drawn[0][0] == "hang"
    assert drawn[0][1:] == drawn[1][:-1]
    assert 25 < sum(f is not None for f in drawn[1]) < 75
    with pytest.raises(ValueError, match="unknown faults"):
        Faults.read(["earthquake"])


def test_pictures_are_told_by_their_bytes():
    assert inspect(png(40, 21)) == ("image/png", 40, 21)
    assert inspect(b"<svg/>") is None
    assert inspect(jpeg(40, 21)) == ("image/jpeg", 40, 21)


def test_the_command_serves_this_machine_only_and_remembers(tmp_path):
    command = [sys.executable, "-m", "rehearsal", "--port", "0", "--dir", str(tmp_path)]
    outside = subprocess.run([*command, "--host", "0.0.0.0"], capture_output=True, text=True, timeout=30, check=False)
    assert outside.returncode == 2
    assert "this machine only" in outside.stderr
    for sent in (1, 2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                address = process.stdout.readline().strip()
                with Http(allow={"127.0.0.1"}) as http:
                    adapter = publishers.load("telegram")(
                        {**GIVEN["telegram"], "server": f"{address}/telegram/me"}, http
                    )
                    assert send(adapter, article_post(), sent).id == str(sent)
                    assert http.send("GET", f"{address}/_counts", commit=False).json() == {"telegram": {"me": sent}}
            finally:
                process.kill()
    assert [p["id"] for p in seen(tmp_path)] == ["1", "2"]


@pytest.fixture
def call(server):
    """Speaks to a stand-in with no adapter between: ``call("POST", "/mastodon/me/…", json=…)``."""
    with Http(allow={"127.0.0.1"}) as http:
        yield lambda method, path, **request: http.send(
            method,
            server + path,
            commit=False,
            headers={"Authorization": "Bearer t", **request.pop("headers", {})},
            **request,
        )


def test_a_mastodon_keeps_a_key_for_an_hour_and_per_account(call, world):
    def post(account, text, number):
        headers = {"Idempotency-Key": key(number)}
        return call("POST", f"/mastodon/{account}/api/v1/statuses", headers=headers, json={"status": text}).pick("id")

    first = post("me", "one", 1)
    assert post("me", "one", 1) == first
    assert post("me", "one", 2) != first
    assert post("you", "one", 1) != first
    world.now = lambda: datetime.now(UTC) + timedelta(hours=1, minutes=1)
    assert post("me", "one", 1) != first
    assert world.counts()["mastodon"] == {"me": 3, "you": 1}


def test_a_mastodon_counts_addresses_as_23_and_shows_statuses_as_html(call):
    long = "https://example.org/" + "a" * 600
    fits = "é" * 476 + " " + long
    answer = call("POST", "/mastodon/me/api/v1/statuses", json={"status": fits})
    assert answer.status == 200
    assert f'<a href="{long}"' in answer.json()["content"]
    refused = call("POST", "/mastodon/me/api/v1/statuses", json={"status": "é" + fits})
    assert (refused.status, refused.json()) == (
        422,
        {"error": "Validation failed: Text character limit of 500 exceeded"},
    )
    unknown = call("POST", "/mastodon/me/api/v1/statuses", json={"status": "a", "media_ids": ["9"]})
    assert unknown.status == 422
    assert (
        call("POST", "/mastodon/me/api/v1/statuses", json={"status": "a"}, headers={"Authorization": ""}).status == 401
    )


def test_a_pds_takes_the_same_record_once_and_no_other_under_its_key(call, world):
    session = call(
        "POST", "/bluesky/me/xrpc/com.atproto.server.createSession", json={"identifier": "me", "password": "w"}
    )

    def put(text, rkey="3kzzzzzzzzz22", **more):
        record = {"text": text, "createdAt": "2026-11-24T10:15:00.000Z", **more}
        body = {"repo": session.pick("did"), "collection": "app.bsky.feed.post", "rkey": rkey, "record": record}
        return call("POST", "/bluesky/me/xrpc/com.atproto.repo.putRecord", json={**body, "swapRecord": None})

    first = put("héllo #tag", facets=[_tag_at(7, 11)])
    again = put("héllo #tag", facets=[_tag_at(7, 11)])
    assert first.json() == again.json()
    assert world.seen()[0]["facets"] == [{"type": "tag", "start": 6, "end": 10, "value": "tag"}]
    assert put("other").json()["error"] == "InvalidSwap"
    assert put("x", rkey="not-a-tid").status == 400
    assert put("é" * 301, rkey="3kzzzzzzzzz23").status == 400
    assert put("👩‍👩‍👧‍👦" * 121, rkey="3kzzzzzzzzz23").status == 400
    assert put("x", rkey="3kzzzzzzzzz23", createdAt="yesterday").status == 400
    image = {"$type": "app.bsky.embed.images", "images": [{"alt": "", "image": {"ref": {"$link": "bafkreigone"}}}]}
    assert "Could not find blob" in put("x", rkey="3kzzzzzzzzz23", embed=image).words()
    assert world.counts() == {"bluesky": {"me": 1}}


def _tag_at(start, end):
    tag = {"$type": "app.bsky.richtext.facet#tag", "tag": "tag"}
    return {"index": {"byteStart": start, "byteEnd": end}, "features": [tag]}


def test_a_stranger_s_path_is_no_account(call):
    assert call("GET", "/x/..%2f..%2fetc/2/users/me").status == 404
    assert call("GET", "/x/.hidden/2/users/me").status == 404
    assert call("PUT", "/_faults/nobody", json=[]).status == 404
    assert call("PUT", "/_faults/x", json=["earthquake"]).status == 400
    assert call("PUT", "/_faults/x", json={"ratio": 0.5, "kinds": ["429"], "seed": 1}).status == 204


@pytest.mark.parametrize("platform", sorted({"instagram", "threads"} & set(HERE)))
def test_a_lost_answer_is_settled_by_the_draft_and_the_list(platform, account, world, picture):
    adapter = account(platform)
    post = article_post(picture)
    commit = Commit(key=key(1), at=AT, prepared=adapter.draft(post, key(1), None))
    assert adapter.find(post, commit) == ()
    world.faults[platform] = Faults(["500-before", "accept-then-drop"])
    with pytest.raises(Unconfirmed):
        adapter.create(post, commit)
    assert adapter.find(post, commit) == (), "the draft is there and not published: it may be published again"
    with pytest.raises(Unconfirmed):
        adapter.create(post, commit)
    with pytest.raises(Unconfirmed, match="public already"):
        adapter.create(post, commit)
    assert [r.id for r in adapter.find(post, commit)] == [p["id"] for p in world.seen()]
    assert len(world.seen()) == 1


@pytest.mark.parametrize("platform", sorted({"instagram", "threads"} & set(HERE)))
def test_a_draft_that_is_forgotten_is_made_anew(platform, account, world, picture):
    adapter = account(platform)
    for prepared in ({}, {"container": "17"}):
        with pytest.raises(PublishError) as caught:
            adapter.create(article_post(picture), Commit(key=key(1), at=AT, prepared=prepared))
        assert getattr(caught.value, "stale", False) is True
    assert world.seen() == []


@pytest.mark.parametrize("platform", sorted({"instagram", "threads"} & set(HERE)))
def test_a_picture_without_a_public_address_is_never_asked_for(platform, account, world, picture):
    adapter = account(platform)
    with pytest.raises(Unavailable, match="public address"):
        send(adapter, article_post(dataclasses.replace(picture, url="")), 1)
    with pytest.raises((Rejected, Unavailable)):
        send(adapter, article_post(dataclasses.replace(picture, url=f"{picture.url}-gone")), 1)
    assert world.seen() == []


def test_threads_counts_emoji_in_bytes_makes_one_topic_and_takes_five_links(account, world):
    adapter = account("threads")
    full = "\U0001f6a2" * 125
    assert adapter.limits.length(full) == 500
    send(adapter, Post(text=full), 1)
    with pytest.raises(Rejected, match="500 characters"):
        send(adapter, Post(text=full + "!"), 2)
    send(adapter, Post(text="A #Harbour and a #Wall"), 3)
    assert [f["value"] for f in world.seen()[-1]["facets"]] == ["Harbour"]
    with pytest.raises(Rejected, match="LINK_LIMIT"):
        send(adapter, Post(text=" ".join(f"https://example.org/{n}" for n in range(6))), 4)
    send(adapter, Post(text="Read on", link="https://example.org/harbour"), 5)
    assert world.seen()[-1]["card"]["url"] == "https://example.org/harbour"


def test_threads_is_asked_how_much_it_still_takes(account, world, monkeypatch):
    monkeypatch.setattr(rehearsed_threads, "POSTS", 1)
    adapter = account("threads")
    first = send(adapter, article_post(), 1)
    with pytest.raises(RateLimited, match="takes 1 posts"):
        send(adapter, Post(text="One more"), 2)
    send(adapter, Post(text="A reply has a quota of its own"), 3, reply_to=first, root=first)
    assert adapter.metrics(first) == {"views": 0, "likes": 0, "replies": 0, "shares": 0}
    fresh = adapter.refresh()
    assert fresh["access_token"].startswith("given-")
    assert fresh["expires_at"]


def test_instagram_takes_jpeg_of_a_sensible_shape_and_thirty_hashtags(account, world, picture, tmp_path):
    adapter = account("instagram")

    def shown(content, name):
        (tmp_path / name).write_bytes(content)
        return dataclasses.replace(picture, url=picture.url.replace("card.jpg", name))

    for content, name in ((png(40, 40), "card.png"), (jpeg(40, 400), "tall.jpg"), (jpeg(400, 40), "wide.jpg")):
        with pytest.raises((Rejected, Unavailable), match=r"media type|aspect ratio"):
            send(adapter, Post(text="Look", media=(shown(content, name),)), 1)
    with pytest.raises(Rejected, match="30 hashtags"):
        send(adapter, Post(text=" ".join(f"#a{n}" for n in range(31)), media=(picture,)), 1)
    with pytest.raises(Unsupported, match="needs a picture"):
        send(adapter, Post(text="No picture"), 1)
    assert world.seen() == []
    first = send(adapter, Post(text="Look", media=(shown(jpeg(40, 50), "four-to-five.jpg"),)), 1)
    with pytest.raises(Unsupported, match="takes no picture"):
        send(adapter, Post(text="And look", media=(picture,)), 2, reply_to=first, root=first)


def test_instagram_is_asked_how_much_it_still_takes(account, monkeypatch, picture):
    monkeypatch.setattr(rehearsed_instagram, "POSTS", 1)
    adapter = account("instagram")
    first = send(adapter, article_post(picture), 1)
    with pytest.raises(RateLimited, match="takes 1 posts"):
        send(adapter, article_post(picture), 2)
    assert adapter.metrics(first) == {"views": 0, "likes": 0, "replies": 0, "shares": 0}
    fresh = adapter.refresh()
    assert fresh["access_token"].startswith("given-")
    assert fresh["expires_at"]


def test_instagram_deletes_no_post_for_its_own_sign_in(account, world, picture):
    adapter = account("instagram")
    first = send(adapter, article_post(picture), 1)
    adapter.settings = {k: v for k, v in adapter.settings.items() if k != "server"}
    with pytest.raises(Unsupported, match="in the app"):
        adapter.delete(first)
    assert len(world.seen()) == 1


def test_a_stand_in_fetches_from_this_machine_and_from_nowhere_else(account, world, picture):
    adapter = account("threads")
    for number, url in enumerate(["https://posts.example.org/pull/a", "http://127.0.0.1:1/pull/b"]):
        send(adapter, article_post(dataclasses.replace(picture, url=url)), number)
        assert Path(world.seen()[number]["pictures"][0]["path"]).read_bytes() == PIXEL
    with pytest.raises((Rejected, Unavailable)):
        send(adapter, article_post(dataclasses.replace(picture, url="file:///etc/passwd")), 3)


def test_facebook_refuses_what_it_has_just_taken_and_the_look_up_settles_it(account, world, picture):
    adapter = account("facebook")
    receipt = send(adapter, article_post(picture), 1)
    with pytest.raises(Unconfirmed, match="has just posted this"):
        send(adapter, article_post(picture), 1)
    assert adapter.find(article_post(picture), Commit(key=key(1), at=AT)) == (receipt,)
    send(adapter, Post(text="Something between"), 2)
    send(adapter, article_post(picture), 3)
    assert len(adapter.find(article_post(picture), Commit(key=key(1), at=AT))) == 2


def test_facebook_looks_further_than_one_page_and_counts_comments(account, world):
    adapter = account("facebook")
    first = send(adapter, article_post(), 1)
    for number in range(105):
        send(adapter, Post(text=f"Note {number}"), number + 2)
    assert adapter.find(article_post(), Commit(key=key(1), at=AT)) == (first,)
    comment = send(adapter, Post(text="And the wall is higher."), 200, reply_to=first, root=first)
    assert adapter.metrics(first) == {"likes": 0, "replies": 1, "shares": 0}
    assert adapter.metrics(comment) == {"likes": 0, "replies": 0, "shares": 0}


def test_facebook_posts_with_the_page_s_own_token_and_shows_a_link_as_a_card(account, world):
    adapter = account("facebook")
    assert adapter.settings["access_token"] == "a-page-token"
    assert account("facebook", page_id=adapter.settings["page_id"]).settings["access_token"] == "a-page-token"
    send(adapter, Post(text="Open again", link="https://example.org/harbour"), 1)
    assert world.seen()[0]["card"]["url"] == "https://example.org/harbour"


@pytest.mark.parametrize(
    ("pages", "why"),
    [
        ([], "may post to: none"),
        ([{"id": "7", "name": "Paper"}, {"id": "8", "name": "Radio"}], r"page_id=7 \(Paper\), page_id=8 \(Radio\)"),
        ([{"id": "7", "name": "Paper", "tasks": ["ANALYZE"]}], "may not create content on the Page Paper"),
    ],
)
def test_facebook_says_which_page_or_task_is_missing(pages, why):
    def answer(method, url, **request):
        return Answer(200, {}, json.dumps({"data": pages}).encode(), commit=False, now=AT)

    with Http() as http:
        http.send = answer
        with pytest.raises(Unauthorized, match=why):
            publishers.load("facebook")({"access_token": "token"}, http).connect()


# What make test-live does on the platforms


@pytest.mark.parametrize("platform", HERE)
def test_the_live_journey_goes_out_and_leaves_nothing_behind(platform, server, world, tmp_path, picture):
    settings = {"server": f"{server}/{platform}/me", **GIVEN[platform]}
    journey = Journey(
        platform, settings, tmp_path, picture_url=picture.url, allow=("127.0.0.1",), pause=lambda seconds: None
    )
    journey.run()
    kind = publishers.load(platform)
    assert bool(world.seen()) != kind.can("delete")
    assert len(world.seen(deleted=True)) >= 1 + (kind.limits.thread or kind.limits.comment)
    assert journey.told[0].startswith("connected as ")
    assert any(line.startswith("deleted ") for line in journey.told) == kind.can("delete")


# Servers with Mastodon's API


SERVERS = {  # what the adapter makes of each: class, seconds before a repeat, counting, room, alt text
    "mastodon": ("A", 45, "mastodon", 500, 1500),
    "hollo": ("A", 90, "codepoints", 10_000, 1500),
    "gotosocial": ("B", 45, "codepoints", 5000, 1500),
    "takahe": ("B", 45, "codepoints", 500, 1500),
    "pixelfed": ("B", 45, "codepoints", 500, 1000),
    "pleroma": ("B", 45, "codepoints", 5000, 5000),
    "akkoma": ("B", 45, "codepoints", 5000, 5000),
    "mitra": ("B", 45, "codepoints", 5000, 1500),
}


@pytest.fixture
def on(account, server):
    """Connects an account on one of the servers; gives the adapter and what ``connect`` learned."""

    def connect(software, **settings):
        adapter = account("mastodon", server=f"{server}/mastodon/{software}", **settings)
        return adapter, adapter.connect()

    return connect


def test_the_stand_ins_for_mastodon_are_those_that_the_adapter_tells_apart():
    assert set(SERVERS) == set(rehearsed_mastodon.SERVERS)


@pytest.mark.parametrize("software", SERVERS)
def test_each_server_is_recognised_with_its_own_limits_and_class(software, on):
    adapter, profile = on(software)
    kind, settle, counting, room, alt = SERVERS[software]
    limits = adapter.limits.override(profile.limits)
    assert (profile.proof.kind, profile.proof.settle.total_seconds()) == (kind, settle)
    assert (limits.counting, limits.text, limits.alt) == (counting, room, alt)
    assert profile.settings["software"] == adapter.settings["software"] == software
    assert set(limits.media_types) <= set(adapter.limits.media_types)


@pytest.mark.parametrize("software", SERVERS)
def test_each_server_shows_a_post_its_warning_and_its_reply_once_and_finds_and_drops_them(software, on, picture, world):
    adapter, _ = on(software)
    post = dataclasses.replace(article_post(picture), warning="Flood", language="en", visibility="unlisted")
    commit = Commit(key=key(1), at=AT, prepared=adapter.draft(post, key(1), None))
    assert adapter.find(post, commit) == ()
    first = adapter.create(post, commit)
    second = send(adapter, Post(text="And the wall is higher.", visibility="unlisted"), 2, reply_to=first, root=first)
    one, two = (p for a in world.accounts.values() for p in a.posts.values())
    assert (one.text, one.pictures[0].alt, two.reply_to) == (post.text, "A blue card", one.id)
    assert one.own == {"spoiler_text": "Flood", "visibility": "unlisted", "language": "en"}
    assert adapter.find(post, commit) == (first,)
    changed = adapter.edit(first, dataclasses.replace(post, text="It opens on Monday"), commit)
    assert (changed.id, changed.extra) == (first.id, first.extra)
    assert [p["text"] for p in world.seen()] == ["It opens on Monday", "And the wall is higher."]
    for receipt in (second, first, first):
        adapter.delete(receipt)
    assert world.seen() == []


@pytest.mark.parametrize("software", SERVERS)
def test_the_same_post_again_is_a_second_one_wherever_the_class_says_so(software, on, picture, world):
    adapter, profile = on(software)
    post = article_post(picture)
    commit = Commit(key=key(1), at=AT, prepared=adapter.draft(post, key(1), None))
    receipts = [adapter.create(post, commit) for _ in range(2)]
    if profile.proof.kind is ProofClass.A:
        assert receipts[0] == receipts[1]
        assert len(world.seen()) == 1
    else:
        assert len(world.seen()) == 2
        assert len(adapter.find(post, commit)) == 2


@pytest.mark.parametrize(("software", "statuses"), [("mastodon", 1), ("hollo", 2)])
def test_a_server_that_does_not_see_a_running_request_is_repeated_only_after_a_while(
    software, statuses, on, world, monkeypatch
):
    monkeypatch.setattr(rehearsed_mastodon, "RUNNING", 1.0)  # both look within it, on a busy machine too
    adapters = [on(software)[0] for _ in range(2)]
    commit = Commit(key=key(1), at=AT)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda a: a.create(Post(text="Once"), commit), adapters))
    assert len(world.seen()) == statuses
    adapters[0].create(Post(text="Once"), commit)
    assert len(world.seen()) == statuses


@pytest.mark.parametrize("software", ["pixelfed", "pleroma", "akkoma"])
def test_a_key_that_would_stand_in_the_way_of_another_try_is_never_sent(software, on, picture, world):
    adapter, _ = on(software)
    world.faults["mastodon"] = Faults(["500-after"])
    prepared = adapter.draft(article_post(picture), key(1), None)
    with pytest.raises(Unconfirmed):
        adapter.create(article_post(picture), Commit(key=key(1), at=AT, prepared=prepared))
    assert adapter.create(article_post(picture), Commit(key=key(1), at=AT, prepared=prepared)).id
    assert {p.key for a in world.accounts.values() for p in a.posts.values()} == {""}


@pytest.mark.parametrize("software", SERVERS)
def test_each_server_says_in_its_own_way_that_a_token_is_dead(software, on, world):
    adapter, _ = on(software)
    adapter.settings = {**adapter.settings, "access_token": "expired"}
    with pytest.raises(Unauthorized):
        send(adapter, Post(text="a"), 1, reply_to=Receipt(id="1"))
    with pytest.raises(Unauthorized):
        on(software, access_token="expired")
    assert world.seen() == []


@pytest.mark.parametrize(("software", "kind"), [("mitra", "A"), ("gotosocial", "B"), ("takahe", "B")])
def test_an_unknown_server_is_tried_out_with_posts_that_nobody_else_sees_and_that_go_again(software, kind, on, world):
    adapter, before = on(software)
    assert before.proof.kind == "B"
    learned = adapter.probe(key(7))
    made = [p for a in world.accounts.values() for p in a.posts.values()]
    assert {p.own["visibility"] for p in made} == {"direct"}
    assert world.seen() == []
    again, profile = on(software, **learned)
    assert profile.proof.kind == kind
    assert profile.proof.settle == timedelta(seconds=90 if kind == "A" else 45)
    receipts = [send(again, Post(text="Once"), 1) for _ in range(2)]
    assert len({r.id for r in receipts}) == (1 if kind == "A" else 2)
    _, newer = on(software, **{**learned, "keys": "another version"})
    assert newer.proof.kind == "B"


def test_a_server_that_would_show_a_direct_post_is_found_out_and_left_clean(on, world, monkeypatch):
    adapter, _ = on("mitra")
    shown = rehearsed_mastodon.Mastodon._status

    def loud(self, request, post):
        return {**shown(self, request, post), "visibility": "public"}

    monkeypatch.setattr(rehearsed_mastodon.Mastodon, "_status", loud)
    with pytest.raises(Rejected, match="shows a direct post"):
        adapter.probe(key(7))
    assert world.seen() == []


@pytest.mark.parametrize("software", ["mastodon", "hollo", "pixelfed", "pleroma", "akkoma"])
def test_nothing_is_tried_where_the_software_is_known(software, on, world):
    with pytest.raises(Unsupported):
        on(software)[0].probe(key(7))
    assert world.seen(deleted=True) == []


def test_an_account_may_show_its_posts_to_fewer_people_and_a_post_to_fewer_still(on, world):
    adapter, _ = on("mastodon", visibility="unlisted")
    send(adapter, Post(text="One"), 1)
    send(adapter, Post(text="Two", visibility="private"), 2)
    posts = [p for a in world.accounts.values() for p in a.posts.values()]
    assert [p.own["visibility"] for p in posts] == ["unlisted", "private"]
    with pytest.raises(Unauthorized, match="visibility is one of"):
        on("mastodon", visibility="everybody")


def test_pixelfed_gets_no_post_without_a_picture_and_none_that_it_would_show_to_more_people(on, picture, world):
    adapter, _ = on("pixelfed")
    for post in (Post(text="Words alone"), dataclasses.replace(article_post(picture), visibility="direct")):
        with pytest.raises(Unsupported):
            send(adapter, post, 1)
    assert world.seen() == []


def test_an_empty_public_post_is_what_a_form_would_have_made(call, on, world):
    form = call("POST", "/mastodon/hollo/api/v1/statuses", form={"status": "Harbour"})
    assert (form.status, form.json()["content"]) == (200, "<p></p>")
    adapter, _ = on("hollo")
    send(adapter, Post(text="Harbour"), 1)
    assert [p["text"] for p in world.seen()] == ["", "Harbour"]


def test_a_status_that_came_back_empty_is_never_believed_to_be_the_post(on, monkeypatch):
    adapter, _ = on("hollo")
    monkeypatch.setattr(rehearsed_mastodon, "_content", lambda home, post: "")
    with pytest.raises(Unconfirmed):
        send(adapter, Post(text="Harbour"), 1)


def test_pinterest_shows_title_link_and_picture_and_changes_all_but_the_picture(account, world, picture):
    adapter = account("pinterest")
    first = send(adapter, article_post(picture, text="Harbour\n\nFrist"), 1)
    better = article_post(dataclasses.replace(picture, alt="Another"), text="Harbour\n\nFirst #Harbour")
    assert adapter.edit(first, better, Commit(key=key(2), at=AT)) == first
    (got,) = world.seen()
    assert (got["text"], got["card"]["url"]) == ("Harbour\n\nFirst #Harbour", "https://example.org/harbour?a=1&b=2")
    assert [p["alt"] for p in got["pictures"]] == ["Another"]
    assert adapter.metrics(first) == {"likes": 0, "replies": 0, "views": 0, "clicks": 0}
    with pytest.raises(Unsupported, match="needs a picture"):
        send(adapter, article_post(), 3)


def test_pinterest_names_a_secret_board_a_missing_one_and_an_app_on_trial(account, picture):
    with pytest.raises(Unauthorized, match="the board Drafts is secret"):
        account("pinterest", board_id="7003")
    with pytest.raises(Unauthorized, match="there is no board 9"):
        account("pinterest", board_id="9")
    with pytest.raises(Unauthorized, match="trial access"):
        send(account("pinterest", access_token="trial"), article_post(picture), 1)


def test_reddit_shows_a_link_with_its_text_below_and_takes_it_once(account, world):
    adapter = account("reddit", kind="link")
    post = dataclasses.replace(article_post(text="Harbour\n\n*Ships* by u/ada.\nIn r/ships."), title="Harbour")
    receipt = send(adapter, post, 1)
    (got,) = world.seen()
    assert (got["text"], got["facets"], got["card"]["url"]) == (post.text, [], post.link)
    kept = world.account("reddit", "me").posts[receipt.id].own
    assert kept["title"] == "Harbour"
    assert kept["markdown"] == "\\*Ships\\* by u\\/ada.  \nIn r\\/ships."
    again = Post(text="The same link", link=post.link, title="The same link")
    with pytest.raises(Unconfirmed, match="ALREADY_SUB"):  # perhaps our own, so it is looked for
        send(adapter, again, 2)
    assert len(world.seen()) == 1


def test_reddit_is_read_before_anything_is_sent_again(account, world):
    adapter = account("reddit", kind="link")
    world.faults["reddit"] = Faults(["accept-then-drop"])
    with pytest.raises(Unconfirmed):
        send(adapter, article_post(), 1)
    receipt = send(adapter, article_post(), 1)
    assert own(receipt) == world.seen()[0]["id"]
    assert len(world.seen(deleted=True)) == 1


def test_reddit_names_the_flairs_of_a_subreddit_that_wants_one(account, world):
    with pytest.raises(Unauthorized, match="News, Question"):
        account("reddit", subreddit="r/strictships")
    adapter = account("reddit", subreddit="r/strictships", flair="question")
    receipt = send(adapter, article_post(), 1)
    assert world.account("reddit", "me").posts[receipt.id].own["flair_id"] == "flair-2"


def test_a_title_on_reddit_is_never_changed_and_never_cut_without_the_words_below(account, world):
    adapter = account("reddit")
    receipt = send(adapter, article_post(), 1)
    changed = dataclasses.replace(article_post(text="Harbours\n\nOpen again."), title="Harbours")
    with pytest.raises(Unsupported, match="title"):
        adapter.edit(receipt, changed, Commit(key=key(2), at=AT))
    edited = adapter.edit(receipt, article_post(text="Harbour\n\n1. Open again."), Commit(key=key(3), at=AT))
    assert edited == receipt
    assert world.seen()[0]["text"] == "Harbour\n\n1. Open again."
    long = "word " * 80
    send(adapter, Post(text=long), 4)
    kept = max(world.account("reddit", "me").posts.values(), key=lambda p: p.at).own
    assert len(kept["title"]) <= 300
    assert kept["title"].endswith("word…")
    assert kept["markdown"] == long.strip()


def test_a_signer_on_farcaster_that_was_not_approved_says_so_before_anything_is_posted(account):
    with pytest.raises(Unauthorized, match="pending approval"):
        account("farcaster", signer_uuid="pending-1")


def test_farcaster_shows_the_link_as_an_embed_and_tells_two_links_apart(account, world):
    adapter = account("farcaster", channel="news")
    post, commit = Post(text="Ships", link="https://example.org/a"), Commit(key=key(1), at=AT)
    receipt = adapter.create(post, commit)
    (got,) = world.seen()
    assert (got["text"], got["card"]["url"]) == ("Ships", "https://example.org/a")
    assert world.account("farcaster", "me").posts[receipt.id].own["channel"] == "news"
    assert adapter.find(post, commit) == (receipt,)
    assert adapter.find(dataclasses.replace(post, link="https://example.org/b"), commit) == ()
    assert adapter.metrics(receipt) == {"likes": 0, "shares": 0, "replies": 0}
    with pytest.raises(Rejected, match="256 bytes"):
        adapter.create(Post(text="Long", link="https://example.org/" + "a" * 240), Commit(key=key(2), at=AT))


def test_nostr_says_who_writes_where_a_relay_wants_to_know_and_believes_a_refusal(account, world, server):
    locked = account("nostr", server=f"{server}/nostr/locked")
    first = send(locked, article_post(), 1)
    assert locked.find(article_post(), Commit(key=key(1), at=AT)) == (first,)
    send(locked, Post(text="Yes"), 2, reply_to=first, root=first)
    assert locked.metrics(first) == {"likes": 0, "shares": 0, "replies": 1}
    with pytest.raises(Unauthorized, match="not on the list"):
        send(account("nostr", server=f"{server}/nostr/blocked"), article_post(), 3)
    with pytest.raises(Unauthorized, match="secret key cannot be read"):
        account("nostr", secret_key="nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe6")


def test_nostr_is_public_where_one_relay_has_it_and_unknown_where_one_may(server):
    """Three relays: what one has is published, whatever the others say; what none has for certain is looked for."""
    with Http(allow={"127.0.0.1"}, seconds=5) as http:
        ws = f"ws{server.removeprefix('http')}/nostr"
        given = {**GIVEN["nostr"], "relays": f"ws://127.0.0.1:1 {ws}/blocked/ {ws}/me/"}
        adapter = publishers.load("nostr")(given, http)
        post, commit = article_post(), Commit(key=key(1), at=AT)
        with pytest.raises(Unavailable):
            adapter.find(post, commit)  # one of them could not be asked
        receipt = adapter.create(post, commit)
        assert receipt.extra == {"relays": [f"{ws}/me/"]}
        assert adapter.create(post, commit) == receipt
        assert adapter.find(post, commit) == (receipt,)
        alone = publishers.load("nostr")({**given, "relays": f"ws://127.0.0.1:1 {ws}/blocked/"}, http)
        with pytest.raises(Unavailable):
            alone.create(post, commit)


def test_nostr_gives_a_note_to_relays_that_were_away_unless_it_was_taken_back(server, world, monkeypatch):
    """What was accepted by one is given to the others later, the same to the byte but for its signature."""
    with Http(allow={"127.0.0.1"}, seconds=5) as http:
        ws = f"ws{server.removeprefix('http')}/nostr"

        def on(*names):
            relays = " ".join(f"{ws}/{name}/" for name in names)
            return publishers.load("nostr")({**GIVEN["nostr"], "relays": relays}, http)

        receipt = on("one").create(article_post(), Commit(key=key(1), at=AT))
        assert on("one", "two", "three").spread(receipt) == ()
        assert sorted(p["account"] for p in world.seen()) == ["one", "three", "two"]
        assert {p["id"] for p in world.seen()} == {receipt.id}
        assert on("one", "two", "three").spread(receipt) == ()
        assert on("one", "blocked").spread(receipt) == (f"{ws}/blocked/",)
        assert on("nobody", "nowhere").spread(receipt) == ()

        several = on("one", "four")
        real = several._read

        def taken_back(relay, wanted, seconds):
            return [{"kind": 5}] if 5 in wanted.get("kinds", ()) else real(relay, wanted, seconds)

        monkeypatch.setattr(several, "_read", taken_back)
        assert several.spread(receipt) == ()
        monkeypatch.setattr(several, "_read", lambda *a: [{**e, "content": "Another"} for e in real(*a)])
        assert several.spread(receipt) == (), "what a relay invents is told to nobody"
        assert len(world.seen()) == 3


def test_nostr_waits_for_no_relay_so_long_that_the_next_is_not_told(server, world):
    with Http(allow={"127.0.0.1"}, seconds=6) as http:
        ws = f"ws{server.removeprefix('http')}/nostr"
        adapter = publishers.load("nostr")({**GIVEN["nostr"], "relays": f"{ws}/one/ {ws}/two/"}, http)
        http.expire(6)
        world.faults["nostr"] = Faults(["hang"])
        receipt = adapter.create(article_post(), Commit(key=key(1), at=AT))
        assert receipt.extra == {"relays": [f"{ws}/two/"]}


def test_nostr_counts_as_published_once_as_many_relays_as_wanted_have_it(server, world):
    with Http(allow={"127.0.0.1"}, seconds=5) as http:
        ws = f"ws{server.removeprefix('http')}/nostr"
        given = {**GIVEN["nostr"], "relays": f"{ws}/one/ {ws}/two/", "quorum": "2"}
        adapter, commit = publishers.load("nostr")(given, http), Commit(key=key(1), at=AT)
        world.faults["nostr"] = Faults(["drop-before"])
        with pytest.raises(Unconfirmed, match="1 of 2 relays"):
            adapter.create(article_post(), commit)
        assert adapter.create(article_post(), commit).extra == {"relays": [f"{ws}/one/", f"{ws}/two/"]}
        assert len(world.seen()) == 2
        for wrong in ("0", "3", "all"):
            with pytest.raises(Unauthorized, match="quorum is a number from 1 to 2"):
                publishers.load("nostr")({**given, "quorum": wrong}, http).connect()


@pytest.mark.parametrize("platform", sorted(MAILED))
def test_a_mail_is_sent_once_whatever_is_asked_again_and_shows_the_way_out_of_the_list(
    platform, account, world, picture
):
    adapter = account(platform)
    post = shown_post(adapter, picture)
    commit = Commit(key=key(1), at=AT, prepared=adapter.draft(post, key(1), None))
    receipt = adapter.create(post, commit)
    assert adapter.create(post, commit) == receipt
    (got,) = world.seen()
    leads = [f["value"] for f in got["facets"] if f["start"] >= len(post.text)]
    assert leads == [post.link, adapter.leave.address]
    secret = {"listmonk": "token"}.get(platform, "api_key")
    with pytest.raises(Unauthorized):
        account(platform, **{secret: "expired-us21"})


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise asks for it as it is imported
def test_what_is_behind_an_address_of_apprise_gets_the_message_and_what_ends_badly_was_perhaps_sent(server, world):
    pytest.importorskip("apprise", reason="Apprise is an extra that need not be installed")
    given = {"addresses": "rehearsal", "server": f"{server}/apprise/me"}
    with Http(allow={"127.0.0.1"}, seconds=5) as http:
        adapter = publishers.load("apprise")(given, http)
        assert adapter.connect().name == "JSON"
        post = Post(text="The harbour opens again", link="https://example.org/h", title="Harbour")
        assert adapter.create(post, Commit(key=key(1), at=AT)).id == f"apprise-{key(1)[:20]}"
        (got,) = world.seen()
        assert got["text"] == "Harbour\n\nThe harbour opens again\n\nhttps://example.org/h"
        for fault in ("500-after", "500-before", "accept-then-drop"):
            world.faults["apprise"] = Faults([fault])
            with pytest.raises(Unconfirmed, match="not all went well"):
                adapter.create(post, Commit(key=key(2), at=AT))


def test_ntfy_looks_up_only_what_it_may_read_and_changes_nothing_on_an_old_server(account, world, server):
    assert account("ntfy", access_token="sealed-token").connect().proof.kind is ProofClass.C
    old = account("ntfy", server=f"{server}/ntfy/old-server")
    post, commit = article_post(), Commit(key=key(1), at=AT)
    receipt = old.create(post, commit)
    assert receipt.extra == {}
    assert old.find(post, commit) == (receipt,)
    for act in (lambda: old.edit(receipt, post, commit), lambda: old.delete(receipt)):
        with pytest.raises(Unsupported, match="older than ntfy"):
            act()
    assert len(world.seen()) == 1


def test_ntfy_finds_one_notification_however_often_it_was_changed(account, world, picture):
    adapter = account("ntfy")
    post, commit = article_post(picture, text="C:\\new and „old“"), Commit(key=key(1), at=AT)
    receipt = adapter.create(post, commit)
    adapter.edit(receipt, article_post(text="It opens on Monday"), Commit(key=key(2), at=AT))
    assert adapter.find(post, commit) == (receipt,)
    assert [p["text"] for p in world.seen()] == ["It opens on Monday"]


CALLS = "@all @here @channel *b* _i_ `c` ~town [x] # no\n# Head\n> quote\n- item\n1. one\n\tcode | a\\b {c} $x$ &lt;"


@pytest.mark.parametrize("platform", ["mattermost", "rocketchat", "zulip"])
def test_nothing_that_a_chat_reads_in_an_article_calls_anybody_or_is_markup(platform, account, world):
    adapter, post = account(platform), Post(text=CALLS)
    send(adapter, post, 1)
    (got,) = world.seen()
    assert got["text"].replace("\u2060", "") == CALLS.replace("\t", "")
    assert got["facets"] == []


def test_mattermost_knows_a_repeat_for_a_while_and_says_which_channel_it_is_not_in(account, world):
    adapter, commit = account("mattermost"), Commit(key=key(1), at=AT)
    assert adapter.create(article_post(), commit) == adapter.create(article_post(), commit)
    assert len(world.seen()) == 1
    with pytest.raises(Unauthorized, match=r"@me is not in the channel paper/closed"):
        account("mattermost", channel="paper/closed")
    assert account("mattermost", channel="news").settings["team"] == "paper"


def test_misskey_shows_no_words_of_an_article_as_markup_and_no_search_box(account, world):
    text = (
        "A long search\n\n> **no** $[x2 no] :no: `no` #no </plain> https://intranet/no\n\n#Yes https://example.org/it's"
    )
    tag, link = text.index("#Yes"), text.index("https://example")
    facets = (
        Facet(type="tag", start=tag, end=tag + 4, value="Yes"),
        Facet(type="link", start=link, end=len(text), value=text[link:]),
    )
    adapter = account("misskey")
    send(adapter, Post(text=text, facets=facets), 1)
    (got,) = world.seen()
    assert got["text"].replace("\u2060", "") == text
    assert [(f["type"], f["value"]) for f in got["facets"]] == [("tag", "Yes"), ("link", "https://example.org/it's")]


def test_misskey_names_the_scope_that_a_token_lacks(account):
    with pytest.raises(Unauthorized, match="the token lacks write:notes"):
        account("misskey", access_token="reader")


def test_misskey_gives_a_picture_its_own_alt_text_even_if_the_drive_has_it_already(account, world, picture):
    adapter = account("misskey")
    send(adapter, article_post(picture), 1)
    send(adapter, article_post(dataclasses.replace(picture, alt="Another"), text="Two"), 2)
    assert [p["pictures"][0]["alt"] for p in world.seen()] == ["A blue card", "Another"]


def test_misskey_counts_and_shows_a_warning_and_changes_a_note_only_where_its_server_can(
    account, world, server, picture
):
    adapter = account("misskey", visibility="home")
    first = send(adapter, Post(text="Look", warning="Flood"), 1)
    send(adapter, Post(text="More"), 2, reply_to=first, root=first)
    assert adapter.metrics(first) == {"likes": 0, "shares": 0, "replies": 1}
    kept = world.account("misskey", "me").posts[first.id].own
    assert (kept["cw"], kept["visibility"]) == ("Flood", "home")
    with pytest.raises(Unsupported, match="delete it"):
        adapter.edit(first, Post(text="Better"), Commit(key=key(3), at=AT))
    other = account("misskey", server=f"{server}/misskey/sharkey")
    receipt = send(other, article_post(picture), 4)
    assert other.edit(receipt, Post(text="Better", media=(picture,)), Commit(key=key(5), at=AT)) == receipt
    (got,) = (p for p in world.seen() if p["account"] == "sharkey")
    assert (got["text"], len(got["pictures"])) == ("Better", 1)
    with pytest.raises(Rejected, match="INVALID_PARAM"):
        send(adapter, Post(text="Long", warning="x" * 101), 6)
    cat = publishers.load("misskey")({**GIVEN["misskey"], "server": f"{server}/misskey/cat"}, adapter.http).connect()
    assert cat.proof.kind is ProofClass.B


def test_zulip_puts_each_article_into_a_topic_of_its_own_or_all_into_one(account, world):
    adapter = account("zulip")
    first = send(adapter, article_post(), 1)
    send(adapter, dataclasses.replace(article_post(text="Bees"), title="Bees " * 20), 2)
    send(adapter, Post(text="More soon"), 3, reply_to=first, root=first)
    kept = world.account("zulip", "me").posts
    assert [kept[n].own["topic"] for n in "123"] == ["Harbour", ("Bees " * 12).strip() + "…", "Harbour"]
    send(account("zulip", topic="Articles"), article_post(text="Wall"), 4)
    assert kept["4"].own["topic"] == "Articles"
    long = "The harbour opens again after two years, and ships pass the wall"
    send(account("zulip"), dataclasses.replace(article_post(text=long), title=long), 5)
    assert kept["5"].own["topic"] == "The harbour opens again after two years, and ships pass the…"
    assert adapter.metrics(first) == {"likes": 0}
    with pytest.raises(Unsupported, match="cut"):
        send(adapter, Post(text="*" * 2001), 5)
    for channel, why in (("closed", "does not follow"), ("nowhere", "has no channel")):
        with pytest.raises(Unauthorized, match=why):
            account("zulip", channel=channel)


def test_rocketchat_keeps_one_message_however_often_it_is_sent(account, world):
    adapter, commit = account("rocketchat"), Commit(key=key(1), at=AT)
    receipt = adapter.create(article_post(), commit)
    assert adapter.create(article_post(), commit) == receipt
    blind = account("rocketchat")
    blind.find = lambda *_: ()
    with pytest.raises(Unconfirmed, match="has a message of this id"):
        blind.create(article_post(), commit)
    assert len(world.seen()) == 1
    assert adapter.edit(receipt, Post(text="It opens on *Monday*"), commit) == receipt
    assert world.seen()[0]["text"] == "It opens on *Monday*"
    assert adapter.metrics(receipt) == {"likes": 0, "replies": 0}
    for room, why in (("closed", "is not in the room"), ("nowhere", "has no room")):
        with pytest.raises(Unauthorized, match=why):
            account("rocketchat", room=room)


def test_ghost_publishes_a_draft_once_and_tells_who_changed_it_since(account, world, picture):
    adapter = account("ghost")
    text = "Harbour\n\nIt opens <b>again</b>.\n\n#Ships #Wall"
    facets = tuple(Facet(**f) for f in reading.facets(text))
    post = dataclasses.replace(article_post(picture), text=text, facets=facets)
    prepared = adapter.draft(post, key(1), None)
    assert adapter.draft(post, key(1), None) == prepared  # what an earlier try left is taken up again
    commit = Commit(key=key(1), at=AT, prepared=prepared)
    receipt = adapter.create(post, commit)
    with pytest.raises(Unconfirmed, match="perhaps it is public"):
        adapter.create(post, commit)
    assert adapter.find(post, commit) == (receipt,)
    (got,) = world.seen()
    assert got["text"] == "Harbour\n\nIt opens <b>again</b>."
    assert world.account("ghost", "me").posts[receipt.id].own["tags"] == ["Ships", "Wall"]
    better = dataclasses.replace(post, text="Harbour\n\nIt opens on Monday.", facets=())
    assert adapter.edit(receipt, better, commit) == receipt
    assert adapter.read_back(receipt, better).same
    adapter.delete(receipt)
    with pytest.raises(Unavailable) as caught:
        adapter.create(post, commit)
    assert caught.value.stale
    for wrong, why in (("dead" + "0" * 20 + ":" + "0" * 64, "Invalid token"), ("id:short", "no Admin API key")):
        with pytest.raises(Unauthorized, match=why):
            account("ghost", admin_key=wrong)


def test_devto_publishes_a_draft_that_is_there_and_takes_an_address_once(account, world):
    adapter = account("devto", organization="77")
    text = "Harbour\n\n--- {% embed x %} {{ y }} opens.\n\n#Ships #Wall_1 #a #b #c"
    post = dataclasses.replace(article_post(text=text), facets=tuple(Facet(**f) for f in reading.facets(text)))
    prepared = adapter.draft(post, key(1), None)
    assert adapter.draft(post, key(1), None) == prepared
    commit = Commit(key=key(1), at=AT, prepared=prepared)
    receipt = adapter.create(post, commit)
    assert adapter.create(post, commit) == receipt
    assert adapter.find(post, commit) == (receipt,)
    (got,) = world.seen()
    assert got["text"].replace("\u2060", "") == "Harbour\n\n--- {% embed x %} {{ y }} opens."
    assert world.account("devto", "me").posts[receipt.id].own["tags"] == ["ships", "wall1", "a", "b"]
    assert adapter.read_back(receipt, post).same
    assert adapter.metrics(receipt) == {"likes": 0, "replies": 0}
    with pytest.raises(Rejected, match="already been taken"):
        send(adapter, article_post(text="Harbour\n\nOnce more."), 2)
    adapter.delete(receipt)
    assert world.seen() == []
    assert adapter.read_back(receipt, post) is None


def test_hashnode_says_that_a_publication_needs_its_plan_and_finds_a_post_by_its_own_address(account, world, picture):
    for host, why in (("poor.example.org", "active Pro plan"), ("nowhere.example.org", "knows no publication")):
        with pytest.raises(Unauthorized, match=why):
            account("hashnode", host=host)
    adapter = account("hashnode")
    post = article_post(picture)
    commit = Commit(key=key(1), at=AT, prepared=adapter.draft(post, key(1), None))
    receipt = adapter.create(post, commit)
    with pytest.raises(Unconfirmed, match="no more"):
        adapter.create(post, commit)
    assert adapter.find(post, commit) == (receipt,)
    assert adapter.edit(receipt, article_post(text="Harbour\n\nOn Monday."), commit) == receipt
    assert [p["text"] for p in world.seen()] == ["Harbour\n\nOn Monday."]
    assert adapter.metrics(receipt) == {"likes": 0, "replies": 0, "views": 0}


def test_teams_takes_only_a_workflows_address_and_no_card_that_is_too_large(account, world):
    with pytest.raises(Unauthorized, match="no address of a workflow"):
        account("teams", server="", url="https://teams.example.org/hook")
    adapter = account("teams")
    with pytest.raises(Unsupported, match="larger"):
        send(adapter, Post(text="ü" * 15_000), 1)
    with pytest.raises(Unauthorized, match="any more"):
        send(account("teams", url="gone"), article_post(), 2)
    assert world.seen() == []


def test_a_business_profile_leads_to_the_article_by_a_button_and_says_where_it_takes_no_posts(account, world, picture):
    adapter = account("googlebusiness")
    post, commit = article_post(picture), Commit(key=key(1), at=AT)
    receipt = adapter.create(post, commit)
    (got,) = world.seen()
    assert got["card"]["url"] == post.link
    assert adapter.find(dataclasses.replace(post, link="https://example.org/b"), commit) == ()
    assert adapter.read_back(receipt, post).same
    with pytest.raises(Unauthorized, match="takes no posts"):
        account("googlebusiness", location="accounts/1/locations/closed1")
    with pytest.raises(Unauthorized, match="is written accounts"):
        account("googlebusiness", location="Larkhaven")
    assert account("googlebusiness", location="").settings["location"] == "accounts/1/locations/11"
    with pytest.raises(Rejected, match="call_to_action"):
        account("googlebusiness", button="DANCE").create(article_post(text="Two"), Commit(key=key(2), at=AT))


def test_vk_names_the_right_that_a_token_lacks_and_mentions_nobody(account, world, picture):
    with pytest.raises(Unauthorized, match="the token lacks wall, groups"):
        account("vk", access_token="poor")
    with pytest.raises(Unauthorized, match="is no editor"):
        account("vk", group="closed")
    adapter = account("vk", group="https://vk.com/club22")
    text = "Ask [id1|Ada] or *id2"
    receipt = send(adapter, Post(text=text, link="https://example.org/a"), 1)
    (got,) = world.seen()
    assert got["text"].replace("\u2060", "") == text
    assert (got["facets"], got["card"]["url"]) == ([], "https://example.org/a")
    assert adapter.metrics(receipt) == {"likes": 0, "shares": 0, "replies": 0, "views": 0}
    below = send(adapter, Post(text="More"), 2, reply_to=receipt, root=receipt)
    assert adapter.edit(below, Post(text="Better"), Commit(key=key(3), at=AT)) == below
    assert [p["text"] for p in world.seen()][1] == "Better"
    for act in (lambda: adapter.metrics(below), lambda: adapter.read_back(below, Post(text="Better"))):
        with pytest.raises(Unsupported):
            act()
    assert account("vk", group="").settings["owner"] == "7"


def test_a_bot_in_several_teams_and_a_person_with_several_locations_must_say_which(account, server):
    with pytest.raises(Unauthorized, match="in paper, radio"):
        account("mattermost", server=f"{server}/mattermost/several", channel="news")
    with pytest.raises(Unauthorized, match="one of: accounts/1/locations/11"):
        account("googlebusiness", server=f"{server}/googlebusiness/several", location="")
