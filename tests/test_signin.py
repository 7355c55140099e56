"""The other ways to prove who one is: codes from an app, recovery codes, and an identity provider of ours that may lie."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from tests.test_access import PASSWORD, House
from worker import factors, oidc
from worker.errors import HandbillError


@pytest.fixture
def house(server, tmp_path):
    return House(server, tmp_path)


def shown(secret, at=None):
    """What an app shows."""
    app = TOTP(base64.b32decode(secret), 6, SHA1(), 30, enforce_key_length=False)
    return app.generate(int(time.time() if at is None else at)).decode()


# Codes


def test_codes_are_those_of_rfc_6238():
    secret = base64.b32encode(b"12345678901234567890").decode()
    for at, code in ((59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (20000000000, "353130")):
        assert factors._step(secret, code, at) == at // 30
        assert factors._step(secret, code, at + 30) == at // 30, "one later, because clocks differ"
        assert factors._step(secret, code, at + 90) is None


def test_a_code_is_asked_for_after_the_password_and_each_lets_in_once(house):
    user = house.person()
    secret, picture = factors.begin(house.parts, user)
    assert picture.startswith("data:image/svg+xml")
    assert not factors.enabled(house.parts, user), "not before the app has shown the right code"
    with pytest.raises(HandbillError):
        factors.confirm(house.parts, user, "000000" if shown(secret) != "000000" else "000001")
    first = shown(secret)
    factors.confirm(house.parts, user, first)
    one, two = house.browser(), house.browser()
    code = shown(secret, time.time() + 30)

    for browser in (one, two):
        answer = browser.sign_in("ada@example.org", PASSWORD, next="/queue")
        assert answer.headers["location"] == "/sign-in/code"
        assert browser.get("/queue").headers["location"].startswith("/sign-in"), "half signed in is not signed in"
        browser.get("/sign-in/code")
    turned_on = one.send("/sign-in/code", code=first)
    entered = one.send("/sign-in/code", code=f"{code[:3]} {code[3:]}")
    again = two.send("/sign-in/code", code=code)

    assert turned_on.status_code == 422, "it was used up when it turned this on"
    assert (entered.status_code, entered.headers["location"]) == (303, "/queue")
    assert one.get("/queue").status_code == 200
    assert again.status_code == 422
    assert two.get("/queue").status_code == 303


def test_each_recovery_code_lets_in_once_however_it_is_typed(house):
    user = house.person()
    secret, _ = factors.begin(house.parts, user)
    codes = factors.confirm(house.parts, user, shown(secret))
    assert len(set(codes)) == factors.left(house.parts, user) == 10

    factors.check(house.parts, user, codes[0].upper().replace("-", " "))

    assert factors.left(house.parts, user) == 9
    with pytest.raises(HandbillError):
        factors.check(house.parts, user, codes[0])
    factors.check(house.parts, user, codes[1])
    stored = house.parts.store.client.hget("handbill:{*}:factors", user.id)
    assert secret.encode() not in stored
    assert codes[2].encode() not in stored


def test_guesses_of_codes_are_slowed(house):
    user = house.person()
    secret, _ = factors.begin(house.parts, user)
    factors.confirm(house.parts, user, shown(secret))
    wrong = next(c for c in map("{:06}".format, range(9)) if factors._step(secret, c, time.time()) is None)
    for _ in range(10):
        with pytest.raises(HandbillError, match="not right"):
            factors.check(house.parts, user, wrong)
    with pytest.raises(HandbillError, match="Too many tries"):
        factors.check(house.parts, user, shown(secret))


def test_it_is_turned_on_and_off_on_its_page_with_the_password(house):
    user = house.person()
    browser = house.browser()
    browser.sign_in("ada@example.org", PASSWORD)
    browser.get("/settings/second")
    assert browser.send("/settings/second/begin", current="wrong").status_code == 422
    page = browser.send("/settings/second/begin", current=PASSWORD).text
    secret = re.search(r'<code class="secret">([A-Z2-7]{32})</code>', page)[1]
    assert "data:image/svg+xml" in page
    page = browser.send("/settings/second/confirm", code=shown(secret)).text
    assert len(re.findall(r"[a-z2-9]{5}-[a-z2-9]{5}<br>", page)) == 10
    assert factors.enabled(house.parts, user)

    assert browser.send("/settings/second/off", current="wrong").status_code == 422
    assert factors.enabled(house.parts, user)
    assert browser.send("/settings/second/off", current=PASSWORD).status_code == 303
    assert not factors.enabled(house.parts, user)
    assert [w for _, w, _ in house.log()][-2:] == ["second factor turned on", "second factor turned off"]


# An identity provider


class Provider:
    """An identity provider on this machine; ``claims`` and ``key`` are what a test makes it lie with."""

    def __init__(self):
        provider = self
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}, private=True)
        self.signs = None
        self.claims, self.header, self.challenges, self.asked = {}, {"alg": "RS256", "kid": "one"}, {}, []

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def reply(self, body, status=200):
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_GET(self):
                if self.path == "/.well-known/openid-configuration":
                    url = provider.url
                    self.reply(
                        {
                            "issuer": url,
                            "authorization_endpoint": f"{url}/authorize",
                            "token_endpoint": f"{url}/token",
                            "jwks_uri": f"{url}/keys",
                        }
                    )
                else:
                    self.reply({"keys": [provider.key.as_dict(private=False)]})

            def do_POST(self):
                form = {
                    k: v[0] for k, v in parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()).items()
                }
                provider.asked.append((self.headers.get("Authorization"), form))
                challenge = (
                    base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
                    .decode()
                    .rstrip("=")
                )
                if provider.challenges.pop(form["code"], "") != challenge:
                    self.reply({"error": "invalid_grant"}, 400)
                    return
                self.reply({"access_token": "x", "token_type": "Bearer", "id_token": provider.token()})

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.host}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def token(self):
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": "handbill",
            "sub": "248289761001",
            "iat": now,
            "exp": now + 300,
            "email": "ada@example.org",
            "email_verified": True,
        }
        given = {k: v for k, v in {**claims, **self.claims}.items() if v is not None}
        return jwt.encode(self.header, given, self.signs or self.key, algorithms=[self.header["alg"]])

    def consent(self, address):
        """A person says yes: the query the browser comes back with."""
        query = {k: v[0] for k, v in parse_qs(urlsplit(address).query).items()}
        code = f"code-{len(self.challenges)}-{time.monotonic_ns()}"
        self.challenges[code] = query["code_challenge"]
        self.claims.setdefault("nonce", query["nonce"])
        return query, {"code": code, "state": query["state"], "iss": self.url}

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def provider():
    oidc._kept.cache_clear()
    started = Provider()
    yield started
    started.close()


@pytest.fixture
def known(server, tmp_path, provider):
    """A house that people enter by the provider."""
    return House(
        server,
        tmp_path,
        oidc_issuer=provider.url,
        oidc_client_id="handbill",
        oidc_client_secret="p@ss word",
        allow_hosts=provider.host,
        oidc_name="Lantern ID",
    )


def come_back(house, provider, change=None):
    browser = house.browser()
    assert "Sign in with Lantern ID" in browser.get("/sign-in").text
    led = browser.get("/oidc/start?next=/queue")
    query, told = provider.consent(led.headers["location"])
    answer = browser.get("/oidc/back", params=change(told) if change else told)
    return browser, query, answer


def test_somebody_comes_in_by_the_provider_and_is_known_by_it_afterwards(known, provider):
    user = known.person()

    browser, query, answer = come_back(known, provider)

    assert (answer.status_code, answer.headers["location"]) == (303, "/queue")
    assert browser.get("/queue").status_code == 200
    assert query["redirect_uri"] == "http://127.0.0.1:8484/oidc/back"
    assert (query["response_type"], query["code_challenge_method"], query["scope"]) == (
        "code",
        "S256",
        "openid email profile",
    )
    authorization, form = provider.asked[0]
    assert base64.b64decode(authorization.split()[1]) == b"handbill:p%40ss+word"
    assert "client_secret" not in form
    provider.claims = {"email": "ada.new@example.org"}
    assert come_back(known, provider)[2].status_code == 303, "the mail address may change, the subject does not"
    assert len(known.parts.people.sessions(user.id)) == 2
    assert ("Ada", "signed in", "with Lantern ID") in known.log()


def other_key():
    return RSAKey.generate_key(2048, {"kid": "one"}, private=True)


LIES = {
    "another issuer": {"claims": {"iss": "https://evil.example"}},
    "for somebody else": {"claims": {"aud": "another"}},
    "for several, by somebody else": {"claims": {"aud": ["handbill", "another"], "azp": "another"}},
    "too old": {"claims": {"exp": 1}},
    "without an end": {"claims": {"exp": None}},
    "without a subject": {"claims": {"sub": None}},
    "another sign-in's": {"claims": {"nonce": "guess"}},
    "without a nonce": {"claims": {"nonce": None}},
    "signed by another key": {"signs": other_key},
    "signed with a shared secret": {
        "signs": lambda: OctKey.import_key("p@ss word" * 4),
        "header": {"alg": "HS256", "kid": "one"},
    },
    "signed with a key of another kind": {
        "signs": lambda: ECKey.generate_key("P-256", {"kid": "one"}, private=True),
        "header": {"alg": "ES256", "kid": "one"},
    },
    "not a verified address": {"claims": {"email_verified": False}},
    "no word about the address": {"claims": {"email_verified": None}},
    "verified, but as a word": {"claims": {"email_verified": "true"}},
    "nobody here": {"claims": {"email": "eve@example.org"}},
}


@pytest.mark.parametrize("lie", LIES)
def test_whatever_is_wrong_with_the_id_token_nobody_comes_in(known, provider, lie):
    user = known.person()
    told = LIES[lie]
    provider.claims = dict(told.get("claims", {}))
    provider.header = told.get("header", provider.header)
    provider.signs = told["signs"]() if "signs" in told else None

    browser, _, answer = come_back(known, provider)

    assert answer.status_code in {409, 422}, answer.text
    assert browser.get("/queue").headers["location"].startswith("/sign-in")
    assert known.parts.people.sessions(user.id) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda told: {**told, "state": "guess"},
        lambda told: {k: v for k, v in told.items() if k != "state"},
        lambda told: {**told, "iss": "https://evil.example"},
        lambda told: {**told, "code": "guess"},
        lambda told: {"error": "access_denied", "state": told["state"]},
    ],
)
def test_an_answer_that_is_not_ours_lets_nobody_in(known, provider, change):
    known.person()
    browser, _, answer = come_back(known, provider, change)

    assert answer.status_code == 422
    assert browser.get("/queue").headers["location"].startswith("/sign-in")


def test_an_answer_is_taken_once_and_only_from_the_browser_that_asked(known, provider):
    known.person()
    browser, thief = known.browser(), known.browser()
    _, told = provider.consent(browser.get("/oidc/start").headers["location"])

    assert thief.get("/oidc/back", params=told).status_code == 422
    assert browser.get("/oidc/back", params=told).status_code == 303
    assert browser.get("/oidc/back", params=told).status_code == 422


def test_a_provider_that_changed_its_keys_is_asked_for_the_new_ones(known, provider):
    known.person()
    assert come_back(known, provider)[2].status_code == 303
    provider.claims = {}
    provider.key = RSAKey.generate_key(2048, {"kid": "two", "use": "sig"}, private=True)
    provider.header = {"alg": "RS256", "kid": "two"}

    assert come_back(known, provider)[2].status_code == 303


def test_a_private_provider_is_not_spoken_to_unless_it_is_allowed(server, tmp_path, provider):
    house = House(server, tmp_path, oidc_issuer=provider.url, oidc_client_id="handbill")

    answer = house.browser().get("/oidc/start")

    assert answer.status_code == 422
    assert "private address" in answer.text


def test_without_a_provider_there_is_no_such_page(house):
    assert house.browser().get("/oidc/start").status_code == house.browser().get("/oidc/back").status_code == 404
