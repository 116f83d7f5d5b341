"""The server on a real socket: strangers, garbage, second connections, calls that are refused or never answered."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from commonwatt.adapters.devices.ocpp.frames import CallRefused
from commonwatt.adapters.devices.ocpp.server import Server, serving
from commonwatt.model import InvalidValue, Unreachable

Story = Callable[[Server], Awaitable[None]]
BOOT = {"chargePointVendor": "v", "chargePointModel": "m"}


def play(story: Story) -> None:
    async def whole() -> None:
        async with asyncio.timeout(20), serving("127.0.0.1", 0, lambda: datetime(2026, 1, 1, tzinfo=UTC)) as server:
            await story(server)

    asyncio.run(whole())


def station(server: Server, id: str = "CP-1", *offered: str) -> Any:
    names = [Subprotocol(one) for one in offered or ("ocpp1.6",)]
    url = f"ws://127.0.0.1:{server.port}/ocpp/{id}"
    return connect(url, subprotocols=names, compression=None, close_timeout=0.1, proxy=None)


async def ask(link: ClientConnection, *parts: Any) -> Any:
    await link.send(json.dumps(parts))
    return json.loads(await link.recv())


def test_the_best_version_that_both_speak_is_taken() -> None:
    async def story(server: Server) -> None:
        async with station(server, "A", "ocpp1.6", "ocpp2.0.1", "ocpp2.1") as link:
            assert link.subprotocol == "ocpp2.1"
        with pytest.raises((InvalidHandshake, InvalidStatus)):
            async with station(server, "A", "ocpp1.5"):
                pass

    play(story)


def test_a_stranger_waits_until_it_is_registered() -> None:
    async def story(server: Server) -> None:
        async with station(server) as link:
            assert (await ask(link, 2, "1", "BootNotification", BOOT))[2]["status"] == "Pending"
            refused = await ask(link, 2, "2", "Authorize", {"idTag": "x"})
            assert (refused[0], refused[2]) == (4, "SecurityError")
            server.register("CP-1")
            assert (await ask(link, 2, "3", "BootNotification", BOOT))[2] == {
                "status": "Accepted", "currentTime": "2026-01-01T00:00:00Z", "interval": 300,
            }  # fmt: skip

    play(story)


def test_garbage_is_answered_and_the_connection_stays() -> None:
    async def story(server: Server) -> None:
        server.register("CP-1")
        async with station(server) as link:
            for raw in ("{", "[]", "[2]", '[2,"x","Y",{}]', "[[[[", '[2,"1","Heartbeat",7]'):
                await link.send(raw)
                assert json.loads(await link.recv())[0] == 4
            await link.send(b"\xff\xfe\x00")
            assert json.loads(await link.recv())[2] == "FormationViolation"
            assert (await ask(link, 2, "9", "Heartbeat", {}))[0] == 3

    play(story)


def test_a_second_connection_replaces_the_first() -> None:
    async def story(server: Server) -> None:
        known = server.register("CP-1")
        async with station(server) as first:
            await ask(first, 2, "1", "Heartbeat", {})
            async with station(server) as second:
                await ask(second, 2, "1", "Heartbeat", {})
                with pytest.raises(WebSocketException):
                    await asyncio.wait_for(first.recv(), 2)
                assert known.link is not None
                await ask(second, 2, "2", "Heartbeat", {})

    play(story)


def test_a_refused_call_is_an_error_and_calls_go_one_by_one() -> None:
    async def story(server: Server) -> None:
        known = server.register("CP-1")
        with pytest.raises(Unreachable):
            await known.call("ClearCache", {})
        async with station(server) as link:
            await ask(link, 2, "1", "Heartbeat", {})
            calls = [asyncio.create_task(known.call("ClearCache", {})) for _ in range(3)]
            answers: list[Any] = [[4, "", "NotSupported", "no cache", {}], [3, "", {"status": "Accepted"}], [3, "", {}]]
            for answer in answers:
                asked = json.loads(await link.recv())
                assert asked[2] == "ClearCache"
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(link.recv(), 0.05)
                await link.send(json.dumps([3, "of nobody", {}]))
                answer[1] = asked[1]
                await link.send(json.dumps(answer))
            refused, accepted, senseless = await asyncio.gather(*calls, return_exceptions=True)
            assert isinstance(refused, CallRefused)
            assert (refused.code, refused.words) == ("NotSupported", "no cache")
            assert accepted == {"status": "Accepted"}
            assert isinstance(senseless, InvalidValue)
            assert known.quirks["answer that nobody waits for"] == 3
            with pytest.raises(Unreachable, match="no answer to ClearCache"):
                await known.call("ClearCache", {}, 0.05)
            with pytest.raises(InvalidValue, match="type"):
                await known.call("Reset", {})

    play(story)


def test_a_wrong_answer_is_told_back_in_2_1() -> None:
    async def story(server: Server) -> None:
        known = server.register("CP-1")
        async with station(server, "CP-1", "ocpp2.1") as link:
            await ask(link, 2, "1", "Heartbeat", {})
            call = asyncio.create_task(known.call("ClearCache", {}))
            asked = json.loads(await link.recv())
            await link.send(json.dumps([3, asked[1], {"status": 7}]))
            assert json.loads(await link.recv())[:3] == [5, asked[1], "FormatViolation"]
            with pytest.raises(InvalidValue):
                await call

    play(story)


def test_whoever_waits_for_a_station_that_goes_is_told_at_once() -> None:
    async def story(server: Server) -> None:
        known = server.register("CP-1")
        async with station(server) as link:
            await ask(link, 2, "1", "Heartbeat", {})
            call = asyncio.create_task(known.call("ClearCache", {}))
            await link.recv()
        with pytest.raises(Unreachable, match="has gone"):
            await call

    play(story)
