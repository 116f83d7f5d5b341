"""The page of a day: whole, offline, harmless whatever people write, and with every figure in its place."""

import json
import re
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from commonwatt.apps.report import page
from commonwatt.apps.report.page import write_page
from commonwatt.apps.report.words import WallClock, kilo, pounds
from commonwatt.flows.summary import Bill, DiaryEntry, Score, Shares, Summary

START_S = 1542171600  # 05:00 on 14 November 2018 in London
HOSTILE = "</script><script>alert('mine')</script><img src=http://evil.example/x>"
LOADING = {
    ("script", "src"),
    ("link", "href"),
    ("img", "src"),
    ("iframe", "src"),
    ("object", "data"),
    ("source", "src"),
}


def entry(asset: str, slot: int, power_w: int, reason: str) -> DiaryEntry:
    return DiaryEntry(
        asset=asset,
        start_s=START_S + slot * 900,
        end_s=START_S + (slot + 1) * 900,
        verb="START CHARGE" if power_w > 0 else "SUPPLY",
        power_w=power_w,
        expected_wh=power_w // 4,
        measured_wh=power_w // 4 - 10,
        reason=reason,
    )


def small_day(**changes: Any) -> Summary:
    """One hour of two homes with a battery and a car, one trade of 1,500 Wh at 14 p."""
    day = Summary(
        community="elm road",
        timezone="Europe/London",
        start_s=START_S,
        demand_w=[1000, 2000, 3000, -500],
        unmanaged_w=[1000, 9000, 3000, -500],
        smart_w=[1000, 4000, 3000, 0],
        discharging_w=[1000, 2500, 2500, 0],
        import_price=[103635, 103635, 331000, 331000],
        export_price=[55200, 55200, 59900, 59900],
        local_price=[None, 140000, None, None],
        traded_wh=[0, 1500, 0, 0],
        bills=[
            Bill(
                member="ana",
                before_micro=4_033_601,
                after_micro=2_309_988,
                import_wh=32_873,
                export_wh=0,
                bought_wh=1_500,
                sold_wh=0,
            ),
            Bill(
                member="ben & co",
                before_micro=72_739,
                after_micro=-333_107,
                import_wh=0,
                export_wh=11_010,
                bought_wh=0,
                sold_wh=1_500,
            ),
        ],
        cost_before_micro=4_106_340,
        cost_after_micro=1_976_881,
        foreseen_micro=1_800_000,
        losses_wh=0,
        losses_micro=113_503,
        shares_before=Shares(self_consumption_percent=81.2, self_sufficiency_percent=45.7, peak_w=9000),
        shares_after=Shares(self_consumption_percent=99.5, self_sufficiency_percent=54.4, peak_w=2500),
        stored_before_wh=3200,
        stored_after_wh=3239,
        watt_minted_wh=17_480,
        watt_burned_wh=17_480,
        watt_traded_wh=485,
        watt_traded_micro=65_730,
        scores=[
            Score(
                member="ana", load_slot_ahead=0.129, load_day_ahead=0.372, solar_slot_ahead=0.007, solar_day_ahead=0.037
            )
        ],
        diary=[
            entry("battery-01", 0, 2744, "keeps the street's own energy, worth 6.6 p/kWh outside"),
            entry("battery-01", 2, -3260, "neighbours would else buy from the grid at 28.9 p/kWh"),
            entry("car-07", 1, 6576, "grid energy at 11.5 p/kWh; 33.1 p/kWh at 17:00"),
        ],
        statements=["charge of car-07 >= 80% at 17:45 on 14 November 2018"],
        unmet=[],
        set_aside=[],
        leaves=4382,
        entries=2370,
        log_root="95ce" * 16,
        state_root="2488" * 16,
    )
    return msgspec.structs.replace(day, **changes)


class Seen(HTMLParser):
    """What a browser would load, run and show."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.shown: list[str] = []
        self.scripts: list[str] = []
        self.red: list[str] = []
        self._inside = ""
        self._red = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._inside = tag
        self._red = ("class", "bad") in attrs
        self.loads += [value or "" for name, value in attrs if (tag, name) in LOADING]

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""
        self._red = False

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append(data)
        elif self._inside != "style":
            self.shown.append(data)
        if self._red:
            self.red.append(data)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.shown))


@pytest.fixture(autouse=True)
def light(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the 5 MB of Plotly out, but where a test is about the page as people get it."""
    if "real" not in request.fixturenames:
        monkeypatch.setattr(page, "get_plotlyjs", lambda: "/* plotly.js v0 */")


