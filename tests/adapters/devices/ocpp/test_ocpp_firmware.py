"""Firmware to its end over real sockets: fetched, checked by the station itself, installed by its next boot."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from ocpp_yard import now, until
from test_ocpp_managing import VERSIONS, play

from commonwatt.adapters.devices.ocpp import firmware, management, profiles, trust
from commonwatt.adapters.devices.ocpp.server import Server
from commonwatt.adapters.devices.ocpp.station import Station
from commonwatt.simulator.devices.ocpp_maker import Maker
from commonwatt.simulator.devices.ocpp_station import OcppStation

Story = Callable[[Maker, Server, Station, OcppStation], Awaitable[None]]
each_version = pytest.mark.parametrize("version", VERSIONS)


def with_maker(version: str, folder: Path, story: Story) -> None:
    """Run a story where a maker serves, whose root the station was given."""

    async def whole(server: Server, known: Station, simulated: OcppStation) -> None:
        async with Maker().serving() as maker:
            assert await trust.install(known, trust.MAKER_ROOT, maker.root) == ""
            await story(maker, server, known, simulated)

    play(version, folder, whole)


def state(known: Station) -> str:
    return known.books.firmware.state if known.books.firmware else ""


def shown_version(known: Station) -> str:
    return str(known.boot.get("chargingStation", known.boot).get("firmwareVersion"))


@pytest.mark.row("E12")
@pytest.mark.parametrize("signed", [True, False])
@each_version
def test_a_firmware_is_fetched_checked_and_there_after_the_next_boot(
    version: str, signed: bool, tmp_path: Path
) -> None:
    async def story(maker: Maker, server: Server, known: Station, simulated: OcppStation) -> None:
        assert shown_version(known) == "1.2.3"
        assert await firmware.update(known, firmware.Offer(**maker.offer(signed=signed)), now()) == ""
        await until(lambda: state(known) == "Installed")
        assert shown_version(known) == "2.0.0"
        assert known.boot.get("reason", "FirmwareUpdate") == "FirmwareUpdate"
        told = [one["status"] for action, one in simulated.said if action.endswith("FirmwareStatusNotification")]
        assert ("SignatureVerified" in told) == signed
        assert await firmware.again(known, firmware.Offer(**maker.offer(signed=signed)), now()) == ""
        assert known.books.firmware is not None
        assert known.books.firmware.tries == 1, "what is installed is not asked for again"

    with_maker(version, tmp_path, story)


@pytest.mark.row("E12")
@each_version
def test_a_file_that_is_not_what_its_maker_signed_is_refused_by_the_station_and_not_tried_again(
    version: str, tmp_path: Path
) -> None:
    async def story(maker: Maker, server: Server, known: Station, simulated: OcppStation) -> None:
        maker.served = maker.image.replace(b"2.0.0", b"6.6.6")
        offer = firmware.Offer(**maker.offer())
        assert await firmware.update(known, offer, now()) == ""
        await until(lambda: state(known) == "InvalidSignature")
        assert simulated.firmware == "1.2.3"
        assert "InvalidFirmwareSignature" in str(server.memory.events("CP-1"))
        assert "not tried again" in await firmware.again(known, offer, now())

    with_maker(version, tmp_path, story)


@each_version
def test_a_signature_by_a_stranger_or_by_an_expired_certificate_is_refused_before_anything_is_fetched(
    version: str, tmp_path: Path
) -> None:
    async def story(maker: Maker, server: Server, known: Station, simulated: OcppStation) -> None:
        stranger = Maker()
        stranger.port = maker.port
        assert "InvalidCertificate" in await firmware.update(known, firmware.Offer(**stranger.offer()), now())
        simulated.plant.now_s += 366 * 86_400
        assert "InvalidCertificate" in await firmware.update(known, firmware.Offer(**maker.offer()), now())
        assert known.books.firmware is None
        assert "InvalidFirmwareSigningCertificate" in str(server.memory.events("CP-1"))
        assert not any(action.endswith("FirmwareStatusNotification") for action, _ in simulated.said)

    with_maker(version, tmp_path, story)


@each_version
def test_a_firmware_waits_for_the_end_of_a_transaction_and_for_its_time(version: str, tmp_path: Path) -> None:
    async def story(maker: Maker, server: Server, known: Station, simulated: OcppStation) -> None:
        await simulated.plug()
        offer, at = firmware.Offer(**maker.offer()), now() + timedelta(hours=1)
        assert await firmware.update(known, offer, now(), install_at=at) == ""
        await until(lambda: state(known) == "InstallScheduled")
        simulated.plant.pass_time(3_700)
        await simulated.tell()
        assert state(known) == "InstallScheduled", "a car is charged"
        await simulated.unplug()
        await until(lambda: state(known) == "Installed")
        assert shown_version(known) == "2.0.0"

    with_maker(version, tmp_path, story)


@each_version
def test_a_newer_firmware_takes_the_place_of_one_that_waits(version: str, tmp_path: Path) -> None:
    async def story(maker: Maker, server: Server, known: Station, simulated: OcppStation) -> None:
        await simulated.plug()
        assert await firmware.update(known, firmware.Offer(**maker.offer()), now()) == ""
        await until(lambda: state(known) == "InstallScheduled")
        maker.version = "3.0.0"
        assert await firmware.update(known, firmware.Offer(**maker.offer()), now()) == ""
        await until(lambda: state(known) == "InstallScheduled")
        await simulated.unplug()
        await until(lambda: state(known) == "Installed")
        assert simulated.firmware == "3.0.0"

    with_maker(version, tmp_path, story)


def test_an_image_that_is_none_is_a_failed_installation_and_worth_another_try(tmp_path: Path) -> None:
    async def story(maker: Maker, server: Server, known: Station, simulated: OcppStation) -> None:
        maker.served = b"<html>maintenance</html>"
        offer = firmware.Offer(**maker.offer(signed=False))
        assert await firmware.again(known, offer, now()) == ""
        await until(lambda: state(known) == "InstallationFailed")
        maker.served = None
        assert await firmware.again(known, offer, now()) == ""
        await until(lambda: state(known) == "Installed")
        assert known.books.firmware is not None
        assert known.books.firmware.tries == 2

    with_maker("2.0.1", tmp_path, story)


@each_version
def test_an_evse_out_of_service_charges_nobody_and_ends_what_it_began(version: str, tmp_path: Path) -> None:
    async def story(server: Server, known: Station, simulated: OcppStation) -> None:
        evse = known.evse(1)
        assert await management.available(known, 1, operative=False) == ""
        await until(lambda: evse.status == "Unavailable")
        assert evse.plugged is False
        assert "Rejected" in await profiles.start_session(known, evse, "ANNA")
        assert await management.available(known, None, operative=True) == ""
        await until(lambda: evse.status != "Unavailable")
        await simulated.plug()
        assert await management.available(known, 1, operative=False) == "", "scheduled is fine"
        assert evse.session is not None
        assert evse.status != "Unavailable"
        await simulated.unplug()
        await until(lambda: evse.status == "Unavailable")
        assert "rejected" in await management.available(known, 7, operative=False)

    play(version, tmp_path, story)
