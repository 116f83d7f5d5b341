"""A device as its register map describes it: reads show a plant, and the map's writes are what it obeys."""

import re
import struct
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from commonwatt.model import Band
from commonwatt.simulator.devices.label import label_of
from commonwatt.simulator.devices.modbus_server import ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, ModbusError
from commonwatt.simulator.plant import Plant

FORMATS = {"u16": ">H", "s16": ">h", "u32": ">I", "s32": ">i", "u64": ">Q", "f32": ">f"}
MOST = {
    "u16": 0xFFFF, "s16": 0x7FFF, "u32": 0xFFFFFFFF, "s32": 0x7FFFFFFF, "u64": 0xFFFFFFFFFFFFFFFF, "f32": float("nan"),
}  # fmt: skip
FLOAT_STEP_WH = 10
"""A meter that tells floats tells no more than it shows: hundredths of a kWh."""
Registers = dict[tuple[str, int], int]


class MapUnit:
    """Implements `Unit` and `Named` from a register map's TOML, read as plain data.

    Args:
        registers: The map, as ``tomllib`` reads it.
        plant: What it is.
        load_w: What else the connection point carries, for a device that holds its line.

    ``nameplate`` stands in the registers of the map; one that has none there knows function 43/14. ``lying`` shows what
    cannot be true: every value its largest, floats no number. ``written`` holds what was written.
    """

    def __init__(self, registers: dict[str, Any], plant: Plant, load_w: Callable[[], int] = lambda: 0) -> None:
        self._map, self._plant, self._load_w = registers, plant, load_w
        self._low_first = registers.get("word_order", "high") == "low"
        self._control = registers.get("control", {"hold": [], "release": []})
        self._own_w = plant.own_w
        self.lying = False
        self.nameplate = label_of(plant)
        self.written: Registers = {}
        addresses = self._shown()
        self._known = {(table, at) for table, address in addresses for at in range(address - 64, address + 65)}
        self._writable = {
            write["address"] + n
            for write in (*self._control["hold"], *self._control["release"])
            for n in range(self._width(write["words"]))
        }

    def read(self, table: str, address: int, count: int) -> Sequence[int]:
        """Return registers; those around what the map names read as zero, others are refused."""
        shown = self._shown() | self.written
        asked = [(table, address + n) for n in range(count)]
        if any(one not in self._known and one not in shown for one in asked):
            raise ModbusError(ILLEGAL_ADDRESS)
        return [shown.get(one, 0) for one in asked]

    def write(self, address: int, words: Sequence[int]) -> None:
        """Keep registers, and do what they ask for once a sequence of the map is complete."""
        if not all(address + n in self._writable for n in range(len(words))):
            raise ModbusError(ILLEGAL_ADDRESS)
        self.written |= {("holding", address + n): word for n, word in enumerate(words)}
        last = self._control["release"][-1]
        if last["address"] == address and self._stands(self._control["release"]):
            self._plant.release()
            self._plant.own_w = self._own_w
            return
        for way, sign in (("charge", 1), ("discharge", -1), ("rest", 0)):
            writes = [write for write in self._control["hold"] if write.get("when", way) == way]
            if writes[-1]["address"] == address and self._stands(writes):
                self._obey(self._variables(writes), sign)
                return

    def names(self) -> dict[int, str]:
        """Return vendor, product code and revision, where the map has no registers for them."""
        if "nameplate" in self._map:
            raise ModbusError(ILLEGAL_FUNCTION)
        return {0: self.nameplate.make, 1: self.nameplate.model, 2: self.nameplate.firmware}

    def restart(self) -> None:
        """Lose power for a moment."""
        self.written.clear()
        self._plant.own_w = self._own_w
        self._plant.restart()

    def _obey(self, told: dict[str, int], sign: int) -> None:
        plant = self._plant
        if "line_w" in told:
            most_w = max(plant.asset.max_import_w, plant.asset.max_export_w)
            plant.own_w = lambda: told["line_w"] - self._load_w()
            plant.ask(Band(lo_w=-most_w, hi_w=most_w), None)
            return
        power_w = told["w"] if "w" in told else -told["minus_w"] if "minus_w" in told else sign * told["abs_w"]
        until_s = plant.now_s + told["seconds"] if "seconds" in told else None
        plant.ask(Band(lo_w=power_w, hi_w=power_w), until_s)

    def _stands(self, writes: list[dict[str, Any]]) -> bool:
        """Tell whether all constants of a sequence stand in the registers."""
        return all(
            raw == word["const"] for write in writes for word, raw in self._each(write) if word.get("const") is not None
        )

    def _variables(self, writes: list[dict[str, Any]]) -> dict[str, int]:
        return {
            word["of"]: int(raw * Decimal(word.get("scale", "1")))
            for write in writes
            for word, raw in self._each(write)
            if "of" in word and raw is not None
        }

    def _each(self, write: dict[str, Any]) -> list[tuple[dict[str, Any], int | None]]:
        values, at = [], write["address"]
        for word in write["words"]:
            kind = word.get("type", "u16")
            width = struct.calcsize(FORMATS[kind]) // 2
            words = [self.written.get(("holding", at + n)) for n in range(width)]
            values.append((word, None if None in words else self._unpacked(kind, [w or 0 for w in words])))
            at += width
        return values

    def _shown(self) -> Registers:
        """Return all that the device measures and says of itself, as registers."""
        shown = self._label()
        plant, first = self._plant, set()
        power_w = plant.power_w
        capacity_wh = plant.asset.capacity_wh
        true: dict[str, float | int | None] = {
            "power_w": power_w,
            "line_w": power_w + self._load_w(),
            "import_wh": plant.import_wh,
            "export_wh": plant.export_wh,
            "level_wh": plant.level_wh,
            "soc_percent": 100 * plant.level_wh / capacity_wh if capacity_wh else None,
            "frequency_hz": 50,
        }
        for register in self._map["register"]:
            meaning, kind = register["meaning"], register["type"]
            value = true.get(meaning) if meaning not in first else 0
            first.add(meaning)
            bit = register.get("negative_when")
            if bit is not None and value is not None:
                shown[bit.get("table", "input"), bit["address"]] = (1 << bit["bit"]) if value < 0 else 0
                value = abs(value)
            if self.lying:
                raw = MOST[kind]
            else:
                raw = self._raw(value or 0, kind, meaning, Decimal(register.get("scale", "1")))
            shown |= self._placed(register.get("table", "input"), register["address"], kind, raw)
        return shown

    def _label(self) -> Registers:
        """Return the registers of the nameplate: texts as they are, numbers as the digits that stand in them."""
        shown: Registers = {}
        for name, parts in self._map.get("nameplate", {}).items():
            told = getattr(self.nameplate, name)
            numbers = [int(digits) for digits in re.findall(r"\d+", told)]
            for place, part in enumerate(parts if isinstance(parts, list) else ()):
                table, address = part.get("table", "input"), part["address"]
                if "words" in part:
                    data = told.encode()[: 2 * part["words"]].ljust(2 * part["words"], b"\0")
                    words = struct.unpack(f">{part['words']}H", data)
                    shown |= {(table, address + n): word for n, word in enumerate(words)}
                else:
                    shown |= self._placed(table, address, part["type"], numbers[place] if place < len(numbers) else 0)
        return shown

    @staticmethod
    def _raw(value: float, kind: str, meaning: str, scale: Decimal) -> float | int:
        if kind == "f32":
            if meaning in ("import_wh", "export_wh"):
                value = value // FLOAT_STEP_WH * FLOAT_STEP_WH
            return float(Decimal(value) / scale)
        if meaning in ("import_wh", "export_wh"):
            return int(Decimal(value) // scale)
        return round(Decimal(value) / scale)

    def _placed(self, table: str, address: int, kind: str, raw: float | int) -> Registers:
        data = struct.pack(FORMATS[kind], raw)
        words = [int.from_bytes(data[n : n + 2]) for n in range(0, len(data), 2)]
        return {(table, address + n): word for n, word in enumerate(words[::-1] if self._low_first else words)}

    def _unpacked(self, kind: str, words: list[int]) -> int:
        ordered = words[::-1] if self._low_first else words
        (value,) = struct.unpack(FORMATS[kind], b"".join(word.to_bytes(2) for word in ordered))
        return int(value)

    @staticmethod
    def _width(words: list[dict[str, Any]]) -> int:
        return sum(struct.calcsize(FORMATS[word.get("type", "u16")]) // 2 for word in words)
