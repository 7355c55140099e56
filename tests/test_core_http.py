"""One request on one connection with one deadline, against real sockets: what goes out, and what each defect means."""

import gzip
import json
import socket
import struct
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from publishers.core.errors import RateLimited, Rejected, Unauthorized, Unavailable, Unconfirmed
from publishers.core.http import ANSWER_BYTES, DAY, Answer, Http, judge
from tests.servers.raw import Raw, answer, read_request

NOW = datetime(2026, 11, 24, 10, 15, 30, 250_000, tzinfo=UTC)
PACKED = gzip.compress(b"0" * 20_000_000)


@pytest.fixture
def server():
    with Raw() as raw:
        yield raw


@pytest.fixture
def http():
    with Http(seconds=2.0, allow={"127.0.0.1"}) as client:
        yield client


def send(http, server, *, commit=True, method="POST", **request):
    return http.send(method, f"{server.url}/x", commit=commit, **request)


# What goes out


def test_the_other_side_s_own_time_is_kept_as_its_last_answer_told_it(server, http):
    for dates, told in (
        ((), None),
        (("Date: Tue, 24 Nov 2026 10:05:00 GMT",), datetime(2026, 11, 24, 10, 5, tzinfo=UTC)),
        (("Date: yesterday",), datetime(2026, 11, 24, 10, 5, tzinfo=UTC)),
    ):
        server.behave = server.reply(answer(b"{}", "200 OK", *dates))
        send(http, server)
        assert http.told == told


def test_every_request_has_a_connection_of_its_own(server, http):
    server.behave = server.reply(answer())
    for _ in range(3):
        assert send(http, server).status == 200
    assert server.connections == 3


def test_a_request_says_who_we_are_and_asks_for_nothing_compressed(server, http):
    send(http, server, json={"text": "Höhe"}, headers={"Idempotency-Key": "k"})
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in head.decode().split("\r\n")[1:]}
    assert head.startswith(b"POST /x HTTP/1.1\r\n")
    assert json.loads(body) == {"text": "Höhe"}
    assert lines["user-agent"].startswith("Handbill ")
    assert lines["accept-encoding"] == "identity"
    assert lines["idempotency-key"] == "k"
    assert "cookie" not in lines


def test_a_cookie_is_not_kept(server, http):
    server.behave = server.reply(answer(b"{}", "200 OK", "Set-Cookie: session=1"))
    send(http, server)
    send(http, server)
    assert b"session" not in server.requests[1]


def test_the_same_form_is_the_same_to_the_byte_whoever_sends_it(server):
    for picture in (b"one", b"one", b"two"):
        with Http(allow={"127.0.0.1"}) as http:
            send(http, server, form={"alt": "A ship"}, files={"file": ("picture", picture, "image/png")})
    first, again, other = server.requests
    assert first == again
    assert first != other


def test_settings_of_the_machine_do_not_send_a_request_elsewhere(server, http, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with Http(allow={"127.0.0.1"}) as fresh:
        assert send(fresh, server).status == 200


def test_a_redirect_is_not_followed_and_after_a_commit_nobody_knows(server, http):
    with Raw() as other:
        server.behave = server.reply(answer(b"", "302 Found", f"Location: {other.url}/moved?key=1"))
        given = send(http, server)
    assert (given.status, other.connections) == (302, 0)
    error = judge(given)
    assert type(error) is Unconfirmed
    assert str(error) == f"the platform answered 302, pointing to {other.url}/moved"
    assert type(judge(send(http, server, commit=False, method="GET"))) is Unavailable


# What was never sent


def test_a_port_where_nobody_listens_was_never_spoken_to(server, http):
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1: no connection"):
        http.send("POST", "http://127.0.0.1:1/x", commit=True)


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/x", "127.0.0.1/x", "http://", "http://[::1/x", "http://a b/x", "http://127.0.0.1:99999/"]
)
def test_an_address_that_cannot_be_used_was_never_spoken_to(url, http):
    with pytest.raises(Unavailable):
        http.send("POST", url, commit=True)


