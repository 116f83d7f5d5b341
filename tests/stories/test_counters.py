"""A meter goes unread, or is exchanged, in the midst of a settled day: in the end all pay for what was counted."""

from collections import defaultdict
from collections.abc import Sequence
from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paper_street import Lived, live, stage

from commonwatt.apps import wiring
from commonwatt.flows.trading_day import Day
from commonwatt.metering.batch import Flag, Item, Quality, decode_items
from commonwatt.metering.counting import Counted
from commonwatt.model import SLOT_SECONDS, AssetId, AssetKind, Commodity, epoch
from commonwatt.simulator.box import Fault, Spec
from commonwatt.simulator.meter import MeterSpec
from commonwatt.simulator.paper import PaperProgram

DAY_S = 86_400
LIKE_DAYS_AGO = (5, 2, 1)
"""14 November 2018 is a Wednesday: Friday, Monday and Tuesday are like it."""
USUAL = (150, 40)


def lived(
    starts: str, slots: int, faults: Sequence[Fault] = (), *, homes: int = 3, plans: bool = True, usual: bool = True
) -> Lived:
    """Live part of a day; where it was usual, gateways measured the like days before, every slot as any other."""
    scene = stage(homes, starts)
    first_s = epoch(scene.street.span.start)
    past = [
        Counted(first_s + slot * SLOT_SECONDS - ago * DAY_S, *USUAL)
        for ago in (LIKE_DAYS_AGO if usual else ())
        for slot in range(slots)
    ]

    def program(spec: Spec) -> PaperProgram:
        usual = {asset.id: MeterSpec(past=past) for asset in spec.assets if asset.kind is not AssetKind.SOLAR}
        suns = {asset.id: MeterSpec(past=[_sun(slot) for slot in past]) for asset in spec.assets}
        return PaperProgram(msgspec.structs.replace(spec, meters={**suns, **usual}))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring, "PaperProgram", program)
        if not plans:
            patch.setattr(Day, "_plan", lambda self, slot_s: None)
        return live(scene, slots, faults)


def _sun(slot: Counted) -> Counted:
    return Counted(slot.slot_s, 0, USUAL[0])


def fault(starts: str, kind: str, asset: str, first: float, last: int = 0) -> Fault:
    start_s = epoch(stage(3, starts).street.span.start)
    return Fault(
        kind=kind,
        asset=AssetId(asset),
        start_s=start_s + int(first * SLOT_SECONDS),
        end_s=start_s + last * SLOT_SECONDS,
    )


def bill(one: Lived, member: str) -> dict[tuple[int, Commodity], int]:
    """Return what a member gained in each slot, of energy and of money."""
    gained: dict[tuple[int, Commodity], int] = defaultdict(int)
    for entry in one.entries:
        if entry.slot_s is not None and entry.commodity in (Commodity.ENERGY, Commodity.ERGON):
            gained[entry.slot_s, entry.commodity] += entry.amount * (
                (entry.target == member) - (entry.source == member)
            )
    return {slot: amount for slot, amount in gained.items() if amount}


