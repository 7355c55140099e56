"""How a person's consent becomes a token: OAuth 2's addresses and requests are built here, its answers read here.

Authorization code with S256 and state (RFC 6749, RFC 7636), refresh, revocation (RFC 7009), registration of an app.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from publishers.core.errors import PublishError, Rejected, Unauthorized, Unavailable
from publishers.core.setting import Setting

if TYPE_CHECKING:
    from publishers.core.http import Answer

CLIENT_ID = Setting(name="client_id", label="Client id of your app")
CLIENT_SECRET = Setting(name="client_secret", label="Client secret of your app", secret=True)

# What a token endpoint answers when this code or token is no good, and when our app is not: RFC 6749, section 5.2, and
# the same in the words of platforms that have their own.
SPENT = {
    *("invalid_grant", "invalid_request", "invalid_token", "access_denied", "OAuthException", "invalid_auth"),
    *("invalid_code", "code_already_used", "invalid_refresh_token", "token_expired", "token_revoked"),
}
NOT_OUR_APP = {
    *("invalid_client", "unauthorized_client", "invalid_scope"),
    *("invalid_client_id", "bad_client_secret", "bad_redirect_uri"),
}
NAMED = re.compile(r'"error(?:_type)?"\s*:\s*"([^"]+)"')
DESCRIBED = re.compile(r'"error_(?:description|message)"\s*:\s*"((?:[^"\\]|\\.)+)')
SAID = re.compile(r"(\w+): ")
NUMBERED = re.compile(r"\(\d+(?:/\d+)?\)$")  # as core/graph.py writes a numbered error


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One of several things a person may sign in as, each with scopes of its own."""

    label: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of the places that a token may post to (a Page, a channel, an organisation) and the settings that mean it."""

    label: str
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """When a token is renewed before anybody needs it: from ``ahead`` before its end, once it is ``young`` no more.

    ``asked``: a renewal token works once and each use is a risk, so only ahead of a post, or after ``rest`` without.
    """

    ahead: timedelta
    young: timedelta = timedelta(0)
    asked: bool = False
    rest: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth:
    """What a platform's OAuth 2 is like. Addresses that begin with / are on the account's own server.

    ``endpoint`` gives the tokens; ``app`` are the credentials of a registered app; ``register`` is where the protocol
    registers one by itself; ``asks`` are the fields that must be known before; ``https``: people are sent back to https
    addresses only. ``answer`` is what people are sent back with, ``carries`` what comes with it, is kept and must be in
    every request for a token; ``states`` is a ``state`` for these requests, where they must have one;
    ``protocol`` is its name, where it is not OAuth 2.
    """

    authorize: str
    endpoint: str
    scopes: tuple[str, ...]
    roles: Mapping[str, Role] = field(default_factory=dict)
    app: tuple[Setting, ...] = (CLIENT_ID, CLIENT_SECRET)
    asks: tuple[str, ...] = ()
    register: str = ""
    revoke: str = ""
    pkce: bool = True
    basic: bool = False
    comma: bool = False
    https: bool = False
    more: Mapping[str, str] = field(default_factory=dict)
    answer: str = "code"
    carries: tuple[str, ...] = ()
    states: str = ""
    protocol: str = "OAuth 2"
    access: str = "access_token"
    """The setting that the token becomes."""

    def wanted(self, role: str = "") -> tuple[str, ...]:
        """The scopes to ask for."""
        return self.roles[role].scopes if role in self.roles else self.scopes

    def missing(self, granted: str, role: str = "") -> list[str]:
        """The scopes that were wanted and not given; a scope such as ``write`` holds all of ``write:…``."""
        given = set(granted.split())
        return [s for s in self.wanted(role) if s not in given and s.partition(":")[0] not in given]

    def address(
        self, base: str, client: str, *, redirect: str, state: str, verifier: str, role: str = "", scopes: str = ""
    ) -> str:
        """The page that asks a person for consent, and then sends them to ``redirect``.

        ``scopes`` are those that the app was registered with, where its server knows others.
        """
        asked = {
            "response_type": "code",
            "client_id": client,
            "redirect_uri": redirect,
            "scope": scopes or ("," if self.comma else " ").join(self.wanted(role)),
            "state": state,
        }
        if self.pkce:
            asked |= {"code_challenge": challenge(verifier), "code_challenge_method": "S256"}
        page = place(self.authorize, base)
        return f"{page}{'&' if '?' in page else '?'}{urlencode({**asked, **self.more}, quote_via=quote)}"

    def exchange(self, app: Mapping[str, str], *, code: str, redirect: str, verifier: str) -> dict[str, Any]:
        """The request that turns a code into a token."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect, **self.carried(app)}
        return self._signed(app, {**form, **({"code_verifier": verifier} if self.pkce else {})})

    def renewal(self, app: Mapping[str, str], token: str) -> dict[str, Any]:
        """The request that turns a renewal token into a new token."""
        return self._signed(app, {"grant_type": "refresh_token", "refresh_token": token, **self.carried(app)})

    def revocation(self, app: Mapping[str, str], token: str) -> dict[str, Any]:
        """The request that ends a token."""
        return self._signed(app, {"token": token})

    def carried(self, told: Mapping[str, str]) -> dict[str, str]:
        """What came with the answer, of all that is known; raises Unauthorized if a part of it is not."""
        if lacking := [name for name in self.carries if not told.get(name)]:
            raise Unauthorized(f"{', '.join(lacking)} of the sign-in is not known; connect the account again")
        return {**{name: told[name] for name in self.carries}, **({"state": self.states} if self.states else {})}

    def _signed(self, app: Mapping[str, str], form: dict[str, str]) -> dict[str, Any]:
        """``form`` in the name of the app: its secret in a header or in the form; a public app has none."""
        client, secret = app.get("client_id", ""), app.get("client_secret", "")
        if self.basic and secret:
            pair = f"{quote(client, safe='')}:{quote(secret, safe='')}"
            return {"headers": {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}, "form": form}
        return {"form": {**form, "client_id": client, **({"client_secret": secret} if secret else {})}}

    def read(self, answer: Answer) -> dict[str, str]:
        """The settings to keep of a token endpoint's answer; what it leaves out is left out, never emptied."""
        told = answer.json()
        inside: tuple[str | int, ...] = ("data", 0) if isinstance(told, dict) and told.get("data") else ()
        kept = {self.access: answer.pick(*inside, "access_token")}
        for step in inside:
            told = told[step]
        if token := told.get("refresh_token"):
            kept["refresh_token"] = str(token)
        for name, theirs in (("expires_at", "expires_in"), ("refresh_expires_at", "refresh_token_expires_in")):
            if seconds := _seconds(told.get(theirs)):
                kept[name] = instant(answer.now + timedelta(seconds=seconds))
        if given := told.get("scope") or told.get("permissions"):
            kept["granted"] = granted(given)
        return kept


