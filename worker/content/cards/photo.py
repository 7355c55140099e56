"""Pictures and fonts from strangers, opened by a child process with limits: at most it dies, and says why."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import json
import mmap
import os
import select
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from worker.errors import HandbillError

MOST_BYTES = 60_000_000
SECONDS = 10.0  # for one request; a picture of 40 megapixels takes one or two
LARGEST_SCALE = 1.2  # a photo stretched further than this looks like mush
LARGEST_SIDE = 4096  # pixels of a picture handed back

_CHILD = Path(__file__).with_name("decode.py")
_PIPE = 1 << 20  # bytes a pipe holds, where the system lets us say so: fewer turns between the two processes

_LONGEST = 8_000_000  # bytes of an answer: a font of very many scattered characters needs a tenth


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

    def seen(self, size: tuple[int, int]) -> float:
        """The part of the picture, 0 to 1, that is left when it is cropped to the shape of ``size``."""
        return size[0] * size[1] / (self.width * self.height * self.scale(size) ** 2)


@dataclass(frozen=True, slots=True)
class Cropped:
    """A crop in RGB; ``clear`` is the part of the subject that no words cover, ``spots`` are the parts under spots."""

    picture: Image.Image
    clear: float = 1.0
    spots: tuple[float, ...] = ()
    blank: bool = False  # there is nothing in the photo


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
        self._shared: mmap.mmap | None = None
        atexit.register(self.end)

    @contextlib.contextmanager
    def asking(self, data: bytes, **asked: object) -> Iterator[Callable[[], dict[str, Any]]]:
        """Send a request about ``data``; what is yielded waits for the answer, and nobody else asks until the end.

        The bytes are sent only if the child does not hold them yet.
        """
        with self._turn:
            answered = False
            begun = self._begin(data, asked)

            def answer() -> dict[str, Any]:
                nonlocal answered
                answered = True
                try:
                    said = self._finish(data, begun)
                except _Ended:  # perhaps before it saw this picture: a new one says whether the picture is the reason
                    said = self._finish(data, self._begin(data, asked))
                if "refused" in said:
                    raise _Refused(str(said["refused"]))
                return said

            try:
                yield answer
            finally:
                if not answered:  # its answer would be taken for that of the next request
                    self._kill()

    def pixels(self, mode: Literal["RGB", "RGBA"], size: tuple[int, int]) -> Image.Image:
        """The picture that the last answer left in memory."""
        assert self._shared is not None
        there = Image.frombuffer("RGBA", size, self._shared, "raw", "RGBA", 0, 1)  # type: ignore[arg-type]  # any buffer will do
        picture = Image.fromarrow(there, mode, size).copy()  # four bytes a pixel in either mode: no conversion
        self._shared.madvise(mmap.MADV_DONTNEED)  # else it would count as the memory of both processes
        return picture

    def _begin(self, data: bytes, asked: dict[str, object]) -> _Exchange:
        process = self._started()
        fresh = self._held is not data
        line = json.dumps(asked | {"bytes": len(data) if fresh else None}).encode() + b"\n"
        exchange = _Exchange(process, line + data if fresh else line, time.monotonic() + SECONDS)
        with contextlib.suppress(OSError):  # the answer says what is wrong
            exchange.send()
        return exchange

    def _finish(self, data: bytes, exchange: _Exchange) -> dict[str, Any]:
        try:
            said = exchange.answer()
        except (_Refused, OSError, ValueError) as error:
            self._kill()
            raise error if isinstance(error, _Refused) else _Ended from None
        self._held = data
        return said

    def _started(self) -> subprocess.Popen[bytes]:
        if self._owner != os.getpid():  # a fork shares its parent's pipes: that child is not ours
            self._process = None
        if self._process is None or self._process.poll() is not None:
            self._kill()
            memory = _memory()
            try:
                self._shared = mmap.mmap(memory, os.fstat(memory).st_size)
                self._process = subprocess.Popen(  # noqa: S603 - our own file, by its path
                    [sys.executable, "-P", "-B", str(_CHILD), str(memory)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    bufsize=0,
                    pass_fds=(memory,),
                    env={"PATH": os.defpath, "LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "1"},
                )
            finally:
                os.close(memory)
            self._owner = os.getpid()
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                os.set_blocking(pipe.fileno(), False)
                with contextlib.suppress(OSError, AttributeError):
                    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)
        return self._process

    def _kill(self) -> None:
        process, self._process, self._held, self._shared = self._process, None, None, None
        if process is not None:
            process.kill()
            process.communicate()

    def end(self) -> None:
        """End the process, if it is ours."""
        if self._owner == os.getpid():
            self._kill()


def _memory() -> int:
    """A file of no name that both processes map, as large as any picture; it takes no room until it is written.

    Where the system can it is sealed: a child that shrank it would end its parent.
    """
    size = 4 * LARGEST_SIDE**2
    if sys.platform != "linux":
        with tempfile.TemporaryFile() as file:
            file.truncate(size)
            return os.dup(file.fileno())
    memory = os.memfd_create("pixels", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(memory, size)
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return memory


class _Exchange:
    """A request on its way to the child and the answer on its way back; both end at ``until``."""

    def __init__(self, process: subprocess.Popen[bytes], request: bytes, until: float) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._out, self._back = process.stdin.fileno(), process.stdout.fileno()
        self._unsent = memoryview(request)
        self._until = until

    def send(self) -> None:
        """As much of the request as the pipe takes at once."""
        with contextlib.suppress(BlockingIOError):
            while self._unsent:
                self._unsent = self._unsent[os.write(self._out, self._unsent) :]

    def answer(self) -> dict[str, Any]:
        """Send what is left and read one line; raises _Refused when the time is over or the process ends."""
        got = b""
        poll = select.poll()
        poll.register(self._back, select.POLLIN)
        if self._unsent:
            poll.register(self._out, select.POLLOUT)
        while not got.endswith(b"\n"):
            left = self._until - time.monotonic()
            events = dict(poll.poll(max(0, left * 1000)))
            if left <= 0 or not events:
                raise _Refused(f"opening it takes longer than {SECONDS:g} seconds")
            if self._out in events and self._unsent:
                self.send()
                if not self._unsent:
                    poll.unregister(self._out)
            if self._back in events:
                part = os.read(self._back, _PIPE)
                if not part:
                    raise _Ended
                got += part
                if len(got) > _LONGEST:
                    raise _Ended
        said: dict[str, Any] = json.loads(got)
        return said


_child = _Child()


def probe(data: bytes) -> Photo:
    """Read the head of a picture. Raises BadPicture."""
    with _asking(data, do="probe") as answer:
        said = answer()
    return Photo(data, said["width"], said["height"])


@contextlib.contextmanager
def cropping(
    photo: Photo,
    size: tuple[int, int],
    seen: tuple[float, float] = (0.0, 1.0),
    focus: tuple[float, float] | None = None,
    *,
    clear: float = 0.0,
    keeps: float = 0.0,
    spots: Sequence[tuple[float, float, float, float]] = (),
) -> Iterator[Callable[[], Cropped]]:
    """Begin to crop a photo so that its salient part falls within ``seen``; what is yielded waits for the picture.

    That covers ``size`` exactly. ``seen`` is the part of the height, from top to bottom, that no words will
    cover; ``focus`` a point of the photo (0 to 1 from left and top) to have in the middle of it. Where less than
    ``clear`` of the subject would be within ``seen`` the crop comes closer, as long as ``keeps`` of the photo is shown.
    ``spots`` are rectangles of the card, 0 to 1. Raises BadPicture.
    """
    closest = (photo.seen(size) / keeps) ** 0.5 if keeps else 1.0
    how = {"size": size, "seen": seen, "focus": focus, "clear": clear, "closest": closest, "scale": LARGEST_SCALE}
    with _asking(photo.data, do="crop", spots=spots, **how) as answer:

        def cropped() -> Cropped:
            said = answer()
            return Cropped(_child.pixels("RGB", size), said["clear"], tuple(said["spots"]), said["blank"])

        yield cropped


def logo(data: bytes) -> Image.Image:
    """A logo as RGBA without empty edges. Raises BadPicture."""
    with _asking(data, do="logo") as answer:
        said = answer()
        return _child.pixels("RGBA", (said["width"], said["height"]))


@contextlib.contextmanager
def _asking(data: bytes, **asked: object) -> Iterator[Callable[[], dict[str, Any]]]:
    what, do = "The picture cannot be used", "Give a JPEG, PNG, WebP, GIF or AVIF of at most 40 megapixels"
    if len(data) > MOST_BYTES:
        raise BadPicture(what, why=f"it has {len(data):,} bytes; {MOST_BYTES:,} is the most", do=do)
    try:
        with _child.asking(data, **asked) as answer:
            yield answer
    except _Refused as error:
        raise BadPicture(what, why=str(error), do=do) from None


def try_font(data: bytes) -> FontFacts:
    """Open a TrueType or OpenType font and draw with it. Raises BadFont."""
    try:
        with _child.asking(data, do="font") as answer:
            said = answer()
    except _Refused as error:
        raise BadFont("The font cannot be used", why=str(error), do="Give a whole .ttf or .otf file") from None
    return FontFacts(said["name"], tuple((a, b) for a, b in said["ranges"]))
