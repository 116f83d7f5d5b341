"""The story of money at the edge: what a provider tells goes to the log, what the log asks for goes to the provider."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Lock

from msgspec import Struct

from commonwatt.flows.desk import Desk
from commonwatt.flows.ports import Asked, Provider
from commonwatt.flows.rulebook.tokens import wallet_bodies as bodies
from commonwatt.flows.sequence import Sequencer
from commonwatt.identity.keys import SigningKey
from commonwatt.model import AccountId, InvalidValue, Kind, Outcome, Refused
from commonwatt.tokens.ergon import Payout, Said, Stage
from commonwatt.tokens.prepaid import TopUp

PAYMENT = AccountId("payment")
_REFUSED, _AFTER_ALL = " refused", " paid"
"""What follows a refund's reference in the names of what comes back where the provider refuses it, and of what is taken
again where it has paid nevertheless."""
LONGEST_REFERENCE = 100 - len(_REFUSED)
"""Characters of a refund's reference: what may have to come back for it is named after it."""
_Send = Callable[[list[bytes]], list[Outcome]]


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
        send: Takes requests to the writer and waits for their outcomes, where others submit to it as well.
        turn: Held while the key signs: one for all desks that sign with it.
    """

    def __init__(
        self,
        sequencer: Sequencer,
        key: SigningKey,
        clock: Callable[[], int],
        send: _Send | None = None,
        turn: AbstractContextManager[bool] | None = None,
    ) -> None:
        self._sequencer, self._key, self._clock = sequencer, key, clock
        self._one_at_a_time: AbstractContextManager[bool] = turn or Lock()
        self._send: _Send = send or (lambda wires: sequencer.submit(wires, clock()))

    def hear(self, body: Struct) -> Outcome:
        """Log what the provider tells of its own accord, and return what became of it.

        A refund that was booked here is what the provider was asked for. Any other has gone without us: the ERGON is
        taken back, be it owed, and where it had come back because the provider refused, from there.

        Raises:
            Refused: The log cannot be written, or would refuse whatever this key says.
        """
        if not isinstance(body, bodies.RefundBody):
            return self.submit(body)
        purchases = self._sequencer.state.wallets.purchases
        if purchases.fact(body.reference + _REFUSED) is not None:
            reference, purchase = body.reference + _AFTER_ALL, body.reference + _REFUSED
        elif (known := purchases.fact(body.reference)) is None or known.said is Said.CHARGED_BACK:
            reference, purchase = body.reference, body.purchase
        else:
            return self.submit(body)
        gone = bodies.ChargeBackBody(reference=reference, purchase=purchase, amount_micro=body.amount_micro)
        return self.submit(gone)

    def submit(self, body: Struct) -> Outcome:
        """Sign a request of the payment key, log it, and return what became of it.

        Raises:
            Refused: The log cannot be written, or would refuse whatever this key says.
        """
        self.check_key()
        kind = Kind.PAYOUT if isinstance(body, bodies.PayoutPaid | bodies.PayoutFailed) else Kind.PURCHASE
        with self._one_at_a_time:
            desk = Desk(self._sequencer.state)
            desk.write(self._key, PAYMENT, kind, body)
            (outcome,) = self._send(desk.wires)
        return outcome

    def check_key(self) -> None:
        """Refuse a key of which the log would refuse every word for good.

        Raises:
            Refused: It is not registered as the payment key.
        """
        record = self._sequencer.state.keys.get(self._key.id)
        if record is None or (record.role, record.account) != ("payment", PAYMENT):
            raise Refused("money is told by the payment key", key=self._key.id, role=record.role if record else "none")

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
        us, and the ERGON comes back as a purchase of its own: that reference is done with, and the provider is never
        asked for it again. Another attempt bears a new reference, and takes the ERGON first again.

        Raises:
            InvalidValue: The reference is empty or longer than `LONGEST_REFERENCE`.
            Refused: There is not so much left to give back, the reference was used for something else, or the ERGON
                could not come back yet.
        """
        if not 0 < len(reference) <= LONGEST_REFERENCE:
            raise InvalidValue(f"a refund is named in 1 to {LONGEST_REFERENCE} characters, was {reference!r}")
        outcome = self.submit(bodies.RefundBody(reference=reference, purchase=purchase, amount_micro=amount_micro))
        if outcome not in (Outcome.BOOKED, Outcome.ALREADY_THERE):
            raise Refused("a refund gives back what is left", reference=reference, outcome=outcome)
        purchases = self._sequencer.state.wallets.purchases
        if purchases.fact(reference + _REFUSED) is not None:
            return Asked.REFUSED
        answer = provider.refund(reference, purchase, amount_micro)
        account = purchases.account(purchase)
        if answer is Asked.REFUSED and account:
            back = bodies.PurchaseBody(account=account, amount_micro=amount_micro, reference=reference + _REFUSED)
            outcome = self.submit(back)
            if outcome not in (Outcome.BOOKED, Outcome.ALREADY_THERE):
                raise Refused("what the provider does not give back comes back", reference=reference, outcome=outcome)
        return answer
