"""A statement as it stands in the log: said once about one time, or about one that comes again, or taken back."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from commonwatt.model import (
    MAX_SAFE_INTEGER,
    AccountId,
    Constraint,
    Interval,
    InvalidValue,
    Repeating,
    epoch,
    within,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """One bound that somebody stated; a line that bounds from both sides makes two.

    Args:
        position: Of the request in the log.
        account: For whom it was stated.
        text: The line.
        once: What it states about one time, or
        repeating: about one that comes again.
        ended_s: When what repeats was taken back, by the log's time; None where it was not.

    Raises:
        InvalidValue: It states nothing, or both.
    """

    position: int
    account: AccountId
    text: str
    once: Constraint | None = None
    repeating: Repeating | None = None
    ended_s: int | None = None

    def __post_init__(self) -> None:
        if (self.once is None) == (self.repeating is None):
            raise InvalidValue("a statement is about one time or about one that comes again")
        if self.ended_s is not None and self.repeating is None:
            raise InvalidValue("what was stated once and is taken back is gone")

    @property
    def statement(self) -> Constraint | Repeating:
        """What was stated, either way."""
        found = self.once or self.repeating
        assert found is not None
        return found

    @property
    def constraint(self) -> Constraint:
        """What was stated about one time, by whoever knows that it was; see `occurrences` for all others."""
        assert self.once is not None, "what repeats is many constraints"
        return self.once

    @property
    def ends_s(self) -> int:
        """From when on it can matter no more, seconds since 1970."""
        if self.once is not None:
            return over_s(self.once)
        assert self.repeating is not None
        ends = self.repeating.ends()
        last_s = MAX_SAFE_INTEGER if ends is None else epoch(ends)
        return last_s if self.ended_s is None else min(last_s, self.ended_s)

    def occurrences(self, span: Interval) -> list[Constraint]:
        """Return the constraints that it puts on a span, with their author; see `Repeating.occurrences`.

        Of what was taken back those remain that were over by then.
        """
        if self.once is not None:
            found = [self.once] if within(self.once, span) else []
        else:
            assert self.repeating is not None
            found = self.repeating.occurrences(span)
        if self.ended_s is not None:
            found = [one for one in found if over_s(one) <= self.ended_s]
        return [replace(one, author=self.account) for one in found]

    def following(self, now: datetime) -> list[Constraint]:
        """Return what it asks for after an instant; of what repeats only a week and a day."""
        if self.once is not None:
            return [self.once] if over_s(self.once) > epoch(now) else []
        return self.occurrences(Interval(now, now + timedelta(days=8)))

    def leaf(self) -> dict[str, object]:
        """Return what the state root binds of it."""
        told = {"account": self.account, "position": self.position, "text": self.text}
        kind = {"constraint": self.once} if self.once is not None else {"repeating": self.repeating}
        return {**told, **kind, **({} if self.ended_s is None else {"ended_s": self.ended_s})}


def over_s(constraint: Constraint) -> int:
    """Return when a constraint is over, seconds since 1970."""
    end = constraint.window.end if constraint.window is not None else constraint.at
    assert end is not None
    return epoch(end)
