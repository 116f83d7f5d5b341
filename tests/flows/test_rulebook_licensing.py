"""The operator's commission on what storage charges and discharges, and the premium licence that waives it."""

from collections import Counter

import pytest
from community import EFFICIENCY, NOON, PREPAID, Flow, gateway
from hypothesis import given, settings
from hypothesis import strategies as st
from purse import Purse

from commonwatt.flows.commissions import commissions
from commonwatt.flows.rulebook.licence_bodies import BuyLicence, Licence
from commonwatt.flows.rulebook.licensing import COMMISSION, LONGEST_S, MONTH_S, MOST_SPANS
from commonwatt.flows.rulebook.snapshot import dump, load
from commonwatt.flows.sequence import replay
from commonwatt.metering.batch import Flag
from commonwatt.model import SLOT_SECONDS, AssetKind, Commodity, Kind, Outcome, cost_micro

IN, OUT, PRICE = 7_003, 11_001, 900_000
TERMS = {
    "operator_micro_per_kwh_charged": IN,
    "operator_micro_per_kwh_discharged": OUT,
    "licence_micro_per_month": PRICE,
}
SLOT = SLOT_SECONDS


def street(homes: int = 2, **more: int) -> Purse:
    return Purse(homes, terms=TERMS | more)


def owed(community: Purse) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for source, target, amount in community.entries(COMMISSION, Commodity.ERGON):
        sums[source] += amount
        sums[target] -= amount
    return {account: micro for account, micro in sums.items() if micro and account != "operator"}


def grant(community: Purse, account: str, from_s: int, until_s: int, by: str = "operator") -> Outcome:
    return community.ask(by, Kind.REGISTER, Licence(account=account, from_s=from_s, until_s=until_s))


def buy(community: Purse, who: str, months: int = 1) -> Outcome:
    return community.ask(who, Kind.REGISTER, BuyLicence(months=months))


@pytest.mark.row("W7")
def test_each_wh_charged_and_discharged_owes_the_operator_its_commission() -> None:
    community = street()
    community.live(anna=Flow(charge_wh=1_001), ben=Flow(load_wh=500))
    assert owed(community) == {"anna": cost_micro(1_001, IN)}
    community.live(anna=Flow(discharge_wh=300, load_wh=300))
    assert owed(community) == {"anna": cost_micro(1_001, IN) + cost_micro(300, OUT)}
    assert community.ergon("operator") == cost_micro(1_001, IN) + cost_micro(300, OUT)
    assert all(community.state.accounts.total(commodity) == 0 for commodity in Commodity)


@pytest.mark.row("W7")
def test_a_car_owes_it_too_and_a_roof_does_not() -> None:
    community = street(1)
    assert community.claim("anna", "anna-car", AssetKind.VEHICLE, capacity_wh=50_000) is Outcome.BOOKED
    told = {"anna-home": (400, 0), "anna-solar": (0, 100), "anna-battery": (0, 0, 0), "anna-car": (500, 0, 9_000)}
    community.now_s = NOON + SLOT
    community.report("gw-anna", NOON, told)
    community.report("gw-feeder", NOON, community.feeder(400))
    assert owed(community) == {"anna": cost_micro(500, IN)}


def test_nothing_is_owed_where_the_charter_asks_for_nothing() -> None:
    community = Purse(1, terms={})
    community.live(anna=Flow(charge_wh=1_000))
    assert owed(community) == {}


@pytest.mark.row("W7")
def test_a_late_reading_books_the_commission_and_a_correction_the_difference() -> None:
    community = street()
    community.live(silent=("anna",), anna=Flow(charge_wh=1_000))
    community.live(silent=("anna",))
    community.live(silent=("anna",))
    assert community.state.settled_to_s > NOON
    assert owed(community) == {}
    told = {"anna-home": (1_000, 0), "anna-solar": (0, 0), "anna-battery": (1_000, 0, 900)}
    assert community.report(gateway("anna"), NOON, told) is Outcome.BOOKED
    assert owed(community) == {"anna": cost_micro(1_000, IN)}
    told["anna-battery"] = (800, 0, 720)
    assert community.report(gateway("anna"), NOON, told, flags=Flag.CORRECTS) is Outcome.BOOKED
    assert owed(community) == {"anna": cost_micro(800, IN)}, "never another sum than if it had come in time"


