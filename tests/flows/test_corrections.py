"""Meters that correct themselves: the difference is booked, nothing is rewritten, and what is long past stays."""

import pytest
from community import EXPORT, IMPORT, NAME, NOON, PREPAID, Community, Flow, Noted, battery, gain

from commonwatt.flows.replay import replay
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.snapshot import dump, load
from commonwatt.metering.batch import Flag, Quality
from commonwatt.model import SLOT_SECONDS, AssetKind, Commodity, Kind, Outcome

ACCOUNTS = ("anna", "ben", "grid", "losses")
OVERLAPS = "overlaps a reading that was booked"


def street(told: tuple[int, int], corrected: tuple[int, int] | None, *, settled: bool = True) -> Community:
    """Return a street in which ben's meter told one thing of the first slot, and perhaps another afterwards."""
    community = Community(2, grace_slots=1)
    right = corrected or told
    community.now_s += SLOT_SECONDS
    community.report("gw-anna", NOON, community.home("anna", Flow(load_wh=100)))
    assert community.report("gw-ben", NOON, {"ben-home": told}) is Outcome.BOOKED
    if settled:
        community.report("gw-feeder", NOON, community.feeder(100 + right[0] - right[1]))
        assert community.state.settled_to_s == NOON + SLOT_SECONDS
    if corrected:
        assert community.report("gw-ben", NOON, {"ben-home": corrected}, flags=Flag.CORRECTS) is Outcome.BOOKED
    if not settled:
        community.report("gw-feeder", NOON, community.feeder(100 + right[0] - right[1]))
    return community


@pytest.mark.row("M2")
@pytest.mark.parametrize("settled", [True, False])
@pytest.mark.parametrize(
    ("told", "corrected"),
    [((200, 0), (700, 0)), ((700, 0), (200, 0)), ((0, 500), (300, 0)), ((321, 123), (0, 0)), ((1, 0), (0, 1))],
)
def test_a_corrected_reading_leaves_energy_and_money_as_the_right_one_would(
    told: tuple[int, int], corrected: tuple[int, int], *, settled: bool
) -> None:
    first, right = street(told, corrected, settled=settled), street(corrected, None)
    for commodity in (Commodity.ENERGY, Commodity.ERGON):
        assert first.state.accounts.total(commodity) == 0
        for account in ACCOUNTS:
            assert first.moved(account, commodity, NOON) == right.moved(account, commodity, NOON)
    assert first.state.losses_wh == right.state.losses_wh == {NOON: 0}