def challenge(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636, section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def place(address: str, base: str) -> str:
    """``address`` on the account's own server where it has one; stand-ins speak for every host of a platform."""
    if not base:
        return address
    parts = urlsplit(address)
    return base + (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def instant(moment: datetime) -> str:
    """An instant as it is kept: UTC, to the second."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def granted(told: str | Sequence[str]) -> str:
    """The scopes of an answer (a list, or text with spaces or commas), in one order."""
    names = told.replace(",", " ").split() if isinstance(told, str) else [str(n) for n in told]
    return " ".join(sorted(names))


def refusal(error: PublishError) -> PublishError:
    """What a refused token request means: only what the platform itself says of a code or token makes it worthless.

    An error page of something in between, in whatever status, proves nothing and is Unavailable.
    """
    if not isinstance(error, Rejected | Unauthorized):
        return error
    said = error_code(error) in SPENT | NOT_OUR_APP or NUMBERED.search(error.words)
    described = DESCRIBED.search(error.words)
    words = f"{error_code(error)}: {described[1]}" if described else error.words
    return (Unauthorized if said else Unavailable)(error.what, status=error.status, words=words)


def error_code(error: PublishError) -> str:
    """The name of the error in a token endpoint's JSON answer, which may have been cut; empty if there is none."""
    found = NAMED.search(error.words) or SAID.match(error.words)
    return found[1] if found else ""


def is_about_app(error: PublishError) -> bool:
    """Whether it is the app's credentials or its registration that the platform does not accept."""
    return error_code(error) in NOT_OUR_APP or "client secret" in error.words.lower()


def _seconds(told: Any) -> float:
    try:
        return max(0.0, float(told))
    except (TypeError, ValueError):
        return 0.0
