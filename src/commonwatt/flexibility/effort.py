"""How hard an engine tries: when a plan is good enough, what stops the search, and who is told how far it is."""

from collections.abc import Callable
from dataclasses import dataclass

from commonwatt.model import InvalidValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a search has come.

    Args:
        doing: In a few words, for a progress bar.
        seconds: Since the search began.
        cost_micro: Cost of the best plan so far; None where there is none yet.
        bound_micro: No plan costs less; None where nothing is proven yet.
    """

    doing: str
    seconds: float
    cost_micro: float | None = None
    bound_micro: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """When to stop.

    Args:
        gap: A plan is good enough when it is proven to cost at most this share more than the best.
        nodes: Branches to look at in each search; does not depend on the machine's speed.
        seconds: Time in all; None for no limit. With a limit the same problem may give another plan elsewhere.
        steps: Slots from the first in which least powers and least times are kept; None for all. A plan that slides
            is made again before the later slots come.
        progress: Called now and then; answers False to cancel. The best so far is returned with its gap.
    """

    gap: float = 1e-4
    nodes: int = 20_000
    seconds: float | None = None
    steps: int | None = None
    progress: Callable[[Progress], bool] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.gap < 1 or self.nodes < 0 or (self.steps is not None and self.steps < 0):
            raise InvalidValue(f"an effort has a gap from 0 to below 1 and counts from zero, was {self}")
        if self.seconds is not None and self.seconds <= 0:
            raise InvalidValue(f"an effort takes some time, was {self.seconds} s")
