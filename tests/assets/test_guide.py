"""The guide's example of a new kind is short, runs, and keeps what it promises."""

import re
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from assets.agreement import agrees
from commonwatt.flexibility.checking.check import violations
from commonwatt.flexibility.exact.solve import solve
from commonwatt.flexibility.problem import Problem
from commonwatt.model import AssetId
from flexibility.problems import START

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "assets.md"
EXAMPLE = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)[0]
TOWER: dict[str, Any] = {}
exec(compile(EXAMPLE, str(GUIDE), "exec"), TOWER)
SLOTS = 12


@given(st.integers(0, 12_000), st.lists(st.integers(0, 400), min_size=SLOTS, max_size=SLOTS), st.lists(st.booleans()))
def test_a_new_kind_in_one_file_steps_as_its_envelope_says(level: int, drunk: list[int], on: list[bool]) -> None:
    envelope = TOWER["envelope"](AssetId("tower"), "z", level, drunk)
    powers = [3_000 if is_on else 0 for is_on in [*on, *[False] * SLOTS][:SLOTS]]
    agrees(envelope, powers, lambda now, slot, power: TOWER["step"](now, power, drunk[slot]))


def test_a_new_kind_is_planned_and_checked_like_any_other() -> None:
    envelope = TOWER["envelope"](AssetId("tower"), "z", 2_300, [250] * SLOTS)
    prices = (300_000,) * 4 + (100_000,) * 4 + (300_000,) * 4
    asked = Problem(start=START, envelopes=(envelope,), import_price=prices, export_price=(0,) * SLOTS)
    found = solve(asked)
    assert violations(asked, found) == []
    assert found.power_w["tower"][4:8] == (3_000,) * 4


def test_the_example_is_about_twenty_lines() -> None:
    lines = [line for line in EXAMPLE.splitlines() if line.strip()]
    assert len(lines) <= 22


def test_the_guide_names_every_kind() -> None:
    kinds = {path.stem for path in (GUIDE.parents[2] / "src/commonwatt/assets").glob("*.py")}
    named = set(re.findall(r"`(\w+)`", GUIDE.read_text(encoding="utf-8")))
    assert kinds - {"__init__", "levels", "thermal"} <= named
