"""A clock that is already wrong when a gateway starts signs nothing, and costs no reading."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from community import NAME, NOON, key
from hypothesis import given
from hypothesis import strategies as st
from test_gateway_days import BATTERY, HOME, NUMBER, Home, SetClock, letter

from commonwatt.flows.gateway.backlog import Backlog
from commonwatt.flows.gateway.clocks import AGREES_S, FAR_S, TimeTold, Watch
from commonwatt.flows.gateway.gateway import READ_WITHIN_S
from commonwatt.flows.gateway.letters import Answers, ask_time, digest, seal
from commonwatt.metering.batch import Item, Quality, decode_items
from commonwatt.model import SLOT_SECONDS, DeviceState, epoch, instant

pytestmark = pytest.mark.row("H1")
A_DAY_AHEAD, A_YEAR_BEHIND = 86_400, -365 * 86_400
SINCE_1970 = -NOON


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def items(home: Home) -> list[Item]:
    """Return what the log holds of the home's own meter."""
    rows = [row for row in home.town.rows() if row.author == key(NUMBER).id and row.items]
    return [item for row in rows for item in decode_items(row.items) if item.register == 0]


def boot(home: Home, off_s: int, power_cut_s: int = 0) -> None:
    """Switch the box off and on, and let its clock come up wrong."""
    home.outbox.close()
    home.clock.go(power_cut_s)
    home.turn(power_cut_s)
    home.clock.s = home.clock.true + off_s
    home.start()


@pytest.mark.parametrize("off_s", [A_DAY_AHEAD, A_YEAR_BEHIND, SINCE_1970])
@pytest.mark.parametrize("asked", [True, False])
def test_a_clock_that_comes_up_wrong_signs_nothing_and_what_was_read_meanwhile_is_told(
    home: Home,
    off_s: int,
    asked: bool,
) -> None:
    for _ in range(3):
        home.to_slot_end()
    closed_s, waiting = home.gateway.closed_s, home.waiting()
    boot(home, off_s)
    if asked:
        home.ask_time()
    home.go(3 * SLOT_SECONDS, 5)
    assert (home.gateway.closed_s, home.waiting()) == (closed_s, waiting), "nothing is signed by a false clock"
    if asked:
        where = "24.0 h ahead of" if off_s > 0 else "h behind"
        assert any(f"{where} the community's: nothing is signed" in word for word in home.alarms)
    elif off_s < 0:
        assert any("when something was written here: nothing is signed" in word for word in home.alarms)
    home.clock.s = home.clock.true  # somebody sets it right
    if not asked:
        home.go(5)
        home.ask_time()
    home.to_slot_end()
    home.to_slot_end()
    home.send()
    told = items(home)
    first, last = told[0].start_s, int(home.clock.true) // SLOT_SECONDS * SLOT_SECONDS - SLOT_SECONDS
    assert [item.start_s for item in told] == list(range(first, last + 1, SLOT_SECONDS)), "each slot once, in order"
    assert {item.quality for item in told} == {Quality.MEASURED}
    assert all(abs(item.import_wh - 1_000) <= 34 for item in told), "4 kW, read half a minute from a slot's end at most"
    assert abs(sum(item.import_wh for item in told) - 1_000 * len(told)) <= 34


def test_after_a_short_cut_of_power_the_clock_is_believed_at_once_though_nobody_can_be_asked(
    home: Home,
) -> None:
    for _ in range(3):
        home.to_slot_end()
    boot(home, 0, power_cut_s=600)
    home.line.cut = True
    home.to_slot_end()
    home.to_slot_end()
    assert home.gateway.closed_s == home.clock.true // SLOT_SECONDS * SLOT_SECONDS - SLOT_SECONDS


def test_after_a_long_one_it_waits_for_the_community_and_then_tells_what_it_has_read(home: Home) -> None:
    for _ in range(3):
        home.to_slot_end()
    boot(home, 0, power_cut_s=3 * FAR_S)
    closed_s = home.gateway.closed_s
    home.line.cut = True
    home.go(8 * SLOT_SECONDS, 10)
    assert home.gateway.closed_s == closed_s
    home.line.cut = False
    home.ask_time()
    home.to_slot_end()
    home.to_slot_end()
    home.send()
    told = items(home)
    assert [item.start_s for item in told] == list(range(told[0].start_s, home.gateway.closed_s + 1, SLOT_SECONDS))
    assert sum(item.import_wh for item in told) == 1_000 * len(told), "no energy is lost"
    assert [item.quality for item in told[-9:]] == [Quality.MEASURED] * 9


