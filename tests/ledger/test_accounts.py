from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.ledger.accounts import Accounts, read_row
from commonwatt.ledger.merkle import EMPTY_ROOT, merkle_root, verify_inclusion
from commonwatt.model import GRID, AccountId, Commodity, Entry, InvalidValue
from oracles.accounts import PlainAccounts

ANNE, BERT = AccountId("anne"), AccountId("bert")
MOST = 2**53 - 1
NAMES = [ANNE, BERT, GRID, AccountId("zoë"), AccountId("a" * 64), AccountId("Zoe")]
PAIRS = st.lists(st.sampled_from(NAMES), min_size=2, max_size=2, unique=True)
AMOUNTS = st.integers(1, 9) | st.sampled_from([MOST // 4, MOST - 1, MOST])


def move(amount: int, source: AccountId, target: AccountId, commodity: Commodity = Commodity.ERGON) -> Entry:
    return Entry(commodity=commodity, source=source, target=target, amount=amount, memo="trade", slot_s=0)


def entries(amounts: st.SearchStrategy[int]) -> st.SearchStrategy[list[Entry]]:
    made = st.builds(
        lambda amount, pair, commodity: move(amount, pair[0], pair[1], commodity),
        amounts,
        PAIRS,
        st.sampled_from(Commodity),
    )
    return st.lists(made, max_size=30)


ENTRIES = entries(st.integers(1, 9))


def booked(entries: Sequence[Entry]) -> Accounts:
    accounts = Accounts()
    for entry in entries:
        accounts.post(entry)
    return accounts


def rows(accounts: Accounts) -> list[bytes]:
    return [row.tobytes() for row in accounts.rows()]


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
    assert [accounts.total(commodity) for commodity in Commodity] == [0] * len(Commodity)


@given(entries(AMOUNTS))
def test_columns_hold_what_a_plain_dict_holds(entries: list[Entry]) -> None:
    accounts, plain = Accounts(), PlainAccounts()
    for entry in entries:
        refused = []
        for books in (accounts, plain):
            try:
                books.post(entry)
            except InvalidValue as error:
                refused.append(str(error))
        assert len(set(refused)) == len(refused) // 2, "both refuse, in the same words, or neither"
    assert list(accounts.balances()) == list(plain.balances())
    assert rows(accounts) == plain.rows()
    assert accounts.root() == merkle_root(plain.rows())
    for commodity in Commodity:
        assert accounts.total(commodity) == plain.total(commodity)
        column = accounts.column(commodity).tolist()
        assert dict(zip(accounts.names(range(len(column))), column, strict=True)) == {
            name: plain.balance(name, commodity) for name in accounts.names(range(len(column)))
        }
        for name in [*NAMES, AccountId("nobody")]:
            assert accounts.balance(name, commodity) == plain.balance(name, commodity)


@given(before=ENTRIES, many=st.dictionaries(st.sampled_from(NAMES), st.integers(-(10**9), 10**9)))
def test_spreading_an_account_is_posting_one_after_the_other(before: list[Entry], many: dict[AccountId, int]) -> None:
    hub = AccountId("hub")
    singly, together = booked(before), booked(before)
    for name, amount in many.items():
        if amount:
            singly.post(move(abs(amount), *((hub, name) if amount > 0 else (name, hub)), Commodity.ERGON))
    numbers = np.array([together.number(name) for name in many], np.int64)
    together.spread(Commodity.ERGON, hub, numbers, np.array([*many.values()], np.int64))
    assert list(together.balances()) == list(singly.balances())
    assert together.root() == singly.root()


@pytest.mark.parametrize("amounts", [[MOST], [MOST // 2, MOST // 2 + 2], [-MOST, MOST]])
def test_many_that_could_leave_the_range_are_refused_and_nothing_moves(amounts: list[int]) -> None:
    accounts = booked([move(1, ANNE, BERT)])
    targets = np.array([accounts.number(AccountId(f"member-{n}")) for n in range(len(amounts))], np.int64)
    before = accounts.root()
    with pytest.raises(InvalidValue, match="within"):
        accounts.spread(Commodity.ERGON, GRID, targets, np.array(amounts, np.int64))
    assert accounts.root() == before


@given(ENTRIES, st.randoms())
def test_the_books_do_not_depend_on_the_order_of_entries(entries: list[Entry], chance: Random) -> None:
    shuffled = chance.sample(entries, len(entries))
    assert rows(booked(shuffled)) == rows(booked(entries))
    assert booked(shuffled).root() == booked(entries).root()


@given(ENTRIES)
def test_taking_every_entry_back_leaves_empty_books(entries: list[Entry]) -> None:
    back = [move(entry.amount, entry.target, entry.source, entry.commodity) for entry in entries]
    accounts = booked(entries + back)
    assert list(accounts.balances()) == []
    assert rows(accounts) == []
    assert accounts.root() == EMPTY_ROOT


@given(ENTRIES)
def test_leaves_say_every_balance_that_is_not_zero_once_and_sorted(entries: list[Entry]) -> None:
    accounts = booked(entries)
    told = [read_row(leaf) for leaf in rows(accounts)]
    assert [(name, c, balances[c]) for name, balances in told for c in sorted(balances) if balances[c]] == list(
        accounts.balances()
    )
    assert all(any(balances.values()) for _, balances in told)
    assert list(accounts.balances()) == sorted(accounts.balances())


def test_a_leaf_is_a_name_and_its_balances_in_one_fixed_form() -> None:
    leaf, _ = rows(booked([move(5, ANNE, BERT)]))
    place = list(Commodity).index(Commodity.ERGON)
    assert leaf == b"anne" + bytes(60) + b"".join(
        (-5 if n == place else 0).to_bytes(8, signed=True) for n in range(len(Commodity))
    )
    assert read_row(leaf) == (ANNE, {c: -5 if c is Commodity.ERGON else 0 for c in Commodity})


@pytest.mark.parametrize("row", [b"", bytes(63), b"\xff" * (64 + 8 * len(Commodity)), bytes(65 + 8 * len(Commodity))])
def test_what_is_no_leaf_is_refused(row: bytes) -> None:
    with pytest.raises(InvalidValue):
        read_row(row)


@pytest.mark.parametrize("name", ["", "a" * 65, "é" * 33, "a\0", "\0"])
def test_a_name_that_no_leaf_could_hold_is_refused(name: str) -> None:
    accounts = booked([move(5, ANNE, BERT)])
    with pytest.raises(InvalidValue, match="the name of an account"):
        accounts.number(AccountId(name))
    assert len(rows(accounts)) == 2


@given(ENTRIES)
def test_every_account_with_a_balance_has_a_proof_and_no_other(entries: list[Entry]) -> None:
    accounts = booked(entries)
    holders = {account for account, _, _ in accounts.balances()}
    for name in [*NAMES, AccountId("nobody")]:
        if name not in holders:
            with pytest.raises(InvalidValue, match="has none"):
                accounts.proof(name)
            continue
        leaf, index, size, path = accounts.proof(name)
        assert verify_inclusion(leaf, index, size, path, accounts.root())
        assert read_row(leaf) == (name, {c: accounts.balance(name, c) for c in Commodity})


@given(ENTRIES, ENTRIES)
def test_books_that_were_dumped_go_on_as_if_nothing_had_happened(entries: list[Entry], more: list[Entry]) -> None:
    accounts = booked(entries)
    again = Accounts.load(accounts.dump())
    assert again.root() == accounts.root()
    for entry in more:
        again.post(entry)
        accounts.post(entry)
    assert list(again.balances()) == list(accounts.balances())
    assert again.dump() == accounts.dump()


def test_books_have_room_for_any_number_of_accounts() -> None:
    accounts = booked([move(n + 1, GRID, AccountId(f"member-{n}")) for n in range(300)])
    assert accounts.balance(AccountId("member-299"), Commodity.ERGON) == 300
    assert len(rows(accounts)) == 301
    assert accounts.total(Commodity.ERGON) == 0


def test_a_balance_beyond_what_can_be_signed_is_refused_and_nothing_moves() -> None:
    accounts = booked([move(MOST, ANNE, BERT)])
    for entry in (move(1, ANNE, GRID), move(1, GRID, BERT)):
        with pytest.raises(InvalidValue, match="within"):
            accounts.post(entry)
    assert rows(accounts) == rows(booked([move(MOST, ANNE, BERT)]))
