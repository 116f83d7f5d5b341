"""Heat pumps by physics: a water circuit behind a thermostat, minute by minute, in the weather that was."""

import csv
import gzip
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from commonwatt.assets import heat
from commonwatt.assets.thermal import Body
from commonwatt.model import SLOTS_PER_DAY

Floats = NDArray[np.float64]
ROOM_MC = 20_000
DATA = Path(os.environ.get("COMMONWATT_DATA", "/nowhere"))
WEATHER = DATA / "weather/uk_temp_2m_hourly_2020_2022.csv.gz"
needs_weather = pytest.mark.skipif(not WEATHER.exists(), reason="needs the recorded weather")


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """A heating circuit: how much water it holds, what radiators give, its pump, and how far its thermostat lets go.

    Args:
        wh_per_k: Of its water.
        gives_mw_per_k: Of its radiators, per kelvin above the room.
        pump: The machine.
        hysteresis_k: Between off and on.
        steep: Kelvins of flow above the room for each kelvin that it is colder outside than in.
        follows: Whether the machine turns itself down as far as it can; else it is on or off.
    """

    wh_per_k: int = 500
    gives_mw_per_k: int = 300_000
    pump: heat.Pump
    hysteresis_k: float = 6.0
    steep: float = 0.7
    follows: bool = True


def turned_down(most_w: int = 3_000, least_w: int = 900) -> heat.Pump:
    """Return a pump that follows what is needed; on and off where least and most are one."""
    return heat.Pump(most_w=most_w, least_w=least_w, efficiency=((0, 3_300),))


def drawn_wh(circuit: Circuit, outdoor_c: Floats, seed: int = 1) -> Floats:
    """Return what a pump draws in each slot of some days, (days, slots) Wh, when it is so cold outside."""
    body = Body(wh_per_k=circuit.wh_per_k, loss_mw_per_k=circuit.gives_mw_per_k)
    random = np.random.default_rng(seed)
    found = np.zeros(outdoor_c.size)
    level, on = 0, False
    for slot, outside in enumerate(outdoor_c.ravel().tolist()):
        sun = random.uniform(0, 3) if 36 <= slot % SLOTS_PER_DAY < 64 else 0.0
        night = 2.0 if slot % SLOTS_PER_DAY < 20 else 0.0
        target = circuit.steep * max(0.0, 17 - outside - sun - night)
        for _ in range(15):
            warm = level / circuit.wh_per_k
            on = target > 1 and (
                warm < target + circuit.hysteresis_k / 2 if on else warm < target - circuit.hysteresis_k / 2
            )
            need_w = (
                circuit.gives_mw_per_k / 1000 * (target + circuit.hysteresis_k / 4) / 3.3 if circuit.follows else 1e9
            )
            power = round(min(max(need_w, circuit.pump.least_w), circuit.pump.most_w)) if on else 0
            done = heat.step(body, circuit.pump, level, power, 60, outdoor_mc=ROOM_MC, zero_mc=ROOM_MC)
            level = done.level_wh
            found[slot] += done.import_wh
    return found.reshape(outdoor_c.shape)


def english_weather(first: str, days: int) -> Floats:
    """Return recorded temperatures of so many days from one on: (days, slots) degrees Celsius."""
    with gzip.open(WEATHER, "rt", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    start = next(n for n, row in enumerate(rows) if first in row[0])
    return np.repeat([float(row[1]) for row in rows[start : start + 24 * days]], 4).reshape(days, SLOTS_PER_DAY)
