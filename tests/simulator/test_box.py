"""A gateway reads its meters' counters, forgets nothing when it is killed, and tells only its owner what it felt."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.adapters.devices.gateway.translate import Live
from commonwatt.apps.scenes import Scene, scene
from commonwatt.flows.intake import read_request
from commonwatt.identity.keys import SigningKey
from commonwatt.metering.batch import MOST_ITEMS, Flag, Item, Quality, decode_items
from commonwatt.metering.counting import Counted
from commonwatt.metering.personal import PersonalItem, decode_personal
from commonwatt.model import SLOT_SECONDS, AssetId, Request, epoch
from commonwatt.simulator.box import Box, Fault, Memory, Senses, Spec
from commonwatt.simulator.meter import MeterSpec
from commonwatt.simulator.street import home_assets
from commonwatt.simulator.world import surroundings

STREET = Path(__file__).parents[2] / "examples" / "street"
HOME, SOLAR, BATTERY = AssetId("home-03"), AssetId("solar-03"), AssetId("battery-03")
PLACES = {HOME: 0, SOLAR: 1, BATTERY: 2}
KEY = SigningKey.from_seed(b"s", "box")


@pytest.fixture(scope="module")
def stage() -> Scene:
    """The street from noon on, when there is sun."""
    told = scene(STREET)
    return Scene(replace(told.street, starts="12:00"), told.recorded)


def spec(stage: Scene, **changed: Any) -> Spec:
    """Return the third home, which has no car."""
    told = Spec(
        community="street",
        number="HEPEK-0003",
        seed="s",
        assets=home_assets(stage.street, 3),
        around=surroundings(stage.street, stage.recorded, 3),
        reserve_wh=320,
        battery_wh=3_000,
    )
    return msgspec.structs.replace(told, **changed)


def fault(stage: Scene, kind: str, asset: AssetId, first: float, last: int = 0, *, lost: bool = False) -> Fault:
    start_s = epoch(stage.street.span.start)
    return Fault(
        kind=kind,
        asset=asset,
        start_s=start_s + int(first * SLOT_SECONDS),
        end_s=start_s + last * SLOT_SECONDS,
        lost=lost,
    )


def run(told: Spec, slots: int, kills: frozenset[int] = frozenset()) -> list[list[Request]]:
    """Live through slots, and return each one's batches; at a kill, go on from what the memory held."""
    saved: list[bytes] = []
    box, heard = Box(told, KEY, None, lambda memory: saved.append(msgspec.json.encode(memory))), []
    assert told.around is not None
    for slot in range(slots):
        if slot in kills and saved:
            memory = msgspec.json.decode(saved[-1], type=Memory)
            box = Box(told, KEY, memory, lambda memory: saved.append(msgspec.json.encode(memory)))
        answer = box.live(Live(slot_s=told.around.start_s + slot * SLOT_SECONDS))
        heard.append([read_request(wire) for wire in answer.requests])
    return heard


def items(heard: list[list[Request]]) -> list[list[Item]]:
    return [[item for request in slot for item in decode_items(request.items)] for slot in heard]


def final(heard: list[list[Request]], asset: AssetId) -> dict[int, Item]:
    """Return what was told last of each slot."""
    return {item.start_s: item for slot in items(heard) for item in slot if item.register == PLACES[asset]}


def energy(told: dict[int, Item]) -> list[tuple[int, int]]:
    return [(told[slot_s].import_wh, told[slot_s].export_wh) for slot_s in sorted(told)]


@pytest.mark.row("H9")
@pytest.mark.parametrize("start_wh", [0, 2**32 - 400, 10**9 - 1])
def test_where_a_counter_stands_and_rolls_over_changes_no_energy(stage: Scene, start_wh: int) -> None:
    around = 10**9 if start_wh < 10**9 else 2**32
    meters = {name: MeterSpec(import_wh=start_wh, export_wh=start_wh, rollover_at_wh=around) for name in PLACES}
    plain, turned = run(spec(stage), 12), run(spec(stage, meters=meters), 12)
    for asset in PLACES:
        assert energy(final(turned, asset)) == energy(final(plain, asset))
    flags = {item.flags for slot in items(turned) for item in slot}
    assert flags == ({Flag.NONE, Flag.ROLLED_OVER} if start_wh else {Flag.NONE})


