"""Listen at an address of ours for charging stations that call in, and let each of them wait."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from commonwatt.adapters.devices.driver import Found
from commonwatt.adapters.devices.ocpp.server import serving
from commonwatt.adapters.devices.probing.modbus import url

PORT = 9100
LOOK_EVERY_S = 0.05


async def probe(host: str, port: int | None, within_s: float) -> Sequence[Found]:
    """Return the stations that call while it listens. Each is told to wait, and is let do nothing until it is added.

    Raises:
        OSError: Somebody else listens there already, a gateway for instance.

    Source: OCPP 1.6 4.2 and 2.0.1 part 2, B02: a station whose boot is answered by Pending waits and boots again.
    """
    found = dict[str, Found]()
    loop = asyncio.get_running_loop()
    ends_s = loop.time() + within_s
    async with serving(host, port or PORT, lambda: datetime.now(UTC)) as server:
        at = url(host, server.port, "ws")
        while loop.time() < ends_s:
            await asyncio.sleep(LOOK_EVERY_S)
            for station in list(server.stations.values()):
                found[station.id] = Found(
                    driver="ocpp",
                    url=f"{at}/{quote(station.id, safe='')}",
                    nameplate=station.nameplate,
                    still=f"what is at which connector; it speaks OCPP {station.version}",
                )
    return [found[id] for id in sorted(found)]
