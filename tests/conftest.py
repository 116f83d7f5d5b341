"""What all tests share: the table of mission rows, and nothing that starts by itself."""

import os
import sys
from collections import defaultdict
from collections.abc import Sequence

import pytest
from hypothesis import settings

from commonwatt.kernels.depth import EVM_DEPTH, bound_depth
from servers.mosquitto import mosquitto  # noqa: F401  a fixture for all
from servers.postgres import postgres  # noqa: F401
from servers.softhsm import soft_token  # noqa: F401
from servers.tpm import tpm  # noqa: F401

# Compiled kernels are linked, or on a fresh checkout compiled, at their first call: that one example takes long.
# Each `make test` tries the same few, so that what passed once passes again; `make nightly` looks for many new ones.
NIGHTLY = bool(os.environ.get("COMMONWATT_NIGHTLY"))
settings.register_profile("compiled", deadline=None, derandomize=not NIGHTLY, max_examples=1_000 if NIGHTLY else 40)
settings.load_profile("compiled")


@pytest.fixture(autouse=True)
def _calls_of_a_usual_depth() -> None:
    """Take back what libraries of chains ask for as tests import them, see `commonwatt.kernels.depth`."""
    if sys.getrecursionlimit() > EVM_DEPTH:
        bound_depth()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rows", action="store_true", help="print mission rows with the tests that show them, run none")
    parser.addoption("--keep-shots", action="store_true", help="keep how the app looks now as how it should look")


def pytest_collection_modifyitems(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    if not config.getoption("--rows"):
        return
    shown: dict[str, list[str]] = defaultdict(list)
    for item in items:
        for mark in item.iter_markers("row"):
            for row in mark.args:
                shown[row].append(item.nodeid.split("[")[0])
    for row in sorted(shown, key=lambda name: (name[0], int(name[1:]))):
        for place, test in enumerate(sorted(set(shown[row]))):
            print(f"{row if place == 0 else '':4} {test}")
