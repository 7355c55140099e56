"""An address that holds a secret, of a feed or a listener, is asked with it, and stored, shown and logged without it."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from urllib.parse import parse_qs

import httpx
import pytest
from cryptography.fernet import Fernet

from publishers.core.errors import PublishError
from publishers.core.guard import Deadline
from publishers.core.http import Http
from tests.paper import Entry, House, Paper, rss
from web.app import create_app
from worker import cli
from worker import log as logs
from worker.doctor import examine
from worker.embedded import Embedded
from worker.errors import BadSource, Refused
from worker.intake.client import Client
from worker.intake.model import Kind, Source
from worker.intake.private import HIDDEN, is_private, shown, without
from worker.keeping.retention import tidy_once_an_hour
from worker.model import to_json
from worker.people import Actor
from worker.pipeline.follow import Follow
from worker.pipeline.polling import Poller
from worker.settings import settings
from worker.show import source_json
from worker.store import audit, copying
from worker.store.hooks import Subscription
from worker.store.listeners import Listener, Listeners, new_secret
from worker.store.secrets import Vault, is_sealed
from worker.store.sources import Sources

TOKEN = "8fK2pQcanary91xZ"
UU = "3f2b8c1e-9d4a-4b7e-8c21-5a6f7e8d9c0b"


@pytest.mark.parametrize(
    ("address", "seen"),
    [
        ("https://a.example/feed?token=abc", "https://a.example/feed?token=•••"),
        ("https://a.example/feed?lang=de&API_KEY=a&page=2", "https://a.example/feed?lang=de&API_KEY=•••&page=2"),
        ("https://a.example/feed?u=1&sig=aa&X-Signature=bb", "https://a.example/feed?u=1&sig=•••&X-Signature=•••"),
        ("https://ada:pw@a.example:8443/feed", "https://•••@a.example:8443/feed"),
        ("https://a.example/feed?x=9f86d081884c7d659a2feaa0", "https://a.example/feed?x=•••"),
        (
            "https://a.example/private/3f2b8c1e-9d4a-4b7e-8c21-5a6f7e8d9c0b.rss?page=2",
            "https://a.example/private/•••.rss?page=2",
        ),
        ("https://a.example/content/eyJhbGciOi.eyJzdWIi.c2ln", "https://a.example/content/•••"),
        ("https://a.example/rss/Zk9-aQ2xP_7mLr4TbN1w", "https://a.example/rss/•••"),
        ("http://[", HIDDEN),
        (f"https://a.example/feed?uuid={UU}", "https://a.example/feed?uuid=•••"),
        ("https://a.example/feed?pass=kitten&pw=1234", "https://a.example/feed?pass=•••&pw=•••"),
        ("https://a.example/feed?code=8fk2pq&access=91xzk0", "https://a.example/feed?code=•••&access=•••"),
        ("https://a.example/feed?uid=9f86d081884c7d659a2feaa0", "https://a.example/feed?uid=•••"),
        (f"https://a.example/ical/x/private-{'9f86d081' * 4}/a.ics", "https://a.example/ical/x/•••/a.ics"),
        ("https://a.example/feed;token=ab/x?a=1;token=cd", "https://a.example/feed;token=•••/x?a=1;token=•••"),
        ("https://a.example/feed?%74oken=ab", "https://a.example/feed?%74oken=•••"),
        (
            "https://a.example/feed?accessToken=ab&x-api-key=cd&userkey=ef",
            "https://a.example/feed?accessToken=•••&x-api-key=•••&userkey=•••",
        ),
        (f"https://a.example/shows/{'9f86d081' * 3}/{UU}", f"https://a.example/shows/{'9f86d081' * 3}/•••"),
    ],
)
def test_what_is_secret_in_an_address_is_not_shown(address, seen):
    assert shown(address) == seen
    assert is_private(address)
    assert shown(seen) == seen


@pytest.mark.parametrize(
    "address",
    [
        "",
        "https://a.example/feed",
        "https://a.example/?feed=rss2&author=jane&keywords=dikes,locks&tag=north-sea",
        "https://www.youtube.example/feeds/videos.xml?channel_id=UCx3bTq9Vn2LkR7yWz0aPdQw",
        "https://a.example/2026/11/26/council-votes-on-the-2027-budget-after-a-night-of-talks/feed/",
        "https://a.example/section/internationalisation/rss.xml",
        "https://a.example/sitemap-20261126-0001.xml",
        "https://a.example/feed?order=publication_date_descending",
        f"https://a.example/public/shows/{'9f86d081' * 3}",
        f"https://a.example/show/{UU}/podcast.rss",
        "https://www.youtube.example/feeds/videos.xml?list=PLx3bTq9Vn2LkR7yWz0aPdQw4",
        "https://a.example/feed?monkey=capuchin&category_key=politics&session=2026&hashtag=dikes&private=0",
        "https://a.example/feed?code=de&access=everyone&license=by-sa&secretary=jane&author=kim&compass=north",
        "https://a.example/%D0%BD%D0%BE%D0%B2%D0%BE%D1%81%D1%82%D0%B8/feed",
    ],
)
def test_an_address_that_anybody_may_know_is_shown_as_it_is(address):
    assert shown(address) == address
    assert not is_private(address)


@pytest.mark.parametrize(
    ("address", "secret", "seen"),
    [
        ("https://a.example/members/jane?lang=de", True, "https://a.example/•••"),
        ("https://ada:pw@a.example/feed", True, "https://•••@a.example/•••"),
        ("https://a.example/", True, "https://a.example/"),
        (f"https://a.example/feed?token={TOKEN}", False, f"https://a.example/feed?token={TOKEN}"),
        ("https://ada:pw@a.example/feed", False, "https://•••@a.example/feed"),
    ],
)
def test_whoever_knows_better_says_whether_an_address_is_a_secret(address, secret, seen):
    assert shown(address, secret=secret) == seen
    assert shown(seen, secret=secret) == seen
    assert is_private(address, secret=secret) is (seen != address)


def test_an_error_is_told_without_what_is_secret_in_the_address_that_it_is_about():
    address = f"https://a.example/private/{UU}/x?lang=de"
    said = f"https://a.example/private/{UU}/x cannot be read: it leads to http://b.example/{UU}-2, not {UU}."
    assert without(said, address) == (
        "https://a.example/private/•••/x cannot be read: it leads to http://b.example/•••-2, not •••."
    )
    said = "https://a.example/members/jane cannot be read (see https://b.example/help/jane). Check the URL"
    assert without(said, "https://a.example/members/jane", secret=True) == (
        "https://a.example/••• cannot be read (see https://b.example/•••). Check the URL"
    )
    assert without("https://a.example/feed answered 404: no feed", "https://a.example/feed") == (
        "https://a.example/feed answered 404: no feed"
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Embedded.start(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def paper():
    site = Paper()
    hub = f'<link xmlns="http://www.w3.org/2005/Atom" rel="hub" href="{site.base}/hub"/>'
    site.pages["/feed"] = rss(site.base, [Entry("/a", "Tide gates")], hub)
    site.write("/a", "tide gates")
    yield site
    site.close()


@pytest.fixture
def house(server, tmp_path, paper):
    made = House(server, tmp_path, paper, public_url="https://posts.example.org")
    yield made
    made.close()


def plain(house):
    """Everything in Redis that is not encrypted."""
    entries = copying.everything(house.parts.store)
    return b"\n".join(i for e in entries for i in e.items if not is_sealed(i)).decode(errors="replace")


def test_a_private_feed_is_followed_with_its_secret_and_nobody_is_told_it(house, paper, capsys):
    address = f"{paper.base}/feed?token={TOKEN}"
    follow = Follow(house.parts)
    source = follow.add("main", address, name="inside")
    with pytest.raises(Refused, match="is followed already") as refused:
        follow.add("main", address)
    poller = Poller(house.parts.sources, house.parts.intake, house.parts.settings, seen=house.parts.push.seen)
    assert poller.now(house.parts.sources.get(source.id)) == 0
    state = house.parts.sources.state(source.id)
    poller.close()
    follow.close()

    assert [p for p in paper.paths() if p.startswith("/feed")] == [f"/feed?token={TOKEN}"] * 3
    assert state.read
    assert (state.hub, state.topic) == ("", "")  # a hub would have to be told the secret, too
    assert house.parts.hooks.asking(source.id) is None
    [stored] = house.parts.sources.all("main")
    assert stored.address == address
    assert house.parts.sources.several([source.id]) == {source.id: stored}
    assert TOKEN not in plain(house) + str(refused.value) + json.dumps(source_json(stored, state))
    assert source_json(stored, None)["address"] == f"{paper.base}/feed?token={HIDDEN}"
    said = capsys.readouterr()
    assert TOKEN not in said.out + said.err


def test_a_feed_that_moved_to_a_secret_address_is_read_there_and_its_old_secret_forgotten(house, paper, capsys):
    moved = f"{paper.base}/feed?key={TOKEN}"
    paper.pages["/old"] = (301, {"Location": moved}, b"")
    sources = house.parts.sources
    sources.save(Source(id="main.inside", kind=Kind.FEED, address=f"{paper.base}/old?token={TOKEN}-old"))
    poller = Poller(sources, house.parts.intake, house.parts.settings)
    poller.now(sources.get("main.inside"))
    assert sources.get("main.inside").address == moved
    assert TOKEN not in plain(house) + capsys.readouterr().err
    paper.pages["/feed"] = (301, {"Location": f"{paper.base}/open"}, b"")
    paper.pages["/open"] = rss(paper.base, [])
    poller.now(sources.get("main.inside"))
    poller.close()
    assert sources.get("main.inside").address == f"{paper.base}/open"
    assert house.parts.store.client.hlen("handbill:{main}:sources:addresses") == 0


def test_an_address_that_a_version_before_stored_is_read_and_encrypted_within_the_hour(house):
    client, source = (
        house.parts.store.client,
        Source(id="main.old", kind=Kind.FEED, address=f"https://a.example/?key={TOKEN}"),
    )
    client.sadd("handbill:{*}:workspaces", "main")
    client.hset("handbill:{main}:sources", source.id, to_json(source))
    assert house.parts.sources.get(source.id) == source
    tidy_once_an_hour(house.parts)
    assert house.parts.sources.get(source.id) == source
    assert TOKEN not in plain(house)
    assert house.parts.sources.seal("main") == 0


def test_a_source_that_is_said_to_be_a_secret_is_kept_as_one_until_it_is_said_to_be_none(house, paper):
    client, address = house.parts.store.client, f"{paper.base}/feed"
    follow = Follow(house.parts)
    source = follow.add("main", address, name="inside", private=True)
    assert follow.poll(source) == (0, house.parts.sources.state(source.id))
    assert (source.shown, source_json(source, None)["private"]) == (f"{paper.base}/{HIDDEN}", True)
    assert house.parts.sources.get(source.id).address == address
    assert address not in plain(house)
    assert house.parts.sources.state(source.id).hub == ""

    source = follow.change(source, private=False)
    assert (source.shown, client.hlen("handbill:{main}:sources:addresses")) == (address, 0)
    follow.poll(source)
    assert house.parts.sources.state(source.id).hub == f"{paper.base}/hub"
    source = follow.change(source, private=None)
    assert (source.is_private, house.parts.sources.state(source.id).hub) == (False, f"{paper.base}/hub")
    source = follow.change(source, private=True)
    assert (source.is_private, house.parts.sources.state(source.id).hub) == (True, "")
    assert address not in plain(house)

    paper.pages["/feed"] = (302, {"Location": f"{address}/members"}, b"")
    paper.pages["/feed/members"] = (302, {"Location": address}, b"")
    assert "members" not in follow.poll(source)[1].error
    follow.close()


def test_a_public_address_that_moved_to_a_secret_one_is_kept_as_a_secret(house, paper):
    paper.pages["/old"] = (301, {"Location": f"{paper.base}/feed?key={TOKEN}"}, b"")
    sources = house.parts.sources
    sources.save(Source(id="main.inside", kind=Kind.FEED, address=f"{paper.base}/old?token=1", private=False))
    assert f"{paper.base}/old?token=1" in plain(house)
    poller = Poller(sources, house.parts.intake, house.parts.settings)
    poller.now(sources.get("main.inside"))
    poller.close()
    assert (sources.get("main.inside").private, TOKEN in plain(house)) == (None, False)


def test_no_error_of_finding_or_polling_a_feed_tells_its_secret(house, paper, capsys):
    follow, sources, log = Follow(house.parts), house.parts.sources, []
    path = f"/private/{UU}/x"
    del paper.pages["/feed"]
    sources.save(Source(id="main.inside", kind=Kind.FEED, address=f"{paper.base}{path}"))
    for page in (
        (302, {"Location": f"{paper.base}{path}"}, b""),
        (302, {"Location": f"http://[{UU}"}, b""),
        (302, {"Location": f"ftp://a.example/{UU}"}, b""),
        (200, {"Content-Encoding": "br"}, b"x"),
        (404, {}, b""),
        (200, {}, b"no feed"),
    ):
        paper.pages[path] = page
        log.append(follow.poll(sources.get("main.inside"))[1].error)
        with pytest.raises(BadSource) as refused:
            follow.discover(f"{paper.base}{path}")
        log.append(str(refused.value))
    with pytest.raises(BadSource) as refused:
        follow.discover(f"gopher://{paper.host}{path}")
    follow.close()
    assert all(log)
    assert UU not in f"{log} {refused.value}" + plain(house) + capsys.readouterr().err


def test_a_hub_that_a_version_before_told_a_secret_is_left_within_the_hour(house, paper):
    parts, client, address = house.parts, house.parts.store.client, f"{paper.base}/feed?token={TOKEN}"
    client.sadd("handbill:{*}:workspaces", "main")
    paper.pages["/hub"] = (202, {}, b"")
    parts.sources.save(Source(id="main.inside", kind=Kind.FEED, address=address))
    parts.sources.save(Source(id="main.open", kind=Kind.FEED, address=f"{paper.base}/open"))
    for source, topic in (("main.inside", address), ("main.open", f"{paper.base}/open")):
        parts.sources.note(source, hub=f"{paper.base}/hub", topic=topic, read=True)
        token = f"token-of-{source}"
        parts.hooks.subscribe(
            Subscription(source=source, token=token, secret="s" * 32, topic=topic, hub=f"{paper.base}/hub")
        )
    assert TOKEN in plain(house)
    tidy_once_an_hour(parts)
    assert TOKEN not in plain(house)
    left, kept = parts.sources.state("main.inside"), parts.sources.state("main.open")
    assert (left.hub, left.topic, left.lease_until) == ("", "", None)
    assert (kept.hub, kept.topic) == (f"{paper.base}/hub", f"{paper.base}/open")
    assert [parse_qs(body)["hub.mode"] + parse_qs(body)["hub.topic"] for body in paper.sent] == [
        ["unsubscribe", address]
    ]
    assert parts.hooks.subscription("main.inside").mode == "unsubscribe"  # it asks back whether we mean to


def test_lines_of_the_audit_log_that_a_version_before_wrote_lose_their_secret_and_nothing_else(house, monkeypatch):
    parts, client, log = house.parts, house.parts.store.client, "handbill:{main}:audit"
    monkeypatch.setattr(audit, "AT_ONCE", 3)
    client.sadd("handbill:{*}:workspaces", "main")
    secret = f"https://a.example/feed?token={TOKEN}"
    lines = [("source added", secret if n % 4 == 1 else f"https://a.example/{n}") for n in range(10)]
    for what, detail in [*lines, ("approved", f"said of {secret}")]:
        client.xadd(log, {"kind": "user", "by": "ada", "what": what, "detail": detail})
    before = client.xrange(log)
    rows, asked = audit.Audit._rows, []

    def interrupted(*args):
        yield from rows(*args)
        asked.append(args)
        if len(asked) == 2:  # the copy is made, and not in its place yet
            client.xadd(log, {"what": "approved"})

    monkeypatch.setattr(audit.Audit, "_rows", interrupted)
    assert TOKEN not in str([e.detail for e in parts.audit.every("main")][1:])
    tidy_once_an_hour(parts)
    after = client.xrange(log)
    hidden = {b"detail": b"https://a.example/feed?token=" + HIDDEN.encode()}
    wanted = [(at, row | (hidden if n in {1, 5, 9} else {})) for n, (at, row) in enumerate(before)]
    assert after == [*wanted, (after[-1][0], {b"what": b"approved"})]
    assert (parts.audit.mask("main"), list(client.scan_iter(f"{log}:copy*"))) == (0, [])
    parts.audit.record(Actor(kind="person", id="ada", name="Ada"), "source added", workspace="main", detail=secret)
    assert (parts.audit.mask("main"), parts.audit.mask("main")) == (1, 0)
    assert [place for place, _ in client.xrange(log)][:-2] == [place for place, _ in before]


def test_what_is_said_to_be_a_secret_later_is_one_in_the_audit_log_too_and_public_addresses_are_told_there(
    house, paper, monkeypatch
):
    parts, client, log = house.parts, house.parts.store.client, "handbill:{main}:audit"
    client.sadd("handbill:{*}:workspaces", "main")
    monkeypatch.setattr(audit, "AT_ONCE", 3)
    ada, address, public = (
        Actor(kind="user", id="ada", name="Ada"),
        f"{paper.base}/members/jane",
        f"{paper.base}/?sig=a",
    )
    parts.sources.save(Source(id="main.inside", kind=Kind.FEED, address=address))
    parts.sources.save(Source(id="main.open", kind=Kind.FEED, address=public, private=False))
    for line in (("source added", "main.inside"), ("source added", ""), ("approved", "")):
        parts.audit.record(ada, *line, workspace="main", detail=address)
    parts.audit.record(ada, "source added", "main.inside", workspace="main", detail=f"{address}/before-it-moved")
    parts.audit.record(ada, "source added", "main.open", workspace="main", detail=public)
    parts.sources.note("main.inside", error=f"{address} answered 500")
    tidy_once_an_hour(parts)
    assert [e.detail for e in parts.audit.every("main")] == [public, f"{address}/before-it-moved", *[address] * 3]

    rows, finish, kept = audit.Audit._rows, [], client.xrange(log)

    def beside(*args):  # another copy, which knows of no secret here, takes the log's place meanwhile
        yield from rows(*args)
        finish.append(args)
        if len(finish) == 2:
            client.incr(f"{log}:copies")

    monkeypatch.setattr(audit.Audit, "_rows", beside)
    follow = Follow(parts)
    follow.change(parts.sources.get("main.inside"), private=True)
    hidden = f"{paper.base}/{HIDDEN}"
    assert [e.detail for e in parts.audit.every("main")] == [public, hidden, address, hidden, hidden]
    assert [place for place, _ in client.xrange(log)] == [place for place, _ in kept]
    assert (len(finish), list(client.scan_iter(f"{log}:copy*")), client.ttl(log)) == (4, [], -1)
    assert parts.sources.state("main.inside").error == f"{hidden} answered 500"

    # Killed before the lines were changed, the next within the hour changes them.
    follow.change(parts.sources.get("main.open"), private=None)
    parts.audit.record(ada, "source added", "main.open", workspace="main", detail=public)
    monkeypatch.setattr(audit.Audit, "mask", lambda *_, **__: 0)
    follow.change(parts.sources.get("main.open"), private=False)
    follow.change(parts.sources.get("main.open"), private=True)
    follow.close()
    monkeypatch.undo()
    assert next(parts.audit.every("main")).detail == public
    client.delete("handbill:{*}:lately:tidied")
    tidy_once_an_hour(parts)
    assert public not in str([e.detail for e in parts.audit.every("main")])


def test_nothing_is_sealed_while_a_worker_lives_that_could_not_read_it(house, paper):
    parts, client = house.parts, house.parts.store.client
    address = f"{paper.base}/feed?token={TOKEN}"
    source = Source(id="main.inside", kind=Kind.FEED, address=address)
    client.sadd("handbill:{*}:workspaces", "main")
    client.zadd("handbill:{*}:alive", {"intake@old": 1e14})  # all that a version before says
    parts.records.seen_alive("intake@new", seconds=60)
    assert parts.records.older() == ["intake@old"]
    parts.sources.save(source)
    listener, _ = parts.announcer.add("main", address)
    parts.sources.change(source.id, lambda s: replace(s, name="renamed"))
    parts.listeners.change("main", listener.id, lambda known: replace(known, name="renamed"))
    tidy_once_an_hour(parts)
    assert json.loads(client.hget("handbill:{main}:sources", source.id))["address"] == address
    assert json.loads(client.hget("handbill:{main}:listeners", listener.id))["url"] == address
    [waits] = [f for f in examine(parts.settings) if f.check == "older workers"]
    assert waits.found == "1 of a version before: intake@old; secret addresses stay plain in Redis until it is gone"

    client.zrem("handbill:{*}:alive", "intake@old")
    client.delete("handbill:{*}:lately:tidied")
    tidy_once_an_hour(parts)
    assert TOKEN not in plain(house)
    client.zadd("handbill:{*}:alive", {"intake@old": 1e14})  # started once more: what is sealed stays so
    parts.sources.change(source.id, lambda s: replace(s, name="once more"))
    parts.sources.save(parts.sources.get(source.id))
    parts.listeners.change("main", listener.id, lambda known: replace(known, name="once more"))
    assert TOKEN not in plain(house)
    assert parts.sources.get(source.id).address == parts.listeners.find("main", listener.id).url == address


def as_a_version_before(client, key, identity, **values):
    """Change a row as a worker does that knows nothing of what somebody said of an address."""
    row = {n: v for n, v in json.loads(client.hget(f"handbill:{{main}}:{key}", identity)).items() if n != "private"}
    client.hset(f"handbill:{{main}}:{key}", identity, json.dumps(row | values))


def test_what_somebody_said_of_an_address_outlives_whatever_a_version_before_changes(house, paper):
    parts, client, address = house.parts, house.parts.store.client, f"{paper.base}/members/jane?lang=de"
    parts.sources.save(Source(id="main.inside", kind=Kind.FEED, address=address, private=True))
    listener, _ = parts.announcer.add("main", address, private=True)
    assert "members" not in plain(house)
    as_a_version_before(client, "sources", "main.inside", name="renamed")
    as_a_version_before(client, "listeners", listener.id, active=False)
    source, told = parts.sources.get("main.inside"), parts.listeners.find("main", listener.id)
    assert (source.name, source.address, source.private) == ("renamed", address, True)
    assert (told.active, told.url, told.private) == (False, address, True)
    assert [one.private for one in (*parts.sources.all("main"), *parts.listeners.listed("main"))] == [True, True]
    parts.sources.change("main.inside", lambda known: replace(known, accounts=()))
    parts.listeners.change("main", listener.id, lambda known: replace(known, active=True))
    assert "members" not in plain(house)

    # While one lives that cannot read a sealed address, it is plain; that it is a secret is not forgotten meanwhile.
    parts.sources.save(Source(id="main.late", kind=Kind.FEED, address=address, private=True))
    client.hdel("handbill:{main}:sources:addresses", "main.late")
    as_a_version_before(client, "sources", "main.late", address=address)
    assert (parts.sources.seal("main"), parts.sources.seal("main")) == (1, 0)
    assert "members" not in plain(house)

    parts.sources.remove(parts.sources.get("main.inside"))
    parts.listeners.remove(told)
    assert client.hkeys("handbill:{main}:sources:said") == [b"main.late"]
    assert client.hlen("handbill:{main}:listeners:said") == 0


def test_a_public_address_stays_so_whatever_a_version_before_changes_until_it_is_another(house, paper):
    parts, client, address = house.parts, house.parts.store.client, f"{paper.base}/feed?token=abc"
    parts.sources.save(Source(id="main.inside", kind=Kind.FEED, address=address, private=False))
    parts.sources.save(Source(id="main.as-it-looks", kind=Kind.FEED, address=address))
    # It seals whatever looks like a secret.
    locked = parts.sources._vault.lock("address of main.inside", {"address": address})
    client.hset("handbill:{main}:sources:addresses", "main.inside", locked)
    as_a_version_before(client, "sources", "main.inside", address=f"sealed:{shown(address)}")
    assert parts.sources.get("main.inside").address == address
    assert (parts.sources.get("main.inside").private, parts.sources.get("main.as-it-looks").private) == (False, None)
    parts.sources.change("main.inside", lambda known: replace(known, name="renamed"))
    assert address in plain(house)

    as_a_version_before(client, "sources", "main.inside", address=f"{paper.base}/moved?token={TOKEN}")
    assert parts.sources.get("main.inside").private is None
    parts.sources.change("main.inside", lambda known: replace(known, private=None))
    assert client.hlen("handbill:{main}:sources:said") == 0
    secret = f"https://ada:{TOKEN}@a.example/feed"
    parts.sources.save(Source(id="main.inside", kind=Kind.FEED, address=secret, private=False))
    assert parts.sources.get("main.inside").address == secret
    assert TOKEN not in plain(house)


def test_what_is_stored_of_a_sealed_address_is_none_that_anybody_can_ask(house, paper):
    parts, client = house.parts, house.parts.store.client
    parts.sources.save(Source(id="main.inside", kind=Kind.FEED, address=f"{paper.base}/feed?token={TOKEN}"))
    listener, _ = parts.announcer.add("main", f"{paper.base}/hooks/{TOKEN}")
    source = json.loads(client.hget("handbill:{main}:sources", "main.inside"))["address"]
    told = json.loads(client.hget("handbill:{main}:listeners", listener.id))["url"]
    assert (source, told) == (f"sealed:{paper.base}/feed?token={HIDDEN}", f"sealed:{paper.base}/hooks/{HIDDEN}")
    asks = Client(agent="Handbill", allow=[paper.host], ports=None)
    with pytest.raises(BadSource, match="only http and https"):
        asks.get(source, deadline=Deadline(5))
    with Http(seconds=5, allow=[paper.host]) as http, pytest.raises(PublishError):
        http.send("POST", told, commit=False)
    assert paper.asked == []


def test_what_a_version_before_this_sealed_is_sealed_as_this_does(house, paper):
    parts, client = house.parts, house.parts.store.client
    address = f"{paper.base}/feed?token={TOKEN}"
    parts.sources.save(Source(id="main.inside", kind=Kind.FEED, address=address))
    listener, _ = parts.announcer.add("main", address)
    places = (("sources", "main.inside"), ("listeners", listener.id))
    for key, name in places:
        stored = client.hget(f"handbill:{{main}}:{key}", name)
        client.hset(f"handbill:{{main}}:{key}", name, stored.replace(b"sealed:", b""))
    assert parts.sources.get("main.inside").address == parts.listeners.find("main", listener.id).url == address
    assert (parts.sources.seal("main"), parts.listeners.seal("main")) == (1, 1)
    assert (parts.sources.seal("main"), parts.listeners.seal("main")) == (0, 0)
    assert all(b"sealed:http" in client.hget(f"handbill:{{main}}:{key}", name) for key, name in places)
    assert parts.sources.get("main.inside").address == parts.listeners.find("main", listener.id).url == address


def test_a_source_whose_secret_did_not_come_along_says_so_and_asks_nobody(house, paper):
    sources = house.parts.sources
    sources.save(Source(id="main.inside", kind=Kind.FEED, address=f"{paper.base}/feed?token={TOKEN}"))
    house.parts.store.client.delete("handbill:{main}:sources:addresses")  # as an export without a passphrase does
    poller = Poller(sources, house.parts.intake, house.parts.settings)
    poller.now(sources.get("main.inside"))
    poller.close()
    assert (
        sources.state("main.inside").error == "its address is a secret that is not here: remove it, and follow it anew"
    )
    assert paper.asked == []


def test_a_secret_address_outlives_whoever_has_no_key_for_it(house, paper):
    sources, address = house.parts.sources, f"{paper.base}/feed?token={TOKEN}"
    sources.save(Source(id="main.inside", kind=Kind.FEED, address=address))
    other = Sources(house.parts.store, Vault(Fernet.generate_key().decode()))
    assert other.get("main.inside").address == f"{paper.base}/feed?token={HIDDEN}"
    other.change("main.inside", lambda s: replace(s, name="renamed"))
    assert (sources.get("main.inside").address, sources.get("main.inside").name) == (address, "renamed")
    other.save(replace(other.get("main.inside"), name="once more"))
    assert (sources.get("main.inside").address, sources.get("main.inside").name) == (address, "once more")
    other.change("main.inside", lambda s: replace(s, address=f"{paper.base}/open"))
    assert sources.get("main.inside").address == f"{paper.base}/open"
    assert house.parts.store.client.hlen("handbill:{main}:sources:addresses") == 0


def test_of_two_who_change_a_source_neither_puts_the_address_of_before_back(house, paper):
    sources, address = house.parts.sources, f"{paper.base}/feed?token={TOKEN}"
    sources.save(Source(id="main.inside", kind=Kind.FEED, address=address))
    seen = []

    def slowly(source):
        if not seen:
            sources.change("main.inside", lambda s: replace(s, address=f"{address}-new"))
        seen.append(source.address)
        return replace(source, name="renamed")

    sources.change("main.inside", slowly)
    assert (sources.get("main.inside").address, sources.get("main.inside").name) == (f"{address}-new", "renamed")
    assert seen == [address, f"{address}-new"]


def test_the_address_may_be_read_from_a_file_and_is_in_no_list_of_processes(
    house, paper, tmp_path, monkeypatch, capsys
):
    (tmp_path / "address").write_text(f"{paper.base}/feed?token={TOKEN}\n")
    for name, value in {
        "REDIS_URL": house.parts.settings.redis_url or house.parts.store.where,
        "DATA_DIR": str(house.parts.settings.data_dir),
        "ALLOW_HOSTS": paper.host,
    }.items():
        monkeypatch.setenv(f"HANDBILL_{name}", value)
    settings.cache_clear()
    monkeypatch.setattr(sys, "argv", ["handbill", "sources", "add", f"@{tmp_path}/address", "--name", "inside"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    settings.cache_clear()
    said = capsys.readouterr()
    assert (ended.value.code, said.err) == (0, "")
    assert said.out == f"inside is followed: {paper.base}/feed?token={HIDDEN}\n"
    assert f"/feed?token={TOKEN}" in paper.paths()


def test_a_listener_is_told_at_its_secret_address_and_nobody_is_shown_it(house, paper):
    client, address = house.parts.store.client, f"{paper.base}/hooks/{TOKEN}/x?token={TOKEN}"
    listener, secret = house.parts.announcer.add("main", address)
    assert house.parts.listeners.find("main", listener.id).url == address
    assert [one.url for one in house.parts.listeners.listed("main")] == [address]
    assert house.parts.listeners.secret(listener) == secret
    assert TOKEN not in plain(house)

    client.hset("handbill:{main}:listeners", listener.id, to_json(listener))  # as a version before has stored it
    assert house.parts.listeners.find("main", listener.id).url == address
    assert (house.parts.listeners.seal("main"), house.parts.listeners.seal("main")) == (1, 0)
    assert TOKEN not in plain(house)
    assert house.parts.listeners.find("main", listener.id) == listener
    assert house.parts.listeners.secret(listener) == secret

    house.parts.listeners.change("main", listener.id, lambda known: replace(known, active=False))
    assert house.parts.listeners.find("main", listener.id).url == address
    client.delete("handbill:{main}:listener-secrets")
    gone = house.parts.listeners.find("main", listener.id)
    assert gone.shown == gone.url == f"{paper.base}/hooks/{HIDDEN}/x?token={HIDDEN}"


def test_a_listener_that_repeats_its_address_is_kept_without_the_secret(house, paper):
    path = f"/hooks/{TOKEN}/x.json?token=a%2Bb-{TOKEN}&lang=de"
    said = f"Cannot POST {path} of {paper.base}{path}: no {TOKEN}, no a+b-{TOKEN}; "
    paper.pages[path.partition("?")[0]] = (404, {"Content-Type": "text/plain"}, said.encode() * 9)
    listener, _ = house.parts.announcer.add("main", f"{paper.base}{path}")
    notice = house.parts.announcer.test(listener)
    [(_, answer)] = notice.answers
    assert answer.startswith("404 Cannot POST •••")
    assert len(answer) > 100
    assert TOKEN[:8] not in answer + plain(house)


def test_of_two_who_change_a_listener_neither_undoes_the_other(house, paper):
    listeners, address = house.parts.listeners, f"{paper.base}/hooks/{TOKEN}"
    listener, secret = house.parts.announcer.add("main", address)
    seen = []

    def slowly(known):
        if not seen:
            listeners.change("main", listener.id, lambda one: replace(one, active=False))
        seen.append(known.active)
        return replace(known, name="renamed")

    listeners.change("main", listener.id, slowly)
    assert listeners.find("main", listener.id) == replace(listener, active=False, name="renamed")
    assert (seen, listeners.secret(listener)) == ([True, False], secret)


def test_a_listener_whose_secret_no_key_opens_stops_neither_the_hourly_tidy_nor_the_others(house, paper):
    client, listeners = house.parts.store.client, house.parts.listeners
    other = Listeners(house.parts.store, Vault(Fernet.generate_key().decode()))
    lost, well = (Listener(id=i, workspace="main", url=f"{paper.base}/{i}/{TOKEN}") for i in ("lost", "well"))
    other.save(lost, new_secret())
    listeners.save(well, new_secret())
    there = client.hget("handbill:{main}:listener-secrets", "lost")
    for one in (lost, well):
        client.hset("handbill:{main}:listeners", one.id, to_json(one))
    client.sadd("handbill:{*}:workspaces", "main")
    tidy_once_an_hour(house.parts)
    assert client.hget("handbill:{main}:listener-secrets", "lost") == there
    assert {one.id: one.url for one in listeners.listed("main")} == {"lost": lost.url, "well": well.url}
    assert house.parts.announcer.test(lost).answers[0][1].startswith("The secrets of lost cannot be read")


def test_a_mistake_of_ours_tells_the_log_which_route_it_was_and_not_whose_address(house, monkeypatch, capsys):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(house.parts.hooks, "find", broken)
    logs.configure("error")
    transport = httpx.ASGITransport(create_app(house.parts), client=("127.0.0.1", 1), raise_app_exceptions=False)

    async def ask(path):
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8484") as client:
            return await client.post(path)

    answer = asyncio.run(ask(f"/hooks/{TOKEN}"))
    said = capsys.readouterr().err
    assert answer.status_code == 500
    assert '"path": "/hooks/{token}"' in said
    assert "ZeroDivisionError" in said
    assert TOKEN not in said
