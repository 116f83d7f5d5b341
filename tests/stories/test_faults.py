"""Things go wrong in one home: the street goes on, and the books say what happened."""

from functools import cache

import pytest
from paper_street import Lived, live, stage

from commonwatt.adapters.devices.gateway.translate import Live, Told
from commonwatt.adapters.devices.gateway.translate import Lived as Answer
from commonwatt.flows.intake import read_request
from commonwatt.identity.keys import SigningKey
from commonwatt.metering.batch import decode_items
from commonwatt.model import (
    SLOT_SECONDS,
    AssetId,
    AssetKind,
    Commodity,
    Outcome,
    cost_micro,
    epoch,
    instant,
)
from commonwatt.simulator.box import Box, Fault, Memory, Spec
from commonwatt.simulator.street import FEEDER, home_assets
from commonwatt.simulator.world import surroundings


def troubled(kind: str, asset: str, first: int, last: int, slots: int, starts: str = "11:00") -> Lived:
    """Live with a fault from one slot up to another."""
    scene = stage(3, starts)
    start_s = epoch(scene.street.span.start)
    fault = Fault(
        kind=kind,
        asset=AssetId(asset),
        start_s=start_s + first * SLOT_SECONDS,
        end_s=start_s + last * SLOT_SECONDS,
    )
    return live(scene, slots, [fault])


def conserved(lived: Lived) -> None:
    state = lived.state
    for commodity in Commodity:
        assert state.accounts.total(commodity) == 0
    assert sum(state.watt(member) for member in state.members()) == state.claims.total_wh


@cache
def short_silence() -> Lived:
    return troubled("silent", "home-02", 2, 4, 8)


@cache
def long_silence() -> Lived:
    return troubled("silent", "home-02", 1, 9, 11)


@cache
def refusal() -> Lived:
    return troubled("refuse", "battery-02", 2, 3, 9)


@cache
def falsified() -> Lived:
    return troubled("falsify", "home-02", 2, 4, 6, starts="18:00")


def test_while_one_gateway_is_silent_the_others_are_planned_and_it_is_not() -> None:
    lived = short_silence()
    assert lived.scheduled("battery-01") == lived.scheduled("battery-03") == list(range(8))
    # Slot 2 was planned before the silence could be known; slot 4 before the first reading after it.
    assert lived.scheduled("battery-02") == [0, 1, 2, 5, 6, 7]
    assert all("battery-02" not in lived.watch.commands[lived.at(slot)] for slot in (3, 4))
    assert sorted(lived.acks("battery-02")) == [0, 1, 5, 6, 7]
    assert sorted(lived.acks("battery-01")) == list(range(8))


def test_settlement_waits_for_a_silent_gateway_and_its_late_readings_count() -> None:
    lived = short_silence()
    state = lived.state
    assert state.set_aside == []
    assert state.settled_to_s == lived.at(8)
    for slot in range(8):
        told = state.readings[lived.at(slot)]["home-02"]
        booked = [e for e in lived.entries if e.slot_s == lived.at(slot) and e.commodity is Commodity.ENERGY]
        got_wh = sum(e.amount * ((e.target == "member-02") - (e.source == "member-02")) for e in booked)
        assert got_wh == told.import_wh - told.export_wh
        assert state.losses_wh[lived.at(slot)] == 0
    arrived = [
        (stamped_s, slot_s) for stamped_s, _, slot_s in lived.read("HEPEK-0002") if stamped_s > slot_s + SLOT_SECONDS
    ]
    assert arrived == [(lived.at(5), lived.at(2)), (lived.at(5), lived.at(3))]
    conserved(lived)


def test_a_silent_home_falls_back_to_its_safe_default() -> None:
    lived = short_silence()
    for slot in (2, 3, 4):
        serves_its_own_home_only(lived, slot)


def serves_its_own_home_only(lived: Lived, slot: int) -> None:
    told = lived.state.readings[lived.at(slot)]
    home, battery = told["home-02"], told["battery-02"]
    assert not (battery.export_wh and home.export_wh), "what is stored is not exported"
    assert not (battery.import_wh and home.import_wh), "nor is grid energy stored"


