"""Who gets in and who does not: first run, sign-in, sessions, roles, invitations, tokens, and what the log says of it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from datetime import timedelta

import argon2
import httpx
import pytest

from tests.newsroom import runtime, sign_in
from web import cookies, table
from web.__main__ import invite_owner
from web.access import local
from web.app import create_app
from web.place import Place, network_of
from worker import passwords, team
from worker.errors import HandbillError, Refused
from worker.people import Actor, Role, User
from worker.store.people import new_user_id

BASE = "http://127.0.0.1:8484"
ROBOT = Actor(kind="command", id="test", name="test")
PASSWORD = "four words that belong"


class Browser:
    """Keeps cookies, follows nothing by itself, and sends forms as a page's own do."""

    def __init__(self, app, base=BASE, client=("127.0.0.1", 50000), headers=()):
        self.app, self.base, self.client = app, base, client
        self.headers = {"Accept": "text/html", **dict(headers)}
        self.jar = httpx.Cookies()
        self.seen = None

    def ask(self, method, path, **request):
        async def once():
            transport = httpx.ASGITransport(self.app, client=self.client)
            async with httpx.AsyncClient(transport=transport, base_url=self.base, cookies=self.jar) as http:
                answer = await http.request(method, path, **request)
                self.jar = http.cookies
                return answer

        request["headers"] = {**self.headers, **dict(request.get("headers", ()))}
        self.seen = asyncio.run(once())
        return self.seen

    def get(self, path, **request):
        return self.ask("GET", path, **request)

    def send(self, path, **fields):
        """The form on the page seen last."""
        token = re.search(r'name="form_token" value="(\w+)"', self.seen.text)[1]
        return self.ask("POST", path, data={"form_token": token, **fields}, headers={"Origin": self.base})

    def sign_in(self, email, password, **fields):
        self.get("/sign-in")
        return self.send("/sign-in", email=email, password=password, **fields)


class House:
    def __init__(self, server, folder, **settings):
        self.parts = runtime(server, folder, **settings)
        self.parts.store.client.flushdb()
        self.app = create_app(self.parts)

    def browser(self, **options):
        return Browser(self.app, **options)

    def person(self, email="ada@example.org", role=Role.OWNER, workspace="main", password=PASSWORD):
        user = self.parts.people.by_email(email)
        if user is None:
            user = User(id=new_user_id(), email=email, name=email.partition("@")[0].title())
            self.parts.people.add(user)
            self.parts.people.set_password(user.id, passwords.hashed(password))
        self.parts.people.set_role(user.id, workspace, role)
        return user

    def log(self, workspace="main"):
        return [(e.actor.name, e.what, e.detail) for e in reversed(list(self.parts.audit.every(workspace)))]


@pytest.fixture
def house(server, tmp_path, monkeypatch):
    """Its passwords are quickly kept and compared, for these tests do so hundreds of times."""
    quick = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    nobody = quick.hash("nobody")
    monkeypatch.setattr(passwords, "_hasher", lambda: quick)
    monkeypatch.setattr(passwords, "_nobody", lambda: nobody)
    return House(server, tmp_path)


def test_a_password_costs_whoever_guesses_64_mib_and_a_core():
    kept = passwords.hashed(PASSWORD)
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")  # RFC 9106, 4: the second recommended option
    assert passwords.matches(kept, PASSWORD)
    assert not passwords.matches(kept, PASSWORD + "s")
    assert not passwords.matches("", PASSWORD)
    assert passwords.outdated(kept.replace("t=3", "t=2"))


# First run


