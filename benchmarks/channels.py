"""P12: the claims of a billing cycle, batched, on the embedded chain."""

import itertools
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time

from benchmarks.figure import Figure, figure
from commonwatt.adapters.chains.contracts.artifact import artifact
from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.adapters.chains.embedded.rules import Genesis
from commonwatt.adapters.chains.evm.signing import Transaction, signed
from commonwatt.adapters.chains.evm.words import call_data
from commonwatt.adapters.chains.rpc import embedded
from commonwatt.adapters.stores.vouchers import HeldFile
from commonwatt.flows.chain_ports import Contract, deployed
from commonwatt.flows.channels.claiming import BATCH, Progress, claim_all
from commonwatt.flows.channels.contract import Channels, config_parts
from commonwatt.flows.channels.terms import Terms
from commonwatt.identity.keys import SigningKey
from commonwatt.tokens.channel import Config, Payee

MEMBERS = int(os.environ.get("COMMONWATT_P12_MEMBERS", "3000"))
LIMIT_GAS = 20_000
DEPOSIT, BILL = 50_000_000, 7_300_000
"""50 ERGON, and a member's bill of 7.30."""
_AT_ONCE = 200
_DEPOSIT_GAS = 150_000
_NO_TIMELOCK = "0x" + "11" * 20
"""Nothing is paused here."""


def p12() -> Figure:
    """Gas of one claim, 300 vouchers in a transaction: a cycle of 3,000 members, stopped in the middle and resumed.

    COMMONWATT_P12_MEMBERS=100000 claims for that many. Each member has a channel with a signer and account of its own.
    The limit is the goal.
    """
    payer, payee, anybody = (SigningKey.from_seed(b"P12", who) for who in ("payer", "payee", "anybody"))
    with tempfile.TemporaryDirectory() as folder:
        began, began_cpu = perf_counter(), process_time()
        with EmbeddedChain(Path(folder), Genesis(time_s=1, balances={payer.id: 1})) as inside:
            channels, terms = _contracts(inside, payer, payee)
            contract = channels.contract
            with HeldFile(Path(folder) / "held.sqlite") as held:
                for opened in _opened(inside, channels, terms, payer):
                    held.keep_all(opened)
                    _say("opened", len(opened), began)
        opened_s, opened_cpu_s = perf_counter() - began, process_time() - began_cpu
        told = list(itertools.islice(_cycle(Path(folder), contract, anybody), max(1, MEMBERS // BATCH // 2)))
        stopped = told[-1].claimed
        began, began_cpu = perf_counter(), process_time()
        resumed = list(_cycle(Path(folder), contract, anybody))
        seconds, cpu_s = perf_counter() - began, process_time() - began_cpu
        with EmbeddedChain(Path(folder)) as inside:
            paid = embedded(inside).call(Contract(terms.token, artifact("Tsl").abi), "balanceOf", [payee.id])
    if (stopped + resumed[-1].claimed, paid) != (MEMBERS, MEMBERS * BILL):
        raise AssertionError(f"each is claimed once: {stopped} and {resumed[-1].claimed} claims paid {paid}")
    claims = resumed[-1].claimed
    batches = [now.gas - before.gas for before, now in itertools.pairwise([*told, *resumed]) if now.gas > before.gas]
    return figure(
        "P12", (told[-1].gas + resumed[-1].gas) / MEMBERS, "gas/claim", LIMIT_GAS, members=MEMBERS, batch=BATCH,
        batch_gas=statistics.median(batches or [told[-1].gas]), claims_per_s=round(claims / seconds, 1),
        claims_per_cpu_s=round(claims / cpu_s, 1), stopped_after=stopped, resumed_with=claims,
        open_s=round(opened_s, 1), opens_per_cpu_s=round(MEMBERS / opened_cpu_s, 1), limit_is="the goal",
    )  # fmt: skip


def _cycle(folder: Path, contract: Contract, key: SigningKey) -> Iterator[Progress]:
    """Claim with everything opened anew, as after a kill."""
    began = perf_counter()
    with EmbeddedChain(folder) as inside, HeldFile(folder / "held.sqlite") as held:
        for progress in claim_all(Channels(embedded(inside), contract), held, key):
            _say(f"claimed {progress.claimed}, looked at", progress.channels, began)
            yield progress


def _contracts(inside: EmbeddedChain, payer: SigningKey, payee: SigningKey) -> tuple[Channels, Terms]:
    chain = embedded(inside)
    token = deployed(chain.receipt(chain.deploy(payer, artifact("Tsl"), [payer.id])), artifact("Tsl"))
    made = deployed(chain.receipt(chain.deploy(payer, artifact("Channel"), [_NO_TIMELOCK])), artifact("Channel"))
    chain.send(payer, token, "approve", [made.address, 10**15])
    terms = Terms(community="P12", chain_id=chain.chain_id, contract=made.address, payee=payee.id, token=token.address)
    return Channels(chain, made), terms


def _opened(inside: EmbeddedChain, channels: Channels, terms: Terms, payer: SigningKey) -> Iterator[list[Payee]]:
    """Open all channels, many in a block, and yield them with the voucher that each has signed."""
    to, nonce = bytes.fromhex(terms.contract[2:]), inside.nonce(bytes.fromhex(payer.id[2:]))
    for first in range(0, MEMBERS, _AT_ONCE):
        raws, opened = [], []
        for number in range(first, min(first + _AT_ONCE, MEMBERS)):
            signer = SigningKey.from_seed(b"P12 signer", str(number))
            config: Config = terms.config(payer.id, signer.id, f"member-{number}")
            data = call_data(channels.contract.abi, "deposit", [config_parts(config), DEPOSIT])
            told = Transaction(chain_id=terms.chain_id, nonce=nonce + number, gas=_DEPOSIT_GAS, to=to, data=data)
            raws.append(signed(told, payer))
            channel = channels.id(config)
            voucher = channels.sign(signer, channel, BILL)
            opened.append(Payee(config=config, channel=channel, account=f"member-{number}", voucher=voucher))
        inside.take_many(raws)
        yield opened


def _say(what: str, count: int, began: float) -> None:
    print(f"{what} {count} after {perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
