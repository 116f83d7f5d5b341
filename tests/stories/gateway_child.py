"""Run the gateway of a folder as the command does, by a clock that runs many times too fast; and a device for it.

The device is a meter whose counter shows the slots that have passed, 1,000 Wh each; it writes down what it is told.
"""

import asyncio
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from commonwatt.adapters.devices.driver import DeviceSpec, Doors
from commonwatt.model import Ack, Asset, Caps, Command, DeviceState, epoch

NOON_S = 1_780_315_200
SPEED = 900.0
"""A slot in a second."""
SLOT_WH = 1_000


class FastClock:
    def __init__(self, began_s: float) -> None:
        self._began_s = began_s

    def now(self) -> datetime:
        return datetime.fromtimestamp(NOON_S + 10, UTC) + timedelta(seconds=(time.time() - self._began_s) * SPEED)

    def steady_s(self) -> float:
        return (time.time() - self._began_s) * SPEED


class SlotCounter:
    def __init__(self, asset: Asset, doors: Doors) -> None:
        assert doors.folder
        self._asset, self._clock, self._written = asset, doors.clock, doors.folder / f"told-{asset.id}"
        self.caps = Caps(max_import_w=asset.max_import_w, max_export_w=asset.max_export_w, lease_s=1_800)

    async def read(self) -> DeviceState:
        now = self._clock()
        slots = (epoch(now) - NOON_S) // 900
        return DeviceState(at=now, power_w=4 * SLOT_WH, import_wh=slots * SLOT_WH, export_wh=0, level_wh=5_000)

    async def apply(self, command: Command) -> Ack:
        self._note(f"{command.id} {command.band.lo_w} {command.band.hi_w}")
        return Ack(command=command.id, asset=command.asset, taken=command.band)

    async def release(self) -> None:
        self._note("released")

    async def close(self) -> None:
        self._note("closed")

    def _note(self, words: str) -> None:
        with self._written.open("a") as file:
            file.write(words + "\n")


async def open_device(asset: Asset, spec: DeviceSpec, doors: Doors) -> SlotCounter:
    return SlotCounter(asset, doors)


def install(folder: Path) -> None:
    """Put the driver where entry points are found: in a folder on the path, as a package of anybody's would be."""
    info = folder / "slot_counter-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slot-counter\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[commonwatt.devices]\nslot_counter = gateway_child:open_device\n")


def main(folder: Path, began_s: float) -> None:
    from commonwatt.apps import gatewaying  # noqa: PLC0415  who only opens a device needs no program

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(max(0.004, seconds / SPEED))

    gatewaying.run(folder, clock=FastClock(began_s), sleep=sleep, on_word=lambda word: print(word, flush=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
