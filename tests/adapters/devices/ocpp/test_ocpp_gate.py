"""A connection that goes away while its password is looked at locks nobody out for long."""

import asyncio
import base64
from typing import Any, cast

from commonwatt.adapters.devices.ocpp.gate import BASIC, LONGEST_PAUSE_S, Gate, Rule
from commonwatt.model import instant


class Slow:
    """Credentials whose check takes for ever, once it has begun."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    def reached(self, station: str) -> int:
        return 0

    async def holds(self, station: str, password: bytes) -> bool:
        self.begun.set()
        await asyncio.Event().wait()
        return False


class Link:
    """A connection without TLS."""

    remote_address = ("127.0.0.1", 1)
    transport = cast("Any", type("Bare", (), {"get_extra_info": lambda self, name: None}))()


def test_a_connection_that_is_cut_while_its_password_is_checked_counts_as_one_guess_only() -> None:
    async def story() -> None:
        slow = Slow()
        gate = Gate(cast("Any", slow), None, lambda: instant(0), {"CP": Rule(BASIC)})
        given = "Basic " + base64.b64encode(b"CP:" + b"x" * 20).decode()
        task = asyncio.create_task(gate.admit(cast("Any", Link()), "CP", given))
        await slow.begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        times, until = gate._failed["CP", "127.0.0.1"]
        assert times == 1
        assert until - asyncio.get_running_loop().time() < LONGEST_PAUSE_S / 100

    asyncio.run(story())
