"""Many charging stations in one process, as light as can be: OCPP 1.6 in frames written by hand, told by lines of JSON.

Run as ``python -m benchmarks.stations_load PORT STATIONS SECONDS``: it connects all, begins a session at each and says
``ready``; each then sends meter values every so many seconds, evenly spread, until a line comes in; then it says what
it sent and what was answered.
"""

import asyncio
import sys
from collections import Counter
from datetime import UTC, datetime
from time import monotonic

import msgspec

AT_ONCE = 64
HEADER_END = b"\r\n\r\n"


class Station(asyncio.Protocol):
    """One station: it shakes hands, boots, begins a session, and answers what it is asked."""

    def __init__(self, name: str, ready: asyncio.Future[None], tally: Counter[str]) -> None:
        self.name, self.ready, self.tally = name, ready, tally
        self.buffer = b""
        self.open = False
        self.number = 0
        self.transaction = 0
        self.register_wh = 1_000
        self.limit = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(
            f"GET /{self.name} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n".encode()
        )

    def connection_lost(self, error: Exception | None) -> None:
        self.tally["lost connections"] += 1
        if not self.ready.done():
            self.ready.set_exception(error or ConnectionError("closed"))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.open:
            if HEADER_END not in self.buffer:
                return
            head, _, self.buffer = self.buffer.partition(HEADER_END)
            if b" 101 " not in head:
                raise ConnectionError(head.decode(errors="replace"))
            self.open = True
            self.call("BootNotification", {"chargePointVendor": "light", "chargePointModel": "light"})
        while (frame := self.next_frame()) is not None:
            self.hear(*frame)

    def next_frame(self) -> tuple[int, bytes] | None:
        buffer = self.buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1] & 0x7F, 2
        if length == 126:
            length, start = int.from_bytes(buffer[2:4], "big"), 4
        if len(buffer) < start + length:
            return None
        self.buffer = buffer[start + length :]
        return buffer[0] & 0x0F, buffer[start : start + length]

    def hear(self, opcode: int, raw: bytes) -> None:
        if opcode == 9:
            self.write(10, raw)
            return
        if opcode != 1:
            return
        told = msgspec.json.decode(raw)
        if told[0] == 2:
            self.answer(told[1], told[2], told[3])
            return
        self.tally["answered" if told[0] == 3 else "refused"] += 1
        if self.ready.done():
            return
        if "interval" in told[2]:
            start = {"connectorId": 1, "idTag": "CAR", "meterStart": self.register_wh, "timestamp": stamp()}
            self.call("StartTransaction", start)
        elif "transactionId" in told[2]:
            self.transaction = told[2]["transactionId"]
            self.ready.set_result(None)

    def answer(self, id: str, action: str, asked: dict[str, dict[str, dict[str, list[dict[str, float]]]]]) -> None:
        told: dict[str, object] = {"status": "Accepted"}
        if action == "SetChargingProfile":
            self.limit = asked["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"]
            self.tally["profiles"] += 1
        elif action == "GetCompositeSchedule":
            period = {"startPeriod": 0, "limit": self.limit}
            schedule = {"chargingRateUnit": "W", "duration": 60, "chargingSchedulePeriod": [period]}
            told |= {"connectorId": 1, "scheduleStart": stamp(), "chargingSchedule": schedule}
        elif action == "GetConfiguration":
            told = {"configurationKey": [], "unknownKey": []}
        self.write(1, msgspec.json.encode([3, id, told]))

    def measure(self) -> None:
        """Send the meter values of a charge at 7.2 kW."""
        self.register_wh += 20
        about = {"context": "Sample.Periodic", "location": "Outlet"}
        values = [
            {"value": str(self.register_wh), "measurand": "Energy.Active.Import.Register", "unit": "Wh", **about},
            {"value": "7200", "measurand": "Power.Active.Import", "unit": "W", **about},
            {"value": "31.3", "measurand": "Current.Import", "unit": "A", "phase": "L1", **about},
            {"value": "230.1", "measurand": "Voltage", "unit": "V", "phase": "L1-N", **about},
            {"value": "55", "measurand": "SoC", "unit": "Percent", "context": "Sample.Periodic", "location": "EV"},
        ]
        told = {"timestamp": stamp(), "sampledValue": values}
        self.tally["sent meter values"] += 1
        self.call("MeterValues", {"connectorId": 1, "transactionId": self.transaction, "meterValue": [told]})

    def call(self, action: str, payload: object) -> None:
        self.number += 1
        self.tally["sent"] += 1
        self.write(1, msgspec.json.encode([2, str(self.number), action, payload]))

    def write(self, opcode: int, raw: bytes) -> None:
        """Write one frame, masked by zeroes, which the standard allows and costs nothing."""
        length = bytes([0x80 | len(raw)]) if len(raw) < 126 else b"\xfe" + len(raw).to_bytes(2, "big")
        self.transport.write(bytes([0x80 | opcode]) + length + b"\0\0\0\0" + raw)


def stamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def main(port: int, count: int, every_s: float) -> None:
    tally: Counter[str] = Counter()
    loop = asyncio.get_running_loop()
    gate = asyncio.Semaphore(AT_ONCE)
    stations: list[Station] = []

    async def connect(i: int) -> None:
        async with gate:
            ready: asyncio.Future[None] = loop.create_future()
            _, station = await loop.create_connection(lambda: Station(f"CP-{i}", ready, tally), "127.0.0.1", port)
            await ready
            stations.append(station)

    await asyncio.gather(*(connect(i) for i in range(count)))
    print("ready", flush=True)
    over = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
    began, sent = monotonic(), 0
    while not over.done():
        due = int((monotonic() - began) * count / every_s) if every_s else 0
        for i in range(sent, due):
            stations[i % count].measure()
        sent = max(sent, due)
        await asyncio.sleep(0.01)
    for _ in range(500):
        if tally["answered"] + tally["refused"] >= tally["sent"]:
            break
        await asyncio.sleep(0.01)
    print(msgspec.json.encode(dict(tally)).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