@pytest.mark.row("W7")
def test_a_premium_licence_waives_it_from_its_moment_to_its_end() -> None:
    community = street()
    assert grant(community, "anna", NOON + SLOT + 450, NOON + 3 * SLOT) is Outcome.BOOKED
    for _ in range(4):
        community.live(anna=Flow(charge_wh=1_000), ben=Flow(charge_wh=1_000))
    assert owed(community) == {"anna": 2 * cost_micro(1_000, IN), "ben": 4 * cost_micro(1_000, IN)}
    told = {told.account: told for told in commissions(replay(community.rows(), "tiny", keep=True).state)}
    assert told["anna"].waived_micro == 2 * cost_micro(1_000, IN)
    assert (told["anna"].owed_micro, told["ben"].waived_micro) == (2 * cost_micro(1_000, IN), 0)
    assert (told["anna"].charged_wh, told["anna"].discharged_wh) == (4_000, 0)


def test_a_correction_finds_the_licence_that_held_in_its_slot() -> None:
    community = street(1)
    grant(community, "anna", NOON, NOON + SLOT)
    for _ in range(2):
        community.live(anna=Flow(charge_wh=1_000))
    before = owed(community)
    for slot_s, level_wh in ((NOON, 900), (NOON + SLOT, 1_800)):
        told = {"anna-battery": (999, 0, level_wh)}
        assert community.report("gw-anna", slot_s, told, flags=Flag.CORRECTS) is Outcome.BOOKED
    assert before == {"anna": cost_micro(1_000, IN)}
    assert owed(community) == {"anna": cost_micro(999, IN)}, "of the second slot alone"


@pytest.mark.row("W7")
def test_a_member_buys_a_licence_that_starts_at_once_and_goes_on_where_the_last_ends() -> None:
    community = street()
    community.now_s += 450
    assert buy(community, "anna") is Outcome.BOOKED
    community.live(anna=Flow(charge_wh=1_000))
    assert owed(community) == {}
    assert community.entries("licence") == [("anna", "operator", PRICE)]
    assert buy(community, "anna", 2) is Outcome.BOOKED
    assert community.state.licences["anna"] == ((NOON + 450, NOON + 450 + 3 * MONTH_S),)
    assert community.ergon("operator") == 3 * PRICE
    told = {told.account: told for told in commissions(replay(community.rows(), "tiny", keep=True).state)}
    assert told["anna"].licences_micro == 3 * PRICE


def test_a_licence_is_paid_for_or_not_given() -> None:
    community = street()
    months = PREPAID // PRICE + 1
    assert buy(community, "anna", months) is Outcome.NOT_BACKED
    assert community.state.licences == {}
    unsold = Purse(1, terms={"operator_micro_per_kwh_charged": IN})
    assert buy(unsold, "anna") is Outcome.NOT_ALLOWED
    assert grant(unsold, "anna", NOON, NOON + 1) is Outcome.BOOKED, "it may still be given"


def test_only_the_operator_grants_and_never_backwards() -> None:
    community = street()
    assert grant(community, "anna", NOON, NOON + 1, by="anna") is Outcome.NOT_ALLOWED
    assert grant(community, "nobody", NOON, NOON + 1) is Outcome.UNKNOWN_THING
    assert grant(community, "grid", NOON, NOON + 1) is Outcome.UNKNOWN_THING
    assert grant(community, "anna", NOON - 1, NOON + 1) is Outcome.TOO_LATE
    assert grant(community, "anna", NOON + 5, NOON + 5) is Outcome.TOO_LATE
    assert grant(community, "anna", NOON, NOON + LONGEST_S + 1) is Outcome.OVER_LIMIT
    assert buy(community, "operator") is Outcome.NOT_ALLOWED
    assert buy(community, "dso") is Outcome.NOT_ALLOWED
    assert community.state.licences == {}


