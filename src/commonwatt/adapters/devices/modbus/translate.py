"""Between registers and what they mean: which reads a map needs, what they say, and what is written for a power."""

import struct
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from math import isfinite

from commonwatt.adapters.devices.modbus.map_file import WIDTH, Bit, Control, Register, RegisterMap, Write, fraction
from commonwatt.model import DeviceState, InvalidValue

FORMATS = {"u16": ">H", "s16": ">h", "u32": ">I", "s32": ">i", "u64": ">Q", "f32": ">f"}
ABSURD = 10
"""Nothing does ten times what its asset is registered for: such a power was misread."""
FULL_PERCENT = Fraction(101)
"""Some batteries tell a little more than full."""
Words = Mapping[tuple[str, int], int]
"""Registers that were read, by table and address."""


@dataclass(frozen=True, slots=True)
class Block:
    """Neighbouring registers that are read at once."""

    table: str
    address: int
    count: int


@dataclass(frozen=True, slots=True)
class Told:
    """Registers to write, as they go over the wire."""

    address: int
    words: tuple[int, ...]
    single: bool = False


def blocks_of(registers: RegisterMap) -> list[Block]:
    """Return the fewest reads that bring all registers of a map, none too long and none across a border."""
    spans = {(one.table, one.address, WIDTH[one.type]) for one in registers.register}
    bits = {one.negative_when for one in registers.register if one.negative_when is not None}
    spans |= {(bit.table, bit.address, 1) for bit in bits}
    blocks: list[Block] = []
    for table, address, width in sorted(spans):
        end = address + width
        last = blocks[-1] if blocks else None
        if (
            last is not None
            and last.table == table
            and address - (last.address + last.count) <= registers.gap
            and end - last.address <= registers.most
            and not any(last.address < border < end for border in registers.borders)
        ):
            blocks[-1] = Block(table, last.address, max(last.count, end - last.address))
        else:
            blocks.append(Block(table, address, width))
    return blocks


def state_of(registers: RegisterMap, words: Words, at: datetime, *, capacity_wh: int, most_w: int) -> DeviceState:
    """Return what registers say.

    Args:
        registers: The map.
        words: All that its blocks brought.
        at: When they were read.
        capacity_wh: What a full store holds: many devices tell no energy but a share.
        most_w: The most that the asset does, either way; 0 where nobody knows.

    Raises:
        InvalidValue: They say what cannot be true.
    """
    values = values_of(registers, words)
    power_w, level_wh, soc = values.get("power_w"), values.get("level_wh"), values.get("soc_percent")
    if power_w is not None:
        check_power(power_w, most_w)
    if soc is not None:
        stored_wh = stored(soc, capacity_wh)
        level_wh = stored_wh if level_wh is None else level_wh
    return DeviceState(
        at=at,
        power_w=_rounded(power_w),
        import_wh=_floored(values.get("import_wh")),
        export_wh=_floored(values.get("export_wh")),
        level_wh=_rounded(level_wh),
        frequency_mhz=_rounded(values.get("frequency_hz"), 1000),
        indoor_decicelsius=_rounded(values.get("indoor_c"), 10),
        outdoor_decicelsius=_rounded(values.get("outdoor_c"), 10),
    )


def check_power(power_w: Fraction, most_w: int) -> None:
    """Refuse a power that was misread: the wrong word first, or a scale that is not the device's.

    Raises:
        InvalidValue: It is ten times what the asset does at most, where that is known.
    """
    if most_w and abs(power_w) > ABSURD * most_w:
        raise InvalidValue(f"a power is near what the asset does, {most_w} W at most, was {_shown(power_w)} W")


def stored(soc_percent: Fraction, capacity_wh: int) -> Fraction | None:
    """Return the energy that a state of charge stands for, None where nobody knows of how much.

    Raises:
        InvalidValue: It is no state of charge.
    """
    if not 0 <= soc_percent <= FULL_PERCENT:
        raise InvalidValue(f"a state of charge is 0 to 100 %, was {_shown(soc_percent)} %")
    return min(soc_percent, Fraction(100)) * capacity_wh / 100 if capacity_wh else None


