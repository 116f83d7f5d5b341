"""Register maps are data: read strictly, read from the wire in few pieces, and never more than they say."""

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.adapters.devices.modbus.map_file import (
    WIDTH,
    Register,
    RegisterMap,
    find_map,
    map_names,
    map_text,
    read_map,
)
from commonwatt.adapters.devices.modbus.translate import Block, blocks_of, state_of
from commonwatt.model import InvalidValue, instant

METER = """
title = "Meter"
source = "its manual"
[[register]]
meaning = "power_w"
address = 12
type = "f32"
"""
MODE_8 = """
title = "SolaX, mode 8"
source = "issue 1693 of wills106/homeassistant-solax-modbus"
[[register]]
meaning = "power_w"
address = 22
type = "s16"
[control]
lease_s = 20
[[control.hold]]
address = 0xA0
words = [{ const = 8 }, { const = 1 }, { const = 12000, type = "u32" }, { of = "w", type = "s32" }]
[[control.release]]
address = 0xA0
words = [{ const = 0 }]
"""


@pytest.mark.parametrize("name", map_names())
def test_every_map_that_we_bring_names_its_source_and_needs_few_reads(name: str) -> None:
    registers = find_map(name)
    assert len(registers.source) > 20
    assert len(blocks_of(registers)) <= 2
    assert registers.means("power_w")


def test_we_bring_batteries_and_meters() -> None:
    told = {name for name in map_names() if find_map(name).control is not None}
    assert told == {"solax-x-hybrid-g4", "sungrow-sh", "fox-ess-h1", "victron-gx-ess"}
    assert {"eastron-sdm230", "eastron-sdm630", "carlo-gavazzi-em24-e1"} <= set(map_names()) - told


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('"f32"', '"f31"'), "Invalid enum value 'f31'"),
        (("address = 12", "address = 70000"), "<= 65535"),
        (("address = 12", "adress = 12"), "adress"),
        (('meaning = "power_w"', 'meaning = "power"'), "Invalid enum value 'power'"),
        (('type = "f32"', 'type = "f32"\nscale = "a lot"'), "a scale is a decimal number, was 'a lot'"),
        (('type = "f32"', 'type = "f32"\nscale = "0"'), "a scale is not zero"),
        (('title = "Meter"', "title = Meter"), "Invalid value"),
    ],
)
def test_a_map_that_says_what_no_map_says_is_refused_in_words(change: tuple[str, str], words: str) -> None:
    with pytest.raises(InvalidValue, match=r"register map mine: ") as refusal:
        read_map(METER.replace(*change), "mine")
    assert words in str(refusal.value)


def test_a_way_of_telling_that_names_no_seconds_has_no_lease() -> None:
    """Mode 8 of a SolaX has no word for a duration, and would hold for ever: #1693."""
    with pytest.raises(InvalidValue, match="its writes name no seconds"):
        read_map(MODE_8, "mode 8")
    without = read_map(MODE_8.replace("lease_s = 20", ""), "mode 8")
    assert without.control is not None
    assert without.control.lease_s is None


def test_the_map_of_solax_writes_all_thirteen_words_at_once_and_no_mode_8() -> None:
    told = tomllib.loads(map_text("solax-x-hybrid-g4"))["control"]
    for (write,) in (told["hold"], told["release"]):
        assert write["address"] == 0x7C
        assert sum(WIDTH[word.get("type", "u16")] for word in write["words"]) == 13
        assert write["words"][0]["const"] in (0, 1)


def registers_in(order: list[tuple[int, str, str]], **said: object) -> RegisterMap:
    return RegisterMap(
        title="any",
        source="none",
        register=tuple(
            Register(meaning="power_w", address=address, type=kind, table=table)  # type: ignore[arg-type]
            for address, kind, table in order
        ),
        **said,  # type: ignore[arg-type]
    )


ANY = st.lists(
    st.tuples(st.integers(0, 300), st.sampled_from(sorted(WIDTH)), st.sampled_from(["input", "holding"])),
    min_size=1,
    max_size=12,
)


@given(ANY, st.integers(4, 125), st.integers(0, 40), st.lists(st.integers(0, 300), max_size=3))
def test_reads_bring_all_that_is_named_are_short_enough_and_cross_no_border(
    order: list[tuple[int, str, str]], most: int, gap: int, borders: list[int]
) -> None:
    # A border within a value would forbid the value itself.
    borders = [b for b in borders if not any(at < b < at + WIDTH[kind] for at, kind, _ in order)]
    registers = registers_in(order, most=most, gap=gap, borders=tuple(borders))
    blocks = blocks_of(registers)
    brought = {(block.table, block.address + n) for block in blocks for n in range(block.count)}
    assert {(table, at + n) for at, kind, table in order for n in range(WIDTH[kind])} <= brought
    for block in blocks:
        assert block.count <= most
        assert not any(block.address < border < block.address + block.count for border in borders)


def test_neighbours_are_read_together_and_distant_ones_apart() -> None:
    order = [(52, "f32", "input"), (72, "f32", "input"), (200, "u16", "input"), (52, "u16", "holding")]
    apart = [Block("input", 52, 2), Block("input", 72, 2), Block("input", 200, 1)]
    assert blocks_of(registers_in(order)) == [Block("holding", 52, 1), *apart]
    assert len(blocks_of(registers_in(order, gap=18))) == 3
    assert len(blocks_of(registers_in(order, gap=18, borders=(60,)))) == 4


@settings(deadline=None)
@given(st.sampled_from(map_names()), st.data())
def test_whatever_stands_in_registers_is_a_state_or_is_refused(name: str, data: st.DataObject) -> None:
    registers = find_map(name)
    words = {
        (block.table, block.address + n): data.draw(st.integers(0, 0xFFFF))
        for block in blocks_of(registers)
        for n in range(block.count)
    }
    try:
        state = state_of(registers, words, instant(0), capacity_wh=10_000, most_w=5_000)
    except InvalidValue:
        return
    assert state.power_w is None or abs(state.power_w) <= 50_000
    assert state.level_wh is None or 0 <= state.level_wh <= 10_000
