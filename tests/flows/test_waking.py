"""Stories in which a node that woke from a snapshot could come to other entries than one that never slept."""

from charging_place import POST, STATION, Plaza
from community import Flow
from waking import check_woken, sleep

from commonwatt.model import AccountId, Outcome, Side


def test_sessions_that_end_in_another_order_than_they_were_authorised_are_booked_alike_by_who_slept_meanwhile() -> None:
    plaza = Plaza()
    first, second = plaza.authorised("zoe"), plaza.authorised("guest")
    for session in (second, first):
        assert plaza.start(session) is Outcome.BOOKED
        plaza.now_s += 100
        assert plaza.count(session, (0, 1_000)) is Outcome.BOOKED
        assert plaza.stop(session) is Outcome.BOOKED
        assert plaza.meter(session, 1_000) is Outcome.BOOKED
    sleep(plaza)
    plaza.pass_slot(2_000)
    assert [entry.ref for entry in plaza.booked() if entry.memo == "charging"] == [first] * 2 + [second] * 2
    check_woken(plaza)


def test_who_falls_low_by_the_last_trade_of_a_commit_is_told_also_by_who_slept_right_after_it() -> None:
    plaza = Plaza(low_micro=680_000, clear_micro=690_000)
    plaza.pass_slot(anna=Flow(solar_wh=1_000, charge_wh=1_000))
    assert plaza.order("anna", Side.ASK, 300, 100_000) is Outcome.BOOKED
    assert plaza.order(STATION, Side.BID, 300, 100_000) is Outcome.BOOKED
    session = plaza.authorised()
    assert plaza.start(session) is Outcome.BOOKED
    plaza.now_s += 100
    assert plaza.count(session, (0, 10_000)) is Outcome.BOOKED
    assert plaza.stop(session, by=POST) is Outcome.BOOKED
    assert plaza.meter(session, 10_000) is Outcome.BOOKED
    plaza.pass_slot(10_000)
    assert (plaza.watt(STATION), plaza.ergon(STATION)) == (300, 670_000), "what the car paid bought WATT at once"
    assert plaza.state.wallets.low
    assert AccountId(STATION) in plaza.state.wallets.low[2].items()
    sleep(plaza)
    plaza.pass_slot()
    check_woken(plaza)
