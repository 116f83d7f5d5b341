"""Six words become one band, merged by authority, that expires by itself."""

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.flexibility.dispatch import (
    DIMMED_LEAST_W,
    LEASE_S,
    LEASE_SLOTS,
    Authority,
    Limit,
    command,
    dimmed,
    drawable,
    lower,
    merge,
    own_limits,
    renew_at,
    standing,
)
from commonwatt.flexibility.droop import arm, symmetric
from commonwatt.flexibility.instructions import verb
from commonwatt.model import (
    SLOT,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    Band,
    Constraint,
    GatewayId,
    Instruction,
    InvalidValue,
    Quantity,
    Relation,
    Verb,
    slot_from,
)

CAR = Asset(
    id=AssetId("car-01"), owner=AccountId("member-01"), gateway=GatewayId("HEPEK-0001"), kind=AssetKind.VEHICLE,
    zone="street", max_import_w=7360, max_export_w=5000, min_import_w=1380, capacity_wh=64_000,
)  # fmt: skip


def told(verb: Verb, power_w: int, balance_w: int | None = None) -> Instruction:
    return Instruction(
        verb=verb,
        interval=slot_from(0),
        power_w=power_w,
        expected_wh=power_w // 4,
        reason="why not",
        balance_w=balance_w,
    )


@pytest.mark.row("X2")
@pytest.mark.parametrize(
    ("before_w", "now_w", "word"),
    [
        (0, 2000, Verb.START_CHARGE),
        (2000, 2000, Verb.START_CHARGE),
        (2000, 3000, Verb.INCREASE_RATE),
        (3000, 2000, Verb.REDUCE_RATE),
        (2000, 0, Verb.STOP_CHARGE),
        (0, 0, Verb.STOP_CHARGE),
        (0, -2000, Verb.SUPPLY),
        (3000, -2000, Verb.SUPPLY),
        (-2000, 3000, Verb.START_CHARGE),
        (-2000, -3000, Verb.INCREASE_RATE),
        (-3000, -2000, Verb.REDUCE_RATE),
        (-2000, 0, Verb.STOP_SUPPLY),
    ],
)
def test_each_change_of_power_has_its_word(before_w: int, now_w: int, word: Verb) -> None:
    assert verb(before_w, now_w) is word


@pytest.mark.row("X2")
@pytest.mark.parametrize(
    ("instruction", "band"),
    [
        (told(Verb.START_CHARGE, 2000), Band(lo_w=2000, hi_w=2000)),
        (told(Verb.SUPPLY, -2000), Band(lo_w=-2000, hi_w=-2000)),
        (told(Verb.INCREASE_RATE, 3000), Band(lo_w=3000, hi_w=3000)),
        (told(Verb.REDUCE_RATE, -500), Band(lo_w=-500, hi_w=-500)),
        (told(Verb.STOP_CHARGE, 0), Band(lo_w=0, hi_w=0)),
        (told(Verb.STOP_SUPPLY, 0), Band(lo_w=0, hi_w=0)),
        (told(Verb.SUPPLY, -100, balance_w=50), Band(lo_w=-5000, hi_w=7360, balance_w=50)),
    ],
)
def test_each_word_lowers_to_its_band(instruction: Instruction, band: Band) -> None:
    assert lower(CAR, instruction) == band


def test_a_command_expires_and_never_passes_the_assets_limits() -> None:
    sent = command(CAR, told(Verb.START_CHARGE, 9000))
    assert sent.band == Band(lo_w=7360, hi_w=7360)
    assert sent.expires == slot_from(0).start + LEASE_SLOTS * SLOT
    assert sent.reason == "START CHARGE: why not"


def test_where_two_bands_do_not_meet_the_higher_authority_stands() -> None:
    dso = Limit(authority=Authority.DSO, band=Band(lo_w=-7000, hi_w=2000), reason="a cable is out")
    sent = command(CAR, told(Verb.START_CHARGE, 5000), [dso])
    assert sent.band == Band(lo_w=2000, hi_w=2000)
    assert sent.reason == "START CHARGE: why not; held back: a cable is out"
    nameless = command(CAR, told(Verb.START_CHARGE, 5000), [replace(dso, reason="")])
    assert nameless.reason.endswith("held back: DSO allows -7000 to 2000 W")


