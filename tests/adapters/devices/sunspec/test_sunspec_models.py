"""SunSpec models as devices really fill them: shorter, longer, repeated, silent, and read in pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.adapters.devices.sunspec.models import (
    HEADER,
    Group,
    Node,
    decode,
    definition,
    offset_of,
    pieces_of,
    span_of,
)
from commonwatt.adapters.devices.sunspec.translate import MEASURES, state_of
from commonwatt.model import AccountId, Asset, AssetId, AssetKind, GatewayId, InvalidValue, instant

OURS = (1, 101, 102, 103, 111, 112, 113, *range(120, 125), 160, *range(701, 716), 802, 803, 804)
BATTERY = Asset(
    id=AssetId("b"),
    owner=AccountId("anna"),
    gateway=GatewayId("gw-1"),
    kind=AssetKind.BATTERY,
    zone="lane",
    max_import_w=5_000,
    max_export_w=5_000,
    capacity_wh=10_000,
)


def model(number: int) -> Group:
    group = definition(number)
    assert group is not None
    return group


def filled(number: int, length: int | None = None, **points: int) -> list[int]:
    """Return a model's registers, all else not implemented by being all ones, as many as the device says."""
    group = model(number)
    words = [number, 0, *[0xFFFF] * (group.size - HEADER)]
    for name, value in points.items():
        size = next(point.size for point in group.points if point.name == name)
        at = offset_of(group, name)
        words[at : at + size] = [(value >> 16 * (size - 1 - n)) & 0xFFFF for n in range(size)]
    length = len(words) - HEADER if length is None else length
    words[1] = length
    return (words + [0] * length)[: HEADER + length]


@pytest.mark.row("W9", "X4")
@pytest.mark.parametrize("number", OURS)
def test_every_model_that_we_use_is_defined_and_begins_with_its_header(number: int) -> None:
    group = model(number)
    assert [point.name for point in group.points[:2]] == ["ID", "L"]
    node = decode(group, [number, 0, *[0] * 300])
    assert node.raw["ID"] == number


def test_a_value_is_read_with_its_scale_factor_and_absent_without_one() -> None:
    node = decode(model(103), filled(103, W=0xFE0C, W_SF=1, Hz=4_998, Hz_SF=0xFFFE, WH=123_456))
    assert node.value("W") == -5_000
    assert node.value("Hz") * 100 == 4_998  # type: ignore[operator]
    node = decode(model(103), filled(103, WH=5, WH_SF=0x8000))
    assert node.value("WH") is None


def test_what_is_not_implemented_says_nothing() -> None:
    node = decode(model(103), filled(103, W=0x8000, W_SF=0, WH=0, A=0xFFFF))
    assert (node.raw["W"], node.raw["WH"], node.raw["A"]) == (None, None, None)


def test_a_scale_factor_that_there_is_none_of_is_a_lie() -> None:
    node = decode(model(103), filled(103, W=7, W_SF=50))
    with pytest.raises(InvalidValue, match="W_SF is -10 to 10, was 50"):
        node.value("W")


def test_a_model_shorter_than_its_definition_tells_what_it_has() -> None:
    """SAX Power fills 15 registers of its power model: sax_battery_ha#128."""
    words = filled(103, length=15, W=0xFF38, W_SF=0)
    node = decode(model(103), words)
    assert node.value("W") == -200
    assert node.value("Hz") is None
    state = state_of({103: node}, instant(0), BATTERY)
    assert (state.power_w, state.frequency_mhz, state.export_wh) == (200, None, None)
    assert span_of(model(103), 15, ("W", "Hz", "WH")) <= 17


def test_a_model_longer_than_its_definition_is_taken_as_far_as_it_is_known() -> None:
    node = decode(model(713), filled(713, length=20, SoC=505, Pct_SF=0xFFFF))
    assert float(node.value("SoC") or 0) == 50.5


