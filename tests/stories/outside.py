"""A simulated charging station that stands somewhere else: in a thread of its own, and living on when we are killed."""

import asyncio
import socket
import threading
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from random import randrange
from types import TracebackType
from typing import Any

from charging_place import GATEWAY, POINT, STATION

from commonwatt.model import AccountId, Asset, AssetId, AssetKind, GatewayId
from commonwatt.simulator.devices.ocpp_meter import SigningMeter
from commonwatt.simulator.devices.ocpp_station import OcppStation, running
from commonwatt.simulator.plant import Plant

CONNECTION = Asset(
    id=AssetId(POINT), owner=AccountId(STATION), gateway=GatewayId(GATEWAY), kind=AssetKind.CONNECTION, zone="lane",
    max_import_w=400_000, max_export_w=0,
)  # fmt: skip


def site(folder: Path) -> tuple[Path, int]:
    """Return a folder whose devices file has the station, and the port at which it will be heard."""
    while True:
        port = randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            break
    (folder / "site").mkdir(mode=0o700)
    text = f'[[device]]\nasset = "{POINT}"\ndriver = "ocpp"\nurl = "ws://127.0.0.1:{port}/CP-1"\n'
    (folder / "site" / "devices.toml").write_text(text, encoding="utf-8")
    return folder / "site", port


class Outside:
    """The station, which waits to be told the time. Use as ``with Outside(...) as outside``."""

    def __init__(self, version: str, port: int, now_s: int, meter: SigningMeter | None = None) -> None:
        self.plant = Plant(asset=CONNECTION, now_s=now_s, own_w=lambda: 22_000)
        url = f"ws://127.0.0.1:{port}/CP-1"
        self.station = OcppStation(plant=self.plant, version=version, url=url, patience_s=20, meter=meter)
        self.station.follow()  # its relay is open until a transaction begins
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._run()])

    def __enter__(self) -> "Outside":
        self._stopped = asyncio.Event()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(20)
        assert not self._thread.is_alive()
        self._loop.close()

    async def do(self, work: Coroutine[Any, Any, None]) -> None:
        """Have the station do something, and return when it has."""
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    @property
    def connected(self) -> bool:
        return self.station._up.is_set()

    def wait(self, work: Coroutine[Any, Any, None]) -> None:
        """Have the station do something, and wait until it has: from outside of any loop."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _run(self) -> None:
        async with running(self.station):
            await self._stopped.wait()
