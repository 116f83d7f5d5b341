"""Let a car charge at a station of a community's folder: both on paper, with keys and a door that are real.

The car's, the station's and its gateway's keys lie in the folder. What they sign goes through the open door, and what
became of it is read from the log: nobody believes their own memory.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from commonwatt.adapters.door.client import knock
from commonwatt.apps.wiring import open_gateway_key, open_key, open_log
from commonwatt.flows.charge_session import Pens, step
from commonwatt.flows.desk import Desk
from commonwatt.flows.ports import LogStore
from commonwatt.flows.replay import Replayed, community_of, go_on, resume
from commonwatt.flows.rulebook import State, bodies
from commonwatt.flows.rulebook.charging.sessions import ChargingSession
from commonwatt.identity.keys import SigningKey
from commonwatt.metering.batch import Item, encode_items
from commonwatt.model import SLOT_SECONDS, AccountId, Asset, Kind, Outcome, Refused
from commonwatt.simulator.charge_point import PaperCar, PaperStation

USUAL_W = 11_000
"""What a charge point gives where its connection carries so much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plug:
    """What the car wants and pays at most, and how the charge point gives it.

    Args:
        wants_wh: After so much the car leaves.
        most_micro: What it authorises to pay.
        lasts_s: How long its word holds.
        power_w: Of the charge point; None for the usual, as far as the connection carries it.
    """

    wants_wh: int
    most_micro: int
    lasts_s: int = 14_400
    power_w: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where it happens: the door, the clock (seconds since 1970), a pause between two looks, and who is told."""

    host: str
    port: int
    now_s: Callable[[], int]
    pause: Callable[[], None]
    on_word: Callable[[str], None]


def charge(folder: Path, car: str, station: str, plug: Plug, place: Place, *, wait: bool = True) -> str:
    """Let a car charge, from its word to the reading of the register, and return the session's name.

    Args:
        folder: The community's, with its log and keys.
        car: The key of the car, as its file in the folder's keys.
        station: The key of the station, likewise.
        plug: What is wanted.
        place: Where.
        wait: Whether to go on until the slots are over in which energy flowed, and tell what the connection took in
            them: nothing is billed that its meter did not see.

    Raises:
        Refused: A key is missing or unknown to the log, the station told no tariff, its connection does not carry the
            power, or a request was refused; says how.
        Corrupt: The log contradicts itself.
        OSError: The line to the door broke.
    """
    with open_log(folder) as log:
        line = _Line(log, place, resume(log, community_of(log)))
        pens, meter = _pens(folder, line.state, car, station)
        power_w = min(USUAL_W, meter.max_import_w) if plug.power_w is None else plug.power_w
        if not 0 < power_w <= meter.max_import_w:
            raise Refused("a charge point draws what its connection carries", asset=meter.id, found_w=power_w)
        paper_car = PaperCar(
            station=pens.station_account, wants_wh=plug.wants_wh, most_micro=plug.most_micro, lasts_s=plug.lasts_s
        )
        paper_station = PaperStation(power_w=power_w, shows_wh=_shows_wh(line.state, meter))
        point = _Point(pens.gateway, meter, paper_station, line.now_s() // SLOT_SECONDS * SLOT_SECONDS)
        stood = {*line.state.sessions.standing}
        return _live(line, pens, paper_car, paper_station, point, stood, wait=wait)


def _live(
    line: "_Line", pens: Pens, car: PaperCar, station: PaperStation, point: "_Point", stood: set[str], *, wait: bool
) -> str:
    """Take step after step until the register is read and, where that is waited for, the connection's meter too."""
    name = told = ""
    while True:
        now_s = line.now_s()
        line.send(point.readings(line.state, now_s))
        line.send(step(line.state, pens, car, station, now_s))
        standing = line.state.sessions.standing
        if not name:
            # A car's own key signs one request after the other: the first that is new is what it just authorised.
            name = next(one.id for one in standing.values() if one.id not in stood and one.car == pens.car_account)
        session = standing.get(name)
        if session is None:
            return name  # closed already
        if (word := _word(session)) != told:
            told = word
            line.place.on_word(word)
        if session.metered is not None and (not wait or point.slot_s >= (session.ended_s or 0)):
            return name
        line.place.pause()


