"""A WebSocket (RFC 6455) over a connection that is already open: texts go out and texts come in."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from typing import Protocol

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.utilities import RemoteProtocolError

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CHUNK = 65_536
MOST = 4_000_000
"""Bytes of all texts that one conversation takes in."""


class Stream(Protocol):
    """What a channel is made on: whoever gives it one has checked its address and limits its time."""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Some bytes; none when the other side has closed."""

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """All of the bytes."""


class Channel:
    """One conversation. Whatever breaks it is a ValueError, or what the stream raises."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._frames = Connection(ConnectionType.CLIENT)
        self._come: list[str] = []
        self._part = ""
        self._taken = 0

    def send(self, text: str) -> None:
        """One text."""
        self._stream.write(self._frames.send(TextMessage(data=text)))

    def receive(self) -> str:
        """The next text that comes in."""
        while not self._come:
            content = self._stream.read(CHUNK)
            self._taken += len(content)
            if not content or self._taken > MOST:
                raise ValueError("the conversation ended" if not content else "the answers are too large")
            try:
                self._frames.receive_data(content)
                self._read()
            except RemoteProtocolError as error:
                raise ValueError("the answer is no WebSocket's") from error
        return self._come.pop(0)

    def _read(self) -> None:
        for event in self._frames.events():
            match event:
                case TextMessage():
                    self._part += event.data
                    if event.message_finished:
                        self._come.append(self._part)
                        self._part = ""
                case Ping():
                    self._stream.write(self._frames.send(event.response()))
                case CloseConnection() if not self._come:
                    raise ValueError(f"the other side ended the conversation ({event.code})")
                case BytesMessage():
                    raise ValueError("the answer is no text")
                case _:
                    pass


def asking() -> dict[str, str]:
    """The headers of the request that begins a conversation."""
    key = base64.b64encode(os.urandom(16)).decode()
    return {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
    }


def agreed(asked: Mapping[str, str], answered: Mapping[str, str]) -> bool:
    """Whether the answer to such a request is of one who understood it (RFC 6455, section 4.1)."""
    digest = hashlib.sha1(asked["Sec-WebSocket-Key"].encode() + GUID).digest()  # noqa: S324 - what the protocol names
    return answered.get("sec-websocket-accept", "") == base64.b64encode(digest).decode()
