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
    RELEASE_DEVICE = "release device"
    """Believe a device again that showed what cannot be true; what it shows is judged all the same."""
    MANAGE_PEOPLE = "manage people"
    INVITE = "invite"
    """Ask somebody to join: a member into their own household, who runs the service as anything."""
    BEGIN_RECOVERY = "begin recovery"
    AGREE_RECOVERY = "agree to recovery"
    """Be the second person of a recovery, see `commonwatt.identity.signing_in.recovery`."""
    SEE_TRAIL = "see trail"
    """What happened at the entrance, and to whom."""
    SIGN_IN = "sign in"
    MANAGE_SELF = "manage self"
    """One's own sessions, credentials, tokens, feeds and notifications."""
    HEAR_NOTICES = "hear notices"
    """Have a program told of what happens to one's own account, as long as who lets it do so."""
    READ_FEED = "read feed"
    """Read the calendar that stands at a secret address: who knows the address was given it."""
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
    Action.READ_FEED: _SHARED,
    Action.SIGN_IN: _SHARED,
}
_SIGNED_IN = _PUBLIC | {
    Action.MANAGE_SELF: _OWN,
    Action.HEAR_NOTICES: _OWN,
    Action.SEE_LOG: _SHARED,
    Action.SEE_ASSETS: _THEIRS,
    Action.SEE_READINGS: _THEIRS,
    Action.SEE_ENTRIES: _OWN,
    Action.SEE_SCHEDULES: _THEIRS,
    Action.SEE_CONSTRAINTS: _THEIRS,
    Action.SEE_DEVICES: _THEIRS,
}
_HOLDER = _SIGNED_IN | {Action.SEND_TOKENS: _OWN, Action.PLACE_ORDER: _OWN}
_BUYER = {Action.SEE_ZONES: _SHARED, Action.STATE_CONSTRAINT: _OWN, Action.OFFER_CONTRACT: _OWN}
_GRID = _SIGNED_IN | _BUYER | {Action.CALL_EVENT: _OWN}

TABLE: Mapping[Role, Mapping[Action, frozenset[Relation]]] = {
    Role.PUBLIC: _PUBLIC,
    Role.MEMBER: _HOLDER
    | {
        Action.STATE_CONSTRAINT: _OWN,
        Action.DECIDE_SCHEDULE: _OWN,
        Action.MANAGE_DEVICES: _OWN,
        Action.RELEASE_DEVICE: _OWN,
        Action.INVITE: _OWN,
        Action.AGREE_RECOVERY: frozenset({Relation.GRANTED}),
    },
    Role.INSTALLER: _SIGNED_IN
    | {
        Action.MANAGE_DEVICES: frozenset({Relation.GRANTED}),
        Action.RELEASE_DEVICE: frozenset({Relation.GRANTED}),
    },
    Role.OPERATOR: _SIGNED_IN
    | {
        Action.SEE_ZONES: _SHARED,
        Action.SEE_MEMBERS: _ALL,
        Action.SEE_ASSETS: _ALL,
        Action.SEE_DEVICES: _ALL,
        Action.RELEASE_DEVICE: _ALL,
        Action.STATE_CONSTRAINT: _OWN,
        Action.OFFER_CONTRACT: _OWN,
        Action.CALL_EVENT: _OWN,
        Action.MANAGE_PEOPLE: _ALL,
        Action.INVITE: _SHARED,
        Action.BEGIN_RECOVERY: _ALL,
        Action.AGREE_RECOVERY: frozenset({Relation.GRANTED, Relation.OTHER}),
        Action.SEE_TRAIL: _SHARED,
    },
    Role.DSO: _GRID,
    Role.TSO: _GRID,
    Role.UTILITY: _HOLDER | _BUYER | {Action.CALL_EVENT: _OWN},
    Role.AGGREGATOR: _HOLDER | _BUYER,
    Role.AUDITOR: _SIGNED_IN
    | {
        Action.SEE_ZONES: _SHARED,
        Action.SEE_MEMBERS: _ALL,
        Action.SEE_ASSETS: _ALL,
        Action.SEE_ENTRIES: _ALL,
        Action.SEE_SCHEDULES: _ALL,
        Action.SEE_TRAIL: _SHARED,
        Action.AGREE_RECOVERY: frozenset({Relation.GRANTED, Relation.OTHER}),
    },
}
"""What each role may, of things in which relations; what is missing it may not.

An auditor sees every account's entries and schedules under its pseudonym, and changes nothing of the community's: to be
the second pair of eyes on a recovery changes who comes in, not what there is. Readings are between owner, operator's
rulebook and the witnesses, so an auditor too needs the owner's grant to see them. The operator's seat sees that a
device lives, not what a home draws.
"""

GRANTED_BY: Mapping[Action, str] = {
    Action.STATE_CONSTRAINT: "constraint",
    Action.DECIDE_SCHEDULE: "consent",
    Action.PLACE_ORDER: "order",
    Action.SEND_TOKENS: "transfer",
    Action.MANAGE_DEVICES: "register",
    Action.RELEASE_DEVICE: "register",
}
"""What an owner's grant in the log must name before somebody else does such a thing for them."""
TO_SEE = "inspect"
"""What it must name for everything else: to see."""


class Scope(StrEnum):
    """What a token of somebody's program is for; it never gives more than the seat that it was made from."""

    READ = "read"
    CONTROL = "control"
    TRADE = "trade"
    OPERATE = "operate"
    LISTEN = "listen"
    """To be told, at an address of the program's own; that ends with the token."""
    ENROL = "enrol"
    """Of a session that a printed code, an invitation or a recovery opened: to set up a lasting way in."""


SCOPES: Mapping[Scope, frozenset[Action]] = {
    Scope.READ: frozenset(action for action in Action if action.value.startswith("see ")) - {Action.SEE_TRAIL},
    Scope.CONTROL: frozenset(
        {Action.STATE_CONSTRAINT, Action.DECIDE_SCHEDULE, Action.MANAGE_DEVICES, Action.RELEASE_DEVICE}
    ),
    Scope.TRADE: frozenset({Action.PLACE_ORDER, Action.SEND_TOKENS, Action.OFFER_CONTRACT}),
    Scope.OPERATE: frozenset({Action.CALL_EVENT}),
    Scope.LISTEN: frozenset({Action.HEAR_NOTICES}),
    Scope.ENROL: frozenset({Action.MANAGE_SELF, Action.SIGN_IN}),
}
"""No token invites, makes tokens or changes how its owner comes in: a stolen one gives no lasting hold."""
OF_TOKENS = frozenset(Scope) - {Scope.ENROL}
PUBLICLY = frozenset(_PUBLIC)
"""What everybody may, so that no scope is needed for it."""


def within(seat: Seat, action: Action) -> bool:
    """Tell whether the token or session by which somebody sits there is for things of this kind; see also `lets`."""
    return seat.scopes is None or action in PUBLICLY or any(action in SCOPES[Scope(scope)] for scope in seat.scopes)


def sees_zone(seat: Seat, zone: str) -> bool:
    """Tell whether a zone is among those that a seat is about; the table says whether it sees zones at all."""
    return not seat.zones or zone in seat.zones


def may(role: Role, action: Action, relation: Relation) -> bool:
    """Tell whether a role may do something to things in a relation to it; about somebody who sits there ask `lets`."""
    return relation in TABLE[role].get(action, _NOTHING)


def lets(seat: Seat, action: Action, relation: Relation) -> bool:
    """Tell whether a seat may do something to things in a relation to it, by its role and by what it is narrowed to."""
    return may(seat.role, action, relation) and within(seat, action)


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
