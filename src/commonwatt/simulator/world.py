"""The world around a street: what happens to each home, what people say, and what is published when."""

import hmac
from collections.abc import Callable, Sequence

from commonwatt.flexibility import language
from commonwatt.flows.rulebook.flexibility.proposed import Proposal
from commonwatt.model import (
    SLOT_SECONDS,
    AssetId,
    AssetKind,
    Constraint,
    Quantity,
    Relation,
    epoch,
    instant,
)
from commonwatt.simulator.home import Home, HomeState, Stay, Surroundings
from commonwatt.simulator.recorded import Recorded, known_until
from commonwatt.simulator.street import Street, home_assets

PRICE_HISTORY_S = 86_400
"""Prices of the day before are told at the start, as the first guess for hours not yet published."""


def surroundings(street: Street, recorded: Recorded, home: int) -> Surroundings:
    """Return what happens to one home on the replayed day."""
    start_s, end_s = epoch(street.span.start), epoch(street.span.end)
    return Surroundings(
        start_s=start_s,
        load_wh=recorded.load_wh[home - 1].between(start_s, end_s),
        solar_wh=recorded.solar_wh[home - 1].between(start_s, end_s),
        stays=tuple(_stays(street, recorded, home)),
    )


def _stays(street: Street, recorded: Recorded, home: int) -> list[Stay]:
    car = street.car
    target_wh = car.capacity_wh * car.ready_percent // 100
    return [
        Stay(
            start_s=session.start_s,
            end_s=session.end_s,
            level_wh=target_wh - session.need_wh * car.charge_permille // 1000,
            target_wh=target_wh,
        )
        for session in recorded.sessions
        if session.home == home
    ]


def homes(street: Street, recorded: Recorded) -> list[Home]:
    """Return the street's homes as they stand when the day begins."""
    return [
        Home(
            assets={asset.kind: asset for asset in home_assets(street, number)},
            around=surroundings(street, recorded, number),
            state=HomeState(battery_wh=street.battery.level_at_start_wh),
            reserve_wh=street.battery.reserve_wh,
        )
        for number in range(1, len(street.home) + 1)
    ]


class RecordedPeople:
    """The members: on arrival a car's owner says when it leaves and how full it should be; who is asked, answers."""

    def __init__(self, street: Street, recorded: Recorded) -> None:
        self._street = street
        self._answers = {
            asset.id: home.consent.answers
            for number, home in enumerate(street.home, 1)
            if home.consent is not None
            for asset in home_assets(street, number)
        }
        self._said: dict[int, list[tuple[AssetId, str]]] = {}
        for number in range(1, len(street.home) + 1):
            for stay in surroundings(street, recorded, number).stays:
                car = next(a for a in home_assets(street, number) if a.kind is AssetKind.VEHICLE)
                self._said.setdefault(stay.start_s, []).append((car.id, self._line(car.id, stay)))

    def say(self, slot_s: int) -> list[tuple[AssetId, str]]:
        """Return what is stated just before a slot."""
        return self._said.get(slot_s, [])

    def decide(self, slot_s: int, waiting: Sequence[Proposal]) -> list[tuple[Proposal, bool]]:
        """Answer what waits by each home's own rule, see `ConsentSpec`."""
        answers = ((proposal, self._answer(proposal)) for proposal in waiting)
        return [(proposal, answer) for proposal, answer in answers if answer is not None]

    def _answer(self, proposal: Proposal) -> bool | None:
        rule = self._answers.get(proposal.schedule.asset, "nothing")
        if rule == "nothing":
            return None
        supplies = any(entry.power_w < 0 for entry in proposal.schedule.instructions)
        return rule == "yes" or (rule == "charging" and not supplies)

    def _line(self, car: AssetId, stay: Stay) -> str:
        wish = Constraint(
            quantity=Quantity.CHARGE,
            scope=(car,),
            relation=Relation.AT_LEAST,
            value=self._street.car.ready_percent,
            at=instant(stay.end_s),
        )
        return language.text(wish, self._street.clock)


class RecordedFeeds:
    """Prices as they were published: tomorrow's at 16:00 (RULES, Recorded data)."""

    def __init__(self, street: Street, recorded: Recorded) -> None:
        self._recorded = recorded
        self._first_s = epoch(street.span.start) - SLOT_SECONDS

    def prices(self, slot_s: int) -> tuple[int, list[tuple[int, int]]]:
        """Return what is published by a slot's start and was not before."""
        start_s = known_until(slot_s - SLOT_SECONDS)
        if slot_s <= self._first_s:
            start_s = self._first_s - PRICE_HISTORY_S
        end_s = known_until(slot_s)
        both = (self._recorded.import_price, self._recorded.export_price)
        bought, sold = (series.between(start_s, end_s) for series in both)
        return start_s, list(zip(bought, sold, strict=True))


def salts(seed: str) -> Callable[[int], bytes]:
    """Return the salt of each position as a function of the seed, so that a replayed day has the same roots."""
    return lambda position: hmac.digest(seed.encode(), f"salt {position}".encode(), "sha256")
