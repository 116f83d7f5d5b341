"""Payment channels off the chain: what a payer may sign, and what a payee may believe.

A voucher says the total ever owed through a channel. So a later one replaces all earlier ones, a lost one costs
nothing, and who holds the last one holds all that was paid. Signatures and the chain are others' affair: here stands
what follows from what they say.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from commonwatt.model import InvalidValue

MOST_TOTAL = 2**63 - 1
"""What the tokens' contracts can bring into being; micro of ERGON."""
MOST_DELAY_S = 30 * 86_400
"""As the contract has it."""
_MOST_SALT = 2**256 - 1
_ADDRESS = re.compile("0x[0-9a-f]{40}")
_CHANNEL = re.compile("[0-9a-f]{64}")
_SIGNATURE = re.compile("[0-9a-f]{128}")
_NOBODY = "0x" + "0" * 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a channel is, for good: its id is made of this, of the chain and of the contract.

    Args:
        payer: Who deposits, and gets back what is not owed: 0x and 40 lower-case hex digits, as all four.
        signer: Whose key signs vouchers: the payer's own, or one that the payer gave to a gateway.
        payee: Who is paid.
        token: In what.
        delay_s: How long the payee can still claim once the payer withdraws, up to `MOST_DELAY_S`.
        salt: Tells channels apart that are otherwise alike.

    Raises:
        InvalidValue: An address is none or nobody's, or a number is out of its range.
    """

    payer: str
    signer: str
    payee: str
    token: str
    delay_s: int
    salt: int = 0

    def __post_init__(self) -> None:
        for address in (self.payer, self.signer, self.payee, self.token):
            if not _ADDRESS.fullmatch(address) or address == _NOBODY:
                raise InvalidValue(f"somebody's address is 0x and 40 lower-case hex digits, was {address!r}")
        if not 0 <= self.delay_s <= MOST_DELAY_S or not 0 <= self.salt <= _MOST_SALT:
            raise InvalidValue(f"a delay is up to {MOST_DELAY_S} s, a salt has 256 bits, was {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Voucher:
    """What was paid through a channel so far, signed.

    Args:
        channel: Its id, 64 lower-case hex digits.
        total: Base units of its token, above zero.
        signature: r and s with its parity, 128 lower-case hex digits; whether it holds is not looked at here.

    Raises:
        InvalidValue: One of them is of another form.
    """

    channel: str
    total: int
    signature: str

    def __post_init__(self) -> None:
        if not _CHANNEL.fullmatch(self.channel) or not _SIGNATURE.fullmatch(self.signature):
            raise InvalidValue(f"a voucher names a channel and is signed, was {self}")
        if not 0 < self.total <= MOST_TOTAL:
            raise InvalidValue(f"a voucher is of 1 to {MOST_TOTAL}, was {self.total}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a chain says of a channel as of some block; all zero before it was opened.

    Args:
        deposit: What was deposited, base units.
        claimed: What of it the payee has taken, up to the deposit.
        finish_at_s: When the payer can take back the rest, seconds since 1970; 0 where no withdrawal was begun.
        closed: It is over, for good.

    Raises:
        InvalidValue: More was claimed than deposited, or something is below zero.
    """

    deposit: int = 0
    claimed: int = 0
    finish_at_s: int = 0
    closed: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.claimed <= self.deposit or self.finish_at_s < 0:
            raise InvalidValue(f"a channel's deposit is claimed in part or whole, was {self}")

    def owed(self, voucher: Voucher | None) -> int:
        """Return what a voucher would pay now beyond what was claimed: never more than is there."""
        if voucher is None or self.closed:
            return 0
        return max(0, min(voucher.total, self.deposit) - self.claimed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """What one side owes through a channel, and the one voucher that stands for it.

    Args:
        channel: Which, by its id.
        owed: All that was ever owed, less what was owed back; it may fall, what was signed cannot.
        counted_to_s: Up to where that was counted, seconds since 1970.
        voucher: The last that was signed; all before it are worth nothing beside it.
        heard: The total of the last that the payee has answered for.

    Raises:
        InvalidValue: The voucher is another channel's, or more was heard than signed.
    """

    channel: str
    owed: int = 0
    counted_to_s: int = 0
    voucher: Voucher | None = None
    heard: int = 0

    def __post_init__(self) -> None:
        if self.voucher is not None and self.voucher.channel != self.channel:
            raise InvalidValue(f"a payer signs for {self.channel}, was for {self.voucher.channel}")
        if not 0 <= self.heard <= self.signed:
            raise InvalidValue(f"no more is heard than was signed, was {self.heard} of {self.signed}")

    @property
    def signed(self) -> int:
        """The total of the last voucher; 0 where there is none."""
        return self.voucher.total if self.voucher else 0

    @property
    def unheard(self) -> Voucher | None:
        """The voucher that the payee is still to be shown; None where it has seen the last one."""
        return self.voucher if self.heard < self.signed else None

    def owing(self, amount: int, to_s: int) -> "Payer":
        """Return the same with an amount more, or less, that is owed up to a moment; nothing is counted twice.

        Args:
            amount: Base units; below zero where the payee owes it.
            to_s: Up to where it counts, seconds since 1970: what does not lie after `counted_to_s` changes nothing.
        """
        if to_s <= self.counted_to_s:
            return self
        return replace(self, owed=self.owed + amount, counted_to_s=to_s)

    def through(self, channel: str) -> "Payer":
        """Return the same for payments through a channel; through another one what was signed before is paid.

        A closed channel never opens again, so its payer goes on through a new one. A voucher of the old one that was
        not answered for counts as paid too: who has it can claim it.
        """
        if channel == self.channel:
            return self
        return Payer(channel=channel, owed=self.owed - self.signed, counted_to_s=self.counted_to_s)

    def due(self, deposit: int) -> int | None:
        """Return the total to sign now, never above the deposit and never one that was signed before; None for none."""
        total = min(self.owed, deposit, MOST_TOTAL)
        return total if total > self.signed else None

    def signing(self, voucher: Voucher) -> "Payer":
        """Return the same with a later voucher in place of the one before.

        Raises:
            InvalidValue: It is of another channel, or of no more than the one before.
        """
        if voucher.total <= self.signed:
            raise InvalidValue(f"a later voucher is of more than {self.signed}, was {voucher.total}")
        return replace(self, voucher=voucher)

    def answered(self, total: int) -> "Payer":
        """Return the same once the payee has answered for a total that was signed; an older answer changes nothing."""
        return replace(self, heard=max(self.heard, min(total, self.signed)))


class Verdict(StrEnum):
    """What a payee makes of a voucher."""

    ACCEPTED = "accepted"
    SEEN_BEFORE = "seen before"
    """It, or a later one, is held already."""
    NOT_OPEN = "not open"
    """No deposit stands there that is final."""
    ABOVE_DEPOSIT = "above the deposit"
    ENDING = "ending"
    """The payer withdraws, or the channel is closed: nothing more is accepted, and what is held is claimed."""
    TOO_SHORT = "delay too short"
    """There would be no time to claim."""
    NOT_SIGNED = "not signed"
    NOT_OURS = "not ours"
    """Another payee's, another token's, or another account's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payee:
    """What the other side holds of a channel.

    Args:
        config: The channel's.
        channel: Its id.
        account: For whom it pays, among those that the payee keeps accounts of.
        voucher: The best that was accepted; None before the first.
        credited: What of it stands on that account already.

    Raises:
        InvalidValue: The voucher is another channel's, or more was credited than paid.
    """

    config: Config
    channel: str
    account: str
    voucher: Voucher | None = None
    credited: int = 0

    def __post_init__(self) -> None:
        if self.voucher is not None and self.voucher.channel != self.channel:
            raise InvalidValue(f"a payee holds vouchers of {self.channel}, was of {self.voucher.channel}")
        if not 0 <= self.credited <= self.total:
            raise InvalidValue(f"no more is credited than was paid, was {self.credited} of {self.total}")

    @property
    def total(self) -> int:
        """All that was paid; 0 before the first voucher."""
        return self.voucher.total if self.voucher else 0

    def judge(self, total: int, final: Standing, seen: Standing, least_delay_s: int) -> Verdict:
        """Tell whether a signed voucher can be accepted.

        Args:
            total: The voucher's.
            final: What stands of the channel for good: only such a deposit is money.
            seen: What was seen last, be it taken back yet: a withdrawal counts at once.
            least_delay_s: As long as this payee needs to claim.
        """
        if self.config.delay_s < least_delay_s:
            return Verdict.TOO_SHORT
        if total <= self.total:
            return Verdict.SEEN_BEFORE
        if final.closed or seen.closed or final.finish_at_s or seen.finish_at_s:
            return Verdict.ENDING
        if not final.deposit:
            return Verdict.NOT_OPEN
        # A re-organisation may leave less than either shows alone.
        return Verdict.ABOVE_DEPOSIT if total > min(final.deposit, seen.deposit) else Verdict.ACCEPTED

    def holding(self, voucher: Voucher) -> "Payee":
        """Return the same with a voucher that was accepted in place of the one before.

        Raises:
            InvalidValue: It is of another channel, or of no more than the one before.
        """
        if voucher.total <= self.total:
            raise InvalidValue(f"a later voucher is of more than {self.total}, was {voucher.total}")
        return replace(self, voucher=voucher)

    def crediting(self, credited: int) -> "Payee":
        """Return the same once so much of what was paid stands on the account."""
        return replace(self, credited=credited)
