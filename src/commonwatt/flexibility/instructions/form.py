"""The open format of schedules: versioned JSON that a third party can read, write and carry out (row X13)."""

import re
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from commonwatt.flexibility.instructions.compiling import FULL_W, check_entry, in_order
from commonwatt.model import (
    MAX_SAFE_INTEGER,
    Armed,
    AssetId,
    Droop,
    Instruction,
    Interval,
    InvalidValue,
    Refused,
    Schedule,
    Verb,
)

NAME = "commonwatt-schedule"
MAJOR = 1
FORMAT = f"{NAME}/{MAJOR}"
MOST_BYTES = 4_000_000
MOST_ENTRIES = 10_000
SCHEMA_ID = f"urn:{NAME}:{MAJOR}"

Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339, in UTC: 2026-04-23T09:05:00Z")]
Power = Annotated[int, Meta(ge=-FULL_W, le=FULL_W)]
Text = Annotated[str, Meta(max_length=400)]
# A format that others have built on may not change with our nouns: that is why it has shapes of its own.


class Entry(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """From start, up to but not including end, do this; for whom can, the optional fields say it better."""

    verb: Annotated[Verb, Meta(description="One of the six instructions")]
    start: Moment
    end: Moment
    power_w: Annotated[
        int,
        Meta(
            ge=-FULL_W,
            le=FULL_W,
            description="Target in W: above zero draws from the grid, below zero supplies to it, zero for the two STOP"
            " words. What the device cannot do it comes as near to as it can; 1000000000 is as much as it can",
        ),
    ]
    expected_wh: Annotated[
        int,
        Meta(
            ge=-MAX_SAFE_INTEGER,
            le=MAX_SAFE_INTEGER,
            description="Energy that the plan expects over the entry, in Wh, import positive",
        ),
    ] = 0
    reason: Annotated[str, Meta(max_length=400, description="Why, for people")] = ""
    balance_w: (
        Annotated[
            int,
            Meta(
                ge=-FULL_W,
                le=FULL_W,
                description="Where present, move so that the connection point exchanges this many W; power_w is then"
                " what the plan expects that to take",
            ),
        ]
        | None
    ) = None


Point = tuple[Annotated[int, Meta(ge=-100_000, le=100_000)], Power]


class Curve(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A frequency-response curve that the device runs by itself: see the guide for how it is read."""

    until: Moment
    deadband_mhz: Annotated[int, Meta(ge=0, le=100_000, description="So far from nominal nothing moves")]
    points: Annotated[
        tuple[Point, ...],
        Meta(
            min_length=1,
            max_length=64,
            description="[deviation from nominal in mHz, change of power in W], by rising deviation",
        ),
    ]
    nominal_mhz: Annotated[int, Meta(ge=1, le=100_000, description="50000 or 60000")]
    most_up_w: Annotated[int, Meta(ge=0, le=FULL_W, description="Most that is taken off the grid")] | None = None
    most_down_w: Annotated[int, Meta(ge=0, le=FULL_W, description="Most that is drawn more")] | None = None


class Document(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What one asset is to do from one plan on.

    A reader passes over fields that it does not know, and may pass over optional ones: every entry makes sense
    without them. What cannot be passed over gets a new major version.
    """

    format: Annotated[
        str, Meta(pattern=rf"^{NAME}/{MAJOR}(\.[0-9]{{1,4}})?$", description="Name and major version of the format")
    ]
    asset: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$(?!\n)")]
    issued: Moment
    instructions: Annotated[
        tuple[Entry, ...], Meta(max_length=MOST_ENTRIES, description="In order of time; no two are about one time")
    ]
    droop: Curve | None = None


class _Head(Struct):
    format: str


class Written(Struct, frozen=True, kw_only=True):
    """What a document holds: a schedule, and a frequency-response curve where one is armed with it."""

    schedule: Schedule
    droop: Armed | None = None


def write(schedule: Schedule, droop: Armed | None = None) -> bytes:
    """Return a schedule in the open format, one form for each content.

    Args:
        schedule: Of any asset, its instructions in order of time.
        droop: A curve to arm its device with.

    Raises:
        InvalidValue: It is no schedule that anyone could carry out; says why.
    """
    entries = tuple(
        Entry(
            verb=entry.verb,
            start=entry.interval.start,
            end=entry.interval.end,
            power_w=entry.power_w,
            expected_wh=entry.expected_wh,
            reason=entry.reason,
            balance_w=entry.balance_w,
        )
        for entry in schedule.instructions
    )
    document = Document(
        format=FORMAT, asset=schedule.asset, issued=schedule.issued, instructions=entries, droop=_curve(droop)
    )
    try:
        content = msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
        read(content)
    except (Refused, UnicodeEncodeError) as error:
        raise InvalidValue(f"a schedule that can be written, was {error}") from error
    return content


def read(content: bytes) -> Written:
    """Return what a document in the open format holds.

    Raises:
        Refused: It is of a version that is not known here, or of none, or no schedule; says which, and where.
    """
    if len(content) > MOST_BYTES:
        raise Refused("a schedule is of four megabytes at most", found_bytes=len(content))
    try:
        head = msgspec.json.decode(content, type=_Head)
        known = re.fullmatch(rf"{NAME}/([0-9]{{1,9}})(\.[0-9]{{1,4}})?", head.format)
        if known is None:
            raise Refused("not the open format of schedules", format=repr(head.format[:60]), wanted=repr(FORMAT))
        if int(known[1]) != MAJOR:
            raise Refused("this version of the format is not known here", format=head.format, known=FORMAT)
        return _read(msgspec.json.decode(content, type=Document))
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise Refused("not a schedule", because=str(error)) from error


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the format, as it is published."""
    told = msgspec.json.schema(Document)
    for shape in told["$defs"].values():
        shape["description"] = " ".join(shape["description"].split())
    meta = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, "title": FORMAT}
    return {**meta, **told}


def _read(document: Document) -> Written:
    schedule = Schedule(
        asset=AssetId(document.asset),
        issued=_utc(document.issued),
        instructions=tuple(
            Instruction(
                verb=entry.verb,
                interval=Interval(entry.start, entry.end),
                power_w=entry.power_w,
                expected_wh=entry.expected_wh,
                reason=entry.reason,
                balance_w=entry.balance_w,
            )
            for entry in document.instructions
        ),
    )
    for instruction in schedule.instructions:
        check_entry(instruction)
    if in_order(schedule) != list(schedule.instructions):
        raise InvalidValue("instructions stand in order of time, was otherwise")
    return Written(schedule=schedule, droop=None if document.droop is None else _armed(document.droop))


def _curve(armed: Armed | None) -> Curve | None:
    if armed is None:
        return None
    curve = armed.curve
    return Curve(
        until=armed.until,
        deadband_mhz=curve.deadband_mhz,
        points=curve.points,
        nominal_mhz=curve.nominal_mhz,
        most_up_w=curve.most_up_w,
        most_down_w=curve.most_down_w,
    )


def _armed(told: Curve) -> Armed:
    curve = Droop(
        deadband_mhz=told.deadband_mhz,
        points=told.points,
        nominal_mhz=told.nominal_mhz,
        most_up_w=told.most_up_w,
        most_down_w=told.most_down_w,
    )
    return Armed(curve=curve, until=told.until)


def _utc(moment: datetime) -> datetime:
    if moment.utcoffset() != timedelta(0):
        raise InvalidValue(f"instants are in UTC, was {moment.isoformat()}")
    return moment
