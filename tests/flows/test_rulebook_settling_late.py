"""What settlement pays and waits for, and what a reading that comes late changes: every Wh and every micro, by hand."""

import pytest
from community import EXPORT, IMPORT, NOON, PREPAID, Community, Flow
from settled import ACCOUNTS, run_out_of_grace

from commonwatt.model import SLOT_SECONDS, Commodity, Outcome, Side


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
    assert community.state.slot_market.clearing(NOON).energy_wh == 300
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
