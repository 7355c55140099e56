"""Pictures and fonts from strangers, opened by a child process with limits: at most it dies, and says why."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import json
import os
import select
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from worker.errors import HandbillError

MOST_BYTES = 60_000_000
SECONDS = 10.0  # for one request; a picture of 40 megapixels takes one or two
LARGEST_SCALE = 1.2  # a photo stretched further than this looks like mush

_CHILD = Path(__file__).with_name("decode.py")
_PIPE = 1 << 20  # bytes a pipe holds, where the system lets us say so: fewer turns between the two processes


class BadPicture(HandbillError):
    """The picture is broken, of a kind not accepted, or too large; what it is says the message."""


class BadFont(HandbillError):
    """The font is broken or of a kind not accepted; what it is says the message."""


class _Refused(Exception):
    """What the child said, or how it ended."""


class _Ended(_Refused):
    """The child is gone."""

    def __init__(self) -> None:
        super().__init__("opening it ended the process")


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture whose head has been read; ``width`` and ``height`` are those of the upright picture."""

    data: bytes
    width: int
    height: int

    def scale(self, size: tuple[int, int]) -> float:
        """How much the picture must be enlarged to cover ``size``; below 1 it has pixels to spare."""
        return max(size[0] / self.width, size[1] / self.height)


@dataclass(frozen=True, slots=True)
class FontFacts:
    """A font that was opened: its own name, and the ranges of characters it draws."""

    name: str
    ranges: tuple[tuple[int, int], ...]


class _Child:
    """One warm process that decodes; started when first needed, and again after it had to be killed."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._held: bytes | None = None
        atexit.register(self.end)

    def ask(self, data: bytes, **asked: object) -> tuple[dict[str, Any], bytearray]:
        """What the child answers to a request about ``data``, which is sent only if it does not hold it yet."""
        with self._turn:
            try:
                said, payload = self._told(data, asked)
            except _Ended:  # perhaps before it saw this picture: a new one says whether the picture is the reason
                said, payload = self._told(data, asked)
        if "refused" in said:
            raise _Refused(str(said["refused"]))
        return said, payload

    def _told(self, data: bytes, asked: dict[str, object]) -> tuple[dict[str, Any], bytearray]:
        process = self._started()
        fresh = self._held is not data
        line = json.dumps(asked | {"bytes": len(data) if fresh else None}).encode() + b"\n"
        try:
            answer = _exchange(process, line + data if fresh else line, time.monotonic() + SECONDS)
        except (_Refused, OSError, ValueError) as error:
            self._kill()
            raise error if isinstance(error, _Refused) else _Ended from None
        self._held = data
        return answer

    def _started(self) -> subprocess.Popen[bytes]:
        if self._owner != os.getpid():  # a fork shares its parent's pipes: that child is not ours
            self._process = None
        if self._process is None or self._process.poll() is not None:
            self._kill()
            self._process = subprocess.Popen(  # noqa: S603 - our own file, by its path
                [sys.executable, "-P", "-B", str(_CHILD)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env={"PATH": os.defpath, "LANG": "C.UTF-8"},
            )
            self._owner = os.getpid()
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                os.set_blocking(pipe.fileno(), False)
                with contextlib.suppress(OSError, AttributeError):
                    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)
        return self._process

    def _kill(self) -> None:
        process, self._process, self._held = self._process, None, None
        if process is not None:
            process.kill()
            process.communicate()

    def end(self) -> None:
        """End the process, if it is ours."""
        if self._owner == os.getpid():
            self._kill()


def _exchange(process: subprocess.Popen[bytes], request: bytes, until: float) -> tuple[dict[str, Any], bytearray]:
    """Send a request and read its answer; raises _Refused when the time is over or the process ends."""
    assert process.stdin is not None
    assert process.stdout is not None
    out, back = process.stdin.fileno(), process.stdout.fileno()
    unsent, got, size, said = memoryview(request), bytearray(), -1, {}
    poll = select.poll()
    poll.register(back, select.POLLIN)
    poll.register(out, select.POLLOUT)
    while size < 0 or len(got) < size:
        left = until - time.monotonic()
        events = dict(poll.poll(max(0, left * 1000)))
        if left <= 0 or not events:
            raise _Refused(f"opening it takes longer than {SECONDS:g} seconds")
        if out in events and unsent:
            unsent = unsent[os.write(out, unsent) :]
            if not unsent:
                poll.unregister(out)
        if back in events:
            part = os.read(back, _PIPE)
            if not part:
                raise _Ended
            got += part
            if size < 0 and (end := got.find(b"\n")) >= 0:
                said = json.loads(got[:end])
                size = said["bytes"]
                del got[: end + 1]
    return said, got


_child = _Child()


def probe(data: bytes) -> Photo:
    """Read the head of a picture. Raises BadPicture."""
    said, _ = _picture(data, do="probe")
    return Photo(data, said["width"], said["height"])


def cropped(photo: Photo, size: tuple[int, int], seen: tuple[float, float] = (0.0, 1.0)) -> Image.Image:
    """The photo as RGB covering ``size`` exactly, cropped so that its salient part falls within ``seen``.

    ``seen`` is the part of the height, from top to bottom, that no words will cover. Raises BadPicture.
    """
    _, pixels = _picture(photo.data, do="crop", size=size, seen=seen)
    return Image.frombytes("RGB", size, pixels)


def logo(data: bytes) -> Image.Image:
    """A logo as RGBA without empty edges. Raises BadPicture."""
    said, pixels = _picture(data, do="logo")
    return Image.frombytes("RGBA", (said["width"], said["height"]), pixels)


def _picture(data: bytes, **asked: object) -> tuple[dict[str, Any], bytearray]:
    what, do = "The picture cannot be used", "Give a JPEG, PNG, WebP, GIF or AVIF of at most 40 megapixels"
    if len(data) > MOST_BYTES:
        raise BadPicture(what, why=f"it has {len(data):,} bytes; {MOST_BYTES:,} is the most", do=do)
    try:
        return _child.ask(data, **asked)
    except _Refused as error:
        raise BadPicture(what, why=str(error), do=do) from None


def try_font(data: bytes) -> FontFacts:
    """Open a TrueType or OpenType font and draw with it. Raises BadFont."""
    try:
        said, _ = _child.ask(data, do="font")
    except _Refused as error:
        raise BadFont("The font cannot be used", why=str(error), do="Give a whole .ttf or .otf file") from None
    return FontFacts(said["name"], tuple((a, b) for a, b in said["ranges"]))
