"""Benchmarks are listed and run where there are any, and a copy without them says so."""

from pathlib import Path

import pytest

from commonwatt.apps.benching import figures, measure
from commonwatt.model import Refused

PROGRAM = """
import sys
if "BAD" in sys.argv:
    print("a pile of words", file=sys.stderr)
    print("no such figure: BAD", file=sys.stderr)
    sys.exit(2)
for name in sys.argv[1:]:
    print('{"id":"%s","value":2.5,"unit":"s","limit":5.0,"share":0.5,"conditions":{}}' % name)
if len(sys.argv) == 1:
    print("P1     Plan a million.")
    print("P4-METER Plan with a meter.")
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "__init__.py").write_text("")
    (tmp_path / "benchmarks" / "__main__.py").write_text(PROGRAM)
    return tmp_path


def test_figures_are_listed_by_name(checkout: Path) -> None:
    assert figures(checkout) == {"P1": "Plan a million.", "P4-METER": "Plan with a meter."}


def test_figures_are_measured_in_order(checkout: Path) -> None:
    assert [one["id"] for one in measure(["P4-METER", "P1"], checkout)] == ["P4-METER", "P1"]


def test_what_the_benchmarks_refuse_is_said_in_their_last_words(checkout: Path) -> None:
    with pytest.raises(Refused) as said:
        measure(["BAD"], checkout)
    assert said.value.found == {"says": "no such figure: BAD", "code": 2}


def test_a_package_without_its_source_says_so(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="from a checkout"):
        figures(tmp_path)
