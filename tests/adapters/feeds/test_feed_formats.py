"""Each publisher's answer, as its documentation shows it, becomes whole numbers by the quarter-hour, or is refused."""

import json
import tomllib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.adapters.feeds.reading import About
from commonwatt.adapters.feeds.sources import SOURCES
from commonwatt.flows.feeds.series import Issue, Topic, What
from commonwatt.model import Interval, InvalidValue, epoch

pytestmark = pytest.mark.row("X9")
RECORDED = Path(__file__).parent / "recorded"
HEARD_S = 2_000_000_000
SETTINGS: dict[str, dict[str, object]] = {
    "open_meteo": {"latitude": 51.5, "longitude": -0.12},
    "met_norway": {"latitude": 60.1, "longitude": 10.0, "altitude_m": 267},
    "entsoe": {"zone": "10Y1001A1001A82H"},
    "octopus": {"product": "AGILE-18-02-21", "tariff": "E-1R-AGILE-18-02-21-A"},
    "gb_carbon": {},
    "electricity_maps": {"zone": "DE"},
}


def read(source: str, content: bytes | str, place: str = "here", **told: object) -> list[Issue]:
    known = SOURCES[source]
    content = (RECORDED / content).read_bytes() if isinstance(content, str) else content
    about = About(place=place, source=source, licence=known.licence, heard_s=HEARD_S)
    return known.issues(content, about, known.read_settings(SETTINGS[source] | told))


def at(text: str) -> int:
    return epoch(datetime.fromisoformat(text).replace(tzinfo=UTC))


def test_a_tariff_in_pence_becomes_micro_a_kwh_oldest_first() -> None:
    (issue,) = read("octopus", "octopus_agile.json")
    rates = json.loads((RECORDED / "octopus_agile.json").read_text())["results"]
    assert issue.topic == Topic(What.PRICE, "here")
    assert (issue.step_s, issue.issued_s, issue.heard_s) == (1_800, None, HEARD_S)
    assert list(issue.values) == [round(rate["value_inc_vat"] * 10_000) for rate in reversed(rates)]
    (plain,) = read("octopus", "octopus_agile.json", vat=False)
    assert list(plain.values) == [round(rate["value_exc_vat"] * 10_000) for rate in reversed(rates)]


def test_a_missing_half_hour_stays_missing_and_a_longer_rate_holds_as_long_as_it_says() -> None:
    told = json.loads((RECORDED / "octopus_agile.json").read_text())
    gone = told["results"].pop(2)
    told["results"][0]["valid_to"] = "2018-11-14T19:00:00Z"
    (issue,) = read("octopus", json.dumps(told).encode())
    assert issue.at(at(gone["valid_from"][:-1])) is None
    last = round(told["results"][0]["value_inc_vat"] * 10_000)
    assert issue.end_s == at("2018-11-14T19:00")
    assert {issue.at(slot_s) for slot_s in range(issue.end_s - 3_600, issue.end_s, 900)} == {last}


@pytest.mark.parametrize(
    ("name", "hours", "first", "last"), [("spring", 23, 40_100, 37_510), ("autumn", 25, 30, 25_820)]
)
def test_a_day_on_which_clocks_change_has_its_own_number_of_slots(name: str, hours: int, first: int, last: int) -> None:
    (issue,) = read("entsoe", f"entsoe_{name}.xml")
    assert len(list(issue.slots())) == 4 * hours
    assert (issue.values[0], issue.values[-1]) == (first, last)
    assert issue.issued_s is not None
    assert issue.issued_s < issue.start_s


def test_points_that_a_curve_leaves_out_are_as_the_one_before_and_other_auctions_are_not_ours() -> None:
    (issue,) = read("entsoe", "entsoe_quarters.xml")
    assert issue.step_s == 900
    assert issue.values == (0, 0, 0, -16_750, 12_345, 12_345, 13_000, 13_000)


def test_points_that_are_missing_from_a_fixed_curve_stay_missing() -> None:
    text = (RECORDED / "entsoe_quarters.xml").read_text().replace("A03", "A01")
    (issue,) = read("entsoe", text.encode())
    assert issue.values == (0, None, None, -16_750, 12_345, None, 13_000)


def test_prices_that_are_not_out_yet_are_no_error() -> None:
    assert read("entsoe", "entsoe_nothing_yet.xml") == []


def test_carbon_has_a_forecast_and_what_it_came_to_so_far() -> None:
    forecast, actual = read("gb_carbon", "gb_carbon.json", "GB")
    assert forecast.topic == Topic(What.CARBON, "GB")
    assert actual.topic == Topic(What.CARBON, "GB", measured=True)
    assert forecast.values == (97_000, 93_000, 95_000, 102_000, 101_000, 105_000)
    assert actual.values == (90_000, 94_000, 96_000, 100_000)
    (region,) = read("gb_carbon", "gb_carbon_region.json", region=13)
    assert region.values == (97_000, 93_000, 95_000)


def test_a_zone_s_carbon_leaves_out_what_its_publisher_only_estimated() -> None:
    (forecast,) = read("electricity_maps", "electricity_maps_forecast.json")
    assert (forecast.values, forecast.issued_s) == ((326_000, 342_000), at("2021-08-19T17:12:03"))
    (past,) = read("electricity_maps", "electricity_maps_history.json", tells="history")
    assert past.topic.measured
    assert past.values == (310_000, None, 299_000)


