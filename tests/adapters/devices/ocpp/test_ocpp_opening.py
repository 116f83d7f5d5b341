"""A devices file that asks for TLS opens a server with its own authority, its gate and its socket."""

import asyncio
import socket
from pathlib import Path

import pytest
from ocpp_yard import CHARGER, PASSWORD, now

from commonwatt.adapters.devices.driver import DeviceSpec, Doors
from commonwatt.adapters.devices.ocpp.certificates import pem
from commonwatt.adapters.devices.ocpp.device import open_device
from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.apps import stationing
from commonwatt.model import InvalidValue, epoch
from commonwatt.simulator.devices.ocpp_duties import Duties
from commonwatt.simulator.devices.ocpp_station import OcppStation, running
from commonwatt.simulator.plant import Plant


def test_a_station_of_a_devices_file_comes_by_tls_with_the_password_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "ocpp.toml").write_text('control = true\nauthorise = "tokens"\nocsp_hosts = ["ocsp.example.org:80"]\n')
    save_secret(tmp_path / "first-password", PASSWORD.encode())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"wss://127.0.0.1:{port}/CP-1"
    settings = {"password_file": str(tmp_path / "first-password")}
    spec = DeviceSpec(asset=CHARGER.id, driver="ocpp", url=url, settings=settings)

    async def story() -> None:
        async with asyncio.timeout(20), Doors(clock=now, folder=tmp_path) as doors:
            device = await open_device(CHARGER, spec, doors)
            authority = device.server.services.authority  # type: ignore[attr-defined]  # the port hides it
            plant = Plant(asset=CHARGER, now_s=epoch(now().replace(microsecond=0)))
            duties = Duties(name="CP-1", password=PASSWORD, root=pem(authority.root))
            simulated = OcppStation(plant=plant, version="2.0.1", url=url, duties=duties, patience_s=2)
            async with running(simulated):
                await simulated.up()
                (line,) = await asyncio.to_thread(stationing.ask, tmp_path, "list", {})
                assert (line["profile"], line["connected"]) == (2, True)

    asyncio.run(story())


def test_tls_without_a_folder_for_keys_is_refused() -> None:
    async def story() -> None:
        spec = DeviceSpec(asset=CHARGER.id, driver="ocpp", url="wss://127.0.0.1:9/CP-1")
        async with Doors(clock=now) as doors:
            await open_device(CHARGER, spec, doors)

    with pytest.raises(InvalidValue, match="folder for its keys"):
        asyncio.run(story())
