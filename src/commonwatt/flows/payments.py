"""The story of money at the edge: what a provider tells goes to the log, what the log asks for goes to the provider."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from msgspec import Struct

from commonwatt.flows.desk import Desk
from commonwatt.flows.ports import Asked, Provider
from commonwatt.flows.rulebook import wallet_bodies as bodies
from commonwatt.flows.sequence import Sequencer
from commonwatt.identity.keys import SigningKey
from commonwatt.model import AccountId, Kind, Outcome, Refused
from commonwatt.tokens.ergon import Payout, Stage
from commonwatt.tokens.prepaid import TopUp

PAYMENT = AccountId("payment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round of asking came to: how many asks were taken, refused, and not answered."""

    taken: int = 0
    refused: int = 0
    unheard: int = 0


class PaymentDesk:
    """Holds the payment key: signs what the provider tells, and asks it for what members want.

    Every ask bears a name of its own, and repeating one is harmless: a round that was cut short is run again.

    Args:
        sequencer: The community's one writer.
        key: The payment key.
        clock: The log's time, seconds since 1970.
    """

    def __init__(self, sequencer: Sequencer, key: SigningKey, clock: Callable[[], int]) -> None:
        self._sequencer, self._key, self._clock, self._one_at_a_time = sequencer, key, clock, Lock()

    def submit(self, body: Struct) -> Outcome:
        """Sign what the provider tells, log it, and return what became of it.

        Raises:
            Refused: The log cannot be written.
        """
        kind = Kind.PAYOUT if isinstance(body, bodies.PayoutPaid | bodies.PayoutFailed) else Kind.PURCHASE
        with self._one_at_a_time:
            desk = Desk(self._sequencer.state)
            desk.write(self._key, PAYMENT, kind, body)
            (outcome,) = self._sequencer.submit(desk.wires, self._clock())
        return outcome

    def to_collect(self) -> list[TopUp]:
        """Return the top-ups that are asked for and neither answered nor too old."""
        now_s = self._clock()
        asked = [known.asked for known in self._sequencer.state.wallets.topups.items()]
        return [topup for topup in asked if topup and not topup.failed and now_s < topup.until_s]

    def to_pay_out(self) -> list[Payout]:
        """Return the pay-outs of which the provider has not said how they ended."""
        payouts = self._sequencer.state.wallets.payouts.items()
        return [payout for payout in payouts if payout.stage is Stage.REQUESTED]

    def round(self, provider: Provider) -> Round:
        """Ask the provider for everything that is wanted now; what it cannot hear is asked for again next time."""
        count = dict.fromkeys(Asked, 0)
        for topup in self.to_collect():
            answer = provider.collect(topup.id, topup.account, topup.amount_micro)
            count[answer] += 1
            if answer is Asked.REFUSED:
                self.submit(bodies.UncollectedBody(account=topup.account, topup=topup.id))
        for payout in self.to_pay_out():
            answer = provider.pay_out(payout.reference, payout.account, payout.amount_micro)
            count[answer] += 1
            if answer is Asked.REFUSED:
                self.submit(bodies.PayoutFailed(payout=payout.reference))
        return Round(taken=count[Asked.TAKEN], refused=count[Asked.REFUSED], unheard=count[Asked.UNHEARD])

    def refund(self, provider: Provider, reference: str, purchase: str, amount_micro: int) -> Asked:
        """Give a purchase back, in whole or in part: the ERGON first, so that it cannot be spent, then the money.

        To be called again with the same reference until it is heard. Where the provider refuses, the money stays with
        us, and the ERGON comes back as a purchase of its own.

        Raises:
            Refused: There is not so much left to give back, or the reference was used for something else.
        """
        outcome = self.submit(bodies.RefundBody(reference=reference, purchase=purchase, amount_micro=amount_micro))
        if outcome not in (Outcome.BOOKED, Outcome.ALREADY_THERE):
            raise Refused("a refund gives back what is left", reference=reference, outcome=outcome)
        answer = provider.refund(reference, purchase, amount_micro)
        account = self._sequencer.state.wallets.purchases.account(purchase)
        if answer is Asked.REFUSED and account:
            again = bodies.PurchaseBody(account=account, amount_micro=amount_micro, reference=f"{reference} refused")
            self.submit(again)
        return answer
