"""Who may see or do what in an app: the one table, by role and by how the thing relates to who sits there.

What the ledger takes is the rulebook's to say; this is about what a screen or an API shows, and whose wishes it passes
on. A member sees what is theirs; who runs wires sees zones, not homes; nobody sees a home's readings because they run
the service. What an owner lets somebody see, by a grant in the log, counts as theirs (`Relation.GRANTED`).
"""

from collections.abc import Mapping
from enum import StrEnum

from commonwatt.identity.seat import Role, Seat
from commonwatt.model import AccountId


class Action(StrEnum):
    """What is seen or done."""

    SEE_COMMUNITY = "see community"
    """Its name, size, prices, sums of all, checkpoints and who watches."""
    SEE_TRADES = "see trades"
    """Under pseudonyms (row M1)."""
    SEE_LOG = "see log"
    """Which request of which account stands where, without what is in it."""
    SEE_MEMBERS = "see members"
    SEE_ASSETS = "see assets"
    SEE_READINGS = "see readings"
    SEE_ENTRIES = "see entries"
    SEE_SCHEDULES = "see schedules"
    SEE_CONSTRAINTS = "see constraints"
    SEE_DEVICES = "see devices"
    SEE_ZONES = "see zones"
    """Loads, limits and flexibility of zones, as sums of several homes."""
    STATE_CONSTRAINT = "state constraint"
    """In one's own name; about what, the rulebook judges (`flexibility.permission`)."""
    DECIDE_SCHEDULE = "decide schedule"
    PLACE_ORDER = "place order"
    SEND_TOKENS = "send tokens"
    OFFER_CONTRACT = "offer contract"
    CALL_EVENT = "call event"
    MANAGE_DEVICES = "manage devices"
    MANAGE_PEOPLE = "manage people"
    MANAGE_SELF = "manage self"
    """One's own sessions, credentials, tokens, feeds and notifications."""
    HAND_IN = "hand in"
    """Hand in a request that somebody signed: the log judges it, whoever brings it."""


class Relation(StrEnum):
    """How a thing relates to who asks for it."""

    OWN = "own"
    GRANTED = "granted"
    OTHER = "other"
    COMMUNITY = "community"
    """Nobody's alone: a sum of several homes, a zone, the log."""


_OWN = frozenset({Relation.OWN})
_THEIRS = frozenset({Relation.OWN, Relation.GRANTED})
_ALL = frozenset({Relation.OWN, Relation.GRANTED, Relation.OTHER})
_SHARED = frozenset({Relation.COMMUNITY})
_NOTHING: frozenset[Relation] = frozenset()

_PUBLIC: dict[Action, frozenset[Relation]] = {
    Action.SEE_COMMUNITY: _SHARED,
    Action.SEE_TRADES: _SHARED,
    Action.HAND_IN: _SHARED,
}
_SIGNED_IN = _PUBLIC | {
    Action.MANAGE_SELF: _OWN,
    Action.SEE_LOG: _SHARED,
    Action.SEE_ASSETS: _THEIRS,
    Action.SEE_READINGS: _THEIRS,
    Action.SEE_ENTRIES: _OWN,
    Action.SEE_SCHEDULES: _THEIRS,
    Action.SEE_CONSTRAINTS: _THEIRS,
    Action.SEE_DEVICES: _THEIRS,
}
_HOLDER = _SIGNED_IN | {Action.SEND_TOKENS: _OWN, Action.PLACE_ORDER: _OWN}
_GRID = _SIGNED_IN | {
    Action.SEE_ZONES: _SHARED,
    Action.STATE_CONSTRAINT: _OWN,
    Action.OFFER_CONTRACT: _OWN,
    Action.CALL_EVENT: _OWN,
}

TABLE: Mapping[Role, Mapping[Action, frozenset[Relation]]] = {
    Role.PUBLIC: _PUBLIC,
    Role.MEMBER: _HOLDER
    | {
        Action.STATE_CONSTRAINT: _OWN,
        Action.DECIDE_SCHEDULE: _OWN,
        Action.MANAGE_DEVICES: _OWN,
    },
    Role.INSTALLER: _SIGNED_IN | {Action.MANAGE_DEVICES: frozenset({Relation.GRANTED})},
    Role.OPERATOR: _SIGNED_IN
    | {
        Action.SEE_ZONES: _SHARED,
        Action.SEE_MEMBERS: _ALL,
        Action.SEE_ASSETS: _ALL,
        Action.SEE_DEVICES: _ALL,
        Action.STATE_CONSTRAINT: _OWN,
        Action.CALL_EVENT: _OWN,
        Action.MANAGE_PEOPLE: _ALL,
    },
    Role.DSO: _GRID,
    Role.TSO: _GRID,
    Role.UTILITY: _HOLDER | {Action.SEE_ZONES: _SHARED, Action.OFFER_CONTRACT: _OWN, Action.CALL_EVENT: _OWN},
    Role.AGGREGATOR: _HOLDER | {Action.STATE_CONSTRAINT: _OWN, Action.OFFER_CONTRACT: _OWN},
    Role.AUDITOR: _SIGNED_IN
    | {
        Action.SEE_ZONES: _SHARED,
        Action.SEE_MEMBERS: _ALL,
        Action.SEE_ASSETS: _ALL,
        Action.SEE_ENTRIES: _ALL,
        Action.SEE_SCHEDULES: _ALL,
    },
}
"""What each role may, of things in which relations; what is missing it may not.

An auditor sees every account's entries and schedules under its pseudonym, and changes nothing; readings are between
owner, operator's rulebook and the witnesses, so an auditor too needs the owner's grant to see them. The operator's
seat sees that a device lives, not what a home draws.
"""


def may(role: Role, action: Action, relation: Relation) -> bool:
    """Tell whether a role may do something to things in a relation to it."""
    return relation in TABLE[role].get(action, _NOTHING)


def relation_to(seat: Seat, owner: AccountId | None, *, granted: bool = False) -> Relation:
    """Return how something relates to a seat.

    Args:
        seat: Who asks.
        owner: Whose it is; None for what is nobody's alone.
        granted: Whether its owner lets this seat's account see it.
    """
    if owner is None:
        return Relation.COMMUNITY
    if seat.account is not None and seat.account == owner and seat.role is not Role.PUBLIC:
        return Relation.OWN
    return Relation.GRANTED if granted else Relation.OTHER
