"""What devices behind clouds share: no secret in an error, no number too large to read, no clock that hides age."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from importlib import import_module

import httpx
import msgspec
import pytest

from commonwatt.adapters.devices.clouds import Cloud, whole
from commonwatt.adapters.devices.driver import drivers
from commonwatt.adapters.devices.foxess_cloud.translate import nameplate_of, readings_of
from commonwatt.adapters.devices.foxess_cloud.translate import result_of as fox_result_of
from commonwatt.adapters.devices.foxess_cloud.translate import state_of as fox_state_of
from commonwatt.adapters.devices.paced import PacedReader
from commonwatt.adapters.devices.solax_cloud.translate import result_of
from commonwatt.model import NO_NAMEPLATE, DeviceState, InvalidValue, Nameplate, Unreachable, instant

SECRET = "SECRETTOKEN123"
NOON = instant(1_767_268_800)


def test_what_a_cloud_sends_back_of_the_secret_stands_in_no_error() -> None:
    found = []
    for call in (
        lambda: result_of({"success": True, "result": f"tokenId={SECRET}"}, ""),
        lambda: result_of({"success": False, "code": SECRET}, ""),
        lambda: whole(SECRET, 1, "feedinpower"),
        lambda: fox_result_of({"errno": SECRET}, ""),
        lambda: readings_of(SECRET),
        lambda: nameplate_of(SECRET),
        lambda: fox_state_of({"feedinPower": {"value": Decimal(1), "unit": SECRET}}, NOON, "connection", 0),
    ):
        with pytest.raises((InvalidValue, Unreachable)) as refusal:
            call()
        found.append(str(refusal.value))
    assert not any(SECRET[:8] in words for words in found)


def test_an_exponent_that_no_arithmetic_can_bear_is_an_invalid_value() -> None:
    async def story() -> None:
        cloud = Cloud("https://cloud.example", SECRET, 1.0)
        answer = httpx.Response(200, content=b'{"result":{"feedinpower":1e99999999999999999999}}')
        cloud._client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answer))
        with pytest.raises(InvalidValue, match="JSON"):
            await cloud.post("/", dict, {})
        await cloud.close()

    asyncio.run(story())


def test_a_clock_that_is_put_back_neither_stops_the_questions_nor_hides_an_age() -> None:
    moment: list[datetime] = [NOON]
    asked: list[datetime] = []

    class Scripted:
        nameplate_is_asked = False

        async def read(self) -> DeviceState:
            asked.append(moment[0])
            if len(asked) == 2:
                raise Unreachable("busy")
            return DeviceState(at=moment[0], power_w=len(asked))

        async def nameplate(self) -> Nameplate:
            return NO_NAMEPLATE

    async def story() -> None:
        reader = PacedReader(Scripted(), lambda: moment[0], every_s=300, stale_s=900, rest_s=3_600)
        await reader.read()
        moment[0] -= timedelta(hours=6)
        with pytest.raises(Unreachable):
            await reader.read()
        assert len(asked) == 1, "putting a clock back is no reason to ask too often"
        moment[0] += timedelta(seconds=300)
        with pytest.raises(Unreachable, match="busy"):
            await reader.read()
        moment[0] += timedelta(seconds=300)
        assert (await reader.read()).power_w == 3

    asyncio.run(story())


@pytest.mark.row("W11")
@pytest.mark.parametrize("name", ["solax_cloud", "foxess_cloud"])
def test_a_cloud_driver_admits_how_often_it_asks_and_no_oftener_than_its_maker_allows(name: str) -> None:
    module = import_module(f"commonwatt.adapters.devices.{name}.device")
    usual_s = next(field.default for field in msgspec.structs.fields(module.Settings) if field.name == "every_s")
    assert drivers()[name].quality().interval_s == usual_s
    assert usual_s >= module.LIMITS.least_s
    for most, seconds in module.LIMITS.windows:
        assert seconds / module.LIMITS.least_s <= most
