"""What the operator of a gateway sees of its devices: a file, lines in the log, figures; none of them tells of people.

Devices go by their number in the inventory. Which asset a number is, where it is and what it said stands only in the
inventory itself, which `commonwatt devices list` reads.
"""

import json
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.flows.inventory import Health, Mark, Note, Record

HEALTH = "health.json"
LOG = logging.getLogger("commonwatt.devices")
LOUD = (Mark.SILENT, Mark.SKEWED, Mark.QUARANTINED, Mark.REFUSED)


class Fares(msgspec.Struct, frozen=True, kw_only=True):
    """How one device fares, for the operator."""

    device: int
    driver: str
    health: Health
    last_seen_s: int | None
    last_good_s: int | None
    failures: int
    nonsense: int
    silent_since_s: int | None
    clock_ahead_s: int | None
    clock_wrong_since_s: int | None
    quarantined_since_s: int | None


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """How all devices of a gateway fare; ``alarms`` counts those that somebody should look after."""

    at_s: int
    alarms: int
    trouble: str
    devices: list[Fares]


def overview(records: Iterable[Record], at_s: int, trouble: str = "") -> Overview:
    """Return how the devices that a gateway has now fare."""
    here = [record for record in records if record.ended_as is None]
    return Overview(
        at_s=at_s,
        alarms=sum(record.alarmed for record in here),
        trouble="inventory cannot be kept" if trouble else "",
        devices=[
            Fares(
                device=record.number,
                driver=record.driver,
                health=record.health,
                last_seen_s=record.last_seen_s,
                last_good_s=record.last_good_s,
                failures=record.failures,
                nonsense=record.nonsense,
                silent_since_s=record.silent_s,
                clock_ahead_s=record.ahead_s,
                clock_wrong_since_s=record.skewed_s,
                quarantined_since_s=record.quarantined_s,
            )
            for record in here
        ],
    )


def save_overview(folder: Path, seen: Overview) -> None:
    """Write the health file, mode 0600, whole or not at all.

    Raises:
        OSError: The folder cannot be written.
    """
    save_secret(folder / HEALTH, msgspec.json.format(msgspec.json.encode(seen)) + b"\n")


def metrics(seen: Overview) -> str:
    """Return figures in the text format that Prometheus reads."""
    lines = list[str]()
    figures: list[tuple[str, Callable[[Fares], int | None]]] = [
        ("up", lambda fares: int(fares.health is Health.HEALTHY)),
        ("quarantined", lambda fares: int(fares.quarantined_since_s is not None)),
        ("silent", lambda fares: int(fares.silent_since_s is not None)),
        ("clock_wrong", lambda fares: int(fares.clock_wrong_since_s is not None)),
        ("clock_ahead_seconds", lambda fares: fares.clock_ahead_s),
        ("failures", lambda fares: fares.failures),
        ("nonsense_total", lambda fares: fares.nonsense),
        ("last_seen_seconds", lambda fares: fares.last_seen_s or 0),
        ("last_good_seconds", lambda fares: fares.last_good_s or 0),
    ]
    for name, value in figures:
        kind = "counter" if name.endswith("_total") else "gauge"
        lines.append(f"# TYPE commonwatt_device_{name} {kind}")
        lines += [
            f'commonwatt_device_{name}{{device="{fares.device}",driver={json.dumps(fares.driver)}}} {value(fares)}'
            for fares in seen.devices
            if value(fares) is not None
        ]
    return "\n".join([*lines, "# TYPE commonwatt_device_alarms gauge", f"commonwatt_device_alarms {seen.alarms}", ""])


def log_note(note: Note) -> None:
    """Write a line into the log, as JSON, for what happened to a device; words of the device are not in it."""
    line = json.dumps({"at_s": note.at_s, "device": note.number, "event": note.mark.value})
    LOG.log(logging.WARNING if note.mark in LOUD else logging.INFO, line)
