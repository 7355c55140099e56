"""How the tests get a real Bluesky server: installed once from npm with exact versions, started on 127.0.0.1, ended."""

import contextlib
import hashlib
import json
import os
import platform
import shutil
import socket
import subprocess
import tempfile
import threading
import urllib.request
from pathlib import Path

from tests.servers.installed import SECONDS, kept

HERE = Path(__file__).parent / "pds"
NODE = "22.23.3"  # the server asks for 22, and an npm package carries it with the headers better-sqlite3 needs
SYSTEMS = {"Linux": "linux", "Darwin": "darwin"}
MACHINES = {"x86_64": "x64", "AMD64": "x64", "aarch64": "arm64", "arm64": "arm64"}
QUIET = ("--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error")
START_SECONDS = 60


def missing():
    """Why the server cannot be had on this machine; empty if it can."""
    if shutil.which("npm") is None:
        return "npm is not on PATH"
    if platform.system() not in SYSTEMS or platform.machine() not in MACHINES:
        return f"npm has no Node for {platform.system()} on {platform.machine()}"
    return ""


def installed():
    """The folder with the server and its Node, installed now if it is not there yet."""
    wanted = (HERE / "package.json").read_bytes() + NODE.encode()
    with kept(f"pds-{hashlib.sha256(wanted).hexdigest()[:12]}") as (folder, there):
        if not there:
            _install(folder)
    return folder


def _install(folder):
    node = folder / "node"
    node.mkdir(exist_ok=True)
    (node / "package.json").write_text('{"private": true}')
    _npm(node, f"{_node()}@{NODE}")
    shutil.copy(HERE / "package.json", folder)
    home = node / "node_modules" / _node()
    path = f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"
    # A store of a few posts needs no optimised SQLite, which takes a minute of a core to build.
    _npm(folder, path=path, npm_config_nodedir=str(home), CFLAGS="-O0", CXXFLAGS="-O0", JOBS="max")


def _node():
    return f"node-{SYSTEMS[platform.system()]}-{MACHINES[platform.machine()]}"


def _npm(folder, *packages, path=None, **environment):
    subprocess.run(
        ["npm", "install", *QUIET, *packages],
        cwd=folder,
        env={**os.environ, **environment, "PATH": path or os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        check=True,
        timeout=SECONDS,
    )


def _ports(count):
    with contextlib.ExitStack() as stack:
        return [stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(count)]


@contextlib.contextmanager
def running():
    """The address of a fresh server without any account; it is ended and forgotten afterwards."""
    folder = installed()
    shutil.copy(HERE / "start.mjs", folder)
    port, directory = _ports(2)
    with tempfile.TemporaryDirectory() as data, (Path(data) / "log").open("w+") as log:
        node = folder / "node" / "node_modules" / _node() / "bin" / "node"
        command = [node, "start.mjs", str(port), str(directory), data]
        environment = {**os.environ, "LOG_ENABLED": "false", "NODE_ENV": "production"}
        with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=log) as server:
            try:
                _await(server, log)
                yield f"http://localhost:{port}"
            finally:
                server.kill()


def _await(server, log):
    late = threading.Timer(START_SECONDS, server.kill)
    late.start()
    said = server.stdout.readline().strip()
    late.cancel()
    if said != b"ready":
        log.seek(0)
        raise RuntimeError(f"the Bluesky server did not start: {log.read()[-2000:]}")


def call(server, method, told, token=""):
    """One call of the server's own interface by somebody who is not Handbill; returns its answer."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(f"{server}/xrpc/{method}", json.dumps(told).encode(), headers)
    with urllib.request.urlopen(request, timeout=START_SECONDS) as answer:
        return json.load(answer)
