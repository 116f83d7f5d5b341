"""What a seat that is about some zones may speak of: who runs one stretch of wires says nothing about another's."""

from commonwatt.apps.community import Community
from commonwatt.flexibility import language
from commonwatt.flexibility.permission import Objection, Statement
from commonwatt.flows.rulebook.bodies import ConstraintBody
from commonwatt.identity.access import sees_zone
from commonwatt.identity.seat import Seat
from commonwatt.model import AssetId, AssetKind, InvalidValue, Outcome, Reach, Refused, instant, zone_of

_RULE = "a seat speaks of its own zones"


def hold(community: Community, seat: Seat, body: ConstraintBody) -> None:
    """Refuse a line about zones that a seat is not about, be it to state it or to take it back.

    All seats of an account sign with one key, so that the log cannot tell them apart: this is held here.

    Raises:
        Refused: It is about another zone.
    """
    if not seat.zones:
        return
    try:
        said = language.read(body.text, instant(body.said_s), zone_of(community.state.charter.timezone))
    except (Refused, InvalidValue):
        return  # the log says what is wrong with it
    for statement in said.statements:
        no = beyond(community, seat, statement)
        if no is not None:
            raise Refused(no.rule, **no.found)


def beyond(community: Community, seat: Seat, statement: Statement) -> Objection | None:
    """Return what keeps a seat from speaking of something that is not in its zones, or None."""
    about = zones_of(community, statement)
    others = sorted(one for one in about if not sees_zone(seat, one))
    if not others:
        return None
    return Objection(Outcome.NOT_ALLOWED, _RULE, {"zone": ", ".join(others), "may": ", ".join(seat.zones)})


def zones_of(community: Community, statement: Statement) -> set[str]:
    """Return the zones that a statement is about: of the feeder, or of the whole community, that is every one."""
    assets = community.state.assets
    match statement.reach:
        case Reach.ZONE:
            return {*statement.scope}
        case Reach.ASSET | Reach.CONNECTION:
            return {assets[AssetId(one)].zone for one in statement.scope if one in assets}
        case Reach.OWNER:
            return {one.zone for one in assets.values() if one.owner in statement.scope}
        case _:
            return {one.zone for one in assets.values() if one.kind is AssetKind.CONNECTION}
