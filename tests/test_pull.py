"""Pictures for platforms that fetch them: the address nobody can guess, its end, and what is said when none can be had."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import httpx
import pytest

from publishers.core.errors import Unavailable
from publishers.core.post import Media, Post
from web.app import create_app
from worker import pull
from worker.doctor import _reach
from worker.errors import HandbillError
from worker.model import Account
from worker.pipeline.accounts import Accounts
from worker.pipeline.publish import Engine
from worker.settings import Settings

NOW = datetime.now(UTC)
NAME = "ab" * 32 + ".jpg"
PUBLIC = "https://posts.example.org/handbill/"


@pytest.fixture
def config(tmp_path):
    folder = tmp_path / "media" / NAME[:2]
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(b"a picture")
    return Settings(data_dir=tmp_path, public_url=PUBLIC, _env_file=None)


@pytest.fixture
def media(config):
    path = str(config.data_dir / "media" / NAME[:2] / NAME)
    return Media(path=path, sha256="ab" * 32, mime="image/jpeg", width=4, height=5, size=9, alt="")


@pytest.fixture
def web(config):
    """The web on parts that know nothing but the settings: fetching a picture needs no more."""
    app = create_app(SimpleNamespace(settings=config))

    def ask(method, path, **headers):
        async def once():
            transport = httpx.ASGITransport(app, client=("203.0.113.9", 50000))
            async with httpx.AsyncClient(transport=transport, base_url="https://posts.example.org") as http:
                return await http.request(method, path, headers=headers)

        return asyncio.run(once())

    return ask


def token_of(address):
    return address.removeprefix(f"{PUBLIC}pull/")


def test_an_address_leads_to_its_picture_for_a_day_and_then_to_nothing(config, media):
    token = token_of(pull.address(config, media, NOW))
    assert "/" not in token
    assert pull.opened(config, token, NOW + pull.LIFE - timedelta(seconds=1)) == NAME
    assert pull.opened(config, token, NOW + pull.LIFE) is None


def test_no_other_token_of_ours_and_none_of_anybody_s_is_a_key_to_pictures(config, media, tmp_path):
    other = Settings(data_dir=tmp_path / "other", public_url=PUBLIC, _env_file=None)
    for token in (
        "",
        "x",
        NAME,
        token_of(pull.address(other, media, NOW)),
        token_of(pull.address(config, media, NOW))[:-8],
    ):
        assert pull.opened(config, token, NOW) is None
    secrets = pull._vault(config).lock("main.mastodon", {"name": NAME, "until": "9e12"}).decode()
    assert pull.opened(config, secrets, NOW) is None


def test_a_rehearsal_fetches_from_this_machine(config, media):
    assert pull.address(config, media, NOW, rehearsal=True).startswith("http://127.0.0.1:8484/pull/")


def test_the_web_gives_the_picture_to_whoever_has_the_address(web, config, media):
    path = f"/pull/{token_of(pull.address(config, media, datetime.now(UTC)))}"
    for method in ("GET", "HEAD"):
        answer = web(method, path, via="1.1 proxy")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert web("GET", path).content == b"a picture"


def test_the_web_gives_nothing_else_away(web, config, media):
    old = token_of(pull.address(config, media, NOW - timedelta(days=2)))
    outside = dataclasses.replace(media, path="/etc/passwd")
    gone = dataclasses.replace(media, path=media.path.replace("ab", "cd"))
    for token in (
        old,
        *(token_of(pull.address(config, m, NOW)) for m in (outside, gone)),
        NAME,
        "..%2f..%2fsecret.key",
    ):
        assert web("GET", f"/pull/{token}").status_code == 404


@pytest.mark.parametrize(
    ("url", "found", "why"),
    [
        ("", [], "HANDBILL_PUBLIC_URL is not set"),
        ("posts.example.org", [], "no web address"),
        ("ftp://posts.example.org", [], "no web address"),
        ("https://posts.example.org", OSError("unknown"), "has no address"),
        ("http://127.0.0.1:8484", ["127.0.0.1"], "127.0.0.1 is an address of a private network"),
        ("https://intern.example.org", ["93.184.215.14", "10.0.0.7"], "10.0.0.7 is an address of a private network"),
        ("https://intern.example.org", ["fe80::1%eth0"], "fe80::1%eth0 is an address of a private network"),
    ],
)
def test_an_address_that_the_internet_cannot_reach_is_said_in_one_line(config, url, found, why):
    def resolve(host, port):
        if isinstance(found, Exception):
            raise found
        return [(2, 1, 6, "", (address, port)) for address in found]

    with pytest.raises(HandbillError, match=why) as caught:
        pull.check(config.model_copy(update={"public_url": url}), resolve)
    assert "\n" not in str(caught.value)


def test_a_public_address_is_well(config):
    pull.check(config, lambda host, port: [(2, 1, 6, "", ("93.184.215.14", port))])


def test_the_doctor_says_what_is_wrong_with_the_public_address(config):
    found = _reach(config.model_copy(update={"public_url": "http://127.0.0.1"}))
    assert not found.ok
    assert "private network" in found.found
    assert found.do


def test_an_account_that_could_post_no_picture_is_not_connected(config):
    accounts = Accounts(None, config.model_copy(update={"public_url": ""}), http=lambda **_: pytest.fail("asked"))
    with pytest.raises(HandbillError, match="HANDBILL_PUBLIC_URL is not set"):
        accounts.connect("threads", {"access_token": "token"}, workspace="main")


@pytest.mark.parametrize("public_url", ["", PUBLIC])
def test_a_post_gets_the_addresses_of_its_pictures_when_it_goes_out(config, media, public_url):
    config = config.model_copy(update={"public_url": public_url})
    engine = Engine(None, None, None, config, wake=print, depth=lambda: 0, now=lambda: NOW, rng=random.Random(0))
    account = Account(id="main.threads", platform="threads", name="Paper")
    post = Post(text="Look", media=(media,))
    assert engine._within_reach(Post(text="No picture"), account).media == ()
    if not public_url:
        with pytest.raises(Unavailable, match="HANDBILL_PUBLIC_URL is not set"):
            engine._within_reach(post, account)
        return
    (sent,) = engine._within_reach(post, account).media
    assert pull.opened(config, token_of(sent.url), NOW) == NAME
    assert dataclasses.replace(sent, url="") == media
    assert httpx.URL(sent.url).host == "posts.example.org"
