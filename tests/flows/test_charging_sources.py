"""What feeds a slot is the same whether its entries are booked one by one or as arrays."""

import numpy as np
import pytest
from community import NOON
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.flows.rulebook.sessions import Charging, Fed, Fee, Station
from commonwatt.ledger.accounts import Accounts
from commonwatt.ledger.journal import Postings
from commonwatt.model import GRID, LOSSES, MINT, AccountId, AssetId, Commodity, Entry

NAMES = (GRID, LOSSES, MINT, *(AccountId(name) for name in ("anna", "ben", "cleo")))
memos = st.sampled_from(["grid import", "grid export", "trade", "watt delivery", "charging"])
moves = st.lists(
    st.tuples(st.integers(0, 5), st.integers(1, 5), st.integers(1, 10**6)).map(
        lambda m: (m[0], (m[0] + m[1]) % 6, m[2])
    ),
    min_size=1,
    max_size=30,
)


def charging() -> Charging:
    fee = Fee(valid_from_s=0, micro_per_kwh=0, micro_per_session=0)
    return Charging(stations={AccountId("pole"): Station(meter=AssetId("point"), fees=(fee,))}, from_s=NOON)


@pytest.mark.row("E9")
@given(memos, moves, st.sampled_from([NOON - 900, NOON]), st.sampled_from([Commodity.ENERGY, Commodity.ERGON]))
def test_arrays_feed_a_slot_as_their_entries_do(
    memo: str, moved: list[tuple[int, int, int]], slot_s: int, commodity: Commodity
) -> None:
    accounts = Accounts()
    numbers = [accounts.number(name) for name in NAMES]
    columns = [np.array(column, np.int64) for column in zip(*moved, strict=True)]
    postings = Postings(
        commodity=commodity,
        accounts=accounts,
        sources=np.array(numbers)[columns[0]],
        targets=np.array(numbers)[columns[1]],
        amounts=columns[2],
        memo=memo,
        slot_s=slot_s,
    )
    at_once, singly = charging(), charging()
    at_once.note_many(postings, accounts)
    for entry in postings.entries():
        singly.note(entry)
    assert at_once.fed.get(slot_s, Fed()) == singly.fed.get(slot_s, Fed())
    if memo == "trade" and slot_s == NOON and commodity is Commodity.ENERGY:
        outside = set(NAMES[:3])
        between = [wh for source, target, wh in moved if not {NAMES[source], NAMES[target]} & outside]
        assert singly.fed[slot_s].exchanged_wh == sum(between)


def test_what_a_settled_slot_was_fed_with_stays() -> None:
    known = charging()
    known.fed[NOON] = Fed(imported_wh=5, price_micro_per_kwh=1)
    entry = Entry(commodity=Commodity.ENERGY, source=GRID, target=NAMES[3], amount=7, memo="late import", slot_s=NOON)
    known.note(entry)
    assert known.fed[NOON].imported_wh == 5
    assert Charging().fed == {}
