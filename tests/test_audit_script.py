"""The audit finds what nobody excused, excuses that are for nothing, and says so where it could not look."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "audit.py"


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("commonwatt_audit", SCRIPT)
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found  # dataclasses look for their module there
    spec.loader.exec_module(found)
    return found


def report(*found: tuple[str, str, int]) -> dict[str, Any]:
    """Return what bandit tells of tests, files and lines."""
    return {
        "results": [
            {
                "test_id": test,
                "filename": f"/x/src/commonwatt/{file}",
                "line_range": [line, line + 1],
                "issue_text": "!",
            }
            for test, file, line in found
        ]
    }


LINES = [
    "execute(",
    '    f"SELECT {x}"  # noqa: S608  our own',
    "run(words)  # noqa: S603, E501  our own",
    "run(more)",
    "",
]


def test_what_is_excused_on_its_line_or_by_name_is_no_finding_and_all_else_is(audit: ModuleType) -> None:
    found = audit.read_bandit(
        report(("B608", "a.py", 1), ("B603", "a.py", 3), ("B603", "a.py", 4), ("B101", "b.py", 1), ("B413", "b.py", 1))
    )
    excused = {("B101", "*"): "why", ("B413", "c.py"): "why"}
    assert list(audit.judge(found, lambda file: LINES, excused)) == [
        "src/commonwatt/a.py:4: B603 !",
        "src/commonwatt/b.py:1: B413 !",
        "scripts/audit.py: B413 in c.py is excused, and not there",
    ]


def test_a_vulnerability_is_told_with_what_mends_it_and_one_that_is_excused_is_not(audit: ModuleType) -> None:
    told = {
        "dependencies": [
            {
                "name": "x",
                "version": "1",
                "vulns": [{"id": "A-1", "fix_versions": ["2"]}, {"id": "A-2", "fix_versions": []}],
            },
            {"name": "y", "version": "3", "vulns": []},
        ]
    }
    assert audit.read_pip_audit(told, {}) == [
        "x 1: A-1, mended in 2",
        "x 1: A-2, mended in no version",
    ]
    assert audit.read_pip_audit(told, {"A-1": "why", "A-2": "why"}) == []


def test_packages_that_nobody_could_look_at_are_not_packages_without_fault(audit: ModuleType) -> None:
    told = {"dependencies": [{"name": "x", "skip_reason": "not found"}, {"name": "y", "version": "3", "vulns": []}]}
    assert audit.read_pip_audit(told, {}) is None


def test_every_excuse_says_why(audit: ModuleType) -> None:
    assert all(len(why) > 10 for why in [*audit.EXCUSED.values(), *audit.VULNERABLE.values()])
