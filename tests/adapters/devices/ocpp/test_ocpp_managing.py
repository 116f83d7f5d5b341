"""What is asked of stations, over real sockets: places, lists, firmware, logs, and the story of the ledger."""

import asyncio
import stat
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from ocpp_yard import CHARGER, now, station, until, yard

from commonwatt.adapters.devices.driver import Doors
from commonwatt.adapters.devices.ocpp import firmware, local_list, management, reservations
from commonwatt.adapters.devices.ocpp.charge_point import ChargePoint
from commonwatt.adapters.devices.ocpp.control import controlled
from commonwatt.adapters.devices.ocpp.device import OcppDevice
from commonwatt.adapters.devices.ocpp.server import Server
from commonwatt.adapters.devices.ocpp.services import Services
from commonwatt.adapters.devices.ocpp.settings import OcppSettings
from commonwatt.adapters.devices.ocpp.station import Station
from commonwatt.adapters.devices.ocpp.tokens import Token, Tokens
from commonwatt.apps import stationing
from commonwatt.model import Refused, epoch
from commonwatt.simulator.devices.ocpp_station import OcppStation, running

Story = Callable[[Server, Station, OcppStation], Awaitable[None]]
VERSIONS = ["1.6", "2.0.1", "2.1"]


def play(version: str, folder: Path, story: Story, services: Services | None = None) -> None:
    async def whole() -> None:
        async with yard(folder, services) as (server, _):
            known = server.register("CP-1")
            simulated = station(server, version)
            async with running(simulated):
                await simulated.up()
                await story(server, known, simulated)

    asyncio.run(whole())


@pytest.mark.row("E12")
@pytest.mark.parametrize("version", VERSIONS)
def test_a_reserved_place_is_used_by_its_token_and_refused_to_another(version: str, tmp_path: Path) -> None:
    async def story(server: Server, known: Station, simulated: OcppStation) -> None:
        number, wrong = await reservations.reserve(known, "ANNA", now() + timedelta(hours=1), evse=1)
        assert (wrong, number > 0) == ("", True)
        judge, now_s = server.services.judge, epoch(now())
        assert judge(known, "BEN", now_s, evse=known.evse(1)).status == "Invalid"
        assert judge(known, "anna", now_s, evse=known.evse(1)).status == "Accepted"
        simulated.tag = "ANNA"
        await simulated.plug()
        assert known.books.reservations[number].state == "used"
        assert "occupied" in (await reservations.reserve(known, "BEN", now() + timedelta(hours=1), evse=1))[1]

    play(version, tmp_path, story)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_list_goes_by_differences_and_as_a_whole_where_those_failed(version: str, tmp_path: Path) -> None:
    async def story(server: Server, known: Station, simulated: OcppStation) -> None:
        assert simulated.duties is not None
        tokens = [Token(id=f"T{i}") for i in range(60)]
        assert await local_list.send_list(known, tokens) == ""
        assert len(simulated.duties.listed) == 60
        assert await local_list.send_list(known, [*tokens[1:], Token(id="NEW", status="Blocked")]) == ""
        assert simulated.duties.listed.keys() == {f"T{i}" for i in range(1, 60)} | {"NEW"}
        assert simulated.heard[-1][1]["updateType"] == "Differential"
        simulated.duties.obeys_lists = False
        assert await local_list.send_list(known, tokens[:3]) == ""
        assert simulated.duties.listed.keys() == {"T0", "T1", "T2"}

    play(version, tmp_path, story)


@pytest.mark.parametrize("version", VERSIONS)
def test_firmware_is_tried_some_times_and_logs_are_followed(version: str, tmp_path: Path) -> None:
    async def story(server: Server, known: Station, simulated: OcppStation) -> None:
        offer = firmware.Offer(url="https://maker.example/1.bin")
        for tries in (1, 2, 3):
            assert await firmware.again(known, offer, now()) == ""
            await until(lambda: known.books.firmware and known.books.firmware.state == "DownloadFailed")
            assert known.books.firmware is not None
            assert known.books.firmware.tries == tries
        assert "failed 3 times" in await firmware.again(known, offer, now())
        number, wrong = await firmware.get_log(known, "https://logs.example/")
        assert wrong == ""
        await until(lambda: known.books.uploads[number].state == "Uploaded")
        assert await management.reset(known) == await management.unlock(known, 1) == ""

    play(version, tmp_path, story)


def test_half_a_signature_is_told_to_no_station() -> None:
    with pytest.raises(Refused, match="hash"):
        firmware.Offer(url="https://maker.example/1.bin", signature="AAAA").checked()


def test_unknown_tokens_are_invalid_and_a_token_charges_in_one_place(tmp_path: Path) -> None:
    tokens = Tokens()
    tokens.put([Token(id="CAR"), Token(id="OLD", expires_s=1)])

    async def story(server: Server, known: Station, simulated: OcppStation) -> None:
        judge, now_s = server.services.judge, epoch(now())
        await simulated.plug()
        found = [judge(known, one, now_s).status for one in ("CAR", "OLD", "NOBODY")]
        assert found == ["ConcurrentTx", "Expired", "Invalid"]

    play("2.0.1", tmp_path, story, Services(authoriser=tokens))


def test_the_socket_is_for_its_owner_alone_and_does_what_a_line_asks(tmp_path: Path) -> None:
    async def story(server: Server, known: Station, simulated: OcppStation) -> None:
        async with controlled(server, tmp_path / "ocpp.sock"):
            assert stat.S_IMODE((tmp_path / "ocpp.sock").stat().st_mode) == 0o600
            (line,) = await asyncio.to_thread(stationing.ask, tmp_path, "list", {})
            assert (line["station"], line["connected"]) == ("CP-1", True)
            assert await asyncio.to_thread(stationing.ask, tmp_path, "reset", {"station": "CP-1"}) == "done"
            with pytest.raises(Refused, match="no station"):
                await asyncio.to_thread(stationing.ask, tmp_path, "reset", {"station": "CP-9"})

    play("2.0.1", tmp_path, story)


@pytest.mark.row("E9")
@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_of_the_ledger_begins_counts_stops_and_is_read_at_a_real_station(
    version: str, tmp_path: Path
) -> None:
    async def story(server: Server, known: Station, simulated: OcppStation) -> None:
        device = OcppDevice(CHARGER, OcppSettings(), server, "CP-1", Doors(clock=now))
        point, now_s = ChargePoint(device), epoch(now())
        simulated.plugged = True
        point.begin("17", 50_000, now_s + 3_600, now_s)
        point.begin("17", 50_000, now_s + 3_600, now_s)
        await until(lambda: device.evse.session)
        simulated.plant.import_wh += 1_000
        await simulated.tell()
        await until(lambda: point.count("17", now_s) == 1_000)
        assert point.reading("17", now_s) is None
        point.stop("17", now_s + 60)
        await until(lambda: point.reading("17", now_s + 60))
        reading = point.reading("17", now_s + 60)
        assert reading is not None
        assert reading.ended_wh - reading.began_wh == 1_000
        assert len(device.evse.sessions) == 1
        await point.close()

    play(version, tmp_path, story, Services(authoriser=Tokens()))
