"""How a mail server is spoken to: over a guarded connection, with one deadline, and it is known what became of a mail.

A mail is the server's from the answer to the line that ends it on; before that line nothing is (RFC 5321, 4.1.1.4, and
4.1.1.10: a transaction that breaks off is abandoned).
"""

from __future__ import annotations

import base64
import contextlib
import io
import smtplib
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, cast

from publishers.core.errors import PublishError, Rejected, Unauthorized, Unavailable, Unconfirmed
from publishers.core.guard import LATE, LOST
from publishers.core.http import Http, tls

BROKEN = (LATE, *LOST, OSError, ssl.SSLError, smtplib.SMTPServerDisconnected)
TO_SIGN_IN = frozenset({530, 534, 535, 538})
WORDS = 300


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed in, and by whom (``name``, a domain).

    ``secure`` is "tls" from the start, "starttls", or "" for neither.
    """

    host: str
    port: int
    secure: str
    name: str
    user: str = ""
    password: str = ""


class _Socket:
    """What smtplib takes for a socket: a guarded connection."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def sendall(self, data: bytes) -> None:
        self.stream.write(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        del mode
        return io.BufferedReader(_Reader(self.stream))

    def close(self) -> None:
        self.stream.close()


class _Reader(io.RawIOBase):
    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data: bytes = self.stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Tls:
    """What smtplib takes for an SSL context."""

    def wrap_socket(self, sock: _Socket, server_hostname: str) -> _Socket:
        return _Socket(sock.stream.start_tls(tls(), server_hostname))


class _Client(smtplib.SMTP):
    """smtplib's protocol on a connection of ours; its own would go to any address, and wait for ever."""

    def __init__(self, http: Http, server: Server) -> None:
        self._http, self._secure = http, server.secure == "tls"
        super().__init__(local_hostname=server.name)
        self._host = server.host

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        del timeout
        return _Socket(self._http.dial(host, port, secure=self._secure))


@contextlib.contextmanager
def session(http: Http, server: Server) -> Iterator[smtplib.SMTP]:
    """A server that knows who we are; whatever breaks in here is Unavailable, and nothing was handed in."""
    client = _Client(http, server)
    try:
        _greet(client, server)
        if server.password:
            # As it is sent, should the server repeat it (RFC 4616, and LOGIN).
            plain = f"\0{server.user}\0{server.password}"
            http.hide(*(base64.b64encode(told.encode()).decode() for told in (plain, server.password)))
            client.login(server.user, server.password)
    except (smtplib.SMTPException, *BROKEN, UnicodeError) as error:
        client.close()
        _refuse(http, server, error)
    try:
        yield client
    except (smtplib.SMTPException, *BROKEN) as error:
        _refuse(http, server, error)
    finally:
        client.close()


def _greet(client: smtplib.SMTP, server: Server) -> None:
    code, words = client.connect(server.host, server.port)
    if code != 220:
        raise smtplib.SMTPResponseException(code, words)
    client.ehlo_or_helo_if_needed()
    if server.secure == "starttls":
        if not client.has_extn("starttls"):
            raise smtplib.SMTPNotSupportedError("it offers no TLS on this port")
        context = cast("ssl.SSLContext", _Tls())  # all that is asked of it is to wrap a socket
        code, words = client.starttls(context=context)
        if code != 220:
            raise smtplib.SMTPResponseException(code, words)
        client.ehlo()


def hand_in(
    client: smtplib.SMTP, http: Http, server: Server, *, sender: str, to: Sequence[str], mail: bytes, wide: bool
) -> str:
    """Give the server one mail for everybody in ``to``; returns its words. The line that ends it is the commit.

    If it does not take all of ``to``, nothing is handed in.
    """
    options = [*(("SMTPUTF8",) if wide else ()), *((f"size={len(mail)}",) if client.has_extn("size") else ())]
    _expect(client.mail(sender, options), 250)
    for one in to:
        _expect(client.rcpt(one), 250, 251)
    _expect(client.docmd("DATA"), 354)
    stuffed = mail.replace(b"\r\n.", b"\r\n..")
    client.send((b"." if mail.startswith(b".") else b"") + stuffed + (b"" if mail.endswith(b"\r\n") else b"\r\n"))
    try:
        client.send(b".\r\n")
        code, words = client.getreply()
    except (smtplib.SMTPException, *BROKEN) as error:
        raise Unconfirmed(_what(http, server, "no answer to the mail", error)) from None
    if not 200 <= code <= 599 or 300 <= code <= 399:
        raise Unconfirmed(_what(http, server, f"an answer that cannot be read ({code})"), status=code)
    _expect((code, words), 250)
    return _words(words)


def _expect(answer: tuple[int, bytes], *good: int) -> None:
    if answer[0] not in good:
        raise smtplib.SMTPResponseException(*answer)


def _refuse(http: Http, server: Server, error: Exception) -> NoReturn:
    """Raise what an error means before anything was handed in."""
    if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code > 0:
        code = error.smtp_code
        words = http.redact(_words(error.smtp_error))
        what = f"{server.host} answered {code}"
        kind: type[PublishError] = Unavailable
        if code in TO_SIGN_IN:
            kind = Unauthorized
        elif 500 <= code <= 599 and code != 521:
            kind = Rejected
        raise kind(what, status=code, words=words) from None
    raise Unavailable(_what(http, server, "no connection", error)) from None


def _what(http: Http, server: Server, what: str, error: Exception | None = None) -> str:
    reason = f" ({str(error) or type(error).__name__})" if error else ""
    return http.redact(f"{server.host}: {what}{reason}")


def _words(text: bytes | str) -> str:
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return " ".join("".join(c if c.isprintable() else " " for c in said).split())[:WORDS]