def _word(session: ChargingSession) -> str:
    if session.metered is not None:
        return f"session {session.id}: ended by {session.ended_by}, register read {session.metered_wh} Wh"
    if session.ended_s is not None:
        return f"session {session.id}: ended by {session.ended_by}"
    if session.started_s is not None:
        return f"session {session.id}: counted {session.counted_wh} Wh"
    return f"session {session.id}: authorised"


@dataclass(slots=True)
class _Line:
    """The way to the log and back: requests through the door, and what became of them from the store."""

    log: LogStore
    place: Place
    seen: Replayed

    @property
    def state(self) -> State:
        return self.seen.state

    def now_s(self) -> int:
        return max(self.place.now_s(), self.seen.last_s)

    def send(self, wires: list[bytes]) -> None:
        """Send requests, and take up all that the log has by then.

        Raises:
            Refused: The log does not take one of them.
        """
        if wires:
            outcomes, _ = knock(self.place.host, self.place.port, wires)
            for outcome in outcomes:
                if outcome not in (Outcome.BOOKED, Outcome.SET_ASIDE):
                    raise Refused("the log takes what its rules allow", outcome=outcome)
        go_on(self.seen, self.log.rows(len(self.seen.tree)))


@dataclass(slots=True)
class _Point:
    """The station's connection, whose meter sees what the charge point draws; its gateway tells it slot by slot."""

    gateway: SigningKey
    meter: Asset
    station: PaperStation
    slot_s: int
    told_wh: int = field(init=False)

    def __post_init__(self) -> None:
        self.told_wh = self.station.shows_wh

    def readings(self, state: State, now_s: int) -> list[bytes]:
        """Return signed readings of the slots that are over by now."""
        desk = Desk(state)
        register = state.gateways[self.meter.gateway].assets.index(self.meter.id)
        while self.slot_s + SLOT_SECONDS <= now_s:
            shows_wh = self.station.register_wh(self.slot_s + SLOT_SECONDS)
            item = Item(start_s=self.slot_s, register=register, import_wh=shows_wh - self.told_wh, export_wh=0)
            packed = encode_items([item])
            head = bodies.batch_head(self.meter.gateway, packed)
            desk.write(self.gateway, AccountId(self.meter.gateway), Kind.READING_BATCH, head, items=packed)
            self.slot_s, self.told_wh = self.slot_s + SLOT_SECONDS, shows_wh
        return desk.wires


def _pens(folder: Path, state: State, car: str, station: str) -> tuple[Pens, Asset]:
    keys, accounts = [], []
    for name, role in ((car, "car"), (station, "station")):
        key = open_key(folder, name)
        record = state.keys.get(key.id)
        if record is None or record.role != role:
            raise Refused(f"the log knows a {role} by its key", named=name, role=record.role if record else None)
        keys.append(key)
        accounts.append(record.account)
    tariffs = state.sessions.tariffs.get(accounts[1])
    if not tariffs:
        raise Refused("a station tells its tariff before anybody charges there", station=accounts[1])
    meter = state.assets[tariffs[-1].meter]
    pens = Pens(
        car=keys[0],
        car_account=accounts[0],
        station=keys[1],
        station_account=accounts[1],
        gateway=open_gateway_key(folder, meter.gateway),
        gateway_account=AccountId(meter.gateway),
    )
    return pens, meter


def _shows_wh(state: State, meter: Asset) -> int:
    """Return what the station's register shows at first: all that was ever billed of it is behind it."""
    register = state.sessions.registers.get(meter.id)
    read = [one.metered[1] for one in state.sessions.standing.values() if one.metered and one.terms.meter == meter.id]
    return max([0, *read, *([register.floor_wh, *(high for _, high in register.spans)] if register else [])])