@pytest.fixture
def real(light: None, tmp_path: Path) -> Seen:
    """The page with its engine."""
    return see(tmp_path, small_day())


@pytest.fixture
def seen(tmp_path: Path) -> Seen:
    return see(tmp_path, small_day())


def see(folder: Path, day: Summary) -> Seen:
    write_page(day, folder / "report.html")
    return Seen((folder / "report.html").read_text(encoding="utf-8"))


def test_the_page_loads_nothing_from_anywhere_and_brings_its_engine_once(real: Seen) -> None:
    assert real.loads == ["data:,"]
    assert real.tags.count("script") == 6  # four figures, one Plotly, one to draw
    assert sum("plotly.js v" in script and len(script) > 1_000_000 for script in real.scripts) == 1
    assert "@import" not in page._render(small_day()).split("</style>")[0]


def test_the_headline_tells_street_day_cost_and_saving(seen: Seen) -> None:
    assert (
        "From 05:00 on Wednesday 14 November 2018 to 06:00 on 14 November, energy for the 2 members of elm road"
        " cost £4.11 before and £1.98 after: 51.9 % saved." in seen.words
    )


def test_a_dearer_day_is_called_so(tmp_path: Path) -> None:
    words = see(tmp_path, small_day(cost_before_micro=1_000_000, cost_after_micro=1_250_000)).words
    assert "cost £1.00 before and £1.25 after: 25.0 % more." in words


def test_a_day_that_cost_nothing_before_has_a_saving_in_pounds(tmp_path: Path) -> None:
    words = see(tmp_path, small_day(cost_before_micro=0, cost_after_micro=-500_000)).words
    assert "cost £0.00 before and -£0.50 after: £0.50 saved." in words


def test_numbers_come_in_the_units_of_people(seen: Seen) -> None:
    for told in ("2.5 kW before 9.0 kW", "1.5 kWh mean 14.0 p/kWh", "99.5 % before 81.2 %", "54.4 % before 45.7 %"):
        assert told in seen.words
    for told in ("£4.03", "£2.31", "-£0.33", "32.87", "12.9 %", "4,382", "17.48 kWh", "0.48 kWh for £0.07", "£0.11"):
        assert told in seen.words


def test_every_member_and_every_instruction_is_there(seen: Seen) -> None:
    day = small_day()
    for told in (*(bill.member for bill in day.bills), *(entry.reason for entry in day.diary), *day.statements):
        assert told in seen.words
    for told in ("05:00 - 05:15", "START CHARGE", "2.74", "0.69", "0.68", "-3.26", day.log_root, day.state_root):
        assert told in seen.words
    assert seen.tags.count("details") == 2


def test_the_commands_to_check_are_there(seen: Seen) -> None:
    assert "commonwatt verify evidence.json --trust community.pub" in seen.words
    assert "commonwatt replay <folder>" in seen.words


def test_hostile_words_stay_words(tmp_path: Path) -> None:
    day = small_day()
    bill = msgspec.structs.replace(day.bills[0], member=HOSTILE)
    diary = [msgspec.structs.replace(day.diary[0], asset=HOSTILE, reason=HOSTILE, verb=HOSTILE)]
    lines = [HOSTILE]
    hostile = small_day(
        community=HOSTILE, bills=[bill], diary=diary, statements=lines, unmet=lines, set_aside=lines, log_root=HOSTILE
    )
    seen, plain = see(tmp_path, hostile), see(tmp_path, day)
    assert seen.loads == plain.loads
    assert seen.tags.count("script") == plain.tags.count("script")
    assert "img" not in seen.tags
    assert seen.words.count(HOSTILE) >= 8
    for figure in figures(seen):
        assert "<script" not in json.dumps(figure)


