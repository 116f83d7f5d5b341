"""A station as the ledger's charge point, over real sockets: what its meter signed, and who is not believed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ocpp_yard import CHARGER, now, until
from test_ocpp_sessions import NOON_S, Desk, at

from commonwatt.adapters.devices.driver import Doors
from commonwatt.adapters.devices.ocpp.books import Story
from commonwatt.adapters.devices.ocpp.charge_point import ChargePoint, token_of
from commonwatt.adapters.devices.ocpp.device import OcppDevice
from commonwatt.adapters.devices.ocpp.ocmf import Notary, span
from commonwatt.adapters.devices.ocpp.server import serving
from commonwatt.adapters.devices.ocpp.services import Services
from commonwatt.adapters.devices.ocpp.settings import OcppSettings
from commonwatt.adapters.devices.ocpp.tokens import Tokens
from commonwatt.flows.charge_session import StationReading
from commonwatt.model import epoch
from commonwatt.simulator.devices.ocpp_meter import SigningMeter
from commonwatt.simulator.devices.ocpp_station import OcppStation, running
from commonwatt.simulator.plant import Plant

VERSIONS = ["1.6", "2.0.1", "2.1"]
REAL = SigningMeter(serial="m-1")
"""The meter whose key is pinned."""


@dataclass(slots=True)
class Post:
    """A station with its meter, our charge point of it, and what that complained about."""

    simulated: OcppStation
    device: OcppDevice
    point: ChargePoint
    said: list[str] = field(default_factory=list)

    async def live(self, session: str, wh: int) -> None:
        """Begin, let energy flow, tell it, and stop."""
        now_s = epoch(now())
        self.simulated.plugged = True
        self.point.begin(session, 50_000, now_s + 3_600, now_s)
        await until(lambda: self.device.evse.session and self.simulated.transaction not in (None, "-1"))
        self.simulated.plant.now_s += 60
        self.simulated.plant.import_wh += wh
        await self.simulated.tell()
        self.point.stop(session, now_s + 60)
        await until(lambda: self.point.over(session, now_s + 60))

    def reading(self, session: str) -> StationReading | None:
        return self.point.reading(session, epoch(now()) + 60)


@asynccontextmanager
async def post(
    folder: Path, version: str, meter: SigningMeter | None, pinned: SigningMeter | None = REAL
) -> AsyncIterator[Post]:
    services = Services(authoriser=Tokens())
    said: list[str] = []
    async with asyncio.timeout(20), serving("127.0.0.1", 0, now, folder, services=services) as server:
        device = OcppDevice(CHARGER, OcppSettings(), server, "CP-1", Doors(clock=now))
        notary = None if pinned is None else Notary(pinned.serial, pinned.public_key)
        point = ChargePoint(device, notary, said.append)
        plant = Plant(asset=CHARGER, now_s=epoch(now().replace(microsecond=0)), own_w=lambda: 7_000)
        url = f"ws://127.0.0.1:{server.port}/CP-1"
        simulated = OcppStation(plant=plant, version=version, url=url, patience_s=2, meter=meter)
        async with running(simulated):
            await simulated.up()
            yield Post(simulated, device, point, said)
        await point.close()


def play(story: Callable[[Post], Awaitable[None]], folder: Path, version: str, meter: SigningMeter | None) -> None:
    async def whole() -> None:
        async with post(folder, version, meter) as here:
            await story(here)

    asyncio.run(whole())


@pytest.mark.row("E9", "E12")
@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_stations_meter_signed_is_the_reading_of_its_session(version: str, tmp_path: Path) -> None:
    meter = SigningMeter(serial="m-1", key=REAL.key)

    async def story(here: Post) -> None:
        for session, wh, stood_wh in (("17", 1_000, 0), ("18", 250, 1_000)):
            await here.live(session, wh)
            reading = here.reading(session)
            assert reading is not None
            assert (reading.began_wh, reading.ended_wh) == (stood_wh, stood_wh + wh)
            assert len(reading.signed) == 2
            records = [Notary("m-1", REAL.public_key).read(raw) for raw in reading.signed]
            assert span(records) == (stood_wh, stood_wh + wh)
            assert {record.user for record in records} == {token_of(session)}
        assert here.reading("17") is not None, "a session that was read stays so when the next one used later pages"
        assert here.said == []

    play(story, tmp_path, version, meter)


class Anonymous(SigningMeter):
    """A meter that says of nobody who began, as many do."""

    def sign(self, mark: str, at_s: int, register_wh: int, user: str) -> str:
        return SigningMeter.sign(self, mark, at_s, register_wh, "")


class Forger(SigningMeter):
    """A station that changes what its meter signed."""

    def sign(self, mark: str, at_s: int, register_wh: int, user: str) -> str:
        return SigningMeter.sign(self, mark, at_s, register_wh, user).replace('"RV": ', '"RV": 1')


class Greedy(SigningMeter):
    """A meter that signs more than the station's register shows."""

    def sign(self, mark: str, at_s: int, register_wh: int, user: str) -> str:
        return SigningMeter.sign(self, mark, at_s, register_wh * (1 if mark == "B" else 9), user)


