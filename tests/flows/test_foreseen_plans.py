"""Plans go by the forecast that did better of late, home by home, and a run that was killed goes on with the same."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from community import NOON, Community, Flow
from test_outlook import terms

from commonwatt.flows.cautions import cautious, limits_w
from commonwatt.flows.foreseeing import Chosen, Known, naive
from commonwatt.flows.outlook import outlook
from commonwatt.forecasting import foresee
from commonwatt.forecasting.choice import MONTH, WEEK, Choice, month_median
from commonwatt.forecasting.outlooks import PeakRisk
from commonwatt.forecasting.sun import Place
from commonwatt.model import (
    SLOT_SECONDS,
    AssetId,
    Constraint,
    Interval,
    Priority,
    Quantity,
    Reach,
    Relation,
    epoch,
)

BERLIN = ZoneInfo("Europe/Berlin")
DAYS, SLOTS = 12, 96
MIDNIGHT = datetime(2026, 3, 16, tzinfo=BERLIN).astimezone(UTC)
HOMES = [AssetId(f"home-{number:02d}") for number in range(1, 4)]
ROOF = AssetId("solar-01")
PLACE = Place(48, 11)
_DRAW = np.random.default_rng(5)
_EVENING = 50 + 400 * np.exp(-0.5 * ((np.arange(SLOTS) / 4 - 19) / 1.5) ** 2)
LOAD = np.rint(_EVENING * _DRAW.lognormal(0, 0.3, (3, DAYS + 1, SLOTS))).astype(int)
SUN = np.rint(
    300 * np.clip(np.sin((np.arange(SLOTS) / 4 - 6) / 12 * np.pi), 0, None) * np.linspace(0.6, 1, DAYS + 1)[:, None]
).astype(int)


def known(slots: int) -> Known:
    """Return what is known so many slots after midnight."""
    upto = DAYS * SLOTS + slots
    return Known(
        now=MIDNIGHT + timedelta(seconds=slots * SLOT_SECONDS),
        clock=BERLIN,
        load_wh={name: tuple(LOAD[at].ravel()[:upto].tolist()) for at, name in enumerate(HOMES)},
        solar_wh={ROOF: tuple(SUN.ravel()[:upto].tolist())},
    )


@pytest.fixture(scope="module")
def lived() -> Chosen:
    """Forecasts of a planner that has planned since midnight."""
    found = Chosen(PLACE)
    found(known(0), SLOTS)
    return found


@pytest.mark.row("H8")
@pytest.mark.row("X9")
def test_a_planner_that_was_killed_expects_what_it_would_have_expected(lived: Chosen) -> None:
    before, again = lived(known(40), SLOTS), Chosen(PLACE)(known(40), SLOTS)
    assert before == again
    assert all(len(wh) == SLOTS and min(wh) >= 0 for wh in (*again.load_wh.values(), *again.solar_wh.values()))


@pytest.mark.row("X9")
def test_who_lost_to_the_baseline_is_planned_by_it_and_who_won_is_not(lived: Chosen) -> None:
    told, plain = lived(known(40), SLOTS), naive(known(40), SLOTS)
    every = {**told.load_wh, **told.solar_wh}
    usual = {**plain.load_wh, **plain.solar_wh}
    assert set(lived.choices) == {*HOMES, ROOF}
    for name, choice in lived.choices.items():
        assert (every[name] == usual[name]) is not (choice.used or choice.baseline != WEEK), choice.reason
        assert ("is not used" in choice.reason) is not choice.used
    assert lived.choices[ROOF].used, "a roof that yields more each day outgrows the mean of a week"


@pytest.mark.row("X9")
def test_who_lost_is_planned_by_the_baseline_that_was_better(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foresee, "choose", lambda *_, **__: Choice(False, "trees are not used", MONTH))
    told, plain = Chosen(PLACE)(known(0), SLOTS), naive(known(0), SLOTS)
    for at, name in enumerate(HOMES):
        # Before the day's first slot nothing has surprised yet.
        np.testing.assert_allclose(told.load_wh[name], month_median(LOAD[at, :DAYS].astype(float)), atol=0.51)
        assert told.load_wh[name] != plain.load_wh[name]


@pytest.mark.row("H8")
def test_what_has_just_surprised_is_carried_on_and_fades(lived: Chosen) -> None:
    seen = known(48)
    sunny = replace(seen, solar_wh={ROOF: (*seen.solar_wh[ROOF][:-1], seen.solar_wh[ROOF][-1] + 100)})
    usual, more = lived(seen, SLOTS).solar_wh[ROOF], lived(sunny, SLOTS).solar_wh[ROOF]
    gained = [high - low for high, low in zip(more, usual, strict=True)]
    assert 95 <= gained[0] <= 101 and 45 <= gained[4] <= 55 and gained[40] <= 1


def test_homes_that_joined_yesterday_are_planned_by_their_mean() -> None:
    seen = known(10)
    young = replace(seen, load_wh={name: past[-SLOTS - 10 :] for name, past in seen.load_wh.items()}, solar_wh={})
    told = Chosen(None)
    assert told(young, 4) == naive(young, 4)
    assert all("too few" in choice.reason for choice in told.choices.values())


@pytest.mark.row("H8")
def test_a_week_of_events_lowers_no_evening_without_one() -> None:
    """Each evening of the last week all homes were asked to use nothing from seven to eight."""
    asked = LOAD.copy()
    asked[:, DAYS - 7 :, 76:80] = 0
    seen = replace(known(0), load_wh={name: tuple(asked[at, :DAYS].ravel().tolist()) for at, name in enumerate(HOMES)})
    midnights_s = [epoch(MIDNIGHT) - back * 86_400 for back in range(1, 8)]
    windows = tuple((at_s + 76 * SLOT_SECONDS, at_s + 80 * SLOT_SECONDS) for at_s in midnights_s)
    plain = Chosen(PLACE)(known(0), SLOTS)
    told = Chosen(PLACE)(replace(seen, asked=dict.fromkeys(HOMES, windows)), SLOTS)
    for name in HOMES:
        usual, without = sum(plain.load_wh[name][76:80]), sum(told.load_wh[name][76:80])
        assert without > 0.6 * usual, "what they did then is no habit"


class Worried(Chosen):
    """Forecasts that see one peak, whatever they look at."""

    def __init__(self, asked_w: int) -> None:
        super().__init__(None)
        self._asked_w = asked_w
        self.limits: Sequence[int | None] = ()

    def peaks(self, known: Known, limits_w: Sequence[int | None]) -> list[tuple[Interval, PeakRisk]]:
        self.limits = limits_w
        start = known.now + timedelta(hours=5)
        risk = PeakRisk(
            start=0, end=1, limit_w=10_000, expected_w=9_000, high_w=12_000, permille=300, asked_w=self._asked_w
        )
        return [(Interval(start, start + timedelta(hours=1)), risk)]


def _lines(community: Community, foresee: Worried, slot_s: int) -> list[str]:
    work = cautious(community.state, replace(terms("anna"), foresee=foresee), slot_s)
    try:
        aside = next(work)
        while True:
            aside = work.send(aside())
    except StopIteration as ended:
        found: list[str] = ended.value
        return found


@pytest.mark.row("X9")
def test_a_community_asks_itself_for_room_below_a_limit_that_may_be_passed_once_a_day() -> None:
    community = Community(2)
    community.live(anna=Flow(load_wh=300), ben=Flow(load_wh=300))
    (line,) = _lines(community, Worried(7_000), NOON + SLOT_SECONDS)
    assert line.startswith("power of community <= 7 kW from ") and line.endswith(" for comfort")
    assert _lines(community, Worried(7_000), NOON + 2 * SLOT_SECONDS) == [], "it is said once"
    assert _lines(community, Worried(9_500), NOON + SLOT_SECONDS) == [], "so much room is asked for anyway"
    plain = cautious(community.state, terms("anna"), NOON + SLOT_SECONDS)
    with pytest.raises(StopIteration) as ended:
        next(plain)
    assert ended.value.value == [], "who knows nothing of how sure it is asks for nothing"


def test_limits_are_those_of_the_whole_zone_and_never_what_was_asked_out_of_caution() -> None:
    community = Community(2)
    community.live(anna=Flow(load_wh=300), ben=Flow(load_wh=300))
    seen = outlook(community.state, terms("anna"), community.slot_s)
    first = Interval(seen.now, seen.now + timedelta(hours=1))

    def most(value: int, **other: object) -> Constraint:
        told = {
            "quantity": Quantity.POWER,
            "reach": Reach.ZONE,
            "scope": (seen.zone,),
            "relation": Relation.AT_MOST,
            "window": first,
            "priority": Priority.DSO,
        }
        return Constraint(**{**told, "value": value, **other})  # type: ignore[arg-type]

    stated = (
        most(9_000),
        most(8_000, window=Interval(seen.now, seen.now + timedelta(minutes=30))),
        most(2_000, priority=Priority.COMFORT, reach=Reach.COMMUNITY, scope=()),
        most(1_000, scope=("elsewhere",)),
    )
    found = limits_w(replace(seen, constraints=stated))
    assert found[:5] == [8_000, 8_000, 9_000, 9_000, None] and len(found) == SLOTS
