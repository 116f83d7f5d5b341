"""A car charges at a station: authorised, counted, metered and paid, and everything that can go wrong on the way."""

from itertools import pairwise

import numpy as np
import pytest
from charging_place import (
    AUTHORISED_MICRO,
    AUTHORISED_WH,
    FEE,
    GATEWAY,
    POINT,
    POST,
    REGISTER_WH,
    START_FEE,
    STATION,
    Plaza,
)
from community import IMPORT, NOON, Flow, gain

from commonwatt.flows.rulebook import snapshot
from commonwatt.flows.rulebook.charging import session_bodies
from commonwatt.flows.rulebook.charging.charging import MOST_STANDING, MOST_TARIFFS
from commonwatt.flows.rulebook.charging.sessions import Register
from commonwatt.flows.rulebook.tokens import wallet_bodies
from commonwatt.ledger.sheet import Sheet
from commonwatt.model import MICRO, SLOT_SECONDS, AccountId, Commodity, Kind, Outcome, Side, cost_micro

DUE = cost_micro(10_000, IMPORT) + cost_micro(10_000, FEE) + START_FEE
"""What 10 kWh cost when nobody traded."""


def charge(plaza: Plaza, wh: int = 10_000, metered: int | None = None, car: str = "zoe") -> str:
    """Let a car charge for a slot: authorise, start, count, stop, meter."""
    session = plaza.authorised(car)
    assert plaza.start(session) is Outcome.BOOKED
    plaza.pass_slot(wh)
    assert plaza.count(session, (450, wh // 2), (0, wh)) is Outcome.BOOKED
    assert plaza.stop(session) is Outcome.BOOKED
    assert plaza.meter(session, wh if metered is None else metered) is Outcome.BOOKED
    return session


@pytest.mark.row("E9")
@pytest.mark.parametrize("car", ["zoe", "guest"])
def test_a_session_runs_from_word_to_payment_and_its_receipt_adds_up_to_the_entries(car: str) -> None:
    plaza = Plaza()
    session = charge(plaza, car=car)
    receipt = plaza.receipt(session)
    assert receipt.bill is not None
    assert (receipt.bill.energy_wh, receipt.bill.due_micro) == (10_000, DUE)
    assert receipt.session.metered == (REGISTER_WH, REGISTER_WH + 10_000)
    assert plaza.entries("charging", Commodity.ERGON) == [(car, STATION, receipt.bill.due_micro)]
    assert plaza.entries("charging", Commodity.ENERGY) == [(STATION, car, receipt.bill.energy_wh)]
    assert {entry.ref for entry in plaza.booked() if entry.memo == "charging"} == {session}
    assert plaza.ergon(car) == 10 * MICRO - DUE
    assert plaza.reserved(car) == 0
    assert not plaza.state.sessions.standing


@pytest.mark.row("E9")
def test_no_watt_hour_is_counted_twice_between_grid_station_and_car() -> None:
    plaza = Plaza()
    charge(plaza)
    energy = {
        who: sum(gain(entry, who) for entry in plaza.booked() if entry.commodity is Commodity.ENERGY)
        for who in ("grid", STATION, "zoe")
    }
    assert energy == {"grid": -10_000, STATION: 0, "zoe": 10_000}
    # The station pays the community as a member, and is paid by the car: its fee is what stays.
    assert plaza.ergon(STATION) == DUE - cost_micro(10_000, IMPORT)
    assert plaza.state.accounts.total(Commodity.ERGON) == plaza.state.accounts.total(Commodity.ENERGY) == 0


@pytest.mark.row("E9")
def test_a_car_without_the_money_never_starts() -> None:
    plaza = Plaza()
    assert plaza.authorise(micro=10 * MICRO + 1) is Outcome.NOT_BACKED
    assert not plaza.state.sessions.standing
    session = plaza.authorised(micro=10 * MICRO)
    give = wallet_bodies.Give(target="anna", commodity=Commodity.ERGON, amount=1)
    assert plaza.ask("zoe", Kind.TRANSFER, give) is Outcome.NOT_BACKED, "what is reserved backs nothing else"
    for done in (wallet_bodies.Post(transfer=session), wallet_bodies.Void(transfer=session)):
        for who, account in ((POST, STATION), (STATION, STATION), ("zoe", "zoe")):
            assert plaza.ask(who, Kind.TRANSFER, done, account) is Outcome.NOT_ALLOWED, "only its meter moves it"
    assert plaza.authorise(micro=1) is Outcome.NOT_BACKED


@pytest.mark.row("E9")
def test_a_car_that_leaves_early_pays_what_the_meter_saw() -> None:
    plaza = Plaza()
    session = plaza.authorised()
    plaza.start(session)
    plaza.now_s += 300
    assert plaza.count(session, (60, 2_000)) is Outcome.BOOKED
    assert plaza.stop(session, by="guest") is Outcome.NOT_ALLOWED
    assert plaza.stop(session, by="zoe") is Outcome.BOOKED
    assert plaza.stop(session) is Outcome.ALREADY_THERE
    assert plaza.count(session, (0, 2_500)) is Outcome.TOO_LATE
    plaza.meter(session, 2_400)
    assert plaza.reserved() == AUTHORISED_MICRO, "the slot is not settled yet"
    plaza.pass_slot(2_400)
    receipt = plaza.receipt(session)
    assert receipt.bill is not None
    assert (receipt.session.ended_by, receipt.bill.energy_wh, receipt.session.counted_wh) == ("car", 2_400, 2_000)


@pytest.mark.row("E9")
def test_a_link_that_drops_stops_the_session_at_the_last_signed_count() -> None:
    plaza = Plaza()
    session = plaza.authorised()
    plaza.start(session)
    plaza.now_s += 600
    plaza.count(session, (0, 3_000))
    plaza.pass_slot(9_000)
    assert plaza.standing(session).ended_s is None
    plaza.pass_slot()
    plaza.pass_slot()
    assert (plaza.standing(session).ended_by, plaza.standing(session).ended_s) == ("silence", NOON + 600)
    assert plaza.count(session, (0, 9_000)) is Outcome.TOO_LATE
    plaza.meter(session, 9_000)
    receipt = plaza.receipt(session)
    assert receipt.bill is not None
    assert (receipt.bill.energy_wh, receipt.session.metered_wh) == (3_000, 9_000)


@pytest.mark.row("E9")
def test_a_word_that_ends_stops_the_session_and_one_never_used_is_let_go() -> None:
    plaza = Plaza()
    used, unused = plaza.authorised(lasts_s=1_000), plaza.authorised("guest", lasts_s=1_000)
    plaza.start(used)
    plaza.now_s += 900
    plaza.count(used, (0, 1_000))
    plaza.now_s += 100
    assert plaza.start(unused) is Outcome.UNKNOWN_THING
    assert plaza.reserved("guest") == 0
    assert plaza.standing(used).ended_by == "time"
    assert plaza.receipt(unused).bill is None


@pytest.mark.row("E9")
@pytest.mark.parametrize(("metered", "more"), [(9_000, -1_000), (11_000, 1_000), (10_000, 0)])
def test_a_meter_that_comes_late_corrects_the_count_within_what_is_reserved(metered: int, more: int) -> None:
    plaza = Plaza()
    session = plaza.authorised()
    plaza.start(session)
    plaza.pass_slot(11_000)
    plaza.count(session, (0, 10_000))
    plaza.stop(session)
    plaza.pass_slot()
    plaza.pass_slot()
    assert plaza.reserved() == AUTHORISED_MICRO, "within the grace the meter is waited for"
    plaza.pass_slot()
    assert plaza.entries("charging", Commodity.ERGON) == [("zoe", STATION, DUE)]
    assert plaza.reserved() == AUTHORISED_MICRO - DUE
    plaza.meter(session, metered)
    owed = cost_micro(more, IMPORT + FEE)
    expected = [("zoe", STATION, owed)] if owed > 0 else [(STATION, "zoe", -owed)] if owed < 0 else []
    assert plaza.entries("charging corrected", Commodity.ERGON) == expected
    assert plaza.ergon("zoe") == 10 * MICRO - DUE - owed
    assert plaza.reserved() == 0


@pytest.mark.row("E9")
def test_a_meter_that_never_comes_leaves_the_count_and_frees_the_rest() -> None:
    plaza = Plaza()
    session = plaza.authorised()
    plaza.start(session)
    plaza.pass_slot(10_000)
    plaza.count(session, (0, 10_000))
    plaza.stop(session)
    for _ in range(6):
        plaza.pass_slot()
    assert plaza.reserved() == 0
    assert plaza.meter(session, 10_000) is Outcome.UNKNOWN_THING
    assert plaza.ergon("zoe") == 10 * MICRO - DUE


@pytest.mark.row("E9")
def test_a_station_that_claims_more_than_its_meter_is_paid_by_the_meter_and_the_difference_shows() -> None:
    plaza = Plaza()
    session = charge(plaza, 12_000, metered=8_000)
    receipt = plaza.receipt(session)
    assert receipt.bill is not None
    assert (receipt.session.counted_wh, receipt.session.metered_wh, receipt.bill.energy_wh) == (12_000, 8_000, 8_000)


@pytest.mark.row("E9")
def test_nobody_pays_beyond_what_was_authorised() -> None:
    plaza = Plaza()
    session = plaza.authorised(micro=1 * MICRO)
    plaza.start(session)
    plaza.pass_slot(30_000)
    assert plaza.count(session, (0, 30_000)) is Outcome.BOOKED
    assert plaza.standing(session).ended_by == "energy", "all the energy that was authorised has flowed"
    plaza.meter(session, 30_000)
    receipt = plaza.receipt(session)
    assert receipt.bill is not None
    assert (receipt.bill.energy_wh, receipt.bill.due_micro) == (AUTHORISED_WH, 1 * MICRO)
    assert receipt.bill.unpaid_micro == cost_micro(AUTHORISED_WH, IMPORT + FEE) + START_FEE - MICRO
    assert plaza.ergon("zoe") == 9 * MICRO


@pytest.mark.row("E9")
def test_repeats_and_what_comes_out_of_order_change_nothing() -> None:
    plaza = Plaza()
    session = plaza.authorised()
    assert plaza.count(session, (0, 1)) is Outcome.NOT_ALLOWED, "nothing has started"
    assert plaza.meter(session, 1) is Outcome.NOT_ALLOWED
    plaza.start(session)
    assert plaza.start(session) is Outcome.ALREADY_THERE
    plaza.now_s += 600
    counted = session_bodies.Progress(
        session=session, counts=(session_bodies.CountItem(at_s=plaza.now_s - 60, energy_wh=1_000),)
    )
    wire = plaza.wire(POST, Kind.SESSION, counted, account=STATION)
    assert plaza.send(wire) is Outcome.BOOKED
    leaves = plaza.roots().leaves
    assert plaza.send(wire) is Outcome.BOOKED, "a repeat is told the first outcome"
    assert plaza.roots().leaves == leaves
    before = plaza.standing(session)
    assert plaza.count(session, (60, 1_000)) is Outcome.TOO_LATE
    assert plaza.count(session, (120, 900)) is Outcome.TOO_LATE
    assert plaza.count(session, (30, 999)) is Outcome.NOT_ALLOWED, "a register counts no less"
    assert plaza.count(session, (-1, 1_000)) is Outcome.NOT_ALLOWED, "nobody has counted what has not happened"
    assert plaza.count(session, (30, 1_500), (40, 1_600)) is Outcome.TOO_LATE, "all of a batch counts or nothing"
    assert plaza.meter(session, 1_000) is Outcome.NOT_ALLOWED, "it has not ended"
    assert plaza.standing(session) == before
    assert plaza.count(session, (0, 1_200), by=GATEWAY) is Outcome.BOOKED
    plaza.stop(session)
    assert plaza.meter(session, 1_200, by=POST) is Outcome.NOT_ALLOWED
    assert plaza.meter(session, 1_200, by="gw-anna") is Outcome.NOT_ALLOWED
    assert plaza.meter(session, 1_200) is Outcome.BOOKED
    assert plaza.meter(session, 1_300) is Outcome.ALREADY_THERE


@pytest.mark.row("E9")
def test_no_stretch_of_a_register_is_billed_twice_in_whatever_order_readings_come() -> None:
    plaza = Plaza()
    first, second = plaza.authorised(), plaza.authorised("guest")
    plaza.start(first)
    assert plaza.start(second) is Outcome.OVER_LIMIT, "one meter cannot tell two cars apart"
    plaza.now_s += 100
    plaza.stop(first)
    plaza.start(second)
    plaza.now_s += 100
    plaza.stop(second)
    assert plaza.meter(second, 700, began_wh=REGISTER_WH + 500) is Outcome.BOOKED
    assert plaza.meter(first, 501, began_wh=REGISTER_WH) is Outcome.NOT_ALLOWED
    assert plaza.meter(first, 500, began_wh=REGISTER_WH) is Outcome.BOOKED
    assert plaza.state.sessions.registers[POINT].spans == [(REGISTER_WH, REGISTER_WH + 1_200)]


def test_a_register_remembers_only_so_many_stretches_and_bills_nothing_below_them() -> None:
    register = Register()
    for n in range(100):
        assert register.is_free(10 * n, 10 * n + 5)
        register.take(10 * n, 10 * n + 5)
    assert (len(register.spans), register.floor_wh) == (64, 355)
    assert not register.is_free(0, 1)
    assert not register.is_free(990, 1_000)
    assert register.is_free(365, 370)


def test_a_station_without_a_tariff_cannot_be_charged_at_and_none_holds_backwards() -> None:
    plaza = Plaza()
    assert plaza.tariff(plaza.now_s - 1) is Outcome.TOO_LATE
    assert plaza.tariff(plaza.now_s) is Outcome.TOO_LATE, "one is told for this moment"
    assert plaza.tariff(plaza.now_s + 1, meter="anna-home") is Outcome.NOT_ALLOWED
    assert plaza.tariff(plaza.now_s + 1, meter="nothing") is Outcome.UNKNOWN_THING
    body = session_bodies.Tariff(meter="anna-home", from_s=plaza.now_s)
    assert plaza.ask("anna", Kind.SESSION, body) is Outcome.NOT_ALLOWED, "a home is no station"
    nowhere = session_bodies.Authorise(station="anna", most_wh=1, most_micro=1, until_s=plaza.now_s + 9)
    assert plaza.ask("zoe", Kind.SESSION, nowhere) is Outcome.UNKNOWN_THING
    old = plaza.authorised()
    assert plaza.tariff(plaza.now_s + 60, fee=2 * FEE) is Outcome.BOOKED
    assert plaza.standing(plaza.authorised("guest")).terms.fees.micro_per_kwh == FEE
    plaza.now_s += 60
    assert plaza.standing(plaza.authorised("guest", micro=1)).terms.fees.micro_per_kwh == 2 * FEE
    assert plaza.standing(old).terms.fees.micro_per_kwh == FEE, "a car pays what held when it said its word"


def test_what_an_account_can_make_the_state_hold_is_bounded() -> None:
    plaza = Plaza()
    for _ in range(MOST_STANDING):
        assert plaza.authorise(micro=1) is Outcome.BOOKED
    assert plaza.authorise(micro=1) is Outcome.OVER_LIMIT
    assert plaza.authorise("guest", lasts_s=172_801) is Outcome.OVER_LIMIT
    outcomes = [plaza.tariff(plaza.now_s + n) for n in range(1, MOST_TARIFFS + 1)]
    assert outcomes == [Outcome.BOOKED] * (MOST_TARIFFS - 1) + [Outcome.OVER_LIMIT]
    plaza.now_s += 100
    assert plaza.tariff() is Outcome.BOOKED, "those that are superseded are let go of"
    assert len(plaza.state.sessions.tariffs[STATION]) == 2


@pytest.mark.row("E9")
def test_the_price_is_what_neighbours_paid_in_the_slot_and_the_receipt_tells_whose_sun_it_was() -> None:
    plaza = Plaza()
    slot_s = NOON + SLOT_SECONDS
    plaza.order("anna", Side.ASK, 4_000, 150_000, slot_s)
    plaza.order("ben", Side.BID, 4_000, 250_000, slot_s)
    plaza.pass_slot()
    session = plaza.authorised()
    plaza.start(session)
    plaza.pass_slot(6_000, anna=Flow(solar_wh=5_000), ben=Flow(load_wh=4_000))
    plaza.count(session, (0, 6_000))
    plaza.stop(session)
    plaza.meter(session, 6_000)
    receipt = plaza.receipt(session)
    assert receipt.bill is not None
    (line,) = receipt.bill.lines
    assert (line.slot_s, line.price_micro_per_kwh) == (slot_s, 200_000)
    # 5,000 Wh of sun left anna's roof, 4,000 of them traded; the grid gave the community the other 5,000.
    assert (line.mix.solar_wh, line.mix.grid_wh, line.mix.total_wh) == (3_000, 3_000, 6_000)


@pytest.mark.row("E9")
def test_called_watt_shows_on_the_receipt_as_what_it_is() -> None:
    plaza = Plaza()
    plaza.pass_slot(anna=Flow(solar_wh=3_000, charge_wh=3_000))
    held = plaza.watt("anna")
    assert plaza.order("anna", Side.ASK, held, 100_000) is Outcome.BOOKED
    assert plaza.order("ben", Side.BID, held, 100_000) is Outcome.BOOKED
    session = plaza.authorised()
    plaza.start(session)
    plaza.pass_slot(3_000, anna=Flow(discharge_wh=1_000), ben=Flow(load_wh=1_000))
    plaza.count(session, (0, 3_000))
    plaza.stop(session)
    plaza.meter(session, 3_000)
    assert plaza.entries("watt delivery") == [("anna", "ben", 1_000)]
    bill = plaza.receipt(session).bill
    assert bill is not None
    assert (bill.lines[0].mix.watt_wh, bill.lines[0].mix.grid_wh) == (750, 2_250)


@pytest.mark.row("E9")
@pytest.mark.parametrize(
    ("flow", "charged_wh", "mix"),
    [
        (Flow(discharge_wh=1_000), 4_000, (0, 1_000, 3_000)),  # charged from the grid before: no roof made it
        (Flow(solar_wh=5_000), 2_000, (2_000, 0, 0)),  # the community gave to the grid: none of it came from there
    ],
)
def test_a_receipt_calls_nothing_sun_that_no_roof_made_nor_grid_what_neighbours_gave(
    flow: Flow, charged_wh: int, mix: tuple[int, int, int]
) -> None:
    plaza = Plaza()
    plaza.pass_slot(anna=Flow(charge_wh=3_000))
    session = plaza.authorised()
    plaza.start(session)
    plaza.pass_slot(charged_wh, anna=flow)
    plaza.count(session, (0, charged_wh))
    plaza.stop(session)
    plaza.meter(session, charged_wh)
    bill = plaza.receipt(session).bill
    assert bill is not None
    found = bill.lines[0].mix
    assert (found.solar_wh, found.other_wh, found.grid_wh) == mix


def test_a_sheet_of_many_members_counts_as_its_entries_do() -> None:
    plaza = Plaza()
    plaza.start(plaza.authorised())
    state = plaza.state
    members = np.array([state.accounts.number(AccountId(name)) for name in ("anna", "ben")])
    zero, sold, bought = np.zeros(2, np.int64), np.array([700, 0]), np.array([0, 700])
    sheet = Sheet(
        slot_s=NOON,
        members=members,
        bought_wh=bought,
        sold_wh=sold,
        import_wh=np.array([0, 300]),
        export_wh=np.array([200, 0]),
        traded_micro=zero,
        grid_micro=zero,
    )
    state.post_sheet(sheet)
    entries = [entry for entry in sheet.entries(state.accounts) if entry.commodity is Commodity.ENERGY]
    flowed = state.sessions.flowing[NOON]
    assert flowed.many_wh == sum(entry.amount for entry in entries if entry.source in ("anna", "ben")) == 900
    assert flowed.net_wh == -sum(gain(entry, "grid") for entry in entries) == 100


def test_every_step_survives_a_snapshot_and_a_replay() -> None:
    plaza = Plaza()
    roots = []

    def look() -> None:
        state, _ = snapshot.load(snapshot.dump(plaza.state, plaza.now_s, plaza.sequencer.tree.root()))
        assert state.root() == plaza.state.root()
        assert state.sessions.dump() == plaza.state.sessions.dump()
        plaza.receipts()
        roots.append(state.root())
        plaza.sequencer.state = state  # go on as after a restart

    look()
    session = plaza.authorised()
    look()
    plaza.start(session)
    look()
    plaza.pass_slot(5_100)
    plaza.count(session, (0, 5_000))
    look()
    plaza.stop(session)
    look()
    for _ in range(3):
        plaza.pass_slot()
        look()
    plaza.meter(session, 5_100)
    look()
    assert all(earlier != later for earlier, later in pairwise(roots)), "every step is in the state root"
    assert plaza.entries("charging", Commodity.ENERGY) == [(STATION, "zoe", 5_000)]
    assert plaza.entries("charging corrected", Commodity.ENERGY) == [(STATION, "zoe", 100)]
