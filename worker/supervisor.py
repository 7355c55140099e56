"""How a group of processes is kept running and leaves nothing behind: respawned when one dies, ended together."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import FrameType
from typing import Self, TextIO

PAUSE = 0.1
FIRST_DELAY = 0.2
LONGEST_DELAY = 5.0
SETTLED = 30.0
ORPHAN_GRACE = 1.5
LONGEST_LINE = 65_536

NEEDED = frozenset({"PATH", "LD_LIBRARY_PATH"})
"""All of our environment that the warden is told: it starts no other program, and no secret has one of these names."""

ANNOUNCE = 'echo "+$$" >&0; exec "$@" </dev/null'
"""A shell that tells the warden its number and then becomes the child: none can run without being known."""


class State(StrEnum):
    """What happened to a child."""

    STARTED = "started"
    READY = "ready"
    DIED = "died"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One process to keep running. The next child is started once ``ready`` says yes (at once if there is none).

    ``env`` is added to the supervisor's own environment, of which it gets nothing called as in ``without``; ``ready``
    must answer quickly and not raise.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    without: Sequence[str] = ()
    ready: Callable[[], bool] | None = None


class Supervisor:
    """Starts children in order, each in a session of its own, and ends them in reverse order.

    A child that dies is started again after 0.2 s, then twice as long each time up to ``longest_delay`` seconds; 30 s
    alive forgive it.
    What children print goes to ``log`` behind their names. ``grace`` is how long, in seconds, each may take to end
    after TERM before KILL. ``status`` is told the name, the state and a few words.
    """

    def __init__(
        self,
        children: Sequence[Child],
        *,
        log: TextIO = sys.stderr,
        status: Callable[[str, State, str], None] | None = None,
        grace: float = 20.0,
        longest_delay: float = LONGEST_DELAY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._places = [_Place(child) for child in children]
        self._width = max(len(child.name) for child in children)
        self._log = log
        self._tell = status or (lambda name, state, words: self._write(name, f"{state} {words}".rstrip()))
        self._grace = grace
        self._longest_delay = longest_delay
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._asked: float | None = None
        self._forced = False

    def run(self) -> None:
        """Keep the children running until Ctrl-C, TERM or ``stop``; a second Ctrl-C ends them without grace."""
        with self._handled(), _Warden() as warden:
            try:
                while self._asked is None:
                    self._look(warden)
                    self._listen(PAUSE)
            finally:
                self._end_all(warden)

    def stop(self) -> None:
        """Ask ``run`` to end the children and return; safe from any thread."""
        if self._asked is None:
            self._asked = self._clock()

    def pids(self) -> dict[str, int]:
        """The process of every child that runs."""
        return {p.child.name: p.process.pid for p in self._places if p.process is not None}

    @contextlib.contextmanager
    def _handled(self) -> Iterator[None]:
        """Take the signals that mean "end"; only the main thread may, elsewhere there is ``stop``."""

        def handle(number: int, _frame: FrameType | None) -> None:
            # One Ctrl-C can reach us twice, from the terminal and from make; a person's second one comes later.
            if number == signal.SIGINT and self._asked is not None and self._clock() - self._asked > 0.5:
                self._forced = True
            self.stop()

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _look(self, warden: _Warden) -> None:
        """Clear away the dead, start whoever is due, and stop at the first that has yet to be ready for the next."""
        warden.check(self.pids().values())
        for place in self._places:
            if place.process is not None and place.process.poll() is not None:
                self._bury(place, warden)
        for place in self._places:
            if place.process is None and self._clock() >= place.not_before:
                self._spawn(place, warden)
            if place.process is not None and not place.ready:
                place.ready = place.child.ready is None or place.child.ready()
                if place.ready and place.child.ready is not None:
                    self._tell(place.child.name, State.READY, "")
            place.opened = place.opened or place.ready
            if not place.opened:
                break

    def _spawn(self, place: _Place, warden: _Warden) -> None:
        mine = {name: value for name, value in os.environ.items() if name.upper() not in place.child.without}
        place.process = subprocess.Popen(  # noqa: S603 - the commands are our own
            ["/bin/sh", "-c", ANNOUNCE, "sh", *place.child.argv],
            stdin=warden.pipe,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**mine, "PYTHONUNBUFFERED": "1", **place.child.env},
            start_new_session=True,
        )
        place.started = self._clock()
        os.set_blocking(place.output, False)
        self._selector.register(place.output, selectors.EVENT_READ, place)
        self._tell(place.child.name, State.STARTED, f"process {place.process.pid}")

    def _bury(self, place: _Place, warden: _Warden) -> None:
        """Settle when a child that died may start again."""
        code = self._clear(place, warden)
        alive = self._clock() - place.started
        place.delay = next_delay(place.delay, alive, self._longest_delay)
        place.not_before = self._clock() + place.delay
        how = f"signal {-code}" if code < 0 else f"exit {code}"
        self._tell(place.child.name, State.DIED, f"{how} after {alive:.1f} s, again in {place.delay:.1f} s")

    def _end_all(self, warden: _Warden) -> None:
        for place in reversed(self._places):
            if place.process is None:
                continue
            place.process.terminate()
            deadline = self._clock() + self._grace
            while place.process.poll() is None and not self._forced and self._clock() < deadline:
                self._listen(PAUSE / 5)
            if place.process.poll() is None:
                place.process.kill()
                place.process.wait()
            self._clear(place, warden)
            self._tell(place.child.name, State.STOPPED, "")
        self._selector.close()

    def _clear(self, place: _Place, warden: _Warden) -> int:
        """Take a process that has ended out of the books, with the rest of its group; returns how it ended."""
        process = place.process
        assert process is not None
        assert process.stdout is not None
        _signal_group(process.pid, signal.SIGKILL)
        warden.forget(process.pid)
        while self._copy(place):
            pass
        if place.partial:
            self._write(place.child.name, place.partial.decode(errors="replace"))
        self._ignore(place)
        process.stdout.close()
        place.process, place.ready, place.partial = None, False, b""
        return process.returncode

    def _listen(self, seconds: float) -> None:
        """Copy what children print, for at most ``seconds`` of silence."""
        for key, _ in self._selector.select(seconds):
            self._copy(key.data)

    def _copy(self, place: _Place) -> bool:
        """Copy a child's whole lines to the log; False if there is nothing more to read now."""
        try:
            text = os.read(place.output, LONGEST_LINE)
        except BlockingIOError:
            return False
        if not text:
            self._ignore(place)
            return False
        *lines, place.partial = (place.partial + text).split(b"\n")
        if len(place.partial) >= LONGEST_LINE:
            lines.append(place.partial)
            place.partial = b""
        for line in lines:
            self._write(place.child.name, line.decode(errors="replace"))
        return True

    def _ignore(self, place: _Place) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(place.output)

    def _write(self, name: str, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # a closed terminal must not keep us from ending the children
            self._log.write(f"{name:<{self._width}} | {line}\n")
            self._log.flush()


def next_delay(delay: float, alive: float, longest: float) -> float:
    """Seconds before a child that lived ``alive`` seconds, and last waited ``delay``, is started again."""
    return FIRST_DELAY if alive >= SETTLED or not delay else min(delay * 2, longest)


@dataclass(slots=True)
class _Place:
    """Where a child stands: ``opened`` once it has been ready for the first time."""

    child: Child
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    delay: float = 0.0
    not_before: float = float("-inf")
    ready: bool = False
    opened: bool = False
    partial: bytes = b""

    @property
    def output(self) -> int:
        assert self.process is not None
        assert self.process.stdout is not None
        return self.process.stdout.fileno()


class _Warden:
    """A second process that knows the children's numbers and ends them when the supervisor is gone.

    It reads a pipe that only we hold open, so it sees our end however it comes, kill -9 included, on any Unix.
    """

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.pipe)
        self._process.wait()

    def _start(self) -> None:
        reading, self.pipe = os.pipe()
        self._process = subprocess.Popen(  # noqa: S603 - this very file
            [sys.executable, "-I", "-S", __file__],
            stdin=reading,
            stdout=subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if name in NEEDED},
            start_new_session=True,
        )
        os.close(reading)

    def check(self, pids: Iterable[int]) -> None:
        """Replace a warden that died and tell the new one whom to watch."""
        if self._process.poll() is None:
            return
        os.close(self.pipe)
        self._start()
        for pid in pids:
            self._say(f"+{pid}")

    def forget(self, pid: int) -> None:
        """The process has ended; its number may soon be somebody else's."""
        self._say(f"-{pid}")

    def _say(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # it died; check() starts another
            os.write(self.pipe, f"{line}\n".encode())


def watch() -> None:
    """Be the warden: learn numbers from stdin until it ends, then end whoever is left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    pids: set[int] = set()
    for line in sys.stdin:
        (pids.add if line[0] == "+" else pids.discard)(int(line[1:]))
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + ORPHAN_GRACE
    while time.monotonic() < deadline and any(_signal_group(pid, 0) for pid in pids):
        time.sleep(PAUSE / 2)
    for pid in pids:
        _signal_group(pid, signal.SIGKILL)


def _signal_group(pid: int, number: int) -> bool:
    """Signal a child's whole session; False if nobody is left in it (macOS says EPERM of zombies)."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    watch()
