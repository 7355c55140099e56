"""How strangers' servers are asked: one GET with one deadline, each connection checked, connections kept for the next.

The standard library's HTTP rather than httpx: asking 10,000 feeds whether they have news costs a fifth of the time.
"""

from __future__ import annotations

import http.client
import importlib.metadata
import io
import re
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from publishers.core.guard import LATE, LOST, Deadline, GuardedBackend
from publishers.core.http import tls
from worker.errors import BadSource

PORTS = frozenset({80, 443})
REDIRECTS = 5
MOVED = frozenset({301, 302, 303, 307, 308})
FOR_EVER = frozenset({301, 308})
IDLE_SECONDS = 20.0
IDLE_MOST = 256
SAFE = "!#$%&'()*+,/:;=?@[]~"
LISTS = ("link", "x-robots-tag")
"""Fields of which a site may send several that all count (RFC 9110, § 5.3); of any other the first does."""

UNSEEN = re.compile(r"[\x00-\x20\x7f]")
CHUNK = 65_536
PACKED = frozenset({"gzip", "x-gzip", "deflate"})
"""What some servers send whatever they are asked for: files that were stored so, by S3 for one."""

Origin = tuple[str, str, int]
Found = tuple[int, dict[str, str], bytes]


def agent(contact: str = "") -> str:
    """Who asks, in the words that sites see; ``contact`` is where they may complain."""
    where = f"; {contact}" if contact else ""
    return f"Handbill/{importlib.metadata.version('handbill')} (+https://github.com/handbill/handbill{where})"


class Unreachable(BadSource):
    """No answer came: no such name, no connection, too late, or something that is no HTTP."""


class TooLarge(BadSource):
    """The answer is larger than may be read."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One redirect: the status, and the address it leads to."""

    status: int
    url: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered in the end, at ``url``; ``hops`` are the redirects.

    ``headers`` have small letters; of LISTS each that was sent has a line.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    hops: tuple[Hop, ...] = ()

    @property
    def moved_to(self) -> str:
        """Where the asked address moved to for ever, "" if it did not: only redirects before any passing one count."""
        last = ""
        for hop in self.hops:
            if hop.status not in FOR_EVER:
                break
            last = hop.url
        return last


