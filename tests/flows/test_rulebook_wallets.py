"""Wallets at rest and at work: all of them is under the root, and only who may matter is looked at."""

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from commonwatt.flows.rulebook.tokens.wallets import Agreed, Kept, Wallets
from commonwatt.ledger.accounts import Accounts
from commonwatt.ledger.transfers import Transfer
from commonwatt.model import MINT, SLOT_SECONDS, AccountId, Commodity, Entry, canonical_json
from commonwatt.tokens.ergon import Payout, PurchaseFact, Said, Stage
from commonwatt.tokens.prepaid import AutoTopUp, Supply, Switched, TopUpRule

ANNA, BEN = AccountId("anna"), AccountId("ben")
NOON = 1_700_000_100 // SLOT_SECONDS * SLOT_SECONDS
GIFT = Transfer(id="7", commodity=Commodity.TSL, source=ANNA, target=BEN, amount=5, until_s=NOON)
BOUGHT = PurchaseFact(reference="p", said=Said.BOUGHT, purchase="p", account=ANNA, amount_micro=9, booked_micro=9)
RULE = TopUpRule(threshold_micro=40, amount_micro=1, daily_cap_micro=1)
FULL = Kept(
    transfers=[GIFT],
    agreed={"7": Agreed(arbiter=BEN)},
    purchases=[BOUGHT],
    payouts=[Payout(reference="8", account=ANNA, amount_micro=4)],
    topups=[AutoTopUp(account=ANNA, rule=RULE)],
    mandates=[ANNA],
    low=(10, 20, [ANNA]),
    switch=(0, 900, [Switched(account=BEN, supply=Supply.GRACE, since_s=NOON, deadline_s=NOON + 900)]),
    held=(NOON, [(ANNA, NOON + 3, 30)]),
    quarters={NOON - SLOT_SECONDS: {ANNA: 900}},
)


def leaves(kept: Kept) -> list[bytes]:
    return [canonical_json(msgspec.to_builtins(leaf)) for leaf in Wallets.load(kept).leaves()]


@pytest.mark.parametrize(
    "other",
    [
        {"transfers": [replace(GIFT, amount=6)]},
        {"agreed": {}},
        {"agreed": {"7": Agreed(against=Commodity.ERGON, against_amount=1)}},
        {"purchases": []},
        {"payouts": [Payout(reference="8", account=ANNA, amount_micro=4, stage=Stage.FAILED)]},
        {"topups": []},
        {"mandates": [BEN]},
        {"low": (10, 20, [])},
        {"switch": (0, 900, [])},
        {"held": (NOON, [(ANNA, NOON + 3, 31)])},
        {"held": (NOON + SLOT_SECONDS, [])},
        {"quarters": {}},
        {"quarters": {NOON - SLOT_SECONDS: {BEN: 900}}},
    ],
)
def test_whatever_differs_shows_in_the_root(other: dict[str, Any]) -> None:
    assert leaves(FULL) != leaves(replace(FULL, **other))


def test_wallets_come_back_as_they_were_laid_down_through_plain_bytes_too() -> None:
    assert Wallets.load(FULL).dump() == FULL
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(FULL), type=Kept) == FULL
    assert Wallets.load(Wallets().dump()).dump() == Wallets().dump()


def test_the_count_of_what_stands_comes_back_too() -> None:
    wallets = Wallets.load(FULL)
    assert (wallets.pending_of(ANNA), wallets.pending_of(BEN)) == (1, 0)
    assert wallets.release("7") == GIFT
    assert (wallets.pending_of(ANNA), wallets.agreed, wallets.release("7")) == (0, {}, None)


def test_what_auctions_set_aside_is_not_counted_among_what_an_account_asked_for() -> None:
    wallets = Wallets.load(FULL)
    due = replace(GIFT, id="auction 9 due 0")
    wallets.reserve(due)
    for found in (wallets, Wallets.load(wallets.dump())):
        assert (found.pending_of(ANNA), found.asked_of(ANNA)) == (2, 1)
        assert found.release(due.id) == due
        assert (found.pending_of(ANNA), found.asked_of(ANNA)) == (1, 1)


def test_of_many_entries_at_once_only_those_are_looked_at_who_may_matter() -> None:
    accounts, wallets = Accounts(), Wallets.load(FULL)
    names = [AccountId(f"m{n}") for n in range(6)]
    has = dict(zip([*names, ANNA, BEN], [-5, 0, 10, 40, 41, 100, 100, 100], strict=True))
    for name, micro in has.items():
        if micro:
            source, target = (MINT, name) if micro > 0 else (name, MINT)
            amount = abs(micro)
            entry = Entry(commodity=Commodity.ERGON, source=source, target=target, amount=amount, memo="m", slot_s=NOON)
            accounts.post(entry)
    numbers = np.array([accounts.number(name) for name in has], np.int64)
    wallets.note_many(numbers[:4])
    wallets.note_many(numbers[4:])
    # Up to 40 a rule of somebody's may ask for money; Anna was told and Ben's meter is in its grace: both may rise.
    assert wallets.take_touched(accounts) == ["anna", "ben", "m0", "m1", "m2", "m3"]
    assert wallets.take_touched(accounts) == []


def test_wallets_that_watch_nothing_note_nothing() -> None:
    accounts, wallets = Accounts(), Wallets()
    number = np.array([accounts.number(ANNA)], np.int64)
    wallets.note_many(number)
    entry = Entry(commodity=Commodity.ERGON, source=ANNA, target=BEN, amount=1, memo="m", slot_s=NOON)
    wallets.note(entry, accounts)
    assert wallets.take_touched(accounts) == []
    wallets.look_at(BEN)
    wallets.note(entry, accounts)
    assert wallets.take_touched(accounts) == ["anna", "ben"]
