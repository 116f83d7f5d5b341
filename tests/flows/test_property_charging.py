"""Whatever cars and stations do, in whatever order: money conserves, nobody overpays, receipts add up to entries.

And whoever slept in between, and woke from a snapshot, books the same.
"""

from collections import Counter

import pytest
from charging_place import GATEWAY, POINT, POST, STATION, Plaza
from community import LAPSE, Flow
from hypothesis import example, given, settings
from hypothesis import strategies as st
from waking import check_woken, sleep

from commonwatt.flows.rulebook.charging.sessions import Receipt
from commonwatt.flows.rulebook.settlement.sharing_bodies import SettlementTerms, SharingBody
from commonwatt.model import MICRO, AssetId, AssetKind, Commodity, Entry, Outcome, Side, share_wh

CARS = st.sampled_from(["zoe", "guest"])
NUMBER = st.integers(0, 3)
DEEDS = st.one_of(
    st.tuples(st.just("authorise"), CARS, st.integers(1, 6), st.integers(1, 12)),
    st.tuples(st.just("start"), NUMBER),
    st.tuples(st.just("count"), NUMBER, st.integers(0, 120), st.integers(0, 9_000), st.sampled_from([POST, GATEWAY])),
    st.tuples(st.just("stop"), NUMBER, st.sampled_from([POST, "zoe", "guest"])),
    st.tuples(st.just("meter"), NUMBER, st.integers(0, 9_000)),
    st.tuples(st.just("wait"), st.integers(1, 600)),
    st.tuples(st.just("slot"), st.integers(0, 4_000), st.integers(0, 4_000), st.integers(0, 2_000)),
    st.tuples(st.just("trade"), st.integers(1, 3_000)),
    st.tuples(st.just("whole"), NUMBER, st.integers(1, 4_000)),
    st.tuples(st.just("sleep")),
)
MOST_SLEEPS = 3
SETTLEMENTS = (
    LAPSE,
    SettlementTerms(imbalance="grid"),
    *(SettlementTerms(sharing=SharingBody(key=key)) for key in ("dynamic", "pairs")),
)


def session_of(plaza: Plaza, number: int) -> str:
    """Return one of the sessions that stand, or a name that nothing has."""
    names = list(plaza.state.sessions.standing)
    return names[number] if number < len(names) else "999"


def do(plaza: Plaza, deed: tuple[object, ...]) -> None:
    match deed:
        case ("authorise", str(car), int(micro), int(quarters)):
            plaza.authorise(car, wh=8_000, micro=micro * MICRO, lasts_s=quarters * 900)
        case ("start", int(number)):
            plaza.start(session_of(plaza, number))
        case ("count", int(number), int(ago_s), int(wh), str(by)):
            plaza.count(session_of(plaza, number), (ago_s, wh), by=by)
        case ("stop", int(number), str(by)):
            plaza.stop(session_of(plaza, number), by=by)
        case ("meter", int(number), int(wh)):
            plaza.meter(session_of(plaza, number), wh)
        case ("wait", int(seconds)):
            plaza.now_s = min(plaza.now_s + seconds, plaza.slot_s + 899)
        case ("slot", int(charged_wh), int(solar_wh), int(load_wh)):
            plaza.pass_slot(charged_wh, anna=Flow(solar_wh=solar_wh), ben=Flow(load_wh=load_wh))
        case ("trade", int(wh)):
            plaza.order("anna", Side.ASK, wh, 150_000, plaza.slot_s + 900)
            plaza.order("ben", Side.BID, wh, 250_000, plaza.slot_s + 900)
        case ("whole", int(number), int(wh)):
            session = session_of(plaza, number)
            plaza.start(session)
            plaza.now_s = min(plaza.now_s + 60, plaza.slot_s + 899)
            plaza.count(session, (0, wh))
            plaza.stop(session)
            plaza.meter(session, wh)
        case _:
            if len(list(plaza.store.snapshots())) < MOST_SLEEPS:
                sleep(plaza)


