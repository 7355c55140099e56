"""Private addresses in every disguise: none is connected to, counted at a socket that listens for them."""

import contextlib
import ipaddress
import socket

import httpcore
import pytest

from publishers.core.errors import Unavailable
from publishers.core.guard import Blocked, Deadline, GuardedBackend, is_public
from publishers.core.http import Http
from tests.servers.raw import Raw, answer

LOOPBACK = (  # ways to write this very machine, as a host in an address
    *("127.0.0.1", "127.0.0.2", "127.1", "127.0.1", "127.255.255.254", "2130706433", "0x7f000001", "017700000001"),
    *("0x7f.1", "0177.0.0.1", "0x7f.0x0.0x0.0x1", "00000177.1", "0", "0.0.0.0", "0x0", "localhost", "LOCALHOST"),
    *("localhost.", "ⓛocalhost", "①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.0.0.1"),
    *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]"),
    *("[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b:1::127.0.0.1]", "[2002:7f00:1::]", "[2002:7f00:1::1]"),
    *("[::ffff:0:127.0.0.1]", "[2001:0:7f00:1::]", "[2001:0:4136:e378:8000:63bf:80ff:fffe]", "[fe80::1%25lo]"),
)
ELSEWHERE = (  # networks that are nobody's business on the public internet
    *("10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.0.1", "192.168.255.255"),
    *("100.64.0.1", "100.127.255.254", "169.254.0.1", "169.254.169.254", "169.254.170.2", "168.63.129.16"),
    *("192.0.0.1", "192.0.0.170", "192.0.2.1", "198.51.100.7", "203.0.113.9", "198.18.0.1", "198.19.255.255"),
    *("192.88.99.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "0.1.2.3"),
    *("fc00::1", "fd00:ec2::254", "fdff::1", "fe80::1", "febf::1", "fec0::1", "ff02::1", "ff0e::1", "100::1"),
    *("2001:db8::1", "3fff::1", "5f00::1", "2001:2::1", "2001:10::1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
    *("::ffff:192.168.1.1", "64:ff9b::a9fe:a9fe", "64:ff9b::10.0.0.1", "64:ff9b:1::808:808", "::10.1.2.3"),
    *("2002:a9fe:a9fe::1", "2002:c0a8:101::", "2001:0:a00:1::", "::ffff:0:10.0.0.1", "::ffff:100.64.0.1"),
)
PUBLIC = (
    *("1.1.1.1", "8.8.8.8", "93.184.215.14", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1"),
    *("192.167.255.255", "169.253.255.255", "223.255.255.255", "198.17.255.255", "168.63.129.17"),
    *("2606:4700:4700::1111", "2a00:1450:4001:80b::200e", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"),
)


class Resolver:
    """Stands for the name servers: each name has its answers, one list after the other, the last one for ever."""

    def __init__(self, names):
        self.names, self.asked = names, []

    def __call__(self, host, port, *args, **kwargs):
        self.asked.append(host)
        answers = self.names[host]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET6 if ":" in a else socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in found]


class Connections:
    """Stands for the network: remembers where a connection was wanted, and gives none."""

    def __init__(self):
        self.made = []

    def connect_tcp(self, host, port, *_):
        self.made.append((host, port))
        raise httpcore.ConnectError("no network here")


@pytest.fixture
def resolver(monkeypatch):
    def install(**names):
        found = Resolver({name.replace("_", "."): answers for name, answers in names.items()})
        monkeypatch.setattr(socket, "getaddrinfo", found)
        return found

    return install


@pytest.fixture
def backend():
    guarded = GuardedBackend(Deadline(2.0), allow={"inside.example", "db.example:5432"})
    guarded._backend = Connections()
    return guarded


@pytest.mark.parametrize("host", LOOPBACK)
def test_this_machine_is_not_spoken_to_however_it_is_written(host):
    with contextlib.ExitStack() as stack:
        here = [stack.enter_context(Raw())]
        if socket.has_dualstack_ipv6():
            here.append(stack.enter_context(Raw(host="::1")))
        http = stack.enter_context(Http(seconds=2.0))
        for server in here:
            with pytest.raises(Unavailable):
                http.send("GET", f"http://{host}:{server.port}/", commit=False)
        assert [server.connections for server in here] == [0] * len(here)


@pytest.mark.parametrize("address", ELSEWHERE)
def test_a_private_network_is_not_spoken_to(address, backend, resolver):
    assert not is_public(ipaddress.ip_address(address))
    resolver(evil_example=[[address]])
    with pytest.raises(Blocked, match=r"HANDBILL_ALLOW_HOSTS=evil\.example:443 "):
        backend.connect_tcp("evil.example", 443)
    assert backend._backend.made == []


def test_the_tables_are_long_enough():
    assert len({*LOOPBACK, *ELSEWHERE}) >= 80


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_spoken_to(address, backend, resolver):
    assert is_public(ipaddress.ip_address(address))
    resolver(good_example=[[address]])
    with pytest.raises(httpcore.ConnectError, match="no network here"):
        backend.connect_tcp("good.example", 443)
    assert backend._backend.made == [(address, 443)]


@pytest.mark.parametrize("answers", [["8.8.8.8", "10.0.0.1"], ["10.0.0.1", "8.8.8.8"], ["2606:4700::1", "::1"]])
def test_one_private_answer_among_public_ones_refuses_them_all(answers, backend, resolver):
    resolver(mixed_example=[answers])
    with pytest.raises(Blocked):
        backend.connect_tcp("mixed.example", 443)
    assert backend._backend.made == []


def test_a_name_that_changes_its_mind_is_asked_once_and_the_answer_checked_is_the_one_used(backend, resolver):
    asked = resolver(rebinding_example=[["8.8.8.8"], ["127.0.0.1"]])
    with pytest.raises(httpcore.ConnectError):
        backend.connect_tcp("rebinding.example", 80)
    assert asked.asked == ["rebinding.example"]
    assert backend._backend.made == [("8.8.8.8", 80)]
    with pytest.raises(Blocked):
        backend.connect_tcp("rebinding.example", 80)


def test_a_zone_does_not_hide_an_address(backend, resolver):
    resolver(zoned_example=[["fe80::1%eth0"]])
    with pytest.raises(Blocked):
        backend.connect_tcp("zoned.example", 80)


def test_every_public_address_of_a_name_is_tried(backend, resolver):
    resolver(many_example=[["8.8.8.8", "2606:4700:4700::1111", "8.8.8.8"]])
    with pytest.raises(httpcore.ConnectError):
        backend.connect_tcp("many.example", 443)
    assert backend._backend.made == [("8.8.8.8", 443), ("2606:4700:4700::1111", 443)]


def test_what_is_allowed_by_name_or_by_name_and_port_is_spoken_to_and_nothing_beside_it(backend, resolver):
    names = ("inside.example", "INSIDE.example", "db.example", "not.inside.example")
    resolver(**{name.replace(".", "_"): [["10.0.0.1"]] for name in names})
    for host, port in (("inside.example", 80), ("INSIDE.example", 8443), ("db.example", 5432)):
        with pytest.raises(httpcore.ConnectError, match="no network here"):
            backend.connect_tcp(host, port)
    assert [port for _, port in backend._backend.made] == [80, 8443, 5432]
    for host, port in (("db.example", 5433), ("not.inside.example", 80)):
        with pytest.raises(Blocked):
            backend.connect_tcp(host, port)


@pytest.mark.parametrize("allow", ["127.0.0.1", "127.0.0.1:{port}", "LocalHost:{port}", "localhost"])
def test_an_allowed_host_answers_over_a_real_socket(allow):
    with Raw() as server, Http(allow={allow.format(port=server.port)}) as http:
        host = allow.partition(":")[0]
        assert http.send("GET", f"http://{host}:{server.port}/", commit=False).status == 200
        with Raw() as other:
            if "{port}" in allow:
                with pytest.raises(Unavailable, match="is a private address"):
                    http.send("GET", f"http://{host}:{other.port}/", commit=False)
                assert other.connections == 0


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("allow", ["::1", "[::1]", "[::1]:{port}", "::1:{port}"])
def test_an_allowed_ipv6_address_may_stand_in_brackets(allow):
    with Raw(host="::1") as server, Http(allow={allow.format(port=server.port)}) as http:
        assert http.send("GET", f"http://[::1]:{server.port}/", commit=False).status == 200


def test_a_redirect_to_a_private_address_is_a_connection_like_any_other():
    with Raw() as inside, Raw() as outside:
        outside.behave = outside.reply(answer(b"", "302 Found", f"Location: {inside.url}/"))
        with Http(allow={f"127.0.0.1:{outside.port}"}) as http:
            given = http.send("GET", f"{outside.url}/", commit=False)
            with pytest.raises(Unavailable):
                http.send("GET", given.headers["location"], commit=False)
        assert inside.connections == 0


def test_ports_may_be_limited(resolver):
    backend = GuardedBackend(Deadline(2.0), allow={"inside.example"}, ports=frozenset({80, 443}))
    backend._backend = Connections()
    resolver(good_example=[["8.8.8.8"]], inside_example=[["8.8.8.8"]])
    with pytest.raises(Blocked, match="port 22"):
        backend.connect_tcp("good.example", 22)
    for host, port in (("good.example", 443), ("inside.example", 22)):
        with pytest.raises(httpcore.ConnectError, match="no network here"):
            backend.connect_tcp(host, port)
    assert backend._backend.made == [("8.8.8.8", 443), ("8.8.8.8", 22)]


def test_a_name_without_an_address_was_never_spoken_to(backend, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(httpcore.ConnectError, match="does not resolve"):
        backend.connect_tcp("nowhere.example", 443)


def test_local_sockets_are_never_spoken_to(backend):
    with pytest.raises(Blocked):
        backend.connect_unix_socket("/var/run/docker.sock")


def test_a_resolver_that_takes_too_long_leaves_nothing_to_connect_with(resolver):
    now = [0.0]
    backend = GuardedBackend(Deadline(2.0, clock=lambda: now[0]))
    backend._backend = Connections()
    asked = resolver(slow_example=[["8.8.8.8"]])

    def slow(*args, **kwargs):
        now[0] = 3.0
        return asked(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", slow)
        with pytest.raises(httpcore.ConnectTimeout):
            backend.connect_tcp("slow.example", 443)
    assert backend._backend.made == []
