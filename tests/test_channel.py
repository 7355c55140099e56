"""What a conversation over a WebSocket does when the other side speaks in pieces, wrongly, too much, or no more at all."""

import contextlib
import socket
import threading

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, Pong, Request, TextMessage

from publishers.core.errors import Unavailable, Unconfirmed
from publishers.core.http import Answer, Http


class Server:
    """Takes one conversation on a free port and answers the first text with what ``script`` sends."""

    def __init__(self, script):
        self.script, self.heard, self.pongs = script, [], 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(10)
        self.url = f"ws://127.0.0.1:{self.listener.getsockname()[1]}/place"
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        with contextlib.suppress(OSError), self.listener, self.listener.accept()[0] as peer:
            peer.settimeout(10)
            ws = WSConnection(ConnectionType.SERVER)
            while content := peer.recv(65536):
                ws.receive_data(content)
                for event in ws.events():
                    match event:
                        case Request():
                            self.asked = event
                            peer.sendall(ws.send(AcceptConnection()))
                        case TextMessage():
                            self.heard.append(event.data)
                            if not self.script(ws, peer):
                                return
                        case Pong():
                            self.pongs += 1
                        case _:
                            pass


def say(channel):
    channel.send("Grüße 🚢")
    return channel.receive()


def talk(script, *, commit=False, seconds=5.0, **options):
    server = Server(script)
    with Http(allow={"127.0.0.1"}, seconds=seconds, **options) as http:
        try:
            return http.talk(server.url, say, commit=commit), server
        finally:
            server.thread.join(10)


def text(data, *, done=True):
    return TextMessage(data=data, message_finished=done)


def test_texts_go_out_and_come_in_whole_whatever_pieces_they_come_in_and_a_ping_is_answered():
    def script(ws, peer):
        for event in (Ping(payload=b"?"), text("Übermor", done=False), text("gen 🚢")):
            for byte in ws.send(event):
                peer.sendall(bytes([byte]))
        return True

    got, server = talk(script)
    assert got == "Übermorgen 🚢"
    assert server.heard == ["Grüße 🚢"]
    assert server.pongs == 1
    assert server.asked.target == "/place"


@pytest.mark.parametrize("commit", [True, False])
@pytest.mark.parametrize(
    "script",
    [
        pytest.param(lambda ws, peer: False, id="the connection ends"),
        pytest.param(
            lambda ws, peer: peer.sendall(ws.send(CloseConnection(code=1011))), id="the other side says goodbye"
        ),
        pytest.param(lambda ws, peer: peer.sendall(ws.send(BytesMessage(data=b"no text"))), id="it sends no text"),
        pytest.param(lambda ws, peer: peer.sendall(b"\xff" * 64), id="it sends no frames"),
        pytest.param(lambda ws, peer: peer.sendall(ws.send(text("x" * 5_000_000))), id="it sends too much"),
    ],
)
def test_what_breaks_a_conversation_is_unconfirmed_after_a_commit_and_harmless_before(script, commit):
    with pytest.raises(Unconfirmed if commit else Unavailable, match="127\\.0\\.0\\.1: no "):
        talk(script, commit=commit)


def test_a_silent_other_side_is_waited_for_no_longer_than_a_request_may_last():
    released = threading.Event()
    try:
        with pytest.raises(Unconfirmed, match=r"deadline|timed out"):
            talk(lambda ws, peer: released.wait(3), commit=True, seconds=1.5)
    finally:
        released.set()


def test_a_private_address_is_never_spoken_to():
    server = Server(lambda ws, peer: True)
    with Http(seconds=5) as http, pytest.raises(Unavailable, match="is a private address"):
        http.talk(server.url, say, commit=True)
    assert server.heard == []
    server.listener.close()


def test_whoever_opens_no_conversation_has_answered_as_a_page_would():
    def serve(listener):
        with listener.accept()[0] as peer:
            peer.recv(65536)
            peer.sendall(b"HTTP/1.1 429 Wait\r\nContent-Length: 4\r\nRetry-After: 7\r\n\r\nslow")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        with Http(allow={"127.0.0.1"}, seconds=5) as http:
            got = http.talk(f"ws://127.0.0.1:{listener.getsockname()[1]}/", say, commit=True)
    assert isinstance(got, Answer)
    assert (got.status, got.words(), got.retry_after()) == (429, "slow", 7.0)


def test_one_who_agrees_without_having_understood_is_not_spoken_to():
    heard = []

    def serve(listener):
        with listener.accept()[0] as peer:
            peer.recv(65536)
            peer.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: bm8=\r\n\r\n"
            )
            heard.append(peer.recv(65536))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        with Http(allow={"127.0.0.1"}, seconds=5) as http, pytest.raises(Unavailable, match="speaks no WebSocket"):
            http.talk(f"ws://127.0.0.1:{listener.getsockname()[1]}/", say, commit=False)
        thread.join(10)
    assert heard == [b""]