@pytest.mark.row("E9")
@settings(max_examples=40, deadline=None)
@given(st.sampled_from(SETTLEMENTS), st.lists(DEEDS, max_size=40))
@example(
    LAPSE,
    [
        ("stop", 0, POST),
        ("authorise", "zoe", 2, 8),
        ("authorise", "guest", 2, 8),
        ("whole", 2, 1_000),
        ("whole", 1, 1_000),
        ("sleep",),
        ("slot", 2_000, 0, 0),
    ],
)
def test_money_conserves_and_every_receipt_adds_up_to_its_entries(
    settlement: SettlementTerms, deeds: list[tuple[object, ...]]
) -> None:
    plaza = Plaza(settlement=settlement)
    first = plaza.authorised(micro=2 * MICRO)  # so that there is always something to be done
    assert plaza.start(first) is Outcome.BOOKED
    for deed in deeds:
        do(plaza, deed)
        assert plaza.reserved("zoe") <= 10 * MICRO
    for _ in range(60):
        if not plaza.state.sessions.standing:
            break
        plaza.pass_slot()
    assert not plaza.state.sessions.standing, "nothing stands for ever"
    assert plaza.reserved("zoe") == plaza.reserved("guest") == 0
    for commodity in (Commodity.ERGON, Commodity.ENERGY):
        assert plaza.state.accounts.total(commodity) == 0
    entries = [entry for entry in plaza.booked() if entry.memo in ("charging", "charging corrected")]
    paid, passed = Counter[str](), Counter[str]()
    for entry in entries:
        assert {entry.source, entry.target} in ({"zoe", STATION}, {"guest", STATION})
        sums, giver = (paid, STATION) if entry.commodity is Commodity.ERGON else (passed, "")
        sign = 1 if (entry.target == STATION) == (giver == STATION) else -1
        sums[entry.ref] += sign * entry.amount
    receipts = plaza.receipts()
    for receipt in receipts:
        bill = receipt.bill
        assert paid[receipt.session.id] == (bill.due_micro if bill else 0) <= receipt.session.most_micro
        assert passed[receipt.session.id] == (bill.energy_wh if bill else 0) <= receipt.session.most_wh
    assert {entry.ref for entry in entries} <= {receipt.session.id for receipt in receipts}
    check_sources(plaza, receipts)
    check_meter(plaza, receipts)
    check_woken(plaza)


def check_meter(plaza: Plaza, receipts: list[Receipt]) -> None:
    """Hold that all sessions of a slot together were billed no more than the station's connection took."""
    billed = Counter[int]()
    for line in (line for receipt in receipts if receipt.bill for line in receipt.bill.lines):
        billed[line.slot_s] += line.energy_wh
    for slot_s, wh in billed.items():
        assert wh <= plaza.state.readings[slot_s][AssetId(POINT)].import_wh


def check_sources(plaza: Plaza, receipts: list[Receipt]) -> None:
    """Compare each line of each receipt with a slow sum over the log's entries of its slot."""
    entries = plaza.booked()
    for line in (line for receipt in receipts if receipt.bill for line in receipt.bill.lines):
        weights = slow_mix(plaza, [entry for entry in entries if entry.slot_s == line.slot_s])
        shares = share_wh(line.energy_wh, weights) if any(weights) else [0, 0, 0, line.energy_wh]
        assert [line.mix.solar_wh, line.mix.watt_wh, line.mix.other_wh, line.mix.grid_wh] == shares


SOLD = ("trade", "trade kept", "shared", "shared export", "grid export")


def unused_sun(plaza: Plaza, member: str, slot_s: int) -> int:
    """Return what a home's roof made beyond what it drew and stored itself."""
    slot = plaza.state.readings[slot_s]
    behind = {a.id: a.kind for a in plaza.state.assets.values() if a.owner == member}
    net = {kind: slot[asset].export_wh - slot[asset].import_wh for asset, kind in behind.items()}
    load = max(0, sum(net.values()) - 2 * net[AssetKind.CONNECTION])
    charged = sum(slot[asset].import_wh for asset, kind in behind.items() if kind is not AssetKind.CONNECTION)
    return sum(slot[asset].export_wh for asset, kind in behind.items() if kind is AssetKind.SOLAR) - load - charged


def slow_mix(plaza: Plaza, entries: list[Entry]) -> list[int]:
    """Return sun, calls, other exports and grid of a slot, looking at each entry again for each member."""
    energy = [entry for entry in entries if entry.commodity is Commodity.ENERGY]
    sun = other = 0
    for member in ("anna", "ben", STATION):
        sold = sum(e.amount for e in energy if e.source == member and e.memo in SOLD)
        made = max(0, unused_sun(plaza, member, energy[0].slot_s)) if energy else 0
        sun, other = sun + min(sold, made), other + max(0, sold - made)
    calls = sum(e.amount for e in energy if e.memo == "watt delivery")
    taken = sum(e.amount for e in energy if e.memo == "grid import")
    given = sum(e.amount for e in energy if e.memo == "grid export")
    return [sun, calls, other, max(0, taken - given)]
