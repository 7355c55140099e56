"""Servers that mean harm, over a real socket: each is left with one clear line, in time, and with little memory used."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import resource
import socket
import struct
import time
import zlib

import pytest

from publishers.core.guard import Deadline
from tests.servers.raw import Raw, answer, read_request
from worker.errors import BadSource
from worker.intake import gate, websub
from worker.intake.client import Client
from worker.intake.fetch import fetch_bytes, read_source

SECONDS = 0.5
PAGE = b"<!doctype html><title>Tide gates</title><p>A sentence about tide gates.</p>"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
BOMB = 150_000_000  # bytes that a few kilobytes would become


def bomb(window):
    """So many zeros, compressed."""
    packer = zlib.compressobj(1, zlib.DEFLATED, window)
    block = bytes(1_000_000)
    return b"".join(packer.compress(block) for _ in range(BOMB // len(block))) + packer.flush()


@pytest.fixture(scope="module")
def bombs():
    return {"gzip": bomb(31), "deflate": bomb(15)}


def drip(data, pause=0.05):
    def behave(connection):
        read_request(connection)
        for byte in data:
            connection.sendall(bytes([byte]) if isinstance(byte, int) else byte)
            time.sleep(pause)

    return behave


def pour(head, piece):
    """Send ``piece`` again and again until nobody listens any more."""

    def behave(connection):
        read_request(connection)
        connection.sendall(head)
        while True:
            connection.sendall(piece)

    return behave


def say(*pieces):
    def behave(connection):
        read_request(connection)
        for piece in pieces:
            connection.sendall(piece)

    return behave


def hold(connection):
    """Take the request, and say nothing for as long as the client waits."""
    read_request(connection)
    connection.settimeout(5)
    with contextlib.suppress(TimeoutError):
        connection.recv(1)


def reset(connection):
    read_request(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


BEHAVIOURS = {
    "says nothing": hold,
    "hangs up": lambda _: None,
    "resets the connection": reset,
    "drips its status line": drip(b"HTTP/1.1 200 OK\r\n" * 9),
    "drips headers for ever": drip(itertools.cycle([b"X-A: b\r\n"])),
    "drips a header that never ends": drip(itertools.chain([OK, b"X-A: "], itertools.cycle([b"b"]))),
    "drips its page": drip(itertools.chain([OK + b"\r\n"], itertools.cycle([b"<p>"]))),
    "drips chunks": drip(itertools.chain([OK + b"Transfer-Encoding: chunked\r\n\r\n"], itertools.cycle([b"1\r\nx\r\n"]))),
    "drips a chunk's length": drip(itertools.chain([OK + b"Transfer-Encoding: chunked\r\n\r\n"], itertools.cycle([b"0"]))),
    "pours headers": pour(OK, b"X-A: b\r\n" * 1000),
    "pours one header": pour(OK + b"X-A: ", b"b" * 65_536),
    "pours folded headers": pour(OK + b"X-A: b\r\n", b" c\r\n" * 1000),
    "pours informational answers": pour(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "pours a page": pour(OK + b"\r\n", b"<p>" * 20_000),
    "pours chunks": pour(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"4000\r\n" + b"x" * 0x4000 + b"\r\n"),
    "pours trailers": pour(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-A: b\r\n" * 1000),
    "promises a terabyte": say(OK + b"Content-Length: 1000000000000\r\n\r\nx"),
    "promises less than nothing": say(OK + b"Content-Length: -5\r\n\r\n", PAGE),
    "promises two lengths": say(OK + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\n", PAGE),
    "promises a length in words": say(OK + b"Content-Length: much\r\n\r\n", PAGE),
    "promises more than it sends": say(OK + b"Content-Length: 5000\r\n\r\n", PAGE),
    "a chunk of a terabyte": say(OK + b"Transfer-Encoding: chunked\r\n\r\nE8D4A51000\r\nx"),
    "a chunk of no number": say(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx"),
    "a chunk below zero": say(OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nx"),
    "speaks no HTTP": say(b"SSH-2.0-OpenSSH_9.2p1\r\n"),
    "speaks HTTP/0.9": say(PAGE),
    "speaks HTTP/2": say(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"),
    "speaks TLS": say(bytes.fromhex("15030100020250") * 50),
    "has a status of words": say(b"HTTP/1.1 fine OK\r\n\r\n"),
    "has a status of four digits": say(b"HTTP/1.1 2000 OK\r\n\r\n"),
    "has a status of zero": say(b"HTTP/1.1 000 OK\r\n\r\n"),
    "has control characters in its headers": say(OK + b"X-\x00A: \x01\x02\r\n\x03\r\n\r\n"),
    "has 200 cookies": say(b"HTTP/1.1 200 OK\r\n" + b"Set-Cookie: a=b\r\n" * 200 + b"Content-Type: application/pdf\r\n\r\n", PAGE),
    "says it has not changed": say(answer(b"", "304 Not Modified")),
    "has nothing": say(answer(b"", "204 No Content")),
    "has a part": say(answer(PAGE, "206 Partial Content", "Content-Type: text/html")),
    "wants a password": say(answer(b"", "401 Unauthorized", 'WWW-Authenticate: Basic realm="x"')),
    "redirects to nothing": say(answer(b"", "302 Found", "Location: ")),
    "redirects without saying where": say(answer(b"", "302 Found")),
    "redirects to no address": say(answer(b"", "302 Found", "Location: http://[::1")),
    "redirects to a script": say(answer(b"", "302 Found", "Location: javascript:alert(1)")),
    "redirects to a page of its own for ever": say(answer(b"", "302 Found", "Location: /")),
    "redirects to a kilometre": say(answer(b"", "302 Found", "Location: /" + "a" * 60_000)),
}  # fmt: skip


def peak():
    """Megabytes that this process ever used at once."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def left(server, ask=read_source, *, seconds=5.0, **options):
    """The one line with which a server was left; in time, and with no more than 100 MB."""
    before, began = peak(), time.monotonic()
    with pytest.raises(BadSource) as caught:
        ask(f"{server.url}/", seconds=seconds, allow_hosts=[f"127.0.0.1:{server.port}"], **options)
    assert time.monotonic() - began < seconds + 4  # the machine may be busy; what would wait for ever waits longer
    assert peak() - before < 100
    line = str(caught.value)
    assert line.isprintable()
    assert len(line) < 400
    return line


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_a_server_that_means_harm_is_left_with_one_line(name):
    with Raw(BEHAVIOURS[name]) as server:
        line = left(server, seconds=SECONDS)
        # A redirect that leads to no web address is said of where it leads.
        assert line.startswith(("javascript:", f"http://127.0.0.1:{server.port}/"))


