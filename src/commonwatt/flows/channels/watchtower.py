"""The story of a watchtower: whoever begins to take a deposit back, what they still owe is claimed before they can.

It remembers one number: the block from which it looks. What was only seen counts, since a withdrawal that is final
late leaves less time; a withdrawal is done with once the claim, or the end, is final. Whoever is stopped between two
looks goes on with the next one: a claim that was sent already pays nothing the second time.
"""

from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from commonwatt.flows.chain_ports import TransactionSigner, TxHash
from commonwatt.flows.channels.contract import Channels, in_claims
from commonwatt.flows.channels.ports import Held
from commonwatt.model import Refused, Unreachable
from commonwatt.tokens.channel import Config, Payee, Standing, Voucher

SETTLES_S = 600
"""So long after a withdrawal began it is looked at again, whatever is owed: a till may just be keeping a voucher that
it judged before."""
STEP = 20_000
"""Blocks after which it is kept how far this looked: a new watchtower on an old network has millions before it."""
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
    """Watches the channels of a payee, and all others of which something is held.

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
        if not since - 1 <= final <= head.number:
            # What it shows is less than was seen, or cannot be: to go on from there would leave withdrawals out.
            raise Unreachable(f"the chain's node tells of block {head.number}, final {final}; seen was {since - 1}")
        begun = self._begun(since, final, head.number)
        going: list[tuple[Payee, Standing]] = []
        time_s = cache(lambda block: chain.block(block).time_s)  # anybody can begin a thousand in one block
        goes_on_from = final + 1
        for block, channel in begun:
            held = self._held.of(channel)
            owed = held is not None and self._channels.final(channel).owed(held.voucher) > 0
            if owed or head.time_s - time_s(block) < SETTLES_S:
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

    def _begun(self, since: int, final: int, head: int) -> list[tuple[int, str]]:
        """Return who has begun to withdraw; what was looked through in vain is not looked through again."""
        begun = list[tuple[int, str]]()
        for first in range(since, head + 1, STEP):
            for block, channel, payee in self._channels.withdrawing(first, min(head, first + STEP - 1)):
                # What is held counts, whoever was the payee when it was paid.
                if payee == self._payee or self._held.of(channel) is not None:
                    begun.append((block, channel))
            if not begun and first + STEP <= final:
                self._held.watch_from(first + STEP)
        return begun

    def _claim(self, going: list[tuple[Payee, Standing]], head: int) -> None:
        at_risk = list[tuple[Config, Voucher]]()
        for held, seen in going:
            sent = self._sent.get(held.channel)
            if not seen.owed(held.voucher):
                self._sent.pop(held.channel, None)
            elif held.voucher is not None and (sent is None or head - sent[1] >= AGAIN_AFTER_BLOCKS):
                at_risk.append((held.config, held.voucher))
        # Behind one that offers too little for its gas nothing of this key comes into a block, until the payer is gone.
        if at_risk and self._channels.chain.waiting(self._key.id):
            with suppress(Refused):  # it takes none in its place: it waits on, and the others go behind it
                self._channels.chain.hurry(self._key)
            at_risk = [(config, voucher) for config, voucher in at_risk if voucher.channel not in self._sent]
        for batch in in_claims(at_risk):
            tx = self._channels.claim(self._key, batch)
            self._sent.update({voucher.channel: (tx, head) for _, voucher in batch})
