"""The story of a payee's till: a voucher is shown, judged, kept, and what it adds is credited in the community's log.

Each step is safe to be cut short: what is kept and not credited yet is credited when the till opens again, and a
credit's name says how far it goes, so the log books none twice.
"""

from collections.abc import Callable
from threading import Lock

from commonwatt.flows.channels.contract import Channels
from commonwatt.flows.channels.ports import Answer, Held, Payment
from commonwatt.flows.channels.terms import Terms
from commonwatt.flows.payments import PaymentDesk
from commonwatt.flows.rulebook.tokens.wallet_bodies import PurchaseBody
from commonwatt.model import InvalidValue, Outcome, Refused
from commonwatt.tokens.channel import Payee, Verdict

MOST_MICRO = 10**12
"""The most that one purchase credits; what a voucher adds beyond goes into another."""
_MANY = 1_000


class Till:
    """Takes vouchers for one community.

    Args:
        channels: The contract on the chain.
        terms: What a channel must be.
        held: Where vouchers are kept.
        desk: Says in the log what was paid.
        knows: Tells whether the community keeps an account of a name.
    """

    def __init__(
        self, channels: Channels, terms: Terms, held: Held, desk: PaymentDesk, knows: Callable[[str], bool]
    ) -> None:
        self._channels, self.terms, self._held = channels, terms, held
        self._desk, self._knows = desk, knows
        self._one_at_a_time = Lock()

    def take(self, payment: Payment) -> Answer:
        """Judge a voucher, keep it where it is good, and credit what it adds; it is kept before this answers.

        Raises:
            OSError: The disk did not take it: it is not paid.
            Unreachable: The chain gives no answer: nobody knows what stands there.
            Refused: It is kept, and the log cannot be written now; it is credited later.
        """
        try:
            config = self.terms.config(payment.payer, payment.signer, payment.account, payment.number, payment.delay_s)
        except InvalidValue:
            return Answer(verdict=Verdict.NOT_OURS, total=0)
        channel, voucher = self._channels.id(config), payment.voucher
        if voucher.channel != channel or not self._knows(payment.account):
            return Answer(verdict=Verdict.NOT_OURS, total=0)
        if self._channels.signer(voucher) != config.signer:
            return Answer(verdict=Verdict.NOT_SIGNED, total=0)
        # Asked before anybody waits: a stranger with a thousand channels that do not exist would hold all others up.
        best = self._held.of(channel)
        standing = None
        if best is None or voucher.total > best.total:
            standing = self._channels.final(channel), self._channels.seen(channel)
        with self._one_at_a_time:
            known = self._held.of(channel) or Payee(config=config, channel=channel, account=payment.account)
            # First what is behind: a credit that was booked and not noted must be asked for under the same name.
            held = self._credit(known)
            verdict = Verdict.SEEN_BEFORE
            if standing is not None:
                verdict = held.judge(voucher.total, *standing, self.terms.least_delay_s)
            if verdict is Verdict.ACCEPTED:
                held = held.holding(voucher)
                self._held.keep(held)
                held = self._credit(held)
            return Answer(verdict=verdict, total=held.total)

    def catch_up(self) -> int:
        """Credit what was kept and not credited before the till was closed; return of how many channels.

        Raises:
            Refused: The log does not take a credit; all others were tried.
        """
        count, last, refused = 0, "", list[Refused]()
        with self._one_at_a_time:
            while some := self._held.after(last, _MANY):
                last = some[-1].channel
                behind = [held for held in some if held.credited < held.total]
                for held in behind:
                    try:
                        self._credit(held)
                        count += 1
                    except Refused as error:
                        refused.append(error)
        if refused:
            raise refused[0]
        return count

    def _credit(self, held: Payee) -> Payee:
        while held.credited < held.total:
            upto = min(held.total, held.credited + MOST_MICRO)
            outcome = self._desk.submit(
                PurchaseBody(
                    account=held.account,
                    amount_micro=upto - held.credited,
                    reference=f"channel {held.channel} {upto}",
                )
            )
            if outcome not in (Outcome.BOOKED, Outcome.ALREADY_THERE):
                raise Refused("what was paid is credited", channel=held.channel, outcome=outcome)
            held = held.crediting(upto)
            self._held.keep(held)
        return held