def test_an_account_has_only_so_many_licences_and_what_is_over_makes_room() -> None:
    community = Purse(1, terms=TERMS, correction_slots=1)
    for number in range(MOST_SPANS):
        assert grant(community, "anna", NOON + 100 * number, NOON + 100 * number + 50) is Outcome.BOOKED
    assert grant(community, "anna", NOON + 9_000, NOON + 9_001) is Outcome.OVER_LIMIT
    assert buy(community, "anna") is Outcome.BOOKED, "it swallows the others"
    assert len(community.state.licences["anna"]) == 1


def test_touching_licences_are_one() -> None:
    community = street(1)
    grant(community, "anna", NOON + 100, NOON + 200)
    grant(community, "anna", NOON + 300, NOON + 400)
    grant(community, "anna", NOON + 200, NOON + 300)
    assert community.state.licences["anna"] == ((NOON + 100, NOON + 400),)


def test_licences_stand_in_the_root_and_survive_snapshot_and_replay() -> None:
    community = Purse(2, terms=TERMS, correction_slots=1)
    before = community.state.root()
    grant(community, "anna", NOON, NOON + SLOT)
    assert community.state.root() != before
    for _ in range(4):
        community.live(anna=Flow(charge_wh=500))
    grant(community, "anna", community.now_s, community.now_s + SLOT)
    root = community.state.root()
    assert replay(community.rows(), "tiny").state.root() == root
    assert replay(community.rows(), "tiny", keep=True).state.root() == root
    assert load(dump(community.state, community.now_s, bytes(32)))[0].root() == root


def test_full_books_end_no_log_and_hold_up_no_settlement() -> None:
    """At a rate beyond all reason, a car of a gigawatt: what the books have no room for is not owed."""
    rate, wh, grown = 10**9, 250_000_000, list[int]()
    community = street(1, operator_micro_per_kwh_charged=rate)
    limits = {"capacity_wh": 10**9, "max_import_w": 10**9}
    assert community.claim("anna", "anna-car", AssetKind.VEHICLE, **limits) is Outcome.BOOKED
    for _ in range(24):
        slot_s, before = community.slot_s, community.ergon("operator")
        community.now_s += SLOT
        told = {"anna-home": (0, 0), "anna-solar": (0, 0), "anna-battery": (0, 0, 0), "anna-car": (wh, 0, 0)}
        assert community.report("gw-anna", slot_s, told) is Outcome.BOOKED
        community.report("gw-feeder", slot_s, community.feeder(0))
        grown.append(community.ergon("operator") - before)
    assert community.state.settled_to_s == community.now_s, "settlement goes on"
    assert set(grown) == {0, cost_micro(wh, rate)}
    assert grown == sorted(grown, reverse=True)
    told["anna-car"] = (0, 0, 0)
    assert community.report("gw-anna", slot_s, told, flags=Flag.CORRECTS) is Outcome.BOOKED
    assert community.state.accounts.headroom(Commodity.ERGON) > 0
    assert replay(community.rows(), "tiny").state.root() == community.state.root()


flows = st.fixed_dictionaries(
    {
        "anna": st.tuples(st.integers(0, 3_000), st.booleans()),
        "ben": st.tuples(st.integers(0, 3_000), st.booleans()),
    }
)


@settings(max_examples=15, deadline=None)
@given(st.lists(flows, min_size=1, max_size=5), st.integers(0, 4), st.integers(1, 4))
def test_what_is_owed_is_what_a_slow_oracle_counts(days: list[dict[str, tuple[int, bool]]], first: int, n: int) -> None:
    """The oracle goes through what was lived, slot by slot and reading by reading."""
    community = street()
    grant(community, "ben", NOON + first * SLOT, NOON + (first + n) * SLOT)
    expected: Counter[str] = Counter()
    for number, told in enumerate(days):
        lived = {}
        for who, (wh, out) in told.items():
            give_wh = min(wh, community.levels_wh[who] * EFFICIENCY // 1_000) if out else 0
            take_wh = 0 if out else min(wh, (10_000 - community.levels_wh[who]) * 1_000 // EFFICIENCY)
            lived[who] = Flow(charge_wh=take_wh, discharge_wh=give_wh, load_wh=give_wh)
            if who == "anna" or not first <= number < first + n:
                expected[who] += cost_micro(take_wh, IN) + cost_micro(give_wh, OUT)
        community.live(**lived)
    assert owed(community) == {who: micro for who, micro in expected.items() if micro}