class Faulty(SigningMeter):
    """A meter that only signs beginnings."""

    def sign(self, mark: str, at_s: int, register_wh: int, user: str) -> str:
        return SigningMeter.sign(self, "B", at_s, register_wh, user)


@pytest.mark.row("E9", "E12")
@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
@pytest.mark.parametrize(
    ("meter", "why"),
    [
        (SigningMeter(serial="m-1"), "signature does not hold"),
        (Forger(serial="m-1", key=REAL.key), "signature does not hold"),
        (SigningMeter(serial="m-2", key=REAL.key), "another meter"),
        (Greedy(serial="m-1", key=REAL.key), "its meter signed 9000 Wh, its register rose by 1000"),
        (Faulty(serial="m-1", key=REAL.key), "no signed record of its start and its end"),
        (None, "no signed record of its start and its end"),
    ],
)
def test_a_session_is_not_read_by_records_that_do_not_hold(
    version: str, meter: SigningMeter | None, why: str, tmp_path: Path
) -> None:
    async def story(here: Post) -> None:
        await here.live("17", 1_000)
        assert here.reading("17") is None
        assert here.reading("17") is None
        assert len([word for word in here.said if why in word]) == 1, f"told once: {here.said}"

    play(story, tmp_path, version, meter)


@pytest.mark.row("E9", "E12")
@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
@pytest.mark.parametrize(("kind", "why"), [(SigningMeter, "another user"), (Anonymous, "seen before or older")])
def test_records_of_an_earlier_session_prove_nothing_of_another(
    version: str, kind: type[SigningMeter], why: str, tmp_path: Path
) -> None:
    meter = kind(serial="m-1", key=REAL.key)

    async def story(here: Post) -> None:
        await here.live("17", 1_000)
        reading = here.reading("17")
        assert reading is not None
        again = list(reading.signed)

        class Replaying(SigningMeter):
            def sign(self, mark: str, at_s: int, register_wh: int, user: str) -> str:
                return again.pop(0)

        here.simulated.meter = Replaying(serial="m-1")
        await here.live("18", 1_000)
        assert here.reading("18") is None
        assert any(why in word for word in here.said), here.said

    play(story, tmp_path, version, meter)


@pytest.mark.row("E9")
@pytest.mark.parametrize("version", VERSIONS)
def test_what_begins_anew_after_a_power_cut_under_the_same_token_is_stopped_and_not_billed(
    version: str, tmp_path: Path
) -> None:
    async def story(here: Post) -> None:
        now_s = epoch(now())
        here.point.begin("17", 50_000, now_s + 3_600, now_s)
        await until(lambda: here.device.evse.session and here.simulated.transaction not in (None, "-1"))
        here.simulated.plant.now_s += 60
        here.simulated.plant.import_wh += 1_000
        await here.simulated.tell()
        here.simulated.plant.now_s += 9
        await here.simulated.restart()
        await until(lambda: here.simulated.transaction is None)
        await until(lambda: here.device.evse.session is None)
        assert here.simulated._starts == 2
        assert here.point.over("17", now_s)
        assert here.reading("17") == StationReading(0, 1_000)
        judge, known = here.device.server.services.judge, here.device.station
        assert judge(known, token_of("17"), now_s).status == "Invalid", "its token is good for nothing any more"
        assert judge(known, token_of("18"), now_s).status == "Invalid", "as is one of which nobody heard"

    async def whole() -> None:
        async with post(tmp_path, version, None, None) as here:
            await story(here)

    asyncio.run(whole())


def test_a_station_of_the_newest_version_is_told_what_a_session_may_take_and_how_long(tmp_path: Path) -> None:
    desk = Desk("2.1")
    desk.station.books.stories["17"] = Story(1, token_of("17"), 20_000, NOON_S + 3_600)
    told = desk.say(
        "TransactionEvent", eventType="Started", timestamp=at(0), triggerReason="RemoteStart", seqNo=0, evse={"id": 1},
        transactionInfo={"transactionId": "a"}, idToken={"idToken": token_of("17"), "type": "Central"},
    )  # fmt: skip
    assert told[2]["transactionLimit"] == {"maxEnergy": 20_000, "maxTime": 3_600}
    assert told[2]["idTokenInfo"]["status"] == "Accepted"


def test_pages_are_remembered_when_we_are_restarted(tmp_path: Path) -> None:
    meter = Anonymous(serial="m-1", key=REAL.key)
    seen: list[str] = []

    async def first(here: Post) -> None:
        await here.live("17", 1_000)
        reading = here.reading("17")
        assert reading is not None
        seen.extend(reading.signed)

    class Replaying(SigningMeter):
        def sign(self, mark: str, at_s: int, register_wh: int, user: str) -> str:
            return seen.pop(0)

    async def second(here: Post) -> None:
        assert here.reading("17") == StationReading(0, 1_000, tuple(seen)), "what was read stays read"
        here.simulated.plant.import_wh = 1_000
        await here.live("18", 1_000)
        assert here.reading("18") is None
        assert any("seen before or older" in word for word in here.said), here.said

    play(first, tmp_path, "2.0.1", meter)
    play(second, tmp_path, "2.0.1", Replaying(serial="m-1"))
