"""A SunSpec device laid out straight from the official models, whose measurements and controls are a plant's."""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commonwatt.model import Band
from commonwatt.simulator.devices.label import label_of
from commonwatt.simulator.devices.modbus_server import ILLEGAL_ADDRESS, ILLEGAL_VALUE, ModbusError
from commonwatt.simulator.plant import Plant

SIGNED = {"int16", "sunssf", "int32", "int64"}
NOTHING = {
    **dict.fromkeys(("acc16", "acc32", "acc64", "ipaddr", "pad", "string", "eui48", "ipv6addr"), "0"),
    **dict.fromkeys(SIGNED, "8"),
    "float32": "7",
    "float64": "7",
}
"""How a point begins, in hexadecimal, that says nothing; all others are full of ones."""
CONTROLS = {
    (704, "WSetEna"): "WSetRvrtTms",
    (704, "WMaxLimPctEna"): "WMaxLimPctRvrtTms",
    (124, "StorCtl_Mod"): "InOutWRte_RvrtTms",
    (123, "WMaxLim_Ena"): "WMaxLimPct_RvrtTms",
}
"""What switches a control on, and the seconds after which it goes off by itself."""
VALUES = ("WSetMod", "WSet", "WSetPct", "WMaxLimPct", "InWRte", "OutWRte")
"""What counts at once while its control is on."""
SUNSPEC_FROM_S = 946_684_800
"""1 January 2000, from which model 122 counts seconds."""
REPEATS = 2
"""How often a repeating group comes."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a point stands."""

    address: int
    size: int
    type: str
    writable: bool


