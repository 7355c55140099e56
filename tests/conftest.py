"""What holds for every test: nothing outside this machine is spoken to, and nobody logs to where a test before it did.

Those of tests/live may speak to the outside.
"""

import subprocess
import sys

import pytest
import pytest_socket
import structlog

from worker.embedded import Embedded

HERE = ["127.0.0.0/8", "::1", "localhost"]

DEAREST = [
    *("test_changes", "test_chaos", "test_desk", "test_demo", "test_accounts_page", "test_keeping", "test_every_page"),
    *("test_pages", "test_web", "test_change_after_change", "test_cards", "test_clicks", "test_reading", "test_access"),
]
"""Files that take longest, which two processes share best when they begin with them."""


def pytest_collection_modifyitems(items):
    place = {name: number for number, name in enumerate(DEAREST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(DEAREST)))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    log = getattr(structlog.get_config()["logger_factory"], "_file", None)
    if log is not None and log.closed:  # the stderr of a test that ran a command in this process
        structlog.reset_defaults()
    if item.path.parent.name == "live":  # which is only ever run by somebody who asked for it by name
        return
    pytest_socket.socket_allow_hosts(HERE, allow_unix_socket=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A Valkey for the tests of one file, which keep out of each other's way."""
    with Embedded.start(tmp_path_factory.mktemp("valkey")) as running:
        yield running


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory):
    """The address of every stand-in, in a process of its own."""
    command = [sys.executable, "-m", "rehearsal", "--port", "0", "--dir", str(tmp_path_factory.mktemp("stand-ins"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().strip()
        process.terminate()
