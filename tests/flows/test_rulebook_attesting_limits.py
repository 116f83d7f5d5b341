"""What engineers and inspectors sign narrows and suspends assets, and nothing widens them again."""

from dataclasses import replace
from pathlib import Path

import pytest
from community import CAPACITY_WH, LIMIT_W, NAME, NOON, Flow, instruction
from hypothesis import given, settings
from hypothesis import strategies as st
from professionals import BATTERY, YEAR_S, attest, authorise, inspected, limits, revoke, staffed, words
from specified import inspect, plan, specify

from commonwatt.apps.scenes import Scene, scene
from commonwatt.apps.wiring import paper_day
from commonwatt.flexibility.dispatch import command
from commonwatt.flows.outlook import outlook
from commonwatt.flows.rulebook import snapshot
from commonwatt.flows.rulebook.columns import columns
from commonwatt.flows.rulebook.identity.attesting import narrowed
from commonwatt.flows.rulebook.identity.trusted import Attestation, Attested
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.flows.sequence import replay
from commonwatt.model import (
    SLOT_SECONDS,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    Band,
    GatewayId,
    InvalidValue,
    Kind,
    Outcome,
    Side,
    epoch,
)


@pytest.mark.row("M6")
def test_a_specification_narrows_schedules_and_commands() -> None:
    community = staffed()
    assert plan(community, 4_000) is Outcome.BOOKED
    specify(community, max_import_w=3_000, max_export_w=2_000)
    assert plan(community, 3_001) is Outcome.OVER_LIMIT
    assert plan(community, -2_001) is Outcome.OVER_LIMIT
    assert plan(community, 3_000) is Outcome.BOOKED
    assert plan(community, -2_000) is Outcome.BOOKED
    asset = community.state.assets[BATTERY]
    assert (asset.max_import_w, asset.max_export_w, asset.capacity_wh) == (3_000, 2_000, CAPACITY_WH)


@pytest.mark.row("M6")
def test_a_schedule_from_before_the_specification_is_told_within_it() -> None:
    community = staffed()
    assert plan(community, 4_000) is Outcome.BOOKED
    specify(community, max_import_w=3_000)
    (entry,) = community.state.schedules[BATTERY].instructions
    assert command(community.state.assets[BATTERY], entry).band == Band(lo_w=3_000, hi_w=3_000)


@pytest.mark.row("M6")
@pytest.mark.parametrize(
    ("told", "reading"),
    [
        ({"max_import_w": 1_000}, (252, 0, 200)),
        ({"max_export_w": 1_000}, (0, 252, 0)),
        ({"capacity_wh": 500}, (560, 0, 501)),
        ({"charge_permille": 500}, (800, 0, 402)),
    ],
)
def test_readings_above_a_specification_are_set_aside(told: dict[str, int], reading: tuple[int, int, int]) -> None:
    for narrow, expected in ((True, Outcome.SET_ASIDE), (False, Outcome.BOOKED)):
        community = staffed()
        community.live()
        if narrow:
            specify(community, **told)
        community.now_s += SLOT_SECONDS
        slot_s = community.now_s - SLOT_SECONDS
        assert community.report("gw-anna", slot_s, {BATTERY: reading}) is expected
        assert (BATTERY in community.state.readings.told(slot_s)) != narrow


@pytest.mark.row("M6")
def test_arrays_of_readings_see_the_narrower_limit_at_once() -> None:
    community = staffed(1)
    before = columns(community.state)
    credential = words("engineer", limits("anna-solar", max_export_w=400))
    assert attest(community, credential, "anna", "anna-solar") is Outcome.BOOKED
    place = community.state.readings.number("anna-solar")
    assert columns(community.state).meters.most_export_wh[place] == 101 < before.meters.most_export_wh[place]


def test_a_connection_narrowed_carries_no_larger_order() -> None:
    community = staffed()
    bid = order_bodies.SlotOrder(side=Side.BID, energy_wh=300, price_micro_per_kwh=1, slot_s=NOON + SLOT_SECONDS)
    credential = words("engineer", limits("anna-home", max_import_w=1_000))
    assert attest(community, credential, "engineer", "anna-home") is Outcome.BOOKED
    assert community.ask("anna", Kind.ORDER, bid) is Outcome.OVER_LIMIT
    assert community.ask("ben", Kind.ORDER, bid) is Outcome.BOOKED


