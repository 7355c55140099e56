"""What is installed is what was written: the wheel has every file it needs, and the locks hold every requirement."""

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUN = PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["build"]
DEV = RUN + PROJECT["project"]["optional-dependencies"]["dev"]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def locked(name):
    """Each locked requirement and its hashes; whatever else stands in the file is an error."""
    text = re.sub(r"^#.*\n", "", (ROOT / name).read_text(), flags=re.MULTILINE)
    found = []
    for entry in text.replace("\\\n", "").splitlines():
        requirement, *hashes = re.split(r"\s+--hash=", entry.strip())
        found.append((Requirement(requirement), hashes))
    return found


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_names_no_host_and_pins_everything_by_hash(name):
    text = (ROOT / name).read_text()
    assert "://" not in text
    assert not re.findall(r"index-url|find-links|trusted-host|file:", text)
    for requirement, hashes in locked(name):
        assert [s.operator for s in requirement.specifier] == ["=="], requirement
        assert requirement.url is None
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", h) for h in hashes), requirement


@pytest.mark.parametrize(("name", "wanted"), [("requirements.lock", RUN), ("requirements-dev.lock", DEV)])
def test_a_lock_holds_what_the_project_asks_for_on_every_python(name, wanted):
    for python in PYTHONS:
        environment = {"python_version": python, "python_full_version": f"{python}.5"}
        pins = {
            canonicalize_name(r.name): next(iter(r.specifier)).version
            for r, _ in locked(name)
            if r.marker is None or r.marker.evaluate(environment)
        }
        for requirement in map(Requirement, wanted):
            pin = pins.get(canonicalize_name(requirement.name))
            assert pin is not None, f"{name} lacks {requirement}: run make lock"
            assert requirement.specifier.contains(pin), f"{name} has {requirement.name} {pin}: run make lock"


def test_the_locks_agree_with_each_other():
    run = {(str(r), tuple(h)) for r, h in locked("requirements.lock")}
    assert run <= {(str(r), tuple(h)) for r, h in locked("requirements-dev.lock")}


def test_the_bill_of_materials_is_the_lock(tmp_path):
    """Made as .ci/audit makes it, with no line to anywhere."""
    path = tmp_path / "sbom.json"
    tool = Path(sys.executable).with_name("cyclonedx-py")
    argv = [str(tool), "requirements", "requirements.lock", "--output-reproducible", "--output-file", str(path)]
    assert " ".join(argv[1:4]) in (ROOT / ".ci" / "audit").read_text()
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "PATH": "/usr/bin:/bin"}
    subprocess.run(argv, cwd=ROOT, env=nowhere, check=True, capture_output=True)

    bill = json.loads(path.read_text())
    assert bill["bomFormat"] == "CycloneDX"
    named = {
        (part["purl"], tuple(sorted(h["content"] for r in part["externalReferences"] for h in r["hashes"])))
        for part in bill["components"]
    }
    wanted = {
        (
            f"pkg:pypi/{canonicalize_name(r.name)}@{next(iter(r.specifier)).version}",
            tuple(sorted(h.partition(":")[2] for h in hashes)),
        )
        for r, hashes in locked("requirements.lock")
    }
    assert named == wanted
    assert len(bill["components"]) == len(wanted) > 90


def test_the_build_backend_is_in_the_lock_so_that_installing_fetches_nothing_else():
    backend = [Requirement(r).name for r in PROJECT["build-system"]["requires"]]
    assert backend == ["hatchling"]
    assert "hatchling" in {r.name for r, _ in locked("requirements.lock")}


def test_the_version_is_said_once():
    version = PROJECT["project"]["version"]
    assert str(Version(version)) == version
    assert importlib.metadata.version("handbill") == version


def test_the_wheel_holds_every_module_template_and_font(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == f"handbill-{PROJECT['project']['version']}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
        (entry_points,) = [n for n in packed if n.endswith("entry_points.txt")]
        assert "handbill = worker.cli:main" in archive.read(entry_points).decode()
    written = {
        str(path.relative_to(ROOT))
        for folder in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert written <= packed
    assert any(n.startswith("templates/fonts/") for n in written)
    assert any(n.startswith("templates/pages/") for n in written)
    assert {n.split("/")[0] for n in packed if ".dist-info/" not in n} == {n.split("/")[0] for n in written}
    assert any(n.endswith("licenses/LICENSE") for n in packed)
