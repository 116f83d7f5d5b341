"""Asks a station of OCPP 2.x for its whole device model, which comes in pieces."""

import asyncio
from collections.abc import Mapping
from typing import Any

from commonwatt.adapters.devices.ocpp.frames import CallRefused
from commonwatt.adapters.devices.ocpp.station import Station
from commonwatt.model import Unreachable

WITHIN_S = 60.0
LOOK_EVERY_S = 0.01


async def device_model(station: Station, within_s: float = WITHIN_S) -> Mapping[str, Any]:
    """Return the device model: ``component.variable``, or ``component.evse.variable``, with the actual value.

    Raises:
        CallRefused: The station has no such report, or speaks 1.6.
        Unreachable: Its last piece did not come in time.
        InvalidValue: Its answer makes no sense.

    Source: OCPP 2.0.1 part 2, B07.
    """
    if station.version == "1.6":
        raise CallRefused("NotSupported", "OCPP 1.6 has no device model")
    number = station.facts["report asked"] = station.facts.get("report asked", 0) + 1
    told = await station.call("GetBaseReport", {"requestId": number, "reportBase": "FullInventory"})
    if told.get("status") != "Accepted":
        raise CallRefused("NotSupported", f"the station answered {told.get('status')}")
    try:
        async with asyncio.timeout(within_s):
            while station.facts.get("reported") != number:
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        raise Unreachable(f"station {station.id} did not end its report in {within_s} s") from None
    return station.model
