"""The consent pages and token endpoints of the stand-ins: what works once works once, each in its own shape."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from rehearsal.world import Account, Platform, body_of

GIVEN = "given-"
"""How every token begins that a stand-in gave: others are good as they are, these end, rotate and can be revoked."""

SEVERAL = "several"
"""An account whose name holds this has several places to post to, where its platform lets people choose."""

WRONG = "wrong"
"""A client id or secret that begins so is refused."""


def standard(status: int, error: str, words: str) -> Response:
    """A refusal as RFC 6749, section 5.2, writes it."""
    return JSONResponse({"error": error, "error_description": words}, status)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How one platform differs. Seconds are lives; ``refresh`` None = no refresh tokens.

    ``refuse`` writes a refusal (status, error, words), ``dead`` answers a token that has ended, ``answer`` adds to
    a token answer. ``comma``: scopes are written with commas. ``pkce``: a challenge is demanded. ``device``: the name
    under which something comes with the code, without which nothing is given for it.
    """

    authorize: str
    endpoint: str
    revoke: str = ""
    register: str = ""
    code: float = 600
    access: float | None = 7200
    refresh: float | None = None
    says_scope: bool = True
    comma: bool = False
    pkce: bool = False
    basic: bool = False
    public: bool = False
    device: str = ""
    denied: Mapping[str, str] = field(default_factory=lambda: {"error": "access_denied"})
    refuse: Callable[[int, str, str], Response] = standard
    dead: Callable[[], Response] = lambda: standard(401, "invalid_token", "The token has ended.")
    answer: Callable[[Request, Account], Mapping[str, Any]] = lambda *_: {}


