"""What may stand in the body of a purchase, a pay-out and a transfer; see `bodies` for all others."""

from typing import Annotated

from msgspec import Meta, Struct

from commonwatt.model import Commodity, Kind

Money = Annotated[int, Meta(ge=0, le=10**12)]
Tsl = Annotated[int, Meta(ge=0, le=10**15)]
_Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z")]
_Moment = Annotated[int, Meta(ge=0, le=32_503_680_000)]
_Sum = Annotated[int, Meta(gt=0, le=10**12)]
_Banked = Annotated[int, Meta(gt=0, le=10**12, multiple_of=10_000)]
"""What a bank can move: whole hundredths of the currency, in micro."""
_Amount = Annotated[int, Meta(gt=0, le=10**15)]
_Reference = Annotated[str, Meta(min_length=1, max_length=100)]


class _Body(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, gc=False):
    pass


class PurchaseBody(_Body, frozen=True, omit_defaults=True, tag_field="what", tag="bought"):
    """ERGON bought for an account; the reference is the payment provider's own and counts once.

    ``topup`` names the automatic top-up that it answers, if any.
    """

    account: _Name
    amount_micro: _Sum
    reference: _Reference
    topup: _Reference | None = None


class RefundBody(_Body, frozen=True, tag_field="what", tag="refund"):
    """ERGON that a member gives back, before the provider is asked to return its money."""

    reference: _Reference
    purchase: _Reference
    amount_micro: _Sum


class ChargeBackBody(_Body, frozen=True, tag_field="what", tag="charge back"):
    """Money that has gone back already: a dispute, a debit that failed late, a refund that nobody here asked for."""

    reference: _Reference
    purchase: _Reference
    amount_micro: _Sum


class UncollectedBody(_Body, frozen=True, tag_field="what", tag="uncollected"):
    """An automatic top-up for which the provider got no money."""

    account: _Name
    topup: _Reference


class MandateBody(_Body, frozen=True, tag_field="what", tag="mandate"):
    """Whether the provider may collect from an account's card or bank: the member's word to the provider."""

    account: _Name
    active: bool


class TopUpRuleItem(_Body, frozen=True):
    """At which balance how much is bought, and the most in one UTC day; micro."""

    threshold_micro: Money
    amount_micro: _Banked
    daily_cap_micro: _Sum


class TopUpWish(_Body, frozen=True, omit_defaults=True, tag_field="what", tag="automatic"):
    """A member's standing wish to buy ERGON when it runs low; without a rule, to do so no longer."""

    rule: TopUpRuleItem | None = None


Purchase = PurchaseBody | RefundBody | ChargeBackBody | UncollectedBody | MandateBody | TopUpWish


class PayoutRequest(_Body, frozen=True, tag_field="what", tag="request"):
    """ERGON that a member wants as money at their bank; it is known by its place in the log from then on."""

    amount_micro: _Banked


class PayoutPaid(_Body, frozen=True, tag_field="what", tag="paid"):
    """The provider has paid."""

    payout: _Name


class PayoutFailed(_Body, frozen=True, tag_field="what", tag="failed"):
    """The provider could not pay, or the bank has sent it back."""

    payout: _Name


PayoutBody = PayoutRequest | PayoutPaid | PayoutFailed


class Give(_Body, frozen=True, tag_field="what", tag="give"):
    """Tokens for another member, at once."""

    target: _Name
    commodity: Commodity
    amount: _Amount


class InReturn(_Body, frozen=True):
    """What the target of a reservation is to give in the same instant."""

    commodity: Commodity
    amount: _Amount


class Reserve(_Body, frozen=True, omit_defaults=True, tag_field="what", tag="reserve"):
    """Tokens for another member, set aside until the target (or the arbiter) posts them; void from ``until_s`` on.

    With ``against`` it is delivery versus payment: both legs, whole, or neither (row H11).
    """

    target: _Name
    commodity: Commodity
    amount: _Amount
    until_s: _Moment
    arbiter: _Name | None = None
    against: InReturn | None = None


class Post(_Body, frozen=True, omit_defaults=True, tag_field="what", tag="post"):
    """Takes what is reserved: all, or so much of it, and the rest is released."""

    transfer: _Name
    amount: _Amount | None = None


class Void(_Body, frozen=True, tag_field="what", tag="void"):
    """Lets go of what is reserved."""

    transfer: _Name


TransferBody = Give | Reserve | Post | Void

WALLET_BODIES: dict[Kind, object] = {
    Kind.PURCHASE: Purchase,
    Kind.PAYOUT: PayoutBody,
    Kind.TRANSFER: TransferBody,
}
