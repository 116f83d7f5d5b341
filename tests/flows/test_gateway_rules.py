"""A gateway's own rules never go before who outranks them, send nothing stored out unasked, and cut off nobody."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from noting import NOW, Noting, asset, command, noting

from commonwatt.flexibility.dispatch import Authority, Limit, merge
from commonwatt.flows.gateway.rules import (
    MOST_DEMANDS,
    WORD_LASTS_S,
    Demand,
    Heard,
    LocalRules,
    Mode,
    Rules,
    Wish,
    home_needs_w,
)
from commonwatt.flows.keeper import Keeper
from commonwatt.model import (
    Asset,
    AssetId,
    AssetKind,
    Band,
    Caps,
    Command,
    Interval,
    InvalidValue,
    Unreachable,
    Verb,
)
from commonwatt.tokens.prepaid import Supply

BATTERY, LINE, RELAY, HEATER = AssetId("battery"), AssetId("line"), AssetId("relay"), AssetId("heater")
MOST_W = 5_000
HOUR = Interval(NOW, NOW + timedelta(hours=1))
FUSE = Caps(max_import_w=20_000, max_export_w=20_000, lease_s=60)


def heater() -> Asset:
    return replace(asset("heater", AssetKind.CONNECTION), max_export_w=0, capacity_wh=0)


@dataclass
class House:
    """A battery behind the meter of a house that draws so much beside it; below zero its roof makes more."""

    load_w: int = 0
    rules: LocalRules = field(default_factory=lambda: LocalRules(Rules()))
    metered: bool = True
    relay: Caps = FUSE

    def __post_init__(self) -> None:
        self.battery = noting()
        self.meter = Noting(Caps(max_import_w=0), line=lambda: self.load_w + self.battery.power_w)
        self.switch, self.heater = Noting(self.relay), Noting(Caps(max_import_w=MOST_W, lease_s=60))
        self.keeper = Keeper(
            {
                BATTERY: (asset("battery"), self.battery),
                LINE: (asset("line", AssetKind.CONNECTION), self.meter),
                RELAY: (replace(asset("relay", AssetKind.CONNECTION), capacity_wh=0), self.switch),
                HEATER: (heater(), self.heater),
            },
            line=LINE if self.metered else None,
            rules=self.rules.settle,
        )

    def live(self, after_s: int = 0, ticks: int = 2) -> int:
        """Return what the battery does once things have settled."""

        async def run() -> None:
            for second in range(ticks):
                await self.keeper.tick(NOW + timedelta(seconds=after_s + second))

        asyncio.run(run())
        return self.battery.power_w


def house(mode: Mode, load_w: int, **heard: object) -> House:
    rules = LocalRules(Rules(mode=mode, switch=RELAY), Heard(**heard))  # type: ignore[arg-type]
    return House(load_w, rules)


bands = st.tuples(st.integers(-MOST_W, MOST_W), st.integers(-MOST_W, MOST_W)).map(
    lambda edges: Band(lo_w=min(edges), hi_w=max(edges))
)
commands = st.one_of(
    st.none(),
    bands.map(lambda band: command(band.lo_w, band.hi_w)),
    st.integers(-MOST_W, MOST_W).map(lambda power_w: command(power_w, power_w)),
    st.integers(-MOST_W, MOST_W).map(lambda line_w: command(-MOST_W, MOST_W, balance_w=line_w)),
)
wishes = st.one_of(
    st.none(),
    st.builds(
        Wish,
        asset=st.just(BATTERY),
        until=st.just(HOUR.end),
        verb=st.one_of(st.none(), st.sampled_from(Verb)),
        power_w=st.one_of(st.none(), st.integers(0, 9_000)),
    ),
)
demands = st.one_of(
    st.none(),
    st.builds(
        Demand,
        id=st.just("d"),
        window=st.just(HOUR),
        power_w=st.one_of(st.none(), st.integers(1, 9_000)),
    ),
)
supplies = st.one_of(st.none(), st.sampled_from(Supply))
limits = st.dictionaries(st.sampled_from([Authority.GRID, Authority.DSO, Authority.CONTRACT]), bands, max_size=3)


@dataclass(frozen=True)
class Case:
    """Everything that can be said at once."""

    mode: Mode
    load_w: int
    told: Command | None
    demand: Demand | None
    wish: Wish | None
    others: dict[Authority, Band]
    supply: Supply | None

    def play(self) -> int:
        """Return what the battery does."""
        found = house(
            self.mode,
            self.load_w,
            demands=(self.demand,) if self.demand else (),
            wishes={BATTERY: self.wish} if self.wish else {},
            supply=self.supply,
            supply_at=NOW if self.supply else None,
        )
        if self.told is not None:
            found.keeper.tell(self.told)
        for authority, band in self.others.items():
            found.keeper.limit(BATTERY, authority.name, Limit(authority=authority, band=band))
        return found.live()

    @property
    def off(self) -> bool:
        return self.wish is not None and self.wish.verb is None

    def among(self, *authorities: Authority) -> bool:
        return any(authority in self.others for authority in authorities)


cases = st.builds(
    Case,
    mode=st.sampled_from(Mode),
    load_w=st.integers(-9_000, 9_000),
    told=commands,
    demand=demands,
    wish=wishes,
    others=limits,
    supply=supplies,
)


@pytest.mark.row("H5")
@pytest.mark.row("H6")
@given(cases)
def test_whatever_is_said_at_once_nobody_goes_before_who_outranks_them_and_safety_always_holds(case: Case) -> None:
    does_w = case.play()
    outranking = [(Authority.SAFETY, Band(lo_w=-MOST_W, hi_w=MOST_W))]
    assert -MOST_W <= does_w <= MOST_W
    for authority in (Authority.GRID, Authority.DSO):
        if authority in case.others:
            outranking.append((authority, case.others[authority]))
        if authority is Authority.DSO and case.supply is Supply.DISABLED:
            outranking.append((authority, Band(lo_w=-MOST_W, hi_w=0)))
        allowed = merge(outranking)
        assert allowed.lo_w <= does_w <= allowed.hi_w


@pytest.mark.row("H6")
@given(cases)
def test_no_stored_energy_is_sent_out_without_demand_and_a_consumers_never(case: Case) -> None:
    if case.among(Authority.GRID, Authority.DSO):
        case = replace(case, others={})
    instructed = case.told is not None or case.among(Authority.CONTRACT)
    asked = (instructed and not case.off) or case.demand is not None or case.mode is Mode.GENERATOR
    asked = asked or (case.wish is not None and case.wish.verb is Verb.SUPPLY)
    if case.mode is Mode.CONSUMER or not asked:
        assert case.play() >= -max(0, case.load_w)


@pytest.mark.row("H4")
@given(cases)
def test_a_disabled_meter_lets_nothing_be_drawn_whatever_owner_and_plan_say(case: Case) -> None:
    case = replace(case, supply=Supply.DISABLED, others={k: v for k, v in case.others.items() if k > Authority.DSO})
    assert case.play() <= 0


@pytest.mark.row("H5")
@given(cases)
def test_an_owners_off_means_nothing_in_every_mode(case: Case) -> None:
    off = Wish(asset=BATTERY, until=HOUR.end)
    case = replace(case, wish=off, others={k: v for k, v in case.others.items() if k > Authority.DSO})
    assert case.play() == 0


@pytest.mark.row("H6")
@pytest.mark.parametrize(("load_w", "does_w"), [(800, -800), (-1_200, 1_200), (9_000, -5_000), (-9_000, 5_000), (0, 0)])
@pytest.mark.parametrize("mode", [Mode.CONSUMER, Mode.PROSUMER])
def test_by_itself_the_sun_fills_the_battery_or_the_battery_runs_the_house(
    mode: Mode, load_w: int, does_w: int
) -> None:
    assert house(mode, load_w).live() == does_w


@pytest.mark.row("H6")
def test_a_prosumer_exports_while_demand_lasts_a_consumer_never_and_a_generator_always() -> None:
    for power_w, does_w in ((None, -5_000), (2_000, -2_500), (9_000, -5_000)):
        demand = Demand(id="d", window=HOUR, power_w=power_w)
        assert house(Mode.PROSUMER, 500, demands=(demand,)).live() == does_w
        assert house(Mode.CONSUMER, 500, demands=(demand,)).live() == -500
    prosumer = house(Mode.PROSUMER, 500, demands=(Demand(id="d", window=HOUR),))
    assert prosumer.live(3_590) == -5_000
    assert prosumer.live(3_600) == -500, "it is over"
    assert house(Mode.GENERATOR, 500).live() == -5_000


@pytest.mark.row("H6")
def test_a_command_in_hand_knows_more_than_a_broadcast_and_a_sold_export_is_a_demand() -> None:
    buying = house(Mode.PROSUMER, 500, demands=(Demand(id="d", window=HOUR),))
    buying.keeper.tell(command(1_000, 1_000))
    assert buying.live() == 1_000
    selling = house(Mode.PROSUMER, 500)
    selling.keeper.tell(command(-3_000, -3_000, seconds=600))
    assert selling.live() == -3_000
    assert selling.live(600) == -500, "when it has run out, the gateway does as it does by itself"
    home = house(Mode.CONSUMER, 500)
    home.keeper.tell(command(-3_000, -3_000))
    assert home.live() == -500
    home.meter.fails = Unreachable("no answer")
    assert home.live(2) == 0, "nobody knows what the home needs"


@pytest.mark.row("H6")
@pytest.mark.parametrize("mode", [Mode.CONSUMER, Mode.PROSUMER])
def test_where_no_meter_shows_the_line_nothing_goes_out_unasked(mode: Mode) -> None:
    blind = House(500, LocalRules(Rules(mode=mode)), metered=False)
    assert blind.live() == 0
    dead = House(500, LocalRules(Rules(mode=mode)))
    dead.meter.fails = Unreachable("no answer")
    assert dead.live() == 0


@pytest.mark.row("H6")
@pytest.mark.parametrize(("level_wh", "does_w"), [(3_001, -5_000), (3_000, -500), (None, -500)])
def test_a_reserve_is_kept_back_from_demand_for_the_home(level_wh: int | None, does_w: int) -> None:
    rules = LocalRules(Rules(reserve_percent=30), Heard(demands=(Demand(id="d", window=HOUR),)))
    kept = House(500, rules)
    kept.battery.level_wh = level_wh
    assert kept.live() == does_w


@pytest.mark.row("H6")
def test_a_car_is_left_to_its_charger_and_supplies_nothing_that_nobody_asked_for() -> None:
    car = noting()
    name, rules = AssetId("car"), LocalRules(Rules(), Heard(demands=(Demand(id="d", window=HOUR),)))
    keeper = Keeper({name: (asset("car", AssetKind.VEHICLE), car)}, rules=rules.settle)
    asyncio.run(keeper.tick(NOW))
    assert car.told == []
    keeper.limit(name, "dso", Limit(authority=Authority.DSO, band=Band(lo_w=-5_000, hi_w=4_200)))
    asyncio.run(keeper.tick(NOW))
    assert car.told[-1].band == Band(lo_w=0, hi_w=4_200)


@pytest.mark.row("H4")
@given(supplies, st.integers(-4_000, 4_000))
def test_the_switch_opens_only_where_the_meter_is_certainly_disabled(supply: Supply | None, age_s: int) -> None:
    at = None if supply is None else NOW - timedelta(seconds=age_s)
    found = house(Mode.PROSUMER, 500, supply=supply, supply_at=at)
    found.live(ticks=1)
    sure = supply is Supply.DISABLED and 0 <= age_s < WORD_LASTS_S
    nothing = Band(lo_w=0, hi_w=0)
    assert [told.band for told in found.switch.told] == ([nothing] if sure else [])
    assert [told.band for told in found.heater.told] == ([nothing] if sure else [])
    assert all(told.expires <= NOW + timedelta(seconds=60) for told in found.switch.told), "it closes if we are lost"


@pytest.mark.row("H4")
def test_a_meter_is_enabled_again_at_once_and_when_the_community_was_not_heard_for_too_long() -> None:
    found = house(Mode.PROSUMER, 500)
    rules = found.rules
    rules.meter(Supply.GRACE, NOW)
    found.live(ticks=1)
    assert found.switch.told == []
    rules.meter(Supply.DISABLED, NOW)
    found.live(ticks=1)
    assert len(found.switch.told) == 1
    rules.meter(Supply.ENABLED, NOW - timedelta(seconds=9))  # a clock that was set back cuts nobody off
    found.live(1, ticks=1)
    assert found.switch.released == 1
    rules.meter(Supply.DISABLED, NOW - timedelta(seconds=30))
    found.live(2, ticks=1)
    assert len(found.switch.told) == 1, "what is older than the last word says nothing"
    rules.meter(Supply.DISABLED, NOW + timedelta(seconds=3))
    found.live(3, ticks=1)
    assert len(found.switch.told) == 2
    found.live(3 + WORD_LASTS_S, ticks=1)
    assert found.switch.released == 2, "offline for so long: in doubt"


@pytest.mark.row("H4")
def test_a_relay_that_would_stay_open_without_us_is_never_opened() -> None:
    rules = LocalRules(Rules(switch=RELAY), Heard(supply=Supply.DISABLED, supply_at=NOW))
    found = House(500, rules, relay=replace(FUSE, lease_s=None))
    found.live()
    assert found.switch.told == []
    assert found.heater.told[-1].band == Band(lo_w=0, hi_w=0)


@pytest.mark.row("H5")
@pytest.mark.parametrize(
    ("verb", "power_w", "does_w"),
    [
        (Verb.START_CHARGE, 2_000, 2_000),
        (Verb.START_CHARGE, None, 5_000),
        (Verb.INCREASE_RATE, 4_000, 4_000),
        (Verb.REDUCE_RATE, 1_000, 1_000),
        (Verb.STOP_CHARGE, None, 0),
        (Verb.STOP_SUPPLY, None, 3_000),
        (Verb.SUPPLY, 1_500, -1_500),
        (None, None, 0),
    ],
)
def test_an_owner_at_home_goes_before_the_plan_until_the_wish_ends(
    verb: Verb | None, power_w: int | None, does_w: int
) -> None:
    found = house(Mode.PROSUMER, 500)
    found.keeper.tell(command(3_000, 3_000))
    found.rules.wish(Wish(asset=BATTERY, until=NOW + timedelta(seconds=60), verb=verb, power_w=power_w))
    assert found.live() == does_w
    assert found.live(60) == 3_000
    found.rules.wish(Wish(asset=BATTERY, until=HOUR.end))
    assert found.live(61) == 0
    found.rules.unwish(BATTERY)
    assert found.live(62) == 3_000


def test_what_makes_energy_alone_is_never_told_anything() -> None:
    sun = replace(asset("sun", AssetKind.SOLAR), max_import_w=0, capacity_wh=0)
    device = Noting(Caps(max_import_w=0, max_export_w=5_000))
    heard = Heard(supply=Supply.DISABLED, supply_at=NOW, demands=(Demand(id="d", window=HOUR),))
    for mode in Mode:
        keeper = Keeper({sun.id: (sun, device)}, rules=LocalRules(Rules(mode=mode), heard).settle)
        asyncio.run(keeper.tick(NOW))
    assert device.told == []


def test_demands_are_heard_once_taken_back_and_bounded() -> None:
    rules = LocalRules(Rules())
    for power_w in (1_000, 2_000):
        rules.demand(Demand(id="d", window=HOUR, power_w=power_w), NOW)
    assert [one.power_w for one in rules.heard.demands] == [2_000]
    rules.retract("d")
    assert rules.heard.demands == ()
    for number in range(MOST_DEMANDS):
        rules.demand(Demand(id=str(number), window=HOUR), NOW)
    with pytest.raises(InvalidValue, match="at most"):
        rules.demand(Demand(id="one more", window=HOUR), NOW)
    later = Interval(HOUR.end, HOUR.end + timedelta(hours=1))
    rules.demand(Demand(id="later", window=later), HOUR.end)
    assert [one.id for one in rules.heard.demands] == ["later"], "what is over is forgotten"


def test_what_was_heard_outlives_a_restart() -> None:
    heard = Heard(
        demands=(Demand(id="d", window=HOUR, power_w=5),),
        supply=Supply.DISABLED,
        supply_at=NOW,
        wishes={BATTERY: Wish(asset=BATTERY, until=HOUR.end, verb=Verb.SUPPLY)},
    )
    assert msgspec.json.decode(msgspec.json.encode(heard), type=Heard) == heard


def test_what_is_impossible_is_refused() -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001  the test is about one without a zone
    for wrong in (
        lambda: Demand(id="", window=HOUR),
        lambda: Demand(id="d", window=HOUR, power_w=0),
        lambda: Wish(asset=BATTERY, until=naive),
        lambda: Wish(asset=BATTERY, until=HOUR.end, power_w=-1),
        lambda: Rules(reserve_percent=101),
    ):
        with pytest.raises(InvalidValue):
            wrong()


@given(st.integers(-9_000, 9_000), st.lists(st.one_of(st.none(), st.integers(-9_000, 9_000)), max_size=4))
def test_a_home_needs_what_it_draws_beside_its_storage(line_w: int, stores_w: list[int | None]) -> None:
    known = [power_w for power_w in stores_w if power_w is not None]
    expected = 0 if len(known) < len(stores_w) else max(0, line_w - sum(known))
    assert home_needs_w(line_w, stores_w) == expected