@pytest.mark.parametrize(
    "headers",
    [{"Authorization": "Bearer two\nlines"}, {"Authorization": "Bearer ключ"}, {"A b": "c"}, {"A": "trailing "}],
)
def test_a_header_that_may_not_be_sent_is_found_before_anything_is(headers, server, http):
    with pytest.raises(Unavailable):
        send(http, server, headers=headers)
    assert server.requests in ([], [b""])


def test_a_body_that_is_no_json_is_found_before_anything_is_sent(server, http):
    with pytest.raises(Unavailable):
        send(http, server, json={"number": float("nan")})
    assert server.connections == 0


def test_a_server_without_tls_where_tls_is_asked_for_was_never_sent_anything(server):
    with Http(seconds=0.3, allow={"127.0.0.1"}) as http, pytest.raises(Unavailable):
        http.send("POST", f"https://127.0.0.1:{server.port}/x", commit=True, json={"text": "secret words"})
    assert not [r for r in server.requests if b"secret words" in r]


# What may have been taken


def resetting(connection):
    read_request(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def half_an_answer(connection):
    read_request(connection)
    connection.sendall(answer(b'{"id": "1"}')[:-4])


BROKEN = {
    "closed without a word": read_request,
    "reset": resetting,
    "half an answer": half_an_answer,
    "no HTTP": lambda connection: (read_request(connection), connection.sendall(b"SMTP ready\r\n\r\n")),
    "a chunk that lies": lambda connection: (
        read_request(connection),
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}"),
    ),
    "endless headers": lambda connection: (
        read_request(connection),
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"X-Fill: %s\r\n" % (b"a" * 1000) * 200),
    ),
}


@pytest.mark.parametrize("defect", BROKEN)
def test_an_answer_that_breaks_is_unconfirmed_after_a_commit_and_harmless_before(defect, server, http):
    server.behave = BROKEN[defect]
    with pytest.raises(Unconfirmed, match=r"127\.0\.0\.1: no answer"):
        send(http, server)
    with pytest.raises(Unavailable):
        send(http, server, commit=False)
    assert server.connections == 2


def test_a_huge_answer_is_not_read_to_its_end(server, http):
    sent = []

    def behave(connection):
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while sum(sent) < 50 * ANSWER_BYTES:
                sent.append(connection.send(b"a" * 65536))
        except OSError:
            return

    server.behave = behave
    with pytest.raises(Unconfirmed, match="larger than"):
        send(http, server)
    assert sum(sent) < 5 * ANSWER_BYTES


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "gzip, gzip"])
def test_a_compressed_answer_is_refused_unread(encoding, server, http):
    server.behave = server.reply(answer(PACKED, "200 OK", f"Content-Encoding: {encoding}"))
    with pytest.raises(Unconfirmed, match="compressed"):
        send(http, server)


# One deadline for all of it


def took(act):
    start = time.monotonic()
    act()
    return time.monotonic() - start


def trickling(pieces):
    """A server that is never silent for long and never done."""
    stop = threading.Event()

    def behave(connection):
        read_request(connection)
        for piece in pieces:
            connection.sendall(piece)
            if stop.wait(0.05):
                return

    return behave, stop


