import re
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.apps.api.problems import problem_of
from commonwatt.apps.web.parts.badge import Verdict, badge
from commonwatt.apps.web.parts.controls import Option, chosen_of, minutes_of, ready_by
from commonwatt.apps.web.parts.depth import Level, depth
from commonwatt.apps.web.parts.diary import Block, Departure, diary, slot_start_of
from commonwatt.apps.web.parts.flow import Flow, flow_values
from commonwatt.apps.web.parts.grid import ZoneLoad, one_line, zone_map
from commonwatt.apps.web.parts.states import error_state
from commonwatt.apps.web.words import Place, Words
from commonwatt.model import InvalidValue, Refused

PLACE = Place(name="Sunny Street", zone=ZoneInfo("Europe/London"), currency="GBP")
WORDS = Words("en", PLACE)
NOON_S = 1_776_942_000  # 23 April 2026, 12:00 in London


def _plain(text: object) -> str:
    return str(text).replace("\N{NO-BREAK SPACE}", " ")


def test_the_picture_of_power_reads_as_a_sentence() -> None:
    flow = Flow(at_s=NOON_S, house_w=800, solar_w=-3_200, battery_w=1_500, grid_w=-900, battery_level=0.64)
    assert _plain(flow_values(WORDS, flow)["sentence"]) == (
        "12:00:00. The house uses 0.8 kW. The roof gives 3.2 kW. 0.9 kW goes to the grid. "
        "The battery charges with 1.5 kW. It is 64% full."
    )


@given(*(st.one_of(st.none(), st.integers(-20_000, 20_000)) for _ in range(5)))
def test_every_stream_flows_the_way_its_sign_says(
    solar_w: int | None, battery_w: int | None, car_w: int | None, grid_w: int | None, neighbours_w: int | None
) -> None:
    flow = Flow(
        at_s=NOON_S,
        house_w=1,
        solar_w=solar_w,
        battery_w=battery_w,
        car_w=car_w,
        grid_w=grid_w,
        neighbours_w=neighbours_w,
    )
    spokes = flow_values(WORDS, flow)["spokes"]
    assert isinstance(spokes, dict)
    into_home = {
        "solar": solar_w is not None and solar_w <= -10,
        "battery": battery_w is not None and battery_w <= -10,
        "car": car_w is not None and car_w <= -10,
        "grid": grid_w is not None and grid_w >= 10,
        "neighbours": neighbours_w is not None and neighbours_w >= 10,
    }
    for thing, flows_in in into_home.items():
        assert (thing in spokes) == (getattr(flow, f"{thing}_w") is not None)
        if thing in spokes:
            spoke = spokes[thing]
            assert isinstance(spoke, dict)
            assert (spoke["way"] == "in") == flows_in
            assert 0.6 <= float(str(spoke["pace"]).removesuffix("s")) <= 3


def test_a_house_gives_no_power_and_no_battery_is_more_than_full() -> None:
    with pytest.raises(InvalidValue, match="draws zero or more"):
        Flow(at_s=0, house_w=-1)
    with pytest.raises(InvalidValue, match="0 to 1"):
        Flow(at_s=0, house_w=0, battery_level=1.01)


@pytest.mark.parametrize(
    "sent", ["07:60", "24:00", "7:30", "-1:30", "\u0660\u0667:\u0663\u0660", "", None, {"a": 1}, "07:30:00:00", "07_30"]
)
def test_no_time_that_a_browser_sends_is_believed_unless_it_is_one(sent: object) -> None:
    with pytest.raises(InvalidValue, match="written like 07:30"):
        minutes_of(sent)


def test_a_time_is_minutes_after_midnight() -> None:
    assert (minutes_of("07:30"), minutes_of("23:59:00")) == (450, 1_439)
    assert 'value="12:00"' in ready_by(WORDS, "ready", "Car ready by", NOON_S)


def test_only_what_was_offered_can_be_chosen() -> None:
    options = (Option(value="charge", label="Charge"), Option(value="hold", label="Hold"))
    assert chosen_of(options, "hold") == "hold"
    with pytest.raises(InvalidValue, match="one of charge, hold"):
        chosen_of(options, "explode")


