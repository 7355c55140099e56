"""Which addresses may be connected to, checked inside the connect, and how long a whole request may take.

Checking in the connect covers redirects and DNS rebinding at once (CVE-2026-40168, CVE-2026-42346 in a peer).
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import httpcore

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

CARRIERS = tuple(  # whoever connects to one of these reaches the IPv4 address in its last 32 bits
    map(ipaddress.IPv6Network, ("64:ff9b::/96", "::ffff:0:0:0/96", "::/96"))  # RFC 6052, 2765, 4291
)
# Not every Python knows of these: local NAT64 (RFC 8215), documentation (RFC 9637), segment routing (RFC 9602),
# protocol assignments (RFC 6890; 192.0.0.192 is a cloud's metadata server), old 6to4 relays (RFC 7526).
NEVER_PUBLIC = tuple(
    map(ipaddress.ip_network, ("64:ff9b:1::/48", "3fff::/20", "5f00::/16", "192.0.0.0/24", "192.88.99.0/24"))
)
CLOUD_METADATA = ipaddress.ip_address("168.63.129.16")  # a cloud's wire server on an otherwise public address
LATE = httpcore.TimeoutException
LOST = (httpcore.NetworkError, httpcore.ProtocolError)
"""What a guarded connection raises when its deadline has passed, and when it was refused or broke."""

PIECE = 16_384  # bytes written before the clock is looked at again


class Blocked(httpcore.ConnectError):
    """The name or address is not one that may be connected to."""


def is_public(address: Address) -> bool:
    """Whether ``address`` is on the public internet, whatever it is wrapped in (mapped, 6to4, Teredo, NAT64)."""
    if any(address in network for network in NEVER_PUBLIC):
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if inner := _inside(address):
            return all(is_public(a) for a in inner)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and address != CLOUD_METADATA


def _inside(address: ipaddress.IPv6Address) -> Sequence[Address]:
    """The IPv4 addresses that an IPv6 address carries."""
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address.sixtofour is not None:
        return [address.sixtofour]
    if address.teredo is not None:
        return address.teredo
    if any(address in network for network in CARRIERS):
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    return []


class Deadline:
    """An instant on the monotonic clock that every wait of one request is measured against."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seconds = seconds
        self._last = float("inf")
        self._end = clock() + seconds

    def restart(self, seconds: float | None = None) -> None:
        """Begin again with the full time, or with ``seconds``; never with more than ``expire`` left of it."""
        self._end = min(self._clock() + (self._seconds if seconds is None else seconds), self._last)

    def expire(self, seconds: float) -> None:
        """Let no request go on, or begin, later than ``seconds`` from now, however often one is restarted."""
        self._last = self._clock() + seconds

    def left(self) -> float:
        """Seconds left; 0 when it has passed."""
        return max(0.0, self._end - self._clock())


class _Stream(httpcore.NetworkStream):
    """A connection that never waits, and never begins to write, beyond the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline
        self._wrote = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._time(httpcore.ReadTimeout, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # In pieces, or a peer that reads slowly could stretch one write for ever.
        for start in range(0, len(buffer), PIECE):
            # Late before the first byte is as good as never connected: nothing was sent.
            seconds = self._time(httpcore.WriteTimeout if self._wrote else httpcore.ConnectTimeout, timeout)
            self._wrote = True
            self._stream.write(buffer[start : start + PIECE], seconds)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        seconds = self._time(httpcore.ConnectTimeout, timeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, seconds), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def _time(self, late: type[Exception], timeout: float | None) -> float:
        left = self._deadline.left()
        if left <= 0:
            raise late("the request's total deadline has passed")
        return left if timeout is None else min(left, timeout)


class GuardedBackend(httpcore.NetworkBackend):
    """Connects only to public addresses, or to a ``host`` or ``host:port`` of ``allow``; one deadline for everything.

    An IPv6 address in ``allow`` may stand in brackets.

    ``ports`` limits the ports (None = any). Every answer of the resolver must be public: one bad answer refuses all.
    """

    def __init__(self, deadline: Deadline, *, allow: Iterable[str] = (), ports: frozenset[int] | None = None) -> None:
        self._deadline = deadline
        self._allow = frozenset(a.lower().replace("[", "").replace("]", "") for a in allow)
        self._ports = ports
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        allowed = host.lower() in self._allow or f"{host.lower()}:{port}" in self._allow
        if not allowed and self._ports is not None and port not in self._ports:
            raise Blocked(f"port {port} is not one of {sorted(self._ports)}")
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host} does not resolve") from error
        addresses = list(dict.fromkeys(str(a[4][0]).partition("%")[0] for a in answers))
        if not allowed and not all(is_public(ipaddress.ip_address(a)) for a in addresses):
            raise Blocked(f"{host} is a private address; HANDBILL_ALLOW_HOSTS={host}:{port} would allow it")
        error_seen: Exception = httpcore.ConnectError(f"the name {host} has no address")
        for address in addresses:
            left = self._deadline.left()
            if left <= 0:
                raise httpcore.ConnectTimeout("the request's total deadline has passed")
            seconds = left if timeout is None else min(left, timeout)
            try:
                stream = self._backend.connect_tcp(address, port, seconds, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                error_seen = error
            else:
                return _Stream(stream, self._deadline)
        raise error_seen

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        raise Blocked("local sockets are never spoken to")

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, self._deadline.left()))
