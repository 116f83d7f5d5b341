"""What is longer than one question gets at most is told whole where it is taken along, and from its end elsewhere."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from commonwatt.adapters.stores.chronicle import MOST_ROWS, Chronicle
from commonwatt.apps.views import comparing, market
from commonwatt.flows.chronicle import Chapter, Traded
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import SLOT_SECONDS, AccountId, OrderId, Trade

AUDITS = Seat(person="audrey", role=Role.AUDITOR, account=None)
SLOTS = MOST_ROWS + 50
END_S = SLOTS * SLOT_SECONDS


@pytest.fixture(scope="module")
def community() -> Any:
    """A hundred and four days and some hours, with a trade of 10 Wh in every slot and of 20 Wh in every tenth."""
    told = Chapter(size=1, now_s=END_S)
    for place in range(SLOTS):
        slot_s = place * SLOT_SECONDS
        told.prices[slot_s] = (300_000, 100_000)
        told.trades += [Traded(slot_s=slot_s, number=n, trade=_trade(n)) for n in range(1 if place % 10 else 2)]
    chronicle = Chronicle()
    chronicle.add(told)
    return SimpleNamespace(chronicle=chronicle, told_s=END_S)


def _trade(number: int) -> Trade:
    return Trade(
        buyer=AccountId("member-01"),
        seller=AccountId("member-02"),
        bid=OrderId("1"),
        ask=OrderId("2"),
        energy_wh=10 * (number + 1),
        price_micro_per_kwh=150_000 + 60_000 * number,
        fee_micro_per_kwh=0,
    )


def test_all_trades_are_taken_along_however_long_a_community_has_lived(community: Any) -> None:
    under = SimpleNamespace(as_of_s=END_S)

    async def taken() -> list[dict[str, Any]]:
        return [row async for rows in comparing.trades(community, AUDITS, under) for row in rows]  # type: ignore[arg-type]

    rows = asyncio.run(taken())
    assert len(rows) == SLOTS + SLOTS // 10
    slots = [row["slot_s"] for row in rows]
    assert slots == sorted(slots, reverse=True) and (slots[0], slots[-1]) == (END_S - SLOT_SECONDS, 0)


def test_the_last_slots_prices_are_told_with_all_that_was_traded_in_them(community: Any) -> None:
    found = market.slot_prices(community, AUDITS, 0, END_S)
    assert (found[0].slot_s, found[-1].slot_s, len(found)) == (50 * SLOT_SECONDS, END_S - SLOT_SECONDS, MOST_ROWS)
    assert [one.traded_wh for one in found] == [10 if place % 10 else 30 for place in range(50, SLOTS)]
    assert {one.local_price for one in found} == {150_000, 190_000}
    first = market.slot_prices(community, AUDITS, 0, 50 * SLOT_SECONDS, 20)
    assert [one.slot_s // SLOT_SECONDS for one in first] == list(range(30, 50))