def told(one: Lived, gateway: str, place: int) -> dict[int, list[Item]]:
    """Return all that a gateway said of each slot of one of its meters, by the slot's number, in the log's order."""
    said: dict[int, list[Item]] = defaultdict(list)
    for row in one.rows:
        if row.items and row.owner == gateway:
            for item in decode_items(row.items):
                if item.register == place:
                    said[(item.start_s - one.at(0)) // SLOT_SECONDS].append(item)
    return said


def conserved(one: Lived) -> None:
    state = one.state
    for commodity in Commodity:
        assert state.accounts.total(commodity) == 0
    assert sum(state.watt(member) for member in state.members()) == state.claims.total_wh


@cache
def evening(*, troubled: bool) -> Lived:
    """Return three hours in which home 2 goes unread for five slots, and then gets another meter within a slot."""
    faults = [fault("18:00", "unread", "home-02", 2, 7), fault("18:00", "reset", "home-02", 9.4)]
    return lived("18:00", 12, faults if troubled else [])


@pytest.mark.row("H9")
@pytest.mark.row("M2")
def test_once_a_meter_is_read_again_the_bill_is_what_it_would_have_been() -> None:
    honest, troubled = evening(troubled=False), evening(troubled=True)
    for account in ("member-01", "member-02", "member-03", "grid", "losses"):
        assert bill(troubled, account) == bill(honest, account)
    paid = {slot_s for slot_s, commodity in bill(honest, "member-02") if commodity is Commodity.ERGON}
    assert paid >= {honest.at(slot) for slot in range(12)}, "a bill of nothing would prove nothing"
    assert set(troubled.state.losses_wh.values()) == {0}
    conserved(troubled)


@pytest.mark.row("H9")
def test_what_could_not_be_read_was_settled_on_marked_estimates_at_once() -> None:
    troubled = evening(troubled=True)
    said = told(troubled, "HEPEK-0002", 0)
    for slot in range(12):
        first, *more = said[slot]
        if 2 <= slot < 7:
            assert (first.import_wh, first.export_wh, first.quality) == (*USUAL, Quality.ESTIMATED)
            assert [(item.quality, item.flags) for item in more] == [(Quality.MEASURED, Flag.CORRECTS)]
        else:
            assert (first.quality, first.flags) == (Quality.MEASURED, Flag.RESET if slot == 9 else Flag.NONE)
            assert more == []
    assert troubled.state.set_aside == []
    arrived = {stamped_s for stamped_s, _, body in troubled.logged("reading_batch") if body["gateway"] == "HEPEK-0002"}
    assert arrived == {troubled.at(slot + 1) for slot in range(-1, 12)}, "no slot went by without a word"


@pytest.mark.row("M2")
def test_a_correction_rewrites_nothing_and_books_the_difference() -> None:
    honest, troubled = evening(troubled=False), evening(troubled=True)
    for slot in range(12):
        mine = [e for e in troubled.entries if e.slot_s == troubled.at(slot) and "member-02" in (e.source, e.target)]
        energy = [(e.memo, e.amount) for e in mine if e.commodity is Commodity.ENERGY]
        true_wh = honest.state.readings[honest.at(slot)]["home-02"].import_wh
        if 2 <= slot < 7:
            corrected = [("corrected import", abs(true_wh - USUAL[0])), ("corrected export", USUAL[1])]
            assert energy == [("grid import", USUAL[0]), ("grid export", USUAL[1]), *corrected]
        else:
            assert energy == [("grid import", true_wh)]


def test_where_nothing_could_be_guessed_the_bill_comes_late_and_whole() -> None:
    """Nobody waits longer for a meter than grace lasts: two of its seven unread slots were settled without it."""
    troubled = lived("18:00", 12, [fault("18:00", "unread", "home-02", 2, 8)], usual=False)
    assert bill(troubled, "member-02") == bill(evening(troubled=False), "member-02")
    late = {(e.slot_s - troubled.at(0)) // SLOT_SECONDS for e in troubled.entries if e.memo == "late import"}
    assert late == {2, 3}
    assert {item.quality for items in told(troubled, "HEPEK-0002", 0).values() for item in items} == {Quality.MEASURED}
    conserved(troubled)


@pytest.mark.row("E2")
def test_no_watt_is_minted_where_the_sun_was_only_estimated() -> None:
    noon = "11:00"
    honest = lived(noon, 12)
    troubled = lived(noon, 12, [fault(noon, "unread", "solar-03", 2, 9)])
    minted = []
    for one in (honest, troubled):
        entries = [e for e in one.entries if e.memo == "watt minted" and e.target == "member-03"]
        minted.append({(e.slot_s - one.at(0)) // SLOT_SECONDS for e in entries})
    assert minted[0] & set(range(2, 9)), "there was something to mint"
    assert not minted[1] & set(range(2, 9))
    said = told(troubled, "HEPEK-0003", 1)
    assert [said[slot][0].quality for slot in range(2, 9)] == [Quality.ESTIMATED] * 7
    assert {said[slot][-1].quality for slot in range(12)} == {Quality.MEASURED}
    assert troubled.state.set_aside == []
    conserved(troubled)


@cache
def unplanned() -> Lived:
    return lived("11:00", 10, homes=2, plans=False)


TROUBLE = st.tuples(
    st.sampled_from(["unread", "reset", "silent"]),
    st.sampled_from(["home-01", "solar-01", "battery-01", "home-02"]),
    st.floats(0, 7, exclude_max=True),
    st.integers(1, 8),
)


@pytest.mark.row("M2")
@settings(max_examples=12)
@given(st.lists(TROUBLE, min_size=1, max_size=4))
def test_whatever_goes_wrong_with_meters_all_energy_and_money_end_where_they_belong(
    troubles: list[tuple[str, str, float, int]],
) -> None:
    faults = [
        fault("11:00", kind, asset, first if kind == "reset" else int(first), last)
        for kind, asset, first, last in troubles
    ]
    honest, troubled = unplanned(), lived("11:00", 10, faults, homes=2, plans=False)
    state = troubled.state
    assert state.set_aside == []
    assert state.settled_to_s == troubled.at(10)
    for slot in range(10):
        slot_s = troubled.at(slot)
        assert dict(state.readings[slot_s]) == dict(honest.state.readings[slot_s])
        for asset in state.assets.values():
            if asset.kind is AssetKind.CONNECTION:
                reading = honest.state.readings[slot_s][asset.id]
                got_wh = bill(troubled, asset.owner).get((slot_s, Commodity.ENERGY), 0)
                assert got_wh == reading.import_wh - reading.export_wh
    assert bill(troubled, "grid") == bill(honest, "grid")
    assert set(state.losses_wh.values()) == {0}
    conserved(troubled)
