"""Who may ask for what: programs by a token with a scope, people on this machine alone until there is a sign-in."""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from worker.runtime import Runtime

SCOPES = ("read", "write", "admin")
"""Each may do what those before it may."""

FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
"""What a proxy adds: behind one, everybody's address is the proxy's own. No browser speaks HTTP/1.0; nginx, left to
itself, adds none of these and does (https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_http_version)."""

bearer = HTTPBearer(auto_error=False, description="A token made with `handbill tokens create`.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


def parts_of(request: Request) -> Runtime:
    """The parts this application was made from."""
    parts: Runtime = request.app.state.parts
    return parts


Parts = Annotated[Runtime, Depends(parts_of)]


@dataclass(frozen=True, slots=True)
class Caller:
    """The program that asks: it sees its workspace and nothing else."""

    workspace: str
    scope: str


def reads(parts: Parts, credentials: Credentials) -> Caller:
    """Whoever holds any token of ours."""
    return _caller(parts, credentials, "read")


def writes(parts: Parts, credentials: Credentials) -> Caller:
    """Whoever holds a token that may change something."""
    return _caller(parts, credentials, "write")


Reader = Annotated[Caller, Depends(reads)]
Writer = Annotated[Caller, Depends(writes)]


def _caller(parts: Runtime, credentials: HTTPAuthorizationCredentials | None, scope: str) -> Caller:
    if credentials is None:
        do = "Send Authorization: Bearer TOKEN; make one with: handbill tokens create --scope read"
        raise HTTPException(401, f"A token is needed. {do}.", {"WWW-Authenticate": "Bearer"})
    found = parts.records.token(credentials.credentials)
    if found is None:
        raise HTTPException(401, "This token is not one of ours.", {"WWW-Authenticate": 'Bearer error="invalid_token"'})
    if SCOPES.index(found["scope"]) < SCOPES.index(scope):
        wanted = {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'}
        raise HTTPException(403, f"This token may {found['scope']} and not {scope}.", wanted)
    return Caller(found["workspace"], found["scope"])


def here(request: Request) -> None:
    """Pages answer this machine alone; the Host is asked too, or any site could point its name at us."""
    if not _is_here(request):
        line = (
            "Pages answer only to a browser on the same machine, at http://127.0.0.1, until Handbill has a sign-in. "
            "The JSON API under /api/v1/ works from anywhere with a token."
        )
        raise HTTPException(403, line)


def here_or_reads(request: Request, parts: Parts, credentials: Credentials) -> None:
    """Somebody on this machine, or a program with any token."""
    if credentials is not None or not _is_here(request):
        _caller(parts, credentials, "read")


async def form(request: Request) -> dict[str, str]:
    """The fields of a form that one of our own pages sent; refuses a form of anybody else's page."""
    here(request)
    sent = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
    origin = request.headers.get("origin")
    ours = origin is None or origin == f"{request.url.scheme}://{request.headers['host']}"
    same = request.headers.get("sec-fetch-site", "same-origin") == "same-origin"
    token = request.app.state.form_token
    if not (ours and same and hmac.compare_digest(sent.pop("form_token", "").encode(), token.encode())):
        raise HTTPException(403, "This form is not from a current page of ours. Load the page again and repeat.")
    return sent


Form = Annotated[dict[str, str], Depends(form)]


def _is_here(request: Request) -> bool:
    peer = request.client.host if request.client else ""
    try:
        name = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        return False
    forwarded = any(h in request.headers for h in FORWARDED) or request.scope["http_version"] == "1.0"
    return _loopback(peer) and _loopback(name) and not forwarded


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
