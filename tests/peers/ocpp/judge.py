"""Lets a station that is not ours connect to our server, charge, and be told; judges what both sides said."""

import argparse
import asyncio
import json
import sys
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from jsonschema.exceptions import ValidationError
from ocpp.messages import get_validator  # type: ignore[import-untyped]  # it ships no types

from commonwatt.adapters.devices.driver import DeviceSpec, Doors
from commonwatt.adapters.devices.ocpp import profiles
from commonwatt.adapters.devices.ocpp.device import OcppDevice, open_device
from commonwatt.adapters.devices.ocpp.server import Server
from commonwatt.adapters.devices.ocpp.station import Station
from commonwatt.model import AccountId, Asset, AssetId, AssetKind, Band, Command, CommonwattError, GatewayId

CAR = Asset(
    id=AssetId("car"), owner=AccountId("anna"), gateway=GatewayId("gw-1"), kind=AssetKind.VEHICLE, zone="lane",
    max_import_w=11_040, max_export_w=10_000, min_import_w=1_380, capacity_wh=64_000,
)  # fmt: skip
LIMIT_W = 4_140
EV = {"modelName": "car", "batteryCapacityKwh": 64, "maxChargingPowerKw": 11, "initialSoc": 20, "targetSoc": 95}
Say = Callable[[bytes], Awaitable[None]]
SAMPLES = 8
"""So many readings, a second apart, before the limit and after: a peer whose power is drawn by lot must obey in all."""


async def main() -> None:
    """Run one peer through one story; exit code 0 where the story held."""
    parser = argparse.ArgumentParser()
    parser.add_argument("peer")
    parser.add_argument("port", type=int)
    parser.add_argument("--version", default="1.6")
    parser.add_argument("--station", default="PEER-1")
    parser.add_argument("--bends", action="store_true", help="its power must fall to the limit")
    parser.add_argument("--both-ways", action="store_true")
    parser.add_argument("--json-mode", action="store_true", help="it takes commands as lines of JSON")
    parser.add_argument("--admin", type=int, help="port at which it takes commands over HTTP")
    parser.add_argument("--plug", help="address to which a car is plugged in by POST")
    parser.add_argument("--folder", type=Path, default=Path(), help="where it runs")
    parser.add_argument("--record", type=Path, help="where every frame is written")
    ours, theirs = sys.argv[1 : sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1 :]
    asked = parser.parse_args(ours)
    witness = Witness(asked.version)
    async with Doors() as doors:
        settings = {"phases": 3, "bidirectional": asked.both_ways, "answer_within_s": 5.0, "fresh_s": 2}
        spec = DeviceSpec(
            asset=CAR.id, driver="ocpp", url=f"ws://127.0.0.1:{asked.port}/{asked.station}", settings=settings
        )
        device = await open_device(CAR, spec, doors)
        witness.watch(device.server)
        async with running(asked, theirs) as process:
            try:
                async with asyncio.timeout(75):
                    held = await story(device, asked, process)
            except TimeoutError as error:
                print(f"  {error}")
                held = False
            finally:
                if asked.record:
                    asked.record.write_text("".join(json.dumps(one) + "\n" for one in witness.frames), encoding="utf-8")
    for line in witness.report():
        print(f"  {line}")
    print("  quirks:", dict(device.station.quirks) or "none")
    print(f"{asked.peer}, OCPP {asked.version}: {'held' if held else 'DID NOT HOLD'}")
    sys.exit(0 if held and not witness.ours_wrong else 1)


async def story(device: OcppDevice, asked: argparse.Namespace, process: asyncio.subprocess.Process) -> bool:
    """Boot, charge, measure, limit, read back, let go; return whether all that was asked of the peer held."""
    station = device.station
    if asked.json_mode:
        await say(process, "connect")
    await until(lambda: station.booted, "it boots")
    print(f"  booted: {station.boot}")
    if asked.json_mode:
        await say(process, "set_ev_settings", connector=1, settings=EV)
        await say(process, "update_connector_status", connector=1, status="Preparing")
    elif asked.version == "1.6":
        await until(lambda: bool(device.evse.status), "it tells its status")
    if asked.plug:
        await asyncio.to_thread(posted, asked.plug)
        await until(lambda: device.evse.status == "Preparing", "a car is at its plug")
    began = await profiles.start_session(station, device.evse, "PEER-TAG")
    print(f"  remote start: {began or 'accepted'}")
    if began and asked.json_mode:
        await say(process, "start_transaction", connector=1, tagId="PEER-TAG")
    await until(lambda: device.evse.session is not None, "a transaction runs")
    print(f"  transaction {device.evse.session.id if device.evse.session else None}")
    before_w = await measured(device, asked, process)
    print(f"  free: {before_w} W")
    ack = await device.apply(command(0, LIMIT_W))
    print(f"  limit {LIMIT_W} W: took {ack.taken} {ack.why}")
    held = ack.taken is not None
    await asyncio.sleep(2)
    after_w = await measured(device, asked, process)
    print(f"  limited: {after_w} W, {device.evse.imported.total_wh} Wh")
    if asked.bends:
        held = held and before_w is not None and after_w is not None and after_w <= LIMIT_W * 1.01 < before_w
    if asked.both_ways:
        ack = await device.apply(command(-3_000, -3_000))
        print(f"  -3000 W: took {ack.taken} {ack.why}")
    await device.release()
    print(f"  released; ended: {await device.stop_session() or 'accepted'}")
    return held


