"""Our simulator read by the SunSpec Alliance's own library, and our client reading a server that is not ours."""

import asyncio
import struct
from typing import Any

import pytest
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP
from test_sunspec_device import FOLDER, NOW_S, opened
from test_sunspec_models import BATTERY, OURS

from commonwatt.adapters.devices.modbus.client import Link, Wire
from commonwatt.adapters.devices.sunspec.client import read_models, scan
from commonwatt.adapters.devices.sunspec.models import Node
from commonwatt.simulator.devices.modbus_server import serve
from commonwatt.simulator.devices.sunspec import SunSpecUnit
from commonwatt.simulator.plant import Plant


def theirs(port: int) -> dict[int, Any]:
    """Return the models that pysunspec2 finds, in its own thread: it is synchronous."""
    device = SunSpecModbusClientDeviceTCP(slave_id=1, ipaddr="127.0.0.1", ipport=port, timeout=5)
    try:
        device.scan()
        return {number: found[0] for number, found in device.models.items() if isinstance(number, int)}
    finally:
        device.close()


def compared(ours: Node, peer: Any, path: str) -> int:
    """Compare a group's values, scaled, with the peer's, and return how many there were that say something."""
    told = 0
    for name, raw in ours.raw.items():
        their = peer.points[name].cvalue
        where = f"{path}.{name}"
        if isinstance(raw, str) or raw is None:
            assert their in (raw, "", None) or (raw is None and their == 0), where
            continue
        mine = ours.value(name)
        assert mine is not None, where
        assert float(mine) == pytest.approx(float(their), rel=1e-6), where
        told += 1
    for name, nodes in ours.groups.items():
        peers = peer.groups[name]
        peers = peers if isinstance(peers, list) else [peers]
        assert len(peers) == len(nodes), f"{path}.{name}"
        told += sum(compared(one, other, f"{path}.{name}") for one, other in zip(nodes, peers, strict=True))
    return told


@pytest.mark.row("W9", "X4")
def test_pysunspec2_and_we_read_the_same_of_every_model() -> None:
    async def story() -> None:
        unit = SunSpecUnit(FOLDER, OURS, Plant(asset=BATTERY, now_s=NOW_S, level_wh=5_000, export_wh=77), filled=True)
        async with serve({1: unit}) as port:
            link = Link("127.0.0.1", port, Wire())
            found = await scan(link, [1])
            ours = await read_models(link, found, [(number, ()) for number in OURS])
            peers = await asyncio.to_thread(theirs, port)
            link.close()
        assert set(peers) == set(ours) == set(OURS)
        told = sum(compared(ours[number], peers[number], str(number)) for number in OURS)
        assert told > 1_000

    asyncio.run(story())


@pytest.mark.row("W9")
def test_pysunspec2_tells_our_simulator_a_power() -> None:
    async def story() -> None:
        plant = Plant(asset=BATTERY, now_s=NOW_S, level_wh=5_000)
        unit = SunSpecUnit(FOLDER, (1, 701, 702, 704, 713), plant)

        def tell(port: int) -> None:
            device = SunSpecModbusClientDeviceTCP(slave_id=1, ipaddr="127.0.0.1", ipport=port, timeout=5)
            device.scan()
            control = device.models[704][0]
            control.WSetMod.value, control.WSet.cvalue, control.WSetRvrtTms.value = 1, -1_500, 30
            control.WSetEna.value = 1
            control.write()
            device.close()

        async with serve({1: unit}) as port:
            await asyncio.to_thread(tell, port)
        assert plant.power_w == 1_500
        plant.pass_time(30)
        assert plant.held is None

    asyncio.run(story())


def test_a_power_that_is_told_after_its_switch_counts_at_once() -> None:
    """In this order py20305 writes: the switch, then the watts, and no timer."""
    plant = Plant(asset=BATTERY, now_s=NOW_S, level_wh=5_000)
    unit = SunSpecUnit(FOLDER, (1, 701, 702, 704), plant)
    for name, words in (("WSetEna", [1]), ("WSetMod", [1]), ("WSet", [0xFFFF, 0x10000 - 1_500])):
        unit.write(40_000 + unit.places[704, name].address, words)
    assert plant.power_w == 1_500
    assert plant.until_s is None
    unit.write(40_000 + unit.places[704, "WSetEna"].address, [0])
    assert plant.held is None


@pytest.mark.row("W9")
def test_a_float_inverter_that_somebody_else_serves_is_read() -> None:
    """The server is pymodbus's, the registers laid out by hand from the table of model 113, none of our code behind."""

    async def story() -> None:
        floats = dict.fromkeys(range(24), float("nan")) | {10: 2_345.5, 11: 49.97, 15: 98_765.0}
        body = b"".join(struct.pack(">f", floats[n]) for n in range(24)) + bytes(2 * 14)
        words = [0x5375, 0x6E53, 1, 65, *[0x4141] * 65, 113, len(body) // 2]
        words += [int.from_bytes(body[n : n + 2]) for n in range(0, len(body), 2)]
        words += [0xFFFF, 0]
        device = SimDevice(1, [SimData(40_000, values=words, datatype=DataType.REGISTERS)])
        server = ModbusTcpServer(device, address=("127.0.0.1", 0))
        await server.serve_forever(background=True)
        assert server.transport is not None
        try:
            async with opened(server.transport.sockets[0].getsockname()[1]) as inverter:
                state = await inverter.read()
        finally:
            await server.shutdown()
        assert (state.power_w, state.frequency_mhz, state.export_wh) == (-2_346, 49_970, 98_765)
        assert state.level_wh is None

    asyncio.run(story())
