"""Simulated clouds of inverter makers: small HTTP servers on loopback that check keys and count questions."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qsl

from commonwatt.model import Nameplate, instant
from commonwatt.simulator.plant import Plant

Answer = tuple[int, dict[str, Any]]


class Answers(Protocol):
    """What a simulated cloud is behind its socket."""

    def answer(self, path: str, headers: Mapping[str, str], body: dict[str, Any]) -> Answer:
        """Return status and JSON."""


@dataclass(slots=True, kw_only=True)
class SolaxCloud:
    """SolaX Cloud with one user and one dongle.

    Args:
        plant: The connection behind the dongle.
        token: Of the user.
        serial: Of the dongle.
        per_minute: How many questions a minute it bears, by the plant's clock.
        expired: Whether the token is over.
        silent: Since when (of the plant's clock) the dongle tells nothing new; None while it does.
        lies: Whether it shows what cannot be.
        nameplate: Of the inverter; its model is a number in the maker's list, its firmware is not told.
    """

    plant: Plant
    token: str
    serial: str
    per_minute: int = 10
    expired: bool = False
    silent: int | None = None
    lies: bool = False
    nameplate: Nameplate = Nameplate(model="14", serial="H34A00000000")  # noqa: RUF009  it is frozen
    asked: int = 0
    _minute: int = 0
    _in_minute: int = 0

    def answer(self, path: str, headers: Mapping[str, str], body: dict[str, Any]) -> Answer:
        """Answer a question for real-time readings."""
        self.asked += 1
        plant = self.plant
        if plant.now_s // 60 != self._minute:
            self._minute, self._in_minute = plant.now_s // 60, 0
        self._in_minute += 1
        if path != "/api/v2/dataAccess/realtimeInfo/get":
            return 404, {}
        if self._in_minute > self.per_minute:
            words = (
                "There have been several violations in a row, and the system will prohibit calls within the next hour"
            )
            return 200, {"exception": words, "code": 1, "tokenId": headers.get("tokenid", ""), "success": False}
        if headers.get("tokenid") != self.token or self.expired:
            return 200, {"success": False, "exception": f"token {headers.get('tokenid')} invalid", "code": 103}
        if body.get("wifiSn") != self.serial:
            return 200, {"success": False, "exception": "Query success!", "result": "this sn did not access!"}
        told_s = plant.now_s if self.silent is None else self.silent
        result = {
            "inverterSn": self.nameplate.serial,
            "sn": self.serial,
            "acpower": 0.0,
            "yieldtoday": 0.0,
            "yieldtotal": 0.0,
            "feedinpower": float(-plant.power_w),
            "feedinenergy": -1 if self.lies else plant.export_wh // 10 / 100,
            "consumeenergy": plant.import_wh // 10 / 100,
            "feedinpowerM2": 0.0,
            "soc": None,
            "inverterType": self.nameplate.model,
            "inverterStatus": "102",
            "uploadTime": f"{instant(told_s + 3_600):%Y-%m-%d %H:%M:%S}",
            "utcDateTime": f"{instant(told_s):%Y-%m-%dT%H:%M:%SZ}",
            "batPower": None,
            "batStatus": "0",
        }
        return 200, {"success": True, "exception": "Query success!", "result": result, "code": 0}


@dataclass(slots=True, kw_only=True)
class FoxessCloud:
    """Fox ESS Cloud with one key and one inverter with a battery.

    Args:
        plant: The battery.
        key: Of the Open API.
        serial: Of the inverter.
        per_day: How many questions a day it bears, by the plant's clock.
        expired: Whether the key is over.
        lies: Whether it shows what cannot be.
        nameplate: Of the inverter; its firmware is that of its master.
    """

    plant: Plant
    key: str
    serial: str
    per_day: int = 1_440
    expired: bool = False
    lies: bool = False
    nameplate: Nameplate = Nameplate(model="KH8", serial="60KH00000000000", firmware="1.34")  # noqa: RUF009  frozen
    asked: int = 0
    _day: int = 0
    _in_day: int = 0

    def answer(self, path: str, headers: Mapping[str, str], body: dict[str, Any]) -> Answer:
        """Answer a question for real-time readings, or for the inverter's detail."""
        self.asked += 1
        plant = self.plant
        if plant.now_s // 86_400 != self._day:
            self._day, self._in_day = plant.now_s // 86_400, 0
        self._in_day += 1
        if path not in ("/op/v0/device/real/query", "/op/v0/device/detail"):
            return 404, {}
        stamp = headers.get("timestamp", "")
        signed = "\\r\\n".join((path, self.key, stamp))
        if headers.get("token") != self.key:
            return 200, {"errno": 41809, "msg": "Invalid token", "result": None}
        if headers.get("signature") != hashlib.md5(signed.encode(), usedforsecurity=False).hexdigest():
            return 200, {"errno": 40256, "msg": "illegal signature", "result": None}
        if self.expired:
            return 200, {"errno": 41808, "msg": f"token {self.key} has expired", "result": None}
        if self._in_day > self.per_day:
            return 200, {"errno": 40402, "msg": "Your request exceeds the limit. Please try again later"}
        if body.get("sn") != self.serial:
            return 200, {"errno": 40257, "msg": "Parameters do not meet expectations", "result": None}
        if path.endswith("detail"):
            return 200, {"errno": 0, "msg": "success", "result": self._detail()}
        true = {
            "batChargePower": ("kW", max(plant.power_w, 0) / 1000),
            "batDischargePower": ("kW", max(-plant.power_w, 0) / 1000),
            "chargeEnergyToTal": ("kWh", plant.import_wh // 100 / 10),
            "dischargeEnergyToTal": ("kWh", plant.export_wh // 100 / 10),
            "SoC": ("%", 140.0 if self.lies else plant.level_wh * 1000 // max(plant.asset.capacity_wh, 1) / 10),
        }
        datas = [
            {"unit": true[name][0], "name": name, "variable": name, "value": true[name][1]}
            for name in body.get("variables", [])
            if name in true
        ]
        found = {"datas": datas, "time": f"{instant(plant.now_s):%Y-%m-%d %H:%M:%S} GMT+0000", "deviceSN": self.serial}
        return 200, {"errno": 0, "msg": "success", "result": [found]}

    def _detail(self) -> dict[str, Any]:
        label = self.nameplate
        return {
            "deviceType": label.model,
            "masterVersion": label.firmware,
            "slaveVersion": "1.01",
            "managerVersion": "--",
            "hardwareVersion": "--",
            "deviceSN": label.serial,
            "moduleSN": "609W000000000000",
            "stationName": "Anna's home",
            "hasPV": True,
            "hasBattery": True,
            "status": 1,
        }


@asynccontextmanager
async def cloud_at(cloud: Answers) -> AsyncIterator[int]:
    """Run a simulated cloud on loopback, and yield its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, ValueError, asyncio.LimitOverrunError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                _, path, _ = head[0].split(" ")
                fields = (line.partition(":") for line in head[1:] if line)
                headers = {name.strip().lower(): value.strip() for name, _, value in fields}
                body = json.loads(await reader.readexactly(int(headers.get("content-length", "0"))) or b"{}")
                path, _, query = path.partition("?")
                status, found = cloud.answer(path, headers, body | dict(parse_qsl(query)))
                data = json.dumps(found).encode()
                start = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
                writer.write(start.encode() + data)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
