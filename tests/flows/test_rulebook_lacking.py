"""What was not backed says how much it asked for and how much stood behind it, in the token that is missing."""

import msgspec
import pytest
from community import IMPORT, PREPAID, Flow
from hypothesis import given
from hypothesis import strategies as st
from purse import TERMS, Purse

from commonwatt.flows.rulebook.lacking import lacking
from commonwatt.flows.rulebook.market.order_bodies import SlotOrder, WattOrder
from commonwatt.flows.rulebook.market.sale_bodies import Listing
from commonwatt.flows.rulebook.tokens import wallet_bodies as wallets
from commonwatt.model import AccountId, Commodity, Kind, Outcome, Side

ANNA = AccountId("anna")
ERGON, WATT, TSL = Commodity.ERGON, Commodity.WATT, Commodity.TSL


@pytest.fixture(scope="module")
def purse() -> Purse:
    community = Purse(2, terms=TERMS | {"commission_micro_per_kwh": 0, "unbacked_micro_per_kwh": 50_000})
    community.live(anna=Flow(solar_wh=1_000, charge_wh=1_000))
    return community


def test_the_amounts_are_those_that_the_rules_compare(purse: Purse) -> None:
    slot_s = purse.slot_s
    bodies: list[tuple[Kind, msgspec.Struct, dict[str, int | str]]] = [
        (
            Kind.TRANSFER,
            wallets.Give(target="ben", commodity=ERGON, amount=PREPAID + 1),
            {"token": "ERGON", "asked_micro": PREPAID + 1, "backed_micro": PREPAID},
        ),
        (
            Kind.TRANSFER,
            wallets.Reserve(target="ben", commodity=WATT, amount=811, until_s=slot_s + 9_000),
            {"token": "WATT", "asked_wh": 811, "backed_wh": 810},
        ),
        (
            Kind.TRANSFER,
            Listing(energy_wh=900, price_micro_per_kwh=1, until_s=slot_s + 9_000),
            {"token": "WATT", "asked_wh": 900, "backed_wh": 810},
        ),
        (
            Kind.PAYOUT,
            wallets.PayoutRequest(amount_micro=(PREPAID // 10_000 + 1) * 10_000),
            {"token": "ERGON", "asked_micro": (PREPAID // 10_000 + 1) * 10_000, "backed_micro": PREPAID},
        ),
        (
            Kind.ORDER,
            WattOrder(side=Side.ASK, energy_wh=10**9, price_micro_per_kwh=200_000),
            {"token": "ERGON", "asked_micro": -(-(10**9 - 810) * 50_000 // 1000), "backed_micro": PREPAID},
        ),
    ]
    for kind, body, told in bodies:
        assert purse.ask("anna", kind, body) is Outcome.NOT_BACKED, body
        assert lacking(purse.state, ANNA, body) == told


@given(energy_wh=st.integers(1, 10_000), price=st.integers(0, 10**9))
def test_a_bid_is_not_backed_exactly_where_more_is_asked_than_stands_behind_it(
    purse: Purse, energy_wh: int, price: int
) -> None:
    body = SlotOrder(side=Side.BID, energy_wh=energy_wh, price_micro_per_kwh=price, slot_s=purse.slot_s)
    cost_micro = -(-energy_wh * price // 1000)
    found = lacking(purse.state, ANNA, body)
    if found:
        assert found["backed_micro"] == PREPAID and abs(int(found["asked_micro"]) - cost_micro) <= 1
    else:
        assert cost_micro <= PREPAID + 1


def test_what_lacks_another_thing_tells_no_amount(purse: Purse) -> None:
    cheap = SlotOrder(side=Side.BID, energy_wh=1, price_micro_per_kwh=IMPORT, slot_s=purse.slot_s)
    assert lacking(purse.state, ANNA, cheap) == {}
    assert lacking(purse.state, ANNA, wallets.Post(transfer="3")) == {}
