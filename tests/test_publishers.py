"""What every adapter must keep: publishers/contract asks it of each of ours (publishers/README.md says how)."""

import pytest

import publishers
from publishers import contract
from tests.contract import described, subject

CHECKS = [
    (name, check) for name in described() if name in publishers.names() for check in contract.checks(subject(name))
]


def test_every_platform_has_a_fixture_and_every_fixture_a_platform():
    assert described() == list(publishers.names())


@pytest.mark.parametrize("check", [pytest.param(c, id=f"{n}: {c.promise}: {c.case}".rstrip(": ")) for n, c in CHECKS])
def test_every_adapter_keeps_the_contract(check, tmp_path):
    check.run(tmp_path)
