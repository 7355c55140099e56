"""How the tests get a real relay: nostr-relay, installed once from PyPI, started on 127.0.0.1, ended."""

import contextlib
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from tests.servers.installed import from_pypi

WANTED = "nostr-relay==1.14"
START_SECONDS = 60
TOLD = """relay_name: a relay of the tests
storage:
  sqlalchemy.url: sqlite+aiosqlite:///{data}/nostr.sqlite3
  validators:
    - nostr_relay.validators.is_not_too_large
    - nostr_relay.validators.is_signed
    - nostr_relay.validators.is_recent
verification: {{nip05_verification: disabled}}
gunicorn: {{bind: "127.0.0.1:{port}", workers: 1, loglevel: error}}
purple: {{host: 127.0.0.1, port: {port}, workers: 1, disable_compression: true}}
authentication: {{enabled: false}}
message_timeout: 60
oldest_event: 31536000
"""


def installed():
    """The command that is the relay, installed now if it is not there yet."""
    return from_pypi(WANTED).with_name("nostr-relay")


@contextlib.contextmanager
def running():
    """The address of a fresh relay without any event; it is ended and forgotten afterwards."""
    relay = installed()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as data:
        told = Path(data) / "relay.yaml"
        told.write_text(TOLD.format(data=data, port=port))
        with (Path(data) / "said").open("w+") as said:
            process = subprocess.Popen([relay, "-c", told, "serve"], cwd=data, stdout=said, stderr=said)
            try:
                _await(port, process, said)
                yield f"ws://127.0.0.1:{port}"
            finally:
                process.terminate()
                process.wait(20)


def _await(port, process, said):
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        asked = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Accept": "application/nostr+json"})
        with contextlib.suppress(OSError), urllib.request.urlopen(asked, timeout=2):
            return
        time.sleep(0.2)
    said.seek(0)
    raise AssertionError(f"the relay did not start: {said.read()[-2000:]}")
