"""Files of tests are imported by their bare names, beside everything that is installed."""

import sys
from collections import Counter
from importlib.metadata import packages_distributions
from pathlib import Path

TESTS = Path(__file__).parent


def test_no_file_of_tests_hides_a_package_or_another_file_of_tests() -> None:
    # A process that a test starts has the test folders on its path first, and would import ours for theirs.
    # Peers run in environments of their own.
    files = [file for file in TESTS.rglob("*.py") if file.stem != "conftest" and TESTS / "peers" not in file.parents]
    named = Counter(file.stem for file in files)
    taken = (packages_distributions().keys() | sys.stdlib_module_names) - {"tests"}
    assert sorted(named.keys() & taken) == []
    assert [name for name, times in named.items() if times > 1] == []