class SunSpecUnit:
    """Implements `Unit`: a map of models, as the JSON files of a folder define them.

    Args:
        folder: Of ``model_N.json`` files.
        models: Which of them, in this order.
        plant: What it is.
        base: Where the map begins.
        filled: Gives every point that the plant does not set some value of its own.
        cut: Models that end early: how many registers after the header.

    ``nameplate`` is what its common model says; its clock (model 122) is the plant's. ``w_scale`` is the scale factor
    of its power, which may change at any time. ``lying`` shows what cannot be true.
    """

    def __init__(
        self,
        folder: Path,
        models: Sequence[int],
        plant: Plant,
        *,
        base: int = 40_000,
        filled: bool = False,
        cut: dict[int, int] | None = None,
    ) -> None:
        self._plant, self._base = plant, base
        self.w_scale, self.lying = 0, False
        self.nameplate = label_of(plant)
        self.places: dict[tuple[int, str], Place] = {}
        self.words: list[int] = [0x5375, 0x6E53]
        for model in models:
            told = json.loads((folder / f"model_{model}.json").read_text(encoding="utf-8"))["group"]
            start = len(self.words)
            self._counts = _counts(told)
            self._lay(model, told, "", filled)
            if cut and model in cut:
                del self.words[start + 2 + cut[model] :]
            self.words[start : start + 2] = [model, len(self.words) - start - 2]
        self.words += [0xFFFF, 0]
        self._writable = {
            place.address + n for place in self.places.values() if place.writable for n in range(place.size)
        }
        self._rated()

    def read(self, table: str, address: int, count: int) -> Sequence[int]:
        """Return holding registers; nothing lies outside the map."""
        start = address - self._base
        if table != "holding" or start < 0 or start + count > len(self.words):
            raise ModbusError(ILLEGAL_ADDRESS)
        self._show()
        return self.words[start : start + count]

    def write(self, address: int, words: Sequence[int]) -> None:
        """Take whole writable points, and obey what switches a control on or off."""
        if any(address - self._base + n not in self._writable for n in range(len(words))):
            raise ModbusError(ILLEGAL_VALUE)
        start = address - self._base
        self.words[start : start + len(words)] = words
        for (model, name), timer in CONTROLS.items():
            if self._touched(model, (name, timer), start, len(words)):
                self._obey(model, name, timer, anew=True)
            elif self._touched(model, VALUES, start, len(words)) and self._plant.held is not None:
                self._obey(model, name, timer, anew=False)

    def restart(self) -> None:
        """Lose power for a moment."""
        self._plant.restart()

    def put(self, model: int, name: str, raw: float | str) -> None:
        """Set a point to a raw value, where the map has it."""
        place = self.places.get((model, name))
        if place is None or place.address + place.size > len(self.words) - 2:
            return
        if isinstance(raw, str):
            data = raw.encode(errors="surrogateescape").ljust(2 * place.size, b"\0")
        elif place.type.startswith("float"):
            data = struct.pack(">f" if place.size == 2 else ">d", raw)
        else:
            data = int(raw).to_bytes(2 * place.size, signed=raw < 0)
        self.words[place.address : place.address + place.size] = struct.unpack(f">{place.size}H", data)

    def get(self, model: int, name: str) -> int:
        """Return a point's raw value."""
        place = self.places[model, name]
        data = struct.pack(f">{place.size}H", *self.words[place.address : place.address + place.size])
        return int.from_bytes(data, signed=place.type in SIGNED)

    def _lay(self, model: int, group: dict[str, Any], prefix: str, filled: bool) -> None:
        for point in group.get("points", []):
            name, kind, size = prefix + point["name"], point["type"], point["size"]
            self.places[model, name] = Place(len(self.words), size, kind, point.get("access") == "RW")
            self.words += [0] * size
            if point["name"] in self._counts:
                self.put_now(model, name, REPEATS)
            elif kind == "sunssf" and filled:
                self.put_now(model, name, -(len(self.words) % 3))
            elif filled and kind not in ("pad", "string"):
                self.put_now(model, name, 1 + len(self.words) % 97)
            elif filled and kind == "string":
                self.put_now(model, name, f"{point['name']}-{model}"[: 2 * size])
            else:
                first = NOTHING.get(kind, "f")
                rest = "f" if first in "f7" else "0"
                digits = first + rest * (4 * size - 1)
                self.words[-size:] = [int(digits[4 * n : 4 * n + 4], 16) for n in range(size)]
        for inner in group.get("groups", []):
            times = 1 if "count" not in inner else REPEATS
            for n in range(times):
                self._lay(model, inner, f"{prefix}{inner['name']}[{n}].", filled)

    def put_now(self, model: int, name: str, raw: float | str) -> None:
        """Set a point while the map is still being laid out."""
        self.words += [0, 0]
        self.put(model, name, raw)
        del self.words[-2:]

    def _rated(self) -> None:
        """Show what the asset is registered for, and the scale factors of what is told and measured."""
        asset = self._plant.asset
        full_w = max(asset.max_import_w, asset.max_export_w)
        for name in ("WMaxRtg", "WMax"):
            self.put(702, name, full_w)
        for name, most_w in (("WChaRteMax", asset.max_import_w), ("WDisChaRteMax", asset.max_export_w)):
            self.put(702, name, most_w)
            self.put(702, f"{name}Rtg", most_w)
        for model, name in ((702, "W_SF"), (120, "WRtg_SF"), (121, "WMax_SF"), (704, "WSet_SF"), (124, "WChaMax_SF")):
            self.put(model, name, 0)
        self.put(120, "WRtg", full_w)
        self.put(121, "WMax", full_w)
        self.put(124, "WChaMax", full_w)
        for model, name in ((704, "WMaxLimPct_SF"), (123, "WMaxLimPct_SF"), (124, "InOutWRte_SF")):
            self.put(model, name, -2)
        for model, name in ((713, "Pct_SF"), (802, "SoC_SF"), (124, "ChaState_SF")):
            self.put(model, name, -1)
        for (model, name), timer in CONTROLS.items():
            self.put(model, name, 0)
            self.put(model, timer, 0)
        for name in ("WSetMod", "WSet", "WSetEnaRvrt", "WMaxLimPctEnaRvrt"):
            self.put(704, name, 0)
        for model, name in ((704, "WMaxLimPct"), (123, "WMaxLimPct"), (124, "InWRte"), (124, "OutWRte")):
            self.put(model, name, 10_000)
        self.put(715, "LocRemCtl", 0)
        self.put(715, "DERHb", 0)
        self.put(715, "ControllerHb", 0)
        self.put(713, "WH_SF", 0 if asset.capacity_wh < 0xFFFF else 1)

    def _show(self) -> None:
        """Bring measurements up to date; a control that has run out is off."""
        plant, label = self._plant, self.nameplate
        for name, text in (("Mn", label.make), ("Md", label.model), ("Vr", label.firmware), ("SN", label.serial)):
            self.put(1, name, text)
        self.put(122, "Tms", plant.now_s - SUNSPEC_FROM_S)
        out_w = -plant.power_w
        for model in (701, 101, 102, 103):
            self.put(model, "W", round(out_w / 10**self.w_scale))
            self.put(model, "W_SF", 50 if self.lying else self.w_scale)
            self.put(model, "Hz", 50_000 if model == 701 else 5_000)
            self.put(model, "Hz_SF", -3 if model == 701 else -2)
            self.put(model, "WH", plant.export_wh)
            self.put(model, "WH_SF", 0)
        for model in (111, 112, 113):
            self.put(model, "W", float(out_w) * (10**9 if self.lying else 1))
            self.put(model, "Hz", 50.0)
            self.put(model, "WH", float(plant.export_wh))
        self.put(701, "TotWhInj", plant.export_wh)
        self.put(701, "TotWhAbs", plant.import_wh)
        self.put(701, "TotWh_SF", 0)
        if plant.asset.stores:
            capacity_wh = plant.asset.capacity_wh
            permille = 5_000 if self.lying else 1000 * plant.level_wh // capacity_wh
            divisor = 1 if capacity_wh < 0xFFFF else 10
            self.put(713, "WHRtg", capacity_wh // divisor)
            self.put(713, "WHAvail", plant.level_wh // divisor)
            for model, name in ((713, "SoC"), (802, "SoC"), (124, "ChaState")):
                self.put(model, name, permille)
        if plant.held is None:
            for model, name in CONTROLS:
                self.put(model, name, 0)

    def _touched(self, model: int, names: Sequence[str], start: int, count: int) -> bool:
        places = [self.places[model, name] for name in names if (model, name) in self.places]
        return any(start <= place.address < start + count for place in places)

    def _obey(self, model: int, name: str, timer: str, *, anew: bool) -> None:
        """Do what a control says while it is on; its timer starts anew where it, or the switch, was told."""
        plant = self._plant
        if self.get(model, name) in (0, 0xFFFF):
            if anew:
                plant.release()
            return
        full_w = max(plant.asset.max_import_w, plant.asset.max_export_w)
        if name == "WSetEna" and self.get(704, "WSetMod") == 0:
            power_w = round(-self.get(704, "WSetPct") * full_w / 100 * 10 ** self.get(704, "WSetPct_SF"))
            band = Band(lo_w=power_w, hi_w=power_w)
        elif name == "WSetEna":
            power_w = round(-self.get(704, "WSet") * 10 ** self.get(704, "WSet_SF"))
            band = Band(lo_w=power_w, hi_w=power_w)
        elif model == 124:
            scale = full_w / 100 * 10 ** self.get(124, "InOutWRte_SF")
            band = Band(lo_w=round(-self.get(124, "OutWRte") * scale), hi_w=round(self.get(124, "InWRte") * scale))
        else:
            limit_w = round(self.get(model, "WMaxLimPct") * full_w / 100 * 10 ** self.get(model, "WMaxLimPct_SF"))
            band = Band(lo_w=-limit_w, hi_w=plant.asset.max_import_w)
        seconds = self.get(model, timer)
        if not anew:
            plant.ask(band, plant.until_s)
            return
        plant.ask(band, None if seconds in (0, 0xFFFF, 0xFFFF_FFFF) else plant.now_s + seconds)


def _counts(group: dict[str, Any]) -> set[str]:
    """Return the names of the points that say how often a group comes."""
    own = {str(inner["count"] or "N") for inner in group.get("groups", []) if "count" in inner}
    return own.union(*(_counts(inner) for inner in group.get("groups", [])))
