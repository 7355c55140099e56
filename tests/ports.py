"""Ports of this machine for tests: which one to take, and how a server of the pages begins to answer at it."""

from __future__ import annotations

import itertools
import os
import re
import socket
import threading
import time

import uvicorn

EACH = 2_000
FIRST = 14_000 + EACH * int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0) % (4 * EACH)
_numbers = itertools.count(os.getpid() * 97 % EACH)


def free_port() -> int:
    """A port that nobody listens at and nobody is given: one below those that the kernel hands out, each time another.

    Many servers begin to listen seconds after their port was chosen, and others ask the kernel for ports meanwhile.
    """
    for number in itertools.islice(_numbers, EACH):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", FIRST + number % EACH))
            except OSError:
                continue
            return FIRST + number % EACH
    raise OSError("no port is free")


def started(server: uvicorn.Server) -> threading.Thread:
    """The thread in which ``server`` runs, once it answers."""
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "it did not start; is its port taken?"
        time.sleep(0.01)
    return thread
