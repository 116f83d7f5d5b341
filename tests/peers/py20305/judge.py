"""Serves our simulated SunSpec battery to a driver that is not ours, and looks whether both mean the same power."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import commonwatt
from commonwatt.model import AccountId, Asset, AssetId, AssetKind, GatewayId
from commonwatt.simulator.devices.modbus_server import serve
from commonwatt.simulator.devices.sunspec import SunSpecUnit
from commonwatt.simulator.plant import Plant

MODELS = Path(commonwatt.__file__).parent / "adapters/devices/sunspec/models"
BATTERY = Asset(
    id=AssetId("battery"), owner=AccountId("anna"), gateway=GatewayId("gw-1"), kind=AssetKind.BATTERY, zone="lane",
    max_import_w=5_000, max_export_w=5_000, capacity_wh=10_000,
)  # fmt: skip
NOON_S = 1_767_268_800
STEPS = {"charge 1500 W": 1_500, "supply 2000 W": -2_000, "supply half": -2_000, "let go": 0}
"""What each must make of the battery's power, import positive; SunSpec counts what is supplied.

Our battery has no WSetPct, so that half is refused by the peer and the power before it stays.
"""


async def main() -> int:
    """Return 0 where all steps held."""
    plant = Plant(asset=BATTERY, now_s=NOON_S, level_wh=5_000)
    unit = SunSpecUnit(MODELS, (1, 701, 702, 704, 713, 715), plant)
    wrong = []
    async with serve({1: unit}) as port:
        process = await asyncio.create_subprocess_exec(
            sys.argv[1], str(Path(__file__).with_name("drive.py")), str(port),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None

        async def step(name: str) -> Any:
            process.stdin.write(name.encode() + b"\n")  # type: ignore[union-attr]  # it is a pipe
            line = await asyncio.wait_for(process.stdout.readline(), 60)  # type: ignore[union-attr]  # likewise
            return json.loads(line)

        print("  nameplate:", await step("nameplate"))
        for name, power_w in STEPS.items():
            told = await step(name)
            plant.pass_time(5)
            read = await step("read")
            shown_w = read.get("W") if isinstance(read, dict) else None
            print(f"  {name}: {plant.power_w} W, it reads {shown_w} W ({told})")
            refused = isinstance(told, str) and "NotSupported" in told
            if plant.power_w != power_w or shown_w is None or round(shown_w) != -power_w or refused != ("half" in name):
                wrong.append(name)
        process.stdin.close()
        await process.wait()
    print(f"py20305: {'DID NOT HOLD: ' + ', '.join(wrong) if wrong else 'held'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