def test_a_specification_never_widens_what_was_claimed() -> None:
    community = staffed()
    claimed = community.state.assets[BATTERY]
    specify(community, max_import_w=10 * LIMIT_W, capacity_wh=10**9, charge_permille=1000)
    assert community.state.assets[BATTERY] == claimed


def test_a_newer_specification_stands_in_place_of_the_old_and_an_older_never_comes_back() -> None:
    community = staffed()
    old = words("engineer", limits(max_import_w=9_000), NOON - 50)
    assert attest(community, old, "anna") is Outcome.BOOKED
    specify(community, NOON - 40, max_import_w=3_000)
    assert attest(community, old, "anna") is Outcome.TOO_LATE
    same_second = words("engineer", limits(max_import_w=8_000), NOON - 40)
    assert attest(community, same_second, "anna") is Outcome.TOO_LATE
    assert community.state.assets[BATTERY].max_import_w == 3_000
    newer = specify(community, NOON - 30, max_import_w=5_000)
    assert community.state.assets[BATTERY].max_import_w == 5_000
    assert attest(community, newer, "anna") is Outcome.ALREADY_THERE


def test_a_revoked_specification_keeps_its_limits_and_suspends_until_a_newer_one() -> None:
    community = staffed()
    credential = specify(community, max_import_w=3_000)
    assert revoke(community, credential, "engineer") is Outcome.BOOKED
    assert community.state.assets[BATTERY].max_import_w == 3_000
    assert plan(community) is Outcome.NOT_ALLOWED
    assert attest(community, credential, "anna") is Outcome.ALREADY_THERE
    assert plan(community) is Outcome.NOT_ALLOWED
    specify(community, NOON - 5, max_import_w=4_000)
    assert plan(community, 3_500) is Outcome.BOOKED


@pytest.mark.row("X12")
def test_a_failed_inspection_suspends_whatever_the_owner_agrees_to_until_a_newer_one_passes() -> None:
    community = staffed()
    inspect(community, "fail", NOON - 10)
    assert plan(community) is Outcome.NOT_ALLOWED
    assert community.agree("anna", BATTERY) is Outcome.BOOKED
    assert plan(community) is Outcome.NOT_ALLOWED
    older = words("inspector", inspected("pass"), NOON - 20)
    assert attest(community, older, "anna") is Outcome.TOO_LATE, "a pass from before the fail mends nothing"
    inspect(community, "pass", NOON - 5)
    assert plan(community) is Outcome.BOOKED


@pytest.mark.row("X12")
@pytest.mark.parametrize("result", ["pass", "fail"])
@pytest.mark.parametrize("by", ["inspector", "operator"])
def test_a_revoked_inspection_suspends_until_a_newer_one_passes(result: str, by: str) -> None:
    community = staffed()
    credential = inspect(community, result)
    assert revoke(community, credential, by) is Outcome.BOOKED
    assert plan(community) is Outcome.NOT_ALLOWED
    assert revoke(community, credential, by) is Outcome.ALREADY_THERE
    inspect(community, "pass", NOON - 5)
    assert plan(community) is Outcome.BOOKED


def test_one_asset_suspended_leaves_the_others_alone() -> None:
    community = staffed()
    inspect(community, "fail")
    assert community.schedule("ben-battery", instruction(1000)) is Outcome.BOOKED


def test_limits_outlive_their_dates_since_time_alone_widens_nothing() -> None:
    community = staffed()
    short = words("engineer", limits(max_import_w=1_000), NOON - 10, NOON + 100)
    assert attest(community, short, "anna") is Outcome.BOOKED
    community.now_s = NOON + 200
    assert plan(community, 1_001) is Outcome.OVER_LIMIT
    assert plan(community, 1_000) is Outcome.BOOKED


def test_limits_that_contradict_the_thing_are_refused() -> None:
    community = staffed()
    community.register_gateway("gw-more")
    car = {"gateway": "gw-more", "capacity_wh": 50_000, "min_import_w": 1_400}
    assert community.claim("anna", "car", AssetKind.VEHICLE, **car) is Outcome.BOOKED
    for asset, told in (("car", {"max_import_w": 1_399}), ("anna-solar", {"capacity_wh": 5})):
        credential = words("engineer", limits(asset, **told))
        assert attest(community, credential, "anna", asset) is Outcome.OVER_LIMIT
        assert asset not in community.state.trusted.attested