@pytest.mark.row("X1")
def test_an_owners_own_bound_binds_the_device_whatever_the_plan_says() -> None:
    at_most = Constraint(
        quantity=Quantity.POWER,
        scope=(CAR.id,),
        relation=Relation.AT_MOST,
        value=3000,
        window=slot_from(0),
    )
    elsewhere = replace(at_most, scope=("car-02",), value=0)
    limits = own_limits(CAR, [at_most, elsewhere], slot_from(0).start)
    assert command(CAR, told(Verb.START_CHARGE, 7000), limits).band == Band(lo_w=3000, hi_w=3000)
    assert command(CAR, told(Verb.SUPPLY, -2000), limits).band == Band(lo_w=-2000, hi_w=-2000)
    assert own_limits(CAR, [at_most], slot_from(900).start) == []
    at_least = replace(at_most, relation=Relation.AT_LEAST, value=1500)
    limits = own_limits(CAR, [at_least], slot_from(0).start)
    assert command(CAR, told(Verb.STOP_CHARGE, 0), limits).band == Band(lo_w=1500, hi_w=1500)


BANDS = st.tuples(st.integers(-9000, 9000), st.integers(-9000, 9000)).map(lambda p: Band(lo_w=min(p), hi_w=max(p)))


BY_AUTHORITY = st.lists(st.tuples(st.sampled_from(Authority), BANDS), min_size=1, max_size=6)
NOON = slot_from(0).start


@given(BY_AUTHORITY)
def test_a_merged_band_lies_within_the_highest_authoritys(bands: list[tuple[Authority, Band]]) -> None:
    merged = merge(bands)
    top = min(authority for authority, _ in bands)
    lo_w = max(band.lo_w for authority, band in bands if authority == top)
    hi_w = min(band.hi_w for authority, band in bands if authority == top)
    assert min(lo_w, hi_w) <= merged.lo_w <= merged.hi_w <= max(lo_w, hi_w)


@given(BY_AUTHORITY)
def test_bands_that_can_all_be_kept_are_all_kept(bands: list[tuple[Authority, Band]]) -> None:
    lo_w, hi_w = max(band.lo_w for _, band in bands), min(band.hi_w for _, band in bands)
    merged = merge(bands)
    if lo_w <= hi_w:
        assert (merged.lo_w, merged.hi_w) == (lo_w, hi_w)


@given(BY_AUTHORITY, st.sampled_from(Authority), st.integers(), st.integers(-9000, 9000))
def test_the_order_of_bands_does_not_matter_and_merging_twice_changes_nothing(
    bands: list[tuple[Authority, Band]], line_of: Authority, seed: int, line_w: int
) -> None:
    bands = [(a, replace(band, balance_w=line_w) if a is line_of else band) for a, band in bands]
    merged = merge(bands)
    shuffled = list(bands)
    Random(seed).shuffle(shuffled)
    assert merge(shuffled) == merge([*shuffled, *bands]) == merged
    assert merge([*bands, (max(a for a, _ in bands), merged)]) == merged
    assert merge([(Authority.PLAN, merged), *bands]) == merged or max(a for a, _ in bands) is not Authority.PLAN


@given(BANDS, BANDS)
def test_where_two_do_not_meet_the_lower_authority_clamps_to_its_nearest_edge(higher: Band, lower: Band) -> None:
    merged = merge([(Authority.PLAN, lower), (Authority.DSO, higher)])
    if lower.lo_w > higher.hi_w:
        assert merged == Band(lo_w=higher.hi_w, hi_w=higher.hi_w)
    if lower.hi_w < higher.lo_w:
        assert merged == Band(lo_w=higher.lo_w, hi_w=higher.lo_w)


def test_an_authority_that_contradicts_itself_gets_the_power_nearest_to_none() -> None:
    def both(one: tuple[int, int], other: tuple[int, int]) -> Band:
        return merge([(Authority.OWNER, Band(lo_w=lo, hi_w=hi)) for lo, hi in (one, other)])

    assert both((5000, 6000), (1000, 3000)) == Band(lo_w=3000, hi_w=3000)
    assert both((-5000, -4000), (-2000, 0)) == Band(lo_w=-2000, hi_w=-2000)
    assert both((-5000, -4000), (2000, 3000)) == Band(lo_w=0, hi_w=0)
    with pytest.raises(InvalidValue, match="at least one"):
        merge([])


