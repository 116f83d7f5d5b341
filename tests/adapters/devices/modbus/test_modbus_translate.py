"""What registers say and what is written, by examples from makers' documents and other people's programs."""

import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.adapters.devices.modbus.map_file import Control, Register, RegisterMap, find_map
from commonwatt.adapters.devices.modbus.translate import (
    Told,
    check_power,
    raw_of,
    release_of,
    state_of,
    values_of,
    writes_for,
    written,
)
from commonwatt.model import InvalidValue, instant


def control_of(name: str) -> Control:
    control = find_map(name).control
    assert control is not None
    return control


def one(**said: object) -> RegisterMap:
    register = Register(**{"meaning": "power_w", "address": 0, "type": "u16", **said})  # type: ignore[arg-type]
    return RegisterMap(title="one", source="none", register=(register,))


@pytest.mark.row("X4", "W8")
def test_a_float_of_eastrons_manual_reads_as_its_manual_says() -> None:
    """Eastron's protocol document gives 43 66 33 34 for 230.2 V."""
    register = Register(meaning="power_w", address=0, type="f32")
    raw = raw_of(register, {("input", 0): 0x4366, ("input", 1): 0x3334}, "high")
    assert round(float(raw or 0), 4) == 230.2


def test_a_float_is_what_was_written_and_not_what_24_bits_make_of_it() -> None:
    for text in ("0.1", "8123.45", "123456.78", "16777216", "-1234.5"):
        (raw,) = struct.unpack(">f", struct.pack(">f", float(text)))
        assert written(raw) == Fraction(text)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_shortest_number_of_a_float_reads_as_that_float(raw: float) -> None:
    assert struct.pack(">f", float(written(raw))) == struct.pack(">f", raw + 0.0)


@pytest.mark.row("X4", "W8")
def test_the_block_for_solax_is_laid_out_as_the_public_plugin_lays_it_out() -> None:
    """plugin_solax.py writes U16 mode, U16 set, S32 W, S32 var, U16 s, U16, U32, S32, U16, low words first."""
    (told,) = writes_for(control_of("solax-x-hybrid-g4"), "low", power_w=-3_000, seconds=20)
    minus_3000 = (-3_000) & 0xFFFF_FFFF
    assert told == Told(0x7C, (1, 1, minus_3000 & 0xFFFF, minus_3000 >> 16, 0, 0, 20, 0, 0, 0, 0, 0, 0))
    # The same plugin's own test of its encoder shows 12,000 W as these two words.
    (told,) = writes_for(control_of("solax-x-hybrid-g4"), "low", power_w=12_000, seconds=20)
    assert told.words[2:4] == (12_000, 0)


def test_what_solax_does_not_use_is_zero() -> None:
    """Anything else in the unused words makes it ignore the block: #1373."""
    (told,) = writes_for(control_of("solax-x-hybrid-g4"), "low", power_w=5_000, seconds=7)
    assert told.words[7:] == (0,) * 6
    (told,) = release_of(control_of("solax-x-hybrid-g4"), "low")
    assert told.words[0] == 0
    assert len(told.words) == 13


@pytest.mark.parametrize(("power_w", "command"), [(2_500, 0xAA), (-2_500, 0xBB), (0, 0xCC)])
def test_sungrow_is_told_magnitude_and_way_and_its_mode_last(power_w: int, command: int) -> None:
    told = writes_for(control_of("sungrow-sh"), "low", power_w=power_w, seconds=60)
    assert told == [
        Told(13079, (60,), True),
        Told(13051, (abs(power_w),), True),
        Told(13050, (command,), True),
        Told(13049, (3,), True),
    ]


def test_fox_is_told_one_register_at_a_time_and_counts_discharging_as_positive() -> None:
    told = writes_for(control_of("fox-ess-h1"), "high", power_w=1_500, seconds=30)
    power = Told(44002, (0x10000 - 1_500,), True)
    assert told == [Told(44001, (30,), True), power, Told(44000, (1,), True), power], "never enabled at an old power"


def test_a_line_of_nothing_is_told_to_victron_as_one_watt_since_zero_hands_back() -> None:
    victron = control_of("victron-gx-ess")
    assert writes_for(victron, "high", power_w=0, seconds=9, line_w=0) == [Told(2716, (0, 1))]
    assert writes_for(victron, "high", power_w=0, seconds=9, line_w=-40_000) == [Told(2716, (0xFFFF, 0x63C0))]
    assert release_of(victron, "high") == [Told(2716, (0, 0))]


def test_a_magnitude_flows_outwards_while_its_bit_is_set() -> None:
    sungrow = find_map("sungrow-sh")
    words = {("input", address): 0 for address in range(13000, 13042)} | {("input", 13021): 700}
    assert values_of(sungrow, words)["power_w"] == 700
    assert values_of(sungrow, words | {("input", 13000): 0b100})["power_w"] == -700


def test_long_values_come_with_either_word_first() -> None:
    register = Register(meaning="import_wh", address=0, type="u32")
    words = {("input", 0): 1, ("input", 1): 2}
    assert raw_of(register, words, "high") == 0x10002
    assert raw_of(register, words, "low") == 0x20001


def test_a_counter_is_told_as_coarsely_as_it_is_and_never_rounded_up() -> None:
    registers = one(meaning="import_wh", scale="0.3")
    assert state_of(registers, {("input", 0): 9}, instant(0), capacity_wh=0, most_w=0).import_wh == 2


def test_what_a_device_does_not_have_is_absent_and_not_zero() -> None:
    registers = one(type="s16", absent=(0x8000,))
    assert state_of(registers, {("input", 0): 0x8000}, instant(0), capacity_wh=0, most_w=0).power_w is None


@pytest.mark.parametrize(
    ("registers", "words"),
    [
        (one(type="f32"), (0x7FC0, 0)),
        (one(type="f32"), (0xFF80, 0)),
        (one(type="u16"), (50_001,)),
        (one(meaning="soc_percent"), (102,)),
        (one(meaning="soc_percent", type="s16"), (0xFFFF,)),
        (one(meaning="import_wh", type="s32"), (0xFFFF, 0xFFFF)),
    ],
    ids=["no number", "infinite", "ten times too much", "more than full", "less than empty", "a counter below zero"],
)
def test_what_cannot_be_true_is_refused(registers: RegisterMap, words: tuple[int, ...]) -> None:
    with pytest.raises(InvalidValue, match="was"):
        state_of(
            registers, {("input", n): word for n, word in enumerate(words)}, instant(0), capacity_wh=10, most_w=5_000
        )


def test_a_power_that_does_not_fit_is_not_cut_off() -> None:
    with pytest.raises(InvalidValue, match="fits into its s16, was -40000"):
        writes_for(control_of("fox-ess-h1"), "high", power_w=40_000, seconds=30)


@pytest.mark.parametrize("power_w", [Fraction(50_001), Fraction(-50_001)])
def test_a_power_of_ten_times_what_may_be_is_misread_either_way(power_w: Fraction) -> None:
    with pytest.raises(InvalidValue, match="5000 W at most"):
        check_power(power_w, 5_000)
    check_power(power_w, 0)
