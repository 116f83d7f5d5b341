"""One connection for all behind it: late, repeated and refused answers, and servers that come and go."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.adapters.devices.driver import Doors
from commonwatt.adapters.devices.modbus.client import Link, Wire, shared_link
from commonwatt.adapters.devices.modbus.translate import Block, Told
from commonwatt.model import InvalidValue, Unreachable
from commonwatt.simulator.devices.modbus_server import ModbusError, serve
from commonwatt.simulator.mischief import Mischief, wire

QUICK = Wire(timeout_s=0.1, backoff_s=0.02, backoff_most_s=0.05)
ONE = [Block("holding", 7, 1)]
Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class Counting:
    """Answers every read with how many reads there were."""

    def __init__(self, code: int = 0) -> None:
        self.reads, self.written, self.code = 0, list[tuple[int, tuple[int, ...]]](), code

    def read(self, table: str, address: int, count: int) -> list[int]:
        if self.code:
            raise ModbusError(self.code)
        self.reads += 1
        return [self.reads] * count

    def write(self, address: int, words: object) -> None:
        self.written.append((address, tuple(words)))  # type: ignore[arg-type]


def told(request: bytes, word: int, tid: int | None = None) -> bytes:
    """Return the answer of one register to a request, or as if to another one."""
    head = request[:2] if tid is None else tid.to_bytes(2)
    return head + bytes([0, 0, 0, 5, request[6], 3, 2]) + word.to_bytes(2)


@asynccontextmanager
async def scripted(*answers: Answer) -> AsyncIterator[Link]:
    """Serve one connection after another by hand, an answer a request."""
    script = iter(answers)

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.read(12):
                await next(script)(request, writer)
        except (OSError, StopIteration, RuntimeError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    link = Link("127.0.0.1", server.sockets[0].getsockname()[1], QUICK)
    try:
        yield link
    finally:
        link.close()
        server.close()


async def value(link: Link, unit: int = 1) -> int:
    return (await link.read(unit, ONE))["holding", 7]


@pytest.mark.row("W9")
def test_a_late_answer_is_not_taken_for_the_next_one() -> None:
    late: list[bytes] = []

    async def silent(request: bytes, writer: asyncio.StreamWriter) -> None:
        late.append(told(request, 111))

    async def both(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(late.pop() + told(request, 222))

    async def story() -> None:
        async with scripted(silent, both) as link:
            with pytest.raises(Unreachable, match=r"unit 1 at 127\.0\.0\.1:\d+ gave no answer within 0\.1 s"):
                await value(link)
            assert await value(link) == 222

    asyncio.run(story())


def test_an_answer_that_comes_twice_or_for_somebody_else_is_dropped() -> None:
    async def twice(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(told(request, 1) * 2)

    async def others_first(request: bytes, writer: asyncio.StreamWriter) -> None:
        stranger = bytearray(told(request, 99))
        stranger[6] = 5
        writer.write(bytes(stranger) + told(request, 98, tid=9) + told(request, 2))

    async def story() -> None:
        async with scripted(twice, others_first) as link:
            assert [await value(link), await value(link)] == [1, 2]

    asyncio.run(story())


def test_an_answer_of_another_length_is_refused() -> None:
    async def long(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(request[:2] + bytes([0, 0, 0, 7, 1, 3, 4, 0, 1, 0, 2]))

    async def story() -> None:
        async with scripted(long) as link:
            with pytest.raises(InvalidValue, match="was asked for 1 registers, answered 2"):
                await value(link)

    asyncio.run(story())


def test_a_server_that_hangs_up_between_two_reads_is_unreachable() -> None:
    async def then_gone(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(told(request, 1))
        writer.close()

    async def story() -> None:
        async with scripted(then_gone) as link:
            with pytest.raises(Unreachable):
                await link.read(1, ONE * 3)

    asyncio.run(story())


def test_a_write_that_is_answered_for_another_register_is_no_success() -> None:
    async def other(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(request[:8] + bytes([0, 99]) + request[10:])

    async def story() -> None:
        async with scripted(other) as link:
            with pytest.raises(InvalidValue, match="was told register 5, answered 99"):
                await link.write(1, [Told(5, (1,), True)])

    asyncio.run(story())


@settings(deadline=None, max_examples=40)
@given(st.binary(max_size=30), st.booleans())
def test_whatever_a_server_says_is_an_answer_or_one_of_two_errors(noise: bytes, framed: bool) -> None:
    async def garbage(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(request[:4] + (len(noise) + 1).to_bytes(2) + request[6:7] + noise if framed else noise)
        writer.close()

    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, told: None)  # the library's own stumbling
        async with scripted(garbage) as link:
            with suppress(Unreachable, InvalidValue):
                await link.read(1, ONE)
            with suppress(Unreachable, InvalidValue):
                await link.write(1, [Told(7, (1,))])

    asyncio.run(story())


@pytest.mark.parametrize(
    ("code", "words", "kind"),
    [
        (2, "illegal address (Modbus exception 2)", InvalidValue),
        (6, "device busy (Modbus exception 6)", Unreachable),
        (11, "device behind the gateway gave no answer (Modbus exception 11)", Unreachable),
        (99, "unknown exception (Modbus exception 99)", InvalidValue),
    ],
)
def test_an_exception_of_modbus_is_told_in_words(code: int, words: str, kind: type[Exception]) -> None:
    async def story() -> None:
        async with serve({1: Counting(code)}) as port:
            link = Link("127.0.0.1", port, QUICK)
            with pytest.raises(kind) as error:
                await value(link)
            assert str(error.value) == f"unit 1 at 127.0.0.1:{port}: {words}"
            with pytest.raises(Unreachable, match="unit 9"):
                await value(link, unit=9)
            link.close()

    asyncio.run(story())


def test_all_behind_one_address_share_a_connection_and_ask_one_after_another() -> None:
    async def story() -> None:
        mischief = Mischief()
        units = {n: Counting() for n in (1, 2, 3)}
        async with serve(units) as port, wire(mischief, "127.0.0.1", port) as relay, Doors() as doors:
            links = [await shared_link(doors, f"tcp://127.0.0.1:{relay}", QUICK) for _ in range(3)]
            assert links[0] is links[1] is links[2]
            await asyncio.gather(*(value(links[0], unit) for unit in (1, 2, 3) for _ in range(5)))
            assert mischief.connections == 1

    asyncio.run(story())


def test_the_reads_of_one_reading_are_not_parted_by_anybody_elses() -> None:
    class Noting(Counting):
        asked: ClassVar[list[int]] = []

        def read(self, table: str, address: int, count: int) -> list[int]:
            self.asked.append(address)
            return [0] * count

    async def story() -> None:
        async with serve({1: Noting(), 2: Noting()}) as port:
            link = Link("127.0.0.1", port, QUICK)
            blocks = [Block("input", 10, 2), Block("holding", 20, 2), Block("input", 30, 2)]
            await asyncio.gather(*(link.read(unit, blocks) for unit in (1, 2, 1, 2)))
            assert Noting.asked == [10, 20, 30] * 4
            link.close()

    asyncio.run(story())


def test_a_lost_connection_is_noticed_at_once_and_made_again() -> None:
    async def story() -> None:
        mischief, unit = Mischief(), Counting()
        async with serve({1: unit}) as port, wire(mischief, "127.0.0.1", port) as relay:
            link = Link("127.0.0.1", relay, Wire(timeout_s=5, backoff_s=0.3))
            await value(link)
            mischief.swallow = True
            asked = asyncio.ensure_future(value(link))
            await asyncio.sleep(0.01)
            mischief.cut()
            with pytest.raises(Unreachable):
                await asyncio.wait_for(asked, 1)
            mischief.heal()
            with pytest.raises(Unreachable, match=r"tried again in 0\.\d s"):
                await value(link)
            await asyncio.sleep(0.35)
            assert await value(link) == 2
            link.close()

    asyncio.run(story())


def test_a_half_open_connection_is_given_up_after_three_silent_requests() -> None:
    async def story() -> None:
        mischief, unit = Mischief(), Counting()
        async with serve({1: unit}) as port, wire(mischief, "127.0.0.1", port) as relay:
            link = Link("127.0.0.1", relay, Wire(timeout_s=0.02, backoff_s=0.01))
            await value(link)
            mischief.swallow = True
            for _ in range(3):
                with pytest.raises(Unreachable):
                    await value(link)
            mischief.swallow = False
            await asyncio.sleep(0.02)
            await value(link)
            assert mischief.connections == 2
            link.close()

    asyncio.run(story())


def test_who_takes_no_connection_is_asked_ever_more_patiently() -> None:
    async def story() -> None:
        link = Link("127.0.0.1", 1, Wire(timeout_s=0.1, backoff_s=0.5, backoff_most_s=1.5))
        with pytest.raises(Unreachable, match="takes no connection"):
            await value(link)
        for waits_s in (0.5, 1.0, 1.5, 1.5):
            left_s = link._not_before_s - asyncio.get_running_loop().time()
            assert waits_s - 0.2 < left_s <= waits_s
            with pytest.raises(Unreachable, match="tried again in"):
                await value(link)
            link._not_before_s = 0
            with pytest.raises(Unreachable, match="takes no connection"):
                await value(link)

    asyncio.run(story())


def test_writes_go_in_their_order_by_the_function_that_each_asks_for() -> None:
    async def story() -> None:
        unit = Counting()
        async with serve({1: unit}) as port:
            link = Link("127.0.0.1", port, QUICK)
            await link.write(1, [Told(5, (1,), True), Told(6, (2, 3)), Told(4, (9,), True)])
            assert unit.written == [(5, (1,)), (6, (2, 3)), (4, (9,))]
            link.close()

    asyncio.run(story())


@pytest.mark.parametrize("url", ["", "tcp://", "http://inverter", "tcp://inverter:ten"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    async def story() -> None:
        async with Doors() as doors:
            with pytest.raises(InvalidValue, match="an address is like"):
                await shared_link(doors, url, QUICK)

    asyncio.run(story())
