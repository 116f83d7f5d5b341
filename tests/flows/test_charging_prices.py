"""What a car pays for a slot and where its energy came from, where neighbours share, and where they break a word."""

import pytest
from charging_place import Plaza
from community import EXPORT, IMPORT, NOON, Flow

from commonwatt.flows.rulebook.settlement.sharing_bodies import SettlementTerms, SharingBody
from commonwatt.model import Outcome, Side
from commonwatt.settlement.charging import Line, Mix


def line_of(plaza: Plaza, charged_wh: int = 4_000, **flows: Flow) -> Line:
    """Let a car charge within the running slot, and return the one line of its bill."""
    session = plaza.authorised(source="solar")
    assert plaza.start(session) is Outcome.BOOKED
    plaza.now_s += 100
    assert plaza.count(session, (0, 4_000)) is Outcome.BOOKED
    assert plaza.stop(session) is Outcome.BOOKED
    assert plaza.meter(session, 4_000) is Outcome.BOOKED
    plaza.pass_slot(charged_wh, **flows)
    bill = plaza.receipt(session).bill
    assert bill is not None
    (line,) = bill.lines
    return line


@pytest.mark.row("E9")
@pytest.mark.parametrize("key", ["dynamic", "pairs"])
def test_shared_sun_is_sun_on_the_receipt_and_costs_what_neighbours_paid(key: str) -> None:
    plaza = Plaza(settlement=SettlementTerms(sharing=SharingBody(key=key)))
    line = line_of(plaza, anna=Flow(solar_wh=4_000))
    assert line.mix == Mix(solar_wh=4_000)
    assert line.price_micro_per_kwh == (IMPORT + EXPORT) // 2


@pytest.mark.row("E9")
def test_traded_and_shared_energy_weigh_by_what_of_each_was_delivered() -> None:
    plaza = Plaza(settlement=SettlementTerms(sharing=SharingBody(key="dynamic")))
    assert plaza.order("ben", Side.BID, 3_000, EXPORT, NOON) is Outcome.BOOKED
    assert plaza.order("anna", Side.ASK, 3_000, EXPORT, NOON) is Outcome.BOOKED
    plaza.now_s += 100
    line = line_of(plaza, anna=Flow(solar_wh=4_000), ben=Flow(load_wh=1_000))
    # Ben took 1,000 of 3,000 Wh that were agreed at 0.10; the car's 3,000 Wh were shared at 0.20.
    assert line.price_micro_per_kwh == (1_000 * EXPORT + 3_000 * 200_000) // 4_000
    assert line.mix == Mix(solar_wh=3_200, grid_wh=800), "the car had four fifths of everything"


@pytest.mark.row("E9")
@pytest.mark.parametrize("imbalance", ["none", "grid"])
def test_a_trade_that_nobody_delivered_moves_no_price(imbalance: str) -> None:
    plaza = Plaza(settlement=SettlementTerms(imbalance=imbalance, imbalance_most_micro_per_kwh=IMPORT))
    assert plaza.order("ben", Side.BID, 5_000, EXPORT, NOON) is Outcome.BOOKED
    assert plaza.order("anna", Side.ASK, 5_000, EXPORT, NOON) is Outcome.BOOKED
    plaza.now_s += 100
    line = line_of(plaza)
    assert plaza.entries("trade") == []
    assert line.price_micro_per_kwh == IMPORT
    assert line.mix == Mix(grid_wh=4_000)


@pytest.mark.row("E9")
def test_sun_that_its_buyer_did_not_take_is_the_sellers_and_counts_once() -> None:
    plaza = Plaza(settlement=SettlementTerms(imbalance="grid"))
    assert plaza.order("ben", Side.BID, 1_000, EXPORT, NOON) is Outcome.BOOKED
    assert plaza.order("anna", Side.ASK, 1_000, EXPORT, NOON) is Outcome.BOOKED
    plaza.now_s += 100
    line = line_of(plaza, anna=Flow(solar_wh=1_000))
    assert line.mix == Mix(solar_wh=1_000, grid_wh=3_000)
