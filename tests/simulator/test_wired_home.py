"""A gateway that reads devices tells byte for byte what a box on paper tells: the physics is one."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from commonwatt.adapters.devices.gateway.translate import Live, Told
from commonwatt.adapters.stores.outbox import OutboxFile
from commonwatt.apps.scenes import scene, specs
from commonwatt.flows.gateway.gateway import Counter, Gateway, Identity
from commonwatt.flows.keeper import Keeper
from commonwatt.identity.keys import SigningKey
from commonwatt.model import SLOT_SECONDS, AssetId, AssetKind, Band, Caps, Command, DeviceState, instant
from commonwatt.simulator.box import Spec
from commonwatt.simulator.devices.paper import PaperDevice
from commonwatt.simulator.paper import PaperProgram
from commonwatt.simulator.wired_home import HomePlant, PlantMemory, WiredHome

STREET = Path(__file__).parents[2] / "examples" / "street"


@pytest.fixture(scope="module")
def spec() -> Spec:
    return specs(scene(STREET), ())[1]


class PaperWallbox(PaperDevice):
    """Tells a level only while a car is there."""

    async def read(self) -> DeviceState:
        state = await super().read()
        plant = self._plant
        assert isinstance(plant, HomePlant)
        return (
            state if plant.connected else DeviceState(at=state.at, import_wh=state.import_wh, export_wh=state.export_wh)
        )


def gateway(spec: Spec, home: WiredHome, outbox: OutboxFile) -> Gateway:
    devices = {}
    for asset in spec.assets:
        plant = home.plants[asset.id]
        caps = Caps(
            max_import_w=asset.max_import_w,
            max_export_w=asset.max_export_w,
            min_import_w=asset.min_import_w,
            lease_s=1_800,
        )
        kind = PaperWallbox if asset.kind is AssetKind.VEHICLE else PaperDevice
        devices[asset.id] = (asset, kind(plant, lambda plant=plant: instant(plant.now_s), caps))  # type: ignore[misc]
    line = next(asset.id for asset in spec.assets if asset.kind is AssetKind.CONNECTION)
    identity = Identity(
        community=spec.community,
        number=spec.number,
        secret=f"{spec.seed} {spec.number} blind".encode(),
        timezone=spec.timezone,
    )
    key = SigningKey.from_seed(spec.seed.encode(), spec.number)
    meters = {asset.id: Counter(rollover_wh=2**32) for asset in spec.assets}
    return Gateway(identity, spec.assets, Keeper(devices, line), key, outbox, meters)


def commands(slot_s: int, place: int) -> list[Command]:
    """Return a bit of everything: a line to hold, a charge, a supply, a car's charge, nothing."""
    battery, car = AssetId("battery-01"), AssetId("car-01")
    bands = [
        {battery: Band(lo_w=-5_000, hi_w=5_000, balance_w=0)},
        {battery: Band(lo_w=-5_000, hi_w=5_000, balance_w=777), car: Band(lo_w=2_000, hi_w=2_000)},
        {battery: Band(lo_w=3_000, hi_w=3_000), car: Band(lo_w=-1_500, hi_w=-1_500)},
        {battery: Band(lo_w=-2_345, hi_w=-2_345)},
        {},
        {battery: Band(lo_w=-1_000, hi_w=1_000, balance_w=-400), car: Band(lo_w=0, hi_w=0)},
    ]
    return [
        Command(
            id=f"{asset} {slot_s}",
            asset=asset,
            band=band,
            expires=instant(slot_s) + timedelta(seconds=2 * SLOT_SECONDS),
            reason="r",
        )
        for asset, band in bands[place % len(bands)].items()
    ]


def test_a_whole_day_over_devices_is_signed_as_on_paper(spec: Spec, tmp_path: Path) -> None:
    paper = PaperProgram(spec)
    home = WiredHome(spec, PlantMemory())
    assert spec.around is not None
    first_s = spec.around.start_s - SLOT_SECONDS

    async def day() -> None:
        with OutboxFile(tmp_path / "outbox.sqlite") as outbox:
            box = gateway(spec, home, outbox)
            for place in range(97):
                slot_s = first_s + place * SLOT_SECONDS
                told = commands(slot_s, place) if place else []
                ask = Live(
                    slot_s=slot_s,
                    commands=[
                        Told(
                            id=c.id,
                            asset=c.asset,
                            lo_w=c.band.lo_w,
                            hi_w=c.band.hi_w,
                            balance_w=c.band.balance_w,
                            expires=c.expires,
                            reason=c.reason,
                        )
                        for c in told
                    ],
                )
                paper.ask(ask)
                expected = paper.answer(ask)
                home.begin(slot_s)
                await box.meet(slot_s)
                await box.tell(told, slot_s, instant(slot_s))
                assert home.end(slot_s) == expected.net_wh
                await box.close_slot(slot_s)
                waiting = outbox.waiting(10)
                assert [wire for _, wire in waiting] == expected.requests, f"slot {place}"
                outbox.done([number for number, _ in waiting])

    asyncio.run(day())
