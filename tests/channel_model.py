"""The contract of channels, said again in Python for one channel: what it does, what it refuses, what it says."""

from dataclasses import dataclass, replace

MOST = 2**128 - 1


class Refusal(Exception):
    """The contract says no, in these words."""


@dataclass(frozen=True, slots=True)
class Paid:
    """What a call moved from the contract to each side."""

    to_payee: int = 0
    to_payer: int = 0


@dataclass(frozen=True, slots=True)
class Chan:
    """One channel; as it begins, so is one that nobody opened."""

    payer: str
    payee: str
    delay_s: int
    deposit: int = 0
    claimed: int = 0
    finish_at_s: int = 0
    closed: bool = False

    @property
    def open(self) -> bool:
        return self.deposit > 0 and not self.closed

    def add(self, who: str, amount: int) -> "Chan":
        self._ask(who == self.payer, "payer deposits")
        self._ask(amount > 0, "nothing deposited")
        self._ask(not self.closed, "closed")
        self._ask(not self.finish_at_s, "withdrawing")
        self._ask(self.deposit + amount < MOST, "too much")
        return replace(self, deposit=self.deposit + amount)

    def claim(self, total: int, signed: bool) -> tuple["Chan", Paid, str]:
        """Anybody claims; what pays nothing is skipped. The word is the event that tells of it."""
        owed = 0 if self.closed else min(total, self.deposit)
        if owed <= self.claimed or self.closed:
            return self, Paid(), "stale"
        if not signed:
            return self, Paid(), "unsigned"
        return replace(self, claimed=owed), Paid(to_payee=owed - self.claimed), "claimed"

    def close(self, who: str, total: int, signed: bool) -> tuple["Chan", Paid]:
        self._ask(who == self.payee, "payee closes")
        self._ask(self.open, "not open")
        owed = min(total, self.deposit)
        self._ask(signed or owed <= self.claimed, "not signed")
        owed = max(owed, self.claimed)
        return self._over(), Paid(owed - self.claimed, self.deposit - owed)

    def withdraw(self, who: str, now_s: int) -> "Chan":
        self._ask(who == self.payer, "payer withdraws")
        self._ask(self.open, "not open")
        self._ask(not self.finish_at_s, "withdrawing")
        return replace(self, finish_at_s=now_s + self.delay_s)

    def finish(self, now_s: int) -> tuple["Chan", Paid]:
        self._ask(self.open, "not open")
        self._ask(0 < self.finish_at_s <= now_s, "too early")
        return self._over(), Paid(to_payer=self.deposit - self.claimed)

    def _over(self) -> "Chan":
        return replace(self, deposit=0, claimed=0, closed=True)

    def _ask(self, holds: bool, why: str) -> None:
        if not holds:
            raise Refusal(f"channel: {why}")
