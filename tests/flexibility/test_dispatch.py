"""Six words become one band, merged by authority, that expires by itself."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.flexibility.diary import verb
from commonwatt.flexibility.dispatch import LEASE_SLOTS, Authority, command, lower, merge, own_limits
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
    dso = (Authority.DSO, Band(lo_w=-7000, hi_w=1000))
    sent = command(CAR, told(Verb.START_CHARGE, 5000), [dso])
    assert sent.band == Band(lo_w=1000, hi_w=1000)


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


@given(st.lists(st.tuples(st.sampled_from(Authority), BANDS), min_size=1, max_size=5))
def test_a_merged_band_lies_within_the_highest_authoritys(bands: list[tuple[Authority, Band]]) -> None:
    merged = merge(bands)
    highest = sorted(bands, key=lambda pair: pair[0])[0][1]
    assert highest.lo_w <= merged.lo_w <= merged.hi_w <= highest.hi_w
