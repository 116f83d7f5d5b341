"""Read Open-Meteo's hourly weather: temperature and cloud of an instant, radiation of the hour before it."""

from typing import Annotated

import msgspec
from msgspec import Meta

from commonwatt.adapters.feeds.reading import About, Question, json_object, moment_s, part, put, rows, whole
from commonwatt.flows.feeds.series import Issue, What
from commonwatt.model import Interval, InvalidValue

HOUR_S = 3_600
_COLUMNS = {
    "temperature_2m": (What.TEMPERATURE, "°C", 1_000, 0),
    "cloud_cover": (What.CLOUD, "%", 10, 0),
    # The mean of the hour that ends at the time it stands at.
    "shortwave_radiation": (What.RADIATION, "W/m²", 1, -HOUR_S),
}


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where: degrees north and east. ``days`` ahead, of which today is the first."""

    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]
    days: Annotated[int, Meta(ge=1, le=16)] = 3


def question(settings: Settings, window: Interval) -> Question:
    """Return what to ask; in UTC, and the same words all day, so that the publisher can say that nothing is newer."""
    return Question(
        path="/v1/forecast",
        query={
            "latitude": f"{settings.latitude:.4f}",
            "longitude": f"{settings.longitude:.4f}",
            "hourly": ",".join(_COLUMNS),
            "timezone": "GMT",
            "past_days": "1",
            "forecast_days": str(settings.days),
        },
    )


def issues(content: bytes, about: About) -> list[Issue]:
    """Return one series a quantity; Open-Meteo does not say when it made them.

    Raises:
        InvalidValue: The answer is none, or in other units or another zone.

    Source: open-meteo.com/en/docs, weather forecast API, hourly variables and JSON return object.
    """
    told = json_object(content)
    if told.get("error") is True:
        raise InvalidValue(f"Open-Meteo refuses the question: {str(told.get('reason'))[:120]}")
    if part(told, "utc_offset_seconds") != 0:
        raise InvalidValue(f"times are asked for in UTC, was an offset of {told['utc_offset_seconds']!r} s")
    times = [moment_s(f"{text}Z") for text in rows(told, "hourly", "time")]
    found = []
    for column, (what, unit, factor, shift_s) in _COLUMNS.items():
        if column not in part(told, "hourly"):
            continue
        if part(told, "hourly_units", column) != unit:
            raise InvalidValue(f"{column} is in {unit}, was {told['hourly_units'][column]!r}")
        values = rows(told, "hourly", column)
        if len(values) != len(times):
            raise InvalidValue(f"{column} has a value a time, was {len(values)} for {len(times)}")
        series: dict[int, int | None] = {}
        for at_s, value in zip(times, values, strict=True):
            put(series, at_s + shift_s, whole(value, factor, column), column)
        found.append(about.issue(what, series, HOUR_S, None))
    return [one for one in found if one is not None]
