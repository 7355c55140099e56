"""The other side of a WebSocket as a fixture tells it: what is said to it is kept, its answers are read from a list."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import httpx
from wsproto.connection import Connection, ConnectionType
from wsproto.events import TextMessage

from publishers.core.channel import GUID

EVENT = "<event>"
"""Stands for the id of the last thing that was said, where that is told by an id."""


class Conversation:
    """The stream of one; every message of ``answers`` is there to be read once something was asked for."""

    def __init__(self, answers: list[Any], heard: list[Any]) -> None:
        self._answers, self.heard = list(answers), heard
        self._frames = Connection(ConnectionType.SERVER)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """What the adapter says."""
        del timeout
        self._frames.receive_data(buffer)
        for event in self._frames.events():
            if isinstance(event, TextMessage):
                self.heard.append(json.loads(event.data))

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next answer; nothing once there is none."""
        del max_bytes, timeout
        if not self._answers:
            return b""
        said = json.dumps(self._answers.pop(0), ensure_ascii=False)
        return self._frames.send(TextMessage(data=said.replace(EVENT, self._named())))

    def close(self) -> None:
        """Nothing is left to do."""

    def _named(self) -> str:
        told = [m[1]["id"] for m in self.heard if len(m) > 1 and isinstance(m[1], dict) and "id" in m[1]]
        return str(told[-1]) if told else ""


def told(answers: list[Any]) -> httpx.Response:
    """The answer that opens a conversation with these messages, whatever was asked."""
    return httpx.Response(101, extensions={"messages": answers})


def opened(request: httpx.Request, answers: list[Any]) -> httpx.Response:
    """The answer that opens a conversation; what is said in it is kept in the request's extensions as ``messages``."""
    digest = hashlib.sha1(request.headers["sec-websocket-key"].encode() + GUID).digest()  # noqa: S324 - as RFC 6455 has it
    headers = {"Sec-WebSocket-Accept": base64.b64encode(digest).decode(), "Upgrade": "websocket"}
    stream = Conversation(answers, request.extensions.setdefault("messages", []))
    return httpx.Response(101, headers=headers, extensions={"network_stream": stream})
