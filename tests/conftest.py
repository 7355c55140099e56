"""What holds for every test: nothing outside this machine is spoken to, nothing is left otherwise than it was found,
and properties are tried with the same examples each day, with others at night.

Those of tests/live may speak to the outside.
"""

import os
import signal
import subprocess
import sys
from copy import copy
from pathlib import Path

import pytest
import pytest_socket
import structlog
from hypothesis import HealthCheck, settings

from worker.embedded import Embedded

OURS = {"worker", "web", "publishers", "rehearsal", "bench"}
REMEMBER = {"worker.log._SECRETS", "worker.model._ADAPTERS"}
"""What may grow: the more secrets are known, the less is logged, and how a class is read depends on nothing else."""
STANDING = {}
SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM, signal.SIGCHLD}

HERE = ["127.0.0.0/8", "::1", "localhost"]

DEAREST = [
    *("test_changes", "test_chaos", "test_desk", "test_demo", "test_accounts_page", "test_keeping", "test_every_page"),
    *("test_pages", "test_web", "test_change_after_change", "test_cards", "test_clicks", "test_reading", "test_access"),
]
"""Files that take longest, which two processes share best when they begin with them."""


# A machine that is busy for 200 ms proves nothing.
settings.register_profile("everyday", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "searching", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
settings.load_profile("everyday")


def pytest_addoption(parser):
    parser.addoption(
        "--properties", type=int, default=0, help="tests of properties alone, each with so many times more"
    )


def pytest_collection_modifyitems(config, items):
    if times := config.getoption("--properties"):
        items[:] = [item for item in items if getattr(item.obj, "is_hypothesis_test", False)]
        for test in {item.obj for item in items}:
            how = test._hypothesis_internal_use_settings
            test._hypothesis_internal_use_settings = settings(how, max_examples=how.max_examples * times)
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


def standing():
    """What every test file finds and must leave: the environment, the folder, the signals, and what our modules hold."""
    mine = [m for name, m in sorted(sys.modules.items()) if name.partition(".")[0] in OURS and m is not None]
    things = {f"{m.__name__}.{name}": value for m in mine for name, value in vars(m).items()}
    for place, thing in list(things.items()):
        if isinstance(thing, type) and thing.__module__ == place.rpartition(".")[0]:
            things |= {f"{place}.{name}": value for name, value in vars(thing).items() if not name.startswith("__")}
    for place in REMEMBER:
        things.pop(place, None)
    told = {place: copy(v) if isinstance(v, dict | list | set) else v for place, v in things.items()}
    told |= {f"${name}": value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    return told | {
        "folder": str(Path.cwd()),
        **{s.name: signal.getsignal(s) for s in SIGNALS},
    }


def same(before, now):
    before, now = (getattr(thing, "__func__", thing) for thing in (before, now))
    return before is now or (isinstance(before, str | int | float | dict | list | set) and before == now)


@pytest.fixture(scope="module", autouse=True)
def leaves_all_as_it_was():
    """A test that changed what others rely on would fail them, and only where one process runs both."""
    before = dict(STANDING) or standing()
    yield
    now = standing()
    STANDING.clear()
    STANDING.update(now)
    left = [p for p in before if p not in now or not same(before[p], now[p])]
    left += [p for p in now.keys() - before.keys() if p.startswith("$")]
    assert not left, f"left otherwise than found: {', '.join(sorted(left))}"


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
