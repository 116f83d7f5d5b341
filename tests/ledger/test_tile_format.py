from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.ledger.tile_format import (
    bundle,
    entries_path,
    parse_entries_path,
    parse_tile_path,
    split_bundle,
    tile_path,
)
from commonwatt.model import Corrupt, InvalidValue

LEVELS = st.integers(0, 6)
WIDTHS = st.integers(1, 256)
PIECES = ["tile", "entries", "/", "x", "0", "1", "17", "064", "256", ".p/", "-", "\n", "\N{DEVANAGARI DIGIT ONE}"]
PATHLIKE = st.lists(st.sampled_from(PIECES)).map("".join)


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        ((0, 1_234_067, 256), "tile/0/x001/x234/067"),
        ((0, 273, 112), "tile/0/273.p/112"),
        ((1, 1, 17), "tile/1/001.p/17"),
        ((2, 0, 1), "tile/2/000.p/1"),
        ((63, 0, 256), "tile/63/000"),
        ((0, 2**55 - 1, 255), "tile/0/x036/x028/x797/x018/x963/967.p/255"),
    ],
)
def test_tiles_stand_where_the_specification_puts_them(tile: tuple[int, int, int], path: str) -> None:
    assert tile_path(*tile) == path
    assert parse_tile_path(path) == tile


@given(LEVELS, st.data(), WIDTHS)
def test_every_tile_has_one_path_and_is_read_back_from_it(level: int, data: st.DataObject, width: int) -> None:
    index = data.draw(st.integers(0, (2**63 - 1) >> 8 * (level + 1)))
    assert parse_tile_path(tile_path(level, index, width)) == (level, index, width)
    if level == 0:
        assert parse_entries_path(entries_path(index, width)) == (index, width)
        assert entries_path(index, width) == tile_path(0, index, width).replace("/0/", "/entries/", 1)


@pytest.mark.parametrize(
    "path",
    [
        "", "tile", "tile/0/", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/00/000", "tile/-1/000", "tile/64/000",
        "tile/0/x000/001", "tile/0/001/001", "tile/0/x001", "tile/0/x001/x234", "tile/0/X001/234", "tile/0/x1/234",
        "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/", "tile/0/000.p", "tile/0/000.p/-1",
        "tile/0/000\n", "/tile/0/000", "tile/0/000/", "tile//000", "tile/data/000", "tile/8/0/000", "tile/7/001",
        "tile/0/x036/x028/x797/x018/x963/968", "tile/0/" + "x999/" * 6 + "999", "tile/0/" + "x001/" * 5000 + "001",
        "tile/0/\N{DEVANAGARI DIGIT ONE}01", "tile/\N{SUPERSCRIPT ONE}/000",
    ],
)  # fmt: skip
def test_another_path_names_no_tile(path: str) -> None:
    with pytest.raises(InvalidValue):
        parse_tile_path(path)
    with pytest.raises(InvalidValue):
        parse_entries_path(path.replace("tile/0/", "tile/entries/", 1))


@given(PATHLIKE | st.text())
def test_garbage_is_refused_or_is_exactly_the_path_of_what_was_read(garbage: str) -> None:
    for text in (garbage, f"tile/0/{garbage}", f"tile/1/x001/{garbage}", f"tile/entries/{garbage}"):
        with suppress(InvalidValue):
            assert tile_path(*parse_tile_path(text)) == text
        with suppress(InvalidValue):
            assert entries_path(*parse_entries_path(text)) == text


@pytest.mark.parametrize("tile", [(-1, 0, 1), (64, 0, 1), (0, -1, 1), (0, 2**55, 1), (7, 1, 1), (0, 0, 0), (0, 0, 257)])
def test_a_tile_that_no_log_has_gets_no_path(tile: tuple[int, int, int]) -> None:
    with pytest.raises(InvalidValue):
        tile_path(*tile)
    if tile[0] == 0:
        with pytest.raises(InvalidValue):
            entries_path(*tile[1:])


def test_a_bundle_reads_as_the_specification_writes_it() -> None:
    assert bundle([b"ab", b"", b"c" * 258]) == b"\x00\x02ab" + b"\x00\x00" + b"\x01\x02" + b"c" * 258


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=256), st.data())
def test_a_bundle_gives_its_entries_back_and_never_those_of_a_torn_one(
    entries: list[bytes], data: st.DataObject
) -> None:
    content = bundle(entries)
    assert split_bundle(content) == entries
    cut = data.draw(st.integers(0, len(content) - 1))
    whole = [n for n in range(1, len(entries)) if len(bundle(entries[:n])) == cut]
    if whole:
        assert split_bundle(content[:cut]) == entries[: whole[0]]
    else:
        with pytest.raises(Corrupt):
            split_bundle(content[:cut])


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_are_exactly_the_bundle_of_what_was_read(content: bytes) -> None:
    with suppress(Corrupt):
        assert bundle(split_bundle(content)) == content


def test_a_bundle_of_too_many_too_few_or_too_long_entries_is_refused() -> None:
    with pytest.raises(InvalidValue, match="was 257"):
        bundle([b""] * 257)
    with pytest.raises(InvalidValue, match="was 0"):
        bundle([])
    with pytest.raises(InvalidValue, match="was 65536"):
        bundle([b"", bytes(65_536)])
    assert split_bundle(bundle([bytes(65_535)])) == [bytes(65_535)]


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"", "was 0 bytes"),
        (bytes(514), "was 514 bytes"),
        (b"\x00", "entry 0 is cut off"),
        (b"\x00\x00\x00\x02a", "entry 1 is cut off"),
    ],
)
def test_a_broken_bundle_says_how(content: bytes, wrong: str) -> None:
    with pytest.raises(Corrupt, match=wrong):
        split_bundle(content)
