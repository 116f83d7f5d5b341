"""A pen for sealed orders."""

from typing import Any

from community import Community, order_body

from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.flows.rulebook.market.sealing import commitment_of
from commonwatt.model import AccountId, Kind, Outcome

SALT = "5a" * 32


def seal(community: Community, who: str, *order: Any, salt: str = SALT, **likes: Any) -> tuple[str, Outcome]:
    """Commit to an order as `order_body` has it; return its place in the log, and the outcome."""
    body = order_body(*order, **likes)
    name = str(len(community.sequencer.tree))
    sealed = order_bodies.Sealed(commitment=commitment_of(AccountId(who), body, salt))
    return name, community.ask(who, Kind.ORDER, sealed)


def reveal(community: Community, who: str, name: str, *order: Any, salt: str = SALT, **likes: Any) -> Outcome:
    body = order_body(*order, **likes)
    return community.ask(who, Kind.ORDER, order_bodies.Reveal(sealed=name, salt=salt, order=body))