LIMITS = st.lists(
    st.builds(
        Limit,
        authority=st.sampled_from(Authority),
        band=BANDS,
        expires=st.none() | st.integers(-1000, 4000).map(lambda s: NOON + timedelta(seconds=s)),
        failsafe=st.none() | BANDS,
        least_w=st.sampled_from([0, 4200]),
    ),
    max_size=5,
)
WORDS = st.sampled_from(
    [
        told(Verb.START_CHARGE, 10**9),
        told(Verb.START_CHARGE, 500),
        told(Verb.REDUCE_RATE, 1),
        told(Verb.INCREASE_RATE, 3000),
        told(Verb.SUPPLY, -9000),
        told(Verb.STOP_CHARGE, 0),
        told(Verb.STOP_SUPPLY, 0),
        told(Verb.SUPPLY, -100, balance_w=50),
    ]
)
MOMENTS = st.integers(0, 1000).map(lambda s: NOON + timedelta(seconds=s))


@pytest.mark.row("X2")
@given(WORDS, LIMITS, MOMENTS, st.booleans(), st.integers())
def test_whatever_is_told_a_device_stays_within_its_own_limits_and_draws_nothing_or_its_6_amperes(
    instruction: Instruction, limits: list[Limit], now: datetime, off: bool, seed: int
) -> None:
    sent = command(CAR, instruction, limits, now=now, lease_s=600, off=off, droop=arm(symmetric(10, ((200, 50),)), now))
    for band in (sent.band, sent.droop_band):
        if band is not None:
            assert -5000 <= band.lo_w <= band.hi_w <= 7360
            assert not 0 < band.lo_w < 1380
            assert not 0 < band.hi_w < 1380
    assert now < sent.expires <= now + timedelta(seconds=600)
    for limit in limits:
        assert not (limit.expires and now < limit.expires < sent.expires)
    assert now < renew_at(sent, now) <= max(sent.expires, now + timedelta(seconds=1))
    Random(seed).shuffle(limits)
    again = command(CAR, instruction, limits, now=now, lease_s=600, off=off)
    assert (again.band, again.expires) == (sent.band, sent.expires)


def test_an_expired_band_of_the_grid_operator_falls_to_its_failsafe() -> None:
    cap = Limit(
        authority=Authority.DSO,
        band=Band(lo_w=-5000, hi_w=6000),
        expires=NOON + timedelta(seconds=600),
        failsafe=Band(lo_w=-5000, hi_w=2000),
    )
    charge = told(Verb.START_CHARGE, 7000)
    before, after = (command(CAR, charge, [cap], now=NOON + timedelta(seconds=s)) for s in (599, 600))
    assert before.band == Band(lo_w=6000, hi_w=6000)
    assert before.expires == cap.expires, "no command outlives the band that it rests on"
    assert after.band == Band(lo_w=2000, hi_w=2000)
    assert command(CAR, charge, [replace(cap, failsafe=None)], now=cap.expires).band == Band(lo_w=7000, hi_w=7000)


@pytest.mark.row("X3")
def test_an_owners_off_removes_what_plan_and_contracts_say_and_nothing_else() -> None:
    limits = [
        Limit(authority=Authority.DSO, band=Band(lo_w=-5000, hi_w=6000)),
        Limit(authority=Authority.OWNER, band=Band(lo_w=-1000, hi_w=7000)),
        Limit(authority=Authority.CONTRACT, band=Band(lo_w=-5000, hi_w=2000)),
    ]
    curve = arm(symmetric(10, ((200, 500),)), NOON + timedelta(hours=1))
    charge = told(Verb.START_CHARGE, 7000)
    assert command(CAR, charge, limits, droop=curve).band == Band(lo_w=2000, hi_w=2000)
    sent = command(CAR, charge, limits, off=True, droop=curve)
    assert sent.band == Band(lo_w=-1000, hi_w=6000)
    assert (sent.droop, sent.reason) == (None, "its owner switched schedules off")
    assert standing(limits, NOON, off=True) == standing(limits[:2], NOON)
    assert command(CAR, charge, off=True).band == Band(lo_w=-5000, hi_w=7360)


