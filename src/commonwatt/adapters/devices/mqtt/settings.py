"""What a devices file says of a device behind a broker: how to reach the broker, and what kind of device it is."""

from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from commonwatt.model import InvalidValue

PORTS = {"mqtt": 1883, "mqtts": 8883}


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every profile knows.

    Args:
        profile: The kind of device.
        user: At the broker.
        password_file: File with the password, mode 0600; a password stands nowhere else.
        ca_file: Who signed the broker's certificate; without, those whom the system trusts.
        certificate_file: Ours, where the broker asks for one.
        key_file: Its key.
        silent_after_s: A device that said nothing for so long is unreachable; 0: what suits the profile.
        answer_within_s: How long an answer may take.
        connect_within_s: How long the broker may take to let us in.
        lease_s: How long the device shall hold what it was told without hearing more.
    """

    profile: str
    user: str = ""
    password_file: str = ""
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    silent_after_s: int = 0
    answer_within_s: float = 4.0
    connect_within_s: float = 5.0
    lease_s: int = 60


class Relay(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A switch: ``falls_back_to`` is what it goes to by itself, ``on`` or ``off``; ``switches = false``: a meter."""

    switches: bool = True
    falls_back_to: str = "on"

    def __post_init__(self) -> None:
        if self.falls_back_to not in ("on", "off"):
            raise InvalidValue(f"a relay falls back to on or off, was {self.falls_back_to!r}")


class Where(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a value stands: topic, path into the JSON, and its scale to W, Wh, mHz or tenths of a degree."""

    topic: str
    path: str = ""
    scale: float | int = 1
    part: str = ""


class Place(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which machine a broker is, and which device behind it a URL names."""

    host: str
    port: int
    tls: bool
    device: str


def place_of(url: str) -> Place:
    """Read a URL: ``mqtt://broker:1883/topic-of-the-device``, or ``mqtts://`` with TLS.

    Raises:
        InvalidValue: It is none, or a secret stands in it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidValue(f"a broker is mqtt://host:port/device, was {url!r}: {error}") from error
    if parts.password is not None or parts.username is not None:
        raise InvalidValue("user and password_file are settings: nothing secret stands in a URL")
    if parts.scheme not in PORTS or not parts.hostname:
        raise InvalidValue(f"a broker is mqtt://host:port/device or mqtts://, was {url!r}")
    device = unquote(parts.path.strip("/"))
    if set(device) & set("+#\0"):
        raise InvalidValue(f"a device's topic has no wildcards, was {device!r}")
    return Place(host=parts.hostname, port=port or PORTS[parts.scheme], tls=parts.scheme == "mqtts", device=device)


def scale_of(number: float) -> Decimal:
    """Return a scale as it was written.

    Raises:
        InvalidValue: It is none that anything could be multiplied with.
    """
    scale = Decimal(str(number))
    if not scale.is_finite() or scale == 0:
        raise InvalidValue(f"a scale is a number other than 0, was {number}")
    return scale


def file_of(name: str) -> Path | None:
    """Return the file that a setting names, if any."""
    return Path(name).expanduser() if name else None


Payload = dict[str, Any] | str
"""What is sent, with ``$w`` and ``$seconds`` where the numbers go."""