class Desk:
    """What one platform gave to whom, kept in each account's folder as ``oauth.json``."""

    def __init__(self, platform: Platform, shape: Shape) -> None:
        self.platform, self.shape = platform, shape

    def routes(self) -> list[Route]:
        """Its addresses below the account's prefix."""
        shape = self.shape
        found = [
            Route(shape.authorize, self.page),
            Route(shape.authorize, self.decided, methods=["POST"]),
            Route(shape.endpoint, self.token, methods=["POST"]),
        ]
        if shape.revoke:
            found.append(Route(shape.revoke, self.revoked, methods=["POST"]))
        if shape.register:
            found.append(Route(shape.register, self.registered, methods=["POST"]))
        return found

    def good(self, account: Account, token: str) -> bool:
        """Whether a token may be used: one that was given here, until it ends or is revoked; any other always."""
        if not token.startswith(GIVEN):
            return True
        known = _kept(account)["access"].get(token)
        return known is not None and (
            not known["ends"] or self.platform.world.now() < datetime.fromisoformat(known["ends"])
        )

    def scopes(self, account: Account, token: str) -> list[str] | None:
        """What a person allowed when this token was given; None if it was not given here."""
        known = _kept(account)["access"].get(token)
        return None if known is None else list(known["scopes"])

    async def page(self, request: Request) -> Response:
        """Who asks for what, and two buttons."""
        asked, account = request.query_params, self.platform.account(request)
        if trouble := self._trouble(account, asked):
            return HTMLResponse(_sorry(self.platform.name, trouble), 400)
        return HTMLResponse(_consent(self.platform.name, account.name, self._scopes(asked.get("scope", ""))))

    async def decided(self, request: Request) -> Response:
        """Back to whoever asked, with a code or a refusal."""
        asked, account = request.query_params, self.platform.account(request)
        if trouble := self._trouble(account, asked):
            return HTMLResponse(_sorry(self.platform.name, trouble), 400)
        async with request.form() as form:
            allowed, scopes = form.get("decision") == "allow", [str(v) for v in form.getlist("scope")]
        back = dict(self.shape.denied)
        if allowed:
            code = f"code-{secrets.token_urlsafe(24)}"
            device = f"device-{secrets.token_urlsafe(12)}" if self.shape.device else ""
            kept = _kept(account)
            kept["codes"][code] = {
                "client": asked["client_id"],
                "redirect": asked["redirect_uri"],
                "challenge": asked.get("code_challenge", ""),
                "scopes": scopes,
                "device": device,
                "ends": self._in(self.shape.code),
                "used": "",
            }
            _keep(account, kept)
            back = {"code": code, **({self.shape.device: device} if device else {})}
        sign = "&" if "?" in asked["redirect_uri"] else "?"
        query = urlencode({**back, "state": asked.get("state", "")})
        return RedirectResponse(f"{asked['redirect_uri']}{sign}{query}", 302)

    async def token(self, request: Request) -> Response:
        """A code or a refresh token for a new token."""
        account, sent = self.platform.account(request), await body_of(request)
        if refusal := self._stranger(request, account, sent):
            return refusal
        if sent.get("grant_type") == "refresh_token":
            return self._refreshed(request, account, sent)
        if sent.get("grant_type") == "fb_exchange_token":
            return self.made_to_last(account, str(sent.get("fb_exchange_token", "")))
        kept = _kept(account)
        code = kept["codes"].get(str(sent.get("code", "")))
        if wrong := self._worthless(code, sent):
            if code and code["used"]:  # whoever has it twice may have stolen it: RFC 6749, section 4.1.2
                kept["access"].pop(code["used"], None)
                _keep(account, kept)
            return self.shape.refuse(400, "invalid_grant", wrong)
        answer = self._give(request, account, kept, code)
        code["used"] = answer["access_token"]
        _keep(account, kept)
        return JSONResponse(answer)

    async def revoked(self, request: Request) -> Response:
        """A token is worth nothing any more."""
        account, sent = self.platform.account(request), await body_of(request)
        if refusal := self._stranger(request, account, sent):
            return refusal
        kept = _kept(account)
        for tokens in (kept["access"], kept["refresh"]):
            tokens.pop(str(sent.get("token", "")), None)
        _keep(account, kept)
        return JSONResponse({"revoked": True})

    async def registered(self, request: Request) -> Response:
        """An app of somebody's own."""
        account, sent = self.platform.account(request), await body_of(request)
        client, secret = f"client-{secrets.token_hex(8)}", secrets.token_urlsafe(24)
        kept = _kept(account)
        kept["apps"][client] = {"secret": secret, "redirect": str(sent.get("redirect_uris", ""))}
        _keep(account, kept)
        told = {"id": "1", "name": sent.get("client_name"), "redirect_uri": sent.get("redirect_uris")}
        return JSONResponse({**told, "client_id": client, "client_secret": secret})

    def made_to_last(self, account: Account, token: str) -> Response:
        """One more token, of sixty days, for one that has not ended."""
        if not token or token.startswith("expired") or not self.good(account, token):
            return self.shape.dead()
        kept, fresh = _kept(account), self._token()
        known = kept["access"].get(token, {"scopes": []})
        kept["access"][fresh] = {"ends": self._in(5_183_944), "scopes": known["scopes"]}
        _keep(account, kept)
        return JSONResponse({"access_token": fresh, "token_type": "bearer", "expires_in": 5_183_944})

    def kept(self, account: Account) -> dict[str, Any]:
        """What was given in this account's name."""
        return _kept(account)

    def keep(self, account: Account, kept: Mapping[str, Any]) -> None:
        """Store what was given."""
        _keep(account, kept)

    def draw(self) -> str:
        """A new token."""
        return self._token()

    def consent(self, name: str, scopes: list[str]) -> str:
        """The page that asks a person."""
        return _consent(self.platform.name, name, scopes)

    def sorry(self, why: str) -> str:
        """The page for whoever gets no token."""
        return _sorry(self.platform.name, why)

    def _worthless(self, code: Mapping[str, Any] | None, sent: Mapping[str, Any]) -> str:
        """Why a code is no good; empty if it is."""
        if code is None or self.platform.world.now() >= datetime.fromisoformat(code["ends"]):
            return "The code is invalid or has expired."
        if code["used"]:
            return "The code has been used."
        if sent.get("redirect_uri") != code["redirect"]:
            return "The redirect_uri is not the one that was asked with."
        if code["challenge"] and not _proves(str(sent.get("code_verifier", "")), code["challenge"]):
            return "The code_verifier does not match."
        return self._elsewhere(code, sent)

    def _elsewhere(self, known: Mapping[str, Any], sent: Mapping[str, Any]) -> str:
        """Why something was given to another device; empty if it was to this one."""
        name = self.shape.device
        return f"{name} is not the one that this was given to." if name and sent.get(name) != known["device"] else ""

    def _refreshed(self, request: Request, account: Account, sent: Mapping[str, Any]) -> Response:
        kept, token = _kept(account), str(sent.get("refresh_token", ""))
        known = kept["refresh"].get(token)
        if not token or token.startswith("expired") or (token.startswith(GIVEN) and known is None):
            return self.shape.refuse(400, "invalid_grant", "Value passed for the token was invalid.")
        if known and (wrong := self._elsewhere(known, sent)):
            return self.shape.refuse(400, "invalid_grant", wrong)
        kept["refresh"].pop(token, None)
        answer = self._give(request, account, kept, known or {})
        _keep(account, kept)
        return JSONResponse(answer)

    def _give(
        self, request: Request, account: Account, kept: dict[str, Any], known: Mapping[str, Any]
    ) -> dict[str, Any]:
        shape, scopes = self.shape, known.get("scopes", [])
        answer: dict[str, Any] = {"access_token": self._token(), "token_type": "bearer"}
        ends = "" if shape.access is None else self._in(shape.access)
        kept["access"][answer["access_token"]] = {"ends": ends, "scopes": scopes}
        if shape.access is not None:
            answer["expires_in"] = int(shape.access)
        if shape.refresh is not None:
            answer["refresh_token"] = self._token()
            kept["refresh"][answer["refresh_token"]] = {"scopes": scopes, "device": known.get("device", "")}
        if shape.says_scope and scopes:
            answer["scope"] = ("," if shape.comma else " ").join(scopes)
        return {**answer, **shape.answer(request, account)}

    def _stranger(self, request: Request, account: Account, sent: Mapping[str, Any]) -> Response | None:
        """A refusal of an app that is not known, or that does not prove who it is."""
        client, secret = str(sent.get("client_id", "")), str(sent.get("client_secret", ""))
        kind, _, pair = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "basic" and self.shape.basic:
            client, _, secret = base64.b64decode(pair).decode("utf-8", "replace").partition(":")
        apps = _kept(account)["apps"]
        known = client in apps and hmac.compare_digest(apps[client]["secret"], secret)
        if self.shape.register:
            bad = not known
        else:
            bad = not client or (not secret and not self.shape.public) or WRONG in {client[:5], secret[:5]}
        return self.shape.refuse(401, "invalid_client", "The client is not known here.") if bad else None

    def _trouble(self, account: Account, asked: Mapping[str, str]) -> str:
        apps = _kept(account)["apps"]
        if asked.get("response_type") != "code":
            return "response_type must be code"
        client, redirect = asked.get("client_id", ""), asked.get("redirect_uri", "")
        if not client or client.startswith(WRONG) or (self.shape.register and client not in apps):
            return "the client is not known"
        if not redirect or (self.shape.register and apps[client]["redirect"] != redirect):
            return "the redirect_uri is not one of the app's"
        if self.shape.pkce and asked.get("code_challenge_method") != "S256":
            return "a code_challenge with S256 is needed"
        if not asked.get("state"):
            return "there is no state"
        return "" if self._scopes(asked.get("scope", "")) else "no scope is asked for"

    def _scopes(self, told: str) -> list[str]:
        return [s for s in (told.split(",") if self.shape.comma else told.split()) if s]

    def _token(self) -> str:
        return GIVEN + secrets.token_urlsafe(24)

    def _in(self, seconds: float) -> str:
        return (self.platform.world.now() + timedelta(seconds=seconds)).isoformat()


