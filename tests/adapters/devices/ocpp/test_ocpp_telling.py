"""A station says who it is when it boots, and its clock shows in what it tells, however late that comes."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.adapters.devices.ocpp.server import serving
from commonwatt.adapters.devices.ocpp.telling import LONGEST, TOLD_FOR_S, Clock, nameplate_of
from commonwatt.model import NO_NAMEPLATE, Nameplate, instant

pytestmark = pytest.mark.row("W11")
NOON_S = 1_767_268_800
BOOT_16 = {
    "chargePointVendor": "Acme",
    "chargePointModel": "Wall 11",
    "chargeBoxSerialNumber": "BOX-1",
    "firmwareVersion": "5.22",
}


def test_each_version_says_who_it_is_in_its_own_place() -> None:
    assert nameplate_of(BOOT_16) == Nameplate(make="Acme", model="Wall 11", serial="BOX-1", firmware="5.22")
    assert nameplate_of({**BOOT_16, "chargePointSerialNumber": "CP-1"}).serial == "CP-1"
    newer = {"vendorName": "Acme", "model": "W2", "serialNumber": "S2", "firmwareVersion": "6"}
    assert nameplate_of({"reason": "PowerUp", "chargingStation": newer}) == Nameplate(
        make="Acme", model="W2", serial="S2", firmware="6"
    )
    assert nameplate_of({"chargePointVendor": 7, "firmwareVersion": " " * 99}) == NO_NAMEPLATE


@given(st.dictionaries(st.sampled_from([*BOOT_16, "chargingStation"]), st.text() | st.integers() | st.none()))
def test_whatever_it_says_a_nameplate_is_short_text(told: dict[str, Any]) -> None:
    said = nameplate_of(told)
    assert all(len(part) <= LONGEST for part in (said.make, said.model, said.serial, said.firmware))


def heard(*messages: tuple[int, str, dict[str, Any]]) -> int | None:
    clock = Clock()
    for at_s, action, told in messages:
        clock.hear(action, told, at_s)
    return clock.ahead_s


def at(seconds: int) -> str:
    return instant(seconds).isoformat()


def test_what_waited_on_its_way_makes_no_clock_wrong() -> None:
    old = {"meterValue": [{"timestamp": at(NOON_S - 7_200)}, {"timestamp": at(NOON_S - 7_100)}]}
    status = {"timestamp": at(NOON_S - 1)}
    assert heard((NOON_S, "MeterValues", old)) == -7_100
    assert heard((NOON_S, "MeterValues", old), (NOON_S, "StatusNotification", status)) == -1
    assert heard((NOON_S, "StatusNotification", status), (NOON_S + 1, "MeterValues", old)) == -1
    offline = {"timestamp": at(NOON_S - 9_000), "offline": True}
    assert heard((NOON_S, "TransactionEvent", offline)) is None
    assert heard((NOON_S, "TransactionEvent", {"timestamp": at(NOON_S + 3_600)})) == 3_600


def test_a_clock_that_was_put_back_is_believed_so_after_a_while() -> None:
    ahead = (NOON_S, "StatusNotification", {"timestamp": at(NOON_S + 600)})
    soon, later = NOON_S + TOLD_FOR_S - 1, NOON_S + TOLD_FOR_S
    assert heard(ahead, (soon, "StatusNotification", {"timestamp": at(soon)})) == 600
    assert heard(ahead, (later, "StatusNotification", {"timestamp": at(later)})) == 0


def test_what_tells_no_time_changes_nothing() -> None:
    assert heard((NOON_S, "Heartbeat", {}), (NOON_S, "StatusNotification", {})) is None
    assert heard((NOON_S, "MeterValues", {"meterValue": []})) is None
    assert heard((NOON_S, "StatusNotification", {"timestamp": "yesterday"})) is None


def test_who_a_station_is_outlives_us_for_it_says_so_at_its_boot_only(tmp_path: Path) -> None:
    async def story() -> None:
        for boots in (True, False):
            async with serving("127.0.0.1", 0, lambda: instant(NOON_S), tmp_path) as server:
                station = server.register("CP-1")
                station.version = "1.6"
                if boots:
                    await server.answer(station, msgspec.json.encode([2, "1", "BootNotification", BOOT_16]))
                assert station.nameplate.firmware == "5.22"

    asyncio.run(story())
