"""Who sits before the screen: a person in one role, for an account or for zones. What a seat may see is `access`'s."""

from dataclasses import dataclass, field
from enum import StrEnum

from commonwatt.model import AccountId, InvalidValue


class Role(StrEnum):
    """As what somebody looks and acts. One person may have several seats, and takes one at a time."""

    PUBLIC = "public"
    MEMBER = "member"
    INSTALLER = "installer"
    OPERATOR = "operator"
    DSO = "dso"
    TSO = "tso"
    UTILITY = "utility"
    AGGREGATOR = "aggregator"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One person in one role.

    Args:
        person: The name under which they sign in; empty for the public.
        role: As what they are here.
        account: Whose things are theirs, and for whom they sign: a member's own, a role's ledger account; None for the
            public, and for whoever holds nothing.
        zones: Which zones a DSO's or transmission operator's seat is about; empty for all.
        scopes: To what kinds of things it is narrowed, see `commonwatt.identity.access.Scope`: by the token of a
            program, or since somebody is only about to set up how they come in. None where to none.
        by: The session or the program's token by which they are here, as ``session 0a1b…``, for the trail; empty where
            nobody signed in. It makes no other seat: pages of one seat share what they show.

    Raises:
        InvalidValue: Somebody has no name, or the public has one.
    """

    person: str
    role: Role
    account: AccountId | None = None
    zones: tuple[str, ...] = ()
    scopes: tuple[str, ...] | None = None
    by: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if (self.role is Role.PUBLIC) != (not self.person):
            raise InvalidValue(f"everybody but the public has a name, was {self.person!r} as {self.role}")


PUBLIC = Seat(person="", role=Role.PUBLIC)