def test_a_714_with_fewer_ports_than_it_says_keeps_whole_ones() -> None:
    """SMA's length of 714 does not match its ports: pysunspec2#89."""
    group = model(714)
    port = group.groups[0]
    words = [714, 0, *[0xFFFF] * (group.size - HEADER), *[1] * port.size, *[1] * (port.size // 2)]
    words[offset_of(group, "NPrt")] = 3
    assert len(decode(group, words).groups["Prt"]) == 1


def test_curves_of_705_repeat_with_their_points_inside() -> None:
    """Groups within groups, each as many as another point says: pysunspec2#119."""
    group = model(705)
    curve, point = group.groups[0], group.groups[0].groups[0]
    words = [705, 0, *[0] * (group.size - HEADER)]
    words[offset_of(group, "NPt")], words[offset_of(group, "NCrv")] = 3, 2
    for n in range(2):
        words += [100 * (n + 1)] * curve.size
        for p in range(3):
            words += [1000 * (n + 1) + p] * point.size
    node = decode(group, words)
    curves = node.groups["Crv"]
    assert len(curves) == 2
    assert [[pt.raw["V"] for pt in one.groups["Pt"]] for one in curves] == [[1000, 1001, 1002], [2000, 2001, 2002]]


def test_a_160_repeats_to_its_end() -> None:
    group = model(160)
    module = group.groups[0]
    words = [160, 0, *[0] * (group.size - HEADER), *[7] * (3 * module.size)]
    assert [one.raw["DCW"] for one in decode(group, words).groups["module"]] == [7, 7, 7]


def test_texts_end_at_their_first_nothing_and_garbage_is_none() -> None:
    words = filled(1)
    at = offset_of(model(1), "Mn")
    words[at : at + 16] = [0x414C, 0x4600, *[0] * 14]
    assert decode(model(1), [*words[: at + 16], *[0] * 50]).raw["Mn"] == "ALF"
    with pytest.raises(InvalidValue, match="Mn is a text"):
        decode(model(1), [1, 66, *[0xFFFE] * 66])


@given(st.sampled_from(OURS), st.integers(0, 400), st.integers(4, 125))
def test_pieces_bring_a_whole_model_and_none_is_too_long(number: int, length: int, most: int) -> None:
    pieces = pieces_of(model(number), length, most)
    assert [start for start, _ in pieces] == [0, *(start + count for start, count in pieces)][:-1]
    assert sum(count for _, count in pieces) == HEADER + length
    assert all(0 < count <= most for _, count in pieces)


@pytest.mark.parametrize("number", [701, 702, 704, 803])
def test_a_read_ends_where_a_point_ends(number: int) -> None:
    """Some devices refuse a read that ends within a value: pysunspec2#16."""
    group = model(number)
    ends, at = {0}, 0
    for point in group.points:
        at += point.size
        ends.add(at)
    pieces = pieces_of(group, group.size - HEADER, 40)
    assert len(pieces) > 1 or group.size <= 40
    assert all(start in ends and start + count in ends for start, count in pieces)
    assert span_of(group, group.size - HEADER, ("WSet", "W", "WMax", "SoC")) in ends


def test_power_and_its_scale_factor_come_in_one_read() -> None:
    """Fronius changes scale factors while it runs: openbridgeserver#1255."""
    for number in MEASURES:
        group = model(number)
        names = ("W", "Hz", "WH", "TotWhInj", "TotWhAbs")
        assert span_of(group, group.size - HEADER, names) <= 125


@given(st.sampled_from(OURS), st.lists(st.integers(0, 0xFFFF), max_size=200))
def test_whatever_registers_say_is_a_model_or_is_refused(number: int, words: list[int]) -> None:
    try:
        node = decode(model(number), [number, len(words), *words])
        values(node)
        state = state_of({number: node}, instant(0), BATTERY)
    except InvalidValue:
        return
    assert state.power_w is None or abs(state.power_w) <= 50_000
    assert state.level_wh is None or state.level_wh >= 0


def values(node: Node) -> None:
    for name in node.raw:
        node.value(name)
    for inner in node.groups.values():
        for one in inner:
            values(one)
