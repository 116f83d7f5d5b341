"""Inverters behind simulated clouds of their makers, through the wire: they only measure."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from device_bench import ANSWERS, NOON_S, Bench, Setup

from commonwatt.adapters.devices.driver import DeviceSpec, Doors, open_device
from commonwatt.model import AccountId, Asset, AssetId, AssetKind, GatewayId, Nameplate, instant
from commonwatt.simulator.devices.clouds import FoxessCloud, SolaxCloud, cloud_at
from commonwatt.simulator.mischief import Mischief, wire
from commonwatt.simulator.plant import Plant

OWNER = {"owner": AccountId("anna"), "gateway": GatewayId("gw-1"), "zone": "lane"}
HOME = Asset(id=AssetId("home"), kind=AssetKind.CONNECTION, max_import_w=17_250, max_export_w=17_250, **OWNER)  # type: ignore[arg-type]
BATTERY = Asset(
    id=AssetId("battery"), kind=AssetKind.BATTERY, max_import_w=5_000, max_export_w=5_000, capacity_wh=10_000, **OWNER
)  # type: ignore[arg-type]
SECRET = "s3cret-t0ken"


def solax_label(label: Nameplate) -> Nameplate:
    """Its readings name a type by a number, and no firmware."""
    return Nameplate(make="SolaX", model=f"type {label.model}", serial=label.serial)


def foxess_label(label: Nameplate) -> Nameplate:
    """It has three programs; the simulated one has no third, and its slave is never new."""
    return replace(label, make="Fox ESS", firmware=f"master {label.firmware}, slave 1.01")


@asynccontextmanager
async def behind(asset: Asset, driver: str) -> AsyncIterator[Bench]:
    plant, mischief = Plant(asset=asset, now_s=NOON_S, level_wh=asset.capacity_wh // 2), Mischief()
    solax, foxess = driver == "solax_cloud", driver == "foxess_cloud"
    cloud = (
        SolaxCloud(plant=plant, token=SECRET, serial="SN1", per_minute=99)
        if solax
        else FoxessCloud(plant=plant, key=SECRET, serial="SN1")
    )
    bench: Bench
    with tempfile.TemporaryDirectory() as folder:
        secret = Path(folder) / "secret"
        secret.touch(0o600)
        secret.write_text(SECRET)
        settings: dict[str, object] = {"serial": "SN1", "every_s": 60, "stale_s": 150, "within_s": 0.45}
        settings |= {"key_file": str(secret), "pause_s": 0.0} if foxess else {"token_file": str(secret)}
        async with (
            Doors(clock=lambda: instant(bench.now_s)) as doors,
            cloud_at(cloud) as port,
            wire(mischief, "127.0.0.1", port) as at,
        ):

            def lie(lying: bool) -> None:
                cloud.lies = lying

            spec = DeviceSpec(asset=asset.id, driver=driver, url=f"http://127.0.0.1:{at}", settings=settings)
            bench = Bench(plant=plant, device=None, wire=mischief, lie=lie, levels=foxess)  # type: ignore[arg-type]
            bench.resolution_wh = 10 if solax else 100
            bench.label_of = solax_label if solax else foxess_label
            bench.labels_every_s = 86_400
            bench.label = partial(setattr, cloud, "nameplate")
            bench.device = await open_device(asset, spec, doors)
            try:
                yield bench
            finally:
                await bench.device.close()


CLOUD = {**ANSWERS, "restart": "it is told nothing that it could forget"}
SETUPS = [
    Setup("SolaX Cloud", lambda: behind(HOME, "solax_cloud"), CLOUD, told=False, driver="solax_cloud"),
    Setup("Fox ESS Cloud", lambda: behind(BATTERY, "foxess_cloud"), CLOUD, told=False, driver="foxess_cloud"),
]