def test_the_first_link_makes_the_owner_once_and_signs_them_in(house):
    link = team.first_link(house.parts)
    ada, eve = house.browser(), house.browser()
    for one in (ada, eve):
        assert one.get(f"/welcome?link={link}").status_code == 200

    made = ada.send(
        "/welcome", link=link, name="Ada", email=" Ada@Example.org ", password=PASSWORD, zone="Asia/Kolkata"
    )
    late = eve.send("/welcome", link=link, name="Eve", email="eve@example.org", password=PASSWORD)

    assert (made.status_code, made.headers["location"]) == (303, "/")
    assert late.status_code == 404
    (user,) = house.parts.people.users()
    assert (user.email, user.name, user.zone) == ("ada@example.org", "Ada", "Asia/Kolkata")
    assert house.parts.people.members("main") == {user.id: Role.OWNER}
    assert ada.get("/queue").status_code == 200
    assert team.first_link(house.parts) == ""
    assert house.log() == [("Ada", "owner account made", "ada@example.org"), ("Ada", "signed in", "first run")]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"password": "short"}, "The password is too short"),
        ({"password": "aaaaaaaaaaaaaaa"}, "easily guessed"),
        ({"password": "ada-ada-ada-ada-ada"}, "easily guessed"),
        ({"email": "nobody"}, "is no mail address"),
    ],
)
def test_a_first_owner_that_cannot_be_leaves_the_link_usable(house, fields, said):
    link = team.first_link(house.parts)
    browser = house.browser()
    browser.get(f"/welcome?link={link}")

    answer = browser.send(
        "/welcome", **{"link": link, "name": "Ada", "email": "ada@example.org", "password": PASSWORD, **fields}
    )

    assert answer.status_code == 422
    assert said in answer.text
    assert house.parts.people.users() == []
    assert house.parts.people.link(link, "first") is not None


def test_the_demos_guest_comes_in_by_a_link_once_and_leaves_when_an_owner_comes(house):
    guest = team.guest(house.parts)
    link = team.enter_link(house.parts, guest)
    one, two = house.browser(), house.browser()
    for browser in (one, two):
        assert "Open the demo" in browser.get(f"/enter?link={link}").text

    assert one.send("/enter", link=link).status_code == 303
    assert two.send("/enter", link=link).status_code == 404
    assert one.get("/gallery").status_code == 200
    assert team.guest(house.parts) == guest

    first = team.first_link(house.parts)
    two.get(f"/welcome?link={first}")
    two.send("/welcome", link=first, name="Ada", email="ada@example.org", password=PASSWORD)

    assert [u.email for u in house.parts.people.users()] == ["ada@example.org"]
    assert one.get("/gallery").headers["location"].startswith("/sign-in")


# Signing in and out


def test_whoever_is_not_signed_in_is_led_to_where_they_can_and_then_back(house):
    house.person()
    browser = house.browser()

    led = browser.get("/queue?show=decide")
    assert (led.status_code, led.headers["location"]) == (303, "/sign-in?next=%2Fqueue%3Fshow%3Ddecide")
    assert browser.get("/queue", headers={"Accept": "application/json"}).status_code == 401
    assert browser.get("/queue", headers={"HX-Request": "true"}).status_code == 401
    browser.get(led.headers["location"])
    answer = browser.send("/sign-in", email="ADA@example.org", password=PASSWORD, next="/queue?show=decide")

    assert (answer.status_code, answer.headers["location"]) == (303, "/queue?show=decide")
    assert browser.get("/sign-in").headers["location"] == "/"


@pytest.mark.parametrize(
    "address",
    ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", ""],
)
def test_nobody_is_led_elsewhere_after_signing_in(house, address):
    assert local(address) == "/"
    house.person()
    browser = house.browser()
    browser.get("/sign-in", params={"next": address})
    assert browser.send("/sign-in", email="ada@example.org", password=PASSWORD, next=address).headers["location"] == "/"


def test_a_wrong_password_and_an_unknown_address_are_told_apart_by_nothing(house):
    house.person()
    browser = house.browser()

    wrong = browser.sign_in("ada@example.org", "not this one at all")
    unknown = browser.sign_in("bob@example.org", "not this one at all")

    assert wrong.status_code == unknown.status_code == 422
    texts = [re.sub(r'nonce="[^"]+"|(?:ada|bob)@example.org', "", answer.text) for answer in (wrong, unknown)]
    assert texts[0] == texts[1]
    assert "The mail address or the password is wrong" in unknown.text
    assert house.log() == [("Ada", "sign-in failed", "")]


def test_a_session_is_new_at_each_sign_in_and_ends_with_the_sign_out(house):
    house.person()
    browser = house.browser()
    name = cookies.name_of("session", Place(BASE, secure=False, address=""))

    browser.sign_in("ada@example.org", PASSWORD)
    first = browser.jar[name]
    copy = house.browser()
    copy.jar.update(browser.jar)
    page = browser.get("/gallery")
    out = browser.send("/sign-out")

    assert page.status_code == 200
    assert out.headers["location"] == "/sign-in"
    assert copy.get("/gallery").headers["location"].startswith("/sign-in"), "the cookie that was copied opens nothing"
    browser.sign_in("ada@example.org", PASSWORD)
    assert browser.jar[name] != first
    assert len(first) >= 43, "256 random bits"