class Client:
    """Asks servers; any number of threads may share one.

    ``allow`` are private ``host[:port]``s that may be asked, ``agent`` says who asks, ``ports`` may be connected to.
    """

    def __init__(
        self, *, agent: str, allow: Iterable[str] = (), ports: frozenset[int] | None = PORTS, keep: bool = False
    ) -> None:
        self._agent = agent
        self._allow = frozenset(allow)
        self._ports = ports
        self._keep = keep
        self._idle: dict[Origin, list[_Connection]] = {}
        self._lock = threading.Lock()

    def get(
        self,
        url: str,
        *,
        deadline: Deadline,
        accept: str = "*/*",
        headers: Mapping[str, str] | None = None,
        max_bytes: int = 10_000_000,
        redirects: int = REDIRECTS,
    ) -> Answer:
        """The answer at ``url`` after at most so many redirects, whatever its status. Only a 200 has a body.

        Raises BadSource: Unreachable if there is no answer, TooLarge if there is too much of it.
        """
        sent = {"User-Agent": self._agent, "Accept": accept, "Accept-Encoding": "identity", **(headers or {})}
        hops: list[Hop] = []
        url = checked(url)
        while True:
            status, found, body = self._once(url, sent, deadline, max_bytes)
            if status not in MOVED or not found.get("location"):
                return Answer(url, status, found, body, tuple(hops))
            if len(hops) == redirects:
                why = f"it redirects more than {redirects} times"
                raise Unreachable(f"{short(url)} cannot be read", why=why, do="Check the URL")
            url = checked(joined(url, found["location"]))
            hops.append(Hop(status, url))

    def close(self) -> None:
        """Close every connection that is kept."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for connection in (c for kept in idle.values() for c in kept):
            connection.close()

    def _once(self, url: str, headers: Mapping[str, str], deadline: Deadline, max_bytes: int) -> Found:
        parts = urlsplit(url)
        host = parts.hostname or ""
        origin = (parts.scheme, host, parts.port or (443 if parts.scheme == "https" else 80))
        try:
            if (connection := self._kept(origin)) is not None:
                try:
                    return self._ask(connection, url, headers, deadline, max_bytes)
                except (http.client.RemoteDisconnected, *LOST):
                    pass  # the server had ended a kept connection; a GET may be sent again
            return self._ask(_Connection(origin, self._backend), url, headers, deadline, max_bytes)
        except LATE:
            raise Unreachable(f"{short(url)} cannot be read", why="the site took too long", do="Try again") from None
        except (*LOST, http.client.HTTPException, OSError, ValueError) as error:
            why = " ".join("".join(c if c.isprintable() else " " for c in str(error)).split()).rstrip(".")[:200]
            why = why or type(error).__name__
            raise Unreachable(f"{short(url)} cannot be read", why=why, do="Check the URL") from None

    def _backend(self, deadline: Deadline) -> GuardedBackend:
        return GuardedBackend(deadline, allow=self._allow, ports=self._ports)

    def _ask(
        self, connection: _Connection, url: str, headers: Mapping[str, str], deadline: Deadline, max_bytes: int
    ) -> Found:
        connection.deadline.of = deadline
        parts = urlsplit(url)
        response: http.client.HTTPResponse | None = None
        whole = False
        try:
            connection.request("GET", urlunsplit(("", "", parts.path or "/", parts.query, "")), headers=headers)
            response = connection.getresponse()
            said = response.getheaders()
            found = {k.lower(): v for k, v in reversed(said)}
            found |= {n: "\n".join(v for k, v in said if k.lower() == n) for n in LISTS if n in found}
            _refuse_lengths({v.strip() for k, v in said if k.lower() == "content-length"})
            body = b"".join(_body(response, found, short(url), max_bytes)) if response.status == 200 else b""
            if response.status != 200 and not response.chunked and (response.length or 0) <= CHUNK:
                response.read(CHUNK)  # what is left unread is read by nobody, and the connection would be lost
            whole = response.isclosed() and not response.will_close
            return response.status, found, body
        finally:
            if response is not None:
                response.close()
            if whole and self._keep:
                self._put_back(connection)
            else:
                connection.close()

    def _kept(self, origin: Origin) -> _Connection | None:
        with self._lock:
            kept = self._idle.get(origin)
            connection = kept.pop() if kept else None
            if kept is not None and not kept:
                del self._idle[origin]
        if connection is not None and time.monotonic() - connection.since > IDLE_SECONDS:
            connection.close()
            return None
        return connection

    def _put_back(self, connection: _Connection) -> None:
        connection.since = time.monotonic()
        with self._lock:
            if len(self._idle) >= IDLE_MOST:
                _, oldest = self._idle.popitem()
                for other in oldest:
                    other.close()
            self._idle.setdefault(connection.origin, []).append(connection)


def checked(url: str) -> str:
    """``url`` as it is sent: absolute, without fragment, every sign escaped that must be; raises BadSource."""
    url = UNSEEN.sub(lambda m: quote(m[0]), url.strip())
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise BadSource(f"{short(url)} is no address", why=str(error), do="Check the URL") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise BadSource(f"{short(url)} cannot be read", why="only http and https addresses are", do="Check the URL")
    if parts.username is not None:
        raise BadSource(f"the address at {host} cannot be read", why="it holds a password", do="Leave it out")
    try:
        host = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        raise BadSource(f"{short(url)} is no address", why="its host is no name", do="Check the URL") from None
    place = f"[{host}]" if ":" in host else host
    place += f":{port}" if port is not None else ""
    return urlunsplit((parts.scheme, place, quote(parts.path, SAFE), quote(parts.query, SAFE), ""))


def short(source: str) -> str:
    """A source as an error shows it: without a password or a query, and not longer than a line."""
    scheme, found, rest = source.partition("://")
    if found:
        host, slash, path = rest.partition("/")
        source = f"{scheme}://{host.rpartition('@')[2]}{slash}{unquote(re.split(r'[?#]', path)[0])}"
    source = "".join(c if c.isprintable() else "�" for c in source)
    return source if len(source) <= 120 else source[:119] + "…"


def too_large(name: str, max_bytes: int) -> TooLarge:
    """The line for what is larger than may be read."""
    do = "Give a smaller one, or raise HANDBILL_FETCH_MEGABYTES"
    return TooLarge(f"{name} is too large", why=f"more than {max_bytes / 1e6:.3g} MB", do=do)


def joined(base: str, address: str) -> str:
    """``address`` as the page at ``base`` means it; raises BadSource if it is none."""
    try:
        return urljoin(base, address)
    except ValueError as error:
        why = f"it leads to {short(address)}, which is no address ({error})"
        raise Unreachable(f"{short(base)} cannot be read", why=why, do="Check the URL") from None


def _refuse_lengths(said: set[str]) -> None:
    """Refuse an answer whose length nobody can know (RFC 9110, § 8.6): what follows it might be taken for the next."""
    if said and not (len(said) == 1 and (length := next(iter(said))).isascii() and length.isdigit()):
        raise http.client.HTTPException("the site says a length that is none")


def _body(response: http.client.HTTPResponse, headers: Mapping[str, str], name: str, max_bytes: int) -> Iterator[bytes]:
    coding = headers.get("content-encoding", "").strip().lower()
    if coding not in {"", "identity", *PACKED}:
        raise Unreachable(f"{name} cannot be read", why="it came compressed although that was not asked for")
    chunks = _on_the_wire(response, name, max_bytes)
    yield from unpacked(chunks, name, max_bytes) if coding in PACKED else chunks


def _on_the_wire(response: http.client.HTTPResponse, name: str, max_bytes: int) -> Iterator[bytes]:
    if (response.length or 0) > max_bytes:
        raise too_large(name, max_bytes)
    size = 0
    while chunk := response.read1(CHUNK):
        size += len(chunk)
        if size > max_bytes:
            raise too_large(name, max_bytes)
        yield chunk
    if response.length:
        raise http.client.HTTPException("the site ended its answer in the middle")


def unpacked(chunks: Iterable[bytes], name: str, max_bytes: int) -> Iterator[bytes]:
    """What gzip or zlib made of ``chunks``, in pieces of CHUNK, never more than ``max_bytes`` in all.

    Raises TooLarge, and HTTPException for what neither of them made or was cut off.
    """
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    size = 0
    for chunk in chunks:
        left = chunk
        while True:
            try:
                piece = unpacker.decompress(left, CHUNK)
            except zlib.error:
                raise http.client.HTTPException("what came compressed is damaged") from None
            size += len(piece)
            if size > max_bytes:
                raise too_large(name, max_bytes)
            yield piece
            left = unpacker.unconsumed_tail
            if not left and len(piece) < CHUNK:
                break
    if not unpacker.eof:
        raise http.client.HTTPException("what came compressed was cut off")
    if unpacker.unused_data:
        raise http.client.HTTPException("something follows what came compressed")


class _Borrowed(Deadline):
    """The deadline of whatever request a connection is used for now."""

    def __init__(self, of: Deadline) -> None:
        super().__init__(0)
        self.of = of

    def left(self) -> float:
        return self.of.left()


class _Raw(io.RawIOBase):
    """A checked connection's stream as the standard library reads one."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._wire.stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._wire.left_by_reader()


