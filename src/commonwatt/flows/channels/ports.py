"""The doors of channels: where vouchers are kept on disk, and how one is shown to a till."""

from dataclasses import dataclass
from typing import Protocol

from commonwatt.tokens.channel import Payee, Payer, Verdict, Voucher


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A voucher as it is shown to a till, with what a channel's id is made of; payee and token the till knows itself.

    Args:
        account: For whom it pays.
        number: Which of that account's channels, see `typed.account_salt`.
        payer: Who deposited.
        signer: Whose key signed.
        delay_s: Of the channel.
        voucher: The last.
    """

    account: str
    number: int
    payer: str
    signer: str
    delay_s: int
    voucher: Voucher


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a till makes of a voucher, and the best total that it holds of the channel now."""

    verdict: Verdict
    total: int


class Held(Protocol):
    """What a payee holds of all its channels."""

    def of(self, channel: str) -> Payee | None:
        """Return what is held of a channel; None where nothing is."""

    def keep(self, payee: Payee) -> None:
        """Put what is held of a channel in place of what was, durably.

        Raises:
            OSError: The disk is full or broken; it is as before, and the voucher must not be taken for paid.
        """

    def after(self, channel: str, most: int) -> list[Payee]:
        """Return what is held of channels after one, by name, so many at most; from the beginning after ``""``."""

    def watched_to(self) -> int:
        """Return the block from which withdrawals are looked for."""

    def watch_from(self, block: int) -> None:
        """Let them be looked for from a block on, durably. Raises OSError as in `keep`."""


class Pocket(Protocol):
    """Where a payer keeps its book."""

    def book(self) -> Payer | None:
        """Return what was kept last; None before."""

    def keep(self, payer: Payer) -> None:
        """Put a book in place of the one before, durably.

        Raises:
            OSError: The disk is full or broken; nothing that it says has happened.
        """


class Teller(Protocol):
    """A line to a payee's till."""

    def show(self, payment: Payment) -> Answer:
        """Return what the till makes of a payment. Shown again, it is the same payment.

        Raises:
            Unreachable: No answer that can be believed came; the till may have taken it.
        """