def test_attestations_are_in_the_state_root_and_survive_snapshot_and_replay() -> None:
    community = staffed()
    roots = {community.state.root()}
    specify(community, max_import_w=3_000, min_decicelsius=-100)
    roots.add(community.state.root())
    credential = inspect(community, "pass")
    roots.add(community.state.root())
    revoke(community, credential, "operator")
    roots.add(community.state.root())
    authorise(community, "inspector", NOON + YEAR_S)
    roots.add(community.state.root())
    assert len(roots) == 5
    content = snapshot.dump(community.state, community.now_s, community.sequencer.tree.root())
    restored, _ = snapshot.load(content)
    assert (restored.trusted, restored.assets) == (community.state.trusted, community.state.assets)
    assert replay(community.rows(), NAME).state.root() == community.state.root()


def test_a_settled_day_goes_on_under_narrower_limits() -> None:
    community = staffed()
    community.live(anna=Flow(load_wh=200, solar_wh=1_200, charge_wh=1_000))
    minted_wh = community.watt("anna")
    assert minted_wh > 0
    specify(community, max_import_w=2_000, discharge_permille=800)
    for _ in range(3):
        community.live(anna=Flow(load_wh=300, discharge_wh=100))
    assert replay(community.rows(), NAME).state.root() == community.state.root()
    assert community.watt("anna") <= community.state.assets[BATTERY].recoverable_wh(community.levels_wh["anna"])


@given(
    st.dictionaries(
        st.sampled_from(["max_import_w", "max_export_w", "capacity_wh", "charge_permille", "discharge_permille"]),
        st.integers(1, 1000) | st.integers(1, 10**9),
    )
)
@settings(max_examples=200)
def test_of_each_limit_the_smaller_holds(told: dict[str, int]) -> None:
    told = {name: min(v, 1000) if name.endswith("permille") else v for name, v in told.items()}
    asset = thing(capacity_wh=CAPACITY_WH)
    found = narrowed(asset, limits(**told))
    for name in ("max_import_w", "max_export_w", "capacity_wh", "charge_permille", "discharge_permille"):
        assert getattr(found, name) == min(getattr(asset, name), told.get(name, 10**9))
    assert (found.owner, found.min_import_w) == (asset.owner, asset.min_import_w)
    with pytest.raises(InvalidValue, match="only what stores"):
        narrowed(thing(capacity_wh=0), limits(capacity_wh=1))


def thing(capacity_wh: int) -> Asset:
    return Asset(
        id=AssetId(BATTERY),
        owner=AccountId("anna"),
        gateway=GatewayId("gw-anna"),
        kind=AssetKind.BATTERY,
        zone="lane",
        max_import_w=LIMIT_W,
        max_export_w=LIMIT_W,
        capacity_wh=capacity_wh,
    )


@pytest.mark.row("X12")
def test_a_suspended_asset_is_told_nothing_and_not_planned_for() -> None:
    told = scene(Path(__file__).parents[2] / "examples" / "street")
    day = paper_day(Scene(replace(told.street, starts="11:00"), told.recorded))
    for _ in zip(range(2), day.run(), strict=False):
        pass
    state = day.sequencer.state
    slot_s = max(epoch(schedule.issued) for schedule in state.schedules.values())
    commanded = set(day.commands(slot_s))
    asset = min(commanded)
    word = Attestation(name="0" * 64, issuer=day.cast.operator.id, position=0, since_s=0, until_s=1)
    state.trusted.attested[asset] = Attested(claimed=state.assets[asset], inspection=word, passed=False)
    assert set(day.commands(slot_s)) == commanded - {asset}
    stored = {item.asset.id for item in outlook(state, day.terms, slot_s + SLOT_SECONDS).stored}
    assert asset not in stored
    assert stored
    del state.trusted.attested[asset]
    assert {item.asset.id for item in outlook(state, day.terms, slot_s + SLOT_SECONDS).stored} == stored | {asset}