def test_only_what_proves_a_session_is_kept(house):
    house.person()
    browser = house.browser()
    browser.sign_in("ada@example.org", PASSWORD)
    link = team.first_link(house.parts) or team.enter_link(house.parts, house.person())
    client = house.parts.store.client

    stored = b" ".join(client.dump(k) or b"" for k in client.keys("*")) + b" ".join(client.keys("*"))

    for cookie in browser.jar.jar:
        assert cookie.value.encode() not in stored, cookie.name
    assert link.encode() not in stored
    assert PASSWORD.encode() not in stored
    (kept,) = client.hvals("handbill:{*}:passwords")
    assert kept.startswith(b"$argon2id$")


def test_a_session_ends_when_it_is_not_used_and_at_last_in_any_case(house):
    user = house.person()
    people, client = house.parts.people, house.parts.store.client
    secret = people.open_session(user.id, "main", agent="", address="")
    (session,) = people.sessions(user.id)
    name = f"handbill:{{*}}:session:{session.id}"

    assert timedelta(days=6, hours=23) < timedelta(milliseconds=client.pttl(name)) <= timedelta(days=7)
    client.hset(name, "ends", client.time()[0] * 1000 - 1)
    assert people.session(secret) is None
    client.delete(name)
    assert people.sessions(user.id) == []
    assert client.zcard(f"handbill:{{*}}:sessions:{user.id}") == 0


def test_signing_in_replaces_the_session_this_browser_had(house):
    house.person()
    house.person("bob@example.org")
    browser = house.browser()
    browser.sign_in("ada@example.org", PASSWORD)
    ada = house.parts.people.by_email("ada@example.org")
    link = team.enter_link(house.parts, house.parts.people.by_email("bob@example.org"))

    browser.get(f"/enter?link={link}")
    answer = browser.send("/enter", link=link)
    assert answer.status_code == 303, answer.text

    assert "Bob" in browser.get("/settings").text
    assert house.parts.people.sessions(ada.id) == []


# Guessing


def test_guesses_are_slowed_by_account_and_the_owner_still_gets_in_where_they_were_before(house):
    house.person()
    known = house.browser()
    known.sign_in("ada@example.org", PASSWORD)
    known.get("/gallery")
    known.send("/sign-out")
    guesses = [
        house.browser(client=(f"127.0.0.{n}", 1)).sign_in("ada@example.org", f"a wrong guess {n}").status_code
        for n in range(2, 14)
    ]

    assert guesses == [422] * 10 + [429] * 2
    slowed = house.browser(client=("127.0.0.99", 1)).sign_in("ada@example.org", PASSWORD)
    assert slowed.status_code == 429
    assert 1 <= int(slowed.headers["retry-after"]) <= 60
    assert known.sign_in("ada@example.org", PASSWORD).status_code == 303


def test_guesses_are_slowed_by_network_whoever_they_are_about(house):
    house.person()
    browser = house.browser()
    for _ in range(20):
        house.parts.people.try_in("network:127.0.0.1", most=20, every=30)

    assert browser.sign_in("ada@example.org", PASSWORD).status_code == 429
    assert house.browser(client=("127.0.0.2", 1)).sign_in("ada@example.org", PASSWORD).status_code == 303


def test_who_signs_in_rightly_wins_no_more_guesses_at_others(house):
    house.person()
    known = house.browser()
    answers, begun = [], time.monotonic()
    for number in range(24):
        known.sign_in("ada@example.org", PASSWORD)
        known.get("/gallery")
        known.send("/sign-out")
        answers.append(house.browser().sign_in(f"grace{number}@example.org", "a wrong guess").status_code)

    refilled = int((time.monotonic() - begun) / team.NETWORK_EVERY)
    assert answers[:20] == [422] * 20
    assert answers.count(422) <= 20 + refilled, "one more for each half minute, and none for signing in"


def test_a_household_that_signs_in_rightly_is_never_slowed(house):
    house.person()
    for _ in range(25):
        assert house.browser().sign_in("ada@example.org", PASSWORD).status_code == 303


