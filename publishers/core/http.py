"""How a platform is spoken to: one request on a fresh connection, one deadline, one reading of what went wrong.

A request that was never sent and one whose answer was lost are told apart here, once, for every adapter.
"""

from __future__ import annotations

import contextlib
import email.utils
import functools
import hashlib
import json
import math
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Self, TypeVar
from urllib.parse import quote, quote_plus

import httpcore
import httpx

from publishers.core.channel import Channel, agreed, asking
from publishers.core.errors import PublishError, RateLimited, Rejected, Unauthorized, Unavailable, Unconfirmed
from publishers.core.guard import LATE, LOST, Deadline, GuardedBackend

NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
Said = TypeVar("Said")
ANSWER_BYTES = 4_000_000
WORDS = 300
DAY = 86_400.0
SOONEST = 1.0  # whoever is told to wait 0 seconds would otherwise ask again at once, for ever


@functools.cache
def tls() -> ssl.SSLContext:
    """What every secure connection is checked by; reading all certificates takes a while, so it is done once."""
    return httpx.create_ssl_context(trust_env=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: ``commit`` says whether the request was the irreversible one, which decides what a defect means."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    commit: bool
    now: datetime

    def json(self) -> Any:
        """The body as JSON; an unreadable one is Unconfirmed after a commit, Unavailable otherwise."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise self.unreadable("the answer is not JSON") from error

    def pick(self, *path: str | int) -> str:
        """A value inside the JSON body as text, such as ``pick("data", "id")``; missing or empty is unreadable."""
        value = self.json()
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError) as error:
                raise self.unreadable(f"the answer has no {'.'.join(map(str, path))}") from error
        if value is None or value == "" or isinstance(value, (dict, list)):
            raise self.unreadable(f"the answer has no {'.'.join(map(str, path))}")
        return str(value)

    def told(self, *path: str | int) -> Any:
        """A value inside the body where it is JSON and has it, else None: for bodies that may be anything."""
        try:
            value = json.loads(self.body)
            for step in path:
                value = value[step]
        except (ValueError, RecursionError, KeyError, IndexError, TypeError):
            return None
        return value

    def header(self, name: str) -> str:
        """A header that must be there, such as an id; missing is unreadable."""
        value = self.headers.get(name.lower(), "")
        if not value:
            raise self.unreadable(f"the answer has no {name} header")
        return value

    def unreadable(self, what: str) -> PublishError:
        """The error for a 2xx answer that cannot be understood."""
        return (Unconfirmed if self.commit else Unavailable)(what, status=self.status)

    def words(self) -> str:
        """The platform's own words on one printable line, shortened."""
        text = self.body[: 8 * WORDS].decode("utf-8", "replace")
        shown = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
        return " ".join(shown.split())[:WORDS]

    def retry_after(self, *, told: Any = None, default: float = 60.0, epoch_header: str = "") -> float:
        """Seconds to wait: ``told`` in the body, Retry-After as seconds, float or date, else ``epoch_header``.

        Within 1 second and 24 hours. A date is measured on the platform's own clock, where the answer tells it.
        """
        value = self.headers.get("retry-after", "").strip() if told is None else str(told)
        seconds = default
        if value:
            number = _number(value)
            seconds = self._until(value, default) if number is None else number
        elif epoch_header and (reset := self.headers.get(epoch_header.lower(), "")):
            seconds = self._until(reset, default)
        return min(max(seconds, SOONEST), DAY)

    def _until(self, value: str, default: float) -> float:
        moment = _moment(value)
        if moment is None:
            return default
        return (moment - (_moment(self.headers.get("date", "")) or self.now)).total_seconds()


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _moment(value: str) -> datetime | None:
    """An instant written as seconds since 1970, as ISO 8601 or as an HTTP date."""
    ways: tuple[Callable[[str], datetime], ...] = (
        lambda text: datetime.fromtimestamp(float(text), UTC),
        datetime.fromisoformat,
        email.utils.parsedate_to_datetime,
    )
    for way in ways:
        with contextlib.suppress(ValueError, TypeError, OverflowError, OSError):
            moment = way(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def unwatched(method: str, host: str, *, commit: bool) -> AbstractContextManager[Callable[[int], None]]:
    """What watches a request where nobody does."""
    del method, host, commit
    return nullcontext(lambda _: None)


STAND_INS = "rehearsal"
"""What stand-ins take for any token. It is nobody's secret, and a word that accounts are called by, so it is shown."""


class Http:
    """Sends requests for one attempt of one account: ``seconds`` is the total deadline of each request.

    ``allow`` are hosts (``host`` or ``host:port``) that may be private, ``ports`` the only ports of all others (None =
    any); ``secrets`` are values that must not appear in any error; ``transport`` and the clocks are for tests.
    """

    watch: ClassVar[Callable[..., AbstractContextManager[Callable[[int], None]]]] = staticmethod(unwatched)
    """Told of each request its method, its host and whether it is a commit; entered, it is told the status."""

    def __init__(
        self,
        *,
        seconds: float = 30.0,
        allow: Iterable[str] = (),
        ports: frozenset[int] | None = None,
        secrets: Iterable[str] = (),
        agent: str = "Handbill (+https://github.com/handbill/handbill)",
        transport: httpx.BaseTransport | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.now = now
        self.told: datetime | None = None
        """The other side's own time, as its last answer told it."""
        self._secrets: list[str] = []
        self.hide(*secrets)
        self._deadline = Deadline(seconds, clock)
        self._timeout = httpx.Timeout(seconds).as_dict()
        self._headers = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": agent}
        self._backend = GuardedBackend(self._deadline, allow=allow, ports=ports)
        # Not a Client: no redirects, no cookies, no environment; no request depends on the one before it.
        self._transport = transport or guarded_transport(self._deadline, allow=allow, ports=ports)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of its connections; nothing more is sent."""
        self._transport.close()

    def expire(self, seconds: float) -> None:
        """Send nothing more, and wait for nothing more, later than ``seconds`` from now: the right to do so ends then.

        A process that was stopped (or whose resolver hung) must not wake up and send what another has settled.
        """
        self._deadline.expire(seconds)

    def left(self) -> float:
        """Seconds in which something may still be sent, for a library that sends by itself."""
        self._deadline.restart()
        return self._deadline.left()

    def dial(self, host: str, port: int, *, secure: bool) -> httpcore.NetworkStream:
        """A connection for a protocol that is not HTTP, checked and within the deadline as any other; by TLS at once if
        ``secure``. Raises what ``guard.LATE`` and ``guard.LOST`` name, Unavailable if the time to send has run out.
        """
        self._deadline.restart()
        if self._deadline.left() <= 0:
            raise Unavailable(self.redact(f"{host}: nothing was sent (the time to send it had run out)"))
        stream = self._backend.connect_tcp(host, port)
        return stream.start_tls(tls(), host) if secure else stream

    def hide(self, *secrets: str) -> None:
        """Never show these values in an error, from now on, nor as an address or JSON would write them."""
        told = {s for s in secrets if len(s) > 3 and s != STAND_INS}
        forms = {f(s) for s in told for f in (str, quote, quote_plus, _escaped)}
        self._secrets = sorted({*self._secrets, *forms}, key=len, reverse=True)

    def redact(self, text: str) -> str:
        """``text`` without any secret of this account."""
        for secret in self._secrets:
            text = text.replace(secret, "•••")
        return text

    def send(
        self,
        method: str,
        url: str,
        *,
        commit: bool,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        """Send one request and return its answer, whatever the status.

        Raises Unavailable if it was certainly never sent (or is repeatable), Unconfirmed if a commit's answer is lost.
        """
        self._deadline.restart()
        if self._deadline.left() <= 0:
            raise Unavailable(self._what("nothing was sent", url, TimeoutError("the time to send it had run out")))
        merged = httpx.Headers(self._headers)
        try:
            merged.update({**(headers or {}), **_boundary(files, form)})
            self.hide(merged.get("Authorization", "").partition(" ")[2])  # user and password in base64, say
            request = httpx.Request(
                method,
                url,
                headers=merged,
                params=params,
                json=json,
                data=form,
                files=files,
                content=content,
                extensions={"timeout": self._timeout},
            )
        except (httpx.InvalidURL, ValueError, TypeError):
            raise Unavailable(self._what("the request cannot be written down", url)) from None
        try:
            with self.watch(method, request.url.host, commit=commit) as answered:
                response = self._transport.handle_request(request)
                answered(response.status_code)
                try:
                    body = self._read(response)
                finally:
                    response.close()
        except httpx.LocalProtocolError:  # raised before the first byte is written
            raise Unavailable(self._what("a header may not be sent as it is", url)) from None
        except NEVER_SENT as error:
            raise Unavailable(self._what("no connection", url, error)) from None
        except (httpx.HTTPError, OSError, ValueError) as error:
            kind = Unconfirmed if commit else Unavailable
            raise kind(self._what("no answer" if commit else "no readable answer", url, error)) from None
        return self._answer(response, body, commit=commit)

    def talk(
        self, url: str, say: Callable[[Channel], Said], *, commit: bool, seconds: float | None = None
    ) -> Said | Answer:
        """Open a WebSocket and let ``say`` speak over it; returns what it does, or the answer of one who opens none.

        ``seconds``: this conversation has no more. Raises as ``send`` does: what breaks once a commit's conversation
        was begun is Unconfirmed.
        """
        self._deadline.restart(seconds)
        if self._deadline.left() <= 0:
            raise Unavailable(self._what("nothing was sent", url, TimeoutError("the time to send it had run out")))
        asked = asking()
        try:
            headers = {**self._headers, **asked}
            request = httpx.Request("GET", url, headers=headers, extensions={"timeout": self._timeout})
        except (httpx.InvalidURL, ValueError, TypeError):
            raise Unavailable(self._what("the request cannot be written down", url)) from None
        try:
            with self.watch("GET", request.url.host, commit=commit) as answered:
                response = self._transport.handle_request(request)
                try:
                    answered(response.status_code)
                    if response.status_code == httpx.codes.SWITCHING_PROTOCOLS:
                        if not agreed(asked, response.headers):
                            raise ValueError("the other side speaks no WebSocket")
                        return say(Channel(response.extensions["network_stream"]))
                    body = self._read(response)
                finally:
                    response.close()
        except NEVER_SENT as error:
            raise Unavailable(self._what("no connection", url, error)) from None
        except (httpx.HTTPError, LATE, *LOST, OSError, ValueError) as error:
            kind = Unconfirmed if commit else Unavailable
            raise kind(self._what("no answer" if commit else "no readable answer", url, error)) from None
        return self._answer(response, body, commit=commit)

    def _answer(self, response: httpx.Response, body: bytes, *, commit: bool) -> Answer:
        headers = {k.lower(): v for k, v in response.headers.items()}
        if response.status_code >= 300:  # what may end up in an error
            body = self.redact(body.decode("utf-8", "replace")).encode()
            headers = {k: self.redact(v) for k, v in headers.items()}
        self.told = _moment(headers.get("date", "")) or self.told
        return Answer(response.status_code, headers, body, commit, self.now())

    def _read(self, response: httpx.Response) -> bytes:
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise ValueError("the answer is compressed although that was not asked for")
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > ANSWER_BYTES:
                raise ValueError(f"the answer is larger than {ANSWER_BYTES} bytes")
        return bytes(body)

    def _what(self, what: str, url: str, error: Exception | None = None) -> str:
        try:
            host = httpx.URL(url).host
        except httpx.InvalidURL:
            host = "the address cannot be read"
        reason = f" ({str(error) or type(error).__name__})" if error else ""
        return self.redact(f"{host}: {what}{reason}")


def _escaped(text: str) -> str:
    return json.dumps(text)[1:-1]


def _boundary(files: Mapping[str, tuple[str, bytes, str]] | None, form: Mapping[str, str] | None) -> dict[str, str]:
    """A form's boundary, made of what it holds: the same form is the same to the byte, whoever sends it."""
    if not files:
        return {}
    digest = hashlib.sha256(repr(sorted((form or {}).items())).encode())
    for _, content, _ in files.values():
        digest.update(content)
    return {"Content-Type": f"multipart/form-data; boundary={digest.hexdigest()[:32]}"}


def judge(answer: Answer) -> PublishError | None:
    """What a status means if the platform has no better reading of its own; None for success."""
    status, words = answer.status, answer.words()
    if 200 <= status < 300:
        return None
    what = f"the platform answered {status}"
    if status == 401:
        return Unauthorized(what, status=status, words=words)
    if status == 429:
        return RateLimited(what, retry_after=answer.retry_after(), status=status, words=words)
    if status in {408, 425} or status >= 500 or status < 400:
        # A redirect on a write is not followed, so nobody knows what the first host did with it.
        if "location" in answer.headers:
            what += f", pointing to {answer.headers['location'].partition('?')[0][:WORDS]}"
        return (Unconfirmed if answer.commit else Unavailable)(what, status=status, words=words)
    return Rejected(what, status=status, words=words)


def guarded_transport(
    deadline: Deadline, *, allow: Iterable[str] = (), ports: frozenset[int] | None = None
) -> httpx.BaseTransport:
    """A transport whose every connection is checked by ``GuardedBackend`` and used once; for any ``httpx.Client``."""
    transport = httpx.HTTPTransport(verify=tls(), trust_env=False)
    # httpx 0.28 does not hand a network backend through, so the pool is replaced: no public way to check
    # an address inside the connect. https://github.com/encode/httpx/discussions/3011
    transport._pool = httpcore.ConnectionPool(  # noqa: SLF001
        ssl_context=tls(),
        max_keepalive_connections=0,
        http2=False,
        network_backend=GuardedBackend(deadline, allow=allow, ports=ports),
    )
    return transport
