"""Who a device behind a broker says that it is, and what time it has: how it is asked, and what is heard."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from commonwatt.adapters.devices.mqtt.translate import json_of, picked
from commonwatt.model import NO_NAMEPLATE, InvalidValue, Nameplate, epoch

LONGEST = 60
"""No part of a nameplate is longer; what is, is cut."""
CTIME = "%a %b %d %H:%M:%S %Y"
"""How Tasmota wrote times before version 6."""


@dataclass(frozen=True, slots=True)
class Note:
    """A message to send: never retained, since a command that outlives its hour is a ghost."""

    topic: str
    payload: bytes


class Told(NamedTuple):
    """What one message says: parts of a nameplate, empty for what is not in it, and the time, seconds since 1970."""

    nameplate: Nameplate = NO_NAMEPLATE
    clock_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """How a kind of device says who it is.

    Args:
        topics: Topics and filters on which it does.
        hear: Called with topic and payload of what arrives there.
        ask: What makes it say so; nothing for what only tells when it likes.
    """

    topics: tuple[str, ...]
    hear: Callable[[str, bytes], Told]
    ask: tuple[Note, ...] = ()


def object_of(payload: bytes) -> Mapping[str, Any]:
    """Return a message that is a JSON object, an empty one for any other."""
    try:
        said = json_of(payload)
    except InvalidValue:
        return {}
    return said if isinstance(said, dict) else {}


def text_at(said: Any, *path: str) -> str:
    """Return a text in a message, or a whole number as one; nothing where there is neither."""
    found = picked(said, path) if path else said
    if isinstance(found, bool) or not isinstance(found, str | int):
        return ""
    return "".join(letter for letter in str(found) if letter.isprintable()).strip()[:LONGEST]


def unix_at(said: Any, *path: str) -> int | None:
    """Return a time in a message that counts seconds since 1970, None where a device has none yet."""
    found = picked(said, path)
    if isinstance(found, bool) or not isinstance(found, int | Decimal) or not 0 < found < 10**11:
        return None
    return int(found)


def utc_at(said: Any, *path: str) -> int | None:
    """Return a time in a message that is written in UTC, None where it is none."""
    words = text_at(said, *path)
    for read in (datetime.fromisoformat, lambda text: datetime.strptime(text, CTIME).replace(tzinfo=UTC)):
        try:
            found = read(words)
        except ValueError:
            continue
        return epoch(found if found.tzinfo is not None else found.replace(tzinfo=UTC))
    return None
