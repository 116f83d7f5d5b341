"""Cut the recorded slices that the street replays; run once, its output is committed.

Usage: ``COMMONWATT_DATA=<folder of the curated data> python examples/street/prepare.py``.
Sources, licences and every rule applied here are told in ``data/SOURCES.md``.
"""

import csv
import gzip
import io
import os
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

SOURCE = Path(os.environ.get("COMMONWATT_DATA", Path(__file__).parents[3] / "shared" / "data"))
TARGET = Path(__file__).parent / "data"
HOMES_FROM, HOMES_TO = datetime(2016, 10, 18), datetime(2016, 12, 3)  # noqa: DTZ001  local clock, as recorded
PRICES_FROM, PRICES_TO = "2018-10-30", "2018-12-03"
CARS = 6
CHARGER_KW = 11.5


def main() -> None:
    """Write the three slices."""
    TARGET.mkdir(exist_ok=True)
    _write("homes_2016_hourly_wh.csv", _homes())
    _write("prices_2018_halfhourly_pence.csv", _prices())
    _write("sessions_2019_november.csv", _sessions())


def _homes() -> Iterator[list[object]]:
    """Load and solar of the ten homes; hour labels count the hour that ends there."""
    rows: dict[datetime, list[object]] = defaultdict(list)
    header: list[object] = ["hour_start_local"]
    for phase, numbers in ((1, range(1, 6)), (2, range(6, 11))):
        archive = SOURCE / "households" / f"citylearn_challenge_2022_phase_{phase}.tar.gz"
        with tarfile.open(archive) as tar:
            for number in numbers:
                solar_kw = 5 if number in (4, 10) else 4
                header += [f"load_{number:02d}_wh", f"solar_{number:02d}_wh"]
                member = tar.extractfile(f"citylearn_challenge_2022_phase_{phase}/Building_{number}.csv")
                assert member is not None
                hour_start = datetime(2016, 7, 31, 23)  # noqa: DTZ001  the first row is hour 24 of 31 July
                for row in csv.DictReader(io.TextIOWrapper(member)):
                    assert int(row["hour"]) == (hour_start.hour + 1)
                    if HOMES_FROM <= hour_start < HOMES_TO:
                        load_wh = round(float(row["non_shiftable_load"]) * 1000)
                        rows[hour_start] += [load_wh, round(float(row["solar_generation"]) * solar_kw)]
                    hour_start += timedelta(hours=1)
    yield header
    for hour_start, values in sorted(rows.items()):
        yield [hour_start.isoformat(), *values]


def _prices() -> Iterator[list[object]]:
    """Import and export price where both were published, in UTC."""
    exports = {}
    with gzip.open(SOURCE / "prices" / "gb_octopus_outgoing_SE_2018.csv.gz", "rt") as file:
        for row in csv.reader(file):
            exports[row[0].replace(" ", "T") + "Z"] = row[1]
    yield ["start_utc", "import_pence_per_kwh", "export_pence_per_kwh"]
    with gzip.open(SOURCE / "prices" / "gb_octopus_agile_A_eastern_2018-02_2021-08.csv.gz", "rt") as file:
        for row in csv.reader(file):
            if PRICES_FROM <= row[0] < PRICES_TO:
                yield [row[0], row[2], exports[row[0]]]


def _sessions() -> Iterator[list[object]]:
    """November sessions of the six users who stayed and charged most often in the October before, cleaned."""
    by_user: dict[str, list[tuple[datetime, datetime, float]]] = defaultdict(list)
    with gzip.open(SOURCE / "ev" / "norway_residential_sessions_2018-21_6sites.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            if not row["plugout_time"]:
                continue
            start, end = (datetime.fromisoformat(row[name]) for name in ("plugin_time", "plugout_time"))
            kwh, hours = float(row["energy_session"]), (end - start).total_seconds() / 3600
            clean = 0.5 < kwh <= 150 and 2 / 60 <= hours <= 120 and kwh / hours < CHARGER_KW
            if clean and start.year == 2019 and start.month in (10, 11):
                by_user[row["user_id"]].append((start, end, kwh))
    in_october = {user: sum(s[0].month == 10 for s in sessions) for user, sessions in by_user.items()}
    stayed = [user for user, sessions in by_user.items() if any(s[0].month == 11 for s in sessions)]
    chosen = sorted(stayed, key=lambda user: (-in_october[user], user))[:CARS]
    yield ["car", "user_id", "plugin_local", "plugout_local", "energy_wh"]
    for number, user in enumerate(chosen, 1):
        last_end = None
        for start, end, kwh in sorted(by_user[user]):
            if start.month == 11 and (last_end is None or start >= last_end):
                last_end = end
                yield [number, user, start.isoformat(), end.isoformat(), round(kwh * 1000)]


def _write(name: str, rows: Iterator[list[object]]) -> None:
    with (TARGET / name).open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    main()
