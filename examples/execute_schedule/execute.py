"""Carry out a commonwatt schedule with Python's standard library alone: ``python execute.py schedule.json``."""

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path


class ToyCar:
    """Supplies up to 5 kW; draws up to 7.36 kW and, if at all, 1.38 kW or more. Put your own device here."""

    def come_near(self, verb: str, target_w: int) -> int:
        """Take the power nearest to a target that it can, and return it; only the STOP words stop it."""
        power_w = max(-5000, min(7360, target_w))
        return 1380 if 0 < power_w < 1380 and not verb.startswith("STOP") else power_w


class Clock:
    """The real clock, or one that jumps ahead wherever somebody would wait."""

    def __init__(self, shows: datetime | None) -> None:
        self.shows = shows

    def now(self) -> datetime:
        """Return what it shows."""
        return self.shows or datetime.now(UTC)

    def wait(self, until: datetime) -> None:
        """Wait until an instant, if that is still to come."""
        if self.shows:
            self.shows = max(self.shows, until)
        else:
            time.sleep(max(0.0, (until - self.now()).total_seconds()))


def main() -> None:
    """Play a schedule by the clock, or with ``--at-once`` without waiting, and say what is done."""
    parser = argparse.ArgumentParser(description="Carry out a schedule.")
    parser.add_argument("schedule", type=Path)
    parser.add_argument("--at-once", action="store_true", help="from its issue on, without waiting")
    told = parser.parse_args()
    schedule = json.loads(told.schedule.read_text(encoding="utf-8"))
    if schedule["format"].split(".")[0] != "commonwatt-schedule/1":
        sys.exit(f"cannot carry out {schedule['format']}, only commonwatt-schedule/1")
    device, clock = ToyCar(), Clock(datetime.fromisoformat(schedule["issued"]) if told.at_once else None)
    for entry in schedule["instructions"]:
        start, end = datetime.fromisoformat(entry["start"]), datetime.fromisoformat(entry["end"])
        if clock.now() < end:
            clock.wait(start)
            power_w = device.come_near(entry["verb"], entry["power_w"])
            sys.stdout.write(f"{start:%d %b %H:%M:%S} {schedule['asset']} {entry['verb']}: {power_w} W\n")
            sys.stdout.flush()
            clock.wait(end)
    sys.stdout.write("over: the device goes its own way until the next schedule\n")


if __name__ == "__main__":
    main()