class _Wire:
    """What ``http.client`` wants of a socket, on a stream that ends each wait at the deadline."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self._readers = 0
        self._closed = False

    def sendall(self, data: bytes) -> None:
        self.stream.write(data)

    def makefile(self, mode: str, *_: object) -> io.BufferedReader:
        del mode
        self._readers += 1
        return io.BufferedReader(_Raw(self))

    def left_by_reader(self) -> None:
        self._readers -= 1
        if self._closed and not self._readers:
            self.stream.close()

    def close(self) -> None:
        self._closed = True
        if not self._readers:
            self.stream.close()


class _Connection(http.client.HTTPConnection):
    """A connection whose every address was checked; secure ones are checked for their name too."""

    def __init__(self, origin: Origin, backend: Callable[[Deadline], GuardedBackend]) -> None:
        scheme, host, port = origin
        super().__init__(host, port)
        self.default_port = 443 if scheme == "https" else 80
        self.origin = origin
        self.deadline = _Borrowed(Deadline(0))
        self.since = 0.0
        self._backend = backend(self.deadline)

    def connect(self) -> None:
        """Connect, with TLS if it is secure."""
        stream = self._backend.connect_tcp(self.host, self.port, self.deadline.left())
        if self.origin[0] == "https":
            try:
                stream = stream.start_tls(tls(), self.host, self.deadline.left())
            except BaseException:
                stream.close()
                raise
        self.sock = _Wire(stream)
