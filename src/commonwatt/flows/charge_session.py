"""The story of a car at a charge point: from its wish to the reading of the station's register, step by step.

Each step looks at what the log has made of the session so far and at what car and station say now, and returns the
requests that come next. It remembers nothing itself: whoever is stopped between two steps, before or after a request
became durable, goes on with the next one.
"""

from dataclasses import dataclass
from typing import Protocol

from commonwatt.flows.desk import Desk
from commonwatt.flows.rulebook import State
from commonwatt.flows.rulebook.charging.session_bodies import Authorise, CountItem, Metered, Progress, Start, Stop
from commonwatt.flows.rulebook.charging.sessions import ChargingSession
from commonwatt.identity.keys import SigningKey
from commonwatt.model import AccountId, Kind


@dataclass(frozen=True, slots=True)
class StationReading:
    """What a station's register showed at start and end, Wh, and the records by which its meter signed that, if any."""

    began_wh: int
    ended_wh: int
    signed: tuple[str, ...] = ()


class Car(Protocol):
    """A car that stands at a charge point."""

    def wish(self, now_s: int) -> Authorise | None:
        """Return what it would authorise now; None where it wants nothing here."""

    def leaves(self, now_s: int, counted_wh: int) -> bool:
        """Tell whether it has enough, or drives away."""


class Station(Protocol):
    """A charge point with its meter; it knows itself what a session is allowed and how long."""

    def register_wh(self, now_s: int) -> int:
        """Return what its meter shows."""

    def begin(self, session: str, most_wh: int, until_s: int, now_s: int) -> None:
        """Let energy flow for a session, up to so much and so long. Asked again, it changes nothing."""

    def count(self, session: str, now_s: int) -> int | None:
        """Return the Wh that a session has taken so far; None while the link is down."""

    def stop(self, session: str, now_s: int) -> None:
        """Let no more energy flow for a session. Asked again, it changes nothing."""

    def over(self, session: str, now_s: int) -> bool:
        """Tell whether energy has ceased to flow for good without our word: somebody pulled the plug."""

    def reading(self, session: str, now_s: int) -> StationReading | None:
        """Return what its register showed when a session began and ended; None while it cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pens:
    """Who signs: the car, the station, and the gateway behind which its meter is."""

    car: SigningKey
    car_account: AccountId
    station: SigningKey
    station_account: AccountId
    gateway: SigningKey
    gateway_account: AccountId


def step(state: State, pens: Pens, car: Car, station: Station, now_s: int) -> list[bytes]:
    """Do what comes next in every session of a car at a station.

    Args:
        state: As the log has it.
        pens: Of car, station and gateway.
        car: What wants energy.
        station: What gives it; it is told to begin and to stop.
        now_s: The moment, seconds since 1970, not before the log's time.

    Returns:
        Signed requests for the log, in order; none where everybody waits.
    """
    desk = Desk(state)
    mine = [
        s for s in state.sessions.standing.values() if (s.car, s.station) == (pens.car_account, pens.station_account)
    ]
    for session in mine:
        if session.ended_s is not None:
            _finish(desk, pens, station, session, now_s)
        elif session.started_s is not None:
            _go_on(desk, pens, car, station, session, now_s)
        elif session.until_s > now_s and session.station not in state.sessions.busy:
            begin = Start(session=session.id, register_wh=station.register_wh(now_s))
            desk.write(pens.station, pens.station_account, Kind.SESSION, begin)
    if all(session.ended_s is not None for session in mine) and (wish := car.wish(now_s)):
        desk.write(pens.car, pens.car_account, Kind.SESSION, wish)
    return desk.wires


def _go_on(desk: Desk, pens: Pens, car: Car, station: Station, session: ChargingSession, now_s: int) -> None:
    """Let energy flow, count, and stop when the car has enough; energy flows only once the start is in the log.

    Where the log ends the session by itself, by time or by silence, nothing more is written and nothing may flow.
    """
    if session.due_s <= now_s:
        station.stop(session.id, now_s)
        return
    station.begin(session.id, session.most_wh, session.until_s, now_s)
    wh = station.count(session.id, now_s)
    if wh is None:
        return
    if now_s > session.counted_s and wh >= session.counted_wh:
        counted = Progress(session=session.id, counts=(CountItem(at_s=now_s, energy_wh=wh),))
        desk.write(pens.station, pens.station_account, Kind.SESSION, counted)
    if wh >= session.most_wh:
        return  # the count ends it
    if station.over(session.id, now_s):
        desk.write(pens.station, pens.station_account, Kind.SESSION, Stop(session=session.id))
    elif car.leaves(now_s, wh):
        station.stop(session.id, now_s)
        desk.write(pens.car, pens.car_account, Kind.SESSION, Stop(session=session.id))


def _finish(desk: Desk, pens: Pens, station: Station, session: ChargingSession, now_s: int) -> None:
    station.stop(session.id, now_s)
    if session.metered is None and (reading := station.reading(session.id, now_s)):
        read = Metered(session=session.id, began_wh=reading.began_wh, ended_wh=reading.ended_wh, signed=reading.signed)
        desk.write(pens.gateway, pens.gateway_account, Kind.SESSION, read)
