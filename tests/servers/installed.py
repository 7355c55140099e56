"""How a real server is had for the tests: installed once, kept between runs, and if it cannot be had, said why."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CI = os.environ.get("CI") == "true"
SECONDS = 900


@contextlib.contextmanager
def kept(name):
    """The folder that is kept under this name, and whether it was filled before; what fills it is waited for."""
    home = Path(os.environ.get("HANDBILL_TEST_CACHE") or Path.home() / ".cache" / "handbill-tests")
    folder = home / name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        there = (folder / ".done").exists()
        yield folder, there
        (folder / ".done").touch()


def from_pypi(wanted, *options):
    """The Python that has this distribution, such as ``name==1.2``, in an environment of its own."""
    with kept(f"{wanted.replace('==', '-')}-{sys.version_info.major}.{sys.version_info.minor}") as (folder, there):
        python = folder / "venv" / "bin" / "python"
        if not there:
            shutil.rmtree(folder / "venv", ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True, timeout=SECONDS)
            command = [python, "-m", "pip", "install", "--quiet", *options, wanted]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=SECONDS)
    return python


@contextlib.contextmanager
def served(server, label):
    """The address of a server that runs as long as the tests do; they are skipped where it cannot be had, but not in CI."""
    if hasattr(server, "missing") and (why := server.missing()) and not CI:
        pytest.skip(why)
    try:
        server.installed()
    except subprocess.SubprocessError as error:
        if CI:
            raise
        pytest.skip(f"{label} could not be installed ({error})")
    with server.running() as address:
        yield address
