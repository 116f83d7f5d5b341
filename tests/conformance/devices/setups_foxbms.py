"""A battery whose BMS speaks through the wire by socketcand; the inverter beside it is a device without a wire.

No inverter's own adapter is needed to show what the BMS is for, so the one who is told is the yardstick on paper; it
cannot be reached while the wire is cut, as if both hung on one cable.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from device_bench import NOON_S, Bench, Setup
from setups_paper import BATTERY, Cuttable

from commonwatt.adapters.devices.foxbms.client import Bus, Heard, bus_at
from commonwatt.adapters.devices.foxbms.device import FoxBmsBattery, Inverter, Settings
from commonwatt.model import Caps, Nameplate, instant
from commonwatt.simulator.devices.foxbms import FoxBms, socketcand_of
from commonwatt.simulator.mischief import Mischief, wire
from commonwatt.simulator.plant import Plant

CAPS = Caps(max_import_w=BATTERY.max_import_w, max_export_w=BATTERY.max_export_w, lease_s=60)


def label_of(label: Nameplate) -> Nameplate:
    """Of its serial number a BMS has the digits, as its processor's die."""
    die = int("".join(letter for letter in label.serial if letter.isdigit()))
    return Nameplate(model="foxBMS 2", serial=f"{die:08x}-0000002a", firmware=label.firmware)


@asynccontextmanager
async def battery() -> AsyncIterator[Bench]:
    plant, mischief = Plant(asset=BATTERY, now_s=NOON_S, level_wh=5_000), Mischief()
    bms = FoxBms(plant=plant)
    bench: Bench
    inverter = Cuttable(plant, lambda: instant(bench.now_s), CAPS)
    inverter.wire = mischief
    async with socketcand_of(bms), wire(mischief, "127.0.0.1", bms.port) as at:

        def listen(heard: Heard) -> Bus:
            return bus_at(f"socketcand://127.0.0.1:{at}/vcan0", heard, silence_s=30.0, again_s=0.02)

        # Time stands still on the bench but while it passes: the guard, which runs in real time, has a test of its own.
        settings = Settings(inverter=Inverter(driver="paper", url="none"), close_s=0.5, guard_s=3_600.0)
        device = FoxBmsBattery(BATTERY, inverter, settings, lambda: instant(bench.now_s), listen)

        async def until_heard(count: int) -> None:
            while device.heard < count:
                await asyncio.sleep(0.002)

        def patience() -> float:
            """Long where something will arrive, so that a busy machine fails no test; short where nothing will."""
            return 0.1 if mischief.swallow or mischief.hold or mischief.refuse or mischief.spoil else 0.4

        async def told() -> None:
            expected = device.heard + len(bms.frames())
            await bms.push()
            try:
                await asyncio.wait_for(until_heard(expected), patience())
            except TimeoutError:
                return

        async def back() -> None:
            async with asyncio.timeout(5):
                while not (device.bus.connected and bms.listeners):
                    await asyncio.sleep(0.01)

        async def restart() -> None:
            plant.restart()

        def lie(lying: bool) -> None:
            bms.lies = lying

        bench = Bench(
            plant=plant, device=device, wire=mischief, told=told, back=back, restart=restart, lie=lie, repeat=told,
            levels=True,
        )  # fmt: skip
        bench.label, bench.label_of = partial(setattr, bms, "nameplate"), label_of
        bench.labels_every_s = 61  # one that did not answer in time is not asked sooner
        await back()
        await told()
        try:
            yield bench
        finally:
            await device.close()


SETUPS = [Setup("foxBMS by socketcand", battery, driver="foxbms")]
