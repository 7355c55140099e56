"""Where a request came to and from: our own name for it, whether the way was encrypted, and whose address it has."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import HTTPException, Request

from worker.settings import Settings
from worker.team import is_loopback

FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")
"""What a proxy adds: behind one, everybody's address is the proxy's own. No browser speaks HTTP/1.0; nginx, left to
itself, adds none of these and does (https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_http_version)."""

PORTS = {"http": 80, "https": 443}

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Place:
    """``origin`` is what a browser calls us, ``secure`` whether it reached us by https, ``address`` whose it is."""

    origin: str
    secure: bool
    address: str


def place_of(request: Request, config: Settings) -> Place:
    """Where a page is asked for; raises 403 unless it is this machine itself or the public address.

    The Host is asked too, or any site could point its name at us. A name and a way that a proxy vouches for are
    believed of ``HANDBILL_PROXIES`` alone.
    """
    peer = request.client.host if request.client else ""
    host = _host(request.headers.get("host", ""), "http")
    forwarded = any(h in request.headers for h in FORWARDED) or request.scope["http_version"] == "1.0"
    if host and is_loopback(peer) and is_loopback(host[0]) and not forwarded:
        return Place(f"http://{request.headers['host']}", secure=False, address=peer)
    public = urlsplit(config.public_url)
    if (
        public.hostname
        and host
        and _host(request.headers["host"], public.scheme) == _host(public.netloc, public.scheme)
    ):
        trusted = within(peer, config.trusted)
        address = _client(request, peer, config) if trusted else peer
        if public.scheme == "http" and is_loopback(public.hostname):
            return Place(config.origin, secure=False, address=address)
        if public.scheme != "https":
            raise HTTPException(403, "People sign in over https only: HANDBILL_PUBLIC_URL must begin with https.")
        if not trusted:
            line = f"{peer} is not one of the proxies in HANDBILL_PROXIES, so nobody can tell whether this way is safe."
            raise HTTPException(403, line)
        if request.headers.get("x-forwarded-proto", "https").strip().lower() != "https":
            raise HTTPException(403, f"Use {config.origin}: people sign in over https only.")
        return Place(config.origin, secure=True, address=address)
    where = f"at http://127.0.0.1:{config.port} on the machine it runs on"
    if config.public_url:
        where = f"at {config.origin}, and {where}"
    line = f"The pages answer {where}. To reach them from elsewhere, set HANDBILL_PUBLIC_URL."
    raise HTTPException(403, f"{line} The JSON API under /api/v1/ works from anywhere with a token.")


def here(request: Request) -> bool:
    """Whether somebody on this machine asks, with no proxy between."""
    peer = request.client.host if request.client else ""
    host = _host(request.headers.get("host", ""), "http")
    forwarded = any(h in request.headers for h in FORWARDED) or request.scope["http_version"] == "1.0"
    return host is not None and is_loopback(peer) and is_loopback(host[0]) and not forwarded


def within(peer: str, networks: tuple[Network, ...]) -> bool:
    """Whether an address lies in one of the networks."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address.version == n.version and address in n for n in networks)


def network_of(address: str) -> str:
    """What one household or company shares: the address itself, or the /64 of an IPv6 one."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(getattr(found, "ipv4_mapped", None) or found)


def _host(text: str, scheme: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(f"//{text}")
        return (parts.hostname, parts.port or PORTS.get(scheme, 0)) if parts.hostname else None
    except ValueError:
        return None


def _client(request: Request, peer: str, config: Settings) -> str:
    """The nearest address that is none of our own proxies'; what stands left of it anybody could have written."""
    told = ",".join(request.headers.getlist("x-forwarded-for"))
    for one in reversed([a.strip() for a in told.split(",") if a.strip()]):
        try:
            ipaddress.ip_address(one)
        except ValueError:
            return peer
        if not within(one, config.trusted):
            return one
        peer = one
    return peer