def test_a_network_is_an_address_or_the_64_bits_that_one_household_has():
    assert network_of("192.0.2.7") == network_of("::ffff:192.0.2.7") == "192.0.2.7"
    assert network_of("2001:db8:1:2:3::4") == network_of("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert network_of("") == "unknown"


# Forms


def test_a_page_left_open_cannot_act_on_the_workspace_that_was_switched_to(house):
    house.person()
    house.person(workspace="other")
    browser = house.browser()
    browser.sign_in("ada@example.org", PASSWORD)
    browser.get("/team")
    left = re.search(r'name="form_token" value="(\w+)"', browser.seen.text)[1]

    browser.send("/workspace", workspace="other")
    answer = browser.ask(
        "POST", "/team/invitations", data={"form_token": left, "email": "bob@example.org", "role": "editor"}
    )

    assert answer.status_code == 403
    assert house.parts.people.invitations("other") == house.parts.people.invitations("main") == []
    assert browser.get("/team").headers["handbill-workspace"] == "other"


def test_nobody_switches_to_a_workspace_that_is_not_theirs(house):
    house.person()
    house.person("bob@example.org", workspace="other")
    browser = house.browser()
    browser.sign_in("ada@example.org", PASSWORD)
    browser.get("/team")

    assert browser.send("/workspace", workspace="other").status_code == 404
    assert browser.get("/team").headers["handbill-workspace"] == "main"


def test_even_the_sign_in_wants_its_own_form(house):
    house.person()
    mine, theirs = house.browser(), house.browser()
    theirs.get("/sign-in")
    stolen = re.search(r'name="form_token" value="(\w+)"', theirs.seen.text)[1]
    mine.get("/sign-in")

    answer = mine.ask("POST", "/sign-in", data={"form_token": stolen, "email": "ada@example.org", "password": PASSWORD})

    assert answer.status_code == 403


# From elsewhere


def public(server, folder, **settings):
    return House(server, folder, public_url="https://posts.example.org", **settings)


def test_people_sign_in_from_elsewhere_through_a_proxy_that_is_believed(server, tmp_path):
    house = public(server, tmp_path, proxies="172.18.0.0/16")
    house.person()
    away = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7", "X-Forwarded-Proto": "https"}
    browser = house.browser(base="https://posts.example.org", client=("172.18.0.1", 1), headers=away)

    answer = browser.sign_in("ada@example.org", PASSWORD)

    assert answer.status_code == 303
    session = next(c for c in answer.headers.get_list("set-cookie") if "session" in c)
    assert session.startswith("__Host-handbill-session=")
    for part in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert part in session
    assert "Domain" not in session
    assert house.parts.people.sessions(house.person().id)[0].address == "198.51.100.7", (
        "what nobody vouches for is not believed"
    )


@pytest.mark.parametrize(
    ("way", "said"),
    [
        (("203.0.113.9", "https://posts.example.org", {}), "is not one of the proxies"),
        (("203.0.113.9", "https://posts.example.org", {"X-Forwarded-Proto": "https"}), "is not one of the proxies"),
        (("172.18.0.1", "https://posts.example.org", {"X-Forwarded-Proto": "http"}), "over https only"),
        (("172.18.0.1", "https://evil.example", {}), "The pages answer at https://posts.example.org"),
        (("172.18.0.1", "https://posts.example.org.evil.example", {}), "The pages answer at https://posts.example.org"),
        (("172.18.0.1", "https://posts.example.org:444", {}), "The pages answer at https://posts.example.org"),
        (("127.0.0.1", "http://127.0.0.1:8484", {"X-Forwarded-For": "203.0.113.9"}), "The pages answer at"),
    ],
)
def test_no_other_way_from_elsewhere_leads_in(server, tmp_path, way, said):
    client, base, headers = way
    house = public(server, tmp_path, proxies="172.18.0.0/16")
    answer = house.browser(base=base, client=(client, 1), headers=headers).get("/sign-in")

    assert answer.status_code == 403
    assert said in answer.text


def test_a_public_address_without_https_lets_nobody_in_except_on_this_machine(server, tmp_path):
    house = House(server, tmp_path, public_url="http://posts.example.org")
    answer = house.browser(base="http://posts.example.org", client=("127.0.0.1", 1)).get("/sign-in")
    assert answer.status_code == 403
    assert "over https only" in answer.text

    container = House(server, tmp_path, public_url="http://127.0.0.1:9000")
    container.person()
    browser = container.browser(base="http://127.0.0.1:9000", client=("172.18.0.1", 1))
    assert browser.sign_in("ada@example.org", PASSWORD).status_code == 303
    assert browser.get("/gallery").status_code == 200


# The team


def test_an_invitation_is_for_one_address_once_and_says_who_sent_it(house):
    house.person()
    ada, bob, eve = house.browser(), house.browser(), house.browser()
    ada.sign_in("ada@example.org", PASSWORD)
    ada.get("/team")
    page = ada.send("/team/invitations", email="Bob@example.org", role="editor")
    link = re.search(r"/join\?link=([\w-]+)<", page.text)[1]
    assert "bob@example.org" in ada.get("/team").text
    assert link not in ada.get("/team").text, "shown once"

    assert "Ada invites bob@example.org to main, as editor." in bob.get(f"/join?link={link}").text
    weak = bob.send("/join", link=link, name="Bob", password="short")
    joined = bob.send("/join", link=link, name="Bob", password=PASSWORD, email="evil@example.org")
    again = eve.get(f"/join?link={link}")

    assert (weak.status_code, joined.status_code, again.status_code) == (422, 303, 404)
    user = house.parts.people.by_email("bob@example.org")
    assert house.parts.people.members("main")[user.id] is Role.EDITOR
    assert house.parts.people.by_email("evil@example.org") is None
    assert house.parts.people.invitations("main") == []
    assert bob.get("/team").status_code == 200
    assert ("Ada", "invited", "bob@example.org") in [(a, w, "bob@example.org") for a, w, _ in house.log()]
    assert ("Bob", "joined", "editor, invited by Ada") in house.log()


def test_an_invitation_gives_nobody_elses_account_away(house):
    ada = house.person()
    house.person("bob@example.org", workspace="other")
    actor = Actor(kind="person", id=ada.id, name="Ada")
    link = team.invite(house.parts, actor, email="bob@example.org", workspace="main", role=Role.VIEWER)
    stranger = house.browser()

    shown = stranger.get(f"/join?link={link}")
    assert "has an account. Sign in" in shown.text
    assert "new-password" not in shown.text
    with pytest.raises(Refused):
        team.accept(house.parts, link, name="Eve", password=PASSWORD, me=None, where="")
    with pytest.raises(Refused):
        team.accept(house.parts, link, me=ada, where="")

    bob = house.browser()
    bob.sign_in("bob@example.org", PASSWORD)
    bob.get(f"/join?link={link}")
    assert bob.send("/join", link=link).status_code == 303
    assert bob.get("/team").headers["handbill-workspace"] == "main"


def test_a_withdrawn_invitation_opens_nothing(house):
    ada = house.person()
    link = team.invite(house.parts, ROBOT, email="bob@example.org", workspace="main", role=Role.VIEWER)
    browser = house.browser()
    browser.sign_in("ada@example.org", PASSWORD)
    browser.get("/team")
    (invitation,) = house.parts.people.invitations("main")

    assert browser.send(f"/team/invitations/{invitation.id}/withdraw").status_code == 303
    assert house.browser().get(f"/join?link={link}").status_code == 404
    assert ada.id


def test_a_workspace_keeps_an_owner_whatever_its_owners_do(house):
    ada, bob = house.person(), house.person("bob@example.org")
    team.change_role(house.parts, ROBOT, bob.id, workspace="main", role=Role.VIEWER)

    for role in (None, Role.EDITOR):
        with pytest.raises(Refused, match="A workspace needs an owner"):
            team.change_role(house.parts, ROBOT, ada.id, workspace="main", role=role)

    assert house.parts.people.members("main") == {ada.id: Role.OWNER, bob.id: Role.VIEWER}


def test_whoever_is_removed_is_out_at_once_and_can_be_invited_again(house):
    house.person()
    bob = house.person("bob@example.org", Role.EDITOR)
    theirs, ada = house.browser(), house.browser()
    theirs.sign_in("bob@example.org", PASSWORD)
    ada.sign_in("ada@example.org", PASSWORD)
    ada.get("/team")

    assert ada.send(f"/team/{bob.id}/remove").status_code == 303
    assert theirs.get("/gallery").headers["location"].startswith("/sign-in")
    link = team.invite(house.parts, ROBOT, email="bob@example.org", workspace="main", role=Role.EDITOR)
    theirs.get(f"/join?link={link}")
    assert theirs.send("/join", link=link, name="Bob", password=PASSWORD).status_code == 303


def test_a_reset_link_works_once_ends_every_session_and_leaves_a_weak_password_out(house):
    user = house.person()
    before, after = house.browser(), house.browser()
    before.sign_in("ada@example.org", PASSWORD)
    link = team.reset_link(house.parts, user)

    after.get(f"/reset?link={link}")
    assert after.send("/reset", link=link, password="short").status_code == 422
    assert after.send("/reset", link=link, password="another four words here").status_code == 303
    assert after.get(f"/reset?link={link}").status_code == 404
    assert before.get("/gallery").headers["location"].startswith("/sign-in")
    assert house.browser().sign_in("ada@example.org", PASSWORD).status_code == 422
    assert house.browser().sign_in("ada@example.org", "another four words here").status_code == 303


def test_a_link_of_one_kind_opens_nothing_of_another(house):
    user = house.person()
    links = {
        "/reset": team.reset_link(house.parts, user),
        "/enter": team.enter_link(house.parts, user),
        "/join": team.invite(house.parts, ROBOT, email="b@example.org", workspace="main", role=Role.VIEWER),
    }
    for page in links:
        for kind, link in links.items():
            assert house.browser().get(f"{page}?link={link}").status_code == (200 if page == kind else 404)
        assert house.browser().get(f"{page}?link=guess").status_code == 404


# One's own settings


def test_a_changed_password_signs_every_other_browser_out_and_this_one_gets_a_new_session(house):
    house.person()
    here, there = house.browser(), house.browser()
    for one in (here, there):
        one.sign_in("ada@example.org", PASSWORD)
    name = cookies.name_of("session", Place(BASE, secure=False, address=""))
    before = here.jar[name]
    here.get("/settings")

    assert here.send("/settings/password", current="wrong", password="another four words").status_code == 422
    assert here.send("/settings/password", current=PASSWORD, password="another four words").status_code == 303

    assert here.jar[name] != before
    assert here.get("/settings").status_code == 200
    assert there.get("/settings").headers["location"].startswith("/sign-in")


def test_people_see_where_they_are_signed_in_and_end_what_is_not_theirs(house):
    house.person()
    bob = house.person("bob@example.org")
    here = house.browser(headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"})
    there = house.browser(headers={"User-Agent": "Mozilla/5.0 (iPhone; CPU) Version/18.0 Safari/604.1"})
    for one in (here, there):
        one.sign_in("ada@example.org", PASSWORD)
    house.parts.people.open_session(bob.id, "main", agent="", address="")
    (of_bob,) = house.parts.people.sessions(bob.id)

    page = here.get("/settings").text
    assert "Firefox on Linux (this one)" in page
    assert "Safari on iPhone" in page
    assert here.send(f"/settings/sessions/{of_bob.id}/end").status_code == 404
    here.get("/settings")
    assert here.send("/settings/sessions/others/end").status_code == 303
    assert there.get("/settings").headers["location"].startswith("/sign-in")
    assert "You are" not in here.get("/settings").text
    assert len(house.parts.people.sessions(bob.id)) == 1


def test_times_are_the_browsers_until_somebody_chooses_a_zone(house):
    house.person()
    browser = house.browser()
    browser.sign_in("ada@example.org", PASSWORD, zone="America/New_York")
    page = browser.get("/settings").text
    assert 'data-zone="America/New_York"' in page
    token = re.search(r'name="form-token" content="(\w+)"', page)[1]

    def moved_to(zone):
        return browser.ask("POST", "/zone", headers={"X-Form-Token": token, "X-Zone": zone}).status_code

    assert moved_to("Asia/Kolkata") == 205
    assert moved_to("Moon/Crater") == 204
    assert 'data-zone="Asia/Kolkata"' in browser.get("/settings").text
    browser.send("/settings/profile", name="Ada", zone="Europe/Vienna")
    assert moved_to("Asia/Kolkata") == 204
    page = browser.get("/settings").text
    assert 'data-zone="Europe/Vienna"' in page
    assert "Europe/Vienna" in page
    browser.send("/settings/profile", name="Ada", zone="Nowhere")
    assert "is no IANA time zone" in browser.seen.text


def test_a_flash_line_is_said_once(house):
    house.person()
    browser = house.browser()
    browser.sign_in("ada@example.org", PASSWORD)
    browser.get("/settings")
    browser.send("/settings/profile", name="Ada L.", zone="")

    assert "Saved." in browser.get("/settings").text
    assert "Saved." not in browser.get("/settings").text


def test_what_is_exchanged_of_an_open_page_does_not_use_up_what_the_next_page_says(house):
    house.person()
    browser = house.browser()
    browser.sign_in("ada@example.org", PASSWORD)
    browser.get("/settings")
    browser.send("/settings/profile", name="Ada L.", zone="")

    for asking in ({"HX-Request": "true"}, {"Sec-Fetch-Mode": "cors", "Accept": "text/html"}):
        assert "Saved." not in browser.get("/queue", headers=asking).text
        assert "Saved." not in browser.get("/receipts/main.none", headers=asking).text
    assert "Saved." in browser.get("/settings", headers={"Sec-Fetch-Mode": "navigate"}).text


def test_a_page_takes_no_line_away_that_it_has_not_said(house):
    ada = house.person()
    people = house.parts.people
    secret = people.open_session(ada.id, "main", agent="", address="")
    (session,) = (s.id for s in people.sessions(ada.id))
    people.flash(session, "first")
    assert people.session(secret)[3]
    people.flash(session, "second")

    assert (people.take_flash(session), people.take_flash(session)) == ("second", "")
    assert not people.session(secret)[3]


# Workspaces and tokens


def test_a_workspace_is_made_named_and_removed_with_all_that_is_in_it(house):
    ada = house.person()
    browser = house.browser()
    browser.sign_in("ada@example.org", PASSWORD)
    browser.get("/settings/workspace")
    assert browser.send("/settings/workspaces", id="Brand X", name="Brand X").status_code == 422
    assert browser.send("/settings/workspaces", id="brand-x", name="Brand X").status_code == 303
    assert "Brand X" in browser.get("/settings/workspace").text
    assert browser.send("/settings/workspaces", id="brand-x", name="Again").status_code == 422
    browser.get("/settings/workspace")
    browser.send("/settings/workspace/name", name="Brand Y")
    token = house.parts.records.create_token(scope="read", workspace="brand-x")
    bob = house.person("bob@example.org", workspace="brand-x")
    browser.get("/settings/workspace")

    assert browser.send("/settings/workspace/remove", id="brand").status_code == 422
    assert browser.send("/settings/workspace/remove", id="brand-x").status_code == 303

    client = house.parts.store.client
    assert [k for k in client.keys("*") if b"brand-x" in k] == []
    assert house.parts.records.token(token) is None
    assert house.parts.people.memberships(ada.id) == {"main": Role.OWNER}
    assert house.parts.people.by_email(bob.email) is None
    assert ("Ada", "workspace removed", "") in house.log()
    assert browser.get("/team").headers["handbill-workspace"] == "main"


def test_the_workspace_of_the_settings_and_one_in_use_cannot_be_removed(house):
    house.person()
    with pytest.raises(Refused, match="HANDBILL_WORKSPACE names it"):
        team.remove_workspace(house.parts, ROBOT, "main", typed="main")


def test_a_token_is_shown_once_and_works_until_it_is_revoked(house):
    house.person()
    browser = house.browser()
    browser.sign_in("ada@example.org", PASSWORD)
    browser.get("/settings/workspace")
    token = re.search(r"hb_[\w-]{43}", browser.send("/settings/tokens", name="Our CMS", scope="write").text)[0]
    api = house.browser(headers={"Authorization": f"Bearer {token}", "Accept": "application/json"})

    assert token not in browser.get("/settings/workspace").text
    assert api.get("/api/v1/accounts").status_code == 200
    (row,) = house.parts.records.tokens("main")
    browser.send(f"/settings/tokens/{row['id']}/revoke")
    assert api.get("/api/v1/accounts").status_code == 401
    assert [w for _, w, _ in house.log()][-2:] == ["token made", "token revoked"]


# The log


def test_the_log_is_read_page_by_page_and_as_a_table_no_spreadsheet_computes(house):
    house.person()
    for number in range(205):
        house.parts.audit.record(ROBOT, f"did {number}", workspace="main", detail='=HYPERLINK("https://evil.example")')
    house.parts.audit.record(ROBOT, "did elsewhere", workspace="other")
    browser = house.browser()
    browser.sign_in("ada@example.org", PASSWORD)

    said, address = [], "/audit"
    while address:
        html = browser.get(address).text
        said += re.findall(r"Did (\d+)<", html)
        following = re.search(r'href="(/audit\?before=[^"]+)"', html)
        address = following[1] if following else ""
    rows = browser.get("/audit.csv").text

    assert [int(s) for s in said] == list(reversed(range(205)))
    assert rows.count("'=HYPERLINK") == 205
    assert ",=HYPERLINK" not in rows
    assert "elsewhere" not in rows
    assert rows.startswith("\ufeffat,kind,by,name,where,what,subject,detail\r\n")


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "＝1"])
def test_no_cell_is_a_formula(text):
    assert table.cell(text) == f"'{text}"
    assert table.cell("1-2") == "1-2"
    assert table.cell(None) == ""