def test_an_unread_meter_is_silent_or_estimated_and_then_told_as_it_counted(stage: Scene) -> None:
    start_s = epoch(stage.street.span.start)
    past = [Counted(start_s + k * SLOT_SECONDS - day * 86_400, 0, 77) for day in (5, 2, 1) for k in range(8)]
    honest = run(spec(stage), 8)
    for known, guesses in ((past, [(0, 77)] * 3), ([], [])):
        meters = {SOLAR: MeterSpec(past=known)}
        heard = run(spec(stage, meters=meters, faults=[fault(stage, "unread", SOLAR, 2, 5)]), 8)
        meanwhile = [item for slot in items(heard)[2:5] for item in slot if item.register == 1]
        assert [(item.import_wh, item.export_wh) for item in meanwhile] == guesses
        assert {item.quality for item in meanwhile} <= {Quality.ESTIMATED}
        again = [item for item in items(heard)[5] if item.register == 1]
        flags = Flag.CORRECTS if known else Flag.NONE
        assert [(item.quality, item.flags) for item in again] == [(Quality.MEASURED, flags)] * 3 + [(0, Flag.NONE)]
        assert energy(final(heard, SOLAR)) == energy(final(honest, SOLAR))
        assert energy(final(heard, HOME)) == energy(final(honest, HOME))


def test_a_meter_without_a_record_tells_only_the_sum_and_one_that_is_slow_tells_it_later(stage: Scene) -> None:
    honest = run(spec(stage), 8)
    faults = [fault(stage, "unread", SOLAR, 2, 4)]
    for record_after_slots, measured_from in ((None, 9), (2, 6), (0, 4)):
        meters = {SOLAR: MeterSpec(record_after_slots=record_after_slots)}
        heard = run(spec(stage, meters=meters, faults=faults), 8)
        for until in range(5, 9):
            told = final(heard[:until], SOLAR)
            assert sum(map(sum, energy(told))) == sum(map(sum, energy(final(honest[:until], SOLAR))))
            exact = until > measured_from
            assert (energy(told) == energy(final(honest[:until], SOLAR))) == exact
            assert ({item.quality for item in told.values()} == {Quality.MEASURED}) == exact


def test_a_meter_that_goes_unread_again_is_waited_for_again(stage: Scene) -> None:
    meters = {SOLAR: MeterSpec(record_after_slots=2)}
    for first, again, told_in in ((1, 4, 8), (1, 6, 10)):
        faults = [fault(stage, "unread", SOLAR, first, first + 2), fault(stage, "unread", SOLAR, again, again + 2)]
        heard = items(run(spec(stage, meters=meters, faults=faults), 12))
        corrected = [n for n, slot in enumerate(heard) if any(Flag.CORRECTS in item.flags for item in slot)]
        assert corrected[-1] == told_in
        assert (first + 4 in corrected) == (again > first + 4)


def test_a_battery_that_was_unread_brings_its_levels_with_it(stage: Scene) -> None:
    honest = final(run(spec(stage), 8), BATTERY)
    heard = run(spec(stage, faults=[fault(stage, "unread", BATTERY, 2, 5)]), 8)
    assert not [item for slot in items(heard)[2:5] for item in slot if item.register == 2]
    assert [item.level_wh for item in final(heard, BATTERY).values()] == [item.level_wh for item in honest.values()]


def test_an_announced_reset_in_the_midst_of_a_slot_changes_no_energy(stage: Scene) -> None:
    honest = run(spec(stage), 8)
    heard = run(spec(stage, faults=[fault(stage, "reset", SOLAR, 2.3), fault(stage, "reset", SOLAR, 5)]), 8)
    assert energy(final(heard, SOLAR)) == energy(final(honest, SOLAR))
    flagged = [slot for slot, told in enumerate(items(heard)) if any(item.flags is Flag.RESET for item in told)]
    assert flagged == [2, 5]


