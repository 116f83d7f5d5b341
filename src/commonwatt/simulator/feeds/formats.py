"""Writes recorded series as each publisher does: written apart from what reads them, so that one checks the other."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from commonwatt.model import epoch, instant

HOUR_S, HALF_S = 3_600, 1_800


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What was published of one thing, as decimal numbers in the publisher's own unit; None where nothing was.

    Args:
        start_s: Of the first value.
        step_s: How long each holds.
        values: Such as "14.1".
        until_s: Tells up to when it is published at a time; all of it where it is left out.
    """

    start_s: int
    step_s: int
    values: tuple[str | None, ...]
    until_s: Callable[[int], int] = lambda now_s: 2**40

    def between(self, from_s: int, to_s: int, now_s: int) -> list[tuple[int, str | None]]:
        """Return what is published by now of a time, with when each value begins."""
        last_s = min(to_s, self.until_s(now_s))
        times = ((self.start_s + n * self.step_s, value) for n, value in enumerate(self.values))
        return [(at_s, value) for at_s, value in times if from_s <= at_s < last_s]


Recordings = Mapping[str, Recording]
"""By name: price, forecast, actual, temperature, cloud, radiation."""


def open_meteo(found: Recordings, query: Mapping[str, str], now_s: int) -> bytes:
    """Write hourly weather from yesterday on; radiation stands at the end of its hour."""
    first_s = now_s // 86_400 * 86_400 - 86_400
    end_s = first_s + 86_400 * (1 + int(query["forecast_days"]))
    columns = {
        "temperature_2m": ("temperature", 0),
        "cloud_cover": ("cloud", 0),
        "shortwave_radiation": ("radiation", 1),
    }
    hourly: dict[str, list[object]] = {
        "time": [f"{instant(at):%Y-%m-%dT%H:%M}" for at in range(first_s, end_s, HOUR_S)]
    }
    for name in query["hourly"].split(","):
        key, late = columns[name]
        told = dict(found[key].between(first_s - HOUR_S, end_s, now_s)) if key in found else {}
        hourly[name] = [_number(told.get(at - late * HOUR_S)) for at in range(first_s, end_s, HOUR_S)]
    units = {"time": "iso8601", "temperature_2m": "°C", "cloud_cover": "%", "shortwave_radiation": "W/m²"}
    whole = {"utc_offset_seconds": 0, "timezone": "GMT", "hourly_units": units, "hourly": hourly}
    return json.dumps(whole, ensure_ascii=False).encode()


def met_norway(found: Recordings, query: Mapping[str, str], now_s: int) -> bytes:
    """Write the hours from now on, and after two and a half days every sixth."""
    first_s = now_s // HOUR_S * HOUR_S
    columns = {"air_temperature": "temperature", "cloud_area_fraction": "cloud"}
    series: dict[int, dict[str, object]] = {}
    for name, key in columns.items():
        for at_s, value in found[key].between(first_s, first_s + 9 * 86_400, now_s) if key in found else []:
            series.setdefault(at_s, {})[name] = _number(value)
    rows = []
    for at_s, details in sorted(series.items()):
        near = at_s < first_s + 60 * HOUR_S
        if near or at_s % (6 * HOUR_S) == 0:
            span = "next_1_hours" if near else "next_6_hours"
            data = {"instant": {"details": details}, span: {"summary": {"symbol_code": "cloudy"}, "details": {}}}
            rows.append({"time": f"{instant(at_s):%Y-%m-%dT%H:%M:%SZ}", "data": data})
    meta = {
        "updated_at": f"{instant(first_s):%Y-%m-%dT%H:%M:%SZ}",
        "units": {"air_temperature": "celsius", "cloud_area_fraction": "%"},
    }
    return json.dumps({"type": "Feature", "properties": {"meta": meta, "timeseries": rows}}).encode()


def octopus(found: Recordings, query: Mapping[str, str], now_s: int) -> bytes:
    """Write the half-hours of a window, the latest first; prices are recorded with VAT."""
    told = found["price"].between(_moment_s(query["period_from"]), _moment_s(query["period_to"]), now_s)
    results = [
        {
            "value_exc_vat": _number(str(round(Decimal(value) / Decimal("1.05"), 4))),
            "value_inc_vat": _number(value),
            "valid_from": f"{instant(at_s):%Y-%m-%dT%H:%M:%SZ}",
            "valid_to": f"{instant(at_s + found['price'].step_s):%Y-%m-%dT%H:%M:%SZ}",
            "payment_method": None,
        }
        for at_s, value in reversed(told)
        if value is not None
    ]
    return json.dumps({"count": len(results), "next": None, "previous": None, "results": results}).encode()


