"""Attacks on channels, each by its name: what a voucher gives, it gives once, to its payee, on its chain."""

from dataclasses import replace
from typing import Any

import pytest

from channel_hall import DELAY_S, DEPOSIT, GUARDIAN, PAYEE, PAYER, SIGNER, STRANGER, Hall
from commonwatt.adapters.chains.contracts.artifact import artifact
from commonwatt.adapters.chains.evm.words import call_data
from commonwatt.flows.chain_ports import Receipt, Reverted
from commonwatt.flows.channels.contract import Channels
from commonwatt.identity.keys import CURVE_ORDER, SigningKey
from commonwatt.tokens.channel import Config, Voucher
from hostile_words import hostile

pytestmark = pytest.mark.row("H3")


@pytest.fixture(scope="module")
def salts() -> list[int]:
    return [0]


@pytest.fixture
def config(hall: Hall, salts: list[int]) -> Config:
    """A channel that no other test has."""
    salts[0] += 1
    return hall.opened(salt=salts[0])


def claim(hall: Hall, *held: tuple[Config, Voucher], by: SigningKey = PAYEE) -> tuple[int, Receipt]:
    """Claim, and return what the payee got."""
    before = hall.holds(PAYEE)
    receipt = hall.done(hall.channels.claim(by, held))
    return hall.holds(PAYEE) - before, receipt


def refused(hall: Hall, config: Config, voucher: Voucher | None, by: SigningKey = PAYEE) -> str:
    """Return why closing is refused."""
    with pytest.raises(Reverted) as found:
        hall.channels.close(by, config, voucher)
    return found.value.reason


def test_a_replayed_voucher_pays_nothing(hall: Hall, config: Config) -> None:
    voucher = hall.voucher(config, 300)
    assert claim(hall, (config, voucher))[0] == 300
    paid, receipt = claim(hall, (config, voucher))
    assert paid == 0
    assert [skipped["stale"] for skipped in hall.said(receipt, "Skipped")] == [True]
    assert claim(hall, (config, hall.voucher(config, 500)), (config, hall.voucher(config, 500)))[0] == 200
    hall.done(hall.channels.close(PAYEE, config, None))
    assert claim(hall, (config, hall.voucher(config, 900)))[0] == 0
    with pytest.raises(Reverted, match="channel: closed"):
        hall.channels.deposit(PAYER, config, DEPOSIT)


def test_a_voucher_of_another_chain_pays_nothing(hall: Hall, config: Config) -> None:
    """The other chain has the same contract at the same address, and the same channel; only its number differs."""
    other = Hall(chain_id=2)
    other.approve()
    twin = other.opened(salt=config.salt)
    assert (twin, other.channels.contract.address) == (config, hall.channels.contract.address)
    foreign = other.channels.sign(SIGNER, hall.channels.id(config), 300)
    paid, receipt = claim(hall, (config, foreign))
    assert paid == 0
    assert [skipped["stale"] for skipped in hall.said(receipt, "Skipped")] == [False]
    assert refused(hall, config, foreign) == "channel: not signed"
    assert other.channels.id(twin) != hall.channels.id(config), "and the channel has another name there"


def test_a_voucher_of_another_contract_pays_nothing(hall: Hall, config: Config) -> None:
    other = Channels(hall.chain, hall.put(artifact("Channel"), hall.timelock.address))
    foreign = other.sign(SIGNER, hall.channels.id(config), 300)
    assert claim(hall, (config, foreign))[0] == 0
    assert refused(hall, config, foreign) == "channel: not signed"


def test_a_voucher_of_another_channel_pays_nothing(hall: Hall, config: Config) -> None:
    other = replace(hall.voucher(replace(config, salt=config.salt + 10_000), 300), channel=hall.channels.id(config))
    assert claim(hall, (config, other))[0] == 0


def test_a_malleable_signature_pays_nothing(hall: Hall, config: Config) -> None:
    """The twin with the higher s and the other parity would recover the same signer; 64 bytes have no room for it."""
    voucher = hall.voucher(config, 300)
    told = int(voucher.signature[64:], 16)
    twin = (CURVE_ORDER - told % 2**255) | (1 - (told >> 255)) << 255
    twisted = replace(voucher, signature=f"{voucher.signature[:64]}{twin:064x}")
    assert hall.channels.signer(twisted) != SIGNER.id
    assert claim(hall, (config, twisted))[0] == 0
    assert refused(hall, config, twisted) == "channel: not signed"
    assert claim(hall, (config, voucher))[0] == 300


