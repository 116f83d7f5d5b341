"""What a falling ERGON balance sets off: a top-up, a notice, and in the end the meter's switch."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from commonwatt.model import MAX_SAFE_INTEGER, AccountId, InvalidValue

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpRule:
    """A member's standing wish to buy ERGON when it runs low.

    Args:
        threshold_micro: At this balance or below, zero or more.
        amount_micro: How much to buy at once, above zero.
        daily_cap_micro: The most to ask for in one UTC day; no less than one amount.

    Raises:
        InvalidValue: A number is out of its range or above 2^53-1.
    """

    threshold_micro: int
    amount_micro: int
    daily_cap_micro: int

    def __post_init__(self) -> None:
        if self.threshold_micro < 0 or not 0 < self.amount_micro <= self.daily_cap_micro:
            raise InvalidValue(f"a top-up buys something within its cap, was {self}")
        if max(self.threshold_micro, self.daily_cap_micro) > MAX_SAFE_INTEGER:
            raise InvalidValue(f"an amount is within 2^53-1, was {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUp:
    """A purchase that the provider was asked for.

    Args:
        id: Told to the provider, so that it collects once.
        account: Who buys.
        amount_micro: How much.
        until_s: First second since 1970 at which no answer is waited for any more.
        failed: The provider said no; nothing else is asked until then.

    Raises:
        InvalidValue: It has no name or buys nothing.
    """

    id: str
    account: AccountId
    amount_micro: int
    until_s: int
    failed: bool = False

    def __post_init__(self) -> None:
        if not self.id or self.amount_micro <= 0:
            raise InvalidValue(f"a top-up has a name and buys something, was {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoTopUp:
    """All that is known of one account's top-ups.

    Args:
        account: Whose.
        rule: What the member wants; None where they want none any more.
        asked: The last that was asked for, until it has arrived.
        day: UTC day of the last one, counted from 1970.
        day_micro: What was asked for on that day and did not fail.

    Raises:
        InvalidValue: What was asked for is another account's, or the day's sum is below zero.
    """

    account: AccountId
    rule: TopUpRule | None = None
    asked: TopUp | None = None
    day: int = 0
    day_micro: int = 0

    def __post_init__(self) -> None:
        if self.day_micro < 0 or (self.asked and self.asked.account != self.account):
            raise InvalidValue(f"an account's top-ups are its own, zero or more a day, was {self}")


class TopUps:
    """Automatic purchases: one at a time, never above the day's cap, and none while the last may still arrive.

    Args:
        accounts: The `items` of the one to rebuild, in any order.

    Raises:
        InvalidValue: An account or the name of a top-up is there twice.
    """

    def __init__(self, accounts: Iterable[AutoTopUp] = ()) -> None:
        self._accounts: dict[AccountId, AutoTopUp] = {}
        self._asked: dict[str, AccountId] = {}
        for known in accounts:
            if known.account in self._accounts or (known.asked and known.asked.id in self._asked):
                raise InvalidValue(f"an account's top-ups stand once, was {known}")
            self._accounts[known.account] = known
            if known.asked:
                self._asked[known.asked.id] = known.account

    def wish(self, account: AccountId, rule: TopUpRule | None) -> None:
        """Set or, with None, take back an account's rule; what was asked for today still counts."""
        self._accounts[account] = replace(self._known(account), rule=rule)

    def ask(self, name: str, account: AccountId, balance_micro: int, now_s: int, *, lasts_s: int) -> TopUp | None:
        """Return what the provider is to be asked for now, None where nothing is.

        Args:
            name: A name for it that nobody used before, such as its place in the log.
            account: Whose balance was looked at.
            balance_micro: What it has, in micro; below zero where it owes.
            now_s: The log's time, seconds since 1970.
            lasts_s: How long to wait for an answer; a refusal is not followed by another attempt before that.

        Raises:
            InvalidValue: The name is empty or waits for an answer, or the waiting time is not above zero.
        """
        if not name or name in self._asked or lasts_s <= 0:
            raise InvalidValue(f"a top-up has a name of its own and some time, was {name!r} for {lasts_s} s")
        known = self._known(account)
        rule, day = known.rule, now_s // DAY_SECONDS
        if rule is None or balance_micro > rule.threshold_micro or (known.asked and now_s < known.asked.until_s):
            return None
        day_micro = rule.amount_micro + (known.day_micro if known.day == day else 0)
        if day_micro > rule.daily_cap_micro:
            return None
        asked = TopUp(id=name, account=account, amount_micro=rule.amount_micro, until_s=now_s + lasts_s)
        if known.asked:
            del self._asked[known.asked.id]
        self._asked[name] = account
        self._accounts[account] = replace(known, asked=asked, day=day, day_micro=day_micro)
        return asked

    def arrived(self, name: str) -> bool:
        """Note that a purchase has come; False where nothing of that name is waited for (the purchase counts anyway).

        One that comes after its time ends the waiting likewise, and one that was said to have failed counts again
        against the cap of the day on which it was asked for.
        """
        account = self._asked.pop(name, None)
        if account is None:
            return False
        known = self._known(account)
        back_micro = known.asked.amount_micro if known.asked and known.asked.failed else 0
        self._accounts[account] = replace(known, asked=None, day_micro=known.day_micro + back_micro)
        return True

    def failed(self, name: str) -> bool:
        """Note that the provider collected nothing: the cap is free again; False where none such waits or it is known.

        What only ran out of time still counts against the cap, since it may yet be collected.
        """
        account = self._asked.get(name)
        if account is None:
            return False
        known = self._known(account)
        if known.asked is None or known.asked.failed:
            return False
        day_micro = known.day_micro - known.asked.amount_micro
        self._accounts[account] = replace(known, asked=replace(known.asked, failed=True), day_micro=day_micro)
        return True

    def asked(self, account: AccountId) -> TopUp | None:
        """Return the last top-up that was asked for and has not arrived; None where there is none."""
        return self._known(account).asked

    def pending(self, account: AccountId, now_s: int) -> bool:
        """Tell whether a top-up was asked for that may still arrive in time."""
        asked = self._known(account).asked
        return asked is not None and not asked.failed and now_s < asked.until_s

    def rule(self, account: AccountId) -> TopUpRule | None:
        """Return an account's rule; None where it has none."""
        return self._known(account).rule

    def items(self) -> list[AutoTopUp]:
        """Return what is known of each account, sorted by account: all the state there is."""
        return [self._accounts[account] for account in sorted(self._accounts)]

    def _known(self, account: AccountId) -> AutoTopUp:
        return self._accounts.get(account) or AutoTopUp(account=account)