async def measured(device: OcppDevice, asked: argparse.Namespace, process: asyncio.subprocess.Process) -> int | None:
    """Return the most that it says that it draws, of what it tells in the next seconds."""
    most_w = None
    for _ in range(SAMPLES):
        if asked.json_mode:
            await say(process, "send_meter_value", connector=1)
        elif asked.admin:
            await asyncio.to_thread(vcp_values, asked.admin, device)
        await asyncio.sleep(1.1)
        try:
            power_w = (await device.read()).power_w
        except CommonwattError as error:
            print(f"  read: {error}")
            continue
        if power_w is not None:
            most_w = max(power_w, most_w or 0)
    return most_w


def command(lo_w: int, hi_w: int) -> Command:
    """Return a command for the next five minutes."""
    expires = datetime.now(UTC) + timedelta(seconds=300)
    return Command(id="c", asset=CAR.id, band=Band(lo_w=lo_w, hi_w=hi_w), expires=expires, reason="peer")


def vcp_values(port: int, device: OcppDevice) -> None:
    """Let Solidstudio's station send meter values: it takes what it shall say over HTTP, on loopback."""
    moment = datetime.now(UTC).isoformat()[:19] + "Z"
    about: dict[str, Any] = {"measurand": "Power.Active.Import"}
    if device.station.version == "1.6":
        sampled = {"value": "7000", "unit": "W", **about}
        payload: dict[str, Any] = {"connectorId": 1, "transactionId": 0}
    else:
        sampled = {"value": 7_000, "unitOfMeasure": {"unit": "W"}, **about}
        payload = {"evseId": 1}
    payload["meterValue"] = [{"timestamp": moment, "sampledValue": [sampled]}]
    body = json.dumps({"action": "MeterValues", "payload": payload}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/execute", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        answer.read()


def posted(url: str) -> None:
    """Say something over HTTP, on loopback, to a station that takes it so."""
    told = {"evPlugged": True, "evsePlugged": True, "evReady": True, "evseReady": True}
    request = urllib.request.Request(url, json.dumps(told).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        answer.read()


async def say(process: asyncio.subprocess.Process, name: str, **params: Any) -> None:
    """Give a command as a line of JSON."""
    assert process.stdin is not None
    process.stdin.write(json.dumps({"id": "1", "command": name, "params": params}).encode() + b"\n")
    await process.stdin.drain()


async def until(holds: Any, what: str, within_s: float = 30.0) -> None:
    """Wait until something holds.

    Raises:
        TimeoutError: It does not.
    """
    loop = asyncio.get_running_loop()
    end_s = loop.time() + within_s
    while not holds():
        if loop.time() > end_s:
            raise TimeoutError(f"waited {within_s} s until {what}")
        await asyncio.sleep(0.05)


@asynccontextmanager
async def running(asked: argparse.Namespace, command: list[str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the peer while the context is entered; what it prints goes to its log beside."""
    log = Path(".peers") / f"{asked.peer}-{asked.version}.log"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=out,
            stderr=asyncio.subprocess.STDOUT,
            cwd=asked.folder,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 5)
            except TimeoutError:
                process.kill()


class Witness:
    """Hears all that is said on both sides, and checks it by the official schemas with a checker that is not ours."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.frames: list[dict[str, Any]] = []
        self.tally: Counter[tuple[str, str, str]] = Counter()
        self.ours_wrong = 0
        self._open: dict[tuple[str, str], str] = {}

    def watch(self, server: Server) -> None:
        """Listen in from now on."""
        answer, write = server.answer, Station._write

        async def answered(station: Station, raw: str | bytes, say: Say | None = None) -> bytes | None:
            async def said(message: bytes) -> None:
                self.hear("we", message)
                if say is not None:
                    await say(message)

            self.hear("peer", raw)
            made = await answer(station, raw, None if say is None else said)
            if made is not None:
                self.hear("we", made)
            return made

        async def written(station: Station, message: bytes) -> None:
            self.hear("we", message)
            await write(station, message)

        server.answer = answered  # type: ignore[method-assign]  # a tap, for as long as the judge runs
        Station._write = written  # type: ignore[method-assign]  # likewise

    def hear(self, who: str, raw: str | bytes) -> None:
        """Take one frame and judge it."""
        frame = json.loads(raw, parse_float=Decimal)
        self.frames.append({"who": who, "frame": json.loads(raw)})
        other = "we" if who == "peer" else "peer"
        if frame[0] in (2, 6):
            self._open[who, frame[1]] = frame[2]
            self.judge(who, 2, frame[2], frame[3])
        elif frame[0] == 3:
            self.judge(who, 3, self._open.pop((other, frame[1]), "?"), frame[2])
        else:
            self.tally[who, f"error {frame[2]}", self._open.pop((other, frame[1]), "?")] += 1

    def judge(self, who: str, kind: int, action: str, payload: Any) -> None:
        """Check one payload."""
        try:
            get_validator(kind, action, self.version, parse_float=Decimal).validate(payload)
            verdict = "right"
        except ValidationError as error:
            verdict = f"wrong: {error.message[:100]}"
            self.ours_wrong += who == "we"
        except (FileNotFoundError, OSError):
            verdict = "no such schema"
        self.tally[who, f"{'call' if kind == 2 else 'answer'} {verdict}", action] += 1

    def report(self) -> list[str]:
        """Return what was said how often, and what was wrong with it."""
        lines = []
        for who in ("we", "peer"):
            right = sum(n for (its, verdict, _), n in self.tally.items() if its == who and verdict.endswith("right"))
            lines.append(f"{who}: {right} payloads right by the official schema")
            lines += [
                f"{who}: {action}, {verdict} ({n} times)"
                for (its, verdict, action), n in sorted(self.tally.items())
                if its == who and not verdict.endswith("right")
            ]
        return lines


if __name__ == "__main__":
    asyncio.run(main())
