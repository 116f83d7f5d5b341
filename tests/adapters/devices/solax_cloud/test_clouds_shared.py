"""What devices behind clouds share: no secret in an error, no number too large to read, no clock that hides age."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

import httpx
import pytest

from commonwatt.adapters.devices.clouds import Cloud, PacedReader, whole
from commonwatt.adapters.devices.foxess_cloud.translate import readings_of
from commonwatt.adapters.devices.foxess_cloud.translate import state_of as fox_state_of
from commonwatt.adapters.devices.solax_cloud.translate import result_of
from commonwatt.model import DeviceState, InvalidValue, Unreachable, instant

SECRET = "SECRETTOKEN123"
NOON = instant(1_767_268_800)


def test_what_a_cloud_sends_back_of_the_secret_stands_in_no_error() -> None:
    found = []
    for call in (
        lambda: result_of({"success": True, "result": f"tokenId={SECRET}"}, ""),
        lambda: result_of({"success": False, "code": SECRET}, ""),
        lambda: whole(SECRET, 1, "feedinpower"),
        lambda: readings_of({"errno": SECRET}, ""),
        lambda: readings_of({"errno": 0, "result": SECRET}, ""),
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
            await cloud.post("/", {}, {})
        await cloud.close()

    asyncio.run(story())


def test_a_clock_that_is_put_back_neither_stops_the_questions_nor_hides_an_age() -> None:
    moment: list[datetime] = [NOON]
    asked: list[datetime] = []

    async def ask() -> DeviceState:
        asked.append(moment[0])
        if len(asked) == 2:
            raise Unreachable("busy")
        return DeviceState(at=moment[0], power_w=len(asked))

    async def close() -> None:
        pass

    async def story() -> None:
        reader = PacedReader(ask, close, lambda: moment[0], every_s=300, stale_s=900, rest_s=3_600)
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
