"""A voucher of a payment channel as it travels to a till, and the till's answer."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from commonwatt.flows.channels.ports import Payment
from commonwatt.tokens.channel import MOST_DELAY_S, MOST_TOTAL, Verdict, Voucher

VOUCHERS, TERMS = "/payments/vouchers", "/payments/channel-terms"
_Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z")]
_Address = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{40}\Z")]


class Shown(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A payment as it travels, see `commonwatt.flows.channels.ports.Payment`."""

    account: _Name
    number: Annotated[int, Meta(ge=0, le=2**31)] = 0
    payer: _Address
    signer: _Address
    delay_s: Annotated[int, Meta(ge=0, le=MOST_DELAY_S)]
    channel: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    total: Annotated[int, Meta(gt=0, le=MOST_TOTAL)]
    signature: Annotated[str, Meta(pattern=r"^[0-9a-f]{128}\Z")]

    def payment(self) -> Payment:
        """Return what it says.

        Raises:
            InvalidValue: It makes no sense.
        """
        return Payment(
            account=self.account,
            number=self.number,
            payer=self.payer,
            signer=self.signer,
            delay_s=self.delay_s,
            voucher=Voucher(channel=self.channel, total=self.total, signature=self.signature),
        )


class Told(Struct, kw_only=True, frozen=True):
    """What a till answers, as it travels."""

    verdict: Verdict
    total: int


def written(payment: Payment) -> bytes:
    """Return a payment as it travels."""
    voucher = payment.voucher
    return msgspec.json.encode(
        Shown(
            account=payment.account,
            number=payment.number,
            payer=payment.payer,
            signer=payment.signer,
            delay_s=payment.delay_s,
            channel=voucher.channel,
            total=voucher.total,
            signature=voucher.signature,
        )
    )