class LowBalance:
    """Who has been told that their balance is low: once for each fall, however long it lasts.

    Args:
        low_micro: At this balance or below a notice is due.
        clear_micro: At this balance or above the next fall is a new one; above the first, so that a balance that
            trembles around one number does not ring each time.
        told: The `items` of the one to rebuild.

    Raises:
        InvalidValue: The second balance is not above the first.
    """

    def __init__(self, low_micro: int, clear_micro: int, told: Iterable[AccountId] = ()) -> None:
        if clear_micro <= low_micro:
            raise InvalidValue(f"a balance clears above where it is low, was {low_micro} and {clear_micro} micro")
        self._low_micro = low_micro
        self._clear_micro = clear_micro
        self._told = set(told)

    def look(self, account: AccountId, balance_micro: int) -> bool:
        """Look at a balance after it has changed; True where a notice is due now."""
        if balance_micro >= self._clear_micro:
            self._told.discard(account)
        if balance_micro > self._low_micro or account in self._told:
            return False
        self._told.add(account)
        return True

    def items(self) -> list[AccountId]:
        """Return who was told and has not recovered since, sorted: all the state there is beside the two balances."""
        return sorted(self._told)


class Supply(StrEnum):
    """Whether a member's meter lets energy through."""

    ENABLED = "enabled"
    GRACE = "grace"
    """Still enabled; a deadline runs."""
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Switched:
    """A meter's switch as it stands, and with `MeterSwitch.look` the change that a notice is due for.

    Args:
        account: Whose meter.
        supply: What it is now.
        since_s: When it became so, seconds since 1970.
        deadline_s: Until when grace lasts, or lasted before it was disabled; 0 while enabled.
    """

    account: AccountId
    supply: Supply
    since_s: int
    deadline_s: int = 0


