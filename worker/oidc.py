"""Sign-in by an identity provider (OpenID Connect Core 1.0): discovery, code with PKCE, a checked id_token."""

from __future__ import annotations

import base64
import functools
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from publishers.core.errors import PublishError
from publishers.core.http import Http
from worker.errors import HandbillError, Refused
from worker.people import User, email_of
from worker.runtime import Runtime
from worker.settings import Settings

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by a key that the provider alone has; never ``none``, never a shared secret."""

SKEW = 60
LIFE = timedelta(minutes=10)
KEEP = 600.0


@dataclass(frozen=True, slots=True)
class Provider:
    """What a provider says of itself at ``/.well-known/openid-configuration``."""

    issuer: str
    authorization: str
    token: str
    keys: str
    post: bool


def enabled(config: Settings) -> bool:
    """Whether there is a provider to sign in with."""
    return bool(config.oidc_issuer and config.oidc_client_id)


def begin(parts: Runtime, back: str) -> tuple[str, str]:
    """Where the browser goes, and what its cookie holds until it comes back."""
    provider = _provider(parts.settings)
    verifier, state, nonce = (secrets.token_urlsafe(32) for _ in range(3))
    cookie = parts.people.make_link("oidc", life=LIFE, verifier=verifier, state=state, nonce=nonce, back=back)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    query = {
        "response_type": "code",
        "client_id": parts.settings.oidc_client_id,
        "redirect_uri": redirect(parts.settings),
        "scope": "openid email profile",
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    mark = "&" if urlsplit(provider.authorization).query else "?"
    return f"{provider.authorization}{mark}{urlencode(query)}", cookie


def finish(
    parts: Runtime, cookie: str, told: Mapping[str, str], *, now: Callable[[], float] = time.time
) -> tuple[User, str]:
    """Who came back, and where they wanted to go; raises HandbillError for whatever is not as it should be.

    Somebody is known by what the provider calls them; at first by a mail address that it says is verified.
    """
    flow = parts.people.take_link(cookie, "oidc")
    if flow is None or not secrets.compare_digest(flow["state"].encode(), told.get("state", "").encode()):
        raise HandbillError("This sign-in was begun elsewhere, or too long ago", do="Begin again")
    if told.get("error"):
        words = (told.get("error_description") or told["error"])[:200]
        raise HandbillError("The identity provider did not let you in", why=words, do="Begin again")
    provider = _provider(parts.settings)
    if told.get("iss", provider.issuer) != provider.issuer:  # RFC 9207
        raise HandbillError("The answer is of another identity provider", do="Begin again")
    claims = _claims(parts.settings, provider, code=told.get("code", ""), flow=flow, now=now)
    return _who(parts, provider, claims), flow["back"]


def redirect(config: Settings) -> str:
    """The address that the provider must be told to lead people back to."""
    return f"{config.origin}/oidc/back"


def _who(parts: Runtime, provider: Provider, claims: Mapping[str, Any]) -> User:
    name = f"{provider.issuer} {claims['sub']}"
    if known := parts.people.by_subject(name):
        return known
    if claims.get("email_verified") is not True or not isinstance(claims.get("email"), str):
        why = "it does not say that it has verified your mail address"
        raise Refused("The identity provider does not vouch for you", why=why)
    address = email_of(claims["email"])
    user = parts.people.by_email(address)
    if user is None:
        raise Refused(f"Nobody here has the address {address}", do="Ask an owner to invite you")
    parts.people.bind_subject(name, user.id)
    return user


def _claims(
    config: Settings, provider: Provider, *, code: str, flow: Mapping[str, str], now: Callable[[], float]
) -> Mapping[str, Any]:
    secret = config.oidc_client_secret.get_secret_value()
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect(config),
        "code_verifier": flow["verifier"],
        "client_id": config.oidc_client_id,
    }
    headers = {"Accept": "application/json"}
    if secret and provider.post:
        form["client_secret"] = secret
    elif secret:
        pair = f"{_encoded(config.oidc_client_id)}:{_encoded(secret)}"  # RFC 6749, 2.3.1
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    answer = _ask(config, "POST", provider.token, headers=headers, form=form, secrets=(secret, code, flow["verifier"]))
    token = answer.get("id_token")
    if not isinstance(token, str):
        raise HandbillError("The identity provider gave no id_token", do="Begin again")
    for fresh in (False, True):  # a key that is not known yet may be a new one
        try:
            period = int(time.monotonic() // KEEP)
            keys = KeySet.import_key_set(_kept(config.allowed, config.request_seconds, provider.keys, period))
            found = jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims
            _registry(config, provider, flow["nonce"], now).validate(found)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            if fresh:
                why = str(error) or type(error).__name__
                raise HandbillError("The id_token is not right", why=why, do="Begin again") from None
            _kept.cache_clear()
            continue
        break
    audience = found["aud"]
    if isinstance(audience, list) and len(audience) > 1 and found.get("azp") != config.oidc_client_id:
        raise HandbillError("The id_token is not right", why="it is for somebody else", do="Begin again")
    return found


def _registry(config: Settings, provider: Provider, nonce: str, now: Callable[[], float]) -> jwt.JWTClaimsRegistry:
    return jwt.JWTClaimsRegistry(
        now=lambda: int(now()),
        leeway=SKEW,
        iss={"essential": True, "value": provider.issuer},
        aud={"essential": True, "value": config.oidc_client_id},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": nonce},
    )


def _provider(config: Settings) -> Provider:
    issuer = config.oidc_issuer.rstrip("/")
    address = f"{issuer}/.well-known/openid-configuration"
    found = _kept(config.allowed, config.request_seconds, address, int(time.monotonic() // KEEP))
    if str(found.get("issuer", "")).rstrip("/") != issuer:
        why = f"it calls itself {found.get('issuer')}"
        raise HandbillError(f"{issuer} is another identity provider", why=why, do="Correct HANDBILL_OIDC_ISSUER")
    try:
        places = [str(found[k]) for k in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
    except KeyError as error:
        raise HandbillError(f"{issuer} does not say where its {error.args[0]} is") from None
    if not all(p.startswith("https://") or _private(config, p) for p in places):
        raise HandbillError(f"{issuer} does not speak https everywhere")
    methods = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    start, token, keys = places
    return Provider(str(found["issuer"]), start, token, keys, post="client_secret_basic" not in methods)


def _private(config: Settings, address: str) -> bool:
    """Whether an address is one that HANDBILL_ALLOW_HOSTS lets us speak to without encryption."""
    return urlsplit(address).netloc in config.allowed or (urlsplit(address).hostname or "") in config.allowed


@functools.lru_cache(maxsize=16)
def _kept(allowed: frozenset[str], seconds: float, address: str, period: int) -> Any:
    """What stands at an address, read once in each ``period``."""
    del period
    return _read(allowed, seconds, "GET", address)


def _ask(config: Settings, method: str, address: str, **request: Any) -> Any:
    return _read(config.allowed, config.request_seconds, method, address, **request)


def _read(
    allowed: frozenset[str], seconds: float, method: str, address: str, *, secrets: tuple[str, ...] = (), **request: Any
) -> Any:
    try:
        with Http(seconds=min(seconds, 10), allow=allowed, secrets=secrets) as http:
            answer = http.send(method, address, commit=False, **request)
            if answer.status != 200:
                raise HandbillError(f"{urlsplit(address).hostname} answered {answer.status}", why=answer.words())
            found = answer.json()
    except PublishError as error:
        raise HandbillError("The identity provider cannot be reached", why=str(error), do="Try again later") from None
    if not isinstance(found, dict):
        raise HandbillError(f"{urlsplit(address).hostname} answered something else than JSON of an object")
    return found


def _encoded(text: str) -> str:
    return urlencode({"": text})[1:]
