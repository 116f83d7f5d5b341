"""The one table of kinds: who may ask for what in their own name, and which rule decides it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from commonwatt.flexibility.permission import SAYS
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.charging import charging, licence_bodies, operating
from commonwatt.flows.rulebook.flexibility import consenting, stating
from commonwatt.flows.rulebook.identity import attesting, delegating, registry
from commonwatt.flows.rulebook.market import ordering, sale_bodies, selling
from commonwatt.flows.rulebook.market.auctions import auctioning
from commonwatt.flows.rulebook.market.contracts import contract_calling, contracting, offering
from commonwatt.flows.rulebook.market.interchange import interchange
from commonwatt.flows.rulebook.state import WALLET_ROLES, State
from commonwatt.flows.rulebook.tokens import crossing, crossing_bodies, paying, transferring
from commonwatt.model import Kind, Outcome, Request

Decide = Callable[[State, Request, Any, int, int], Outcome]
"""Of state, request, its body in the shape of its kind, its place in the log, and the log's time."""


class Rule(NamedTuple):
    """Whose keys may ask, by role, and what decides; delegates come on top, see `delegating.permits`."""

    may: frozenset[str]
    decide: Decide


def _constraint(state: State, request: Request, body: bodies.ConstraintBody, position: int, stamped_s: int) -> Outcome:
    outcome = stating.constraint(state, request, body, position, stamped_s)
    if outcome is Outcome.BOOKED:
        consenting.heard(state, request.on_behalf_of, stamped_s)
    return outcome


def _fact(state: State, request: Request, body: Any, position: int, stamped_s: int) -> Outcome:
    if not isinstance(body, bodies.FactBody):
        return contract_calling.fact(state, request, body, stamped_s)
    if state.keys[request.author].role != "oracle":
        return Outcome.NOT_ALLOWED  # who pays for contracts tells no prices
    outcome = registry.fact(state, request, body)
    if outcome is Outcome.BOOKED:
        contract_calling.priced(state, stamped_s)
    return outcome


def _register(state: State, request: Request, body: Any, position: int, stamped_s: int) -> Outcome:
    if isinstance(body, licence_bodies.Licence | licence_bodies.BuyLicence):
        return operating.licence(state, request, body, stamped_s)
    return registry.register(state, request, body, stamped_s)


def _transfer(state: State, request: Request, body: Any, position: int, stamped_s: int) -> Outcome:
    if isinstance(body, sale_bodies.Listing | sale_bodies.Take | sale_bodies.Unlist):
        return selling.sale(state, request, body, position, stamped_s)
    if isinstance(body, crossing_bodies.CrossingBody):
        return crossing.crossing(state, request, body, position, stamped_s)
    return transferring.transfer(state, request, body, position, stamped_s)


def _of(*roles: str) -> frozenset[str]:
    return frozenset(roles)


RULES: dict[Kind, Rule] = {
    Kind.REGISTER: Rule(_of("operator", "member", "dso"), _register),
    Kind.CONSTRAINT: Rule(_of(*SAYS), _constraint),
    Kind.ORDER: Rule(_of("member"), ordering.order),
    Kind.CANCEL: Rule(_of("member"), ordering.order),
    Kind.AUCTION: Rule(_of("member", "utility", "aggregator"), auctioning.auction),
    Kind.CONTRACT: Rule(_of(*offering.SPEAKERS), contracting.contract),
    Kind.SESSION: Rule(_of("member", "station", "car", "gateway"), charging.session),
    Kind.INTERCHANGE: Rule(_of("operator", "member"), interchange.interchange),
    Kind.FACT: Rule(_of("oracle", *offering.OFFERING), _fact),
    Kind.SCHEDULE: Rule(_of("planner"), lambda s, r, body, at, now_s: consenting.schedule(s, body, at, now_s)),
    Kind.CONSENT: Rule(_of("member"), lambda s, r, body, at, now_s: consenting.agreement(s, r, body, now_s)),
    Kind.ACK: Rule(_of("gateway"), lambda s, r, body, at, now_s: registry.ack(s, r, body)),
    Kind.PURCHASE: Rule(_of("payment", *WALLET_ROLES), paying.purchase),
    Kind.PAYOUT: Rule(_of("payment", *WALLET_ROLES), paying.payout),
    Kind.TRANSFER: Rule(_of("member", "utility", "aggregator", "station", "car", "chain"), _transfer),
    Kind.DELEGATE: Rule(_of("member"), delegating.delegate),
    Kind.ATTEST: Rule(_of("operator", "member", "engineer", "inspector", "installer"), attesting.attest),
    Kind.CHECKPOINT: Rule(_of("operator"), lambda s, r, body, at, now_s: registry.checkpoint(s, body)),
}
IN_RUNS = {Kind.READING_BATCH: _of("gateway"), Kind.ORDER_BATCH: _of("member")}
"""Kinds that are decided many at once, and who may ask for them: see `commonwatt.flows.rulebook.read_batch`."""


def may(role: str, kind: Kind) -> bool:
    """Tell whether a key of a role may ask for requests of a kind for its own account."""
    return role in (IN_RUNS[kind] if kind in IN_RUNS else RULES[kind].may)
