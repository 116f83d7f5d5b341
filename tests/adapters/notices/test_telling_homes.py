"""A home's Home Assistant learns of notices through a real broker, and of each once."""

import asyncio
import json
import secrets
from collections.abc import Callable

import pytest

from commonwatt.adapters.devices.mqtt.client import Login, Message, broker
from commonwatt.adapters.notices.home_assistant import HomeAssistant
from commonwatt.flows.notices.ports import Letter, Undelivered
from commonwatt.flows.notices.records import Channel, Topic, Way
from commonwatt.model import AccountId
from servers.mosquitto import Mosquitto


def home(account: str) -> Channel:
    return Channel(id="c", person="p", way=Way.HOME_ASSISTANT, label="x", address=account, made_s=0)


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.01)


def test_a_home_assistant_is_told_what_comes_and_then_what_came(mosquitto: Mosquitto, letter: Letter) -> None:
    account = AccountId(f"member-{secrets.token_hex(4)}")
    heard, again = list[Message](), list[Message]()

    async def visit() -> None:
        ours = Login(host="127.0.0.1", port=mosquitto.port, status_topic=f"commonwatt/notices/{account}/status")
        theirs = Login(host="127.0.0.1", port=mosquitto.port, status_topic=f"ha/{account}/status")
        async with broker(ours) as mine, broker(theirs) as assistant:
            await assistant.listen(f"homeassistant/event/commonwatt_{account}/config", heard.append)
            await assistant.listen(f"commonwatt/notices/{account}", heard.append)
            homes = HomeAssistant({account: (mine, "homeassistant")})
            await homes.start()
            await until(lambda: heard)
            await homes.carry(home(account), letter)
            await until(lambda: len(heard) == 2)
            with pytest.raises(Undelivered):
                await homes.carry(home("another"), letter)
        async with broker(theirs) as assistant:
            await assistant.listen(f"commonwatt/notices/{account}/#", again.append)
            await until(lambda: again)  # the status of who is gone stays; no notice does

    asyncio.run(visit())
    described, told = (json.loads(one.payload) for one in heard)
    assert described["state_topic"] == f"commonwatt/notices/{account}" == heard[1].topic
    assert set(described["event_types"]) == {topic.value for topic in Topic}
    assert told["event_type"] == "decide" and told["text"] == letter.text and told["facts"]["asset"] == "battery-05"
    assert [one.topic for one in again] == [f"commonwatt/notices/{account}/status"]


def test_a_broker_that_is_away_is_said_so(letter: Letter) -> None:
    async def visit() -> None:
        nowhere = Login(host="127.0.0.1", port=1, status_topic="commonwatt/notices/away/status")
        async with broker(nowhere) as mine:
            homes = HomeAssistant({AccountId("away"): (mine, "homeassistant")})
            await homes.start()
            with pytest.raises(Undelivered):
                await homes.carry(home("away"), letter)

    asyncio.run(visit())