def test_nobodys_signature_opens_no_channel_of_nobody(hall: Hall, config: Config) -> None:
    """Recovery of nonsense gives the address zero: no channel may have it as its signer."""
    nonsense = replace(hall.voucher(config, 300), signature="0" * 128)
    assert claim(hall, (config, nonsense))[0] == 0
    parts = [PAYER.id, "0x" + "0" * 40, PAYEE.id, config.token, DELAY_S, bytes(32)]
    with pytest.raises(Reverted, match="no signer or payee"):
        hall.chain.send(PAYER, hall.channels.contract, "deposit", [tuple(parts), DEPOSIT])


@pytest.mark.parametrize("door", ["claim", "close", "finish", "deposit"])
def test_a_token_that_calls_back_is_not_let_in(door: str) -> None:
    """Reentrancy: in the middle of being paid the token asks for the same once more, and for every other way out."""
    hall = Hall(token=hostile("GreedyToken"))
    config, other = hall.opened(salt=1), hall.opened(salt=2)
    voucher, channels = hall.voucher(config, 300), hall.channels
    r, vs = bytes.fromhex(voucher.signature)[:32], bytes.fromhex(voucher.signature)[32:]
    parts = (PAYER.id, SIGNER.id, PAYEE.id, config.token, DELAY_S, config.salt.to_bytes(32))
    item = (PAYER.id, SIGNER.id, DELAY_S, config.salt.to_bytes(32), 300, r, vs)
    doors: dict[str, tuple[str, list[Any]]] = {
        "claim": ("claim", [PAYEE.id, config.token, [item]]),
        "close": ("claim", [PAYEE.id, config.token, [item]]),
        "finish": ("finish", [parts]),
        "deposit": ("claim", [PAYEE.id, config.token, [item]]),
    }
    told = call_data(channels.contract.abi, *doors[door])
    if door == "finish":
        hall.done(channels.withdraw(PAYER, config))
        hall.clock.now_s += 2 * DELAY_S
    hall.tell(STRANGER, hall.token, "attack", channels.contract.address, told)
    if door == "claim":
        hall.done(channels.claim(STRANGER, [(config, voucher)]))
    elif door == "close":
        hall.done(channels.close(PAYEE, config, voucher))
    elif door == "finish":
        hall.done(channels.finish(STRANGER, config))
    else:
        hall.done(channels.deposit(PAYER, config, DEPOSIT))
    tried, let_in = (hall.chain.call(hall.token, name) for name in ("tried", "let_in"))
    assert (tried > 0, let_in) == (True, 0)
    left = {"claim": 2 * DEPOSIT - 300, "close": DEPOSIT, "finish": DEPOSIT, "deposit": 3 * DEPOSIT}[door]
    assert hall.holds(channels.contract.address) == left
    assert channels.seen(channels.id(other)).deposit == DEPOSIT


def test_a_token_that_keeps_a_part_cannot_be_deposited() -> None:
    hall = Hall(token=hostile("GreedyToken"))
    hall.tell(STRANGER, hall.token, "keep", 1)
    with pytest.raises(Reverted, match="channel: not all paid"):
        hall.opened()


def test_a_stranger_who_claims_first_only_pays_the_payee_sooner(hall: Hall, config: Config) -> None:
    """Front-running: whoever sees the payee's transaction can send the same before it."""
    had = hall.holds(STRANGER)
    voucher = hall.voucher(config, 300)
    assert claim(hall, (config, voucher), by=STRANGER)[0] == 300
    assert hall.holds(STRANGER) == had
    assert claim(hall, (config, voucher))[0] == 0, "the payee's own comes too late, and costs it nothing"
    assert refused(hall, config, hall.voucher(config, 400), by=STRANGER) == "channel: payee closes"


def test_a_payer_who_withdraws_first_still_pays_what_was_signed(hall: Hall, config: Config) -> None:
    hall.done(hall.channels.withdraw(PAYER, config))
    with pytest.raises(Reverted, match="channel: too early"):
        hall.channels.finish(PAYER, config)
    with pytest.raises(Reverted, match="channel: withdrawing"):
        hall.channels.withdraw(PAYER, config)
    with pytest.raises(Reverted, match="channel: withdrawing"):
        hall.channels.deposit(PAYER, config, DEPOSIT)
    assert claim(hall, (config, hall.voucher(config, 700)))[0] == 700
    hall.clock.now_s = hall.next_s + DELAY_S
    had = hall.holds(PAYER)
    hall.done(hall.channels.finish(PAYER, config))
    assert hall.holds(PAYER) - had == DEPOSIT - 700


