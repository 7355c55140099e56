"""Every image that is named has a version, and gets the digest that its registry tells where that can be asked."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
spec = importlib.util.spec_from_file_location("pin", ROOT / "deploy" / "pin.py")
pin = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pin)

ONE, OTHER = f"sha256:{'1a' * 32}", f"sha256:{'2b' * 32}"


def test_every_image_is_found_and_of_a_certain_version():
    found = [name for path in pin.files(ROOT) for name, _ in pin.images(path.read_text())]
    lines = [x for p in pin.files(ROOT) for x in p.read_text().splitlines() if x.strip().startswith(("FROM", "image:"))]
    assert len(found) == len([x for x in lines if "handbill" not in x]) > 5
    assert [name for name in found if pin.loose(name)] == []
    assert pin.loose("valkey/valkey")
    assert pin.loose("rabbitmq:latest")


def test_digests_are_written_behind_names_and_renewed_and_what_is_built_here_has_none():
    text = (
        f"FROM python:3.13-slim AS build\nFROM python:3.13-slim@{OTHER}\n  image: valkey/valkey:9.1\n"
        "      - image: rabbitmq:4.1 # quorum queues\n  image: handbill\n    image: handbill:0.1.0\n# FROM nothing:1\n"
    )
    asked = []
    made = pin.pinned(text, lambda name: asked.append(name) or ONE)
    assert made == (
        f"FROM python:3.13-slim@{ONE} AS build\nFROM python:3.13-slim@{ONE}\n  image: valkey/valkey:9.1@{ONE}\n"
        f"      - image: rabbitmq:4.1@{ONE} # quorum queues\n  image: handbill\n    image: handbill:0.1.0\n# FROM nothing:1\n"
    )
    assert set(asked) == {"python:3.13-slim", "valkey/valkey:9.1", "rabbitmq:4.1"}
    assert {digest for _, digest in pin.images(made)} == {ONE}


@pytest.mark.parametrize("said", [f"{ONE}\n", f'"{ONE}"', f"Name: x\nDigest:    {ONE}\n"])
def test_the_digest_is_read_from_what_either_tool_prints(said):
    assert pin.read(said) == ONE


@pytest.mark.parametrize("said", ["", "unknown flag", "sha256:abc", f"{ONE} {OTHER}"])
def test_what_is_no_digest_is_written_nowhere(said):
    with pytest.raises(ValueError, match="no digest"):
        pin.read(said)


@pytest.mark.parametrize("tool", ["docker", "skopeo"])
def test_a_registry_is_asked_by_whichever_tool_there_is(tool, tmp_path, monkeypatch):
    script = tmp_path / tool
    script.write_text(
        f'#!/bin/sh\ncase "$*" in *valkey/valkey:9.1*) echo {ONE};; *) echo "not known" >&2; exit 1;; esac\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert pin.asked("valkey/valkey:9.1") == ONE
    with pytest.raises(SystemExit, match=r"nothing:1 cannot be looked up: .* says: not known"):
        pin.asked("nothing:1")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit, match="neither docker nor skopeo"):
        pin.asked("valkey/valkey:9.1")


def test_whoever_looks_is_told_what_has_no_digest_until_it_has_one(tmp_path):
    (tmp_path / "deploy").mkdir()
    shutil.copy(ROOT / "deploy" / "pin.py", tmp_path / "deploy")
    (tmp_path / "Dockerfile").write_text(f"FROM python:3.13-slim@{ONE}\n")
    (tmp_path / "docker-compose.yml").write_text(
        "services:\n  state:\n    image: valkey/valkey:9.1\n  web:\n    image: handbill\n"
    )
    tool = tmp_path / "skopeo"
    tool.write_text(f"#!/bin/sh\necho {OTHER}\n")
    tool.chmod(0o755)

    def run(*words):
        argv, env = [sys.executable, tmp_path / "deploy" / "pin.py", *words], {"PATH": str(tmp_path)}
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=env)
        return done.returncode, done.stdout.splitlines(), done.stderr

    first = f"Dockerfile: python:3.13-slim {ONE}"
    assert run("--check") == (1, [first, "docker-compose.yml: valkey/valkey:9.1 has no digest"], "")
    assert run() == (0, [f"python:3.13-slim@{OTHER}", f"valkey/valkey:9.1@{OTHER}"], "")
    said = [first.replace(ONE, OTHER), f"docker-compose.yml: valkey/valkey:9.1 {OTHER}"]
    assert run("--check") == (0, said, "")


def test_the_files_of_this_copy_are_looked_at_too():
    found = [(name, digest) for path in pin.files(ROOT) for name, digest in pin.images(path.read_text())]
    done = subprocess.run(
        [sys.executable, "deploy/pin.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    said = [line.partition(": ")[2].split(" ", 1) for line in done.stdout.splitlines()]
    assert said == [[name, digest or "has no digest"] for name, digest in found]
    assert done.returncode == (1 if any(not digest for _, digest in found) else 0)
