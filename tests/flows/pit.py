"""Who signs orders for WATT in tests, and how."""

from typing import Any

from community import Flow
from purse import Purse

from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.sealed_bodies import Amend, Sealed
from commonwatt.model import Commodity, Kind, Outcome, Side

SUNNY = Flow(solar_wh=1_000, charge_wh=1_000)
"""810 WATT."""
SALT = "5a" * 32
DEAR: dict[str, Any] = {"collateral_micro_per_kwh": 400_000, "forfeit_permille": 250, "seal_micro": 20_000}


def town(homes: int = 2, **more: Any) -> Purse:
    return Purse(homes, terms=more.pop("terms", {}), **more)


def wish(side: Side, energy_wh: int, price: int | None, **more: Any) -> bodies.OrderBody:
    return bodies.OrderBody(side=side, energy_wh=energy_wh, price_micro_per_kwh=price, **more)


def seal(community: Purse, who: str, order: bodies.OrderBody, salt: str = SALT) -> tuple[int, Outcome]:
    """Return where the seal stands, and what became of it."""
    outcome = community.ask(who, Kind.ORDER, Sealed(seal=bodies.seal_of(who, order, salt)))
    return community.roots().leaves - 1, outcome


def reveal(community: Purse, who: str, place: int, order: bodies.OrderBody, salt: str = SALT) -> Outcome:
    return community.ask(who, Kind.ORDER, bodies.Reveal(place=place, order=order, salt=salt))


def amend(community: Purse, who: str, place: int, energy_wh: int) -> Outcome:
    return community.ask(who, Kind.CANCEL, Amend(order=str(place), energy_wh=energy_wh))


def last(community: Purse) -> int:
    return community.roots().leaves - 1


def traded(community: Purse) -> list[tuple[str, str, int]]:
    return community.entries("watt trade", Commodity.WATT)
