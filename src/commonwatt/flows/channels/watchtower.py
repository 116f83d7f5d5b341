"""The story of a watchtower: whoever begins to take a deposit back, what they still owe is claimed before they can.

It remembers one number: the block from which it looks. What was only seen counts, since a withdrawal that is final
late leaves less time; a withdrawal is done with once the claim, or the end, is final. Whoever is stopped between two
looks goes on with the next one: a claim that was sent already pays nothing the second time.
"""

from dataclasses import dataclass

from commonwatt.flows.chain_ports import TransactionSigner, TxHash
from commonwatt.flows.channels.contract import MOST_CLAIMS, Channels
from commonwatt.flows.channels.ports import Held
from commonwatt.tokens.channel import Config, Payee, Standing, Voucher

SETTLES_S = 600
"""So long after a withdrawal began it is looked at again, whatever is owed: a till may just be keeping a voucher that
it judged before."""
AGAIN_AFTER_BLOCKS = 5
"""A claim that stands in no block after so many is sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """A payer who takes the rest back, and what the payee is still owed by what it holds.

    Args:
        channel: Which.
        finish_at_s: From when on the payer can have it.
        owed: What is not claimed yet, as last seen.
        sent: Whether a claim is on its way.
    """

    channel: str
    finish_at_s: int
    owed: int
    sent: bool


class Watchtower:
    """Watches the channels of one payee.

    Args:
        channels: The contract on the chain.
        held: What the payee holds.
        payee: Who is paid.
        key: Anybody's, that can pay for a transaction: the money goes to the payee.
    """

    def __init__(self, channels: Channels, held: Held, payee: str, key: TransactionSigner) -> None:
        self._channels, self._held, self._payee, self._key = channels, held, payee, key
        self._sent: dict[str, tuple[TxHash, int]] = {}

    def look(self) -> list[Withdrawal]:
        """Look once, claim what is at risk, and return the withdrawals that are not done with; harmless to repeat.

        Raises:
            Unreachable, Refused: See `commonwatt.flows.chain_ports.Chain`: nobody knows, or the node takes no claim.
            OSError: The disk does not take how far this looked.
        """
        chain, since = self._channels.chain, self._held.watched_to()
        final, head = chain.final().number, chain.head()
        begun = self._channels.withdrawing(self._payee, since, head.number)
        going: list[tuple[Payee, Standing]] = []
        goes_on_from = final + 1
        for block, channel in begun:
            held = self._held.of(channel)
            owed = held is not None and self._channels.final(channel).owed(held.voucher) > 0
            if owed or head.time_s - chain.block(block).time_s < SETTLES_S:
                goes_on_from = min(goes_on_from, block)
            if held is not None and owed:
                going.append((held, self._channels.seen(channel)))
        self._claim(going, head.number)
        if goes_on_from > since:
            self._held.watch_from(goes_on_from)
        return [
            Withdrawal(
                channel=held.channel,
                finish_at_s=seen.finish_at_s,
                owed=seen.owed(held.voucher),
                sent=held.channel in self._sent,
            )
            for held, seen in going
        ]

    def _claim(self, going: list[tuple[Payee, Standing]], head: int) -> None:
        at_risk = list[tuple[Config, Voucher]]()
        for held, seen in going:
            sent = self._sent.get(held.channel)
            if not seen.owed(held.voucher):
                self._sent.pop(held.channel, None)
            elif held.voucher is not None and (sent is None or head - sent[1] >= AGAIN_AFTER_BLOCKS):
                at_risk.append((held.config, held.voucher))
        for first in range(0, len(at_risk), MOST_CLAIMS):
            batch = at_risk[first : first + MOST_CLAIMS]
            tx = self._channels.claim(self._key, batch)
            self._sent.update({voucher.channel: (tx, head) for _, voucher in batch})