def written(raw: float) -> Fraction:
    """Return what a float of 32 bits was before it was written so: the shortest number that reads as it."""
    for digits in (7, 8, 9):
        text = f"{raw:.{digits}g}"
        if struct.pack(">f", float(text)) == struct.pack(">f", raw):
            break
    return Fraction(text)


def values_of(registers: RegisterMap, words: Words) -> dict[str, Fraction]:
    """Return each meaning in its own unit, registers of one meaning added up; what is absent is left out.

    Raises:
        InvalidValue: A float is no number.
    """
    values: dict[str, Fraction] = defaultdict(Fraction)
    for register in registers.register:
        raw = raw_of(register, words, registers.word_order)
        if raw is None:
            continue
        value = raw * fraction(register.scale)
        if register.negative_when is not None and _is_set(register.negative_when, words):
            value = -value
        values[register.meaning] += value
    return dict(values)


def raw_of(register: Register, words: Words, order: str) -> Fraction | None:
    """Return a register's value as it counts, or None where the device does not measure it."""
    span = [words[register.table, register.address + n] for n in range(WIDTH[register.type])]
    in_order = span if order == "high" else span[::-1]
    if int.from_bytes(struct.pack(f">{len(span)}H", *in_order)) in register.absent:
        return None
    try:
        return number_of(register.type, span, order)
    except InvalidValue as error:
        raise InvalidValue(f"{register.meaning} at {register.address}: {error}") from error


def number_of(kind: str, span: Sequence[int], order: str) -> Fraction:
    """Return the number in some registers.

    Args:
        kind: How it is written.
        span: The registers, as they stand.
        order: Whether the ``high`` or the ``low`` word comes first.

    Raises:
        InvalidValue: A float is no number.
    """
    in_order = span if order == "high" else span[::-1]
    (raw,) = struct.unpack(FORMATS[kind], struct.pack(f">{len(span)}H", *in_order))
    if not isfinite(raw):
        raise InvalidValue(f"a float is a number, was {raw}")
    return written(raw) if kind == "f32" else Fraction(raw)


def writes_for(control: Control, order: str, *, power_w: int, seconds: int, line_w: int = 0) -> list[Told]:
    """Return what is written to hold a power.

    Args:
        control: Of the map.
        order: Of the words of long values.
        power_w: Import positive.
        seconds: How long; a device's own lease at most.
        line_w: What the connection point shall exchange, for what holds a line.

    Raises:
        InvalidValue: A value does not fit where it is to be written.
    """
    way = "charge" if power_w > 0 else "discharge" if power_w < 0 else "rest"
    variables = {"w": power_w, "minus_w": -power_w, "abs_w": abs(power_w), "line_w": line_w, "seconds": seconds}
    return [_told(write, order, variables) for write in control.hold if write.when in (None, way)]


def release_of(control: Control, order: str) -> list[Told]:
    """Return what is written to let a device go to its safe default."""
    return [_told(write, order, {}) for write in control.release]


def _told(write: Write, order: str, variables: Mapping[str, int]) -> Told:
    words: list[int] = []
    for word in write.words:
        value = word.const if word.of is None else round(variables[word.of] / fraction(word.scale)) or word.zero_as
        words += packed(word.type, value or 0, order)
    return Told(write.address, tuple(words), write.single)


def packed(kind: str, value: int, order: str) -> Sequence[int]:
    """Return a value as registers.

    Raises:
        InvalidValue: It does not fit.
    """
    try:
        data = struct.pack(FORMATS[kind], value)
    except (struct.error, OverflowError) as error:
        raise InvalidValue(f"a written value fits into its {kind}, was {value}") from error
    words = struct.unpack(f">{len(data) // 2}H", data)
    return words if order == "high" else words[::-1]


def _is_set(bit: Bit, words: Words) -> bool:
    return bool(words[bit.table, bit.address] >> bit.bit & 1)


def _rounded(value: Fraction | None, times: int = 1) -> int | None:
    return None if value is None else round(value * times)


def _floored(value: Fraction | None) -> int | None:
    return None if value is None else value.__floor__()


def _shown(value: Fraction) -> str:
    return f"{float(value):.6g}"
