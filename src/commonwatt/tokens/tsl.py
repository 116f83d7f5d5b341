"""TSL: the right to store, fixed in number, and the commission that those who store pay with it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from commonwatt.model import (
    COMMISSION_POOL,
    EDUCATION_POT,
    MAX_SAFE_INTEGER,
    MICRO,
    NETWORK,
    SLOT_SECONDS,
    SYSTEM_ACCOUNTS,
    AccountId,
    InvalidValue,
    round_div,
    share_wh,
)

TOTAL_MICRO = 10**9 * MICRO
"""All the TSL there will ever be, on the chain and in every community together."""
PERCENT = (80, 10, 10)
"""What storage owners, the education pot and the network get of each commission."""
MOST_HELD_WH = MAX_SAFE_INTEGER // SLOT_SECONDS
"""What one account can hold so that a quarter of an hour of it can still be counted: 10 TWh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """TSL that is to go from one account to another, in micro.

    Raises:
        InvalidValue: The amount is not above zero, or both accounts are one.
    """

    source: AccountId
    target: AccountId
    amount_micro: int

    def __post_init__(self) -> None:
        if self.amount_micro <= 0 or self.source == self.target:
            raise InvalidValue(f"a payment moves more than zero between two accounts, was {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Commission:
    """One quarter-hour's commission.

    Args:
        payments: To be booked in this order: every payer into the pool, then the pool to storage owners, education
            pot and network; each group sorted by account, no zeros, the pool never below zero.
        paid_micro: What the holders pay together.
        carried_micro: What stays in the pool for the next quarter-hour.
    """

    payments: tuple[Payment, ...]
    paid_micro: int
    carried_micro: int


class HeldTime:
    """How much WATT each account held for how long in the running quarter-hour, in Wh-seconds.

    It costs one step for each change of a balance, and one for each holder when a quarter-hour closes.
    `start_s` and `items` are all its state.

    Args:
        start_s: Where the running quarter-hour starts, seconds since 1970.
        items: The `items` of the one to rebuild.

    Raises:
        InvalidValue: The start is not on a quarter of an hour, or an item does not lie within it.
    """

    def __init__(self, start_s: int, items: Iterable[tuple[AccountId, int, int]] = ()) -> None:
        if start_s % SLOT_SECONDS:
            raise InvalidValue(f"held time runs from a quarter of an hour, was {start_s} s")
        self.start_s = start_s
        self._counted: dict[AccountId, tuple[int, int]] = {}
        for account, changed_s, wh_seconds in items:
            most = (changed_s - start_s) * MOST_HELD_WH
            if not (0 <= changed_s - start_s < SLOT_SECONDS and 0 <= wh_seconds <= most) or account in self._counted:
                raise InvalidValue(f"held time lies in the quarter from {start_s} s, was {changed_s} s of {account}")
            self._counted[account] = changed_s, wh_seconds

    def changed(self, account: AccountId, balance_before_wh: int, at_s: int) -> None:
        """Count what an account held until now, just before its balance changes.

        Args:
            account: A holder; mint and burn address hold nothing.
            balance_before_wh: WATT in Wh since its last change.
            at_s: The log's time, seconds since 1970, within the running quarter-hour; ended ones are closed first.

        Raises:
            InvalidValue: The balance is below zero or above `MOST_HELD_WH`, or the time is outside the quarter-hour
                or before the account's last change; nothing is counted.
        """
        since_s, wh_seconds = self._counted.get(account, (self.start_s, 0))
        if not since_s <= at_s < self.start_s + SLOT_SECONDS:
            raise InvalidValue(f"a balance changes in the running quarter, after {since_s} s, was {at_s} s: {account}")
        self._counted[account] = at_s, wh_seconds + _held(account, balance_before_wh, at_s - since_s)

    def close(self, slot_s: int, balances_wh: Mapping[AccountId, int]) -> dict[AccountId, int]:
        """End the running quarter-hour and begin the next.

        Args:
            slot_s: Where it started; asked for so that none is closed twice or left out.
            balances_wh: What every holder has now, in Wh; who is not named has nothing.

        Returns:
            Wh-seconds of each account that held anything, sorted by account.

        Raises:
            InvalidValue: Another quarter-hour is running, or a balance is below zero or above `MOST_HELD_WH`;
                nothing is closed.
        """
        if slot_s != self.start_s:
            raise InvalidValue(f"the quarter from {self.start_s} s is running, was told to close {slot_s} s")
        end_s = slot_s + SLOT_SECONDS
        held: dict[AccountId, int] = {}
        for account in sorted(self._counted.keys() | balances_wh.keys()):
            since_s, wh_seconds = self._counted.get(account, (slot_s, 0))
            wh_seconds += _held(account, balances_wh.get(account, 0), end_s - since_s)
            if wh_seconds:
                held[account] = wh_seconds
        self.start_s = end_s
        self._counted.clear()
        return held

    def items(self) -> list[tuple[AccountId, int, int]]:
        """Return account, time of its last change in s since 1970 and Wh-seconds until then, sorted by account."""
        return [(account, *self._counted[account]) for account in sorted(self._counted)]


def _held(account: AccountId, balance_wh: int, seconds: int) -> int:
    if not 0 <= balance_wh <= MOST_HELD_WH:
        raise InvalidValue(f"a holder has from zero to {MOST_HELD_WH} Wh, was {balance_wh} Wh of {account}")
    return balance_wh * seconds


def right_wh(tsl_micro: int, tsl_micro_per_kwh: int | None) -> int:
    """Return how much WATT an amount of TSL gives the right to store, rounded down to Wh.

    Args:
        tsl_micro: Free TSL of the member; what is staked gives no right.
        tsl_micro_per_kwh: TSL that a stored kWh needs, above zero; None where the community asks for none: then all
            that the books can count, 2^53-1 Wh, may be stored.

    Raises:
        InvalidValue: The TSL is below zero, or the parameter is not above zero (no limit is asked for by None alone).

    Source: energo-dae, Token; MISSION, row E3; the parameter: RULES, Energy and money.
    """
    _check_right(tsl_micro, tsl_micro_per_kwh)
    if tsl_micro_per_kwh is None:
        return MAX_SAFE_INTEGER
    return min(MAX_SAFE_INTEGER, tsl_micro * 1000 // tsl_micro_per_kwh)


def tsl_needed_micro(wh: int, tsl_micro_per_kwh: int | None) -> int:
    """Return the least TSL that gives the right to store some WATT, in micro, rounded up; 0 where none is asked for.

    Raises:
        InvalidValue: The energy is below zero, or the parameter is not above zero.

    Source: see `right_wh`, whose inverse it is.
    """
    _check_right(wh, tsl_micro_per_kwh)
    return 0 if tsl_micro_per_kwh is None else -(-wh * tsl_micro_per_kwh // 1000)


def _check_right(amount: int, tsl_micro_per_kwh: int | None) -> None:
    if amount < 0 or (tsl_micro_per_kwh is not None and tsl_micro_per_kwh <= 0):
        raise InvalidValue(f"a right to store is of zero or more, was {amount} at {tsl_micro_per_kwh} micro per kWh")


def commission(
    held_wh_seconds: Mapping[AccountId, int],
    rate_micro_per_kwh: int,
    tsl_micro: Mapping[AccountId, int],
    storage_wh: Mapping[AccountId, int],
    *,
    carried_micro: int = 0,
) -> Commission:
    """Charge holders of WATT for a quarter-hour of storage and share what they pay 80 : 10 : 10.

    A holder's fee is rate * (Wh-seconds / 900) / 1000, rounded once, halves to even like all money, and never more
    than their TSL: what is missing is forgone, since nobody can owe what is never issued again. Sum and storage
    owners' part are split by largest remainders. Where no storage had anything metered in it, the owners' part stays
    in the pool for the first quarter-hour that knows owners: it is theirs, and a late meter must not give it away.

    Args:
        held_wh_seconds: What `HeldTime.close` returned.
        rate_micro_per_kwh: Micro-TSL for each kWh stored over one quarter-hour, a parameter of the community.
        tsl_micro: TSL of the holders that they can spend; who is not named has none.
        storage_wh: Mean metered Wh of each owner in community storage in that quarter-hour, or the same multiple of
            it for all, such as level before plus level after.
        carried_micro: What the pool holds from before: its balance.

    Raises:
        InvalidValue: A number is below zero, an account of the system holds WATT, or the pool owns storage.

    Source: energo-dae, Token; MISSION, Formulas of the Energo document.
    """
    numbers = (rate_micro_per_kwh, carried_micro, *held_wh_seconds.values(), *tsl_micro.values(), *storage_wh.values())
    if min(numbers) < 0:
        raise InvalidValue(f"a commission counts zero or more, was {min(numbers)}")
    odd = [account for account in SYSTEM_ACCOUNTS if held_wh_seconds.get(account)]
    if odd or storage_wh.get(COMMISSION_POOL):
        raise InvalidValue(f"members hold WATT and the pool owns no storage, was held by {odd or COMMISSION_POOL}")
    fees = [
        (account, min(round_div(rate_micro_per_kwh * wh_seconds, SLOT_SECONDS * 1000), tsl_micro.get(account, 0)))
        for account, wh_seconds in sorted(held_wh_seconds.items())
    ]
    paid_micro = sum(fee for _, fee in fees)
    to_storage, to_education, to_network = share_wh(paid_micro, PERCENT)
    to_storage += carried_micro
    owners = sorted(account for account, wh in storage_wh.items() if wh)
    shares = share_wh(to_storage, [storage_wh[account] for account in owners]) if owners else []
    payments = [
        *((account, COMMISSION_POOL, fee) for account, fee in fees),
        *((COMMISSION_POOL, account, share) for account, share in zip(owners, shares, strict=True)),
        (COMMISSION_POOL, EDUCATION_POT, to_education),
        (COMMISSION_POOL, NETWORK, to_network),
    ]
    return Commission(
        payments=tuple(Payment(source=a, target=b, amount_micro=amount) for a, b, amount in payments if amount),
        paid_micro=paid_micro,
        carried_micro=0 if owners else to_storage,
    )


def welcome_grant_micro(pot_micro: int, grant_micro: int) -> int:
    """Return what a new user gets from the education pot: the whole grant, or nothing where the pot is too small.

    Raises:
        InvalidValue: The pot or the grant is below zero.

    Source: energo-dae, Token; MISSION, row E3.
    """
    if min(pot_micro, grant_micro) < 0:
        raise InvalidValue(f"pot and grant are zero or more, was {pot_micro} and {grant_micro} micro")
    return grant_micro if grant_micro <= pot_micro else 0