def test_while_its_clock_is_wrong_it_keeps_devices_at_what_it_is_told(home: Home) -> None:
    boot(home, A_YEAR_BEHIND)
    home.clock.s, true_s = home.clock.true, home.clock.s
    told = letter(home, number=1, lo_w=2_000, lasts_s=600)
    home.clock.s = true_s
    home.runner.hear(told)
    home.go(10)
    assert home.plants[BATTERY].power_w == 2_000
    home.go(1_900, 10)
    assert home.plants[BATTERY].held is None, "by this clock the command would last for a year"


def test_an_old_answer_that_is_said_again_tells_no_time(home: Home) -> None:
    boot(home, A_DAY_AHEAD)
    old = Answers(
        community=NAME,
        gateway=NUMBER,
        burst=digest(ask_time(b"0" * 32)),
        told_s=int(home.clock.s),
        outcomes=[],
        next_seq=1,
    )
    home.runner.hear(seal([old], key("operator"))[0])
    assert home.post.time is None


def test_a_gateway_in_doubt_asks_by_itself(home: Home) -> None:
    boot(home, A_DAY_AHEAD)
    stop = asyncio.Event()
    waits = 0

    async def sleep(seconds: float) -> None:
        nonlocal waits
        waits += 1
        if waits > 20:
            stop.set()
        await asyncio.sleep(0)

    home.runner._sleep = sleep
    asyncio.run(home.runner.run(stop))
    assert home.post.time is not None
    assert abs(home.post.time.at_s - home.clock.true) < 60


@given(st.integers(-(10**6), 10**6), st.integers(0, 10**4), st.integers(0, 10**6))
def test_an_answer_that_was_long_on_its_way_tells_no_more_than_between_which_times_it_is(
    off_s: int, took_s: int, later_s: int
) -> None:
    told = TimeTold(NOON, 5.0, took_s)
    found = told.off_s(NOON + later_s + off_s, 5.0 + later_s)
    assert found == (off_s if off_s < 0 else max(0, off_s - took_s))


def watched(off_s: int, known_s: int, *, asks: bool) -> tuple[SetClock, Watch, list[str]]:
    clock, alarms = SetClock(), list[str]()
    clock.s += off_s
    return clock, Watch(clock, alarms.append, known_s, asks=asks), alarms


@given(off_s=st.integers(-(10**9), 10**9), told=st.booleans(), wait_s=st.integers(0, 3 * FAR_S))
def test_what_the_community_tells_decides_and_before_what_was_written_nothing_is_believed(
    off_s: int, told: bool, wait_s: int
) -> None:
    clock, watch, _ = watched(off_s, NOON, asks=True)
    said = TimeTold(int(clock.true), clock.steady) if told else None
    clock.go(wait_s)
    believed = watch.look(said)
    assert believed == (abs(off_s) <= AGREES_S if told else 0 <= 100 + off_s <= FAR_S)


@pytest.mark.parametrize(("off_s", "believed"), [(0, True), (A_DAY_AHEAD, True), (A_YEAR_BEHIND, False)])
def test_who_has_nobody_to_ask_believes_after_an_hour_but_nothing_before_what_was_written(
    off_s: int, believed: bool
) -> None:
    clock, watch, _ = watched(off_s, NOON - 2 * FAR_S, asks=False)
    assert not watch.look(None)
    clock.go(FAR_S - 1)
    assert not watch.look(None)
    clock.go(1)
    assert watch.look(None) is believed


@given(st.integers(0, 10**6), st.floats(0, 10**6), st.integers(-(10**8), 10**8))
def test_only_values_from_shortly_after_a_slots_end_are_told_of_it_by_the_time_that_turns_out_to_be_right(
    began_s: int, steady_s: float, off_s: int
) -> None:
    backlog, true = Backlog(), instant(NOON + began_s)
    for n in range(100):
        at = true + timedelta(seconds=37 * n) + timedelta(seconds=off_s)
        assert backlog.due(steady_s + 37 * n)
        backlog.note(steady_s + 37 * n, at, {HOME: DeviceState(at=at, import_wh=n, export_wh=0)})
        assert not backlog.due(steady_s + 37 * n + 29)
    found = backlog.slots(steady_s + 99 * 37, true + timedelta(seconds=99 * 37), 0)
    assert len(found) in (3, 4, 5)
    assert [slot_s for slot_s, _ in found] == sorted({slot_s for slot_s, _ in found})
    for slot_s, states in found:
        assert 0 <= epoch(states[HOME].at) - slot_s - SLOT_SECONDS <= READ_WITHIN_S
        assert abs(epoch(states[HOME].at) - epoch(true) - 37 * (states[HOME].import_wh or 0)) <= 1
