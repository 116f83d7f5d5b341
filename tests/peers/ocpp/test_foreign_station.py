"""A charging station whose framing, transport and schema checks are not ours is really bent by our limits."""

import asyncio
import shutil
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from commonwatt.adapters.devices.driver import DeviceSpec, Doors
from commonwatt.adapters.devices.ocpp.device import OcppDevice, open_device
from commonwatt.model import AccountId, Ack, Asset, AssetId, AssetKind, Band, Command, GatewayId

ROOT = Path(__file__).parents[3]
PEER = ROOT / ".peers/ocpp-rpc/node_modules"
NODE = shutil.which("node")
CAR = Asset(
    id=AssetId("car"), owner=AccountId("anna"), gateway=GatewayId("gw-1"), kind=AssetKind.VEHICLE, zone="lane",
    max_import_w=11_040, max_export_w=0, min_import_w=1_380, capacity_wh=64_000,
)  # fmt: skip


@pytest.mark.row("W9", "E12")
@pytest.mark.skipif(NODE is None or not PEER.exists(), reason="needs Node and scripts/peers.sh install ocpp-rpc")
def test_a_foreign_station_of_1_6_draws_no_more_than_our_limit_and_reads_it_back() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    async def story() -> None:
        async with asyncio.timeout(25), Doors() as doors:
            spec = DeviceSpec(asset=CAR.id, driver="ocpp", url=f"ws://127.0.0.1:{port}/PEER-1")
            device = await open_device(CAR, spec, doors)
            script = Path(__file__).with_name("station16.cjs")
            assert NODE is not None
            process = await asyncio.create_subprocess_exec(
                NODE, str(script), f"ws://127.0.0.1:{port}", "PEER-1",
                env={"NODE_PATH": str(PEER)}, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            try:
                await bent(device)
            finally:
                process.kill()
                _, complaints = await process.communicate()
            assert b"WRONG" not in complaints, complaints.decode()

    asyncio.run(story())


async def bent(device: OcppDevice) -> None:
    """Hold the station at a limit, pause it, let it go and end its transaction."""
    await until(lambda: device.evse.session is not None and device.evse.power_w == 11_040)
    assert device.station.booted
    ack = await limit(device, 4_140)
    assert ack.taken == Band(lo_w=0, hi_w=4_140)
    assert not ack.why, "its composite schedule says the same"
    await until(lambda: device.evse.power_w == 4_140)
    await limit(device, 0)
    await until(lambda: device.evse.power_w == 0)
    assert device.evse.session is not None, "a pause keeps the transaction"
    await device.release()
    await until(lambda: device.evse.power_w == 11_040)
    ack = await limit(device, 6_900, seconds=2)
    assert ack.taken is not None
    await until(lambda: device.evse.power_w == 6_900)
    await until(lambda: device.evse.power_w == 11_040)  # by the station's own clock: nobody told it
    assert (await device.read()).import_wh is not None
    assert await device.stop_session() == ""
    await until(lambda: device.evse.session is None)
    assert not device.station.quirks


async def limit(device: OcppDevice, power_w: int, seconds: int = 60) -> Ack:
    expires = datetime.now(UTC) + timedelta(seconds=seconds)
    return await device.apply(
        Command(id="c", asset=CAR.id, band=Band(lo_w=0, hi_w=power_w), expires=expires, reason="peer")
    )


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.02)
