"""What holds for every test: nothing outside this machine is spoken to, and nobody logs to where a test before it did.

Those of tests/live may speak to the outside.
"""

import pytest
import pytest_socket
import structlog

HERE = ["127.0.0.0/8", "::1", "localhost"]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    log = getattr(structlog.get_config()["logger_factory"], "_file", None)
    if log is not None and log.closed:  # the stderr of a test that ran a command in this process
        structlog.reset_defaults()
    if item.path.parent.name == "live":  # which is only ever run by somebody who asked for it by name
        return
    pytest_socket.socket_allow_hosts(HERE, allow_unix_socket=True)
