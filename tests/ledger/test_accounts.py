import json
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.ledger.accounts import Accounts
from commonwatt.ledger.merkle import EMPTY_ROOT, merkle_root
from commonwatt.model import GRID, AccountId, Commodity, Entry, InvalidValue

ANNE, BERT = AccountId("anne"), AccountId("bert")
PAIRS = st.lists(st.sampled_from([ANNE, BERT, GRID, AccountId("zoë")]), min_size=2, max_size=2, unique=True)


def move(amount: int, source: AccountId, target: AccountId, commodity: Commodity = Commodity.ERGON) -> Entry:
    return Entry(commodity=commodity, source=source, target=target, amount=amount, memo="trade", slot_s=0)


ENTRIES = st.lists(
    st.builds(
        lambda amount, pair, commodity: move(amount, pair[0], pair[1], commodity),
        st.integers(1, 9),
        PAIRS,
        st.sampled_from(Commodity),
    )
)


def booked(entries: Sequence[Entry]) -> Accounts:
    accounts = Accounts()
    for entry in entries:
        accounts.post(entry)
    return accounts


def test_what_one_account_gains_another_loses() -> None:
    accounts = booked([move(5, ANNE, BERT), move(2, BERT, GRID)])
    assert list(accounts.balances()) == [
        (ANNE, Commodity.ERGON, -5),
        (BERT, Commodity.ERGON, 3),
        (GRID, Commodity.ERGON, 2),
    ]
    assert accounts.balance(ANNE, Commodity.ENERGY) == 0


@given(ENTRIES)
def test_nothing_is_ever_made_or_lost(entries: list[Entry]) -> None:
    accounts = booked(entries)
    assert [accounts.total(commodity) for commodity in Commodity] == [0, 0, 0]


@given(ENTRIES, st.randoms())
def test_the_books_do_not_depend_on_the_order_of_entries(entries: list[Entry], chance: Random) -> None:
    shuffled = chance.sample(entries, len(entries))
    assert booked(shuffled).leaves() == booked(entries).leaves()


@given(ENTRIES)
def test_taking_every_entry_back_leaves_empty_books(entries: list[Entry]) -> None:
    back = [move(entry.amount, entry.target, entry.source, entry.commodity) for entry in entries]
    accounts = booked(entries + back)
    assert list(accounts.balances()) == []
    assert merkle_root(accounts.leaves()) == EMPTY_ROOT


@given(ENTRIES)
def test_leaves_say_every_balance_that_is_not_zero_once_and_sorted(entries: list[Entry]) -> None:
    accounts = booked(entries)
    told = [json.loads(leaf) for leaf in accounts.leaves()]
    assert [(leaf["account"], leaf["commodity"], leaf["balance"]) for leaf in told] == list(accounts.balances())
    assert all(balance for _, _, balance in accounts.balances())
    assert list(accounts.balances()) == sorted(accounts.balances())


def test_a_leaf_is_canonical_json() -> None:
    assert booked([move(5, ANNE, BERT)]).leaves() == [
        b'{"account":"anne","balance":-5,"commodity":"ergon_micro"}',
        b'{"account":"bert","balance":5,"commodity":"ergon_micro"}',
    ]


def test_a_balance_beyond_what_can_be_signed_is_refused_and_nothing_moves() -> None:
    accounts = booked([move(2**53 - 1, ANNE, BERT)])
    for entry in (move(1, ANNE, GRID), move(1, GRID, BERT)):
        with pytest.raises(InvalidValue, match="within"):
            accounts.post(entry)
    assert accounts.leaves() == booked([move(2**53 - 1, ANNE, BERT)]).leaves()
