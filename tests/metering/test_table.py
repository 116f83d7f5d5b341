import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from commonwatt.metering.batch import MOST_WH, Quality
from commonwatt.metering.table import ReadingTable
from commonwatt.model import SLOT_SECONDS, AssetId, InvalidValue, Reading, slot_from

slots = st.integers(0, 5).map(lambda n: n * SLOT_SECONDS)
energies = st.integers(0, 3_000) | st.sampled_from([0, MOST_WH])
readings = st.tuples(energies, energies, st.none() | energies)


def reading(meter: str, slot_s: int, told: tuple[int, int, int | None]) -> Reading:
    import_wh, export_wh, level_wh = told
    return Reading(
        asset=AssetId(meter), interval=slot_from(slot_s), import_wh=import_wh, export_wh=export_wh, level_wh=level_wh
    )


class Tables(RuleBasedStateMachine):
    """A table beside a plain dict of slots, of meters, of readings."""

    def __init__(self) -> None:
        super().__init__()
        self.table = ReadingTable()
        self.plain: dict[int, dict[AssetId, tuple[Reading, Quality]]] = {}
        self.meters: list[AssetId] = []

    @rule()
    def a_meter_joins(self) -> None:
        self.meters.append(AssetId(f"meter-{len(self.meters)}"))
        assert self.table.join(self.meters[-1]) == len(self.meters) - 1

    @rule(data=st.data(), slot_s=slots, told=readings, quality=st.sampled_from(Quality))
    def something_is_believed(
        self, data: st.DataObject, slot_s: int, told: tuple[int, int, int | None], quality: Quality
    ) -> None:
        if self.meters:
            meter = data.draw(st.sampled_from(self.meters))
            self.table.at(slot_s).set(meter, reading(meter, slot_s, told), quality)
            self.plain.setdefault(slot_s, {})[meter] = reading(meter, slot_s, told), quality

    @rule(slot_s=slots)
    def the_past_is_forgotten(self, slot_s: int) -> None:
        self.table.forget_before(slot_s)
        self.plain = {start_s: told for start_s, told in self.plain.items() if start_s >= slot_s}

    @invariant()
    def both_tell_the_same(self) -> None:
        assert {slot_s: dict(slot) for slot_s, slot in self.table.items()} == {
            slot_s: {meter: told for meter, (told, _) in slot.items()} for slot_s, slot in self.plain.items()
        }
        for slot_s, slot in self.plain.items():
            assert len(self.table[slot_s]) == len(slot)
            assert set(self.table.told(slot_s)) == set(slot)
            assert {meter: self.table[slot_s].quality_of(meter) for meter in slot} == {
                meter: quality for meter, (_, quality) in slot.items()
            }

    @invariant()
    def digests_are_those_of_a_table_that_was_told_all_at_once(self) -> None:
        anew = ReadingTable()
        for meter in self.meters:
            anew.join(meter)
        for slot_s, slot in self.plain.items():
            for meter, (told, quality) in slot.items():
                anew.at(slot_s).set(meter, told, quality)
        assert self.table.digests(0) == anew.digests(0)
        assert len(self.table.digests(2 * SLOT_SECONDS)) == sum(s >= 2 * SLOT_SECONDS for s in self.plain)


TestTables = Tables.TestCase


@given(readings, readings, st.sampled_from(Quality), st.sampled_from(Quality))
def test_a_digest_changes_with_anything_that_is_told(
    one: tuple[int, int, int | None], other: tuple[int, int, int | None], quality: Quality, another: Quality
) -> None:
    digests = []
    for slot_s, meter, told, how in (
        (0, "a", one, quality),
        (0, "a", other, another),
        (0, "b", one, quality),
        (SLOT_SECONDS, "a", one, quality),
    ):
        table = ReadingTable()
        table.join(AssetId("a"))
        table.join(AssetId("b"))
        table.at(slot_s).set(AssetId(meter), reading(meter, slot_s, told), how)
        digests += table.digests(0)
    assert (digests[0] == digests[1]) == ((one, quality) == (other, another))
    assert len({digests[0], *digests[2:]}) == 3


def test_a_meter_that_joins_later_changes_no_digest_of_before() -> None:
    table = ReadingTable()
    table.join(AssetId("a"))
    table.at(0).set(AssetId("a"), reading("a", 0, (5, 0, None)), Quality.MEASURED)
    before = table.digests(0)
    table.join(AssetId("b"))
    assert table.at(0).told().tolist() == [True, False]
    assert table.digests(0) == before


def test_what_nobody_told_is_not_there() -> None:
    table = ReadingTable()
    table.join(AssetId("a"))
    assert table.told(0) == {}
    assert len(table) == 0
    assert AssetId("a") not in table.at(0)
    for meter in ("a", "b"):
        with pytest.raises(KeyError):
            table.at(0)[AssetId(meter)]
        with pytest.raises(KeyError):
            table.at(0).quality_of(AssetId(meter))


def test_a_meter_joins_once_and_a_slot_starts_on_a_quarter() -> None:
    table = ReadingTable()
    table.join(AssetId("a"))
    with pytest.raises(InvalidValue, match="joins once"):
        table.join(AssetId("a"))
    with pytest.raises(InvalidValue, match="quarter"):
        table.at(1)
    assert (table.meters, len(table)) == (["a"], 0)
