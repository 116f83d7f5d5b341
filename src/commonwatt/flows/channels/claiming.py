"""The story of a billing cycle's claims: what all channels of a payee owe is claimed in batches, with progress.

A close pays out everything, so claims between are for protection alone: they bound what is lost should the vouchers
be. What was claimed already stands on the chain, and is asked for there: whoever is stopped goes on, and nothing is
claimed twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from commonwatt.flows.chain_ports import TransactionSigner
from commonwatt.flows.channels.contract import Channels, in_claims
from commonwatt.flows.channels.ports import Held
from commonwatt.model import Refused, Unreachable

BATCH = 300
WITHIN_S = 120.0
"""So long a batch is waited for; a network that is slower is asked again with the next round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the claims are.

    Args:
        channels: How many were looked at so far.
        claimed: How many of them were claimed now.
        paid: What that paid, base units.
        gas: What it used.
        last: The channel up to which this goes.
    """

    channels: int = 0
    claimed: int = 0
    paid: int = 0
    gas: int = 0
    last: str = ""


def claim_all(channels: Channels, held: Held, key: TransactionSigner, batch: int = BATCH) -> Iterator[Progress]:
    """Claim what all channels owe, a batch at a time, and tell how far it is after each.

    Args:
        channels: The contract on the chain.
        held: What the payee holds.
        key: Anybody's, that can pay for transactions.
        batch: Channels that are looked at together: one transaction, or one for each payee and token among them.

    Raises:
        Unreachable: The chain gives no answer, or a batch is in no block in time; to be called again.
        Refused: The node takes no more, or a batch was refused on the chain.
    """
    done = Progress()
    while some := held.after(done.last, batch):
        seen = channels.seen_of([one.channel for one in some])
        owing = [
            (one.config, one.voucher, standing.owed(one.voucher))
            for one, standing in zip(some, seen, strict=True)
            if one.voucher is not None and standing.owed(one.voucher)
        ]
        gas = 0
        for claim in in_claims((config, voucher) for config, voucher, _ in owing):
            tx = channels.claim(key, claim)
            receipt = channels.chain.receipt(tx, within_s=WITHIN_S)
            if receipt is None:
                raise Unreachable(f"a batch of claims is in no block after {WITHIN_S} s: {tx.hex()}")
            if not receipt.ok:
                raise Refused("a batch of claims is taken", tx=tx.hex())
            gas += receipt.gas
        done = Progress(
            channels=done.channels + len(some),
            claimed=done.claimed + len(owing),
            paid=done.paid + sum(owed for _, _, owed in owing),
            gas=done.gas + gas,
            last=some[-1].channel,
        )
        yield done
