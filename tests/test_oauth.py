"""What every adapter with OAuth 2 must keep: the addresses and requests of connecting, byte for byte, and every answer."""

import json

import pytest

import publishers
from publishers.core import oauth
from publishers.core.errors import PublishError, Unauthorized, Unavailable
from publishers.core.oauth import OAuth, granted
from tests.test_publishers import (
    LOST,
    NEVER_SENT,
    UNREADABLE,
    Wire,
    at,
    check_sent,
    described,
    fixture,
    reply,
    without_secrets,
)

STATE = "state-5e1fc0de"
CODE = "code-5e1fc0de5e1fc0de"
VERIFIER = "verifier-5e1fc0de5e1fc0de5e1fc0de5e1fc0de5e1fc0de"
NAMES = [n for n in publishers.names() if publishers.load(n).oauth]
CASE = {"name", "role", "settings", "without", "exchange", "kept", "choices", "address"}


def redirect(name):
    return f"https://posts.example/connect/{name}"


def told(name):
    return fixture(name)["oauth"]


def settings_of(name, case):
    """What is known when a person connects: the app, the fields asked for, and what the case adds."""
    values = {**told(name)["app"], **told(name)["settings"], **case.get("settings", {})}
    return {k: v for k, v in values.items() if k not in case.get("without", [])}


def cases(scene):
    return [
        pytest.param(name, case, id=f"{name}-{case.get('name') or case.get('role') or scene}")
        for name in NAMES
        for case in told(name).get(scene, [])
    ]


def act(name, scene, case, wire):
    with wire:
        adapter = publishers.load(name)(settings_of(name, case), wire)
        match scene:
            case "exchange":
                return adapter.exchange(CODE, redirect=redirect(name), verifier=VERIFIER)
            case "register":
                return adapter.register(redirect=redirect(name), name="Handbill")
            case "choices":
                return adapter.choices()
            case _:
                return adapter.revoke()


def secrets(name, case):
    """What must be in no error: what is known of the account and its app, and what the person came back with."""
    known = publishers.load(name).secrets()
    return {v for k, v in settings_of(name, case).items() if k in known} | {CODE, VERIFIER}


def outcome(name, scene, case, fault):
    try:
        act(name, scene, case, Wire(case["exchange"], fault=fault))
    except PublishError as error:
        return error
    return None


def test_a_fixture_shows_oauth_where_the_adapter_has_it_and_nowhere_else():
    assert [n for n in described() if "oauth" in fixture(n)] == NAMES
    for name in NAMES:
        own, kind = told(name), publishers.load(name)
        assert set(own) <= {
            *("app", "settings", "secret_in_url", "addresses", "register", "exchange", "choices", "revoke", "refusals")
        }
        assert {c.get("role", "") for c in own["addresses"]} == (set(kind.oauth.roles) or {""}), name
        assert bool(own.get("register")) == bool(kind.oauth.register), name
        assert bool(own.get("choices")) == kind.can("choices"), name
        assert bool(own.get("revoke")) == kind.can("revoke"), name
        for scene in ("addresses", "register", "exchange", "choices", "revoke"):
            assert all(set(case) <= CASE for case in own.get(scene, [])), name


@pytest.mark.parametrize("name", NAMES)
def test_what_is_declared_of_oauth_makes_sense(name):
    kind = publishers.load(name)
    own: OAuth = kind.oauth
    assert own.scopes
    assert len(set(own.scopes)) == len(own.scopes)
    known = {f.name for f in (*kind.fields, *own.app)}
    assert {own.access, *own.asks} <= known | {"access_token"}
    if not own.authorize.startswith("/"):
        assert own.authorize.startswith("https://")
        assert own.endpoint.startswith("https://")
    else:
        assert own.asks == ("server",)
    if kind.renewal:
        assert kind.can("refresh")
        assert kind.renewal.ahead.total_seconds() > 0


@pytest.mark.parametrize(("name", "case"), cases("addresses"))
def test_the_page_that_asks_for_consent_is_as_written(name, case):
    adapter = publishers.load(name)(settings_of(name, case), Wire([]))
    address = adapter.authorization(redirect=redirect(name), state=STATE, verifier=VERIFIER, role=case.get("role", ""))
    assert address == case["address"]
    assert VERIFIER not in address
    assert not [s for s in secrets(name, case) if s in address]