def test_a_correction_rewrites_nothing_that_was_booked() -> None:
    community = street((200, 0), None)
    before = community.booked()
    assert community.report("gw-ben", NOON, {"ben-home": (150, 40)}, flags=Flag.CORRECTS) is Outcome.BOOKED
    assert community.booked()[: len(before)] == before
    assert community.entries("corrected import") == [("ben", "losses", 50), ("losses", "ben", 50 * IMPORT // 1_000)]
    assert community.entries("corrected export") == [("ben", "losses", 40), ("losses", "ben", 40 * EXPORT // 1_000)]
    assert community.state.losses_wh == {NOON: 90}
    assert community.state.readings[NOON]["ben-home"].import_wh == 150


@pytest.mark.parametrize("settled", [True, False])
def test_a_second_reading_that_corrects_nothing_is_set_aside(*, settled: bool) -> None:
    community = street((200, 0), None)
    if not settled:
        community.now_s += SLOT_SECONDS
        assert community.report("gw-ben", NOON + SLOT_SECONDS, {"ben-home": (200, 0)}) is Outcome.BOOKED
    slot_s, before = community.state.settled_to_s - SLOT_SECONDS * settled, community.balances()
    assert community.report("gw-ben", slot_s, {"ben-home": (150, 0)}) is Outcome.SET_ASIDE
    assert [doubt.why for doubt in community.state.set_aside] == [OVERLAPS]
    assert community.state.readings[slot_s]["ben-home"].import_wh == 200
    assert community.balances() == before


@pytest.mark.parametrize(
    ("first", "second", "flags", "outcome"),
    [
        (Quality.ESTIMATED, Quality.MEASURED, Flag.NONE, Outcome.BOOKED),
        (Quality.ESTIMATED, Quality.SUBSTITUTED, Flag.NONE, Outcome.BOOKED),
        (Quality.SUBSTITUTED, Quality.MEASURED, Flag.NONE, Outcome.BOOKED),
        (Quality.SUBSTITUTED, Quality.ESTIMATED, Flag.CORRECTS, Outcome.SET_ASIDE),
        (Quality.MEASURED, Quality.ESTIMATED, Flag.CORRECTS, Outcome.SET_ASIDE),
        (Quality.MEASURED, Quality.SUBSTITUTED, Flag.CORRECTS, Outcome.SET_ASIDE),
        (Quality.MEASURED, Quality.MEASURED, Flag.CORRECTS, Outcome.BOOKED),
        (Quality.MEASURED, Quality.MEASURED, Flag.RESET | Flag.ROLLED_OVER, Outcome.SET_ASIDE),
    ],
)
def test_a_measurement_takes_the_place_of_a_guess_and_no_guess_that_of_a_measurement(
    first: Quality, second: Quality, flags: Flag, outcome: Outcome
) -> None:
    community = Community(1)
    community.now_s += SLOT_SECONDS
    assert community.report("gw-anna", NOON, {"anna-home": (500, 0)}, quality=first) is Outcome.BOOKED
    assert community.report("gw-anna", NOON, {"anna-home": (600, 0)}, flags=flags, quality=second) is outcome
    booked = community.state.readings[NOON]
    assert booked["anna-home"].import_wh == (600 if outcome is Outcome.BOOKED else 500)
    assert booked.quality_of("anna-home") is (second if outcome is Outcome.BOOKED else first)
    community.report("gw-feeder", NOON, community.feeder(500))
    assert community.moved("anna", Commodity.ENERGY, NOON) == booked["anna-home"].import_wh


@pytest.mark.row("E2")
@pytest.mark.parametrize("guessed", [Quality.ESTIMATED, Quality.SUBSTITUTED])
def test_no_watt_is_minted_for_energy_that_no_meter_saw(guessed: Quality) -> None:
    community = Community(1)
    community.now_s += SLOT_SECONDS
    told = community.home("anna", Flow(solar_wh=1_000, charge_wh=1_000))
    assert community.report("gw-anna", NOON, told, quality=guessed) is Outcome.BOOKED
    community.report("gw-feeder", NOON, community.feeder(0))
    assert community.state.settled_to_s == NOON + SLOT_SECONDS
    assert community.watt("anna") == 0


@pytest.mark.row("E2")
@pytest.mark.parametrize(
    ("corrected", "left_wh"),
    [
        ({"anna-battery": (600, 0, 540)}, 486),
        ({"anna-battery": (1_000, 100, 900)}, 729),
        ({"anna-battery": (0, 0, 0)}, 0),
        ({"anna-solar": (0, 400)}, 324),
        ({"anna-battery": (1_500, 0, 900)}, 810),
        ({"anna-solar": (0, 4_000)}, 810),
    ],
)
def test_a_correction_that_takes_energy_from_a_battery_burns_its_watt_and_none_mints(
    corrected: dict[str, tuple[int, ...]], left_wh: int
) -> None:
    community = Community(1)
    community.live(anna=Flow(solar_wh=1_000, charge_wh=1_000))
    assert community.watt("anna") == 810
    assert community.report("gw-anna", NOON, corrected, flags=Flag.CORRECTS) is Outcome.BOOKED
    assert community.watt("anna") == community.state.claims.issued_wh(battery("anna")) == left_wh
    assert community.watt("mint") + community.watt("burn") == -left_wh


def long_past(correction_slots: int = 2, slots: int = 5) -> Community:
    """Return a street in which all but the last few slots are settled for good."""
    community = Community(2, correction_slots=correction_slots, journal=Noted())
    for _ in range(slots):
        community.live(anna=Flow(load_wh=100), ben=Flow(solar_wh=30))
    assert community.state.settled_to_s == community.slot_s
    return community


@pytest.mark.parametrize("flags", [Flag.NONE, Flag.CORRECTS])
def test_what_is_long_past_is_corrected_no_more(flags: Flag) -> None:
    community = long_past()
    before, position = community.balances(), community.roots().leaves
    assert community.report("gw-anna", NOON + 2 * SLOT_SECONDS, {"anna-home": (5, 0)}, flags=flags) is Outcome.SET_ASIDE
    assert community.balances() == before
    assert community.rows()[position].outcome is Outcome.SET_ASIDE
    assert community.report("gw-anna", NOON + 3 * SLOT_SECONDS, {"anna-home": (5, 0)}, flags=flags) is (
        Outcome.BOOKED if flags else Outcome.SET_ASIDE
    )
    assert (community.balances() != before) == bool(flags)


def test_a_state_lets_go_of_what_nobody_can_correct_any_more() -> None:
    community = long_past(correction_slots=2, slots=9)
    state, horizon_s = community.state, community.slot_s - 2 * SLOT_SECONDS
    for kept in (state.readings, state.losses_wh, state.given, state.prices):
        assert min(kept) == horizon_s
    assert community.state.entries == []


@pytest.mark.row("M5")
def test_a_replay_that_keeps_everything_reaches_the_root_of_one_that_forgets() -> None:
    community = long_past()
    community.live(silent=["feeder"], anna=Flow(load_wh=1))
    community.report("gw-ben", NOON, {"ben-home": (1, 0)})
    for _ in range(6):
        community.live(ben=Flow(load_wh=1))
    # A level is held against the one before it only where that one is at hand in every replay.
    rises = {"anna-battery": (0, 0, 50)}
    oldest_s = community.slot_s - 2 * SLOT_SECONDS
    assert community.report("gw-anna", oldest_s, rises, flags=Flag.CORRECTS) is Outcome.BOOKED
    assert community.report("gw-ben", oldest_s + SLOT_SECONDS, {"ben-battery": (0, 0, 50)}, flags=Flag.CORRECTS) is (
        Outcome.SET_ASIDE
    )
    note = community.sequencer.checkpoint(community.slot_s).note_text()
    community.ask("operator", Kind.CHECKPOINT, bodies.CheckpointBody(note=note + "\nsigned\n"))
    for keep in (False, True):
        found = replay(community.rows(), NAME, keep=keep)
        assert found.state.sections() == community.state.sections()


@pytest.mark.row("E13")
def test_the_price_of_what_is_long_past_never_changes_either() -> None:
    community = long_past()
    assert community.tell_prices(NOON, [(1, 0)]) is not Outcome.BOOKED
    for keep in (False, True):
        assert replay(community.rows(), NAME, keep=keep).state.root() == community.roots().state


def test_a_late_price_for_slots_of_which_some_are_long_past_reads_the_same_in_every_replay() -> None:
    community = Community(1, correction_slots=1, grace_slots=0, priced_slots=4)
    for _ in range(4):
        community.live(anna=Flow(load_wh=10))
    community.tell_prices(NOON + 2 * SLOT_SECONDS, [(IMPORT, EXPORT)] * 8)
    community.tell_prices(NOON + 4 * SLOT_SECONDS, [(IMPORT, EXPORT)] * 8)
    community.live(anna=Flow(load_wh=10))
    for keep in (False, True):
        assert replay(community.rows(), NAME, keep=keep).state.root() == community.roots().state
    assert community.state.settled_to_s == community.slot_s


def test_a_feeder_corrects_its_count_once_and_the_losses_take_the_difference() -> None:
    community = street((200, 0), None)
    told = {"feeder": (350, 0)}
    assert community.report("gw-feeder", NOON, told) is Outcome.SET_ASIDE
    assert community.report("gw-feeder", NOON, told, flags=Flag.CORRECTS) is Outcome.BOOKED
    assert community.moved("grid", Commodity.ENERGY, NOON) == -350
    assert community.moved("grid", Commodity.ERGON, NOON) == 350 * IMPORT // 1_000
    assert community.state.losses_wh == {NOON: 50}
    assert community.report("gw-feeder", NOON, community.feeder(300), flags=Flag.CORRECTS) is Outcome.BOOKED
    assert community.state.losses_wh == {NOON: 0}
    assert community.moved("losses", Commodity.ENERGY, NOON) == 0
    assert community.ergon("ben") == PREPAID - 200 * IMPORT // 1_000
    assert all(gain(entry, "losses") for entry in community.booked() if entry.memo == "losses")


def charged_with_a_car(told: bool) -> Community:
    """Return a street in which anna's car gave 1,000 Wh to her battery, unseen or seen, while the sun stood by."""
    community = Community(1)
    assert community.claim("anna", "anna-car", AssetKind.VEHICLE, capacity_wh=40_000) is Outcome.BOOKED
    community.now_s += SLOT_SECONDS
    # All sun went to the house; what came to the battery came out of the car.
    meters = community.home("anna", Flow(load_wh=1_000, solar_wh=1_000, charge_wh=1_000))
    meters["anna-home"] = (0, 0)
    car = {"anna-car": (0, 1_000, 20_000)} if told else {}
    assert community.report("gw-anna", NOON, meters | car) is Outcome.BOOKED
    community.report("gw-feeder", NOON, community.feeder(0))
    assert community.state.settled_to_s == NOON + SLOT_SECONDS
    return community


@pytest.mark.row("E2")
@pytest.mark.parametrize("told", [True, False])
def test_nothing_is_minted_while_a_meter_behind_the_home_is_silent(*, told: bool) -> None:
    community = charged_with_a_car(told)
    assert community.watt("anna") == 0
    late = {"anna-car": (0, 1_000, 20_000)}
    assert community.report("gw-anna", NOON, late) is (Outcome.SET_ASIDE if told else Outcome.BOOKED)
    assert community.watt("anna") == 0


@pytest.mark.row("E2")
def test_a_car_that_is_corrected_takes_back_what_it_fed_to_the_battery() -> None:
    community = Community(1)
    assert community.claim("anna", "anna-car", AssetKind.VEHICLE, capacity_wh=40_000) is Outcome.BOOKED
    community.now_s += SLOT_SECONDS
    meters = community.home("anna", Flow(solar_wh=1_000, charge_wh=1_000)) | {"anna-car": (0, 0, 20_000)}
    assert community.report("gw-anna", NOON, meters) is Outcome.BOOKED
    community.report("gw-feeder", NOON, community.feeder(0))
    assert community.watt("anna") == 810
    right = {"anna-car": (0, 600, 20_000)}
    assert community.report("gw-anna", NOON, right, flags=Flag.CORRECTS) is Outcome.BOOKED
    assert community.watt("anna") == community.state.claims.issued_wh(battery("anna")) == 324


@pytest.mark.row("E2")
def test_a_late_discharge_burns_what_stood_before() -> None:
    community = Community(1, grace_slots=0)
    community.live(anna=Flow(solar_wh=1_000, charge_wh=1_000))
    slot_s = community.live(silent=["anna"], anna=Flow(load_wh=500, discharge_wh=500))
    assert community.watt("anna") == 810
    told = {"anna-home": (0, 0), "anna-solar": (0, 0), "anna-battery": (0, 500, community.levels_wh["anna"])}
    assert community.report("gw-anna", slot_s, told) is Outcome.BOOKED
    assert community.watt("anna") == 310


def test_a_correction_of_all_meters_at_once_takes_back_only_what_all_of_them_say() -> None:
    community = Community(1)
    community.live(anna=Flow(solar_wh=1_000, charge_wh=1_000))
    # More load behind the connection and more sun as well: the battery's charge was clean all the same.
    told = {"anna-home": (900, 0), "anna-solar": (0, 2_000)}
    assert community.report("gw-anna", NOON, told, flags=Flag.CORRECTS) is Outcome.BOOKED
    assert community.watt("anna") == 81


def test_what_was_minted_in_which_slot_survives_a_restart() -> None:
    community = Community(1)
    community.live(anna=Flow(solar_wh=1_000, charge_wh=1_000))
    again, _ = load(dump(community.state, community.now_s, b""))
    assert (
        again.claims.minted.listing() == community.state.claims.minted.listing() == ((NOON, (("anna-battery", 810),)),)
    )
    assert again.root() == community.state.root()


@pytest.mark.row("E2")
def test_a_discharge_that_a_level_has_burned_already_is_not_burned_again_when_it_is_told_late() -> None:
    community = Community(1, grace_slots=0)
    for _ in range(3):
        community.live(anna=Flow(solar_wh=1_000, charge_wh=1_000))
    assert community.watt("anna") == 2_430
    slot_s = community.live(silent=["anna"], anna=Flow(load_wh=1_000, discharge_wh=1_000))
    level_wh = community.levels_wh["anna"]
    community.live(anna=Flow())
    can_give = level_wh * 900 // 1000
    assert community.watt("anna") == can_give
    told = {"anna-home": (0, 0), "anna-solar": (0, 0), "anna-battery": (0, 1_000, level_wh)}
    assert community.report("gw-anna", slot_s, told) is Outcome.BOOKED
    assert abs(community.watt("anna") - can_give) <= 1, "a Wh more was lost than the discharge explains"


@pytest.mark.row("E2")
def test_a_correction_takes_back_nothing_that_was_minted_later() -> None:
    community = Community(1)
    community.live(anna=Flow(solar_wh=1_000, charge_wh=1_000))
    community.live(anna=Flow(load_wh=810, discharge_wh=810))
    assert community.watt("anna") == 0, "all of it was used"
    community.live(anna=Flow(solar_wh=1_000, charge_wh=1_000))
    assert community.watt("anna") == 810
    assert community.report("gw-anna", NOON, {"anna-solar": (0, 200)}, flags=Flag.CORRECTS) is Outcome.BOOKED
    assert community.watt("anna") == 810
