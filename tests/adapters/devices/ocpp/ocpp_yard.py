"""A server with its gate and authority, and simulated stations that come to it over real sockets and TLS."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from commonwatt.adapters.devices.ocpp.certificates import Authority, pem, server_context
from commonwatt.adapters.devices.ocpp.credentials import Credentials
from commonwatt.adapters.devices.ocpp.gate import Gate
from commonwatt.adapters.devices.ocpp.server import Server, serving
from commonwatt.adapters.devices.ocpp.services import Services
from commonwatt.model import AccountId, Asset, AssetId, AssetKind, GatewayId, epoch
from commonwatt.simulator.devices.ocpp_duties import Duties
from commonwatt.simulator.devices.ocpp_station import OcppStation
from commonwatt.simulator.plant import Plant

PASSWORD = "a password of the station"
CHARGER = Asset(
    id=AssetId("charger"),
    owner=AccountId("anna"),
    gateway=GatewayId("gw-1"),
    kind=AssetKind.VEHICLE,
    zone="lane",
    max_import_w=7_360,
    max_export_w=0,
    min_import_w=1_380,
    capacity_wh=64_000,
)


def now() -> datetime:
    """Return real time: OpenSSL looks at no other clock."""
    return datetime.now(UTC)


@asynccontextmanager
async def yard(folder: Path, services: Services | None = None) -> AsyncIterator[tuple[Server, int]]:
    """Run a server at a plain and a secure port, and yield it with the secure one."""
    services = services or Services()
    services.authority = Authority(folder / "authority", now)
    gate = Gate(Credentials(folder), services.authority, now)
    names = ("localhost", "127.0.0.1")
    tls = server_context(*services.authority.server_files(names), services.authority.roots)
    async with asyncio.timeout(20), serving("127.0.0.1", 0, now, folder, services=services, gate=gate) as server:
        server.tls, server.names = tls, names
        yield server, await server.listen("127.0.0.1", 0, tls)


def station(server: Server, version: str, secure: int | None = None, *, password: str = "") -> OcppStation:
    """Return a simulated station, at the plain port or the secure one."""
    authority = server.services.authority
    assert authority is not None
    url = f"ws://127.0.0.1:{server.port}/CP-1" if secure is None else f"wss://127.0.0.1:{secure}/CP-1"
    plant = Plant(asset=CHARGER, now_s=epoch(now().replace(microsecond=0)), own_w=lambda: 7_000)
    duties = Duties(name="CP-1", password=password, root=pem(authority.root))
    return OcppStation(plant=plant, version=version, url=url, duties=duties, patience_s=2)


async def until(true: Callable[[], object]) -> None:
    """Return when something is true."""
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.01)
