"""Every example of the guide to schedules is read, and every claim in its code holds."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from commonwatt.flexibility.instructions import read, table, write
from commonwatt.flexibility.instructions.form import schema
from commonwatt.model import Verb
from flexibility.instructions.schema_check import conforms

GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "schedules.md"
TEXT = GUIDE.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.row("X13")
@pytest.mark.parametrize("block", blocks("json"))
def test_each_document_is_read_and_keeps_the_schema(block: str) -> None:
    found = read(block.encode())
    assert read(write(found.schedule, found.droop)) == found
    assert conforms(json.loads(block), schema())


@pytest.mark.row("X13")
def test_the_code_runs_and_what_it_claims_holds() -> None:
    shared: dict[str, Any] = {}
    for block in blocks("python"):
        exec(compile(block, str(GUIDE), "exec"), shared)


@pytest.mark.row("X2")
def test_the_table_is_read() -> None:
    (block,) = blocks("text")
    car, battery, solar = table.parse(block, datetime(2026, 4, 22, tzinfo=UTC), ZoneInfo("Europe/London"))
    assert [len(one.instructions) for one in (car, battery, solar)] == [4, 1, 2]
    assert car.instructions[0].power_w == 3700
    assert battery.instructions[0].interval.seconds == 1800


def test_the_guide_names_all_six_instructions() -> None:
    assert {f"`{verb.value}`" for verb in Verb} <= set(re.findall(r"`[^`\n]+`", TEXT))
