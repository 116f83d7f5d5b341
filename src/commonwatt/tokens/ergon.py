"""ERGON at its edge: bought with money, taken back when the money goes back, paid out to a bank, each once."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from commonwatt.model import MAX_SAFE_INTEGER, AccountId, InvalidValue


class Verdict(StrEnum):
    """What is to be made of something that is said about money."""

    NEW = "new"
    """Heard for the first time: do it."""
    REPEAT = "repeat"
    """Heard before in the same words: it is done."""
    CONTRADICTION = "contradiction"
    """Heard before in other words, or against what is known to have happened: a person has to look."""
    UNKNOWN = "unknown"
    """About a reference that nobody has heard of yet: the provider is to say it again later."""
    TOO_MUCH = "too much"
    """More than there is to take; `most_micro` says how much there would be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A verdict, and what is to be booked; anything but `NEW` books nothing and has changed nothing.

    Args:
        verdict: What to make of it.
        account: Whose ERGON it is about, where that is known.
        minted_micro: ERGON that moves from the payment port to the account; back again where below zero.
        most_micro: With `TOO_MUCH`, how much would have been possible.
    """

    verdict: Verdict
    account: AccountId | None = None
    minted_micro: int = 0
    most_micro: int = 0


class Said(StrEnum):
    """What a payment provider can say about a purchase."""

    BOUGHT = "bought"
    REFUNDED = "refunded"
    CHARGED_BACK = "charged back"


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseFact:
    """One thing that was said about a purchase and booked.

    Args:
        reference: Its own; the provider's, or for a refund one that we gave.
        said: What happened.
        purchase: The purchase's reference; its own where it is the purchase.
        account: Who bought.
        amount_micro: As said, above zero.
        booked_micro: How much of it was booked: all, except where a charge-back asked for more than was left.

    Raises:
        InvalidValue: The reference is empty or not its own, the amount is not above zero or above 2^53-1, or nothing
            or more than said is booked.
    """

    reference: str
    said: Said
    purchase: str
    account: AccountId
    amount_micro: int
    booked_micro: int

    def __post_init__(self) -> None:
        _check(self.reference, self.amount_micro)
        own = self.said is Said.BOUGHT
        if own != (self.reference == self.purchase):
            raise InvalidValue(f"what is said of a purchase has a reference of its own, was {self}")
        if not 0 < self.booked_micro <= self.amount_micro:
            raise InvalidValue(f"some and no more is booked than was said, was {self}")


class Purchases:
    """All that was bought, refunded and charged back; whatever is said twice counts once.

    Webhooks come late, twice and out of order. All references share one space: a refund under the name of a purchase
    is a contradiction. What was refused is forgotten, so that it may be said again when it fits. Money that comes back
    after a charge-back was fought is a purchase of its own.

    Args:
        facts: The `items` of the one to rebuild, in any order.

    Raises:
        InvalidValue: A reference is there twice, a purchase is missing, or more was taken back than bought.
    """

    def __init__(self, facts: Iterable[PurchaseFact] = ()) -> None:
        self._facts: dict[str, PurchaseFact] = {}
        self._left_micro: dict[str, int] = {}
        for fact in sorted(facts, key=lambda fact: fact.said is not Said.BOUGHT):
            bought = self._facts.get(fact.purchase)
            if fact.reference in self._facts or (fact.said is not Said.BOUGHT and bought is None):
                raise InvalidValue(f"a fact stands once and after its purchase, was {fact}")
            if bought and (bought.account != fact.account or fact.booked_micro > self.left_micro(fact.purchase)):
                raise InvalidValue(f"no more is taken back than the same account bought, was {fact}")
            self._remember(fact)

    def buy(self, reference: str, account: AccountId, amount_micro: int) -> Decision:
        """Mint ERGON for money that a provider has received.

        Raises:
            InvalidValue: The reference is empty, or the amount not above zero or above 2^53-1.
        """
        fact = PurchaseFact(
            reference=reference,
            said=Said.BOUGHT,
            purchase=reference,
            account=account,
            amount_micro=amount_micro,
            booked_micro=amount_micro,
        )
        if known := self._facts.get(reference):
            return Decision(verdict=Verdict.REPEAT if known == fact else Verdict.CONTRADICTION, account=known.account)
        self._remember(fact)
        return Decision(verdict=Verdict.NEW, account=account, minted_micro=amount_micro)

    def refund(self, reference: str, purchase: str, amount_micro: int, *, available_micro: int) -> Decision:
        """Burn ERGON that a member gives back, in whole or in part, before the provider is asked to return the money.

        It is booked first so that what is refunded cannot be spent meanwhile; where the provider then fails, the money
        has come back and is a purchase of its own.

        Args:
            reference: The refund's own.
            purchase: What is given back.
            amount_micro: How much, above zero.
            available_micro: What the member has and has not reserved: what is spent cannot be refunded.

        Returns:
            `TOO_MUCH` where less is left of the purchase or of the member's ERGON; nothing is booked then.

        Raises:
            InvalidValue: The reference is empty, or the amount not above zero or above 2^53-1.
        """
        most_micro = min(self.left_micro(purchase), max(0, available_micro))
        booked_micro = amount_micro if amount_micro <= most_micro else 0
        return self._take_back(Said.REFUNDED, reference, purchase, amount_micro, booked_micro, most_micro)

    def charge_back(self, reference: str, purchase: str, amount_micro: int) -> Decision:
        """Take back ERGON for money that has gone back already, spent or not: the account may come to owe.

        So counts a charge-back, a direct debit that failed after it was credited, and a refund that nobody asked us
        for. Of what was refunded before, nothing is taken twice: only what is left of the purchase is booked, and the
        difference between `amount_micro` and the decision is for the operator to dispute.

        Raises:
            InvalidValue: The reference is empty, or the amount not above zero or above 2^53-1.
        """
        left_micro = self.left_micro(purchase)
        booked_micro = min(amount_micro, left_micro)
        return self._take_back(Said.CHARGED_BACK, reference, purchase, amount_micro, booked_micro, left_micro)

    def left_micro(self, purchase: str) -> int:
        """Return how much of a purchase was not taken back, in micro; 0 where there is none of that reference."""
        return self._left_micro.get(purchase, 0)

    def account(self, purchase: str) -> AccountId | None:
        """Return who made a purchase, None where there is none of that reference."""
        return self._facts[purchase].account if purchase in self._left_micro else None

    def fact(self, reference: str) -> PurchaseFact | None:
        """Return what was booked under a reference, None where nothing was."""
        return self._facts.get(reference)

    def items(self) -> list[PurchaseFact]:
        """Return what was booked, sorted by reference: all the state there is."""
        return [self._facts[reference] for reference in sorted(self._facts)]

    def _take_back(
        self, said: Said, reference: str, purchase: str, amount_micro: int, booked_micro: int, most_micro: int
    ) -> Decision:
        _check(reference, amount_micro)
        account = self.account(purchase)
        if known := self._facts.get(reference):
            # How much was booked of it depends on when it was heard, so that is not compared.
            same = (known.said, known.purchase, known.amount_micro) == (said, purchase, amount_micro)
            return Decision(verdict=Verdict.REPEAT if same else Verdict.CONTRADICTION, account=known.account)
        if account is None:
            return Decision(verdict=Verdict.UNKNOWN)
        if booked_micro == 0:
            return Decision(verdict=Verdict.TOO_MUCH, account=account, most_micro=most_micro)
        fact = PurchaseFact(
            reference=reference,
            said=said,
            purchase=purchase,
            account=account,
            amount_micro=amount_micro,
            booked_micro=booked_micro,
        )
        self._remember(fact)
        return Decision(verdict=Verdict.NEW, account=account, minted_micro=-booked_micro)

    def _remember(self, fact: PurchaseFact) -> None:
        self._facts[fact.reference] = fact
        sign = 1 if fact.said is Said.BOUGHT else -1
        self._left_micro[fact.purchase] = self.left_micro(fact.purchase) + sign * fact.booked_micro


class Stage(StrEnum):
    """How far a pay-out has come."""

    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    RETURNED = "returned"
    """Confirmed first, then sent back by the bank."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """ERGON on its way to a member's bank.

    Raises:
        InvalidValue: The reference is empty, or the amount not above zero or above 2^53-1.
    """

    reference: str
    account: AccountId
    amount_micro: int
    stage: Stage = Stage.REQUESTED

    def __post_init__(self) -> None:
        _check(self.reference, self.amount_micro)


class Payouts:
    """Every pay-out ever asked for, and what became of it; each is reserved once, then burned or released once.

    The caller keeps the reservation, under the same reference and without an end: the bank alone says how it ends.

    Args:
        payouts: The `items` of the one to rebuild, in any order.

    Raises:
        InvalidValue: A reference is there twice.
    """

    def __init__(self, payouts: Iterable[Payout] = ()) -> None:
        self._payouts: dict[str, Payout] = {}
        for payout in payouts:
            if payout.reference in self._payouts:
                raise InvalidValue(f"a pay-out stands once, was {payout}")
            self._payouts[payout.reference] = payout

    def request(self, reference: str, account: AccountId, amount_micro: int, *, available_micro: int) -> Decision:
        """Ask for money at a bank; on `NEW` the caller reserves the amount and nothing is minted or burned yet.

        Args:
            reference: The pay-out's own, told to the provider so that it pays once.
            account: Who is paid.
            amount_micro: How much, above zero.
            available_micro: What the member has and has not reserved; `TOO_MUCH` where that is less.

        Raises:
            InvalidValue: The reference is empty, or the amount not above zero or above 2^53-1.
        """
        payout = Payout(reference=reference, account=account, amount_micro=amount_micro)
        if known := self._payouts.get(reference):
            same = replace(known, stage=Stage.REQUESTED) == payout
            return Decision(verdict=Verdict.REPEAT if same else Verdict.CONTRADICTION, account=known.account)
        if amount_micro > available_micro:
            return Decision(verdict=Verdict.TOO_MUCH, account=account, most_micro=max(0, available_micro))
        self._payouts[reference] = payout
        return Decision(verdict=Verdict.NEW, account=account)

    def confirm(self, reference: str) -> Decision:
        """Burn what the provider has paid; on `NEW` the caller posts its reservation, the same amount.

        A confirmation after a failure is a contradiction: the ERGON is the member's again.
        """
        payout = self._payouts.get(reference)
        if payout is None:
            return Decision(verdict=Verdict.UNKNOWN)
        if payout.stage is Stage.REQUESTED:
            self._payouts[reference] = replace(payout, stage=Stage.CONFIRMED)
            return Decision(verdict=Verdict.NEW, account=payout.account, minted_micro=-payout.amount_micro)
        verdict = Verdict.CONTRADICTION if payout.stage is Stage.FAILED else Verdict.REPEAT
        return Decision(verdict=verdict, account=payout.account)

    def fail(self, reference: str) -> Decision:
        """Let go of what could not be paid: on `NEW` the caller voids its reservation and books the decision.

        Where the pay-out was confirmed, the bank has sent it back: then there is no reservation any more, and the
        decision mints the amount again.
        """
        payout = self._payouts.get(reference)
        if payout is None:
            return Decision(verdict=Verdict.UNKNOWN)
        if payout.stage is Stage.REQUESTED:
            self._payouts[reference] = replace(payout, stage=Stage.FAILED)
            return Decision(verdict=Verdict.NEW, account=payout.account)
        if payout.stage is Stage.CONFIRMED:
            self._payouts[reference] = replace(payout, stage=Stage.RETURNED)
            return Decision(verdict=Verdict.NEW, account=payout.account, minted_micro=payout.amount_micro)
        return Decision(verdict=Verdict.REPEAT, account=payout.account)

    def items(self) -> list[Payout]:
        """Return every pay-out, sorted by reference: all the state there is."""
        return [self._payouts[reference] for reference in sorted(self._payouts)]


def _check(reference: str, amount_micro: int) -> None:
    if not reference or not 0 < amount_micro <= MAX_SAFE_INTEGER:
        raise InvalidValue(f"money moves under a reference and above zero, was {amount_micro} micro by {reference!r}")
