"""A simulated foxBMS 2 on a simulated socketcand: its frames are packed bit by bit by code of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from commonwatt.model import Nameplate
from commonwatt.simulator.plant import Plant

LOT = 0x2A
STANDBY, NORMAL, CHARGE, ERROR = 5, 7, 9, 10


@dataclass(slots=True, kw_only=True)
class FoxBms:
    """The BMS of a battery.

    Args:
        plant: The battery.
        charge_w: What it lets in, in steps of 100 W.
        discharge_w: What it lets out.
        state: Of its state machine.
        stuck: Whether its contactors do not close.
        lies: Whether it shows a level that cannot be.
        asked: The modes that it was asked for.
        knows_names: Whether it was built with what answers who it is.
        nameplate: Of which the digits of its serial number and three numbers of its firmware are told.
    """

    plant: Plant
    charge_w: int = 50_000
    discharge_w: int = 50_000
    state: int = STANDBY
    stuck: bool = False
    lies: bool = False
    port: int = 0
    knows_names: bool = True
    nameplate: Nameplate = Nameplate(serial="1", firmware="1.11.0")  # noqa: RUF009  it is frozen
    asked: list[int] = field(default_factory=list)
    soon: list[tuple[int, bytes]] = field(default_factory=list)
    listeners: set[asyncio.StreamWriter] = field(default_factory=set)

    def frames(self) -> list[tuple[int, bytes]]:
        """Return what it says now, by identifier."""
        plant = self.plant
        level = plant.level_wh * 1000 // max(plant.asset.capacity_wh, 1)
        closed = self.state in (NORMAL, CHARGE)
        return [
            (0x220, _packed((3, 4, self.state), (7, 4, int(closed)), (10, 1, int(self.state == ERROR)))),
            (0x232, _packed((35, 12, self.charge_w // 100), (31, 12, self.discharge_w // 100))),
            (0x233, _packed((7, 15, 4_003), (25, 17, -plant.power_w // 10))),
            (0x235, _packed((7, 10, 1_023 if self.lies else level), (47, 8, 198))),
        ]

    def names(self) -> list[tuple[int, bytes]]:
        """Return its answers to who it is: version, die and lot."""
        major, minor, patch = (int(part) for part in self.nameplate.firmware.split("."))
        die = int("".join(letter for letter in self.nameplate.serial if letter.isdigit()))
        return [
            (0x301, _packed((7, 8, 0), (15, 8, major), (23, 8, minor), (31, 8, patch))),
            (0x301, _packed((7, 8, 1), (15, 32, die))),
            (0x301, _packed((7, 8, 2), (15, 32, LOT))),
        ]

    def hear(self, number: int, data: bytes) -> None:
        """Take a frame: a request for a mode closes or opens the contactors, who it is will be answered."""
        if number == 0x300 and data[:2] == b"\x00\x07" and self.knows_names:
            self.soon += self.names()
        if number != 0x210 or not data:
            return
        mode = data[0] & 0b11
        self.asked.append(mode)
        if not self.stuck and self.state != ERROR:
            self.state = {0: STANDBY, 1: NORMAL, 2: CHARGE}.get(mode, self.state)

    async def push(self) -> None:
        """Say all that it has to say to all who listen."""
        frames, self.soon = [*self.soon, *self.frames()], []
        words = "".join(f"< frame {number:03X} 16.500000 {data.hex().upper()} >" for number, data in frames)
        for writer in list(self.listeners):
            with suppress(OSError):
                writer.write(words.encode())
                await writer.drain()


@asynccontextmanager
async def socketcand_of(bms: FoxBms) -> AsyncIterator[FoxBms]:
    """Offer the BMS's bus by socketcand's protocol on loopback, as channel ``vcan0``."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            writer.write(b"< hi >")
            while True:
                word = (await reader.readuntil(b">")).decode("ascii").strip("<> ").split(" ")
                if word[0] == "open" and word[1:] == ["vcan0"]:
                    writer.write(b"< ok >")
                elif word[0] == "rawmode":
                    writer.write(b"< ok >")
                    bms.listeners.add(writer)
                elif word[0] == "send":
                    bms.hear(int(word[1], 16), bytes(int(byte, 16) for byte in word[3:]))
                    await bms.push()
                else:
                    writer.write(b"< error unknown command >")
        bms.listeners.discard(writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    bms.port = server.sockets[0].getsockname()[1]
    try:
        yield bms
    finally:
        server.close()
        for writer in list(bms.listeners):
            writer.transport.abort()
        await asyncio.sleep(0)


def _packed(*signals: tuple[int, int, int]) -> bytes:
    """Return 8 bytes with big-endian signals: the bit of each one's highest, its length, and its whole value."""
    frame = 0
    for start, length, value in signals:
        from_left = start // 8 * 8 + 7 - start % 8
        frame |= (value & ((1 << length) - 1)) << (64 - from_left - length)
    return frame.to_bytes(8, "big")
