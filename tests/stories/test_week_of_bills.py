"""A recorded week with batteries run greedily: every slot sums to zero and every bill adds up, to the Wh and micro."""

from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.neighbourhood import House, neighbourhood, proven

from commonwatt.apps.scenes import scene
from commonwatt.flows.rulebook.settlement.sharing_bodies import SettlementTerms, SharingBody
from commonwatt.model import SLOT_SECONDS, SLOTS_PER_DAY, AssetKind, Commodity, epoch
from commonwatt.simulator.home import Home, HomeState
from commonwatt.simulator.paper import PaperLog
from commonwatt.simulator.recorded import load
from commonwatt.simulator.street import account, home_assets
from commonwatt.simulator.world import surroundings

FOLDER = Path(__file__).parents[2] / "examples" / "street"
HOMES = 5
WHOLE_WEEK = (
    SettlementTerms(
        imbalance="grid",
        imbalance_markup_micro_per_kwh=10_000,
        sharing=SharingBody(key="pairs", fee_micro_per_kwh=15_000),
        equalise="day",
    ),
    7,
)
ONE_DAY = [
    (SettlementTerms(), 1),
    (SettlementTerms(sharing=SharingBody(key="dynamic"), ex_post=True, equalise="month"), 1),
    (SettlementTerms(imbalance="grid", sharing=SharingBody(key="static", permille={"member-02": 400})), 1),
]


@pytest.mark.row("M2")
@pytest.mark.row("E1")
@pytest.mark.parametrize(("terms", "days"), [WHOLE_WEEK, *ONE_DAY])
def test_a_recorded_week_sums_to_zero_slot_by_slot_and_every_bill_adds_up(terms: SettlementTerms, days: int) -> None:
    street = replace(scene(FOLDER).street, days=days)
    street = replace(street, home=street.home[:HOMES])
    recorded = load(FOLDER / "data", street)
    houses = []
    for number in range(1, HOMES + 1):
        assets = {a.kind: a for a in home_assets(street, number) if a.kind is not AssetKind.VEHICLE}
        around = replace(surroundings(street, recorded, number), stays=())
        houses.append(House(account(number), Home(assets, around, HomeState(battery_wh=0), reserve_wh=0)))
    first_s, end_s = epoch(street.span.start), epoch(street.span.end)
    slots = range(first_s, end_s, SLOT_SECONDS)
    both = (series.between(first_s, end_s) for series in (recorded.import_price, recorded.export_price))
    store = PaperLog()
    lived = neighbourhood(houses, store, dict(zip(slots, zip(*both, strict=True), strict=True)))
    lived.found(first_s, terms, b_max_wh=10_000)
    for slot_s in slots:
        lived.live(slot_s)
    found, bills = proven(lived, store.rows(), first_s, end_s)
    memos = {entry.memo for entry in found.state.entries if entry.commodity is Commodity.ENERGY}
    assert len(bills) == HOMES
    assert len(slots) == days * SLOTS_PER_DAY
    assert ("trade" in memos) is not terms.ex_post
    assert ("trade kept" in memos) is (terms.imbalance != "none")
    assert any(memo.startswith("shared") for memo in memos) is (terms.sharing.key != "none")
