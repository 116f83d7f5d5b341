"""WATT that readings mint, burn, deliver and buy back: every Wh and every micro, by hand."""

import community as community_of
import pytest
from community import CAPACITY_WH, EFFICIENCY, EXPORT, IMPORT, NOON, Community, Flow, battery, gateway
from settled import SUNNY, run_out_of_grace

from commonwatt.flows.rulebook import snapshot
from commonwatt.flows.rulebook.tokens import wallet_bodies
from commonwatt.flows.rulebook.tokens.backing import holders
from commonwatt.model import SLOT_SECONDS, AssetId, AssetKind, Commodity, Kind, Outcome, Side


def seller_and_buyer(sold_wh: int, price: int) -> Community:
    """Return two homes of which ben has bought stored energy from anna."""
    community = Community(2)
    community.live(anna=SUNNY)
    community.order("anna", Side.ASK, sold_wh, price)
    community.order("ben", Side.BID, sold_wh, price)
    assert (community.watt("anna"), community.watt("ben")) == (810 - sold_wh, sold_wh)
    return community


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


@pytest.mark.row("E2")
@pytest.mark.parametrize("members", [("anna", "ben", "cleo"), ("anna", "cleo", "ben")])
def test_scarce_storage_is_dealt_out_in_proportion_and_an_odd_wh_by_registration(
    members: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(community_of, "MEMBERS", members)
    community = Community(3)
    community.live(anna=SUNNY)
    for who in ("ben", "cleo"):
        give = wallet_bodies.Give(target=who, commodity=Commodity.WATT, amount=300)
        assert community.ask("anna", Kind.TRANSFER, give) is Outcome.BOOKED
    community.live(anna=Flow(discharge_wh=301), ben=Flow(load_wh=300), cleo=Flow(load_wh=300))
    first, second = members[1:]
    assert community.entries("watt delivery") == [("anna", first, 151), ("anna", second, 150)]


@pytest.mark.parametrize("members", [("anna", "ben", "cleo"), ("anna", "cleo", "ben")])
def test_an_odd_wh_is_bought_back_from_who_registered_first(
    members: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(community_of, "MEMBERS", members)
    community = Community(3)
    community.live(anna=SUNNY)
    for who in reversed(members[1:]):
        give = wallet_bodies.Give(target=who, commodity=Commodity.WATT, amount=405)
        assert community.ask("anna", Kind.TRANSFER, give) is Outcome.BOOKED
    community.live(anna=Flow(load_wh=300, discharge_wh=300))
    bought = community.entries("watt bought back", Commodity.WATT)
    assert [(who, wh) for who, _, wh in bought] == [(members[1], 151), (members[2], 150)]
    again = snapshot.load(snapshot.dump(community.state, community.now_s, bytes(32)))[0]
    assert list(holders(again)) == list(holders(community.state)) == list(members[1:])


def two_batteries() -> Community:
    """Return two homes; anna's second battery was filled from the grid."""
    community = Community(2)
    limits = {"capacity_wh": CAPACITY_WH, "charge_permille": EFFICIENCY, "discharge_permille": EFFICIENCY}
    assert community.claim("anna", "anna-old", AssetKind.BATTERY, **limits) is Outcome.BOOKED
    told(community, home=(2_000, 0), old=(2_000, 0, 1_800))
    return community


def told(
    community: Community,
    *,
    home: tuple[int, int],
    solar_wh: int = 0,
    stored: tuple[int, int, int] = (0, 0, 0),
    old: tuple[int, int, int] = (0, 0, 1_800),
    bens_load_wh: int = 0,
) -> None:
    """Let a slot pass; anna's meters tell import, export and level as given."""
    slot_s = community.slot_s
    community.now_s = slot_s + SLOT_SECONDS
    annas = {"anna-home": home, "anna-solar": (0, solar_wh), "anna-battery": stored, "anna-old": old}
    wires = [
        community.reading("gw-anna", slot_s, annas),
        community.reading("gw-ben", slot_s, community.home("ben", Flow(load_wh=bens_load_wh))),
        community.reading("gw-feeder", slot_s, community.feeder(home[0] - home[1] + bens_load_wh)),
    ]
    assert set(community.sequencer.submit(wires, community.now_s)) == {Outcome.BOOKED}


@pytest.mark.row("E2")
@pytest.mark.row("M1")
def test_the_same_sun_is_never_both_stored_as_watt_and_sold_as_sun() -> None:
    community = two_batteries()
    likes = {"source": "solar", "strict": True}
    assert community.order("ben", Side.BID, 1_000, IMPORT, community.slot_s, **likes) is Outcome.BOOKED
    assert community.order("anna", Side.ASK, 1_000, EXPORT, community.slot_s, source="solar") is Outcome.BOOKED
    # The roof fills one battery, and the other gives what the grid once gave it.
    told(community, home=(0, 1_000), solar_wh=1_000, stored=(1_000, 0, 900), old=(0, 1_000, 688), bens_load_wh=1_000)
    assert community.watt("anna") == 810
    assert community.entries("trade") == []


def test_what_a_home_neither_used_nor_stored_is_sold_as_sun() -> None:
    community = two_batteries()
    assert community.order("ben", Side.BID, 1_000, IMPORT, community.slot_s, source="solar") is Outcome.BOOKED
    assert community.order("anna", Side.ASK, 1_000, EXPORT, community.slot_s, source="solar") is Outcome.BOOKED
    told(community, home=(0, 1_600), solar_wh=1_000, stored=(300, 0, 270), old=(0, 1_000, 688), bens_load_wh=1_000)
    assert community.watt("anna") == 243, "300 Wh were stored, and 100 ran the house"
    assert community.entries("trade", Commodity.ENERGY) == [("anna", "ben", 600)]
