"""Read MET Norway's location forecast: temperature and cloud, by the hour as far as it goes."""

from typing import Annotated

import msgspec
from msgspec import Meta

from commonwatt.adapters.feeds.reading import About, Question, json_object, moment_s, part, put, rows, whole
from commonwatt.flows.feeds.series import Issue, What
from commonwatt.model import Interval, InvalidValue

HOUR_S = 3_600
_COLUMNS = {
    "air_temperature": (What.TEMPERATURE, "celsius", 1_000),
    "cloud_area_fraction": (What.CLOUD, "%", 10),
}


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where: degrees north and east, metres above the sea where known."""

    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]
    altitude_m: Annotated[int, Meta(ge=-500, le=9_000)] | None = None


def question(settings: Settings, window: Interval) -> Question:
    """Return what to ask: with four decimals at most, as its terms demand, so that neighbours share an answer."""
    query = {"lat": f"{settings.latitude:.4f}", "lon": f"{settings.longitude:.4f}"}
    if settings.altitude_m is not None:
        query["altitude"] = str(settings.altitude_m)
    return Question(path="/weatherapi/locationforecast/2.0/compact", query=query)


def issues(content: bytes, about: About) -> list[Issue]:
    """Return one series a quantity, as far as values come every hour; what comes every six hours later is left out.

    Raises:
        InvalidValue: The answer is none, or in other units.

    Source: docs.api.met.no, Locationforecast 2.0 data model, and the general forecast JSON format.
    """
    told = json_object(content)
    issued_s = moment_s(part(told, "properties", "meta", "updated_at"))
    units = part(told, "properties", "meta", "units")
    series: dict[str, dict[int, int | None]] = {column: {} for column in _COLUMNS}
    for row in rows(told, "properties", "timeseries"):
        # Only what is forecast by the hour says "next_1_hours"; later instants would leave five of six hours open.
        if "next_1_hours" not in part(row, "data"):
            continue
        at_s, details = moment_s(part(row, "time")), part(row, "data", "instant", "details")
        for column, (_, _, factor) in _COLUMNS.items():
            put(series[column], at_s, whole(details.get(column), factor, column), column)
    found = []
    for column, (what, unit, _) in _COLUMNS.items():
        if series[column] and part(units, column) != unit:
            raise InvalidValue(f"{column} is in {unit}, was {units[column]!r}")
        found.append(about.issue(what, series[column], HOUR_S, issued_s))
    return [one for one in found if one is not None]
