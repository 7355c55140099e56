"""Connecting by consent, end to end against the stand-ins: the way there and back, what is forged, lost, late or refused."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest

import publishers
from publishers.core.errors import Unauthorized
from publishers.core.http import Http
from publishers.core.post import Commit, Post
from tests.simulator import seamed_store
from worker import log as logs
from worker.embedded import Embedded
from worker.errors import HandbillError, NotFound, Refused
from worker.pipeline.accounts import Accounts, Renewed
from worker.pipeline.connect import Begun, Choosing, Connecting, Elsewhere
from worker.pipeline.renewal import Renewals
from worker.settings import Settings
from worker.store import Deliveries, Records, keys
from worker.store.secrets import Vault

KEY = "7Hn2y1Zq3mZ3p6Yp0bq2kqXx0W1m8dKQ3o0v8m0m0mE="
BROWSER, OTHER = "the-session-of-a-browser", "the-session-of-another"
NAMES = [n for n in publishers.names() if publishers.load(n).oauth]
STAYS = {"misskey"}  # where whoever says no stays on the platform's page
CHOOSE = {
    "pinterest": 2,
    "tumblr": 2,
    "facebook": 2,
    "googlebusiness": 2,
    "linkedin": 2,
    "slack": 2,
    "discord": 2,
    "vk": 3,
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with seamed_store(tmp_path_factory.mktemp("connect")) as opened:
        yield opened


class House:
    """Everything that connects, on a store with nothing in it; ``faults`` break the answers to come."""

    def __init__(self, store, folder, rehearsal):
        self.client = store.client
        self.records = Records(store, Vault(KEY))
        self.deliveries = Deliveries(store)
        self.config = Settings(data_dir=folder, rehearsal_url=rehearsal)
        self.now = datetime.now(UTC)
        self.accounts = Accounts(self.records, self.config, http=self.http, now=lambda: self.now)
        self.connecting = Connecting(self.accounts, self.records, self.deliveries, self.config)
        self.renewals = Renewals(self.records, self.deliveries, self.accounts, now=lambda: self.now)
        self.faults = []
        self.sent = []

    def http(self, **options):
        made = Http(**options)
        send = made._transport.handle_request

        def through(request):
            self.sent.append(request)
            if self.faults:
                fault = self.faults.pop(0)
                if fault == "lost":
                    send(request).read()
                    raise httpx.ReadError("gone", request=request)
                if fault:
                    raise fault
            return send(request)

        made._transport.handle_request = through
        return made

    def begin(self, platform, **options) -> Begun:
        given = {"workspace": "main", "browser": BROWSER, "rehearsal": True, **options}
        return self.connecting.begin(platform, given.pop("given", {}), **given)

    def back(self, begun, query, *, browser=BROWSER):
        return self.connecting.finish(query, browser=browser, place=urlsplit(begun.redirect).path)

    def connect(self, platform, **options):
        begun = self.begin(platform, **options)
        found = self.back(begun, consent(begun.address))
        return self.connecting.choose(found.pick, 0, browser=BROWSER) if isinstance(found, Choosing) else found

    def secrets(self, account):
        return self.records.secrets(account)

    def stored(self):
        """Everything in Redis, as one text."""
        found = []
        for key in self.client.scan_iter(f"{keys.PREFIX}:*"):
            match self.client.type(key):
                case b"hash":
                    found += [key, *(part for pair in self.client.hgetall(key).items() for part in pair)]
                case b"string":
                    found += [key, self.client.get(key)]
        return b"\n".join(found).decode()


@pytest.fixture
def house(store, tmp_path, rehearsal):
    store.client.flushdb()
    return House(store, tmp_path, rehearsal)


def consent(address, *, allow=True, without=()):
    """What a person's browser does on the platform's page; returns what it is sent back with."""
    with httpx.Client(verify=False, trust_env=False) as browser:  # which reads no certificates for a page of ours
        page = browser.get(address)
        assert page.status_code == 200, page.text
        scopes = [s for s in re.findall(r'name="scope" value="([^"]+)"', page.text) if s not in without]
        answer = browser.post(address, data={"decision": "allow" if allow else "deny", "scope": scopes})
    assert answer.status_code == 302, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


# The whole way


@pytest.mark.parametrize("name", NAMES)
def test_consent_connects_an_account_that_can_post(house, name):
    account = house.connect(name)

    assert account.id == f"main.{name}-rehearsal"
    assert account.settings["client_id"]
    assert not set(house.secrets(account)) & set(account.settings)
    account, adapter = house.accounts.open(account.id)
    with adapter.http:
        if name != "pinterest" and (not adapter.pulls or name == "threads"):  # which take nothing without a picture
            post, key = Post(text=f"Hello {name}"), "5e1fc0de" * 5
            prepared = adapter.draft(post, key, None)
            receipt = adapter.create(post, Commit(key=key, at=datetime.now(UTC), prepared=prepared))
            assert receipt.id


def test_vk_s_device_comes_back_with_the_code_and_goes_with_every_renewal(house):
    begun = house.begin("vk")
    query = consent(begun.address)
    with pytest.raises(Refused, match="device_id of the sign-in is not known"):
        house.back(begun, {k: v for k, v in query.items() if k != "device_id"})

    account = house.connect("vk", name="again")
    assert account.settings["device_id"].startswith("device-")
    _, adapter = house.accounts.open(account.id)
    with adapter.http:
        for device, words in (("", "is not known"), ("device-of-another", "not the one that this was given to")):
            with pytest.raises(Unauthorized, match=words):
                type(adapter)({**adapter.settings, "device_id": device}, adapter.http).refresh()
        renewed = adapter.refresh()
    assert renewed["refresh_token"] != house.secrets(account)["refresh_token"]
    assert renewed["access_token"] != house.secrets(account)["access_token"]


@pytest.mark.parametrize("name", NAMES)
def test_check_names_the_account_of_every_platform(house, name):
    account = house.connect(name)

    assert house.accounts.check(account).name == account.name


@pytest.mark.parametrize(("name", "number"), CHOOSE.items())
def test_who_may_post_to_several_places_chooses_one(house, name, number):
    role = {"role": "organization"} if publishers.load(name).oauth.roles else {}
    begun = house.begin(name, name="several", **role)
    found = house.back(begun, consent(begun.address))

    assert isinstance(found, Choosing)
    assert len(found.labels) == number
    assert house.records.accounts("main") == [], "nothing is connected before"
    assert house.connecting.choosing(found.pick, browser=BROWSER) == found
    account = house.connecting.choose(found.pick, 0, browser=BROWSER)
    assert account.id == f"main.{name}-several"
    with pytest.raises(Refused, match="nothing to choose from any more"):
        house.connecting.choose(found.pick, 0, browser=BROWSER)


def test_a_choice_belongs_to_the_browser_and_the_workspace_that_began_it(house):
    begun = house.begin("facebook", name="several")
    found = house.back(begun, consent(begun.address))

    for act in (house.connecting.choosing, lambda pick, browser: house.connecting.choose(pick, 0, browser=browser)):
        with pytest.raises(Refused, match="nothing to choose from"):
            act(found.pick, browser=OTHER)
    with pytest.raises(Refused, match="another workspace"):
        house.connecting.choose(found.pick, 0, browser=BROWSER, workspace="other")
    with pytest.raises(HandbillError, match="no such choice"):
        house.connecting.choose(found.pick, 7, browser=BROWSER)
    assert house.connecting.choose(found.pick, 0, browser=BROWSER, workspace="main").name


def test_an_app_is_registered_once_for_all_accounts_of_a_server(house):
    first = house.connect("mastodon")
    (app,) = house.records.connections.apps("main")
    assert app.startswith("mastodon@http://127.0.0.1")
    again = house.connect("mastodon")

    assert again.settings["client_id"] == first.settings["client_id"]
    assert sum(r.url.path.endswith("/api/v1/apps") for r in house.sent) == 1
    known = house.records.connections.app("main", app)
    assert known["client_secret"] not in house.stored()


def test_an_app_that_no_account_uses_is_registered_anew(house):
    """Servers forget an app that nobody used for a day, and their page would say so to the person alone."""
    one, other = house.begin("mastodon"), house.begin("mastodon")

    assert one.address.partition("client_id=")[2][:24] != other.address.partition("client_id=")[2][:24]


def test_one_that_is_connected_again_goes_on_with_its_calendar_and_is_no_longer_paused(house):
    account = house.connect("x")
    house.records.change_account(
        account.id, lambda a, _: (dataclasses.replace(a, zone="Asia/Kolkata", brand="b"), None)
    )
    house.deliveries.pause(f"connect:{account.id}", until=None, why="token gone")

    again = house.connect("x")

    assert (again.id, again.zone, again.brand) == (account.id, "Asia/Kolkata", "b")
    assert house.deliveries.paused() == {}


# Forged, replayed, late


def test_an_answer_works_once(house):
    begun = house.begin("x")
    query = consent(begun.address)
    house.back(begun, query)

    with pytest.raises(Refused, match="used before, or too late"):
        house.back(begun, query)


def test_a_state_that_was_never_given_is_refused_and_nothing_is_sent(house):
    begun = house.begin("x")
    query = consent(begun.address)
    house.sent.clear()

    for state in ("", "x", begun.state[:-1], begun.state + "A"):
        with pytest.raises(Refused, match="belongs to nothing that is under way"):
            house.back(begun, {**query, "state": state})
    assert house.sent == []


def test_another_browser_s_answer_is_refused_and_is_worth_nothing_then(house):
    begun = house.begin("x")
    query = consent(begun.address)
    house.sent.clear()

    for browser in (OTHER, ""):
        with pytest.raises(Refused):
            house.back(begun, query, browser=browser)
    with pytest.raises(Refused, match="belongs to nothing"):
        house.back(begun, query)
    assert house.sent == []
    assert house.records.accounts("main") == []


def test_an_answer_at_another_platform_s_address_is_refused(house):
    begun = house.begin("x")

    with pytest.raises(Refused, match="wrong address"):
        house.connecting.finish(consent(begun.address), browser=BROWSER, place="/connect/mastodon")
    assert house.records.accounts("main") == []


def test_an_answer_that_names_another_server_is_refused(house):
    begun = house.begin("mastodon")
    house.sent.clear()

    with pytest.raises(Refused, match="another server than was asked"):
        house.back(begun, {**consent(begun.address), "iss": "https://evil.example"})
    assert house.sent == []


def test_an_answer_that_comes_too_late_is_refused(house):
    begun = house.begin("x")
    (key,) = house.client.scan_iter(f"{keys.PREFIX}:*connecting*")
    assert 0 < house.client.pttl(key) <= 600_000
    house.client.delete(key)

    with pytest.raises(Refused, match="too late"):
        house.back(begun, consent(begun.address))


def test_a_code_that_somebody_else_has_used_is_refused_in_one_line(house):
    begun = house.begin("mastodon")
    query = consent(begun.address)
    house.faults = ["lost"]
    with pytest.raises(Refused, match="gave no token"):
        house.back(begun, query)
    again = house.begin("mastodon")
    with pytest.raises(Refused, match="does not accept the code") as caught:
        house.back(again, {**query, "state": again.state})
    assert "\n" not in str(caught.value)


def test_a_code_of_somebody_else_s_consent_does_not_pass_the_verifier(house):
    """A code that was injected: PKCE binds it to the verifier that it was asked with."""
    theirs = house.begin("x", browser=OTHER)
    mine = house.begin("x")

    with pytest.raises(Refused, match="does not accept the code"):
        house.back(mine, {**consent(theirs.address), "state": mine.state})


# What is refused, lost or missing


@pytest.mark.parametrize("name", [n for n in NAMES if n not in STAYS])
def test_who_says_no_is_told_so_in_one_line(house, name):
    begun = house.begin(name)

    with pytest.raises(Refused, match="was not connected: you or the platform said no") as caught:
        house.back(begun, consent(begun.address, allow=False))
    assert "\n" not in str(caught.value)
    assert house.records.accounts("main") == []


def test_whoever_pastes_a_token_that_a_stand_in_refuses_is_not_told_to_start_it(house):
    with pytest.raises(Refused, match=r"Telegram does not know this bot token.*Check the address and the token"):
        house.accounts.connect("telegram", {"bot_token": "expired-token"}, workspace="main", rehearsal=True)


def test_the_words_of_a_refusal_are_cut_to_one_printable_line(house):
    begun = house.begin("x")
    query = {"state": begun.state, "error": "access_denied", "error_description": "\x1b[31m" + "no\r\n" * 500}

    with pytest.raises(Refused) as caught:
        house.back(begun, query)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("name", "scope"),
    [("x", "media.write"), ("mastodon", "write:media"), ("slack", "files:read"), ("facebook", "pages_manage_posts")],
)
def test_a_scope_that_was_not_allowed_is_named(house, name, scope):
    begun = house.begin(name)

    with pytest.raises(Refused, match=f"it lacks {scope}"):
        house.back(begun, consent(begun.address, without=[scope]))
    assert house.records.accounts("main") == []


def test_check_names_a_scope_that_is_missing_since(house):
    account = house.connect("x")
    settings = {**account.settings, "granted": "tweet.read tweet.write users.read offline.access"}
    account = house.records.change_account(account.id, lambda a, _: (dataclasses.replace(a, settings=settings), None))

    with pytest.raises(Refused, match=r"works as @x-rehearsal and lacks media\.write"):
        house.accounts.check(account)


def test_an_app_that_the_platform_does_not_know_is_said_in_one_line(house, monkeypatch):
    app = {"client_id": "wrong-client", "client_secret": "wrong-secret"}
    begun = house.begin("linkedin")
    query = consent(begun.address)
    monkeypatch.setattr(house.accounts, "app", lambda *a: {**app, "client_id": "rehearsal"})

    with pytest.raises(Refused, match=r"does not accept the app's credentials.*handbill apps set linkedin"):
        house.back(begun, query)


def test_a_registered_app_that_its_server_has_forgotten_is_forgotten_here_too(house, monkeypatch):
    begun = house.begin("mastodon")
    query = consent(begun.address)
    (app,) = house.records.connections.apps("main")
    kept = house.records.connections.app("main", app)
    house.records.connections.save_app("main", app, {**kept, "client_secret": "another"})

    with pytest.raises(Refused, match="does not know our app any more"):
        house.back(begun, query)
    assert house.records.connections.apps("main") == []


@pytest.mark.parametrize("fault", ["lost", httpx.ConnectError("down"), httpx.ReadTimeout("slow")])
def test_a_lost_answer_connects_nothing_and_a_new_try_does(house, fault):
    begun = house.begin("x")
    query = consent(begun.address)
    house.faults = [fault]

    with pytest.raises(Refused, match=r"gave no token.*the code works once"):
        house.back(begun, query)
    assert house.records.accounts("main") == []
    assert house.connect("x").name == "@x-rehearsal"


@pytest.mark.parametrize(
    ("platform", "options", "line"),
    [
        ("x", {}, "wants an app of yours"),
        ("slack", {}, "https addresses only"),
        ("facebook", {}, "https addresses only"),
        ("telegram", {}, "not connected by consent"),
        ("nowhere", {}, "no platform nowhere"),
        ("linkedin", {"role": "king"}, "as king"),
        ("mastodon", {}, "no server was named"),
        ("mastodon", {"given": {"server": "http://social.example.org"}}, "no server with https"),
        ("mastodon", {"given": {"server": "javascript:alert(1)"}}, "no server with https"),
        ("mastodon", {"given": {"server": "https://127.0.0.1"}}, "registers no app"),
        ("mastodon", {"given": {"server": "https://[::1"}}, "no server with https"),
    ],
)
def test_what_cannot_begin_is_one_clear_line(house, platform, options, line):
    with pytest.raises(HandbillError, match=line) as caught:
        house.begin(platform, rehearsal=False, **options)
    assert "\n" not in str(caught.value)


def test_a_server_is_understood_however_people_write_it(house):
    for told in ("larkhaven.social", "https://larkhaven.social/", "@you@larkhaven.social", "LarkHaven.social/home?x=1"):
        assert house.connecting._server(told, "It") == "https://larkhaven.social", told


def test_people_are_sent_back_to_the_public_address_and_nowhere_else(house):
    house.config.public_url = "https://posts.example.org"
    house.connecting.save_app("main", "x", {"client_id": "app", "client_secret": "hush-hush"})

    begun = house.begin("x", rehearsal=False)

    parts = urlsplit(begun.address)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://x.com/i/oauth2/authorize"
    query = dict(parse_qsl(parts.query))
    assert query["redirect_uri"] == begun.redirect == "https://posts.example.org/connect/x"
    assert (query["client_id"], query["code_challenge_method"]) == ("app", "S256")


def test_an_app_is_kept_encrypted_and_says_what_it_needs(house):
    with pytest.raises(HandbillError, match="client_secret"):
        house.connecting.save_app("main", "linkedin", {"client_id": "app"})
    with pytest.raises(HandbillError, match="has no colour"):
        house.connecting.save_app("main", "x", {"client_id": "app", "colour": "red"})
    assert (
        house.connecting.save_app("main", "linkedin", {"client_id": "app", "client_secret": "canary-app"}) == "linkedin"
    )
    assert "canary-app" not in house.stored()
    assert house.records.connections.app("other", "linkedin") == {}


# A terminal


def test_a_terminal_gets_what_a_browser_left_for_it(house):
    begun = house.begin("x", browser="terminal-secret", terminal=True)
    assert house.connecting.arrived(begun.state, browser="terminal-secret") is None

    left = house.back(begun, consent(begun.address), browser=BROWSER)

    assert left == Elsewhere(label="X")
    assert house.records.accounts("main") == []
    assert house.connecting.arrived(begun.state, browser="terminal-secret").name == "@x-rehearsal"


def test_a_terminal_takes_the_address_that_was_pasted(house):
    begun = house.begin("x", browser="terminal-secret", terminal=True)
    query = consent(begun.address)
    address = f"{begun.redirect}?code={query['code']}&state={query['state']}#_=_"

    assert house.connecting.pasted(f" {address}\n", browser="terminal-secret").name == "@x-rehearsal"
    with pytest.raises(Refused):
        house.connecting.pasted(address, browser="terminal-secret")


# Tokens that end


def test_a_token_that_rotates_is_renewed_for_ever_and_each_works_once(house):
    account = house.connect("x")
    seen = [house.secrets(account)]
    for _ in range(3):
        assert house.accounts.renew_ahead(account.id) is Renewed.DONE
        seen.append(house.secrets(account))
    assert len({s["refresh_token"] for s in seen}) == len({s["access_token"] for s in seen}) == 4
    assert house.accounts.check(account).name == account.name


def test_a_lost_answer_to_a_rotation_is_found_out_by_asking_again(house):
    account = house.connect("x")
    before = house.secrets(account)
    house.faults = ["lost"]

    assert house.accounts.renew_ahead(account.id) is Renewed.LATER
    assert house.secrets(account) == before
    assert house.accounts.renew_ahead(account.id) is Renewed.REFUSED
    assert house.secrets(account) == before
    standing = house.renewals.standing(house.records.account(account.id))
    assert "Value passed for the token was invalid" in standing.refused
    assert house.accounts.check(account).name, "the token itself is good until its end"


@pytest.mark.parametrize("name", ["instagram", "threads"])
def test_a_token_of_sixty_days_is_renewed_by_itself(house, name):
    account = house.connect(name)
    days = datetime.fromisoformat(account.settings["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=59) < days < timedelta(days=61)
    assert house.renewals.sweep() == 0, "it is younger than a day"
    house.now += timedelta(days=32)
    before = house.secrets(account)
    assert house.renewals.sweep() == 1
    assert house.secrets(account) != before


def test_a_person_without_a_renewal_token_is_warned_of_posts_that_outlive_it(house):
    account = house.connect("linkedin")
    house.records.reserve(account, "main.d", house.now + timedelta(days=61), gap=0)

    said = house.renewals.standing(house.records.account(account.id)).says(house.now)

    assert re.fullmatch(r"token ends in (59|60) days; 1 planned post comes after that: main.d", said)


# Secrets


@pytest.mark.parametrize("name", NAMES)
def test_nothing_secret_is_readable_in_the_store_at_any_moment(house, name):
    seen = []
    begun = house.begin(name, name="several")
    seen.append(house.stored())
    query = consent(begun.address)
    found = house.back(begun, query)
    seen.append(house.stored())
    account = house.connecting.choose(found.pick, 0, browser=BROWSER) if isinstance(found, Choosing) else found
    seen.append(house.stored())

    secret = {begun.state, query[publishers.load(name).oauth.answer], BROWSER, *house.secrets(account).values()} - {
        "rehearsal"
    }
    forms = [dict(parse_qsl(r.content.decode("utf-8", "replace"))) for r in house.sent]
    secret |= {f["code_verifier"] for f in forms if "code_verifier" in f}
    assert not [s for s in secret for text in seen if s in text]


def test_no_failure_tells_a_secret(house, capsys):
    logs.configure("debug")
    lines = []
    try:
        for name in NAMES:
            for fault in ("lost", httpx.ReadError("gone")):
                begun = house.begin(name)
                query = consent(begun.address)
                house.sent.clear()
                house.faults = [fault]
                with pytest.raises(Refused) as caught:
                    house.back(begun, query)
                lines.append((str(caught.value), {query[publishers.load(name).oauth.answer], begun.state}))
        account = house.connect("x")
        house.faults = ["lost"]
        house.accounts.renew_ahead(account.id)
        house.accounts.renew_ahead(account.id)
    finally:
        logs.configure("error")
    said = capsys.readouterr()
    secret = set(house.secrets(account).values())
    for line, known in lines:
        assert not [s for s in known if s in line + said.err + said.out]
    assert not [s for s in secret if s in said.err + said.out]


def test_an_account_that_is_removed_takes_its_renewals_along(house):
    account = house.connect("x")
    house.records.remove_account(account)

    assert house.records.connections.renewal(account.id) is None
    with pytest.raises(NotFound):
        house.accounts.renew_ahead(account.id)


# The command


@pytest.fixture(scope="module")
def command(tmp_path_factory, rehearsal):
    """Start ``handbill`` on a store of its own, with a pipe to its standard input."""
    folder = tmp_path_factory.mktemp("command")
    with Embedded.start(folder / "redis") as server:
        env = {**os.environ, "HANDBILL_DATA_DIR": str(folder), "HANDBILL_REDIS_URL": server.url}
        env["HANDBILL_REHEARSAL_URL"] = rehearsal

        def start(*words):
            pipe = subprocess.PIPE
            return subprocess.Popen(
                [sys.executable, "-m", "worker", *words], stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=env
            )

        yield start


def asked(process):
    """The address that the command prints."""
    for line in process.stderr:
        if line.startswith("http"):
            return line.strip()
    raise AssertionError("no address was printed")


def test_the_command_prints_where_to_go_and_takes_the_address_that_a_browser_was_sent_to(command):
    with command("accounts", "add", "x", "--rehearsal", "--consent", "--json") as process:
        address = asked(process)
        query = consent(address)
        redirect = dict(parse_qsl(urlsplit(address).query))["redirect_uri"]
        out, err = process.communicate(f"{redirect}?{urlencode(query)}\n", timeout=60)

    assert process.returncode == 0, err
    assert json.loads(out)["id"] == "main.x-rehearsal"
    assert "access" not in out
    with command("accounts", "list", "--json") as process:
        (row,) = json.loads(process.communicate(timeout=60)[0])
    assert row["token"]["renews"]


def test_the_command_chooses_by_name_and_names_what_there_is_to_choose(command):
    for words, code in ((["--choose", "facebook-several"], 0), ([], 1)):
        with command("accounts", "add", "facebook", "--rehearsal", "--consent", "--name", "several", *words) as process:
            address = asked(process)
            redirect = dict(parse_qsl(urlsplit(address).query))["redirect_uri"]
            _, err = process.communicate(f"{redirect}?{urlencode(consent(address))}\n", timeout=60)
        assert process.returncode == code, err
        assert "facebook-several, the other one" in err
        assert "Traceback" not in err
    assert "--choose" in err


def test_the_command_says_in_one_line_why_nothing_was_connected(command):
    with command("accounts", "add", "x", "--rehearsal", "--consent") as process:
        address = asked(process)
        redirect = dict(parse_qsl(urlsplit(address).query))["redirect_uri"]
        _, err = process.communicate(f"{redirect}?{urlencode(consent(address, allow=False))}\n", timeout=60)

    assert process.returncode == 1
    assert err.splitlines()[-1].startswith("X was not connected: you or the platform said no (access_denied")


def test_apps_are_kept_listed_and_removed_and_their_secret_is_never_shown(command, tmp_path):
    (tmp_path / "secret").write_text("canary-of-an-app\n")
    said = ""
    for words in (
        ["apps", "set", "x", "--set", "client_id=app", "--set", f"client_secret=@{tmp_path / 'secret'}"],
        ["apps", "list"],
        ["apps", "list", "--json"],
        ["apps", "remove", "x"],
    ):
        with command(*words) as process:
            out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        said += out + err
    assert "/connect/x" in said
    assert "app" in said
    assert "canary" not in said


def test_what_a_program_began_is_finished_by_it_once_an_owner_has_allowed_it_here(house):
    begun = house.begin("x", browser="token:main:1", program=True)
    query = consent(begun.address)
    place = urlsplit(begun.redirect).path
    with pytest.raises(Refused, match="You may not connect accounts here"):
        house.connecting.finish(query, browser="", place=place, allowed=lambda _: False)
    assert house.connecting.waiting(begun.state, browser="token:main:1"), "the page may be loaded again"
    assert not house.connecting.waiting(begun.state, browser="token:other:2")

    assert isinstance(house.connecting.finish(query, browser="a session", place=place), Elsewhere)

    with pytest.raises(Refused, match="Somebody else began this"):
        house.connecting.arrived(begun.state, browser="token:other:2")
    begun = house.begin("x", browser="token:main:1", program=True)
    house.connecting.finish(consent(begun.address), browser="a session", place=place)
    assert house.connecting.arrived(begun.state, browser="token:main:1").name == "@x-rehearsal"
