"""By what somebody sits there, for pages and streams that stay open: it can be asked again whether they still do."""

from collections.abc import Callable
from typing import Protocol

LOOK_EVERY_S = 2.0
"""How old an answer may be that lets changes be shown; who does something is looked at then and there."""


class Held(Protocol):
    """A session or token, by which a page or stream was opened."""

    def still(self, *, used: bool = False) -> bool:
        """Tell whether who opened it sits there still, as what they did then.

        Args:
            used: Whether they did something just now; to be shown what changes is no use of a session.
        """

    def need_fresh(self) -> None:
        """Refuse who did not come in just now, by a lasting way.

        Raises:
            Refused: Says so.
        """


class Free:
    """Implements `Held` where nothing is: the public's seat, and those of a rehearsal, which anybody may take."""

    def still(self, *, used: bool = False) -> bool:
        """Tell that nothing can end."""
        return True

    def need_fresh(self) -> None:
        """Let them."""


FREE = Free()


def seldom(held: Held, now_s: Callable[[], float]) -> Callable[[], bool]:
    """Return a question after what is held that looks again once in `LOOK_EVERY_S` at most.

    Args:
        held: What is asked after.
        now_s: A steady clock.
    """
    looked_s = now_s()

    def still() -> bool:
        nonlocal looked_s
        if now_s() < looked_s + LOOK_EVERY_S:
            return True
        looked_s = now_s()
        return held.still()

    return still