def test_what_a_reset_lost_is_marked_and_no_more_than_it_is_lost(stage: Scene) -> None:
    honest = energy(final(run(spec(stage), 8), SOLAR))
    faults = [fault(stage, "unread", SOLAR, 2, 4), fault(stage, "reset", SOLAR, 3.5, lost=True)]
    told = final(run(spec(stage, faults=faults), 8), SOLAR)
    start_s = epoch(stage.street.span.start)
    kept = {(item.start_s - start_s) // SLOT_SECONDS: item for item in told.values()}
    assert sorted(kept) == [0, 1, 3, 4, 5, 6, 7], "nobody knows anything of slot 2"
    assert (kept[3].quality, kept[3].flags) == (Quality.ESTIMATED, Flag.RESET)
    assert kept[3].export_wh == honest[3][1] - honest[3][1] // 2 > 0, "the new meter counted half of it"
    assert (kept[4].quality, kept[4].export_wh) == (Quality.MEASURED, honest[4][1])


KINDS = st.tuples(
    st.sampled_from(["unread", "reset", "silent"]),
    st.sampled_from(sorted(PLACES)),
    st.floats(0, 8, exclude_max=True),
    st.integers(0, 8),
)


@settings(max_examples=25)
@given(
    troubles=st.lists(KINDS, max_size=5),
    kills=st.frozensets(st.integers(0, 9), max_size=3),
    record_after_slots=st.integers(0, 1),
)
def test_whatever_goes_wrong_with_meters_and_wherever_the_box_is_killed_what_was_counted_is_told(
    stage: Scene, troubles: list[tuple[str, AssetId, float, int]], kills: frozenset[int], record_after_slots: int
) -> None:
    faults = [
        fault(stage, kind, asset, first if kind == "reset" else int(first), last)
        for kind, asset, first, last in troubles
    ]
    meters = {name: MeterSpec(record_after_slots=record_after_slots) for name in PLACES}
    honest, told = run(spec(stage), 10), spec(stage, meters=meters, faults=faults)
    heard = run(told, 10)
    assert [[r.wire_bytes() for r in slot] for slot in run(told, 10, kills)] == [
        [r.wire_bytes() for r in slot] for slot in heard
    ]
    for asset in PLACES:
        assert energy(final(heard, asset)) == energy(final(honest, asset))
        assert {item.quality for item in final(heard, asset).values()} == {Quality.MEASURED}


def test_two_tellings_of_a_slot_have_two_blinds(stage: Scene) -> None:
    meters = {SOLAR: MeterSpec(record_after_slots=1)}
    heard = run(spec(stage, meters=meters, faults=[fault(stage, "unread", SOLAR, 2, 4)]), 8)
    blinds = [item.blind for slot in items(heard) for item in slot]
    assert len(set(blinds)) == len(blinds)


def test_what_was_unread_for_long_comes_in_batches_that_no_slot_is_cut_by(stage: Scene) -> None:
    week = replace(stage.street, days=7)
    longer = Scene(week, stage.recorded)
    count = MOST_ITEMS // 2 + 90
    around = surroundings(longer.street, longer.recorded, 3)
    faults = [fault(stage, "unread", asset, 1, count) for asset in PLACES]
    # One day's weather, over and over.
    around = replace(around, load_wh=around.load_wh[:96] * 7, solar_wh=around.solar_wh[:96] * 7)
    heard = run(spec(longer, around=around, faults=faults), count + 1)
    assert [len(slot) for slot in heard] == [1] + [0] * (count - 1) + [2]
    spans = [{item.start_s for item in decode_items(request.items)} for request in heard[-1]]
    assert spans[0].isdisjoint(spans[1])
    assert len(spans[0] | spans[1]) == count


@pytest.mark.row("H9")
def test_what_a_box_feels_goes_to_its_owner_alone(stage: Scene) -> None:
    start_s = epoch(stage.street.span.start)
    felt = Senses(
        start_s=start_s,
        indoor_decicelsius=[205, 206, 207],
        outdoor_decicelsius=[-31],
        latitude_e7_deg=515_000_000,
        longitude_e7_deg=-1_270_000,
    )
    plain, heard = run(spec(stage), 3), run(spec(stage, senses=felt), 3)
    place = {"latitude_e7_deg": 515_000_000, "longitude_e7_deg": -1_270_000}
    beside = [decode_personal(request.personal, 3) for (request,) in heard]
    assert [told[0] for told in beside] == [
        PersonalItem(indoor_decicelsius=205, outdoor_decicelsius=-31, **place),
        PersonalItem(indoor_decicelsius=206, **place),
        PersonalItem(indoor_decicelsius=207, **place),
    ]
    assert {item for told in beside for item in told[1:]} == {PersonalItem()}
    assert items(heard) == items(plain)
    for (told,), (silent,) in zip(heard, plain, strict=True):
        assert silent.personal == b""
        assert "personal" not in silent.body or silent.body["personal"] is None
        assert told.personal[:32] not in told.head_bytes() + told.items
        assert len({request.personal[:32] for (request,) in heard}) == 3, "each part has a salt of its own"
