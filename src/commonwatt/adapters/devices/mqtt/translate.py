"""From MQTT messages to numbers: where a value stands in a message, what it means, and what cannot be true."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from commonwatt.model import InvalidValue

COUNTERS = ("import_wh", "export_wh")
NEVER_NEGATIVE = ("import_wh", "export_wh", "level_wh", "frequency_mhz")
FIELDS = (
    "power_w",
    *COUNTERS,
    "level_wh",
    "connected",
    "frequency_mhz",
    "indoor_decicelsius",
    "outdoor_decicelsius",
)
"""What of a `DeviceState` may come in messages."""
ALIVE = "alive"
"""A field of its own: it only says that the device is there."""

MOST = Decimal(10) ** 15
"""No small asset's number is larger, in whatever unit: beyond lies a broken one."""
_PLAIN = re.compile(r"[^A-Za-z0-9_-]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_TRUE = ("true", "on", "online", "1", "yes", "connected")
_FALSE = ("false", "off", "offline", "0", "no", "disconnected")
_NOTHING_YET = ("", "unknown", "unavailable", "none", "null")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """Where one value of a device's state stands.

    Args:
        field: Of `DeviceState`, one of ``FIELDS``, or ``ALIVE``.
        topic: On which it arrives, without wildcards.
        path: Keys and list positions that lead to it in the JSON message; none where the message is the value.
        scale: What it is multiplied with to become the field's unit, with the sign that makes import positive.
        part: Values of one field add up where their parts differ (phases); of one part they are the same thing told
            in two ways, and the newest counts.
    """

    field: str
    topic: str
    path: tuple[str, ...] = ()
    scale: Decimal = Decimal(1)
    part: str = ""

    def __post_init__(self) -> None:
        if not self.topic or set(self.topic) & set("+#\0"):
            raise InvalidValue(f"a value arrives on one topic without wildcards, was {self.topic!r} for {self.field}")


def decoded(payload: bytes, values: Sequence[Value]) -> dict[Value, Decimal]:
    """Return what a message says of the values that may stand in it; what is not in it is left out.

    Raises:
        InvalidValue: The message is no JSON, or one of its values cannot be true: nothing of it is used.
    """
    document: Any = None
    if any(value.path for value in values):
        document = json_of(payload)
    found: dict[Value, Decimal] = {}
    for value in values:
        raw = picked(document, value.path) if value.path else plain(payload)
        if raw is not None:
            found[value] = quantity(raw, value)
    return found


def json_of(payload: bytes) -> Any:
    """Return a JSON document with its fractions as they stand, not as floats.

    Raises:
        InvalidValue: It is none; ``NaN`` is none either.
    """
    try:
        return _DECODER.decode(payload)
    except (msgspec.DecodeError, ArithmeticError, ValueError, RecursionError) as error:
        raise InvalidValue(f"a message is JSON, was {payload[:80]!r}: {error}") from error


def picked(document: Any, path: Sequence[str]) -> Any:
    """Return what stands at a path of keys and list positions, or None."""
    here = document
    for step in path:
        if isinstance(here, Mapping):
            here = here.get(step)
        elif isinstance(here, list) and step.isdecimal() and int(step) < len(here):
            here = here[int(step)]
        else:
            return None
    return here


def plain(payload: bytes) -> str:
    """Return the text of a message that is its value.

    Raises:
        InvalidValue: It is no text.
    """
    try:
        return payload.decode().strip().strip('"')
    except UnicodeDecodeError as error:
        raise InvalidValue(f"a message is text, was {payload[:80]!r}") from error


def quantity(raw: Any, value: Value) -> Decimal:
    """Return a value in its field's unit; a list is one number per phase, and adds up.

    Raises:
        InvalidValue: It is no number, or none that could be true of the field.
    """
    if value.field in ("connected", ALIVE):
        return Decimal(truth(raw))
    if isinstance(raw, list) and raw:
        if any(isinstance(one, list) for one in raw):
            raise InvalidValue(f"a list is one number per phase, was a list of lists on {value.topic}")
        return sum((quantity(one, value) for one in raw), Decimal(0))
    number = decimal_of(raw, value.topic) * value.scale
    if abs(number) > MOST:
        raise InvalidValue(f"no asset shows so much on {value.topic}, was {raw} for {value.field}")
    if number < 0 and value.field in NEVER_NEGATIVE:
        raise InvalidValue(f"{value.field} is zero or more, was {raw} on {value.topic}")
    return number


def decimal_of(raw: Any, where: str) -> Decimal:
    """Return a number, also where it travels as text.

    Raises:
        InvalidValue: It is none: ``NaN``, an infinity, a truth or something else.
    """
    if isinstance(raw, bool) or not isinstance(raw, int | Decimal | str):
        raise InvalidValue(f"a value on {where} is a number, was {raw!r}")
    if isinstance(raw, str):
        text = raw.strip()
        if text.lower() in _NOTHING_YET:
            raise InvalidValue(f"no value is known on {where}, was {raw!r}")
        if not _NUMBER.fullmatch(text):
            raise InvalidValue(f"a value on {where} is a number, was {raw[:40]!r}")
        raw = text
    number = Decimal(raw)
    # Looked at before anything is computed: an exponent of millions would overflow whoever multiplies it.
    if not number.is_finite() or number.adjusted() > MOST.adjusted():
        raise InvalidValue(f"nothing shows so much on {where}, was {str(raw)[:40]}")
    return number


def truth(raw: Any) -> bool:
    """Return what a message means by on, off and the like.

    Raises:
        InvalidValue: It is neither.
    """
    word = str(raw).strip().lower()
    if word not in _TRUE + _FALSE:
        raise InvalidValue(f"a truth is on or off, was {str(raw)[:40]!r}")
    return word in _TRUE


def whole(number: Decimal) -> int:
    """Return a whole number, rounded down: a counter never shows what has not flowed yet."""
    return int(number.to_integral_value(rounding="ROUND_FLOOR"))


def path_of(text: str) -> tuple[str, ...]:
    """Return the steps of a path as people write it: ``ENERGY.Power`` or ``phases.0.power``; empty for none."""
    return tuple(step for step in text.split(".") if step)


def named(name: str) -> str:
    """Return a name of letters, digits, ``-`` and ``_``; what had to change keeps a trace of what it was."""
    made = _PLAIN.sub("_", name)
    return made if made == name else f"{made}_{hashlib.sha256(name.encode()).hexdigest()[:6]}"


_DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=Decimal)