def _proves(verifier: str, challenge: str) -> bool:
    made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return hmac.compare_digest(made, challenge)


def _kept(account: Account) -> dict[str, Any]:
    empty: dict[str, Any] = {"apps": {}, "codes": {}, "access": {}, "refresh": {}}
    try:
        return empty | dict(json.loads((account.folder / "oauth.json").read_text()))
    except OSError:
        return empty


def _keep(account: Account, kept: Mapping[str, Any]) -> None:
    account.folder.mkdir(parents=True, exist_ok=True)
    part = account.folder / ".oauth.json.part"
    part.write_text(json.dumps(kept))
    part.replace(account.folder / "oauth.json")


def _consent(platform: str, name: str, scopes: list[str]) -> str:
    boxes = "".join(
        f'<label><input type="checkbox" name="scope" value="{html.escape(s)}" checked> {html.escape(s)}</label>'
        for s in scopes
    )
    return PAGE.format(
        title=f"Allow access to {html.escape(name)}?",
        body=f"<p>A rehearsal of {html.escape(platform)}: nothing here leaves this machine.</p>"
        f"<form method='post'><fieldset><legend>It may</legend>{boxes}</fieldset>"
        "<p><button name='decision' value='allow'>Allow</button> <button name='decision' value='deny'>Deny</button></p>"
        "</form>",
    )


def _sorry(platform: str, why: str) -> str:
    return PAGE.format(title=f"{html.escape(platform)} cannot ask", body=f"<p>{html.escape(why)}</p>")


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,"><title>{title}</title><style>
body {{ font: 1.0625rem/1.55 system-ui, sans-serif; max-width: 32rem; margin: 3rem auto; padding: 0 1rem; }}
label {{ display: block; }} button {{ font: inherit; padding: .5rem 1rem; }}
</style></head><body><h1>{title}</h1>{body}</body></html>
"""
