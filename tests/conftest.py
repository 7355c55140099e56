"""What holds for every test: nothing outside this machine is spoken to."""

import pytest
import pytest_socket

HERE = ["127.0.0.0/8", "::1", "localhost"]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    pytest_socket.socket_allow_hosts(HERE, allow_unix_socket=True)
