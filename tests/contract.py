"""Our own adapters and their fixtures, as the contract takes them."""

import functools
import json
from pathlib import Path

import publishers
from publishers.contract import Subject

FIXTURES = Path(__file__).parent / "fixtures" / "publishers"


@functools.cache
def fixture(name):
    return json.loads((FIXTURES / f"{name}.json").read_text())


def described():
    return sorted(path.stem for path in FIXTURES.glob("*.json"))


@functools.cache
def subject(name):
    return Subject(name, publishers.load(name), fixture(name))
