"""Let a car charge at a station of a community's folder: over a real OCPP wire, with keys and a door that are real.

The car's, the station's and its gateway's keys lie in the folder. What they sign goes through the open door, and what
became of it is read from the log: nobody believes their own memory.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from commonwatt.adapters.door.client import knock
from commonwatt.apps.charge_points import Connection, Outlet, Plugged, outlet
from commonwatt.apps.wiring import open_gateway_key, open_key, open_log
from commonwatt.flows.charge_session import Pens, step
from commonwatt.flows.ports import LogStore
from commonwatt.flows.replay import Replayed, community_of, go_on, resume
from commonwatt.flows.rulebook import State
from commonwatt.flows.rulebook.charging.sessions import ChargingSession, StationTariff
from commonwatt.metering.parting import Shown
from commonwatt.model import (
    SLOT_SECONDS,
    AccountId,
    Asset,
    InvalidValue,
    Outcome,
    Refused,
    Unreachable,
    instant,
    zone_of,
)
from commonwatt.simulator.car import PaperCar

USUAL_W = 11_000
"""What a charge point gives where its connection carries so much."""
STATIONS = "stations"
"""Where in a community's folder the server of a simulated station remembers it."""
TAKEN = (Outcome.BOOKED, Outcome.SET_ASIDE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plug:
    """What the car wants and pays at most, and at which charge point.

    Args:
        wants_wh: After so much the car leaves.
        most_micro: What it authorises to pay.
        lasts_s: How long its word holds.
        devices: A folder with the devices file in which the station stands; None: our own simulated one.
        version: Of OCPP, that a simulated one speaks.
        power_w: Of a simulated one; None for the usual, as far as the connection carries it.
    """

    wants_wh: int
    most_micro: int
    lasts_s: int = 14_400
    devices: Path | None = None
    version: str = "2.0.1"
    power_w: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where it happens: the door, the clock (seconds since 1970), a pause between two looks, and who is told."""

    host: str
    port: int
    now_s: Callable[[], int]
    pause: Callable[[], Awaitable[None]]
    on_word: Callable[[str], None]


def charge(folder: Path, car: str, station: str, plug: Plug, place: Place, *, wait: bool = True) -> str:
    """Let a car charge, from its word to the reading of the register, and return the session's name.

    A session that stands between the two and waits for its station, since whoever led it was killed, is gone on with.

    Args:
        folder: The community's, with its log and keys.
        car: The key of the car, as its file in the folder's keys.
        station: The key of the station, likewise.
        plug: What is wanted, and which station it is.
        place: Where.
        wait: Whether to go on until the slots are over in which energy flowed, and tell what the connection took in
            them: nothing is billed that its meter did not see.

    Raises:
        Refused: A key is missing or unknown to the log, the station told no tariff, its connection does not carry the
            power, it did not connect, or a request was refused; says how.
        InvalidValue: The devices file makes no sense.
        Corrupt: The log contradicts itself.
        OSError: The line to the door broke.
    """
    with open_log(folder) as log:
        line = _Line(log, place, resume(log, community_of(log)))
        pens, terms = _pens(folder, line.state, car, station)
        meter = line.state.assets[terms.meter]
        power_w = min(USUAL_W, meter.max_import_w) if plug.power_w is None else plug.power_w
        if not 0 < power_w <= meter.max_import_w:
            raise Refused("a charge point draws what its connection carries", asset=meter.id, found_w=power_w)
        which = Plugged(
            meter=meter,
            shows_wh=_shows_wh(line.state, meter),
            devices=plug.devices,
            version=plug.version,
            power_w=power_w,
            signs_as=terms.signs_as,
            signs_by=terms.signs_by,
        )
        own = plug.devices or folder / STATIONS
        own.mkdir(mode=0o700, exist_ok=True)
        return asyncio.run(_charge(line, pens, plug, which, own, wait=wait))


async def _charge(line: "_Line", pens: Pens, plug: Plug, which: Plugged, own: Path, *, wait: bool) -> str:
    """Open the station, wait until it is there, and live the story."""
    car = PaperCar(
        station=pens.station_account, wants_wh=plug.wants_wh, most_micro=plug.most_micro, lasts_s=plug.lasts_s
    )
    async with outlet(own, which, lambda: instant(line.now_s()), line.place.on_word) as there:
        last_s = line.now_s() + plug.lasts_s
        while there.device.station.link is None:
            if line.now_s() > last_s:
                raise Refused("a car charges at a station that is connected", station=there.device.station.id)
            await line.place.pause()
        with suppress(Unreachable, InvalidValue):
            await there.device.read()  # so that the register is known from which the session starts
        unread = [one.id for one in line.state.sessions.standing.values() if _waits(one, pens)]
        car.asked = bool(unread)
        shown = Shown(
            at_s=line.now_s() // SLOT_SECONDS * SLOT_SECONDS,
            import_wh=there.point.register_wh(line.now_s()),
            export_wh=0,
        )
        connection = Connection(
            pens.gateway, which.meter, own / f"{which.meter.id}.count.json", None if unread else shown, shown,
            zone_of(line.state.charter.timezone),
        )  # fmt: skip
        return await _live(line, pens, car, there, connection, unread[-1] if unread else "", wait=wait)


async def _live(
    line: "_Line", pens: Pens, car: PaperCar, there: Outlet, connection: Connection, name: str, *, wait: bool
) -> str:
    """Take step after step until the register is read and, where that is waited for, the connection's meter too."""
    told, stood = "", {*line.state.sessions.standing}
    while True:
        now_s = line.now_s()
        await line.send(await connection.readings(line.state, there.device, now_s))
        for doubt in connection.keep():
            line.place.on_word(doubt)
        await line.send(step(line.state, pens, car, there.point, now_s), late=bool(name))
        await there.point.told()
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
        if session.metered is not None and (not wait or connection.told_to_s > (session.ended_s or 0)):
            return name
        await line.place.pause()
        await there.live_to(line.now_s())


def _waits(session: ChargingSession, pens: Pens) -> bool:
    """Tell whether a session is the car's at this station, and its register was not read yet."""
    mine = (session.car, session.station) == (pens.car_account, pens.station_account)
    return mine and session.metered is None


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

    async def send(self, wires: list[bytes], *, late: bool = False) -> None:
        """Send requests, and take up all that the log has by then; stations are heard meanwhile.

        Args:
            wires: What is signed.
            late: Whether the log may have ended the session by itself before they came: the next step sees that.

        Raises:
            Refused: The log does not take one of them.
        """
        if wires:
            outcomes, _ = await asyncio.to_thread(knock, self.place.host, self.place.port, wires)
            fine = (*TAKEN, Outcome.TOO_LATE, Outcome.ALREADY_THERE) if late else TAKEN
            for outcome in outcomes:
                if outcome not in fine:
                    raise Refused("the log takes what its rules allow", outcome=outcome)
        go_on(self.seen, self.log.rows(len(self.seen.tree)))


def _pens(folder: Path, state: State, car: str, station: str) -> tuple[Pens, StationTariff]:
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
    return pens, tariffs[-1]


def _shows_wh(state: State, meter: Asset) -> int:
    """Return what the station's register shows at first: all that was ever billed of it is behind it."""
    register = state.sessions.registers.get(meter.id)
    read = [one.metered[1] for one in state.sessions.standing.values() if one.metered and one.terms.meter == meter.id]
    return max([0, *read, *([register.floor_wh, *(high for _, high in register.spans)] if register else [])])