def test_only_an_owner_reads_the_log(house):
    for role in (Role.EDITOR, Role.APPROVER, Role.VIEWER):
        visit = sign_in(house.parts, role)
        answer = house.browser(headers=visit.headers).get("/audit")
        assert answer.status_code == 403
        assert "this needs an owner" in answer.text


# Passwords


@pytest.mark.parametrize(
    "password", ["x" * 11, "y" * 1001, "handbillhandbill", "passwordpassword", "ada.lovelace ada.lovelace"]
)
def test_passwords_that_are_guessed_first_are_not_taken(password):
    with pytest.raises(HandbillError):
        passwords.acceptable(password, not_in=("ada.lovelace",))


def test_a_password_may_be_of_any_letters():
    kept = passwords.hashed("пароль из букв ☃")
    assert passwords.matches(kept, "пароль из букв ☃")
    assert not passwords.matches(kept, "пароль из букв")
    assert not passwords.matches("", "пароль из букв ☃")


# Beyond this machine, and the command line


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "posts.example.org"])
def test_a_web_that_strangers_could_reach_does_not_start_before_it_has_an_owner(house, host):
    with pytest.raises(HandbillError, match="does not start open"):
        invite_owner(house.parts, host)
    house.person()
    invite_owner(house.parts, host)


def test_on_this_machine_it_prints_the_link_that_makes_the_owner(house, capsys):
    for host in ("127.0.0.1", "::1", "localhost"):
        invite_owner(house.parts, host)
        link = re.search(r"http://127.0.0.1:8484/welcome\?link=(\S+)", capsys.readouterr().err)[1]
        assert house.browser().get(f"/welcome?link={link}").status_code == 200
    house.person()
    invite_owner(house.parts, "127.0.0.1")
    assert capsys.readouterr().err == ""