@pytest.mark.parametrize(
    "pieces",
    [
        [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", *[b" "] * 900],
        [b"HTTP/1.1 200 OK\r\n", *[b"X-A: b\r\n"] * 90],
        [b"HTTP/1.1 103 Early Hints\r\n\r\n"] * 90,
    ],
    ids=["body", "headers", "hints"],
)
def test_a_server_that_trickles_cannot_stretch_the_deadline(pieces, server):
    server.behave, stop = trickling(pieces)
    with Http(seconds=1, allow={"127.0.0.1"}) as http:

        def act():
            with pytest.raises(Unconfirmed, match="no answer"):
                send(http, server)

        assert 0.8 < took(act) < 8
    stop.set()


def test_a_server_that_reads_slowly_cannot_stretch_the_deadline_either():
    stop = threading.Event()

    def behave(connection):
        while not stop.wait(0.05) and connection.recv(20_000):
            pass

    with Raw(behave) as server, Http(seconds=2, allow={"127.0.0.1"}) as http:

        def act():
            with pytest.raises(Unconfirmed):
                send(http, server, content=b"a" * 50_000_000)

        assert 1.5 < took(act) < 15
        stop.set()


def test_a_server_that_never_finishes_its_tls_greeting_was_sent_nothing():
    stop = threading.Event()
    with Raw(lambda connection: stop.wait(30)) as server, Http(seconds=0.3, allow={"127.0.0.1"}) as http:

        def act():
            with pytest.raises(Unavailable):
                http.send("POST", f"https://127.0.0.1:{server.port}/", commit=True)

        assert took(act) < 10
        stop.set()


def test_each_request_has_the_full_time(server):
    with Http(seconds=2, allow={"127.0.0.1"}) as http:
        for _ in range(3):
            server.behave = lambda connection: (read_request(connection), time.sleep(0.7), connection.sendall(answer()))
            assert send(http, server).status == 200


# How long to wait


def given(status=429, body=b"", *, now=NOW, **headers):
    lower = {k.lower().replace("_", "-"): v for k, v in headers.items()}
    return Answer(status, lower, body, True, now)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("7.25", 7.25),
        (" 7 ", 7),
        ("1e2", 100),
        ("0", 1),
        ("-5", 1),
        ("0.001", 1),
        ("999999999", DAY),
        ("inf", DAY),
        ("nan", 60),
        ("", 60),
        ("soon", 60),
        ("Tue, 24 Nov 2026 10:16:30 GMT", 59.75),
        ("Tue, 24 Nov 2026 12:16:30 +0200", 59.75),
        ("Tuesday, 24-Nov-26 10:16:30 GMT", 59.75),
        ("Tue Nov 24 10:16:30 2026", 59.75),
        ("2026-11-24T10:16:30Z", 59.75),
        ("2026-11-24T10:16:30.500+00:00", 60.25),
        ("Mon, 23 Nov 2026 10:16:30 GMT", 1),
        ("Fri, 24 Nov 2028 10:16:30 GMT", DAY),
        ("Tue, 99 Nov 2026 10:16:30 GMT", 60),
    ],
)
def test_retry_after_is_read_in_every_form_and_kept_within_a_second_and_a_day(value, seconds):
    error = judge(given(retry_after=value))
    assert type(error) is RateLimited
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (b'{"wait": {"seconds": 1.337}}', 1.337),
        (b'{"wait": {"seconds": 0}}', 1),
        (b'{"wait": {"seconds": 1e999}}', DAY),
        (b'{"wait": {"seconds": NaN}}', 60),
        (b'{"wait": {"seconds": null}}', 7),
        (b'{"wait": []}', 7),
        (b"[" * 100_000, 7),
        (b"<html>", 7),
    ],
)
def test_a_wait_in_the_body_comes_before_the_header_and_is_kept_within_the_same(body, seconds):
    answer = given(body=body, retry_after="7")
    assert answer.retry_after(told=answer.told("wait", "seconds")) == seconds


@pytest.mark.parametrize("skew", [timedelta(hours=-3), timedelta(0), timedelta(hours=3)])
def test_a_date_is_measured_on_the_platforms_own_clock(skew):
    theirs = NOW + skew
    reset, date = (format_datetime(t, usegmt=True) for t in (theirs + timedelta(seconds=90), theirs))
    assert given(retry_after=reset, date=date).retry_after() == 90
    assert given(x_reset=str(int(theirs.timestamp()) + 90), date=date).retry_after(epoch_header="X-Reset") == 90


@pytest.mark.parametrize("later", [0, 0.001, 0.5, 0.999, 1, 59.3, 3600.7])
def test_a_wait_until_an_instant_never_ends_before_it(later):
    reset = NOW + timedelta(seconds=later)
    for value in (str(reset.timestamp()), reset.isoformat()):
        wait = given(x_reset=value).retry_after(epoch_header="X-Reset")
        assert NOW + timedelta(seconds=wait + 1e-6) >= reset


def test_a_header_of_the_platforms_own_counts_only_without_retry_after():
    answered = given(retry_after="5", x_reset=str(NOW.timestamp() + 90))
    assert answered.retry_after(epoch_header="X-Reset") == 5
    assert given(x_reset="garbage").retry_after(default=30, epoch_header="X-Reset") == 30


