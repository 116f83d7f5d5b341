"""What is reserved can be posted once or let go once, and until then nobody else can have it."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from commonwatt.ledger.accounts import Accounts
from commonwatt.ledger.transfers import FOR_EVER_S, Transfer, Transfers
from commonwatt.model import MAX_SAFE_INTEGER, AccountId, Commodity, Entry, InvalidValue

ANA, BEN, CEM = (AccountId(name) for name in ("ana", "ben", "cem"))
PEOPLE = (ANA, BEN, CEM)
MONEY = (Commodity.ERGON, Commodity.WATT)


def wish(name: str = "7", amount: int = 100, until_s: int = 900, source: AccountId = ANA) -> Transfer:
    target = BEN if source == ANA else ANA
    return Transfer(id=name, commodity=Commodity.ERGON, source=source, target=target, amount=amount, until_s=until_s)


@pytest.mark.row("H11")
def test_what_is_reserved_is_not_available_until_it_is_posted_or_void() -> None:
    transfers = Transfers()
    transfers.reserve(wish("7", 100))
    transfers.reserve(wish("8", 30))
    assert transfers.reserved(ANA, Commodity.ERGON) == 130
    assert transfers.available(ANA, Commodity.ERGON, 150) == 20
    assert transfers.available(ANA, Commodity.WATT, 150) == 150
    assert transfers.reserved(BEN, Commodity.ERGON) == 0
    assert transfers.void("7") == wish("7", 100)
    assert transfers.void("8") == wish("8", 30)
    assert transfers.available(ANA, Commodity.ERGON, 50) == 50
    assert transfers.items() == []


def test_what_is_gone_is_gone() -> None:
    transfers = Transfers([wish("7"), wish("8")])
    assert transfers.void("7") is not None
    assert transfers.void("8") is not None
    for name in ("7", "8", "never"):
        assert transfers.void(name) is None


def test_a_transfer_holds_until_its_end_and_is_due_from_then_on() -> None:
    transfers = Transfers([wish("b", until_s=900), wish("a", until_s=900), wish("c", until_s=60)])
    transfers.reserve(wish("d", until_s=FOR_EVER_S))
    assert transfers.due(59) == []
    assert transfers.due(899) == ["c"]
    assert transfers.due(900) == ["c", "a", "b"]
    assert transfers.due(2**52) == ["c", "a", "b"]
    transfers.void("a")
    assert transfers.due(900) == ["c", "b"]


def test_a_name_is_reserved_once_at_a_time_and_sums_stay_countable() -> None:
    transfers = Transfers([wish("7", MAX_SAFE_INTEGER)])
    for again in (wish("7", 1, source=BEN), wish("8", 1)):
        with pytest.raises(InvalidValue):
            transfers.reserve(again)
    assert transfers.items() == [wish("7", MAX_SAFE_INTEGER)]
    assert transfers.due(900) == ["7"]


@pytest.mark.parametrize(
    "change",
    [
        {"id": ""},
        {"amount": 0},
        {"amount": -5},
        {"amount": 2**53},
        {"target": ANA},
        {"until_s": 2**53},
        {"until_s": -(2**53)},
    ],
)
def test_a_transfer_that_could_not_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        replace(wish(), **change)


class TwoPhases(RuleBasedStateMachine):
    """Three people with 1,000 of each commodity, against a plain list of what is pending."""

    def __init__(self) -> None:
        super().__init__()
        self.transfers = Transfers()
        self.accounts = Accounts()
        self.naive: list[Transfer] = []
        self.has = {(person, commodity): 1_000 for person in PEOPLE for commodity in MONEY}
        self.gone: list[str] = []
        self.named = 0

    @rule(
        pair=st.permutations(PEOPLE),
        commodity=st.sampled_from(MONEY),
        amount=st.integers(1, 700),
        until_s=st.integers(0, 9),
    )
    def reserve(self, pair: list[AccountId], commodity: Commodity, amount: int, until_s: int) -> None:
        free = self.transfers.available(pair[0], commodity, self.has[pair[0], commodity])
        if free < amount:
            return
        self.named += 1
        transfer = Transfer(
            id=str(self.named), commodity=commodity, source=pair[0], target=pair[1], amount=amount, until_s=until_s
        )
        self.transfers.reserve(transfer)
        self.naive.append(transfer)

    @rule(data=st.data())
    def post(self, data: st.DataObject) -> None:
        if not self.naive:
            return
        transfer = data.draw(st.sampled_from(self.naive))
        amount = data.draw(st.integers(1, transfer.amount))
        assert self.transfers.void(transfer.id) == transfer
        booked = replace(transfer, amount=amount)
        self.has[booked.source, booked.commodity] -= booked.amount
        self.has[booked.target, booked.commodity] += booked.amount
        self.accounts.post(
            Entry(
                commodity=booked.commodity,
                source=booked.source,
                target=booked.target,
                amount=booked.amount,
                memo="transfer",
                slot_s=0,
                ref=booked.id,
            )
        )
        self.end(transfer)

    @rule(data=st.data())
    def void(self, data: st.DataObject) -> None:
        if self.naive:
            transfer = data.draw(st.sampled_from(self.naive))
            assert self.transfers.void(transfer.id) == transfer
            self.end(transfer)

    @rule(now_s=st.integers(0, 9))
    def let_time_pass(self, now_s: int) -> None:
        late = sorted((t.until_s, t.id) for t in self.naive if t.until_s <= now_s)
        assert self.transfers.due(now_s) == [name for _, name in late]
        for _, name in late[:1]:
            transfer = self.transfers.void(name)
            assert transfer is not None
            self.end(transfer)

    @rule(data=st.data())
    def try_what_is_gone(self, data: st.DataObject) -> None:
        if self.gone:
            name = data.draw(st.sampled_from(self.gone))
            assert self.transfers.void(name) is None

    @rule()
    def rebuild(self) -> None:
        self.transfers = Transfers(reversed(self.transfers.items()))

    def end(self, transfer: Transfer) -> None:
        self.naive.remove(transfer)
        self.gone.append(transfer.id)

    @invariant()
    def reserved_is_the_sum_of_what_is_pending_and_never_more_than_there_is(self) -> None:
        sums: Counter[tuple[AccountId, Commodity]] = Counter()
        for transfer in self.naive:
            sums[transfer.source, transfer.commodity] += transfer.amount
        for (person, commodity), balance in self.has.items():
            assert self.transfers.reserved(person, commodity) == sums[person, commodity]
            assert 0 <= self.transfers.available(person, commodity, balance) <= balance
            assert balance == 1_000 + self.accounts.balance(person, commodity)

    @invariant()
    def what_is_pending_is_listed_once_and_sorted(self) -> None:
        assert self.transfers.items() == sorted(self.naive, key=lambda transfer: transfer.id)
        assert [self.accounts.total(commodity) for commodity in MONEY] == [0, 0]


@pytest.mark.row("H11")
def test_nobody_gives_twice_what_they_have_once_in_any_order_of_events() -> None:
    run_state_machine_as_test(TwoPhases, settings=settings(max_examples=80, stateful_step_count=30, deadline=None))