class MeterSwitch:
    """Keeps meters enabled while there is ERGON, and cuts nobody off in doubt (row H4).

    Args:
        threshold_micro: A meter is enabled while its account has more than this; zero or more.
        grace_s: How long one at or below it stays enabled nevertheless; above zero.
        switched: The `items` of the one to rebuild, in any order.

    Raises:
        InvalidValue: The threshold is below zero, the grace is not above zero, or an item is not of this switch.

    Source: MISSION, row H4 and 'Questions that the documents leave open'; grace: RULES, Energy and money.
    """

    def __init__(self, threshold_micro: int, grace_s: int, switched: Iterable[Switched] = ()) -> None:
        if threshold_micro < 0 or grace_s <= 0:
            raise InvalidValue(f"a meter has a threshold and some grace, was {threshold_micro} micro and {grace_s} s")
        self._threshold_micro = threshold_micro
        self._grace_s = grace_s
        self._switched: dict[AccountId, Switched] = {}
        for stand in switched:
            if stand.supply is Supply.ENABLED or stand.account in self._switched or stand.deadline_s <= 0:
                raise InvalidValue(f"a switch stands once, and only away from enabled, was {stand}")
            self._switched[stand.account] = stand

    def look(
        self, account: AccountId, balance_micro: int, now_s: int, *, sure_to_s: int, pending: bool
    ) -> Switched | None:
        """Look at an account after its balance has changed or once it is `due`; return the change, None where none.

        At or below the threshold, grace begins. It ends with disabling at the deadline or later, once every slot
        before the deadline is sure and no money is on its way. More than the threshold enables at once.

        Args:
            account: Whose meter.
            balance_micro: All that it has, reserved or not; below zero where it owes.
            now_s: The log's time, seconds since 1970.
            sure_to_s: The start of the first slot that is not certain for this account, seconds since 1970: not
                settled yet, or settled without a believed reading of the account's own connection (silent, estimated,
                set aside). It moves on when the late or corrected reading is booked, not before: an estimate may
                begin a grace, it never ends one.
            pending: A purchase or a top-up may still arrive; the caller lets it expire.
        """
        stand = self._switched.get(account)
        if balance_micro > self._threshold_micro:
            if stand is None:
                return None
            del self._switched[account]
            return Switched(account=account, supply=Supply.ENABLED, since_s=now_s)
        if stand is None:
            change = Switched(account=account, supply=Supply.GRACE, since_s=now_s, deadline_s=now_s + self._grace_s)
        elif stand.supply is Supply.GRACE and min(now_s, sure_to_s) >= stand.deadline_s and not pending:
            change = replace(stand, supply=Supply.DISABLED, since_s=now_s)
        else:
            return None
        self._switched[account] = change
        return change

    def supply(self, account: AccountId) -> Supply:
        """Return how an account's meter stands; only `DISABLED` lets nothing through."""
        stand = self._switched.get(account)
        return stand.supply if stand else Supply.ENABLED

    def due(self, now_s: int) -> list[AccountId]:
        """Return whose grace has run out and who may have to be disabled, sorted by account."""
        stands = self._switched.values()
        return sorted(s.account for s in stands if s.supply is Supply.GRACE and s.deadline_s <= now_s)

    def items(self) -> list[Switched]:
        """Return every meter that is not simply enabled, sorted by account: all the state beside the parameters."""
        return [self._switched[account] for account in sorted(self._switched)]
