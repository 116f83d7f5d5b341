"""Premium licences, under which storage owes the operator nothing: a part of the state."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from commonwatt.model import AccountId, AssetId, InvalidValue

Span = tuple[int, int]
"""From one second on, until another: starts of slots."""
KeptLicences = list[tuple[AccountId, list[Span]]]
MOST_SPANS = 8
"""Separate spans that one account may hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waived:
    """Commission that a licence waived in a slot, in micro; below zero where a late reading made it less."""

    slot_s: int
    owner: AccountId
    asset: AssetId
    micro: int


@dataclass(slots=True)
class Licences:
    """Who holds a licence when: disjoint spans in order. What was waived is noted where somebody asks for it."""

    spans: dict[AccountId, list[Span]] = field(default_factory=dict)
    waived: list[Waived] | None = None

    def holds(self, account: AccountId, slot_s: int) -> bool:
        """Tell whether a licence covers an account's slot."""
        return any(from_s <= slot_s < until_s for from_s, until_s in self.spans.get(account, ()))

    def extended(self, account: AccountId, from_s: int, lasts_s: int) -> int:
        """Return when so much more time ends that begins at a moment and leaves out what is covered already."""
        end_s = from_s + lasts_s
        for begins_s, until_s in self.spans.get(account, ()):
            if begins_s <= end_s and until_s > from_s:
                end_s += until_s - max(begins_s, from_s)
        return end_s

    def grant(self, account: AccountId, from_s: int, until_s: int) -> bool:
        """Let a licence hold for a span; return whether there was room for one more span."""
        merged: list[Span] = []
        for begins_s, ends_s in sorted([*self.spans.get(account, ()), (from_s, until_s)]):
            if merged and begins_s <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], ends_s))
            else:
                merged.append((begins_s, ends_s))
        if len(merged) > MOST_SPANS:
            return False
        self.spans[account] = merged
        return True

    def forget_before(self, slot_s: int) -> None:
        """Let go of licences that ended before a slot."""
        for account in list(self.spans):
            left = [span for span in self.spans[account] if span[1] > slot_s]
            if left:
                self.spans[account] = left
            else:
                del self.spans[account]

    def leaves(self) -> Iterator[Mapping[str, object]]:
        """Yield everything that decides what may happen next, in one order whatever the way that led to it."""
        yield from ({"licences": self.spans[account], "of": account} for account in sorted(self.spans))

    def dump(self) -> KeptLicences:
        """Return all of it in plain form: a snapshot's."""
        return sorted(self.spans.items())

    @classmethod
    def load(cls, kept: KeptLicences) -> "Licences":
        """Return the licences that `dump` wrote.

        Raises:
            InvalidValue: A span ends before it begins.
        """
        if any(from_s >= until_s for _, spans in kept for from_s, until_s in spans):
            raise InvalidValue("a licence ends after it begins")
        return cls(dict(kept))