@pytest.mark.row("X2")
@pytest.mark.parametrize(("signal_w", "left_w"), [(0, 4200), (3000, 4200), (5000, 5000)])
def test_a_device_that_is_dimmed_keeps_what_the_law_leaves_it(signal_w: int, left_w: int) -> None:
    limit = dimmed(CAR, signal_w, NOON + timedelta(hours=1), failsafe_w=0)
    for now in (NOON, NOON + timedelta(hours=2)):
        sent = command(CAR, told(Verb.START_CHARGE, 7000), [limit], now=now)
        assert sent.band.hi_w == (left_w if now is NOON else DIMMED_LEAST_W)
    assert command(CAR, told(Verb.START_CHARGE, 7000), [limit]).reason.endswith(
        f"dimmed to {left_w} W by the grid operator"
    )
    assert command(CAR, told(Verb.SUPPLY, -5000), [limit]).band == Band(lo_w=-5000, hi_w=-5000)
    assert dimmed(CAR, 0).failsafe is None
    small = replace(CAR, max_import_w=3680)
    assert command(small, told(Verb.START_CHARGE, 7000), [limit]).band.hi_w == 3680


def test_only_stop_stops_a_charge_and_a_limit_below_6_amperes_leaves_nothing() -> None:
    for word, power_w in ((Verb.START_CHARGE, 500), (Verb.REDUCE_RATE, 1)):
        assert lower(CAR, told(word, power_w)) == Band(lo_w=1380, hi_w=1380)
    assert lower(CAR, told(Verb.START_CHARGE, 10**9)) == Band(lo_w=7360, hi_w=7360)
    cap = Limit(authority=Authority.OWNER, band=Band(lo_w=-5000, hi_w=1000))
    assert command(CAR, told(Verb.START_CHARGE, 7000), [cap]).band == Band(lo_w=0, hi_w=0)
    assert drawable(CAR, Band(lo_w=500, hi_w=7000)) == Band(lo_w=1380, hi_w=7000)
    assert drawable(CAR, Band(lo_w=-500, hi_w=700)) == Band(lo_w=-500, hi_w=0)


def test_a_command_is_told_again_after_a_third_of_its_lease() -> None:
    sent = command(CAR, told(Verb.START_CHARGE, 2000))
    assert renew_at(sent, NOON) == NOON + timedelta(seconds=LEASE_S // 3)
    later = NOON + timedelta(seconds=300)
    short = command(CAR, told(Verb.START_CHARGE, 2000), now=later, lease_s=20)
    assert (short.id, short.expires) == (sent.id, later + timedelta(seconds=20))
    assert renew_at(short, later) == later + timedelta(seconds=6)
    assert renew_at(short, short.expires - timedelta(seconds=1)) == short.expires
    with pytest.raises(InvalidValue, match="before it expires"):
        renew_at(short, short.expires)


def test_a_curve_that_is_armed_moves_inside_what_outranks_the_plan_and_never_outlives_its_command() -> None:
    cap = Limit(authority=Authority.DSO, band=Band(lo_w=-5000, hi_w=6000))
    curve = arm(symmetric(10, ((200, 500),)), NOON + timedelta(days=1))
    sent = command(CAR, told(Verb.START_CHARGE, 2000), [cap], droop=curve)
    assert (sent.band, sent.droop_band) == (Band(lo_w=2000, hi_w=2000), Band(lo_w=-5000, hi_w=6000))
    assert sent.droop == replace(curve, until=sent.expires)
    with pytest.raises(InvalidValue, match="a band to move in"):
        replace(sent, droop_band=None)


@given(st.integers(-9_000, 9_000), st.integers(0, 9_000), st.integers(0, 5_000))
def test_a_limit_that_asks_for_supply_is_heard_and_the_least_that_it_leaves_raises_its_upper_edge_alone(
    lo_w: int, width_w: int, least_w: int
) -> None:
    band = Band(lo_w=lo_w, hi_w=lo_w + width_w)
    moment = slot_from(0).start
    assert Limit(authority=Authority.GRID, band=band).at(moment) == band
    left = Limit(authority=Authority.DSO, band=band, least_w=least_w).at(moment)
    assert left == Band(lo_w=lo_w, hi_w=max(band.hi_w, least_w) if least_w else band.hi_w)
