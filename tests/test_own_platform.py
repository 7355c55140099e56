"""A platform from outside: built, installed and asked in an environment of its own; and what the contract finds out."""

import dataclasses
import json
import os
import site
import subprocess
import sys
import time
import venv
from importlib import metadata
from pathlib import Path

import pytest

import publishers
from publishers import contract
from publishers.core.errors import PublishError, Unavailable
from publishers.core.limits import Limits
from publishers.core.post import Receipt

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "examples" / "platform"


def run(*words, cwd, **more):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "HANDBILL"))}
    return subprocess.run(
        words, cwd=cwd, env=environment | more, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """An environment with what this one has, and the sample's wheel, built and installed without a network."""
    folder = tmp_path_factory.mktemp("house")
    built = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=SAMPLE)
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    (places,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (places / "handbill.pth").write_text(f"import site; site.addsitedir({site.getsitepackages()[0]!r})\n")
    target = ("--target", str(places), "--no-index", "--no-deps", "--disable-pip-version-check")
    installed = run(sys.executable, "-m", "pip", "install", *target, str(wheel), cwd=folder)
    assert installed.returncode == 0, installed.stderr

    def handbill(*words):
        return run(str(python), "-m", "worker", *words, cwd=folder, HANDBILL_DATA_DIR=str(folder / "data"))

    return handbill


def test_the_sample_is_a_platform_as_soon_as_it_is_installed(house):
    said = house("accounts", "platforms", "--json")
    assert said.returncode == 0, said.stderr
    rows = {row["platform"]: row for row in json.loads(said.stdout)}
    assert rows["carrier"]["label"] == "Carrier"
    assert [f["name"] for f in rows["carrier"]["settings"]] == ["access_token"]
    assert set(publishers.names()) < set(rows)


def test_the_sample_keeps_the_contract_and_the_command_says_so(house):
    said = house("contract", "handbill_carrier.carrier")
    assert said.returncode == 0, said.stdout + said.stderr
    assert "✓ the same commit again is the same to the byte (2)" in said.stdout
    assert said.stdout.splitlines()[-1].startswith("Carrier keeps all ")
    assert said.stderr == ""


def test_there_is_no_stand_in_for_it_and_the_command_says_so(house):
    said = house("accounts", "add", "carrier", "--rehearsal")
    assert said.returncode == 1
    assert said.stderr == (
        "Carrier has no rehearsal: the package that added it brings no stand-in. Leave --rehearsal out\n"
    )


# What the contract finds out


@pytest.fixture
def carrier(monkeypatch):
    monkeypatch.syspath_prepend(SAMPLE)
    kind = publishers.adapter("handbill_carrier.carrier")
    return kind, json.loads((SAMPLE / "handbill_carrier" / "carrier.json").read_text())


def broken(kind, told, folder):
    """The promises that are not kept."""
    found = set()
    for number, check in enumerate(contract.checks(contract.Subject("carrier", kind, told))):
        (folder / str(number)).mkdir()
        try:
            check.run(folder / str(number))
        except Exception:  # noqa: BLE001 - as the command does: whatever an adapter does is a finding
            found.add(check.promise)
    return found


def test_the_sample_as_it_is_breaks_nothing(carrier, tmp_path):
    assert broken(*carrier, tmp_path) == set()


def forgetful(kind):
    """No key: a repeat is another post."""

    class Forgetful(kind):
        def create(self, post, commit):
            return super().create(post, dataclasses.replace(commit, key=""))

    return Forgetful


def hasty(kind):
    """A request that may be repeated where the irreversible one should be."""

    class Hasty(kind):
        def commit(self, *words, **request):
            return self.call(*words, **request)

    return Hasty


def stubborn(kind):
    """Tries once more by itself."""

    class Stubborn(kind):
        def create(self, post, commit):
            try:
                return super().create(post, commit)
            except Unavailable:
                return super().create(post, commit)

    return Stubborn


def loud(kind):
    """The token in the address."""

    class Loud(kind):
        def connect(self):
            self.call("GET", f"/v1/me?token={self.settings['access_token']}")
            return super().connect()

    return Loud


def silent(kind):
    """A warning left out."""

    class Silent(kind):
        def create(self, post, commit):
            return super().create(dataclasses.replace(post, warning=""), commit)

    return Silent


def gullible(kind):
    """Any answer is a receipt."""

    class Gullible(kind):
        def create(self, post, commit):
            try:
                return super().create(post, commit)
            except PublishError:
                return Receipt(id="?")

    return Gullible


def dreamer(kind):
    """Declares what it cannot do."""

    class Dreamer(kind):
        limits = Limits(text=0, counting="feet", media=99)

    return Dreamer


def sleeper(kind):
    """Waits by itself."""

    class Sleeper(kind):
        def connect(self):
            time.sleep(1)
            return super().connect()

    return Sleeper


@pytest.mark.parametrize(
    ("defect", "promise"),
    [
        (forgetful, "the key is the steps and not the trys"),
        (hasty, "a post is sent as written with one commit that comes last"),
        (hasty, "a lost answer is unconfirmed after a commit and harmless before"),
        (stubborn, "what was never sent is unavailable"),
        (loud, "no secret is in an address"),
        (loud, "connecting reads and tells who we are"),
        (silent, "a warning that the platform cannot show is never left out"),
        (gullible, "every answer to a commit says what may happen next"),
        (gullible, "an answer that cannot be read is unconfirmed after a commit and never before"),
        (dreamer, "what is declared makes sense"),
        (sleeper, "connecting reads and tells who we are"),
    ],
)
def test_a_defect_breaks_the_promise_that_it_should(defect, promise, carrier, tmp_path):
    kind, told = carrier
    assert promise in broken(defect(kind), told, tmp_path)


def test_a_fixture_that_leaves_something_out_is_found_out(carrier, tmp_path):
    kind, told = carrier
    told["delete"] = []
    assert broken(kind, told, tmp_path) == {"a fixture shows everything the adapter can and nothing it cannot"}


# Packages that cannot be taken


@pytest.fixture
def points(monkeypatch):
    """Install entry points, for as long as the test runs."""

    def install(**given):
        made = [metadata.EntryPoint(name, value, publishers.GROUP) for name, value in given.items()]
        monkeypatch.setattr(metadata, "entry_points", lambda *, group: made if group == publishers.GROUP else [])
        publishers.forget()

    yield install
    monkeypatch.undo()
    publishers.forget()


def test_a_package_takes_no_name_that_is_taken_and_breaks_nothing(points, monkeypatch):
    own = publishers.names()
    telegram = publishers.load("telegram")
    monkeypatch.syspath_prepend(SAMPLE)
    points(
        telegram="handbill_carrier.carrier",
        carrier="handbill_carrier.carrier",
        gone="no.such.module",
        empty="publishers.core.errors",
    )
    assert set(publishers.names()) == {*own, "carrier"}
    assert publishers.load("carrier").label == "Carrier"
    assert publishers.load("telegram") is telegram
    assert {name.partition(" ")[0]: why.partition(": ")[2] for name, why in publishers.left_out().items()} == {
        "telegram": "there is a platform of this name already",
        "gone": "no.such.module cannot be used (ModuleNotFoundError: No module named 'no')",
        "empty": "publishers.core.errors cannot be used "
        "(ImportError: publishers.core.errors has no class that extends Publisher)",
    }
