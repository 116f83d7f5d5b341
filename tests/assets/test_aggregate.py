"""Whatever path a planner chooses inside an aggregate, its members can deliver it."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.assets import aggregate, battery, levels, vehicle
from commonwatt.flexibility.checking.check import violations
from commonwatt.flexibility.problem import Problem
from commonwatt.model import AccountId, Asset, AssetId, AssetKind, Envelope, GatewayId, Refused
from flexibility.problems import START, honest_plan, random_case

ALL_BUT_STEADY = {"within level bounds", "tells levels within bounds"}


def path_inside(envelope: Envelope, random: Random) -> list[int] | None:
    """Return any path inside an envelope; None where it was led into a corner."""
    if envelope.fixed:
        return list(envelope.lo_w)
    if envelope.shift:
        start = random.randint(envelope.shift.earliest, envelope.shift.latest)
        path = [0] * len(envelope.lo_w)
        path[start : start + len(envelope.shift.profile_w)] = envelope.shift.profile_w
        return path
    on, lasted = envelope.running > 0, abs(envelope.running) or envelope.least_rest
    level, path = float(envelope.store.level_now_wh) if envelope.store else 0.0, []
    for slot, (lo, hi) in enumerate(zip(envelope.lo_w, envelope.hi_w, strict=True)):
        options = [
            lo,
            hi,
            envelope.least_import_w,
            -envelope.least_export_w,
            *(random.randint(lo, hi) for _ in range(6)),
        ]
        random.shuffle(options)
        for power in [*options, 0]:
            inside = lo <= power <= hi
            inside &= not (0 < power < envelope.least_import_w or 0 < -power < envelope.least_export_w)
            change = (power != 0) != on
            inside &= not change or lasted >= (envelope.least_run if on else envelope.least_rest)
            if inside and envelope.store:
                after = levels.after(envelope.store, slot, level, power)
                inside = envelope.store.level_min_wh[slot] <= after <= envelope.store.level_max_wh[slot]
            if inside:
                break
        else:
            return None
        if envelope.store:
            level = levels.after(envelope.store, slot, level, power)
        on, lasted = power != 0, 1 if change else lasted + 1
        path.append(power)
    return path


def delivered(members: list[Envelope], seed: int) -> int:
    """Follow random paths in all parts of an aggregate, check every member; return how many shared a part."""
    random = Random(seed)
    found = aggregate.parts("village", members)
    assert sorted(m.asset for part in found for m in part.members) == sorted(m.asset for m in members)
    for part in found:
        path = path_inside(part.envelope, random)
        if path is None:
            continue
        split = aggregate.share(part, path)
        assert [sum(powers) for powers in zip(*split.values(), strict=True)] == path
        slots = len(path)
        asked = Problem(start=START, envelopes=part.members, import_price=(0,) * slots, export_price=(0,) * slots)
        assert [v for v in violations(asked, honest_plan(asked, split)) if v.rule not in ALL_BUT_STEADY] == []
        for member in part.members:
            if member.store is None:
                continue
            spare = aggregate.rounded_wh(member) if len(part.members) > 1 else 0.001
            bounds = member.store.level_min_wh, member.store.level_max_wh
            for level, least, most in zip(levels.follow(member, split[member.asset]), *bounds, strict=True):
                assert least - spare <= level <= most + spare
    return sum(len(part.members) for part in found if len(part.members) > 1)


@pytest.mark.row("X11", "M4")
@settings(max_examples=150)
@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(4, 20))
def test_every_path_inside_an_aggregate_of_anything_is_delivered(seed: int, count: int, slots: int) -> None:
    members = [replace(e, zone="z", feeder="f") for e in random_case(seed, count, slots).problem.envelopes]
    delivered(members, seed)


def some_battery(random: Random, number: int, slots: int) -> Envelope:
    power = random.randint(2_000, 6_000)
    asset = Asset(
        id=AssetId(f"battery-{number}"), owner=AccountId("m"), gateway=GatewayId("g"), kind=AssetKind.BATTERY, zone="z",
        max_import_w=power, max_export_w=power, capacity_wh=random.randint(2, 3) * power, charge_permille=950,
        discharge_permille=950,
    )  # fmt: skip
    return battery.envelope(
        asset, random.choice([0, asset.capacity_wh, random.randint(0, asset.capacity_wh)]), slots, 0
    )


def some_car(random: Random, number: int, slots: int) -> Envelope:
    asset = Asset(
        id=AssetId(f"car-{number}"), owner=AccountId("m"), gateway=GatewayId("g"), kind=AssetKind.VEHICLE, zone="z",
        max_import_w=7_360, max_export_w=7_360, min_import_w=1_380, capacity_wh=random.randint(40, 80) * 1_000,
        charge_permille=940, discharge_permille=940,
    )  # fmt: skip
    leaves = random.choice([slots // 2, slots])
    wanted = asset.capacity_wh * 8 // 10
    return vehicle.envelope(
        asset, random.randint(asset.capacity_wh // 3, wanted), slots, 0, leaves_after=leaves, wanted_wh=wanted
    )


@pytest.mark.row("X11")
@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(2, 40), st.integers(2, 24))
def test_batteries_and_cars_that_are_alike_act_as_few(seed: int, count: int, slots: int) -> None:
    random = Random(seed)
    members = [random.choice([some_battery, some_car])(random, number, slots) for number in range(count)]
    delivered(members, seed)


def test_a_hundred_equal_batteries_lose_nothing_by_being_one() -> None:
    one = some_battery(Random(4), 0, 8)
    members = [replace(one, asset=AssetId(f"battery-{n}")) for n in range(100)]
    (part,) = aggregate.parts("village", members)
    assert part.envelope.asset == "village-0"
    assert part.envelope.hi_w == tuple(100 * hi for hi in one.hi_w)
    assert part.envelope.store is not None and one.store is not None
    room = part.envelope.store.level_max_wh[0] - part.envelope.store.level_min_wh[0]
    lost = 2 * aggregate.rounded_wh(one)
    assert room >= 100 * (one.store.level_max_wh[0] - one.store.level_min_wh[0] - lost) - 2


def test_a_mixed_village_keeps_most_of_what_its_members_have() -> None:
    random = Random(1)
    members = [random.choice([some_battery, some_car])(random, number, 24) for number in range(300)]
    found = aggregate.parts("village", members)
    assert len(found) < 100
    assert sum(part.envelope.hi_w[0] for part in found) > 0.95 * sum(member.hi_w[0] for member in members)
    rooms = [
        [sum(e.store.level_max_wh) - sum(e.store.level_min_wh) for e in envelopes if e.store]
        for envelopes in ([part.envelope for part in found], members)
    ]
    assert sum(rooms[0]) > 0.85 * sum(rooms[1])


def test_cars_draw_all_or_none_and_never_less_than_their_six_amperes() -> None:
    random = Random(5)
    members = [replace(some_car(random, n, 8), store=None) for n in range(10)]
    (part,) = aggregate.parts("village", [replace(m, lo_w=(0,) * 8, hi_w=(7_360,) * 8) for m in members])
    assert part.envelope.least_import_w == 13_800
    split = aggregate.share(part, [13_800] + [0] * 7)
    assert {powers[0] for powers in split.values()} == {1_380}
    with pytest.raises(Refused, match="outside what an aggregate can do"):
        aggregate.share(part, [13_799] + [0] * 7)
    with pytest.raises(Refused, match="outside what an aggregate can do"):
        aggregate.share(part, [73_601] + [0] * 7)


@pytest.mark.row("X11")
def test_who_joins_or_leaves_changes_the_aggregate_by_its_share() -> None:
    members = [replace(some_battery(Random(4), 0, 8), asset=AssetId(f"battery-{n}")) for n in range(5)]
    (five,), (four,) = aggregate.parts("village", members), aggregate.parts("village", members[1:])
    assert five.envelope.hi_w[0] - four.envelope.hi_w[0] == members[0].hi_w[0]
    assert aggregate.parts("village", []) == ()
