"""A billing cycle's claims, in batches: killed in the middle they go on, and nothing is claimed twice."""

import itertools
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from channel_hall import PAYEE, SIGNER, STRANGER, Hall
from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.adapters.chains.rpc import embedded
from commonwatt.adapters.stores.vouchers import HeldFile
from commonwatt.flows.chain_ports import Contract, Receipt, TxHash
from commonwatt.flows.channels.claiming import Progress, claim_all
from commonwatt.flows.channels.contract import Channels
from commonwatt.model import Refused, Unreachable
from commonwatt.tokens.channel import Payee
from on_chain import BOB

CHANNELS, BATCH = 12, 4


def paid(hall: Hall, folder: Path, count: int = CHANNELS) -> HeldFile:
    """Open channels, and hold a voucher of 1 to ``count`` for each."""
    hall.approve()
    held = HeldFile(folder / "held.sqlite")
    for number in range(count):
        config = hall.opened(salt=number)
        channel = hall.channels.id(config)
        voucher = hall.channels.sign(SIGNER, channel, number + 1)
        held.keep(Payee(config=config, channel=channel, account="anna", voucher=voucher))
    return held


def everything(count: int = CHANNELS) -> int:
    return count * (count + 1) // 2


def test_all_that_is_held_is_claimed_in_batches_and_asked_again_nothing_is(tmp_path: Path) -> None:
    hall = Hall()
    with paid(hall, tmp_path) as held:
        told = list(claim_all(hall.channels, held, STRANGER, BATCH))
        assert [(one.channels, one.claimed) for one in told] == [(4, 4), (8, 8), (12, 12)]
        assert told[-1].paid == hall.holds(PAYEE) == everything()
        head = hall.chain.head().number
        again = list(claim_all(hall.channels, held, STRANGER, BATCH))
        assert (again[-1].claimed, again[-1].gas, hall.chain.head().number) == (0, 0, head)


def test_what_was_owed_to_a_payee_before_is_claimed_as_well(tmp_path: Path) -> None:
    """A claim pays one payee in one token: what another is owed would be passed over, and told as paid."""
    hall, other = Hall(), BOB
    with paid(hall, tmp_path) as held:
        for number in range(CHANNELS):
            config = hall.opened(salt=number, payee=other.id)
            channel = hall.channels.id(config)
            voucher = hall.channels.sign(SIGNER, channel, 5)
            held.keep(Payee(config=config, channel=channel, account="anna", voucher=voucher))
        told = list(claim_all(hall.channels, held, STRANGER, BATCH))
    assert (hall.holds(PAYEE), hall.holds(other)) == (everything(), 5 * CHANNELS)
    assert (told[-1].claimed, told[-1].paid) == (2 * CHANNELS, everything() + 5 * CHANNELS)


@pytest.mark.parametrize("batches", [1, 2])
def test_whoever_is_stopped_between_batches_goes_on(tmp_path: Path, batches: int) -> None:
    hall = Hall()
    with paid(hall, tmp_path) as held:
        list(itertools.islice(claim_all(hall.channels, held, STRANGER, BATCH), batches))
        assert 0 < hall.holds(PAYEE) < everything()
    with HeldFile(tmp_path / "held.sqlite") as held:
        last = list(claim_all(hall.channels, held, STRANGER, BATCH))[-1]
    assert (last.claimed, hall.holds(PAYEE)) == (CHANNELS - batches * BATCH, everything())


def test_a_batch_of_which_nobody_heard_is_paid_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands in a block, and its sender was told nothing."""
    hall = Hall()
    with paid(hall, tmp_path) as held:
        with monkeypatch.context() as patch:
            patch.setattr(hall.chain, "receipt", lambda tx, within_s=0.0: None)
            with pytest.raises(Unreachable):
                list(claim_all(hall.channels, held, STRANGER, BATCH))
        last = list(claim_all(hall.channels, held, STRANGER, BATCH))[-1]
    assert (last.claimed, hall.holds(PAYEE)) == (CHANNELS - BATCH, everything())


def test_a_batch_that_the_chain_refuses_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hall = Hall()
    told = hall.chain.receipt

    def failed(tx: TxHash, within_s: float = 0) -> Receipt | None:
        found = told(tx)
        return found and Receipt(
            tx=tx, ok=False, block=found.block, block_hash=found.block_hash, gas=found.gas, contract=None
        )

    with paid(hall, tmp_path) as held:
        monkeypatch.setattr(hall.chain, "receipt", failed)
        with pytest.raises(Refused, match="a batch of claims is taken"):
            list(claim_all(hall.channels, held, STRANGER, BATCH))


def test_a_kill_in_the_middle_claims_nothing_twice(tmp_path: Path) -> None:
    """A process that claims on a chain on disk is killed by SIGKILL right after a batch; another one goes on."""
    hall = Hall(folder=tmp_path / "chain")
    paid(hall, tmp_path).close()
    contract, before = hall.channels.contract, hall.holds(hall.channels.contract.address)
    hall.embedded.close()
    child = multiprocessing.get_context("spawn").Process(target=claims_and_dies, args=(tmp_path, contract, 2))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    with EmbeddedChain(tmp_path / "chain") as inside, HeldFile(tmp_path / "held.sqlite") as held:
        channels = Channels(embedded(inside), contract)
        seen = channels.seen_of([one.channel for one in held.after("", 99)])
        assert sorted(standing.claimed > 0 for standing in seen) == [False] * 4 + [True] * 8
        last: Progress = list(claim_all(channels, held, STRANGER, BATCH))[-1]
        assert last.claimed == BATCH
        left = channels.chain.call(hall.token, "balanceOf", [contract.address])
        assert before - left == everything()


def claims_and_dies(folder: Path, contract: Contract, batches: int) -> Any:
    """Claim so many batches and be killed."""
    with EmbeddedChain(folder / "chain") as inside, HeldFile(folder / "held.sqlite") as held:
        list(itertools.islice(claim_all(Channels(embedded(inside), contract), held, STRANGER, BATCH), batches))
        os.kill(os.getpid(), signal.SIGKILL)
