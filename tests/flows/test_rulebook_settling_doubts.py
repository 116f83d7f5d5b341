"""Readings that cannot be believed are listed and not settled; energy and money of all the others sum to nothing."""

import pytest
from community import EXPORT, IMPORT, NAME, NOON, Community, Flow, gain
from settled import ACCOUNTS, SUNNY, run_out_of_grace

from commonwatt.flows.replay import replay
from commonwatt.model import SLOT_SECONDS, AssetKind, Commodity, Outcome, Side


def test_nothing_is_measured_before_the_community_was_founded() -> None:
    community = Community(1)
    before = community.balances()
    assert community.report("gw-anna", NOON - SLOT_SECONDS, community.home("anna", Flow(load_wh=9))) is (
        Outcome.SET_ASIDE
    )
    assert [doubt.why for doubt in community.state.set_aside] == ["slot lies before the asset was registered"] * 3
    assert len(community.state.readings) == 0
    assert community.balances() == before


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
