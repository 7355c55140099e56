"""Well over a thousand ways to make us speak to a private machine: every one is tried, and not one connects.

Connections are counted where they are made, in ``socket.connect``. Names are answered by a table, never by a name server.
"""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import socket
from urllib.parse import quote

import pytest

from publishers.core.errors import PublishError
from publishers.core.http import Http
from tests.servers.raw import Raw, answer
from worker.errors import BadSource
from worker.intake.fetch import fetch_bytes, read_source

V4 = (
    *("127.0.0.1", "127.0.0.2", "127.127.127.127", "127.255.255.254", "0.0.0.0", "0.0.0.1", "0.255.255.255"),
    *("10.0.0.1", "10.255.255.255", "172.16.0.1", "172.20.10.1", "172.31.255.254", "192.168.0.1", "192.168.255.254"),
    *("169.254.0.1", "169.254.169.254", "169.254.170.2", "169.254.169.253", "168.63.129.16", "100.100.100.200"),
    *("100.64.0.1", "100.127.255.254", "192.0.0.1", "192.0.0.192", "192.0.2.1", "198.51.100.7", "203.0.113.9"),
    *("198.18.0.1", "198.19.255.254", "192.88.99.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
)  # fmt: skip
V6 = (
    *("::", "::1", "fc00::1", "fd00::1", "fd00:ec2::254", "fd20:ce::254", "fdff:ffff::1", "fe80::1", "fe80::a9fe:a9fe"),
    *("febf:ffff::1", "fec0::1", "feff::1", "ff00::1", "ff02::1", "ff02::fb", "ff05::2", "ff0e::1", "100::1"),
    *("2001:db8::1", "3fff::1", "5f00::1", "2001:2::1", "2001:10::1", "64:ff9b:1::1", "64:ff9b:1:ffff::808:808"),
)  # fmt: skip
GOOD = "93.184.215.14"


def spellings(address):
    """One IPv4 address as people, resolvers and IPv6 write it."""
    number = int(ipaddress.IPv4Address(address))
    a, b, c, d = (int(p) for p in address.split("."))
    high, low = number >> 16, number & 0xFFFF
    wide = address.translate({ord(str(n)): 0xFF10 + n for n in range(10)})
    circled = address.translate({ord(str(n)): chr(0x2460 + n - 1) if n else "⓪" for n in range(10)})
    teredo = ipaddress.IPv6Address((0x20010000 << 96) | (0x41010101 << 64) | (~number & 0xFFFFFFFF))
    yield from (address, f"{address}.", str(number), hex(number), hex(number).upper().replace("X", "x"), f"0{number:o}")
    yield from (f"{a:#x}.{b:#x}.{c:#x}.{d:#x}", f"0{a:o}.0{b:o}.0{c:o}.0{d:o}", f"000{a:o}.{b}.{c}.{d}")
    yield from (
        f"{a}.{b}.{c << 8 | d}",
        f"{a}.{number & 0xFFFFFF}",
        f"{a:#x}.{number & 0xFFFFFF:#x}",
        f"{a}.{b:#x}.0{c << 8 | d:o}",
    )
    yield from (wide, circled, address.replace(".", "。"), address.replace(".", "．"), address.replace(".", "｡"))
    yield from (quote(address, safe="").replace(".", "%2e"), "".join(f"%{ord(ch):02x}" for ch in address))
    yield from (
        f"[::ffff:{address}]",
        f"[::ffff:{high:x}:{low:x}]",
        f"[0:0:0:0:0:FFFF:{high:x}:{low:x}]",
        f"[::{address}]",
    )
    yield from (
        f"[64:ff9b::{address}]",
        f"[64:ff9b::{high:x}:{low:x}]",
        f"[64:ff9b:1::{address}]",
        f"[::ffff:0:{address}]",
    )
    yield from (
        f"[2002:{high:x}:{low:x}::]",
        f"[2002:{high:x}:{low:x}::1]",
        f"[2001:0:{high:x}:{low:x}::]",
        f"[{teredo}]",
    )


def literal_cases():
    for address in V4:
        for host in spellings(address):
            yield f"http://{host}/"
    for address in V6:
        found = ipaddress.IPv6Address(address)
        for host in (
            address,
            found.exploded,
            address.upper(),
            f"{address}%25lo",
            f"{address}%25eth0",
            f"{address}%251",
        ):
            yield f"http://[{host}]/"
        yield f"https://[{address}]:443/"


def disguised_cases():
    """Addresses that two readers might read differently."""
    for bad in ("127.0.0.1", "169.254.169.254", "[::1]", "localhost", "10.0.0.1"):
        yield from (
            f"http://good.example@{bad}/",
            f"http://good.example:80@{bad}/",
            f"http://good.example%40{bad}/",
            f"http://good.example%2f@{bad}/",
            f"http://{bad}#@good.example/",
            f"http://{bad}?@good.example/",
            f"http://{bad}\\@good.example/",
            f"http://good.example\\@{bad}/",
            f"http:\\\\{bad}/",
            f"http:/{bad}/",
            f"http:///{bad}/",
            f"http:////{bad}/",
            f"http:{bad}/",
            f"//{bad}/",
            f"http://{bad}:80:443/",
            f"http://{bad} good.example/",
            f"http://good.example\t@{bad}/",
            f"http://{bad}%00.good.example/",
            f"http://{bad}%0d%0aHost:good.example/",
            f"HTTP://{bad}/",
            f" http://{bad}/ ",
            f"http://user:pass@{bad}/",
            f"http://@{bad}/",
            f"http://{bad}:00080/",
            f"http://{bad}:/",
            f"http://{bad}/../..//good.example/",
        )
    for name in (
        "localhost",
        "LOCALHOST",
        "LocalHost",
        "localhost.",
        "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
        "ｌｏｃａｌｈｏｓｔ",
        "lo\u00adcalhost",
        "localhost。",
    ):
        yield f"http://{name}/"
    for scheme in (
        "file",
        "ftp",
        "gopher",
        "dict",
        "ldap",
        "tftp",
        "jar",
        "netdoc",
        "data",
        "ws",
        "unix",
        "javascript",
    ):
        yield f"{scheme}://127.0.0.1/etc/passwd"
        yield f"{scheme}:///etc/passwd"


NAMES = {
    "good.example": [[GOOD]],
    "localhost": [["127.0.0.1"]],
    **{f"v4-{n}.example": [[a]] for n, a in enumerate(V4)},
    **{f"v6-{n}.example": [[a]] for n, a in enumerate(V6)},
    **{f"zoned-{n}.example": [[f"{a}%eth0"]] for n, a in enumerate(V6)},
    **{f"first-{n}.example": [[a, GOOD]] for n, a in enumerate((*V4, *V6))},
    **{f"last-{n}.example": [[GOOD, a]] for n, a in enumerate((*V4, *V6))},
    **{f"middle-{n}.example": [[GOOD, a, "2606:4700:4700::1111"]] for n, a in enumerate((*V4, *V6))},
}


def name_cases():
    """Names whose answers are private, or private among others."""
    for name in NAMES:
        if name != "good.example":
            yield f"http://{name}/"


def port_cases():
    """Ports that no article is served on."""
    for port in (1, 7, 21, 22, 23, 25, 53, 79, 81, 110, 111, 143, 389, 442, 444, 445, 465, 587, 631, 873, 993, 1080, 2049, 2375, 2379,
                 3000, 3128, 3306, 3389, 4194, 4444, 5000, 5432, 5601, 5672, 5900, 5984, 6379, 6380, 6443, 7001, 8000, 8008, 8080, 8081,
                 8443, 8484, 8500, 8888, 9000, 9090, 9200, 9300, 10250, 11211, 15672, 27017, 50000, 65535):  # fmt: skip
        yield f"http://good.example:{port}/"
        yield f"https://{GOOD}:{port}/"


EVERYWHERE = [*dict.fromkeys([*literal_cases(), *disguised_cases(), *name_cases()])]
INTAKE = [*dict.fromkeys(port_cases())]


class Wire:
    """Stands for the network: what was connected to, by address; only ``real`` ports of this machine are reached."""

    def __init__(self, patch):
        self.made, self.real = [], set()
        self.names = {name: [list(a) for a in answers] for name, answers in NAMES.items()}
        self._connect, self._resolve = socket.socket.connect, socket.getaddrinfo

        def connect(sock, address):
            return self._connected(sock, address)

        patch.setattr(socket.socket, "connect", connect)
        patch.setattr(socket, "getaddrinfo", self._answers)

    def _connected(self, sock, address):
        if sock.family in {socket.AF_INET, socket.AF_INET6}:
            if address[1] in self.real and address[0] == "127.0.0.1":
                return self._connect(sock, address)
            self.made.append(address[:2])
            raise ConnectionRefusedError("counted")
        return self._connect(sock, address)

    def _answers(self, host, port, *args, flags=0, **options):
        name = host.decode() if isinstance(host, bytes) else host
        known = self.names.get(name.lower().rstrip("."))
        if known is None:
            # The resolver reads addresses in every spelling, and asks nobody.
            return self._resolve(host, port, *args, flags=flags | socket.AI_NUMERICHOST, **options)
        found = known.pop(0) if len(known) > 1 else known[0]
        return [(socket.AF_INET6 if ":" in a else socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in found]


@pytest.fixture
def wire(monkeypatch):
    return Wire(monkeypatch)


def read(url, **options):
    read_source(url, local=False, seconds=2.0, **options)


def picture(url, **options):
    fetch_bytes(url, seconds=2.0, **options)


def adapter(url, allow_hosts=()):
    with Http(seconds=2.0, allow=allow_hosts) as http:
        http.send("GET", url, commit=False)


def chunks(cases, size=60):
    return [cases[n : n + size] for n in range(0, len(cases), size)]


def test_there_are_enough_cases():
    assert len(EVERYWHERE) + len(INTAKE) >= 1_700


def test_a_public_address_is_connected_to_so_that_the_rest_proves_something(wire):
    for ask in (read, picture, adapter):
        with pytest.raises((BadSource, PublishError)):
            ask("http://good.example/")
    assert set(wire.made) == {(GOOD, 80), (GOOD, 443)}


@pytest.mark.parametrize("ask", [read, picture, adapter])
@pytest.mark.parametrize("cases", chunks(EVERYWHERE))
def test_no_private_machine_is_connected_to(wire, ask, cases):
    for url in cases:
        with pytest.raises((BadSource, PublishError)):
            ask(url)
        # What is read as the public name that stands in it may be asked; nothing else is.
        private = [m for m in wire.made if m[0] != GOOD]
        assert private == [], url


@pytest.mark.parametrize("ask", [read, picture])
def test_no_port_but_80_and_443_is_connected_to_for_an_article(wire, ask):
    for url in INTAKE:
        with pytest.raises(BadSource):
            ask(url)
        assert wire.made == [], url


STATUSES = ("301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect")


@pytest.mark.parametrize("status", STATUSES)
def test_no_redirect_leads_to_a_private_machine(wire, status):
    targets = [f"http://{a}/" for a in V4] + [f"http://[{a}]/" for a in V6]
    targets += [
        "//127.0.0.1/",
        "http://v4-0.example/",
        "http://last-1.example/",
        "http://2130706433/",
        "https://localhost/",
    ]
    targets += [
        "http://good.example@127.0.0.1/",
        "file:///etc/passwd",
        "http://127.0.0.1:6379/",
        "gopher://127.0.0.1:6379/_x",
    ]
    with Raw() as outside:
        wire.real.add(outside.port)
        for number, target in enumerate(targets, 1):
            outside.behave = outside.reply(answer(b"", status, f"Location: {target}"))
            with pytest.raises(BadSource):
                read(f"http://127.0.0.1:{outside.port}/", allow_hosts=[f"127.0.0.1:{outside.port}"])
            assert wire.made == [], target
            assert outside.connections == number, target


@pytest.mark.parametrize(
    "bad", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "fd00:ec2::254", "::ffff:127.0.0.1"]
)
@pytest.mark.parametrize("ask", [read, adapter])
def test_a_name_that_changes_its_mind_is_connected_to_where_it_was_checked_or_not_at_all(wire, bad, ask):
    for order in itertools.product([[GOOD], [bad], [GOOD, bad]], repeat=3):
        wire.names["rebinding.example"] = [list(a) for a in (*order, [bad])]
        with pytest.raises((BadSource, PublishError)):
            ask("http://rebinding.example/")
        assert {host for host, _ in wire.made} <= {GOOD}, order


def test_what_is_allowed_is_reached_and_nothing_beside_it(wire):
    with Raw() as inside, Raw() as beside:
        wire.real |= {inside.port, beside.port}
        page = b"<!doctype html><title>Intranet</title><p>A sentence about the intranet.</p>"
        inside.behave = inside.reply(answer(page, "200 OK", "Content-Type: text/html"))
        allow = [f"127.0.0.1:{inside.port}"]
        read(f"http://127.0.0.1:{inside.port}/", allow_hosts=allow)
        assert inside.connections == 1
        wire.names["intranet.example"] = [["127.0.0.1"]]
        for url in (
            f"http://127.0.0.1:{beside.port}/",
            f"http://127.0.0.2:{inside.port}/",
            f"http://localhost:{inside.port}/",
            f"http://intranet.example:{inside.port}/",
            f"http://2130706433:{inside.port}/",
            f"http://[::ffff:127.0.0.1]:{inside.port}/",
            f"http://127.0.0.1.good.example:{inside.port}/",
            f"http://good.example:{inside.port}/",
            f"http://x@127.0.0.1:{inside.port}/",
            "http://127.0.0.1/",
        ):
            with contextlib.suppress(BadSource):
                read(url, allow_hosts=allow)
            assert (inside.connections, beside.connections, wire.made) == (1, 0, []), url
        read(f"http://intranet.example:{inside.port}/", allow_hosts=["INTRANET.example"])
        assert inside.connections == 2


@pytest.mark.parametrize(
    "variable", ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
)
def test_a_proxy_in_the_environment_is_not_used(wire, variable, monkeypatch):
    monkeypatch.setenv(variable, "http://127.0.0.1:3128")
    for ask in (read, picture, adapter):
        with pytest.raises((BadSource, PublishError)):
            ask("http://good.example/")
    assert {host for host, _ in wire.made} == {GOOD}
