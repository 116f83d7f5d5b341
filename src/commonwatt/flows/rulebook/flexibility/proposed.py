"""A schedule that waits for its owner's word, or got it."""

from dataclasses import dataclass

from commonwatt.model import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The last schedule that was put to an asset's owner since their last consent.

    Args:
        position: Where the schedule stands in the log.
        schedule: What would come into force.
        deadline_s: From when on no answer is a no, by the log's time.
        accepted: What the owner decided; None where they have not.
    """

    position: int
    schedule: Schedule
    deadline_s: int
    accepted: bool | None = None

    def waits(self, at_s: int) -> bool:
        """Tell whether its owner may still decide."""
        return self.accepted is None and at_s < self.deadline_s

    def declined(self, at_s: int) -> bool:
        """Tell whether its owner said no, or nothing in time."""
        return self.accepted is False or (self.accepted is None and at_s >= self.deadline_s)
