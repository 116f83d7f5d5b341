"""Probes ask one address in few bytes, believe nothing else than what they look for, and end in time."""

import asyncio
import struct
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.adapters.devices.driver import Found, Probe
from commonwatt.adapters.devices.modbus.nameplate import names
from commonwatt.adapters.devices.p1.nameplate import fingerprint
from commonwatt.adapters.devices.probing import modbus, p1, sunspec
from commonwatt.adapters.devices.probing.p1 import telegram
from commonwatt.apps.device_scan import MOST_ADDRESSES, Target, scan, targets_of
from commonwatt.model import InvalidValue, Nameplate

pytestmark = pytest.mark.row("W11")
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
TELEGRAM = (
    b"/ISk5\\2MT382-1000\r\n\r\n1-3:0.2.8(50)\r\n0-0:96.1.1(4B384547303034303436333935353037)\r\n"
    b"1-0:1.8.1(123456.789*kWh)\r\n!E47C\r\n"
)


def served(serve: Serve, probe: Probe, within_s: float = 2.0, host: str = "127.0.0.1") -> Sequence[Found]:
    """Let a probe ask a server on loopback."""

    async def whole() -> Sequence[Found]:
        async def quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError, asyncio.IncompleteReadError):
                await serve(reader, writer)
            writer.close()

        server = await asyncio.start_server(quietly, host, 0)
        async with server:
            return await probe(host, server.sockets[0].getsockname()[1], within_s)

    return asyncio.run(whole())


def registers_of(words: dict[int, int], unit: int, *, identity: bytes = b"") -> Serve:
    """Return a Modbus server with some holding registers, written from the standard's frames."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            number, _, length, asked = struct.unpack(">HHHB", await reader.readexactly(7))
            question = await reader.readexactly(length - 1)
            if question[0] == 0x2B and identity:
                answer = identity
            elif question[0] == 3 and asked == unit:
                at, count = struct.unpack(">HH", question[1:])
                wanted = range(at, at + count)
                have = all(word in words for word in wanted)
                answer = bytes([3, 2 * count]) + b"".join(struct.pack(">H", words[w]) for w in wanted) if have else b""
            else:
                answer = b""
            answer = answer or bytes([question[0] | 0x80, 2])
            writer.write(struct.pack(">HHHB", number, 0, len(answer) + 1, asked) + answer)

    return serve


def common(base: int) -> dict[int, int]:
    """Return the registers of a SunSpec map with a common model."""
    said = b"SunS" + struct.pack(">HH", 1, 66)
    for text, size in (("Acme", 32), ("Inverter 5", 32), ("", 16), ("1.23", 16), ("SN-0042", 32)):
        said += text.encode().ljust(size, b"\0")
    said += struct.pack(">HH", 1, 0)
    return {base + place: word for place, word in enumerate(struct.unpack(f">{len(said) // 2}H", said))}


@pytest.mark.parametrize(("base", "unit"), [(40_000, 1), (50_000, 1), (0, 1), (40_000, 126)])
def test_a_sunspec_device_is_found_with_its_nameplate(base: int, unit: int) -> None:
    (found,) = served(registers_of(common(base), unit), sunspec.probe)
    assert found.driver == "sunspec"
    assert found.nameplate == Nameplate(make="Acme", model="Inverter 5", serial="SN-0042", firmware="1.23")
    assert found.settings == ({"unit": unit} if base == 40_000 else {"unit": unit, "base": base})


def test_what_speaks_modbus_and_no_sunspec_is_found_by_its_names_and_its_owner_names_the_map() -> None:
    identity = bytes((0x2B, 0x0E, 1, 1, 0, 0, 3)) + b"\0\4Acme\1\3B10\2\3V2\0"
    serve = registers_of({1: 1}, 1, identity=identity)
    (found,) = served(serve, modbus.probe)
    assert (found.driver, found.nameplate) == ("modbus", Nameplate(make="Acme", model="B10", firmware="V2"))
    assert "which map" in found.still
    assert served(serve, sunspec.probe) == []
    assert served(registers_of(common(40_000), 1), modbus.probe) == [], "that one is SunSpec's"


def test_a_meter_is_found_by_the_telegram_that_it_sends_and_nothing_is_sent_to_it() -> None:
    heard = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"(000*kWh)\r\n!ABCD\r\n" + TELEGRAM)  # we come in the middle of one
        heard.append(await reader.read())

    (found,) = served(serve, p1.probe)
    assert found.nameplate == Nameplate(
        make="ISk", model="MT382-1000", serial=fingerprint(b"4B384547303034303436333935353037")
    )
    assert "K8EG" not in str(found), "a meter's number tells of people"
    assert (found.settings, found.still) == ({"version": "5"}, "")
    assert heard in ([], [b""])


@pytest.mark.parametrize("probe", [sunspec.probe, modbus.probe, p1.probe])
def test_nothing_is_found_where_nothing_or_something_else_answers(probe: Probe) -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    assert served(web, probe, 0.3) == []
    assert served(silent, probe, 0.3) == []
    assert asyncio.run(probe("127.0.0.1", 1, 0.3)) == []


@given(st.binary(max_size=80))
@settings(max_examples=200)
def test_garbage_has_no_nameplate(said: bytes) -> None:
    with suppress(InvalidValue):
        names(said)
    telegram(said)
    telegram(TELEGRAM[:20] + said + TELEGRAM[20:])


def test_only_the_addresses_that_are_named_are_asked_and_not_too_fast() -> None:
    asked = []

    async def probe(host: str, port: int | None, within_s: float) -> Sequence[Found]:
        asked.append((asyncio.get_running_loop().time(), host))
        if host == "127.0.0.3":
            raise OSError("a probe that does not keep to its word")
        return [Found(driver="x", url=f"tcp://{host}:{port}")] if host.endswith(("2", "5")) else []

    targets = targets_of(["127.0.0.0/29"])
    found = asyncio.run(scan(targets, {"x": probe}, every_s=0.02))
    assert [host for _, host in asked] == [f"127.0.0.{n}" for n in range(1, 7)]
    assert [one.url for one in found] == ["tcp://127.0.0.2:None", "tcp://127.0.0.5:None"]
    assert asked[-1][0] - asked[0][0] >= 0.08


def test_addresses_are_read_and_more_than_a_24_is_refused() -> None:
    assert targets_of(["192.0.2.7", "meter.lan:23", "[2001:db8::7]:502", "2001:db8::8", "192.0.2.7"]) == [
        Target("192.0.2.7"),
        Target("meter.lan", 23),
        Target("2001:db8::7", 502),
        Target("2001:db8::8"),
    ]
    assert len(targets_of(["192.0.2.0/24"])) == 254 <= MOST_ADDRESSES
    for words in (["192.0.2.0/23"], ["2001:db8::/64"], ["192.0.2.0/24", "198.51.100.0/29"], ["a:b"], [""], ["u@h"]):
        with pytest.raises(InvalidValue):
            targets_of(words)
