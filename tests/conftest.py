"""What holds for every test but those of tests/live: nothing outside this machine is spoken to."""

import pytest
import pytest_socket

HERE = ["127.0.0.0/8", "::1", "localhost"]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if item.path.parent.name == "live":  # which is only ever run by somebody who asked for it by name
        return
    pytest_socket.socket_allow_hosts(HERE, allow_unix_socket=True)
