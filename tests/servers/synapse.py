"""How the tests get a real Matrix homeserver: Synapse, installed once from PyPI, started on 127.0.0.1, ended."""

import contextlib
import hashlib
import hmac
import json
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.servers.installed import from_pypi

WANTED = "matrix-synapse==1.163.2"
HOST = "paper.test"
PASSWORD = "a password of the tests"
SHARED = "the registration secret of the tests"
START_SECONDS = 90
NONE = {"per_second": 1000, "burst_count": 1000}
LOUD = """version: 1
handlers: {out: {class: logging.StreamHandler}}
root: {level: WARNING, handlers: [out]}
disable_existing_loggers: false
"""


def installed():
    """The Python that has the server, installed now if it is not there yet."""
    return from_pypi(WANTED, "--only-binary=:all:")


@contextlib.contextmanager
def running():
    """The address of a fresh server without any account; it is ended and forgotten afterwards."""
    python = installed()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as data, (Path(data) / "said").open("w+") as said:
        told = _configuration(Path(data), port)
        command = [python, "-m", "synapse.app.homeserver", "--config-path", told]
        subprocess.run([*command, "--generate-keys"], check=True, timeout=START_SECONDS, stdout=said, stderr=said)
        with subprocess.Popen(command, cwd=data, stdout=said, stderr=said) as server:
            try:
                address = f"http://127.0.0.1:{port}"
                _await(server, address, said)
                yield address
            finally:
                server.kill()


def _configuration(data, port):
    (data / "log.yaml").write_text(LOUD)
    resources = [{"names": ["client", "federation"], "compress": False}]
    listener = {"port": port, "type": "http", "tls": False, "bind_addresses": ["127.0.0.1"], "resources": resources}
    limits = ("rc_message", "rc_registration", "rc_joins_per_room", "rc_media_create")
    told = {
        "server_name": HOST,
        "report_stats": False,
        "listeners": [listener],
        "database": {"name": "sqlite3", "args": {"database": str(data / "homeserver.db")}},
        "media_store_path": str(data / "media"),
        "signing_key_path": str(data / "signing.key"),
        "log_config": str(data / "log.yaml"),
        "registration_shared_secret": SHARED,
        "macaroon_secret_key": SHARED,
        "form_secret": SHARED,
        "trusted_key_servers": [],
        "federation_domain_whitelist": [],
        "max_upload_size": "1M",
        "rc_login": {"address": NONE, "account": NONE, "failed_attempts": NONE},
        "rc_joins": {"local": NONE, "remote": NONE},
        "rc_invites": {"per_room": NONE, "per_user": NONE, "per_issuer": NONE},
        **dict.fromkeys(limits, NONE),
    }
    (data / "homeserver.yaml").write_text(json.dumps(told))  # JSON is YAML
    return data / "homeserver.yaml"


def _await(server, address, said):
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{address}/health", timeout=5).close()
            return
        time.sleep(0.2)
    said.seek(0)
    raise RuntimeError(f"Synapse did not start: {said.read()[-2000:]}")


def call(server, method, path, told=None, token=""):
    """One call of the server's own interface by somebody who is not Handbill; returns its answer."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    body = None if told is None else json.dumps(told).encode()
    request = urllib.request.Request(server + path, body, headers, method=method)
    with urllib.request.urlopen(request, timeout=START_SECONDS) as answer:
        return json.load(answer)


def register(server, name):
    """A new account: its name and the token of its first session."""
    path = "/_synapse/admin/v1/register"
    nonce = call(server, "GET", path)["nonce"]
    words = f"{nonce}\0{name}\0{PASSWORD}\0notadmin"
    mac = hmac.new(SHARED.encode(), words.encode(), hashlib.sha1).hexdigest()
    made = {"nonce": nonce, "username": name, "password": PASSWORD, "admin": False, "mac": mac}
    told = call(server, "POST", path, made)
    return told["user_id"], told["access_token"]


def login(server, name):
    """Another session of the same account: its token."""
    given = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": name},
        "password": PASSWORD,
    }
    return call(server, "POST", "/_matrix/client/v3/login", given)["access_token"]
