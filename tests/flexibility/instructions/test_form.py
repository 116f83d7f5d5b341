"""The open format says exactly what a schedule says, is published as it is read, and refuses all else in words."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.flexibility.instructions import FORMAT, Written, read, write
from commonwatt.flexibility.instructions.form import schema
from commonwatt.model import Armed, InvalidValue, Refused, Schedule
from flexibility.instructions.schedules import NOON, armed, schedules
from flexibility.instructions.schema_check import conforms

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
EXAMPLES = sorted((REFERENCE / "examples").glob("*.json"))
PLAIN: dict[str, Any] = {
    "format": FORMAT,
    "asset": "car-01",
    "issued": "2026-04-23T08:00:00Z",
    "instructions": [
        {"verb": "START CHARGE", "start": "2026-04-23T09:05:00Z", "end": "2026-04-23T10:05:00Z", "power_w": 7400},
        {"verb": "STOP CHARGE", "start": "2026-04-23T10:05:00Z", "end": "2026-04-23T11:05:00Z", "power_w": 0},
    ],
}
CURVE = {"until": "2026-04-23T12:00:00Z", "nominal_mhz": 50_000, "deadband_mhz": 15, "points": [[-200, -7400]]}


def changed(path: list[str | int], value: object) -> dict[str, Any]:
    document: Any = json.loads(json.dumps({**PLAIN, "droop": CURVE}))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return dict(document)


@pytest.mark.row("X13")
@given(schedules(), st.none() | armed())
def test_what_is_written_is_read_back_exactly(schedule: Schedule, droop: Armed | None) -> None:
    try:
        content = write(schedule, droop)
    except InvalidValue:
        assert any("\ud800" <= letter <= "\udfff" for entry in schedule.instructions for letter in entry.reason)
        return
    assert read(content) == Written(schedule=schedule, droop=droop)
    assert conforms(json.loads(content), schema())


@pytest.mark.row("X13")
def test_the_published_schema_is_what_is_read() -> None:
    published = (REFERENCE / "schedule-1.schema.json").read_text(encoding="utf-8")
    assert published == json.dumps(schema(), indent=2) + "\n", "publish json.dumps(schema(), indent=2) and a line break"


@pytest.mark.row("X13")
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_published_example_is_read_and_written_alike(path: Path) -> None:
    content = path.read_bytes()
    found = read(content)
    assert write(found.schedule, found.droop) == content
    assert conforms(json.loads(content), schema())


def test_there_are_examples_with_each_of_what_the_format_can_say() -> None:
    assert len(EXAMPLES) >= 3
    told = " ".join(path.read_text(encoding="utf-8") for path in EXAMPLES)
    for word in ("START CHARGE", "STOP CHARGE", "SUPPLY", "STOP SUPPLY", "REDUCE RATE", "INCREASE RATE", "balance_w"):
        assert word in told
    assert "droop" in told


@pytest.mark.row("X13")
@pytest.mark.parametrize("version", ["commonwatt-schedule/2", "commonwatt-schedule/17.3", "commonwatt-schedule/0"])
def test_another_major_version_is_refused_in_words(version: str) -> None:
    with pytest.raises(Refused, match="this version of the format is not known here") as refused:
        read(json.dumps({"format": version, "whatever": []}).encode())
    assert refused.value.found == {"format": version, "known": FORMAT}


def test_a_later_minor_version_is_read_and_what_it_adds_is_passed_over() -> None:
    later = {**PLAIN, "format": f"{FORMAT}.7", "mood": "fine"}
    assert read(json.dumps(later).encode()) == read(json.dumps(PLAIN).encode())
    assert conforms(later, schema())


WRONG: list[tuple[list[str | int], object, str, bool]] = [
    (["format"], "ocpp/1", "not the open format of schedules", False),
    (["format"], 1, "Expected `str`", False),
    (["asset"], "my car", "matching regex", False),
    (["asset"], "car\n", "matching regex", False),
    (["issued"], "2026-04-23T08:00:00", "timezone", True),
    (["issued"], "2026-04-23T08:00:00+01:00", "in UTC", True),
    (["issued"], "yesterday", "Invalid RFC3339", True),
    (["instructions", 0, "verb"], "GO", "Invalid enum value 'GO'", False),
    (["instructions", 0, "power_w"], 7.4, "Expected `int`, got `float`", False),
    (["instructions", 0, "power_w"], 10**10, "<= 1000000000", False),
    (["instructions", 0, "power_w"], -5, "START CHARGE takes a power above zero", True),
    (["instructions", 0, "end"], "2026-04-23T09:05:00Z", "ends after it starts", True),
    (["instructions", 0, "end"], "2026-04-23T10:30:00Z", "one thing at a time", True),
    (["instructions", 0, "start"], "2026-04-23T10:30:00Z", "ends after it starts", True),
    (["instructions", 1, "reason"], "x" * 401, "length <= 400", False),
    (["instructions"], None, "Expected `array`", False),
    (["droop", "points"], [], "length >= 1", False),
    (["droop", "points"], [[-200, 7400]], "a droop helps the frequency", True),
    (["droop", "points"], [[-200, -7400], [-300, -8000]], "rises from point to point", True),
    (["droop", "points"], [[-10, -7400]], "outside the deadband", True),
    (["droop", "until"], "2026-04-23T08:00:00+01:00", "UTC", True),
]


@pytest.mark.parametrize(("path", "value", "because", "beyond_schema"), WRONG)
def test_a_wrong_document_is_refused_in_words_and_by_the_schema_as_far_as_that_can_tell(
    path: list[str | int], value: object, because: str, beyond_schema: bool
) -> None:
    document = changed(path, value)
    with pytest.raises(Refused) as refused:
        read(json.dumps(document).encode())
    assert because in str(refused.value)
    assert conforms(document, schema()) is beyond_schema


@pytest.mark.parametrize("missing", ["format", "asset", "issued", "instructions"])
def test_what_every_document_needs_is_asked_for(missing: str) -> None:
    document = {name: value for name, value in PLAIN.items() if name != missing}
    with pytest.raises(Refused, match=missing):
        read(json.dumps(document).encode())
    assert not conforms(document, schema())


GOOD = json.dumps({**PLAIN, "droop": CURVE}).encode()


@given(st.binary(max_size=200), st.integers(0, len(GOOD)), st.integers(0, 60))
def test_no_bytes_do_more_than_be_refused(junk: bytes, at: int, gone: int) -> None:
    for content in (junk, GOOD[:at] + junk + GOOD[at + gone :]):
        try:
            found = read(content)
        except Refused:
            continue
        assert read(write(found.schedule, found.droop)) == found


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 100_000, b"1" * 5_000_000, b"9" * 5_000, b"\xff", b""])
def test_no_depth_or_size_is_too_much(content: bytes) -> None:
    with pytest.raises(Refused):
        read(content)


def test_what_nobody_could_carry_out_is_not_written() -> None:
    schedule = read(GOOD).schedule
    for wrong in (
        replace(schedule, asset=""),
        replace(schedule, issued=NOON.replace(tzinfo=None)),
        replace(schedule, instructions=schedule.instructions[::-1]),
        replace(schedule, instructions=schedule.instructions * 2),
        replace(schedule, instructions=(replace(schedule.instructions[0], power_w=0),)),
        replace(schedule, instructions=(replace(schedule.instructions[0], reason="\ud800"),)),
    ):
        with pytest.raises(InvalidValue):
            write(wrong)