@pytest.mark.parametrize(
    "name", ["drips its page", "pours a page", "pours headers", "says nothing", "promises a terabyte"]
)
def test_a_picture_from_such_a_server_is_left_too(name):
    with Raw(BEHAVIOURS[name]) as server:
        left(server, fetch_bytes, seconds=SECONDS)


def test_of_headers_that_are_lists_each_one_counts():
    told = (
        "X-Robots-Tag: googlebot: nosnippet",
        "X-Robots-Tag: noindex",
        "Link: </hub>; rel=hub",
        "Link: </f>; rel=self",
    )
    with Raw(say(answer(PAGE, "200 OK", "Content-Type: text/html", "Content-Type: text/plain", *told))) as server:
        client = Client(agent="Test", allow=[f"127.0.0.1:{server.port}"])
        found = client.get(f"{server.url}/", deadline=Deadline(5))
        assert found.headers["content-type"] == "text/html"
        push = websub.discover(found.headers["link"], b"", found.url)
        assert (push.hub, push.topic) == (f"{server.url}/hub", f"{server.url}/f")
        with pytest.raises(gate.NotYet, match="X-Robots-Tag says noindex"):
            gate.look(client.get, f"{server.url}/", seconds=5, max_bytes=100_000)


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip", "deflate"])
def test_a_bomb_is_left_where_a_page_is_too_large(coding, bombs):
    body = bombs["deflate" if coding == "deflate" else "gzip"]
    with Raw(say(answer(body, "200 OK", "Content-Type: text/html", f"Content-Encoding: {coding}"))) as server:
        assert "too large" in left(server)


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "compress", "nonsense"])
def test_nothing_else_that_is_compressed_is_unpacked(coding, bombs):
    body = bombs["deflate" if coding == "deflate" else "gzip"]
    with Raw(say(answer(body, "200 OK", "Content-Type: text/html", f"Content-Encoding: {coding}"))) as server:
        assert "compressed" in left(server)


def test_a_bomb_that_does_not_say_what_it_is_is_a_file_of_few_bytes(bombs):
    with Raw(say(answer(bombs["gzip"], "200 OK", "Content-Type: text/html"))) as server:
        assert "a compressed file" in left(server)
    with Raw(
        say(
            OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
            b"%x\r\n" % len(bombs["gzip"]),
            bombs["gzip"],
            b"\r\n0\r\n\r\n",
        )
    ) as server:
        left(server)
    assert len(gzip.compress(PAGE)) < 1000


def test_redirects_share_one_deadline():
    def slow(connection):
        read_request(connection)
        time.sleep(0.2)
        connection.sendall(answer(b"", "302 Found", "Location: /next"))

    with Raw(slow) as server:
        assert "too long" in left(server, seconds=SECONDS)


def test_redirects_are_counted_whatever_they_look_like():
    number = itertools.count()
    for location in ("/{n}", "//127.0.0.1:{port}/{n}", "?{n}", "http://127.0.0.1:{port}/{n}#x"):
        with Raw() as server:

            def behave(connection, location=location, server=server):
                read_request(connection)
                where = location.format(n=next(number), port=server.port)
                connection.sendall(answer(b"", "301 Moved Permanently", f"Location: {where}"))

            server.behave = behave
            assert "redirects more than 5 times" in left(server)
            assert server.connections == 6


def test_a_server_that_means_no_harm_is_read_all_the_same():
    head = b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"v" * 50) for n in range(60))
    with Raw(say(head + b"Content-Type: text/html\r\nConnection: close\r\n\r\n", PAGE)) as server:
        page = read_source(f"{server.url}/", seconds=5, allow_hosts=[f"127.0.0.1:{server.port}"])
        assert page.content == PAGE.decode()