def test_weather_of_an_instant_and_radiation_of_the_hour_before() -> None:
    found = {one.topic.what: one for one in read("open_meteo", "open_meteo.json")}
    assert found[What.TEMPERATURE].values == (6_100, 6_800, None, -400)
    assert found[What.TEMPERATURE].start_s == at("2020-03-29T10:00")
    assert found[What.CLOUD].values == (870, 1_000, 640, 0)
    assert found[What.RADIATION].start_s == at("2020-03-29T09:00")
    assert found[What.RADIATION].values == (212, 301, 378, 402)


def test_a_forecast_is_taken_as_far_as_it_goes_by_the_hour() -> None:
    temperature, cloud = read("met_norway", "met_norway.json")
    assert temperature.issued_s == at("2020-06-10T13:04:26")
    assert temperature.values == (17_400, 17_900, -50)
    assert cloud.values == (91, 124, 1_000)


@pytest.mark.parametrize("source", SOURCES)
def test_a_question_names_its_window_in_utc_and_no_secret(source: str) -> None:
    start = datetime(2020, 3, 28, tzinfo=UTC)
    told = SOURCES[source].read_settings(SETTINGS[source])
    question = SOURCES[source].question(told, Interval(start, start + timedelta(days=3)))
    assert question.path.startswith("/")
    assert not {"securityToken", "apikey"} & question.query.keys()
    expected = {
        "octopus": {"period_from": "2020-03-28T00:00Z", "period_to": "2020-03-31T00:00Z"},
        "entsoe": {"periodStart": "202003280000", "periodEnd": "202003310000"},
        "met_norway": {"lat": "60.1000", "lon": "10.0000", "altitude": "267"},
    }
    assert expected.get(source, {}).items() <= question.query.items()


@pytest.mark.parametrize(
    ("source", "file", "before", "after"),
    [
        ("entsoe", "entsoe_quarters.xml", "<position>7<", "<position>9<"),
        ("entsoe", "entsoe_quarters.xml", "<position>7<", "<position>0<"),
        ("entsoe", "entsoe_quarters.xml", ">EUR<", ">PLN<"),
        ("entsoe", "entsoe_quarters.xml", ">12.345<", ">NaN<"),
        ("entsoe", "entsoe_quarters.xml", ">PT15M<", ">P1Y<"),
        ("entsoe", "entsoe_quarters.xml", "<end>2025-10-12T00:00Z", "<end>2999-10-12T00:00Z"),
        ("entsoe", "entsoe_quarters.xml", "<Pub", '<!DOCTYPE x [<!ENTITY a "b">]><Pub'),
        ("entsoe", "entsoe_nothing_yet.xml", "No matching data", "Unauthorized"),
        ("octopus", "octopus_agile.json", '"next": null', '"next": "https://elsewhere.example/page2"'),
        ("octopus", "octopus_agile.json", '"valid_to": "2018-11-14T16:00:00Z"', '"valid_to": null'),
        ("octopus", "octopus_agile.json", "T16:00:00Z", "T16:00:00"),
        ("gb_carbon", "gb_carbon.json", '"forecast": 97', '"forecast": "97"'),
        ("gb_carbon", "gb_carbon.json", '"to": "2020-03-29T00:30Z"', '"to": "2020-03-29T01:30Z"'),
        ("open_meteo", "open_meteo.json", '"°C"', '"°F"'),
        ("open_meteo", "open_meteo.json", '"utc_offset_seconds": 0', '"utc_offset_seconds": 3600'),
        ("open_meteo", "open_meteo.json", "6.1,", ""),
        ("met_norway", "met_norway.json", '"celsius"', '"kelvin"'),
        ("met_norway", "met_norway.json", "17.4", "1e999"),
        ("met_norway", "met_norway.json", "17.4", "1e999999"),
        ("entsoe", "entsoe_quarters.xml", ">12.345<", ">1e999999<"),
        ("electricity_maps", "electricity_maps_forecast.json", '"zone": "DE"', '"zone": "FR"'),
        ("electricity_maps", "electricity_maps_forecast.json", "T18:00", "T17:25"),
        ("electricity_maps", "electricity_maps_forecast.json", "T18:00", "T17:00"),
    ],
)
def test_an_answer_that_makes_no_sense_is_refused_whole(source: str, file: str, before: str, after: str) -> None:
    text = (RECORDED / file).read_text()
    assert before in text
    read(source, file)
    with pytest.raises(InvalidValue):
        read(source, after.join(text.rsplit(before, 1)).encode())


NAMES = ["data", "results", "next", "hourly", "time", "properties", "meta", "timeseries", "zone", "forecast"]
VALUES = st.none() | st.integers() | st.text(max_size=5)
JSON = st.recursive(VALUES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner))


@pytest.mark.parametrize("source", SOURCES)
@settings(max_examples=25, deadline=None)
@given(content=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_answer_brings_a_reader_down(source: str, content: bytes) -> None:
    with suppress(InvalidValue):
        assert read(source, content) == []


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_admits_what_it_does_not_do(source: str) -> None:
    told = tomllib.loads((files("commonwatt.adapters.feeds") / source / "quality.toml").read_text(encoding="utf-8"))
    assert told.keys() == {"title", "done", "exempt", "missing"}
    assert "never against" in told["missing"]["real"]


@pytest.mark.parametrize("source", SOURCES)
def test_settings_that_are_no_source_s_are_refused(source: str) -> None:
    with pytest.raises(InvalidValue):
        SOURCES[source].read_settings({**SETTINGS[source], "wrong": 1})
    assert isinstance(SOURCES[source].read_settings(SETTINGS[source]), msgspec.Struct)
