"""What a P1 telegram says: found in a stream of bytes, checked, and read into whole watts and watt-hours."""

import logging
import re
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import cache
from typing import Any, Literal

from dsmr_parser import telegram_specifications as known  # type: ignore[import-untyped]  # it ships no types
from dsmr_parser.exceptions import ParseError  # type: ignore[import-untyped]  # likewise
from dsmr_parser.parsers import TelegramParser  # type: ignore[import-untyped]  # likewise

from commonwatt.model import InvalidValue

Version = Literal[
    "2.2", "3", "4", "5", "belgium", "luxembourg", "sweden", "hungary", "austria", "steiermark", "ireland"
]
Checksum = Literal["crc16", "x25"]
SPECIFICATIONS: dict[str, dict[str, Any]] = {
    "2.2": known.V2_2,
    "3": known.V3,
    "4": known.V4,
    "5": known.V5,
    "belgium": known.BELGIUM_FLUVIUS,
    "luxembourg": known.LUXEMBOURG_SMARTY,
    "sweden": known.SWEDEN,
    "hungary": known.EON_HUNGARY,
    "austria": known.Q3D,
    "steiermark": known.AUSTRIA_ENERGIENETZE_STEIERMARK,
    "ireland": known.ISKRA_IE,
}
IMPORTED, EXPORTED = "ELECTRICITY_IMPORTED_TOTAL", "ELECTRICITY_EXPORTED_TOTAL"
DRAWS, SUPPLIES = "CURRENT_ELECTRICITY_USAGE", "CURRENT_ELECTRICITY_DELIVERY"
TARIFFS_IN = tuple(f"ELECTRICITY_USED_TARIFF_{number}" for number in (1, 2, 3, 4))
TARIFFS_OUT = tuple(f"ELECTRICITY_DELIVERED_TARIFF_{number}" for number in (1, 2, 3, 4))
WANTED = frozenset({IMPORTED, EXPORTED, DRAWS, SUPPLIES, *TARIFFS_IN, *TARIFFS_OUT})
PER_UNIT = {"kWh": 1000, "Wh": 1, "kW": 1000, "W": 1}
LONGEST = 16_384
"""No telegram is longer, in bytes; what goes on for longer without an end is none."""
logging.getLogger("dsmr_parser").setLevel(logging.CRITICAL)  # it logs a traceback per line that noise has bitten
_START = re.compile(rb"/[A-Za-z]{3}[0-9]")
"""The maker's three letters and the speed of the port (IEC 62056-21, 6.3.2)."""
_END = re.compile(rb"!([0-9A-Fa-f]{0,4})\x00?\r?\n")
# Polynomial, start and end: DSMR 5.0.2 P1, 6.2 (CRC-16/ARC); ISO/IEC 13239 (CRC-16/X-25).
_POLYNOMIALS: dict[str, tuple[int, int, int]] = {"crc16": (0xA001, 0, 0), "x25": (0x8408, 0xFFFF, 0xFFFF)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a telegram shows, W and Wh, import positive; None for what the meter does not tell."""

    power_w: int | None
    import_wh: int
    export_wh: int | None


def shown(telegram: bytes, version: Version, checksum: Checksum) -> Shown:
    """Return what one telegram shows.

    Args:
        telegram: From its ``/`` to the end of its last line.
        version: Whose telegram it is.
        checksum: How the meter reckons it, where its version has one.

    Raises:
        InvalidValue: It is damaged, tells no counter of energy, or one that cannot be.

    Source: DSMR 5.0.2 P1 companion standard, 6.12; registers are OBIS 1.8.0 or 1.8.1 and 1.8.2, 2.8.x, 1.7.0, 2.7.0.
    """
    if SPECIFICATIONS[version]["checksum_support"]:
        _check(telegram, checksum)
    # Some readers pass lines on with a bare line feed; the checksum was made over what the meter sent.
    text = telegram.decode("latin-1").replace("\r\n", "\n").replace("\n", "\r\n")
    try:
        found = _parser(version).parse(text, throw_ex=True)
        told = {name: getattr(found, name) for name in WANTED if hasattr(found, name)}
        whole = {name: _whole(name, value) for name, value in told.items()}
    except (ParseError, InvalidOperation, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise InvalidValue(f"a telegram's lines are as its version says, was {str(error)[:120]}") from error
    imported, exported = _counter(whole, IMPORTED, TARIFFS_IN), _counter(whole, EXPORTED, TARIFFS_OUT)
    if imported is None:
        raise InvalidValue("a telegram tells its energy by 1.8.0 or by 1.8.1 and 1.8.2, was without")
    draws = whole.get(DRAWS)
    return Shown(
        power_w=None if draws is None else draws - whole.get(SUPPLIES, 0), import_wh=imported, export_wh=exported
    )


@dataclass(slots=True)
class Framer:
    """Finds telegrams in what a port sends: from a ``/`` and its maker to the line that starts with ``!``.

    Args:
        dropped: How many beginnings had no end: cut short by the next telegram, or far too long.
    """

    dropped: int = 0
    _buffer: bytearray = field(default_factory=bytearray)

    @property
    def begun(self) -> bool:
        """Tell whether a telegram was begun whose end has not come yet."""
        return b"/" in self._buffer

    def feed(self, piece: bytes) -> list[bytes]:
        """Take what arrived; return the telegrams that it completes."""
        self._buffer += piece
        telegrams = []
        while (end := _END.search(self._buffer)) is not None:
            telegram = bytes(self._buffer[: end.end()])
            del self._buffer[: end.end()]
            starts = [found.start() for found in _START.finditer(telegram)]
            if not starts:
                self.dropped += 1  # we came in the middle, or what came is no telegram
                continue
            if starts[-1] > 0:
                self.dropped += 1  # the one before had no end
            telegrams.append(telegram[starts[-1] :])
        if len(self._buffer) > LONGEST:
            self._buffer.clear()
            self.dropped += 1
        return telegrams

    def forget(self) -> None:
        """Forget the beginning of a telegram whose connection is gone."""
        self.dropped += bool(self._buffer)
        self._buffer.clear()


def crc(data: bytes, checksum: Checksum) -> int:
    """Return the checksum of a telegram from its ``/`` to its ``!``, both included."""
    _, value, final = _POLYNOMIALS[checksum]
    table = _table(checksum)
    for byte in data:
        value = (value >> 8) ^ table[(value ^ byte) & 0xFF]
    return value ^ final


def _check(telegram: bytes, checksum: Checksum) -> None:
    body, _, rest = telegram.rpartition(b"!")
    told = rest.strip(b"\x00\r\n").decode("latin-1")
    found = f"{crc(body + b'!', checksum):04X}"
    if told.upper() != found:
        raise InvalidValue(f"a telegram's checksum fits what it says ({found}), was {told or 'none'}")


def _whole(name: str, told: Any) -> int:
    """Return a value in whole W or Wh; a counter's part of a Wh is not counted yet."""
    factor = PER_UNIT.get(told.unit)
    if factor is None or ("CURRENT" in name) == told.unit.endswith("h"):
        raise ValueError(f"{name} in {told.unit}")
    exact = Decimal(told.value) * factor
    if not exact.is_finite() or not 0 <= exact < 10**12:
        raise ValueError(f"{name} of {told.value} {told.unit}")
    return int(exact.to_integral_value(ROUND_HALF_EVEN)) if "CURRENT" in name else int(exact)


def _counter(whole: dict[str, int], total: str, tariffs: tuple[str, ...]) -> int | None:
    """Return a counter: its total, or its tariffs' sum, of which one missing would look like energy lost."""
    if total in whole:
        return whole[total]
    found = [whole[name] for name in tariffs if name in whole]
    if found and not (tariffs[0] in whole and tariffs[1] in whole):
        raise InvalidValue(f"a telegram tells both tariffs, was only one of {tariffs[0]} and its other")
    return sum(found) if found else None


@cache
def _parser(version: Version) -> TelegramParser:
    """Return a parser of the few lines that we read: what stands in the others is not our business."""
    objects = [what for what in SPECIFICATIONS[version]["objects"] if what["value_name"] in WANTED]
    return TelegramParser({"checksum_support": False, "objects": objects}, apply_checksum_validation=False)


@cache
def _table(checksum: Checksum) -> tuple[int, ...]:
    polynomial = _POLYNOMIALS[checksum][0]
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ polynomial if value & 1 else value >> 1  # noqa: PLW2901  a register being shifted
        table.append(value)
    return tuple(table)
