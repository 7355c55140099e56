"""What every adapter with OAuth 2 promises of connecting: its addresses and requests, and what each answer means."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from publishers.contract.promise import Asked, Promised, asked_of, must, once, same
from publishers.contract.scene import LOST, NEVER_SENT, UNREADABLE, Fault, Subject, Told, Wire, at, reply
from publishers.contract.wired import sent_as_told, tells_no_secret
from publishers.core import oauth
from publishers.core.errors import PublishError, Unauthorized, Unavailable
from publishers.core.publisher import Publisher

STATE = "state-5e1fc0de"
CODE = "code-5e1fc0de5e1fc0de"
VERIFIER = "verifier-5e1fc0de5e1fc0de5e1fc0de5e1fc0de5e1fc0de"
PARTS = ("addresses", "register", "exchange", "choices", "revoke")
CASE = {"name", "role", "settings", "without", "exchange", "kept", "choices", "address"}


def redirect(subject: Subject) -> str:
    """Where the platform sends people back to."""
    return f"https://posts.example/connect/{subject.name}"


class Consent:
    """One case of connecting by consent: what is known then, and the act."""

    def __init__(self, subject: Subject, scene: str, case: Told) -> None:
        told = subject.told["oauth"]
        values = {**told["app"], **told["settings"], **case.get("settings", {})}
        self.subject, self.scene, self.case = subject, scene, case
        self.settings = {k: v for k, v in values.items() if k not in case.get("without", [])}
        self.secrets = {*subject.secrets(self.settings), CODE, VERIFIER}

    def adapter(self, wire: Wire) -> Publisher:
        """The account that is being connected."""
        return self.subject.kind(dict(self.settings), wire)

    def act(self, wire: Wire) -> Any:
        """Do what the scene is about."""
        with wire:
            adapter, back = self.adapter(wire), redirect(self.subject)
            match self.scene:
                case "exchange":
                    return adapter.exchange(CODE, redirect=back, verifier=VERIFIER)
                case "register":
                    return adapter.register(redirect=back, name="Handbill")
                case "choices":
                    return adapter.choices()
                case _:
                    return adapter.revoke()

    def outcome(self, fault: Fault) -> PublishError | None:
        """The error that a fault leads to, or None."""
        try:
            self.act(Wire(self.case["exchange"], fault=fault))
        except PublishError as error:
            return error
        return None


def _told(subject: Subject, *scenes: str) -> Iterator[tuple[str, Consent]]:
    for scene in scenes:
        for case in subject.told.get("oauth", {}).get(scene, []):
            yield f"{scene}-{case.get('name') or case.get('role') or 0}", Consent(subject, scene, case)


def each(*scenes: str) -> Promised:
    """A promise asked of each case of these scenes of connecting."""
    return asked_of(lambda subject: [(name, (consent,)) for name, consent in _told(subject, *scenes)])


def _consented(subject: Subject) -> Asked:
    return once(subject) if subject.kind.oauth and "oauth" in subject.told else []


@asked_of(once)
def a_fixture_shows_oauth_where_the_adapter_has_it_and_nowhere_else(subject: Subject, _: Path) -> None:
    same("oauth" in subject.told, subject.kind.oauth is not None, "whether OAuth 2 is shown, and whether there is any")


@asked_of(_consented)
def a_fixture_shows_every_part_of_connecting(subject: Subject, _: Path) -> None:
    told, kind = subject.told["oauth"], subject.kind
    assert kind.oauth is not None
    unknown = set(told) - {"app", "settings", "secret_in_url", "refusals", *PARTS}
    must(not unknown, f"oauth has words that the suite does not know: {sorted(unknown)}")
    same({c.get("role", "") for c in told["addresses"]}, set(kind.oauth.roles) or {""}, "the roles that are shown")
    same(bool(told.get("register")), bool(kind.oauth.register), "whether registering is shown")
    same(bool(told.get("choices")), kind.can("choices"), "whether choices are shown")
    same(bool(told.get("revoke")), kind.can("revoke"), "whether ending a token is shown")
    for scene in PARTS:
        for case in told.get(scene, []):
            must(set(case) <= CASE, f"a case of {scene} has words that the suite does not know")


@asked_of(_consented)
def what_is_declared_of_oauth_makes_sense(subject: Subject, _: Path) -> None:
    kind, own = subject.kind, subject.kind.oauth
    assert own is not None
    must(own.scopes and len(set(own.scopes)) == len(own.scopes), "there are no scopes, or one is there twice")
    known = {f.name for f in (*kind.fields, *own.app)} | {"access_token"}
    must({own.access, *own.asks} <= known, "what is asked for, or the token, is no field")
    if own.authorize.startswith("/"):
        same(own.asks, ("server",), "what is asked for where each account has its own server")
    else:
        must(own.authorize.startswith("https://") and own.endpoint.startswith("https://"), "an address is not https")
    if kind.renewal:
        must(kind.can("refresh"), "a renewal ahead of time needs refresh")
        must(kind.renewal.ahead.total_seconds() > 0, "renewal.ahead is not positive")


@each("addresses")
def the_page_that_asks_for_consent_is_as_written(consent: Consent, _: Path) -> None:
    back, role = redirect(consent.subject), consent.case.get("role", "")
    address = consent.adapter(Wire([])).authorization(redirect=back, state=STATE, verifier=VERIFIER, role=role)
    same(address, consent.case["address"], "the address")
    must(not [s for s in consent.secrets if s in address], "a secret is in the address")


@each("exchange")
def a_code_becomes_settings_with_requests_as_written(consent: Consent, _: Path) -> None:
    wire = Wire(consent.case["exchange"])
    same(dict(consent.act(wire)), consent.case["kept"], "what is kept")
    sent_as_told(wire, consent.case["exchange"])
    same(wire.commits, [False] * len(wire.sent), "commits")
    if not consent.subject.told["oauth"].get("secret_in_url"):
        addresses = " ".join(str(r.url) for r in wire.sent)
        must(not [s for s in consent.secrets if s in addresses], "a secret is in an address")


@each("register")
def an_app_registers_itself_with_a_request_as_written(consent: Consent, _: Path) -> None:
    wire = Wire(consent.case["exchange"])
    same(dict(consent.act(wire)), consent.case["kept"], "what is kept")
    sent_as_told(wire, consent.case["exchange"])


@each("choices")
def what_a_token_may_post_to_is_asked_as_written(consent: Consent, _: Path) -> None:
    wire = Wire(consent.case["exchange"])
    found = consent.act(wire)
    sent_as_told(wire, consent.case["exchange"])
    must(all(r.method == "GET" for r in wire.sent), "asking for choices only reads")
    same([{"label": c.label, "settings": dict(c.settings)} for c in found], consent.case["choices"], "choices")


@each("revoke")
def a_token_is_ended_with_a_request_as_written(consent: Consent, _: Path) -> None:
    wire = Wire(consent.case["exchange"])
    consent.act(wire)
    sent_as_told(wire, consent.case["exchange"])


def _refused(subject: Subject) -> Asked:
    if _consented(subject):
        consent = Consent(subject, "exchange", subject.told["oauth"]["exchange"][0])
        for number, refusal in enumerate(subject.told["oauth"]["refusals"]):
            yield str(number), (consent, refusal)


@asked_of(_refused)
def a_refused_code_says_whose_fault_it_is_and_tells_no_secret(consent: Consent, refusal: Told, _: Path) -> None:
    body = {**refusal["json"], "seen": [*consent.secrets]}
    error = consent.outcome(at(0, reply(refusal["status"], json.dumps(body))))
    same(type(error).__name__, refusal["error"], "the error")
    assert error is not None
    same(oauth.is_about_app(error), refusal.get("app", False), "whether it is the app that is refused")
    tells_no_secret(error, consent.secrets)


@each("exchange", "choices")
def a_lost_answer_while_connecting_is_unavailable_and_tells_no_secret(consent: Consent, _: Path) -> None:
    for place in range(len(consent.case["exchange"])):
        for fault in (*NEVER_SENT, *LOST):
            error = consent.outcome(at(place, fault))
            same(type(error), Unavailable, f"{fault.__name__} at request {place}")
            tells_no_secret(error, consent.secrets)


@each("exchange", "choices")
def an_answer_that_cannot_be_read_while_connecting_is_one_of_the_six_errors(consent: Consent, _: Path) -> None:
    for place in range(len(consent.case["exchange"])):
        for what, body in UNREADABLE.items():
            error = consent.outcome(at(place, reply(200, body)))
            must(error is None or isinstance(error, Unauthorized | Unavailable), f"{what} at request {place}: {error}")


def _renewed(subject: Subject) -> Asked:
    if not _consented(subject) or not subject.kind.can("refresh"):
        return
    for name, case in subject.cases("refresh"):
        for status in (400, 401, 403, 404, 500, 502):
            yield f"{name}-{status}", (subject, case, status)
        return


@asked_of(_renewed)
def an_error_page_of_something_in_between_never_makes_a_renewal_token_worthless(
    subject: Subject, case: Any, status: int, _: Path
) -> None:
    wire = Wire(case.exchange, fault=at(0, reply(status, "<html>Bad gateway</html>")))
    given = {**subject.told["settings"], **case.told.get("settings", {})}
    try:
        with wire:
            subject.kind(given, wire).refresh()
    except PublishError as error:
        must(not isinstance(error, Unauthorized), "a page that is not the platform's was believed")
    else:
        must(None, "an error page gave a token")
