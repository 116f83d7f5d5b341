"""No car pays for energy that the station's own connection did not take, nor for what flowed before it came."""

import pytest
from charging_place import AUTHORISED_MICRO, GATEWAY, POINT, REGISTER_WH, STATION, Plaza
from community import IMPORT
from waking import check_woken, sleep

from commonwatt.metering.batch import Flag
from commonwatt.model import SLOT_SECONDS, Commodity, Outcome

pytestmark = pytest.mark.row("E9")


def stopped(plaza: Plaza, session: str, counted_wh: int) -> str:
    """Let a session start, count at once, and stop a little later."""
    assert plaza.start(session) is Outcome.BOOKED
    plaza.now_s += 100
    assert plaza.count(session, (0, counted_wh)) is Outcome.BOOKED
    assert plaza.stop(session) is Outcome.BOOKED
    return session


def billed_wh(plaza: Plaza, session: str) -> int:
    bill = plaza.receipt(session).bill
    assert bill is not None
    return bill.energy_wh


def test_a_car_is_not_billed_what_the_stations_connection_never_took() -> None:
    plaza = Plaza()
    session = stopped(plaza, plaza.authorised(), 100)
    assert plaza.meter(session, 20_000, began_wh=5 * REGISTER_WH) is Outcome.BOOKED
    plaza.pass_slot(80)
    assert billed_wh(plaza, session) == 80
    assert plaza.entries("charging", Commodity.ENERGY) == [(STATION, "zoe", 80)]


def test_a_stretch_of_the_register_begins_no_lower_than_it_stood_at_the_start() -> None:
    plaza = Plaza()
    session = stopped(plaza, plaza.authorised(), 1_000)
    assert plaza.meter(session, 2_000, began_wh=REGISTER_WH - 1) is Outcome.NOT_ALLOWED
    assert plaza.meter(session, 1_000) is Outcome.BOOKED


@pytest.mark.parametrize("meters", ["both at once", "the later first"])
def test_who_was_authorised_first_has_the_first_of_what_the_connection_took(meters: str) -> None:
    plaza = Plaza()
    first, second = plaza.authorised("zoe"), plaza.authorised("guest")
    for session in (second, first):
        stopped(plaza, session, 1_000)
        if session == second or meters == "both at once":
            assert plaza.meter(session, 1_000) is Outcome.BOOKED
    sleep(plaza)
    plaza.pass_slot(1_500)
    sleep(plaza)
    if meters == "the later first":
        assert plaza.meter(first, 1_000) is Outcome.BOOKED
    assert [billed_wh(plaza, session) for session in (first, second)] == [1_000, 500]
    check_woken(plaza)


def test_while_the_connection_is_silent_nothing_is_billed_and_its_late_word_still_counts() -> None:
    plaza = Plaza()
    session = stopped(plaza, plaza.authorised(), 1_000)
    assert plaza.meter(session, 1_000) is Outcome.BOOKED
    slot_s = plaza.slot_s
    for _ in range(3):
        plaza.now_s = plaza.slot_s + SLOT_SECONDS
        sleep(plaza)
        assert plaza.report("gw-feeder", plaza.slot_s - SLOT_SECONDS, plaza.feeder(0)) is Outcome.BOOKED
    assert plaza.state.settled_to_s > slot_s
    assert plaza.standing(session).billed_wh == 0
    assert plaza.reserved() == AUTHORISED_MICRO
    assert plaza.report(GATEWAY, slot_s, {POINT: (900, 0)}) is Outcome.BOOKED
    plaza.pass_slot()
    assert billed_wh(plaza, session) == 900
    (line,) = plaza.receipt(session).bill.lines
    assert line.price_micro_per_kwh == IMPORT
    check_woken(plaza)


def test_a_connection_that_corrects_itself_while_the_register_is_waited_for_is_believed() -> None:
    plaza = Plaza()
    session = stopped(plaza, plaza.authorised(), 1_000)
    slot_s = plaza.pass_slot(1_000)
    plaza.pass_slot()
    plaza.pass_slot()
    assert plaza.standing(session).billed_wh == 1_000, "the count is settled without the register"
    sleep(plaza)
    assert plaza.report(GATEWAY, slot_s, {POINT: (600, 0)}, flags=Flag.CORRECTS) is Outcome.BOOKED
    assert plaza.meter(session, 1_000) is Outcome.BOOKED
    assert billed_wh(plaza, session) == 600
    assert plaza.entries("charging corrected", Commodity.ENERGY) == [("zoe", STATION, 400)]
    check_woken(plaza)
