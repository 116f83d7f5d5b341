"""Readings and what they settle: every Wh and every micro, by hand."""

import pytest
from community import EXPORT, IMPORT, NAME, NOON, PREPAID, Community, Flow, battery, gain, gateway

from commonwatt.flows.replay import replay
from commonwatt.model import SLOT_SECONDS, SYSTEM_ACCOUNTS, AssetId, AssetKind, Commodity, Outcome, Side

SUNNY = Flow(solar_wh=1_000, charge_wh=1_000)
"""A clean charge: 900 Wh are stored, 810 WATT are minted."""
ACCOUNTS = ("anna", "ben", "cleo", *SYSTEM_ACCOUNTS)


def seller_and_buyer(sold_wh: int, price: int) -> Community:
    """Return two homes of which ben has bought stored energy from anna."""
    community = Community(2)
    community.live(anna=SUNNY)
    community.order("anna", Side.ASK, sold_wh, price)
    community.order("ben", Side.BID, sold_wh, price)
    assert (community.watt("anna"), community.watt("ben")) == (810 - sold_wh, sold_wh)
    return community


def run_out_of_grace(community: Community) -> None:
    community.now_s += community.state.charter.grace_slots * SLOT_SECONDS
    community.pay("anna", 1, "something that wakes the log")


@pytest.mark.row("E2")
@pytest.mark.parametrize(
    ("flow", "minted_wh"),
    [
        (SUNNY, 810),
        (Flow(charge_wh=1_000), 0),
        (Flow(load_wh=500, charge_wh=1_000), 0),
        (Flow(solar_wh=600, charge_wh=1_000), 486),
        (Flow(load_wh=400, solar_wh=1_000, charge_wh=1_000), 486),
        (Flow(load_wh=1_000, solar_wh=1_000, charge_wh=1_000), 0),
        (Flow(solar_wh=3_000, charge_wh=1_000), 810),
        (Flow(solar_wh=1_000), 0),
    ],
)
def test_watt_is_minted_for_own_clean_energy_and_for_nothing_else(flow: Flow, minted_wh: int) -> None:
    community = Community(2)
    # A neighbour's sun makes nobody else's charge clean.
    community.live(anna=flow, ben=Flow(solar_wh=2_000))
    assert community.watt("anna") == minted_wh
    assert community.entries("watt minted") == ([("mint", "anna", minted_wh)] if minted_wh else [])
    assert community.state.claims.issued_wh(battery("anna")) == minted_wh
    assert community.watt("ben") == 0