@pytest.mark.parametrize(("name", "case"), cases("exchange"))
def test_a_code_becomes_settings_with_requests_as_written(name, case):
    wire = Wire(case["exchange"])
    assert act(name, "exchange", case, wire) == case["kept"]
    check_sent(wire, case["exchange"])
    assert wire.commits == [False] * len(wire.sent)
    if not told(name).get("secret_in_url"):
        addresses = " ".join(str(r.url) for r in wire.sent)
        assert not [s for s in secrets(name, case) if s in addresses]


@pytest.mark.parametrize(("name", "case"), cases("register"))
def test_an_app_registers_itself_with_a_request_as_written(name, case):
    wire = Wire(case["exchange"])
    assert act(name, "register", case, wire) == case["kept"]
    check_sent(wire, case["exchange"])


@pytest.mark.parametrize(("name", "case"), cases("choices"))
def test_what_a_token_may_post_to_is_asked_as_written(name, case):
    wire = Wire(case["exchange"])
    found = act(name, "choices", case, wire)
    check_sent(wire, case["exchange"])
    assert all(r.method == "GET" for r in wire.sent)
    assert [{"label": c.label, "settings": dict(c.settings)} for c in found] == case["choices"]


@pytest.mark.parametrize(("name", "case"), cases("revoke"))
def test_a_token_is_ended_with_a_request_as_written(name, case):
    wire = Wire(case["exchange"])
    act(name, "revoke", case, wire)
    check_sent(wire, case["exchange"])


def refused():
    return [
        pytest.param(name, refusal, id=f"{name}-{number}")
        for name in NAMES
        for number, refusal in enumerate(told(name)["refusals"])
    ]


@pytest.mark.parametrize(("name", "refusal"), refused())
def test_a_refused_code_says_whose_fault_it_is_and_tells_no_secret(name, refusal):
    case = told(name)["exchange"][0]
    body = {**refusal["json"], "seen": [*secrets(name, case)]}
    error = outcome(name, "exchange", case, at(0, reply(refusal["status"], json.dumps(body))))
    assert type(error).__name__ == refusal["error"]
    assert oauth.is_about_app(error) == refusal.get("app", False)
    without_secrets(error, secrets(name, case))


@pytest.mark.parametrize("scene", ["exchange", "choices"])
@pytest.mark.parametrize("fault", [*NEVER_SENT, *LOST])
def test_a_lost_answer_while_connecting_is_unavailable_and_tells_no_secret(scene, fault):
    for parameter in cases(scene):
        name, case = parameter.values
        for place in range(len(case["exchange"])):
            error = outcome(name, scene, case, at(place, fault))
            assert type(error) is Unavailable, (name, place)
            without_secrets(error, secrets(name, case))


@pytest.mark.parametrize("body", UNREADABLE)
def test_an_answer_that_cannot_be_read_while_connecting_is_an_error_of_ours(body):
    for scene in ("exchange", "choices"):
        for parameter in cases(scene):
            name, case = parameter.values
            for place in range(len(case["exchange"])):
                error = outcome(name, scene, case, at(place, reply(200, body)))
                assert error is None or isinstance(error, Unauthorized | Unavailable), (name, scene, place)


@pytest.mark.parametrize("name", [n for n in NAMES if publishers.load(n).can("refresh")])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 502])
def test_an_error_page_of_something_in_between_never_makes_a_renewal_token_worthless(name, status):
    case = fixture(name)["refresh"][0]
    wire = Wire(case["exchange"], fault=at(0, reply(status, "<html>Bad gateway</html>")))
    given = {**fixture(name)["settings"], **case.get("settings", {})}
    with wire, pytest.raises(PublishError) as caught:
        publishers.load(name)(given, wire).refresh()
    if name != "bluesky":  # there the password opens a new session
        assert not isinstance(caught.value, Unauthorized)


def test_the_challenge_is_the_one_of_the_standard():
    # RFC 7636, appendix B
    assert (
        oauth.challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )


@pytest.mark.parametrize("given", ["write read", "read,write", ["write", "read"]])
def test_granted_scopes_are_read_however_they_are_written(given):
    assert granted(given) == "read write"


def test_a_wider_scope_holds_the_narrower_ones():
    own = OAuth(authorize="/a", endpoint="/b", scopes=("write:media", "write:statuses", "read:accounts"))
    assert own.missing("write read:statuses") == ["read:accounts"]
    assert own.missing("write read") == []
