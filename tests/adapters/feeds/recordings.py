"""Some days of recorded carbon and prices, and weather beside them, as every publisher of the twin tells them."""

import json
from datetime import UTC, datetime
from pathlib import Path

from commonwatt.adapters.feeds.client import HttpFeed
from commonwatt.adapters.feeds.sources import SOURCES
from commonwatt.model import epoch
from commonwatt.simulator.feeds.formats import Recording, Recordings

DAY_S = epoch(datetime(2020, 3, 29, tzinfo=UTC))
NOW_S = DAY_S + 9 * 3_600
TOKENS = {"entsoe": "s3cret-entsoe", "electricity_maps": "s3cret-maps"}
SETTINGS: dict[str, dict[str, object]] = {
    "open_meteo": {"latitude": 51.5, "longitude": -0.12},
    "met_norway": {"latitude": 51.5, "longitude": -0.12},
    "entsoe": {"zone": "10Y1001A1001A82H"},
    "octopus": {"product": "AGILE-18-02-21", "tariff": "E-1R-AGILE-18-02-21-A"},
    "gb_carbon": {},
    "electricity_maps": {"zone": "DE"},
}
PLACES = {"gb_carbon": "GB", "electricity_maps": "GB", "octopus": "agile", "entsoe": "DE-LU"}
_CARBON = json.loads((Path(__file__).parent / "recorded" / "gb_carbon.json").read_text())["data"]


def _days(values: list[str], step_s: int, days: int = 6) -> Recording:
    """Repeat some hours' values over days from two days before on."""
    count = days * 86_400 // step_s
    return Recording(
        start_s=DAY_S - 2 * 86_400, step_s=step_s, values=tuple(values[n % len(values)] for n in range(count))
    )


def recordings() -> dict[str, Recordings]:
    """Return what is published of each source; carbon measured up to the half-hour that is over."""
    forecast = [str(one["intensity"]["forecast"]) for one in _CARBON]
    actual = [str(one["intensity"]["actual"]) for one in _CARBON if one["intensity"]["actual"] is not None]
    measured = _days(actual, 1_800)
    told = Recording(
        start_s=measured.start_s, step_s=1_800, values=measured.values, until_s=lambda now_s: now_s // 1_800 * 1_800
    )
    weather = {
        "temperature": _days(["6.1", "6.8", "7.4", "-0.4"], 3_600),
        "cloud": _days(["87", "100", "64"], 3_600),
        "radiation": _days(["0.0", "212.5", "301"], 3_600),
    }
    return {
        "open_meteo": weather,
        "met_norway": weather,
        "entsoe": {"price": _days(["40.1", "40.1", "33.95", "-1.02"], 3_600)},
        "octopus": {"price": _days(["13.23", "13.314", "12.5265", "-2.1"], 1_800)},
        "gb_carbon": {"forecast": _days(forecast, 1_800), "actual": told},
        "electricity_maps": {"forecast": _days(["326", "342"], 3_600), "actual": _days(["310", "299"], 3_600)},
    }


def feed(source: str, address: str, name: str | None = None, within_s: float = 20.0, **told: object) -> HttpFeed:
    """Return a feed of the twin."""
    known = SOURCES[source]
    return HttpFeed(
        name or source,
        source,
        PLACES.get(source, "here"),
        known.read_settings(SETTINGS[source] | told),
        _ticks_s,
        address=address,
        token=TOKENS.get(source),
        contact="ops@street.example" if known.contact else None,
        within_s=within_s,
    )


def _ticks_s() -> float:
    return datetime.now(UTC).timestamp()