# What a status means


@pytest.mark.parametrize(
    ("status", "after_commit", "before"),
    [
        (200, None, None),
        (204, None, None),
        (301, Unconfirmed, Unavailable),
        (307, Unconfirmed, Unavailable),
        (400, Rejected, Rejected),
        (401, Unauthorized, Unauthorized),
        (403, Rejected, Rejected),
        (404, Rejected, Rejected),
        (408, Unconfirmed, Unavailable),
        (410, Rejected, Rejected),
        (413, Rejected, Rejected),
        (422, Rejected, Rejected),
        (425, Unconfirmed, Unavailable),
        (429, RateLimited, RateLimited),
        (500, Unconfirmed, Unavailable),
        (502, Unconfirmed, Unavailable),
        (503, Unconfirmed, Unavailable),
        (504, Unconfirmed, Unavailable),
        (599, Unconfirmed, Unavailable),
    ],
)
def test_a_status_means_what_may_happen_next(status, after_commit, before):
    for commit, kind in ((True, after_commit), (False, before)):
        error = judge(Answer(status, {}, b"their words", commit, NOW))
        assert (type(error) if error else None) is kind
        assert error is None or (error.status, error.words) == (status, "their words")


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"null", b"[]", b"{}", b'{"data": {}}', b'{"data": "id"}', b'{"data": {"id": "1"', b"\xff\xfe"),
        *(b'{"data": {"id": null}}', b'{"data": {"id": ""}}', b'{"data": {"id": {}}}', b"[" * 200_000, b"1" * 10_000),
    ],
    ids=range(13),
)
def test_an_id_that_cannot_be_read_is_unconfirmed_after_a_commit(body):
    for commit, kind in ((True, Unconfirmed), (False, Unavailable)):
        with pytest.raises(kind):
            Answer(200, {}, body, commit, NOW).pick("data", "id")


def test_an_id_is_read_as_text_whatever_it_is():
    assert Answer(200, {}, b'{"data": [{"id": 0}]}', True, NOW).pick("data", 0, "id") == "0"
    assert Answer(200, {"x-id": "urn:1"}, b"", True, NOW).header("X-Id") == "urn:1"
    with pytest.raises(Unconfirmed):
        Answer(200, {}, b"", True, NOW).header("X-Id")


def test_the_platforms_words_are_one_short_printable_line():
    words = Answer(400, {}, "no\r\n\x1b[31m \u202eway\x00 \n".encode() + b"\xff" * 9000, True, NOW).words()
    assert words.startswith("no [31m way ")
    assert len(words) <= 300
    assert words.isprintable()


# Secrets

SECRET = 'to/ken+with "odd" %signs'


@pytest.mark.parametrize(
    "echo", [SECRET, "to/ken%2Bwith%20%22odd%22%20%25signs", "to%2Fken%2Bwith+%22odd%22+%25signs", json.dumps(SECRET)]
)
def test_a_secret_that_a_server_echoes_is_not_shown_however_it_is_written(echo, server):
    server.behave = server.reply(answer(echo.encode(), "302 Found", f"Location: http://elsewhere.example/{echo}"))
    with Http(allow={"127.0.0.1"}, secrets=[SECRET]) as http:
        refused = judge(send(http, server))
    assert "odd" not in str(refused)
    assert "•••" in str(refused)


def test_a_secret_in_an_address_is_not_in_the_error(server):
    with Http(allow={"127.0.0.1"}) as http:
        http.hide("123:botsecret")
        server.behave = read_request
        with pytest.raises(Unconfirmed) as lost:
            http.send("POST", f"{server.url}/bot123:botsecret/send", commit=True)
        with pytest.raises(Unavailable) as bad:
            http.send("POST", "http://[123:botsecret", commit=True)
    assert "botsecret" not in str(lost.value) + repr(lost.value) + str(bad.value)


def test_what_stand_ins_take_for_any_token_is_no_secret_and_accounts_may_be_called_so():
    http = Http(secrets=["rehearsal", "rehearsal-of-mine"])
    assert http.redact("main.mastodon-rehearsal: rehearsal-of-mine") == "main.mastodon-rehearsal: •••"
