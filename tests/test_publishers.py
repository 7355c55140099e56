"""What every adapter must keep: publishers/contract asks it of each of ours (publishers/README.md says how)."""

import itertools

import pytest

import publishers
from publishers import contract
from tests.contract import described, subject

PROMISED = [
    pytest.param(list(checks), subject(name).transport == "folder", id=f"{name}: {promise}")
    for name in described()
    if name in publishers.names()
    for promise, checks in itertools.groupby(contract.checks(subject(name)), key=lambda check: check.promise)
]


def test_every_platform_has_a_fixture_and_every_fixture_a_platform():
    assert described() == list(publishers.names())


@pytest.mark.parametrize(("checks", "keeps"), PROMISED)
def test_every_adapter_keeps_the_contract(checks, keeps, tmp_path):
    """One promise of one adapter, asked of every case; a failure names its case."""
    for number, check in enumerate(checks):
        folder = tmp_path / str(number) if keeps else tmp_path
        folder.mkdir(exist_ok=True)
        try:
            check.run(folder)
        except Exception as error:
            error.add_note(f"in the case {check.case or 'of the adapter as a whole'}")
            raise