def test_readings_that_come_after_grace_are_booked_against_the_losses() -> None:
    lived = long_silence()
    state = lived.state
    assert state.set_aside == []
    assert {outcome for _, outcome, _ in lived.read("HEPEK-0002")} == {Outcome.BOOKED}
    memos = {"late import", "late export"}
    late = sorted({(entry.slot_s - lived.at(0)) // SLOT_SECONDS for entry in lived.entries if entry.memo in memos})
    assert late == [1, 2, 3], "grace had run out for two more, in which the home exchanged nothing"
    for slot in range(1, 6):
        told = state.readings[lived.at(slot)]["home-02"]
        bought, sold = state.prices[lived.at(slot)]
        booked = [e for e in lived.entries if e.slot_s == lived.at(slot) and "member-02" in (e.source, e.target)]
        settled = [e for e in booked if e.commodity in (Commodity.ENERGY, Commodity.ERGON) and e.memo != "watt trade"]
        assert {entry.memo for entry in settled} <= memos
        gained = dict.fromkeys(Commodity, 0)
        for entry in settled:
            gained[entry.commodity] += entry.amount * ((entry.target == "member-02") - (entry.source == "member-02"))
        assert gained[Commodity.ENERGY] == told.import_wh - told.export_wh
        assert (gained[Commodity.ENERGY] != 0) == (slot in late)
        assert gained[Commodity.ERGON] == cost_micro(told.export_wh, sold) - cost_micro(told.import_wh, bought)
    assert set(state.losses_wh.values()) == {0}
    assert state.accounts.balance("losses", Commodity.ENERGY) == 0
    assert state.settled_to_s == lived.at(11)
    conserved(lived)


@pytest.mark.row("X6")
def test_a_device_that_refuses_says_why_in_the_log_and_is_left_alone_for_an_hour() -> None:
    lived = refusal()
    answers = lived.acks("battery-02")
    assert answers[2]["why"] == "device does not take commands now"
    assert "lo_w" not in answers[2] or answers[2]["lo_w"] is None
    assert [slot for slot, answer in answers.items() if not answer["why"]] == [0, 1, 7, 8]
    assert lived.scheduled("battery-02") == [0, 1, 2, 7, 8]
    for slot in range(3, 7):
        plan, _, known = lived.watch.plans[lived.at(slot)]
        assert "battery-02" not in plan.power_w
        assert "battery-02" not in [stored.asset.id for stored in known.stored]
        assert {"battery-01", "battery-03"} <= set(plan.power_w)
    assert lived.scheduled("battery-01") == list(range(9))


def test_a_device_that_refuses_follows_its_safe_default_and_is_settled_like_any_other() -> None:
    lived = refusal()
    for slot in range(2, 7):
        serves_its_own_home_only(lived, slot)
    assert lived.state.set_aside == []
    assert lived.state.settled_to_s == lived.at(9)
    conserved(lived)


def test_a_device_that_goes_on_refusing_is_asked_again_once_an_hour() -> None:
    lived = troubled("refuse", "battery-02", 0, 20, 12)
    assert sorted(lived.acks("battery-02")) == lived.scheduled("battery-02") == [0, 5, 10]


def test_what_a_falsifying_gateway_hides_stands_with_the_losses() -> None:
    lived = falsified()
    state = lived.state
    for slot in range(6):
        told = state.readings[lived.at(slot)]
        homes = [told[asset.id] for asset in state.assets.values() if asset.kind is AssetKind.CONNECTION]
        seen_wh = told[FEEDER].import_wh - told[FEEDER].export_wh
        told_wh = sum(reading.import_wh - reading.export_wh for reading in homes)
        assert state.losses_wh[lived.at(slot)] == seen_wh - told_wh
        if 2 <= slot < 4:
            signed_wh = told["home-02"].import_wh
            assert signed_wh > 0, "a fault that hides nothing shows nothing"
            assert state.losses_wh[lived.at(slot)] in (signed_wh, signed_wh + 1)
        else:
            assert state.losses_wh[lived.at(slot)] == 0
    assert state.accounts.balance("losses", Commodity.ENERGY) == sum(state.losses_wh.values()) > 0
    conserved(lived)


def test_a_falsified_meter_leaves_what_the_retailer_is_owed_to_its_own_meter() -> None:
    honest = live(stage(3, "18:00"), 4)
    lived = falsified()
    slot_s = lived.at(2)
    grid_wh = [
        sum(
            e.amount * ((e.source == "grid") - (e.target == "grid"))
            for e in one.entries
            if e.slot_s == slot_s and e.commodity is Commodity.ENERGY
        )
        for one in (honest, lived)
    ]
    assert grid_wh[0] == grid_wh[1] == honest.state.readings[slot_s][FEEDER].import_wh


def box(memory: Memory | None = None) -> tuple[Box, int, list[Memory]]:
    """Return the gateway of the first home, the first slot that it lives through, and what it saves."""
    scene = stage(1, "12:00")
    spec = Spec(
        community="street",
        number="HEPEK-0001",
        seed="s",
        assets=home_assets(scene.street, 1),
        around=surroundings(scene.street, scene.recorded, 1),
        reserve_wh=320,
        battery_wh=3_000,
    )
    saved: list[Memory] = []
    start_s = epoch(scene.street.span.start)
    return Box(spec, SigningKey.from_seed(b"s", spec.number), memory, saved.append), start_s, saved


def command(slot_s: int, expires_s: int, **changed: object) -> Told:
    told = {"id": "c", "asset": AssetId("battery-01"), "lo_w": 2_000, "hi_w": 2_000, "reason": "a test"}
    return Told(**(told | changed), expires=instant(expires_s))


def why(answer: Answer) -> str | None:
    """Return why the one command was not taken, or None where it was."""
    ack = next((request.decode() for request in answer.requests if b'"kind":"ack"' in request), "")
    return ack.split('"why":"')[1].split('"')[0] or None


@pytest.mark.parametrize("late_s", [0, 1, SLOT_SECONDS, 30 * 86_400])
def test_an_expired_command_is_refused_by_the_box_in_words(late_s: int) -> None:
    one, start_s, _ = box()
    answer = one.live(Live(slot_s=start_s, commands=[command(start_s, start_s - late_s)]))
    assert "expired" in (why(answer) or "")
    other, _, _ = box()
    alone = other.live(Live(slot_s=start_s))
    assert answer.net_wh == alone.net_wh, "and the device does what it does without any"


def test_a_command_is_taken_while_it_lasts_and_within_the_devices_limits() -> None:
    one, start_s, _ = box()
    answer = one.live(Live(slot_s=start_s, commands=[command(start_s, start_s + 1, lo_w=-99_999, hi_w=99_999)]))
    assert why(answer) is None
    assert b'"hi_w":5000,"lo_w":-5000' in answer.requests[0]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"asset": AssetId("battery-02")}, "no such asset here"),
        ({"lo_w": 5, "hi_w": 4}, "a band runs from low to high"),
    ],
)
def test_a_command_that_makes_no_sense_is_refused_in_words(changed: dict[str, object], reason: str) -> None:
    one, start_s, _ = box()
    answer = one.live(Live(slot_s=start_s, commands=[command(start_s, start_s + 900, **changed)]))
    assert (why(answer) or "").startswith(reason)


def test_asking_again_for_a_slot_gives_the_same_bytes_and_lives_it_once() -> None:
    one, start_s, saved = box()
    first = one.live(Live(slot_s=start_s, commands=[command(start_s, start_s + 900)]))
    assert one.live(Live(slot_s=start_s)) == first
    reborn, _, _ = box(saved[-1])
    assert reborn.live(Live(slot_s=start_s)) == first
    assert len(saved) == 1
    following = Live(slot_s=start_s + SLOT_SECONDS)
    assert reborn.live(following) == one.live(following)


def test_a_car_without_a_command_charges_until_its_owners_target() -> None:
    scene = stage(1, "12:00")
    (stay,) = surroundings(scene.street, scene.recorded, 1).stays
    one, start_s, _ = box()
    register = [asset.id for asset in home_assets(scene.street, 1)].index(AssetId("car-01"))
    level_wh = 0
    for slot in range(30):
        answer = one.live(Live(slot_s=start_s + slot * SLOT_SECONDS))
        told = {item.register: item.level_wh for item in decode_items(read_request(answer.requests[-1]).items)}
        level_wh = told.get(register) or level_wh
    assert stay.target_wh <= level_wh < stay.target_wh + 100
