"""What the log is told of feeds as an oracle's facts: published prices, and events that published values make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from commonwatt.flows.feeds.known import Origin, Value, runs
from commonwatt.flows.feeds.series import Topic
from commonwatt.flows.rulebook import State, bodies
from commonwatt.flows.rulebook.market.contracts.contract_bodies import EventFact
from commonwatt.market.contracts import Direction
from commonwatt.model import SLOT_SECONDS, AccountId, InvalidValue, round_div

MOST_PRICES = 400
MOST_PRICE = 10**9
"""Micro per kWh: as much as a fact may tell."""
LONGEST_EVENT = 86_400 // SLOT_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """How a price of the community follows from a published one: a part of it, and a fixed amount a kWh on top."""

    topic: Topic
    permille: int = 1_000
    plus_micro_per_kwh: int = 0

    def of(self, published: int) -> int:
        """Return the community's price, micro per kWh."""
        return round_div(published * self.permille, 1_000) + self.plus_micro_per_kwh


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """When published values make an event that contracts wait for by its name: while they are above or below a level.

    Raises:
        InvalidValue: It has no level, or both.
    """

    name: str
    topic: Topic
    direction: Direction
    above: int | None = None
    below: int | None = None
    zone: str | None = None

    def __post_init__(self) -> None:
        if (self.above is None) is (self.below is None):
            raise InvalidValue(f"an event is above a level or below one, was {self.above} and {self.below}")

    def meets(self, value: int) -> bool:
        """Tell whether a value makes it."""
        return value > self.above if self.above is not None else self.below is not None and value < self.below


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """A slot's prices that were told, and what is published now; what was told stays."""

    slot_s: int
    told: tuple[int, int]
    published: tuple[int, int]


def published_prices(
    bought: Sequence[Value], sold: Sequence[Value], terms: tuple[Price, Price]
) -> dict[int, tuple[int, int]]:
    """Return the community's two prices of each slot of which somebody published both; what is usual is no price."""
    gives = {one.slot_s: one for one in sold}
    found = {}
    for one in bought:
        other = gives.get(one.slot_s)
        if other is None or not (one.origin.published and other.origin.published):
            continue
        assert one.value is not None
        assert other.value is not None
        both = terms[0].of(one.value), terms[1].of(other.value)
        if max(abs(both[0]), abs(both[1])) <= MOST_PRICE:
            found[one.slot_s] = both
    return found


def price_facts(state: State, prices: Mapping[int, tuple[int, int]]) -> list[bodies.FactBody]:
    """Return the facts that tell what the log does not know yet and can still use, slot after slot without a gap."""
    fresh = sorted(slot_s for slot_s in prices if slot_s >= state.horizon_s and slot_s not in state.prices)
    return [
        bodies.FactBody(start_s=run[0], prices=[prices[slot_s] for slot_s in run]) for run in runs(fresh, MOST_PRICES)
    ]


def corrections(state: State, prices: Mapping[int, tuple[int, int]]) -> list[Corrected]:
    """Return where what is published now is not what the log was told: the first word stands, people dealt by it."""
    return [
        Corrected(slot_s=slot_s, told=state.prices[slot_s], published=both)
        for slot_s, both in sorted(prices.items())
        if state.prices.get(slot_s, both) != both
    ]


def event_fact(state: State, oracle: AccountId, event: Event, values: Sequence[Value], now_s: int) -> EventFact | None:
    """Return the next event that published values make; None where there is none, or this oracle's last is not over.

    It begins after now, ends where values leave the level or nobody published any, and lasts a day at most.
    """
    for known in state.contracted.book.facts:
        if (known.oracle, known.name, known.zone) == (oracle, event.name, event.zone):
            return None
    met = [
        one.slot_s
        for one in values
        if one.slot_s > now_s and one.origin is not Origin.USUAL and one.value is not None and event.meets(one.value)
    ]
    run = next(iter(runs(met, LONGEST_EVENT)), None)
    if run is None:
        return None
    return EventFact(
        name=event.name,
        start_s=run[0],
        end_s=run[-1] + SLOT_SECONDS,
        direction=event.direction,
        zone=event.zone,
    )