def test_a_voucher_above_the_deposit_pays_what_is_there_and_touches_no_other_channel(
    hall: Hall, config: Config, salts: list[int]
) -> None:
    salts[0] += 1
    other = hall.opened(salt=salts[0])
    assert claim(hall, (config, hall.voucher(config, 5 * DEPOSIT)))[0] == DEPOSIT
    assert hall.channels.seen(hall.channels.id(other)).deposit == DEPOSIT
    hall.done(hall.channels.deposit(PAYER, config, 10))
    assert claim(hall, (config, hall.voucher(config, 5 * DEPOSIT)))[0] == 10
    had = hall.holds(PAYEE), hall.holds(PAYER)
    hall.done(hall.channels.close(PAYEE, other, hall.voucher(other, 5 * DEPOSIT)))
    assert (hall.holds(PAYEE) - had[0], hall.holds(PAYER) - had[1]) == (DEPOSIT, 0)


def test_a_stale_voucher_after_a_newer_claim_takes_nothing_back(hall: Hall, config: Config) -> None:
    assert claim(hall, (config, hall.voucher(config, 600)))[0] == 600
    assert claim(hall, (config, hall.voucher(config, 200)))[0] == 0
    had = hall.holds(PAYER)
    hall.done(hall.channels.close(PAYEE, config, hall.voucher(config, 200)))
    assert hall.holds(PAYER) - had == DEPOSIT - 600


def test_a_payer_cannot_close_with_an_old_voucher(hall: Hall, config: Config) -> None:
    for who in (PAYER, SIGNER, STRANGER):
        assert refused(hall, config, hall.voucher(config, 1), by=who) == "channel: payee closes"
    assert claim(hall, (config, hall.voucher(config, 900)))[0] == 900


def test_one_bad_item_does_not_spoil_a_batch(hall: Hall, config: Config, salts: list[int]) -> None:
    """A payer who ends a channel just before, a forged voucher and one for a channel that nobody opened."""
    salts[0] += 3
    gone, good = hall.opened(salt=salts[0]), hall.opened(salt=salts[0] - 1)
    unknown = hall.config(salt=salts[0] - 2)
    hall.done(hall.channels.close(PAYEE, gone, None))
    forged = hall.voucher(config, 400, STRANGER)
    held = [(one, hall.voucher(one, 50)) for one in (gone, unknown, good)]
    paid, receipt = claim(hall, (config, forged), *held)
    assert paid == 50
    skipped = {one["channel"].hex(): one["stale"] for one in hall.said(receipt, "Skipped")}
    ids = hall.channels.id
    assert skipped == {ids(config): False, ids(gone): True, ids(unknown): True}
    assert [one["total"] for one in hall.said(receipt, "Claimed")] == [50]


def test_a_permit_that_a_stranger_shows_first_still_opens_the_channel() -> None:
    """Front-running: the permit is read from the payer's transaction on its way, and spent before it arrives."""
    hall = Hall()
    config, until_s, contract = hall.config(), hall.clock.now_s + 3_600, hall.channels.contract
    permit = hall.channels.permit(PAYER, DEPOSIT, hall.token, until_s)
    shown = [PAYER.id, contract.address, DEPOSIT, until_s, *permit]
    hall.done(hall.chain.send(STRANGER, hall.token, "permit", shown))
    parts = (PAYER.id, SIGNER.id, PAYEE.id, config.token, DELAY_S, config.salt.to_bytes(32))
    hall.done(hall.chain.send(PAYER, contract, "deposit_with_permit", [parts, DEPOSIT, until_s, *permit]))
    assert hall.channels.seen(hall.channels.id(config)).deposit == DEPOSIT


def test_a_strangers_permit_opens_nothing() -> None:
    hall = Hall()
    permit = hall.channels.permit(PAYER, DEPOSIT, hall.token, hall.clock.now_s + 3_600)
    theirs = hall.config(payer=STRANGER.id)
    parts = (STRANGER.id, SIGNER.id, PAYEE.id, theirs.token, DELAY_S, bytes(32))
    with pytest.raises(Reverted, match="token: more than is allowed"):
        args = [parts, DEPOSIT, hall.clock.now_s + 3_600, *permit]
        hall.chain.send(STRANGER, hall.channels.contract, "deposit_with_permit", args)


def test_a_pause_stops_what_enters_and_seizes_nothing() -> None:
    hall = Hall()
    hall.approve()
    config, other = hall.opened(salt=1), hall.opened(salt=2)
    hall.done(hall.chain.send(GUARDIAN, hall.channels.contract, "pause"))
    with pytest.raises(Reverted, match="governed: paused"):
        hall.opened(salt=3)
    assert claim(hall, (config, hall.voucher(config, 100)))[0] == 100
    hall.done(hall.channels.close(PAYEE, config, hall.voucher(config, 300)))
    hall.done(hall.channels.withdraw(PAYER, other))
    hall.clock.now_s += 2 * DELAY_S
    hall.done(hall.channels.finish(PAYER, other))
    assert (hall.holds(PAYEE), hall.holds(hall.channels.contract.address)) == (300, 0)