@pytest.mark.row("E1")
@pytest.mark.row("E2")
@pytest.mark.parametrize(
    ("solar_wh", "first_wh", "second_wh", "minted"),
    [
        (1_400, 1_000, 1_000, (810, 162)),  # of 1,200 Wh beyond the load the first store is credited with 1,000
        (1_400, 400, 1_000, (324, 648)),
        (1_400, 1_300, 1_000, (972, 0)),
        (3_000, 1_000, 1_000, (810, 810)),
        (200, 1_000, 1_000, (0, 0)),
    ],
)
def test_two_batteries_of_one_home_share_its_surplus_and_mint_it_once(
    solar_wh: int, first_wh: int, second_wh: int, minted: tuple[int, int]
) -> None:
    community = Community(1)
    limits = {"capacity_wh": 10_000, "charge_permille": 900, "discharge_permille": 900}
    assert community.claim("anna", "second", AssetKind.BATTERY, **limits) is Outcome.BOOKED
    community.now_s += SLOT_SECONDS
    net_wh = 200 - solar_wh + first_wh + second_wh
    told = {
        "anna-home": (max(0, net_wh), max(0, -net_wh)),
        "anna-solar": (0, solar_wh),
        "anna-battery": (first_wh, 0, first_wh * 9 // 10),
        "second": (second_wh, 0, second_wh * 9 // 10),
    }
    assert community.report("gw-anna", NOON, told) is Outcome.BOOKED
    community.report("gw-feeder", NOON, community.feeder(net_wh))
    claims = community.state.claims
    assert (claims.issued_wh(battery("anna")), claims.issued_wh(AssetId("second"))) == minted
    assert community.watt("anna") == sum(minted)


def through_a_car(load_wh: int, solar_wh: int, given_wh: int, charge_wh: int, *, car_is_heard: bool = True) -> int:
    """Return the WATT of a home whose car gave energy while its battery took some."""
    community = Community(1)
    community.register_gateway("gw-car")
    assert community.claim("anna", "car", AssetKind.VEHICLE, gateway="gw-car", capacity_wh=50_000) is Outcome.BOOKED
    community.now_s += SLOT_SECONDS
    net_wh = load_wh - solar_wh - given_wh + charge_wh
    told = community.home("anna", Flow(load_wh=load_wh, solar_wh=solar_wh, charge_wh=charge_wh))
    told["anna-home"] = (max(0, net_wh), max(0, -net_wh))
    if car_is_heard:
        assert community.report("gw-car", NOON, {"car": (0, given_wh, 20_000)}) is Outcome.BOOKED
    assert community.report("gw-anna", NOON, told) is Outcome.BOOKED
    community.report("gw-feeder", NOON, community.feeder(net_wh))
    assert community.state.settled_to_s == NOON + SLOT_SECONDS
    return community.watt("anna")


@pytest.mark.row("E2")
def test_grid_energy_that_passes_through_a_car_into_the_battery_mints_nothing() -> None:
    assert through_a_car(0, 0, 1_000, 1_000) == 0
    assert through_a_car(600, 600, 600, 600) == 0, "the home's own load had the sun"
    assert through_a_car(100, 600, 500, 1_000) == 405, "500 Wh of sun beyond the load, and no more"


def test_a_car_that_keeps_silent_makes_no_grid_energy_clean() -> None:
    assert through_a_car(600, 600, 600, 600, car_is_heard=False) == 0


@pytest.mark.row("E6")
def test_minting_stops_at_b_max() -> None:
    community = Community(1, b_max_wh=500)
    community.live(anna=SUNNY)
    assert community.watt("anna") == 500
    community.live(anna=SUNNY)
    assert community.watt("anna") == 500
    assert community.state.claims.total_wh == 500


def test_no_more_is_minted_than_the_level_can_give_back() -> None:
    community = Community(1)
    community.levels_wh["anna"] = -500  # a battery that took in far more than its level shows
    community.live(anna=SUNNY)
    assert community.watt("anna") == 400 * 900 // 1_000


@pytest.mark.row("E2")
def test_watt_is_burned_as_its_energy_is_used_at_home() -> None:
    community = Community(1)
    community.live(anna=SUNNY)
    community.live(anna=Flow(load_wh=300, discharge_wh=300))
    assert community.entries("watt burned on use") == [("anna", "burn", 300)]
    # 900 Wh less 334 Wh are 566 Wh, of which 509 come out again: one of the 510 WATT left is lost to rounding.
    assert community.entries("watt burned on loss") == [("anna", "burn", 1)]
    assert community.watt("anna") == community.state.claims.total_wh == 509


def test_grid_energy_that_leaves_again_burns_what_stands_against_the_store() -> None:
    community = Community(1)
    community.live(anna=Flow(charge_wh=1_000))
    community.live(anna=Flow(load_wh=500, discharge_wh=500))
    assert community.entries("watt burned on use") == []
    assert community.watt("anna") == 0


@pytest.mark.row("E2")
def test_called_energy_is_delivered_to_its_holder_and_costs_nothing_more() -> None:
    community = seller_and_buyer(500, 200_000)
    before = {member: community.ergon(member) for member in community.members}
    slot_s = community.live(anna=Flow(discharge_wh=600), ben=Flow(load_wh=400))
    # Ben imports 400 Wh and holds 500 WATT: 400 of the 600 Wh are his; the other 200 burn anna's and go to the grid.
    assert community.entries("watt delivery") == [("anna", "ben", 400)]
    assert community.entries("watt burned on use") == [("ben", "burn", 400), ("anna", "burn", 200)]
    assert community.ergon("ben") == before["ben"]
    assert community.ergon("anna") == before["anna"] + 200 * EXPORT // 1_000
    # 900 - 667 Wh are left, 209 of them recoverable, for 210 WATT: anna's own bears the missing one.
    assert (community.watt("anna"), community.watt("ben")) == (109, 100)
    assert community.state.claims.total_wh == 209
    assert community.state.losses_wh[slot_s] == 0


def test_a_holder_who_imports_nothing_gets_nothing_delivered() -> None:
    community = seller_and_buyer(500, 200_000)
    community.live(anna=Flow(discharge_wh=200), ben=Flow())
    assert community.entries("watt delivery") == []
    assert community.watt("ben") == 500
    assert community.entries("watt burned on use") == [("anna", "burn", 200)]


def test_energy_missing_behind_sold_watt_is_bought_back_at_the_import_price() -> None:
    community = seller_and_buyer(810, 200_000)
    before = community.ergon("ben")
    community.levels_wh["anna"] = 500  # standby loss: 450 of the 810 Wh are still recoverable
    community.live()
    assert community.entries("watt bought back", Commodity.WATT) == [("ben", "burn", 360)]
    assert community.entries("watt bought back", Commodity.ERGON) == [("anna", "ben", 108_000)]
    assert (community.watt("ben"), community.ergon("ben")) == (450, before + 108_000)
    assert community.state.claims.issued_wh(battery("anna")) == 450


def test_the_owners_own_watt_bears_a_loss_first() -> None:
    community = seller_and_buyer(500, 200_000)
    community.levels_wh["anna"] = 600  # 540 recoverable of 810: 270 missing, and anna holds 310
    community.live()
    assert community.entries("watt burned on loss") == [("anna", "burn", 270)]
    assert community.entries("watt bought back") == []
    assert (community.watt("anna"), community.watt("ben")) == (40, 500)


@pytest.mark.row("H5")
def test_renewable_export_earns_ergon_from_the_grids_account() -> None:
    community = Community(1)
    slot_s = community.live(anna=Flow(solar_wh=1_500, load_wh=500))
    assert community.entries("grid export", Commodity.ENERGY) == [("anna", "grid", 1_000)]
    assert community.entries("grid export", Commodity.ERGON) == [("grid", "anna", EXPORT)]
    assert community.ergon("anna") == PREPAID + EXPORT
    assert community.ergon("grid") == -EXPORT
    assert community.state.losses_wh[slot_s] == 0


def test_an_import_is_booked_even_where_it_makes_an_overdraft() -> None:
    community = Community(1, prepaid_micro=100_000)
    community.live(anna=Flow(load_wh=1_000))
    assert community.ergon("anna") == 100_000 - IMPORT


def test_settlement_waits_for_every_home() -> None:
    community = Community(2)
    slot_s = community.live(silent=["ben"], anna=Flow(load_wh=100), ben=Flow(load_wh=200))
    assert community.state.settled_to_s == slot_s
    assert community.entries("grid import") == []
    assert community.report("gw-ben", slot_s, community.home("ben", Flow(load_wh=200))) is Outcome.BOOKED
    assert community.state.settled_to_s == slot_s + SLOT_SECONDS
    assert len(community.entries("grid import", Commodity.ENERGY)) == 2
    assert community.state.losses_wh == {slot_s: 0}


def test_settlement_waits_no_longer_than_its_grace() -> None:
    community = Community(2, grace_slots=2)
    slot_s = community.live(silent=["ben"], anna=Flow(load_wh=100), ben=Flow(load_wh=200))
    last_s = slot_s + 3 * SLOT_SECONDS
    community.now_s = last_s - 1
    community.pay("anna", 1, "not yet")
    assert community.state.settled_to_s == slot_s
    community.now_s = last_s
    community.pay("anna", 1, "now")
    assert community.state.settled_to_s == slot_s + SLOT_SECONDS
    assert community.moved("anna", Commodity.ENERGY, slot_s) == 100
    assert community.moved("ben", Commodity.ENERGY, slot_s) == 0
    assert community.state.losses_wh[slot_s] == 200, "what the feeder saw and ben's meter did not tell"


def test_later_slots_wait_for_an_earlier_one() -> None:
    community = Community(2, grace_slots=8)
    first_s = community.live(silent=["ben"])
    community.live(silent=["feeder"])
    community.live()
    assert community.state.settled_to_s == first_s
    community.report("gw-ben", first_s, community.home("ben", Flow()))
    assert community.state.settled_to_s == first_s + SLOT_SECONDS
    community.report("gw-feeder", first_s + SLOT_SECONDS, community.feeder(0))
    assert community.state.settled_to_s == first_s + 3 * SLOT_SECONDS


def test_a_slot_without_a_price_waits_for_it() -> None:
    community = Community(1, priced_slots=0)
    slot_s = community.live(anna=Flow(load_wh=1_000))
    community.now_s += 96 * SLOT_SECONDS
    community.pay("anna", 1, "long after")
    assert community.state.settled_to_s == slot_s
    community.tell_prices(slot_s, [(IMPORT, EXPORT)])
    assert community.ergon("anna") == PREPAID + 1 - IMPORT


@pytest.mark.parametrize("missing", ["anna-solar", "anna-battery"])
def test_settlement_waits_for_connections_and_feeder_and_for_nothing_else(missing: str) -> None:
    community = Community(1)
    community.now_s += SLOT_SECONDS
    told = community.home("anna", Flow(load_wh=300))
    later = {missing: told.pop(missing)}
    assert community.report("gw-anna", NOON, told) is Outcome.BOOKED
    assert community.state.settled_to_s == NOON, "the feeder is not heard yet"
    assert community.report("gw-feeder", NOON, community.feeder(300)) is Outcome.BOOKED
    assert community.state.settled_to_s == NOON + SLOT_SECONDS
    before = community.balances()
    assert community.report("gw-anna", NOON, later) is Outcome.BOOKED
    assert missing in community.state.readings[NOON]
    assert community.balances() == before, "what comes behind the connection moves no energy"


def silent_then_late(import_wh: int, export_wh: int, price: tuple[int, int], *, late: bool = True) -> Community:
    """Return a street in which ben's reading of the first slot came after its grace, or as it ought to."""
    community = Community(2, grace_slots=1, priced_slots=0)
    community.tell_prices(NOON, [price])
    community.now_s += SLOT_SECONDS
    bens = {"ben-home": (import_wh, export_wh), "ben-solar": (0, 900), "ben-battery": (500, 0, 450)}
    community.report("gw-anna", NOON, community.home("anna", Flow(load_wh=100)))
    if not late:
        community.report("gw-ben", NOON, bens)
    community.report("gw-feeder", NOON, community.feeder(100 + import_wh - export_wh))
    run_out_of_grace(community)
    assert community.state.settled_to_s == NOON + SLOT_SECONDS
    if late:
        assert community.state.losses_wh[NOON] == import_wh - export_wh
        assert community.moved("ben", Commodity.ENERGY, NOON) == 0
        assert community.report("gw-ben", NOON, bens) is Outcome.BOOKED
    return community


def test_a_late_import_is_booked_and_losses_give_it_back() -> None:
    community = silent_then_late(200, 0, (IMPORT, EXPORT))
    assert community.entries("losses") == [("grid", "losses", 200), ("losses", "grid", 60_000)]
    assert community.entries("late import") == [("losses", "ben", 200), ("ben", "losses", 60_000)]
    assert community.entries("late export") == []
    assert community.ergon("ben") == PREPAID - 60_000
    assert community.ergon("grid") == 90_000
    for commodity in (Commodity.ENERGY, Commodity.ERGON):
        assert community.moved("losses", commodity, NOON) == 0
    assert community.state.losses_wh == {NOON: 0}
    assert community.state.set_aside == []


def test_a_late_export_is_paid_by_the_losses_that_had_kept_its_price() -> None:
    community = silent_then_late(0, 500, (IMPORT, EXPORT))
    # The feeder gave 400 Wh for 40,000 micro, and anna paid the grid 30,000: both stood with the losses.
    assert community.entries("losses") == [("losses", "grid", 500), ("grid", "losses", 70_000)]
    assert community.entries("late export") == [("ben", "losses", 500), ("losses", "ben", 50_000)]
    assert community.ergon("ben") == PREPAID + 50_000
    assert community.state.losses_wh == {NOON: 0}
    assert community.moved("losses", Commodity.ENERGY, NOON) == 0
    assert community.moved("losses", Commodity.ERGON, NOON) == 20_000, "the spread on what flowed without a trade"


@pytest.mark.row("M2")
@pytest.mark.parametrize("counted", [(200, 0), (0, 500), (321, 123), (1, 0), (0, 0)])
@pytest.mark.parametrize("price", [(IMPORT, EXPORT), (333_333, 77_777), (-20_001, -50_003), (-7, 9), (0, 0)])
def test_a_late_reading_leaves_energy_and_money_as_a_punctual_one(
    counted: tuple[int, int], price: tuple[int, int]
) -> None:
    late, punctual = (silent_then_late(*counted, price, late=late) for late in (True, False))
    for commodity in (Commodity.ENERGY, Commodity.ERGON):
        assert late.state.accounts.total(commodity) == 0
        for account in ACCOUNTS:
            assert late.moved(account, commodity, NOON) == punctual.moved(account, commodity, NOON)
    assert late.state.losses_wh == punctual.state.losses_wh == {NOON: 0}
    if counted == (0, 0):
        assert late.watt("ben") == 0 < punctual.watt("ben"), "WATT is minted on time or not at all"


def test_who_was_silent_shares_in_no_trade_and_pays_the_grids_price() -> None:
    community = Community(2, grace_slots=1)
    community.order("ben", Side.BID, 300, IMPORT, NOON)
    community.order("anna", Side.ASK, 300, EXPORT, NOON)
    community.live(silent=["ben"], anna=Flow(solar_wh=300), ben=Flow(load_wh=300))
    run_out_of_grace(community)
    assert community.state.clearings[NOON].energy_wh == 300
    assert community.report("gw-ben", NOON, community.home("ben", Flow(load_wh=300))) is Outcome.BOOKED
    assert community.entries("trade") == []
    assert community.ergon("anna") == PREPAID + 1 + 30_000, "and a coin that woke the log"
    assert community.ergon("ben") == PREPAID - 90_000
    assert (community.ergon("grid"), community.ergon("losses")) == (0, 60_000)
    assert community.state.losses_wh == {NOON: 0}


def test_a_second_late_reading_of_a_slot_is_set_aside() -> None:
    community = silent_then_late(200, 0, (IMPORT, EXPORT))
    before, position = community.balances(), community.roots().leaves
    assert community.report("gw-ben", NOON, {"ben-home": (700, 0)}) is Outcome.SET_ASIDE
    assert [(doubt.asset, doubt.slot_s, doubt.position) for doubt in community.state.set_aside] == [
        ("ben-home", NOON, position)
    ]
    assert {doubt.why for doubt in community.state.set_aside} == {"overlaps a reading that was booked"}
    assert community.state.readings[NOON]["ben-home"].import_wh == 200
    assert community.balances() == before


def test_a_late_reading_above_the_fuse_is_set_aside_like_any_other() -> None:
    community = Community(2, grace_slots=0)
    slot_s = community.live(silent=["ben"])
    assert community.state.settled_to_s == slot_s + SLOT_SECONDS
    before = community.balances()
    assert community.report("gw-ben", slot_s, {"ben-home": (0, 5_002)}) is Outcome.SET_ASIDE
    assert community.balances() == before


def test_nothing_is_measured_before_the_community_was_founded() -> None:
    community = Community(1)
    before = community.balances()
    assert community.report("gw-anna", NOON - SLOT_SECONDS, community.home("anna", Flow(load_wh=9))) is (
        Outcome.SET_ASIDE
    )
    assert [doubt.why for doubt in community.state.set_aside] == ["slot lies before the asset was registered"] * 3
    assert len(community.state.readings) == 0
    assert community.balances() == before


@pytest.mark.parametrize("priced_slots", [0, 96])
def test_a_late_reading_of_a_slot_in_which_the_whole_street_was_silent_does_not_stop_the_log(priced_slots: int) -> None:
    community = Community(1, grace_slots=1, priced_slots=priced_slots)
    community.now_s += 2 * SLOT_SECONDS
    community.pay("anna", 1, "something that wakes the log")
    assert community.state.settled_to_s == NOON + SLOT_SECONDS
    assert community.report("gw-anna", NOON, community.home("anna", Flow(load_wh=200))).admitted
    assert community.pay("anna", 1, "and on it goes") is Outcome.BOOKED
    assert community.state.accounts.total(Commodity.ENERGY) == 0


def test_a_late_reading_leaves_no_loss_where_the_feeder_was_silent_too() -> None:
    community = Community(2, grace_slots=1)
    flows = {"anna": Flow(load_wh=100), "ben": Flow(load_wh=200)}
    slot_s = community.live(silent=["ben", "feeder"], **flows)
    run_out_of_grace(community)
    assert community.state.losses_wh[slot_s] == 0
    assert community.report("gw-ben", slot_s, community.home("ben", flows["ben"])) is Outcome.BOOKED
    assert community.moved("ben", Commodity.ENERGY, slot_s) == 200
    assert community.state.losses_wh[slot_s] == 0


def test_a_feeder_that_reports_late_sets_the_grids_account_to_what_it_counted() -> None:
    community = Community(2, grace_slots=1)
    flows = {"anna": Flow(load_wh=100), "ben": Flow(solar_wh=1000)}
    slot_s = community.live(silent=["ben", "feeder"], **flows)
    run_out_of_grace(community)
    assert community.moved("grid", Commodity.ENERGY, slot_s) == -100
    # 900 Wh left the street and 10 Wh were lost on the way: the feeder sees 890 go out.
    assert community.report("gw-feeder", slot_s, community.feeder(-890)) is Outcome.BOOKED
    assert community.moved("grid", Commodity.ENERGY, slot_s) == 890
    assert community.moved("grid", Commodity.ERGON, slot_s) == -890 * EXPORT // 1000
    assert community.state.losses_wh[slot_s] == -990
    assert community.report("gw-ben", slot_s, community.home("ben", flows["ben"])) is Outcome.BOOKED
    assert community.state.losses_wh[slot_s] == 10
    for commodity in (Commodity.ENERGY, Commodity.ERGON):
        assert community.state.accounts.total(commodity) == 0


def test_nobody_exported_from_a_connection_before_it_was_registered() -> None:
    community = Community(1)
    slot_s = community.live(anna=Flow(load_wh=100))
    community.register_key("dora", "member", "dora")
    community.register_gateway("gw-dora")
    community.claim("dora", "dora-home", AssetKind.CONNECTION)
    assert community.report("gw-dora", slot_s, {"dora-home": (0, 5_000)}) is Outcome.SET_ASIDE
    assert community.ergon("dora") == 0


def test_a_reading_that_overlaps_a_booked_one_is_set_aside_and_the_first_counts() -> None:
    community = Community(1)
    community.now_s += SLOT_SECONDS
    home = community.home("anna", Flow(load_wh=700))
    assert community.report("gw-anna", NOON, home) is Outcome.BOOKED
    assert community.report("gw-anna", NOON, home | {"anna-home": (70, 0)}) is Outcome.SET_ASIDE
    assert [doubt.why for doubt in community.state.set_aside] == ["overlaps a reading that was booked"] * 3
    community.report("gw-feeder", NOON, community.feeder(700))
    assert community.moved("anna", Commodity.ENERGY, NOON) == 700


@pytest.mark.row("M6")
@pytest.mark.parametrize(
    ("asset", "told", "why"),
    [
        ("anna-home", (5_002, 0), "import above registered limit: found 5002 Wh, limit 5001 Wh"),
        ("anna-home", (0, 10**9), "export above registered limit"),
        ("anna-battery", (0, 0, 10_001), "level above registered capacity"),
        ("anna-battery", (0, 0), "tells no level"),
        ("anna-solar", (0, 1, 5), "tells a level of an asset that stores nothing"),
        ("gw-anna register 3", (1, 0), "no asset is registered"),
    ],
)
def test_what_cannot_be_believed_is_listed_and_not_settled(asset: str, told: tuple[int, ...], why: str) -> None:
    community = Community(2)
    community.live()
    slot_s = community.slot_s
    community.now_s += SLOT_SECONDS
    assert community.report("gw-anna", slot_s, {asset: told}) is Outcome.SET_ASIDE
    (doubt,) = community.state.set_aside
    assert (doubt.asset, doubt.slot_s) == (asset, slot_s)
    assert doubt.why.startswith(why)
    run_out_of_grace(community)
    assert community.state.settled_to_s > slot_s
    assert [entry for entry in community.booked() if entry.slot_s == slot_s] == []


def test_a_level_that_rose_more_than_was_charged_is_set_aside() -> None:
    community = Community(1)
    community.live(anna=SUNNY)
    community.levels_wh["anna"] = 900 + 2
    community.now_s += SLOT_SECONDS
    told = community.home("anna", Flow(load_wh=50))
    assert community.report("gw-anna", community.now_s - SLOT_SECONDS, told) is Outcome.SET_ASIDE
    (doubt,) = community.state.set_aside
    assert doubt.why == "level rose more than was charged: found 902 Wh, possible 901 Wh"


def test_one_doubtful_item_leaves_the_rest_of_its_batch_to_count() -> None:
    community = Community(1)
    community.now_s += SLOT_SECONDS
    told = community.home("anna", Flow(load_wh=300)) | {"anna-solar": (0, 99_999)}
    assert community.report("gw-anna", NOON, told) is Outcome.SET_ASIDE
    run_out_of_grace(community)
    assert community.moved("anna", Commodity.ENERGY, NOON) == 300


def test_nobody_measures_what_has_not_happened_yet() -> None:
    community = Community(1)
    community.now_s = NOON + SLOT_SECONDS - 1
    assert community.report("gw-anna", NOON, {"anna-home": (1, 0)}) is Outcome.NOT_ALLOWED
    assert len(community.state.readings) == 0, "nor was any of it kept"
    community.now_s += 1
    assert community.report("gw-anna", NOON, {"anna-home": (1, 0)}) is Outcome.BOOKED


@pytest.mark.parametrize("off_s", [60, 840])
def test_an_interval_that_is_no_slot_is_listed_and_not_settled(off_s: int) -> None:
    community = Community(1)
    community.now_s = NOON + 2 * SLOT_SECONDS
    assert community.report("gw-anna", NOON + off_s, {"anna-home": (1, 0)}) is Outcome.SET_ASIDE
    assert [doubt.why for doubt in community.state.set_aside] == ["interval is no slot"]
    assert len(community.state.readings) == 0
    assert community.report("gw-anna", NOON, {"anna-home": (1, 0)}) is Outcome.BOOKED


def test_a_falsified_import_shows_as_a_loss_that_the_member_cannot_hide() -> None:
    community = Community(2)
    community.now_s += SLOT_SECONDS
    honest = community.home("anna", Flow(load_wh=1_000))
    community.report("gw-anna", NOON, honest | {"anna-home": (500, 0)})
    community.report("gw-ben", NOON, community.home("ben", Flow(load_wh=200)))
    community.report("gw-feeder", NOON, community.feeder(1_200))
    assert community.state.losses_wh[NOON] == 500
    assert community.moved("losses", Commodity.ENERGY, NOON) == 500
    assert community.moved("losses", Commodity.ERGON, NOON) == -500 * IMPORT // 1_000
    assert community.moved("grid", Commodity.ENERGY, NOON) == -1_200


def test_without_the_feeders_meter_the_members_sum_stands_in() -> None:
    community = Community(2)
    slot_s = community.live(silent=["feeder"], anna=Flow(load_wh=700), ben=Flow(solar_wh=200))
    run_out_of_grace(community)
    assert community.moved("grid", Commodity.ENERGY, slot_s) == -500
    assert community.state.losses_wh[slot_s] == 0


@pytest.mark.row("M2")
def test_each_slots_energy_and_money_sum_to_nothing_and_each_account_to_its_meter() -> None:
    community = Community(3)
    flows = [
        {"anna": SUNNY, "ben": Flow(load_wh=333), "cleo": Flow(load_wh=777, solar_wh=1_500, charge_wh=501)},
        {"anna": Flow(load_wh=101), "ben": Flow(load_wh=1_999), "cleo": Flow(discharge_wh=99)},
        {"anna": Flow(discharge_wh=401), "ben": Flow(load_wh=303), "cleo": Flow(load_wh=50, solar_wh=49)},
    ]
    for n, flow in enumerate(flows):
        community.order("ben", Side.BID, 200 + n, IMPORT, community.slot_s)
        community.order("anna", Side.ASK, 150 + n, EXPORT, community.slot_s)
        community.order("cleo", Side.ASK, 77, EXPORT + 1, community.slot_s)
        community.order("anna", Side.ASK, 100, 199_999)
        community.order("ben", Side.BID, 60, 200_001)
        slot_s = community.live(**flow)
        for commodity in Commodity:
            booked = [e for e in community.booked() if e.slot_s == slot_s and e.commodity is commodity]
            assert sum(gain(entry, account) for entry in booked for account in ACCOUNTS) == 0
            assert community.state.accounts.total(commodity) == 0
        net_wh = {member: flow[member].net_wh for member in community.members}
        for member in community.members:
            assert community.moved(member, Commodity.ENERGY, slot_s) == net_wh[member]
        assert community.moved("grid", Commodity.ENERGY, slot_s) == -sum(net_wh.values())
        assert community.state.losses_wh[slot_s] == 0
    assert community.entries("watt trade"), "the story has stored energy change hands"
    assert community.entries("watt delivery"), "and reach its holder"


def test_watt_never_exceeds_a_settled_level_though_the_connections_reading_is_set_aside() -> None:
    community = Community(1)
    community.live(anna=SUNNY)
    slot_s = community.slot_s
    community.now_s += SLOT_SECONDS
    told = community.home("anna", Flow(discharge_wh=600)) | {"anna-home": (0, 99_999)}
    community.report(gateway("anna"), slot_s, told)
    run_out_of_grace(community)
    assert community.state.settled_to_s > slot_s
    level_wh = community.state.readings[slot_s][battery("anna")].level_wh
    recoverable_wh = community.state.assets[battery("anna")].recoverable_wh(level_wh or 0)
    assert community.state.claims.total_wh <= recoverable_wh


def test_a_price_and_a_fuse_beyond_all_reason_leave_slots_unsettled_and_the_log_alive() -> None:
    town = Community(priced_slots=0)
    town.tell_prices(NOON, [(10**9, 0)] * 96)
    town.register_gateway("gw-huge")
    town.register_key("huge", "member", "huge")
    limits = {"gateway": "gw-huge", "max_import_w": 10**9, "max_export_w": 0}
    assert town.claim("huge", "huge-home", AssetKind.CONNECTION, **limits) is Outcome.BOOKED
    for _ in range(60):
        slot_s = town.slot_s
        town.now_s += SLOT_SECONDS
        assert town.report("gw-huge", slot_s, {"huge-home": (250_000_000, 0)}) is Outcome.BOOKED
    assert town.pay("anna", 5, "alive") is Outcome.BOOKED
    assert NOON < town.state.settled_to_s < town.slot_s - 3 * SLOT_SECONDS
    assert replay(town.rows(), NAME).state.root() == town.state.root()