def command(server, folder, *words):
    environment = {**os.environ, "HANDBILL_REDIS_URL": server.url, "HANDBILL_DATA_DIR": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", "worker", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_people_and_workspaces_are_kept_on_the_command_line(house, server, tmp_path):
    added = json.loads(command(server, tmp_path, "users", "add", "ada@example.org", "--json").stdout)
    browser = house.browser()
    link = added["link"].partition("link=")[2]
    browser.get(f"/reset?link={link}")
    assert browser.send("/reset", link=link, password=PASSWORD).status_code == 303

    assert command(server, tmp_path, "workspaces", "add", "brand-x", "--owner", "ada@example.org").returncode == 0
    people = json.loads(command(server, tmp_path, "users", "list", "--json").stdout)
    assert people[0]["roles"] == {"brand-x": "owner", "main": "owner"}
    rows = json.loads(command(server, tmp_path, "workspaces", "list", "--json").stdout)
    assert [(r["id"], r["people"]) for r in rows] == [("brand-x", 1), ("main", 1)]
    careful = command(server, tmp_path, "workspaces", "delete", "brand-x")
    assert (careful.returncode, careful.stderr.count("\n")) == (1, 1)
    assert command(server, tmp_path, "workspaces", "delete", "brand-x", "--yes").returncode == 0
    reset = json.loads(command(server, tmp_path, "users", "reset", "ada@example.org", "--json").stdout)["link"]
    assert house.browser().get(reset).status_code == 200
    assert command(server, tmp_path, "users", "reset", "eve@example.org").returncode == 1
    assert ("added to the team", "ada@example.org, owner") in [(w, d) for _, w, d in house.log()]


def test_a_token_may_be_the_address_of_a_calendar_and_nothing_else(house):
    house.person()
    browser = house.browser()
    browser.sign_in("ada@example.org", PASSWORD)
    browser.get("/settings/workspace")
    page = browser.send("/settings/tokens", name="My phone", scope="calendar").text
    address, token = re.search(r"(http://127.0.0.1:8484/calendar/(hb_[\w-]{43}).ics)", page).groups()

    assert house.browser().get(address).text.startswith("BEGIN:VCALENDAR")
    api = house.browser(headers={"Authorization": f"Bearer {token}", "Accept": "application/json"})
    assert api.get("/api/v1/deliveries").status_code == 403