def gb_carbon(found: Recordings, path: str, now_s: int) -> bytes:
    """Write the half-hours of a window, and of a region one deeper and without actuals."""
    parts = re.findall(r"\d{4}-\d\d-\d\dT\d\d:\d\dZ", path)
    span = _moment_s(parts[0]), _moment_s(parts[1])
    actual = dict(found["actual"].between(*span, now_s)) if "actual" in found else {}
    regional = path.startswith("/regional")
    rows = []
    for at_s, value in found["forecast"].between(*span, now_s):
        told: dict[str, object] = {"forecast": _number(value), "index": "moderate"}
        if not regional:
            told["actual"] = _number(actual.get(at_s))
        ends = f"{instant(at_s + HALF_S):%Y-%m-%dT%H:%MZ}"
        rows.append({"from": f"{instant(at_s):%Y-%m-%dT%H:%MZ}", "to": ends, "intensity": told})
    data: object = {"regionid": int(path.rpartition("/")[2]), "data": rows} if regional else rows
    return json.dumps({"data": data}).encode()


def electricity_maps(found: Recordings, path: str, query: Mapping[str, str], now_s: int) -> bytes:
    """Write a day to come, or the last day."""
    hour_s, name = now_s // HOUR_S * HOUR_S, path.rpartition("/")[2]
    past = name == "history"
    span = (hour_s - 86_400, hour_s) if past else (hour_s, hour_s + 86_400)
    rows = []
    for at_s, value in found["actual" if past else "forecast"].between(*span, now_s):
        row: dict[str, object] = {
            "carbonIntensity": _number(value),
            "datetime": f"{instant(at_s):%Y-%m-%dT%H:%M:%S.000Z}",
        }
        rows.append(row | ({"zone": query["zone"], "isEstimated": False} if past else {}))
    told = {"zone": query["zone"], name: rows}
    if not past:
        told["updatedAt"] = f"{instant(hour_s):%Y-%m-%dT%H:%M:%S.000Z}"
    return json.dumps(told).encode()


def entsoe(found: Recordings, query: Mapping[str, str], now_s: int) -> bytes:
    """Write a publication document with repeated points left out, as its curve allows; or that there is nothing yet."""
    from_s, to_s = (
        epoch(datetime.strptime(f"{query[name]}+0000", "%Y%m%d%H%M%z")) for name in ("periodStart", "periodEnd")
    )
    told = found["price"].between(from_s, to_s, now_s)
    made, step_s = f"{instant(now_s):%Y-%m-%dT%H:%M:%SZ}", found["price"].step_s
    if not told:
        return (
            '<Acknowledgement_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:7:0">'
            f"<createdDateTime>{made}</createdDateTime><Reason><code>999</code>"
            "<text>No matching data found for Data item Day-ahead Prices</text></Reason>"
            "</Acknowledgement_MarketDocument>"
        ).encode()
    points = [f"<Point><position>1</position><price.amount>{told[0][1]}</price.amount></Point>"]
    for n, ((_, before), (_, value)) in enumerate(pairwise(told), 2):
        if value != before:
            points.append(f"<Point><position>{n}</position><price.amount>{value}</price.amount></Point>")
    ends = instant(told[-1][0] + step_s)
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<Publication_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3">'
        f"<type>A44</type><createdDateTime>{made}</createdDateTime><TimeSeries>"
        "<currency_Unit.name>EUR</currency_Unit.name><price_Measure_Unit.name>MWH</price_Measure_Unit.name>"
        f"<curveType>A03</curveType><Period><timeInterval><start>{instant(told[0][0]):%Y-%m-%dT%H:%MZ}</start>"
        f"<end>{ends:%Y-%m-%dT%H:%MZ}</end></timeInterval><resolution>PT{step_s // 60}M</resolution>"
        f"{''.join(points)}</Period></TimeSeries></Publication_MarketDocument>"
    ).encode()


def _number(text: str | None) -> float | int | None:
    if text is None:
        return None
    return float(text) if "." in text else int(text)


def _moment_s(text: str) -> int:
    return epoch(datetime.fromisoformat(text))
