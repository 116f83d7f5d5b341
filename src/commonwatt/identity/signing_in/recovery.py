"""Recovery that somebody else begins for a member who lost every way in: slow, told to the member, never by one alone.

An operator who could reset a password at will could read every home and spend every balance. So the operator only
begins: the member is told wherever they can be, for `DELAY_S`, and one word from any of these places ends it; and a
second person, a guardian whom the member chose or, where none was chosen, somebody who does not run the community or is
at least another, has to agree. Who began at the machine could be any operator, so none of these is another then.
Printed codes need none of this: they are the member's own.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from commonwatt.model import Refused

DELAY_S = 7 * 86_400
OPEN_S = 7 * 86_400
"""How long it can be finished once the delay is over."""


MACHINE = "machine"
"""Who holds the machine, where they begin something: nobody knows which person that is."""


class Stand(StrEnum):
    """How far a recovery is."""

    WAITS = "waits"
    OPEN = "open"
    """The delay is over, somebody agreed, and everybody was told: who has its secret comes in."""
    VETOED = "vetoed"
    FINISHED = "finished"
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """A recovery.

    Args:
        id: 128 random bits, hex.
        person: For whom.
        begun_by: Who began it: a person's id, or `MACHINE`.
        begun_s: When, seconds since 1970.
        secret_hash: Hash of what the member is handed, in person, by who began it.
        veto_hash: Hash of what stands in the letters, and ends it.
        agreed_by: The second person's id.
        ended: How it ended, where it did.
    """

    id: str
    person: str
    begun_by: str
    begun_s: int
    secret_hash: str
    veto_hash: str
    agreed_by: str | None = None
    ended: Stand | None = None

    @property
    def ripe_s(self) -> int:
        """From when on it may be finished."""
        return self.begun_s + DELAY_S


def stand(recovery: Recovery, now_s: int, *, all_told: bool) -> Stand:
    """Return how far a recovery is.

    Args:
        recovery: Which.
        now_s: Seconds since 1970.
        all_told: Whether every letter about it left the house.
    """
    if recovery.ended is not None:
        return recovery.ended
    if now_s >= recovery.ripe_s + OPEN_S:
        return Stand.LAPSED
    if now_s >= recovery.ripe_s and recovery.agreed_by is not None and all_told:
        return Stand.OPEN
    return Stand.WAITS


def under_way(recovery: Recovery, now_s: int) -> bool:
    """Tell whether a recovery is not over: it can be agreed to, vetoed, and perhaps finished."""
    return stand(recovery, now_s, all_told=False) is Stand.WAITS


def agree(recovery: Recovery, by: str, guardians: frozenset[str], *, independent: bool) -> Recovery:
    """Return a recovery to which a second person agreed.

    Args:
        recovery: Which.
        by: Who agrees: a person's id.
        guardians: Whom the member chose; one of these must agree where there are any.
        independent: Whether who agrees may in nobody's stead: an auditor, or an operator who cannot have begun it.

    Raises:
        Refused: They began it, are the member, or are not among those who may.
    """
    if by in (recovery.begun_by, recovery.person):
        raise Refused("a recovery takes a second person, who is not its member")
    if by not in guardians if guardians else not independent:
        raise Refused(
            "a recovery takes one whom the member trusts, or where none is named an auditor, or an operator who cannot"
            " have begun it"
        )
    return replace(recovery, agreed_by=by)