def test_unmet_statements_are_told_in_red(tmp_path: Path) -> None:
    broken = "charge of car-07 >= 80% at 17:45 on 14 November 2018: short by 12 %"
    seen = see(tmp_path, small_day(unmet=[broken]))
    assert seen.red == [broken]
    assert "All kept." not in seen.words
    assert "All kept." in see(tmp_path, small_day()).words


def test_readings_set_aside_are_told_in_local_time(tmp_path: Path) -> None:
    odd = "a line of another shape"
    seen = see(tmp_path, small_day(set_aside=[f"car-07 {START_S + 900}: above the fuse: 40 kW", odd]))
    assert "car-07 at 05:15: above the fuse: 40 kW" in seen.words
    assert odd in seen.words


def test_figures_hold_kilowatts_and_pence(seen: Seen) -> None:
    power, prices, bills, doings = figures(seen)
    assert [trace["y"] for trace in power["data"]] == [
        [1.0, 2.0, 3.0, -0.5],
        [1.0, 9.0, 3.0, -0.5],
        [1.0, 4.0, 3.0, 0.0],
        [1.0, 2.5, 2.5, 0.0],
    ]
    assert power["data"][0]["x"][0] == "05:00 to 05:15"
    assert prices["data"][0]["y"] == [10.3635, 10.3635, 33.1, 33.1]
    assert prices["data"][2]["y"] == [None, 14.0, None, None]
    assert prices["data"][3]["y"] == [0.0, 1.5, 0.0, 0.0]
    assert bills["data"][1]["customdata"] == ["£2.31", "-£0.33"]
    assert doings["data"][0]["y"] == ["battery-01", "car-07"]
    assert doings["data"][0]["z"] == [[2.744, None, -3.26, None], [None, 6.576, None, None]]


def test_a_day_on_which_nothing_happened_has_a_page(tmp_path: Path) -> None:
    nothing = small_day(local_price=[None] * 4, traded_wh=[0] * 4, diary=[], scores=[], statements=[], bills=[])
    words = see(tmp_path, nothing).words
    assert "none was traded" in words
    assert "No asset was told anything." in words


def test_an_old_page_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    old = path.open()
    write_page(small_day(), path)
    assert old.read() == "old"  # who had it open goes on with the old one
    assert path.read_text().endswith("</html>")
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_page_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("disk is full")

    path = tmp_path / "report.html"
    path.write_text("old")
    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(OSError, match="disk is full"):
        write_page(small_day(), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_day_makes_the_same_page() -> None:
    assert page._render(small_day()) == page._render(small_day())


def test_headings_go_down_one_level_at_a_time_and_headers_have_scope(seen: Seen) -> None:
    levels = [int(tag[1]) for tag in seen.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(new - old <= 1 for old, new in pairwise(levels))
    text = unescape(page._render(small_day()))
    assert all("scope=" in header for header in re.findall(r"<th\b[^>]*>", text))
    assert all("aria-label=" in plot for plot in re.findall(r'<div class="plot"[^>]*>', text))


def test_slots_keep_apart_where_the_clock_is_put_back() -> None:
    names = WallClock(ZoneInfo("Europe/London")).slots(1540684800, 100)  # 28 October 2018, a day of 25 hours
    assert len(set(names)) == 100
    assert "01:15 to 01:30" in names
    assert "01:15 to 01:30 GMT" in names


@pytest.mark.parametrize(
    ("micro", "told"),
    [(23_922_904, "£23.92"), (-333_107, "-£0.33"), (-4_999, "£0.00"), (1_234_567_890_000, "£1,234,567.89")],
)
def test_money_is_told_to_the_penny(micro: int, told: str) -> None:
    assert pounds(micro) == told


def test_a_small_minus_is_no_minus() -> None:
    assert kilo(-4) == "0.00"
    assert kilo(-3260) == "-3.26"


def figures(seen: Seen) -> list[dict[str, Any]]:
    return [json.loads(script) for script in seen.scripts if script.startswith("{")]


def test_a_span_names_its_end_s_year_where_that_is_another() -> None:
    clock, begin_s = WallClock(ZoneInfo("Europe/London")), 1_542_171_600
    assert clock.span(begin_s, begin_s + 86_400).endswith("to 05:00 on 15 November")
    assert clock.span(begin_s, begin_s + 365 * 86_400).endswith("to 05:00 on 14 November 2019")
