"""A server on a real socket that answers each connection with whatever bytes a test wants, and remembers what came."""

import contextlib
import socket
import threading


def answer(body=b"{}", status="200 OK", *headers):
    """One plain HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def read_request(connection):
    """The bytes of one request, head and body; what there is of it if the client goes away."""
    received = b""
    while b"\r\n\r\n" not in received:
        if not (more := connection.recv(65536)):
            return received
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    missing = int(lengths[0].partition(b":")[2]) - len(body) if lengths else 0
    while missing > 0 and (more := connection.recv(65536)):
        received += more
        missing -= len(more)
    return received


class Raw:
    """Listens on a free port of 127.0.0.1; ``behave(connection)`` speaks to each client, one after another.

    ``connections`` counts them; ``requests`` is for ``behave`` to fill.
    """

    def __init__(self, behave=None, *, host="127.0.0.1"):
        self.behave = behave or self.reply(answer())
        self.connections, self.requests = 0, []
        self._listener = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def reply(self, *pieces):
        """A behaviour: read a request, send these pieces, close."""

        def behave(connection):
            self.requests.append(read_request(connection))
            for piece in pieces:
                connection.sendall(piece)

        return behave

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection, contextlib.suppress(OSError):
                self.behave(connection)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        # A listener that is only closed would leave its thread in accept.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        assert not self._thread.is_alive()
