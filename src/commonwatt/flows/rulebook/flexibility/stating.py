"""Rules for statements: who may make them is `commonwatt.flexibility.permission`, how many and how long is here.

``no longer: `` before a sentence takes back what its account stated in it. Of what repeats, the first day need not be
said again: it ends with the log's time, and what was over by then stays. Who states something else asks twice.
"""

from dataclasses import replace
from datetime import date

from commonwatt.flexibility import language
from commonwatt.flexibility.permission import Known, Statement, objection
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.flexibility.stated import Stated, over_s
from commonwatt.flows.rulebook.identity.delegating import acting_role
from commonwatt.flows.rulebook.state import State
from commonwatt.model import (
    AccountId,
    AssetId,
    AssetKind,
    Constraint,
    Interval,
    InvalidValue,
    Outcome,
    Refused,
    Repeating,
    Request,
    instant,
    zone_of,
)

MOST_STATED = 200
"""Statements of one account that still matter: a day of quarter-hours twice over, too few to fill the state with."""


def constraint(state: State, request: Request, body: bodies.ConstraintBody, position: int, stamped_s: int) -> Outcome:
    """Take in what a line states, or takes back, if its author may state it."""
    try:
        said = language.read(body.text, instant(body.said_s), zone_of(state.charter.timezone))
    except (Refused, InvalidValue):
        return Outcome.OVER_LIMIT
    account = request.on_behalf_of
    if said.no_longer:
        return _take_back(state, account, said.statements, stamped_s)
    role, there = acting_role(state, request), known(state)
    for statement in said.statements:
        no = objection(statement, role, account, there)
        if no is not None:
            return no.outcome
    standing = sum(one.account == account and one.ends_s >= state.horizon_s for one in state.stated)
    if standing + len(said.statements) > MOST_STATED:
        return Outcome.OVER_LIMIT
    for statement in said.statements:
        once = statement if isinstance(statement, Constraint) else None
        repeating = statement if isinstance(statement, Repeating) else None
        told = Stated(position=position, account=account, text=body.text, once=once, repeating=repeating)
        state.stated.append(told)
    return Outcome.BOOKED


def known(state: State) -> Known:
    """Return what there is that a statement may be about."""
    assets = state.assets

    def owner(name: str) -> str | None:
        asset = assets.get(AssetId(name))
        return None if asset is None else asset.owner

    def of_kind(name: str, kind: AssetKind) -> str | None:
        asset = assets.get(AssetId(name))
        return asset.owner if asset is not None and asset.kind is kind else None

    return Known(
        owner=owner,
        stores=lambda name: assets[AssetId(name)].stores,
        consents=lambda name: state.consent(AssetId(name)).direct,
        connection=lambda name: of_kind(name, AssetKind.CONNECTION),
        is_owner=lambda name: any(asset.owner == name for asset in assets.values()),
        is_zone=lambda name: any(asset.zone == name for asset in assets.values()),
        is_feeder=lambda name: of_kind(name, AssetKind.FEEDER) is not None,
        pays=lambda account, zone: _pays(state, account, zone),
    )


def _pays(state: State, account: str, zone: str) -> bool:
    """Tell whether an account pays for a contract that runs with an asset in a zone."""
    book = state.contracted.book
    return any(
        book.offers[one.offer].utility == account and state.assets[one.asset].zone == zone for one in book.running()
    )


def _take_back(state: State, account: AccountId, statements: tuple[Statement, ...], stamped_s: int) -> Outcome:
    """End what an account stated in these words and what is not over yet."""
    meant = {undated(statement) for statement in statements}
    kept, found = list[Stated](), 0
    for one in state.stated:
        standing = one.account == account and one.ended_s is None and one.ends_s > stamped_s
        if not standing or undated(one.statement) not in meant:
            kept.append(one)
            continue
        found += 1
        kept += _ended(one, state.horizon_s, stamped_s)
    if not found:
        return Outcome.UNKNOWN_THING
    state.stated = kept
    return Outcome.BOOKED


def _ended(one: Stated, horizon_s: int, stamped_s: int) -> list[Stated]:
    """Return what stays of a statement that is taken back: nothing, where none of it that still matters is over."""
    if one.repeating is None:
        return []
    past = one.repeating.occurrences(Interval(instant(horizon_s), instant(max(stamped_s, horizon_s + 1))))
    return [replace(one, ended_s=stamped_s)] if any(over_s(each) <= stamped_s for each in past) else []


def undated(statement: Statement) -> Statement:
    """Return a statement as it is compared with one that takes it back: without the first day of what repeats."""
    return replace(statement, first=date.min) if isinstance(statement, Repeating) else statement
