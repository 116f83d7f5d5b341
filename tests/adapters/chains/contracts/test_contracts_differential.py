"""Two EVMs that have nothing in common but the rules run the contracts alike, whatever is sent."""

import os

import pytest
from contract_yard import ACCOUNTS, Yard
from evm_machines import Alike, PyEvm, Revm
from random_others import deploy_others
from random_transactions import Writer

from commonwatt.adapters.chains.contracts.artifact import Fork, shipped

NIGHTLY = bool(os.environ.get("COMMONWATT_NIGHTLY"))


PARTS = 4
"""Of the 10,000, or at night 100,000: tests run side by side."""
MANY = (100_000 if NIGHTLY else 10_000) // PARTS


@pytest.mark.parametrize(
    ("fork", "seed", "many"), [*(("cancun", part, MANY) for part in range(PARTS)), ("shanghai", PARTS, 1_000)]
)
def test_py_evm_and_revm_run_random_transactions_alike(fork: Fork, seed: int, many: int) -> None:
    machines = Alike(PyEvm(ACCOUNTS, fork), Revm(ACCOUNTS, fork))
    yard = Yard(machines, fork)
    writer = Writer(yard, seed, deploy_others(yard, shipped()))
    accepted = 0
    for _ in range(many):
        told = machines.send(*writer.write())
        writer.heard(told)
        accepted += told.succeeded
    machines.compare_all()
    # Neither all refused nor none: both would show little.
    assert 0.4 < accepted / many < 0.8
