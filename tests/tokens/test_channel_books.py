"""What a payer may sign and a payee may believe: vouchers only grow, and never beyond what is deposited."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.model import InvalidValue
from commonwatt.tokens.channel import (
    MOST_DELAY_S,
    MOST_TOTAL,
    Config,
    Payee,
    Payer,
    Standing,
    Verdict,
    Voucher,
)

pytestmark = pytest.mark.row("H3")
ID, OTHER = "ab" * 32, "cd" * 32
CONFIG = Config(
    payer="0x" + "01" * 20, signer="0x" + "02" * 20, payee="0x" + "03" * 20, token="0x" + "04" * 20, delay_s=60
)
AMOUNTS = st.lists(st.integers(-50, 100), max_size=20)


def voucher(total: int, channel: str = ID) -> Voucher:
    return Voucher(channel=channel, total=total, signature="0" * 128)


@given(AMOUNTS, st.integers(0, 500))
def test_what_is_signed_only_grows_and_never_beyond_the_deposit(amounts: list[int], deposit: int) -> None:
    payer, owed, signed = Payer(channel=ID), 0, [0]
    for moment, amount in enumerate(amounts, 1):
        payer, owed = payer.owing(amount, moment), owed + amount
        assert payer.owing(amount, moment) == payer, "the same moment again changes nothing"
        total = payer.due(deposit)
        if total is not None:
            payer = payer.signing(voucher(total))
            signed.append(total)
        assert payer.owed == owed
        assert payer.signed == max(signed[-1], min(owed, deposit)), "all that is owed is signed, as far as it goes"
    assert signed == sorted(set(signed))
    assert payer.signed <= deposit


@given(AMOUNTS, st.data())
def test_whatever_is_lost_on_the_way_the_last_voucher_pays_for_all(amounts: list[int], data: st.DataObject) -> None:
    payer, payee = Payer(channel=ID), Payee(config=CONFIG, channel=ID, account="anna")
    open_ = Standing(deposit=10_000)
    for moment, amount in enumerate(amounts, 1):
        payer = payer.owing(amount, moment)
        total = payer.due(open_.deposit)
        payer = payer if total is None else payer.signing(voucher(total))
        if payer.unheard and data.draw(st.booleans()):
            if payee.judge(payer.unheard.total, open_, open_, 60) is Verdict.ACCEPTED:
                payee = payee.holding(payer.unheard)
            payer = payer if data.draw(st.booleans()) else payer.answered(payer.unheard.total)
    if payer.unheard and payee.judge(payer.unheard.total, open_, open_, 60) is Verdict.ACCEPTED:
        payee = payee.holding(payer.unheard)
    assert payee.total == payer.signed


@given(st.integers(1, 200), st.integers(0, 200), st.integers(0, 200), st.integers(0, 120), st.integers(0, 120))
def test_a_payee_accepts_only_what_grows_within_what_is_there(
    total: int, held: int, deposit: int, delay_s: int, least_s: int
) -> None:
    payee = Payee(config=replace(CONFIG, delay_s=delay_s), channel=ID, account="anna")
    payee = payee.holding(voucher(held)) if held else payee
    found = payee.judge(total, Standing(deposit=deposit), Standing(deposit=deposit), least_s)
    assert (found is Verdict.ACCEPTED) == (held < total <= deposit and delay_s >= least_s)


@pytest.mark.parametrize("late", [Standing(deposit=100, finish_at_s=9), Standing(closed=True)])
@pytest.mark.parametrize("final_too", [False, True])
def test_a_channel_that_ends_takes_nothing_more_be_it_only_seen(late: Standing, final_too: bool) -> None:
    payee, before = Payee(config=CONFIG, channel=ID, account="anna"), Standing(deposit=100)
    assert payee.judge(10, late if final_too else before, late, 60) is Verdict.ENDING
    assert payee.judge(10, late, before, 60) is Verdict.ENDING
    assert payee.judge(10, before, before, 60) is Verdict.ACCEPTED


def test_a_top_up_counts_once_it_is_final() -> None:
    payee = Payee(config=CONFIG, channel=ID, account="anna")
    few, many = Standing(deposit=100), Standing(deposit=200)
    assert payee.judge(150, few, many, 60) is Verdict.ABOVE_DEPOSIT
    assert payee.judge(150, many, few, 60) is Verdict.ABOVE_DEPOSIT, "nor where it was taken back"
    assert payee.judge(150, many, many, 60) is Verdict.ACCEPTED


@given(st.integers(0, 100), st.integers(0, 100), st.integers(1, 300), st.booleans())
def test_a_voucher_is_worth_what_is_there_and_not_claimed(deposit: int, claimed: int, total: int, closed: bool) -> None:
    standing = Standing(deposit=deposit + claimed, claimed=claimed, closed=closed)
    owed = standing.owed(voucher(total))
    assert 0 <= owed <= deposit
    assert owed == (0 if closed else max(0, min(total, deposit + claimed) - claimed))
    assert standing.owed(None) == 0


@given(AMOUNTS)
def test_a_book_at_rest_is_the_same_book(amounts: list[int]) -> None:
    payer = Payer(channel=ID)
    for moment, amount in enumerate(amounts, 1):
        payer = payer.owing(amount, moment)
        total = payer.due(1_000)
        payer = payer if total is None else payer.signing(voucher(total)).answered(total // 2)
    assert msgspec.json.decode(msgspec.json.encode(payer), type=Payer) == payer


@pytest.mark.parametrize(
    "wrong",
    [
        {"payer": "0x" + "0" * 40},
        {"signer": "0x" + "AB" * 20},
        {"payee": "03" * 20},
        {"token": ""},
        {"delay_s": -1},
        {"delay_s": MOST_DELAY_S + 1},
        {"salt": -1},
        {"salt": 2**256},
    ],
)
def test_a_config_names_everybody_and_lasts_no_longer_than_the_contract_takes(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        replace(CONFIG, **wrong)


def test_nothing_of_another_channel_is_taken_for_this_one() -> None:
    foreign = voucher(10, OTHER)
    payer, payee = Payer(channel=ID), Payee(config=CONFIG, channel=ID, account="anna")
    for take in (payer.signing, payee.holding):
        with pytest.raises(InvalidValue):
            take(foreign)
    for take in (payer.signing(voucher(10)).signing, payee.holding(voucher(10)).holding):
        with pytest.raises(InvalidValue):
            take(voucher(10))


def test_a_voucher_is_whole() -> None:
    for channel, total, signature in (
        (ID, 0, "0" * 128),
        (ID, MOST_TOTAL + 1, "0" * 128),
        (ID, 1, "0"),
        ("x", 1, "0" * 128),
    ):
        with pytest.raises(InvalidValue):
            Voucher(channel=channel, total=total, signature=signature)
    for found in ((5, 6, 0), (-1, -1, 0), (5, 1, -1)):
        with pytest.raises(InvalidValue):
            Standing(deposit=found[0], claimed=found[1], finish_at_s=found[2])
    with pytest.raises(InvalidValue):
        Payer(channel=ID, heard=1)
    with pytest.raises(InvalidValue):
        Payee(config=CONFIG, channel=ID, account="anna", credited=1)
