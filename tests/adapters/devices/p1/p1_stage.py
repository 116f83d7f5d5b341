"""A meter, its simulated P1 port and a telegram as it is published, for the tests beside this."""

import asyncio

from commonwatt.adapters.devices.driver import DeviceSpec, Doors, open_device
from commonwatt.adapters.devices.p1.device import P1Meter
from commonwatt.adapters.devices.p1.translate import crc
from commonwatt.model import AccountId, Asset, AssetId, AssetKind, GatewayId, instant
from commonwatt.simulator.devices.p1 import P1Port, p1_port
from commonwatt.simulator.plant import Plant

NOON_S = 1_767_268_800
METER = Asset(
    id=AssetId("meter"),
    owner=AccountId("anna"),
    gateway=GatewayId("gw-1"),
    kind=AssetKind.CONNECTION,
    zone="lane",
    max_import_w=17_250,
    max_export_w=17_250,
)


def sealed(lines: list[str], checksum: str = "crc16") -> bytes:
    body = "\r\n".join(lines).encode() + b"\r\n!"
    return body + f"{crc(body, checksum):04X}\r\n".encode()  # type: ignore[arg-type]


DUTCH = [
    "/ISk5\\2MT382-1000",
    "",
    "1-3:0.2.8(50)",
    "0-0:1.0.0(101209113020W)",
    "1-0:1.8.1(123456.789*kWh)",
    "1-0:1.8.2(123456.789*kWh)",
    "1-0:2.8.1(000004.001*kWh)",
    "1-0:2.8.2(000000.002*kWh)",
    "1-0:1.7.0(01.193*kW)",
    "1-0:2.7.0(00.000*kW)",
    "0-0:96.7.21(00004)",
]


class Stage:
    """A meter, its simulated port, and a clock that stands still."""

    def __init__(self) -> None:
        self.now_s = NOON_S
        self.plant = Plant(asset=METER, now_s=NOON_S, own_w=lambda: 1_500, import_wh=10_000)
        self.port = P1Port(plant=self.plant)
        self.device: P1Meter

    async def heard(self, count: int) -> None:
        async with asyncio.timeout(5):
            while self.device.good + self.device.dropped < count:
                await asyncio.sleep(0.005)


def on_stage(story: object, **settings: object) -> None:
    async def whole() -> None:
        stage = Stage()
        async with Doors(clock=lambda: instant(stage.now_s)) as doors, p1_port(stage.port):
            spec = DeviceSpec(
                asset=METER.id,
                driver="p1",
                url=f"tcp://127.0.0.1:{stage.port.port}",
                settings={"again_s": 0.02, **settings},
            )
            stage.device = await open_device(METER, spec, doors)  # type: ignore[assignment]
            try:
                async with asyncio.timeout(10):
                    while not stage.port.listeners:
                        await asyncio.sleep(0.005)
                    await story(stage)  # type: ignore[operator]
            finally:
                await stage.device.close()

    asyncio.run(whole())
