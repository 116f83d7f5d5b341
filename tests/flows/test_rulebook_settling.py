"""Readings and what they settle: every Wh and every micro, by hand."""

import pytest
from community import EXPORT, IMPORT, NOON, PREPAID, Community, Flow, battery, gain, gateway

from commonwatt.model import SLOT_SECONDS, AssetKind, Commodity, Outcome, Side

SUNNY = Flow(solar_wh=1_000, charge_wh=1_000)
"""A clean charge: 900 Wh are stored, 810 WATT are minted."""
ACCOUNTS = ("anna", "ben", "cleo", "grid", "losses", "payment-port", "mint", "burn")


def seller_and_buyer(sold_wh: int, price: int) -> Community:
    """Return two homes of which ben has bought stored energy from anna."""
    community = Community(2)
    community.live(anna=SUNNY)
    community.order("anna", Side.ASK, sold_wh, price)
    community.order("ben", Side.BID, sold_wh, price)
    assert (community.watt("anna"), community.watt("ben")) == (810 - sold_wh, sold_wh)
    return community


def run_out_of_grace(community: Community) -> None:
    community.now_s += community.state.grace_slots * SLOT_SECONDS
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


def test_settlement_waits_for_every_meter() -> None:
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


def test_a_reading_after_settlement_is_set_aside_with_its_reason() -> None:
    community = Community(2, grace_slots=1)
    slot_s = community.live(silent=["ben"])
    community.live(silent=["ben"])
    assert community.state.settled_to_s == slot_s + SLOT_SECONDS
    before = community.state.accounts.leaves()
    late = community.home("ben", Flow(load_wh=200))
    position = community.roots().leaves
    assert community.report("gw-ben", slot_s, late) is Outcome.SET_ASIDE
    assert [(doubt.asset, doubt.slot_s, doubt.position) for doubt in community.state.set_aside] == [
        (asset, slot_s, position) for asset in ("ben-home", "ben-solar", "ben-battery")
    ]
    assert {doubt.why for doubt in community.state.set_aside} == {"slot is settled already"}
    assert "ben-home" not in community.state.readings[slot_s]
    assert community.state.accounts.leaves() == before


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
        ("ben-home", (1, 0), "asset is not registered behind this gateway"),
        ("barn", (1, 0), "asset is not registered behind this gateway"),
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
    assert [entry for entry in community.state.entries if entry.slot_s == slot_s] == []


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
    assert community.report("gw-anna", NOON - 5, {"anna-home": (1, 0)}) is Outcome.OVER_LIMIT
    community.now_s += 1
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
            booked = [e for e in community.state.entries if e.slot_s == slot_s and e.commodity is commodity]
            assert sum(gain(entry, account) for entry in booked for account in ACCOUNTS) == 0
            assert community.state.accounts.total(commodity) == 0
        net_wh = {member: flow[member].net_wh for member in community.members}
        for member in community.members:
            assert community.moved(member, Commodity.ENERGY, slot_s) == net_wh[member]
        assert community.moved("grid", Commodity.ENERGY, slot_s) == -sum(net_wh.values())
        assert community.state.losses_wh[slot_s] == 0
    assert community.entries("watt trade"), "the story has stored energy change hands"
    assert community.entries("watt delivery"), "and reach its holder"


@pytest.mark.xfail(
    strict=True,
    reason="settling._tokens skips _meet_level while the owner's connection reading is missing or set aside",
)
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


@pytest.mark.xfail(
    strict=True, reason="settling._mint asks watt.mint_wh of a battery registered without capacity, which raises"
)
def test_a_battery_registered_without_capacity_does_not_stop_the_log() -> None:
    community = Community(1)
    if community.claim("anna", "toy", AssetKind.BATTERY) is not Outcome.BOOKED:
        return  # to refuse it would be as good
    community.now_s += SLOT_SECONDS
    community.report("gw-anna", NOON, community.home("anna", Flow(load_wh=5)) | {"toy": (0, 0)})
    assert community.report("gw-feeder", NOON, community.feeder(5)) is Outcome.BOOKED
    assert community.state.settled_to_s == NOON + SLOT_SECONDS
