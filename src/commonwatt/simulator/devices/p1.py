"""A simulated P1 port: a TCP server that pushes a DSMR telegram of a connection's meter, on call or every second."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from commonwatt.model import Nameplate, instant
from commonwatt.simulator.plant import Plant

WINTER = timedelta(hours=1)
"""By how much Central Europe is ahead of UTC; the meter tells winter time all year, as Sweden's do."""


@dataclass(slots=True, kw_only=True)
class P1Port:
    """The port of one meter. Wrong on demand: a bad checksum, a telegram cut short, or one tariff left out.

    Args:
        plant: The connection that it measures.
        checksum: What it reckons over a telegram.
        country: Whose lines it writes: Dutch DSMR 5, or Sweden's with totals only.
        key: With which it encrypts, 16 bytes; none where it does not.
        authentication_key: Likewise.
        title: The meter's own name in what it encrypts, 8 bytes.
        nameplate: Maker, of which three letters count, model and number; a P1 telegram has no firmware.
    """

    plant: Plant
    checksum: Literal["crc16", "x25"] = "crc16"
    country: Literal["nl", "se"] = "nl"
    key: bytes = b""
    authentication_key: bytes = b""
    title: bytes = b"SIM12345"
    nameplate: Nameplate = Nameplate(make="SIM", model="COMMONWATT", serial="E0000001")  # noqa: RUF009  it is frozen
    lies: bool = False
    sent: int = 0
    port: int = 0
    listeners: set[asyncio.StreamWriter] = field(default_factory=set)

    def telegram(self) -> bytes:
        """Return what it says now, checksum included."""
        plant = self.plant
        draws_w, supplies_w = max(plant.power_w, 0), max(-plant.power_w, 0)
        label = self.nameplate
        lines = [
            f"/{label.make[:3]}5\\2{label.model}",
            "",
            "1-3:0.2.8(50)",
            f"0-0:1.0.0({instant(plant.now_s) + WINTER:%y%m%d%H%M%S}W)",
            f"0-0:96.1.1({label.serial.encode().hex().upper()})",
        ]
        if self.country == "se":
            lines += [f"1-0:1.8.0({_kwh(plant.import_wh)})", f"1-0:2.8.0({_kwh(plant.export_wh)})"]
        else:
            for way, total_wh in ((1, plant.import_wh), (2, plant.export_wh)):
                lines += [f"1-0:{way}.8.1({_kwh(total_wh // 3)})"]
                if not self.lies:
                    lines += [f"1-0:{way}.8.2({_kwh(total_wh - total_wh // 3)})"]
            lines += ["0-0:96.14.0(0002)"]
        lines += [
            f"1-0:1.7.0({draws_w // 1000:02d}.{draws_w % 1000:03d}*kW)",
            f"1-0:2.7.0({supplies_w // 1000:02d}.{supplies_w % 1000:03d}*kW)",
            "1-0:32.7.0(230.1*V)",
            "0-1:24.1.0(003)",
            "0-1:24.2.1(260101120000W)(00042.123*m3)",
        ]
        body = "\r\n".join(lines).encode() + b"\r\n!"
        return body + f"{_crc(body, self.checksum):04X}\r\n".encode()

    def sealed(self, telegram: bytes) -> bytes:
        """Return a telegram as it leaves the port: encrypted under the next number, where there is a key."""
        if not self.key:
            return telegram
        self.sent += 1
        title, number = self.title, self.sent.to_bytes(4, "big")
        seal = Cipher(algorithms.AES(self.key), modes.GCM(title + number)).encryptor()
        seal.authenticate_additional_data(b"\x30" + self.authentication_key)
        text = b"\x30" + number + seal.update(telegram) + seal.finalize() + seal.tag[:12]
        return b"\xdb\x08" + title + b"\x82" + len(text).to_bytes(2, "big") + text

    async def push(self, data: bytes | None = None) -> None:
        """Send a telegram, or whatever else, to all who listen."""
        said = self.sealed(self.telegram()) if data is None else data
        for writer in list(self.listeners):
            with suppress(OSError):
                writer.write(said)
                await writer.drain()

    async def every_second(self, seconds: int) -> None:
        """Let so many seconds pass in real time, each with its telegram."""
        for _ in range(seconds):
            await asyncio.sleep(1)
            self.plant.pass_time(1)
            await self.push()


@asynccontextmanager
async def p1_port(port: P1Port) -> AsyncIterator[P1Port]:
    """Offer a port on loopback."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port.listeners.add(writer)
        with suppress(OSError):
            await reader.read()  # a P1 port hears nothing; this ends when whoever listens goes
        port.listeners.discard(writer)
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    port.port = server.sockets[0].getsockname()[1]
    try:
        yield port
    finally:
        server.close()
        for writer in list(port.listeners):
            writer.transport.abort()
        await asyncio.sleep(0)


def _kwh(wh: int) -> str:
    return f"{wh // 1000:06d}.{wh % 1000:03d}*kWh"


def _crc(data: bytes, checksum: str) -> int:
    """Return a checksum bit by bit, as the standards describe it."""
    value = 0xFFFF if checksum == "x25" else 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            odd, value = value & 1, value >> 1
            if odd:
                value ^= 0x8408 if checksum == "x25" else 0xA001
    return value ^ 0xFFFF if checksum == "x25" else value
