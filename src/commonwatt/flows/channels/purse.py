"""The story of a payer: what is owed is counted, signed, kept, and only then shown, again and again until answered.

A till that is out of reach costs nothing but time: vouchers are cumulative, so the one that is shown afterwards pays
for everything that came meanwhile.
"""

from collections.abc import Callable
from dataclasses import dataclass

from commonwatt.flows.channels.ports import Answer, Payment, Pocket, Teller
from commonwatt.model import InvalidValue, Refused, cost_micro
from commonwatt.tokens.channel import Payer, Verdict, Voucher

Sign = Callable[[str, int], Voucher]
"""Signs a voucher of a channel, of a total; see `contract.Channels.sign`."""
PAID = (Verdict.ACCEPTED, Verdict.SEEN_BEFORE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """What energy costs where it is paid through a channel, micro per kWh.

    Raises:
        InvalidValue: What is taken from the grid costs less than nothing.
    """

    import_micro_per_kwh: int
    export_micro_per_kwh: int = 0

    def __post_init__(self) -> None:
        if self.import_micro_per_kwh < 0:
            raise InvalidValue(f"energy from the grid costs zero or more, was {self}")

    def cost_micro(self, import_wh: int, export_wh: int) -> int:
        """Return what is owed for energy; below zero where more was given than taken."""
        return cost_micro(import_wh, self.import_micro_per_kwh) - cost_micro(export_wh, self.export_micro_per_kwh)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A payer's channel: what a till has to be shown with each voucher, and how much may be signed.

    Args:
        id: Its id.
        account: For whom it pays.
        payer: Who deposited.
        signer: Whose key signs.
        delay_s: Of its config.
        deposit: What is deposited and final: no voucher is of more.
        number: Which of the account's channels.
    """

    id: str
    account: str
    payer: str
    signer: str
    delay_s: int
    deposit: int
    number: int = 0

    def payment(self, voucher: Voucher) -> Payment:
        """Return a voucher as it is shown."""
        return Payment(
            account=self.account,
            number=self.number,
            payer=self.payer,
            signer=self.signer,
            delay_s=self.delay_s,
            voucher=voucher,
        )


def signed(payer: Payer, channel: Channel, sign: Sign) -> Payer:
    """Return a payer's book with a voucher for all that is owed, up to the deposit; the same where none is due.

    It is for the caller to keep the book before anybody is shown the voucher.
    """
    total = payer.due(channel.deposit)
    return payer if total is None else payer.signing(sign(channel.id, total))


class Purse:
    """Pays through one channel.

    Args:
        channel: Which.
        sign: With the channel's signer.
        pocket: Where its book is kept.
        teller: The line to the payee's till.
    """

    def __init__(self, channel: Channel, sign: Sign, pocket: Pocket, teller: Teller) -> None:
        self._channel, self._sign, self._pocket, self._teller = channel, sign, pocket, teller
        self.book = (pocket.book() or Payer(channel=channel.id)).through(channel.id)

    def owe(self, amount: int, to_s: int) -> None:
        """Owe more, or less, up to a moment, and keep a voucher for it; the same moment again changes nothing.

        Args:
            amount: Base units.
            to_s: Up to where it counts, seconds since 1970.

        Raises:
            OSError: The disk did not take it: nothing is owed or signed that was not before.
        """
        book = signed(self.book.owing(amount, to_s), self._channel, self._sign)
        if book != self.book:
            self._pocket.keep(book)
            self.book = book

    @property
    def short(self) -> int:
        """What is owed beyond the deposit: it is signed once more is deposited."""
        return max(0, self.book.owed - max(self._channel.deposit, self.book.signed))

    def pay(self) -> Answer | None:
        """Show the last voucher where the till has not answered for it; None where there is none to show.

        Raises:
            Unreachable: The till gives no answer; what is signed waits.
            Refused: The till does not take it.
            OSError: The disk does not take the answer; the voucher is shown again.
        """
        voucher = self.book.unheard
        if voucher is None:
            return None
        answer = self._teller.show(self._channel.payment(voucher))
        if answer.verdict not in PAID:
            raise Refused("a till takes a voucher", channel=self._channel.id, verdict=answer.verdict)
        book = self.book.answered(voucher.total)
        self._pocket.keep(book)
        self.book = book
        return answer
