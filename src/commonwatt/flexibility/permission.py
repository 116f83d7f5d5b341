"""Who may state what about whom: the one table, and the one place where it is held against a statement (row X1)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from commonwatt.model import Constraint, Outcome, Priority, Quantity, Reach, Repeating

Statement = Constraint | Repeating


@dataclass(frozen=True, slots=True)
class Say:
    """What a role has a say in.

    Args:
        highest: The most important priority that it may claim.
        reaches: What its statements may be about.
        own: Whether they are about what belongs to its account alone.
        consented: Whether they are about assets whose owners agreed to be scheduled alone.
        paying: Whether they are about places alone where it pays for a contract that runs.
    """

    highest: Priority
    reaches: frozenset[Reach]
    own: bool = False
    consented: bool = False
    paying: bool = False


SAYS: Mapping[str, Say] = {
    "member": Say(Priority.OWNER, frozenset({Reach.ASSET, Reach.OWNER, Reach.CONNECTION}), own=True),
    "dso": Say(Priority.DSO, frozenset({Reach.ZONE, Reach.FEEDER, Reach.CONNECTION})),
    "tso": Say(Priority.GRID, frozenset({Reach.ZONE, Reach.FEEDER, Reach.COMMUNITY})),
    "operator": Say(Priority.CONTRACT, frozenset({Reach.COMMUNITY})),
    "aggregator": Say(Priority.CONTRACT, frozenset({Reach.ASSET}), consented=True),
    "utility": Say(Priority.CONTRACT, frozenset({Reach.ZONE}), paying=True),
}
"""By role. A delegate speaks in its owner's, as a member; whoever else is missing has no say.

Safety is nobody's word: it is what devices and attested limits allow. The operator, who runs the ledger, does not come
before the needs of those in it; a contract is with those who agreed to be scheduled. A utility speaks of zones, for it
sees no home by itself, and only of those in which somebody accepted an offer of its: what it wants costs others money.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What there is, by name, as far as a statement may be about it.

    Args:
        owner: Who owns an asset, None where there is no such asset.
        stores: Whether an asset stores energy.
        consents: Whether its owner agreed to it being scheduled.
        connection: Who owns what is behind a meter, None where there is no such connection.
        is_owner: Whether an account owns anything.
        is_zone: Whether anything stands in a zone.
        is_feeder: Whether there is such a feeder.
        pays: Whether an account pays for a contract that runs with an asset in a zone.
    """

    owner: Callable[[str], str | None]
    stores: Callable[[str], bool]
    consents: Callable[[str], bool]
    connection: Callable[[str], str | None]
    is_owner: Callable[[str], bool]
    is_zone: Callable[[str], bool]
    is_feeder: Callable[[str], bool]
    pays: Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a statement may not be made: the rule, what was found, and the outcome that the log gives it."""

    outcome: Outcome
    rule: str
    found: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.rule}: " + ", ".join(f"{name} {value}" for name, value in self.found.items())


def objection(statement: Statement, role: str, account: str, known: Known) -> Objection | None:
    """Return why an account may not state something in a role, or None where it may.

    Args:
        statement: What is stated.
        role: In which its author speaks.
        account: For which.
        known: What there is.
    """
    return claim_objection(statement, role) or _about(statement, SAYS[role], account, known)


def claim_objection(statement: Statement, role: str) -> Objection | None:
    """Return why a role may not state such a thing about anybody, or None: as far as words alone tell."""
    say = SAYS.get(role)
    if say is None:
        return _no("a role states what it has a say in", role=role, has_a_say=", ".join(SAYS))
    if statement.reach not in say.reaches:
        may = " or ".join(sorted(say.reaches))
        return _no("a role speaks of what it answers for", role=role, may=may, found=statement.reach)
    if statement.priority < say.highest:
        highest, claimed = say.highest.name.lower(), statement.priority.name.lower()
        return _no("a role claims no more than its own priority", role=role, highest=highest, found=claimed)
    return None


def _about(statement: Statement, say: Say, account: str, known: Known) -> Objection | None:
    for name in statement.scope:
        there, owner = _found(statement.reach, name, known)
        if not there:
            return Objection(
                Outcome.UNKNOWN_THING, "a statement is about what there is", {"named": f"{statement.reach} {name}"}
            )
        if say.own and owner != account:
            return _no("owners speak of what is theirs", named=f"{statement.reach} {name}", of=owner, found=account)
        if say.consented and not known.consents(name):
            return _no("a contract is about what its owner lets be scheduled", asset=name)
        if say.paying and not known.pays(account, name):
            return _no("a utility speaks of zones in which a contract of its runs", zone=name, found=account)
    stored = statement.quantity in (Quantity.CHARGE, Quantity.BATTERY)
    if stored and statement.reach is Reach.ASSET:
        for name in statement.scope:
            if not known.stores(name):
                return Objection(Outcome.OVER_LIMIT, "a level is of what stores energy", {"asset": name})
    return None


def _found(reach: Reach, name: str, known: Known) -> tuple[bool, str | None]:
    """Tell whether there is such a thing, and whose it is where it is somebody's."""
    match reach:
        case Reach.ASSET:
            owner = known.owner(name)
            return owner is not None, owner
        case Reach.CONNECTION:
            owner = known.connection(name)
            return owner is not None, owner
        case Reach.OWNER:
            return known.is_owner(name), name
        case Reach.ZONE:
            return known.is_zone(name), None
        case _:
            return known.is_feeder(name), None


def _no(rule: str, **found: Any) -> Objection:
    return Objection(Outcome.NOT_ALLOWED, rule, found)
