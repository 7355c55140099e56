"""Every promise of Handbill's contract, asked of this package's platform."""

import json
from importlib import resources

import pytest
from handbill_carrier.carrier import Carrier

from publishers import contract

TOLD = json.loads((resources.files("handbill_carrier") / "carrier.json").read_text())
CHECKS = list(contract.checks(contract.Subject("carrier", Carrier, TOLD)))


@pytest.mark.parametrize("check", [pytest.param(c, id=f"{c.promise}: {c.case}") for c in CHECKS])
def test_carrier_keeps_the_contract(check, tmp_path):
    check.run(tmp_path)
