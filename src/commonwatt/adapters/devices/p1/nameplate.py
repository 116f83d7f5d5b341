"""Who sends a P1 telegram, and what time the meter has; its number tells of people, so only a fingerprint is kept."""

import hashlib
import re
from datetime import UTC, datetime, timedelta

from commonwatt.model import Nameplate, epoch

LETTERS = 16
"""How long a fingerprint is: two meters of a country share one with a chance of less than one in a million."""
_FIRST_LINE = re.compile(rb"/([A-Za-z]{3})\d(?:\\.)?([^\r\n]{1,60})\r?\n")
_NUMBER = re.compile(rb"0-0:(?:96\.1\.1|42\.0\.0)(?:\.255)?\(([0-9A-Fa-f]{2,96})\)")
_TIME = re.compile(rb"0-0:1\.0\.0(?:\.255)?\((\d{12})([WS])\)")
_AHEAD_OF_UTC = {b"W": timedelta(hours=1), b"S": timedelta(hours=2)}
"""All countries whose meters tell winter and summer apart here have the same time, Ireland's excepted."""


def nameplate_of(telegram: bytes) -> Nameplate | None:
    """Return who sends a telegram; None where none begins in these bytes.

    The serial number is a fingerprint of the meter's number, which tells another meter apart and names nobody. Whoever
    knows the number can make the same fingerprint.

    Source: IEC 62056-21, 6.3.2 (identification line); DSMR 5.0.2 P1, 6.12 (0-0:96.1.1); E-Meter P1 Specification,
    Luxembourg (0-0:42.0.0).
    """
    first, number = _FIRST_LINE.search(telegram), _NUMBER.search(telegram)
    if first is None:
        return None
    return Nameplate(
        make=first[1].decode("ascii"),
        model=first[2].decode("ascii", "replace").strip(),
        serial="" if number is None else fingerprint(number[1]),
    )


def fingerprint(number: bytes) -> str:
    """Return a fingerprint of a meter's number, as the telegram has it in hexadecimal."""
    return hashlib.sha256(b"commonwatt meter " + number.upper()).hexdigest()[:LETTERS]


def told_s(telegram: bytes, *, hours_less: int = 0) -> int | None:
    """Return the time of a telegram in seconds since 1970, None where it tells none that there is.

    Args:
        telegram: From its ``/`` on.
        hours_less: By how many hours the meter's country is behind Central Europe.

    Source: DSMR 5.0.2 P1, 6.4 (TST: YYMMDDhhmmssX, X being S in summer and W in winter).
    """
    found = _TIME.search(telegram)
    if found is None:
        return None
    try:
        wall = datetime.strptime(found[1].decode(), "%y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return epoch(wall - _AHEAD_OF_UTC[found[2]] + timedelta(hours=hours_less))
