"""The Nostr adapter against a real relay on this machine: what it takes, what it says to a repeat, what it forgets."""

import contextlib
import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from publishers.core.errors import Rejected, Unauthorized, Unavailable
from publishers.core.http import Http
from publishers.core.post import Commit, Facet, Post
from publishers.nostr import Nostr
from tests.servers import nostr_relay
from tests.servers.installed import served

pytestmark = pytest.mark.nightly

SECRET = hashlib.sha256(b"a key of the tests").hexdigest()
TEXT = 'Übermorgen 🚢 "\\ \t& more\n\nhttps://example.org/h?a=1&b=2 #Harbour'
LINK = "https://example.org/h?a=1&b=2"
POST = Post(
    text=TEXT,
    facets=(
        Facet(type="link", start=TEXT.index(LINK), end=TEXT.index(LINK) + len(LINK), value=LINK),
        Facet(type="tag", start=TEXT.index("#"), end=len(TEXT), value="Harbour"),
    ),
    link=LINK,
    language="de",
    warning="Flood",
)


def key(number):
    return hashlib.sha1(str(number).encode()).hexdigest()


@pytest.fixture(scope="module")
def relay():
    with served(nostr_relay, "the relay") as address:
        yield address


@pytest.fixture
def account(relay):
    """An account on the relay; called with settings, the same one with these changed."""
    with contextlib.ExitStack() as stack:

        def opened(**more):
            http = stack.enter_context(Http(seconds=20, allow={"127.0.0.1"}))
            return Nostr({"secret_key": SECRET, "relays": relay, **more}, http)

        yield opened


def now():
    return datetime.now(UTC)


def test_connecting_reads_what_the_relay_says_of_itself_and_of_the_key(account):
    profile = account().connect()
    assert profile.name.startswith("npub1")
    assert profile.limits["media"] == 0


def test_a_note_is_taken_once_however_often_it_is_told_and_found_by_its_id(account):
    commit = Commit(key=key(1), at=now())
    assert account().find(POST, commit) == ()
    receipt = account().create(POST, commit)
    for _ in range(3):
        assert account().create(POST, commit) == receipt
    assert account().find(POST, commit) == (receipt,)
    assert account().find(POST, Commit(key=key(2), at=commit.at)) == ()
    (event,) = account()._read(receipt.extra["relays"][0], {"ids": [receipt.id]}, 20)
    assert event["content"] == TEXT
    assert ["t", "harbour"] in event["tags"]
    assert ["content-warning", "Flood"] in event["tags"]


def test_a_thread_hangs_together_is_counted_and_taken_away(account):
    first = account().create(Post(text="One"), Commit(key=key(3), at=now()))
    second = account().create(Post(text="Two"), Commit(key=key(4), at=now(), reply_to=first, root=first))
    account().create(Post(text="Three"), Commit(key=key(5), at=now(), reply_to=second, root=first))
    assert account().metrics(first) == {"likes": 0, "shares": 0, "replies": 2}
    assert account().metrics(second) == {"likes": 0, "shares": 0, "replies": 1}
    for _ in range(2):
        account().delete(second)
    assert account().find(Post(text="Two"), Commit(key=key(4), at=now(), reply_to=first, root=first)) == ()
    assert account().metrics(first)["replies"] == 1


def test_what_the_relay_does_not_want_is_told_in_its_own_words(account):
    with pytest.raises(Rejected, match="invalid"):
        account().create(Post(text="From long ago"), Commit(key=key(6), at=now() - timedelta(days=4000)))
    with pytest.raises(Unauthorized, match="cannot be read"):
        account(secret_key="nsec1wrong").connect()


def test_one_relay_that_is_gone_does_not_keep_a_note_from_the_other(account, relay):
    several = account(relays=f"ws://127.0.0.1:1 {relay}")
    commit = Commit(key=key(7), at=now())
    with pytest.raises(Unavailable):
        several.find(POST, commit)
    assert several.create(POST, commit).extra == {"relays": [relay]}
    assert several.find(POST, commit)