@given(st.one_of(st.integers(), st.text(), st.none(), st.floats()))
def test_a_departure_is_the_start_of_a_slot_on_the_line_or_refused(sent: object) -> None:
    end_s = NOON_S + 86_400
    try:
        at_s = slot_start_of(sent, start_s=NOON_S, end_s=end_s)
    except InvalidValue:
        return
    assert NOON_S <= at_s <= end_s and (at_s - NOON_S) % 900 == 0


def test_a_line_of_time_cuts_what_lies_outside_and_labels_each_slot_by_the_clocks_of_the_place() -> None:
    start_s = 1_792_886_400  # 25 October 2026, 00:00 UTC: within the day of 25 hours in London
    blocks = [
        Block(start_s=start_s - 3_600, end_s=start_s + 3_600, colour="car", label="Drive"),
        Block(start_s=start_s + 90_000, end_s=start_s + 93_600, colour="car", label="Beyond"),
    ]
    departure = Departure(name="go", label="Departure", at_s=start_s + 7_200)
    drawn = str(
        diary(WORDS, "Car", blocks, start_s=start_s, end_s=start_s + 14_400, now_s=start_s, departure=departure)
    )
    assert "Beyond" not in drawn
    assert "left:0.0%;width:25.00%" in drawn
    assert drawn.count("Sun 25 Oct, 01:15&#34;") == 2, "the quarter past one comes twice"
    with pytest.raises(InvalidValue, match="ends after it begins"):
        diary(WORDS, "Car", [], start_s=10, end_s=10, now_s=10)


def test_the_table_behind_a_book_says_what_is_backed() -> None:
    bids = [Level(price_micro_per_kwh=180_000, backed_wh=4_000, unbacked_wh=1_000)]
    shown = _plain(depth(WORDS, bids, [], as_of_s=NOON_S))
    assert "<td>18.0 p/kWh</td><td>4.0 kWh</td><td>1.0 kWh</td>" in shown
    assert "as of Thu 23 Apr, 12:00" in shown
    assert "No orders stand" in depth(WORDS, [], [], as_of_s=NOON_S)


@given(st.lists(st.tuples(st.integers(0, 400_000), st.integers(0, 10**7), st.integers(0, 10**7)), max_size=8))
def test_no_book_is_drawn_beyond_its_picture(levels: list[tuple[int, int, int]]) -> None:
    asks = [Level(price_micro_per_kwh=p, backed_wh=b, unbacked_wh=u) for p, b, u in levels]
    drawn = str(depth(WORDS, [], asks, as_of_s=NOON_S))
    for path in re.findall(r'<path d="(M[^"]+Z)"', drawn):
        assert all(0 <= float(number) <= 360 for number in re.findall(r"[\d.]+", path))


def test_a_zone_is_held_against_the_limit_of_the_way_in_which_it_flows() -> None:
    fine = ZoneLoad(zone="TR1", load_w=41_000, import_limit_w=120_000, export_limit_w=10)
    over = ZoneLoad(zone="TR2", load_w=-57_000, import_limit_w=90_000, export_limit_w=50_000, homes=31)
    unknown = ZoneLoad(zone="TR3", load_w=5)
    assert (fine.used, over.used, unknown.used) == (41 / 120, 1.14, None)
    for drawn in (
        one_line(WORDS, [fine, over], total_w=0, as_of_s=0),
        zone_map(WORDS, [fine, over, unknown], as_of_s=0),
    ):
        assert "114%" in drawn
        assert "over" in drawn
    assert "none known" in zone_map(WORDS, [unknown], as_of_s=0)
    assert zone_map(WORDS, [], as_of_s=0)


def test_an_error_names_rule_thing_and_what_was_found_with_its_unit() -> None:
    shown = _plain(error_state(WORDS, problem_of(Refused("above fuse rating", asset="car<1>", found_w=18_000))))
    assert "above fuse rating" in shown
    assert "car&lt;1&gt;" in shown
    assert "<dt>found</dt><dd>18.0 kW</dd>" in shown


def test_a_verdict_is_never_told_by_colour_alone() -> None:
    said = {verdict: re.sub(r"<[^>]+>", "", badge(Words("de", PLACE), verdict)) for verdict in Verdict}
    assert said == {
        Verdict.VERIFIED: "Bestätigt",
        Verdict.FAILED: "Nicht bestätigt",
        Verdict.PENDING: "Noch nicht geprüft",
    }
